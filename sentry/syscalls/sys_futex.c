// SPDX-License-Identifier: Apache-2.0
// futex, futex_waitv, futex_wait, futex_wake, futex_requeue, set_robust_list, get_robust_list. Queues and
// keys are in sentry/ipc/futex.c, locks with an owner in sentry/ipc/futex_pi.c.
// LIMIT: FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI are ENOSYS, as no C library of today uses them.
// LIMIT: WAKE_OP's change of the word may be lost against a guest thread that writes the same word at that
// moment.
#include "abi/futex.h"
#include "abi/time.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "sentry/ipc/futex.h"
#include "sentry/ipc/futex_pi.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/run/park.h"
#include "sentry/syscalls/table.h"
#include "sentry/syscalls/wait_args.h"
#include "sentry/time/timeconv.h"
#include "sentry/time/time_ns.h"
#include <stdlib.h>

#define ANY LINUX_FUTEX_BITSET_MATCH_ANY

// ---- Waiting for one word ---------------------------------------------------------------------------------
enum { WAIT_START, WAIT_QUEUED };

static void wait_cleanup(struct task *t) { futex_unqueue(&t->futex); }

static int64_t wait_again(struct task *t);

// A timeout goes on by its absolute deadline; without one, the call is simply made again.
static int64_t wait_interrupted(struct task *t) {
    if (!t->call.notes.futex.deadline || t->call.notes.futex.same_again)
        return -LINUX_ERESTARTSYS;
    t->restart_notes.futex = t->call.notes.futex;
    t->restart_fn = wait_again;
    return -LINUX_ERESTART_RESTARTBLOCK;
}

static int64_t wait_start(struct task *t) {
    const struct futex_wait *w = &t->call.notes.futex;
    struct futex_key key;
    int err = futex_key_get(t->mm, w->word, w->private, &key);
    if (err < 0)
        return err;
    err = futex_queue(t, &t->futex, &key, w->word, w->value, w->bitset);
    if (err < 0)
        return err;
    t->call.phase = WAIT_QUEUED;
    t->call.cleanup = wait_cleanup;
    if (w->deadline)
        park_deadline(t, w->deadline);
    return 0;
}

// Being woken is: not queued any more. A deadline or a signal that comes together with the wake loses against
// it.
static int64_t wait_run(struct task *t) {
    struct call *c = &t->call;
    if (c->phase == WAIT_START) {
        int64_t err = wait_start(t);
        if (err < 0)
            return err;
    }
    if (!futex_queued(&t->futex))
        return 0;
    if (c->timed_out)
        return futex_unqueue(&t->futex) ? -LINUX_ETIMEDOUT : 0;
    int64_t r = park(t);
    if (r == SYS_PARK)
        return r;
    return futex_unqueue(&t->futex) ? wait_interrupted(t) : 0;
}

static int64_t wait_again(struct task *t) {
    if (t->call.phase == WAIT_START)
        t->call.notes.futex = t->restart_notes.futex;
    return wait_run(t);
}

// The deadline of a wait: relative ones (FUTEX_WAIT) on the monotonic clock.
static int read_deadline(struct task *t, uaddr_t addr, bool relative, bool realtime, uint64_t *out) {
    uint64_t ns;
    *out = 0;
    if (uaddr_is_null(addr))
        return 0;
    int err = wait_time(t, addr, &ns);
    if (err < 0)
        return err;
    if (!realtime && !relative)
        ns = task_time_in(t, LINUX_CLOCK_MONOTONIC, ns);
    *out = relative ? time_after(ns) : time_deadline(ns, realtime);
    return 0;
}

static int64_t futex_wait(struct task *t, const struct sysargs *a, int cmd, bool private, bool realtime) {
    if (t->call.phase != WAIT_START)
        return wait_run(t);
    bool relative = cmd == LINUX_FUTEX_WAIT;
    struct futex_wait w = {
        .word = arg_ptr(a, 0),
        .value = arg_u32(a, 2),
        .bitset = relative ? ANY : arg_u32(a, 5),
        .private = private,
    };
    int err = read_deadline(t, arg_ptr(a, 3), relative, realtime, &w.deadline);
    if (err < 0)
        return err;
    if (!w.bitset)
        return -LINUX_EINVAL;
    t->call.notes.futex = w;
    return wait_run(t);
}

// ---- Waking -----------------------------------------------------------------------------------------------
static int64_t futex_wake(struct task *t, uaddr_t word, bool private, int n, uint32_t bitset) {
    struct futex_key key;
    if (!bitset)
        return -LINUX_EINVAL;
    int err = futex_key_get(t->mm, word, private, &key);
    return err < 0 ? err : futex_wake_key(&t->k->futexes, &key, n, bitset);
}

