// SPDX-License-Identifier: Apache-2.0
// See systime.h. No locks.
#include "sentry/time/systime.h"
#include "base/clock.h"
#include "sentry/proc/task.h"
#include <time.h>

_Thread_local unsigned systime_left;
static _Thread_local uint64_t seen;  // processor time of this worker at its last sample; 0: none yet

uint64_t systime_sample(void) {
    systime_left = SYSTIME_EVERY - 1;
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

void systime_charge(struct tgroup *g, uint64_t began) {
    uint64_t now = clock_ns(CLOCK_THREAD_CPUTIME_ID), ns = now - began;
    if (seen) {
        uint64_t most = now - seen;
        ns = ns < most / SYSTIME_EVERY ? ns * SYSTIME_EVERY : most;
    }
    seen = now;
    atomic_fetch_add_explicit(&g->sys_ns, ns, memory_order_relaxed);
}
