// SPDX-License-Identifier: Apache-2.0
// See icmp.h. Called by ip_deliver() for what comes in, by IP and UDP for errors to send. Lock: the stack's.
// LIMIT: redirects, source quench, timestamps, router discovery by ICMPv4 and parameter problems about our
// own packets are ignored; a redirect is a way to steal traffic.
#include "netstack/ip/icmp.h"
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/ip/ip.h"
#include "netstack/link/netif.h"
#include "netstack/neigh/neigh.h"
#include "netstack/prot/checksum.h"

// ---- Sending ----------------------------------------------------------------------------------------------
// An ICMP message whose header and body are in front of p. Takes p.
static void send_message(struct pkt *p, const struct ip_header *h, const struct path *path) {
    struct netstack *ns = p->ns;
    uint16_t sum;
    memset(pkt_head(p) + ICMP_CSUM, 0, 2);
    if (h->proto == PROTO_ICMP6) {
        ip_start_csum(p, h, ICMP_CSUM);
    } else {
        sum = csum_finish(pkt_csum(p, 0, 0));
        memcpy(pkt_head(p) + ICMP_CSUM, &sum, 2);
    }
    ip_output(ns, p, path, h);
}

// What an error quotes: from the IP header on, as much as the family allows (RFC 1812 4.3.2.3, RFC 4443 2.4
// c).
static struct pkt *quote(struct pkt *p, bool four) {
    struct netstack *ns = p->ns;
    uint32_t head = (uint32_t)(p->off - p->l3),
             most = (four ? 576 - IP4_LEN : IP6_MIN_MTU - IP6_LEN) - ICMP_LEN;
    uint32_t n = head + p->len < most ? head + p->len : most;
    struct pkt *e = pkt_alloc(ns);
    struct buf *b = e ? buf_alloc(ns, n) : NULL;
    if (!b) {
        pkt_free(e);
        return NULL;
    }
    memcpy(b->data, p->head + p->l3, head < n ? head : n);
    if (n > head)
        pkt_copy(p, 0, b->data + head, n - head);
    b->fill = n;
    pkt_attach(e, b, 0, n);
    buf_put(b);
    pkt_answers(e, p);
    return e;
}

static bool is_icmp_error(struct pkt *p) {
    if (p->proto == PROTO_ICMP) {
        uint8_t *h = pkt_peek(p, 1);
        return !h || (*h != ICMP_ECHO && *h != ICMP_ECHO_REPLY);
    }
    if (p->proto == PROTO_ICMP6) {
        uint8_t *h = pkt_peek(p, 1);
        return !h || *h < 128;
    }
    return false;
}

// RFC 1122 3.2.2, RFC 4443 2.4 (e).
static bool may_complain(struct pkt *p, enum icmp_kind kind) {
    if (ip_is_any(&p->src) || ip_is_multicast(&p->src) || is_icmp_error(p))
        return false;
    if ((p->broadcast || ip_is_multicast(&p->dst)) && kind != ICMP_BAD_OPTION)
        return false;
    return true;
}

static const struct {
    uint8_t type4, code4, type6, code6;
} messages[] = {
    [ICMP_BAD_PROTO] = {ICMP_UNREACH, ICMP_UNREACH_PROTO, ICMP6_PARAM, ICMP6_PARAM_NEXT},
    [ICMP_BAD_PORT] = {ICMP_UNREACH, ICMP_UNREACH_PORT, ICMP6_UNREACH, ICMP6_UNREACH_PORT},
    [ICMP_REASSEMBLY] = {ICMP_TIME, ICMP_TIME_REASSEMBLY, ICMP6_TIME, ICMP_TIME_REASSEMBLY},
    [ICMP_BAD_FIELD] = {ICMP_PARAM, 0, ICMP6_PARAM, ICMP6_PARAM_FIELD},
    [ICMP_BAD_OPTION] = {ICMP_PARAM, 0, ICMP6_PARAM, ICMP6_PARAM_OPTION},
    [ICMP_TTL] = {ICMP_TIME, ICMP_TIME_TTL, ICMP6_TIME, ICMP_TIME_TTL},
    [ICMP_NO_ROUTE] = {ICMP_UNREACH, ICMP_UNREACH_NET, ICMP6_UNREACH, ICMP6_UNREACH_ROUTE},
    [ICMP_BAD_HOST] = {ICMP_UNREACH, ICMP_UNREACH_HOST, ICMP6_UNREACH, ICMP6_UNREACH_ADDR},
    [ICMP_TOO_BIG] = {ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, ICMP6_TOO_BIG, 0},
    [ICMP_PROHIBITED] = {ICMP_UNREACH, ICMP_UNREACH_ADMIN, ICMP6_UNREACH, ICMP6_UNREACH_ADMIN},
};

