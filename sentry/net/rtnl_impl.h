// SPDX-License-Identifier: Apache-2.0
// rtnetlink(7) on the inside: what its files share.
#ifndef SENTRY_NET_RTNL_IMPL_H
#define SENTRY_NET_RTNL_IMPL_H
#include "sentry/net/net.h"
#include "sentry/net/rtnetlink.h"

struct request {
    struct linux_nlmsghdr h;
    const uint8_t *body;  // behind the header
    size_t n;
};

// An error, or 0 as an acknowledgement. An error brings the whole request back, unless that is not wanted.
void rtnl_answer(struct rtnl_out *o, const struct request *q, int err);
// The link that a request names by index or IFLA_IFNAME. 0 or -LINUX_E*.
int rtnl_find_link(const struct net_source *net, const struct request *q, struct net_link *l);
// A request for a change, of one who may (rtnl_change.c). 0 or -LINUX_E*.
int rtnl_change(struct rtnl_out *o, const struct request *q);

// Links that are made, changed and deleted (rtnl_link.c), neighbours (rtnl_neigh.c): the same.
int rtnl_new_link(struct rtnl_out *o, const struct request *q);
int rtnl_set_link(struct rtnl_out *o, const struct request *q, const struct net_link *l);
int rtnl_del_link(struct rtnl_out *o, const struct request *q);
// Which number a namespace has in IFLA_LINK_NETNSID.
#define RTM_NEWNSID 88
#define RTM_GETNSID 90
#define NETNSA_NSID 1
#define NETNSA_PID  2
#define NETNSA_FD   3
int rtnl_get_nsid(struct rtnl_out *o, const struct request *q);
int rtnl_change_neigh(struct rtnl_out *o, const struct request *q);
bool rtnl_dump_neighs(struct rtnl_dump *d, struct nl_buf *b);

// Messages about one object, `type` LINUX_RTM_NEW* or DEL*. False: there was no room.
bool rtnl_put_link(struct nl_buf *b, uint16_t type, const struct net_link *l, uint16_t flags, uint32_t seq,
                   uint32_t portid);
bool rtnl_put_addr(struct nl_buf *b, const struct net_source *net, uint16_t type, const struct net_addr *a,
                   uint16_t flags, uint32_t seq, uint32_t portid);
bool rtnl_put_route(struct nl_buf *b, uint16_t type, const struct net_route *r, uint16_t flags,
                    uint32_t route_flags, uint32_t seq, uint32_t portid);

// genl.c
int genl_serve(struct rtnl_out *o, const struct request *q);
bool genl_dump(struct rtnl_dump *d, struct nl_buf *b);

// sock_diag.c: a request; 1: a dump has begun. What fits of it; true: that was all.
int diag_serve(struct rtnl_out *o, const struct request *q);
bool diag_dump(struct rtnl_dump *d, struct nl_buf *b);
// unix_diag.c: the same of unix sockets
int unix_diag_serve(struct rtnl_out *o, const struct request *q);
bool unix_diag_dump(struct rtnl_dump *d, struct nl_buf *b);

#endif
