// SPDX-License-Identifier: Apache-2.0
// A wire in memory between two stacks, for tests and benchmarks: with a rate, a queue, delay, loss,
// duplication, reordering and corruption, all from one seed, so that a run can be run again. Time is whatever
// the user says it is. Locks: the pair's own (RANK_LEAF), taken in transmit() under a stack's lock and never
// held while calling a stack.
#ifndef NETSTACK_LINK_PAIR_H
#define NETSTACK_LINK_PAIR_H
#include "netstack/netstack.h"

#define NS_PPM 1000000u
struct ns_pair_config {
    uint64_t delay;                        // ns, one way
    uint64_t jitter;                       // ns, on top of it at most; frames stay in order
    uint64_t rate;                         // bytes a second; 0: without bound
    uint32_t queue;                        // bytes that wait for the rate, a frame beyond is lost; 0: 1 MiB
    uint32_t loss, dup, reorder, corrupt;  // of a million frames
    uint64_t reorder_delay;                // ns: how much later a reordered frame comes
    uint32_t blackhole;                    // frames longer than this vanish; 0: none do
    uint64_t seed;                         // not 0
    uint64_t (*clock)(void *arg);
    void *arg;
};
struct ns_pair;
// Adds an interface to each stack (given in `a` and `b` but for transmit() and arg) and joins them.
int ns_pair_create(struct netstack *a, const struct netif_config *ca, struct netstack *b,
                   const struct netif_config *cb, const struct ns_pair_config *config, struct ns_pair **out);
struct netif *ns_pair_netif(struct ns_pair *p, unsigned end);  // 0: a's, 1: b's
// delivers what is due; when there is more, NETSTACK_NEVER: nothing under way
uint64_t ns_pair_poll(struct ns_pair *p);
uint64_t ns_pair_next(struct ns_pair *p);  // that time by itself
void ns_pair_destroy(struct ns_pair *p);   // the interfaces too

struct ns_pair_stats {
    uint64_t sent, delivered, lost, overflowed, duplicated, reordered, corrupted, blackholed, bytes;
};
void ns_pair_stats(struct ns_pair *p, struct ns_pair_stats *out);

#endif
