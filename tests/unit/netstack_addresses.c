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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shared_network, start_ip, stop),
        cmocka_unit_test_setup_teardown(routes, start_ip, stop),
        cmocka_unit_test_setup_teardown(refused, start_ip, stop),
        cmocka_unit_test_setup_teardown(duplicate_check, start_ether, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
