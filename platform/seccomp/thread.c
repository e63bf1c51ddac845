// SPDX-License-Identifier: Apache-2.0
// Threads as objects: making, their states, giving back, killing. Called by the rest of the backend. Locks:
// thread->lock, then platform->lock.
//
// A host process's leader is never let go to its end while other threads live: its number stands for the
// process.
#include "abi/errno.h"
#include "base/fault.h"
#include "base/log.h"
#include "platform/seccomp/sc.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// ---- States -----------------------------------------------------------------------------------------------

static const char *const names[] = {
    [SC_FREE] = "FREE",       [SC_STARTING] = "STARTING", [SC_HELD] = "HELD", [SC_OPS] = "OPS",
    [SC_RUNNING] = "RUNNING", [SC_KEPT] = "KEPT",         [SC_DEAD] = "DEAD",
};

#define TO(state) (1u << (state))
static const unsigned transitions[] = {
    [SC_FREE] = TO(SC_STARTING),                              // sc_thread_new
    [SC_STARTING] = TO(SC_HELD) | TO(SC_DEAD) | TO(SC_FREE),  // check-in; never came; given back
    [SC_HELD] = TO(SC_RUNNING) | TO(SC_OPS) |                 // resumed, without or with ops to do
                TO(SC_KEPT) | TO(SC_DEAD),                    // given back
    [SC_KEPT] = TO(SC_HELD) | TO(SC_DEAD),                    // sc_keep_take
    [SC_OPS] = TO(SC_RUNNING) | TO(SC_HELD) | TO(SC_DEAD) | TO(SC_FREE),  // last op; report; its exit
    [SC_RUNNING] = TO(SC_HELD) | TO(SC_DEAD),                             // an event
    [SC_DEAD] = TO(SC_FREE),                                              // given back
};

static bool is_on(enum sc_state s) { return s == SC_RUNNING || s == SC_OPS; }

void sc_set_state(struct sc_thread *t, enum sc_state to) {
    if (!(transitions[t->state] & TO(to)))
        panic("stub %d: from %s to %s", t->tid, names[t->state], names[to]);
    if (is_on(to) != is_on(t->state))
        atomic_fetch_add(&sc_plat(t)->nrunning, is_on(to) ? 1u : -1u);
    t->state = to;
}

void sc_hold(struct sc_thread *t, uint64_t id, enum sc_hold how) {
    sc_set_state(t, SC_HELD);
    t->hold = how;
    t->notif.id = id;
    t->ring.state = RING_NONE;
    t->ring.out_len = t->ring.staged = 0;
    t->call.nr = (uint64_t)-1;
    t->call.proposed = t->call.anywhere = t->queue.may_fail = t->queue.flush = false;
    sc_regs_forget(t);
    if (id)  // a call in the ring has left the selector as it is, and its line is not to be written
        sc_dispatch_again(t);
}

void sc_violation(struct sc_thread *t, const char *what) {
    struct sc_platform *p = sc_plat(t);
    log_info("stub %d ends: %s", t->tid, what);
    t->violated = true;
    lock_nested(&p->lock);
    if (t->proc)
        sc_proc_kill(t->proc);
    lock_drop(&p->lock);
}

// ---- Making -----------------------------------------------------------------------------------------------

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
            list_init(&c->threads[i].keep_link);
            list_init(&c->threads[i].park_link);
            list_init(&c->threads[i].death_link);
            list_add_tail(&p->free_threads, &c->threads[i].link);
        }
    }
    struct sc_thread *t = list_first(&p->free_threads, struct sc_thread, link);
    list_del(&t->link);
    return t;
}

void sc_thread_forget(struct sc_thread *t) {
    uint64_t file = t->queue.file, unnamed = t->queue.unnamed;
    sc_ops_clear(t);
    free(t->queue.ops);
    free(t->cache.fp);
    free(t->fast);
    t->fast = NULL;
    t->exiting = t->to_handler = t->rest_over = t->violated = false;
    t->go = GO_NOT;
    t->intr = INTR_NONE;
    t->rest = REST_AWAKE;
    t->call = (struct sc_call){.nr = (uint64_t)-1};
    t->queue = (struct op_queue){.file = file, .unnamed = unnamed};
    t->cache = (struct reg_cache){0};
    t->ring = (struct ring_call){RING_NONE};
    t->wish = (struct fast_wish){0};
    t->place_top = t->proposals = t->trapped = 0;
    t->touched_at = t->fetched_at = t->fetched_in = 0;
}

