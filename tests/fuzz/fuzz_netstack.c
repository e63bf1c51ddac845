// SPDX-License-Identifier: Apache-2.0
// Frames of a hostile link: ARP, neighbour discovery, IPv4, IPv6, fragments, ICMP, UDP, TCP without a
// connection. The input is a list of (what, length, bytes); checksums and lengths are made right for most
// kinds, so that what is behind them is reached. Half of the inputs come in as batches.
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/netstack_frame.h"

// The bytes: flags and offset (2), protocol, then options' length in words, and what follows.
static void ip4(const uint8_t *p, size_t n) {
    if (n < 5)
        return;
    static const uint8_t src[4] = {10, 0, 0, 2}, dst[4] = {10, 0, 0, 1};
    size_t opts = (p[3] & 3) * 4u;
    if (n - 5 < opts)
        opts = 0;
    frame4(src, dst, p[2], p[4], get16(p), p + 5, (unsigned)opts / 4, p + 5 + opts, n - 5 - opts,
           p[3] & 0x80);
    fuzz_frame();
}

// The bytes: next header, hop limit, source's and destination's last byte, and what follows.
static void ip6(const uint8_t *p, size_t n) {
    if (n < 4)
        return;
    uint8_t src[16] = {0xfd}, dst[16] = {0xfd};
    if (p[2] & 0x80)
        memcpy(src, (const uint8_t[2]){0xfe, 0x80}, 2);
    src[15] = p[2] & 0x7f;
    if (p[3] & 0x80)
        memcpy(dst, (const uint8_t[16]){0xff, 2, [11] = 1, 0xff, 0, 0, 1}, 16);
    else
        dst[15] = 1;
    frame6(src, dst, p[0], p[1] & 1 ? 255 : p[1], 0, p[0], p + 4, n - 4, false);
    fuzz_frame();
}

static void one(uint8_t what, const uint8_t *p, size_t n) {
    switch (what % 6) {
    case 0:
        fuzz_input(p, n);
        break;
    case 1:
        ethernet(ETH_TYPE_ARP);
        put(p, n);
        fuzz_input(frame, frame_len);
        break;
    case 2:
        ip4(p, n);
        break;
    case 3:
        ip6(p, n);
        break;
    case 4:
        fuzz_advance((uint64_t)n * n * 1000000ull);
        break;
    case 5:
        ethernet(n & 1 ? ETH_TYPE_IP4 : ETH_TYPE_IP6);
        put(p, n);
        fuzz_input(frame, frame_len);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct ns_sock *udp, *tcp, *raw = NULL, *packet = NULL;
    struct ns_rule rule = {.point = NS_INPUT, .verdict = NS_REJECT, .established = true, .dport = {53, 60}};
    struct ns_rule early = {.point = NS_PREROUTING, .verdict = NS_DROP, .dport = {61, 70}, .rate = 100};
    struct ns_addr any = {.port = 53}, peer = {ns_ip4(10, 0, 0, 2), 9}, from = any;
    struct ns_mem_io m;
    uint8_t buf[64];
    fuzz_open(NETIF_ETHER, n && data[0] & 1 ? NETIF_SLAAC : NETIF_NO_DAD);
    CHECK(ns_socket(net.ns, NS_INET6, NS_DGRAM, &udp) == 0 && ns_bind(udp, &any) == 0);
    CHECK(ns_socket(net.ns, NS_INET6, NS_STREAM, &tcp) == 0 && ns_bind(tcp, &any) == 0 &&
          ns_listen(tcp, 4) == 0);
    if (n && data[0] & 4)
        CHECK(ns_raw_socket(net.ns, NS_INET6, 58, &raw) == 0);
    net.hold = n && data[0] & 16;
    if (n && data[0] & 32)
        CHECK(ns_packet_socket(net.ns, data[0] & 64, NS_PACKET_ALL, &packet) == 0);
    int id = n && data[0] & 8 ? netstack_add_rule(net.ns, &rule) : -1;
    int early_id = n && data[0] & 128 ? netstack_add_rule(net.ns, &early) : -1;
    for (size_t at = 1; at + 2 <= n;) {
        size_t len = data[at + 1] < n - at - 2 ? data[at + 1] : n - at - 2;
        one(data[at], data + at + 2, len);
        at += 2 + len;
        if (data[0] & 2)
            ns_send(udp, ns_io_from(&m, buf, sizeof buf), 0, &peer);
        ns_recv(udp, ns_io_to(&m, buf, sizeof buf), 0, NULL);
        if (packet) {
            ns_recv(packet, ns_io_to(&m, buf, sizeof buf), 0, &from);
            ns_send(packet, ns_io_from(&m, buf, len < sizeof buf ? len : sizeof buf), 0, &from);
        }
    }
    if (raw)
        ns_close(raw);
    if (packet)
        ns_close(packet);
    if (id >= 0)
        CHECK(netstack_del_rule(net.ns, id) == 0);
    if (early_id >= 0)
        CHECK(netstack_del_rule(net.ns, early_id) == 0);
    ns_close(udp);
    ns_close(tcp);
    fuzz_close();
    return 0;
}
