// SPDX-License-Identifier: Apache-2.0
// covers: chdir, fchdir, getcwd
// The working directory: absolute and relative, by descriptor, removed, inherited (man 2 chdir, man 2
// getcwd).
#include "guest.h"

TEST(moves)
{
    in_tmpdir();
    char top[PATH_MAX], here[PATH_MAX];
    ASSERT_TRUE(getcwd(top, sizeof(top)));
    ASSERT_OK(mkdir("d", 0755));
    ASSERT_OK(symlink("d", "link"));
    EXPECT_OK(chdir("link"));
    ASSERT_TRUE(getcwd(here, sizeof(here)));
    strcat(top, "/d");
    EXPECT_STREQ(here, top);
    EXPECT_OK(chdir(".."));
    EXPECT_OK(access("d", F_OK));
    EXPECT_OK(chdir("/"));
    EXPECT_STREQ(getcwd(here, sizeof(here)), "/");
}

TEST(by_descriptor)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    put_file("d/f", "");
    int fd = ASSERT_OK(open("d", O_RDONLY)), file = ASSERT_OK(open("d/f", O_RDONLY));
    EXPECT_OK(fchdir(fd));
    EXPECT_OK(access("f", F_OK));
    EXPECT_ERRNO(fchdir(file), ENOTDIR);
    EXPECT_ERRNO(fchdir(-1), EBADF);
    close(fd);
    close(file);
}

TEST(raw_getcwd)
{
    char buffer[PATH_MAX];
    EXPECT_OK(chdir("/"));
    EXPECT_EQ(syscall(SYS_getcwd, buffer, sizeof(buffer)), 2);
    EXPECT_ERRNO(syscall(SYS_getcwd, buffer, 1), ERANGE);
    EXPECT_ERRNO(syscall(SYS_getcwd, KERNEL_POINTER, 100), EFAULT);
}

TEST(removed_directory)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    IN_CHILD {
        EXPECT_OK(chdir("d"));
        EXPECT_OK(rmdir("../d"));
        char buffer[PATH_MAX];
        EXPECT_ERRNO(syscall(SYS_getcwd, buffer, sizeof(buffer)), ENOENT);
        EXPECT_ERRNO(open("f", O_WRONLY | O_CREAT, 0600), ENOENT);
        EXPECT_OK(chdir(".."));
    }
}

TEST(renamed_directory)
{
    in_tmpdir();
    ASSERT_OK(mkdir("old", 0755));
    EXPECT_OK(chdir("old"));
    EXPECT_OK(rename("../old", "../new"));
    char here[PATH_MAX];
    ASSERT_TRUE(getcwd(here, sizeof(here)));
    EXPECT_STREQ(strrchr(here, '/'), "/new");
}

TEST(errors)
{
    in_tmpdir();
    put_file("f", "");
    EXPECT_ERRNO(chdir("f"), ENOTDIR);
    EXPECT_ERRNO(chdir("missing"), ENOENT);
    EXPECT_ERRNO(chdir(""), ENOENT);
    EXPECT_ERRNO(chdir(NULL_POINTER), EFAULT);
    IN_CHILD {
        EXPECT_OK(chdir(".."));
    }
    EXPECT_OK(access("f", F_OK));
}
