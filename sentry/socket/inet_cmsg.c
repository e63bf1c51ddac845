// SPDX-License-Identifier: Apache-2.0
// Control messages of inet datagrams, ip(7), ipv6(7), udp(7): what is asked of one that is sent, and what is
// told of one that was received.
// LIMIT: SO_RXQ_OVFL, IP_RECVOPTS, IP_RETOPTS and IP_RECVORIGDSTADDR's kin of TPROXY tell nothing;
// SO_TIMESTAMPING tells when something was received, by software; a stream tells when its latest bytes came,
// which need not be those that were read.
#include "abi/inet.h"
#include "abi/time.h"
#include "base/clock.h"
#include "sentry/socket/inet.h"
#include <string.h>

// ---- Sent -------------------------------------------------------------------------------------------------
static int as_int(const void *data, size_t len, int *v) {
    if (len != sizeof *v)
        return -LINUX_EINVAL;
    memcpy(v, data, sizeof *v);
    return 0;
}

static int pktinfo4(struct ns_extra *x, const void *data, size_t len) {
    struct linux_in_pktinfo p;
    if (len != sizeof p)
        return -LINUX_EINVAL;
    memcpy(&p, data, sizeof p);
    if (p.ipi_ifindex < 0)
        return -LINUX_ENODEV;
    x->netif = (uint32_t)p.ipi_ifindex;
    x->local.ip = ns_ip4(p.ipi_spec_dst[0], p.ipi_spec_dst[1], p.ipi_spec_dst[2], p.ipi_spec_dst[3]);
    return 0;
}

static int pktinfo6(struct ns_extra *x, const void *data, size_t len) {
    struct linux_in6_pktinfo p;
    if (len < sizeof p)
        return -LINUX_EINVAL;
    memcpy(&p, data, sizeof p);
    if (p.ipi6_ifindex < 0)
        return -LINUX_ENODEV;
    x->netif = (uint32_t)p.ipi6_ifindex;
    memcpy(x->local.ip.b, p.ipi6_addr, sizeof x->local.ip.b);
    return 0;
}

void inet_extra_init(struct inet_sock *i, struct ns_extra *x) {
    *x = (struct ns_extra){.ttl = -1, .tos = -1};
    if (!atomic_load(&i->has_sticky))
        return;
    LOCKED(&i->rx);
    x->netif = (uint32_t)i->sticky.ipi6_ifindex;
    memcpy(x->local.ip.b, i->sticky.ipi6_addr, sizeof x->local.ip.b);
}

// IPV6_PKTINFO of a socket, RFC 3542 6.7: until it is set to nothing.
int inet_set_sticky(struct inet_sock *i, const void *buf, uint32_t len) {
    static const struct linux_in6_pktinfo none;
    struct linux_in6_pktinfo p;
    int bound = socket_opt(&i->s, LINUX_SO_BINDTODEVICE);
    if (len < sizeof p)
        return -LINUX_EINVAL;
    memcpy(&p, buf, sizeof p);
    if (p.ipi6_ifindex < 0 || (bound && p.ipi6_ifindex && bound != p.ipi6_ifindex))
        return -LINUX_EINVAL;
    LOCKED(&i->rx);
    i->sticky = p;
    atomic_store(&i->has_sticky, memcmp(&p, &none, sizeof p) != 0);
    return 0;
}

// A number from `least` to 255 for *to.
static int small(int *to, int least, const void *data, size_t len) {
    int v = 0;
    int err = as_int(data, len, &v);
    if (err < 0 || v < least || v > 255)
        return -LINUX_EINVAL;
    *to = v;
    return 0;
}

static int ask_ip(struct ns_extra *x, int type, const void *data, size_t len) {
    switch (type) {
    case LINUX_IP_PKTINFO:
        return pktinfo4(x, data, len);
    case LINUX_IP_TTL:
        return small(&x->ttl, 1, data, len);
    case LINUX_IP_TOS:
        if (len == 1) {
            x->tos = *(const uint8_t *)data;
            return 0;
        }
        return small(&x->tos, 0, data, len);
    default:
        return -LINUX_EINVAL;
    }
}

static int ask_ipv6(struct ns_extra *x, int type, const void *data, size_t len) {
    int ignored;
    switch (type) {
    case LINUX_IPV6_PKTINFO:
        return pktinfo6(x, data, len);
    case LINUX_IPV6_HOPLIMIT:
        return small(&x->ttl, -1, data, len);
    case LINUX_IPV6_TCLASS:
        return small(&x->tos, -1, data, len);
    case LINUX_IPV6_DONTFRAG:
        return small(&ignored, 0, data, len);
    default:
        return -LINUX_EINVAL;
    }
}

