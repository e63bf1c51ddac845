// SPDX-License-Identifier: Apache-2.0
// See futex_pi.h.
//
// The sentry has no atomic exchange against guest threads, and needs none. User space changes such a word in
// two ways only, from 0 to its number and back, both by compare and exchange. FUTEX_WAITERS is the top bit of
// the word, and thread numbers have no bits in its byte: so storing that one byte sets the bit without
// touching the number, as atomic as any store is, and from then on neither exchange can succeed: the word is
// ours to read and to write, until we store one without the bit. (A guest that writes to it in other ways has
// itself to blame; what it writes is looked at anew each time.)
//
//   WAITS -> GIVEN     by the owner's unlock, which has put the waiter's number into the word
//   WAITS -> INHERITS  by the owner's death; the waiter itself puts its number there, or, when it ends
//   before,
//                      leaves that to the next one
//
// Locks: the table's (RANK_FUTEX). Words are read and written under it. tasks_lock before it, never inside.
#include "sentry/ipc/futex_pi.h"
#include "abi/errno.h"
#include "abi/futex.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/run/park.h"

_Static_assert(PID_MAX <= 1 << 24, "thread numbers leave the top byte of a word alone");

enum pi_state { PI_WAITS, PI_GIVEN, PI_INHERITS };
static const unsigned may_become[] = {
    [PI_WAITS] = 1u << PI_GIVEN | 1u << PI_INHERITS, [PI_GIVEN] = 0, [PI_INHERITS] = 1u << PI_GIVEN};

struct pi_waiter {         // owned by its task's call
    struct list link;      // [x] on the table's list until it has got the lock or gives up
    struct futex_key key;  // [c]
    uaddr_t word;          // [c]
    struct task *task;     // [c] borrowed
    int32_t tid, owner;    // [c], [x] whom it waits for: the kernel's numbers
    int32_t nr;            // [c] its own namespace's, which the word has when it gets the lock
    enum pi_state state;   // [x]
};

void pi_table_init(struct pi_table *x) {
    lock_init(&x->lock, RANK_FUTEX);
    list_init(&x->waiters);
}

void pi_table_destroy(struct pi_table *x) { lock_destroy(&x->lock); }

static struct pi_table *table(struct task *t) { return &t->k->futexes.pi; }

static void set_state(struct pi_waiter *w, enum pi_state to) {
    invariant(may_become[w->state] & 1u << to);
    w->state = to;
}

// ---- Words: [x] -------------------------------------------------------------------------------------------
static int read_word(struct task *t, uaddr_t word, uint32_t *v) {
    return copy_in_obj(t, v, word) < 0 ? -LINUX_EFAULT : 0;
}

static int write_word(struct task *t, uaddr_t word, uint32_t v) {
    return copy_out_obj(t, word, &v) < 0 ? -LINUX_EFAULT : 0;
}

// The word is ours from here on; *v is what it is then.
static int claim_word(struct task *t, uaddr_t word, uint32_t *v) {
    int err = read_word(t, word, v);
    if (err < 0 || (*v & LINUX_FUTEX_WAITERS))
        return err;
    uint8_t top = (uint8_t)((*v | LINUX_FUTEX_WAITERS) >> 24);
    if (copy_out_obj(t, uaddr_add(word, 3), &top) < 0)
        return -LINUX_EFAULT;
    return read_word(t, word, v);
}

// ---- Waiters: [x] -----------------------------------------------------------------------------------------
static struct pi_waiter *first_for(struct pi_table *x, const struct futex_key *key) {
    struct pi_waiter *w;
    list_for_each(w, &x->waiters, link)
        if (futex_key_equal(&w->key, key))
            return w;
    return NULL;
}

static void set_owner(struct pi_table *x, const struct futex_key *key, int32_t owner) {
    struct pi_waiter *w;
    list_for_each(w, &x->waiters, link)
        if (futex_key_equal(&w->key, key))
            w->owner = owner;
}

static int32_t waits_for(struct pi_table *x, int32_t tid) {
    const struct pi_waiter *w;
    list_for_each(w, &x->waiters, link)
        if (w->tid == tid)
            return w->owner;
    return 0;
}

