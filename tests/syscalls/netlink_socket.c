// SPDX-License-Identifier: Apache-2.0
// covers: socket, bind, connect, getsockname, getpeername, sendmsg, recvmsg, setsockopt, getsockopt
// Netlink sockets as sockets: kinds, port numbers, groups, options, a bounded queue, errors (man 7 netlink).
#include "fresh_net.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <poll.h>

static int make(void) { return ASSERT_OK(socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK, NETLINK_ROUTE)); }
static struct sockaddr_nl name_of(int s, bool peer)
{
    struct sockaddr_nl a = {0};
    socklen_t n = sizeof(a);
    EXPECT_OK(peer ? getpeername(s, (struct sockaddr *)&a, &n) : getsockname(s, (struct sockaddr *)&a, &n));
    EXPECT_EQ(n, sizeof(a));
    EXPECT_EQ(a.nl_family, AF_NETLINK);
    return a;
}
static int bind_to(int s, uint32_t pid, uint32_t groups)
{
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = pid, .nl_groups = groups};
    return bind(s, (struct sockaddr *)&a, sizeof(a));
}
static const struct nlmsghdr noop = {16, NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, 5, 0};

TEST(kinds)
{
    EXPECT_ERRNO(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE), ESOCKTNOSUPPORT);
    EXPECT_ERRNO(socket(AF_NETLINK, SOCK_RAW, 99), EPROTONOSUPPORT);
    EXPECT_ERRNO(socket(AF_NETLINK, SOCK_RAW, -1), EPROTONOSUPPORT);
    int sv[2], s = make(), v = 0;
    EXPECT_ERRNO(socketpair(AF_NETLINK, SOCK_DGRAM, 0, sv), EOPNOTSUPP);
    EXPECT_ERRNO(listen(s, 1), EOPNOTSUPP);
    EXPECT_ERRNO(accept(s, NULL, NULL), EOPNOTSUPP);
    EXPECT_ERRNO(shutdown(s, SHUT_RDWR), EOPNOTSUPP);
    EXPECT_ERRNO(ioctl(s, FIONREAD, &v), ENOTTY);
    socklen_t n = sizeof(v);
    EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_DOMAIN, &v, &n));
    EXPECT_EQ(v, AF_NETLINK);
    EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &n));
    EXPECT_EQ(v, SOCK_DGRAM);
    close(s);
}

TEST(port_numbers)
{
    IN_CHILD {
        int a = make(), b = make(), c = make();
        EXPECT_EQ(name_of(a, false).nl_pid, 0);
        EXPECT_OK(bind_to(a, 0, 0));
        EXPECT_EQ(name_of(a, false).nl_pid, getpid());  // the first gets the process' number
        EXPECT_EQ(send(b, &noop, 16, 0), 16);           // binds, too
        uint32_t other = name_of(b, false).nl_pid;
        EXPECT_TRUE(other != 0 && other != (uint32_t)getpid());
        EXPECT_ERRNO(bind_to(c, other, 0), EADDRINUSE);
        EXPECT_OK(bind_to(c, 0x7ffffff0, 0));
        EXPECT_ERRNO(bind_to(c, 0, 0), EINVAL);
        EXPECT_ERRNO(bind_to(c, 17, 0), EINVAL);
        EXPECT_OK(bind_to(c, 0x7ffffff0, 0));
        close(c);
        c = make();
        EXPECT_OK(bind_to(c, 0x7ffffff0, 0));  // free again
        struct sockaddr_nl bad = {.nl_family = AF_INET};
        EXPECT_ERRNO(bind(c, (struct sockaddr *)&bad, sizeof(bad)), EINVAL);
        bad.nl_family = AF_NETLINK;
        EXPECT_ERRNO(bind(c, (struct sockaddr *)&bad, sizeof(bad) - 1), EINVAL);
    }
}

