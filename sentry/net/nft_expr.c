// SPDX-License-Identifier: Apache-2.0
// nf_tables' expressions between netlink and the filter. Most of each is a row of attributes: which, of what
// kind, and where it goes in struct nf_expr; reading, and telling again, goes by the row. What the rows
// cannot say, an expression's own check does, after they were read: lengths of registers, values that go
// together.
// LIMIT: expressions other than these are ENOENT: writing to a payload, extension headers, rules that fill
// sets, numgen, hash, socket, rt, queue, dup, fwd, tproxy, synproxy.
#include "sentry/net/nfnl.h"
#include <stddef.h>

enum attr_kind { A_NONE, A_U8, A_BE16, A_BE32, A_BE64, A_SREG, A_DREG, A_VALUE };
#define NEEDED 1u  // EINVAL without it
#define QUIET  2u  // not told when it is 0
struct attr {
    uint16_t nr;
    uint8_t kind, flags;
    uint16_t at;  // in struct nf_expr
};
#define ATTRS 8
struct parse {
    struct nf *nf;
    struct nf_table *t;
    struct nfattr data;
    uint32_t given;  // 1 << nr
};
struct expr_type {
    const char *name;
    enum nf_kind kind;
    struct attr attrs[ATTRS];
    int (*check)(struct parse *p, struct nf_expr *x);
    void (*more)(struct nl_buf *b, const struct nf_expr *x);  // what the row does not tell
};
#define GIVEN(p, nr) ((p)->given & 1u << (nr))

