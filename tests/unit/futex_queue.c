// SPDX-License-Identifier: Apache-2.0
// Futex keys, queues, wakes, requeues and the robust list, over guest memory that is one array. Guest
// programs that cover the rest: tests/syscalls/futex*.c, threads.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "abi/futex.h"
#include "abi/mman.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/kernel.h"
#include "sentry/mm/area.h"
#include "sentry/mm/usercopy.h"
#include "sentry/ipc/futex_pi.h"
#include "sentry/run/park.h"
#include <string.h>

#define BASE  0x10000ull
#define WORDS 4096
#define ANY   LINUX_FUTEX_BITSET_MATCH_ANY

static uint32_t words[WORDS];
static struct plat_layout layout = {.hi = 1ull << 47};
static struct mm mm, mm2;
static struct kernel kernel;
static struct task tasks[4];
static struct futex_waiter waiters[4];
static int woken[16], nwoken;

// ---- What futex.c calls -----------------------------------------------------------------------------------
static void *at(uint64_t a, size_t n) {
    return a >= BASE && n <= sizeof words && a - BASE <= sizeof words - n ? (char *)words + (a - BASE) : NULL;
}
int copy_in(struct task *t, void *dst, uaddr_t src, size_t n) {
    if (!at(src.v, n))
        return -LINUX_EFAULT;
    memcpy(dst, at(src.v, n), n);
    return 0;
}
int copy_out(struct task *t, uaddr_t dst, const void *src, size_t n) {
    if (!at(dst.v, n))
        return -LINUX_EFAULT;
    memcpy(at(dst.v, n), src, n);
    return 0;
}
int64_t plat_copy_in(struct plat_as *as, void *dst, uaddr_t src, size_t n) {
    return copy_in(NULL, dst, src, n) < 0 ? -LINUX_EFAULT : (int64_t)n;
}
int plat_cmpxchg32(struct plat_as *as, uaddr_t word, uint32_t expect, uint32_t desired, uint32_t *old) {
    uint32_t *p = at(word.v, 4);
    if (!p)
        return -LINUX_EFAULT;
    *old = *p;
    if (*p == expect)
        *p = desired;
    return 0;
}
// Of waits and of locks with owners, which are not tried here.
void task_put(struct task *t) {}
int32_t task_vtid(const struct task *t) { return t->tid; }
void park_deadline(struct task *t, uint64_t mono_ns_abs) {}
int64_t park(struct task *t) { return SYS_PARK; }
void task_wake(struct task *t) { woken[nwoken++ % 16] = (int)(t - tasks); }

// The map: one private area, or one shared file; area_find() of the real tree is not needed for that.
static struct vma area = {.start = BASE, .end = BASE + sizeof words};
void pi_table_init(struct pi_table *x) { lock_init(&x->lock, RANK_FUTEX); }
void pi_table_destroy(struct pi_table *x) { lock_destroy(&x->lock); }
void pi_owner_ends(struct task *t) {}
struct vma *area_find(const struct mm *m, uint64_t addr) { return addr < area.end ? &area : NULL; }

static int setup(void **state) {
    memset(words, 0, sizeof words);
    memset(tasks, 0, sizeof tasks);
    memset(waiters, 0, sizeof waiters);
    nwoken = 0;
    futex_table_init(&kernel.futexes);
    area.prot = LINUX_PROT_READ | LINUX_PROT_WRITE;
    area.flags = LINUX_MAP_PRIVATE;
    area.file = NULL;
    lock_init(&mm.lock, RANK_MM);
    lock_init(&mm2.lock, RANK_MM);
    mm.layout = mm2.layout = &layout;
    atomic_store(&mm.users, 2);
    for (int i = 0; i < 4; i++) {
        tasks[i].k = &kernel;
        tasks[i].mm = &mm;
        tasks[i].tid = 10 + i;
    }
    return 0;
}

