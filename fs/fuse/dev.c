// SPDX-License-Identifier: Apache-2.0
// /dev/fuse: a daemon reads requests, one with each read, and writes replies. What it writes is copied once
// into memory of ours; its lengths and numbers are checked there. A reply that does not fit its request ends
// that request with EIO, and is the daemon's EINVAL.
// LIMIT: /dev/fuse makes no clones (FUSE_DEV_IOC_CLONE) and offers no splice(2), as an older kernel.
#include "abi/poll.h"
#include "fs/fuse/fuse.h"
#include <string.h>

#define BATCH_MOST 64u  // forgets in one message

struct fuse_dev {                    // file->priv
    struct fuse_conn *_Atomic conn;  // owned; NULL: no file system is mounted by it
};
static struct fuse_conn *conn_of(struct file *f) { return ((struct fuse_dev *)f->priv)->conn; }

// ---- Reading ----------------------------------------------------------------------------------------------
enum next_kind { NEXT_NONE, NEXT_DEAD, NEXT_INTERRUPT, NEXT_FORGETS, NEXT_REQUEST };
struct next {
    enum next_kind kind;
    struct fuse_req *req;  // owned: REQUEST
    uint64_t unique;       // of the request that INTERRUPT is about
    unsigned n;            // of forgets
    struct linux_fuse_forget_one forgets[BATCH_MOST];
};
// As Linux has it: of forgets eight, then a request, if there is one.
static bool forgets_first(struct fuse_conn *c) {
    if (list_empty(&c->forgets))
        return false;
    if (list_empty(&c->pending) || c->forget_batch > 0) {
        c->forget_batch -= c->forget_batch > 0;
        return true;
    }
    c->forget_batch = 8;
    return false;
}
static void take_forgets(struct fuse_conn *c, struct next *x, unsigned most) {
    x->kind = NEXT_FORGETS;
    while (x->n < most && !list_empty(&c->forgets)) {
        struct fuse_forget *f = list_first(&c->forgets, struct fuse_forget, link);
        list_del(&f->link);
        c->nforgets--;
        x->forgets[x->n++] = (struct linux_fuse_forget_one){f->nodeid, f->nlookup};
        free(f);
    }
}
static void take_next(struct fuse_conn *c, struct next *x) {
    x->kind = NEXT_NONE;
    x->n = 0;
    LOCKED(&c->lock);
    if (c->state == FUSE_DEAD) {
        x->kind = NEXT_DEAD;
    } else if (!list_empty(&c->interrupts)) {
        struct fuse_req *r = list_first(&c->interrupts, struct fuse_req, intr);
        list_del(&r->intr);
        x->kind = NEXT_INTERRUPT;
        x->unique = r->unique;
    } else if (forgets_first(c)) {
        take_forgets(c, x, c->minor < 16 ? 1 : BATCH_MOST);
    } else if (!list_empty(&c->pending)) {
        struct fuse_req *r = list_first(&c->pending, struct fuse_req, link);
        list_del(&r->link);
        list_add_tail(&c->processing, &r->link);
        r->state = FUSE_REQ_SENT;
        if (r->interrupted)
            list_add_tail(&c->interrupts, &r->intr);
        x->kind = NEXT_REQUEST;
        x->req = fuse_req_get(r);
    }
}
static int64_t give(struct uio *u, const struct iovec *v, unsigned n) {
    size_t want = 0;
    for (unsigned k = 0; k < n; k++)
        want += v[k].iov_len;
    int64_t done = uio_tov(u, v, n);
    return done >= 0 && (size_t)done < want ? -LINUX_EFAULT : done;
}
static int64_t give_interrupt(struct uio *u, uint64_t unique) {
    struct linux_fuse_interrupt_in in = {.unique = unique};
    struct linux_fuse_in_header h = {
        .len = sizeof h + sizeof in, .opcode = LINUX_FUSE_INTERRUPT, .unique = unique | 1};
    return give(u, (struct iovec[]){{&h, sizeof h}, {&in, sizeof in}}, 2);
}
static int64_t give_forgets(struct uio *u, struct next *x) {
    struct linux_fuse_in_header h = {.opcode = LINUX_FUSE_BATCH_FORGET};
    struct linux_fuse_batch_forget_in in = {.count = x->n};
    size_t list = x->n * sizeof *x->forgets;
    if (x->n == 1) {
        struct linux_fuse_forget_in one = {.nlookup = x->forgets[0].nlookup};
        h.opcode = LINUX_FUSE_FORGET;
        h.nodeid = x->forgets[0].nodeid;
        h.len = sizeof h + sizeof one;
        return give(u, (struct iovec[]){{&h, sizeof h}, {&one, sizeof one}}, 2);
    }
    h.len = (uint32_t)(sizeof h + sizeof in + list);
    return give(u, (struct iovec[]){{&h, sizeof h}, {&in, sizeof in}, {x->forgets, list}}, 3);
}
// True: it was still waiting for its end.
static bool end_request(struct fuse_req *r, int error) {
    bool open;
    {
        LOCKED(&r->conn->lock);
        open = r->state == FUSE_REQ_SENT && !r->claimed;
        if (open)
            fuse_done_locked(r, error);
    }
    if (open) {
        waitq_wake(&r->answered, LINUX_POLLIN);
        fuse_req_put(r);
    }
    return open;
}
// The request does not fit: its caller is told, and the next one is looked at (0).
static int64_t give_request(struct uio *u, struct fuse_req *r) {
    if (r->size > u->left) {
        bool value = fuse_header(r)->opcode == LINUX_FUSE_SETXATTR;
        end_request(r, value ? -LINUX_E2BIG : -LINUX_EIO);
        return 0;
    }
    int64_t n = give(u, &(struct iovec){r->in, r->size}, 1);
    if (n < 0)
        end_request(r, -LINUX_EIO);
    return n;
}
static int64_t dev_read(struct file *f, struct uio *u, uint64_t off) {
    struct fuse_conn *c = conn_of(f);
    struct next x;
    if (!c)
        return -LINUX_EPERM;
    size_t least = sizeof(struct linux_fuse_in_header) + sizeof(struct linux_fuse_write_in) + c->max_write;
    if (u->left < (least > LINUX_FUSE_MIN_READ_BUFFER ? least : LINUX_FUSE_MIN_READ_BUFFER))
        return -LINUX_EINVAL;
    for (;;) {
        take_next(c, &x);
        switch (x.kind) {
        case NEXT_NONE:
            return -LINUX_EAGAIN;
        case NEXT_DEAD:
            return -LINUX_ENODEV;
        case NEXT_INTERRUPT:
            return give_interrupt(u, x.unique);
        case NEXT_FORGETS:
            return give_forgets(u, &x);
        case NEXT_REQUEST:
            break;
        }
        int64_t n = give_request(u, x.req);
        fuse_req_put(x.req);
        if (n)
            return n;
    }
}

