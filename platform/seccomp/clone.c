// SPDX-License-Identifier: Apache-2.0
// New host threads: plat_clone(), their check-in, and the pool of clean processes, which the zygote makes in
// the same way. Locks: thread->lock, then platform->lock.
//
// A child is known by a random cookie that its parent's stub is given with the order to clone. Its first call
// tells it; the kernel tells the child's number. The cookie is readable for the parent's own address space
// only, and the child must be where it was to be made, so nothing is gained by telling a wrong one.
#include "abi/errno.h"
#include "base/clock.h"
#include "base/log.h"
#include "platform/seccomp/sc.h"
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FLAGS_COPY   CLONE_PARENT
#define FLAGS_VM     (CLONE_PARENT | CLONE_VM)
#define FLAGS_THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

// The child's stack: a return address right below the ucontext's (blob.c, prepare_child).
#define CHILD_STACK_BELOW_UC 16

static void publish(struct sc_platform *p, struct sc_thread *child) {
    child->cookie = random_u64();
    lock_nested(&p->lock);
    list_add_tail(&p->pending, &child->link);
    lock_drop(&p->lock);
}

// A copy of a process with threads has their files too, at numbers that it may never use: it begins by closing them.
static bool inherit_files(struct sc_thread *t, struct sc_thread *child, uint64_t flags) {
    bool used = atomic_load(&t->proc->fd_used);
    child->fd_dirty = used;
    if (!child->leader)
        return true;
    bool close_all = used && !(flags & CLONE_VM) && atomic_load(&sc_as(t)->shared);
    atomic_store(&child->proc->fd_used, used && !close_all);
    struct sc_op *o = close_all ? sc_ops_add(child) : NULL;
    if (o) {
        o->call = (struct host_call){SYS_close_range, {0, ~0u, 0}};
        child->fd_dirty = false;
    }
    return o || !close_all;
}

// [lock of t] Orders the clone that makes `child`.
static int order_clone(struct sc_thread *t, struct sc_thread *child, uint64_t flags) {
    struct sc_platform *p = sc_plat(t);
    struct sc_op *o = inherit_files(t, child, flags) ? sc_ops_add(t) : NULL;
    if (!o)
        return -LINUX_ENOMEM;
    uint64_t stack = flags & CLONE_VM ? sc_slot_addr(child) + p->uc_off - CHILD_STACK_BELOW_UC : 0;
    atomic_store(&child->birth, BIRTH_ORDERED);
    publish(p, child);
    o->call = (struct host_call){SYS_clone, {flags, stack, 0, 0, 0, child->cookie}};
    o->expect = STUB_EXPECT_CHILD;
    t->child = child;
    return sc_order_add(t, o, 0, flags & CLONE_VM ? 0 : ~0ull); // a copy is of all memory
}

// A space with one process and one thread to be, in slot `slot`.
static struct sc_thread *new_process(struct sc_platform *p, struct sc_as *as, unsigned slot) {
    struct sc_proc *proc = sc_proc_new(as);
    struct sc_thread *t = proc ? sc_thread_new(as, proc, NULL) : NULL;
    if (!t) {
        if (proc) {
            lock_nested(&p->lock);
            sc_proc_drop(proc);
            lock_drop(&p->lock);
        }
        return NULL;
    }
    t->slot = slot;
    t->leader = true;
    return t;
}

static struct sc_thread *new_space(struct sc_platform *p, unsigned slot) {
    struct sc_as *as = sc_as_new(p);
    if (!as)
        return NULL;
    as->slots[slot / 64] |= 1ull << slot % 64;
    struct sc_thread *t = new_process(p, as, slot);
    if (!t) {
        lock_nested(&p->lock);
        sc_as_drop(as);
        lock_drop(&p->lock);
    }
    return t;
}

