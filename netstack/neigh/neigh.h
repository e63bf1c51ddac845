// SPDX-License-Identifier: Apache-2.0
// The neighbour cache: link addresses of neighbours, learnt by ARP (RFC 826) for IPv4 and neighbour discovery
// (RFC 4861) for IPv6, with the states of RFC 4861 7.3.2 for both. An entry is made only when we want to send
// to a neighbour, or it asked for an address of ours; so a flood of unasked-for answers makes none. The cache
// is bounded: the least recently used entry is replaced. Lock: the stack's.
//
//   from         to           by
//   -            INCOMPLETE   neigh_send() to an unknown neighbour: a request goes out, the packet waits
//   -            STALE        neigh_learn(): the neighbour asked us for one of our addresses
//   INCOMPLETE   REACHABLE    a solicited answer        INCOMPLETE   (gone)   three requests without one
//   REACHABLE    STALE        30 s without confirmation, or another link address was announced
//   STALE        DELAY        neigh_send(): used, and watched from now on
//   DELAY        PROBE        5 s without confirmation: requests go to the address that we know
//   -, any       PERMANENT    netif_set_neigh(), and back
//   DELAY, PROBE REACHABLE    a solicited answer, or neigh_confirm() by TCP's progress
//   PROBE        (gone)       three requests without an answer
#ifndef NETSTACK_NEIGH_NEIGH_H
#define NETSTACK_NEIGH_NEIGH_H
#include "netstack/core/pkt.h"
#include "netstack/core/stack.h"

struct ifaddr;
// packets that wait for one address; the oldest goes (RFC 1122 2.3.2.2, RFC 4861 7.2.2)
#define NEIGH_QUEUE 3

enum neigh_state {  // as enum ns_neigh_state
    NEIGH_INCOMPLETE,
    NEIGH_REACHABLE,
    NEIGH_STALE,
    NEIGH_DELAY,
    NEIGH_PROBE,
    NEIGH_PERMANENT,  // the user's: no timer, not replaced, nothing that is heard changes it
};
struct neigh {
    struct list hash, lru;
    struct netif *nif;
    struct ns_ip ip;
    uint8_t mac[6];
    enum neigh_state state;
    unsigned probes;
    struct timer timer;
    struct list queue;
    unsigned queued;
};

// Sends an IP packet to the neighbour `next`, now or when its address is known. Takes p.
int neigh_send(struct netif *nif, const struct ns_ip *next, struct pkt *p);
// What a packet of the neighbour says about its link address.
enum neigh_news {
    NEIGH_ASKED,      // it asked for one of our addresses: known as STALE
    NEIGH_ANNOUNCED,  // unasked for: only an entry that is there is changed
    NEIGH_ANSWERED,   // an answer to our request
};
// `override`: a different address than the one we know counts (RFC 4861 7.2.5).
void neigh_learn(struct netif *nif, const struct ns_ip *ip, const uint8_t mac[6], enum neigh_news news,
                 bool override);
void neigh_confirm(struct netif *nif, const struct ns_ip *ip);  // it answers, TCP says
void neigh_flush(struct netstack *ns, struct netif *nif);

// ARP (arp.c).
void arp_input(struct pkt *p);  // the Ethernet header is pulled; takes p
void arp_request(struct netif *nif, const struct ns_ip *ip, const uint8_t *mac);  // mac: NULL for all
void arp_announce(struct netif *nif, const struct ns_ip *ip);                     // RFC 5227 2.3

// Neighbour discovery (ndp.c): called by icmp6.c with the ICMPv6 message in front; takes p.
void ndp_input(struct pkt *p, uint8_t type);
void ndp_solicit(struct netif *nif, const struct ns_ip *ip, const uint8_t *mac);
void ndp_solicit_router(struct timer *t);
void ndp_start_dad(struct ifaddr *a);
void ndp_dad_timer(struct timer *t);

// What routers give, and for how long (slaac.c).
void slaac_start(struct netif *nif);  // link-local address, router solicitations
void slaac_router(struct netif *nif, const struct ns_ip *ip, uint32_t seconds);
void slaac_prefix(struct netif *nif, const uint8_t *option);
void slaac_expire(struct timer *t);

#endif
