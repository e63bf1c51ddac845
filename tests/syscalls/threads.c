// SPDX-License-Identifier: Apache-2.0
// covers: clone, futex, exit
// pthread create and join, many threads, thread-local storage, distinct tids, stacks (man 7 pthreads).
#include "guest.h"

static __thread int local = 5;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int counter;

static void *count_up(void *times)
{
    for (intptr_t i = 0; i < (intptr_t)times; i++) {
        pthread_mutex_lock(&lock);
        counter++;
        pthread_mutex_unlock(&lock);
    }
    local++;
    return (void *)(intptr_t)local;
}

static void *tid_of(void *unused)
{
    return (void *)(intptr_t)gettid();
}

TEST(join_returns_the_value)
{
    pthread_t threads[8];
    counter = 0;
    for (int i = 0; i < 8; i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, count_up, (void *)2000), 0);
    for (int i = 0; i < 8; i++) {
        void *value;
        EXPECT_EQ(pthread_join(threads[i], &value), 0);
        EXPECT_EQ((intptr_t)value, 6);
    }
    EXPECT_EQ(counter, 16000);
    EXPECT_EQ(local, 5);
}

TEST(tids)
{
    pthread_t a, b;
    void *tid_a, *tid_b;
    ASSERT_EQ(pthread_create(&a, NULL, tid_of, NULL), 0);
    ASSERT_EQ(pthread_create(&b, NULL, tid_of, NULL), 0);
    pthread_join(a, &tid_a);
    pthread_join(b, &tid_b);
    EXPECT_TRUE((intptr_t)tid_a != getpid() && (intptr_t)tid_b != getpid());
    EXPECT_EQ(gettid(), getpid());
}

static void *wait_at(void *barrier)
{
    pthread_barrier_wait(barrier);
    return barrier;
}

// All are alive at the same time, each asleep at the same word; then all end.
TEST(many_at_once)
{
    enum { MANY = 300 };
    static pthread_t threads[MANY];
    static pthread_barrier_t barrier;
    pthread_attr_t small;
    ASSERT_EQ(pthread_attr_init(&small), 0);
    ASSERT_EQ(pthread_attr_setstacksize(&small, 65536), 0);
    for (int turn = 0; turn < 2; turn++) {
        ASSERT_EQ(pthread_barrier_init(&barrier, NULL, MANY + 1), 0);
        for (int i = 0; i < MANY; i++)
            ASSERT_EQ(pthread_create(&threads[i], &small, wait_at, &barrier), 0);
        pthread_barrier_wait(&barrier);
        for (int i = 0; i < MANY; i++) {
            void *value;
            EXPECT_EQ(pthread_join(threads[i], &value), 0);
            EXPECT_TRUE(value == &barrier);
        }
        pthread_barrier_destroy(&barrier);
    }
}

TEST(many_in_sequence)
{
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        ASSERT_EQ(pthread_create(&thread, NULL, tid_of, NULL), 0);
        ASSERT_EQ(pthread_join(thread, NULL), 0);
    }
}

TEST(detached)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    counter = 0;
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, &attributes, count_up, (void *)10), 0);
    for (int i = 0; i < 500; i++) {
        pthread_mutex_lock(&lock);
        int now = counter;
        pthread_mutex_unlock(&lock);
        if (now == 10)
            break;
        sleep_ms(10);
    }
    EXPECT_EQ(counter, 10);
    pthread_attr_destroy(&attributes);
}

TEST(fork_takes_only_the_caller)
{
    IN_CHILD {
        int count = 0;
        DIR *dir = opendir("/proc/self/task");
        for (struct dirent *entry; dir && (entry = readdir(dir));)
            count += entry->d_name[0] != '.';
        EXPECT_EQ(count, 1);
    }
}
