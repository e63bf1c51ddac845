// SPDX-License-Identifier: Apache-2.0
// covers: close, close_range
// close and close_range: what is closed, what stays, CLOEXEC marking, bad ranges (man 2 close_range).
#include "guest.h"

TEST(close_errors)
{
    EXPECT_ERRNO(close(-1), EBADF);
    EXPECT_ERRNO(close(12345), EBADF);
    int fd = ASSERT_OK(dup(0));
    EXPECT_OK(close(fd));
    EXPECT_ERRNO(close(fd), EBADF);
}

TEST(closes_the_range)
{
    IN_CHILD {
        for (int fd = 100; fd < 110; fd++)
            ASSERT_EQ(dup2(1, fd), fd);
        EXPECT_OK(close_range(102, 107, 0));
        EXPECT_OK(fcntl(101, F_GETFD));
        EXPECT_ERRNO(fcntl(102, F_GETFD), EBADF);
        EXPECT_ERRNO(fcntl(107, F_GETFD), EBADF);
        EXPECT_OK(fcntl(108, F_GETFD));
        EXPECT_OK(close_range(3, ~0U, 0));
        EXPECT_ERRNO(fcntl(108, F_GETFD), EBADF);
        EXPECT_OK(fcntl(1, F_GETFD));
    }
}

TEST(marks_close_on_exec)
{
    IN_CHILD {
        ASSERT_EQ(dup2(1, 100), 100);
        EXPECT_OK(close_range(100, 200, CLOSE_RANGE_CLOEXEC));
        EXPECT_EQ(fcntl(100, F_GETFD), FD_CLOEXEC);
    }
}

TEST(unshares)
{
    IN_CHILD {
        EXPECT_OK(close_range(100, 200, CLOSE_RANGE_UNSHARE));
    }
}

TEST(bad_arguments)
{
    EXPECT_ERRNO(close_range(10, 5, 0), EINVAL);
    EXPECT_ERRNO(close_range(10, 20, 0x80), EINVAL);
}
