// SPDX-License-Identifier: Apache-2.0
// A process as numbers: stat, status, limits.
// LIMIT: faults and context switches are zero; memory as in memory.c.
#include "abi/signal.h"
#include "abi/time.h"
#include "base/clock.h"
#include "fs/tty/ctty.h"
#include "platform/platform.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/pgroup.h"
#include "sentry/procfs/impl.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/signal/queue.h"
#include "sentry/signal/signal.h"
#include "sentry/run/run.h"
#include "sentry/time/time_ns.h"
#include <string.h>

// All that the files show, read in one hold of the locks.
struct snapshot {
    char comm[16], state;
    int32_t pid, tgid, ppid, tracer, pgrp, sid, tty_pgrp;
    int32_t levels[4][PID_NS_LEVELS + 1];  // tgid, pid, pgrp, sid
    unsigned nlevels[4];
    uint64_t tty;  // the device of its controlling terminal
    unsigned nthreads, exit_signal;
    int nice, prio, policy, exit_code;
    uint64_t cpu_ns, sys_ns, start_ns, children_ns, children_sys_ns;
    struct cred *cred;  // owned
    bool has_umask;  // a zombie has none
    uint32_t umask;
    unsigned fds;
    uint64_t pending, shared, blocked, ignored, caught, nqueued, sig_limit, cpu_mask;
    uint64_t rss_limit;
    uint64_t total, data, locked, brk_start, brk, stack_top, arg_start, arg_end, env_start, env_end;
    bool has_mm, no_new_privs;
    int seccomp_mode;
    unsigned seccomp_filters;
};

// tasks_lock is held.
static char state_of(struct task *t) {
    if (t->tg->state != TG_ALIVE)
        return 'Z';
    if (t->tg == t->k->init)
        return 'S';
    if (ptrace_on(t) && ptrace_stopped(t) && atomic_load(&t->state) != TASK_DEAD)
        return 't';
    switch (atomic_load(&t->state)) {
    case TASK_PARKED:
        return 'S';
    case TASK_STOPPED:
        return 'T';
    case TASK_DEAD:
        return 'Z';
    default:
        return 'R';
    }
}

// tasks_lock is held.
static void take_signals(struct snapshot *s, struct task *t) {
    struct tgroup *g = t->tg;
    LOCKED(&g->sig_lock);
    s->pending = t->pending->set;
    s->shared = g->shared_pending->set;
    s->blocked = t->blocked;
    s->nqueued = t->pending->n + g->shared_pending->n;
    s->sig_limit = g->rlimits[LINUX_RLIMIT_SIGPENDING].rlim_cur;
    s->rss_limit = g->rlimits[LINUX_RLIMIT_RSS].rlim_cur;
    if (!g->sighand)
        return;
    LOCKED(&g->sighand->lock);
    for (int sig = 1; sig <= LINUX_NSIG; sig++) {
        uint64_t h = g->sighand->action[sig - 1].sa_handler;
        if (h == LINUX_SIG_IGN)
            s->ignored |= SIGBIT(sig);
        else if (h != LINUX_SIG_DFL)
            s->caught |= SIGBIT(sig);
    }
}

