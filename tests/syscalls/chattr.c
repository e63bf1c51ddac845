// SPDX-License-Identifier: Apache-2.0
// covers: ioctl, statx
// Flags of files: FS_IOC_GETFLAGS and SETFLAGS, FSGETXATTR and FSSETXATTR; what immutable and append-only
// files refuse (man 1 chattr, man 2const FS_IOC_GETFLAGS). As root, where the file system has them.
#include "guest.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static int flags_of(const char *path, int *flags) {
    int fd = ASSERT_OK(open(path, O_RDONLY | O_NONBLOCK));
    int r = ioctl(fd, FS_IOC_GETFLAGS, flags), err = errno;
    close(fd);
    errno = err;
    *flags &= FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL;
    return r;
}
// Changes only the flags of `mask`.
static int set_flags(const char *path, int mask, int to) {
    int all = 0, fd = ASSERT_OK(open(path, O_RDONLY | O_NONBLOCK));
    if (ioctl(fd, FS_IOC_GETFLAGS, &all) < 0) {
        close(fd);
        return -1;
    }
    all = (all & ~mask) | to;
    int r = ioctl(fd, FS_IOC_SETFLAGS, &all), err = errno;
    close(fd);
    errno = err;
    return r;
}
#define GUARDS (FS_IMMUTABLE_FL | FS_APPEND_FL)
static void need_flags(void) {
    if (geteuid() != 0)
        SKIP("not root");
    in_tmpdir();
    put_file("f", "text");
    if (set_flags("f", FS_NODUMP_FL, FS_NODUMP_FL) < 0 && (errno == ENOTTY || errno == EOPNOTSUPP))
        SKIP("no flags here");
    EXPECT_OK(set_flags("f", FS_NODUMP_FL, 0));
}

