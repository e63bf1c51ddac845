// SPDX-License-Identifier: Apache-2.0
// /proc/net/{tcp,tcp6,udp,udp6,raw,raw6,sockstat,sockstat6,snmp}: the sockets of the stack, in the columns
// that programs take apart, and its counters.
// LIMIT: half-open connections are not listed; counters of snmp that the stack does not have are 0.
#include "sentry/procfs/impl.h"
#include "sentry/socket/inet.h"
#include <string.h>

#define ESTABLISHED 1
#define TIME_WAIT   6
#define LISTENING   10
#define TICK_NS     10000000u  // USER_HZ

// ---- Lists ------------------------------------------------------------------------------------------------
struct listing {
    struct proc_text *x;
    enum ns_family family;
    uint8_t proto;
    bool raw;
    unsigned n;
};

static void put_addr(struct proc_text *x, enum ns_family family, const struct ns_addr *a, unsigned port) {
    for (unsigned at = family == NS_INET ? 12 : 0; at < 16; at += 4) {
        uint32_t word;
        memcpy(&word, a->ip.b + at, sizeof word);
        proc_printf(x, "%08X", word);
    }
    proc_printf(x, ":%04X", port);
}

static void put_socket(void *arg, const struct ns_sock_info *s) {
    struct listing *l = arg;
    if (s->family != l->family || s->raw != l->raw || (!l->raw && s->proto != l->proto))
        return;
    bool tcp = !l->raw && l->proto == LINUX_IPPROTO_TCP, bound = s->local.port || l->raw;
    if (!bound)
        return;  // nobody can speak to it
    const struct inet_sock *i = s->user;
    proc_printf(l->x, tcp ? "%4u: " : "%5u: ", l->n++);
    put_addr(l->x, s->family, &s->local, l->raw ? s->proto : s->local.port);
    proc_printf(l->x, " ");
    put_addr(l->x, s->family, &s->remote, l->raw ? 0 : s->remote.port);
    size_t out = tcp && s->state == LISTENING ? 0 : s->out;
    proc_printf(l->x, " %02X %08zX:%08zX %02X:%08llX %08X %5u %8d %llu %d 0000000000000000", s->state, out,
                s->in, tcp ? s->timer : 0, tcp ? (unsigned long long)(s->due / TICK_NS) : 0,
                tcp ? s->retries : 0, s->owner, 0, i ? (unsigned long long)atomic_load(&i->s.ino) : 0,
                i ? 1 : 0);
    proc_printf(l->x, tcp ? " 100 0 0 10 0\n" : " 0\n");
}

static int show(struct proc_text *x, const struct proc_node *n, enum ns_family family, uint8_t proto,
                bool raw) {
    struct net_ns *ns cleanup_net_ns = proc_net(n);
    if (!ns)
        return -LINUX_EINVAL;
    struct listing l = {x, family, proto, raw, 0};
    bool tcp = !raw && proto == LINUX_IPPROTO_TCP, six = family == NS_INET6;
    const char *gap = six ? "                        " : "";
    proc_printf(
        x,
        "%s  sl  local_address%s rem_address  %s st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
        "inode%s\n",
        tcp ? "" : " ", gap, gap, tcp ? "" : " ref pointer drops");
    netstack_each_socket(ns->inet.stack, put_socket, &l);
    return 0;
}

int proc_show_tcp(struct proc_text *x, const struct proc_node *n) {
    return show(x, n, NS_INET, LINUX_IPPROTO_TCP, false);
}
int proc_show_tcp6(struct proc_text *x, const struct proc_node *n) {
    return show(x, n, NS_INET6, LINUX_IPPROTO_TCP, false);
}
int proc_show_udp(struct proc_text *x, const struct proc_node *n) {
    return show(x, n, NS_INET, LINUX_IPPROTO_UDP, false);
}
int proc_show_udp6(struct proc_text *x, const struct proc_node *n) {
    return show(x, n, NS_INET6, LINUX_IPPROTO_UDP, false);
}
int proc_show_raw(struct proc_text *x, const struct proc_node *n) { return show(x, n, NS_INET, 0, true); }
int proc_show_raw6(struct proc_text *x, const struct proc_node *n) { return show(x, n, NS_INET6, 0, true); }

// ---- Sums -------------------------------------------------------------------------------------------------
struct sums {
    unsigned used, tcp[2], udp[2], raw[2];  // of IPv4 and IPv6
    unsigned orphans, time_wait, established;
};

