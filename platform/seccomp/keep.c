// SPDX-License-Identifier: Apache-2.0
// Kept threads. When a guest thread ends while its process goes on, its host thread stands in the stub's
// handler, at the gate, and nothing in it is left of the guest but the signal frame. It stays there, and the
// next thread that the process makes is that one with other registers: no host call of the stub is needed
// for the end of the one and the beginning of the other.
//
// To the sentry a kept thread has been given back like any other: it is in no list of tasks, does not keep
// its process alive (sc_proc.nlive), and ends with it. It is no thread of the address space either
// (sc_as.nthreads), since it cannot move. What it had of its own is dropped as it is kept: interrupts, host
// ops, registers, call sites, ring. Not dropped is what belongs to the host thread: number, slot, the file at
// its descriptor number. FP state and host signal mask are in the frame: the first is the maker's (CLONE_VM
// copies it too), the second is empty unless the guest has written into its own slot.
//
// Called by thread.c for threads that are given back, and by clone.c. Locks: thread->lock, platform->lock.
//
// Host calls of ours: none; its maker's FP state is read, and written, with the other registers.
#include "platform/seccomp/sc.h"

// Only in this state is nothing on its way to it, or from it.
static bool may_keep(const struct sc_thread *t) {
    return t->state == SC_HELD && t->hold == HOLD_EVENT && t->doomed && !t->leader && !t->internal &&
           t->intr != INTR_SENT && t->rest == REST_AWAKE && t->ring.state == RING_NONE && !t->to_handler &&
           !t->call.proposed && !t->notif.has_reply;
}

static bool has_room(const struct sc_platform *p, const struct sc_proc *proc) {
    return proc && !proc->killed && !proc->dead && proc->nlive > 0 && proc->nkept < SC_KEPT_MOST &&
           p->nkept < SC_KEPT_MOST_ALL;
}

bool sc_keep(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    bool room = false;
    if (!may_keep(t))
        return false;
    lock_nested(&p->lock);
    if (has_room(p, t->proc)) {
        room = true;
        list_add(&t->proc->kept, &t->keep_link);
        t->proc->nkept++;
        p->nkept++;
        atomic_fetch_sub(&sc_as(t)->nthreads, 1);
        sc_ring_unbind(t);
    }
    lock_drop(&p->lock);
    if (!room)
        return false;
    sc_patch_over(t);
    sc_aside_over(t);
    sc_thread_forget(t);
    sc_set_state(t, SC_KEPT);
    return true;
}

void sc_keep_forget(struct sc_thread *t) {
    if (!list_linked(&t->keep_link))
        return;
    list_del(&t->keep_link);
    t->proc->nkept--;
    sc_plat(t)->nkept--;
    atomic_fetch_add(&sc_as(t)->nthreads, 1);
}

// Nobody but the caller has it then, and those who find it in the tid table.
static bool take(struct sc_thread *t, const struct sc_thread *maker) {
    struct sc_platform *p = sc_plat(t);
    LOCKED(&t->lock);
    if (t->state != SC_KEPT)
        return false;
    lock_nested(&p->lock);
    bool there = t->proc && t->proc == maker->proc && !t->proc->killed && list_linked(&t->keep_link);
    if (there) {
        sc_keep_forget(t);
        t->proc->nlive++;
        sc_ring_bind(t);
    }
    lock_drop(&p->lock);
    if (!there)
        return false;
    t->doomed = false;
    t->renewed = true;
    t->hold = HOLD_EVENT;
    sc_set_state(t, SC_HELD);
    return true;
}

static struct sc_thread *first_kept(struct sc_platform *p, const struct sc_thread *maker) {
    LOCKED(&p->lock);
    struct sc_proc *proc = maker->proc;
    return proc && !list_empty(&proc->kept) ? list_first(&proc->kept, struct sc_thread, keep_link) : NULL;
}

// While the maker's ring proposes maps, a clone has it told that it is not alone (blob.c); so has guarded
// memory to be given up. Both are host work, as a new thread is.
static bool needs_work(struct sc_thread *t) {
    LOCKED(&t->lock);
    return (t->fast && t->fast->alone) || sc_guard_any(sc_as(t)) || t->queue.n;
}

bool sc_keep_has(struct sc_thread *maker) { return !needs_work(maker) && first_kept(sc_plat(maker), maker); }

struct sc_thread *sc_keep_take(const struct sc_thread *maker, void *fp) {
    struct sc_platform *p = sc_plat(maker);
    struct sc_thread *t = first_kept(p, maker);
    if (!t || !take(t, maker))
        return NULL;
    LOCKED(&t->lock);
    atomic_store(&t->base.owner, NULL);
    t->cache.fp = fp;
    t->cache.fp_len = p->frame.fp_len;
    plat_count_one(&p->base, STAT_RENEWED);
    return t;
}
