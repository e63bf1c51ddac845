// SPDX-License-Identifier: Apache-2.0
// Packets of others (RFC 1812 5.2, RFC 8200 3): sent on by the routes. Lock: the stack's.
#ifndef NETSTACK_IP_FORWARD_H
#define NETSTACK_IP_FORWARD_H
#include "netstack/core/pkt.h"
#include "netstack/core/stack.h"

static inline bool forwards(const struct netstack *ns, bool four) { return ns->forward[!four]; }
// A packet that is not for us; its IP header has been pulled, addresses, ttl and proto are set. Takes p.
void ip_forward(struct pkt *p);
// One without a transport header: no error is sent of it (RFC 1122 3.2.2). p->l3 is set.
bool ip_is_later_fragment(const struct pkt *p);

#endif
