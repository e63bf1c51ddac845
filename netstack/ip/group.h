// SPDX-License-Identifier: Apache-2.0
// Groups: which of them an interface is a member of (RFC 1112), and what the routers of its link are told.
// IGMP (RFC 3376, 2236) and MLD (RFC 3810, 2710) are one protocol in two encodings: here is what they have in
// common, igmp.c has the messages. A socket joins by group_join(); an address joins its solicited-node group.
// Lock: the stack's.
//
// Versions are numbered as IGMP's: 3 is also MLDv2, 2 is also MLDv1. The newest is spoken until an older
// querier is heard, and for a while after it.
#ifndef NETSTACK_IP_GROUP_H
#define NETSTACK_IP_GROUP_H
#include "netstack/core/pkt.h"
#include "netstack/core/stack.h"

#define NETIF_GROUPS 256  // of one interface

struct group {
    struct list link;  // nif->groups
    struct netif *nif;
    struct ns_ip ip;
    unsigned users;     // 0: left, and the routers are still being told
    unsigned repeats;   // of the news, still to be sent
    bool ours;          // older versions: the last report of it on the link was ours
    struct timer news;  // the next repeat
    struct timer answer;
};
// What one family's routers on the link are known to want.
struct group_router {
    struct netif *nif;
    bool four;
    unsigned robustness;  // how often news are sent
    uint64_t interval;    // ns: between queries
    uint64_t v1_until, v2_until;
    struct timer answer;  // to a query about all groups
};

void group_start(struct netif *nif);
void group_flush(struct netif *nif);  // the interface goes, timers too; sockets have forgotten it
struct group *group_find(struct netif *nif, const struct ns_ip *ip);  // NULL: nobody has joined
int group_join(struct netif *nif, const struct ns_ip *ip);
void group_leave(struct netif *nif, const struct ns_ip *ip);
// Whether packets to it are taken: joined, or that of all hosts.
bool group_member(struct netif *nif, const struct ns_ip *ip);
unsigned group_version(const struct group_router *r);
// RFC 3376 6, RFC 3810 6: not of all hosts, nor within the host
bool group_reportable(const struct group *g);
static inline bool group_left(const struct group *g) { return g->users == 0; }

// ---- What igmp.c hears ------------------------------------------------------------------------------------
struct group_query {
    unsigned version;
    struct ns_ip group;  // unspecified: about all
    uint64_t delay;      // ns: to answer within
    unsigned robustness;
    uint64_t interval;  // ns
};
void group_query(struct group_router *r, const struct group_query *q);
void group_reported(struct netif *nif, const struct ns_ip *ip);  // by somebody else, in an older version

// ---- What it says -----------------------------------------------------------------------------------------
void igmp_input(struct pkt *p);               // the IGMP header is in front; takes p
void mld_input(struct pkt *p, uint8_t type);  // the ICMPv6 header is in front; takes p
bool mld_type(uint8_t type);
enum group_record { RECORD_EXCLUDE = 2, RECORD_TO_INCLUDE = 3, RECORD_TO_EXCLUDE = 4 };  // RFC 3376 4.2.12
void igmp_record(struct group *g, enum group_record type);
void igmp_all(struct group_router *r);  // the state of all groups
void igmp_report(struct group *g);      // the older versions' reports
void igmp_done(struct group *g);        // and their leave

#endif
