// SPDX-License-Identifier: Apache-2.0
// Pollers: waiters that spin on the rings of busy threads. Called by listener.c.
//
// A poller spins on a ring while its thread calls often, and gives it up POLL_NS after the last call. One
// poller at a time spins, on up to SC_WATCHED rings. Two waiters are pollers, one bound to the even, one to
// the odd ones of our CPUs: the one that is not where the guest runs is woken, so that waking it moves
// neither it nor the guest.
//
// Where as many guest threads run as there are CPUs, a poller takes a core from them. It keeps it as long as
// that pays: as long as it has spun for less time than the calls that it took would have cost by notification
// (which has been timed, sc_platform.notified_ns). What it polls is put on the other cores (aside.c). Other
// threads may run where it runs, and do not find it; their calls come by notification then. So it is the
// receiver of these too meanwhile (sc_listen_claim()): they leave it the core until it has looked. The same
// where a call could not be answered in the ring, because it waits: its thread comes by notification, and
// would wake another waiter on a core that works. When something else has had its core for a while, for it is
// not alone on this machine, it gives up, and with full cores nobody polls for a time that grows.
#include "abi/errno.h"
#include "base/clock.h"
#include "platform/seccomp/sc.h"
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POLL_NS      100000
#define POLL_MOST_NS 1000000
#define QUEUED_NS    10000000  // more where a thread may be waiting for a core
#define SPARE_NS      400000  // more on a core that nobody wants, as long as it has spun in vain for less ...
#define SPARE_TIMES   16      // ... than so many times what the calls would have cost by notification
#define KEEP_NS       20000000  // a silent one is kept beside others that call: looking costs a load
#define FEW_CALLS    32        // so many were not worth the polling
#define MAX_PAUSE    63        // times FEW_CALLS calls
#define LOOK_TURNS   8         // looks at the rings for each one at the listener, which is a host call
#define CLOCK_TURNS  64        // ... and at the clock
#define QUIET_TURNS  2048      // without an event at the listener: it is left to those who sleep there
#define LOST_NS      500000    // between two looks at the clock: something else has had our core
#define PAUSE_NS      5000000   // nobody polls after that, twice as long each time
#define PAUSE_MOST_NS 320000000
#define UNPAID_MOST_NS 40000000  // ... when it did not pay
#define MOVE_NS       1000000   // until a thread that was put aside may be expected to call
#define GOOD_NS       50000000  // of polling, after which a pause is as short as the first
#define GRACE_NS     200000    // before it has to pay
#define ALONE_NS       1000000   // the same when its threads have been put aside, which takes them a while
#define ACCOUNT_NS   2000000   // of spinning, after which what came of it counts half

static _Thread_local struct sc_poller *me;   // NULL: an ordinary waiter

// A ring that this thread polls.
struct watch {
    unsigned ring;   // 0: none
    unsigned taken;  // calls from it
    bool calls;      // has called since the clock was looked at
    bool aside;      // its thread was put aside
    uint64_t until;  // monotonic ns
    uint64_t last;   // the last look at the clock that found calls of it
};

// What a poller's thread knows.
struct polling {
    bool on;
    struct watch watches[SC_WATCHED];
    struct watch *last_taken;  // whose call this thread handles, or NULL
    unsigned next;             // the watch to look at first
    unsigned turn;
    unsigned heard;     // the turn of the last event by the listener, or claim of it
    uint64_t since;     // the first look at the clock since the last event; 0: none yet
    uint64_t clock;     // the last look
    uint64_t awake;     // full cores: when it was last seen to run, whatever it did; 0: not looked at
    uint64_t begun;     // this polling
    uint64_t pause_ns;  // the last pause
    bool lost;          // the core
    bool alone;         // it keeps to one core, and has `others` for those that it polls
    cpu_set_t others;
    uint64_t spent_ns;  // spinning in vain
    unsigned taken;     // calls
};
static _Thread_local struct polling my;

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

static bool cores_are_full(struct sc_platform *p) { return atomic_load(&p->nrunning) >= p->pollers.ncpus; }

// The thread that asks is held, and counted no more.
static bool has_pause(struct sc_platform *p) {
    uint64_t until = atomic_load(&p->pollers.pause_until);
    return until && atomic_load(&p->nrunning) + 1 >= p->pollers.ncpus && mono_ns() < until;
}

