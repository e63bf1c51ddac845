// SPDX-License-Identifier: Apache-2.0
// Pollers: waiters that spin on the rings of busy threads. Called by listener.c.
//
// A poller spins on a ring while its thread calls often, gives it up POLL_NS after the last call, and does so
// only with a core to spare: not while as many guest threads run as there are CPUs. One poller at a time
// spins, on up to SC_WATCHED rings. Two waiters are pollers, one bound to the even, one to the odd ones of
// our CPUs: the one that is not where the guest runs is woken, so that waking it moves neither it nor the
// guest. When a call could not be answered in the ring, that ring is given up: answering it by the listener
// may bring the thread to the poller's own core.
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

// A ring that this thread polls.
struct watch {
    unsigned ring;   // 0: none
    unsigned taken;  // calls from it
    uint64_t until;  // monotonic ns
};
static _Thread_local struct watch watches[SC_WATCHED];
static _Thread_local struct watch *last_taken;  // whose call this thread handles, or NULL

// Every second one of our CPUs, from the first or from the second on.
static void split_cpus(const cpu_set_t *all, struct sc_poller half[SC_POLLERS]) {
    CPU_ZERO(&half[0].cpus);
    CPU_ZERO(&half[1].cpus);
    for (unsigned cpu = 0, n = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, all))
            CPU_SET(cpu, &half[n++ % SC_POLLERS].cpus);
}

void sc_pollers_open(struct sc_platform *p) {
    cpu_set_t *all = &p->pollers.all;
    if (sched_getaffinity(0, sizeof *all, all))
        return;
    p->pollers.ncpus = (unsigned)CPU_COUNT(all);
    split_cpus(all, p->pollers.poller);
}

// ---- Waking -----------------------------------------------------------------------------------------------