static struct sc_thread *new_sharer(struct sc_thread *t, bool thread) {
    struct sc_platform *p = sc_plat(t);
    struct sc_as *as = sc_as(t);
    struct sc_thread *child = NULL;
    lock_take(&p->lock);
    int slot = sc_slot_take(as);
    atomic_store(&as->shared, true);
    lock_drop(&p->lock);
    if (slot < 0)
        return NULL;
    if (!thread)
        child = new_process(p, as, (unsigned)slot);
    else if ((child = sc_thread_new(as, NULL, t)))
        child->slot = (unsigned)slot;
    if (!child) {
        lock_nested(&p->lock);
        as->slots[slot / 64] &= ~(1ull << slot % 64);
        lock_drop(&p->lock);
    }
    return child;
}

// t is held by the caller alone: its state can only become DEAD meanwhile.
static int may_clone(struct sc_thread *t, struct lx_regs *regs) {
    LOCKED(&t->lock);
    if (t->state == SC_DEAD)
        return -LINUX_EAGAIN;
    if (t->state != SC_HELD || t->hold == HOLD_VALUE || t->hold == HOLD_LANE || t->child)
        return -LINUX_EINVAL;
    int err = sc_regs_load(t);
    *regs = t->regs;
    return err ? -LINUX_EAGAIN : 0;
}

static int order_from(struct sc_thread *t, struct sc_thread *child, uint64_t flags) {
    LOCKED(&t->lock);
    if (flags & CLONE_VM)
        t->lane_on = false; // before it makes the clone, the stub switches its patched sites off
    if (!sc_spare_give_up(t)) // a copy has no guard, a second thread no lane
        return -LINUX_ENOMEM;
    return order_clone(t, child, flags);
}

int sc_clone(struct plat_thread *pt, unsigned flags, struct plat_thread **out, struct plat_as **as) {
    struct sc_thread *t = sc_thread_of(pt), *child;
    struct sc_platform *p = sc_plat(t);
    struct lx_regs regs;
    int err = may_clone(t, &regs);
    if (err)
        return err;
    child = flags & PLAT_CLONE_VM ? new_sharer(t, flags & PLAT_CLONE_THREAD) : new_space(p, t->slot);
    if (!child)
        return -LINUX_EAGAIN;
    child->regs = regs;
    child->have_regs = child->regs_dirty = child->bases_dirty = true;
    *out = &child->base;
    *as = child->base.as;
    atomic_fetch_add(&p->base.nthreads, 1);
    if (flags & PLAT_CLONE_VM)
        plat_as_get(*as);
    else
        atomic_fetch_add(&p->base.nspaces, 1);
    err = order_from(t, child,
                     flags & PLAT_CLONE_THREAD ? FLAGS_THREAD
                     : flags & PLAT_CLONE_VM   ? FLAGS_VM
                                               : FLAGS_COPY);
    if (err) {
        plat_thread_destroy(*out);
        plat_as_put(*as);
    }
    return err;
}

// ---- Check-in
// ------------------------------------------------------------------------------------------------------

// The queue is dropped: a child that was ordered with it and has not been launched will never be.
void sc_child_off(struct sc_thread *t) {
    int ordered = BIRTH_ORDERED;
    if (t->child && atomic_compare_exchange_strong(&t->child->birth, &ordered, BIRTH_OFF))
        atomic_store(&sc_plat(t)->unsettled, true);
}

