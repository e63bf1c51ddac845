// SPDX-License-Identifier: Apache-2.0
// covers: getsockopt, setsockopt
// Options of level SOL_SOCKET that programs look for: lengths, values, and which kinds of sockets have them
// (man 7 socket; sk_setsockopt() and sk_getsockopt() in net/core/sock.c).
#include "guest.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif
#ifndef SO_TXREHASH
#define SO_TXREHASH 74
#endif

static const int kinds[][2] = {{AF_INET, SOCK_STREAM},  {AF_INET, SOCK_DGRAM}, {AF_INET6, SOCK_STREAM},
                               {AF_INET6, SOCK_DGRAM}, {AF_UNIX, SOCK_STREAM}, {AF_UNIX, SOCK_DGRAM},
                               {AF_NETLINK, SOCK_RAW}};
#define KINDS (int)(sizeof(kinds) / sizeof(kinds[0]))
static int make(int k)
{
    int s = socket(kinds[k][0], kinds[k][1], 0);
    EXPECT_OK(s);
    return s;
}

static int get(int s, int option)
{
    int value = -77;
    socklen_t n = sizeof(value);
    EXPECT_OK(getsockopt(s, SOL_SOCKET, option, &value, &n));
    return value;
}
static int set(int s, int option, int value)
{
    return setsockopt(s, SOL_SOCKET, option, &value, sizeof(value));
}

TEST(switches)
{
    static const int names[] = {SO_REUSEADDR, SO_KEEPALIVE, SO_NO_CHECK, SO_OOBINLINE, SO_RXQ_OVFL,
                                SO_WIFI_STATUS, SO_SELECT_ERR_QUEUE, SO_LOCK_FILTER};
    for (int k = 0; k < KINDS; k++) {
        int s = make(k);
        for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            EXPECT_EQ(get(s, names[i]), 0);
            EXPECT_OK(set(s, names[i], 256));
            EXPECT_EQ(get(s, names[i]), 1);
            EXPECT_ERRNO(setsockopt(s, SOL_SOCKET, names[i], &i, 3), EINVAL);
        }
        EXPECT_OK(set(s, SO_BSDCOMPAT, 1));
        EXPECT_EQ(get(s, SO_BSDCOMPAT), 0);
        close(s);
    }
}

TEST(short_lengths)
{
    for (int k = 0; k < KINDS; k++) {
        int s = make(k);
        for (socklen_t room = 0; room < 20; room++) {
            unsigned char b[20];
            socklen_t n = room;
            memset(b, 0xee, sizeof(b));
            EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_TYPE, b, &n));
            EXPECT_EQ(n, room < 4 ? room : 4);
            EXPECT_EQ(b[n], 0xee);
        }
        socklen_t n = -1;
        int v;
        EXPECT_ERRNO(getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &n), EINVAL);
        n = 0x7fffffff;
        EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &n));
        EXPECT_EQ(n, 4);
        EXPECT_ERRNO(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &v, -1), EINVAL);
        close(s);
    }
}

TEST(of_some_kinds)
{
    for (int k = 0; k < KINDS; k++) {
        int s = make(k), inet = kinds[k][0] == AF_INET || kinds[k][0] == AF_INET6, v;
        int tcp = inet && kinds[k][1] == SOCK_STREAM;
        socklen_t n = sizeof(v);
        if (inet) {
            EXPECT_ERRNO(set(s, SO_PASSCRED, 1), EOPNOTSUPP);
            EXPECT_ERRNO(set(s, SO_PASSSEC, 1), EOPNOTSUPP);
            EXPECT_OK(set(s, SO_ZEROCOPY, 1));
        } else {
            EXPECT_OK(set(s, SO_PASSCRED, 1));
            EXPECT_ERRNO(set(s, SO_ZEROCOPY, 1), EOPNOTSUPP);
            EXPECT_EQ(get(s, SO_ZEROCOPY), 0);
        }
        if (tcp) {
            EXPECT_EQ(get(s, SO_TXREHASH), 1);
            EXPECT_OK(set(s, SO_TXREHASH, 0));
            EXPECT_EQ(get(s, SO_TXREHASH), 0);
            EXPECT_ERRNO(set(s, SO_TXREHASH, 2), EINVAL);
        } else {
            EXPECT_ERRNO(getsockopt(s, SOL_SOCKET, SO_TXREHASH, &v, &n), EOPNOTSUPP);
        }
        close(s);
    }
}

