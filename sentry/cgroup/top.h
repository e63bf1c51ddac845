// SPDX-License-Identifier: Apache-2.0
// What the top of the tree of control groups shows: the sandbox's limits and use. tasks_lock is held.
#ifndef SENTRY_CGROUP_TOP_H
#define SENTRY_CGROUP_TOP_H
#include "sentry/cgroup/cgroup.h"

struct proc_text;

uint64_t cgroup_top_pids(void);  // CGROUP_NO_LIMIT: there is none
uint64_t cgroup_top_refused_pids(void);
uint64_t cgroup_top_quota(void);  // us of 100 ms
uint64_t cgroup_top_cpu_ns(const struct cgroup *top);
uint64_t cgroup_top_sys_ns(const struct cgroup *top);  // not in it
uint64_t cgroup_top_memory(const struct cgroup *top);
void cgroup_top_show_memory_max(struct proc_text *x, const struct cgroup *g);
void cgroup_top_show_memory_events(struct proc_text *x, const struct cgroup *g);
void cgroup_top_show_memory_stat(struct proc_text *x, const struct cgroup *g);
void cgroup_top_show_cpus(struct proc_text *x, const struct cgroup *g);

#endif
