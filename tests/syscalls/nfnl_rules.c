// SPDX-License-Identifier: Apache-2.0
// covers: socket, sendto, recvfrom
// nf_tables over nfnetlink: tables, chains, rules and sets are made, told and deleted; a batch is whole or
// not at all; what is wrong is refused as Linux refuses it.
#include "nfnl.h"

static struct nf n;
static char msg[8192];

static void fresh(void) {
    if (unshare(CLONE_NEWNET) < 0 && errno == EPERM && geteuid())
        _exit(77);
}
static int tables(void) { return nf_dump(NFT_MSG_GETTABLE, NFT_MSG_NEWTABLE, NULL, msg, sizeof(msg)); }
static int rules(void) { return nf_dump(NFT_MSG_GETRULE, NFT_MSG_NEWRULE, "t", msg, sizeof(msg)); }
static void begin_with(const char *type, int hook) {
    nf_begin(&n);
    nf_table(&n, NFT_MSG_NEWTABLE, NLM_F_CREATE, "t");
    nf_chain(&n, "t", "base", type, hook, 0);
}

TEST(tables_are_made_told_and_deleted) {
    IN_CHILD {
        fresh();
        EXPECT_EQ(tables(), 0);
        nf_begin(&n);
        nf_table(&n, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, "t");
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(tables(), 1);
        EXPECT_STREQ((const char *)nf_attr_of(msg, NFTA_TABLE_NAME) + NLA_HDRLEN, "t");
        EXPECT_EQ(nf_number(nf_attr_of(msg, NFTA_TABLE_USE)), 0);
        nf_begin(&n);
        nf_table(&n, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, "t");
        EXPECT_EQ(nf_send(&n), EEXIST);
        nf_begin(&n);
        nf_table(&n, NFT_MSG_NEWTABLE, NLM_F_CREATE, "t");
        EXPECT_EQ(nf_send(&n), 0);
        nf_begin(&n);
        nf_table(&n, NFT_MSG_DELTABLE, 0, "u");
        EXPECT_EQ(nf_send(&n), ENOENT);
        nf_begin(&n);
        nf_table(&n, NFT_MSG_DELTABLE, 0, "t");
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(tables(), 0);
    }
}

TEST(a_batch_is_whole_or_nothing) {
    IN_CHILD {
        fresh();
        begin_with("filter", NF_INET_LOCAL_IN);
        nf_table(&n, NFT_MSG_DELTABLE, 0, "not there");
        EXPECT_EQ(nf_send(&n), ENOENT);
        EXPECT_EQ(tables(), 0);
        // without its end
        nf_begin(&n);
        nf_table(&n, NFT_MSG_NEWTABLE, NLM_F_CREATE, "t");
        EXPECT_EQ(nf_send_as_is(&n), 0);
        EXPECT_EQ(tables(), 0);
        // what is deleted comes back, in its place
        begin_with("filter", NF_INET_LOCAL_IN);
        for (int i = 0; i < 3; i++) {
            size_t r = nf_rule(&n, "t", "base");
            nf_to_port(&n, IPPROTO_TCP, 100 + i);
            nf_end(&n, r);
        }
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(rules(), 3);
        unsigned long last = nf_number(nf_attr_of(msg, NFTA_RULE_HANDLE));
        nf_begin(&n);
        nf_msg(&n, NFT_MSG_DELRULE, 0);
        nf_str(&n, NFTA_RULE_TABLE, "t");
        nf_str(&n, NFTA_RULE_CHAIN, "base");
        nf_table(&n, NFT_MSG_DELTABLE, 0, "t");
        nf_table(&n, NFT_MSG_DELTABLE, 0, "t");
        EXPECT_EQ(nf_send(&n), ENOENT);
        EXPECT_EQ(rules(), 3);
        EXPECT_EQ(nf_number(nf_attr_of(msg, NFTA_RULE_HANDLE)), last);
    }
}

TEST(changes_want_a_batch) {
    IN_CHILD {
        fresh();
        n.len = n.msg = 0;
        n.family = NFPROTO_IPV4;
        nf_table(&n, NFT_MSG_NEWTABLE, NLM_F_CREATE, "t");
        EXPECT_EQ(nf_send_as_is(&n), EINVAL);
        EXPECT_EQ(tables(), 0);
        n.len = n.msg = 0;
        nf_open_msg(&n, 77 << 8, NLM_F_ACK, 0, 0);  // no such subsystem
        EXPECT_EQ(nf_send_as_is(&n), EINVAL);
    }
}

