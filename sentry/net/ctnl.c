// SPDX-License-Identifier: Apache-2.0
// ctnetlink: connections that the filter knows are listed, looked up, deleted and counted, conntrack(8).
// LIMIT: connections are not made or changed by programs, events are not told, and there are no expectations.
#include "sentry/net/nfnl.h"

enum { ICMP = 1, TCP = 6, ICMP6 = 58 };
enum { ECHO4 = 8, ECHO4_REPLY = 0, ECHO6 = 128, ECHO6_REPLY = 129 };
#define CTA_NESTED 0x8000u

// ---- Told -------------------------------------------------------------------------------------------------
static void put_proto(struct nl_buf *b, const struct nf_tuple *t, bool reply) {
    bool six = t->proto == ICMP6, icmp = t->proto == ICMP || six;
    uint8_t type = six ? ECHO6 : ECHO4;
    if (reply)
        type = six ? ECHO6_REPLY : ECHO4_REPLY;
    size_t at = nl_nest(b, LINUX_CTA_TUPLE_PROTO | CTA_NESTED);
    nl_put_u8(b, LINUX_CTA_PROTO_NUM, (uint8_t)t->proto);
    if (icmp) {
        nfa_put_be16(b, six ? LINUX_CTA_PROTO_ICMPV6_ID : LINUX_CTA_PROTO_ICMP_ID, t->sport);
        nl_put_u8(b, six ? LINUX_CTA_PROTO_ICMPV6_TYPE : LINUX_CTA_PROTO_ICMP_TYPE, type);
        nl_put_u8(b, six ? LINUX_CTA_PROTO_ICMPV6_CODE : LINUX_CTA_PROTO_ICMP_CODE, 0);
    } else {
        nfa_put_be16(b, LINUX_CTA_PROTO_SRC_PORT, t->sport);
        nfa_put_be16(b, LINUX_CTA_PROTO_DST_PORT, t->dport);
    }
    nl_nest_end(b, at);
}
static void put_tuple(struct nl_buf *b, uint16_t attr, const struct nf_tuple *t, bool reply) {
    bool four = ns_ip_is4(&t->src);
    unsigned skip = four ? 12 : 0, n = 16 - skip;
    size_t at = nl_nest(b, (uint16_t)(attr | CTA_NESTED)), ip = nl_nest(b, LINUX_CTA_TUPLE_IP | CTA_NESTED);
    nl_put(b, four ? LINUX_CTA_IP_V4_SRC : LINUX_CTA_IP_V6_SRC, t->src.b + skip, n);
    nl_put(b, four ? LINUX_CTA_IP_V4_DST : LINUX_CTA_IP_V6_DST, t->dst.b + skip, n);
    nl_nest_end(b, ip);
    put_proto(b, t, reply);
    nl_nest_end(b, at);
}
static void put_counters(struct nl_buf *b, uint16_t attr, uint64_t packets, uint64_t bytes) {
    size_t at = nl_nest(b, (uint16_t)(attr | CTA_NESTED));
    nfa_put_be64(b, LINUX_CTA_COUNTERS_PACKETS, packets);
    nfa_put_be64(b, LINUX_CTA_COUNTERS_BYTES, bytes);
    nl_nest_end(b, at);
}
static void put_tcp(struct nl_buf *b, uint32_t state) {
    size_t at = nl_nest(b, LINUX_CTA_PROTOINFO | CTA_NESTED),
           tcp = nl_nest(b, LINUX_CTA_PROTOINFO_TCP | CTA_NESTED);
    nl_put_u8(b, LINUX_CTA_PROTOINFO_TCP_STATE, (uint8_t)state);
    nl_nest_end(b, tcp);
    nl_nest_end(b, at);
}
static bool put_flow(struct nl_buf *b, const struct nf_flow *f, uint16_t flags, uint32_t seq,
                     uint32_t portid) {
    struct linux_nfgenmsg m = {.nfgen_family = ns_ip_is4(&f->orig.src) ? NF_IPV4 : NF_IPV6};
    size_t at = nl_begin(b, LINUX_NFNL_SUBSYS_CTNETLINK << 8 | LINUX_IPCTNL_MSG_CT_NEW, flags, seq, portid,
                         &m, sizeof m);
    put_tuple(b, LINUX_CTA_TUPLE_ORIG, &f->orig, false);
    put_tuple(b, LINUX_CTA_TUPLE_REPLY, &f->reply, true);
    put_counters(b, LINUX_CTA_COUNTERS_ORIG, f->packets[0], f->bytes[0]);
    put_counters(b, LINUX_CTA_COUNTERS_REPLY, f->packets[1], f->bytes[1]);
    nfa_put_be32(b, LINUX_CTA_STATUS, f->status);
    nfa_put_be32(b, LINUX_CTA_TIMEOUT, (uint32_t)f->timeout);
    nfa_put_be32(b, LINUX_CTA_MARK, f->mark);
    if (f->orig.proto == TCP)
        put_tcp(b, f->tcp_state);
    nfa_put_be32(b, LINUX_CTA_USE, 1);
    nfa_put_be32(b, LINUX_CTA_ID, f->id);
    return nl_end(b, at);
}
bool ctnl_dump(struct nf *nf, struct rtnl_dump *d, struct nl_buf *b) {
    struct nf_flow f;
    for (uint32_t next = d->at; nf_flow_next(nf, &next, &f); d->at = next) {
        uint8_t family = ns_ip_is4(&f.orig.src) ? NF_IPV4 : NF_IPV6;
        if ((d->family == 0 || d->family == family) && !put_flow(b, &f, LINUX_NLM_F_MULTI, d->seq, d->portid))
            return false;
    }
    return true;
}

