// SPDX-License-Identifier: Apache-2.0
// A stack on a link of the fuzzer's, for the fuzzers of netstack. What must hold for every input: no crash,
// the budget is kept, and when all is closed and time has passed, nothing is left.
#ifndef TESTS_FUZZ_NETSTACK_FUZZ_H
#define TESTS_FUZZ_NETSTACK_FUZZ_H
#include "netstack/netstack.h"
#include <stdlib.h>
#include <string.h>

#define FUZZ_BUDGET (8u << 20)
#define FUZZ_BATCH 16
#define CHECK(cond) \
    do { \
        if (!(cond)) \
            abort(); \
    } while (0)

struct fuzz_net {
    uint64_t now, seed;
    struct netstack *ns;
    struct netif *nif;
    void (*seen)(const uint8_t *frame, size_t n);  // what the stack sends
    // frames wait for those behind them, and come in as a batch
    bool hold;
    unsigned held;
    struct ns_rx rx[FUZZ_BATCH];  // each in memory of exactly its size
};
static struct fuzz_net net;

static uint64_t fuzz_clock(void *arg) { return net.now; }
static void fuzz_random(void *arg, void *buf, size_t n) {
    for (size_t i = 0; i < n; i++) {
        net.seed = net.seed * 6364136223846793005ull + 1442695040888963407ull;
        ((uint8_t *)buf)[i] = (uint8_t)(net.seed >> 56);
    }
}
static int fuzz_transmit(void *arg, const struct ns_frame *f) {
    static uint8_t frame[70000];
    size_t n = 0;
    for (unsigned i = 0; i < f->iovcnt; i++) {
        memcpy(frame + n, f->iov[i].base, f->iov[i].len);
        n += f->iov[i].len;
    }
    CHECK(n == f->len);
    if (net.seen)
        net.seen(frame, n);
    return 0;
}

static inline void fuzz_open(enum netif_kind kind, uint32_t flags) {
    struct netstack_config c = {fuzz_clock, fuzz_random, NULL, FUZZ_BUDGET};
    struct netif_config nc = {.name = "t0",
                              .kind = kind,
                              .mac = {2, 0, 0, 0, 0, 1},
                              .mtu = 1500,
                              .flags = flags,
                              .transmit = fuzz_transmit};
    struct ns_ip four = ns_ip4(10, 0, 0, 1), six = {{0xfd, [15] = 1}};
    net.now = 1000000000000ull;
    net.seed = 1;
    CHECK(netstack_create(&c, &net.ns) == 0 && netif_add(net.ns, &nc, &net.nif) == 0);
    CHECK(netif_add_address(net.nif, &four, 24) == 0 && netif_add_address(net.nif, &six, 64) == 0);
}

// What waits comes in.
static inline void fuzz_flush(void) {
    struct netstack_usage u;
    netif_input_batch(net.nif, net.rx, net.held);
    for (unsigned i = 0; i < net.held; i++)
        free((void *)net.rx[i].frame);
    net.held = 0;
    netstack_usage(net.ns, &u);
    CHECK(u.bytes <= FUZZ_BUDGET);
}

static inline void fuzz_advance(uint64_t ns) {
    fuzz_flush();
    uint64_t until = net.now + ns;
    for (uint64_t next = netstack_deadline(net.ns); next <= until; next = netstack_deadline(net.ns)) {
        net.now = next > net.now ? next : net.now;
        netstack_poll(net.ns);
    }
    net.now = until;
}

static inline void fuzz_input(const uint8_t *frame, size_t n) {
    uint8_t *exact = malloc(n ? n : 1);
    CHECK(exact);
    memcpy(exact, frame, n);
    net.rx[net.held++] = (struct ns_rx){.frame = exact, .len = n};
    if (!net.hold || net.held == FUZZ_BATCH)
        fuzz_flush();
}

static inline void fuzz_close(void) {
    struct netstack_usage u;
    net.seen = NULL;
    fuzz_advance(1800 * 1000000000ull);
    netif_remove(net.nif);
    netstack_usage(net.ns, &u);
    CHECK(u.bytes == 0 && u.packets == 0 && u.buffers == 0 && u.sockets == 0 && u.timers == 0);
    netstack_destroy(net.ns);
}

#endif
