// SPDX-License-Identifier: Apache-2.0
// covers: open, openat
// Path walking: loops, long names, empty paths, dots and slashes, directory descriptors (man 7
// path_resolution).
#include "guest.h"

TEST(symlink_loop)
{
    in_tmpdir();
    ASSERT_OK(symlink("b", "a"));
    ASSERT_OK(symlink("a", "b"));
    EXPECT_ERRNO(open("a", O_RDONLY), ELOOP);
    ASSERT_OK(symlink("self/x", "self"));
    EXPECT_ERRNO(open("self", O_RDONLY), ELOOP);
}

TEST(forty_links_at_most)
{
    in_tmpdir();
    put_file("l0", "end");
    char from[16], to[16];
    for (int i = 0; i < 41; i++) {
        snprintf(to, sizeof(to), "l%d", i);
        snprintf(from, sizeof(from), "l%d", i + 1);
        ASSERT_OK(symlink(to, from));
    }
    int fd = EXPECT_OK(open("l40", O_RDONLY));
    close(fd);
    EXPECT_ERRNO(open("l41", O_RDONLY), ELOOP);
}

TEST(lengths)
{
    in_tmpdir();
    char name[5000];
    memset(name, 'n', sizeof(name));
    name[255] = 0;
    int fd = EXPECT_OK(open(name, O_WRONLY | O_CREAT, 0600));
    close(fd);
    name[255] = 'n';
    name[256] = 0;
    EXPECT_ERRNO(open(name, O_WRONLY | O_CREAT, 0600), ENAMETOOLONG);
    for (int i = 0; i < 4096; i += 2)
        memcpy(name + i, "./", 2);
    name[4095] = 0;
    EXPECT_ERRNO(open(name, O_WRONLY), EISDIR);
    memcpy(name + 4094, "./", 3);
    EXPECT_ERRNO(open(name, O_WRONLY), ENAMETOOLONG);
    EXPECT_ERRNO(open("", O_RDONLY), ENOENT);
    EXPECT_ERRNO(open(NULL_POINTER, O_RDONLY), EFAULT);
    EXPECT_ERRNO(open(KERNEL_POINTER, O_RDONLY), EFAULT);
    char *edge = edge_of_page(3);
    memcpy(edge, "abc", 3);
    EXPECT_ERRNO(open(edge, O_RDONLY), EFAULT);
}

TEST(dots_and_slashes)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    put_file("d/f", "");
    int fd = EXPECT_OK(open("./d/..//d/./f", O_RDONLY));
    close(fd);
    fd = EXPECT_OK(open("/../../", O_RDONLY));
    close(fd);
    EXPECT_ERRNO(open("missing/../d/f", O_RDONLY), ENOENT);
    EXPECT_ERRNO(open("d/f/../f", O_RDONLY), ENOTDIR);
}

TEST(directory_descriptor)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    put_file("d/f", "in d");
    put_file("f", "");
    int dir = ASSERT_OK(open("d", O_RDONLY | O_DIRECTORY));
    int fd = EXPECT_OK(openat(dir, "f", O_RDONLY));
    char buffer[8];
    read_all(fd, buffer, sizeof(buffer));
    EXPECT_STREQ(buffer, "in d");
    int file = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_ERRNO(openat(file, "f", O_RDONLY), ENOTDIR);
    EXPECT_ERRNO(openat(-5, "f", O_RDONLY), EBADF);
    int root = EXPECT_OK(openat(-5, "/", O_RDONLY));
    EXPECT_OK(rename("d", "moved"));
    int again = EXPECT_OK(openat(dir, "f", O_RDONLY));
    close(again);
    close(root);
    close(file);
    close(fd);
    close(dir);
}
