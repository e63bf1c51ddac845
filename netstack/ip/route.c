// SPDX-License-Identifier: Apache-2.0
// See route.h. Asked by everything that sends (ip/ip_out.c, TCP for its MSS). Lock: the stack's.
// LIMIT: a connection's packets go where its own address is: a link-local one may not be on two interfaces.
// Without a scope the interface whose route matches first is used.
// LIMIT: source selection knows no home and no temporary addresses (RFC 6724 5 rules 4 and 7); the policy
// table is the RFC's own.
#include "netstack/ip/route.h"
#include "abi/errno.h"
#include "base/fault.h"
#include "netstack/core/addr.h"
#include "netstack/link/netif.h"
#include "netstack/prot/ip.h"

#define PMTU_LIFE (600 * NS_SEC)  // RFC 1191 6.3: ten minutes

static unsigned bits_of(const struct ns_route *r) { return r->prefix + (ns_ip_is4(&r->dst) ? 96 : 0); }

static bool same_route(const struct route *a, const struct ns_route *b) {
    return a->bits == bits_of(b) && ip_common_bits(&a->r.dst, &b->dst) >= a->bits && a->r.nif == b->nif &&
           a->r.metric == b->metric && ip_eq(&a->r.gateway, &b->gateway);
}

static struct route *find_route(struct netstack *ns, const struct ns_route *r) {
    struct route *it;
    list_for_each(it, &ns->routes, link) {
        if (same_route(it, r))
            return it;
    }
    return NULL;
}

int route_add(struct netstack *ns, const struct ns_route *r) {
    if (!r->nif || bits_of(r) > 128)
        return -LINUX_EINVAL;
    if (!ip_is_any(&r->gateway) && ns_ip_is4(&r->gateway) != ns_ip_is4(&r->dst))
        return -LINUX_EINVAL;
    struct route *new = find_route(ns, r), *it;
    if (new && new->automatic) {  // the user's from now on
        new->automatic = false;
        new->until = NETSTACK_NEVER;
        return 0;
    }
    if (new)
        return -LINUX_EEXIST;
    if (ns->nroutes == STACK_ROUTES)
        return -LINUX_ENOBUFS;
    if (!(new = znew(struct route)))
        return -LINUX_ENOMEM;
    new->r = *r;
    new->until = NETSTACK_NEVER;
    new->bits = bits_of(r);
    list_for_each(it, &ns->routes, link) {
        if (it->bits < new->bits || (it->bits == new->bits && it->r.metric > r->metric))
            break;
    }
    list_add_tail(&it->link, &new->link);
    ns->nroutes++;
    return 0;
}

static void free_route(struct netstack *ns, struct route *r) {
    list_del(&r->link);
    ns->nroutes--;
    free(r);
}

int route_del(struct netstack *ns, const struct ns_route *r) {
    struct route *it = find_route(ns, r);
    if (!it)
        return -LINUX_ESRCH;
    free_route(ns, it);
    return 0;
}

void route_renew(struct netstack *ns, const struct ns_route *r, uint64_t until, unsigned most) {
    struct route *it;
    unsigned n = 0;
    list_for_each(it, &ns->routes, link) {
        n += it->automatic && it->r.nif == r->nif;
    }
    if (!(it = find_route(ns, r)) && n < most && route_add(ns, r) == 0) {
        it = find_route(ns, r);
        it->automatic = true;
    }
    if (it && it->automatic)
        it->until = until;
}

void route_end(struct netstack *ns, const struct ns_route *r) {
    struct route *it = find_route(ns, r);
    if (it && it->automatic)
        free_route(ns, it);
}

void route_expire(struct netstack *ns, const struct netif *nif) {
    struct route *it, *next;
    list_for_each_safe(it, next, &ns->routes, link) {
        if (it->r.nif == nif && it->until <= ns->now)
            free_route(ns, it);
    }
}

uint64_t route_expiry(struct netstack *ns, const struct netif *nif) {
    uint64_t first = NETSTACK_NEVER;
    struct route *it;
    list_for_each(it, &ns->routes, link) {
        if (it->r.nif == nif && it->until < first)
            first = it->until;
    }
    return first;
}

void route_flush(struct netstack *ns, struct netif *nif) {
    struct route *it, *next;
    list_for_each_safe(it, next, &ns->routes, link) {
        if (it->r.nif == nif)
            free_route(ns, it);
    }
}

int netstack_add_route(struct netstack *ns, const struct ns_route *route) {
    IN_STACK(ns);
    return route_add(ns, route);
}
int netstack_del_route(struct netstack *ns, const struct ns_route *route) {
    IN_STACK(ns);
    return route_del(ns, route);
}

