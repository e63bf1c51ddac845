// SPDX-License-Identifier: Apache-2.0
// Packet sockets: frames of an interface beside the protocols (packet(7)). Lock: the stack's.
#ifndef NETSTACK_SOCK_PACKET_H
#define NETSTACK_SOCK_PACKET_H
#include "netstack/core/pkt.h"

// The frame is in front, its link header included. Copies go to the sockets that want it; borrows p.
void packet_tap(struct netif *nif, struct pkt *p, bool outgoing);
void packet_flush(struct netif *nif);  // the interface goes

#endif
