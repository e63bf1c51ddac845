// SPDX-License-Identifier: Apache-2.0
// covers: clock_gettime, clock_getres, clock_settime, gettimeofday, time
// Clocks agree through the vDSO and the raw call, do not go back, and reject nonsense (man 2
// clock_gettime).
#include "guest.h"

#include <sys/time.h>

static int64_t ns_of(struct timespec ts)
{
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int64_t library(clockid_t clock)
{
    struct timespec ts = {0, 0};
    EXPECT_OK(clock_gettime(clock, &ts));
    return ns_of(ts);
}

static int64_t raw(clockid_t clock)
{
    struct timespec ts = {0, 0};
    EXPECT_OK(syscall(SYS_clock_gettime, clock, &ts));
    return ns_of(ts);
}

TEST(library_and_raw_agree)
{
    clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID,
                          CLOCK_THREAD_CPUTIME_ID};
    for (int i = 0; i < 5; i++) {
        int64_t a = library(clocks[i]), b = raw(clocks[i]), c = library(clocks[i]);
        EXPECT_TRUE(a <= b && b <= c);
        EXPECT_RANGE(c - a, 0, 2000000000);
    }
}

TEST(wall_clocks)
{
    int64_t a = library(CLOCK_REALTIME), b = raw(CLOCK_REALTIME);
    EXPECT_RANGE(b - a, -500000000, 2000000000);
    struct timeval tv, raw_tv;
    EXPECT_OK(gettimeofday(&tv, NULL));
    EXPECT_OK(syscall(SYS_gettimeofday, &raw_tv, NULL));
    EXPECT_RANGE(raw_tv.tv_sec - tv.tv_sec, -1, 2);
    EXPECT_RANGE(syscall(SYS_time, NULL) - time(NULL), -2, 2);
    EXPECT_RANGE(b / 1000000000 - time(NULL), -2, 2);
    EXPECT_RANGE(library(CLOCK_REALTIME_COARSE) - library(CLOCK_REALTIME), -1000000000, 500000000);
    EXPECT_OK(clock_gettime(CLOCK_TAI, &(struct timespec){0}));
}

TEST(monotonic_does_not_go_back)
{
    int64_t last = 0, backwards = 0;
    for (int i = 0; i < 10000; i++) {
        struct timespec ts;
        i % 16 ? clock_gettime(CLOCK_MONOTONIC, &ts) : syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
        backwards += ns_of(ts) < last;
        last = ns_of(ts);
    }
    EXPECT_EQ(backwards, 0);
}

TEST(cpu_clocks_count_work)
{
    int64_t start = library(CLOCK_PROCESS_CPUTIME_ID), sleeping = now_ms();
    sleep_ms(50);
    EXPECT_RANGE(library(CLOCK_PROCESS_CPUTIME_ID) - start, 0, 40000000);
    start = library(CLOCK_THREAD_CPUTIME_ID);
    while (library(CLOCK_THREAD_CPUTIME_ID) - start < 20000000)
        ;
    EXPECT_GE(now_ms() - sleeping, 69);
}

TEST(resolution)
{
    struct timespec res;
    EXPECT_OK(clock_getres(CLOCK_MONOTONIC, &res));
    EXPECT_RANGE(ns_of(res), 1, 20000000);
    EXPECT_OK(syscall(SYS_clock_getres, CLOCK_REALTIME, NULL));
    EXPECT_ERRNO(syscall(SYS_clock_getres, 99, &res), EINVAL);
}

TEST(errors)
{
    struct timespec ts = {0, 0};
    EXPECT_ERRNO(syscall(SYS_clock_gettime, 99, &ts), EINVAL);
    EXPECT_ERRNO(syscall(SYS_clock_gettime, CLOCK_REALTIME, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(syscall(SYS_gettimeofday, KERNEL_POINTER, NULL), EFAULT);
    EXPECT_TRUE(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &ts) == -1 &&
                (errno == EINVAL || errno == EPERM));
    if (geteuid() != 0)
        EXPECT_ERRNO(syscall(SYS_clock_settime, CLOCK_REALTIME, &ts), EPERM);
}
