// SPDX-License-Identifier: Apache-2.0
// Between the run loop, faults and parking; handlers use park.h.
#ifndef SENTRY_RUN_IMPL_H
#define SENTRY_RUN_IMPL_H
#include "sentry/proc/task.h"
#include "sentry/ptrace/ptrace.h"

void park_init(struct task *t);
// Takes the call's waiters off their queues: before each rerun and at the call's end.
void park_disarm(struct task *t);
// The call's end: it is on no queue and no timer is set; what it has registered is given back.
void park_end(struct task *t);
// Whether that is so: nothing of a call is left that anybody could walk to. By the thread that handles the
// task.
bool park_ended(struct task *t);
// HANDLING -> PARKED or STOPPED. False: a wake-up came meanwhile and the task is still ours (HANDLING).
bool task_settle(struct task *t, int state);
// The next task of this thread's ready list (the reference goes with it), or NULL.
struct task *ready_pop(void);
struct task *ready_pop_worker(void);  // the next that is a worker

// The run loop's (run.c), for before_call.c. Each lets the task go on, or ends it, and comes last.
void run_call(struct task *t);                       // its call, from the beginning or again
void call_end(struct task *t);                       // what it waits on, and what it holds
void call_undo(struct task *t);                      // the same of a run that is as if it had not been
void call_answer(struct task *t, int64_t value);     // the value as it stands, whatever it is
void return_with_regs(struct task *t);               // to guest code
bool stop_here(struct task *t, enum task_stop how);  // true: it has stopped; false: the stop is over already

// Who has a word before a call is made (before_call.c).
void start_call(struct task *t);
void call_with_regs(struct task *t);  // the same call, now that its registers are at hand
void call_after_stop(struct task *t, enum ptrace_stop stop);

// How a task goes on after a fault: as after any event, with the signal that it may have got (DONE, SIGNAL);
// at once, looking for none (AGAIN); or when the queued host work is done (FLUSH; call.map_work).
enum fault_way { FAULT_DONE, FAULT_SIGNAL, FAULT_AGAIN, FAULT_FLUSH };
enum fault_way fault_take(struct task *t, const struct plat_event *ev);  // fault.c

// A connection to a gofer tells that its caller sleeps (boot.c); owner: the platform.
void run_worker_sleeps(void *owner, bool begins);

#endif
