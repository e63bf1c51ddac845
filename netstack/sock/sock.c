// SPDX-License-Identifier: Apache-2.0
// See sock.h: the socket calls of netstack.h, each of which enters the stack, checks what is common to all
// protocols and goes on to the protocol's function; and the life of a socket. Lock: the stack's.
#include "netstack/sock/sock.h"
#include "abi/errno.h"
#include "base/clamp.h"
#include "netstack/core/addr.h"
#include "netstack/ip/group.h"
#include "netstack/link/netif.h"
#include "netstack/prot/eth.h"
#include "netstack/prot/ip.h"

static const int defaults[NS_OPT_COUNT] = {
    [NS_OPT_CHECKSUM_AT] = -1,   [NS_OPT_SNDBUF] = 212992,   [NS_OPT_RCVBUF] = 212992,
    [NS_OPT_LINGER] = -1,        [NS_OPT_TCP_QUICKACK] = 1,  [NS_OPT_MULTICAST_TTL] = 1,
    [NS_OPT_MULTICAST_LOOP] = 1, [NS_OPT_MULTICAST_ALL] = 1, [NS_OPT_TCP_KEEPIDLE] = 7200,
    [NS_OPT_TCP_KEEPINTVL] = 75, [NS_OPT_TCP_KEEPCNT] = 9,   [NS_OPT_TCP_SYNCNT] = 6,
};
// What an option may be; RFC 9293 3.8.4 and Linux (include/net/tcp.h) for those of TCP.
static const struct {
    int least, most, or_zero;  // or_zero: from there on, or 0
} ranges[NS_OPT_COUNT] = {
    [NS_OPT_REUSEADDR] = {0, 1},
    [NS_OPT_REUSEPORT] = {0, 1},
    [NS_OPT_BROADCAST] = {0, 1},
    [NS_OPT_V6ONLY] = {0, 1},
    [NS_OPT_SNDBUF] = {4096, 64 << 20},
    [NS_OPT_RCVBUF] = {2048, 64 << 20},
    [NS_OPT_HDRINCL] = {0, 1},
    [NS_OPT_CHECKSUM_AT] = {-1, 65534},
    [NS_OPT_BIND_IF] = {0, INT32_MAX},
    [NS_OPT_UNICAST_IF] = {0, INT32_MAX},
    [NS_OPT_UNICAST_IF6] = {0, INT32_MAX},
    [NS_OPT_FREEBIND] = {0, 1},
    [NS_OPT_BIND_NO_PORT] = {0, 1},
    [NS_OPT_PORT_RANGE] = {INT32_MIN, INT32_MAX},
    [NS_OPT_TTL] = {0, 255},
    [NS_OPT_TOS] = {0, 255},
    [NS_OPT_MULTICAST_TTL] = {0, 255},
    [NS_OPT_MULTICAST_LOOP] = {0, 1},
    [NS_OPT_MULTICAST_ALL] = {0, 1},
    [NS_OPT_MTU_DISCOVER] = {0, 1},
    [NS_OPT_RECVERR] = {0, 1},
    [NS_OPT_RECVERR6] = {0, 1},
    [NS_OPT_NO_CHECK6_TX] = {0, 1},
    [NS_OPT_NO_CHECK6_RX] = {0, 1},
    [NS_OPT_UDP_GRO] = {0, 1},
    [NS_OPT_OOBINLINE] = {0, 1},
    [NS_OPT_KEEPALIVE] = {0, 1},
    [NS_OPT_LINGER] = {-1, 32767},
    [NS_OPT_TCP_NODELAY] = {0, 1},
    [NS_OPT_TCP_CORK] = {0, 1},
    [NS_OPT_TCP_QUICKACK] = {0, 1},
    [NS_OPT_TCP_MAXSEG] = {0, 32767, 88},
    [NS_OPT_TCP_KEEPIDLE] = {1, 32767},
    [NS_OPT_TCP_KEEPINTVL] = {1, 32767},
    [NS_OPT_TCP_KEEPCNT] = {1, 127},
    [NS_OPT_TCP_USER_TIMEOUT] = {0, INT32_MAX},
    [NS_OPT_TCP_SYNCNT] = {1, 127},
    [NS_OPT_TCP_CONGESTION] = {NS_CUBIC, NS_RENO},
    [NS_OPT_TCP_MINTTL] = {0, 255},
    [NS_OPT_TCP_MINTTL6] = {0, 255},
    [NS_OPT_TCP_DEFER_ACCEPT] = {0, 255},
    [NS_OPT_TCP_LINGER2] = {-1, 120},
    [NS_OPT_TCP_NOTSENT_LOWAT] = {INT32_MIN, INT32_MAX},
    [NS_OPT_TCP_WINDOW_CLAMP] = {0, INT32_MAX},
    [NS_OPT_TCP_SAVE_SYN] = {0, 2},
};

