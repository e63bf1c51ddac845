// SPDX-License-Identifier: Apache-2.0
// Wait queues. An object that can become ready owns a waitq; whoever wants to know puts a waiter on it.
// Nobody sleeps on a queue: waking calls the waiter's function, which marks a task as ready, an epoll item as
// pending, and so on.
//
// The function runs under the queue's lock (RANK_WAITQ), so it may only take locks of a higher rank, and may
// not free the waiter. After waitq_del() returns it does not run any more.
#ifndef BASE_WAITQ_H
#define BASE_WAITQ_H
#include "base/list.h"
#include "base/lock.h"
#include <stdint.h>

struct waitq {
    struct lock lock;
    struct list waiters;  // [lock]
};

struct waiter {
    struct list link;  // [q->lock]
    struct waitq *q;   // NULL: on no queue
    uint32_t events;   // which of LINUX_POLL* it is interested in (POLLERR and POLLHUP always count)
    bool exclusive;    // one exclusive waiter is woken at a time
    // Returns whether it could use the wake-up (for exclusive waiters).
    bool (*wake)(struct waiter *w, uint32_t events);
    void *arg;  // the owner's own
};

void waitq_init(struct waitq *q);
void waitq_destroy(struct waitq *q);  // nobody may be on it
// Puts w (not on any queue; wake, events and exclusive are set) at the tail.
void waitq_add(struct waitq *q, struct waiter *w);
// Takes it off; does nothing when it is on none.
void waitq_del(struct waiter *w);
// Wakes all that match `events`, but of exclusive ones only the first that can use it.
void waitq_wake(struct waitq *q, uint32_t events);
// The same from within a waiter's function, that is with the lock of another queue held: for objects that
// pass wake-ups on (epoll). The caller guarantees that passing on has no cycles. Whether anybody could use
// it.
bool waitq_wake_nested(struct waitq *q, uint32_t events);
// Whether nobody waits at this moment.
bool waitq_empty(struct waitq *q);

#endif
