// SPDX-License-Identifier: Apache-2.0
// covers: fcntl
// Descriptor flags, status flags, F_DUPFD minimums and bad commands (man 2 fcntl).
#include "guest.h"

TEST(dupfd)
{
    int fd = EXPECT_OK(fcntl(1, F_DUPFD, 200));
    EXPECT_EQ(fd, 200);
    int next = EXPECT_OK(fcntl(1, F_DUPFD_CLOEXEC, 200));
    EXPECT_EQ(next, 201);
    EXPECT_EQ(fcntl(fd, F_GETFD), 0);
    EXPECT_EQ(fcntl(next, F_GETFD), FD_CLOEXEC);
    EXPECT_ERRNO(fcntl(1, F_DUPFD, -1), EINVAL);
    EXPECT_ERRNO(fcntl(1, F_DUPFD, INT_MAX), EINVAL);
    close(fd);
    close(next);
}

TEST(descriptor_flags)
{
    int fd = ASSERT_OK(dup(1));
    EXPECT_OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(fcntl(1, F_GETFD), 0);
    EXPECT_OK(fcntl(fd, F_SETFD, 0));
    EXPECT_EQ(fcntl(fd, F_GETFD), 0);
    close(fd);
}

TEST(status_flags)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT | O_EXCL | O_TRUNC | O_APPEND, 0600));
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    EXPECT_EQ(fcntl(fd, F_GETFL) & (O_CREAT | O_EXCL | O_TRUNC), 0);
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
    EXPECT_OK(fcntl(fd, F_SETFL, O_NONBLOCK));
    EXPECT_EQ(fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK), O_NONBLOCK);
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    EXPECT_OK(fcntl(fd, F_SETFL, O_WRONLY));
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    close(fd);
}

TEST(errors)
{
    EXPECT_ERRNO(fcntl(-1, F_GETFD), EBADF);
    EXPECT_ERRNO(fcntl(9999, F_GETFL), EBADF);
    EXPECT_ERRNO(fcntl(1, 9999), EINVAL);
    EXPECT_ERRNO(fcntl(1, F_GETLK, NULL_POINTER), EFAULT);
}
