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

// fs.protected_hardlinks (man 5 proc): of others' files only plain ones that one may read and write.
TEST(files_of_others)
{
    char set[8] = "";
    get_file("/proc/sys/fs/protected_hardlinks", set, sizeof(set));
    if (geteuid() != 0 || set[0] != '1')
        SKIP("takes root, and protected hard links");
    in_tmpdir();
    const struct { const char *name; mode_t mode; int error; } files[] = {
        {"mine", 0666, 0},           {"readable", 0644, EPERM},  {"writable", 0622, EPERM},
        {"set_uid", 04666, EPERM},   {"set_gid", 02676, EPERM},  {"locking", 02666, 0},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        put_file(files[i].name, "");
        ASSERT_OK(chmod(files[i].name, files[i].mode));
    }
    ASSERT_OK(symlink("mine", "symlink"));
    ASSERT_OK(mkfifo("fifo", 0666));
    ASSERT_OK(chmod("fifo", 0666));
    put_file("owned", "");
    ASSERT_OK(chown("owned", 54321, 54321));
    ASSERT_OK(chmod("owned", 04600));
    ASSERT_OK(chmod(".", 0777));
    IN_CHILD {
        ASSERT_OK(setgid(54321));
        ASSERT_OK(setuid(54321));
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
            errno = 0;
            link(files[i].name, "new");
            EXPECT_EQ(errno, files[i].error);
            unlink("new");
        }
        EXPECT_ERRNO(link("symlink", "new"), EPERM);
        EXPECT_ERRNO(link("fifo", "new"), EPERM);
        EXPECT_OK(linkat(AT_FDCWD, "symlink", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
        EXPECT_OK(link("owned", "new"));
        EXPECT_ERRNO(link("readable", "new"), EEXIST);
    }
    EXPECT_OK(link("readable", "roots"));
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
