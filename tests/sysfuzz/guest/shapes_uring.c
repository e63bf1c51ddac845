// SPDX-License-Identifier: Apache-2.0
// Shapes of io_uring: a ring with entries of every operation, links between them, indices and heads that are
// not so, things registered and taken away under requests that wait.
#include "fuzz.h"
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#define ENTRIES 32u

static struct {
    int fd;
    char *at;
    struct io_uring_sqe *sqes;
    struct io_uring_params p;
} ring = {.fd = -1};

static unsigned *word(unsigned off) { return (unsigned *)(ring.at + off); }

static void drop(void) {
    if (ring.fd < 0)
        return;
    munmap(ring.at, ring.p.sq_off.array + ENTRIES * sizeof(unsigned));
    munmap(ring.sqes, ENTRIES * sizeof *ring.sqes);
    call(SYS_close, ring.fd);
    ring.fd = -1;
}

static bool make(void) {
    const unsigned flags[] = {0, IORING_SETUP_CQSIZE, IORING_SETUP_SUBMIT_ALL, 1u << 12, 1u << 12 | 1u << 13};
    drop();
    memset(&ring.p, 0, sizeof ring.p);
    ring.p.flags = flags[below(5)];
    ring.p.cq_entries = ENTRIES << below(3);
    ring.fd = (int)call(SYS_io_uring_setup, ENTRIES, &ring.p);
    if (ring.fd < 0)
        return false;
    size_t size = ring.p.sq_off.array + ENTRIES * sizeof(unsigned);
    ring.at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0);
    ring.sqes = mmap(NULL, ENTRIES * sizeof *ring.sqes, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd,
                     IORING_OFF_SQES);
    if (ring.at != MAP_FAILED && ring.sqes != MAP_FAILED)
        return true;
    call(SYS_close, ring.fd);
    ring.fd = -1;
    return false;
}

static uint64_t any_address(void) {
    struct timespec *ts;
    struct iovec *v;
    switch (below(5)) {
    case 0:
        ts = short_time();
        return (unsigned long)ts;
    case 1:
        v = room(2 * sizeof *v);
        v[0] = (struct iovec){any_pointer(), below(5000)};
        v[1] = (struct iovec){room(64), 64};
        return (unsigned long)v;
    case 2:
        return (unsigned long)any_path();
    case 3:
        return below(4);
    default:
        return (unsigned long)any_pointer();
    }
}

static void entry(struct io_uring_sqe *s) {
    memset(s, 0, sizeof *s);
    s->opcode = (unsigned char)(one_in(20) ? rnd() : below(50));
    s->flags = (unsigned char)(one_in(3) ? below(128) : below(4) / 3 * IOSQE_IO_LINK);
    s->fd = one_in(8) ? ring.fd : any_fd();
    s->addr = any_address();
    const unsigned lens[] = {1, below(64), below(64), (unsigned)any_size()};
    const uint64_t offs[] = {0, 0, -1ull, -1ull, any_address(), any_int()};
    s->len = lens[below(4)];
    s->off = offs[below(6)];
    s->rw_flags = one_in(4) ? (int)rnd() & (int)rnd() & 0xff : 0;
    s->ioprio = one_in(6) ? (unsigned short)below(8) : 0;
    s->buf_index = one_in(4) ? (unsigned short)below(4) : 0;
    s->splice_fd_in = one_in(5) ? any_fd() : 0;
    s->personality = one_in(30) ? (unsigned short)below(4) : 0;
    s->user_data = below(4);
}

static void sh_requests(void) {
    if ((ring.fd < 0 || one_in(50)) && !make())
        return;
    unsigned *tail = word(ring.p.sq_off.tail), n = 1 + below(one_in(4) ? ENTRIES : 4);
    for (unsigned i = 0; i < n; i++) {
        unsigned at = (*tail + i) & (ENTRIES - 1);
        entry(&ring.sqes[at]);
        word(ring.p.sq_off.array)[at] = one_in(60) ? (unsigned)rnd() : at;
    }
    __atomic_store_n(tail, *tail + (one_in(100) ? (unsigned)rnd() : n), __ATOMIC_RELEASE);
    call(SYS_io_uring_enter, ring.fd, n, one_in(10), one_in(2) ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
    unsigned *head = word(ring.p.cq_off.head);
    if (one_in(60))
        *head = (unsigned)rnd();
    else if (!one_in(4))
        *head = *word(ring.p.cq_off.tail);
}

static void sh_wait(void) {
    if (ring.fd < 0)
        return;
    struct io_uring_getevents_arg *a = room(sizeof *a);
    *a = (struct io_uring_getevents_arg){.sigmask = (unsigned long)(one_in(2) ? any_sigset() : NULL),
                                         .sigmask_sz = 8,
                                         .ts = (unsigned long)short_time()};
    call(SYS_io_uring_enter, ring.fd, 0, below(4), IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, a,
         one_in(10) ? any_size() : sizeof *a);
}

static void sh_register(void) {
    if (ring.fd < 0)
        return;
    int *fds = room(8 * sizeof *fds);
    struct iovec *v = room(4 * sizeof *v);
    struct io_uring_buf_reg *b = room(sizeof *b);
    for (unsigned i = 0; i < 8; i++)
        fds[i] = one_in(3) ? -1 : any_fd();
    for (unsigned i = 0; i < 4; i++)
        v[i] = (struct iovec){room(64), 64};
    switch (below(6)) {
    case 0:
        call(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, fds, 1 + below(8));
        break;
    case 1:
        call(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS, v, 1 + below(4));
        break;
    case 2:
        b->ring_addr = (unsigned long)any_pointer() & ~4095ul;
        b->ring_entries = 1u << below(5);
        b->bgid = (unsigned short)below(4);
        call(SYS_io_uring_register, ring.fd, IORING_REGISTER_PBUF_RING + below(2), b, 1);
        break;
    case 3:
        call(SYS_io_uring_register, ring.fd, IORING_UNREGISTER_FILES + 2 * below(2) - 2, NULL, 0);
        break;
    default:
        call(SYS_io_uring_register, ring.fd, below(28), any_pointer(), below(4));
    }
}

static void sh_drop(void) { drop(); }

const struct shape uring_shapes[] = {
    {sh_requests, 20}, {sh_wait, 3}, {sh_register, 5}, {sh_drop, 1}, {NULL, 0},
};
