// SPDX-License-Identifier: Apache-2.0
// xtables' matches and targets, which iptables-nft puts into rules where nftables has no expression of its
// own: a table by name, family and revision, with the size of what each is told (checked before it is kept)
// and what it does. Layouts are those of Linux, x_tables(8); the rest of the extensions is not there
// (ENOENT).
#include "netstack/filter/nf.h"
#include "netstack/filter/xt_layout.h"
#include "netstack/ip/icmp.h"
#include "netstack/prot/tcp.h"

struct nf_xt {
    const char *name;
    uint32_t family;  // 0: both
    uint32_t revision;
    bool target, tracks;
    uint32_t size;    // of its layout
    uint32_t places;  // 0: anywhere
    int (*run)(struct nf_pkt *k, struct nf_expr *x);
    bool (*ok)(const uint8_t *info);  // NULL: whatever it says
};

// What it is told, no more than was given: the rest is 0.
static void told(const struct nf_expr *x, void *to, size_t n) {
    size_t given = x->xt.info_len < n ? x->xt.info_len : n;
    memset(to, 0, n);
    memcpy(to, x->xt.info, given);
}
#define INFO(type, x) \
    type info; \
    told(x, &info, sizeof info)

static int matched(bool yes) { return yes ? NF_CONTINUE : NF_BREAK; }

// ---- Ports ------------------------------------------------------------------------------------------------
static bool in_range(uint16_t v, const uint16_t r[2], bool not ) { return (v >= r[0] && v <= r[1]) != not ; }

static bool has_option(struct nf_pkt *k, const uint8_t *tcp, uint8_t want) {
    uint32_t n = (tcp[TCP_OFF] >> 4) * 4u;
    const uint8_t *h = n >= TCP_LEN ? nf_transport(k, n) : NULL;
    for (uint32_t at = TCP_LEN; h && at < n;) {
        if (h[at] == want)
            return true;
        bool one = h[at] <= TCP_OPT_NOP;
        if (!one && (at + 1 >= n || h[at + 1] < 2))
            return false;
        at += one ? 1u : h[at + 1];
    }
    return false;
}
static int run_tcp(struct nf_pkt *k, struct nf_expr *x) {
    INFO(struct xt_tcp, x);
    const uint8_t *h = k->proto == PROTO_TCP ? nf_transport(k, TCP_LEN) : NULL;
    if (!h)
        return NF_BREAK;
    bool flags = (h[TCP_FLAGS] & info.flg_mask) == info.flg_cmp;
    bool ok = in_range(get16(h), info.spts, info.invflags & 1) &&
              in_range(get16(h + 2), info.dpts, info.invflags & 2) && flags != !!(info.invflags & 4);
    return matched(ok && (!info.option || has_option(k, h, info.option) != !!(info.invflags & 8)));
}
static int run_udp(struct nf_pkt *k, struct nf_expr *x) {
    INFO(struct xt_udp, x);
    const uint8_t *h = k->proto == PROTO_UDP ? nf_transport(k, UDP_LEN) : NULL;
    return matched(h && in_range(get16(h), info.spts, info.invflags & 1) &&
                   in_range(get16(h + 2), info.dpts, info.invflags & 2));
}
static int run_icmp(struct nf_pkt *k, struct nf_expr *x) {
    INFO(struct xt_icmp, x);
    bool is = k->proto == (k->four ? PROTO_ICMP : PROTO_ICMP6);
    const uint8_t *h = is ? nf_transport(k, ICMP_LEN) : NULL;
    bool any = k->four && info.type == 0xff;
    return matched(h && (any || (h[0] == info.type && h[1] >= info.code[0] && h[1] <= info.code[1])) !=
                            !!(info.invflags & 1));
}
static bool one_of(const struct xt_multiport *info, uint16_t port) {
    for (unsigned i = 0; i < info->count; i++) {
        uint16_t low = info->ports[i];
        if (info->pflags[i]) {  // a range: its end is the next
            if (++i < info->count && port >= low && port <= info->ports[i])
                return true;
        } else if (port == low) {
            return true;
        }
    }
    return false;
}
static int run_multiport(struct nf_pkt *k, struct nf_expr *x) {
    INFO(struct xt_multiport, x);
    const uint8_t *h = k->proto == PROTO_TCP || k->proto == PROTO_UDP ? nf_transport(k, 4) : NULL;
    if (!h)
        return NF_BREAK;
    bool src = info.flags != 1 && one_of(&info, get16(h)),
         dst = info.flags != 0 && one_of(&info, get16(h + 2));
    return matched((src || dst) != !!info.invert);
}
static bool multiport_ok(const uint8_t *info) { return info[0] <= 2 && info[1] <= XT_MULTI_PORTS; }