// The keys of the two words of a call.
static int two_keys(struct task *t, const struct sysargs *a, bool private, struct futex_key *first,
                    struct futex_key *second) {
    int err = futex_key_get(t->mm, arg_ptr(a, 0), private, first);
    return err < 0 ? err : futex_key_get(t->mm, arg_ptr(a, 4), private, second);
}

static int64_t requeue(struct task *t, const struct sysargs *a, bool private, bool cmp) {
    struct futex_key from, to;
    int n = arg_int(a, 2), move = arg_int(a, 3);
    uint32_t value = arg_u32(a, 5);
    if (n < 0 || move < 0)
        return -LINUX_EINVAL;
    int err = two_keys(t, a, private, &from, &to);
    return err < 0 ? err : futex_requeue(t, &from, &to, n, move, arg_ptr(a, 0), cmp ? &value : NULL);
}

static int32_t sign_extend_12(uint32_t v) { return (int32_t)(v << 20) >> 20; }

static bool wake_op_new(uint32_t op, uint32_t old, uint32_t *out) {
    uint32_t arg = (uint32_t)sign_extend_12(op >> 12 & 0xfff);
    if (op >> 28 & LINUX_FUTEX_OP_OPARG_SHIFT)
        arg = 1u << (arg & 31);
    switch (op >> 28 & 7) {
    case LINUX_FUTEX_OP_SET:
        *out = arg;
        return true;
    case LINUX_FUTEX_OP_ADD:
        *out = old + arg;
        return true;
    case LINUX_FUTEX_OP_OR:
        *out = old | arg;
        return true;
    case LINUX_FUTEX_OP_ANDN:
        *out = old & ~arg;
        return true;
    case LINUX_FUTEX_OP_XOR:
        *out = old ^ arg;
        return true;
    default:
        return false;
    }
}

// 1 or 0, or -LINUX_ENOSYS.
static int wake_op_compare(uint32_t op, uint32_t old) {
    int32_t arg = sign_extend_12(op & 0xfff), v = (int32_t)old;
    switch (op >> 24 & 0xf) {
    case LINUX_FUTEX_OP_CMP_EQ:
        return v == arg;
    case LINUX_FUTEX_OP_CMP_NE:
        return v != arg;
    case LINUX_FUTEX_OP_CMP_LT:
        return v < arg;
    case LINUX_FUTEX_OP_CMP_LE:
        return v <= arg;
    case LINUX_FUTEX_OP_CMP_GT:
        return v > arg;
    case LINUX_FUTEX_OP_CMP_GE:
        return v >= arg;
    default:
        return -LINUX_ENOSYS;
    }
}

static int change_word(struct task *t, uaddr_t word, uint32_t op, uint32_t *old) {
    uint32_t seen, next;
    if (copy_in_obj(t, &seen, word) < 0)
        return -LINUX_EFAULT;
    for (int tries = 0; tries < 256; tries++) {
        if (!wake_op_new(op, seen, &next))
            return -LINUX_ENOSYS;
        int err = plat_cmpxchg32(t->mm->as, word, seen, next, old);
        if (err < 0 && err != -LINUX_EAGAIN)
            return err;
        if (err == 0 && *old == seen)
            return 0;
        if (err == 0)
            seen = *old;
    }
    return -LINUX_EAGAIN;
}

static int64_t wake_op(struct task *t, const struct sysargs *a, bool private) {
    struct futex_key first, second;
    uint32_t op = arg_u32(a, 5), old = 0;
    int err = two_keys(t, a, private, &first, &second);
    if (err < 0)
        return err;
    err = change_word(t, arg_ptr(a, 4), op, &old);
    if (err < 0)
        return err;
    int also = wake_op_compare(op, old);
    if (also < 0)
        return also;
    int64_t n = futex_wake_key(&t->k->futexes, &first, arg_int(a, 2), ANY);
    return also ? n + futex_wake_key(&t->k->futexes, &second, arg_int(a, 3), ANY) : n;
}

static int64_t lock_pi(struct task *t, const struct sysargs *a, bool private, bool realtime) {
    uint64_t deadline;
    if (t->call.again)
        return pi_lock_again(t);
    int err = read_deadline(t, arg_ptr(a, 3), false, realtime, &deadline);
    return err < 0 ? err : pi_lock(t, arg_ptr(a, 0), private, false, deadline);
}

