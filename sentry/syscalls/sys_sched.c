// SPDX-License-Identifier: Apache-2.0
// Scheduling: sched_* calls, getpriority setpriority, getcpu, ioprio_*. The host schedules stubs as it likes:
// priorities and policies are kept and shown, and have no effect. LIMIT: nice values and affinity masks
// inside are not enforced.
#include "abi/caps.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/user_ns.h"
#include "sentry/syscalls/table.h"
#include <string.h>

int64_t sys_sched_yield(struct task *t, const struct sysargs *a) { return 0; }

static uint64_t task_cpus(const struct task *t) {
    uint64_t mask = t->cpu_mask;
    return mask ? mask : t->k->cpus;
}

int64_t sys_getcpu(struct task *t, const struct sysargs *a) {
    // LIMIT: not where it runs, but one of those that sched_setaffinity(2) left. The vDSO, which libraries
    // ask first, tells where: the host's number, always one of those allowed at first, also when
    // sched_setaffinity(2) has left it out.
    uint32_t cpu = (uint32_t)__builtin_ctzll(task_cpus(t)), node = 0;
    if (copy_out_opt(t, arg_ptr(a, 0), &cpu) < 0)
        return -LINUX_EFAULT;
    return copy_out_opt(t, arg_ptr(a, 1), &node) < 0 ? -LINUX_EFAULT : 0;
}

// Runs fn on the task that `tid` names (0: the caller) or answers ESRCH.
static struct task *named(struct task *t, int32_t tid) { return tid == 0 ? task_get(t) : task_find(t, tid); }

static bool may_schedule(struct task *t, const struct task *o) {
    LOCKED(&t->k->tasks_lock);
    return o->cred->uid == t->cred->euid || o->cred->euid == t->cred->euid ||
           task_ns_capable(t, o->cred->user, LINUX_CAP_SYS_NICE);
}

enum { PRIO_RT_MIN = 1, PRIO_RT_MAX = 99, NICE_MIN = -20, NICE_MAX = 19 };
#define CPU_WORDS 16  // 1,024 CPUs, as a kernel of distributions has

int64_t sys_sched_getaffinity(struct task *t, const struct sysargs *a) {
    uint64_t len = arg_u32(a, 1), mask[CPU_WORDS] = {0};
    if (len % 8 || (uint32_t)len * 8 < t->k->ncpus)  // in 32 bits, as Linux counts them
        return -LINUX_EINVAL;
    struct task *other = named(t, arg_int(a, 0));
    if (!other)
        return -LINUX_ESRCH;
    mask[0] = task_cpus(other);
    task_put(other);
    if (len > sizeof mask)
        len = sizeof mask;
    return copy_out(t, arg_ptr(a, 2), mask, len) < 0 ? -LINUX_EFAULT : (int64_t)len;
}

int64_t sys_sched_setaffinity(struct task *t, const struct sysargs *a) {
    uint64_t mask = 0, len = arg_u32(a, 1) < 8 ? arg_u32(a, 1) : 8;
    if (copy_in(t, &mask, arg_ptr(a, 2), len) < 0)
        return -LINUX_EFAULT;
    struct task *other = named(t, arg_int(a, 0));
    if (!other)
        return -LINUX_ESRCH;
    mask &= t->k->cpus;
    int64_t r = mask ? 0 : -LINUX_EINVAL;
    if (r == 0 && !may_schedule(t, other))
        r = -LINUX_EPERM;
    if (r == 0)
        other->cpu_mask = mask;
    task_put(other);
    return r;
}

// ---- Policies ---------------------------------------------------------------------------------------------
static bool policy_known(int policy) {
    return policy == LINUX_SCHED_OTHER || policy == LINUX_SCHED_FIFO || policy == LINUX_SCHED_RR ||
           policy == LINUX_SCHED_BATCH || policy == LINUX_SCHED_IDLE || policy == LINUX_SCHED_DEADLINE;
}
static bool policy_rt(int policy) { return policy == LINUX_SCHED_FIFO || policy == LINUX_SCHED_RR; }

// The real-time policies have priorities, the others 0 alone.
static int64_t priority_bound(int policy, int of_rt) {
    if (policy_rt(policy))
        return of_rt;
    return policy_known(policy) ? 0 : -LINUX_EINVAL;
}
int64_t sys_sched_get_priority_max(struct task *t, const struct sysargs *a) {
    return priority_bound(arg_int(a, 0), PRIO_RT_MAX);
}
int64_t sys_sched_get_priority_min(struct task *t, const struct sysargs *a) {
    return priority_bound(arg_int(a, 0), PRIO_RT_MIN);
}

