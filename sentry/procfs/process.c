// SPDX-License-Identifier: Apache-2.0
// What is below /proc/PID and /proc/PID/task/TID: the tables, and the small files. The bigger ones are in
// status.c, memory.c, fds.c and mounts.c.
// LIMIT: io and schedstat are zero; wchan is 0; no stack, syscall.
#include "abi/prctl.h"
#include "abi/caps.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/user_ns.h"
#include "sentry/procfs/impl.h"
#include "sentry/run/run.h"
#include "sentry/time/time_ns.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- comm, oom_score_adj, personality ---------------------------------------------------------------------
static int show_comm(struct proc_text *x, const struct proc_node *n) {
    struct task *t = proc_task(n);
    if (!t)
        return -LINUX_ESRCH;
    char name[sizeof t->comm];
    {
        LOCKED(&t->k->tasks_lock);
        memcpy(name, t->comm, sizeof name);
    }
    task_put(t);
    proc_printf(x, "%.15s\n", name);
    return 0;
}

static int store_comm(const struct proc_node *n, char *text, size_t len) {
    if (!task_current || task_current->tg != n->g)
        return -LINUX_EINVAL;
    struct task *t = proc_task(n);
    if (!t)
        return -LINUX_ESRCH;
    text[strcspn(text, "\n")] = '\0';
    {
        LOCKED(&t->k->tasks_lock);
        memset(t->comm, 0, sizeof t->comm);
        memcpy(t->comm, text, strnlen(text, sizeof t->comm - 1));
    }
    task_put(t);
    return 0;
}

static int show_oom_score_adj(struct proc_text *x, const struct proc_node *n) {
    proc_printf(x, "%d\n", n->g->oom_score_adj);
    return 0;
}

static int store_oom_score_adj(const struct proc_node *n, char *text, size_t len) {
    char *end;
    long v = strtol(text, &end, 10);
    if (end == text || (*end && strcmp(end, "\n")) || v < -1000 || v > 1000)
        return -LINUX_EINVAL;
    struct task *me = task_current;
    if (!me || (v < n->g->oom_score_adj && !task_capable(me, LINUX_CAP_SYS_RESOURCE)))
        return -LINUX_EACCES;
    n->g->oom_score_adj = (int32_t)v;
    return 0;
}

// It is the memory's: without that it has none.
static int show_coredump_filter(struct proc_text *x, const struct proc_node *n) {
    struct mm *mm = proc_mm(n);
    if (!mm)
        return 0;
    proc_printf(x, "%08x\n", n->g->coredump_filter);
    mm_put(mm);
    return 0;
}

static int store_coredump_filter(const struct proc_node *n, char *text, size_t len) {
    char *end;
    unsigned long v = strtoul(text, &end, 0);
    if (end == text || (*end && strcmp(end, "\n")) || v > UINT32_MAX)
        return -LINUX_EINVAL;
    n->g->coredump_filter = (uint32_t)v & LINUX_COREDUMP_FILTER_ALL;
    return 0;
}

static int show_oom_score(struct proc_text *x, const struct proc_node *n) {
    int v = 666 + n->g->oom_score_adj * 2 / 3;
    proc_printf(x, "%d\n", v < 0 ? 0 : v);
    return 0;
}

static int show_personality(struct proc_text *x, const struct proc_node *n) {
    struct task *t = proc_task(n);
    if (!t)
        return -LINUX_ESRCH;
    proc_printf(x, "%08x\n", t->personality);
    task_put(t);
    return 0;
}

static int show_timerslack(struct proc_text *x, const struct proc_node *n) {
    struct task *t = proc_task(n), *me = task_current;
    if (!t)
        return -LINUX_ESRCH;
    if (me != t && !(me && task_capable(me, LINUX_CAP_SYS_NICE))) {
        task_put(t);
        return -LINUX_EPERM;
    }
    proc_printf(x, "%u\n", t->timer_slack);
    task_put(t);
    return 0;
}

static const char io_text[] = "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n"
                              "cancelled_write_bytes: 0\n";

