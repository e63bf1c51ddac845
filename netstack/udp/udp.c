// SPDX-License-Identifier: Apache-2.0
// UDP sockets: datagrams in from ip_deliver(), out to ip_output(), and a bounded queue between. Lock: the
// stack's.
// LIMIT: no UDP-Lite.
#include "netstack/udp/udp.h"
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/ip/icmp.h"
#include "netstack/link/netif.h"

#define UDP4_MAX 65507  // RFC 768 in RFC 791: 65535 - 20 - 8
#define UDP6_MAX 65527  // in RFC 8200: the payload's length counts no IP header

struct udp {
    struct ns_sock s;
    struct pktq queue;  // their UDP headers are pulled
    bool shut_rd, shut_wr;
    struct ns_ip bound;  // while connected: the local address of before
};

static struct udp *udp_of(struct ns_sock *s) { return container_of(s, struct udp, s); }

static void udp_init(struct ns_sock *s) { pktq_init(&udp_of(s)->queue); }

// ---- In ---------------------------------------------------------------------------------------------------
// RFC 768. The header is pulled and padding cut off.
static const uint8_t *parse_datagram(struct pkt *p) {
    struct netstack *ns = p->ns;
    const uint8_t *h = pkt_peek(p, UDP_LEN);
    uint32_t total = h ? get16(h + UDP_TOTAL) : 0;
    if (!h || total < UDP_LEN || total > p->len || get16(h + UDP_DPORT) == 0) {
        count(ns, udp_drop_malformed);
        return NULL;
    }
    pkt_trim(p, total);
    bool none = get16(h + UDP_CSUM) == 0;
    if (!p->csum_good && !none && !ip_csum_ok(p)) {
        count(ns, udp_drop_checksum);
        return NULL;
    }
    return pkt_pull(p, UDP_LEN);
}

// RFC 8200 8.1: IPv6 wants a checksum; RFC 6935: but for sockets that say they do not. The header is pulled.
static bool lacks_checksum(struct pkt *p) {
    return !ns_ip_is4(&p->dst) && get16(pkt_head(p) - UDP_LEN + UDP_CSUM) == 0;
}

// A filter sees the UDP header too.
static bool wanted(struct udp *u, struct pkt *p) {
    if (!u->s.filter)
        return true;
    pkt_push(p, UDP_LEN);
    bool ok = sock_filtered(&u->s, p, UDP_LEN);
    pkt_pull(p, UDP_LEN);
    return ok;
}

static void udp_enqueue(struct udp *u, struct pkt *p, uint16_t port) {
    if (lacks_checksum(p) && !u->s.opt[NS_OPT_NO_CHECK6_RX]) {
        count(p->ns, udp_drop_checksum);
        pkt_free(p);
        return;
    }
    if (!wanted(u, p)) {
        count(p->ns, udp_drop_filter);
        pkt_free(p);
        return;
    }
    if (u->shut_rd || !pktq_has_room(&u->queue, p, u->s.opt[NS_OPT_RCVBUF])) {
        count(p->ns, udp_drop_full);
        pkt_free(p);
        return;
    }
    sock_note_sender(p, port);
    pktq_add(&u->queue, p);
    sock_wake(&u->s, NS_IN);
}

// RFC 1122 4.1.3.3: what is for a group, or for all, is for each socket that wants it. Takes p when there is
// one.
static bool deliver_to_all(struct pkt *p, const struct ns_addr *local, const struct ns_addr *remote) {
    struct ns_sock *s = sock_next_bound(p, PROTO_UDP, local, remote, NULL), *next;
    for (; s; s = next) {
        next = sock_next_bound(p, PROTO_UDP, local, remote, s);
        struct pkt *copy = next ? pkt_clone(p) : p;
        if (copy)
            udp_enqueue(udp_of(s), copy, remote->port);
        else
            count(p->ns, udp_drop_full);
        if (!next)
            return true;
    }
    return false;
}

