// SPDX-License-Identifier: Apache-2.0
// Moving bytes: read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek sendfile
// copy_file_range readahead fadvise64. Decodes, runs the VFS call, and waits where the file would block.
//
// A blocking write to a pipe or terminal may be done in pieces: call.done counts what went before, so that a rerun
// goes on behind it. read(2) of a regular file costs here: one look-up, one host pread, one host copy.
#include "abi/poll.h"
#include "abi/uio.h"
#include "sentry/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/signal/signal.h"
#include "sentry/syscalls/table.h"
#include <stdlib.h>

#define AT_POS UINT64_MAX  // at the file's own offset

static struct file *get_for(struct task *t, uint64_t fd, unsigned mode) {
    struct file *f = fd_get_io(t->files, (int)fd);
    if (f && !(f->mode & mode)) {
        file_put(f);
        return NULL;
    }
    return f;
}
// For calls on one file: a rerun goes on with the file that it has waited for, whatever its number names now.
static struct file *get_io(struct task *t, uint64_t fd, unsigned mode) {
    struct file *f = park_file(t);
    return f ? file_get(f) : get_for(t, fd, mode);
}

// Why there is none: a call with an offset says ESPIPE of a stream before it looks at how that is open.
static int64_t no_io(struct task *t, uint64_t fd, uint64_t off) {
    struct file *f cleanup_file = off == AT_POS ? NULL : fd_get_io(t->files, (int)fd);
    return f && !(f->mode & FMODE_SEEK) ? -LINUX_ESPIPE : -LINUX_EBADF;
}

static int64_t do_read(struct task *t, struct file *f, struct uio *u, uint64_t off) {
    bool may_sleep = inode_type(f->inode) == LINUX_S_IFREG;
    if (may_sleep)
        plat_block_begin(t->k->platform);
    int64_t r = off == AT_POS ? vfs_read(f, u) : vfs_pread(f, u, off);
    if (may_sleep)
        plat_block_end(t->k->platform);
    return u->flags & LINUX_RWF_NOWAIT ? r : park_file_result(t, f, LINUX_POLLIN, r);
}

// The signals that go with an error of write(2).
static int64_t write_error(struct task *t, int64_t r) {
    if (r == -LINUX_EPIPE)
        signal_send_task(t, LINUX_SIGPIPE, NULL);
    if (r == -LINUX_EFBIG && task_rlimit(t, LINUX_RLIMIT_FSIZE) != LINUX_RLIM_INFINITY)
        signal_send_task(t, LINUX_SIGXFSZ, NULL);
    return r;
}

// u stands behind what earlier runs of this call have written (call.done).
static int64_t do_write(struct task *t, struct file *f, struct uio *u, uint64_t off) {
    TASK_VFS_CTX(t, ctx);
    struct call *c = &t->call;
    bool blocking = !(atomic_load(&f->flags) & LINUX_O_NONBLOCK) && !(f->mode & FMODE_SEEK);
    int64_t r;
    do {
        r = off == AT_POS ? vfs_write(&ctx, f, u) : vfs_pwrite(&ctx, f, u, off);
        if (r > 0)
            c->done += r;
    } while (r > 0 && blocking && u->left > 0);
    if (r >= 0)
        return c->done;
    if (r == -LINUX_EAGAIN)
        r = park_file_result(t, f, LINUX_POLLOUT, r);
    if (c->done && r != SYS_PARK && r != SYS_AGAIN)
        return c->done;  // what was written counts; the error comes with the next call
    return write_error(t, r);
}

static int64_t rw_buf(struct task *t, const struct sysargs *a, bool write, uint64_t off) {
    struct file *f cleanup_file = get_io(t, a->v[0], write ? FMODE_WRITE : FMODE_READ);
    if (!f)
        return no_io(t, a->v[0], off);
    struct uio_user u;
    int err = uio_user_buf(&u, t, uaddr(a->v[1]), a->v[2]);
    if (err < 0)
        return err;
    uio_user_skip(&u, (uint64_t)t->call.done);
    int64_t r = write ? do_write(t, f, &u.u, off) : do_read(t, f, &u.u, off);
    uio_user_done(&u);
    return r;
}

