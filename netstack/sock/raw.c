// SPDX-License-Identifier: Apache-2.0
// See raw.h. Called by ip_deliver() for what comes in, by way of struct stack_upper; sends through
// ip_output(). What ping(8) and traceroute need. A ping socket (icmp(7)) is one of ICMP that sends echo
// requests alone and hears the answers to its own: their identifier is its port. Lock: the stack's.
// LIMIT: no copy of fragments; with IP_HDRINCL what is longer than the MTU is refused, and
// options in that header are sent as they are.
#include "netstack/sock/raw.h"
#include "netstack/filter/hooks.h"
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/link/netif.h"
#include "netstack/neigh/neigh.h"
#include "netstack/prot/checksum.h"
#include "netstack/sock/sock.h"

#define RAW_MAX 65515  // an IPv4 packet but for its header

struct raw {
    struct ns_sock s;
    struct list link;  // ns->raws
    struct pktq queue;
    uint8_t proto;
    uint32_t blocked[8];  // by ICMP type
    bool ping;
    bool shut_rd, shut_wr;
};

static struct raw *raw_of(struct ns_sock *s) { return container_of(s, struct raw, s); }

static void raw_init(struct ns_sock *s) {
    struct raw *r = raw_of(s);
    pktq_init(&r->queue);
    list_init(&r->link);
}

static uint8_t echo_of(const struct raw *r) { return r->proto == PROTO_ICMP ? ICMP_ECHO : ICMP6_ECHO; }

// ---- In ---------------------------------------------------------------------------------------------------
static bool answers(const struct raw *r, const struct pkt *p) {
    uint8_t h[ICMP_LEN];
    if (p->len < sizeof h)
        return false;
    pkt_copy(p, 0, h, sizeof h);
    uint8_t reply = r->proto == PROTO_ICMP ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY;
    return h[ICMP_TYPE] == reply && h[ICMP_CODE] == 0 && get16(h + ICMP_ID) == r->s.local.port;
}

static bool wants(const struct raw *r, const struct pkt *p) {
    const struct ns_sock *s = &r->s;
    if (r->proto != p->proto || r->shut_rd || (s->family == NS_INET) != ns_ip_is4(&p->dst))
        return false;
    if (!sock_on_netif(s, p) || (ip_is_multicast(&p->dst) && !sock_hears(s, p)))
        return false;
    if (!ip_is_any(&s->local.ip) && !ip_eq(&s->local.ip, &p->dst))
        return false;
    if (s->connected && !ip_eq(&s->remote.ip, &p->src))
        return false;
    return !r->ping || answers(r, p);
}

static bool blocked(const struct raw *r, const struct pkt *p) {
    uint8_t type;
    if ((r->proto != PROTO_ICMP && r->proto != PROTO_ICMP6) || p->len == 0)
        return false;
    pkt_copy(p, 0, &type, 1);
    return r->blocked[type / 32] & 1u << type % 32;
}

static void raw_enqueue(struct raw *r, const struct pkt *p) {
    if (blocked(r, p))
        return;
    struct pkt *copy = pktq_has_room(&r->queue, p, r->s.opt[NS_OPT_RCVBUF]) ? pkt_clone(p) : NULL;
    if (!copy) {
        count(p->ns, raw_drop_full);
        return;
    }
    if (r->s.family == NS_INET && !r->ping)  // raw(7): with the header, which is still in front
        pkt_push(copy, (uint32_t)(copy->off - copy->l3));
    if (!sock_filtered(&r->s, copy, 0)) {
        pkt_free(copy);
        return;
    }
    sock_note_sender(copy, 0);
    pktq_add(&r->queue, copy);
    sock_wake(&r->s, NS_IN);
}

bool raw_input(struct pkt *p) {
    bool any = false;
    struct raw *r;
    list_for_each(r, &p->ns->raws, link) {
        if (wants(r, p)) {
            raw_enqueue(r, p);
            any = true;
        }
    }
    return any;
}

