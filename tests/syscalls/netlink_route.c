// SPDX-License-Identifier: Apache-2.0
// covers: socket, bind, sendto, recvfrom
// Requests about links, addresses, routes and rules where there is a loopback alone (man 7 rtnetlink,
// netlink).
#include "fresh_net.h"

#include <ifaddrs.h>
#include <linux/capability.h>
#include <linux/fib_rules.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#define OPERSTATE_UNKNOWN 0  // IF_OPER_UNKNOWN of <linux/if.h>, which <net/if.h> excludes

#define LOWER_UP 0x10000  // IFF_LOWER_UP of the same

struct ask {
    struct nlmsghdr h;
    union {
        struct ifinfomsg link;
        struct ifaddrmsg addr;
        struct rtmsg route;
        struct fib_rule_hdr rule;
        char bytes[64];
    };
};
static union {
    struct nlmsghdr h;
    char bytes[16384];
} got;
static ssize_t got_size;

static int route_socket(void)
{
    int s = ASSERT_OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    struct sockaddr_nl a = {.nl_family = AF_NETLINK};
    ASSERT_OK(bind(s, (struct sockaddr *)&a, sizeof(a)));
    return s;
}
static struct ask request(int type, int flags, size_t body)
{
    struct ask q = {
        .h = {(uint32_t)(sizeof(q.h) + body), (uint16_t)type, (uint16_t)(NLM_F_REQUEST | flags), 77, 0}};
    return q;
}
// The first message of the answer.
static struct nlmsghdr *ask(int s, const struct ask *q)
{
    memset(&got, 0, sizeof(got));
    EXPECT_EQ(send(s, q, q->h.nlmsg_len, 0), q->h.nlmsg_len);
    got_size = recv(s, &got, sizeof(got), MSG_DONTWAIT);
    ASSERT_TRUE(got_size >= (ssize_t)sizeof(got.h));
    EXPECT_EQ(got.h.nlmsg_seq, 77);
    return &got.h;
}
static int error_of(int s, const struct ask *q)
{
    struct nlmsghdr *h = ask(s, q);
    ASSERT_EQ(h->nlmsg_type, NLMSG_ERROR);
    return -((struct nlmsgerr *)NLMSG_DATA(h))->error;
}
static const void *attribute(struct nlmsghdr *h, size_t body, unsigned short type)
{
    struct rtattr *a = (void *)((char *)NLMSG_DATA(h) + NLMSG_ALIGN(body));
    size_t left = h->nlmsg_len - NLMSG_LENGTH(NLMSG_ALIGN(body));
    for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == type)
            return RTA_DATA(a);
    return "missing";
}
static void expect_lo(struct nlmsghdr *h)
{
    struct ifinfomsg *m = NLMSG_DATA(h);
    ASSERT_EQ(h->nlmsg_type, RTM_NEWLINK);
    EXPECT_EQ(m->ifi_index, 1);
    EXPECT_EQ(m->ifi_type, ARPHRD_LOOPBACK);
    EXPECT_EQ(m->ifi_flags, IFF_LOOPBACK | IFF_UP | IFF_RUNNING | LOWER_UP);
    EXPECT_STREQ(attribute(h, sizeof(*m), IFLA_IFNAME), "lo");
    EXPECT_STREQ(attribute(h, sizeof(*m), IFLA_QDISC), "noqueue");
    EXPECT_EQ(*(const uint32_t *)attribute(h, sizeof(*m), IFLA_MTU), 65536);
    EXPECT_EQ(*(const uint32_t *)attribute(h, sizeof(*m), IFLA_TXQLEN), 1000);
    EXPECT_EQ(*(const uint8_t *)attribute(h, sizeof(*m), IFLA_OPERSTATE), OPERSTATE_UNKNOWN);
    EXPECT_MEMEQ(attribute(h, sizeof(*m), IFLA_ADDRESS), "\0\0\0\0\0\0", 6);
}
// All messages of a dump but NLMSG_DONE; calls each() for them.
static int dump(int s, const struct ask *q, void (*each)(struct nlmsghdr *h, int n))
{
    int n = 0;
    struct nlmsghdr *h = ask(s, q);
    for (size_t left = (size_t)got_size;; h = NLMSG_NEXT(h, left)) {
        if (!NLMSG_OK(h, left)) {
            left = (size_t)ASSERT_OK(recv(s, &got, sizeof(got), MSG_DONTWAIT));
            h = &got.h;
        }
        ASSERT_TRUE(h->nlmsg_type != NLMSG_ERROR);
        EXPECT_TRUE(h->nlmsg_flags & NLM_F_MULTI);
        if (h->nlmsg_type == NLMSG_DONE)
            return n;
        if (each)
            each(h, n);
        n++;
    }
}
static void each_link(struct nlmsghdr *h, int n)
{
    EXPECT_EQ(n, 0);
    expect_lo(h);
}
static void each_rule(struct nlmsghdr *h, int n)
{
    static const uint8_t tables[] = {RT_TABLE_LOCAL, RT_TABLE_MAIN, RT_TABLE_DEFAULT};
    struct fib_rule_hdr *m = NLMSG_DATA(h);
    ASSERT_TRUE(n < 3);
    EXPECT_EQ(m->table, tables[n]);
    EXPECT_EQ(m->action, FR_ACT_TO_TBL);
}

