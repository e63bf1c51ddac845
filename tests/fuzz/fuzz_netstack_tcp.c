// SPDX-License-Identifier: Apache-2.0
// A hostile peer of live TCP connections, over IPv4 or IPv6: a grammar of segments whose numbers are near the
// right ones, alone or with the next ones in a batch, of socket calls, ICMP errors and time. Six bytes an
// action. In sanitizer builds the connection's invariants are checked after each.
#include "netstack/prot/tcp.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/netstack_frame.h"

static const uint8_t us4[4] = {10, 0, 0, 1}, peer4[4] = {10, 0, 0, 2};
static const uint8_t us6[16] = {0xfd, [15] = 1}, peer6[16] = {0xfd, [15] = 2};
static bool six;                              // this input's family
static uint32_t our_next, our_una, peer_next; // numbers as the peer knows them
static uint8_t last[128];                     // the head of what the stack sent last
static size_t last_len;

static size_t head_len(void) {
    return six ? IP6_LEN : IP4_LEN;
}

static void see(const uint8_t *f, size_t n) {
    size_t head = head_len();
    if (n < head + TCP_LEN || f[six ? IP6_NEXT : IP4_PROTO] != PROTO_TCP)
        return;
    const uint8_t *h = f + head;
    uint32_t len = (uint32_t)(n - head - (h[TCP_OFF] >> 4) * 4u) + !!(h[TCP_FLAGS] & TCP_SYN) +
                   !!(h[TCP_FLAGS] & TCP_FIN);
    our_next = get32(h + TCP_SEQ) + len;
    if (h[TCP_FLAGS] & TCP_SYN)
        our_una = our_next;
    last_len = n < sizeof last ? n : sizeof last;
    memcpy(last, f, last_len);
}

static uint32_t near(uint32_t base, uint8_t how) {
    static const uint32_t steps[16] = {
        0,    0,     0,          0,           1,           100,         1000,        1448,
        3000, 65535, 0x7fffffff, 0x80000000u, 0xffffffffu, 0xffffff9cu, 0xfffffc18u, 0xffff0000u};
    return base + steps[how & 15];
}

static size_t options(uint8_t *o, uint8_t what, uint8_t a, uint8_t b) {
    size_t n = 0;
    if (what & 1) {
        const uint8_t syn[12] = {2, 4, a, b, 1, 3, 3, (uint8_t)(a & 15), 1, 1, 4, 2};
        memcpy(o, syn, 12);
        n = 12;
    }
    if (what & 2) {
        o[n++] = 1, o[n++] = 1, o[n++] = 8, o[n++] = 10;
        put32(o + n, (uint32_t)(net.now / 1000000) + (int8_t)a);
        put32(o + n + 4, last_len > head_len() + 32 ? get32(last + head_len() + 24) : b);
        n += 8;
    }
    if (what & 4) {
        unsigned blocks = 1 + (b & 1);
        o[n++] = 1, o[n++] = 1, o[n++] = 5, o[n++] = (uint8_t)(2 + 8 * blocks);
        for (unsigned i = 0; i < blocks; i++, n += 8) {
            put32(o + n, our_una + (a & 15) * 500u + i * 2000);
            put32(o + n + 4, our_una + (a & 15) * 500u + (a >> 4) * 300u + i * 2000);
        }
    }
    return n;
}

// `ecn`: the two bits of the header.
static void send_ip(uint8_t proto, uint8_t ecn, const uint8_t *l4, size_t n) {
    uint8_t *ip = frame + ETH_LEN;
    if (six) {
        frame6(peer6, us6, proto, 64, 0, proto, l4, n, false);
        ip[1] = (uint8_t)(ecn << 4);
    } else {
        frame4(peer4, us4, proto, 0, 0x4000, NULL, 0, l4, n, false);
        ip[IP4_TOS] = ecn;
        memset(ip + IP4_CSUM, 0, 2);
        uint16_t sum = csum(ip, IP4_LEN);
        memcpy(ip + IP4_CSUM, &sum, 2);
    }
    fuzz_packet();
}

