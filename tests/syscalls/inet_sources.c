// SPDX-License-Identifier: Apache-2.0
// covers: setsockopt, getsockopt
// Single senders of a group: joined, blocked, told and left by the old calls of IPv4 and by those of RFC 3678
// for both families, what is refused, and who is heard (man 7 ip, ip_mc_source(), ip_mc_msfilter() and their
// kin of IPv6).
#include "fresh_net.h"
#include "inet_pair.h"

#include <arpa/inet.h>

static struct in_addr at4(const char *text) {
    struct in_addr a;
    ASSERT_EQ(inet_pton(AF_INET, text, &a), 1);
    return a;
}
static struct sockaddr_storage any_address(const char *text) {
    union inet_addr a = {.room = {0}};
    a.any.sa_family = strchr(text, ':') ? AF_INET6 : AF_INET;
    ASSERT_EQ(inet_pton(a.any.sa_family, text,
                        a.any.sa_family == AF_INET ? (void *)&a.in.sin_addr : &a.in6.sin6_addr),
              1);
    return a.room;
}
static int level_of(int family) { return family == AF_INET ? SOL_IP : SOL_IPV6; }
static const char *const group_of[] = {"239.1.2.3", "ff15::1:2"};
static const char *group(int family) { return group_of[family == AF_INET6]; }

static int old_source(int fd, int name, const char *source) {
    struct ip_mreq_source m = {at4("239.1.2.3"), at4("127.0.0.1"), at4(source)};
    return setsockopt(fd, SOL_IP, name, &m, sizeof(m));
}
static int source(int fd, int family, int name, const char *from) {
    struct group_source_req r = {
        .gsr_interface = 1, .gsr_group = any_address(group(family)), .gsr_source = any_address(from)};
    return setsockopt(fd, level_of(family), name, &r, sizeof(r));
}
static int whole(int fd, int family, int name) {
    struct group_req r = {.gr_interface = 1, .gr_group = any_address(group(family))};
    return setsockopt(fd, level_of(family), name, &r, sizeof(r));
}

// What a socket is told of the group's senders: the mode, and how many. -1: it is refused
struct told {
    int mode, count;
};
static struct told ask(int fd, int family) {
    union {
        struct group_filter f;
        char room[sizeof(struct group_filter) + 9 * sizeof(struct sockaddr_storage)];
    } u = {.f = {.gf_interface = 1, .gf_group = any_address(group(family)), .gf_numsrc = 10}};
    socklen_t n = sizeof(u);
    if (getsockopt(fd, level_of(family), MCAST_MSFILTER, &u, &n) < 0)
        return (struct told){-1, errno};
    if (u.f.gf_numsrc <= 10)
        EXPECT_EQ(n, GROUP_FILTER_SIZE(u.f.gf_numsrc));
    return (struct told){(int)u.f.gf_fmode, (int)u.f.gf_numsrc};
}
#define EXPECT_TOLD(fd, family, fmode, number) \
    do { \
        struct told told_ = ask(fd, family); \
        EXPECT_EQ(told_.mode, fmode); \
        EXPECT_EQ(told_.count, number); \
    } while (0)