static uaddr_t word(int i) { return uaddr(BASE + 4 * (uint64_t)i); }
static struct futex_key key(int i) {
    struct futex_key k;
    assert_int_equal(futex_key_get(&mm, word(i), true, &k), 0);
    return k;
}
static void queue(int task, int w, uint32_t bitset) {
    struct futex_key k = key(w);
    assert_int_equal(futex_queue(&tasks[task], &waiters[task], &k, word(w), words[w], bitset), 0);
}
// As who waits for what an end tells: by the key that others can have too.
static void queue_shared(int task, int w) {
    struct futex_key k;
    assert_int_equal(futex_key_get(&mm, word(w), false, &k), 0);
    assert_int_equal(futex_queue(&tasks[task], &waiters[task], &k, word(w), words[w], ANY), 0);
}
static void drain(void) {
    for (int i = 0; i < 4; i++)
        futex_unqueue(&waiters[i]);
}

static void keys(void **state) {
    struct futex_key a, b;
    assert_int_equal(futex_key_get(&mm, uaddr(BASE + 2), true, &a), -LINUX_EINVAL);
    assert_int_equal(futex_key_get(&mm, uaddr(layout.hi), true, &a), -LINUX_EFAULT);
    assert_int_equal(futex_key_get(&mm, uaddr(0x100), false, &a), -LINUX_EFAULT);
    futex_key_get(&mm, word(1), false, &a);
    futex_key_get(&mm2, word(1), false, &b);
    assert_memory_not_equal(&a, &b, sizeof a);
    struct superblock sb = {.dev = 7};
    struct inode inode = {.sb = &sb, .attr = {.ino = 99}};
    struct file file = {.inode = &inode};
    area.flags = LINUX_MAP_SHARED;
    area.file = &file;
    area.offset = 8192;
    futex_key_get(&mm, word(1), false, &a);
    futex_key_get(&mm2, word(1), false, &b);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(a.off, 8192 + 4);
}

static void the_value_is_checked(void **state) {
    struct futex_key k = key(0);
    words[0] = 5;
    assert_int_equal(futex_queue(&tasks[0], &waiters[0], &k, word(0), 4, ANY), -LINUX_EAGAIN);
    assert_int_equal(futex_queue(&tasks[0], &waiters[0], &k, uaddr(0), 4, ANY), -LINUX_EFAULT);
    assert_false(futex_queued(&waiters[0]));
    assert_false(futex_unqueue(&waiters[0]));
}

static void first_come_first_woken(void **state) {
    struct futex_key k = key(0), other = key(1);
    for (int i = 0; i < 4; i++)
        queue(i, 0, ANY);
    assert_int_equal(futex_wake_key(&kernel.futexes, &other, 10, ANY), 0);
    assert_int_equal(futex_wake_key(&kernel.futexes, &k, 2, ANY), 2);
    assert_int_equal(woken[0], 0);
    assert_int_equal(woken[1], 1);
    assert_true(futex_unqueue(&waiters[2]));
    assert_false(futex_unqueue(&waiters[0]));
    assert_int_equal(futex_wake_key(&kernel.futexes, &k, 10, ANY), 1);
    assert_int_equal(woken[2], 3);
}

static void bitsets(void **state) {
    struct futex_key k = key(0);
    queue(0, 0, 1);
    queue(1, 0, 2);
    assert_int_equal(futex_wake_key(&kernel.futexes, &k, 10, 2), 1);
    assert_int_equal(woken[0], 1);
    drain();
}