// ---- Addresses --------------------------------------------------------------------------------------------
static int run_addrtype(struct nf_pkt *k, struct nf_expr *x) {
    INFO(struct xt_addrtype, x);
    const struct netif *nif = info.flags & 4 ? k->in : NULL;
    if (info.flags & 8)
        nif = k->out;
    bool src = !info.source || !!(info.source & 1u << nf_addr_type(k, &k->p->src, nif)) != !!(info.flags & 1);
    bool dst = !info.dest || !!(info.dest & 1u << nf_addr_type(k, &k->p->dst, nif)) != !!(info.flags & 2);
    return matched(src && dst);
}
static const uint8_t *bytes_of(const struct nf_pkt *k, const struct ns_ip *ip) {
    return k->four ? ip->b + 12 : ip->b;
}
static bool between(const struct nf_pkt *k, const struct ns_ip *ip, const uint8_t *min, const uint8_t *max) {
    size_t n = k->four ? 4 : 16;
    return memcmp(bytes_of(k, ip), min, n) >= 0 && memcmp(bytes_of(k, ip), max, n) <= 0;
}
static int run_iprange(struct nf_pkt *k, struct nf_expr *x) {
    INFO(struct xt_iprange, x);
    bool src = !(info.flags & 1) || between(k, &k->p->src, info.src_min, info.src_max) != !!(info.flags & 16);
    bool dst = !(info.flags & 2) || between(k, &k->p->dst, info.dst_min, info.dst_max) != !!(info.flags & 32);
    return matched(src && dst);
}

// ---- The connection ---------------------------------------------------------------------------------------
#define STATE_SNAT      64u
#define STATE_DNAT      128u
#define STATE_UNTRACKED 256u

static uint32_t state_bits(const struct nf_pkt *k) {
    const struct nf_conn *c = ct_of(k->p);
    uint32_t bits = k->p->ct_state == NF_CT_UNTRACKED ? STATE_UNTRACKED : nf_ct_bits(k);
    if (c && (c->status & NF_IPS_SRC_NAT))
        bits |= STATE_SNAT;
    if (c && (c->status & NF_IPS_DST_NAT))
        bits |= STATE_DNAT;
    return bits;
}
static bool masked(const struct nf_pkt *k, const struct ns_ip *ip, const uint8_t *want, const uint8_t *mask) {
    const uint8_t *b = bytes_of(k, ip);
    for (size_t i = 0; i < (k->four ? 4u : 16u); i++) {
        if ((b[i] ^ want[i]) & mask[i])
            return false;
    }
    return true;
}
static bool conn_address(const struct nf_pkt *k, const struct xt_conntrack *info, unsigned i) {
    const struct nf_conn *c = ct_of(k->p);
    const struct nf_tuple *t = &c->end[i / 2].t;
    bool is = masked(k, i % 2 ? &t->dst : &t->src, info->addr[2 * i], info->addr[2 * i + 1]);
    return !(info->match_flags & XT_CT_ADDR(i)) || is != !!(info->invert_flags & XT_CT_ADDR(i));
}
static bool conn_port(const struct nf_pkt *k, const struct xt_conntrack *info, unsigned i) {
    const struct nf_tuple *t = &ct_of(k->p)->end[i / 2].t;
    uint16_t port = i % 2 ? t->dport : t->sport, range[2] = {info->port[i], info->port_high[i]};
    return !(info->match_flags & XT_CT_PORT(i)) || in_range(port, range, info->invert_flags & XT_CT_PORT(i));
}
static bool of_conn(const struct nf_pkt *k, const struct xt_conntrack *info) {
    const struct nf_conn *c = ct_of(k->p);
    uint16_t want = info->match_flags, not = info->invert_flags;
    uint64_t left = c->until > k->ns->now ? (c->until - k->ns->now) / NS_SEC : 0;
    if ((want & XT_CT_DIRECTION) && (k->p->ct_dir == NF_ORIGINAL) == !!(not &XT_CT_DIRECTION))
        return false;
    if ((want & XT_CT_PROTO) && (c->end[0].t.proto == info->l4proto) == !!(not &XT_CT_PROTO))
        return false;
    if ((want & XT_CT_STATUS) && !!(c->status & info->status_mask) == !!(not &XT_CT_STATUS))
        return false;
    bool within = left >= info->expires_min && left <= info->expires_max;
    if ((want & XT_CT_EXPIRES) && within == !!(not &XT_CT_EXPIRES))
        return false;
    for (unsigned i = 0; i < 4; i++) {
        if (!conn_address(k, info, i) || !conn_port(k, info, i))
            return false;
    }
    return true;
}
static int run_conntrack(struct nf_pkt *k, struct nf_expr *x) {
    INFO(struct xt_conntrack, x);
    bool state = state_bits(k) & info.state_mask;
    if ((info.match_flags & XT_CT_STATE) && state == !!(info.invert_flags & XT_CT_STATE))
        return NF_BREAK;
    if (!(info.match_flags & ~(XT_CT_STATE | XT_CT_STATE_ALIAS)))
        return NF_CONTINUE;
    return matched(ct_of(k->p) && of_conn(k, &info));
}
static int run_state(struct nf_pkt *k, struct nf_expr *x) {
    INFO(uint32_t, x);
    return matched(nf_ct_bits(k) & info);
}