// ---- What each has besides its row ------------------------------------------------------------------------
static int check_both(const struct nf_expr *x) {
    int err = nft_reg_check(x->sreg, x->len);
    return err < 0 ? err : nft_reg_check(x->dreg, x->len);
}
enum { IMM_DATA = 2 };
static int check_immediate(struct parse *p, struct nf_expr *x) {
    struct nfattr data = nfa_in(p->data, IMM_DATA);
    if (x->dreg == 0)
        return nft_verdict_get(p->nf, p->t, data, &x->imm);
    int n = nft_value_get(data, x->imm.b, sizeof x->imm.b);
    if (n < 0)
        return n;
    x->imm.len = (uint32_t)n;
    return nft_reg_check(x->dreg, x->imm.len);
}
static void more_immediate(struct nl_buf *b, const struct nf_expr *x) {
    if (x->dreg == 0)
        nft_verdict_put(b, IMM_DATA, &x->imm);
    else
        nft_value_put(b, IMM_DATA, x->imm.b, x->imm.len);
}
static int check_cmp(struct parse *p, struct nf_expr *x) {
    return x->cmp.op > 5 ? -LINUX_EINVAL : nft_reg_check(x->sreg, x->cmp.data.len);
}
static int check_range(struct parse *p, struct nf_expr *x) {
    if (x->range.op > 1 || x->range.from.len != x->range.to.len)
        return -LINUX_EINVAL;
    return nft_reg_check(x->sreg, x->range.from.len);
}
enum { BITWISE_MASK = 4, BITWISE_XOR, BITWISE_OP, BITWISE_DATA };
static int check_bitwise(struct parse *p, struct nf_expr *x) {
    bool mask = GIVEN(p, BITWISE_MASK), xor = GIVEN(p, BITWISE_XOR), data = GIVEN(p, BITWISE_DATA);
    uint32_t by;
    if (x->bitwise.op > 2)
        return -LINUX_EOPNOTSUPP;
    if (x->len > NF_DATA)
        return -LINUX_EINVAL;
    if (x->bitwise.op == 0) {
        if (!mask || !xor || data || x->bitwise.mask.len != x->len || x->bitwise.xor.len != x->len)
            return -LINUX_EINVAL;
    } else {
        memcpy(&by, x->bitwise.data.b, sizeof by);
        if (mask || xor || !data || x->bitwise.data.len != sizeof by || by == 0 || by >= 32)
            return -LINUX_EINVAL;
    }
    return check_both(x);
}
static void more_bitwise(struct nl_buf *b, const struct nf_expr *x) {
    if (x->bitwise.op) {
        nft_value_put(b, BITWISE_DATA, x->bitwise.data.b, x->bitwise.data.len);
        return;
    }
    nft_value_put(b, BITWISE_MASK, x->bitwise.mask.b, x->bitwise.mask.len);
    nft_value_put(b, BITWISE_XOR, x->bitwise.xor.b, x->bitwise.xor.len);
}
static int check_byteorder(struct parse *p, struct nf_expr *x) {
    uint32_t size = x->byteorder.size;
    if (x->byteorder.op > 1 || (size != 2 && size != 4 && size != 8) || x->len % size)
        return -LINUX_EINVAL;
    return check_both(x);
}
enum { PAYLOAD_DREG = 1, PAYLOAD_SREG = 5 };
static int check_payload(struct parse *p, struct nf_expr *x) {
    if (GIVEN(p, PAYLOAD_SREG) || x->payload.base > 2)
        return -LINUX_EOPNOTSUPP;
    if (!GIVEN(p, PAYLOAD_DREG))
        return -LINUX_EINVAL;
    return x->payload.offset > 0xffff ? -LINUX_ERANGE : nft_reg_check(x->dreg, x->len);
}
enum { KEY_DREG = 1, META_SREG = 3, CT_DIR = 3, CT_SREG = 4 };
// Only a mark can be set, of a packet or of a connection.
static int check_set(struct nf_expr *x, bool dreg, enum nf_kind kind, uint32_t key, uint32_t settable) {
    if (dreg)
        return -LINUX_EINVAL;
    x->kind = kind;
    x->len = 4;
    return key == settable ? nft_reg_check(x->sreg, 4) : -LINUX_EOPNOTSUPP;
}
static int check_meta(struct parse *p, struct nf_expr *x) {
    static const uint8_t len[] = {[0] = 4, [1] = 2, [3] = 4,  [4] = 4,  [5] = 4,  [6] = 16, [7] = 16,
                                  [8] = 2, [9] = 2, [15] = 1, [16] = 1, [19] = 1, [24] = 4};
    uint32_t key = x->meta.key;
    if (key > 255)
        return -LINUX_ERANGE;
    if (GIVEN(p, META_SREG))
        return check_set(x, GIVEN(p, KEY_DREG), NF_X_META_SET, key, 3);
    if (!GIVEN(p, KEY_DREG))
        return -LINUX_EINVAL;
    if (key >= sizeof len || !len[key])
        return -LINUX_EOPNOTSUPP;
    x->len = len[key];
    return nft_reg_check(x->dreg, x->len);
}
static int check_ct(struct parse *p, struct nf_expr *x) {
    // the length, and whether a direction is to be said: 1 has to be, 2 may be
    static const uint8_t keys[][2] = {
        [0] = {4, 0},  [1] = {1, 0},  [2] = {4, 0},  [3] = {4, 0},   [5] = {4, 0},   [7] = {1, 2},
        [8] = {16, 1}, [9] = {16, 1}, [10] = {1, 2}, [11] = {2, 1},  [12] = {2, 1},  [14] = {8, 2},
        [15] = {8, 2}, [19] = {4, 1}, [20] = {4, 1}, [21] = {16, 1}, [22] = {16, 1}, [23] = {4, 0}};
    uint32_t key = x->ct.key;
    if (key > 255)
        return -LINUX_ERANGE;
    bool dir = GIVEN(p, CT_DIR);
    if (!dir)
        x->ct.dir = NF_NO_DIR;
    if (GIVEN(p, CT_SREG))
        return check_set(x, GIVEN(p, KEY_DREG), NF_X_CT_SET, key, 3);
    if (!GIVEN(p, KEY_DREG))
        return -LINUX_EINVAL;
    if (key >= sizeof keys / sizeof *keys || !keys[key][0])
        return -LINUX_EOPNOTSUPP;
    if ((dir && keys[key][1] == 0) || (!dir && keys[key][1] == 1) || (dir && x->ct.dir > 1))
        return -LINUX_EINVAL;
    x->len = keys[key][0];
    if ((key == 8 || key == 9) && p->t->family == NF_IPV4)
        x->len = 4;
    return nft_reg_check(x->dreg, x->len);
}
static void more_ct(struct nl_buf *b, const struct nf_expr *x) {
    if (x->ct.dir != NF_NO_DIR)
        nl_put_u8(b, CT_DIR, (uint8_t)x->ct.dir);
}
static int check_limit(struct parse *p, struct nf_expr *x) {
    const uint64_t ns = 1000000000;
    if (x->limit.rate == 0 || x->limit.type > 1 || (x->limit.flags & ~1u))
        return -LINUX_EINVAL;
    if (x->limit.unit == 0 || x->limit.unit > UINT64_MAX / ns ||
        x->limit.rate + x->limit.burst < x->limit.rate)
        return -LINUX_EOVERFLOW;
    if (x->limit.type == 0 && x->limit.burst == 0)
        x->limit.burst = 5;
    return 0;
}
enum { LOG_GROUP = 1, LOG_PREFIX, LOG_SNAPLEN, LOG_QTHRESHOLD, LOG_LEVEL, LOG_FLAGS };
static int check_log(struct parse *p, struct nf_expr *x) {
    struct nfattr prefix = nfa_in(p->data, LOG_PREFIX);
    if (GIVEN(p, LOG_LEVEL) && GIVEN(p, LOG_GROUP))
        return -LINUX_EINVAL;
    if (prefix.p && !nfa_str(prefix, x->log.prefix, sizeof x->log.prefix))
        return -LINUX_EINVAL;
    if (!GIVEN(p, LOG_LEVEL))
        x->log.level = 4;  // LOG_WARNING
    x->log.given = p->given;
    return x->log.level > 8 || (x->log.flags & ~0x7fu) ? -LINUX_EINVAL : 0;
}
static void more_log(struct nl_buf *b, const struct nf_expr *x) {
    if (x->log.prefix[0])
        nl_put_str(b, LOG_PREFIX, x->log.prefix);
    if (!GIVEN(&x->log, LOG_GROUP)) {
        nfa_put_be32(b, LOG_LEVEL, x->log.level);
        if (x->log.flags)
            nfa_put_be32(b, LOG_FLAGS, x->log.flags);
        return;
    }
    nfa_put_be16(b, LOG_GROUP, x->log.group);
    if (x->log.snaplen)
        nfa_put_be32(b, LOG_SNAPLEN, x->log.snaplen);
    if (x->log.qthreshold)
        nfa_put_be16(b, LOG_QTHRESHOLD, x->log.qthreshold);
}
enum { REJECT_CODE = 2 };
static int check_reject(struct parse *p, struct nf_expr *x) {
    if (x->reject.type > 2)
        return -LINUX_EOPNOTSUPP;
    if (x->reject.type != 1 && !GIVEN(p, REJECT_CODE))
        return -LINUX_EINVAL;
    if (x->reject.type == 2 && (p->t->family != NF_INET || x->reject.code > 3))
        return -LINUX_EINVAL;
    return 0;
}
static void more_reject(struct nl_buf *b, const struct nf_expr *x) {
    if (x->reject.type != 1)
        nl_put_u8(b, REJECT_CODE, (uint8_t)x->reject.code);
}
#define RANGE_FLAGS 0x7fu
#define RANGE_CAN   (0x7fu & ~0x60u)  // LIMIT: nets are not mapped to nets, nor ports by an offset
static int check_range_regs(struct nf_expr *x, uint32_t address) {
    int err = x->nat.flags & ~RANGE_FLAGS ? -LINUX_EINVAL : 0;
    if (err == 0 && (x->nat.flags & ~RANGE_CAN))
        err = -LINUX_EOPNOTSUPP;
    if (x->nat.addr_min && !x->nat.addr_max)
        x->nat.addr_max = x->nat.addr_min;
    if (x->nat.port_min && !x->nat.port_max)
        x->nat.port_max = x->nat.port_min;
    if ((x->nat.addr_max && !x->nat.addr_min) || (x->nat.port_max && !x->nat.port_min))
        return -LINUX_EINVAL;
    if (err == 0 && x->nat.addr_min && (err = nft_reg_check(x->nat.addr_min, address)) == 0)
        err = nft_reg_check(x->nat.addr_max, address);
    if (err == 0 && x->nat.port_min && (err = nft_reg_check(x->nat.port_min, 2)) == 0)
        err = nft_reg_check(x->nat.port_max, 2);
    return err;
}
static int check_nat(struct parse *p, struct nf_expr *x) {
    uint32_t family = x->nat.family;
    if (x->nat.type > 1)
        return -LINUX_EINVAL;
    if (family != NF_IPV4 && family != NF_IPV6)
        return -LINUX_EAFNOSUPPORT;
    if (family != p->t->family && p->t->family != NF_INET)
        return -LINUX_EOPNOTSUPP;
    return check_range_regs(x, family == NF_IPV4 ? 4 : 16);
}
static int check_masq(struct parse *p, struct nf_expr *x) { return check_range_regs(x, 4); }

