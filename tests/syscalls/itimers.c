// SPDX-License-Identifier: Apache-2.0
// covers: setitimer, getitimer
// Real, virtual and profiling timers: repeating, reading, disarming, errors (man 2 setitimer).
#define GUEST_NO_WATCHDOG
#include "guest.h"

#include <sys/time.h>

static volatile int count;

static void handler(int signal)
{
    count++;
}

TEST(real_repeats)
{
    on_signal(SIGALRM, handler, 0);
    struct itimerval timer = {{0, 10000}, {0, 10000}}, old;
    count = 0;
    EXPECT_OK(setitimer(ITIMER_REAL, &timer, NULL));
    while (count < 5)
        pause();
    EXPECT_OK(setitimer(ITIMER_REAL, &(struct itimerval){0}, &old));
    EXPECT_EQ(old.it_interval.tv_usec, 10000);
    int after = count;
    sleep_ms(30);
    EXPECT_EQ(count, after);
}

TEST(reading)
{
    struct itimerval timer = {{7, 0}, {100, 0}}, now;
    EXPECT_OK(setitimer(ITIMER_REAL, &timer, NULL));
    EXPECT_OK(getitimer(ITIMER_REAL, &now));
    EXPECT_EQ(now.it_interval.tv_sec, 7);
    EXPECT_RANGE(now.it_value.tv_sec, 99, 100);
    IN_CHILD {
        EXPECT_OK(getitimer(ITIMER_REAL, &now));
        EXPECT_EQ(now.it_value.tv_sec, 0);
    }
    EXPECT_RANGE(alarm(0), 99, 100);
}

static void spin_until_signal(int which, int signal)
{
    on_signal(signal, handler, 0);
    struct itimerval timer = {{0, 0}, {0, 20000}};
    count = 0;
    EXPECT_OK(setitimer(which, &timer, NULL));
    int64_t start = now_ms();
    while (count == 0 && now_ms() - start < 25000)
        ;
    EXPECT_EQ(count, 1);
}

TEST(cpu_timers)
{
    spin_until_signal(ITIMER_VIRTUAL, SIGVTALRM);
    spin_until_signal(ITIMER_PROF, SIGPROF);
}

TEST(cpu_timer_settings)
{
    struct itimerval timer = {{13, 12000}, {500, 0}}, now;
    EXPECT_OK(setitimer(ITIMER_PROF, &timer, NULL));
    EXPECT_OK(getitimer(ITIMER_PROF, &now));
    EXPECT_EQ(now.it_interval.tv_sec, 13);
    EXPECT_EQ(now.it_interval.tv_usec, 12000);
    EXPECT_RANGE(now.it_value.tv_sec, 490, 500);
    IN_CHILD {
        EXPECT_OK(getitimer(ITIMER_PROF, &now));
        EXPECT_EQ(now.it_value.tv_sec, 0);
    }
    EXPECT_OK(setitimer(ITIMER_PROF, &(struct itimerval){0}, &now));
    EXPECT_RANGE(now.it_value.tv_sec, 490, 500);
    EXPECT_OK(getitimer(ITIMER_PROF, &now));
    EXPECT_EQ(now.it_value.tv_sec + now.it_value.tv_usec, 0);
}

TEST(repeating_cpu_timer)
{
    on_signal(SIGPROF, handler, 0);
    struct itimerval timer = {{0, 10000}, {0, 10000}};
    count = 0;
    EXPECT_OK(setitimer(ITIMER_PROF, &timer, NULL));
    int64_t start = now_ms();
    while (count < 5 && now_ms() - start < 25000)
        ;
    EXPECT_GE(count, 5);
    EXPECT_GE(now_ms() - start, 20);
    EXPECT_OK(setitimer(ITIMER_PROF, &(struct itimerval){0}, NULL));
}

TEST(errors)
{
    struct itimerval bad = {{0, 0}, {0, 1000000}}, now;
    EXPECT_ERRNO(setitimer(ITIMER_REAL, &bad, NULL), EINVAL);
    bad.it_value.tv_usec = -1;
    EXPECT_ERRNO(setitimer(ITIMER_REAL, &bad, NULL), EINVAL);
    EXPECT_ERRNO(syscall(SYS_setitimer, 9, &(struct itimerval){0}, NULL), EINVAL);
    EXPECT_ERRNO(syscall(SYS_getitimer, 9, &now), EINVAL);
    EXPECT_ERRNO(syscall(SYS_getitimer, ITIMER_REAL, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(syscall(SYS_setitimer, ITIMER_REAL, KERNEL_POINTER, NULL), EFAULT);
}
