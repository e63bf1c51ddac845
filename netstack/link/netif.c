// SPDX-License-Identifier: Apache-2.0
// See netif.h: frames between a link and the protocols. Who is asked for a link address is neigh/, where a
// packet goes is ip/route.c; nothing here waits or keeps packets, but for the loopback queue. Lock: the
// stack's.
#include "netstack/link/netif.h"
#include "abi/errno.h"
#include "base/fault.h"
#include "netstack/core/addr.h"
#include "netstack/ip/forward.h"
#include "netstack/ip/frag.h"
#include "netstack/ip/ip.h"
#include "netstack/ip/route.h"
#include "netstack/link/gro.h"
#include "netstack/neigh/neigh.h"
#include "netstack/prot/checksum.h"
#include "netstack/prot/eth.h"
#include <stdio.h>

#define NETIF_ROOM_MAX (1u << 18)

static const uint8_t broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

// ---- Coming and going -------------------------------------------------------------------------------------
int netif_add(struct netstack *ns, const struct netif_config *config, struct netif **out) {
    if (config->mtu < IP4_MIN_MTU || config->mtu > 65536 ||
        (!config->transmit && !(config->flags & NETIF_LOOPBACK)))
        return -LINUX_EINVAL;
    struct netif *nif = znew(struct netif);
    if (!nif)
        return -LINUX_ENOMEM;
    IN_STACK(ns);
    for (nif->index = 1; netif_by_index(ns, nif->index); nif->index++)
        invariant(nif->index < UINT16_MAX);
    nif->ns = ns;
    nif->config = *config;
    nif->hops = 64;
    nif->down = config->flags & NETIF_DOWN;
    snprintf(nif->name, sizeof nif->name, "%s", config->name);
    nif->config.name = nif->name;
    timer_init(&nif->solicit, ndp_solicit_router);
    group_start(nif);
    timer_init(&nif->expiry, slaac_expire);
    list_add_tail(&ns->netifs, &nif->link);
    if (config->flags & NETIF_SLAAC)
        slaac_start(nif);
    *out = nif;
    return 0;
}

void netif_free(struct netif *nif) {
    struct netstack *ns = nif->ns;
    stack_cancel(ns, &nif->solicit);
    stack_cancel(ns, &nif->expiry);
    for (unsigned i = 0; i < NETIF_ROOMS; i++)
        if (nif->rooms[i])
            buf_put(nif->rooms[i]);
    for (unsigned i = 0; i < nif->naddrs; i++)
        stack_cancel(ns, &nif->addrs[i].dad);
    route_flush(ns, nif);
    ns->upper->netif_gone(nif);
    group_flush(nif);
    neigh_flush(ns, nif);
    frag_forget(nif);
    struct pkt *p, *next;
    list_for_each_safe(p, next, &ns->backlog, link) {
        if (p->nif != nif)
            continue;
        list_del(&p->link);
        ns->backlog_len--;
        pkt_free(p);
    }
    list_del(&nif->link);
    free(nif);
}

int netif_set_name(struct netif *nif, const char *name) {
    IN_STACK(nif->ns);
    struct netif *other;
    list_for_each(other, &nif->ns->netifs, link) {
        if (other != nif && !strcmp(other->name, name))
            return -LINUX_EEXIST;
    }
    snprintf(nif->name, sizeof nif->name, "%s", name);
    return 0;
}

int netif_set_mtu(struct netif *nif, uint32_t mtu) {
    if (mtu < IP4_MIN_MTU || mtu > 65536)
        return -LINUX_EINVAL;
    IN_STACK(nif->ns);
    nif->config.mtu = mtu;
    return 0;
}

void netif_set_mac(struct netif *nif, const uint8_t mac[6]) {
    IN_STACK(nif->ns);
    memcpy(nif->config.mac, mac, 6);
}

void netif_remove(struct netif *nif) {
    IN_STACK(nif->ns);
    netif_free(nif);
}

uint32_t netif_index(const struct netif *nif) { return nif->index; }

struct netif *netstack_loopback(struct netstack *ns) {
    return ns->lo;
}

static void tap(struct netif *nif, struct pkt *p, bool outgoing) {
    if (!list_empty(&nif->ns->packets))
        nif->ns->upper->tap(nif, p, outgoing);
}

// ---- In ---------------------------------------------------------------------------------------------------
static void input_ip(struct pkt *p) {
    uint8_t *first = pkt_peek(p, 1);
    if (first && *first >> 4 == 4) {
        ip4_input(p);
    } else if (first && *first >> 4 == 6) {
        ip6_input(p);
    } else {
        count(p->ns, link_drop_type);
        pkt_free(p);
    }
}

