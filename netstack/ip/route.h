// SPDX-License-Identifier: Apache-2.0
// Where a packet goes and from which address: routes by longest prefix, source selection, and what paths
// carry. Lock: the stack's.
#ifndef NETSTACK_IP_ROUTE_H
#define NETSTACK_IP_ROUTE_H
#include "netstack/core/stack.h"

struct route {
    struct list link;  // ns->routes: the longest prefix first, then the lowest metric
    struct ns_route r;
    unsigned bits;   // prefix of the 128
    uint64_t until;  // ns: of one that a router gave; NETSTACK_NEVER: the user's, or without end
    bool automatic;  // by a router
};
// The answer to "how do I get there".
struct path {
    struct netif *nif;
    struct ns_ip next;  // the neighbour
    struct ns_ip src;   // to send from, unless the caller has one
    uint32_t mtu;
};

int route_add(struct netstack *ns, const struct ns_route *route);
int route_del(struct netstack *ns, const struct ns_route *route);
// Of routers: a route until then, new or renewed, when the interface has no more than `most` of them; one
// that ends now; those whose time is over; when the first is. What the user has made is left alone.
void route_renew(struct netstack *ns, const struct ns_route *route, uint64_t until, unsigned most);
void route_end(struct netstack *ns, const struct ns_route *route);
void route_expire(struct netstack *ns, const struct netif *nif);
uint64_t route_expiry(struct netstack *ns, const struct netif *nif);
void route_flush(struct netstack *ns, struct netif *nif);
// 0, or -ENETUNREACH, or -EADDRNOTAVAIL when no address of ours may speak to dst, or src is of the other
// family. `src`: the address the caller is bound to, or NULL.
int path_find(struct netstack *ns, const struct ns_ip *dst, const struct ns_ip *src, struct path *path);
// The same through one interface; NULL: through any.
int path_find_on(struct netstack *ns, struct netif *nif, const struct ns_ip *dst, const struct ns_ip *src,
                 struct path *path);
// The same for a packet of somebody else's: without an address of ours, and as much as the link carries.
int path_forward(struct netstack *ns, const struct ns_ip *dst, struct path *path);
// The path to dst was found to carry only mtu. Whether that is news.
bool pmtu_learn(struct netstack *ns, const struct ns_ip *dst, uint32_t mtu);

#endif