int inet_control(struct socket *s, struct sock_msg *m, int level, int type, const void *data, size_t len) {
    if (inet_is_stream(s))
        return 0;
    if (!m->has_extra)
        inet_extra_init(isock(s), &m->extra);
    m->has_extra = true;
    if (level == LINUX_SOL_IP)
        return ask_ip(&m->extra, type, data, len);
    if (level == LINUX_SOL_IPV6 && s->family == LINUX_AF_INET6)
        return ask_ipv6(&m->extra, type, data, len);
    if (level != LINUX_SOL_UDP || !inet_is_udp(s))
        return 0;
    if (type != LINUX_UDP_SEGMENT || len != sizeof m->segment)
        return -LINUX_EINVAL;
    memcpy(&m->segment, data, sizeof m->segment);
    return 0;
}

// ---- Received ---------------------------------------------------------------------------------------------
static int put_int(struct sock_cmsg_sink *o, int level, int type, int v) {
    return o->put(o, level, type, &v, sizeof v);
}

// SO_TIMESTAMPING, where reports of software's stamps are asked for.
int inet_put_stamp(struct socket *s, uint64_t at, struct sock_cmsg_sink *o) {
    if (!(socket_opt(s, LINUX_SO_TIMESTAMPING) & LINUX_SOF_TIMESTAMPING_SOFTWARE))
        return 0;
    const struct linux_timespec ts[3] = {{(int64_t)(at / NS_PER_SEC), (int64_t)(at % NS_PER_SEC)}};
    return o->put(o, LINUX_SOL_SOCKET, LINUX_SO_TIMESTAMPING, ts, sizeof ts);
}

// When it came, as the real-time clock has it.
static int put_stamp(struct socket *s, uint64_t at, struct sock_cmsg_sink *o) {
    static const int names[] = {LINUX_SO_TIMESTAMP, LINUX_SO_TIMESTAMP_NEW, LINUX_SO_TIMESTAMPNS,
                                LINUX_SO_TIMESTAMPNS_NEW};
    unsigned k = 0;
    while (k < 4 && !socket_opt(s, names[k]))
        k++;
    if (k == 4)
        return 0;
    if (k >= 2) {
        const struct linux_timespec ts = {(int64_t)(at / NS_PER_SEC), (int64_t)(at % NS_PER_SEC)};
        return o->put(o, LINUX_SOL_SOCKET, names[k], &ts, sizeof ts);
    }
    const struct linux_timeval tv = {(int64_t)(at / NS_PER_SEC), (int64_t)(at % NS_PER_SEC / 1000)};
    return o->put(o, LINUX_SOL_SOCKET, names[k], &tv, sizeof tv);
}

static int put_time(struct socket *s, const struct ns_extra *x, struct sock_cmsg_sink *o) {
    uint64_t at = real_ns() - (mono_ns() - x->when);
    int err = put_stamp(s, at, o);
    bool received = socket_opt(s, LINUX_SO_TIMESTAMPING) & LINUX_SOF_TIMESTAMPING_RX_SOFTWARE;
    return err == 0 && received ? inet_put_stamp(s, at, o) : err;
}

static int put_pktinfo4(const struct ns_extra *x, struct sock_cmsg_sink *o) {
    struct linux_in_pktinfo p = {.ipi_ifindex = (int32_t)x->netif};
    memcpy(p.ipi_addr, x->local.ip.b + 12, 4);
    if (!inet_ip_is_multicast(&x->local.ip))
        memcpy(p.ipi_spec_dst, x->local.ip.b + 12, 4);
    return o->put(o, LINUX_SOL_IP, LINUX_IP_PKTINFO, &p, sizeof p);
}

static int put_pktinfo6(const struct ns_extra *x, int type, struct sock_cmsg_sink *o) {
    struct linux_in6_pktinfo p = {.ipi6_ifindex = (int32_t)x->netif};
    memcpy(p.ipi6_addr, x->local.ip.b, sizeof p.ipi6_addr);
    return o->put(o, LINUX_SOL_IPV6, type, &p, sizeof p);
}

