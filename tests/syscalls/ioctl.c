// SPDX-License-Identifier: Apache-2.0
// covers: ioctl
// Common requests: FIONREAD, FIONBIO, FIOCLEX, and ENOTTY for what does not apply (man 2 ioctl).
#include "guest.h"

#include <sys/ioctl.h>
#include <termios.h>

TEST(not_a_terminal)
{
    in_tmpdir();
    put_file("f", "12345");
    int fd = ASSERT_OK(open("f", O_RDONLY)), pipes[2];
    ASSERT_OK(pipe(pipes));
    struct termios termios;
    struct winsize size;
    EXPECT_ERRNO(tcgetattr(fd, &termios), ENOTTY);
    EXPECT_ERRNO(ioctl(pipes[0], TIOCGWINSZ, &size), ENOTTY);
    EXPECT_ERRNO(ioctl(fd, TIOCGPGRP, &size), ENOTTY);
    EXPECT_ERRNO(ioctl(fd, 0xdeadbeef, &size), ENOTTY);
    EXPECT_ERRNO(ioctl(-1, FIONREAD, &size), EBADF);
    EXPECT_EQ(isatty(fd), 0);
    close(fd);
    close(pipes[0]);
    close(pipes[1]);
}

TEST(bytes_to_read)
{
    in_tmpdir();
    put_file("f", "12345");
    int fd = ASSERT_OK(open("f", O_RDONLY)), pipes[2], count = -1;
    EXPECT_OK(ioctl(fd, FIONREAD, &count));
    EXPECT_EQ(count, 5);
    ASSERT_OK(pipe(pipes));
    EXPECT_EQ(write(pipes[1], "abc", 3), 3);
    EXPECT_OK(ioctl(pipes[0], FIONREAD, &count));
    EXPECT_EQ(count, 3);
    EXPECT_ERRNO(ioctl(pipes[0], FIONREAD, KERNEL_POINTER), EFAULT);
    close(fd);
    close(pipes[0]);
    close(pipes[1]);
}

TEST(descriptor_requests)
{
    int pipes[2], on = 1;
    ASSERT_OK(pipe(pipes));
    EXPECT_OK(ioctl(pipes[0], FIONBIO, &on));
    EXPECT_EQ(fcntl(pipes[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    EXPECT_OK(ioctl(pipes[0], FIOCLEX));
    EXPECT_EQ(fcntl(pipes[0], F_GETFD), FD_CLOEXEC);
    EXPECT_OK(ioctl(pipes[0], FIONCLEX));
    EXPECT_EQ(fcntl(pipes[0], F_GETFD), 0);
    close(pipes[0]);
    close(pipes[1]);
}