// What a ping socket sends is told by its identifier, what others send by the addresses.
static bool has_sent(const struct raw *r, const struct ip_error *e) {
    const struct ns_sock *s = &r->s;
    if (r->proto != e->proto || (s->family == NS_INET) != ns_ip_is4(&e->dst))
        return false;
    if (r->ping)
        return e->l4[ICMP_TYPE] == echo_of(r) && get16(e->l4 + ICMP_ID) == s->local.port;
    if (!ip_is_any(&s->local.ip) && !ip_eq(&s->local.ip, &e->src))
        return false;
    return !s->connected || ip_eq(&s->remote.ip, &e->dst);
}

void raw_error(struct netstack *ns, const struct ip_error *e) {
    struct raw *r;
    list_for_each(r, &ns->raws, link) {
        if (!has_sent(r, e))
            continue;
        count(ns, icmp_errors_in);
        if (!sock_note_error(&r->s, e, 0, 0) && r->s.connected && e->hard)
            sock_error(&r->s, e->err);
    }
}

// ---- Out --------------------------------------------------------------------------------------------------
// IP_HDRINCL, raw(7): the header is the user's; length, checksum, and where they are 0 source and
// identification are ours to fill in. Takes p.
static int send_whole(struct ns_sock *s, struct pkt *p, const struct path *path) {
    struct netstack *ns = s->ns;
    const uint8_t *first = pkt_peek(p, IP4_LEN);
    uint32_t hlen = first ? (first[0] & 15) * 4u : 0;
    uint8_t *h = hlen >= IP4_LEN ? pkt_peek(p, hlen) : NULL;
    if (!h || p->len > path->mtu) {
        pkt_free(p);
        return h ? -LINUX_EMSGSIZE : -LINUX_EINVAL;
    }
    put16(h + IP4_TOTAL, (uint16_t)p->len);
    if (get32(h + IP4_SRC) == 0)
        memcpy(h + IP4_SRC, ip_v4(&path->src), 4);
    if (get16(h + IP4_ID) == 0)
        put16(h + IP4_ID, ns->ip_id++);
    memset(h + IP4_CSUM, 0, 2);
    uint16_t sum = csum(h, hlen);
    memcpy(h + IP4_CSUM, &sum, 2);
    p->src = ip_from4(h + IP4_SRC);
    p->dst = ip_from4(h + IP4_DST);
    p->proto = h[IP4_PROTO];
    p->l3 = p->off;
    p->l4 = (uint16_t)(p->off + hlen);
    if (nf_on_out(ns, true) && !nf_local_whole(p, hlen, path->nif))
        return -LINUX_EPERM;
    count(ns, ip_out);
    return neigh_send(path->nif, &path->next, p);
}

// An echo request, with the socket's identifier.
static int make_request(struct raw *r, struct pkt *p) {
    uint8_t *h = pkt_peek(p, ICMP_LEN);
    if (!h || h[ICMP_TYPE] != echo_of(r) || h[ICMP_CODE] != 0)
        return -LINUX_EINVAL;
    put16(h + ICMP_ID, r->s.local.port);
    if (r->proto == PROTO_ICMP) {
        memset(h + ICMP_CSUM, 0, 2);
        uint16_t sum = csum_finish(pkt_csum(p, 0, 0));
        memcpy(h + ICMP_CSUM, &sum, 2);
    }
    return 0;
}

// The checksum that IPV6_CHECKSUM asks for; of ICMPv6 it is always ours (RFC 3542 3.1).
static int sum_at(struct ns_sock *s, struct pkt *p, const struct ip_header *h) {
    int at = raw_of(s)->proto == PROTO_ICMP6 ? ICMP_CSUM : s->opt[NS_OPT_CHECKSUM_AT];
    if (s->family != NS_INET6 || at < 0)
        return 0;
    if ((uint32_t)at + 2 > p->len)
        return raw_of(s)->proto == PROTO_ICMP6 ? 0 : -LINUX_EINVAL;
    pkt_put(p, (uint32_t)at, (uint8_t[2]){0}, 2);
    if (pkt_peek(p, (uint32_t)at + 2)) {
        ip_start_csum(p, h, (uint16_t)at);
        return 0;
    }
    // Too far behind for a link to make it.
    uint16_t sum = csum_finish(pkt_csum(p, 0, ip_pseudo(&h->src, &h->dst, h->proto, p->len)));
    pkt_put(p, (uint32_t)at, &sum, sizeof sum);
    return 0;
}

