// SPDX-License-Identifier: Apache-2.0
// See hostring.h. Called by handlers (they put operations on a list) and by the event thread, which alone
// touches the ring. Host calls: io_uring_enter(2) for each operation, and an eventfd when the list is no
// longer empty.
#include "sentry/run/hostring.h"
#include "abi/errno.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/refcount.h"
#include "fs/vfs.h"
#include "sentry/run/hostevent.h"
#include <errno.h>
#include <liburing.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DEPTH  64u          // under way at a time; the host's queue of answers has room for twice that
#define QUEUED 1024u        // waiting for that; more is refused, and sleeps
#define PIECE  (64u << 10)  // of a fetch
#define PIECES 16u          // of one, at most

struct hostring_op {
    struct refcount refs;  // who began it, and the ring until it is done
    struct list link;      // [r] on r->queued or r->begun
    struct waitq queue;
    struct file *f;        // [c] owned
    int fd;                // [c]
    bool sync, data_only;  // [c]
    uint64_t off, len;     // [c]
    int64_t answer;        // before `done`
    _Atomic bool done;
};

// Field letters: [r] lock; [e] the event thread alone
struct hostring {
    struct lock lock;           // RANK_LEAF
    struct list queued, begun;  // [r]
    unsigned nqueued;           // [r]
    unsigned nbegun;            // [e]
    _Atomic bool broken;        // the host has refused once: nothing is begun any more
    int kick;                   // [c] an eventfd: there is something on `queued`
    struct io_uring ring;       // [e]
    struct hostevent_source on_kick, on_answer;
    struct iovec pieces[PIECES];  // [c] all of them the one place that nobody looks at
    char *sink;                   // [c] owned; written by the host
};

// ---- Operations -------------------------------------------------------------------------------------------
void hostring_put(struct hostring_op *op) {
    if (!op || !ref_put(&op->refs))
        return;
    file_put(op->f);
    waitq_destroy(&op->queue);
    free(op);
}
struct waitq *hostring_queue(struct hostring_op *op) {
    return &op->queue;
}
bool hostring_done(const struct hostring_op *op, int64_t *answer) {
    if (!atomic_load(&op->done))
        return false;
    *answer = op->answer;
    return true;
}

static bool put_on_list(struct hostring *r, struct hostring_op *op, bool *first) {
    LOCKED(&r->lock);
    if (r->nqueued == QUEUED)
        return false;
    *first = r->nqueued++ == 0;
    list_add_tail(&r->queued, &op->link);
    return true;
}
static struct hostring_op *begin(struct hostring *r, struct hostring_op how) {
    uint64_t one = 1;
    bool first;
    struct hostring_op *op = r && !atomic_load(&r->broken) ? znew(struct hostring_op) : NULL;
    if (!op)
        return NULL;
    *op = how;
    ref_init(&op->refs, 2);
    waitq_init(&op->queue);
    file_get(op->f);
    if (!put_on_list(r, op, &first)) {
        hostring_put(op);
        hostring_put(op);
        return NULL;
    }
    if (first && write(r->kick, &one, sizeof one) < 0)
        log_warn("host ring: error %d", errno);
    return op;
}
struct hostring_op *hostring_fetch(struct hostring *r, struct file *f, int fd, uint64_t off, uint64_t len) {
    return begin(r, (struct hostring_op){.f = f, .fd = fd, .off = off, .len = len});
}
struct hostring_op *hostring_sync(struct hostring *r, struct file *f, int fd, bool data_only) {
    return begin(r, (struct hostring_op){.f = f, .fd = fd, .sync = true, .data_only = data_only});
}

