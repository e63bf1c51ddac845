// SPDX-License-Identifier: Apache-2.0
// rtnetlink with a network of many links and addresses: dumps in several parts, filters, single objects; and
// requests that are malformed. What a machine without a network answers is in tests/syscalls/netlink_route.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "abi/errno.h"
#include "abi/socket.h"
#include "sentry/net/net.h"
#include "sentry/net/rtnetlink.h"
#include <stdio.h>
#include <string.h>

#define LINKS 40

// Links 2, 4, 6 ... each with an IPv4 and an IPv6 address.
static bool many_links(const struct net_source *s, uint32_t *at, struct net_link *out) {
    uint32_t index = *at < 2 ? 2 : (*at + 1) / 2 * 2;
    if (index > 2 * LINKS)
        return false;
    *out = (struct net_link){.index = (int32_t)index,
                             .type = LINUX_ARPHRD_ETHER,
                             .flags = LINUX_IFF_UP,
                             .mtu = 1500,
                             .hw_len = 6,
                             .qdisc = "fq"};
    snprintf(out->name, sizeof out->name, "eth%u", index);
    *at = index + 1;
    return true;
}
static bool many_addrs(const struct net_source *s, uint32_t *at, struct net_addr *out) {
    if (*at >= 2 * LINKS)
        return false;
    *out = (struct net_addr){.link = (int32_t)(*at / 2 * 2 + 2),
                             .family = *at % 2 ? LINUX_AF_INET6 : LINUX_AF_INET,
                             .prefix_len = 24,
                             .bytes = {10, 0, 0, (uint8_t)*at},
                             .broadcast = {10, 0, 0, 255},
                             .has_broadcast = *at % 2 == 0};
    ++*at;
    return true;
}
static bool no_routes(const struct net_source *s, uint32_t *at, struct net_route *out) { return false; }
static const struct net_source_ops many_ops = {.link = many_links, .addr = many_addrs, .route = no_routes};
static const struct net_source many = {&many_ops};

struct asker {
    struct rtnl_out out;
    struct rtnl_dump dump;
    unsigned messages, parts, errors;
    int32_t last_error;
    int32_t indices[4 * LINKS];
    bool done;
};
static void count(struct asker *a, const uint8_t *p, size_t n) {
    while (n > 0) {
        struct linux_nlmsghdr h;
        assert_true(n >= sizeof h);
        memcpy(&h, p, sizeof h);
        assert_true(h.nlmsg_len >= sizeof h && NL_ALIGN(h.nlmsg_len) <= n);
        assert_int_equal(h.nlmsg_seq, 9);
        assert_int_equal(h.nlmsg_pid, 5);
        if (h.nlmsg_type == LINUX_NLMSG_DONE || h.nlmsg_type == LINUX_NLMSG_ERROR) {
            memcpy(&a->last_error, p + sizeof h, sizeof a->last_error);
            a->done |= h.nlmsg_type == LINUX_NLMSG_DONE;
            a->errors += a->last_error < 0;
        } else if (a->messages < 4 * LINKS) {
            size_t at = h.nlmsg_type == LINUX_RTM_NEWADDR ? offsetof(struct linux_ifaddrmsg, ifa_index)
                                                          : offsetof(struct linux_ifinfomsg, ifi_index);
            memcpy(&a->indices[a->messages++], p + sizeof h + at, sizeof a->indices[0]);
        }
        p += NL_ALIGN(h.nlmsg_len);
        n -= NL_ALIGN(h.nlmsg_len);
    }
}
static void reply(struct rtnl_out *o, const void *msg, size_t n, const void *more, size_t more_n) {
    static _Alignas(4) uint8_t all[65536];
    assert_true(n + NL_ALIGN(more_n) <= sizeof all);
    memset(all, 0, n + NL_ALIGN(more_n));
    memcpy(all, msg, n);
    if (more_n)
        memcpy(all + n, more, more_n);
    count((struct asker *)o, all, n + NL_ALIGN(more_n));
}
static void part(struct rtnl_out *o) {
    struct asker *a = (struct asker *)o;
    _Alignas(4) uint8_t buf[RTNL_CHUNK];
    struct nl_buf b = {.p = buf, .cap = sizeof buf};
    rtnl_dump_part(o->dump, &b);
    assert_true(b.len > 0);
    a->parts++;
    count(a, b.p, b.len);
}
static void send_bytes(struct asker *a, bool strict, const void *msg, size_t n) {
    *a = (struct asker){.out = {.reply = reply, .dump_begun = part, .portid = 5, .strict = strict}};
    a->out.dump = &a->dump;
    a->out.net = &many;
    rtnl_receive(&a->out, msg, n);
    while (a->dump.running)
        part(&a->out);
}
struct message {
    struct linux_nlmsghdr h;
    union {
        struct linux_ifinfomsg link;
        struct linux_ifaddrmsg addr;
    };
};
static struct message request(uint16_t type, uint16_t flags) {
    return (struct message){.h = {sizeof(struct message), type, LINUX_NLM_F_REQUEST | flags, 9, 0}};
}