// ---- The operations ---------------------------------------------------------------------------------------
static int send_to(struct ns_sock *s, struct ns_io *io, const struct ns_addr *to, const struct ns_extra *x) {
    struct netstack *ns = s->ns;
    struct raw *r = raw_of(s);
    const struct ns_ip *dst = &to->ip;
    struct path path;
    int err = sock_path_as(s, to, x, &path);
    if (err)
        return err;
    if (netif_is_broadcast(path.nif, dst) && !s->opt[NS_OPT_BROADCAST])
        return -LINUX_EACCES;
    struct pkt *p = pkt_alloc(ns);
    err = p ? pkt_fill(p, io) : -LINUX_ENOBUFS;
    if (err) {
        pkt_free(p);
        return err;
    }
    if (s->opt[NS_OPT_HDRINCL])
        return send_whole(s, p, &path);
    struct ip_header h = sock_ip_header(s, &path, dst, r->proto, x);
    err = r->ping ? make_request(r, p) : 0;
    if (err == 0)
        err = sum_at(s, p, &h);
    if (err) {
        pkt_free(p);
        return err;
    }
    return ip_output(ns, p, &path, &h);
}

static bool identifier_taken(struct ns_sock *s, uint16_t id) {
    struct raw *other;
    list_for_each(other, &s->ns->raws, link)
        if (other->ping && &other->s != s && other->s.local.port == id && other->s.family == s->family)
            return true;
    return false;
}

// Of a ping socket that has none yet: that one, which others may have too, or for 0 a free one.
static int choose_identifier(struct ns_sock *s, uint16_t id) {
    uint16_t first = (uint16_t)stack_random(s->ns), tries = 0;
    if (s->local.port)
        return 0;
    while (!id) {
        if (tries == UINT16_MAX)
            return -LINUX_EAGAIN;
        id = (uint16_t)(first + tries++);
        id = identifier_taken(s, id) ? 0 : id;
    }
    s->local.port = id;
    return 0;
}

static int ping_bind(struct ns_sock *s, const struct ns_addr *addr) {
    if (s->local.port)
        return -LINUX_EINVAL;
    if ((s->family == NS_INET) != ns_ip_is4(&addr->ip))
        return -LINUX_EAFNOSUPPORT;
    if (!ip_is_any(&addr->ip) && !netif_is_local(s->ns, &addr->ip))
        return -LINUX_EADDRNOTAVAIL;
    int err = choose_identifier(s, addr->port);
    if (err == 0)
        s->local.ip = addr->ip;
    return err;
}

static int64_t raw_send(struct ns_sock *s, struct ns_io *io, unsigned flags, const struct ns_addr *to,
                        const struct ns_extra *x) {
    int64_t n = (int64_t)io->left;
    int err;
    if (s->error)
        return sock_take_error(s);
    if (raw_of(s)->shut_wr)
        return -LINUX_EPIPE;
    if (raw_of(s)->ping && (err = choose_identifier(s, 0)) < 0)
        return err;
    if (!to && !s->connected)
        return -LINUX_EDESTADDRREQ;
    if (!to)
        to = &s->remote;
    if ((s->family == NS_INET) != ns_ip_is4(&to->ip))
        return -LINUX_EAFNOSUPPORT;
    if (n > (s->opt[NS_OPT_HDRINCL] ? 65535 : RAW_MAX))
        return -LINUX_EMSGSIZE;
    err = send_to(s, io, to, x);
    return err < 0 ? err : n;
}

static int64_t raw_recv(struct ns_sock *s, struct ns_io *io, unsigned flags, struct ns_addr *from,
                        struct ns_extra *x) {
    struct raw *r = raw_of(s);
    if (s->error)
        return sock_take_error(s);
    return r->shut_rd && pktq_empty(&r->queue) ? 0 : sock_read(s, &r->queue, io, flags, from, x);
}

