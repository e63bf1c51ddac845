// SPDX-License-Identifier: Apache-2.0
// See load.h.
#include "sentry/time/load.h"
#include "base/clock.h"
#include "sentry/kernel.h"
#include "sentry/run/limits.h"
#include <string.h>

#define STEP_NS   (5 * NS_PER_SEC)
#define STEPS_MAX 2000u  // after which nothing is left of what was before

// LOAD_ONE * exp(-5 s / (1, 5, 15 min)), <linux/sched/loadavg.h>
static const unsigned kept[LOADS] = {1884, 2014, 2037};

void load_init(struct load *l) { lock_init(&l->lock, RANK_LEAF); }
void load_destroy(struct load *l) { lock_destroy(&l->lock); }

static unsigned step(unsigned avg, unsigned weight, unsigned now) {
    uint64_t v = (uint64_t)avg * weight + (uint64_t)now * (LOAD_ONE - weight);
    return (unsigned)((v + (now >= avg ? LOAD_ONE - 1 : 0)) / LOAD_ONE);
}

void kernel_load(struct kernel *k, unsigned avg[LOADS]) {
    struct load *l = &k->load;
    uint64_t used = limits_cpu_ns(k) + limits_sys_ns(k), now = kernel_uptime_ns();
    LOCKED(&l->lock);
    uint64_t steps = now > l->at ? (now - l->at) / STEP_NS : 0;
    if (steps > 0) {
        uint64_t spent = used > l->used ? used - l->used : 0;
        uint64_t busy = spent / 1000 * LOAD_ONE / ((now - l->at) / 1000);
        busy = busy < (uint64_t)k->ncpus * LOAD_ONE ? busy : (uint64_t)k->ncpus * LOAD_ONE;
        for (uint64_t n = steps < STEPS_MAX ? steps : STEPS_MAX; n > 0; n--)
            for (int i = 0; i < LOADS; i++)
                l->avg[i] = step(l->avg[i], kept[i], (unsigned)busy);
        l->at = now;
        l->used = used;
    }
    memcpy(avg, l->avg, sizeof l->avg);
}
