// SPDX-License-Identifier: Apache-2.0
// Batches of nf_tables, built attribute by attribute, for tests that set packet filters in the caller's
// network namespace. nf_send() gives the first errno of the answers.
#pragma once
#include "guest.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>

struct nf {
    char b[48 * 1024];
    size_t len, msg;  // msg: where the last message begins
    unsigned seq;
    int family;
};
#define NF_NONE (-1)

GUEST_FN void nf_put(struct nf *n, int type, const void *data, size_t len) {
    struct nlattr a = {.nla_len = sizeof(a) + len, .nla_type = type};
    ASSERT_TRUE(n->len + sizeof(a) + len + 4 < sizeof(n->b));
    memcpy(n->b + n->len, &a, sizeof(a));
    if (len)
        memcpy(n->b + n->len + sizeof(a), data, len);
    n->len += NLA_ALIGN(sizeof(a) + len);
}
GUEST_FN void nf_str(struct nf *n, int type, const char *s) { nf_put(n, type, s, strlen(s) + 1); }
GUEST_FN void nf_u32(struct nf *n, int type, unsigned v) {
    unsigned be = htonl(v);
    nf_put(n, type, &be, sizeof(be));
}
GUEST_FN void nf_u64(struct nf *n, int type, unsigned long v) {
    unsigned long be = htobe64(v);
    nf_put(n, type, &be, sizeof(be));
}
GUEST_FN size_t nf_nest(struct nf *n, int type) {
    size_t at = n->len;
    nf_put(n, type | NLA_F_NESTED, NULL, 0);
    return at;
}
GUEST_FN void nf_end(struct nf *n, size_t at) { ((struct nlattr *)(n->b + at))->nla_len = n->len - at; }
// The message is as long as what has been put.
GUEST_FN void nf_close_msg(struct nf *n) {
    if (n->len)
        ((struct nlmsghdr *)(n->b + n->msg))->nlmsg_len = n->len - n->msg;
}
GUEST_FN void nf_open_msg(struct nf *n, int type, int flags, int family, int id) {
    struct nfgenmsg m = {.nfgen_family = family, .res_id = htons(id)};
    struct nlmsghdr h = {.nlmsg_len = NLMSG_LENGTH(sizeof(m)),
                         .nlmsg_type = type,
                         .nlmsg_flags = flags | NLM_F_REQUEST,
                         .nlmsg_seq = ++n->seq};
    nf_close_msg(n);
    ASSERT_TRUE(n->len + h.nlmsg_len < sizeof(n->b));
    n->msg = n->len;
    memcpy(n->b + n->len, &h, sizeof(h));
    memcpy(n->b + n->len + NLMSG_HDRLEN, &m, sizeof(m));
    n->len += h.nlmsg_len;
}
GUEST_FN void nf_begin(struct nf *n) {
    n->len = n->msg = 0;
    n->family = NFPROTO_IPV4;
    nf_open_msg(n, NFNL_MSG_BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES);
}
GUEST_FN void nf_msg(struct nf *n, int type, int flags) {
    nf_open_msg(n, NFNL_SUBSYS_NFTABLES << 8 | type, flags | NLM_F_ACK, n->family, 0);
}
GUEST_FN int nf_socket(void) {
    return ASSERT_OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
}
// The first error of what is answered; 0: none.
GUEST_FN int nf_answers(int s) {
    static char b[65536];
    int first = 0;
    ssize_t got;
    while ((got = recv(s, b, sizeof(b), MSG_DONTWAIT)) > 0)
        for (struct nlmsghdr *h = (void *)b; NLMSG_OK(h, (size_t)got); h = NLMSG_NEXT(h, got))
            if (h->nlmsg_type == NLMSG_ERROR && !first)
                first = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
    return first;
}
GUEST_FN int nf_send_as_is(struct nf *n) {
    int s = nf_socket();
    nf_close_msg(n);
    ASSERT_EQ(send(s, n->b, n->len, 0), (ssize_t)n->len);
    int err = nf_answers(s);
    close(s);
    return err;
}
GUEST_FN int nf_send(struct nf *n) {
    nf_open_msg(n, NFNL_MSG_BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES);
    return nf_send_as_is(n);
}

