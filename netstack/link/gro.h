// SPDX-License-Identifier: Apache-2.0
// Generic receive offload: TCP segments that came in together and continue each other become one, so that
// what TCP does for a segment it does once for all of them. Called by netif.c. Lock: the stack's.
#ifndef NETSTACK_LINK_GRO_H
#define NETSTACK_LINK_GRO_H
#include "netstack/link/netif.h"
#include "netstack/prot/eth.h"
#include "netstack/prot/ip.h"
#include "netstack/prot/tcp.h"

#define GRO_FRAMES 32

// A frame as it is looked at here.
struct gro_segment {
    const uint8_t *frame;
    uint32_t l3, l4, hlen, len;  // hlen: of all headers; len: of data
    uint32_t seq;
    // it may be joined to others: what else there is of it is set
    bool ok;
    bool six, push, good;                           // good: the link has checked it
    uint8_t same[ETH_LEN + IP6_LEN + TCP_MAX_LEN];  // the headers, without what may differ
};
struct gro {
    unsigned n;
    uint32_t taken;  // bits: has gone with an earlier one
    struct gro_segment segments[GRO_FRAMES];
};

// n: at most GRO_FRAMES
void gro_look(struct gro *g, const struct netif *nif, const struct ns_rx *rx, unsigned n);
// The i-th frame and those behind it that continue it, *joined in all, as one packet; NULL: it stands alone.
struct pkt *gro_join(struct gro *g, struct netstack *ns, unsigned i, unsigned *joined);

#endif
