// SPDX-License-Identifier: Apache-2.0
// covers: io_uring_setup, io_uring_enter, io_uring_register
// Rings whose owner lies: indices, heads and tails that are not so, entries that change while they are read,
// requests that outlive what they need.
#include "ring.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

TEST(bad_indices) {
    struct ring r;
    ring_init(&r, 4, 0);
    const unsigned bad[] = {4, 5, 1000, 0x7fffffff, 0xffffffff};
    for (unsigned i = 0; i < 5; i++) {
        ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1);
        r.array[(*r.sq_tail - 1) & r.sq_mask] = bad[i];
        unsigned dropped = *r.sq_dropped;
        EXPECT_EQ(ring_submit(&r, 0) <= 0, 1);
        EXPECT_EQ(*r.sq_dropped, dropped + 1);
        EXPECT_EQ(*r.sq_head, *r.sq_tail);
    }
    EXPECT_EQ(ring_do(&r, IORING_OP_NOP, -1, NULL, 0, 0), 0);
    ring_exit(&r);
}

// As many as are asked for, of a queue that says it has more than it can have: not more than it has.
TEST(bad_tail) {
    struct ring r;
    ring_init(&r, 4, 0);
    for (unsigned i = 0; i < 4; i++)
        ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, i);
    *r.sq_tail += 0x10000000;
    int n = ring_enter(&r, 0x7fffffff, 0, 0);
    EXPECT_TRUE(n >= 0 && n <= 4);
    ring_exit(&r);
}

// A head that is nowhere: completions may be lost, the ring goes on when it is right again.
TEST(bad_head) {
    struct ring r;
    ring_init(&r, 4, 0);
    *r.cq_head = 0x40000000;
    for (unsigned i = 0; i < 100; i++) {
        ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, i);
        EXPECT_EQ(ring_submit(&r, 0), 1);
    }
    *r.cq_head = *r.cq_tail;
    ring_enter(&r, 0, 0, IORING_ENTER_GETEVENTS);
    while (ring_ready(&r))
        ring_take(&r);
    ring_exit(&r);
}

static struct ring shared;
static int stop;
static void *change(void *arg) {
    unsigned x = 1;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        volatile unsigned char *p = (unsigned char *)shared.sqes;
        x = x * 1103515245 + 12345;
        // never an operation on a file that the test needs: opcodes below 8, bad descriptors
        p[0] = (unsigned char)(x >> 16 & 7);
        p[1] = (unsigned char)(x >> 20 & 0x2c);
        p[4] = 0xff;
        p[24] = (unsigned char)(x >> 8);
        shared.array[0] = x >> 28;
    }
    return NULL;
}
TEST(entry_that_changes) {
    pthread_t t;
    ring_init(&shared, 4, 0);
    ASSERT_EQ(pthread_create(&t, NULL, change, NULL), 0);
    for (unsigned i = 0; i < 3000; i++) {
        memset(shared.sqes, 0, sizeof *shared.sqes);
        shared.sqes[0].fd = -1;
        __atomic_store_n(shared.sq_tail, *shared.sq_tail + 1, __ATOMIC_RELEASE);
        ring_submit(&shared, 0);
        while (ring_ready(&shared))
            ring_take(&shared);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    pthread_join(t, NULL);
    ring_exit(&shared);
}

// The last close of a ring ends what waits in it, and gives back what it holds.
TEST(close_with_requests) {
    int p[2];
    char in[8];
    EXPECT_OK(pipe(p));
    for (int i = 0; i < 20; i++) {
        struct ring r;
        struct __kernel_timespec late = {600, 0};
        ring_init(&r, 8, 0);
        ring_prep(&r, IORING_OP_READ, p[0], in, 8, 0, 1)->flags = IOSQE_IO_LINK;
        ring_prep(&r, IORING_OP_LINK_TIMEOUT, -1, &late, 1, 0, 2)->flags = IOSQE_IO_LINK;
        ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 3);
        ring_prep(&r, IORING_OP_TIMEOUT, -1, &late, 1, 0, 5);
        ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 6)->flags = IOSQE_IO_DRAIN;
        EXPECT_EQ(ring_submit(&r, 0), 5);
        ring_exit(&r);
    }
    EXPECT_EQ(write(p[1], "abc", 3), 3);
    struct pollfd pf = {p[0], POLLIN, 0};
    EXPECT_EQ(poll(&pf, 1, 0), 1);
}