// Does `owner` wait, itself or through others, for what tid holds? Each step looks at all waiters, under the
// lock of all: so a longer cycle is not found, and waits.
#define CHAIN_MOST 32
static bool would_deadlock(struct pi_table *x, int32_t owner, int32_t tid) {
    for (int steps = 0; owner && steps < CHAIN_MOST; steps++) {
        if (owner == tid)
            return true;
        owner = waits_for(x, owner);
    }
    return false;
}

static void pass_on(struct pi_table *x, const struct futex_key *key) {
    struct pi_waiter *w = first_for(x, key);
    if (!w || w->state != PI_WAITS)
        return;
    set_state(w, PI_INHERITS);
    task_wake(w->task);
}

static void take_off(struct pi_table *x, struct pi_waiter *w) {
    if (!list_linked(&w->link))
        return;
    list_del(&w->link);
    if (w->state == PI_INHERITS)
        pass_on(x, &w->key);
}

static void waiter_end(struct task *t) {
    struct pi_waiter *w = take_ptr(t->call.own.pi);
    {
        LOCKED(&table(t)->lock);
        take_off(table(t), w);
    }
    free(w);
}

// ---- Locking ----------------------------------------------------------------------------------------------
// Will its waiters still hear of its end? pi_ends is set before they are looked for, under the table's lock:
// who holds that and finds it unset is found.
static bool will_tell(const struct task *owner) { return owner && !atomic_load(&owner->pi_ends); }

// [x] The word is free: it is t's.
static int acquire(struct task *t, const struct futex_key *key, uaddr_t word, uint32_t v) {
    struct pi_table *x = table(t);
    uint32_t waiters = first_for(x, key) ? LINUX_FUTEX_WAITERS : 0;
    int err = write_word(t, word, (uint32_t)task_vtid(t) | (v & LINUX_FUTEX_OWNER_DIED) | waiters);
    if (err == 0)
        set_owner(x, key, t->tid);
    return err;
}

static int64_t queue(struct task *t, const struct futex_key *key, uaddr_t word, int32_t owner) {
    struct pi_table *x = table(t);
    if (would_deadlock(x, owner, t->tid))
        return -LINUX_EDEADLK;
    struct pi_waiter *w = znew(struct pi_waiter);
    if (!w)
        return -LINUX_ENOMEM;
    *w = (struct pi_waiter){.key = *key, .word = word, .task = t, .tid = t->tid, .owner = owner,
                            .nr = task_vtid(t)};
    list_add_tail(&x->waiters, &w->link);
    t->call.own.pi = w;
    t->call.cleanup = waiter_end;
    return 0;
}

enum { LOCK_BEGINS, LOCK_WAITS };  // call.phase

// o: the task `alive`, or NULL. -LINUX_EAGAIN: the owner is not whom we have found alive any more.
// 0: it is t's, or t is queued (LOCK_WAITS).
static int64_t try_lock(struct task *t, const struct futex_key *key, uaddr_t word, bool try_only,
                        int32_t alive, const struct task *o) {
    struct pi_table *x = table(t);
    uint32_t v;
    LOCKED(&x->lock);
    int64_t r = claim_word(t, word, &v);
    if (r < 0)
        return r;
    int32_t owner = (int32_t)(v & LINUX_FUTEX_TID_MASK);
    if (owner == task_vtid(t))
        return -LINUX_EDEADLK;
    const struct pi_waiter *first = first_for(x, key);
    if (!owner && !(first && first->state == PI_INHERITS))
        return acquire(t, key, word, v);
    if (!first && (owner != alive || !will_tell(o)))
        return -LINUX_EAGAIN;
    if (try_only)
        return -LINUX_EWOULDBLOCK;
    r = queue(t, key, word, first ? first->owner : o->tid);
    if (r == 0)
        t->call.phase = LOCK_WAITS;
    return r;
}

