// SPDX-License-Identifier: Apache-2.0
// covers: cachestat
// How many pages of a file are in memory (mm/filemap.c, Linux 6.5): of memory files those that were written.
#include "guest.h"

#include <sys/syscall.h>

struct range {
    uint64_t off, len;
};
struct stat_of_cache {
    uint64_t cache, dirty, writeback, evicted, recently;
};

// Pages in memory, or the error.
static long cached(int fd, uint64_t off, uint64_t len)
{
    struct range r = {off, len};
    struct stat_of_cache s = {9, 9, 9, 9, 9};
    if (syscall(451, fd, &r, &s, 0) < 0)
        return -errno;
    if (s.writeback || s.evicted || s.recently)
        FAIL("of memory nothing is evicted or written back");
    return (long)s.cache;
}
static bool has_it(void)
{
    struct range r = {0};
    return syscall(451, -1, &r, &r, 0) < 0 && errno == EBADF;
}

TEST(memory_file)
{
    if (!has_it())
        SKIP("an older kernel");
    int fd = ASSERT_OK(memfd_create("m", 0));
    ASSERT_OK(ftruncate(fd, 10 * 4096));
    EXPECT_EQ(cached(fd, 0, 0), 0);
    EXPECT_EQ(pwrite(fd, "a", 1, 0), 1);
    EXPECT_EQ(pwrite(fd, "a", 1, 3 * 4096 + 5), 1);
    EXPECT_EQ(pwrite(fd, "a", 1, 9 * 4096), 1);
    EXPECT_EQ(cached(fd, 0, 0), 3);
    EXPECT_EQ(cached(fd, 0, 4096), 1);
    EXPECT_EQ(cached(fd, 0, 1), 1);
    EXPECT_EQ(cached(fd, 4096, 0), 2);
    EXPECT_EQ(cached(fd, 3 * 4096, 4096), 1);
    EXPECT_EQ(cached(fd, 3 * 4096 + 100, 6 * 4096), 2);
    EXPECT_EQ(cached(fd, 1ull << 40, 4096), 0);
    EXPECT_EQ(cached(fd, ~0ull, 0), 0);
    EXPECT_EQ(cached(fd, ~0ull, 5), 0);
    EXPECT_EQ(cached(fd, 5, ~0ull), 1);
    char *p = map_file(fd, 10 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
    p[5 * 4096] = 1;
    EXPECT_EQ(cached(fd, 0, 0), 4);
    EXPECT_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4 * 4096));
    EXPECT_EQ(cached(fd, 0, 0), 2);
    munmap(p, 10 * 4096);
    close(fd);
}

TEST(other_files)
{
    if (!has_it())
        SKIP("an older kernel");
    int p[2], fd;
    ASSERT_OK(pipe(p));
    EXPECT_EQ(cached(p[0], 0, 0), 0);
    fd = ASSERT_OK(open("/proc/self/stat", O_RDONLY));
    EXPECT_EQ(cached(fd, 0, 0), 0);
    close(fd);
    fd = ASSERT_OK(open("/dev/null", O_RDWR));
    EXPECT_EQ(cached(fd, 0, 0), 0);
    close(fd);
    fd = ASSERT_OK(open("/etc/passwd", O_PATH));
    EXPECT_EQ(cached(fd, 0, 0), -EBADF);
    close(fd);
    close(p[0]);
    close(p[1]);
}

// Whoever may not write a file is not told; before Linux 6.13 everybody was.
TEST(not_mine)
{
    if (!has_it() || geteuid() != 0)
        SKIP("needs root");
    pid_t pid = fork();
    if (pid == 0) {
        int fd = setresuid(65534, 65534, 65534) < 0 ? -1 : open("/etc/passwd", O_RDONLY);
        long n = cached(fd, 0, 0);
        if (n >= 0)
            _exit(77);
        _exit(n == -EPERM ? 0 : 1);
    }
    int status = wait_exit(pid);
    if (status == 77)
        SKIP("before Linux 6.13");
    EXPECT_EQ(status, 0);
}

TEST(errors)
{
    if (!has_it())
        SKIP("an older kernel");
    struct range r = {0};
    struct stat_of_cache s;
    int fd = ASSERT_OK(memfd_create("m", 0));
    EXPECT_ERRNO(syscall(451, -1, KERNEL_POINTER, &s, 1), EBADF);
    EXPECT_ERRNO(syscall(451, fd, KERNEL_POINTER, &s, 1), EFAULT);
    EXPECT_ERRNO(syscall(451, fd, &r, KERNEL_POINTER, 1), EINVAL);
    EXPECT_ERRNO(syscall(451, fd, &r, KERNEL_POINTER, 0), EFAULT);
    close(fd);
}
