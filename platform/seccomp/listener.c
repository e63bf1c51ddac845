// SPDX-License-Identifier: Apache-2.0
// Who listens. Every waiter on the listener is woken by every notification, so only one thread sits there,
// the *receiver*: the one that came last, whose cache and core are those of the guest. It gives the role up
// with each event, and nobody takes it meanwhile: a single guest thread is served by one sentry thread
// without a wake-up. The others sleep, most recently used first out, and one is woken only when the handler
// of an event is going to block while guest threads run (sc_block_begin), or a guest thread is resumed when
// no one would listen; when none sleeps, the sentry is asked for another. A poller that spins anyway takes
// the role from the one that sleeps (sc_listen_claim()). Locks: wait.lock, for short moments; never held
// while sleeping.
//
// Host calls for each event: the receiving ioctl alone.
#include "abi/errno.h"
#include "base/log.h"
#include "platform/seccomp/sc.h"
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

// One that sleeps.
struct sc_waiter {
    struct list link;
    _Atomic int word;
};

// Is this thread counted in `active`? One platform at a time serves a thread. Only those that wait here are
// ever counted: others, which run what became ready (the sentry's event thread), never look for events.
static _Thread_local struct sc_platform *active_in;
static _Thread_local int my_tid;
static _Thread_local bool is_poller;  // it takes no part in what follows

static void become_active(struct sc_platform *p) {
    if (active_in == p)
        return;
    active_in = p;
    atomic_fetch_add(&p->wait.active, 1);
}

static void become_passive(struct sc_platform *p) {
    if (active_in != p)
        return;
    active_in = NULL;
    atomic_fetch_sub(&p->wait.active, 1);
}

bool sc_another_waiter(struct sc_platform *p) {
    return p->base.another_waiter && p->base.another_waiter(p->base.waiters);
}

