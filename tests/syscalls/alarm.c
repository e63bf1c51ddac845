// SPDX-License-Identifier: Apache-2.0
// covers: alarm
// alarm arms, replaces, cancels; its signal; not inherited by fork (man 2 alarm).
#define GUEST_NO_WATCHDOG
#include "guest.h"

static volatile int count;

static void handler(int signal)
{
    count++;
}

TEST(replace_and_cancel)
{
    EXPECT_EQ(alarm(100), 0);
    EXPECT_RANGE(alarm(50), 99, 100);
    EXPECT_RANGE(alarm(0), 49, 50);
    EXPECT_EQ(alarm(0), 0);
}

TEST(fires)
{
    on_signal(SIGALRM, handler, 0);
    int64_t start = now_ms();
    alarm(1);
    EXPECT_ERRNO(pause(), EINTR);
    EXPECT_EQ(count, 1);
    EXPECT_RANGE(now_ms() - start, 990, 25000);
    EXPECT_EQ(alarm(0), 0);
}

TEST(not_inherited)
{
    alarm(100);
    IN_CHILD {
        EXPECT_EQ(alarm(0), 0);
    }
    EXPECT_GE(alarm(0), 90);
}

TEST(default_action)
{
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(1);
        for (;;)
            pause();
    }
    EXPECT_EQ(wait_exit(pid), -SIGALRM);
}
