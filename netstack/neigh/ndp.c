// SPDX-License-Identifier: Apache-2.0
// Neighbour discovery (RFC 4861) and duplicate address detection (RFC 4862); what routers give is slaac.c's.
// Called by ip/icmp.c with what comes in, by neigh.c for solicitations. Each message is checked as RFC
// 4861 6.1 and 7.1 say before anything of it is believed. Lock: the stack's.
// LIMIT: redirects and a router's reachable and retransmission times are ignored; no optimistic DAD.
#include "netstack/core/addr.h"
#include "netstack/ip/ip.h"
#include "netstack/link/netif.h"
#include "netstack/neigh/neigh.h"

static const struct ns_ip all_nodes = {{0xff, 0x02, [15] = 1}};
static const struct ns_ip all_routers = {{0xff, 0x02, [15] = 2}};
static const struct ns_ip unspecified;

// ---- Out --------------------------------------------------------------------------------------------------
static void nd_send(struct netif *nif, struct pkt *p, const struct ns_ip *src, const struct ns_ip *dst) {
    struct path path = {nif, *dst, *src, nif->config.mtu};
    struct ip_header h = {*src, *dst, PROTO_ICMP6, 0, 255, false};
    ip_start_csum(p, &h, ICMP_CSUM);
    ip_output(nif->ns, p, &path, &h);
}

// type, and a target and a link-address option when there are any.
static struct pkt *message(struct netif *nif, uint8_t type, const struct ns_ip *target, uint8_t option) {
    struct pkt *p = pkt_alloc(nif->ns);
    if (!p) {
        count(nif->ns, link_drop_budget);
        return NULL;
    }
    if (option) {
        uint8_t *o = pkt_push(p, 8);
        o[0] = option;
        o[1] = 1;
        memcpy(o + 2, nif->config.mac, 6);
    }
    if (target)
        memcpy(pkt_push(p, 16), target->b, 16);
    uint8_t *h = pkt_push(p, ICMP_LEN);
    memset(h, 0, ICMP_LEN);
    h[ICMP_TYPE] = type;
    return p;
}

// An address of ours to solicit from: link-local for choice, so that the answer needs no router.
static struct ns_ip source_for(struct netif *nif, const struct ns_ip *ip) {
    struct path path;
    if (path_find(nif->ns, ip, NULL, &path) == 0 && path.nif == nif)
        return path.src;
    for (unsigned i = 0; i < nif->naddrs; i++)
        if (nif->addrs[i].state == IFADDR_VALID && !ns_ip_is4(&nif->addrs[i].ip))
            return nif->addrs[i].ip;
    return unspecified;
}

void ndp_solicit(struct netif *nif, const struct ns_ip *ip, const uint8_t *mac) {
    struct ns_ip src = source_for(nif, ip), group = ip_solicited(ip);
    struct pkt *p = ip_is_any(&src) ? NULL : message(nif, ICMP6_NS, ip, ND_OPT_SOURCE);
    if (p)
        nd_send(nif, p, &src, mac ? ip : &group);
}

static void advertise(struct netif *nif, const struct ns_ip *target, const struct ns_ip *to, uint8_t flags) {
    struct pkt *p = message(nif, ICMP6_NA, target, ND_OPT_TARGET);
    if (!p)
        return;
    pkt_head(p)[ND_FLAGS] = flags;
    nd_send(nif, p, target, to);
}

// ---- Our own addresses ------------------------------------------------------------------------------------
void ndp_start_dad(struct ifaddr *a) {
    struct netif *nif = a->nif;
    struct ns_ip group = ip_solicited(&a->ip);
    struct pkt *p = message(nif, ICMP6_NS, &a->ip, 0);
    stack_arm(nif->ns, &a->dad, nif->ns->now + NS_SEC);  // RetransTimer; one probe (DupAddrDetectTransmits)
    if (p)
        nd_send(nif, p, &unspecified, &group);
}

void ndp_dad_timer(struct timer *t) {
    struct ifaddr *a = container_of(t, struct ifaddr, dad);
    a->state = IFADDR_VALID;
    if (a->nif->config.flags & NETIF_SLAAC && ip_is_linklocal(&a->ip))
        ndp_solicit_router(&a->nif->solicit);
}

static void duplicate(struct ifaddr *a) {
    count(a->nif->ns, dad_failed);
    stack_cancel(a->nif->ns, &a->dad);
    a->state = IFADDR_DUPLICATE;
}

void ndp_solicit_router(struct timer *t) {
    struct netif *nif = container_of(t, struct netif, solicit);
    if (nif->solicits >= 3)  // RFC 4861 10: MAX_RTR_SOLICITATIONS
        return;
    struct ns_ip src = source_for(nif, &all_routers);
    struct pkt *p = message(nif, ICMP6_RS, NULL, ip_is_any(&src) ? 0 : ND_OPT_SOURCE);
    nif->solicits++;
    stack_arm(nif->ns, &nif->solicit, nif->ns->now + 4 * NS_SEC);  // RTR_SOLICITATION_INTERVAL
    if (p)
        nd_send(nif, p, &src, &all_routers);
}

// ---- Options ----------------------------------------------------------------------------------------------
#define ND_OPTIONS 16  // prefixes looked at in one advertisement

struct options {
    const uint8_t *link;  // the source's or target's link address
    const uint8_t *prefixes[ND_OPTIONS];
    unsigned nprefixes;
    uint32_t mtu;
};

