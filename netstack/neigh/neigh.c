// SPDX-License-Identifier: Apache-2.0
// See neigh.h: the cache itself. Packets come from ip/ip_out.c, news from arp.c and ndp.c. Lock: the stack's.
#include "netstack/neigh/neigh.h"
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/ip/ip.h"
#include "netstack/link/netif.h"
#include "netstack/prot/eth.h"

#define REACHABLE_TIME (30 * NS_SEC)  // RFC 4861 10
#define DELAY_TIME     (5 * NS_SEC)
#define RETRANS_TIME   NS_SEC
#define PROBES         3

static struct list *bucket_of(struct netstack *ns, const struct ns_ip *ip) {
    return list_bucket(&ns->neighbours[siphash_slot(&ns->key, ip, sizeof *ip) % 64]);
}

static struct neigh *neigh_find(struct netif *nif, const struct ns_ip *ip) {
    struct neigh *n;
    list_for_each(n, bucket_of(nif->ns, ip), hash) {
        if (n->nif == nif && ip_eq(&n->ip, ip))
            return n;
    }
    return NULL;
}

// Packets that waited are told to be lost: their sender gets EHOSTUNREACH.
static void neigh_free(struct neigh *n) {
    struct netstack *ns = n->nif->ns;
    stack_cancel(ns, &n->timer);
    list_del(&n->hash);
    list_del(&n->lru);
    ns->nneighbours--;
    while (!list_empty(&n->queue)) {
        struct pkt *p = list_first(&n->queue, struct pkt, link);
        list_del(&p->link);
        count(ns, neigh_drop_failed);
        ip_undeliverable(p, LINUX_EHOSTUNREACH);
    }
    stack_free(ns, n, sizeof *n);
}

static void ask(struct neigh *n) {
    const uint8_t *mac = n->state == NEIGH_INCOMPLETE ? NULL : n->mac;
    n->probes++;
    stack_arm(n->nif->ns, &n->timer, n->nif->ns->now + RETRANS_TIME);
    if (ns_ip_is4(&n->ip))
        arp_request(n->nif, &n->ip, mac);
    else
        ndp_solicit(n->nif, &n->ip, mac);
}

static void neigh_timer(struct timer *t) {
    struct neigh *n = container_of(t, struct neigh, timer);
    switch (n->state) {
    case NEIGH_REACHABLE:
        n->state = NEIGH_STALE;
        break;
    case NEIGH_DELAY:
        n->state = NEIGH_PROBE;
        n->probes = 0;
        ask(n);
        break;
    case NEIGH_INCOMPLETE:
    case NEIGH_PROBE:
        if (n->probes >= PROBES)
            neigh_free(n);
        else
            ask(n);
        break;
    case NEIGH_STALE:
    case NEIGH_PERMANENT:
        break;
    }
}

// The least recently used that may go.
static bool make_room(struct netstack *ns) {
    struct neigh *n;
    list_for_each(n, &ns->neigh_lru, lru) {
        if (n->state == NEIGH_PERMANENT)
            continue;
        neigh_free(n);
        return true;
    }
    return false;
}

static struct neigh *neigh_new(struct netif *nif, const struct ns_ip *ip, enum neigh_state state) {
    struct netstack *ns = nif->ns;
    if (ns->nneighbours >= STACK_NEIGHBOURS && !make_room(ns)) {
        count(ns, neigh_drop_full);
        return NULL;
    }
    struct neigh *n = stack_alloc(ns, sizeof *n);
    if (!n) {
        count(ns, neigh_drop_full);
        return NULL;
    }
    n->nif = nif;
    n->ip = *ip;
    n->state = state;
    list_init(&n->queue);
    timer_init(&n->timer, neigh_timer);
    list_add(bucket_of(ns, ip), &n->hash);
    list_add_tail(&ns->neigh_lru, &n->lru);
    ns->nneighbours++;
    return n;
}

static int send_now(struct neigh *n, struct pkt *p) {
    return netif_output(n->nif, p, n->mac, ns_ip_is4(&n->ip) ? ETH_TYPE_IP4 : ETH_TYPE_IP6);
}

static void neigh_enqueue(struct neigh *n, struct pkt *p) {
    if (n->queued == NEIGH_QUEUE) {
        struct pkt *old = list_first(&n->queue, struct pkt, link);
        list_del(&old->link);
        n->queued--;
        count(p->ns, neigh_drop_queue);
        pkt_free(old);
    }
    list_add_tail(&n->queue, &p->link);
    n->queued++;
}

