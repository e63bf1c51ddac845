// SPDX-License-Identifier: Apache-2.0
// covers: mmap
// MAP_FIXED replaces, MAP_FIXED_NOREPLACE refuses, hints are followed when free (man 2 mmap).
#include "guest.h"

#define MEMORY (MAP_PRIVATE | MAP_ANONYMOUS)

TEST(replaces)
{
    char *p = map_pages(3, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(p, 1, 3 * 4096);
    EXPECT_EQ(mmap(p + 4096, 4096, PROT_READ | PROT_WRITE, MEMORY | MAP_FIXED, -1, 0), p + 4096);
    EXPECT_EQ(p[4095], 1);
    EXPECT_EQ(p[4096], 0);
    EXPECT_EQ(p[8192], 1);
    munmap(p, 3 * 4096);
}

TEST(noreplace)
{
    char *p = map_pages(3, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    p[4096] = 9;
    EXPECT_ERRNO(mmap(p + 4096, 4096, PROT_READ, MEMORY | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    EXPECT_EQ(p[4096], 9);
    EXPECT_OK(munmap(p + 4096, 4096));
    EXPECT_EQ(mmap(p + 4096, 4096, PROT_READ, MEMORY | MAP_FIXED_NOREPLACE, -1, 0), p + 4096);
    EXPECT_ERRNO(mmap(p, 2 * 4096, PROT_READ, MEMORY | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    munmap(p, 3 * 4096);
}

TEST(hint)
{
    char *p = map_pages(2, PROT_READ, MAP_PRIVATE);
    ASSERT_OK(munmap(p, 8192));
    EXPECT_EQ(mmap(p, 4096, PROT_READ, MEMORY, -1, 0), p);
    char *other = mmap(p, 4096, PROT_READ, MEMORY, -1, 0);
    EXPECT_TRUE(other != p && other != MAP_FAILED);
    munmap(other, 4096);
    munmap(p, 4096);
}

TEST(errors)
{
    EXPECT_ERRNO(mmap(opaque_pointer(123), 4096, PROT_READ, MEMORY | MAP_FIXED, -1, 0), EINVAL);
    EXPECT_ERRNO(mmap(KERNEL_POINTER, 4096, PROT_READ, MEMORY | MAP_FIXED, -1, 0), ENOMEM);
    EXPECT_ERRNO(mmap(opaque_pointer(0x7ffffffff000), 8192, PROT_READ, MEMORY | MAP_FIXED, -1, 0), ENOMEM);
}

TEST(low_32_bits)
{
    char *p = opaque_pointer(EXPECT_OK(mmap(NULL, 4096, PROT_READ, MEMORY | MAP_32BIT, -1, 0)));
    EXPECT_TRUE((uintptr_t)p < 1UL << 31);
    munmap(p, 4096);
}