// ---- Marks, and the rest ----------------------------------------------------------------------------------
static int run_mark(struct nf_pkt *k, struct nf_expr *x) {
    INFO(struct xt_mark, x);
    return matched(((k->p->fwmark & info.mask) == info.mark) != !!info.invert);
}
static int run_connmark(struct nf_pkt *k, struct nf_expr *x) {
    INFO(struct xt_mark, x);
    const struct nf_conn *c = ct_of(k->p);
    return matched(c && ((c->mark & info.mask) == info.mark) != !!info.invert);
}
static int run_length(struct nf_pkt *k, struct nf_expr *x) {
    INFO(struct xt_length, x);
    uint32_t n = nf_pkt_len(k);
    return matched((n >= info.min && n <= info.max) != !!info.invert);
}
static int run_pkttype(struct nf_pkt *k, struct nf_expr *x) {
    INFO(struct xt_pkttype, x);
    uint32_t v[NF_REGS] = {0};
    nf_meta(k, 19, v);
    return matched(((v[0] & 0xff) == (uint32_t)info.pkttype) != !!info.invert);
}
static int run_comment(struct nf_pkt *k, struct nf_expr *x) { return NF_CONTINUE; }

// avg: ten-thousandths of a second from one packet to the next; saved up to `burst` of them.
static int run_limit(struct nf_pkt *k, struct nf_expr *x) {
    INFO(struct xt_rate, x);
    uint64_t cost = (uint64_t)info.avg * (NS_SEC / 10000), most = cost * info.burst;
    uint64_t since = x->xt.at ? k->ns->now - x->xt.at : most;
    x->xt.at = k->ns->now ? k->ns->now : 1;
    x->xt.tokens = since >= most - x->xt.tokens ? most : x->xt.tokens + since;
    if (x->xt.tokens < cost)
        return NF_BREAK;
    x->xt.tokens -= cost;
    return NF_CONTINUE;
}
static bool limit_ok(const uint8_t *p) {
    struct xt_rate info;
    memcpy(&info, p, sizeof info);
    return info.burst != 0 && info.avg != 0 && (uint64_t)info.avg * info.burst <= UINT32_MAX;
}

// ---- Targets ----------------------------------------------------------------------------------------------
static int run_log(struct nf_pkt *k, struct nf_expr *x) {
    nf_log(k, "");
    return NF_CONTINUE;
}
static int run_set_mark(struct nf_pkt *k, struct nf_expr *x) {
    INFO(struct xt_set_mark, x);
    k->p->fwmark = (k->p->fwmark & ~info.mask) ^ info.mark;
    return NF_CONTINUE;
}
static int run_set_connmark(struct nf_pkt *k, struct nf_expr *x) {
    INFO(struct xt_set_connmark, x);
    struct nf_conn *c = ct_of(k->p);
    if (!c)
        return NF_CONTINUE;
    if (info.mode == 0)  // set
        c->mark = (c->mark & ~info.ctmask) ^ info.ctmark;
    else if (info.mode == 1)  // save
        c->mark = (c->mark & ~info.ctmask) ^ (k->p->fwmark & info.nfmask);
    else  // restore
        k->p->fwmark = (k->p->fwmark & ~info.nfmask) ^ (c->mark & info.ctmask);
    return NF_CONTINUE;
}
static bool connmark_ok(const uint8_t *info) { return info[offsetof(struct xt_set_connmark, mode)] <= 2; }

