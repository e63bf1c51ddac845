// SPDX-License-Identifier: Apache-2.0
// What a notification means. Called by listener.c for each one that the listener gives. Only the thread's
// number and the registers in the notification are the kernel's word; the rest is the guest's. Locks:
// thread->lock.
#include "abi/errno.h"
#include "platform/seccomp/sc.h"
#include <linux/audit.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VSYSCALL_PAGE 0xffffffffff600000ull

static bool in_text(const struct sc_platform *p, uint64_t ip) {
    return ip > p->place.base && ip <= p->place.base + p->place.text_len;
}

static bool call(struct plat_event *ev, const struct seccomp_notif *n, uint64_t nr) {
    plat_count_one(ev->thread->p, ev->context ? STAT_CONTEXT : STAT_PLAIN);
    ev->kind = PLAT_SYSCALL;
    ev->call.nr = nr;
    memcpy(ev->call.args, n->data.args, sizeof ev->call.args);
    return true;
}

// Rare calls whose arguments did not fit: they are read from the frame.
static bool odd_call(struct sc_thread *t, const struct seccomp_notif *n, struct plat_event *ev) {
    bool i386 = n->data.args[1] != AUDIT_ARCH_X86_64;
    const struct lx_regs *r = &t->cache.regs;
    t->call.nr = n->data.args[0];
    if (sc_regs_load(t))
        memset(&t->cache.regs, 0, sizeof t->cache.regs);
    const uint64_t args64[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};
    const uint64_t args32[6] = {r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->rbp};
    ev->kind = PLAT_SYSCALL;
    ev->call.nr = t->call.nr;
    memcpy(ev->call.args, i386 ? args32 : args64, sizeof ev->call.args);
    ev->call.foreign = i386 || (n->data.args[2] & ~0xfffull) == VSYSCALL_PAGE;
    return true;
}

// The number is the guest's word, as all that comes through the gate: only what the handler can have seen is
// passed on.
static bool is_fault(uint64_t signo) {
    return signo == SIGSEGV || signo == SIGBUS || signo == SIGFPE || signo == SIGILL || signo == SIGTRAP;
}

static bool fault(struct sc_thread *t, const struct seccomp_notif *n, struct plat_event *ev) {
    const uint64_t *a = (const uint64_t *)n->data.args;
    if (in_text(sc_plat(t), a[3])) {
        sc_violation(t, "a fault in the stub's text");
        return false;
    }
    if (!is_fault((uint32_t)a[0])) {
        sc_violation(t, "a fault of no kind");
        return false;
    }
    int signo = (int)(uint32_t)a[0], code = (int)(a[0] >> 32);
    bool fetch = (a[2] >> 32) & LINUX_PF_INSTR;
    if (signo == SIGSEGV && fetch && sc_patch_hid(t, a[1])) {
        sc_resume_held(t);
        return false;
    }
    if (signo == SIGBUS && code == BUS_ADRERR) {
        switch (sc_guard_touched(t, a[1])) {
        case TOUCH_OPENED:
            sc_resume_held(t);
            return false;
        case TOUCH_NOTHING:
            signo = SIGSEGV;
            code = SEGV_MAPERR;
            break;
        case TOUCH_OTHER:
            break;
        }
    }
    ev->kind = PLAT_FAULT;
    ev->fault.signo = signo;
    ev->fault.code = code;
    ev->fault.addr = a[1];
    ev->fault.trapno = (uint32_t)a[2];
    ev->fault.error_code = (uint32_t)(a[2] >> 32);
    return true;
}

static bool report(struct sc_thread *t, const struct seccomp_notif *n, struct plat_event *ev) {
    int64_t result = 0;
    t->notif.id = n->id;
    t->hold = HOLD_EVENT;
    t->call.proposed = false;  // what stands in the gate now is this report
    sc_patch_over(t);
    int what = sc_ops_report(t, n->data.args[0], (int64_t)n->data.args[1], &result);
    if (what < 0)
        sc_violation(t, "a report that was not due");
    if (what <= 0)
        return false;
    // The frame has not been left: what is known of the registers, and what is to be set, stays. After a
    // failure the bases have not been set.
    sc_set_state(t, SC_HELD);
    t->queue.flush = t->queue.may_fail = false;
    t->cache.dirty_bases |= result < 0 && t->cache.have_regs;
    if (t->queue.undo && result < 0) {
        sc_violation(t, "a map that cannot be undone");
        return false;
    }
    if (result < 0 && sc_ops_undo(t, result))
        return false;
    sc_ops_clear(t);
    if (t->queue.undo)
        result = t->queue.undo;
    t->queue.undo = 0;
    ev->kind = PLAT_OPS_DONE;
    ev->result = result;
    return true;
}

