// SPDX-License-Identifier: Apache-2.0
// covers: truncate, ftruncate
// Shrinking, growing with zeros, and the refusals (man 2 truncate).
#include "guest.h"

TEST(shrinks_and_grows)
{
    in_tmpdir();
    put_file("f", "0123456789");
    EXPECT_OK(truncate("f", 4));
    char text[32];
    EXPECT_EQ(get_file("f", text, sizeof(text)), 4);
    EXPECT_STREQ(text, "0123");
    EXPECT_OK(truncate("f", 8));
    EXPECT_EQ(get_file("f", text, sizeof(text)), 8);
    EXPECT_MEMEQ(text, "0123\0\0\0\0", 8);
}

TEST(by_descriptor)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDWR));
    EXPECT_EQ(lseek(fd, 8, SEEK_SET), 8);
    EXPECT_OK(ftruncate(fd, 2));
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 8);
    EXPECT_EQ(write(fd, "x", 1), 1);
    char text[32];
    EXPECT_EQ(get_file("f", text, sizeof(text)), 9);
    EXPECT_MEMEQ(text, "01\0\0\0\0\0\0x", 9);
    close(fd);
}

TEST(large_and_sparse)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_OK(ftruncate(fd, 1LL << 32));
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 1LL << 32);
    EXPECT_RANGE(st.st_blocks, 0, 1000);
    char c = 1;
    EXPECT_EQ(pread(fd, &c, 1, (1LL << 32) - 1), 1);
    EXPECT_EQ(c, 0);
    close(fd);
}

TEST(errors)
{
    in_tmpdir();
    put_file("f", "x");
    ASSERT_OK(mkdir("d", 0755));
    EXPECT_ERRNO(truncate("f", -1), EINVAL);
    EXPECT_ERRNO(truncate("missing", 0), ENOENT);
    EXPECT_ERRNO(truncate("d", 0), EISDIR);
    EXPECT_ERRNO(truncate("f/x", 0), ENOTDIR);
    EXPECT_ERRNO(truncate(KERNEL_POINTER, 0), EFAULT);
    int fd = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_ERRNO(ftruncate(fd, 0), EINVAL);
    EXPECT_ERRNO(ftruncate(-1, 0), EBADF);
    close(fd);
    if (geteuid() != 0) {
        ASSERT_OK(chmod("f", 0400));
        EXPECT_ERRNO(truncate("f", 0), EACCES);
    }
}
