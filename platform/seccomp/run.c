// SPDX-License-Identifier: Apache-2.0
// Letting held threads go, and the host work that they do on the way. Called by the sentry through
// platform.c, and by dispatch.c for each call that a thread makes through the gate. Locks: thread->lock.
//
// Host calls of ours: an answer to a plain call, or to a gate event without work, is one ioctl. Work costs
// one process_vm_writev, one ioctl that starts it, and receive + CONTINUE for each piece; a file to be mapped
// travels with the ioctl that starts it.
#include "abi/errno.h"
#include "platform/seccomp/sc.h"
#include <asm/prctl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_on(enum sc_state s) {
    return s == SC_RUNNING || s == SC_OPS;
}
void sc_set_state(struct sc_thread *t, enum sc_state s) {
    if (is_on(s) && !is_on(t->state))
        atomic_fetch_add(&sc_plat(t)->nrunning, 1);
    else if (!is_on(s) && is_on(t->state))
        atomic_fetch_sub(&sc_plat(t)->nrunning, 1);
    t->state = s;
}

// ---- The queue
// -----------------------------------------------------------------------------------------------------

struct sc_op *sc_ops_add(struct sc_thread *t) {
    if (t->nops == t->cap) {
        unsigned cap = t->cap ? 2 * t->cap : 8;
        struct sc_op *ops = realloc(t->ops, cap * sizeof *ops);
        if (!ops)
            return NULL;
        t->ops = ops;
        t->cap = cap;
    }
    t->ops[t->nops] = (struct sc_op){.fd = -1};
    return &t->ops[t->nops++];
}

void sc_ops_clear(struct sc_thread *t) {
    for (unsigned i = 0; i < t->nops; i++)
        if (t->ops[i].fd >= 0)
            close(t->ops[i].fd);
    t->nops = t->next = t->batch = t->batch_n = 0;
    t->fd_ready = -1;
    sc_child_off(t);
    t->child = NULL;
}

static bool can_queue(const struct sc_thread *t) {
    return t->state == SC_STARTING || t->state == SC_DEAD || t->state == SC_HELD;
}

int sc_queue(struct plat_thread *pt, const struct plat_op *op) {
    struct sc_thread *t = sc_thread_of(pt);
    LOCKED(&t->lock);
    int done = can_queue(t) ? sc_premap_work(t, op) : -LINUX_EINVAL;
    struct sc_op *o = done == 0 ? sc_ops_add(t) : NULL;
    if (!o) {
        if (op->fd >= 0)
            close(op->fd);
        return done > 0 ? 0 : done < 0 ? done : -LINUX_ENOMEM;
    }
    plat_op_call(op, sc_stub_fd(t), &o->call);
    o->fd = op->fd;
    o->expect = op->kind == OP_MAP     ? STUB_EXPECT_VALUE
                : op->kind == OP_REMAP ? STUB_EXPECT_MOVED
                                       : STUB_EXPECT_ZERO;
    return 0;
}

// ---- Letting go
// ----------------------------------------------------------------------------------------------------

void sc_send_intr(struct sc_thread *t) {
    if (t->intr_sent || !t->tid)
        return;
    // LIMIT: before Linux 6.17, a signal that meets a call just received can make that call return at once
    // and be made a second time, though it was answered (fixed there by "seccomp: Fix a race with
    // WAIT_KILLABLE_RECV"). The process is not reaped while t->lock is held and its state is not DEAD, so the
    // numbers are still its own.
    t->intr_sent = syscall(SYS_tgkill, t->proc->pid, t->tid, PLAT_INTR_SIGNAL) == 0;
}

static bool inline_answer_fits(int64_t v) {
    return v >= -(INT64_C(1) << 60) && v < INT64_C(1) << 60;
}

static void add_base_ops(struct sc_thread *t) {
    const uint64_t which[2] = {ARCH_SET_FS, ARCH_SET_GS}, value[2] = {t->regs.fs_base, t->regs.gs_base};
    for (int i = 0; i < 2; i++) {
        struct sc_op *o = sc_ops_add(t);
        if (o)
            o->call = (struct host_call){SYS_arch_prctl, {which[i], value[i]}};
    }
}

static bool is_anonymous_map(const struct sc_op *o) {
    return o->call.nr == SYS_mmap && o->call.args[3] == STUB_PLACE_FLAGS;
}

// Where the next proposals are to be made: below the place that was chosen for this one.
static bool new_place(const struct sc_thread *t, struct stub_slot *s) {
    if (t->call_nr != SYS_mmap || t->nops != 1 || !is_anonymous_map(&t->ops[0]))
        return false;
    uint64_t at = t->ops[0].call.args[0], lo = sc_plat(t)->base.layout.lo;
    s->place_at = s->place_top = at;
    s->place_low = at - lo > STUB_PLACE_WINDOW ? at - STUB_PLACE_WINDOW : lo;
    return true;
}

