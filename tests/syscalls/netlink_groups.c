// SPDX-License-Identifier: Apache-2.0
// covers: bind, sendto, recvfrom, setsockopt
// Multicast groups of rtnetlink (man 7 rtnetlink): who is told of links, addresses and routes that change;
// routes that are added and removed; generic netlink's controller; a quiet uevent socket.
#include "guest.h"

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

// Natively in a network of its own.
static void own_network(void)
{
    if (unshare(CLONE_NEWNET) == 0)
        return;
    if (errno == EPERM && geteuid())
        _exit(77);
}

static int open_route(unsigned groups)
{
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    ASSERT_OK(s);
    ASSERT_OK(bind(s, (void *)&a, sizeof(a)));
    return s;
}

struct ask {
    struct nlmsghdr h;
    union {
        struct ifinfomsg link;
        struct ifaddrmsg addr;
        struct rtmsg route;
    };
    char attrs[128];
};
static void put(struct ask *q, int type, const void *data, int n)
{
    struct rtattr *a = (void *)((char *)q + NLMSG_ALIGN(q->h.nlmsg_len));
    a->rta_type = type;
    a->rta_len = RTA_LENGTH(n);
    memcpy(RTA_DATA(a), data, n);
    q->h.nlmsg_len = NLMSG_ALIGN(q->h.nlmsg_len) + RTA_SPACE(n);
}
// The errno of the answer, 0: done.
static int ask(int s, struct ask *q)
{
    char b[1024];
    q->h.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    EXPECT_EQ(send(s, q, q->h.nlmsg_len, 0), (int)q->h.nlmsg_len);
    EXPECT_TRUE(recv(s, b, sizeof(b), 0) > 0);
    struct nlmsghdr *h = (void *)b;
    EXPECT_EQ(h->nlmsg_type, NLMSG_ERROR);
    return -((struct nlmsgerr *)NLMSG_DATA(h))->error;
}
static int set_link(int s, int up)
{
    struct ask q = {.h = {NLMSG_LENGTH(sizeof(q.link)), RTM_NEWLINK, 0, 1, 0}};
    q.link.ifi_index = 1;
    q.link.ifi_change = IFF_UP;
    q.link.ifi_flags = up ? IFF_UP : 0;
    return ask(s, &q);
}
static int change_addr(int s, int type, const char *text)
{
    int flags = type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0;
    struct ask q = {.h = {NLMSG_LENGTH(sizeof(q.addr)), type, flags, 2, 0}};
    struct in_addr a;
    inet_aton(text, &a);
    q.addr = (struct ifaddrmsg){AF_INET, 24, 0, 0, 1};
    put(&q, IFA_LOCAL, &a, 4);
    return ask(s, &q);
}
static int change_route(int s, int type, int flags, const char *dst, int len, const char *via)
{
    struct ask q = {.h = {NLMSG_LENGTH(sizeof(q.route)), type, flags, 3, 0}};
    struct in_addr a;
    int link = 1;
    q.route = (struct rtmsg){AF_INET, len, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_LINK, RTN_UNICAST, 0};
    if (type == RTM_DELROUTE)
        q.route.rtm_scope = RT_SCOPE_NOWHERE;
    inet_aton(dst, &a);
    put(&q, RTA_DST, &a, 4);
    if (via) {
        q.route.rtm_scope = RT_SCOPE_UNIVERSE;
        inet_aton(via, &a);
        put(&q, RTA_GATEWAY, &a, 4);
    }
    put(&q, RTA_OIF, &link, 4);
    return ask(s, &q);
}

// Reads until a message of that type, from that group; how many bytes its fixed part has, 0: none comes.
static int hears(int s, int type, unsigned group, void *body, int n)
{
    char b[4096];
    struct pollfd p = {s, POLLIN, 0};
    while (poll(&p, 1, 200) == 1) {
        struct sockaddr_nl from;
        socklen_t len = sizeof(from);
        int got = recvfrom(s, b, sizeof(b), 0, (void *)&from, &len);
        struct nlmsghdr *h = (void *)b;
        if (got <= 0 || h->nlmsg_type != type)
            continue;
        EXPECT_EQ(from.nl_pid, 0);
        EXPECT_EQ(from.nl_groups, 1u << (group - 1));
        memcpy(body, NLMSG_DATA(h), n);
        return got;
    }
    return 0;
}

#define IN_NETWORK                                                                                           \
    if (geteuid())                                                                                           \
        SKIP("not root");                                                                                    \
    IN_CHILD

TEST(links)
{
    IN_NETWORK {
        own_network();
        struct ifinfomsg m;
        int s = open_route(0);
        EXPECT_EQ(set_link(s, 1), 0);
        int l = open_route(RTMGRP_LINK), deaf = open_route(RTMGRP_IPV4_ROUTE);
        EXPECT_EQ(set_link(s, 0), 0);
        ASSERT_TRUE(hears(l, RTM_NEWLINK, RTNLGRP_LINK, &m, sizeof(m)) > 0);
        EXPECT_EQ(m.ifi_index, 1);
        EXPECT_EQ(m.ifi_flags & IFF_UP, 0);
        EXPECT_EQ(set_link(s, 1), 0);
        ASSERT_TRUE(hears(l, RTM_NEWLINK, RTNLGRP_LINK, &m, sizeof(m)) > 0);
        EXPECT_EQ(m.ifi_flags & IFF_UP, IFF_UP);
        EXPECT_EQ(hears(deaf, RTM_NEWLINK, RTNLGRP_LINK, &m, sizeof(m)), 0);
    }
}

