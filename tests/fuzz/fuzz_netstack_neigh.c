// SPDX-License-Identifier: Apache-2.0
// A hostile link's ARP and neighbour discovery: requests, replies, spoofs, advertisements of routers with any
// options, while the stack resolves neighbours, checks its own addresses for duplicates and configures
// itself. Five bytes an action.
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/netstack_frame.h"

static struct ns_sock *udp;

// Hosts that matter: ours, the peer, nobody, everybody, a group; and any other of the network.
static void host4(uint8_t *to, uint8_t which) {
    static const uint8_t special[6][4] = {{10, 0, 0, 1},        {10, 0, 0, 2},  {0},
                                          {255, 255, 255, 255}, {224, 0, 0, 1}, {10, 0, 0, 255}};
    memcpy(to, which < 6 ? special[which] : (const uint8_t[4]){10, 0, 0, which}, 4);
}

static void host6(uint8_t *to, uint8_t which) {
    memset(to, 0, 16);
    to[0] = which & 0x80 ? 0xfe : 0xfd;
    to[1] = which & 0x80 ? 0x80 : 0;
    to[15] = which & 0x3f;
    if ((which & 0x3f) == 0x3f)
        memset(to, 0, 16);
    else if ((which & 0x3f) == 0x3e)
        memcpy(to, (const uint8_t[16]){0xff, 2, [15] = 1}, 16);
    else if (which & 0x40) // the group that those who look for the host send to
        memcpy(to, (const uint8_t[13]){0xff, 2, [11] = 1, [12] = 0xff}, 13);
}

static void arp(const uint8_t *p) {
    uint8_t h[ARP_LEN] = {0, 1, 8, 0, 6, 4, 0, (uint8_t)(p[0] >> 4 & 3), 2, 0, 0, 0, p[3], p[4]};
    host4(h + ARP_SPA, p[1]);
    host4(h + ARP_TPA, p[2]);
    if (p[0] & 0x80)
        h[p[3] % 8] ^= p[4];
    ethernet(ETH_TYPE_ARP);
    if (p[0] & 0x40)
        memset(frame, 0xff, 6);
    h[ARP_SHA] |= p[4] & 1;
    put(h, sizeof h);
    fuzz_frame();
}

// One option; its length is nonsense now and then. How long it is.
static size_t option(uint8_t *o, uint8_t what, uint8_t v) {
    static const uint8_t types[4] = {ND_OPT_SOURCE, ND_OPT_TARGET, ND_OPT_PREFIX, ND_OPT_MTU};
    size_t n = (what & 3) == 2 ? 32 : 8;
    memset(o, 0, n);
    o[0] = types[what & 3];
    o[1] = what & 0x80 ? v : (uint8_t)(n / 8);
    if (n == 32) {
        o[ND_PREFIX_LEN] = v & 1 ? 64 : v;
        o[ND_PREFIX_FLAGS] = what & (ND_PREFIX_AUTO | ND_PREFIX_LINK) ? 0xc0 : what;
        put32(o + ND_PREFIX_VALID, v);
        memcpy(o + ND_PREFIX_ADDR, (const uint8_t[2]){what & 4 ? 0xfe : 0x20, what & 4 ? 0x80 : v}, 2);
    } else if (o[0] == ND_OPT_MTU) {
        put32(o + 4, 1000u + v * 4);
    } else {
        o[2] = (uint8_t)(2 | (what >> 6 & 1)), o[7] = v;
    }
    return n;
}

static size_t length_of(uint8_t type) {
    switch (type) {
    case ICMP6_RA:
        return ND_RA_LEN;
    case ICMP6_RS:
        return 8;
    default:
        return ND_NS_LEN;
    }
}

static void discovery(uint8_t type, const uint8_t *p) {
    static const uint8_t hosts[] = {1, 0x3e, 0x41, 0x3e};
    uint8_t m[160] = {type, p[0] == 0xf7}, src[16], dst[16];
    size_t n = length_of(type);
    host6(src, type == ICMP6_RA ? p[1] | 0x80 : p[1]);
    host6(dst, hosts[p[2] & 3]);
    if (type == ICMP6_RA) {
        m[ND_RA_HOPS] = p[2];
        put16(m + ND_RA_LIFETIME, p[0] & 0x80 ? 0 : 1800);
    } else if (n == ND_NS_LEN) {
        m[ND_FLAGS] = p[2] & 0xe0;
        host6(m + ND_TARGET, (uint8_t)(p[3] & 0xbf));
    }
    for (unsigned i = 0; i < (p[0] >> 4 & 3u); i++)
        n += option(m + n, (uint8_t)(p[4] + i), (uint8_t)(p[3] + i));
    if (p[0] == 0xf8)
        n -= p[4] % 16;
    frame6(src, dst, PROTO_ICMP6, p[2] == 7 ? 64 : 255, 0, PROTO_ICMP6, m, n, false);
    fuzz_frame();
}

static void ours(const uint8_t *p) {
    static uint8_t data[64];
    struct ns_mem_io m;
    struct ns_addr to = {.port = 9};
    if (p[1] & 1) {
        host6(to.ip.b, (uint8_t)(p[2] & 0xbf));
    } else {
        to.ip = ns_ip4(10, 0, 0, p[2]);
    }
    if (p[1] & 2)
        netif_add_address(net.nif, &to.ip, p[1] & 1 ? 64 : 24);
    else if (p[1] & 4)
        netif_del_address(net.nif, &to.ip);
    else
        ns_send(udp, ns_io_from(&m, data, sizeof data), 0, &to);
    ns_take_error(udp);
}

static void action(const uint8_t *p) {
    switch (p[0] & 7) {
    case 0:
    case 1:
        arp(p);
        break;
    case 2:
        discovery(ICMP6_NS, p);
        break;
    case 3:
        discovery(ICMP6_NA, p);
        break;
    case 4:
        discovery(p[0] == 0xfc ? ICMP6_RS : ICMP6_RA, p);
        break;
    case 5:
        fuzz_advance((uint64_t)p[1] * p[2] * 1000000ull);
        break;
    default:
        ours(p);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const unsigned flags[] = {0, NETIF_SLAAC, NETIF_SLAAC | NETIF_NO_DAD, NETIF_SLAAC};
    struct ns_addr any = {.port = 53};
    fuzz_open(NETIF_ETHER, n ? flags[data[0] & 3] : 0);
    CHECK(ns_socket(net.ns, NS_INET6, NS_DGRAM, &udp) == 0 && ns_bind(udp, &any) == 0);
    for (size_t at = 1; at + 5 <= n && at < 3000; at += 5)
        action(data + at);
    ns_close(udp);
    fuzz_close();
    return 0;
}
