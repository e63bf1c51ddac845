// SPDX-License-Identifier: Apache-2.0
// Futexes: waiters hashed by key into buckets, woken in the order in which they came. Called by sys_futex.c
// and by the end of tasks.
//
// The value of the word is read under the bucket's lock. That is one host call (about 400 ns, more when the
// page has to be brought in), and it is what makes a wait sound: a waker changes the word first and takes the
// lock then, so it either finds the waiter or the waiter finds the new value. Buckets are many, so what
// collides rarely waits. A wake with no waiter costs one lock and no host call.
//
// Locks: the bucket's (RANK_FUTEX), two of them in the order of their addresses; the map's lock before, for
// shared keys.
#include "sentry/ipc/futex.h"
#include "abi/errno.h"
#include "abi/futex.h"
#include "abi/mman.h"
#include "platform/platform.h"
#include "sentry/ipc/futex_pi.h"
#include "sentry/kernel.h"
#include "sentry/mm/area.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/run/park.h"

void futex_table_init(struct futex_table *x) {
    for (unsigned i = 0; i < FUTEX_BUCKETS; i++) {
        lock_init(&x->buckets[i].lock, RANK_FUTEX);
        list_init(&x->buckets[i].waiters);
    }
    pi_table_init(&x->pi);
}

void futex_table_destroy(struct futex_table *x) {
    for (unsigned i = 0; i < FUTEX_BUCKETS; i++)
        lock_destroy(&x->buckets[i].lock);
    pi_table_destroy(&x->pi);
}

// ---- Keys -------------------------------------------------------------------------------------------------
static struct futex_bucket *bucket_of(struct futex_table *x, const struct futex_key *k) {
    uint64_t h = (k->space ^ k->id * 0x9e3779b97f4a7c15ull ^ k->off >> 2) * 0xff51afd7ed558ccdull;
    return &x->buckets[h >> 56 & (FUTEX_BUCKETS - 1)];
}

int futex_key_get(struct mm *mm, uaddr_t word, bool private, struct futex_key *out) {
    if (word.v % 4)
        return -LINUX_EINVAL;
    if (word.v >= mm->layout->hi - 3)
        return -LINUX_EFAULT;
    *out = (struct futex_key){.space = (uintptr_t)mm, .id = word.v};
    if (private)
        return 0;
    {
        LOCKED(&mm->lock);
        const struct vma *v = area_find(mm, word.v);
        if (!v || v->start > word.v || !(v->prot & LINUX_PROT_READ))
            return -LINUX_EFAULT;
        out->off = 1;
        if (!(v->flags & LINUX_MAP_SHARED) || !v->file)
            return 0;
        const struct inode *i = v->file->inode;
        *out = (struct futex_key){i->sb->dev << 1 | 1, i->attr.ino, v->offset + (word.v - v->start)};
    }
    uint32_t there; // the file may have been cut
    return plat_copy_in(mm->as, &there, word, sizeof there) == sizeof there ? 0 : -LINUX_EFAULT;
}

// ---- Waiting ----------------------------------------------------------------------------------------------
int futex_queue(struct task *t, struct futex_waiter *w, const struct futex_key *key, uaddr_t word,
                uint32_t value, uint32_t bitset) {
    struct futex_bucket *b = bucket_of(&t->k->futexes, key);
    uint32_t now;
    LOCKED(&b->lock);
    if (copy_in_obj(t, &now, word) < 0)
        return -LINUX_EFAULT;
    if (now != value)
        return -LINUX_EAGAIN;
    w->key = *key;
    w->bitset = bitset;
    w->task = t;
    atomic_store(&w->bucket, b);
    atomic_store(&w->queued, true);
    list_add_tail(&b->waiters, &w->link);
    return 0;
}

bool futex_unqueue(struct futex_waiter *w) {
    for (;;) {
        struct futex_bucket *b = atomic_load(&w->bucket);
        if (!b)
            return false;
        LOCKED(&b->lock);
        if (atomic_load(&w->bucket) != b)
            continue;  // moved by a requeue
        if (!atomic_load(&w->queued))
            return false;
        list_del(&w->link);
        atomic_store(&w->queued, false);
        return true;
    }
}

// ---- Waking -----------------------------------------------------------------------------------------------
static void wake_one(struct futex_waiter *w) {
    list_del(&w->link);
    atomic_store(&w->queued, false);
    task_wake(w->task);
}

int futex_wake_key(struct futex_table *x, const struct futex_key *key, int n, uint32_t bitset) {
    struct futex_bucket *b = bucket_of(x, key);
    struct futex_waiter *w, *tmp;
    int woken = 0;
    LOCKED(&b->lock);
    list_for_each_safe(w, tmp, &b->waiters, link) {
        if (!futex_key_equal(&w->key, key) || !(w->bitset & bitset))
            continue;
        wake_one(w);
        if (++woken >= n)  // Linux wakes one also when none is asked for
            break;
    }
    return woken;
}

