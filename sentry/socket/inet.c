// SPDX-License-Identifier: Apache-2.0
// Sockets of the inet families over the stack of their network namespace (netstack/netstack.h): their life,
// names, connecting and readiness. Addresses, messages and options have files of their own.
//
// Locks: the stack has one, and its callback tells the socket's wait queue with it held; whoever is woken
// there goes on the ready list of the thread that made the call. User memory is never touched with the
// stack's lock held. `rx` (RANK_OBJECT) is held while bytes of a stream go to a reader.
// LIMIT: close(2) alone waits for as long as SO_LINGER says; dup2(2), close_range(2) and exec do not.
#include "sentry/socket/inet.h"
#include "sentry/socket/bpf.h"
#include "abi/caps.h"
#include "abi/inet.h"
#include "abi/poll.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/cred.h"

static const struct socket_ops inet_ops;

static bool inet_listening(struct socket *s) { return atomic_load(&isock(s)->listening); }

// ---- New sockets ------------------------------------------------------------------------------------------
// net.ipv4.ping_group_range, icmp(7): one of the task's groups is in it.
static bool may_ping(struct task *t) {
    uint64_t range = atomic_load(&task_net(t)->inet.ping_groups);
    uint32_t low = (uint32_t)(range >> 32), high = (uint32_t)range;
    const struct cred *c = t->cred;
    if (c->egid >= low && c->egid <= high)
        return true;
    for (unsigned i = 0; i < c->ngroups; i++)
        if (c->groups[i] >= low && c->groups[i] <= high)
            return true;
    return false;
}

static int check_type(struct task *t, int family, int type, int *protocol) {
    int p = *protocol, icmp = family == LINUX_AF_INET ? LINUX_IPPROTO_ICMP : LINUX_IPPROTO_ICMPV6;
    switch (type) {
    case LINUX_SOCK_STREAM:
        *protocol = LINUX_IPPROTO_TCP;
        return p == 0 || p == LINUX_IPPROTO_TCP ? 0 : -LINUX_EPROTONOSUPPORT;
    case LINUX_SOCK_DGRAM:
        if (p == icmp)
            return may_ping(t) ? 0 : -LINUX_EACCES;
        *protocol = LINUX_IPPROTO_UDP;
        return p == 0 || p == LINUX_IPPROTO_UDP ? 0 : -LINUX_EPROTONOSUPPORT;
    case LINUX_SOCK_RAW:
        if (p == 0)
            return -LINUX_EPROTONOSUPPORT;
        return net_ns_capable(t, task_net(t), LINUX_CAP_NET_RAW) ? 0 : -LINUX_EPERM;
    default:
        return -LINUX_ESOCKTNOSUPPORT;
    }
}

static uint32_t poll_events(uint32_t mask) {
    uint32_t events = 0;
    if (mask & NS_IN)
        events |= LINUX_POLLIN | LINUX_POLLRDNORM;
    if (mask & NS_OUT)
        events |= LINUX_POLLOUT | LINUX_POLLWRNORM;
    if (mask & NS_PRI)
        events |= LINUX_POLLPRI;
    if (mask & NS_ERR)
        events |= LINUX_POLLERR;
    if (mask & NS_HUP)
        events |= LINUX_POLLHUP;
    if (mask & NS_RDHUP)
        events |= LINUX_POLLRDHUP;
    return events;
}

static void ready(void *arg, uint32_t mask) {
    struct inet_sock *i = arg;
    waitq_wake(&i->wait, poll_events(mask));
}

// Takes ns over, also when it fails.
static struct inet_sock *wrap(struct ns_sock *ns, struct net_ns *net, int family, int type, int protocol) {
    struct inet_sock *i = znew(struct inet_sock);
    if (!i) {
        ns_close(ns);
        return NULL;
    }
    socket_init(&i->s, &inet_ops, net, family, type, protocol);
    i->ns = ns;
    waitq_init(&i->wait);
    lock_init(&i->rx, RANK_OBJECT);
    inet_opt_init(i);
    ns_on_ready(ns, ready, i);
    return i;
}

