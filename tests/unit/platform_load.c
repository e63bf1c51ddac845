// SPDX-License-Identifier: Apache-2.0
// Load on platform/platform.h: several sentry threads wait while several guest threads and processes run, are
// interrupted, forked and given back. Then costs of single steps, printed only (PLATFORM_BENCH=1): a machine
// that is busy must not fail a test.
#include "abi/errno.h"
#include "base/clock.h"
#include "tests/unit/platform_guest.h"
#include <stdatomic.h>
#include <sys/mman.h>

GUEST(loop_value, "1: inc %edi\n mov $110, %eax\n syscall\n jmp 1b\n");
GUEST(loop_context, "1: mov $12, %eax\n syscall\n jmp 1b\n");
GUEST(loop_mixed, "1: inc %edi\n mov $110, %eax\n syscall\n mov $12, %eax\n syscall\n mov $300, %ecx\n"
                  "2: dec %ecx\n jnz 2b\n jmp 1b\n");
GUEST(loop_mmap,
      "1: mov $9, %eax\n syscall\n mov %rax, %rdi\n mov $4096, %esi\n mov $11, %eax\n syscall\n jmp 1b\n");
GUEST(loop_touch, "1: mov $9, %eax\n syscall\n movl $1, (%r14)\n mov %rax, %rdi\n mov $4096, %esi\n mov $11, "
                  "%eax\n syscall\n jmp 1b\n");
GUEST(loop_fork, "1: mov $57, %eax\n syscall\n test %eax, %eax\n jz 2f\n mov $61, %eax\n syscall\n jmp 1b\n"
                 "2: mov $231, %eax\n syscall\n ud2\n");
GUEST(loop_compute, "1: mov $110, %eax\n syscall\n mov %r14d, %ecx\n 2: dec %ecx\n jnz 2b\n jmp 1b\n");

// ---- Several waiters
// -----------------------------------------------------------------------------------------------

#define WAITERS 3
#define GUESTS  6
#define ROUNDS  4000

struct load {
    struct platform *p;
    struct guest guests[GUESTS];
    _Atomic unsigned events, wrong, done;
};

static void *waiter(void *arg) {
    struct load *l = arg;
    struct plat_event ev;
    while (plat_wait(l->p, &ev) == 0) {
        unsigned n = atomic_fetch_add(&l->events, 1);
        if (n >= ROUNDS)
            atomic_store(&l->done, 1);
        if (ev.kind == PLAT_NOTHING)
            continue;
        struct guest *g = ev.owner;
        if (g->t != ev.thread)
            atomic_fetch_add(&l->wrong, 1);
        if (n % 97 == 0) {
            plat_block_begin(l->p);
            usleep(20);
            plat_block_end(l->p);
        }
        if (ev.kind == PLAT_SYSCALL && ev.call.nr == 110)
            plat_answer(ev.thread, 0);
        else if (ev.kind == PLAT_SYSCALL && ev.call.nr == 12 && n % 16 == 0 &&
                 plat_map(ev.thread, uaddr(0x40000000 + n % 5 * 4096), 4096, 3, 0,
                          n % 32 ? -1 : guest_image(), 0) == 0)
            plat_answer(ev.thread, 0);
        else if (ev.kind == PLAT_SYSCALL && ev.call.nr == 12)
            plat_answer(ev.thread, 7);
        else if (ev.kind == PLAT_INTERRUPT)
            plat_resume(ev.thread);
        else
            atomic_fetch_add(&l->wrong, 1);
    }
    return NULL;
}

