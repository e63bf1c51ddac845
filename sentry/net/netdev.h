// SPDX-License-Identifier: Apache-2.0
// Devices that guests make: pairs (veth(4)), bridges and dummies. Each is an interface of the stack of the
// network namespace that it is in; frames go from one stack to another here.
//
// A stack that sends gives its frame to the device's own queue, with the stack's lock held, and no more.
// When the call has left the stack (netstack_config.sent), netdev_run() carries what waits to where it goes,
// unless somebody does already: the hub's lock says who. So no two stacks' locks are ever held together, and
// who changes devices has them still.
//
// Locks: the hub's (RANK_NETDEV) for devices, who is connected to whom, and for carrying; a stack's may be
// taken with it held. hub->queue (RANK_CLIENT) for frames that wait, taken with a stack's held.
// LIMIT: one lock for all traffic between the namespaces of a sandbox.
#ifndef SENTRY_NET_NETDEV_H
#define SENTRY_NET_NETDEV_H
#include "base/list.h"
#include "base/lock.h"
#include "sentry/net/net.h"
#include "sentry/time/timer.h"
#include <stdatomic.h>

#define NETDEVS_MOST       1024         // of a sandbox
#define NETDEV_QUEUE       1000         // frames that wait for one device
#define NETDEV_QUEUE_BYTES (8u << 20)   // of all
#define NETDEV_TURN        1024         // frames that a call carries or makes; the event thread has the rest
#define NETDEV_HOPS        8            // bridges and pairs that a frame may pass on its way

struct bridge;
struct budget;
struct ns_frame;
struct net_ns;
struct netif;

enum netdev_kind { NETDEV_VETH, NETDEV_BRIDGE, NETDEV_DUMMY, NETDEV_KINDS };

struct netdev_hub {
    struct lock lock;       // RANK_NETDEV
    struct lock queue;      // RANK_CLIENT
    struct list pending;    // [queue] devices that have frames to send
    _Atomic bool waiting;   // [a] pending is not empty
    size_t bytes;           // [queue] of all frames that wait
    unsigned ndevs;         // [lock]
    unsigned copies;        // [lock] frames that bridges have sent in this turn
    struct ktimer later;    // what one call has left
    struct budget *buffers; // [c] borrowed: what devices are charged to; NULL: nothing
};

struct netdev {
    struct list link;        // [hub] net->devs
    struct list pending;     // [queue]
    struct netdev_hub *hub;  // [c]
    enum netdev_kind kind;   // [c]
    struct net_ns *net;      // [hub] where it is; borrowed: devices end with it
    struct netif *nif;       // [hub] what it is there
    int32_t index;           // [hub]
    bool up;                 // [hub]
    uint32_t mtu;            // [hub]
    uint8_t mac[6];          // [hub]
    char name[LINUX_IFNAMSIZ];  // [hub]
    struct netdev *peer;     // [hub] of a pair
    struct netdev *master;   // [hub] the bridge that it is a port of
    struct bridge *bridge;   // [hub] owned, of a bridge
    struct list out;         // [queue] frames
    unsigned nout;           // [queue]
};
struct netdev_frame {
    struct list link;
    uint32_t len;
    unsigned hops;
    uint8_t bytes[];
};

void netdev_hub_init(struct netdev_hub *h, struct timer_queue *timers);
void netdev_hub_destroy(struct netdev_hub *h);  // there are no devices

// What a namespace's stack is to be told of: netstack_config.sent.
void netdev_run(struct netdev_hub *h);
// As the end of a change: drops h->lock, and carries what has come meanwhile.
void netdev_unlock(struct netdev_hub *h);
#define NETDEV_LOCKED(h)                                                                                     \
    struct netdev_hub *hub_held_ __attribute__((cleanup(netdev_unlock_cleanup), unused)) = (h);              \
    lock_take(&hub_held_->lock)
static inline void netdev_unlock_cleanup(struct netdev_hub **h) { netdev_unlock(*h); }

// ---- Changes (netdev_config.c): 0 or -LINUX_E*. Who may has been asked ------------------------------------
// What is to be told of (rtnetlink), of up to two devices in one namespace or two.
struct net_news {
    unsigned n;
    struct {
        struct net_ns *net;  // a reference
        bool gone;
        struct net_link link;
    } of[4];
};
void net_news_done(struct net_news *n);

int netdev_new(struct net_ns *net, const struct net_new_link *w, struct net_news *news);
int netdev_change(struct net_ns *net, int32_t index, const struct net_link_change *c, struct net_news *news);
int netdev_delete(struct net_ns *net, int32_t index, struct net_news *news);
int netdev_set_up(struct net_ns *net, int32_t index, bool up);  // -ENODEV: it is none of these
// The namespace ends: its devices too, a pair's other end wherever it is. Told: news, once for each.
void netdev_end_all(struct net_ns *net, void (*tell)(struct net_news *n));
// What a link is beside an interface of the stack; l->index and l->flags are set.
void netdev_describe(struct net_ns *net, struct net_link *l);

// ---- On the inside: h->lock is held -----------------------------------------------------------------------
int netdev_transmit(void *arg, const struct ns_frame *f);  // of the stack
// Out through a port, n bytes, and no frame that has gone too far.
void netdev_send(struct netdev *d, const uint8_t *bytes, uint32_t len, unsigned hops);
void netdev_input(struct netdev *d, const uint8_t *bytes, uint32_t len);  // to d's own stack
void netdev_drop_queue(struct netdev *d);
static inline bool netdev_has_carrier(const struct netdev *d) {
    return d->kind != NETDEV_VETH || (d->up && d->peer && d->peer->up);
}

struct bridge *bridge_new(void);
void bridge_free(struct bridge *b);
size_t bridge_size(void);  // bytes of one
void bridge_forget(struct netdev *br, const struct netdev *port);  // all that was learnt there
// A frame that came in through a port; one that br's own stack sends.
void bridge_in(struct netdev *br, struct netdev *port, const struct netdev_frame *f);
void bridge_out(struct netdev *br, const struct netdev_frame *f);
bool bridge_has_room(const struct netdev *br);  // for one more port
void bridge_add_port(struct netdev *br, struct netdev *port);
void bridge_del_port(struct netdev *port);  // which may be of none
void bridge_del_all(struct netdev *br);

#endif
