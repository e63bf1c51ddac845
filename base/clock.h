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

// Fills buf from the host's getrandom(2); panics when the host has none.
void random_bytes(void *buf, size_t n);
uint64_t random_u64(void);

#endif
