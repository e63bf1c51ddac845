// SPDX-License-Identifier: Apache-2.0
// Kernel timers: a function is called on the event thread at a point of the monotonic clock. Setting one
// costs at most one host call (timerfd_settime by the caller itself), and wakes no thread.
#ifndef SENTRY_TIME_TIMER_H
#define SENTRY_TIME_TIMER_H
#include "base/list.h"
#include "base/lock.h"
#include "base/rbtree.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct ktimer;

// All timers of a sandbox by deadline, behind one timerfd of the host. The kernel has one.
struct timer_queue {
    struct lock lock;              // RANK_TIMER
    struct rb_root tree;           // [lock] by expires
    int fd;                        // [lock] owned; -1: none yet, nothing comes to pass
    uint64_t armed;                // [lock] what the descriptor is set to; 0: it is not
    const struct ktimer *current;  // [lock] whose function is under way
    pthread_t runner;              // [lock] the thread that runs it
    pthread_cond_t done;           // [lock] `current` has changed
};
void timers_init(struct timer_queue *q);
void timers_destroy(struct timer_queue *q);        // none is set
void timers_start(struct timer_queue *q, int fd);  // a CLOCK_MONOTONIC timerfd, owned from here on
// By the event thread when the descriptor is readable; then it calls run_ready().
void timers_run(struct timer_queue *q);

struct ktimer {
    struct timer_queue *q;  // [c]
    struct rb_node node;    // [q->lock]
    uint64_t expires;       // [q->lock] monotonic ns; 0: not set
    // On the event thread, with no lock held; may set the timer again, and may free it.
    void (*fn)(struct ktimer *t);
};

void ktimer_init(struct timer_queue *q, struct ktimer *t, void (*fn)(struct ktimer *t));
void ktimer_set(struct ktimer *t, uint64_t expires);  // any thread; moves it when it is set already
// Not set any more; false: it was not set (fn has run, or is under way). Does not wait for fn.
bool ktimer_cancel(struct ktimer *t);
// As ktimer_cancel(), and waits until fn is not under way (never with a lock that fn takes). From within fn
// itself it does not wait.
void ktimer_cancel_sync(struct ktimer *t);
uint64_t ktimer_remaining(struct ktimer *t);  // ns, 0 when not set

#endif
