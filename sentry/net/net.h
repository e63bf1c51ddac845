// SPDX-License-Identifier: Apache-2.0
// What the network of a namespace consists of: links and their addresses, as everything that tells a guest
// of them sees it (netlink, the requests of netdevice(7), /proc/net). Who has the links answers through a
// struct net_source.
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
    const char *kind;   // a constant: "veth"; NULL: none that is told
    bool no_carrier;
    int32_t peer;       // the other end's index, 0: none
    int32_t peer_netns; // and, when it is elsewhere, the number of that namespace; -1: it is here
    int32_t master;     // the bridge's index, 0: none
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
struct net_route {
    int32_t link;  // its index
    uint8_t family, dst_len;
    uint8_t type, scope, table;  // LINUX_RTN_*, RT_SCOPE_*, RT_TABLE_*
    uint8_t dst[16], src[16];    // network order; 4 or 16 are used
    bool has_src;                // src is what is sent from
    uint32_t metric;
    bool has_gateway, by_user;  // through whom; somebody added it
    uint8_t gateway[16];
};

struct net_neigh {
    int32_t link;
    uint8_t family, bytes[16];  // of the neighbour; network order
    uint16_t state;             // LINUX_NUD_*
    bool has_hw;
    uint8_t hw[6];
};
// What is to be changed of a link, or given to a new one.
#define NET_CHANGE_UP     1u
#define NET_CHANGE_NAME   2u
#define NET_CHANGE_MTU    4u
#define NET_CHANGE_HW     8u
#define NET_CHANGE_MASTER 16u
#define NET_CHANGE_NETNS  32u
struct net_ns;
struct net_news;
struct net_link_change {
    unsigned what;  // NET_CHANGE_*
    bool up;
    char name[LINUX_IFNAMSIZ];  // NUL ended, and a name; with %d: the first that is free
    uint32_t mtu;
    uint8_t hw[6];
    int32_t master;  // index; 0: of none any more
    struct net_ns *netns;  // a reference of its holder's
};
struct net_new_link {
    char kind[16];
    struct net_link_change own, peer;  // peer: of a pair
};

// link(), addr(), route(): copies the first one at or behind position *at into *out and moves *at behind it;
// false: there is none. 0 is the start. Positions of links are their indices, and stay right when others come
// and go. Changes, by who may: 0 or -LINUX_E*; NULL: EOPNOTSUPP. Called with locks up to RANK_OBJECT.
struct net_source;
struct ns_sock_info;
struct net_source_ops {
    bool (*link)(const struct net_source *s, uint32_t *at, struct net_link *out);
    bool (*addr)(const struct net_source *s, uint32_t *at, struct net_addr *out);
    bool (*route)(const struct net_source *s, uint32_t *at, struct net_route *out);
    // Each inet socket, with a lock held; NULL: there are none.
    void (*sockets)(const struct net_source *s, void (*visit)(void *arg, const struct ns_sock_info *s),
                    void *arg);
    // Whose unix sockets are beside them; NULL: there are none.
    struct net_ns *(*unix_sockets)(const struct net_source *s);
    int (*set_up)(const struct net_source *s, int32_t link, bool up);
    bool (*neigh)(const struct net_source *s, uint32_t *at, struct net_neigh *out);  // NULL: there are none
    int (*set_neigh)(const struct net_source *s, const struct net_neigh *n);
    int (*del_neigh)(const struct net_source *s, const struct net_neigh *n);
    // What has changed is added to *news, which net_news_done() gives back.
    int (*new_link)(const struct net_source *s, const struct net_new_link *w, struct net_news *news);
    int (*change_link)(const struct net_source *s, int32_t link, const struct net_link_change *c,
                       struct net_news *news);
    int (*del_link)(const struct net_source *s, int32_t link, struct net_news *news);
    int (*add_addr)(const struct net_source *s, const struct net_addr *a);
    int (*del_addr)(const struct net_source *s, const struct net_addr *a);
    // By family, dst, gateway, link (0: the one that the gateway is on) and metric.
    int (*add_route)(const struct net_source *s, const struct net_route *r);
    int (*del_route)(const struct net_source *s, const struct net_route *r);
};
struct net_source {
    const struct net_source_ops *ops;
};
// A machine, or a namespace, that nobody has configured: a loopback that is down, without addresses.
extern const struct net_source net_unconfigured;
bool net_next_link(const struct net_source *s, uint32_t *at, struct net_link *out);
bool net_next_addr(const struct net_source *s, uint32_t *at, struct net_addr *out);
bool net_next_route(const struct net_source *s, uint32_t *at, struct net_route *out);
bool net_link_by_index(const struct net_source *s, int32_t index, struct net_link *out);
bool net_link_by_name(const struct net_source *s, const char *name, struct net_link *out);  // NUL ended
bool net_addr_of(const struct net_source *s, int32_t link, uint8_t family,
                 struct net_addr *out);  // the first

// The requests of netdevice(7) on a socket of that family: answers, or -LINUX_ENOTTY for all others. admin:
// the caller may change links. *changed: the index of a link that is another than before, or 0.
struct uaccess;
// The requests of arp(7); the caller's socket is one of AF_INET.
bool net_is_arp_ioctl(unsigned cmd);
int64_t net_arp_ioctl(const struct net_source *s, unsigned cmd, uint64_t arg, struct uaccess *ua, bool admin);
int64_t net_ioctl(const struct net_source *s, int family, unsigned cmd, uint64_t arg, struct uaccess *ua,
                  bool admin, int32_t *changed);

#endif