static void test_load(void **state) {
    struct load l = {.p = *state};
    pthread_t threads[WAITERS];
    unsigned nwaiters = plat_max_waiters(l.p) < WAITERS ? plat_max_waiters(l.p) : WAITERS;
    if (nwaiters < 2)
        skip();
    struct lx_regs regs;
    guest_start(&l.guests[0], *state, GUEST_AT(loop_mixed));
    wait_call(&l.guests[0], 110);
    plat_answer(l.guests[0].t, 0);
    wait_call(&l.guests[0], 12);
    assert_int_equal(plat_get_regs(l.guests[0].t, &regs), 0);
    for (int i = 1; i < GUESTS; i++) { // processes that share, threads, and copies
        static const unsigned how[] = {PLAT_CLONE_VM | PLAT_CLONE_THREAD, PLAT_CLONE_VM, 0};
        struct guest *c = &l.guests[i];
        c->p = l.p;
        assert_int_equal(plat_clone(l.guests[0].t, how[i % 3], &c->t, &c->as), 0);
        plat_set_owner(c->t, c);
        plat_flush(l.guests[0].t);
        wait_event(&l.guests[0]);
        assert_int_equal(l.guests[0].ev.result, 0);
    }
    for (unsigned i = 0; i < nwaiters; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, waiter, &l), 0);
    for (int i = 0; i < GUESTS; i++)
        plat_resume(l.guests[i].t);
    for (int i = 0; !atomic_load(&l.done); i++) {
        plat_interrupt(l.guests[i % GUESTS].t);
        if (i % 7 == 0)
            plat_kick(l.p);
        usleep(100);
    }
    plat_shutdown(l.p);
    for (unsigned i = 0; i < nwaiters; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < GUESTS; i++)
        guest_end(&l.guests[i]);
    assert_int_equal(atomic_load(&l.wrong), 0);
}

// A handler that blocks is no reason for others' calls to wait; whatever threads that wait for nothing have
// done.
struct blocked {
    struct platform *p;
    struct guest guests[2];
    _Atomic unsigned calls[2];
    _Atomic bool blocked, served;
};

static void block_until_served(struct blocked *b) {
    plat_block_begin(b->p);
    unsigned before = atomic_load(&b->calls[1]);
    for (int i = 0; i < 60000 && atomic_load(&b->calls[1]) < before + 10; i++)
        usleep(1000);
    atomic_store(&b->served, atomic_load(&b->calls[1]) >= before + 10);
    plat_block_end(b->p);
    plat_shutdown(b->p);
}

static void *serve_blocked(void *arg) {
    struct blocked *b = arg;
    struct plat_event ev;
    while (plat_wait(b->p, &ev) == 0) {
        if (ev.kind != PLAT_SYSCALL)
            continue;
        int who = ev.owner == &b->guests[1];
        atomic_fetch_add(&b->calls[who], 1);
        if (who == 0 && !atomic_exchange(&b->blocked, true))
            block_until_served(b);
        plat_answer(ev.thread, 0);
    }
    return NULL;
}

static void *block_once(void *p) {
    plat_block_begin(p);
    plat_block_end(p);
    return NULL;
}

static void test_block(void **state) {
    struct blocked b = {.p = *state};
    pthread_t threads[2], stranger;
    if (plat_max_waiters(b.p) < 2)
        skip();
    for (int i = 0; i < 2; i++) {
        guest_start(&b.guests[i], b.p, GUEST_AT(loop_value));
        wait_call(&b.guests[i], 110);
    }
    plat_block_begin(b.p);  // for good: this thread waits for no more events
    assert_int_equal(pthread_create(&stranger, NULL, block_once, b.p), 0);
    pthread_join(stranger, NULL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, serve_blocked, &b), 0);
    usleep(20000);
    plat_answer(b.guests[1].t, 0);
    plat_answer(b.guests[0].t, 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++)
        guest_end(&b.guests[i]);
    assert_true(atomic_load(&b.served));
}

// ---- Costs
// ---------------------------------------------------------------------------------------------------------

static bool measuring(void) {
    return getenv("PLATFORM_BENCH") != NULL;
}
static void show(const char *what, uint64_t start, unsigned n) {
    printf("    %-40s %8.0f ns\n", what, (double)(mono_ns() - start) / n);
}

