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
