// SPDX-License-Identifier: Apache-2.0
// /proc/net/{arp,route,ipv6_route,igmp,igmp6,dev_mcast,netstat,packet}: what ifconfig, arp, route, netstat,
// and `ip maddr` take apart, in the columns of Linux.
// LIMIT: counters of netstat that the stack does not have are missing there; of routes those of the user and
// of links, not the ones of single addresses.
#include "sentry/net/net.h"
#include "abi/socket.h"
#include "netstack/netstack.h"
#include "sentry/procfs/impl.h"
#include "sentry/socket/socket.h"
#include <stdio.h>
#include <string.h>

#define RTF_UP      0x0001u
#define RTF_GATEWAY 0x0002u
#define RTF_HOST    0x0004u

// Each begins with the source of the namespace, and fails when that has ended.
#define TABLE(name) \
    static int name##_rows(struct proc_text *x, const struct net_ns *ns, const struct net_source *net); \
    int proc_show_##name(struct proc_text *x, const struct proc_node *n) { \
        struct net_ns *ns cleanup_net_ns = proc_net(n); \
        return ns ? name##_rows(x, ns, &ns->inet.links.source) : -LINUX_EINVAL; \
    } \
    static int name##_rows(struct proc_text *x, const struct net_ns *ns, const struct net_source *net)

static const char *name_of(const struct net_source *net, int32_t index, struct net_link *l) {
    return net_link_by_index(net, index, l) ? l->name : "*";
}

static void put_hex(struct proc_text *x, const uint8_t *bytes, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        proc_printf(x, "%02x", bytes[i]);
}

static uint32_t word(const uint8_t bytes[4]) {
    uint32_t v;
    memcpy(&v, bytes, sizeof v);
    return v;
}

// ---- Neighbours and routes --------------------------------------------------------------------------------
TABLE(arp) {
    struct net_neigh e;
    struct net_link l;
    proc_printf(x, "IP address       HW type     Flags       HW address            Mask     Device\n");
    for (uint32_t at = 0; net->ops->neigh && net->ops->neigh(net, &at, &e);) {
        if (e.family != LINUX_AF_INET)
            continue;
        char ip[16];
        snprintf(ip, sizeof ip, "%u.%u.%u.%u", e.bytes[0], e.bytes[1], e.bytes[2], e.bytes[3]);
        unsigned flags =
            (e.has_hw ? LINUX_ATF_COM : 0) | (e.state & LINUX_NUD_PERMANENT ? LINUX_ATF_PERM : 0);
        static const uint8_t none[6];
        const uint8_t *hw = e.has_hw ? e.hw : none;
        proc_printf(x, "%-16s 0x%-10x0x%-10x%02x:%02x:%02x:%02x:%02x:%02x     *        %s\n", ip, 1u, flags,
                    hw[0], hw[1], hw[2], hw[3], hw[4], hw[5], name_of(net, e.link, &l));
    }
    return 0;
}