static unsigned generation(void) {
    int s = nf_socket();
    n.len = n.msg = 0;
    nf_open_msg(&n, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, 0, 0, 0);
    nf_close_msg(&n);
    ASSERT_OK(send(s, n.b, n.len, 0));
    ASSERT_OK(recv(s, msg, sizeof(msg), 0));
    close(s);
    return nf_number(nf_attr_of(msg, NFTA_GEN_ID));
}
TEST(each_commit_is_a_generation) {
    IN_CHILD {
        fresh();
        unsigned g = generation();
        nf_begin(&n);
        nf_u32(&n, NFNL_BATCH_GENID, g);
        nf_table(&n, NFT_MSG_NEWTABLE, NLM_F_CREATE, "t");
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(generation(), g + 1);
        nf_begin(&n);
        nf_u32(&n, NFNL_BATCH_GENID, g);
        nf_table(&n, NFT_MSG_DELTABLE, 0, "t");
        EXPECT_EQ(nf_send(&n), 85);  // ERESTART
        EXPECT_EQ(tables(), 1);
    }
}

// A base chain from which jumps go through `depth` others.
static int stairs(int depth) {
    char name[16], next[16];
    begin_with("filter", NF_INET_LOCAL_IN);
    for (int i = 0; i < depth; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        nf_chain(&n, "t", name, NULL, 0, 0);
    }
    for (int i = 0; i < depth; i++) {
        snprintf(name, sizeof(name), "c%d", i - 1);
        snprintf(next, sizeof(next), "c%d", i);
        size_t r = nf_rule(&n, "t", i ? name : "base");
        nf_verdict(&n, NFT_JUMP, next);
        nf_end(&n, r);
    }
    return nf_send(&n);
}
TEST(jumps_go_sixteen_deep_and_not_in_circles) {
    IN_CHILD {
        fresh();
        EXPECT_EQ(stairs(15), 0);
        fresh();
        EXPECT_EQ(stairs(16), EMLINK);
        EXPECT_EQ(tables(), 0);
        fresh();
        EXPECT_EQ(stairs(2), 0);
        nf_begin(&n);
        size_t r = nf_rule(&n, "t", "c1");
        nf_verdict(&n, NFT_JUMP, "c0");
        nf_end(&n, r);
        EXPECT_EQ(nf_send(&n), EMLINK);
        EXPECT_EQ(rules(), 2);
        nf_begin(&n);
        r = nf_rule(&n, "t", "c1");
        nf_verdict(&n, NFT_GOTO, "base");
        nf_end(&n, r);
        EXPECT_EQ(nf_send(&n), EOPNOTSUPP);
        nf_begin(&n);
        r = nf_rule(&n, "t", "c1");
        nf_verdict(&n, NFT_JUMP, "nowhere");
        nf_end(&n, r);
        EXPECT_EQ(nf_send(&n), ENOENT);
        // who is jumped to stays
        nf_begin(&n);
        nf_msg(&n, NFT_MSG_DELCHAIN, 0);
        nf_str(&n, NFTA_CHAIN_TABLE, "t");
        nf_str(&n, NFTA_CHAIN_NAME, "c1");
        EXPECT_EQ(nf_send(&n), EBUSY);
    }
}

