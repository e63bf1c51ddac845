// SPDX-License-Identifier: Apache-2.0
// Packet sockets, packet(7), over those of the stack: frames of a link, with their link header (SOCK_RAW) or
// without. Their readers are tcpdump and its like; what such a reader maps (PACKET_RX_RING) is in
// packet_ring.c.
//
// Locks: `lock` (RANK_OBJECT) for the ring and for who moves frames into it; the stack's inside.
// LIMIT: PACKET_FANOUT, PACKET_TX_RING and TPACKET_V3 are refused; every frame is seen as in promiscuous
// mode, so memberships are kept and have no effect; SOCK_PACKET is EAFNOSUPPORT.
#include "sentry/socket/packet.h"
#include "abi/caps.h"
#include "abi/inet.h"
#include "abi/poll.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/cred.h"
#include "sentry/socket/bpf.h"
#include <stdlib.h>
#include <string.h>

static const struct socket_ops packet_ops;

static struct packet_sock *psock(struct socket *s) { return container_of(s, struct packet_sock, s); }
static uint16_t swap(uint16_t v) { return (uint16_t)(v << 8 | v >> 8); }

static void ready(void *arg, uint32_t mask) {
    struct packet_sock *p = arg;
    waitq_wake(&p->wait,
               (mask & NS_IN ? LINUX_POLLIN | LINUX_POLLRDNORM : 0) | (mask & NS_ERR ? LINUX_POLLERR : 0));
}

int packet_socket(struct task *t, int type, int protocol, struct socket **out) {
    if (type != LINUX_SOCK_RAW && type != LINUX_SOCK_DGRAM)
        return net_ns_capable(t, task_net(t), LINUX_CAP_NET_RAW) ? -LINUX_ESOCKTNOSUPPORT : -LINUX_EPERM;
    if (!net_ns_capable(t, task_net(t), LINUX_CAP_NET_RAW))
        return -LINUX_EPERM;
    struct packet_sock *p = znew(struct packet_sock);
    if (!p)
        return -LINUX_ENOMEM;
    struct net_ns *net = task_net(t);
    int err = ns_packet_socket(net->inet.stack, type == LINUX_SOCK_RAW, swap((uint16_t)protocol), &p->ns);
    if (err < 0) {
        free(p);
        return err;
    }
    socket_init(&p->s, &packet_ops, net, LINUX_AF_PACKET, type, protocol);
    lock_init(&p->lock, RANK_OBJECT);
    waitq_init(&p->wait);
    p->protocol = swap((uint16_t)protocol);
    ns_on_ready(p->ns, ready, p);
    *out = &p->s;
    return 0;
}

static int packet_filter(struct socket *s, struct bpf_program *p) {
    const struct ns_filter *before = ns_set_filter(psock(s)->ns, p ? &p->filter : NULL);
    if (before)
        free(container_of(before, struct bpf_program, filter));
    return !p && !before ? -LINUX_ENOENT : 0;
}

static void packet_close(struct socket *s) {
    struct packet_sock *p = psock(s);
    packet_filter(s, NULL);
    ns_close(p->ns);
    packet_ring_free(p);
    waitq_destroy(&p->wait);
    lock_destroy(&p->lock);
    socket_done(&p->s);
    free(p);
}

// ---- Names ------------------------------------------------------------------------------------------------
static int packet_bind(struct socket *s, struct task *t, const struct sock_addr *a) {
    struct packet_sock *p = psock(s);
    struct net_link l;
    if (a->len < sizeof a->ll || a->family != LINUX_AF_PACKET)
        return -LINUX_EINVAL;
    if (a->ll.sll_ifindex && !net_link_by_index(&s->net->inet.links.source, a->ll.sll_ifindex, &l))
        return -LINUX_ENODEV;
    const struct ns_addr at = {.port = swap(a->ll.sll_protocol), .scope = (uint32_t)a->ll.sll_ifindex};
    int err = ns_bind(p->ns, &at);
    if (err == 0) {
        LOCKED(&p->lock);
        p->ifindex = a->ll.sll_ifindex;
        p->protocol = at.port ? at.port : p->protocol;
    }
    return err;
}

static void link_address(const struct socket *s, int32_t index, struct linux_sockaddr_ll *ll) {
    struct net_link l;
    ll->sll_family = LINUX_AF_PACKET;
    ll->sll_ifindex = index;
    if (!net_link_by_index(&s->net->inet.links.source, index, &l))
        return;
    ll->sll_hatype = l.type;
    ll->sll_halen = l.hw_len;
    memcpy(ll->sll_addr, l.hw, sizeof ll->sll_addr < l.hw_len ? sizeof ll->sll_addr : l.hw_len);
}

