// SPDX-License-Identifier: Apache-2.0
// What the sentry takes from a syscall ring: every field of it is the guest's word. Calls are posted by hand,
// and states are set from inside (platform/seccomp/sc.h).
#include "abi/errno.h"
#include "tests/unit/platform_waiter.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define AT 0x40000000ull

struct ring_try {
    struct sc_platform *p;
    struct sc_thread *t;
    unsigned no; // of its ring
    struct stub_ring *ring;
    void (*meanwhile)(struct ring_try *); // in the poller, with the call taken
    struct plat_event ev;
    int err;
};

static void *poll_once(void *arg) {
    struct ring_try *l = arg;
    if (!sc_poller_begin(l->p))
        return NULL;
    l->err = sc_poller_wait(l->p, &l->ev);
    if (l->err == 0 && l->meanwhile)
        l->meanwhile(l);
    struct plat_event none;
    if (l->err != -LINUX_ESHUTDOWN)
        sc_poller_wait(l->p, &none); // gives the address space back
    return NULL;
}

// A guest that runs, with a ring in which nothing is yet.
static void ring_up_for(struct ring_try *l, struct guest *g, void **state, uint64_t nr) {
    struct sc_platform *p = sc_of(*state);
    if (!p->rings.mem || p->pollers.ncpus < 2)
        skip();
    *l = (struct ring_try){.p = p, .t = start_waiter(g, state, nr)};
    LOCKED(&l->t->lock);
    assert_true(sc_ring_alloc(l->t));
    l->no = atomic_load(&l->t->ring_no);
    l->ring = (struct stub_ring *)(p->rings.mem + (l->no - 1) * STUB_RING_LEN);
}

static void ring_up(struct ring_try *l, struct guest *g, void **state) {
    ring_up_for(l, g, state, SYS_getppid);
}

// Posts a call as the guest would, and has a poller look at it once. True: it was taken.
static bool post(struct ring_try *l, uint32_t nr) {
    struct sc_platform *p = l->p;
    pthread_t poller;
    l->err = -1;
    l->ring->nr = nr;
    l->ring->state = STUB_RING_REQ;
    atomic_store(&p->pollers.closed, false);
    atomic_store(&p->pollers.poller[0].state, POLLER_WANTED); // the next to come is it
    atomic_store(&p->pollers.busy, true);
    atomic_store(&p->pollers.watched[0], l->no);
    atomic_store(&p->pollers.poller[0].word, 1);
    assert_int_equal(pthread_create(&poller, NULL, poll_once, l), 0);
    for (int i = 0; i < 60000 && __atomic_load_n(&l->ring->state, __ATOMIC_SEQ_CST) == STUB_RING_REQ; i++)
        usleep(1000);
    sc_pollers_close(p);
    pthread_join(poller, NULL);
    if (l->err)
        assert_int_equal(l->ring->state, STUB_RING_REFUSED);
    return l->err == 0;
}

static void ring_down(struct ring_try *l, struct guest *g) {
    atomic_store(&l->p->pollers.closed, false);
    guest_end(g);
}

// What would need registers, or host work, or is no call at all, cannot be made by a ring.
static void test_ring_numbers(void **state) {
    const uint32_t bare_clone = STUB_RING_BARE | SYS_clone;
    const uint32_t refused[] = {512,          511 + 512,        ~0u,        0x40000027,
                                bare_clone,   SYS_clone,        SYS_fork,   SYS_exit_group,
                                SYS_mprotect, SYS_rt_sigreturn, SYS_execve, SYS_mmap,
                                SYS_munmap,   SYS_madvise,      SYS_brk};
    struct ring_try l;
    struct guest g;
    if (!is_seccomp(state))
        skip();
    ring_up(&l, &g, state);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (post(&l, refused[i]))
            fail_msg("call %#x is taken from a ring", refused[i]);
    assert_true(post(&l, SYS_getpid));
    assert_int_equal(l.ev.kind, PLAT_SYSCALL);
    assert_int_equal(l.ev.call.nr, SYS_getpid);
    ring_down(&l, &g);
}

