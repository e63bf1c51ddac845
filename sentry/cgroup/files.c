// SPDX-License-Identifier: Apache-2.0
// What the files of a group say and take, cgroup-v2.rst of Linux. The top's are the sandbox's.
// LIMIT: cpu.stat has all as user time; of memory.stat there are three lines.
#include "sentry/cgroup/files.h"
#include "sentry/cgroup/top.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/run/run.h"
#include <stdlib.h>
#include <string.h>

// ---- Values -----------------------------------------------------------------------------------------------
static void put_max(struct proc_text *x, uint64_t v) {
    if (v == CGROUP_NO_LIMIT)
        proc_printf(x, "max\n");
    else
        proc_printf(x, "%llu\n", (unsigned long long)v);
}
static void put(struct proc_text *x, uint64_t v) { proc_printf(x, "%llu\n", (unsigned long long)v); }
static int number(const char *text, uint64_t *out) {
    char *end;
    if (*text < '0' || *text > '9')
        return -LINUX_EINVAL;
    *out = strtoull(text, &end, 10);
    return *end ? -LINUX_EINVAL : 0;
}
static int number_or_max(const char *text, uint64_t *out) {
    if (strcmp(text, "max"))
        return number(text, out);
    *out = CGROUP_NO_LIMIT;
    return 0;
}

// ---- Processes --------------------------------------------------------------------------------------------
// In a pod each container has a cgroup of its own as the top: that of who looks.
static bool is_readers(const struct tgroup *g) {
    return !task_current || g->member == task_current->tg->member;
}
static bool is_in(const struct tgroup *g, const struct cgroup *c) {
    return g->cgroup.in ? g->cgroup.in == c : c == g->k->cgroup && is_readers(g);
}
static const struct pid_ns *readers(const struct cgroup *g) {
    return task_current ? task_current->tg->pid_ns : g->k->pid_ns;
}
static void show_procs(struct proc_text *x, const struct cgroup *c) {
    for (int32_t pid = 1; pid < c->k->pid_end; pid++) {
        const struct tgroup *g = c->k->tgs[pid];
        if (g && g->state == TG_ALIVE && is_in(g, c))
            proc_printf(x, "%d\n", pid_out(readers(c), pid));
    }
}
static void show_threads(struct proc_text *x, const struct cgroup *c) {
    for (int32_t tid = 1; tid < c->k->pid_end; tid++) {
        const struct task *t = c->k->pids[tid];
        if (t && atomic_load(&t->state) != TASK_DEAD && is_in(t->tg, c))
            proc_printf(x, "%d\n", pid_out(readers(c), tid));
    }
}
static int move_process(struct task *t, struct cgroup *to, const char *text, struct cgroup **was) {
    uint64_t nr;
    int err = number(text, &nr);
    if (err || nr > INT32_MAX)
        return -LINUX_EINVAL;
    TASK_VFS_CTX(t, ctx);
    LOCKED(&t->k->tasks_lock);
    struct tgroup *g = nr ? t->k->tgs[pid_in(t->tg->pid_ns, (int32_t)nr)] : t->tg;
    if (!g || g->state != TG_ALIVE || !g->parent || g->member != t->tg->member)
        return -LINUX_ESRCH;
    struct cgroup *from = g->cgroup.in ? g->cgroup.in : t->k->cgroup;
    err = cgroup_may_move(t, &ctx.cred, from, to);
    err = err ? err : cgroup_may_hold(to);
    if (err || from == to)
        return err;
    cgroup_move(g, to, was);
    return 0;
}
static int store_procs(struct task *t, struct cgroup *g, char *text) {
    struct cgroup *was = NULL;
    int err = move_process(t, g, text, &was);
    cgroup_put(was);
    return err;
}
static int store_threads(struct task *t, struct cgroup *g, char *text) { return -LINUX_EOPNOTSUPP; }
static int store_kill(struct task *t, struct cgroup *g, char *text) {
    if (strcmp(text, "1"))
        return -LINUX_ERANGE;
    LOCKED(&g->k->tasks_lock);
    cgroup_kill_all(g);
    return 0;
}

// ---- The tree ---------------------------------------------------------------------------------------------
static const struct {
    const char *name;
    unsigned bit;
} controllers[] = {{"cpu", CGROUP_CPU}, {"pids", CGROUP_PIDS}};
static void put_controllers(struct proc_text *x, unsigned set) {
    const char *blank = "";
    for (size_t i = 0; i < sizeof controllers / sizeof *controllers; i++)
        if (set & controllers[i].bit) {
            proc_printf(x, "%s%s", blank, controllers[i].name);
            blank = " ";
        }
    proc_printf(x, "\n");
}
// The sandbox has more than its groups can have.
static void show_controllers(struct proc_text *x, const struct cgroup *g) {
    if (g->parent)
        put_controllers(x, cgroup_available(g));
    else
        proc_printf(x, "cpuset cpu memory pids\n");
}
static void show_subtree(struct proc_text *x, const struct cgroup *g) { put_controllers(x, g->enabled); }