static int check_fib(struct parse *p, struct nf_expr *x) {
    const uint32_t saddr = 1, daddr = 2, iif = 8, oif = 16, present = 32;
    uint32_t f = x->fib.flags;
    bool one = !(f & saddr) != !(f & daddr);
    if (f == 0 || (f & ~63u) || !one || ((f & iif) && (f & oif)))
        return -LINUX_EINVAL;
    if (x->fib.result < 1 || x->fib.result > 3)
        return -LINUX_EINVAL;
    if (x->fib.result == 3 ? (f & present) != 0 : (f & oif) != 0)
        return -LINUX_EINVAL;
    x->len = x->fib.result == 2 && !(f & present) ? 16 : 4;
    return nft_reg_check(x->dreg, x->len);
}
static int check_quota(struct parse *p, struct nf_expr *x) {
    if (x->quota.flags & ~3u)
        return -LINUX_EOPNOTSUPP;
    x->quota.flags &= 1;
    return x->quota.bytes > INT64_MAX || x->quota.consumed > x->quota.bytes ? -LINUX_EOVERFLOW : 0;
}
struct nf_set *nft_set_named(struct nf *nf, struct nf_table *t, struct nfattr name, struct nfattr id) {
    char text[NF_NAME];
    uint32_t number;
    struct nf_set *s = nfa_str(name, text, sizeof text) ? nf_set_find(t, text) : NULL;
    if (!s && id.p && nfa_be32(id, &number, 0))
        s = nf_set_by_id(nf, t, number);
    return s;
}
enum { LOOKUP_SET = 1, LOOKUP_SREG, LOOKUP_DREG, LOOKUP_SET_ID };
static int check_lookup(struct parse *p, struct nf_expr *x) {
    struct nf_set *s =
        nft_set_named(p->nf, p->t, nfa_in(p->data, LOOKUP_SET), nfa_in(p->data, LOOKUP_SET_ID));
    if (!s)
        return -LINUX_ENOENT;
    x->lookup.set = s;
    x->lookup.has_dreg = GIVEN(p, LOOKUP_DREG);
    if ((x->lookup.flags & ~1u) || (s->flags & NF_SET_OBJECT))
        return -LINUX_EINVAL;
    if (x->lookup.has_dreg != !!(s->flags & NF_SET_MAP) || (x->lookup.has_dreg && x->lookup.flags))
        return -LINUX_EINVAL;
    int err = nft_reg_check(x->sreg, s->key_len);
    if (err < 0 || !x->lookup.has_dreg)
        return err;
    if (s->data_type == NF_VERDICT_TYPE)
        return x->dreg == 0 ? 0 : -LINUX_EINVAL;
    return nft_reg_check(x->dreg, s->data_len);
}
static void more_lookup(struct nl_buf *b, const struct nf_expr *x) {
    nl_put_str(b, LOOKUP_SET, x->lookup.set->name);
    if (x->lookup.has_dreg)
        nfa_put_be32(b, LOOKUP_DREG, nft_reg_told(x->dreg));
    nfa_put_be32(b, 5, x->lookup.flags);
}
enum { OBJREF_TYPE = 1, OBJREF_NAME, OBJREF_SREG, OBJREF_SET, OBJREF_SET_ID };
static int check_objref(struct parse *p, struct nf_expr *x) {
    char name[NF_NAME];
    uint32_t type;
    if (GIVEN(p, OBJREF_SREG)) {
        struct nf_set *s =
            nft_set_named(p->nf, p->t, nfa_in(p->data, OBJREF_SET), nfa_in(p->data, OBJREF_SET_ID));
        if (!s)
            return -LINUX_ENOENT;
        x->objref.set = s;
        return s->flags & NF_SET_OBJECT ? nft_reg_check(x->sreg, s->key_len) : -LINUX_EINVAL;
    }
    if (!nfa_str(nfa_in(p->data, OBJREF_NAME), name, sizeof name) ||
        !nfa_be32(nfa_in(p->data, OBJREF_TYPE), &type, 0))
        return -LINUX_EINVAL;
    x->objref.obj = nf_obj_find(p->t, name, type);
    return x->objref.obj ? 0 : -LINUX_ENOENT;
}
static void more_objref(struct nl_buf *b, const struct nf_expr *x) {
    if (x->objref.set) {
        nfa_put_be32(b, OBJREF_SREG, nft_reg_told(x->sreg));
        nl_put_str(b, OBJREF_SET, x->objref.set->name);
        return;
    }
    nfa_put_be32(b, OBJREF_TYPE, x->objref.obj->type);
    nl_put_str(b, OBJREF_NAME, x->objref.obj->name);
}
enum { XT_NAME = 1, XT_REV, XT_INFO };
static int check_xt(struct parse *p, struct nf_expr *x) {
    struct nfattr info = nfa_in(p->data, XT_INFO);
    char name[32];
    uint32_t revision;
    int most;
    if (!nfa_str(nfa_in(p->data, XT_NAME), name, sizeof name) || !GIVEN(p, XT_REV) || !info.p ||
        !nfa_be32(nfa_in(p->data, XT_REV), &revision, 0))
        return -LINUX_EINVAL;
    x->xt.xt = nf_xt_find(x->kind == NF_X_TARGET, name, p->t->family, revision, &most);
    if (!x->xt.xt)
        return -LINUX_ENOENT;
    if (!nf_xt_info_ok(x->xt.xt, info.p, (uint32_t)info.n))
        return -LINUX_EINVAL;
    x->xt.info = nf_alloc(p->nf, info.n);
    if (!x->xt.info)
        return -LINUX_ENOMEM;
    x->xt.info_len = (uint32_t)info.n;
    memcpy(x->xt.info, info.p, info.n);
    return 0;
}
static void more_xt(struct nl_buf *b, const struct nf_expr *x) {
    nl_put_str(b, XT_NAME, nf_xt_name(x->xt.xt));
    nfa_put_be32(b, XT_REV, nf_xt_revision(x->xt.xt));
    nl_put(b, XT_INFO, x->xt.info, x->xt.info_len);
}

