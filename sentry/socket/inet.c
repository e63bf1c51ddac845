// SPDX-License-Identifier: Apache-2.0
// Sockets of the inet families as on a machine whose links (the loopback alone, sentry/net) are all down:
// they can be made, given options, bound to the wildcard address and listened on; nothing can be reached
// (ENETUNREACH) and nobody comes.
// LIMIT: that is all there is to the network for now. Raw sockets are EPERM, or ESOCKTNOSUPPORT for those who
// may.
//
// Ports are real: a bound one is taken, as far as SO_REUSEADDR and SO_REUSEPORT say. One lock (RANK_OBJECT)
// for all inet sockets.
#include "abi/caps.h"
#include "abi/poll.h"
#include "base/clock.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/socket/socket.h"
#include <stdlib.h>
#include <string.h>

#define EPHEMERAL_FIRST 32768u  // net.ipv4.ip_local_port_range
#define EPHEMERAL_LAST  60999u
#define KEPT_MAX        32u

struct kept_opt {
    int level, name, value;
};

struct inet_sock {
    struct socket s;
    struct waitq wait;      // nothing ever happens, but for shutdown
    struct list bound;      // [inet] in the list of the namespace when it has a port
    uint16_t port;          // [inet] host order; 0: none
    bool listening;         // [inet]
    unsigned nkept;         // [inet]
    struct kept_opt kept[KEPT_MAX];
};

static const struct socket_ops inet_ops;

static struct inet_sock *isock(struct socket *s) { return container_of(s, struct inet_sock, s); }
static struct inet_ns *ns_of(const struct inet_sock *i) { return &i->s.net->inet; }
static bool is_tcp(const struct socket *s) { return s->type == LINUX_SOCK_STREAM; }

// ---- New sockets ------------------------------------------------------------------------------------------
static int check_type(struct task *t, int type, int *protocol) {
    int p = *protocol;
    switch (type) {
    case LINUX_SOCK_STREAM:
        *protocol = LINUX_IPPROTO_TCP;
        return p == 0 || p == LINUX_IPPROTO_TCP ? 0 : -LINUX_EPROTONOSUPPORT;
    case LINUX_SOCK_DGRAM:
        if (p == LINUX_IPPROTO_ICMP || p == LINUX_IPPROTO_ICMPV6)
            return -LINUX_EACCES;  // net.ipv4.ping_group_range holds nobody
        *protocol = LINUX_IPPROTO_UDP;
        return p == 0 || p == LINUX_IPPROTO_UDP ? 0 : -LINUX_EPROTONOSUPPORT;
    case LINUX_SOCK_RAW:
        if (p == 0)
            return -LINUX_EPROTONOSUPPORT;
        return task_capable(t, LINUX_CAP_NET_RAW) ? -LINUX_ESOCKTNOSUPPORT : -LINUX_EPERM;
    default:
        return -LINUX_ESOCKTNOSUPPORT;
    }
}

int inet_socket(struct task *t, int family, int type, int protocol, struct socket **out) {
    if (protocol < 0 || protocol >= 263)
        return -LINUX_EINVAL;
    int err = check_type(t, type, &protocol);
    struct inet_sock *i = err ? NULL : znew(struct inet_sock);
    if (!i)
        return err ? err : -LINUX_ENOMEM;
    socket_init(&i->s, &inet_ops, &t->k->net, family, type, protocol);
    waitq_init(&i->wait);
    list_init(&i->bound);
    *out = &i->s;
    return 0;
}

static void inet_close(struct socket *s) {
    struct inet_sock *i = isock(s);
    {
        LOCKED(&ns_of(i)->lock);
        list_del(&i->bound);
    }
    waitq_destroy(&i->wait);
    free(i);
}

// ---- Addresses --------------------------------------------------------------------------------------------
static uint16_t swap16(uint16_t v) { return (uint16_t)(v << 8 | v >> 8); }

static bool wildcard6(const uint8_t a[16]) {
    for (int i = 0; i < 16; i++)
        if (a[i])
            return false;
    return true;
}

// The port, and whether the address is the wildcard.
static int parse(const struct socket *s, const struct sock_addr *a, uint16_t *port, bool *any) {
    bool six = s->family == LINUX_AF_INET6;
    if (a->len < (six ? 24 : sizeof a->in))
        return -LINUX_EINVAL;
    if (a->family != s->family && !(a->family == LINUX_AF_UNSPEC && !six && a->in.sin_addr == 0))
        return -LINUX_EAFNOSUPPORT;
    *port = swap16(six ? a->in6.sin6_port : a->in.sin_port);
    *any = six ? wildcard6(a->in6.sin6_addr) : a->in.sin_addr == 0;
    return 0;
}