static int64_t rw_vec(struct task *t, const struct sysargs *a, bool write, uint64_t off, uint64_t flags) {
    const uint64_t known = LINUX_RWF_HIPRI | LINUX_RWF_DSYNC | LINUX_RWF_SYNC | LINUX_RWF_NOWAIT | LINUX_RWF_APPEND |
                           LINUX_RWF_NOAPPEND;
    struct file *f cleanup_file = get_io(t, a->v[0], write ? FMODE_WRITE : FMODE_READ);
    if (!f)
        return no_io(t, a->v[0], off);
    if (flags & ~known)
        return -LINUX_EOPNOTSUPP;
    struct uio_user u;
    int err = uio_user_iov(&u, t, uaddr(a->v[1]), (uint32_t)a->v[2]);
    if (err < 0)
        return err;
    u.u.flags = (int)flags;
    uio_user_skip(&u, (uint64_t)t->call.done);
    int64_t r = write ? do_write(t, f, &u.u, off) : do_read(t, f, &u.u, off);
    uio_user_done(&u);
    return r;
}

// An explicit offset: not negative.
static int64_t offset_of(uint64_t v) { return (int64_t)v < 0 ? -LINUX_EINVAL : 0; }

int64_t sys_read(struct task *t, const struct sysargs *a) { return rw_buf(t, a, false, AT_POS); }
int64_t sys_write(struct task *t, const struct sysargs *a) { return rw_buf(t, a, true, AT_POS); }
int64_t sys_readv(struct task *t, const struct sysargs *a) { return rw_vec(t, a, false, AT_POS, 0); }
int64_t sys_writev(struct task *t, const struct sysargs *a) { return rw_vec(t, a, true, AT_POS, 0); }
int64_t sys_pread64(struct task *t, const struct sysargs *a) {
    return offset_of(a->v[3]) < 0 ? -LINUX_EINVAL : rw_buf(t, a, false, a->v[3]);
}
int64_t sys_pwrite64(struct task *t, const struct sysargs *a) {
    return offset_of(a->v[3]) < 0 ? -LINUX_EINVAL : rw_buf(t, a, true, a->v[3]);
}
int64_t sys_preadv(struct task *t, const struct sysargs *a) {
    return offset_of(a->v[3]) < 0 ? -LINUX_EINVAL : rw_vec(t, a, false, a->v[3], 0);
}
int64_t sys_pwritev(struct task *t, const struct sysargs *a) {
    return offset_of(a->v[3]) < 0 ? -LINUX_EINVAL : rw_vec(t, a, true, a->v[3], 0);
}
// Offset -1: the file's own, as readv.
int64_t sys_preadv2(struct task *t, const struct sysargs *a) {
    return (int64_t)a->v[3] < -1 ? -LINUX_EINVAL : rw_vec(t, a, false, a->v[3], a->v[5]);
}
int64_t sys_pwritev2(struct task *t, const struct sysargs *a) {
    return (int64_t)a->v[3] < -1 ? -LINUX_EINVAL : rw_vec(t, a, true, a->v[3], a->v[5]);
}

int64_t sys_lseek(struct task *t, const struct sysargs *a) {
    struct file *f cleanup_file = fd_get_io(t->files, (int)a->v[0]);
    return f ? vfs_llseek(f, (int64_t)a->v[1], (int)a->v[2]) : -LINUX_EBADF;
}

int64_t sys_readahead(struct task *t, const struct sysargs *a) {
    struct file *f cleanup_file = get_for(t, a->v[0], FMODE_READ);
    if (!f)
        return -LINUX_EBADF;
    return inode_type(f->inode) == LINUX_S_IFREG && (int64_t)a->v[2] >= 0 ? 0 : -LINUX_EINVAL;
}

int64_t sys_fadvise64(struct task *t, const struct sysargs *a) {
    struct file *f cleanup_file = fd_get_io(t->files, (int)a->v[0]);
    if (!f)
        return -LINUX_EBADF;
    if (inode_type(f->inode) == LINUX_S_IFIFO)
        return -LINUX_ESPIPE;
    return a->v[3] > 5 || (int64_t)a->v[2] < 0 ? -LINUX_EINVAL : 0;
}

// ---- From file to file -------------------------------------------------------------------------------------------------
#define COPY_CHUNK 65536u
#define MAX_RW     0x7ffff000u  // one call moves no more, read(2)

struct copy {
    struct file *in, *out;
    uint64_t in_off, out_off;  // AT_POS: the file's own
    uint64_t left;
};

// Reads a chunk and writes it; what the other side does not take is put back by not advancing. Bytes or error.
static int64_t copy_chunk(const struct vfs_ctx *ctx, struct copy *c, char *buf) {
    struct uio_kernel u;
    uio_kernel_init(&u, buf, c->left < COPY_CHUNK ? c->left : COPY_CHUNK);
    uint64_t at = c->in_off == AT_POS ? c->in->pos : c->in_off;
    int64_t n = c->in->mode & FMODE_SEEK ? vfs_pread(c->in, &u.u, at) : vfs_read(c->in, &u.u);
    if (n <= 0)
        return n;
    uio_kernel_init(&u, buf, (size_t)n);
    int64_t w = c->out_off == AT_POS ? vfs_write(ctx, c->out, &u.u) : vfs_pwrite(ctx, c->out, &u.u, c->out_off);
    if (w <= 0)
        return w;
    if (c->in_off != AT_POS)
        c->in_off += (uint64_t)w;
    else if (c->in->mode & FMODE_SEEK)
        vfs_llseek(c->in, (int64_t)at + w, LINUX_SEEK_SET);
    if (c->out_off != AT_POS)
        c->out_off += (uint64_t)w;
    c->left -= (uint64_t)w;
    return w;
}

