// SPDX-License-Identifier: Apache-2.0
// covers: adjtimex, clock_adjtime, settimeofday
// The clock's state can be read by all and set by none without privilege (man 2 adjtimex).
#include "guest.h"

#include <sys/time.h>
#include <sys/timex.h>

TEST(reading)
{
    struct timex timex = {0};
    EXPECT_RANGE(adjtimex(&timex), TIME_OK, TIME_ERROR);
    EXPECT_RANGE(timex.time.tv_sec - time(NULL), -2, 2);
    memset(&timex, 0, sizeof(timex));
    EXPECT_RANGE(clock_adjtime(CLOCK_REALTIME, &timex), TIME_OK, TIME_ERROR);
    EXPECT_ERRNO(syscall(SYS_adjtimex, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(syscall(SYS_clock_adjtime, 99, &timex), EINVAL);
}

TEST(setting)
{
    IN_CHILD {
        if (geteuid() == 0)
            ASSERT_OK(setuid(54321));
        struct timex timex = {.modes = ADJ_FREQUENCY};
        struct timeval tv = {1, 0};
        EXPECT_ERRNO(adjtimex(&timex), EPERM);
        EXPECT_ERRNO(settimeofday(&tv, NULL), EPERM);
    }
}
