// SPDX-License-Identifier: Apache-2.0
// The reaper: one thread that waits for the ends of host processes, so that no other has to look. The sentry
// is the parent of all stubs (CLONE_PARENT); they were made without SIGCHLD, so __WCLONE tells them from
// other children of the sentry. It also has the pool filled, since a process that ends has often made room
// for a new program. A process is reaped only when nothing of ours uses its number any more. Locks:
// platform->lock, then each thread's alone.
#include "abi/errno.h"
#include "base/log.h"
#include "platform/seccomp/sc.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

// The process that now stands for the memory: another of those that share it, or none.
static int successor(const struct sc_as *as) {
    struct sc_proc *other;
    list_for_each(other, &as->procs, as_link) {
        if (!other->dead && other->pid)
            return other->pid;
    }
    return 0;
}

static struct sc_proc *mark_dead(struct sc_platform *p, int pid, int *next) {
    struct sc_thread *leader = pid < SC_MAX_TID ? atomic_load(&p->tids[pid]) : NULL;
    LOCKED(&p->lock);
    struct sc_proc *found = leader ? leader->proc : NULL;
    if (found && found->pid != pid)
        found = NULL;
    if (found) {
        found->dead = true;
        found->as->holds++;
        *next = successor(found->as);
    }
    return found;
}

// A child that died before it checked in. Its number becomes known from its parent, before or after this.
static void child_unknown(struct sc_platform *p, int pid) {
    lock_take(&p->lock);
    p->lost[p->nlost++ % SC_LOST] = pid;
    lock_drop(&p->lock);
    atomic_store(&p->unsettled, true);
    sc_settle_children(p);
}

static struct sc_thread *next_thread(struct sc_platform *p, struct sc_proc *proc) {
    LOCKED(&p->lock);
    if (list_empty(&proc->threads))
        return NULL;
    struct sc_thread *t = list_first(&proc->threads, struct sc_thread, proc_link);
    list_del(&t->proc_link);
    return t;
}

static void process_died(struct sc_platform *p, int pid, int cause) {
    struct sc_thread *t;
    int next = 0;
    struct sc_proc *proc = mark_dead(p, pid, &next);
    if (!proc) {
        child_unknown(p, pid);
        return;
    }
    struct sc_as *as = proc->as;
    if (atomic_load(&as->base.pid) == pid)
        plat_as_set_pid(&as->base, next);
    while ((t = next_thread(p, proc)))
        sc_thread_lost(t, proc, cause);
    sc_settle_children(p);
    lock_take(&p->lock);
    sc_proc_drop(proc);
    sc_as_drop(as);
    lock_drop(&p->lock);
}

// One end. 0, or -LINUX_ECHILD when there are no stubs.
static int reap_one(struct sc_platform *p) {
    siginfo_t si;
    si.si_pid = 0;
    if (waitid(P_ALL, 0, &si, WEXITED | WNOWAIT | __WCLONE))
        return -errno;
    process_died(p, si.si_pid, si.si_code == CLD_EXITED ? 0 : si.si_status);
    waitid(P_PID, (id_t)si.si_pid, &si, WEXITED | __WCLONE);
    return 0;
}

// Also children of which nobody has told us, and which make no call: they cannot leave the zygote's process
// group. (Its number is the zygote's while that has not been reaped.) Whoever gives the zygote an order has
// seen `closing`, or is through when its lock is ours.
void sc_kill_all(struct sc_platform *p) {
    struct sc_proc *proc;
    atomic_store(&p->closing, true);
    if (p->first) {
        lock_nested(&p->first->lock);
        lock_drop(&p->first->lock);
    }
    lock_nested(&p->lock);
    if (p->zygote && p->zygote->proc && p->zygote->proc->pid)
        kill(-p->zygote->proc->pid, SIGKILL);
    list_for_each(proc, &p->procs, all_link) {
        sc_proc_kill(proc);
    }
    lock_drop(&p->lock);
}

void sc_reap_all(struct sc_platform *p) {
    int err;
    do
        err = reap_one(p);
    while (err == 0 || err == -LINUX_EINTR);
}

static void *reaper_main(void *arg) {
    struct sc_platform *p = arg;
    for (;;) {
        int err = reap_one(p);
        if (err == -LINUX_ECHILD)
            return NULL;  // the zygote is gone too
        if (!err && !atomic_load(&p->closing))
            sc_pool_fill(p);
    }
}

// Created by the first waiter: before, there may be no second thread (plat_open), and nobody to tell.
void sc_reaper_start(struct sc_platform *p) {
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&p->reaper, NULL, reaper_main, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err)
        panic("no thread to wait for stubs: error %d", err);
}
