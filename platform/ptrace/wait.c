// SPDX-License-Identifier: Apache-2.0
// The tracer's loop: plat_wait() collects stops and turns them into events, and serves what other sentry
// threads ask. It sleeps in sigtimedwait() for SIGCHLD (every stop and end of a stub sends one) and
// PLAT_KICK_SIGNAL; both are blocked in all sentry threads, so one that comes before the sleep ends it at
// once, and none is lost.
//
// Cost of a guest's call when nothing else runs: sigtimedwait, waitid (the stop), GETREGS, POKEUSER, SYSEMU,
// and a waitid that looks for ends.
#include "abi/errno.h"
#include "base/fault.h"
#include "platform/ptrace/pt.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

bool pt_in_tracer(const struct pt_platform *p) {
    return pthread_equal(pthread_self(), p->tracer);
}

void pt_wake(struct pt_platform *p) {
    if (!p->sleeping)
        return;
    p->sleeping = false;
    syscall(SYS_tgkill, p->self_pid, p->tracer_tid, PLAT_KICK_SIGNAL);
}

// One stop of a stub, not its end. The stubs are a process group of their own: no other child of ours is
// touched.
static bool collect_stop(struct pt_platform *p) {
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    if (waitid(P_PGID, (id_t)p->pgid, &info, WSTOPPED | WNOHANG | __WALL | __WNOTHREAD) < 0 ||
        info.si_pid == 0)
        return false;
    pt_stop(p, info.si_pid, info.si_status);
    return true;
}

// Until there is an event, or nothing left. With no thread out there, none can have stopped.
static void collect(struct pt_platform *p) {
    while (!p->drained && list_empty(&p->ready))
        if (p->nbusy == 0 || !collect_stop(p))
            p->drained = true;
}

static void early_end(struct pt_platform *p, int tid, int cause) {
    for (struct pt_early *e = p->early; e; e = e->next)
        if (e->tid == tid) {
            e->ended = true;
            e->cause = cause;
            return;
        }
    struct pt_early *early = p->nclones != 0 ? znew(struct pt_early) : NULL;
    if (!early)
        return;
    *early = (struct pt_early){.next = p->early, .tid = tid, .ended = true, .cause = cause};
    p->early = early;
}

// Ends are looked at first and reaped afterwards: between the two, nobody may copy through that tid any more.
// A wait for ends shows the stops of traced threads too, asked or not: one that has come meanwhile is taken
// as a stop.
void pt_reap(struct pt_platform *p) {
    const int how = WEXITED | WNOHANG | __WALL | __WNOTHREAD;
    siginfo_t info;
    p->reap_due = false;
    for (;;) {
        memset(&info, 0, sizeof(info));
        if (waitid(P_PGID, (id_t)p->pgid, &info, how | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        int tid = info.si_pid;
        if (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED) {
            collect_stop(p);
            continue;
        }
        int cause = info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED ? info.si_status : 0;
        struct pt_thread *t = pt_lookup(p, tid);
        if (t)
            pt_move_memory_pid(t);
        if (waitid(P_PID, (id_t)tid, &info, how) < 0)
            return;
        if (t)
            pt_gone(t, true, cause);
        else
            early_end(p, tid, cause);
    }
}

static void serve_commands(struct pt_platform *p) {
    while (!list_empty(&p->commands)) {
        struct pt_thread *t = list_first(&p->commands, struct pt_thread, command_link);
        list_del(&t->command_link);
        pt_apply(t);
    }
    while (!list_empty(&p->kills)) {
        struct pt_as *as = list_first(&p->kills, struct pt_as, kill_link);
        struct pt_thread *t;
        list_del(&as->kill_link);
        list_for_each (t, &as->threads, as_link)
            pt_kill(t->proc);
        pt_free_as_if_done(as);
    }
}

// Sleeps without the lock. False when it was ended by something that is none of the platform's.
static bool sleep_for_signal(struct pt_platform *p) {
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, PLAT_KICK_SIGNAL);
    unsigned us = pt_patience(p);
    struct timespec timeout = {0, (long)us * 1000};
    p->sleeping = true;
    lock_drop(&p->lock);
    int sig = sigtimedwait(&set, &info, us != 0 ? &timeout : NULL);
    bool late = sig < 0 && errno == EAGAIN;
    lock_take(&p->lock);
    p->sleeping = false;
    if (late)
        pt_unfollow(p);
    if (sig == SIGCHLD) {
        p->drained = false;
        p->reap_due = true;
    }
    return sig > 0 || late;
}

static void take_event(struct pt_platform *p, struct plat_event *ev) {
    struct pt_thread *t = list_first(&p->ready, struct pt_thread, ready_link);
    list_del(&t->ready_link);
    *ev = t->event;
    ev->thread = &t->base;
    ev->owner = atomic_load(&t->base.owner);
    if (ev->kind == PLAT_DEATH)
        plat_hold_owner(&p->base, ev);
}

int pt_wait(struct platform *base, struct plat_event *ev) {
    struct pt_platform *p = pt_of(base);
    LOCKED(&p->lock);
    if (!pt_in_tracer(p))
        return -LINUX_EPERM;
    for (;;) {
        if (p->down)
            return -LINUX_ESHUTDOWN;
        serve_commands(p);
        collect(p);
        if (!list_empty(&p->ready)) {
            take_event(p, ev);
            return 0;
        }
        if (p->reap_due) {
            pt_reap(p);
            continue;
        }
        if (p->kicked) {
            p->kicked = false;
            break;
        }
        if (pt_refill(p))
            continue;
        if (!sleep_for_signal(p))
            break;
    }
    memset(ev, 0, sizeof(*ev));
    ev->kind = PLAT_NOTHING;
    return 0;
}

void pt_kick(struct platform *base) {
    struct pt_platform *p = pt_of(base);
    LOCKED(&p->lock);
    p->kicked = true;
    pt_wake(p);
}

void pt_shutdown(struct platform *base) {
    struct pt_platform *p = pt_of(base);
    LOCKED(&p->lock);
    p->down = true;
    pt_wake(p);
}