TEST(connecting)
{
    IN_CHILD {
        int s = make();
        struct sockaddr_nl kernel = {.nl_family = AF_NETLINK}, none = {.nl_family = AF_UNSPEC};
        EXPECT_EQ(name_of(s, true).nl_pid, 0);
        EXPECT_OK(connect(s, (struct sockaddr *)&kernel, sizeof(kernel)));
        EXPECT_EQ(name_of(s, false).nl_pid, getpid());
        EXPECT_EQ(write(s, &noop, 16), 16);
        EXPECT_OK(connect(s, (struct sockaddr *)&none, sizeof(none)));
        EXPECT_ERRNO(connect(s, (struct sockaddr *)&kernel, 4), EINVAL);
        if (geteuid() == 0)
            setresuid(65534, 65534, 65534);
        kernel.nl_pid = 12345;
        EXPECT_ERRNO(connect(s, (struct sockaddr *)&kernel, sizeof(kernel)), EPERM);
        EXPECT_ERRNO(sendto(s, &noop, 16, 0, (struct sockaddr *)&kernel, sizeof(kernel)), EPERM);
    }
}

TEST(sending)
{
    int s = make();
    struct sockaddr_nl to = {.nl_family = AF_NETLINK};
    EXPECT_EQ(sendto(s, &noop, 16, 0, (struct sockaddr *)&to, sizeof(to)), 16);
    EXPECT_ERRNO(sendto(s, &noop, 16, 0, (struct sockaddr *)&to, sizeof(to) - 1), EINVAL);
    to.nl_family = AF_INET;
    EXPECT_ERRNO(sendto(s, &noop, 16, 0, (struct sockaddr *)&to, sizeof(to)), EINVAL);
    EXPECT_ERRNO(send(s, &noop, 16, MSG_OOB), EOPNOTSUPP);
    EXPECT_ERRNO(send(s, no_access_page(), 16, 0), EFAULT);
    char *big = map_pages(256, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    EXPECT_ERRNO(send(s, big, 1 << 20, 0), EMSGSIZE);
    close(s);
}

TEST(receiving)
{
    int s = make(), on = 1;
    struct sockaddr_nl from;
    char buf[64], control[128] __attribute__((aligned(8)));
    struct iovec v = {buf, 20};
    struct msghdr m = {&from, sizeof(from), &v, 1, control, sizeof(control), 0};
    struct pollfd p = {.fd = s, .events = POLLIN | POLLOUT};
    EXPECT_ERRNO(recv(s, buf, sizeof(buf), 0), EAGAIN);
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLOUT);
    ASSERT_OK(setsockopt(s, SOL_NETLINK, NETLINK_PKTINFO, &on, sizeof(on)));
    EXPECT_EQ(send(s, &noop, 16, 0), 16);
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLIN | POLLOUT);
    EXPECT_EQ(recv(s, buf, sizeof(buf), MSG_PEEK), 36);
    EXPECT_EQ(recv(s, NULL, 0, MSG_PEEK | MSG_TRUNC), 36);  // how long is it?
    EXPECT_EQ(recvmsg(s, &m, 0), 20);
    EXPECT_EQ(m.msg_flags, MSG_TRUNC);
    EXPECT_EQ(m.msg_namelen, sizeof(from));
    EXPECT_EQ(from.nl_family, AF_NETLINK);
    EXPECT_EQ(from.nl_pid, 0);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    ASSERT_TRUE(c != NULL);
    EXPECT_EQ(c->cmsg_level, SOL_NETLINK);
    EXPECT_EQ(c->cmsg_type, NETLINK_PKTINFO);
    EXPECT_ERRNO(recv(s, buf, sizeof(buf), 0), EAGAIN);  // the rest was cut off
    EXPECT_ERRNO(recv(s, buf, sizeof(buf), MSG_OOB), EOPNOTSUPP);
    close(s);
}

