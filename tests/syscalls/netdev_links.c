// SPDX-License-Identifier: Apache-2.0
// covers: socket, sendto, recvfrom
// Links that rtnetlink(7) makes: pairs between namespaces (man 4 veth), bridges and dummies; what they carry,
// and what happens to them when a namespace ends. A router between two networks (net.ipv4.ip_forward).
#include "rtnl.h"

#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/wait.h>

static int ns_fd(void) { return ASSERT_OK(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)); }
// A new namespace, in which the caller is from now on.
static int new_ns(void) {
    if (unshare(CLONE_NEWNET) < 0 && errno == EPERM && geteuid())
        _exit(77);
    return ns_fd();
}
static void enter(int ns) { ASSERT_OK(setns(ns, CLONE_NEWNET)); }

static void configure(int ns, const char *link, const char *addr) {
    enter(ns);
    ASSERT_EQ(rtnl_add_addr(link, addr, 24), 0);
    ASSERT_EQ(rtnl_up(link), 0);
}
static struct sockaddr_in at(const char *addr, int port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {inet_addr(addr)}};
}
static int udp(const char *addr, int port) {
    struct sockaddr_in a = at(addr, port);
    int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    ASSERT_OK(bind(s, (void *)&a, sizeof(a)));
    return s;
}
static int send_to(int s, const char *addr, int port, const char *text) {
    struct sockaddr_in a = at(addr, port);
    return sendto(s, text, strlen(text), 0, (void *)&a, sizeof(a)) < 0 ? errno : 0;
}
// The text arrives within some seconds; ms: or is not expected to.
static bool arrives(int s, const char *text, int ms) {
    char b[64] = "";
    struct pollfd p = {.fd = s, .events = POLLIN};
    return poll(&p, 1, ms) == 1 && recv(s, b, sizeof(b) - 1, 0) == (ssize_t)strlen(text) && !strcmp(b, text);
}
static unsigned flags_of(const char *name) {
    struct ifreq r = {0};
    int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    strcpy(r.ifr_name, name);
    ASSERT_OK(ioctl(s, SIOCGIFFLAGS, &r));
    close(s);
    return (unsigned short)r.ifr_flags;
}

TEST(a_pair_carries_between_namespaces) {
    IN_CHILD {
        int there = new_ns(), here = new_ns();
        ASSERT_EQ(rtnl_add_link("veth", "v0", "v1", there), 0);
        EXPECT_EQ(if_nametoindex("v1"), 0);
        configure(here, "v0", "10.9.0.1");
        for (int i = 0; i < 750 && flags_of("v0") & IFF_RUNNING; i++)
            sleep_ms(20);  // Linux finds out later
        EXPECT_EQ(flags_of("v0") & (IFF_UP | IFF_RUNNING), IFF_UP);
        configure(there, "v1", "10.9.0.2");
        for (int i = 0; i < 750 && !(flags_of("v1") & IFF_RUNNING); i++)
            sleep_ms(20);
        EXPECT_EQ(flags_of("v1") & (IFF_UP | IFF_RUNNING), IFF_UP | IFF_RUNNING);
        int b = udp("10.9.0.2", 900);
        enter(here);
        int a = udp("10.9.0.1", 900);
        EXPECT_EQ(send_to(a, "10.9.0.2", 900, "there"), 0);
        EXPECT_TRUE(arrives(b, "there", 5000));
        EXPECT_EQ(send_to(b, "10.9.0.1", 900, "back"), 0);
        EXPECT_TRUE(arrives(a, "back", 5000));
    }
}

