// SPDX-License-Identifier: Apache-2.0
// Queues of pending signals, whom a signal is offered to, masks, and what sending cancels. Guest programs
// that cover the rest: tests/syscalls/kill*.c, sig*.c.
#include "tests/unit/signal_fixture.h"

static struct posix_timer *timer_told;
void posix_timer_taken(struct sigentry *e, struct linux_siginfo *info) { timer_told = e->timer; }

static int taken_value(struct sigqueue *q, int sig) {
    struct linux_siginfo info;
    sigqueue_take(q, sig, &info);
    assert_int_equal(info.si_signo, sig);
    return info.si_int;
}

static void standard_signals_merge(void **state) {
    struct sigqueue *q = sigqueue_new();
    struct linux_siginfo a = info_with(0, 1), b = info_with(0, 2);
    assert_int_equal(sigqueue_add(q, LINUX_SIGUSR1, &a, 100), 0);
    assert_int_equal(sigqueue_add(q, LINUX_SIGUSR1, &b, 100), 0);
    assert_int_equal(q->n, 1);
    assert_int_equal(taken_value(q, LINUX_SIGUSR1), 1);
    assert_int_equal(q->set, 0);
    sigqueue_free(q);
}

static void real_time_signals_queue_in_order(void **state) {
    struct sigqueue *q = sigqueue_new();
    int sig = LINUX_SIGRTMIN + 3;
    for (int i = 0; i < 5; i++) {
        struct linux_siginfo info = info_with(LINUX_SI_QUEUE, i);
        assert_int_equal(sigqueue_add(q, sig, &info, 100), 0);
    }
    for (int i = 0; i < 5; i++) {
        assert_true(q->set & SIGBIT(sig));
        assert_int_equal(taken_value(q, sig), i);
    }
    assert_int_equal(q->set, 0);
    sigqueue_free(q);
}

static void the_limit_refuses_only_queued_values(void **state) {
    struct sigqueue *q = sigqueue_new();
    int sig = LINUX_SIGRTMIN;
    struct linux_siginfo queued = info_with(LINUX_SI_QUEUE, 1), killed = info_with(LINUX_SI_USER, 2);
    assert_int_equal(sigqueue_add(q, sig, &queued, 1), 0);
    assert_int_equal(sigqueue_add(q, sig, &queued, 1), -LINUX_EAGAIN);
    assert_int_equal(sigqueue_add(q, sig + 1, &killed, 1), 0);
    struct linux_siginfo info;
    sigqueue_take(q, sig + 1, &info);
    assert_int_equal(info.si_code, LINUX_SI_USER);
    assert_int_equal(info.si_int, 0);  // its details were lost
    assert_int_equal(q->set, SIGBIT(sig));
    sigqueue_free(q);
}

static void no_memory_keeps_the_bit(void **state) {
    struct sigqueue *q = sigqueue_new();
    struct linux_siginfo a = info_with(0, 1), rt = info_with(LINUX_SI_QUEUE, 1);
    fault_alloc_at(1);
    assert_int_equal(sigqueue_add(q, LINUX_SIGTERM, &a, 100), 0);
    assert_int_equal(q->set, SIGBIT(LINUX_SIGTERM));
    fault_alloc_at(1);
    assert_int_equal(sigqueue_add(q, LINUX_SIGRTMIN, &rt, 100), -LINUX_EAGAIN);
    fault_alloc_at(0);
    sigqueue_free(q);
}

static void order_of_delivery(void **state) {
    assert_int_equal(signal_first(0), 0);
    assert_int_equal(signal_first(SIGBIT(LINUX_SIGHUP) | SIGBIT(LINUX_SIGSEGV)), LINUX_SIGSEGV);
    assert_int_equal(signal_first(SIGBIT(LINUX_SIGRTMIN) | SIGBIT(LINUX_SIGUSR2)), LINUX_SIGUSR2);
    assert_int_equal(signal_first(SIGBIT(64)), 64);
}