// A thread under Syscall User Dispatch has a byte in the ring that says so, on a line that a call by the ring
// does not need: to write it there each time makes a call a cache line dearer.
static void test_ring_take_writes_one_line(void **state) {
    struct plat_event ev;
    struct ring_try l;
    struct guest g;
    if (!is_seccomp(state))
        skip();
    ring_up(&l, &g, state);
    atomic_store(&l.t->dispatched, true);
    l.ring->polled = 1;
    l.ring->selector = 0x5a;
    l.ring->nr = SYS_getpid;
    l.ring->state = STUB_RING_REQ;
    assert_true(sc_ring_take(l.p, l.no, &ev));
    assert_int_equal(ev.call.nr, SYS_getpid);
    {
        LOCKED(&l.t->lock);
        sc_ring_answer(l.t, 7);
    }
    assert_int_equal(l.ring->state, STUB_RING_DONE);
    assert_int_equal(l.ring->value, 7);
    assert_int_equal(l.ring->selector, 0x5a);
    assert_int_equal(sc_ring_settle_last(), 0);
    atomic_store(&l.t->dispatched, false);
    ring_down(&l, &g);
}

// What a thread has left for its next notification is for that very call, of a length that it has room for,
// and once.
static void test_ring_staged(void **state) {
    const struct {
        uint32_t staged, nr;
        uint64_t arg;
        uint32_t taken;
    } tries[] = {{4, SYS_stat, AT, 4},
                 {STUB_RING_STR, SYS_stat, AT, STUB_RING_STR},
                 {STUB_RING_STR + 1, SYS_stat, AT, 0},
                 {~0u, SYS_stat, AT, 0},
                 {4, SYS_lstat, AT, 0},
                 {4, SYS_stat, AT + 1, 0}};
    struct ring_try l;
    struct guest g;
    char name[16];
    if (!is_seccomp(state))
        skip();
    ring_up(&l, &g, state);
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct seccomp_notif n = {.data = {.nr = (int)tries[i].nr, .args = {tries[i].arg, 1, 2, 3, 4, 5}}};
        lock_take(&l.t->lock);
        l.ring->nr = SYS_stat;
        memcpy(l.ring->args, (uint64_t[6]){AT, 1, 2, 3, 4, 5}, sizeof l.ring->args);
        memcpy(l.ring->str, "/ab", 4);
        l.ring->staged = tries[i].staged;
        uint32_t taken = sc_ring_take_staged(l.t, &n), again = sc_ring_take_staged(l.t, &n);
        lock_drop(&l.t->lock);
        assert_int_equal(taken, tries[i].taken);
        assert_int_equal(l.ring->staged, 0);
        assert_int_equal(again, 0);
    }
    // not while it runs; held, for the call's path alone
    assert_int_equal(sc_ring_string(&l.t->base, AT, name, sizeof name), -LINUX_EAGAIN);
    // nor when the call has waited: others may have changed its memory
    l.t->ring.staged = 4;
    sc_park(&l.t->base);
    assert_int_equal(l.t->ring.staged, 0);
    lock_take(&l.t->lock);
    sc_unpark(l.t);
    lock_drop(&l.t->lock);
    // an interrupt in between: a handler of the guest's may change what it has left, and make the same call
    struct seccomp_notif n = {.pid = (unsigned)l.t->tid, .id = ~0ull};
    n.data.nr = (int)STUB_EV(STUB_EV_INTR, l.t->slot, 0);
    n.data.instruction_pointer = stub_gate(&l.p->place) + 2;
    n.data.args[0] = AT;
    l.ring->staged = 4;
    assert_true(sc_handle(l.p, &n, &l.ev));
    assert_int_equal(l.ev.kind, PLAT_INTERRUPT);
    assert_int_equal(l.ring->staged, 0);
    ring_down(&l, &g);
}

static void forged_lengths(struct ring_try *l) {
    struct {
        char dst[STUB_RING_STR + 64], behind[64];
    } m;
    memset(l->ring->str, 'x', sizeof l->ring->str);
    memset(l->ring->out, 0, sizeof l->ring->out);
    const uint32_t lengths[] = {0, STUB_RING_STR + 1, STUB_RING_STR + 64, 4096, ~0u};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        l->ring->str_len = lengths[i];
        l->err += sc_ring_string(&l->t->base, AT, m.dst, sizeof m.dst) != -LINUX_EAGAIN;
    }
    memset(l->ring->str, 0, sizeof l->ring->str);
    memset(&m, 0x5a, sizeof m);
    l->ring->str_len = 64;
    l->err += sc_ring_string(&l->t->base, AT, m.dst, 32) != -LINUX_EAGAIN || m.dst[32] != 0x5a;
    // not the call's path
    l->err += sc_ring_string(&l->t->base, AT + 1, m.dst, sizeof m.dst) != -LINUX_EAGAIN;
    l->err += sc_ring_string(&l->t->base, AT, m.dst, sizeof m.dst) != 0;                  // as it should be
}

