// SPDX-License-Identifier: Apache-2.0
// See hosttime.h. The only file of the sentry that knows timerfd; the queue of timers (timer.c) is its
// caller. No locks.
#include "sentry/time/hosttime.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

int hosttime_create(void) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void hosttime_arm(int fd, uint64_t mono_ns_abs) {
    struct itimerspec at = {.it_value = {.tv_sec = (time_t)(mono_ns_abs / NS_PER_SEC),
                                         .tv_nsec = (long)(mono_ns_abs % NS_PER_SEC)}};
    if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL) < 0)
        panic("timerfd_settime: errno %d", errno);
}

void hosttime_drain(int fd) {
    uint64_t fired;
    if (read(fd, &fired, sizeof fired) < 0 && errno != EAGAIN && errno != EINTR)
        panic("reading the timer: errno %d", errno);
}
