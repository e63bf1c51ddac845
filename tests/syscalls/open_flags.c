// SPDX-License-Identifier: Apache-2.0
// covers: open, openat
// O_CREAT, O_EXCL, O_TRUNC, O_DIRECTORY, O_NOFOLLOW and access modes (man 2 open).
#include "guest.h"

TEST(create_and_exclusive)
{
    in_tmpdir();
    EXPECT_ERRNO(open("f", O_RDONLY), ENOENT);
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT | O_EXCL, 0640));
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_mode, S_IFREG | 0640);
    close(fd);
    EXPECT_ERRNO(open("f", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
    fd = EXPECT_OK(open("f", O_RDWR | O_CREAT, 0600));
    close(fd);
}

TEST(exclusive_does_not_follow)
{
    in_tmpdir();
    ASSERT_OK(symlink("nowhere", "link"));
    EXPECT_ERRNO(open("link", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    EXPECT_ERRNO(open("link", O_RDONLY), ENOENT);
    int fd = EXPECT_OK(open("link", O_RDWR | O_CREAT, 0600));
    close(fd);
    EXPECT_OK(access("nowhere", F_OK));
}

TEST(truncate)
{
    in_tmpdir();
    put_file("f", "content");
    int fd = EXPECT_OK(open("f", O_WRONLY | O_TRUNC));
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 0);
    close(fd);
}

TEST(directories)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    put_file("f", "");
    int fd = EXPECT_OK(open("d", O_RDONLY | O_DIRECTORY));
    close(fd);
    EXPECT_ERRNO(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
    EXPECT_ERRNO(open("d", O_WRONLY), EISDIR);
    EXPECT_ERRNO(open("d", O_RDWR), EISDIR);
    EXPECT_ERRNO(open("d", O_RDONLY | O_CREAT, 0600), EISDIR);
    EXPECT_ERRNO(open("f/x", O_RDONLY), ENOTDIR);
    EXPECT_ERRNO(open("f/", O_RDONLY), ENOTDIR);
    EXPECT_ERRNO(open("new/", O_WRONLY | O_CREAT, 0600), EISDIR);
}

TEST(nofollow)
{
    in_tmpdir();
    put_file("f", "");
    ASSERT_OK(symlink("f", "link"));
    EXPECT_ERRNO(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
    int fd = EXPECT_OK(open("link", O_RDONLY));
    close(fd);
    ASSERT_OK(mkdir("d", 0755));
    ASSERT_OK(symlink("d", "dirlink"));
    EXPECT_ERRNO(open("dirlink", O_RDONLY | O_DIRECTORY | O_NOFOLLOW), ENOTDIR);
}

TEST(lowest_descriptor)
{
    in_tmpdir();
    put_file("f", "");
    int a = ASSERT_OK(open("f", O_RDONLY));
    int b = ASSERT_OK(open("f", O_RDONLY));
    close(a);
    int c = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_EQ(c, a);
    close(b);
    close(c);
}
