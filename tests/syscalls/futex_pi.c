// SPDX-License-Identifier: Apache-2.0
// covers: futex
// Locks that name their owner: LOCK_PI, LOCK_PI2, TRYLOCK_PI, UNLOCK_PI (man 2 futex, futex(7)).
#include "guest.h"

#include <linux/futex.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static long op(unsigned *word, int command, const struct timespec *timeout) {
    return syscall(SYS_futex, word, command | FUTEX_PRIVATE_FLAG, 0, timeout, NULL, 0);
}
static unsigned self(void) { return syscall(SYS_gettid); }

TEST(alone) {
    unsigned word = 0;
    EXPECT_EQ(op(&word, FUTEX_LOCK_PI, NULL), 0);
    EXPECT_EQ(word & FUTEX_TID_MASK, self());
    EXPECT_ERRNO(op(&word, FUTEX_LOCK_PI, NULL), EDEADLK);
    EXPECT_ERRNO(op(&word, FUTEX_TRYLOCK_PI, NULL), EDEADLK);
    EXPECT_EQ(op(&word, FUTEX_UNLOCK_PI, NULL), 0);
    EXPECT_EQ(word, 0);
    EXPECT_ERRNO(op(&word, FUTEX_UNLOCK_PI, NULL), EPERM);
    EXPECT_EQ(op(&word, FUTEX_TRYLOCK_PI, NULL), 0);
    EXPECT_EQ(word & FUTEX_TID_MASK, self());
    EXPECT_EQ(op(&word, FUTEX_UNLOCK_PI, NULL), 0);
    EXPECT_EQ(op(&word, FUTEX_LOCK_PI2, NULL), 0);
    EXPECT_EQ(op(&word, FUTEX_UNLOCK_PI, NULL), 0);
}

TEST(errors) {
    unsigned word = 0x3ffffff0;
    char room[16] __attribute__((aligned(8)));
    struct timespec bad = {0, 2000000000};
    EXPECT_ERRNO(op(&word, FUTEX_LOCK_PI, NULL), ESRCH);
    word = 0;
    EXPECT_ERRNO(op((unsigned *)(room + 1), FUTEX_LOCK_PI, NULL), EINVAL);
    EXPECT_ERRNO(op(no_access_page(), FUTEX_LOCK_PI, NULL), EFAULT);
    EXPECT_ERRNO(op(read_only_page(), FUTEX_LOCK_PI, NULL), EFAULT);
    EXPECT_ERRNO(op(&word, FUTEX_LOCK_PI, &bad), EINVAL);
    EXPECT_ERRNO(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
}

static unsigned lock_word;
static atomic_int waiting, done;
static void *waiter(void *arg) {
    atomic_fetch_add(&waiting, 1);
    long r = op(&lock_word, FUTEX_LOCK_PI, NULL);
    bool mine = (lock_word & FUTEX_TID_MASK) == self();
    atomic_fetch_add(&done, 1);
    if (r == 0)
        op(&lock_word, FUTEX_UNLOCK_PI, NULL);
    return (void *)(long)(r == 0 && mine);
}

static void until_set(unsigned bit) {
    while (!(__atomic_load_n(&lock_word, __ATOMIC_SEQ_CST) & bit))
        sched_yield();
}

TEST(handed_over) {
    pthread_t threads[4];
    void *result;
    lock_word = self();  // as user space takes it
    for (int i = 0; i < 4; i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, waiter, NULL), 0);
    until_set(FUTEX_WAITERS);
    EXPECT_EQ(lock_word, self() | FUTEX_WAITERS);
    sleep_ms(30);
    EXPECT_EQ(atomic_load(&done), 0);
    EXPECT_EQ(op(&lock_word, FUTEX_UNLOCK_PI, NULL), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &result);
        EXPECT_EQ((long)result, 1);
    }
    EXPECT_EQ(lock_word, 0);
}

static void *holds_for_a_while(void *arg) {
    *(unsigned *)arg = self();
    atomic_store(&waiting, 100);
    while (atomic_load(&waiting) == 100)
        sched_yield();
    return NULL;
}

TEST(timeout_and_try) {
    pthread_t thread;
    struct timespec now, late;
    lock_word = 0;
    atomic_store(&waiting, 0);
    ASSERT_EQ(pthread_create(&thread, NULL, holds_for_a_while, &lock_word), 0);
    while (atomic_load(&waiting) != 100)
        sched_yield();
    unsigned owner = lock_word;
    EXPECT_ERRNO(op(&lock_word, FUTEX_TRYLOCK_PI, NULL), EAGAIN);
    clock_gettime(CLOCK_REALTIME, &now);
    late = (struct timespec){now.tv_sec + (now.tv_nsec > 900000000), (now.tv_nsec + 100000000) % 1000000000};
    EXPECT_ERRNO(op(&lock_word, FUTEX_LOCK_PI, &late), ETIMEDOUT);
    clock_gettime(CLOCK_MONOTONIC, &now);
    EXPECT_ERRNO(op(&lock_word, FUTEX_LOCK_PI2, &now), ETIMEDOUT);
    EXPECT_EQ(lock_word & FUTEX_TID_MASK, owner);
    EXPECT_ERRNO(op(&lock_word, FUTEX_UNLOCK_PI, NULL), EPERM);
    atomic_store(&waiting, 0);
    pthread_join(thread, NULL);
}

