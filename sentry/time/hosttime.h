// SPDX-License-Identifier: Apache-2.0
// The host's timer descriptors, for the timer queue alone.
#ifndef SENTRY_TIME_HOSTTIME_H
#define SENTRY_TIME_HOSTTIME_H
#include <stdint.h>

int hosttime_create(void);                      // a non-blocking CLOCK_MONOTONIC timerfd, or -LINUX_E*
void hosttime_arm(int fd, uint64_t mono_ns_abs);  // one host call; panics when the host refuses
void hosttime_drain(int fd);                    // forgets that it fired

#endif
