// SPDX-License-Identifier: Apache-2.0
// covers: setsockopt, getsockopt, bind, connect, accept
// Options whose effect is seen from the other end or in the choice of a port (man 7 ip, ipv6, tcp, udp).
#include "inet_pair.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef UDP_NO_CHECK6_TX
#define UDP_NO_CHECK6_TX 101
#define UDP_NO_CHECK6_RX 102
#endif
#define QUIET_MS 150  // nothing comes meanwhile

static short quiet(int fd, short events) {
    struct pollfd p = {fd, events, 0};
    return poll(&p, 1, QUIET_MS) < 0 ? -1 : p.revents;
}

// ---- Ports ------------------------------------------------------------------------------------------------
TEST(no_port_until_it_is_needed) {
    BOTH_FAMILIES(family) {
        int level = IPPROTO_IP, server = listener(family, 0);
        int fd = ASSERT_OK(socket(family, SOCK_STREAM, 0));
        union inet_addr a = loopback(family, 0);
        EXPECT_EQ(int_option(fd, level, IP_BIND_ADDRESS_NO_PORT), 0);
        ASSERT_OK(set_int(fd, level, IP_BIND_ADDRESS_NO_PORT, 1));
        EXPECT_EQ(int_option(fd, level, IP_BIND_ADDRESS_NO_PORT), 1);
        ASSERT_OK(bind(fd, &a.any, addr_size(family)));
        EXPECT_EQ(port_of(fd), 0);
        ASSERT_OK(bind(fd, &a.any, addr_size(family)));  // it may be said again
        ASSERT_OK(connect_to(fd, family, port_of(server)));
        EXPECT_TRUE(port_of(fd) != 0);
        int s = ASSERT_OK(accept(server, NULL, NULL));
        EXPECT_EQ(peer_port_of(s), port_of(fd));
        close(s);
        close(fd);
        close(server);
    }
}

TEST(no_port_then_listen_or_send) {
    int fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0)), level = IPPROTO_IP;
    union inet_addr a = loopback(AF_INET, 0);
    ASSERT_OK(set_int(fd, level, IP_BIND_ADDRESS_NO_PORT, 1));
    ASSERT_OK(bind(fd, &a.any, addr_size(AF_INET)));
    ASSERT_OK(listen(fd, 1));
    EXPECT_TRUE(port_of(fd) != 0);
    int c = connected(AF_INET, port_of(fd));
    close(c);
    close(fd);
    int to = bound_socket(AF_INET, SOCK_DGRAM);
    fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    ASSERT_OK(set_int(fd, level, IP_BIND_ADDRESS_NO_PORT, 1));
    ASSERT_OK(bind(fd, &a.any, addr_size(AF_INET)));
    EXPECT_EQ(port_of(fd), 0);
    a = loopback(AF_INET, port_of(to));
    EXPECT_EQ(sendto(fd, "x", 1, 0, &a.any, addr_size(AF_INET)), 1);
    EXPECT_TRUE(port_of(fd) != 0);
    char c1;
    EXPECT_EQ(recv(to, &c1, 1, 0), 1);
    close(fd);
    close(to);
}

TEST(a_named_port_is_had_at_once) {
    int fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0)), port = free_port(AF_INET, SOCK_STREAM);
    union inet_addr a = loopback(AF_INET, port);
    ASSERT_OK(set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1));
    ASSERT_OK(bind(fd, &a.any, addr_size(AF_INET)));
    EXPECT_EQ(port_of(fd), port);
    EXPECT_ERRNO(bind(fd, &a.any, addr_size(AF_INET)), EINVAL);
    close(fd);
}