static void one_mmap(struct guest *g, bool fd) {
    wait_call(g, 9);
    assert_int_equal(plat_map(g->t, uaddr(0x40000000), 4096, 3, 0, fd ? guest_image() : -1, 0), 0);
    plat_answer(g->t, 0x40000000);
    wait_call(g, 11);
    assert_int_equal(plat_unmap(g->t, uaddr(0x40000000), 4096), 0);
    plat_answer(g->t, 0);
}

static void bench_calls(void **state) {
    struct guest g;
    struct lx_regs regs;
    unsigned n = measuring() ? 50000 : 50;
    static const struct {
        const char *what;
        uint64_t at;
    } rows[] = {{"plain call", 0}, {"call with context", 1}, {"call with context, registers read", 2}};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        guest_start(&g, *state, k ? GUEST_AT(loop_context) : GUEST_AT(loop_value));
        wait_call(&g, k ? 12 : 110);
        uint64_t start = mono_ns();
        for (unsigned i = 0; i < n; i++) {
            plat_answer(g.t, 1);
            wait_call(&g, k ? 12 : 110);
            if (k == 2)
                plat_get_regs(g.t, &regs);
        }
        show(rows[k].what, start, n);
        guest_end(&g);
    }
}

static void bench_memory(void **state) {
    static const char *const names[] = {"mmap+munmap", "mmap+touch+munmap", "mmap a file+munmap"};
    struct guest g;
    unsigned n = measuring() ? 10000 : 10;
    for (int k = 0; k < 3; k++) {
        guest_start(&g, *state, k == 1 ? GUEST_AT(loop_touch) : GUEST_AT(loop_mmap));
        if (k == 1) {
            struct lx_regs regs;
            wait_call(&g, 9);
            assert_int_equal(plat_get_regs(g.t, &regs), 0);
            regs.r14 = 0x40000000;
            regs.rip = GUEST_AT(loop_touch);
            assert_int_equal(plat_set_regs(g.t, &regs), 0);
            plat_resume(g.t);
        }
        one_mmap(&g, k == 2);
        uint64_t start = mono_ns();
        for (unsigned i = 0; i < n; i++)
            one_mmap(&g, k == 2);
        show(names[k], start, n);
        guest_end(&g);
    }
}

static void bench_fork(void **state) {
    struct guest g, c;
    struct lx_regs regs;
    unsigned n = measuring() ? 500 : 5;
    uint64_t start = 0;
    guest_start(&g, *state, GUEST_AT(loop_fork));
    for (unsigned i = 0; i < n + 1; i++) {
        if (i == 1)
            start = mono_ns();
        wait_call(&g, 57);
        c = (struct guest){.p = g.p};
        assert_int_equal(plat_clone(g.t, 0, &c.t, &c.as), 0);
        plat_set_owner(c.t, &c);
        plat_flush(g.t);
        wait_event(&g);
        assert_int_equal(plat_get_regs(g.t, &regs), 0);
        regs.rax = 0;
        plat_set_regs(c.t, &regs);
        plat_resume(c.t);
        plat_answer(g.t, 55);
        for (int seen = 0; seen != 3;) {
            struct plat_event ev;
            assert_int_equal(plat_wait(g.p, &ev), 0);
            seen |= ev.owner == &g;
            seen |= (ev.owner == &c) << 1;
        }
        guest_end(&c);
        plat_answer(g.t, 55);
    }
    show("fork, exit, wait", start, n);
    wait_call(&g, 57);
    guest_end(&g);
}

static void bench_new_space(void **state) {
    struct guest g;
    unsigned n = measuring() ? 500 : 5;
    uint64_t start = mono_ns();
    for (unsigned i = 0; i < n; i++) {
        guest_start(&g, *state, GUEST_AT(loop_value));
        wait_call(&g, 110);
        guest_end(&g);
    }
    show("new space, 3 maps, first call, end", start, n);
}