// ---- Registers and lengths --------------------------------------------------------------------------------
static int with_load(int base, unsigned offset, unsigned len, unsigned reg) {
    nf_begin(&n);
    size_t r = nf_rule(&n, "t", "base");
    nf_load(&n, base, offset, len, reg);
    nf_end(&n, r);
    return nf_send(&n);
}
static int with_cmp(unsigned reg, int op, size_t len) {
    static const char zeros[64];
    nf_begin(&n);
    size_t r = nf_rule(&n, "t", "base");
    nf_load(&n, NFT_PAYLOAD_NETWORK_HEADER, 0, 16, NFT_REG_1);
    nf_load(&n, NFT_PAYLOAD_NETWORK_HEADER, 0, 16, NFT_REG_4);
    struct nf_x x = nf_expr(&n, "cmp");
    nf_u32(&n, NFTA_CMP_SREG, reg);
    nf_u32(&n, NFTA_CMP_OP, op);
    nf_value(&n, NFTA_CMP_DATA, zeros, len);
    nf_expr_end(&n, x);
    nf_end(&n, r);
    return nf_send(&n);
}
static int with_number(const char *name, int a, unsigned va, int b, unsigned vb, int c, unsigned vc) {
    nf_begin(&n);
    size_t r = nf_rule(&n, "t", "base");
    struct nf_x x = nf_expr(&n, name);
    nf_u32(&n, a, va);
    nf_u32(&n, b, vb);
    if (c)
        nf_u32(&n, c, vc);
    nf_expr_end(&n, x);
    nf_end(&n, r);
    return nf_send(&n);
}
TEST(registers_and_lengths_are_checked) {
    IN_CHILD {
        fresh();
        begin_with("filter", NF_INET_LOCAL_IN);
        EXPECT_EQ(nf_send(&n), 0);
        const int net = NFT_PAYLOAD_NETWORK_HEADER;
        EXPECT_EQ(with_load(net, 0, 16, NFT_REG_4), 0);
        EXPECT_EQ(with_load(net, 0, 17, NFT_REG_4), ERANGE);
        EXPECT_EQ(with_load(net, 0, 64, NFT_REG_1), 0);
        EXPECT_EQ(with_load(net, 0, 65, NFT_REG_1), ERANGE);
        EXPECT_EQ(with_load(net, 0, 4, NFT_REG32_15), 0);
        EXPECT_EQ(with_load(net, 0, 5, NFT_REG32_15), ERANGE);
        EXPECT_EQ(with_load(net, 0, 4, NFT_REG32_15 + 1), ERANGE);
        EXPECT_EQ(with_load(net, 0, 4, 5), ERANGE);
        EXPECT_EQ(with_load(net, 0, 4, NFT_REG_VERDICT), EINVAL);
        EXPECT_EQ(with_load(net, 0, 0, NFT_REG_1), EINVAL);
        EXPECT_EQ(with_load(net, 0, -16u, NFT_REG_1), ERANGE);  // what a sum of 32 bits makes 0 of
        EXPECT_EQ(with_load(99, 0, 4, NFT_REG_1), EOPNOTSUPP);
        EXPECT_EQ(with_cmp(NFT_REG_1, NFT_CMP_EQ, 16), 0);
        EXPECT_EQ(with_cmp(NFT_REG_1, NFT_CMP_EQ, 17), EOVERFLOW);
        EXPECT_EQ(with_cmp(NFT_REG_1, NFT_CMP_GTE + 1, 4), EINVAL);
        EXPECT_EQ(with_cmp(NFT_REG_VERDICT, NFT_CMP_EQ, 4), EINVAL);
        EXPECT_EQ(with_cmp(NFT_REG32_15, NFT_CMP_EQ, 8), ERANGE);
        EXPECT_EQ(with_number("meta", NFTA_META_KEY, 999, NFTA_META_DREG, NFT_REG_1, 0, 0), ERANGE);
        EXPECT_EQ(with_number("meta", NFTA_META_KEY, 250, NFTA_META_DREG, NFT_REG_1, 0, 0), EOPNOTSUPP);
        EXPECT_EQ(with_number("meta", NFTA_META_KEY, NFT_META_IIFNAME, NFTA_META_DREG, NFT_REG32_13, 0, 0),
                  ERANGE);
        EXPECT_EQ(with_number("ct", NFTA_CT_KEY, NFT_CT_SRC, NFTA_CT_DREG, NFT_REG_1, 0, 0), EINVAL);
        EXPECT_EQ(with_number("nosuch", 1, 1, 2, 1, 0, 0), ENOENT);
        EXPECT_EQ(with_number("fib", NFTA_FIB_DREG, NFT_REG_1, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE,
                              NFTA_FIB_FLAGS, 0),
                  EINVAL);
        EXPECT_EQ(with_number("reject", NFTA_REJECT_TYPE, 1, 9, 0, 0, 0), 0);
    }
}