void udp_input(struct pkt *p) {
    struct netstack *ns = p->ns;
    count(ns, udp_in);
    uint32_t before = p->off;
    const uint8_t *h = parse_datagram(p);
    if (!h) {
        pkt_free(p);
        return;
    }
    struct ns_addr local = {p->dst, get16(h + UDP_DPORT)}, remote = {p->src, get16(h + UDP_SPORT)};
    if (p->broadcast && deliver_to_all(p, &local, &remote))
        return;
    struct ns_sock *s = p->broadcast ? NULL : sock_find_bound(ns, p, PROTO_UDP, &local, &remote);
    if (s && !list_linked(&s->dead)) {
        udp_enqueue(udp_of(s), p, remote.port);
        return;
    }
    if (lacks_checksum(p)) {
        count(ns, udp_drop_checksum);
        pkt_free(p);
        return;
    }
    count(ns, udp_drop_port);
    invariant(p->off == before + UDP_LEN);
    icmp_error(p, ICMP_BAD_PORT, 0);
    pkt_free(p);
}

void udp_error(struct netstack *ns, const struct ip_error *e) {
    struct ns_addr local = {e->src, get16(e->l4 + UDP_SPORT)}, remote = {e->dst, get16(e->l4 + UDP_DPORT)};
    struct ns_sock *s = sock_find_bound(ns, NULL, PROTO_UDP, &local, &remote);
    if (!s)
        return;
    count(ns, icmp_errors_in);
    if (e->mtu)
        pmtu_learn(ns, &e->dst, e->mtu);
    if (sock_note_error(s, e, UDP_LEN, remote.port))
        return;
    // RFC 1122 4.1.3.3: passed up; to a connected socket only, which alone knows what it is about (udp(7)).
    if (s->connected && (e->hard || e->err == LINUX_EMSGSIZE))
        sock_error(s, e->err);
}

// ---- Out --------------------------------------------------------------------------------------------------
static int send_to(struct ns_sock *s, struct ns_io *io, const struct ns_addr *to, const struct ns_extra *x) {
    struct netstack *ns = s->ns;
    struct path path;
    int err = sock_path_as(s, to, x, &path);
    if (err)
        return err;
    if (netif_is_broadcast(path.nif, &to->ip) && !s->opt[NS_OPT_BROADCAST])
        return -LINUX_EACCES;
    struct pkt *p = pkt_alloc(ns);
    if (!p)
        return -LINUX_ENOBUFS;
    err = pkt_fill(p, io);
    if (err) {
        pkt_free(p);
        return err;
    }
    p->follows = x && x->follows;
    struct ip_header h = sock_ip_header(s, &path, &to->ip, PROTO_UDP, x);
    uint8_t *u = pkt_push(p, UDP_LEN);
    put16(u + UDP_SPORT, s->local.port);
    put16(u + UDP_DPORT, to->port);
    put16(u + UDP_TOTAL, (uint16_t)p->len);
    put16(u + UDP_CSUM, 0);
    if (ns_ip_is4(&to->ip) || !s->opt[NS_OPT_NO_CHECK6_TX])
        ip_start_csum(p, &h, UDP_CSUM);
    count(ns, udp_out);
    err = ip_output(ns, p, &path, &h);
    if (err == -LINUX_EMSGSIZE) {
        const struct ip_error e = {.dst = to->ip, .err = LINUX_EMSGSIZE, .mtu = path.mtu};
        sock_note_error(s, &e, 0, to->port);
    }
    return err;
}

static int64_t udp_send(struct ns_sock *s, struct ns_io *io, unsigned flags, const struct ns_addr *to,
                        const struct ns_extra *x) {
    int64_t n = (int64_t)io->left;
    if (s->error)
        return sock_take_error(s);
    if (!to && !s->connected)
        return -LINUX_EDESTADDRREQ;
    if (!to)
        to = &s->remote;
    if (!sock_family_ok(s, &to->ip))
        return s->family == NS_INET6 ? -LINUX_ENETUNREACH : -LINUX_EAFNOSUPPORT;
    if (to->port == 0)
        return -LINUX_EINVAL;
    if (n > (ns_ip_is4(&to->ip) ? UDP4_MAX : UDP6_MAX))
        return -LINUX_EMSGSIZE;
    if (udp_of(s)->shut_wr)  // told behind what is wrong with the address, as on Linux
        return -LINUX_EPIPE;
    if (!list_linked(&s->port)) {
        struct ns_ip any = s->local.ip;
        int err = sock_bind_port(s, &any, 0);
        if (err)
            return err;
    }
    int err = send_to(s, io, to, x);
    return err < 0 ? err : n;
}

