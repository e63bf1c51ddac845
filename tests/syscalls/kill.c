// SPDX-License-Identifier: Apache-2.0
// covers: kill, tgkill, tkill
// Targets, permission, signal 0, bad arguments (man 2 kill, man 2 tgkill).
#include "guest.h"

TEST(signal_zero_probes)
{
    EXPECT_OK(kill(getpid(), 0));
    EXPECT_ERRNO(kill(999999999, 0), ESRCH);
    EXPECT_ERRNO(kill(getpid(), 65), EINVAL);
    EXPECT_ERRNO(kill(getpid(), -1), EINVAL);
    EXPECT_ERRNO(kill(INT_MIN, 0), ESRCH);
}

TEST(zombies_can_be_signalled)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    siginfo_t info;
    EXPECT_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
    EXPECT_OK(kill(pid, SIGTERM));
    EXPECT_EQ(wait_exit(pid), 0);
    EXPECT_ERRNO(kill(pid, 0), ESRCH);
}

TEST(permission)
{
    if (geteuid() != 0)
        SKIP("needs root to be two users");
    pid_t parent = getpid();
    IN_CHILD {
        ASSERT_OK(setgid(54321));
        ASSERT_OK(setuid(54321));
        EXPECT_ERRNO(kill(parent, 0), EPERM);
        EXPECT_ERRNO(kill(parent, SIGTERM), EPERM);
        EXPECT_OK(kill(getpid(), 0));
    }
}

TEST(thread_targets)
{
    EXPECT_OK(syscall(SYS_tgkill, getpid(), gettid(), 0));
    EXPECT_ERRNO(syscall(SYS_tgkill, getpid(), 999999999, 0), ESRCH);
    EXPECT_ERRNO(syscall(SYS_tgkill, 999999999, gettid(), 0), ESRCH);
    EXPECT_ERRNO(syscall(SYS_tgkill, -1, gettid(), 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_tgkill, getpid(), 0, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_tkill, 0, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_tkill, 999999999, 0), ESRCH);
}
