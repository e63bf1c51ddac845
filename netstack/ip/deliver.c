// SPDX-License-Identifier: Apache-2.0
// Between IP and what is over it: packets go up, and errors about packets that were sent, by a table in which
// each protocol is entered (ip_register). Lock: the stack's.
#include "netstack/core/addr.h"
#include "netstack/filter/hooks.h"
#include "netstack/ip/filter.h"
#include "netstack/ip/forward.h"
#include "netstack/ip/icmp.h"
#include "netstack/ip/ip.h"
#include "netstack/prot/checksum.h"

void ip_register(struct netstack *ns, uint8_t proto, const struct ip_proto *p) {
    invariant(!ns->protos[proto]);
    ns->protos[proto] = p;
}

void ip_deliver(struct pkt *p) {
    struct netstack *ns = p->ns;
    if (filter_on(ns, NS_INPUT) && !filter_in(p))
        return;
    if (nf_on(ns, ns_ip_is4(&p->dst), NF_INPUT) && !nf_hook(p, NF_INPUT, p->nif, NULL))
        return;
    count(ns, ip_delivered);
    bool raw = !list_empty(&ns->raws) && ns->upper->raw(p);
    const struct ip_proto *proto = ns->protos[p->proto];
    if (proto && (ns_ip_is4(&p->dst) ? proto->over4 : proto->over6)) {
        proto->input(p);
        return;
    }
    if (!raw) {
        count(ns, proto_drop_unknown);
        icmp_error(p, ICMP_BAD_PROTO, p->named_at);
    }
    pkt_free(p);
}

bool ip_csum_ok(const struct pkt *p) {
    return csum_finish(pkt_csum(p, 0, ip_pseudo(&p->src, &p->dst, p->proto, p->len))) == 0;
}

// ---- Errors -----------------------------------------------------------------------------------------------
void ip_report(struct netstack *ns, const struct ip_error *e) {
    const struct ip_proto *proto = ns->protos[e->proto];
    if (proto && proto->error)
        proto->error(ns, e);
    if (!list_empty(&ns->raws))
        ns->upper->raw_error(ns, e);
}

void ip_undeliverable(struct pkt *p, int err) {
    struct ip_error e = {.src = p->src, .dst = p->dst, .proto = p->proto, .l4 = p->head + p->l4, .err = err};
    if (p->forwarded) {  // its sender is elsewhere
        pkt_skip(p, (uint32_t)(p->l4 - p->l3));
        if (!ip_is_later_fragment(p))
            icmp_error(p, ICMP_BAD_HOST, 0);
        pkt_free(p);
        return;
    }
    if (p->l4 && p->l4 + 8 <= p->off + p->hlen)
        ip_report(p->ns, &e);
    pkt_free(p);
}
