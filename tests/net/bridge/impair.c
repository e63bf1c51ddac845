// SPDX-License-Identifier: Apache-2.0
// What happens to a frame on the bridge: whether it is lost, doubled, changed or late, and when it goes on.
// Called by bridge_main.c. It knows no descriptors and reads no clock.
#include "tests/net/bridge/bridge.h"
#include <stdlib.h>
#include <string.h>

#define ETH_HEADER 14

enum fate { LOSS, DUP, REORDER, CORRUPT, WHERE };

// A hash instead of a sequence: an answer for one frame does not depend on what was asked for those before
// it.
static uint64_t dice(const struct direction *d, enum fate what) {
    uint64_t v = d->how->seed * 0x9e3779b97f4a7c15ull + d->count * 16 + (uint64_t)what * 2 + d->id;
    for (unsigned round = 0; round < 2; round++) {
        v ^= v >> 31;
        v *= 0xd6e8feb86659fd93ull;
        v ^= v >> 29;
        v *= 0xa0761d6478bd642full;
    }
    return v ^ v >> 32;
}

static bool happens(const struct direction *d, enum fate what, uint64_t ppm) {
    return ppm && dice(d, what) % PPM < ppm;
}

// When a frame that comes now goes on; 0: the queue is full.
static uint64_t schedule(struct direction *d, uint64_t now, size_t len) {
    const struct impairment *how = d->how;
    uint64_t start = d->free_at > now ? d->free_at : now;
    if (how->rate) {
        if ((start - now) * how->rate / 1000000000ull + len > how->queue) {
            d->stats.overflowed++;
            return 0;
        }
        start += len * 1000000000ull / how->rate;
        d->free_at = start;
    }
    if (happens(d, REORDER, how->reorder)) {
        d->stats.reordered++;
        return start + how->delay + how->reorder_delay;
    }
    uint64_t at = start + how->delay;
    d->last_at = at > d->last_at ? at : d->last_at;
    return d->last_at;
}

static void launch(struct direction *d, uint64_t now, const uint8_t *frame, size_t len) {
    struct flying *f = malloc(sizeof *f + len);
    uint64_t at = f ? schedule(d, now, len) : 0;
    if (!at) {
        free(f);
        return;
    }
    f->at = at;
    f->len = len;
    memcpy(f->data, frame, len);
    if (happens(d, CORRUPT, d->how->corrupt)) {
        uint64_t where = dice(d, WHERE);
        d->stats.corrupted++;
        f->data[where % len] ^= (uint8_t)(1u << (where >> 32) % 8);
    }
    // From the end: only frames that are late on purpose are further back.
    struct list *before = d->flying.prev;
    while (before != &d->flying && container_of(before, struct flying, link)->at > at)
        before = before->prev;
    list_add(before, &f->link);
}

void direction_take(struct direction *d, uint64_t now, const uint8_t *frame, size_t len) {
    d->count++;
    d->stats.frames++;
    d->stats.bytes += len;
    if (len == 0 || (d->how->blackhole && len > d->how->blackhole + ETH_HEADER)) {
        d->stats.blackholed++;
    } else if (happens(d, LOSS, d->how->loss)) {
        d->stats.lost++;
    } else {
        launch(d, now, frame, len);
        if (happens(d, DUP, d->how->dup)) {
            d->stats.duplicated++;
            launch(d, now, frame, len);
        }
    }
}

struct flying *direction_due(struct direction *d, uint64_t now) {
    struct flying *f = list_first(&d->flying, struct flying, link);
    if (list_empty(&d->flying) || f->at > now)
        return NULL;
    list_del(&f->link);
    return f;
}

uint64_t direction_next(const struct direction *d) {
    return list_empty(&d->flying) ? UINT64_MAX : list_first(&d->flying, struct flying, link)->at;
}

void direction_drain(struct direction *d) {
    for (struct flying *f = direction_due(d, UINT64_MAX); f; f = direction_due(d, UINT64_MAX))
        free(f);
}

void direction_init(struct direction *d, const struct impairment *how, unsigned id) {
    *d = (struct direction){.how = how, .id = id};
    list_init(&d->flying);
}
