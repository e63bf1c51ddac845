// SPDX-License-Identifier: Apache-2.0
// Options of inet sockets that are a number, ip(7), ipv6(7), tcp(7), udp(7): one row each says where the
// value lives (in the stack, or here with the socket) and what it may be. What is more than a number is in
// inet_opt_more.c.
// LIMIT: without an effect are IP_CHECKSUM, IPV6_FLOWINFO, IPV6_RECVHOPOPTS and its kin, IP_RECVERR_RFC4884,
// IPV6_AUTOFLOWLABEL and TCP_FASTOPEN.
#include "abi/inet.h"
#include "sentry/socket/inet.h"
#include "sentry/socket/inet_opt.h"
#include <string.h>

enum where { STACK, KEPT };
enum type { INT, BOOL };

struct row {
    int level, name;
    enum where where;
    int which;  // enum ns_option or enum inet_kept
    enum type type;
    int least, most;  // of INT here; the stack knows its own
    int fallback;     // of a stack's value 0
    int unset;        // a value that means the default, where there is one (-1)
    uint8_t only;     // ONLY_*: of these sockets, else ENOPROTOOPT
};
// SET_RAW: may be asked of any, told only to raw ones. NONEMPTY: of IP, no bytes are not a 0 but EINVAL.
enum { ONLY_STREAM = 1, SET_RAW = 2, NO_STREAM = 4, ONLY_UDP = 8, NONEMPTY = 16, EMPTY = 32 };
#define NO_UNSET INT32_MIN

