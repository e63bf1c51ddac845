// SPDX-License-Identifier: Apache-2.0
// covers: link, linkat
// Hard links share the inode; what cannot be linked; AT_SYMLINK_FOLLOW (man 2 link).
#include "guest.h"

TEST(shares_the_inode)
{
    in_tmpdir();
    put_file("a", "A");
    EXPECT_OK(link("a", "b"));
    struct stat a, b;
    EXPECT_OK(stat("a", &a));
    EXPECT_OK(stat("b", &b));
    EXPECT_EQ(a.st_ino, b.st_ino);
    EXPECT_EQ(a.st_nlink, 2);
    put_file("b", "changed");
    char text[16];
    get_file("a", text, sizeof(text));
    EXPECT_STREQ(text, "changed");
    EXPECT_OK(unlink("a"));
    EXPECT_OK(stat("b", &b));
    EXPECT_EQ(b.st_nlink, 1);
}

TEST(symlinks)
{
    in_tmpdir();
    put_file("f", "");
    ASSERT_OK(symlink("f", "s"));
    struct stat st;
    EXPECT_OK(link("s", "hard"));
    EXPECT_OK(lstat("hard", &st));
    EXPECT_TRUE(S_ISLNK(st.st_mode));
    EXPECT_OK(linkat(AT_FDCWD, "s", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
    EXPECT_OK(lstat("followed", &st));
    EXPECT_TRUE(S_ISREG(st.st_mode));
}

TEST(errors)
{
    in_tmpdir();
    put_file("a", "");
    put_file("b", "");
    ASSERT_OK(mkdir("d", 0755));
    EXPECT_ERRNO(link("a", "b"), EEXIST);
    EXPECT_ERRNO(link("missing", "x"), ENOENT);
    EXPECT_ERRNO(link("d", "x"), EPERM);
    EXPECT_ERRNO(link("a", "missing/x"), ENOENT);
    EXPECT_ERRNO(link("a/b", "x"), ENOTDIR);
    EXPECT_ERRNO(linkat(AT_FDCWD, "a", AT_FDCWD, "x", 0x8000), EINVAL);
    EXPECT_ERRNO(link("a", NULL_POINTER), EFAULT);
}
