// SPDX-License-Identifier: Apache-2.0
// Pollers: waiters that spin on the ring of a busy thread. Called by listener.c.
//
// A poller spins on a ring while its thread calls often, gives up POLL_NS after the last call, and does so
// only with a core to spare; at most one ring is polled at a time. Two waiters are pollers, one bound to the
// even, one to the odd ones of our CPUs: the one that is not where the guest runs is woken, so that waking it
// moves neither it nor the guest. When a call could not be answered in the ring, the poller goes to sleep:
// answering it by the listener may bring the thread to the poller's own core.
#include "abi/errno.h"
#include "base/clock.h"
#include "platform/seccomp/sc.h"
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POLL_NS      100000
#define POLL_MOST_NS 1000000
#define FEW_CALLS    32    // so many were not worth the polling
#define MAX_PAUSE    1023  // times FEW_CALLS calls

static _Thread_local struct sc_poller *me;   // NULL: an ordinary waiter
static _Thread_local struct sc_as *polling;  // held
static _Thread_local unsigned taken;         // calls from it

// Every second one of our CPUs, from the first or from the second on.
static void split_cpus(const cpu_set_t *all, struct sc_poller half[SC_POLLERS]) {
    CPU_ZERO(&half[0].cpus);
    CPU_ZERO(&half[1].cpus);
    for (unsigned cpu = 0, n = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, all))
            CPU_SET(cpu, &half[n++ % SC_POLLERS].cpus);
}

void sc_pollers_open(struct sc_platform *p) {
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all))
        return;
    p->pollers.ncpus = (unsigned)CPU_COUNT(&all);
    split_cpus(&all, p->pollers.poller);
}

// ---- Waking -----------------------------------------------------------------------------------------------

static void wake_poller(struct sc_poller *w) {
    atomic_store(&w->word, 1);
    syscall(SYS_futex, &w->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

// Whose ring is to be polled, held; NULL: not now. The thread may be destroyed meanwhile: the sentry has not
// claimed it yet.
static struct sc_as *space_to_poll(struct sc_thread *t) {
    LOCKED(&t->lock);
    struct sc_as *as = sc_as(t);
    if (t->state != SC_HELD || !as->ring || (as->poll_skip && as->poll_skip--))
        return NULL;
    sc_as_hold(as);
    return as;
}

void sc_poller_wake(struct sc_thread *t) {
    struct sc_pollers *pollers = &sc_plat(t)->pollers;
    if (!t->wish.poller)
        return;
    t->wish.poller = false;
    int cpu = sched_getcpu();
    struct sc_as *as = cpu < 0 ? NULL : space_to_poll(t);
    if (!as)
        return;
    struct sc_poller *w = &pollers->poller[CPU_ISSET((unsigned)cpu, &pollers->poller[0].cpus)];
    if (!atomic_load(&w->there) || atomic_exchange(&pollers->busy, true)) {
        sc_as_unhold(as);
        return;
    }
    atomic_store(&w->work, as);
    wake_poller(w);
}

void sc_pollers_close(struct sc_platform *p) {
    atomic_store(&p->pollers.closed, true);
    for (int i = 0; i < SC_POLLERS; i++)
        wake_poller(&p->pollers.poller[i]);
}

// ---- Polling ----------------------------------------------------------------------------------------------

static void end_polling(struct sc_platform *p) {
    sc_ring_set_polled(polling, false);
    // Little came of it: other work of the host has the cores. Next time later.
    polling->poll_pause = taken < FEW_CALLS ? polling->poll_pause * 2 + 1 : 0;
    if (polling->poll_pause > MAX_PAUSE)
        polling->poll_pause = MAX_PAUSE;
    polling->poll_skip = polling->poll_pause;
    taken = 0;
    sc_as_unhold(polling);
    polling = NULL;
    atomic_store(&p->pollers.busy, false);
}

// Has the thread made no call for too long? Time in which it cannot, since the sentry holds it by a call that
// went another way, does not count; but not for ever.
static bool is_over(struct sc_platform *p, uint64_t start, uint64_t *until, uint64_t *last) {
    uint64_t now = mono_ns();
    if (atomic_load(&p->nrunning) == 0)
        *until += now - *last;
    *last = now;
    return now > *until || now > start + POLL_MOST_NS;
}

static bool core_is_wanted(struct sc_platform *p) {
    return atomic_load(&p->nrunning) >= p->pollers.ncpus || atomic_load(&p->pollers.closed);
}

// No host call while it spins: the clock is in the vDSO.
static bool spin(struct sc_platform *p, struct plat_event *ev) {
    struct sc_thread *t = atomic_load(&polling->ring_thread);
    if (sc_ring_last_is_over(polling, t)) {
        sc_ring_set_polled(polling, true);
        uint64_t start = mono_ns(), last = start, until = start + POLL_NS;
        for (unsigned i = 1;; i++) {
            if (sc_ring_has_call(polling) && sc_ring_take(polling, t, ev)) {
                taken++;
                return true;
            }
            if (i % 64 == 0 &&
                (!sc_ring_is_polled(polling) || core_is_wanted(p) || is_over(p, start, &until, &last)))
                break;
            __builtin_ia32_pause();
        }
    }
    end_polling(p);
    return false;
}

bool sc_poller_begin(struct sc_platform *p) {
    struct sc_pollers *pollers = &p->pollers;
    unsigned n = p->rings.mem && pollers->ncpus > 1 ? atomic_fetch_add(&pollers->nwaiters, 1) : 0;
    if (n < SC_LISTENERS || n >= SC_LISTENERS + SC_POLLERS)
        return false;
    me = &pollers->poller[n - SC_LISTENERS];
    if (sched_setaffinity(0, sizeof me->cpus, &me->cpus)) {
        me = NULL;
        return false;
    }
    atomic_store(&me->there, true);
    return true;
}

int sc_poller_wait(struct sc_platform *p, struct plat_event *ev) {
    for (;;) {
        if (polling && spin(p, ev))
            return 0;
        if (atomic_load(&p->pollers.closed))
            break;
        if ((polling = atomic_exchange(&me->work, NULL)))
            continue;
        if (!atomic_exchange(&me->word, 0))
            syscall(SYS_futex, &me->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    }
    struct sc_as *as = atomic_exchange(&me->work, NULL);
    if (as)
        sc_as_unhold(as);
    return -LINUX_ESHUTDOWN;
}
