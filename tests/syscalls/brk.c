// SPDX-License-Identifier: Apache-2.0
// covers: brk
// The heap end moves up and down, new memory is zero, a refused move leaves it (man 2 brk).
#include "guest.h"

#include <sys/resource.h>

static char *raw_brk(char *end)
{
    return (char *)syscall(SYS_brk, end);
}

TEST(grows_with_zeros)
{
    IN_CHILD {
        char *start = raw_brk(NULL);
        ASSERT_TRUE(start);
        EXPECT_EQ(raw_brk(start + 100000), start + 100000);
        char *first_page = (char *)(((uintptr_t)start + 4095) & ~4095UL);
        for (char *p = first_page; p < start + 100000; p += 4096)
            EXPECT_EQ(*p, 0);
        memset(start, 5, 100000);
        EXPECT_EQ(raw_brk(NULL), start + 100000);
    }
}

TEST(shrinks)
{
    IN_CHILD {
        char *start = raw_brk(NULL);
        ASSERT_EQ(raw_brk(start + 65536), start + 65536);
        memset(start, 5, 65536);
        EXPECT_EQ(raw_brk(start), start);
        EXPECT_EQ(read_faults(start + 32768), SIGSEGV);
        ASSERT_EQ(raw_brk(start + 65536), start + 65536);
        EXPECT_EQ(start[32768], 0);
    }
}

TEST(refused_moves)
{
    IN_CHILD {
        char *start = raw_brk(NULL);
        EXPECT_EQ(raw_brk((char *)1), start);
        EXPECT_EQ(raw_brk(KERNEL_POINTER), start);
        struct rlimit limit = {1 << 20, 1 << 20};
        ASSERT_OK(setrlimit(RLIMIT_DATA, &limit));
        EXPECT_EQ(raw_brk(start + (64 << 20)), start);
    }
}

TEST(child_inherits)
{
    char *here = raw_brk(NULL);
    IN_CHILD {
        EXPECT_EQ(raw_brk(NULL), here);
        EXPECT_EQ(raw_brk(here + 4096), here + 4096);
    }
    EXPECT_EQ(raw_brk(NULL), here);
}
