// SPDX-License-Identifier: Apache-2.0
// Signals: sending, queues, dispositions, delivery (frames on the guest's stack), group stops. Field letters
// as in task.h; everything marked [S] there is guarded by tg->sig_lock.
#ifndef SENTRY_SIGNAL_SIGNAL_H
#define SENTRY_SIGNAL_SIGNAL_H
#include "abi/signal.h"
#include "abi/x86_64/regs.h"
#include "sentry/proc/task.h"

#define SIGBIT(sig) (UINT64_C(1) << ((sig) - 1))

// shared by CLONE_SIGHAND; guarded by its own lock because groups may share it with CLONE_VM
struct sighand {
    struct refcount refs;
    struct lock lock;  // RANK_LEAF
    struct linux_sigaction action[64];
};
struct sighand *sighand_new(void);
struct sighand *sighand_copy(struct sighand *old);
struct sighand *sighand_get(struct sighand *h);
void sighand_put(struct sighand *h);
void sighand_reset_for_exec(struct sighand *h);  // handlers to default, ignored stay

struct sigqueue *sigqueue_new(void);
void sigqueue_free(struct sigqueue *q);

// Sends without permission checks. info may be NULL (SI_KERNEL). To one task, a process, a process group. 0
// or -LINUX_EAGAIN (queue limit of a real-time signal). Takes tg->sig_lock inside; callers may hold
// tasks_lock. The targets are notified under sig_lock, so task_notify() takes only locks above RANK_SIGNAL.
// An event thread or other thread outside run_worker() that sends must call run_ready() afterwards.
int signal_send_task(struct task *t, int sig, const struct linux_siginfo *info);
// As the kernel does for what a call has done: it says that the task itself has sent it.
void signal_send_self(struct task *t, int sig);
int signal_send_group(struct tgroup *g, int sig, const struct linux_siginfo *info);
// SIGKILL by the kernel itself, which the init of a namespace does not outlive either. Locks: likewise.
void signal_kill(struct tgroup *g);
int signal_send_pgrp(struct pgroup *p, int sig, const struct linux_siginfo *info);  // tasks_lock held
// A synchronous fault of t itself: forced, also when blocked or ignored.
void signal_force(struct task *t, int sig, const struct linux_siginfo *info);
bool signal_ignored(struct task *t, int sig);  // its disposition is SIG_IGN
// Will it die of what waits for it? As Linux's fatal_signal_pending(): ends what would otherwise be done in
// whole. By the task's own handler; one load as a rule.
bool signal_dying_slow(struct task *t);
static inline bool signal_dying(struct task *t) {
    return (task_interrupted(t) || t->worker) && signal_dying_slow(t);
}
bool signal_may_send(struct task *from, struct tgroup *to, int sig);  // kill(2) permission; tasks_lock held

// The calling task's mask; wakes delivery when something became deliverable.
void signal_set_mask(struct task *t, uint64_t mask);
uint64_t signal_pending_set(struct task *t);  // pending for t, blocked or not: its own and the group's
// Recomputes task->sigpending, by the task itself; others only ever set it.
void signal_recalc(struct task *t);

// A mask for the time of one call (sigsuspend, ppoll, pselect6, epoll_pwait). begin: on the first run; on a
// rerun it does nothing. end: with the call's result, which it returns; puts the old mask back, unless the
// result says that a signal interrupted the call: then signal_deliver() does it, after handlers have run
// under the temporary mask.
void signal_tmp_mask_begin(struct task *t, uint64_t mask);
int64_t signal_tmp_mask_end(struct task *t, int64_t result);

// Takes one pending signal of `set` from t's own queue, else from the process's: its number, or 0.
// sigtimedwait.
int signal_take(struct task *t, uint64_t set, struct linux_siginfo *info);

// t leaves its process (sig_lock held): what was sent to it alone is forgotten.
void signal_forget(struct task *t);
// A thread of g has gone: signals of the group that it was to take are offered to the others. tasks_lock
// held.
void signal_rehome(struct tgroup *g);

// On an event with full registers: delivers what is pending, resolves task->restart, stops, or ends the task.
// regs is read and written by the caller around it. Returns 0 (go on with regs), SYS_GONE, or SYS_PARK
// (stopped: the state is STOPPED; when it is woken, call again).
int64_t signal_deliver(struct task *t, struct lx_regs *regs);
// rt_sigreturn(2): restores from the frame on the guest stack.
int64_t sys_rt_sigreturn(struct task *t, const struct sysargs *a);

// Every thread of g is to die, at once, whatever it waits for. sig_lock held.
void signal_kill_group(struct tgroup *g);

#endif