// RFC 4861 4.6: every option has a length, and none of them is 0.
static bool parse_options(const uint8_t *o, uint32_t n, uint8_t link_type, struct options *out) {
    *out = (struct options){0};
    while (n > 0) {
        if (n < 8 || o[1] == 0 || o[1] * 8u > n)
            return false;
        uint32_t len = o[1] * 8u;
        if (o[0] == link_type && len == 8)
            out->link = o + 2;
        else if (o[0] == ND_OPT_PREFIX && len == 32 && out->nprefixes < ND_OPTIONS)
            out->prefixes[out->nprefixes++] = o;
        else if (o[0] == ND_OPT_MTU && len == 8)
            out->mtu = get32(o + 4);
        o += len;
        n -= len;
    }
    return true;
}

// ---- In ---------------------------------------------------------------------------------------------------
static void solicitation(struct pkt *p, const uint8_t *h, const struct options *o) {
    struct netif *nif = p->nif;
    struct ns_ip target = ip_from6(h + ND_TARGET);
    struct ifaddr *a = netif_find_address(nif, &target);
    bool probe = ip_is_any(&p->src);
    if (ip_is_multicast(&target) || (probe && (o->link || !ip_is_multicast(&p->dst)))) {
        count(nif->ns, nd_drop_malformed);
        return;
    }
    if (!a || a->state == IFADDR_DUPLICATE) {
        count(nif->ns, nd_drop_ignored);
    } else if (a->state == IFADDR_TENTATIVE) {
        // RFC 4862 5.4.3: another probe for the same address, so there are two who want it.
        if (probe)
            duplicate(a);
    } else if (probe) {
        advertise(nif, &target, &all_nodes, ND_NA_OVERRIDE);
    } else {
        if (o->link && !(o->link[0] & 1))
            neigh_learn(nif, &p->src, o->link, NEIGH_ASKED, true);
        if (bucket_take(nif->ns, &nif->ns->icmp_replies))
            advertise(nif, &target, &p->src, ND_NA_SOLICITED | ND_NA_OVERRIDE);
    }
}

static void advertisement(struct pkt *p, const uint8_t *h, const struct options *o) {
    struct netif *nif = p->nif;
    struct ns_ip target = ip_from6(h + ND_TARGET);
    struct ifaddr *a = netif_find_address(nif, &target);
    uint8_t flags = h[ND_FLAGS];
    if (ip_is_multicast(&target) || (ip_is_multicast(&p->dst) && (flags & ND_NA_SOLICITED))) {
        count(nif->ns, nd_drop_malformed);
    } else if (a) {
        if (a->state == IFADDR_TENTATIVE)
            duplicate(a);
        else
            count(nif->ns, nd_drop_ignored);  // somebody claims what we use: RFC 4862 5.4.4 leaves it to us
    } else if (o->link && !(o->link[0] & 1)) {
        neigh_learn(nif, &target, o->link, flags & ND_NA_SOLICITED ? NEIGH_ANSWERED : NEIGH_ANNOUNCED,
                    flags & ND_NA_OVERRIDE);
    } else {
        count(nif->ns, nd_drop_ignored);
    }
}

static void router(struct pkt *p, const uint8_t *h, const struct options *o) {
    struct netif *nif = p->nif;
    if (!(nif->config.flags & NETIF_SLAAC)) {
        count(nif->ns, nd_drop_ignored);
        return;
    }
    stack_cancel(nif->ns, &nif->solicit);
    nif->solicits = 3;
    if (h[ND_RA_HOPS])
        nif->hops = h[ND_RA_HOPS];
    if (o->link && !(o->link[0] & 1))
        neigh_learn(nif, &p->src, o->link, NEIGH_ASKED, true);
    slaac_router(nif, &p->src, get16(h + ND_RA_LIFETIME));
    if (o->mtu >= IP6_MIN_MTU && o->mtu < nif->config.mtu)
        nif->config.mtu = o->mtu;
    for (unsigned i = 0; i < o->nprefixes; i++)
        slaac_prefix(nif, o->prefixes[i]);
}

// What RFC 4861 6.1.2, 7.1.1 and 7.1.2 have in common: nothing that a router passed on, and of full length.
static const uint8_t *check_message(struct pkt *p, uint32_t least, uint8_t link_type, struct options *o) {
    uint8_t *h = pkt_peek(p, p->len);
    if (!h || p->len < least || p->ttl != 255 || h[ICMP_CODE] != 0 || !(p->csum_good || ip_csum_ok(p)))
        return NULL;
    return parse_options(h + least, p->len - least, link_type, o) ? h : NULL;
}

void ndp_input(struct pkt *p, uint8_t type) {
    struct options o;
    uint8_t link_type = type == ICMP6_NA ? ND_OPT_TARGET : ND_OPT_SOURCE;
    const uint8_t *h = NULL;
    if (type == ICMP6_RA)
        h = ip_is_linklocal(&p->src) ? check_message(p, ND_RA_LEN, link_type, &o) : NULL;
    else if (type == ICMP6_NS || type == ICMP6_NA)
        h = check_message(p, ND_NS_LEN, link_type, &o);
    if (type == ICMP6_RS)
        count(p->ns, nd_drop_ignored);
    else if (!h)
        count(p->ns, nd_drop_malformed);
    else if (type == ICMP6_NS)
        solicitation(p, h, &o);
    else if (type == ICMP6_NA)
        advertisement(p, h, &o);
    else
        router(p, h, &o);
    pkt_free(p);
}
