// SPDX-License-Identifier: Apache-2.0
// covers: setrlimit, prlimit64
// Processor time used up: SIGXCPU each second from the soft limit on, SIGKILL at the hard one (man 2
// setrlimit).
#define GUEST_NO_WATCHDOG
#include "guest.h"

#include <sys/resource.h>

static volatile int count;

static void handler(int signal)
{
    count++;
}

static void spin(void)
{
    int64_t start = now_ms();
    while (now_ms() - start < 30000)
        ;
}

TEST(soft_then_hard)
{
    pid_t pid = fork();
    if (pid == 0) {
        on_signal(SIGXCPU, handler, 0);
        ASSERT_OK(setrlimit(RLIMIT_CPU, &(struct rlimit){1, 2}));
        int64_t start = now_ms();
        while (count == 0 && now_ms() - start < 15000)
            ;
        if (count == 0)
            _exit(1);
        spin();
        _exit(2);
    }
    EXPECT_EQ(wait_exit(pid), -SIGKILL);
}

TEST(inherited)
{
    pid_t pid = fork();
    if (pid == 0) {
        ASSERT_OK(setrlimit(RLIMIT_CPU, &(struct rlimit){1, 10}));
        pid_t child = fork();
        if (child == 0) {
            spin();
            _exit(2);
        }
        _exit(wait_exit(child) == -SIGXCPU ? 0 : 1);
    }
    EXPECT_EQ(wait_exit(pid), 0);
}
