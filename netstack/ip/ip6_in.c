// SPDX-License-Identifier: Apache-2.0
// IPv6 packets that came in (RFC 8200): the header and the chain of extension headers are walked here; a
// fragment waits in ip/frag.c. What is for others may go on (ip/forward.c). Lock: the stack's.
// LIMIT: headers beyond PKT_HEAD bytes or IP6_CHAIN headers are dropped, which RFC 8504 5.3 allows a host.
#include "netstack/core/addr.h"
#include "netstack/filter/hooks.h"
#include "netstack/ip/filter.h"
#include "netstack/ip/forward.h"
#include "netstack/ip/frag.h"
#include "netstack/ip/icmp.h"
#include "netstack/ip/ip.h"
#include "netstack/link/netif.h"

#define IP6_CHAIN 8

static bool martian(struct pkt *p) {
    if (ip_is_multicast(&p->src) || ip_is_any(&p->dst))
        return true;
    if (ns_ip_is4(&p->src) || ns_ip_is4(&p->dst))  // RFC 4942 2.2: mapped addresses are for programs
        return true;
    if (netif_is_loopback(p->nif))
        return false;
    if (ip_is_loopback(&p->src) || ip_is_loopback(&p->dst) || (!p->loops && netif_of_address(p->ns, &p->src)))
        return true;
    // RFC 4291 2.7: scope 0 and the interface's own scope do not come over a wire.
    return ip_is_multicast(&p->dst) && (p->dst.b[1] & 15) <= 1;
}

static bool for_us(struct pkt *p) {
    if (ip_is_multicast(&p->dst)) {
        p->broadcast = true;
        return group_member(p->nif, &p->dst);
    }
    return netif_is_local(p->ns, &p->dst);
}

// What RFC 8200 4.2 says of an option that we do not know, by its two highest bits.
static bool unknown_option(struct pkt *p, uint8_t type, uint32_t pointer) {
    count(p->ns, ip6_drop_option);
    if (type >> 6 == 2 || (type >> 6 == 3 && !ip_is_multicast(&p->dst)))
        icmp_error(p, ICMP_BAD_OPTION, pointer);
    return false;
}

static bool options_ok(struct pkt *p, const uint8_t *h, uint32_t n, uint32_t pointer) {
    for (uint32_t at = 2; at < n;) {
        if (h[at] == 0) {  // Pad1
            at++;
            continue;
        }
        if (at + 1 >= n || h[at + 1] > n - at - 2) {
            count(p->ns, ip6_drop_chain);
            return false;
        }
        if (h[at] != 1 && h[at] != 5 && h[at] >> 6 != 0)  // not PadN, router alert, or to be skipped
            return unknown_option(p, h[at], pointer + at);
        p->alert |= h[at] == 5 && h[at + 1] == 2;
        at += 2u + h[at + 1];
    }
    return true;
}

static bool bad_chain(struct pkt *p) {
    count(p->ns, ip6_drop_chain);
    return false;
}

// A header of hop-by-hop or destination options, or a routing header: *next is its type, and then the one
// behind it.
static bool extension(struct pkt *p, uint8_t *next) {
    uint32_t pointer = (uint32_t)(p->off - p->l3);
    uint8_t *h = pkt_peek(p, 8);
    uint32_t n = h ? 8u + 8u * h[1] : 0;
    if (!h || !(h = pkt_peek(p, n)))
        return bad_chain(p);
    if (*next == PROTO_ROUTING) {
        if (h[3] != 0) {  // RFC 5095, RFC 8200 4.4: segments are left, and we follow none
            count(p->ns, ip6_drop_option);
            icmp_error(p, ICMP_BAD_FIELD, pointer + 2);
            return false;
        }
    } else if (!options_ok(p, h, n, pointer)) {
        return false;
    }
    *next = h[0];
    pkt_skip(p, n);
    return true;
}

// The fragment header. Gives the packet back when it is whole, and takes it when not.
static struct pkt *fragment(struct pkt *p, uint8_t *next) {
    uint8_t *h = pkt_pull(p, IP6_FRAG_LEN);
    if (!h) {
        count(p->ns, frag_drop_malformed);
        pkt_free(p);
        return NULL;
    }
    unsigned field = get16(h + 2);
    struct frag_info info = {get32(h + 4), field & ~7u, field & IP6_FRAG_MF};
    *next = p->proto = h[0];
    p->l4 = p->off;
    if (info.offset == 0 && !info.more)
        return p;  // RFC 6946: an atomic fragment waits for nobody
    return frag_input(p, &info);
}

static bool known(uint8_t next) {
    return next == PROTO_TCP || next == PROTO_UDP || next == PROTO_ICMP6 || next == PROTO_NONE;
}

// Walks the chain to the transport header. Takes the packet when it ends on the way.
static struct pkt *walk(struct pkt *p, uint8_t next) {
    bool first = true, whole = false;
    p->named_at = IP6_NEXT;
    for (unsigned headers = 0; headers < IP6_CHAIN && p; headers++) {
        uint16_t at = (uint16_t)(p->off - p->l3);
        p->proto = next;
        if (known(next)) {
            p->l4 = p->off;
            return p;
        }
        if (next == PROTO_FRAG && !whole) {
            p = fragment(p, &next);
            whole = true;
        } else if (next == PROTO_ROUTING || next == PROTO_DSTOPTS || (next == PROTO_HOPOPTS && first)) {
            if (!extension(p, &next)) {
                pkt_free(p);
                return NULL;
            }
        } else {
            return p;  // ip_deliver() knows what to say of a protocol that there is not
        }
        if (p)
            p->named_at = at;  // the first byte of what was passed over
        first = false;
    }
    if (p) {
        bad_chain(p);
        pkt_free(p);
    }
    return NULL;
}

void ip6_input(struct pkt *p) {
    struct netstack *ns = p->ns;
    count(ns, ip6_in);
    uint8_t *h = pkt_peek(p, IP6_LEN);
    if (!h || h[0] >> 4 != 6) {
        count(ns, ip6_drop_header);
        pkt_free(p);
        return;
    }
    uint32_t payload = get16(h + IP6_PAYLOAD);
    if (payload > p->len - IP6_LEN) {
        count(ns, ip_drop_length);
        pkt_free(p);
        return;
    }
    pkt_trim(p, IP6_LEN + payload);
    p->l3 = p->off;
    pkt_skip(p, IP6_LEN);
    p->src = ip_from6(h + IP6_SRC);
    p->dst = ip_from6(h + IP6_DST);
    p->tos = (uint8_t)(get16(h) >> 4);
    p->ttl = h[IP6_HOPS];
    p->proto = h[IP6_NEXT];
    if (martian(p)) {
        count(ns, ip_drop_martian);
        pkt_free(p);
        return;
    }
    if (filter_on(ns, NS_PREROUTING) && !filter_prerouting(p, true))
        return;
    if (nf_on(ns, false, NF_PREROUTING) && !nf_hook(p, NF_PREROUTING, p->nif, NULL))
        return;
    if (!for_us(p)) {
        if (forwards(ns, false) && !p->broadcast) {
            p->l4 = p->off;
            ip_forward(p);
            return;
        }
        count(ns, ip_drop_foreign);
        pkt_free(p);
        return;
    }
    if ((p = walk(p, p->proto)))
        ip_deliver(p);
}
