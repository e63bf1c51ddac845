// SPDX-License-Identifier: Apache-2.0
// covers: lseek
// Every whence, holes, beyond the end, and what cannot seek (man 2 lseek).
#include "guest.h"

TEST(whence)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDWR));
    EXPECT_EQ(lseek(fd, 3, SEEK_SET), 3);
    EXPECT_EQ(lseek(fd, 4, SEEK_CUR), 7);
    EXPECT_EQ(lseek(fd, -2, SEEK_END), 8);
    EXPECT_EQ(lseek(fd, 100, SEEK_END), 110);
    EXPECT_EQ(lseek(fd, -110, SEEK_CUR), 0);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 10);
    close(fd);
}

TEST(errors)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDWR));
    EXPECT_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
    EXPECT_ERRNO(lseek(fd, -11, SEEK_END), EINVAL);
    EXPECT_ERRNO(lseek(fd, 0, 99), EINVAL);
    EXPECT_ERRNO(lseek(-1, 0, SEEK_SET), EBADF);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
    close(fd);
    int pipes[2];
    ASSERT_OK(pipe(pipes));
    EXPECT_ERRNO(lseek(pipes[0], 0, SEEK_CUR), ESPIPE);
    close(pipes[0]);
    close(pipes[1]);
}

TEST(data_and_hole)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDWR));
    EXPECT_EQ(lseek(fd, 2, SEEK_DATA), 2);
    EXPECT_EQ(lseek(fd, 2, SEEK_HOLE), 10);
    EXPECT_ERRNO(lseek(fd, 10, SEEK_DATA), ENXIO);
    EXPECT_ERRNO(lseek(fd, 10, SEEK_HOLE), ENXIO);
    close(fd);
}

TEST(shared_by_dup_and_fork)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    int copy = ASSERT_OK(dup(fd));
    EXPECT_EQ(lseek(copy, 5, SEEK_SET), 5);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 5);
    IN_CHILD {
        EXPECT_EQ(lseek(fd, 2, SEEK_CUR), 7);
    }
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 7);
    close(fd);
    close(copy);
}
