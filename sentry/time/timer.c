// SPDX-License-Identifier: Apache-2.0
// The timer queue: all timers of a sandbox in one tree by deadline, behind one timerfd of the host. The event
// thread runs what is due. Called by parked calls' deadlines, the guest's timers, alarms and timer
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
#include <unistd.h>

void timers_init(struct timer_queue *q) {
    *q = (struct timer_queue){.fd = -1};
    lock_init(&q->lock, RANK_TIMER);
    pthread_cond_init(&q->done, NULL);
}

void timers_destroy(struct timer_queue *q) {
    if (q->fd >= 0)
        close(q->fd);
    pthread_cond_destroy(&q->done);
    lock_destroy(&q->lock);
}

void timers_start(struct timer_queue *q, int fd) {
    LOCKED(&q->lock);
    q->fd = fd;
}

void ktimer_init(struct timer_queue *q, struct ktimer *t, void (*fn)(struct ktimer *t)) {
    *t = (struct ktimer){.q = q, .fn = fn};
}

static void tree_insert(struct ktimer *t) {
    struct rb_node **link = &t->q->tree.node, *parent = NULL;
    while (*link) {
        parent = *link;
        struct ktimer *other = rb_entry(parent, struct ktimer, node);
        link = t->expires < other->expires ? &parent->left : &parent->right;
    }
    rb_insert(&t->q->tree, &t->node, parent, link);
}

static bool take_off(struct ktimer *t) {
    if (!t->expires)
        return false;
    rb_erase(&t->q->tree, &t->node);
    t->expires = 0;
    return true;
}

// Queue lock held: an earlier deadline than the one that the descriptor waits for needs a host call.
static void arm(struct timer_queue *q, uint64_t expires) {
    if (q->fd < 0 || (q->armed && q->armed <= expires))
        return;
    q->armed = expires;
    hosttime_arm(q->fd, expires);
}

void ktimer_set(struct ktimer *t, uint64_t expires) {
    LOCKED(&t->q->lock);
    take_off(t);
    t->expires = expires ? expires : 1;
    tree_insert(t);
    arm(t->q, t->expires);
}

bool ktimer_cancel(struct ktimer *t) {
    LOCKED(&t->q->lock);
    return take_off(t);
}

void ktimer_cancel_sync(struct ktimer *t) {
    struct timer_queue *q = t->q;
    LOCKED(&q->lock);
    take_off(t);
    while (q->current == t && !pthread_equal(q->runner, pthread_self())) {
        pthread_cond_wait(&q->done, &q->lock.m);
        take_off(t);  // its function may have set it again
    }
}

uint64_t ktimer_remaining(struct ktimer *t) {
    LOCKED(&t->q->lock);
    if (!t->expires)
        return 0;
    uint64_t now = mono_ns();
    return t->expires > now ? t->expires - now : 1;
}

static struct ktimer *due(struct timer_queue *q, uint64_t now) {
    struct rb_node *first = rb_first(&q->tree);
    if (!first)
        return NULL;
    struct ktimer *t = rb_entry(first, struct ktimer, node);
    return t->expires <= now ? t : NULL;
}

void timers_run(struct timer_queue *q) {
    hosttime_drain(q->fd);
    lock_take(&q->lock);
    q->armed = 0;
    q->runner = pthread_self();
    for (struct ktimer *t; (t = due(q, mono_ns()));) {
        void (*fn)(struct ktimer *) = t->fn;
        take_off(t);
        q->current = t;
        lock_drop(&q->lock);
        fn(t);
        lock_take(&q->lock);
        q->current = NULL;
        pthread_cond_broadcast(&q->done);
    }
    struct rb_node *first = rb_first(&q->tree);
    if (first)
        arm(q, rb_entry(first, struct ktimer, node)->expires);
    lock_drop(&q->lock);
}