// ---- Offsets of time --------------------------------------------------------------------------------------
// Of the namespace that children will be in.
static struct ns *time_behind(const struct proc_node *n) {
    struct task *t = proc_task(n);
    if (!t)
        return NULL;
    struct ns *found = task_ns_for_children(t, NS_TIME);
    task_put(t);
    return found;
}

static int show_timens_offsets(struct proc_text *x, const struct proc_node *n) {
    struct time_offsets o;
    struct ns *time = time_behind(n);
    if (!time)
        return -LINUX_ESRCH;
    time_ns_offsets(time, &o);
    ns_put(time);
    proc_printf(x, "%-10s %10lld %9ld\n%-10s %10lld %9ld\n", "monotonic", (long long)o.monotonic.tv_sec,
                (long)o.monotonic.tv_nsec, "boottime", (long long)o.boottime.tv_sec,
                (long)o.boottime.tv_nsec);
    return 0;
}

// One or two lines: a clock by its name or number, seconds, nanoseconds.
static int read_offsets(char *text, struct linux_timespec ts[2], bool set[2]) {
    unsigned n = 0;
    for (char *line = text, *next; line && *line; line = next, n++) {
        char clock[10];
        long long sec;
        unsigned long nsec;
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (n == 2 || sscanf(line, "%9s %lld %lu", clock, &sec, &nsec) != 3 || nsec >= NS_PER_SEC)
            return -LINUX_EINVAL;
        bool boot = !strcmp(clock, "boottime") || !strcmp(clock, "7");
        if (!boot && strcmp(clock, "monotonic") && strcmp(clock, "1"))
            return -LINUX_EINVAL;
        ts[boot] = (struct linux_timespec){sec, (int64_t)nsec};
        set[boot] = true;
    }
    return n ? 0 : -LINUX_EINVAL;
}

static int store_timens_offsets(const struct proc_node *n, char *text, size_t len) {
    struct linux_timespec ts[2];
    bool set[2] = {false, false};
    int err = read_offsets(text, ts, set);
    struct ns *time = err < 0 ? NULL : time_behind(n);
    if (!time)
        return err < 0 ? err : -LINUX_ESRCH;
    err = task_current && task_capable_over(task_current, time, LINUX_CAP_SYS_TIME) ? 0 : -LINUX_EPERM;
    err = err < 0 ? err : time_ns_set_offsets(time, set[0] ? &ts[0] : NULL, set[1] ? &ts[1] : NULL);
    ns_put(time);
    return err;
}

// ---- Namespaces -------------------------------------------------------------------------------------------
// Which namespace a name below ns/ is of the task's; a reference, or NULL: that has ended.
static struct ns *ns_behind(const struct proc_node *n) {
    struct task *t = proc_task(n);
    struct ns *found = NULL;
    if (!t)
        return NULL;
    if (!strcmp(n->e->name, "pid_for_children"))
        found = task_ns_for_children(t, NS_PID);
    else if (!strcmp(n->e->name, "time_for_children"))
        found = task_ns_for_children(t, NS_TIME);
    for (int kind = 0; !found && kind < NS_KINDS; kind++)
        if (!strcmp(n->e->name, ns_kind_name(kind)))
            found = task_ns(t, kind);
    task_put(t);
    return found;
}

static int ns_link(const struct proc_node *n, char *buf, size_t size) {
    struct ns *ns = (n->e->flags & PROC_NSPROXY) && proc_ended(n) ? NULL : ns_behind(n);
    if (!ns)
        return -LINUX_ENOENT;
    snprintf(buf, size, "%s:[%llu]", ns_kind_name(ns->kind), (unsigned long long)ns->ino);
    ns_put(ns);
    return 0;
}

static int ns_jump(const struct proc_node *n, struct path *out) {
    struct ns *ns = (n->e->flags & PROC_NSPROXY) && proc_ended(n) ? NULL : ns_behind(n);
    if (!ns)
        return -LINUX_ENOENT;
    int err = nsfs_path(the_kernel->vfs, ns, out);
    ns_put(ns);
    return err;
}
// The user's and the processes' own outlive a process's end.
#define NS(n, f) \
    { .name = n, .mode = LINUX_S_IFLNK | 0777, .flags = PROC_PTRACE | (f), .link = ns_link, .jump = ns_jump }
