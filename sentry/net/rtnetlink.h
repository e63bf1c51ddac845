// SPDX-License-Identifier: Apache-2.0
// rtnetlink(7): requests of a guest about links, addresses, routes, neighbours and rules, and their answers.
// Knows no sockets: bytes come in, messages go out through struct rtnl_out. Everything that comes in is
// hostile.
#ifndef SENTRY_NET_RTNETLINK_H
#define SENTRY_NET_RTNETLINK_H
#include "sentry/net/net.h"
#include "sentry/net/nlmsg.h"

#define RTNL_LONG  (96u << 10)  // of one that has a single long object
#define RTNL_CHUNK 3776  // bytes of one part of a dump: libc's buffer is a page

enum rtnl_kind { RTNL_ROUTE, RTNL_DIAG, RTNL_GENERIC, RTNL_NETFILTER };  // by the protocol of the socket

// A list that is being told, part by part.
struct rtnl_dump {
    const struct net_source *net;
    bool running;
    enum rtnl_kind kind;  // of sock_diag(7): these sockets
    uint8_t diag_protocol;
    uint32_t diag_states;
    uint32_t diag_show;   // of unix sockets: LINUX_UDIAG_SHOW_*
    uint8_t family;       // LINUX_AF_*; 0: all
    uint16_t type;        // LINUX_RTM_GET*
    int32_t link;         // of this link alone; 0: all
    int32_t err;          // it was asked for wrongly: its end tells this, -LINUX_E*
    uint32_t seq, portid;  // of the request, for the answers
    uint32_t at;          // where it goes on
    // of netfilter: whose, what of which subsystem, and of which table and object alone (handles; 0: all)
    struct netstack *stack;
    uint8_t subsystem;
    uint32_t generation;
    uint64_t table, object;
};
struct rtnl_out {
    // One datagram to the asker: n bytes, and `more` of a further part (NULL, 0: none).
    void (*reply)(struct rtnl_out *o, const void *msg, size_t n, const void *more, size_t more_n);
    // Something has changed: a message for the members of that group. NULL: they are not told.
    void (*notify)(struct rtnl_out *o, uint32_t group, const void *msg, size_t n);
    // Links have come, changed or gone, in this namespace and others; gives the news back.
    void (*notify_links)(struct rtnl_out *o, struct net_news *n);
    // The namespace that an attribute names, IFLA_NET_NS_PID, _FD or TARGET_NETNSID; change: the asker may
    // make links there. A reference in *out. 0 or -LINUX_E*. NULL: none can be named.
    int (*netns)(struct rtnl_out *o, uint16_t attr, uint32_t value, bool change, struct net_ns **out);
    void (*dump_begun)(struct rtnl_out *o);  // time for the first rtnl_dump_part()
    struct rtnl_dump *dump;
    const struct net_source *net;  // whose links; outlives the dump
    struct netstack *stack;        // whose filter; outlives the dump
    uint32_t portid;  // the asker's
    enum rtnl_kind kind;
    bool admin;       // may change things
    bool strict;      // NETLINK_GET_STRICT_CHK
    bool cap_ack;     // NETLINK_CAP_ACK
};
// n bytes of requests, one after another, aligned to 4.
void rtnl_receive(struct rtnl_out *o, const void *msgs, size_t n);
// Writes into b, which is empty, what fits of the dump; with its end it is not running any more.
void rtnl_dump_part(struct rtnl_dump *d, struct nl_buf *b);

#endif