TEST(set_and_get) {
    need_flags();
    int flags;
    EXPECT_OK(flags_of("f", &flags));
    EXPECT_EQ(flags, 0);
    EXPECT_OK(set_flags("f", FS_NODUMP_FL | FS_NOATIME_FL, FS_NODUMP_FL | FS_NOATIME_FL));
    EXPECT_OK(flags_of("f", &flags));
    EXPECT_EQ(flags, FS_NODUMP_FL | FS_NOATIME_FL);
    struct fsxattr x;
    int fd = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_OK(ioctl(fd, FS_IOC_FSGETXATTR, &x));
    EXPECT_EQ(x.fsx_xflags, FS_XFLAG_NODUMP | FS_XFLAG_NOATIME);
    x.fsx_xflags = FS_XFLAG_NODUMP;
    EXPECT_OK(ioctl(fd, FS_IOC_FSSETXATTR, &x));
    EXPECT_OK(flags_of("f", &flags));
    EXPECT_EQ(flags, FS_NODUMP_FL);
    EXPECT_ERRNO(ioctl(fd, FS_IOC_GETFLAGS, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(ioctl(fd, FS_IOC_SETFLAGS, KERNEL_POINTER), EFAULT);
    struct statx sx;
    EXPECT_OK(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx));
    EXPECT_EQ(sx.stx_attributes & STATX_ATTR_NODUMP, STATX_ATTR_NODUMP);
    close(fd);
}

TEST(immutable) {
    need_flags();
    ASSERT_OK(mkdir("d", 0755));
    put_file("d/old", "");
    int open_before = ASSERT_OK(open("f", O_RDWR));
    EXPECT_OK(set_flags("f", GUARDS, FS_IMMUTABLE_FL));
    EXPECT_OK(set_flags("d", GUARDS, FS_IMMUTABLE_FL));
    EXPECT_ERRNO(open("f", O_WRONLY), EPERM);
    EXPECT_ERRNO(open("f", O_RDONLY | O_TRUNC), EPERM);
    EXPECT_ERRNO(truncate("f", 0), EPERM);
    EXPECT_ERRNO(chmod("f", 0600), EPERM);
    EXPECT_ERRNO(chown("f", 1, 1), EPERM);
    EXPECT_ERRNO(utimensat(AT_FDCWD, "f", NULL, 0), EPERM);
    EXPECT_ERRNO(unlink("f"), EPERM);
    EXPECT_ERRNO(rename("f", "g"), EPERM);
    EXPECT_ERRNO(link("f", "g"), EPERM);
    EXPECT_ERRNO(setxattr("f", "user.a", "b", 1, 0), EPERM);
    EXPECT_ERRNO(fallocate(open_before, 0, 0, 100), EPERM);
    EXPECT_ERRNO(open("d/new", O_CREAT | O_WRONLY, 0644), EPERM);
    EXPECT_ERRNO(mkdir("d/sub", 0755), EPERM);
    EXPECT_ERRNO(unlink("d/old"), EPERM);
    EXPECT_ERRNO(rename("d/old", "old"), EPERM);
    EXPECT_ERRNO(access("f", W_OK), EPERM);
    char text[8];
    EXPECT_EQ(get_file("f", text, sizeof(text)), 4);
    EXPECT_OK(set_flags("f", GUARDS, 0));
    EXPECT_OK(set_flags("d", GUARDS, 0));
    EXPECT_OK(unlink("f"));
    close(open_before);
}

TEST(append_only) {
    need_flags();
    ASSERT_OK(mkdir("d", 0755));
    put_file("d/old", "");
    EXPECT_OK(set_flags("f", GUARDS, FS_APPEND_FL));
    EXPECT_OK(set_flags("d", GUARDS, FS_APPEND_FL));
    EXPECT_ERRNO(open("f", O_WRONLY), EPERM);
    EXPECT_ERRNO(open("f", O_WRONLY | O_APPEND | O_TRUNC), EPERM);
    EXPECT_ERRNO(truncate("f", 0), EPERM);
    EXPECT_ERRNO(chmod("f", 0600), EPERM);
    EXPECT_ERRNO(unlink("f"), EPERM);
    EXPECT_ERRNO(rename("f", "g"), EPERM);
    EXPECT_ERRNO(link("f", "g"), EPERM);
    EXPECT_OK(utimensat(AT_FDCWD, "f", NULL, 0));
    struct timespec at[2] = {{1, 0}, {1, 0}};
    EXPECT_ERRNO(utimensat(AT_FDCWD, "f", at, 0), EPERM);
    int fd = ASSERT_OK(open("f", O_WRONLY | O_APPEND));
    EXPECT_EQ(write(fd, "more", 4), 4);
    EXPECT_ERRNO(ftruncate(fd, 0), EPERM);
    EXPECT_ERRNO(fcntl(fd, F_SETFL, 0), EPERM);
    struct iovec v = {"x", 1};
    ssize_t n = pwritev2(fd, &v, 1, 0, 0x20 /* RWF_NOAPPEND, Linux 6.9 */);
    EXPECT_TRUE(n < 0 && (errno == EPERM || errno == EOPNOTSUPP));
    int both = ASSERT_OK(open("f", O_RDWR | O_APPEND));
    EXPECT_TRUE(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, both, 0) == MAP_FAILED &&
                errno == EACCES);
    close(both);
    EXPECT_ERRNO(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4), EPERM);
    EXPECT_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4));
    close(fd);
    put_file("d/new", "");
    EXPECT_ERRNO(unlink("d/old"), EPERM);
    EXPECT_ERRNO(rename("d/old", "old"), EPERM);
    EXPECT_OK(set_flags("f", GUARDS, 0));
    EXPECT_OK(set_flags("d", GUARDS, 0));
    char text[16];
    EXPECT_EQ(get_file("f", text, sizeof(text)), 8);
}

TEST(who_may) {
    need_flags();
    EXPECT_OK(chmod(".", 0755));
    EXPECT_OK(chmod("f", 0644));
    IN_CHILD {
        ASSERT_OK(setresuid(1234, 1234, 1234));
        EXPECT_ERRNO(set_flags("f", FS_NODUMP_FL, FS_NODUMP_FL), EPERM);
    }
    EXPECT_OK(chown("f", 1234, 1234));
    IN_CHILD {
        ASSERT_OK(setresuid(1234, 1234, 1234));
        EXPECT_OK(set_flags("f", FS_NODUMP_FL, FS_NODUMP_FL));
        EXPECT_ERRNO(set_flags("f", FS_APPEND_FL, FS_APPEND_FL), EPERM);
        EXPECT_ERRNO(set_flags("f", FS_IMMUTABLE_FL, FS_IMMUTABLE_FL), EPERM);
    }
}
