// SPDX-License-Identifier: Apache-2.0
// New host threads: plat_clone(). A child becomes known when it checks in (checkin.c). Locks: thread->lock,
// then platform->lock.
#include "abi/errno.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "platform/seccomp/sc.h"
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// The child's stack: a return address right below the ucontext's (blob.c, prepare_child).
#define CHILD_STACK_BELOW_UC 16

static void publish(struct sc_platform *p, struct sc_thread *child) {
    child->cookie = random_u64();
    lock_nested(&p->lock);
    list_add_tail(&p->pending, &child->link);
    lock_drop(&p->lock);
}

// A copy of a process with threads has their files too, at numbers that it may never use: it begins by
// closing them.
static bool inherit_files(struct sc_thread *t, struct sc_thread *child, uint64_t flags) {
    bool used = atomic_load(&t->proc->fd_used);
    child->queue.file = used ? SC_FILE_UNKNOWN : 0;
    if (!child->leader)
        return true;
    bool close_all = used && !(flags & CLONE_VM) && atomic_load(&sc_as(t)->shared);
    atomic_store(&child->proc->fd_used, used && !close_all);
    struct sc_op *o = close_all ? sc_ops_add(child) : NULL;
    if (o) {
        o->call = (struct host_call){SYS_close_range, {0, ~0u, 0}};
        child->queue.file = 0;
    }
    return o || !close_all;
}

int sc_order_clone(struct sc_thread *t, struct sc_thread *child, uint64_t flags) {
    struct sc_platform *p = sc_plat(t);
    struct sc_op *o = inherit_files(t, child, flags) ? sc_ops_add(t) : NULL;
    if (!o)
        return -LINUX_ENOMEM;
    uint64_t stack = flags & CLONE_VM ? sc_slot_addr(child) + p->frame.uc_off - CHILD_STACK_BELOW_UC : 0;
    atomic_store(&child->birth, BIRTH_ORDERED);
    publish(p, child);
    o->call = (struct host_call){SYS_clone, {flags, stack, 0, 0, 0, child->cookie}};
    o->expect = STUB_EXPECT_CHILD;
    t->queue.child = child;
    return 0;
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
    sc_thread_at(t, slot);
    t->leader = true;
    return t;
}

struct sc_thread *sc_space_new(struct sc_platform *p, unsigned slot) {
    struct sc_as *as = sc_as_new(p);
    if (!as)
        return NULL;
    struct sc_thread *t = sc_slot_claim(as, slot) ? new_process(p, as, slot) : NULL;
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
        sc_thread_at(child, (unsigned)slot);
    if (!child) {
        lock_nested(&p->lock);
        sc_slot_give(as, (unsigned)slot);
        lock_drop(&p->lock);
    }
    return child;
}

// t is held by the caller alone: its state can only become DEAD meanwhile.
static int may_clone(struct sc_thread *t, struct lx_regs *regs, void *fp) {
    LOCKED(&t->lock);
    if (t->state == SC_DEAD)
        return -LINUX_EAGAIN;
    if (t->state != SC_HELD || t->hold == HOLD_VALUE || t->queue.child)
        return -LINUX_EINVAL;
    int err = sc_regs_load_all(t, fp);
    *regs = t->cache.regs;
    return err ? -LINUX_EAGAIN : 0;
}

static int order_from(struct sc_thread *t, struct sc_thread *child, uint64_t flags) {
    LOCKED(&t->lock);
    if (flags & CLONE_VM)
        sc_sites_shared(t);     // the stub sees to its part before it makes the clone
    if (!sc_guard_give_up(t))   // a copy has no guard, and with a second thread there is none
        return -LINUX_ENOMEM;
    return sc_order_clone(t, child, flags);
}

static uint64_t host_flags(unsigned flags) {
    if (flags & PLAT_CLONE_THREAD)
        return SC_CLONE_THREAD;
    return flags & PLAT_CLONE_VM ? SC_CLONE_VM : SC_CLONE_COPY;
}

static void inherit_registers(struct sc_thread *child, const struct lx_regs *regs) {
    LOCKED(&child->lock);
    child->cache.regs = *regs;
    child->cache.have_regs = child->cache.dirty_regs = child->cache.dirty_bases = true;
}

int sc_clone(struct plat_thread *pt, unsigned flags, struct plat_thread **out, struct plat_as **as) {
    struct sc_thread *t = sc_thread_of(pt), *child;
    struct sc_platform *p = sc_plat(t);
    struct lx_regs regs;
    void *fp cleanup_free = flags & PLAT_CLONE_THREAD && sc_keep_has(t) ? xcalloc(1, p->frame.fp_len) : NULL;
    int err = may_clone(t, &regs, fp);
    if (err)
        return err;
    bool kept = fp && (child = sc_keep_take(t, fp));
    if (kept)
        take_ptr(fp);
    if (!kept)
        child = flags & PLAT_CLONE_VM ? new_sharer(t, flags & PLAT_CLONE_THREAD) : sc_space_new(p, t->slot);
    if (!child)
        return -LINUX_EAGAIN;
    inherit_registers(child, &regs);
    *out = &child->base;
    *as = child->base.as;
    atomic_fetch_add(&p->base.nthreads, 1);
    if (flags & PLAT_CLONE_VM)
        plat_as_get(*as);
    else
        atomic_fetch_add(&p->base.nspaces, 1);
    err = kept ? 0 : order_from(t, child, host_flags(flags));
    if (err) {
        plat_thread_destroy(*out);
        plat_as_put(*as);
    }
    return err;
}
