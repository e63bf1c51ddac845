// SPDX-License-Identifier: Apache-2.0
// covers: ppoll
// Nanosecond timeouts, the temporary mask, EINTR, and the remaining time written back (man 2 ppoll).
#include "guest.h"

#include <poll.h>

static volatile int handled;

static void handler(int signal)
{
    handled++;
}

TEST(timeout)
{
    struct timespec ts = {0, 30000000};
    int64_t start = now_ms();
    EXPECT_EQ(ppoll(NULL, 0, &ts, NULL), 0);
    EXPECT_GE(now_ms() - start, 29);
    ts = (struct timespec){0, 30000000};
    EXPECT_EQ(syscall(SYS_ppoll, NULL, 0, &ts, NULL, 8), 0);
    EXPECT_EQ(ts.tv_sec, 0);
    EXPECT_EQ(ts.tv_nsec, 0);
    ts.tv_nsec = 1000000000;
    EXPECT_ERRNO(ppoll(NULL, 0, &ts, NULL), EINVAL);
    ts = (struct timespec){-1, 0};
    EXPECT_ERRNO(ppoll(NULL, 0, &ts, NULL), EINVAL);
}

TEST(mask_is_atomic)
{
    IN_CHILD {
        on_signal(SIGUSR1, handler, SA_RESTART);
        block_signal(SIG_BLOCK, SIGUSR1);
        EXPECT_OK(kill(getpid(), SIGUSR1));
        sigset_t none, now;
        sigemptyset(&none);
        EXPECT_EQ(handled, 0);
        EXPECT_ERRNO(ppoll(NULL, 0, NULL, &none), EINTR);
        EXPECT_EQ(handled, 1);
        EXPECT_OK(sigprocmask(SIG_BLOCK, NULL, &now));
        EXPECT_EQ(sigismember(&now, SIGUSR1), 1);
    }
}

TEST(mask_is_restored_after_success)
{
    IN_CHILD {
        sigset_t all, now;
        sigfillset(&all);
        struct timespec zero = {0, 0};
        EXPECT_EQ(ppoll(NULL, 0, &zero, &all), 0);
        EXPECT_OK(sigprocmask(SIG_BLOCK, NULL, &now));
        EXPECT_EQ(sigismember(&now, SIGUSR1), 0);
    }
}

TEST(bad_mask)
{
    struct timespec zero = {0, 0};
    sigset_t set;
    sigemptyset(&set);
    EXPECT_ERRNO(syscall(SYS_ppoll, NULL, 0, &zero, &set, 4), EINVAL);
    EXPECT_ERRNO(syscall(SYS_ppoll, NULL, 0, &zero, KERNEL_POINTER, 8), EFAULT);
    EXPECT_ERRNO(syscall(SYS_ppoll, NULL, 0, KERNEL_POINTER, NULL, 8), EFAULT);
}
