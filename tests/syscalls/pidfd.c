// SPDX-License-Identifier: Apache-2.0
// covers: pidfd_open, pidfd_send_signal, pidfd_getfd
// A descriptor for a process: polling, signalling, waiting, stale ones (man 2 pidfd_open).
#include "guest.h"

#include <poll.h>
#include <sys/pidfd.h>

TEST(lifecycle)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            pause();
    }
    int fd = ASSERT_OK(syscall(SYS_pidfd_open, pid, 0));
    struct pollfd p = {fd, POLLIN, 0};
    EXPECT_EQ(poll(&p, 1, 0), 0);
    EXPECT_OK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
    EXPECT_EQ(poll(&p, 1, 5000), 1);
    siginfo_t info;
    EXPECT_OK(waitid(P_PIDFD, fd, &info, WEXITED));
    EXPECT_EQ(info.si_status, SIGTERM);
    EXPECT_ERRNO(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), ESRCH);
    EXPECT_ERRNO(syscall(SYS_pidfd_open, pid, 0), ESRCH);
    close(fd);
}

TEST(errors)
{
    EXPECT_ERRNO(syscall(SYS_pidfd_open, -1, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_pidfd_open, 999999999, 0), ESRCH);
    EXPECT_ERRNO(syscall(SYS_pidfd_open, getpid(), 0x1), EINVAL);
    EXPECT_ERRNO(syscall(SYS_pidfd_send_signal, 0, 0, NULL, 0), EBADF);
    EXPECT_ERRNO(syscall(SYS_pidfd_send_signal, -1, 0, NULL, 0), EBADF);
}

TEST(nonblocking_wait)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            pause();
    }
    int fd = ASSERT_OK(syscall(SYS_pidfd_open, pid, O_NONBLOCK));
    siginfo_t info;
    EXPECT_ERRNO(waitid(P_PIDFD, fd, &info, WEXITED), EAGAIN);
    EXPECT_EQ(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG), 0);
    kill(pid, SIGKILL);
    EXPECT_EQ(wait_exit(pid), -SIGKILL);
    close(fd);
}
