// SPDX-License-Identifier: Apache-2.0
// Moving bytes: read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek readahead
// fadvise64 cachestat. Decodes, runs the VFS call, and waits where the file would block.
//
// A blocking write to a pipe or terminal may be done in pieces: call.done counts what went before, so that a
// rerun goes on behind it. read(2) of a regular file costs here: one look-up, one host preadv2, one host
// copy.
#include "abi/fileattr.h"
#include "abi/poll.h"
#include "abi/stat.h"
#include "abi/uio.h"
#include "fs/fuse/ask.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/run/park.h"
#include "sentry/signal/signal.h"
#include "sentry/syscalls/disk.h"
#include "sentry/syscalls/table.h"
#include "sentry/syscalls/write_result.h"

#define AT_POS    UINT64_MAX  // at the file's own offset
#define LAST_PAGE (UINT64_MAX / GUEST_PAGE_SIZE)

// For calls on one file: a rerun goes on with the file that it has waited for, whatever its number names now.
static struct file *get_io(struct task *t, int fd, unsigned mode) {
    struct file *f = park_file(t);
    return f ? file_get(f) : fd_get_mode(t->files, fd, mode);
}

// A call with an offset says ESPIPE of a stream before it looks at anything else: how that is open, or what
// it was given.
static bool is_stream(const struct file *f, uint64_t off) { return off != AT_POS && !(f->mode & FMODE_SEEK); }

// Why there is none that is open in this way.
static int64_t no_io(struct task *t, int fd, uint64_t off) {
    struct file *f cleanup_file = off == AT_POS ? NULL : fd_get_io(t->files, fd);
    return f && is_stream(f, off) ? -LINUX_ESPIPE : -LINUX_EBADF;
}

// A read of a terminal that would block (VMIN, VTIME): when its time is up, or a signal comes, what is there
// is enough.
static int64_t read_patiently(struct task *t, struct file *f, struct uio *u) {
    if (atomic_load(&f->flags) & LINUX_O_NONBLOCK)
        return -LINUX_EAGAIN;
    park_deadline_move(t, f->ops->read_deadline(f, t->call.deadline));
    int64_t r = park_file_result(t, f, LINUX_POLLIN, -LINUX_EAGAIN);
    bool interrupted = r == -LINUX_ERESTARTSYS;
    if (!interrupted && r != -LINUX_EAGAIN)
        return r;
    u->flags |= UIO_ENOUGH;
    int64_t n = vfs_read(f, u);
    return interrupted && n <= 0 ? r : n;
}

static int64_t read_at(struct file *f, struct uio *u, uint64_t off) {
    return off == AT_POS ? vfs_read(f, u) : vfs_pread(f, u, off);
}
// A regular file. What is in memory is read here and now; the rest is fetched, or somebody else listens
// meanwhile.
static int64_t read_regular(struct task *t, struct file *f, struct uio *u, uint64_t off) {
    int flags = u->flags;
    u->flags |= flags & LINUX_RWF_NOWAIT ? 0 : UIO_AT_ONCE;
    int64_t r = read_at(f, u, off);
    u->flags = flags;
    bool untold = r == -LINUX_EOPNOTSUPP;  // the host does not say: a file system like its tmpfs
    if ((r != -LINUX_EAGAIN && !untold) || (flags & LINUX_RWF_NOWAIT) || fuse_is_file(f))
        return r;
    r = untold ? 0 : disk_fetch(t, f, off == AT_POS ? (uint64_t)vfs_pos(f) : off, u->left);
    if (r)
        return r;
    plat_block_begin(t->k->platform);
    r = read_at(f, u, off);
    plat_block_end(t->k->platform);
    return r;
}
static int64_t do_read(struct task *t, struct file *f, struct uio *u, uint64_t off) {
    int64_t r = inode_is_reg(f->inode) ? read_regular(t, f, u, off) : read_at(f, u, off);
    if (u->flags & LINUX_RWF_NOWAIT)
        return r;
    if (r == -LINUX_EAGAIN && f->ops->read_deadline)
        return read_patiently(t, f, u);
    return park_file_result(t, f, LINUX_POLLIN, r);
}

