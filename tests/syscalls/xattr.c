// SPDX-License-Identifier: Apache-2.0
// covers: setxattr, getxattr, listxattr, removexattr, fsetxattr, lgetxattr
// Extended attributes where the file system has them; otherwise EOPNOTSUPP (man 7 xattr).
#include "guest.h"

#include <sys/xattr.h>

static void need_xattrs(void)
{
    in_tmpdir();
    put_file("f", "");
    if (setxattr("f", "user.probe", "v", 1, 0) < 0 && errno == EOPNOTSUPP)
        SKIP("no user attributes here");
    EXPECT_OK(removexattr("f", "user.probe"));
}

TEST(set_get_remove)
{
    need_xattrs();
    char value[16] = {0};
    EXPECT_OK(setxattr("f", "user.a", "hello", 5, 0));
    EXPECT_EQ(getxattr("f", "user.a", NULL, 0), 5);
    EXPECT_EQ(getxattr("f", "user.a", value, sizeof(value)), 5);
    EXPECT_STREQ(value, "hello");
    EXPECT_ERRNO(getxattr("f", "user.a", value, 2), ERANGE);
    EXPECT_OK(removexattr("f", "user.a"));
    EXPECT_ERRNO(getxattr("f", "user.a", value, sizeof(value)), ENODATA);
    EXPECT_ERRNO(removexattr("f", "user.a"), ENODATA);
}

TEST(create_and_replace)
{
    need_xattrs();
    EXPECT_ERRNO(setxattr("f", "user.a", "1", 1, XATTR_REPLACE), ENODATA);
    EXPECT_OK(setxattr("f", "user.a", "1", 1, XATTR_CREATE));
    EXPECT_ERRNO(setxattr("f", "user.a", "2", 1, XATTR_CREATE), EEXIST);
    EXPECT_OK(setxattr("f", "user.a", "2", 1, XATTR_REPLACE));
    EXPECT_ERRNO(setxattr("f", "user.a", "2", 1, 0x10), EINVAL);
}

TEST(lists)
{
    need_xattrs();
    EXPECT_OK(setxattr("f", "user.one", "1", 1, 0));
    char names[256];
    ssize_t size = EXPECT_OK(listxattr("f", names, sizeof(names)));
    EXPECT_TRUE(size > 0 && memmem(names, size, "user.one", 9));
}

TEST(missing_files)
{
    char value[8];
    EXPECT_ERRNO(getxattr("/nonexistent", "user.a", value, 8), ENOENT);
    EXPECT_ERRNO(fgetxattr(-1, "user.a", value, 8), EBADF);
    EXPECT_ERRNO(getxattr(KERNEL_POINTER, "user.a", value, 8), EFAULT);
}

TEST(absent_attribute)
{
    in_tmpdir();
    put_file("f", "");
    char value[64];
    ssize_t size = getxattr("f", "user.absent", value, sizeof(value));
    EXPECT_TRUE(size == -1 && (errno == ENODATA || errno == EOPNOTSUPP));
}

TEST(bare_prefixes)
{
    in_tmpdir();
    put_file("f", "");
    char value[8];
    EXPECT_ERRNO(setxattr("f", "user.", "1", 1, 0), EINVAL);
    EXPECT_ERRNO(getxattr("f", "user.", value, sizeof(value)), EINVAL);
    EXPECT_ERRNO(removexattr("f", "user."), EINVAL);
    EXPECT_ERRNO(getxattr("f", "security.", value, sizeof(value)), EINVAL);
    if (geteuid() != 0)
        return;
    EXPECT_ERRNO(setxattr("f", "security.", "1", 1, 0), EINVAL);
    EXPECT_ERRNO(setxattr("f", "trusted.", "1", 1, 0), EINVAL);
    EXPECT_ERRNO(getxattr("f", "trusted.", value, sizeof(value)), EINVAL);
}

TEST(security)
{
    in_tmpdir();
    put_file("f", "x");
    if (setxattr("f", "security.guest", "v", 1, 0) < 0) {
        EXPECT_TRUE(errno == EOPNOTSUPP || (errno == EPERM && geteuid() != 0));
        SKIP("no security attributes here");
    }
    char value[8];
    EXPECT_EQ(getxattr("f", "security.guest", value, sizeof(value)), 1);
    IN_CHILD {
        ASSERT_OK(chmod("f", 0666));
        ASSERT_OK(chmod(".", 0755));
        ASSERT_OK(setuid(54321));
        EXPECT_ERRNO(setxattr("f", "security.guest", "w", 1, 0), EPERM);
        EXPECT_ERRNO(removexattr("f", "security.guest"), EPERM);
    }
    EXPECT_OK(removexattr("f", "security.guest"));
}
