// SPDX-License-Identifier: Apache-2.0
// See stack_links.h. An address' position is its link's index and its place among the addresses there.
// Locks: the stack's, call by call; the hub's where an interface is looked up and then used (no device ends
// or moves meanwhile, and what is no device stays).
#include "sentry/net/stack_links.h"
#include "abi/errno.h"
#include "abi/socket.h"
#include "base/list.h"
#include "netstack/netstack.h"
#include "sentry/socket/net_ns.h"
#include <string.h>

static struct netstack *stack_of(const struct net_source *s) {
    return container_of(s, struct stack_links, source)->stack;
}

// The one with the lowest index from there on.
static bool next_netif(struct netstack *ns, uint32_t from, struct ns_netif_info *out) {
    struct ns_netif_info info;
    bool found = false;
    for (unsigned i = 0; netstack_netif_info(ns, i, &info) == 0; i++)
        if (info.index >= from && (!found || info.index < out->index)) {
            *out = info;
            found = true;
        }
    return found;
}

static uint32_t flags_of(const struct ns_netif_info *i) {
    bool lo = i->flags & NETIF_LOOPBACK;
    uint32_t flags = lo ? LINUX_IFF_LOOPBACK : LINUX_IFF_BROADCAST | LINUX_IFF_MULTICAST;
    return i->up ? flags | LINUX_IFF_UP | LINUX_IFF_RUNNING | LINUX_IFF_LOWER_UP : flags;
}

static void link_of(const struct ns_netif_info *i, struct net_link *out) {
    bool lo = i->flags & NETIF_LOOPBACK;
    *out = (struct net_link){
        .index = (int32_t)i->index,
        .type = lo ? LINUX_ARPHRD_LOOPBACK : LINUX_ARPHRD_ETHER,
        .flags = flags_of(i),
        .mtu = i->mtu,
        .txqlen = 1000,
        .operstate = lo ? LINUX_IF_OPER_UNKNOWN : LINUX_IF_OPER_UP,
        .hw_len = 6,
        .qdisc = "noqueue",
        .stats = {i->in_packets, i->out_packets, i->in_bytes, i->out_bytes, 0, 0, i->in_dropped,
                  i->out_dropped, 0},
    };
    if (!i->up)
        out->operstate = LINUX_IF_OPER_DOWN;
    memcpy(out->name, i->name, sizeof out->name);
    memcpy(out->hw, i->mac, sizeof i->mac);
    if (!lo)
        memset(out->hw_broadcast, 0xff, 6);
}

static struct net_ns *net_of(const struct net_source *s) {
    return container_of(s, struct net_ns, inet.links.source);
}

static bool stack_link(const struct net_source *s, uint32_t *at, struct net_link *out) {
    struct ns_netif_info info;
    if (!next_netif(stack_of(s), *at, &info))
        return false;
    link_of(&info, out);
    netdev_describe(net_of(s), out);
    if (info.up && out->no_carrier) {
        out->flags &= ~(uint32_t)(LINUX_IFF_RUNNING | LINUX_IFF_LOWER_UP);
        out->operstate = LINUX_IF_OPER_LOWERLAYERDOWN;
    }
    *at = info.index + 1;
    return true;
}

// ---- Addresses --------------------------------------------------------------------------------------------
static uint8_t scope_of(const struct ns_ip *ip) {
    bool four = ns_ip_is4(ip);
    static const uint8_t one[16] = {[15] = 1};
    if (four ? ip->b[12] == 127 : !memcmp(ip->b, one, sizeof one))
        return LINUX_RT_SCOPE_HOST;
    bool local = four ? ip->b[12] == 169 && ip->b[13] == 254 : ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
    return local ? LINUX_RT_SCOPE_LINK : LINUX_RT_SCOPE_UNIVERSE;
}

static void addr_of(const struct ns_netif_info *i, unsigned k, struct net_addr *out) {
    const struct ns_ip *ip = &i->addrs[k].ip;
    bool four = ns_ip_is4(ip);
    *out = (struct net_addr){.link = (int32_t)i->index,
                             .family = four ? LINUX_AF_INET : LINUX_AF_INET6,
                             .prefix_len = (uint8_t)i->addrs[k].prefix,
                             .scope = scope_of(ip)};
    memcpy(out->bytes, ip->b + (four ? 12 : 0), four ? 4 : 16);
}

