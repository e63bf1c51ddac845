// SPDX-License-Identifier: Apache-2.0
// Interfaces from the inside: their addresses, and frames on the way in and out. Lock: the stack's.
#ifndef NETSTACK_LINK_NETIF_H
#define NETSTACK_LINK_NETIF_H
#include "netstack/core/pkt.h"
#include "netstack/core/stack.h"
#include "netstack/ip/group.h"

#define NETIF_ADDRESSES NS_NETIF_ADDRESSES
#define NETIF_ROOMS     NS_NETIF_ROOMS

enum ifaddr_state {
    IFADDR_TENTATIVE,  // asked about with duplicate address detection (RFC 4862 5.4): not to be used
    IFADDR_VALID,
    IFADDR_DUPLICATE,  // somebody else has it
};
// Until when an address may be used (RFC 4862 5.5.4), ns: for new connections, and at all. NETSTACK_NEVER: no
// end.
struct lifetime {
    uint64_t preferred, valid;
};
struct ifaddr {
    struct netif *nif;
    struct ns_ip ip;
    unsigned prefix;
    enum ifaddr_state state;
    bool automatic;  // by SLAAC
    struct lifetime life;
    struct timer dad;
};
struct netif {
    struct list link;  // ns->netifs
    struct netstack *ns;
    struct netif_config config;
    uint16_t index;
    bool down;
    char name[16];
    struct ifaddr addrs[NETIF_ADDRESSES];
    unsigned naddrs;
    struct list groups;
    unsigned ngroups;
    struct group_router group_routers[2];  // IGMP, MLD
    uint64_t in_packets, in_bytes, in_dropped, out_packets, out_bytes, out_dropped;
    uint8_t hops;          // IPv6, by a router's advertisement
    struct timer solicit;  // router solicitations
    struct timer expiry;   // of what routers gave: slaac.c
    struct buf *rooms[NETIF_ROOMS];  // what netif_room() gave, or NULL
    unsigned solicits;
};

struct netif *netif_by_index(struct netstack *ns, uint32_t index);  // NULL: there is none
// What tells the address from one alike on another link: the index for a link-local IPv6 address, 0 for
// others.
uint32_t netif_scope(const struct netif *nif, const struct ns_ip *ip);
void netif_free(struct netif *nif);
static inline bool netif_is_loopback(const struct netif *nif) { return nif->config.flags & NETIF_LOOPBACK; }
struct ifaddr *netif_find_address(struct netif *nif, const struct ns_ip *ip);  // in any state
// The interface that has the address for good, or NULL.
struct netif *netif_of_address(struct netstack *ns, const struct ns_ip *ip);
bool netif_is_local(struct netstack *ns, const struct ns_ip *ip);
// Whether it is the broadcast address of one of the interface's networks.
bool netif_is_broadcast(const struct netif *nif, const struct ns_ip *ip);
// `life`: of one by SLAAC; NULL: of the user's.
int netif_assign(struct netif *nif, const struct ns_ip *ip, unsigned prefix, const struct lifetime *life);
int netif_own_loopback(struct netif *lo);  // the addresses that a loopback has of itself
void netif_unassign(struct ifaddr *a);  // another may have its place afterwards
bool netif_deprecated(const struct ifaddr *a);

// Sends an IP packet to a neighbour whose link address is known (or needs none). Takes p.
int netif_output(struct netif *nif, struct pkt *p, const uint8_t mac[6], uint16_t type);
int netif_output_frame(struct netif *nif, struct pkt *p);  // the same for a whole frame of the link's
int netif_loop_back(struct netif *nif, struct pkt *p);  // an IP packet that we sent comes in again; takes p
void netif_backlog(struct netstack *ns);  // one packet of the loopback queue goes in

#endif
