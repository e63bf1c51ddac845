// SPDX-License-Identifier: Apache-2.0
// covers: setxattr, lsetxattr, fsetxattr, getxattr, lgetxattr, fgetxattr, listxattr, llistxattr
// covers: flistxattr, removexattr, lremovexattr, fremovexattr
// By path, by link and by descriptor the same attributes are meant (man 2 setxattr).
#include "guest.h"

#include <sys/xattr.h>

static void need_xattrs(void)
{
    in_tmpdir();
    put_file("f", "");
    if (setxattr("f", "user.a", "1", 1, 0) < 0 && errno == EOPNOTSUPP)
        SKIP("no user attributes here");
}

TEST(by_descriptor)
{
    need_xattrs();
    int fd = ASSERT_OK(open("f", O_RDONLY));
    char value[8] = {0}, names[256];
    EXPECT_EQ(fgetxattr(fd, "user.a", value, sizeof(value)), 1);
    EXPECT_OK(fsetxattr(fd, "user.b", "22", 2, 0));
    EXPECT_EQ(getxattr("f", "user.b", value, sizeof(value)), 2);
    ssize_t size = EXPECT_OK(flistxattr(fd, names, sizeof(names)));
    EXPECT_TRUE(size > 0 && memmem(names, size, "user.b", 7));
    EXPECT_OK(fremovexattr(fd, "user.b"));
    EXPECT_ERRNO(fgetxattr(fd, "user.b", value, sizeof(value)), ENODATA);
    close(fd);
    fd = ASSERT_OK(open("f", O_PATH));
    EXPECT_ERRNO(fgetxattr(fd, "user.a", value, sizeof(value)), EBADF);
    close(fd);
}

TEST(links)
{
    need_xattrs();
    ASSERT_OK(symlink("f", "link"));
    char value[8], names[256];
    EXPECT_EQ(getxattr("link", "user.a", value, sizeof(value)), 1);
    EXPECT_ERRNO(lsetxattr("link", "user.a", "1", 1, 0), EPERM);
    EXPECT_TRUE(lgetxattr("link", "user.a", value, sizeof(value)) == -1);
    EXPECT_EQ(lgetxattr("f", "user.a", value, sizeof(value)), 1);
    ssize_t size = EXPECT_OK(llistxattr("link", names, sizeof(names)));
    EXPECT_TRUE(size == 0 || !memmem(names, size, "user.a", 7));
    EXPECT_TRUE(lremovexattr("link", "user.a") == -1);
    EXPECT_OK(lremovexattr("f", "user.a"));
}

TEST(names)
{
    need_xattrs();
    char name[300] = "user.";
    memset(name + 5, 'n', sizeof(name) - 6);
    name[256] = 0;
    EXPECT_ERRNO(setxattr("f", name, "1", 1, 0), ERANGE);
    EXPECT_ERRNO(setxattr("f", "", "1", 1, 0), ERANGE);
    EXPECT_ERRNO(setxattr("f", "nonsense.a", "1", 1, 0), EOPNOTSUPP);
    EXPECT_ERRNO(setxattr("f", "user.a", KERNEL_POINTER, 1, 0), EFAULT);
    EXPECT_ERRNO(setxattr("f", "user.a", "1", 65537, 0), E2BIG);
    EXPECT_OK(setxattr("f", "user.empty", NULL, 0, 0));
    EXPECT_EQ(getxattr("f", "user.empty", NULL, 0), 0);
}
