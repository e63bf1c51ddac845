// SPDX-License-Identifier: Apache-2.0
// Groups from the side of calls: an interface that goes while sockets are members, the bounds, reports that
// do not fit into one packet, and allocations that fail. What is sent when is in tests/net/igmp and mld.
#include "abi/errno.h"
#include "base/fault.h"
#include "netstack/netstack.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SOCKETS 13 // times SOCK_GROUPS is more than NETIF_GROUPS

static uint64_t now;
static unsigned reports, records;
static size_t longest;

static uint64_t clock_of(void *arg) {
    return now;
}
static void random_of(void *arg, void *buf, size_t n) {
    memset(buf, 3, n);
}
// Counts IGMPv3 reports (RFC 3376 4.2), behind 14 bytes of Ethernet and 24 of IPv4 with router alert.
static int transmit(void *arg, const struct ns_frame *f) {
    uint8_t frame[2048];
    size_t n = 0;
    for (unsigned i = 0; i < f->iovcnt; i++) {
        assert_true(n + f->iov[i].len <= sizeof frame);
        memcpy(frame + n, f->iov[i].base, f->iov[i].len);
        n += f->iov[i].len;
    }
    longest = n > longest ? n : longest;
    if (n >= 46 && frame[23] == 2 && frame[38] == 0x22) {
        reports++;
        records += (unsigned)(frame[44] << 8 | frame[45]);
    }
    return 0;
}

static struct netstack *ns;
static struct netif *nif;
static struct ns_sock *socks[SOCKETS];

static int start(void **state) {
    struct netstack_config c = {clock_of, random_of, NULL, 0};
    struct netif_config n = {.name = "t0",
                             .kind = NETIF_ETHER,
                             .mac = {2, 0, 0, 0, 0, 1},
                             .mtu = 576,
                             .flags = NETIF_NO_DAD,
                             .transmit = transmit};
    struct ns_ip ours = ns_ip4(10, 0, 0, 1);
    now = 1000000000;
    reports = records = 0;
    if (netstack_create(&c, &ns) || netif_add(ns, &n, &nif) || netif_add_address(nif, &ours, 24))
        return -1;
    for (unsigned i = 0; i < SOCKETS; i++)
        if (ns_socket(ns, NS_INET, NS_DGRAM, &socks[i]))
            return -1;
    return 0;
}

static int stop(void **state) {
    struct netstack_usage u;
    for (unsigned i = 0; i < SOCKETS; i++)
        ns_close(socks[i]);
    if (nif)
        netif_remove(nif);
    netstack_usage(ns, &u);
    netstack_destroy(ns);
    return u.timers || u.packets || u.buffers || u.sockets || u.bytes;
}

static void run_until(uint64_t t) {
    for (uint64_t next; (next = netstack_deadline(ns)) <= t;) {
        now = next > now ? next : now;
        netstack_poll(ns);
    }
    now = t;
}

static void interface_gone(void **state) {
    struct ns_ip group = ns_ip4(239, 1, 2, 3);
    struct ns_addr to = {group, 7000};
    struct ns_mem_io m;
    assert_int_equal(ns_join(socks[0], &group, nif), 0);
    assert_int_equal(ns_join(socks[1], &group, nif), 0);
    assert_int_equal(ns_set_group_interface(socks[1], nif), 0);
    netif_remove(nif);
    nif = NULL;
    assert_int_equal(ns_leave(socks[0], &group, NULL), -LINUX_EADDRNOTAVAIL);
    assert_int_equal(ns_join(socks[1], &group, NULL), -LINUX_ENODEV);
    assert_int_equal(ns_send(socks[1], ns_io_from(&m, "x", 1), 0, &to), -LINUX_ENETUNREACH);
    assert_int_equal(ns_join(socks[1], &group, netstack_loopback(ns)), 0);
}

// 256 groups of an interface; the report of all of them is several packets of no more than the MTU (RFC
// 3376 4.2.16).
static void many(void **state) {
    unsigned joined = 0;
    int err = 0;
    for (unsigned i = 0; i < SOCKETS * 20 && !err; i++) {
        struct ns_ip group = ns_ip4(239, 0, (uint8_t)(i / 200), (uint8_t)(i % 200 + 1));
        err = ns_join(socks[i / 20], &group, NULL);
        joined += err == 0;
    }
    assert_int_equal(err, -LINUX_ENOBUFS);
    assert_int_equal(joined, 256);
    run_until(now + 2000000000);
    assert_int_equal(reports, 512); // each join, and its repeat
    reports = records = 0;
    // From 10.0.0.2 to 224.0.0.1: a query about all, to be answered within a second; the checksums are right.
    const uint8_t query[] = {1, 0,  0x5e, 0,  0,    1,    2,    0, 0,    0,    0,  2,   8, 0, 0x45, 0,
                             0, 32, 0,    1,  0,    0,    0x01, 2, 0xcf, 0xd8, 10, 0,   0, 2, 224,  0,
                             0, 1,  0x11, 10, 0xec, 0x78, 0,    0, 0,    0,    2,  125, 0, 0};
    assert_int_equal(netif_input(nif, query, sizeof query, 0), 0);
    run_until(now + 1100000000);
    assert_int_equal(records, 256);
    assert_int_equal(reports, 4);
    assert_true(longest <= 14 + 576);
}

// Whichever allocation fails, a join either holds or has left nothing behind.
static void no_memory(void **state) {
    struct ns_ip group = ns_ip4(239, 1, 2, 3);
    unsigned made = 1, failed = 0;
    for (unsigned nth = 1; nth <= made; nth++) {
        fault_alloc_at(nth);
        int err = ns_join(socks[0], &group, nif);
        made = fault_alloc_at(0);
        assert_int_equal(ns_leave(socks[0], &group, nif), err ? -LINUX_EADDRNOTAVAIL : 0);
        run_until(now + 3000000000);
        failed += err != 0;
        made = err ? made + 1 : made; // what failed was the last that it came to
    }
    assert_int_equal(failed, 2); // the membership, the group; without a report it holds all the same
}

// The same of one who joins for a single sender: never is it joined for all.
static void no_memory_for_a_source(void **state) {
    struct ns_ip group = ns_ip4(239, 1, 2, 3), source = ns_ip4(10, 0, 0, 9);
    struct ns_sources told;
    unsigned made = 1, failed = 0;
    for (unsigned nth = 1; nth <= made; nth++) {
        fault_alloc_at(nth);
        int err = ns_join_source(socks[0], &group, nif, &source);
        made = fault_alloc_at(0);
        assert_int_equal(ns_get_sources(socks[0], &group, nif, &told), err ? -LINUX_EADDRNOTAVAIL : 0);
        if (!err)
            assert_true(!told.exclude && told.n == 1);
        assert_int_equal(ns_leave(socks[0], &group, nif), err ? -LINUX_EADDRNOTAVAIL : 0);
        run_until(now + 3000000000);
        failed += err != 0;
        made = err ? made + 1 : made;
    }
    assert_int_equal(failed, 3);  // the membership, the group, the list
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(interface_gone, start, stop),
        cmocka_unit_test_setup_teardown(many, start, stop),
        cmocka_unit_test_setup_teardown(no_memory, start, stop),
        cmocka_unit_test_setup_teardown(no_memory_for_a_source, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