static void test_ring_strings(void **state) {
    struct ring_try l;
    struct guest g;
    if (!is_seccomp(state))
        skip();
    ring_up(&l, &g, state);
    l.meanwhile = forged_lengths;
    l.ring->args[0] = AT;
    assert_true(post(&l, SYS_stat));
    assert_int_equal(l.err, 0);
    ring_down(&l, &g);
}

// Of the bytes that came along nothing is given beside them, however long they are said to be.
static void forged_data(struct ring_try *l) {
    struct {
        char dst[2 * STUB_RING_STR], behind[64];
    } m;
    const struct {
        uint32_t said;
        uint64_t from, len;
        bool good;
    } tries[] = {
        {64, 0, 64, true},
        {64, 8, 56, true},
        {64, 0, 65, false},
        {64, 8, 57, false},
        {64, 65, 0, false},
        {64, ~7ull, 8, false},
        {STUB_RING_STR, 0, STUB_RING_STR, true},
        {STUB_RING_STR + 1, 0, 8, false},
        {4096, STUB_RING_STR, 8, false},
        {~0u, 0, STUB_RING_STR + 8, false},
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        l->ring->str_len = tries[i].said;
        int64_t n = sc_ring_data(&l->t->base, AT + tries[i].from, m.dst, tries[i].len);
        l->err += n != (tries[i].good ? (int64_t)tries[i].len : -LINUX_EAGAIN);
    }
}

static void test_ring_data(void **state) {
    struct ring_try l;
    struct guest g;
    if (!is_seccomp(state))
        skip();
    ring_up(&l, &g, state);
    l.meanwhile = forged_data;
    l.ring->args[1] = AT;
    assert_true(post(&l, SYS_write));
    assert_int_equal(l.err, 0);
    ring_down(&l, &g);
    ring_up(&l, &g, state);  // the same of its fourth
    l.meanwhile = forged_data;
    l.ring->args[1] = AT + STUB_PAGE;
    l.ring->args[3] = AT;
    assert_true(post(&l, SYS_epoll_ctl));
    assert_int_equal(l.err, 0);
    ring_down(&l, &g);
}

// A thread that comes for what it waits for in the ring, and meets text that is being changed, tries again:
// its call goes on, and an answer that lies there is not lost.
static void test_text_changed_under_a_waiter(void **state) {
    const struct {
        enum sc_state thread;
        enum ring_call_state ring;
    } tries[] = {{SC_HELD, RING_DEFERRED}, {SC_HELD, RING_RESUME_ON_ARRIVAL}, {SC_RUNNING, RING_ANSWERED}};
    if (!is_seccomp(state))
        skip();
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct ring_try l;
        struct guest g;
        struct plat_event ev;
        ring_up(&l, &g, state);
        struct seccomp_notif n = {.pid = (unsigned)l.t->tid, .id = ~0ull};
        n.data.nr = (int)STUB_EV(STUB_EV_FAULT, l.t->slot, 0);
        n.data.instruction_pointer = stub_gate(&l.p->place) + 2;
        n.data.args[0] = SIGSEGV;
        n.data.args[1] = n.data.args[3] = AT;
        n.data.args[2] = (uint64_t)LINUX_PF_INSTR << 32;
        lock_take(&l.t->lock);
        if (tries[i].thread == SC_HELD)
            sc_set_state(l.t, SC_HELD);
        l.t->hold = HOLD_VALUE;
        l.t->ring.state = tries[i].ring;
        l.t->ring.value = 4711;
        lock_drop(&l.t->lock);
        atomic_fetch_add(&sc_as(l.t)->patches, 1);
        assert_false(sc_handle(l.p, &n, &ev));
        assert_int_equal(l.t->state, tries[i].thread);
        assert_int_equal(l.t->ring.state, tries[i].ring);
        assert_int_equal(l.t->ring.value, 4711);
        usleep(20000);
        assert_true(is_there(&g, GUEST_AT(waiter))); // it was not ended
        ring_down(&l, &g);
    }
}

