// SPDX-License-Identifier: Apache-2.0
// covers: tgkill, rt_sigaction, futex
// pthread_cancel, cleanup handlers, keys' destructors and pthread_kill (man 3 pthread_cancel).
#include "guest.h"

static atomic_int cleaned, destroyed;

static void clean(void *unused)
{
    atomic_fetch_add(&cleaned, 1);
}

static void destroy(void *unused)
{
    atomic_fetch_add(&destroyed, 1);
}

static void *sleep_forever(void *key)
{
    pthread_setspecific(*(pthread_key_t *)key, (void *)1);
    pthread_cleanup_push(clean, NULL);
    for (;;)
        pause();
    pthread_cleanup_pop(0);
    return NULL;
}

static void *read_forever(void *fd)
{
    char c;
    pthread_cleanup_push(clean, NULL);
    ssize_t n = read(*(int *)fd, &c, 1);
    (void)n;
    pthread_cleanup_pop(0);
    return NULL;
}

TEST(in_pause)
{
    pthread_key_t key;
    ASSERT_EQ(pthread_key_create(&key, destroy), 0);
    pthread_t thread;
    void *result;
    atomic_store(&cleaned, 0);
    ASSERT_EQ(pthread_create(&thread, NULL, sleep_forever, &key), 0);
    sleep_ms(20);
    EXPECT_EQ(pthread_cancel(thread), 0);
    EXPECT_EQ(pthread_join(thread, &result), 0);
    EXPECT_TRUE(result == PTHREAD_CANCELED);
    EXPECT_EQ(atomic_load(&cleaned), 1);
    EXPECT_EQ(atomic_load(&destroyed), 1);
}

TEST(in_read)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    pthread_t thread;
    void *result;
    atomic_store(&cleaned, 0);
    ASSERT_EQ(pthread_create(&thread, NULL, read_forever, &fds[0]), 0);
    sleep_ms(20);
    EXPECT_EQ(pthread_cancel(thread), 0);
    EXPECT_EQ(pthread_join(thread, &result), 0);
    EXPECT_TRUE(result == PTHREAD_CANCELED);
    EXPECT_EQ(atomic_load(&cleaned), 1);
    close(fds[0]);
    close(fds[1]);
}
