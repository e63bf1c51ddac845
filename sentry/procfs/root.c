// SPDX-License-Identifier: Apache-2.0
// /proc itself: the system's files, the links to the caller, and the list of processes.
// LIMIT: times of processors are idle time alone; interrupts, context switches, swap and caches are zero.
#include "base/clock.h"
#include "abi/time.h"
#include "sentry/procfs/cpuinfo.h"
#include "sentry/procfs/impl.h"
#include "sentry/run/limits.h"
#include "sentry/run/run.h"
#include "sentry/time/time_ns.h"
#include <stdio.h>

// ---- The caller -------------------------------------------------------------------------------------------
static int32_t seen(const struct proc_node *n, int32_t pid) {
    LOCKED(&the_kernel->tasks_lock);
    return pid_out(n->ns, pid);
}

static int link_self(const struct proc_node *n, char *buf, size_t size) {
    int32_t pid = task_current ? seen(n, task_current->tg->pid) : 0;
    if (!pid)
        return -LINUX_ENOENT;
    snprintf(buf, size, "%d", pid);
    return 0;
}
static int link_thread_self(const struct proc_node *n, char *buf, size_t size) {
    int32_t pid = task_current ? seen(n, task_current->tg->pid) : 0;
    if (!pid)
        return -LINUX_ENOENT;
    snprintf(buf, size, "%d/task/%d", pid, seen(n, task_current->tid));
    return 0;
}
static int link_mounts(const struct proc_node *n, char *buf, size_t size) {
    snprintf(buf, size, "self/mounts");
    return 0;
}
static int link_net(const struct proc_node *n, char *buf, size_t size) {
    snprintf(buf, size, "self/net");
    return 0;
}

// ---- Processes --------------------------------------------------------------------------------------------
// A thread's number is found as well, though it is not listed.
static int find_process(const struct proc_node *dir, int32_t nr, struct proc_node *child) {
    struct kernel *k = the_kernel;
    LOCKED(&k->tasks_lock);
    int32_t pid = pid_in(dir->ns, nr);
    if (!pid)
        return -LINUX_ENOENT;
    if (k->tgs[pid]) {
        child->g = tgroup_get(k->tgs[pid]);
        return 0;
    }
    if (!k->pids[pid])
        return -LINUX_ENOENT;
    child->g = tgroup_get(k->pids[pid]->tg);
    child->tid = pid;
    return 0;
}

static int32_t next_process(const struct proc_node *dir, int32_t from) {
    struct kernel *k = the_kernel;
    LOCKED(&k->tasks_lock);
    int32_t pid;
    for (int32_t nr = from > 0 ? from : 1; (nr = pid_next(dir->ns, nr, &pid)) > 0; nr++)
        if (k->tgs[pid])
            return nr;
    return -1;
}

static unsigned count_processes(const struct proc_node *dir) {
    struct kernel *k = the_kernel;
    LOCKED(&k->tasks_lock);
    unsigned n = 0;
    for (int32_t pid = 1; pid < k->pid_end; pid++)
        n += k->tgs[pid] && pid_out(dir->ns, pid);
    return n;
}

static const struct proc_list process_list = {find_process, next_process, count_processes,
                                              &proc_process_entry};

// ---- The system's files -----------------------------------------------------------------------------------
void proc_put_meminfo(struct proc_text *x, const char *before) {
    uint64_t total = limits_mem_total(the_kernel, task_current ? task_current->tg : NULL),
             used = kernel_mem_used(the_kernel);
    if (used > total - total / 64)
        used = total - total / 64;
    uint64_t left = (total - used) / 1024;
    const struct {
        const char *name;
        uint64_t kb;
    } rows[] = {{"MemTotal", total / 1024},
                {"MemFree", left},
                {"MemAvailable", left},
                {"Buffers", 0},
                {"Cached", 0},
                {"SwapCached", 0},
                {"Active", used / 1024},
                {"Inactive", 0},
                {"Active(anon)", used / 1024},
                {"Inactive(anon)", 0},
                {"Active(file)", 0},
                {"Inactive(file)", 0},
                {"Unevictable", 0},
                {"Mlocked", 0},
                {"SwapTotal", 0},
                {"SwapFree", 0},
                {"Dirty", 0},
                {"Writeback", 0},
                {"AnonPages", used / 1024},
                {"Mapped", 0},
                {"Shmem", 0},
                {"KReclaimable", 0},
                {"Slab", 0},
                {"SReclaimable", 0},
                {"SUnreclaim", 0},
                {"KernelStack", 0},
                {"PageTables", 0},
                {"NFS_Unstable", 0},
                {"Bounce", 0},
                {"WritebackTmp", 0},
                {"CommitLimit", total / 2048},
                {"Committed_AS", used / 1024},
                {"VmallocTotal", 34359738367},
                {"VmallocUsed", 0},
                {"VmallocChunk", 0}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s:", rows[i].name);
        proc_printf(x, "%s%-16s%8llu kB\n", before, name, (unsigned long long)rows[i].kb);
    }
}
static int show_meminfo(struct proc_text *x, const struct proc_node *n) {
    proc_put_meminfo(x, "");
    proc_printf(x, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n"
                   "HugePages_Surp:        0\nHugepagesize:       2048 kB\nHugetlb:               0 kB\n");
    return 0;
}

