// SPDX-License-Identifier: Apache-2.0
// See link.h. Locks: a link's own, for what waits to go out; it is taken with the stack's held.
#include "sentry/link/link.h"
#include "abi/errno.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "netstack/netstack.h"
#include "sentry/link/vnet.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCHES     4  // in one turn of the event thread
#define QUEUE_LEAST (256u << 10)
#define QUEUE_MOST  (4u << 20)
#define LINGER_NS   (5 * NS_PER_SEC)

// ---- Out --------------------------------------------------------------------------------------------------
struct waiting {
    struct list link;
    struct vnet_hdr h;
    size_t len;
    uint8_t bytes[];
};

static int wait_for_tokens(struct link *l, const struct vnet_hdr *h, const struct ns_frame *f) {
    if (f->len > l->most - l->queued)
        return -LINUX_ENOBUFS;
    struct waiting *w = xcalloc(1, sizeof *w + f->len);
    if (!w)
        return -LINUX_ENOBUFS;
    w->h = *h;
    for (unsigned i = 0; i < f->iovcnt && f->iov[i].len <= f->len - w->len; i++) {
        memcpy(w->bytes + w->len, f->iov[i].base, f->iov[i].len);
        w->len += f->iov[i].len;
    }
    if (list_empty(&l->queue))
        ktimer_set(&l->drain, bucket_when(&l->tx));
    list_add_tail(&l->queue, &w->link);
    l->queued += w->len;
    return 0;
}

static int send_now(struct link *l, const struct vnet_hdr *h, const struct ns_iov *iov, unsigned n,
                    size_t len) {
    bucket_take(&l->tx, len);
    capture_frame(l->capture, iov, n);
    return hostlink_send(l, h, iov, n);
}

static int link_transmit(void *arg, const struct ns_frame *f) {
    struct link *l = arg;
    const struct vnet_hdr h = vnet_describe(f);
    LOCKED(&l->lock);
    if (l->tx.rate && (!list_empty(&l->queue) || !bucket_open(&l->tx, mono_ns())))
        return wait_for_tokens(l, &h, f);
    return send_now(l, &h, f->iov, f->iovcnt, f->len);
}

static void link_drain(struct ktimer *timer) {
    struct link *l = container_of(timer, struct link, drain);
    LOCKED(&l->lock);
    while (!list_empty(&l->queue) && bucket_open(&l->tx, mono_ns())) {
        struct waiting *w = list_first(&l->queue, struct waiting, link);
        list_del(&w->link);
        l->queued -= w->len;
        send_now(l, &w->h, &(struct ns_iov){w->bytes, w->len}, 1, w->len);
        free(w);
    }
    if (!list_empty(&l->queue))
        ktimer_set(timer, bucket_when(&l->tx));
}

// ---- In ---------------------------------------------------------------------------------------------------
static void watch(struct link *l, bool on) {
    if (on == l->watched)
        return;
    l->watched = on && hostevent_add(l->events, l->fd, &l->source) == 0;
    if (!on)
        hostevent_remove(l->events, l->fd);
}

static void link_resume(struct ktimer *timer) { watch(container_of(timer, struct link, resume), true); }

static void link_ready(struct hostevent_source *source) {
    struct link *l = container_of(source, struct link, source);
    struct ns_rx rx[LINK_BATCH];
    bool more = true;
    for (unsigned turn = 0; turn < BATCHES && more; turn++) {
        if (!bucket_open(&l->rx, l->rx.rate ? mono_ns() : 0)) {
            watch(l, false);
            ktimer_set(&l->resume, bucket_when(&l->rx));
            return;
        }
        int n = hostlink_receive(l, rx, &more);
        if (n < 0) {  // it would be ready for ever
            watch(l, false);
            return;
        }
        netif_input_batch(l->nif, rx, (unsigned)n);
    }
}

// ---- Coming and going -------------------------------------------------------------------------------------
static struct ns_ip ip_of(bool six, const uint8_t bytes[16]) {
    struct ns_ip ip;
    if (!six)
        return ns_ip4(bytes[0], bytes[1], bytes[2], bytes[3]);
    memcpy(ip.b, bytes, sizeof ip.b);
    return ip;
}

static int add_addresses(struct link *l, const struct sentry_link *c) {
    for (unsigned i = 0; i < c->naddrs && i < SENTRY_LINK_ADDRS; i++) {
        const struct sentry_addr *a = &c->addrs[i];
        struct ns_ip ip = ip_of(a->six, a->bytes);
        if (a->prefix > (a->six ? 128 : 32))
            return -LINUX_EINVAL;
        int err = netif_add_address(l->nif, &ip, a->prefix);
        if (err < 0)
            return err;
    }
    return 0;
}

