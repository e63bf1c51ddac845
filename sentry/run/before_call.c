// SPDX-License-Identifier: Apache-2.0
// Who has a word before a call of a guest is made: first its tracer, which may change it, then the filters
// that the guest has put over itself (sentry/seccomp). start_call() is on the way of every call, whichever
// way it came; a task with neither pays two loads.
//
// Both may need the thread's registers, which a call does not always bring along (seccomp platform: a plain
// notification, the ring). Then the thread is taken out of its call, as if that had failed, and interrupted
// before its next instruction: the call is begun again there, and answered through the registers. With them,
// a stop for the tracer works as any other does (sentry/ptrace/ptrace.h).
//
// Locks: none is held on entry; each function lets the task go, ends or stops it, and comes last.
#include "base/log.h"
#include "sentry/kernel.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/impl.h"
#include "sentry/run/run.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/signal/signal.h"
#include "sentry/strace/trace.h"

enum whom { NOBODY_YET, TRACER_TOO };  // who has seen the call: SECCOMP_RET_TRACE is meant for the second

static void judge(struct task *t, enum whom seen);

// The registers are at hand from here on, and hold the answer. What brought the thread here is no reason for
// its call not to wait.
static void begin_by_regs(struct task *t) {
    struct call *c = &t->call;
    c->context = c->fresh = c->by_regs = true;
    c->again = false;
    c->proposal = 0;
    signal_recalc(t);
}

static void take_out(struct task *t) {
    t->in_stop = STOP_ENTRY;
    atomic_store(&t->sigpending, true);
    task_release(t, true, -LINUX_ENOSYS);
}

static void finish(struct task *t, int64_t value) {
    trace_exit(t, value);
    call_answer(t, value);
}

// ---- The tracer -------------------------------------------------------------------------------------------
// The call that the registers say now; or none, and what they say is its result.
void call_after_stop(struct task *t, enum ptrace_stop stop) {
    begin_by_regs(t);
    if (ptrace_take_call(t)) {
        judge(t, stop == PT_SECCOMP ? TRACER_TOO : NOBODY_YET);
        return;
    }
    ptrace_call_done(t);
    return_with_regs(t);
}

// The tracer has been told: the stop begins, or is over already.
static void stopped(struct task *t) {
    if (!stop_here(t, STOP_CALL))
        call_after_stop(t, ptrace_go_on(t));
}

static void entry_stop(struct task *t) {
    struct lx_regs regs;
    if (plat_get_regs(t->thread, &regs) == 0 && ptrace_entry(t, &regs))
        stopped(t);
    else
        judge(t, NOBODY_YET);
}

void call_with_regs(struct task *t) {
    begin_by_regs(t);
    if (ptrace_on(t) && ptrace_wants_call(t))
        entry_stop(t);
    else
        judge(t, NOBODY_YET);
}

void start_call(struct task *t) {
    if (t->k->strace)
        trace_enter(t);
    if (!ptrace_on(t) || !ptrace_wants_call(t))
        judge(t, NOBODY_YET);
    else if (t->call.context)
        call_with_regs(t);
    else
        take_out(t);
}

// ---- The filters' verdicts --------------------------------------------------------------------------------
// As Linux: one thread of several alone, if that is all that is asked for.
static void kill(struct task *t, const struct seccomp_verdict *v) {
    bool thread = v->action == LINUX_SECCOMP_RET_KILL_THREAD;
    if (thread && !v->by) {
        task_die(t, LINUX_SIGKILL);  // strict mode
        return;
    }
    if (thread && atomic_load(&t->tg->nalive) > 1) {
        task_die(t, LINUX_SIGSYS);
        return;
    }
    tgroup_begin_exit(t->tg, LINUX_SIGSYS);
    task_die(t, t->tg->group_exit_code);
}

