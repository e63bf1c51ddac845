// SPDX-License-Identifier: Apache-2.0
// covers: sendmsg, recvmsg
// Control messages of datagrams: what is told of one that came, and asked of one that goes (man 7 ip, ipv6,
// udp).
#include "inet_pair.h"

#include <netinet/udp.h>
#include <sys/time.h>
#include <time.h>

static char bytes[4096];
static union {
    struct cmsghdr align;
    char room[512];
} control;
static struct iovec vec = {bytes, sizeof(bytes)};
static struct msghdr message(size_t room) {
    vec.iov_len = sizeof(bytes);
    return (struct msghdr){
        .msg_iov = &vec, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = room};
}
static const void *told(struct msghdr *m, int level, int type, size_t size) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
        if (c->cmsg_level == level && c->cmsg_type == type) {
            EXPECT_EQ(c->cmsg_len, CMSG_LEN(size));
            return CMSG_DATA(c);
        }
    return NULL;
}
static int told_int(struct msghdr *m, int level, int type) {
    const int *v = told(m, level, type, sizeof(*v));
    return v ? *v : -1;
}
static struct msghdr ask(int level, int type, const void *data, size_t size) {
    struct msghdr m = message(CMSG_SPACE(size));
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type};
    memcpy(CMSG_DATA(c), data, size);
    vec.iov_len = 4;
    return m;
}
static int send_asking(int fd, int level, int type, const void *data, size_t size) {
    struct msghdr m = ask(level, type, data, size);
    return (int)sendmsg(fd, &m, 0);
}
static int send_int(int fd, int level, int type, int v) {
    return send_asking(fd, level, type, &v, sizeof(v));
}

TEST(nothing_unless_asked_for) {
    int s[2];
    udp_pair(AF_INET, s);
    EXPECT_EQ(send(s[0], "abc", 3, 0), 3);
    struct msghdr m = message(sizeof(control));
    EXPECT_EQ(recvmsg(s[1], &m, 0), 3);
    EXPECT_EQ(m.msg_controllen, 0);
    EXPECT_EQ(m.msg_flags, 0);
    close(s[0]);
    close(s[1]);
}

TEST(told_of_ipv4) {
    int s[2], tos = 0x20, ttl = 33;
    udp_pair(AF_INET, s);
    EXPECT_OK(set_int(s[1], IPPROTO_IP, IP_PKTINFO, 1));
    EXPECT_OK(set_int(s[1], IPPROTO_IP, IP_RECVTTL, 1));
    EXPECT_OK(set_int(s[1], IPPROTO_IP, IP_RECVTOS, 1));
    EXPECT_OK(set_int(s[1], IPPROTO_IP, IP_RECVORIGDSTADDR, 1));
    EXPECT_OK(set_int(s[0], IPPROTO_IP, IP_TOS, tos));
    EXPECT_OK(set_int(s[0], IPPROTO_IP, IP_TTL, ttl));
    EXPECT_EQ(send(s[0], "abc", 3, 0), 3);
    struct msghdr m = message(sizeof(control));
    EXPECT_EQ(recvmsg(s[1], &m, MSG_PEEK), 3);
    m = message(sizeof(control));
    EXPECT_EQ(recvmsg(s[1], &m, 0), 3);
    const struct in_pktinfo *p = told(&m, IPPROTO_IP, IP_PKTINFO, sizeof(*p));
    ASSERT_TRUE(p != NULL);
    EXPECT_EQ(p->ipi_ifindex, 1);
    EXPECT_EQ(ntohl(p->ipi_addr.s_addr), INADDR_LOOPBACK);
    EXPECT_EQ(ntohl(p->ipi_spec_dst.s_addr), INADDR_LOOPBACK);
    EXPECT_EQ(told_int(&m, IPPROTO_IP, IP_TTL), 33);
    const unsigned char *t = told(&m, IPPROTO_IP, IP_TOS, 1);
    EXPECT_TRUE(t && *t == 0x20);
    const struct sockaddr_in *to = told(&m, IPPROTO_IP, IP_ORIGDSTADDR, sizeof(*to));
    EXPECT_TRUE(to && ntohs(to->sin_port) == port_of(s[1]));
    EXPECT_EQ(send(s[0], "abc", 3, 0), 3);
    m = message(CMSG_SPACE(sizeof(struct in_pktinfo)) + 8);  // the first fits
    EXPECT_EQ(recvmsg(s[1], &m, 0), 3);
    EXPECT_TRUE(m.msg_flags & MSG_CTRUNC);
    EXPECT_TRUE(told(&m, IPPROTO_IP, IP_PKTINFO, sizeof(*p)) != NULL);
    close(s[0]);
    close(s[1]);
}