static void take_task(struct snapshot *s, struct task *t, const struct proc_node *n) {
    struct tgroup *g = t->tg;
    LOCKED(&g->k->tasks_lock);
    memcpy(s->comm, t->comm, sizeof s->comm);
    s->comm[15] = '\0';
    s->state = state_of(t);
    s->pid = pid_out(n->ns, t->tid);
    s->tgid = pid_out(n->ns, g->pid);
    s->ppid = g->parent ? pid_out(n->ns, g->parent->pid) : 0;
    s->tracer = t->ptrace && t->ptrace->tracer ? pid_out(n->ns, t->ptrace->tracer->tid) : 0;
    if (g->pgrp) {
        s->pgrp = pid_out(n->ns, g->pgrp->pgid);
        s->sid = pid_out(n->ns, g->pgrp->session->sid);
        const struct ctty *c = g->pgrp->session->tty;
        s->tty = c ? c->dev : 0;
        s->tty_pgrp = c ? pid_out(n->ns, c->pgrp) : -1;
    }
    const int32_t all[4] = {g->pid, t->tid, g->pgrp ? g->pgrp->pgid : 0, g->pgrp ? g->pgrp->session->sid : 0};
    for (int i = 0; i < 4; i++)
        s->nlevels[i] = pid_levels(n->ns, all[i], s->levels[i]);
    s->nthreads = atomic_load(&g->nalive);
    s->exit_signal = (unsigned)g->exit_signal;
    s->exit_code = g->state == TG_ZOMBIE ? g->group_exit_code : 0;
    s->nice = t->nice;
    s->policy = t->sched_policy;
    s->prio = t->sched_prio;
    s->cpu_mask = t->cpu_mask;
    s->start_ns = task_current ? task_time_out(task_current, LINUX_CLOCK_BOOTTIME, g->start_ns) : g->start_ns;
    s->children_ns = g->cpu_ns_children;
    s->children_sys_ns = g->sys_ns_children;
    s->sys_ns = atomic_load(&g->sys_ns);
    s->cpu_ns = g->cpu_ns_dead;
    s->cred = cred_get(t->cred);
    s->no_new_privs = task_no_new_privs(t);
    s->seccomp_mode = atomic_load(&t->seccomp_mode);
    s->seccomp_filters = seccomp_depth(atomic_load(&t->seccomp));
    if (t->fs) {
        LOCKED(&t->fs->lock);
        s->has_umask = true;
        s->umask = t->fs->umask;
    }
    if (t->files)
        s->fds = __atomic_load_n(&t->files->size, __ATOMIC_RELAXED);
    take_signals(s, t);
    LOCKED(&t->thread_lock);
    if (t->thread)
        s->cpu_ns += plat_cpu_ns(t->thread);
}

static void take_memory(struct snapshot *s, const struct proc_node *n) {
    struct mm *mm = proc_mm(n);
    if (!mm)
        return;
    {
        LOCKED(&mm->lock);
        s->has_mm = true;
        s->total = mm->total;
        s->data = mm->data;
        s->locked = mm->locked;
        s->brk_start = mm->brk_start;
        s->brk = mm->brk;
        s->stack_top = mm->stack_top;
        s->arg_start = mm->arg_start;
        s->arg_end = mm->arg_end;
        s->env_start = mm->env_start;
        s->env_end = mm->env_end;
    }
    mm_put(mm);
}

static int take(struct snapshot *s, const struct proc_node *n) {
    *s = (struct snapshot){.tty_pgrp = -1};
    struct task *t = proc_task(n);
    if (!t)
        return -LINUX_ESRCH;
    take_task(s, t, n);
    take_memory(s, n);
    task_put(t);
    return 0;
}

// ---- stat -------------------------------------------------------------------------------------------------
static unsigned long long ticks(uint64_t ns) { return ns / (NS_PER_SEC / LINUX_USER_HZ); }

// A device number as the kernel shows it in 32 bits: new_encode_dev().
static int shown_dev(uint64_t dev) {
    uint32_t major = (uint32_t)LINUX_MAJOR(dev), minor = (uint32_t)LINUX_MINOR(dev);
    return (int)((minor & 0xff) | major << 8 | (minor & ~0xffu) << 12);
}

int proc_show_stat(struct proc_text *x, const struct proc_node *n) {
    struct snapshot s;
    int err = take(&s, n);
    if (err < 0)
        return err;
    // Where things lie is for those who may trace the process, as on Linux.
    bool trusted = proc_may_trace(n);
    uint64_t zero = trusted ? ~0ull : 0;
    proc_printf(x, "%d (%s) %c %d %d %d %d %d 0 0 0 0 0 ", s.pid, s.comm, s.state, s.ppid, s.pgrp, s.sid,
                shown_dev(s.tty), s.tty_pgrp);
    proc_printf(x, "%llu %llu %llu %llu ", ticks(s.cpu_ns), ticks(s.sys_ns), ticks(s.children_ns),
                ticks(s.children_sys_ns));
    proc_printf(x, "%d %d %u 0 %llu %llu %llu %llu ", s.policy ? -1 - s.prio : 20 + s.nice, s.nice,
                s.nthreads ? s.nthreads : 1, ticks(s.start_ns), (unsigned long long)s.total,
                (unsigned long long)s.data / GUEST_PAGE_SIZE, (unsigned long long)s.rss_limit);
    proc_printf(x, "%d %d %llu 0 0 %llu %llu %llu %llu %d 0 0 %d %d %d %d 0 0 0 ", s.has_mm, s.has_mm,
                (unsigned long long)(s.stack_top & zero), (unsigned long long)s.pending & 0x7fffffff,
                (unsigned long long)s.blocked & 0x7fffffff, (unsigned long long)s.ignored & 0x7fffffff,
                (unsigned long long)s.caught & 0x7fffffff, 0, (int)s.exit_signal,
                __builtin_ctzll(s.cpu_mask ? s.cpu_mask : the_kernel->cpus), s.prio, s.policy);
    proc_printf(x, "0 0 %llu %llu %llu %llu %llu %d\n", (unsigned long long)(s.brk_start & zero),
                (unsigned long long)(s.arg_start & zero), (unsigned long long)(s.arg_end & zero),
                (unsigned long long)(s.env_start & zero), (unsigned long long)(s.env_end & zero),
                trusted ? s.exit_code : 0);
    cred_put(s.cred);
    return 0;
}

