// SPDX-License-Identifier: Apache-2.0
// covers: timerfd_create, timerfd_settime, timerfd_gettime
// Expirations, intervals, absolute times, disarming, errors (man 2 timerfd_create).
#include "guest.h"

#include <poll.h>
#include <sys/timerfd.h>

TEST(one_shot)
{
    int fd = ASSERT_OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    struct itimerspec set = {.it_value = {0, 30000000}}, got;
    uint64_t count;
    EXPECT_ERRNO(read(fd, &count, 8), EAGAIN);
    EXPECT_OK(timerfd_settime(fd, 0, &set, NULL));
    EXPECT_OK(timerfd_gettime(fd, &got));
    EXPECT_RANGE(got.it_value.tv_nsec, 1, 30000000);
    struct pollfd p = {fd, POLLIN, 0};
    EXPECT_EQ(poll(&p, 1, 20000), 1);
    EXPECT_EQ(read(fd, &count, 8), 8);
    EXPECT_EQ(count, 1);
    EXPECT_OK(timerfd_gettime(fd, &got));
    EXPECT_EQ(got.it_value.tv_sec + got.it_value.tv_nsec, 0);
    EXPECT_ERRNO(read(fd, &count, 8), EAGAIN);
    close(fd);
}

TEST(interval_counts)
{
    int fd = ASSERT_OK(timerfd_create(CLOCK_MONOTONIC, 0));
    struct itimerspec set = {.it_value = {0, 5000000}, .it_interval = {0, 5000000}};
    EXPECT_OK(timerfd_settime(fd, 0, &set, NULL));
    sleep_ms(60);
    uint64_t count;
    EXPECT_EQ(read(fd, &count, 8), 8);
    EXPECT_GE(count, 10);
    EXPECT_EQ(read(fd, &count, 8), 8);
    EXPECT_GE(count, 1);
    close(fd);
}

TEST(absolute_in_the_past)
{
    int fd = ASSERT_OK(timerfd_create(CLOCK_REALTIME, 0));
    struct itimerspec set = {.it_value = {1, 0}};
    EXPECT_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &set, NULL));
    uint64_t count;
    EXPECT_EQ(read(fd, &count, 8), 8);
    EXPECT_EQ(count, 1);
    close(fd);
}

TEST(disarm_returns_the_old_setting)
{
    int fd = ASSERT_OK(timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK));
    struct itimerspec set = {.it_value = {100, 0}, .it_interval = {7, 0}}, off = {0}, old;
    EXPECT_OK(timerfd_settime(fd, 0, &set, NULL));
    EXPECT_OK(timerfd_settime(fd, 0, &off, &old));
    EXPECT_EQ(old.it_interval.tv_sec, 7);
    EXPECT_RANGE(old.it_value.tv_sec, 90, 100);
    close(fd);
}

TEST(errors)
{
    EXPECT_ERRNO(timerfd_create(99, 0), EINVAL);
    EXPECT_ERRNO(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
    int fd = ASSERT_OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    struct itimerspec bad = {.it_value = {0, 1000000000}};
    EXPECT_ERRNO(timerfd_settime(fd, 0, &bad, NULL), EINVAL);
    EXPECT_ERRNO(timerfd_settime(fd, 0x80, &bad, NULL), EINVAL);
    EXPECT_ERRNO(timerfd_settime(0, 0, &bad, NULL), EINVAL);
    EXPECT_ERRNO(timerfd_settime(-1, 0, &(struct itimerspec){0}, NULL), EBADF);
    EXPECT_ERRNO(timerfd_gettime(fd, KERNEL_POINTER), EFAULT);
    uint32_t small;
    EXPECT_ERRNO(read(fd, &small, 4), EINVAL);
    close(fd);
}

// The real-time clock has gone on for longer than any other: the intervals since a first expiry long ago are
// counted, and the next one keeps their step.
TEST(since_a_past_time)
{
    const long day = 86400;
    int fd = ASSERT_OK(timerfd_create(CLOCK_REALTIME, 0));
    struct timespec now;
    uint64_t ticks;
    clock_gettime(CLOCK_REALTIME, &now);
    struct itimerspec set = {{100, 0}, {now.tv_sec - 1000 * day - 30, 0}}, left;
    EXPECT_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &set, NULL));
    EXPECT_EQ(read(fd, &ticks, 8), 8);
    EXPECT_RANGE(ticks, 10 * day + 1, 10 * day + 2);
    EXPECT_OK(timerfd_gettime(fd, &left));
    EXPECT_RANGE(left.it_value.tv_sec, 50, 70);
    set.it_interval.tv_sec = 100 * day;
    EXPECT_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &set, NULL));
    EXPECT_EQ(read(fd, &ticks, 8), 8);
    EXPECT_EQ(ticks, 11);
    EXPECT_OK(timerfd_gettime(fd, &left));
    EXPECT_RANGE(left.it_value.tv_sec, 100 * day - 50, 100 * day - 30);
    close(fd);
}
