// SPDX-License-Identifier: Apache-2.0
// See group.h: the messages of IGMP (RFC 1112, 2236, 3376) and MLD (RFC 2710, 3810), in and out. They are the
// same but for numbers, the length of an address, and the checksum. Lock: the stack's.
#include "netstack/core/addr.h"
#include "netstack/ip/group.h"
#include "netstack/ip/ip.h"
#include "netstack/link/netif.h"
#include "netstack/prot/checksum.h"

#define TENTH (NS_SEC / 10)

// ---- Out --------------------------------------------------------------------------------------------------
// RFC 3376 4.2.13: 0.0.0.0 while there is none. RFC 3810 5.2.13, RFC 3590: link-local, or :: while it is
// tentative.
static struct ns_ip source_for(struct netif *nif, bool four) {
    for (unsigned i = 0; i < nif->naddrs; i++) {
        const struct ifaddr *a = &nif->addrs[i];
        if (a->state == IFADDR_VALID && ns_ip_is4(&a->ip) == four && (four || ip_is_linklocal(&a->ip)))
            return a->ip;
    }
    return four ? ns_ip4(0, 0, 0, 0) : (struct ns_ip){{0}};
}

// Takes p, with the whole message in it.
static void emit(struct netif *nif, struct pkt *p, const struct ns_ip *dst) {
    bool four = ns_ip_is4(dst);
    struct ns_ip src = source_for(nif, four);
    struct path path = {nif, *dst, src, nif->config.mtu};
    struct ip_header h = {
        src, *dst, four ? PROTO_IGMP : PROTO_ICMP6, four ? 0xc0 : 0, 1, .router_alert = true};
    if (four) {
        uint16_t sum = csum_finish(pkt_csum(p, 0, 0));
        memcpy(pkt_head(p) + ICMP_CSUM, &sum, 2);
    } else {
        ip_start_csum(p, &h, ICMP_CSUM);
    }
    count(nif->ns, group_reports);
    ip_output(nif->ns, p, &path, &h);
}

// The first eight bytes, which all messages have in common; `last` is in their end.
static void push_header(struct pkt *p, uint8_t type, uint16_t last) {
    uint8_t *h = pkt_push(p, ICMP_LEN);
    memset(h, 0, ICMP_LEN);
    h[ICMP_TYPE] = type;
    put16(h + 6, last);
}

// A message of an older version: IGMP has the group where MLD has reserved bytes.
static void older(struct group *g, uint8_t type4, uint8_t type6, const struct ns_ip *dst) {
    bool four = ns_ip_is4(&g->ip);
    struct pkt *p = pkt_alloc(g->nif->ns);
    if (!p) {
        count(g->nif->ns, link_drop_budget);
        return;
    }
    if (four) {
        memcpy(pkt_push(p, 4), ip_v4(&g->ip), 4);
        put32(pkt_push(p, 4), (uint32_t)type4 << 24);
    } else {
        memcpy(pkt_push(p, 16), g->ip.b, 16);
        push_header(p, type6, 0);
    }
    emit(g->nif, p, dst);
}

void igmp_report(struct group *g) {
    bool first = group_version(&g->nif->group_routers[0]) == 1;
    older(g, first ? IGMP_V1_REPORT : IGMP_V2_REPORT, ICMP6_MLD_REPORT, &g->ip);
}

void igmp_done(struct group *g) {
    static const struct ns_ip routers = {{0xff, 0x02, [15] = 2}};
    struct ns_ip routers4 = ns_ip4(224, 0, 0, 2);
    older(g, IGMP_LEAVE, ICMP6_MLD_DONE, ns_ip_is4(&g->ip) ? &routers4 : &routers);
}

// Records in a buffer, at most one packet's: RFC 3376 4.2, RFC 3810 5.2.
struct report {
    struct netif *nif;
    bool four;
    struct buf *records;
    uint32_t n, most;
};

static struct report report_for(struct netif *nif, bool four, uint32_t groups) {
    uint32_t size = four ? 8 : 20, head = four ? IP4_LEN + 4 : IP6_LEN + 8;
    uint32_t most = (nif->config.mtu - head - ICMP_LEN) / size;
    most = groups < most ? groups : most;
    return (struct report){nif, four, most ? buf_alloc(nif->ns, most * size) : NULL, 0, most};
}

static void report_send(struct report *r) {
    static const struct ns_ip routers = {{0xff, 0x02, [15] = 0x16}};
    struct ns_ip routers4 = ns_ip4(224, 0, 0, 22);
    struct pkt *p = r->records && r->n ? pkt_alloc(r->nif->ns) : NULL;
    if (p) {
        pkt_attach(p, r->records, 0, r->records->fill);
        push_header(p, r->four ? IGMP_V3_REPORT : ICMP6_MLD2_REPORT, (uint16_t)r->n);
        emit(r->nif, p, r->four ? &routers4 : &routers);
    }
    if (r->records)
        buf_put(r->records);
    r->records = NULL;
}

