// SPDX-License-Identifier: Apache-2.0
// One stack used by several threads at a time, over loopback in real time: whatever the order, bytes arrive whole. What
// it proves is for TSan and the ranked locks to say: callbacks run with the stack's lock held and take locks of higher
// rank only.
#include "abi/errno.h"
#include "base/clock.h"
#include "base/waitq.h"
#include "netstack/netstack.h"
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

static struct netstack *ns;
static _Atomic bool stop;
static struct waitq ready_queue;
static _Atomic unsigned wakes;

static uint64_t clock_now(void *arg) { return mono_ns(); }
static void get_random(void *arg, void *buf, size_t n) { random_bytes(buf, n); }

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
    struct ns_addr to = {ns_ip4(127, 0, 0, 1), (uint16_t)(uintptr_t)arg};
    struct ns_sock *s;
    struct ns_mem_io m;
    uint8_t buf[10000];
    uint32_t sent = 0;
    if (ns_socket(ns, NS_INET, NS_STREAM, &s) < 0)
        return (void *)1;
    ns_on_ready(s, ready, s);
    if (ns_connect(s, &to) != -LINUX_EINPROGRESS)
        return (void *)2;
    while (sent < BYTES) {
        uint32_t n = BYTES - sent < sizeof buf ? BYTES - sent : (uint32_t)sizeof buf;
        for (uint32_t i = 0; i < n; i++)
            buf[i] = (uint8_t)((sent + i) * 13);
        int64_t got = ns_send(s, ns_io_from(&m, buf, n), 0, NULL);
        if (got > 0)
            sent += (uint32_t)got;
        else if (got == -LINUX_EAGAIN)
            usleep(50);
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
        usleep(50);
    ns_on_ready(s, ready, s);
    for (;;) {
        int64_t got = ns_recv(s, ns_io_to(&m, buf, sizeof buf), 0, NULL);
        if (got == 0)
            break;
        if (got == -LINUX_EAGAIN) {
            usleep(50);
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
    return received == BYTES ? NULL : (void *)6;
}

static void several_threads(void **state) {
    struct netstack_config c = {clock_now, get_random, NULL, 0};
    pthread_t timers, clients[PAIRS], servers[PAIRS];
    struct ns_sock *listeners[PAIRS];
    waitq_init(&ready_queue);
    assert_int_equal(netstack_create(&c, &ns), 0);
    pthread_create(&timers, NULL, run_timers, NULL);
    for (unsigned i = 0; i < PAIRS; i++) {
        struct ns_addr at = {ns_ip4(127, 0, 0, 1), (uint16_t)(100 + i)};
        assert_int_equal(ns_socket(ns, NS_INET, NS_STREAM, &listeners[i]), 0);
        assert_int_equal(ns_bind(listeners[i], &at), 0);
        assert_int_equal(ns_listen(listeners[i], 4), 0);
        pthread_create(&servers[i], NULL, server, listeners[i]);
        pthread_create(&clients[i], NULL, client, (void *)(uintptr_t)at.port);
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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(several_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
