// SPDX-License-Identifier: Apache-2.0
// What kind of address it is. No locks.
#ifndef NETSTACK_CORE_ADDR_H
#define NETSTACK_CORE_ADDR_H
#include "netstack/netstack.h"
#include "netstack/prot/wire.h"
#include <string.h>

static inline bool ip_eq(const struct ns_ip *a, const struct ns_ip *b) {
    return memcmp(a, b, sizeof *a) == 0;
}
static inline struct ns_ip ip_from4(const uint8_t *p) { return ns_ip4(p[0], p[1], p[2], p[3]); }
static inline struct ns_ip ip_from6(const uint8_t *p) {
    struct ns_ip ip;
    memcpy(ip.b, p, 16);
    return ip;
}
static inline const uint8_t *ip_v4(const struct ns_ip *ip) { return ip->b + 12; }
static inline uint32_t ip_num4(const struct ns_ip *ip) { return get32(ip->b + 12); }

bool ip_is_any(const struct ns_ip *ip);                // unspecified, of either family
bool ip_is_loopback(const struct ns_ip *ip);           // 127/8, ::1
bool ip_is_multicast(const struct ns_ip *ip);          // 224/4, ff00::/8
bool ip_is_linklocal(const struct ns_ip *ip);          // 169.254/16, fe80::/10
bool ip_is_limited_broadcast(const struct ns_ip *ip);  // 255.255.255.255
// Whether the first `prefix` bits of the address itself (0..32 of IPv4) are the same; never across families.
bool ip_in_prefix(const struct ns_ip *ip, const struct ns_ip *net, unsigned prefix);
unsigned ip_common_bits(const struct ns_ip *a, const struct ns_ip *b);  // of 128
struct ns_ip ip_solicited(const struct ns_ip *ip);                      // ff02::1:ffXX:XXXX (RFC 4291 2.7.1)
// The Ethernet address of a multicast group (RFC 1112 6.4, RFC 2464 7).
void ip_multicast_mac(const struct ns_ip *ip, uint8_t mac[6]);

#endif