static void segment(uint16_t sport, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len, uint16_t win,
                    uint8_t what, uint8_t a, uint8_t b) {
    uint8_t h[TCP_MAX_LEN + 1500] = {0};
    size_t n = TCP_LEN + options(h + TCP_LEN, what, a, b);
    put16(h + TCP_SPORT, sport);
    put16(h + TCP_DPORT, 80);
    put32(h + TCP_SEQ, seq);
    put32(h + TCP_ACKNO, ack);
    h[TCP_OFF] = (uint8_t)(n / 4 << 4);
    h[TCP_FLAGS] = flags;
    put16(h + TCP_WIN, win);
    send_ip(PROTO_TCP, a & 3, h, n + len);
    if ((flags & TCP_ACK) && (int32_t)(ack - our_una) > 0 && (int32_t)(ack - our_next) <= 0)
        our_una = ack;
}

// An error that quotes what the stack sent last.
static void icmp(uint8_t what, uint8_t code, uint16_t mtu) {
    static const uint8_t types[2][4] = {{11, 3, 3, 12}, {3, 1, 2, 4}};
    uint8_t m[8 + 64] = {types[six][what & 3], code, 0, 0, 0, 0, (uint8_t)(mtu >> 8), (uint8_t)mtu};
    size_t q = last_len < 64 ? last_len : 64;
    memcpy(m + 8, last, q);
    send_ip(six ? PROTO_ICMP6 : PROTO_ICMP, 0, m, 8 + q);
}

static struct ns_sock *listener, *conn;

static void call(uint8_t what, uint8_t a, uint8_t b) {
    static uint8_t buf[20000];
    struct ns_mem_io m;
    if (!conn) {
        ns_accept(listener, &conn);
    } else if (what % 6 == 0) {
        ns_recv(conn, ns_io_to(&m, buf, 64u * a), 0, NULL);
    } else if (what % 6 == 1) {
        ns_shutdown(conn, a & 1, a & 2);
    } else if (what % 6 == 2) {
        ns_set_option(conn, a % NS_OPT_COUNT, b);
    } else if (what % 6 == 3) {
        ns_close(conn);
        conn = NULL;
    } else {
        ns_send(conn, ns_io_from(&m, buf, 64u * a + b), a & 1 ? NS_MSG_MORE : 0, NULL);
    }
}

static void action(const uint8_t *p) {
    uint32_t len = (p[4] & 0x70) * 12u;
    switch (p[0] >> 4) {
    case 0:
        segment((uint16_t)(5000 + (p[0] & 3)), TCP_SYN, p[1], 0, 0, 65535, p[2], p[3], p[4]);
        if ((p[0] & 3) == 0)
            peer_next = p[1] + 1u;
        break;
    case 1:
        fuzz_advance((uint64_t)p[1] * p[2] * 1000000ull);
        break;
    case 2:
        icmp(p[1], p[2] & 15, get16(p + 3));
        break;
    case 3:
    case 4:
    case 5:
        call(p[1], p[2], p[3]);
        break;
    default:
        net.hold = p[0] & 1;
        segment(5000, p[5] & 1 ? p[5] : TCP_ACK, near(peer_next, p[1]),
                near(p[1] & 0x40 ? our_una : our_next, p[1] >> 4 & 3 ? 0 : p[2]), len,
                p[4] & 8 ? (uint16_t)(p[3] << 8) : 65535, p[2] >> 5 & 6, p[3], p[4]);
        if ((p[1] & 15) < 4)
            peer_next += len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct ns_addr any = {.port = 80};
    fuzz_open(NETIF_IP, NETIF_NO_DAD);
    six = n && data[0] & 4;
    net.seen = see;
    net.hold = false;
    peer_next = 1001;
    our_next = our_una = 0;
    last_len = 0;
    conn = NULL;
    CHECK(ns_socket(net.ns, NS_INET6, NS_STREAM, &listener) == 0 && ns_bind(listener, &any) == 0);
    CHECK(ns_listen(listener, 2) == 0);
    bool tiny = n && data[0] & 8; // its MSS
    segment(5000, TCP_SYN, 1000, 0, 0, 65535, n ? data[0] & 3 : 0, tiny ? 0 : 5, tiny ? data[0] >> 4 : 0xb4);
    segment(5000, TCP_ACK, peer_next, our_next, 0, 65535, n ? data[0] & 2 : 0, 5, 0);
    CHECK(ns_accept(listener, &conn) == 0);
    for (size_t at = 1; at + 6 <= n && at < 6000; at += 6)
        action(data + at);
    if (conn)
        ns_close(conn);
    ns_close(listener);
    fuzz_close();
    return 0;
}