// Generic receive offload: the datagrams behind the one that was just read, of `size` bytes, which were sent
// as one with it, as far as there is room. How many bytes.
static int64_t read_joined(struct udp *u, struct ns_io *io, const struct ns_addr *first,
                           const struct ns_extra *x, uint32_t size) {
    int64_t all = 0;
    for (uint32_t len = size; len == size && !pktq_empty(&u->queue);) {
        const struct pkt *p = list_first(&u->queue.packets, struct pkt, link);
        bool same =
            ip_eq(&p->src, &first->ip) && (uint16_t)p->mark == first->port && ip_eq(&p->dst, &x->local.ip);
        len = p->len;
        if (!p->follows || !same || len > size || len > io->left)
            break;
        int64_t n = pktq_read(&u->queue, io, 0, NULL);
        if (n < 0)
            break;
        all += n;
    }
    return all;
}

static int64_t recv_joined(struct udp *u, struct ns_io *io, unsigned flags, struct ns_addr *from,
                           struct ns_extra *x) {
    uint32_t size = pktq_next_len(&u->queue);
    bool whole = size > 0 && size <= io->left && !(flags & NS_MSG_PEEK);
    int64_t n = sock_read(&u->s, &u->queue, io, flags, from, x);
    int64_t more = whole && n > 0 ? read_joined(u, io, from, x, size) : 0;
    x->joined = more > 0 ? (uint16_t)size : 0;
    return more > 0 ? n + more : n;
}

static int64_t udp_recv(struct ns_sock *s, struct ns_io *io, unsigned flags, struct ns_addr *from,
                        struct ns_extra *x) {
    struct udp *u = udp_of(s);
    if (s->error)
        return sock_take_error(s);
    if (s->opt[NS_OPT_UDP_GRO] && from && x && !pktq_empty(&u->queue))
        return recv_joined(u, io, flags, from, x);
    return u->shut_rd && pktq_empty(&u->queue) ? 0 : sock_read(s, &u->queue, io, flags, from, x);
}

// ---- The rest ---------------------------------------------------------------------------------------------
// Remembers whom it speaks to; from then on it hears only from there. The unspecified address dissolves it.
static void udp_disconnect(struct ns_sock *s) {
    if (s->connected)
        s->local.ip = udp_of(s)->bound;
    s->connected = false;
}

static int udp_connect(struct ns_sock *s, const struct ns_addr *addr) {
    struct udp *u = udp_of(s);
    struct path path;
    if (ip_is_any(&addr->ip) && addr->port == 0) {
        udp_disconnect(s);
        return 0;
    }
    int err = sock_path(s, addr, &path);
    if (err)
        return err;
    if (netif_is_broadcast(path.nif, &addr->ip) && !s->opt[NS_OPT_BROADCAST])
        return -LINUX_EACCES;
    if (!s->connected)
        u->bound = s->local.ip;
    if (!list_linked(&s->port) && (err = sock_bind_port(s, &path.src, 0)))
        return err;
    sock_set_peer(s, addr, &path);
    return 0;
}

static int udp_shutdown(struct ns_sock *s, bool rd, bool wr) {
    struct udp *u = udp_of(s);
    u->shut_rd |= rd;  // also of one that is not connected: who waits in a receive returns (Linux)
    u->shut_wr |= wr;
    sock_wake(s, (rd ? NS_IN | NS_RDHUP : 0) | (wr ? NS_OUT : 0));
    return s->connected ? 0 : -LINUX_ENOTCONN;
}

static uint32_t udp_ready(struct ns_sock *s) {
    const struct udp *u = udp_of(s);
    uint32_t mask = NS_OUT;
    if (!pktq_empty(&u->queue) || u->shut_rd)
        mask |= NS_IN;
    if (u->shut_rd)
        mask |= NS_RDHUP;
    if (u->shut_rd && u->shut_wr)
        mask |= NS_HUP;
    return mask;
}

static void udp_queued(const struct ns_sock *s, size_t *in, size_t *out) {
    *in = pktq_next_len(&container_of(s, struct udp, s)->queue);
}

static void udp_drop(struct ns_sock *s) { pktq_clear(&udp_of(s)->queue); }

const struct sock_ops udp_ops = {
    .size = sizeof(struct udp),
    .proto = PROTO_UDP,
    .binds_groups = true,
    .init = udp_init,
    .connect = udp_connect,
    .disconnect = udp_disconnect,
    .shutdown = udp_shutdown,
    .send = udp_send,
    .recv = udp_recv,
    .ready = udp_ready,
    .queued = udp_queued,
    .close = sock_kill,
    .drop = udp_drop,
};
