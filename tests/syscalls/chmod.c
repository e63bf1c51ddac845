// SPDX-License-Identifier: Apache-2.0
// covers: chmod, fchmod, fchmodat, fchmodat2
// Mode changes, special bits, links followed, refusals (man 2 chmod).
#include "guest.h"

static int mode_of(const char *path)
{
    struct stat st;
    return lstat(path, &st) < 0 ? -1 : (int)(st.st_mode & 07777);
}

TEST(changes)
{
    in_tmpdir();
    put_file("f", "");
    EXPECT_OK(chmod("f", 0604));
    EXPECT_EQ(mode_of("f"), 0604);
    EXPECT_OK(chmod("f", 04711));
    EXPECT_EQ(mode_of("f"), 04711);
    int fd = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_OK(fchmod(fd, 0640));
    EXPECT_EQ(mode_of("f"), 0640);
    EXPECT_OK(fchmodat(AT_FDCWD, "f", 0600, 0));
    EXPECT_EQ(mode_of("f"), 0600);
    close(fd);
}

TEST(follows_links)
{
    in_tmpdir();
    put_file("f", "");
    ASSERT_OK(symlink("f", "link"));
    EXPECT_OK(chmod("link", 0600));
    EXPECT_EQ(mode_of("f"), 0600);
    EXPECT_EQ(mode_of("link"), 0777);
}

TEST(mode_takes_effect)
{
    if (geteuid() == 0)
        SKIP("root passes every mode");
    in_tmpdir();
    put_file("f", "");
    EXPECT_OK(chmod("f", 0));
    EXPECT_ERRNO(open("f", O_RDONLY), EACCES);
    EXPECT_OK(chmod("f", 0400));
    int fd = EXPECT_OK(open("f", O_RDONLY));
    EXPECT_ERRNO(open("f", O_WRONLY), EACCES);
    close(fd);
}

TEST(writing_clears_set_id)
{
    if (geteuid() == 0)
        SKIP("root keeps the bits");
    in_tmpdir();
    put_file("f", "");
    EXPECT_OK(chmod("f", 06777));
    int fd = ASSERT_OK(open("f", O_WRONLY));
    EXPECT_EQ(write(fd, "x", 1), 1);
    EXPECT_EQ(mode_of("f"), 0777);
    close(fd);
}

TEST(errors)
{
    in_tmpdir();
    EXPECT_ERRNO(chmod("missing", 0600), ENOENT);
    EXPECT_ERRNO(fchmod(-1, 0600), EBADF);
    EXPECT_ERRNO(chmod(NULL_POINTER, 0600), EFAULT);
    if (geteuid() != 0)
        EXPECT_ERRNO(chmod("/", 0777), EPERM);
}

TEST(fchmodat2)
{
    in_tmpdir();
    put_file("f", "");
    int fd = ASSERT_OK(open("f", O_PATH));
    if (syscall(452, fd, "", 0600, AT_EMPTY_PATH) < 0 && errno == ENOSYS)
        SKIP("fchmodat2 is newer than this kernel");
    EXPECT_EQ(mode_of("f"), 0600);
    EXPECT_ERRNO(syscall(452, AT_FDCWD, "f", 0600, 0x8000), EINVAL);
    close(fd);
}
