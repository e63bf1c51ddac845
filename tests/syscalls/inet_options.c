// SPDX-License-Identifier: Apache-2.0
// covers: getsockopt, setsockopt
// Options of inet sockets one by one: what they are at first, what they may be, and what they refuse (man 7
// socket, ip, ipv6, tcp, udp).
#include "inet_pair.h"

#include <net/if.h>

static void each(int fd, int level, int name, int first, int other) {
    EXPECT_EQ(int_option(fd, level, name), first);
    EXPECT_OK(set_int(fd, level, name, other));
    EXPECT_EQ(int_option(fd, level, name), other);
    EXPECT_OK(set_int(fd, level, name, first));
    EXPECT_EQ(int_option(fd, level, name), first);
}
static void refuses(int fd, int level, int name, int value, int error) {
    EXPECT_ERRNO(set_int(fd, level, name, value), error);
}

TEST(tcp) {
    int fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    each(fd, IPPROTO_TCP, TCP_NODELAY, 0, 1);
    each(fd, IPPROTO_TCP, TCP_CORK, 0, 1);
    each(fd, IPPROTO_TCP, TCP_KEEPIDLE, 7200, 32767);
    each(fd, IPPROTO_TCP, TCP_KEEPINTVL, 75, 1);
    each(fd, IPPROTO_TCP, TCP_KEEPCNT, 9, 127);
    each(fd, IPPROTO_TCP, TCP_SYNCNT, 6, 127);
    each(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0, 100000);
    each(fd, IPPROTO_TCP, TCP_LINGER2, 60, 30);
    each(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0, 7);
    each(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, 0, 4096);
    refuses(fd, IPPROTO_TCP, TCP_KEEPIDLE, 0, EINVAL);
    refuses(fd, IPPROTO_TCP, TCP_KEEPIDLE, 32768, EINVAL);
    refuses(fd, IPPROTO_TCP, TCP_KEEPINTVL, 0, EINVAL);
    refuses(fd, IPPROTO_TCP, TCP_KEEPCNT, 128, EINVAL);
    refuses(fd, IPPROTO_TCP, TCP_SYNCNT, 0, EINVAL);
    refuses(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, -1, EINVAL);
    refuses(fd, IPPROTO_TCP, TCP_MAXSEG, 87, EINVAL);
    refuses(fd, IPPROTO_TCP, TCP_MAXSEG, 32768, EINVAL);
    refuses(fd, IPPROTO_TCP, 9999, 1, ENOPROTOOPT);
    EXPECT_OK(set_int(fd, IPPROTO_TCP, TCP_MAXSEG, 1000));
    EXPECT_EQ(int_option(fd, IPPROTO_TCP, TCP_MAXSEG), 1000);
    EXPECT_OK(set_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5));
    EXPECT_EQ(int_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 7);  // whole tries
    EXPECT_OK(set_int(fd, IPPROTO_TCP, TCP_NODELAY, 17));
    EXPECT_EQ(int_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    char c = 1;
    EXPECT_ERRNO(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &c, 1), EINVAL);
    EXPECT_ERRNO(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, no_access_page(), 4), EFAULT);
    EXPECT_ERRNO(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &c, (socklen_t)-1), EINVAL);
    int v = -1;
    socklen_t length = 2;
    EXPECT_OK(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &v, &length));
    EXPECT_EQ(length, 2);
    EXPECT_EQ((unsigned)v, 0xffff0000u | 7200);
    close(fd);
    fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    EXPECT_TRUE(set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1) < 0);  // ENOPROTOOPT, or EOPNOTSUPP
    close(fd);
}

TEST(congestion) {
    int fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    char name[32] = "";
    socklen_t length = sizeof(name);
    EXPECT_OK(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length));
    EXPECT_EQ(length, 16);
    EXPECT_OK(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    length = sizeof(name);
    EXPECT_OK(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length));
    EXPECT_STREQ(name, "reno");
    EXPECT_ERRNO(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nosuch", 6), ENOENT);
    EXPECT_ERRNO(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "", 0), EINVAL);
    length = 3;
    memset(name, 0, sizeof(name));
    EXPECT_OK(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length));
    EXPECT_STREQ(name, "ren");
    close(fd);
}