TEST(buffers)
{
    for (int k = 0; k < KINDS; k++) {
        int s = make(k);
        EXPECT_OK(set(s, SO_SNDBUF, 0));
        EXPECT_EQ(get(s, SO_SNDBUF), 4608);
        EXPECT_OK(set(s, SO_RCVBUF, 0));
        EXPECT_EQ(get(s, SO_RCVBUF), 2304);
        EXPECT_OK(set(s, SO_SNDBUF, 100000));
        EXPECT_EQ(get(s, SO_SNDBUF), 200000);
        char text[32] = {0};
        int most = get_file("/proc/sys/net/core/wmem_max", text, sizeof(text)) > 0 ? atoi(text) : 0;
        if (most) {
            EXPECT_OK(set(s, SO_SNDBUF, 0x7fffffff));
            EXPECT_EQ(get(s, SO_SNDBUF), 2 * most);
            EXPECT_OK(set(s, SO_SNDBUF, -1));
            EXPECT_EQ(get(s, SO_SNDBUF), 2 * most);
        }
        EXPECT_OK(set(s, SO_BUF_LOCK, 3));
        EXPECT_ERRNO(set(s, SO_BUF_LOCK, 4), EINVAL);
        close(s);
    }
}

TEST(facts)
{
    for (int k = 0; k < KINDS; k++) {
        int s = make(k), v;
        EXPECT_EQ(get(s, SO_TYPE), kinds[k][1]);
        EXPECT_EQ(get(s, SO_DOMAIN), kinds[k][0]);
        EXPECT_EQ(get(s, SO_ACCEPTCONN), 0);
        EXPECT_EQ(get(s, SO_SNDLOWAT), 1);
        EXPECT_EQ(get(s, SO_INCOMING_NAPI_ID), 0);
        EXPECT_EQ(get(s, SO_BPF_EXTENSIONS), 64);
        EXPECT_ERRNO(set(s, SO_TYPE, 1), ENOPROTOOPT);
        EXPECT_ERRNO(set(s, SO_ERROR, 1), ENOPROTOOPT);
        EXPECT_ERRNO(set(s, SO_SNDLOWAT, 1), ENOPROTOOPT);
        EXPECT_ERRNO(set(s, 1000, 1), ENOPROTOOPT);
        socklen_t n = sizeof(v);
        EXPECT_ERRNO(getsockopt(s, SOL_SOCKET, 1000, &v, &n), ENOPROTOOPT);
        uint64_t cookie = 0;
        n = 4;
        EXPECT_ERRNO(getsockopt(s, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &n), EINVAL);
        n = 8;
        EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &n));
        EXPECT_TRUE(cookie != 0);
        uint32_t memory[16];
        n = sizeof(memory);
        EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_MEMINFO, memory, &n));
        EXPECT_EQ(n, 36);
        EXPECT_EQ(memory[0], 0);
        EXPECT_EQ(memory[3], (uint32_t)get(s, SO_SNDBUF));
        close(s);
    }
}

