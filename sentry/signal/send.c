// SPDX-License-Identifier: Apache-2.0
// Sending signals, masks, and taking pending ones. Called by kill(2) and its like, by timers, by exits of
// children, by faults of the thread itself.
//
// A signal is queued under the target's sig_lock, and then *one* thread that would take it is told
// (task_notify). The flag task->sigpending is set by anyone and cleared by the task itself alone, in
// signal_recalc().
#include "abi/caps.h"
#include "fs/landlock.h"
#include "sentry/fd/signalfd.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/user_ns.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/park.h"
#include "sentry/run/run.h"
#include "sentry/run/worker.h"
#include "sentry/signal/impl.h"
#include "sentry/time/posix_timers.h"

struct linux_sigaction signal_action(struct tgroup *g, int sig) {
    LOCKED(&g->sighand->lock);
    return g->sighand->action[sig - 1];
}

bool action_ignored(const struct linux_sigaction *a, int sig) {
    return a->sa_handler == LINUX_SIG_IGN ||
           (a->sa_handler == LINUX_SIG_DFL && (SIGBIT(sig) & SIGSET_IGNORE_DEFAULT));
}

static bool blocks(const struct task *t, int sig) { return t->blocked & SIGBIT(sig); }

static bool wants(const struct task *t, int sig) { return !blocks(t, sig) || (t->sigwait_set & SIGBIT(sig)); }

// Sent by the host, or by a process of a namespace around it. What the kernel itself ends: signal_kill().
static bool from_outside(const struct tgroup *g) {
    return !task_current || !pid_ns_is_in(task_current->tg->pid_ns, g->pid_ns);
}

// A blocked signal is kept although it is ignored now: the disposition may be another one when it is
// unblocked. A tracer wants to hear of the others.
static bool dropped(struct tgroup *g, const struct task *to, int sig) {
    struct linux_sigaction a = signal_action(g, sig);
    // An init has no default actions, but for a stop that comes from outside.
    bool none = g->unkillable && a.sa_handler == LINUX_SIG_DFL && !(sig == LINUX_SIGSTOP && from_outside(g));
    if (!none && !action_ignored(&a, sig))
        return false;
    if (to)
        return !blocks(to, sig) && !ptrace_on(to);
    const struct task *t;
    list_for_each(t, &g->tasks, tg_link)
        if (blocks(t, sig) || ptrace_on(t))
            return false;
    return true;
}

// In a group stop nobody does: SIGCONT makes every thread look. But for those that a tracer has sent on.
static bool looks(const struct task *t) { return !t->tg->stop.on || ptrace_left(t); }

// The first thread that takes it, preferably one that has nothing else to look at; the oldest (the leader)
// comes first.
void signal_offer(struct tgroup *g, int sig) {
    struct task *t, *chosen = NULL;
    list_for_each(t, &g->tasks, tg_link) {
        if (!wants(t, sig) || !looks(t))
            continue;
        bool idle = !atomic_load(&t->sigpending);
        if (idle || chosen == NULL)
            chosen = t;
        if (idle)
            break;
    }
    if (chosen)
        task_notify(chosen);
}

void signal_offer_all(struct tgroup *g, uint64_t set) {
    for (; set; set &= set - 1)
        signal_offer(g, __builtin_ctzll(set) + 1);
}

static void announce(struct tgroup *g, struct task *to, int sig) {
    signalfd_notify(g, sig);
    if (!to)
        signal_offer(g, sig);
    else if (wants(to, sig) && looks(to))
        task_notify(to);
}

// Every thread is to die, at once, whatever it waits for.
void signal_kill_group(struct tgroup *g) {
    if (!atomic_load(&g->exiting)) {
        g->group_exit_code = LINUX_SIGKILL;
        atomic_store(&g->exiting, true);
    }
    g->sigkilled = true;
    struct task *t;
    list_for_each(t, &g->tasks, tg_link)
        task_condemn(t);
}

void signal_kill(struct tgroup *g) {
    LOCKED(&g->sig_lock);
    if (g != g->k->init && !list_empty(&g->tasks))
        signal_kill_group(g);
}

static void drop_everywhere(struct tgroup *g, uint64_t set) {
    sigqueue_drop(g->shared_pending, set);
    struct task *t;
    list_for_each(t, &g->tasks, tg_link)
        sigqueue_drop(t->pending, set);
}

