// SPDX-License-Identifier: Apache-2.0
// See waitq.h.
#include "base/waitq.h"
#include "base/log.h"
#include <stddef.h>

// POLLERR | POLLHUP: reported whether asked for or not, poll(2).
#define ALWAYS 0x18u

void waitq_init(struct waitq *q) {
    lock_init(&q->lock, RANK_WAITQ);
    list_init(&q->waiters);
}
void waitq_destroy(struct waitq *q) {
    invariant(list_empty(&q->waiters));
    lock_destroy(&q->lock);
}
void waitq_add(struct waitq *q, struct waiter *w) {
    invariant(!w->q);
    LOCKED(&q->lock);
    w->q = q;
    list_add_tail(&q->waiters, &w->link);
}
void waitq_del(struct waiter *w) {
    struct waitq *q = w->q;
    if (!q)
        return;
    LOCKED(&q->lock);
    list_del(&w->link);
    w->q = NULL;
}
static bool wake_locked(struct waitq *q, uint32_t events) {
    bool used = false, used_exclusive = false;
    struct waiter *w;
    list_for_each(w, &q->waiters, link) {
        if (!(events & (w->events | ALWAYS)) || (w->exclusive && used_exclusive))
            continue;
        bool could = w->wake(w, events);
        used |= could;
        used_exclusive |= could && w->exclusive;
    }
    return used;
}
void waitq_wake(struct waitq *q, uint32_t events) {
    LOCKED(&q->lock);
    wake_locked(q, events);
}
bool waitq_wake_nested(struct waitq *q, uint32_t events) {
    lock_nested(&q->lock);
    bool used = wake_locked(q, events);
    lock_drop(&q->lock);
    return used;
}
bool waitq_empty(struct waitq *q) {
    LOCKED(&q->lock);
    return list_empty(&q->waiters);
}
