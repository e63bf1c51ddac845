// SPDX-License-Identifier: Apache-2.0
// The life of a request: how it begins, what its result means for those that are linked to it, and how it is
// cancelled. See uring.h. No function here runs a request with the ring's lock held.
#include "sentry/uring/uring.h"
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "abi/uio.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/run/park.h"
#include "sentry/run/run.h"

#define LINK_FLAGS (LINUX_IOSQE_IO_LINK | LINUX_IOSQE_IO_HARDLINK)

static struct uring_req *of(struct worker *w) { return container_of(w, struct uring_req, w); }

// ---- Objects ----------------------------------------------------------------------------------------------
static int64_t run(struct worker *w);
static struct worker *done(struct worker *w, int64_t r);
static const struct worker_ops req_ops = {run, done};

static bool charge(struct uring_set *s) {
    if (atomic_fetch_add(&s->requests, 1) < URING_REQUESTS_MOST)
        return true;
    atomic_fetch_sub(&s->requests, 1);
    return false;
}

struct uring_req *uring_req_new(struct uring *r, struct task *owner) {
    if (!charge(&r->k->urings))
        return NULL;
    struct uring_req *q = znew(struct uring_req);
    if (!q || worker_init(&q->w, &req_ops, owner, &r->k->urings.budget) < 0) {
        free(q);
        atomic_fetch_sub(&r->k->urings.requests, 1);
        return NULL;
    }
    ref_get(&r->refs);
    q->ring = r;
    q->owner = task_get(owner);
    list_init(&q->link);
    list_init(&q->wait);
    return q;
}

void uring_req_free(struct uring_req *q) {
    struct uring *r = q->ring;
    if (q->file)
        file_put(q->file);
    worker_free(&q->w);
    task_put(q->owner);
    atomic_fetch_sub(&r->k->urings.requests, 1);
    free(q);
    uring_put(r);
}

// ---- Running ----------------------------------------------------------------------------------------------
static int get_file(struct uring_req *q) {
    struct task *t = q->w.t;
    bool fixed = q->sqe.flags & LINUX_IOSQE_FIXED_FILE;
    if (q->file || !(q->op->flags & OP_FILE))
        return 0;
    struct fdtable *files = fixed ? uring_files(q->ring) : fdtable_get(t->files);
    if (!files)
        return -LINUX_EBADF;
    if (q->op->flags & OP_FILE_ITSELF) {
        q->w.file = q->file = fd_get_io(files, q->sqe.fd);
        fdtable_put(files);
        return q->file ? 0 : -LINUX_EBADF;
    }
    task_set_files(t, files);
    return 0;
}

static int check_mode(const struct uring_req *q) {
    unsigned want = (q->op->flags & OP_READS ? FMODE_READ : 0) | (q->op->flags & OP_WRITES ? FMODE_WRITE : 0);
    return !q->file || (q->file->mode & want) == want ? 0 : -LINUX_EBADF;
}

// A buffer is chosen when there is something to put there: until then others may have it.
static int64_t with_buffer(struct uring_req *q) {
    const uint32_t ready = LINUX_POLLIN | LINUX_POLLERR | LINUX_POLLHUP | LINUX_POLLRDHUP;
    struct task *t = q->w.t;
    bool nonblock = atomic_load(&q->file->flags) & LINUX_O_NONBLOCK;
    if (!nonblock && !(park_arm_file(t, q->file, LINUX_POLLIN) & ready))
        return park(t);
    int err = uring_buffer_take(q);
    if (err < 0)
        return err;
    int64_t r = q->op->issue(q);
    if (r < 0)
        uring_buffer_give_back(q);
    return r;
}

// So many completions of one request follow each other before others have their turn.
#define SHOTS_AT_ONCE 32u
// (One that watches what its own completions change has another one ready at once, and so on.)
static bool has_had_its_turn(struct uring_req *q) {
    if (q->shots % SHOTS_AT_ONCE || q->shots == q->rested)
        return false;
    q->rested = q->shots;
    return true;
}

static int64_t run(struct worker *w) {
    struct uring_req *q = of(w);
    int err = __atomic_load_n(&q->error, __ATOMIC_RELAXED);
    if (err < 0)
        return err;
    if ((task_interrupted(w->t) && !w->t->call.again) || worker_dying(w))
        return -LINUX_ECANCELED;
    if (has_had_its_turn(q))
        return park_yield(w->t);
    park_yielded(w->t);
    if (!w->t->call.again) {
        err = get_file(q);
        err = err ? err : check_mode(q);
        if (err < 0)
            return err;
    }
    return q->sqe.flags & LINUX_IOSQE_BUFFER_SELECT && q->op->flags & OP_READS ? with_buffer(q)
                                                                               : q->op->issue(q);
}

