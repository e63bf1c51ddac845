// SPDX-License-Identifier: Apache-2.0
// Timers that end in signals, on the real timer queue: one signal at a time, overrun counts, ignored signals,
// deletion while the signal is pending. Guest programs that cover the rest: tests/syscalls/timer_*.c,
// setitimer, alarm.
#define FIXTURE_TIMERS
#include "tests/unit/signal_fixture.h"
#include "base/clock.h"
#include "sentry/time/hosttime.h"
#include "sentry/time/posix_timers.h"
#include "sentry/time/time_ns.h"
#include "sentry/time/timer.h"
#include <poll.h>
#include <unistd.h>

#define MS 1000000ull

int32_t task_pid_in(struct task *t, int32_t nr) { return nr; }
int32_t task_vtid(const struct task *t) { return t->tid; }
struct task *task_find(struct task *by, int32_t tid) {
    for (int i = 0; i < NTASKS; i++)
        if (tasks[i].tid == tid)
            return &tasks[i];
    return NULL;
}
void task_put(struct task *t) {}
uint64_t task_time_in(const struct task *t, int32_t clock, uint64_t ns) { return ns; }

static int fd;
static struct task *const t = &tasks[0];

static int setup(void **state) {
    fixture_setup(state);
    fd = hosttime_create();
    timers_init(&kern.timers);
    timers_start(&kern.timers, fd);
    tgroup_timers_init(&group);
    cpu_timers_init(&group);
    for (int i = 0; i < NTASKS; i++)
        tasks[i].blocked = SIGBIT(LINUX_SIGALRM) | SIGBIT(LINUX_SIGUSR1) | SIGBIT(LINUX_SIGRTMIN);
    return 0;
}
static int teardown(void **state) {
    tgroup_timers_stop(&group);
    tgroup_timers_free(&group);
    timers_destroy(&kern.timers);
    return fixture_teardown(state);
}

static void run_for(uint64_t ns) {
    for (uint64_t end = mono_ns() + ns, now; (now = mono_ns()) < end;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, (int)((end - now) / MS) + 1) > 0)
            timers_run(&kern.timers);
    }
}
static struct linux_itimerspec spec(uint64_t value, uint64_t interval) {
    struct linux_itimerspec s = {
        .it_value = {(int64_t)(value / NS_PER_SEC), (int64_t)(value % NS_PER_SEC)},
        .it_interval = {(int64_t)(interval / NS_PER_SEC), (int64_t)(interval % NS_PER_SEC)}};
    return s;
}
static int create(int notify, int sig, int tid) {
    struct linux_sigevent ev = {.sigev_notify = notify, .sigev_signo = sig, .sigev_value.sival_int = 42};
    ev.sigev_tid = tid;
    int64_t id = do_timer_create(t, LINUX_CLOCK_MONOTONIC, &ev);
    assert_true(id >= 0);
    return (int)id;
}
static void set(int id, uint64_t value, uint64_t interval) {
    struct linux_itimerspec s = spec(value, interval), old;
    assert_int_equal(do_timer_settime(t, id, false, &s, &old), 0);
}

static void one_shot(void **state) {
    struct linux_siginfo info;
    int id = create(LINUX_SIGEV_SIGNAL, LINUX_SIGUSR1, 0);
    set(id, 2 * MS, 0);
    run_for(5 * MS);
    assert_int_equal(signal_take(t, ~0ull, &info), LINUX_SIGUSR1);
    assert_int_equal(info.si_code, LINUX_SI_TIMER);
    assert_int_equal(info.si_int, 42);
    assert_int_equal(info.si_timerid, id);
    assert_int_equal(info.si_overrun, 0);
    struct linux_itimerspec now;
    assert_int_equal(do_timer_gettime(t, id, &now), 0);
    assert_int_equal(now.it_value.tv_nsec, 0);
    run_for(3 * MS);
    assert_int_equal(signal_take(t, ~0ull, &info), 0);
}

static void intervals_count_what_went_by(void **state) {
    struct linux_siginfo info;
    int id = create(LINUX_SIGEV_SIGNAL, LINUX_SIGRTMIN, 0);
    set(id, MS, MS);
    run_for(20 * MS);
    assert_int_equal(group.shared_pending->n, 1);
    assert_int_equal(signal_take(t, ~0ull, &info), LINUX_SIGRTMIN);
    assert_true(info.si_overrun >= 15);
    assert_int_equal(do_timer_getoverrun(t, id), info.si_overrun);
    run_for(5 * MS);
    assert_int_equal(signal_take(t, ~0ull, &info), LINUX_SIGRTMIN);  // it goes on
}

static void to_one_thread(void **state) {
    struct linux_siginfo info;
    int id = create(LINUX_SIGEV_THREAD_ID, LINUX_SIGUSR1, tasks[2].tid);
    set(id, MS, 0);
    run_for(4 * MS);
    assert_int_equal(signal_take(t, ~0ull, &info), 0);
    assert_int_equal(signal_take(&tasks[2], ~0ull, &info), LINUX_SIGUSR1);
}

