// SPDX-License-Identifier: Apache-2.0
// Where guest threads run. A ptrace round trip within one CPU costs 8 us; with the tracer asleep on another
// CPU it costs 50 us, and left alone the host spreads the two, because each finds the other's CPU busy. So
// while the guest does little more than call the sentry, one thread at a time, tracer and guest threads are
// bound to one CPU. The binding is given up when there is work for more CPUs: more than two threads run, or
// one runs for longer than a sleep of pt_patience() without a call; and now and then anyway, so that the host
// can choose another CPU.
//
// A sentry thread that the tracer makes while it is bound inherits the binding: sentry threads are made at
// the start. Tracer only, under platform.lock. Cost: one host call for a thread that changes its place.
#include "platform/ptrace/pt.h"

#define CALM_CALLS  32u   // so many calls in a row with at most one other thread running
#define BOUND_CALLS 8192u // the longest time of one binding

static bool place(struct pt_platform *p, int tid, int cpu) {
    cpu_set_t one;
    if (cpu < 0)
        return sched_setaffinity(tid, sizeof(p->cpus), &p->cpus) == 0;
    CPU_ZERO(&one);
    CPU_SET((unsigned)cpu, &one);
    return sched_setaffinity(tid, sizeof(one), &one) == 0;
}

void pt_follow_init(struct pt_platform *p) {
    p->cpu = -1;
    p->no_follow = sched_getaffinity(0, sizeof(p->cpus), &p->cpus) != 0 || CPU_COUNT(&p->cpus) < 2;
}

void pt_unfollow(struct pt_platform *p) {
    struct pt_as *as;
    struct pt_thread *t;
    p->calm = 0;
    if (p->cpu < 0)
        return;
    p->cpu = -1;
    place(p, p->tracer_tid, -1);
    list_for_each (as, &p->spaces, link) {
        list_for_each (t, &as->threads, as_link) {
            if (t->cpu >= 0 && (t->state == PT_RUNNING || t->state == PT_WORKING)) {
                t->cpu = -1;
                place(p, t->tid, -1);
            }
        }
    }
}

static void bind_tracer(struct pt_platform *p) {
    int cpu = sched_getcpu();
    p->no_follow = cpu < 0 || !place(p, p->tracer_tid, cpu);
    if (p->no_follow)
        return;
    p->cpu = cpu;
    p->bound_calls = 0;
}

// t is about to go on.
void pt_follow(struct pt_thread *t) {
    struct pt_platform *p = pt_owner(t);
    if (p->no_follow && t->cpu < 0)
        return;
    if (p->nrunning >= 2 || (p->cpu >= 0 && p->bound_calls++ >= BOUND_CALLS))
        pt_unfollow(p);
    else if (p->calm < CALM_CALLS)
        p->calm++;
    if (p->cpu < 0 && p->calm >= CALM_CALLS && !p->no_follow)
        bind_tracer(p);
    if (t->cpu != p->cpu && place(p, t->tid, p->cpu))
        t->cpu = p->cpu;
}

// How long the tracer may sleep before the binding is wrong, in us; 0: for ever.
unsigned pt_patience(const struct pt_platform *p) {
    if (p->cpu < 0 || p->nrunning == 0)
        return 0;
    return p->nrunning == 1 ? 2000 : 200;
}