static int with_order(unsigned len, unsigned size, unsigned reg) {
    nf_begin(&n);
    size_t r = nf_rule(&n, "t", "base");
    nf_load(&n, NFT_PAYLOAD_NETWORK_HEADER, 0, 64, NFT_REG_1);  // what was not loaded is ENODATA there
    struct nf_x x = nf_expr(&n, "byteorder");
    nf_u32(&n, NFTA_BYTEORDER_SREG, reg);
    nf_u32(&n, NFTA_BYTEORDER_DREG, reg);
    nf_u32(&n, NFTA_BYTEORDER_OP, NFT_BYTEORDER_HTON);
    nf_u32(&n, NFTA_BYTEORDER_LEN, len);
    nf_u32(&n, NFTA_BYTEORDER_SIZE, size);
    nf_expr_end(&n, x);
    nf_end(&n, r);
    return nf_send(&n);
}
TEST(orders_of_bytes_stay_within_the_registers) {
    IN_CHILD {
        fresh();
        begin_with("filter", NF_INET_LOCAL_IN);
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(with_order(64, 8, NFT_REG_1), 0);
        EXPECT_EQ(with_order(4, 4, NFT_REG32_15), 0);
        EXPECT_EQ(with_order(8, 8, NFT_REG32_15), ERANGE);
        for (unsigned reg = NFT_REG32_00; reg <= NFT_REG32_15; reg++)
            EXPECT_EQ(with_order(-16u, 8, reg), ERANGE);
        EXPECT_EQ(with_order(-64u, 8, NFT_REG32_15), ERANGE);
    }
}

TEST(expressions_have_their_places) {
    IN_CHILD {
        static const struct {
            const char *type, *expr;
            int hook, err;
        } cases[] = {
            {"filter", "masq", NF_INET_POST_ROUTING, EOPNOTSUPP},
            {"nat", "masq", NF_INET_POST_ROUTING, 0},
            {"nat", "masq", NF_INET_PRE_ROUTING, EOPNOTSUPP},
            {"nat", "redir", NF_INET_PRE_ROUTING, 0},
            {"nat", "redir", NF_INET_LOCAL_OUT, 0},
            {"nat", "redir", NF_INET_POST_ROUTING, EOPNOTSUPP},
        };
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            fresh();
            begin_with(cases[i].type, cases[i].hook);
            size_t r = nf_rule(&n, "t", "base");
            nf_expr_end(&n, nf_expr(&n, cases[i].expr));
            nf_end(&n, r);
            EXPECT_EQ(nf_send(&n), cases[i].err);
        }
        fresh();
        begin_with("nat", NF_INET_FORWARD);
        EXPECT_EQ(nf_send(&n), EOPNOTSUPP);
        begin_with("filter", 9);
        EXPECT_EQ(nf_send(&n), EOPNOTSUPP);
        begin_with("nosuch", NF_INET_LOCAL_IN);
        EXPECT_EQ(nf_send(&n), ENOENT);
    }
}

// ---- Rules in their order ---------------------------------------------------------------------------------
static void port_rule(int flags, int port, int attr, unsigned long handle) {
    nf_msg(&n, NFT_MSG_NEWRULE, flags);
    nf_str(&n, NFTA_RULE_TABLE, "t");
    nf_str(&n, NFTA_RULE_CHAIN, "base");
    if (attr)
        nf_u64(&n, attr, handle);
    size_t r = nf_nest(&n, NFTA_RULE_EXPRESSIONS);
    nf_to_port(&n, IPPROTO_TCP, port);
    nf_end(&n, r);
}
TEST(rules_go_where_they_are_put) {
    IN_CHILD {
        fresh();
        begin_with("filter", NF_INET_LOCAL_IN);
        port_rule(NLM_F_CREATE | NLM_F_APPEND, 1, 0, 0);
        port_rule(NLM_F_CREATE | NLM_F_APPEND, 2, 0, 0);
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(rules(), 2);
        unsigned long last = nf_number(nf_attr_of(msg, NFTA_RULE_HANDLE));
        nf_begin(&n);
        port_rule(NLM_F_CREATE, 3, NFTA_RULE_POSITION, last);  // in front of it
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(rules(), 3);
        EXPECT_EQ(nf_number(nf_attr_of(msg, NFTA_RULE_HANDLE)), last);
        nf_begin(&n);
        port_rule(NLM_F_REPLACE, 4, NFTA_RULE_HANDLE, last);
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(rules(), 3);
        EXPECT_EQ(nf_number(nf_attr_of(msg, NFTA_RULE_HANDLE)), last);
        nf_begin(&n);
        port_rule(NLM_F_REPLACE, 4, NFTA_RULE_HANDLE, last + 100);
        EXPECT_EQ(nf_send(&n), ENOENT);
        nf_begin(&n);
        port_rule(0, 5, 0, 0);  // without NLM_F_CREATE
        EXPECT_EQ(nf_send(&n), EINVAL);
    }
}

