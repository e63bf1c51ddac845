// SPDX-License-Identifier: Apache-2.0
// The filter: rules for packets on their way in and out (netstack.h), with a bounded memory of flows. Costs
// nothing while there is no rule. Lock: the stack's.
#ifndef NETSTACK_IP_FILTER_H
#define NETSTACK_IP_FILTER_H
#include "netstack/core/pkt.h"
#include "netstack/core/stack.h"

// Whether any rule is to be asked, or a flow remembered, there.
static inline bool filter_on(const struct netstack *ns, enum ns_point point) {
    return ns->rules_at[point] > 0 || (ns->tracking_rules > 0 && point != NS_PREROUTING);
}
// The IP header is pulled, src, dst and proto are set; `transport`: and the transport header is in front.
// False: the packet is gone.
bool filter_prerouting(struct pkt *p, bool transport);
// The transport header is in front. False: the packet is gone (and its sender told, when the rule says so).
bool filter_in(struct pkt *p);
bool filter_out(struct pkt *p, struct netif *nif);
void filter_flush(struct netstack *ns);

#endif
