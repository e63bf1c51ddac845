// SPDX-License-Identifier: Apache-2.0
// IPv4 packets that came in (RFC 791, RFC 1122 3.2.1): the header is checked, fragments wait in ip/frag.c,
// the rest goes to its protocol, or on (ip/forward.c). Lock: the
// stack's.
#include "netstack/core/addr.h"
#include "netstack/core/stack.h"
#include "netstack/filter/hooks.h"
#include "netstack/ip/filter.h"
#include "netstack/ip/forward.h"
#include "netstack/ip/frag.h"
#include "netstack/ip/ip.h"
#include "netstack/link/netif.h"
#include "netstack/prot/checksum.h"

// RFC 7126 4.3, 4.4: packets with a source route are dropped. Other options are passed over, but must be well
// formed.
static bool options_ok(const uint8_t *opt, uint32_t n) {
    for (uint32_t at = 0; at < n;) {
        if (opt[at] == IP4_OPT_END)
            return true;
        if (opt[at] == IP4_OPT_NOP) {
            at++;
            continue;
        }
        if (opt[at] == IP4_OPT_LSRR || opt[at] == IP4_OPT_SSRR)
            return false;
        if (at + 1 >= n || opt[at + 1] < 2 || opt[at + 1] > n - at)
            return false;
        at += opt[at + 1];
    }
    return true;
}

// RFC 1122 3.2.1.3: addresses that may not be a source, or not on this link. IGMP has 0.0.0.0 from who has
// none yet.
static bool martian(struct pkt *p) {
    struct netif *nif = p->nif;
    if (ip_is_multicast(&p->src) || netif_is_broadcast(nif, &p->src) ||
        (ip_is_any(&p->src) && p->proto != PROTO_IGMP))
        return true;
    if (!netif_is_loopback(nif) && (ip_is_loopback(&p->src) || ip_is_loopback(&p->dst)))
        return true;
    // Our own address from outside is a spoof (or a loop).
    return !netif_is_loopback(nif) && !p->loops && netif_of_address(p->ns, &p->src);
}

static bool for_us(struct pkt *p) {
    if (ip_is_multicast(&p->dst) || netif_is_broadcast(p->nif, &p->dst)) {
        p->broadcast = true;
        return !ip_is_multicast(&p->dst) || group_member(p->nif, &p->dst);
    }
    // RFC 1122 3.3.6: one host's address in a link broadcast is not answered.
    return netif_is_local(p->ns, &p->dst) && !p->broadcast;
}

// Everything but addresses. The header is pulled, the padding behind the packet cut off.
static bool parse_header(struct pkt *p, uint8_t **header) {
    uint8_t *h = pkt_peek(p, IP4_LEN);
    struct netstack *ns = p->ns;
    uint32_t hlen = h ? (h[0] & 15u) * 4 : 0;
    if (!h || h[0] >> 4 != 4 || hlen < IP4_LEN || !(h = pkt_peek(p, hlen))) {
        count(ns, ip_drop_header);
        return false;
    }
    uint32_t total = get16(h + IP4_TOTAL);
    if (total < hlen || total > p->len) {
        count(ns, ip_drop_length);
        return false;
    }
    pkt_trim(p, total);
    if (!p->loops && csum(h, hlen) != 0) {
        count(ns, ip_drop_checksum);
        return false;
    }
    if (!options_ok(h + IP4_LEN, hlen - IP4_LEN)) {
        count(ns, ip_drop_options);
        return false;
    }
    p->l3 = p->off;
    pkt_skip(p, hlen);
    p->l4 = p->off;
    *header = h;
    return true;
}

// A packet of which others have to be put together with; NULL: it waits, or is gone.
static struct pkt *put_together(struct pkt *p, unsigned frag) {
    struct frag_info info = {get16(p->head + p->l3 + IP4_ID), (frag & IP4_OFFSET) * 8, frag & IP4_MF};
    return frag_input(p, &info);
}
// Of a packet that was put together: hlen bytes that say so, and are right where it is sent on.
static void whole_header(uint8_t *h, unsigned frag, uint32_t total, size_t hlen) {
    put16(h + IP4_FRAG, (uint16_t)frag);
    put16(h + IP4_TOTAL, (uint16_t)total);
    memset(h + IP4_CSUM, 0, 2);
    uint16_t sum = csum(h, hlen);
    memcpy(h + IP4_CSUM, &sum, 2);
}
// Before routing. Where connections are followed a packet is whole, and its header says so. NULL: it is gone.
static struct pkt *prerouting(struct pkt *p, unsigned *frag) {
    if ((*frag & (IP4_MF | IP4_OFFSET)) && nf_tracks(p->ns)) {
        if (!(p = put_together(p, *frag)))
            return NULL;
        *frag &= IP4_DF;
        whole_header(p->head + p->l3, *frag, p->len + p->off - p->l3, (size_t)(p->off - p->l3));
    }
    return nf_hook(p, NF_PREROUTING, p->nif, NULL) ? p : NULL;
}

void ip4_input(struct pkt *p) {
    struct netstack *ns = p->ns;
    uint8_t *h;
    count(ns, ip_in);
    if (!parse_header(p, &h)) {
        pkt_free(p);
        return;
    }
    p->src = ip_from4(h + IP4_SRC);
    p->dst = ip_from4(h + IP4_DST);
    p->tos = h[IP4_TOS];
    p->ttl = h[IP4_TTL];
    p->proto = h[IP4_PROTO];
    if (martian(p)) {
        count(ns, ip_drop_martian);
        pkt_free(p);
        return;
    }
    unsigned frag = get16(h + IP4_FRAG);
    if (filter_on(ns, NS_PREROUTING) && !filter_prerouting(p, !(frag & IP4_OFFSET)))
        return;
    if (nf_on(ns, true, NF_PREROUTING) && !(p = prerouting(p, &frag)))
        return;
    if (!for_us(p)) {
        if (forwards(ns, true) && !p->broadcast) {
            ip_forward(p);
            return;
        }
        count(ns, ip_drop_foreign);
        pkt_free(p);
        return;
    }
    if (frag & (IP4_MF | IP4_OFFSET))
        p = put_together(p, frag);
    if (p)
        ip_deliver(p);
}
