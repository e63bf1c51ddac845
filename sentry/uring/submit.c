// SPDX-License-Identifier: Apache-2.0
// From the queue to requests. A chain (requests linked to each other; most have one) is taken from the queue
// under the ring's lock, so that two threads that submit at once share out chains and not their parts; it is
// judged and begun without it.
#include "sentry/uring/uring.h"
#include "base/cleanup.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/signal/signal.h"
#include <string.h>

#define LINK_FLAGS  (LINUX_IOSQE_IO_LINK | LINUX_IOSQE_IO_HARDLINK)
#define KNOWN_FLAGS 0x7fu

// The one look at an entry: word by word, whatever the guest writes there meanwhile.
static void read_sqe(const struct uring *r, uint32_t index, struct linux_io_uring_sqe *out) {
    size_t size = sizeof *out << !!(r->flags & LINUX_IORING_SETUP_SQE128);
    const uint64_t *from = (const void *)(r->base + r->sqes_at + index * size);
    uint64_t words[sizeof *out / 8];
    for (unsigned i = 0; i < sizeof *out / 8; i++)
        words[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    memcpy(out, words, sizeof *out);
}

// With the lock held.
static void taken(struct uring *r) { uring_set_word(r, URING_SQ_HEAD, ++r->sq_head); }

// With the lock held: the next entry's index. False: it names none, and has been dropped.
static bool next_index(struct uring *r, uint32_t *index) {
    unsigned at = uring_sq_array(r) + (r->sq_head & (r->sq_entries - 1)) * (unsigned)sizeof(uint32_t);
    *index = uring_word(r, at);
    if (*index < r->sq_entries)
        return true;
    uring_set_word(r, URING_SQ_DROPPED, uring_word(r, URING_SQ_DROPPED) + 1);
    taken(r);
    return false;
}

static bool is_empty(const struct uring *r) { return uring_word(r, URING_SQ_TAIL) == r->sq_head; }

// A chain: *left is how many entries may still be taken. NULL: none, and *err says whether that is for want
// of memory. (What is made here under the lock is not ended under it: that asks for locks that come before.)
static struct uring_req *take_chain(struct uring *r, struct task *t, unsigned *left, int *err) {
    struct uring_req *head = NULL, **end = &head;
    LOCKED(&r->lock);
    uint32_t queued = uring_word(r, URING_SQ_TAIL) - r->sq_head;
    *left = *left < queued ? *left : queued;
    *left = *left < r->sq_entries ? *left : r->sq_entries;
    while (*left && !is_empty(r)) {
        uint32_t index;
        if (!next_index(r, &index)) {
            *left = 0;
            break;
        }
        struct uring_req *q = uring_req_new(r, t);
        if (!q) {
            *err = -LINUX_EAGAIN;
            break;
        }
        read_sqe(r, index, &q->sqe);
        taken(r);
        --*left;
        q->user_data = q->sqe.user_data;
        *end = q;
        end = &q->next;
        if (!(q->sqe.flags & LINK_FLAGS))
            break;
    }
    return head;
}

// ---- Judging ----------------------------------------------------------------------------------------------
static int be(struct uring_req *q, unsigned id) {
    struct uring *r = q->ring;
    LOCKED(&r->lock);
    struct cred *c = id <= URING_PERSONALITIES ? r->personality[id - 1] : NULL;
    if (!c)
        return -LINUX_EINVAL;
    struct cred *before = q->w.t->cred;
    q->w.t->cred = cred_get(c);
    cred_put(before);
    return 0;
}

static int check_limits(struct uring_req *q) {
    struct uring *r = q->ring;
    const struct linux_io_uring_sqe *s = &q->sqe;
    LOCKED(&r->lock);
    const struct uring_limits *l = &r->limits;
    if (!l->on)
        return 0;
    bool op = s->opcode < 64 && (l->ops >> s->opcode & 1);
    bool flags = !(s->flags & ~(l->allowed | l->required)) && (s->flags & l->required) == l->required;
    return op && flags ? 0 : -LINUX_EACCES;
}

// The checks that all requests have in common, in Linux's order.
static int judge(struct uring_req *q) {
    const struct linux_io_uring_sqe *s = &q->sqe;
    q->op = uring_op(s->opcode);
    if (s->opcode >= LINUX_IORING_OP_COUNT || (s->flags & ~KNOWN_FLAGS))
        return -LINUX_EINVAL;
    int err = check_limits(q);
    if (err < 0)
        return err;
    if (!q->op)
        return s->opcode == LINUX_IORING_OP_URING_CMD ? -LINUX_EOPNOTSUPP : -LINUX_EINVAL;
    if ((s->flags & LINUX_IOSQE_BUFFER_SELECT) && !(q->op->flags & OP_BUFFER))
        return -LINUX_EOPNOTSUPP;
    if ((s->flags & LINUX_IOSQE_CQE_SKIP_SUCCESS) && (s->flags & LINUX_IOSQE_IO_DRAIN))
        return -LINUX_EOPNOTSUPP;
    if (s->ioprio && !(q->op->flags & OP_IOPRIO))
        return -LINUX_EINVAL;
    err = s->personality ? be(q, s->personality) : 0;
    if (err == 0 && q->op->prepare)
        err = q->op->prepare(q);
    return err;
}

// A timeout watches the request before it: it is taken out of the chain.
static int pair_timeout(struct uring_req *before, struct uring_req *q) {
    if (!before || before->timeout || before->sqe.opcode == LINUX_IORING_OP_LINK_TIMEOUT)
        return -LINUX_EINVAL;
    before->next = take_ptr(q->next);
    before->timeout = q;
    q->timed = before;
    return 0;
}

// Whether all of it may begin. *stop: the last one is in error, nothing behind it is looked at.
static bool judge_chain(struct uring_req *head, bool *stop) {
    struct uring_req *before = NULL, *next;
    bool good = true;
    for (struct uring_req *q = head; q; q = next) {
        next = q->next;
        q->error = judge(q);
        head->drain |= !!(q->sqe.flags & LINUX_IOSQE_IO_DRAIN);
        *stop = q->error && !(q->sqe.flags & LINK_FLAGS);
        bool timeout = !q->error && q->sqe.opcode == LINUX_IORING_OP_LINK_TIMEOUT;
        if (timeout)
            q->error = pair_timeout(before, q);
        good &= !q->error;
        if (!timeout || q->error)
            before = q;
    }
    return good;
}

int64_t uring_submit(struct uring *r, struct task *t, unsigned n) {
    int64_t submitted = 0;
    int err = 0;
    bool stop = false;
    atomic_store(&t->uses_uring, true);
    while (n && !stop && !signal_dying(t)) {
        unsigned left = n;
        struct uring_req *head = take_chain(r, t, &left, &err);
        if (!head)
            break;
        for (const struct uring_req *q = head; q; q = q->next)
            submitted++;
        n = left;
        if (judge_chain(head, &stop))
            uring_chain_start(head);
        else
            uring_chain_fail(head);
        stop &= !(r->flags & LINUX_IORING_SETUP_SUBMIT_ALL);
    }
    return submitted ? submitted : err;
}
