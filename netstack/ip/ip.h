// SPDX-License-Identifier: Apache-2.0
// IPv4 and IPv6: packets in from an interface and out to a neighbour. Lock: the stack's.
#ifndef NETSTACK_IP_IP_H
#define NETSTACK_IP_IP_H
#include "netstack/core/pkt.h"
#include "netstack/core/stack.h"
#include "netstack/ip/route.h"
#include "netstack/prot/ip.h"

// In: the IP header is in front. Each takes p.
void ip4_input(struct pkt *p);
void ip6_input(struct pkt *p);
// The transport header is in front; p->src, dst, proto, tos, ttl are set. Takes p.
void ip_deliver(struct pkt *p);
// Whether the transport checksum, over what is in front, is right.
bool ip_csum_ok(const struct pkt *p);

// A protocol over IP.
struct ip_error;
struct ip_proto {
    bool over4, over6;
    void (*input)(struct pkt *p);  // the transport header is in front; takes p
    void (*error)(struct netstack *ns, const struct ip_error *e);  // of a packet of its; NULL: not told
};
void ip_register(struct netstack *ns, uint8_t proto, const struct ip_proto *p);  // p: for as long as ns is

// Out: the transport header is in front. Takes p.
struct ip_header {
    struct ns_ip src, dst;
    uint8_t proto, tos, ttl;  // ttl 0: the default
    bool dont_fragment;
    bool router_alert;
    bool group, loop;  // to a group: ttl is meant as it is, 0 too; and members here hear it
};
int ip_output(struct netstack *ns, struct pkt *p, const struct path *path, const struct ip_header *h);
// Puts the pseudo header's sum into the checksum field, for the link to finish (p->csum_start).
void ip_start_csum(struct pkt *p, const struct ip_header *h, uint16_t offset);
// The pseudo header's sum (RFC 9293 3.1, RFC 8200 8.1).
uint64_t ip_pseudo(const struct ns_ip *src, const struct ns_ip *dst, uint8_t proto, uint32_t len);

// What became of a packet that was sent, told to its transport: from ICMP, or from the neighbour cache.
struct ip_error {
    struct ns_ip src, dst;  // of the packet that was sent
    uint8_t proto;
    const uint8_t *l4;  // its first eight transport bytes
    int err;            // LINUX_E*
    bool hard;          // RFC 1122 4.2.3.9: the peer itself refuses
    uint32_t mtu;       // nonzero: it was too big, and this is what passes
    // The ICMP message, whose header is pulled; the quoted transport header begins at l4_at. NULL: there was
    // none.
    const struct pkt *icmp;
    uint32_t l4_at;
    uint8_t type, code;
};
void ip_report(struct netstack *ns, const struct ip_error *e);
void ip_undeliverable(struct pkt *p, int err);  // sent by us, not yet on the link; takes p

#endif
