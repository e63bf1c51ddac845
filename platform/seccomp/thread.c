// SPDX-License-Identifier: Apache-2.0
// Threads, host processes and address spaces as objects: making, giving back, killing. Called by the rest of
// the backend. Locks: thread->lock, then platform->lock.
//
// Who holds whom: a process and each of its threads hold the memory of their address space; the sentry's
// references to it count as one hold. A process lives until the reaper has seen its end and its threads are
// told. A host process's leader is never let go to its end while other threads live: its number stands for
// the process.
#include "abi/errno.h"
#include "base/fault.h"
#include "base/log.h"
#include "platform/seccomp/sc.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// ---- Address spaces
// ------------------------------------------------------------------------------------------------

struct sc_as *sc_as_new(struct sc_platform *p) {
    struct sc_as *as = znew(struct sc_as);
    if (!as)
        return NULL;
    plat_as_init(&as->base, &p->base);
    atomic_fetch_sub(&p->base.nspaces, 1); // counted when the sentry gets it
    list_init(&as->procs);
    sc_premap_init(&as->premap);
    as->holds = 1;
    return as;
}

void sc_as_drop(struct sc_as *as) {
    invariant(as->holds > 0);
    if (--as->holds)
        return;
    sc_ring_free(as);
    sc_premap_fini(as);
    plat_as_fini(&as->base);
    free(as);
}

void sc_as_release(struct plat_as *pas) {
    struct sc_as *as = sc_as_of(pas);
    struct sc_platform *p = sc_of(pas->p);
    struct sc_proc *proc;
    lock_nested(&p->lock);
    list_for_each (proc, &as->procs, as_link) {
        sc_proc_kill(proc);
    }
    sc_as_drop(as);
    lock_drop(&p->lock);
}

int sc_slot_take(struct sc_as *as) {
    for (unsigned w = 0; w < SC_SLOT_WORDS; w++) {
        if (as->slots[w] == ~0ull)
            continue;
        unsigned bit = (unsigned)__builtin_ctzll(~as->slots[w]), slot = w * 64 + bit;
        if (slot >= sc_of(as->base.p)->nslots)
            break;
        as->slots[w] |= 1ull << bit;
        return (int)slot;
    }
    return -1;
}

// ---- Processes
// -----------------------------------------------------------------------------------------------------

struct sc_proc *sc_proc_new(struct sc_as *as) {
    struct sc_platform *p = sc_of(as->base.p);
    struct sc_proc *proc = znew(struct sc_proc);
    if (!proc)
        return NULL;
    proc->as = as;
    list_init(&proc->threads);
    lock_nested(&p->lock);
    list_add_tail(&as->procs, &proc->as_link);
    list_add_tail(&p->procs, &proc->all_link);
    as->holds++;
    lock_drop(&p->lock);
    return proc;
}

void sc_proc_drop(struct sc_proc *proc) {
    invariant(list_empty(&proc->threads));
    list_del(&proc->as_link);
    list_del(&proc->all_link);
    sc_as_drop(proc->as);
    free(proc);
}

void sc_proc_kill(struct sc_proc *proc) {
    if (proc->killed || proc->dead)
        return;
    proc->killed = true;
    if (proc->pid)
        kill(proc->pid, SIGKILL);
}

void sc_violation(struct sc_thread *t, const char *what) {
    struct sc_platform *p = sc_plat(t);
    log_info("stub %d ends: %s", t->tid, what);
    lock_nested(&p->lock);
    if (t->proc)
        sc_proc_kill(t->proc);
    lock_drop(&p->lock);
}

// ---- Threads
// -------------------------------------------------------------------------------------------------------

static struct sc_thread *take_free(struct sc_platform *p) {
    if (list_empty(&p->free_threads)) {
        struct sc_chunk *c = znew(struct sc_chunk);
        if (!c)
            return NULL;
        c->next = p->chunks;
        p->chunks = c;
        for (size_t i = 0; i < sizeof c->threads / sizeof *c->threads; i++) {
            lock_init(&c->threads[i].lock, RANK_PLATFORM);
            list_init(&c->threads[i].proc_link);
            list_init(&c->threads[i].pool_link);
            list_init(&c->threads[i].death_link);
            list_add_tail(&p->free_threads, &c->threads[i].link);
        }
    }
    struct sc_thread *t = list_first(&p->free_threads, struct sc_thread, link);
    list_del(&t->link);
    return t;
}

struct sc_thread *sc_thread_new(struct sc_as *as, struct sc_proc *proc, const struct sc_thread *sibling) {
    struct sc_platform *p = sc_of(as->base.p);
    lock_take(&p->lock);
    if (sibling)
        proc = sibling->proc;
    struct sc_thread *t = proc && !proc->dead ? take_free(p) : NULL;
    if (t) {
        as->holds++;
        atomic_fetch_add(&as->nthreads, 1);
        list_add_tail(&proc->threads, &t->proc_link);
        proc->nlive++;
    }
    lock_drop(&p->lock);
    if (!t)
        return NULL;
    // Nobody else has it, but one who found it in the tid table long ago may look at `tid` and `state`.
    lock_take(&t->lock);
    t->base.p = &p->base;
    t->base.as = &as->base;
    atomic_store(&t->base.owner, NULL);
    t->proc = proc;
    t->state = SC_STARTING;
    t->go = GO_NOT;
    t->tid = 0;
    t->leader = t->doomed = t->exiting = t->internal = t->intr_wanted = t->intr_sent = t->may_fail = false;
    t->have_rax = t->have_regs = t->regs_dirty = t->bases_dirty = t->flush = false;
    atomic_store(&t->birth, BIRTH_NONE);
    t->clean = false;
    t->call_nr = (uint64_t)-1;
    t->fd_ready = -1;
    t->fd_dirty = t->has_reply = false;
    t->child = NULL;
    t->last_map.len = 0;
    t->undo = 0;
    t->hint = 0;
    t->to_handler = false;
    memset(t->heat, 0, sizeof t->heat);
    t->ring_calls = t->proposals = 0;
    t->touched_at = 0;
    t->proposed = false;
    t->out_len = 0;
    t->ring_on = t->ring_hot = t->ring_slow = t->ring_go = t->ring_done = false;
    lock_drop(&t->lock);
    return t;
}

