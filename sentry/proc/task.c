// SPDX-License-Identifier: Apache-2.0
// Tasks and thread groups as objects: allocation, numbers, look-up, and what ends with the last reference.
#include "abi/prctl.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "sentry/fd/fdtable.h"
#include "sentry/mm/mm.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/task_impl.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/impl.h"
#include "sentry/run/park.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/signal/signal.h"
#include "sentry/time/posix_timers.h"
#include <stdlib.h>

struct task *task_alloc(struct kernel *k, struct tgroup *g) {
    struct task *t = znew(struct task);
    if (!t)
        return NULL;
    t->pending = sigqueue_new();
    if (!t->pending) {
        free(t);
        return NULL;
    }
    ref_init(&t->refs, 1);
    lock_init(&t->thread_lock, RANK_READY);
    list_init(&t->tg_link);
    list_init(&t->ready_link);
    list_init(&t->tracees);
    t->k = k;
    park_init(t);
    t->tg = tgroup_get(g);
    t->tid = -1;
    atomic_init(&t->state, TASK_NEW);
    return t;
}

struct task *task_get(struct task *t) {
    ref_get(&t->refs);
    return t;
}

void task_set_files(struct task *t, struct fdtable *files) {
    struct fdtable *old;
    {
        LOCKED(&t->k->tasks_lock);
        old = t->files;
        t->files = files;
    }
    if (old)
        fdtable_put(old);
}

static void drop_filters(struct task *t) {
    struct seccomp_filter *old;
    {
        LOCKED(&t->k->tasks_lock);
        old = atomic_exchange(&t->seccomp, NULL);
    }
    seccomp_put(old);
}

void task_drop_parts(struct task *t) {
    if (atomic_load(&t->seccomp))
        drop_filters(t);
    if (t->files)
        task_set_files(t, NULL);
    if (t->fs)
        task_set_fs(t, NULL);
    if (t->mm) {
        struct mm *mm;
        {
            LOCKED(&t->k->tasks_lock);
            mm = take_ptr(t->mm);
        }
        mm_unuse(mm);
        mm_put(mm);
    }
}

void task_put(struct task *t) {
    if (!ref_put(&t->refs))
        return;
    ktimer_cancel_sync(&t->call_timer);
    task_drop_parts(t);
    cred_put(t->cred);
    nsproxy_put(t->nsproxy);
    keys_task_gone(t);
    sigqueue_free(t->pending);
    free(t->ptrace);
    tgroup_put(t->tg);
    lock_destroy(&t->thread_lock);
    free(t);
}

struct tgroup *tgroup_alloc(struct kernel *k, struct pid_ns *ns) {
    struct tgroup *g = znew(struct tgroup);
    if (!g)
        return NULL;
    g->shared_pending = sigqueue_new();
    if (!g->shared_pending) {
        free(g);
        return NULL;
    }
    ref_init(&g->refs, 1);
    g->k = k;
    g->pid = -1;
    g->pid_ns = ns;
    ns_get(&ns->ns);
    list_init(&g->tasks);
    list_init(&g->children);
    list_init(&g->sibling);
    list_init(&g->pgrp_link);
    list_init(&g->posix_timers);
    lock_init(&g->sig_lock, RANK_SIGNAL);
    waitq_init(&g->child_wait);
    waitq_init(&g->exit_wait);
    g->start_ns = kernel_uptime_ns();
    g->coredump_filter = LINUX_COREDUMP_FILTER_DEFAULT;
    g->mce_kill = LINUX_PR_MCE_KILL_DEFAULT;
    tgroup_timers_init(g);
    cpu_timers_init(g);
    return g;
}

struct tgroup *tgroup_get(struct tgroup *g) {
    ref_get(&g->refs);
    return g;
}

