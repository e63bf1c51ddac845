// SPDX-License-Identifier: Apache-2.0
// covers: openat2
// The how structure is checked strictly; RESOLVE flags bound the walk (man 2 openat2).
#include "guest.h"

#include <linux/openat2.h>

static long openat2(int dir, const char *path, struct open_how how)
{
    return syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

TEST(opens)
{
    in_tmpdir();
    int fd = EXPECT_OK(openat2(AT_FDCWD, "f", (struct open_how){.flags = O_CREAT | O_RDWR, .mode = 0600}));
    EXPECT_EQ(write(fd, "x", 1), 1);
    close(fd);
}

TEST(strict_arguments)
{
    in_tmpdir();
    put_file("f", "");
    EXPECT_ERRNO(openat2(AT_FDCWD, "f", (struct open_how){.flags = 1ULL << 40}), EINVAL);
    EXPECT_ERRNO(openat2(AT_FDCWD, "f", (struct open_how){.flags = O_RDONLY, .mode = 0600}), EINVAL);
    EXPECT_ERRNO(openat2(AT_FDCWD, "f", (struct open_how){.flags = O_CREAT, .mode = 0200000}), EINVAL);
    EXPECT_ERRNO(openat2(AT_FDCWD, "f", (struct open_how){.resolve = 1ULL << 50}), EINVAL);
    struct open_how how = {.flags = O_RDONLY};
    EXPECT_ERRNO(syscall(SYS_openat2, AT_FDCWD, "f", &how, 8), EINVAL);
    EXPECT_ERRNO(syscall(SYS_openat2, AT_FDCWD, "f", &how, 100000), E2BIG);
    EXPECT_ERRNO(syscall(SYS_openat2, AT_FDCWD, "f", NULL_POINTER, sizeof(how)), EFAULT);
    struct {
        struct open_how how;
        uint64_t tail;
    } longer = {.tail = 1};
    EXPECT_ERRNO(syscall(SYS_openat2, AT_FDCWD, "f", &longer, sizeof(longer)), E2BIG);
    longer.tail = 0;
    int fd = EXPECT_OK(syscall(SYS_openat2, AT_FDCWD, "f", &longer, sizeof(longer)));
    close(fd);
}

TEST(beneath)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    put_file("d/f", "");
    put_file("out", "");
    ASSERT_OK(symlink("../out", "d/up"));
    ASSERT_OK(symlink("/", "d/root"));
    int dir = ASSERT_OK(open("d", O_PATH));
    struct open_how how = {.resolve = RESOLVE_BENEATH};
    int fd = EXPECT_OK(openat2(dir, "f", how));
    close(fd);
    EXPECT_ERRNO(openat2(dir, "../out", how), EXDEV);
    EXPECT_ERRNO(openat2(dir, "up", how), EXDEV);
    EXPECT_ERRNO(openat2(dir, "root", how), EXDEV);
    EXPECT_ERRNO(openat2(dir, "/", how), EXDEV);
    close(dir);
}

TEST(in_root_and_no_links)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    put_file("d/f", "");
    ASSERT_OK(symlink("/f", "d/abs"));
    int dir = ASSERT_OK(open("d", O_PATH));
    int fd = EXPECT_OK(openat2(dir, "abs", (struct open_how){.resolve = RESOLVE_IN_ROOT}));
    close(fd);
    fd = EXPECT_OK(openat2(dir, "../../f", (struct open_how){.resolve = RESOLVE_IN_ROOT}));
    close(fd);
    EXPECT_ERRNO(openat2(dir, "abs", (struct open_how){.resolve = RESOLVE_NO_SYMLINKS}), ELOOP);
    close(dir);
}