// `word`: what stands behind the checksum.
static void complain(struct pkt *p, uint8_t type, uint8_t code, uint32_t word) {
    struct netstack *ns = p->ns;
    bool four = ns_ip_is4(&p->src);
    struct path path;
    const struct ns_ip *src = netif_is_local(ns, &p->dst) ? &p->dst : NULL;  // one of a router's own
    if (path_find(ns, &p->src, src, &path) < 0)
        return;
    if (!netif_is_loopback(path.nif) && !bucket_take(ns, &ns->icmp_errors)) {
        count(ns, icmp_rate_limited);
        return;
    }
    struct pkt *e = quote(p, four);
    if (!e) {
        count(ns, link_drop_budget);
        return;
    }
    uint8_t *h = pkt_push(e, ICMP_LEN);
    memset(h, 0, ICMP_LEN);
    h[ICMP_TYPE] = type;
    h[ICMP_CODE] = code;
    put32(h + 4, word);
    struct ip_header ip = {path.src, p->src, four ? PROTO_ICMP : PROTO_ICMP6, four ? 0xc0 : 0, 0, false};
    count(ns, icmp_errors_out);
    send_message(e, &ip, &path);
}

void icmp_error(struct pkt *p, enum icmp_kind kind, uint32_t argument) {
    bool four = ns_ip_is4(&p->src);
    uint8_t type = four ? messages[kind].type4 : messages[kind].type6;
    bool word = kind == ICMP_TOO_BIG || (!four && type == ICMP6_PARAM);
    if (may_complain(p, kind))
        complain(p, type, four ? messages[kind].code4 : messages[kind].code6, word ? argument : 0);
}
void icmp_unreachable(struct pkt *p, uint8_t code) {
    if (may_complain(p, ICMP_PROHIBITED))
        complain(p, ns_ip_is4(&p->src) ? ICMP_UNREACH : ICMP6_UNREACH, code, 0);
}

// A packet with p's data and room for headers in front. What lies in p's head goes into a buffer of its own.
static struct pkt *share_data(struct pkt *p) {
    struct pkt *r = pkt_alloc(p->ns);
    struct buf *b = r && p->hlen ? buf_alloc(p->ns, p->hlen) : NULL;
    bool ok = r && (b || !p->hlen);
    if (b) {
        memcpy(b->data, pkt_head(p), p->hlen);
        b->fill = p->hlen;
        pkt_attach(r, b, 0, p->hlen);
        buf_put(b);
    }
    for (unsigned i = 0; ok && i < p->nfrags; i++)
        ok = pkt_attach(r, p->frags[i].buf, p->frags[i].off, p->frags[i].len);
    if (!ok) {
        pkt_free(r);
        return NULL;
    }
    return r;
}

