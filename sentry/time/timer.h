// SPDX-License-Identifier: Apache-2.0
// Kernel timers: a function is called on the event thread at a point of the monotonic clock. Setting one
// costs at most one host call (timerfd_settime by the caller itself), and wakes no thread.
#ifndef SENTRY_TIME_TIMER_H
#define SENTRY_TIME_TIMER_H
#include "base/list.h"
#include "base/rbtree.h"
#include <stdbool.h>
#include <stdint.h>

struct ktimer {
    struct rb_node node;   // [timer lock]
    uint64_t expires;      // [timer lock] monotonic ns; 0: not set
    // On the event thread, with no lock held; may set the timer again, and may free it.
    void (*fn)(struct ktimer *t);
};

int timers_init(int timer_fd);  // a CLOCK_MONOTONIC timerfd, owned from here on
void timers_run(void);          // by the event thread when timer_fd is readable; then it calls run_ready()
void ktimer_init(struct ktimer *t, void (*fn)(struct ktimer *t));
void ktimer_set(struct ktimer *t, uint64_t expires);  // any thread; moves it when it is set already
// Not set any more; false: it was not set (fn has run, or is under way). Does not wait for fn.
bool ktimer_cancel(struct ktimer *t);
// As ktimer_cancel(), and waits until fn is not under way (never with a lock that fn takes). From within fn
// itself it does not wait.
void ktimer_cancel_sync(struct ktimer *t);
uint64_t ktimer_remaining(struct ktimer *t);  // ns, 0 when not set

#endif