// The parent's stub says that its child has this number. Only if the child dies before it checks in does that
// matter.
void sc_child_hint(struct sc_thread *t, int64_t tid) {
    struct sc_platform *p = sc_plat(t);
    struct sc_thread *child = t->child;
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
    list_for_each (t, &p->pending, link) {
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
static bool lives_in(int pid, int tid) {
    return syscall(SYS_tgkill, pid ? pid : tid, tid, 0) == 0;
}

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
static bool bind_child(struct sc_platform *p, struct sc_thread *t, const struct seccomp_notif *n, struct plat_event *ev) {
    int tid = (int)n->pid;
    if (!t->proc || !lives_in(t->leader ? 0 : t->proc->pid, tid)) {
        kill(tid, SIGKILL);
        return false;
    }
    t->tid = tid;
    t->id = n->id;
    t->hold = HOLD_CHECKIN;
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
    } else if (t->go == GO_FLUSH && t->nops == 0) {
        t->flush = false;
        *ev = (struct plat_event){.kind = PLAT_OPS_DONE, .thread = &t->base, .context = true};
        ev->owner = atomic_load(&t->base.owner);
        return true;
    } else if (t->go != GO_NOT) {
        t->flush = t->go == GO_FLUSH;
        sc_let_go(t);
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

// ---- The pool of clean processes
// -----------------------------------------------------------------------------------

// [P] Adds one that is still to be made.
static struct sc_thread *pool_add(struct sc_platform *p) {
    lock_drop(&p->lock);
    struct sc_thread *t = new_space(p, 0);
    lock_take(&p->lock);
    if (!t)
        return NULL;
    list_add_tail(&p->pool, &t->pool_link);
    list_add_tail(&p->to_make, &t->link);
    t->clean = true;
    p->npool++;
    return t;
}

// Sets the zygote to the next that is to be made. It reports when it is done (sc_zygote_report).
static void make_next(struct sc_platform *p) {
    lock_take(&p->lock);
    struct sc_thread *z = p->zygote, *t = NULL;
    if (z && !p->zygote_busy && !list_empty(&p->to_make)) {
        t = list_first(&p->to_make, struct sc_thread, link);
        list_del(&t->link);
        p->zygote_busy = true;
    }
    lock_drop(&p->lock);
    if (!t)
        return;
    lock_take(&z->lock);
    if (!atomic_load(&p->closing) && order_clone(z, t, FLAGS_COPY) == 0) { // (no memory: at the next try)
        z->flush = true;
        sc_let_go(z);
    }
    sc_unlock(z, NULL);
}

void sc_pool_fill(struct sc_platform *p) {
    lock_take(&p->lock);
    while (p->npool < SC_POOL && !atomic_load(&p->closing) && pool_add(p))
        ;
    lock_drop(&p->lock);
    make_next(p);
}

void sc_zygote_report(struct sc_platform *p, int64_t result) {
    if (result < 0)
        log_warn("no new process for the pool: host error %d", (int)-result);
    lock_take(&p->lock);
    p->zygote_busy = false;
    lock_drop(&p->lock);
    make_next(p);
}

void sc_pool_forget(struct sc_thread *t) {
    if (!list_linked(&t->pool_link))
        return;
    list_del(&t->pool_link);
    sc_of(t->base.p)->npool--;
}

static void zero_registers(struct sc_thread *t) {
    t->regs = (struct lx_regs){.cs = LINUX_USER_CS, .ss = LINUX_USER_DS, .orig_rax = (uint64_t)-1};
    t->have_regs = t->regs_dirty = t->bases_dirty = true;
}

int sc_as_create(struct platform *pp, struct plat_as **as, struct plat_thread **thread) {
    struct sc_platform *p = sc_of(pp);
    struct sc_thread *t = NULL;
    lock_take(&p->lock);
    if (p->zygote && (!list_empty(&p->pool) || pool_add(p))) {
        t = list_first(&p->pool, struct sc_thread, pool_link);
        sc_pool_forget(t);
    }
    bool empty = p->npool == 0;
    lock_drop(&p->lock);
    if (!t)
        return -LINUX_EAGAIN;
    lock_take(&t->lock);
    zero_registers(t);
    lock_drop(&t->lock);
    atomic_fetch_add(&pp->nthreads, 1);
    atomic_fetch_add(&pp->nspaces, 1);
    *thread = &t->base;
    *as = t->base.as;
    if (empty) // else it is filled when the process dies whose place this one takes (reap.c)
        sc_pool_fill(p);
    return 0;
}