// ---- Its life ---------------------------------------------------------------------------------------------
struct ns_sock *sock_new(struct netstack *ns, const struct sock_ops *ops, enum ns_family family) {
    struct ns_sock *s = stack_alloc(ns, ops->size);
    if (!s)
        return NULL;
    s->ns = ns;
    s->ops = ops;
    s->family = family;
    s->user = true;
    if (family == NS_INET)
        s->local.ip = s->remote.ip = ns_ip4(0, 0, 0, 0);
    memcpy(s->opt, defaults, sizeof defaults);
    list_init(&s->port);
    list_init(&s->used);
    list_init(&s->conn);
    list_init(&s->dead);
    list_init(&s->groups);
    list_init(&s->later);
    pktq_init(&s->errors);
    list_add_tail(&ns->socks, &s->all);
    ns->usage.sockets++;
    ops->init(s);
    return s;
}

void sock_kill(struct ns_sock *s) {
    sock_unhash(s);
    list_del(&s->used);
    if (!list_linked(&s->dead))
        list_add_tail(&s->ns->dead, &s->dead);
}

void sock_later(struct ns_sock *s) {
    if (!list_linked(&s->later))
        list_add_tail(&s->ns->later, &s->later);
}

void sock_flush(struct netstack *ns) {
    while (!list_empty(&ns->later)) {
        struct ns_sock *s = list_first(&ns->later, struct ns_sock, later);
        list_del(&s->later);
        s->ops->output(s);
    }
}

void sock_reap(struct netstack *ns) {
    while (!list_empty(&ns->dead)) {
        struct ns_sock *s = list_first(&ns->dead, struct ns_sock, dead);
        s->ops->drop(s);
        pktq_clear(&s->errors);
        sock_leave_groups(s);
        sock_unhash(s);
        list_del(&s->dead);
        list_del(&s->later);
        list_del(&s->all);
        ns->usage.sockets--;
        stack_free(ns, s, s->ops->size);
    }
}

void sock_drop_all(struct netstack *ns) {
    struct ns_sock *s;
    list_for_each(s, &ns->socks, all) {
        invariant(!s->user);
        sock_kill(s);
    }
}

int sock_take_error(struct ns_sock *s) {
    int err = s->error;
    s->error = 0;
    return -err;
}

void sock_error(struct ns_sock *s, int err) {
    s->error = err;
    sock_wake(s, NS_ERR);
}

bool sock_family_ok(const struct ns_sock *s, const struct ns_ip *ip) {
    bool four = ns_ip_is4(ip);
    if (s->family == NS_INET)
        return four;
    return !four || !s->opt[NS_OPT_V6ONLY];
}

// *nif: the interface that a packet to that address must go through; NULL: the routes say.
static int bound_nif(const struct ns_sock *s, const struct ns_addr *to, struct netif **nif) {
    bool group = ip_is_multicast(&to->ip);
    if (to->scope && !ns_ip_is4(&to->ip) && (group || ip_is_linklocal(&to->ip))) {
        *nif = netif_by_index(s->ns, to->scope);
        return *nif ? 0 : -LINUX_ENODEV;
    }
    *nif = group ? s->group_nif : NULL;
    return 0;
}

