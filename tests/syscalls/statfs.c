// SPDX-License-Identifier: Apache-2.0
// covers: statfs, fstatfs, ustat
// File system figures are plausible; errors as for stat (man 2 statfs).
#include "guest.h"

#include <sys/vfs.h>

TEST(plausible)
{
    in_tmpdir();
    put_file("f", "");
    struct statfs by_path, by_fd;
    EXPECT_OK(statfs("f", &by_path));
    EXPECT_GE(by_path.f_bsize, 512);
    EXPECT_EQ(by_path.f_namelen, 255);
    EXPECT_TRUE(by_path.f_bfree <= by_path.f_blocks || by_path.f_blocks == 0);
    int fd = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_OK(fstatfs(fd, &by_fd));
    EXPECT_EQ(by_fd.f_type, by_path.f_type);
    EXPECT_EQ(by_fd.f_bsize, by_path.f_bsize);
    close(fd);
}

TEST(proc_is_proc)
{
    struct statfs fs;
    EXPECT_OK(statfs("/proc", &fs));
    EXPECT_EQ(fs.f_type, 0x9fa0);
}

TEST(errors)
{
    in_tmpdir();
    put_file("f", "");
    struct statfs fs;
    EXPECT_ERRNO(statfs("missing", &fs), ENOENT);
    EXPECT_ERRNO(statfs("f/x", &fs), ENOTDIR);
    EXPECT_ERRNO(fstatfs(-1, &fs), EBADF);
    EXPECT_ERRNO(statfs("f", KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(statfs(NULL_POINTER, &fs), EFAULT);
}
