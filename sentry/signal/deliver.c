// SPDX-License-Identifier: Apache-2.0
// Delivery: what happens to a thread before it goes back to guest code. The run loop calls signal_deliver()
// with the full registers whenever task->sigpending or task->restart says that there is something to settle.
// The only place where the ERESTART words are resolved.
//
// Several handlers may be entered at once: each frame is built on top of the one before, so that the last one
// taken runs first and returns into the one below, as on Linux.
//
// Locks: none on entry; sig_lock to take a signal; tasks_lock to tell the parent of stops. None while guest
// memory is written.
#include "abi/syscalls.h"
#include "sentry/proc/coredump.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/run.h"
#include "sentry/signal/impl.h"

#define SYSCALL_INSN_LEN 2
#define SIGSET_FAULTS \
    (SIGBIT(LINUX_SIGSEGV) | SIGBIT(LINUX_SIGBUS) | SIGBIT(LINUX_SIGILL) | SIGBIT(LINUX_SIGFPE) | \
     SIGBIT(LINUX_SIGTRAP) | SIGBIT(LINUX_SIGSYS))

enum restart_how restart_decide(int64_t restart, bool handler, bool sa_restart) {
    switch (restart) {
    case -LINUX_ERESTARTNOINTR:
        return RESTART_SAME;
    case -LINUX_ERESTARTSYS:
        return !handler || sa_restart ? RESTART_SAME : RESTART_EINTR;
    case -LINUX_ERESTARTNOHAND:
        return handler ? RESTART_EINTR : RESTART_SAME;
    case -LINUX_ERESTART_RESTARTBLOCK:
        return handler ? RESTART_EINTR : RESTART_BLOCK;
    default:
        return RESTART_EINTR;
    }
}

// The registers stand behind the system call instruction, rax is -EINTR already or still the word itself.
static void resolve_restart(struct task *t, struct lx_regs *regs, const struct linux_sigaction *handler) {
    if (!t->restart)
        return;
    switch (restart_decide(t->restart, handler, handler && (handler->sa_flags & LINUX_SA_RESTART))) {
    case RESTART_SAME:
        regs->rax = t->restart_nr;
        regs->rip -= SYSCALL_INSN_LEN;
        break;
    case RESTART_BLOCK:
        regs->rax = LINUX_NR_restart_syscall;
        regs->rip -= SYSCALL_INSN_LEN;
        break;
    case RESTART_EINTR:
        regs->rax = (uint64_t)-LINUX_EINTR;
        t->restart_fn = NULL;  // restart_syscall(2) called by hand answers EINTR
        break;
    }
    t->restart = 0;
}

// ---- Taking the next signal -------------------------------------------------------------------------------
struct taken {
    int sig;
    struct linux_siginfo info;
    struct linux_sigaction action;
    uint32_t continues;
};
enum next { NEXT_NONE, NEXT_STOP, NEXT_LAST_STOP, NEXT_SIGNAL, NEXT_SHOWN };

// NEXT_SHOWN: its tracer is to see it before anything is made of it, and what it makes of it is taken the
// next time.
static enum next take_next(struct task *t, struct taken *n) {
    struct tgroup *g = t->tg;
    LOCKED(&g->sig_lock);
    n->sig = t->ptrace ? ptrace_injected(t, &n->info) : 0;
    bool last;
    if (!n->sig && stop_join(t, &last))
        return last ? NEXT_LAST_STOP : NEXT_STOP;
    bool shown = n->sig || !ptrace_on(t);
    if (!n->sig)
        n->sig = signal_take_locked(t, ~t->blocked, &n->info);
    if (!n->sig)
        return NEXT_NONE;
    if (!shown)
        return NEXT_SHOWN;
    n->continues = g->stop.continues;
    LOCKED(&g->sighand->lock);
    struct linux_sigaction *a = &g->sighand->action[n->sig - 1];
    n->action = *a;
    bool handler = a->sa_handler != LINUX_SIG_DFL && a->sa_handler != LINUX_SIG_IGN;
    if (handler && (a->sa_flags & LINUX_SA_RESETHAND))
        a->sa_handler = LINUX_SIG_DFL;
    return NEXT_SIGNAL;
}

// ---- Acting on it -----------------------------------------------------------------------------------------
// The frame could not be written. A SIGSEGV handler that has no stack to run on does not get another try.
static void frame_fault(struct task *t, int sig) {
    if (sig == LINUX_SIGSEGV) {
        LOCKED(&t->tg->sig_lock);
        LOCKED(&t->tg->sighand->lock);
        t->tg->sighand->action[sig - 1] = (struct linux_sigaction){.sa_handler = LINUX_SIG_DFL};
    }
    struct linux_siginfo info = {.si_signo = LINUX_SIGSEGV, .si_code = LINUX_SI_KERNEL};
    signal_force(t, LINUX_SIGSEGV, &info);
}