TEST(links)
{
    IN_CHILD {
        fresh_net();
        int s = route_socket();
        struct ask q = request(RTM_GETLINK, NLM_F_DUMP, sizeof(q.link));
        EXPECT_EQ(dump(s, &q, each_link), 1);
        q = request(RTM_GETLINK, NLM_F_DUMP, 1);  // old programs send no more than a family
        EXPECT_EQ(dump(s, &q, each_link), 1);
        q = request(RTM_GETLINK, 0, sizeof(q.link));
        q.link.ifi_index = 1;
        expect_lo(ask(s, &q));
        EXPECT_EQ(got.h.nlmsg_flags, 0);
        EXPECT_ERRNO(recv(s, &got, sizeof(got), MSG_DONTWAIT), EAGAIN);
        q.h.nlmsg_flags |= NLM_F_ACK;
        expect_lo(ask(s, &q));
        EXPECT_EQ(recv(s, &got, sizeof(got), MSG_DONTWAIT), 36);
        EXPECT_EQ(got.h.nlmsg_type, NLMSG_ERROR);
        EXPECT_EQ(((struct nlmsgerr *)NLMSG_DATA(&got.h))->error, 0);
        q = request(RTM_GETLINK, 0, sizeof(q.link));
        q.link.ifi_index = 2;
        EXPECT_EQ(error_of(s, &q), ENODEV);
        q.link.ifi_index = 0;
        EXPECT_EQ(error_of(s, &q), EINVAL);
        q.h.nlmsg_len -= 4;
        EXPECT_EQ(error_of(s, &q), EINVAL);
    }
}

TEST(links_by_name)
{
    IN_CHILD {
        fresh_net();
        int s = route_socket();
        struct ask q = request(RTM_GETLINK, 0, sizeof(q.link) + 8);
        struct rtattr *a = (void *)(q.bytes + sizeof(q.link));
        *a = (struct rtattr){7, IFLA_IFNAME};
        strcpy(RTA_DATA(a), "lo");
        expect_lo(ask(s, &q));
        strcpy(RTA_DATA(a), "xx");
        EXPECT_EQ(error_of(s, &q), ENODEV);
        q = request(RTM_GETLINK, 0, sizeof(q.link) + 36);
        *a = (struct rtattr){36, IFLA_IFNAME};
        memset(RTA_DATA(a), 'x', 32);
        EXPECT_EQ(error_of(s, &q), ERANGE);
    }
}

