// SPDX-License-Identifier: Apache-2.0
// See top.h. Limits and what is used of them come from sentry/run/limits.h.
// LIMIT: the sandbox's cpu.max has a period of 100 ms.
#include "sentry/cgroup/top.h"
#include "sentry/procfs/impl.h"
#include "sentry/run/limits.h"
#include "sentry/time/cpu_timers.h"

static struct limits_shown look(void) {
    struct limits_shown s;
    limits_show(the_kernel, &s);
    return s;
}
static uint64_t or_none(uint64_t v) { return v ? v : CGROUP_NO_LIMIT; }

uint64_t cgroup_top_pids(void) { return or_none(look().pids); }
uint64_t cgroup_top_refused_pids(void) { return look().refused_pids; }
uint64_t cgroup_top_quota(void) { return or_none(look().cpus_milli * 100); }
uint64_t cgroup_top_cpu_ns(const struct cgroup *top) {
    struct kernel *k = top->k;
    uint64_t ns = k->cpu_ns_gone;
    for (int32_t pid = 1; pid < k->pid_end; pid++)
        if (k->tgs[pid] && k->tgs[pid]->state == TG_ALIVE)
            ns += tgroup_cpu_ns(k->tgs[pid]);
    return ns;
}
uint64_t cgroup_top_sys_ns(const struct cgroup *top) {
    struct kernel *k = top->k;
    uint64_t ns = k->sys_ns_gone;
    for (int32_t pid = 1; pid < k->pid_end; pid++)
        if (k->tgs[pid] && k->tgs[pid]->state == TG_ALIVE)
            ns += atomic_load(&k->tgs[pid]->sys_ns);
    return ns;
}
uint64_t cgroup_top_memory(const struct cgroup *top) {
    uint64_t seen = limits_memory_used(top->k);
    return seen ? seen : cgroup_memory(top);
}
void cgroup_top_show_memory_max(struct proc_text *x, const struct cgroup *g) {
    if (look().memory)
        proc_printf(x, "%llu\n", (unsigned long long)look().memory);
    else
        proc_printf(x, "max\n");
}
void cgroup_top_show_memory_events(struct proc_text *x, const struct cgroup *g) {
    unsigned long long kills = look().memory_kills;
    proc_printf(x, "low 0\nhigh 0\nmax %llu\noom %llu\noom_kill %llu\noom_group_kill 0\n", kills, kills,
                kills);
}
void cgroup_top_show_memory_stat(struct proc_text *x, const struct cgroup *g) {
    uint64_t all = cgroup_top_memory(g), shared = vfs_memory_used(g->k->vfs);
    unsigned long long anon = all > shared ? all - shared : 0;
    proc_printf(x, "anon %llu\nfile %llu\nshmem %llu\n", anon, (unsigned long long)shared,
                (unsigned long long)shared);
}
void cgroup_top_show_cpus(struct proc_text *x, const struct cgroup *g) {
    const char *comma = "";
    for (unsigned i = 0; i < 64; i++)
        if (g->k->cpus >> i & 1) {
            proc_printf(x, "%s%u", comma, i);
            comma = ",";
        }
    proc_printf(x, "\n");
}