// *nif: what SO_BINDTODEVICE, or else for datagrams IP_UNICAST_IF, names, where nothing else has.
static int chosen_nif(const struct ns_sock *s, const struct ns_ip *dst, struct netif **nif) {
    int index = s->opt[NS_OPT_BIND_IF];
    bool datagram = s->ops->proto != PROTO_TCP && !ip_is_multicast(dst);
    if (!index && datagram)
        index = s->opt[ns_ip_is4(dst) ? NS_OPT_UNICAST_IF : NS_OPT_UNICAST_IF6];
    if (*nif || !index)
        return 0;
    *nif = netif_by_index(s->ns, (uint32_t)index);
    return *nif ? 0 : -LINUX_ENODEV;
}

int sock_path_from(const struct ns_sock *s, const struct ns_ip *dst, const struct ns_ip *src,
                   struct path *path) {
    struct netif *nif = NULL;
    if (s->opt[NS_OPT_BIND_IF] && !netif_is_local(s->ns, dst)) {
        int err = chosen_nif(s, dst, &nif);
        if (err)
            return err;
    }
    return path_find_on(s->ns, nif, dst, src, path);
}

// Over loopback a packet counts as come in where its address is, as on Linux (inet_iif()).
bool sock_on_netif(const struct ns_sock *s, const struct pkt *p) {
    if (!s->opt[NS_OPT_BIND_IF] || !p)
        return true;
    const struct netif *own = netif_is_loopback(p->nif) ? netif_of_address(p->ns, &p->dst) : NULL;
    return (own ? own : p->nif)->index == (uint32_t)s->opt[NS_OPT_BIND_IF];
}

int sock_path(const struct ns_sock *s, const struct ns_addr *to, struct path *path) {
    return sock_path_as(s, to, NULL, path);
}

int sock_path_as(const struct ns_sock *s, const struct ns_addr *to, const struct ns_extra *x,
                 struct path *path) {
    const struct ns_ip *dst = &to->ip;
    struct netif *nif;
    int err = bound_nif(s, to, &nif);
    if (err)
        return err;
    if (x && x->netif && !(nif = netif_by_index(s->ns, x->netif)))
        return -LINUX_ENODEV;
    if ((err = chosen_nif(s, dst, &nif)))
        return err;
    if (nif && netif_is_local(s->ns, dst))
        nif = NULL;  // to ourselves, whichever of our interfaces was named
    if (x && !ip_is_any(&x->local.ip)) {
        if (!netif_is_local(s->ns, &x->local.ip))
            return -LINUX_EINVAL;
        return path_find_on(s->ns, nif, dst, &x->local.ip, path);
    }
    const struct ns_ip *src = ip_is_any(&s->local.ip) || ip_is_multicast(&s->local.ip) ? NULL : &s->local.ip;
    if (src && s->foreign && !netif_is_local(s->ns, src))  // nothing is sent in the name of others
        return -LINUX_ENETUNREACH;
    return path_find_on(s->ns, nif, dst, src, path);
}

void sock_set_scopes(struct ns_sock *s, const struct path *path) {
    s->local.scope = netif_scope(path->nif, &s->local.ip);
    s->remote.scope = netif_scope(path->nif, &s->remote.ip);
}

void sock_set_peer(struct ns_sock *s, const struct ns_addr *peer, const struct path *path) {
    s->local.ip = path->src;
    s->remote = *peer;
    sock_set_scopes(s, path);
    s->connected = true;
}

// The interface may be gone when it is read: its index goes into the mark.
void sock_note_sender(struct pkt *p, uint16_t port) {
    p->mark = netif_scope(p->nif, &p->src) << 16 | port;
    p->came_by = p->nif->index;
}

int64_t sock_read(struct ns_sock *s, struct pktq *q, struct ns_io *io, unsigned flags, struct ns_addr *from,
                  struct ns_extra *x) {
    if (x && !pktq_empty(q)) {
        const struct pkt *p = list_first(&q->packets, struct pkt, link);
        *x = (struct ns_extra){{p->dst, s->local.port, 0}, p->came_by, p->ttl, p->tos, p->when, p->frag_max};
    }
    return pktq_read(q, io, flags, from);
}

