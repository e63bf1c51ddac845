// SPDX-License-Identifier: Apache-2.0
// covers: getsockopt, setsockopt
// Levels and options that a kind of socket does not have, and what each says of lengths that are too short
// (net/core/sock.c, do_ip_setsockopt(), do_ipv6_setsockopt(), do_tcp_setsockopt(), udp_lib_setsockopt()).
#include "inet_pair.h"

#include <sys/syscall.h>
#include <sys/un.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef IP_PROTOCOL
#define IP_PROTOCOL 52
#endif
#ifndef IP_RECVERR_RFC4884
#define IP_RECVERR_RFC4884 26
#endif

static int get_error(int s, int level, int name, int length) {
    char b[64];
    return syscall(SYS_getsockopt, s, level, name, b, &length) ? errno : 0;
}
static int set_error(int s, int level, int name, int value, socklen_t length) {
    char b[64] = {0};
    memcpy(b, &value, sizeof(value));
    return setsockopt(s, level, name, b, length) ? errno : 0;
}

TEST(unknown_levels) {
    static const int odd[] = {-1, 1000, IPPROTO_SCTP, 279, 282, 284};
    int udp = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0)), tcp = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    int six = ASSERT_OK(socket(AF_INET6, SOCK_DGRAM, 0)), un = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        EXPECT_EQ(get_error(udp, odd[i], 1, 4), EOPNOTSUPP);
        EXPECT_EQ(set_error(udp, odd[i], 1, 1, 4), ENOPROTOOPT);
        EXPECT_EQ(get_error(tcp, odd[i], 1, 4), EOPNOTSUPP);
        EXPECT_EQ(get_error(six, odd[i], 1, 4), ENOPROTOOPT);
        EXPECT_EQ(get_error(un, odd[i], 1, 4), EOPNOTSUPP);
        EXPECT_EQ(set_error(un, odd[i], 1, 1, 4), EOPNOTSUPP);
    }
    close(udp), close(tcp), close(six), close(un);
}

TEST(negative_lengths) {
    int tcp = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0)), udp = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    EXPECT_EQ(get_error(tcp, IPPROTO_IP, 99, -1), EINVAL);
    EXPECT_EQ(get_error(tcp, IPPROTO_TCP, 99, -1), EINVAL);
    EXPECT_EQ(get_error(udp, IPPROTO_UDP, 99, -1), EINVAL);
    EXPECT_EQ(get_error(udp, IPPROTO_TCP, 1, -1), EOPNOTSUPP);
    EXPECT_EQ(get_error(udp, SOL_SOCKET, 9999, -1), EINVAL);
    close(tcp), close(udp);
}

// No bytes at all are a 0 for most of IP's options, for some they are too few.
TEST(empty_values_of_ip) {
    static const int zero[] = {IP_TOS,
                               IP_RECVTTL,
                               IP_RECVTOS,
                               IP_PKTINFO,
                               IP_RECVERR,
                               IP_RECVOPTS,
                               IP_RETOPTS,
                               IP_MTU_DISCOVER,
                               IP_BIND_ADDRESS_NO_PORT,
                               IP_RECVERR_RFC4884};
    static const int few[] = {IP_TTL, IP_FREEBIND, IP_MINTTL, IP_MULTICAST_TTL, IP_MULTICAST_LOOP,
                              IP_MULTICAST_ALL, IP_TRANSPARENT};
    int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    for (unsigned i = 0; i < sizeof(zero) / sizeof(zero[0]); i++) {
        EXPECT_EQ(set_error(s, IPPROTO_IP, zero[i], 1, 4), 0);
        EXPECT_EQ(set_error(s, IPPROTO_IP, zero[i], 1, 0), 0);
        EXPECT_EQ(int_option(s, IPPROTO_IP, zero[i]), 0);
        EXPECT_EQ(set_error(s, IPPROTO_IP, zero[i], 1, 1), 0);
        EXPECT_EQ(int_option(s, IPPROTO_IP, zero[i]), 1);
    }
    for (unsigned i = 0; i < sizeof(few) / sizeof(few[0]); i++)
        EXPECT_EQ(set_error(s, IPPROTO_IP, few[i], 1, 0), EINVAL);
    close(s);
}