static void each_addr(struct nlmsghdr *h, int n) {
    struct ifaddrmsg *m = NLMSG_DATA(h);
    ASSERT_TRUE(n < 2);
    EXPECT_EQ(m->ifa_family, n ? AF_INET6 : AF_INET);
    EXPECT_EQ(m->ifa_prefixlen, n ? 128 : 8);
    EXPECT_EQ(m->ifa_scope, RT_SCOPE_HOST);
    EXPECT_EQ(m->ifa_index, 1);
    EXPECT_MEMEQ(attribute(h, sizeof(*m), IFA_ADDRESS), n ? "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1" : "\x7f\0\0\1",
                 n ? 16 : 4);
    const struct ifa_cacheinfo *c = attribute(h, sizeof(*m), IFA_CACHEINFO);
    EXPECT_EQ(c->ifa_valid, ~0u);
}
static void each_route(struct nlmsghdr *h, int n) {
    struct rtmsg *m = NLMSG_DATA(h);
    EXPECT_EQ(h->nlmsg_type, RTM_NEWROUTE);
    EXPECT_EQ(m->rtm_table, RT_TABLE_LOCAL);
    EXPECT_EQ(m->rtm_protocol, RTPROT_KERNEL);
    EXPECT_EQ(*(const int *)attribute(h, sizeof(*m), RTA_OIF), 1);
    EXPECT_TRUE(m->rtm_type == RTN_LOCAL || m->rtm_type == RTN_BROADCAST);
}

TEST(addresses_and_routes) {
    IN_CHILD {
        fresh_net();
        int s = route_socket();
        struct ask q = request(RTM_GETADDR, NLM_F_DUMP, sizeof(q.addr));
        EXPECT_EQ(dump(s, &q, each_addr), 2);
        q = request(RTM_GETROUTE, NLM_F_DUMP, sizeof(q.route));
        q.route.rtm_family = AF_INET;
        EXPECT_EQ(dump(s, &q, each_route), 3);
        q.route.rtm_family = AF_INET6;
        EXPECT_EQ(dump(s, &q, each_route), 1);
        q = request(RTM_GETNEIGH, NLM_F_DUMP, sizeof(struct ndmsg));
        EXPECT_EQ(dump(s, &q, NULL), 0);
        q = request(RTM_GETRULE, NLM_F_DUMP, sizeof(q.rule));
        q.rule.family = AF_INET;
        EXPECT_EQ(dump(s, &q, each_rule), 3);
        q.rule.family = AF_INET6;
        EXPECT_EQ(dump(s, &q, each_rule), 2);
        q = request(RTM_GETROUTE, 0, sizeof(q.route) + 8);
        q.route.rtm_family = AF_INET;
        q.route.rtm_dst_len = 32;
        memcpy(q.bytes + sizeof(q.route), "\x08\0\x01\0\x01\x01\x01\x01", 8);
        EXPECT_EQ(error_of(s, &q), ENETUNREACH);
        memcpy(q.bytes + sizeof(q.route), "\x08\0\x01\0\x7f\x01\x02\x03", 8);
        struct rtmsg *m = NLMSG_DATA(ask(s, &q));
        ASSERT_EQ(got.h.nlmsg_type, RTM_NEWROUTE);
        EXPECT_EQ(m->rtm_type, RTN_LOCAL);
        EXPECT_EQ(m->rtm_dst_len, 32);
        EXPECT_MEMEQ(attribute(&got.h, sizeof(*m), RTA_DST), "\x7f\x01\x02\x03", 4);
        EXPECT_EQ(*(const int *)attribute(&got.h, sizeof(*m), RTA_OIF), 1);
    }
}

