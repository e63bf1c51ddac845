// SPDX-License-Identifier: Apache-2.0
// See forward.h. What came in as one long TCP segment (the link had joined it) is cut again before it is sent
// on. Called by ip4_input() and ip6_input(); the packet goes on to neigh/neigh.c. Lock: the stack's.
// LIMIT: no redirects are sent, hop-by-hop options of what is forwarded are not looked at, and groups are not
// routed.
#include "netstack/ip/forward.h"
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/filter/hooks.h"
#include "netstack/ip/icmp.h"
#include "netstack/ip/ip.h"
#include "netstack/ip/route.h"
#include "netstack/link/netif.h"
#include "netstack/neigh/neigh.h"
#include "netstack/prot/checksum.h"
#include "netstack/prot/tcp.h"

static void drop(struct pkt *p) {
    count(p->ns, ip_drop_forward);
    pkt_free(p);
}

bool ip_is_later_fragment(const struct pkt *p) {
    return ns_ip_is4(&p->dst) && (get16(p->head + p->l3 + IP4_FRAG) & IP4_OFFSET);
}
static void refuse(struct pkt *p, enum icmp_kind kind, uint32_t argument) {
    if (!ip_is_later_fragment(p))
        icmp_error(p, kind, argument);
    drop(p);
}

static void sum_header(uint8_t *ip) {
    memset(ip + IP4_CSUM, 0, 2);
    uint16_t sum = csum(ip, (ip[0] & 15u) * 4);
    memcpy(ip + IP4_CSUM, &sum, 2);
}

// The IP header is in front again, one hop older.
static void age(struct pkt *p, bool four) {
    uint8_t *ip = pkt_push(p, (uint32_t)(p->off - p->l3));
    ip[four ? IP4_TTL : IP6_HOPS]--;
    if (four)
        sum_header(ip);
}

static int send_on(struct pkt *p, const struct path *path) {
    p->nif = path->nif;
    p->forwarded = true;
    count(p->ns, ip_forwarded);
    return neigh_send(path->nif, &path->next, p);
}

// A packet of p's first `head` bytes, which are in its head, and n bytes from offset `at`.
static struct pkt *piece(const struct pkt *p, uint32_t head, uint32_t at, uint32_t n) {
    struct pkt *f = pkt_part(p, at, n);
    if (!f)
        return NULL;
    pkt_copy(p, 0, pkt_push(f, head), head);
    f->l3 = f->off;
    f->l4 = (uint16_t)(f->off + (p->l4 - p->l3));
    return f;
}

// ---- TCP segments that were joined (gso_size) -------------------------------------------------------------
static void finish_segment(struct pkt *f, bool four, uint32_t ip, uint32_t at, bool last, unsigned i) {
    uint8_t *h = pkt_head(f), *tcp = h + ip;
    put32(tcp + TCP_SEQ, get32(tcp + TCP_SEQ) + at);
    if (!last)
        tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (i > 0)
        tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
    memset(tcp + TCP_CSUM, 0, 2);
    uint16_t sum = csum_finish(pkt_csum(f, ip, ip_pseudo(&f->src, &f->dst, PROTO_TCP, f->len - ip)));
    memcpy(tcp + TCP_CSUM, &sum, 2);
    if (four) {
        put16(h + IP4_TOTAL, (uint16_t)f->len);
        put16(h + IP4_ID, (uint16_t)(get16(h + IP4_ID) + i));
        sum_header(h);
    } else {
        put16(h + IP6_PAYLOAD, (uint16_t)(f->len - IP6_LEN));
    }
}

// The IP header is in front.
static void forward_joined(struct pkt *p, const struct path *path, bool four) {
    uint32_t ip = (uint32_t)(p->l4 - p->l3);
    uint8_t *h = p->proto == PROTO_TCP ? pkt_peek(p, ip + TCP_LEN) : NULL;
    uint32_t head = h ? ip + (h[ip + TCP_OFF] >> 4) * 4u : 0;
    if (head < ip + TCP_LEN || head > p->len || !pkt_peek(p, head) || head > PKT_ROOM - IP4_LEN) {
        drop(p);
        return;
    }
    uint32_t step = p->gso_size, total = p->len - head;
    unsigned i = 0;
    for (uint32_t at = 0; at < total; at += step, i++) {
        uint32_t n = total - at < step ? total - at : step;
        struct pkt *f = piece(p, head, head + at, n);
        if (!f) {
            count(p->ns, link_drop_budget);
            break;
        }
        finish_segment(f, four, ip, at, at + n == total, i);
        send_on(f, path);
    }
    pkt_free(p);
}