// As who reads it sees boot time.
static uint64_t uptime(void) {
    uint64_t ns = kernel_uptime_ns();
    return task_current ? task_time_out(task_current, LINUX_CLOCK_BOOTTIME, ns) : ns;
}

static int show_uptime(struct proc_text *x, const struct proc_node *n) {
    uint64_t cs = uptime() / (NS_PER_SEC / 100), idle = cs * the_kernel->ncpus;
    proc_printf(x, "%llu.%02llu %llu.%02llu\n", (unsigned long long)cs / 100, (unsigned long long)cs % 100,
                (unsigned long long)idle / 100, (unsigned long long)idle % 100);
    return 0;
}

struct counts {
    unsigned tasks, running;
    int32_t last;
};
static struct counts count_tasks(void) {
    struct kernel *k = the_kernel;
    LOCKED(&k->tasks_lock);
    struct counts c = {.tasks = k->ntasks, .last = k->last_pid};
    for (int32_t pid = 1; pid < k->pid_end; pid++) {
        const struct task *t = k->tgs[pid] == k->init ? NULL : k->pids[pid];
        int state = t ? atomic_load(&t->state) : TASK_DEAD;
        c.running += state != TASK_DEAD && state != TASK_PARKED && state != TASK_STOPPED;
    }
    return c;
}

static int show_loadavg(struct proc_text *x, const struct proc_node *n) {
    struct counts c = count_tasks();
    proc_printf(x, "0.00 0.00 0.00 %u/%u %d\n", c.running, c.tasks, c.last);
    return 0;
}

static int show_system_stat(struct proc_text *x, const struct proc_node *n) {
    struct counts c = count_tasks();
    unsigned long long idle = kernel_uptime_ns() / (NS_PER_SEC / LINUX_USER_HZ);
    proc_printf(x, "cpu  0 0 0 %llu 0 0 0 0 0 0\n", idle * the_kernel->ncpus);
    for (unsigned i = 0; i < the_kernel->ncpus; i++)
        proc_printf(x, "cpu%u 0 0 0 %llu 0 0 0 0 0 0\n", i, idle);
    proc_printf(x,
                "intr 0\nctxt 0\nbtime %llu\nprocesses %d\nprocs_running %u\nprocs_blocked 0\n"
                "softirq 0 0 0 0 0 0 0 0 0 0 0\n",
                (unsigned long long)((real_ns() - uptime()) / NS_PER_SEC), c.last, c.running);
    return 0;
}

const char procfs_filesystems[] =
    "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tcgroup2\nnodev\tdevtmpfs\n"
    "nodev\tsockfs\nnodev\tpipefs\nnodev\tramfs\nnodev\tdevpts\nnodev\tmqueue\n";
static const char version[] =
    "Linux version " KERNEL_RELEASE " (picket@picket) (gcc) #1 SMP Picket " PICKET_VERSION "\n";
static const char devices[] =
    "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n";

static const char tty_drivers[] = "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
                                  "/dev/ptmx            /dev/ptmx       5       2 system\n"
                                  "pty_slave            /dev/pts      136 0-1048575 pty:slave\n"
                                  "pty_master           /dev/ptm      128 0-1048575 pty:master\n";
static const struct proc_entry tty_entries[] = {PROC_CONST("drivers", tty_drivers), {0}};

static const struct proc_entry root_entries[] = {
    PROC_CONST("cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"),
    PROC_CONST("cmdline", "\n"),
    PROC_FILE("cpuinfo", proc_show_cpuinfo),
    PROC_CONST("devices", devices),
    PROC_CONST("diskstats", ""),
    PROC_CONST("filesystems", procfs_filesystems),
    PROC_CONST("interrupts", ""),
    PROC_FILE("key-users", proc_show_key_users),
    PROC_FILE("keys", proc_show_keys),
    PROC_FILE("loadavg", show_loadavg),
    PROC_CONST("locks", ""),  // LIMIT: file locks are not listed
    PROC_FILE("meminfo", show_meminfo),
    PROC_CONST("misc", ""),
    PROC_CONST("modules", ""),
    PROC_LINK("mounts", link_mounts),
    PROC_LINK("net", link_net),
    PROC_CONST("partitions", "major minor  #blocks  name\n\n"),
    PROC_LINK("self", link_self),
    PROC_FILE("stat", show_system_stat),
    PROC_CONST("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
    PROC_SYS("sys", proc_sys_entries),
    PROC_DIR("sysvipc", proc_sysvipc_entries),
    PROC_LINK("thread-self", link_thread_self),
    PROC_DIR("tty", tty_entries),
    PROC_FILE("uptime", show_uptime),
    PROC_CONST("version", version),
    PROC_CONST("vmstat", "nr_free_pages 0\npgfault 0\npgmajfault 0\n"),
    {0},
};
const struct proc_entry proc_root_entry = {
    .name = "/", .mode = LINUX_S_IFDIR | 0555, .children = root_entries, .list = &process_list};
