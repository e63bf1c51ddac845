// SPDX-License-Identifier: Apache-2.0
// Addresses and routes of an interface that come and go while the stack runs: what stays must keep on
// working, also a duplicate address check that is under way. Frames are only counted and looked at by their
// destination.
#include "abi/errno.h"
#include "netstack/netstack.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t now;
static unsigned sent;
static uint64_t clock_of(void *arg) {
    return now;
}
static void random_of(void *arg, void *buf, size_t n) {
    memset(buf, 3, n);
}
static int transmit(void *arg, const struct ns_frame *f) {
    sent++;
    return 0;
}

static struct netstack *ns;
static struct netif *nif;

static int start(void **state, enum netif_kind kind, uint32_t flags) {
    struct netstack_config c = {clock_of, random_of, NULL, 0};
    struct netif_config n = {.name = "t0",
                             .kind = kind,
                             .mac = {2, 0, 0, 0, 0, 1},
                             .mtu = 1500,
                             .flags = flags,
                             .transmit = transmit};
    now = 1000000000;
    return netstack_create(&c, &ns) || netif_add(ns, &n, &nif);
}
static int start_ip(void **state) {
    return start(state, NETIF_IP, NETIF_NO_DAD);
}
static int start_ether(void **state) {
    return start(state, NETIF_ETHER, 0);
}

static int stop(void **state) {
    struct netstack_usage u;
    netif_remove(nif);
    netstack_usage(ns, &u);
    netstack_destroy(ns);
    return u.timers || u.packets || u.buffers || u.sockets;
}

// What a datagram to that place comes to.
static int64_t reach(struct ns_ip to) {
    struct ns_sock *s;
    struct ns_mem_io m;
    struct ns_addr a = {to, 9};
    assert_int_equal(ns_socket(ns, NS_INET6, NS_DGRAM, &s), 0);
    int64_t n = ns_send(s, ns_io_from(&m, "x", 1), 0, &a);
    ns_close(s);
    return n;
}

// Two addresses of one network: either may go, and the other still reaches it. RFC 1122 3.3.1.1: the network
// is on the link.
static void shared_network(void **state) {
    struct ns_ip a = ns_ip4(10, 0, 0, 1), b = ns_ip4(10, 0, 0, 7), peer = ns_ip4(10, 0, 0, 2);
    assert_int_equal(netif_add_address(nif, &a, 24), 0);
    assert_int_equal(netif_add_address(nif, &b, 24), 0);
    assert_int_equal(reach(peer), 1);
    assert_int_equal(netif_del_address(nif, &a), 0);
    assert_int_equal(reach(peer), 1);
    assert_int_equal(netif_del_address(nif, &a), -LINUX_EADDRNOTAVAIL);
    assert_int_equal(netif_del_address(nif, &b), 0);
    assert_int_equal(reach(peer), -LINUX_ENETUNREACH);
}

static void routes(void **state) {
    struct ns_ip a = ns_ip4(10, 0, 0, 1), far = ns_ip4(192, 0, 2, 1);
    assert_int_equal(netif_add_address(nif, &a, 24), 0);
    assert_int_equal(reach(far), -LINUX_ENETUNREACH);
    struct ns_route def = {ns_ip4(0, 0, 0, 0), 0, ns_ip4(10, 0, 0, 2), nif, 0};
    assert_int_equal(netstack_add_route(ns, &def), 0);
    assert_int_equal(netstack_add_route(ns, &def), -LINUX_EEXIST);
    assert_int_equal(reach(far), 1);
    assert_int_equal(netstack_del_route(ns, &def), 0);
    assert_int_equal(netstack_del_route(ns, &def), -LINUX_ESRCH);
    assert_int_equal(reach(far), -LINUX_ENETUNREACH);
    struct ns_route mixed = {ns_ip4(0, 0, 0, 0), 0, {{0xfd, [15] = 1}}, nif, 0},
                    long_one = {far, 33, {{0}}, nif, 0};
    assert_int_equal(netstack_add_route(ns, &mixed), -LINUX_EINVAL);
    assert_int_equal(netstack_add_route(ns, &long_one), -LINUX_EINVAL);
    struct ns_route host = {far, 32, ns_ip4(10, 0, 0, 3), nif, 0};
    assert_int_equal(netstack_add_route(ns, &host), 0);
    assert_int_equal(reach(far), 1);
}

