// SPDX-License-Identifier: Apache-2.0
// covers: rt_sigqueueinfo, rt_tgsigqueueinfo
// Real-time signals queue in order with data, lowest number first; forged codes are refused (man 7 signal).
#include "guest.h"

static volatile int values[64], signals[64], count;

static void handler(int signal, siginfo_t *info, void *context)
{
    signals[count] = signal;
    values[count++] = info->si_value.sival_int;
}

TEST(order)
{
    IN_CHILD {
        on_siginfo(SIGRTMIN, handler, 0);
        on_siginfo(SIGRTMIN + 1, handler, 0);
        sigset_t set, old;
        sigfillset(&set);
        ASSERT_OK(sigprocmask(SIG_SETMASK, &set, &old));
        for (int i = 0; i < 10; i++) {
            EXPECT_OK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 100 + i}));
            EXPECT_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}));
        }
        ASSERT_OK(sigprocmask(SIG_SETMASK, &old, NULL));
        EXPECT_EQ(count, 20);
        // Frames are stacked for all before any handler runs: the last one made runs first.
        int low = 0, high = 0;
        for (int i = 0; i < count; i++)
            signals[i] == SIGRTMIN ? (low += values[i]) : (high += values[i]);
        EXPECT_EQ(low, 45);
        EXPECT_EQ(high, 1045);
    }
}

TEST(taken_one_by_one_lowest_first)
{
    IN_CHILD {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGRTMIN);
        sigaddset(&set, SIGRTMIN + 3);
        ASSERT_OK(sigprocmask(SIG_BLOCK, &set, NULL));
        EXPECT_OK(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 3}));
        EXPECT_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 1}));
        EXPECT_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 2}));
        for (int want = 1; want <= 3; want++) {
            siginfo_t info;
            EXPECT_EQ(sigwaitinfo(&set, &info), want == 3 ? SIGRTMIN + 3 : SIGRTMIN);
            EXPECT_EQ(info.si_value.sival_int, want);
        }
    }
}

TEST(forged_information)
{
    IN_CHILD {
        siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_USER};
        signal(SIGUSR1, SIG_IGN);
        EXPECT_OK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
        pid_t parent = getpid(), pid = fork_child();
        if (pid == 0) {
            EXPECT_ERRNO(syscall(SYS_rt_sigqueueinfo, parent, SIGUSR1, &info), EPERM);
            info.si_code = SI_TKILL;
            EXPECT_ERRNO(syscall(SYS_rt_sigqueueinfo, parent, SIGUSR1, &info), EPERM);
            info.si_code = SI_QUEUE;
            EXPECT_OK(syscall(SYS_rt_sigqueueinfo, parent, SIGUSR1, &info));
            child_done();
        }
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

TEST(errors)
{
    siginfo_t info = {.si_code = SI_QUEUE};
    EXPECT_ERRNO(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(syscall(SYS_rt_sigqueueinfo, getpid(), 65, &info), EINVAL);
    EXPECT_ERRNO(syscall(SYS_rt_sigqueueinfo, 999999999, SIGUSR1, &info), ESRCH);
    EXPECT_ERRNO(syscall(SYS_rt_tgsigqueueinfo, -1, gettid(), SIGUSR1, &info), EINVAL);
    EXPECT_ERRNO(sigqueue(getpid(), 65, (union sigval){0}), EINVAL);
}
