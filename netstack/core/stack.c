// SPDX-License-Identifier: Apache-2.0
// See stack.h: a stack's life, its lock, its budget and its counters. Protocols are elsewhere.
#include "netstack/core/stack.h"
#include "abi/errno.h"
#include "base/fault.h"
#include "netstack/core/pkt.h"
#include "netstack/core/sock.h"
#include "netstack/ip/filter.h"
#include "netstack/ip/frag.h"
#include "netstack/ip/route.h"
#include "netstack/link/netif.h"
#include "netstack/neigh/neigh.h"
#include <string.h>

static const char *const stat_names[] = {
#define STAT(name, text) #name,
#include "netstack/core/stats.def"
#undef STAT
};

// ---- The way in and out -----------------------------------------------------------------------------------
void stack_enter(struct netstack *ns) {
    lock_take(&ns->lock);
    uint64_t now = ns->config.clock(ns->config.arg);
    if (now > ns->now)
        ns->now = now;
}

void stack_leave(struct netstack *ns) {
    // A bound, so that two sockets that answer each other over loopback cannot keep one caller here for ever;
    // what is left is due at once (netstack_deadline).
    for (unsigned turns = 0; turns < STACK_BACKLOG && !(list_empty(&ns->backlog) && list_empty(&ns->later));
         turns++) {
        if (list_empty(&ns->backlog))
            sock_flush(ns);
        else
            netif_backlog(ns);
    }
    sock_flush(ns);
    sock_reap(ns);
    lock_drop(&ns->lock);
}

bool stack_charge(struct netstack *ns, size_t bytes) {
    if (bytes > ns->config.budget - ns->usage.bytes)
        return false;
    ns->usage.bytes += bytes;
    return true;
}

void stack_uncharge(struct netstack *ns, size_t bytes) {
    invariant(bytes <= ns->usage.bytes);
    ns->usage.bytes -= bytes;
}

void *stack_alloc(struct netstack *ns, size_t size) {
    if (!stack_charge(ns, size))
        return NULL;
    void *p = xcalloc(1, size);
    if (!p)
        stack_uncharge(ns, size);
    return p;
}

void stack_free(struct netstack *ns, void *p, size_t size) {
    stack_uncharge(ns, size);
    free(p);
}

uint32_t stack_random(struct netstack *ns) {
    uint32_t v;
    ns->config.random(ns->config.arg, &v, sizeof v);
    return v;
}

bool bucket_take(struct netstack *ns, struct bucket *b) {
    uint64_t grown = (ns->now - b->at) / NS_MS * b->rate;
    if (grown > 0) {
        b->at = ns->now;
        b->tokens = b->tokens + grown < b->burst * 1000ull ? b->tokens + grown : b->burst * 1000ull;
    }
    if (b->tokens < 1000)
        return false;
    b->tokens -= 1000;
    return true;
}

// ---- Its life ---------------------------------------------------------------------------------------------
static void init_lists(struct netstack *ns) {
    struct list *heads[] = {&ns->netifs, &ns->routes,  &ns->backlog,   &ns->neigh_lru, &ns->fragments,
                            &ns->socks,  &ns->dead,    &ns->time_wait, &ns->rules,     &ns->tracked_lru,
                            &ns->raws,   &ns->packets, &ns->later};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        list_init(heads[i]);
    for (size_t i = 0; i < sizeof ns->neighbours / sizeof *ns->neighbours; i++)
        list_init(&ns->neighbours[i]);
    for (size_t i = 0; i < STACK_TRACK_HASH; i++)
        list_init(&ns->tracked[i]);
    for (size_t i = 0; i < STACK_CONN_HASH; i++)
        list_init(&ns->conns[i]);
    for (size_t i = 0; i < STACK_PORT_HASH; i++) {
        list_init(&ns->bound[0][i]);
        list_init(&ns->bound[1][i]);
        list_init(&ns->used[0][i]);
        list_init(&ns->used[1][i]);
    }
}

static void init_bucket(struct netstack *ns, struct bucket *b, uint32_t rate, uint32_t burst) {
    *b = (struct bucket){.rate = rate, .burst = burst, .tokens = burst * 1000ull, .at = ns->now};
}