// Writes the frame's registers and the slot: the next batch of work and what comes after it.
static bool write_slot(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    struct stub_slot s;
    uint64_t frame[SC_FRAME_REGS], slot = sc_slot_addr(t);
    unsigned n = t->nops - t->next < STUB_MAX_OPS ? t->nops - t->next : STUB_MAX_OPS;
    bool more = t->next + n < t->nops;
    s.flags = (t->flush || more ? STUB_DO_FLUSH : 0) | (t->have_rax ? STUB_DO_RAX : 0) |
              (t->bases_dirty && p->fsgsbase ? STUB_DO_BASES : 0);
    s.rax = (uint64_t)t->rax;
    s.set_fs = t->regs.fs_base;
    s.set_gs = t->regs.gs_base;
    s.nops = t->batch_n = n;
    t->batch = t->next;
    for (unsigned i = 0; i < n; i++) {
        const struct sc_op *o = &t->ops[t->batch + i];
        s.ops[i] = (struct stub_op){.nr = o->call.nr, .expect = o->expect};
        memcpy(s.ops[i].args, o->call.args, sizeof s.ops[i].args);
    }
    const size_t from = new_place(t, &s) ? offsetof(struct stub_slot, place_at) : offsetof(struct stub_slot, flags);
    const size_t to = offsetof(struct stub_slot, ops[n]);
    struct iovec local[2] = {{(char *)&s + from, to - from}, {frame, sizeof frame}};
    struct iovec remote[2] = {{(void *)(slot + from), to - from},
                              {(void *)(slot + p->uc_off + SC_FRAME_AT), sizeof frame}};
    size_t want = to - from;
    if (t->regs_dirty) {
        sc_regs_to_frame(&t->regs, frame);
        want += sizeof frame;
    }
    int iovs = t->regs_dirty ? 2 : 1;
    if (plat_memory_raw(t->base.as, true, local, iovs, remote, iovs) != (int64_t)want)
        return false;
    t->regs_dirty = false;
    if (!t->flush && !more)
        t->bases_dirty = t->have_rax = false;
    return true;
}

// The first file of a batch goes along with the reply: both are one host call, and the reply's value is the
// number of the descriptor (its low bits are STUB_TAG_BLOCK). Without one, a file that lies there since the last
// time is pushed out.
static void reply_block(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    unsigned i = t->batch, end = t->batch + t->batch_n;
    while (i < end && t->ops[i].fd < 0)
        i++;
    if (i < end && sc_addfd(p, t->id, t->ops[i].fd, sc_stub_fd(t), true) == 0) {
        t->fd_ready = (int)i;
        t->fd_dirty = true;
        atomic_store(&t->proc->fd_used, true);
        return;
    }
    if (i == end && t->fd_dirty && sc_addfd(p, t->id, p->null_fd, sc_stub_fd(t), true) == 0) {
        t->fd_dirty = false;
        return;
    }
    sc_reply(t, STUB_TAG_BLOCK);
}

// Is the call that stands in the gate what is to be done, and all of it?
static bool is_as_proposed(const struct sc_thread *t) {
    const struct sc_op *o = t->ops;
    return t->proposed && t->nops == 1 && !t->flush && t->have_rax && is_anonymous_map(o) &&
           memcmp(t->call_args, o->call.args, sizeof t->call_args) == 0 &&
           (uint64_t)t->rax == t->call_args[0] && !t->regs_dirty && !t->bases_dirty && !t->fp;
}

static struct sc_map map_of(const struct sc_op *o) {
    return o->call.nr == SYS_mmap ? (struct sc_map){o->call.args[0], o->call.args[1]} : (struct sc_map){0, 0};
}

// The held call goes on: it is all the work.
static void goes_on(struct sc_thread *t) {
    t->have_rax = false;
    t->may_fail = t->proposed;
    t->last_map = map_of(&t->ops[0]);
    sc_set_state(t, SC_RUNNING);
    sc_reply_continue(t);
    sc_ops_clear(t);
}

