// SPDX-License-Identifier: Apache-2.0
// A token bucket: so many bytes a second, and a burst. One that is in debt has to wait: a frame of any length
// may go while something is left, so no frame is too long for a small bucket. No lock: its owner's.
#ifndef SENTRY_LINK_BUCKET_H
#define SENTRY_LINK_BUCKET_H
#include "base/clock.h"
#include <stdbool.h>
#include <stdint.h>

#define BUCKET_BURST_NS (20 * NS_PER_SEC / 1000)  // what gathers in that time may go at once
#define BUCKET_LEAST    (64u << 10)               // bytes: or this much, one long frame
#define BUCKET_RATE_MAX (UINT64_C(1) << 36)       // bytes a second

struct bucket {
    uint64_t rate;   // bytes a second; 0: no limit
    uint64_t burst;  // bytes
    int64_t tokens;  // bytes
    uint64_t at;     // ns: when `tokens` was right
};

static inline void bucket_init(struct bucket *b, uint64_t rate, uint64_t now) {
    if (rate > BUCKET_RATE_MAX)
        rate = BUCKET_RATE_MAX;
    uint64_t burst = rate / (NS_PER_SEC / BUCKET_BURST_NS);
    if (burst < BUCKET_LEAST)
        burst = BUCKET_LEAST;
    *b = (struct bucket){rate, burst, (int64_t)burst, now};
}
// Whether a frame may go now.
static inline bool bucket_open(struct bucket *b, uint64_t now) {
    if (!b->rate)
        return true;
    uint64_t passed = now - b->at;
    if (passed > 100 * NS_PER_SEC) {  // whatever the debt was
        b->tokens = (int64_t)b->burst;
        b->at = now;
    } else {
        uint64_t bytes = (uint64_t)((__uint128_t)passed * b->rate / NS_PER_SEC);
        // a part of a byte is time that has still to pass
        b->at += (uint64_t)(((__uint128_t)bytes * NS_PER_SEC + b->rate - 1) / b->rate);
        b->tokens += (int64_t)bytes;
        if (b->tokens > (int64_t)b->burst)
            b->tokens = (int64_t)b->burst;
    }
    return b->tokens > 0;
}
static inline void bucket_take(struct bucket *b, uint64_t bytes) {
    if (b->rate)
        b->tokens -= (int64_t)bytes;
}
// Of one that is not open: when it will be.
static inline uint64_t bucket_when(const struct bucket *b) {
    uint64_t debt = (uint64_t)(1 - b->tokens);
    return b->at + (uint64_t)((__uint128_t)debt * NS_PER_SEC / b->rate) + 1;
}

#endif
