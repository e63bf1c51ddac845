// SPDX-License-Identifier: Apache-2.0
// covers: symlink, symlinkat, readlink, readlinkat
// Link contents, truncation of the answer, refusals (man 2 symlink, man 2 readlink).
#include "guest.h"

TEST(content)
{
    in_tmpdir();
    EXPECT_OK(symlink("any/thing at all", "link"));
    char target[64];
    memset(target, '#', sizeof(target));
    EXPECT_EQ(readlink("link", target, sizeof(target)), 16);
    EXPECT_EQ(target[16], '#');
    EXPECT_MEMEQ(target, "any/thing at all", 16);
    EXPECT_EQ(readlink("link", target, 3), 3);
}

TEST(through_directories)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    put_file("d/f", "deep");
    ASSERT_OK(symlink("d", "ld"));
    ASSERT_OK(symlink("ld/f", "lf"));
    char text[8];
    EXPECT_EQ(get_file("lf", text, sizeof(text)), 4);
    EXPECT_EQ(get_file("ld/f", text, sizeof(text)), 4);
    struct stat st;
    EXPECT_OK(lstat("ld/", &st));
    EXPECT_TRUE(S_ISDIR(st.st_mode));
    int dir = ASSERT_OK(open("d", O_RDONLY));
    EXPECT_OK(symlinkat("../lf", dir, "back"));
    EXPECT_EQ(get_file("d/back", text, sizeof(text)), 4);
    EXPECT_EQ(readlinkat(dir, "back", text, sizeof(text)), 5);
    close(dir);
}

TEST(errors)
{
    in_tmpdir();
    put_file("f", "");
    char target[8];
    EXPECT_ERRNO(symlink("x", "f"), EEXIST);
    EXPECT_ERRNO(symlink("", "new"), ENOENT);
    EXPECT_ERRNO(symlink("x", ""), ENOENT);
    EXPECT_ERRNO(symlink("x", "f/y"), ENOTDIR);
    EXPECT_ERRNO(symlink(KERNEL_POINTER, "y"), EFAULT);
    EXPECT_ERRNO(readlink("f", target, 8), EINVAL);
    EXPECT_ERRNO(readlink("missing", target, 8), ENOENT);
    ASSERT_OK(symlink("x", "link"));
    EXPECT_ERRNO(syscall(SYS_readlink, "link", target, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_readlink, "link", NULL_POINTER, 8), EFAULT);
    EXPECT_ERRNO(syscall(SYS_readlink, NULL_POINTER, target, 8), EFAULT);
}

TEST(long_target)
{
    in_tmpdir();
    char *long_name = malloc(5000);
    memset(long_name, 'a', 5000);
    long_name[4096] = 0;
    EXPECT_ERRNO(symlink(long_name, "link"), ENAMETOOLONG);
    long_name[1000] = 0;
    EXPECT_OK(symlink(long_name, "link"));
    char target[2000];
    EXPECT_EQ(readlink("link", target, sizeof(target)), 1000);
    free(long_name);
}

TEST(empty_name)
{
    in_tmpdir();
    char text[8];
    ASSERT_OK(symlink("x", "link"));
    EXPECT_ERRNO(readlink("", text, sizeof(text)), ENOENT);
    int fd = ASSERT_OK(open("link", O_PATH | O_NOFOLLOW));
    EXPECT_EQ(readlinkat(fd, "", text, sizeof(text)), 1);
    close(fd);
}