struct pkt_view {
    struct ns_view v;
    const struct pkt *p;
};
static bool view_load(const struct ns_view *v, uint32_t at, void *to, uint32_t n) {
    const struct pkt_view *view = container_of(v, struct pkt_view, v);
    if (at > v->len || n > v->len - at)
        return false;
    pkt_copy(view->p, at, to, n);
    return true;
}

bool sock_filtered(const struct ns_sock *s, struct pkt *p, uint32_t least) {
    if (!s->filter)
        return true;
    uint16_t type = ns_ip_is4(&p->dst) ? ETH_TYPE_IP4 : ETH_TYPE_IP6;
    struct pkt_view view = {{p->len, p->nif ? p->nif->index : 0, type, view_load}, p};
    uint32_t keep = s->filter->run(s->filter, &view.v);
    if (keep > 0 && keep < p->len)
        pkt_trim(p, keep > least ? keep : least);
    return keep > 0;
}

struct ip_header sock_ip_header(const struct ns_sock *s, const struct path *path, const struct ns_ip *dst,
                                uint8_t proto, const struct ns_extra *x) {
    bool group = ip_is_multicast(dst);
    int tos = x && x->tos >= 0 ? x->tos : s->opt[NS_OPT_TOS];
    int ttl = x && x->ttl >= 0 ? x->ttl : s->opt[group ? NS_OPT_MULTICAST_TTL : NS_OPT_TTL];
    return (struct ip_header){.src = path->src,
                              .dst = *dst,
                              .proto = proto,
                              .tos = (uint8_t)tos,
                              .ttl = (uint8_t)ttl,
                              .dont_fragment = s->opt[NS_OPT_MTU_DISCOVER],
                              .group = group,
                              .loop = group && s->opt[NS_OPT_MULTICAST_LOOP]};
}

// ---- The calls --------------------------------------------------------------------------------------------
void ns_close(struct ns_sock *s) {
    IN_STACK(s->ns);
    invariant(s->user);
    invariant(!s->filter);
    s->user = false;
    s->ops->close(s);
}

void ns_on_ready(struct ns_sock *s, void (*ready)(void *arg, uint32_t mask), void *arg) {
    IN_STACK(s->ns);
    s->on_ready = ready;
    s->on_ready_arg = arg;
}

uint32_t ns_ready(struct ns_sock *s) {
    IN_STACK(s->ns);
    return s->ops->ready(s) | (s->error || !pktq_empty(&s->errors) ? NS_ERR : 0);
}

int ns_bind(struct ns_sock *s, const struct ns_addr *addr) {
    IN_STACK(s->ns);
    if (s->ops->bind)
        return s->ops->bind(s, addr);
    if (list_linked(&s->port) || s->connected)
        return -LINUX_EINVAL;
    if (!sock_family_ok(s, &addr->ip))
        return -LINUX_EAFNOSUPPORT;
    bool group = ip_is_multicast(&addr->ip) || ip_is_limited_broadcast(&addr->ip);
    bool ours = ip_is_any(&addr->ip) || s->opt[NS_OPT_FREEBIND] || netif_is_local(s->ns, &addr->ip);
    if (!ours && !(group && s->ops->binds_groups))
        return -LINUX_EADDRNOTAVAIL;
    struct netif *nif = netif_of_address(s->ns, &addr->ip);
    if (addr->scope && netif_scope(nif, &addr->ip)) {
        if (!(nif = netif_by_index(s->ns, addr->scope)))
            return -LINUX_ENODEV;
        if (!s->opt[NS_OPT_FREEBIND] && !netif_find_address(nif, &addr->ip))
            return -LINUX_EADDRNOTAVAIL;
    }
    if (s->ops->proto && (addr->port || !s->opt[NS_OPT_BIND_NO_PORT])) {
        int err = sock_bind_port(s, &addr->ip, addr->port);
        if (err)
            return err;
    }
    s->local.ip = addr->ip;
    s->local.scope = netif_scope(nif, &addr->ip);
    s->bound = true;
    s->foreign = s->opt[NS_OPT_FREEBIND] && !ip_is_any(&addr->ip) && !netif_is_local(s->ns, &addr->ip);
    return 0;
}

