// SPDX-License-Identifier: Apache-2.0
// Requests of rtnetlink(7) about links, addresses, routes and neighbours, for tests that build networks: each
// returns 0 or the errno of the answer. They are made in the caller's network namespace.
#pragma once
#include "guest.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef VETH_INFO_PEER
#define VETH_INFO_PEER 1
#endif

struct rtnl_ask {
    struct nlmsghdr h;
    char body[1024];
};
// A request of that type, with n bytes of a fixed part.
GUEST_FN struct rtnl_ask rtnl_new(int type, int flags, const void *fixed, size_t n) {
    struct rtnl_ask q = {.h = {.nlmsg_len = NLMSG_LENGTH(n),
                               .nlmsg_type = type,
                               .nlmsg_flags = flags | NLM_F_REQUEST | NLM_F_ACK}};
    memcpy(NLMSG_DATA(&q.h), fixed, n);
    return q;
}
GUEST_FN struct rtattr *rtnl_put(struct rtnl_ask *q, int type, const void *data, size_t n) {
    struct rtattr *a = (void *)((char *)q + NLMSG_ALIGN(q->h.nlmsg_len));
    a->rta_type = type;
    a->rta_len = RTA_LENGTH(n);
    if (n)
        memcpy(RTA_DATA(a), data, n);
    q->h.nlmsg_len = NLMSG_ALIGN(q->h.nlmsg_len) + RTA_SPACE(n);
    return a;
}
GUEST_FN void rtnl_put_str(struct rtnl_ask *q, int type, const char *s) {
    rtnl_put(q, type, s, strlen(s) + 1);
}
GUEST_FN void rtnl_put_int(struct rtnl_ask *q, int type, int v) { rtnl_put(q, type, &v, sizeof(v)); }
// What has been put since `a` lies in it.
GUEST_FN void rtnl_nest(struct rtnl_ask *q, struct rtattr *a) {
    a->rta_len = (char *)q + q->h.nlmsg_len - (char *)a;
}

GUEST_FN int rtnl_send(struct rtnl_ask *q) {
    char b[2048];
    int s = ASSERT_OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    ASSERT_EQ(send(s, q, q->h.nlmsg_len, 0), (ssize_t)q->h.nlmsg_len);
    ASSERT_TRUE(recv(s, b, sizeof(b), 0) > 0);
    close(s);
    struct nlmsghdr *h = (void *)b;
    EXPECT_EQ(h->nlmsg_type, NLMSG_ERROR);
    return -((struct nlmsgerr *)NLMSG_DATA(h))->error;
}

// netns: a descriptor of the peer's namespace, or -1. peer: NULL for links that are no pairs.
GUEST_FN int rtnl_add_link(const char *kind, const char *name, const char *peer, int netns) {
    struct ifinfomsg m = {0};
    struct rtnl_ask q = rtnl_new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
    rtnl_put_str(&q, IFLA_IFNAME, name);
    struct rtattr *info = rtnl_put(&q, IFLA_LINKINFO, NULL, 0);
    rtnl_put_str(&q, IFLA_INFO_KIND, kind);
    if (peer) {
        struct rtattr *data = rtnl_put(&q, IFLA_INFO_DATA, NULL, 0);
        struct rtattr *other = rtnl_put(&q, VETH_INFO_PEER, &m, sizeof(m));
        rtnl_put_str(&q, IFLA_IFNAME, peer);
        if (netns >= 0)
            rtnl_put_int(&q, IFLA_NET_NS_FD, netns);
        rtnl_nest(&q, other);
        rtnl_nest(&q, data);
    }
    rtnl_nest(&q, info);
    return rtnl_send(&q);
}
GUEST_FN int rtnl_del_link(const char *name) {
    struct ifinfomsg m = {.ifi_index = (int)if_nametoindex(name)};
    struct rtnl_ask q = rtnl_new(RTM_DELLINK, 0, &m, sizeof(m));
    return rtnl_send(&q);
}
// One attribute, and the state: up 1, down 0, as it is -1.
GUEST_FN int rtnl_set_link(const char *name, int up, int attr, const void *data, size_t n) {
    struct ifinfomsg m = {.ifi_index = (int)if_nametoindex(name)};
    if (up >= 0) {
        m.ifi_change = IFF_UP;
        m.ifi_flags = up ? IFF_UP : 0;
    }
    struct rtnl_ask q = rtnl_new(RTM_NEWLINK, 0, &m, sizeof(m));
    if (attr)
        rtnl_put(&q, attr, data, n);
    return rtnl_send(&q);
}
GUEST_FN int rtnl_up(const char *name) { return rtnl_set_link(name, 1, 0, NULL, 0); }
GUEST_FN int rtnl_set_int(const char *name, int attr, int v) {
    return rtnl_set_link(name, -1, attr, &v, sizeof(v));
}

GUEST_FN int rtnl_add_addr(const char *name, const char *addr, int prefix) {
    struct in_addr a = {inet_addr(addr)};
    struct ifaddrmsg m = {.ifa_family = AF_INET, .ifa_prefixlen = prefix, .ifa_index = if_nametoindex(name)};
    struct rtnl_ask q = rtnl_new(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
    rtnl_put(&q, IFA_LOCAL, &a, sizeof(a));
    rtnl_put(&q, IFA_ADDRESS, &a, sizeof(a));
    return rtnl_send(&q);
}
// The default route.
GUEST_FN int rtnl_add_gateway(const char *gateway) {
    struct in_addr a = {inet_addr(gateway)};
    struct rtmsg m = {.rtm_family = AF_INET,
                      .rtm_table = RT_TABLE_MAIN,
                      .rtm_protocol = RTPROT_BOOT,
                      .rtm_type = RTN_UNICAST};
    struct rtnl_ask q = rtnl_new(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
    rtnl_put(&q, RTA_GATEWAY, &a, sizeof(a));
    return rtnl_send(&q);
}
