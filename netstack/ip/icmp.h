// SPDX-License-Identifier: Apache-2.0
// ICMP (RFC 792) and ICMPv6 (RFC 4443): echo, errors out with a rate limit, errors in to the sockets they
// belong to. Lock: the stack's.
#ifndef NETSTACK_IP_ICMP_H
#define NETSTACK_IP_ICMP_H
#include "netstack/core/pkt.h"

// What is wrong with a packet that came in, for both families.
enum icmp_kind {
    ICMP_BAD_PROTO,  // nobody for the protocol; argument: the offset of the field that names it (IPv6)
    ICMP_BAD_PORT,
    ICMP_REASSEMBLY,  // not complete in time
    ICMP_BAD_FIELD,   // IPv6 only; argument: the offset of the field
    ICMP_BAD_OPTION,
    ICMP_PROHIBITED,  // by a rule of the filter
    // of packets that are forwarded:
    ICMP_TTL,
    ICMP_NO_ROUTE,
    ICMP_BAD_HOST,  // the neighbour does not answer
    ICMP_TOO_BIG,   // argument: what passes
};
// Tells the sender, unless RFC 1122 3.2.2 or RFC 4443 2.4 forbid it or too many were told. Borrows p, whose
// headers have been pulled: they are quoted from its head.
void icmp_error(struct pkt *p, enum icmp_kind kind, uint32_t argument);
// The same, "destination unreachable" with that code of the packet's family.
void icmp_unreachable(struct pkt *p, uint8_t code);

// The beginning of the packet that an ICMP error is about, `at` bytes from the front of p; false: there is
// not enough of it.
struct icmp_quote {
    struct ns_ip src, dst;
    uint8_t proto;
    const uint8_t *ip, *l4;  // in p's head: its header, and at least eight bytes behind it
};
bool icmp_quote(struct pkt *p, uint32_t at, bool four, struct icmp_quote *q);
bool icmp_is_error(bool four, uint8_t type);

void icmp_input(struct pkt *p);   // takes p
void icmp6_input(struct pkt *p);  // takes p

#endif