// Whether the frame is for this station. A group's bit is enough for the link; the IP layer looks at the
// group itself.
static bool for_us(struct netif *nif, struct pkt *p, const uint8_t *dst) {
    p->broadcast = dst[0] & 1;
    return p->broadcast || memcmp(dst, nif->config.mac, 6) == 0;
}

static void input_ether(struct netif *nif, struct pkt *p) {
    uint8_t *h = pkt_pull(p, ETH_LEN);
    if (!h) {
        count(nif->ns, link_drop_short);
    } else if (!for_us(nif, p, h + ETH_DST) || memcmp(h + ETH_SRC, nif->config.mac, 6) == 0) {
        count(nif->ns, link_drop_foreign);
    } else if (get16(h + ETH_TYPE) == ETH_TYPE_IP4) {
        ip4_input(p);
        return;
    } else if (get16(h + ETH_TYPE) == ETH_TYPE_IP6) {
        ip6_input(p);
        return;
    } else if (get16(h + ETH_TYPE) == ETH_TYPE_ARP) {
        arp_input(p);
        return;
    } else {
        count(nif->ns, link_drop_type);
    }
    pkt_free(p);
}

// Takes p, which is a whole frame; NULL: there was no memory for it.
static int input(struct netif *nif, struct pkt *p, unsigned flags) {
    struct netstack *ns = nif->ns;
    if (!p) {
        count(ns, link_drop_budget);
        nif->in_dropped++;
        return -LINUX_ENOBUFS;
    }
    nif->in_packets++;
    nif->in_bytes += p->len;
    p->nif = nif;
    p->when = ns->now;
    p->csum_good = flags & NS_CSUM_GOOD;
    if (nif->down) {
        count(ns, link_drop_down);
        pkt_free(p);
        return 0;
    }
    tap(nif, p, false);
    if (nif->config.kind == NETIF_ETHER)
        input_ether(nif, p);
    else
        input_ip(p);
    return 0;
}

static bool length_ok(struct netif *nif, size_t len) {
    count(nif->ns, link_in);
    if (len > 0 && len <= 65536 + ETH_LEN)
        return true;
    count(nif->ns, link_drop_short);
    return false;
}

int netif_input(struct netif *nif, const void *frame, size_t len, unsigned flags) {
    IN_STACK(nif->ns);
    return length_ok(nif, len) ? input(nif, pkt_from(nif->ns, frame, len), flags) : -LINUX_EMSGSIZE;
}

void *netif_room(struct netif *nif, unsigned i, size_t size) {
    LOCKED(&nif->ns->lock);
    if (i >= NETIF_ROOMS || size > NETIF_ROOM_MAX)
        return NULL;
    struct buf **room = &nif->rooms[i];
    if (*room && (*room)->cap < size) {
        buf_put(*room);
        *room = NULL;
    }
    if (!*room)
        *room = buf_alloc(nif->ns, (uint32_t)size);
    return *room ? (*room)->data : NULL;
}

// The i-th frame of a batch. The memory itself becomes the packet when it is ours and the frame fills most of
// it: a queue of short frames in long buffers would weigh many times its bytes.
static struct pkt *packet_of(struct netif *nif, const struct ns_rx *rx, unsigned i) {
    const uint8_t *frame = rx->frame;
    struct buf *b = i < NETIF_ROOMS ? nif->rooms[i] : NULL;
    bool ours = b && frame >= b->data && frame < b->data + b->cap;
    if (!ours || rx->len < b->cap / 2)
        return pkt_from(nif->ns, frame, rx->len);
    uint32_t skip = (uint32_t)(frame - b->data);
    invariant(rx->len <= b->cap - skip);
    struct pkt *p = pkt_alloc(nif->ns);
    if (!p)
        return NULL;
    p->off = 0;
    b->fill = b->cap;  // nothing is appended behind it
    pkt_attach(p, b, skip, (uint32_t)rx->len);
    buf_put(b);
    nif->rooms[i] = NULL;
    return p;
}

static void input_one(struct netif *nif, const struct ns_rx *rx, unsigned i) {
    if (!length_ok(nif, rx->len))
        return;
    struct pkt *p = packet_of(nif, rx, i);
    if (p) {
        p->gso_size = rx->gso_size;
        p->follows = rx->flags & NS_FOLLOWS;
    }
    input(nif, p, rx->flags);
}

