// SPDX-License-Identifier: Apache-2.0
// Host clocks in ns, read through the vDSO (no host call). And randomness.
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_SEC 1000000000ull

static inline uint64_t clock_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}
static inline uint64_t mono_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
static inline uint64_t real_ns(void) { return clock_ns(CLOCK_REALTIME); }

// A time since 1970 in ns, with 0 <= nsec < NS_PER_SEC: the nearest that fits, which are the years 1677 to
// 2262. Whole seconds at either end, some away from those of the type, so that neither a sum with a day nor
// what callers mean by the last values goes wrong.
#define TIME_LAST_SEC (INT64_MAX / (int64_t)NS_PER_SEC - 1)
static inline int64_t time_ns(int64_t sec, int64_t nsec) {
    if (sec > TIME_LAST_SEC || sec < -TIME_LAST_SEC)
        return (sec > 0 ? TIME_LAST_SEC : -TIME_LAST_SEC) * (int64_t)NS_PER_SEC;
    return sec * (int64_t)NS_PER_SEC + nsec;
}

// Fills buf from the host's getrandom(2); panics when the host has none.
void random_bytes(void *buf, size_t n);
uint64_t random_u64(void);

#endif