TEST(time_stamps)
{
    int s = make(1), one = 1;
    EXPECT_OK(set(s, SO_TIMESTAMP, 1));
    EXPECT_EQ(get(s, SO_TIMESTAMP), 1);
    EXPECT_OK(set(s, SO_TIMESTAMPNS, 1));
    EXPECT_EQ(get(s, SO_TIMESTAMPNS), 1);
    EXPECT_EQ(get(s, SO_TIMESTAMP), 0);
    EXPECT_OK(setsockopt(s, SOL_SOCKET, SO_TIMESTAMP_NEW, &one, sizeof(one)));
    EXPECT_EQ(get(s, SO_TIMESTAMPNS), 0);
    struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t n = sizeof(a);
    ASSERT_OK(bind(s, (void *)&a, sizeof(a)));
    ASSERT_OK(getsockname(s, (void *)&a, &n));
    EXPECT_EQ(sendto(s, "x", 1, 0, (void *)&a, sizeof(a)), 1);
    char control[128] __attribute__((aligned(8))), byte;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 128};
    EXPECT_EQ(recvmsg(s, &m, 0), 1);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    ASSERT_TRUE(h != NULL);
    EXPECT_EQ(h->cmsg_type, SO_TIMESTAMP_NEW);
    EXPECT_EQ(h->cmsg_len, CMSG_LEN(sizeof(struct timeval)));
    close(s);
}

TEST(the_peer)
{
    int l = make(0), s = make(0), u = make(4);
    struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}}, peer = {0};
    socklen_t n = sizeof(a);
    EXPECT_ERRNO(getsockopt(s, SOL_SOCKET, SO_PEERNAME, &peer, &n), ENOTCONN);
    EXPECT_ERRNO(getsockopt(u, SOL_SOCKET, SO_PEERNAME, &peer, &n), ENOTCONN);
    ASSERT_OK(bind(l, (void *)&a, sizeof(a)));
    ASSERT_OK(listen(l, 1));
    ASSERT_OK(getsockname(l, (void *)&a, &n));
    ASSERT_OK(connect(s, (void *)&a, sizeof(a)));
    n = sizeof(peer);
    EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_PEERNAME, &peer, &n));
    EXPECT_EQ(peer.sin_port, a.sin_port);
    n = 100;
    char big[100];
    EXPECT_ERRNO(getsockopt(s, SOL_SOCKET, SO_PEERNAME, big, &n), EINVAL);
    close(l);
    close(s);
    close(u);
}

TEST(levels)
{
    int v = 1;
    socklen_t n = sizeof(v);
    for (int k = 0; k < KINDS; k++) {
        int s = make(k);
        int unknown = kinds[k][0] == AF_INET || kinds[k][0] == AF_UNIX ? EOPNOTSUPP : ENOPROTOOPT;
        EXPECT_ERRNO(getsockopt(s, 2000, 1, &v, &n), unknown);
        n = -1;  // which is not looked at
        EXPECT_ERRNO(getsockopt(s, 2000, 1, &v, &n), unknown);
        n = sizeof(v);
        close(s);
    }
}

TEST(upper_protocols)
{
    int s = make(0);
    char name[16];
    socklen_t n = sizeof(name);
    EXPECT_ERRNO(setsockopt(s, SOL_TCP, TCP_ULP, "nonesuch", 8), ENOENT);
    EXPECT_OK(getsockopt(s, SOL_TCP, TCP_ULP, name, &n));
    EXPECT_EQ(n, 0);
    close(s);
}

TEST(numbers_of_level_ip)
{
    int s = make(1), v = -1;
    socklen_t n = sizeof(v);
    EXPECT_OK(setsockopt(s, SOL_IP, IP_PKTINFO, &(int){1}, sizeof(int)));
    EXPECT_OK(setsockopt(s, SOL_IP, IP_PKTINFO, "", 0));  // nothing is a 0
    EXPECT_OK(getsockopt(s, SOL_IP, IP_PKTINFO, &v, &n));
    EXPECT_EQ(v, 0);
    EXPECT_OK(setsockopt(s, SOL_IP, IP_PKTINFO, "\1", 1));
    EXPECT_OK(getsockopt(s, SOL_IP, IP_PKTINFO, &v, &n));
    EXPECT_EQ(v, 1);
    EXPECT_ERRNO(setsockopt(s, SOL_IP, IP_TTL, "", 0), EINVAL);
    close(s);
}
