// SPDX-License-Identifier: Apache-2.0
// covers: write, open, lseek
// write(2): counts, growth, O_APPEND position, read-only descriptors, bad buffers (man 2 write).
#include "guest.h"

TEST(grows_the_file)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_EQ(write(fd, "abc", 3), 3);
    EXPECT_EQ(write(fd, "def", 3), 3);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 6);
    char buffer[8] = {0};
    EXPECT_EQ(pread(fd, buffer, 7, 0), 6);
    EXPECT_STREQ(buffer, "abcdef");
    close(fd);
}

TEST(overwrites_in_the_middle)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_WRONLY));
    EXPECT_EQ(lseek(fd, 4, SEEK_SET), 4);
    EXPECT_EQ(write(fd, "xx", 2), 2);
    close(fd);
    char buffer[16];
    EXPECT_EQ(get_file("f", buffer, sizeof(buffer)), 10);
    EXPECT_STREQ(buffer, "0123xx6789");
}

TEST(append_goes_to_the_end)
{
    in_tmpdir();
    put_file("f", "abc");
    int fd = ASSERT_OK(open("f", O_WRONLY | O_APPEND));
    EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
    EXPECT_EQ(write(fd, "def", 3), 3);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 6);
    close(fd);
    char buffer[16];
    get_file("f", buffer, sizeof(buffer));
    EXPECT_STREQ(buffer, "abcdef");
}

TEST(errors)
{
    in_tmpdir();
    put_file("f", "");
    EXPECT_ERRNO(write(-1, "x", 1), EBADF);
    int fd = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_ERRNO(write(fd, "x", 1), EBADF);
    close(fd);
    fd = ASSERT_OK(open("f", O_WRONLY));
    EXPECT_ERRNO(write(fd, NULL_POINTER, 1), EFAULT);
    EXPECT_ERRNO(write(fd, no_access_page(), 1), EFAULT);
    EXPECT_ERRNO(write(fd, KERNEL_POINTER, 1), EFAULT);
    EXPECT_EQ(write(fd, "", 0), 0);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 0);
    close(fd);
}
