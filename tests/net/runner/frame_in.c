// SPDX-License-Identifier: Apache-2.0
// Packets from words: "in tcp SA seq=0 ack=1 mss=1460", with every field at a sane value until the line says
// otherwise. See netpkt.h; the fields are listed in tests/net/README.md.
#include "netstack/core/addr.h"
#include "netstack/prot/checksum.h"
#include "netstack/prot/eth.h"
#include "netstack/prot/ip.h"
#include "netstack/prot/tcp.h"
#include "tests/net/runner/netpkt.h"
#include <stdlib.h>
#include <string.h>

struct building {
    uint8_t b[MAX_FRAME];
    size_t len;
};
static struct building body, frame;

static void put(struct building *x, const void *p, size_t n) {
    if (x->len + n > sizeof x->b)
        abort();
    memcpy(x->b + x->len, p, n);
    x->len += n;
}

static struct ns_ip address(struct world *w, const char *name, struct ns_ip otherwise) {
    const char *text = key(w, name);
    if (text && !ns_ip_parse(text, &otherwise))
        fail(w, "not an address: %s", text);
    return otherwise;
}

static uint64_t sum_pseudo(const struct ns_ip *src, const struct ns_ip *dst, uint8_t proto, size_t len) {
    uint8_t tail[8] = {[7] = proto};
    unsigned skip = ns_ip_is4(src) ? 12 : 0;
    put32(tail, (uint32_t)len);
    uint64_t sum = csum_add(0, src->b + skip, 16 - skip, 0);
    return csum_add(csum_add(sum, dst->b + skip, 16 - skip, 0), tail, 8, 0);
}

// data=text, hex=bytes, or len=N of the pattern from `at` on.
static void payload(struct world *w, uint32_t at) {
    const char *text = key(w, "data"), *hex = key(w, "hex");
    uint8_t bytes[2048];
    if (text)
        put(&body, text, strlen(text));
    if (hex)
        put(&body, bytes, hex_bytes(w, hex, bytes, sizeof bytes));
    size_t n = key_number(w, "len", 0);
    for (size_t i = 0; i < n; i++) {
        uint8_t c = pattern(at + (uint32_t)i);
        put(&body, &c, 1);
    }
}

// ---- TCP --------------------------------------------------------------------------------------------------
uint8_t tcp_flags(struct world *w, const char *letters) {
    static const char all[] = "FSRPAUEC";
    uint8_t flags = 0;
    for (; *letters; letters++) {
        const char *p = strchr(all, *letters);
        if (!p)
            fail(w, "no TCP flag: %c", *letters);
        flags |= (uint8_t)(1u << (p - all));
    }
    return flags;
}

static void sack_option(struct world *w, const char *text, uint32_t base) {
    uint8_t o[40] = {1, 1, TCP_OPT_SACK, 2};
    size_t n = 4;
    char copy[200], *save;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *p = strtok_r(copy, ",", &save); p && n <= 32; p = strtok_r(NULL, ",", &save)) {
        char *dots = strstr(p, "..");
        if (!dots)
            fail(w, "not a block: %s", p);
        *dots = 0;
        put32(o + n, base + (uint32_t)number(w, p));
        put32(o + n + 4, base + (uint32_t)number(w, dots + 2));
        n += 8;
        o[3] = (uint8_t)(o[3] + 8);
    }
    put(&body, o, n);
}

static void timestamp_option(struct world *w, struct flow *f, bool syn) {
    const char *text = key(w, "ts");
    uint32_t val = (uint32_t)(w->now / 1000000), ecr = f->their_ts;
    if (!text && (!f->ts || has(w, "nots")))
        return;
    if (text) {
        char copy[64];
        snprintf(copy, sizeof copy, "%s", text);
        char *colon = strchr(copy, ':');
        if (colon) {
            *colon = 0;
            ecr = (uint32_t)number(w, colon + 1);
        }
        if (strcmp(copy, "now") != 0)
            val = (uint32_t)number(w, copy);
    }
    if (syn)
        f->ts = true;
    uint8_t o[12] = {1, 1, TCP_OPT_TS, 10};
    put32(o + 4, val);
    put32(o + 8, ecr);
    put(&body, o, 12);
}

