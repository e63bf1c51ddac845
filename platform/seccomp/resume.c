// SPDX-License-Identifier: Apache-2.0
// Resuming held threads, and interrupting them. Called by the sentry through platform.c, and by the rest of
// the backend for threads that the sentry does not see. Locks: thread->lock.
//
// Host calls of ours: an answer to a plain call, or to a gate event without host ops, is one ioctl.
#include "abi/errno.h"
#include "platform/seccomp/sc.h"
#include <asm/prctl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// ---- Interrupts -------------------------------------------------------------------------------------------

bool sc_send_interrupt(struct sc_thread *t) {
    // LIMIT: before Linux 6.17, a signal that meets a call just received can make that call return at once
    // and be made a second time, though it was answered (fixed there by "seccomp: Fix a race with
    // WAIT_KILLABLE_RECV"). The process is not reaped while t->lock is held and its state is not DEAD, so the
    // numbers are still its own.
    return t->tid && syscall(SYS_tgkill, t->proc->pid, t->tid, PLAT_INTR_SIGNAL) == 0;
}

static void send_wanted(struct sc_thread *t) {
    if (t->intr == INTR_WANTED && !t->to_handler && sc_send_interrupt(t))
        t->intr = INTR_SENT;
}

void sc_interrupt_running(struct sc_thread *t) {
    if (t->intr == INTR_NONE)
        t->intr = INTR_WANTED;
    if (t->state == SC_RUNNING || (t->state == SC_OPS && !t->queue.flush))
        send_wanted(t);
}

void sc_interrupt_again(struct sc_thread *t) {
    if (t->intr == INTR_SENT)
        sc_send_interrupt(t);
}

void sc_interrupt(struct plat_thread *pt) {
    struct sc_thread *t = sc_thread_of(pt);
    LOCKED(&t->lock);
    sc_interrupt_running(t);
}

// The thread has come to the handler for its work. An interrupt that the sentry wants is sent anew, for
// afterwards.
void sc_at_handler(struct sc_thread *t, uint64_t id) {
    t->to_handler = t->cache.have_rax = false;
    if (t->intr == INTR_SENT)
        t->intr = INTR_WANTED;
    t->notif.id = id;
    t->hold = HOLD_EVENT;
    sc_set_state(t, SC_HELD);
    sc_resume_held(t);
}

// ---- Held calls that go on as they stand ------------------------------------------------------------------

// Is the call that stands in the gate what is to be done, and all of it?
static bool is_as_proposed(const struct sc_thread *t) {
    const struct op_queue *q = &t->queue;
    const struct reg_cache *c = &t->cache;
    const uint64_t *args = t->call.args, *op = q->ops ? q->ops->call.args : NULL;
    return t->call.proposed && q->n == 1 && !q->flush && c->have_rax && q->ops->call.nr == SYS_mmap &&
           memcmp(args, op, 4 * sizeof *op) == 0 && (uint64_t)c->rax == args[0] &&
           (!q->ops->file || (STUB_FILE_FD_STUB(args[4]) == op[4] && args[5] == op[5])) && !c->dirty_regs &&
           !c->dirty_bases && !c->fp;
}

// Its file has to be there.
static bool may_go_as_proposed(struct sc_thread *t) {
    return is_as_proposed(t) && sc_ops_give_file(t, t->queue.ops) == 0;
}

// Is the queue nothing but what the held call itself would do? Then that call can go on, as it stands in the
// registers of its thread. Only calls that fail for nothing that the sentry has not checked, but when the
// host is short of memory; that failure the guest gets for its answer, and the sentry is not told.
// Advice comes area by area: together they must be the call's range, without a hole.
static bool is_own_work(const struct sc_thread *t) {
    const struct op_queue *q = &t->queue;
    const struct sc_call *call = &t->call;
    bool unmap = call->nr == SYS_munmap, advise = call->nr == SYS_madvise;
    uint64_t at = call->args[0];
    if (q->flush || !t->cache.have_rax || t->cache.rax != 0 || (q->n > 1 && !advise) ||
        (!unmap && !advise && call->nr != SYS_mprotect))
        return false;
    for (unsigned i = 0; i < q->n; i++) {
        const struct host_call *o = &q->ops[i].call;
        if (o->nr != call->nr || o->args[0] != at || (!unmap && o->args[2] != call->args[2]))
            return false;
        at += o->args[1];
    }
    uint64_t len = at - call->args[0];
    return call->args[1] <= len && len - call->args[1] < STUB_PAGE;
}

static void goes_on(struct sc_thread *t) {
    t->cache.have_rax = false;
    t->queue.may_fail = t->call.proposed;
    t->queue.last_map = sc_op_map(&t->queue.ops[0]);
    sc_set_state(t, SC_RUNNING);
    sc_reply_continue(t);
    sc_ops_clear(t);
}

// ---- Resuming ---------------------------------------------------------------------------------------------

static bool inline_answer_fits(int64_t v) { return v >= -(INT64_C(1) << 47) && v < INT64_C(1) << 47; }