static const struct row rows[] = {
    {LINUX_SOL_IP, LINUX_IP_TTL, STACK, NS_OPT_TTL, INT, 1, 255, 64, -1, 0},
    {LINUX_SOL_IP, LINUX_IP_MULTICAST_TTL, STACK, NS_OPT_MULTICAST_TTL, INT, 0, 255, 0, -1,
     NO_STREAM | NONEMPTY},
    {LINUX_SOL_IP, LINUX_IP_MULTICAST_LOOP, STACK, NS_OPT_MULTICAST_LOOP, BOOL, 0, 1, 0, NO_UNSET, NONEMPTY},
    {LINUX_SOL_IP, LINUX_IP_MULTICAST_ALL, STACK, NS_OPT_MULTICAST_ALL, INT, 0, 1, 0, NO_UNSET, NONEMPTY},
    {LINUX_SOL_IP, LINUX_IP_PKTINFO, KEPT, KEPT_PKTINFO, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IP, LINUX_IP_RECVTTL, KEPT, KEPT_RECVTTL, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IP, LINUX_IP_RECVTOS, KEPT, KEPT_RECVTOS, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IP, LINUX_IP_ORIGDSTADDR, KEPT, KEPT_ORIGDSTADDR, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IP, LINUX_IP_RECVERR, STACK, NS_OPT_RECVERR, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IP, LINUX_IP_RECVOPTS, KEPT, KEPT_RECVOPTS, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IP, LINUX_IP_RETOPTS, KEPT, KEPT_RETOPTS, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IP, LINUX_IP_FREEBIND, STACK, NS_OPT_FREEBIND, BOOL, 0, 1, 0, NO_UNSET, NONEMPTY},
    {LINUX_SOL_IP, LINUX_IP_HDRINCL, STACK, NS_OPT_HDRINCL, BOOL, 0, 1, 0, NO_UNSET, SET_RAW},
    {LINUX_SOL_IP, LINUX_IP_MINTTL, STACK, NS_OPT_TCP_MINTTL, INT, 0, 255, 0, NO_UNSET, NONEMPTY},
    {LINUX_SOL_IP, LINUX_IP_NODEFRAG, KEPT, KEPT_NODEFRAG, BOOL, 0, 1, 0, NO_UNSET, SET_RAW},
    {LINUX_SOL_IP, LINUX_IP_PASSSEC, KEPT, KEPT_PASSSEC, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IP, LINUX_IP_RECVERR_RFC4884, KEPT, KEPT_RFC4884, INT, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IP, LINUX_IP_BIND_ADDRESS_NO_PORT, STACK, NS_OPT_BIND_NO_PORT, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_UNICAST_HOPS, STACK, NS_OPT_TTL, INT, 1, 255, 64, -1, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_MULTICAST_HOPS, STACK, NS_OPT_MULTICAST_TTL, INT, 0, 255, 0, -1, NO_STREAM},
    {LINUX_SOL_IPV6, LINUX_IPV6_MULTICAST_LOOP, STACK, NS_OPT_MULTICAST_LOOP, INT, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_MULTICAST_ALL, STACK, NS_OPT_MULTICAST_ALL, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_TCLASS, STACK, NS_OPT_TOS, INT, 0, 255, 0, -1, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_RECVPKTINFO, KEPT, KEPT_PKTINFO6, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_RECVHOPLIMIT, KEPT, KEPT_HOPLIMIT6, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_RECVTCLASS, KEPT, KEPT_TCLASS6, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_ORIGDSTADDR, KEPT, KEPT_ORIGDSTADDR6, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_RECVERR, STACK, NS_OPT_RECVERR6, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_AUTOFLOWLABEL, KEPT, KEPT_AUTOFLOWLABEL6, BOOL, 0, 1, 0, NO_UNSET, EMPTY},
    {LINUX_SOL_IPV6, LINUX_IPV6_DONTFRAG, KEPT, KEPT_DONTFRAG6, BOOL, 0, 1, 0, NO_UNSET, EMPTY},
    {LINUX_SOL_IP, LINUX_IP_CHECKSUM, KEPT, KEPT_CHECKSUM, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IP, LINUX_IP_RECVFRAGSIZE, KEPT, KEPT_FRAGSIZE, BOOL, 0, 1, 0, NO_UNSET, NO_STREAM},
    {LINUX_SOL_IPV6, LINUX_IPV6_2292PKTINFO, KEPT, KEPT_OLD_PKTINFO6, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_2292HOPLIMIT, KEPT, KEPT_OLD_HOPLIMIT6, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_FLOWINFO, KEPT, KEPT_FLOWINFO6, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_FLOWINFO_SEND, KEPT, KEPT_FLOWSEND6, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_RECVHOPOPTS, KEPT, KEPT_HOPOPTS6, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_RECVRTHDR, KEPT, KEPT_RTHDR6, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_RECVDSTOPTS, KEPT, KEPT_DSTOPTS6, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_RECVPATHMTU, KEPT, KEPT_PATHMTU6, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_MINHOPCOUNT, STACK, NS_OPT_TCP_MINTTL6, INT, 0, 255, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_FREEBIND, STACK, NS_OPT_FREEBIND, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_RECVFRAGSIZE, KEPT, KEPT_FRAGSIZE6, BOOL, 0, 1, 0, NO_UNSET, EMPTY},
    {LINUX_SOL_IPV6, LINUX_IPV6_RECVERR_RFC4884, KEPT, KEPT_RFC4884_6, INT, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_2292HOPOPTS, KEPT, KEPT_OLD_HOPOPTS6, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_2292DSTOPTS, KEPT, KEPT_OLD_DSTOPTS6, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_IPV6, LINUX_IPV6_2292RTHDR, KEPT, KEPT_OLD_RTHDR6, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_TCP, LINUX_TCP_SAVE_SYN, STACK, NS_OPT_TCP_SAVE_SYN, INT, 0, 2, 0, NO_UNSET, 0},
    {LINUX_SOL_UDP, LINUX_UDP_NO_CHECK6_TX, STACK, NS_OPT_NO_CHECK6_TX, BOOL, 0, 1, 0, NO_UNSET, ONLY_UDP},
    {LINUX_SOL_UDP, LINUX_UDP_NO_CHECK6_RX, STACK, NS_OPT_NO_CHECK6_RX, BOOL, 0, 1, 0, NO_UNSET, ONLY_UDP},
    {LINUX_SOL_TCP, LINUX_TCP_NODELAY, STACK, NS_OPT_TCP_NODELAY, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_TCP, LINUX_TCP_CORK, STACK, NS_OPT_TCP_CORK, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_TCP, LINUX_TCP_QUICKACK, STACK, NS_OPT_TCP_QUICKACK, BOOL, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_TCP, LINUX_TCP_KEEPIDLE, STACK, NS_OPT_TCP_KEEPIDLE, INT, 1, 32767, 0, NO_UNSET, 0},
    {LINUX_SOL_TCP, LINUX_TCP_KEEPINTVL, STACK, NS_OPT_TCP_KEEPINTVL, INT, 1, 32767, 0, NO_UNSET, 0},
    {LINUX_SOL_TCP, LINUX_TCP_KEEPCNT, STACK, NS_OPT_TCP_KEEPCNT, INT, 1, 127, 0, NO_UNSET, 0},
    {LINUX_SOL_TCP, LINUX_TCP_SYNCNT, STACK, NS_OPT_TCP_SYNCNT, INT, 1, 127, 0, NO_UNSET, 0},
    {LINUX_SOL_TCP, LINUX_TCP_USER_TIMEOUT, STACK, NS_OPT_TCP_USER_TIMEOUT, INT, 0, INT32_MAX, 0, NO_UNSET,
     0},
    {LINUX_SOL_TCP, LINUX_TCP_NOTSENT_LOWAT, STACK, NS_OPT_TCP_NOTSENT_LOWAT, INT, INT32_MIN, INT32_MAX, 0,
     NO_UNSET, 0},
    {LINUX_SOL_TCP, LINUX_TCP_INQ, KEPT, KEPT_TCP_INQ, INT, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_TCP, LINUX_TCP_THIN_LINEAR_TIMEOUTS, KEPT, KEPT_THIN_LINEAR, INT, 0, 1, 0, NO_UNSET, 0},
    {LINUX_SOL_UDP, LINUX_UDP_SEGMENT, KEPT, KEPT_UDP_SEGMENT, INT, 0, UINT16_MAX, 0, NO_UNSET, ONLY_UDP},
    {LINUX_SOL_UDP, LINUX_UDP_GRO, STACK, NS_OPT_UDP_GRO, BOOL, 0, 1, 0, NO_UNSET, ONLY_UDP},
};

