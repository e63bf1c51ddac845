// SPDX-License-Identifier: Apache-2.0
// covers: futex_waitv
// Waiting for the first of several futexes (man 2 futex_waitv, Documentation/userspace-api/futex2).
#include "guest.h"

#include <linux/futex.h>

static uint32_t words[3];

static void fill(struct futex_waitv *waiters)
{
    for (int i = 0; i < 3; i++)
        waiters[i] = (struct futex_waitv){words[i], (uintptr_t)&words[i], FUTEX_32 | FUTEX_PRIVATE_FLAG, 0};
}

static long wait_any(struct futex_waitv *waiters, unsigned count, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000 + (until.tv_nsec + ms % 1000 * 1000000L) / 1000000000;
    until.tv_nsec = (until.tv_nsec + ms % 1000 * 1000000L) % 1000000000;
    return syscall(SYS_futex_waitv, waiters, count, 0, &until, CLOCK_MONOTONIC);
}

static void *wake_second(void *unused)
{
    for (int i = 0; i < 500; i++) {
        if (syscall(SYS_futex, &words[1], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 1)
            break;
        sleep_ms(5);
    }
    return NULL;
}

TEST(index_of_the_woken)
{
    struct futex_waitv waiters[3];
    fill(waiters);
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, wake_second, NULL), 0);
    EXPECT_EQ(wait_any(waiters, 3, 5000), 1);
    pthread_join(thread, NULL);
}

TEST(timeout_and_mismatch)
{
    struct futex_waitv waiters[3];
    fill(waiters);
    EXPECT_ERRNO(wait_any(waiters, 3, 20), ETIMEDOUT);
    waiters[2].val = 9;
    EXPECT_ERRNO(wait_any(waiters, 3, 1000), EAGAIN);
}

TEST(errors)
{
    struct futex_waitv waiters[3];
    fill(waiters);
    EXPECT_ERRNO(wait_any(waiters, 0, 10), EINVAL);
    EXPECT_ERRNO(wait_any(waiters, 129, 10), EINVAL);
    EXPECT_ERRNO(wait_any(KERNEL_POINTER, 1, 10), EFAULT);
    EXPECT_ERRNO(syscall(SYS_futex_waitv, waiters, 3, 1, NULL, 0), EINVAL);
    waiters[0].__reserved = 1;
    EXPECT_ERRNO(wait_any(waiters, 3, 10), EINVAL);
    fill(waiters);
    waiters[1].uaddr = 2;
    EXPECT_ERRNO(wait_any(waiters, 3, 10), EINVAL);
}