TEST(streams_over_a_pair) {
    IN_CHILD {
        int there = new_ns(), here = new_ns();
        ASSERT_EQ(rtnl_add_link("veth", "v0", "v1", there), 0);
        configure(here, "v0", "10.9.0.1");
        configure(there, "v1", "10.9.0.2");
        struct sockaddr_in a = at("10.9.0.2", 901);
        int l = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
        ASSERT_OK(bind(l, (void *)&a, sizeof(a)));
        ASSERT_OK(listen(l, 1));
        enter(here);
        pid_t pid = fork_child();
        if (pid == 0) {
            static char block[65536];
            size_t sum = 0;
            ssize_t n;
            int c = ASSERT_OK(accept(l, NULL, NULL));
            while ((n = read(c, block, sizeof(block))) > 0)
                for (ssize_t i = 0; i < n; i++, sum++)
                    if (block[i] != (char)(sum * 7 >> 3))
                        _exit(1);
            _exit(sum == 16 * 65536 + 1 ? 0 : 2);
        }
        static char data[16 * 65536 + 1];
        for (size_t i = 0; i < sizeof(data); i++)
            data[i] = (char)(i * 7 >> 3);
        int s = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
        ASSERT_OK(connect(s, (void *)&a, sizeof(a)));
        for (size_t done = 0; done < sizeof(data);) {
            ssize_t n = ASSERT_OK(write(s, data + done, sizeof(data) - done));
            done += (size_t)n;
        }
        close(s);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

TEST(a_pair_ends_with_its_other_end) {
    IN_CHILD {
        int there = new_ns();
        new_ns();
        ASSERT_EQ(rtnl_add_link("veth", "v0", "v1", there), 0);
        ASSERT_EQ(rtnl_del_link("v0"), 0);
        enter(there);
        EXPECT_EQ(if_nametoindex("v1"), 0);
        // and with the namespace of that
        int here = new_ns();
        ASSERT_EQ(rtnl_add_link("veth", "w0", "w1", there), 0);
        close(there);
        there = -1;
        for (int i = 0; i < 300 && if_nametoindex("w0"); i++)
            sleep_ms(50);
        EXPECT_EQ(if_nametoindex("w0"), 0);
        close(here);
    }
}

TEST(links_are_changed) {
    IN_CHILD {
        int there = new_ns();
        new_ns();
        unsigned char mac[6] = {2, 0, 0, 0, 0, 9}, group[6] = {3};
        struct ifreq r = {0};
        int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        ASSERT_EQ(rtnl_add_link("veth", "d0", "d1", -1), 0);
        EXPECT_EQ(rtnl_set_int("d0", IFLA_MTU, 1400), 0);
        EXPECT_EQ(rtnl_set_int("d0", IFLA_MTU, 67), EINVAL);
        EXPECT_EQ(rtnl_set_link("d0", -1, IFLA_ADDRESS, mac, 6), 0);
        EXPECT_EQ(rtnl_set_link("d0", -1, IFLA_ADDRESS, group, 6), EADDRNOTAVAIL);
        EXPECT_EQ(rtnl_set_link("d0", -1, IFLA_IFNAME, "d1", 3), EEXIST);
        EXPECT_EQ(rtnl_set_link("d0", -1, IFLA_IFNAME, "a/b", 4), EINVAL);
        EXPECT_EQ(rtnl_set_link("d0", -1, IFLA_IFNAME, "renamed", 8), 0);
        strcpy(r.ifr_name, "renamed");
        ASSERT_OK(ioctl(s, SIOCGIFMTU, &r));
        EXPECT_EQ(r.ifr_mtu, 1400);
        ASSERT_OK(ioctl(s, SIOCGIFHWADDR, &r));
        EXPECT_MEMEQ(r.ifr_hwaddr.sa_data, mac, 6);
        EXPECT_EQ(rtnl_set_int("renamed", IFLA_NET_NS_FD, there), 0);
        EXPECT_EQ(if_nametoindex("renamed"), 0);
        EXPECT_EQ(rtnl_set_int("d1", IFLA_NET_NS_FD, s), EINVAL);
        EXPECT_EQ(rtnl_set_int("lo", IFLA_NET_NS_FD, there), EINVAL);
        enter(there);
        EXPECT_TRUE(if_nametoindex("renamed") > 0);
        EXPECT_EQ(flags_of("renamed") & IFF_UP, 0);
    }
}

TEST(what_cannot_be_made) {
    IN_CHILD {
        new_ns();
        EXPECT_EQ(rtnl_add_link("nosuchkind", "x0", NULL, -1), EOPNOTSUPP);
        EXPECT_EQ(rtnl_add_link("veth", "lo", "x1", -1), EEXIST);
        EXPECT_EQ(rtnl_add_link("veth", "a b", "x1", -1), EINVAL);
        EXPECT_EQ(rtnl_add_link("veth", "v0", "v0", -1), EEXIST);
        EXPECT_EQ(if_nametoindex("v0"), 0);
        EXPECT_EQ(rtnl_del_link("lo"), EOPNOTSUPP);
    }
}

TEST(a_dummy_swallows) {
    IN_CHILD {
        new_ns();
        int err = rtnl_add_link("dummy", "d0", NULL, -1);
        if (err == EOPNOTSUPP)
            SKIP("a Linux without dummies");
        ASSERT_EQ(err, 0);
        ASSERT_EQ(rtnl_add_addr("d0", "10.7.0.1", 24), 0);
        ASSERT_EQ(rtnl_up("d0"), 0);
        int s = udp("10.7.0.1", 900);
        EXPECT_EQ(send_to(s, "10.7.0.2", 900, "lost"), 0);
        EXPECT_TRUE(!arrives(s, "lost", 100));
    }
}

// Three namespaces on a bridge in a fourth.
TEST(a_bridge_joins_ports) {
    IN_CHILD {
        int ns[3], s[3];
        char link[8], addr[16];
        for (int i = 0; i < 3; i++)
            ns[i] = new_ns();
        int hub = new_ns();
        ASSERT_EQ(rtnl_add_link("bridge", "br0", NULL, -1), 0);
        for (int i = 0; i < 3; i++) {
            sprintf(link, "p%d", i);
            enter(hub);
            ASSERT_EQ(rtnl_add_link("veth", link, "eth0", ns[i]), 0);
            ASSERT_EQ(rtnl_set_int(link, IFLA_MASTER, (int)if_nametoindex("br0")), 0);
            ASSERT_EQ(rtnl_up(link), 0);
            sprintf(addr, "10.8.0.%d", i + 1);
            configure(ns[i], "eth0", addr);
            s[i] = udp(addr, 900);
        }
        configure(hub, "br0", "10.8.0.9");
        int own = udp("10.8.0.9", 900);
        EXPECT_EQ(send_to(s[0], "10.8.0.2", 900, "one"), 0);
        EXPECT_TRUE(arrives(s[1], "one", 5000));
        EXPECT_EQ(send_to(s[1], "10.8.0.3", 900, "two"), 0);
        EXPECT_TRUE(arrives(s[2], "two", 5000));
        EXPECT_EQ(send_to(s[2], "10.8.0.9", 900, "bridge"), 0);
        EXPECT_TRUE(arrives(own, "bridge", 5000));
        EXPECT_EQ(send_to(own, "10.8.0.1", 900, "back"), 0);
        EXPECT_TRUE(arrives(s[0], "back", 5000));
        // a port that is none any more
        ASSERT_EQ(rtnl_set_int("p1", IFLA_MASTER, 0), 0);
        EXPECT_EQ(send_to(s[0], "10.8.0.2", 900, "lost"), 0);
        EXPECT_TRUE(!arrives(s[1], "lost", 200));
        EXPECT_EQ(rtnl_set_int("br0", IFLA_MASTER, (int)if_nametoindex("br0")), ELOOP);
    }
}

// left - router - right. In the router's namespace when it returns.
static void build_router(int *left, int *router, int *right) {
    *left = new_ns();
    *right = new_ns();
    *router = new_ns();
    ASSERT_EQ(rtnl_add_link("veth", "rl", "eth0", *left), 0);
    ASSERT_EQ(rtnl_add_link("veth", "rr", "eth0", *right), 0);
    configure(*left, "eth0", "10.1.0.2");
    configure(*right, "eth0", "10.2.0.2");
    configure(*router, "rl", "10.1.0.1");
    configure(*router, "rr", "10.2.0.1");
    put_file("/proc/sys/net/ipv4/ip_forward", "1");
    enter(*left);
    ASSERT_EQ(rtnl_add_gateway("10.1.0.1"), 0);
    enter(*right);
    ASSERT_EQ(rtnl_add_gateway("10.2.0.1"), 0);
    enter(*router);
}
// Who complained about what s sent, and how.
static int complaint(int s, struct sock_extended_err *e, struct in_addr *who) {
    char control[512], data[64];
    struct iovec v = {data, sizeof(data)};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct pollfd p = {.fd = s, .events = 0};
    if (poll(&p, 1, 5000) != 1 || recvmsg(s, &m, MSG_ERRQUEUE) < 0)
        return -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    memcpy(e, CMSG_DATA(c), sizeof(*e));
    *who = ((struct sockaddr_in *)SO_EE_OFFENDER((struct sock_extended_err *)CMSG_DATA(c)))->sin_addr;
    return 0;
}

TEST(a_router_forwards) {
    IN_CHILD {
        int left, router, right, ttl = 1, on = 1, discover = IP_PMTUDISC_DO;
        struct sock_extended_err e;
        struct in_addr who;
        build_router(&left, &router, &right);
        enter(right);
        int b = udp("10.2.0.2", 900);
        enter(left);
        int a = udp("10.1.0.2", 900);
        EXPECT_EQ(send_to(a, "10.2.0.2", 900, "across"), 0);
        EXPECT_TRUE(arrives(b, "across", 5000));
        EXPECT_EQ(send_to(b, "10.1.0.2", 900, "back"), 0);
        EXPECT_TRUE(arrives(a, "back", 5000));
        // too old, and to nowhere
        ASSERT_OK(setsockopt(a, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)));
        ASSERT_OK(setsockopt(a, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)));
        EXPECT_EQ(send_to(a, "10.2.0.2", 900, "old"), 0);
        ASSERT_OK(complaint(a, &e, &who));
        EXPECT_EQ(e.ee_type, 11);
        EXPECT_EQ(e.ee_code, 0);
        EXPECT_EQ(who.s_addr, inet_addr("10.1.0.1"));
        ttl = 64;
        ASSERT_OK(setsockopt(a, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)));
        EXPECT_EQ(send_to(a, "10.77.0.1", 900, "nowhere"), 0);
        ASSERT_OK(complaint(a, &e, &who));
        EXPECT_EQ(e.ee_type, 3);
        EXPECT_EQ(e.ee_code, 0);
        // too long for the second link
        static char big[1300];
        struct sockaddr_in to = at("10.2.0.2", 900);
        enter(router);
        ASSERT_EQ(rtnl_set_int("rr", IFLA_MTU, 1200), 0);
        ASSERT_OK(setsockopt(a, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover)));
        EXPECT_EQ(sendto(a, big, sizeof(big), 0, (void *)&to, sizeof(to)), (ssize_t)sizeof(big));
        ASSERT_OK(complaint(a, &e, &who));
        EXPECT_EQ(e.ee_type, 3);
        EXPECT_EQ(e.ee_code, 4);
        EXPECT_EQ(e.ee_info, 1200);
        discover = IP_PMTUDISC_DONT;
        ASSERT_OK(setsockopt(a, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover)));
        EXPECT_EQ(sendto(a, big, sizeof(big), 0, (void *)&to, sizeof(to)), (ssize_t)sizeof(big));
        struct pollfd p = {.fd = b, .events = POLLIN};
        EXPECT_EQ(poll(&p, 1, 20000), 1);
        EXPECT_EQ(recv(b, big, sizeof(big), 0), (ssize_t)sizeof(big));
        // and when it forwards no more
        put_file("/proc/sys/net/ipv4/ip_forward", "0");
        EXPECT_EQ(send_to(a, "10.2.0.2", 900, "lost"), 0);
        EXPECT_TRUE(!arrives(b, "lost", 200));
    }
}

