// SPDX-License-Identifier: Apache-2.0
// covers: dup, dup2, dup3
// Duplicates share the open file; descriptor flags do not; dup3 is stricter than dup2 (man 2 dup).
#include "guest.h"

TEST(shares_the_open_file)
{
    in_tmpdir();
    put_file("f", "abcdef");
    int fd = ASSERT_OK(open("f", O_RDONLY | O_CLOEXEC));
    int copy = ASSERT_OK(dup(fd));
    EXPECT_EQ(fcntl(copy, F_GETFD), 0);
    char c;
    EXPECT_EQ(read(fd, &c, 1), 1);
    EXPECT_EQ(read(copy, &c, 1), 1);
    EXPECT_EQ(c, 'b');
    EXPECT_OK(fcntl(copy, F_SETFL, O_APPEND));
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
    close(fd);
    EXPECT_EQ(read(copy, &c, 1), 1);
    close(copy);
}

TEST(dup2_replaces)
{
    in_tmpdir();
    put_file("a", "A");
    put_file("b", "B");
    int a = ASSERT_OK(open("a", O_RDONLY)), b = ASSERT_OK(open("b", O_RDONLY));
    EXPECT_EQ(dup2(a, b), b);
    char c;
    EXPECT_EQ(read(b, &c, 1), 1);
    EXPECT_EQ(c, 'A');
    EXPECT_EQ(dup2(a, a), a);
    EXPECT_OK(fcntl(a, F_GETFD));
    close(a);
    close(b);
}

TEST(errors)
{
    EXPECT_ERRNO(dup(-1), EBADF);
    EXPECT_ERRNO(dup2(-1, 50), EBADF);
    EXPECT_ERRNO(dup2(9999, 9999), EBADF);
    EXPECT_ERRNO(dup2(1, -1), EBADF);
    EXPECT_ERRNO(dup2(1, INT_MAX), EBADF);
    EXPECT_ERRNO(dup3(1, 1, 0), EINVAL);
    EXPECT_ERRNO(dup3(1, 50, O_APPEND), EINVAL);
    EXPECT_ERRNO(dup3(-1, 50, 0), EBADF);
}

TEST(dup3_flag)
{
    EXPECT_EQ(dup3(1, 50, O_CLOEXEC), 50);
    EXPECT_EQ(fcntl(50, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(dup3(1, 50, 0), 50);
    EXPECT_EQ(fcntl(50, F_GETFD), 0);
    close(50);
}
