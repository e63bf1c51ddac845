// SPDX-License-Identifier: Apache-2.0
// Two stacks, a pair link and virtual time, for the unit tests of netstack.
#ifndef TESTS_UNIT_NETSTACK_SIM_H
#define TESTS_UNIT_NETSTACK_SIM_H
#include "netstack/link/pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct sim {
    uint64_t now, seed;
    struct netstack *ns[2];
    struct ns_pair *pair;
    struct ns_ip ip4[2], ip6[2];
};

static uint64_t sim_clock(void *arg) { return ((struct sim *)arg)->now; }
static void sim_random(void *arg, void *buf, size_t n) {
    struct sim *s = arg;
    for (size_t i = 0; i < n; i++) {
        s->seed = s->seed * 6364136223846793005ull + 1442695040888963407ull;
        ((uint8_t *)buf)[i] = (uint8_t)(s->seed >> 56);
    }
}

static inline void sim_open(struct sim *s, struct ns_pair_config *link, uint32_t mtu, size_t budget) {
    *s = (struct sim){.now = 1000000000ull, .seed = 42};
    struct netstack_config c = {sim_clock, sim_random, s, budget};
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(netstack_create(&c, &s->ns[i]), 0);
    struct netif_config nif = {
        .name = "eth0", .kind = NETIF_ETHER, .mac = {2, 0, 0, 0, 0, 1}, .mtu = mtu, .flags = NETIF_NO_DAD};
    struct netif_config peer = nif;
    peer.mac[5] = 2;
    link->clock = sim_clock;
    link->arg = s;
    link->seed = link->seed ? link->seed : 7;
    assert_int_equal(ns_pair_create(s->ns[0], &nif, s->ns[1], &peer, link, &s->pair), 0);
    for (unsigned i = 0; i < 2; i++) {
        s->ip4[i] = ns_ip4(10, 0, 0, (uint8_t)(i + 1));
        s->ip6[i] = (struct ns_ip){{0xfd, [15] = (uint8_t)(i + 1)}};
        assert_int_equal(netif_add_address(ns_pair_netif(s->pair, i), &s->ip4[i], 24), 0);
        if (mtu >= 1280)
            assert_int_equal(netif_add_address(ns_pair_netif(s->pair, i), &s->ip6[i], 64), 0);
    }
}

// Goes on to the next moment at which something happens, at most `until`. False: nothing will before it.
static inline bool sim_step(struct sim *s, uint64_t until) {
    uint64_t next = ns_pair_next(s->pair);
    for (unsigned i = 0; i < 2; i++) {
        uint64_t t = netstack_deadline(s->ns[i]);
        next = t < next ? t : next;
    }
    if (next > until) {
        s->now = until;
        return false;
    }
    s->now = next > s->now ? next : s->now;
    ns_pair_poll(s->pair);
    netstack_poll(s->ns[0]);
    netstack_poll(s->ns[1]);
    return true;
}

static inline void sim_run(struct sim *s, uint64_t ns) {
    uint64_t until = s->now + ns;
    while (sim_step(s, until))
        ;
}

// All sockets are closed: after a while nothing may be left but neighbours, which go with the interface.
static inline void sim_close(struct sim *s) {
    sim_run(s, 1800 * 1000000000ull);
    ns_pair_destroy(s->pair);
    for (unsigned i = 0; i < 2; i++) {
        struct netstack_usage u;
        netstack_usage(s->ns[i], &u);
        assert_int_equal(u.bytes, 0);
        assert_int_equal(u.packets + u.buffers + u.sockets + u.timers, 0);
        netstack_destroy(s->ns[i]);
    }
}

#endif
