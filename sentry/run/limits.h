// SPDX-License-Identifier: Apache-2.0
// The limits of a sandbox (sentry/report.h). What is refused is refused where it is asked for: memory by
// mm_map.c (more than there is at all), processes by task_clone.c, files by fs/ (fs/use.h). Here is what
// nobody asks for: time, and memory that is touched. Who goes past it ends; who goes on asking for what is
// refused ends as well.
//
// Locks: none of its own; timers and replies run on the event thread.
#ifndef SENTRY_RUN_LIMITS_H
#define SENTRY_RUN_LIMITS_H
#include "sentry/report.h"
#include <stdbool.h>

struct kernel;
struct limits;
struct mem_pool;
struct vfs_use;

// report_fd: to the supervisor, taken over; -1: there is none. Before the first guest. 0 or -LINUX_E*.
// in_memory: files that are made lie in tmpfs, which then has the limits of disk and files.
int limits_open(struct kernel *k, const struct sentry_limits *max, int report_fd, bool in_memory);
// No guest is left: nothing comes any more; and when the vfs has gone too.
void limits_stop(struct limits *l);
void limits_free(struct limits *l);
void limits_start(struct kernel *k);  // the program begins: its time runs
// Others; of the fields that can change while it runs (memory, pids). Event thread.
void limits_change(struct kernel *k, const struct sentry_limits *max);
void limits_get(struct kernel *k, struct sentry_limits *max);
struct vfs_use *limits_use(struct kernel *k);
struct mem_pool *limits_pool(struct kernel *k);
// One more process or thread? False: it is refused. tasks_lock is held. Given back when it is published, or
// was not made.
bool limits_take_pid(struct kernel *k);
void limits_give_pid(struct kernel *k);
// Of memory that guests have now, bytes; 0: nobody has looked.
uint64_t limits_memory_used(struct kernel *k);
uint64_t limits_cpu_ns(struct kernel *k);  // of all processes so far
uint64_t limits_sys_ns(struct kernel *k);  // their system time, which is not in it
// For who shows them (0: no limit); any thread.
struct limits_shown {
    uint64_t memory, pids, cpus_milli, refused_pids, memory_kills;
};
void limits_show(struct kernel *k, struct limits_shown *out);
// The sandbox's end, to the supervisor. All guests have gone.
void limits_report(struct kernel *k);

#endif
