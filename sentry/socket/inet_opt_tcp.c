// SPDX-License-Identifier: Apache-2.0
// Options of TCP that are more than a number in a range, tcp(7); those are rows of inet_opt.c.
#include "abi/inet.h"
#include "base/clock.h"
#include "sentry/socket/inet_opt.h"
#include <string.h>

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

static bool tcp_is_closed(struct inet_sock *i) {
    return atomic_load(&i->phase) == INET_IDLE && !atomic_load(&i->listening);
}

static int set_tcp_int(struct inet_sock *i, int name, int v) {
    switch (name) {
    case LINUX_TCP_MAXSEG:
        return ns_set_option(i->ns, NS_OPT_TCP_MAXSEG, v);
    case LINUX_TCP_LINGER2:
        v = v > 120 ? 120 : v;
        return ns_set_option(i->ns, NS_OPT_TCP_LINGER2, v < 0 ? -1 : v);
    case LINUX_TCP_DEFER_ACCEPT:
        return ns_set_option(i->ns, NS_OPT_TCP_DEFER_ACCEPT, tries_of(v));
    case LINUX_TCP_FASTOPEN: {
        int most = atomic_load(&i->s.net->inet.somaxconn);
        if (v < 0 || atomic_load(&i->phase) != INET_IDLE)
            return -LINUX_EINVAL;
        atomic_store(&i->kept[KEPT_FASTOPEN], v < most ? v : most);
        return 0;
    }
    case LINUX_TCP_REPAIR:  // LIMIT: TCP_REPAIR and what goes with it is refused
    case LINUX_TCP_REPAIR_QUEUE:
    case LINUX_TCP_REPAIR_WINDOW:
    case LINUX_TCP_TIMESTAMP:
        return -LINUX_EPERM;
    case LINUX_TCP_QUEUE_SEQ:
        return tcp_is_closed(i) ? -LINUX_EINVAL : -LINUX_EPERM;
    case LINUX_TCP_THIN_DUPACK:
        return v == 0 || v == 1 ? 0 : -LINUX_EINVAL;  // of no meaning since Linux 4.11
    case LINUX_TCP_WINDOW_CLAMP:
        if (v == 0 && !tcp_is_closed(i))
            return -LINUX_EINVAL;
        return ns_set_option(i->ns, NS_OPT_TCP_WINDOW_CLAMP, v && v < 1152 ? 1152 : v);
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
        int err = inet_tcp_info(i, &info);
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
        ns_get_option(i->ns, NS_OPT_TCP_LINGER2, v);
        *v = *v ? *v : 60;
        return 0;
    case LINUX_TCP_DEFER_ACCEPT:
        ns_get_option(i->ns, NS_OPT_TCP_DEFER_ACCEPT, v);
        *v = seconds_of(*v);
        return 0;
    case LINUX_TCP_WINDOW_CLAMP:
        return ns_get_option(i->ns, NS_OPT_TCP_WINDOW_CLAMP, v);
    case LINUX_TCP_FASTOPEN:
        *v = inet_kept(i, KEPT_FASTOPEN);
        return 0;
    case LINUX_TCP_TIMESTAMP:
        *v = (int)(mono_ns() / 1000000);
        return 0;
    case LINUX_TCP_REPAIR_QUEUE:
    case LINUX_TCP_QUEUE_SEQ:
    case LINUX_TCP_REPAIR_WINDOW:
    case LINUX_TCP_ZEROCOPY_RECEIVE:
        return -LINUX_EINVAL;
    case LINUX_TCP_FASTOPEN_CONNECT:
    case LINUX_TCP_REPAIR:
    case LINUX_TCP_THIN_DUPACK:
    case LINUX_TCP_IS_MPTCP:
    case LINUX_TCP_TX_DELAY:
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
    int err = inet_tcp_info(i, &n);
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

int inet_set_tcp(struct inet_sock *i, int name, const void *buf, uint32_t len) {
    int v;
    if (name == LINUX_TCP_CONGESTION)
        return set_congestion(i, buf, len);
    if (name == LINUX_TCP_ULP)
        return len ? -LINUX_ENOENT : -LINUX_EINVAL;
    if (len < sizeof v)
        return -LINUX_EINVAL;
    memcpy(&v, buf, sizeof v);
    return set_tcp_int(i, name, v);
}

int inet_get_tcp(struct inet_sock *i, int name, void *buf, uint32_t *len) {
    int v;
    switch (name) {
    case LINUX_TCP_INFO:
        return get_info(i, buf, len);
    case LINUX_TCP_CONGESTION:
        return get_congestion(i, buf, len);
    case LINUX_TCP_SAVED_SYN:
        return ns_take_syn(i->ns, buf, len);
    case LINUX_TCP_ULP:
    case LINUX_TCP_CC_INFO:
        *len = 0;  // there is none
        return 0;
    default: {
        int err = get_tcp_int(i, name, &v);
        return err < 0 ? err : inet_give_int(LINUX_SOL_TCP, v, buf, len);
    }
    }
}
