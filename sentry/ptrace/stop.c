// SPDX-License-Identifier: Apache-2.0
// How a traced thread stops and goes on (see ptrace.h). Called by the run loop and by signal_deliver(), on
// the sentry thread that handles the thread; ptrace_break() and its like by whoever signals it. Locks:
// tasks_lock to tell the tracer, sig_lock inside it.
#include "abi/syscalls.h"
#include "abi/wait.h"
#include "base/log.h"
#include "platform/platform.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/user_ns.h"
#include "sentry/ptrace/impl.h"
#include "sentry/run/park.h"
#include "sentry/signal/impl.h"
#include <string.h>

#define BIT(s)   (1u << (s))
#define STOPS \
    (BIT(PT_ENTRY) | BIT(PT_SECCOMP) | BIT(PT_LEAVE) | BIT(PT_SIGNAL) | BIT(PT_GROUP) | BIT(PT_EVENT) | \
     BIT(PT_ENDS))
static const unsigned may_become[] = {
    [PT_RUNS] = STOPS | BIT(PT_RUNS) | BIT(PT_DEAD),
    [PT_ENTRY] = BIT(PT_RUNS),
    [PT_SECCOMP] = BIT(PT_RUNS),
    [PT_LEAVE] = BIT(PT_RUNS),
    [PT_SIGNAL] = BIT(PT_RUNS),
    [PT_GROUP] = BIT(PT_RUNS) | BIT(PT_LISTENS),
    [PT_LISTENS] = BIT(PT_RUNS),
    [PT_EVENT] = BIT(PT_RUNS),
    [PT_ENDS] = BIT(PT_RUNS),
    [PT_DEAD] = BIT(PT_DEAD),
};

void ptrace_set(struct ptrace *p, enum ptrace_stop to) {
    invariant(may_become[p->stop] & BIT(to));
    p->stop = to;
}

void ptrace_let_go(struct ptrace *p, enum ptrace_go go, int signal) {
    atomic_store(&p->go, (int)go);
    p->signal = signal;
    p->status = 0;
    ptrace_set(p, PT_RUNS);
    task_notify(p->task);
}

void ptrace_tell(struct ptrace *p, int code, int status) {
    struct tgroup *g = p->tracer->tg;
    bool quiet;
    {
        LOCKED(&g->sig_lock);
        struct linux_sigaction a = signal_action(g, LINUX_SIGCHLD);
        bool stops = code == LINUX_CLD_TRAPPED || code == LINUX_CLD_STOPPED;
        quiet = stops && (a.sa_handler == LINUX_SIG_IGN || (a.sa_flags & LINUX_SA_NOCLDSTOP));
    }
    if (!quiet) {
        struct linux_siginfo info = {.si_signo = LINUX_SIGCHLD, .si_code = code};
        info.si_pid = pid_out(g->pid_ns, p->task->tid);
        info.si_uid = idmap_shown(user_ns_uids(p->tracer->cred->user), p->task->cred->uid);
        info.si_status = status;
        signal_send_group(g, LINUX_SIGCHLD, &info);
    }
    waitq_wake(&g->child_wait, ~0u);
}

// ---- Stopping ---------------------------------------------------------------------------------------------
// As wait4 and the tracer's GETREGS are to see an interrupted call: with the kernel's own code, and its
// number.
static void show_regs(const struct task *t, struct ptrace *p, const struct lx_regs *regs) {
    p->regs = *regs;
    if (p->stepping)
        p->regs.eflags &= ~(uint64_t)LINUX_EFLAGS_TF;
    p->stepping = false;
    if (t->restart) {
        p->regs.rax = (uint64_t)t->restart;
        p->regs.orig_rax = t->restart_nr;
    }
}

static void show_info(const struct task *t, struct ptrace *p, int code, const struct linux_siginfo *info) {
    p->has_info = info || p->stop != PT_GROUP || p->seized;
    if (info) {
        p->info = *info;
        return;
    }
    p->info = (struct linux_siginfo){.si_signo = code & 0x7f, .si_code = code};
    p->info.si_pid = task_vtid(t);
    p->info.si_uid = task_uid_out(t, t->cred->uid);
}