static int add_loopback(struct netstack *ns) {
    struct netif_config lo = {
        .name = "lo", .kind = NETIF_IP, .mtu = 65536, .flags = NETIF_LOOPBACK | NETIF_NO_DAD};
    struct ns_ip four = ns_ip4(127, 0, 0, 1), six = {.b[15] = 1};
    int err = netif_add(ns, &lo, &ns->lo);
    if (!err)
        err = netif_add_address(ns->lo, &four, 8);
    return err ? err : netif_add_address(ns->lo, &six, 128);
}

int netstack_create(const struct netstack_config *config, struct netstack **out) {
    struct netstack *ns = znew(struct netstack);
    if (!ns)
        return -LINUX_ENOMEM;
    ns->config = *config;
    if (!ns->config.budget)
        ns->config.budget = STACK_BUDGET;
    lock_init(&ns->lock, RANK_NETSTACK);
    ns->now = config->clock(config->arg);
    config->random(config->arg, &ns->key, sizeof ns->key);
    ns->ip_id = (uint16_t)stack_random(ns);
    ns->port_seed = stack_random(ns);
    init_lists(ns);
    wheel_init(&ns->wheel, ns->now);
    init_bucket(ns, &ns->icmp_errors, 1000, 50);  // Linux: icmp_msgs_per_sec, icmp_msgs_burst
    init_bucket(ns, &ns->icmp_replies, 10000, 1000);
    init_bucket(ns, &ns->challenge_acks, 1000, 100);
    frag_init(ns);
    int err = add_loopback(ns);
    if (err) {
        netstack_destroy(ns);
        return err;
    }
    *out = ns;
    return 0;
}

static void drop_backlog(struct netstack *ns) {
    while (!list_empty(&ns->backlog)) {
        struct pkt *p = list_first(&ns->backlog, struct pkt, link);
        list_del(&p->link);
        pkt_free(p);
    }
    ns->backlog_len = 0;
}

void netstack_destroy(struct netstack *ns) {
    lock_take(&ns->lock);
    drop_backlog(ns);
    sock_drop_all(ns);
    sock_reap(ns);
    drop_backlog(ns);
    frag_flush(ns);
    filter_flush(ns);
    while (!list_empty(&ns->netifs))
        netif_free(list_first(&ns->netifs, struct netif, link));
    struct netstack_usage *u = &ns->usage;
    if (u->bytes || u->packets || u->buffers || u->sockets || ns->wheel.armed || ns->nneighbours ||
        ns->nroutes)
        panic("netstack: left over: %zu bytes, %u packets, %u buffers, %u sockets, %u timers, "
              "%u neighbours, %u routes",
              u->bytes, u->packets, u->buffers, u->sockets, ns->wheel.armed, ns->nneighbours, ns->nroutes);
    lock_drop(&ns->lock);
    lock_destroy(&ns->lock);
    free(ns);
}

// ---- Time and numbers -------------------------------------------------------------------------------------
static uint64_t deadline(struct netstack *ns) {
    return list_empty(&ns->backlog) ? wheel_next(&ns->wheel) : ns->now;
}

uint64_t netstack_poll(struct netstack *ns) {
    {
        IN_STACK(ns);
        wheel_run(&ns->wheel, ns->now);
    }
    return netstack_deadline(ns);
}

uint64_t netstack_deadline(struct netstack *ns) {
    LOCKED(&ns->lock);
    return deadline(ns);
}

void netstack_usage(struct netstack *ns, struct netstack_usage *out) {
    LOCKED(&ns->lock);
    *out = ns->usage;
    out->timers = ns->wheel.armed;
}

uint64_t netstack_stat(struct netstack *ns, const char *name) {
    for (unsigned i = 0; i < STAT_COUNT; i++)
        if (strcmp(stat_names[i], name) == 0) {
            LOCKED(&ns->lock);
            return ns->stats[i];
        }
    return UINT64_MAX;
}

const char *netstack_stat_name(unsigned i) { return i < STAT_COUNT ? stat_names[i] : NULL; }