TABLE(route) {
    struct net_route r;
    struct net_link l;
    proc_printf(x, "%-127s\n",
                "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
    for (uint32_t at = 0; net_next_route(net, &at, &r);) {
        if (r.family != LINUX_AF_INET || r.table != LINUX_RT_TABLE_MAIN || r.type != LINUX_RTN_UNICAST)
            continue;
        uint32_t mask = r.dst_len ? __builtin_bswap32(UINT32_MAX << (32 - r.dst_len)) : 0;
        unsigned flags = RTF_UP | (r.has_gateway ? RTF_GATEWAY : 0) | (r.dst_len == 32 ? RTF_HOST : 0);
        char row[128];
        snprintf(row, sizeof row, "%s\t%08X\t%08X\t%04X\t0\t0\t%u\t%08X\t0\t0\t0", name_of(net, r.link, &l),
                 word(r.dst), r.has_gateway ? word(r.gateway) : 0, flags, r.metric, mask);
        proc_printf(x, "%-127s\n", row);
    }
    return 0;
}

TABLE(ipv6_route) {
    static const uint8_t none[16];
    struct net_route r;
    struct net_link l;
    for (uint32_t at = 0; net_next_route(net, &at, &r);) {
        if (r.family != LINUX_AF_INET6 || r.table != LINUX_RT_TABLE_MAIN)
            continue;
        put_hex(x, r.dst, 16);
        proc_printf(x, " %02x ", r.dst_len);
        put_hex(x, none, 16);
        proc_printf(x, " 00 ");
        put_hex(x, r.has_gateway ? r.gateway : none, 16);
        unsigned flags = RTF_UP | (r.has_gateway ? RTF_GATEWAY : 0) | (r.dst_len == 128 ? RTF_HOST : 0);
        proc_printf(x, " %08x 00000001 00000000 %08x %8s\n", r.metric, flags, name_of(net, r.link, &l));
    }
    return 0;
}

// ---- Groups -----------------------------------------------------------------------------------------------
// The groups of one link, that of all hosts among them, which every link hears that is up: f() for each.
static unsigned each_group(const struct net_ns *ns, const struct net_link *l, bool four,
                           void (*f)(struct proc_text *x, const struct net_link *l, const struct ns_group *g),
                           struct proc_text *x) {
    struct ns_group g = {.users = 1};
    unsigned n = 0;
    if (!(l->flags & LINUX_IFF_UP))
        return 0;
    g.ip = four ? ns_ip4(224, 0, 0, 1) : (struct ns_ip){{0xff, 0x02, [15] = 1}};
    n++;
    if (f)
        f(x, l, &g);
    for (unsigned i = 0; netstack_group_at(ns->inet.stack, (uint32_t)l->index, i, &g) == 0; i++) {
        if (ns_ip_is4(&g.ip) != four)
            continue;
        n++;
        if (f)
            f(x, l, &g);
    }
    return n;
}

static void put_igmp(struct proc_text *x, const struct net_link *l, const struct ns_group *g) {
    proc_printf(x, "\t\t\t\t%08X %5u %d:%08X\t\t%d\n", word(g->ip.b + 12), g->users, 0, 0u, 0);
}
TABLE(igmp) {
    struct net_link l;
    proc_printf(x, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
    for (uint32_t at = 0; net_next_link(net, &at, &l);) {
        unsigned n = each_group(ns, &l, true, NULL, NULL);
        if (n == 0)
            continue;
        proc_printf(x, "%d\t%-10s: %5u      V3\n", l.index, l.name, n);
        each_group(ns, &l, true, put_igmp, x);
    }
    return 0;
}

static void put_igmp6(struct proc_text *x, const struct net_link *l, const struct ns_group *g) {
    proc_printf(x, "%-4d %-15s ", l->index, l->name);
    put_hex(x, g->ip.b, 16);
    proc_printf(x, " %5u %08X %d\n", g->users, 0x0cu, 0);
}
TABLE(igmp6) {
    struct net_link l;
    for (uint32_t at = 0; net_next_link(net, &at, &l);)
        each_group(ns, &l, false, put_igmp6, x);
    return 0;
}

// The link addresses of groups (RFC 1112 6.4, RFC 2464 7).
static void put_mac(struct proc_text *x, const struct net_link *l, const struct ns_group *g) {
    const uint8_t *b = g->ip.b;
    proc_printf(x, "%-4d %-15s %-5u %-5d ", l->index, l->name, g->users, 0);
    if (ns_ip_is4(&g->ip))
        proc_printf(x, "01005e%02x%02x%02x\n", b[13] & 0x7f, b[14], b[15]);
    else
        proc_printf(x, "3333%02x%02x%02x%02x\n", b[12], b[13], b[14], b[15]);
}
TABLE(dev_mcast) {
    struct net_link l;
    for (uint32_t at = 0; net_next_link(net, &at, &l);) {
        if (l.flags & LINUX_IFF_LOOPBACK)
            continue;
        each_group(ns, &l, true, put_mac, x);
        each_group(ns, &l, false, put_mac, x);
    }
    return 0;
}

// ---- Sums -------------------------------------------------------------------------------------------------
// A heading and its numbers, column by column, as Linux has them.
struct column {
    const char *title, *stat;
};
static void put_columns(struct proc_text *x, const struct net_ns *ns, const char *row,
                        const struct column *c) {
    proc_printf(x, "%s:", row);
    for (unsigned i = 0; c[i].title; i++)
        proc_printf(x, " %s", c[i].title);
    proc_printf(x, "\n%s:", row);
    for (unsigned i = 0; c[i].title; i++)
        proc_printf(x, " %llu", (unsigned long long)netstack_stat(ns->inet.stack, c[i].stat));
    proc_printf(x, "\n");
}
TABLE(netstat) {
    static const struct column tcp[] = {{"SyncookiesSent", "tcp_syn_cookies"},
                                        {"SyncookiesFailed", "tcp_drop_cookie"},
                                        {"TWRecycled", "tcp_time_wait_reused"},
                                        {"PAWSEstab", "tcp_drop_paws"},
                                        {"ListenOverflows", "tcp_drop_backlog"},
                                        {"ListenDrops", "tcp_drop_backlog"},
                                        {"TCPRcvQDrop", "tcp_drop_full"},
                                        {"TCPMinTTLDrop", "tcp_drop_ttl"},
                                        {"TCPChallengeACK", "tcp_challenge_acks"},
                                        {NULL, NULL}};
    static const struct column ip[] = {
        {"InNoRoutes", "ip_drop_route"}, {"InCsumErrors", "ip_drop_checksum"}, {NULL, NULL}};
    put_columns(x, ns, "TcpExt", tcp);
    put_columns(x, ns, "IpExt", ip);
    return 0;
}

// ---- Packet sockets ---------------------------------------------------------------------------------------
static void put_packet(void *arg, const struct ns_sock_info *s) {
    const struct socket *sock = s->user;
    if (s->family != NS_PACKET || !sock)
        return;
    proc_printf(arg, "%016x %-6d %-4d %04x   %-5d %1d %-6zu %-6u %-6llu\n", 0u, 3, sock->type, s->local.port,
                (int)s->local.scope, 1, s->in, s->owner, (unsigned long long)atomic_load(&sock->ino));
}
TABLE(packet) {
    (void)net;
    proc_printf(x, "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
    netstack_each_socket(ns->inet.stack, put_packet, x);
    return 0;
}
