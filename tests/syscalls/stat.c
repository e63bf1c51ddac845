// SPDX-License-Identifier: Apache-2.0
// covers: stat, lstat, fstat, newfstatat
// Types, sizes, link counts and modes; following and not following links (man 2 stat).
#include "guest.h"

#include <sys/sysmacros.h>

TEST(regular_file)
{
    in_tmpdir();
    put_file("f", "12345");
    ASSERT_OK(chmod("f", 0754));
    struct stat st;
    EXPECT_OK(stat("f", &st));
    EXPECT_EQ(st.st_mode, S_IFREG | 0754);
    EXPECT_EQ(st.st_size, 5);
    EXPECT_EQ(st.st_nlink, 1);
    EXPECT_EQ(st.st_uid, geteuid());
    EXPECT_GE(st.st_blksize, 512);
}

TEST(links)
{
    in_tmpdir();
    put_file("f", "12345");
    ASSERT_OK(symlink("f", "link"));
    struct stat st, target;
    EXPECT_OK(lstat("link", &st));
    EXPECT_EQ(st.st_mode, S_IFLNK | 0777);
    EXPECT_EQ(st.st_size, 1);
    EXPECT_OK(stat("link", &st));
    EXPECT_OK(stat("f", &target));
    EXPECT_EQ(st.st_ino, target.st_ino);
    EXPECT_OK(fstatat(AT_FDCWD, "link", &st, AT_SYMLINK_NOFOLLOW));
    EXPECT_TRUE(S_ISLNK(st.st_mode));
    ASSERT_OK(symlink("gone", "dangling"));
    EXPECT_ERRNO(stat("dangling", &st), ENOENT);
    EXPECT_OK(lstat("dangling", &st));
}

TEST(other_types)
{
    struct stat st;
    EXPECT_OK(stat("/", &st));
    EXPECT_TRUE(S_ISDIR(st.st_mode));
    EXPECT_OK(stat("/dev/null", &st));
    EXPECT_TRUE(S_ISCHR(st.st_mode));
    EXPECT_EQ(major(st.st_rdev), 1);
    EXPECT_EQ(minor(st.st_rdev), 3);
    int pipes[2];
    ASSERT_OK(pipe(pipes));
    EXPECT_OK(fstat(pipes[0], &st));
    EXPECT_TRUE(S_ISFIFO(st.st_mode));
    close(pipes[0]);
    close(pipes[1]);
}

TEST(empty_path)
{
    in_tmpdir();
    put_file("f", "12345");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    struct stat st;
    EXPECT_OK(fstatat(fd, "", &st, AT_EMPTY_PATH));
    EXPECT_EQ(st.st_size, 5);
    EXPECT_ERRNO(fstatat(fd, "", &st, 0), ENOENT);
    EXPECT_OK(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
    EXPECT_TRUE(S_ISDIR(st.st_mode));
    close(fd);
}

TEST(errors)
{
    in_tmpdir();
    put_file("f", "");
    struct stat st;
    EXPECT_ERRNO(stat("missing", &st), ENOENT);
    EXPECT_ERRNO(stat("f/x", &st), ENOTDIR);
    EXPECT_ERRNO(stat("", &st), ENOENT);
    EXPECT_ERRNO(syscall(SYS_stat, "f", NULL_POINTER), EFAULT);
    EXPECT_ERRNO(syscall(SYS_lstat, "f", read_only_page()), EFAULT);
    EXPECT_ERRNO(syscall(SYS_stat, no_access_page(), &st), EFAULT);
    EXPECT_ERRNO(fstat(-1, &st), EBADF);
    EXPECT_ERRNO(fstatat(AT_FDCWD, "f", &st, 0x40000), EINVAL);
}