static void tcp_options(struct world *w, struct flow *f, uint8_t flags) {
    uint8_t o[40];
    if (key(w, "mss")) {
        const uint8_t mss[4] = {TCP_OPT_MSS, 4, (uint8_t)(number(w, key(w, "mss")) >> 8),
                                (uint8_t)number(w, key(w, "mss"))};
        put(&body, mss, 4);
    }
    if (has(w, "sackok"))
        put(&body, (const uint8_t[]){1, 1, TCP_OPT_SACK_OK, 2}, 4);
    if (key(w, "ws"))
        put(&body, (const uint8_t[]){1, TCP_OPT_WSCALE, 3, (uint8_t)number(w, key(w, "ws"))}, 4);
    timestamp_option(w, f, flags & TCP_SYN);
    if (key(w, "sack"))
        sack_option(w, key(w, "sack"), f->our_isn);
    if (key(w, "rawopt"))
        put(&body, o, hex_bytes(w, key(w, "rawopt"), o, sizeof o));
    while (body.len % 4)
        put(&body, "", 1);
}

static void build_tcp(struct world *w, unsigned first, uint8_t *proto) {
    uint16_t sport = (uint16_t)key_number(w, "sport", 5000), dport = (uint16_t)key_number(w, "dport", 80);
    uint8_t flags = first + 1 < w->nwords && !strchr(w->words[first + 1], '=')
                        ? tcp_flags(w, strcmp(w->words[first + 1], "none") ? w->words[first + 1] : "")
                        : TCP_ACK;
    struct flow *f = flow_of(w, dport, sport, true);
    if (has(w, "new"))
        *f = (struct flow){.ours = dport, .peers = sport, .peer_isn = w->next_isn};
    uint32_t seq = f->peer_isn + (uint32_t)key_number(w, "seq", 0), ack = (uint32_t)key_number(w, "ack", 0);
    uint8_t h[TCP_LEN] = {0};
    put16(h + TCP_SPORT, sport);
    put16(h + TCP_DPORT, dport);
    put32(h + TCP_SEQ, seq);
    put32(h + TCP_ACKNO, key(w, "ack") && f->ours_known ? f->our_isn + ack : ack);
    h[TCP_FLAGS] = flags;
    put16(h + TCP_WIN, (uint16_t)key_number(w, "win", 65535));
    put16(h + TCP_URGPTR, (uint16_t)key_number(w, "urg", 0));
    put(&body, h, TCP_LEN);
    tcp_options(w, f, flags);
    body.b[TCP_OFF] = (uint8_t)(key_number(w, "doff", body.len / 4) << 4);
    payload(w, seq - f->peer_isn - 1);
    *proto = PROTO_TCP;
}

// ---- UDP, ICMP, neighbour discovery -----------------------------------------------------------------------
static void build_udp(struct world *w, uint8_t *proto) {
    uint8_t h[UDP_LEN] = {0};
    put16(h + UDP_SPORT, (uint16_t)key_number(w, "sport", 5000));
    put16(h + UDP_DPORT, (uint16_t)key_number(w, "dport", 53));
    put(&body, h, UDP_LEN);
    payload(w, 0);
    put16(body.b + UDP_TOTAL, (uint16_t)key_number(w, "ulen", body.len));
    *proto = PROTO_UDP;
}

// quote=last: the IP packet that the last "out" line saw; qseq=N changes its TCP number, qlen=N its length.
static void quote(struct world *w) {
    size_t at = w->ether ? ETH_LEN : 0, n = w->last_out_len - at;
    if (!key(w, "quote"))
        return;
    if (!w->last_out_len)
        fail(w, "nothing to quote");
    n = key_number(w, "qlen", n < 500 ? n : 500);
    if (n > w->last_out_len - at)
        n = w->last_out_len - at;
    size_t start = body.len;
    put(&body, w->last_out + at, n);
    uint8_t *q = body.b + start;
    size_t l4 = q[0] >> 4 == 4 ? (q[0] & 15u) * 4 : IP6_LEN;
    if (key(w, "qseq"))
        put32(q + l4 + TCP_SEQ, (uint32_t)number(w, key(w, "qseq")));
    if (key(w, "qsport"))
        put16(q + l4, (uint16_t)number(w, key(w, "qsport")));
    if (key(w, "qproto"))
        q[IP4_PROTO] = (uint8_t)number(w, key(w, "qproto"));
}

static void build_icmp(struct world *w, bool six, uint8_t *proto) {
    uint8_t h[ICMP_LEN] = {0};
    h[0] = (uint8_t)key_number(w, "type", six ? ICMP6_ECHO : ICMP_ECHO);
    h[1] = (uint8_t)key_number(w, "code", 0);
    put16(h + 4, (uint16_t)key_number(w, "id", 1));
    put16(h + 6, (uint16_t)key_number(w, "seq", 1));
    if (key(w, "quote"))
        put32(h + 4, (uint32_t)key_number(w, "mtu", 0));
    if (key(w, "word"))
        put32(h + 4, (uint32_t)number(w, key(w, "word")));
    put(&body, h, ICMP_LEN);
    quote(w);
    payload(w, 0);
    *proto = six ? PROTO_ICMP6 : PROTO_ICMP;
}

