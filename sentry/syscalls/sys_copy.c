// SPDX-License-Identifier: Apache-2.0
// From file to file: sendfile copy_file_range. A call moves as much as the guest asks for, up to 2 GiB, so it
// is done in slices: between two chunks a signal ends it (what has gone counts, as on Linux), between two
// slices everybody else comes first. What it needs lives in call.own from its first run to its end, with the
// files that it began with.
#include "abi/poll.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "fs/fuse/ask.h"
#include "fs/hostfd.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/run/fuse_wait.h"
#include "sentry/run/park.h"
#include "sentry/syscalls/table.h"
#include "sentry/syscalls/write_result.h"
#include <stdlib.h>

#define COPY_CHUNK 65536u
#define COPY_SLICE (64 * COPY_CHUNK)  // 4 MiB: some 2 ms
#define MAX_RW     0x7ffff000u        // one call moves no more, read(2)
#define AT_POS     UINT64_MAX         // at the file's own offset

struct copy {
    struct file *in, *out;     // owned
    uint64_t in_off, out_off;  // AT_POS: the file's own
    uint64_t left;
    bool tells;                // sendfile: the offset is written back also when nothing went, or failed
    char buf[COPY_CHUNK];
};

static void copy_end(struct task *t) {
    struct copy *c = take_ptr(t->call.own.copy);
    file_cleanup(&c->in);
    file_cleanup(&c->out);
    free(c);
}

// From now on the call's end gives it back. NULL: no memory.
static struct copy *copy_begin(struct task *t) {
    struct copy *c = znew(struct copy);
    if (!c)
        return NULL;
    t->call.own.copy = c;
    t->call.cleanup = copy_end;
    return c;
}

static uint64_t place(struct file *f, uint64_t off) { return off == AT_POS ? (uint64_t)vfs_pos(f) : off; }

// Reads a chunk and writes it; what the other side does not take is put back by not advancing. Bytes or
// error.
static int64_t copy_chunk(const struct vfs_ctx *ctx, struct copy *c) {
    struct uio_kernel u;
    uio_kernel_init(&u, c->buf, c->left < COPY_CHUNK ? c->left : COPY_CHUNK);
    uint64_t at = place(c->in, c->in_off);
    int64_t n = vfs_pread(c->in, &u.u, at);
    if (n <= 0)
        return n;
    uio_kernel_init(&u, c->buf, (size_t)n);
    int64_t w =
        c->out_off == AT_POS ? vfs_write(ctx, c->out, &u.u) : vfs_pwrite(ctx, c->out, &u.u, c->out_off);
    if (w <= 0)
        return w;
    if (c->in_off != AT_POS)
        c->in_off += (uint64_t)w;
    else
        vfs_llseek(c->in, (int64_t)at + w, LINUX_SEEK_SET);
    if (c->out_off != AT_POS)
        c->out_off += (uint64_t)w;
    c->left -= (uint64_t)w;
    return w;
}

// Until the slice is used up, a signal, the end, or an error: what the last chunk said.
static int64_t copy_slice(struct task *t, struct copy *c) {
    TASK_VFS_CTX(t, ctx);
    int64_t n, end = t->call.done + COPY_SLICE;
    plat_block_begin(t->k->platform);  // for a disk, or for 2 ms of copying
    do {
        n = c->left ? copy_chunk(&ctx, c) : 0;
        if (n > 0)
            fuse_step(t);
        t->call.done += n > 0 ? n : 0;
    } while (n > 0 && t->call.done < end && !task_interrupted(t));
    plat_block_end(t->k->platform);
    return n;
}

// in_addr, out_addr: where the offsets go that the caller gave, or NULL.
static int64_t copy_run(struct task *t, struct copy *c, uaddr_t in_addr, uaddr_t out_addr) {
    park_yielded(t);
    int64_t n = copy_slice(t, c);
    if (n > 0 && c->left && !task_interrupted(t))
        return park_yield(t);
    if (n == FS_WAIT) {
        t->call.again = true;  // the copy is begun, and goes on where it is
        return n;
    }
    if (n == -LINUX_EAGAIN)
        n = park_file_result(t, c->out, LINUX_POLLOUT, n);
    if (n == SYS_PARK || n == SYS_AGAIN)
        return n;
    if ((t->call.done || c->tells) &&
        ((!uaddr_is_null(in_addr) && copy_out_obj(t, in_addr, &c->in_off) < 0) ||
         (!uaddr_is_null(out_addr) && copy_out_obj(t, out_addr, &c->out_off) < 0)))
        return -LINUX_EFAULT;
    return write_result(t, c->out, t->call.done, n);
}

static int64_t offset(struct task *t, uaddr_t addr, uint64_t *off) {
    *off = AT_POS;
    return uaddr_is_null(addr) || copy_in_obj(t, off, addr) == 0 ? 0 : -LINUX_EFAULT;
}

// Of `n` bytes from there on the last must have an offset, even before it is told that the first has none.
static int64_t check_offset(uaddr_t addr, uint64_t n, uint64_t off) {
    if (uaddr_is_null(addr))
        return 0;
    if (off + n < off)
        return -LINUX_EOVERFLOW;
    return (int64_t)off < 0 ? -LINUX_EINVAL : 0;
}