TEST(raw_options_of_others) {
    int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    EXPECT_EQ(int_option(s, IPPROTO_IP, IP_HDRINCL), 0);
    EXPECT_EQ(int_option(s, IPPROTO_IP, IP_NODEFRAG), 0);
    EXPECT_EQ(set_error(s, IPPROTO_IP, IP_HDRINCL, 1, 4), ENOPROTOOPT);
    EXPECT_EQ(set_error(s, IPPROTO_IP, IP_NODEFRAG, 1, 4), ENOPROTOOPT);
    close(s);
}

TEST(ip_options) {
    int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    char b[64] = {0};
    socklen_t n = sizeof(b);
    EXPECT_OK(getsockopt(s, IPPROTO_IP, IP_OPTIONS, b, &n));
    EXPECT_EQ(n, 0);
    EXPECT_OK(setsockopt(s, IPPROTO_IP, IP_OPTIONS, b, 0));
    EXPECT_OK(setsockopt(s, IPPROTO_IP, IP_OPTIONS, b, 4));
    EXPECT_ERRNO(setsockopt(s, IPPROTO_IP, IP_OPTIONS, b, 41), EINVAL);
    b[0] = 2;
    EXPECT_ERRNO(setsockopt(s, IPPROTO_IP, IP_OPTIONS, b, 4), EINVAL);
    close(s);
}

TEST(local_port_range) {
    int s = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    if (get_error(s, IPPROTO_IP, IP_LOCAL_PORT_RANGE, 4) == ENOPROTOOPT)
        SKIP("newer than this Linux");
    EXPECT_EQ(int_option(s, IPPROTO_IP, IP_LOCAL_PORT_RANGE), 0);
    EXPECT_EQ(set_error(s, IPPROTO_IP, IP_LOCAL_PORT_RANGE, 1, 2), EINVAL);
    EXPECT_EQ(set_error(s, IPPROTO_IP, IP_LOCAL_PORT_RANGE, 1, 8), EINVAL);
    EXPECT_EQ(set_error(s, IPPROTO_IP, IP_LOCAL_PORT_RANGE, 41000 << 16 | 42000, 4), EINVAL);
    EXPECT_EQ(set_error(s, IPPROTO_IP, IP_LOCAL_PORT_RANGE, (int)(43000u << 16 | 42000), 4), 0);
    EXPECT_EQ((unsigned)int_option(s, IPPROTO_IP, IP_LOCAL_PORT_RANGE), 43000u << 16 | 42000);
    close(s);
}

TEST(protocol_is_the_port) {
    int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    if (get_error(s, IPPROTO_IP, IP_PROTOCOL, 4) == ENOPROTOOPT)
        SKIP("newer than this Linux");
    EXPECT_EQ(int_option(s, IPPROTO_IP, IP_PROTOCOL), 0);
    close(s);
}

TEST(multicast_interface) {
    int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0)), six = ASSERT_OK(socket(AF_INET6, SOCK_DGRAM, 0));
    struct in_addr lo = {htonl(INADDR_LOOPBACK)}, got = {1};
    socklen_t n = sizeof(got);
    EXPECT_OK(getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &got, &n));
    EXPECT_EQ(got.s_addr, 0);
    EXPECT_OK(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo)));
    EXPECT_OK(getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &got, &n));
    EXPECT_EQ(got.s_addr, lo.s_addr);
    n = 2;
    EXPECT_OK(getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &got, &n));
    EXPECT_EQ(n, 2);
    EXPECT_EQ(int_option(six, IPPROTO_IPV6, IPV6_MULTICAST_IF), 0);
    EXPECT_EQ(set_error(six, IPPROTO_IPV6, IPV6_MULTICAST_IF, 1, 4), 0);
    EXPECT_EQ(int_option(six, IPPROTO_IPV6, IPV6_MULTICAST_IF), 1);
    EXPECT_EQ(set_error(six, IPPROTO_IPV6, IPV6_MULTICAST_IF, 999, 4), ENODEV);
    struct ip_mreqn out = {.imr_multiaddr = {htonl(0x0a000001)}};
    EXPECT_ERRNO(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &out, sizeof(out)), EINVAL);
    EXPECT_ERRNO(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &out, sizeof(out)), EADDRNOTAVAIL);
    close(s), close(six);
}