static int link_open(struct links *ls, struct link *l, const struct sentry_link *c, int fd,
                     struct hostevents *events, struct timer_queue *timers, const struct sentry_net *net) {
    uint64_t now = mono_ns();
    lock_init(&l->lock, RANK_CLIENT);
    list_init(&l->queue);
    ktimer_init(timers, &l->resume, link_resume);
    ktimer_init(timers, &l->drain, link_drain);
    bucket_init(&l->rx, net->rx_rate, now);
    bucket_init(&l->tx, net->tx_rate, now);
    l->most = l->tx.rate / 10;
    l->most = l->most < QUEUE_LEAST ? QUEUE_LEAST : l->most;
    l->most = l->most > QUEUE_MOST ? QUEUE_MOST : l->most;
    l->source.ready = link_ready;
    l->events = events;
    l->fd = fd;
    l->kind = (enum sentry_link_kind)c->kind;
    l->capture = &ls->capture;
    l->spare = xcalloc(1, sizeof(struct vnet_hdr) + VNET_FRAME_MAX);
    if (!l->spare)
        return -LINUX_ENOMEM;
    char name[sizeof c->name];
    memcpy(name, c->name, sizeof name);
    name[sizeof name - 1] = '\0';
    struct netif_config config = {.name = name,
                                  .kind = NETIF_ETHER,
                                  .mtu = c->mtu,
                                  .flags = NETIF_NO_DAD | NETIF_TX_CSUM,
                                  .gso_max = VNET_GSO_MAX,
                                  .transmit = link_transmit,
                                  .arg = l};
    if (c->automatic == SENTRY_AUTO_ROUTERS)
        config.flags |= NETIF_SLAAC;
    memcpy(config.mac, c->mac, sizeof config.mac);
    int err = netif_add(ls->stack, &config, &l->nif);
    return err < 0 ? err : add_addresses(l, c);
}

// A route that is there already is one that came with an address.
static int add_routes(struct links *ls, const struct sentry_net *net) {
    for (unsigned i = 0; i < net->nroutes && i < SENTRY_ROUTES; i++) {
        const struct sentry_route *r = &net->routes[i];
        if (r->link >= ls->n || r->prefix > (r->six ? 128 : 32))
            return -LINUX_EINVAL;
        struct ns_route route = {.dst = ip_of(r->six, r->dst),
                                 .prefix = r->prefix,
                                 .nif = ls->links[r->link].nif,
                                 .metric = r->metric};
        if (r->has_gateway)
            route.gateway = ip_of(r->six, r->gateway);
        int err = netstack_add_route(ls->stack, &route);
        if (err < 0 && err != -LINUX_EEXIST)
            return err;
    }
    return 0;
}

static int open_all(struct links *ls, struct hostevents *events, struct timer_queue *timers,
                    const struct sentry_net *net, int *fds) {
    int *capture = &fds[net->nlinks], file = net->capture_max ? *capture : -1;
    *capture = -1;
    int err = capture_open(&ls->capture, file, net->capture_max);
    for (unsigned i = 0; err == 0 && i < net->nlinks; i++) {
        int fd = hostlink_place(fds[i], i);
        fds[i] = -1;
        if (fd < 0)
            return fd;
        err = link_open(ls, &ls->links[ls->n++], &net->links[i], fd, events, timers, net);
    }
    if (err == 0)
        err = add_routes(ls, net);
    for (unsigned i = 0; err == 0 && i < ls->n; i++) {
        watch(&ls->links[i], true);
        err = ls->links[i].watched ? 0 : -LINUX_EMFILE;
    }
    return err;
}

int links_open(struct netstack *stack, struct hostevents *events, struct timer_queue *timers,
               const struct sentry_net *net, const int *fds, struct links **out) {
    *out = NULL;
    if (net->nlinks == 0 || net->nlinks > SENTRY_LINKS)
        return net->nlinks ? -LINUX_EINVAL : 0;
    int mine[SENTRY_NET_FDS + 1];
    unsigned n = sentry_net_fds(net);
    memcpy(mine, fds, n * sizeof mine[0]);
    struct links *ls = znew(struct links);
    int err = -LINUX_ENOMEM;
    if (ls) {
        ls->stack = stack;
        err = open_all(ls, events, timers, net, mine);
    }
    for (unsigned i = 0; err < 0 && i < n; i++)
        if (mine[i] >= 0)
            close(mine[i]);
    if (err < 0) {
        links_close(ls);
        return err;
    }
    *out = ls;
    return 0;
}

static void link_close(struct link *l) {
    watch(l, false);
    ktimer_cancel_sync(&l->resume);
    if (l->nif)
        netif_remove(l->nif);  // from here on nothing is sent
    ktimer_cancel_sync(&l->drain);
    while (!list_empty(&l->queue)) {
        struct waiting *w = list_first(&l->queue, struct waiting, link);
        list_del(&w->link);
        free(w);
    }
    close(l->fd);
    free(l->spare);
    lock_destroy(&l->lock);
}

void links_close(struct links *ls) {
    if (!ls)
        return;
    for (unsigned i = 0; i < ls->n; i++)
        link_close(&ls->links[i]);
    capture_close(&ls->capture);
    free(ls);
}

// ---- The end ----------------------------------------------------------------------------------------------
#define TCP_FIN_WAIT1 4
#define TCP_LAST_ACK  9
#define TCP_CLOSING   11
static void owes(void *arg, const struct ns_sock_info *s) {
    bool tcp = s->proto == 6 && !s->raw;
    if (tcp && !s->user && (s->state == TCP_FIN_WAIT1 || s->state == TCP_LAST_ACK || s->state == TCP_CLOSING))
        *(bool *)arg = true;
}

void links_linger(struct links *ls) {
    static const struct timespec pause = {0, 2000000};
    if (!ls)
        return;
    for (uint64_t until = mono_ns() + LINGER_NS; mono_ns() < until;) {
        bool wait = false;
        netstack_each_socket(ls->stack, owes, &wait);
        if (!wait)
            return;
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
}