// Wakes the most recently used idle waiter; false: there is none.
static bool wake_idle(struct sc_platform *p) {
    struct sc_waiter *w = NULL;
    lock_nested(&p->wait.lock);
    if (!list_empty(&p->wait.idle)) {
        w = list_first(&p->wait.idle, struct sc_waiter, link);
        list_del(&w->link);
        atomic_store(&w->word, 1);
        syscall(SYS_futex, &w->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
    lock_drop(&p->wait.lock);
    return w != NULL;
}

#define MORE_LISTENERS 5  // than the first one; the sentry has a few threads left for pollers then

static void need_waiter(struct sc_platform *p) {
    if (wake_idle(p))
        return;
    if (atomic_fetch_add(&p->wait.more, 1) >= MORE_LISTENERS || !sc_another_waiter(p))
        atomic_fetch_sub(&p->wait.more, 1);
}

static bool nobody_listens(struct sc_platform *p) {
    return atomic_load(&p->wait.receiver) == 0 && atomic_load(&p->wait.active) == 0;
}

void sc_thread_runs(struct sc_platform *p) {
    if (nobody_listens(p))
        need_waiter(p);
}

// There is something in `attention`: have somebody look.
static void call_attention(struct sc_platform *p) {
    atomic_store(&p->wait.attention, 1);
    int tid = atomic_load(&p->wait.receiver);
    if (tid)
        syscall(SYS_tgkill, getpid(), tid, PLAT_KICK_SIGNAL);
    else if (atomic_load(&p->wait.active) == 0)
        need_waiter(p);
}

void sc_queue_death(struct sc_thread *t, int cause) {
    struct sc_platform *p = sc_plat(t);
    lock_nested(&p->wait.lock);
    t->death_cause = cause;
    list_add_tail(&p->wait.deaths, &t->death_link);
    lock_drop(&p->wait.lock);
    call_attention(p);
}

void sc_unqueue_death(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    lock_nested(&p->wait.lock);
    list_del(&t->death_link);
    lock_drop(&p->wait.lock);
}

void sc_kick(struct platform *pp) {
    struct sc_platform *p = sc_of(pp);
    lock_take(&p->wait.lock);
    p->wait.kicked = true;
    lock_drop(&p->wait.lock);
    call_attention(p);
}

void sc_shutdown(struct platform *pp) {
    struct sc_platform *p = sc_of(pp);
    lock_take(&p->wait.lock);
    p->wait.shutdown = true;
    lock_drop(&p->wait.lock);
    call_attention(p);
    while (wake_idle(p))
        ;
    sc_pollers_close(p);
    sc_kill_all(p);
}

// What `attention` was for. 1: *ev is set; 0: nothing left; -LINUX_ESHUTDOWN.
static int attend(struct sc_platform *p, struct plat_event *ev) {
    LOCKED(&p->wait.lock);
    if (p->wait.shutdown)
        return -LINUX_ESHUTDOWN;
    if (!list_empty(&p->wait.deaths)) {
        struct sc_thread *t = list_first(&p->wait.deaths, struct sc_thread, death_link);
        list_del(&t->death_link);
        *ev = (struct plat_event){.kind = PLAT_DEATH,
                                  .thread = &t->base,
                                  .cause = t->death_cause,
                                  .violation = t->violated,
                                  .owner = atomic_load(&t->base.owner)};
        plat_hold_owner(&p->base, ev);
        return 1;
    }
    if (p->wait.kicked) {
        p->wait.kicked = false;
        *ev = (struct plat_event){.kind = PLAT_NOTHING};
        return 1;
    }
    atomic_store(&p->wait.attention, 0);
    return 0;
}

static void idle(struct sc_platform *p) {
    struct sc_waiter me = {.word = 0};
    lock_take(&p->wait.lock);
    bool taken = atomic_load(&p->wait.receiver) != 0 || atomic_load(&p->wait.claimed) != 0;
    bool sleep = taken && !atomic_load(&p->wait.attention);
    if (sleep)
        list_add(&p->wait.idle, &me.link);
    lock_drop(&p->wait.lock);
    if (!sleep)
        return;
    while (!atomic_load(&me.word))
        syscall(SYS_futex, &me.word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    // The waker took us off the list and may still hold the lock over our word.
    lock_take(&p->wait.lock);
    lock_drop(&p->wait.lock);
}

static void first_time(struct sc_platform *p) {
    sigset_t kick;
    (void)stub_undo_rseq();
    my_tid = (int)syscall(SYS_gettid);
    sigemptyset(&kick);
    sigaddset(&kick, PLAT_KICK_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
    is_poller = sc_poller_begin(p);
}

static void start_reaper(struct sc_platform *p) {
    lock_take(&p->wait.lock);
    if (!p->reaper_runs)
        sc_reaper_start(p);
    p->reaper_runs = true;
    lock_drop(&p->wait.lock);
    atomic_store(&p->reaper_started, true);
}

static bool take_role(struct sc_platform *p) {
    int none = 0;
    return atomic_compare_exchange_strong(&p->wait.receiver, &none, my_tid);
}

// What was received, handled. True: *ev is for the sentry.
static bool received(struct sc_platform *p, const struct seccomp_notif *n, struct plat_event *ev) {
    bool got = sc_handle(p, n, ev);
    if (atomic_load(&p->unsettled))
        sc_settle_children(p);
    if (got && ev->kind == PLAT_SYSCALL) {
        ev->call.text_work = sc_ask_guest(sc_thread_of(ev->thread));
        sc_poller_wake(sc_thread_of(ev->thread));
    }
    return got;
}

// As the receiver: until there is an event for the sentry (1), or attention is called (0).
static int receive(struct sc_platform *p, struct plat_event *ev) {
    struct seccomp_notif n;
    for (;;) {
        int err = sc_recv(p, &n);
        if (err == 0) {
            if (received(p, &n, ev))
                return 1;
        } else if (err != -LINUX_ENOENT) {  // the caller died before we could look
            if (err != -LINUX_EINTR)
                panic("the seccomp listener fails: error %d", -err);
            return 0;
        }
    }
}

int sc_wait(struct platform *pp, struct plat_event *ev) {
    struct sc_platform *p = sc_of(pp);
    int got = 0;
    if (!my_tid)
        first_time(p);
    if (is_poller)
        return sc_poller_wait(p, ev);
    if (!atomic_load(&p->reaper_started))
        start_reaper(p);
    become_passive(p);
    while (!got) {
        if (atomic_load(&p->wait.attention))
            got = attend(p, ev);
        if (got)
            break;
        if (atomic_load(&p->wait.claimed) || !take_role(p)) {
            idle(p);
            continue;
        }
        sc_parked_trim(p);
        got = receive(p, ev);
        if (got)
            become_active(p);  // before the role is given up: somebody always listens or is awake
        atomic_store(&p->wait.receiver, 0);
    }
    if (got < 0)
        return got;
    become_active(p);
    return 0;
}

// ---- A poller as the receiver -----------------------------------------------------------------------------

void sc_listen_claim(struct sc_platform *p) {
    int none = 0;
    if (!atomic_compare_exchange_strong(&p->wait.claimed, &none, my_tid))
        return;
    int tid = atomic_load(&p->wait.receiver);
    if (tid) {
        atomic_store(&p->wait.attention, 1);
        syscall(SYS_tgkill, getpid(), tid, PLAT_KICK_SIGNAL);
    }
    sc_wake_here(p, false);  // it does not sleep: the core is not free
}

void sc_listen_leave(struct sc_platform *p) {
    int me = my_tid;
    if (atomic_load(&p->wait.claimed) != me)
        return;
    atomic_compare_exchange_strong(&p->wait.receiver, &me, 0);
    atomic_store(&p->wait.claimed, 0);
    sc_wake_here(p, true);
    if (nobody_listens(p))
        need_waiter(p);
}

// Attention is another waiter's concern: one that is awake, or is woken for it.
bool sc_listen_look(struct sc_platform *p, struct plat_event *ev) {
    struct pollfd pfd = {.fd = p->wait.fd, .events = POLLIN};
    struct seccomp_notif n;
    if (atomic_load(&p->wait.claimed) != my_tid)
        return false;
    if (atomic_load(&p->wait.attention)) {
        if (atomic_load(&p->wait.active) == 0)
            need_waiter(p);
        return false;
    }
    if (atomic_load(&p->wait.receiver) != my_tid && !take_role(p))
        return false;
    return poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLIN) && sc_recv(p, &n) == 0 && received(p, &n, ev);
}

void sc_block_begin(struct platform *pp) {
    struct sc_platform *p = sc_of(pp);
    if (!my_tid)
        return;
    if (is_poller) {
        sc_poller_blocks();
        sc_listen_leave(p);
        return;
    }
    become_passive(p);
    if ((atomic_load(&p->nrunning) > 0 || atomic_load(&p->wait.attention)) && nobody_listens(p))
        need_waiter(p);
}

void sc_block_end(struct platform *pp) {
    if (my_tid && !is_poller)
        become_active(sc_of(pp));
}