static void requeue(void **state) {
    struct futex_key from = key(0), to = key(700);
    uint32_t value = 1;
    for (int i = 0; i < 4; i++)
        queue(i, 0, ANY);
    assert_int_equal(futex_requeue(&tasks[0], &from, &to, 1, 2, word(0), &value), -LINUX_EAGAIN);
    value = 0;
    assert_int_equal(futex_requeue(&tasks[0], &from, &to, 1, 2, word(0), &value), 3);
    assert_int_equal(nwoken, 1);
    assert_int_equal(futex_wake_key(&kernel.futexes, &to, 10, ANY), 2);
    assert_int_equal(woken[1], 1);
    assert_int_equal(woken[2], 2);
    assert_int_equal(futex_wake_key(&kernel.futexes, &from, 10, ANY), 1);
    // To itself, and taken off after a move.
    queue(0, 0, ANY);
    assert_int_equal(futex_requeue(&tasks[0], &from, &from, 0, 5, word(0), NULL), 1);
    assert_int_equal(futex_requeue(&tasks[0], &from, &to, 0, 5, word(0), NULL), 1);
    assert_true(futex_unqueue(&waiters[0]));
}

// Lays a robust list at word 100: entries at word indexes, the lock word 2 words (8 bytes) behind each entry.
static void robust(const int *entries, int n, int pending) {
    uint64_t head = word(100).v;
    struct linux_robust_list_head h = {.futex_offset = 8};
    uint64_t *link = &h.list;
    for (int i = 0; i < n; i++) {
        *link = word(entries[i]).v;
        link = at(*link, 8);
    }
    *link = head;
    h.list_op_pending = pending ? word(pending).v : 0;
    if (n == 0)
        h.list = head;
    memcpy(at(head, sizeof h), &h, sizeof h);
    tasks[0].robust_list = uaddr(head);
}

static void robust_list(void **state) {
    const int entries[] = {200, 210, 220};
    robust(entries, 3, 0);
    words[202] = 10;                          // ours
    words[212] = 11;                          // another thread's
    words[222] = 10 | LINUX_FUTEX_WAITERS;    // ours, and awaited
    queue_shared(1, 222);
    futex_exit_task(&tasks[0]);
    assert_int_equal(words[202], LINUX_FUTEX_OWNER_DIED);
    assert_int_equal(words[212], 11);
    assert_int_equal(words[222], LINUX_FUTEX_OWNER_DIED | LINUX_FUTEX_WAITERS);
    assert_int_equal(nwoken, 1);
    assert_int_equal(woken[0], 1);
    drain();
}

static void robust_pending(void **state) {
    robust(NULL, 0, 300);
    words[302] = 0;  // set free, the wake was still to come
    queue_shared(1, 302);
    futex_exit_robust(&tasks[0]);
    assert_int_equal(nwoken, 1);
    assert_int_equal(words[302], 0);
}

static void A20_hostile_robust_lists(void **state) {
    const int loop[] = {200};
    robust(loop, 1, 0);
    uint64_t self = word(200).v;
    memcpy(at(self, 8), &self, 8);  // a circle without the head
    words[202] = 10;
    futex_exit_robust(&tasks[0]);
    assert_int_equal(words[202], LINUX_FUTEX_OWNER_DIED);
    tasks[0].robust_list = uaddr(0x7fffffff0000);
    futex_exit_robust(&tasks[0]);
    robust(loop, 1, 0);
    uint64_t wild = 0xffff800000000001ull;
    memcpy(at(self, 8), &wild, 8);
    futex_exit_robust(&tasks[0]);
}

static void clear_child_tid(void **state) {
    words[5] = 10;
    tasks[0].clear_child_tid = word(5);
    queue_shared(1, 5);
    futex_exit_task(&tasks[0]);
    assert_int_equal(words[5], 0);
    assert_int_equal(nwoken, 1);
    atomic_store(&mm.users, 1);
    words[5] = 10;
    tasks[0].clear_child_tid = word(5);
    futex_exit_task(&tasks[0]);
    assert_int_equal(words[5], 10);  // nobody is left to see it
}

int main(void) {
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        T(keys),          T(the_value_is_checked), T(first_come_first_woken),    T(bitsets),
        T(requeue),       T(robust_list),          T(robust_pending),            T(A20_hostile_robust_lists),
        T(clear_child_tid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
