// SPDX-License-Identifier: Apache-2.0
// Devices come, change, move from one namespace to another, and go. Each function checks all that it can
// before it changes anything. Locks: the hub's, taken here; stacks' with it held.
#include "abi/errno.h"
#include "base/budget.h"
#include "base/clock.h"
#include "base/fault.h"
#include "netstack/netstack.h"
#include "sentry/net/netdev.h"
#include "sentry/socket/net_ns.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MTU 1500
#define LEAST_MTU   68
#define MOST_MTU    65535
#define NUMBERS     1024         // that a name with %d is tried with
#define COST        (16u << 10)  // bytes that a device is charged as: itself, its interface, its addresses

static const char *const kinds[NETDEV_KINDS] = {"veth", "bridge", "dummy"};

// ---- Who is there -----------------------------------------------------------------------------------------
static struct netdev *find(struct net_ns *net, int32_t index) {
    struct netdev *d;
    list_for_each(d, &net->devs, link)
        if (d->index == index)
            return d;
    return NULL;
}

static bool is_taken(struct net_ns *net, const char *name) {
    struct ns_netif_info info;
    for (unsigned i = 0; netstack_netif_info(net->inet.stack, i, &info) == 0; i++)
        if (!strcmp(info.name, name))
            return true;
    return false;
}

// A name that is free there: as it is wished, or the first of a pattern.
static int name_for(struct net_ns *net, const char *wish, char out[LINUX_IFNAMSIZ]) {
    const char *at = strchr(wish, '%');
    char text[2 * LINUX_IFNAMSIZ];
    if (!at) {
        snprintf(out, LINUX_IFNAMSIZ, "%s", wish);
        return is_taken(net, out) ? -LINUX_EEXIST : 0;
    }
    if (at[1] != 'd' || strchr(at + 1, '%'))
        return -LINUX_EINVAL;
    for (unsigned i = 0; i < NUMBERS; i++) {
        int n = snprintf(text, sizeof text, "%.*s%u%s", (int)(at - wish), wish, i, at + 2);
        if (n >= LINUX_IFNAMSIZ)
            return -LINUX_ENFILE;
        memcpy(out, text, (size_t)n + 1);
        if (!is_taken(net, out))
            return 0;
    }
    return -LINUX_ENFILE;
}

// ---- News -------------------------------------------------------------------------------------------------
static void note(struct net_news *news, const struct netdev *d, bool gone) {
    if (news->n == sizeof news->of / sizeof news->of[0] || !net_ns_try_get(d->net))
        return;  // nobody is there any more
    struct net_link l = {.index = d->index, .type = LINUX_ARPHRD_ETHER, .mtu = d->mtu, .hw_len = 6};
    memcpy(l.name, d->name, sizeof l.name);
    memcpy(l.hw, d->mac, sizeof d->mac);
    memset(l.hw_broadcast, 0xff, sizeof d->mac);
    l.qdisc = "noop";
    l.kind = kinds[d->kind];
    l.peer_netns = -1;
    news->of[news->n].net = d->net;
    news->of[news->n].gone = gone;
    news->of[news->n++].link = l;
}
void net_news_done(struct net_news *news) {
    while (news->n > 0)
        net_ns_put(news->of[--news->n].net);
}

// ---- Interfaces of stacks ---------------------------------------------------------------------------------
static int appear(struct netdev *d, struct net_ns *net, const char *name) {
    struct netif_config config = {.name = name,
                                  .kind = NETIF_ETHER,
                                  .mtu = d->mtu,
                                  .flags = NETIF_NO_DAD | NETIF_DOWN,
                                  .transmit = netdev_transmit,
                                  .arg = d};
    struct netif *nif;
    memcpy(config.mac, d->mac, sizeof config.mac);
    int err = netif_add(net->inet.stack, &config, &nif);
    if (err < 0)
        return err;
    d->nif = nif;
    d->net = net;
    d->up = false;
    d->index = (int32_t)netif_index(nif);
    snprintf(d->name, sizeof d->name, "%s", name);
    list_add_tail(&net->devs, &d->link);
    atomic_fetch_add(&net->ndevs, 1);
    return 0;
}

static void disappear(struct netdev *d, struct netif *nif) {
    netif_remove(nif);  // from here on it sends nothing
    netdev_drop_queue(d);
}

static void leave(struct netdev *d) {
    list_del(&d->link);
    atomic_fetch_sub(&d->net->ndevs, 1);
}

// ---- Life -------------------------------------------------------------------------------------------------
static size_t cost(enum netdev_kind kind) { return kind == NETDEV_BRIDGE ? COST + bridge_size() : COST; }

static void free_device(struct netdev *d) {
    bridge_free(d->bridge);
    budget_give(d->hub->buffers, cost(d->kind));
    d->hub->ndevs--;
    free(d);
}

