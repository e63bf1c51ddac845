// SPDX-License-Identifier: Apache-2.0
// How a call waits, for its handler; and how a task is woken, for whoever has what it waits for.
#ifndef SENTRY_RUN_PARK_H
#define SENTRY_RUN_PARK_H
#include "base/waitq.h"
#include <stdint.h>

struct file;
struct task;

// The pattern, in every handler that can block:   park_arm*(t, ...);  r = try();  if (r != would block)
// return r; return park(t);    Arming comes before looking, so that no wake-up is lost; arming again on a
// rerun is right. q is the task's own (its process's, its map's) or there for ever; a queue that is part of
// an open file, or of its inode, goes by park_arm_in(), which keeps the file until the call ends.
void park_arm(struct task *t, struct waitq *q);
void park_arm_in(struct task *t, struct file *f, struct waitq *q);
// The call's waiter, off its queue, for who puts it on one in another way. It wakes t on every event,
// whatever `arg` is; the caller may change that. What the queue belongs to is kept by call.own until
// call.cleanup.
struct waiter *park_waiter(struct task *t);
// n more waiters (zero), the call's until it ends, for calls that wait on many queues; NULL: no memory. Once
// a call.
struct waiter *park_many(struct task *t, unsigned n);
// For files: tries nothing, arms f's poll and returns the events that hold now.
uint32_t park_arm_file(struct task *t, struct file *f, uint32_t events);
// The file of a call that is run again after it has waited for it: borrowed, or NULL: look the number up.
struct file *park_file(struct task *t);
// Sets call.deadline (when it is not set yet) and its timer: afterwards call.timed_out is set and the handler
// rerun.
void park_deadline(struct task *t, uint64_t mono_ns_abs);
// the same with another one in force already; 0: for ever
void park_deadline_move(struct task *t, uint64_t mono_ns_abs);
// SYS_PARK; or -LINUX_ERESTARTSYS when a signal waits; the handler may turn that into EINTR, ERESTARTNOHAND
// ...
int64_t park(struct task *t);
// Waits where only death may interrupt (a vfork parent).
int64_t park_killable(struct task *t);
// For a call that has more to do than one turn should take: leaves its progress in task->call, lets others go
// first, and is run again. The rerun begins with park_yielded().
int64_t park_yield(struct task *t);
void park_yielded(struct task *t);
// The common loop of blocking reads and writes: call after `r` came from trying f. Returns r, or parks when r
// is -LINUX_EAGAIN and f is blocking.
int64_t park_file_result(struct task *t, struct file *f, uint32_t events, int64_t r);

// Any thread: the parked task is to be run again. Cheap when it is not parked.
void task_wake(struct task *t);
// Makes it look: interrupts guest code, or wakes the parked call. Any thread.
void task_notify(struct task *t);
// It is to die: no stop and no call holds it. sig_lock held.
void task_condemn(struct task *t);

#endif