// Of each of them, with its header, which is in front.
static uint32_t segment_len(struct pkt *p) {
    const uint8_t *h = p->proto == PROTO_TCP ? pkt_peek(p, TCP_LEN) : NULL;
    return p->gso_size + (h ? (h[TCP_OFF] >> 4) * 4u : TCP_LEN);
}

// ---- Fragments --------------------------------------------------------------------------------------------
// The IP header is in front; options go along with each (RFC 791 would have some in the first alone).
static void forward_cut(struct pkt *p, const struct path *path) {
    uint32_t head = (uint32_t)(p->l4 - p->l3), step = (path->mtu - head) & ~7u, total = p->len - head;
    unsigned frag = get16(pkt_head(p) + IP4_FRAG);
    for (uint32_t at = 0; at < total; at += step) {
        uint32_t n = total - at < step ? total - at : step;
        bool more = at + n < total || (frag & IP4_MF);
        struct pkt *f = piece(p, head, head + at, n);
        if (!f) {
            count(p->ns, link_drop_budget);
            break;
        }
        put16(pkt_head(f) + IP4_TOTAL, (uint16_t)f->len);
        put16(pkt_head(f) + IP4_FRAG, (uint16_t)(((frag & IP4_OFFSET) + at / 8) | (more ? IP4_MF : 0)));
        sum_header(pkt_head(f));
        send_on(f, path);
    }
    pkt_free(p);
}

// ---- What came without a checksum -------------------------------------------------------------------------
// A link that says a checksum is good may have got the packet from a machine that never made it. The
// transport header is in front.
static void make_csum(struct pkt *p) {
    bool tcp = p->proto == PROTO_TCP, udp = p->proto == PROTO_UDP;
    uint32_t at = tcp ? TCP_CSUM : UDP_CSUM;
    bool part = ns_ip_is4(&p->dst) && (get16(p->head + p->l3 + IP4_FRAG) & (IP4_MF | IP4_OFFSET));
    uint8_t *h = !part && (tcp || udp) ? pkt_peek(p, tcp ? TCP_LEN : UDP_LEN) : NULL;
    if (!h || (udp && !h[at] && !h[at + 1]))  // RFC 768: none
        return;
    memset(h + at, 0, 2);
    uint16_t sum = csum_finish(pkt_csum(p, 0, ip_pseudo(&p->src, &p->dst, p->proto, p->len)));
    if (sum == 0 && udp)
        sum = 0xffff;
    memcpy(h + at, &sum, 2);
}

// ---- The way ----------------------------------------------------------------------------------------------
// Addresses that do not leave their link.
static bool stays(const struct pkt *p) {
    bool four = ns_ip_is4(&p->dst);
    return p->broadcast || netif_is_loopback(p->nif) || ip_is_any(&p->src) || ip_is_any(&p->dst) ||
           ip_is_multicast(&p->dst) || ip_is_limited_broadcast(&p->dst) ||
           (!four && (ip_is_linklocal(&p->src) || ip_is_linklocal(&p->dst)));
}

// nftables' rules for what is not ours; false: it is gone.
static bool filtered(struct pkt *p, const struct path *path, bool four) {
    if (nf_on(p->ns, four, NF_FORWARD) && !nf_hook(p, NF_FORWARD, p->nif, path->nif))
        return false;
    return !nf_on(p->ns, four, NF_POSTROUTING) || nf_hook(p, NF_POSTROUTING, NULL, path->nif);
}

void ip_forward(struct pkt *p) {
    bool four = ns_ip_is4(&p->dst);
    struct path path;
    if (stays(p)) {
        drop(p);
        return;
    }
    if (p->ttl <= 1) {
        refuse(p, ICMP_TTL, 0);
        return;
    }
    if (path_forward(p->ns, &p->dst, &path) < 0) {
        refuse(p, ICMP_NO_ROUTE, 0);
        return;
    }
    if (netif_is_broadcast(path.nif, &p->dst)) {  // RFC 2644
        drop(p);
        return;
    }
    uint32_t ip = (uint32_t)(p->off - p->l3), total = p->len + ip;
    bool joined = p->gso_size && p->len > p->gso_size;
    bool fits = (joined ? ip + segment_len(p) : total) <= path.mtu;
    bool may_cut = four && !(get16(p->head + p->l3 + IP4_FRAG) & IP4_DF) && !joined;
    if (!fits && !may_cut) {
        refuse(p, ICMP_TOO_BIG, path.mtu);
        return;
    }
    if (!filtered(p, &path, four))
        return;
    if (p->csum_good && !joined)
        make_csum(p);
    age(p, four);
    if (joined)
        forward_joined(p, &path, four);
    else if (!fits)
        forward_cut(p, &path);
    else
        send_on(p, &path);
}
