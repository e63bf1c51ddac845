// SPDX-License-Identifier: Apache-2.0
// IP packets on the way out: header, length against the path's MTU, fragments. Called by UDP, TCP and ICMP,
// which have found the path; the packet goes on to neigh/neigh.c. Lock: the stack's.
#include "netstack/ip/ip.h"
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/filter/hooks.h"
#include "netstack/ip/filter.h"
#include "netstack/link/netif.h"
#include "netstack/neigh/neigh.h"
#include "netstack/prot/checksum.h"

#define DEFAULT_TTL 64

// ---- Checksums of transports ------------------------------------------------------------------------------
uint64_t ip_pseudo(const struct ns_ip *src, const struct ns_ip *dst, uint8_t proto, uint32_t len) {
    uint8_t tail[8] = {[7] = proto};
    unsigned skip = ns_ip_is4(src) ? 12 : 0;
    put32(tail, len);
    uint64_t sum = csum_add(0, src->b + skip, 16 - skip, 0);
    sum = csum_add(sum, dst->b + skip, 16 - skip, 0);
    return csum_add(sum, tail, sizeof tail, 0);
}

void ip_start_csum(struct pkt *p, const struct ip_header *h, uint16_t offset) {
    uint16_t sum = (uint16_t)~csum_finish(ip_pseudo(&h->src, &h->dst, h->proto, p->len));
    memcpy(pkt_head(p) + offset, &sum, 2);
    p->csum_start = p->off;
    p->csum_offset = offset;
    p->proto = h->proto;
}

// ---- Headers ----------------------------------------------------------------------------------------------
static void push4(struct netstack *ns, struct pkt *p, const struct ip_header *h, unsigned frag) {
    uint32_t hlen = IP4_LEN + (h->router_alert ? 4 : 0);
    uint8_t *ip = pkt_push(p, hlen);
    ip[0] = (uint8_t)(0x40 | hlen / 4);
    if (h->router_alert)
        put32(ip + IP4_LEN, (uint32_t)IP4_OPT_ALERT << 24 | 4 << 16);
    ip[IP4_TOS] = h->tos;
    put16(ip + IP4_TOTAL, (uint16_t)p->len);
    // RFC 6864 4.1: an atomic datagram's identification means nothing.
    put16(ip + IP4_ID, frag & IP4_DF ? 0 : ns->ip_id);
    put16(ip + IP4_FRAG, (uint16_t)frag);
    ip[IP4_TTL] = h->ttl ? h->ttl : DEFAULT_TTL;
    ip[IP4_PROTO] = h->proto;
    memset(ip + IP4_CSUM, 0, 2);
    memcpy(ip + IP4_SRC, ip_v4(&h->src), 4);
    memcpy(ip + IP4_DST, ip_v4(&h->dst), 4);
    uint16_t sum = csum(ip, hlen);
    memcpy(ip + IP4_CSUM, &sum, 2);
}

static void push6(struct pkt *p, const struct ip_header *h, uint8_t next, uint8_t hops) {
    if (h->router_alert) {  // RFC 2711, in a hop-by-hop header with padding behind it
        uint8_t *x = pkt_push(p, 8);
        put32(x, (uint32_t)next << 24 | 5 << 8 | 2);
        put32(x + 4, 1 << 8);
        next = PROTO_HOPOPTS;
    }
    uint32_t payload = p->len;
    uint8_t *ip = pkt_push(p, IP6_LEN);
    put32(ip, 6u << 28 | (uint32_t)h->tos << 20);
    put16(ip + IP6_PAYLOAD, (uint16_t)payload);
    ip[IP6_NEXT] = next;
    ip[IP6_HOPS] = h->ttl ? h->ttl : hops;
    memcpy(ip + IP6_SRC, h->src.b, 16);
    memcpy(ip + IP6_DST, h->dst.b, 16);
}

// ---- Fragments --------------------------------------------------------------------------------------------
static void push_fragment(struct netstack *ns, struct pkt *f, const struct ip_header *h, uint32_t at,
                          bool more, uint32_t id) {
    if (ns_ip_is4(&h->dst)) {
        push4(ns, f, h, at / 8 | (more ? IP4_MF : 0));
        return;
    }
    uint8_t *x = pkt_push(f, IP6_FRAG_LEN);
    x[0] = h->proto;
    x[1] = 0;
    put16(x + 2, (uint16_t)(at | more));
    put32(x + 4, id);
    push6(f, h, PROTO_FRAG, DEFAULT_TTL);
}