// What sending does before queueing: SIGKILL acts, stops and SIGCONT cancel each other. False: nothing to
// queue.
static bool prepare(struct tgroup *g, const struct task *to, int sig) {
    if (list_empty(&g->tasks) || (to && !list_linked(&to->tg_link)))
        return false;  // it has ended
    if (sig == LINUX_SIGKILL) {
        if (g->unkillable && !from_outside(g))
            return false;
        signal_kill_group(g);
        return false;
    }
    if (SIGBIT(sig) & SIGSET_STOP)
        drop_everywhere(g, SIGBIT(LINUX_SIGCONT));
    if (sig == LINUX_SIGCONT) {
        drop_everywhere(g, SIGSET_STOP);
        stop_continue(g);
    }
    return !dropped(g, to, sig);
}

static int post(struct tgroup *g, struct task *to, int sig, const struct linux_siginfo *info) {
    static const struct linux_siginfo from_kernel = {.si_code = LINUX_SI_KERNEL};
    if (sig < 1 || sig > LINUX_NSIG || g == g->k->init)
        return 0;
    LOCKED(&g->sig_lock);
    if (!prepare(g, to, sig))
        return 0;
    // LIMIT: RLIMIT_SIGPENDING bounds each queue by itself, not all of a user's together.
    uint64_t limit = g->rlimits[LINUX_RLIMIT_SIGPENDING].rlim_cur;
    int err = sigqueue_add(to ? to->pending : g->shared_pending, sig, info ? info : &from_kernel, limit);
    if (err == 0)
        announce(g, to, sig);
    return err;
}

void signal_forget(struct task *t) { sigqueue_drop(t->pending, ~UINT64_C(0)); }

bool signal_post_alarm(struct tgroup *g) {
    struct linux_siginfo info = {.si_signo = LINUX_SIGALRM, .si_code = LINUX_SI_KERNEL};
    if (!prepare(g, NULL, LINUX_SIGALRM))
        return false;
    sigqueue_add(g->shared_pending, LINUX_SIGALRM, &info, UINT64_MAX);
    announce(g, NULL, LINUX_SIGALRM);
    return true;
}

bool signal_post_timer(struct tgroup *g, struct task *t, struct sigentry *e) {
    int sig = e->info.si_signo;
    if (!prepare(g, t, sig))
        return false;
    sigqueue_add_entry(t ? t->pending : g->shared_pending, e);
    announce(g, t, sig);
    return true;
}

int signal_send_task(struct task *t, int sig, const struct linux_siginfo *info) {
    return post(t->tg, t->worker ? NULL : t, sig, info);  // what a worker does, its process has done
}

void signal_send_self(struct task *t, int sig) {
    const struct linux_siginfo info = {.si_signo = sig,
                                       .si_code = LINUX_SI_USER,
                                       .si_pid = task_vpid(t),
                                       .si_uid = task_uid_out(t, t->cred->uid)};
    signal_send_task(t, sig, &info);
}

int signal_send_group(struct tgroup *g, int sig, const struct linux_siginfo *info) {
    return post(g, NULL, sig, info);
}

int signal_send_pgrp(struct pgroup *p, int sig, const struct linux_siginfo *info) {
    struct tgroup *g;
    int err = 0;
    list_for_each(g, &p->members, pgrp_link) {
        int e = signal_send_group(g, sig, info);
        err = err ? err : e;
    }
    return err;
}

// The thread cannot go on without it: when it is blocked or ignored, its default action is taken.
void signal_force(struct task *t, int sig, const struct linux_siginfo *info) {
    struct tgroup *g = t->tg;
    LOCKED(&g->sig_lock);
    {
        LOCKED(&g->sighand->lock);
        struct linux_sigaction *a = &g->sighand->action[sig - 1];
        if (blocks(t, sig) || a->sa_handler == LINUX_SIG_IGN)
            *a = (struct linux_sigaction){.sa_handler = LINUX_SIG_DFL};
        if (a->sa_handler == LINUX_SIG_DFL)
            g->unkillable = false;  // its own fault ends an init
    }
    t->blocked &= ~SIGBIT(sig);
    sigqueue_add(t->pending, sig, info, UINT64_MAX);
    atomic_store(&t->sigpending, true);
}

