// SPDX-License-Identifier: Apache-2.0
// covers: ioctl
// PROCMAP_QUERY: an area of /proc/PID/maps by address (Linux 6.11, Documentation/filesystems/proc.rst).
#include "guest.h"
#include <sys/ioctl.h>

struct query {
    uint64_t size, flags, addr, start, end, vma_flags, page_size, offset, inode;
    uint32_t major, minor, name_size, build_id_size;
    uint64_t name_addr, build_id_addr;
};
#define QUERY       _IOWR('f', 17, struct query)
#define OR_NEXT     0x10
#define FILE_BACKED 0x20

static int fd;
static int ask(struct query *q, uint64_t flags, const void *addr) {
    static char name[4096];
    *q = (struct query){.size = sizeof *q,
                        .flags = flags,
                        .addr = (uintptr_t)addr,
                        .name_size = sizeof name,
                        .name_addr = (uintptr_t)name};
    return ioctl(fd, QUERY, q);
}
static void begin(void) {
    fd = ASSERT_OK(open("/proc/self/maps", O_RDONLY));
    struct query q;
    if (ask(&q, 0, &q) < 0 && errno == ENOTTY)
        SKIP("no PROCMAP_QUERY");
}

TEST(finds) {
    begin();
    struct query q;
    in_tmpdir();
    put_file("f", "text");
    int file = ASSERT_OK(open("f", O_RDWR));
    ASSERT_OK(ftruncate(file, 16384));
    struct stat st;
    fstat(file, &st);
    char *p = mmap(NULL, 5 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_TRUE(p != MAP_FAILED);
    ASSERT_OK(munmap(p + 4096, 4096));
    ASSERT_TRUE(mmap(p + 8192, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 4096) == p + 8192);
    EXPECT_OK(ask(&q, 0, p + 8200));
    EXPECT_EQ(q.start, (uintptr_t)p + 8192);
    EXPECT_EQ(q.end, (uintptr_t)p + 16384);
    EXPECT_EQ(q.vma_flags, 1 | 2 | 8);
    EXPECT_EQ(q.page_size, 4096);
    EXPECT_EQ(q.offset, 4096);
    EXPECT_EQ(q.inode, st.st_ino);
    EXPECT_TRUE(q.name_size > 2 && !strcmp((char *)q.name_addr + q.name_size - 3, "/f"));
    EXPECT_ERRNO(ask(&q, 0, p + 4096), ENOENT);
    EXPECT_OK(ask(&q, OR_NEXT, p + 4096));
    EXPECT_EQ(q.start, (uintptr_t)p + 8192);
    EXPECT_OK(ask(&q, 0, p));
    EXPECT_EQ(q.vma_flags, 0);
    EXPECT_EQ(q.name_size, 0);
    EXPECT_EQ(q.inode, 0);
    EXPECT_ERRNO(ask(&q, FILE_BACKED, p), ENOENT);
    EXPECT_OK(ask(&q, FILE_BACKED | OR_NEXT, p));
    EXPECT_EQ(q.start, (uintptr_t)p + 8192);
    EXPECT_ERRNO(ask(&q, 4, p + 8192), ENOENT);
    EXPECT_OK(ask(&q, 0, &q));
    EXPECT_STREQ((char *)q.name_addr, "[stack]");
    close(file);
    close(fd);
}

TEST(errors) {
    begin();
    struct query q;
    char name[2];
    EXPECT_ERRNO(ask(&q, 0x40, &q), EINVAL);
    q = (struct query){.size = 16, .addr = (uintptr_t)&q};
    EXPECT_ERRNO(ioctl(fd, QUERY, &q), EINVAL);
    q.size = 8192;
    EXPECT_ERRNO(ioctl(fd, QUERY, &q), E2BIG);
    q.size = 24;
    EXPECT_OK(ioctl(fd, QUERY, &q));
    EXPECT_EQ(q.start, 0);
    q = (struct query){.size = sizeof q, .addr = (uintptr_t)&q, .name_size = 1};
    EXPECT_ERRNO(ioctl(fd, QUERY, &q), EINVAL);
    q = (struct query){.size = sizeof q, .addr = (uintptr_t)&q, .build_id_size = 20};
    EXPECT_ERRNO(ioctl(fd, QUERY, &q), EINVAL);
    q = (struct query){
        .size = sizeof q, .addr = (uintptr_t)&q, .name_size = sizeof name, .name_addr = (uintptr_t)name};
    EXPECT_ERRNO(ioctl(fd, QUERY, &q), ENAMETOOLONG);
    EXPECT_ERRNO(ioctl(fd, QUERY, KERNEL_POINTER), EFAULT);
    close(fd);
}
