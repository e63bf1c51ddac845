// SPDX-License-Identifier: Apache-2.0
// A hostile peer's IPv4 and IPv6: fragments of good datagrams in any order, overlapping, cut anywhere; IPv4
// options; chains of IPv6 extension headers; UDP of any length. Eight bytes an action. A whole datagram that
// arrives must be one that was sent.
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/netstack_frame.h"

#define WHOLE 1400 // a datagram that comes in pieces

static const uint8_t us4[4] = {10, 0, 0, 1}, peer4[4] = {10, 0, 0, 2};
static const uint8_t us6[16] = {0xfd, [15] = 1}, peer6[16] = {0xfd, [15] = 2};
static uint8_t whole[2][WHOLE];
static struct ns_sock *udp;
static bool moved; // a piece has lied about its place: two that change places keep the checksum

static uint8_t pattern(size_t i) {
    return (uint8_t)(i * 7 + (i >> 8));
}

// UDP to the socket, with its checksum, as IPv4 and as IPv6 would have it.
static void make_whole(void) {
    for (unsigned six = 0; six < 2; six++) {
        for (size_t i = 0; i < WHOLE; i++)
            whole[six][i] = pattern(i - UDP_LEN);
        const uint8_t h[UDP_LEN] = {0, 9, 0, 53, WHOLE >> 8, WHOLE & 255, 0, 0};
        memcpy(whole[six], h, sizeof h);
        if (six)
            frame6(peer6, us6, PROTO_UDP, 64, 0, PROTO_UDP, whole[1], WHOLE, false);
        else
            frame4(peer4, us4, PROTO_UDP, 0, 0, NULL, 0, whole[0], WHOLE, false);
        memcpy(whole[six], frame + ETH_LEN + (six ? IP6_LEN : IP4_LEN), WHOLE);
    }
}

// Where, how long, more to come, and which packet it is a piece of.
static void piece4(const uint8_t *p) {
    size_t at = p[1] % (WHOLE / 8) * 8u, n = p[2] * 8u;
    uint16_t more = p[3] & 1 ? 0x2000 : 0, off = (uint16_t)(at / 8);
    if (at + n >= WHOLE) {
        n = WHOLE - at;
        more = p[3] & 2 ? more : 0;
    }
    moved |= p[3] & 0x80;
    if (p[3] & 0x80)
        off = (uint16_t)(off + p[4] * 32u) & 0x1fff;
    if (p[3] & 0x40 && n > p[5] % 8u)
        n -= p[5] % 8u;
    frame4(peer4, us4, p[3] & 0x20 ? PROTO_ICMP : PROTO_UDP, p[6] & 3, more | off, p + 4, p[3] >> 2 & 1,
           whole[0] + at, n, true);
    fuzz_frame();
}

static void piece6(const uint8_t *p) {
    uint8_t body[8 + WHOLE] = {p[3] & 0x20 ? p[4] : PROTO_UDP, p[3] & 0x10 ? p[5] : 0};
    size_t at = p[1] % (WHOLE / 8) * 8u, n = p[2] * 8u;
    bool more = p[3] & 1;
    if (at + n >= WHOLE) {
        n = WHOLE - at;
        more = more && p[3] & 2;
    }
    if (p[3] & 0x40 && n > p[5] % 8u)
        n -= p[5] % 8u;
    moved |= p[3] & 0x80;
    put16(body + 2, (uint16_t)((at + (p[3] & 0x80 ? p[4] * 256u : 0)) | more));
    put32(body + 4, p[6] & 3);
    memcpy(body + 8, whole[1] + at, n);
    frame6(peer6, us6, PROTO_FRAG, 64, 8, 0, body, 8 + n, true);
    fuzz_frame();
}

// A chain of headers; each bit pair of p[1] and p[2] says which one is next, p[3..] what is in it.
static void chain(const uint8_t *p) {
    static const uint8_t kinds[4] = {PROTO_HOPOPTS, PROTO_ROUTING, PROTO_FRAG, PROTO_DSTOPTS};
    uint8_t body[200] = {0}, first = PROTO_UDP, *next = &first;
    size_t n = 0;
    unsigned order = p[1] | p[2] << 8;
    for (unsigned i = 0; i < (p[3] & 15u); i++, order = order >> 2 | order << 14) {
        *next = kinds[order & 3];
        next = body + n;
        memcpy(body + n + 2, p + 4, 4);
        if (i == (p[7] & 7u) && (order & 3) != 2)
            body[n + 1] = p[3] >> 6;
        if ((order & 3) == 2)
            memset(body + n + 1, p[3] & 0x10 ? p[4] : 0, 3);
        n += 8;
    }
    *next = p[3] & 0x20 ? p[5] : PROTO_UDP;
    const uint8_t h[UDP_LEN + 4] = {0, 9, 0, 53, 0, UDP_LEN + 4};
    memcpy(body + n, h, sizeof h);
    frame6(peer6, us6, first, 64, n, PROTO_UDP, body, n + sizeof h, false);
    fuzz_frame();
}

// UDP of a length of its own, and IPv4 options of five bytes.
static void datagram(const uint8_t *p) {
    uint8_t body[UDP_LEN + 64] = {0, p[1], 0, p[2] & 1 ? 53 : p[2], 0, p[3]},
                           options[8] = {p[4], p[5], p[6], p[7]};
    size_t n = UDP_LEN + (p[2] >> 2);
    if (p[3] & 1)
        body[5] = (uint8_t)n;
    if (p[1] & 1)
        frame6(peer6, us6, PROTO_UDP, 64, 0, PROTO_UDP, body, n, p[7] == 0xff);
    else
        frame4(peer4, p[6] == 0xff ? (const uint8_t[4]){255, 255, 255, 255} : us4,
               p[2] & 2 ? p[5] : PROTO_UDP, 1, 0x4000, options, p[1] >> 1 & 2, body, n, p[7] == 0xff);
    fuzz_frame();
}

// Nothing longer than what datagram() makes but the datagram itself, whole and unmixed.
static void receive(void) {
    static uint8_t buf[WHOLE * 2];
    struct ns_mem_io m;
    int64_t n;
    while ((n = ns_recv(udp, ns_io_to(&m, buf, sizeof buf), 0, NULL)) >= 0) {
        CHECK(n <= 64 || n == WHOLE - UDP_LEN);
        for (int64_t i = 0; n > 64 && !moved && i < n; i++)
            CHECK(buf[i] == pattern((size_t)i));
    }
}

static void action(const uint8_t *p) {
    switch (p[0] % 6) {
    case 0:
    case 1:
        piece4(p);
        break;
    case 2:
        piece6(p);
        break;
    case 3:
        chain(p);
        break;
    case 4:
        datagram(p);
        break;
    default:
        fuzz_advance((uint64_t)p[1] * p[2] * 1000000ull);
    }
    receive();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct ns_addr any = {.port = 53};
    fuzz_open(NETIF_ETHER, NETIF_NO_DAD);
    make_whole();
    moved = false;
    CHECK(ns_socket(net.ns, NS_INET6, NS_DGRAM, &udp) == 0 && ns_bind(udp, &any) == 0);
    for (size_t at = 0; at + 8 <= n && at < 3000; at += 8)
        action(data + at);
    ns_close(udp);
    fuzz_close();
    return 0;
}