// ---- Sets -------------------------------------------------------------------------------------------------
static unsigned set_id;
static void set(const char *name, unsigned flags, unsigned key, unsigned size) {
    nf_msg(&n, NFT_MSG_NEWSET, NLM_F_CREATE);
    nf_str(&n, NFTA_SET_TABLE, "t");
    nf_str(&n, NFTA_SET_NAME, name);
    nf_u32(&n, NFTA_SET_ID, ++set_id);
    nf_u32(&n, NFTA_SET_KEY_TYPE, 0);
    nf_u32(&n, NFTA_SET_KEY_LEN, key);
    nf_u32(&n, NFTA_SET_FLAGS, flags);
    if (size) {
        size_t at = nf_nest(&n, NFTA_SET_DESC);
        nf_u32(&n, NFTA_SET_DESC_SIZE, size);
        nf_end(&n, at);
    }
}
static int element(int type, int flags, const char *name, unsigned key, size_t len, unsigned elem_flags) {
    unsigned be[20] = {htonl(key)};
    nf_begin(&n);
    nf_msg(&n, type, flags);
    nf_str(&n, NFTA_SET_ELEM_LIST_TABLE, "t");
    nf_str(&n, NFTA_SET_ELEM_LIST_SET, name);
    size_t list = nf_nest(&n, NFTA_SET_ELEM_LIST_ELEMENTS), at = nf_nest(&n, NFTA_LIST_ELEM);
    nf_value(&n, NFTA_SET_ELEM_KEY, be, len);
    if (elem_flags)
        nf_u32(&n, NFTA_SET_ELEM_FLAGS, elem_flags);
    nf_end(&n, at);
    nf_end(&n, list);
    return nf_send(&n);
}
#define ADD    NFT_MSG_NEWSETELEM, NLM_F_CREATE
#define ADDNEW NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL
#define DEL    NFT_MSG_DELSETELEM, 0
TEST(sets_and_their_elements) {
    IN_CHILD {
        fresh();
        begin_with("filter", NF_INET_LOCAL_IN);
        set("s", 0, 4, 0);
        set("two", 0, 4, 2);
        set("range", NFT_SET_INTERVAL, 4, 0);
        EXPECT_EQ(nf_send(&n), 0);
        nf_begin(&n);
        set("long", 0, 65, 0);
        EXPECT_EQ(nf_send(&n), EINVAL);
        nf_begin(&n);
        set("none", 0, 0, 0);
        EXPECT_EQ(nf_send(&n), EINVAL);
        EXPECT_EQ(element(ADD, "s", 1, 4, 0), 0);
        EXPECT_EQ(element(ADD, "s", 1, 4, 0), 0);
        EXPECT_EQ(element(ADDNEW, "s", 1, 4, 0), EEXIST);
        EXPECT_EQ(element(ADD, "s", 2, 3, 0), EINVAL);
        EXPECT_EQ(element(ADD, "s", 2, 8, 0), EINVAL);
        EXPECT_EQ(element(ADD, "s", 2, 4, NFT_SET_ELEM_INTERVAL_END), EINVAL);
        EXPECT_EQ(element(DEL, "s", 2, 4, 0), ENOENT);
        EXPECT_EQ(element(DEL, "s", 1, 4, 0), 0);
        EXPECT_EQ(element(ADD, "nosuch", 1, 4, 0), ENOENT);
        EXPECT_EQ(element(ADD, "two", 1, 4, 0), 0);
        EXPECT_EQ(element(ADD, "two", 2, 4, 0), 0);
        EXPECT_EQ(element(ADD, "two", 3, 4, 0), ENFILE);
        EXPECT_EQ(element(ADD, "range", 10, 4, 0), 0);
        EXPECT_EQ(element(ADD, "range", 20, 4, NFT_SET_ELEM_INTERVAL_END), 0);
        EXPECT_EQ(element(ADDNEW, "range", 10, 4, 0), EEXIST);
        // asked by a rule, it stays
        nf_begin(&n);
        size_t r = nf_rule(&n, "t", "base");
        nf_load(&n, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, NFT_REG_1);
        struct nf_x x = nf_expr(&n, "lookup");
        nf_str(&n, NFTA_LOOKUP_SET, "s");
        nf_u32(&n, NFTA_LOOKUP_SREG, NFT_REG_1);
        nf_expr_end(&n, x);
        nf_end(&n, r);
        EXPECT_EQ(nf_send(&n), 0);
        nf_begin(&n);
        nf_msg(&n, NFT_MSG_DELSET, 0);
        nf_str(&n, NFTA_SET_TABLE, "t");
        nf_str(&n, NFTA_SET_NAME, "s");
        EXPECT_EQ(nf_send(&n), EBUSY);
    }
}

