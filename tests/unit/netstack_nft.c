// SPDX-License-Identifier: Apache-2.0
// The filter of nftables' rules from the inside: bounds of what a packet may cost and what rules may take,
// TCP's states, connections that expire, are too many, or find no port. What rules do and how they are
// refused is the matter of tests/syscalls/nfnl_*.c.
#include "abi/errno.h"
#include "netstack/filter/nf.h"
#include "netstack/prot/tcp.h"
#include "tests/unit/netstack_sim.h"
#include <stdio.h>

static struct sim sim;

static void open_sim(void) {
    struct ns_pair_config link = {.seed = 1};
    sim_open(&sim, &link, 1500, 32u << 20);
}
// The filter itself is charged for as long as the stack is there; netstack_destroy() panics if more is left.
static void close_sim(void) {
    sim_run(&sim, 10 * NS_SEC);
    ns_pair_destroy(sim.pair);
    netstack_destroy(sim.ns[0]);
    netstack_destroy(sim.ns[1]);
}
static void send_udp(unsigned from, uint16_t sport, uint16_t dport) {
    struct ns_addr local = {sim.ip4[from], sport}, to = {sim.ip4[!from], dport};
    struct ns_sock *s;
    struct ns_mem_io m;
    assert_int_equal(ns_socket(sim.ns[from], NS_INET, NS_DGRAM, &s), 0);
    assert_int_equal(ns_bind(s, &local), 0);
    ns_send(s, ns_io_from(&m, "x", 1), 0, &to);
    ns_close(s);
    sim_run(&sim, NS_MS);
}

// ---- Rules, made as the codec of netlink makes them -------------------------------------------------------
static struct nf_table *add_table(struct nf *nf) {
    struct nf_table *t = nf_alloc(nf, sizeof *t);
    assert_non_null(t);
    t->nf = nf;
    t->family = NF_IPV4;
    strcpy(t->name, "t");
    assert_int_equal(nf_table_add(nf, t), 0);
    return t;
}
static struct nf_chain *add_chain(struct nf *nf, struct nf_table *t, const char *name, int hook, bool nat) {
    struct nf_chain *c = nf_alloc(nf, sizeof *c);
    assert_non_null(c);
    c->table = t;
    strcpy(c->name, name);
    c->base = hook >= 0;
    c->hook = c->base ? (enum nf_hooknum)hook : NF_PREROUTING;
    c->type = nat ? NF_NAT : NF_FILTER;
    c->policy = NF_ACCEPT;
    assert_int_equal(nf_chain_add(nf, c), 0);
    return c;
}
static int add_rule(struct nf *nf, struct nf_chain *c, const struct nf_expr *x, uint32_t n) {
    struct nf_rule *r = nf_alloc(nf, sizeof *r);
    if (!r)
        return -LINUX_ENOMEM;
    r->chain = c;
    r->exprs = nf_alloc(nf, n * sizeof *x);
    if (!r->exprs) {
        nf_rule_free(nf, r);
        return -LINUX_ENOMEM;
    }
    r->n = n;
    memcpy(r->exprs, x, n * sizeof *x);
    return nf_rule_add(nf, r, NULL, true);
}
static struct nf_expr jump(struct nf_chain *to) {
    return (struct nf_expr){.kind = NF_X_IMMEDIATE, .imm = {.code = NF_JUMP, .chain = to}};
}
static const struct nf_expr ask_state = {.kind = NF_X_CT, .dreg = 4, .len = 4, .ct = {.dir = NF_NO_DIR}};
static const struct nf_expr counter = {.kind = NF_X_COUNTER};

// ---- What a packet may cost -------------------------------------------------------------------------------
// Ten chains, each of which jumps to the next twelve times: 12^10 rules, if nobody counted.
static int make_thicket(struct nf *nf, void *arg) {
    struct nf_chain *c[10];
    char name[8];
    nf_begin(nf);
    struct nf_table *t = add_table(nf);
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "c%d", i);
        c[i] = add_chain(nf, t, name, i ? -1 : NF_INPUT, false);
    }
    for (int i = 0; i < 9; i++)
        for (int k = 0; k < 12; k++) {
            struct nf_expr x = jump(c[i + 1]);
            assert_int_equal(add_rule(nf, c[i], &x, 1), 0);
        }
    assert_int_equal(add_rule(nf, c[9], &counter, 1), 0);
    return nf_commit(nf);
}
static void a_packet_asks_so_many_rules(void **state) {
    open_sim();
    assert_int_equal(nf_inside(sim.ns[1], make_thicket, NULL), 0);
    send_udp(0, 1000, 2000);
    assert_int_equal(netstack_stat(sim.ns[1], "nf_steps_over"), 1);
    assert_int_equal(netstack_stat(sim.ns[1], "nf_drop_hook"), 1);
    close_sim();
}

