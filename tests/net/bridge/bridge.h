// SPDX-License-Identifier: Apache-2.0
// harmbridge: a bridge of two interfaces that harms what it carries, for tests of TCP where the kernel has no
// netem. What it does to the n-th frame of a direction depends on the seed, the direction and n alone, so two
// runs with one seed meet the same losses. port.c has the ends, impair.c the fate of a frame, bridge_main.c
// the options and the loop. One thread.
#ifndef TESTS_NET_BRIDGE_BRIDGE_H
#define TESTS_NET_BRIDGE_BRIDGE_H
#include "base/list.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAME_MAX 65550
#define PPM       1000000u

struct impairment {
    uint64_t loss, dup, reorder, corrupt;  // of a million frames
    uint64_t delay, reorder_delay;         // ns: for each frame; more for one that is reordered
    uint64_t rate;                         // bytes a second; 0: without bound
    uint64_t queue;                        // bytes that may wait for the rate
    uint64_t blackhole;                    // IP packets longer than this vanish; 0: none do
    uint64_t seed;
};
struct bridge_stats {
    uint64_t frames, bytes, lost, overflowed, duplicated, reordered, corrupted, blackholed, refused;
};

struct flying {
    struct list link;
    uint64_t at;
    size_t len;
    uint8_t data[];
};
// One direction of the bridge.
struct direction {
    const struct impairment *how;
    uint64_t id;        // 0 or 1
    uint64_t count;     // frames that have come
    uint64_t free_at;   // when the rate has let through what it was given
    uint64_t last_at;   // of the latest frame that keeps its place
    struct list flying; // by time
    struct bridge_stats stats;
};
void direction_init(struct direction *d, const struct impairment *how, unsigned id);
void direction_take(struct direction *d, uint64_t now, const uint8_t *frame, size_t len);
struct flying *direction_due(struct direction *d, uint64_t now); // the caller frees it; NULL: none is
uint64_t direction_next(const struct direction *d);              // UINT64_MAX: nothing is under way
void direction_drain(struct direction *d);

// An end, by its name: "tap:NAME" or "veth:NAME". A descriptor, or a negative errno. No offloads: a veth's
// other end must have them switched off by its owner.
int port_open(const char *name);

#endif
