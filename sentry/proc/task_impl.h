// SPDX-License-Identifier: Apache-2.0
// What the task_*.c files share among themselves.
#ifndef SENTRY_PROC_TASK_IMPL_H
#define SENTRY_PROC_TASK_IMPL_H
#include "sentry/kernel.h"

// A bare task in `g` (reference taken), and a bare process; nothing is published yet. NULL: no memory.
struct task *task_alloc(struct kernel *k, struct tgroup *g);
struct tgroup *tgroup_alloc(struct kernel *k, struct pid_ns *ns);
// tasks_lock held. A free number, or -LINUX_EAGAIN.
int32_t pid_reserve(struct kernel *k);
// tasks_lock held: makes t findable as `tid`, a member of its group.
void task_publish(struct task *t, int32_t tid);
// tasks_lock held: out of the tables and its group.
void task_unpublish(struct task *t);
// tasks_lock held. Gives everything of a reaped process back to the tables.
void tgroup_reap(struct tgroup *g);
// The table's references of a process that tgroup_reap() took out; no lock held.
void tgroup_free_reaped(struct tgroup *g);
// Tells the process's parent of a change: SIGCHLD (or exit_signal) and child_wait. tasks_lock held.
void tgroup_notify_parent(struct tgroup *g, int sig, int code, int status);
// The parent of a zombie, which its tracer kept from it until now, hears of it; true: and wants none, it was
// reaped.
bool tgroup_tell_end(struct tgroup *g);
// The parts that a task shares with others, given back; each only when it is set.
void task_drop_parts(struct task *t);
// A vfork child has let go of its parent's memory (exec or exit).
void vfork_release(struct task *t);

#endif