// The answer shares the question's data. p's ICMP header has been pulled.
static void echo(struct pkt *p, const uint8_t *request, uint8_t type) {
    struct netstack *ns = p->ns;
    struct path path;
    const struct ns_ip *src = ip_is_multicast(&p->dst) || p->broadcast ? NULL : &p->dst;
    if (path_find(ns, &p->src, src, &path) < 0)
        return;
    if (!netif_is_loopback(path.nif) && !bucket_take(ns, &ns->icmp_replies)) {
        count(ns, icmp_rate_limited);
        return;
    }
    struct pkt *r = share_data(p);
    if (!r) {
        count(ns, link_drop_budget);
        return;
    }
    uint8_t *h = pkt_push(r, ICMP_LEN);
    memcpy(h, request, ICMP_LEN);
    h[ICMP_TYPE] = type;
    h[ICMP_CODE] = 0;
    struct ip_header ip = {path.src, p->src, p->proto, p->tos, 0, false};
    count(ns, icmp_echo);
    send_message(r, &ip, &path);
}

// ---- Errors that came in ----------------------------------------------------------------------------------
struct meaning {
    int err;
    bool hard;
};

// RFC 1122 3.2.2.1 and 4.2.3.9: protocol and port unreachable, and administrative ones, end a connection's
// attempt.
static struct meaning meaning4(uint8_t type, uint8_t code) {
    if (type != ICMP_UNREACH)
        return (struct meaning){LINUX_EHOSTUNREACH, false};
    switch (code) {
    case 0:
    case 6:
    case 11:
        return (struct meaning){LINUX_ENETUNREACH, false};
    case ICMP_UNREACH_PROTO:
        return (struct meaning){LINUX_ENOPROTOOPT, true};
    case ICMP_UNREACH_PORT:
        return (struct meaning){LINUX_ECONNREFUSED, true};
    case ICMP_UNREACH_NEEDFRAG:
        return (struct meaning){LINUX_EMSGSIZE, false};
    case ICMP_UNREACH_NET_ADMIN:
        return (struct meaning){LINUX_ENETUNREACH, true};
    case ICMP_UNREACH_HOST_ADMIN:
    case ICMP_UNREACH_ADMIN:
        return (struct meaning){LINUX_EHOSTUNREACH, true};
    default:
        return (struct meaning){LINUX_EHOSTUNREACH, false};
    }
}

static struct meaning meaning6(uint8_t type, uint8_t code) {
    if (type == ICMP6_TOO_BIG)
        return (struct meaning){LINUX_EMSGSIZE, false};
    if (type == ICMP6_PARAM)
        return (struct meaning){LINUX_EPROTO, code == ICMP6_PARAM_NEXT};
    if (type != ICMP6_UNREACH)
        return (struct meaning){LINUX_EHOSTUNREACH, false};
    switch (code) {
    case 0:
        return (struct meaning){LINUX_ENETUNREACH, false};
    case ICMP6_UNREACH_ADMIN:
        return (struct meaning){LINUX_EACCES, true};
    case ICMP6_UNREACH_PORT:
        return (struct meaning){LINUX_ECONNREFUSED, true};
    default:
        return (struct meaning){LINUX_EHOSTUNREACH, false};
    }
}

// RFC 1191 5: a router that says nothing of the size; the next plateau below what was sent.
static uint32_t plateau(uint32_t sent) {
    static const uint16_t table[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i] < sent)
            return table[i];
    return IP4_MIN_MTU;
}

bool icmp_is_error(bool four, uint8_t type) {
    return four ? type == ICMP_UNREACH || type == ICMP_TIME || type == ICMP_PARAM : type < ICMP6_ECHO;
}

bool icmp_quote(struct pkt *p, uint32_t at, bool four, struct icmp_quote *q) {
    uint8_t *h = pkt_peek(p, at + (four ? IP4_LEN : IP6_LEN));
    if (!h || h[at] >> 4 != (four ? 4 : 6))
        return false;
    uint32_t n = four ? (h[at] & 15u) * 4 : IP6_LEN;
    if (n < IP4_LEN || !(h = pkt_peek(p, at + n + 8)))
        return false;
    h += at;
    if (four && (get16(h + IP4_FRAG) & IP4_OFFSET))
        return false;
    q->src = four ? ip_from4(h + IP4_SRC) : ip_from6(h + IP6_SRC);
    q->dst = four ? ip_from4(h + IP4_DST) : ip_from6(h + IP6_DST);
    q->proto = four ? h[IP4_PROTO] : h[IP6_NEXT];
    q->ip = h;
    q->l4 = h + n;
    return true;
}

