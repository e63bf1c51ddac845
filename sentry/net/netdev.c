// SPDX-License-Identifier: Apache-2.0
// See netdev.h: frames on their way between stacks.
#include "sentry/net/netdev.h"
#include "abi/errno.h"
#include "base/clock.h"
#include "base/fault.h"
#include "netstack/netstack.h"
#include <stdlib.h>
#include <string.h>

#define BATCH    32          // frames that a stack gets in one call
#define PAUSE_NS 1000000ull  // before what a call has left is gone on with

// ---- Queues -----------------------------------------------------------------------------------------------
static size_t weight(uint32_t len) { return sizeof(struct netdev_frame) + len; }

// hub->queue is held.
static bool has_room(const struct netdev *d, uint32_t len) {
    return d->nout < NETDEV_QUEUE && weight(len) <= NETDEV_QUEUE_BYTES - d->hub->bytes;
}

static void pend(struct netdev *d, struct netdev_frame *f) {
    struct netdev_hub *h = d->hub;
    LOCKED(&h->queue);
    if (!has_room(d, f->len)) {
        free(f);
        return;
    }
    list_add_tail(&d->out, &f->link);
    d->nout++;
    h->bytes += weight(f->len);
    if (!list_linked(&d->pending))
        list_add_tail(&h->pending, &d->pending);
    atomic_store(&h->waiting, true);
}

static struct netdev_frame *frame_new(uint32_t len, unsigned hops) {
    struct netdev_frame *f = xrealloc(NULL, sizeof *f + len);  // not cleared: it is written at once
    if (!f)
        return NULL;
    list_init(&f->link);
    f->len = len;
    f->hops = hops;
    return f;
}

int netdev_transmit(void *arg, const struct ns_frame *out) {
    struct netdev *d = arg;
    if (d->kind == NETDEV_DUMMY)
        return 0;
    struct netdev_frame *f = frame_new((uint32_t)out->len, 0);
    if (!f)
        return -LINUX_ENOBUFS;
    size_t at = 0;
    for (unsigned i = 0; i < out->iovcnt && out->iov[i].len <= out->len - at; i++) {
        memcpy(f->bytes + at, out->iov[i].base, out->iov[i].len);
        at += out->iov[i].len;
    }
    f->len = (uint32_t)at;
    pend(d, f);
    return 0;
}

// Whether it is worth a copy: pend() looks again.
static bool may_send(struct netdev *d, uint32_t len) {
    LOCKED(&d->hub->queue);
    return has_room(d, len);
}

void netdev_send(struct netdev *d, const uint8_t *bytes, uint32_t len, unsigned hops) {
    struct netdev_frame *f = hops < NETDEV_HOPS && may_send(d, len) ? frame_new(len, hops) : NULL;
    if (!f)
        return;
    d->hub->copies++;
    memcpy(f->bytes, bytes, len);
    pend(d, f);
}

// Up to `most` frames of the first device that waits; it goes to the end of the line.
static struct netdev *take(struct netdev_hub *h, struct netdev_frame *f[], unsigned most, unsigned *n) {
    LOCKED(&h->queue);
    *n = 0;
    if (list_empty(&h->pending)) {
        atomic_store(&h->waiting, false);
        return NULL;
    }
    struct netdev *d = list_first(&h->pending, struct netdev, pending);
    list_del(&d->pending);
    while (*n < most && !list_empty(&d->out)) {
        struct netdev_frame *one = list_first(&d->out, struct netdev_frame, link);
        list_del(&one->link);
        d->nout--;
        h->bytes -= weight(one->len);
        f[(*n)++] = one;
    }
    if (!list_empty(&d->out))
        list_add_tail(&h->pending, &d->pending);
    return d;
}

void netdev_drop_queue(struct netdev *d) {
    LOCKED(&d->hub->queue);
    while (!list_empty(&d->out)) {
        struct netdev_frame *f = list_first(&d->out, struct netdev_frame, link);
        list_del(&f->link);
        d->hub->bytes -= weight(f->len);
        free(f);
    }
    d->nout = 0;
    list_del(&d->pending);
}

// ---- Carrying: the hub's lock is held ---------------------------------------------------------------------
void netdev_input(struct netdev *d, const uint8_t *bytes, uint32_t len) {
    const struct ns_rx rx = {.frame = bytes, .len = len};
    if (d->up)
        netif_input_batch(d->nif, &rx, 1);
}

static void to_stack(struct netdev *d, struct netdev_frame *f[], unsigned n) {
    struct ns_rx rx[BATCH];
    for (unsigned i = 0; i < n; i++)
        rx[i] = (struct ns_rx){.frame = f[i]->bytes, .len = f[i]->len};
    netif_input_batch(d->nif, rx, n);
}

static void carry(struct netdev *d, struct netdev_frame *f[], unsigned n) {
    struct netdev *to = d->peer;
    if (d->kind == NETDEV_BRIDGE) {
        for (unsigned i = 0; i < n; i++)
            bridge_out(d, f[i]);
    } else if (to && to->up && d->up && to->master) {
        for (unsigned i = 0; i < n; i++)
            bridge_in(to->master, to, f[i]);
    } else if (to && to->up && d->up) {
        to_stack(to, f, n);
    }
}

// How many of `most` frames were not there. A bridge's copies count as carried: a flood ends the turn.
static unsigned drain(struct netdev_hub *h, unsigned most) {
    struct netdev_frame *f[BATCH];
    unsigned n;
    struct netdev *d;
    while (most > 0 && (d = take(h, f, most < BATCH ? most : BATCH, &n))) {
        h->copies = 0;
        carry(d, f, n);
        for (unsigned i = 0; i < n; i++)
            free(f[i]);
        n += h->copies;
        most -= n < most ? n : most;
    }
    return most;
}

// Who finds the lock held leaves what he has to its holder, who looks again after it.
void netdev_run(struct netdev_hub *h) {
    unsigned left = NETDEV_TURN;
    while (left > 0 && atomic_load(&h->waiting) && lock_try(&h->lock)) {
        left = drain(h, left);
        lock_drop(&h->lock);
    }
    if (left == 0 && atomic_load(&h->waiting))
        ktimer_set(&h->later, mono_ns() + PAUSE_NS);
}

void netdev_unlock(struct netdev_hub *h) {
    lock_drop(&h->lock);
    netdev_run(h);
}

static void go_on(struct ktimer *t) { netdev_run(container_of(t, struct netdev_hub, later)); }

void netdev_hub_init(struct netdev_hub *h, struct timer_queue *timers) {
    *h = (struct netdev_hub){.ndevs = 0};
    lock_init(&h->lock, RANK_NETDEV);
    lock_init(&h->queue, RANK_CLIENT);
    list_init(&h->pending);
    ktimer_init(timers, &h->later, go_on);
}

void netdev_hub_destroy(struct netdev_hub *h) {
    ktimer_cancel_sync(&h->later);
    lock_destroy(&h->queue);
    lock_destroy(&h->lock);
}