// May both have the port? The namespace's lock is held.
static bool conflict(struct inet_sock *i, struct inet_sock *other) {
    if (i == other || is_tcp(&i->s) != is_tcp(&other->s))
        return false;
    if (socket_opt(&i->s, LINUX_SO_REUSEPORT) && socket_opt(&other->s, LINUX_SO_REUSEPORT))
        return false;
    bool reuse = socket_opt(&i->s, LINUX_SO_REUSEADDR) && socket_opt(&other->s, LINUX_SO_REUSEADDR);
    return !reuse || (is_tcp(&i->s) && other->listening);
}
static bool port_free(struct inet_sock *i, uint16_t port) {
    struct inet_sock *other;
    list_for_each(other, &ns_of(i)->bound, bound)
        if (other->port == port && conflict(i, other))
            return false;
    return true;
}

// The namespace's lock is held. 0: picks one.
static int take_port(struct inet_sock *i, uint16_t port) {
    if (port && !port_free(i, port))
        return -LINUX_EADDRINUSE;
    const uint32_t n = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1;
    uint32_t at = (uint32_t)random_u64() % n;
    for (uint32_t k = 0; !port && k < n; k++) {
        uint16_t try = (uint16_t)(EPHEMERAL_FIRST + (at + k) % n);
        if (port_free(i, try))
            port = try;
    }
    if (!port)
        return -LINUX_EADDRINUSE;
    i->port = port;
    list_add_tail(&ns_of(i)->bound, &i->bound);
    return 0;
}

static int inet_bind(struct socket *s, struct task *t, const struct sock_addr *a) {
    struct inet_sock *i = isock(s);
    uint16_t port;
    bool any;
    int err = parse(s, a, &port, &any);
    if (err < 0)
        return err;
    if (!any)
        return -LINUX_EADDRNOTAVAIL;
    if (port && port < 1024 && !task_capable(t, LINUX_CAP_NET_BIND_SERVICE))
        return -LINUX_EACCES;
    LOCKED(&ns_of(i)->lock);
    return i->port ? -LINUX_EINVAL : take_port(i, port);
}

static int inet_name(struct socket *s, bool peer, struct sock_addr *out) {
    if (peer)
        return -LINUX_ENOTCONN;
    *out = (struct sock_addr){.len = s->family == LINUX_AF_INET6 ? sizeof out->in6 : sizeof out->in};
    out->family = s->family;
    LOCKED(&ns_of(isock(s))->lock);
    out->in.sin_port = swap16(isock(s)->port);  // at the same place in both
    return 0;
}

// ---- What cannot be reached -------------------------------------------------------------------------------
static int inet_connect(struct socket *s, struct task *t, const struct sock_addr *a, struct waitq **wait) {
    uint16_t port;
    bool any;
    if (a->len < sizeof a->family)
        return -LINUX_EINVAL;
    if (a->family == LINUX_AF_UNSPEC)
        return 0;  // not connected is what it is
    int err = parse(s, a, &port, &any);
    if (err < 0)
        return err;
    LOCKED(&ns_of(isock(s))->lock);
    return isock(s)->listening ? -LINUX_EISCONN : -LINUX_ENETUNREACH;
}

static int inet_listen(struct socket *s, struct task *t, int backlog) {
    struct inet_sock *i = isock(s);
    if (!is_tcp(s))
        return -LINUX_EOPNOTSUPP;
    LOCKED(&ns_of(i)->lock);
    struct inet_sock *other;
    list_for_each(other, &ns_of(i)->bound, bound)
        if (i->port && other != i && other->port == i->port && other->listening &&
            !(socket_opt(s, LINUX_SO_REUSEPORT) && socket_opt(&other->s, LINUX_SO_REUSEPORT)))
            return -LINUX_EADDRINUSE;
    int err = i->port ? 0 : take_port(i, 0);
    if (err == 0)
        i->listening = true;
    return err;
}

static bool inet_listening(struct socket *s) {
    LOCKED(&ns_of(isock(s))->lock);
    return isock(s)->listening;
}

static int inet_accept(struct socket *s, struct socket **out) {
    if (!is_tcp(s))
        return -LINUX_EOPNOTSUPP;
    return inet_listening(s) ? -LINUX_EAGAIN : -LINUX_EINVAL;
}

static int64_t inet_send(struct socket *s, struct sock_msg *m) {
    uint16_t port;
    bool any;
    if (is_tcp(s))
        return -LINUX_EPIPE;
    if (!m->addr)
        return -LINUX_EDESTADDRREQ;
    int err = parse(s, m->addr, &port, &any);
    if (err < 0)
        return err;
    if (m->u->left > 65507)
        return -LINUX_EMSGSIZE;
    return port ? -LINUX_ENETUNREACH : -LINUX_EINVAL;
}

static int64_t inet_recv(struct socket *s, struct sock_msg *m) {
    return is_tcp(s) ? -LINUX_ENOTCONN : -LINUX_EAGAIN;
}

static int inet_shutdown(struct socket *s, int how) {
    struct inet_sock *i = isock(s);
    if (how < LINUX_SHUT_RD || how > LINUX_SHUT_RDWR)
        return -LINUX_EINVAL;
    {
        LOCKED(&ns_of(i)->lock);
        if (!i->listening)
            return -LINUX_ENOTCONN;
        if (how == LINUX_SHUT_WR)
            return 0;
        i->listening = false;
    }
    waitq_wake(&i->wait, LINUX_POLLIN | LINUX_POLLHUP);
    return 0;
}

