// SPDX-License-Identifier: Apache-2.0
// See raw.h. Called by ip_deliver() for what comes in, by way of struct stack_upper; sends through
// ip_output(). What ping(8) and traceroute need. Lock: the stack's.
// LIMIT: no IP_HDRINCL (so IPPROTO_RAW sends nothing), no filters by ICMP type, no copy of fragments.
#include "netstack/sock/raw.h"
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/link/netif.h"
#include "netstack/sock/sock.h"

#define RAW_MAX 65515  // an IPv4 packet but for its header

struct raw {
    struct ns_sock s;
    struct list link;  // ns->raws
    struct pktq queue;
    uint8_t proto;
    bool shut_rd, shut_wr;
};

static struct raw *raw_of(struct ns_sock *s) { return container_of(s, struct raw, s); }

static void raw_init(struct ns_sock *s) {
    struct raw *r = raw_of(s);
    pktq_init(&r->queue);
    list_init(&r->link);
}

// ---- In ---------------------------------------------------------------------------------------------------
static bool wants(const struct raw *r, const struct pkt *p) {
    const struct ns_sock *s = &r->s;
    if (r->proto != p->proto || r->shut_rd || (s->family == NS_INET) != ns_ip_is4(&p->dst))
        return false;
    if (ip_is_multicast(&p->dst) && !sock_hears(s, &p->dst, p->nif))
        return false;
    if (!ip_is_any(&s->local.ip) && !ip_eq(&s->local.ip, &p->dst))
        return false;
    return !s->connected || ip_eq(&s->remote.ip, &p->src);
}

static void raw_enqueue(struct raw *r, const struct pkt *p) {
    struct pkt *copy = pktq_has_room(&r->queue, p, r->s.opt[NS_OPT_RCVBUF]) ? pkt_clone(p) : NULL;
    if (!copy) {
        count(p->ns, raw_drop_full);
        return;
    }
    if (r->s.family == NS_INET)  // raw(7): with the header, which is still in front
        pkt_push(copy, (uint32_t)(copy->off - copy->l3));
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

// ---- The operations ---------------------------------------------------------------------------------------
static int send_to(struct ns_sock *s, struct ns_io *io, const struct ns_addr *to) {
    struct netstack *ns = s->ns;
    struct raw *r = raw_of(s);
    const struct ns_ip *dst = &to->ip;
    struct path path;
    int err = sock_path(s, to, &path);
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
    struct ip_header h = sock_ip_header(s, &path, dst, r->proto);
    // RFC 3542 3.1: the checksum of ICMPv6 is always the kernel's.
    if (r->proto == PROTO_ICMP6 && s->family == NS_INET6 && pkt_peek(p, 4)) {
        memset(pkt_head(p) + ICMP_CSUM, 0, 2);
        ip_start_csum(p, &h, ICMP_CSUM);
    }
    return ip_output(ns, p, &path, &h);
}

static int64_t raw_send(struct ns_sock *s, struct ns_io *io, unsigned flags, const struct ns_addr *to) {
    int64_t n = (int64_t)io->left;
    if (raw_of(s)->shut_wr)
        return -LINUX_EPIPE;
    if (!to && !s->connected)
        return -LINUX_EDESTADDRREQ;
    if (!to)
        to = &s->remote;
    if ((s->family == NS_INET) != ns_ip_is4(&to->ip))
        return -LINUX_EAFNOSUPPORT;
    if (n > RAW_MAX)
        return -LINUX_EMSGSIZE;
    int err = send_to(s, io, to);
    return err < 0 ? err : n;
}

static int64_t raw_recv(struct ns_sock *s, struct ns_io *io, unsigned flags, struct ns_addr *from) {
    struct raw *r = raw_of(s);
    return r->shut_rd && pktq_empty(&r->queue) ? 0 : pktq_read(&r->queue, io, flags, from);
}

static int raw_connect(struct ns_sock *s, const struct ns_addr *addr) {
    struct path path;
    if ((s->family == NS_INET) != ns_ip_is4(&addr->ip))
        return -LINUX_EAFNOSUPPORT;
    int err = sock_path(s, addr, &path);
    if (err)
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
    .close = sock_kill,
    .drop = raw_drop,
};

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