int netstack_route_at(struct netstack *ns, unsigned i, struct ns_route *route) {
    IN_STACK(ns);
    struct route *it;
    list_for_each(it, &ns->routes, link) {
        if (i-- > 0)
            continue;
        *route = it->r;
        return 0;
    }
    return -LINUX_ENODEV;
}

// ---- Path MTU ---------------------------------------------------------------------------------------------
static struct pmtu *pmtu_find(struct netstack *ns, const struct ns_ip *dst) {
    for (unsigned i = 0; i < ns->npmtu; i++)
        if (ip_eq(&ns->pmtu[i].dst, dst))
            return &ns->pmtu[i];
    return NULL;
}

static struct pmtu *pmtu_slot(struct netstack *ns, const struct ns_ip *dst) {
    struct pmtu *oldest = &ns->pmtu[0], *slot = pmtu_find(ns, dst);
    if (slot)
        return slot;
    if (ns->npmtu < STACK_PMTU)
        return &ns->pmtu[ns->npmtu++];
    for (unsigned i = 1; i < STACK_PMTU; i++)
        if (ns->pmtu[i].until < oldest->until)
            oldest = &ns->pmtu[i];
    return oldest;
}

static uint32_t pmtu_of(struct netstack *ns, const struct ns_ip *dst, uint32_t mtu) {
    const struct pmtu *slot = pmtu_find(ns, dst);
    return slot && slot->until > ns->now && slot->mtu < mtu ? slot->mtu : mtu;
}

bool pmtu_learn(struct netstack *ns, const struct ns_ip *dst, uint32_t mtu) {
    // A lie may not make us send dust: RFC 8201 4 for IPv6; for IPv4 the floor that Linux has (min_pmtu).
    uint32_t least = ns_ip_is4(dst) ? 552 : IP6_MIN_MTU;
    struct path path;
    if (path_find(ns, dst, NULL, &path) < 0 || netif_is_loopback(path.nif))
        return false;
    if (mtu < least)
        mtu = path.mtu < least ? path.mtu : least;
    if (mtu >= path.mtu)
        return false;
    *pmtu_slot(ns, dst) = (struct pmtu){*dst, mtu, ns->now + PMTU_LIFE};
    return true;
}

// ---- Source selection (RFC 6724 5) ------------------------------------------------------------------------
static int scope_of(const struct ns_ip *ip) {
    if (ns_ip_is4(ip))
        return ip_is_loopback(ip) || ip_is_linklocal(ip) ? 2 : 14;
    if (ip_is_multicast(ip))
        return ip->b[1] & 15;
    return ip_is_loopback(ip) || ip_is_linklocal(ip) ? 2 : 14;
}

// By the policy table of RFC 6724 2.1, here with the longest prefixes first.
static unsigned label_of(const struct ns_ip *ip) {
    static const struct {
        struct ns_ip prefix;
        uint8_t bits, label;
    } policy[] = {
        {{{[15] = 1}}, 128, 0},
        {{{[10] = 0xff, 0xff}}, 96, 4},
        {{{0}}, 96, 3},
        {{{0x20, 0x01}}, 32, 5},
        {{{0x20, 0x02}}, 16, 2},
        {{{0x3f, 0xfe}}, 16, 12},
        {{{0xfe, 0xc0}}, 10, 11},
        {{{0xfc}}, 7, 13},
    };
    for (size_t i = 0; i < sizeof policy / sizeof policy[0]; i++)
        if (ip_common_bits(ip, &policy[i].prefix) >= policy[i].bits)
            return policy[i].label;
    return 1;
}

// How much of its prefix the source has in common with dst.
static unsigned common_prefix(const struct ifaddr *a, const struct ns_ip *dst) {
    unsigned bits = ip_common_bits(&a->ip, dst), prefix = a->prefix + (ns_ip_is4(&a->ip) ? 96 : 0);
    return bits < prefix ? bits : prefix;
}

// Whether a is the better source for dst.
static bool better_source(const struct ifaddr *a, const struct ifaddr *b, const struct ns_ip *dst) {
    if (ip_eq(&a->ip, dst) != ip_eq(&b->ip, dst))  // rule 1
        return ip_eq(&a->ip, dst);
    int sa = scope_of(&a->ip), sb = scope_of(&b->ip), sd = scope_of(dst);
    if (sa != sb)  // rule 2
        return sa < sb ? sa >= sd : sb < sd;
    if (netif_deprecated(a) != netif_deprecated(b))  // rule 3
        return netif_deprecated(b);
    unsigned la = label_of(&a->ip), lb = label_of(&b->ip), ld = label_of(dst);
    if ((la == ld) != (lb == ld))  // rule 6
        return la == ld;
    return common_prefix(a, dst) > common_prefix(b, dst);  // rule 8
}

