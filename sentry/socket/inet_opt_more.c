// SPDX-License-Identifier: Apache-2.0
// Options of inet sockets that are more than a number in a range: structures, names, and numbers that mean
// something else for each kind of socket.
#include "abi/inet.h"
#include "sentry/socket/inet_opt.h"
#include <string.h>

// ---- Numbers ----------------------------------------------------------------------------------------------
static int as_int(const void *buf, uint32_t len, int *v) {
    if (len < sizeof *v)
        return -LINUX_EINVAL;
    memcpy(v, buf, sizeof *v);
    return 0;
}
// Of level IP a byte will do.
static int as_ip_int(const void *buf, uint32_t len, int *v) {
    if (len == 0 || len >= sizeof *v)
        return as_int(buf, len, v);
    *v = *(const unsigned char *)buf;
    return 0;
}

static int set_mtu_discover(struct inet_sock *i, enum inet_kept which, int v) {
    if (v < LINUX_IP_PMTUDISC_DONT || v > LINUX_IP_PMTUDISC_OMIT)
        return -LINUX_EINVAL;
    atomic_store(&i->kept[which], v);
    bool whole = v == LINUX_IP_PMTUDISC_DO || v == LINUX_IP_PMTUDISC_PROBE;
    return ns_set_option(i->ns, NS_OPT_MTU_DISCOVER, whole);
}

// The two low bits of a stream's are ECN's, which is TCP's own.
static int set_tos(struct inet_sock *i, int v) {
    return ns_set_option(i->ns, NS_OPT_TOS, inet_is_stream(&i->s) ? v & 0xfc : v & 0xff);
}

static int get_mtu(struct inet_sock *i, int *v) {
    int mtu = ns_mtu(i->ns);
    if (mtu < 0)
        return -LINUX_ENOTCONN;
    *v = mtu;
    return 0;
}

// ---- Groups -----------------------------------------------------------------------------------------------
// By index, or for 0 by an address of it; *out NULL: any. -LINUX_ENODEV.
static int find_netif(struct inet_sock *i, int32_t index, const uint8_t addr[4], struct netif **out) {
    static const uint8_t any[4];
    struct ns_netif_info info;
    *out = NULL;
    if (index == 0 && (!addr || !memcmp(addr, any, 4)))
        return 0;
    for (unsigned n = 0; netstack_netif_info(inet_stack(&i->s), n, &info) == 0; n++) {
        *out = info.nif;
        if (index && info.index == (uint32_t)index)
            return 0;
        for (unsigned k = 0; !index && k < info.naddrs; k++)
            if (ns_ip_is4(&info.addrs[k].ip) && !memcmp(info.addrs[k].ip.b + 12, addr, 4))
                return 0;
    }
    *out = NULL;
    return -LINUX_ENODEV;
}

static int join(struct inet_sock *i, bool leave, const struct ns_ip *group, struct netif *nif) {
    if (!inet_ip_is_multicast(group))
        return -LINUX_EINVAL;
    int err = leave ? ns_leave(i->ns, group, nif) : ns_join(i->ns, group, nif);
    return err == -LINUX_ENETUNREACH ? -LINUX_ENODEV : err;
}

// struct ip_mreq, or the longer ip_mreqn.
static int mreqn(const void *buf, uint32_t len, struct linux_ip_mreqn *m) {
    *m = (struct linux_ip_mreqn){{0}, {0}, 0};
    if (len < 8)
        return -LINUX_EINVAL;
    memcpy(m, buf, len < sizeof *m ? 8 : sizeof *m);
    return 0;
}

