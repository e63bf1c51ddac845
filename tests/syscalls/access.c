// SPDX-License-Identifier: Apache-2.0
// covers: access, faccessat, faccessat2
// Permission questions by the real user, missing files, AT_EACCESS (man 2 access).
#include "guest.h"

static bool is_root(void)
{
    return geteuid() == 0;
}

TEST(modes)
{
    in_tmpdir();
    put_file("f", "");
    ASSERT_OK(chmod("f", 0400));
    EXPECT_OK(access("f", F_OK));
    EXPECT_OK(access("f", R_OK));
    if (is_root())
        EXPECT_OK(access("f", W_OK));
    else
        EXPECT_ERRNO(access("f", W_OK), EACCES);
    EXPECT_ERRNO(access("f", X_OK), EACCES);
    ASSERT_OK(chmod("f", 0100));
    EXPECT_OK(access("f", X_OK));
}

TEST(errors)
{
    in_tmpdir();
    put_file("f", "");
    EXPECT_ERRNO(access("missing", F_OK), ENOENT);
    EXPECT_ERRNO(access("f/x", F_OK), ENOTDIR);
    EXPECT_ERRNO(access("f", 8), EINVAL);
    EXPECT_ERRNO(access(KERNEL_POINTER, F_OK), EFAULT);
    EXPECT_ERRNO(faccessat(-5, "f", F_OK, 0), EBADF);
    ASSERT_OK(symlink("gone", "dangling"));
    EXPECT_ERRNO(access("dangling", F_OK), ENOENT);
}

TEST(faccessat2_flags)
{
    in_tmpdir();
    put_file("f", "");
    ASSERT_OK(symlink("gone", "dangling"));
    EXPECT_OK(syscall(SYS_faccessat2, AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
    EXPECT_OK(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS));
    int fd = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_OK(syscall(SYS_faccessat2, fd, "", R_OK, AT_EMPTY_PATH));
    EXPECT_ERRNO(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, 0x4000), EINVAL);
    close(fd);
}

TEST(search_permission)
{
    if (is_root())
        SKIP("root passes every directory");
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0700));
    put_file("d/f", "");
    ASSERT_OK(chmod("d", 0600));
    EXPECT_ERRNO(access("d/f", F_OK), EACCES);
    ASSERT_OK(chmod("d", 0700));
    EXPECT_OK(access("d/f", F_OK));
}
