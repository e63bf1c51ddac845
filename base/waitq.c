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
void waitq_wake(struct waitq *q, uint32_t events) {
    LOCKED(&q->lock);
    bool used = false;
    struct waiter *w;
    list_for_each(w, &q->waiters, link) {
        if (!(events & (w->events | ALWAYS)) || (w->exclusive && used))
            continue;
        if (w->wake(w, events) && w->exclusive)
            used = true;
    }
}
bool waitq_empty(struct waitq *q) {
    LOCKED(&q->lock);
    return list_empty(&q->waiters);
}