static int ranged(int type, unsigned low, unsigned high) {
    int fd = ASSERT_OK(socket(AF_INET, type, 0));
    if (set_int(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, (int)(high << 16 | low)) < 0 && errno == ENOPROTOOPT)
        SKIP("no IP_LOCAL_PORT_RANGE");
    EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE), (int)(high << 16 | low));
    return fd;
}
TEST(port_range) {
    int server = listener(AF_INET, 0);
    union inet_addr a = loopback(AF_INET, 0);
    for (int i = 0; i < 8; i++) {
        int fd = ranged(SOCK_STREAM, 40000, 40063);
        ASSERT_OK(connect_to(fd, AF_INET, port_of(server)));
        EXPECT_RANGE(port_of(fd), 40000, 40063);
        close(fd);
        fd = ranged(SOCK_DGRAM, 50000, 50015);
        ASSERT_OK(bind(fd, &a.any, addr_size(AF_INET)));
        EXPECT_RANGE(port_of(fd), 50000, 50015);
        close(fd);
    }
    close(server);
}
TEST(port_range_runs_out) {
    union inet_addr a = loopback(AF_INET, 0);
    int fd[3];
    for (int i = 0; i < 3; i++) {
        fd[i] = ranged(SOCK_DGRAM, 45678, 45679);
        if (i < 2)
            ASSERT_OK(bind(fd[i], &a.any, addr_size(AF_INET)));
    }
    EXPECT_ERRNO(bind(fd[2], &a.any, addr_size(AF_INET)), EADDRINUSE);
    ASSERT_OK(set_int(fd[2], IPPROTO_IP, IP_LOCAL_PORT_RANGE, 0));  // the system's again
    EXPECT_OK(bind(fd[2], &a.any, addr_size(AF_INET)));
    EXPECT_ERRNO(set_int(fd[2], IPPROTO_IP, IP_LOCAL_PORT_RANGE, 40000 << 16 | 40001), EINVAL);
    for (int i = 0; i < 3; i++)
        close(fd[i]);
}

// ---- Addresses --------------------------------------------------------------------------------------------
TEST(free_bind) {
    union inet_addr a = loopback(AF_INET, 0);
    a.in.sin_addr.s_addr = htonl(0xc0000207);  // 192.0.2.7, for documentation: nobody's
    int fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_ERRNO(bind(fd, &a.any, addr_size(AF_INET)), EADDRNOTAVAIL);
    ASSERT_OK(set_int(fd, IPPROTO_IP, IP_FREEBIND, 1));
    EXPECT_OK(bind(fd, &a.any, addr_size(AF_INET)));
    EXPECT_OK(listen(fd, 1));
    close(fd);
    fd = ASSERT_OK(socket(AF_INET6, SOCK_STREAM, 0));
    a = loopback(AF_INET6, 0);
    a.in6.sin6_addr = (struct in6_addr){.s6_addr = {0x20, 0x01, 0x0d, 0xb8, [15] = 7}};
    EXPECT_ERRNO(bind(fd, &a.any, addr_size(AF_INET6)), EADDRNOTAVAIL);
    ASSERT_OK(set_int(fd, IPPROTO_IPV6, 78 /* IPV6_FREEBIND */, 1));
    EXPECT_OK(bind(fd, &a.any, addr_size(AF_INET6)));
    close(fd);
}
TEST(free_bind_does_not_send_in_the_name_of_others) {
    union inet_addr a = loopback(AF_INET, 0), to = loopback(AF_INET, 4999);
    a.in.sin_addr.s_addr = htonl(0xc0000207);
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
        int fd = ASSERT_OK(socket(AF_INET, type, 0));
        ASSERT_OK(set_int(fd, IPPROTO_IP, IP_FREEBIND, 1));
        ASSERT_OK(bind(fd, &a.any, addr_size(AF_INET)));
        ASSERT_OK(set_int(fd, IPPROTO_IP, IP_FREEBIND, 0));
        EXPECT_ERRNO(connect(fd, &to.any, addr_size(AF_INET)), ENETUNREACH);
        if (type == SOCK_DGRAM)
            EXPECT_ERRNO(sendto(fd, "x", 1, 0, &to.any, addr_size(AF_INET)), ENETUNREACH);
        close(fd);
    }
}

