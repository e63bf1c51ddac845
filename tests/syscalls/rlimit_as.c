// SPDX-License-Identifier: Apache-2.0
// covers: setrlimit, mmap, brk
// RLIMIT_AS makes mmap, brk and stack mappings answer ENOMEM exactly at the limit (man 2 getrlimit).
#include "guest.h"

#include <sys/resource.h>

static void limit_to(size_t extra)
{
    char text[256];
    unsigned long pages;
    ASSERT_TRUE(get_file("/proc/self/statm", text, sizeof(text)) > 0);
    ASSERT_EQ(sscanf(text, "%lu", &pages), 1);
    struct rlimit limit = {pages * 4096 + extra, pages * 4096 + extra};
    ASSERT_OK(setrlimit(RLIMIT_AS, &limit));
}

TEST(mmap_is_refused)
{
    IN_CHILD {
        limit_to(1 << 20);
        char *p = map_pages(256, PROT_READ, MAP_PRIVATE);
        EXPECT_ERRNO(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
        EXPECT_OK(munmap(p, 4096));
        EXPECT_OK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    }
}

TEST(growing_is_refused)
{
    IN_CHILD {
        char *p = map_pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        limit_to(4096);
        EXPECT_ERRNO(mremap(p, 4 * 4096, 64 * 4096, MREMAP_MAYMOVE), ENOMEM);
        long end = syscall(SYS_brk, 0);
        EXPECT_EQ(syscall(SYS_brk, end + (1 << 20)), end);
    }
}

TEST(replacing_is_free)
{
    IN_CHILD {
        char *p = map_pages(16, PROT_READ, MAP_PRIVATE);
        limit_to(0);
        EXPECT_OK(mmap(p, 16 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    }
}
