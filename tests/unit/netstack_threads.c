// SPDX-License-Identifier: Apache-2.0
// One stack used by several threads at a time, over loopback and over a wire that another thread pumps, in
// real time: whatever the order, bytes arrive whole. What it proves is for TSan and the ranked locks to
// say: callbacks run with the stack's lock held and take locks of higher rank only.
#include "abi/errno.h"
#include "base/clock.h"
#include "base/waitq.h"
#include "netstack/link/pair.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PAIRS 4
#define BYTES 3000000u
#define OTHER 200000u // over the wire

// A client's errand.
struct errand {
    struct netstack *ns;
    struct ns_addr to;
    uint32_t bytes;
};
static struct netstack *ns;
static _Atomic bool stop;
static struct waitq ready_queue;
static _Atomic unsigned wakes;

static uint64_t clock_now(void *arg) {
    return mono_ns();
}
static void get_random(void *arg, void *buf, size_t n) {
    random_bytes(buf, n);
}

// As the sentry does: readiness goes on to a wait queue.
static void ready(void *arg, uint32_t mask) {
    atomic_fetch_add(&wakes, 1);
    waitq_wake(&ready_queue, mask);
}

static void *run_timers(void *arg) {
    while (!atomic_load(&stop)) {
        netstack_poll(ns);
        usleep(500);
    }
    return NULL;
}

static void *client(void *arg) {
    const struct errand *e = arg;
    struct ns_sock *s;
    struct ns_mem_io m;
    uint8_t buf[10000];
    uint32_t sent = 0;
    if (ns_socket(e->ns, ns_ip_is4(&e->to.ip) ? NS_INET : NS_INET6, NS_STREAM, &s) < 0)
        return (void *)1;
    ns_on_ready(s, ready, s);
    if (ns_connect(s, &e->to) != -LINUX_EINPROGRESS)
        return (void *)2;
    while (sent < e->bytes) {
        uint32_t n = e->bytes - sent < sizeof buf ? e->bytes - sent : (uint32_t)sizeof buf;
        for (uint32_t i = 0; i < n; i++)
            buf[i] = (uint8_t)((sent + i) * 13);
        int64_t got = ns_send(s, ns_io_from(&m, buf, n), 0, NULL);
        if (got > 0)
            sent += (uint32_t)got;
        else if (got == -LINUX_EAGAIN)
            usleep(200);
        else
            return (void *)3;
    }
    ns_close(s);
    return NULL;
}

static void *server(void *arg) {
    struct ns_sock *l = arg, *s;
    struct ns_mem_io m;
    uint8_t buf[7000];
    uint32_t received = 0;
    while (ns_accept(l, &s) < 0)
        usleep(200);
    ns_on_ready(s, ready, s);
    for (;;) {
        int64_t got = ns_recv(s, ns_io_to(&m, buf, sizeof buf), 0, NULL);
        if (got == 0)
            break;
        if (got == -LINUX_EAGAIN) {
            usleep(200);
            continue;
        }
        if (got < 0)
            return (void *)4;
        for (int64_t i = 0; i < got; i++)
            if (buf[i] != (uint8_t)((received + i) * 13))
                return (void *)5;
        received += (uint32_t)got;
    }
    ns_close(s);
    return received == BYTES || received == OTHER ? NULL : (void *)6;
}

static void several_threads(void **state) {
    struct netstack_config c = {clock_now, get_random, NULL, 0};
    pthread_t timers, clients[PAIRS], servers[PAIRS];
    struct ns_sock *listeners[PAIRS];
    struct errand errands[PAIRS];
    waitq_init(&ready_queue);
    assert_int_equal(netstack_create(&c, &ns), 0);
    pthread_create(&timers, NULL, run_timers, NULL);
    for (unsigned i = 0; i < PAIRS; i++) {
        struct ns_addr at = {ns_ip4(127, 0, 0, 1), (uint16_t)(100 + i)};
        assert_int_equal(ns_socket(ns, NS_INET, NS_STREAM, &listeners[i]), 0);
        assert_int_equal(ns_bind(listeners[i], &at), 0);
        assert_int_equal(ns_listen(listeners[i], 4), 0);
        pthread_create(&servers[i], NULL, server, listeners[i]);
        errands[i] = (struct errand){ns, at, BYTES};
        pthread_create(&clients[i], NULL, client, &errands[i]);
    }
    for (unsigned i = 0; i < PAIRS; i++) {
        void *result;
        pthread_join(clients[i], &result);
        assert_null(result);
        pthread_join(servers[i], &result);
        assert_null(result);
        ns_close(listeners[i]);
    }
    atomic_store(&stop, true);
    pthread_join(timers, NULL);
    assert_true(atomic_load(&wakes) > 0);
    netstack_destroy(ns);
    waitq_destroy(&ready_queue);
}

// ---- Over a wire ---------------------------------------------------------------------------------
static struct netstack *both[2];
static struct ns_pair *wire;

static void *pump(void *arg) {
    while (!atomic_load(&stop)) {
        ns_pair_poll(wire);
        netstack_poll(both[0]);
        netstack_poll(both[1]);
        usleep(20);
    }
    return NULL;
}

