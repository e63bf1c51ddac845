// SPDX-License-Identifier: Apache-2.0
// covers: mlock, munlock, mlockall, munlockall, mlock2
// Locking within RLIMIT_MEMLOCK, refusal beyond it for users, holes (man 2 mlock).
#include "guest.h"

#include <sys/resource.h>

TEST(locks)
{
    char *p = map_pages(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    EXPECT_OK(mlock(p, 8192));
    p[0] = 1;
    EXPECT_OK(munlock(p, 8192));
    EXPECT_OK(munlock(p, 8192));
    EXPECT_OK(mlock2(p, 4096, MLOCK_ONFAULT));
    EXPECT_ERRNO(mlock2(p, 4096, 0x80), EINVAL);
    munmap(p, 8192);
}

TEST(holes)
{
    char *p = map_pages(3, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    EXPECT_OK(munmap(p + 4096, 4096));
    EXPECT_ERRNO(mlock(p, 3 * 4096), ENOMEM);
    EXPECT_ERRNO(munlock(p, 3 * 4096), ENOMEM);
    munmap(p, 3 * 4096);
}

TEST(limit)
{
    if (geteuid() == 0)
        SKIP("root has no limit");
    IN_CHILD {
        struct rlimit limit = {8192, 8192};
        ASSERT_OK(setrlimit(RLIMIT_MEMLOCK, &limit));
        char *p = map_pages(8, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        EXPECT_OK(mlock(p, 8192));
        EXPECT_ERRNO(mlock(p, 5 * 4096), ENOMEM);
        limit = (struct rlimit){0, 0};
        ASSERT_OK(setrlimit(RLIMIT_MEMLOCK, &limit));
        EXPECT_ERRNO(mlock(p + 4 * 4096, 4096), EPERM);
    }
}

TEST(all)
{
    IN_CHILD {
        EXPECT_ERRNO(mlockall(0), EINVAL);
        EXPECT_ERRNO(mlockall(0x80), EINVAL);
        EXPECT_ERRNO(mlockall(MCL_ONFAULT), EINVAL);
        EXPECT_OK(munlockall());
    }
}

TEST(shown_in_smaps)
{
    char *p = map_pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS), line[256], start[32];
    if (mlock(p, 4 * 4096) < 0)
        SKIP("locking is not allowed");
    FILE *smaps = fopen("/proc/self/smaps", "r");
    ASSERT_TRUE(smaps != NULL);
    snprintf(start, sizeof(start), "%lx-", (unsigned long)p);
    long locked = -1;
    bool mine = false;
    while (fgets(line, sizeof(line), smaps)) {
        if (!strncmp(line, start, strlen(start)))
            mine = true;
        if (mine && sscanf(line, "Locked: %ld kB", &locked) == 1)
            break;
    }
    fclose(smaps);
    EXPECT_EQ(locked, 16);
    munlock(p, 4 * 4096);
}