// ---- What rules may take ----------------------------------------------------------------------------------
static int fill_memory(struct nf *nf, void *arg) {
    struct nf_expr many[NF_EXPRS];
    for (unsigned i = 0; i < NF_EXPRS; i++)
        many[i] = counter;
    nf_begin(nf);
    struct nf_chain *c = add_chain(nf, add_table(nf), "in", NF_INPUT, false);
    int err = 0;
    unsigned n = 0;
    for (; err == 0 && n < NF_RULES; n++)
        err = add_rule(nf, c, many, NF_EXPRS);
    assert_int_equal(err, -LINUX_ENOMEM);
    assert_true(nf->bytes <= NF_MEMORY);
    assert_int_equal(nf_commit(nf), 0);
    *(size_t *)arg = nf->bytes;
    return 0;
}
static int empty_memory(struct nf *nf, void *arg) {
    nf_begin(nf);
    assert_int_equal(nf_table_del(nf, nf_table_find(nf, NF_IPV4, "t")), 0);
    nf_abort(nf);  // all is back
    assert_int_equal(nf->bytes, *(size_t *)arg);
    nf_begin(nf);
    assert_int_equal(nf_table_del(nf, nf_table_find(nf, NF_IPV4, "t")), 0);
    assert_int_equal(nf_commit(nf), 0);
    assert_int_equal(nf->bytes, 0);
    return 0;
}
static void rules_take_so_much_and_can_be_deleted(void **state) {
    size_t bytes = 0;
    open_sim();
    assert_int_equal(nf_inside(sim.ns[1], fill_memory, &bytes), 0);
    assert_int_equal(nf_inside(sim.ns[1], empty_memory, &bytes), 0);
    close_sim();
}

// ---- Connections ------------------------------------------------------------------------------------------
static int follow(struct nf *nf, void *arg) {
    nf_begin(nf);
    struct nf_chain *c = add_chain(nf, add_table(nf), "in", NF_INPUT, false);
    assert_int_equal(add_rule(nf, c, &ask_state, 1), 0);
    return nf_commit(nf);
}
static int flows(struct nf *nf, void *arg) { return (int)nf_flow_count(nf); }
static int live_flows(struct nf *nf, void *arg) {
    struct nf_flow f;
    int n = 0;
    for (uint32_t at = 0; nf_flow_next(nf, &at, &f);)
        n++;
    return n;
}
static void connections_expire(void **state) {
    open_sim();
    assert_int_equal(nf_inside(sim.ns[1], follow, NULL), 0);
    send_udp(0, 1000, 2000);
    send_udp(0, 1001, 2000);
    send_udp(0, 1000, 2000);
    assert_int_equal(nf_inside(sim.ns[1], live_flows, NULL), 2);
    sim_run(&sim, 31 * NS_SEC);
    assert_int_equal(nf_inside(sim.ns[1], live_flows, NULL), 0);
    close_sim();
}
static void the_longest_unseen_goes_when_there_are_too_many(void **state) {
    open_sim();
    assert_int_equal(nf_inside(sim.ns[1], follow, NULL), 0);
    for (unsigned i = 0; i < NF_CONNS + 100; i++) {
        send_udp(0, (uint16_t)(1000 + i), 2000);
        if (i % 64 == 0)
            send_udp(0, 999, 2000);  // seen now and then
    }
    assert_int_equal(nf_inside(sim.ns[1], flows, NULL), NF_CONNS);
    assert_true(netstack_stat(sim.ns[1], "nf_conn_evicted") >= 100);
    assert_int_equal(netstack_stat(sim.ns[1], "nf_track_failed"), 0);
    close_sim();
}