// The next process that gets this ring finds nothing of the last one.
static void test_ring_is_wiped(void **state) {
    struct ring_try l;
    struct guest g;
    if (!is_seccomp(state))
        skip();
    ring_up(&l, &g, state);
    memset(l.ring, 0xa5, STUB_RING_LEN);
    lock_take(&l.p->lock);
    sc_rings_free(sc_as_of(g.as));
    lock_drop(&l.p->lock);
    for (size_t i = 0; i < STUB_RING_LEN; i++)
        if (((const char *)l.ring)[i])
            fail_msg("byte %zu is left", i);
    ring_down(&l, &g);
}

static bool may_run_on(const struct plat_thread *t, const cpu_set_t *cpus) {
    cpu_set_t now;
    assert_int_equal(sched_getaffinity(plat_host_tid(t), sizeof now, &now), 0);
    return CPU_EQUAL(&now, cpus);
}

// What is put aside for a poller keeps off its core, until it is told to come back; what it forks meanwhile
// may run anywhere.
static void test_aside(void **state) {
    struct ring_try l;
    struct guest g;
    cpu_set_t others;
    if (!is_seccomp(state))
        skip();
    ring_up_for(&l, &g, state, SYS_fork);
    const cpu_set_t *all = &l.p->pollers.all;
    assert_true(may_run_on(g.t, all));
    assert_true(sc_aside_begin(l.p, &others));
    assert_int_equal(CPU_COUNT(&others), l.p->pollers.ncpus - 1);
    assert_false(CPU_ISSET((unsigned)sched_getcpu(), &others));
    assert_true(sc_aside_put(l.p, l.no, &others));
    assert_false(sc_aside_put(l.p, l.no, &others));
    assert_true(may_run_on(g.t, &others));

    struct plat_thread *child;
    struct plat_as *as;
    uint32_t go = 1;
    assert_int_equal(plat_copy_out(g.as, uaddr(GUEST_DATA), &go, sizeof go), sizeof go);
    wait_call(&g, SYS_fork);
    assert_int_equal(plat_clone(g.t, 0, &child, &as), 0);
    plat_flush(g.t);
    wait_event(&g);
    assert_int_equal(g.ev.kind, PLAT_OPS_DONE);
    while (!plat_started(child))
        wait_some(&g);
    assert_true(may_run_on(child, all));
    plat_thread_destroy(child);
    plat_as_put(as);

    sc_aside_return(l.p, l.no);
    assert_true(may_run_on(g.t, all));
    assert_int_equal(sched_setaffinity(0, sizeof *all, all), 0);
    ring_down(&l, &g);
}

// The host has moved the sandbox to other CPUs meanwhile: nobody stays where he was kept for the poller.
static void test_aside_of_other_cpus(void **state) {
    struct ring_try l;
    struct guest g;
    cpu_set_t others, all;
    if (!is_seccomp(state))
        skip();
    ring_up(&l, &g, state);
    all = l.p->pollers.all;
    if (CPU_ISSET(CPU_SETSIZE - 1, &all) || !sc_aside_begin(l.p, &others)) {
        ring_down(&l, &g);
        skip();
    }
    assert_true(sc_aside_put(l.p, l.no, &others));
    CPU_ZERO(&l.p->pollers.all);
    CPU_SET(CPU_SETSIZE - 1, &l.p->pollers.all);  // there is none
    sc_aside_return(l.p, l.no);
    sc_run_on(0, &l.p->pollers.all);
    assert_false(may_run_on(g.t, &others));
    cpu_set_t here;
    assert_int_equal(sched_getaffinity(0, sizeof here, &here), 0);
    assert_true(CPU_COUNT(&here) > 1);
    sc_run_on(0, &all);
    l.p->pollers.all = all;
    ring_down(&l, &g);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        platform_test(test_ring_numbers),
        platform_test(test_ring_strings),
        platform_test(test_ring_take_writes_one_line),
        platform_test(test_ring_staged),
        platform_test(test_ring_data),
        platform_test(test_text_changed_under_a_waiter),
        platform_test(test_ring_is_wiped),
        platform_test(test_aside),
        platform_test(test_aside_of_other_cpus),
    };
    alarm(550);
    return run_backends_afresh("platform ring", tests, sizeof tests / sizeof *tests);
}