TEST(neighbours_are_told_and_changed) {
    IN_CHILD {
        int there = new_ns(), here = new_ns();
        unsigned char mac[6] = {2, 0, 0, 0, 0, 1};
        struct in_addr ip = {inet_addr("10.9.0.77")};
        ASSERT_EQ(rtnl_add_link("veth", "v0", "v1", there), 0);
        configure(here, "v0", "10.9.0.1");
        struct ndmsg m = {
            .ndm_family = AF_INET, .ndm_ifindex = (int)if_nametoindex("v0"), .ndm_state = NUD_PERMANENT};
        struct rtnl_ask q = rtnl_new(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
        rtnl_put(&q, NDA_DST, &ip, sizeof(ip));
        rtnl_put(&q, NDA_LLADDR, mac, sizeof(mac));
        EXPECT_EQ(rtnl_send(&q), 0);
        EXPECT_EQ(rtnl_send(&q), EEXIST);
        // told of
        struct ndmsg all = {.ndm_family = AF_INET};
        struct rtnl_ask d = rtnl_new(RTM_GETNEIGH, NLM_F_DUMP, &all, sizeof(all));
        static char b[8192];
        int s = ASSERT_OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
        ASSERT_OK(send(s, &d, d.h.nlmsg_len, 0));
        ssize_t n = ASSERT_OK(recv(s, b, sizeof(b), 0));
        struct nlmsghdr *h = (void *)b;
        ASSERT_TRUE(n > (ssize_t)NLMSG_LENGTH(sizeof(m)));
        EXPECT_EQ(h->nlmsg_type, RTM_NEWNEIGH);
        EXPECT_EQ(((struct ndmsg *)NLMSG_DATA(h))->ndm_state, NUD_PERMANENT);
        q = rtnl_new(RTM_DELNEIGH, 0, &m, sizeof(m));
        rtnl_put(&q, NDA_DST, &ip, sizeof(ip));
        EXPECT_EQ(rtnl_send(&q), 0);
        EXPECT_EQ(rtnl_send(&q), ENOENT);
    }
}
