// SPDX-License-Identifier: Apache-2.0
// Namespaces of processes, pid_namespaces(7). All numbers that the sentry keeps are the first namespace's; a
// task, group or session in an inner one has one more for each level, and numbers are turned into a caller's
// where they pass to or from it.
//
// [T]: kernel->tasks_lock
#ifndef SENTRY_PROC_PID_NS_H
#define SENTRY_PROC_PID_NS_H
#include "base/rbtree.h"
#include "fs/nsfs.h"

#define PID_NS_LEVELS 32  // that lie in each other, below the first

struct kernel;
struct task;
struct tgroup;

struct pid_ns {
    struct ns ns;
    struct kernel *k;        // [c] borrowed
    struct pid_ns *parent;   // [c] owned; NULL: the first
    unsigned level;          // [c]
    struct rb_root numbers;  // [T] struct pid_number; of the first one: none, numbers are the kernel's
    int32_t last;            // [T] given out last
    struct tgroup *init;     // [T] borrowed: number 1, which reaps; NULL: not yet, or no more
    bool dead;               // [T] its init has ended: nothing is made in it any more
    unsigned nprocs;         // [T] processes in it and below that have not ended
};
struct pid_ns *pid_ns_first(struct kernel *k);                       // NULL: no memory
int pid_ns_make(struct task *t, struct ns *owner, struct ns **out);  // below t's; EINVAL, ENOSPC, ENOMEM
static inline struct pid_ns *pid_ns_of(struct ns *n) { return (struct pid_ns *)n; }
bool pid_ns_is_in(const struct pid_ns *p, const struct pid_ns *outer);  // or is it

// ---- Numbers ----------------------------------------------------------------------------------------------
// The kernel's number `pid` is one of ns: gives it one there and in each namespace around it. wanted: those
// that clone3(2) asks for, innermost first. 0, ENOMEM (also: ns is dead), EEXIST, EINVAL, EAGAIN. [T]
int pid_give_numbers(struct pid_ns *ns, int32_t pid, const int32_t *wanted, unsigned n);
// Nothing has the number any more, perhaps: then those that belong to it are free. [T]
void pid_settle(struct kernel *k, int32_t pid);
int32_t pid_out(const struct pid_ns *ns, int32_t pid);  // as ns sees it; 0: not at all. [T]
int32_t pid_in(const struct pid_ns *ns, int32_t nr);    // the kernel's; 0: nobody's. [T]
// The first number >= from that ns knows, and the kernel's; -1: none. [T]
int32_t pid_next(const struct pid_ns *ns, int32_t from, int32_t *pid);
// As ns sees it, and as each namespace below that it is in does: how many. [T]
unsigned pid_levels(const struct pid_ns *ns, int32_t pid, int32_t out[PID_NS_LEVELS + 1]);
// From who reads a number: whose own or with no lock held.
int32_t task_vpid(const struct task *t);  // its process's number in its own namespace
int32_t task_vtid(const struct task *t);
int32_t task_pid_out(struct task *t, int32_t pid);  // of another, as t sees it. No lock is held
int32_t task_pid_in(struct task *t, int32_t nr);

// ---- Life [T] ---------------------------------------------------------------------------------------------
void pid_ns_joins(struct tgroup *g);  // a new process, with its numbers
// It has ended. If it is an init, all others end. True: the end may be told; false: pid_ns_waiting() says
// when.
bool pid_ns_leaves(struct tgroup *g);
struct tgroup *
pid_ns_waiting(struct tgroup *g);             // an init whose end is to be told now that g has left, or NULL
bool pid_ns_is_init(const struct tgroup *g);  // of an inner one
#endif
