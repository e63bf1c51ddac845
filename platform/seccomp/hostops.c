// SPDX-License-Identifier: Apache-2.0
// Host ops: queued by the sentry through platform.c and by the rest of the backend, written to the thread's
// slot when it is resumed (resume.c), approved as it makes them (dispatch.c). Locks: thread->lock.
//
// Host calls of ours: one process_vm_writev, one ioctl that starts the batch, and receive + CONTINUE for each
// op; a file to be mapped travels with the ioctl that starts it.
#include "abi/errno.h"
#include "base/cleanup.h"
#include "platform/seccomp/sc.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// ---- The queue --------------------------------------------------------------------------------------------

struct sc_op *sc_ops_add(struct sc_thread *t) {
    struct op_queue *q = &t->queue;
    if (q->n == q->cap) {
        unsigned cap = q->cap ? 2 * q->cap : 8;
        struct sc_op *ops = realloc(q->ops, cap * sizeof *ops);
        if (!ops)
            return NULL;
        q->ops = ops;
        q->cap = cap;
    }
    q->ops[q->n] = (struct sc_op){.fd = -1};
    return &q->ops[q->n++];
}

void sc_ops_clear(struct sc_thread *t) {
    struct op_queue *q = &t->queue;
    for (unsigned i = 0; i < q->n; i++)
        if (q->ops[i].fd >= 0)
            close(q->ops[i].fd);
    q->n = q->next = q->batch = q->batch_n = 0;
    sc_child_off(t);
    q->child = NULL;
}

static bool can_queue(const struct sc_thread *t) {
    return t->state == SC_STARTING || t->state == SC_DEAD || t->state == SC_HELD;
}

static uint64_t expect_of(const struct plat_op *op) {
    if (op->kind == OP_MAP)
        return STUB_EXPECT_VALUE;
    if (op->kind == OP_ADVISE && plat_advice_is_free(op->advice))
        return STUB_EXPECT_ANY;
    return op->kind == OP_REMAP ? STUB_EXPECT_MOVED : STUB_EXPECT_ZERO;
}

// Of ops[from] and those behind it, the first that maps a file; NULL: none.
static const struct sc_op *file_op(const struct op_queue *q, unsigned from) {
    for (; from < q->n; from++)
        if (q->ops[from].file)
            return &q->ops[from];
    return NULL;
}

// What will be open at the thread's number when all that is queued has been done.
static uint64_t last_file(const struct op_queue *q) {
    for (unsigned i = q->n; i-- > 0;)
        if (q->ops[i].file)
            return q->ops[i].file;
    return q->file;
}

// A file that will be there needs no descriptor of ours.
static int keep_file(struct op_queue *q, const struct plat_op *op, struct sc_op *o) {
    if (op->kind != OP_MAP || op->fd < 0)
        return 0;
    bool there = op->file && op->file == last_file(q);
    o->file = op->file ? op->file : SC_FILE_UNNAMED | ++q->unnamed;
    if (!there && (o->fd = fcntl(op->fd, F_DUPFD_CLOEXEC, 3)) < 0)
        return -errno;
    return 0;
}

// 1: the books of guarded memory have it already, nothing is left to be done.
static int queue_op(struct sc_thread *t, const struct plat_op *op) {
    LOCKED(&t->lock);
    int done = can_queue(t) ? sc_guard_work(t, op) : -LINUX_EINVAL;
    if (done)
        return done;
    struct sc_op *o = sc_ops_add(t);
    if (!o)
        return -LINUX_ENOMEM;
    if ((done = keep_file(&t->queue, op, o))) {
        t->queue.n--;
        return done;
    }
    plat_op_call(op, sc_stub_fd(t), &o->call);
    o->expect = expect_of(op);
    return 0;
}

int sc_queue(struct plat_thread *t, const struct plat_op *op) {
    int r = queue_op(sc_thread_of(t), op);
    return r > 0 ? 0 : r;
}

struct sc_map sc_op_map(const struct sc_op *o) {
    return o->call.nr == SYS_mmap ? (struct sc_map){o->call.args[0], o->call.args[1]} : (struct sc_map){0, 0};
}

// ---- A batch ----------------------------------------------------------------------------------------------

void sc_place_below(struct plat_thread *pt, uint64_t top) {
    struct sc_thread *t = sc_thread_of(pt);
    LOCKED(&t->lock);
    t->place_top = top;
}

// Where the next proposals are to be made: below the place that was chosen for this one, or that we were
// told.
static bool new_place(struct sc_thread *t, struct stub_slot *s) {
    const struct op_queue *q = &t->queue;
    bool chosen = t->call.anywhere && q->n == 1 && q->ops[0].call.nr == SYS_mmap;
    uint64_t at = chosen ? q->ops[0].call.args[0] : t->place_top, lo = sc_plat(t)->base.layout.lo;
    if (!at)
        return false;
    t->place_top = 0;
    s->place_at = s->place_top = at;
    s->place_low = at - lo > STUB_PLACE_WINDOW ? at - STUB_PLACE_WINDOW : lo;
    return true;
}

