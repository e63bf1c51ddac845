// SPDX-License-Identifier: Apache-2.0
// covers: timer_create, timer_settime, timer_gettime, timer_getoverrun, timer_delete
// POSIX timers: signal with value, to one thread, none; overruns; absolute times (man 2 timer_create).
#include "guest.h"

static volatile int count, value, code;
static volatile pid_t ran_in;

static void handler(int signal, siginfo_t *info, void *context)
{
    count++;
    value = info->si_value.sival_int;
    code = info->si_code;
    ran_in = gettid();
}

static timer_t make(int notify, int signal)
{
    struct sigevent event = {.sigev_notify = notify, .sigev_signo = signal, .sigev_value.sival_int = 321};
    event._sigev_un._tid = gettid();
    timer_t timer;
    ASSERT_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    return timer;
}

TEST(signal_with_value)
{
    on_siginfo(SIGRTMIN, handler, 0);
    count = 0;
    timer_t timer = make(SIGEV_SIGNAL, SIGRTMIN);
    struct itimerspec set = {.it_value = {0, 20000000}}, now;
    EXPECT_OK(timer_settime(timer, 0, &set, NULL));
    EXPECT_OK(timer_gettime(timer, &now));
    EXPECT_RANGE(now.it_value.tv_nsec, 1, 20000000);
    while (count == 0)
        sleep_ms(5);
    EXPECT_EQ(value, 321);
    EXPECT_EQ(code, SI_TIMER);
    EXPECT_OK(timer_gettime(timer, &now));
    EXPECT_EQ(now.it_value.tv_nsec, 0);
    EXPECT_OK(timer_delete(timer));
}

TEST(one_thread)
{
    on_siginfo(SIGRTMIN, handler, 0);
    count = 0;
    timer_t timer = make(SIGEV_THREAD_ID, SIGRTMIN);
    struct itimerspec past = {.it_value = {0, 1}};
    EXPECT_OK(timer_settime(timer, TIMER_ABSTIME, &past, NULL));
    while (count == 0)
        sleep_ms(5);
    EXPECT_EQ(ran_in, gettid());
    EXPECT_OK(timer_delete(timer));
}

TEST(overruns)
{
    IN_CHILD {
        block_signal(SIG_BLOCK, SIGRTMIN);
        timer_t timer = make(SIGEV_SIGNAL, SIGRTMIN);
        struct itimerspec set = {.it_value = {0, 2000000}, .it_interval = {0, 2000000}};
        EXPECT_OK(timer_settime(timer, 0, &set, NULL));
        sleep_ms(50);
        sigset_t wait;
        sigemptyset(&wait);
        sigaddset(&wait, SIGRTMIN);
        siginfo_t info;
        EXPECT_EQ(sigwaitinfo(&wait, &info), SIGRTMIN);
        EXPECT_GE(info.si_overrun, 10);
        EXPECT_GE(timer_getoverrun(timer), 10);
    }
}

TEST(no_signal)
{
    timer_t timer = make(SIGEV_NONE, 0);
    struct itimerspec set = {.it_value = {100, 0}}, old;
    EXPECT_OK(timer_settime(timer, 0, &set, NULL));
    EXPECT_OK(timer_settime(timer, 0, &(struct itimerspec){0}, &old));
    EXPECT_RANGE(old.it_value.tv_sec, 99, 100);
    EXPECT_OK(timer_delete(timer));
}

TEST(errors)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 1000};
    EXPECT_ERRNO(timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL);
    EXPECT_ERRNO(syscall(SYS_timer_create, 99, NULL, &timer), EINVAL);
    EXPECT_ERRNO(syscall(SYS_timer_delete, 12345), EINVAL);
    EXPECT_ERRNO(syscall(SYS_timer_gettime, 12345, &event), EINVAL);
    EXPECT_ERRNO(syscall(SYS_timer_getoverrun, 12345), EINVAL);
    timer = make(SIGEV_NONE, 0);
    struct itimerspec bad = {.it_value = {0, 1000000000}};
    EXPECT_ERRNO(timer_settime(timer, 0, &bad, NULL), EINVAL);
    EXPECT_OK(timer_delete(timer));
}

// An absolute time long past: the intervals since then are overruns.
TEST(overruns_since_a_past_time)
{
    IN_CHILD {
        block_signal(SIG_BLOCK, SIGRTMIN);
        timer_t timer;
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
        ASSERT_OK(timer_create(CLOCK_REALTIME, &event, &timer));
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        struct itimerspec set = {.it_value = {now.tv_sec - 2, 0}, .it_interval = {0, 100000000}};
        EXPECT_OK(timer_settime(timer, TIMER_ABSTIME, &set, NULL));
        sigset_t wait;
        sigemptyset(&wait);
        sigaddset(&wait, SIGRTMIN);
        siginfo_t info;
        EXPECT_EQ(sigwaitinfo(&wait, &info), SIGRTMIN);
        EXPECT_GE(info.si_overrun, 15);
    }
}

TEST(keeps_the_step_of_a_past_time)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    struct timespec now;
    ASSERT_OK(timer_create(CLOCK_REALTIME, &event, &timer));
    clock_gettime(CLOCK_REALTIME, &now);
    struct itimerspec set = {.it_value = {now.tv_sec - 40 * 86400 - 30, 0}, .it_interval = {86400, 0}}, left;
    EXPECT_OK(timer_settime(timer, TIMER_ABSTIME, &set, NULL));
    EXPECT_OK(timer_gettime(timer, &left));
    EXPECT_RANGE(left.it_value.tv_sec, 86400 - 50, 86400 - 30);
    EXPECT_OK(timer_delete(timer));
}

TEST(processor_time)
{
    static const clockid_t clocks[] = {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    on_siginfo(SIGUSR1, handler, 0);
    for (int i = 0; i < 2; i++) {
        struct sigevent event = {
            .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = i + 5};
        struct itimerspec set = {.it_value = {0, 30000000}, .it_interval = {0, 10000000}}, got;
        timer_t timer;
        ASSERT_OK(timer_create(clocks[i], &event, &timer));
        count = 0;
        EXPECT_OK(timer_settime(timer, 0, &set, NULL));
        EXPECT_OK(timer_gettime(timer, &got));
        EXPECT_EQ(got.it_interval.tv_nsec, 10000000);
        EXPECT_RANGE(got.it_value.tv_nsec, 1, 30000000);
        int64_t start = now_ms();
        while (count < 3 && now_ms() - start < 25000)
            ;
        EXPECT_GE(count, 3);
        EXPECT_EQ(value, i + 5);
        EXPECT_OK(timer_delete(timer));
    }
}
