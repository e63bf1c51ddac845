// SPDX-License-Identifier: Apache-2.0
// See worker.h. The loop is run_call()'s, without what a host thread needs. Locks: none is held when run() or
// done() is called.
#include "sentry/run/worker.h"
#include "base/cleanup.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/task_impl.h"
#include "sentry/run/fuse_wait.h"
#include "sentry/run/impl.h"
#include "sentry/run/park.h"
#include "sentry/run/run.h"
#include <string.h>

// ---- Its life ---------------------------------------------------------------------------------------------
int worker_init(struct worker *w, const struct worker_ops *ops, struct task *owner, struct worker_budget *b) {
    struct task *t = task_alloc(owner->k, owner->tg);
    if (!t)
        return -LINUX_ENOMEM;
    *w = (struct worker){.ops = ops, .t = t, .owner = owner, .budget = b};
    list_init(&w->memory);
    t->worker = w;
    t->tid = owner->tid;
    t->mm = mm_get(owner->mm);
    t->files = fdtable_get(owner->files);
    ref_get(&owner->fs->refs);
    t->fs = owner->fs;
    t->nsproxy = nsproxy_get(owner->nsproxy);
    t->cred = cred_get(owner->cred);
    memcpy(t->comm, owner->comm, sizeof t->comm);
    t->personality = owner->personality;
    t->timer_slack = owner->timer_slack;
    t->ioprio = owner->ioprio;
    t->nice = owner->nice;
    t->blocked = owner->blocked;  // job control asks: a background write is let through where SIGTTOU is
    return 0;
}

void worker_free(struct worker *w) {
    struct task *t = take_ptr(w->t);
    worker_forget(w);
    task_assert_idle(t);
    atomic_store(&t->state, TASK_DEAD);
    mm_put(take_ptr(t->mm));  // it is no user of the map: task_drop_parts() has nothing to do
    task_drop_parts(t);
    task_put(t);
}

static void begin(struct worker *w) {
    struct call *c = &w->t->call;
    atomic_store(&w->t->state, TASK_HANDLING);
    c->again = c->timed_out = c->by_regs = c->supervised = c->context = false;
    c->phase = 0;
    c->done = 0;
    c->flush_result = 0;
}

static int64_t run_once(struct worker *w) {
    struct task *before = task_current;
    task_current = w->t;
    int64_t r = fuse_wait(w->t, w->ops->run(w));
    task_current = before;
    lock_assert_none("worker");
    return r;
}

// Until it waits (SYS_PARK), or to its result.
static int64_t run(struct worker *w) {
    struct task *t = w->t;
    struct call *c = &t->call;
    for (bool armed = false;; c->again = true) {
        atomic_store(&t->woken, false);
        c->armed = armed;
        armed = false;
        fuse_wait_over(t);
        if (c->again && !c->armed)
            park_disarm(t);
        if (c->again && c->deadline && mono_ns() >= c->deadline)
            c->timed_out = true;
        int64_t r = run_once(w);
        if (r == SYS_AGAIN)
            armed = true;
        else if (r != SYS_PARK)
            return r;
        else if (task_settle(t, TASK_PARKED))
            return r;
    }
}

// Of what a handler may answer, words that are no result: it has wanted a host thread.
static int64_t result(int64_t r) { return r < -LINUX_MAX_ERRNO && r <= SYS_PARK ? -LINUX_EOPNOTSUPP : r; }

// w, and then those that are to begin: what follows w first, then `others`.
static struct worker *step(struct worker *w, struct worker *others) {
    int64_t r = run(w);
    if (r == SYS_PARK)
        return others;  // w is another thread's, perhaps, or gone
    call_end(w->t);
    struct worker *next = w->ops->done(w, result(r)), **end = &next;
    while (*end)
        end = &(*end)->then;
    *end = others;
    return next;
}

void worker_run(struct worker *w) {
    while (w) {
        struct worker *others = take_ptr(w->then);
        begin(w);
        w = step(w, others);
    }
}
void worker_go_on(struct worker *w) {
    w->t->call.again = true;
    worker_run(step(w, NULL));
}

bool worker_dying(const struct worker *w) {
    return atomic_load(&w->t->killed) || atomic_load(&w->owner->killed);
}

void worker_cancel(struct task *t, bool kill) {
    if (kill)
        atomic_store(&t->killed, true);
    task_notify(t);
}

void workers_run_ready(void) {
    for (struct task *t; (t = ready_pop_worker());) {
        int from = TASK_READY;
        if (atomic_compare_exchange_strong(&t->state, &from, TASK_HANDLING))
            worker_go_on(t->worker);
        task_put(t);
    }
}