int64_t sys_futex(struct task *t, const struct sysargs *a) {
    uint32_t op = arg_u32(a, 1);
    int cmd = (int)(op & (uint32_t)LINUX_FUTEX_CMD_MASK);
    bool private = op & LINUX_FUTEX_PRIVATE_FLAG, realtime = op & LINUX_FUTEX_CLOCK_REALTIME;
    if (realtime && cmd != LINUX_FUTEX_WAIT_BITSET && cmd != LINUX_FUTEX_LOCK_PI2)
        return -LINUX_ENOSYS;
    switch (cmd) {
    case LINUX_FUTEX_WAIT:
    case LINUX_FUTEX_WAIT_BITSET:
        return futex_wait(t, a, cmd, private, realtime);
    case LINUX_FUTEX_WAKE:
        return futex_wake(t, arg_ptr(a, 0), private, arg_int(a, 2), ANY);
    case LINUX_FUTEX_WAKE_BITSET:
        return futex_wake(t, arg_ptr(a, 0), private, arg_int(a, 2), arg_u32(a, 5));
    case LINUX_FUTEX_REQUEUE:
        return requeue(t, a, private, false);
    case LINUX_FUTEX_CMP_REQUEUE:
        return requeue(t, a, private, true);
    case LINUX_FUTEX_WAKE_OP:
        return wake_op(t, a, private);
    case LINUX_FUTEX_LOCK_PI:
        return lock_pi(t, a, private, true);
    case LINUX_FUTEX_LOCK_PI2:
        return lock_pi(t, a, private, realtime);
    case LINUX_FUTEX_TRYLOCK_PI:
        return pi_lock(t, arg_ptr(a, 0), private, true, 0);
    case LINUX_FUTEX_UNLOCK_PI:
        return pi_unlock(t, arg_ptr(a, 0), private);
    default:
        return -LINUX_ENOSYS;
    }
}

// ---- futex_waitv ------------------------------------------------------------------------------------------
struct waitv {
    unsigned n, queued;
    uint64_t deadline;
    struct futex_waiter w[];
};

// Takes all off; the last one that had been woken, or -1.
static int waitv_unqueue(struct waitv *v) {
    int woken = -1;
    for (unsigned i = 0; i < v->queued; i++)
        if (!futex_unqueue(&v->w[i]))
            woken = (int)i;
    v->queued = 0;
    return woken;
}

static void waitv_cleanup(struct task *t) {
    struct waitv *v = take_ptr(t->call.own.waitv);
    waitv_unqueue(v);
    free(v);
}

static bool flags_ok(uint32_t flags) {
    return !(flags & ~(uint32_t)(LINUX_FUTEX2_SIZE_MASK | LINUX_FUTEX2_PRIVATE)) &&
           (flags & LINUX_FUTEX2_SIZE_MASK) == LINUX_FUTEX2_SIZE_U32;
}

static bool waitv_ok(const struct linux_futex_waitv *in, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        if (!flags_ok(in[i].flags) || in[i].reserved || in[i].val >> 32)
            return false;
    return true;
}

static int waitv_queue(struct task *t, struct waitv *v, const struct linux_futex_waitv *in) {
    if (!waitv_ok(in, v->n))
        return -LINUX_EINVAL;
    for (unsigned i = 0; i < v->n; i++, v->queued++) {
        struct futex_key key;
        int err = futex_key_get(t->mm, uaddr(in[i].uaddr), in[i].flags & LINUX_FUTEX2_PRIVATE, &key);
        if (err == 0)
            err = futex_queue(t, &v->w[i], &key, uaddr(in[i].uaddr), (uint32_t)in[i].val, ANY);
        if (err < 0) {
            int woken = waitv_unqueue(v);
            return woken >= 0 ? woken + 1 : err;
        }
    }
    return 0;
}

// 0: queued; positive: 1 + the index of one that was woken already; or an error.
static int waitv_start(struct task *t, const struct sysargs *a) {
    struct linux_futex_waitv in[LINUX_FUTEX_WAITV_MAX];
    uint64_t n = arg_u32(a, 1), deadline;
    int32_t clock = arg_int(a, 4);
    if (arg_u32(a, 2) || n < 1 || n > LINUX_FUTEX_WAITV_MAX || !arg_given(a, 0))
        return -LINUX_EINVAL;
    if (arg_given(a, 3) && clock != LINUX_CLOCK_MONOTONIC && clock != LINUX_CLOCK_REALTIME)
        return -LINUX_EINVAL;
    int err = read_deadline(t, arg_ptr(a, 3), false, clock == LINUX_CLOCK_REALTIME, &deadline);
    if (err < 0)
        return err;
    if (copy_in(t, in, arg_ptr(a, 0), n * sizeof in[0]) < 0)
        return -LINUX_EFAULT;
    struct waitv *v = xcalloc(1, sizeof *v + n * sizeof v->w[0]);
    if (!v)
        return -LINUX_ENOMEM;
    v->n = (unsigned)n;
    v->deadline = deadline;
    t->call.own.waitv = v;
    t->call.cleanup = waitv_cleanup;
    t->call.phase = WAIT_QUEUED;
    err = waitv_queue(t, v, in);
    if (err == 0 && deadline)
        park_deadline(t, deadline);
    return err;
}