static int raw_connect(struct ns_sock *s, const struct ns_addr *addr) {
    struct path path;
    if ((s->family == NS_INET) != ns_ip_is4(&addr->ip))
        return -LINUX_EAFNOSUPPORT;
    int err = sock_path(s, addr, &path);
    if (err)
        return err;
    if (raw_of(s)->ping && (err = choose_identifier(s, 0)) < 0)
        return err;
    sock_set_peer(s, addr, &path);
    return 0;
}

static void raw_disconnect(struct ns_sock *s) { s->connected = false; }

static int raw_shutdown(struct ns_sock *s, bool rd, bool wr) {
    if (!s->connected)
        return -LINUX_ENOTCONN;
    raw_of(s)->shut_rd |= rd;
    raw_of(s)->shut_wr |= wr;
    sock_wake(s, NS_IN | NS_OUT);
    return 0;
}

static uint32_t raw_ready(struct ns_sock *s) {
    const struct raw *r = raw_of(s);
    return NS_OUT | (!pktq_empty(&r->queue) || r->shut_rd ? NS_IN : 0);
}

static void raw_queued(const struct ns_sock *s, size_t *in, size_t *out) {
    *in = pktq_next_len(&container_of(s, struct raw, s)->queue);
}

static void raw_describe(const struct ns_sock *s, struct ns_sock_info *info) {
    info->raw = !container_of(s, struct raw, s)->ping;
    info->proto = container_of(s, struct raw, s)->proto;
}

static void raw_drop(struct ns_sock *s) {
    list_del(&raw_of(s)->link);
    pktq_clear(&raw_of(s)->queue);
}

static const struct sock_ops raw_ops = {
    .size = sizeof(struct raw),
    .proto = 0,
    .init = raw_init,
    .connect = raw_connect,
    .disconnect = raw_disconnect,
    .shutdown = raw_shutdown,
    .send = raw_send,
    .recv = raw_recv,
    .ready = raw_ready,
    .queued = raw_queued,
    .describe = raw_describe,
    .close = sock_kill,
    .drop = raw_drop,
};

static const struct sock_ops ping_ops = {
    .size = sizeof(struct raw),
    .proto = 0,
    .init = raw_init,
    .bind = ping_bind,
    .connect = raw_connect,
    .disconnect = raw_disconnect,
    .shutdown = raw_shutdown,
    .send = raw_send,
    .recv = raw_recv,
    .ready = raw_ready,
    .queued = raw_queued,
    .describe = raw_describe,
    .close = sock_kill,
    .drop = raw_drop,
};

int ns_ping_socket(struct netstack *ns, enum ns_family family, struct ns_sock **out) {
    if (family != NS_INET && family != NS_INET6)
        return -LINUX_EAFNOSUPPORT;
    IN_STACK(ns);
    struct ns_sock *s = sock_new(ns, &ping_ops, family);
    if (!s)
        return -LINUX_ENOBUFS;
    raw_of(s)->proto = family == NS_INET ? PROTO_ICMP : PROTO_ICMP6;
    raw_of(s)->ping = true;
    list_add_tail(&ns->raws, &raw_of(s)->link);
    *out = s;
    return 0;
}

int ns_raw_socket(struct netstack *ns, enum ns_family family, uint8_t proto, struct ns_sock **out) {
    if (family != NS_INET && family != NS_INET6)
        return -LINUX_EAFNOSUPPORT;
    IN_STACK(ns);
    struct ns_sock *s = sock_new(ns, &raw_ops, family);
    if (!s)
        return -LINUX_ENOBUFS;
    raw_of(s)->proto = proto;
    list_add_tail(&ns->raws, &raw_of(s)->link);
    *out = s;
    return 0;
}

void ns_block_types(struct ns_sock *s, const uint32_t blocked[8]) {
    IN_STACK(s->ns);
    if (s->ops == &raw_ops)
        memcpy(raw_of(s)->blocked, blocked, sizeof raw_of(s)->blocked);
}