static void add_base_ops(struct sc_thread *t) {
    const struct lx_regs *r = &t->cache.regs;
    const uint64_t which[2] = {ARCH_SET_FS, ARCH_SET_GS}, value[2] = {r->fs_base, r->gs_base};
    for (int i = 0; i < 2; i++) {
        struct sc_op *o = sc_ops_add(t);
        if (o)
            o->call = (struct host_call){SYS_arch_prctl, {which[i], value[i]}};
    }
    t->cache.dirty_bases = false;
}

// Has the handler to look at its slot, or does its reply say it all?
static bool needs_slot(const struct sc_thread *t) {
    const struct reg_cache *c = &t->cache;
    return t->hold == HOLD_CHECKIN || t->queue.next < t->queue.n || t->queue.flush || c->dirty_bases ||
           c->dirty_regs || c->fp || t->renewed ||
           (c->have_rax && (t->hold == HOLD_PROPOSAL || !inline_answer_fits(c->rax)));
}

void sc_resume_gate(struct sc_thread *t) {
    struct reg_cache *c = &t->cache;
    if (may_go_as_proposed(t)) {
        goes_on(t);
        return;
    }
    if (c->dirty_bases && !sc_plat(t)->frame.fsgsbase && !t->queue.flush)
        add_base_ops(t);
    if (c->have_rax && c->dirty_regs) {
        c->regs.rax = (uint64_t)c->rax;
        c->have_rax = false;
    }
    if (!needs_slot(t)) {
        sc_set_state(t, SC_RUNNING);
        sc_reply(t, c->have_rax ? STUB_ANSWER(c->rax) : STUB_GO);
        return;
    }
    if (!sc_ops_write(t)) {
        sc_violation(t, "its slot cannot be written");
        return;
    }
    sc_set_state(t, t->queue.batch_n || t->queue.flush ? SC_OPS : SC_RUNNING);
    if (t->hold == HOLD_CHECKIN)
        sc_reply_continue(t);
    else
        sc_ops_start(t);
}

// A plain call is held outside of the handler. Work other than the call's own needs the handler: the call is
// answered, and an interrupt brings the thread there before its next instruction (dispatch.c goes on with the
// work then).
static void resume_plain(struct sc_thread *t) {
    if (t->queue.n && (is_own_work(t) || may_go_as_proposed(t))) {
        goes_on(t);
        return;
    }
    sc_set_state(t, SC_RUNNING);
    if (t->queue.n || t->queue.flush) {
        t->to_handler = true;
        if (t->call.proposed)
            plat_count_one(t->base.p, STAT_MOVED);
        if (t->intr != INTR_SENT)
            sc_send_interrupt(t);
    }
    sc_reply(t, t->cache.have_rax ? t->cache.rax : -LINUX_ENOSYS);
}

void sc_resume_held(struct sc_thread *t) {
    if (t->state == SC_STARTING)
        t->go = t->queue.flush ? GO_FLUSH : GO_RESUME;
    sc_unpark(t);
    if (t->state != SC_HELD || sc_rest_wake(t))
        return;
    if (t->ring.state != RING_NONE) {  // it comes by a plain call first
        sc_ring_defer(t);
        t->ring.state = RING_RESUME_ON_ARRIVAL;
        return;
    }
    if (!t->queue.flush)
        send_wanted(t);
    if (t->hold != HOLD_VALUE)
        sc_resume_gate(t);
    else
        resume_plain(t);
    sc_thread_runs(sc_plat(t));
}

// A signal that waits would make the kernel take these for its own codes and start the call again.
static int64_t plain_value(int64_t v) { return v <= -512 && v >= -516 ? -LINUX_EINTR : v; }

// Can the value be given without the thread's registers or work?
static bool is_plain(const struct sc_thread *t) {
    return t->state == SC_HELD && t->hold == HOLD_VALUE && t->intr == INTR_NONE && !t->queue.n &&
           t->rest == REST_AWAKE;
}

void sc_answer(struct plat_thread *pt, int64_t value, struct lock *outer) {
    struct sc_thread *t = sc_thread_of(pt);
    struct sc_platform *p = sc_plat(t);
    lock_take(&t->lock);
    bool plain = is_plain(t), by_ring = plain && t->ring.state == RING_HELD;
    if (t->ring.out_len && !by_ring)
        sc_ring_copy_now(t, &value);
    value = plain_value(value);
    if (by_ring) {
        sc_ring_answer(t, value);
        sc_thread_runs(p);
    } else if (plain && t->ring.state == RING_NONE) {  // the short way
        sc_unpark(t);
        sc_set_state(t, SC_RUNNING);
        sc_thread_runs(p);
        sc_reply(t, value);
    } else {
        t->cache.have_rax = true;
        t->cache.rax = value;
        t->queue.flush = false;
        sc_resume_held(t);
    }
    sc_unlock(t, outer);
}

void sc_resume(struct plat_thread *pt, struct lock *outer) {
    struct sc_thread *t = sc_thread_of(pt);
    lock_take(&t->lock);
    t->queue.flush = false;
    sc_resume_held(t);
    sc_unlock(t, outer);
}

void sc_flush(struct plat_thread *pt) {
    struct sc_thread *t = sc_thread_of(pt);
    lock_take(&t->lock);
    t->queue.flush = true;
    sc_resume_held(t);
    sc_unlock(t, NULL);
}
