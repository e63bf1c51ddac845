// SPDX-License-Identifier: Apache-2.0
// Packets taken apart into named fields, to be compared with an "out" line or printed. A field that the line
// does not name is not compared, but checksums and the payload's pattern always are. See netpkt.h.
#include "netstack/core/addr.h"
#include "netstack/prot/checksum.h"
#include "netstack/prot/eth.h"
#include "netstack/prot/ip.h"
#include "netstack/prot/tcp.h"
#include "netstack/tcp/tcp.h"
#include "tests/net/runner/netpkt.h"
#include <stdlib.h>
#include <string.h>

struct seen {
    const char *proto;
    struct {
        const char *name;
        uint64_t v;
    } f[40];
    unsigned n;
    struct ns_ip src, dst, target;
    bool ip;
    uint8_t smac[6], dmac[6], lla[6];
    uint8_t flags;
    struct tcp_options o;
    const uint8_t *payload;
    size_t len;
    bool bad_csum;
};

static void field(struct seen *s, const char *name, uint64_t v) {
    s->f[s->n].name = name;
    s->f[s->n++].v = v;
}

static void see_tcp(struct seen *s, const uint8_t *h, size_t n) {
    size_t hlen = n >= TCP_LEN ? (h[TCP_OFF] >> 4) * 4u : 0;
    s->proto = "tcp";
    if (hlen < TCP_LEN || hlen > n)
        return;
    field(s, "sport", get16(h + TCP_SPORT));
    field(s, "dport", get16(h + TCP_DPORT));
    field(s, "win", get16(h + TCP_WIN));
    s->flags = h[TCP_FLAGS];
    tcp_parse_options(h + TCP_LEN, (uint32_t)(hlen - TCP_LEN), &s->o);
    field(s, "urg", get16(h + TCP_URGPTR));
    field(s, "absseq", get32(h + TCP_SEQ));
    field(s, "absack", get32(h + TCP_ACKNO));
    field(s, "mss", s->o.mss);
    field(s, "ws", s->o.has_wscale ? s->o.wscale : 99);
    field(s, "tsval", s->o.tsval);
    field(s, "tsecr", s->o.tsecr);
    s->payload = h + hlen;
    s->len = n - hlen;
}

static void see_icmp(struct seen *s, const uint8_t *h, size_t n, bool six) {
    s->proto = "icmp";
    if (n < ICMP_LEN)
        return;
    field(s, "type", h[0]);
    field(s, "code", h[1]);
    field(s, "id", get16(h + 4));
    field(s, "seq", get16(h + 6));
    field(s, "word", get32(h + 4));
    field(s, "nflags", h[4]);
    s->payload = h + ICMP_LEN;
    s->len = n - ICMP_LEN;
    if (six && n >= ND_NS_LEN && (h[0] == ICMP6_NS || h[0] == ICMP6_NA)) {
        s->proto = h[0] == ICMP6_NS ? "ns" : "na";
        s->target = ip_from6(h + ND_TARGET);
        if (n >= ND_NS_LEN + 8)
            memcpy(s->lla, h + ND_NS_LEN + 2, 6);
        s->len = 0;
    } else if (six && h[0] == ICMP6_RS) {
        s->proto = "rs";
        s->len = 0;
    }
}

// IGMP and MLD, whose messages differ in the length of an address: the group, or the first record of a newest
// report.
static void see_group(struct seen *s, const uint8_t *h, size_t n, bool six) {
    bool newest = h[0] == (six ? ICMP6_MLD2_REPORT : IGMP_V3_REPORT);
    size_t at = six ? 8 : 4, size = six ? 16 : 4;
    if (newest)
        at = 12;
    s->proto = six ? "mld" : "igmp";
    if (n < at + size)
        return;
    field(s, "type", h[0]);
    s->target = six ? ip_from6(h + at) : ip_from4(h + at);
    if (newest) {
        field(s, "records", get16(h + 6));
        field(s, "record", h[8]);
        s->payload = h + 8;
        s->len = n - 8;
    }
}

static bool is_mld(uint8_t type) {
    return (type >= ICMP6_MLD_QUERY && type <= ICMP6_MLD_DONE) || type == ICMP6_MLD2_REPORT;
}