// All but the lock, the links, and what tells where it lives, as a thread that is to be.
static void begin(struct sc_thread *t) {
    sc_set_state(t, SC_STARTING);
    t->hint = t->tid = 0;
    t->leader = t->internal = t->clean = t->renewed = t->doomed = false;
    atomic_store(&t->birth, BIRTH_NONE);
    t->notif = (struct sc_notif){0};
    sc_thread_forget(t);
    t->queue.file = 0;
    atomic_store(&t->ring_no, 0);
    atomic_store(&t->dispatched, false);
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
    begin(t);
    lock_drop(&t->lock);
    return t;
}

void sc_thread_at(struct sc_thread *t, unsigned slot) {
    t->slot = slot;
    lock_nested(&sc_plat(t)->lock);
    sc_ring_bind(t);
    lock_drop(&sc_plat(t)->lock);
}

// ---- Ends -------------------------------------------------------------------------------------------------

static void leave_process(struct sc_platform *p, struct sc_thread *t) {
    struct sc_proc *proc = t->proc;
    struct sc_as *as = sc_as(t);
    list_del(&t->proc_link);
    list_del(&t->link);
    t->proc = NULL;
    sc_ring_unbind(t);
    sc_patch_over(t);
    sc_slot_give(as, t->slot);
    atomic_fetch_sub(&as->nthreads, 1);
    if (proc && !proc->pid && list_empty(&proc->threads) && !proc->dead)  // it never started
        sc_proc_drop(proc);
    sc_as_drop(as);
}

void sc_thread_free(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    if (t->tid && atomic_load(&p->tids[t->tid]) == t)
        atomic_store(&p->tids[t->tid], NULL);
    sc_unpark(t);
    sc_thread_forget(t);
    t->tid = 0;
    t->aside = false;
    sc_set_state(t, SC_FREE);
    lock_nested(&p->lock);
    leave_process(p, t);
    list_add(&p->free_threads, &t->link);
    lock_drop(&p->lock);
}

// Only from a handler can a thread end: it is interrupted, unless a signal is under way already.
static void doom_plain(struct sc_thread *t) {
    if (t->intr == INTR_NONE)
        t->intr = INTR_WANTED;
    t->cache.have_rax = true;
    t->cache.rax = -LINUX_EINTR;
    sc_resume_held(t);
}

static void doom_child(struct sc_thread *t) {
    struct sc_op *o = sc_ops_add(t);
    if (!o) {
        sc_violation(t, "no memory to end it");
        return;
    }
    o->call = (struct host_call){SYS_exit, {0}};
    sc_resume_held(t);
}

// A doomed thread is held by an event of its own: it is kept, or ends. The leader stays held for ever, at no
// cost.
void sc_doom(struct sc_thread *t) {
    sc_unpark(t);
    if (t->state != SC_HELD || t->leader || sc_rest_wake(t))
        return;
    if (t->to_handler)
        t->intr = INTR_SENT;  // the one that was to bring it there
    t->queue.flush = t->to_handler = false;
    sc_ops_clear(t);
    if (t->hold == HOLD_VALUE) {
        doom_plain(t);
        return;
    }
    if (sc_keep(t))
        return;
    t->exiting = true;
    if (t->hold == HOLD_CHECKIN) {
        doom_child(t);
        return;
    }
    sc_set_state(t, SC_OPS);
    sc_reply(t, STUB_GO_EXIT);
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

void sc_thread_lost(struct sc_thread *t, const struct sc_proc *proc, int cause) {
    LOCKED(&t->lock);
    if (t->state == SC_FREE || t->proc != proc)
        return;
    struct sc_platform *p = sc_plat(t);
    if (t->tid && atomic_load(&p->tids[t->tid]) == t)
        atomic_store(&p->tids[t->tid], NULL);
    sc_set_state(t, SC_DEAD);
    sc_ops_clear(t);
    lock_nested(&p->lock);
    sc_keep_forget(t);
    t->proc = NULL;
    bool pooled = list_linked(&t->pool_link);
    sc_pool_forget(t);
    if (pooled)
        sc_as_drop(sc_as(t));  // the pool's reference; the thread holds another
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