TEST(joined_and_left) {
    IN_CHILD {
        fresh_net();
        BOTH_FAMILIES(family) {
            const char *a = family == AF_INET ? "10.1.1.1" : "fd00::1",
                       *b = family == AF_INET ? "10.1.1.2" : "fd00::2";
            int fd = ASSERT_OK(socket(family, SOCK_DGRAM, 0));
            EXPECT_TOLD(fd, family, -1, EADDRNOTAVAIL);
            EXPECT_ERRNO(source(fd, family, MCAST_BLOCK_SOURCE, a), EINVAL);
            EXPECT_ERRNO(source(fd, family, MCAST_LEAVE_SOURCE_GROUP, a), EINVAL);
            EXPECT_OK(source(fd, family, MCAST_JOIN_SOURCE_GROUP, a));
            EXPECT_TOLD(fd, family, MCAST_INCLUDE, 1);
            EXPECT_ERRNO(source(fd, family, MCAST_JOIN_SOURCE_GROUP, a), EADDRNOTAVAIL);
            EXPECT_ERRNO(whole(fd, family, MCAST_JOIN_GROUP), EADDRINUSE);
            EXPECT_OK(source(fd, family, MCAST_JOIN_SOURCE_GROUP, b));
            EXPECT_TOLD(fd, family, MCAST_INCLUDE, 2);
            EXPECT_ERRNO(source(fd, family, MCAST_BLOCK_SOURCE, a), EINVAL);
            EXPECT_OK(source(fd, family, MCAST_LEAVE_SOURCE_GROUP, a));
            EXPECT_ERRNO(source(fd, family, MCAST_LEAVE_SOURCE_GROUP, a), EADDRNOTAVAIL);
            EXPECT_OK(source(fd, family, MCAST_LEAVE_SOURCE_GROUP, b));  // the last one: the group is left
            EXPECT_TOLD(fd, family, -1, EADDRNOTAVAIL);
            EXPECT_OK(whole(fd, family, MCAST_JOIN_GROUP));
            EXPECT_TOLD(fd, family, MCAST_EXCLUDE, 0);
            EXPECT_OK(source(fd, family, MCAST_BLOCK_SOURCE, a));
            EXPECT_TOLD(fd, family, MCAST_EXCLUDE, 1);
            EXPECT_ERRNO(source(fd, family, MCAST_BLOCK_SOURCE, a), EADDRNOTAVAIL);
            EXPECT_ERRNO(source(fd, family, MCAST_JOIN_SOURCE_GROUP, b), EINVAL);
            EXPECT_OK(source(fd, family, MCAST_UNBLOCK_SOURCE, a));
            EXPECT_ERRNO(source(fd, family, MCAST_UNBLOCK_SOURCE, a), EADDRNOTAVAIL);
            EXPECT_ERRNO(source(fd, family, MCAST_JOIN_SOURCE_GROUP, b),
                         EINVAL);  // the list keeps its meaning
            EXPECT_TOLD(fd, family, MCAST_EXCLUDE, 0);
            EXPECT_OK(whole(fd, family, MCAST_LEAVE_GROUP));
            EXPECT_TOLD(fd, family, -1, EADDRNOTAVAIL);
            close(fd);
        }
    }
}

TEST(old_calls) {
    IN_CHILD {
        fresh_net();
        int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        union {
            struct ip_msfilter f;
            char room[IP_MSFILTER_SIZE(11)];
        } u = {.f = {at4("239.1.2.3"), at4("127.0.0.1"), MCAST_EXCLUDE, 2, {{0}}}};
        socklen_t n = sizeof(u);
        EXPECT_ERRNO(old_source(fd, IP_BLOCK_SOURCE, "10.0.0.1"), EINVAL);
        EXPECT_OK(old_source(fd, IP_ADD_SOURCE_MEMBERSHIP, "10.0.0.1"));
        EXPECT_OK(old_source(fd, IP_ADD_SOURCE_MEMBERSHIP, "10.0.0.2"));
        EXPECT_ERRNO(old_source(fd, IP_ADD_SOURCE_MEMBERSHIP, "10.0.0.2"), EADDRNOTAVAIL);
        EXPECT_OK(getsockopt(fd, SOL_IP, IP_MSFILTER, &u, &n));
        EXPECT_EQ(n, IP_MSFILTER_SIZE(2));
        EXPECT_EQ(u.f.imsf_fmode, MCAST_INCLUDE);
        EXPECT_EQ(u.f.imsf_numsrc, 2);
        EXPECT_EQ(u.f.imsf_slist[1].s_addr, at4("10.0.0.2").s_addr);
        u.f.imsf_numsrc = 1;  // room for one, told of two
        n = sizeof(u);
        EXPECT_OK(getsockopt(fd, SOL_IP, IP_MSFILTER, &u, &n));
        EXPECT_EQ(n, IP_MSFILTER_SIZE(1));
        EXPECT_EQ(u.f.imsf_numsrc, 2);
        u.f.imsf_fmode = MCAST_EXCLUDE;
        u.f.imsf_numsrc = 10;
        EXPECT_ERRNO(setsockopt(fd, SOL_IP, IP_MSFILTER, &u, IP_MSFILTER_SIZE(9)), EINVAL);
        EXPECT_OK(setsockopt(fd, SOL_IP, IP_MSFILTER, &u, IP_MSFILTER_SIZE(10)));
        EXPECT_TOLD(fd, AF_INET, MCAST_EXCLUDE, 10);
        EXPECT_ERRNO(old_source(fd, IP_BLOCK_SOURCE, "10.9.9.9"), ENOBUFS);
        u.f.imsf_numsrc = 11;
        EXPECT_ERRNO(setsockopt(fd, SOL_IP, IP_MSFILTER, &u, IP_MSFILTER_SIZE(11)), ENOBUFS);
        u.f.imsf_numsrc = 0;
        u.f.imsf_fmode = 7;
        EXPECT_ERRNO(setsockopt(fd, SOL_IP, IP_MSFILTER, &u, IP_MSFILTER_SIZE(0)), EINVAL);
        u.f.imsf_fmode = MCAST_INCLUDE;  // from nobody: the group is left
        EXPECT_OK(setsockopt(fd, SOL_IP, IP_MSFILTER, &u, IP_MSFILTER_SIZE(0)));
        EXPECT_TOLD(fd, AF_INET, -1, EADDRNOTAVAIL);
        EXPECT_ERRNO(setsockopt(fd, SOL_IP, IP_MSFILTER, &u, IP_MSFILTER_SIZE(0)), EADDRNOTAVAIL);
    }
}