static bool is_ping(int type, int protocol) {
    return type == LINUX_SOCK_DGRAM && (protocol == LINUX_IPPROTO_ICMP || protocol == LINUX_IPPROTO_ICMPV6);
}

static int stack_socket(struct netstack *stack, int family, int type, int protocol, struct ns_sock **out) {
    enum ns_family f = family == LINUX_AF_INET6 ? NS_INET6 : NS_INET;
    if (is_ping(type, protocol))
        return ns_ping_socket(stack, f, out);
    if (type == LINUX_SOCK_RAW)
        return ns_raw_socket(stack, f, (uint8_t)protocol, out);
    return ns_socket(stack, f, type == LINUX_SOCK_STREAM ? NS_STREAM : NS_DGRAM, out);
}

int inet_socket(struct task *t, int family, int type, int protocol, struct socket **out) {
    struct ns_sock *ns;
    if (protocol < 0 || protocol >= LINUX_IPPROTO_MPTCP + 1)
        return -LINUX_EINVAL;
    int err = check_type(t, family, type, &protocol);
    if (err == 0)
        err = stack_socket(task_net(t)->inet.stack, family, type, protocol, &ns);
    if (err < 0)
        return err;
    struct inet_sock *i = wrap(ns, task_net(t), family, type, protocol);
    if (!i)
        return -LINUX_ENOMEM;
    ns_set_owner(ns, t->cred->euid);
    if (type == LINUX_SOCK_RAW)
        atomic_store(&i->s.opts[LINUX_SO_REUSEADDR], 1);
    if (type == LINUX_SOCK_RAW && protocol == LINUX_IPPROTO_RAW && family == LINUX_AF_INET)
        ns_set_option(ns, NS_OPT_HDRINCL, 1);
    *out = &i->s;
    return 0;
}

static int inet_filter(struct socket *s, struct bpf_program *p) {
    const struct ns_filter *before = ns_set_filter(isock(s)->ns, p ? &p->filter : NULL);
    if (before)
        free(container_of(before, struct bpf_program, filter));
    return !p && !before ? -LINUX_ENOENT : 0;
}

int inet_tcp_info(struct inet_sock *i, struct ns_tcp_info *info) {
    int err = ns_tcp_info(i->ns, info);
    if (err == 0 && info->state == LINUX_TCP_TIME_WAIT)
        info->state = LINUX_TCP_CLOSE;
    return err;
}

static uint8_t tcp_state(struct inet_sock *i) {
    struct ns_tcp_info info;
    return inet_tcp_info(i, &info) < 0 ? 0 : info.state;
}

// What closing sends goes now; it is owed until the peer has all, the end too. Bytes that nobody has read
// make it a reset, for which nobody waits.
static bool inet_closing(struct socket *s, bool begin) {
    struct inet_sock *i = isock(s);
    size_t in, out;
    if (!inet_is_stream(s) || inet_listening(s))
        return false;
    ns_queued(i->ns, &in, &out);
    if (begin && (in || ns_shutdown(i->ns, true, true) < 0))
        return false;
    uint8_t state = tcp_state(i);
    return state == LINUX_TCP_FIN_WAIT1 || state == LINUX_TCP_CLOSING || state == LINUX_TCP_LAST_ACK;
}

static void inet_close(struct socket *s) {
    struct inet_sock *i = isock(s);
    inet_filter(s, NULL);
    inet_cork_drop(i);
    ns_close(i->ns);
    waitq_destroy(&i->wait);
    lock_destroy(&i->rx);
    socket_done(&i->s);
    free(i);
}

// ---- Names ------------------------------------------------------------------------------------------------
// AF_UNSPEC with the wildcard address is an old way to say AF_INET, ip(7).
static int bind_addr(const struct socket *s, const struct sock_addr *a, struct ns_addr *out) {
    struct sock_addr in = *a;
    if (s->family == LINUX_AF_INET && a->len >= sizeof a->in && a->family == LINUX_AF_UNSPEC &&
        a->in.sin_addr == 0)
        in.family = LINUX_AF_INET;
    return inet_addr_parse(s, &in, out);
}

