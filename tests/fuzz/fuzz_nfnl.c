// SPDX-License-Identifier: Apache-2.0
// A hostile owner of a namespace sets rules, and packets come by. The input is a series of sends to a netlink
// socket, each two bytes of length (little-endian) and the messages; the first byte says who sends. After
// each send packets go through all hooks, both families, for us and for others. What must hold: no crash,
// every answer is well formed, dumps end, what is set can be told, and in the end nothing of it is left.
#include "sentry/net/net.h"
#include "sentry/net/rtnetlink.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/netstack_frame.h"

static struct rtnl_dump dump;

// ---- Netlink ----------------------------------------------------------------------------------------------
static void check(const uint8_t *p, size_t n) {
    while (n > 0) {
        struct linux_nlmsghdr h;
        CHECK(n >= sizeof h);
        memcpy(&h, p, sizeof h);
        CHECK(h.nlmsg_len >= sizeof h && NL_ALIGN(h.nlmsg_len) <= n && h.nlmsg_pid == 7);
        p += NL_ALIGN(h.nlmsg_len);
        n -= NL_ALIGN(h.nlmsg_len);
    }
}
static void reply(struct rtnl_out *o, const void *msg, size_t n, const void *more, size_t more_n) {
    size_t all = n + NL_ALIGN(more_n);
    uint8_t *copy = calloc(1, all);
    CHECK(copy);
    memcpy(copy, msg, n);
    if (more_n)
        memcpy(copy + n, more, more_n);
    check(copy, all);
    free(copy);
}
static void begun(struct rtnl_out *o) {}

static void send_to(const uint8_t *msgs, size_t n, bool admin) {
    struct rtnl_out o = {.reply = reply,
                         .dump_begun = begun,
                         .dump = &dump,
                         .net = &net_unconfigured,
                         .stack = net.ns,
                         .portid = 7,
                         .admin = admin,
                         .kind = RTNL_NETFILTER};
    uint8_t *copy = malloc(n ? n : 1);  // its own block, so that a read beyond it is seen
    CHECK(copy);
    memcpy(copy, msgs, n);
    rtnl_receive(&o, copy, n);
    free(copy);
    uint8_t *buf = aligned_alloc(8, RTNL_LONG);
    CHECK(buf);
    for (int parts = 0; dump.running; parts++) {
        struct nl_buf b = {.p = buf, .cap = parts % 3 ? RTNL_LONG : RTNL_CHUNK};
        CHECK(parts < 4000);
        rtnl_dump_part(&dump, &b);
        check(b.p, b.len);
        if (b.len == 0 && b.cap == RTNL_LONG)
            break;
    }
    dump.running = false;
    free(buf);
}
static void ask(uint16_t type, uint16_t flags) {
    struct {
        struct linux_nlmsghdr h;
        uint8_t family, version, id[2];
    } m = {{sizeof m, type, (uint16_t)(LINUX_NLM_F_REQUEST | flags), 1, 0}, 0, 0, {0, 0}};
    send_to((const uint8_t *)&m, sizeof m, true);
}

// ---- Packets ----------------------------------------------------------------------------------------------
static const uint8_t us[4] = {10, 0, 0, 1}, them[4] = {10, 0, 0, 2}, others[4] = {10, 9, 0, 9};
static const uint8_t us6[16] = {0xfd, [15] = 1}, them6[16] = {0xfd, [15] = 2},
                     others6[16] = {0xfd, 9, [15] = 9};

static void both(uint8_t proto, const uint8_t *body, size_t n) {
    uint8_t proto6 = proto == PROTO_ICMP ? PROTO_ICMP6 : proto;
    frame4(them, us, proto, 1, 0, NULL, 0, body, n, false);
    fuzz_packet();
    frame4(them, others, proto, 2, 0, NULL, 0, body, n, false);
    fuzz_packet();
    frame6(them6, us6, proto6, 64, 0, proto6, body, n, false);
    fuzz_packet();
    frame6(them6, others6, proto6, 64, 0, proto6, body, n, false);
    fuzz_packet();
}
static void packets(void) {
    static const uint8_t udp[12] = {0x13, 0x88, 0, 80, 0, 12};
    static const uint8_t echo[16] = {8, 0, 0, 0, 1, 2}, echo6[16] = {128, 0, 0, 0, 1, 2};
    uint8_t tcp[24] = {0x13, 0x88, 0, 80, [12] = 0x60, [13] = 2, [14] = 0xff, [20] = 2, 4, 5, 0};
    uint8_t error[36] = {3,    3, [8] = 0x45, [17] = PROTO_UDP, [20] = 10, 0, 0, 2, 10, 0, 0, 1, 0x13,
                         0x88, 0, 80};
    both(PROTO_UDP, udp, sizeof udp);
    both(PROTO_ICMP, echo, sizeof echo);
    both(PROTO_ICMP, echo6, sizeof echo6);
    both(PROTO_ICMP, error, sizeof error);
    both(PROTO_TCP, tcp, sizeof tcp);
    tcp[13] = 0x10;
    both(PROTO_TCP, tcp, sizeof tcp);
    tcp[13] = 4;
    both(PROTO_TCP, tcp, sizeof tcp);
    frame4(them, us, PROTO_UDP, 3, IP4_MF, NULL, 0, udp, 8, true);
    fuzz_packet();
    frame4(them, us, PROTO_UDP, 3, 1, NULL, 0, udp, 4, true);
    fuzz_packet();
    net.now += 100000000;
    netstack_poll(net.ns);
}
static void add_routes(void) {
    struct ns_route four = {.dst = ns_ip4(0, 0, 0, 0), .gateway = ns_ip4(10, 0, 0, 2), .nif = net.nif};
    struct ns_route six = {.gateway = {{0xfd, [15] = 2}}, .nif = net.nif};
    CHECK(netstack_add_route(net.ns, &four) == 0 && netstack_add_route(net.ns, &six) == 0);
}
static struct ns_sock *udp_socket(const struct ns_addr *at) {
    struct ns_sock *s;
    CHECK(ns_socket(net.ns, NS_INET, NS_DGRAM, &s) == 0);
    CHECK(ns_bind(s, at) == 0);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n == 0)
        return 0;
    bool admin = data[0] & 1;
    struct ns_addr local = {ns_ip4(10, 0, 0, 1), 80}, peer = {ns_ip4(10, 0, 0, 2), 5000};
    dump.running = false;
    fuzz_open(NETIF_IP, NETIF_NO_DAD);
    add_routes();
    netstack_set_forwarding(net.ns, true, true);
    netstack_set_forwarding(net.ns, false, true);
    struct ns_sock *s = udp_socket(&local);
    for (size_t at = 1; at + 2 <= n;) {
        size_t len = (size_t)data[at] | (size_t)data[at + 1] << 8;
        at += 2;
        len = len < n - at ? len : n - at;
        send_to(data + at, len, admin);
        at += len;
        packets();
        for (unsigned i = 0; i < 2; i++) {
            struct ns_mem_io m;
            ns_send(s, ns_io_from(&m, "x", 1), 0, i ? &peer : &local);
        }
    }
    for (uint16_t type = 0; type < 26; type++)
        ask((uint16_t)(10 << 8 | type), LINUX_NLM_F_DUMP);
    ask(1 << 8 | 1, LINUX_NLM_F_DUMP);
    ns_close(s);
    fuzz_advance(1800 * 1000000000ull);
    netif_remove(net.nif);
    netstack_destroy(net.ns);  // panics when something is left
    return 0;
}
