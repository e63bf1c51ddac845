// SPDX-License-Identifier: Apache-2.0
// Address translation: a rule (or, without one, nothing) decides for the first packet of a connection how it
// looks behind us, by changing the tuple that answers will have; from then on each packet is changed so that
// it fits. Destinations before routing, sources behind it. A source that another connection uses with the
// same peer gets another port.
#include "netstack/filter/nf.h"
#include "netstack/ip/ip.h"
#include "netstack/ip/route.h"
#include "netstack/link/netif.h"
#include "netstack/prot/checksum.h"
#include "netstack/prot/tcp.h"

#define PORT_TRIES 256

static uint32_t done_bit(enum nf_manip m) { return m == NF_MANIP_SRC ? NF_IPS_SRC_DONE : NF_IPS_DST_DONE; }
static uint32_t nat_bit(enum nf_manip m) { return m == NF_MANIP_SRC ? NF_IPS_SRC_NAT : NF_IPS_DST_NAT; }
static bool has_ports(uint16_t proto) { return proto == PROTO_TCP || proto == PROTO_UDP; }
static bool has_id(uint16_t proto) { return proto == PROTO_ICMP || proto == PROTO_ICMP6; }

// ---- What a connection becomes ----------------------------------------------------------------------------
static bool taken(struct nf_conn *c, const struct nf_tuple *t) {
    struct nf_tuple reply = tuple_turn(t);
    int dir;
    return ct_find(c->ns, &reply, &dir) != NULL;
}
static void set_port(struct nf_tuple *t, enum nf_manip m, uint16_t port) {
    if (has_id(t->proto))
        t->sport = t->dport = port;
    else if (m == NF_MANIP_SRC)
        t->sport = port;
    else
        t->dport = port;
}
static uint16_t port_of(const struct nf_tuple *t, enum nf_manip m) {
    return m == NF_MANIP_SRC ? t->sport : t->dport;
}
// The ports to choose from, when a rule does not say (Linux: nf_nat_l4proto_unique_tuple).
static void own_ports(const struct nf_tuple *t, uint32_t *low, uint32_t *high) {
    bool id = has_id(t->proto);
    *low = id ? 0 : 1024;
    *high = 65535;
    if (!id && t->sport < 512) {
        *low = 1;
        *high = 511;
    } else if (!id && t->sport < 1024) {
        *low = 600;
        *high = 1023;
    }
}
static bool find_port(struct nf_conn *c, struct nf_tuple *t, enum nf_manip m, const struct nf_range *r) {
    bool given = r && (r->flags & NF_RANGE_PORTS);
    uint32_t low = 0, high = 0;
    if (!has_ports(t->proto) && !has_id(t->proto))
        return !taken(c, t);
    if (given) {
        low = r->port_min;
        high = r->port_max;
    } else if (m == NF_MANIP_DST) {
        return true;  // its port stays
    } else {
        own_ports(t, &low, &high);
    }
    uint32_t n = high - low + 1, at = n > 1 ? stack_random(c->ns) % n : 0;
    for (uint32_t i = 0; i < n && i < PORT_TRIES; i++, at++) {
        set_port(t, m, (uint16_t)(low + at % n));
        if (!taken(c, t))
            return true;
    }
    return false;
}
static bool port_stays(struct nf_conn *c, const struct nf_tuple *t, enum nf_manip m,
                       const struct nf_range *r) {
    uint32_t flags = r ? r->flags : 0;
    if (flags & (NF_RANGE_RANDOM | NF_RANGE_FULLY))
        return false;
    uint16_t port = port_of(t, m);
    if ((flags & NF_RANGE_PORTS) && (port < r->port_min || port > r->port_max))
        return false;
    return ((flags & NF_RANGE_PORTS) && r->port_min == r->port_max) || !taken(c, t);
}
// One of the range's addresses, the same for the same client.
static struct ns_ip pick(struct netstack *ns, const struct nf_tuple *t, const struct nf_range *r) {
    struct ns_ip ip = r->min;
    uint32_t low = get32(r->min.b + 12), high = get32(r->max.b + 12);
    if (memcmp(r->min.b, r->max.b, 12) == 0 && high > low) {
        uint64_t n = (uint64_t)high - low + 1;
        put32(ip.b + 12, low + (uint32_t)(siphash_slot(&ns->key, &t->src, sizeof t->src) % n));
    }
    return ip;
}
int nat_setup(struct nf_pkt *k, enum nf_manip m, const struct nf_range *r) {
    struct nf_conn *c = ct_of(k->p);
    if (!c || (c->status & (done_bit(m) | NF_IPS_CONFIRMED)))
        return NF_ACCEPT;
    struct nf_tuple was = tuple_turn(&c->end[NF_REPLY].t), t = was;
    if (r && (r->flags & NF_RANGE_IPS)) {
        struct ns_ip ip = pick(k->ns, &t, r);
        if (m == NF_MANIP_SRC)
            t.src = ip;
        else
            t.dst = ip;
    }
    if (!port_stays(c, &t, m, r) && !find_port(c, &t, m, r))
        return NF_DROP;
    if (memcmp(&t, &was, sizeof t) != 0) {
        c->end[NF_REPLY].t = tuple_turn(&t);
        c->status |= nat_bit(m);
    }
    c->status |= done_bit(m);
    return NF_ACCEPT;
}
int nat_masquerade(struct nf_pkt *k, struct nf_range *r) {
    struct path path;
    if (!k->out || path_find_on(k->ns, (struct netif *)k->out, &k->p->dst, NULL, &path) < 0)
        return NF_DROP;
    r->flags |= NF_RANGE_IPS;
    r->min = r->max = path.src;
    return nat_setup(k, NF_MANIP_SRC, r);
}
static bool own_address(const struct nf_pkt *k, struct ns_ip *ip) {
    static const struct ns_ip six = {.b = {[15] = 1}};
    if (k->hook == NF_OUTPUT) {
        *ip = k->four ? ns_ip4(127, 0, 0, 1) : six;
        return true;
    }
    for (unsigned i = 0; k->in && i < k->in->naddrs; i++) {
        const struct ifaddr *a = &k->in->addrs[i];
        *ip = a->ip;
        if (a->state == IFADDR_VALID && ns_ip_is4(ip) == k->four)
            return true;
    }
    return false;
}
int nat_redirect(struct nf_pkt *k, struct nf_range *r) {
    if (!own_address(k, &r->min))
        return NF_DROP;
    r->max = r->min;
    r->flags |= NF_RANGE_IPS;
    return nat_setup(k, NF_MANIP_DST, r);
}

