// SPDX-License-Identifier: Apache-2.0
// Waiting: how a call is parked and woken (see park.h for the pattern). Called by handlers and by whoever
// wakes.
//
// The state word and the flag `woken` decide the race between a handler that parks and a waker: the handler's
// side writes PARKED and then looks at `woken`, the waker writes `woken` and then looks for PARKED; one of
// them sees the other. A woken task goes on the waking thread's own ready list, and that thread runs it at
// the end of its turn: no thread of ours is woken for it.
#include "sentry/run/park.h"
#include "abi/poll.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "fs/fuse/ask.h"
#include "fs/vfs.h"
#include "sentry/kernel.h"
#include "sentry/procfs/procfs.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/impl.h"
#include "sentry/run/worker.h"
#include "sentry/time/timeconv.h"
#include <stdlib.h>

static _Thread_local struct list ready = {NULL, NULL};

static void make_ready(struct task *t) {
    if (!ready.next)
        list_init(&ready);
    task_get(t);
    list_add_tail(&ready, &t->ready_link);
}

struct task *ready_pop(void) {
    if (!ready.next || list_empty(&ready))
        return NULL;
    struct task *t = list_first(&ready, struct task, ready_link);
    list_del(&t->ready_link);
    return t;
}

struct task *ready_pop_worker(void) {
    struct task *t;
    if (!ready.next)
        return NULL;
    list_for_each(t, &ready, ready_link) {
        if (!t->worker)
            continue;
        list_del(&t->ready_link);
        return t;
    }
    return NULL;
}

static bool change_state(struct task *t, int from, int to) {
    return atomic_compare_exchange_strong(&t->state, &from, to);
}

void task_wake(struct task *t) {
    atomic_store(&t->woken, true);
    if (change_state(t, TASK_PARKED, TASK_READY))
        make_ready(t);
}

// Stopped tasks are woken only by signals, never by what their call waited for.
void task_notify(struct task *t) {
    atomic_store(&t->sigpending, true);
    atomic_store(&t->woken, true);
    if (change_state(t, TASK_PARKED, TASK_READY) || change_state(t, TASK_STOPPED, TASK_READY)) {
        make_ready(t);
        return;
    }
    LOCKED(&t->thread_lock);
    if (atomic_load(&t->state) == TASK_GUEST && t->thread)
        plat_interrupt(t->thread);
}

void task_condemn(struct task *t) {
    atomic_store(&t->killed, true);
    ptrace_break(t);
    task_notify(t);
}

bool task_settle(struct task *t, int state) {
    atomic_store(&t->state, state);
    return !(atomic_load(&t->woken) && change_state(t, state, TASK_HANDLING));
}

// ---- What a call has registered ---------------------------------------------------------------------------
static bool wake_from_queue(struct waiter *w, uint32_t events) {
    task_wake(container_of(w, struct task, call.parked.waiter));
    return true;
}

struct waiter *park_waiter(struct task *t) {
    struct waiter *w = &t->call.parked.waiter;
    waitq_del(w);
    *w = (struct waiter){.events = ~0u, .wake = wake_from_queue};
    return w;
}

void park_arm(struct task *t, struct waitq *q) { waitq_add(q, park_waiter(t)); }

static void keep_file(struct task *t, struct file *f) {
    struct file *before = t->call.parked.file;
    t->call.parked.file = file_get(f);
    if (before)
        file_put(before);
}

void park_arm_in(struct task *t, struct file *f, struct waitq *q) {
    struct waiter *w = park_waiter(t);
    keep_file(t, f);
    waitq_add(q, w);
}

uint32_t park_arm_file(struct task *t, struct file *f, uint32_t events) {
    struct waiter *w = park_waiter(t);
    keep_file(t, f);
    w->events = events;
    return vfs_poll(f, w);
}

struct waiter *park_many(struct task *t, unsigned n) {
    struct parked *p = &t->call.parked;
    invariant(!p->many);
    p->many = xcalloc(n, sizeof *p->many);
    p->nmany = p->many ? n : 0;
    return p->many;
}

void park_disarm(struct task *t) {
    struct parked *p = &t->call.parked;
    waitq_del(&p->waiter);
    for (unsigned i = 0; i < p->nmany; i++)
        waitq_del(&p->many[i]);
}

