// SPDX-License-Identifier: Apache-2.0
// covers: nanosleep, clock_nanosleep
// Relative and absolute sleeping, remaining time, errors (man 2 clock_nanosleep).
#include "guest.h"

TEST(relative)
{
    struct timespec ts = {0, 30000000};
    int64_t start = now_ms();
    EXPECT_EQ(nanosleep(&ts, NULL), 0);
    EXPECT_GE(now_ms() - start, 29);
    EXPECT_EQ(clock_nanosleep(CLOCK_REALTIME, 0, &ts, NULL), 0);
    ts = (struct timespec){0, 0};
    EXPECT_EQ(nanosleep(&ts, NULL), 0);
}

TEST(absolute)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 30000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int64_t start = now_ms();
    EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
    EXPECT_GE(now_ms() - start, 28);
    EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
}

static void handler(int signal)
{
}

TEST(remaining)
{
    IN_CHILD {
        on_signal(SIGUSR1, handler, 0);
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
            sleep_ms(50);
            _exit(kill(parent, SIGUSR1));
        }
        struct timespec ts = {10, 0}, left = {0, 0};
        EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &left), EINTR);
        EXPECT_RANGE(left.tv_sec, 5, 9);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

TEST(errors)
{
    struct timespec bad = {0, 1000000000}, negative = {-1, 0}, fine = {0, 1};
    EXPECT_ERRNO(nanosleep(&bad, NULL), EINVAL);
    EXPECT_ERRNO(nanosleep(&negative, NULL), EINVAL);
    EXPECT_ERRNO(syscall(SYS_nanosleep, KERNEL_POINTER, NULL), EFAULT);
    EXPECT_EQ(clock_nanosleep(99, 0, &fine, NULL), EINVAL);
    EXPECT_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &fine, NULL), EINVAL);
    EXPECT_ERRNO(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, KERNEL_POINTER, NULL), EFAULT);
}
