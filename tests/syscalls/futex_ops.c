// SPDX-License-Identifier: Apache-2.0
// covers: futex
// FUTEX_REQUEUE, CMP_REQUEUE, WAKE_OP, bitset waits with absolute time (man 2 futex).
#include "guest.h"

#include <linux/futex.h>

static atomic_uint first, second;
static atomic_int woken;

static void *wait_on_first(void *unused)
{
    syscall(SYS_futex, &first, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    atomic_fetch_add(&woken, 1);
    return NULL;
}

static void *wait_bit(void *bits)
{
    syscall(SYS_futex, &first, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (unsigned)(intptr_t)bits);
    atomic_fetch_add(&woken, 1);
    return NULL;
}

static int requeue(int op, int wake, int move, unsigned expected)
{
    return syscall(SYS_futex, &first, op | FUTEX_PRIVATE_FLAG, wake, (long)move, &second, expected);
}

static int wake(atomic_uint *word, int count)
{
    return syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

TEST(cmp_requeue)
{
    pthread_t threads[3];
    atomic_store(&woken, 0);
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, wait_on_first, NULL), 0);
    others_asleep(3);
    EXPECT_ERRNO(requeue(FUTEX_CMP_REQUEUE, 1, 10, 99), EAGAIN);
    EXPECT_EQ(requeue(FUTEX_CMP_REQUEUE, 1, 10, 0), 3);
    others_asleep(2);
    EXPECT_EQ(atomic_load(&woken), 1);
    EXPECT_EQ(wake(&first, 10), 0);
    EXPECT_EQ(wake(&second, 10), 2);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

TEST(requeue_limits)
{
    pthread_t threads[3];
    atomic_store(&woken, 0);
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, wait_on_first, NULL), 0);
    others_asleep(3);
    EXPECT_EQ(requeue(FUTEX_REQUEUE, 0, 1, 0), 1);
    EXPECT_EQ(wake(&first, 10), 2);
    EXPECT_EQ(wake(&second, 10), 1);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    EXPECT_EQ(requeue(FUTEX_CMP_REQUEUE, 1, 1, 0), 0);
}

TEST(wake_op)
{
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, wait_on_first, NULL), 0);
    others_asleep(1);
    atomic_store(&second, 5);
    int op = FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5);
    EXPECT_EQ(syscall(SYS_futex, &first, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 1, 1L, &second, op), 1);
    EXPECT_EQ(atomic_load(&second), 8);
    pthread_join(thread, NULL);
    op = FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_LT, 5);
    EXPECT_EQ(syscall(SYS_futex, &first, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 1, 1L, &second, op), 0);
    EXPECT_EQ(atomic_load(&second), 0);
}

TEST(bitset)
{
    pthread_t a, b;
    atomic_store(&woken, 0);
    ASSERT_EQ(pthread_create(&a, NULL, wait_bit, (void *)1), 0);
    ASSERT_EQ(pthread_create(&b, NULL, wait_bit, (void *)2), 0);
    others_asleep(2);
    EXPECT_EQ(syscall(SYS_futex, &first, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 4), 0);
    EXPECT_EQ(syscall(SYS_futex, &first, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 2), 1);
    EXPECT_EQ(syscall(SYS_futex, &first, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 0xffffffff), 1);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    EXPECT_ERRNO(syscall(SYS_futex, &first, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_futex, &first, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
}

TEST(absolute_timeout)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 20000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int64_t start = now_ms();
    EXPECT_ERRNO(syscall(SYS_futex, &first, FUTEX_WAIT_BITSET, 0, &until, NULL, ~0U), ETIMEDOUT);
    EXPECT_GE(now_ms() - start, 19);
    struct timespec past = {1, 0};
    EXPECT_ERRNO(syscall(SYS_futex, &first, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &past, NULL, ~0U),
                 ETIMEDOUT);
}

// A word that processes may share is looked up; who may not read it is told so.
TEST(unreadable_word)
{
    EXPECT_ERRNO(syscall(SYS_futex, no_access_page(), FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
}
