// SPDX-License-Identifier: Apache-2.0
// Connections to daemons of FUSE, and requests on their way: queues, ends, INIT. Called by dev.c (the
// daemon's side) and ask.c (the callers').
#include "abi/poll.h"
#include "fs/fuse/fuse.h"
#include <string.h>

struct fuse_conn *fuse_conn_new(struct vfs *v) {
    struct fuse_conn *c = znew(struct fuse_conn);
    if (!c)
        return NULL;
    ref_init(&c->refs, 1);
    lock_init(&c->lock, RANK_OBJECT);
    c->vfs = v;
    list_init(&c->pending);
    list_init(&c->processing);
    list_init(&c->interrupts);
    list_init(&c->forgets);
    waitq_init(&c->readable);
    waitq_init(&c->changed);
    c->max_write = c->max_read = GUEST_PAGE_SIZE;
    return c;
}
struct fuse_conn *fuse_conn_get(struct fuse_conn *c) {
    ref_get(&c->refs);
    return c;
}
void fuse_conn_put(struct fuse_conn *c) {
    if (!c || !ref_put(&c->refs))
        return;
    while (!list_empty(&c->forgets)) {
        struct fuse_forget *f = list_first(&c->forgets, struct fuse_forget, link);
        list_del(&f->link);
        free(f);
    }
    invariant(list_empty(&c->pending) && list_empty(&c->processing) && !c->nodes.node);
    waitq_destroy(&c->readable);
    waitq_destroy(&c->changed);
    lock_destroy(&c->lock);
    free(c);
}

// ---- Requests ---------------------------------------------------------------------------------------------
struct fuse_req *fuse_req_new(struct fuse_conn *c, unsigned opcode, uint64_t nodeid, size_t args) {
    struct budget *b = vfs_buffers(c->vfs);
    size_t size = sizeof(struct linux_fuse_in_header) + args, charge = size + sizeof(struct fuse_req);
    struct fuse_req *r = budget_take(b, charge) ? znew(struct fuse_req) : NULL;
    unsigned char *in = r ? xcalloc(1, size) : NULL;
    if (!in) {
        if (r)
            budget_give(b, charge);
        free(r);
        return NULL;
    }
    ref_init(&r->refs, 1);
    r->conn = fuse_conn_get(c);
    list_init(&r->link);
    list_init(&r->intr);
    list_init(&r->asked);
    waitq_init(&r->answered);
    r->size = size;
    r->in = in;
    r->charged = charge;
    *fuse_header(r) =
        (struct linux_fuse_in_header){.len = (uint32_t)size, .opcode = opcode, .nodeid = nodeid};
    return r;
}
struct fuse_req *fuse_req_get(struct fuse_req *r) {
    ref_get(&r->refs);
    return r;
}
void fuse_req_put(struct fuse_req *r) {
    if (!r || !ref_put(&r->refs))
        return;
    if (r->inode)
        inode_put(r->inode);
    fuse_open_put(r->opened);
    budget_give(vfs_buffers(r->conn->vfs), r->charged);
    waitq_destroy(&r->answered);
    free(r->in);
    free(r->out);
    fuse_conn_put(r->conn);
    free(r);
}

int fuse_submit(struct fuse_req *r) {
    struct fuse_conn *c = r->conn;
    {
        LOCKED(&c->lock);
        if (c->state == FUSE_DEAD)
            return -LINUX_ENOTCONN;
        c->next_unique += 2;  // odd ones are interrupts
        r->unique = fuse_header(r)->unique = c->next_unique;
        r->state = FUSE_REQ_QUEUED;
        list_add_tail(&c->pending, &fuse_req_get(r)->link);
    }
    waitq_wake(&c->readable, LINUX_POLLIN | LINUX_POLLRDNORM);
    return 0;
}
void fuse_submit_orphan(struct fuse_req *r) {
    r->orphan = true;
    fuse_submit(r);
    fuse_req_put(r);
}
// The connection's reference is the caller's then, to be put when the lock is dropped.
void fuse_done_locked(struct fuse_req *r, int error) {
    list_del(&r->link);
    list_del(&r->intr);
    r->error = error;
    r->state = FUSE_REQ_DONE;
}
void fuse_interrupt_locked(struct fuse_req *r) {
    if (r->interrupted || fuse_is_absent(r->conn, LINUX_FUSE_INTERRUPT))
        return;
    r->interrupted = true;
    if (r->state == FUSE_REQ_SENT)
        list_add_tail(&r->conn->interrupts, &r->intr);
}

