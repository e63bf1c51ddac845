// SPDX-License-Identifier: Apache-2.0
// covers: read, open, close, pipe
// read(2) on files and pipes: counts, end of file, short reads, offsets and bad descriptors (man 2 read).
#include "guest.h"

TEST(counts_and_eof)
{
    in_tmpdir();
    put_file("f", "hello world");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    char buffer[32] = {0};
    EXPECT_EQ(read(fd, buffer, 5), 5);
    EXPECT_STREQ(buffer, "hello");
    EXPECT_EQ(read(fd, buffer, sizeof(buffer)), 6);
    EXPECT_MEMEQ(buffer, " world", 6);
    EXPECT_EQ(read(fd, buffer, sizeof(buffer)), 0);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 11);
    close(fd);
}

TEST(zero_length)
{
    in_tmpdir();
    put_file("f", "x");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    char c;
    EXPECT_EQ(read(fd, &c, 0), 0);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
    close(fd);
}

TEST(bad_descriptors)
{
    in_tmpdir();
    char c;
    EXPECT_ERRNO(read(-1, &c, 1), EBADF);
    EXPECT_ERRNO(read(9999, &c, 1), EBADF);
    int fd = ASSERT_OK(open("f", O_WRONLY | O_CREAT, 0600));
    EXPECT_ERRNO(read(fd, &c, 1), EBADF);
    close(fd);
    EXPECT_ERRNO(read(fd, &c, 1), EBADF);
    fd = ASSERT_OK(open(".", O_RDONLY));
    EXPECT_ERRNO(read(fd, &c, 1), EISDIR);
    close(fd);
}

TEST(bad_buffers)
{
    in_tmpdir();
    put_file("f", "data");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_ERRNO(read(fd, NULL_POINTER, 4), EFAULT);
    EXPECT_ERRNO(read(fd, KERNEL_POINTER, 4), EFAULT);
    EXPECT_ERRNO(read(fd, read_only_page(), 4), EFAULT);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
    close(fd);
}

TEST(past_the_end)
{
    in_tmpdir();
    put_file("f", "data");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    char c;
    EXPECT_EQ(lseek(fd, 100, SEEK_SET), 100);
    EXPECT_EQ(read(fd, &c, 1), 0);
    close(fd);
}