static void leave_process(struct sc_platform *p, struct sc_thread *t) {
    struct sc_proc *proc = t->proc;
    struct sc_as *as = sc_as(t);
    list_del(&t->proc_link);
    list_del(&t->link);
    t->proc = NULL;
    as->slots[t->slot / 64] &= ~(1ull << t->slot % 64);
    atomic_fetch_sub(&as->nthreads, 1);
    if (proc && !proc->pid && list_empty(&proc->threads) && !proc->dead) // it never started
        sc_proc_drop(proc);
    sc_as_drop(as);
}

void sc_thread_free(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    if (t->tid && atomic_load(&p->tids[t->tid]) == t)
        atomic_store(&p->tids[t->tid], NULL);
    sc_ops_clear(t);
    free(t->ops);
    free(t->fp);
    t->ops = NULL;
    t->fp = NULL;
    t->cap = 0;
    t->tid = 0;
    sc_set_state(t, SC_FREE);
    lock_nested(&p->lock);
    leave_process(p, t);
    list_add(&p->free_threads, &t->link);
    lock_drop(&p->lock);
}

// A doomed thread is held by an event of its own: it ends. The leader stays held for ever, at no cost.
void sc_doom(struct sc_thread *t) {
    if (t->state != SC_HELD || t->leader)
        return;
    t->flush = t->to_handler = false;
    sc_ops_clear(t);
    if (t->hold == HOLD_VALUE || t->hold == HOLD_RING) { // only from a handler can a thread end: interrupt it
        t->intr_wanted = t->have_rax = true;
        t->rax = -LINUX_EINTR;
        sc_let_go(t);
        return;
    }
    t->exiting = true;
    if (t->hold != HOLD_CHECKIN) {
        sc_set_state(t, SC_OPS);
        sc_reply(t, STUB_GO_EXIT);
        return;
    }
    struct sc_op *o = sc_ops_add(t);
    if (o)
        o->call = (struct host_call){SYS_exit, {0}};
    if (o)
        sc_let_go(t);
    else
        sc_violation(t, "no memory to end it");
}

void sc_thread_destroy(struct plat_thread *pt) {
    struct sc_thread *t = sc_thread_of(pt);
    struct sc_platform *p = sc_plat(t);
    bool last = false;
    atomic_fetch_sub(&p->base.nthreads, 1);
    lock_take(&t->lock);
    t->doomed = true;
    sc_unqueue_death(t);
    lock_nested(&p->lock);
    if (t->proc && --t->proc->nlive == 0) {
        last = true;
        sc_proc_kill(t->proc);
    }
    lock_drop(&p->lock);
    int birth = atomic_load(&t->birth);
    if (t->state == SC_DEAD || (t->state == SC_STARTING && (birth == BIRTH_NONE || birth == BIRTH_OFF)))
        sc_thread_free(t);
    else if (t->state == SC_STARTING)
        sc_ops_clear(t);
    else if (t->state == SC_HELD && !last)
        sc_doom(t);
    else if (!last)
        sc_interrupt_running(t);
    sc_unlock(t, NULL);
    sc_settle_children(p);
}

void sc_thread_lost(struct sc_thread *t, int cause) {
    struct sc_platform *p = sc_plat(t);
    LOCKED(&t->lock);
    if (t->tid && atomic_load(&p->tids[t->tid]) == t)
        atomic_store(&p->tids[t->tid], NULL);
    sc_set_state(t, SC_DEAD);
    sc_ops_clear(t);
    lock_nested(&p->lock);
    t->proc = NULL;
    bool pooled = list_linked(&t->pool_link);
    sc_pool_forget(t);
    if (pooled)
        sc_as_drop(sc_as(t)); // the pool's reference; the thread holds another
    if (t->internal)
        p->zygote = NULL;
    lock_drop(&p->lock);
    if (t->doomed || pooled)
        sc_thread_free(t);
    else if (!t->internal)
        sc_queue_death(t, cause);
    else if (!atomic_load(&p->closing))
        log_error("the zygote has died (signal %d): no new programs can start", cause);
}

int sc_host_tid(const struct plat_thread *pt) {
    struct sc_thread *t = sc_thread_of(pt);
    LOCKED(&t->lock);
    return t->state == SC_DEAD ? 0 : t->tid;
}

int sc_host_pid(const struct plat_thread *pt) {
    struct sc_thread *t = sc_thread_of(pt);
    LOCKED(&t->lock);
    return t->proc && t->state != SC_DEAD ? t->proc->pid : 0;
}
