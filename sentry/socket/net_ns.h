// SPDX-License-Identifier: Apache-2.0
// The network namespace, network_namespaces(7): the stack with its links, addresses, routes and ports, and
// what else sockets share by it: abstract names of unix sockets, netlink's numbers. The kernel has one; a
// socket has that of its maker.
#ifndef SENTRY_SOCKET_NET_NS_H
#define SENTRY_SOCKET_NET_NS_H
#include "base/budget.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/rbtree.h"
#include "base/waitq.h"
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

struct inet_ns {
    struct netstack *stack;    // [c] owned; it has a lock of its own
    struct ktimer timer;       // due when the stack has something to do
    struct stack_links links;  // [c] its links, for who tells of them
    // Knobs of /proc/sys/net:
    _Atomic int unprivileged_port, somaxconn, wmem_max, rmem_max, forward;  // [a]
    _Atomic uint64_t ping_groups;  // [a] net.ipv4.ping_group_range: the first in the upper half, the last
};

struct netlink_ns {
    struct lock lock;      // RANK_OBJECT
    struct rb_root ports;  // [lock] sockets that have a number
    struct list sockets;   // [lock] all
};

struct net_ns {
    struct unix_ns un;  // (`unix` is a macro of the compilers)
    struct inet_ns inet;
    struct netlink_ns netlink;
};
// budget: bytes that packets and buffers may take. 0 or -LINUX_E*.
int net_ns_init(struct net_ns *ns, struct timer_queue *timers, size_t budget);
// All tasks are gone: drops what is still on its way in a queue.
void net_ns_destroy(struct net_ns *ns);

// sentry/socket/inet_ns.c
int inet_ns_init(struct inet_ns *ns, struct timer_queue *timers, size_t budget);
void inet_ns_destroy(struct inet_ns *ns);

#endif
