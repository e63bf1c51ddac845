// SPDX-License-Identifier: Apache-2.0
// What a sandbox is given of a network outside: links with their addresses, and routes. Made by oci/, which
// opens the descriptors; the sentry makes none. It holds no pointers, so that it can be sent as it is.
#ifndef SENTRY_NETCONFIG_H
#define SENTRY_NETCONFIG_H
#include <stdint.h>

#define SENTRY_LINKS      8u
#define SENTRY_LINK_ADDRS 16u
#define SENTRY_ROUTES     128u
#define SENTRY_NET_FDS    (SENTRY_LINKS + 1)

enum sentry_link_kind {
    SENTRY_LINK_PACKET,  // an AF_PACKET socket that is bound to one interface, with PACKET_VNET_HDR
    SENTRY_LINK_TAP,     // a queue of a tap, with virtio-net headers of 10 bytes
};
// Where IPv6 addresses of a link come from besides `addrs`.
enum sentry_link_auto { SENTRY_AUTO_NONE, SENTRY_AUTO_ROUTERS };
struct sentry_addr {
    uint8_t six;  // 1: IPv6, 0: IPv4
    uint8_t prefix;
    uint8_t bytes[16];  // network order; 4 or 16 are used
};
struct sentry_link {
    uint8_t kind;       // enum sentry_link_kind
    uint8_t automatic;  // enum sentry_link_auto
    uint8_t mac[6];
    char name[16];  // with its NUL
    uint32_t mtu;   // bytes of an IP packet
    uint32_t naddrs;
    struct sentry_addr addrs[SENTRY_LINK_ADDRS];
};
struct sentry_route {
    uint8_t six, prefix;
    uint8_t link;  // its place in links
    uint8_t has_gateway;
    uint8_t dst[16], gateway[16];
    uint32_t metric;
};
struct sentry_net {
    uint32_t nlinks, nroutes;
    uint64_t rx_rate, tx_rate;  // bytes a second, of each link; 0: no limit
    uint64_t capture_max;       // bytes of the capture file; 0: there is none
    struct sentry_link links[SENTRY_LINKS];
    struct sentry_route routes[SENTRY_ROUTES];
};
// The descriptors that go with it: one for each link, in their order, then the capture file's, if there is
// one.
static inline unsigned sentry_net_fds(const struct sentry_net *n) {
    return n->nlinks + (n->capture_max != 0);
}

#endif