static bool waitv_any_woken(struct waitv *v) {
    for (unsigned i = 0; i < v->queued; i++)
        if (!futex_queued(&v->w[i]))
            return true;
    return false;
}

int64_t sys_futex_waitv(struct task *t, const struct sysargs *a) {
    struct call *c = &t->call;
    if (c->phase == WAIT_START) {
        int r = waitv_start(t, a);
        if (r)
            return r > 0 ? r - 1 : r;
    }
    struct waitv *v = c->own.waitv;
    bool woken = waitv_any_woken(v);
    int64_t r = woken || c->timed_out ? 0 : park(t);
    if (r == SYS_PARK)
        return r;
    int which = waitv_unqueue(v);
    if (which >= 0)
        return which;
    return c->timed_out ? -LINUX_ETIMEDOUT : r;
}

// ---- futex_wake, futex_wait, futex_requeue: the same with a word's size in the flags ----------------------
int64_t sys_futex_wake(struct task *t, const struct sysargs *a) {
    uint32_t flags = arg_u32(a, 3);
    uint64_t mask = arg_ulong(a, 1);
    if (!flags_ok(flags) || mask >> 32)
        return -LINUX_EINVAL;
    if (mask && arg_int(a, 2) == 0) {  // none is none here
        struct futex_key key;
        return futex_key_get(t->mm, arg_ptr(a, 0), flags & LINUX_FUTEX2_PRIVATE, &key);
    }
    return futex_wake(t, arg_ptr(a, 0), flags & LINUX_FUTEX2_PRIVATE, arg_int(a, 2), (uint32_t)mask);
}

int64_t sys_futex_wait(struct task *t, const struct sysargs *a) {
    uint32_t flags = arg_u32(a, 3);
    uint64_t value = arg_ulong(a, 1), mask = arg_ulong(a, 2);
    int32_t clock = arg_int(a, 5);
    if (t->call.phase != WAIT_START)
        return wait_run(t);
    if (!flags_ok(flags) || value >> 32 || mask >> 32)
        return -LINUX_EINVAL;
    if (arg_given(a, 4) && clock != LINUX_CLOCK_MONOTONIC && clock != LINUX_CLOCK_REALTIME)
        return -LINUX_EINVAL;
    struct futex_wait w = {.word = arg_ptr(a, 0),
                           .value = (uint32_t)value,
                           .bitset = (uint32_t)mask,
                           .private = flags & LINUX_FUTEX2_PRIVATE,
                           .same_again = true};
    int err = read_deadline(t, arg_ptr(a, 4), false, clock == LINUX_CLOCK_REALTIME, &w.deadline);
    if (err < 0)
        return err;
    if (!w.bitset)
        return -LINUX_EINVAL;
    t->call.notes.futex = w;
    return wait_run(t);
}

int64_t sys_futex_requeue(struct task *t, const struct sysargs *a) {
    struct linux_futex_waitv in[2];
    struct futex_key keys[2];
    int n = arg_int(a, 2), move = arg_int(a, 3);
    if (arg_u32(a, 1) || !arg_given(a, 0))
        return -LINUX_EINVAL;
    if (copy_in(t, in, arg_ptr(a, 0), sizeof in) < 0)
        return -LINUX_EFAULT;
    if (!waitv_ok(in, 2) || n < 0 || move < 0)
        return -LINUX_EINVAL;
    for (int i = 0; i < 2; i++) {
        int err = futex_key_get(t->mm, uaddr(in[i].uaddr), in[i].flags & LINUX_FUTEX2_PRIVATE, &keys[i]);
        if (err < 0)
            return err;
    }
    uint32_t value = (uint32_t)in[0].val;
    return futex_requeue(t, &keys[0], &keys[1], n, move, uaddr(in[0].uaddr), &value);
}

// ---- Robust lists -----------------------------------------------------------------------------------------
int64_t sys_set_robust_list(struct task *t, const struct sysargs *a) {
    if (arg_size(a, 1) != sizeof(struct linux_robust_list_head))
        return -LINUX_EINVAL;
    t->robust_list = arg_ptr(a, 0);
    return 0;
}

// LIMIT: of other threads only those of the caller's own process.
int64_t sys_get_robust_list(struct task *t, const struct sysargs *a) {
    int32_t tid = arg_int(a, 0);
    struct task *other = tid == 0 ? task_get(t) : task_find(t, tid);
    if (!other)
        return -LINUX_ESRCH;
    uint64_t head = other->robust_list.v, len = sizeof(struct linux_robust_list_head);
    bool allowed = other->tg == t->tg;
    task_put(other);
    if (!allowed)
        return -LINUX_EPERM;
    int err = copy_out_obj(t, arg_ptr(a, 2), &len);
    return err < 0 ? err : copy_out_obj(t, arg_ptr(a, 1), &head);
}