static void wake_poller(struct sc_poller *w) {
    atomic_store(&w->word, 1);
    syscall(SYS_futex, &w->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

// The number of the ring that is to be polled; 0: not now. The thread may be destroyed meanwhile: the sentry
// has not claimed it yet.
static unsigned ring_to_poll(struct sc_thread *t) {
    LOCKED(&t->lock);
    if (t->state != SC_HELD || !t->fast)
        return 0;
    if (t->fast->poll_skip) {
        t->fast->poll_skip--;
        return 0;
    }
    return atomic_load(&t->ring_no);
}

// False: there are enough of them.
static bool add_watched(struct sc_pollers *pollers, unsigned ring) {
    for (unsigned i = 0; i < SC_WATCHED; i++)
        if (atomic_load(&pollers->watched[i]) == ring)
            return true;
    for (unsigned i = 0; i < SC_WATCHED; i++) {
        unsigned none = 0;
        if (atomic_compare_exchange_strong(&pollers->watched[i], &none, ring))
            return true;
    }
    return false;
}

// It is the one that is busy from now on.
static void start_polling(struct sc_platform *p, struct sc_poller *w) {
    if (atomic_load(&w->state) == POLLER_THERE) {
        wake_poller(w);
        return;
    }
    atomic_store(&w->word, 1);
    atomic_store(&w->state, POLLER_WANTED);
    int wanted = POLLER_WANTED;  // unless a waiter that was asked for something else has taken it
    if (!sc_another_waiter(p) && atomic_compare_exchange_strong(&w->state, &wanted, POLLER_NONE))
        atomic_store(&p->pollers.busy, false);
}

void sc_poller_wake(struct sc_thread *t) {
    struct sc_pollers *pollers = &sc_plat(t)->pollers;
    if (!t->wish.poller)
        return;
    t->wish.poller = false;
    int cpu = sched_getcpu();
    unsigned ring = cpu < 0 ? 0 : ring_to_poll(t);
    if (!ring || !add_watched(pollers, ring))
        return;
    struct sc_poller *w = &pollers->poller[CPU_ISSET((unsigned)cpu, &pollers->poller[0].cpus)];
    if (!atomic_exchange(&pollers->busy, true))
        start_polling(sc_plat(t), w);
}

void sc_pollers_close(struct sc_platform *p) {
    atomic_store(&p->pollers.closed, true);
    for (int i = 0; i < SC_POLLERS; i++)
        wake_poller(&p->pollers.poller[i]);
}

// ---- Polling ----------------------------------------------------------------------------------------------

// Little came of it: other work of the host has the cores. Next time later.
static void note_success(struct sc_platform *p, const struct watch *w) {
    struct sc_thread *t = atomic_load(&p->rings.owner[w->ring - 1]);
    if (!t)
        return;
    LOCKED(&t->lock);
    struct fastcall *f = t->fast;
    if (!f || atomic_load(&t->ring_no) != w->ring)
        return;
    f->poll_pause = w->taken < FEW_CALLS ? f->poll_pause * 2 + 1 : 0;
    if (f->poll_pause > MAX_PAUSE)
        f->poll_pause = MAX_PAUSE;
    f->poll_skip = f->poll_pause;
}

static void give_up(struct sc_platform *p, unsigned i) {
    struct watch *w = &watches[i];
    sc_ring_set_polled(p, w->ring, false);
    note_success(p, w);
    *w = (struct watch){0};
    atomic_store(&p->pollers.watched[i], 0);
}

static void give_up_ring(struct sc_platform *p, unsigned ring) {
    for (unsigned i = 0; i < SC_WATCHED; i++)
        if (ring && watches[i].ring == ring)
            give_up(p, i);
}

// What others have added.
static void look_for_new(struct sc_platform *p, uint64_t now) {
    for (unsigned i = 0; i < SC_WATCHED; i++) {
        unsigned ring = atomic_load_explicit(&p->pollers.watched[i], memory_order_relaxed);
        if (watches[i].ring || !ring)
            continue;
        plat_count_one(&p->base, STAT_POLLED);
        watches[i] = (struct watch){.ring = ring, .until = now + POLL_NS};
        sc_ring_set_polled(p, ring, true);
    }
}

// Gives up those that have been silent for too long. Time in which no thread can call, since the sentry holds
// it by a call that went another way, does not count; but not for ever. True: some are left.
static bool look_at_clock(struct sc_platform *p, uint64_t start, uint64_t *last) {
    uint64_t now = mono_ns(), idle = atomic_load(&p->nrunning) == 0 ? now - *last : 0;
    bool left = false;
    *last = now;
    look_for_new(p, now);
    for (unsigned i = 0; i < SC_WATCHED; i++) {
        struct watch *w = &watches[i];
        w->until += idle;
        if (w->ring && (!sc_ring_is_polled(p, w->ring) || now > w->until || now > start + POLL_MOST_NS))
            give_up(p, i);
        left = left || w->ring;
    }
    return left;
}

static bool core_is_wanted(struct sc_platform *p) {
    return atomic_load(&p->nrunning) >= p->pollers.ncpus || atomic_load(&p->pollers.closed);
}

static bool take_call(struct sc_platform *p, struct plat_event *ev) {
    for (unsigned i = 0; i < SC_WATCHED; i++) {
        struct watch *w = &watches[i];
        if (w->ring && sc_ring_has_call(p, w->ring) && sc_ring_take(p, w->ring, ev)) {
            w->taken++;
            last_taken = w;
            return true;
        }
    }
    return false;
}

// True: *ev is a call. False: there is nothing to poll any more. No host call while it spins: the clock is in
// the vDSO.
static bool spin(struct sc_platform *p, struct plat_event *ev) {
    uint64_t start = mono_ns(), last = start;
    if (last_taken)
        last_taken->until = start + POLL_NS;
    last_taken = NULL;
    give_up_ring(p, sc_ring_settle_last());
    look_for_new(p, start);
    for (unsigned n = 1;; n++) {
        if (take_call(p, ev))
            return true;
        if (n % 64 == 0 && (core_is_wanted(p) || !look_at_clock(p, start, &last)))
            break;
        __builtin_ia32_pause();
    }
    for (unsigned i = 0; i < SC_WATCHED; i++)
        if (watches[i].ring)
            give_up(p, i);
    return false;
}

static bool anything_watched(const struct sc_pollers *pollers) {
    for (unsigned i = 0; i < SC_WATCHED; i++)
        if (atomic_load(&pollers->watched[i]))
            return true;
    return false;
}

// Whoever adds a ring wakes a poller only when none is busy.
static bool may_rest(struct sc_platform *p) {
    struct sc_pollers *pollers = &p->pollers;
    atomic_store(&pollers->busy, false);
    return atomic_load(&pollers->closed) || !anything_watched(pollers) || core_is_wanted(p) ||
           atomic_exchange(&pollers->busy, true);
}

bool sc_poller_begin(struct sc_platform *p) {
    struct sc_pollers *pollers = &p->pollers;
    for (int i = 0; i < SC_POLLERS; i++) {
        struct sc_poller *w = &pollers->poller[i];
        int wanted = POLLER_WANTED;
        if (!atomic_compare_exchange_strong(&w->state, &wanted, POLLER_THERE))
            continue;
        if (sched_setaffinity(0, sizeof w->cpus, &w->cpus))
            return false;  // it would take its guests' core; `busy` stays, so that nobody asks again
        me = w;
        return true;
    }
    if (pollers->ncpus > 1)  // the thread that made it may be a poller
        (void)sched_setaffinity(0, sizeof pollers->all, &pollers->all);
    return false;
}

int sc_poller_wait(struct sc_platform *p, struct plat_event *ev) {
    static _Thread_local bool polls;
    while (!atomic_load(&p->pollers.closed)) {
        if (polls && spin(p, ev))
            return 0;
        if (polls && !may_rest(p))
            continue;
        polls = false;
        while (!atomic_exchange(&me->word, 0))
            syscall(SYS_futex, &me->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
        polls = true;
    }
    return -LINUX_ESHUTDOWN;
}