TEST(unicast_interface) {
    int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    EXPECT_EQ(int_option(s, IPPROTO_IP, IP_UNICAST_IF), 0);
    EXPECT_EQ(set_error(s, IPPROTO_IP, IP_UNICAST_IF, (int)htonl(1), 4), 0);
    EXPECT_EQ(int_option(s, IPPROTO_IP, IP_UNICAST_IF), (int)htonl(1));
    EXPECT_EQ(set_error(s, IPPROTO_IP, IP_UNICAST_IF, (int)htonl(99), 4), EADDRNOTAVAIL);
    EXPECT_EQ(set_error(s, IPPROTO_IP, IP_UNICAST_IF, 0, 8), EINVAL);
    EXPECT_EQ(set_error(s, IPPROTO_IP, IP_UNICAST_IF, 0, 4), 0);
    close(s);
}

TEST(short_source_requests) {
    static const int names[] = {IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP, IP_BLOCK_SOURCE,
                                IP_UNBLOCK_SOURCE, IP_MSFILTER, MCAST_JOIN_SOURCE_GROUP,
                                MCAST_LEAVE_SOURCE_GROUP, MCAST_BLOCK_SOURCE, MCAST_UNBLOCK_SOURCE};
    int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        EXPECT_EQ(set_error(s, IPPROTO_IP, names[i], 0, 8), EINVAL);
    close(s);
}