// A mapping is cut short, as what a buffer for all that might come is made when less has come. When the rest
// is unmapped too, the whole place is free for the next one.
static bool new_hole(const struct sc_thread *t, struct stub_slot *s) {
    const struct op_queue *q = &t->queue;
    bool cut = t->call.nr == SYS_mremap && q->n == 1 && q->ops[0].call.nr == SYS_munmap;
    s->hole_at = cut ? q->ops[0].call.args[0] : 0;
    s->hole_end = cut ? s->hole_at + q->ops[0].call.args[1] : 0;
    return cut;
}

static size_t first_field(struct sc_thread *t, struct stub_slot *s) {
    bool hole = new_hole(t, s);
    if (new_place(t, s))
        return offsetof(struct stub_slot, place_at);
    return hole ? offsetof(struct stub_slot, hole_at) : offsetof(struct stub_slot, flags);
}

// The next batch of ops, and what comes after it. True: there are more.
static bool fill_slot(struct sc_thread *t, struct stub_slot *s) {
    struct op_queue *q = &t->queue;
    const struct reg_cache *c = &t->cache;
    unsigned n = q->n - q->next < STUB_MAX_OPS ? q->n - q->next : STUB_MAX_OPS;
    bool more = q->next + n < q->n;
    s->flags = (q->flush || more ? STUB_DO_FLUSH : 0) | (c->have_rax ? STUB_DO_RAX : 0) |
               (t->renewed ? STUB_DO_RENEW : 0) |
               (c->dirty_bases && sc_plat(t)->frame.fsgsbase ? STUB_DO_BASES : 0);
    s->rax = (uint64_t)c->rax;
    s->set_fs = c->regs.fs_base;
    s->set_gs = sc_host_gs_base(t);
    s->nops = q->batch_n = n;
    q->batch = q->next;
    for (unsigned i = 0; i < n; i++) {
        const struct sc_op *o = &q->ops[q->batch + i];
        s->ops[i] = (struct stub_op){.nr = o->call.nr, .expect = o->expect};
        memcpy(s->ops[i].args, o->call.args, sizeof s->ops[i].args);
    }
    return more;
}

bool sc_ops_write(struct sc_thread *t) {
    struct reg_cache *c = &t->cache;
    struct stub_slot s;
    uint64_t frame[SC_FRAME_REGS], slot = sc_slot_addr(t);
    bool more = fill_slot(t, &s);
    const size_t from = first_field(t, &s);
    const size_t to = offsetof(struct stub_slot, ops[s.nops]);
    struct iovec local[5] = {{(char *)&s + from, to - from}},
                 remote[3] = {{(void *)(slot + from), to - from}};
    size_t want = to - from;
    int nlocal = 1, nremote = 1;
    if (c->dirty_regs) {
        sc_regs_to_frame(&c->regs, frame);
        local[nlocal++] = (struct iovec){frame, sizeof frame};
        remote[nremote++] =
            (struct iovec){(void *)(slot + sc_plat(t)->frame.uc_off + SC_FRAME_AT), sizeof frame};
        want += sizeof frame;
    }
    if (c->fp) {
        sc_fpstate_pieces(t, c->fp, c->fp_len, local + nlocal, &remote[nremote++]);
        nlocal += 3;
        want += c->fp_len;
    }
    if (plat_memory_raw(t->base.as, true, local, nlocal, remote, nremote) != (int64_t)want)
        return false;
    free(take_ptr(c->fp));
    c->dirty_regs = t->renewed = false;
    if (!t->queue.flush && !more)
        c->dirty_bases = c->have_rax = false;
    return true;
}

// The file that a batch needs first goes along with the reply: both are one host call, and the reply's value
// is the number of the descriptor. One that no op needs is pushed out, when
// it lies there since the last time. When a signal meets this very thread before the stub's has taken the
// file, the kernel answers for us, with 0, and we are told of an error: the reply that
// follows then meets nobody, and the file goes to the op that wants it (sc_ops_give_file()).
void sc_ops_start(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    struct op_queue *q = &t->queue;
    const struct sc_op *o = file_op(q, q->batch);
    bool push = o ? o < &q->ops[q->batch + q->batch_n] && o->file != q->file : q->file != 0;
    if (push && sc_addfd(p, t->notif.id, o ? o->fd : p->null_fd, sc_stub_fd(t), true) == 0) {
        q->file = o ? o->file : 0;
        if (o)
            atomic_store(&t->proc->fd_used, true);
        return;
    }
    sc_reply(t, STUB_BLOCK);
}

// ---- Ops in progress --------------------------------------------------------------------------------------

static bool same_call(const struct sc_op *o, const struct seccomp_notif *n) {
    bool same = (uint64_t)(unsigned)n->data.nr == o->call.nr;
    for (int i = 0; i < 6; i++)
        same = same && n->data.args[i] == o->call.args[i];
    return same;
}

