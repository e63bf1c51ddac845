// SPDX-License-Identifier: Apache-2.0
// Operations that are io_uring's own: waiting for files and for time, other requests, buffers.
// LIMIT: io_uring: IORING_POLL_ADD_LEVEL is EINVAL; MSG_RING sends data, no files.
#include "abi/mman.h"
#include "abi/poll.h"
#include "abi/time.h"
#include "base/cleanup.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/run/park.h"
#include "sentry/time/timeconv.h"
#include "sentry/uring/uring.h"

// ---- Files ------------------------------------------------------------------------------------------------
#define ALWAYS (LINUX_POLLERR | LINUX_POLLHUP)

int uring_prepare_poll(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    if (s->buf_index || s->off || s->addr || (s->len & ~LINUX_IORING_POLL_ADD_MULTI))
        return -LINUX_EINVAL;
    if ((s->flags & LINUX_IOSQE_CQE_SKIP_SUCCESS) && s->len)
        return -LINUX_EINVAL;
    q->events = s->op_flags & 0xffff;
    return 0;
}

// Multishot: told once of what holds at first, and then for each event, since a level would be told for ever.
// The waiter stays on the file's queue from one to the next.
int64_t uring_poll_add(struct uring_req *q) {
    struct task *t = q->w.t;
    uint32_t want = __atomic_load_n(&q->events, __ATOMIC_RELAXED) | ALWAYS;
    uint32_t now = park_arm_file(t, q->file, want) & want;
    if (!now)
        return park(t);
    if (!(q->sqe.len & LINUX_IORING_POLL_ADD_MULTI) || task_interrupted(t))
        return task_interrupted(t) ? -LINUX_ECANCELED : (int64_t)now;
    if (!uring_req_tell(q, (int32_t)now, LINUX_IORING_CQE_F_MORE, false))
        return now;
    q->shots++;
    return park(t);
}

int uring_prepare_poll_remove(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    const unsigned updates = LINUX_IORING_POLL_UPDATE_EVENTS | LINUX_IORING_POLL_UPDATE_USER_DATA;
    if (s->buf_index || s->splice_fd_in || (s->len & ~(updates | LINUX_IORING_POLL_ADD_MULTI)))
        return -LINUX_EINVAL;
    if ((s->len & LINUX_IORING_POLL_ADD_MULTI) && !(s->len & updates))
        return -LINUX_EINVAL;
    if (!(s->len & LINUX_IORING_POLL_UPDATE_USER_DATA) && s->off)
        return -LINUX_EINVAL;
    return !(s->len & LINUX_IORING_POLL_UPDATE_EVENTS) && s->op_flags ? -LINUX_EINVAL : 0;
}
int64_t uring_poll_remove(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    const struct uring_match m = {.user_data = s->addr, .op = LINUX_IORING_OP_POLL_ADD, .but = q};
    struct uring *r = q->ring;
    LOCKED(&r->lock);
    struct uring_req *found = uring_find(r, &m);
    if (!found)
        return -LINUX_ENOENT;
    if (!s->len) {
        worker_cancel(found->w.t, false);
        return 0;
    }
    if (s->len & LINUX_IORING_POLL_UPDATE_EVENTS)
        __atomic_store_n(&found->events, s->op_flags & 0xffff, __ATOMIC_RELAXED);
    if (s->len & LINUX_IORING_POLL_UPDATE_USER_DATA)
        found->user_data = s->off;
    task_wake(found->w.t);
    return 0;
}

// ---- Time -------------------------------------------------------------------------------------------------
#define CLOCKS (LINUX_IORING_TIMEOUT_BOOTTIME | LINUX_IORING_TIMEOUT_REALTIME)