// ---- Results ----------------------------------------------------------------------------------------------
static int32_t shown(const struct uring_req *q, int64_t r) {
    if (r <= -LINUX_ERESTARTSYS || (r == -LINUX_EINTR && task_interrupted(q->w.t)))
        return -LINUX_ECANCELED;
    return r > INT32_MAX ? INT32_MAX : (int32_t)r;
}

static uint64_t wanted(struct uring_req *q) {
    struct user_iov iov[LINUX_IOV_MAX];
    uint64_t sum = 0;
    if (!(q->op->flags & OP_VECTOR))
        return q->has_buffer && !q->sqe.len ? q->buffer.len : q->sqe.len;
    unsigned n = q->sqe.len <= LINUX_IOV_MAX ? q->sqe.len : 0;
    if (copy_in(q->w.t, iov, uaddr(q->sqe.addr), n * sizeof iov[0]) < 0)
        return 0;
    for (unsigned i = 0; i < n; i++)
        sum += iov[i].len;
    return sum;
}

static bool fails(struct uring_req *q, int32_t res) {
    if (res == -LINUX_ETIME && q->sqe.opcode == LINUX_IORING_OP_TIMEOUT &&
        (q->sqe.op_flags & LINUX_IORING_TIMEOUT_ETIME_SUCCESS))
        return false;
    return res < 0 || (q->next && (q->op->flags & OP_WHOLE) && (uint64_t)res < wanted(q));
}

bool uring_req_tell(struct uring_req *q, int32_t res, uint32_t flags, bool must) {
    struct linux_io_uring_cqe cqe = {q->user_data, res, flags};
    bool counts = q->op && !(q->op->flags & OP_UNCOUNTED);
    return uring_complete(q->ring, &cqe, must, counts, !q->shots && task_current == q->owner);
}

// A chain that does not go on, or never began: all are told, and gone.
static void cancel_chain(struct uring_req *q, bool silent) {
    while (q) {
        struct uring_req *next = q->next, *timeout = take_ptr(q->timeout);
        int32_t res = q->error ? q->error : -LINUX_ECANCELED;
        if (!silent)
            uring_req_tell(q, res, 0, true);
        if (timeout) {
            if (!silent)
                uring_req_tell(timeout, -LINUX_ECANCELED, 0, true);
            uring_req_free(timeout);
        }
        uring_req_free(q);
        q = next;
    }
}

static unsigned length(const struct uring_req *q) {
    unsigned n = 0;
    for (; q; q = q->next)
        n += 1 + !!q->timeout;
    return n;
}

// With the lock held. What is to run: the request, and before it what watches it.
static struct worker *begin(struct uring_req *q) {
    q->state = URING_RUNNING;
    if (!q->timeout)
        return &q->w;
    q->timeout->state = URING_RUNNING;
    q->timeout->w.then = &q->w;
    return &q->timeout->w;
}

// With the lock held: chains behind a drain that may begin now.
static struct worker *undefer(struct uring *r) {
    struct worker *first = NULL, **end = &first;
    while (!list_empty(&r->deferred)) {
        struct uring_req *q = list_first(&r->deferred, struct uring_req, wait);
        if (q->drain && r->active)
            break;
        list_del(&q->wait);
        r->active += length(q);
        *end = begin(q);
        while (*end)
            end = &(*end)->then;
    }
    return first;
}

static void forget(struct uring_req *q) {
    list_del(&q->link);
    q->ring->active--;
}

// With the lock held, at q's end: what watched it is no more wanted, or (itself) watches nothing.
static void part(struct uring_req *q) {
    struct uring_req *timeout = take_ptr(q->timeout), *timed = take_ptr(q->timed);
    if (timed)
        timed->timeout = NULL;
    if (!timeout)
        return;
    timeout->timed = NULL;
    worker_cancel(timeout->w.t, false);
}