// ---- Hops -------------------------------------------------------------------------------------------------
static void min_hops(int family, int level, int option, int hops) {
    int server = listener(family, SOCK_NONBLOCK);
    ASSERT_OK(set_int(server, level, option, 100));
    EXPECT_EQ(int_option(server, level, option), 100);
    int fd = ASSERT_OK(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
    ASSERT_OK(set_int(fd, level, hops, 99));
    EXPECT_ERRNO(connect_to(fd, family, port_of(server)), EINPROGRESS);
    EXPECT_EQ(quiet(fd, POLLOUT), 0);
    ASSERT_OK(set_int(fd, level, hops, 100));
    EXPECT_TRUE(poll_for(fd, POLLOUT) & POLLOUT);  // the SYN that goes again
    EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_ERROR), 0);
    int s = ASSERT_OK(accept(server, NULL, NULL));
    EXPECT_EQ(int_option(s, level, option), 100);  // of the listener
    ASSERT_OK(set_int(fd, level, hops, 50));
    EXPECT_EQ(send(fd, "x", 1, 0), 1);
    EXPECT_EQ(quiet(s, POLLIN), 0);
    ASSERT_OK(set_int(s, level, option, 0));
    EXPECT_TRUE(poll_for(s, POLLIN) & POLLIN);
    close(s);
    close(fd);
    close(server);
}
TEST(minimal_hops4) { min_hops(AF_INET, IPPROTO_IP, 21 /* IP_MINTTL */, IP_TTL); }
TEST(minimal_hops6) { min_hops(AF_INET6, IPPROTO_IPV6, 73 /* IPV6_MINHOPCOUNT */, IPV6_UNICAST_HOPS); }

// ---- TCP --------------------------------------------------------------------------------------------------
TEST(deferred_accept) {
    BOTH_FAMILIES(family) {
        int server = listener(family, SOCK_NONBLOCK);
        ASSERT_OK(set_int(server, IPPROTO_TCP, TCP_DEFER_ACCEPT, 30));
        int fd = connected(family, port_of(server));  // for the client it stands
        EXPECT_EQ(quiet(server, POLLIN), 0);
        EXPECT_ERRNO(accept(server, NULL, NULL), EAGAIN);
        EXPECT_EQ(send(fd, "hello", 5, 0), 5);
        EXPECT_EQ(poll_for(server, POLLIN), POLLIN);
        int s = ASSERT_OK(accept(server, NULL, NULL));
        char text[8];
        EXPECT_EQ(recv(s, text, sizeof(text), 0), 5);
        close(s);
        close(fd);
        fd = connected(family, port_of(server));
        EXPECT_OK(shutdown(fd, SHUT_WR));  // the end is something too
        EXPECT_EQ(poll_for(server, POLLIN), POLLIN);
        s = ASSERT_OK(accept(server, NULL, NULL));
        EXPECT_EQ(recv(s, text, sizeof(text), 0), 0);
        close(s);
        close(fd);
        close(server);
    }
}
TEST(deferred_accept_ends) {
    int server = listener(AF_INET, SOCK_NONBLOCK);
    ASSERT_OK(set_int(server, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1));
    int fd = connected(AF_INET, port_of(server));
    EXPECT_EQ(quiet(server, POLLIN), 0);
    EXPECT_EQ(poll_for(server, POLLIN), POLLIN);  // after its second, without a word
    close(fd);
    close(server);
}