// A time as flags say: *deadline on the monotonic clock, absolute, or (*after) so long from when it begins.
static int read_time(struct task *t, uint64_t at, unsigned flags, uint64_t *deadline) {
    struct linux_timespec ts;
    if ((flags & CLOCKS) == CLOCKS)
        return -LINUX_EINVAL;
    if (copy_in_obj(t, &ts, uaddr(at)) < 0)
        return -LINUX_EFAULT;
    if (ts.tv_sec < 0 || ts.tv_nsec < 0)
        return -LINUX_EINVAL;
    uint64_t most = TIME_MAX / NS_PER_SEC - 1, ns = (uint64_t)ts.tv_nsec;  // which may be a second and more
    *deadline =
        (uint64_t)ts.tv_sec + ns / NS_PER_SEC >= most ? TIME_MAX : (uint64_t)ts.tv_sec * NS_PER_SEC + ns;
    return 0;
}
static uint64_t deadline_of(uint64_t ns, unsigned flags) {
    if (!(flags & LINUX_IORING_TIMEOUT_ABS))
        return time_after(ns);
    return time_deadline(ns, flags & LINUX_IORING_TIMEOUT_REALTIME);
}

static int prepare_time(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    const unsigned known = LINUX_IORING_TIMEOUT_ABS | CLOCKS | LINUX_IORING_TIMEOUT_ETIME_SUCCESS;
    if (s->buf_index || s->len != 1 || s->splice_fd_in || (s->op_flags & ~known))
        return -LINUX_EINVAL;
    return read_time(q->w.t, s->addr, s->op_flags, &q->deadline);
}
int uring_prepare_timeout(struct uring_req *q) { return prepare_time(q); }
int uring_prepare_link_timeout(struct uring_req *q) { return q->sqe.off ? -LINUX_EINVAL : prepare_time(q); }

static void time_begin(struct uring_req *q) {
    struct uring *r = q->ring;
    LOCKED(&r->lock);
    q->deadline = deadline_of(q->deadline, q->sqe.op_flags);
    q->target = r->completed + (uint32_t)q->sqe.off;
}
static bool enough_completed(struct uring_req *q, uint64_t *deadline) {
    LOCKED(&q->ring->lock);
    *deadline = q->deadline;
    return (uint32_t)q->sqe.off && q->ring->completed >= q->target;
}

int64_t uring_timeout(struct uring_req *q) {
    struct task *t = q->w.t;
    uint64_t deadline;
    if (!t->call.again)
        time_begin(q);
    if ((uint32_t)q->sqe.off)
        park_arm(t, &q->ring->wait);
    if (enough_completed(q, &deadline))
        return 0;
    park_deadline_move(t, deadline);
    return t->call.timed_out ? -LINUX_ETIME : park(t);
}

int64_t uring_link_timeout(struct uring_req *q) {
    struct task *t = q->w.t;
    struct uring *r = q->ring;
    uint64_t deadline;
    if (!t->call.again)
        time_begin(q);
    enough_completed(q, &deadline);
    park_deadline_move(t, deadline);
    if (!t->call.timed_out)
        return park(t);
    LOCKED(&r->lock);
    if (!q->timed)
        return -LINUX_ECANCELED;
    worker_cancel(q->timed->w.t, false);
    return -LINUX_ETIME;
}

int uring_prepare_timeout_remove(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    const unsigned updates = LINUX_IORING_TIMEOUT_UPDATE | LINUX_IORING_LINK_TIMEOUT_UPDATE;
    if ((s->flags & (LINUX_IOSQE_FIXED_FILE | LINUX_IOSQE_BUFFER_SELECT)) || s->buf_index || s->len ||
        s->splice_fd_in)
        return -LINUX_EINVAL;
    if (!(s->op_flags & updates))
        return s->op_flags ? -LINUX_EINVAL : 0;
    if (s->op_flags & ~(updates | LINUX_IORING_TIMEOUT_ABS | CLOCKS))
        return -LINUX_EINVAL;
    return read_time(q->w.t, s->off, s->op_flags, &q->deadline);
}
int64_t uring_timeout_remove(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    bool link = s->op_flags & LINUX_IORING_LINK_TIMEOUT_UPDATE;
    const struct uring_match m = {
        .user_data = s->addr, .op = link ? LINUX_IORING_OP_LINK_TIMEOUT : LINUX_IORING_OP_TIMEOUT, .but = q};
    struct uring *r = q->ring;
    LOCKED(&r->lock);
    struct uring_req *found = uring_find(r, &m);
    if (!found)
        return -LINUX_ENOENT;
    if (!s->op_flags) {
        worker_cancel(found->w.t, false);
        return 0;
    }
    found->deadline = deadline_of(q->deadline, s->op_flags);
    task_wake(found->w.t);
    return 0;
}