TEST(told_of_ipv6) {
    int s[2];
    udp_pair(AF_INET6, s);
    EXPECT_OK(set_int(s[1], IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
    EXPECT_OK(set_int(s[1], IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
    EXPECT_OK(set_int(s[1], IPPROTO_IPV6, IPV6_RECVTCLASS, 1));
    EXPECT_OK(set_int(s[0], IPPROTO_IPV6, IPV6_UNICAST_HOPS, 44));
    EXPECT_OK(set_int(s[0], IPPROTO_IPV6, IPV6_TCLASS, 0x30));
    EXPECT_EQ(send(s[0], "abc", 3, 0), 3);
    struct msghdr m = message(sizeof(control));
    EXPECT_EQ(recvmsg(s[1], &m, 0), 3);
    const struct in6_pktinfo *p = told(&m, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(*p));
    ASSERT_TRUE(p != NULL);
    EXPECT_EQ(p->ipi6_ifindex, 1);
    EXPECT_MEMEQ(&p->ipi6_addr, &in6addr_loopback, 16);
    EXPECT_EQ(told_int(&m, IPPROTO_IPV6, IPV6_HOPLIMIT), 44);
    EXPECT_EQ(told_int(&m, IPPROTO_IPV6, IPV6_TCLASS), 0x30);
    close(s[0]);
    close(s[1]);
}

TEST(asked_of_one_datagram) {
    int s[2], one = 1;
    udp_pair(AF_INET, s);
    EXPECT_OK(set_int(s[1], IPPROTO_IP, IP_RECVTTL, 1));
    EXPECT_OK(set_int(s[1], IPPROTO_IP, IP_RECVTOS, 1));
    EXPECT_EQ(send_int(s[0], IPPROTO_IP, IP_TTL, 7), 4);
    struct msghdr m = message(sizeof(control));
    EXPECT_EQ(recvmsg(s[1], &m, 0), 4);
    EXPECT_EQ(told_int(&m, IPPROTO_IP, IP_TTL), 7);
    EXPECT_EQ(send_int(s[0], IPPROTO_IP, IP_TOS, 0x40), 4);
    m = message(sizeof(control));
    EXPECT_EQ(recvmsg(s[1], &m, 0), 4);
    EXPECT_EQ(told_int(&m, IPPROTO_IP, IP_TTL), 64);  // that was for the one alone
    const unsigned char *t = told(&m, IPPROTO_IP, IP_TOS, 1);
    EXPECT_TRUE(t && *t == 0x40);
    EXPECT_ERRNO(send_int(s[0], IPPROTO_IP, IP_TTL, 0), EINVAL);
    EXPECT_ERRNO(send_int(s[0], IPPROTO_IP, IP_TTL, 256), EINVAL);
    EXPECT_ERRNO(send_int(s[0], IPPROTO_IP, IP_TOS, 256), EINVAL);
    EXPECT_ERRNO(send_asking(s[0], IPPROTO_IP, IP_TTL, &one, 2), EINVAL);
    EXPECT_ERRNO(send_int(s[0], IPPROTO_IP, 250, 1), EINVAL);
    EXPECT_EQ(send_int(s[0], 4711, 1, 1), 4);  // a level that nobody knows is nobody's
    EXPECT_EQ(recv(s[1], bytes, 4, 0), 4);
    m = ask(IPPROTO_IP, IP_TTL, &one, sizeof(one));
    CMSG_FIRSTHDR(&m)->cmsg_len = 4;
    EXPECT_ERRNO(sendmsg(s[0], &m, 0), EINVAL);
    CMSG_FIRSTHDR(&m)->cmsg_len = 4000;
    EXPECT_ERRNO(sendmsg(s[0], &m, 0), EINVAL);
    close(s[0]);
    close(s[1]);
    udp_pair(AF_INET6, s);
    EXPECT_OK(set_int(s[1], IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
    EXPECT_EQ(send_int(s[0], IPPROTO_IPV6, IPV6_HOPLIMIT, 9), 4);
    m = message(sizeof(control));
    EXPECT_EQ(recvmsg(s[1], &m, 0), 4);
    EXPECT_EQ(told_int(&m, IPPROTO_IPV6, IPV6_HOPLIMIT), 9);
    EXPECT_ERRNO(send_int(s[0], IPPROTO_IPV6, IPV6_HOPLIMIT, 256), EINVAL);
    close(s[0]);
    close(s[1]);
}

TEST(source_address) {
    int a = bound_socket(AF_INET, SOCK_DGRAM), b = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    union inet_addr to = loopback(AF_INET, port_of(a)), from;
    struct in_pktinfo p = {.ipi_spec_dst.s_addr = htonl(0x7f000005)};
    struct msghdr m = ask(IPPROTO_IP, IP_PKTINFO, &p, sizeof(p));
    m.msg_name = &to;
    m.msg_namelen = sizeof(to.in);
    EXPECT_EQ(sendmsg(b, &m, 0), 4);
    socklen_t length = sizeof(from);
    EXPECT_EQ(recvfrom(a, bytes, 4, 0, &from.any, &length), 4);
    EXPECT_EQ(ntohl(from.in.sin_addr.s_addr), 0x7f000005);
    p.ipi_ifindex = 4711;
    m = ask(IPPROTO_IP, IP_PKTINFO, &p, sizeof(p));
    m.msg_name = &to;
    m.msg_namelen = sizeof(to.in);
    EXPECT_ERRNO(sendmsg(b, &m, 0), ENODEV);
    p = (struct in_pktinfo){.ipi_ifindex = 1};
    m = ask(IPPROTO_IP, IP_PKTINFO, &p, sizeof(p));
    m.msg_name = &to;
    m.msg_namelen = sizeof(to.in);
    EXPECT_EQ(sendmsg(b, &m, 0), 4);
    EXPECT_EQ(recv(a, bytes, 4, 0), 4);
    close(a);
    close(b);
}

TEST(time_stamps) {
    int s[2];
    udp_pair(AF_INET, s);
    EXPECT_OK(set_int(s[1], SOL_SOCKET, SO_TIMESTAMP, 1));
    struct timeval before, after;
    gettimeofday(&before, NULL);
    EXPECT_EQ(send(s[0], "abc", 3, 0), 3);
    struct msghdr m = message(sizeof(control));
    EXPECT_EQ(recvmsg(s[1], &m, 0), 3);
    gettimeofday(&after, NULL);
    const struct timeval *at = told(&m, SOL_SOCKET, SO_TIMESTAMP, sizeof(*at));
    ASSERT_TRUE(at != NULL);
    struct timeval slack = {0, 1000}, early;
    timersub(&before, &slack, &early);
    timeradd(&after, &slack, &after);
    EXPECT_TRUE(!timercmp(at, &early, <) && !timercmp(at, &after, >));
    EXPECT_OK(set_int(s[1], SOL_SOCKET, SO_TIMESTAMPNS, 1));
    EXPECT_EQ(send(s[0], "abc", 3, 0), 3);
    m = message(sizeof(control));
    EXPECT_EQ(recvmsg(s[1], &m, 0), 3);
    const struct timespec *fine = told(&m, SOL_SOCKET, SO_TIMESTAMPNS, sizeof(*fine));
    ASSERT_TRUE(fine != NULL);
    EXPECT_RANGE(fine->tv_sec, before.tv_sec, before.tv_sec + 60);
    close(s[0]);
    close(s[1]);
}

TEST(segments) {
    int s[2];
    udp_pair(AF_INET, s);
    memset(bytes, 'x', sizeof(bytes));
    EXPECT_OK(set_int(s[0], IPPROTO_UDP, UDP_SEGMENT, 1000));
    EXPECT_EQ(int_option(s[0], IPPROTO_UDP, UDP_SEGMENT), 1000);
    EXPECT_EQ(send(s[0], bytes, 2500, 0), 2500);
    EXPECT_EQ(recv(s[1], bytes, sizeof(bytes), 0), 1000);
    EXPECT_EQ(recv(s[1], bytes, sizeof(bytes), 0), 1000);
    EXPECT_EQ(recv(s[1], bytes, sizeof(bytes), 0), 500);
    EXPECT_EQ(send(s[0], bytes, 700, 0), 700);
    EXPECT_EQ(recv(s[1], bytes, sizeof(bytes), 0), 700);
    EXPECT_ERRNO(set_int(s[0], IPPROTO_UDP, UDP_SEGMENT, 65536), EINVAL);
    EXPECT_ERRNO(set_int(s[0], IPPROTO_UDP, UDP_SEGMENT, -1), EINVAL);
    EXPECT_OK(set_int(s[0], IPPROTO_UDP, UDP_SEGMENT, 0));
    unsigned short two = 2;
    EXPECT_EQ(send_asking(s[0], IPPROTO_UDP, UDP_SEGMENT, &two, sizeof(two)), 4);
    EXPECT_EQ(recv(s[1], bytes, sizeof(bytes), 0), 2);
    EXPECT_EQ(recv(s[1], bytes, sizeof(bytes), 0), 2);
    close(s[0]);
    close(s[1]);
}