TEST(tcp_info) {
    int s[2];
    struct tcp_info info;
    socklen_t length = sizeof(info);
    int fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_OK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
    EXPECT_EQ(info.tcpi_state, TCP_CLOSE);
    ASSERT_OK(listen(fd, 1));
    length = sizeof(info);
    EXPECT_OK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
    EXPECT_EQ(info.tcpi_state, TCP_LISTEN);
    close(fd);
    tcp_pair(AF_INET, s);
    char c;
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(write(s[0], "x", 1), 1);
        EXPECT_EQ(read(s[1], &c, 1), 1);
    }
    memset(&info, 0x55, sizeof(info));
    length = sizeof(info);
    EXPECT_OK(getsockopt(s[0], IPPROTO_TCP, TCP_INFO, &info, &length));
    EXPECT_GE(length, 104);
    EXPECT_EQ(info.tcpi_state, TCP_ESTABLISHED);
    EXPECT_TRUE(info.tcpi_options & TCPI_OPT_TIMESTAMPS);
    EXPECT_TRUE(info.tcpi_options & TCPI_OPT_WSCALE);
    EXPECT_GE(info.tcpi_snd_mss, 536);
    EXPECT_GE(info.tcpi_snd_cwnd, 2);
    EXPECT_RANGE(info.tcpi_rtt, 0, 1000000);
    EXPECT_EQ(info.tcpi_retransmits, 0);
    EXPECT_EQ(info.tcpi_pmtu, 65535);
    length = 1;
    EXPECT_OK(getsockopt(s[0], IPPROTO_TCP, TCP_INFO, &info, &length));
    EXPECT_EQ(length, 1);
    EXPECT_GE(int_option(s[0], IPPROTO_TCP, TCP_MAXSEG), 536);
    EXPECT_EQ(int_option(s[0], IPPROTO_IP, IP_MTU), 65535);
    EXPECT_OK(shutdown(s[0], SHUT_WR));
    length = sizeof(info);
    EXPECT_EQ(read(s[1], &c, 1), 0);
    EXPECT_OK(getsockopt(s[1], IPPROTO_TCP, TCP_INFO, &info, &length));
    EXPECT_EQ(info.tcpi_state, TCP_CLOSE_WAIT);
    close(s[0]);
    close(s[1]);
}

TEST(ip) {
    int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0)), tcp = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    each(fd, IPPROTO_IP, IP_TOS, 0, 0xff);
    each(fd, IPPROTO_IP, IP_TTL, 64, 255);
    each(fd, IPPROTO_IP, IP_PKTINFO, 0, 1);
    each(fd, IPPROTO_IP, IP_RECVTTL, 0, 1);
    each(fd, IPPROTO_IP, IP_RECVTOS, 0, 1);
    each(fd, IPPROTO_IP, IP_RECVERR, 0, 1);
    each(fd, IPPROTO_IP, IP_RECVOPTS, 0, 1);
    each(fd, IPPROTO_IP, IP_RECVORIGDSTADDR, 0, 1);
    each(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT, IP_PMTUDISC_DO);
    each(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1, 200);
    each(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1, 0);
    each(fd, IPPROTO_IP, IP_MULTICAST_ALL, 1, 0);
    each(fd, IPPROTO_IP, IP_FREEBIND, 0, 1);
    each(fd, IPPROTO_IP, IP_MINTTL, 0, 3);
    refuses(fd, IPPROTO_IP, IP_TTL, 0, EINVAL);
    refuses(fd, IPPROTO_IP, IP_TTL, 256, EINVAL);
    refuses(fd, IPPROTO_IP, IP_MTU_DISCOVER, 6, EINVAL);
    refuses(fd, IPPROTO_IP, IP_MULTICAST_TTL, 256, EINVAL);
    refuses(fd, IPPROTO_IP, IP_MULTICAST_ALL, 2, EINVAL);
    refuses(fd, IPPROTO_IP, IP_MINTTL, 256, EINVAL);
    refuses(fd, IPPROTO_IP, IP_HDRINCL, 1, ENOPROTOOPT);
    refuses(fd, IPPROTO_IP, 9999, 1, ENOPROTOOPT);
    refuses(tcp, IPPROTO_IP, IP_MULTICAST_TTL, 1, EINVAL);
    EXPECT_OK(set_int(fd, IPPROTO_IP, IP_TTL, 77));
    EXPECT_OK(set_int(fd, IPPROTO_IP, IP_TTL, -1));
    EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_TTL), 64);
    EXPECT_OK(set_int(fd, IPPROTO_IP, IP_MULTICAST_TTL, -1));
    EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_MULTICAST_TTL), 1);
    EXPECT_OK(set_int(tcp, IPPROTO_IP, IP_TOS, 0xff));
    EXPECT_EQ(int_option(tcp, IPPROTO_IP, IP_TOS), 0xfc);  // the rest is ECN's
    unsigned char byte = 9;
    socklen_t length = 1;
    EXPECT_OK(setsockopt(fd, IPPROTO_IP, IP_TTL, &byte, 1));
    byte = 0;
    EXPECT_OK(getsockopt(fd, IPPROTO_IP, IP_TTL, &byte, &length));
    EXPECT_EQ(length, 1);
    EXPECT_EQ(byte, 9);
    int v;
    length = sizeof(v);
    EXPECT_ERRNO(getsockopt(fd, IPPROTO_IP, IP_MTU, &v, &length), ENOTCONN);
    EXPECT_ERRNO(getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v, &length), EOPNOTSUPP);
    refuses(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, ENOPROTOOPT);
    close(fd);
    close(tcp);
}

