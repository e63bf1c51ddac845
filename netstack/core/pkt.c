// SPDX-License-Identifier: Apache-2.0
// See pkt.h. Called by every layer. Lock: the stack's.
#include "netstack/core/pkt.h"
#include "abi/errno.h"
#include "base/fault.h"
#include "netstack/core/stack.h"
#include "netstack/prot/checksum.h"
#include <string.h>

struct buf *buf_alloc(struct netstack *ns, uint32_t cap) {
    size_t size = sizeof(struct buf) + cap;
    if (!stack_charge(ns, size))
        return NULL;
    struct buf *b = xrealloc(NULL, size);  // not cleared: `fill` says what has been written
    if (!b) {
        stack_uncharge(ns, size);
        return NULL;
    }
    ref_init(&b->ref, 1);
    b->cap = cap;
    b->fill = 0;
    b->ns = ns;
    ns->usage.buffers++;
    return b;
}

void buf_put(struct buf *b) {
    if (!ref_put(&b->ref))
        return;
    stack_uncharge(b->ns, sizeof(struct buf) + b->cap);
    b->ns->usage.buffers--;
    free(b);
}

struct pkt *pkt_alloc(struct netstack *ns) {
    if (!stack_charge(ns, sizeof(struct pkt)))
        return NULL;
    struct pkt *p = xrealloc(NULL, sizeof(struct pkt));
    if (!p) {
        stack_uncharge(ns, sizeof(struct pkt));
        return NULL;
    }
    memset(p, 0, offsetof(struct pkt, head));
    list_init(&p->link);
    p->ns = ns;
    p->off = PKT_ROOM;
    ns->usage.packets++;
    return p;
}

struct pkt *pkt_from(struct netstack *ns, const void *data, size_t n) {
    struct pkt *p = pkt_alloc(ns);
    struct buf *b = p ? buf_alloc(ns, (uint32_t)n) : NULL;
    if (!b) {
        pkt_free(p);
        return NULL;
    }
    memcpy(b->data, data, n);
    b->fill = (uint32_t)n;
    p->off = 0;
    pkt_attach(p, b, 0, (uint32_t)n);
    buf_put(b);
    return p;
}

void pkt_flow_put(struct pkt_flow *f) {
    if (f && --f->refs == 0)
        f->gone(f);
}
void pkt_set_flow(struct pkt *p, struct pkt_flow *f) {
    if (f)
        f->refs++;
    pkt_flow_put(p->flow);
    p->flow = f;
}

void pkt_answers(struct pkt *p, const struct pkt *to) {
    if (!to->flow)
        return;
    pkt_set_flow(p, to->flow);
    p->ct_state = NF_CT_RELATED;
    p->ct_dir = !to->ct_dir;
}

void pkt_free(struct pkt *p) {
    if (!p)
        return;
    invariant(!list_linked(&p->link));
    for (unsigned i = 0; i < p->nfrags; i++)
        buf_put(p->frags[i].buf);
    pkt_flow_put(p->flow);
    stack_uncharge(p->ns, sizeof(struct pkt));
    p->ns->usage.packets--;
    free(p);
}

struct pkt *pkt_clone(const struct pkt *p) {
    struct pkt *q = pkt_alloc(p->ns);
    if (!q)
        return NULL;
    memcpy(q, p, sizeof(*q));
    list_init(&q->link);
    if (q->flow)
        q->flow->refs++;
    for (unsigned i = 0; i < q->nfrags; i++)
        buf_get(q->frags[i].buf);
    return q;
}

struct pkt *pkt_part(const struct pkt *p, uint32_t at, uint32_t n) {
    struct pkt *f = pkt_alloc(p->ns);
    struct buf *b = f ? buf_alloc(p->ns, n) : NULL;
    if (!b) {
        pkt_free(f);
        return NULL;
    }
    pkt_copy(p, at, b->data, n);
    b->fill = n;
    pkt_attach(f, b, 0, n);
    buf_put(b);
    f->src = p->src;
    f->dst = p->dst;
    f->proto = p->proto;
    return f;
}

static void drop_frag(struct pkt *p) {
    buf_put(p->frags[0].buf);
    p->nfrags--;
    memmove(p->frags, p->frags + 1, p->nfrags * sizeof(struct frag));
}

// Moves n bytes from the front of the pieces to the end of the head. They are there, and fit.
static void gather(struct pkt *p, uint32_t n) {
    while (n > 0) {
        struct frag *f = &p->frags[0];
        uint32_t step = f->len < n ? f->len : n;
        memcpy(p->head + p->off + p->hlen, f->buf->data + f->off, step);
        p->hlen = (uint16_t)(p->hlen + step);
        f->off += step;
        f->len -= step;
        n -= step;
        if (f->len == 0)
            drop_frag(p);
    }
}

uint8_t *pkt_peek(struct pkt *p, uint32_t n) {
    if (n > p->len || p->off + n > PKT_HEAD)
        return NULL;
    if (n > p->hlen)
        gather(p, n - p->hlen);
    return pkt_head(p);
}

uint8_t *pkt_pull(struct pkt *p, uint32_t n) {
    uint8_t *at = pkt_peek(p, n);
    if (at)
        pkt_skip(p, n);
    return at;
}