static bool is_for(const struct row *r, const struct socket *s) {
    bool six = s->family == LINUX_AF_INET6;
    if (r->level == LINUX_SOL_TCP || (r->only & ONLY_STREAM))
        return s->type == LINUX_SOCK_STREAM;
    if (r->level == LINUX_SOL_IPV6 && !six)
        return false;
    if (r->level == LINUX_SOL_IP && six && s->type == LINUX_SOCK_RAW)
        return false;
    return !(r->only & ONLY_UDP) || inet_is_udp(s);
}

static const struct row *find(const struct socket *s, int level, int name) {
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].level == level && rows[i].name == name)
            return is_for(&rows[i], s) ? &rows[i] : NULL;
    return NULL;
}

void inet_opt_init(struct inet_sock *i) {
    atomic_store(&i->kept[KEPT_MTU_DISCOVER], LINUX_IP_PMTUDISC_WANT);
    atomic_store(&i->kept[KEPT_MTU_DISCOVER6], LINUX_IP_PMTUDISC_WANT);
    atomic_store(&i->kept[KEPT_AUTOFLOWLABEL6], 1);
    if (inet_is_stream(&i->s)) {
        atomic_store(&i->s.opts[LINUX_SO_SNDBUF], 16384);  // tcp_wmem[1], tcp_rmem[1]
        atomic_store(&i->s.opts[LINUX_SO_RCVBUF], 131072);
    }
}

// A number of the level: of IP a byte is enough, ip(7).
static int number(const struct row *r, const void *buf, uint32_t len, int *v) {
    if (len >= sizeof *v) {
        memcpy(v, buf, sizeof *v);
        return 0;
    }
    if (r->only & EMPTY) {  // what is too short is a 0
        *v = 0;
        return 0;
    }
    if (r->level != LINUX_SOL_IP || (len == 0 && r->only & NONEMPTY))
        return -LINUX_EINVAL;
    *v = len ? *(const unsigned char *)buf : 0;  // nothing is a 0, as Linux has it
    return 0;
}

// What a number means that is out of range, or "the default".
static int checked(const struct row *r, int *v) {
    if (r->type == BOOL) {
        *v = *v != 0;
        return 0;
    }
    if (r->unset != NO_UNSET && *v == r->unset) {
        *v = r->which == NS_OPT_MULTICAST_TTL ? 1 : 0;
        return 0;
    }
    return *v < r->least || *v > r->most ? -LINUX_EINVAL : 0;
}