bool signal_ignored(struct task *t, int sig) {
    LOCKED(&t->tg->sig_lock);
    return signal_action(t->tg, sig).sa_handler == LINUX_SIG_IGN;
}

bool signal_dying_slow(struct task *t) {
    struct tgroup *g = t->tg;
    if (t->worker)
        return worker_dying(t->worker);
    if (atomic_load(&t->killed))
        return true;
    LOCKED(&g->sig_lock);
    uint64_t pending =
        (t->pending->set | g->shared_pending->set) & ~t->blocked & ~SIGSET_STOP & ~SIGSET_IGNORE_DEFAULT;
    for (; pending; pending &= pending - 1)
        if (signal_action(g, __builtin_ctzll(pending) + 1).sa_handler == LINUX_SIG_DFL)
            return true;
    return false;
}

bool signal_may_send(struct task *from, struct tgroup *to, int sig) {
    const struct cred *mine = from->cred, *its = to->leader ? to->leader->cred : NULL;
    if (from->tg == to)
        return true;
    if (landlock_is_scoped(mine->landlock, its ? its->landlock : NULL, LINUX_LANDLOCK_SCOPE_SIGNAL))
        return false;
    if (cred_ns_capable(mine, its ? its->user : NULL, LINUX_CAP_KILL))
        return true;
    if (its && (mine->euid == its->suid || mine->euid == its->uid || mine->uid == its->suid ||
                mine->uid == its->uid))
        return true;
    return sig == LINUX_SIGCONT && to->pgrp && from->tg->pgrp && to->pgrp->session == from->tg->pgrp->session;
}

// ---- The task's own side ----------------------------------------------------------------------------------
// Cleared first, looked at then: whoever sets it later than the look has set it later than the clearing.
void signal_recalc(struct task *t) {
    struct tgroup *g = t->tg;
    LOCKED(&g->sig_lock);
    atomic_store(&t->sigpending, false);
    uint64_t pending = (t->pending->set | g->shared_pending->set) & ~t->blocked;
    bool stop = g->stop.on && !ptrace_left(t);
    if (pending || stop || g->stop.was_stopped || atomic_load(&t->killed) || ptrace_due(t))
        atomic_store(&t->sigpending, true);
}

uint64_t signal_pending_set(struct task *t) {
    LOCKED(&t->tg->sig_lock);
    return t->pending->set | t->tg->shared_pending->set;
}

void signal_set_mask(struct task *t, uint64_t mask) {
    struct tgroup *g = t->tg;
    mask &= ~SIGSET_UNBLOCKABLE;
    if (mask == t->blocked)
        return;
    {
        LOCKED(&g->sig_lock);
        uint64_t added = mask & ~t->blocked;
        t->blocked = mask;
        // What we were told of but will not take now is another thread's.
        signal_offer_all(g, g->shared_pending->set & added);
    }
    signal_recalc(t);
}

void signal_tmp_mask_begin(struct task *t, uint64_t mask) {
    if (t->restore_mask)
        return;
    t->saved_mask = t->blocked;
    t->restore_mask = true;
    signal_set_mask(t, mask);
}

int64_t signal_tmp_mask_end(struct task *t, int64_t result) {
    if (!t->restore_mask || (result <= SYS_PARK && result >= SYS_AGAIN))
        return result;
    if (result == -LINUX_EINTR || (result <= -LINUX_ERESTARTSYS && result >= -LINUX_ERESTART_RESTARTBLOCK)) {
        atomic_store(&t->sigpending, true);
        return result;
    }
    t->restore_mask = false;
    signal_set_mask(t, t->saved_mask);
    return result;
}

int signal_take_locked(struct task *t, uint64_t set, struct linux_siginfo *info) {
    struct tgroup *g = t->tg;
    int sig = signal_first(t->pending->set & set);
    if (sig) {
        sigqueue_take(t->pending, sig, info);
        return sig;
    }
    sig = signal_first(g->shared_pending->set & set);
    if (!sig)
        return 0;
    sigqueue_take(g->shared_pending, sig, info);
    if (sig == LINUX_SIGALRM)
        itimer_real_taken(g);
    return sig;
}

int signal_take(struct task *t, uint64_t set, struct linux_siginfo *info) {
    int sig;
    {
        LOCKED(&t->tg->sig_lock);
        sig = signal_take_locked(t, set, info);
    }
    if (sig)
        signal_recalc(t);
    return sig;
}
