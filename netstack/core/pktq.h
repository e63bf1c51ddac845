// SPDX-License-Identifier: Apache-2.0
// What waits for the reader of a datagram, raw or packet socket: whole packets, up to a weight. Lock: the
// stack's.
#ifndef NETSTACK_CORE_PKTQ_H
#define NETSTACK_CORE_PKTQ_H
#include "netstack/core/pkt.h"

struct pktq {
    struct list packets;
    uint32_t weight;  // pkt_size() of all
};

void pktq_init(struct pktq *q);
void pktq_clear(struct pktq *q);
static inline bool pktq_empty(const struct pktq *q) { return list_empty(&q->packets); }
// Whether the packet is within the bound, `most` (NS_OPT_RCVBUF), too.
bool pktq_has_room(const struct pktq *q, const struct pkt *p, int most);
void pktq_add(struct pktq *q, struct pkt *p);   // takes p
struct pkt *pktq_take(struct pktq *q);          // the first, the caller's; there is one
uint32_t pktq_next_len(const struct pktq *q);  // bytes of the next packet; 0: there is none
// The next packet, to the user, and out of the queue unless he only looks: what ns_recv() returns, -EAGAIN
// when there is none. Its `src` and `mark` are the sender: the port, and the scope in the upper half.
int64_t pktq_read(struct pktq *q, struct ns_io *io, unsigned flags, struct ns_addr *from);

#endif