int inet_setopt(struct socket *s, struct task *t, int level, int name, const void *buf, uint32_t len) {
    struct inet_sock *i = isock(s);
    const struct row *r = find(s, level, name);
    int v = 0;
    if (!r)
        return inet_setopt_more(i, t, level, name, buf, len);
    if (level == LINUX_SOL_IPV6 && r->only & NO_STREAM && inet_is_stream(s))
        return -LINUX_ENOPROTOOPT;
    int err = number(r, buf, len, &v);
    if (err == 0 && r->only & SET_RAW && s->type != LINUX_SOCK_RAW)
        err = -LINUX_ENOPROTOOPT;
    if (err == 0 && (r->only & NO_STREAM) && inet_is_stream(s))
        err = -LINUX_EINVAL;
    if (err == 0)
        err = checked(r, &v);
    if (err < 0)
        return err;
    if (r->where == STACK)
        return ns_set_option(i->ns, (enum ns_option)r->which, v);
    atomic_store(&i->kept[r->which], v);
    return 0;
}

// A number is cut to what there is room for; of IP a small one fits a byte.
int inet_give_int(int level, int v, void *buf, uint32_t *len) {
    if (level == LINUX_SOL_IP && *len > 0 && *len < sizeof v && v >= 0 && v <= 255) {
        *(unsigned char *)buf = (unsigned char)v;
        *len = 1;
        return 0;
    }
    *len = *len < sizeof v ? *len : sizeof v;
    memcpy(buf, &v, *len);
    return 0;
}

int inet_getopt(struct socket *s, int level, int name, void *buf, uint32_t *len) {
    struct inet_sock *i = isock(s);
    const struct row *r = find(s, level, name);
    int v;
    if (!r)
        return inet_getopt_more(i, level, name, buf, len);
    if (r->where == KEPT) {
        v = inet_kept(i, (enum inet_kept)r->which);
    } else {
        int err = ns_get_option(i->ns, (enum ns_option)r->which, &v);
        if (err < 0)
            return err;
        v = v ? v : r->fallback;
    }
    return inet_give_int(level, v, buf, len);
}

// ---- SOL_SOCKET -------------------------------------------------------------------------------------------
static const struct {
    int name;
    enum ns_option option;
} shared[] = {
    {LINUX_SO_REUSEADDR, NS_OPT_REUSEADDR}, {LINUX_SO_REUSEPORT, NS_OPT_REUSEPORT},
    {LINUX_SO_BROADCAST, NS_OPT_BROADCAST}, {LINUX_SO_KEEPALIVE, NS_OPT_KEEPALIVE},
    {LINUX_SO_OOBINLINE, NS_OPT_OOBINLINE}, {LINUX_SO_SNDBUF, NS_OPT_SNDBUF},
    {LINUX_SO_RCVBUF, NS_OPT_RCVBUF},       {LINUX_SO_BINDTODEVICE, NS_OPT_BIND_IF},
};

static int linger_seconds(int v) { return v < 0 || v > INT16_MAX ? INT16_MAX : v; }

int inet_sol_set(struct socket *s, int name) {
    if (name == LINUX_SO_LINGER) {
        const struct linux_linger l = atomic_load(&s->linger);
        return ns_set_option(isock(s)->ns, NS_OPT_LINGER, l.l_onoff ? linger_seconds(l.l_linger) : -1);
    }
    if (name == LINUX_SO_TIMESTAMPING) {
        bool on = socket_opt(s, name) & LINUX_SOF_TIMESTAMPING_OPT_ID;
        if (!atomic_exchange(&isock(s)->numbered, on) && on)
            atomic_store(&isock(s)->sends, 0);
        return 0;
    }
    if (name == LINUX_SO_SNDBUFFORCE)
        name = LINUX_SO_SNDBUF;
    if (name == LINUX_SO_RCVBUFFORCE)
        name = LINUX_SO_RCVBUF;
    if (name == LINUX_SO_BINDTOIFINDEX)
        name = LINUX_SO_BINDTODEVICE;
    for (unsigned i = 0; i < sizeof shared / sizeof shared[0]; i++)
        if (shared[i].name == name)
            return ns_set_option(isock(s)->ns, shared[i].option, socket_opt(s, name));
    return 0;
}

// A stream's buffers grow by themselves until somebody sets them.
bool inet_sol_get(struct socket *s, int name, int *value) {
    if (!inet_is_stream(s) || atomic_load(&isock(s)->phase) == INET_IDLE)
        return false;
    if (name == LINUX_SO_SNDBUF)
        return ns_get_option(isock(s)->ns, NS_OPT_SNDBUF, value) == 0;
    if (name == LINUX_SO_RCVBUF)
        return ns_get_option(isock(s)->ns, NS_OPT_RCVBUF, value) == 0;
    return false;
}