static void enter_handler(struct task *t, struct lx_regs *regs, const struct taken *n) {
    const struct linux_sigaction *a = &n->action;
    uint64_t oldmask = t->restore_mask ? t->saved_mask : t->blocked;
    resolve_restart(t, regs, a);
    bool stepping = t->ptrace && ptrace_unstep(t, regs);
    if (frame_push(t, regs, n->sig, &n->info, a, oldmask) < 0) {
        frame_fault(t, n->sig);
        return;
    }
    t->restore_mask = false;
    if (stepping)
        ptrace_step_into(t);
    uint64_t self = a->sa_flags & LINUX_SA_NODEFER ? 0 : SIGBIT(n->sig);
    signal_set_mask(t, t->blocked | a->sa_mask | self);
}

#define SIGSET_CORE                                                                                          \
    (SIGBIT(LINUX_SIGQUIT) | SIGBIT(LINUX_SIGILL) | SIGBIT(LINUX_SIGTRAP) | SIGBIT(LINUX_SIGABRT) |          \
     SIGBIT(LINUX_SIGBUS) | SIGBIT(LINUX_SIGFPE) | SIGBIT(LINUX_SIGSEGV) | SIGBIT(LINUX_SIGXCPU) |           \
     SIGBIT(LINUX_SIGXFSZ) | SIGBIT(LINUX_SIGSYS))
#define STATUS_CORE 0x80

static void die(struct task *t, const struct lx_regs *regs, const struct taken *n) {
    int sig = n->sig;
    bool core = SIGBIT(sig) & SIGSET_CORE && coredump(t, regs, &n->info);
    // the kernel's own word about an instruction of this thread, not somebody's kill(2)
    bool fault = SIGBIT(sig) & SIGSET_FAULTS && n->info.si_code > 0;
    if (fault && !atomic_load(&t->tg->exiting))
        tgroup_blame(t->tg, END_GUEST_FAULT);
    tgroup_begin_exit(t->tg, core ? sig | STATUS_CORE : sig);
    task_die(t, t->tg->group_exit_code);
}

// An init takes only what comes from outside by default, pid_namespaces(7): SIGKILL ends it without this.
static bool has_no_default(struct tgroup *g, const struct taken *n) {
    LOCKED(&g->sig_lock);
    return g->unkillable && n->action.sa_handler == LINUX_SIG_DFL && n->sig != LINUX_SIGSTOP;
}

// False: the task is no more.
static bool act(struct task *t, struct lx_regs *regs, const struct taken *n) {
    uint64_t bit = SIGBIT(n->sig);
    if (action_ignored(&n->action, n->sig) || has_no_default(t->tg, n))
        return true;
    if (n->action.sa_handler != LINUX_SIG_DFL) {
        enter_handler(t, regs, n);
        return true;
    }
    if (bit & SIGSET_STOP) {
        stop_begin(t, n->sig, n->continues);
        return true;
    }
    die(t, regs, n);
    return false;
}

static int64_t stop_here(struct task *t, const struct lx_regs *regs, bool last) {
    bool for_tracer = ptrace_on(t) && ptrace_group(t, regs);
    if (last) {
        LOCKED(&t->k->tasks_lock);
        stop_complete(t->tg);
    }
    return for_tracer ? SYS_STOP : SYS_PARK;
}

int64_t signal_deliver(struct task *t, struct lx_regs *regs) {
    struct taken n;
    for (;;) {
        if (atomic_load(&t->killed)) {
            task_die(t, t->tg->group_exit_code);
            return SYS_GONE;
        }
        stop_report_continue(t);
        if (ptrace_on(t) && ptrace_traps(t, regs))
            return SYS_STOP;
        enum next next = take_next(t, &n);
        if (next == NEXT_STOP || next == NEXT_LAST_STOP)
            return stop_here(t, regs, next == NEXT_LAST_STOP);
        if (next == NEXT_NONE)
            break;
        if (next == NEXT_SHOWN) {
            if (ptrace_signal(t, regs, n.sig, &n.info))
                return SYS_STOP;
            ptrace_unshown(t, n.sig, &n.info);
            continue;
        }
        if (!act(t, regs, &n))
            return SYS_GONE;
    }
    resolve_restart(t, regs, NULL);
    if (t->restore_mask) {
        t->restore_mask = false;
        signal_set_mask(t, t->saved_mask);
    }
    signal_recalc(t);
    return 0;
}