static int parse_controllers(char *text, unsigned *on, unsigned *off) {
    char *save;
    for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        unsigned bit = 0;
        for (size_t i = 0; i < sizeof controllers / sizeof *controllers; i++)
            bit |= strcmp(w + 1, controllers[i].name) ? 0 : controllers[i].bit;
        if (!bit && (!strcmp(w + 1, "memory") || !strcmp(w + 1, "cpuset")))
            return -LINUX_EOPNOTSUPP;
        if (!bit || (*w != '+' && *w != '-'))
            return -LINUX_EINVAL;
        *on = *w == '+' ? *on | bit : *on & ~bit;
        *off = *w == '-' ? *off | bit : *off & ~bit;
    }
    return 0;
}
// What a child had set of it is forgotten.
static void reset_children(struct cgroup *g, unsigned off) {
    struct cgroup *c;
    list_for_each(c, &g->children, sibling)
        if ((off & CGROUP_PIDS) && cgroup_is_shown(c))
            c->pids_max = CGROUP_NO_LIMIT;
}
static int store_subtree(struct task *t, struct cgroup *g, char *text) {
    unsigned on = 0, off = 0;
    int err = parse_controllers(text, &on, &off);
    if (err)
        return err;
    LOCKED(&g->k->tasks_lock);
    const struct cgroup *c;
    if (g->dead)
        return -LINUX_ENODEV;
    if (on & ~cgroup_available(g))
        return -LINUX_ENOENT;
    list_for_each(c, &g->children, sibling)
        if (c->enabled & off)
            return -LINUX_EBUSY;
    if (on && g->parent && g->nprocs)
        return -LINUX_EBUSY;  // no processes between those that are limited
    g->enabled = (g->enabled | on) & ~off;
    reset_children(g, off);
    return 0;
}
static void show_events(struct proc_text *x, const struct cgroup *g) {
    proc_printf(x, "populated %d\nfrozen 0\n", !g->parent || g->populated);
}
static void show_stat(struct proc_text *x, const struct cgroup *top) {
    unsigned n = 0;
    const struct cgroup *g = top;
    for (;;) {
        if (!list_empty(&g->children)) {
            g = list_first(&g->children, struct cgroup, sibling);
            n += cgroup_is_shown(g);
            continue;
        }
        while (g != top && g->sibling.next == &g->parent->children)
            g = g->parent;
        if (g == top)
            break;
        g = list_first(&g->sibling, struct cgroup, sibling);
        n += cgroup_is_shown(g);
    }
    proc_printf(x, "nr_descendants %u\nnr_dying_descendants 0\n", n);
}
static void show_type(struct proc_text *x, const struct cgroup *g) { proc_printf(x, "domain\n"); }
static void show_no_max(struct proc_text *x, const struct cgroup *g) { proc_printf(x, "max\n"); }
static void show_depth(struct proc_text *x, const struct cgroup *g) {
    proc_printf(x, "%u\n", CGROUP_DEPTH_MAX - 1 - g->depth);
}
static void show_nothing(struct proc_text *x, const struct cgroup *g) {}