TEST(ipv6) {
    int fd = ASSERT_OK(socket(AF_INET6, SOCK_DGRAM, 0));
    each(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0, 1);
    each(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64, 1);
    each(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1, 9);
    each(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1, 0);
    each(fd, IPPROTO_IPV6, IPV6_TCLASS, 0, 0x1c);
    each(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 0, 1);
    each(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 0, 1);
    each(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 0, 1);
    each(fd, IPPROTO_IPV6, IPV6_RECVERR, 0, 1);
    each(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_WANT, IPV6_PMTUDISC_DONT);
    refuses(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 256, EINVAL);
    refuses(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, -2, EINVAL);
    refuses(fd, IPPROTO_IPV6, IPV6_TCLASS, 256, EINVAL);
    refuses(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 2, EINVAL);
    refuses(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, 6, EINVAL);
    refuses(fd, IPPROTO_IPV6, 9999, 1, ENOPROTOOPT);
    unsigned char byte = 9;
    EXPECT_ERRNO(setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &byte, 1), EINVAL);
    EXPECT_OK(set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, -1));
    EXPECT_EQ(int_option(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 64);
    union inet_addr a = loopback(AF_INET6, 0);
    EXPECT_OK(bind(fd, &a.any, sizeof(a.in6)));
    refuses(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, EINVAL);
    close(fd);
}

TEST(buffers) {
    int s[2], fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0)),
              udp = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_SNDBUF), 16384);
    EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_RCVBUF), 131072);
    EXPECT_EQ(int_option(udp, SOL_SOCKET, SO_RCVBUF), 212992);
    EXPECT_OK(set_int(fd, SOL_SOCKET, SO_SNDBUF, 10000));
    EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_SNDBUF), 20000);
    EXPECT_OK(set_int(fd, SOL_SOCKET, SO_SNDBUF, 1));
    EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_SNDBUF), 4608);
    EXPECT_OK(set_int(fd, SOL_SOCKET, SO_RCVBUF, 1));
    EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_RCVBUF), 2304);
    EXPECT_OK(set_int(fd, SOL_SOCKET, SO_RCVBUF, INT_MAX));
    EXPECT_RANGE(int_option(fd, SOL_SOCKET, SO_RCVBUF), 425984, 1 << 30);  // net.core.rmem_max, twice
    tcp_pair(AF_INET, s);
    EXPECT_OK(set_int(s[0], SOL_SOCKET, SO_SNDBUF, 30000));
    EXPECT_EQ(int_option(s[0], SOL_SOCKET, SO_SNDBUF), 60000);
    close(fd);
    close(udp);
    close(s[0]);
    close(s[1]);
}

TEST(of_all_sockets) {
    int fd = ASSERT_OK(socket(AF_INET6, SOCK_STREAM, 0));
    each(fd, SOL_SOCKET, SO_REUSEADDR, 0, 1);
    each(fd, SOL_SOCKET, SO_REUSEPORT, 0, 1);
    each(fd, SOL_SOCKET, SO_KEEPALIVE, 0, 1);
    each(fd, SOL_SOCKET, SO_OOBINLINE, 0, 1);
    each(fd, SOL_SOCKET, SO_BROADCAST, 0, 1);
    each(fd, SOL_SOCKET, SO_PRIORITY, 0, 6);
    each(fd, SOL_SOCKET, SO_RCVLOWAT, 1, 100);
    EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_DOMAIN), AF_INET6);
    EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
    EXPECT_OK(listen(fd, 1));
    EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    struct linger l = {1, 5}, got;
    socklen_t length = sizeof(got);
    EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
    EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &got, &length));
    EXPECT_MEMEQ(&got, &l, sizeof(l));
    EXPECT_ERRNO(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, 4), EINVAL);
    EXPECT_ERRNO(setsockopt(fd, 4711, 1, &l, 4), ENOPROTOOPT);
    close(fd);
}

