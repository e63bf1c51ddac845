// SPDX-License-Identifier: Apache-2.0
// covers: clone, futex, gettid, exit
// A process of more than four thousand threads: each is there, has its own number, and can be waited for.
#include "guest.h"
#include <pthread.h>
#include <sys/resource.h>

#define THREADS 4200

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static int there, over;
static int tids[THREADS];

static void *stay(void *arg) {
    *(int *)arg = (int)syscall(SYS_gettid);
    pthread_mutex_lock(&lock);
    there++;
    while (!over)
        pthread_cond_wait(&change, &lock);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static int by_number(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

TEST(all_at_once) {
    static pthread_t threads[THREADS];
    pthread_attr_t small;
    struct rlimit limit;
    ASSERT_OK(getrlimit(RLIMIT_NPROC, &limit));
    if (limit.rlim_cur < 2 * THREADS)
        SKIP("RLIMIT_NPROC is too low");
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 32768);
    for (int i = 0; i < THREADS; i++)
        ASSERT_EQ(pthread_create(&threads[i], &small, stay, &tids[i]), 0);
    for (int now = 0; now < THREADS; usleep(1000)) {
        pthread_mutex_lock(&lock);
        now = there;
        pthread_mutex_unlock(&lock);
    }
    pthread_mutex_lock(&lock);
    over = 1;
    pthread_cond_broadcast(&change);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < THREADS; i++)
        ASSERT_EQ(pthread_join(threads[i], NULL), 0);
    qsort(tids, THREADS, sizeof *tids, by_number);
    for (int i = 1; i < THREADS; i++)
        ASSERT_TRUE(tids[i - 1] > 0 && tids[i - 1] != tids[i]);
}
