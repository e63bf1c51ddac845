// SPDX-License-Identifier: Apache-2.0
// covers: creat
// creat is open with O_CREAT, O_WRONLY and O_TRUNC (man 2 creat).
#include "guest.h"

TEST(creates_and_truncates)
{
    in_tmpdir();
    int fd = ASSERT_OK(creat("f", 0640));
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
    EXPECT_EQ(write(fd, "content", 7), 7);
    close(fd);
    struct stat st;
    EXPECT_OK(stat("f", &st));
    EXPECT_EQ(st.st_mode, S_IFREG | 0640);
    close(EXPECT_OK(creat("f", 0777)));
    EXPECT_OK(stat("f", &st));
    EXPECT_EQ(st.st_size, 0);
    EXPECT_EQ(st.st_mode & 0777, 0640);
}

TEST(read_only_mode_still_writes)
{
    in_tmpdir();
    int fd = ASSERT_OK(creat("f", 0400));
    EXPECT_EQ(write(fd, "x", 1), 1);
    close(fd);
    if (geteuid() != 0)
        EXPECT_ERRNO(creat("f", 0400), EACCES);
}

TEST(errors)
{
    in_tmpdir();
    EXPECT_ERRNO(creat("missing/f", 0600), ENOENT);
    EXPECT_ERRNO(creat(".", 0600), EISDIR);
    EXPECT_ERRNO(creat("", 0600), ENOENT);
    EXPECT_ERRNO(creat(KERNEL_POINTER, 0600), EFAULT);
}
