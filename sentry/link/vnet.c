// SPDX-License-Identifier: Apache-2.0
// See vnet.h. The header is the host kernel's, but a peer with a packet socket of its own can have chosen
// every byte: of what it says only that is believed which can be checked, or which harms nobody but the
// sender's own bytes (a checksum that is called good). Of a frame's own headers the stack judges; only where
// we cut datagrams they are read here, each length compared first.
#include "sentry/link/vnet.h"
#include <string.h>

#define ETH_LEN     14u
#define ETH_TYPE_AT 12u
#define IP4_LEN     20u
#define IP6_LEN     40u
#define UDP_LEN     8u
#define PROTO_UDP   17
#define TCP_OFF     12u  // of the header, its length in words
#define TCP_LEN     20u

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static void put16(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

// ---- Out --------------------------------------------------------------------------------------------------
// The stack has its headers in the first piece.
struct vnet_hdr vnet_describe(const struct ns_frame *f) {
    struct vnet_hdr h = {0};
    const uint8_t *frame = f->iov[0].base;
    if (!f->csum_start)
        return h;
    h.flags = VNET_NEEDS_CSUM;
    h.csum_start = f->csum_start;
    h.csum_offset = f->csum_offset;
    if (f->gso_size && f->csum_start + TCP_LEN <= f->iov[0].len) {
        h.gso_type = frame[ETH_LEN] >> 4 == 6 ? VNET_GSO_TCP6 : VNET_GSO_TCP4;
        h.gso_size = f->gso_size;
        h.hdr_len = (uint16_t)(f->csum_start + (frame[f->csum_start + TCP_OFF] >> 4) * 4);
    }
    return h;
}

// ---- In ---------------------------------------------------------------------------------------------------
enum vnet_kind vnet_read(const void *at, size_t got, struct ns_rx *rx) {
    struct vnet_hdr h;
    if (got <= sizeof h || got > sizeof h + VNET_FRAME_MAX)
        return VNET_BAD;
    memcpy(&h, at, sizeof h);
    bool good = h.flags & (VNET_NEEDS_CSUM | VNET_DATA_VALID);
    uint8_t type = h.gso_type & (uint8_t)~VNET_GSO_ECN;
    *rx = (struct ns_rx){(const uint8_t *)at + sizeof h, got - sizeof h, good ? NS_CSUM_GOOD : 0, 0};
    switch (type) {
    case VNET_GSO_NONE:
        return VNET_PLAIN;
    case VNET_GSO_TCP4:
    case VNET_GSO_TCP6:
        rx->gso_size = h.gso_size;
        return h.gso_size ? VNET_PLAIN : VNET_BAD;
    case VNET_GSO_UDP_L4:
        return h.gso_size ? VNET_CUT : VNET_BAD;
    default:  // fragments of UDP are not asked for, and nothing else is known
        return VNET_BAD;
    }
}

// Where the UDP header of a frame lies that has neither IPv4 options nor IPv6 extension headers; 0: it is
// none.
static uint32_t udp_at(const uint8_t *frame, size_t len) {
    if (len < ETH_LEN + IP4_LEN + UDP_LEN)
        return 0;
    const uint8_t *ip = frame + ETH_LEN;
    if (ip[0] == 0x45 && get16(frame + ETH_TYPE_AT) == 0x0800)
        return ip[9] == PROTO_UDP && !(get16(ip + 6) & 0x3fff) ? ETH_LEN + IP4_LEN : 0;
    if (ip[0] >> 4 != 6 || get16(frame + ETH_TYPE_AT) != 0x86dd || len < ETH_LEN + IP6_LEN + UDP_LEN)
        return 0;
    return ip[6] == PROTO_UDP ? ETH_LEN + IP6_LEN : 0;
}

static void sum_ip4(uint8_t *ip) {
    uint32_t sum = 0;
    put16(ip + 10, 0);
    for (unsigned i = 0; i < IP4_LEN; i += 2)
        sum += get16(ip + i);
    sum = (sum & 0xffff) + (sum >> 16);
    put16(ip + 10, ~((sum & 0xffff) + (sum >> 16)));
}

bool vnet_cut(const void *at, size_t got, unsigned i, uint8_t *to, struct ns_rx *rx) {
    struct vnet_hdr h;
    if (vnet_read(at, got, rx) != VNET_CUT || i >= VNET_CUT_MAX)
        return false;
    memcpy(&h, at, sizeof h);
    const uint8_t *frame = rx->frame;
    uint32_t udp = udp_at(frame, rx->len), head = udp + UDP_LEN;
    size_t from = (size_t)i * h.gso_size, all = rx->len - head;
    if (!udp || from >= all)
        return false;
    uint32_t n = (uint32_t)(all - from < h.gso_size ? all - from : h.gso_size);
    memcpy(to, frame, head);
    memcpy(to + head, frame + head + from, n);
    put16(to + udp + 4, UDP_LEN + n);
    uint8_t *ip = to + ETH_LEN;
    if (ip[0] >> 4 == 6) {
        put16(ip + 4, UDP_LEN + n);
    } else {
        put16(ip + 2, IP4_LEN + UDP_LEN + n);
        put16(ip + 4, get16(ip + 4) + i);
        sum_ip4(ip);
    }
    *rx = (struct ns_rx){to, head + n, NS_CSUM_GOOD | (i ? NS_FOLLOWS : 0), 0};
    return true;
}