static bool priority_fits(int policy, int prio) {
    return policy_rt(policy) ? prio >= PRIO_RT_MIN && prio <= PRIO_RT_MAX : prio == 0;
}

// SCHED_DEADLINE, sched(7): within each period, `runtime` until `deadline`; ns.
struct deadline {
    uint64_t runtime, deadline, period;
};
#define DL_RUNTIME_MIN 1024u
#define DL_PERIOD_MIN  100000u  // fs.sched_deadline_period_min_us and _max_us, as they are at first
#define DL_PERIOD_MAX  (UINT64_C(1000) << 22)

static bool deadline_fits(struct deadline *d) {
    d->period = d->period ? d->period : d->deadline;
    return d->runtime >= DL_RUNTIME_MIN && d->runtime <= d->deadline && d->deadline <= d->period &&
           d->period >= DL_PERIOD_MIN && d->period <= DL_PERIOD_MAX;
}

// LIMIT: SCHED_DEADLINE is never refused for want of time (EBUSY), as nothing is set aside.
static int64_t set_policy(struct task *t, int32_t tid, int policy, int prio, bool reset, struct deadline dl) {
    bool urgent = policy_rt(policy) || policy == LINUX_SCHED_DEADLINE;
    if (tid < 0)
        return -LINUX_EINVAL;
    struct task *other = named(t, tid);
    if (!other)
        return -LINUX_ESRCH;
    int64_t r = 0;
    if (!policy_known(policy) || !priority_fits(policy, prio) ||
        (policy == LINUX_SCHED_DEADLINE && !deadline_fits(&dl))) {
        r = -LINUX_EINVAL;
    } else if (!may_schedule(t, other) ||
               ((urgent || (other->sched_reset && !reset)) && !task_capable(t, LINUX_CAP_SYS_NICE))) {
        r = -LINUX_EPERM;
    } else {
        LOCKED(&t->k->tasks_lock);
        other->sched_reset = reset;
        other->sched_policy = policy;
        other->sched_prio = prio;
        other->sched_dl.runtime = dl.runtime;
        other->sched_dl.deadline = dl.deadline;
        other->sched_dl.period = dl.period;
    }
    task_put(other);
    return r;
}

int64_t sys_sched_setscheduler(struct task *t, const struct sysargs *a) {
    struct linux_sched_param p;
    if (arg_int(a, 1) < 0 || arg_int(a, 0) < 0 || !arg_given(a, 2))
        return -LINUX_EINVAL;
    if (copy_in_obj(t, &p, arg_ptr(a, 2)) < 0)
        return -LINUX_EFAULT;
    return set_policy(t, arg_int(a, 0), arg_int(a, 1) & ~LINUX_SCHED_RESET_ON_FORK, p.sched_priority,
                      arg_int(a, 1) & LINUX_SCHED_RESET_ON_FORK, (struct deadline){0});
}

int64_t sys_sched_setparam(struct task *t, const struct sysargs *a) {
    struct linux_sched_param p;
    if (!arg_given(a, 1) || arg_int(a, 0) < 0)
        return -LINUX_EINVAL;
    if (copy_in_obj(t, &p, arg_ptr(a, 1)) < 0)
        return -LINUX_EFAULT;
    struct task *other = named(t, arg_int(a, 0));
    if (!other)
        return -LINUX_ESRCH;
    int policy = other->sched_policy;
    bool reset = other->sched_reset;
    task_put(other);
    return set_policy(t, arg_int(a, 0), policy, p.sched_priority, reset, (struct deadline){0});
}

int64_t sys_sched_getscheduler(struct task *t, const struct sysargs *a) {
    if (arg_int(a, 0) < 0)
        return -LINUX_EINVAL;
    struct task *other = named(t, arg_int(a, 0));
    if (!other)
        return -LINUX_ESRCH;
    int policy = other->sched_policy | (other->sched_reset ? LINUX_SCHED_RESET_ON_FORK : 0);
    task_put(other);
    return policy;
}

int64_t sys_sched_getparam(struct task *t, const struct sysargs *a) {
    if (!arg_given(a, 1) || arg_int(a, 0) < 0)
        return -LINUX_EINVAL;
    struct task *other = named(t, arg_int(a, 0));
    if (!other)
        return -LINUX_ESRCH;
    struct linux_sched_param p = {other->sched_prio};
    task_put(other);
    return copy_out_obj(t, arg_ptr(a, 1), &p);
}