static int inet_bind(struct socket *s, struct task *t, const struct sock_addr *a) {
    struct ns_addr at;
    int err = bind_addr(s, a, &at);
    if (err < 0)
        return err;
    if (inet_is_stream(s) && s->family == LINUX_AF_INET6 && inet_ip_is_multicast(&at.ip))
        return -LINUX_EINVAL;
    if (at.port && at.port < (unsigned)atomic_load(&s->net->inet.unprivileged_port) &&
        (inet_is_stream(s) || inet_is_udp(s)) && !net_ns_capable(t, s->net, LINUX_CAP_NET_BIND_SERVICE))
        return -LINUX_EACCES;
    err = ns_bind(isock(s)->ns, &at);
    // An IPv4 address of a socket for IPv6 alone, ipv6(7).
    return err == -LINUX_EAFNOSUPPORT ? -LINUX_EINVAL : err;
}

static int inet_name(struct socket *s, enum sock_name peer, struct sock_addr *out) {
    struct inet_sock *i = isock(s);
    struct ns_addr at;
    int err = peer ? ns_peer(i->ns, &at) : ns_local(i->ns, &at);
    if (err < 0)
        return err;
    if (peer == SOCK_NAME_PEER && inet_is_stream(s)) {
        uint8_t state = tcp_state(i);
        if (state == LINUX_TCP_SYN_SENT || state == LINUX_TCP_CLOSE)
            return -LINUX_ENOTCONN;
    }
    inet_addr_show(s, &at, out);
    if (s->type == LINUX_SOCK_RAW)  // its port is the protocol, raw(7); of IPv6 it is told of none
        out->in.sin_port = peer || s->family == LINUX_AF_INET6 ? 0 : swap16((uint16_t)s->protocol);
    return 0;
}

// ---- Connecting -------------------------------------------------------------------------------------------
// How an attempt has ended; `pending` when it has not.
static int progress(struct inet_sock *i, int pending) {
    uint32_t mask = ns_ready(i->ns);
    if (mask == 0)
        return pending;
    int err = ns_take_error(i->ns);
    if (err == 0 && tcp_state(i) == LINUX_TCP_CLOSE)
        err = LINUX_ECONNABORTED;
    atomic_store(&i->phase, err ? INET_IDLE : INET_CONNECTED);
    return -err;
}

static int disconnect(struct inet_sock *i) {
    ns_disconnect(i->ns);
    atomic_store(&i->phase, INET_IDLE);
    atomic_store(&i->listening, false);
    return 0;
}

static int connect_stream(struct inet_sock *i, const struct sock_addr *a) {
    struct ns_addr to;
    switch ((enum inet_phase)atomic_load(&i->phase)) {
    case INET_CONNECTED:
        return -LINUX_EISCONN;
    case INET_CONNECTING:
        return progress(i, -LINUX_EALREADY);
    case INET_IDLE:
        break;
    }
    int err = inet_addr_parse(&i->s, a, &to);
    if (err == 0)
        err = inet_addr_target(&i->s, a, &to);
    if (err < 0)
        return err;
    ns_take_error(i->ns);  // of what was before
    err = ns_connect(i->ns, &to);
    if (err == -LINUX_EINPROGRESS)
        atomic_store(&i->phase, INET_CONNECTING);
    return err;
}

static int inet_connect(struct socket *s, struct task *t, const struct sock_addr *a, struct waitq **wait) {
    struct inet_sock *i = isock(s);
    struct ns_addr to;
    if (a->len < sizeof a->family)
        return -LINUX_EINVAL;
    if (a->family == LINUX_AF_UNSPEC)
        return disconnect(i);
    if (inet_is_stream(s))
        return connect_stream(i, a);
    int err = inet_addr_target(s, a, &to);
    return err < 0 ? err : ns_connect(i->ns, &to);
}

