// SPDX-License-Identifier: Apache-2.0
// covers: unlink, unlinkat
// Removing names: open files live on, directories need AT_REMOVEDIR (man 2 unlink).
#include "guest.h"

TEST(open_file_lives_on)
{
    in_tmpdir();
    put_file("f", "alive");
    int fd = ASSERT_OK(open("f", O_RDWR));
    EXPECT_OK(unlink("f"));
    EXPECT_ERRNO(access("f", F_OK), ENOENT);
    char text[16];
    EXPECT_EQ(read_all(fd, text, sizeof(text)), 5);
    EXPECT_STREQ(text, "alive");
    EXPECT_EQ(write(fd, "!", 1), 1);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_nlink, 0);
    EXPECT_EQ(st.st_size, 6);
    put_file("f", "new");
    EXPECT_EQ(pread(fd, text, 5, 0), 5);
    EXPECT_MEMEQ(text, "alive", 5);
    close(fd);
}

TEST(removes_links_not_targets)
{
    in_tmpdir();
    put_file("f", "");
    ASSERT_OK(symlink("f", "link"));
    EXPECT_OK(unlink("link"));
    EXPECT_OK(access("f", F_OK));
}

TEST(unlinkat_directories)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    put_file("d/f", "");
    EXPECT_ERRNO(unlinkat(AT_FDCWD, "d", 0), EISDIR);
    EXPECT_ERRNO(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR), ENOTEMPTY);
    int dir = ASSERT_OK(open("d", O_RDONLY));
    EXPECT_OK(unlinkat(dir, "f", 0));
    EXPECT_OK(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
    EXPECT_ERRNO(openat(dir, "new", O_CREAT | O_WRONLY, 0600), ENOENT);
    close(dir);
}

TEST(errors)
{
    in_tmpdir();
    put_file("f", "");
    EXPECT_ERRNO(unlink("missing"), ENOENT);
    EXPECT_ERRNO(unlink("f/"), ENOTDIR);
    EXPECT_ERRNO(unlink("f/x"), ENOTDIR);
    EXPECT_ERRNO(unlink(""), ENOENT);
    EXPECT_ERRNO(unlink("."), EISDIR);
    EXPECT_ERRNO(unlinkat(AT_FDCWD, "f", AT_REMOVEDIR), ENOTDIR);
    EXPECT_ERRNO(unlinkat(AT_FDCWD, "f", 0x8000), EINVAL);
    EXPECT_ERRNO(unlinkat(-5, "f", 0), EBADF);
    EXPECT_ERRNO(unlink(KERNEL_POINTER), EFAULT);
}
