// SPDX-License-Identifier: Apache-2.0
// covers: munmap
// Holes in the middle, across areas, partial pages; neighbours keep their content (man 2 munmap).
#include "guest.h"

TEST(hole_in_the_middle)
{
    char *p = map_pages(5, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (int i = 0; i < 5; i++)
        p[i * 4096] = 'a' + i;
    EXPECT_OK(munmap(p + 2 * 4096, 4096));
    EXPECT_EQ(read_faults(p + 2 * 4096), SIGSEGV);
    EXPECT_EQ(p[4096], 'b');
    EXPECT_EQ(p[3 * 4096], 'd');
    EXPECT_OK(munmap(p, 5 * 4096));
    EXPECT_EQ(read_faults(p), SIGSEGV);
    EXPECT_EQ(read_faults(p + 4 * 4096), SIGSEGV);
}

TEST(across_different_areas)
{
    char *p = map_pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    EXPECT_OK(mprotect(p + 4096, 4096, PROT_READ));
    int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;
    EXPECT_EQ(mmap(p + 2 * 4096, 4096, PROT_READ, flags, -1, 0), p + 2 * 4096);
    EXPECT_OK(munmap(p + 4096, 2 * 4096));
    EXPECT_EQ(read_faults(p), 0);
    EXPECT_EQ(read_faults(p + 4096), SIGSEGV);
    EXPECT_EQ(read_faults(p + 2 * 4096), SIGSEGV);
    EXPECT_EQ(read_faults(p + 3 * 4096), 0);
    munmap(p, 4 * 4096);
}

TEST(file_offset_of_the_rest_stays)
{
    int fd = ASSERT_OK(memfd_create("m", 0));
    ASSERT_OK(ftruncate(fd, 3 * 4096));
    EXPECT_EQ(pwrite(fd, "third", 5, 2 * 4096), 5);
    char *p = map_file(fd, 3 * 4096, PROT_READ, MAP_SHARED);
    EXPECT_OK(munmap(p, 2 * 4096));
    EXPECT_MEMEQ(p + 2 * 4096, "third", 5);
    munmap(p + 2 * 4096, 4096);
    close(fd);
}

TEST(many_small_areas)
{
    enum { COUNT = 400 };
    char *p = map_pages(2 * COUNT, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (int i = 0; i < COUNT; i++)
        EXPECT_OK(munmap(p + (2 * i + 1) * 4096, 4096));
    int wrong = 0;
    for (int i = 0; i < COUNT; i++) {
        p[2 * i * 4096] = 1;
        wrong += read_faults(p + (2 * i + 1) * 4096) != SIGSEGV;
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_OK(munmap(p, 2 * COUNT * 4096));
    EXPECT_EQ(read_faults(p), SIGSEGV);
}
