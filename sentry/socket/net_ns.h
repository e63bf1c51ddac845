// SPDX-License-Identifier: Apache-2.0
// The network namespace, network_namespaces(7), as far as sockets share anything by it: abstract names of
// unix sockets, ports, netlink's numbers. The kernel has one; a socket has that of its maker.
#ifndef SENTRY_SOCKET_NET_NS_H
#define SENTRY_SOCKET_NET_NS_H
#include "base/list.h"
#include "base/lock.h"
#include "base/rbtree.h"
#include "base/waitq.h"

#define UNIX_BUCKETS 64u

struct unix_ns {
    struct lock lock;                 // RANK_OBJECT; a socket's own is taken inside it with lock_nested()
    struct waitq room;                // told when a full queue, or a full accept queue, has room again
    struct list sockets;              // [lock] all there are
    struct list names[UNIX_BUCKETS];  // [lock] sockets with abstract names
    _Atomic int in_flight;            // files on their way in all queues
};

struct inet_ns {
    struct lock lock;   // RANK_OBJECT
    struct list bound;  // [lock] sockets that have a port
};

struct netlink_ns {
    struct lock lock;      // RANK_OBJECT
    struct rb_root ports;  // [lock] sockets that have a number
};

struct net_ns {
    struct unix_ns un;  // (`unix` is a macro of the compilers)
    struct inet_ns inet;
    struct netlink_ns netlink;
};
void net_ns_init(struct net_ns *ns);
// All tasks are gone: drops what is still on its way in a queue.
void net_ns_destroy(struct net_ns *ns);

#endif