static void see_transport(struct seen *s, uint8_t proto, const uint8_t *h, size_t n) {
    field(s, "proto", proto);
    s->payload = h;
    s->len = n;
    uint8_t tail[8] = {[7] = proto};
    put32(tail, (uint32_t)n);
    unsigned skip = ns_ip_is4(&s->src) ? 12 : 0;
    uint64_t sum = csum_add(csum_add(csum_add(0, tail, 8, 0), s->src.b + skip, 16 - skip, 0), s->dst.b + skip,
                            16 - skip, 0);
    if (proto == PROTO_ICMP || proto == PROTO_IGMP)
        sum = 0;
    if (proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_ICMP || proto == PROTO_ICMP6 ||
        proto == PROTO_IGMP)
        s->bad_csum = csum_finish(csum_add(sum, h, n, 0)) != 0;
    if (proto == PROTO_TCP) {
        see_tcp(s, h, n);
    } else if (proto == PROTO_UDP && n >= UDP_LEN) {
        s->proto = "udp";
        field(s, "sport", get16(h + UDP_SPORT));
        field(s, "dport", get16(h + UDP_DPORT));
        field(s, "ulen", get16(h + UDP_TOTAL));
        s->payload = h + UDP_LEN;
        s->len = n - UDP_LEN;
    } else if (proto == PROTO_IGMP || (proto == PROTO_ICMP6 && n > 0 && is_mld(h[0]))) {
        see_group(s, h, n, proto == PROTO_ICMP6);
    } else if (proto == PROTO_ICMP || proto == PROTO_ICMP6) {
        see_icmp(s, h, n, proto == PROTO_ICMP6);
    }
}

static void see_fragment(struct seen *s, const uint8_t *h, size_t n, uint8_t proto, unsigned off, bool more) {
    s->proto = "frag";
    field(s, "proto", proto);
    field(s, "off", off);
    field(s, "more", more);
    s->payload = h;
    s->len = n;
}

static void see_ip(struct seen *s, const uint8_t *h, size_t n) {
    s->proto = "ip";
    s->ip = true;
    if (n >= IP4_LEN && h[0] >> 4 == 4) {
        unsigned frag = get16(h + IP4_FRAG);
        size_t hlen = (h[0] & 15u) * 4;
        if (hlen < IP4_LEN || hlen > n)
            return;
        field(s, "alert", hlen == 24 && h[IP4_LEN] == IP4_OPT_ALERT);
        s->src = ip_from4(h + IP4_SRC);
        s->dst = ip_from4(h + IP4_DST);
        field(s, "ttl", h[IP4_TTL]);
        field(s, "tos", h[IP4_TOS]);
        field(s, "df", !!(frag & IP4_DF));
        field(s, "ipid", get16(h + IP4_ID));
        field(s, "totlen", get16(h + IP4_TOTAL));
        s->bad_csum = csum(h, hlen) != 0 || get16(h + IP4_TOTAL) != n;
        bool bad = s->bad_csum;
        if (frag & (IP4_MF | IP4_OFFSET))
            see_fragment(s, h + hlen, n - hlen, h[IP4_PROTO], (frag & IP4_OFFSET) * 8, frag & IP4_MF);
        else
            see_transport(s, h[IP4_PROTO], h + hlen, n - hlen);
        s->bad_csum |= bad;
    } else if (n >= IP6_LEN && h[0] >> 4 == 6) {
        s->src = ip_from6(h + IP6_SRC);
        s->dst = ip_from6(h + IP6_DST);
        field(s, "ttl", h[IP6_HOPS]);
        field(s, "srcnet", get16(h + IP6_SRC + 4));
        field(s, "tos", (get16(h) >> 4) & 0xff);
        field(s, "totlen", IP6_LEN + get16(h + IP6_PAYLOAD));
        bool options = h[IP6_NEXT] == PROTO_HOPOPTS && n >= IP6_LEN + 8;
        field(s, "alert", options && h[IP6_LEN + 2] == 5);
        if (options)
            see_transport(s, h[IP6_LEN], h + IP6_LEN + 8, n - IP6_LEN - 8);
        else if (h[IP6_NEXT] == PROTO_FRAG && n >= IP6_LEN + 8)
            see_fragment(s, h + IP6_LEN + 8, n - IP6_LEN - 8, h[IP6_LEN], get16(h + IP6_LEN + 2) & ~7u,
                         h[IP6_LEN + 3] & 1);
        else
            see_transport(s, h[IP6_NEXT], h + IP6_LEN, n - IP6_LEN);
    }
}

static void see_arp(struct seen *s, const uint8_t *h, size_t n) {
    s->proto = "arp";
    if (n < ARP_LEN)
        return;
    field(s, "oper", get16(h + ARP_OPER));
    s->src = ip_from4(h + ARP_SPA);
    s->dst = ip_from4(h + ARP_TPA);
    memcpy(s->lla, h + ARP_SHA, 6);
}

