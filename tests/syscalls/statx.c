// SPDX-License-Identifier: Apache-2.0
// covers: statx
// statx reports what stat does, with a mask, and refuses reserved bits (man 2 statx).
#include "guest.h"

TEST(basic_fields)
{
    in_tmpdir();
    put_file("f", "12345");
    struct statx stx = {0};
    EXPECT_OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &stx));
    EXPECT_EQ(stx.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
    EXPECT_EQ(stx.stx_mode, S_IFREG | 0644);
    EXPECT_EQ(stx.stx_size, 5);
    EXPECT_EQ(stx.stx_nlink, 1);
    struct stat st;
    EXPECT_OK(stat("f", &st));
    EXPECT_EQ(stx.stx_ino, st.st_ino);
    EXPECT_EQ(stx.stx_mtime.tv_sec, st.st_mtim.tv_sec);
    EXPECT_EQ(stx.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);
}

TEST(links_and_empty_path)
{
    in_tmpdir();
    put_file("f", "12345");
    ASSERT_OK(symlink("f", "link"));
    struct statx stx;
    EXPECT_OK(statx(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &stx));
    EXPECT_TRUE(S_ISLNK(stx.stx_mode));
    int fd = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_OK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &stx));
    EXPECT_EQ(stx.stx_size, 5);
    close(fd);
}

TEST(errors)
{
    in_tmpdir();
    struct statx stx;
    EXPECT_ERRNO(statx(AT_FDCWD, "missing", 0, STATX_ALL, &stx), ENOENT);
    EXPECT_ERRNO(statx(AT_FDCWD, ".", 0x100000, STATX_ALL, &stx), EINVAL);
    EXPECT_ERRNO(statx(AT_FDCWD, ".", 0, 0x80000000U, &stx), EINVAL);
    EXPECT_ERRNO(statx(AT_FDCWD, ".", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_ALL, &stx), EINVAL);
    EXPECT_ERRNO(syscall(SYS_statx, AT_FDCWD, ".", 0, STATX_ALL, NULL_POINTER), EFAULT);
    EXPECT_ERRNO(statx(-1, "f", 0, STATX_ALL, &stx), EBADF);
}