// ns, na: target=, slla or tlla= (hex), nflags=; ra: lifetime=, prefix=, plen=, pflags=, valid=, preferred=.
static void build_nd(struct world *w, uint8_t type, uint8_t *proto) {
    uint8_t h[16] = {type, (uint8_t)key_number(w, "code", 0)}, mac[8];
    h[4] = (uint8_t)key_number(w, "nflags", 0);
    if (type == ICMP6_RA) {
        h[4] = 64;
        put16(h + 6, (uint16_t)key_number(w, "lifetime", 1800));
        put(&body, h, 16);
    } else {
        struct ns_ip target = address(w, "target", our6);
        put(&body, h, 8);
        put(&body, target.b, 16);
    }
    const char *link = key(w, "lla");
    if (link) {
        put(&body, (const uint8_t[]){type == ICMP6_NA ? ND_OPT_TARGET : ND_OPT_SOURCE, 1}, 2);
        put(&body, mac, hex_bytes(w, link, mac, 6));
    }
    if (key(w, "prefix")) {
        struct ns_ip prefix = address(w, "prefix", our6);
        uint8_t o[16] = {ND_OPT_PREFIX, 4, (uint8_t)key_number(w, "plen", 64),
                         (uint8_t)key_number(w, "pflags", 0xc0)};
        put32(o + 4, (uint32_t)key_number(w, "valid", 86400));
        put32(o + 8, (uint32_t)key_number(w, "preferred", 14400));
        put(&body, o, 16);
        put(&body, prefix.b, 16);
    }
    payload(w, 0);
    *proto = PROTO_ICMP6;
}

// igmp, mld: a query unless type= says otherwise; code= is the time to answer in, group= none means all.
// `newest` is one of version 3 (MLDv2), with qrv= and qqic=.
static void build_group(struct world *w, bool six, uint8_t *proto) {
    uint8_t h[24] = {(uint8_t)key_number(w, "type", six ? ICMP6_MLD_QUERY : IGMP_QUERY)}, tail[4] = {0};
    uint64_t code = key_number(w, "code", six ? 10000 : 100);
    struct ns_ip group = address(w, "group", (struct ns_ip){{0}});
    if (six)
        put16(h + 4, (uint16_t)code);
    else
        h[1] = (uint8_t)code;
    memcpy(h + (six ? 8 : 4), group.b + (six ? 0 : 12), six ? 16 : 4);
    put(&body, h, six ? 24 : 8);
    tail[0] = (uint8_t)key_number(w, "qrv", 2);
    tail[1] = (uint8_t)key_number(w, "qqic", 125);
    if (has(w, "newest"))
        put(&body, tail, sizeof tail);
    payload(w, 0);
    *proto = six ? PROTO_ICMP6 : PROTO_IGMP;
}

// What these are sent with unless the line says otherwise: one hop, all hosts, link-local for IPv6.
static void group_addresses(struct world *w, bool six, struct ns_ip *src, struct ns_ip *dst) {
    static const struct ns_ip router = {{0xfe, 0x80, [15] = 2}}, nodes = {{0xff, 2, [15] = 1}};
    *src = address(w, "src", six ? router : peer4);
    *dst = address(w, "dst", six ? nodes : ns_ip4(224, 0, 0, 1));
}

static void build_arp(struct world *w, unsigned first) {
    uint8_t h[ARP_LEN] = {0};
    struct ns_ip spa = address(w, "spa", peer4), tpa = address(w, "tpa", our4);
    bool reply = first + 1 < w->nwords && strcmp(w->words[first + 1], "reply") == 0;
    put16(h + ARP_HTYPE, (uint16_t)key_number(w, "htype", 1));
    put16(h + ARP_PTYPE, (uint16_t)key_number(w, "ptype", ETH_TYPE_IP4));
    h[ARP_HLEN] = (uint8_t)key_number(w, "hlen", 6);
    h[ARP_PLEN] = (uint8_t)key_number(w, "plen", 4);
    put16(h + ARP_OPER, (uint16_t)key_number(w, "oper", reply ? ARP_REPLY : ARP_REQUEST));
    memcpy(h + ARP_SHA, peer_mac, 6);
    if (key(w, "sha"))
        hex_bytes(w, key(w, "sha"), h + ARP_SHA, 6);
    memcpy(h + ARP_SPA, spa.b + 12, 4);
    memcpy(h + ARP_THA, reply ? our_mac : (const uint8_t[6]){0}, 6);
    memcpy(h + ARP_TPA, tpa.b + 12, 4);
    put(&frame, h, ARP_LEN);
}

