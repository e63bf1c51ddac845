// SPDX-License-Identifier: Apache-2.0
// Frames for the fuzzers of netstack's link side: one buffer that is filled from the Ethernet header on, IP
// headers with right lengths and checksums around what a fuzzer has made up. It sends nothing by itself but
// fuzz_frame() and fuzz_packet().
#ifndef TESTS_FUZZ_NETSTACK_FRAME_H
#define TESTS_FUZZ_NETSTACK_FRAME_H
#include "netstack/prot/checksum.h"
#include "netstack/prot/eth.h"
#include "netstack/prot/ip.h"
#include "netstack/prot/wire.h"
#include "tests/fuzz/netstack_fuzz.h"

static uint8_t frame[2048];
static size_t frame_len;

static inline void put(const void *p, size_t n) {
    CHECK(frame_len + n <= sizeof frame);
    if (n)
        memcpy(frame + frame_len, p, n);
    frame_len += n;
}

static inline void ethernet(uint16_t type) {
    const uint8_t h[ETH_LEN] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, (uint8_t)(type >> 8), (uint8_t)type};
    frame_len = 0;
    put(h, sizeof h);
}

static inline size_t checksum_at(uint8_t proto) {
    switch (proto) {
    case PROTO_UDP:
        return UDP_CSUM;
    case PROTO_TCP:
        return 16;
    default:
        return ICMP_CSUM;
    }
}

// The transport's checksum at l4 to the end, where there is room for one; `pseudo`: the sum of the pseudo
// header.
static inline void fix_checksum(size_t l4, uint8_t proto, uint64_t pseudo) {
    size_t n = frame_len - l4, at = checksum_at(proto);
    bool known = proto == PROTO_UDP || proto == PROTO_TCP || proto == PROTO_ICMP || proto == PROTO_ICMP6 ||
                 proto == PROTO_IGMP;
    if (!known || n < at + 2)
        return;
    memset(frame + l4 + at, 0, 2);
    uint16_t sum =
        csum_finish(csum_add(proto == PROTO_ICMP || proto == PROTO_IGMP ? 0 : pseudo, frame + l4, n, 0));
    memcpy(frame + l4 + at, &sum, 2);
}

// An IPv4 header of `words` words of options and what is behind it; a checksum is made for it unless `raw`.
static inline void frame4(const uint8_t src[4], const uint8_t dst[4], uint8_t proto, uint16_t id,
                          uint16_t frag, const uint8_t *options, unsigned words, const uint8_t *body,
                          size_t n, bool raw) {
    uint8_t h[IP4_LEN] = {(uint8_t)(0x45 + words), [8] = 64, [IP4_PROTO] = proto};
    put16(h + IP4_TOTAL, (uint16_t)(IP4_LEN + words * 4 + n));
    put16(h + 4, id);
    put16(h + IP4_FRAG, frag);
    memcpy(h + IP4_SRC, src, 4);
    memcpy(h + IP4_DST, dst, 4);
    ethernet(ETH_TYPE_IP4);
    put(h, sizeof h);
    put(options, words * 4);
    put(body, n);
    uint16_t sum = csum(frame + ETH_LEN, IP4_LEN + words * 4);
    memcpy(frame + ETH_LEN + IP4_CSUM, &sum, 2);
    const uint8_t tail[4] = {0, proto, (uint8_t)(n >> 8), (uint8_t)n};
    if (!raw)
        fix_checksum(ETH_LEN + IP4_LEN + words * 4, proto,
                     csum_add(csum_add(0, h + IP4_SRC, 8, 0), tail, 4, 0));
}

// An IPv6 header, `next` first; the transport `proto` begins `chain` bytes behind it.
static inline void frame6(const uint8_t src[16], const uint8_t dst[16], uint8_t next, uint8_t hops,
                          size_t chain, uint8_t proto, const uint8_t *body, size_t n, bool raw) {
    uint8_t h[IP6_LEN] = {0x60, [IP6_NEXT] = next, [IP6_HOPS] = hops};
    put16(h + IP6_PAYLOAD, (uint16_t)n);
    memcpy(h + IP6_SRC, src, 16);
    memcpy(h + IP6_DST, dst, 16);
    ethernet(ETH_TYPE_IP6);
    put(h, sizeof h);
    put(body, n);
    uint8_t tail[8] = {[7] = proto};
    put32(tail, (uint32_t)(n - chain));
    if (!raw)
        fix_checksum(ETH_LEN + IP6_LEN + chain, proto, csum_add(csum_add(0, h + IP6_SRC, 32, 0), tail, 8, 0));
}

static inline void fuzz_frame(void) {
    fuzz_input(frame, frame_len);
}

// The packet of the frame, for a link without Ethernet.
static inline void fuzz_packet(void) {
    fuzz_input(frame + ETH_LEN, frame_len - ETH_LEN);
}

// An ICMP error about the packet that begins with quote[n]; its length, at most ICMP_LEN + n. By p[0] the
// family, p[1] type and code, p[2..3] a size, p[4] and p[5] where the quote ends, or which byte of it is
// changed and how.
static inline size_t quoting_error(const uint8_t *p, const uint8_t *quote, size_t n, uint8_t *m) {
    static const uint8_t types[2][8] = {{3, 3, 3, 11, 12, 4, 5, 3}, {1, 1, 2, 3, 4, 2, 137, 1}};
    memset(m, 0, ICMP_LEN);
    m[ICMP_TYPE] = types[p[0] >> 7][p[1] & 7];
    m[ICMP_CODE] = p[1] >> 4;
    put16(m + ICMP_MTU, get16(p + 2));
    memcpy(m + ICMP_LEN, quote, n);
    if (p[4] & 0x80)
        n = n < (p[4] & 0x7fu) ? n : p[4] & 0x7fu;
    else if (p[4] && p[4] < n)
        m[ICMP_LEN + p[4]] ^= p[5];
    return ICMP_LEN + n;
}

#endif