// ---- pids, cpu --------------------------------------------------------------------------------------------
static uint64_t top_tasks(const struct kernel *k) {
    uint64_t n = 0;
    for (int32_t pid = 1; pid < k->pid_end; pid++) {
        const struct tgroup *g = k->tgs[pid];
        if (g && is_readers(g))
            n += g->state == TG_ALIVE ? atomic_load(&g->nalive) : 1;
    }
    return n;
}
static void show_pids(struct proc_text *x, const struct cgroup *g) {
    put(x, g->parent ? g->ntasks : top_tasks(g->k));
}
static void show_pids_peak(struct proc_text *x, const struct cgroup *g) { put(x, g->peak); }
static void show_pids_max(struct proc_text *x, const struct cgroup *g) {
    put_max(x, g->parent ? g->pids_max : cgroup_top_pids());
}
static int store_pids_max(struct task *t, struct cgroup *g, char *text) {
    uint64_t v;
    int err = number_or_max(text, &v);
    if (err || (v != CGROUP_NO_LIMIT && v > INT32_MAX))
        return -LINUX_EINVAL;
    LOCKED(&g->k->tasks_lock);
    g->pids_max = v;
    return 0;
}
static void show_pids_events(struct proc_text *x, const struct cgroup *g) {
    proc_printf(x, "max %llu\n",
                (unsigned long long)(g->parent ? g->pids_refused : cgroup_top_refused_pids()));
}
// LIMIT: the system time of a group that was made inside is not counted.
static void show_cpu_stat(struct proc_text *x, const struct cgroup *g) {
    unsigned long long user = (g->parent ? cgroup_cpu_ns(g) : cgroup_top_cpu_ns(g)) / 1000;
    unsigned long long sys = g->parent ? 0 : cgroup_top_sys_ns(g) / 1000;
    proc_printf(x, "usage_usec %llu\nuser_usec %llu\nsystem_usec %llu\n", user + sys, user, sys);
    if (g->parent)
        proc_printf(x, "nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n");
}
static void show_cpu_max(struct proc_text *x, const struct cgroup *g) {
    uint64_t quota = g->parent ? g->cpu_quota : cgroup_top_quota();
    if (quota == CGROUP_NO_LIMIT)
        proc_printf(x, "max %llu\n", (unsigned long long)g->cpu_period);
    else
        proc_printf(x, "%llu %llu\n", (unsigned long long)quota, (unsigned long long)g->cpu_period);
}
static int store_cpu_max(struct task *t, struct cgroup *g, char *text) {
    char *second = strchr(text, ' ');
    uint64_t quota, period = g->cpu_period;
    if (second)
        *second++ = '\0';
    if (number_or_max(text, &quota) || (second && number(second, &period)))
        return -LINUX_EINVAL;
    if (period < 1000 || period > 1000000 || quota < 1000)
        return -LINUX_EINVAL;
    LOCKED(&g->k->tasks_lock);
    g->cpu_quota = quota;
    g->cpu_period = period;
    return 0;
}
static void show_cpu_weight(struct proc_text *x, const struct cgroup *g) { put(x, g->cpu_weight); }
static int store_cpu_weight(struct task *t, struct cgroup *g, char *text) {
    uint64_t v;
    if (number(text, &v))
        return -LINUX_EINVAL;
    if (v < 1 || v > 10000)
        return -LINUX_ERANGE;
    LOCKED(&g->k->tasks_lock);
    g->cpu_weight = v;
    return 0;
}
// ---- memory, cpuset: of the sandbox -----------------------------------------------------------------------
static void show_zero(struct proc_text *x, const struct cgroup *g) { put(x, 0); }
static void show_memory(struct proc_text *x, const struct cgroup *g) { put(x, cgroup_top_memory(g)); }

#define FIXED_TOP .owned = CGROUP_OTHERS, .fixed_at_top = true
#define TOP(n, s) {.name = n, .owned = CGROUP_OTHERS, .at_top = true, .show = s}
const struct cgfile cgroup_files[] = {
    {.name = "cgroup.controllers", .owned = CGROUP_OTHERS, .show = show_controllers},
    {.name = "cgroup.events", .owned = CGROUP_OTHERS, .tells = true, .show = show_events},
    {.name = "cgroup.kill", .owned = CGROUP_OTHERS, .mode = 0200, .not_at_top = true, .store = store_kill},
    {.name = "cgroup.max.depth", .owned = CGROUP_OTHERS, .show = show_depth},
    {.name = "cgroup.max.descendants", .owned = CGROUP_OTHERS, .show = show_no_max},
    {.name = "cgroup.procs", .owned = CGROUP_PROCS, .show = show_procs, .store = store_procs},
    {.name = "cgroup.stat", .owned = CGROUP_OTHERS, .show = show_stat},
    {.name = "cgroup.subtree_control",
     .owned = CGROUP_SUBTREE,
     .show = show_subtree,
     .store = store_subtree},
    {.name = "cgroup.threads", .owned = CGROUP_THREADS, .show = show_threads, .store = store_threads},
    {.name = "cgroup.type", .owned = CGROUP_OTHERS, .show = show_type},
    {.name = "cpu.max", .of = CGROUP_CPU, FIXED_TOP, .show = show_cpu_max, .store = store_cpu_max},
    {.name = "cpu.stat", .owned = CGROUP_OTHERS, .show = show_cpu_stat},
    {.name = "cpu.weight", .of = CGROUP_CPU, FIXED_TOP, .show = show_cpu_weight, .store = store_cpu_weight},
    TOP("cpuset.cpus", cgroup_top_show_cpus),
    TOP("cpuset.cpus.effective", cgroup_top_show_cpus),
    TOP("cpuset.mems.effective", show_zero),
    TOP("io.stat", show_nothing),
    TOP("memory.current", show_memory),
    TOP("memory.events", cgroup_top_show_memory_events),
    TOP("memory.high", show_no_max),
    TOP("memory.low", show_zero),
    TOP("memory.max", cgroup_top_show_memory_max),
    TOP("memory.min", show_zero),
    TOP("memory.stat", cgroup_top_show_memory_stat),
    TOP("memory.swap.current", show_zero),
    TOP("memory.swap.max", show_zero),
    {.name = "pids.current", .of = CGROUP_PIDS, .owned = CGROUP_OTHERS, .show = show_pids},
    {.name = "pids.events", .of = CGROUP_PIDS, .owned = CGROUP_OTHERS, .show = show_pids_events},
    {.name = "pids.max", .of = CGROUP_PIDS, FIXED_TOP, .show = show_pids_max, .store = store_pids_max},
    {.name = "pids.peak",
     .of = CGROUP_PIDS,
     .owned = CGROUP_OTHERS,
     .not_at_top = true,
     .show = show_pids_peak},
    {0},
};
