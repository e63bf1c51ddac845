// SPDX-License-Identifier: Apache-2.0
// The check-in of new host threads, and those that never come. Called by dispatch.c for a gate call that may
// be one, and by whoever clears a queue with a clone in it. Locks: thread->lock, then platform->lock.
//
// A child is known by a random cookie that its parent's stub is given with the order to clone. Its first call
// tells it; the kernel tells the child's number. The cookie is readable for the parent's own address space
// only, and the child must be where it was to be made, so nothing is gained by telling a wrong one.
#include "platform/seccomp/sc.h"
#include <linux/prctl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

// The queue is dropped: a child that was ordered with it and has not been launched will never be.
void sc_child_off(struct sc_thread *t) {
    int ordered = BIRTH_ORDERED;
    if (t->queue.child && atomic_compare_exchange_strong(&t->queue.child->birth, &ordered, BIRTH_OFF))
        atomic_store(&sc_plat(t)->unsettled, true);
}

// The parent's stub says that its child has this number. Only if the child dies before it checks in does that
// matter.
void sc_child_hint(struct sc_thread *t, int64_t tid) {
    struct sc_platform *p = sc_plat(t);
    struct sc_thread *child = t->queue.child;
    bool lost = false;
    lock_nested(&p->lock);
    if (child && tid > 0 && tid < SC_MAX_TID) {
        child->hint = (int)tid;
        for (size_t i = 0; i < SC_LOST; i++)
            lost = lost || p->lost[i] == (int)tid;
    }
    lock_drop(&p->lock);
    if (lost)
        atomic_store(&p->unsettled, true);
}

static struct sc_thread *find_pending(struct sc_platform *p, uint64_t cookie) {
    struct sc_thread *t, *found = NULL;
    lock_take(&p->lock);
    list_for_each(t, &p->pending, link) {
        if (t->cookie == cookie && atomic_load(&t->birth) == BIRTH_LAUNCHED) {
            found = t;
            break;
        }
    }
    if (found)
        list_del(&found->link);
    lock_drop(&p->lock);
    return found;
}

// Does this host thread belong to the process (0: is it a process of its own)?
static bool lives_in(int pid, int tid) { return syscall(SYS_tgkill, pid ? pid : tid, tid, 0) == 0; }

// The number may still be in the table for a thread that was killed with its process, which is not reaped
// yet.
static bool number_is_free(struct sc_platform *p, int tid) {
    struct sc_thread *old = atomic_load(&p->tids[tid]);
    if (!old)
        return true;
    LOCKED(&old->lock);
    return old->tid != tid || !old->proc || !lives_in(old->proc->pid, tid);
}

// [lock] True: *ev tells that it is there, which is all that was wanted.
static bool bind_child(struct sc_platform *p, struct sc_thread *t, const struct seccomp_notif *n,
                       struct plat_event *ev) {
    int tid = (int)n->pid;
    if (!t->proc || !lives_in(t->leader ? 0 : t->proc->pid, tid)) {
        kill(tid, SIGKILL);
        return false;
    }
    t->tid = tid;
    t->notif.id = n->id;
    t->hold = HOLD_CHECKIN;
    sc_aside_born(t);
    sc_set_state(t, SC_HELD);
    atomic_store(&p->tids[tid], t);
    lock_nested(&p->lock);
    if (t->leader) {
        t->proc->pid = tid;
        if (!atomic_load(&t->base.as->pid))
            atomic_store(&t->base.as->pid, tid);
        if (t->proc->killed)
            kill(tid, SIGKILL);
    }
    lock_drop(&p->lock);
    if (t->doomed) {
        sc_doom(t);
    } else if (t->go == GO_FLUSH && t->queue.n == 0) {
        t->queue.flush = false;
        *ev = (struct plat_event){.kind = PLAT_OPS_DONE, .thread = &t->base, .context = true};
        ev->owner = atomic_load(&t->base.owner);
        return true;
    } else if (t->go != GO_NOT) {
        t->queue.flush = t->go == GO_FLUSH;
        sc_resume_held(t);
    }
    return false;
}

bool sc_started(const struct plat_thread *pt) {
    struct sc_thread *t = sc_thread_of(pt);
    LOCKED(&t->lock);
    return t->state == SC_HELD;
}

bool sc_check_in(struct sc_platform *p, const struct seccomp_notif *n, struct plat_event *ev, bool *got) {
    const uint64_t *a = (const uint64_t *)n->data.args;
    if (n->pid >= SC_MAX_TID || a[0] != PR_SET_PDEATHSIG || a[1] != SIGKILL || a[3] || a[4] || a[5] ||
        !number_is_free(p, (int)n->pid))
        return false;
    struct sc_thread *t = find_pending(p, a[2]);
    if (!t)
        return false;
    lock_take(&t->lock);
    *got = bind_child(p, t, n, ev);
    sc_unlock(t, NULL);
    return true;
}

// ---- Children that do not come ----------------------------------------------------------------------------

// A child that will not come: it died unknown, or its order was taken back.
static struct sc_thread *take_lost_child(struct sc_platform *p, bool *off) {
    struct sc_thread *t;
    LOCKED(&p->lock);
    list_for_each(t, &p->pending, link) {
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
    sc_thread_lost(t, proc, 0);
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

void sc_settle_children(struct sc_platform *p) {
    struct sc_thread *t;
    bool off;
    if (!atomic_exchange(&p->unsettled, false))
        return;
    while ((t = take_lost_child(p, &off))) {
        if (!off || t->clean)
            child_lost(p, t);
        else
            child_off(t);
    }
}