bool ptrace_stop(struct task *t, const struct lx_regs *regs, enum ptrace_stop stop, int code,
                 const struct linux_siginfo *info) {
    struct ptrace *p = t->ptrace;
    if (!t->thread || plat_get_fpstate(t->thread, p->fp, p->fp_size) < 0)
        memset(p->fp, 0, p->fp_size);
    LOCKED(&t->k->tasks_lock);
    if (!p->tracer)
        return false;
    {
        LOCKED(&t->tg->sig_lock);
        bool dying = stop == PT_ENDS ? t->tg->sigkilled : atomic_load(&t->killed);
        if (dying)
            return false;
        show_regs(t, p, regs);
        p->fp_changed = false;
        ptrace_set(p, stop);
        p->last = stop;
        p->code = code;
        p->status = code << 8 | 0x7f;
        show_info(t, p, code, info);
    }
    bool group = stop == PT_GROUP && !p->seized;
    ptrace_tell(p, group ? LINUX_CLD_STOPPED : LINUX_CLD_TRAPPED, code & 0x7f);
    return true;
}

bool ptrace_stopped(struct task *t) {
    LOCKED(&t->tg->sig_lock);
    return t->ptrace && t->ptrace->stop != PT_RUNS;
}

// ---- Going on ---------------------------------------------------------------------------------------------
static bool is_restart(int64_t v) { return v <= -LINUX_ERESTARTSYS && v >= -LINUX_ERESTART_RESTARTBLOCK; }

// The tracer may have cancelled the restart of an interrupted call, or made another of it.
static void take_restart(struct task *t, const struct lx_regs *regs) {
    bool in_call = (int64_t)regs->orig_rax >= 0;
    t->restart = in_call && is_restart((int64_t)regs->rax) ? (int64_t)regs->rax : 0;
    t->restart_nr = regs->orig_rax;
}

static void send_from_tracer(struct task *t, int sig) {
    if (sig)
        signal_send_task(t, sig, NULL);
}

// The signal that a SIGNAL ends with: as it came, or another one, which is the tracer's.
static void take_signal(struct task *t, struct ptrace *p, int sig) {
    bool blocked;
    {
        LOCKED(&t->k->tasks_lock);
        LOCKED(&t->tg->sig_lock);
        if (sig && sig != p->info.si_signo) {
            p->info = (struct linux_siginfo){.si_signo = sig, .si_code = LINUX_SI_USER};
            p->info.si_pid = p->tracer ? pid_out(t->tg->pid_ns, p->tracer->tg->pid) : 0;
            p->info.si_uid = p->tracer ? task_uid_out(t, p->tracer->cred->uid) : 0;
        }
        blocked = sig && (t->blocked & SIGBIT(sig) & ~SIGSET_UNBLOCKABLE);
        p->injected = blocked ? 0 : sig;
    }
    if (blocked)
        signal_send_task(t, sig, &p->info);
}

// The registers as the tracer left them. Those that the platform refuses would make the processor fault.
static void set_registers(struct task *t, struct ptrace *p, struct lx_regs *regs, bool fp_changed) {
    if (ptrace_on(t) && ptrace_watching(p))
        ptrace_watch_begin(t);
    if (ptrace_on(t) && (ptrace_steps(p) || ptrace_watching(p)) && !(regs->eflags & LINUX_EFLAGS_TF)) {
        regs->eflags |= LINUX_EFLAGS_TF;
        p->stepping = true;
    }
    if (fp_changed)
        plat_set_fpstate(t->thread, p->fp, p->fp_size);  // was checked by SETREGSET
    if (plat_set_regs(t->thread, regs) < 0) {
        struct linux_siginfo info = {.si_signo = LINUX_SIGSEGV, .si_code = LINUX_SI_KERNEL};
        p->stepping = false;
        signal_force(t, LINUX_SIGSEGV, &info);
    }
}

enum ptrace_stop ptrace_go_on(struct task *t) {
    struct ptrace *p = t->ptrace;
    struct lx_regs regs;
    bool fp_changed;
    int sig;
    {
        LOCKED(&t->tg->sig_lock);
        regs = p->regs;
        fp_changed = p->fp_changed;
        sig = p->signal;
        p->signal = 0;
    }
    if (p->last == PT_SIGNAL)
        take_signal(t, p, sig);
    else if (p->last == PT_ENTRY || p->last == PT_LEAVE)
        send_from_tracer(t, sig);
    if (p->last == PT_SIGNAL || p->last == PT_LEAVE || p->last == PT_GROUP)
        take_restart(t, &regs);
    set_registers(t, p, &regs, fp_changed);
    atomic_store(&t->sigpending, true);
    return p->last;
}

// ---- Calls ------------------------------------------------------------------------------------------------
bool ptrace_wants_call(const struct task *t) {
    int go = atomic_load(&t->ptrace->go);
    return go == GO_SYSCALL || go == GO_SYSEMU || go == GO_SYSEMU_STEP;
}

