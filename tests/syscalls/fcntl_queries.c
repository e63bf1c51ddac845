// SPDX-License-Identifier: Apache-2.0
// covers: fcntl
// What fcntl tells of a descriptor's file and of its inode (man 2 fcntl): F_DUPFD_QUERY, F_CREATED_QUERY,
// hints of how long data lives.
#include "guest.h"

#define DUPFD_QUERY 1027
#define CREATED_QUERY 1028
#define GET_RW_HINT 1035
#define SET_RW_HINT 1036

TEST(same_file)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    if (fcntl(fd, DUPFD_QUERY, fd) < 0 && errno == EINVAL)
        SKIP("an older kernel");
    int again = ASSERT_OK(open("f", O_RDWR)), same = ASSERT_OK(dup(fd)), path = ASSERT_OK(open("f", O_PATH));
    EXPECT_EQ(fcntl(fd, DUPFD_QUERY, fd), 1);
    EXPECT_EQ(fcntl(fd, DUPFD_QUERY, same), 1);
    EXPECT_EQ(fcntl(fd, DUPFD_QUERY, again), 0);
    EXPECT_EQ(fcntl(path, DUPFD_QUERY, path), 1);
    EXPECT_ERRNO(fcntl(fd, DUPFD_QUERY, -1), EBADF);
    EXPECT_ERRNO(fcntl(-1, DUPFD_QUERY, fd), EBADF);
    close(fd);
    close(again);
    close(same);
    close(path);
}

TEST(created)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    if (fcntl(fd, CREATED_QUERY) < 0 && errno == EINVAL)
        SKIP("an older kernel");
    int again = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_EQ(fcntl(fd, CREATED_QUERY), 1);
    EXPECT_EQ(fcntl(again, CREATED_QUERY), 0);
    close(again);
    again = ASSERT_OK(dup(fd));
    EXPECT_EQ(fcntl(again, CREATED_QUERY), 1);
    close(fd);
    close(again);
    fd = ASSERT_OK(open("g", O_RDWR | O_CREAT | O_EXCL, 0600));
    EXPECT_EQ(fcntl(fd, CREATED_QUERY), 1);
    close(fd);
    fd = ASSERT_OK(open(".", O_RDWR | O_TMPFILE, 0600));
    EXPECT_EQ(fcntl(fd, CREATED_QUERY), 0);  // it has no name
    close(fd);
    fd = ASSERT_OK(open("f", O_PATH));
    EXPECT_EQ(fcntl(fd, CREATED_QUERY), 0);
    close(fd);
}

TEST(hints)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600)), again = ASSERT_OK(open("f", O_RDWR)), ends[2];
    uint64_t hint = 9;
    EXPECT_OK(fcntl(fd, GET_RW_HINT, &hint));
    EXPECT_EQ(hint, 0);
    hint = 5;
    EXPECT_OK(fcntl(fd, SET_RW_HINT, &hint));
    hint = 9;
    EXPECT_OK(fcntl(again, GET_RW_HINT, &hint));
    EXPECT_EQ(hint, 5);
    hint = 6;
    EXPECT_ERRNO(fcntl(fd, SET_RW_HINT, &hint), EINVAL);
    hint = 1ull << 32;
    EXPECT_ERRNO(fcntl(fd, SET_RW_HINT, &hint), EINVAL);
    EXPECT_ERRNO(fcntl(fd, SET_RW_HINT, NULL_POINTER), EFAULT);
    EXPECT_ERRNO(fcntl(fd, GET_RW_HINT, KERNEL_POINTER), EFAULT);
    ASSERT_OK(pipe(ends));
    hint = 2;
    EXPECT_OK(fcntl(ends[0], SET_RW_HINT, &hint));
    int path = ASSERT_OK(open("f", O_PATH));
    EXPECT_ERRNO(fcntl(path, GET_RW_HINT, &hint), EBADF);
    IN_CHILD {
        if (geteuid() != 0)
            SKIP("not root");
        ASSERT_OK(setresuid(1000, 1000, 1000));
        EXPECT_ERRNO(fcntl(fd, SET_RW_HINT, &hint), EPERM);
        EXPECT_OK(fcntl(fd, GET_RW_HINT, &hint));
    }
    close(path);
    close(fd);
    close(again);
    close(ends[0]);
    close(ends[1]);
}
