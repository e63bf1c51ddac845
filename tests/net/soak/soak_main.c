// SPDX-License-Identifier: Apache-2.0
// netsoak [--full] [--hours H] [--connections N] [--seed S] [--loss PPM] [-v]: that many connections at any
// time between two stacks, over a wire that loses, reorders and duplicates, for so long in virtual time.
// Without options it is the suite's form, 20 minutes; --full is a day. At the end everybody closes, and
// nothing may be left. It is built with the stack's sources and PICKET_DEBUG, so that tcp_check() runs
// after each output, in every build.
#include "abi/errno.h"
#include "netstack/link/pair.h"
#include "tests/net/soak/soak.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct world world;
static struct ns_pair *pair;
static bool verbose;

static uint64_t virtual_clock(void *arg) {
    return world.now;
}
static void weak_random(void *arg, void *buf, size_t n) {
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)buf)[i] = (uint8_t)roll(256);
}

static void must(bool ok, const char *what) {
    if (!ok)
        panic("%s", what);
}

// ---- The world -----------------------------------------------------------------------------------
static void listener_ready(void *arg, uint32_t mask) {
    *(bool *)arg = true;
}

static void listen_on(unsigned i) {
    struct ns_addr any = {.port = PORT};
    must(ns_socket(world.ns[i], NS_INET6, NS_STREAM, &world.listener[i]) == 0, "no listener");
    ns_on_ready(world.listener[i], listener_ready, &world.accepting[i]);
    must(ns_bind(world.listener[i], &any) == 0 && ns_listen(world.listener[i], 128) == 0, "cannot listen");
}

static void open_world(uint64_t seed, uint32_t loss) {
    world.now = START;
    world.seed = seed;
    list_init(&world.due);
    list_init(&world.conns);
    wheel_init(&world.wheel, world.now);
    struct netstack_config c = {virtual_clock, weak_random, NULL, 0};
    struct netif_config nif[2];
    for (unsigned i = 0; i < 2; i++) {
        must(netstack_create(&c, &world.ns[i]) == 0, "no stack");
        nif[i] = (struct netif_config){.name = "eth0",
                                       .kind = NETIF_ETHER,
                                       .mac = {2, 0, 0, 0, 0, (uint8_t)(i + 1)},
                                       .mtu = 1500,
                                       .flags = NETIF_NO_DAD};
        world.ip4[i] = ns_ip4(10, 0, 0, (uint8_t)(i + 1));
        world.ip6[i] = (struct ns_ip){{0xfd, [15] = (uint8_t)(i + 1)}};
    }
    struct ns_pair_config wire = {.delay = 10 * MS,
                                  .jitter = 5 * MS,
                                  .loss = loss,
                                  .reorder = 5000,
                                  .reorder_delay = 8 * MS,
                                  .dup = 2000,
                                  .seed = seed,
                                  .clock = virtual_clock};
    must(ns_pair_create(world.ns[0], &nif[0], world.ns[1], &nif[1], &wire, &pair) == 0, "no wire");
    for (unsigned i = 0; i < 2; i++) {
        must(netif_add_address(ns_pair_netif(pair, i), &world.ip4[i], 24) == 0, "no IPv4");
        must(netif_add_address(ns_pair_netif(pair, i), &world.ip6[i], 64) == 0, "no IPv6");
        listen_on(i);
    }
}

static void users(void) {
    for (unsigned i = 0; i < 2; i++)
        if (world.accepting[i]) {
            world.accepting[i] = false;
            conn_accept(i);
        }
    while (!list_empty(&world.due)) {
        struct end *e = list_first(&world.due, struct end, due);
        list_del(&e->due);
        end_turn(e);
    }
}

// To the next moment at which something happens, or `until`.
static void step(uint64_t until) {
    uint64_t next = ns_pair_next(pair),
             due[] = {netstack_deadline(world.ns[0]), netstack_deadline(world.ns[1]),
                      wheel_next(&world.wheel), until};
    for (unsigned i = 0; i < 4; i++)
        next = due[i] < next ? due[i] : next;
    world.now = next > world.now ? next : world.now;
    ns_pair_poll(pair);
    for (unsigned i = 0; i < 2; i++)
        if (due[i] <= world.now)
            netstack_poll(world.ns[i]);
    wheel_run(&world.wheel, world.now);
    users();
}

