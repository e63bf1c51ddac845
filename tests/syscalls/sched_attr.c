// SPDX-License-Identifier: Apache-2.0
// covers: sched_setattr, sched_getattr, sched_setscheduler, sched_get_priority_min
// The extensible structure of scheduling attributes (man 2 sched_setattr).
#include "guest.h"

#include <sched.h>
#include <sys/resource.h>

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

TEST(read_and_write)
{
    IN_CHILD {
        struct attributes attr = {0};
        EXPECT_OK(syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0));
        EXPECT_EQ(attr.policy, SCHED_OTHER);
        EXPECT_EQ(attr.nice, getpriority(0, 0));
        EXPECT_GE(attr.size, 48);
        attr.size = sizeof(attr);
        attr.nice = 7;
        attr.policy = SCHED_BATCH;
        EXPECT_OK(syscall(SYS_sched_setattr, 0, &attr, 0));
        EXPECT_EQ(getpriority(0, 0), 7);
        EXPECT_EQ(sched_getscheduler(0), SCHED_BATCH);
    }
}

TEST(errors)
{
    struct attributes attr = {.size = sizeof(attr), .policy = 99};
    EXPECT_ERRNO(syscall(SYS_sched_setattr, 0, &attr, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_sched_setattr, 0, &attr, 1), EINVAL);
    EXPECT_ERRNO(syscall(SYS_sched_setattr, 0, NULL_POINTER, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_sched_getattr, 0, &attr, 8, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_sched_getattr, 0, NULL_POINTER, sizeof(attr), 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_sched_getattr, 999999999, &attr, sizeof(attr), 0), ESRCH);
    EXPECT_EQ(sched_get_priority_min(SCHED_FIFO), 1);
    EXPECT_ERRNO(sched_get_priority_min(99), EINVAL);
}

TEST(users_get_no_real_time)
{
    IN_CHILD {
        if (geteuid() == 0)
            ASSERT_OK(setuid(54321));
        struct sched_param param = {50};
        EXPECT_ERRNO(sched_setscheduler(0, SCHED_FIFO, &param), EPERM);
        EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
    }
}
