// SPDX-License-Identifier: Apache-2.0
// Raw sockets: packets of one protocol, beside whoever serves it. Lock: the stack's.
#ifndef NETSTACK_SOCK_RAW_H
#define NETSTACK_SOCK_RAW_H
#include "netstack/core/pkt.h"

// The transport header is in front. Whether any socket wanted a copy; borrows p.
bool raw_input(struct pkt *p);
struct ip_error;
void raw_error(struct netstack *ns, const struct ip_error *e);

#endif