static void refused(void **state) {
    struct ns_ip ok = ns_ip4(10, 0, 0, 1), group = ns_ip4(224, 0, 0, 1), any = ns_ip4(0, 0, 0, 0),
                 all = ns_ip4(255, 255, 255, 255);
    assert_int_equal(netif_add_address(nif, &group, 24), -LINUX_EINVAL);
    assert_int_equal(netif_add_address(nif, &any, 24), -LINUX_EINVAL);
    assert_int_equal(netif_add_address(nif, &all, 24), -LINUX_EINVAL);
    assert_int_equal(netif_add_address(nif, &ok, 33), -LINUX_EINVAL);
    assert_int_equal(netif_add_address(nif, &ok, 24), 0);
    assert_int_equal(netif_add_address(nif, &ok, 24), -LINUX_EEXIST);
    for (unsigned i = 2;; i++) {
        struct ns_ip more = ns_ip4(10, 0, 1, (uint8_t)i);
        int err = netif_add_address(nif, &more, 24);
        if (err) {
            assert_int_equal(err, -LINUX_ENOBUFS);
            break;
        }
        assert_true(i < 200);
    }
}

// RFC 4862 5.4: an address is unusable until nobody has answered for a second; the check goes on when a
// neighbour in the table goes away, and ends with its address.
static void duplicate_check(void **state) {
    struct ns_ip a = {{0xfd, [15] = 1}}, b = {{0xfd, [15] = 2}}, c = {{0xfd, 1, [15] = 3}},
                 peer = {{0xfd, [15] = 9}}, other = {{0xfd, 1, [15] = 9}};
    assert_int_equal(netif_add_address(nif, &a, 64), 0);
    assert_int_equal(netif_add_address(nif, &b, 64), 0);
    assert_int_equal(netif_add_address(nif, &c, 64), 0);
    assert_true(sent >= 3);
    assert_int_equal(netif_del_address(nif, &a), 0); // the last takes its place, with its timer
    now += 1100000000;
    netstack_poll(ns);
    assert_int_equal(reach(other), 1);
    assert_int_equal(netif_del_address(nif, &c), 0);
    assert_int_equal(reach(other), -LINUX_ENETUNREACH);
    assert_int_equal(reach(peer), 1);
    now += 10000000000; // the neighbours are not there
    while (netstack_poll(ns) <= now)
        ;
}

// ---- Scopes ----------------------------------------------------------------------------------------
static struct netif *other_nif;
static unsigned sent_other;
static int transmit_other(void *arg, const struct ns_frame *f) {
    sent_other++;
    return 0;
}

static struct ns_sock *linklocal_socket(enum ns_type type, struct netif *at, uint32_t index, uint8_t last) {
    struct ns_addr local = {{{0xfe, 0x80, [15] = last}}, 0, index};
    struct ns_sock *s;
    assert_int_equal(netif_add_address(at, &local.ip, 64), 0);
    assert_int_equal(ns_socket(ns, NS_INET6, type, &s), 0);
    assert_int_equal(ns_bind(s, &local), 0);
    assert_int_equal(ns_local(s, &local), 0);
    assert_int_equal(local.scope, index);
    return s;
}

