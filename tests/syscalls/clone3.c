// SPDX-License-Identifier: Apache-2.0
// covers: clone3
// The extensible structure: sizes, exit signal, flags checked, pidfd (man 2 clone3).
#include "guest.h"

#include <linux/sched.h>
#include <poll.h>

static pid_t clone3(struct clone_args *args)
{
    return syscall(SYS_clone3, args, sizeof(*args));
}

TEST(like_fork)
{
    struct clone_args args = {.exit_signal = SIGCHLD};
    pid_t pid = clone3(&args);
    if (pid == 0)
        _exit(9);
    EXPECT_EQ(wait_exit(pid), 9);
}

TEST(tids)
{
    pid_t in_parent = 0, in_child = 0;
    struct clone_args args = {.flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID,
                              .exit_signal = SIGCHLD,
                              .parent_tid = (uintptr_t)&in_parent,
                              .child_tid = (uintptr_t)&in_child};
    pid_t pid = clone3(&args);
    if (pid == 0)
        _exit(in_child == syscall(SYS_getpid) ? 0 : 1);
    EXPECT_EQ(in_parent, pid);
    EXPECT_EQ(wait_exit(pid), 0);
}

TEST(pidfd)
{
    int pidfd = -1;
    struct clone_args args = {.flags = CLONE_PIDFD, .exit_signal = SIGCHLD, .pidfd = (uintptr_t)&pidfd};
    pid_t pid = clone3(&args);
    if (pid == 0)
        _exit(4);
    struct pollfd p = {pidfd, POLLIN, 0};
    EXPECT_EQ(poll(&p, 1, 20000), 1);
    EXPECT_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
    siginfo_t info;
    EXPECT_OK(waitid(P_PIDFD, pidfd, &info, WEXITED));
    EXPECT_EQ(info.si_pid, pid);
    EXPECT_EQ(info.si_status, 4);
    close(pidfd);
}

TEST(errors)
{
    struct clone_args args = {.exit_signal = SIGCHLD};
    EXPECT_ERRNO(syscall(SYS_clone3, &args, 8), EINVAL);
    EXPECT_ERRNO(syscall(SYS_clone3, &args, 100000), E2BIG);
    EXPECT_ERRNO(syscall(SYS_clone3, KERNEL_POINTER, sizeof(args)), EFAULT);
    args =
        (struct clone_args){.flags = CLONE_PIDFD, .exit_signal = SIGCHLD, .pidfd = (uintptr_t)KERNEL_POINTER};
    EXPECT_ERRNO(clone3(&args), EFAULT);
    args = (struct clone_args){.exit_signal = SIGCHLD};
    args.exit_signal = 1000;
    EXPECT_ERRNO(clone3(&args), EINVAL);
    args = (struct clone_args){.flags = CLONE_SIGHAND, .exit_signal = SIGCHLD};
    EXPECT_ERRNO(clone3(&args), EINVAL);
    args = (struct clone_args){.stack = 0x1000, .exit_signal = SIGCHLD};
    EXPECT_ERRNO(clone3(&args), EINVAL);
    args = (struct clone_args){.flags = CLONE_DETACHED, .exit_signal = SIGCHLD};
    EXPECT_ERRNO(clone3(&args), EINVAL);
}