static void let_go_gate(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    if (is_as_proposed(t)) {
        goes_on(t);
        return;
    }
    if (t->bases_dirty && !p->fsgsbase && !t->flush) {
        add_base_ops(t);
        t->bases_dirty = false;
    }
    if (t->have_rax && t->regs_dirty) {
        t->regs.rax = (uint64_t)t->rax;
        t->have_rax = false;
    }
    if (t->fp) {
        sc_fpstate_write(t, t->fp, t->fp_len);
        free(t->fp);
        t->fp = NULL;
    }
    bool block = t->hold == HOLD_CHECKIN || t->next < t->nops || t->flush || t->bases_dirty ||
                 t->regs_dirty || (t->have_rax && (t->hold == HOLD_PROPOSAL || !inline_answer_fits(t->rax)));
    if (!block) {
        sc_set_state(t, SC_RUNNING);
        sc_reply(t, t->have_rax ? (int64_t)((uint64_t)t->rax << 2 | STUB_TAG_ANSWER) : STUB_TAG_GO);
        return;
    }
    if (!write_slot(t)) {
        sc_violation(t, "its slot cannot be written");
        return;
    }
    sc_set_state(t, t->batch_n || t->flush ? SC_OPS : SC_RUNNING);
    if (t->hold == HOLD_CHECKIN)
        sc_reply_continue(t);
    else
        reply_block(t);
}

// Is the queue nothing but what the held call itself would do? Then that call can go on, as it stands in the
// registers of its thread. Only calls that fail for nothing that the sentry has not checked, but when the host is
// short of memory; that failure the guest gets for its answer, and the sentry is not told.
static bool is_own_work(const struct sc_thread *t) {
    const struct sc_op *o = t->ops;
    bool unmap = o->call.nr == SYS_munmap, third = o->call.nr == SYS_mprotect || o->call.nr == SYS_madvise;
    return t->nops == 1 && !t->flush && t->have_rax && t->rax == 0 && (unmap || third) &&
           t->call_nr == o->call.nr && t->call_args[0] == o->call.args[0] &&
           t->call_args[1] <= o->call.args[1] && o->call.args[1] - t->call_args[1] < STUB_PAGE &&
           (unmap || t->call_args[2] == o->call.args[2]);
}

// A plain call is held outside of the handler. Work other than the above needs the handler: the call is
// answered, and an interrupt brings the thread there before its next instruction (dispatch.c goes on with the
// work then).
static void let_go_plain(struct sc_thread *t) {
    if (t->nops && (is_own_work(t) || is_as_proposed(t))) {
        goes_on(t);
        return;
    }
    sc_set_state(t, SC_RUNNING);
    if (t->nops || t->flush) {
        t->to_handler = true;
        sc_send_intr(t);
    }
    sc_reply(t, t->have_rax ? t->rax : -LINUX_ENOSYS);
}

// The thread has come to the handler for its work. An interrupt that the sentry wants is sent anew, for
// afterwards.
void sc_at_handler(struct sc_thread *t, uint64_t id) {
    t->to_handler = t->intr_sent = t->have_rax = false;
    t->id = id;
    t->hold = HOLD_EVENT;
    sc_set_state(t, SC_HELD);
    sc_let_go(t);
}

void sc_let_go(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    if (t->state == SC_STARTING)
        t->go = t->flush ? GO_FLUSH : GO_RESUME;
    if (t->state != SC_HELD)
        return;
    if (t->hold == HOLD_RING) { // it comes by a plain call first
        t->ring_go = true;
        sc_ring_defer(t);
        return;
    }
    if (t->intr_wanted && !t->flush)
        sc_send_intr(t);
    if (t->hold != HOLD_VALUE)
        let_go_gate(t);
    else
        let_go_plain(t);
    sc_thread_runs(p);
}

// A signal that waits would make the kernel take these for its own codes and start the call again.
static int64_t plain_value(int64_t v) {
    return v <= -512 && v >= -516 ? -LINUX_EINTR : v;
}

// Can the value be given without the thread's registers or work?
static bool is_plain(const struct sc_thread *t, enum sc_hold hold) {
    return t->state == SC_HELD && t->hold == hold && !t->intr_wanted && !t->nops;
}

void sc_answer(struct plat_thread *pt, int64_t value, struct lock *outer) {
    struct sc_thread *t = sc_thread_of(pt);
    struct sc_platform *p = sc_plat(t);
    lock_take(&t->lock);
    bool by_ring = is_plain(t, HOLD_RING) && !t->ring_slow;
    if (t->out_len && !by_ring)
        sc_ring_copy_now(t, &value);
    value = plain_value(value);
    if (by_ring) {
        sc_ring_answer(t, value);
        sc_thread_runs(p);
    } else if (is_plain(t, HOLD_VALUE)) { // the short way
        sc_set_state(t, SC_RUNNING);
        sc_thread_runs(p);
        sc_reply(t, value);
    } else {
        t->have_rax = true;
        t->rax = value;
        t->flush = false;
        sc_let_go(t);
    }
    sc_unlock(t, outer);
}

void sc_resume(struct plat_thread *pt, struct lock *outer) {
    struct sc_thread *t = sc_thread_of(pt);
    lock_take(&t->lock);
    t->flush = false;
    sc_let_go(t);
    sc_unlock(t, outer);
}

