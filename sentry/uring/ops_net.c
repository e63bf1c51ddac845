// SPDX-License-Identifier: Apache-2.0
// Operations on sockets. None of them sends SIGPIPE, as on Linux.
// LIMIT: io_uring: RECVMSG chooses no buffers, so it has no multishot; SEND_ZC and SENDMSG_ZC are EINVAL.
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "abi/socket.h"
#include "abi/syscalls.h"
#include "sentry/kernel.h"
#include "sentry/uring/uring.h"

// ---- Messages ---------------------------------------------------------------------------------------------
int uring_prepare_msg(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    return s->off || s->splice_fd_in || (s->ioprio & ~LINUX_IORING_RECVSEND_POLL_FIRST) ? -LINUX_EINVAL : 0;
}
static int64_t message(struct uring_req *q, unsigned nr, unsigned flags) {
    return uring_call(q, nr, (uint64_t)q->sqe.fd, q->sqe.addr, q->sqe.op_flags | flags, 0, 0, 0);
}
int64_t uring_sendmsg(struct uring_req *q) { return message(q, LINUX_NR_sendmsg, LINUX_MSG_NOSIGNAL); }
int64_t uring_recvmsg(struct uring_req *q) { return message(q, LINUX_NR_recvmsg, 0); }

int uring_prepare_sendrecv(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    bool recv = s->opcode == LINUX_IORING_OP_RECV, multi = s->ioprio & LINUX_IORING_RECV_MULTISHOT;
    if (s->ioprio & ~(LINUX_IORING_RECVSEND_POLL_FIRST | (recv ? LINUX_IORING_RECV_MULTISHOT : 0)))
        return -LINUX_EINVAL;
    if (recv && (s->off || s->splice_fd_in))
        return -LINUX_EINVAL;
    if (multi && (!(s->flags & LINUX_IOSQE_BUFFER_SELECT) || s->len || (s->op_flags & LINUX_MSG_WAITALL)))
        return -LINUX_EINVAL;
    return 0;
}
int64_t uring_send(struct uring_req *q) {  // addr_len is the low half of splice_fd_in
    const struct linux_io_uring_sqe *s = &q->sqe;
    return uring_call(q, LINUX_NR_sendto, (uint64_t)s->fd, s->addr, s->len, s->op_flags | LINUX_MSG_NOSIGNAL,
                      s->off, s->off ? (uint16_t)s->splice_fd_in : 0);
}
int64_t uring_recv(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    uint64_t addr = q->has_buffer ? q->buffer.addr : s->addr;
    uint32_t len = s->len;
    if (q->has_buffer && (!len || len > q->buffer.len))
        len = q->buffer.len;
    int64_t r = uring_call(q, LINUX_NR_recvfrom, (uint64_t)s->fd, addr, len, s->op_flags, 0, 0);
    q->more = (s->ioprio & LINUX_IORING_RECV_MULTISHOT) && r > 0;
    if (r == 0)
        uring_buffer_give_back(q);
    return r;
}

// ---- Connections ------------------------------------------------------------------------------------------
int uring_prepare_accept(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    bool multi = s->ioprio & LINUX_IORING_ACCEPT_MULTISHOT;
    uint32_t index = (uint32_t)s->splice_fd_in;
    if (s->len || s->buf_index || (s->ioprio & ~LINUX_IORING_ACCEPT_MULTISHOT))
        return -LINUX_EINVAL;
    if (s->op_flags & ~(unsigned)(LINUX_SOCK_CLOEXEC | LINUX_SOCK_NONBLOCK))
        return -LINUX_EINVAL;
    if (multi && index && index != LINUX_IORING_FILE_INDEX_ALLOC)
        return -LINUX_EINVAL;
    return uring_place_check(q, s->op_flags & LINUX_SOCK_CLOEXEC);
}
int64_t uring_accept(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    int64_t r = uring_call(q, LINUX_NR_accept4, (uint64_t)s->fd, s->addr, s->off, s->op_flags, 0, 0);
    r = uring_place(q, r);
    q->more = (s->ioprio & LINUX_IORING_ACCEPT_MULTISHOT) && r >= 0;
    return r;
}

int uring_prepare_connect(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    return s->len || s->buf_index || s->op_flags || s->splice_fd_in ? -LINUX_EINVAL : 0;
}
int64_t uring_connect(struct uring_req *q) {
    return uring_call(q, LINUX_NR_connect, (uint64_t)q->sqe.fd, q->sqe.addr, q->sqe.off, 0, 0, 0);
}

int uring_prepare_shutdown(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    return s->off || s->addr || s->op_flags || s->buf_index || s->splice_fd_in ? -LINUX_EINVAL : 0;
}
int64_t uring_shutdown(struct uring_req *q) {
    return uring_call(q, LINUX_NR_shutdown, (uint64_t)q->sqe.fd, q->sqe.len, 0, 0, 0, 0);
}

int uring_prepare_socket(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    if (s->addr || s->op_flags || s->buf_index)
        return -LINUX_EINVAL;
    return uring_place_check(q, (unsigned)s->off & LINUX_SOCK_CLOEXEC);
}
int64_t uring_socket(struct uring_req *q) {
    int64_t fd = uring_call(q, LINUX_NR_socket, (uint64_t)q->sqe.fd, q->sqe.off, q->sqe.len, 0, 0, 0);
    return uring_place(q, fd);
}