static void ignored_signals_do_not_stop_it(void **state) {
    struct linux_siginfo info;
    for (int i = 0; i < NTASKS; i++)
        tasks[i].blocked = 0;
    set_handler(LINUX_SIGUSR1, LINUX_SIG_IGN, 0, 0);
    int id = create(LINUX_SIGEV_SIGNAL, LINUX_SIGUSR1, 0);
    set(id, 1, 1);  // an interval of 1 ns must not keep the event thread busy
    uint64_t before = mono_ns();
    run_for(5 * MS);
    assert_true(mono_ns() - before < 1000 * MS);
    assert_int_equal(signal_take(t, ~0ull, &info), 0);
    set_handler(LINUX_SIGUSR1, 0x1000, 0, 0);
    run_for(5 * MS);
    assert_int_equal(signal_take(t, ~0ull, &info), LINUX_SIGUSR1);
}

static void deleted_with_its_signal(void **state) {
    struct linux_siginfo info;
    int id = create(LINUX_SIGEV_SIGNAL, LINUX_SIGUSR1, 0);
    set(id, MS, MS);
    run_for(4 * MS);
    assert_int_equal(group.shared_pending->set, SIGBIT(LINUX_SIGUSR1));
    assert_int_equal(do_timer_delete(t, id), 0);
    assert_int_equal(group.shared_pending->set, 0);
    assert_int_equal(signal_take(t, ~0ull, &info), 0);
    assert_int_equal(do_timer_delete(t, id), -LINUX_EINVAL);
    assert_int_equal(do_timer_getoverrun(t, id), -LINUX_EINVAL);
}

static void settings_are_read_back(void **state) {
    struct linux_itimerspec out, bad = spec(0, 0), old;
    int id = create(LINUX_SIGEV_NONE, 0, 0);
    set(id, NS_PER_SEC, 5 * NS_PER_SEC);
    assert_int_equal(do_timer_gettime(t, id, &out), 0);
    assert_true(out.it_value.tv_sec == 0 && out.it_value.tv_nsec > 900000000);
    assert_int_equal(out.it_interval.tv_sec, 5);
    bad.it_value.tv_nsec = 1000000000;
    assert_int_equal(do_timer_settime(t, id, false, &bad, &old), -LINUX_EINVAL);
    bad.it_value.tv_nsec = -1;
    assert_int_equal(do_timer_settime(t, id, false, &bad, &old), -LINUX_EINVAL);
    bad = spec(INT64_MAX, INT64_MAX);
    bad.it_value.tv_sec = INT64_MAX;  // never, without overflow
    assert_int_equal(do_timer_settime(t, id, false, &bad, &old), 0);
}

static void errors_and_limits(void **state) {
    struct linux_sigevent ev = {.sigev_notify = 99, .sigev_signo = LINUX_SIGUSR1};
    assert_int_equal(do_timer_create(t, LINUX_CLOCK_MONOTONIC, &ev), -LINUX_EINVAL);
    ev.sigev_notify = LINUX_SIGEV_SIGNAL;
    ev.sigev_signo = 65;
    assert_int_equal(do_timer_create(t, LINUX_CLOCK_MONOTONIC, &ev), -LINUX_EINVAL);
    ev.sigev_signo = LINUX_SIGUSR1;
    assert_int_equal(do_timer_create(t, 77, &ev), -LINUX_EINVAL);
    ev.sigev_notify = LINUX_SIGEV_THREAD_ID;
    ev.sigev_tid = 5;
    assert_int_equal(do_timer_create(t, LINUX_CLOCK_MONOTONIC, &ev), -LINUX_EINVAL);
    for (int i = 0; i < 8; i++)
        assert_int_equal(do_timer_create(t, LINUX_CLOCK_REALTIME, NULL), i);
    assert_int_equal(do_timer_create(t, LINUX_CLOCK_REALTIME, NULL), -LINUX_EAGAIN);
}

static void itimer(void **state) {
    struct linux_siginfo info;
    uint64_t value, interval;
    itimer_real_set(&group, MS, 3 * MS, &value, &interval);
    assert_int_equal(value, 0);
    run_for(12 * MS);
    assert_int_equal(group.shared_pending->n, 1);
    assert_int_equal(signal_take(t, ~0ull, &info), LINUX_SIGALRM);
    assert_int_equal(info.si_code, LINUX_SI_KERNEL);
    itimer_real_get(&group, &value, &interval);
    assert_true(value > 0 && value <= 3 * MS);
    assert_int_equal(interval, 3 * MS);
    run_for(6 * MS);
    assert_int_equal(signal_take(t, ~0ull, &info), LINUX_SIGALRM);
    itimer_real_set(&group, 0, 0, &value, &interval);
    assert_int_equal(interval, 3 * MS);
    run_for(6 * MS);
    assert_int_equal(signal_take(t, ~0ull, &info), 0);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_shot),
        T(intervals_count_what_went_by),
        T(to_one_thread),
        T(ignored_signals_do_not_stop_it),
        T(deleted_with_its_signal),
        T(settings_are_read_back),
        T(errors_and_limits),
        T(itimer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
