// SPDX-License-Identifier: Apache-2.0
// The addresses of interfaces: whose an address is, what comes and goes with one (route, groups, duplicate
// detection), and for how long (RFC 4862 5.5.4). Given by the user, or by neigh/slaac.c. Lock: the stack's.
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/ip/route.h"
#include "netstack/link/netif.h"
#include "netstack/neigh/neigh.h"

struct ifaddr *netif_find_address(struct netif *nif, const struct ns_ip *ip) {
    for (unsigned i = 0; i < nif->naddrs; i++)
        if (ip_eq(&nif->addrs[i].ip, ip))
            return &nif->addrs[i];
    return NULL;
}

struct netif *netif_by_index(struct netstack *ns, uint32_t index) {
    struct netif *nif;
    list_for_each(nif, &ns->netifs, link) {
        if (nif->index == index)
            return nif;
    }
    return NULL;
}

uint32_t netif_scope(const struct netif *nif, const struct ns_ip *ip) {
    return nif && !ns_ip_is4(ip) && ip_is_linklocal(ip) ? nif->index : 0;
}

struct netif *netif_of_address(struct netstack *ns, const struct ns_ip *ip) {
    struct netif *nif;
    list_for_each(nif, &ns->netifs, link) {
        struct ifaddr *a = nif->down && !ns_ip_is4(ip) ? NULL : netif_find_address(nif, ip);
        if (a && a->state == IFADDR_VALID)
            return nif;
    }
    return NULL;
}

bool netif_is_local(struct netstack *ns, const struct ns_ip *ip) {
    // All of 127/8 is this host (RFC 1122 3.2.1.3 g).
    return (ns_ip_is4(ip) && ip_is_loopback(ip)) || netif_of_address(ns, ip);
}

bool netif_is_broadcast(const struct netif *nif, const struct ns_ip *ip) {
    if (!ns_ip_is4(ip) || netif_is_loopback(nif))
        return false;
    if (ip_is_limited_broadcast(ip))
        return true;
    for (unsigned i = 0; i < nif->naddrs; i++) {
        const struct ifaddr *a = &nif->addrs[i];
        if (!ns_ip_is4(&a->ip) || a->prefix > 30)  // RFC 3021: a /31 has no broadcast address
            continue;
        uint32_t host = UINT32_MAX >> a->prefix;
        if (ip_num4(ip) == (ip_num4(&a->ip) | host))
            return true;
    }
    return false;
}

int netstack_dad(struct netstack *ns, uint32_t netif) {
    IN_STACK(ns);
    const struct netif *nif = netif_by_index(ns, netif);
    return nif ? !(nif->config.flags & NETIF_NO_DAD) : -LINUX_ENODEV;
}

int netstack_set_dad(struct netstack *ns, uint32_t netif, bool on) {
    IN_STACK(ns);
    struct netif *nif = netif_by_index(ns, netif);
    if (!nif)
        return -LINUX_ENODEV;
    nif->config.flags = on ? nif->config.flags & ~NETIF_NO_DAD : nif->config.flags | NETIF_NO_DAD;
    return 0;
}

int netif_assign(struct netif *nif, const struct ns_ip *ip, unsigned prefix, const struct lifetime *life) {
    bool four = ns_ip_is4(ip);
    if (prefix > (four ? 32 : 128) || ip_is_any(ip) || ip_is_multicast(ip) || ip_is_limited_broadcast(ip))
        return -LINUX_EINVAL;
    if (netif_find_address(nif, ip))
        return -LINUX_EEXIST;
    if (nif->naddrs == NETIF_ADDRESSES)
        return -LINUX_ENOBUFS;
    // RFC 5942 4: an address by a router says nothing of what is on the link.
    struct ns_route on_link = {*ip, prefix, {{0}}, nif, 0};
    bool routed = !netif_is_loopback(nif) && (!life || ip_is_linklocal(ip));
    int err = routed ? route_add(nif->ns, &on_link) : 0;
    if (err && err != -LINUX_EEXIST)
        return err;
    bool probed = !four && nif->config.kind == NETIF_ETHER && !(nif->config.flags & NETIF_NO_DAD);
    struct ifaddr *a = &nif->addrs[nif->naddrs++];
    *a = (struct ifaddr){.nif = nif, .ip = *ip, .prefix = prefix, .automatic = life != NULL};
    a->life = life ? *life : (struct lifetime){NETSTACK_NEVER, NETSTACK_NEVER};
    a->state = probed ? IFADDR_TENTATIVE : IFADDR_VALID;
    timer_init(&a->dad, ndp_dad_timer);
    struct ns_ip asked = ip_solicited(ip);
    if (!four && !netif_is_loopback(nif))
        group_join(nif, &asked);  // before it is asked about (RFC 4862 5.4.2)
    if (probed)
        ndp_start_dad(a);
    else if (four && nif->config.kind == NETIF_ETHER)
        arp_announce(nif, ip);
    return 0;
}