// Copies until `left` is used up, the end, an error, or the death of the caller; bytes that went count before an error.
static int64_t copy_all(struct task *t, struct copy *c) {
    TASK_VFS_CTX(t, ctx);
    char *buf = malloc(COPY_CHUNK);
    if (!buf)
        return -LINUX_ENOMEM;
    int64_t done = 0, n;
    do {
        n = c->left ? copy_chunk(&ctx, c, buf) : 0;
        done += n > 0 ? n : 0;
    } while (n > 0 && !atomic_load(&t->killed));
    free(buf);
    return done ? done : n;
}

int64_t sys_sendfile(struct task *t, const struct sysargs *a) {
    struct file *in cleanup_file = get_for(t, a->v[1], FMODE_READ);
    struct file *out cleanup_file = get_for(t, a->v[0], FMODE_WRITE);
    int64_t off = 0;
    if (!in || !out)
        return -LINUX_EBADF;
    if (!(in->mode & FMODE_SEEK) || (atomic_load(&out->flags) & LINUX_O_APPEND))
        return -LINUX_EINVAL;
    if (a->v[2] && copy_in_obj(t, &off, uaddr(a->v[2])) < 0)
        return -LINUX_EFAULT;
    if (off < 0)
        return -LINUX_EINVAL;
    struct copy c = {in, out, a->v[2] ? (uint64_t)off : AT_POS, AT_POS, a->v[3] < MAX_RW ? a->v[3] : MAX_RW};
    plat_block_begin(t->k->platform);
    int64_t r = copy_all(t, &c);
    plat_block_end(t->k->platform);
    if (r == -LINUX_EAGAIN)
        r = park_file_result(t, out, LINUX_POLLOUT, r);
    if (r != SYS_PARK && a->v[2] && copy_out_obj(t, uaddr(a->v[2]), &c.in_off) < 0)
        return -LINUX_EFAULT;
    return r < 0 ? write_error(t, r) : r;
}

static int64_t range_offset(struct task *t, uint64_t addr, uint64_t *off) {
    *off = AT_POS;
    if (!addr)
        return 0;
    if (copy_in_obj(t, off, uaddr(addr)) < 0)
        return -LINUX_EFAULT;
    return (int64_t)*off < 0 ? -LINUX_EINVAL : 0;
}

int64_t sys_copy_file_range(struct task *t, const struct sysargs *a) {
    struct file *in cleanup_file = get_for(t, a->v[0], FMODE_READ);
    struct file *out cleanup_file = get_for(t, a->v[2], FMODE_WRITE);
    struct copy c = {in, out, 0, 0, a->v[4] < MAX_RW ? a->v[4] : MAX_RW};
    if (!in || !out)
        return -LINUX_EBADF;
    if (a->v[5])
        return -LINUX_EINVAL;
    if (inode_type(in->inode) == LINUX_S_IFDIR || inode_type(out->inode) == LINUX_S_IFDIR)
        return -LINUX_EISDIR;
    if (inode_type(in->inode) != LINUX_S_IFREG || inode_type(out->inode) != LINUX_S_IFREG)
        return -LINUX_EINVAL;
    if (atomic_load(&out->flags) & LINUX_O_APPEND)
        return -LINUX_EBADF;
    int64_t err = range_offset(t, a->v[1], &c.in_off);
    if (err == 0)
        err = range_offset(t, a->v[3], &c.out_off);
    if (err < 0)
        return err;
    uint64_t from = c.in_off == AT_POS ? in->pos : c.in_off, to = c.out_off == AT_POS ? out->pos : c.out_off;
    if (in->inode == out->inode && from < to + c.left && to < from + c.left)
        return -LINUX_EINVAL;
    plat_block_begin(t->k->platform);
    int64_t r = copy_all(t, &c);
    plat_block_end(t->k->platform);
    if (r > 0 && ((a->v[1] && copy_out_obj(t, uaddr(a->v[1]), &c.in_off) < 0) ||
                  (a->v[3] && copy_out_obj(t, uaddr(a->v[3]), &c.out_off) < 0)))
        return -LINUX_EFAULT;
    return r < 0 ? write_error(t, r) : r;
}