static int membership4(struct inet_sock *i, bool leave, const void *buf, uint32_t len) {
    struct linux_ip_mreqn m;
    struct netif *nif;
    if (inet_is_stream(&i->s))
        return -LINUX_EPROTO;
    int err = mreqn(buf, len, &m);
    if (err == 0)
        err = find_netif(i, m.imr_ifindex, m.imr_address, &nif);
    if (err < 0)
        return leave && err == -LINUX_ENODEV ? -LINUX_EADDRNOTAVAIL : err;
    struct ns_ip group =
        ns_ip4(m.imr_multiaddr[0], m.imr_multiaddr[1], m.imr_multiaddr[2], m.imr_multiaddr[3]);
    return join(i, leave, &group, nif);
}

static int membership6(struct inet_sock *i, bool leave, const void *buf, uint32_t len) {
    struct linux_ipv6_mreq m;
    struct netif *nif;
    struct ns_ip group;
    if (len < sizeof m)
        return -LINUX_EINVAL;
    if (inet_is_stream(&i->s))
        return -LINUX_EPROTO;
    memcpy(&m, buf, sizeof m);
    memcpy(group.b, m.ipv6mr_multiaddr, sizeof group.b);
    int err = find_netif(i, m.ipv6mr_ifindex, NULL, &nif);
    return err < 0 ? err : join(i, leave, &group, nif);
}

static int group_request(struct inet_sock *i, bool leave, const void *buf, uint32_t len) {
    struct linux_group_req g;
    struct sock_addr a = {.len = sizeof a.bytes};
    struct ns_addr group;
    struct netif *nif;
    if (len < sizeof g)
        return -LINUX_EINVAL;
    memcpy(&g, buf, sizeof g);
    memcpy(a.bytes, g.gr_group, sizeof a.bytes);
    int err = inet_addr_parse(&i->s, &a, &group);
    if (err < 0)
        return err == -LINUX_EAFNOSUPPORT ? -LINUX_EINVAL : err;
    err = find_netif(i, (int32_t)g.gr_interface, NULL, &nif);
    return err < 0 ? err : join(i, leave, &group.ip, nif);
}

static int multicast_if4(struct inet_sock *i, const void *buf, uint32_t len) {
    struct linux_ip_mreqn m = {{0}, {0}, 0};
    struct netif *nif;
    if (inet_is_stream(&i->s) || len < 4)
        return -LINUX_EINVAL;
    if (len >= 8) {
        int err = mreqn(buf, len, &m);
        if (err < 0)
            return err;
    } else {
        memcpy(m.imr_address, buf, 4);
    }
    if (find_netif(i, m.imr_ifindex, m.imr_address, &nif) < 0)
        return -LINUX_EADDRNOTAVAIL;
    return ns_set_group_interface(i->ns, nif);
}

static int multicast_if6(struct inet_sock *i, const void *buf, uint32_t len) {
    int index = 0;
    struct netif *nif;
    int err = inet_is_stream(&i->s) ? -LINUX_ENOPROTOOPT : as_int(buf, len, &index);
    if (err == 0)
        err = find_netif(i, index, NULL, &nif);
    return err < 0 ? err : ns_set_group_interface(i->ns, nif);
}

// ---- Raw --------------------------------------------------------------------------------------------------
// ICMP_FILTER has 32 types, ICMP6_FILTER 256; shorter ones leave the rest as it was.
static int set_blocked(struct inet_sock *i, const void *buf, uint32_t len, uint32_t most) {
    uint32_t bits[8];
    for (int n = 0; n < 8; n++)
        bits[n] = atomic_load(&i->blocked[n]);
    memcpy(bits, buf, len < most ? len : most);
    for (int n = 0; n < 8; n++)
        atomic_store(&i->blocked[n], bits[n]);
    ns_block_types(i->ns, bits);
    return 0;
}

static int get_blocked(struct inet_sock *i, void *buf, uint32_t *len, uint32_t most) {
    uint32_t bits[8];
    for (int n = 0; n < 8; n++)
        bits[n] = atomic_load(&i->blocked[n]);
    *len = *len < most ? *len : most;
    memcpy(buf, bits, *len);
    return 0;
}