int ns_listen(struct ns_sock *s, unsigned backlog) {
    IN_STACK(s->ns);
    return s->ops->listen ? s->ops->listen(s, backlog) : -LINUX_EOPNOTSUPP;
}

int ns_accept(struct ns_sock *s, struct ns_sock **out) {
    IN_STACK(s->ns);
    return s->ops->accept ? s->ops->accept(s, out) : -LINUX_EOPNOTSUPP;
}

int ns_connect(struct ns_sock *s, const struct ns_addr *addr) {
    IN_STACK(s->ns);
    if (!sock_family_ok(s, &addr->ip))  // one for IPv6 alone has no way to IPv4, ipv6(7)
        return s->family == NS_INET6 && ns_ip_is4(&addr->ip) ? -LINUX_ENETUNREACH : -LINUX_EAFNOSUPPORT;
    return s->ops->connect(s, addr);
}

void ns_disconnect(struct ns_sock *s) {
    IN_STACK(s->ns);
    if (s->ops->disconnect)
        s->ops->disconnect(s);
}

int ns_shutdown(struct ns_sock *s, bool rd, bool wr) {
    IN_STACK(s->ns);
    return s->ops->shutdown(s, rd, wr);
}

int64_t ns_send(struct ns_sock *s, struct ns_io *io, unsigned flags, const struct ns_addr *to) {
    return ns_send_with(s, io, flags, to, NULL);
}

int64_t ns_send_with(struct ns_sock *s, struct ns_io *io, unsigned flags, const struct ns_addr *to,
                     const struct ns_extra *x) {
    IN_STACK(s->ns);
    return s->ops->send(s, io, flags, to, x);
}

int64_t ns_recv(struct ns_sock *s, struct ns_io *io, unsigned flags, struct ns_addr *from) {
    return ns_recv_with(s, io, flags, from, NULL);
}

int64_t ns_recv_with(struct ns_sock *s, struct ns_io *io, unsigned flags, struct ns_addr *from,
                     struct ns_extra *x) {
    IN_STACK(s->ns);
    return s->ops->recv(s, io, flags, from, x);
}

static void give_back(struct ns_pieces *p) {
    while (p->n > 0)
        buf_put(p->held[--p->n]);
}

int ns_room(struct ns_sock *s, size_t want, struct ns_pieces *p) {
    IN_STACK(s->ns);
    *p = (struct ns_pieces){.n = 0};
    return s->ops->room ? s->ops->room(s, want, p) : -LINUX_EOPNOTSUPP;
}

int64_t ns_send_pieces(struct ns_sock *s, struct ns_pieces *p, size_t len, unsigned flags) {
    IN_STACK(s->ns);
    int64_t sent = len ? s->ops->send_pieces(s, p, len, flags) : 0;
    give_back(p);
    return sent;
}

int64_t ns_look(struct ns_sock *s, size_t want, struct ns_pieces *p) {
    IN_STACK(s->ns);
    *p = (struct ns_pieces){.n = 0};
    return s->ops->look ? s->ops->look(s, want, p) : -LINUX_EOPNOTSUPP;
}

static int64_t copy_nowhere(struct ns_io *io, void *buf, size_t n) { return (int64_t)n; }

void ns_take(struct ns_sock *s, struct ns_pieces *p, size_t len) {
    IN_STACK(s->ns);
    struct ns_io io = {len, copy_nowhere};
    if (len)
        s->ops->recv(s, &io, 0, NULL, NULL);
    give_back(p);
}

const struct ns_filter *ns_set_filter(struct ns_sock *s, const struct ns_filter *f) {
    IN_STACK(s->ns);
    const struct ns_filter *before = s->filter;
    s->filter = f;
    return before;
}

int ns_local(struct ns_sock *s, struct ns_addr *addr) {
    IN_STACK(s->ns);
    *addr = s->local;
    return 0;
}