// ---- Asked for --------------------------------------------------------------------------------------------
static bool get_ip(struct nfattr a, bool four, struct ns_ip *to) {
    if (a.n < (four ? 4u : 16u))
        return false;
    if (four)
        *to = ns_ip4(a.p[0], a.p[1], a.p[2], a.p[3]);
    else
        memcpy(to->b, a.p, 16);
    return true;
}
static bool get_tuple(struct nfattr tuple, bool four, struct nf_tuple *t) {
    struct nfattr ip = nfa_in(tuple, LINUX_CTA_TUPLE_IP), proto = nfa_in(tuple, LINUX_CTA_TUPLE_PROTO);
    uint32_t number, src, dst, id;
    memset(t, 0, sizeof *t);
    if (!get_ip(nfa_in(ip, four ? LINUX_CTA_IP_V4_SRC : LINUX_CTA_IP_V6_SRC), four, &t->src) ||
        !get_ip(nfa_in(ip, four ? LINUX_CTA_IP_V4_DST : LINUX_CTA_IP_V6_DST), four, &t->dst) ||
        !nfa_in(proto, LINUX_CTA_PROTO_NUM).p || !nfa_u8(nfa_in(proto, LINUX_CTA_PROTO_NUM), &number, 0))
        return false;
    uint16_t attr = number == ICMP6 ? LINUX_CTA_PROTO_ICMPV6_ID : LINUX_CTA_PROTO_ICMP_ID;
    if (!nfa_be16(nfa_in(proto, LINUX_CTA_PROTO_SRC_PORT), &src, 0) ||
        !nfa_be16(nfa_in(proto, LINUX_CTA_PROTO_DST_PORT), &dst, 0) || !nfa_be16(nfa_in(proto, attr), &id, 0))
        return false;
    bool icmp = number == ICMP || number == ICMP6;
    t->proto = (uint16_t)number;
    t->sport = (uint16_t)(icmp ? id : src);
    t->dport = (uint16_t)(icmp ? id : dst);
    return true;
}
static int one(struct nfreq *r, bool delete) {
    struct nfattr orig = nfa(r, LINUX_CTA_TUPLE_ORIG), reply = nfa(r, LINUX_CTA_TUPLE_REPLY);
    struct nf_tuple t;
    struct nf_flow f;
    if (!orig.p && !reply.p) {
        if (delete)
            nf_flow_flush(r->nf);
        return delete ? 0 : -LINUX_EINVAL;
    }
    if (r->family != NF_IPV4 && r->family != NF_IPV6)
        return -LINUX_EOPNOTSUPP;
    if (!get_tuple(orig.p ? orig : reply, r->family == NF_IPV4, &t))
        return -LINUX_EINVAL;
    if (!nf_flow_find(r->nf, &t, !orig.p, delete, &f))
        return -LINUX_ENOENT;
    if (delete)
        return 0;
    return put_flow(r->out, &f, 0, r->q->h.nlmsg_seq, r->portid) ? 0 : -LINUX_EMSGSIZE;
}
static int stats(struct nfreq *r) {
    struct linux_nfgenmsg m = {.nfgen_family = 0};
    size_t at = nl_begin(r->out, LINUX_NFNL_SUBSYS_CTNETLINK << 8 | LINUX_IPCTNL_MSG_CT_GET_STATS, 0,
                         r->q->h.nlmsg_seq, r->portid, &m, sizeof m);
    nfa_put_be32(r->out, LINUX_CTA_STATS_GLOBAL_ENTRIES, nf_flow_count(r->nf));
    return nl_end(r->out, at) ? 0 : -LINUX_EMSGSIZE;
}
int ctnl_serve(struct nfreq *r) {
    switch (r->type) {
    case LINUX_IPCTNL_MSG_CT_GET:
        return one(r, false);
    case LINUX_IPCTNL_MSG_CT_DELETE:
        return one(r, true);
    case LINUX_IPCTNL_MSG_CT_GET_STATS:
        return stats(r);
    default:
        return -LINUX_EOPNOTSUPP;
    }
}