TEST(credentials_of_the_kernel)
{
    int s = make(), on = 1;
    char buf[64], control[128] __attribute__((aligned(8)));
    struct iovec v = {buf, sizeof(buf)};
    struct msghdr m = {NULL, 0, &v, 1, control, sizeof(control), 0};
    ASSERT_OK(setsockopt(s, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
    EXPECT_EQ(send(s, &noop, 16, 0), 16);
    EXPECT_EQ(recvmsg(s, &m, 0), 36);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    ASSERT_TRUE(c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS);
    EXPECT_EQ(((struct ucred *)CMSG_DATA(c))->pid, 0);
    close(s);
}

static uint32_t groups_word(int s)
{
    uint32_t words[4] = {0};
    socklen_t n = sizeof(words);
    EXPECT_OK(getsockopt(s, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, words, &n));
    EXPECT_GE(n, 4);
    return words[0];
}
TEST(groups)
{
    int s = make(), group = RTNLGRP_IPV4_ROUTE;
    EXPECT_OK(bind_to(s, 0, RTMGRP_LINK));
    EXPECT_EQ(name_of(s, false).nl_groups, RTMGRP_LINK);
    EXPECT_OK(setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)));
    EXPECT_EQ(groups_word(s), RTMGRP_LINK | RTMGRP_IPV4_ROUTE);
    EXPECT_EQ(name_of(s, false).nl_groups, RTMGRP_LINK | RTMGRP_IPV4_ROUTE);
    EXPECT_OK(setsockopt(s, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof(group)));
    EXPECT_EQ(groups_word(s), RTMGRP_LINK);
    group = 0;
    EXPECT_ERRNO(setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)), EINVAL);
    group = 4000;
    EXPECT_ERRNO(setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)), EINVAL);
    close(s);
}

TEST(options)
{
    static const int names[] = {NETLINK_PKTINFO, NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS, NETLINK_CAP_ACK,
                                NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK};
    int s = make();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int v = 7;
        socklen_t n = sizeof(v);
        EXPECT_OK(getsockopt(s, SOL_NETLINK, names[i], &v, &n));
        EXPECT_EQ(v, 0);
        v = 5;
        EXPECT_OK(setsockopt(s, SOL_NETLINK, names[i], &v, sizeof(v)));
        EXPECT_OK(getsockopt(s, SOL_NETLINK, names[i], &v, &n));
        EXPECT_EQ(v, 1);
        EXPECT_OK(setsockopt(s, SOL_NETLINK, names[i], &v, 3));  // a short value is 0
        EXPECT_OK(getsockopt(s, SOL_NETLINK, names[i], &v, &n));
        EXPECT_EQ(v, 0);
        n = 2;
        EXPECT_ERRNO(getsockopt(s, SOL_NETLINK, names[i], &v, &n), EINVAL);
    }
    int v = 0;
    socklen_t n = sizeof(v);
    EXPECT_ERRNO(setsockopt(s, SOL_NETLINK, 77, &v, sizeof(v)), ENOPROTOOPT);
    EXPECT_ERRNO(getsockopt(s, SOL_NETLINK, 77, &v, &n), ENOPROTOOPT);
    EXPECT_ERRNO(setsockopt(s, IPPROTO_TCP, 1, &v, sizeof(v)), ENOPROTOOPT);
    close(s);
}

// Answers that nobody reads are lost when the queue is full; the next receive tells it once.
TEST(full_queue)
{
    int s = make(), small = 1, v = 0;
    socklen_t n = sizeof(v);
    char buf[64];
    ASSERT_OK(setsockopt(s, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
    for (int i = 0; i < 100; i++)
        EXPECT_EQ(send(s, &noop, 16, 0), 16);
    EXPECT_ERRNO(recv(s, buf, sizeof(buf), 0), ENOBUFS);
    int read = 0;
    while (recv(s, buf, sizeof(buf), 0) == 36)
        read++;
    EXPECT_RANGE(read, 1, 50);
    EXPECT_EQ(errno, EAGAIN);
    for (int i = 0; i < 100; i++)
        EXPECT_EQ(send(s, &noop, 16, 0), 16);
    EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_ERROR, &v, &n));
    EXPECT_EQ(v, ENOBUFS);
    EXPECT_EQ(recv(s, buf, sizeof(buf), 0), 36);
    close(s);
}