static uint32_t inet_poll(struct socket *s, struct waiter *w) {
    if (w)
        waitq_add(&isock(s)->wait, w);
    if (!is_tcp(s))
        return LINUX_POLLOUT | LINUX_POLLWRNORM | LINUX_POLLWRBAND;
    return inet_listening(s) ? 0 : LINUX_POLLOUT | LINUX_POLLWRNORM | LINUX_POLLHUP;
}

static uint64_t inet_queued(struct socket *s, bool out) { return 0; }
static int inet_get_error(struct socket *s) { return 0; }
static int inet_peer_cred(struct socket *s, struct linux_ucred *out) {
    *out = (struct linux_ucred){0, ~0u, ~0u};
    return 0;
}

// ---- Options: kept, and told again ------------------------------------------------------------------------
static const struct kept_opt defaults[] = {
    {LINUX_SOL_TCP, LINUX_TCP_NODELAY, 0},       {LINUX_SOL_TCP, LINUX_TCP_MAXSEG, 536},
    {LINUX_SOL_TCP, LINUX_TCP_CORK, 0},          {LINUX_SOL_TCP, LINUX_TCP_KEEPIDLE, 7200},
    {LINUX_SOL_TCP, LINUX_TCP_KEEPINTVL, 75},    {LINUX_SOL_TCP, LINUX_TCP_KEEPCNT, 9},
    {LINUX_SOL_TCP, LINUX_TCP_SYNCNT, 6},        {LINUX_SOL_TCP, LINUX_TCP_LINGER2, 60},
    {LINUX_SOL_TCP, LINUX_TCP_DEFER_ACCEPT, 0},  {LINUX_SOL_TCP, LINUX_TCP_WINDOW_CLAMP, 0},
    {LINUX_SOL_TCP, LINUX_TCP_QUICKACK, 1},      {LINUX_SOL_TCP, LINUX_TCP_USER_TIMEOUT, 0},
    {LINUX_SOL_TCP, LINUX_TCP_FASTOPEN, 0},      {LINUX_SOL_IP, LINUX_IP_TOS, 0},
    {LINUX_SOL_IP, LINUX_IP_TTL, 64},            {LINUX_SOL_IP, LINUX_IP_RECVERR, 0},
    {LINUX_SOL_IP, LINUX_IP_PKTINFO, 0},         {LINUX_SOL_IP, LINUX_IP_MTU_DISCOVER, 1},
    {LINUX_SOL_IPV6, LINUX_IPV6_V6ONLY, 0},
};

static const struct kept_opt *known(const struct socket *s, int level, int name) {
    if ((level == LINUX_SOL_TCP && !is_tcp(s)) || (level == LINUX_SOL_IPV6 && s->family != LINUX_AF_INET6))
        return NULL;
    for (unsigned i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        if (defaults[i].level == level && defaults[i].name == name)
            return &defaults[i];
    return NULL;
}
// The namespace's lock is held.
static struct kept_opt *kept(struct inet_sock *i, int level, int name) {
    for (unsigned k = 0; k < i->nkept; k++)
        if (i->kept[k].level == level && i->kept[k].name == name)
            return &i->kept[k];
    return NULL;
}

static int inet_setopt(struct socket *s, struct task *t, int level, int name, const void *buf, uint32_t len) {
    struct inet_sock *i = isock(s);
    int v = 0;
    if (!known(s, level, name))
        return -LINUX_ENOPROTOOPT;
    if (len >= sizeof v)
        memcpy(&v, buf, sizeof v);
    else if (len > 0 && level == LINUX_SOL_IP)
        v = *(const unsigned char *)buf;
    else
        return -LINUX_EINVAL;
    LOCKED(&ns_of(i)->lock);
    struct kept_opt *k = kept(i, level, name);
    if (!k && i->nkept < KEPT_MAX)
        k = &i->kept[i->nkept++];
    if (!k)
        return -LINUX_ENOBUFS;
    *k = (struct kept_opt){level, name, v};
    return 0;
}

static int inet_getopt(struct socket *s, int level, int name, void *buf, uint32_t *len) {
    const struct kept_opt *def = known(s, level, name);
    if (!def)
        return -LINUX_ENOPROTOOPT;
    LOCKED(&ns_of(isock(s))->lock);
    const struct kept_opt *k = kept(isock(s), level, name);
    int v = k ? k->value : def->value;
    *len = *len < sizeof v ? *len : sizeof v;
    memcpy(buf, &v, *len);
    return 0;
}

static const struct socket_ops inet_ops = {
    .bind = inet_bind,
    .connect = inet_connect,
    .listen = inet_listen,
    .accept = inet_accept,
    .name = inet_name,
    .send = inet_send,
    .recv = inet_recv,
    .shutdown = inet_shutdown,
    .poll = inet_poll,
    .queued = inet_queued,
    .get_error = inet_get_error,
    .listening = inet_listening,
    .peer_cred = inet_peer_cred,
    .getopt = inet_getopt,
    .setopt = inet_setopt,
    .close = inet_close,
};
