// SPDX-License-Identifier: Apache-2.0
// Host threads and processes that are kept ready: threads whose guest thread has ended while their process
// goes on, clean processes for the next program.
#include "platform/seccomp/sc.h"
#include "tests/unit/platform_guest.h"
#include <signal.h>

GUEST(loop_context, "1: mov $12, %eax; syscall; jmp 1b");

static bool is_seccomp(void **state) { return strcmp(plat_name(*state), "seccomp") == 0; }

static void clone_ok(struct guest *g, unsigned flags, struct guest *child) {
    *child = (struct guest){.p = g->p};
    assert_int_equal(plat_clone(g->t, flags, &child->t, &child->as), 0);
    plat_set_owner(child->t, child);
    plat_flush(g->t);
    wait_for(g, g);
    assert_int_equal(g->ev.kind, PLAT_OPS_DONE);
    assert_int_equal(g->ev.result, 0);
    plat_resume(child->t);
    wait_for(child, child);
    assert_int_equal(child->ev.call.nr, 12);
}

// A thread that has ended by itself while the reaper was on its way to it: it is not given back a second
// time.
static void test_lost_after_its_end(void **state) {
    struct guest g, thread;
    if (!is_seccomp(state))
        skip();
    guest_start(&g, *state, GUEST_AT(loop_context));
    wait_call(&g, 12);
    clone_ok(&g, PLAT_CLONE_VM | PLAT_CLONE_THREAD, &thread);
    struct sc_thread *t = sc_thread_of(thread.t);
    struct sc_as *as = sc_as_of(g.as);
    sc_of(*state)->nkept += SC_KEPT_MOST_ALL;  // else it would not end
    guest_end(&thread);
    for (int i = 0; i < 1000 && atomic_load(&as->nthreads) > 1; i++)
        wait_some(&g);
    sc_of(*state)->nkept -= SC_KEPT_MOST_ALL;
    assert_int_equal(t->state, SC_FREE);
    sc_thread_lost(t, sc_thread_of(g.t)->proc, SIGKILL);
    assert_int_equal(t->state, SC_FREE);
    assert_int_equal(atomic_load(&as->nthreads), 1);
    guest_end(&g);
}

static unsigned nkept(const struct guest *g) {
    struct sc_platform *p = sc_of(g->p);
    LOCKED(&p->lock);
    return p->nkept;
}

// Threads that have ended are kept for the next clones of their process, so many and no more; they end with
// it.
static void test_kept_threads(void **state) {
    enum { N = SC_KEPT_MOST + 3 };
    struct guest g, copy, thread[N];
    if (!is_seccomp(state))
        skip();
    guest_start(&g, *state, GUEST_AT(loop_context));
    wait_call(&g, 12);
    const struct sc_as *as = sc_as_of(g.as);
    for (int i = 0; i < N; i++)
        clone_ok(&g, PLAT_CLONE_VM | PLAT_CLONE_THREAD, &thread[i]);
    for (int i = 0; i < N; i++)
        guest_end(&thread[i]);
    for (int i = 0; i < 1000 && atomic_load(&as->nthreads) > 1; i++)
        wait_some(&g);
    assert_int_equal(nkept(&g), SC_KEPT_MOST);
    clone_ok(&g, 0, &copy);  // a copy of the process has none of them
    thread[0] = (struct guest){.p = g.p};
    assert_int_equal(plat_clone(copy.t, PLAT_CLONE_THREAD, &thread[0].t, &thread[0].as), 0);
    assert_false(plat_started(thread[0].t));
    guest_end(&thread[0]);
    guest_end(&copy);
    assert_int_equal(plat_clone(g.t, PLAT_CLONE_THREAD, &thread[1].t, &thread[1].as), 0);
    assert_true(plat_started(thread[1].t));
    assert_int_equal(nkept(&g), SC_KEPT_MOST - 1);
    plat_set_owner(thread[1].t, &thread[1]);
    plat_resume(thread[1].t);
    thread[1].p = g.p;
    wait_for(&thread[1], &thread[1]);
    assert_int_equal(thread[1].ev.call.nr, 12);
    guest_end(&g);
    assert_int_equal(plat_clone(thread[1].t, PLAT_CLONE_THREAD, &thread[2].t, &thread[2].as), 0);
    guest_end(&thread[2]);
    guest_end(&thread[1]);  // the last one: its process ends
    for (int i = 0; i < 100000 && nkept(&copy) > 0; i++)
        usleep(1000);
    assert_int_equal(nkept(&copy), 0);
}

static unsigned npool(struct platform *platform) {
    struct sc_platform *p = sc_of(platform);
    LOCKED(&p->lock);
    return p->npool;
}

// One clean process for the first program; more only when there is a second.
static void test_pool(void **state) {
    struct guest g, other;
    if (!is_seccomp(state))
        skip();
    assert_int_equal(npool(*state), 1);
    guest_start(&g, *state, GUEST_AT(loop_context));
    wait_call(&g, 12);
    assert_int_equal(npool(*state), 0);
    guest_start(&other, *state, GUEST_AT(loop_context));
    wait_call(&other, 12);
    assert_int_equal(npool(*state), SC_POOL);
    guest_end(&other);
    guest_end(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        platform_test(test_lost_after_its_end),
        platform_test(test_kept_threads),
        platform_test(test_pool),
    };
    alarm(550);
    return run_backends_afresh("platform kept", tests, sizeof tests / sizeof *tests);
}
