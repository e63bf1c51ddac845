// SPDX-License-Identifier: Apache-2.0
// Stateless autoconfiguration (RFC 4862) and what else a router's advertisement gives (RFC 4861 6.3):
// addresses, prefixes of the link, a way out; each for a time. Called by ndp.c, which has checked the
// advertisement. One timer of the interface takes away what has expired. Lock: the stack's.
// LIMIT: a router that does not answer keeps its route until that expires (no selection by reachability, RFC
// 4861 6.3.6).
#include "netstack/core/addr.h"
#include "netstack/ip/route.h"
#include "netstack/link/netif.h"
#include "netstack/neigh/neigh.h"
#include "netstack/prot/ip.h"

#define TWO_HOURS       (7200 * NS_SEC)
#define ROUTER_METRIC   1024  // Linux: the metric of a route by a router's advertisement
#define ROUTES_BY_OTHERS 32   // of one interface, of 256 of the stack

// RFC 4861 4.6.2: all ones is for ever.
static uint64_t until(const struct netif *nif, uint32_t seconds) {
    return seconds == UINT32_MAX ? NETSTACK_NEVER : nif->ns->now + seconds * NS_SEC;
}

// ---- Expiry -----------------------------------------------------------------------------------------------
// The timer is armed for what ends first; preference ends by itself (netif_deprecated).
static void arm_expiry(struct netif *nif) {
    uint64_t first = route_expiry(nif->ns, nif);
    for (unsigned i = 0; i < nif->naddrs; i++)
        first = nif->addrs[i].life.valid < first ? nif->addrs[i].life.valid : first;
    if (first == NETSTACK_NEVER)
        stack_cancel(nif->ns, &nif->expiry);
    else
        stack_arm(nif->ns, &nif->expiry, first);
}

void slaac_expire(struct timer *t) {
    struct netif *nif = container_of(t, struct netif, expiry);
    for (unsigned i = nif->naddrs; i-- > 0;)  // from the end: the last takes the place of one that goes
        if (nif->addrs[i].life.valid <= nif->ns->now)
            netif_unassign(&nif->addrs[i]);
    route_expire(nif->ns, nif);
    arm_expiry(nif);
}

// ---- Addresses --------------------------------------------------------------------------------------------
// An interface identifier that says nothing of the hardware and stays the same on one network (RFC 7217).
static struct ns_ip stable_address(struct netif *nif, const uint8_t prefix[8]) {
    struct {
        uint8_t prefix[8], mac[6], pad[2];
    } id = {.pad = {0}};
    memcpy(id.prefix, prefix, 8);
    memcpy(id.mac, nif->config.mac, 6);
    uint64_t h = siphash(&nif->ns->key, &id, sizeof id);
    struct ns_ip ip;
    memcpy(ip.b, prefix, 8);
    memcpy(ip.b + 8, &h, 8);
    return ip;
}

void slaac_start(struct netif *nif) {
    static const uint8_t prefix[8] = {0xfe, 0x80};
    static const struct lifetime forever = {NETSTACK_NEVER, NETSTACK_NEVER};
    struct ns_ip ip = stable_address(nif, prefix);
    netif_assign(nif, &ip, 64, &forever);
    if (nif->config.flags & NETIF_NO_DAD)
        ndp_solicit_router(&nif->solicit);
}

// RFC 4862 5.5.3 e: a liar may shorten what is left to two hours, but not end it.
static void renew(struct ifaddr *a, const struct lifetime *life) {
    uint64_t floor = a->nif->ns->now + TWO_HOURS;
    a->life.preferred = life->preferred;
    if (life->valid > floor || life->valid > a->life.valid)
        a->life.valid = life->valid;
    else if (a->life.valid > floor)
        a->life.valid = floor;
}

static void autoconfigure(struct netif *nif, const uint8_t *o, const struct lifetime *life) {
    struct ns_ip ip = stable_address(nif, o + ND_PREFIX_ADDR);
    struct ifaddr *a = netif_find_address(nif, &ip);
    unsigned automatic = 0;
    for (unsigned i = 0; i < nif->naddrs; i++)
        automatic += nif->addrs[i].automatic;
    if (a && a->automatic)
        renew(a, life);
    // a flood leaves room for the user's
    else if (life->valid > nif->ns->now && automatic < NETIF_ADDRESSES / 2)
        netif_assign(nif, &ip, 64, life);
}

// ---- What an advertisement has ----------------------------------------------------------------------------
static void set_route(struct netif *nif, const struct ns_route *r, uint64_t end) {
    if (end <= nif->ns->now)
        route_end(nif->ns, r);
    else
        route_renew(nif->ns, r, end, ROUTES_BY_OTHERS);
}

void slaac_prefix(struct netif *nif, const uint8_t *o) {
    struct ns_ip net = ip_from6(o + ND_PREFIX_ADDR);
    unsigned len = o[ND_PREFIX_LEN];
    uint32_t valid = get32(o + ND_PREFIX_VALID), preferred = get32(o + ND_PREFIX_PREFERRED);
    struct lifetime life = {until(nif, preferred), until(nif, valid)};
    if (ip_is_linklocal(&net) || ip_is_multicast(&net) || ns_ip_is4(&net) || len == 0 || len > 128)
        return;
    struct ns_route on_link = {net, len, {{0}}, nif, 0};
    if (o[ND_PREFIX_FLAGS] & ND_PREFIX_LINK)
        set_route(nif, &on_link, life.valid);
    if ((o[ND_PREFIX_FLAGS] & ND_PREFIX_AUTO) && len == 64 && preferred <= valid)
        autoconfigure(nif, o, &life);
    arm_expiry(nif);
}

void slaac_router(struct netif *nif, const struct ns_ip *ip, uint32_t seconds) {
    struct ns_route def = {{{0}}, 0, *ip, nif, ROUTER_METRIC};
    set_route(nif, &def, until(nif, seconds));
    arm_expiry(nif);
}
