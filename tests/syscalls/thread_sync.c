// SPDX-License-Identifier: Apache-2.0
// covers: futex
// Condition variables, barriers, read-write locks, semaphores, error-checking mutexes, timeouts (man 7
// pthreads).
#include "guest.h"

#include <semaphore.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn;

static void *ping_pong(void *self)
{
    for (int i = 0; i < 500; i++) {
        pthread_mutex_lock(&lock);
        while (turn != (intptr_t)self)
            pthread_cond_wait(&changed, &lock);
        turn = !turn;
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

TEST(condition_variable)
{
    pthread_t a, b;
    ASSERT_EQ(pthread_create(&a, NULL, ping_pong, (void *)0), 0);
    ASSERT_EQ(pthread_create(&b, NULL, ping_pong, (void *)1), 0);
    EXPECT_EQ(pthread_join(a, NULL), 0);
    EXPECT_EQ(pthread_join(b, NULL), 0);
    EXPECT_EQ(turn, 0);
}

static pthread_barrier_t barrier;
static atomic_int arrived, wrong;

static void *meet(void *unused)
{
    for (int round = 1; round <= 50; round++) {
        atomic_fetch_add(&arrived, 1);
        pthread_barrier_wait(&barrier);
        if (atomic_load(&arrived) != round * 4)
            atomic_fetch_add(&wrong, 1);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

TEST(barriers)
{
    pthread_t threads[4];
    pthread_barrier_init(&barrier, NULL, 4);
    for (int i = 0; i < 4; i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, meet, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    EXPECT_EQ(atomic_load(&wrong), 0);
    pthread_barrier_destroy(&barrier);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

static void *try_write(void *unused)
{
    return (void *)(intptr_t)pthread_rwlock_trywrlock(&rwlock);
}

TEST(read_write_lock)
{
    pthread_t thread;
    void *result;
    EXPECT_EQ(pthread_rwlock_rdlock(&rwlock), 0);
    EXPECT_EQ(pthread_rwlock_tryrdlock(&rwlock), 0);
    ASSERT_EQ(pthread_create(&thread, NULL, try_write, NULL), 0);
    pthread_join(thread, &result);
    EXPECT_EQ((intptr_t)result, EBUSY);
    pthread_rwlock_unlock(&rwlock);
    pthread_rwlock_unlock(&rwlock);
}

TEST(timeouts)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 30000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    sem_t semaphore;
    sem_init(&semaphore, 0, 1);
    EXPECT_EQ(sem_wait(&semaphore), 0);
    EXPECT_ERRNO(sem_trywait(&semaphore), EAGAIN);
    EXPECT_ERRNO(sem_timedwait(&semaphore, &until), ETIMEDOUT);
    pthread_mutex_lock(&lock);
    EXPECT_EQ(pthread_cond_timedwait(&changed, &lock, &until), ETIMEDOUT);
    pthread_mutex_unlock(&lock);
}

TEST(semaphore_between_processes)
{
    sem_t *semaphores = (sem_t *)map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED);
    sem_init(&semaphores[0], 1, 0);
    sem_init(&semaphores[1], 1, 0);
    pid_t pid = fork_child();
    if (pid == 0) {
        for (int i = 0; i < 100; i++) {
            EXPECT_OK(sem_wait(&semaphores[0]));
            EXPECT_OK(sem_post(&semaphores[1]));
        }
        child_done();
    }
    for (int i = 0; i < 100; i++) {
        EXPECT_OK(sem_post(&semaphores[0]));
        EXPECT_OK(sem_wait(&semaphores[1]));
    }
    EXPECT_EQ(wait_exit(pid), 0);
    munmap(semaphores, 4096);
}
