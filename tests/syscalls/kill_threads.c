// SPDX-License-Identifier: Apache-2.0
// covers: tgkill, kill, rt_sigprocmask
// Directed signals reach one thread; process signals any thread that does not block them (man 7 signal).
#include "guest.h"

static atomic_int ran_in;
static atomic_bool stop, ready;

static void handler(int signal)
{
    atomic_store(&ran_in, gettid());
}

static void *run(void *blocks)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(blocks ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
    atomic_store(&ready, true);
    while (!atomic_load(&stop))
        sleep_ms(1);
    return (void *)(intptr_t)gettid();
}

static intptr_t after(void (*action)(pthread_t), void *blocks)
{
    pthread_t thread;
    void *tid;
    atomic_store(&ran_in, 0);
    atomic_store(&stop, false);
    atomic_store(&ready, false);
    on_signal(SIGUSR1, handler, SA_RESTART);
    ASSERT_EQ(pthread_create(&thread, NULL, run, blocks), 0);
    while (!atomic_load(&ready))
        sleep_ms(1);
    action(thread);
    for (int i = 0; i < 3000 && !atomic_load(&ran_in); i++)
        sleep_ms(5);
    atomic_store(&stop, true);
    pthread_join(thread, &tid);
    signal(SIGUSR1, SIG_DFL);
    return (intptr_t)tid;
}

static void to_thread(pthread_t thread)
{
    pthread_kill(thread, SIGUSR1);
}

static void to_process(pthread_t thread)
{
    kill(getpid(), SIGUSR1);
}

static void to_process_blocked_here(pthread_t thread)
{
    block_signal(SIG_BLOCK, SIGUSR1);
    kill(getpid(), SIGUSR1);
}

TEST(directed)
{
    intptr_t tid = after(to_thread, NULL);
    EXPECT_EQ(atomic_load(&ran_in), tid);
}

TEST(process_wide_avoids_blocking_threads)
{
    after(to_process, (void *)1);
    EXPECT_EQ(atomic_load(&ran_in), getpid());
}

TEST(process_wide_finds_the_open_thread)
{
    intptr_t tid = after(to_process_blocked_here, NULL);
    EXPECT_EQ(atomic_load(&ran_in), tid);
    block_signal(SIG_UNBLOCK, SIGUSR1);
}