static void a_timers_entry_stays_its_own(void **state) {
    struct sigqueue *q = sigqueue_new();
    struct sigentry e = {.timer = (struct posix_timer *)&e, .info = {.si_signo = LINUX_SIGALRM}};
    struct linux_siginfo a = info_with(0, 1), out;
    list_init(&e.link);
    sigqueue_add(q, LINUX_SIGALRM, &a, 100);
    sigqueue_add_entry(q, &e);
    sigqueue_take(q, LINUX_SIGALRM, &out);
    assert_true(q->set & SIGBIT(LINUX_SIGALRM));
    assert_null(timer_told);
    sigqueue_take(q, LINUX_SIGALRM, &out);
    assert_ptr_equal(timer_told, &e);
    assert_int_equal(q->set, 0);
    sigqueue_add_entry(q, &e);
    sigqueue_unlink(q, &e);
    assert_int_equal(q->set, 0);
    assert_false(list_linked(&e.link));
    sigqueue_free(q);
}

// ---- Sending ----------------------------------------------------------------------------------------------
static void own_signals_come_before_the_groups(void **state) {
    struct linux_siginfo info;
    signal_send_group(&group, LINUX_SIGUSR1, NULL);
    signal_send_task(&tasks[0], LINUX_SIGUSR2, NULL);
    assert_int_equal(signal_take(&tasks[0], ~0ull, &info), LINUX_SIGUSR2);
    assert_int_equal(signal_take(&tasks[0], ~0ull, &info), LINUX_SIGUSR1);
    assert_int_equal(info.si_code, LINUX_SI_KERNEL);
    assert_int_equal(signal_take(&tasks[0], ~0ull, &info), 0);
}

static void a_group_signal_finds_a_thread_that_takes_it(void **state) {
    tasks[0].blocked = SIGBIT(LINUX_SIGUSR1);
    atomic_store(&tasks[1].sigpending, true);
    signal_send_group(&group, LINUX_SIGUSR1, NULL);
    assert_int_equal(fake.nnotified, 1);
    assert_ptr_equal(fake.notified[0], &tasks[2]);  // 0 blocks it, 1 is busy
    tasks[1].blocked = tasks[2].blocked = SIGBIT(LINUX_SIGUSR2);
    tasks[0].blocked |= SIGBIT(LINUX_SIGUSR2);
    signal_send_group(&group, LINUX_SIGUSR2, NULL);
    assert_int_equal(fake.nnotified, 1);
    // The first that unblocks it is told by its own look.
    signal_set_mask(&tasks[0], 0);
    assert_true(task_interrupted(&tasks[0]));
}

static void blocking_hands_on_what_was_meant_for_us(void **state) {
    signal_send_group(&group, LINUX_SIGUSR1, NULL);
    assert_ptr_equal(fake.notified[0], &tasks[0]);
    signal_set_mask(&tasks[0], SIGBIT(LINUX_SIGUSR1));
    assert_false(task_interrupted(&tasks[0]));
    assert_int_equal(fake.nnotified, 2);
    assert_ptr_equal(fake.notified[1], &tasks[1]);
}

static void awaited_signals_wake_though_blocked(void **state) {
    for (int i = 0; i < NTASKS; i++)
        tasks[i].blocked = SIGBIT(LINUX_SIGUSR1);
    tasks[1].sigwait_set = SIGBIT(LINUX_SIGUSR1);
    signal_send_group(&group, LINUX_SIGUSR1, NULL);
    assert_int_equal(fake.nnotified, 1);
    assert_ptr_equal(fake.notified[0], &tasks[1]);
}

static void ignored_signals_are_dropped_unless_blocked(void **state) {
    signal_send_group(&group, LINUX_SIGCHLD, NULL);
    assert_int_equal(group.shared_pending->set, 0);
    set_handler(LINUX_SIGTERM, LINUX_SIG_IGN, 0, 0);
    signal_send_task(&tasks[0], LINUX_SIGTERM, NULL);
    assert_int_equal(tasks[0].pending->set, 0);
    tasks[2].blocked = SIGBIT(LINUX_SIGCHLD);
    signal_send_group(&group, LINUX_SIGCHLD, NULL);
    assert_int_equal(group.shared_pending->set, SIGBIT(LINUX_SIGCHLD));
}

static void kill_and_stop_cannot_be_blocked(void **state) {
    signal_set_mask(&tasks[0], ~0ull);
    assert_int_equal(tasks[0].blocked, ~SIGSET_UNBLOCKABLE);
}