// Sources become one address with two ports.
static int two_ports(struct nf *nf, void *arg) {
    static const uint8_t addr[4] = {10, 0, 0, 1}, low[2] = {0, 80}, high[2] = {0, 81};
    struct nf_expr x[] = {
        {.kind = NF_X_IMMEDIATE, .dreg = 4, .imm = {.len = 4}},
        {.kind = NF_X_IMMEDIATE, .dreg = 8, .imm = {.len = 2}},
        {.kind = NF_X_IMMEDIATE, .dreg = 12, .imm = {.len = 2}},
        {.kind = NF_X_NAT,
         .nat = {.type = 0, .family = NF_IPV4, .addr_min = 4, .addr_max = 4, .port_min = 8, .port_max = 12}},
    };
    memcpy(x[0].imm.b, addr, 4);
    memcpy(x[1].imm.b, low, 2);
    memcpy(x[2].imm.b, high, 2);
    nf_begin(nf);
    struct nf_chain *c = add_chain(nf, add_table(nf), "post", NF_POSTROUTING, true);
    assert_int_equal(add_rule(nf, c, x, 4), 0);
    return nf_commit(nf);
}
static void no_port_is_left(void **state) {
    open_sim();
    assert_int_equal(nf_inside(sim.ns[0], two_ports, NULL), 0);
    for (uint16_t i = 0; i < 3; i++)
        send_udp(0, (uint16_t)(1000 + i), 2000);
    assert_int_equal(nf_inside(sim.ns[0], live_flows, NULL), 2);
    assert_int_equal(netstack_stat(sim.ns[0], "nf_drop_hook"), 1);
    send_udp(0, 1000, 2000);  // the ones there are go on
    assert_int_equal(netstack_stat(sim.ns[0], "nf_drop_hook"), 1);
    send_udp(0, 1002, 2001);  // with another peer there is room
    assert_int_equal(nf_inside(sim.ns[0], live_flows, NULL), 3);
    close_sim();
}

// ---- TCP's states -----------------------------------------------------------------------------------------
static void segments_move_the_state(void **state) {
    static const struct {
        unsigned from;
        int dir;
        uint8_t flags;
        unsigned to;
    } cases[] = {
        {NF_TCP_NONE, 0, TCP_SYN, NF_TCP_SYN_SENT},
        {NF_TCP_NONE, 0, TCP_ACK, NF_TCP_ESTABLISHED},  // picked up on its way
        {NF_TCP_NONE, 0, TCP_SYN | TCP_ACK, NF_TCP_INVALID},
        {NF_TCP_NONE, 0, TCP_RST, NF_TCP_INVALID},
        {NF_TCP_SYN_SENT, 1, TCP_SYN | TCP_ACK, NF_TCP_SYN_RECV},
        {NF_TCP_SYN_SENT, 0, TCP_ACK, NF_TCP_INVALID},
        {NF_TCP_SYN_SENT, 1, TCP_RST | TCP_ACK, NF_TCP_CLOSE},
        {NF_TCP_SYN_RECV, 0, TCP_ACK, NF_TCP_ESTABLISHED},
        {NF_TCP_ESTABLISHED, 1, TCP_FIN | TCP_ACK, NF_TCP_FIN_WAIT},
        {NF_TCP_FIN_WAIT, 0, TCP_ACK, NF_TCP_CLOSE_WAIT},
        {NF_TCP_CLOSE_WAIT, 0, TCP_FIN | TCP_ACK, NF_TCP_LAST_ACK},
        {NF_TCP_LAST_ACK, 1, TCP_ACK, NF_TCP_TIME_WAIT},
        {NF_TCP_TIME_WAIT, 0, TCP_SYN, NF_TCP_ANEW},
        {NF_TCP_ESTABLISHED, 0, TCP_SYN, NF_TCP_ESTABLISHED},
        {NF_TCP_ESTABLISHED, 0, TCP_SYN | TCP_FIN, NF_TCP_INVALID},
        {NF_TCP_ESTABLISHED, 0, TCP_FIN, NF_TCP_INVALID},
        {NF_TCP_ESTABLISHED, 0, 0, NF_TCP_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(ct_tcp_next(cases[i].from, cases[i].dir, cases[i].flags), cases[i].to);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_asks_so_many_rules),
        cmocka_unit_test(rules_take_so_much_and_can_be_deleted),
        cmocka_unit_test(connections_expire),
        cmocka_unit_test(the_longest_unseen_goes_when_there_are_too_many),
        cmocka_unit_test(no_port_is_left),
        cmocka_unit_test(segments_move_the_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