static int syscall_code(const struct ptrace *p) {
    return LINUX_SIGTRAP | (p->options & LINUX_PTRACE_O_TRACESYSGOOD ? 0x80 : 0);
}

static bool call_stop(struct task *t, const struct lx_regs *regs, enum ptrace_stop stop, uint64_t message) {
    int code;
    {
        LOCKED(&t->tg->sig_lock);
        code = syscall_code(t->ptrace);
        t->ptrace->message = message;
    }
    return ptrace_stop(t, regs, stop, code, NULL);
}

bool ptrace_entry(struct task *t, const struct lx_regs *regs) {
    struct lx_regs shown = *regs;
    shown.rax = (uint64_t)-LINUX_ENOSYS;
    shown.orig_rax = t->call.nr;
    t->ptrace->emulated = atomic_load(&t->ptrace->go) != GO_SYSCALL;
    return call_stop(t, &shown, PT_ENTRY, LINUX_PTRACE_EVENTMSG_SYSCALL_ENTRY);
}

bool ptrace_wants_seccomp(struct task *t) {
    if (!ptrace_on(t))
        return false;
    LOCKED(&t->tg->sig_lock);
    return t->ptrace->options & LINUX_PTRACE_O_TRACESECCOMP;
}

bool ptrace_seccomp(struct task *t, const struct lx_regs *regs, uint16_t data) {
    struct lx_regs shown = *regs;
    if (!ptrace_wants_seccomp(t))
        return false;
    shown.rax = (uint64_t)-LINUX_ENOSYS;
    shown.orig_rax = t->call.nr;
    {
        LOCKED(&t->tg->sig_lock);
        t->ptrace->message = data;
    }
    t->ptrace->emulated = false;
    return ptrace_stop(t, &shown, PT_SECCOMP, LINUX_SIGTRAP | LINUX_PTRACE_EVENT_SECCOMP << 8, NULL);
}

bool ptrace_take_call(struct task *t) {
    struct ptrace *p = t->ptrace;
    const struct lx_regs *r = &p->regs;  // nobody changes them: it runs
    const uint64_t args[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};
    t->call.nr = r->orig_rax;
    memcpy(t->call.args.v, args, sizeof args);
    return (int64_t)r->orig_rax >= 0 && !p->emulated;
}

void ptrace_call_done(struct task *t) {
    struct ptrace *p = t->ptrace;
    int go = atomic_load(&p->go);
    if (go == GO_SYSCALL) {
        LOCKED(&t->tg->sig_lock);
        p->leave = true;
        atomic_store(&t->sigpending, true);
    } else if (go == GO_STEP && p->stepping) {
        struct linux_siginfo info = {.si_signo = LINUX_SIGTRAP, .si_code = LINUX_TRAP_BRKPT};
        signal_force(t, LINUX_SIGTRAP, &info);
    }
}

// ---- On the way back --------------------------------------------------------------------------------------
static bool leave_stop(struct task *t, const struct lx_regs *regs) {
    struct lx_regs shown = *regs;
    if (t->call.nr != LINUX_NR_rt_sigreturn)
        shown.orig_rax = t->call.nr;
    return call_stop(t, &shown, PT_LEAVE, LINUX_PTRACE_EVENTMSG_SYSCALL_EXIT);
}

bool ptrace_group(struct task *t, const struct lx_regs *regs) {
    int code;
    {
        LOCKED(&t->tg->sig_lock);
        struct tgroup *g = t->tg;
        t->ptrace->trap = false;
        code = g->stop.on ? g->stop.sig : LINUX_SIGTRAP;
        if (t->ptrace->seized)
            code |= LINUX_PTRACE_EVENT_STOP << 8;
        t->ptrace->message = 0;
    }
    return ptrace_stop(t, regs, PT_GROUP, code, NULL);
}

bool ptrace_traps(struct task *t, const struct lx_regs *regs) {
    bool trap, leave;
    {
        LOCKED(&t->tg->sig_lock);
        leave = t->ptrace->leave;
        t->ptrace->leave = false;
    }
    if (leave && leave_stop(t, regs))
        return true;
    if (t->ptrace->stepped_into) {
        t->ptrace->stepped_into = false;
        if (ptrace_stop(t, regs, PT_EVENT, LINUX_SIGTRAP, NULL))
            return true;
    }
    {
        LOCKED(&t->tg->sig_lock);
        trap = t->ptrace->trap;
    }
    return trap && ptrace_group(t, regs);
}

bool ptrace_signal(struct task *t, const struct lx_regs *regs, int sig, const struct linux_siginfo *info) {
    return ptrace_stop(t, regs, PT_SIGNAL, sig, info);
}