// ---- Objects ----
GUEST_FN void nf_table(struct nf *n, int type, int flags, const char *name) {
    nf_msg(n, type, flags);
    nf_str(n, NFTA_TABLE_NAME, name);
}
// type: of a base chain; NULL: one that is jumped to.
GUEST_FN void nf_chain(struct nf *n, const char *table, const char *name, const char *type, int hook,
                       int priority) {
    nf_msg(n, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    nf_str(n, NFTA_CHAIN_TABLE, table);
    nf_str(n, NFTA_CHAIN_NAME, name);
    if (!type)
        return;
    size_t at = nf_nest(n, NFTA_CHAIN_HOOK);
    nf_u32(n, NFTA_HOOK_HOOKNUM, hook);
    nf_u32(n, NFTA_HOOK_PRIORITY, priority);
    nf_end(n, at);
    nf_str(n, NFTA_CHAIN_TYPE, type);
}
// Expressions follow; where they begin, for nf_end().
GUEST_FN size_t nf_rule(struct nf *n, const char *table, const char *chain) {
    nf_msg(n, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    nf_str(n, NFTA_RULE_TABLE, table);
    nf_str(n, NFTA_RULE_CHAIN, chain);
    return nf_nest(n, NFTA_RULE_EXPRESSIONS);
}
// ---- Expressions: an element, its name, and its data ----
struct nf_x {
    size_t elem, data;
};
GUEST_FN struct nf_x nf_expr(struct nf *n, const char *name) {
    struct nf_x x = {.elem = nf_nest(n, NFTA_LIST_ELEM)};
    nf_str(n, NFTA_EXPR_NAME, name);
    x.data = nf_nest(n, NFTA_EXPR_DATA);
    return x;
}
GUEST_FN void nf_expr_end(struct nf *n, struct nf_x x) {
    nf_end(n, x.data);
    nf_end(n, x.elem);
}
GUEST_FN void nf_value(struct nf *n, int type, const void *data, size_t len) {
    size_t at = nf_nest(n, type);
    nf_put(n, NFTA_DATA_VALUE, data, len);
    nf_end(n, at);
}
GUEST_FN void nf_verdict_data(struct nf *n, int type, int code, const char *chain) {
    size_t at = nf_nest(n, type), v = nf_nest(n, NFTA_DATA_VERDICT);
    nf_u32(n, NFTA_VERDICT_CODE, code);
    if (chain)
        nf_str(n, NFTA_VERDICT_CHAIN, chain);
    nf_end(n, v);
    nf_end(n, at);
}
GUEST_FN void nf_verdict(struct nf *n, int code, const char *chain) {
    struct nf_x x = nf_expr(n, "immediate");
    nf_u32(n, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    nf_verdict_data(n, NFTA_IMMEDIATE_DATA, code, chain);
    nf_expr_end(n, x);
}
GUEST_FN void nf_load(struct nf *n, int base, int offset, int len, int reg) {
    struct nf_x x = nf_expr(n, "payload");
    nf_u32(n, NFTA_PAYLOAD_DREG, reg);
    nf_u32(n, NFTA_PAYLOAD_BASE, base);
    nf_u32(n, NFTA_PAYLOAD_OFFSET, offset);
    nf_u32(n, NFTA_PAYLOAD_LEN, len);
    nf_expr_end(n, x);
}
GUEST_FN void nf_cmp(struct nf *n, int op, const void *data, size_t len) {
    struct nf_x x = nf_expr(n, "cmp");
    nf_u32(n, NFTA_CMP_SREG, NFT_REG_1);
    nf_u32(n, NFTA_CMP_OP, op);
    nf_value(n, NFTA_CMP_DATA, data, len);
    nf_expr_end(n, x);
}
GUEST_FN void nf_meta(struct nf *n, int key, const void *is, size_t len) {
    struct nf_x x = nf_expr(n, "meta");
    nf_u32(n, NFTA_META_KEY, key);
    nf_u32(n, NFTA_META_DREG, NFT_REG_1);
    nf_expr_end(n, x);
    if (is)
        nf_cmp(n, NFT_CMP_EQ, is, len);
}
// Of that protocol, to that port.
GUEST_FN void nf_to_port(struct nf *n, unsigned char proto, int port) {
    unsigned short be = htons(port);
    nf_meta(n, NFT_META_L4PROTO, &proto, 1);
    nf_load(n, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, NFT_REG_1);
    nf_cmp(n, NFT_CMP_EQ, &be, sizeof(be));
}
GUEST_FN void nf_immediate(struct nf *n, int reg, const void *data, size_t len) {
    struct nf_x x = nf_expr(n, "immediate");
    nf_u32(n, NFTA_IMMEDIATE_DREG, reg);
    nf_value(n, NFTA_IMMEDIATE_DATA, data, len);
    nf_expr_end(n, x);
}
// One of the connection's states, by its bits.
GUEST_FN void nf_ct_state(struct nf *n, unsigned bits) {
    unsigned zero = 0;
    struct nf_x x = nf_expr(n, "ct");
    nf_u32(n, NFTA_CT_KEY, NFT_CT_STATE);
    nf_u32(n, NFTA_CT_DREG, NFT_REG_1);
    nf_expr_end(n, x);
    x = nf_expr(n, "bitwise");
    nf_u32(n, NFTA_BITWISE_SREG, NFT_REG_1);
    nf_u32(n, NFTA_BITWISE_DREG, NFT_REG_1);
    nf_u32(n, NFTA_BITWISE_LEN, 4);
    nf_value(n, NFTA_BITWISE_MASK, &bits, 4);
    nf_value(n, NFTA_BITWISE_XOR, &zero, 4);
    nf_expr_end(n, x);
    nf_cmp(n, NFT_CMP_NEQ, &zero, 4);
}
GUEST_FN void nf_counter(struct nf *n) { nf_expr_end(n, nf_expr(n, "counter")); }

// ---- Asked ----
// How many messages of that type a dump has; `last` gets the last of them.
GUEST_FN int nf_dump(int get, int answer, const char *table, char *last, size_t n) {
    static struct nf q;
    static char b[65536];
    int s = nf_socket(), found = 0;
    q.len = q.msg = 0;
    nf_open_msg(&q, NFNL_SUBSYS_NFTABLES << 8 | get, NLM_F_DUMP, NFPROTO_IPV4, 0);
    if (table)
        nf_str(&q, NFTA_RULE_TABLE, table);
    nf_close_msg(&q);
    ASSERT_OK(send(s, q.b, q.len, 0));
    for (;;) {
        ssize_t got = ASSERT_OK(recv(s, b, sizeof(b), 0));
        for (struct nlmsghdr *h = (void *)b; NLMSG_OK(h, (size_t)got); h = NLMSG_NEXT(h, got)) {
            if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
                close(s);
                return h->nlmsg_type == NLMSG_DONE ? found : -1;
            }
            if (h->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | answer))
                continue;
            found++;
            if (last)
                memcpy(last, h, (size_t)h->nlmsg_len < n ? h->nlmsg_len : n);
        }
    }
}
// The attribute of a message; NULL: it has none.
GUEST_FN const struct nlattr *nf_attr(const void *p, size_t n, int type) {
    for (const char *at = p; n >= sizeof(struct nlattr);) {
        const struct nlattr *a = (const void *)at;
        if (a->nla_len < sizeof(*a) || a->nla_len > n)
            return NULL;
        if ((a->nla_type & NLA_TYPE_MASK) == type)
            return a;
        if ((size_t)NLA_ALIGN(a->nla_len) >= n)
            return NULL;
        at += NLA_ALIGN(a->nla_len);
        n -= NLA_ALIGN(a->nla_len);
    }
    return NULL;
}
GUEST_FN const struct nlattr *nf_attr_in(const struct nlattr *a, int type) {
    return a ? nf_attr((const char *)a + sizeof(*a), a->nla_len - sizeof(*a), type) : NULL;
}
GUEST_FN const struct nlattr *nf_attr_of(const char *msg, int type) {
    const struct nlmsghdr *h = (const void *)msg;
    size_t head = NLMSG_LENGTH(sizeof(struct nfgenmsg));
    return nf_attr(msg + head, h->nlmsg_len - head, type);
}
GUEST_FN unsigned long nf_number(const struct nlattr *a) {
    unsigned long v = 0;
    for (int i = sizeof(*a); a && i < a->nla_len; i++)
        v = v << 8 | ((const unsigned char *)a)[i];
    return v;
}
