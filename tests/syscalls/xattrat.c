// SPDX-License-Identifier: Apache-2.0
// covers: setxattrat, getxattrat, listxattrat, removexattrat
// The at-calls for extended attributes, where the kernel and the file system have them (man 2 setxattrat).
#include "guest.h"

struct xattr_arguments {
    uint64_t value;
    uint32_t size;
    uint32_t flags;
};

enum { SETXATTRAT = 463, GETXATTRAT, LISTXATTRAT, REMOVEXATTRAT };

static long set(int dir, const char *path, int at_flags, const char *name, const char *value)
{
    struct xattr_arguments args = {(uintptr_t)value, strlen(value), 0};
    return syscall(SETXATTRAT, dir, path, at_flags, name, &args, sizeof(args));
}

static void need_calls(void)
{
    in_tmpdir();
    put_file("f", "");
    if (set(AT_FDCWD, "f", 0, "user.a", "one") < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
        SKIP("not offered here");
}

TEST(set_get_list_remove)
{
    need_calls();
    char value[8] = {0}, names[64];
    struct xattr_arguments args = {(uintptr_t)value, sizeof(value), 0};
    EXPECT_EQ(syscall(GETXATTRAT, AT_FDCWD, "f", 0, "user.a", &args, sizeof(args)), 3);
    EXPECT_STREQ(value, "one");
    long size = EXPECT_OK(syscall(LISTXATTRAT, AT_FDCWD, "f", 0, names, sizeof(names)));
    EXPECT_TRUE(size > 0 && memmem(names, size, "user.a", 7));
    int fd = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_OK(set(fd, "", AT_EMPTY_PATH, "user.b", "two"));
    EXPECT_OK(syscall(REMOVEXATTRAT, fd, "", AT_EMPTY_PATH, "user.b"));
    EXPECT_OK(syscall(REMOVEXATTRAT, AT_FDCWD, "f", 0, "user.a"));
    EXPECT_ERRNO(syscall(REMOVEXATTRAT, AT_FDCWD, "f", 0, "user.a"), ENODATA);
    close(fd);
}

TEST(errors)
{
    need_calls();
    struct xattr_arguments args = {0};
    EXPECT_ERRNO(set(AT_FDCWD, "f", 0x4, "user.a", "x"), EINVAL);
    EXPECT_ERRNO(set(AT_FDCWD, "missing", 0, "user.a", "x"), ENOENT);
    EXPECT_ERRNO(syscall(SETXATTRAT, AT_FDCWD, "f", 0, "user.a", &args, 4), EINVAL);
    EXPECT_ERRNO(syscall(SETXATTRAT, AT_FDCWD, "f", 0, "user.a", KERNEL_POINTER, sizeof(args)), EFAULT);
}