static int put_ip(struct inet_sock *i, const struct ns_extra *x, struct sock_cmsg_sink *o) {
    int err = inet_kept(i, KEPT_PKTINFO) ? put_pktinfo4(x, o) : 0;
    if (err == 0 && inet_kept(i, KEPT_RECVTTL))
        err = put_int(o, LINUX_SOL_IP, LINUX_IP_TTL, x->ttl);
    if (err == 0 && inet_kept(i, KEPT_RECVTOS)) {
        uint8_t tos = (uint8_t)x->tos;
        err = o->put(o, LINUX_SOL_IP, LINUX_IP_TOS, &tos, sizeof tos);
    }
    if (err == 0 && inet_kept(i, KEPT_FRAGSIZE) && x->frag)
        err = put_int(o, LINUX_SOL_IP, LINUX_IP_RECVFRAGSIZE, (int)x->frag);
    if (err < 0 || !inet_kept(i, KEPT_ORIGDSTADDR))
        return err;
    struct linux_sockaddr_in in = {.sin_family = LINUX_AF_INET, .sin_port = swap16(x->local.port)};
    memcpy(&in.sin_addr, x->local.ip.b + 12, sizeof in.sin_addr);
    return o->put(o, LINUX_SOL_IP, LINUX_IP_ORIGDSTADDR, &in, sizeof in);
}

static int put_ipv6(struct inet_sock *i, const struct ns_extra *x, struct sock_cmsg_sink *o) {
    int err = 0;
    if (inet_kept(i, KEPT_OLD_HOPLIMIT6))
        err = put_int(o, LINUX_SOL_IPV6, LINUX_IPV6_2292HOPLIMIT, x->ttl);
    if (err == 0 && inet_kept(i, KEPT_HOPLIMIT6))
        err = put_int(o, LINUX_SOL_IPV6, LINUX_IPV6_HOPLIMIT, x->ttl);
    if (err == 0 && inet_kept(i, KEPT_TCLASS6))
        err = put_int(o, LINUX_SOL_IPV6, LINUX_IPV6_TCLASS, x->tos);
    if (err == 0 && inet_kept(i, KEPT_FRAGSIZE6) && x->frag)
        err = put_int(o, LINUX_SOL_IPV6, LINUX_IPV6_RECVFRAGSIZE, (int)x->frag);
    if (err < 0 || !inet_kept(i, KEPT_ORIGDSTADDR6))
        return err;
    struct linux_sockaddr_in6 in6 = {.sin6_family = LINUX_AF_INET6, .sin6_port = swap16(x->local.port)};
    memcpy(in6.sin6_addr, x->local.ip.b, sizeof in6.sin6_addr);
    return o->put(o, LINUX_SOL_IPV6, LINUX_IPV6_ORIGDSTADDR, &in6, sizeof in6);
}

// Of a stream: when its bytes came, and how many are left (TCP_INQ).
static int tell_stream(struct inet_sock *i, const struct sock_msg *m, struct sock_cmsg_sink *o) {
    size_t in, out;
    int err = m->has_extra && m->extra.when ? put_time(&i->s, &m->extra, o) : 0;
    if (err < 0 || !inet_kept(i, KEPT_TCP_INQ) || atomic_load(&i->listening))
        return err;
    ns_queued(i->ns, &in, &out);
    if (in == 0 && ns_ready(i->ns) & NS_RDHUP)
        in = 1;  // the end is there to be read (tcp_inq_hint() of Linux)
    return put_int(o, LINUX_SOL_TCP, LINUX_TCP_CM_INQ, in > INT32_MAX ? INT32_MAX : (int)in);
}

// UDP_GRO, udp(7): the length of all but the last of the datagrams that are told as one.
static int put_joined(const struct ns_extra *x, struct sock_cmsg_sink *o) {
    return x->joined ? put_int(o, LINUX_SOL_UDP, LINUX_UDP_GRO, x->joined) : 0;
}

int inet_tell(struct socket *s, const struct sock_msg *m, struct sock_cmsg_sink *o) {
    struct inet_sock *i = isock(s);
    const struct ns_extra *x = &m->extra;
    if (m->has_error)
        return inet_tell_error(i, &m->error, o);
    if (inet_is_stream(s))
        return tell_stream(i, m, o);
    if (!m->has_extra)
        return 0;
    int err = put_time(s, x, o);
    if (err == 0)
        err = put_joined(x, o);
    if (err == 0 && s->family == LINUX_AF_INET6 && inet_kept(i, KEPT_PKTINFO6))
        err = put_pktinfo6(x, LINUX_IPV6_PKTINFO, o);
    if (err == 0 && s->family == LINUX_AF_INET6 && inet_kept(i, KEPT_OLD_PKTINFO6))
        err = put_pktinfo6(x, LINUX_IPV6_2292PKTINFO, o);
    if (err < 0)
        return err;
    return ns_ip_is4(&x->local.ip) ? put_ip(i, x, o) : put_ipv6(i, x, o);
}