// IPV6_CHECKSUM: of ICMPv6 that is ours to know (RFC 3542 3.1), and ping asks for it as SOL_RAW.
static int set_checksum(struct inet_sock *i, int level, int v) {
    if (i->s.protocol == LINUX_IPPROTO_ICMPV6 && level == LINUX_SOL_IPV6)
        return -LINUX_EINVAL;
    if (v > 0 && v & 1)
        return -LINUX_EINVAL;
    return ns_set_option(i->ns, NS_OPT_CHECKSUM_AT, v < 0 ? -1 : v);
}

// -LINUX_ENOPROTOOPT: it is none of those of raw sockets.
static int set_raw(struct inet_sock *i, int level, int name, const void *buf, uint32_t len) {
    int v = 0;
    if (level == LINUX_SOL_RAW && name == LINUX_ICMP_FILTER && i->s.protocol == LINUX_IPPROTO_ICMP)
        return set_blocked(i, buf, len, 4);
    if (i->s.family != LINUX_AF_INET6)
        return -LINUX_ENOPROTOOPT;
    if (level == LINUX_SOL_ICMPV6 && name == LINUX_ICMP6_FILTER && i->s.protocol == LINUX_IPPROTO_ICMPV6)
        return set_blocked(i, buf, len, 32);
    if ((level != LINUX_SOL_IPV6 && level != LINUX_SOL_RAW) || name != LINUX_IPV6_CHECKSUM)
        return -LINUX_ENOPROTOOPT;
    int err = as_int(buf, len, &v);
    return err < 0 ? err : set_checksum(i, level, v);
}

static int get_raw(struct inet_sock *i, int level, int name, void *buf, uint32_t *len) {
    int v;
    if (level == LINUX_SOL_RAW && name == LINUX_ICMP_FILTER && i->s.protocol == LINUX_IPPROTO_ICMP)
        return get_blocked(i, buf, len, 4);
    if (i->s.family != LINUX_AF_INET6)
        return -LINUX_ENOPROTOOPT;
    if (level == LINUX_SOL_ICMPV6 && name == LINUX_ICMP6_FILTER && i->s.protocol == LINUX_IPPROTO_ICMPV6)
        return get_blocked(i, buf, len, 32);
    if ((level != LINUX_SOL_IPV6 && level != LINUX_SOL_RAW) || name != LINUX_IPV6_CHECKSUM)
        return -LINUX_ENOPROTOOPT;
    int err = ns_get_option(i->ns, NS_OPT_CHECKSUM_AT, &v);
    return err < 0 ? err : inet_give_int(level, v, buf, len);
}

// ---- TCP --------------------------------------------------------------------------------------------------
static const char *const congestion[] = {[NS_CUBIC] = "cubic", [NS_RENO] = "reno"};
#define CA_NAME_MAX 16u

static int set_congestion(struct inet_sock *i, const void *buf, uint32_t len) {
    char name[CA_NAME_MAX] = "";
    if (len < 1)
        return -LINUX_EINVAL;
    memcpy(name, buf, len < sizeof name - 1 ? len : sizeof name - 1);
    for (int n = 0; n < (int)(sizeof congestion / sizeof congestion[0]); n++)
        if (!strcmp(name, congestion[n]))
            return ns_set_option(i->ns, NS_OPT_TCP_CONGESTION, n);
    return -LINUX_ENOENT;
}

static int get_congestion(struct inet_sock *i, void *buf, uint32_t *len) {
    char name[CA_NAME_MAX] = "";
    int n;
    int err = ns_get_option(i->ns, NS_OPT_TCP_CONGESTION, &n);
    if (err < 0)
        return err;
    strncpy(name, congestion[n], sizeof name - 1);
    *len = *len < sizeof name ? *len : sizeof name;
    memcpy(buf, name, *len);
    return 0;
}

