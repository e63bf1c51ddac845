// SPDX-License-Identifier: Apache-2.0
// Many connections that come and go for hours of virtual time, a walk over every failing allocation, and floods: nothing
// leaks, nothing is stuck, memory stays within its bounds.
#include "abi/errno.h"
#include "base/fault.h"
#include "tests/unit/netstack_sim.h"

#define SEC         1000000000ull
#define MS          1000000ull
#define CONNECTIONS 100

struct peer {
    struct ns_sock *s;
    uint32_t sent, want, received;
    bool closing;
};
static struct sim sim;
static struct ns_sock *listener;
static struct peer clients[CONNECTIONS], servers[CONNECTIONS * 4];
static uint64_t seed;
static unsigned finished, broken;

static uint32_t roll(uint32_t below) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % below;
}

static void start(struct peer *c) {
    struct ns_addr to = {roll(2) ? sim.ip4[1] : sim.ip6[1], 80};
    *c = (struct peer){.want = 1 + roll(50000)};
    assert_int_equal(ns_socket(sim.ns[0], ns_ip_is4(&to.ip) ? NS_INET : NS_INET6, NS_STREAM, &c->s), 0);
    int err = ns_connect(c->s, &to);
    assert_true(err == -LINUX_EINPROGRESS);
}

// Sends what it wants to, waits for as much to come back, closes. Some lose patience.
static void turn_client(struct peer *c) {
    static uint8_t buf[8192];
    struct ns_mem_io m;
    if (roll(5000) == 0) {
        ns_close(c->s);
        start(c);
        return;
    }
    if (c->sent < c->want) {
        uint32_t n = c->want - c->sent < sizeof buf ? c->want - c->sent : (uint32_t)sizeof buf;
        for (uint32_t i = 0; i < n; i++)
            buf[i] = (uint8_t)((c->sent + i) * 3);
        int64_t got = ns_send(c->s, ns_io_from(&m, buf, n), 0, NULL);
        c->sent += got > 0 ? (uint32_t)got : 0;
        if (c->sent == c->want)
            ns_shutdown(c->s, false, true);
    }
    int64_t got = ns_recv(c->s, ns_io_to(&m, buf, sizeof buf), 0, NULL);
    for (int64_t i = 0; i < got; i++)
        assert_int_equal(buf[i], (uint8_t)((c->received + i) * 3));
    c->received += got > 0 ? (uint32_t)got : 0;
    if (got == 0 || (got < 0 && got != -LINUX_EAGAIN)) {
        *(got == 0 && c->received == c->want ? &finished : &broken) += 1;
        ns_close(c->s);
        start(c);
    }
}

// Sends back what comes.
static void turn_server(struct peer *p) {
    static uint8_t buf[4096];
    struct ns_mem_io m;
    if (!(ns_ready(p->s) & NS_OUT) && !(ns_ready(p->s) & NS_HUP))
        return;
    int64_t got = ns_recv(p->s, ns_io_to(&m, buf, sizeof buf), NS_MSG_PEEK, NULL);
    if (got == -LINUX_EAGAIN)
        return;
    if (got > 0) {
        int64_t put = ns_send(p->s, ns_io_from(&m, buf, (size_t)got), 0, NULL);
        if (put > 0)
            assert_int_equal(ns_recv(p->s, ns_io_to(&m, buf, (size_t)put), 0, NULL), put);
        if (put > 0 || put == -LINUX_EAGAIN)
            return;
    }
    ns_close(p->s);
    p->s = NULL;
}

static void turn(void) {
    struct ns_sock *s;
    for (unsigned i = 0; i < CONNECTIONS; i++)
        turn_client(&clients[i]);
    for (unsigned i = 0; i < CONNECTIONS * 4; i++) {
        if (!servers[i].s && ns_accept(listener, &s) == 0)
            servers[i] = (struct peer){.s = s};
        if (servers[i].s)
            turn_server(&servers[i]);
    }
}

static void open_listener(void) {
    struct ns_addr any = {.port = 80};
    assert_int_equal(ns_socket(sim.ns[1], NS_INET6, NS_STREAM, &listener), 0);
    assert_int_equal(ns_bind(listener, &any), 0);
    assert_int_equal(ns_listen(listener, 64), 0);
}

// Up to two hours with a hundred connections at 2 % loss and some reordering.
static void soak(void **state) {
    struct ns_pair_config link = {
        .delay = 10 * MS, .loss = 20000, .reorder = 20000, .reorder_delay = 8 * MS, .dup = 5000};
    seed = 5;
    sim_open(&sim, &link, 1500, 0);
    open_listener();
    for (unsigned i = 0; i < CONNECTIONS; i++)
        start(&clients[i]);
    uint64_t end = sim.now + 7200 * SEC;
    unsigned rounds = 0;
    while (sim.now < end && rounds++ < 1200) {
        turn();
        sim_run(&sim, (1 + roll(20)) * 10 * MS);
        if (rounds % 500 == 0)
            sim_run(&sim, 300 * SEC);  // everybody sleeps
        struct netstack_usage u;
        netstack_usage(sim.ns[1], &u);
        assert_true(u.bytes < 32u << 20);
    }
    assert_true(finished > 1000);
    assert_true(broken < finished / 20);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        ns_close(clients[i].s);
    for (unsigned i = 0; i < CONNECTIONS * 4; i++)
        if (servers[i].s)
            ns_close(servers[i].s);
    ns_close(listener);
    sim_close(&sim);
}

// One whole exchange; true when no allocation failed it. Nothing may leak or crash at any of them.
static bool exchange(void) {
    struct ns_sock *c = NULL, *s = NULL, *u = NULL;
    struct ns_addr to = {sim.ip4[1], 80}, udp = {sim.ip6[1], 9};
    static uint8_t buf[5000];
    struct ns_mem_io m;
    bool ok = ns_socket(sim.ns[0], NS_INET, NS_STREAM, &c) == 0 && ns_connect(c, &to) == -LINUX_EINPROGRESS;
    sim_run(&sim, SEC / 10);
    ok = ok && ns_accept(listener, &s) == 0 && ns_send(c, ns_io_from(&m, buf, sizeof buf), 0, NULL) == sizeof buf;
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
        cmocka_unit_test(soak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