static int run_notrack(struct nf_pkt *k, struct nf_expr *x) {
    if (k->p->ct_state == NF_CT_NONE)
        k->p->ct_state = NF_CT_UNTRACKED;
    return NF_CONTINUE;
}
// LIMIT: of CT, --notrack alone.
static bool notrack_ok(const uint8_t *info) {
    static const uint8_t nothing[22];
    return info[0] == 1 && info[1] == 0 && memcmp(info + 2, nothing, sizeof nothing) == 0;
}
static int run_reject(struct nf_pkt *k, struct nf_expr *x) {
    static const uint8_t four[] = {0, 1, 2, 3, 0, 9, 10, 0, 13};  // by ipt_reject_with; 4: none, 7: a reset
    static const uint8_t six[] = {0, 1, 2, 3, 4, 0, 0, 5, 6};     // by ip6t_reject_with; 6: a reset
    INFO(uint32_t, x);
    if (info == (k->four ? 7u : 6u))
        nf_reject(k, NF_REJECT_RST, 0);
    else
        nf_reject(k, NF_REJECT_ICMP, k->four ? four[info] : six[info]);
    return NF_DROP;
}
static bool reject4_ok(const uint8_t *p) { return p[0] <= 8 && p[0] != 4 && !p[1] && !p[2] && !p[3]; }
static bool reject6_ok(const uint8_t *p) { return p[0] <= 8 && p[0] != 5 && !p[1] && !p[2] && !p[3]; }

// Ranges of translations: of IPv4 in their first layout, and of both families.
static struct nf_range range4(const struct nf_expr *x) {
    INFO(struct xt_nat4, x);
    return (struct nf_range){info.flags & NF_RANGE_MASK, ip_from4(info.min_ip), ip_from4(info.max_ip),
                             get16(info.min), get16(info.max)};
}
static struct nf_range range(const struct nf_pkt *k, const struct nf_expr *x) {
    INFO(struct xt_nat, x);
    return (struct nf_range){info.flags & NF_RANGE_MASK, k->four ? ip_from4(info.min) : ip_from6(info.min),
                             k->four ? ip_from4(info.max) : ip_from6(info.max), get16(info.port_min),
                             get16(info.port_max)};
}
static struct nf_range range_of(const struct nf_pkt *k, const struct nf_expr *x) {
    return x->xt.xt->size == sizeof(struct xt_nat4) ? range4(x) : range(k, x);
}
static int run_snat(struct nf_pkt *k, struct nf_expr *x) {
    struct nf_range r = range_of(k, x);
    return nat_setup(k, NF_MANIP_SRC, &r);
}
static int run_dnat(struct nf_pkt *k, struct nf_expr *x) {
    struct nf_range r = range_of(k, x);
    return nat_setup(k, NF_MANIP_DST, &r);
}
static int run_masquerade(struct nf_pkt *k, struct nf_expr *x) {
    struct nf_range r = range_of(k, x);
    return nat_masquerade(k, &r);
}
static int run_redirect(struct nf_pkt *k, struct nf_expr *x) {
    struct nf_range r = range_of(k, x);
    return nat_redirect(k, &r);
}
static bool flags_ok(uint32_t flags, const uint8_t min[2], const uint8_t max[2]) {
    return !(flags & ~NF_RANGE_MASK) && !(flags & NF_RANGE_NETMAP) && get16(min) <= get16(max);
}
static bool nat4_ok(const uint8_t *p) {
    struct xt_nat4 info;
    memcpy(&info, p, sizeof info);
    return info.size == 1 && flags_ok(info.flags, info.min, info.max);
}
static bool nat_ok(const uint8_t *p) {
    struct xt_nat info;
    memcpy(&info, p, sizeof info);
    return flags_ok(info.flags, info.port_min, info.port_max);
}

// ---- The table --------------------------------------------------------------------------------------------
#define NAT(hook) (1u << (8 + (hook)))
#define AT_SRC    (NAT(NF_POSTROUTING) | NAT(NF_INPUT))
#define AT_DST    (NAT(NF_PREROUTING) | NAT(NF_OUTPUT))
#define AT_REJECT (1u << NF_INPUT | 1u << NF_FORWARD | 1u << NF_OUTPUT)