static int64_t rr_slice(struct kernel *k) {
    int64_t ms = kernel_knob(k, KNOB_RR_TIMESLICE);
    return ms < 1000 ? ms * 1000000 : 999999999;
}
int64_t sys_sched_rr_get_interval(struct task *t, const struct sysargs *a) {
    if (arg_int(a, 0) < 0)
        return -LINUX_EINVAL;
    struct task *other = named(t, arg_int(a, 0));
    if (!other)
        return -LINUX_ESRCH;
    struct linux_timespec ts = {0, other->sched_policy == LINUX_SCHED_RR ? rr_slice(t->k) : 4000000};
    task_put(other);
    return copy_out_obj(t, arg_ptr(a, 1), &ts);
}

// ---- nice -------------------------------------------------------------------------------------------------
struct prio_walk {
    struct task *caller;
    int which;
    uint32_t id;
};

static bool prio_matches(const struct prio_walk *w, const struct task *o) {
    switch (w->which) {
    case LINUX_PRIO_PROCESS:
        return w->id ? (uint32_t)pid_out(w->caller->tg->pid_ns, o->tid) == w->id : o == w->caller;
    case LINUX_PRIO_PGRP:
        return o->tg->pgrp && (w->id ? (uint32_t)pid_out(w->caller->tg->pid_ns, o->tg->pgrp->pgid) == w->id
                                     : o->tg->pgrp == w->caller->tg->pgrp);
    default:
        return pid_out(w->caller->tg->pid_ns, o->tid) > 0 &&
               o->cred->uid == (w->id ? task_uid_in(w->caller, w->id) : w->caller->cred->uid);
    }
}

int64_t sys_getpriority(struct task *t, const struct sysargs *a) {
    struct prio_walk w = {t, arg_int(a, 0), arg_u32(a, 1)};
    if (w.which < LINUX_PRIO_PROCESS || w.which > LINUX_PRIO_USER)
        return -LINUX_EINVAL;
    LOCKED(&t->k->tasks_lock);
    int64_t best = -LINUX_ESRCH;
    for (int pid = 1; pid < t->k->pid_end; pid++) {
        const struct task *o = t->k->pids[pid];
        if (o && prio_matches(&w, o) && 20 - o->nice > best)
            best = 20 - o->nice;
    }
    return best;
}

static int64_t set_nice(struct task *t, int which, uint32_t who, int nice) {
    struct prio_walk w = {t, which, who};
    if (w.which < LINUX_PRIO_PROCESS || w.which > LINUX_PRIO_USER)
        return -LINUX_EINVAL;
    if (nice < NICE_MIN)
        nice = NICE_MIN;
    if (nice > NICE_MAX)
        nice = NICE_MAX;
    LOCKED(&t->k->tasks_lock);
    int64_t r = -LINUX_ESRCH;
    for (int pid = 1; pid < t->k->pid_end; pid++) {
        struct task *o = t->k->pids[pid];
        if (!o || !prio_matches(&w, o))
            continue;
        if (o->cred->uid != t->cred->euid && o->cred->euid != t->cred->euid &&
            !task_ns_capable(t, o->cred->user, LINUX_CAP_SYS_NICE))
            r = -LINUX_EPERM;
        else if (nice < o->nice && !task_capable(t, LINUX_CAP_SYS_NICE))
            r = -LINUX_EACCES;
        else {
            o->nice = nice;
            if (r == -LINUX_ESRCH)
                r = 0;
        }
    }
    return r;
}

int64_t sys_setpriority(struct task *t, const struct sysargs *a) {
    return set_nice(t, arg_int(a, 0), arg_u32(a, 1), arg_int(a, 2));
}

// sched_setattr(2): struct sched_attr; without the last line it is the first version.
struct attr_head {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
};
#define ATTR_FIRST offsetof(struct attr_head, util_min)

// What we do not know must be zero. 0, -LINUX_EFAULT or -LINUX_E2BIG.
static int copy_attr(struct task *t, struct attr_head *h, uaddr_t at) {
    char tail[256];
    *h = (struct attr_head){0};
    if (copy_in(t, &h->size, at, sizeof h->size) < 0)
        return -LINUX_EFAULT;
    uint32_t size = h->size ? h->size : (uint32_t)ATTR_FIRST;
    if (size < ATTR_FIRST || size > GUEST_PAGE_SIZE)
        return -LINUX_E2BIG;
    if (copy_in(t, h, at, size < sizeof *h ? size : sizeof *h) < 0)
        return -LINUX_EFAULT;
    for (uint32_t from = sizeof *h, n; from < size; from += n) {
        n = size - from < sizeof tail ? size - from : (uint32_t)sizeof tail;
        if (copy_in(t, tail, uaddr_add(at, from), n) < 0)
            return -LINUX_EFAULT;
        for (uint32_t i = 0; i < n; i++)
            if (tail[i])
                return -LINUX_E2BIG;
    }
    return 0;
}