// By who may: a link goes down and up, an address comes and goes.
TEST(changes) {
    IN_CHILD {
        fresh_net();
        int s = route_socket();
        struct ask q = request(RTM_SETLINK, NLM_F_ACK, sizeof(q.link));
        q.link.ifi_index = 1;
        q.link.ifi_change = IFF_UP;
        int err = error_of(s, &q);
        if (err == EPERM)
            SKIP("may not change links");
        EXPECT_EQ(err, 0);
        EXPECT_EQ(lo_flags(s, -1), IFF_LOOPBACK);
        q.link.ifi_flags = IFF_UP;
        EXPECT_EQ(error_of(s, &q), 0);
        EXPECT_EQ(lo_flags(s, -1), IFF_LOOPBACK | IFF_UP | IFF_RUNNING);
        q.link.ifi_index = 7;
        EXPECT_EQ(error_of(s, &q), ENODEV);
        q = request(RTM_NEWADDR, NLM_F_ACK, sizeof(q.addr) + 8);
        q.addr.ifa_family = AF_INET;
        q.addr.ifa_prefixlen = 32;
        q.addr.ifa_index = 1;
        memcpy(q.bytes + sizeof(q.addr), "\x08\0\x02\0\x0a\x01\x02\x03", 8);
        EXPECT_EQ(error_of(s, &q), 0);
        q.h.nlmsg_flags |= NLM_F_EXCL;
        EXPECT_EQ(error_of(s, &q), EEXIST);
        int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a010203)};
        EXPECT_OK(bind(fd, (void *)&at, sizeof(at)));
        close(fd);
        q.h.nlmsg_flags &= (unsigned short)~NLM_F_EXCL;
        q.h.nlmsg_type = RTM_DELADDR;
        EXPECT_EQ(error_of(s, &q), 0);
        EXPECT_EQ(error_of(s, &q), EADDRNOTAVAIL);
        fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        EXPECT_ERRNO(bind(fd, (void *)&at, sizeof(at)), EADDRNOTAVAIL);
        q = request(RTM_NEWADDR, NLM_F_ACK, sizeof(q.addr));
        q.addr.ifa_family = AF_INET;
        q.addr.ifa_index = 1;
        EXPECT_EQ(error_of(s, &q), EINVAL);
    }
}

TEST(changes_without_privilege)
{
    IN_CHILD {
        fresh_net();
        struct __user_cap_header_struct caps = {_LINUX_CAPABILITY_VERSION_3, 0};
        struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
        ASSERT_OK(syscall(SYS_capset, &caps, none));
        int s = route_socket();
        static const int types[] = {RTM_NEWLINK,  RTM_DELLINK,  RTM_SETLINK,  RTM_NEWADDR, RTM_DELADDR,
                                    RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWNEIGH, RTM_NEWRULE};
        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
            struct ask q = request(types[i], 0, sizeof(q.link));
            EXPECT_EQ(error_of(s, &q), EPERM);
        }
        struct ask q = request(200, NLM_F_ACK, 4);
        EXPECT_EQ(error_of(s, &q), EOPNOTSUPP);
        struct ifreq r = {.ifr_flags = IFF_UP};
        strcpy(r.ifr_name, "lo");
        EXPECT_ERRNO(ioctl(s, SIOCSIFFLAGS, &r), EPERM);
    }
}

// An error brings the request back, unless NETLINK_CAP_ACK is set.
TEST(errors_and_acknowledgements)
{
    IN_CHILD {
        fresh_net();
        int s = route_socket(), on = 1;
        struct ask q = request(RTM_GETLINK, 0, sizeof(q.link));
        q.link.ifi_index = 9;
        EXPECT_EQ(error_of(s, &q), ENODEV);
        EXPECT_EQ(got_size, 36 + 16);
        EXPECT_EQ(got.h.nlmsg_flags, 0);
        EXPECT_MEMEQ(got.bytes + 20, &q, q.h.nlmsg_len);
        ASSERT_OK(setsockopt(s, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)));
        EXPECT_EQ(error_of(s, &q), ENODEV);
        EXPECT_EQ(got_size, 36);
        EXPECT_EQ(got.h.nlmsg_flags, NLM_F_CAPPED);
        q = request(NLMSG_NOOP, NLM_F_ACK, 0);
        EXPECT_EQ(error_of(s, &q), 0);
        q = request(RTM_GETLINK, NLM_F_ACK, 0);  // not even a family
        EXPECT_EQ(error_of(s, &q), 0);
        q = request(RTM_GETLINK, NLM_F_ACK, sizeof(q.link));
        q.h.nlmsg_flags &= (uint16_t)~NLM_F_REQUEST;
        EXPECT_EQ(error_of(s, &q), 0);
    }
}