int ptrace_injected(struct task *t, struct linux_siginfo *info) {
    struct ptrace *p = t->ptrace;
    int sig = p->injected;
    p->injected = 0;
    if (sig)
        *info = p->info;
    return sig;
}

void ptrace_unshown(struct task *t, int sig, const struct linux_siginfo *info) {
    LOCKED(&t->tg->sig_lock);
    t->ptrace->injected = sig;
    t->ptrace->info = *info;
}

bool ptrace_unstep(struct task *t, struct lx_regs *regs) {
    if (!t->ptrace->stepping)
        return false;
    t->ptrace->stepping = false;
    regs->eflags &= ~(uint64_t)LINUX_EFLAGS_TF;
    return true;
}

bool ptrace_stray_step(struct task *t, int signo, int code) {
    struct lx_regs regs;
    if (signo != LINUX_SIGTRAP || code == LINUX_SI_KERNEL || ptrace_on(t) || !t->ptrace ||
        !t->ptrace->stepping || plat_get_regs(t->thread, &regs) < 0)
        return false;
    ptrace_unstep(t, &regs);
    plat_set_regs(t->thread, &regs);
    return true;
}

void ptrace_step_into(struct task *t) { t->ptrace->stepped_into = ptrace_steps(t->ptrace); }

// ---- Events -----------------------------------------------------------------------------------------------
static bool wants_event(struct task *t, int event, uint64_t message) {
    if (!ptrace_on(t))
        return false;
    LOCKED(&t->tg->sig_lock);
    if (!(t->ptrace->options & 1u << event))
        return false;
    t->ptrace->message = message;
    return true;
}

int64_t ptrace_event(struct task *t, int event, uint64_t message) {
    struct lx_regs regs;
    if (!wants_event(t, event, message) || plat_get_regs(t->thread, &regs) < 0)
        return 0;
    regs.orig_rax = t->call.nr;
    return ptrace_stop(t, &regs, PT_EVENT, LINUX_SIGTRAP | event << 8, NULL) ? SYS_STOP : 0;
}

int64_t ptrace_execed(struct task *t, int32_t old_tid) {
    if (!ptrace_on(t))
        return 0;
    {
        LOCKED(&t->tg->sig_lock);
        memset(t->ptrace->dr, 0, sizeof t->ptrace->dr);
        t->ptrace->stepping = false;
    }
    int64_t r = ptrace_event(t, LINUX_PTRACE_EVENT_EXEC, (uint64_t)old_tid);
    if (r == 0 && !t->ptrace->seized && !(t->ptrace->options & LINUX_PTRACE_O_TRACEEXEC)) {
        struct linux_siginfo info = {.si_signo = LINUX_SIGTRAP, .si_code = LINUX_SI_USER};
        info.si_pid = task_vpid(t);
        info.si_uid = task_uid_out(t, t->cred->uid);
        signal_send_task(t, LINUX_SIGTRAP, &info);
    }
    return r;
}

// LIMIT: a thread that is ended by another, out of a call that waits, shows no registers in its
// PTRACE_EVENT_EXIT.
bool ptrace_exiting(struct task *t, int status) {
    struct lx_regs regs = {0};
    if (!wants_event(t, LINUX_PTRACE_EVENT_EXIT, (uint64_t)status))
        return false;
    if (t->thread)
        plat_get_regs(t->thread, &regs);
    return ptrace_stop(t, &regs, PT_ENDS, LINUX_SIGTRAP | LINUX_PTRACE_EVENT_EXIT << 8, NULL);
}

// ---- Others' side -----------------------------------------------------------------------------------------
bool ptrace_due(const struct task *t) {
    const struct ptrace *p = t->ptrace;
    return p && (p->injected || (ptrace_on(t) && (p->trap || p->leave)));
}

void ptrace_break(struct task *t) {
    struct ptrace *p = t->ptrace;
    if (!p || p->stop == PT_RUNS || p->stop == PT_DEAD)
        return;
    p->status = 0;
    ptrace_set(p, PT_RUNS);
}

void ptrace_renew(struct task *t) {
    struct ptrace *p = t->ptrace;
    if (!ptrace_on(t) || !p->seized || p->stop == PT_DEAD)
        return;
    p->trap = true;
    if (p->stop == PT_LISTENS)
        ptrace_set(p, PT_RUNS);
    task_notify(t);
}

bool ptrace_left(const struct task *t) {
    return ptrace_on(t) && !t->stop_counted && t->ptrace->stop == PT_RUNS;
}