// ---- Other requests ---------------------------------------------------------------------------------------
int uring_prepare_cancel(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    const unsigned known = LINUX_IORING_ASYNC_CANCEL_ALL | LINUX_IORING_ASYNC_CANCEL_FD |
                           LINUX_IORING_ASYNC_CANCEL_ANY | LINUX_IORING_ASYNC_CANCEL_FD_FIXED;
    if ((s->flags & LINUX_IOSQE_BUFFER_SELECT) || s->off || s->splice_fd_in || (s->op_flags & ~known))
        return -LINUX_EINVAL;
    bool fd = s->op_flags & LINUX_IORING_ASYNC_CANCEL_FD;
    return fd && (s->op_flags & LINUX_IORING_ASYNC_CANCEL_ANY) ? -LINUX_EINVAL : 0;
}
int64_t uring_cancel_op(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    const unsigned by_file = LINUX_IORING_ASYNC_CANCEL_FD | LINUX_IORING_ASYNC_CANCEL_FD_FIXED;
    bool fixed = (s->flags & LINUX_IOSQE_FIXED_FILE) || (s->op_flags & LINUX_IORING_ASYNC_CANCEL_FD_FIXED);
    struct uring_match m = {.user_data = s->addr, .flags = s->op_flags, .op = -1, .but = q};
    struct file *f cleanup_file = NULL;
    if (s->op_flags & by_file) {
        struct fdtable *files = fixed ? uring_files(q->ring) : fdtable_get(q->w.t->files);
        f = files ? fd_get_io(files, s->fd) : NULL;
        if (files)
            fdtable_put(files);
        if (!f)
            return -LINUX_EBADF;
        m.file = f;
    }
    return uring_cancel(q->ring, &m);
}

int uring_prepare_msg_ring(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    return s->buf_index || s->addr || s->addr3 || s->op_flags || s->splice_fd_in ? -LINUX_EINVAL : 0;
}
int64_t uring_msg_ring(struct uring_req *q) {
    const struct linux_io_uring_cqe cqe = {q->sqe.off, (int32_t)q->sqe.len, 0};
    struct uring *to = uring_of(q->file);
    if (!to || __atomic_load_n(&to->disabled, __ATOMIC_RELAXED))
        return -LINUX_EBADFD;
    return uring_complete(to, &cqe, true, true, false) ? 0 : -LINUX_EOVERFLOW;
}

// ---- Buffers ----------------------------------------------------------------------------------------------
int uring_prepare_provide(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    if (s->op_flags || s->splice_fd_in)
        return -LINUX_EINVAL;
    if (s->fd <= 0 || s->fd > UINT16_MAX)
        return -LINUX_E2BIG;
    uint64_t size = (uint64_t)s->fd * s->len;
    if (s->addr + size < s->addr)
        return -LINUX_EOVERFLOW;
    if (s->addr + size > LINUX_TASK_SIZE)
        return -LINUX_EFAULT;
    if (s->off > UINT16_MAX)
        return -LINUX_E2BIG;
    return s->off + (unsigned)s->fd > UINT16_MAX + 1u ? -LINUX_EINVAL : 0;
}
int64_t uring_provide(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    return uring_buffers_add(q->ring, s->buf_index, s->addr, s->len, (unsigned)s->fd, (uint16_t)s->off);
}
int uring_prepare_remove(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    if (s->op_flags || s->addr || s->len || s->off || s->splice_fd_in)
        return -LINUX_EINVAL;
    return s->fd <= 0 || s->fd > UINT16_MAX ? -LINUX_EINVAL : 0;
}
int64_t uring_remove_buffers(struct uring_req *q) {
    return uring_buffers_remove(q->ring, q->sqe.buf_index, (unsigned)q->sqe.fd);
}