// The owner ends without unlocking: who waits has the lock, and is told how.
static void *dies_with_it(void *arg) {
    lock_word = self();
    until_set(FUTEX_WAITERS);
    sleep_ms(20);
    return NULL;
}

TEST(owner_dies) {
    pthread_t thread;
    lock_word = 0;
    ASSERT_EQ(pthread_create(&thread, NULL, dies_with_it, NULL), 0);
    while (!__atomic_load_n(&lock_word, __ATOMIC_SEQ_CST))
        sched_yield();
    EXPECT_EQ(op(&lock_word, FUTEX_LOCK_PI, NULL), 0);
    EXPECT_EQ(lock_word & ~FUTEX_WAITERS, self() | FUTEX_OWNER_DIED);
    EXPECT_EQ(op(&lock_word, FUTEX_UNLOCK_PI, NULL), 0);
    pthread_join(thread, NULL);
}

static unsigned first_word, second_word;
static void *crosses(void *arg) {
    EXPECT_EQ(op(&second_word, FUTEX_LOCK_PI, NULL), 0);
    atomic_store(&waiting, 7);
    EXPECT_EQ(op(&first_word, FUTEX_LOCK_PI, NULL), 0);
    EXPECT_EQ(op(&first_word, FUTEX_UNLOCK_PI, NULL), 0);
    EXPECT_EQ(op(&second_word, FUTEX_UNLOCK_PI, NULL), 0);
    return NULL;
}

TEST(deadlock) {
    pthread_t thread;
    atomic_store(&waiting, 0);
    ASSERT_EQ(op(&first_word, FUTEX_LOCK_PI, NULL), 0);
    ASSERT_EQ(pthread_create(&thread, NULL, crosses, NULL), 0);
    while (!(__atomic_load_n(&first_word, __ATOMIC_SEQ_CST) & FUTEX_WAITERS))
        sched_yield();
    sleep_ms(20);
    EXPECT_ERRNO(op(&second_word, FUTEX_LOCK_PI, NULL), EDEADLK);
    EXPECT_EQ(op(&first_word, FUTEX_UNLOCK_PI, NULL), 0);
    pthread_join(thread, NULL);
}

// The C library's own, with a counter that only one may touch at a time.
static pthread_mutex_t mutex;
static long count;
static void *counts(void *arg) {
    for (int i = 0; i < 2000; i++) {
        if (pthread_mutex_lock(&mutex) != 0)
            break;
        long c = count;
        if (i % 64 == 0)
            sched_yield();
        count = c + 1;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

TEST(mutex_of_the_library) {
    pthread_mutexattr_t a;
    pthread_t threads[4];
    pthread_mutexattr_init(&a);
    ASSERT_EQ(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT), 0);
    ASSERT_EQ(pthread_mutex_init(&mutex, &a), 0);
    for (int i = 0; i < 4; i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, counts, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    EXPECT_EQ(count, 8000);
}

// Robust, shared between processes, and its owner is killed.
TEST(robust_and_shared) {
    struct shared {
        pthread_mutex_t m;
        atomic_int locked;
    } *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
    pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    ASSERT_EQ(pthread_mutex_init(&s->m, &a), 0);
    for (int late = 0; late < 2; late++) {
        atomic_store(&s->locked, 0);
        pid_t pid = fork_child();
        if (pid == 0) {
            pthread_mutex_lock(&s->m);
            atomic_store(&s->locked, 1);
            sleep_ms(late ? 100 : 0);
            kill(getpid(), SIGKILL);
        }
        while (!atomic_load(&s->locked))
            sched_yield();
        if (!late)
            wait_exit(pid);
        EXPECT_EQ(pthread_mutex_lock(&s->m), EOWNERDEAD);
        EXPECT_EQ(pthread_mutex_consistent(&s->m), 0);
        EXPECT_EQ(pthread_mutex_unlock(&s->m), 0);
        EXPECT_EQ(pthread_mutex_lock(&s->m), 0);
        EXPECT_EQ(pthread_mutex_unlock(&s->m), 0);
        if (late)
            wait_exit(pid);
    }
    munmap(s, 4096);
}