// Who is named in the word, when that is a living thread (*o: referenced, or NULL); or an error.
static int64_t living_owner(struct task *t, const struct futex_key *key, uaddr_t word, struct task **o) {
    uint32_t v;
    bool waited_for;
    {
        LOCKED(&table(t)->lock);
        int err = read_word(t, word, &v);
        if (err < 0)
            return err;
        waited_for = first_for(table(t), key);
    }
    int32_t owner = (int32_t)(v & LINUX_FUTEX_TID_MASK);
    if (owner == task_vtid(t))
        return -LINUX_EDEADLK;
    *o = owner ? task_find(t, owner) : NULL;
    return !owner || waited_for || will_tell(*o) ? owner : -LINUX_ESRCH;
}

// The lock of one that died: its heir has the word to itself, and writes itself into it.
static int64_t inherit(struct task *t, struct pi_waiter *w) {
    uint32_t v;
    int64_t r = claim_word(t, w->word, &v);
    if (r < 0)
        return r;
    set_state(w, PI_GIVEN);
    list_del(&w->link);
    return acquire(t, &w->key, w->word, v | LINUX_FUTEX_OWNER_DIED);
}

int64_t pi_lock_again(struct task *t) {
    struct pi_waiter *w = t->call.own.pi;
    struct pi_table *x = table(t);
    {
        LOCKED(&x->lock);
        if (w->state == PI_GIVEN)
            return 0;
        if (w->state == PI_INHERITS)
            return inherit(t, w);
        if (t->call.timed_out) {
            take_off(x, w);
            return -LINUX_ETIMEDOUT;
        }
    }
    int64_t r = park(t);
    if (r == SYS_PARK)
        return r;
    LOCKED(&x->lock);  // a signal: but the lock may have been given meanwhile
    if (w->state == PI_GIVEN)
        return 0;
    if (w->state == PI_INHERITS)
        return inherit(t, w);
    take_off(x, w);
    return -LINUX_ERESTARTNOINTR;
}

int64_t pi_lock(struct task *t, uaddr_t word, bool private, bool try_only, uint64_t deadline) {
    struct futex_key key;
    int64_t r = futex_key_get(t->mm, word, private, &key);
    if (r < 0)
        return r;
    t->call.phase = LOCK_BEGINS;
    for (int tries = 0; tries < 64; tries++) {
        struct task *o = NULL;
        r = living_owner(t, &key, word, &o);
        if (r >= 0)
            r = try_lock(t, &key, word, try_only, (int32_t)r, o);
        if (o)
            task_put(o);
        if (r != -LINUX_EAGAIN || try_only)
            break;
    }
    if (r < 0 || t->call.phase == LOCK_BEGINS)
        return r;
    if (deadline)
        park_deadline(t, deadline);
    return pi_lock_again(t);
}

// ---- Unlocking --------------------------------------------------------------------------------------------
int64_t pi_unlock(struct task *t, uaddr_t word, bool private) {
    struct pi_table *x = table(t);
    struct futex_key key;
    uint32_t v;
    int64_t r = futex_key_get(t->mm, word, private, &key);
    if (r < 0)
        return r;
    LOCKED(&x->lock);
    r = read_word(t, word, &v);
    if (r < 0)
        return r;
    if ((int32_t)(v & LINUX_FUTEX_TID_MASK) != task_vtid(t))
        return -LINUX_EPERM;
    r = claim_word(t, word, &v);
    if (r < 0)
        return r;
    struct pi_waiter *w = first_for(x, &key);
    r = write_word(t, word, w ? (uint32_t)w->nr | LINUX_FUTEX_WAITERS : 0);
    if (r < 0 || !w)
        return r;
    if (w->state == PI_WAITS)
        set_state(w, PI_GIVEN);
    list_del(&w->link);
    set_owner(x, &key, w->tid);
    task_wake(w->task);
    return 0;
}

// ---- The end of an owner ----------------------------------------------------------------------------------
void pi_owner_ends(struct task *t) {
    struct pi_table *x = table(t);
    struct pi_waiter *w;
    LOCKED(&x->lock);
    list_for_each(w, &x->waiters, link)
        if (w->owner == t->tid)
            pass_on(x, &w->key);
}
