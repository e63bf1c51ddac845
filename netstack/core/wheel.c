// SPDX-License-Identifier: Apache-2.0
// See wheel.h. Called by the stack (core/stack.c) and, for arming, by everything that waits. Lock: the
// stack's.
#include "netstack/core/wheel.h"
#include "base/log.h"

#define BITS 6
#define MASK (WHEEL_SLOTS - 1)

void wheel_init(struct wheel *w, uint64_t now) {
    *w = (struct wheel){.tick = now / WHEEL_TICK};
    for (unsigned level = 0; level < WHEEL_LEVELS; level++)
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&w->slots[level][slot]);
}

void timer_init(struct timer *t, void (*run)(struct timer *)) {
    *t = (struct timer){.run = run};
    list_init(&t->link);
}

// The lowest level on which the tick differs from now's within one turn of that level's hand.
static void wheel_place(struct wheel *w, struct timer *t) {
    uint64_t at = t->at, delta = at - w->tick;
    unsigned level = 0;
    while (level < WHEEL_LEVELS - 1 && delta >> (BITS * (level + 1)))
        level++;
    uint64_t reach = (1ull << (BITS * WHEEL_LEVELS)) - 1;
    if (delta > reach)
        at = w->tick + reach;
    t->level = (uint8_t)level;
    t->slot = (at >> (BITS * level)) & MASK;
    list_add_tail(&w->slots[level][t->slot], &t->link);
    w->used[level] |= 1ull << t->slot;
}

static void unlink_timer(struct wheel *w, struct timer *t) {
    list_del(&t->link);
    if (list_empty(&w->slots[t->level][t->slot]))
        w->used[t->level] &= ~(1ull << t->slot);
}

void timer_arm(struct wheel *w, struct timer *t, uint64_t when) {
    timer_cancel(w, t);
    t->at = when / WHEEL_TICK + (when % WHEEL_TICK != 0);
    if (t->at <= w->tick)
        t->at = w->tick + 1;
    wheel_place(w, t);
    w->armed++;
}

void timer_cancel(struct wheel *w, struct timer *t) {
    if (!timer_armed(t))
        return;
    unlink_timer(w, t);
    w->armed--;
}

// The hand of `level` has come to a new slot: what lies there is nearer now.
static void cascade(struct wheel *w, unsigned level) {
    unsigned slot = (w->tick >> (BITS * level)) & MASK;
    struct list moved;
    list_init(&moved);
    list_splice_tail(&moved, &w->slots[level][slot]);
    w->used[level] &= ~(1ull << slot);
    while (!list_empty(&moved)) {
        struct timer *t = list_first(&moved, struct timer, link);
        list_del(&t->link);
        wheel_place(w, t);
    }
}

static void run_slot(struct wheel *w) {
    struct list *slot = &w->slots[0][w->tick & MASK];
    while (!list_empty(slot)) {
        struct timer *t = list_first(slot, struct timer, link);
        invariant(t->at <= w->tick);
        unlink_timer(w, t);
        w->armed--;
        t->run(t);
    }
}

// The next tick at which a slot has to be looked at.
static uint64_t next_tick(const struct wheel *w) {
    uint64_t best = UINT64_MAX;
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        if (!w->used[level])
            continue;
        uint64_t hand = w->tick >> (BITS * level);
        unsigned start = (unsigned)(hand + 1) & MASK;
        uint64_t turned =
            start ? w->used[level] >> start | w->used[level] << (WHEEL_SLOTS - start) : w->used[level];
        uint64_t at = (hand + 1 + (unsigned)__builtin_ctzll(turned)) << (BITS * level);
        best = at < best ? at : best;
    }
    return best;
}

void wheel_run(struct wheel *w, uint64_t now) {
    uint64_t until = now / WHEEL_TICK;
    for (;;) {
        uint64_t next = next_tick(w);
        if (next > until)
            break;
        w->tick = next;
        for (unsigned level = WHEEL_LEVELS - 1; level > 0; level--)
            if ((w->tick & ((1ull << (BITS * level)) - 1)) == 0)
                cascade(w, level);
        run_slot(w);
    }
    if (until > w->tick)
        w->tick = until;
}

uint64_t wheel_next(const struct wheel *w) {
    uint64_t next = next_tick(w);
    return next == UINT64_MAX ? next : next * WHEEL_TICK;
}
