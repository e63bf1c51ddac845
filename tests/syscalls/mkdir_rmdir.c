// SPDX-License-Identifier: Apache-2.0
// covers: mkdir, mkdirat, rmdir
// Directories: modes through umask, link counts, and every common refusal (man 2 mkdir, man 2 rmdir).
#include "guest.h"

TEST(mode_and_links)
{
    in_tmpdir();
    umask(027);
    EXPECT_OK(mkdir("d", 0777));
    umask(022);
    struct stat st;
    EXPECT_OK(stat("d", &st));
    EXPECT_EQ(st.st_mode, S_IFDIR | 0750);
    EXPECT_OK(mkdir("d/sub", 0755));
    EXPECT_OK(access("d/sub/..", F_OK));
    EXPECT_OK(rmdir("d/sub"));
    EXPECT_OK(rmdir("d"));
    EXPECT_ERRNO(access("d", F_OK), ENOENT);
}

TEST(mkdir_errors)
{
    in_tmpdir();
    put_file("f", "");
    ASSERT_OK(symlink("gone", "dangling"));
    EXPECT_ERRNO(mkdir("f", 0755), EEXIST);
    EXPECT_ERRNO(mkdir(".", 0755), EEXIST);
    EXPECT_ERRNO(mkdir("/", 0755), EEXIST);
    EXPECT_ERRNO(mkdir("dangling", 0755), EEXIST);
    EXPECT_ERRNO(mkdir("f/d", 0755), ENOTDIR);
    EXPECT_ERRNO(mkdir("gone/d", 0755), ENOENT);
    EXPECT_ERRNO(mkdir("", 0755), ENOENT);
    EXPECT_ERRNO(mkdir(KERNEL_POINTER, 0755), EFAULT);
    EXPECT_ERRNO(mkdirat(-5, "d", 0755), EBADF);
}

TEST(rmdir_errors)
{
    in_tmpdir();
    put_file("f", "");
    ASSERT_OK(mkdir("d", 0755));
    put_file("d/f", "");
    EXPECT_ERRNO(rmdir("d"), ENOTEMPTY);
    EXPECT_ERRNO(rmdir("f"), ENOTDIR);
    EXPECT_ERRNO(rmdir("missing"), ENOENT);
    EXPECT_ERRNO(rmdir("d/."), EINVAL);
    EXPECT_ERRNO(rmdir("d/.."), ENOTEMPTY);
    ASSERT_OK(symlink("d", "link"));
    EXPECT_ERRNO(rmdir("link"), ENOTDIR);
}

TEST(trailing_slash)
{
    in_tmpdir();
    EXPECT_OK(mkdir("d/", 0755));
    EXPECT_OK(rmdir("d/"));
}

TEST(setgid_is_inherited)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    ASSERT_OK(chmod("d", 02755));
    struct stat st;
    EXPECT_OK(mkdir("d/sub", 0755));
    EXPECT_OK(stat("d/sub", &st));
    EXPECT_EQ(st.st_mode & S_ISGID, S_ISGID);
}