static void sigkill_marks_every_thread(void **state) {
    signal_send_task(&tasks[1], LINUX_SIGKILL, NULL);
    for (int i = 0; i < NTASKS; i++)
        assert_true(atomic_load(&tasks[i].killed));
    assert_int_equal(fake.nnotified, NTASKS);
    assert_int_equal(group.group_exit_code, LINUX_SIGKILL);
}

static void stops_and_continue_cancel_each_other(void **state) {
    for (int i = 0; i < NTASKS; i++)
        tasks[i].blocked = SIGBIT(LINUX_SIGTSTP) | SIGBIT(LINUX_SIGCONT);
    signal_send_task(&tasks[1], LINUX_SIGTSTP, NULL);
    signal_send_group(&group, LINUX_SIGCONT, NULL);
    assert_int_equal(signal_pending_set(&tasks[1]), SIGBIT(LINUX_SIGCONT));
    signal_send_group(&group, LINUX_SIGTSTP, NULL);
    assert_int_equal(signal_pending_set(&tasks[1]), SIGBIT(LINUX_SIGTSTP));
}

static void the_init_and_the_dead_get_nothing(void **state) {
    kern.init = &group;
    assert_int_equal(signal_send_group(&group, LINUX_SIGKILL, NULL), 0);
    assert_false(atomic_load(&tasks[0].killed));
    kern.init = NULL;
    list_del(&tasks[2].tg_link);
    assert_int_equal(signal_send_task(&tasks[2], LINUX_SIGTERM, NULL), 0);
    assert_int_equal(tasks[2].pending->set, 0);
}

static void temporary_masks(void **state) {
    struct task *t = &tasks[0];
    t->blocked = SIGBIT(LINUX_SIGUSR1);
    signal_tmp_mask_begin(t, SIGBIT(LINUX_SIGUSR2));
    signal_tmp_mask_begin(t, 0);  // a rerun
    assert_int_equal(t->blocked, SIGBIT(LINUX_SIGUSR2));
    assert_int_equal(signal_tmp_mask_end(t, SYS_PARK), SYS_PARK);
    assert_true(t->restore_mask);
    assert_int_equal(signal_tmp_mask_end(t, -LINUX_EINTR), -LINUX_EINTR);
    assert_true(t->restore_mask);
    assert_true(task_interrupted(t));
    assert_int_equal(signal_tmp_mask_end(t, 3), 3);
    assert_false(t->restore_mask);
    assert_int_equal(t->blocked, SIGBIT(LINUX_SIGUSR1));
}

static void who_may_send(void **state) {
    struct user_ns first = {.level = 0};
    struct cred root = {.cap_effective = ~0ull, .user = &first},
                a = {.uid = 1, .euid = 1, .suid = 1, .user = &first},
                b = {.uid = 2, .euid = 2, .suid = 1, .user = &first};
    tasks[0].cred = &a;
    struct task other = {.cred = &b};
    parent_group.leader = &other;
    assert_true(signal_may_send(&tasks[0], &parent_group, LINUX_SIGTERM));  // saved uid
    b.suid = 2;
    assert_false(signal_may_send(&tasks[0], &parent_group, LINUX_SIGTERM));
    assert_true(signal_may_send(&tasks[0], &parent_group, LINUX_SIGCONT));  // same session
    assert_true(signal_may_send(&tasks[0], &group, LINUX_SIGTERM));
    tasks[0].cred = &root;
    assert_true(signal_may_send(&tasks[0], &parent_group, LINUX_SIGTERM));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(standard_signals_merge),
        T(real_time_signals_queue_in_order),
        T(the_limit_refuses_only_queued_values),
        T(no_memory_keeps_the_bit),
        T(order_of_delivery),
        T(a_timers_entry_stays_its_own),
        T(own_signals_come_before_the_groups),
        T(a_group_signal_finds_a_thread_that_takes_it),
        T(blocking_hands_on_what_was_meant_for_us),
        T(awaited_signals_wake_though_blocked),
        T(ignored_signals_are_dropped_unless_blocked),
        T(kill_and_stop_cannot_be_blocked),
        T(sigkill_marks_every_thread),
        T(stops_and_continue_cancel_each_other),
        T(the_init_and_the_dead_get_nothing),
        T(temporary_masks),
        T(who_may_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