void fuse_queue_forget(struct fuse_conn *c, struct fuse_forget *f) {
    bool queued = false;
    {
        LOCKED(&c->lock);
        if (c->state != FUSE_DEAD) {
            list_add_tail(&c->forgets, &f->link);
            c->nforgets++;
            queued = true;
        }
    }
    if (queued)
        waitq_wake(&c->readable, LINUX_POLLIN | LINUX_POLLRDNORM);
    else
        free(f);
}

void fuse_abort(struct fuse_conn *c) {
    struct list ended = LIST_INIT(ended);
    {
        LOCKED(&c->lock);
        c->state = FUSE_DEAD;
        list_splice_tail(&ended, &c->pending);
        list_splice_tail(&ended, &c->processing);
        struct fuse_req *r;
        list_for_each(r, &ended, link) {
            list_del(&r->intr);
            r->error = -LINUX_ECONNABORTED;
            r->state = FUSE_REQ_DONE;
        }
    }
    while (!list_empty(&ended)) {
        struct fuse_req *r = list_first(&ended, struct fuse_req, link);
        list_del(&r->link);
        waitq_wake(&r->answered, LINUX_POLLIN);
        fuse_req_put(r);
    }
    waitq_wake(&c->readable, LINUX_POLLIN | LINUX_POLLERR);
    waitq_wake(&c->changed, LINUX_POLLIN);
}

// ---- INIT -------------------------------------------------------------------------------------------------
int fuse_begin(struct fuse_conn *c) {
    struct fuse_req *r = fuse_req_new(c, LINUX_FUSE_INIT, 0, sizeof(struct linux_fuse_init_in));
    if (!r)
        return -LINUX_ENOMEM;
    const struct linux_fuse_init_in in = {
        .major = LINUX_FUSE_VERSION,
        .minor = LINUX_FUSE_MINOR,
        .max_readahead = 32 * GUEST_PAGE_SIZE,
        .flags = LINUX_FUSE_ASYNC_READ | LINUX_FUSE_BIG_WRITES | LINUX_FUSE_AUTO_INVAL_DATA |
                 LINUX_FUSE_NO_OPEN_SUPPORT | LINUX_FUSE_PARALLEL_DIROPS | LINUX_FUSE_MAX_PAGES |
                 LINUX_FUSE_NO_OPENDIR_SUPPORT,
    };
    memcpy(fuse_header(r) + 1, &in, sizeof in);
    r->out_least = LINUX_FUSE_INIT_OUT_LEAST;
    r->out_most = sizeof(struct linux_fuse_init_out);
    fuse_submit_orphan(r);
    return 0;
}
static uint32_t within(uint32_t v, uint32_t least, uint32_t most) {
    if (v < least)
        return least;
    return v > most ? most : v;
}
void fuse_init_answered(struct fuse_conn *c, const struct fuse_req *r) {
    struct linux_fuse_init_out o = {0};
    if (!r->error)
        memcpy(&o, r->out, r->out_size);
    if (r->error || o.major != LINUX_FUSE_VERSION || o.minor < LINUX_FUSE_MINOR_LEAST) {
        fuse_abort(c);
        return;
    }
    uint32_t pages = o.flags & LINUX_FUSE_MAX_PAGES ? within(o.max_pages, 1, FUSE_PAGES_MAX) : 32;
    uint32_t most = pages * GUEST_PAGE_SIZE;
    {
        LOCKED(&c->lock);
        if (c->state != FUSE_NEW)
            return;
        c->minor = o.minor;
        c->flags = o.flags;
        c->max_write = within(o.max_write, GUEST_PAGE_SIZE, most);
        c->max_read = c->opts.max_read ? within(c->opts.max_read, GUEST_PAGE_SIZE, most) : most;
        c->state = FUSE_READY;
    }
    waitq_wake(&c->changed, LINUX_POLLIN);
}
