// SPDX-License-Identifier: Apache-2.0
// Options of inet sockets that are more than a number in a range: structures, names, and numbers that mean
// something else for each kind of socket.
#include "abi/inet.h"
#include "sentry/socket/inet_opt.h"
#include <string.h>

// ---- Numbers ----------------------------------------------------------------------------------------------
int inet_as_int(const void *buf, uint32_t len, int *v) {
    if (len < sizeof *v)
        return -LINUX_EINVAL;
    memcpy(v, buf, sizeof *v);
    return 0;
}
// Of level IP a byte will do, and none is a 0.
static int as_ip_int(const void *buf, uint32_t len, int *v) {
    if (len >= sizeof *v)
        return inet_as_int(buf, len, v);
    *v = len ? *(const unsigned char *)buf : 0;
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

// ---- Links and ports -------------------------------------------------------------------------------------
// IP_UNICAST_IF: 0, or the number of a link, in the network's order.
static int unicast_if(struct inet_sock *i, enum ns_option which, const void *buf, uint32_t len) {
    struct netif *nif;
    uint32_t index;
    if (len != sizeof index)
        return -LINUX_EINVAL;
    memcpy(&index, buf, sizeof index);
    index = __builtin_bswap32(index);
    NETDEV_LOCKED(i->s.net->hub);
    if (index && inet_find_netif(i, (int32_t)index, NULL, &nif) < 0)
        return -LINUX_EADDRNOTAVAIL;
    if (index && socket_opt(&i->s, LINUX_SO_BINDTODEVICE))  // one of both, as on Linux
        return -LINUX_EINVAL;
    return ns_set_option(i->ns, which, (int)index);
}

static int get_unicast_if(struct inet_sock *i, enum ns_option which, int *v) {
    int err = ns_get_option(i->ns, which, v);
    *v = (int)__builtin_bswap32((uint32_t)*v);
    return err;
}

// The lowest port in the lower half, the highest in the upper; 0: the system's.
static int port_range(struct inet_sock *i, const void *buf, uint32_t len) {
    uint32_t v;
    if (len != sizeof v)
        return -LINUX_EINVAL;
    memcpy(&v, buf, sizeof v);
    uint32_t low = v & 0xffff, high = v >> 16;
    if (low && high && low > high)
        return -LINUX_EINVAL;
    return ns_set_option(i->ns, NS_OPT_PORT_RANGE, (int)v);
}

// IP_OPTIONS. LIMIT: none are sent; but for those that end the list (0) they are EINVAL.
static int ip_options(const uint8_t *buf, uint32_t len) {
    for (uint32_t n = 0; n < len; n++)
        if (buf[n] || n >= 40)
            return -LINUX_EINVAL;
    return 0;
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
    int err = inet_as_int(buf, len, &v);
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

// ---- By level ---------------------------------------------------------------------------------------------
static int set_ip(struct inet_sock *i, struct task *t, int name, const void *buf, uint32_t len) {
    int v = 0, err;
    switch (name) {
    case LINUX_IP_UNICAST_IF:
        return unicast_if(i, NS_OPT_UNICAST_IF, buf, len);
    case LINUX_IP_LOCAL_PORT_RANGE:
        return port_range(i, buf, len);
    case LINUX_IP_OPTIONS:
        return ip_options(buf, len);
    case LINUX_IP_TRANSPARENT:
        err = len ? as_ip_int(buf, len, &v) : -LINUX_EINVAL;
        return err == 0 && v ? -LINUX_EPERM : err;  // LIMIT: IP_TRANSPARENT is refused
    case LINUX_IP_TOS:
        err = as_ip_int(buf, len, &v);
        return err < 0 ? err : set_tos(i, v);
    case LINUX_IP_MTU_DISCOVER:
        err = as_ip_int(buf, len, &v);
        return err < 0 ? err : set_mtu_discover(i, KEPT_MTU_DISCOVER, v);
    default:
        return inet_set_group(i, LINUX_SOL_IP, name, buf, len);
    }
}

static int set_v6only(struct inet_sock *i, int v) {
    struct ns_addr local;
    if (ns_local(i->ns, &local) == 0 && local.port)
        return -LINUX_EINVAL;
    return ns_set_option(i->ns, NS_OPT_V6ONLY, v != 0);
}

// IPV6_ADDRFORM, ipv6(7). LIMIT: no socket becomes one of IPv4; who asks for that is told that it has no such
// peer.
static int addrform(struct inet_sock *i, const void *buf, uint32_t len) {
    struct ns_addr peer;
    int v = 0, err = inet_as_int(buf, len, &v);
    if (err < 0 || v != LINUX_AF_INET)
        return -LINUX_EINVAL;
    if (!inet_is_stream(&i->s) && !inet_is_udp(&i->s))
        return -LINUX_ENOPROTOOPT;
    return ns_peer(i->ns, &peer) < 0 ? -LINUX_ENOTCONN : -LINUX_EADDRNOTAVAIL;
}

static int set_ipv6(struct inet_sock *i, int name, const void *buf, uint32_t len) {
    int v = 0, err;
    switch (name) {
    case LINUX_IPV6_ADDRFORM:
        return addrform(i, buf, len);
    case LINUX_IPV6_PKTINFO:
        return inet_set_sticky(i, buf, len);
    case LINUX_IPV6_UNICAST_IF:
        return unicast_if(i, NS_OPT_UNICAST_IF6, buf, len);
    case LINUX_IPV6_HOPOPTS:  // LIMIT: extension headers of IPv6 can be taken away, and none be set
    case LINUX_IPV6_RTHDRDSTOPTS:
    case LINUX_IPV6_RTHDR:
    case LINUX_IPV6_DSTOPTS:
        return len ? -LINUX_EINVAL : 0;
    case LINUX_IPV6_TRANSPARENT:
        err = inet_as_int(buf, len, &v);
        return err == 0 && v ? -LINUX_EPERM : err;
    case LINUX_IPV6_V6ONLY:
        err = inet_as_int(buf, len, &v);
        return err < 0 ? err : set_v6only(i, v);
    case LINUX_IPV6_MTU_DISCOVER:
        err = inet_as_int(buf, len, &v);
        return err < 0 ? err : set_mtu_discover(i, KEPT_MTU_DISCOVER6, v);
    default:
        return inet_set_group(i, LINUX_SOL_IPV6, name, buf, len);
    }
}

static int set_udp(struct inet_sock *i, int name, const void *buf, uint32_t len) {
    int v = 0;
    int err = inet_as_int(buf, len, &v);
    if (err < 0)
        return err;
    if (name == LINUX_UDP_CORK) {
        atomic_store(&i->kept[KEPT_UDP_CORK], v != 0);
        if (!v)
            inet_uncork(i);
        return 0;
    }
    if (name != LINUX_UDP_ENCAP)
        return -LINUX_ENOPROTOOPT;
    return v ? -LINUX_ENOPROTOOPT : 0;  // LIMIT: UDP_ENCAP knows no encapsulation
}

int inet_setopt_more(struct inet_sock *i, struct task *t, int level, int name, const void *buf,
                     uint32_t len) {
    if (i->s.type == LINUX_SOCK_RAW) {
        int err = set_raw(i, level, name, buf, len);
        if (err != -LINUX_ENOPROTOOPT)
            return err;
    }
    bool six = i->s.family == LINUX_AF_INET6;
    if (level == LINUX_SOL_IP)
        return six && i->s.type == LINUX_SOCK_RAW ? -LINUX_ENOPROTOOPT : set_ip(i, t, name, buf, len);
    if (level == LINUX_SOL_IPV6 && six)
        return set_ipv6(i, name, buf, len);
    if (level == LINUX_SOL_UDP && inet_is_udp(&i->s))
        return set_udp(i, name, buf, len);
    if (level != LINUX_SOL_TCP || !inet_is_stream(&i->s))
        return -LINUX_ENOPROTOOPT;
    return inet_set_tcp(i, name, buf, len);
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

static int get_ip_int(struct inet_sock *i, int name, int *v) {
    struct ns_addr local;
    switch (name) {
    case LINUX_IP_MTU:
        return get_mtu(i, v);
    case LINUX_IP_UNICAST_IF:
        return get_unicast_if(i, NS_OPT_UNICAST_IF, v);
    case LINUX_IP_LOCAL_PORT_RANGE:
        return ns_get_option(i->ns, NS_OPT_PORT_RANGE, v);
    case LINUX_IP_TRANSPARENT:
    case LINUX_IP_ROUTER_ALERT:
        *v = 0;
        return 0;
    case LINUX_IP_PROTOCOL:  // of all but raw ones the port (inet_num of Linux)
        *v = i->s.type == LINUX_SOCK_RAW ? i->s.protocol : 0;
        if (i->s.type != LINUX_SOCK_RAW && ns_local(i->ns, &local) == 0)
            *v = local.port;
        return 0;
    default:
        return -LINUX_ENOPROTOOPT;
    }
}

static int get_int(struct inet_sock *i, int level, int name, int *v) {
    bool six = i->s.family == LINUX_AF_INET6;
    if (!has_level(&i->s, level))
        return six ? -LINUX_ENOPROTOOPT : -LINUX_EOPNOTSUPP;
    if (six && level == LINUX_SOL_IP && i->s.type == LINUX_SOCK_RAW)
        return -LINUX_ENOPROTOOPT;
    if (level == LINUX_SOL_IP && name == LINUX_IP_TOS)
        return ns_get_option(i->ns, NS_OPT_TOS, v);
    if (level == LINUX_SOL_IP && name == LINUX_IP_MTU_DISCOVER) {
        *v = inet_kept(i, KEPT_MTU_DISCOVER);
        return 0;
    }
    if (level == LINUX_SOL_IP)
        return get_ip_int(i, name, v);
    if (level == LINUX_SOL_UDP && (name == LINUX_UDP_ENCAP || name == LINUX_UDP_CORK)) {
        *v = name == LINUX_UDP_CORK ? inet_kept(i, KEPT_UDP_CORK) : 0;
        return 0;
    }
    if (level != LINUX_SOL_IPV6 || i->s.family != LINUX_AF_INET6)
        return -LINUX_ENOPROTOOPT;
    switch (name) {
    case LINUX_IPV6_ADDRFORM: {
        struct ns_addr peer;
        *v = LINUX_AF_INET6;
        return i->s.type == LINUX_SOCK_RAW ? -LINUX_ENOPROTOOPT : ns_peer(i->ns, &peer);
    }
    case LINUX_IPV6_V6ONLY:
        return ns_get_option(i->ns, NS_OPT_V6ONLY, v);
    case LINUX_IPV6_MTU_DISCOVER:
        *v = inet_kept(i, KEPT_MTU_DISCOVER6);
        return 0;
    case LINUX_IPV6_MTU:
        return get_mtu(i, v);
    case LINUX_IPV6_MULTICAST_IF:
        *v = inet_kept(i, KEPT_GROUP_IF);
        return 0;
    case LINUX_IPV6_UNICAST_IF:
        return get_unicast_if(i, NS_OPT_UNICAST_IF6, v);
    case LINUX_IPV6_TRANSPARENT:
        *v = 0;
        return 0;
    default:
        return -LINUX_ENOPROTOOPT;
    }
}

// Structures, and what is empty. 1: it is none of these.
static int get_bytes(struct inet_sock *i, int level, int name, void *buf, uint32_t *len) {
    struct linux_ip6_mtuinfo mtu = {{0}, 0};
    int v;
    bool six = i->s.family == LINUX_AF_INET6, raw = i->s.type == LINUX_SOCK_RAW;
    if (level == LINUX_SOL_IP && !(six && raw)) {
        if (name == LINUX_IP_MULTICAST_IF) {
            v = inet_kept(i, KEPT_GROUP_ADDR);
            *len = *len < sizeof v ? *len : sizeof v;
            memcpy(buf, &v, *len);
            return 0;
        }
        if (name == LINUX_IP_MSFILTER || name == LINUX_MCAST_MSFILTER)
            return inet_get_group(i, level, name, buf, len);
        if (name != LINUX_IP_OPTIONS && (name != LINUX_IP_PKTOPTIONS || !inet_is_stream(&i->s)))
            return 1;
        *len = 0;
        return 0;
    }
    if (level != LINUX_SOL_IPV6 || !six)
        return 1;
    switch (name) {
    case LINUX_MCAST_MSFILTER:
        return inet_get_group(i, level, name, buf, len);
    case LINUX_IPV6_HOPOPTS:
    case LINUX_IPV6_RTHDRDSTOPTS:
    case LINUX_IPV6_RTHDR:
    case LINUX_IPV6_DSTOPTS:
        *len = 0;
        return 0;
    case LINUX_IPV6_PATHMTU:
        if (*len < sizeof mtu)
            return -LINUX_EINVAL;
        if (get_mtu(i, &v) < 0)
            return -LINUX_ENOTCONN;
        mtu.ip6m_mtu = (uint32_t)v;
        *len = sizeof mtu;
        memcpy(buf, &mtu, sizeof mtu);
        return 0;
    default:
        return 1;
    }
}

int inet_getopt_more(struct inet_sock *i, int level, int name, void *buf, uint32_t *len) {
    int v, done = get_bytes(i, level, name, buf, len);
    if (done <= 0)
        return done;
    if (i->s.type == LINUX_SOCK_RAW) {
        int err = get_raw(i, level, name, buf, len);
        if (err != -LINUX_ENOPROTOOPT)
            return err;
    }
    if (level == LINUX_SOL_TCP && inet_is_stream(&i->s))
        return inet_get_tcp(i, name, buf, len);
    int err = get_int(i, level, name, &v);
    return err < 0 ? err : inet_give_int(level, v, buf, len);
}
