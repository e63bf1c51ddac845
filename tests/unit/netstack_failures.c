// SPDX-License-Identifier: Apache-2.0
// A walk over every failing allocation, and stacks that end in the middle: nothing leaks, nothing crashes.
// The soak is tests/net/soak/.
#include "abi/errno.h"
#include "base/fault.h"
#include "tests/unit/netstack_sim.h"

#define SEC 1000000000ull
#define MS  1000000ull

static struct sim sim;
static struct ns_sock *listener;

static void open_listener(void) {
    struct ns_addr any = {.port = 80};
    assert_int_equal(ns_socket(sim.ns[1], NS_INET6, NS_STREAM, &listener), 0);
    assert_int_equal(ns_bind(listener, &any), 0);
    assert_int_equal(ns_listen(listener, 64), 0);
}

// One whole exchange; true when no allocation failed it. Nothing may leak or crash at any of them.
static bool exchange(void) {
    struct ns_sock *c = NULL, *s = NULL, *u = NULL;
    struct ns_addr to = {sim.ip4[1], 80}, udp = {sim.ip6[1], 9};
    static uint8_t buf[5000];
    struct ns_mem_io m;
    bool ok = ns_socket(sim.ns[0], NS_INET, NS_STREAM, &c) == 0 && ns_connect(c, &to) == -LINUX_EINPROGRESS;
    sim_run(&sim, SEC / 10);
    ok = ok && ns_accept(listener, &s) == 0 &&
         ns_send(c, ns_io_from(&m, buf, sizeof buf), 0, NULL) == sizeof buf;
    sim_run(&sim, SEC / 10);
    ok = ok && ns_recv(s, ns_io_to(&m, buf, sizeof buf), 0, NULL) == sizeof buf;
    ok = ns_socket(sim.ns[0], NS_INET6, NS_DGRAM, &u) == 0 &&
         ns_send(u, ns_io_from(&m, buf, 3000), 0, &udp) == 3000 && ok;
    sim_run(&sim, SEC / 10);
    if (c)
        ns_close(c);
    if (s)
        ns_close(s);
    if (u)
        ns_close(u);
    while (ns_accept(listener, &s) == 0)
        ns_close(s);
    return ok;
}

static void failing_allocations(void **state) {
    struct ns_pair_config link = {.delay = MS};
    unsigned made = 1, failures = 0;
    for (unsigned nth = 1; nth <= made + 1 && nth < 400; nth++) {
        sim_open(&sim, &link, 1500, 0);
        open_listener();
        fault_alloc_at(nth);
        failures += !exchange();
        unsigned n = fault_alloc_at(0);
        made = nth == 1 || n > made ? n : made;
        ns_close(listener);
        sim_close(&sim);
    }
    assert_true(made > 20);
    assert_true(failures > 0);
}

// Sockets that were left open when the peer's stack is destroyed, data under way.
static void destroyed_in_the_middle(void **state) {
    struct ns_pair_config link = {.delay = 50 * MS};
    struct ns_sock *c;
    static uint8_t buf[50000];
    struct ns_mem_io m;
    sim_open(&sim, &link, 1500, 0);
    open_listener();
    struct ns_addr to = {sim.ip4[1], 80};
    assert_int_equal(ns_socket(sim.ns[0], NS_INET, NS_STREAM, &c), 0);
    ns_connect(c, &to);
    sim_run(&sim, SEC);
    ns_send(c, ns_io_from(&m, buf, sizeof buf), 0, NULL);
    sim_run(&sim, 60 * MS);
    ns_close(c);
    ns_close(listener);
    ns_pair_destroy(sim.pair);
    netstack_destroy(sim.ns[0]);
    netstack_destroy(sim.ns[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_allocations),
        cmocka_unit_test(destroyed_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
