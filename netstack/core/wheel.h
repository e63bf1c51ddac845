// SPDX-License-Identifier: Apache-2.0
// A timer wheel: five levels of 64 slots, a millisecond a slot on the lowest, which reaches 12 days; what is
// later waits in the last slot and is put in again. Arming and cancelling are O(1), which is what TCP does
// with each segment. A timer never runs early, and at most a millisecond late. Lock: the owner's.
#ifndef NETSTACK_CORE_WHEEL_H
#define NETSTACK_CORE_WHEEL_H
#include "base/list.h"
#include <stdint.h>

#define WHEEL_LEVELS 5
#define WHEEL_SLOTS  64
#define WHEEL_TICK   1000000ull  // ns

struct timer {
    struct list link;
    uint64_t at;  // tick; valid while armed
    void (*run)(struct timer *t);
    uint8_t level, slot;  // where it is linked
};
struct wheel {
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
    uint64_t used[WHEEL_LEVELS];  // a bit per slot that is not empty
    uint64_t tick;                // all before it, and it, have run
    unsigned armed;
};

void wheel_init(struct wheel *w, uint64_t now);
void timer_init(struct timer *t, void (*run)(struct timer *));
// (Re)arms: runs at `when` (ns) or up to a tick after it; what is past runs at the next wheel_run().
void timer_arm(struct wheel *w, struct timer *t, uint64_t when);
void timer_cancel(struct wheel *w, struct timer *t);
static inline bool timer_armed(const struct timer *t) { return list_linked(&t->link); }
// The moment it is due, in ns.
static inline uint64_t timer_when(const struct timer *t) { return t->at * WHEEL_TICK; }
// Runs all that are due at `now`. Their functions may arm and cancel any timer.
void wheel_run(struct wheel *w, uint64_t now);
// When wheel_run() has something to do at the earliest; UINT64_MAX for never. It may be too early (then
// nothing runs but timers move down a level), never too late.
uint64_t wheel_next(const struct wheel *w);

#endif
