// SPDX-License-Identifier: Apache-2.0
// ARP over Ethernet (RFC 826), with the address announcement of RFC 5227. Called by link/netif.c for what
// comes in, by neigh.c for requests. It learns from requests for our addresses and from answers to our
// requests only. Lock: the stack's. LIMIT: no probing for conflicts before an IPv4 address is used (RFC
// 5227 2.1).
#include "netstack/core/addr.h"
#include "netstack/link/netif.h"
#include "netstack/neigh/neigh.h"
#include "netstack/prot/eth.h"

static void arp_send(struct netif *nif, uint16_t oper, const uint8_t *to, const struct ns_ip *spa,
                     const uint8_t *tha, const struct ns_ip *tpa) {
    struct pkt *p = pkt_alloc(nif->ns);
    if (!p) {
        count(nif->ns, link_drop_budget);
        return;
    }
    uint8_t *h = pkt_push(p, ARP_LEN);
    memset(h, 0, ARP_LEN);
    put16(h + ARP_HTYPE, ARP_ETHERNET);
    put16(h + ARP_PTYPE, ETH_TYPE_IP4);
    h[ARP_HLEN] = 6;
    h[ARP_PLEN] = 4;
    put16(h + ARP_OPER, oper);
    memcpy(h + ARP_SHA, nif->config.mac, 6);
    memcpy(h + ARP_SPA, ip_v4(spa), 4);
    if (tha)
        memcpy(h + ARP_THA, tha, 6);
    memcpy(h + ARP_TPA, ip_v4(tpa), 4);
    netif_output(nif, p, to, ETH_TYPE_ARP);
}

// An address of ours to ask from: one in the network of the other, else any, else none (0.0.0.0).
static struct ns_ip source_for(struct netif *nif, const struct ns_ip *ip) {
    struct ns_ip any = ns_ip4(0, 0, 0, 0);
    for (unsigned i = 0; i < nif->naddrs; i++) {
        const struct ifaddr *a = &nif->addrs[i];
        if (!ns_ip_is4(&a->ip))
            continue;
        if (ip_in_prefix(ip, &a->ip, a->prefix))
            return a->ip;
        if (ip_is_any(&any))
            any = a->ip;
    }
    return any;
}

void arp_request(struct netif *nif, const struct ns_ip *ip, const uint8_t *mac) {
    struct ns_ip spa = source_for(nif, ip);
    arp_send(nif, ARP_REQUEST, mac, &spa, NULL, ip);
}

void arp_announce(struct netif *nif, const struct ns_ip *ip) {
    arp_send(nif, ARP_REQUEST, NULL, ip, NULL, ip);
}

static bool well_formed(const uint8_t *h) {
    return get16(h + ARP_HTYPE) == ARP_ETHERNET && get16(h + ARP_PTYPE) == ETH_TYPE_IP4 && h[ARP_HLEN] == 6 &&
           h[ARP_PLEN] == 4 && (get16(h + ARP_OPER) == ARP_REQUEST || get16(h + ARP_OPER) == ARP_REPLY);
}

// A sender's address that no neighbour may have: a group's, or one of ours (a conflict, or a spoof).
static bool martian(struct netif *nif, const uint8_t *h, const struct ns_ip *spa) {
    return (h[ARP_SHA] & 1) || ip_is_multicast(spa) || ip_is_loopback(spa) || netif_is_broadcast(nif, spa) ||
           netif_find_address(nif, spa);
}

static enum neigh_news news_of(bool request, bool ours, bool broadcast) {
    if (request)
        return ours ? NEIGH_ASKED : NEIGH_ANNOUNCED;
    // A broadcast answer, or one to an address not ours, was not asked for by us.
    return ours && !broadcast ? NEIGH_ANSWERED : NEIGH_ANNOUNCED;
}

static void handle(struct netif *nif, struct pkt *p, const uint8_t *h) {
    struct ns_ip spa = ip_from4(h + ARP_SPA), tpa = ip_from4(h + ARP_TPA);
    bool request = get16(h + ARP_OPER) == ARP_REQUEST, ours = netif_find_address(nif, &tpa);
    // RFC 5227 1.1: asks whether the address is taken; says nothing of the sender
    bool probe = ip_is_any(&spa);
    if (martian(nif, h, &spa)) {
        count(nif->ns, arp_drop_martian);
        return;
    }
    if (!probe)
        neigh_learn(nif, &spa, h + ARP_SHA, news_of(request, ours, p->broadcast), true);
    if (request && ours && bucket_take(nif->ns, &nif->ns->icmp_replies))
        arp_send(nif, ARP_REPLY, h + ARP_SHA, &tpa, h + ARP_SHA, &spa);
}

void arp_input(struct pkt *p) {
    struct netif *nif = p->nif;
    count(nif->ns, arp_in);
    const uint8_t *h = pkt_pull(p, ARP_LEN);
    if (!h || !well_formed(h))
        count(nif->ns, arp_drop_malformed);
    else
        handle(nif, p, h);
    pkt_free(p);
}