// Datagrams to and fro on one socket that two threads share; what is lost is lost.
static void *datagrams(void *arg) {
    struct ns_sock *s = arg;
    struct ns_addr to = {ns_ip4(10, 0, 0, 2), 9}, from;
    struct ns_mem_io m;
    uint8_t buf[3000] = {0};
    while (!atomic_load(&stop)) {
        ns_send(s, ns_io_from(&m, buf, sizeof buf), 0, &to);
        if (ns_recv(s, ns_io_to(&m, buf, sizeof buf), 0, &from) > 0 && from.port != 9)
            return (void *)7;
        ns_take_error(s);
        usleep(1000);
    }
    return NULL;
}

// Who opens, looks and closes while the others work.
static void *busybody(void *arg) {
    struct netstack *mine = arg;
    struct ns_addr nobody = {ns_ip4(10, 0, 0, 2), 81};
    for (unsigned i = 0; !atomic_load(&stop); i++) {
        struct netstack_usage u;
        struct ns_netif_info info;
        struct ns_sock *s;
        if (ns_socket(mine, NS_INET, i & 1 ? NS_STREAM : NS_DGRAM, &s) < 0)
            return (void *)8;
        ns_on_ready(s, ready, s);
        ns_set_option(s, NS_OPT_RCVBUF, 4096 + (int)i % 10000);
        ns_connect(s, &nobody);
        netstack_usage(mine, &u);
        netstack_netif_info(mine, 1, &info);
        netstack_stat(mine, "tcp_in");
        ns_ready(s);
        usleep(1000);
        ns_close(s);
    }
    return NULL;
}

static void open_wire(void) {
    struct netstack_config c = {clock_now, get_random, NULL, 0};
    struct netif_config nif[2];
    struct ns_pair_config config = {.delay = 200000,
                                    .loss = 2000,
                                    .reorder = 5000,
                                    .reorder_delay = 100000,
                                    .seed = 3,
                                    .clock = clock_now};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(netstack_create(&c, &both[i]), 0);
        nif[i] = (struct netif_config){
            .name = "eth0", .mac = {2, [5] = (uint8_t)i}, .mtu = 1500, .flags = NETIF_NO_DAD};
    }
    assert_int_equal(ns_pair_create(both[0], &nif[0], both[1], &nif[1], &config, &wire), 0);
    for (unsigned i = 0; i < 2; i++) {
        struct ns_ip four = ns_ip4(10, 0, 0, (uint8_t)(i + 1)), six = {{0xfd, [15] = (uint8_t)(i + 1)}};
        assert_int_equal(netif_add_address(ns_pair_netif(wire, i), &four, 24), 0);
        assert_int_equal(netif_add_address(ns_pair_netif(wire, i), &six, 64), 0);
    }
}

static void join(pthread_t t) {
    void *result;
    pthread_join(t, &result);
    assert_null(result);
}

static void several_threads_and_a_wire(void **state) {
    pthread_t pumps, meddlers[4], clients[PAIRS], servers[PAIRS];
    struct ns_sock *listeners[PAIRS], *udp[2];
    struct errand errands[PAIRS];
    waitq_init(&ready_queue);
    atomic_store(&stop, false);
    open_wire();
    pthread_create(&pumps, NULL, pump, NULL);
    for (unsigned i = 0; i < PAIRS; i++) {
        struct ns_addr at = {.port = (uint16_t)(100 + i)};
        assert_int_equal(ns_socket(both[i & 1], NS_INET6, NS_STREAM, &listeners[i]), 0);
        assert_int_equal(ns_bind(listeners[i], &at), 0);
        assert_int_equal(ns_listen(listeners[i], 4), 0);
        at.ip = i & 2 ? (struct ns_ip){{0xfd, [15] = (uint8_t)(1 + (i & 1))}}
                      : ns_ip4(10, 0, 0, (uint8_t)(1 + (i & 1)));
        errands[i] = (struct errand){both[!(i & 1)], at, OTHER};
        pthread_create(&servers[i], NULL, server, listeners[i]);
        pthread_create(&clients[i], NULL, client, &errands[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct ns_addr at = {.ip = ns_ip4(0, 0, 0, 0), .port = 9};
        assert_int_equal(ns_socket(both[i], NS_INET, NS_DGRAM, &udp[i]), 0);
        assert_int_equal(ns_bind(udp[i], &at), 0);
    }
    pthread_create(&meddlers[0], NULL, datagrams, udp[0]);
    pthread_create(&meddlers[1], NULL, datagrams, udp[0]);
    pthread_create(&meddlers[2], NULL, busybody, both[0]);
    pthread_create(&meddlers[3], NULL, busybody, both[0]);
    for (unsigned i = 0; i < PAIRS; i++) {
        join(clients[i]);
        join(servers[i]);
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < 4; i++)
        join(meddlers[i]);
    join(pumps);
    assert_true(netstack_stat(both[1], "udp_in") > 0 && netstack_stat(both[1], "tcp_drop_port") > 0);
    for (unsigned i = 0; i < PAIRS; i++)
        ns_close(listeners[i]);
    ns_close(udp[0]);
    ns_close(udp[1]);
    ns_pair_destroy(wire);
    netstack_destroy(both[0]);
    netstack_destroy(both[1]);
    waitq_destroy(&ready_queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(several_threads),
                                       cmocka_unit_test(several_threads_and_a_wire)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