static void bench_copy(void **state) {
    struct guest g;
    static char buf[4096];
    unsigned n = measuring() ? 50000 : 50;
    guest_start(&g, *state, GUEST_AT(loop_value));
    wait_call(&g, 110);
    uint64_t start = mono_ns();
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(plat_copy_out(g.as, uaddr(GUEST_DATA), buf, 64), 64);
    show("copy out 64 bytes", start, n);
    start = mono_ns();
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(plat_copy_in(g.as, buf, uaddr(GUEST_DATA), 4096), 4096);
    show("copy in 4 KiB", start, n);
    guest_end(&g);
}

// Several guest threads that call and compute, several waiters; and a single one, with many waiters present.
struct crowd {
    struct platform *p;
    _Atomic unsigned long events;
    _Atomic unsigned stop;
};
static void *crowd_waiter(void *arg) {
    struct crowd *c = arg;
    struct plat_event ev;
    while (!atomic_load(&c->stop) && plat_wait(c->p, &ev) == 0) {
        if (ev.kind != PLAT_SYSCALL)
            continue;
        atomic_fetch_add(&c->events, 1);
        plat_answer(ev.thread, 0);
    }
    return NULL;
}
static void crowd_run(void **state, unsigned nguests, unsigned nwaiters, unsigned compute) {
    struct crowd c = {.p = *state};
    struct guest g[8];
    pthread_t th[8];
    if (nwaiters > plat_max_waiters(c.p))
        return;
    for (unsigned i = 0; i < nguests; i++) {
        struct lx_regs regs;
        guest_start(&g[i], *state, GUEST_AT(loop_context));
        wait_call(&g[i], 12);
        assert_int_equal(plat_get_regs(g[i].t, &regs), 0);
        regs.rip = GUEST_AT(loop_compute);
        regs.r14 = compute;
        assert_int_equal(plat_set_regs(g[i].t, &regs), 0);
    }
    for (unsigned i = 0; i < nwaiters; i++)
        assert_int_equal(pthread_create(&th[i], NULL, crowd_waiter, &c), 0);
    for (unsigned i = 0; i < nguests; i++)
        plat_resume(g[i].t);
    unsigned ms = measuring() ? 500 : 20;
    usleep(50000);
    unsigned long before = atomic_load(&c.events);
    usleep(ms * 1000);
    unsigned long after = atomic_load(&c.events);
    printf("    %u guest threads, %u waiters, %5u loops:   %8.0f ns\n", nguests, nwaiters, compute,
           ms * 1e6 / (double)(after - before + 1));
    atomic_store(&c.stop, 1);
    for (unsigned i = 0; i < nwaiters; i++)
        plat_kick(c.p);
    for (unsigned i = 0; i < nwaiters; i++)
        plat_kick(c.p), usleep(2000);
    for (unsigned i = 0; i < nguests; i++)
        guest_end(&g[i]);
    for (unsigned i = 0; i < nwaiters; i++) {
        for (int k = 0; k < 50 && pthread_tryjoin_np(th[i], NULL); k++)
            plat_kick(c.p), usleep(1000);
    }
    struct plat_event ev;
    plat_kick(c.p);
    do
        assert_int_equal(plat_wait(c.p, &ev), 0);
    while (ev.kind != PLAT_NOTHING);
}
static void bench_crowd(void **state) {
    if (!measuring())
        skip();
    crowd_run(state, 1, 1, 1);
    crowd_run(state, 1, 4, 1);
    crowd_run(state, 2, 1, 1);
    crowd_run(state, 2, 4, 1);
    crowd_run(state, 2, 4, 20000);
    crowd_run(state, 2, 1, 20000);
    crowd_run(state, 6, 4, 1000);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bench_calls), cmocka_unit_test(bench_memory),    cmocka_unit_test(bench_copy),
        cmocka_unit_test(bench_fork),  cmocka_unit_test(bench_new_space), cmocka_unit_test(bench_crowd),
        cmocka_unit_test(test_load), // last: it shuts the platform down
    };
    static const struct CMUnitTest block[] = {cmocka_unit_test(test_block)};
    alarm(550);
    int bad = run_backends("platform block", block, 1);  // first: this thread has waited for nothing yet
    return bad + run_backends("platform load", tests, sizeof tests / sizeof *tests);
}
