// SPDX-License-Identifier: Apache-2.0
// /proc/net: the links of sentry/net; else as on a machine without a network, the headings alone.
// LIMIT: unix sockets are not listed.
#include "sentry/kernel.h"
#include "sentry/net/net.h"
#include "sentry/procfs/impl.h"

#define SOCKETS \
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"

// The columns of Linux, which programs take apart.
static int show_dev(struct proc_text *x, const struct proc_node *n) {
    const struct net_source *net = &the_kernel->net.inet.links.source;
    struct net_link l;
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

const struct proc_entry proc_net_entries[] = {
    PROC_CONST("arp", "IP address       HW type     Flags       HW address            Mask     Device\n"),
    PROC_FILE("dev", show_dev),
    PROC_CONST("fib_trie", ""),
    PROC_CONST("if_inet6", ""),
    PROC_CONST("igmp", "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"),
    PROC_CONST("ipv6_route", ""),
    PROC_CONST("netlink",
               "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"),
    PROC_CONST("packet", "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n"),
    PROC_CONST("protocols",
               "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs "
               "se re sp bi br ha uh gp em\n"),
    PROC_CONST("raw", SOCKETS " ref pointer drops\n"),
    PROC_CONST("raw6", SOCKETS " ref pointer drops\n"),
    PROC_CONST("route",
               "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"),
    PROC_CONST("sockstat", "sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\n"
                           "UDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n"),
    PROC_CONST("tcp", SOCKETS "\n"),
    PROC_CONST("tcp6", SOCKETS "\n"),
    PROC_CONST("udp", SOCKETS " ref pointer drops\n"),
    PROC_CONST("udp6", SOCKETS " ref pointer drops\n"),
    PROC_CONST("unix", "Num       RefCount Protocol Flags    Type St Inode Path\n"),
    PROC_CONST("wireless", ""),
    {0},
};
