// SPDX-License-Identifier: Apache-2.0
// See pktq.h. Called by udp/, ip/raw.c and link/packet.c. Lock: the stack's.
#include "netstack/core/pktq.h"
#include "abi/errno.h"

void pktq_init(struct pktq *q) {
    list_init(&q->packets);
    q->weight = 0;
}

bool pktq_has_room(const struct pktq *q, const struct pkt *p, int most) {
    return q->weight + pkt_size(p) <= (uint32_t)most;
}

void pktq_add(struct pktq *q, struct pkt *p) {
    q->weight += pkt_size(p);
    list_add_tail(&q->packets, &p->link);
}

struct pkt *pktq_take(struct pktq *q) {
    struct pkt *p = list_first(&q->packets, struct pkt, link);
    list_del(&p->link);
    q->weight -= pkt_size(p);
    return p;
}

static void drop_first(struct pktq *q) { pkt_free(pktq_take(q)); }

void pktq_clear(struct pktq *q) {
    while (!pktq_empty(q))
        drop_first(q);
}

uint32_t pktq_next_len(const struct pktq *q) {
    return pktq_empty(q) ? 0 : list_first(&q->packets, struct pkt, link)->len;
}

int64_t pktq_read(struct pktq *q, struct ns_io *io, unsigned flags, struct ns_addr *from) {
    if (pktq_empty(q))
        return -LINUX_EAGAIN;
    struct pkt *p = list_first(&q->packets, struct pkt, link);
    int64_t n = pkt_read(p, io);
    if (n < 0)
        return n;
    if (from)
        *from = (struct ns_addr){p->src, (uint16_t)p->mark, p->mark >> 16};
    if (flags & NS_MSG_TRUNC)
        n = p->len;
    if (!(flags & NS_MSG_PEEK))
        drop_first(q);
    return n;
}