static void report_add(struct report *r, const struct group *g, enum group_record type) {
    if (!r->records)
        return;
    uint8_t *at = r->records->data + r->records->fill;
    put32(at, (uint32_t)type << 24);  // no auxiliary data, no sources
    memcpy(at + 4, r->four ? ip_v4(&g->ip) : g->ip.b, r->four ? 4 : 16);
    r->records->fill += r->four ? 8 : 20;
    r->n++;
}

void igmp_record(struct group *g, enum group_record type) {
    struct report r = report_for(g->nif, ns_ip_is4(&g->ip), 1);
    report_add(&r, g, type);
    report_send(&r);
}

void igmp_all(struct group_router *router) {
    struct netif *nif = router->nif;
    struct group *g;
    struct report r = report_for(nif, router->four, nif->ngroups);
    list_for_each(g, &nif->groups, link) {
        if (ns_ip_is4(&g->ip) != router->four || !group_reportable(g) || group_left(g))
            continue;
        if (r.n == r.most) {
            report_send(&r);
            r = report_for(nif, router->four, nif->ngroups);
        }
        report_add(&r, g, RECORD_EXCLUDE);
    }
    report_send(&r);
}

// ---- In ---------------------------------------------------------------------------------------------------
// RFC 3376 4.1.1 and 4.1.7, RFC 3810 5.1.3: above a bound the number is a float of `mantissa` bits with three
// of exponent.
static uint32_t code(uint32_t v, unsigned mantissa) {
    uint32_t top = 1u << mantissa;
    return v < top << 3 ? v : ((v & (top - 1)) | top) << ((v >> mantissa & 7) + 3);
}

static bool malformed(struct pkt *p) {
    count(p->ns, group_drop_malformed);
    return false;
}

// What versions 3 and MLDv2 have behind an address: S and QRV, QQIC, the number of sources.
static void newest(const uint8_t *tail, struct group_query *q) {
    q->version = 3;
    q->robustness = tail[0] & 7;
    q->interval = code(tail[1], 4) * NS_SEC;
}

// RFC 3376 7.1: the version is told by length and code.
static bool query4(struct pkt *p, const uint8_t *h, struct group_query *q) {
    q->group = ip_from4(h + 4);
    q->version = h[1] ? 2 : 1;
    q->delay = h[1] ? h[1] * TENTH : 10 * NS_SEC;  // RFC 2236 4
    if (p->len >= 12) {
        newest(h + 8, q);
        q->delay = code(h[1], 4) * TENTH;
    } else if (p->len != 8) {
        return malformed(p);
    }
    bool all = ip_is_any(&q->group);
    // RFC 3376 9.1: one about all groups comes to all hosts.
    return (all ? ip_num4(&p->dst) == 0xe0000001 : ip_is_multicast(&q->group)) || malformed(p);
}

static bool query6(struct pkt *p, const uint8_t *h, struct group_query *q) {
    q->group = ip_from6(h + 8);
    q->version = 2;
    q->delay = get16(h + 4) * NS_MS;
    if (p->len >= 28) {
        newest(h + 24, q);
        q->delay = code(get16(h + 4), 12) * NS_MS;
    } else if (p->len != 24) {
        return malformed(p);
    }
    return ip_is_any(&q->group) || ip_is_multicast(&q->group) || malformed(p);
}

void igmp_input(struct pkt *p) {
    struct group_query q = {0};
    const uint8_t *h = pkt_peek(p, p->len >= 12 ? 12 : 8);
    count(p->ns, group_in);
    // RFC 3376 4: nothing of it is ever forwarded.
    if (!h || p->ttl != 1 || csum_finish(pkt_csum(p, 0, 0)) != 0) {
        malformed(p);
    } else if (h[0] == IGMP_QUERY) {
        if (query4(p, h, &q))
            group_query(&p->nif->group_routers[0], &q);
    } else if (h[0] == IGMP_V1_REPORT || h[0] == IGMP_V2_REPORT) {
        struct ns_ip group = ip_from4(h + 4);
        group_reported(p->nif, &group);
    } else {
        count(p->ns, group_drop_ignored);
    }
    pkt_free(p);
}

bool mld_type(uint8_t type) {
    return (type >= ICMP6_MLD_QUERY && type <= ICMP6_MLD_DONE) || type == ICMP6_MLD2_REPORT;
}

void mld_input(struct pkt *p, uint8_t type) {
    struct group_query q = {0};
    const uint8_t *h = pkt_peek(p, p->len >= 28 ? 28 : 24);
    count(p->ns, group_in);
    // RFC 3810 6.2, RFC 2710 5: from a neighbour, and with the router alert option.
    if (type == ICMP6_MLD2_REPORT || type == ICMP6_MLD_DONE) {
        count(p->ns, group_drop_ignored);
    } else if (!h || p->ttl != 1 || !p->alert || !ip_is_linklocal(&p->src) ||
               !(p->csum_good || ip_csum_ok(p))) {
        malformed(p);
    } else if (type == ICMP6_MLD_QUERY) {
        if (query6(p, h, &q))
            group_query(&p->nif->group_routers[1], &q);
    } else {
        struct ns_ip group = ip_from6(h + 8);
        group_reported(p->nif, &group);
    }
    pkt_free(p);
}
