// SPDX-License-Identifier: Apache-2.0
// Guarded memory behind a break, when something is not as it should be: the host has no memory, an offer is
// old, the shrink reaches back over premapped memory. Guests cannot bring that about without luck, so states
// are set here from inside.
#include "abi/errno.h"
#include "platform/seccomp/sc.h"
#include "tests/unit/platform_waiter.h"
#include <sys/resource.h>
#include <sys/syscall.h>

GUEST(loop_break, "1: mov $12, %eax; syscall; jmp 1b");

#define AT   0x40000000ull
#define PAGE 4096ull

static void wait_done(struct guest *g) {
    wait_for(g, g);
    assert_int_equal(g->ev.kind, PLAT_OPS_DONE);
}

static void next_break(struct guest *g) {
    plat_answer(g->t, 0);
    wait_call(g, SYS_brk);
}

// Held in a brk, with four pages that its break is at the end of, and a ring. NULL: nothing is guarded here.
static struct sc_thread *start(struct guest *g, void **state) {
    if (!is_seccomp(state) || !sc_of(*state)->premaps || !sc_of(*state)->rings.mem)
        return NULL;
    guest_start(g, *state, GUEST_AT(loop_break));
    wait_call(g, SYS_brk);
    assert_int_equal(plat_map(g->t, uaddr(AT), 4 * PAGE, 3, 0, -1, 0), 0);
    plat_flush(g->t);
    wait_done(g);
    assert_int_equal(g->ev.result, 0);
    next_break(g);
    struct sc_thread *t = sc_thread_of(g->t);
    LOCKED(&t->lock);
    assert_true(sc_ring_alloc(t));
    return t;
}

static void offer(const struct guest *g, struct sc_thread *t) {
    sc_heap_offer(t, sc_as_of(g->as), AT + 4 * PAGE);
    assert_true(atomic_load(&sc_as_of(g->as)->heap.offer));
}

static void shrink(const struct guest *g) {
    assert_int_equal(plat_unmap(g->t, uaddr(AT + 2 * PAGE), 2 * PAGE), 0);
}

static bool is_queued(struct sc_thread *t, uint64_t nr) {
    LOCKED(&t->lock);
    for (unsigned i = 0; i < t->queue.n; i++)
        if (t->queue.ops[i].call.nr == nr)
            return true;
    return false;
}

static bool has_descriptor(const struct guest *g) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fdinfo/0", plat_host_pid(g->t));
    return access(path, F_OK) == 0;
}

static void is_shrunk(const struct guest *g) {
    assert_true(is_there(g, AT + PAGE) && !is_there(g, AT + 2 * PAGE) && !is_there(g, AT + 4 * PAGE));
    assert_false(has_descriptor(g));
}

static void test_shrink(void **state) {
    struct guest g;
    struct sc_thread *t = start(&g, state);
    if (!t)
        skip();
    offer(&g, t);
    shrink(&g);
    next_break(&g);
    assert_true(atomic_load(&sc_as_of(g.as)->heap.on));
    is_shrunk(&g);
    guest_end(&g);
}

// A shrink needs no memory, so its process does not end for want of some; others go on as before.
static void test_no_memory(void **state) {
    struct guest g;
    const struct rlimit none = {PAGE, PAGE};
    struct sc_thread *t = start(&g, state);
    if (!t)
        skip();
    struct sc_as *as = sc_as_of(g.as);
    assert_int_equal(prlimit(plat_host_pid(g.t), RLIMIT_AS, &none, NULL), 0);
    offer(&g, t);
    shrink(&g);
    next_break(&g);
    assert_false(atomic_load(&as->heap.on));
    is_shrunk(&g);
    assert_int_equal(as->heap.lost, 1);
    assert_true(sc_of(*state)->premaps);
    assert_false(sc_guard_possible(as));
    guest_end(&g);
}

// What is behind the break may be somebody else's when the next call comes.
static void test_old_offer(void **state) {
    struct guest g;
    struct sc_thread *t = start(&g, state);
    if (!t)
        skip();
    offer(&g, t);
    next_break(&g);
    shrink(&g);
    assert_false(is_queued(t, SYS_mmap));
    next_break(&g);
    is_shrunk(&g);
    guest_end(&g);
}

// Premapped memory in a hole of the heap.
static void test_over_premap(void **state) {
    struct guest g;
    struct sc_thread *t = start(&g, state);
    if (!t)
        skip();
    struct sc_premap *s = &sc_as_of(g.as)->premap;
    offer(&g, t);
    s->low = AT + 2 * PAGE;
    s->at = s->top = s->high = AT + 3 * PAGE;
    atomic_store(&s->on, true);
    shrink(&g);
    assert_false(is_queued(t, SYS_mmap));
    assert_false(atomic_load(&s->on));
    next_break(&g);
    is_shrunk(&g);
    guest_end(&g);
}

// Given up without having served a shrink, it was for nothing.
static void test_lost(void **state) {
    struct guest g;
    struct sc_thread *t = start(&g, state);
    if (!t)
        skip();
    struct sc_heap *h = &sc_as_of(g.as)->heap;
    offer(&g, t);
    shrink(&g);
    next_break(&g);
    assert_true(atomic_load(&h->on));
    assert_int_equal(plat_unmap(g.t, uaddr(AT + 8 * PAGE), PAGE), 0);
    next_break(&g);
    assert_false(atomic_load(&h->on));
    assert_int_equal(h->lost, 1);
    guest_end(&g);
}

// What fails before it is closed leaves no descriptor in the stub.
static void test_closed_after_failure(void **state) {
    struct guest g;
    struct sc_thread *t = start(&g, state);
    if (!t)
        skip();
    lock_take(&t->lock);
    assert_true(sc_guard_order_map(t, AT + 8 * PAGE, PAGE, SC_PREMAP_BEGIN));
    assert_int_equal(t->queue.ops[1].call.nr, SYS_mmap);
    t->queue.ops[1].expect = STUB_EXPECT_ZERO;  // which it does not return
    lock_drop(&t->lock);
    plat_flush(g.t);
    wait_done(&g);
    assert_true(g.ev.result < 0);
    assert_false(has_descriptor(&g));
    assert_false(is_there(&g, AT + 8 * PAGE));
    guest_end(&g);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        platform_test(test_shrink),
        platform_test(test_no_memory),
        platform_test(test_old_offer),
        platform_test(test_over_premap),
        platform_test(test_lost),
        platform_test(test_closed_after_failure),
    };
    alarm(550);
    return run_backends_afresh("platform guard", tests, sizeof tests / sizeof *tests);
}
