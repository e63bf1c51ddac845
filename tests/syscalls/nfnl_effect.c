// SPDX-License-Identifier: Apache-2.0
// covers: socket, sendto, recvfrom
// Rules of nf_tables take effect: packets are dropped, rejected, counted, limited and translated, by what
// they carry and by what connection they belong to; over loopback, and through a router between two
// namespaces.
#include "nfnl.h"
#include "rtnl.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>

static struct nf n;
static char msg[8192];

static int ns_fd(void) { return ASSERT_OK(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)); }
static int new_ns(void) {
    if (unshare(CLONE_NEWNET) < 0 && errno == EPERM && geteuid())
        _exit(77);
    ASSERT_EQ(rtnl_up("lo"), 0);
    return ns_fd();
}
static void enter(int ns) { ASSERT_OK(setns(ns, CLONE_NEWNET)); }

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
static int listener(const char *addr, int port) {
    struct sockaddr_in a = at(addr, port);
    int s = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_OK(bind(s, (void *)&a, sizeof(a)));
    ASSERT_OK(listen(s, 4));
    return s;
}
static int send_to(int s, const char *addr, int port) {
    struct sockaddr_in a = at(addr, port);
    return sendto(s, "x", 1, 0, (void *)&a, sizeof(a)) < 0 ? errno : 0;
}
// Somebody who has sent something, within ms; port 0: nobody has.
static struct sockaddr_in heard(int s, int ms) {
    struct sockaddr_in from = {0};
    socklen_t len = sizeof(from);
    struct pollfd p = {.fd = s, .events = POLLIN};
    char b[16];
    if (poll(&p, 1, ms) == 1)
        ASSERT_OK(recvfrom(s, b, sizeof(b), 0, (void *)&from, &len));
    return from;
}
#define WITHIN 20000
static int connect_to(const char *addr, int port) {
    struct sockaddr_in a = at(addr, port);
    int s = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    int err = connect(s, (void *)&a, sizeof(a)) < 0 ? errno : 0;
    close(s);
    return err;
}
static void begin_with(const char *type, int hook, int priority) {
    nf_begin(&n);
    nf_table(&n, NFT_MSG_NEWTABLE, NLM_F_CREATE, "t");
    nf_chain(&n, "t", "base", type, hook, priority);
}
static void rule_for_port(int proto, int port, int verdict) {
    size_t r = nf_rule(&n, "t", "base");
    nf_to_port(&n, proto, port);
    nf_counter(&n);
    nf_verdict(&n, verdict, NULL);
    nf_end(&n, r);
}
// Packets that the last rule's counter, its expression of that number, has seen.
static unsigned long counted(int expr) {
    ASSERT_TRUE(nf_dump(NFT_MSG_GETRULE, NFT_MSG_NEWRULE, "t", msg, sizeof(msg)) > 0);
    const struct nlattr *list = nf_attr_of(msg, NFTA_RULE_EXPRESSIONS);
    const char *p = (const char *)list + NLA_HDRLEN;
    for (int i = 0; i < expr; i++)
        p += NLA_ALIGN(((const struct nlattr *)p)->nla_len);
    const struct nlattr *data = nf_attr_in((const void *)p, NFTA_EXPR_DATA);
    return nf_number(nf_attr_in(data, NFTA_COUNTER_PACKETS));
}

TEST(a_rule_drops_and_counts) {
    IN_CHILD {
        new_ns();
        int a = udp("127.0.0.1", 700), b = udp("127.0.0.1", 701), c = udp("127.0.0.1", 702);
        begin_with("filter", NF_INET_LOCAL_IN, 0);
        rule_for_port(IPPROTO_UDP, 701, NF_DROP);
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(send_to(a, "127.0.0.1", 701), 0);
        EXPECT_EQ(send_to(a, "127.0.0.1", 701), 0);
        EXPECT_EQ(send_to(a, "127.0.0.1", 702), 0);
        EXPECT_EQ(ntohs(heard(c, WITHIN).sin_port), 700);
        EXPECT_EQ(heard(b, 0).sin_port, 0);  // it was sent before what has arrived
        EXPECT_EQ(counted(4), 2);
        // without the table it arrives
        nf_begin(&n);
        nf_table(&n, NFT_MSG_DELTABLE, 0, "t");
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(send_to(a, "127.0.0.1", 701), 0);
        EXPECT_EQ(ntohs(heard(b, WITHIN).sin_port), 700);
    }
}

