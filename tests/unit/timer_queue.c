// SPDX-License-Identifier: Apache-2.0
// The timer queue on a real timerfd: order, moving, cancelling, setting again from a timer's own function.
// Guest programs that cover the rest: tests/syscalls/timerfd.c, nanosleep, itimers.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "base/clock.h"
#include "sentry/time/hosttime.h"
#include "sentry/time/timer.h"
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define MS 1000000ull

static struct timer_queue queue;
static int fd;
static struct item {
    struct ktimer kt;
    int runs, again;
} items[4];
static int order[64], norder;
static _Atomic bool in_slow, slow_done;

static void note(struct ktimer *kt) {
    struct item *i = container_of(kt, struct item, kt);
    order[norder++ % 64] = (int)(i - items);
    i->runs++;
    if (i->again-- > 0)
        ktimer_set(kt, mono_ns() + MS);
}

static bool wait_and_run(int ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, ms) <= 0)
        return false;
    timers_run(&queue);
    return true;
}

static int setup(void **state) {
    norder = 0;
    fd = hosttime_create();
    assert_true(fd >= 0);
    timers_init(&queue);
    timers_start(&queue, fd);
    for (int i = 0; i < 4; i++) {
        items[i].runs = items[i].again = 0;
        ktimer_init(&queue, &items[i].kt, note);
    }
    return 0;
}

static int teardown(void **state) {
    timers_destroy(&queue);
    return 0;
}

static void by_deadline(void **state) {
    uint64_t now = mono_ns();
    ktimer_set(&items[0].kt, now + 6 * MS);
    ktimer_set(&items[1].kt, now + 2 * MS);
    ktimer_set(&items[2].kt, now + 4 * MS);
    while (norder < 3)
        assert_true(wait_and_run(1000));
    assert_int_equal(order[0], 1);
    assert_int_equal(order[1], 2);
    assert_int_equal(order[2], 0);
    assert_false(wait_and_run(0));
}

static void equal_deadlines_in_the_order_of_setting(void **state) {
    uint64_t at = mono_ns() + MS;
    for (int i = 0; i < 4; i++)
        ktimer_set(&items[i].kt, at);
    while (norder < 4)
        assert_true(wait_and_run(1000));
    for (int i = 0; i < 4; i++)
        assert_int_equal(order[i], i);
}

static void moved_and_cancelled(void **state) {
    uint64_t now = mono_ns();
    ktimer_set(&items[0].kt, now + MS);
    ktimer_set(&items[0].kt, now + 20 * MS);
    ktimer_set(&items[1].kt, now + 2 * MS);
    uint64_t left = ktimer_remaining(&items[0].kt);
    assert_true(left > 0 && left <= 20 * MS);
    assert_true(ktimer_cancel(&items[1].kt));
    assert_false(ktimer_cancel(&items[1].kt));
    assert_int_equal(ktimer_remaining(&items[1].kt), 0);
    while (norder < 1)
        assert_true(wait_and_run(1000));
    assert_int_equal(order[0], 0);
    assert_true(mono_ns() >= now + 20 * MS);
    assert_int_equal(items[1].runs, 0);
}

static void set_again_from_its_function(void **state) {
    items[2].again = 3;
    ktimer_set(&items[2].kt, 1);  // long past: at once
    while (items[2].runs < 4)
        assert_true(wait_and_run(1000));
    assert_false(wait_and_run(5));
}

static void a_cancelled_deadline_is_not_rearmed(void **state) {
    ktimer_set(&items[0].kt, mono_ns() + 2 * MS);
    ktimer_cancel(&items[0].kt);
    assert_true(wait_and_run(1000));  // once for nothing ...
    assert_false(wait_and_run(10));   // ... and then at rest
    assert_int_equal(norder, 0);
}

static void slow(struct ktimer *kt) {
    atomic_store(&in_slow, true);
    usleep(20000);
    atomic_store(&slow_done, true);
}
static void *runner(void *arg) {
    while (!atomic_load(&slow_done))
        wait_and_run(10);
    return NULL;
}
static void cancel_sync_waits(void **state) {
    struct ktimer *kt = malloc(sizeof *kt);
    pthread_t th;
    assert_non_null(kt);
    ktimer_init(&queue, kt, slow);
    ktimer_set(kt, 1);
    assert_int_equal(pthread_create(&th, NULL, runner, NULL), 0);
    while (!atomic_load(&in_slow))
        usleep(100);
    assert_false(ktimer_cancel(kt));
    ktimer_cancel_sync(kt);
    assert_true(atomic_load(&slow_done));
    free(kt);
    pthread_join(th, NULL);
}

static void free_self(struct ktimer *kt) {
    ktimer_cancel_sync(kt);  // from within itself: does not wait
    free(kt);
    norder++;
}
static void a_function_may_free_its_timer(void **state) {
    struct ktimer *kt = malloc(sizeof *kt);
    assert_non_null(kt);
    ktimer_init(&queue, kt, free_self);
    ktimer_set(kt, 1);
    while (!norder)
        assert_true(wait_and_run(1000));
}

// Many threads set and cancel while the queue runs: for the thread sanitizer.
static _Atomic unsigned fired;
static _Atomic bool stop;
static void count(struct ktimer *kt) { atomic_fetch_add(&fired, 1); }
static void *setter(void *arg) {
    struct ktimer own[8];
    for (int i = 0; i < 8; i++)
        ktimer_init(&queue, &own[i], count);
    // At least until the runner has had its turn, which a busy machine may give it late.
    for (unsigned i = 0; i < 4000 || !atomic_load(&fired); i++) {
        struct ktimer *kt = &own[i % 8];
        ktimer_set(kt, mono_ns() + (uint64_t)(i % 5) * 10000);
        if (i % 3 == 0)
            ktimer_cancel(kt);
    }
    for (int i = 0; i < 8; i++)
        ktimer_cancel_sync(&own[i]);
    return NULL;
}
static void *serve(void *arg) {
    while (!atomic_load(&stop))
        wait_and_run(5);
    return NULL;
}
static void setters_against_the_runner(void **state) {
    pthread_t r, s[3];
    assert_int_equal(pthread_create(&r, NULL, serve, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&s[i], NULL, setter, NULL), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(s[i], NULL);
    atomic_store(&stop, true);
    pthread_join(r, NULL);
    assert_true(atomic_load(&fired) > 0);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(by_deadline),
        T(equal_deadlines_in_the_order_of_setting),
        T(moved_and_cancelled),
        T(set_again_from_its_function),
        T(a_cancelled_deadline_is_not_rearmed),
        T(cancel_sync_waits),
        T(a_function_may_free_its_timer),
        T(setters_against_the_runner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