struct file *park_file(struct task *t) {
    if (t->worker && t->worker->file)
        return t->worker->file;
    return t->call.again ? t->call.parked.file : NULL;
}

void park_end(struct task *t) {
    struct call *c = &t->call;
    park_disarm(t);
    c->parked.nmany = 0;
    free(take_ptr(c->parked.many));
    struct file *f = take_ptr(c->parked.file);
    if (f)
        file_put(f);
    if (c->deadline)
        ktimer_cancel(&t->call_timer);
    c->deadline = 0;
}

bool park_ended(struct task *t) {
    const struct parked *p = &t->call.parked;
    return !p->waiter.q && !p->many && !p->file && !t->call.deadline && !futex_queued(&t->futex) &&
           !t->sigwait_set;
}

static void call_timeout(struct ktimer *timer) {
    struct task *t = container_of(timer, struct task, call_timer);
    task_wake(t);  // the handler's rerun compares the clock with the deadline
}

void park_init(struct task *t) { ktimer_init(&t->k->timers, &t->call_timer, call_timeout); }

void park_deadline(struct task *t, uint64_t mono_ns_abs) {
    if (t->call.deadline)
        return;
    t->call.deadline = mono_ns_abs ? mono_ns_abs : 1;
    if (t->call.deadline <= mono_ns())
        t->call.timed_out = true;
    else
        ktimer_set(&t->call_timer, t->call.deadline);
}

void park_deadline_move(struct task *t, uint64_t mono_ns_abs) {
    struct call *c = &t->call;
    if (c->deadline == mono_ns_abs)
        return;
    if (c->deadline)
        ktimer_cancel(&t->call_timer);
    c->deadline = 0;
    c->timed_out = false;
    if (mono_ns_abs)
        park_deadline(t, mono_ns_abs);
}

// The timer is due at once, and is the event thread's: that goes on with the call after what it has to do
// else, and the thread that handled the call so far (on ptrace the only one that serves guests) is free.
#define YIELDED 1u
int64_t park_yield(struct task *t) {
    struct call *c = &t->call;
    if (c->deadline)
        return SYS_AGAIN;  // it has a deadline of its own, which counts
    c->deadline = YIELDED;
    ktimer_set(&t->call_timer, YIELDED);
    return SYS_PARK;
}
void park_yielded(struct task *t) {
    struct call *c = &t->call;
    if (c->deadline != YIELDED)
        return;
    ktimer_cancel(&t->call_timer);
    c->deadline = 0;
    c->timed_out = false;
}

int64_t park(struct task *t) { return task_interrupted(t) ? -LINUX_ERESTARTSYS : SYS_PARK; }
int64_t park_killable(struct task *t) { return atomic_load(&t->killed) ? -LINUX_EINTR : SYS_PARK; }

static bool armed_for(const struct task *t, const struct file *f, uint32_t events) {
    const struct parked *p = &t->call.parked;
    return t->call.armed && p->waiter.q && p->file == f && p->waiter.events == events;
}

int64_t park_file_result(struct task *t, struct file *f, uint32_t events, int64_t r) {
    if (r != -LINUX_EAGAIN || (atomic_load(&f->flags) & LINUX_O_NONBLOCK) || fuse_is_file(f))
        return r;
    if (procfs_is_mem(f)) {  // it waits for a tracee, which is no event of the file
        park_yielded(t);
        return park_yield(t);
    }
    if (t->call.timed_out)
        return r;
    // That f is ready by poll(2)'s lights does not promise that this call can go on (an eventfd with room for
    // 1, a write of 2). So it is tried once more, with the waiter on its queue; after that only a new event
    // is of use.
    if (!armed_for(t, f, events) && (park_arm_file(t, f, events) & (events | LINUX_POLLERR | LINUX_POLLHUP)))
        return SYS_AGAIN;
    uint64_t timeout = atomic_load(events & LINUX_POLLIN ? &f->read_timeout : &f->write_timeout);
    if (!timeout)
        return park(t);
    park_deadline(t, time_after(timeout));
    if (t->call.timed_out)
        return r;
    r = park(t);
    return r == -LINUX_ERESTARTSYS ? -LINUX_EINTR : r;  // signal(7): with a timeout, never restarted
}