// Two senders on the loopback; the receiver hears those that it wants to.
static int heard(int to, int from[2], const union inet_addr *g) {
    int mask = 0;
    char c;
    for (int k = 0; k < 2; k++) {
        c = (char)(1 << k);
        EXPECT_EQ(sendto(from[k], &c, 1, 0, &g->any, sizeof(g->in)), 1);
    }
    while (recv(to, &c, 1, MSG_DONTWAIT) == 1)
        mask |= c;
    return mask;
}

TEST(who_is_heard) {
    IN_CHILD {
        fresh_net();
        int to = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0)), from[2];
        union inet_addr g = loopback(AF_INET, 0), a = g;
        g.in.sin_addr = at4("239.1.2.3");
        ASSERT_OK(bind(to, &g.any, sizeof(g.in)));
        g.in.sin_port = htons((uint16_t)port_of(to));
        for (int k = 0; k < 2; k++) {
            struct in_addr lo = at4("127.0.0.1");
            a.in.sin_addr = at4(k ? "127.0.0.3" : "127.0.0.2");
            from[k] = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
            ASSERT_OK(bind(from[k], &a.any, sizeof(a.in)));
            ASSERT_OK(setsockopt(from[k], SOL_IP, IP_MULTICAST_IF, &lo, sizeof(lo)));
        }
        EXPECT_OK(old_source(to, IP_ADD_SOURCE_MEMBERSHIP, "127.0.0.2"));
        EXPECT_EQ(heard(to, from, &g), 1);
        EXPECT_OK(old_source(to, IP_ADD_SOURCE_MEMBERSHIP, "127.0.0.3"));
        EXPECT_EQ(heard(to, from, &g), 3);
        EXPECT_OK(whole(to, AF_INET, MCAST_LEAVE_GROUP));
        EXPECT_OK(whole(to, AF_INET, MCAST_JOIN_GROUP));
        EXPECT_EQ(heard(to, from, &g), 3);
        EXPECT_OK(source(to, AF_INET, MCAST_BLOCK_SOURCE, "127.0.0.2"));
        EXPECT_EQ(heard(to, from, &g), 2);
        EXPECT_OK(source(to, AF_INET, MCAST_UNBLOCK_SOURCE, "127.0.0.2"));
        EXPECT_EQ(heard(to, from, &g), 3);
    }
}

// A socket of IPv6 in a group of IPv4: the level says which family is meant.
TEST(levels) {
    IN_CHILD {
        fresh_net();
        int fd = ASSERT_OK(socket(AF_INET6, SOCK_DGRAM, 0));
        EXPECT_OK(whole(fd, AF_INET, MCAST_JOIN_GROUP));
        EXPECT_OK(source(fd, AF_INET, MCAST_BLOCK_SOURCE, "10.1.1.1"));
        EXPECT_TOLD(fd, AF_INET, MCAST_EXCLUDE, 1);
        EXPECT_TOLD(fd, AF_INET6, -1, EADDRNOTAVAIL);
        struct group_source_req r = {
            .gsr_interface = 1, .gsr_group = any_address("ff15::5"), .gsr_source = any_address("10.0.0.1")};
        EXPECT_ERRNO(setsockopt(fd, SOL_IPV6, MCAST_JOIN_SOURCE_GROUP, &r, sizeof(r)), EADDRNOTAVAIL);
        EXPECT_ERRNO(setsockopt(fd, SOL_IP, MCAST_JOIN_SOURCE_GROUP, &r, sizeof(r)), EADDRNOTAVAIL);
        r.gsr_group = any_address("10.0.0.9");
        EXPECT_ERRNO(setsockopt(fd, SOL_IP, MCAST_JOIN_SOURCE_GROUP, &r, sizeof(r)), EINVAL);
        r.gsr_group = any_address("239.0.0.9");
        r.gsr_interface = 7777;
        EXPECT_ERRNO(setsockopt(fd, SOL_IP, MCAST_JOIN_SOURCE_GROUP, &r, sizeof(r)), ENODEV);
        EXPECT_ERRNO(setsockopt(fd, SOL_IP, MCAST_JOIN_SOURCE_GROUP, &r, sizeof(r) - 1), EINVAL);
    }
}