// The frames from `at` on, at most GRO_FRAMES.
static void input_some(struct netif *nif, const struct ns_rx *rx, unsigned at, unsigned n) {
    struct gro g;
    gro_look(&g, nif, rx + at, n);
    for (unsigned i = 0, joined; i < n; i++) {
        if (g.taken & 1u << i)
            continue;
        struct pkt *p = gro_join(&g, nif->ns, i, &joined);
        if (!p) {
            input_one(nif, &rx[at + i], at + i);
            continue;
        }
        count_n(nif->ns, link_in, joined);
        count_n(nif->ns, link_joined, joined - 1);
        nif->in_packets += joined - 1;
        input(nif, p, NS_CSUM_GOOD);
    }
}

void netif_input_batch(struct netif *nif, const struct ns_rx *rx, unsigned n) {
    IN_STACK(nif->ns);
    // A router does not join what it would have to cut again.
    for (unsigned i = 0; i < n && (forwards(nif->ns, true) || forwards(nif->ns, false)); i++)
        input_one(nif, &rx[i], i);
    if (forwards(nif->ns, true) || forwards(nif->ns, false))
        return;
    for (unsigned at = 0; at < n; at += GRO_FRAMES)
        input_some(nif, rx, at, n - at < GRO_FRAMES ? n - at : GRO_FRAMES);
}

// ---- Out --------------------------------------------------------------------------------------------------
// What is sent over loopback has never been on a wire: its checksum is not made, and not looked at.
int netif_loop_back(struct netif *nif, struct pkt *p) {
    struct netstack *ns = nif->ns;
    if (ns->backlog_len >= STACK_BACKLOG) {
        count(ns, link_drop_backlog);
        pkt_free(p);
        return -LINUX_ENOBUFS;
    }
    p->nif = nif;
    p->when = ns->now;
    p->csum_good = true;
    p->csum_start = 0;
    p->loops = true;
    nif->in_packets++;
    nif->out_packets++;
    nif->in_bytes += p->len;
    nif->out_bytes += p->len;
    if (netif_is_loopback(nif))  // else what members here hear of a packet to a group
        tap(nif, p, true);
    list_add_tail(&ns->backlog, &p->link);
    ns->backlog_len++;
    return 0;
}

void netif_backlog(struct netstack *ns) {
    struct pkt *p = list_first(&ns->backlog, struct pkt, link);
    list_del(&p->link);
    ns->backlog_len--;
    count(ns, link_in);
    if (netif_is_loopback(p->nif))
        tap(p->nif, p, false);
    input_ip(p);
}

static void finish_csum(struct pkt *p) {
    if (!p->csum_start)
        return;
    // csum_start counts from the start of head[], so that headers pushed later do not move it.
    uint32_t at = p->csum_start - p->off;
    uint8_t *field = p->head + p->csum_start + p->csum_offset;
    uint16_t sum = csum_finish(pkt_csum(p, at, 0));
    if (sum == 0 && p->proto == PROTO_UDP)
        sum = 0xffff;  // RFC 768: zero means none
    memcpy(field, &sum, 2);
    p->csum_start = 0;
}

int netif_output_frame(struct netif *nif, struct pkt *p) {
    if (!(nif->config.flags & NETIF_TX_CSUM))
        finish_csum(p);
    tap(nif, p, true);
    struct ns_iov iov[PKT_FRAGS + 1] = {{pkt_head(p), p->hlen}};
    struct ns_frame f = {iov, 1, p->len, 0, p->csum_offset, p->gso_size};
    if (p->csum_start)
        f.csum_start = (uint16_t)(p->csum_start - p->off);
    for (unsigned i = 0; i < p->nfrags; i++)
        iov[f.iovcnt++] = (struct ns_iov){p->frags[i].buf->data + p->frags[i].off, p->frags[i].len};
    int err = nif->config.transmit(nif->config.arg, &f);
    nif->ns->sent = true;
    count(nif->ns, link_out);
    nif->out_packets++;
    nif->out_bytes += p->len;
    if (err < 0) {
        count(nif->ns, link_drop_transmit);
        nif->out_dropped++;
    }
    pkt_free(p);
    return err;
}

int netif_output(struct netif *nif, struct pkt *p, const uint8_t mac[6], uint16_t type) {
    if (nif->down) {
        count(nif->ns, link_drop_down);
        pkt_free(p);
        return 0;
    }
    if (netif_is_loopback(nif))
        return netif_loop_back(nif, p);
    if (nif->config.kind == NETIF_ETHER) {
        uint8_t *h = pkt_push(p, ETH_LEN);
        memcpy(h + ETH_DST, mac ? mac : broadcast_mac, 6);
        memcpy(h + ETH_SRC, nif->config.mac, 6);
        put16(h + ETH_TYPE, type);
    }
    return netif_output_frame(nif, p);
}