static void test_links_in_parts(void **state) {
    struct asker a;
    struct message m = request(LINUX_RTM_GETLINK, LINUX_NLM_F_DUMP);
    send_bytes(&a, false, &m, sizeof m);
    assert_int_equal(a.messages, LINKS);
    assert_true(a.parts > 3 && a.done && !a.errors);
    for (int i = 0; i < LINKS; i++)
        assert_int_equal(a.indices[i], 2 * i + 2);
}
static void test_addresses(void **state) {
    struct asker a;
    struct message m = request(LINUX_RTM_GETADDR, LINUX_NLM_F_DUMP);
    send_bytes(&a, true, &m, sizeof m);
    assert_int_equal(a.messages, 2 * LINKS);
    m.addr.ifa_family = LINUX_AF_INET6;
    send_bytes(&a, true, &m, sizeof m);
    assert_int_equal(a.messages, LINKS);
    m.addr.ifa_index = 4;
    send_bytes(&a, true, &m, sizeof m);
    assert_int_equal(a.messages, 1);
    assert_int_equal(a.indices[0], 4);
    send_bytes(&a, false, &m, sizeof m);  // not looked at
    assert_int_equal(a.messages, LINKS);
    m.addr.ifa_index = 5;
    send_bytes(&a, true, &m, sizeof m);
    assert_int_equal(a.last_error, -LINUX_ENODEV);
}
static void test_one_dump_at_a_time(void **state) {
    struct asker a;
    struct message m[2] = {request(LINUX_RTM_GETLINK, LINUX_NLM_F_DUMP),
                           request(LINUX_RTM_GETADDR, LINUX_NLM_F_DUMP)};
    send_bytes(&a, false, m, sizeof m);
    assert_int_equal(a.messages, LINKS);
    assert_int_equal(a.errors, 1);  // EBUSY
}
// Every length of a request with an attribute, and every length that the attribute claims.
static void test_malformed(void **state) {
    struct {
        struct message m;
        struct linux_nlattr a;
        char name[8];
    } q = {.m = request(LINUX_RTM_GETLINK, 0), .a = {12, LINUX_IFLA_IFNAME}, .name = "eth4"};
    struct asker a;
    for (uint32_t len = 0; len <= sizeof q; len++)
        for (uint16_t claimed = 0; claimed < 40; claimed++) {
            uint8_t exact[sizeof q];
            q.m.h.nlmsg_len = len;
            q.a.nla_len = claimed;
            memcpy(exact, &q, sizeof q);
            send_bytes(&a, false, exact, len);
            // with its NUL or without
            bool found = len >= sizeof q.m + claimed && claimed >= 8 && claimed <= 12;
            assert_int_equal(a.messages, found);
            assert_true(found || len <= sizeof q.m.h || a.errors == 1);
        }
    q.m.h.nlmsg_len = ~0u;
    send_bytes(&a, false, &q, sizeof q);
    assert_int_equal(a.messages + a.errors, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links_in_parts),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_one_dump_at_a_time),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
