// SPDX-License-Identifier: Apache-2.0
// Frames of a hostile link: ARP, neighbour discovery, IPv4, IPv6, fragments, ICMP, UDP, TCP without a connection. The
// input is a list of (what, length, bytes); checksums and lengths are made right for most kinds, so that what is behind
// them is reached.
#include "netstack/prot/checksum.h"
#include "netstack/prot/eth.h"
#include "netstack/prot/ip.h"
#include "netstack/prot/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/netstack_fuzz.h"

static uint8_t frame[2048];
static size_t frame_len;

static void put(const void *p, size_t n) {
    CHECK(frame_len + n <= sizeof frame);
    memcpy(frame + frame_len, p, n);
    frame_len += n;
}

static void ethernet(uint16_t type) {
    const uint8_t h[ETH_LEN] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, (uint8_t)(type >> 8), (uint8_t)type};
    frame_len = 0;
    put(h, sizeof h);
}

static void fix_checksum(size_t l4, uint8_t proto, uint64_t pseudo) {
    size_t n = frame_len - l4, at = proto == PROTO_UDP ? UDP_CSUM : proto == PROTO_TCP ? 16 : ICMP_CSUM;
    bool known = proto == PROTO_UDP || proto == PROTO_TCP || proto == PROTO_ICMP || proto == PROTO_ICMP6;
    if (!known || n < at + 2)
        return;
    memset(frame + l4 + at, 0, 2);
    uint16_t sum = csum_finish(csum_add(proto == PROTO_ICMP ? 0 : pseudo, frame + l4, n, 0));
    memcpy(frame + l4 + at, &sum, 2);
}

// The bytes: flags and offset (2), protocol, then options' length in words, and what follows.
static void ip4(const uint8_t *p, size_t n) {
    if (n < 5)
        return;
    uint8_t h[IP4_LEN] = {0x45, 0, 0, 0, 0, p[4], p[0], p[1], 64, p[2], 0, 0, 10, 0, 0, 2, 10, 0, 0, 1};
    size_t opts = (p[3] & 3) * 4u;
    if (n - 5 < opts)
        opts = 0;
    h[0] = (uint8_t)(0x45 + opts / 4);
    put16(h + IP4_TOTAL, (uint16_t)(IP4_LEN + n - 5));
    ethernet(ETH_TYPE_IP4);
    put(h, sizeof h);
    put(p + 5, n - 5);
    uint16_t sum = csum(frame + ETH_LEN, IP4_LEN + opts);
    memcpy(frame + ETH_LEN + IP4_CSUM, &sum, 2);
    const uint8_t tail[4] = {0, p[2], (uint8_t)((n - 5 - opts) >> 8), (uint8_t)(n - 5 - opts)};
    if (!(p[3] & 0x80))
        fix_checksum(ETH_LEN + IP4_LEN + opts, p[2], csum_add(csum_add(0, h + IP4_SRC, 8, 0), tail, 4, 0));
    fuzz_input(frame, frame_len);
}

// The bytes: next header, hop limit, source's and destination's last byte, and what follows.
static void ip6(const uint8_t *p, size_t n) {
    if (n < 4)
        return;
    uint8_t h[IP6_LEN] = {0x60, [IP6_SRC] = 0xfd, [IP6_DST] = 0xfd};
    put16(h + IP6_PAYLOAD, (uint16_t)(n - 4));
    h[IP6_NEXT] = p[0];
    h[IP6_HOPS] = p[1] & 1 ? 255 : p[1];
    if (p[2] & 0x80)
        memcpy(h + IP6_SRC, (const uint8_t[2]){0xfe, 0x80}, 2);
    h[IP6_SRC + 15] = p[2] & 0x7f;
    if (p[3] & 0x80)
        memcpy(h + IP6_DST, (const uint8_t[16]){0xff, 2, [11] = 1, 0xff, 0, 0, 1}, 16);
    else
        h[IP6_DST + 15] = 1;
    ethernet(ETH_TYPE_IP6);
    put(h, sizeof h);
    put(p + 4, n - 4);
    uint8_t tail[8] = {[7] = p[0]};
    put32(tail, (uint32_t)(n - 4));
    fix_checksum(ETH_LEN + IP6_LEN, p[0], csum_add(csum_add(0, h + IP6_SRC, 32, 0), tail, 8, 0));
    fuzz_input(frame, frame_len);
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
    struct ns_sock *udp, *tcp, *raw = NULL;
    struct ns_rule rule = {.point = NS_INPUT, .verdict = NS_REJECT, .established = true, .dport = {53, 60}};
    struct ns_addr any = {.port = 53}, peer = {ns_ip4(10, 0, 0, 2), 9};
    struct ns_mem_io m;
    uint8_t buf[64];
    fuzz_open(NETIF_ETHER, n && data[0] & 1 ? NETIF_SLAAC : NETIF_NO_DAD);
    CHECK(ns_socket(net.ns, NS_INET6, NS_DGRAM, &udp) == 0 && ns_bind(udp, &any) == 0);
    CHECK(ns_socket(net.ns, NS_INET6, NS_STREAM, &tcp) == 0 && ns_bind(tcp, &any) == 0 && ns_listen(tcp, 4) == 0);
    if (n && data[0] & 4)
        CHECK(ns_raw_socket(net.ns, NS_INET6, 58, &raw) == 0);
    int id = n && data[0] & 8 ? netstack_add_rule(net.ns, &rule) : -1;
    for (size_t at = 1; at + 2 <= n;) {
        size_t len = data[at + 1] < n - at - 2 ? data[at + 1] : n - at - 2;
        one(data[at], data + at + 2, len);
        at += 2 + len;
        if (data[0] & 2)
            ns_send(udp, ns_io_from(&m, buf, sizeof buf), 0, &peer);
        ns_recv(udp, ns_io_to(&m, buf, sizeof buf), 0, NULL);
    }
    if (raw)
        ns_close(raw);
    if (id >= 0)
        CHECK(netstack_del_rule(net.ns, id) == 0);
    ns_close(udp);
    ns_close(tcp);
    fuzz_close();
    return 0;
}
