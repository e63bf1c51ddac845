// SPDX-License-Identifier: Apache-2.0
// covers: futex_wake, futex_wait, futex_requeue
// The calls of Linux 6.7 that name a word's size (include/uapi/linux/futex.h).
#include "guest.h"

#define NR_WAKE    454
#define NR_WAIT    455
#define NR_REQUEUE 456
#define U32        2u
#define PRIVATE    128u
#define ANY        0xffffffffUL

static unsigned word, other_word;

static void need(void) {
    if (syscall(NR_WAKE, &word, ANY, 1, U32) == -1 && errno == ENOSYS)
        SKIP("a kernel without them");
}

static atomic_int entered;
static void *waits(void *arg) {
    atomic_fetch_add(&entered, 1);
    return (void *)syscall(NR_WAIT, &word, 0UL, (unsigned long)arg, U32 | PRIVATE, NULL, CLOCK_MONOTONIC);
}

TEST(wakes_by_mask) {
    need();
    pthread_t a, b;
    void *result;
    long n = 0;
    ASSERT_EQ(pthread_create(&a, NULL, waits, (void *)1L), 0);
    ASSERT_EQ(pthread_create(&b, NULL, waits, (void *)2L), 0);
    while ((n = syscall(NR_WAKE, &word, 2UL, 5, U32 | PRIVATE)) == 0)
        sched_yield();
    EXPECT_EQ(n, 1);
    pthread_join(b, &result);
    EXPECT_EQ((long)result, 0);
    EXPECT_EQ(syscall(NR_WAKE, &word, ANY, 0, U32 | PRIVATE), 0);
    while (syscall(NR_WAKE, &word, ANY, 1, U32 | PRIVATE) == 0)
        sched_yield();
    pthread_join(a, &result);
    EXPECT_EQ((long)result, 0);
}

TEST(requeues) {
    need();
    pthread_t a;
    struct {
        unsigned long val, addr;
        unsigned flags, reserved;
    } w[2] = {{0, (unsigned long)&word, U32 | PRIVATE, 0}, {0, (unsigned long)&other_word, U32 | PRIVATE, 0}};
    ASSERT_EQ(pthread_create(&a, NULL, waits, (void *)1L), 0);
    while (syscall(NR_REQUEUE, w, 0, 0, 1) != 1)
        sched_yield();
    EXPECT_EQ(syscall(NR_WAKE, &word, ANY, 1, U32 | PRIVATE), 0);
    EXPECT_EQ(syscall(NR_WAKE, &other_word, ANY, 1, U32 | PRIVATE), 1);
    pthread_join(a, NULL);
    w[0].val = 1;
    EXPECT_ERRNO(syscall(NR_REQUEUE, w, 0, 1, 1), EAGAIN);
    EXPECT_ERRNO(syscall(NR_REQUEUE, w, 1, 1, 1), EINVAL);
    EXPECT_ERRNO(syscall(NR_REQUEUE, NULL, 0, 1, 1), EINVAL);
    EXPECT_ERRNO(syscall(NR_REQUEUE, w, 0, -1, 1), EINVAL);
    EXPECT_ERRNO(syscall(NR_REQUEUE, KERNEL_POINTER, 0, 1, 1), EFAULT);
    w[0].reserved = 1;
    EXPECT_ERRNO(syscall(NR_REQUEUE, w, 0, 1, 1), EINVAL);
}

TEST(errors) {
    need();
    struct timespec past = {0, 1}, bad = {0, 2000000000};
    EXPECT_ERRNO(syscall(NR_WAIT, &word, 1UL, ANY, U32, NULL, 0), EAGAIN);
    EXPECT_ERRNO(syscall(NR_WAIT, &word, 0UL, ANY, U32, &past, CLOCK_MONOTONIC), ETIMEDOUT);
    EXPECT_ERRNO(syscall(NR_WAIT, &word, 0UL, ANY, U32, &past, CLOCK_REALTIME), ETIMEDOUT);
    EXPECT_ERRNO(syscall(NR_WAIT, &word, 0UL, ANY, U32, &bad, CLOCK_MONOTONIC), EINVAL);
    EXPECT_ERRNO(syscall(NR_WAIT, &word, 0UL, ANY, U32, &past, CLOCK_BOOTTIME), EINVAL);
    EXPECT_ERRNO(syscall(NR_WAIT, &word, 0UL, ANY, U32, KERNEL_POINTER, CLOCK_MONOTONIC), EFAULT);
    EXPECT_ERRNO(syscall(NR_WAIT, &word, 0UL, 0UL, U32, NULL, 0), EINVAL);
    EXPECT_ERRNO(syscall(NR_WAIT, &word, 0UL, ANY, 3u, NULL, 0), EINVAL);
    EXPECT_ERRNO(syscall(NR_WAIT, &word, 1UL << 32, ANY, U32, NULL, 0), EINVAL);
    EXPECT_ERRNO(syscall(NR_WAIT, (char *)&word + 1, 0UL, ANY, U32, NULL, 0), EINVAL);
    EXPECT_ERRNO(syscall(NR_WAKE, &word, 0UL, 1, U32), EINVAL);
    EXPECT_ERRNO(syscall(NR_WAKE, &word, ANY, 1, 0x1000u), EINVAL);
    EXPECT_ERRNO(syscall(NR_WAKE, &word, 1UL << 32, 1, U32), EINVAL);
    EXPECT_ERRNO(syscall(NR_WAKE, no_access_page(), ANY, 1, U32), EFAULT);
}