static int packet_name(struct socket *s, enum sock_name peer, struct sock_addr *out) {
    struct packet_sock *p = psock(s);
    if (peer)
        return -LINUX_EOPNOTSUPP;
    *out = (struct sock_addr){.len = sizeof out->ll};
    LOCKED(&p->lock);
    link_address(s, p->ifindex, &out->ll);
    out->ll.sll_protocol = swap(p->protocol);
    return 0;
}

void packet_from(const struct packet_sock *p, const struct ns_addr *from, struct linux_sockaddr_ll *ll) {
    *ll = (struct linux_sockaddr_ll){0};
    link_address(&p->s, (int32_t)from->scope, ll);
    ll->sll_protocol = swap(from->port);
    ll->sll_pkttype = from->ip.b[NS_PACKET_KIND_AT];
    memcpy(ll->sll_addr, from->ip.b, 6);
}

// ---- Messages ---------------------------------------------------------------------------------------------
static int64_t packet_send(struct socket *s, struct sock_msg *m) {
    struct packet_sock *p = psock(s);
    struct ns_mem_io io;
    struct ns_addr to = {.port = 0};
    char *buf = uio_bounce();
    size_t n = m->u->left;
    if (!buf)
        return -LINUX_ENOBUFS;
    if (m->addr && (m->addr->len < sizeof m->addr->ll || m->addr->family != LINUX_AF_PACKET))
        return -LINUX_EINVAL;
    if (n >= UIO_BOUNCE)
        return -LINUX_EMSGSIZE;
    if (uio_from(m->u, buf, n) != (int64_t)n)
        return -LINUX_EFAULT;
    if (m->addr) {
        to.scope = (uint32_t)m->addr->ll.sll_ifindex;
        to.port = swap(m->addr->ll.sll_protocol);
        memcpy(to.ip.b, m->addr->ll.sll_addr, 6);
    }
    return ns_send(p->ns, ns_io_from(&io, buf, n), 0, m->addr ? &to : NULL);
}

static int64_t packet_recv(struct socket *s, struct sock_msg *m) {
    struct packet_sock *p = psock(s);
    struct ns_mem_io io;
    struct ns_addr from;
    char *buf = uio_bounce();
    if (!buf)
        return -LINUX_ENOBUFS;
    if (m->flags & LINUX_MSG_ERRQUEUE)
        return -LINUX_EAGAIN;
    if (m->flags & LINUX_MSG_OOB)
        return -LINUX_EINVAL;
    size_t room = m->u->left < UIO_BOUNCE ? m->u->left : UIO_BOUNCE;
    unsigned peek = m->flags & LINUX_MSG_PEEK ? NS_MSG_PEEK : 0;
    int64_t whole = ns_recv(p->ns, ns_io_to(&io, buf, room), peek | NS_MSG_TRUNC, &from);
    if (whole < 0)
        return whole;
    int64_t n = whole < (int64_t)room ? whole : (int64_t)room;
    m->out_flags |= n < whole ? LINUX_MSG_TRUNC : 0;
    if (n && uio_to(m->u, buf, (size_t)n) < n)
        return -LINUX_EFAULT;
    if (m->addr) {
        *m->addr = (struct sock_addr){.len = sizeof m->addr->ll};
        packet_from(p, &from, &m->addr->ll);
    }
    m->has_extra = true;
    m->extra.local.port = (uint16_t)(whole < UINT16_MAX ? whole : UINT16_MAX);  // for packet_tell()
    m->extra.tos = (int)n;
    return m->flags & LINUX_MSG_TRUNC ? whole : n;
}

static int packet_tell(struct socket *s, const struct sock_msg *m, struct sock_cmsg_sink *o) {
    if (!m->has_extra || !atomic_load(&psock(s)->auxdata))
        return 0;
    const struct linux_tpacket_auxdata aux = {
        .tp_status = LINUX_TP_STATUS_USER | LINUX_TP_STATUS_CSUM_VALID,
        .tp_len = m->extra.local.port,
        .tp_snaplen = (uint32_t)m->extra.tos,
        .tp_net = s->type == LINUX_SOCK_RAW ? PACKET_LINK_HEADER : 0,
    };
    return o->put(o, LINUX_SOL_PACKET, LINUX_PACKET_AUXDATA, &aux, sizeof aux);
}

static uint32_t packet_poll(struct socket *s, struct waiter *w) {
    struct packet_sock *p = psock(s);
    if (w)
        waitq_add(&p->wait, w);
    uint32_t events = LINUX_POLLOUT | LINUX_POLLWRNORM | LINUX_POLLWRBAND;
    LOCKED(&p->lock);
    bool ring = packet_ring_fill(p);  // what a reader of the ring has not seen yet
    uint32_t mask = ns_ready(p->ns);
    if (ring || (!p->ring.file && mask & NS_IN))
        events |= LINUX_POLLIN | LINUX_POLLRDNORM;
    return events | (mask & NS_ERR ? LINUX_POLLERR : 0);
}

