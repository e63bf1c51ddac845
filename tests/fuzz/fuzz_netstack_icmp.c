// SPDX-License-Identifier: Apache-2.0
// ICMP and ICMPv6 of a hostile path: errors that quote what live sockets have sent, cut and altered anywhere,
// and echo. The sockets are UDP, connected and not, and TCP that connects; also simultaneously, and over
// IPv6. Six bytes an action.
#include "netstack/prot/tcp.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/netstack_frame.h"

static const uint8_t us4[4] = {10, 0, 0, 1}, peer4[4] = {10, 0, 0, 2};
static const uint8_t us6[16] = {0xfd, [15] = 1}, peer6[16] = {0xfd, [15] = 2};
static uint8_t last[2][256]; // the head of the last packet of each family
static size_t last_len[2];
static struct ns_sock *socks[4]; // UDP and TCP to the peer, by family

static void see(const uint8_t *f, size_t n) {
    bool six = n > ETH_LEN && f[ETH_LEN] >> 4 == 6;
    if (n < ETH_LEN + IP4_LEN || get16(f + ETH_TYPE) == ETH_TYPE_ARP ||
        f[ETH_LEN + (six ? IP6_NEXT : IP4_PROTO)] == PROTO_ICMP6)
        return;
    last_len[six] = n - ETH_LEN < sizeof last[six] ? n - ETH_LEN : sizeof last[six];
    memcpy(last[six], f + ETH_LEN, last_len[six]);
}

static void message(bool six, const uint8_t *m, size_t n) {
    if (six)
        frame6(peer6, us6, PROTO_ICMP6, 255, 0, PROTO_ICMP6, m, n, false);
    else
        frame4(peer4, us4, PROTO_ICMP, 1, 0, NULL, 0, m, n, false);
    fuzz_frame();
}

static void error(const uint8_t *p) {
    bool six = p[0] & 0x80;
    uint8_t m[ICMP_LEN + sizeof last[0]];
    message(six, m, quoting_error(p, last[six], last_len[six], m));
}

static void echo(const uint8_t *p) {
    uint8_t m[ICMP_LEN + 1400] = {p[0] & 0x80 ? 128 : 8, p[1] & 1 ? 0 : p[1], 0, 0, p[2], p[3]};
    message(p[0] & 0x80, m, p[4] == 0xff ? p[5] % 12u : ICMP_LEN + p[4] * 5u);
}

// The peer of a connecting TCP: any flags, numbers near the right ones.
static void answer(const uint8_t *p) {
    bool six = p[0] & 0x80;
    size_t head = six ? IP6_LEN : IP4_LEN;
    uint8_t h[TCP_LEN + 12] = {0}, *l4 = last[six] + head;
    if (last_len[six] < head + TCP_LEN || last[six][six ? IP6_NEXT : IP4_PROTO] != PROTO_TCP)
        return;
    put16(h + TCP_SPORT, get16(l4 + TCP_DPORT));
    put16(h + TCP_DPORT, get16(l4 + TCP_SPORT));
    put32(h + TCP_SEQ, p[2] & 0x80 ? get32(l4 + TCP_ACKNO) : p[3]);
    put32(h + TCP_ACKNO, get32(l4 + TCP_SEQ) + (p[2] & 3));
    h[TCP_OFF] = p[2] & 4 ? 0x50 : 0x80;
    h[TCP_FLAGS] = p[1] & 0x3f;
    put16(h + TCP_WIN, get16(p + 4));
    memcpy(h + TCP_LEN, (const uint8_t[12]){2, 4, p[4], p[5], 1, 3, 3, p[3] & 15, 1, 1, 4, 2}, 12);
    if (six)
        frame6(peer6, us6, PROTO_TCP, 64, 0, PROTO_TCP, h, sizeof h, false);
    else
        frame4(peer4, us4, PROTO_TCP, 1, 0x4000, NULL, 0, h, sizeof h, false);
    fuzz_frame();
}

static void open_sock(unsigned i, uint8_t how) {
    struct ns_addr to = {.port = 9};
    if (i & 1)
        memcpy(to.ip.b, peer6, 16);
    else
        to.ip = ns_ip4(10, 0, 0, 2);
    if (ns_socket(net.ns, i & 1 ? NS_INET6 : NS_INET, i & 2 ? NS_STREAM : NS_DGRAM, &socks[i]) < 0)
        return;
    if (!(i & 2))
        ns_set_option(socks[i], NS_OPT_MTU_DISCOVER, how & 1);
    ns_connect(socks[i], &to);
}

static void call(const uint8_t *p) {
    static uint8_t buf[65536];
    struct ns_mem_io m;
    unsigned i = p[1] & 3;
    if (!socks[i]) {
        open_sock(i, p[2]);
    } else if (p[2] & 0x80) {
        ns_close(socks[i]);
        socks[i] = NULL;
    } else {
        ns_take_error(socks[i]);
        ns_recv(socks[i], ns_io_to(&m, buf, 2000), 0, NULL);
        ns_send(socks[i], ns_io_from(&m, buf, p[2] & 1 ? get16(p + 3) : p[3]), 0, NULL);
    }
}

// The peer tells where it is, so that the sockets' packets leave.
static void present(void) {
    const uint8_t arp[ARP_LEN] = {0,  1, 8, 0, 6, 4, 0, 1, 2, 0, 0,  0, 0, 2,
                                  10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1};
    uint8_t ns[ND_NS_LEN + 8] = {ICMP6_NS, [ND_NS_LEN] = ND_OPT_SOURCE, 1, 2, 0, 0, 0, 0, 2};
    memcpy(ns + ND_TARGET, us6, 16);
    ethernet(ETH_TYPE_ARP);
    put(arp, sizeof arp);
    fuzz_frame();
    message(true, ns, sizeof ns);
}

static void action(const uint8_t *p) {
    switch (p[0] & 7) {
    case 0:
    case 1:
        error(p);
        break;
    case 2:
        echo(p);
        break;
    case 3:
        answer(p);
        break;
    case 4:
        fuzz_advance((uint64_t)p[1] * p[2] * 1000000ull);
        break;
    case 5:
        present();
        break;
    default:
        call(p);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    fuzz_open(NETIF_ETHER, NETIF_NO_DAD);
    last_len[0] = last_len[1] = 0;
    net.seen = see;
    present();
    for (unsigned i = 0; i < 4; i++)
        open_sock(i, n ? data[0] : 0);
    for (size_t at = 1; at + 6 <= n && at < 3000; at += 6)
        action(data + at);
    for (unsigned i = 0; i < 4; i++) {
        if (socks[i])
            ns_close(socks[i]);
        socks[i] = NULL;
    }
    fuzz_close();
    return 0;
}
