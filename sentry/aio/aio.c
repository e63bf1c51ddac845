// SPDX-License-Identifier: Apache-2.0
// See aio.h. Locks: the set's for which contexts there are, a context's own for its events; never both.
#include "sentry/aio/aio.h"
#include "abi/errno.h"
#include "abi/poll.h"
#include "base/fault.h"

void aio_set_init(struct aio_set *s) {
    lock_init(&s->lock, RANK_OBJECT);
    list_init(&s->ctxs);
}

void aio_put(struct aio_ctx *c) {
    if (!ref_put(&c->refs))
        return;
    atomic_fetch_sub(c->total, c->max);
    waitq_destroy(&c->wait);
    lock_destroy(&c->lock);
    free(c);
}

void aio_set_destroy(struct aio_set *s) {
    struct aio_ctx *c, *tmp;
    list_for_each_safe(c, tmp, &s->ctxs, link) {
        list_del(&c->link);
        aio_put(c);
    }
    lock_destroy(&s->lock);
}

static bool charge(_Atomic unsigned *total, unsigned most, unsigned n) {
    unsigned old = atomic_load(total);
    do
        if (old > most || n > most - old)
            return false;
    while (!atomic_compare_exchange_weak(total, &old, old + n));
    return true;
}

int aio_new(struct aio_set *s, _Atomic unsigned *total, unsigned most, unsigned max, uint64_t id) {
    if (!charge(total, most, max))
        return -LINUX_EAGAIN;
    struct aio_ctx *c = xcalloc(1, sizeof *c + max * sizeof c->events[0]);
    if (!c) {
        atomic_fetch_sub(total, max);
        return -LINUX_ENOMEM;
    }
    ref_init(&c->refs, 1);
    lock_init(&c->lock, RANK_OBJECT);
    waitq_init(&c->wait);
    c->id = id;
    c->total = total;
    c->max = max;
    LOCKED(&s->lock);
    list_add_tail(&s->ctxs, &c->link);
    return 0;
}

static struct aio_ctx *find(struct aio_set *s, uint64_t id) {
    struct aio_ctx *c;
    list_for_each(c, &s->ctxs, link)
        if (c->id == id)
            return c;
    return NULL;
}

struct aio_ctx *aio_get(struct aio_set *s, uint64_t id) {
    LOCKED(&s->lock);
    struct aio_ctx *c = find(s, id);
    if (c)
        ref_get(&c->refs);
    return c;
}

bool aio_kill(struct aio_set *s, uint64_t id) {
    struct aio_ctx *c;
    {
        LOCKED(&s->lock);
        c = find(s, id);
        if (!c)
            return false;
        list_del(&c->link);
    }
    {
        LOCKED(&c->lock);
        c->dead = true;
    }
    waitq_wake(&c->wait, LINUX_POLLIN);
    aio_put(c);
    return true;
}

bool aio_is_dead(struct aio_ctx *c) {
    LOCKED(&c->lock);
    return c->dead;
}

bool aio_reserve(struct aio_ctx *c) {
    LOCKED(&c->lock);
    if (c->count + c->reserved >= c->max)
        return false;
    c->reserved++;
    return true;
}
void aio_unreserve(struct aio_ctx *c) {
    LOCKED(&c->lock);
    c->reserved--;
}

void aio_done(struct aio_ctx *c, const struct linux_io_event *e) {
    {
        LOCKED(&c->lock);
        c->reserved--;
        c->events[(c->first + c->count++) % c->max] = *e;
    }
    waitq_wake(&c->wait, LINUX_POLLIN);
}

unsigned aio_take(struct aio_ctx *c, struct linux_io_event *to, unsigned n) {
    LOCKED(&c->lock);
    unsigned i = 0;
    for (; i < n && c->count > 0; i++, c->count--) {
        to[i] = c->events[c->first];
        c->first = (c->first + 1) % c->max;
    }
    return i;
}
