// SPDX-License-Identifier: Apache-2.0
// covers: pipe, pipe2, read, write
// Order, end of file, EPIPE with SIGPIPE, EAGAIN, flags and bad pointers (man 7 pipe).
#include "guest.h"

TEST(order_and_eof)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    EXPECT_EQ(write(fds[1], "abc", 3), 3);
    EXPECT_EQ(write(fds[1], "def", 3), 3);
    char buffer[16] = {0};
    EXPECT_EQ(read(fds[0], buffer, 4), 4);
    EXPECT_STREQ(buffer, "abcd");
    close(fds[1]);
    EXPECT_EQ(read(fds[0], buffer, 16), 2);
    EXPECT_EQ(read(fds[0], buffer, 16), 0);
    close(fds[0]);
}

TEST(direction)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    char c;
    EXPECT_ERRNO(read(fds[1], &c, 1), EBADF);
    EXPECT_ERRNO(write(fds[0], "x", 1), EBADF);
    EXPECT_EQ(fcntl(fds[0], F_GETFL) & O_ACCMODE, O_RDONLY);
    EXPECT_EQ(fcntl(fds[1], F_GETFL) & O_ACCMODE, O_WRONLY);
    close(fds[0]);
    close(fds[1]);
}

TEST(broken_pipe)
{
    IN_CHILD {
        int fds[2];
        ASSERT_OK(pipe(fds));
        close(fds[0]);
        signal(SIGPIPE, SIG_IGN);
        EXPECT_ERRNO(write(fds[1], "x", 1), EPIPE);
    }
    pid_t pid = fork_child();
    if (pid == 0) {
        int fds[2];
        ASSERT_OK(pipe(fds));
        close(fds[0]);
        signal(SIGPIPE, SIG_DFL);
        ssize_t n = write(fds[1], "x", 1);
        _exit(n < 0 ? 3 : 4);
    }
    EXPECT_EQ(wait_exit(pid), -SIGPIPE);
}

TEST(nonblocking)
{
    int fds[2];
    ASSERT_OK(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
    EXPECT_EQ(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(fcntl(fds[1], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    char buffer[4096] = {0};
    EXPECT_ERRNO(read(fds[0], buffer, 1), EAGAIN);
    int total = 0;
    for (ssize_t n; (n = write(fds[1], buffer, sizeof(buffer))) > 0;)
        total += n;
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_EQ(total, 65536);
    EXPECT_EQ(read(fds[0], buffer, sizeof(buffer)), sizeof(buffer));
    EXPECT_EQ(write(fds[1], buffer, sizeof(buffer)), sizeof(buffer));
    close(fds[1]);
    while (read(fds[0], buffer, sizeof(buffer)) > 0)
        ;
    EXPECT_EQ(read(fds[0], buffer, 1), 0);
    close(fds[0]);
}

TEST(errors)
{
    int fds[2] = {-7, -7};
    EXPECT_ERRNO(pipe2(fds, 0x4), EINVAL);
    EXPECT_EQ(fds[0], -7);
    EXPECT_ERRNO(syscall(SYS_pipe, NULL_POINTER), EFAULT);
    EXPECT_ERRNO(syscall(SYS_pipe2, read_only_page(), 0), EFAULT);
}