// ---- Writing ----------------------------------------------------------------------------------------------
// The request with that number, which the daemon has read: taken off its list, so that it is answered once.
// The connection's reference is the caller's.
static struct fuse_req *claim(struct fuse_conn *c, uint64_t unique) {
    struct fuse_req *r;
    LOCKED(&c->lock);
    list_for_each(r, &c->processing, link)
        if (r->unique == unique) {
            list_del(&r->link);
            list_del(&r->intr);
            r->claimed = true;
            return r;
        }
    return NULL;
}
static int64_t interrupt_answered(struct fuse_conn *c, const struct linux_fuse_out_header *h) {
    struct fuse_req *r;
    if (h->error == -LINUX_ENOSYS) {
        atomic_fetch_or(&c->absent, UINT64_C(1) << LINUX_FUSE_INTERRUPT);
        return 0;
    }
    LOCKED(&c->lock);
    list_for_each(r, &c->processing, link)
        if (r->unique == (h->unique & ~UINT64_C(1))) {
            if (h->error == -LINUX_EAGAIN && !list_linked(&r->intr))
                list_add_tail(&c->interrupts, &r->intr);
            return 0;
        }
    return -LINUX_ENOENT;
}
// The reply's body into memory of ours.
static int take_body(struct fuse_req *r, struct uio *u, size_t n) {
    if (n < r->out_least || n > r->out_most)
        return -LINUX_EINVAL;
    if (n == 0)
        return 0;
    if (!budget_take(vfs_buffers(r->conn->vfs), n))
        return -LINUX_ENOMEM;
    r->charged += n;
    r->out = xcalloc(1, n);
    if (!r->out)
        return -LINUX_ENOMEM;
    int64_t got = uio_from(u, r->out, n);
    if (got != (int64_t)n)
        return -LINUX_EFAULT;
    r->out_size = n;
    return 0;
}
// r is claimed; its answer is there.
static void finish(struct fuse_req *r, int error) {
    struct fuse_conn *c = r->conn;
    bool orphan;
    {
        LOCKED(&c->lock);
        fuse_done_locked(r, error);
        orphan = r->orphan;
    }
    waitq_wake(&r->answered, LINUX_POLLIN);
    if (fuse_header(r)->opcode == LINUX_FUSE_INIT)
        fuse_init_answered(c, r);
    else if (orphan)
        fuse_give_back(r);
    fuse_req_put(r);
}
static int64_t answer(struct fuse_conn *c, const struct linux_fuse_out_header *h, struct uio *u, size_t n) {
    if (h->error <= -512 || h->error > 0 || (h->error && n))
        return -LINUX_EINVAL;
    if (h->unique & 1)
        return interrupt_answered(c, h);
    struct fuse_req *r = claim(c, h->unique);
    if (!r)
        return -LINUX_ENOENT;
    int err = h->error ? 0 : take_body(r, u, n), error = h->error;
    if (err)
        error = err == -LINUX_ENOMEM ? err : -LINUX_EIO;
    finish(r, error);
    return err;
}
static int64_t notification(struct fuse_conn *c, int code, struct uio *u, size_t n) {
    unsigned char body[sizeof(struct linux_fuse_notify_delete_out) + LINUX_NAME_MAX + 1];
    if (n > sizeof body)
        return -LINUX_EINVAL;
    int64_t got = n ? uio_from(u, body, n) : 0;
    if (got != (int64_t)n)
        return -LINUX_EFAULT;
    return fuse_notified(c, code, body, n);
}
static int64_t dev_write(struct file *f, struct uio *u, uint64_t off) {
    struct fuse_conn *c = conn_of(f);
    struct linux_fuse_out_header h;
    size_t total = u->left;
    if (!c)
        return -LINUX_EPERM;
    if (total < sizeof h)
        return -LINUX_EINVAL;
    if (uio_from(u, &h, sizeof h) != sizeof h)
        return -LINUX_EFAULT;
    if (h.len != total)
        return -LINUX_EINVAL;
    size_t n = total - sizeof h;
    int64_t err = h.unique ? answer(c, &h, u, n) : notification(c, h.error, u, n);
    return err < 0 ? err : (int64_t)total;
}