TEST(device) {
    int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    char name[IFNAMSIZ] = "x";
    socklen_t length = sizeof(name);
    EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length));
    EXPECT_EQ(length, 0);
    EXPECT_ERRNO(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nosuch", 7), ENODEV);
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) < 0)
        EXPECT_EQ(errno, EPERM);  // before Linux 5.7
    else {
        length = sizeof(name);
        EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length));
        EXPECT_EQ(length, 3);
        EXPECT_STREQ(name, "lo");
        length = 4;
        EXPECT_ERRNO(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length), EINVAL);
    }
    close(fd);
}

TEST(inherited) {
    int server = bound_socket(AF_INET, SOCK_STREAM);
    EXPECT_OK(set_int(server, IPPROTO_TCP, TCP_NODELAY, 1));
    EXPECT_OK(set_int(server, IPPROTO_TCP, TCP_KEEPIDLE, 99));
    EXPECT_OK(set_int(server, SOL_SOCKET, SO_KEEPALIVE, 1));
    EXPECT_OK(set_int(server, SOL_SOCKET, SO_RCVBUF, 50000));
    struct linger l = {1, 3}, got;
    EXPECT_OK(setsockopt(server, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
    ASSERT_OK(listen(server, 1));
    int client = connected(AF_INET, port_of(server)), fd = ASSERT_OK(accept(server, NULL, NULL));
    EXPECT_EQ(int_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(int_option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 99);
    EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_RCVBUF), 100000);
    socklen_t length = sizeof(got);
    EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &got, &length));
    EXPECT_MEMEQ(&got, &l, sizeof(l));
    close(client);
    close(fd);
    close(server);
}

static int membership(int fd, int name, unsigned group, unsigned local) {
    struct ip_mreq m = {{htonl(group)}, {htonl(local)}};
    return setsockopt(fd, IPPROTO_IP, name, &m, sizeof(m));
}

TEST(groups) {
    int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0)), tcp = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_OK(membership(fd, IP_ADD_MEMBERSHIP, 0xef010203, INADDR_LOOPBACK));
    EXPECT_ERRNO(membership(fd, IP_ADD_MEMBERSHIP, 0xef010203, INADDR_LOOPBACK), EADDRINUSE);
    EXPECT_OK(membership(fd, IP_DROP_MEMBERSHIP, 0xef010203, INADDR_LOOPBACK));
    EXPECT_ERRNO(membership(fd, IP_DROP_MEMBERSHIP, 0xef010203, INADDR_LOOPBACK), EADDRNOTAVAIL);
    EXPECT_ERRNO(membership(fd, IP_ADD_MEMBERSHIP, INADDR_LOOPBACK, INADDR_LOOPBACK), EINVAL);
    EXPECT_ERRNO(membership(fd, IP_ADD_MEMBERSHIP, 0xef010203, 0xcb007107), ENODEV);
    EXPECT_ERRNO(membership(tcp, IP_ADD_MEMBERSHIP, 0xef010203, INADDR_LOOPBACK), EPROTO);
    EXPECT_ERRNO(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &fd, 4), EINVAL);
    // What is sent to a group on the loopback comes to its members.
    struct sockaddr_in any = {.sin_family = AF_INET},
                       to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xef010203)};
    ASSERT_OK(bind(fd, (void *)&any, sizeof(any)));
    to.sin_port = htons((unsigned short)port_of(fd));
    ASSERT_OK(membership(fd, IP_ADD_MEMBERSHIP, 0xef010203, INADDR_LOOPBACK));
    int sender = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    struct in_addr lo = {htonl(INADDR_LOOPBACK)}, far = {htonl(0xcb007107)};
    EXPECT_OK(setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo)));
    EXPECT_ERRNO(setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, &far, sizeof(far)), EADDRNOTAVAIL);
    EXPECT_EQ(sendto(sender, "abc", 3, 0, (void *)&to, sizeof(to)), 3);
    char c[8];
    EXPECT_EQ(poll_for(fd, POLLIN), POLLIN);
    EXPECT_EQ(recv(fd, c, sizeof(c), MSG_DONTWAIT), 3);
    close(fd);
    close(tcp);
    close(sender);
}
