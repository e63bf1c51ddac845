// SPDX-License-Identifier: Apache-2.0
// The filter: rules for packets on their way in and out (netstack.h), with a bounded memory of flows. Costs nothing while
// there is no rule. Lock: the stack's.
#ifndef NETSTACK_IP_FILTER_H
#define NETSTACK_IP_FILTER_H
#include "netstack/core/pkt.h"

// The IP header is pulled, src, dst and proto are set; `transport`: and the transport header is in front. False: the packet is
// gone.
bool filter_prerouting(struct pkt *p, bool transport);
// The transport header is in front. False: the packet is gone (and its sender told, when the rule says so).
bool filter_in(struct pkt *p);
bool filter_out(struct pkt *p, struct netif *nif);
void filter_flush(struct netstack *ns);

#endif
