// SPDX-License-Identifier: Apache-2.0
// Group stops: SIGSTOP and the terminal's stop signals, and SIGCONT.
//
//   running ---- a thread takes a stop signal (stop_begin) ----> stopping: stop.on, left = number of threads
//   stopping --- each thread comes to signal_deliver (stop_join), left-- ----> stopped when left is 0: the
//   parent hears stopping, stopped --- SIGCONT is *sent* (stop_continue) ----> running; was it stopped, the
//   parent hears of that
//                         from the first thread that goes on (the sender may hold tasks_lock or not)
//
// Locks: what guest threads decide by is in tg->stop under sig_lock; what wait4(2) reads (stopped, stop_sig
// ...) is under tasks_lock, taken before it.
#include "sentry/proc/pgroup.h"
#include "sentry/proc/jobctl.h"
#include "sentry/proc/task_impl.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/park.h"
#include "sentry/signal/impl.h"

void stop_continue(struct tgroup *g) {
    struct task *t;
    g->stop.continues++;
    list_for_each(t, &g->tasks, tg_link)
        ptrace_renew(t);
    if (!g->stop.on)
        return;
    g->stop.was_stopped = g->stop.left == 0;
    g->stop.on = false;
    g->stop.left = 0;
    list_for_each(t, &g->tasks, tg_link) {
        t->stop_counted = false;
        task_notify(t);
    }
}

// A stop signal during a stop: those take part anew that their tracer had sent on. sig_lock held.
static void stop_again(struct tgroup *g, int sig) {
    struct task *t;
    g->stop.sig = sig;
    list_for_each(t, &g->tasks, tg_link) {
        if (ptrace_left(t)) {
            t->stop_counted = true;
            g->stop.left++;
            task_notify(t);
        } else {
            ptrace_renew(t);
        }
    }
}

void stop_begin(struct task *t, int sig, uint32_t continues) {
    struct tgroup *g = t->tg;
    LOCKED(&g->k->tasks_lock);
    // Nobody could continue an orphaned group: it ignores the terminal's stops, setpgid(2) of POSIX.
    if (sig != LINUX_SIGSTOP && pgroup_orphaned(g->pgrp, NULL))
        return;
    LOCKED(&g->sig_lock);
    if (g->stop.continues != continues || atomic_load(&g->exiting))
        return;
    if (g->stop.on) {
        stop_again(g, sig);
        return;
    }
    g->stopped = false;
    g->stop.on = true;
    g->stop.was_stopped = false;
    g->stop.sig = sig;
    g->stop.left = 0;
    struct task *other;
    list_for_each(other, &g->tasks, tg_link) {
        other->stop_counted = true;
        g->stop.left++;
        if (other != t)
            task_notify(other);
    }
}

bool stop_join(struct task *t, bool *last) {
    struct tgroup *g = t->tg;
    *last = false;
    if (!g->stop.on || ptrace_left(t))
        return false;
    if (t->stop_counted) {
        t->stop_counted = false;
        *last = --g->stop.left == 0;
    }
    return true;
}

static void tell_parent(struct tgroup *g, int code, int status) {
    struct tgroup *parent = g->parent;
    bool quiet = true;
    if (parent && parent->sighand) {
        LOCKED(&parent->sig_lock);
        quiet = signal_action(parent, LINUX_SIGCHLD).sa_flags & LINUX_SA_NOCLDSTOP;
    }
    tgroup_notify_parent(g, quiet ? 0 : LINUX_SIGCHLD, code, status);
}

void stop_complete(struct tgroup *g) {
    int sig;
    {
        LOCKED(&g->sig_lock);
        if (!g->stop.on || g->stop.left)
            return;
        sig = g->stop.sig;
    }
    if (g->stopped)
        return;
    g->stopped = true;
    g->stop_sig = sig;
    g->stop_reported = g->continued = false;
    if (!ptrace_traced_by(g->leader, g->parent))  // as its tracer it has heard
        tell_parent(g, LINUX_CLD_STOPPED, sig);
    jobctl_stopped(g, sig);
}

void stop_report_continue(struct task *t) {
    struct tgroup *g = t->tg;
    {
        LOCKED(&g->sig_lock);
        if (!g->stop.was_stopped)
            return;
    }
    LOCKED(&g->k->tasks_lock);
    {
        LOCKED(&g->sig_lock);
        if (!g->stop.was_stopped)
            return;
        g->stop.was_stopped = false;
    }
    g->stopped = false;
    g->continued = true;
    tell_parent(g, LINUX_CLD_CONTINUED, LINUX_SIGCONT);
}

// ---- A thread has gone ------------------------------------------------------------------------------------
void signal_rehome(struct tgroup *g) {
    {
        LOCKED(&g->sig_lock);
        unsigned left = 0;
        struct task *t;
        list_for_each(t, &g->tasks, tg_link)
            left += t->stop_counted;
        g->stop.left = left;
        signal_offer_all(g, g->shared_pending->set);
        if (!g->stop.on || list_empty(&g->tasks))
            return;
    }
    stop_complete(g);
}