int sc_ops_give_file(struct sc_thread *t, const struct sc_op *o) {
    struct op_queue *q = &t->queue;
    if (!o->file || q->file == o->file)
        return 0;
    int err = sc_addfd(sc_plat(t), t->notif.id, o->fd, sc_stub_fd(t), false);
    q->file = err ? SC_FILE_UNKNOWN : o->file;
    atomic_store(&t->proc->fd_used, true);
    return err;
}

// The thread is not heard of after its last op, unless that fails.
static void last_op(struct sc_thread *t, const struct sc_op *o) {
    sc_set_state(t, SC_RUNNING);
    t->queue.may_fail = true;
    t->queue.last_map = sc_op_map(o);
}

// Ops that need no call of the host are not heard of.
static void skip_silent(struct op_queue *q) {
    while (q->next < q->batch + q->batch_n && q->ops[q->next].call.nr == STUB_NO_CALL)
        q->next++;
}

bool sc_ops_approve(struct sc_thread *t, const struct seccomp_notif *n) {
    struct op_queue *q = &t->queue;
    if (t->state == SC_OPS)
        skip_silent(q);
    if (t->state != SC_OPS || q->next >= q->batch + q->batch_n || !same_call(&q->ops[q->next], n))
        return false;
    struct sc_op *o = &q->ops[q->next];
    t->notif.id = n->id;
    int err = sc_ops_give_file(t, o);
    if (err) {
        q->next++;
        sc_reply_error(t, err);
        return true;
    }
    if (o->expect == STUB_EXPECT_CHILD && q->child)
        atomic_store(&q->child->birth, BIRTH_LAUNCHED);
    sc_guard_begin(t, o);
    bool made = sc_guard_makes(t, o);
    bool last = ++q->next == q->n && !q->flush;
    if (last)
        last_op(t, o);
    if (made)
        sc_reply_continue(t);
    else
        sc_reply(t, 0);
    if (last)
        sc_ops_clear(t);
    return true;
}

static int64_t as_error(int64_t value) { return value < 0 && value >= -4095 ? value : -LINUX_EINVAL; }

int sc_ops_report(struct sc_thread *t, uint64_t done, int64_t value, int64_t *result) {
    struct op_queue *q = &t->queue;
    if (t->state == SC_RUNNING && q->may_fail) {
        *result = as_error(value);
        return 1;
    }
    q->last_map = (struct sc_map){0, 0};
    if (t->state != SC_OPS || done > q->batch_n)
        return -1;
    bool failed = done < q->batch_n;
    if (!failed)
        skip_silent(q);
    if (q->next != q->batch + done + failed)
        return -1;
    if (!failed && q->next < q->n) {  // the next batch
        sc_set_state(t, SC_HELD);
        sc_resume_gate(t);
        return 0;
    }
    *result = failed ? as_error(value) : 0;
    if (failed)
        q->next = q->batch + (unsigned)done;  // it, and what is behind it
    if (q->child && !failed)
        sc_child_hint(t, value);
    else if (q->child)
        atomic_store(&q->child->birth, BIRTH_ORDERED);  // taken back with the rest of the queue
    return 1;
}

// Of what was not done, maps become the unmapping of their range: what is there now, their own pages or what
// they were to replace, the sentry's map does not have. What closes a descriptor still does. The rest is
// dropped.
static void turn_into_undo(struct sc_thread *t) {
    struct op_queue *q = &t->queue;
    unsigned n = 0;
    for (unsigned i = 0; i < q->n; i++) {
        struct sc_op *o = &q->ops[i];
        struct sc_map map = i < q->next ? (struct sc_map){0, 0} : sc_op_map(o);
        struct host_call closing = o->call;
        bool closes = i >= q->next && closing.nr == SYS_close_range;
        if (o->fd >= 0)
            close(o->fd);
        if (map.len)
            q->ops[n++] = (struct sc_op){.fd = -1, .call = {SYS_munmap, {map.addr, map.len}}};
        else if (closes)
            q->ops[n++] = (struct sc_op){.fd = -1, .call = closing, .expect = STUB_EXPECT_ANY};
    }
    q->n = n;
    q->next = q->batch = q->batch_n = 0;
    sc_child_off(t);
    q->child = NULL;
}

bool sc_ops_undo(struct sc_thread *t, int64_t error) {
    struct op_queue *q = &t->queue;
    turn_into_undo(t);
    if (q->last_map.len) {
        struct sc_op *o = sc_ops_add(t);
        if (!o) {
            sc_violation(t, "no memory to undo a map");
            return true;
        }
        o->call = (struct host_call){SYS_munmap, {q->last_map.addr, q->last_map.len}};
    }
    if (!q->n)
        return false;
    q->undo = error;
    q->flush = true;
    sc_resume_held(t);
    return true;
}