static void add(void *arg, const struct ns_sock_info *s) {
    struct sums *t = arg;
    unsigned six = s->family == NS_INET6;
    t->used += s->user != NULL;
    if (s->raw)
        t->raw[six]++;
    else if (s->proto == LINUX_IPPROTO_UDP)
        t->udp[six] += s->local.port != 0;
    else if (s->proto == LINUX_IPPROTO_TCP && s->state == TIME_WAIT)
        t->time_wait++;
    else if (s->proto == LINUX_IPPROTO_TCP && s->local.port) {
        t->tcp[six]++;
        t->orphans += !s->user;
        t->established += s->state == ESTABLISHED;
    }
}

static struct sums count_all(const struct net_ns *ns) {
    struct sums t = {0};
    netstack_each_socket(ns->inet.stack, add, &t);
    return t;
}

int proc_show_sockstat(struct proc_text *x, const struct proc_node *n) {
    struct net_ns *ns cleanup_net_ns = proc_net(n);
    if (!ns)
        return -LINUX_EINVAL;
    struct sums t = count_all(ns);
    struct netstack_usage u;
    netstack_usage(ns->inet.stack, &u);
    proc_printf(x,
                "sockets: used %u\nTCP: inuse %u orphan %u tw %u alloc %u mem %zu\nUDP: inuse %u mem 0\n"
                "UDPLITE: inuse 0\nRAW: inuse %u\nFRAG: inuse 0 memory 0\n",
                t.used, t.tcp[0], t.orphans, t.time_wait, t.tcp[0] + t.tcp[1], u.bytes / 4096, t.udp[0],
                t.raw[0]);
    return 0;
}

int proc_show_sockstat6(struct proc_text *x, const struct proc_node *n) {
    struct net_ns *ns cleanup_net_ns = proc_net(n);
    if (!ns)
        return -LINUX_EINVAL;
    struct sums t = count_all(ns);
    proc_printf(
        x, "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse 0\nRAW6: inuse %u\nFRAG6: inuse 0 memory 0\n",
        t.tcp[1], t.udp[1], t.raw[1]);
    return 0;
}

static unsigned long long stat_of(const struct net_ns *ns, const char *name) {
    return netstack_stat(ns->inet.stack, name);
}

int proc_show_snmp(struct proc_text *x, const struct proc_node *n) {
    struct net_ns *ns cleanup_net_ns = proc_net(n);
    if (!ns)
        return -LINUX_EINVAL;
    struct sums t = count_all(ns);
    proc_printf(
        x,
        "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos "
        "InDiscards InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs "
        "ReasmFails FragOKs "
        "FragFails FragCreates\nIp: %d 64 %llu %llu %llu %llu %llu 0 %llu %llu 0 %llu %llu "
        "%llu %llu 0 0 0 0\n",
        netstack_forwarding(ns->inet.stack, true) ? 1 : 2, stat_of(ns, "ip_in"),
        stat_of(ns, "ip_drop_header"), stat_of(ns, "ip_drop_martian"), stat_of(ns, "ip_forwarded"),
        stat_of(ns, "proto_drop_unknown"), stat_of(ns, "ip_delivered"), stat_of(ns, "ip_out"),
        stat_of(ns, "ip_drop_route"), stat_of(ns, "frag_drop_timeout"), stat_of(ns, "frag_in"),
        stat_of(ns, "frag_reassembled"));
    proc_printf(
        x,
        "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab "
        "InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n"
        "Tcp: 1 200 120000 -1 %llu %llu 0 %llu %u %llu %llu %llu %llu %llu %llu\n",
        stat_of(ns, "tcp_active_opens"), stat_of(ns, "tcp_passive_opens"), stat_of(ns, "tcp_resets_in"),
        t.established, stat_of(ns, "tcp_in"), stat_of(ns, "tcp_out"), stat_of(ns, "tcp_retransmits"),
        stat_of(ns, "tcp_drop_malformed"), stat_of(ns, "tcp_resets_out"), stat_of(ns, "tcp_drop_checksum"));
    proc_printf(
        x,
        "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti "
        "MemErrors\nUdp: %llu %llu %llu %llu %llu 0 %llu 0 0\n",
        stat_of(ns, "udp_in"), stat_of(ns, "udp_drop_port"), stat_of(ns, "udp_drop_malformed"),
        stat_of(ns, "udp_out"), stat_of(ns, "udp_drop_full"), stat_of(ns, "udp_drop_checksum"));
    return 0;
}
