// SPDX-License-Identifier: Apache-2.0
// covers: rename, renameat
// Atomic replacement, directories, the same file, and the refusals (man 2 rename).
#include "guest.h"

TEST(replaces)
{
    in_tmpdir();
    put_file("a", "A");
    put_file("b", "B");
    EXPECT_OK(rename("a", "b"));
    char text[8];
    get_file("b", text, sizeof(text));
    EXPECT_STREQ(text, "A");
    EXPECT_ERRNO(access("a", F_OK), ENOENT);
}

TEST(directories)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    put_file("d/f", "inside");
    ASSERT_OK(mkdir("empty", 0755));
    EXPECT_OK(rename("d", "empty"));
    char text[8];
    EXPECT_EQ(get_file("empty/f", text, sizeof(text)), 6);
    ASSERT_OK(mkdir("other", 0755));
    EXPECT_ERRNO(rename("other", "empty"), ENOTEMPTY);
    EXPECT_OK(rename("empty/f", "other/g"));
    EXPECT_OK(access("other/g", F_OK));
}

TEST(open_files_follow)
{
    in_tmpdir();
    put_file("a", "A");
    put_file("b", "B");
    int fd = ASSERT_OK(open("b", O_RDONLY));
    EXPECT_OK(rename("a", "b"));
    char c;
    EXPECT_EQ(read(fd, &c, 1), 1);
    EXPECT_EQ(c, 'B');
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_nlink, 0);
    close(fd);
}

TEST(same_file)
{
    in_tmpdir();
    put_file("a", "A");
    ASSERT_OK(link("a", "b"));
    EXPECT_OK(rename("a", "b"));
    EXPECT_OK(access("a", F_OK));
    EXPECT_OK(rename("a", "a"));
    EXPECT_OK(access("a", F_OK));
}

TEST(errors)
{
    in_tmpdir();
    put_file("f", "");
    ASSERT_OK(mkdir("d", 0755));
    ASSERT_OK(mkdir("d/sub", 0755));
    EXPECT_ERRNO(rename("missing", "x"), ENOENT);
    EXPECT_ERRNO(rename("f", "d"), EISDIR);
    EXPECT_ERRNO(rename("d", "f"), ENOTDIR);
    EXPECT_ERRNO(rename("d", "d/sub/x"), EINVAL);
    EXPECT_ERRNO(rename("d/sub", "d"), ENOTEMPTY);
    EXPECT_ERRNO(rename("f", "missing/x"), ENOENT);
    EXPECT_ERRNO(rename("f", "f/x"), ENOTDIR);
    EXPECT_ERRNO(rename(".", "x"), EBUSY);
    EXPECT_ERRNO(rename("f", KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(rename("f", ""), ENOENT);
}

TEST(symlinks_are_moved_themselves)
{
    in_tmpdir();
    put_file("f", "x");
    ASSERT_OK(symlink("f", "link"));
    EXPECT_OK(rename("link", "moved"));
    char target[8] = {0};
    EXPECT_EQ(readlink("moved", target, 8), 1);
    EXPECT_STREQ(target, "f");
    EXPECT_OK(access("f", F_OK));
}
