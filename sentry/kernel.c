// SPDX-License-Identifier: Apache-2.0
// The kernel object: made at start, with pid 1 built in (it has no thread: it adopts orphans and never waits,
// so they are reaped at once), and the end of everything when the main process has ended.
#include "sentry/kernel.h"
#include "abi/caps.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "sentry/mm/mm.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/task_impl.h"
#include "sentry/proc/user_ns.h"
#include "sentry/proc/uts_ns.h"
#include "sentry/time/time_ns.h"
#include "sentry/run/limits.h"
#include "sentry/run/park.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/sentry.h"
#include "sentry/signal/signal.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NET_BUDGET_LEAST (64u << 20)
#define NET_BUDGET_MOST  (512u << 20)

struct kernel *the_kernel;

static void default_limits(struct linux_rlimit64 *r) {
    for (int i = 0; i < LINUX_RLIM_NLIMITS; i++)
        r[i] = (struct linux_rlimit64){LINUX_RLIM_INFINITY, LINUX_RLIM_INFINITY};
    r[LINUX_RLIMIT_STACK].rlim_cur = 8u << 20;
    r[LINUX_RLIMIT_CORE].rlim_cur = 0;
    // As Linux has both: one ordinary user leaves half of the numbers to others.
    r[LINUX_RLIMIT_NPROC] = (struct linux_rlimit64){PID_MAX / 2, PID_MAX / 2};
    r[LINUX_RLIMIT_NOFILE] = (struct linux_rlimit64){1024, 1 << 20};
    r[LINUX_RLIMIT_MEMLOCK] = (struct linux_rlimit64){8u << 20, 8u << 20};
    r[LINUX_RLIMIT_SIGPENDING] = (struct linux_rlimit64){PID_MAX / 2, PID_MAX / 2};
    r[LINUX_RLIMIT_MSGQUEUE] = (struct linux_rlimit64){819200, 819200};
    r[LINUX_RLIMIT_NICE] = (struct linux_rlimit64){0, 0};
    r[LINUX_RLIMIT_RTPRIO] = (struct linux_rlimit64){0, 0};
}

// What others can look up of it is what a process without a program has (a kernel thread, on Linux); its
// limits are those that the first process inherits, and that pam_limits(8) gives to sessions.
static struct tgroup *make_init(struct kernel *k, int32_t number) {
    struct tgroup *g = tgroup_alloc(k, k->pid_ns);
    struct task *t = g ? task_alloc(k, g) : NULL;
    if (!t)
        return NULL;
    t->cred = cred_dup(NULL, 0);
    g->sighand = sighand_new();
    if (!t->cred || !g->sighand)
        return NULL;
    t->cred->user = user_ns_get(k->user_ns);
    t->nsproxy = nsproxy_get(k->nsproxy);
    t->cred->cap_permitted = t->cred->cap_effective = t->cred->cap_bounding = LINUX_CAP_ALL;
    default_limits(g->rlimits);
    memcpy(t->comm, "init", 5);
    g->pid = t->tid = number;
    g->leader = t;
    LOCKED(&k->tasks_lock);
    if (number) {
        k->pids[number] = t;
        k->tgs[number] = g;
    }
    return tgroup_setsid(g) < 0 ? NULL : g;
}

// LIMIT: processors from the 65th on are not shown as allowed, though guests run on them.
static uint64_t allowed_cpus(void) {
    cpu_set_t set;
    uint64_t cpus = 0;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (unsigned i = 0; i < 64; i++)
            cpus |= (uint64_t)(CPU_ISSET(i, &set) != 0) << i;
    return cpus ? cpus : 1;
}

// Of packets and socket buffers, as tcp_mem has it of a machine's memory.
static size_t net_budget(uint64_t mem_total) {
    uint64_t want = mem_total / 16, least = mem_total / 4;
    least = least < NET_BUDGET_LEAST ? least : NET_BUDGET_LEAST;
    if (want < least)
        return (size_t)least;
    return want > NET_BUDGET_MOST ? NET_BUDGET_MOST : (size_t)want;
}

// ---- The first namespaces ---------------------------------------------------------------------------------
// Their numbers, as Linux has them.
#define UTS_NS_FIRST    0xeffffffeu
#define IPC_NS_FIRST    0xefffffffu
#define NET_NS_FIRST    0xeffffff9u
#define CGROUP_NS_FIRST 0xeffffffbu
#define TIME_NS_FIRST   0xeffffffau

static void uncharge(struct ns *owner, enum ns_kind kind) { user_ns_uncharge(user_ns_of(owner), kind); }
static void leave_to_kernel(struct ns *n) {}  // what is a part of it

static bool first_namespaces(struct kernel *k) {
    nsfs_set_uncharge(k->vfs, uncharge);
    k->user_ns = user_ns_first(k);
    if (!k->user_ns)
        return false;
    struct ns *owner = &k->user_ns->ns;
    ns_init(&k->ipc.ns, NS_IPC, k->vfs, IPC_NS_FIRST, owner, leave_to_kernel);
    ns_init(&k->net.ns, NS_NET, k->vfs, NET_NS_FIRST, owner, leave_to_kernel);
    k->uts = uts_ns_new(k->vfs, UTS_NS_FIRST, owner);
    k->pid_ns = pid_ns_first(k);
    k->cgroup = cgroup_top(k);
    struct cgroup_ns *cgroups = k->cgroup ? cgroup_ns_new(k->vfs, CGROUP_NS_FIRST, owner, k->cgroup) : NULL;
    k->cgroup_ns = cgroups ? &cgroups->ns : NULL;
    struct time_ns *time = time_ns_new(k->vfs, TIME_NS_FIRST, owner);
    k->time_ns = time ? &time->ns : NULL;
    bool ok = k->uts && k->pid_ns && k->cgroup_ns && k->time_ns;
    k->nsproxy = ok ? nsproxy_first(k) : NULL;
    return k->nsproxy;
}

