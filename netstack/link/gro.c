// SPDX-License-Identifier: Apache-2.0
// See gro.h. Two segments continue each other when the second has the next sequence number and their headers
// are the same in all but that number, lengths, checksums, IPv4's identification and PSH: the same flow, ACK,
// window, options, ECN and TTL. So nothing is lost that TCP would have learnt from one of them. Only ACK and
// PSH may be set, and a run ends with PSH, a segment shorter than the first, or 64 KiB. Checksums are looked
// at before: a segment that is bad stands alone, and is counted where it is refused. Segments of other flows
// may stand between, but nothing else: within a flow, nothing is overtaken.
//
// Frames are read here in the memory of the stack's user, with each length compared first; the packet that is
// made is a copy, and is judged on its way up like any other. Lock: the stack's.
#include "netstack/link/gro.h"
#include "netstack/prot/checksum.h"
#include "netstack/prot/eth.h"
#include "netstack/prot/ip.h"
#include "netstack/prot/tcp.h"
#include "netstack/prot/wire.h"

// The IP header, without options or extensions; how long the packet is, 0: not one for us to join.
static uint32_t parse_ip(struct gro_segment *s, uint32_t n) {
    const uint8_t *ip = s->frame + s->l3;
    s->six = ip[0] >> 4 == 6;
    s->l4 = s->l3 + (s->six ? IP6_LEN : IP4_LEN);
    if (n < s->l4 + TCP_LEN)
        return 0;
    if (s->six)
        return ip[IP6_NEXT] == PROTO_TCP ? IP6_LEN + get16(ip + IP6_PAYLOAD) : 0;
    bool plain =
        ip[0] == 0x45 && !(get16(ip + IP4_FRAG) & (IP4_MF | IP4_OFFSET)) && ip[IP4_PROTO] == PROTO_TCP;
    return plain && csum(ip, IP4_LEN) == 0 ? get16(ip + IP4_TOTAL) : 0;
}

static void keep_same(struct gro_segment *s) {
    uint8_t *ip = s->same + s->l3, *tcp = s->same + s->l4;
    memcpy(s->same, s->frame, s->hlen);
    if (s->six) {
        memset(ip + IP6_PAYLOAD, 0, 2);
    } else {
        memset(ip + IP4_TOTAL, 0, 4);  // and the identification
        memset(ip + IP4_CSUM, 0, 2);
    }
    memset(tcp + TCP_SEQ, 0, 4);
    memset(tcp + TCP_CSUM, 0, 2);
    tcp[TCP_FLAGS] = TCP_ACK;
}

// Whether it is a segment that may be joined to another.
static bool gro_parse(const struct netif *nif, const struct ns_rx *rx, struct gro_segment *s) {
    s->frame = rx->frame;
    s->l3 = nif->config.kind == NETIF_ETHER ? ETH_LEN : 0;
    s->good = rx->flags & NS_CSUM_GOOD;
    if (rx->gso_size || rx->len < s->l3 + IP4_LEN || rx->len > s->l3 + 65535)
        return false;
    uint32_t total = parse_ip(s, (uint32_t)rx->len);
    const uint8_t *tcp = s->frame + s->l4;
    if (total > rx->len - s->l3 || s->l3 + total < s->l4 + TCP_LEN || (tcp[TCP_FLAGS] & ~TCP_PSH) != TCP_ACK)
        return false;
    if (s->l3 && get16(s->frame + ETH_TYPE) != (s->six ? ETH_TYPE_IP6 : ETH_TYPE_IP4))
        return false;
    s->hlen = s->l4 + (tcp[TCP_OFF] >> 4) * 4u;
    if (s->hlen < s->l4 + TCP_LEN || s->hlen >= s->l3 + total)
        return false;
    s->len = s->l3 + total - s->hlen;
    s->seq = get32(tcp + TCP_SEQ);
    s->push = tcp[TCP_FLAGS] & TCP_PSH;
    keep_same(s);
    return true;
}