int64_t sys_sched_setattr(struct task *t, const struct sysargs *a) {
    struct attr_head h;
    if (!arg_given(a, 1) || arg_u32(a, 2) || arg_int(a, 0) < 0)
        return -LINUX_EINVAL;
    const uint32_t known = sizeof h;
    int err = copy_attr(t, &h, arg_ptr(a, 1));
    if (err == -LINUX_E2BIG && copy_out_obj(t, arg_ptr(a, 1), &known) < 0)
        err = -LINUX_EFAULT;
    if (err)
        return err;
    if (h.flags & ~(uint64_t)LINUX_SCHED_FLAG_ALL)
        return -LINUX_EINVAL;
    int64_t r =
        set_policy(t, arg_int(a, 0), (int)h.policy, (int)h.priority, h.flags & LINUX_SCHED_FLAG_RESET_ON_FORK,
                   (struct deadline){h.runtime, h.deadline, h.period});
    if (r < 0 || policy_rt((int)h.policy) || h.policy == LINUX_SCHED_DEADLINE ||
        (h.flags & LINUX_SCHED_FLAG_KEEP_PARAMS))
        return r;
    r = set_nice(t, LINUX_PRIO_PROCESS, arg_u32(a, 0), h.nice);
    return r == -LINUX_EACCES ? -LINUX_EPERM : r;  // setpriority(2) alone says EACCES
}

int64_t sys_sched_getattr(struct task *t, const struct sysargs *a) {
    uint32_t size = arg_u32(a, 2);
    if (!arg_given(a, 1) || size < ATTR_FIRST || size > GUEST_PAGE_SIZE || arg_u32(a, 3) || arg_int(a, 0) < 0)
        return -LINUX_EINVAL;
    struct task *other = named(t, arg_int(a, 0));
    if (!other)
        return -LINUX_ESRCH;
    uint32_t n = size < sizeof(struct attr_head) ? size : (uint32_t)sizeof(struct attr_head);
    struct attr_head h = {.size = n,
                          .policy = (uint32_t)other->sched_policy,
                          .flags = other->sched_reset ? LINUX_SCHED_FLAG_RESET_ON_FORK : 0,
                          .nice = other->nice,
                          .priority = (uint32_t)other->sched_prio};
    {
        LOCKED(&t->k->tasks_lock);
        h.runtime = other->sched_dl.runtime;
        h.deadline = other->sched_dl.deadline;
        h.period = other->sched_dl.period;
    }
    task_put(other);
    return copy_out(t, arg_ptr(a, 1), &h, n);
}

// ---- I/O priority, ioprio_set(2) --------------------------------------------------------------------------
#define IOPRIO_CLASS(v) ((v) >> 13 & 7)
enum { IO_NONE, IO_REAL_TIME, IO_BEST_EFFORT, IO_IDLE };
enum { IO_WHO_PROCESS = 1, IO_WHO_PGRP, IO_WHO_USER };

// The tasks that (which, who) names, each given to fn; -LINUX_ESRCH when there are none, else the last
// result.
static int64_t io_each(struct task *t, const struct sysargs *a, int64_t (*fn)(struct task *o, int value),
                       int value) {
    int who = arg_int(a, 0);
    if (who < IO_WHO_PROCESS || who > IO_WHO_USER)
        return -LINUX_EINVAL;
    struct prio_walk w = {t, who - IO_WHO_PROCESS + LINUX_PRIO_PROCESS, arg_u32(a, 1)};
    LOCKED(&t->k->tasks_lock);
    int64_t r = -LINUX_ESRCH;
    for (int pid = 1; pid < t->k->pid_end; pid++) {
        struct task *o = t->k->pids[pid];
        if (o && prio_matches(&w, o))
            r = fn(o, value);
    }
    return r;
}

static int64_t io_get(struct task *o, int value) { return o->ioprio; }
static int64_t io_set(struct task *o, int value) {
    o->ioprio = value;
    return 0;
}

int64_t sys_ioprio_get(struct task *t, const struct sysargs *a) { return io_each(t, a, io_get, 0); }

int64_t sys_ioprio_set(struct task *t, const struct sysargs *a) {
    int value = arg_int(a, 2), class = IOPRIO_CLASS(value), data = value & 0x1fff;
    if (class < IO_NONE || class > IO_IDLE || (class == IO_NONE && data))
        return -LINUX_EINVAL;
    if (class == IO_REAL_TIME && !task_capable(t, LINUX_CAP_SYS_ADMIN) &&
        !task_capable(t, LINUX_CAP_SYS_NICE))
        return -LINUX_EPERM;
    return io_each(t, a, io_set, value);
}
