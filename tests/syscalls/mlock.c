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