static const struct proc_entry ns_entries[] = {NS("cgroup", PROC_NSPROXY),
                                               NS("ipc", PROC_NSPROXY),
                                               NS("mnt", PROC_NSPROXY),
                                               NS("net", PROC_NSPROXY),
                                               NS("pid", 0),
                                               NS("pid_for_children", PROC_NSPROXY),
                                               NS("time", PROC_NSPROXY),
                                               NS("time_for_children", PROC_NSPROXY),
                                               NS("user", 0),
                                               NS("uts", PROC_NSPROXY),
                                               {0}};

// ---- Threads ----------------------------------------------------------------------------------------------
static int find_thread(const struct proc_node *dir, int32_t tid, struct proc_node *child) {
    {
        LOCKED(&the_kernel->tasks_lock);
        child->tid = pid_in(dir->ns, tid);
    }
    return child->tid && proc_alive(child) ? 0 : -LINUX_ENOENT;
}

static int32_t next_thread(const struct proc_node *dir, int32_t from) {
    struct kernel *k = the_kernel;
    LOCKED(&k->tasks_lock);
    int32_t best = -1;
    const struct task *t;
    if (dir->g->state == TG_REAPED)
        return -1;
    int32_t leader = pid_out(dir->ns, dir->g->pid);
    if (dir->g->leader && leader >= from)
        best = leader;
    list_for_each(t, &dir->g->tasks, tg_link) {
        int32_t nr = pid_out(dir->ns, t->tid);
        if (nr >= from && (best < 0 || nr < best))
            best = nr;
    }
    return best;
}

// A zombie is its one thread.
static unsigned count_threads(const struct proc_node *dir) {
    struct kernel *k = the_kernel;
    LOCKED(&k->tasks_lock);
    if (dir->g->state == TG_REAPED)
        return 0;
    unsigned n = dir->g->leader && !list_linked(&dir->g->leader->tg_link);  // ended, or the built-in init's
    return n + atomic_load(&dir->g->nalive);
}

static const struct proc_list thread_list = {find_thread, next_thread, count_threads, &proc_thread_entry};

static int show_children(struct proc_text *x, const struct proc_node *n) {
    struct task *t = proc_task(n);
    if (!t)
        return -LINUX_ESRCH;
    {
        LOCKED(&t->k->tasks_lock);
        const struct tgroup *c;
        list_for_each(c, &n->g->children, sibling)
            if (c->parent_task == t)
                proc_printf(x, "%d ", pid_out(n->ns, c->pid));
    }
    task_put(t);
    return 0;
}

// ---- The tables -------------------------------------------------------------------------------------------
#define SECRET(n, f, s) {.name = n, .mode = LINUX_S_IFREG | 0400, .flags = PROC_PTRACE | (f), .show = s}
#define OF_MEMORY(n, f, s)                                                                                   \
    {.name = n, .mode = LINUX_S_IFREG | 0444, .flags = PROC_PTRACE | PROC_MEMORY | (f), .show = s}
#define OF_MOUNTS(n, m, s) \
    {.name = n, .mode = LINUX_S_IFREG | (m), .flags = PROC_NSPROXY | PROC_POLLS, .show = s}
#define STORED(n, s, w) {.name = n, .mode = LINUX_S_IFREG | 0644, .show = s, .store = w}

#define IDMAP(n) \
    { .name = n, .mode = LINUX_S_IFREG | 0644, .open = proc_open_idmap, .fops = &proc_idmap_fops }