static int inet_listen(struct socket *s, struct task *t, int backlog) {
    struct inet_sock *i = isock(s);
    if (!inet_is_stream(s))
        return -LINUX_EOPNOTSUPP;
    if (atomic_load(&i->phase) != INET_IDLE)
        return -LINUX_EINVAL;
    // One more than asked for, as Linux counts (sk_acceptq_is_full() in include/net/sock.h).
    unsigned limit = (unsigned)atomic_load(&s->net->inet.somaxconn);
    unsigned most = (unsigned)backlog < limit ? (unsigned)backlog + 1 : limit;
    int err = ns_listen(i->ns, most);
    if (err == 0)
        atomic_store(&i->listening, true);
    return err;
}

// What the new one has of the listener: all options.
static void inherit(struct inet_sock *i, struct inet_sock *from) {
    for (unsigned n = 0; n < SOCK_OPT_COUNT; n++)
        atomic_store(&i->s.opts[n], atomic_load(&from->s.opts[n]));
    for (unsigned n = 0; n < INET_KEPT; n++)
        atomic_store(&i->kept[n], atomic_load(&from->kept[n]));
    atomic_store(&i->s.linger, atomic_load(&from->s.linger));
    atomic_store(&i->phase, INET_CONNECTED);
}

static int inet_accept(struct socket *s, struct socket **out) {
    struct inet_sock *l = isock(s);
    struct ns_sock *ns;
    int err = ns_accept(l->ns, &ns);
    if (err < 0)
        return err;
    struct inet_sock *i = wrap(ns, s->net, s->family, s->type, s->protocol);
    if (!i)
        return -LINUX_ENOMEM;
    inherit(i, l);
    *out = &i->s;
    return 0;
}

static int inet_shutdown(struct socket *s, int how) {
    struct inet_sock *i = isock(s);
    if (how < LINUX_SHUT_RD || how > LINUX_SHUT_RDWR)
        return -LINUX_EINVAL;
    bool rd = how != LINUX_SHUT_WR, wr = how != LINUX_SHUT_RD;
    if (inet_listening(s) && !rd)
        return 0;
    int err = ns_shutdown(i->ns, rd, wr);
    if (inet_listening(s))
        atomic_store(&i->listening, false);
    return err;
}

// ---- Readiness and facts ----------------------------------------------------------------------------------
static uint32_t inet_poll(struct socket *s, struct waiter *w) {
    struct inet_sock *i = isock(s);
    if (w)
        waitq_add(&i->wait, w);
    uint32_t mask = ns_ready(i->ns);
    if ((mask & NS_IN) && !(mask & (NS_RDHUP | NS_ERR)) && !inet_enough(i, INT32_MAX))
        mask &= ~NS_IN;
    uint32_t events = poll_events(mask);
    return events & LINUX_POLLOUT && !inet_is_stream(s) ? events | LINUX_POLLWRBAND : events;
}

static uint64_t inet_queued(struct socket *s, bool out) {
    size_t in, unsent;
    ns_queued(isock(s)->ns, &in, &unsent);
    return out ? unsent : in;
}

// Of a stream; what else there is is sent at once.
static uint64_t inet_unsent(struct socket *s) {
    struct ns_tcp_info info;
    return ns_tcp_info(isock(s)->ns, &info) < 0 ? 0 : info.unsent;
}

static int inet_at_mark(struct socket *s) {
    return inet_is_stream(s) ? ns_at_mark(isock(s)->ns) : -LINUX_ENOTTY;
}

static int inet_get_error(struct socket *s) { return ns_take_error(isock(s)->ns); }

static int inet_peer_cred(struct socket *s, struct linux_ucred *out) {
    *out = (struct linux_ucred){0, ~0u, ~0u};
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
    .control = inet_control,
    .tell = inet_tell,
    .shutdown = inet_shutdown,
    .poll = inet_poll,
    .queued = inet_queued,
    .unsent = inet_unsent,
    .at_mark = inet_at_mark,
    .get_error = inet_get_error,
    .listening = inet_listening,
    .peer_cred = inet_peer_cred,
    .getopt = inet_getopt,
    .setopt = inet_setopt,
    .sol_set = inet_sol_set,
    .sol_get = inet_sol_get,
    .filter = inet_filter,
    .closing = inet_closing,
    .close = inet_close,
};
