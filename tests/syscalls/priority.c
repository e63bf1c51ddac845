// SPDX-License-Identifier: Apache-2.0
// covers: getpriority, setpriority
// Nice values: raising, lowering for users, groups, errors (man 2 setpriority).
#include "guest.h"

#include <sys/resource.h>

TEST(raising)
{
    IN_CHILD {
        int now = getpriority(PRIO_PROCESS, 0);
        EXPECT_OK(setpriority(PRIO_PROCESS, 0, now + 1));
        EXPECT_EQ(getpriority(PRIO_PROCESS, 0), now + 1);
        EXPECT_EQ(syscall(SYS_getpriority, PRIO_PROCESS, getpid()), 20 - (now + 1));
        IN_CHILD {
            EXPECT_EQ(getpriority(PRIO_PROCESS, 0), now + 1);
        }
        EXPECT_OK(setpriority(PRIO_PROCESS, 0, 1000));
        EXPECT_EQ(getpriority(PRIO_PROCESS, 0), 19);
    }
}

TEST(lowering)
{
    IN_CHILD {
        if (geteuid() == 0)
            ASSERT_OK(setuid(54321));
        struct rlimit none = {0, 0};
        ASSERT_OK(setrlimit(RLIMIT_NICE, &none));
        ASSERT_OK(setpriority(PRIO_PROCESS, 0, 5));
        EXPECT_ERRNO(setpriority(PRIO_PROCESS, 0, 1), EACCES);
        EXPECT_EQ(getpriority(PRIO_PROCESS, 0), 5);
    }
}

TEST(errors)
{
    EXPECT_ERRNO(syscall(SYS_getpriority, 99, 0), EINVAL);
    EXPECT_ERRNO(setpriority(99, 0, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_getpriority, PRIO_PROCESS, 999999999), ESRCH);
    EXPECT_ERRNO(setpriority(PRIO_PROCESS, 999999999, 5), ESRCH);
}