// ---- The event thread -------------------------------------------------------------------------------------
static struct hostring_op *take_queued(struct hostring *r) {
    LOCKED(&r->lock);
    if (list_empty(&r->queued) || r->nbegun == DEPTH)
        return NULL;
    struct hostring_op *op = list_first(&r->queued, struct hostring_op, link);
    list_del(&op->link);
    list_add_tail(&r->begun, &op->link);
    r->nqueued--;
    return op;
}
static void finish(struct hostring *r, struct hostring_op *op, int64_t answer) {
    lock_take(&r->lock);
    list_del(&op->link);
    lock_drop(&r->lock);
    op->answer = answer;
    atomic_store(&op->done, true);
    waitq_wake(&op->queue, ~0u);
    hostring_put(op);
}
static void describe(const struct hostring *r, const struct hostring_op *op, struct io_uring_sqe *e) {
    uint64_t pieces = (op->len + PIECE - 1) / PIECE;
    if (op->sync)
        io_uring_prep_fsync(e, op->fd, op->data_only ? IORING_FSYNC_DATASYNC : 0);
    else if (pieces <= 1)
        io_uring_prep_read(e, op->fd, r->sink, (unsigned)op->len, op->off);
    else
        io_uring_prep_readv(e, op->fd, r->pieces, pieces < PIECES ? (unsigned)pieces : PIECES, op->off);
}
static bool submit(struct hostring *r, struct hostring_op *op) {
    struct io_uring_sqe *e = atomic_load(&r->broken) ? NULL : io_uring_get_sqe(&r->ring);
    if (!e)
        return false;
    describe(r, op, e);
    io_uring_sqe_set_data(e, op);
    int n = io_uring_submit(&r->ring);
    if (n == 1)
        return true;
    log_warn("host ring: error %d", -n);
    atomic_store(&r->broken, true);  // the entry stays in the queue, which nobody shows to the host again
    return false;
}
static void submit_all(struct hostring *r) {
    struct hostring_op *op;
    while ((op = take_queued(r))) {
        bool wanted = ref_read(&op->refs) > 1;  // its task may have died meanwhile
        if (wanted && submit(r, op))
            r->nbegun++;
        else
            finish(r, op, HOSTRING_UNDONE);
    }
}
static void kicked(struct hostevent_source *s) {
    struct hostring *r = container_of(s, struct hostring, on_kick);
    uint64_t n;
    if (read(r->kick, &n, sizeof n) == sizeof n)
        submit_all(r);
}
// What no plain call would answer says that it was not done: the host had no thread for it (a cgroup of few
// processes), or was interrupted.
static int64_t answer_of(int res) {
    return res == -ECANCELED || res == -EINTR || res == -EAGAIN ? HOSTRING_UNDONE : res;
}
static void answered(struct hostevent_source *s) {
    struct hostring *r = container_of(s, struct hostring, on_answer);
    struct io_uring_cqe *e;
    while (io_uring_peek_cqe(&r->ring, &e) == 0) {
        struct hostring_op *op = io_uring_cqe_get_data(e);
        int64_t answer = answer_of(e->res);
        io_uring_cqe_seen(&r->ring, e);
        r->nbegun--;
        finish(r, op, answer);
    }
    submit_all(r);
}

// ---- Life -------------------------------------------------------------------------------------------------
// What the ring may do from now on, for good: these operations, none with flags, and nothing may be
// registered.
static int restrict_ring(struct io_uring *ring) {
    struct io_uring_restriction may[] = {
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ},
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READV},
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_FSYNC},
    };
    int err = io_uring_register_restrictions(ring, may, sizeof may / sizeof may[0]);
    return err < 0 ? err : io_uring_enable_rings(ring);
}
static bool open_ring(struct hostring *r) {
    int err = io_uring_queue_init(DEPTH, &r->ring, IORING_SETUP_R_DISABLED | IORING_SETUP_CLAMP);
    if (err < 0) {
        log_info("no host ring: error %d", -err);
        r->ring.ring_fd = -1;
        return false;
    }
    err = restrict_ring(&r->ring);
    if (err < 0)
        log_info("no host ring: it cannot be restricted: error %d", -err);
    return err == 0;
}
static bool watch(struct hostring *r, struct hostevents *events) {
    r->on_kick.ready = kicked;
    r->on_answer.ready = answered;
    r->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return r->kick >= 0 && hostevent_add(events, r->kick, &r->on_kick) == 0 &&
           hostevent_add(events, r->ring.ring_fd, &r->on_answer) == 0;
}
int hostring_open(struct hostevents *events, struct hostring **out) {
    struct hostring *r = znew(struct hostring);
    *out = NULL;
    if (!r)
        return -LINUX_ENOMEM;
    lock_init(&r->lock, RANK_LEAF);
    list_init(&r->queued);
    list_init(&r->begun);
    r->kick = r->ring.ring_fd = -1;
    r->sink = xrealloc(NULL, PIECE);
    for (unsigned i = 0; i < PIECES; i++)
        r->pieces[i] = (struct iovec){r->sink, PIECE};
    bool memory = r->sink != NULL;
    if (memory && open_ring(r) && watch(r, events))
        *out = r;
    else
        hostring_close(r);
    return memory ? 0 : -LINUX_ENOMEM;
}

struct io_uring *hostring_of_host(struct hostring *r) {
    return &r->ring;
}

// What is still under way is the host's to end; it holds the files itself.
static void drop_all(struct list *ops) {
    while (!list_empty(ops)) {
        struct hostring_op *op = list_first(ops, struct hostring_op, link);
        list_del(&op->link);
        hostring_put(op);
    }
}
void hostring_close(struct hostring *r) {
    if (!r)
        return;
    if (r->ring.ring_fd >= 0)
        io_uring_queue_exit(&r->ring);
    if (r->kick >= 0)
        close(r->kick);
    drop_all(&r->queued);
    drop_all(&r->begun);
    lock_destroy(&r->lock);
    free(r->sink);
    free(r);
}
