// SPDX-License-Identifier: Apache-2.0
// Operations on names: openat openat2 statx renameat unlinkat mkdirat symlinkat linkat, extended attributes.
#include "abi/fcntl.h"
#include "abi/syscalls.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/uring/uring.h"

// A directory is no registered file.
int uring_prepare_path(struct uring_req *q) {
    if (q->sqe.flags & LINUX_IOSQE_FIXED_FILE)
        return -LINUX_EBADF;
    return q->sqe.buf_index || q->sqe.splice_fd_in ? -LINUX_EINVAL : 0;
}

// ---- Opening ----------------------------------------------------------------------------------------------
static int prepare_open(struct uring_req *q) {
    if (q->sqe.buf_index)
        return -LINUX_EINVAL;
    return q->sqe.flags & LINUX_IOSQE_FIXED_FILE ? -LINUX_EBADF : 0;
}
int uring_prepare_openat(struct uring_req *q) {
    int err = prepare_open(q);
    return err < 0 ? err : uring_place_check(q, q->sqe.op_flags & LINUX_O_CLOEXEC);
}
int64_t uring_openat(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    int64_t fd = uring_call(q, LINUX_NR_openat, (uint64_t)s->fd, s->addr, s->op_flags, s->len, 0, 0);
    return uring_place(q, fd);
}
int uring_prepare_openat2(struct uring_req *q) {
    uint64_t flags;
    int err = prepare_open(q);
    if (err < 0)
        return err;
    if (q->sqe.len < sizeof flags)
        return -LINUX_EINVAL;
    if (copy_in_obj(q->w.t, &flags, uaddr(q->sqe.off)) < 0)
        return -LINUX_EFAULT;
    return uring_place_check(q, flags & LINUX_O_CLOEXEC);
}
int64_t uring_openat2(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    return uring_place(q, uring_call(q, LINUX_NR_openat2, (uint64_t)s->fd, s->addr, s->off, s->len, 0, 0));
}

// ---- Names ------------------------------------------------------------------------------------------------
int64_t uring_statx(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    return uring_call(q, LINUX_NR_statx, (uint64_t)s->fd, s->addr, s->op_flags, s->len, s->off, 0);
}

int uring_prepare_rename(struct uring_req *q) { return uring_prepare_path(q); }
int64_t uring_renameat(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    return uring_call(q, LINUX_NR_renameat2, (uint64_t)s->fd, s->addr, s->len, s->off, s->op_flags, 0);
}
int64_t uring_linkat(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    return uring_call(q, LINUX_NR_linkat, (uint64_t)s->fd, s->addr, s->len, s->off, s->op_flags, 0);
}

int uring_prepare_unlink(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    if (s->off || s->len || (s->op_flags & ~LINUX_AT_REMOVEDIR))
        return -LINUX_EINVAL;
    return uring_prepare_path(q);
}
int64_t uring_unlinkat(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    return uring_call(q, LINUX_NR_unlinkat, (uint64_t)s->fd, s->addr, s->op_flags, 0, 0, 0);
}

int uring_prepare_mkdir(struct uring_req *q) {
    return q->sqe.off || q->sqe.op_flags ? -LINUX_EINVAL : uring_prepare_path(q);
}
int64_t uring_mkdirat(struct uring_req *q) {
    return uring_call(q, LINUX_NR_mkdirat, (uint64_t)q->sqe.fd, q->sqe.addr, q->sqe.len, 0, 0, 0);
}

int uring_prepare_symlink(struct uring_req *q) {
    return q->sqe.len || q->sqe.op_flags ? -LINUX_EINVAL : uring_prepare_path(q);
}
int64_t uring_symlinkat(struct uring_req *q) {  // addr is what it says, off its name
    return uring_call(q, LINUX_NR_symlinkat, q->sqe.addr, (uint64_t)q->sqe.fd, q->sqe.off, 0, 0, 0);
}

// ---- Extended attributes ----------------------------------------------------------------------------------
int uring_prepare_fxattr(struct uring_req *q) { return q->sqe.buf_index ? -LINUX_EINVAL : 0; }
int uring_prepare_xattr(struct uring_req *q) {
    return q->sqe.flags & LINUX_IOSQE_FIXED_FILE ? -LINUX_EBADF : uring_prepare_fxattr(q);
}
int64_t uring_fsetxattr(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    return uring_call(q, LINUX_NR_fsetxattr, (uint64_t)s->fd, s->addr, s->off, s->len, s->op_flags, 0);
}
int64_t uring_fgetxattr(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    if (s->op_flags)
        return -LINUX_EINVAL;
    return uring_call(q, LINUX_NR_fgetxattr, (uint64_t)s->fd, s->addr, s->off, s->len, 0, 0);
}
int64_t uring_setxattr(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    return uring_call(q, LINUX_NR_setxattr, s->addr3, s->addr, s->off, s->len, s->op_flags, 0);
}
int64_t uring_getxattr(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    if (s->op_flags)
        return -LINUX_EINVAL;
    return uring_call(q, LINUX_NR_getxattr, s->addr3, s->addr, s->off, s->len, 0, 0);
}
