// SPDX-License-Identifier: Apache-2.0
// What the network of this sandbox consists of: links and their addresses, as everything that tells a guest
// of them sees it (netlink, the requests of netdevice(7), /proc/net). Who has the links answers through
// struct net_source.
//
// Now there is one source: a Linux machine, or a fresh network namespace, that nobody has configured. LIMIT:
// links cannot be changed.
#ifndef SENTRY_NET_NET_H
#define SENTRY_NET_NET_H
#include "abi/netdevice.h"
#include "abi/netlink.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_stats {
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped,
        multicast;
};
struct net_link {
    int32_t index;  // > 0
    char name[LINUX_IFNAMSIZ];
    uint16_t type;   // LINUX_ARPHRD_*
    uint32_t flags;  // LINUX_IFF_*
    uint32_t mtu, txqlen;
    uint8_t operstate;  // LINUX_IF_OPER_*
    uint8_t hw_len, hw[32], hw_broadcast[32];
    const char *qdisc;  // a constant
    struct net_stats stats;
};
struct net_addr {
    int32_t link;    // its index
    uint8_t family;  // LINUX_AF_INET or AF_INET6
    uint8_t prefix_len, scope;
    uint8_t bytes[16];         // network order; 4 or 16 are used
    uint8_t broadcast[4];      // AF_INET, when has_broadcast
    bool has_broadcast;
};

// Copies the first one at or behind position *at into *out and moves *at behind it; false: there is none. 0
// is the start. Positions of links are their indices, and stay right when others come and go. Called with
// locks up to RANK_OBJECT.
struct net_source {
    bool (*link)(uint32_t *at, struct net_link *out);
    bool (*addr)(uint32_t *at, struct net_addr *out);
};
extern const struct net_source net_unconfigured;
void net_set_source(const struct net_source *s);  // before there are guests
bool net_next_link(uint32_t *at, struct net_link *out);
bool net_next_addr(uint32_t *at, struct net_addr *out);
bool net_link_by_index(int32_t index, struct net_link *out);
bool net_link_by_name(const char *name, struct net_link *out);  // NUL ended
bool net_addr_of(int32_t link, uint8_t family, struct net_addr *out);  // the first

// The requests of netdevice(7) on a socket of that family: answers, or -LINUX_ENOTTY for all others. admin:
// the caller may change links.
struct uaccess;
int64_t net_ioctl(int family, unsigned cmd, uint64_t arg, struct uaccess *ua, bool admin);

#endif
