// SPDX-License-Identifier: Apache-2.0
// covers: rt_sigprocmask, rt_sigpending
// Blocking, unblocking, pending sets, what cannot be blocked, bad arguments (man 2 sigprocmask).
#include "guest.h"

static volatile int count;

static void handler(int signal)
{
    count++;
}

TEST(blocked_signals_wait)
{
    on_signal(SIGUSR1, handler, 0);
    count = 0;
    block_signal(SIG_BLOCK, SIGUSR1);
    for (int i = 0; i < 3; i++)
        EXPECT_OK(raise(SIGUSR1));
    EXPECT_EQ(count, 0);
    sigset_t pending;
    EXPECT_OK(sigpending(&pending));
    EXPECT_EQ(sigismember(&pending, SIGUSR1), 1);
    EXPECT_EQ(sigismember(&pending, SIGUSR2), 0);
    block_signal(SIG_UNBLOCK, SIGUSR1);
    EXPECT_EQ(count, 1);
    EXPECT_OK(sigpending(&pending));
    EXPECT_EQ(sigismember(&pending, SIGUSR1), 0);
    signal(SIGUSR1, SIG_DFL);
}

TEST(set_operations)
{
    IN_CHILD {
        sigset_t set, old;
        sigfillset(&set);
        EXPECT_OK(sigprocmask(SIG_SETMASK, &set, NULL));
        EXPECT_OK(sigprocmask(SIG_BLOCK, NULL, &old));
        EXPECT_EQ(sigismember(&old, SIGKILL), 0);
        EXPECT_EQ(sigismember(&old, SIGSTOP), 0);
        EXPECT_EQ(sigismember(&old, SIGTERM), 1);
        EXPECT_EQ(sigismember(&old, SIGRTMAX), 1);
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        EXPECT_OK(sigprocmask(SIG_UNBLOCK, &set, &old));
        EXPECT_EQ(sigismember(&old, SIGTERM), 1);
        EXPECT_OK(sigprocmask(SIG_BLOCK, NULL, &old));
        EXPECT_EQ(sigismember(&old, SIGTERM), 0);
    }
}

TEST(inherited_by_fork_but_pending_is_not)
{
    IN_CHILD {
        block_signal(SIG_BLOCK, SIGUSR1);
        raise(SIGUSR1);
        IN_CHILD {
            sigset_t set;
            EXPECT_OK(sigpending(&set));
            EXPECT_EQ(sigismember(&set, SIGUSR1), 0);
            EXPECT_OK(sigprocmask(SIG_BLOCK, NULL, &set));
            EXPECT_EQ(sigismember(&set, SIGUSR1), 1);
        }
    }
}

TEST(ignored_signals_are_not_kept)
{
    IN_CHILD {
        block_signal(SIG_BLOCK, SIGUSR1);
        raise(SIGUSR1);
        signal(SIGUSR1, SIG_IGN);
        signal(SIGUSR1, SIG_DFL);
        sigset_t pending;
        EXPECT_OK(sigpending(&pending));
        EXPECT_EQ(sigismember(&pending, SIGUSR1), 0);
        block_signal(SIG_UNBLOCK, SIGUSR1);
    }
}

TEST(errors)
{
    sigset_t set;
    sigemptyset(&set);
    EXPECT_ERRNO(sigprocmask(99, &set, NULL), EINVAL);
    EXPECT_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), EINVAL);
    EXPECT_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, KERNEL_POINTER, NULL, 8), EFAULT);
    EXPECT_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, KERNEL_POINTER, 8), EFAULT);
    EXPECT_ERRNO(syscall(SYS_rt_sigpending, KERNEL_POINTER, 8), EFAULT);
    EXPECT_ERRNO(syscall(SYS_rt_sigpending, &set, 16), EINVAL);
}
