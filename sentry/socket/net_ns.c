// SPDX-License-Identifier: Apache-2.0
// The life of network namespaces. One ends when no process, socket, file or mount has it any more; what that
// takes (devices, a stack) is done later by the event thread, as the last reference may go with locks held.
// LIMIT: connections of an ended namespace that programs have closed are dropped without a word.
#include "sentry/socket/net_ns.h"
#include "abi/errno.h"
#include "base/clock.h"
#include "base/fault.h"
#include "netstack/netstack.h"
#include "sentry/kernel.h"
#include "sentry/proc/user_ns.h"
#include "sentry/socket/netlink.h"
#include "sentry/socket/unix.h"
#include <stdlib.h>

int net_ns_init(struct net_ns *ns, struct nets *nets, struct timer_queue *timers, size_t budget, bool bare) {
    ns->nets = nets;
    ns->un = &nets->un;
    ns->hub = &nets->hub;
    list_init(&ns->devs);
    list_init(&ns->ended);
    lock_init(&ns->netlink.lock, RANK_OBJECT);
    list_init(&ns->netlink.sockets);
    return inet_ns_init(&ns->inet, nets, timers, budget, bare);
}

void net_ns_destroy(struct net_ns *ns) {
    netdev_end_all(ns, netlink_tell_news);
    inet_ns_destroy(&ns->inet);
    lock_destroy(&ns->netlink.lock);
}

bool net_ns_capable(const struct task *t, const struct net_ns *ns, int cap) {
    return task_capable_over(t, &ns->ns, cap);
}

// ---- New ones ---------------------------------------------------------------------------------------------
static bool take_place(struct nets *n, int32_t *serial) {
    {
        LOCKED(&n->lock);
        if (n->n >= NET_NS_MOST)
            return false;
        n->n++;
        *serial = ++n->last_serial;
    }
    if (budget_take(n->hub.buffers, NET_NS_COST))
        return true;
    LOCKED(&n->lock);
    n->n--;
    return false;
}
static void give_place(struct nets *n) {
    budget_give(n->hub.buffers, NET_NS_COST);
    LOCKED(&n->lock);
    n->n--;
}

static void ended(struct ns *n) {
    struct net_ns *ns = container_of(n, struct net_ns, ns);
    struct nets *nets = ns->nets;
    {
        LOCKED(&nets->lock);
        list_add_tail(&nets->ended, &ns->ended);
    }
    ktimer_set(&nets->reap, mono_ns());  // ns may be gone already
}

int net_ns_make(struct task *t, struct ns *owner, struct ns **out) {
    struct nets *nets = &t->k->nets;
    int32_t serial;
    if (!take_place(nets, &serial))
        return -LINUX_ENOSPC;
    struct net_ns *ns = znew(struct net_ns);
    int err = ns ? net_ns_init(ns, nets, &t->k->timers, nets->packets.max, true) : -LINUX_ENOMEM;
    if (err < 0) {
        if (ns)
            lock_destroy(&ns->netlink.lock);
        free(ns);
        give_place(nets);
        return err;
    }
    // As Linux has it (net.core.devconf_inherit_init_net): of IPv4 what the first one says.
    netstack_set_forwarding(ns->inet.stack, true, netstack_forwarding(t->k->net.inet.stack, true));
    ns->serial = serial;
    ns_init(&ns->ns, NS_NET, t->k->vfs, 0, owner, ended);
    *out = &ns->ns;
    return 0;
}

// ---- The end ----------------------------------------------------------------------------------------------
static void free_ended(struct nets *n) {
    for (;;) {
        struct net_ns *ns;
        {
            LOCKED(&n->lock);
            if (list_empty(&n->ended))
                return;
            ns = list_first(&n->ended, struct net_ns, ended);
            list_del(&ns->ended);
        }
        net_ns_destroy(ns);
        free(ns);
        give_place(n);
    }
}

static void reap(struct ktimer *t) { free_ended(container_of(t, struct nets, reap)); }

void nets_init(struct nets *n, struct timer_queue *timers, size_t budget) {
    unix_ns_init(&n->un, budget);
    netdev_hub_init(&n->hub, timers);
    n->packets.max = budget;
    lock_init(&n->lock, RANK_LEAF);
    list_init(&n->ended);
    ktimer_init(timers, &n->reap, reap);
}

void nets_drop(struct nets *n) {
    unix_ns_drop(&n->un);
    free_ended(n);
}

void nets_destroy(struct nets *n) {
    ktimer_cancel_sync(&n->reap);
    free_ended(n);
    netdev_hub_destroy(&n->hub);
    unix_ns_destroy(&n->un);
    lock_destroy(&n->lock);
}
