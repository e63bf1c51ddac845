// SPDX-License-Identifier: Apache-2.0
// See frag.h. Called by ip4_in.c and ip6_in.c. One timer for all queues, which are in the order of their age.
// Lock: the stack's.
#include "netstack/ip/frag.h"
#include "netstack/core/addr.h"
#include "netstack/ip/icmp.h"
#include "netstack/ip/ip.h"
#include "netstack/link/netif.h"

#define FRAG_TIMEOUT  (30 * NS_SEC)  // as Linux for IPv4; RFC 8200 4.5 has 60 s for IPv6
#define FRAG_TIMEOUT6 (60 * NS_SEC)
#define FRAG_QUEUES   256
#define FRAG_PIECES   64  // of one packet: 64 KiB in pieces of 1 KiB
#define FRAG_MEMORY   (2u << 20)
#define FRAG_MAX      65535

struct frag_queue {
    struct list link;  // ns->fragments
    struct netif *nif;
    struct ns_ip src, dst;
    uint32_t id;
    uint8_t proto;
    struct list pieces;  // by offset (pkt.mark)
    unsigned npieces;
    uint32_t have;   // bytes
    uint32_t total;  // 0 until the last fragment is here
    uint16_t longest;  // with its headers
    size_t weight;
    uint64_t until;
};

// Fragments that came in by different links are of different packets: each link takes its own along.
static struct frag_queue *queue_find(struct netstack *ns, const struct pkt *p, uint32_t id, unsigned *n) {
    struct frag_queue *q;
    *n = 0;
    list_for_each(q, &ns->fragments, link) {
        if (q->id == id && q->nif == p->nif && ip_eq(&q->src, &p->src) && ip_eq(&q->dst, &p->dst) &&
            (q->proto == p->proto || !ns_ip_is4(&p->dst)))
            return q;
        ++*n;
    }
    return NULL;
}

static void queue_free(struct netstack *ns, struct frag_queue *q) {
    while (!list_empty(&q->pieces)) {
        struct pkt *p = list_first(&q->pieces, struct pkt, link);
        list_del(&p->link);
        pkt_free(p);
    }
    ns->fragment_bytes -= q->weight;
    list_del(&q->link);
    stack_free(ns, q, sizeof *q);
}

static void arm(struct netstack *ns) {
    uint64_t first = UINT64_MAX;
    struct frag_queue *q;
    list_for_each(q, &ns->fragments, link) {
        first = q->until < first ? q->until : first;
    }
    if (first == UINT64_MAX)
        stack_cancel(ns, &ns->fragment_timer);
    else if (!timer_armed(&ns->fragment_timer) || timer_when(&ns->fragment_timer) > first)
        stack_arm(ns, &ns->fragment_timer, first);
}

static void expire(struct netstack *ns, struct frag_queue *q) {
    struct pkt *first = list_first(&q->pieces, struct pkt, link);
    ns->stats[STAT_frag_drop_timeout] += q->npieces;
    // RFC 792, RFC 8200 4.5: said to the sender only when the first fragment is here.
    if (!list_empty(&q->pieces) && first->mark == 0)
        icmp_error(first, ICMP_REASSEMBLY, 0);
    queue_free(ns, q);
}

static void frag_timer(struct timer *t) {
    struct netstack *ns = container_of(t, struct netstack, fragment_timer);
    struct frag_queue *q, *next;
    list_for_each_safe(q, next, &ns->fragments, link) {
        if (q->until <= ns->now)
            expire(ns, q);
    }
    arm(ns);
}

void frag_init(struct netstack *ns) { timer_init(&ns->fragment_timer, frag_timer); }

void frag_forget(struct netif *nif) {
    struct netstack *ns = nif->ns;
    struct frag_queue *q, *next;
    list_for_each_safe(q, next, &ns->fragments, link) {
        if (q->nif == nif)
            queue_free(ns, q);
    }
    arm(ns);
}

void frag_flush(struct netstack *ns) {
    while (!list_empty(&ns->fragments))
        queue_free(ns, list_first(&ns->fragments, struct frag_queue, link));
    stack_cancel(ns, &ns->fragment_timer);
}

static struct frag_queue *queue_new(struct netstack *ns, const struct pkt *p, uint32_t id) {
    struct frag_queue *q = stack_alloc(ns, sizeof *q);
    if (!q)
        return NULL;
    q->nif = p->nif;
    q->src = p->src;
    q->dst = p->dst;
    q->id = id;
    q->proto = p->proto;
    q->until = ns->now + (ns_ip_is4(&p->dst) ? FRAG_TIMEOUT : FRAG_TIMEOUT6);
    list_init(&q->pieces);
    list_add_tail(&ns->fragments, &q->link);
    return q;
}

