// SPDX-License-Identifier: Apache-2.0
// /sys/fs/cgroup: cgroup v2 as a container finds it, its own cgroup as the root. Limits and what is used of
// them are the sandbox's (sentry/run/limits.h), or the container's own in a pod. Nothing can be written, and
// no cgroup be made.
// LIMIT: cpu.max has a period of 100 ms; of memory.stat there are three lines.
#include "base/clock.h"
#include "sentry/procfs/impl.h"
#include "sentry/procfs/procfs.h"
#include "sentry/run/limits.h"
#include "sentry/run/run.h"

static struct limits_shown look(void) {
    struct limits_shown s;
    limits_show(the_kernel, &s);
    return s;
}

// 0: there is no limit.
static int put_max(struct proc_text *x, uint64_t v) {
    if (v)
        proc_printf(x, "%llu\n", (unsigned long long)v);
    else
        proc_printf(x, "max\n");
    return 0;
}
static int put(struct proc_text *x, uint64_t v) {
    proc_printf(x, "%llu\n", (unsigned long long)v);
    return 0;
}

// In a pod each container has a cgroup of its own: that of who looks.
static bool is_in(const struct tgroup *g) {
    return g && (!task_current || g->member == task_current->tg->member);
}

static int show_procs(struct proc_text *x, const struct proc_node *n) {
    struct kernel *k = the_kernel;
    LOCKED(&k->tasks_lock);
    for (int32_t pid = 1; pid < k->pid_end; pid++)
        if (is_in(k->tgs[pid]) && k->tgs[pid]->state == TG_ALIVE)
            proc_printf(x, "%d\n", pid);
    return 0;
}
static int show_pids(struct proc_text *x, const struct proc_node *n) {
    struct kernel *k = the_kernel;
    uint64_t tasks = 0;
    LOCKED(&k->tasks_lock);
    for (int32_t pid = 1; pid < k->pid_end; pid++)
        if (is_in(k->tgs[pid]))
            tasks += k->tgs[pid]->state == TG_ALIVE ? atomic_load(&k->tgs[pid]->nalive) : 1;
    return put(x, tasks);
}
static int show_pids_max(struct proc_text *x, const struct proc_node *n) { return put_max(x, look().pids); }
static int show_pids_events(struct proc_text *x, const struct proc_node *n) {
    proc_printf(x, "max %llu\n", (unsigned long long)look().refused_pids);
    return 0;
}
static int show_memory(struct proc_text *x, const struct proc_node *n) {
    return put(x, kernel_mem_used(the_kernel));
}
static int show_memory_max(struct proc_text *x, const struct proc_node *n) {
    return put_max(x, look().memory);
}
static int show_memory_events(struct proc_text *x, const struct proc_node *n) {
    unsigned long long kills = look().memory_kills;
    proc_printf(x, "low 0\nhigh 0\nmax %llu\noom %llu\noom_kill %llu\noom_group_kill 0\n", kills, kills,
                kills);
    return 0;
}
static int show_memory_stat(struct proc_text *x, const struct proc_node *n) {
    uint64_t all = kernel_mem_used(the_kernel), shared = vfs_memory_used(the_kernel->vfs);
    unsigned long long anon = all > shared ? all - shared : 0;
    proc_printf(x, "anon %llu\nfile %llu\nshmem %llu\n", anon, (unsigned long long)shared,
                (unsigned long long)shared);
    return 0;
}
static int show_cpu_max(struct proc_text *x, const struct proc_node *n) {
    uint64_t milli = look().cpus_milli;
    if (milli)
        proc_printf(x, "%llu 100000\n", (unsigned long long)milli * 100);
    else
        proc_printf(x, "max 100000\n");
    return 0;
}
// LIMIT: all of it is user time.
static int show_cpu_stat(struct proc_text *x, const struct proc_node *n) {
    unsigned long long us = limits_cpu_ns(the_kernel) / 1000;
    proc_printf(x, "usage_usec %llu\nuser_usec %llu\nsystem_usec 0\n", us, us);
    return 0;
}
static int show_cpus(struct proc_text *x, const struct proc_node *n) {
    const char *comma = "";
    for (unsigned i = 0; i < 64; i++)
        if (the_kernel->cpus >> i & 1) {
            proc_printf(x, "%s%u", comma, i);
            comma = ",";
        }
    proc_printf(x, "\n");
    return 0;
}

static const struct proc_entry entries[] = {
    PROC_CONST("cgroup.controllers", "cpuset cpu memory pids\n"),
    PROC_CONST("cgroup.events", "populated 1\nfrozen 0\n"),
    PROC_CONST("cgroup.max.depth", "max\n"),
    PROC_CONST("cgroup.max.descendants", "max\n"),
    PROC_FILE("cgroup.procs", show_procs),
    PROC_CONST("cgroup.stat", "nr_descendants 0\nnr_dying_descendants 0\n"),
    PROC_CONST("cgroup.subtree_control", ""),
    PROC_CONST("cgroup.type", "domain\n"),
    PROC_FILE("cpu.max", show_cpu_max),
    PROC_FILE("cpu.stat", show_cpu_stat),
    PROC_CONST("cpu.weight", "100\n"),
    PROC_FILE("cpuset.cpus", show_cpus),
    PROC_FILE("cpuset.cpus.effective", show_cpus),
    PROC_CONST("cpuset.mems.effective", "0\n"),
    PROC_CONST("io.stat", ""),
    PROC_FILE("memory.current", show_memory),
    PROC_FILE("memory.events", show_memory_events),
    PROC_CONST("memory.high", "max\n"),
    PROC_CONST("memory.low", "0\n"),
    PROC_FILE("memory.max", show_memory_max),
    PROC_CONST("memory.min", "0\n"),
    PROC_FILE("memory.stat", show_memory_stat),
    PROC_CONST("memory.swap.current", "0\n"),
    PROC_CONST("memory.swap.max", "0\n"),
    PROC_FILE("pids.current", show_pids),
    PROC_FILE("pids.events", show_pids_events),
    PROC_FILE("pids.max", show_pids_max),
    {0},
};
static const struct proc_entry root = PROC_DIR("", entries);

int cgroupfs_create(struct vfs *vfs, struct superblock **out) {
    return procfs_create_tree(vfs, the_kernel->pid_ns, &root, "cgroup2", LINUX_CGROUP2_SUPER_MAGIC, out);
}
