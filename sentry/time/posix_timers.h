// SPDX-License-Identifier: Apache-2.0
// A process's timers: setitimer(2) ITIMER_REAL and timer_create(2). They end in signals.
#ifndef SENTRY_TIME_POSIX_TIMERS_H
#define SENTRY_TIME_POSIX_TIMERS_H
#include "abi/signal.h"
#include "abi/time.h"
#include <stdbool.h>
#include <stdint.h>

struct kernel;
struct task;
struct tgroup;
struct sigentry;

void tgroup_timers_init(struct tgroup *g);
// The process has ended: no timer fires any more. Does not wait; tasks_lock may be held.
void tgroup_timers_stop(struct tgroup *g);
void tgroup_timers_free(struct tgroup *g);    // with the last reference
void posix_timers_exec(struct tgroup *g);     // timer_create's go at exec, setitimer's stay; no lock held

// ITIMER_REAL in ns: sets (value 0: stops) and tells what was. alarm(2) and setitimer(2).
void itimer_real_set(struct tgroup *g, uint64_t value, uint64_t interval, uint64_t *old_value,
                     uint64_t *old_interval);
void itimer_real_get(struct tgroup *g, uint64_t *value, uint64_t *interval);

// timer_create(2) and the others. ids are small numbers of the process. Errors as the man pages say.
int64_t do_timer_create(struct task *t, int clock, const struct linux_sigevent *ev);
int do_timer_settime(struct task *t, int id, bool abstime, const struct linux_itimerspec *set,
                     struct linux_itimerspec *old);
int do_timer_gettime(struct task *t, int id, struct linux_itimerspec *out);
int64_t do_timer_getoverrun(struct task *t, int id);
int do_timer_delete(struct task *t, int id);

// For the signal queues, with tg->sig_lock held: the entry of a timer leaves its queue. info (NULL: it was
// dropped unseen) gets the overrun count. The next expiry of an interval timer is set now, not before: a
// process that does not look costs nothing.
void posix_timer_taken(struct sigentry *e, struct linux_siginfo *info);
// ... and a SIGALRM was taken from the process's queue.
void itimer_real_taken(struct tgroup *g);

#endif
