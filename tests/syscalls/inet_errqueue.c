// SPDX-License-Identifier: Apache-2.0
// covers: recvmsg, sendto, setsockopt
// The error queue (man 7 ip, IP_RECVERR; man 3 cmsg): ICMP errors with what they quote, errors of one's own
// sends, and completions of MSG_ZEROCOPY (Documentation/networking/msg_zerocopy.rst).
#include "guest.h"

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

struct report {
    int n, flags, level, type;
    struct sock_extended_err ee;
    struct sockaddr_in6 offender, name;
    socklen_t namelen;
    char text[64];
};

static struct report get(int fd, int room)
{
    struct report r = {0};
    char control[256] __attribute__((aligned(8)));
    struct iovec iov = {r.text, room};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 256,
                       .msg_name = &r.name, .msg_namelen = sizeof(r.name)};
    r.n = recvmsg(fd, &m, MSG_ERRQUEUE);
    if (r.n < 0) {
        r.n = -errno;
        return r;
    }
    r.flags = m.msg_flags;
    r.namelen = m.msg_namelen;
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    if (h) {
        r.level = h->cmsg_level;
        r.type = h->cmsg_type;
        memcpy(&r.ee, CMSG_DATA(h), sizeof(r.ee));
        memcpy(&r.offender, SO_EE_OFFENDER((struct sock_extended_err *)CMSG_DATA(h)),
               h->cmsg_len - CMSG_LEN(sizeof(r.ee)));
    }
    return r;
}

static int on(int fd, int level, int option)
{
    int one = 1;
    return setsockopt(fd, level, option, &one, sizeof(one));
}

static int events(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    EXPECT_OK(poll(&p, 1, 0));
    return p.revents;
}

static int so_error(int fd)
{
    int e = -1;
    socklen_t n = sizeof(e);
    EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n));
    return e;
}

// A port of UDP that nobody has.
static int free_port(int family)
{
    struct sockaddr_in6 a = {.sin6_family = family};
    socklen_t n = sizeof(a);
    int fd = socket(family, SOCK_DGRAM, 0);
    EXPECT_OK(bind(fd, (void *)&a, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(a)));
    EXPECT_OK(getsockname(fd, (void *)&a, &n));
    close(fd);
    return a.sin6_port;
}

static struct sockaddr_in to4(int port)
{
    return (struct sockaddr_in){AF_INET, port, {htonl(INADDR_LOOPBACK)}, {0}};
}

TEST(empty)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_EQ(get(fd, 10).n, -EAGAIN);  // it does not wait
    EXPECT_OK(on(fd, SOL_IP, IP_RECVERR));
    EXPECT_EQ(get(fd, 10).n, -EAGAIN);
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(get(fd, 10).n, -EAGAIN);
    close(fd);
}

TEST(port_unreachable)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0), port = free_port(AF_INET);
    struct sockaddr_in to = to4(port);
    ASSERT_OK(on(fd, SOL_IP, IP_RECVERR));
    EXPECT_EQ(sendto(fd, "hello", 5, 0, (void *)&to, sizeof(to)), 5);
    EXPECT_EQ(events(fd), POLLERR);
    struct report r = get(fd, 64);
    EXPECT_EQ(r.n, 5);
    EXPECT_EQ(r.flags, MSG_ERRQUEUE);
    EXPECT_MEMEQ(r.text, "hello", 5);
    EXPECT_EQ(r.level, SOL_IP);
    EXPECT_EQ(r.type, IP_RECVERR);
    EXPECT_EQ(r.ee.ee_errno, ECONNREFUSED);
    EXPECT_EQ(r.ee.ee_origin, SO_EE_ORIGIN_ICMP);
    EXPECT_EQ(r.ee.ee_type, 3);
    EXPECT_EQ(r.ee.ee_code, 3);
    EXPECT_EQ(r.ee.ee_info, 0);
    struct sockaddr_in *who = (void *)&r.offender, *where = (void *)&r.name;
    EXPECT_EQ(who->sin_family, AF_INET);
    EXPECT_EQ(who->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    EXPECT_EQ(r.namelen, sizeof(*where));
    EXPECT_EQ(where->sin_port, port);
    EXPECT_EQ(where->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    EXPECT_EQ(so_error(fd), 0);  // it went with the report
    EXPECT_EQ(events(fd), 0);
    close(fd);
}

TEST(without_asking)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = to4(free_port(AF_INET));
    EXPECT_EQ(sendto(fd, "hello", 5, 0, (void *)&to, sizeof(to)), 5);
    EXPECT_EQ(get(fd, 64).n, -EAGAIN);
    EXPECT_EQ(so_error(fd), 0);
    close(fd);
}