void sc_poller_wake(struct sc_thread *t) {
    struct sc_pollers *pollers = &sc_plat(t)->pollers;
    if (!t->wish.poller)
        return;
    t->wish.poller = false;
    if (has_pause(sc_plat(t)))
        return;
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
    struct watch *w = &my.watches[i];
    sc_ring_set_polled(p, w->ring, false);
    if (w->aside)
        sc_aside_return(p, w->ring);
    note_success(p, w);
    *w = (struct watch){0};
    atomic_store(&p->pollers.watched[i], 0);
}

// What others have added.
static void look_for_new(struct sc_platform *p, uint64_t now) {
    for (unsigned i = 0; i < SC_WATCHED; i++) {
        unsigned ring = atomic_load_explicit(&p->pollers.watched[i], memory_order_relaxed);
        if (my.watches[i].ring || !ring)
            continue;
        plat_count_one(&p->base, STAT_POLLED);
        my.watches[i] = (struct watch){.ring = ring, .until = now + POLL_NS, .last = now};
        sc_ring_set_polled(p, ring, true);
    }
}

static bool pays(const struct sc_platform *p) {
    uint64_t grace = my.alone ? ALONE_NS : GRACE_NS;
    return my.spent_ns <= grace + (uint64_t)my.taken * p->notified_ns;
}

static bool core_is_wanted(struct sc_platform *p) {
    return atomic_load(&p->pollers.closed) || my.lost || (cores_are_full(p) && !pays(p));
}

static void account(uint64_t spun_ns) {
    my.spent_ns += spun_ns;
    if (my.spent_ns > ACCOUNT_NS) {
        my.spent_ns /= 2;
        my.taken /= 2;
    }
}

static void claim(struct sc_platform *p) {
    if (my.alone)
        return;
    my.heard = my.turn;
    sc_listen_claim(p);
}

// The time since the last look, when all of it was spinning. Between two events that are nearer to each other
// than two looks are, nothing counts.
static uint64_t spun(struct sc_platform *p, uint64_t now) {
    uint64_t ns = my.since ? now - my.clock : 0;
    if (!my.since)
        my.since = now;
    my.clock = now;
    if (ns > LOST_NS)
        sc_listen_leave(p);
    else
        account(ns);
    return ns;
}

// The next polling with full cores begins later, and later each time when this one was short.
static void make_pause(struct sc_platform *p, uint64_t now, uint64_t most) {
    my.pause_ns = now > my.begun + GOOD_NS ? PAUSE_NS : my.pause_ns * 2 + PAUSE_NS;
    if (my.pause_ns > most)
        my.pause_ns = most;
    atomic_store(&p->pollers.pause_until, now + my.pause_ns);
}

// It runs. Where it has not for a while although it did not sleep, the core is not its own.
static void note_awake(struct sc_platform *p, uint64_t now) {
    uint64_t before = my.awake;
    my.awake = now;
    if (!before || now < before + LOST_NS)
        return;
    my.lost = true;
    make_pause(p, now, PAUSE_MOST_NS);
}

// Cores are full: its threads leave it this one.
static void put_aside(struct sc_platform *p, uint64_t now) {
    for (unsigned i = 0; i < SC_WATCHED; i++) {
        struct watch *w = &my.watches[i];
        if (!w->ring || w->aside || w->taken < FEW_CALLS)
            continue;
        if (!my.alone && (my.alone = sc_aside_begin(p, &my.others)))
            sc_listen_leave(p);
        w->aside = my.alone && sc_aside_put(p, w->ring, &my.others);
        if (w->aside)
            w->until = now + MOVE_NS;
    }
}

static bool anybody_calls(uint64_t now) {
    bool any = false;
    for (unsigned i = 0; i < SC_WATCHED; i++) {
        if (my.watches[i].calls)
            my.watches[i].last = now;
        any = any || my.watches[i].calls;
    }
    return any;
}

static void settle_cores(struct sc_platform *p, uint64_t now) {
    if (cores_are_full(p)) {
        note_awake(p, now);
        claim(p);
        put_aside(p, now);
    } else if (my.turn - my.heard > QUIET_TURNS) {
        sc_listen_leave(p);
    }
    if (!cores_are_full(p))
        my.awake = 0;
}