static struct netdev *make(struct netdev_hub *h, enum netdev_kind kind, const struct net_link_change *c) {
    if (h->ndevs >= NETDEVS_MOST || !budget_take(h->buffers, cost(kind)))
        return NULL;
    struct netdev *d = znew(struct netdev);
    if (!d) {
        budget_give(h->buffers, cost(kind));
        return NULL;
    }
    d->hub = h;
    d->kind = kind;
    list_init(&d->link);
    list_init(&d->pending);
    list_init(&d->out);
    h->ndevs++;
    d->mtu = c->what & NET_CHANGE_MTU ? c->mtu : DEFAULT_MTU;
    random_bytes(d->mac, sizeof d->mac);
    d->mac[0] = (uint8_t)((d->mac[0] & 0xfe) | 2);
    if (c->what & NET_CHANGE_HW)
        memcpy(d->mac, c->hw, sizeof d->mac);
    if (kind == NETDEV_BRIDGE && !(d->bridge = bridge_new())) {
        free_device(d);
        return NULL;
    }
    return d;
}

// With its other end, if it has one; nothing of it is anywhere afterwards.
static void end(struct netdev *d, struct net_news *news) {
    struct netdev *peer = d->peer;
    if (d->kind == NETDEV_BRIDGE)
        bridge_del_all(d);
    bridge_del_port(d);
    if (peer)
        peer->peer = NULL;
    note(news, d, true);
    disappear(d, d->nif);
    leave(d);
    free_device(d);
    if (peer)
        end(peer, news);
}

// ---- Changes ----------------------------------------------------------------------------------------------
static int check(const struct net_link_change *c) {
    if (c->what & NET_CHANGE_MTU && (c->mtu < LEAST_MTU || c->mtu > MOST_MTU))
        return -LINUX_EINVAL;
    static const uint8_t none[6];
    if (c->what & NET_CHANGE_HW && (c->hw[0] & 1 || !memcmp(c->hw, none, sizeof none)))
        return -LINUX_EADDRNOTAVAIL;
    return 0;
}

static int can_join(struct net_ns *net, const struct netdev *d, int32_t index, struct netdev **out) {
    struct netdev *br = find(net, index);
    *out = br;
    if (!br)
        return -LINUX_ENODEV;
    if (br->kind != NETDEV_BRIDGE)
        return -LINUX_EOPNOTSUPP;
    if (d->kind == NETDEV_BRIDGE)
        return -LINUX_ELOOP;
    if (d->master && d->master != br)
        return -LINUX_EBUSY;
    return d->master == br || bridge_has_room(br) ? 0 : -LINUX_EXFULL;
}

// RFC 4291 2.5.1, appendix A
static void own_link_local(struct netdev *d) {
    struct ns_ip ip = {{0xfe, 0x80}};
    const uint8_t *m = d->mac;
    const uint8_t id[8] = {m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};
    memcpy(ip.b + 8, id, sizeof id);
    netif_add_address(d->nif, &ip, 64);  // there already, or there is no room: as it is
}

static void set_up(struct netdev *d, bool up) {
    if (up == d->up)
        return;
    d->up = up;
    netif_set_up(d->nif, up);
    if (up && !d->master && d->mtu >= 1280)
        own_link_local(d);
}

static int move(struct netdev *d, struct net_ns *to, const char *wish) {
    char name[LINUX_IFNAMSIZ];
    struct netif *old = d->nif;
    if (d->kind == NETDEV_BRIDGE)
        return -LINUX_EINVAL;  // NETIF_F_NETNS_LOCAL
    int err = name_for(to, wish, name);
    if (err < 0)
        return err;
    struct net_ns *from = d->net;
    leave(d);
    err = appear(d, to, name);
    if (err < 0) {
        list_add_tail(&from->devs, &d->link);
        atomic_fetch_add(&from->ndevs, 1);
        return err;
    }
    bridge_del_port(d);
    disappear(d, old);
    return 0;
}

// All that can be refused has been; what is changed here is there.
static int apply(struct netdev *d, const struct net_link_change *c, struct netdev *br) {
    if (c->what & NET_CHANGE_HW) {
        memcpy(d->mac, c->hw, sizeof d->mac);
        netif_set_mac(d->nif, d->mac);
    }
    if (c->what & NET_CHANGE_MTU) {
        d->mtu = c->mtu;
        netif_set_mtu(d->nif, d->mtu);
    }
    if (c->what & NET_CHANGE_MASTER && d->master != br) {
        bridge_del_port(d);
        if (br)
            bridge_add_port(br, d);
    }
    if (c->what & NET_CHANGE_UP)
        set_up(d, c->up);
    return 0;
}

static int rename_to(struct netdev *d, const struct net_link_change *c) {
    char name[LINUX_IFNAMSIZ];
    if (!(c->what & NET_CHANGE_NAME) || !strcmp(c->name, d->name))
        return 0;
    int err = name_for(d->net, c->name, name);
    err = err < 0 ? err : netif_set_name(d->nif, name);
    if (err == 0)
        memcpy(d->name, name, sizeof d->name);
    return err;
}

