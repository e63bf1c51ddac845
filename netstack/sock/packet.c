// SPDX-License-Identifier: Apache-2.0
// See packet.h. Called by link/netif.c for each frame that comes in or goes out, while there is a packet
// socket.
// Lock: the stack's. Frames are seen as they are here: joined (gro.h) or not yet cut, their checksums perhaps
// left to the link.
// On the loopback, which has none, a link header of zeros is made up. LIMIT: no fanout; every frame that the
// link delivers is seen, as in promiscuous mode.
#include "netstack/sock/packet.h"
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/link/netif.h"
#include "netstack/prot/eth.h"
#include "netstack/prot/wire.h"
#include "netstack/sock/sock.h"

struct packet {
    struct ns_sock s;
    struct list link;  // ns->packets
    struct pktq queue;
    struct netif *nif;  // NULL: all
    uint16_t type;      // 0: nothing
    bool header;        // frames have their link header, both ways
    uint32_t seen, dropped;  // since ns_packet_counts()
    bool sending;       // what goes out now is its own, which it does not see
};

static struct packet *packet_of(struct ns_sock *s) { return container_of(s, struct packet, s); }

static void packet_init(struct ns_sock *s) {
    struct packet *k = packet_of(s);
    list_init(&k->link);
    pktq_init(&k->queue);
}

// ---- In ---------------------------------------------------------------------------------------------------
// What a frame is, as ns_addr has it: the sender's link address, the protocol, and how it came.
struct frame_info {
    struct ns_ip from;
    uint16_t type;
};

static enum ns_packet_kind kind_of(const struct netif *nif, const uint8_t *dst) {
    static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    if (memcmp(dst, all, 6) == 0)
        return NS_PACKET_BROADCAST;
    if (dst[0] & 1)
        return NS_PACKET_MULTICAST;
    return memcmp(dst, nif->config.mac, 6) == 0 ? NS_PACKET_HOST : NS_PACKET_OTHERHOST;
}

static bool look_at_frame(const struct netif *nif, struct pkt *p, bool outgoing, struct frame_info *f) {
    bool ether = nif->config.kind == NETIF_ETHER;
    const uint8_t *h = pkt_peek(p, ether ? ETH_LEN : 1);
    enum ns_packet_kind kind = NS_PACKET_HOST;
    *f = (struct frame_info){0};
    if (!h)
        return false;
    if (ether) {
        memcpy(f->from.b, h + ETH_SRC, 6);
        kind = kind_of(nif, h + ETH_DST);
        f->type = get16(h + ETH_TYPE);
    } else {
        f->type = *h >> 4 == 6 ? ETH_TYPE_IP6 : ETH_TYPE_IP4;
    }
    f->from.b[NS_PACKET_KIND_AT] = (uint8_t)(outgoing ? NS_PACKET_OUTGOING : kind);
    return true;
}

static bool wants(const struct packet *k, const struct netif *nif, const struct frame_info *f,
                  bool outgoing) {
    if (k->sending || (k->nif && k->nif != nif))
        return false;
    // packet(7): what goes out is for those who want every protocol.
    return k->type == NS_PACKET_ALL || (!outgoing && k->type != 0 && k->type == f->type);
}

static void packet_enqueue(struct packet *k, const struct netif *nif, const struct pkt *p,
                           const struct frame_info *f) {
    struct pkt *copy = pktq_has_room(&k->queue, p, k->s.opt[NS_OPT_RCVBUF]) ? pkt_clone(p) : NULL;
    k->seen++;
    if (!copy) {
        count(p->ns, packet_drop_full);
        k->dropped++;
        return;
    }
    if (k->header && netif_is_loopback(nif)) {
        uint8_t *h = pkt_push(copy, ETH_LEN);
        memset(h, 0, ETH_TYPE);
        put16(h + ETH_TYPE, f->type);
    }
    if (!k->header && nif->config.kind == NETIF_ETHER)
        pkt_skip(copy, ETH_LEN);
    if (!sock_filtered(&k->s, copy, 0)) {
        k->seen--;
        pkt_free(copy);
        return;
    }
    copy->src = f->from;
    copy->came_by = nif->index;
    copy->mark = (uint32_t)nif->index << 16 | f->type;
    pktq_add(&k->queue, copy);
    sock_wake(&k->s, NS_IN);
}

void packet_tap(struct netif *nif, struct pkt *p, bool outgoing) {
    struct frame_info f;
    struct packet *k;
    if (!look_at_frame(nif, p, outgoing, &f))
        return;
    list_for_each(k, &nif->ns->packets, link) {
        if (wants(k, nif, &f, outgoing))
            packet_enqueue(k, nif, p, &f);
    }
}