// ---- Checksums and IP -------------------------------------------------------------------------------------
static size_t checksum_at(uint8_t proto) {
    switch (proto) {
    case PROTO_TCP:
        return TCP_CSUM;
    case PROTO_UDP:
        return UDP_CSUM;
    default:
        return ICMP_CSUM;
    }
}

static void finish_body(struct world *w, const struct ns_ip *src, const struct ns_ip *dst, uint8_t proto) {
    const char *how = key(w, "csum");
    size_t at = checksum_at(proto);
    bool known = proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_ICMP || proto == PROTO_ICMP6 ||
                 proto == PROTO_IGMP;
    if (!known || body.len < at + 2 || (how && strcmp(how, "none") == 0))
        return;
    uint64_t sum = proto == PROTO_ICMP || proto == PROTO_IGMP ? 0 : sum_pseudo(src, dst, proto, body.len);
    uint16_t check = csum_finish(csum_add(sum, body.b, body.len, 0));
    if (check == 0 && proto == PROTO_UDP)
        check = 0xffff;
    if (how && strcmp(how, "bad") == 0)
        check ^= 0x5555;
    memcpy(body.b + at, &check, 2);
}

static void put_ip4(struct world *w, const struct ns_ip *src, const struct ns_ip *dst, uint8_t proto) {
    uint8_t h[60] = {0}, options[40];
    size_t n = key(w, "ipopt") ? hex_bytes(w, key(w, "ipopt"), options, 40) : 0,
           hlen = (IP4_LEN + n + 3) & ~3ul;
    if (n)
        memcpy(h + IP4_LEN, options, n);
    h[0] = (uint8_t)(key_number(w, "ver", 4) << 4 | key_number(w, "ihl", hlen / 4));
    h[IP4_TOS] = (uint8_t)key_number(w, "tos", 0);
    put16(h + IP4_TOTAL, (uint16_t)key_number(w, "totlen", hlen + body.len));
    put16(h + IP4_ID, (uint16_t)key_number(w, "ipid", 1));
    put16(h + IP4_FRAG, (uint16_t)(key_number(w, "off", 0) / 8 | (has(w, "mf") ? IP4_MF : 0)));
    h[IP4_TTL] = (uint8_t)key_number(w, "ttl", proto == PROTO_IGMP ? 1 : 64);
    h[IP4_PROTO] = (uint8_t)key_number(w, "proto", proto);
    memcpy(h + IP4_SRC, src->b + 12, 4);
    memcpy(h + IP4_DST, dst->b + 12, 4);
    uint16_t sum = csum(h, hlen);
    if (key(w, "ipcsum"))
        sum ^= 0x1111;
    memcpy(h + IP4_CSUM, &sum, 2);
    put(&frame, h, hlen);
    put(&frame, body.b, body.len);
}

static uint64_t usual_hops(uint8_t proto, bool mld) {
    if (mld)
        return 1;
    return proto == PROTO_ICMP6 ? 255 : 64;
}

// ext=TYPE:hex,... are headers put between; the type of each is in front, its next-header byte is filled in.
static void put_ip6(struct world *w, const struct ns_ip *src, const struct ns_ip *dst, uint8_t proto) {
    uint8_t h[IP6_LEN] = {0x60}, ext[1024];
    size_t next_at = IP6_NEXT, n = 0;
    char copy[1500], *save;
    proto = (uint8_t)key_number(w, "proto", proto);
    h[IP6_NEXT] = proto;
    uint8_t type = body.len ? body.b[0] : 0;
    bool mld = proto == PROTO_ICMP6 && type >= ICMP6_MLD_QUERY && type <= ICMP6_MLD_DONE;
    const char *alert = mld && !has(w, "noalert") ? "0:0000050200000100" : "";
    snprintf(copy, sizeof copy, "%s", key(w, "ext") ? key(w, "ext") : alert);
    for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        char *colon = strchr(p, ':');
        if (!colon)
            fail(w, "not an extension header: %s", p);
        *colon = 0;
        (next_at == IP6_NEXT && n == 0 ? h : ext)[next_at] = (uint8_t)number(w, p);
        size_t len = hex_bytes(w, colon + 1, ext + n, sizeof ext - n);
        next_at = n;
        n += len;
        ext[next_at] = proto;
    }
    h[0] = (uint8_t)(key_number(w, "ver", 6) << 4 | key_number(w, "tos", 0) >> 4);
    h[1] = (uint8_t)(key_number(w, "tos", 0) << 4);
    put16(h + IP6_PAYLOAD, (uint16_t)key_number(w, "totlen", n + body.len));
    h[IP6_HOPS] = (uint8_t)key_number(w, "ttl", usual_hops(proto, mld));
    memcpy(h + IP6_SRC, src->b, 16);
    memcpy(h + IP6_DST, dst->b, 16);
    put(&frame, h, IP6_LEN);
    put(&frame, ext, n);
    put(&frame, body.b, body.len);
}

