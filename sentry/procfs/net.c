// SPDX-License-Identifier: Apache-2.0
// /proc/net: the links and addresses of sentry/net; the sockets of the stack are in net_sockets.c, routes,
// neighbours and groups in net_tables.c. Else the headings alone.
// LIMIT: sockets of netlink are not listed, nor what protocols there are.
#include "sentry/kernel.h"
#include "sentry/net/net.h"
#include "abi/socket.h"
#include "sentry/procfs/impl.h"

// The columns of Linux, which programs take apart.
static int show_dev(struct proc_text *x, const struct proc_node *n) {
    struct net_ns *ns cleanup_net_ns = proc_net(n);
    struct net_link l;
    if (!ns)
        return -LINUX_EINVAL;
    const struct net_source *net = &ns->inet.links.source;
    proc_printf(
        x, "Inter-|   Receive                                                |  Transmit\n"
           " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop "
           "fifo colls carrier compressed\n");
    for (uint32_t at = 0; net_next_link(net, &at, &l);) {
        const struct net_stats *s = &l.stats;
        proc_printf(
            x, "%6s: %7llu %7llu %4llu %4llu %4u %5u %10u %9llu %8llu %7llu %4llu %4llu %4u %5u %7u %10u\n",
            l.name, (unsigned long long)s->rx_bytes, (unsigned long long)s->rx_packets,
            (unsigned long long)s->rx_errors, (unsigned long long)s->rx_dropped, 0u, 0u, 0u,
            (unsigned long long)s->multicast, (unsigned long long)s->tx_bytes,
            (unsigned long long)s->tx_packets, (unsigned long long)s->tx_errors,
            (unsigned long long)s->tx_dropped, 0u, 0u, 0u, 0u);
    }
    return 0;
}

static int show_if_inet6(struct proc_text *x, const struct proc_node *n) {
    struct net_ns *ns cleanup_net_ns = proc_net(n);
    struct net_addr a;
    struct net_link l;
    if (!ns)
        return -LINUX_EINVAL;
    const struct net_source *net = &ns->inet.links.source;
    for (uint32_t at = 0; net_next_addr(net, &at, &a);) {
        if (a.family != LINUX_AF_INET6 || !net_link_by_index(net, a.link, &l))
            continue;
        for (unsigned i = 0; i < 16; i++)
            proc_printf(x, "%02x", a.bytes[i]);
        // Kinds of scope as ipv6_addr_scope() of Linux has them: loopback, link, global.
        static const unsigned char scopes[] = {[LINUX_RT_SCOPE_HOST] = 0x10, [LINUX_RT_SCOPE_LINK] = 0x20};
        proc_printf(x, " %02x %02x %02x %02x %8s\n", (unsigned)l.index, a.prefix_len,
                    a.scope < sizeof scopes ? scopes[a.scope] : 0, LINUX_IFA_F_PERMANENT, l.name);
    }
    return 0;
}

const struct proc_entry proc_net_entries[] = {
    PROC_FILE("arp", proc_show_arp),
    PROC_FILE("dev", show_dev),
    PROC_FILE("dev_mcast", proc_show_dev_mcast),
    PROC_CONST("fib_trie", ""),
    PROC_FILE("if_inet6", show_if_inet6),
    PROC_FILE("igmp", proc_show_igmp),
    PROC_FILE("igmp6", proc_show_igmp6),
    PROC_FILE("ipv6_route", proc_show_ipv6_route),
    PROC_CONST("netlink",
               "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"),
    PROC_FILE("netstat", proc_show_netstat),
    PROC_FILE("packet", proc_show_packet),
    PROC_CONST("protocols",
               "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs "
               "se re sp bi br ha uh gp em\n"),
    PROC_FILE("raw", proc_show_raw),
    PROC_FILE("raw6", proc_show_raw6),
    PROC_FILE("route", proc_show_route),
    PROC_FILE("snmp", proc_show_snmp),
    PROC_FILE("sockstat", proc_show_sockstat),
    PROC_FILE("sockstat6", proc_show_sockstat6),
    PROC_FILE("tcp", proc_show_tcp),
    PROC_FILE("tcp6", proc_show_tcp6),
    PROC_FILE("udp", proc_show_udp),
    PROC_FILE("udp6", proc_show_udp6),
    PROC_FILE("unix", proc_show_unix),
    PROC_CONST("wireless", ""),
    {0},
};