// RFC 4007 6, 11: a link-local address is one of a link, and which one is said with it.
static void scopes(void **state) {
    struct netif_config n = {
        .name = "t1", .kind = NETIF_IP, .mtu = 1500, .flags = NETIF_NO_DAD, .transmit = transmit_other};
    struct ns_netif_info info;
    struct ns_sock *a, *b, *c;
    struct ns_mem_io m;
    uint8_t buf[10];
    assert_int_equal(netif_add(ns, &n, &other_nif), 0);
    assert_int_equal(netstack_netif_info(ns, 2, &info), 0);
    uint32_t one = info.index - 1, two = info.index;
    a = linklocal_socket(NS_DGRAM, nif, one, 1);
    b = linklocal_socket(NS_STREAM, other_nif, two, 2);
    assert_int_equal(ns_socket(ns, NS_INET6, NS_DGRAM, &c), 0);
    struct ns_addr peer = {{{0xfe, 0x80, [15] = 9}}, 7, two}, ours = {{{0xfe, 0x80, [15] = 1}}, 70, two};
    assert_int_equal(ns_bind(c, &ours), -LINUX_EADDRNOTAVAIL); // it is the other link's
    ours.scope = 99;
    assert_int_equal(ns_bind(c, &ours), -LINUX_ENODEV);
    // Where it goes: by the scope, by the socket's own address, else by the first route.
    sent = sent_other = 0;
    assert_int_equal(ns_send(c, ns_io_from(&m, "x", 1), 0, &peer), 1);
    assert_int_equal(sent_other, 1);
    peer.scope = 99;
    assert_int_equal(ns_send(c, ns_io_from(&m, "x", 1), 0, &peer), -LINUX_ENODEV);
    peer.scope = 0;
    assert_int_equal(ns_send(a, ns_io_from(&m, "x", 1), 0, &peer), 1);
    assert_int_equal(sent, 1);
    peer.scope = two;
    assert_int_equal(ns_connect(b, &peer), -LINUX_EINPROGRESS);
    assert_int_equal(sent_other, 2);
    assert_int_equal(ns_peer(b, &peer), 0);
    assert_int_equal(peer.scope, two);
    // What comes says where from, and a group of the link's scope has one too.
    ns_local(c, &ours);
    uint8_t packet[49] = {0x60, [5] = 9,  17, 64, 0xfe, 0x80, [23] = 9, 0xfe,
                          0x80, [39] = 2, 0,  7,  0,    0,    0,        9};
    packet[42] = (uint8_t)(ours.port >> 8);
    packet[43] = (uint8_t)ours.port;
    packet[47] = 1;  // a checksum; the link says that it is right
    assert_int_equal(netif_input(other_nif, packet, sizeof packet, NS_CSUM_GOOD), 0);
    assert_int_equal(ns_recv(c, ns_io_to(&m, buf, sizeof buf), 0, &peer), 1);
    assert_int_equal(peer.scope, two);
    struct ns_addr group = {{{0xff, 0x02, [15] = 0xfb}}, 7, two};
    assert_int_equal(ns_send(c, ns_io_from(&m, "x", 1), 0, &group), 1);
    assert_int_equal(sent_other, 3);
    ns_close(a);
    ns_close(b);
    ns_close(c);
    netif_remove(other_nif);
    // The index is free again.
    assert_int_equal(netif_add(ns, &n, &other_nif), 0);
    assert_int_equal(netstack_netif_info(ns, 2, &info), 0);
    assert_int_equal(info.index, two);
    netif_remove(other_nif);
}

// RFC 6056 3.3: port 0 finds the last port that is free, and says so when none is. A port is in use until its
// socket is closed.
static void all_ports(void **state) {
    enum { FIRST = 32768, PORTS = 28232 };
    struct ns_sock **s = calloc(PORTS, sizeof(struct ns_sock *)), *last;
    struct ns_addr any = {ns_ip4(0, 0, 0, 0), 0, 0}, got;
    assert_non_null(s);
    for (unsigned i = 0; i < PORTS; i++) {
        struct ns_addr a = {ns_ip4(0, 0, 0, 0), (uint16_t)(FIRST + i), 0};
        assert_int_equal(ns_socket(ns, NS_INET, NS_DGRAM, &s[i]), 0);
        assert_int_equal(ns_bind(s[i], &a), 0);
    }
    assert_int_equal(ns_socket(ns, NS_INET, NS_DGRAM, &last), 0);
    assert_int_equal(ns_bind(last, &any), -LINUX_EADDRINUSE);
    ns_close(s[100]);
    assert_int_equal(ns_bind(last, &any), 0);
    assert_int_equal(ns_local(last, &got), 0);
    assert_int_equal(got.port, FIRST + 100);
    ns_close(last);
    for (unsigned i = 0; i < PORTS; i++)
        if (i != 100)
            ns_close(s[i]);
    free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shared_network, start_ip, stop),
        cmocka_unit_test_setup_teardown(routes, start_ip, stop),
        cmocka_unit_test_setup_teardown(refused, start_ip, stop),
        cmocka_unit_test_setup_teardown(scopes, start_ip, stop),
        cmocka_unit_test_setup_teardown(all_ports, start_ip, stop),
        cmocka_unit_test_setup_teardown(duplicate_check, start_ether, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