static bool stack_addr(const struct net_source *s, uint32_t *at, struct net_addr *out) {
    struct ns_netif_info info;
    uint32_t index = *at / NS_NETIF_ADDRESSES, k = *at % NS_NETIF_ADDRESSES;
    while (next_netif(stack_of(s), index, &info)) {
        if (info.index != index)
            k = 0;
        while (k < info.naddrs && !info.up && !ns_ip_is4(&info.addrs[k].ip))
            k++;  // they went with the link
        if (k < info.naddrs) {
            addr_of(&info, k, out);
            *at = info.index * NS_NETIF_ADDRESSES + k + 1;
            return true;
        }
        index = info.index + 1;
        k = 0;
    }
    return false;
}

// ---- Routes -----------------------------------------------------------------------------------------------
// What comes with an address, as Linux makes it: the address itself, its network and its broadcast address.
// Where there is no such route of it, dst_len is NO_ROUTE.
enum from_addr { OF_HOST, OF_NETWORK, OF_BROADCAST, OF_COUNT };
#define NO_ROUTE 255

static void network_of(struct net_route *r) {
    for (unsigned bit = r->dst_len; bit < 8 * sizeof r->dst; bit++)
        r->dst[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

static void broadcast_of(struct net_route *r, unsigned prefix) {
    for (unsigned bit = prefix; bit < 32; bit++)
        r->dst[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

// lo: the address is one of the loopback.
static void route_of(const struct net_addr *a, enum from_addr what, bool lo, struct net_route *r) {
    bool four = a->family == LINUX_AF_INET;
    unsigned whole = four ? 32 : 128;
    *r = (struct net_route){.link = a->link, .family = a->family, .dst_len = (uint8_t)whole, .has_src = four};
    memcpy(r->dst, a->bytes, sizeof r->dst);
    memcpy(r->src, a->bytes, sizeof r->src);
    r->type = LINUX_RTN_LOCAL;
    r->table = LINUX_RT_TABLE_LOCAL;
    r->scope = four ? LINUX_RT_SCOPE_HOST : LINUX_RT_SCOPE_UNIVERSE;
    if (what == OF_NETWORK) {
        r->dst_len = a->prefix_len;
        network_of(r);
        if (!lo || !four) {  // a network of the host's own is local as a whole
            r->type = LINUX_RTN_UNICAST;
            r->table = LINUX_RT_TABLE_MAIN;
            r->scope = four ? LINUX_RT_SCOPE_LINK : LINUX_RT_SCOPE_UNIVERSE;
            r->metric = four ? 0 : 256;
        }
        if (a->prefix_len == whole)
            r->dst_len = NO_ROUTE;
    }
    if (what == OF_BROADCAST) {
        broadcast_of(r, a->prefix_len);
        r->type = LINUX_RTN_BROADCAST;
        r->scope = LINUX_RT_SCOPE_LINK;
        if (!four || a->prefix_len > 30)
            r->dst_len = NO_ROUTE;
    }
}

static bool addr_route(const struct net_source *s, uint32_t *at, struct net_route *out) {
    struct net_addr a;
    struct net_link l;
    uint32_t addr = *at / OF_COUNT, what = *at % OF_COUNT, next = addr;
    while (stack_addr(s, &next, &a)) {
        if (next - 1 != addr)
            what = 0;
        addr = next - 1;
        bool known = net_link_by_index(s, a.link, &l);
        bool up = known && l.flags & LINUX_IFF_UP, lo = known && l.flags & LINUX_IFF_LOOPBACK;
        for (; what < (up ? OF_COUNT : OF_BROADCAST); what++) {
            route_of(&a, (enum from_addr)what, lo, out);
            *at = addr * OF_COUNT + what + 1;
            if (out->dst_len != NO_ROUTE)
                return true;
        }
        addr = next;
        what = 0;
    }
    return false;
}

// One that somebody has added: of the stack's own, those that no address has brought.
// A place in the list of routes: default routes of IPv4, as Linux has them first; those of addresses; the
// others.
#define STAGE_SHIFT 30
static bool by_address(const struct net_source *s, const struct ns_route *r, uint32_t index) {
    struct ns_netif_info info;
    static const struct ns_ip none;
    bool four = ns_ip_is4(&r->dst),
         direct = !memcmp(&r->gateway, &none, sizeof none) || (four && !memcmp(r->gateway.b + 12, none.b, 4));
    struct net_route asked = {.family = four ? LINUX_AF_INET : LINUX_AF_INET6, .dst_len = (uint8_t)r->prefix};
    memcpy(asked.dst, r->dst.b + (four ? 12 : 0), four ? 4 : 16);
    network_of(&asked);  // the stack keeps the address that the route came with
    if (!direct || !next_netif(stack_of(s), index, &info) || info.index != index)
        return false;
    for (unsigned k = 0; k < info.naddrs; k++) {
        struct net_addr a;
        struct net_route n;
        addr_of(&info, k, &a);
        route_of(&a, OF_NETWORK, info.flags & NETIF_LOOPBACK, &n);
        if (n.dst_len == asked.dst_len && n.family == asked.family && !memcmp(n.dst, asked.dst, sizeof n.dst))
            return true;
    }
    return false;
}

static uint32_t index_of(struct netstack *ns, const struct netif *nif) {
    struct ns_netif_info info;
    for (unsigned i = 0; netstack_netif_info(ns, i, &info) == 0; i++)
        if (info.nif == nif)
            return info.index;
    return 0;
}

// The default routes of IPv4, or all others.
static bool own_route(const struct net_source *s, uint32_t *at, bool defaults, struct net_route *out) {
    struct netstack *ns = stack_of(s);
    struct ns_route r;
    for (uint32_t i = *at; netstack_route_at(ns, i, &r) == 0; i++) {
        if ((ns_ip_is4(&r.dst) && r.prefix == 0) != defaults)
            continue;
        uint32_t index = index_of(ns, r.nif);
        bool four = ns_ip_is4(&r.dst);
        size_t skip = four ? 12 : 0, n = four ? 4 : 16;
        static const uint8_t none[16];
        if (!index || by_address(s, &r, index))
            continue;
        *out = (struct net_route){.link = (int32_t)index,
                                  .family = four ? LINUX_AF_INET : LINUX_AF_INET6,
                                  .dst_len = (uint8_t)r.prefix,
                                  .type = LINUX_RTN_UNICAST,
                                  .table = LINUX_RT_TABLE_MAIN,
                                  .metric = r.metric,
                                  .by_user = true};
        memcpy(out->dst, r.dst.b + skip, n);
        memcpy(out->gateway, r.gateway.b + skip, n);
        out->has_gateway = memcmp(out->gateway, none, n) != 0;
        if (four && !out->has_gateway)
            out->scope = LINUX_RT_SCOPE_LINK;
        *at = i + 1;
        return true;
    }
    return false;
}

static bool stack_route(const struct net_source *s, uint32_t *at, struct net_route *out) {
    for (unsigned stage = *at >> STAGE_SHIFT; stage < 3; stage++) {
        uint32_t place = *at >> STAGE_SHIFT == stage ? *at & ((1u << STAGE_SHIFT) - 1) : 0;
        bool found = stage == 1 ? addr_route(s, &place, out) : own_route(s, &place, stage == 0, out);
        *at = stage << STAGE_SHIFT | place;
        if (found)
            return true;
    }
    return false;
}

// ---- Changes ----------------------------------------------------------------------------------------------
// It is there for as long as the hub's lock is held.
static struct netif *by_index(struct netstack *ns, int32_t index) {
    struct ns_netif_info info;
    return index > 0 && next_netif(ns, (uint32_t)index, &info) && info.index == (uint32_t)index ? info.nif
                                                                                                : NULL;
}

static int stack_set_up(const struct net_source *s, int32_t link, bool up) {
    if (netdev_set_up(net_of(s), link, up) == 0)
        return 0;
    NETDEV_LOCKED(net_of(s)->hub);
    struct netif *nif = by_index(stack_of(s), link);
    if (!nif)
        return -LINUX_ENODEV;
    netif_set_up(nif, up);
    return 0;
}

// A link from outside, or the loopback.
static int change_other(const struct net_source *s, int32_t link, const struct net_link_change *c) {
    NETDEV_LOCKED(net_of(s)->hub);
    struct netstack *ns = stack_of(s);
    struct ns_netif_info info;
    if (!next_netif(ns, (uint32_t)link, &info) || info.index != (uint32_t)link)
        return -LINUX_ENODEV;
    if (c->what & NET_CHANGE_NETNS && info.flags & NETIF_LOOPBACK)
        return -LINUX_EINVAL;
    if (c->what & (NET_CHANGE_NETNS | NET_CHANGE_MASTER | NET_CHANGE_HW))
        return -LINUX_EOPNOTSUPP;
    if (c->what & NET_CHANGE_MTU && !(info.flags & NETIF_LOOPBACK) && c->mtu > info.mtu)
        return -LINUX_EINVAL;
    int err = c->what & NET_CHANGE_MTU ? netif_set_mtu(info.nif, c->mtu) : 0;
    if (err == 0 && c->what & NET_CHANGE_NAME)
        err = strchr(c->name, '%') ? -LINUX_EOPNOTSUPP : netif_set_name(info.nif, c->name);
    if (err == 0 && c->what & NET_CHANGE_UP)
        netif_set_up(info.nif, c->up);
    return err;
}

static int stack_change_link(const struct net_source *s, int32_t link, const struct net_link_change *c,
                             struct net_news *news) {
    int err = netdev_change(net_of(s), link, c, news);
    return err == -LINUX_ENODEV ? change_other(s, link, c) : err;
}

static int stack_new_link(const struct net_source *s, const struct net_new_link *w, struct net_news *news) {
    return netdev_new(net_of(s), w, news);
}

static int stack_del_link(const struct net_source *s, int32_t link, struct net_news *news) {
    int err = netdev_delete(net_of(s), link, news);
    return err == -LINUX_ENODEV && by_index(stack_of(s), link) ? -LINUX_EOPNOTSUPP : err;
}

static struct ns_ip ip_of(const struct net_addr *a) {
    struct ns_ip ip;
    if (a->family == LINUX_AF_INET)
        return ns_ip4(a->bytes[0], a->bytes[1], a->bytes[2], a->bytes[3]);
    memcpy(ip.b, a->bytes, sizeof ip.b);
    return ip;
}

static int stack_add_addr(const struct net_source *s, const struct net_addr *a) {
    NETDEV_LOCKED(net_of(s)->hub);
    struct netif *nif = by_index(stack_of(s), a->link);
    struct ns_ip ip = ip_of(a);
    return nif ? netif_add_address(nif, &ip, a->prefix_len) : -LINUX_ENODEV;
}

static int stack_del_addr(const struct net_source *s, const struct net_addr *a) {
    NETDEV_LOCKED(net_of(s)->hub);
    struct netif *nif = by_index(stack_of(s), a->link);
    struct ns_ip ip = ip_of(a);
    if (!nif)
        return -LINUX_ENODEV;
    return netif_del_address(nif, &ip) < 0 ? -LINUX_EADDRNOTAVAIL : 0;
}

// The link that the gateway is on; NULL: none.
static struct netif *link_of_gateway(struct netstack *ns, const struct net_route *r) {
    struct ns_netif_info info;
    for (unsigned i = 0; netstack_netif_info(ns, i, &info) == 0; i++)
        for (unsigned k = 0; k < info.naddrs; k++) {
            struct net_addr a;
            struct net_route n,
                to = {.dst_len = info.addrs[k].prefix > 128 ? 128 : (uint8_t)info.addrs[k].prefix};
            addr_of(&info, k, &a);
            route_of(&a, OF_NETWORK, info.flags & NETIF_LOOPBACK, &n);
            memcpy(to.dst, r->gateway, sizeof to.dst);
            network_of(&to);
            if (a.family == r->family && n.dst_len != NO_ROUTE && !memcmp(to.dst, n.dst, sizeof to.dst))
                return info.nif;
        }
    return NULL;
}

static int route_for_stack(const struct net_source *s, const struct net_route *r, struct ns_route *out) {
    bool four = r->family == LINUX_AF_INET;
    size_t skip = four ? 12 : 0, n = four ? 4 : 16;
    *out = (struct ns_route){.prefix = r->dst_len, .metric = r->metric};
    if (four)
        out->dst = out->gateway = ns_ip4(0, 0, 0, 0);
    memcpy(out->dst.b + skip, r->dst, n);
    memcpy(out->gateway.b + skip, r->gateway, n);
    out->nif = r->link || !r->has_gateway ? by_index(stack_of(s), r->link) : link_of_gateway(stack_of(s), r);
    if (out->nif)
        return 0;
    return r->link || !r->has_gateway ? -LINUX_ENODEV : -LINUX_ENETUNREACH;
}

// ---- Neighbours -------------------------------------------------------------------------------------------
static bool stack_neigh(const struct net_source *s, uint32_t *at, struct net_neigh *out) {
    static const uint16_t states[] = {
        [NS_NEIGH_INCOMPLETE] = LINUX_NUD_INCOMPLETE, [NS_NEIGH_REACHABLE] = LINUX_NUD_REACHABLE,
        [NS_NEIGH_STALE] = LINUX_NUD_STALE,           [NS_NEIGH_DELAY] = LINUX_NUD_DELAY,
        [NS_NEIGH_PROBE] = LINUX_NUD_PROBE,           [NS_NEIGH_PERMANENT] = LINUX_NUD_PERMANENT,
    };
    struct ns_neigh n;
    if (netstack_neigh_at(stack_of(s), *at, &n) < 0)
        return false;
    bool four = ns_ip_is4(&n.ip);
    *out = (struct net_neigh){.link = (int32_t)n.index,
                              .family = four ? LINUX_AF_INET : LINUX_AF_INET6,
                              .state = states[n.state],
                              .has_hw = n.state != NS_NEIGH_INCOMPLETE};
    memcpy(out->bytes, n.ip.b + (four ? 12 : 0), four ? 4 : 16);
    memcpy(out->hw, n.mac, sizeof out->hw);
    *at += 1;
    return true;
}

static struct ns_ip ip_of_neigh(const struct net_neigh *n) {
    struct net_addr a = {.family = n->family};
    memcpy(a.bytes, n->bytes, sizeof a.bytes);
    return ip_of(&a);
}

static int stack_set_neigh(const struct net_source *s, const struct net_neigh *n) {
    NETDEV_LOCKED(net_of(s)->hub);
    struct netif *nif = by_index(stack_of(s), n->link);
    struct ns_ip ip = ip_of_neigh(n);
    enum ns_neigh_state state = NS_NEIGH_STALE;
    if (n->state & (LINUX_NUD_PERMANENT | LINUX_NUD_NOARP))
        state = NS_NEIGH_PERMANENT;
    else if (n->state & LINUX_NUD_REACHABLE)
        state = NS_NEIGH_REACHABLE;
    else if (!(n->state & (LINUX_NUD_STALE | LINUX_NUD_DELAY | LINUX_NUD_PROBE)))
        return -LINUX_EOPNOTSUPP;
    return nif ? netif_set_neigh(nif, &ip, n->hw, state) : -LINUX_ENODEV;
}

static int stack_del_neigh(const struct net_source *s, const struct net_neigh *n) {
    NETDEV_LOCKED(net_of(s)->hub);
    struct netif *nif = by_index(stack_of(s), n->link);
    struct ns_ip ip = ip_of_neigh(n);
    return nif ? netif_del_neigh(nif, &ip) : -LINUX_ENODEV;
}

static int stack_add_route(const struct net_source *s, const struct net_route *r) {
    NETDEV_LOCKED(net_of(s)->hub);
    struct ns_route route;
    int err = route_for_stack(s, r, &route);
    return err < 0 ? err : netstack_add_route(stack_of(s), &route);
}

static int stack_del_route(const struct net_source *s, const struct net_route *r) {
    NETDEV_LOCKED(net_of(s)->hub);
    struct ns_route route;
    int err = route_for_stack(s, r, &route);
    return err < 0 || netstack_del_route(stack_of(s), &route) < 0 ? -LINUX_ESRCH : 0;
}

static void stack_sockets(const struct net_source *s, void (*visit)(void *arg, const struct ns_sock_info *s),
                          void *arg) {
    netstack_each_socket(stack_of(s), visit, arg);
}

static const struct net_source_ops stack_ops = {
    .unix_sockets = net_of,
    .sockets = stack_sockets,
    .link = stack_link,
    .addr = stack_addr,
    .route = stack_route,
    .set_up = stack_set_up,
    .neigh = stack_neigh,
    .set_neigh = stack_set_neigh,
    .del_neigh = stack_del_neigh,
    .new_link = stack_new_link,
    .change_link = stack_change_link,
    .del_link = stack_del_link,
    .add_addr = stack_add_addr,
    .del_addr = stack_del_addr,
    .add_route = stack_add_route,
    .del_route = stack_del_route,
};
void stack_links_init(struct stack_links *l, struct netstack *stack) {
    *l = (struct stack_links){{&stack_ops}, stack};
}
