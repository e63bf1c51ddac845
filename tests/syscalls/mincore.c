// SPDX-License-Identifier: Apache-2.0
// covers: mincore
// Touched pages are resident; unmapped ranges and bad arguments are refused (man 2 mincore).
#include "guest.h"

TEST(resident)
{
    char *p = map_pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    unsigned char present[4] = {0};
    p[0] = p[2 * 4096] = 1;
    EXPECT_OK(mincore(p, 4 * 4096, present));
    EXPECT_EQ(present[0] & 1, 1);
    EXPECT_EQ(present[2] & 1, 1);
    munmap(p, 4 * 4096);
}

TEST(errors)
{
    char *p = map_pages(3, PROT_READ, MAP_PRIVATE);
    unsigned char present[3];
    EXPECT_ERRNO(mincore(p + 1, 4096, present), EINVAL);
    EXPECT_ERRNO(mincore(p, 4096, KERNEL_POINTER), EFAULT);
    EXPECT_OK(munmap(p + 4096, 4096));
    EXPECT_ERRNO(mincore(p, 3 * 4096, present), ENOMEM);
    EXPECT_OK(mincore(p, 0, present));
    munmap(p, 3 * 4096);
}
