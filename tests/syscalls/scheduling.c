// SPDX-License-Identifier: Apache-2.0
// covers: sched_yield, sched_getaffinity, sched_setaffinity, sched_getscheduler, sched_getparam
// covers: sched_setparam, sched_get_priority_max, sched_rr_get_interval
// Policies, priorities and processor masks (man 7 sched).
#include "guest.h"

#include <sched.h>

TEST(affinity)
{
    cpu_set_t set, one, got;
    EXPECT_OK(sched_getaffinity(0, sizeof(set), &set));
    EXPECT_GE(CPU_COUNT(&set), 1);
    IN_CHILD {
        int cpu = 0;
        while (!CPU_ISSET(cpu, &set))
            cpu++;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        EXPECT_OK(sched_setaffinity(0, sizeof(one), &one));
        EXPECT_OK(sched_getaffinity(getpid(), sizeof(got), &got));
        EXPECT_TRUE(CPU_EQUAL(&got, &one));
        IN_CHILD {
            EXPECT_OK(sched_getaffinity(0, sizeof(got), &got));
            EXPECT_TRUE(CPU_EQUAL(&got, &one));
        }
    }
    CPU_ZERO(&one);
    EXPECT_ERRNO(sched_setaffinity(0, sizeof(one), &one), EINVAL);
    EXPECT_ERRNO(sched_getaffinity(999999999, sizeof(set), &set), ESRCH);
    EXPECT_ERRNO(syscall(SYS_sched_getaffinity, 0, 1, &set), EINVAL);
    EXPECT_ERRNO(syscall(SYS_sched_getaffinity, 0, sizeof(set), KERNEL_POINTER), EFAULT);
}

TEST(policy)
{
    struct sched_param param = {55};
    EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
    EXPECT_OK(sched_getparam(0, &param));
    EXPECT_EQ(param.sched_priority, 0);
    EXPECT_OK(sched_setparam(0, &param));
    param.sched_priority = 1;
    EXPECT_ERRNO(sched_setparam(0, &param), EINVAL);
    EXPECT_ERRNO(sched_getparam(0, NULL_POINTER), EINVAL);
    EXPECT_ERRNO(sched_getscheduler(-1), EINVAL);
    EXPECT_ERRNO(sched_getscheduler(999999999), ESRCH);
    EXPECT_ERRNO(sched_setscheduler(0, 99, &param), EINVAL);
    IN_CHILD {
        param.sched_priority = 0;
        EXPECT_OK(sched_setscheduler(0, SCHED_BATCH, &param));
        EXPECT_EQ(sched_getscheduler(0), SCHED_BATCH);
    }
}

TEST(ranges)
{
    EXPECT_EQ(sched_get_priority_max(SCHED_FIFO), 99);
    EXPECT_EQ(sched_get_priority_min(SCHED_RR), 1);
    EXPECT_EQ(sched_get_priority_max(SCHED_OTHER), 0);
    EXPECT_ERRNO(sched_get_priority_max(99), EINVAL);
    struct timespec interval;
    EXPECT_OK(sched_rr_get_interval(0, &interval));
}

TEST(yield)
{
    for (int i = 0; i < 100; i++)
        EXPECT_OK(sched_yield());
}

TEST(reset_on_fork)
{
    IN_CHILD {
        struct sched_param param = {0};
        EXPECT_OK(sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &param));
        EXPECT_EQ(sched_getscheduler(0), SCHED_BATCH | SCHED_RESET_ON_FORK);
        IN_CHILD {
            EXPECT_EQ(sched_getscheduler(0), SCHED_BATCH);
        }
        param.sched_priority = 5;
        if (geteuid() == 0 && sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) == 0) {
            IN_CHILD {
                EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
                EXPECT_OK(sched_getparam(0, &param));
                EXPECT_EQ(param.sched_priority, 0);
            }
        }
    }
}

TEST(of_others)
{
    if (geteuid() != 0)
        SKIP("needs root");
    pid_t parent = getpid();
    IN_CHILD {
        struct sched_param param = {0};
        ASSERT_OK(setuid(54321));
        EXPECT_ERRNO(sched_setparam(parent, &param), EPERM);
    }
}

TEST(processor_is_in_the_mask)
{
    IN_CHILD {
        cpu_set_t set;
        ASSERT_OK(sched_getaffinity(0, sizeof(set), &set));
        for (int cpu = 0; cpu < 64; cpu++) {
            cpu_set_t one;
            unsigned got = 999;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            if (!CPU_ISSET(cpu, &set))
                continue;
            ASSERT_OK(sched_setaffinity(0, sizeof(one), &one));
            EXPECT_OK(syscall(SYS_getcpu, &got, NULL, NULL));
            EXPECT_EQ(got, cpu);
        }
    }
}

// As long as nobody has asked for others, each place that names processors means the same ones.
TEST(processors_agree)
{
    cpu_set_t set;
    ASSERT_OK(sched_getaffinity(0, sizeof(set), &set));
    for (int i = 0; i < 100; i++) {
        int cpu = sched_getcpu();
        EXPECT_TRUE(cpu >= 0 && CPU_ISSET(cpu, &set));
        unsigned raw = 9999;
        EXPECT_OK(syscall(SYS_getcpu, &raw, NULL, NULL));
        EXPECT_TRUE(raw < CPU_SETSIZE && CPU_ISSET(raw, &set));
    }
    EXPECT_GE(sysconf(_SC_NPROCESSORS_ONLN), CPU_COUNT(&set));
    char text[4096], *at;
    get_file("/proc/self/status", text, sizeof(text));
    at = strstr(text, "Cpus_allowed_list:");
    ASSERT_TRUE(at);
    int first = atoi(at + strlen("Cpus_allowed_list:"));
    EXPECT_TRUE(CPU_ISSET(first, &set));
    for (int cpu = 0; cpu < first; cpu++)
        EXPECT_TRUE(!CPU_ISSET(cpu, &set));
}
