// SPDX-License-Identifier: Apache-2.0
// covers: getrandom
// Lengths, flags, different answers and bad buffers (man 2 getrandom).
#include "guest.h"

#include <sys/random.h>

TEST(fills)
{
    unsigned char a[300] = {0}, b[300] = {0};
    EXPECT_EQ(getrandom(a, sizeof(a), 0), sizeof(a));
    EXPECT_EQ(getrandom(b, sizeof(b), GRND_NONBLOCK), sizeof(b));
    EXPECT_TRUE(memcmp(a, b, sizeof(a)) != 0);
    EXPECT_EQ(getrandom(a, 0, 0), 0);
    char *big = malloc(1 << 20);
    EXPECT_EQ(getrandom(big, 1 << 20, 0), 1 << 20);
    free(big);
}

TEST(errors)
{
    char c;
    EXPECT_ERRNO(getrandom(&c, 1, 0x80), EINVAL);
    EXPECT_ERRNO(getrandom(&c, 1, GRND_RANDOM | GRND_INSECURE), EINVAL);
    EXPECT_ERRNO(getrandom(NULL_POINTER, 1, 0), EFAULT);
    EXPECT_ERRNO(getrandom(KERNEL_POINTER, 1, 0), EFAULT);
    EXPECT_ERRNO(getrandom(read_only_page(), 1, 0), EFAULT);
}