int netif_add_address(struct netif *nif, const struct ns_ip *ip, unsigned prefix) {
    IN_STACK(nif->ns);
    return netif_assign(nif, ip, prefix, NULL);
}

// Whether an address other than a is on a's network: the route to it is for both.
static bool shares_network(const struct netif *nif, const struct ifaddr *a) {
    for (unsigned i = 0; i < nif->naddrs; i++) {
        const struct ifaddr *b = &nif->addrs[i];
        if (b != a && (!b->automatic || ip_is_linklocal(&b->ip)) && b->prefix == a->prefix &&
            ip_in_prefix(&b->ip, &a->ip, a->prefix))
            return true;
    }
    return false;
}

void netif_unassign(struct ifaddr *a) {
    struct netif *nif = a->nif;
    struct ns_route on_link = {a->ip, a->prefix, {{0}}, nif, 0};
    if ((!a->automatic || ip_is_linklocal(&a->ip)) && !shares_network(nif, a))
        route_del(nif->ns, &on_link);
    stack_cancel(nif->ns, &a->dad);
    struct ns_ip asked = ip_solicited(&a->ip);
    if (!ns_ip_is4(&a->ip) && !netif_is_loopback(nif))
        group_leave(nif, &asked);
    // The last takes its place; its timer is linked by address, so it moves by being armed again.
    struct ifaddr *last = &nif->addrs[--nif->naddrs];
    if (a != last) {
        bool armed = timer_armed(&last->dad);
        uint64_t when = timer_when(&last->dad);
        stack_cancel(nif->ns, &last->dad);
        *a = *last;
        timer_init(&a->dad, ndp_dad_timer);
        if (armed)
            stack_arm(nif->ns, &a->dad, when);
    }
}

int netif_del_address(struct netif *nif, const struct ns_ip *ip) {
    IN_STACK(nif->ns);
    struct ifaddr *a = netif_find_address(nif, ip);
    if (a)
        netif_unassign(a);
    return a ? 0 : -LINUX_EADDRNOTAVAIL;
}

int netif_own_loopback(struct netif *lo) {
    struct ns_ip four = ns_ip4(127, 0, 0, 1), six = {.b[15] = 1};
    int err = netif_assign(lo, &four, 8, NULL);
    if (err == 0 || err == -LINUX_EEXIST)
        err = netif_assign(lo, &six, 128, NULL);
    return err == -LINUX_EEXIST ? 0 : err;
}

void netif_set_up(struct netif *nif, bool up) {
    IN_STACK(nif->ns);
    bool was = !nif->down;
    nif->down = !up;
    if (was && !up)
        neigh_flush(nif->ns, nif);
    if (!was && up && netif_is_loopback(nif))
        netif_own_loopback(nif);  // as far as there is room for them
}

bool netif_deprecated(const struct ifaddr *a) { return a->life.preferred <= a->nif->ns->now; }

// Whole seconds from now on.
static uint32_t left(const struct netif *nif, uint64_t until) {
    uint64_t now = nif->ns->now;
    if (until == NETSTACK_NEVER)
        return UINT32_MAX;
    return until <= now ? 0 : (uint32_t)((until - now) / NS_SEC);
}

static void describe(const struct netif *nif, struct ns_netif_info *info) {
    *info = (struct ns_netif_info){.index = nif->index,
                                   .kind = nif->config.kind,
                                   .mtu = nif->config.mtu,
                                   .flags = nif->config.flags,
                                   .up = !nif->down,
                                   .in_packets = nif->in_packets,
                                   .in_bytes = nif->in_bytes,
                                   .in_dropped = nif->in_dropped,
                                   .out_packets = nif->out_packets,
                                   .out_bytes = nif->out_bytes,
                                   .out_dropped = nif->out_dropped,
                                   .naddrs = nif->naddrs};
    memcpy(info->name, nif->name, sizeof info->name);
    memcpy(info->mac, nif->config.mac, 6);
    for (unsigned i = 0; i < nif->naddrs; i++) {
        const struct ifaddr *a = &nif->addrs[i];
        info->addrs[i].ip = a->ip;
        info->addrs[i].prefix = a->prefix;
        info->addrs[i].tentative = a->state == IFADDR_TENTATIVE;
        info->addrs[i].duplicate = a->state == IFADDR_DUPLICATE;
        info->addrs[i].automatic = a->automatic;
        info->addrs[i].preferred = left(nif, a->life.preferred);
        info->addrs[i].valid = left(nif, a->life.valid);
    }
}

int netstack_netif_info(struct netstack *ns, unsigned i, struct ns_netif_info *info) {
    IN_STACK(ns);
    struct netif *nif;
    list_for_each(nif, &ns->netifs, link) {
        if (i-- > 0)
            continue;
        describe(nif, info);
        info->nif = nif;
        return 0;
    }
    return -LINUX_ENODEV;
}
