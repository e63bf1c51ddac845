// SPDX-License-Identifier: Apache-2.0
// See pair.h. Uses the stacks from outside only (netstack.h). Frames wait in the order of their delivery.
#include "netstack/link/pair.h"
#include "abi/errno.h"
#include "base/fault.h"
#include "base/list.h"
#include "base/lock.h"
#include <string.h>

#define QUEUE (1u << 20)
#define BATCH 16

struct flying {
    struct list link;
    uint64_t at;
    unsigned to;  // the end that it goes to
    size_t len;
    uint8_t data[];
};
struct end {
    struct ns_pair *pair;
    struct netif *nif;
    uint64_t free_at;  // when the wire has sent what it was given
    uint64_t last_at;  // delivery of the latest that was not reordered
};
struct ns_pair {
    struct lock lock;
    struct ns_pair_config config;  // const
    struct end ends[2];            // [lock] but for pair and nif
    struct list flying;            // [lock] by time
    uint64_t random;               // [lock]
    struct ns_pair_stats stats;    // [lock]
};

// xorshift64*: not for secrets, but the same on every machine.
static uint64_t next_random(struct ns_pair *p) {
    p->random ^= p->random >> 12;
    p->random ^= p->random << 25;
    p->random ^= p->random >> 27;
    return p->random * 2685821657736338717ull;
}
static bool chance(struct ns_pair *p, uint32_t ppm) { return ppm && next_random(p) % NS_PPM < ppm; }

// When a frame given now arrives; 0: it does not.
static uint64_t schedule(struct ns_pair *p, struct end *e, size_t len) {
    const struct ns_pair_config *c = &p->config;
    uint64_t now = c->clock(c->arg), start = e->free_at > now ? e->free_at : now;
    if (c->rate) {
        if ((start - now) * c->rate / 1000000000ull + len > (c->queue ? c->queue : QUEUE)) {
            p->stats.overflowed++;
            return 0;
        }
        start += len * 1000000000ull / c->rate;
        e->free_at = start;
    }
    uint64_t at = start + c->delay + (c->jitter ? next_random(p) % c->jitter : 0);
    if (chance(p, c->reorder)) {
        p->stats.reordered++;
        return at + c->reorder_delay;
    }
    at = at > e->last_at ? at : e->last_at;
    e->last_at = at;
    return at;
}

static void launch(struct ns_pair *p, struct end *e, const struct ns_frame *frame) {
    struct flying *f = xrealloc(NULL, sizeof *f + frame->len);
    uint64_t at = f ? schedule(p, e, frame->len) : 0;
    if (!at) {
        free(f);
        return;
    }
    *f = (struct flying){.at = at, .to = e == &p->ends[0], .len = frame->len};
    size_t n = 0;
    for (unsigned i = 0; i < frame->iovcnt; i++) {
        memcpy(f->data + n, frame->iov[i].base, frame->iov[i].len);
        n += frame->iov[i].len;
    }
    if (chance(p, p->config.corrupt)) {
        p->stats.corrupted++;
        f->data[next_random(p) % n] ^= (uint8_t)(1u << next_random(p) % 8);
    }
    struct list *before = p->flying.prev;
    while (before != &p->flying && container_of(before, struct flying, link)->at > at)
        before = before->prev;
    list_add(before, &f->link);
}

static int transmit(void *arg, const struct ns_frame *frame) {
    struct end *e = arg;
    struct ns_pair *p = e->pair;
    LOCKED(&p->lock);
    p->stats.sent++;
    p->stats.bytes += frame->len;
    if (p->config.blackhole && frame->len > p->config.blackhole) {
        p->stats.blackholed++;
    } else if (chance(p, p->config.loss)) {
        p->stats.lost++;
    } else {
        launch(p, e, frame);
        if (chance(p, p->config.dup)) {
            p->stats.duplicated++;
            launch(p, e, frame);
        }
    }
    return 0;
}

// The frames for one end that are due, as far as none for the other lies between; how many.
static unsigned take_due(struct ns_pair *p, uint64_t now, struct flying *due[static BATCH]) {
    LOCKED(&p->lock);
    unsigned n = 0;
    while (n < BATCH && !list_empty(&p->flying)) {
        struct flying *f = list_first(&p->flying, struct flying, link);
        if (f->at > now || (n > 0 && f->to != due[0]->to))
            break;
        list_del(&f->link);
        p->stats.delivered++;
        due[n++] = f;
    }
    return n;
}

uint64_t ns_pair_next(struct ns_pair *p) {
    LOCKED(&p->lock);
    return list_empty(&p->flying) ? NETSTACK_NEVER : list_first(&p->flying, struct flying, link)->at;
}

uint64_t ns_pair_poll(struct ns_pair *p) {
    uint64_t now = p->config.clock(p->config.arg);
    struct flying *due[BATCH];
    struct ns_rx rx[BATCH];
    for (unsigned n = take_due(p, now, due); n > 0; n = take_due(p, now, due)) {
        for (unsigned i = 0; i < n; i++)
            rx[i] = (struct ns_rx){.frame = due[i]->data, .len = due[i]->len};
        netif_input_batch(p->ends[due[0]->to].nif, rx, n);
        for (unsigned i = 0; i < n; i++)
            free(due[i]);
    }
    return ns_pair_next(p);
}

struct netif *ns_pair_netif(struct ns_pair *p, unsigned end) {
    return p->ends[end].nif;
}

void ns_pair_stats(struct ns_pair *p, struct ns_pair_stats *out) {
    LOCKED(&p->lock);
    *out = p->stats;
}

void ns_pair_destroy(struct ns_pair *p) {
    for (unsigned i = 0; i < 2; i++)
        if (p->ends[i].nif)
            netif_remove(p->ends[i].nif);
    while (!list_empty(&p->flying)) {
        struct flying *f = list_first(&p->flying, struct flying, link);
        list_del(&f->link);
        free(f);
    }
    lock_destroy(&p->lock);
    free(p);
}

int ns_pair_create(struct netstack *a, const struct netif_config *ca, struct netstack *b,
                   const struct netif_config *cb, const struct ns_pair_config *config, struct ns_pair **out) {
    struct ns_pair *p = znew(struct ns_pair);
    struct netstack *stacks[2] = {a, b};
    const struct netif_config *configs[2] = {ca, cb};
    if (!p)
        return -LINUX_ENOMEM;
    lock_init(&p->lock, RANK_LEAF);
    list_init(&p->flying);
    p->config = *config;
    p->random = config->seed ? config->seed : 1;
    for (unsigned i = 0; i < 2; i++) {
        struct netif_config c = *configs[i];
        c.transmit = transmit;
        c.arg = &p->ends[i];
        p->ends[i].pair = p;
        int err = netif_add(stacks[i], &c, &p->ends[i].nif);
        if (err) {
            ns_pair_destroy(p);
            return err;
        }
    }
    *out = p;
    return 0;
}
