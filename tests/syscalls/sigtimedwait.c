// SPDX-License-Identifier: Apache-2.0
// covers: rt_sigtimedwait, rt_sigqueueinfo
// Taking signals synchronously with their data, timeouts, order (man 2 sigwaitinfo).
#include "guest.h"

static sigset_t set_of(int a, int b)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, a);
    sigaddset(&set, b);
    return set;
}

TEST(takes_pending)
{
    IN_CHILD {
        sigset_t set = set_of(SIGUSR1, SIGRTMIN);
        ASSERT_OK(sigprocmask(SIG_BLOCK, &set, NULL));
        union sigval value = {.sival_int = 1234};
        EXPECT_OK(sigqueue(getpid(), SIGRTMIN, value));
        siginfo_t info;
        EXPECT_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
        EXPECT_EQ(info.si_code, SI_QUEUE);
        EXPECT_EQ(info.si_value.sival_int, 1234);
        EXPECT_EQ(info.si_pid, getpid());
        EXPECT_EQ(info.si_uid, getuid());
        EXPECT_OK(kill(getpid(), SIGUSR1));
        EXPECT_EQ(sigwaitinfo(&set, &info), SIGUSR1);
        EXPECT_EQ(info.si_code, SI_USER);
    }
}

TEST(timeout)
{
    IN_CHILD {
        sigset_t set = set_of(SIGUSR1, SIGUSR2);
        ASSERT_OK(sigprocmask(SIG_BLOCK, &set, NULL));
        struct timespec zero = {0, 0}, some = {0, 30000000}, bad = {0, -1};
        EXPECT_ERRNO(sigtimedwait(&set, NULL, &zero), EAGAIN);
        int64_t start = now_ms();
        EXPECT_ERRNO(sigtimedwait(&set, NULL, &some), EAGAIN);
        EXPECT_GE(now_ms() - start, 29);
        EXPECT_ERRNO(sigtimedwait(&set, NULL, &bad), EINVAL);
    }
}

TEST(waits_for_another_process)
{
    IN_CHILD {
        sigset_t set = set_of(SIGUSR1, SIGUSR2);
        ASSERT_OK(sigprocmask(SIG_BLOCK, &set, NULL));
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
            sleep_ms(30);
            _exit(kill(parent, SIGUSR2));
        }
        siginfo_t info;
        EXPECT_EQ(sigwaitinfo(&set, &info), SIGUSR2);
        EXPECT_EQ(info.si_pid, pid);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

static void handler(int signal)
{
}

TEST(other_signals_interrupt)
{
    IN_CHILD {
        sigset_t set = set_of(SIGUSR1, SIGUSR1);
        ASSERT_OK(sigprocmask(SIG_BLOCK, &set, NULL));
        on_signal(SIGUSR2, handler, 0);
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
            sleep_ms(50);
            _exit(kill(parent, SIGUSR2));
        }
        EXPECT_ERRNO(sigwaitinfo(&set, NULL), EINTR);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

TEST(errors)
{
    sigset_t set = set_of(SIGUSR1, SIGUSR1);
    EXPECT_ERRNO(syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, 4), EINVAL);
    EXPECT_ERRNO(syscall(SYS_rt_sigtimedwait, KERNEL_POINTER, NULL, NULL, 8), EFAULT);
    EXPECT_ERRNO(syscall(SYS_rt_sigtimedwait, &set, NULL, KERNEL_POINTER, 8), EFAULT);
}
