// SPDX-License-Identifier: Apache-2.0
// covers: mmap, munmap
// Very large reservations cost nothing until touched; sparse touching works (man 2 mmap, MAP_NORESERVE).
#include "guest.h"

TEST(reserve)
{
    size_t size = 1UL << 40;
    char *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT_TRUE(p != MAP_FAILED);
    EXPECT_OK(mprotect(p + (1UL << 39), 4096, PROT_READ | PROT_WRITE));
    p[1UL << 39] = 1;
    EXPECT_EQ(read_faults(p), SIGSEGV);
    EXPECT_OK(munmap(p, size));
}

TEST(sparse)
{
    size_t size = 4UL << 30;
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT_TRUE(p != MAP_FAILED);
    for (size_t at = 0; at < size; at += 64UL << 20)
        p[at] = 1;
    EXPECT_EQ(p[1UL << 30], 1);
    EXPECT_EQ(p[(1UL << 30) + 4096], 0);
    EXPECT_OK(munmap(p, size));
}

TEST(too_large)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    EXPECT_ERRNO(mmap(NULL, 1UL << 47, PROT_NONE, flags, -1, 0), ENOMEM);
    EXPECT_ERRNO(mmap(NULL, 1UL << 63, PROT_NONE, flags, -1, 0), ENOMEM);
}

TEST(populate)
{
    char *p = map_pages(64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE);
    unsigned char present[64];
    EXPECT_OK(mincore(p, 64 * 4096, present));
    EXPECT_EQ(present[63] & 1, 1);
    munmap(p, 64 * 4096);
}

TEST(large_copy_through_a_file)
{
    in_tmpdir();
    size_t size = 8 << 20;
    char *p = map_pages(size / 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *q = map_pages(size / 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (size_t i = 0; i < size; i++)
        p[i] = (char)(i * 7 + i / 4096);
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_EQ(write(fd, p, size), size);
    EXPECT_EQ(pread(fd, q, size, 0), size);
    EXPECT_EQ(memcmp(p, q, size), 0);
    close(fd);
    munmap(p, size);
    munmap(q, size);
}