// Seconds as a number of tries, and back: both round up (secs_to_retrans() in net/ipv4/tcp.c).
static int tries_of(int seconds) {
    int tries = 0, period = 0;
    for (int timeout = 1; seconds > period && tries < 255; timeout = timeout < 60 ? timeout * 2 : 120) {
        period += timeout;
        tries++;
    }
    return tries;
}
static int seconds_of(int tries) {
    int period = 0, timeout = 1;
    for (; tries > 0; tries--) {
        period += timeout;
        timeout = timeout < 60 ? timeout * 2 : 120;
    }
    return period;
}

static int set_tcp_int(struct inet_sock *i, int name, int v) {
    switch (name) {
    case LINUX_TCP_MAXSEG:
        return ns_set_option(i->ns, NS_OPT_TCP_MAXSEG, v);
    case LINUX_TCP_LINGER2:
        if (v > 120)
            v = 120;
        atomic_store(&i->kept[KEPT_LINGER2], v < 0 ? -1 : v);
        return 0;
    case LINUX_TCP_DEFER_ACCEPT:
        atomic_store(&i->kept[KEPT_DEFER_ACCEPT], tries_of(v));
        return 0;
    case LINUX_TCP_WINDOW_CLAMP:
        if (v == 0 && atomic_load(&i->phase) != INET_IDLE)
            return -LINUX_EINVAL;
        atomic_store(&i->kept[KEPT_WINDOW_CLAMP], v && v < 1152 ? 1152 : v);
        return 0;
    case LINUX_TCP_FASTOPEN_CONNECT:
        return v == 0 || v == 1 ? -LINUX_EOPNOTSUPP : -LINUX_EINVAL;
    default:
        return -LINUX_ENOPROTOOPT;
    }
}

static int get_tcp_int(struct inet_sock *i, int name, int *v) {
    struct ns_tcp_info info;
    switch (name) {
    case LINUX_TCP_MAXSEG: {
        int err = ns_tcp_info(i->ns, &info);
        if (err < 0)
            return err;
        *v = (int)info.mss;
        bool idle = info.state == LINUX_TCP_CLOSE || info.state == LINUX_TCP_LISTEN;
        int set = 0;
        if (idle && ns_get_option(i->ns, NS_OPT_TCP_MAXSEG, &set) == 0 && set)
            *v = set;
        return 0;
    }
    case LINUX_TCP_LINGER2:
        *v = inet_kept(i, KEPT_LINGER2) ? inet_kept(i, KEPT_LINGER2) : 60;
        return 0;
    case LINUX_TCP_DEFER_ACCEPT:
        *v = seconds_of(inet_kept(i, KEPT_DEFER_ACCEPT));
        return 0;
    case LINUX_TCP_WINDOW_CLAMP:
        *v = inet_kept(i, KEPT_WINDOW_CLAMP);
        return 0;
    case LINUX_TCP_FASTOPEN_CONNECT:
        *v = 0;
        return 0;
    default:
        return -LINUX_ENOPROTOOPT;
    }
}

static uint32_t us(uint64_t ns) { return (uint32_t)(ns / 1000); }

