// SPDX-License-Identifier: Apache-2.0
// Generic receive offload: TCP segments that came in together and continue each other become one, so that what TCP does
// for a segment it does once for all of them. Called by netif.c. Lock: the stack's.
#ifndef NETSTACK_LINK_GRO_H
#define NETSTACK_LINK_GRO_H
#include "netstack/link/netif.h"

// The first of n frames and those behind it that continue it, in *taken, as one packet; NULL: it stands alone (*taken: 1).
struct pkt *gro_join(struct netif *nif, const struct ns_rx *rx, unsigned n, unsigned *taken);

#endif