// The state of TCP_INFO; 7 is CLOSE.
static int state_of(int fd) {
    struct tcp_info info = {0};
    socklen_t n = sizeof(info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0 ? -1 : info.tcpi_state;
}
TEST(no_second_wait) {
    int s[2];
    tcp_pair(AF_INET, s);
    ASSERT_OK(set_int(s[0], IPPROTO_TCP, TCP_LINGER2, -1));
    EXPECT_EQ(int_option(s[0], IPPROTO_TCP, TCP_LINGER2), -1);
    close(s[0]);  // FIN, and when that is acknowledged it is over: the peer's data is answered by a reset
    EXPECT_TRUE(poll_for(s[1], POLLRDHUP) & POLLRDHUP);
    for (int i = 0; i < 500 && state_of(s[1]) != 7; i++) {
        send(s[1], "x", 1, MSG_NOSIGNAL);
        sleep_ms(10);
    }
    EXPECT_EQ(state_of(s[1]), 7);
    close(s[1]);
}

TEST(low_water_of_what_is_not_sent) {
    int s[2], unsent = -1;
    static char data[65536];
    tcp_pair(AF_INET, s);
    ASSERT_OK(set_int(s[1], SOL_SOCKET, SO_RCVBUF, 4096));
    ASSERT_OK(fcntl(s[0], F_SETFL, O_NONBLOCK));
    ASSERT_OK(set_int(s[0], SOL_SOCKET, SO_SNDBUF, 4 << 20));
    ASSERT_OK(set_int(s[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT, 8192));
    while (send(s[0], data, sizeof(data), 0) > 0)
        ;
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_OK(ioctl(s[0], SIOCOUTQNSD, &unsent));
    EXPECT_RANGE(unsent, 8192, 8192 + 256 * 1024);  // far from the buffer's megabytes
    EXPECT_EQ(poll_now(s[0]) & POLLOUT, 0);
    short ready = 0;
    for (int i = 0; i < 500 && !ready; i++) {
        while (recv(s[1], data, sizeof(data), MSG_DONTWAIT) > 0)
            ;
        ready = poll(&(struct pollfd){s[0], POLLOUT, 0}, 1, 10);
    }
    EXPECT_EQ(ready, 1);
    EXPECT_OK(ioctl(s[0], SIOCOUTQNSD, &unsent));
    EXPECT_TRUE(unsent < 8192);
    EXPECT_ERRNO(ioctl(s[0], SIOCOUTQNSD, no_access_page()), EFAULT);
    close(s[0]);
    close(s[1]);
}

// What the peer offers: tcpi_snd_wnd, which old headers do not have.
static unsigned offered(int fd) {
    unsigned info[58] = {0};
    socklen_t n = sizeof(info);
    ASSERT_OK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &n));
    if (n < sizeof(info))
        SKIP("no tcpi_snd_wnd");
    return info[57];
}
TEST(window_clamp) {
    int server = listener(AF_INET, 0);
    ASSERT_OK(set_int(server, IPPROTO_TCP, TCP_WINDOW_CLAMP, 16384));
    int fd = connected(AF_INET, port_of(server)), s = ASSERT_OK(accept(server, NULL, NULL));
    EXPECT_EQ(int_option(s, IPPROTO_TCP, TCP_WINDOW_CLAMP), 16384);
    EXPECT_RANGE(offered(fd), 1152, 16384);
    close(s);
    close(fd);
    ASSERT_OK(set_int(server, IPPROTO_TCP, TCP_WINDOW_CLAMP, 1));  // not so little
    EXPECT_EQ(int_option(server, IPPROTO_TCP, TCP_WINDOW_CLAMP), 1152);
    close(server);
}

TEST(saved_syn) {
    BOTH_FAMILIES(family) {
        int server = listener(family, 0), want = 1;
        unsigned char syn[128];
        socklen_t n = sizeof(syn), head = family == AF_INET ? 20 : 40;
        ASSERT_OK(set_int(server, IPPROTO_TCP, TCP_SAVE_SYN, want));
        int fd = connected(family, port_of(server)), s = ASSERT_OK(accept(server, NULL, NULL));
        n = 10;
        EXPECT_ERRNO(getsockopt(s, IPPROTO_TCP, TCP_SAVED_SYN, syn, &n), EINVAL);
        n = sizeof(syn);
        EXPECT_OK(getsockopt(s, IPPROTO_TCP, TCP_SAVED_SYN, syn, &n));
        EXPECT_RANGE(n, head + 20, head + 60);
        EXPECT_EQ(syn[0] >> 4, family == AF_INET ? 4 : 6);
        EXPECT_EQ(syn[head] << 8 | syn[head + 1], port_of(fd));
        EXPECT_EQ(syn[head + 2] << 8 | syn[head + 3], port_of(server));
        EXPECT_EQ(syn[head + 13] & 0x3f, 0x02);  // SYN alone
        EXPECT_EQ(n, head + (syn[head + 12] >> 4) * 4);
        n = sizeof(syn);
        EXPECT_OK(getsockopt(s, IPPROTO_TCP, TCP_SAVED_SYN, syn, &n));
        EXPECT_EQ(n, 0);  // it is told once
        close(s);
        close(fd);
        close(server);
    }
}

// ---- UDP --------------------------------------------------------------------------------------------------
TEST(no_checksums) {
    int s[2];
    char c;
    udp_pair(AF_INET6, s);
    ASSERT_OK(set_int(s[0], IPPROTO_UDP, UDP_NO_CHECK6_TX, 1));
    EXPECT_EQ(send(s[0], "a", 1, 0), 1);
    EXPECT_EQ(quiet(s[1], POLLIN), 0);  // RFC 8200 8.1: dropped
    ASSERT_OK(set_int(s[1], IPPROTO_UDP, UDP_NO_CHECK6_RX, 1));
    EXPECT_EQ(send(s[0], "b", 1, 0), 1);
    EXPECT_EQ(recv(s[1], &c, 1, 0), 1);
    EXPECT_EQ(c, 'b');
    close(s[0]);
    close(s[1]);
}
