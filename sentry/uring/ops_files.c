// SPDX-License-Identifier: Apache-2.0
// Operations on open files. Each is the system call of the same meaning; its restart, its partial results and
// its errors are that one's.
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "abi/syscalls.h"
#include "base/cleanup.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/run/park.h"
#include "sentry/uring/uring.h"

#define NO_OFFSET UINT64_MAX

// ---- Reading and writing ----------------------------------------------------------------------------------
// A file that has no offsets is read where it stands, whatever the request says.
static bool at_position(const struct uring_req *q) {
    return q->sqe.off == NO_OFFSET || !(q->file->mode & FMODE_SEEK);
}

static int64_t vector(struct uring_req *q, bool write, uint64_t iov, uint32_t n) {
    uint64_t off = at_position(q) ? NO_OFFSET : q->sqe.off;
    if (off != NO_OFFSET && off > INT64_MAX)
        return -LINUX_EINVAL;
    return uring_call(q, write ? LINUX_NR_pwritev2 : LINUX_NR_preadv2, (uint64_t)q->sqe.fd, iov, n, off, 0,
                      q->sqe.op_flags);
}

// With RWF_* there is a call for vectors alone.
static int64_t one(struct uring_req *q, bool write, uint64_t addr, uint32_t len) {
    uint64_t fd = (uint64_t)q->sqe.fd;
    if (q->sqe.op_flags) {
        const uint64_t iov[2] = {addr, len};
        if (!q->vector)
            q->vector = worker_pretend(&q->w, iov, sizeof iov);
        else
            worker_write_back(&q->w, q->vector, iov, sizeof iov);
        return q->vector ? vector(q, write, q->vector, 1) : -LINUX_ENOMEM;
    }
    if (at_position(q))
        return uring_call(q, write ? LINUX_NR_write : LINUX_NR_read, fd, addr, len, 0, 0, 0);
    return uring_call(q, write ? LINUX_NR_pwrite64 : LINUX_NR_pread64, fd, addr, len, q->sqe.off, 0, 0);
}

int64_t uring_read(struct uring_req *q) {
    if (!q->has_buffer)
        return one(q, false, q->sqe.addr, q->sqe.len);
    uint32_t len = q->sqe.len && q->sqe.len < q->buffer.len ? q->sqe.len : q->buffer.len;
    return one(q, false, q->buffer.addr, len);
}
int64_t uring_write(struct uring_req *q) { return one(q, true, q->sqe.addr, q->sqe.len); }
int64_t uring_readv(struct uring_req *q) { return vector(q, false, q->sqe.addr, q->sqe.len); }
int64_t uring_writev(struct uring_req *q) { return vector(q, true, q->sqe.addr, q->sqe.len); }

static int64_t fixed(struct uring_req *q, bool write) {
    int err = uring_fixed_check(q->ring, q->sqe.buf_index, q->sqe.addr, q->sqe.len);
    return err < 0 ? err : one(q, write, q->sqe.addr, q->sqe.len);
}
int64_t uring_read_fixed(struct uring_req *q) { return fixed(q, false); }
int64_t uring_write_fixed(struct uring_req *q) { return fixed(q, true); }

// ---- Others -----------------------------------------------------------------------------------------------
int uring_prepare_no_buffer(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    return s->addr || s->buf_index || s->splice_fd_in ? -LINUX_EINVAL : 0;
}
int uring_prepare_fsync(struct uring_req *q) {
    return q->sqe.op_flags & ~LINUX_IORING_FSYNC_DATASYNC ? -LINUX_EINVAL : uring_prepare_no_buffer(q);
}
int64_t uring_fsync(struct uring_req *q) {
    unsigned nr = q->sqe.op_flags & LINUX_IORING_FSYNC_DATASYNC ? LINUX_NR_fdatasync : LINUX_NR_fsync;
    return uring_call(q, nr, (uint64_t)q->sqe.fd, 0, 0, 0, 0, 0);
}
int64_t uring_sync_file_range(struct uring_req *q) {
    return uring_call(q, LINUX_NR_sync_file_range, (uint64_t)q->sqe.fd, q->sqe.off, q->sqe.len,
                      q->sqe.op_flags, 0, 0);
}

int uring_prepare_fallocate(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    return s->op_flags || s->buf_index || s->splice_fd_in ? -LINUX_EINVAL : 0;
}
int64_t uring_fallocate(struct uring_req *q) {  // addr is the length, len the mode
    return uring_call(q, LINUX_NR_fallocate, (uint64_t)q->sqe.fd, q->sqe.len, q->sqe.off, q->sqe.addr, 0, 0);
}

int uring_prepare_fadvise(struct uring_req *q) {
    return q->sqe.buf_index || q->sqe.splice_fd_in ? -LINUX_EINVAL : 0;
}
int64_t uring_fadvise(struct uring_req *q) {
    uint64_t len = q->sqe.addr ? q->sqe.addr : q->sqe.len;
    return uring_call(q, LINUX_NR_fadvise64, (uint64_t)q->sqe.fd, q->sqe.off, len, q->sqe.op_flags, 0, 0);
}

