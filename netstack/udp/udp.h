// SPDX-License-Identifier: Apache-2.0
// UDP (RFC 768, RFC 1122 4.1, RFC 8085). Lock: the stack's.
#ifndef NETSTACK_UDP_UDP_H
#define NETSTACK_UDP_UDP_H
#include "netstack/sock/sock.h"

extern const struct sock_ops udp_ops;

void udp_input(struct pkt *p);  // takes p
void udp_error(struct netstack *ns, const struct ip_error *e);

#endif
