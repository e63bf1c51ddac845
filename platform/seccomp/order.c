// SPDX-License-Identifier: Apache-2.0
// Work of several threads on one memory: pieces that touch the same addresses are done in the order in which
// they were queued, whatever order their threads come in. (One thread unmaps a range, the sentry gives it to
// another, and that one maps it first: the unmapping must not hit the new map.) Called by run.c and event.c;
// costs nothing while an address space has one thread.
//
// Each piece has a range on its address space's list from when it is queued until its thread is known to have
// done it. A piece with an older overlapping one of another thread before it is *parked*: its thread waits in
// the gate, unanswered. A thread that was let go with its last piece is not heard of until its next event;
// when another waits for that, it is interrupted (a *probe*, not reported). Locks: thread->lock, then
// platform->lock.
//
// sc_settle() does what needs no lock to be held by its caller: going on with the parked, and telling of
// children that died before they checked in.
#include "abi/errno.h"
#include "base/fault.h"
#include "platform/seccomp/sc.h"
#include <stdlib.h>

struct sc_range {
    struct list link; // [P] sc_as.ranges, oldest first
    uint64_t start, end;
    struct sc_thread *thread;
};

int sc_order_add(struct sc_thread *t, struct sc_op *o, uint64_t start, uint64_t len) {
    struct sc_as *as = sc_as(t);
    struct sc_platform *p = sc_plat(t);
    if (!atomic_load(&as->shared) || len == 0)
        return 0;
    o->range = znew(struct sc_range);
    if (!o->range)
        return -LINUX_ENOMEM;
    *o->range =
        (struct sc_range){.start = start, .end = start + len < start ? ~0ull : start + len, .thread = t};
    lock_nested(&p->lock);
    list_add_tail(&as->ranges, &o->range->link);
    lock_drop(&p->lock);
    return 0;
}

void sc_order_done(struct sc_thread *t, struct sc_range **range) {
    struct sc_platform *p = sc_plat(t);
    if (!*range)
        return;
    lock_nested(&p->lock);
    list_del(&(*range)->link);
    bool wanted = !list_empty(&p->parked);
    lock_drop(&p->lock);
    free(*range);
    *range = NULL;
    if (wanted)
        atomic_store(&p->unsettled, true);
}

// The thread goes on with its last piece: it has to be asked when somebody waits for that.
void sc_order_last(struct sc_thread *t, struct sc_range **range) {
    struct sc_platform *p = sc_plat(t);
    t->last_range = *range;
    *range = NULL;
    if (!t->last_range)
        return;
    lock_nested(&p->lock);
    bool wanted = !list_empty(&p->parked);
    lock_drop(&p->lock);
    if (wanted)
        atomic_store(&p->unsettled, true);
}

// [P] The oldest piece of another thread that has to come first.
static struct sc_range *obstacle(const struct sc_thread *t, const struct sc_range *mine) {
    struct sc_range *r;
    list_for_each (r, &sc_as(t)->ranges, link) {
        if (r == mine)
            return NULL;
        if (r->thread != t && r->start < mine->end && mine->start < r->end)
            return r;
    }
    return NULL;
}

bool sc_order_must_wait(struct sc_thread *t, const struct sc_op *o) {
    struct sc_platform *p = sc_plat(t);
    if (!o->range)
        return false;
    lock_nested(&p->lock);
    bool wait = obstacle(t, o->range) != NULL;
    lock_drop(&p->lock);
    return wait;
}

bool sc_order_park(struct sc_thread *t, const struct sc_op *o, const struct seccomp_notif *n) {
    struct sc_platform *p = sc_plat(t);
    if (!o->range)
        return false;
    lock_nested(&p->lock);
    bool park = obstacle(t, o->range) != NULL;
    if (park) {
        t->parked = *n;
        if (!list_linked(&t->park_link))
            list_add_tail(&p->parked, &t->park_link);
        atomic_store(&p->unsettled, true);
    }
    lock_drop(&p->lock);
    return park;
}

// Takes one that has waited since before this round.
static struct sc_thread *next_parked(struct sc_platform *p, struct list *waiting) {
    LOCKED(&p->lock);
    if (list_empty(waiting))
        return NULL;
    struct sc_thread *t = list_first(waiting, struct sc_thread, park_link);
    list_del(&t->park_link);
    list_add_tail(&p->parked, &t->park_link);
    return t;
}

static void probe(struct sc_thread *t) {
    LOCKED(&t->lock);
    if (t->state == SC_RUNNING && t->last_range && !t->probed) {
        t->probed = true;
        sc_send_intr(t);
    }
}

// The thread that it still has to wait for, or NULL.
static struct sc_thread *retry(struct sc_platform *p, struct sc_thread *t) {
    lock_take(&t->lock);
    lock_nested(&p->lock);
    bool still = list_linked(&t->park_link);
    const struct sc_op *o = t->state == SC_OPS && t->next < t->nops ? &t->ops[t->next] : NULL;
    struct sc_range *r = still && o && o->range ? obstacle(t, o->range) : NULL;
    struct sc_thread *before = r ? r->thread : NULL;
    if (!r)
        list_del(&t->park_link);
    lock_drop(&p->lock);
    if (still && o && !r) {
        struct seccomp_notif n = t->parked;
        sc_ops_approve(t, &n);
    }
    sc_unlock(t, NULL);
    return before;
}

// A child that will not come: it died unknown, or its order was taken back.
static struct sc_thread *take_lost_child(struct sc_platform *p, bool *off) {
    struct sc_thread *t;
    LOCKED(&p->lock);
    list_for_each (t, &p->pending, link) {
        *off = atomic_load(&t->birth) == BIRTH_OFF;
        if (*off) {
            list_del(&t->link);
            return t;
        }
        for (size_t i = 0; t->hint && i < SC_LOST; i++) {
            if (p->lost[i] != t->hint)
                continue;
            p->lost[i] = 0;
            list_del(&t->link);
            return t;
        }
    }
    return NULL;
}

// The process of a child that never checked in: nobody else knows of it.
static void child_lost(struct sc_platform *p, struct sc_thread *t) {
    struct sc_proc *proc = NULL;
    lock_take(&p->lock);
    if (t->leader)
        proc = t->proc;
    lock_drop(&p->lock);
    if (!proc)
        return;
    lock_take(&p->lock);
    list_del(&t->proc_link);
    proc->dead = true;
    lock_drop(&p->lock);
    sc_thread_lost(t, 0);
    lock_take(&p->lock);
    sc_proc_drop(proc);
    lock_drop(&p->lock);
}

// Its parent's OPS_DONE told the sentry; only if the sentry has given the child back already is there
// something to do.
static void child_off(struct sc_thread *t) {
    LOCKED(&t->lock);
    if (t->state == SC_STARTING && t->doomed && atomic_load(&t->birth) == BIRTH_OFF)
        sc_thread_free(t);
}

void sc_settle(struct sc_platform *p) {
    struct sc_thread *t, *before;
    struct list waiting = LIST_INIT(waiting);
    bool off;
    if (!atomic_exchange(&p->unsettled, false))
        return;
    while ((t = take_lost_child(p, &off))) {
        if (!off || t->clean)
            child_lost(p, t);
        else
            child_off(t);
    }
    lock_take(&p->lock);
    list_splice_tail(&waiting, &p->parked);
    lock_drop(&p->lock);
    while ((t = next_parked(p, &waiting))) {
        if ((before = retry(p, t)))
            probe(before);
    }
}