// ---- The rows ---------------------------------------------------------------------------------------------
#define AT(field) offsetof(struct nf_expr, field)
static const struct expr_type types[] = {
    {"immediate", NF_X_IMMEDIATE, {{1, A_DREG, NEEDED, AT(dreg)}}, check_immediate, more_immediate},
    {"cmp",
     NF_X_CMP,
     {{1, A_SREG, NEEDED, AT(sreg)}, {2, A_BE32, NEEDED, AT(cmp.op)}, {3, A_VALUE, NEEDED, AT(cmp.data)}},
     check_cmp,
     NULL},
    {"range",
     NF_X_RANGE,
     {{1, A_SREG, NEEDED, AT(sreg)},
      {2, A_BE32, NEEDED, AT(range.op)},
      {3, A_VALUE, NEEDED, AT(range.from)},
      {4, A_VALUE, NEEDED, AT(range.to)}},
     check_range,
     NULL},
    {"bitwise",
     NF_X_BITWISE,
     {{1, A_SREG, NEEDED, AT(sreg)},
      {2, A_DREG, NEEDED, AT(dreg)},
      {3, A_BE32, NEEDED, AT(len)},
      {BITWISE_OP, A_BE32, 0, AT(bitwise.op)},
      {BITWISE_MASK, A_VALUE, QUIET, AT(bitwise.mask)},
      {BITWISE_XOR, A_VALUE, QUIET, AT(bitwise.xor)},
      {BITWISE_DATA, A_VALUE, QUIET, AT(bitwise.data)}},
     check_bitwise,
     more_bitwise},
    {"byteorder",
     NF_X_BYTEORDER,
     {{1, A_SREG, NEEDED, AT(sreg)},
      {2, A_DREG, NEEDED, AT(dreg)},
      {3, A_BE32, NEEDED, AT(byteorder.op)},
      {4, A_BE32, NEEDED, AT(len)},
      {5, A_BE32, NEEDED, AT(byteorder.size)}},
     check_byteorder,
     NULL},
    {"payload",
     NF_X_PAYLOAD,
     {{PAYLOAD_DREG, A_DREG, 0, AT(dreg)},
      {2, A_BE32, NEEDED, AT(payload.base)},
      {3, A_BE32, NEEDED, AT(payload.offset)},
      {4, A_BE32, NEEDED, AT(len)},
      {PAYLOAD_SREG, A_SREG, QUIET, AT(sreg)}},
     check_payload,
     NULL},
    {"meta",
     NF_X_META,
     {{2, A_BE32, NEEDED, AT(meta.key)},
      {KEY_DREG, A_DREG, QUIET, AT(dreg)},
      {META_SREG, A_SREG, QUIET, AT(sreg)}},
     check_meta,
     NULL},
    {"ct",
     NF_X_CT,
     {{2, A_BE32, NEEDED, AT(ct.key)},
      {KEY_DREG, A_DREG, QUIET, AT(dreg)},
      {CT_SREG, A_SREG, QUIET, AT(sreg)},
      {CT_DIR, A_U8, QUIET, AT(ct.dir)}},
     check_ct,
     more_ct},
    {"counter",
     NF_X_COUNTER,
     {{1, A_BE64, 0, AT(counter.bytes)}, {2, A_BE64, 0, AT(counter.packets)}},
     NULL,
     NULL},
    {"limit",
     NF_X_LIMIT,
     {{1, A_BE64, NEEDED, AT(limit.rate)},
      {2, A_BE64, NEEDED, AT(limit.unit)},
      {3, A_BE32, 0, AT(limit.burst)},
      {4, A_BE32, 0, AT(limit.type)},
      {5, A_BE32, 0, AT(limit.flags)}},
     check_limit,
     NULL},
    {"log",
     NF_X_LOG,
     {{LOG_GROUP, A_BE16, QUIET, AT(log.group)},
      {LOG_SNAPLEN, A_BE32, QUIET, AT(log.snaplen)},
      {LOG_QTHRESHOLD, A_BE16, QUIET, AT(log.qthreshold)},
      {LOG_LEVEL, A_BE32, QUIET, AT(log.level)},
      {LOG_FLAGS, A_BE32, QUIET, AT(log.flags)}},
     check_log,
     more_log},
    {"reject",
     NF_X_REJECT,
     {{1, A_BE32, NEEDED, AT(reject.type)}, {REJECT_CODE, A_U8, QUIET, AT(reject.code)}},
     check_reject,
     more_reject},
    {"nat",
     NF_X_NAT,
     {{1, A_BE32, NEEDED, AT(nat.type)},
      {2, A_BE32, NEEDED, AT(nat.family)},
      {3, A_SREG, QUIET, AT(nat.addr_min)},
      {4, A_SREG, QUIET, AT(nat.addr_max)},
      {5, A_SREG, QUIET, AT(nat.port_min)},
      {6, A_SREG, QUIET, AT(nat.port_max)},
      {7, A_BE32, QUIET, AT(nat.flags)}},
     check_nat,
     NULL},
    {"masq",
     NF_X_MASQ,
     {{1, A_BE32, QUIET, AT(nat.flags)},
      {2, A_SREG, QUIET, AT(nat.port_min)},
      {3, A_SREG, QUIET, AT(nat.port_max)}},
     check_masq,
     NULL},
    {"redir",
     NF_X_REDIR,
     {{1, A_SREG, QUIET, AT(nat.port_min)},
      {2, A_SREG, QUIET, AT(nat.port_max)},
      {3, A_BE32, QUIET, AT(nat.flags)}},
     check_masq,
     NULL},
    {"fib",
     NF_X_FIB,
     {{1, A_DREG, NEEDED, AT(dreg)}, {2, A_BE32, NEEDED, AT(fib.result)}, {3, A_BE32, NEEDED, AT(fib.flags)}},
     check_fib,
     NULL},
    {"notrack", NF_X_NOTRACK, {{0}}, NULL, NULL},
    {"quota",
     NF_X_QUOTA,
     {{1, A_BE64, NEEDED, AT(quota.bytes)},
      {2, A_BE32, 0, AT(quota.flags)},
      {4, A_BE64, 0, AT(quota.consumed)}},
     check_quota,
     NULL},
    {"lookup",
     NF_X_LOOKUP,
     {{LOOKUP_SREG, A_SREG, NEEDED, AT(sreg)},
      {5, A_BE32, QUIET, AT(lookup.flags)},
      {LOOKUP_DREG, A_DREG, QUIET, AT(dreg)}},
     check_lookup,
     more_lookup},
    {"objref", NF_X_OBJREF, {{OBJREF_SREG, A_SREG, QUIET, AT(sreg)}}, check_objref, more_objref},
    {"match", NF_X_MATCH, {{XT_REV, A_NONE, NEEDED, 0}}, check_xt, more_xt},
    {"target", NF_X_TARGET, {{XT_REV, A_NONE, NEEDED, 0}}, check_xt, more_xt},
};
#define TYPES (sizeof types / sizeof *types)

