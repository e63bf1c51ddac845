// SPDX-License-Identifier: Apache-2.0
// The timer queue: all timers of the sandbox in one tree by deadline, behind one timerfd of the host. The
// event thread runs what is due. Called by parked calls' deadlines, the guest's timers, alarms and timer
// descriptors.
//
// The descriptor is armed for the earliest deadline, by whoever sets an earlier one. Cancelling leaves it
// armed: the event thread then wakes once for nothing (about 50 us of one core) instead of a host call for
// every timeout that did not come to pass, and the usual poll-with-timeout loop makes no host call for its
// timers at all.
//
// Locks: one, RANK_TIMER, for the tree; none while a timer's function runs. The function may free its timer,
// so after it has been called the timer is only compared by address, never looked at.
#include "sentry/time/timer.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "sentry/time/hosttime.h"
#include <pthread.h>
#include <unistd.h>

static struct {
    struct lock lock;
    struct rb_root tree;           // [lock] by expires
    int fd;                        // [c]
    uint64_t armed;                // [lock] what the descriptor is set to; 0: it is not
    const struct ktimer *current;  // [lock] whose function is under way
    pthread_t runner;              // [lock] the thread that runs it
    pthread_cond_t done;           // [lock] `current` has changed
} queue = {.lock = LOCK_INITIALIZER(RANK_TIMER), .fd = -1, .done = PTHREAD_COND_INITIALIZER};

int timers_init(int timer_fd) {
    LOCKED(&queue.lock);
    if (queue.fd >= 0 && queue.fd != timer_fd)
        close(queue.fd);
    queue.fd = timer_fd;
    queue.armed = 0;
    return 0;
}

void ktimer_init(struct ktimer *t, void (*fn)(struct ktimer *t)) { *t = (struct ktimer){.fn = fn}; }

static void tree_insert(struct ktimer *t) {
    struct rb_node **link = &queue.tree.node, *parent = NULL;
    while (*link) {
        parent = *link;
        struct ktimer *other = rb_entry(parent, struct ktimer, node);
        link = t->expires < other->expires ? &parent->left : &parent->right;
    }
    rb_insert(&queue.tree, &t->node, parent, link);
}

static bool take_off(struct ktimer *t) {
    if (!t->expires)
        return false;
    rb_erase(&queue.tree, &t->node);
    t->expires = 0;
    return true;
}

// Queue lock held: an earlier deadline than the one that the descriptor waits for needs a host call.
static void arm(uint64_t expires) {
    if (queue.fd < 0 || (queue.armed && queue.armed <= expires))
        return;
    queue.armed = expires;
    hosttime_arm(queue.fd, expires);
}

void ktimer_set(struct ktimer *t, uint64_t expires) {
    LOCKED(&queue.lock);
    take_off(t);
    t->expires = expires ? expires : 1;
    tree_insert(t);
    arm(t->expires);
}

bool ktimer_cancel(struct ktimer *t) {
    LOCKED(&queue.lock);
    return take_off(t);
}

void ktimer_cancel_sync(struct ktimer *t) {
    LOCKED(&queue.lock);
    take_off(t);
    while (queue.current == t && !pthread_equal(queue.runner, pthread_self())) {
        pthread_cond_wait(&queue.done, &queue.lock.m);
        take_off(t);  // its function may have set it again
    }
}

uint64_t ktimer_remaining(struct ktimer *t) {
    LOCKED(&queue.lock);
    if (!t->expires)
        return 0;
    uint64_t now = mono_ns();
    return t->expires > now ? t->expires - now : 1;
}

static struct ktimer *due(uint64_t now) {
    struct rb_node *first = rb_first(&queue.tree);
    if (!first)
        return NULL;
    struct ktimer *t = rb_entry(first, struct ktimer, node);
    return t->expires <= now ? t : NULL;
}

void timers_run(void) {
    hosttime_drain(queue.fd);
    lock_take(&queue.lock);
    queue.armed = 0;
    queue.runner = pthread_self();
    for (struct ktimer *t; (t = due(mono_ns()));) {
        void (*fn)(struct ktimer *) = t->fn;
        take_off(t);
        queue.current = t;
        lock_drop(&queue.lock);
        fn(t);
        lock_take(&queue.lock);
        queue.current = NULL;
        pthread_cond_broadcast(&queue.done);
    }
    struct rb_node *first = rb_first(&queue.tree);
    if (first)
        arm(rb_entry(first, struct ktimer, node)->expires);
    lock_drop(&queue.lock);
}