// ---- The file ---------------------------------------------------------------------------------------------
static uint32_t dev_poll(struct file *f, struct waiter *w) {
    struct fuse_conn *c = conn_of(f);
    if (!c)
        return LINUX_POLLERR;
    if (w)
        waitq_add(&c->readable, w);
    LOCKED(&c->lock);
    if (c->state == FUSE_DEAD)
        return LINUX_POLLERR;
    bool any = !list_empty(&c->pending) || !list_empty(&c->interrupts) || !list_empty(&c->forgets);
    return LINUX_POLLOUT | LINUX_POLLWRNORM | (any ? LINUX_POLLIN | LINUX_POLLRDNORM : 0);
}
static uint32_t dev_async(struct file *f) { return LINUX_POLLIN; }
static void dev_release(struct file *f) {
    struct fuse_dev *d = f->priv;
    struct fuse_conn *c = d ? d->conn : NULL;
    bool last = false;
    if (c) {
        LOCKED(&c->lock);
        last = --c->ndevs == 0;
    }
    if (last)
        fuse_abort(c);
    fuse_conn_put(c);
    free(d);
}
static const struct file_ops dev_ops = {
    .read = dev_read, .write = dev_write, .poll = dev_poll, .async = dev_async, .release = dev_release};

bool fuse_is_dev(const struct file *f) { return f->ops == &dev_ops; }
int fuse_dev_open(struct inode *i, struct file *f, const struct vfs_ctx *ctx) {
    struct fuse_dev *d = znew(struct fuse_dev);
    if (!d)
        return -LINUX_ENOMEM;
    f->mode &= ~FMODE_SEEK;
    f->ops = &dev_ops;
    f->priv = d;
    return 0;
}
int fuse_dev_attach(struct file *f, struct fuse_conn *c) {
    struct fuse_conn *none = NULL;
    if (!fuse_is_dev(f))
        return -LINUX_EINVAL;
    c->ndevs = 1;
    if (atomic_compare_exchange_strong(&((struct fuse_dev *)f->priv)->conn, &none, fuse_conn_get(c)))
        return 0;
    fuse_conn_put(c);
    return -LINUX_EINVAL;
}
