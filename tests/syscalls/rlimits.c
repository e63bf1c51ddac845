// SPDX-License-Identifier: Apache-2.0
// covers: getrlimit, setrlimit, prlimit64
// Reading and setting limits, soft above hard, raising the hard one, inheritance (man 2 getrlimit).
#include "guest.h"

#include <sys/resource.h>

TEST(get_and_set)
{
    IN_CHILD {
        struct rlimit limit, old;
        EXPECT_OK(getrlimit(RLIMIT_NOFILE, &limit));
        EXPECT_TRUE(limit.rlim_cur <= limit.rlim_max);
        struct rlimit set = {limit.rlim_cur / 2, limit.rlim_max};
        EXPECT_OK(prlimit(0, RLIMIT_NOFILE, &set, &old));
        EXPECT_EQ(old.rlim_cur, limit.rlim_cur);
        EXPECT_OK(prlimit(getpid(), RLIMIT_NOFILE, NULL, &old));
        EXPECT_EQ(old.rlim_cur, limit.rlim_cur / 2);
        IN_CHILD {
            EXPECT_OK(getrlimit(RLIMIT_NOFILE, &old));
            EXPECT_EQ(old.rlim_cur, limit.rlim_cur / 2);
        }
    }
}

TEST(all_resources)
{
    struct rlimit limit;
    for (int resource = 0; resource < RLIM_NLIMITS; resource++)
        EXPECT_OK(getrlimit(resource, &limit));
    EXPECT_ERRNO(syscall(SYS_getrlimit, RLIM_NLIMITS, &limit), EINVAL);
}

TEST(rules)
{
    IN_CHILD {
        struct rlimit limit = {10, 5};
        EXPECT_ERRNO(setrlimit(RLIMIT_CORE, &limit), EINVAL);
        limit = (struct rlimit){100, 100};
        EXPECT_OK(setrlimit(RLIMIT_SIGPENDING, &limit));
        if (geteuid() == 0) {
            ASSERT_OK(setgid(54321));
            ASSERT_OK(setuid(54321));
        }
        limit = (struct rlimit){100, 101};
        EXPECT_ERRNO(setrlimit(RLIMIT_SIGPENDING, &limit), EPERM);
        limit = (struct rlimit){50, 100};
        EXPECT_OK(setrlimit(RLIMIT_SIGPENDING, &limit));
    }
}

TEST(errors)
{
    struct rlimit limit;
    EXPECT_ERRNO(syscall(SYS_getrlimit, RLIMIT_CORE, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(syscall(SYS_setrlimit, RLIMIT_CORE, NULL_POINTER), EFAULT);
    EXPECT_ERRNO(syscall(SYS_prlimit64, 999999999, RLIMIT_CORE, NULL, &limit), ESRCH);
    EXPECT_ERRNO(syscall(SYS_prlimit64, 0, 99, NULL, &limit), EINVAL);
}