int neigh_send(struct netif *nif, const struct ns_ip *next, struct pkt *p) {
    bool four = ns_ip_is4(next);
    if (nif->config.kind != NETIF_ETHER)
        return netif_output(nif, p, NULL, 0);
    if (ip_is_multicast(next) || netif_is_broadcast(nif, next)) {
        uint8_t mac[6];
        if (ip_is_multicast(next))
            ip_multicast_mac(next, mac);
        return netif_output(nif, p, ip_is_multicast(next) ? mac : NULL, four ? ETH_TYPE_IP4 : ETH_TYPE_IP6);
    }
    struct neigh *n = neigh_find(nif, next);
    if (!n) {
        if (!(n = neigh_new(nif, next, NEIGH_INCOMPLETE))) {
            pkt_free(p);
            return -LINUX_ENOBUFS;
        }
        neigh_enqueue(n, p);
        ask(n);
        return 0;
    }
    list_del(&n->lru);
    list_add_tail(&nif->ns->neigh_lru, &n->lru);
    if (n->state == NEIGH_INCOMPLETE) {
        neigh_enqueue(n, p);
        return 0;
    }
    if (n->state == NEIGH_STALE) {
        n->state = NEIGH_DELAY;
        stack_arm(nif->ns, &n->timer, nif->ns->now + DELAY_TIME);
    }
    return send_now(n, p);
}

static void reachable(struct neigh *n) {
    n->state = NEIGH_REACHABLE;
    stack_arm(n->nif->ns, &n->timer, n->nif->ns->now + REACHABLE_TIME);
}

static void flush_queue(struct neigh *n) {
    while (!list_empty(&n->queue)) {
        struct pkt *p = list_first(&n->queue, struct pkt, link);
        list_del(&p->link);
        n->queued--;
        send_now(n, p);
    }
}

void neigh_learn(struct netif *nif, const struct ns_ip *ip, const uint8_t mac[6], enum neigh_news news,
                 bool override) {
    struct neigh *n = neigh_find(nif, ip);
    if (!n && (news != NEIGH_ASKED || !(n = neigh_new(nif, ip, NEIGH_STALE))))
        return;
    if (n->state == NEIGH_PERMANENT)
        return;
    bool known = n->state != NEIGH_INCOMPLETE, same = known && memcmp(n->mac, mac, 6) == 0;
    if (known && !same && !override) {
        // Two stations claim it; keep ours and ask again when it is next used (RFC 4861 7.2.5).
        if (n->state == NEIGH_REACHABLE)
            n->state = NEIGH_STALE;
        return;
    }
    memcpy(n->mac, mac, 6);
    if (news == NEIGH_ANSWERED) {
        reachable(n);
    } else if (!same) {
        n->state = NEIGH_STALE;
        stack_cancel(nif->ns, &n->timer);
    }
    flush_queue(n);
}

void neigh_confirm(struct netif *nif, const struct ns_ip *ip) {
    if (nif->config.kind != NETIF_ETHER)
        return;
    struct neigh *n = neigh_find(nif, ip);
    if (n && (n->state == NEIGH_DELAY || n->state == NEIGH_PROBE || n->state == NEIGH_STALE))
        reachable(n);
}

static struct neigh *neigh_of(struct netstack *ns, const struct netif *nif) {
    struct neigh *n;
    list_for_each(n, &ns->neigh_lru, lru) {
        if (n->nif == nif)
            return n;
    }
    return NULL;
}

// Looked for anew each time: what is said to the senders of what waited needs neighbours too, and makes room
// for them. It ends, as nobody is told that an error was lost.
void neigh_flush(struct netstack *ns, struct netif *nif) {
    for (struct neigh *n; (n = neigh_of(ns, nif));)
        neigh_free(n);
}

// ---- The user's -------------------------------------------------------------------------------------------
int netstack_neigh_at(struct netstack *ns, unsigned i, struct ns_neigh *out) {
    IN_STACK(ns);
    for (unsigned b = 0; b < sizeof ns->neighbours / sizeof ns->neighbours[0]; b++) {
        struct neigh *n;
        list_for_each(n, list_bucket(&ns->neighbours[b]), hash) {
            if (i-- > 0)
                continue;
            *out = (struct ns_neigh){
                .nif = n->nif, .index = n->nif->index, .ip = n->ip, .state = (enum ns_neigh_state)n->state};
            memcpy(out->mac, n->mac, 6);
            return 0;
        }
    }
    return -LINUX_ENODEV;
}

int netif_set_neigh(struct netif *nif, const struct ns_ip *ip, const uint8_t mac[6],
                    enum ns_neigh_state state) {
    IN_STACK(nif->ns);
    if (nif->config.kind != NETIF_ETHER)
        return -LINUX_EINVAL;
    if (state != NS_NEIGH_REACHABLE && state != NS_NEIGH_STALE && state != NS_NEIGH_PERMANENT)
        return -LINUX_EINVAL;
    struct neigh *n = neigh_find(nif, ip);
    if (!n && !(n = neigh_new(nif, ip, NEIGH_STALE)))
        return -LINUX_ENOBUFS;
    stack_cancel(nif->ns, &n->timer);
    memcpy(n->mac, mac, 6);
    n->state = (enum neigh_state)state;
    if (state == NS_NEIGH_REACHABLE)
        reachable(n);
    flush_queue(n);
    return 0;
}

int netif_del_neigh(struct netif *nif, const struct ns_ip *ip) {
    IN_STACK(nif->ns);
    struct neigh *n = nif->config.kind == NETIF_ETHER ? neigh_find(nif, ip) : NULL;
    if (!n)
        return -LINUX_ENOENT;
    neigh_free(n);
    return 0;
}