static void put_ether(struct world *w, uint16_t type, const struct ns_ip *dst) {
    uint8_t h[ETH_LEN];
    memcpy(h, our_mac, 6);
    if (dst && ip_is_multicast(dst))
        ip_multicast_mac(dst, h);
    if (has(w, "broadcast"))
        memset(h, 0xff, 6);
    if (key(w, "dmac"))
        hex_bytes(w, key(w, "dmac"), h, 6);
    memcpy(h + ETH_SRC, peer_mac, 6);
    if (key(w, "smac"))
        hex_bytes(w, key(w, "smac"), h + ETH_SRC, 6);
    put16(h + ETH_TYPE, (uint16_t)key_number(w, "etype", type));
    put(&frame, h, ETH_LEN);
}

// ns, na or ra.
static uint8_t nd_type(const char *name) {
    if (name[0] == 'r')
        return ICMP6_RA;
    return name[1] == 's' ? ICMP6_NS : ICMP6_NA;
}

static void build_ip(struct world *w, unsigned first) {
    const char *name = w->words[first];
    uint8_t proto = (uint8_t)key_number(w, "proto", 253);
    bool nd = strcmp(name, "ns") == 0 || strcmp(name, "na") == 0 || strcmp(name, "ra") == 0;
    bool group = strcmp(name, "igmp") == 0 || strcmp(name, "mld") == 0;
    bool six = nd || name[strlen(name) - 1] == '6' || name[0] == 'm';
    struct ns_ip src = address(w, "src", six ? peer6 : peer4), dst = address(w, "dst", six ? our6 : our4);
    body.len = 0;
    if (group)
        group_addresses(w, six, &src, &dst);
    if (strncmp(name, "tcp", 3) == 0)
        build_tcp(w, first, &proto);
    else if (strncmp(name, "udp", 3) == 0)
        build_udp(w, &proto);
    else if (strncmp(name, "icmp", 4) == 0)
        build_icmp(w, six, &proto);
    else if (group)
        build_group(w, six, &proto);
    else if (nd)
        build_nd(w, nd_type(name), &proto);
    else if (strncmp(name, "ip", 2) == 0)
        payload(w, 0);
    else
        fail(w, "no protocol: %s", name);
    finish_body(w, &src, &dst, proto);
    if (key(w, "part")) {  // part=A..B: only these bytes of what is behind the IP header, for fragments
        char copy[64];
        snprintf(copy, sizeof copy, "%s", key(w, "part"));
        char *dots = strstr(copy, "..");
        if (!dots)
            fail(w, "part=A..B");
        *dots = 0;
        size_t a = number(w, copy), b = number(w, dots + 2);
        if (a > b || b > body.len)
            fail(w, "part of %zu bytes", body.len);
        memmove(body.b, body.b + a, b - a);
        body.len = b - a;
    }
    if (w->ether)
        put_ether(w, six ? ETH_TYPE_IP6 : ETH_TYPE_IP4, &dst);
    if (six)
        put_ip6(w, &src, &dst, proto);
    else
        put_ip4(w, &src, &dst, proto);
}

void do_in(struct world *w, unsigned first) {
    need_link(w);
    frame.len = 0;
    if (first >= w->nwords)
        fail(w, "which protocol?");
    if (strcmp(w->words[first], "arp") == 0) {
        put_ether(w, ETH_TYPE_ARP, NULL);
        build_arp(w, first);
    } else if (strcmp(w->words[first], "raw") == 0) {
        uint8_t bytes[2048];
        put(&frame, bytes,
            hex_bytes(w, first + 1 < w->nwords ? w->words[first + 1] : "", bytes, sizeof bytes));
    } else {
        build_ip(w, first);
    }
    size_t n = key_number(w, "cut", frame.len);
    for (uint64_t pad = key_number(w, "pad", 0); pad > 0; pad--)
        put(&frame, "\xee", 1), n++;
    if (n > frame.len)
        fail(w, "cut=%zu of %zu bytes", n, frame.len);
    deliver(w, frame.b, n, has(w, "held"));
}