TEST(ipv6_structures) {
    if (geteuid() != 0)
        SKIP("the extension headers are CAP_NET_RAW's to set");
    int s = ASSERT_OK(socket(AF_INET6, SOCK_DGRAM, 0));
    static const int names[] = {IPV6_HOPOPTS, IPV6_RTHDR, IPV6_DSTOPTS, IPV6_RTHDRDSTOPTS};
    char b[64];
    for (unsigned i = 0; i < 4; i++) {
        socklen_t n = sizeof(b);
        EXPECT_OK(getsockopt(s, IPPROTO_IPV6, names[i], b, &n));
        EXPECT_EQ(n, 0);
        EXPECT_OK(setsockopt(s, IPPROTO_IPV6, names[i], NULL, 0));
        EXPECT_EQ(set_error(s, IPPROTO_IPV6, names[i], 0, 3), EINVAL);
    }
    EXPECT_EQ(get_error(s, IPPROTO_IPV6, IPV6_PATHMTU, 16), EINVAL);
    EXPECT_EQ(get_error(s, IPPROTO_IPV6, IPV6_PATHMTU, 64), ENOTCONN);
    struct sockaddr_in6 to = {
        .sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    ASSERT_OK(connect(s, (struct sockaddr *)&to, sizeof(to)));
    struct {
        struct sockaddr_in6 addr;
        uint32_t mtu;
    } info;
    socklen_t n = sizeof(info);
    EXPECT_OK(getsockopt(s, IPPROTO_IPV6, IPV6_PATHMTU, &info, &n));
    EXPECT_EQ(n, 32);
    EXPECT_GE(info.mtu, 1280);
    close(s);
}

TEST(udp_options) {
    int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    EXPECT_EQ(set_error(s, IPPROTO_UDP, 77, 1, 2), EINVAL);
    EXPECT_EQ(set_error(s, IPPROTO_UDP, 77, 1, 4), ENOPROTOOPT);
    EXPECT_EQ(get_error(s, IPPROTO_UDP, 77, 4), ENOPROTOOPT);
    EXPECT_EQ(int_option(s, IPPROTO_UDP, 1), 0);  // UDP_CORK
    EXPECT_EQ(set_error(s, IPPROTO_UDP, 1, 7, 4), 0);
    EXPECT_EQ(int_option(s, IPPROTO_UDP, 1), 1);
    EXPECT_EQ(set_error(s, IPPROTO_UDP, 1, 0, 4), 0);
    EXPECT_EQ(int_option(s, IPPROTO_UDP, 101), 0);  // UDP_NO_CHECK6_TX
    EXPECT_EQ(set_error(s, IPPROTO_UDP, 101, 5, 4), 0);
    EXPECT_EQ(int_option(s, IPPROTO_UDP, 101), 1);
    close(s);
}

TEST(tcp_repair_and_kin) {
    int s = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(int_option(s, IPPROTO_TCP, TCP_REPAIR), 0);
    EXPECT_EQ(get_error(s, IPPROTO_TCP, TCP_REPAIR_QUEUE, 4), EINVAL);
    EXPECT_EQ(get_error(s, IPPROTO_TCP, TCP_QUEUE_SEQ, 4), EINVAL);
    EXPECT_EQ(set_error(s, IPPROTO_TCP, TCP_REPAIR_QUEUE, 1, 4), EPERM);
    EXPECT_EQ(set_error(s, IPPROTO_TCP, TCP_QUEUE_SEQ, 1, 4), EINVAL);
    EXPECT_EQ(set_error(s, IPPROTO_TCP, TCP_TIMESTAMP, 1, 4), EPERM);
    EXPECT_EQ(get_error(s, IPPROTO_TCP, TCP_TIMESTAMP, 4), 0);
    EXPECT_EQ(int_option(s, IPPROTO_TCP, TCP_SAVE_SYN), 0);
    EXPECT_EQ(set_error(s, IPPROTO_TCP, TCP_SAVE_SYN, 1, 4), 0);
    EXPECT_EQ(int_option(s, IPPROTO_TCP, TCP_SAVE_SYN), 1);
    EXPECT_EQ(set_error(s, IPPROTO_TCP, TCP_SAVE_SYN, 3, 4), EINVAL);
    EXPECT_EQ(set_error(s, IPPROTO_TCP, TCP_THIN_DUPACK, 1, 4), 0);
    EXPECT_EQ(int_option(s, IPPROTO_TCP, TCP_THIN_DUPACK), 0);
    EXPECT_EQ(set_error(s, IPPROTO_TCP, TCP_THIN_DUPACK, 2, 4), EINVAL);
    close(s);
}

TEST(clamp_and_fastopen_after_connecting) {
    int s[2];
    tcp_pair(AF_INET, s);
    EXPECT_EQ(set_error(s[0], IPPROTO_TCP, TCP_FASTOPEN, 5, 4), EINVAL);
    EXPECT_EQ(set_error(s[0], IPPROTO_TCP, TCP_WINDOW_CLAMP, 0, 4), EINVAL);
    close(s[0]), close(s[1]);
    int l = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(set_error(l, IPPROTO_TCP, TCP_FASTOPEN, 5, 4), 0);
    EXPECT_EQ(int_option(l, IPPROTO_TCP, TCP_FASTOPEN), 5);
    EXPECT_EQ(set_error(l, IPPROTO_TCP, TCP_FASTOPEN, -1, 4), EINVAL);
    ASSERT_OK(listen(l, 1));
    EXPECT_EQ(set_error(l, IPPROTO_TCP, TCP_WINDOW_CLAMP, 0, 4), EINVAL);
    close(l);
}

TEST(ipv6_of_ipv4_sockets) {
    int s = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(get_error(s, IPPROTO_IPV6, IPV6_V6ONLY, 4), EOPNOTSUPP);
    EXPECT_EQ(set_error(s, IPPROTO_IPV6, IPV6_V6ONLY, 1, 4), ENOPROTOOPT);
    close(s);
    s = ASSERT_OK(socket(AF_INET6, SOCK_STREAM, 0));
    EXPECT_EQ(get_error(s, IPPROTO_IP, IP_TTL, 4), 0);
    EXPECT_EQ(set_error(s, IPPROTO_IP, IP_TTL, 9, 4), 0);
    close(s);
}
