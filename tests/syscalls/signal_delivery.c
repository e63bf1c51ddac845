// SPDX-License-Identifier: Apache-2.0
// covers: kill, rt_sigaction, rt_sigreturn
// A handler runs before kill returns, sees its siginfo, and everything continues after it (man 7 signal).
#include "guest.h"

static volatile int count;
static siginfo_t last;

static void handler(int signal, siginfo_t *info, void *context)
{
    count++;
    last = *info;
}

TEST(to_self)
{
    on_siginfo(SIGUSR1, handler, 0);
    count = 0;
    EXPECT_OK(kill(getpid(), SIGUSR1));
    EXPECT_EQ(count, 1);
    EXPECT_EQ(last.si_signo, SIGUSR1);
    EXPECT_EQ(last.si_code, SI_USER);
    EXPECT_EQ(last.si_pid, getpid());
    EXPECT_EQ(last.si_uid, getuid());
}

TEST(by_raise_and_tgkill)
{
    on_siginfo(SIGUSR1, handler, 0);
    count = 0;
    EXPECT_OK(raise(SIGUSR1));
    EXPECT_EQ(last.si_code, SI_TKILL);
    EXPECT_OK(syscall(SYS_tkill, gettid(), SIGUSR1));
    EXPECT_EQ(count, 2);
}

TEST(from_a_child)
{
    on_siginfo(SIGUSR1, handler, 0);
    count = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(kill(getppid(), SIGUSR1));
    EXPECT_EQ(wait_exit(pid), 0);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(last.si_pid, pid);
}

TEST(while_computing)
{
    IN_CHILD {
        on_siginfo(SIGUSR1, handler, 0);
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
            sleep_ms(30);
            _exit(kill(parent, SIGUSR1));
        }
        volatile unsigned long spins = 0;
        while (count == 0)
            spins++;
        EXPECT_EQ(count, 1);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

TEST(many)
{
    on_siginfo(SIGUSR1, handler, 0);
    count = 0;
    for (int i = 0; i < 1000; i++)
        kill(getpid(), SIGUSR1);
    EXPECT_EQ(count, 1000);
    signal(SIGUSR1, SIG_DFL);
}
