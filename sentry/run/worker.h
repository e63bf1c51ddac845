// SPDX-License-Identifier: Apache-2.0
// Workers: tasks without a host thread, for what is done in a guest's name while its threads do something
// else (requests of io_uring). A worker has a task with memory, descriptors, place in the file system and
// credentials of the thread that it works for, and runs the same handlers as that thread's calls do: they
// park, and are woken, run again and ended, in the same way (run/call.h, run/park.h). Nobody else sees that
// task: it has no number of its own and is on no list of its process; its signals are the process's.
//
// States of its task: NEW -> HANDLING (worker_run) -> PARKED <-> READY, HANDLING -> DEAD (worker_free).
#ifndef SENTRY_RUN_WORKER_H
#define SENTRY_RUN_WORKER_H
#include "base/list.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file;
struct task;
struct worker;

struct worker_ops {
    // As a handler of a call, of worker->t: a value, an error, SYS_PARK, SYS_AGAIN. What would need a host
    // thread (SYS_FLUSH ...) is EOPNOTSUPP.
    int64_t (*run)(struct worker *w);
    // Its result; the call has ended. Who is to begin next, a list by `then`: w itself (again), others, or
    // NULL. w may be freed.
    struct worker *(*done)(struct worker *w, int64_t result);
};

struct worker_budget {
    _Atomic size_t used;  // bytes
    size_t most;          // [c]
};
bool worker_charge(struct worker_budget *b, size_t n);  // false: there is no more
static inline void worker_uncharge(struct worker_budget *b, size_t n) { atomic_fetch_sub(&b->used, n); }

struct worker {
    const struct worker_ops *ops;  // [c]
    struct task *t;                // [c] owned
    struct task *owner;            // [c] borrowed: in whose name
    struct worker_budget *budget;  // [c] borrowed: what it remembers is charged to
    struct worker *then;           // of a list of those that are to begin
    struct file *file;             // borrowed: what park_file() answers from the first run on; or NULL
    struct list memory;            // what it has read of guest memory, and reads again
    size_t remembered;             // bytes of it
};

// A worker in the name of `owner`, which outlives it as the budget does. 0, -LINUX_ENOMEM.
int worker_init(struct worker *w, const struct worker_ops *ops, struct task *owner, struct worker_budget *b);
// Will it, or its owner, die? What it does for long ends then (signal_dying()).
bool worker_dying(const struct worker *w);
void worker_free(struct worker *w);  // not parked: from within done(), or before worker_run()
// Runs each of a list until it is done or waits, and whoever follows it. They may be gone afterwards.
void worker_run(struct worker *w);
void worker_go_on(struct worker *w);  // it was woken; claimed by the caller (HANDLING)
// Makes it end: a call that waits ends as if a signal had come; `kill`: one under way, too, as soon as it
// can. By its task, which the caller has a reference of: the worker may be gone.
void worker_cancel(struct task *t, bool kill);
// Those that this thread has woken go on now, instead of after the call that it handles.
void workers_run_ready(void);

// What a worker reads of guest memory (copy_in()) it reads once: a call that is run again finds what the
// first run found, whatever the guest has done to that memory since. That is what IORING_FEAT_SUBMIT_STABLE
// promises. (Where there is no room for it, as long as the budget is used up, it is read anew.) True: it is
// there.
bool worker_recall(const struct worker *w, void *dst, uint64_t addr, size_t n);
void worker_remember(struct worker *w, uint64_t addr, const void *src, size_t n);
// Something that a handler wants to find in guest memory, and that is not there: an address for it, which no
// guest has. 0: no memory. A handler's answer there changes it.
uint64_t worker_pretend(struct worker *w, const void *src, size_t n);
void worker_forget(struct worker *w);  // all of it
bool worker_write_back(struct worker *w, uint64_t addr, const void *src, size_t n);

#endif
