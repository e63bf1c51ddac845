// SPDX-License-Identifier: Apache-2.0
// covers: wait4, waitid
// Who can be waited for, WNOHANG, ECHILD and bad options (man 2 wait4).
#include "guest.h"

TEST(no_children)
{
    IN_CHILD {
        int status;
        EXPECT_ERRNO(waitpid(-1, &status, 0), ECHILD);
        EXPECT_ERRNO(waitpid(getpid(), &status, 0), ECHILD);
        EXPECT_ERRNO(waitpid(-1, &status, WNOHANG), ECHILD);
        siginfo_t info;
        EXPECT_ERRNO(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
    }
}

TEST(nohang_while_running)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t pid = fork_child();
    if (pid == 0) {
        char c;
        close(fds[1]);
        ssize_t n = read(fds[0], &c, 1);
        _exit(n == 0 ? 7 : 8);
    }
    int status = 0x5555;
    EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
    EXPECT_EQ(status, 0x5555);
    close(fds[0]);
    close(fds[1]);
    EXPECT_EQ(wait_exit(pid), 7);
    EXPECT_ERRNO(waitpid(pid, &status, 0), ECHILD);
}

TEST(any_and_specific)
{
    IN_CHILD {
        pid_t a = fork();
        if (a == 0)
            _exit(1);
        pid_t b = fork();
        if (b == 0)
            _exit(2);
        int status;
        EXPECT_EQ(waitpid(b, &status, 0), b);
        EXPECT_EQ(WEXITSTATUS(status), 2);
        EXPECT_EQ(wait(&status), a);
        EXPECT_EQ(WEXITSTATUS(status), 1);
    }
}

TEST(bad_options)
{
    int status;
    EXPECT_ERRNO(waitpid(-1, &status, 0x10000), EINVAL);
    siginfo_t info;
    EXPECT_ERRNO(waitid(P_ALL, 0, &info, 0), EINVAL);
    EXPECT_ERRNO(waitid(99, 0, &info, WEXITED), EINVAL);
    EXPECT_ERRNO(waitid(P_PID, 0, &info, WEXITED), EINVAL);
}

TEST(bad_status_pointer)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    siginfo_t info;
    EXPECT_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
    EXPECT_ERRNO(syscall(SYS_wait4, pid, KERNEL_POINTER, 0, NULL), EFAULT);
}
