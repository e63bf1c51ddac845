// SPDX-License-Identifier: Apache-2.0
// The run loop, for who starts it and for who takes part in letting tasks go.
#ifndef SENTRY_RUN_RUN_H
#define SENTRY_RUN_RUN_H
#include <stdbool.h>
#include <stdint.h>

struct kernel;
struct plat_guest_ops;
struct task;

// The run loop of a worker: events, then what became ready, until shutdown.
void run_worker(struct kernel *k);
// One turn of it. False: after the shutdown.
bool run_turn(struct kernel *k);
// Runs what task_wake() put on this thread's ready list; every sentry thread that may wake tasks ends its
// turn so.
void run_ready(struct kernel *k);
// Starts a task whose exec was begun (do_exec() returned SYS_FLUSH).
void run_first_exec(struct task *t);
// The event thread: timers, host descriptors, signals from the CLI. (event.c)
void event_thread(struct kernel *k);
extern const struct plat_guest_ops kernel_guest_ops;  // for struct plat_config (guest_ops.c)

// The task whose handler runs on this thread, or NULL: for what is below the VFS and has no context at hand
// (procfs).
extern _Thread_local struct task *task_current;

// Lets a task that is being handled go on: a new child of clone, or the run loop's own.
void task_release(struct task *t, bool with_value, int64_t value);
// The first start of a child that clone made and published.
void task_start(struct task *t);
// Ends a task that is being handled: its call's clean-up, then task_exit_self().
void task_die(struct task *t, int status);
// Panics unless nothing is left of t's last call.
void task_assert_idle(struct task *t);
// For host work in the process of a task that is stopped for its tracer: it becomes the caller's, who
// queues work and flushes it, or gives it back. False: it is not there yet, or no more.
bool task_borrow(struct task *t);
void task_flush_borrowed(struct task *t);
void task_give_back(struct task *t);

#endif
