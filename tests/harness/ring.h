// SPDX-License-Identifier: Apache-2.0
// A small user of io_uring(7) for guest tests, without a library: rings mapped one by one, so that a test can
// also do what no library would.
#ifndef TESTS_HARNESS_RING_H
#define TESTS_HARNESS_RING_H
#include "guest.h"

#include <linux/io_uring.h>
#include <sys/mman.h>

struct completion {
    unsigned long long user_data;
    int res;
    unsigned flags;
};

struct ring {
    int fd;
    struct io_uring_params p;
    char *at, *cq;
    size_t size, cq_size, sqes_size;
    struct io_uring_sqe *sqes;
    unsigned *sq_head, *sq_tail, *array, *sq_flags, *sq_dropped, *cq_head, *cq_tail, *cq_overflow;
    struct io_uring_cqe *cqes;
    unsigned sq_mask, cq_mask;
};

static inline int ring_setup(unsigned entries, struct io_uring_params *p) {
    return (int)syscall(SYS_io_uring_setup, entries, p);
}
static inline int ring_enter(const struct ring *r, unsigned submit, unsigned least, unsigned flags) {
    return (int)syscall(SYS_io_uring_enter, r->fd, submit, least, flags, NULL, 0);
}
static inline int ring_register(const struct ring *r, unsigned op, void *arg, unsigned n) {
    return (int)syscall(SYS_io_uring_register, r->fd, op, arg, n);
}

static inline void ring_map(struct ring *r) {
    struct io_uring_params *p = &r->p;
    size_t sq = p->sq_off.array + p->sq_entries * sizeof(unsigned);
    size_t cqe = sizeof(struct io_uring_cqe) << !!(p->flags & IORING_SETUP_CQE32);
    size_t cq = p->cq_off.cqes + p->cq_entries * cqe;
    size_t sqe = sizeof(struct io_uring_sqe) << !!(p->flags & IORING_SETUP_SQE128);
    r->size = sq > cq ? sq : cq;
    r->cq_size = cq;
    r->sqes_size = p->sq_entries * sqe;
    const int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
    r->at = mmap(NULL, r->size, prot, flags, r->fd, IORING_OFF_SQ_RING);
    ASSERT_TRUE(r->at != MAP_FAILED);
    // the same memory, as programs of old map it
    r->cq = mmap(NULL, cq, prot, flags, r->fd, IORING_OFF_CQ_RING);
    ASSERT_TRUE(r->cq != MAP_FAILED);
    r->sqes = mmap(NULL, p->sq_entries * sqe, prot, flags, r->fd, IORING_OFF_SQES);
    ASSERT_TRUE(r->sqes != MAP_FAILED);
    r->sq_head = (unsigned *)(r->at + p->sq_off.head);
    r->sq_tail = (unsigned *)(r->at + p->sq_off.tail);
    r->sq_flags = (unsigned *)(r->at + p->sq_off.flags);
    r->sq_dropped = (unsigned *)(r->at + p->sq_off.dropped);
    r->array = (unsigned *)(r->at + p->sq_off.array);
    r->sq_mask = *(unsigned *)(r->at + p->sq_off.ring_mask);
    r->cq_head = (unsigned *)(r->cq + p->cq_off.head);
    r->cq_tail = (unsigned *)(r->cq + p->cq_off.tail);
    r->cq_overflow = (unsigned *)(r->cq + p->cq_off.overflow);
    r->cq_mask = *(unsigned *)(r->cq + p->cq_off.ring_mask);
    r->cqes = (struct io_uring_cqe *)(r->cq + p->cq_off.cqes);
}

static inline void ring_init(struct ring *r, unsigned entries, unsigned flags) {
    *r = (struct ring){.p = {.flags = flags}};
    r->fd = ring_setup(entries, &r->p);
    if (r->fd < 0 && (errno == ENOSYS || errno == EPERM))
        SKIP("a machine without io_uring");
    ASSERT_TRUE(r->fd >= 0);
    ring_map(r);
}

// The next request, zero but for its index.
static inline struct io_uring_sqe *ring_sqe(struct ring *r) {
    unsigned tail = *r->sq_tail, i = tail & r->sq_mask;
    struct io_uring_sqe *s = &r->sqes[i];
    memset(s, 0, sizeof *s);
    r->array[i] = i;
    __atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
    return s;
}
static inline struct io_uring_sqe *ring_prep(struct ring *r, int op, int fd, const void *addr, unsigned len,
                                             unsigned long long off, unsigned long long data) {
    struct io_uring_sqe *s = ring_sqe(r);
    s->opcode = (unsigned char)op;
    s->fd = fd;
    s->addr = (unsigned long)addr;
    s->len = len;
    s->off = off;
    s->user_data = data;
    return s;
}

static inline unsigned ring_ready(const struct ring *r) {
    return __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE) - *r->cq_head;
}
// Submits all that is queued, and waits for n completions.
static inline int ring_submit(struct ring *r, unsigned n) {
    unsigned queued = *r->sq_tail - __atomic_load_n(r->sq_head, __ATOMIC_ACQUIRE);
    return ring_enter(r, queued, n, n ? IORING_ENTER_GETEVENTS : 0);
}
// Takes the next completion, which is waited for.
static inline struct completion ring_take(struct ring *r) {
    while (!ring_ready(r))
        ASSERT_TRUE(ring_enter(r, 0, 1, IORING_ENTER_GETEVENTS) >= 0 || errno == EINTR);
    const struct io_uring_cqe *e = &r->cqes[*r->cq_head & r->cq_mask];
    struct completion c = {e->user_data, e->res, e->flags};
    __atomic_store_n(r->cq_head, *r->cq_head + 1, __ATOMIC_RELEASE);
    return c;
}
// The one of this request among the next n, whatever their order.
static inline int ring_result_of(const struct completion *c, unsigned n, unsigned long long data) {
    for (unsigned i = 0; i < n; i++)
        if (c[i].user_data == data)
            return c[i].res;
    return -9999;
}
static inline void ring_take_n(struct ring *r, struct completion *c, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        c[i] = ring_take(r);
}
// One request alone: its result.
static inline int ring_do(struct ring *r, int op, int fd, const void *addr, unsigned len,
                          unsigned long long off) {
    ring_prep(r, op, fd, addr, len, off, 42);
    EXPECT_EQ(ring_submit(r, 1), 1);
    struct completion c = ring_take(r);
    EXPECT_EQ(c.user_data, 42);
    return c.res;
}
// A ring lives as long as anybody has it mapped.
static inline void ring_exit(struct ring *r) {
    munmap(r->at, r->size);
    munmap(r->cq, r->cq_size);
    munmap(r->sqes, r->sqes_size);
    close(r->fd);
}

#endif