uint8_t *pkt_push(struct pkt *p, uint32_t n) {
    invariant(n <= p->off);
    p->off = (uint16_t)(p->off - n);
    p->hlen = (uint16_t)(p->hlen + n);
    p->len += n;
    return pkt_head(p);
}

void pkt_skip(struct pkt *p, uint32_t n) {
    invariant(n <= p->len);
    p->len -= n;
    uint32_t step = n < p->hlen ? n : p->hlen;
    p->off = (uint16_t)(p->off + step);
    p->hlen = (uint16_t)(p->hlen - step);
    for (n -= step; n > 0; n -= step) {
        struct frag *f = &p->frags[0];
        step = f->len < n ? f->len : n;
        f->off += step;
        f->len -= step;
        if (f->len == 0)
            drop_frag(p);
    }
}

void pkt_trim(struct pkt *p, uint32_t n) {
    invariant(n <= p->len);
    p->len = n;
    if (p->hlen > n)
        p->hlen = (uint16_t)n;
    n -= p->hlen;
    for (unsigned i = 0; i < p->nfrags; i++) {
        struct frag *f = &p->frags[i];
        if (f->len > n)
            f->len = n;
        n -= f->len;
    }
    while (p->nfrags > 0 && p->frags[p->nfrags - 1].len == 0)
        buf_put(p->frags[--p->nfrags].buf);
}

bool pkt_attach(struct pkt *p, struct buf *b, uint32_t off, uint32_t len) {
    if (len == 0)
        return true;
    if (p->nfrags == PKT_FRAGS)
        return false;
    p->frags[p->nfrags++] = (struct frag){buf_get(b), off, len};
    p->len += len;
    return true;
}

void pkt_put(struct pkt *p, uint32_t at, const void *from, uint32_t n) {
    const uint8_t *in = from;
    invariant(at <= p->len && n <= p->len - at);
    for (; n > 0 && at < p->hlen; n--)
        p->head[p->off + at++] = *in++;
    uint32_t begin = p->hlen;
    for (unsigned i = 0; n > 0; begin += p->frags[i++].len)
        for (const struct frag *f = &p->frags[i]; n > 0 && at - begin < f->len; n--)
            f->buf->data[f->off + at++ - begin] = *in++;
}

void pkt_copy(const struct pkt *p, uint32_t at, void *to, uint32_t n) {
    uint8_t *out = to;
    invariant(at <= p->len && n <= p->len - at);
    if (at < p->hlen) {
        uint32_t step = p->hlen - at < n ? p->hlen - at : n;
        memcpy(out, p->head + p->off + at, step);
        out += step;
        n -= step;
        at = 0;
    } else {
        at -= p->hlen;
    }
    for (unsigned i = 0; n > 0; i++) {
        const struct frag *f = &p->frags[i];
        if (at >= f->len) {
            at -= f->len;
            continue;
        }
        uint32_t step = f->len - at < n ? f->len - at : n;
        memcpy(out, f->buf->data + f->off + at, step);
        out += step;
        n -= step;
        at = 0;
    }
}

uint64_t pkt_csum(const struct pkt *p, uint32_t at, uint64_t sum) {
    int odd = 0;
    if (at < p->hlen) {
        sum = csum_add(sum, p->head + p->off + at, p->hlen - at, 0);
        odd = (p->hlen - at) & 1;
        at = 0;
    } else {
        at -= p->hlen;
    }
    for (unsigned i = 0; i < p->nfrags; i++) {
        const struct frag *f = &p->frags[i];
        if (at >= f->len) {
            at -= f->len;
            continue;
        }
        sum = csum_add(sum, f->buf->data + f->off + at, f->len - at, odd);
        odd ^= (f->len - at) & 1;
        at = 0;
    }
    return sum;
}

uint32_t pkt_size(const struct pkt *p) {
    uint32_t size = sizeof(*p);
    for (unsigned i = 0; i < p->nfrags; i++)
        size += (uint32_t)sizeof(struct buf) + p->frags[i].buf->cap;
    return size;
}

int pkt_fill(struct pkt *p, struct ns_io *io) {
    uint32_t n = (uint32_t)io->left;
    if (n == 0)
        return 0;
    struct buf *b = buf_alloc(p->ns, n);
    if (!b)
        return -LINUX_ENOBUFS;
    int64_t got = io->copy(io, b->data, n);
    if (got != (int64_t)n) {
        buf_put(b);
        return got < 0 ? (int)got : -LINUX_EFAULT;
    }
    b->fill = n;
    io->left = 0;
    pkt_attach(p, b, 0, n);
    buf_put(b);
    return 0;
}

int64_t pkt_read(const struct pkt *p, struct ns_io *io) {
    uint8_t piece[2048];
    uint32_t n = p->len < io->left ? p->len : (uint32_t)io->left;
    for (uint32_t at = 0; at < n;) {
        uint32_t step = n - at < sizeof piece ? n - at : (uint32_t)sizeof piece;
        pkt_copy(p, at, piece, step);
        int64_t put = io->copy(io, piece, step);
        if (put < (int64_t)step)
            return put < 0 ? put : -LINUX_EFAULT;
        io->left -= step;
        at += step;
    }
    return n;
}
