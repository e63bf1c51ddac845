// SPDX-License-Identifier: Apache-2.0
// seccomp(2) of guests: filters over their own calls, run by the sentry before a call is made. Every call of
// a guest passes run/before_call.c, by whichever way it came (notification, trap, ring, proposal), so there
// is one place to ask. What the platform's own filters do has nothing to do with these.
//
// A task has a chain of filters, the newest first. A filter never changes once it is published, and keeps the
// one before it; so a task that reads its chain without a lock may go on with it while another thread (TSYNC)
// gives it a longer one.
//
// Locks: [T] tasks_lock to give a task filters; a listener's own lock (RANK_OBJECT).
#ifndef SENTRY_SECCOMP_SECCOMP_H
#define SENTRY_SECCOMP_SECCOMP_H
#include "abi/seccomp.h"
#include "sentry/proc/task.h"

struct file;
struct seccomp_filter;
struct seccomp_listener;

// ---- A task's filters (filter.c) --------------------------------------------------------------------------
struct seccomp_filter *seccomp_get(struct seccomp_filter *f);  // f may be NULL
void seccomp_put(struct seccomp_filter *f);                    // the same
unsigned seccomp_depth(const struct seccomp_filter *f);        // how many filters there are
// [T] A new thread or process gets what its maker has now.
void seccomp_inherit(struct task *child, struct task *parent);
// prctl(2), seccomp(2): the calling task forbids itself more. flags: LINUX_SECCOMP_FILTER_FLAG_*, checked
// here. 0, a listener's descriptor, the number of a thread that TSYNC cannot reach, or an error.
int64_t seccomp_set_strict(struct task *t);
int64_t seccomp_set_filter(struct task *t, uint64_t flags, uaddr_t program);
// A filter that nobody has yet, from outside the sandbox. Owned; 0 or -LINUX_E*.
int seccomp_filter_make(const struct linux_sock_filter *insns, unsigned n, bool log,
                        struct seccomp_filter **out);
// It is the first that a task without a program has; f may be NULL.
void seccomp_begin(struct task *t, struct seccomp_filter *f);
// PR_SET_NO_NEW_PRIVS is on: by prctl(2), or by another thread's TSYNC.
bool task_no_new_privs(const struct task *t);

// ---- A call (filter.c) ------------------------------------------------------------------------------------
static inline bool seccomp_on(const struct task *t) {
    return atomic_load_explicit(&t->seccomp_mode, memory_order_acquire) != LINUX_SECCOMP_MODE_DISABLED;
}
struct seccomp_verdict {
    uint32_t action;  // LINUX_SECCOMP_RET_*, without the data
    uint16_t data;
    bool needs_ip;              // the filters ask where the call is made: to be judged again, with it
    bool log;                   // the filter that decided wants it to be logged
    struct seccomp_filter *by;  // borrowed: which of the task's filters it is; NULL: strict mode
};
// What becomes of t->call. ip: behind its instruction; NULL: not known.
void seccomp_judge(struct task *t, const uint64_t *ip, struct seccomp_verdict *v);
// The call as filters see it.
struct linux_seccomp_data seccomp_data_of(const struct task *t, uint64_t ip);

// ---- Supervisors (notify.c) -------------------------------------------------------------------------------
// A listener for one filter, and a file over it. Both owned by the caller.
int seccomp_listener_new(struct vfs *vfs, bool killable, struct seccomp_listener **out, struct file **file);
void seccomp_listener_filter_gone(struct seccomp_listener *l);  // gives the filter's reference back
struct seccomp_listener *seccomp_listener_of(const struct seccomp_filter *f);  // filter.c; or NULL
// The call waits for the word of its filter's supervisor from now on: call.supervised is set. 0 or an error,
// with which the call ends.
int64_t seccomp_ask(struct task *t, const struct seccomp_filter *by, uint64_t ip);
// A handler's place (call.h) while call.supervised is set: SYS_PARK, -LINUX_ERESTARTSYS, SYS_ANSWER, or
// SYS_AGAIN with call.supervised no longer set: the call is to be made.
int64_t seccomp_supervised(struct task *t);
bool seccomp_is_listener(const struct file *f);
int64_t seccomp_listener_ioctl(struct task *t, struct file *f, unsigned cmd, uaddr_t arg);

#endif