static int get_info(struct inet_sock *i, void *buf, uint32_t *len) {
    struct ns_tcp_info n;
    size_t in, out;
    int err = ns_tcp_info(i->ns, &n);
    if (err < 0)
        return err;
    ns_queued(i->ns, &in, &out);
    struct linux_tcp_info info = {
        .tcpi_state = n.state,
        .tcpi_ca_state = n.recovery,
        .tcpi_options = (uint8_t)((n.timestamps ? LINUX_TCPI_OPT_TIMESTAMPS : 0) |
                                  (n.sack ? LINUX_TCPI_OPT_SACK : 0) | (n.ecn ? LINUX_TCPI_OPT_ECN : 0) |
                                  (n.snd_wscale || n.rcv_wscale ? LINUX_TCPI_OPT_WSCALE : 0)),
        .tcpi_wscale = (uint8_t)((n.snd_wscale & 15) | n.rcv_wscale << 4),
        .tcpi_rto = us(n.rto_ns),
        .tcpi_snd_mss = n.mss,
        .tcpi_rcv_mss = n.mss,
        .tcpi_advmss = n.mss,
        .tcpi_unacked = n.mss ? (n.in_flight + n.mss - 1) / n.mss : 0,
        .tcpi_rtt = us(n.srtt_ns),
        .tcpi_rttvar = us(n.rttvar_ns),
        .tcpi_snd_ssthresh = n.mss && n.ssthresh < INT32_MAX ? n.ssthresh / n.mss : INT32_MAX,
        .tcpi_snd_cwnd = n.mss ? n.cwnd / n.mss : 0,
        .tcpi_reordering = n.reordering,
        .tcpi_rcv_space = n.rcv_wnd,
        .tcpi_total_retrans = (uint32_t)n.retransmits,
        .tcpi_pmtu = ns_mtu(i->ns) > 0 ? (uint32_t)ns_mtu(i->ns) : 0,
        .tcpi_notsent_bytes = n.unsent,
        .tcpi_min_rtt = us(n.min_rtt_ns),
        .tcpi_snd_wnd = n.snd_wnd,
    };
    *len = *len < sizeof info ? *len : sizeof info;
    memcpy(buf, &info, *len);
    return 0;
}

// ---- By level ---------------------------------------------------------------------------------------------
static int set_ip(struct inet_sock *i, struct task *t, int name, const void *buf, uint32_t len) {
    int v = 0, err;
    switch (name) {
    case LINUX_IP_ADD_MEMBERSHIP:
    case LINUX_IP_DROP_MEMBERSHIP:
        return membership4(i, name == LINUX_IP_DROP_MEMBERSHIP, buf, len);
    case LINUX_MCAST_JOIN_GROUP:
    case LINUX_MCAST_LEAVE_GROUP:
        return group_request(i, name == LINUX_MCAST_LEAVE_GROUP, buf, len);
    case LINUX_IP_MULTICAST_IF:
        return multicast_if4(i, buf, len);
    case LINUX_IP_TOS:
        err = as_ip_int(buf, len, &v);
        return err < 0 ? err : set_tos(i, v);
    case LINUX_IP_MTU_DISCOVER:
        err = as_ip_int(buf, len, &v);
        return err < 0 ? err : set_mtu_discover(i, KEPT_MTU_DISCOVER, v);
    default:
        return -LINUX_ENOPROTOOPT;
    }
}

static int set_v6only(struct inet_sock *i, int v) {
    struct ns_addr local;
    if (ns_local(i->ns, &local) == 0 && local.port)
        return -LINUX_EINVAL;
    return ns_set_option(i->ns, NS_OPT_V6ONLY, v != 0);
}

static int set_ipv6(struct inet_sock *i, int name, const void *buf, uint32_t len) {
    int v = 0, err;
    switch (name) {
    case LINUX_IPV6_ADD_MEMBERSHIP:
    case LINUX_IPV6_DROP_MEMBERSHIP:
        return membership6(i, name == LINUX_IPV6_DROP_MEMBERSHIP, buf, len);
    case LINUX_MCAST_JOIN_GROUP:
    case LINUX_MCAST_LEAVE_GROUP:
        return group_request(i, name == LINUX_MCAST_LEAVE_GROUP, buf, len);
    case LINUX_IPV6_MULTICAST_IF:
        return multicast_if6(i, buf, len);
    case LINUX_IPV6_V6ONLY:
        err = as_int(buf, len, &v);
        return err < 0 ? err : set_v6only(i, v);
    case LINUX_IPV6_MTU_DISCOVER:
        err = as_int(buf, len, &v);
        return err < 0 ? err : set_mtu_discover(i, KEPT_MTU_DISCOVER6, v);
    default:
        return -LINUX_ENOPROTOOPT;
    }
}