// A set of n elements, and away with it again.
static void filled(unsigned count) {
    nf_begin(&n);
    set("full", 0, 4, 0);
    nf_msg(&n, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
    nf_str(&n, NFTA_SET_ELEM_LIST_TABLE, "t");
    nf_str(&n, NFTA_SET_ELEM_LIST_SET, "full");
    size_t list = nf_nest(&n, NFTA_SET_ELEM_LIST_ELEMENTS);
    for (unsigned i = 0; i < count; i++) {
        size_t at = nf_nest(&n, NFTA_LIST_ELEM);
        nf_value(&n, NFTA_SET_ELEM_KEY, &i, sizeof(i));
        nf_end(&n, at);
    }
    nf_end(&n, list);
    nf_msg(&n, NFT_MSG_DELSET, 0);
    nf_str(&n, NFTA_SET_TABLE, "t");
    nf_str(&n, NFTA_SET_NAME, "full");
}
TEST(elements_go_with_their_set) {
    IN_CHILD {
        fresh();
        begin_with("filter", NF_INET_LOCAL_IN);
        EXPECT_EQ(nf_send(&n), 0);
        for (int i = 0; i < 35; i++) {  // more than there may be at a time
            filled(2000);
            EXPECT_EQ(nf_send(&n), 0);
        }
    }
}
static void lookup(const char *chain, const char *name, unsigned id, int verdict) {
    size_t r = nf_rule(&n, "t", chain);
    nf_load(&n, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, NFT_REG_1);
    struct nf_x x = nf_expr(&n, "lookup");
    nf_str(&n, NFTA_LOOKUP_SET, name);
    nf_u32(&n, NFTA_LOOKUP_SREG, NFT_REG_1);
    if (id)
        nf_u32(&n, NFTA_LOOKUP_SET_ID, id);
    if (verdict)
        nf_u32(&n, NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
    nf_expr_end(&n, x);
    nf_end(&n, r);
}
TEST(sets_without_a_name_get_the_first_free_number) {
    IN_CHILD {
        fresh();
        begin_with("filter", NF_INET_LOCAL_IN);
        set("__set0", 0, 4, 0);
        set("__set02", 0, 4, 0);  // 2
        for (int i = 0; i < 2; i++) {
            set("__set%d", NFT_SET_ANONYMOUS | NFT_SET_CONSTANT, 4, 0);
            lookup("base", "__set%d", set_id, false);
        }
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(nf_dump(NFT_MSG_GETSET, NFT_MSG_NEWSET, "t", msg, sizeof(msg)), 4);
        EXPECT_STREQ((const char *)nf_attr_of(msg, NFTA_SET_NAME) + NLA_HDRLEN, "__set3");
    }
}

// A map of verdicts with one element: a jump to that chain.
static void jump_map(const char *to) {
    static const unsigned key = 1;
    nf_msg(&n, NFT_MSG_NEWSET, NLM_F_CREATE);
    nf_str(&n, NFTA_SET_TABLE, "t");
    nf_str(&n, NFTA_SET_NAME, "m");
    nf_u32(&n, NFTA_SET_ID, ++set_id);
    nf_u32(&n, NFTA_SET_KEY_LEN, sizeof(key));
    nf_u32(&n, NFTA_SET_FLAGS, NFT_SET_MAP);
    nf_u32(&n, NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
    nf_msg(&n, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
    nf_str(&n, NFTA_SET_ELEM_LIST_TABLE, "t");
    nf_str(&n, NFTA_SET_ELEM_LIST_SET, "m");
    size_t list = nf_nest(&n, NFTA_SET_ELEM_LIST_ELEMENTS), at = nf_nest(&n, NFTA_LIST_ELEM);
    nf_value(&n, NFTA_SET_ELEM_KEY, &key, sizeof(key));
    nf_verdict_data(&n, NFTA_SET_ELEM_DATA, NFT_JUMP, to);
    nf_end(&n, at);
    nf_end(&n, list);
}
TEST(jumps_by_maps_count_each_time_a_map_is_asked) {
    IN_CHILD {
        fresh();
        EXPECT_EQ(stairs(14), 0);
        nf_begin(&n);
        jump_map("c0");
        nf_chain(&n, "t", "x", NULL, 0, 0);
        nf_chain(&n, "t", "y", NULL, 0, 0);
        lookup("base", "m", 0, true);
        lookup("x", "m", 0, true);
        size_t r = nf_rule(&n, "t", "base");
        nf_verdict(&n, NFT_JUMP, "x");
        nf_end(&n, r);
        EXPECT_EQ(nf_send(&n), 0);
        nf_begin(&n);
        lookup("y", "m", 0, true);  // one deeper
        r = nf_rule(&n, "t", "x");
        nf_verdict(&n, NFT_JUMP, "y");
        nf_end(&n, r);
        EXPECT_EQ(nf_send(&n), EMLINK);
        nf_begin(&n);
        lookup("c0", "m", 0, true);  // in a circle
        EXPECT_EQ(nf_send(&n), EMLINK);
        EXPECT_EQ(rules(), 17);
    }
}

// ---- Who may ----------------------------------------------------------------------------------------------
TEST(who_may_not_change_the_network_may_not_look) {
    IN_CHILD {
        fresh();
        begin_with("filter", NF_INET_LOCAL_IN);
        EXPECT_EQ(nf_send(&n), 0);
        int before = nf_socket();
        if (geteuid() == 0)
            ASSERT_OK(setresuid(1000, 1000, 1000));
        EXPECT_EQ(nf_dump(NFT_MSG_GETTABLE, NFT_MSG_NEWTABLE, NULL, NULL, 0), -1);
        nf_begin(&n);
        nf_table(&n, NFT_MSG_DELTABLE, 0, "t");
        EXPECT_EQ(nf_send(&n), EPERM);
        // nor by a socket of who might
        nf_begin(&n);
        nf_table(&n, NFT_MSG_DELTABLE, 0, "t");
        nf_open_msg(&n, NFNL_MSG_BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES);
        nf_close_msg(&n);
        ASSERT_OK(send(before, n.b, n.len, 0));
        EXPECT_EQ(nf_answers(before), EPERM);
    }
}

// ---- The compat expressions -------------------------------------------------------------------------------
static int match(int family, const char *name, unsigned revision, size_t len) {
    static const char zeros[512];
    nf_begin(&n);
    n.family = family;
    size_t r = nf_rule(&n, "t", "base");
    struct nf_x x = nf_expr(&n, "match");
    nf_str(&n, 1, name);        // NFTA_MATCH_NAME
    nf_u32(&n, 2, revision);    // _REV
    nf_put(&n, 3, zeros, len);  // _INFO
    nf_expr_end(&n, x);
    nf_end(&n, r);
    return nf_send(&n);
}
TEST(what_a_match_is_told_has_its_length) {
    IN_CHILD {
        fresh();
        begin_with("filter", NF_INET_LOCAL_IN);
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(match(NFPROTO_IPV4, "comment", 0, 256), 0);
        EXPECT_EQ(match(NFPROTO_IPV4, "comment", 0, 255), EINVAL);
        EXPECT_EQ(match(NFPROTO_IPV4, "comment", 0, 264), EINVAL);
        EXPECT_EQ(match(NFPROTO_IPV4, "conntrack", 3, 168), 0);
        EXPECT_EQ(match(NFPROTO_IPV4, "conntrack", 3, 8), EINVAL);
        EXPECT_EQ(match(NFPROTO_IPV4, "no such match", 0, 8), ENOENT);
        // a table of both families has what is of both alone
        nf_begin(&n);
        n.family = NFPROTO_INET;
        nf_table(&n, NFT_MSG_NEWTABLE, NLM_F_CREATE, "t");
        nf_chain(&n, "t", "base", "filter", NF_INET_LOCAL_IN, 0);
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(match(NFPROTO_INET, "comment", 0, 256), 0);
        EXPECT_EQ(match(NFPROTO_INET, "icmp", 0, 8), ENOENT);
    }
}