int netdev_change(struct net_ns *net, int32_t index, const struct net_link_change *c, struct net_news *news) {
    NETDEV_LOCKED(net->hub);
    struct netdev *d = find(net, index), *br = NULL;
    if (!d)
        return -LINUX_ENODEV;
    int err = check(c);
    if (err == 0 && c->what & NET_CHANGE_MASTER && c->master)
        err = can_join(net, d, c->master, &br);
    if (err < 0)
        return err;
    if (c->what & NET_CHANGE_NETNS && c->netns != net) {
        struct net_news gone = {0};
        note(&gone, d, true);
        err = move(d, c->netns, c->what & NET_CHANGE_NAME ? c->name : d->name);
        if (err < 0) {
            net_news_done(&gone);
            return err;
        }
        news->of[news->n++] = gone.of[0];
        br = NULL;
    } else {
        err = rename_to(d, c);
    }
    if (err == 0)
        err = apply(d, c, br);
    if (err == 0)
        note(news, d, false);
    return err;
}

int netdev_set_up(struct net_ns *net, int32_t index, bool up) {
    NETDEV_LOCKED(net->hub);
    struct netdev *d = find(net, index);
    if (!d)
        return -LINUX_ENODEV;
    set_up(d, up);
    return 0;
}

// ---- New ones ---------------------------------------------------------------------------------------------
static int make_one(struct net_ns *net, enum netdev_kind kind, const struct net_link_change *c,
                    struct netdev **out) {
    char name[LINUX_IFNAMSIZ], pattern[LINUX_IFNAMSIZ];
    snprintf(pattern, sizeof pattern, "%s%%d", kinds[kind]);
    int err = check(c);
    if (err == 0)
        err = name_for(net, c->what & NET_CHANGE_NAME ? c->name : pattern, name);
    if (err < 0)
        return err;
    struct netdev *d = make(net->hub, kind, c);
    if (!d)
        return -LINUX_ENOBUFS;
    err = appear(d, net, name);
    if (err < 0) {
        free_device(d);
        return err;
    }
    *out = d;
    return 0;
}

static void unmake(struct netdev *d) {
    struct net_news news = {0};
    end(d, &news);
    net_news_done(&news);
}

int netdev_new(struct net_ns *net, const struct net_new_link *w, struct net_news *news) {
    unsigned kind = 0;
    while (kind < NETDEV_KINDS && strcmp(kinds[kind], w->kind) != 0)
        kind++;
    if (kind == NETDEV_KINDS)
        return -LINUX_EOPNOTSUPP;
    struct net_ns *here = w->own.what & NET_CHANGE_NETNS ? w->own.netns : net,
                  *there = w->peer.what & NET_CHANGE_NETNS ? w->peer.netns : here;
    NETDEV_LOCKED(net->hub);
    struct netdev *d, *peer = NULL, *br = NULL;
    int err = make_one(here, (enum netdev_kind)kind, &w->own, &d);
    if (err < 0)
        return err;
    if (w->own.what & NET_CHANGE_MASTER && w->own.master)
        err = can_join(here, d, w->own.master, &br);
    if (err == 0 && kind == NETDEV_VETH)
        err = make_one(there, NETDEV_VETH, &w->peer, &peer);
    if (err < 0) {
        unmake(d);
        return err;
    }
    if (peer) {
        d->peer = peer;
        peer->peer = d;
        apply(peer, &w->peer, NULL);
        note(news, peer, false);
    }
    apply(d, &w->own, br);
    note(news, d, false);
    return 0;
}

int netdev_delete(struct net_ns *net, int32_t index, struct net_news *news) {
    NETDEV_LOCKED(net->hub);
    struct netdev *d = find(net, index);
    if (!d)
        return -LINUX_ENODEV;
    end(d, news);
    return 0;
}

void netdev_end_all(struct net_ns *net, void (*tell)(struct net_news *news)) {
    for (bool more = true; more;) {
        struct net_news news = {0};
        {
            NETDEV_LOCKED(net->hub);
            more = !list_empty(&net->devs);
            if (more)
                end(list_first(&net->devs, struct netdev, link), &news);
        }
        tell(&news);
    }
}

// ---- As others see them -----------------------------------------------------------------------------------
void netdev_describe(struct net_ns *net, struct net_link *l) {
    l->peer_netns = -1;
    if (!atomic_load(&net->ndevs))
        return;
    NETDEV_LOCKED(net->hub);
    const struct netdev *d = find(net, l->index);
    if (!d)
        return;
    l->kind = kinds[d->kind];
    l->master = d->master ? d->master->index : 0;
    if (d->peer) {
        l->peer = d->peer->index;
        l->peer_netns = d->peer->net == net ? -1 : d->peer->net->serial;
    }
    l->no_carrier = !netdev_has_carrier(d);
}