TEST(on_the_way_out_the_sender_hears_of_it) {
    IN_CHILD {
        new_ns();
        int a = udp("127.0.0.1", 700);
        begin_with("filter", NF_INET_LOCAL_OUT, 0);
        rule_for_port(IPPROTO_UDP, 701, NF_DROP);
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(send_to(a, "127.0.0.1", 701), EPERM);
        EXPECT_EQ(send_to(a, "127.0.0.1", 700), 0);
    }
}

static void rejecting(int proto, int port, int type, unsigned char code) {
    size_t r = nf_rule(&n, "t", "base");
    nf_to_port(&n, proto, port);
    struct nf_x x = nf_expr(&n, "reject");
    nf_u32(&n, NFTA_REJECT_TYPE, type);
    if (type == NFT_REJECT_ICMP_UNREACH)
        nf_put(&n, NFTA_REJECT_ICMP_CODE, &code, 1);
    nf_expr_end(&n, x);
    nf_end(&n, r);
}
TEST(a_rule_rejects) {
    IN_CHILD {
        new_ns();
        int l = listener("127.0.0.1", 703), a = udp("127.0.0.1", 700), b = udp("127.0.0.1", 701);
        EXPECT_EQ(connect_to("127.0.0.1", 703), 0);
        begin_with("filter", NF_INET_LOCAL_IN, 0);
        rejecting(IPPROTO_TCP, 703, NFT_REJECT_TCP_RST, 0);
        rejecting(IPPROTO_UDP, 701, NFT_REJECT_ICMP_UNREACH, 3);
        rejecting(IPPROTO_TCP, 704, NFT_REJECT_ICMP_UNREACH, 13);
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(connect_to("127.0.0.1", 703), ECONNREFUSED);
        EXPECT_EQ(connect_to("127.0.0.1", 704), EHOSTUNREACH);
        struct sockaddr_in to = at("127.0.0.1", 701);
        ASSERT_OK(connect(a, (void *)&to, sizeof(to)));
        ASSERT_OK(send(a, "x", 1, 0));
        struct pollfd p = {.fd = a, .events = POLLIN};
        EXPECT_EQ(poll(&p, 1, WITHIN), 1);
        EXPECT_ERRNO(recv(a, msg, 1, 0), ECONNREFUSED);
        EXPECT_EQ(heard(b, 0).sin_port, 0);
        close(l);
    }
}

// Only answers come in.
TEST(connections_have_states) {
    IN_CHILD {
        new_ns();
        int a = udp("127.0.0.1", 700), b = udp("127.0.0.2", 701);
        nf_begin(&n);
        nf_table(&n, NFT_MSG_NEWTABLE, NLM_F_CREATE, "t");
        nf_chain(&n, "t", "base", "filter", NF_INET_LOCAL_OUT, 0);
        size_t r = nf_rule(&n, "t", "base");
        nf_ct_state(&n, 2);  // established
        nf_verdict(&n, NF_ACCEPT, NULL);
        nf_end(&n, r);
        rule_for_port(IPPROTO_UDP, 701, NF_ACCEPT);
        r = nf_rule(&n, "t", "base");
        nf_ct_state(&n, 8);  // new
        nf_verdict(&n, NF_DROP, NULL);
        nf_end(&n, r);
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(send_to(b, "127.0.0.1", 700), EPERM);
        EXPECT_EQ(send_to(a, "127.0.0.2", 701), 0);
        EXPECT_EQ(ntohs(heard(b, WITHIN).sin_port), 700);
        EXPECT_EQ(send_to(b, "127.0.0.1", 700), 0);
        EXPECT_EQ(ntohs(heard(a, WITHIN).sin_port), 701);
    }
}