static void run_until(uint64_t until) {
    while (world.now < until)
        step(until);
}

static void report(const char *when) {
    struct netstack_usage u[2];
    for (unsigned i = 0; i < 2; i++)
        netstack_usage(world.ns[i], &u[i]);
    printf("%s: %.2f h, %llu connections (%llu orderly, %llu not, %llu strays), at most %u open, %llu MB "
           "verified; now %u "
           "open, %u + %u sockets, %zu + %zu KiB, %.1f s of CPU\n",
           when, (double)world.now / 3600e9, (unsigned long long)world.sum.opened,
           (unsigned long long)world.sum.orderly, (unsigned long long)world.sum.broken,
           (unsigned long long)world.sum.strays, world.sum.most,
           (unsigned long long)world.sum.bytes / 1000000, world.open, u[0].sockets, u[1].sockets,
           u[0].bytes >> 10, u[1].bytes >> 10, (double)clock() / CLOCKS_PER_SEC);
    fflush(stdout);
}

// ---- Its end -------------------------------------------------------------------------------------
// What a run of any length must have met, or it proves nothing.
static void check_met(void) {
    static const char *const met[] = {"tcp_retransmits", "tcp_timeouts",     "tcp_fast_recoveries",
                                      "tcp_tail_probes", "tcp_keepalives",   "tcp_resets_in",
                                      "tcp_resets_out",  "tcp_out_of_order", "tcp_duplicates",
                                      "tcp_drop_closed", "tcp_syn_cookies",  "tcp_zero_window_probes"};
    for (size_t i = 0; i < sizeof met / sizeof *met; i++) {
        uint64_t n = netstack_stat(world.ns[0], met[i]) + netstack_stat(world.ns[1], met[i]);
        if (verbose)
            printf("%s %llu\n", met[i], (unsigned long long)n);
        if (n == 0)
            panic("the run has not met %s", met[i]);
    }
}

static void close_world(void) {
    world.stopping = true;
    for (uint64_t until = world.now + 24 * 3600 * SEC; world.open > 0 && world.now < until;)
        run_until(world.now + 60 * SEC);
    must(world.open == 0, "some connections do not end");
    for (unsigned i = 0; i < 2; i++)
        ns_close(world.listener[i]);
    run_until(world.now + GONE + SEC);
    must(list_empty(&world.conns), "connections are left");
    ns_pair_destroy(pair);
    for (unsigned i = 0; i < 2; i++) {
        struct netstack_usage u;
        netstack_usage(world.ns[i], &u);
        if (u.bytes || u.packets || u.buffers || u.sockets || u.timers)
            panic("left over: %zu bytes, %u packets, %u buffers, %u sockets, %u timers", u.bytes, u.packets,
                  u.buffers, u.sockets, u.timers);
    }
    check_met();
    for (unsigned i = 0; i < 2; i++)
        netstack_destroy(world.ns[i]);
}

int main(int argc, char **argv) {
    double hours = 1 / 3.0;
    unsigned connections = 1000, loss = 20000;
    uint64_t seed = 1;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--full") == 0)
            hours = 24;
        else if (strcmp(argv[i], "-v") == 0)
            verbose = true;
        else if (strcmp(argv[i], "--hours") == 0)
            hours = atof(value), i++;
        else if (strcmp(argv[i], "--connections") == 0)
            connections = (unsigned)atoi(value), i++;
        else if (strcmp(argv[i], "--loss") == 0)
            loss = (unsigned)atoi(value), i++;
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(value, NULL, 10), i++;
        else
            return fprintf(stderr, "netsoak: what is '%s'?\n", argv[i]), 2;
    }
    open_world(seed, loss);
    for (unsigned i = 0; i < connections; i++)
        conn_open();
    uint64_t end = world.now + (uint64_t)(hours * 3600e9);
    while (world.now < end) {
        uint64_t next = world.now + 3600 * SEC;
        run_until(next < end ? next : end);
        if (verbose)
            report("running");
    }
    report("the end");
    must(world.open == connections, "connections were lost");
    close_world();
    printf("nothing left\n");
    return 0;
}