TEST(errors_stay_until_read)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = to4(free_port(AF_INET));
    char c;
    ASSERT_OK(on(fd, SOL_IP, IP_RECVERR));
    EXPECT_EQ(sendto(fd, "one", 3, 0, (void *)&to, sizeof(to)), 3);
    EXPECT_ERRNO(sendto(fd, "two", 3, 0, (void *)&to, sizeof(to)), ECONNREFUSED);
    EXPECT_EQ(sendto(fd, "three", 5, 0, (void *)&to, sizeof(to)), 5);
    EXPECT_ERRNO(recv(fd, &c, 1, MSG_DONTWAIT), ECONNREFUSED);
    EXPECT_ERRNO(recv(fd, &c, 1, MSG_DONTWAIT), EAGAIN);
    struct report r = get(fd, 2);
    EXPECT_EQ(r.n, 2);
    EXPECT_EQ(r.flags, MSG_ERRQUEUE | MSG_TRUNC);
    EXPECT_MEMEQ(r.text, "on", 2);
    EXPECT_EQ(so_error(fd), ECONNREFUSED);  // the next one's
    r = get(fd, 64);
    EXPECT_EQ(r.n, 5);
    EXPECT_EQ(so_error(fd), 0);
    EXPECT_EQ(get(fd, 64).n, -EAGAIN);
    close(fd);
}

TEST(turned_off)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0), zero = 0;
    struct sockaddr_in to = to4(free_port(AF_INET));
    ASSERT_OK(on(fd, SOL_IP, IP_RECVERR));
    EXPECT_EQ(sendto(fd, "one", 3, 0, (void *)&to, sizeof(to)), 3);
    EXPECT_OK(setsockopt(fd, SOL_IP, IP_RECVERR, &zero, sizeof(zero)));
    EXPECT_EQ(get(fd, 64).n, -EAGAIN);
    close(fd);
}

TEST(port_unreachable_v6)
{
    int fd = socket(AF_INET6, SOCK_DGRAM, 0), port = free_port(AF_INET6);
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    ASSERT_OK(on(fd, SOL_IPV6, IPV6_RECVERR));
    if (sendto(fd, "hello", 5, 0, (void *)&to, sizeof(to)) < 0) {
        close(fd);
        SKIP("no IPv6 here");
    }
    struct report r = get(fd, 64);
    EXPECT_EQ(r.n, 5);
    EXPECT_EQ(r.level, SOL_IPV6);
    EXPECT_EQ(r.type, IPV6_RECVERR);
    EXPECT_EQ(r.ee.ee_errno, ECONNREFUSED);
    EXPECT_EQ(r.ee.ee_origin, SO_EE_ORIGIN_ICMP6);
    EXPECT_EQ(r.ee.ee_type, 1);
    EXPECT_EQ(r.ee.ee_code, 4);
    EXPECT_EQ(r.offender.sin6_family, AF_INET6);
    EXPECT_MEMEQ(&r.offender.sin6_addr, &to.sin6_addr, 16);
    EXPECT_EQ(r.name.sin6_port, port);
    close(fd);
}

