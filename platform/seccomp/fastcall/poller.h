// SPDX-License-Identifier: Apache-2.0
// Sentry threads that spin on a ring; poller.c has the theory.
#ifndef PLATFORM_SECCOMP_FASTCALL_POLLER_H
#define PLATFORM_SECCOMP_FASTCALL_POLLER_H
#include "platform/platform.h"
#include <sched.h>
#include <stdatomic.h>

struct sc_platform;
struct sc_thread;

#define SC_POLLERS 2
#define SC_WATCHED 16  // rings that are polled at a time

// A waiter that polls rings and does nothing else. The first ring that is to be polled on its side of the
// CPUs makes it wanted, and the next waiter that comes is it.
struct sc_poller {
    cpu_set_t cpus;  // where it runs
    _Atomic int state;
    _Atomic int word;  // futex: it is to poll
};
enum { POLLER_NONE, POLLER_WANTED, POLLER_THERE };

struct sc_pollers {
    unsigned ncpus;  // of the sentry; 0: no pollers
    cpu_set_t all;   // these
    struct sc_poller poller[SC_POLLERS];
    _Atomic unsigned watched[SC_WATCHED];  // numbers of rings that are to be polled; 0: none
    _Atomic bool busy;                     // one of them polls, or is going to
    _Atomic uint64_t pause_until;          // monotonic ns: with full cores nobody polls before
    _Atomic bool any_aside;                // a thread was put aside, and may have made others
    _Atomic bool closed;                   // pollers return
};

void sc_pollers_open(struct sc_platform *p);
void sc_pollers_close(struct sc_platform *p);
bool sc_poller_begin(struct sc_platform *p);                       // a new waiter: is it to be a poller?
int sc_poller_wait(struct sc_platform *p, struct plat_event *ev);  // as plat_wait(); a poller's
void sc_poller_blocks(void);  // the calling poller is going to sleep for a call: that is no loss of its core
void sc_poller_wake(struct sc_thread *t);  // no lock; the event's receiver: has a busy thread's ring polled

// aside.c: a polled ring's thread keeps off the poller's core.
bool sc_aside_begin(struct sc_platform *p, cpu_set_t *others);  // the caller keeps to its core; or false
bool sc_aside_put(struct sc_platform *p, unsigned ring, const cpu_set_t *others);  // false: nothing was done
void sc_aside_return(struct sc_platform *p, unsigned ring);
void sc_run_on(int tid, const cpu_set_t *cpus);  // 0: the caller; when none of them is allowed: anywhere
void sc_aside_over(struct sc_thread *t);        // [lock] it may run anywhere
void sc_aside_born(const struct sc_thread *t);  // [lock] it checks in

#endif
