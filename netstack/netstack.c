// SPDX-License-Identifier: Apache-2.0
// The roof: what a stack consists of is put together here, and its life. The layers know nothing of those
// above: what comes in finds its protocol in a table (ip/deliver.c), and what sockets are to hear goes
// through struct stack_upper (core/stack.h). Lock: the stack's.
#include "netstack/netstack.h"
#include "abi/errno.h"
#include "base/fault.h"
#include "netstack/core/pkt.h"
#include "netstack/core/stack.h"
#include "netstack/filter/hooks.h"
#include "netstack/ip/filter.h"
#include "netstack/ip/frag.h"
#include "netstack/ip/group.h"
#include "netstack/ip/icmp.h"
#include "netstack/ip/ip.h"
#include "netstack/link/netif.h"
#include "netstack/sock/packet.h"
#include "netstack/sock/raw.h"
#include "netstack/sock/sock.h"
#include "netstack/tcp/tcp.h"
#include "netstack/udp/udp.h"

// ---- What it consists of ----------------------------------------------------------------------------------
static void netif_gone(struct netif *nif) {
    sock_forget_netif(nif);
    packet_flush(nif);
}
static const struct stack_upper upper = {
    .backlog = netif_backlog,
    .output = sock_flush,
    .reap = sock_reap,
    .raw = raw_input,
    .raw_error = raw_error,
    .tap = packet_tap,
    .netif_gone = netif_gone,
};

static void register_protocols(struct netstack *ns) {
    static const struct ip_proto icmp = {.over4 = true, .input = icmp_input};
    static const struct ip_proto igmp = {.over4 = true, .input = igmp_input};
    static const struct ip_proto icmp6 = {.over6 = true, .input = icmp6_input};
    // RFC 8200 4.7: what follows is not looked at.
    static const struct ip_proto none = {.over6 = true, .input = pkt_free};
    static const struct ip_proto udp = {true, true, udp_input, udp_error};
    static const struct ip_proto tcp = {true, true, tcp_input, tcp_error};
    ip_register(ns, PROTO_ICMP, &icmp);
    ip_register(ns, PROTO_IGMP, &igmp);
    ip_register(ns, PROTO_ICMP6, &icmp6);
    ip_register(ns, PROTO_NONE, &none);
    ip_register(ns, PROTO_UDP, &udp);
    ip_register(ns, PROTO_TCP, &tcp);
}

int ns_socket(struct netstack *ns, enum ns_family family, enum ns_type type, struct ns_sock **out) {
    if (family != NS_INET && family != NS_INET6)
        return -LINUX_EAFNOSUPPORT;
    if (type != NS_STREAM && type != NS_DGRAM)
        return -LINUX_EPROTONOSUPPORT;
    IN_STACK(ns);
    *out = sock_new(ns, type == NS_STREAM ? &tcp_ops : &udp_ops, family);
    return *out ? 0 : -LINUX_ENOBUFS;
}

// ---- Its life ---------------------------------------------------------------------------------------------
static void init_lists(struct netstack *ns) {
    struct list *heads[] = {&ns->netifs, &ns->routes,  &ns->backlog,   &ns->neigh_lru, &ns->fragments,
                            &ns->socks,  &ns->dead,    &ns->time_wait, &ns->rules,     &ns->tracked_lru,
                            &ns->raws,   &ns->packets, &ns->later};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        list_init(heads[i]);
}

static void init_bucket(struct netstack *ns, struct bucket *b, uint32_t rate, uint32_t burst) {
    *b = (struct bucket){.rate = rate, .burst = burst, .tokens = burst * 1000ull, .at = ns->now};
}

static int add_loopback(struct netstack *ns) {
    struct netif_config lo = {
        .name = "lo", .kind = NETIF_IP, .mtu = 65536, .flags = NETIF_LOOPBACK | NETIF_NO_DAD};
    int err = netif_add(ns, &lo, &ns->lo);
    if (err)
        return err;
    IN_STACK(ns);
    ns->lo->down = ns->config.bare;
    return ns->config.bare ? 0 : netif_own_loopback(ns->lo);
}

int netstack_create(const struct netstack_config *config, struct netstack **out) {
    struct netstack *ns = znew(struct netstack);
    if (!ns)
        return -LINUX_ENOMEM;
    ns->config = *config;
    if (!ns->config.budget)
        ns->config.budget = STACK_BUDGET;
    ns->upper = &upper;
    ns->told = NETSTACK_NEVER;
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
    register_protocols(ns);
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
    nf_destroy(ns);
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