// The one place where a request ends.
static struct worker *end(struct uring_req *q, int32_t res) {
    struct uring *r = q->ring;
    struct uring_req *lost = NULL;
    struct worker *next = NULL;
    bool fail = fails(q, res), silent = q->sqe.flags & LINUX_IOSQE_CQE_SKIP_SUCCESS;
    if (fail || !silent)
        uring_req_tell(q, res, q->cqe_flags, true);
    {
        LOCKED(&r->lock);
        forget(q);
        part(q);
        if (q->next && (!fail || (q->sqe.flags & LINUX_IOSQE_IO_HARDLINK))) {
            next = begin(q->next);
        } else {
            lost = q->next;
            for (struct uring_req *l = lost; l; l = l->next) {
                forget(l);
                if (l->timeout)
                    forget(l->timeout);
            }
        }
        struct worker **last = &next;
        while (*last)
            last = &(*last)->then;
        *last = undefer(r);
    }
    cancel_chain(lost, silent);
    uring_req_free(q);
    return next;
}

static struct worker *done(struct worker *w, int64_t r) {
    struct uring_req *q = of(w);
    int32_t res = shown(q, r);
    bool again = q->more && res >= 0;
    q->more = false;
    if (again && uring_req_tell(q, res, q->cqe_flags | LINUX_IORING_CQE_F_MORE, false)) {
        q->shots++;
        q->has_buffer = false;
        q->cqe_flags = 0;
        return w;
    }
    return end(q, res);
}

// ---- Chains -----------------------------------------------------------------------------------------------
void uring_chain_start(struct uring_req *head) {
    struct uring *r = head->ring;
    struct worker *first = NULL;
    {
        LOCKED(&r->lock);
        bool drain = head->drain;
        head->drain |= r->after_drain;
        r->after_drain = drain;
        for (struct uring_req *q = head; q; q = q->next) {
            list_add_tail(&r->requests, &q->link);
            if (q->timeout)
                list_add_tail(&r->requests, &q->timeout->link);
        }
        list_add_tail(&r->deferred, &head->wait);
        first = undefer(r);
    }
    if (first)
        worker_run(first);
}

void uring_chain_fail(struct uring_req *head) { cancel_chain(head, false); }

// ---- Cancelling -------------------------------------------------------------------------------------------
static bool matches(const struct uring_req *q, const struct uring_match *m) {
    if (q->state != URING_RUNNING || q == m->but || (m->op >= 0 && q->sqe.opcode != m->op))
        return false;
    if (m->flags & LINUX_IORING_ASYNC_CANCEL_ANY)
        return true;
    if (m->flags & (LINUX_IORING_ASYNC_CANCEL_FD | LINUX_IORING_ASYNC_CANCEL_FD_FIXED))
        return q->file && q->file == m->file;
    return q->user_data == m->user_data;
}

struct uring_req *uring_find(struct uring *r, const struct uring_match *m) {
    struct uring_req *q;
    list_for_each(q, &r->requests, link)
        if (matches(q, m))
            return q;
    return NULL;
}

int64_t uring_cancel(struct uring *r, const struct uring_match *m) {
    bool all = m->flags & (LINUX_IORING_ASYNC_CANCEL_ALL | LINUX_IORING_ASYNC_CANCEL_ANY);
    int64_t n = 0;
    LOCKED(&r->lock);
    struct uring_req *q;
    list_for_each(q, &r->requests, link) {
        if (!matches(q, m))
            continue;
        worker_cancel(q->w.t, false);
        n++;
        if (!all)
            return 0;
    }
    return n || all ? n : -LINUX_ENOENT;
}

// Chains that wait behind a drain are taken off; what runs ends as soon as it can, and takes with it what is
// linked to it.
void uring_cancel_all(struct uring *r, const struct task *owner) {
    struct list lost = LIST_INIT(lost);
    {
        LOCKED(&r->lock);
        struct uring_req *q, *tmp;
        list_for_each(q, &r->requests, link) {
            if (owner && q->owner != owner)
                continue;
            __atomic_store_n(&q->error, -LINUX_ECANCELED, __ATOMIC_RELAXED);
            if (q->state == URING_RUNNING)
                worker_cancel(q->w.t, true);
        }
        list_for_each_safe(q, tmp, &r->deferred, wait) {
            if (owner && q->owner != owner)
                continue;
            list_del(&q->wait);
            list_add_tail(&lost, &q->wait);
            for (struct uring_req *l = q; l; l = l->next) {
                list_del(&l->link);
                if (l->timeout)
                    list_del(&l->timeout->link);
            }
        }
    }
    while (!list_empty(&lost)) {
        struct uring_req *q = list_first(&lost, struct uring_req, wait);
        list_del(&q->wait);
        cancel_chain(q, false);
    }
}
