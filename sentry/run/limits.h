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
struct task;
struct tgroup;
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
// One more process or thread, made by one of g? False: it is refused. tasks_lock is held. Given back when it
// is published, or was not made.
bool limits_take_pid(const struct tgroup *g);
void limits_give_pid(const struct tgroup *g);
// May one map have so much private memory? Any thread, under any lock.
bool limits_may_promise(const struct task *t, uint64_t bytes);
// How much memory there is for g (NULL: for all), bytes. Any thread, under any lock.
uint64_t limits_mem_total(struct kernel *k, const struct tgroup *g);
// Of memory that guests have now, bytes; 0: nobody has looked. Within a container of a pod, its own.
uint64_t limits_memory_used(struct kernel *k);
uint64_t limits_cpu_ns(struct kernel *k);  // of all processes so far
// For who shows them (0: no limit); any thread. Within a container of a pod, its own where it has some.
struct limits_shown {
    uint64_t memory, pids, cpus_milli, refused_pids, memory_kills;
};
void limits_show(struct kernel *k, struct limits_shown *out);
// A container of a pod (sentry/run/member.h) has limits of its own beside the sandbox's: bytes, processes and
// threads; 0: none. Event thread. Changing: CONTROL_KEEP stays.
void limits_join(struct kernel *k, uint64_t number, uint64_t memory, uint64_t pids);
void limits_change_part(struct kernel *k, uint64_t number, uint64_t memory, uint64_t pids);
void limits_leave(struct kernel *k, uint64_t number);
struct limits_of_part {
    uint32_t memory_kills;
    uint64_t memory_peak;  // bytes, as far as it was looked at
};
struct limits_of_part limits_tell_part(struct kernel *k, uint64_t number);  // any thread
// What an end is to be called: wait status, and what it was blamed on.
uint32_t limits_cause(int wait_status, uint32_t blamed);
// The sandbox's end, to the supervisor. All guests have gone.
void limits_report(struct kernel *k);

#endif