// ---- What a rule says -------------------------------------------------------------------------------------
static struct ns_ip address_in(const struct nf_pkt *k, uint32_t reg) {
    const uint8_t *b = (const uint8_t *)&k->regs[reg];
    return k->four ? ip_from4(b) : ip_from6(b);
}
static uint16_t port_in(const struct nf_pkt *k, uint32_t reg) {
    return get16((const uint8_t *)&k->regs[reg]);
}

int nf_nat_expr(struct nf_pkt *k, const struct nf_expr *x) {
    struct nf_range r = {.flags = x->nat.flags & NF_RANGE_MASK};
    r.flags &= ~(NF_RANGE_IPS | NF_RANGE_PORTS);
    if (x->nat.port_min) {
        r.port_min = port_in(k, x->nat.port_min);
        r.port_max = x->nat.port_max ? port_in(k, x->nat.port_max) : r.port_min;
        if (r.port_max < r.port_min)
            r.port_max = r.port_min;
        r.flags |= NF_RANGE_PORTS;
    }
    if (x->kind == NF_X_MASQ)
        return nat_masquerade(k, &r);
    if (x->kind == NF_X_REDIR)
        return nat_redirect(k, &r);
    if (x->nat.family != (k->four ? NF_IPV4 : NF_IPV6))
        return NF_BREAK;
    if (x->nat.addr_min) {
        r.min = address_in(k, x->nat.addr_min);
        r.max = x->nat.addr_max ? address_in(k, x->nat.addr_max) : r.min;
        r.flags |= NF_RANGE_IPS;
    }
    return nat_setup(k, x->nat.type ? NF_MANIP_DST : NF_MANIP_SRC, &r);
}