TEST(too_long_to_go_whole)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0), whole = IP_PMTUDISC_DO, free = free_port(AF_INET);
    struct sockaddr_in to = to4(free);
    static char big[65507];
    ASSERT_OK(on(fd, SOL_IP, IP_RECVERR));
    EXPECT_OK(setsockopt(fd, SOL_IP, IP_MTU_DISCOVER, &whole, sizeof(whole)));
    EXPECT_EQ(sendto(fd, big, sizeof(big), 0, (void *)&to, sizeof(to)), sizeof(big));  // the MTU is 65536
    EXPECT_EQ(get(fd, 64).flags & MSG_ERRQUEUE, MSG_ERRQUEUE);
    close(fd);
}

TEST(raw_sockets)
{
    int fd = socket(AF_INET, SOCK_RAW, 253);
    if (fd < 0)
        SKIP("no right to raw sockets");
    struct sockaddr_in to = to4(0);
    ASSERT_OK(on(fd, SOL_IP, IP_RECVERR));
    int other = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
    char udp[12] = {0x12, 0x34, 0, 9, 0, 12, 0, 0, 'a', 'b', 'c', 'd'};
    int port = free_port(AF_INET);
    memcpy(udp + 2, &port, 2);
    ASSERT_OK(on(other, SOL_IP, IP_RECVERR));
    EXPECT_EQ(sendto(other, udp, sizeof(udp), 0, (void *)&to, sizeof(to)), sizeof(udp));
    struct report r = get(other, 64);
    EXPECT_EQ(r.n, sizeof(udp));
    EXPECT_EQ(r.ee.ee_errno, ECONNREFUSED);
    EXPECT_MEMEQ(r.text, udp, sizeof(udp));
    EXPECT_EQ(get(fd, 64).n, -EAGAIN);
    close(other);
    close(fd);
}

TEST(zerocopy)
{
    int l = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0), one = 1, two = 2;
    struct sockaddr_in a = to4(0);
    socklen_t n = sizeof(a);
    ASSERT_OK(bind(l, (void *)&a, sizeof(a)));
    ASSERT_OK(listen(l, 1));
    ASSERT_OK(getsockname(l, (void *)&a, &n));
    ASSERT_OK(connect(s, (void *)&a, sizeof(a)));
    int c = accept(l, NULL, NULL);
    EXPECT_EQ(send(s, "x", 1, MSG_ZEROCOPY), 1);  // the flag means nothing yet
    EXPECT_EQ(get(s, 10).n, -EAGAIN);
    EXPECT_ERRNO(setsockopt(s, SOL_SOCKET, SO_ZEROCOPY, &two, sizeof(two)), EINVAL);
    EXPECT_OK(setsockopt(s, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)));
    EXPECT_EQ(send(s, "x", 1, MSG_ZEROCOPY), 1);
    EXPECT_EQ(send(s, "y", 1, MSG_ZEROCOPY), 1);
    struct pollfd p = {s, 0, 0};
    EXPECT_EQ(poll(&p, 1, 20000), 1);
    EXPECT_EQ(p.revents, POLLERR);
    unsigned done = 0;
    for (int i = 0; i < 100 && done < 2; i++) {
        struct report r = get(s, 10);
        if (r.n == -EAGAIN) {
            sleep_ms(5);
            continue;
        }
        EXPECT_EQ(r.n, 0);
        EXPECT_EQ(r.ee.ee_errno, 0);
        EXPECT_EQ(r.ee.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
        EXPECT_EQ(r.ee.ee_code, SO_EE_CODE_ZEROCOPY_COPIED);
        EXPECT_EQ(r.ee.ee_info, done);
        EXPECT_EQ(r.offender.sin6_family, AF_UNSPEC);
        done = r.ee.ee_data + 1;
    }
    EXPECT_EQ(done, 2);
    close(c);
    close(s);
    close(l);
    int u = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_ERRNO(setsockopt(u, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)), EOPNOTSUPP);
    close(u);
}