static int64_t write_at(struct task *t, struct file *f, struct uio *u, uint64_t off) {
    TASK_VFS_CTX(t, ctx);
    bool waits = vfs_writes_through(f, u->flags);
    if (waits)
        plat_block_begin(t->k->platform);
    int64_t r = off == AT_POS ? vfs_write(&ctx, f, u) : vfs_pwrite(&ctx, f, u, off + (uint64_t)t->call.done);
    if (waits)
        plat_block_end(t->k->platform);
    return r;
}
// u stands behind what earlier runs of this call have written (call.done).
static int64_t do_write(struct task *t, struct file *f, struct uio *u, uint64_t off) {
    struct call *c = &t->call;
    bool nowait = u->flags & LINUX_RWF_NOWAIT;
    bool blocking = !nowait && !(atomic_load(&f->flags) & LINUX_O_NONBLOCK) && !inode_is_reg(f->inode);
    int64_t r;
    do {
        r = write_at(t, f, u, off);
        if (r > 0)
            c->done += r;
    } while (r > 0 && blocking && u->left > 0 && !signal_dying(t));
    if (r >= 0)
        return c->done;
    if (r == -LINUX_EAGAIN && !nowait)
        r = park_file_result(t, f, LINUX_POLLOUT, r);
    if (r == SYS_PARK || r == SYS_AGAIN)
        return r;
    bool quiet = r == -LINUX_EPIPE && (u->flags & LINUX_RWF_NOSIGNAL);
    if (quiet)
        return c->done ? c->done : r;
    return write_result(t, f, c->done, r);
}

static int64_t rw_buf(struct task *t, const struct sysargs *a, bool write, uint64_t off) {
    struct file *f cleanup_file = get_io(t, arg_int(a, 0), write ? FMODE_WRITE : FMODE_READ);
    if (!f)
        return no_io(t, arg_int(a, 0), off);
    if (is_stream(f, off))
        return -LINUX_ESPIPE;
    struct uio_user u;
    int err = uio_user_buf(&u, t, arg_ptr(a, 1), arg_size(a, 2));
    if (err < 0)
        return err;
    // Bytes that go with the answer are all copied or none: where they may have no place, it is done here,
    // and is short.
    u.answer = !write && mm_may_write(t->mm, arg_ptr(a, 1).v, arg_size(a, 2));
    uio_user_skip(&u, (uint64_t)t->call.done);
    int64_t r = write ? do_write(t, f, &u.u, off) : do_read(t, f, &u.u, off);
    uio_user_done(&u);
    return r;
}

// RWF_* as Linux takes them. A regular file knows RWF_NOWAIT when it may lie on a disk, and only for reading,
// as on ext4; what has no disk behind it, tmpfs and /proc, knows none.
int rwf_check(const struct file *f, int flags, bool write) {
    const int known = LINUX_RWF_HIPRI | LINUX_RWF_DSYNC | LINUX_RWF_SYNC | LINUX_RWF_NOWAIT |
                      LINUX_RWF_APPEND | LINUX_RWF_NOAPPEND | LINUX_RWF_NOSIGNAL;
    if (flags & ~known)
        return -LINUX_EOPNOTSUPP;
    if ((flags & LINUX_RWF_NOWAIT) && inode_is_reg(f->inode)) {
        uint64_t magic = f->inode->sb->magic;
        if (write || (magic != LINUX_OVERLAYFS_SUPER_MAGIC && magic != LINUX_V9FS_MAGIC))
            return -LINUX_EOPNOTSUPP;
    }
    if ((flags & LINUX_RWF_NOAPPEND) && (atomic_load(&f->inode->flags) & LINUX_FS_APPEND_FL))
        return -LINUX_EPERM;
    return (flags & LINUX_RWF_APPEND) && (flags & LINUX_RWF_NOAPPEND) ? -LINUX_EINVAL : 0;
}

// Of a vector in all: nothing to move is done, whatever the object would say to it; then the last offset;
// then the flags. 0: go on.
static int check_vec(const struct file *f, const struct uio *u, bool write, uint64_t off, int flags) {
    if (!inode_is_dir(f->inode) && !(write ? (void *)f->ops->write : (void *)f->ops->read))
        return -LINUX_EINVAL;
    if (off != AT_POS && off + u->left > INT64_MAX)
        return -LINUX_EINVAL;
    return rwf_check(f, flags, write);
}