TEST(a_limit_lets_its_burst_through) {
    IN_CHILD {
        new_ns();
        int a = udp("127.0.0.1", 700), b = udp("127.0.0.1", 701);
        begin_with("filter", NF_INET_LOCAL_IN, 0);
        size_t r = nf_rule(&n, "t", "base");
        nf_to_port(&n, IPPROTO_UDP, 701);
        struct nf_x x = nf_expr(&n, "limit");
        nf_u64(&n, NFTA_LIMIT_RATE, 1);
        nf_u64(&n, NFTA_LIMIT_UNIT, 86400);
        nf_u32(&n, NFTA_LIMIT_BURST, 3);
        nf_u32(&n, NFTA_LIMIT_TYPE, NFT_LIMIT_PKTS);
        nf_expr_end(&n, x);
        nf_verdict(&n, NF_ACCEPT, NULL);
        nf_end(&n, r);
        rule_for_port(IPPROTO_UDP, 701, NF_DROP);
        EXPECT_EQ(nf_send(&n), 0);
        for (int i = 0; i < 5; i++)
            EXPECT_EQ(send_to(a, "127.0.0.1", 701), 0);
        for (int i = 0; i < 3; i++)
            EXPECT_EQ(ntohs(heard(b, WITHIN).sin_port), 700);
        EXPECT_EQ(counted(4), 2);
        EXPECT_EQ(heard(b, 0).sin_port, 0);
    }
}

