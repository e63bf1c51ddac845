// SPDX-License-Identifier: Apache-2.0
// The network namespace, network_namespaces(7): the stack with its links, addresses, routes and ports, and
// what else sockets share by it: abstract names of unix sockets, netlink's numbers. The kernel has the
// first, guests make others; a socket has that of its maker.
#ifndef SENTRY_SOCKET_NET_NS_H
#define SENTRY_SOCKET_NET_NS_H
#include "base/budget.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/rbtree.h"
#include "base/waitq.h"
#include "fs/nsfs.h"
#include "sentry/net/netdev.h"
#include "sentry/net/stack_links.h"
#include "sentry/time/timer.h"

#define UNIX_BUCKETS 64u

struct netstack;

struct unix_ns {
    struct lock lock;                 // RANK_OBJECT; a socket's own is taken inside it with lock_nested()
    struct waitq room;                // told when a full queue, or a full accept queue, has room again
    struct list sockets;              // [lock] all there are
    struct list names[UNIX_BUCKETS];  // [lock] sockets with abstract names
    _Atomic int in_flight;            // files on their way in all queues
    struct budget messages;           // bytes of messages in all queues
    struct lock flight;               // RANK_LEAF, unix_gc.c
    struct list flying;               // [flight] sockets on their way
    unsigned nflying, closed;         // [flight] how many; closed since garbage was looked for
    struct budget *buffers;           // [c] borrowed: of all buffers, which messages are charged to as well
};

// Bytes of messages in queues of unix and netlink sockets (unix_queue.c); false: there are too many.
bool queue_charge(struct unix_ns *ns, size_t bytes);
void queue_uncharge(struct unix_ns *ns, size_t bytes);

struct inet_ns {
    struct netstack *stack;    // [c] owned; it has a lock of its own
    struct ktimer timer;       // due when the stack has something to do
    struct stack_links links;  // [c] its links, for who tells of them
    struct netdev_hub *hub;    // [c] borrowed
    // Knobs of /proc/sys/net:
    _Atomic int unprivileged_port, somaxconn, wmem_max, rmem_max, forward;  // [a]
    _Atomic uint64_t ping_groups;  // [a] net.ipv4.ping_group_range: the first in the upper half, the last
};

struct netlink_ns {
    struct lock lock;      // RANK_OBJECT
    struct rb_root ports;  // [lock] sockets that have a number
    struct list sockets;   // [lock] all
};

#define NET_NS_MOST 256          // of a sandbox, beside the first
#define NET_NS_COST (256u << 10)  // bytes that one is charged as

struct kernel;
struct task;

// What all of a sandbox have in common. The kernel has one.
struct nets {
    struct unix_ns un;       // (`unix` is a macro of the compilers) sockets with paths meet across namespaces
    struct netdev_hub hub;   // devices between stacks
    struct budget packets;   // bytes that the stacks of all but the first have together
    struct lock lock;        // RANK_LEAF
    struct list ended;       // [lock] namespaces whose last reference is gone
    unsigned n;              // [lock] namespaces beside the first, ended ones too
    int32_t last_serial;     // [lock]
    struct ktimer reap;      // frees what has ended, on the event thread
};

struct net_ns {
    struct ns ns;
    struct nets *nets;        // [c] borrowed
    struct unix_ns *un;       // [c] borrowed: &nets->un
    struct netdev_hub *hub;   // [c] borrowed: &nets->hub
    struct inet_ns inet;
    struct netlink_ns netlink;
    struct list devs;         // [hub] its devices
    _Atomic unsigned ndevs;   // [a] how many
    int32_t serial;           // [c] by which links name it, IFLA_LINK_NETNSID; of the first: 0
    struct list ended;        // [nets->lock]
};
static inline struct net_ns *net_ns_get(struct net_ns *n) { return ns_get(&n->ns), n; }
static inline bool net_ns_try_get(struct net_ns *n) { return ref_get_unless_zero(&n->ns.refs); }
static inline void net_ns_put(struct net_ns *n) { ns_put(n ? &n->ns : NULL); }
static inline void net_ns_put_cleanup(struct net_ns **n) { net_ns_put(*n); }
#define cleanup_net_ns __attribute__((cleanup(net_ns_put_cleanup)))

// budget: bytes that packets and buffers may take.
void nets_init(struct nets *n, struct timer_queue *timers, size_t budget);
// All tasks are gone: what is on its way in queues of unix sockets is dropped, and what has ended with it.
void nets_drop(struct nets *n);
void nets_destroy(struct nets *n);  // none but the first was left, or they have ended
// The stack and what belongs to it, but for ns->ns. bare: as a new one is. 0 or -LINUX_E*.
int net_ns_init(struct net_ns *ns, struct nets *nets, struct timer_queue *timers, size_t budget, bool bare);
void net_ns_destroy(struct net_ns *ns);
// For clone(2) and unshare(2): a new one, with one reference. 0, ENOMEM, ENOSPC.
int net_ns_make(struct task *t, struct ns *owner, struct ns **out);
// Has t that capability over the network of ns?
bool net_ns_capable(const struct task *t, const struct net_ns *ns, int cap);

// sentry/socket/inet_ns.c
int inet_ns_init(struct inet_ns *ns, struct nets *nets, struct timer_queue *timers, size_t budget, bool bare);
void inet_ns_destroy(struct inet_ns *ns);

#endif