// It was called to the handler, or has slept; nothing else is due.
static void rest_event(struct sc_thread *t, const struct seccomp_notif *n) {
    unsigned kind = STUB_EV_KIND((unsigned)n->data.nr);
    bool called = t->rest == REST_CALLED;
    bool slept = t->rest == REST_ASLEEP || t->rest == REST_WAKING;
    if (t->state == SC_HELD && ((called && kind == STUB_EV_INTR) || (slept && kind == STUB_EV_DONE)))
        sc_rest_arrive(t, n->id);
    else
        sc_violation(t, "an event instead of its rest");
}

// Its call was answered in the ring when it was about to come for the value (STUB_RING_WAIT). It has that
// now, as if it had come: what runs before it would get there makes calls of its own by the same ring.
static void interrupted_on_its_way(struct sc_thread *t, const struct ring_call *answered) {
    struct lx_regs *r = &t->cache.regs;
    if (sc_regs_load(t) || (uint32_t)r->rax != STUB_RING_WAIT)
        return;
    int64_t value = answered->value;
    t->ring.out_addr = answered->out_addr;
    t->ring.out_len = answered->out_len;
    sc_ring_copy_now(t, &value);
    r->rax = (uint64_t)value;
    r->rip += 2;
    t->cache.dirty_regs = true;
}

// The host has refused the map that its ring's code has made, and it was about to say so (ring_failure()): it
// is asked no more, since what runs before it would get there makes calls of its own. True: *ev is the
// failure, and the interrupt comes after it.
static bool refused_on_its_way(struct sc_thread *t, struct plat_event *ev) {
    struct lx_regs *r = &t->cache.regs;
    if (sc_regs_load(t) || r->rax <= STUB_RING_FAIL || r->rax >= STUB_RING_FAIL + 4096)
        return false;
    ev->kind = PLAT_OPS_DONE;
    ev->result = (int64_t)(STUB_RING_FAIL - r->rax);
    r->rax = (uint64_t)ev->result;
    r->rip += 2;
    t->cache.dirty_regs = true;
    t->intr = INTR_WANTED;
    return true;
}

// The same for the fetch of the instruction by which it comes, from text that is being changed: it tries
// again, and what the ring has for it, or will have, stays there.
static bool fetched_on_its_way(struct sc_thread *t, const struct seccomp_notif *n) {
    const uint64_t *a = (const uint64_t *)n->data.args;
    enum ring_call_state ring = t->ring.state;
    bool waits = t->state == SC_HELD && (ring == RING_DEFERRED || ring == RING_RESUME_ON_ARRIVAL);
    bool answered = t->state == SC_RUNNING && ring == RING_ANSWERED && !t->to_handler;
    bool fetch = STUB_EV_KIND((unsigned)n->data.nr) == STUB_EV_FAULT && (uint32_t)a[0] == SIGSEGV &&
                 (a[2] >> 32) & LINUX_PF_INSTR;
    if (!(waits || answered) || !fetch || in_text(sc_plat(t), a[3]) || !sc_patch_hid(t, a[1]))
        return false;
    t->notif.id = n->id;
    sc_reply(t, STUB_GO);
    return true;
}