TEST(addresses)
{
    IN_NETWORK {
        own_network();
        struct ifaddrmsg m;
        int s = open_route(0), l = open_route(RTMGRP_IPV4_IFADDR);
        EXPECT_EQ(set_link(s, 1), 0);
        EXPECT_EQ(change_addr(s, RTM_NEWADDR, "10.1.2.3"), 0);
        ASSERT_TRUE(hears(l, RTM_NEWADDR, RTNLGRP_IPV4_IFADDR, &m, sizeof(m)) > 0);
        while (m.ifa_prefixlen == 8)  // of 127.0.0.1, which came with the link
            ASSERT_TRUE(hears(l, RTM_NEWADDR, RTNLGRP_IPV4_IFADDR, &m, sizeof(m)) > 0);
        EXPECT_EQ(m.ifa_prefixlen, 24);
        EXPECT_EQ(m.ifa_index, 1);
        EXPECT_EQ(change_addr(s, RTM_NEWADDR, "10.1.2.3"), EEXIST);
        EXPECT_EQ(change_addr(s, RTM_DELADDR, "10.1.2.3"), 0);
        ASSERT_TRUE(hears(l, RTM_DELADDR, RTNLGRP_IPV4_IFADDR, &m, sizeof(m)) > 0);
        EXPECT_EQ(change_addr(s, RTM_DELADDR, "10.1.2.3"), EADDRNOTAVAIL);
    }
}

TEST(routes)
{
    IN_NETWORK {
        own_network();
        struct rtmsg m;
        int s = open_route(0);
        EXPECT_EQ(set_link(s, 1), 0);
        EXPECT_EQ(change_addr(s, RTM_NEWADDR, "10.1.2.3"), 0);
        int l = open_route(RTMGRP_IPV4_ROUTE), new = NLM_F_CREATE | NLM_F_EXCL;
        EXPECT_EQ(change_route(s, RTM_NEWROUTE, new, "192.0.2.0", 24, NULL), 0);
        ASSERT_TRUE(hears(l, RTM_NEWROUTE, RTNLGRP_IPV4_ROUTE, &m, sizeof(m)) > 0);
        EXPECT_EQ(m.rtm_dst_len, 24);
        EXPECT_EQ(m.rtm_table, RT_TABLE_MAIN);
        EXPECT_EQ(m.rtm_scope, RT_SCOPE_LINK);
        EXPECT_EQ(m.rtm_protocol, RTPROT_BOOT);
        EXPECT_EQ(change_route(s, RTM_NEWROUTE, new, "192.0.2.0", 24, NULL), EEXIST);
        EXPECT_EQ(change_route(s, RTM_NEWROUTE, new, "192.0.2.1", 24, NULL), EINVAL);
        EXPECT_EQ(change_route(s, RTM_NEWROUTE, new, "192.0.2.0", 33, NULL), EINVAL);
        EXPECT_EQ(change_route(s, RTM_DELROUTE, 0, "192.0.2.0", 24, NULL), 0);
        ASSERT_TRUE(hears(l, RTM_DELROUTE, RTNLGRP_IPV4_ROUTE, &m, sizeof(m)) > 0);
        EXPECT_EQ(m.rtm_scope, RT_SCOPE_LINK);
        EXPECT_EQ(change_route(s, RTM_DELROUTE, 0, "192.0.2.0", 24, NULL), ESRCH);
    }
}

TEST(controller)
{
    int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
    ASSERT_OK(s);
    struct {
        struct nlmsghdr h;
        struct genlmsghdr g;
        struct nlattr a;
        char name[12];
    } q = {{sizeof(q), GENL_ID_CTRL, NLM_F_REQUEST, 5, 0}, {CTRL_CMD_GETFAMILY, 1, 0},
           {NLA_HDRLEN + 7, CTRL_ATTR_FAMILY_NAME}, "nlctrl"};
    char b[4096];
    EXPECT_EQ(send(s, &q, sizeof(q), 0), sizeof(q));
    ASSERT_TRUE(recv(s, b, sizeof(b), 0) > 0);
    struct nlmsghdr *h = (void *)b;
    EXPECT_EQ(h->nlmsg_type, GENL_ID_CTRL);
    EXPECT_EQ(h->nlmsg_seq, 5);
    EXPECT_EQ(((struct genlmsghdr *)NLMSG_DATA(h))->cmd, CTRL_CMD_NEWFAMILY);
    memcpy(q.name, "nosuch\0", 7);
    EXPECT_EQ(send(s, &q, sizeof(q), 0), sizeof(q));
    ASSERT_TRUE(recv(s, b, sizeof(b), 0) > 0);
    EXPECT_EQ(h->nlmsg_type, NLMSG_ERROR);
    EXPECT_EQ(((struct nlmsgerr *)NLMSG_DATA(h))->error, -ENOENT);
    close(s);
}

TEST(uevents)
{
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = 1};
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
    char c;
    ASSERT_OK(s);
    EXPECT_OK(bind(s, (void *)&a, sizeof(a)));
    EXPECT_ERRNO(recv(s, &c, 1, 0), EAGAIN);
    close(s);
}