static void lock_two(struct futex_bucket *a, struct futex_bucket *b) {
    lock_take(a < b ? &a->lock : &b->lock);
    if (a != b)
        lock_nested(a < b ? &b->lock : &a->lock);
}

static void drop_two(struct futex_bucket *a, struct futex_bucket *b) {
    lock_drop(&a->lock);
    if (a != b)
        lock_drop(&b->lock);
}

static int requeue_locked(struct futex_bucket *a, struct futex_bucket *b, const struct futex_key *from,
                          const struct futex_key *to, int n, int move) {
    struct futex_waiter *w, *tmp;
    struct list moved = LIST_INIT(moved);
    int count = 0, nmoved = 0;
    list_for_each_safe(w, tmp, &a->waiters, link) {
        if (!futex_key_equal(&w->key, from))
            continue;
        if (count >= n && nmoved >= move)
            break;
        if (count++ < n) {
            wake_one(w);
            continue;
        }
        nmoved++;
        list_del(&w->link);
        list_add_tail(&moved, &w->link);
        w->key = *to;
        atomic_store(&w->bucket, b);
    }
    list_splice_tail(&b->waiters, &moved);
    return count;
}

int futex_requeue(struct task *t, const struct futex_key *from, const struct futex_key *to, int n, int move,
                  uaddr_t word, const uint32_t *cmp) {
    struct futex_table *x = &t->k->futexes;
    struct futex_bucket *a = bucket_of(x, from), *b = bucket_of(x, to);
    uint32_t now;
    int r = 0;
    lock_two(a, b);
    if (cmp && copy_in_obj(t, &now, word) < 0)
        r = -LINUX_EFAULT;
    else if (cmp && now != *cmp)
        r = -LINUX_EAGAIN;
    else
        r = requeue_locked(a, b, from, to, n, move);
    drop_two(a, b);
    return r;
}

void futex_wake_addr(struct task *t, uaddr_t word, int n) {
    struct futex_key key;
    if (futex_key_get(t->mm, word, false, &key) == 0)
        futex_wake_key(&t->k->futexes, &key, n, LINUX_FUTEX_BITSET_MATCH_ANY);
}

// ---- The end of a task ------------------------------------------------------------------------------------
// A word of the robust list that names the dying thread as its owner is marked, and a waiter is told.
static void owner_died(struct task *t, uint64_t addr, bool pi, bool pending) {
    uint32_t value, old;
    if (addr % 4 || copy_in_obj(t, &value, uaddr(addr)) < 0)
        return;
    // Between setting the word free and waking: the wake that the thread cannot do any more.
    if (pending && !pi && value == 0) {
        futex_wake_addr(t, uaddr(addr), 1);
        return;
    }
    for (int tries = 0; tries < 64; tries++) {
        if ((value & LINUX_FUTEX_TID_MASK) != (uint32_t)task_vtid(t))
            return;
        uint32_t next = (value & LINUX_FUTEX_WAITERS) | LINUX_FUTEX_OWNER_DIED;
        int err = plat_cmpxchg32(t->mm->as, uaddr(addr), value, next, &old);
        if (err == -LINUX_EAGAIN)
            continue;
        if (err < 0)
            return;
        if (old == value)
            break;
        value = old;
    }
    if (!pi && (value & LINUX_FUTEX_WAITERS))
        futex_wake_addr(t, uaddr(addr), 1);
}

// The list is the guest's: bounded, each link read once, and before its word is touched.
void futex_exit_robust(struct task *t) {
    struct linux_robust_list_head head;
    uint64_t at = t->robust_list.v, next, entry;
    t->robust_list = UADDR_NULL;
    if (!at || copy_in_obj(t, &head, uaddr(at)) < 0)
        return;
    uint64_t offset = (uint64_t)head.futex_offset, pending = head.list_op_pending & ~1ull;
    entry = head.list;
    for (int i = 0; i < LINUX_ROBUST_LIST_LIMIT && (entry & ~1ull) != at; i++, entry = next) {
        bool more = copy_in_obj(t, &next, uaddr(entry & ~1ull)) == 0;
        if ((entry & ~1ull) != pending)
            owner_died(t, (entry & ~1ull) + offset, entry & 1, false);
        if (!more)
            break;
    }
    if (pending)
        owner_died(t, pending + offset, head.list_op_pending & 1, true);
}

void futex_exit_task(struct task *t) {
    futex_exit_robust(t);
    pi_owner_ends(t);
    uaddr_t word = t->clear_child_tid;
    t->clear_child_tid = UADDR_NULL;
    if (uaddr_is_null(word) || atomic_load(&t->mm->users) < 2)
        return;  // nobody is left to see it
    uint32_t zero = 0;
    copy_out_obj(t, word, &zero);
    futex_wake_addr(t, word, 1);
}