static void last_namespaces(struct kernel *k) {
    nsproxy_put(k->nsproxy);
    struct ns *const own[] = {&k->ipc.ns,   &k->net.ns, &k->uts->ns,    &k->pid_ns->ns,
                              k->cgroup_ns, k->time_ns, &k->user_ns->ns};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        ns_put(own[i]);
    cgroup_put(k->cgroup);
}

struct kernel *kernel_new(struct vfs *vfs, const struct sentry_config *c) {
    struct kernel *k = znew(struct kernel);
    if (!k)
        return NULL;
    k->vfs = vfs;
    lock_init(&k->tasks_lock, RANK_TASKS);
    load_init(&k->load);
    list_init(&k->pgroups);
    list_init(&k->sessions);
    timers_init(&k->timers);
    epoll_graph_init(&k->epolls);
    uring_set_init(&k->urings);
    async_queue_init(&k->async);
    watch_file_ends(k, true);
    futex_table_init(&k->futexes);
    ipc_ns_init(&k->ipc);
    k->keys = key_table_new();
    k->pids = xcalloc(PID_MAX, sizeof *k->pids);
    k->tgs = xcalloc(PID_MAX, sizeof *k->tgs);
    k->pid_numbers = xcalloc(PID_MAX, sizeof *k->pid_numbers);
    k->pid_uses = xcalloc(PID_MAX, sizeof *k->pid_uses);
    k->last_pid = 1;
    k->pid_end = 2;
    strcpy(k->core_pattern, "core");
    random_bytes(k->boot_id, sizeof k->boot_id);
    k->born_tsc = __builtin_ia32_rdtsc();
    k->born_ns = clock_ns(CLOCK_MONOTONIC_RAW);
    random_bytes(k->kcmp_key, sizeof k->kcmp_key);
    k->machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t memory = c->limits.memory;
    k->mem_total = memory && memory < k->machine ? memory : k->machine;
    nets_init(&k->nets, &k->timers, net_budget(k->mem_total));
    int err = net_ns_init(&k->net, &k->nets, &k->timers, net_budget(k->mem_total), false);
    k->ncpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    k->cpus = allowed_cpus();
    the_kernel = k;
    bool tables = k->keys && k->pids && k->tgs && k->pid_uses && k->pid_numbers;
    bool ok = err == 0 && tables && first_namespaces(k);
    k->init = ok ? make_init(k, c->main_is_1 ? 0 : 1) : NULL;
    return k->init ? k : NULL;
}

uint64_t kernel_mem_used(struct kernel *k) {
    uint64_t seen = limits_memory_used(k);
    if (seen)
        return seen;
    // LIMIT: without a memory limit, and well below it: what areas promise, not what is resident; counted per
    // process, shared memory several times.
    LOCKED(&k->tasks_lock);
    uint64_t used = 0;
    for (int pid = 1; pid < k->pid_end; pid++) {
        const struct tgroup *g = k->tgs[pid];
        if (g && g->leader && g->leader->mm)
            used += g->leader->mm->data;
    }
    return used;
}

// Ends all that is left; the last to go stops the workers.
void kernel_main_ended(struct kernel *k) {
    atomic_store(&k->shutting_down, true);
    for (int pid = 2; pid < k->pid_end; pid++) {
        struct tgroup *g = k->tgs[pid];
        if (!g || g->state != TG_ALIVE)
            continue;
        struct task *t;
        LOCKED(&g->sig_lock);
        if (!atomic_load(&g->exiting)) {
            g->group_exit_code = LINUX_SIGKILL;
            atomic_store(&g->exiting, true);  // who sees it reads the code without a lock
        }
        g->sigkilled = true;
        list_for_each(t, &g->tasks, tg_link)
            task_condemn(t);
    }
}

static void unlink_init(struct kernel *k) {
    struct tgroup *g = k->init;
    LOCKED(&k->tasks_lock);
    tgroup_leave(g);
    if (g->pid) {
        k->pids[g->pid] = NULL;
        k->tgs[g->pid] = NULL;
    }
}

bool kernel_end(struct kernel *k) {
    bool clean = k->ntasks == 0;
    for (int pid = 1; pid < k->pid_end; pid++)
        if ((k->pids[pid] || k->tgs[pid]) && k->tgs[pid] != k->init) {
            log_error("process %d is left over", pid);
            clean = false;
        }
    nets_drop(&k->nets);
    net_ns_destroy(&k->net);
    if (k->main)
        tgroup_put(take_ptr(k->main));
    unlink_init(k);
    task_put(take_ptr(k->init->leader));
    tgroup_put(take_ptr(k->init));
    ipc_ns_destroy(&k->ipc);
    futex_table_destroy(&k->futexes);
    watch_file_ends(k, false);
    async_queue_destroy(&k->async);
    epoll_graph_destroy(&k->epolls);
    uring_set_destroy(&k->urings);
    return clean;
}
void kernel_free(struct kernel *k) {
    nets_destroy(&k->nets);
    timers_destroy(&k->timers);
    load_destroy(&k->load);
    lock_destroy(&k->tasks_lock);
    free(k->pids);
    free(k->tgs);
    free(k->pid_uses);
    free(k->pid_numbers);
    last_namespaces(k);
    seccomp_put(k->first_filter);
    key_table_free(k->keys);
    free(k);
    the_kernel = NULL;
}