static int64_t rw_vec(struct task *t, const struct sysargs *a, bool write, uint64_t off, int flags) {
    struct file *f cleanup_file = get_io(t, arg_int(a, 0), write ? FMODE_WRITE : FMODE_READ);
    if (!f)
        return no_io(t, arg_int(a, 0), off);
    if (is_stream(f, off))
        return -LINUX_ESPIPE;
    struct uio_user u;
    int err = uio_user_iov(&u, t, arg_ptr(a, 1), arg_u32(a, 2));
    if (err < 0)
        return err;
    err = u.u.left ? check_vec(f, &u.u, write, off, flags) : 0;
    if (err || !u.u.left) {
        uio_user_done(&u);
        return err;
    }
    u.u.flags = flags;
    uio_user_skip(&u, (uint64_t)t->call.done);
    int64_t r = write ? do_write(t, f, &u.u, off) : do_read(t, f, &u.u, off);
    uio_user_done(&u);
    return r;
}

// Those with an explicit offset, which is not negative; or, where AT_POS is allowed, -1.
static int64_t prw_buf(struct task *t, const struct sysargs *a, bool write) {
    return arg_off(a, 3) < 0 ? -LINUX_EINVAL : rw_buf(t, a, write, (uint64_t)arg_off(a, 3));
}
static int64_t prw_vec(struct task *t, const struct sysargs *a, bool write, int64_t least, int flags) {
    return arg_off(a, 3) < least ? -LINUX_EINVAL : rw_vec(t, a, write, (uint64_t)arg_off(a, 3), flags);
}

int64_t sys_read(struct task *t, const struct sysargs *a) { return rw_buf(t, a, false, AT_POS); }
int64_t sys_write(struct task *t, const struct sysargs *a) { return rw_buf(t, a, true, AT_POS); }
int64_t sys_readv(struct task *t, const struct sysargs *a) { return rw_vec(t, a, false, AT_POS, 0); }
int64_t sys_writev(struct task *t, const struct sysargs *a) { return rw_vec(t, a, true, AT_POS, 0); }
int64_t sys_pread64(struct task *t, const struct sysargs *a) { return prw_buf(t, a, false); }
int64_t sys_pwrite64(struct task *t, const struct sysargs *a) { return prw_buf(t, a, true); }
int64_t sys_preadv(struct task *t, const struct sysargs *a) { return prw_vec(t, a, false, 0, 0); }
int64_t sys_pwritev(struct task *t, const struct sysargs *a) { return prw_vec(t, a, true, 0, 0); }
// Offset -1: the file's own, as readv.
int64_t sys_preadv2(struct task *t, const struct sysargs *a) {
    return prw_vec(t, a, false, -1, arg_int(a, 5));
}
int64_t sys_pwritev2(struct task *t, const struct sysargs *a) {
    return prw_vec(t, a, true, -1, arg_int(a, 5));
}

int64_t sys_lseek(struct task *t, const struct sysargs *a) {
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    return f ? vfs_llseek(f, arg_off(a, 1), arg_int(a, 2)) : -LINUX_EBADF;
}

int64_t sys_readahead(struct task *t, const struct sysargs *a) {
    struct file *f cleanup_file = fd_get_mode(t->files, arg_int(a, 0), FMODE_READ);
    if (!f)
        return -LINUX_EBADF;
    return inode_type(f->inode) == LINUX_S_IFREG && arg_off(a, 2) >= 0 ? 0 : -LINUX_EINVAL;
}

int64_t sys_fadvise64(struct task *t, const struct sysargs *a) {
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    if (inode_type(f->inode) == LINUX_S_IFIFO)
        return -LINUX_ESPIPE;
    return arg_u32(a, 3) > LINUX_POSIX_FADV_NOREUSE || arg_off(a, 2) < 0 ? -LINUX_EINVAL : 0;
}

// LIMIT: cachestat tells of files in memory; of the host's files it is EPERM.
int64_t sys_cachestat(struct task *t, const struct sysargs *a) {
    struct linux_cachestat_range r;
    struct linux_cachestat s = {0};
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    if (copy_in_obj(t, &r, arg_ptr(a, 1)) < 0)
        return -LINUX_EFAULT;
    uint64_t last = r.len ? (r.off + r.len - 1) / GUEST_PAGE_SIZE : LAST_PAGE;
    TASK_VFS_CTX(t, ctx);
    int err = vfs_cached_pages(&ctx, f, page_down(r.off),
                               last < LAST_PAGE ? (last + 1) * GUEST_PAGE_SIZE : UINT64_MAX, &s.nr_cache);
    if (err < 0)
        return err;
    if (arg_u32(a, 3))
        return -LINUX_EINVAL;
    return copy_out_obj(t, arg_ptr(a, 2), &s);
}
