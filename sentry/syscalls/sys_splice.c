// SPDX-License-Identifier: Apache-2.0
// splice tee vmsplice: as on Linux for what can be seen, but bytes are copied where Linux moves pages. What
// comes out of a pipe is looked at, written, and then taken, so that nothing is lost when the other side
// takes less.
// LIMIT: two that splice from one pipe at the same time may both pass on the same bytes; of a stream that is
// spliced into a pipe, bytes for which another writer has just taken the room are lost.
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "fs/pipe/pipe.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/run/park.h"
#include "sentry/syscalls/table.h"
#include "sentry/syscalls/write_result.h"
#include <stdlib.h>

#define CHUNK  65536u
// one call moves no more: a busy writer at the other end must not keep it going for ever
#define MOST   (64u * CHUNK)
#define AT_POS UINT64_MAX  // at the file's own offset
#define FLAGS  (LINUX_SPLICE_F_MOVE | LINUX_SPLICE_F_NONBLOCK | LINUX_SPLICE_F_MORE | LINUX_SPLICE_F_GIFT)

struct splice {
    struct file *in, *out;     // borrowed
    uint64_t in_off, out_off;  // AT_POS: the file's own
    uint64_t len;
    bool keep;                 // tee: what is read stays
    bool nonblock;             // SPLICE_F_NONBLOCK: pipes do not wait
    struct file *waits;        // borrowed: which side said EAGAIN, and for what
    uint32_t events;
};

static int64_t would_block(struct splice *s, struct file *f, uint32_t events) {
    s->waits = f;
    s->events = events;
    return -LINUX_EAGAIN;
}

static int64_t write_out(const struct vfs_ctx *ctx, struct splice *s, const char *buf, size_t n) {
    struct uio_kernel u;
    uio_kernel_init(&u, (void *)(uintptr_t)buf, n);
    int64_t w =
        s->out_off == AT_POS ? vfs_write(ctx, s->out, &u.u) : vfs_pwrite(ctx, s->out, &u.u, s->out_off);
    if (w > 0 && s->out_off != AT_POS)
        s->out_off += (uint64_t)w;
    return w == -LINUX_EAGAIN ? would_block(s, s->out, LINUX_POLLOUT) : w;
}

// `done` bytes into the call: tee looks behind those.
static int64_t from_pipe(const struct vfs_ctx *ctx, struct splice *s, char *buf, uint64_t done) {
    uint64_t mark, want = s->len - done < CHUNK ? s->len - done : CHUNK;
    int64_t n = pipe_peek(s->in, buf, want, s->keep ? done : 0, &mark);
    if (n == -LINUX_EAGAIN)
        return would_block(s, s->in, LINUX_POLLIN);
    int64_t w = n > 0 ? write_out(ctx, s, buf, (size_t)n) : n;
    if (w > 0 && !s->keep)
        pipe_consume(s->in, (size_t)w, mark);
    return w;
}

static int64_t into_pipe(const struct vfs_ctx *ctx, struct splice *s, char *buf, uint64_t done) {
    int64_t room = pipe_room(s->out);
    if (room == -LINUX_EAGAIN)
        return would_block(s, s->out, LINUX_POLLOUT);
    if (room < 0)
        return room;
    uint64_t want = s->len - done < CHUNK ? s->len - done : CHUNK;
    struct uio_kernel u;
    uio_kernel_init(&u, buf, want < (uint64_t)room ? want : (uint64_t)room);
    uint64_t at = s->in_off;
    bool seek = s->in->mode & FMODE_SEEK;
    if (seek && at == AT_POS)
        at = (uint64_t)vfs_llseek(s->in, 0, LINUX_SEEK_CUR);
    int64_t n = seek ? vfs_pread(s->in, &u.u, at) : vfs_read(s->in, &u.u);
    if (n == -LINUX_EAGAIN)
        return would_block(s, s->in, LINUX_POLLIN);
    int64_t w = n > 0 ? write_out(ctx, s, buf, (size_t)n) : n;
    if (w > 0 && s->in_off != AT_POS)
        s->in_off += (uint64_t)w;
    else if (w > 0 && seek)
        vfs_llseek(s->in, (int64_t)at + w, LINUX_SEEK_SET);
    return w;
}

// Moves what is there, as far as there is room, until a signal comes; waits only while nothing has gone.
static int64_t run(struct task *t, struct splice *s) {
    TASK_VFS_CTX(t, ctx);
    bool out_of_pipe = file_is_pipe(s->in);
    uint64_t done = 0;
    int64_t n;
    char *buf = malloc(CHUNK);
    if (!buf)
        return -LINUX_ENOMEM;
    do {
        n = out_of_pipe ? from_pipe(&ctx, s, buf, done) : into_pipe(&ctx, s, buf, done);
        done += n > 0 ? (uint64_t)n : 0;
    } while (n > 0 && done < s->len && done < MOST && !task_interrupted(t));
    free(buf);
    if (n == -LINUX_EAGAIN && !done && !s->nonblock)
        return park_file_result(t, s->waits, s->events, n);
    return write_result(t, s->out, (int64_t)done, n);
}