static bool checksum_ok(const struct gro_segment *s) {
    const uint8_t *ip = s->frame + s->l3;
    uint32_t len = s->hlen - s->l4 + s->len;
    uint8_t tail[8] = {[7] = PROTO_TCP};
    put32(tail, len);
    uint64_t sum = csum_add(0, tail, sizeof tail, 0);
    sum = s->six ? csum_add(sum, ip + IP6_SRC, 32, 0) : csum_add(sum, ip + IP4_SRC, 8, 0);
    return s->good || csum_finish(csum_add(sum, s->frame + s->l4, len, 0)) == 0;
}

// The same addresses and ports.
static bool same_flow(const struct gro_segment *a, const struct gro_segment *b) {
    // up to the TCP header there is nothing but the addresses
    uint32_t at = a->l3 + (a->six ? IP6_SRC : IP4_SRC);
    return a->six == b->six && memcmp(a->same + at, b->same + at, a->l4 + TCP_SEQ - at) == 0;
}

// Which frames continue the i-th, itself included, how many bytes of data they have, and whether the last
// says PSH.
static uint32_t run_of(const struct gro *g, unsigned i, uint32_t *bytes, bool *push) {
    const struct gro_segment *first = &g->segments[i];
    uint32_t run = 1u << i;
    bool full = true;
    *bytes = first->len;
    *push = first->push;
    for (unsigned k = i + 1; k < g->n && full && !*push; k++) {
        const struct gro_segment *s = &g->segments[k];
        if (g->taken & 1u << k)
            continue;
        if (!s->ok)
            break;
        if (!same_flow(first, s))
            continue;
        bool next = s->hlen == first->hlen && s->seq == first->seq + *bytes && s->len <= first->len &&
                    memcmp(s->same, first->same, s->hlen) == 0 &&
                    first->hlen - first->l3 + *bytes + s->len <= 65535;
        if (!next || (run == 1u << i && !checksum_ok(first)) || !checksum_ok(s))
            break;
        *bytes += s->len;
        *push = s->push;
        full = s->len == first->len;
        run |= 1u << k;
    }
    return run;
}

static void patch_headers(uint8_t *h, const struct gro_segment *first, uint32_t bytes, bool push) {
    uint8_t *ip = h + first->l3;
    if (first->six) {
        put16(ip + IP6_PAYLOAD, (uint16_t)(first->hlen - first->l4 + bytes));
    } else {
        put16(ip + IP4_TOTAL, (uint16_t)(first->hlen - first->l3 + bytes));
        memset(ip + IP4_CSUM, 0, 2);
        uint16_t sum = csum(ip, IP4_LEN);
        memcpy(ip + IP4_CSUM, &sum, 2);
    }
    h[first->l4 + TCP_FLAGS] |= push ? TCP_PSH : 0;
}

void gro_look(struct gro *g, const struct netif *nif, const struct ns_rx *rx, unsigned n) {
    g->n = n;
    g->taken = 0;
    for (unsigned i = 0; i < n; i++)
        g->segments[i].ok = n > 1 && gro_parse(nif, &rx[i], &g->segments[i]);
}

struct pkt *gro_join(struct gro *g, struct netstack *ns, unsigned i, unsigned *joined) {
    const struct gro_segment *first = &g->segments[i];
    uint32_t bytes = 0, run = 1u << i;
    bool push = false;
    *joined = 1;
    if (first->ok)
        run = run_of(g, i, &bytes, &push);
    struct pkt *p = run != 1u << i ? pkt_alloc(ns) : NULL;
    struct buf *b = p ? buf_alloc(ns, first->hlen + bytes) : NULL;
    if (!b) {
        pkt_free(p);
        return NULL;
    }
    memcpy(b->data, first->frame, first->hlen);
    patch_headers(b->data, first, bytes, push);
    b->fill = first->hlen;
    for (unsigned k = i; k < g->n; k++) {
        const struct gro_segment *s = &g->segments[k];
        if (!(run & 1u << k))
            continue;
        memcpy(b->data + b->fill, s->frame + s->hlen, s->len);
        b->fill += s->len;
    }
    p->off = 0;
    p->gso_size = (uint16_t)first->len;
    pkt_attach(p, b, 0, b->fill);
    buf_put(b);
    g->taken |= run;
    *joined = (unsigned)__builtin_popcount(run);
    return p;
}
