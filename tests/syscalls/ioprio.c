// SPDX-License-Identifier: Apache-2.0
// covers: ioprio_get, ioprio_set
// I/O priorities are read, checked and kept out of the real-time class for users (man 2 ioprio_set).
#include "guest.h"

enum { WHO_PROCESS = 1, BEST_EFFORT = 2, REAL_TIME = 1, CLASS_SHIFT = 13 };

TEST(reading)
{
    EXPECT_OK(syscall(SYS_ioprio_get, WHO_PROCESS, 0));
    EXPECT_ERRNO(syscall(SYS_ioprio_get, 99, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_ioprio_get, WHO_PROCESS, 999999999), ESRCH);
}

TEST(writing)
{
    IN_CHILD {
        EXPECT_OK(syscall(SYS_ioprio_set, WHO_PROCESS, 0, BEST_EFFORT << CLASS_SHIFT | 5));
        EXPECT_ERRNO(syscall(SYS_ioprio_set, WHO_PROCESS, 0, 7 << CLASS_SHIFT), EINVAL);
        EXPECT_ERRNO(syscall(SYS_ioprio_set, 99, 0, BEST_EFFORT << CLASS_SHIFT), EINVAL);
        if (geteuid() == 0)
            ASSERT_OK(setuid(54321));
        EXPECT_ERRNO(syscall(SYS_ioprio_set, WHO_PROCESS, 0, REAL_TIME << CLASS_SHIFT), EPERM);
    }
}
