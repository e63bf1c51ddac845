// SPDX-License-Identifier: Apache-2.0
// The load average: how many processors the guests have kept busy in the last 1, 5 and 15 minutes, with
// Linux' weights. Nothing counts by itself: a look takes what was used since the last one as spread evenly
// over that time.
// LIMIT: who waits for a processor is not counted, on Linux he is.
#ifndef SENTRY_TIME_LOAD_H
#define SENTRY_TIME_LOAD_H
#include "base/lock.h"
#include <stdint.h>

#define LOADS    3
#define LOAD_ONE 2048u  // as one processor

struct kernel;
struct load {
    struct lock lock;     // RANK_LEAF
    uint64_t at, used;    // [lock] ns: uptime of the last step, processor time then
    unsigned avg[LOADS];  // [lock] LOAD_ONE a processor
};

void load_init(struct load *l);
void load_destroy(struct load *l);
void kernel_load(struct kernel *k, unsigned avg[LOADS]);  // takes tasks_lock

#endif