int inet_setopt_more(struct inet_sock *i, struct task *t, int level, int name, const void *buf,
                     uint32_t len) {
    int v = 0;
    if (i->s.type == LINUX_SOCK_RAW) {
        int err = set_raw(i, level, name, buf, len);
        if (err != -LINUX_ENOPROTOOPT)
            return err;
    }
    if (level == LINUX_SOL_IP)
        return set_ip(i, t, name, buf, len);
    if (level == LINUX_SOL_IPV6 && i->s.family == LINUX_AF_INET6)
        return set_ipv6(i, name, buf, len);
    if (level != LINUX_SOL_TCP || !inet_is_stream(&i->s))
        return -LINUX_ENOPROTOOPT;
    if (name == LINUX_TCP_CONGESTION)
        return set_congestion(i, buf, len);
    if (name == LINUX_TCP_ULP)
        return len ? -LINUX_ENOENT : -LINUX_EINVAL;
    int err = as_int(buf, len, &v);
    return err < 0 ? err : set_tcp_int(i, name, v);
}

// Linux says of an IPv4 socket that it has no such level when asked, though not when told.
static bool has_level(const struct socket *s, int level) {
    switch (level) {
    case LINUX_SOL_TCP:
        return s->type == LINUX_SOCK_STREAM;
    case LINUX_SOL_UDP:
        return inet_is_udp(s);
    case LINUX_SOL_RAW:
        return s->type == LINUX_SOCK_RAW;
    default:
        return level == LINUX_SOL_IP || s->family == LINUX_AF_INET6;
    }
}

static int get_int(struct inet_sock *i, int level, int name, int *v) {
    if (!has_level(&i->s, level))
        return i->s.family == LINUX_AF_INET ? -LINUX_EOPNOTSUPP : -LINUX_ENOPROTOOPT;
    if (level == LINUX_SOL_IP && name == LINUX_IP_TOS)
        return ns_get_option(i->ns, NS_OPT_TOS, v);
    if (level == LINUX_SOL_IP && name == LINUX_IP_MTU_DISCOVER) {
        *v = inet_kept(i, KEPT_MTU_DISCOVER);
        return 0;
    }
    if (level == LINUX_SOL_IP && name == LINUX_IP_MTU)
        return get_mtu(i, v);
    if (level == LINUX_SOL_TCP && inet_is_stream(&i->s))
        return get_tcp_int(i, name, v);
    if (level != LINUX_SOL_IPV6 || i->s.family != LINUX_AF_INET6)
        return -LINUX_ENOPROTOOPT;
    switch (name) {
    case LINUX_IPV6_V6ONLY:
        return ns_get_option(i->ns, NS_OPT_V6ONLY, v);
    case LINUX_IPV6_MTU_DISCOVER:
        *v = inet_kept(i, KEPT_MTU_DISCOVER6);
        return 0;
    case LINUX_IPV6_MTU:
        return get_mtu(i, v);
    default:
        return -LINUX_ENOPROTOOPT;
    }
}

int inet_getopt_more(struct inet_sock *i, int level, int name, void *buf, uint32_t *len) {
    int v;
    if (i->s.type == LINUX_SOCK_RAW) {
        int err = get_raw(i, level, name, buf, len);
        if (err != -LINUX_ENOPROTOOPT)
            return err;
    }
    if (level == LINUX_SOL_TCP && inet_is_stream(&i->s)) {
        if (name == LINUX_TCP_INFO)
            return get_info(i, buf, len);
        if (name == LINUX_TCP_CONGESTION)
            return get_congestion(i, buf, len);
        if (name == LINUX_TCP_ULP || name == LINUX_TCP_SAVED_SYN) {
            *len = 0;  // there is none
            return 0;
        }
    }
    int err = get_int(i, level, name, &v);
    return err < 0 ? err : inet_give_int(level, v, buf, len);
}
