// SPDX-License-Identifier: Apache-2.0
// covers: open, read, write, ioctl
// /dev/null, /dev/zero, /dev/full and /dev/urandom behave as in man 4 null, full, random.
#include "guest.h"

#include <linux/random.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

TEST(null)
{
    int fd = ASSERT_OK(open("/dev/null", O_RDWR));
    char c;
    EXPECT_EQ(read(fd, &c, 1), 0);
    EXPECT_EQ(write(fd, "abc", 3), 3);
    EXPECT_EQ(lseek(fd, 100, SEEK_SET), 0);
    close(fd);
    fd = EXPECT_OK(open("/dev/null", O_WRONLY | O_TRUNC | O_CREAT, 0600));
    close(fd);
}

TEST(zero)
{
    int fd = ASSERT_OK(open("/dev/zero", O_RDWR));
    char data[5000], zeros[5000] = {0};
    memset(data, 1, sizeof(data));
    EXPECT_EQ(read(fd, data, sizeof(data)), sizeof(data));
    EXPECT_MEMEQ(data, zeros, sizeof(data));
    EXPECT_EQ(write(fd, "abc", 3), 3);
    char *p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    EXPECT_EQ(p[100], 0);
    p[100] = 1;
    munmap(p, 4096);
    close(fd);
}

TEST(full)
{
    int fd = ASSERT_OK(open("/dev/full", O_RDWR));
    char c = 1;
    EXPECT_EQ(read(fd, &c, 1), 1);
    EXPECT_EQ(c, 0);
    EXPECT_ERRNO(write(fd, "x", 1), ENOSPC);
    close(fd);
}

TEST(urandom)
{
    int fd = ASSERT_OK(open("/dev/urandom", O_RDONLY));
    unsigned char a[32] = {0}, b[32] = {0};
    EXPECT_EQ(read(fd, a, 32), 32);
    EXPECT_EQ(read(fd, b, 32), 32);
    EXPECT_TRUE(memcmp(a, b, 32) != 0);
    close(fd);
}

TEST(bad_buffers)
{
    int fd = ASSERT_OK(open("/dev/zero", O_RDONLY));
    EXPECT_ERRNO(read(fd, KERNEL_POINTER, 10), EFAULT);
    EXPECT_ERRNO(read(fd, read_only_page(), 10), EFAULT);
    close(fd);
}

TEST(no_controlling_terminal)
{
    IN_CHILD {
        EXPECT_OK(setsid());
        EXPECT_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
    }
}

TEST(standard_links)
{
    int pipes[2];
    ASSERT_OK(pipe(pipes));
    char path[32], c;
    snprintf(path, sizeof(path), "/dev/fd/%d", pipes[0]);
    EXPECT_EQ(write(pipes[1], "x", 1), 1);
    int fd = EXPECT_OK(open(path, O_RDONLY));
    EXPECT_EQ(read(fd, &c, 1), 1);
    close(fd);
    close(pipes[0]);
    close(pipes[1]);
}

TEST(nodes_made_elsewhere)
{
    in_tmpdir();
    if (mknod("null", S_IFCHR | 0600, makedev(1, 3)) < 0)
        SKIP("making device nodes is not allowed");
    ASSERT_OK(mknod("zero", S_IFCHR | 0600, makedev(1, 5)));
    ASSERT_OK(mknod("what", S_IFCHR | 0600, makedev(4000, 77)));
    char byte = 1;
    int null = open("null", O_RDWR);
    if (null < 0 && errno == EACCES)
        SKIP("device nodes do not work on this file system");
    EXPECT_EQ(write(null, &byte, 1), 1);
    EXPECT_EQ(read(null, &byte, 1), 0);
    close(null);
    int zero = ASSERT_OK(open("zero", O_RDWR));
    EXPECT_EQ(read(zero, &byte, 1), 1);
    EXPECT_EQ(byte, 0);
    close(zero);
    EXPECT_ERRNO(open("what", O_RDWR), ENXIO);
}

TEST(entropy)
{
    int fd = ASSERT_OK(open("/dev/random", O_RDONLY)), bits = -1;
    EXPECT_OK(ioctl(fd, RNDGETENTCNT, &bits));
    EXPECT_GE(bits, 0);
    close(fd);
}