void sc_flush(struct plat_thread *pt) {
    struct sc_thread *t = sc_thread_of(pt);
    lock_take(&t->lock);
    t->flush = true;
    sc_let_go(t);
    sc_unlock(t, NULL);
}

void sc_interrupt_running(struct sc_thread *t) {
    t->intr_wanted = true;
    if (t->state == SC_RUNNING || (t->state == SC_OPS && !t->flush))
        sc_send_intr(t);
}

void sc_interrupt(struct plat_thread *pt) {
    struct sc_thread *t = sc_thread_of(pt);
    LOCKED(&t->lock);
    sc_interrupt_running(t);
}

// ---- Work in progress
// ----------------------------------------------------------------------------------------------

static bool same_call(const struct sc_op *o, const struct seccomp_notif *n) {
    bool same = (uint64_t)(unsigned)n->data.nr == o->call.nr;
    for (int i = 0; i < 6; i++)
        same = same && n->data.args[i] == o->call.args[i];
    return same;
}

bool sc_ops_approve(struct sc_thread *t, const struct seccomp_notif *n) {
    struct sc_platform *p = sc_plat(t);
    if (t->state != SC_OPS || t->next >= t->batch + t->batch_n || !same_call(&t->ops[t->next], n))
        return false;
    struct sc_op *o = &t->ops[t->next];
    t->id = n->id;
    if (o->fd >= 0 && t->fd_ready != (int)t->next) {
        int err = sc_addfd(p, n->id, o->fd, sc_stub_fd(t), false);
        t->fd_dirty = true;
        atomic_store(&t->proc->fd_used, true);
        if (err) {
            t->next++;
            sc_reply_error(t, err);
            return true;
        }
    }
    if (o->expect == STUB_EXPECT_CHILD && t->child)
        atomic_store(&t->child->birth, BIRTH_LAUNCHED);
    if (o->special == SC_PREMAP_BEGIN)
        sc_premap_begin(t, o);
    bool undo = o->special == SC_PREMAP_UNDO && !atomic_load(&sc_as(t)->premap.on);
    bool last = ++t->next == t->nops && !t->flush;
    if (last) {
        sc_set_state(t, SC_RUNNING);
        t->may_fail = true;
        t->last_map = map_of(o);
    }
    if (o->special != SC_PREMAP_UNDO || undo)
        sc_reply_continue(t);
    else
        sc_reply(t, 0);
    if (last)
        sc_ops_clear(t);
    return true;
}

static int64_t as_error(int64_t value) {
    return value < 0 && value >= -4095 ? value : -LINUX_EINVAL;
}

int sc_ops_report(struct sc_thread *t, uint64_t done, int64_t value, int64_t *result) {
    if (t->state == SC_RUNNING && t->may_fail) {
        *result = as_error(value);
        return 1;
    }
    t->last_map = (struct sc_map){0, 0};
    if (t->state != SC_OPS || done > t->batch_n)
        return -1;
    bool failed = done < t->batch_n;
    if (t->next != t->batch + done + failed)
        return -1;
    if (!failed && t->next < t->nops) { // the next batch
        sc_set_state(t, SC_HELD);
        let_go_gate(t);
        return 0;
    }
    *result = failed ? as_error(value) : 0;
    if (failed)
        t->next = t->batch + (unsigned)done; // it, and what is behind it
    if (t->child && !failed)
        sc_child_hint(t, value);
    else if (t->child)
        atomic_store(&t->child->birth, BIRTH_ORDERED); // taken back with the rest of the queue
    return 1;
}

// Of what was not done, maps become the unmapping of their range: what is there now, their own pages or what they were to
// replace, the sentry's map does not have. The rest is dropped.
static void turn_into_undo(struct sc_thread *t) {
    unsigned n = 0;
    for (unsigned i = 0; i < t->nops; i++) {
        struct sc_op *o = &t->ops[i];
        struct sc_map map = i < t->next ? (struct sc_map){0, 0} : map_of(o);
        if (o->fd >= 0)
            close(o->fd);
        if (map.len)
            t->ops[n++] = (struct sc_op){.fd = -1, .call = {SYS_munmap, {map.addr, map.len}}};
    }
    t->nops = n;
    t->next = t->batch = t->batch_n = 0;
    t->fd_ready = -1;
    sc_child_off(t);
    t->child = NULL;
}

bool sc_ops_undo(struct sc_thread *t, int64_t error) {
    turn_into_undo(t);
    struct sc_op *o = t->last_map.len ? sc_ops_add(t) : NULL;
    if (o)
        o->call = (struct host_call){SYS_munmap, {t->last_map.addr, t->last_map.len}};
    if (t->last_map.len && !o) {
        sc_violation(t, "no memory to undo a map");
        return true;
    }
    if (!t->nops)
        return false;
    t->undo = error;
    t->flush = true;
    sc_let_go(t);
    return true;
}