// ---- What a packet becomes --------------------------------------------------------------------------------
static void adjust(uint8_t *check, const uint8_t *was, const uint8_t *is, unsigned n) {
    uint16_t sum, a, b;
    memcpy(&sum, check, 2);
    for (unsigned i = 0; i < n; i += 2) {
        memcpy(&a, was + i, 2);
        memcpy(&b, is + i, 2);
        sum = csum_update(sum, a, b);
    }
    memcpy(check, &sum, 2);
}
// The transport's checksum, when it is complete and there is one.
static uint8_t *sum_of(struct nf_pkt *k, uint8_t *l4, bool addresses) {
    if (!l4 || k->p->csum_start)  // made later, over what is then there
        return NULL;
    switch (k->proto) {
    case PROTO_TCP:
        return l4 + TCP_CSUM;
    case PROTO_UDP:
        return l4[UDP_CSUM] || l4[UDP_CSUM + 1] ? l4 + UDP_CSUM : NULL;
    case PROTO_ICMP6:
        return l4 + ICMP_CSUM;
    case PROTO_ICMP:
        return addresses ? NULL : l4 + ICMP_CSUM;
    default:
        return NULL;
    }
}
static uint8_t *l4_of(struct nf_pkt *k) {
    switch (k->proto) {
    case PROTO_TCP:
        return nf_transport(k, TCP_LEN);
    case PROTO_UDP:
        return nf_transport(k, UDP_LEN);
    case PROTO_ICMP:
    case PROTO_ICMP6:
        return nf_transport(k, ICMP_LEN);
    default:
        return NULL;
    }
}
static void never_zero(struct nf_pkt *k, uint8_t *sum) {
    if (sum && k->proto == PROTO_UDP && !sum[0] && !sum[1])
        memset(sum, 0xff, 2);  // RFC 768: 0 says that there is none
}
static unsigned address_at(bool four, bool src) {
    if (four)
        return src ? IP4_SRC : IP4_DST;
    return src ? IP6_SRC : IP6_DST;
}
static void set_address(struct nf_pkt *k, uint8_t *l4, bool src, const struct ns_ip *ip) {
    struct ns_ip *at = src ? &k->p->src : &k->p->dst;
    unsigned skip = k->four ? 12 : 0, n = 16 - skip;
    uint8_t *field = k->nh + address_at(k->four, src);
    uint8_t *sum = sum_of(k, l4, true);
    if (sum)
        adjust(sum, at->b + skip, ip->b + skip, n);
    if (k->four)
        adjust(k->nh + IP4_CSUM, at->b + skip, ip->b + skip, n);
    never_zero(k, sum);
    memcpy(field, ip->b + skip, n);
    *at = *ip;
}
static void set_field(struct nf_pkt *k, uint8_t *l4, unsigned offset, uint16_t port) {
    uint8_t is[2], *sum = sum_of(k, l4, false);
    put16(is, port);
    if (sum)
        adjust(sum, l4 + offset, is, 2);
    never_zero(k, sum);
    memcpy(l4 + offset, is, 2);
}
static bool is_error(struct nf_pkt *k, struct nf_quoted *q) {
    return k->p->ct_state == NF_CT_RELATED && has_id(k->proto) && ct_quoted(k, q);
}
// What an ICMP error quotes has to look as its sender sent it. t: that, of the direction of the quoted
// packet.
static void set_quoted(struct nf_pkt *k, uint8_t *l4, const struct nf_quoted *q, bool src,
                       const struct nf_tuple *t) {
    uint8_t *icmp = pkt_peek(k->p, k->th + q->l4 + 8);
    if (!icmp)
        return;
    icmp += k->th;
    uint8_t *ip = icmp + q->ip, *inner = icmp + q->l4;
    const struct ns_ip *address = src ? &t->src : &t->dst;
    if (k->four) {
        uint8_t *field = ip + address_at(true, src);
        adjust(ip + IP4_CSUM, field, address->b + 12, 4);
        memcpy(field, address->b + 12, 4);
    } else {
        memcpy(ip + address_at(false, src), address->b, 16);
    }
    if (has_ports(t->proto))
        put16(inner + (src ? 0 : 2), src ? t->sport : t->dport);
    else if (has_id(t->proto))
        put16(inner + ICMP_ID, t->sport);
    if (k->p->csum_start)
        return;
    memset(l4 + ICMP_CSUM, 0, 2);
    uint64_t pseudo = k->four ? 0 : ip_pseudo(&k->p->src, &k->p->dst, PROTO_ICMP6, k->p->len - k->th);
    uint16_t sum = csum_finish(pkt_csum(k->p, k->th, pseudo));
    memcpy(l4 + ICMP_CSUM, &sum, 2);
}
bool nat_packet(struct nf_pkt *k, enum nf_manip m) {
    struct nf_conn *c = ct_of(k->p);
    unsigned dir = k->p->ct_dir;
    uint32_t bit = dir == NF_REPLY ? nat_bit(m) ^ NF_IPS_NAT : nat_bit(m);
    if (!c || !(c->status & bit))
        return true;
    struct nf_tuple t = tuple_turn(&c->end[!dir].t);
    struct nf_quoted q;
    bool src = m == NF_MANIP_SRC, error = is_error(k, &q);
    uint8_t *l4 = l4_of(k);
    if (!l4 && (has_ports(k->proto) || has_id(k->proto)))
        return false;
    set_address(k, l4, src, src ? &t.src : &t.dst);
    if (error)
        set_quoted(k, l4, &q, !src, &c->end[!dir].t);
    else if (has_ports(k->proto))
        set_field(k, l4, src ? 0 : 2, src ? t.sport : t.dport);
    else if (has_id(k->proto))
        set_field(k, l4, ICMP_ID, t.sport);
    return true;
}