static int64_t sendfile_check(struct task *t, struct copy *c, const struct sysargs *a) {
    uaddr_t at = arg_ptr(a, 2);
    uint64_t n = arg_size(a, 3);
    c->in_off = c->out_off = AT_POS;
    if (!uaddr_is_null(at) && copy_in_obj(t, &c->in_off, at) < 0)
        return -LINUX_EFAULT;
    if (!(c->in = fd_get_mode(t->files, arg_int(a, 1), FMODE_READ)))
        return -LINUX_EBADF;
    bool seek = c->in->mode & FMODE_SEEK;
    if (!uaddr_is_null(at) && !seek)
        return -LINUX_ESPIPE;
    if (n > INT64_MAX || (!uaddr_is_null(at) && (int64_t)c->in_off < 0))
        return -LINUX_EINVAL;
    if (!(c->out = fd_get_mode(t->files, arg_int(a, 0), FMODE_WRITE)))
        return -LINUX_EBADF;
    if (!seek || !file_splices(c->in) || (n && !file_splices(c->out)) || inode_is_dir(c->in->inode) ||
        (atomic_load(&c->out->flags) & LINUX_O_APPEND))
        return -LINUX_EINVAL;
    c->left = n < MAX_RW ? n : MAX_RW;
    c->tells = true;
    return 0;
}

int64_t sys_sendfile(struct task *t, const struct sysargs *a) {
    struct copy *c = t->call.own.copy;
    if (c)
        return copy_run(t, c, arg_ptr(a, 2), UADDR_NULL);
    c = copy_begin(t);
    int64_t err = c ? sendfile_check(t, c, a) : -LINUX_ENOMEM;
    return err < 0 ? err : copy_run(t, c, arg_ptr(a, 2), UADDR_NULL);
}

static bool same_file(const struct file *a, const struct file *b) {
    return a->inode == b->inode || (a->inode->sb == b->inode->sb && a->inode->attr.ino == b->inode->attr.ino);
}

// No further than the end as it is now, and not onto itself.
static int64_t range_check(struct copy *c) {
    struct vfs_attr attr;
    int err = vfs_getattr(&c->in->path, &attr);
    if (err < 0)
        return err;
    uint64_t from = place(c->in, c->in_off), to = place(c->out, c->out_off);
    if (to >= INT64_MAX)
        return -LINUX_EFBIG;
    uint64_t rest = from < attr.size ? attr.size - from : 0;
    rest = rest < INT64_MAX - to ? rest : INT64_MAX - to;
    c->left = c->left < rest ? c->left : rest;
    return same_file(c->in, c->out) && from < to + c->left && to < from + c->left ? -LINUX_EINVAL : 0;
}

// Since Linux 5.19: within one file system, or between two of a kind that can (disks, here). Which of the
// host's file systems a descriptor is on that was handed in is not known inside.
static bool across(const struct file *a, const struct file *b) {
    if (hostfd_is(a) || hostfd_is(b))
        return false;
    uint64_t magic = a->inode->sb->magic;
    bool can = magic == LINUX_OVERLAYFS_SUPER_MAGIC || magic == LINUX_V9FS_MAGIC;
    return a->inode->sb != b->inode->sb && !(can && b->inode->sb->magic == magic);
}

static int64_t range_files(const struct copy *c) {
    if (inode_is_dir(c->in->inode) || inode_is_dir(c->out->inode))
        return -LINUX_EISDIR;
    if (!file_splices(c->in) || !file_splices(c->out) || !inode_is_reg(c->in->inode) ||
        !inode_is_reg(c->out->inode))
        return -LINUX_EINVAL;
    if (!(c->in->mode & FMODE_READ) || !(c->out->mode & FMODE_WRITE) ||
        (atomic_load(&c->out->flags) & LINUX_O_APPEND))
        return -LINUX_EBADF;
    return across(c->in, c->out) ? -LINUX_EXDEV : 0;
}

static int64_t range_begin(struct task *t, struct copy *c, const struct sysargs *a) {
    uint64_t n = arg_size(a, 4);
    c->in = fd_get_io(t->files, arg_int(a, 0));
    c->out = fd_get_io(t->files, arg_int(a, 2));
    c->left = n < MAX_RW ? n : MAX_RW;
    if (!c->in || !c->out)
        return -LINUX_EBADF;
    if (offset(t, arg_ptr(a, 1), &c->in_off) < 0 || offset(t, arg_ptr(a, 3), &c->out_off) < 0)
        return -LINUX_EFAULT;
    int64_t err = arg_u32(a, 5) ? -LINUX_EINVAL : range_files(c);
    if (err == 0)
        err = check_offset(arg_ptr(a, 1), n, c->in_off);
    if (err == 0)
        err = check_offset(arg_ptr(a, 3), n, c->out_off);
    return err < 0 ? err : range_check(c);
}

int64_t sys_copy_file_range(struct task *t, const struct sysargs *a) {
    struct copy *c = t->call.own.copy;
    if (c)
        return copy_run(t, c, arg_ptr(a, 1), arg_ptr(a, 3));
    c = copy_begin(t);
    int64_t err = c ? range_begin(t, c, a) : -LINUX_ENOMEM;
    return err < 0 ? err : copy_run(t, c, arg_ptr(a, 1), arg_ptr(a, 3));
}
