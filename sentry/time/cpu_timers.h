// SPDX-License-Identifier: Apache-2.0
// What happens when a process has used up processor time: ITIMER_VIRTUAL, ITIMER_PROF and RLIMIT_CPU.
#ifndef SENTRY_TIME_CPU_TIMERS_H
#define SENTRY_TIME_CPU_TIMERS_H
#include "sentry/time/timer.h"
#include <stdbool.h>
#include <stdint.h>

struct task;
struct tgroup;

enum { CPU_VIRTUAL, CPU_PROF, CPU_TIMERS };
struct cpu_timers {
    struct ktimer look;             // when processor time is looked at next
    uint64_t next[CPU_TIMERS];      // [S] processor time of the expiry; 0: stopped
    uint64_t interval[CPU_TIMERS];  // [S]
    uint64_t next_xcpu;             // [S] processor time of the next SIGXCPU; 0: at the limit
    uint64_t seen, wait;            // [S] at the last look: processor time, and how long until the next look
};

void cpu_timers_init(struct tgroup *g);
void cpu_timers_stop(struct tgroup *g);  // sig_lock held
void cpu_timers_free(struct tgroup *g);  // no lock held
// A limit was set, or inherited by a new process: sig_lock held.
void cpu_timers_limit(struct tgroup *g);
// setitimer(2) of CPU_VIRTUAL or CPU_PROF, in ns; set false: only tells.
void cpu_timer_set(struct tgroup *g, unsigned which, bool set, uint64_t value, uint64_t interval,
                   uint64_t *old_value, uint64_t *old_interval);
// Processor time of a process so far: tasks_lock held. One host call.
uint64_t tgroup_cpu_ns(struct tgroup *g);
uint64_t task_cpu_ns(struct task *t);  // of its process, with no lock held
// When to look again for `left` ns of processor time: the earliest moment at which they can be used up.
// Within 1 ms.
uint64_t cpu_look_at(struct tgroup *g, uint64_t left);

#endif