static void see(const struct world *w, const struct out *o, struct seen *s) {
    *s = (struct seen){.proto = "?"};
    field(s, "gso", o->gso);
    if (!w->ether) {
        see_ip(s, o->data, o->len);
        return;
    }
    if (o->len < ETH_LEN)
        return;
    memcpy(s->dmac, o->data, 6);
    memcpy(s->smac, o->data + 6, 6);
    field(s, "framelen", o->len);
    if (get16(o->data + ETH_TYPE) == ETH_TYPE_ARP)
        see_arp(s, o->data + ETH_LEN, o->len - ETH_LEN);
    else
        see_ip(s, o->data + ETH_LEN, o->len - ETH_LEN);
}

static const uint64_t *value(const struct seen *s, const char *name) {
    for (unsigned i = 0; i < s->n; i++)
        if (strcmp(s->f[i].name, name) == 0)
            return &s->f[i].v;
    return NULL;
}

bool is_membership(const struct world *w, const struct out *o) {
    struct seen s;
    see(w, o, &s);
    return strcmp(s.proto, "igmp") == 0 || strcmp(s.proto, "mld") == 0;
}

const char *describe(const struct world *w, const struct out *o) {
    static char text[600];
    struct seen s;
    char a[NS_IP_TEXT], b[NS_IP_TEXT], flags[9] = "";
    see(w, o, &s);
    for (unsigned i = 0, k = 0; i < 8; i++)
        if (s.flags >> i & 1)
            flags[k++] = "FSRPAUEC"[i];
    int n = snprintf(text, sizeof text, "%s %s %s > %s len=%zu%s", s.proto, flags, ns_ip_text(&s.src, a),
                     ns_ip_text(&s.dst, b), s.len, s.bad_csum ? " BAD CHECKSUM" : "");
    for (unsigned i = 0; i < s.n && n < 500; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, " %s=%llu", s.f[i].name,
                      (unsigned long long)s.f[i].v);
    if (strcmp(s.proto, "tcp") == 0) {
        for (unsigned i = 0; i < w->nflows; i++) {
            const struct flow *f = &w->flows[i];
            if (f->ours == *value(&s, "sport") && f->peers == *value(&s, "dport"))
                n += snprintf(text + n, sizeof text - (size_t)n, " seq=%u ack=%u",
                              (uint32_t)*value(&s, "absseq") - f->our_isn,
                              (uint32_t)*value(&s, "absack") - f->peer_isn);
        }
    }
    return text;
}

// ---- Comparing --------------------------------------------------------------------------------------------
static void compare_ip(struct world *w, const char *name, const struct ns_ip *got) {
    struct ns_ip want;
    char text[NS_IP_TEXT];
    if (!key(w, name))
        return;
    if (!ns_ip_parse(key(w, name), &want))
        fail(w, "not an address: %s", key(w, name));
    if (!ip_eq(&want, got))
        fail(w, "%s is %s", name, ns_ip_text(got, text));
}

static void compare_bytes(struct world *w, const char *name, const uint8_t *got, size_t n) {
    uint8_t want[2048];
    if (!key(w, name))
        return;
    if (hex_bytes(w, key(w, name), want, sizeof want) != n || memcmp(want, got, n) != 0)
        fail(w, "%s differs: %02x%02x%02x...", name, got[0], n > 1 ? got[1] : 0, n > 2 ? got[2] : 0);
}

static void check_pattern(struct world *w, const struct seen *s, uint32_t at) {
    if (key(w, "data") || key(w, "hex") || has(w, "other"))
        return;
    for (size_t i = 0; i < s->len; i++)
        if (s->payload[i] != pattern(at + (uint32_t)i))
            fail(w, "byte %zu of the payload is wrong", i);
}

static void compare_sacks(struct world *w, const struct seen *s, uint32_t base) {
    const char *text = key(w, "sack");
    char copy[200], *save;
    unsigned n = 0;
    if (!text)
        return;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *p = strcmp(text, "none") ? strtok_r(copy, ",", &save) : NULL; p;
         p = strtok_r(NULL, ",", &save), n++) {
        char *dots = strstr(p, "..");
        if (!dots)
            fail(w, "not a block: %s", p);
        *dots = 0;
        if (n >= s->o.nsacks || s->o.sacks[n].start - base != number(w, p) ||
            s->o.sacks[n].end - base != number(w, dots + 2))
            fail(w, "block %u is %u..%u of %u", n, n < s->o.nsacks ? s->o.sacks[n].start - base : 0,
                 n < s->o.nsacks ? s->o.sacks[n].end - base : 0, s->o.nsacks);
    }
    if (n != s->o.nsacks)
        fail(w, "%u SACK blocks", s->o.nsacks);
}