// A list that was asked for wrongly says so at its end.
static int dump_error_of(int s, const struct ask *q)
{
    struct nlmsghdr *h = ask(s, q);
    ASSERT_EQ(h->nlmsg_type, NLMSG_DONE);
    return -*(int *)NLMSG_DATA(h);
}

TEST(strict_checking)
{
    IN_CHILD {
        fresh_net();
        int s = route_socket(), on = 1;
        struct ask q = request(RTM_GETLINK, NLM_F_DUMP, 1);
        ASSERT_OK(setsockopt(s, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)));
        EXPECT_EQ(dump_error_of(s, &q), EINVAL);
        q = request(RTM_GETLINK, NLM_F_DUMP, sizeof(q.link));
        EXPECT_EQ(dump(s, &q, each_link), 1);
        q.link.ifi_index = 1;
        EXPECT_EQ(dump_error_of(s, &q), EINVAL);
        q = request(RTM_GETADDR, NLM_F_DUMP, sizeof(q.addr));
        q.addr.ifa_index = 1;
        EXPECT_EQ(dump(s, &q, each_addr), 2);
        q.addr.ifa_index = 5;
        EXPECT_EQ(dump_error_of(s, &q), ENODEV);
    }
}

// Several requests in one message; what is cut off is not looked at.
TEST(batches)
{
    IN_CHILD {
        fresh_net();
        int s = route_socket();
        struct {
            struct nlmsghdr h[4];
        } batch = {{{16, NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, 1, 0},
                    {16, NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, 2, 0},
                    {17, NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, 3, 0},
                    {16, NLMSG_NOOP, NLM_F_ACK, 4, 0}}};
        EXPECT_EQ(send(s, &batch, 48, 0), 48);
        for (uint32_t seq = 1; seq <= 2; seq++) {
            EXPECT_EQ(recv(s, &got, sizeof(got), MSG_DONTWAIT), 36);
            EXPECT_EQ(got.h.nlmsg_seq, seq);
        }
        EXPECT_ERRNO(recv(s, &got, sizeof(got), MSG_DONTWAIT), EAGAIN);
        batch.h[0].nlmsg_len = 15;
        EXPECT_EQ(send(s, &batch, sizeof(batch), 0), sizeof(batch));
        EXPECT_EQ(send(s, &batch, 7, 0), 7);
        EXPECT_ERRNO(recv(s, &got, sizeof(got), MSG_DONTWAIT), EAGAIN);
    }
}

// What the C library makes of it.
TEST(library)
{
    IN_CHILD {
        fresh_net();
        struct ifaddrs *list = NULL;
        ASSERT_OK(getifaddrs(&list));
        ASSERT_TRUE(list != NULL);
        EXPECT_STREQ(list->ifa_name, "lo");
        EXPECT_EQ(list->ifa_flags, IFF_LOOPBACK | IFF_UP | IFF_RUNNING | LOWER_UP);
        EXPECT_EQ(list->ifa_addr->sa_family, AF_PACKET);
        struct ifaddrs *four = list->ifa_next;
        ASSERT_TRUE(four && four->ifa_next && !four->ifa_next->ifa_next);
        EXPECT_EQ(four->ifa_addr->sa_family, AF_INET);
        EXPECT_EQ(ntohl(((struct sockaddr_in *)four->ifa_addr)->sin_addr.s_addr), INADDR_LOOPBACK);
        EXPECT_EQ(ntohl(((struct sockaddr_in *)four->ifa_netmask)->sin_addr.s_addr), 0xff000000);
        EXPECT_EQ(four->ifa_next->ifa_addr->sa_family, AF_INET6);
        freeifaddrs(list);
        struct if_nameindex *names = if_nameindex();
        ASSERT_TRUE(names != NULL);
        EXPECT_EQ(names[0].if_index, 1);
        EXPECT_STREQ(names[0].if_name, "lo");
        EXPECT_EQ(names[1].if_index, 0);
        if_freenameindex(names);
        char name[IF_NAMESIZE];
        EXPECT_EQ(if_nametoindex("lo"), 1);
        EXPECT_EQ(if_nametoindex("eth0"), 0);
        EXPECT_STREQ(if_indextoname(1, name), "lo");
    }
}