// ---- status -----------------------------------------------------------------------------------------------
static const char *state_name(char state) {
    switch (state) {
    case 'R':
        return "running";
    case 'S':
        return "sleeping";
    case 'T':
        return "stopped";
    case 't':
        return "tracing stop";
    default:
        return "zombie";
    }
}

static void put_ids(struct proc_text *x, const struct cred *c) {
    const uint32_t uids[] = {c->uid, c->euid, c->suid, c->fsuid},
                   gids[] = {c->gid, c->egid, c->sgid, c->fsgid};
    proc_printf(x, "Uid:");
    for (int i = 0; i < 4; i++)
        proc_printf(x, "\t%u", idmap_shown(proc_reader_uids(), uids[i]));
    proc_printf(x, "\nGid:");
    for (int i = 0; i < 4; i++)
        proc_printf(x, "\t%u", idmap_shown(proc_reader_gids(), gids[i]));
    proc_printf(x, "\n");
}

static void put_memory(struct proc_text *x, const struct snapshot *s) {
    const struct {
        const char *name;
        uint64_t bytes;
    } rows[] = {{"VmPeak", s->total}, {"VmSize", s->total},    {"VmLck", s->locked}, {"VmPin", 0},
                {"VmHWM", s->data},   {"VmRSS", s->data},      {"RssAnon", s->data}, {"RssFile", 0},
                {"RssShmem", 0},      {"VmData", s->data},     {"VmStk", 136 * 1024}, {"VmExe", 4096},
                {"VmLib", 0},         {"VmPTE", 64 * 1024}, {"VmSwap", 0},        {"HugetlbPages", 0}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        proc_printf(x, "%s:\t%8llu kB\n", rows[i].name, (unsigned long long)rows[i].bytes / 1024);
    proc_printf(x, "CoreDumping:\t0\nTHP_enabled:\t0\n");
}

static void put_signals(struct proc_text *x, const struct snapshot *s) {
    const struct {
        const char *name;
        uint64_t set;
    } rows[] = {{"SigPnd", s->pending}, {"ShdPnd", s->shared}, {"SigBlk", s->blocked}, {"SigIgn", s->ignored},
                {"SigCgt", s->caught}};
    proc_printf(x, "Threads:\t%u\nSigQ:\t%llu/%llu\n", s->nthreads ? s->nthreads : 1,
                (unsigned long long)s->nqueued, (unsigned long long)s->sig_limit);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        proc_printf(x, "%s:\t%016llx\n", rows[i].name, (unsigned long long)rows[i].set);
}

static void put_caps(struct proc_text *x, const struct snapshot *s) {
    const struct cred *c = s->cred;
    proc_printf(x,
                "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\nCapAmb:\t%016llx\n",
                (unsigned long long)c->cap_inheritable, (unsigned long long)c->cap_permitted,
                (unsigned long long)c->cap_effective, (unsigned long long)c->cap_bounding,
                (unsigned long long)c->cap_ambient);
    proc_printf(x, "NoNewPrivs:\t%d\nSeccomp:\t%d\nSeccomp_filters:\t%u\n", s->no_new_privs, s->seccomp_mode,
                s->seccomp_filters);
    proc_printf(x, "Speculation_Store_Bypass:\tunknown\nSpeculationIndirectBranch:\tunknown\n");
}

static void put_cpus(struct proc_text *x, uint64_t mask) {
    const unsigned n = 64;
    mask = mask ? mask : the_kernel->cpus;
    proc_printf(x, "Cpus_allowed:\t%llx\nCpus_allowed_list:\t", (unsigned long long)mask);
    const char *comma = "";
    for (unsigned i = 0; i < n; i++) {
        if (!(mask >> i & 1))
            continue;
        unsigned from = i;
        while (i + 1 < n && (mask >> (i + 1) & 1))
            i++;
        proc_printf(x, from == i ? "%s%u" : "%s%u-%u", comma, from, i);
        comma = ",";
    }
    proc_printf(x, "\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
}

// In the namespace of the file system, and in each below it.
static void put_levels(struct proc_text *x, const struct snapshot *s) {
    static const char *const names[] = {"NStgid", "NSpid", "NSpgid", "NSsid"};
    for (int i = 0; i < 4; i++) {
        proc_printf(x, "%s:", names[i]);
        for (unsigned l = 0; l < s->nlevels[i]; l++)
            proc_printf(x, "\t%d", s->levels[i][l]);
        proc_printf(x, "\n");
    }
}

int proc_show_status(struct proc_text *x, const struct proc_node *n) {
    struct snapshot s;
    int err = take(&s, n);
    if (err < 0)
        return err;
    proc_put(x, "Name:\t", 6);
    proc_put_path(x, s.comm, "\n\\");
    if (s.has_umask)
        proc_printf(x, "\nUmask:\t%04o", s.umask);
    proc_printf(x, "\nState:\t%c (%s)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n", s.state,
                state_name(s.state), s.tgid, s.pid, s.ppid, s.tracer);
    put_ids(x, s.cred);
    proc_printf(x, "FDSize:\t%u\nGroups:\t", s.fds);
    for (unsigned i = 0; i < s.cred->ngroups; i++)
        proc_printf(x, i ? " %u" : "%u", idmap_shown(proc_reader_gids(), s.cred->groups[i]));
    proc_printf(x, " \n");
    put_levels(x, &s);
    if (s.has_mm)
        put_memory(x, &s);
    put_signals(x, &s);
    put_caps(x, &s);
    put_cpus(x, s.cpu_mask);
    proc_printf(x, "voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n");
    cred_put(s.cred);
    return 0;
}

// ---- limits -----------------------------------------------------------------------------------------------
static void put_limit(struct proc_text *x, uint64_t v) {
    if (v == LINUX_RLIM_INFINITY)
        proc_printf(x, "%-20s ", "unlimited");
    else
        proc_printf(x, "%-20llu ", (unsigned long long)v);
}

int proc_show_limits(struct proc_text *x, const struct proc_node *n) {
    static const struct {
        const char *name, *unit;
    } rows[LINUX_RLIM_NLIMITS] = {
        [LINUX_RLIMIT_CPU] = {"Max cpu time", "seconds"},
        [LINUX_RLIMIT_FSIZE] = {"Max file size", "bytes"},
        [LINUX_RLIMIT_DATA] = {"Max data size", "bytes"},
        [LINUX_RLIMIT_STACK] = {"Max stack size", "bytes"},
        [LINUX_RLIMIT_CORE] = {"Max core file size", "bytes"},
        [LINUX_RLIMIT_RSS] = {"Max resident set", "bytes"},
        [LINUX_RLIMIT_NPROC] = {"Max processes", "processes"},
        [LINUX_RLIMIT_NOFILE] = {"Max open files", "files"},
        [LINUX_RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},
        [LINUX_RLIMIT_AS] = {"Max address space", "bytes"},
        [LINUX_RLIMIT_LOCKS] = {"Max file locks", "locks"},
        [LINUX_RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
        [LINUX_RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"},
        [LINUX_RLIMIT_NICE] = {"Max nice priority", ""},
        [LINUX_RLIMIT_RTPRIO] = {"Max realtime priority", ""},
        [LINUX_RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
    };
    if (!proc_alive(n))
        return -LINUX_ESRCH;
    proc_printf(x, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    LOCKED(&n->g->sig_lock);
    for (int i = 0; i < LINUX_RLIM_NLIMITS; i++) {
        proc_printf(x, "%-25s ", rows[i].name);
        put_limit(x, n->g->rlimits[i].rlim_cur);
        put_limit(x, n->g->rlimits[i].rlim_max);
        proc_printf(x, "%-10s\n", rows[i].unit);
    }
    return 0;
}