static int show_cgroup(struct proc_text *x, const struct proc_node *n) {
    char text[CGROUP_DEPTH_MAX * 8 + LINUX_PATH_MAX];
    struct cgroup *g = cgroup_of(n->g), *root = task_current ? cgroup_root_for(task_current) : NULL;
    int err = 0;
    {
        LOCKED(&the_kernel->tasks_lock);
        err = cgroup_text(g, root ? root : the_kernel->cgroup, text, sizeof text);
    }
    cgroup_put(g);
    cgroup_put(root);
    if (err == 0)
        proc_printf(x, "0::%s\n", text);
    return err;
}
// What a process and each of its threads have.
#define COMMON_ENTRIES \
    SECRET("auxv", PROC_NEEDS_MM, proc_show_auxv), PROC_FILE("cgroup", show_cgroup), \
        PROC_FILE("cmdline", proc_show_cmdline), STORED("comm", show_comm, store_comm), \
        PROC_CONST("cpuset", "/\n"), PROC_MAGIC("cwd", proc_link_cwd, proc_jump_cwd), \
        SECRET("environ", PROC_NEEDS_MM, proc_show_environ), \
        PROC_MAGIC("exe", proc_link_exe, proc_jump_exe), \
        {.name = "fd", .mode = LINUX_S_IFDIR | 0500, .flags = PROC_PTRACE, .list = &proc_fd_list}, \
        {.name = "fdinfo", .mode = LINUX_S_IFDIR | 0555, .flags = PROC_PTRACE, .list = &proc_fdinfo_list}, \
        IDMAP("gid_map"), \
        {.name = "io", .mode = LINUX_S_IFREG | 0400, .flags = PROC_PTRACE, .text = io_text}, \
        PROC_FILE("limits", proc_show_limits), PROC_CONST("loginuid", "4294967295"), \
        OF_MEMORY("maps", 0, proc_show_maps), \
        {.name = "mem", \
         .mode = LINUX_S_IFREG | 0600, \
         .flags = PROC_PTRACE, \
         .open = proc_open_mem, \
         .fops = &proc_mem_fops}, \
        OF_MOUNTS("mountinfo", 0444, proc_show_mountinfo), OF_MOUNTS("mounts", 0444, proc_show_mounts), \
        {.name = "net", .mode = LINUX_S_IFDIR | 0555, .flags = PROC_NSPROXY, .children = proc_net_entries}, \
        {.name = "ns", .mode = LINUX_S_IFDIR | 0511, .children = ns_entries}, \
        PROC_FILE("oom_score", show_oom_score), \
        STORED("oom_score_adj", show_oom_score_adj, store_oom_score_adj), \
        {.name = "pagemap", \
         .mode = LINUX_S_IFREG | 0400, \
         .flags = PROC_PTRACE, \
         .open = proc_open_pagemap, \
         .fops = &proc_pagemap_fops}, \
        SECRET("personality", 0, show_personality), PROC_MAGIC("root", proc_link_root, proc_jump_root), \
        PROC_CONST("schedstat", "0 0 0\n"), PROC_CONST("sessionid", "4294967295"), \
\
        {.name = "setgroups", \
         .mode = LINUX_S_IFREG | 0644, \
         .open = proc_open_setgroups, \
         .fops = &proc_setgroups_fops}, \
        OF_MEMORY("smaps", 0, proc_show_smaps), \
        OF_MEMORY("smaps_rollup", PROC_NEEDS_MM, proc_show_smaps_rollup), PROC_FILE("stat", proc_show_stat), \
        PROC_FILE("statm", proc_show_statm), PROC_FILE("status", proc_show_status), IDMAP("uid_map"), \
        IDMAP("projid_map"), PROC_CONST("wchan", "0")

static const struct proc_entry thread_entries[] = {
    PROC_FILE("children", show_children),
    COMMON_ENTRIES,
    {0},
};
static const struct proc_entry process_entries[] = {
    PROC_CONST("autogroup", "/autogroup-1 nice 0\n"),
    COMMON_ENTRIES,
    STORED("coredump_filter", show_coredump_filter, store_coredump_filter),
    OF_MOUNTS("mountstats", 0400, proc_show_mountstats),
    {.name = "task", .mode = LINUX_S_IFDIR | 0555, .list = &thread_list},
    STORED("timens_offsets", show_timens_offsets, store_timens_offsets),
    PROC_FILE("timerslack_ns", show_timerslack),
    {0},
};
const struct proc_entry proc_process_entry = PROC_DIR(NULL, process_entries);
const struct proc_entry proc_thread_entry = PROC_DIR(NULL, thread_entries);