int uring_prepare_close(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    if (s->flags & LINUX_IOSQE_FIXED_FILE)
        return -LINUX_EBADF;
    if (s->off || s->addr || s->len || s->op_flags || s->buf_index)
        return -LINUX_EINVAL;
    return s->splice_fd_in && s->fd ? -LINUX_EINVAL : 0;
}
int64_t uring_close(struct uring_req *q) {
    struct task *t = q->w.t;
    if (q->sqe.splice_fd_in) {
        struct fdtable *files = uring_files(q->ring);
        if (!files)
            return -LINUX_ENXIO;
        bool known = (uint32_t)q->sqe.splice_fd_in - 1 < __atomic_load_n(&q->ring->nfiles, __ATOMIC_RELAXED);
        int err = known ? fd_close(files, q->sqe.splice_fd_in - 1) : -LINUX_EINVAL;
        fdtable_put(files);
        return err;
    }
    if (!t->call.again) {  // one that waits (SO_LINGER) has closed it
        struct file *f cleanup_file = fd_get(t->files, q->sqe.fd);
        if (!f || uring_of(f))
            return -LINUX_EBADF;
    }
    return uring_call(q, LINUX_NR_close, (uint64_t)q->sqe.fd, 0, 0, 0, 0, 0);
}

int uring_prepare_files_update(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    if ((s->flags & (LINUX_IOSQE_FIXED_FILE | LINUX_IOSQE_BUFFER_SELECT)) || s->op_flags || s->splice_fd_in)
        return -LINUX_EINVAL;
    return s->len ? 0 : -LINUX_EINVAL;
}
int64_t uring_files_update_op(struct uring_req *q) {
    return uring_files_update(q->ring, q->w.t, (uint32_t)q->sqe.off, uaddr(q->sqe.addr), q->sqe.len);
}

int uring_prepare_epoll_ctl(struct uring_req *q) {
    return q->sqe.buf_index || q->sqe.splice_fd_in ? -LINUX_EINVAL : 0;
}
int64_t uring_epoll_ctl(struct uring_req *q) {  // off is the file, len what is to be done
    return uring_call(q, LINUX_NR_epoll_ctl, (uint64_t)q->sqe.fd, q->sqe.len, q->sqe.off, q->sqe.addr, 0, 0);
}

// ---- splice, tee ------------------------------------------------------------------------------------------
#define SPLICE_KNOWN (15u | LINUX_SPLICE_F_FD_IN_FIXED)  // SPLICE_F_MOVE ... SPLICE_F_GIFT

int uring_prepare_splice(struct uring_req *q) { return q->sqe.op_flags & ~SPLICE_KNOWN ? -LINUX_EINVAL : 0; }
int uring_prepare_tee(struct uring_req *q) {
    return q->sqe.addr || q->sqe.off ? -LINUX_EINVAL : uring_prepare_splice(q);
}

static struct file *one_of(struct uring_req *q, int fd, bool fixed) {
    struct fdtable *files = fixed ? uring_files(q->ring) : fdtable_get(q->w.t->files);
    struct file *f = files ? fd_get_io(files, fd) : NULL;
    if (files)
        fdtable_put(files);
    return f;
}

// Either may be a registered file: both are found in a table that has nothing else.
enum { TABLE_IN, TABLE_OUT };
static int two_files(struct uring_req *q) {
    struct file *in cleanup_file =
        one_of(q, q->sqe.splice_fd_in, q->sqe.op_flags & LINUX_SPLICE_F_FD_IN_FIXED);
    struct file *out cleanup_file = one_of(q, q->sqe.fd, q->sqe.flags & LINUX_IOSQE_FIXED_FILE);
    if (!in || !out)
        return -LINUX_EBADF;
    struct fdtable *files = fdtable_new();
    if (!files)
        return -LINUX_ENOMEM;
    int err = fd_install(files, in, TABLE_IN, FD_MAX, false);
    err = err < 0 ? err : fd_install(files, out, TABLE_OUT, FD_MAX, false);
    if (err < 0) {
        fdtable_put(files);
        return err;
    }
    task_set_files(q->w.t, files);
    return 0;
}

static uint64_t offset_at(struct uring_req *q, uint64_t off, int *err) {
    if (off == NO_OFFSET)
        return 0;
    uint64_t at = worker_pretend(&q->w, &off, sizeof off);
    *err = at ? *err : -LINUX_ENOMEM;
    return at;
}

int64_t uring_splice(struct uring_req *q) {
    int err = 0;
    unsigned flags = q->sqe.op_flags & ~LINUX_SPLICE_F_FD_IN_FIXED;
    if (!q->w.t->call.again) {
        err = two_files(q);
        q->sqe.addr = offset_at(q, q->sqe.addr, &err);
        q->sqe.off = offset_at(q, q->sqe.off, &err);
    }
    if (err < 0)
        return err;
    return uring_call(q, LINUX_NR_splice, TABLE_IN, q->sqe.addr, TABLE_OUT, q->sqe.off, q->sqe.len, flags);
}
int64_t uring_tee(struct uring_req *q) {
    unsigned flags = q->sqe.op_flags & ~LINUX_SPLICE_F_FD_IN_FIXED;
    int err = q->w.t->call.again ? 0 : two_files(q);
    return err < 0 ? err : uring_call(q, LINUX_NR_tee, TABLE_IN, TABLE_OUT, q->sqe.len, flags, 0, 0);
}
