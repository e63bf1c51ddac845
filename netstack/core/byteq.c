// SPDX-License-Identifier: Apache-2.0
// See byteq.h. Called by TCP's sender and receiver. Lock: the stack's.
#include "netstack/core/byteq.h"
#include "abi/errno.h"
#include "base/clamp.h"
#include "netstack/core/stack.h"
#include <string.h>

#define SMALL 512    // pieces up to this are copied together
#define LEAST 512    // the smallest buffer
#define MOST  32768  // the largest

struct chunk {
    struct list link;
    struct frag f;
};

void byteq_init(struct byteq *q) {
    list_init(&q->chunks);
    q->len = q->weight = 0;
}

static void chunk_free(struct byteq *q, struct chunk *c) {
    q->weight -= c->f.buf->cap;
    list_del(&c->link);
    struct buf *b = c->f.buf;
    stack_free(b->ns, c, sizeof *c);
    buf_put(b);
}

void byteq_clear(struct byteq *q) {
    while (!list_empty(&q->chunks))
        chunk_free(q, list_first(&q->chunks, struct chunk, link));
    q->len = 0;
}

// Takes the caller's reference to b, also when it fails.
static bool push(struct netstack *ns, struct byteq *q, struct buf *b, uint32_t off, uint32_t len) {
    struct chunk *c = stack_alloc(ns, sizeof *c);
    if (!c) {
        buf_put(b);
        return false;
    }
    c->f = (struct frag){b, off, len};
    list_add_tail(&q->chunks, &c->link);
    q->len += len;
    q->weight += b->cap;
    return true;
}

// The last chunk, when bytes may be written behind it: it ends where its buffer's used part ends, so nobody
// else's do.
static struct chunk *open_tail(struct byteq *q) {
    if (list_empty(&q->chunks))
        return NULL;
    struct chunk *c = container_of(q->chunks.prev, struct chunk, link);
    struct buf *b = c->f.buf;
    return c->f.off + c->f.len == b->fill && b->fill < b->cap ? c : NULL;
}

static struct chunk *new_tail(struct netstack *ns, struct byteq *q, uint32_t want) {
    struct buf *b = buf_alloc(ns, clamp_u32(want, LEAST, MOST));
    if (!b || !push(ns, q, b, 0, 0))
        return NULL;
    return container_of(q->chunks.prev, struct chunk, link);
}

int64_t byteq_fill(struct netstack *ns, struct byteq *q, struct ns_io *io, uint32_t max) {
    int64_t done = 0, err = 0;
    while (io->left > 0 && done < max) {
        uint32_t room = max - (uint32_t)done, want = io->left < room ? (uint32_t)io->left : room;
        struct chunk *c = open_tail(q);
        if (!c && !(c = new_tail(ns, q, want))) {
            err = -LINUX_ENOBUFS;
            break;
        }
        struct buf *b = c->f.buf;
        uint32_t step = b->cap - b->fill < want ? b->cap - b->fill : want;
        int64_t got = io->copy(io, b->data + b->fill, step);
        if (got > 0) {
            b->fill += (uint32_t)got;
            c->f.len += (uint32_t)got;
            q->len += (uint32_t)got;
            io->left -= (size_t)got;
            done += got;
        }
        if (c->f.len == 0)
            chunk_free(q, c);
        if (got < (int64_t)step) {
            err = got < 0 ? got : -LINUX_EFAULT;
            break;
        }
    }
    return done ? done : err;
}

static bool append_small(struct byteq *q, struct pkt *p) {
    struct chunk *c = open_tail(q);
    if (!c || c->f.buf->cap - c->f.buf->fill < p->len)
        c = new_tail(p->ns, q, 4 * SMALL);
    if (!c)
        return false;
    struct buf *b = c->f.buf;
    pkt_copy(p, 0, b->data + b->fill, p->len);
    b->fill += p->len;
    c->f.len += p->len;
    q->len += p->len;
    return true;
}

uint32_t byteq_append(struct byteq *q, struct pkt *p) {
    uint32_t before = q->len;
    bool ok = true;
    if (p->len <= SMALL) {
        append_small(q, p);
        pkt_free(p);
        return q->len - before;
    }
    if (p->hlen > 0) {
        // The head holds payload that a peek gathered: it goes by copy, the rest follows as it is.
        struct pkt *head = pkt_clone(p);
        if (head)
            pkt_trim(head, p->hlen);
        ok = head && append_small(q, head);
        pkt_free(head);
        pkt_skip(p, p->hlen);
    }
    for (unsigned i = 0; ok && i < p->nfrags; i++)
        ok = push(p->ns, q, buf_get(p->frags[i].buf), p->frags[i].off, p->frags[i].len);
    pkt_free(p);
    return q->len - before;
}

int64_t byteq_copy(const struct byteq *q, uint32_t at, struct ns_io *io) {
    int64_t done = 0;
    struct chunk *c;
    list_for_each(c, &q->chunks, link) {
        if (at >= c->f.len) {
            at -= c->f.len;
            continue;
        }
        uint32_t step = c->f.len - at < io->left ? c->f.len - at : (uint32_t)io->left;
        if (step == 0)
            break;
        int64_t put = io->copy(io, c->f.buf->data + c->f.off + at, step);
        if (put <= 0 && done)
            return done;
        if (put <= 0)
            return put < 0 ? put : -LINUX_EFAULT;
        io->left -= (size_t)put;
        done += put;
        if (put < (int64_t)step)
            break;
        at = 0;
    }
    return done;
}

bool byteq_push(struct netstack *ns, struct byteq *q, struct buf *b, uint32_t len) {
    b->fill = len;
    return push(ns, q, buf_get(b), 0, len);
}

void byteq_refer(const struct byteq *q, uint32_t at, size_t want, struct ns_pieces *p) {
    struct chunk *c;
    list_for_each(c, &q->chunks, link) {
        if (at >= c->f.len) {
            at -= c->f.len;
            continue;
        }
        size_t n = c->f.len - at < want - p->len ? c->f.len - at : want - p->len;
        if (n == 0 || p->n == NS_PIECES)
            break;
        p->held[p->n] = buf_get(c->f.buf);
        p->iov[p->n++] = (struct ns_iov){c->f.buf->data + c->f.off + at, n};
        p->len += n;
        at = 0;
    }
}

void byteq_drop(struct byteq *q, uint32_t n) {
    invariant(n <= q->len);
    q->len -= n;
    while (n > 0) {
        struct chunk *c = list_first(&q->chunks, struct chunk, link);
        uint32_t step = c->f.len < n ? c->f.len : n;
        c->f.off += step;
        c->f.len -= step;
        n -= step;
        if (c->f.len == 0)
            chunk_free(q, c);
    }
}

uint32_t byteq_attach(const struct byteq *q, uint32_t at, uint32_t n, struct pkt *p) {
    uint32_t done = 0;
    struct chunk *c;
    list_for_each(c, &q->chunks, link) {
        if (done == n)
            break;
        if (at >= c->f.len) {
            at -= c->f.len;
            continue;
        }
        uint32_t step = c->f.len - at < n - done ? c->f.len - at : n - done;
        if (!pkt_attach(p, c->f.buf, c->f.off + at, step))
            break;
        done += step;
        at = 0;
    }
    return done;
}