static const struct expr_type *type_of(enum nf_kind kind) {
    if (kind == NF_X_META_SET)
        kind = NF_X_META;
    if (kind == NF_X_CT_SET)
        kind = NF_X_CT;
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].kind == kind)
            return &types[i];
    return NULL;
}

// ---- By the row -------------------------------------------------------------------------------------------
static int read_one(const struct attr *a, struct nfattr v, struct nf_expr *x) {
    uint32_t *word = (uint32_t *)((uint8_t *)x + a->at), reg;
    struct nf_data *d = (struct nf_data *)((uint8_t *)x + a->at);
    int n;
    switch (a->kind) {
    case A_U8:
        return nfa_u8(v, word, 0) ? 0 : -LINUX_EINVAL;
    case A_BE16:
        return nfa_be16(v, word, 0) ? 0 : -LINUX_EINVAL;
    case A_BE32:
        return nfa_be32(v, word, 0) ? 0 : -LINUX_EINVAL;
    case A_BE64:
        return nfa_be64(v, (uint64_t *)((uint8_t *)x + a->at), 0) ? 0 : -LINUX_EINVAL;
    case A_SREG:
    case A_DREG:
        return nfa_be32(v, &reg, 0) ? nft_reg_get(reg, word) : -LINUX_EINVAL;
    case A_VALUE:
        n = nft_value_get(v, d->b, sizeof d->b);
        d->len = n < 0 ? 0 : (uint32_t)n;
        return n < 0 ? n : 0;
    default:
        return 0;
    }
}
static int read_row(const struct expr_type *type, struct parse *p, struct nf_expr *x) {
    for (const struct attr *a = type->attrs; a < type->attrs + ATTRS && a->nr; a++) {
        struct nfattr v = nfa_in(p->data, a->nr);
        if (!v.p && (a->flags & NEEDED))
            return -LINUX_EINVAL;
        if (!v.p)
            continue;
        p->given |= 1u << a->nr;
        int err = read_one(a, v, x);
        if (err < 0)
            return err;
    }
    return type->check ? type->check(p, x) : 0;
}
static void tell_one(struct nl_buf *b, const struct attr *a, const struct nf_expr *x) {
    const uint32_t *word = (const uint32_t *)((const uint8_t *)x + a->at);
    const struct nf_data *d = (const struct nf_data *)((const uint8_t *)x + a->at);
    switch (a->kind) {
    case A_BE32:
        if (*word || !(a->flags & QUIET))
            nfa_put_be32(b, a->nr, *word);
        return;
    case A_BE64:
        nfa_put_be64(b, a->nr, *(const uint64_t *)((const uint8_t *)x + a->at));
        return;
    case A_SREG:
    case A_DREG:
        if (*word || !(a->flags & QUIET))
            nfa_put_be32(b, a->nr, nft_reg_told(*word));
        return;
    case A_VALUE:
        nft_value_put(b, a->nr, d->b, d->len);
        return;
    default:
        return;
    }
}
// Whether `more` tells what the row only reads.
static bool told_elsewhere(const struct expr_type *type, const struct attr *a) {
    return (a->flags & QUIET) && type->more && type->kind != NF_X_CT && type->kind != NF_X_META;
}
static void tell_row(struct nl_buf *b, const struct nf_expr *x) {
    const struct expr_type *type = type_of(x->kind);
    for (const struct attr *a = type->attrs; a < type->attrs + ATTRS && a->nr; a++)
        if (!told_elsewhere(type, a))
            tell_one(b, a, x);
    if (type->more)
        type->more(b, x);
}
int nft_expr_get_data(struct nf *nf, struct nf_table *t, enum nf_kind kind, struct nfattr data,
                      struct nf_expr *x) {
    struct parse p = {.nf = nf, .t = t, .data = data};
    x->kind = kind;
    return read_row(type_of(kind), &p, x);
}
int nft_expr_get(struct nf *nf, struct nf_table *t, struct nfattr nest, struct nf_expr *x) {
    char name[32];
    if (!nfa_str(nfa_in(nest, LINUX_NFTA_EXPR_NAME), name, sizeof name))
        return -LINUX_EINVAL;
    for (size_t i = 0; i < TYPES; i++)
        if (strcmp(types[i].name, name) == 0)
            return nft_expr_get_data(nf, t, types[i].kind, nfa_in(nest, LINUX_NFTA_EXPR_DATA), x);
    return -LINUX_ENOENT;
}
void nft_expr_put_data(struct nl_buf *b, uint16_t attr, const struct nf_expr *x) {
    size_t at = nl_nest(b, attr);
    tell_row(b, x);
    nl_nest_end(b, at);
}
void nft_expr_put(struct nl_buf *b, uint16_t attr, const struct nf_expr *x) {
    size_t at = nl_nest(b, attr);
    nl_put_str(b, LINUX_NFTA_EXPR_NAME, type_of(x->kind)->name);
    if (x->kind != NF_X_NOTRACK)
        nft_expr_put_data(b, LINUX_NFTA_EXPR_DATA, x);
    nl_nest_end(b, at);
}