static bool gate_event(struct sc_thread *t, const struct seccomp_notif *n, struct plat_event *ev) {
    unsigned nr = (unsigned)n->data.nr;
    if (STUB_EV_SLOT(nr) != t->slot) {
        sc_violation(t, "an event on another thread's slot");
        return false;
    }
    if (t->rest != REST_AWAKE) {
        rest_event(t, n);
        return false;
    }
    if (STUB_EV_KIND(nr) == STUB_EV_DONE)
        return report(t, n, ev);
    if (fetched_on_its_way(t, n))
        return false;
    if (t->state != SC_RUNNING) {
        sc_violation(t, "an event instead of ordered work");
        return false;
    }
    if (t->to_handler && !t->doomed) {  // not before the interrupt that brings it to its work
        if (STUB_EV_KIND(nr) == STUB_EV_INTR)
            sc_at_handler(t, n->id);
        else
            sc_violation(t, "an event instead of its work");
        return false;
    }
    struct ring_call before = t->ring;
    bool may_fail = t->queue.may_fail;
    (void)sc_ring_take_staged(t, n);  // the guest's own code may run before it comes with that call
    sc_hold(t, n->id, HOLD_EVENT);
    switch (STUB_EV_KIND(nr)) {
    case STUB_EV_CALL:
        t->call.nr = STUB_EV_NR(nr);
        t->call.anywhere =
            t->call.nr == SYS_mmap && !n->data.args[0] && !(n->data.args[3] & STUB_PLACE_FIXED);
        sc_site_count_trapped(t, t->call.nr);
        return call(ev, n, t->call.nr);
    case STUB_EV_ODD:
        return odd_call(t, n, ev);
    case STUB_EV_FAULT:
        return fault(t, n, ev);
    case STUB_EV_INTR:
        t->intr = INTR_NONE;
        if (in_text(sc_plat(t), n->data.args[0])) {
            sc_violation(t, "interrupted in the stub's text");
            return false;
        }
        if (may_fail && refused_on_its_way(t, ev))
            return !sc_ops_undo(t, ev->result);
        if (before.state == RING_ANSWERED)
            interrupted_on_its_way(t, &before);
        ev->kind = PLAT_INTERRUPT;
        return true;
    default:
        sc_violation(t, "an unknown event");
        return false;
    }
}

static void keep_args(struct sc_thread *t, const struct seccomp_notif *n) {
    memcpy(t->call.args, n->data.args, sizeof t->call.args);
}

// The guest's own call, of one that its handler, or the ring's code, would make for it: STUB_PLACE_* and
// STUB_FILE_* of layout.h. False: nobody can have made that of it.
static bool proposed_call(const struct sc_thread *t, const uint64_t a[6], uint64_t guest[6]) {
    bool file = a[3] == STUB_FILE_FLAGS, by_ring = !file && a[5] == STUB_PLACE_RING;
    uint64_t flags = file ? STUB_FILE_FD_FLAGS(a[4]) : ~a[4];
    uint64_t may = STUB_PLACE_OPT | (by_ring ? 0 : STUB_PLACE_FIXED);
    if (file ? STUB_FILE_FD_STUB(a[4]) != (unsigned)sc_stub_fd(t)
             : a[3] != STUB_PLACE_FLAGS || (flags & ~may) != STUB_PLACE_GUEST || (a[5] && !by_ring))
        return false;
    const uint64_t call[6] = {flags & STUB_PLACE_FIXED ? a[0] : 0,     a[1],           a[2], flags,
                              file ? STUB_FILE_FD_GUEST(a[4]) : ~0ull, file ? a[5] : 0};
    memcpy(guest, call, sizeof call);
    return true;
}

// An mmap that the handler would make itself. It is the guest's call, and goes no further unless the sentry
// decides on the very same (resume.c).
static bool proposal(struct sc_thread *t, const struct seccomp_notif *n, struct plat_event *ev) {
    const uint64_t *a = (const uint64_t *)n->data.args;
    uint64_t guest[6];
    if (!proposed_call(t, a, guest)) {
        sc_violation(t, "a map that nobody can have proposed");
        return false;
    }
    bool memory = a[3] == STUB_PLACE_FLAGS, by_handler = !memory || a[5] != STUB_PLACE_RING;
    sc_hold(t, n->id, by_handler ? HOLD_PROPOSAL : HOLD_VALUE);
    t->call.proposed = true;
    t->call.anywhere = !(guest[3] & STUB_PLACE_FIXED);
    keep_args(t, n);
    ev->context = by_handler;
    t->call.nr = SYS_mmap;
    ev->kind = PLAT_SYSCALL;
    ev->call.nr = SYS_mmap;
    memcpy(ev->call.args, guest, sizeof guest);
    ev->call.proposal = t->call.anywhere ? a[0] : 0;
    if (by_handler && memory && t->call.anywhere && ++t->proposals % SC_HEAT == 0 && sc_regs_load(t) == 0)
        sc_site_count(t, t->cache.regs.rip, SYS_mmap, SC_HEAT);
    return true;
}

// The host is said to have refused a map that was proposed without a frame; or the sentry has, then that is
// the answer.
static bool ring_failure(struct sc_thread *t, const struct seccomp_notif *n, struct plat_event *ev) {
    int64_t error = (int64_t)STUB_RING_FAIL - n->data.nr;
    if (!t->queue.may_fail) {
        t->notif.id = n->id;
        sc_reply(t, error);
        return false;
    }
    sc_hold(t, n->id, HOLD_VALUE);
    if (sc_ops_undo(t, error))
        return false;
    ev->kind = PLAT_OPS_DONE;
    ev->context = false;
    ev->result = error;
    return true;
}

