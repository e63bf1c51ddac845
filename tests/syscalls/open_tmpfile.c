// SPDX-License-Identifier: Apache-2.0
// covers: open
// O_TMPFILE makes a nameless file that linkat can name (man 2 open, O_TMPFILE).
#include "guest.h"

static int open_nameless(int flags)
{
    int fd = open(".", O_TMPFILE | flags, 0600);
    if (fd < 0 && errno == EOPNOTSUPP)
        SKIP("the file system has no O_TMPFILE");
    return ASSERT_OK(fd);
}

TEST(has_no_name)
{
    in_tmpdir();
    int fd = open_nameless(O_RDWR);
    EXPECT_EQ(write(fd, "x", 1), 1);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_nlink, 0);
    EXPECT_EQ(st.st_size, 1);
    EXPECT_ERRNO(fchdir(fd), ENOTDIR);
    close(fd);
    ASSERT_OK(mkdir("d", 0700));
    EXPECT_OK(rmdir("d"));
}

TEST(can_be_named)
{
    in_tmpdir();
    int fd = open_nameless(O_RDWR);
    EXPECT_EQ(write(fd, "named", 5), 5);
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    EXPECT_OK(linkat(AT_FDCWD, path, AT_FDCWD, "f", AT_SYMLINK_FOLLOW));
    char buffer[8];
    get_file("f", buffer, sizeof(buffer));
    EXPECT_STREQ(buffer, "named");
    close(fd);
}

TEST(errors)
{
    in_tmpdir();
    put_file("f", "");
    close(open_nameless(O_WRONLY));
    EXPECT_ERRNO(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
    EXPECT_ERRNO(open("f", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
    EXPECT_ERRNO(open("missing", O_TMPFILE | O_RDWR, 0600), ENOENT);
}
