// SPDX-License-Identifier: Apache-2.0
// Times between the guest's structures and ns, and deadlines on the monotonic clock. All sums saturate.
#ifndef SENTRY_TIME_TIMECONV_H
#define SENTRY_TIME_TIMECONV_H
#include "abi/time.h"
#include "base/clock.h"
#include <stdbool.h>

#define TIME_MAX ((uint64_t)INT64_MAX)  // 292 years: never

// False: not a time (negative, or a second's part out of range).
static inline bool time_from_spec(const struct linux_timespec *ts, uint64_t *ns) {
    if (ts->tv_sec < 0 || (uint64_t)ts->tv_nsec >= NS_PER_SEC)
        return false;
    *ns = (uint64_t)ts->tv_sec >= TIME_MAX / NS_PER_SEC
              ? TIME_MAX
              : (uint64_t)ts->tv_sec * NS_PER_SEC + (uint64_t)ts->tv_nsec;
    return true;
}
static inline bool time_from_val(const struct linux_timeval *tv, uint64_t *ns) {
    if ((uint64_t)tv->tv_usec >= 1000000)
        return false;
    struct linux_timespec ts = {tv->tv_sec, tv->tv_usec * 1000};
    return time_from_spec(&ts, ns);
}
static inline struct linux_timespec time_to_spec(uint64_t ns) {
    return (struct linux_timespec){(int64_t)(ns / NS_PER_SEC), (int64_t)(ns % NS_PER_SEC)};
}
static inline struct linux_timeval time_to_val(uint64_t ns) {
    return (struct linux_timeval){(int64_t)(ns / NS_PER_SEC), (int64_t)(ns % NS_PER_SEC / 1000)};
}
// The monotonic time that is ns from now.
static inline uint64_t time_after(uint64_t ns) {
    uint64_t now = mono_ns();
    return ns >= TIME_MAX - now ? TIME_MAX : now + ns;
}
// The monotonic time of an absolute one; never 0.
// LIMIT: a deadline of the real-time clock does not move when the host's clock is set afterwards.
static inline uint64_t time_deadline(uint64_t ns, bool realtime) {
    if (realtime) {
        uint64_t now = real_ns();
        ns = ns > now ? time_after(ns - now) : 1;
    }
    return ns ? ns : 1;
}

// Expiries of timers lie on a line of their own, the monotonic clock moved by so much: a timer of the
// real-time clock may have had its first one before our clock began, and goes on from there by whole
// intervals.
#define EXPIRY_ORIGIN (1ull << 61)  // 73 years
static inline uint64_t expiry_now(void) { return mono_ns() + EXPIRY_ORIGIN; }
static inline uint64_t expiry_after(uint64_t ns) { return time_after(ns) + EXPIRY_ORIGIN; }
// What is `at` on a clock that shows `now`.
static inline uint64_t expiry_at(uint64_t at, uint64_t now) {
    return at > now ? expiry_after(at - now) : expiry_now() - (now - at);
}
// For the timer queue, where 0 means none.
static inline uint64_t expiry_mono(uint64_t expiry) {
    return expiry > EXPIRY_ORIGIN ? expiry - EXPIRY_ORIGIN : 1;
}

#endif