void packet_flush(struct netif *nif) {
    struct packet *k;
    list_for_each(k, &nif->ns->packets, link) {
        if (k->nif != nif)
            continue;
        k->type = 0;  // until it is bound again
        k->nif = NULL;
        sock_error(&k->s, LINUX_ENETDOWN);
    }
}

// ---- The operations ---------------------------------------------------------------------------------------
// scope: the interface, 0 for all; port: the protocol, 0 for what it was.
static int packet_bind(struct ns_sock *s, const struct ns_addr *addr) {
    struct packet *k = packet_of(s);
    struct netif *nif = addr->scope ? netif_by_index(s->ns, addr->scope) : NULL;
    if (addr->scope && !nif)
        return -LINUX_ENODEV;
    k->nif = nif;
    k->type = addr->port ? addr->port : k->type;
    s->local = *addr;
    return 0;
}

static int64_t packet_send(struct ns_sock *s, struct ns_io *io, unsigned flags, const struct ns_addr *to,
                           const struct ns_extra *x) {
    struct packet *k = packet_of(s);
    struct netif *nif = to && to->scope ? netif_by_index(s->ns, to->scope) : k->nif;
    int64_t n = (int64_t)io->left;
    if (!nif)
        return -LINUX_ENXIO;
    if (nif->down)
        return -LINUX_ENETDOWN;
    bool lo = netif_is_loopback(nif), ether = lo || nif->config.kind == NETIF_ETHER;
    if (!k->header && !to)
        return -LINUX_EDESTADDRREQ;
    if (k->header && ether && n < ETH_LEN)
        return -LINUX_EINVAL;
    if (n == 0 || n > nif->config.mtu + (k->header && ether ? ETH_LEN : 0))
        return n ? -LINUX_EMSGSIZE : -LINUX_EINVAL;
    struct pkt *p = pkt_alloc(s->ns);
    int err = p ? pkt_fill(p, io) : -LINUX_ENOBUFS;
    if (err) {
        pkt_free(p);
        return err;
    }
    k->sending = true;
    if (lo && k->header)
        pkt_skip(p, ETH_LEN);
    if (lo)
        err = netif_loop_back(nif, p);
    else
        err = k->header ? netif_output_frame(nif, p) : netif_output(nif, p, to->ip.b, to->port);
    k->sending = false;
    return err < 0 ? err : n;
}

static int64_t packet_recv(struct ns_sock *s, struct ns_io *io, unsigned flags, struct ns_addr *from,
                           struct ns_extra *x) {
    struct packet *k = packet_of(s);
    if (s->error)
        return sock_take_error(s);
    return sock_read(s, &k->queue, io, flags, from, x);
}

static int packet_connect(struct ns_sock *s, const struct ns_addr *addr) { return -LINUX_EOPNOTSUPP; }
static int packet_shutdown(struct ns_sock *s, bool rd, bool wr) { return -LINUX_EOPNOTSUPP; }
static uint32_t packet_ready(struct ns_sock *s) {
    return NS_OUT | (pktq_empty(&packet_of(s)->queue) ? 0 : NS_IN);
}

static void packet_describe(const struct ns_sock *s, struct ns_sock_info *info) {
    const struct packet *k = container_of(s, struct packet, s);
    info->local.port = k->type;
    info->local.scope = k->nif ? k->nif->index : 0;
}

static void packet_queued(const struct ns_sock *s, size_t *in, size_t *out) {
    *in = pktq_next_len(&container_of(s, struct packet, s)->queue);
}

static void packet_drop(struct ns_sock *s) {
    list_del(&packet_of(s)->link);
    pktq_clear(&packet_of(s)->queue);
}

static const struct sock_ops packet_ops = {
    .size = sizeof(struct packet),
    .proto = 0,
    .init = packet_init,
    .bind = packet_bind,
    .connect = packet_connect,
    .shutdown = packet_shutdown,
    .send = packet_send,
    .recv = packet_recv,
    .ready = packet_ready,
    .queued = packet_queued,
    .describe = packet_describe,
    .close = sock_kill,
    .drop = packet_drop,
};

void ns_packet_counts(struct ns_sock *s, uint32_t *seen, uint32_t *dropped) {
    IN_STACK(s->ns);
    struct packet *k = packet_of(s);
    *seen = k->seen;
    *dropped = k->dropped;
    k->seen = k->dropped = 0;
}

int ns_packet_socket(struct netstack *ns, bool header, uint16_t type, struct ns_sock **out) {
    IN_STACK(ns);
    struct ns_sock *s = sock_new(ns, &packet_ops, NS_PACKET);
    if (!s)
        return -LINUX_ENOBUFS;
    packet_of(s)->header = header;
    packet_of(s)->type = type;
    list_add_tail(&ns->packets, &packet_of(s)->link);
    *out = s;
    return 0;
}
