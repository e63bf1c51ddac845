// SPDX-License-Identifier: Apache-2.0
// covers: open, openat
// O_PATH descriptors name a file and refuse I/O (man 2 open, O_PATH).
#include "guest.h"

TEST(no_io)
{
    in_tmpdir();
    put_file("f", "data");
    int fd = ASSERT_OK(open("f", O_PATH));
    char c;
    EXPECT_ERRNO(read(fd, &c, 1), EBADF);
    EXPECT_ERRNO(write(fd, "x", 1), EBADF);
    EXPECT_ERRNO(ftruncate(fd, 0), EBADF);
    EXPECT_ERRNO(fchmod(fd, 0600), EBADF);
    EXPECT_ERRNO(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), EBADF);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 4);
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
    close(fd);
}

TEST(needs_no_permission_and_names_links)
{
    in_tmpdir();
    put_file("f", "data");
    ASSERT_OK(chmod("f", 0));
    int fd = EXPECT_OK(open("f", O_PATH));
    close(fd);
    ASSERT_OK(symlink("nowhere", "link"));
    fd = ASSERT_OK(open("link", O_PATH | O_NOFOLLOW));
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_TRUE(S_ISLNK(st.st_mode));
    char target[16] = {0};
    EXPECT_EQ(readlinkat(fd, "", target, sizeof(target)), 7);
    EXPECT_STREQ(target, "nowhere");
    close(fd);
}

TEST(as_a_base_for_walking)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    put_file("d/f", "");
    int dir = ASSERT_OK(open("d", O_PATH));
    int fd = EXPECT_OK(openat(dir, "f", O_RDONLY));
    close(fd);
    EXPECT_OK(fchdir(dir));
    EXPECT_OK(access("f", F_OK));
    close(dir);
}