static void compare_tcp(struct world *w, unsigned first, const struct seen *s) {
    struct flow *f = flow_of(w, (uint16_t)*value(s, "sport"), (uint16_t)*value(s, "dport"), true);
    uint32_t seq = (uint32_t)*value(s, "absseq"), ack = (uint32_t)*value(s, "absack");
    const char *letters = w->words[first + 1];
    if (first + 1 < w->nwords && !strchr(letters, '=') && tcp_flags(w, letters) != s->flags)
        fail(w, "flags are 0x%02x, not %s", s->flags, letters);
    if (s->flags & TCP_SYN) {
        f->our_isn = seq;
        f->ours_known = true;
        if (!(s->flags & TCP_ACK))
            f->ts = s->o.has_ts;
    }
    if (s->o.has_ts)
        f->their_ts = s->o.tsval;
    if (key(w, "seq"))
        compare(w, "seq", key(w, "seq"), f->ours_known ? seq - f->our_isn : seq);
    if (key(w, "ack"))
        compare(w, "ack", key(w, "ack"), ack - f->peer_isn);
    if (has(w, "sackok") && !s->o.sack_ok)
        fail(w, "SACK is not permitted");
    if (has(w, "nosackok") && s->o.sack_ok)
        fail(w, "SACK is permitted");
    if (has(w, "ts") && !s->o.has_ts)
        fail(w, "no timestamp");
    if (has(w, "nots") && s->o.has_ts)
        fail(w, "a timestamp");
    compare_sacks(w, s, f->peer_isn);
    check_pattern(w, s, seq - f->our_isn - 1);
}

// Is it the name of something that is compared elsewhere, or not a comparison at all?
static bool special(const char *word, size_t n) {
    static const char *const names[] = {"src", "dst",    "seq", "ack",  "sack", "data",
                                        "hex", "target", "group", "lla", "dmac", "smac", "len"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == n && strncmp(names[i], word, n) == 0)
            return true;
    return false;
}

static void compare_numbers(struct world *w, unsigned first, const struct seen *s, bool tcp) {
    for (unsigned i = first + 1; i < w->nwords; i++) {
        const char *eq = strchr(w->words[i], '=');
        char name[16];
        if (!eq || (special(w->words[i], (size_t)(eq - w->words[i])) &&
                    (tcp || strncmp(w->words[i], "seq=", 4) != 0)))
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(eq - w->words[i]), w->words[i]);
        if (!value(s, name))
            fail(w, "a %s packet has no %s", s->proto, name);
        compare(w, name, eq + 1, *value(s, name));
    }
    if (key(w, "len"))
        compare(w, "len", key(w, "len"), s->len);
}

void do_out(struct world *w, unsigned first, const struct out *o) {
    struct seen s;
    see(w, o, &s);
    if (first >= w->nwords)
        fail(w, "which protocol?");
    char want[16];
    snprintf(want, sizeof want, "%s", w->words[first]);
    bool six = want[strlen(want) - 1] == '6';
    if (six)
        want[strlen(want) - 1] = 0;
    if (strcmp(want, s.proto) != 0 || (six && ns_ip_is4(&s.src)))
        fail(w, "came out instead: %s", describe(w, o));
    if (s.bad_csum)
        fail(w, "a wrong checksum or length: %s", describe(w, o));
    if (w->verbose)
        printf("     = %s\n", describe(w, o));
    memcpy(w->last_out, o->data, o->len);
    w->last_out_len = o->len;
    compare_ip(w, "src", &s.src);
    compare_ip(w, "dst", &s.dst);
    compare_ip(w, "target", &s.target);
    compare_ip(w, "group", &s.target);
    compare_bytes(w, "smac", s.smac, 6);
    compare_bytes(w, "dmac", s.dmac, 6);
    compare_bytes(w, "lla", s.lla, 6);
    compare_bytes(w, "hex", s.payload, s.len);
    const char *data = key(w, "data");
    if (data && (strlen(data) != s.len || memcmp(data, s.payload, s.len) != 0))
        fail(w, "the payload is not %s", data);
    bool tcp = strcmp(want, "tcp") == 0;
    if (tcp)
        compare_tcp(w, first, &s);
    compare_numbers(w, first, &s, tcp);
}