// ---- Translation ------------------------------------------------------------------------------------------
static void dnat(const char *chain, int proto, int port, const char *addr, int to) {
    struct in_addr a = {inet_addr(addr)};
    unsigned short be = htons(to);
    size_t r = nf_rule(&n, "t", chain);
    nf_to_port(&n, proto, port);
    nf_immediate(&n, NFT_REG_1, &a, sizeof(a));
    nf_immediate(&n, NFT_REG_2, &be, sizeof(be));
    struct nf_x x = nf_expr(&n, "nat");
    nf_u32(&n, NFTA_NAT_TYPE, NFT_NAT_DNAT);
    nf_u32(&n, NFTA_NAT_FAMILY, NFPROTO_IPV4);
    nf_u32(&n, NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
    nf_u32(&n, NFTA_NAT_REG_PROTO_MIN, NFT_REG_2);
    nf_expr_end(&n, x);
    nf_end(&n, r);
}
TEST(our_own_packets_go_elsewhere) {
    IN_CHILD {
        new_ns();
        int l = listener("127.0.0.1", 705), a = udp("127.0.0.1", 700), b = udp("127.0.0.2", 701);
        begin_with("nat", NF_INET_LOCAL_OUT, -100);
        dnat("base", IPPROTO_TCP, 80, "127.0.0.1", 705);
        dnat("base", IPPROTO_UDP, 53, "127.0.0.2", 701);
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(connect_to("127.0.0.9", 80), 0);
        EXPECT_EQ(send_to(a, "127.0.0.8", 53), 0);
        EXPECT_EQ(ntohs(heard(b, WITHIN).sin_port), 700);
        EXPECT_EQ(send_to(b, "127.0.0.1", 700), 0);
        struct sockaddr_in from = heard(a, WITHIN);  // the answer comes from whom was asked
        EXPECT_EQ(ntohs(from.sin_port), 53);
        EXPECT_EQ(from.sin_addr.s_addr, inet_addr("127.0.0.8"));
        close(l);
    }
}

struct net {
    int inside, router, outside;
};
static void setting(const char *path, const char *v) {
    int fd = ASSERT_OK(open(path, O_WRONLY));
    ASSERT_OK(write(fd, v, strlen(v)));
    close(fd);
}
// 10.1.0.2 -- 10.1.0.1 router 10.2.0.1 -- 10.2.0.2, which knows nothing of 10.1
static struct net three(void) {
    struct net w;
    w.inside = new_ns();
    w.outside = new_ns();
    w.router = new_ns();
    ASSERT_EQ(rtnl_add_link("veth", "r0", "in", w.inside), 0);
    ASSERT_EQ(rtnl_add_link("veth", "r1", "out", w.outside), 0);
    ASSERT_EQ(rtnl_add_addr("r0", "10.1.0.1", 24), 0);
    ASSERT_EQ(rtnl_add_addr("r1", "10.2.0.1", 24), 0);
    ASSERT_EQ(rtnl_up("r0"), 0);
    ASSERT_EQ(rtnl_up("r1"), 0);
    setting("/proc/sys/net/ipv4/ip_forward", "1");
    enter(w.outside);
    ASSERT_EQ(rtnl_add_addr("out", "10.2.0.2", 24), 0);
    ASSERT_EQ(rtnl_up("out"), 0);
    enter(w.inside);
    ASSERT_EQ(rtnl_add_addr("in", "10.1.0.2", 24), 0);
    ASSERT_EQ(rtnl_up("in"), 0);
    ASSERT_EQ(rtnl_add_gateway("10.1.0.1"), 0);
    return w;
}
TEST(a_router_masquerades) {
    IN_CHILD {
        struct net w = three();
        int a = udp("10.1.0.2", 5000), other = udp("10.1.0.2", 5001);
        enter(w.outside);
        int b = udp("10.2.0.2", 700), l = listener("10.2.0.2", 701);
        enter(w.router);
        begin_with("nat", NF_INET_POST_ROUTING, 100);
        size_t r = nf_rule(&n, "t", "base");
        nf_meta(&n, NFT_META_OIFNAME, "r1\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
        nf_expr_end(&n, nf_expr(&n, "masq"));
        nf_end(&n, r);
        EXPECT_EQ(nf_send(&n), 0);
        EXPECT_EQ(send_to(a, "10.2.0.2", 700), 0);
        struct sockaddr_in from = heard(b, WITHIN);
        EXPECT_EQ(from.sin_addr.s_addr, inet_addr("10.2.0.1"));
        EXPECT_EQ(ntohs(from.sin_port), 5000);
        ASSERT_OK(sendto(b, "y", 1, 0, (void *)&from, sizeof(from)));
        from = heard(a, WITHIN);
        EXPECT_EQ(from.sin_addr.s_addr, inet_addr("10.2.0.2"));
        // a port that the router's own connection has is another's
        int own = udp("10.2.0.1", 5001);
        EXPECT_EQ(send_to(own, "10.2.0.2", 700), 0);
        EXPECT_EQ(ntohs(heard(b, WITHIN).sin_port), 5001);
        EXPECT_EQ(send_to(other, "10.2.0.2", 700), 0);
        from = heard(b, WITHIN);
        EXPECT_TRUE(from.sin_port != 0 && ntohs(from.sin_port) != 5001);
        enter(w.inside);
        EXPECT_EQ(connect_to("10.2.0.2", 701), 0);
        EXPECT_EQ(connect_to("10.2.0.2", 999), ECONNREFUSED);
        // what ICMP says of a translated packet finds its sender
        struct sockaddr_in closed = at("10.2.0.2", 998);
        ASSERT_OK(connect(a, (void *)&closed, sizeof(closed)));
        ASSERT_OK(send(a, "x", 1, 0));
        struct pollfd p = {.fd = a, .events = POLLIN};
        EXPECT_EQ(poll(&p, 1, WITHIN), 1);
        EXPECT_ERRNO(recv(a, msg, 1, 0), ECONNREFUSED);
        close(l);
    }
}
TEST(a_router_forwards_to_a_server) {
    IN_CHILD {
        struct net w = three();
        enter(w.outside);
        ASSERT_EQ(rtnl_add_gateway("10.2.0.1"), 0);
        enter(w.inside);
        int l = listener("10.1.0.2", 701), b = udp("10.1.0.2", 702);
        enter(w.router);
        begin_with("nat", NF_INET_PRE_ROUTING, -100);
        dnat("base", IPPROTO_TCP, 80, "10.1.0.2", 701);
        dnat("base", IPPROTO_UDP, 80, "10.1.0.2", 702);
        nf_chain(&n, "t", "fwd", "filter", NF_INET_FORWARD, 0);
        size_t r = nf_rule(&n, "t", "fwd");
        nf_to_port(&n, IPPROTO_TCP, 702);
        nf_verdict(&n, NF_DROP, NULL);
        nf_end(&n, r);
        EXPECT_EQ(nf_send(&n), 0);
        enter(w.outside);
        EXPECT_EQ(connect_to("10.2.0.1", 80), 0);
        int a = udp("10.2.0.2", 5000);
        EXPECT_EQ(send_to(a, "10.2.0.1", 80), 0);
        struct sockaddr_in from = heard(b, WITHIN);
        EXPECT_EQ(from.sin_addr.s_addr, inet_addr("10.2.0.2"));
        ASSERT_OK(sendto(b, "y", 1, 0, (void *)&from, sizeof(from)));
        from = heard(a, WITHIN);
        EXPECT_EQ(from.sin_addr.s_addr, inet_addr("10.2.0.1"));
        EXPECT_EQ(ntohs(from.sin_port), 80);
        close(l);
    }
}
