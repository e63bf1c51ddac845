// SPDX-License-Identifier: Apache-2.0
// IGMP and MLD of a hostile router and hostile neighbours, while sockets join, leave, send and go, addresses
// too. The input is a list of (what, length, bytes); checksums, lengths and router alerts are made right.
#include "netstack/prot/checksum.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/netstack_frame.h"

#define SOCKETS 4

static struct ns_sock *socks[SOCKETS];

// Some groups of either family: the last byte says which.
static struct ns_ip group_of(uint8_t which) {
    if (which & 8)
        return (struct ns_ip){{0xff, (uint8_t)(which & 16 ? 2 : 5), [15] = which & 7}};
    return ns_ip4(which & 16 ? 224 : 239, 0, 0, which & 7);
}

// The bytes: the group that it is sent to (bit 7: all hosts), and the message.
static void igmp(const uint8_t *p, size_t n) {
    static const uint8_t src[4] = {10, 0, 0, 2}, all[4] = {224, 0, 0, 1};
    struct ns_ip group = group_of(p[0] & 0x17);
    frame4(src, p[0] & 0x80 ? all : group.b + 12, PROTO_IGMP, 1, 0, NULL, 0, p + 1, n - 1, false);
    uint8_t *ip = frame + ETH_LEN;
    ip[IP4_TTL] = 1;
    memset(ip + IP4_CSUM, 0, 2);
    uint16_t sum = csum(ip, IP4_LEN);
    memcpy(ip + IP4_CSUM, &sum, 2);
    fuzz_frame();
}

static void mld(const uint8_t *p, size_t n) {
    static const uint8_t src[16] = {0xfe, 0x80, [15] = 2}, all[16] = {0xff, 2, [15] = 1};
    uint8_t body[8 + 255] = {PROTO_ICMP6, 0, 5, 2, 0, 0, 1, 0};
    struct ns_ip group = group_of(p[0] | 8);
    memcpy(body + 8, p + 1, n - 1);
    frame6(src, p[0] & 0x80 ? all : group.b, PROTO_HOPOPTS, 1, 8, PROTO_ICMP6, body, 8 + n - 1, false);
    fuzz_frame();
}

static void call(uint8_t how, uint8_t which) {
    struct ns_sock **s = &socks[how % SOCKETS];
    struct ns_ip group = group_of(which), ip = {{0xfd, [15] = which}};
    struct ns_addr to = {group, 7000, 0};
    struct ns_mem_io m;
    uint8_t buf[100];
    switch (how >> 2 & 7) {
    case 0:
    case 1:
        ns_join(*s, &group, which & 32 ? netstack_loopback(net.ns) : NULL);
        break;
    case 2:
        ns_leave(*s, &group, NULL);
        break;
    case 3:
        ns_close(*s);
        CHECK(ns_socket(net.ns, how & 1 ? NS_INET6 : NS_INET, NS_DGRAM, s) == 0);
        break;
    case 4:
        ns_send(*s, ns_io_from(&m, buf, sizeof buf), 0, &to);
        ns_recv(*s, ns_io_to(&m, buf, sizeof buf), 0, NULL);
        break;
    case 5:
        netif_add_address(net.nif, &ip, 64);
        break;
    case 6:
        netif_del_address(net.nif, &ip);
        break;
    case 7:
        ns_set_option(*s, NS_OPT_MULTICAST_TTL, which & 1);
        ns_set_group_interface(*s, which & 2 ? net.nif : NULL);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const struct ns_addr at = {.port = 7000};
    memset(frame, 0, sizeof frame);
    fuzz_open(NETIF_ETHER, n && data[0] & 1 ? NETIF_SLAAC : NETIF_NO_DAD);
    for (unsigned i = 0; i < SOCKETS; i++) {
        CHECK(ns_socket(net.ns, i & 1 ? NS_INET6 : NS_INET, NS_DGRAM, &socks[i]) == 0);
        struct ns_addr any = {i & 1 ? at.ip : ns_ip4(0, 0, 0, 0), at.port, 0};
        ns_set_option(socks[i], NS_OPT_REUSEADDR, 1);
        ns_set_option(socks[i], NS_OPT_V6ONLY, i & 1);
        CHECK(ns_bind(socks[i], &any) == 0);
    }
    for (size_t i = 1; i + 2 <= n;) {
        size_t len = data[i + 1] < n - i - 2 ? data[i + 1] : n - i - 2;
        const uint8_t *p = data + i + 2;
        if (data[i] % 4 == 0 && len > 0)
            igmp(p, len);
        else if (data[i] % 4 == 1 && len > 0)
            mld(p, len);
        else if (data[i] % 4 == 2 && len > 1)
            call(p[0], p[1]);
        else
            fuzz_advance((uint64_t)len * len * 10000000ull);
        i += 2 + len;
    }
    for (unsigned i = 0; i < SOCKETS; i++)
        ns_close(socks[i]);
    fuzz_close();
    return 0;
}