// Makes room by giving up the oldest packets under way: a flood then hurts the flood first.
static void make_room(struct netstack *ns, unsigned queues, size_t weight) {
    while (!list_empty(&ns->fragments) &&
           (queues >= FRAG_QUEUES || ns->fragment_bytes + weight > FRAG_MEMORY)) {
        struct frag_queue *q = list_first(&ns->fragments, struct frag_queue, link);
        ns->stats[STAT_frag_drop_full] += q->npieces;
        queue_free(ns, q);
        queues = 0;
    }
}

enum verdict { PUT, DUPLICATE, OVERLAP };

static enum verdict queue_place(struct frag_queue *q, struct pkt *p) {
    uint32_t start = p->mark, end = start + p->len;
    struct pkt *it;
    list_for_each(it, &q->pieces, link) {
        uint32_t s = it->mark, e = s + it->len;
        if (s == start && e == end)
            return DUPLICATE;
        if (start < e && s < end)
            return OVERLAP;
        if (s >= end)
            break;
    }
    list_add_tail(&it->link, &p->link);
    q->npieces++;
    q->have += p->len;
    uint32_t whole = (uint32_t)(p->off - p->l3) + p->len;
    q->longest = q->longest > whole ? q->longest : (uint16_t)whole;
    return PUT;
}

// The first fragment's headers, and all data in one buffer behind them.
static struct pkt *assemble(struct netstack *ns, struct frag_queue *q) {
    struct pkt *first = list_first(&q->pieces, struct pkt, link), *it;
    struct buf *b = buf_alloc(ns, q->total);
    struct pkt *p = b ? pkt_clone(first) : NULL;
    if (!p) {
        if (b)
            buf_put(b);
        count(ns, link_drop_budget);
        return NULL;
    }
    list_for_each(it, &q->pieces, link) {
        pkt_copy(it, 0, b->data + it->mark, it->len);
    }
    b->fill = q->total;
    pkt_trim(p, 0);
    pkt_attach(p, b, 0, q->total);
    buf_put(b);
    p->broadcast = first->broadcast;
    p->csum_good = false;  // the link saw pieces only
    p->frag_max = q->longest;
    count(ns, frag_reassembled);
    return p;
}

// What can be said of a fragment by itself (RFC 8200 4.5).
static bool fragment_ok(struct pkt *p, const struct frag_info *info) {
    if (p->len == 0 || info->offset + p->len > FRAG_MAX)
        return false;
    if (info->more && p->len % 8 != 0) {
        if (!ns_ip_is4(&p->dst))
            icmp_error(p, ICMP_BAD_FIELD, 4);
        return false;
    }
    return true;
}

// The end of the packet is where its last fragment says; another end, or data behind it, is nonsense.
static bool end_ok(struct frag_queue *q, const struct pkt *p, const struct frag_info *info) {
    uint32_t end = info->offset + p->len;
    if (!info->more) {
        const struct pkt *last = container_of(q->pieces.prev, struct pkt, link);
        if ((q->total && q->total != end) || (!list_empty(&q->pieces) && last->mark + last->len > end))
            return false;
        q->total = end;
    }
    return !q->total || end <= q->total;
}

// The queue of p's datagram, which may be a new one; NULL: no memory.
static struct frag_queue *queue_for(struct pkt *p, uint32_t id) {
    unsigned queues;
    struct frag_queue *q = queue_find(p->ns, p, id, &queues);
    if (q)
        return q;
    make_room(p->ns, queues, pkt_size(p));
    return queue_new(p->ns, p, id);
}

struct pkt *frag_input(struct pkt *p, const struct frag_info *info) {
    struct netstack *ns = p->ns;
    count(ns, frag_in);
    if (!fragment_ok(p, info)) {
        count(ns, frag_drop_malformed);
        pkt_free(p);
        return NULL;
    }
    struct frag_queue *q = queue_for(p, info->id);
    if (!q || q->npieces == FRAG_PIECES || ns->fragment_bytes + pkt_size(p) > FRAG_MEMORY) {
        count(ns, frag_drop_full);
        pkt_free(p);
        if (q)
            queue_free(ns, q);
        arm(ns);
        return NULL;
    }
    p->mark = info->offset;
    size_t weight = pkt_size(p);
    enum verdict verdict = end_ok(q, p, info) ? queue_place(q, p) : OVERLAP;
    if (verdict != PUT) {
        if (verdict == OVERLAP) {
            ns->stats[STAT_frag_drop_overlap] += q->npieces + 1;
            queue_free(ns, q);
        }
        pkt_free(p);
        arm(ns);
        return NULL;
    }
    q->weight += weight;
    ns->fragment_bytes += weight;
    struct pkt *whole = NULL;
    if (q->total && q->have == q->total) {
        whole = assemble(ns, q);
        queue_free(ns, q);
    }
    arm(ns);
    return whole;
}