static const struct ns_ip *select_source(const struct netif *nif, const struct ns_ip *dst) {
    const struct ifaddr *best = NULL;
    for (unsigned i = 0; i < nif->naddrs; i++) {
        const struct ifaddr *a = &nif->addrs[i];
        if (a->state != IFADDR_VALID || ns_ip_is4(&a->ip) != ns_ip_is4(dst))
            continue;
        if (!best || better_source(a, best, dst))
            best = a;
    }
    return best ? &best->ip : NULL;
}

// ---- Look-up ----------------------------------------------------------------------------------------------
static const struct route *longest_match(struct netstack *ns, const struct ns_ip *dst, struct netif *only) {
    struct route *it;
    list_for_each(it, &ns->routes, link) {
        if (!it->r.nif->down && ns_ip_is4(dst) == ns_ip_is4(&it->r.dst) &&
            ip_common_bits(dst, &it->r.dst) >= it->bits && (!only || it->r.nif == only))
            return it;
    }
    return NULL;
}

static int path_on(struct netstack *ns, struct netif *nif, const struct ns_ip *next, const struct ns_ip *dst,
                   const struct ns_ip *src, struct path *path) {
    const struct ns_ip *from = src ? src : select_source(nif, dst);
    if (!from)
        return -LINUX_EADDRNOTAVAIL;
    *path = (struct path){nif, *next, *from, nif->config.mtu};
    if (nif != ns->lo)
        path->mtu = pmtu_of(ns, dst, path->mtu);
    return 0;
}

int path_find_on(struct netstack *ns, struct netif *nif, const struct ns_ip *dst, const struct ns_ip *src,
                 struct path *path) {
    if (!nif)
        return path_find(ns, dst, src, path);
    if (src && ns_ip_is4(src) != ns_ip_is4(dst))
        return ns_ip_is4(src) ? -LINUX_EAFNOSUPPORT : -LINUX_ENETUNREACH;
    const struct route *r = longest_match(ns, dst, nif);
    if (nif->down)
        return -LINUX_ENETUNREACH;
    bool direct = ip_is_multicast(dst) || ip_is_limited_broadcast(dst) || ip_is_linklocal(dst);
    if (!r && !direct)
        return -LINUX_ENETUNREACH;
    return path_on(ns, nif, direct || ip_is_any(&r->r.gateway) ? dst : &r->r.gateway, dst, src, path);
}

int path_find(struct netstack *ns, const struct ns_ip *dst, const struct ns_ip *src, struct path *path) {
    struct netif *bound = src ? netif_of_address(ns, src) : NULL;
    if (src && ns_ip_is4(src) != ns_ip_is4(dst))  // of a socket that speaks both; as Linux says it
        return ns_ip_is4(src) ? -LINUX_EAFNOSUPPORT : -LINUX_ENETUNREACH;
    if (netif_is_local(ns, dst)) {
        // To ourselves, from the very address that is spoken to.
        return path_on(ns, ns->lo, dst, dst, src ? src : dst, path);
    }
    if (ip_is_loopback(dst))
        return -LINUX_EADDRNOTAVAIL;  // ::1 of an interface that is down
    const struct route *r = longest_match(ns, dst, NULL);
    bool group = ip_is_multicast(dst) || ip_is_limited_broadcast(dst);
    if ((group || ip_is_linklocal(dst)) && bound)
        return path_on(ns, bound, dst, dst, src, path);
    if (!r && group) {
        struct netif *nif;
        list_for_each(nif, &ns->netifs, link) {
            if (nif != ns->lo && !nif->down && select_source(nif, dst))
                return path_on(ns, nif, dst, dst, src, path);
        }
    }
    if (!r)
        return -LINUX_ENETUNREACH;
    return path_on(ns, r->r.nif, group || ip_is_any(&r->r.gateway) ? dst : &r->r.gateway, dst, src, path);
}

int path_forward(struct netstack *ns, const struct ns_ip *dst, struct path *path) {
    const struct route *r = longest_match(ns, dst, NULL);
    if (!r)
        return -LINUX_ENETUNREACH;
    *path = (struct path){.nif = r->r.nif,
                          .next = ip_is_any(&r->r.gateway) ? *dst : r->r.gateway,
                          .mtu = r->r.nif->config.mtu};
    return 0;
}