// ---- Options ----------------------------------------------------------------------------------------------
static int packet_setopt(struct socket *s, struct task *t, int level, int name, const void *buf,
                         uint32_t len) {
    struct packet_sock *p = psock(s);
    int32_t v = 0;
    if (level != LINUX_SOL_PACKET)
        return -LINUX_ENOPROTOOPT;
    if (name == LINUX_PACKET_RX_RING)
        return packet_ring_set(p, t, buf, len);
    if (name == LINUX_PACKET_ADD_MEMBERSHIP || name == LINUX_PACKET_DROP_MEMBERSHIP)
        return packet_member(p, name == LINUX_PACKET_ADD_MEMBERSHIP, buf, len);
    if (len < sizeof v)
        return -LINUX_EINVAL;
    memcpy(&v, buf, sizeof v);
    switch (name) {
    case LINUX_PACKET_AUXDATA:
        atomic_store(&p->auxdata, v != 0);
        return 0;
    case LINUX_PACKET_VERSION:
    case LINUX_PACKET_RESERVE:
    case LINUX_PACKET_TIMESTAMP:
        return packet_ring_option(p, name, v);
    default:
        return -LINUX_ENOPROTOOPT;
    }
}

// PACKET_STATISTICS, since they were asked for last.
static int statistics(struct packet_sock *p, void *buf, uint32_t *len) {
    uint32_t seen, dropped;
    ns_packet_counts(p->ns, &seen, &dropped);
    const uint32_t stats[2] = {seen, dropped};
    *len = *len < sizeof stats ? *len : sizeof stats;
    memcpy(buf, stats, *len);
    return 0;
}

static int packet_getopt(struct socket *s, int level, int name, void *buf, uint32_t *len) {
    struct packet_sock *p = psock(s);
    int32_t v = 0;
    if (level != LINUX_SOL_PACKET)
        return -LINUX_ENOPROTOOPT;
    if (name == LINUX_PACKET_STATISTICS)
        return statistics(p, buf, len);
    LOCKED(&p->lock);
    switch (name) {
    case LINUX_PACKET_AUXDATA:
        v = atomic_load(&p->auxdata);
        break;
    case LINUX_PACKET_VERSION:
        v = p->version;
        break;
    case LINUX_PACKET_RESERVE:
        v = (int32_t)p->reserve;
        break;
    case LINUX_PACKET_HDRLEN: {
        uint32_t given = *len < sizeof v ? *len : sizeof v;
        if (given < sizeof v)
            return -LINUX_EINVAL;
        memcpy(&v, buf, sizeof v);
        if (v != LINUX_TPACKET_V2)
            return -LINUX_EINVAL;
        v = sizeof(struct linux_tpacket2_hdr);
        break;
    }
    default:
        return -LINUX_ENOPROTOOPT;
    }
    *len = *len < sizeof v ? *len : sizeof v;
    memcpy(buf, &v, *len);
    return 0;
}

// ---- The rest ---------------------------------------------------------------------------------------------
static int packet_connect(struct socket *s, struct task *t, const struct sock_addr *a, struct waitq **wait) {
    return -LINUX_EOPNOTSUPP;
}
static int packet_listen(struct socket *s, struct task *t, int backlog) { return -LINUX_EOPNOTSUPP; }
static int packet_accept(struct socket *s, struct socket **out) { return -LINUX_EOPNOTSUPP; }
static int packet_shutdown(struct socket *s, int how) { return -LINUX_EOPNOTSUPP; }
static bool packet_listening(struct socket *s) { return false; }
static int packet_get_error(struct socket *s) { return ns_take_error(psock(s)->ns); }
static int packet_peer_cred(struct socket *s, struct linux_ucred *out) {
    *out = (struct linux_ucred){0, ~0u, ~0u};
    return 0;
}
static uint64_t packet_queued(struct socket *s, bool out) {
    size_t in, unsent;
    ns_queued(psock(s)->ns, &in, &unsent);
    return out ? 0 : in;
}
static int packet_mmap(struct socket *s, int prot, bool shared) {
    struct packet_sock *p = psock(s);
    LOCKED(&p->lock);
    p->ring.mapped = p->ring.file != NULL;
    return packet_ring_fd(p);
}

static const struct socket_ops packet_ops = {
    .bind = packet_bind,
    .connect = packet_connect,
    .listen = packet_listen,
    .accept = packet_accept,
    .name = packet_name,
    .send = packet_send,
    .recv = packet_recv,
    .tell = packet_tell,
    .shutdown = packet_shutdown,
    .poll = packet_poll,
    .queued = packet_queued,
    .get_error = packet_get_error,
    .listening = packet_listening,
    .peer_cred = packet_peer_cred,
    .getopt = packet_getopt,
    .setopt = packet_setopt,
    .filter = packet_filter,
    .mmap_fd = packet_mmap,
    .close = packet_close,
};