int ns_peer(struct ns_sock *s, struct ns_addr *addr) {
    IN_STACK(s->ns);
    *addr = s->remote;
    return s->connected ? 0 : -LINUX_ENOTCONN;
}

void ns_queued(struct ns_sock *s, size_t *in, size_t *out) {
    IN_STACK(s->ns);
    *in = *out = 0;
    s->ops->queued(s, in, out);
}

int ns_mtu(struct ns_sock *s) {
    IN_STACK(s->ns);
    struct path path;
    if (!s->connected || sock_path(s, &s->remote, &path) < 0)
        return -LINUX_ENOTCONN;
    return ns_ip_is4(&s->remote.ip) && path.mtu > 65535 ? 65535 : (int)path.mtu;
}

void ns_set_owner(struct ns_sock *s, uint32_t owner) {
    IN_STACK(s->ns);
    s->owner = owner;
}

int ns_take_error(struct ns_sock *s) {
    IN_STACK(s->ns);
    return -sock_take_error(s);
}

int ns_set_option(struct ns_sock *s, enum ns_option option, int value) {
    if (option >= NS_OPT_COUNT)
        return -LINUX_ENOPROTOOPT;
    IN_STACK(s->ns);
    if (option == NS_OPT_SNDBUF || option == NS_OPT_RCVBUF)  // these are clamped, as on Linux
        value = (int)clamp_i64(value, ranges[option].least, ranges[option].most);
    if (value < ranges[option].least || value > ranges[option].most ||
        (value > 0 && value < ranges[option].or_zero))
        return -LINUX_EINVAL;
    s->opt[option] = value;
    if (value == 0 && (option == NS_OPT_RECVERR || option == NS_OPT_RECVERR6))
        pktq_clear(&s->errors);
    if (s->ops->option)
        s->ops->option(s, option);
    return 0;
}

int ns_get_option(struct ns_sock *s, enum ns_option option, int *value) {
    if (option >= NS_OPT_COUNT)
        return -LINUX_ENOPROTOOPT;
    IN_STACK(s->ns);
    *value = s->opt[option];
    return 0;
}

static void describe(const struct ns_sock *s, struct ns_sock_info *info) {
    *info = (struct ns_sock_info){.family = s->family,
                                  .proto = s->ops->proto,
                                  .state = s->connected ? 1 : 7,
                                  .local = s->local,
                                  .remote = s->remote,
                                  .owner = s->owner,
                                  .v6only = s->opt[NS_OPT_V6ONLY],
                                  .user = s->user ? s->on_ready_arg : NULL};
    s->ops->queued(s, &info->in, &info->out);
    if (s->ops->describe)
        s->ops->describe(s, info);
}

void netstack_each_socket(struct netstack *ns, void (*visit)(void *arg, const struct ns_sock_info *s),
                          void *arg) {
    IN_STACK(ns);
    struct ns_sock *s;
    list_for_each(s, &ns->socks, all) {
        struct ns_sock_info info;
        describe(s, &info);
        visit(arg, &info);
    }
}

// ---- Plain memory as a source or a target -----------------------------------------------------------------
static int64_t copy_from(struct ns_io *io, void *buf, size_t n) {
    struct ns_mem_io *m = (struct ns_mem_io *)io;
    memcpy(buf, m->at, n);
    m->at += n;
    return (int64_t)n;
}
static int64_t copy_to(struct ns_io *io, void *buf, size_t n) {
    struct ns_mem_io *m = (struct ns_mem_io *)io;
    memcpy(m->at, buf, n);
    m->at += n;
    return (int64_t)n;
}
struct ns_io *ns_io_from(struct ns_mem_io *m, const void *data, size_t n) {
    *m = (struct ns_mem_io){{n, copy_from}, (uint8_t *)(uintptr_t)data};
    return &m->io;
}
struct ns_io *ns_io_to(struct ns_mem_io *m, void *buf, size_t n) {
    *m = (struct ns_mem_io){{n, copy_to}, buf};
    return &m->io;
}