// A checksum left to the link cannot be: the pieces are summed here.
static void sum_before_cutting(struct pkt *p) {
    if (!p->csum_start)
        return;
    uint16_t sum = csum_finish(pkt_csum(p, 0, 0));
    if (sum == 0 && p->proto == PROTO_UDP)
        sum = 0xffff;
    memcpy(pkt_head(p) + p->csum_offset, &sum, 2);
    p->csum_start = 0;
}

static int fragment(struct netstack *ns, struct pkt *p, const struct path *path, const struct ip_header *h) {
    uint32_t head = ns_ip_is4(&h->dst) ? IP4_LEN : IP6_LEN + IP6_FRAG_LEN;
    uint32_t step = (path->mtu - head) & ~7u, id = stack_random(ns);
    int err = 0;
    sum_before_cutting(p);
    ns->ip_id++;
    for (uint32_t at = 0; at < p->len && !err; at += step) {
        uint32_t n = p->len - at < step ? p->len - at : step;
        struct pkt *f = pkt_part(p, at, n);
        if (!f) {
            count(ns, link_drop_budget);
            err = -LINUX_ENOBUFS;
            break;
        }
        push_fragment(ns, f, h, at, at + n < p->len, id);
        count(ns, ip_out);
        err = neigh_send(path->nif, &path->next, f);
    }
    pkt_free(p);
    return err;
}

static void push(struct netstack *ns, struct pkt *p, const struct path *path, const struct ip_header *h) {
    if (ns_ip_is4(&h->dst))
        push4(ns, p, h, h->dont_fragment ? IP4_DF : 0);
    else
        push6(p, h, h->proto, path->nif->hops);
    p->l3 = p->off;
}

// RFC 1112 6.1, 7.2: a copy for the members here, whole.
static void loop_group(struct netstack *ns, const struct pkt *p, const struct path *path,
                       const struct ip_header *h) {
    bool wanted = !netif_is_loopback(path->nif) && group_member(path->nif, &h->dst);
    struct pkt *copy = wanted ? pkt_clone(p) : NULL;
    if (!copy)
        return;
    push(ns, copy, path, h);
    netif_loop_back(path->nif, copy);
}

// ---- Out --------------------------------------------------------------------------------------------------
static int output(struct netstack *ns, struct pkt *p, const struct path *path, const struct ip_header *h);

// By way of nftables' rules, which may have it go elsewhere.
static int output_filtered(struct netstack *ns, struct pkt *p, const struct path *path,
                           const struct ip_header *h) {
    struct path way = *path;
    struct ip_header header = *h;
    int err = nf_local_out(ns, p, &way, &header);
    return err < 0 ? err : output(ns, p, &way, &header);
}

int ip_output(struct netstack *ns, struct pkt *p, const struct path *path, const struct ip_header *h) {
    p->src = h->src;
    p->dst = h->dst;
    p->proto = h->proto;
    p->l4 = p->off;
    if (filter_on(ns, NS_OUTPUT) && !filter_out(p, path->nif))
        return -LINUX_EPERM;
    return nf_on_out(ns, ns_ip_is4(&h->dst)) ? output_filtered(ns, p, path, h) : output(ns, p, path, h);
}

static int output(struct netstack *ns, struct pkt *p, const struct path *path, const struct ip_header *h) {
    bool four = ns_ip_is4(&h->dst);
    uint32_t head = four ? IP4_LEN : IP6_LEN;
    if (h->loop)
        loop_group(ns, p, path, h);
    // RFC 1112 6.1: it does not leave the host
    if (h->group && h->ttl == 0 && !netif_is_loopback(path->nif)) {
        pkt_free(p);
        return 0;
    }
    if (p->len + head > path->mtu && !p->gso_size) {
        // The length that has to fit counts IPv4's own header (RFC 791), and not IPv6' (RFC 8200 4.5).
        if (h->dont_fragment || p->len + (four ? head : 0) > 65535) {
            count(ns, ip_drop_mtu);
            pkt_free(p);
            return -LINUX_EMSGSIZE;
        }
        return fragment(ns, p, path, h);
    }
    if (four && !h->dont_fragment)
        ns->ip_id++;
    push(ns, p, path, h);
    count(ns, ip_out);
    return neigh_send(path->nif, &path->next, p);
}
