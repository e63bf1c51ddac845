// SPDX-License-Identifier: Apache-2.0
// covers: mmap, munmap
// Anonymous private and shared memory: zeroed, aligned, writable, gone after munmap (man 2 mmap).
#include "guest.h"

TEST(zeroed_and_writable)
{
    size_t size = 64 * 4096;
    char *p = map_pages(64, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    EXPECT_EQ((uintptr_t)p % 4096, 0);
    for (size_t i = 0; i < size; i += 1000)
        ASSERT_EQ(p[i], 0);
    memset(p, 7, size);
    EXPECT_EQ(p[size - 1], 7);
    EXPECT_OK(munmap(p, size));
    EXPECT_EQ(read_faults(p), SIGSEGV);
}

TEST(shared_across_fork)
{
    int *p = (int *)map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED);
    IN_CHILD {
        *p = 42;
    }
    EXPECT_EQ(*p, 42);
    munmap(p, 4096);
}

TEST(errors)
{
    EXPECT_ERRNO(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
    EXPECT_ERRNO(mmap(NULL, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
    EXPECT_ERRNO(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
    EXPECT_ERRNO(syscall(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 123), EINVAL);
    EXPECT_ERRNO(mmap(NULL, SIZE_MAX - 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    EXPECT_ERRNO(munmap(opaque_pointer(1), 4096), EINVAL);
    EXPECT_ERRNO(munmap(NULL, 0), EINVAL);
    EXPECT_ERRNO(munmap(KERNEL_POINTER, 4096), EINVAL);
}

TEST(munmap_of_nothing_succeeds)
{
    char *p = map_pages(2, PROT_READ, MAP_PRIVATE);
    EXPECT_OK(munmap(p, 8192));
    EXPECT_OK(munmap(p, 8192));
}

TEST(length_is_rounded_up)
{
    char *p = map_file(-1, 100, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    p[4095] = 1;
    EXPECT_EQ(p[4095], 1);
    EXPECT_OK(munmap(p, 1));
    EXPECT_EQ(read_faults(p + 4095), SIGSEGV);
}