// How much longer than POLL_NS a silent thread is waited for.
static uint64_t patience(struct sc_platform *p) {
    if (cores_are_full(p))
        return QUEUED_NS;
    return my.spent_ns <= GRACE_NS + SPARE_TIMES * (uint64_t)my.taken * p->notified_ns ? SPARE_NS : 0;
}

// It is silent for too long, or its thread is gone.
static bool is_over(const struct sc_platform *p, const struct watch *w, uint64_t now, uint64_t more) {
    return now > w->until + more || now > my.since + POLL_MOST_NS + more ||
           !atomic_load_explicit(&p->rings.owner[w->ring - 1], memory_order_relaxed);
}

// Gives up those that have been silent for too long. Time in which no thread can call, since the sentry holds
// it by a call that went another way, does not count; but not for ever. True: some are left.
static bool look_at_clock(struct sc_platform *p) {
    uint64_t now = mono_ns(), ns = spun(p, now), idle = atomic_load(&p->nrunning) == 0 ? ns : 0;
    uint64_t more = patience(p);
    bool left = false, busy = anybody_calls(now);
    look_for_new(p, now);
    for (unsigned i = 0; i < SC_WATCHED; i++) {
        struct watch *w = &my.watches[i];
        bool stays = w->calls || (busy && now < w->last + KEEP_NS);
        if (stays && w->until < now + POLL_NS)
            w->until = now + POLL_NS;
        else if (!stays)
            w->until += idle;
        w->calls = false;
        if (w->ring && is_over(p, w, now, more))
            give_up(p, i);
        else if (w->ring && !sc_ring_is_polled(p, w->ring))  // we came late: something else had our core
            sc_ring_set_polled(p, w->ring, true);
        left = left || w->ring;
    }
    settle_cores(p, now);
    return left;
}

static bool take_call(struct sc_platform *p, struct plat_event *ev) {
    for (unsigned i = 0; i < SC_WATCHED; i++) {
        struct watch *w = &my.watches[(my.next + i) % SC_WATCHED];
        if (w->ring && sc_ring_has_call(p, w->ring) && sc_ring_take(p, w->ring, ev)) {
            w->taken++;
            my.taken++;
            my.last_taken = w;
            my.next = (my.next + i + 1) % SC_WATCHED;
            return true;
        }
    }
    return false;
}

// What became of the call that was taken last.
static void settle_last(struct sc_platform *p) {
    if (my.last_taken)
        my.last_taken->calls = true;
    my.last_taken = NULL;
    if (sc_ring_settle_last())
        claim(p);
}

static bool hear(struct sc_platform *p, struct plat_event *ev) {
    if (my.turn % LOOK_TURNS || !sc_listen_look(p, ev))
        return false;
    my.heard = my.turn;
    return true;
}

void sc_poller_blocks(void) { my.awake = 0; }

// True: *ev is an event. False: there is nothing to poll any more. No host call while it spins but, as the
// receiver, the look at the listener; and no clock for a call that comes soon.
static bool spin(struct sc_platform *p, struct plat_event *ev) {
    my.since = 0;
    if (my.awake)
        note_awake(p, mono_ns());
    settle_last(p);
    for (;;) {
        my.turn++;
        if (my.turn % CLOCK_TURNS == 0 && (core_is_wanted(p) || !look_at_clock(p)))
            break;
        if (hear(p, ev) || take_call(p, ev))
            return true;
        __builtin_ia32_pause();
    }
    sc_listen_leave(p);
    if (!my.lost && my.alone && !pays(p))
        make_pause(p, mono_ns(), UNPAID_MOST_NS);
    for (unsigned i = 0; i < SC_WATCHED; i++)
        if (my.watches[i].ring)
            give_up(p, i);
    if (my.alone)
        sc_run_on(0, &me->cpus);
    my.alone = my.lost = false;
    my.awake = 0;
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
    while (!atomic_load(&p->pollers.closed)) {
        if (my.on && spin(p, ev))
            return 0;
        if (my.on && !may_rest(p))
            continue;
        my.on = false;
        while (!atomic_exchange(&me->word, 0))
            syscall(SYS_futex, &me->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
        my.on = true;
        my.spent_ns = my.taken = 0;
        my.begun = mono_ns();
        look_for_new(p, my.begun);
    }
    sc_listen_leave(p);
    return -LINUX_ESHUTDOWN;
}