void tgroup_put(struct tgroup *g) {
    if (!ref_put(&g->refs))
        return;
    keys_process_gone(g);
    cgroup_put(g->cgroup.in);
    tgroup_timers_free(g);
    cpu_timers_free(g);
    if (g->sighand)
        sighand_put(g->sighand);
    sigqueue_free(g->shared_pending);
    waitq_destroy(&g->child_wait);
    waitq_destroy(&g->exit_wait);
    lock_destroy(&g->sig_lock);
    ns_put(&g->pid_ns->ns);
    free(g);
}

bool pid_take(struct kernel *k, int32_t pid) {
    if (k->pids[pid] || k->tgs[pid] || pid_names_group(k, pid))
        return false;
    k->pid_end = pid < k->pid_end ? k->pid_end : pid + 1;
    k->pid_uses[pid]++;
    return true;
}

int32_t pid_reserve(struct kernel *k) {
    for (int32_t i = 1; i < PID_MAX; i++) {
        int32_t pid = k->last_pid + i;
        if (pid >= PID_MAX)
            pid = pid - PID_MAX + 2;  // numbers below 2 are the init's
        // A number that still names a group or a session must not come back.
        if (!pid_take(k, pid))
            continue;
        k->last_pid = pid;
        return pid;
    }
    return -LINUX_EAGAIN;
}

void task_publish(struct task *t, int32_t tid) {
    struct kernel *k = t->k;
    t->tid = tid;
    k->pids[tid] = t;
    LOCKED(&t->tg->sig_lock);
    list_add_tail(&t->tg->tasks, &t->tg_link);
    if (atomic_load(&t->tg->exiting))
        atomic_store(&t->killed, true);  // the end of the group was on its way before the list had us
    if (atomic_load(&t->tg->exiting) || t->tg->stop.on)
        atomic_store(&t->sigpending, true);
    atomic_fetch_add(&t->tg->nalive, 1);
    cgroup_count(t->tg, 1);
    k->ntasks++;
}

void task_unpublish(struct task *t) {
    struct kernel *k = t->k;
    if (k->pids[t->tid] == t)
        k->pids[t->tid] = NULL;
    if (t->tid != t->tg->pid)
        pid_settle(k, t->tid);
    LOCKED(&t->tg->sig_lock);
    signal_forget(t);
    list_del(&t->tg_link);
    atomic_fetch_sub(&t->tg->nalive, 1);
    if (t != t->tg->leader)  // which counts until it is reaped
        cgroup_count(t->tg, -1);
    k->ntasks--;
}

struct task *task_find(struct task *by, int32_t tid) {
    struct kernel *k = by->k;
    LOCKED(&k->tasks_lock);
    struct task *found = k->pids[pid_in(by->tg->pid_ns, tid)];
    return found && tid > 0 ? task_get(found) : NULL;
}

struct tgroup *tgroup_find(struct task *by, int32_t pid) {
    struct kernel *k = by->k;
    LOCKED(&k->tasks_lock);
    struct tgroup *found = k->tgs[pid_in(by->tg->pid_ns, pid)];
    return found && pid > 0 ? tgroup_get(found) : NULL;
}

int32_t tgroup_ppid(struct tgroup *g) {
    LOCKED(&g->k->tasks_lock);
    return g->parent ? pid_out(g->pid_ns, g->parent->pid) : 0;
}

uint64_t task_rlimit(struct task *t, int which) {
    LOCKED(&t->tg->sig_lock);
    return t->tg->rlimits[which].rlim_cur;
}

struct plat_thread *task_swap_thread(struct task *t, struct plat_thread *next) {
    LOCKED(&t->thread_lock);
    struct plat_thread *old = t->thread;
    t->thread = next;
    if (next)
        plat_set_owner(next, t);
    return old;
}

int tgroup_host_pid(struct tgroup *g) {
    LOCKED(&g->sig_lock);
    struct task *t = list_empty(&g->tasks) ? NULL : list_first(&g->tasks, struct task, tg_link);
    if (!t)
        return 0;
    LOCKED(&t->thread_lock);
    return t->thread ? plat_host_pid(t->thread) : 0;
}
