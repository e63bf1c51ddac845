// SPDX-License-Identifier: Apache-2.0
// The pool of clean processes: the zygote clones them ahead, plat_as_create() takes them. Locks:
// thread->lock, then platform->lock.
#include "abi/errno.h"
#include "base/log.h"
#include "platform/seccomp/sc.h"

// [P] Adds one that is still to be made.
static struct sc_thread *pool_add(struct sc_platform *p) {
    lock_drop(&p->lock);
    struct sc_thread *t = sc_space_new(p, 0);
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
    if (!atomic_load(&p->closing) && sc_order_clone(z, t, SC_CLONE_COPY) == 0) {  // else at the next try
        z->queue.flush = true;
        sc_resume_held(z);
    }
    sc_unlock(z, NULL);
}

void sc_pool_fill(struct sc_platform *p) {
    lock_take(&p->lock);
    while (p->npool < p->pool_most && !atomic_load(&p->closing) && pool_add(p))
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
    t->cache.regs = (struct lx_regs){.cs = LINUX_USER_CS, .ss = LINUX_USER_DS, .orig_rax = (uint64_t)-1};
    t->cache.have_regs = t->cache.dirty_regs = t->cache.dirty_bases = true;
}

int sc_as_create(struct platform *pp, struct plat_as **as, struct plat_thread **thread) {
    struct sc_platform *p = sc_of(pp);
    struct sc_thread *t = NULL;
    lock_take(&p->lock);
    if (p->zygote && (!list_empty(&p->pool) || pool_add(p))) {
        t = list_first(&p->pool, struct sc_thread, pool_link);
        sc_pool_forget(t);
    }
    bool fill = p->npool == 0;  // else when the process dies whose place it takes (reap.c)
    p->pool_most = p->pool_most == 1 ? 0 : SC_POOL;
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
    if (fill)
        sc_pool_fill(p);
    return 0;
}
