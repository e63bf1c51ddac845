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
    EXPECT_EQ(poll(&p, 1, 20000), 1);
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

TEST(takes_a_descriptor)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            pause();
    }
    int fd = ASSERT_OK(syscall(SYS_pidfd_open, pid, 0)), end = fds[1];
    close(fds[1]);
    int got = syscall(SYS_pidfd_getfd, fd, end, 0);
    if (got < 0 && (errno == ENOSYS || (errno == EPERM && geteuid() != 0)))
        SKIP("tracing is not allowed here");
    ASSERT_OK(got);
    EXPECT_EQ(fcntl(got, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(write(got, "x", 1), 1);
    EXPECT_ERRNO(syscall(SYS_pidfd_getfd, fd, 4000, 0), EBADF);
    EXPECT_ERRNO(syscall(SYS_pidfd_getfd, fd, end, 1), EINVAL);
    EXPECT_ERRNO(syscall(SYS_pidfd_getfd, got, 0, 0), EBADF);
    if (geteuid() == 0) {
        IN_CHILD {
            ASSERT_OK(setuid(54321));
            EXPECT_ERRNO(syscall(SYS_pidfd_getfd, fd, end, 0), EPERM);
        }
    }
    kill(pid, SIGKILL);
    EXPECT_EQ(wait_exit(pid), -SIGKILL);
    EXPECT_ERRNO(syscall(SYS_pidfd_getfd, fd, end, 0), ESRCH);
    close(got);
    close(fds[0]);
    close(fd);
}

TEST(proc_directory_is_one)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            pause();
    }
    char name[32];
    snprintf(name, sizeof(name), "/proc/%d", pid);
    int dir = ASSERT_OK(open(name, O_RDONLY | O_DIRECTORY));
    EXPECT_OK(syscall(SYS_pidfd_send_signal, dir, SIGTERM, NULL, 0));
    EXPECT_EQ(wait_exit(pid), -SIGTERM);
    EXPECT_ERRNO(syscall(SYS_pidfd_send_signal, dir, SIGTERM, NULL, 0), ESRCH);
    close(dir);
    dir = ASSERT_OK(open("/proc", O_RDONLY | O_DIRECTORY));
    EXPECT_ERRNO(syscall(SYS_pidfd_send_signal, dir, SIGTERM, NULL, 0), EBADF);
    close(dir);
}