static const struct nf_xt all[] = {
    {"tcp", 0, 0, false, false, sizeof(struct xt_tcp), 0, run_tcp, NULL},
    {"udp", 0, 0, false, false, sizeof(struct xt_udp), 0, run_udp, NULL},
    {"icmp", NF_IPV4, 0, false, false, sizeof(struct xt_icmp), 0, run_icmp, NULL},
    {"icmp6", NF_IPV6, 0, false, false, sizeof(struct xt_icmp), 0, run_icmp, NULL},
    {"multiport", 0, 1, false, false, sizeof(struct xt_multiport), 0, run_multiport, multiport_ok},
    {"addrtype", 0, 1, false, false, sizeof(struct xt_addrtype), 0, run_addrtype, NULL},
    {"iprange", 0, 1, false, false, sizeof(struct xt_iprange), 0, run_iprange, NULL},
    {"conntrack", 0, 3, false, true, sizeof(struct xt_conntrack), 0, run_conntrack, NULL},
    {"state", 0, 0, false, true, sizeof(uint32_t), 0, run_state, NULL},
    {"mark", 0, 1, false, false, sizeof(struct xt_mark), 0, run_mark, NULL},
    {"connmark", 0, 1, false, true, sizeof(struct xt_mark), 0, run_connmark, NULL},
    {"length", 0, 0, false, false, sizeof(struct xt_length), 0, run_length, NULL},
    {"pkttype", 0, 0, false, false, sizeof(struct xt_pkttype), 0, run_pkttype, NULL},
    {"comment", 0, 0, false, false, XT_COMMENT_LEN, 0, run_comment, NULL},
    {"limit", 0, 0, false, false, sizeof(struct xt_rate), 0, run_limit, limit_ok},
    {"LOG", 0, 0, true, false, XT_LOG_LEN, 0, run_log, NULL},
    {"MARK", 0, 2, true, false, sizeof(struct xt_set_mark), 0, run_set_mark, NULL},
    {"CONNMARK", 0, 1, true, true, sizeof(struct xt_set_connmark), 0, run_set_connmark, connmark_ok},
    {"CT", 0, 2, true, false, XT_CT_TARGET_LEN, 0, run_notrack, notrack_ok},
    {"REJECT", NF_IPV4, 0, true, false, sizeof(uint32_t), AT_REJECT, run_reject, reject4_ok},
    {"REJECT", NF_IPV6, 0, true, false, sizeof(uint32_t), AT_REJECT, run_reject, reject6_ok},
    {"MASQUERADE", NF_IPV4, 0, true, true, sizeof(struct xt_nat4), NAT(NF_POSTROUTING), run_masquerade,
     nat4_ok},
    {"MASQUERADE", NF_IPV6, 0, true, true, sizeof(struct xt_nat), NAT(NF_POSTROUTING), run_masquerade,
     nat_ok},
    {"REDIRECT", NF_IPV4, 0, true, true, sizeof(struct xt_nat4), AT_DST, run_redirect, nat4_ok},
    {"REDIRECT", NF_IPV6, 0, true, true, sizeof(struct xt_nat), AT_DST, run_redirect, nat_ok},
    {"SNAT", NF_IPV4, 0, true, true, sizeof(struct xt_nat4), AT_SRC, run_snat, nat4_ok},
    {"SNAT", 0, 1, true, true, sizeof(struct xt_nat), AT_SRC, run_snat, nat_ok},
    {"SNAT", 0, 2, true, true, XT_NAT2_LEN, AT_SRC, run_snat, nat_ok},
    {"DNAT", NF_IPV4, 0, true, true, sizeof(struct xt_nat4), AT_DST, run_dnat, nat4_ok},
    {"DNAT", 0, 1, true, true, sizeof(struct xt_nat), AT_DST, run_dnat, nat_ok},
    {"DNAT", 0, 2, true, true, XT_NAT2_LEN, AT_DST, run_dnat, nat_ok},
};

const struct nf_xt *nf_xt_find(bool target, const char *name, uint32_t family, uint32_t revision, int *most) {
    const struct nf_xt *found = NULL;
    *most = -1;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const struct nf_xt *xt = &all[i];
        bool here = !xt->family || family == xt->family;  // in a table for both, what is for both
        if (xt->target != target || !here || strcmp(xt->name, name) != 0)
            continue;
        if ((int)xt->revision > *most)
            *most = (int)xt->revision;
        if (xt->revision == revision && !found)
            found = xt;
    }
    return found;
}
const char *nf_xt_name(const struct nf_xt *xt) { return xt->name; }
uint32_t nf_xt_revision(const struct nf_xt *xt) { return xt->revision; }
uint32_t nf_xt_places(const struct nf_xt *xt) { return xt->places ? xt->places : ~0u; }
bool nf_xt_tracks(const struct nf_xt *xt) { return xt->tracks; }
bool nf_xt_info_ok(const struct nf_xt *xt, const uint8_t *info, uint32_t len) {
    return len == ((xt->size + 7) & ~7u) && len <= NF_XT_MOST && (!xt->ok || xt->ok(info));
}
int nf_xt_run(struct nf_pkt *k, struct nf_expr *x) { return x->xt.xt->run(k, x); }