static bool is_ring_failure(const struct sc_thread *t, unsigned nr) {
    return nr > STUB_RING_FAIL && nr < STUB_RING_FAIL + 4096 && atomic_load(&t->ring_no) &&
           t->state == SC_RUNNING && !t->to_handler;
}

// It could not copy the bytes of its answer, and has been interrupted before it came for that.
static bool lost_its_bytes(const struct sc_thread *t) {
    return atomic_load(&t->ring_no) && t->state == SC_RUNNING && !t->to_handler;
}

// From guest code: a call, or one of those by which a thread comes back from the ring.
static bool plain_call(struct sc_thread *t, const struct seccomp_notif *n, struct plat_event *ev) {
    unsigned nr = (unsigned)n->data.nr;
    if (nr == STUB_RING_WAIT && sc_ring_arrive(t, n->id))
        return false;
    if (nr == STUB_RING_WAIT && lost_its_bytes(t)) {
        t->notif.id = n->id;
        sc_reply(t, -LINUX_EFAULT);
        return false;
    }
    if (is_ring_failure(t, nr))
        return ring_failure(t, n, ev);
    if (t->state != SC_RUNNING || (t->to_handler && !t->doomed)) {
        sc_violation(t, "a call instead of ordered work");
        return false;
    }
    uint32_t staged = sc_ring_take_staged(t, n);
    sc_hold(t, n->id, HOLD_VALUE);
    t->ring.staged = staged;
    t->call.nr = nr;
    keep_args(t, n);
    sc_site_count(t, n->data.instruction_pointer, nr, 1);
    ev->context = false;
    return call(ev, n, nr);
}

// From the gate: an event, or a host call.
static bool gate_call(struct sc_thread *t, const struct seccomp_notif *n, struct plat_event *ev) {
    struct sc_platform *p = sc_plat(t);
    unsigned nr = (unsigned)n->data.nr;
    if (STUB_EV_IS(nr))
        return gate_event(t, n, ev);
    if (t->exiting && nr == SYS_exit) {
        sc_thread_free(t);
        sc_send_continue(p, n->id);
        return false;
    }
    if (t->state == SC_RUNNING && nr == SYS_mmap && !t->to_handler && !t->exiting)
        return proposal(t, n, ev);
    if (!sc_rest_approve(t, n) && !sc_ops_approve(t, n))
        sc_violation(t, "a host call that was not ordered");
    return false;
}

// [lock] *ev has the thread already; true: the rest of it too.
static bool known_thread(struct sc_thread *t, const struct seccomp_notif *n, struct plat_event *ev) {
    const struct sc_platform *p = sc_plat(t);
    uint64_t ip = n->data.instruction_pointer;
    if (t->state == SC_DEAD)
        return false;
    if (!in_text(p, ip))
        return plain_call(t, n, ev);
    if (ip != p->gate_ip) {
        sc_violation(t, "a call from the stub's text beside the gate");
        return false;
    }
    return gate_call(t, n, ev);
}

// No thread of ours, so it was not made by a clone of ours: it must not live.
static void unknown_thread(struct sc_platform *p, const struct seccomp_notif *n) {
    uint64_t id = n->id;
    if (sc_notif_valid(p, id))
        kill((pid_t)n->pid, SIGKILL);
}

bool sc_handle(struct sc_platform *p, const struct seccomp_notif *n, struct plat_event *ev) {
    // Children are looked for first: the number of a thread that is gone may be theirs now.
    bool check_in = n->data.instruction_pointer == p->gate_ip && n->data.nr == SYS_prctl;
    bool got = false;
    if (check_in && sc_check_in(p, n, ev, &got))
        return got;
    struct sc_thread *t = n->pid < SC_MAX_TID ? atomic_load(&p->tids[n->pid]) : NULL;
    if (!t) {
        unknown_thread(p, n);
        return false;
    }
    lock_take(&t->lock);
    *ev = (struct plat_event){.thread = &t->base, .owner = atomic_load(&t->base.owner), .context = true};
    got = t->tid == (int)n->pid && t->state != SC_FREE && known_thread(t, n, ev);
    bool internal = got && t->internal;
    if (got && t->doomed) {
        sc_doom(t);
        got = false;
    }
    sc_unlock(t, NULL);
    if (internal) {
        sc_zygote_report(p, ev->kind == PLAT_OPS_DONE ? ev->result : -LINUX_EIO);
        return false;
    }
    return got;
}