// An offset that was given: not for pipes and streams, and not negative.
static int64_t read_offset(struct task *t, uaddr_t addr, uint64_t *off) {
    *off = AT_POS;
    if (uaddr_is_null(addr))
        return 0;
    return copy_in_obj(t, off, addr) < 0 ? -LINUX_EFAULT : 0;
}
static int64_t check_offset(const struct file *f, uaddr_t addr, uint64_t off) {
    return !uaddr_is_null(addr) && (!(f->mode & FMODE_SEEK) || (int64_t)off < 0) ? -LINUX_EINVAL : 0;
}
// Both are read before either is looked at.
static int64_t read_offsets(struct task *t, struct splice *s, const struct sysargs *a) {
    uaddr_t in = arg_ptr(a, 1), out = arg_ptr(a, 3);
    if ((file_is_pipe(s->in) && !uaddr_is_null(in)) || (file_is_pipe(s->out) && !uaddr_is_null(out)))
        return -LINUX_ESPIPE;
    int64_t r = read_offset(t, out, &s->out_off);
    if (r == 0)
        r = read_offset(t, in, &s->in_off);
    if (r == 0)
        r = check_offset(s->in, in, s->in_off);
    return r < 0 ? r : check_offset(s->out, out, s->out_off);
}

static int64_t check(const struct splice *s) {
    if (!(s->in->mode & FMODE_READ) || !(s->out->mode & FMODE_WRITE))
        return -LINUX_EBADF;
    bool from = file_is_pipe(s->in), to = file_is_pipe(s->out);
    if (!from && !to)
        return -LINUX_EINVAL;
    if ((from && to && s->in->inode == s->out->inode) || !file_splices(s->in) || !file_splices(s->out))
        return -LINUX_EINVAL;
    return !to && (atomic_load(&s->out->flags) & LINUX_O_APPEND) ? -LINUX_EINVAL : 0;
}

// A range of a file that ends behind the largest offset is refused before anything else is known of it.
static bool past_end(const struct splice *s, struct file *f, uint64_t off) {
    uint64_t at = 0;  // of a stream
    if (file_is_pipe(f))
        return false;
    if (f->mode & FMODE_SEEK)
        at = off == AT_POS ? (uint64_t)vfs_pos(f) : off;
    return s->len > INT64_MAX - at;
}

int64_t sys_splice(struct task *t, const struct sysargs *a) {
    if (!arg_size(a, 4))
        return 0;
    if (arg_u32(a, 5) & ~(unsigned)FLAGS)
        return -LINUX_EINVAL;
    struct file *in cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    struct file *out cleanup_file = fd_get_io(t->files, arg_int(a, 2));
    if (!in || !out)
        return -LINUX_EBADF;
    struct splice s = {
        .in = in, .out = out, .len = arg_size(a, 4), .nonblock = arg_u32(a, 5) & LINUX_SPLICE_F_NONBLOCK};
    int64_t r = read_offsets(t, &s, a);
    if (r < 0)
        return r;
    r = check(&s);
    if (r < 0)
        return r;
    if (past_end(&s, in, s.in_off) || past_end(&s, out, s.out_off))
        return -LINUX_EINVAL;
    r = run(t, &s);
    if (r > 0 &&
        ((copy_out_opt(t, arg_ptr(a, 1), &s.in_off) < 0) || (copy_out_opt(t, arg_ptr(a, 3), &s.out_off) < 0)))
        return -LINUX_EFAULT;
    return r;
}

int64_t sys_tee(struct task *t, const struct sysargs *a) {
    if (arg_u32(a, 3) & ~(unsigned)FLAGS)
        return -LINUX_EINVAL;
    if (!arg_size(a, 2))
        return 0;
    struct file *in cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    struct file *out cleanup_file = fd_get_io(t->files, arg_int(a, 1));
    if (!in || !out)
        return -LINUX_EBADF;
    struct splice s = {
        .in = in, .out = out, .in_off = AT_POS, .out_off = AT_POS, .len = arg_size(a, 2), .keep = true};
    s.nonblock = arg_u32(a, 3) & LINUX_SPLICE_F_NONBLOCK;
    int64_t r = check(&s);
    if (r < 0)
        return r;
    return file_is_pipe(in) && file_is_pipe(out) ? run(t, &s) : -LINUX_EINVAL;
}

int64_t sys_vmsplice(struct task *t, const struct sysargs *a) {
    if (arg_u32(a, 3) & ~(unsigned)FLAGS)
        return -LINUX_EINVAL;
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f || !(f->mode & (FMODE_READ | FMODE_WRITE)))
        return -LINUX_EBADF;
    bool write = f->mode & FMODE_WRITE;
    struct uio_user u;
    int64_t r = uio_user_iov(&u, t, arg_ptr(a, 1), arg_u32(a, 2));
    if (r < 0)
        return r;
    if (u.u.left && !file_is_pipe(f)) {  // told last, and not when there is nothing to move
        uio_user_done(&u);
        return -LINUX_EBADF;
    }
    TASK_VFS_CTX(t, ctx);
    if (u.u.left)
        r = write ? vfs_write(&ctx, f, &u.u) : vfs_read(f, &u.u);
    uio_user_done(&u);
    if (r == -LINUX_EAGAIN && !(arg_u32(a, 3) & LINUX_SPLICE_F_NONBLOCK))
        return park_file_result(t, f, write ? LINUX_POLLOUT : LINUX_POLLIN, r);
    return r < 0 && write ? write_result(t, f, 0, r) : r;
}
