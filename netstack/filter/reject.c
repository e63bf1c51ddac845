// SPDX-License-Identifier: Apache-2.0
// What the sender of a packet is told that a rule rejects: an ICMP error, or for TCP a reset. Both belong to
// the packet's connection, so that they are translated as its answers are.
#include "netstack/filter/nf.h"
#include "netstack/ip/icmp.h"
#include "netstack/ip/ip.h"
#include "netstack/link/netif.h"
#include "netstack/prot/tcp.h"

// ---- A reset ----------------------------------------------------------------------------------------------
// RFC 9293 3.10.7.1, for a segment that we do not let pass. False: it is one itself.
static bool fill_reset(struct nf_pkt *k, const uint8_t *seg, uint8_t *h) {
    uint8_t flags = seg[TCP_FLAGS];
    uint32_t hlen = (seg[TCP_OFF] >> 4) * 4u, total = k->p->len - k->th;
    if ((flags & TCP_RST) || hlen > total)
        return false;
    memset(h, 0, TCP_LEN);
    memcpy(h + TCP_SPORT, seg + TCP_DPORT, 2);
    memcpy(h + TCP_DPORT, seg + TCP_SPORT, 2);
    h[TCP_OFF] = TCP_LEN / 4 << 4;
    h[TCP_FLAGS] = TCP_RST;
    if (flags & TCP_ACK) {
        memcpy(h + TCP_SEQ, seg + TCP_ACKNO, 4);
        return true;
    }
    h[TCP_FLAGS] |= TCP_ACK;
    put32(h + TCP_ACKNO, get32(seg + TCP_SEQ) + total - hlen + !!(flags & TCP_SYN) + !!(flags & TCP_FIN));
    return true;
}
static void reset(struct nf_pkt *k) {
    struct netstack *ns = k->ns;
    const uint8_t *seg = k->proto == PROTO_TCP ? nf_transport(k, TCP_LEN) : NULL;
    struct ip_header h = {k->p->dst, k->p->src, PROTO_TCP, 0, 0, true};
    struct path path;
    bool ours = netif_is_local(ns, &h.src), own = k->hook == NF_OUTPUT;
    int err =
        ours || own ? path_find(ns, &h.dst, ours ? &h.src : NULL, &path) : path_forward(ns, &h.dst, &path);
    struct pkt *p = seg && err == 0 ? pkt_alloc(ns) : NULL;
    if (!p)
        return;
    if (!fill_reset(k, seg, pkt_push(p, TCP_LEN))) {
        pkt_free(p);
        return;
    }
    pkt_answers(p, k->p);
    ip_start_csum(p, &h, TCP_CSUM);
    count(ns, tcp_resets_out);
    ip_output(ns, p, &path, &h);
}

// ---- An error ---------------------------------------------------------------------------------------------
static void unreachable(struct nf_pkt *k, uint8_t code) {
    if (k->hook != NF_OUTPUT) {
        icmp_unreachable(k->p, code);
        return;
    }
    // One of our own has no header yet, and what we are told comes over loopback.
    struct pkt *p = pkt_clone(k->p);
    if (!p)
        return;
    memcpy(pkt_push(p, k->nh_len), k->nh, k->nh_len);
    p->l3 = p->off;
    pkt_skip(p, k->nh_len);
    icmp_unreachable(p, code);
    pkt_free(p);
}
void nf_reject(struct nf_pkt *k, uint32_t type, uint32_t code) {
    // NFT_REJECT_ICMPX_*: no route, port, host, prohibited
    static const uint8_t four[] = {0, 3, 1, 13}, six[] = {0, 4, 3, 1};
    if (k->fragment)
        return;
    if (type == NF_REJECT_RST)
        reset(k);
    else if (type == NF_REJECT_ICMPX)
        unreachable(k, k->four ? four[code & 3] : six[code & 3]);
    else
        unreachable(k, (uint8_t)code);
}