// One that watches itself lives as long as its process, and no longer (the teardown looks for leaks).
TEST(watches_itself) {
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        if (child == 0) {
            struct ring r;
            ring_init(&r, 8, 0);
            ring_prep(&r, IORING_OP_POLL_ADD, r.fd, NULL, 0, 0, 4)->poll32_events = POLLPRI;
            ring_submit(&r, 0);
            _exit(0);
        }
        EXPECT_EQ(waitpid(child, NULL, 0), child);
    }
}

// Killed while requests wait; another process goes on with the same ring.
TEST(killed_submitter) {
    struct ring r;
    int p[2], told[2];
    static char in[8];
    ring_init(&r, 8, 0);
    EXPECT_OK(pipe(p));
    EXPECT_OK(pipe(told));
    pid_t child = fork();
    if (child == 0) {
        ring_prep(&r, IORING_OP_READ, p[0], in, 8, 0, 1);
        ring_submit(&r, 0);
        if (write(told[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    EXPECT_EQ(read(told[0], in, 1), 1);
    kill(child, SIGKILL);
    EXPECT_EQ(waitpid(child, NULL, 0), child);
    // Linux ends it when there is something to read, here it has ended with its process: nobody reads that
    EXPECT_EQ(write(p[1], "abc", 3), 3);
    struct completion c = ring_take(&r);
    EXPECT_EQ(c.user_data, 1);
    EXPECT_EQ(c.res, -ECANCELED);
    EXPECT_EQ(read(p[0], in, 8), 3);
    EXPECT_EQ(ring_do(&r, IORING_OP_NOP, -1, NULL, 0, 0), 0);
    ring_exit(&r);
}

// More than may wait at a time: an error, and the others go on.
TEST(many_requests) {
    struct ring r;
    static char in[8];
    int pipes[2], n = 0;
    ring_init(&r, 1024, 0);
    EXPECT_OK(pipe(pipes));
    for (int i = 0; i < 20 && n >= 0; i++) {
        while (*r.sq_tail - *r.sq_head < 1024)
            ring_prep(&r, IORING_OP_READ, pipes[0], in, 8, 0, 7);
        n = ring_submit(&r, 0);
    }
    EXPECT_TRUE(n == 1024 || (n == -1 && errno == EAGAIN));
    *r.sq_tail = *r.sq_head;
    ring_exit(&r);
    ring_init(&r, 4, 0);
    EXPECT_EQ(ring_do(&r, IORING_OP_NOP, -1, NULL, 0, 0), 0);
    ring_exit(&r);
}

// Cancelling that runs into cancelling: as deep as the queue is long.
TEST(cancel_chains) {
    struct ring r;
    struct __kernel_timespec late = {600, 0};
    enum { N = 500 };
    ring_init(&r, 2 * N, 0);
    for (unsigned i = 0; i < N; i++) {
        ring_prep(&r, IORING_OP_TIMEOUT, -1, &late, 1, 0, i)->flags = IOSQE_IO_HARDLINK;
        ring_prep(&r, IORING_OP_ASYNC_CANCEL, -1, (void *)(unsigned long)(i + 1), 0, 0, 10000 + i);
    }
    EXPECT_EQ(ring_submit(&r, 0), 2 * N);
    ring_prep(&r, IORING_OP_ASYNC_CANCEL, -1, (void *)0, 0, 0, 20000);
    EXPECT_EQ(ring_submit(&r, 1), 1);
    for (unsigned i = 0; i < 2 * N + 1; i++)
        ring_take(&r);
    ring_exit(&r);
}

// Its completions make ready what it watches, which completes: whoever else is served goes on, and it ends.
TEST(watches_its_own_eventfd) {
    struct ring r;
    int e = eventfd(0, EFD_NONBLOCK);
    ring_init(&r, 8, 0);
    EXPECT_OK(ring_register(&r, IORING_REGISTER_EVENTFD, &e, 1));
    ring_prep(&r, IORING_OP_POLL_ADD, e, NULL, IORING_POLL_ADD_MULTI, 0, 1)->poll32_events = POLLIN;
    ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2);
    EXPECT_EQ(ring_submit(&r, 0), 2);
    for (int i = 0; i < 3000; i++) {
        while (ring_ready(&r))
            ring_take(&r);
        EXPECT_EQ(getppid() > 0, 1);
    }
    ring_exit(&r);
    close(e);
}