// SIGSYS, with the registers as they were before the call.
static void trap(struct task *t, struct lx_regs *regs, uint16_t data) {
    struct linux_siginfo info = {.si_signo = LINUX_SIGSYS, .si_errno = data, .si_code = LINUX_SYS_SECCOMP};
    info.si_call_addr = regs->rip;
    info.si_syscall = (int32_t)t->call.nr;
    info.si_arch = LINUX_AUDIT_ARCH_X86_64;
    regs->rax = t->call.nr;
    plat_set_regs(t->thread, regs);
    signal_force(t, LINUX_SIGSYS, &info);
    if (ptrace_on(t))
        ptrace_call_done(t);
    return_with_regs(t);
}

static void hand_over(struct task *t, const struct lx_regs *regs, uint16_t data) {
    if (regs->rip && ptrace_seccomp(t, regs, data))  // 0: not read; whoever traces since sees the next call
        stopped(t);
    else
        finish(t, -LINUX_ENOSYS);
}

static void ask_supervisor(struct task *t, const struct lx_regs *regs, const struct seccomp_verdict *v) {
    int64_t err = seccomp_ask(t, v->by, regs->rip);
    if (err < 0)
        finish(t, err);
    else
        run_call(t);
}

// An error that the host's kernel has a use of its own for is not given to it.
static bool is_restart(const struct seccomp_verdict *v) {
    return v->action == LINUX_SECCOMP_RET_ERRNO && v->data >= LINUX_ERESTARTSYS &&
           v->data <= LINUX_ERESTART_RESTARTBLOCK;
}

static bool wants_regs(struct task *t, const struct seccomp_verdict *v) {
    return v->needs_ip || is_restart(v) || v->action == LINUX_SECCOMP_RET_TRAP ||
           v->action == LINUX_SECCOMP_RET_USER_NOTIF ||
           (v->action == LINUX_SECCOMP_RET_TRACE && ptrace_wants_seccomp(t));
}

static void carry_out(struct task *t, struct seccomp_verdict *v, struct lx_regs *regs) {
    int64_t error = v->data < LINUX_MAX_ERRNO ? v->data : LINUX_MAX_ERRNO;
    switch (v->action) {
    case LINUX_SECCOMP_RET_ALLOW:
    case LINUX_SECCOMP_RET_LOG:
        run_call(t);
        break;
    case LINUX_SECCOMP_RET_ERRNO:
        finish(t, -error);
        break;
    case LINUX_SECCOMP_RET_TRAP:
        trap(t, regs, v->data);
        break;
    case LINUX_SECCOMP_RET_TRACE:
        hand_over(t, regs, v->data);
        break;
    case LINUX_SECCOMP_RET_USER_NOTIF:
        ask_supervisor(t, regs, v);
        break;
    default:
        kill(t, v);
    }
}

static void ask_filters(struct task *t, const uint64_t *ip, enum whom seen, struct seccomp_verdict *v) {
    seccomp_judge(t, ip, v);
    if (v->action == LINUX_SECCOMP_RET_TRACE && seen == TRACER_TOO)
        v->action = LINUX_SECCOMP_RET_ALLOW;
}

static void judge(struct task *t, enum whom seen) {
    struct seccomp_verdict v;
    struct lx_regs regs = {0};
    if (!seccomp_on(t)) {
        run_call(t);
        return;
    }
    ask_filters(t, NULL, seen, &v);
    if (wants_regs(t, &v)) {
        if (!t->call.context) {
            take_out(t);
            return;
        }
        if (plat_get_regs(t->thread, &regs) < 0) {
            return_with_regs(t);  // the host thread is gone: its death is on the way
            return;
        }
        ask_filters(t, &regs.rip, seen, &v);
    }
    if (v.action == LINUX_SECCOMP_RET_LOG || (v.log && v.action != LINUX_SECCOMP_RET_ALLOW))
        log_info("seccomp: thread %d, call %d, verdict %#x", t->tid, (int)t->call.nr, v.action | v.data);
    carry_out(t, &v, &regs);
}
