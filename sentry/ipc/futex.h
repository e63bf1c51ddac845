// SPDX-License-Identifier: Apache-2.0
// Futexes: what a waiter is, and what task exit does with futexes. The calls are in syscalls/sys_futex.c.
#ifndef SENTRY_IPC_FUTEX_H
#define SENTRY_IPC_FUTEX_H
#include "base/list.h"
#include "base/lock.h"
#include "base/uaddr.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct task;
struct mm;

struct pi_table {         // futex_pi.h
    struct lock lock;     // RANK_FUTEX
    struct list waiters;  // [lock] for all such locks there are: in the order in which they came
};

// Waiters by key; the kernel's. A word of one process is not another's, so one table does for all.
#define FUTEX_BUCKETS 256u
struct futex_table {
    struct futex_bucket {
        struct lock lock;     // RANK_FUTEX
        struct list waiters;  // [lock]
    } buckets[FUTEX_BUCKETS];
    struct pi_table pi;
};
void futex_table_init(struct futex_table *x);
void futex_table_destroy(struct futex_table *x);  // nobody waits

// Two words are the same futex when their keys are equal. Memory of one map: {map, address, 0} for who
// promises that it is private, {map, address, 1} else. A shared mapping: {device << 1 | 1, inode number,
// offset}, so that processes meet.
struct futex_key {
    uint64_t space, id, off;
};

// One wait for one word. It lies in its task (or in the heap for futex_waitv). Whoever has queued one calls
// futex_unqueue() before it or its task goes, also when it was woken: the waker may still be at work on it.
// [b] the lock of `bucket`
struct futex_waiter {
    struct list link;                       // [b]
    _Atomic(struct futex_bucket *) bucket;  // [b] to change: where it is, or was last; NULL: never queued
    _Atomic bool queued;                    // [b] to change
    struct futex_key key;                   // [b]
    uint32_t bitset;                        // constant while queued
    struct task *task;                      // constant while queued; borrowed
};

static inline bool futex_key_equal(const struct futex_key *a, const struct futex_key *b) {
    return a->space == b->space && a->id == b->id && a->off == b->off;
}

// The key of a word as `mm` sees it now. private: the caller promises that no other process uses it. 0,
// -LINUX_EINVAL (not aligned), -LINUX_EFAULT (no memory there).
int futex_key_get(struct mm *mm, uaddr_t word, bool private, struct futex_key *out);
// Queues w unless the word has another value: 0, -LINUX_EAGAIN, -LINUX_EFAULT. The value is read under the
// bucket's lock, by one host call (about 400 ns).
int futex_queue(struct task *t, struct futex_waiter *w, const struct futex_key *key, uaddr_t word,
                uint32_t value, uint32_t bitset);
// Takes w off. False: it was not queued any more, a wake had come.
bool futex_unqueue(struct futex_waiter *w);
static inline bool futex_queued(struct futex_waiter *w) { return atomic_load(&w->queued); }
// Wakes up to n waiters whose bitset meets `bitset`, in the order in which they came: how many.
int futex_wake_key(struct futex_table *x, const struct futex_key *key, int n, uint32_t bitset);
// Wakes up to n waiters of `from`, then moves up to `move` of the rest to `to`. With cmp, only while `word`,
// which `from` stands for, has *cmp as its value; else -LINUX_EAGAIN. How many were woken or moved.
int futex_requeue(struct task *t, const struct futex_key *from, const struct futex_key *to, int n, int move,
                  uaddr_t word, const uint32_t *cmp);
// FUTEX_WAKE of an address of t's own map, as the kernel does for clear_child_tid. Errors are of no interest.
void futex_wake_addr(struct task *t, uaddr_t word, int n);
// The task leaves its memory (exit or exec): robust list, clear_child_tid. No locks held; t->mm is still
// there.
void futex_exit_task(struct task *t);
void futex_exit_robust(struct task *t);

#endif
