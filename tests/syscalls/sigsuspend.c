// SPDX-License-Identifier: Apache-2.0
// covers: rt_sigsuspend, pause
// Waiting with a temporary mask, which is restored; pause (man 2 sigsuspend, man 2 pause).
#include "guest.h"

static volatile int count;

static void handler(int signal)
{
    count++;
}

TEST(pending_signal_ends_it_at_once)
{
    IN_CHILD {
        on_signal(SIGUSR1, handler, SA_RESTART);
        block_signal(SIG_BLOCK, SIGUSR1);
        raise(SIGUSR1);
        sigset_t none, now;
        sigemptyset(&none);
        EXPECT_ERRNO(sigsuspend(&none), EINTR);
        EXPECT_EQ(count, 1);
        EXPECT_OK(sigprocmask(SIG_BLOCK, NULL, &now));
        EXPECT_EQ(sigismember(&now, SIGUSR1), 1);
    }
}

TEST(waits_for_a_signal)
{
    IN_CHILD {
        on_signal(SIGUSR1, handler, 0);
        block_signal(SIG_BLOCK, SIGUSR1);
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
            sleep_ms(30);
            _exit(kill(parent, SIGUSR1));
        }
        sigset_t none;
        sigemptyset(&none);
        EXPECT_ERRNO(sigsuspend(&none), EINTR);
        EXPECT_EQ(count, 1);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

TEST(pause_returns_after_a_handler)
{
    IN_CHILD {
        on_signal(SIGUSR1, handler, SA_RESTART);
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
            while (kill(parent, SIGUSR1) == 0)
                sleep_ms(20);
            _exit(0);
        }
        EXPECT_ERRNO(pause(), EINTR);
        EXPECT_GE(count, 1);
        kill(pid, SIGKILL);
        wait_exit(pid);
    }
}

TEST(errors)
{
    sigset_t none;
    sigemptyset(&none);
    EXPECT_ERRNO(syscall(SYS_rt_sigsuspend, &none, 4), EINVAL);
    EXPECT_ERRNO(syscall(SYS_rt_sigsuspend, KERNEL_POINTER, 8), EFAULT);
}
