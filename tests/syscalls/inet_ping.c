// SPDX-License-Identifier: Apache-2.0
// covers: socket, bind, sendto, recvfrom
// Ping sockets (man 7 icmp, net.ipv4.ping_group_range): who may have one, echo requests and their answers.
#include "guest.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static const char *const knob = "/proc/sys/net/ipv4/ping_group_range";

// Natively in a network of its own, whose settings are nobody else's.
static int own_network(void)
{
    if (unshare(CLONE_NEWNET) < 0)
        return 0;
    struct ifreq r = {.ifr_name = "lo"};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    r.ifr_flags = IFF_UP;
    EXPECT_OK(ioctl(s, SIOCSIFFLAGS, &r));
    close(s);
    return 1;
}

static int set(const char *text)
{
    int fd = open(knob, O_WRONLY);
    if (fd < 0)
        return -errno;
    int n = write(fd, text, strlen(text)), e = errno;
    close(fd);
    return n < 0 ? -e : n;
}

static void allow(void)
{
    own_network();
    if (set("0 2147483647\n") < 0)
        _exit(77);
}

#define IN_PING_CHILD                                                                                        \
    if (geteuid())                                                                                           \
        SKIP("not root");                                                                                    \
    IN_CHILD

TEST(who_may)
{
    IN_PING_CHILD {
        own_network();
        char text[64] = {0};
        ASSERT_TRUE(get_file(knob, text, sizeof(text)) > 0);
        EXPECT_STREQ(text, "1\t0\n");
        EXPECT_ERRNO(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), EACCES);
        EXPECT_ERRNO(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6), EACCES);
        EXPECT_EQ(set("a b"), -EINVAL);
        EXPECT_EQ(set("300"), 3);  // the other one stays: nobody
        ASSERT_TRUE(get_file(knob, text, sizeof(text)) > 0);
        EXPECT_STREQ(text, "1\t0\n");
        EXPECT_EQ(set("0 4294967295"), -EINVAL);
        EXPECT_EQ(set("100 200\n"), 8);
        ASSERT_TRUE(get_file(knob, text, sizeof(text)) > 0);
        EXPECT_STREQ(text, "100\t200\n");
        EXPECT_ERRNO(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), EACCES);
        gid_t groups[] = {150};
        EXPECT_OK(setgroups(1, groups));
        EXPECT_OK(close(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)));
        EXPECT_EQ(set("200 100\n"), 8);
        EXPECT_ERRNO(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), EACCES);
        EXPECT_EQ(set("0 0"), 3);
        EXPECT_OK(close(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)));
        EXPECT_EQ(set("1 0"), 3);
    }
}

TEST(echo)
{
    IN_PING_CHILD {
        allow();
        int s = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), other = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
        struct sockaddr_in to = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}}, from;
        socklen_t n = sizeof(from);
        struct {
            struct icmphdr h;
            char text[8];
        } m = {{.type = ICMP_ECHO, .un.echo = {htons(77), htons(5)}}, "abcdefg"}, got = {0};
        ASSERT_OK(s);
        EXPECT_EQ(sendto(s, &m, sizeof(m), 0, (void *)&to, sizeof(to)), sizeof(m));
        EXPECT_EQ(recvfrom(s, &got, sizeof(got), 0, (void *)&from, &n), sizeof(got));
        EXPECT_EQ(got.h.type, ICMP_ECHOREPLY);
        EXPECT_EQ(got.h.un.echo.sequence, htons(5));
        EXPECT_STREQ(got.text, "abcdefg");
        EXPECT_EQ(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
        n = sizeof(from);
        EXPECT_OK(getsockname(s, (void *)&from, &n));
        EXPECT_EQ(got.h.un.echo.id, from.sin_port);  // its port, not what we had put there
        EXPECT_TRUE(from.sin_port != 0);
        struct pollfd p = {other, POLLIN, 0};
        EXPECT_EQ(poll(&p, 1, 20), 0);  // the answer is not for that one
        close(s);
        close(other);
    }
}

TEST(echo_v6)
{
    IN_PING_CHILD {
        allow();
        int s = socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);
        struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        struct icmp6_hdr m = {.icmp6_type = ICMP6_ECHO_REQUEST, .icmp6_seq = htons(9)}, got = {0};
        ASSERT_OK(s);
        if (sendto(s, &m, sizeof(m), 0, (void *)&to, sizeof(to)) < 0)
            _exit(77);
        EXPECT_EQ(recv(s, &got, sizeof(got), 0), sizeof(got));
        EXPECT_EQ(got.icmp6_type, ICMP6_ECHO_REPLY);
        EXPECT_EQ(got.icmp6_seq, htons(9));
        close(s);
    }
}

TEST(identifiers)
{
    IN_PING_CHILD {
        allow();
        int s = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), t = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
        struct sockaddr_in a = {AF_INET, htons(4711), {htonl(INADDR_LOOPBACK)}, {0}}, far = a;
        socklen_t n = sizeof(a);
        far.sin_addr.s_addr = htonl(0xc0000201);
        EXPECT_ERRNO(bind(s, (void *)&far, sizeof(far)), EADDRNOTAVAIL);
        EXPECT_OK(bind(s, (void *)&a, sizeof(a)));
        EXPECT_ERRNO(bind(s, (void *)&a, sizeof(a)), EINVAL);
        EXPECT_OK(bind(t, (void *)&a, sizeof(a)));  // they may share one
        EXPECT_OK(getsockname(s, (void *)&a, &n));
        EXPECT_EQ(a.sin_port, htons(4711));
        close(s);
        close(t);
    }
}

TEST(refused)
{
    IN_PING_CHILD {
        allow();
        int s = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
        struct sockaddr_in to = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
        struct icmphdr m = {.type = ICMP_ECHOREPLY};
        EXPECT_ERRNO(sendto(s, &m, sizeof(m), 0, (void *)&to, sizeof(to)), EINVAL);
        m.type = ICMP_ECHO;
        m.code = 1;
        EXPECT_ERRNO(sendto(s, &m, sizeof(m), 0, (void *)&to, sizeof(to)), EINVAL);
        m.code = 0;
        EXPECT_ERRNO(sendto(s, &m, 7, 0, (void *)&to, sizeof(to)), EINVAL);
        EXPECT_ERRNO(send(s, &m, sizeof(m), 0), EDESTADDRREQ);
        EXPECT_ERRNO(sendto(s, &m, sizeof(m), MSG_OOB, (void *)&to, sizeof(to)), EOPNOTSUPP);
        EXPECT_ERRNO(listen(s, 1), EOPNOTSUPP);
        close(s);
        EXPECT_ERRNO(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6), EPROTONOSUPPORT);
        EXPECT_ERRNO(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMP), EPROTONOSUPPORT);
    }
}
