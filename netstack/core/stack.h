// SPDX-License-Identifier: Apache-2.0
// The stack object: all state there is, and the way in and out of it.
//
// Locks: ns->lock (RANK_NETSTACK) guards everything below netstack/, whole. One lock was chosen over one per
// connection because a sandbox's traffic is served by few threads; a second core gets a second stack (a
// shard), not a share of this one. A public function is inside of it from IN_STACK() to its end. On the way
// out the backlog of the loopback interface is worked off, sockets send what the packets that came in made
// them owe (sock_later), and sockets that died are freed, so no function in between has the ground pulled
// away: a socket that was found stays valid until the lock is dropped.
// LIMIT: one lock a stack; connections of one stack do not run on two cores at a time.
#ifndef NETSTACK_CORE_STACK_H
#define NETSTACK_CORE_STACK_H
#include "base/list.h"
#include "base/lock.h"
#include "base/log.h"
#include "netstack/core/siphash.h"
#include "netstack/core/stats.h"
#include "netstack/core/wheel.h"
#include "netstack/netstack.h"

#define NS_MS  1000000ull
#define NS_SEC 1000000000ull

#define STACK_BUDGET     (64u << 20)  // the default
#define STACK_BACKLOG    4096         // packets on their way through loopback
#define STACK_CONN_HASH  4096
#define STACK_PORT_HASH  1024
#define STACK_ROUTES     256
#define STACK_NEIGHBOURS 512
#define STACK_PMTU       64
#define STACK_RULES      256
#define STACK_TRACKED    4096
#define STACK_TRACK_HASH 256

// So many a second, saved up to `burst` (RFC 4443 2.4 f).
struct bucket {
    uint32_t rate, burst;
    uint64_t tokens;  // thousandths
    uint64_t at;      // ns
};

// What a path was found to carry (RFC 1191, RFC 8201): a small table, the least recently learnt is replaced.
struct pmtu {
    struct ns_ip dst;
    uint32_t mtu;
    uint64_t until;
};

// What the layers below have to tell the sockets, which they do not know. Filled by netstack/netstack.c.
struct pkt;
struct netif;
struct ip_error;
struct stack_upper {
    void (*backlog)(struct netstack *ns);  // one packet of the loopback queue goes in
    void (*output)(struct netstack *ns);   // sockets send what they owe
    void (*reap)(struct netstack *ns);     // sockets that died are freed
    bool (*raw)(struct pkt *p);            // the transport header is in front; did a raw socket want a copy?
    void (*raw_error)(struct netstack *ns, const struct ip_error *e);  // about a packet that was sent
    void (*tap)(struct netif *nif, struct pkt *p, bool outgoing);  // a frame, for packet sockets
    void (*netif_gone)(struct netif *nif);                         // it is about to be freed
};

struct netstack {
    struct lock lock;
    const struct stack_upper *upper;
    struct netstack_config config;
    uint64_t now;  // ns: the time of the call that is inside
    uint64_t told;  // the deadline that the user was told last
    bool sent;      // a link was given a frame in this call
    struct netstack_usage usage;
    uint64_t stats[STAT_COUNT];
    struct wheel wheel;
    struct siphash_key key;

    bool echo_to_all;  // netstack_set_echo_to_all()
    bool forward[2];  // packets of others are sent on: IPv4, IPv6
    struct list netifs, routes;
    unsigned nroutes;
    struct netif *lo;
    struct list backlog;  // packets that go in again when the call is done
    unsigned backlog_len;

    struct list rules;  // ip/filter.c
    unsigned nrules, rules_at[NS_POINTS];
    int next_rule;
    struct list tracked[STACK_TRACK_HASH];
    struct list tracked_lru;  // the least recently used first
    unsigned ntracked, tracking_rules;

    struct filter *filter;  // filter/: nftables' rules; NULL: there were never any
    uint32_t nf_hooks;      // where it is to be asked: filter/hooks.h

    const struct ip_proto *protos[256];  // who is over IP, by number: ip/deliver.c

    struct list neighbours[64];
    struct list neigh_lru;  // the least recently used first
    unsigned nneighbours;
    struct list fragments;  // reassembly queues, the oldest first
    size_t fragment_bytes;
    struct timer fragment_timer;
    struct pmtu pmtu[STACK_PMTU];
    unsigned npmtu;  // of them in use
    struct bucket icmp_errors, icmp_replies, challenge_acks;
    uint16_t ip_id;

    struct list conns[STACK_CONN_HASH];     // connected: by both addresses and ports
    struct list bound[2][STACK_PORT_HASH];  // bound: TCP and UDP, by port
    // whoever has a local port, bound or connected, until it is closed
    struct list used[2][STACK_PORT_HASH];
    struct list raws;                       // raw sockets, of all protocols
    struct list packets;                    // packet sockets
    struct list socks;                      // all
    struct list later;                      // have something to send, once the call is done
    struct list dead;                       // freed on the way out
    struct list time_wait;                  // the oldest first
    unsigned ntime_wait;
    uint32_t port_seed;
};

void stack_enter(struct netstack *ns);
void stack_leave(struct netstack *ns);
static inline void stack_leave_cleanup(struct netstack **ns) { stack_leave(*ns); }
// Inside the stack until the end of the block.
#define IN_STACK(ns) \
    struct netstack *stack_inside_ __attribute__((cleanup(stack_leave_cleanup), unused)) = (ns); \
    stack_enter(stack_inside_)

// The budget: false when it would be exceeded.
bool stack_charge(struct netstack *ns, size_t bytes);
void stack_uncharge(struct netstack *ns, size_t bytes);
// Cleared memory for an object, charged; NULL: over budget, or there is none.
void *stack_alloc(struct netstack *ns, size_t size);
void stack_free(struct netstack *ns, void *p, size_t size);

uint32_t stack_random(struct netstack *ns);
static inline void stack_arm(struct netstack *ns, struct timer *t, uint64_t when) {
    timer_arm(&ns->wheel, t, when);
}
static inline void stack_cancel(struct netstack *ns, struct timer *t) { timer_cancel(&ns->wheel, t); }
bool bucket_take(struct netstack *ns, struct bucket *b);

#endif