static void error_input(struct pkt *p, const uint8_t *h, bool four) {
    struct netstack *ns = p->ns;
    struct meaning m = four ? meaning4(h[ICMP_TYPE], h[ICMP_CODE]) : meaning6(h[ICMP_TYPE], h[ICMP_CODE]);
    struct ip_error e = {.err = m.err, .hard = m.hard, .type = h[ICMP_TYPE], .code = h[ICMP_CODE]};
    if (m.err == LINUX_EMSGSIZE)
        e.mtu = four ? get16(h + ICMP_MTU) : get32(h + 4);
    struct icmp_quote q;
    if (!icmp_quote(p, 0, four, &q) || !netif_is_local(ns, &q.src)) {  // not about a packet of ours
        count(ns, icmp_drop_unmatched);
        return;
    }
    e.src = q.src;
    e.dst = q.dst;
    e.proto = q.proto;
    e.l4 = q.l4;
    e.l4_at = (uint32_t)(q.l4 - q.ip);
    e.icmp = p;
    if (e.err == LINUX_EMSGSIZE && e.mtu == 0)
        e.mtu = plateau(four ? get16(q.ip + IP4_TOTAL) : IP6_MIN_MTU);
    uint64_t before = ns->stats[STAT_icmp_errors_in];
    ip_report(ns, &e);
    if (ns->stats[STAT_icmp_errors_in] == before)
        count(ns, icmp_drop_unmatched);
}

// ---- In ---------------------------------------------------------------------------------------------------
static const uint8_t *header(struct pkt *p) {
    bool good =
        p->csum_good || (p->proto == PROTO_ICMP ? csum_finish(pkt_csum(p, 0, 0)) == 0 : ip_csum_ok(p));
    const uint8_t *h = good ? pkt_pull(p, ICMP_LEN) : NULL;
    count(p->ns, icmp_in);
    if (!h)
        count(p->ns, icmp_drop_malformed);
    return h;
}

void icmp_input(struct pkt *p) {
    const uint8_t *h = header(p);
    if (!h) {
        pkt_free(p);
        return;
    }
    switch (h[ICMP_TYPE]) {
    case ICMP_ECHO:
        // RFC 1122 3.2.2.6: one to a broadcast address may be ignored; an amplifier is nobody's friend.
        if ((p->broadcast && !p->ns->echo_to_all) || h[ICMP_CODE] != 0)
            count(p->ns, icmp_drop_ignored);
        else
            echo(p, h, ICMP_ECHO_REPLY);
        break;
    case ICMP_UNREACH:
    case ICMP_TIME:
        error_input(p, h, true);
        break;
    default:
        count(p->ns, icmp_drop_ignored);
    }
    pkt_free(p);
}

void icmp6_input(struct pkt *p) {
    uint8_t *first = pkt_peek(p, 1);
    if (first && *first >= ICMP6_RS && *first <= ICMP6_NA) {
        count(p->ns, icmp_in);
        ndp_input(p, *first);
        return;
    }
    if (first && mld_type(*first)) {
        mld_input(p, *first);
        return;
    }
    const uint8_t *h = header(p);
    if (!h) {
        pkt_free(p);
        return;
    }
    switch (h[ICMP_TYPE]) {
    case ICMP6_ECHO:
        echo(p, h, ICMP6_ECHO_REPLY);
        break;
    case ICMP6_UNREACH:
    case ICMP6_TOO_BIG:
    case ICMP6_TIME:
    case ICMP6_PARAM:
        error_input(p, h, false);
        break;
    default:
        count(p->ns, icmp_drop_ignored);
    }
    pkt_free(p);
}
