// SPDX-License-Identifier: Apache-2.0
// Packets. A packet is a head, where headers are contiguous, and up to PKT_FRAGS pieces of shared,
// reference-counted buffers behind it. Sending pushes headers into the room before the head; receiving pulls
// them: pkt_pull() is the only way to look at a byte that came from outside, and it says no when the packet
// is too short.
//
//     head[]:   | room ............ | headers |        (p->off .. p->off + p->hlen)
//     frags[]:  payload, without copies: shared by the retransmission queue, the packet, and over
//               loopback the receiver
//
// What was pulled stays in front of the head until it is overwritten by a push: an ICMP error quotes it from
// there. Every byte is charged to the stack's budget; there is no packet outside of it. Lock: the stack's.
#ifndef NETSTACK_CORE_PKT_H
#define NETSTACK_CORE_PKT_H
#include "base/list.h"
#include "base/refcount.h"
#include "netstack/netstack.h"

struct buf {
    struct refcount ref;
    uint32_t cap, fill;  // bytes of data[], and how many are in use: what is behind is free to be appended to
    struct netstack *ns;
    uint8_t data[];
};
struct frag {
    struct buf *buf;
    uint32_t off, len;
};

#define PKT_HEAD  256  // the longest chain of headers that is understood
#define PKT_ROOM  160  // of it in front of what is sent: Ethernet 14, IPv6 40 + 8, TCP 60, aligned
#define PKT_FRAGS 6

// What remembers the connection that a packet belongs to (filter/conntrack.c). Lock: the stack's.
struct pkt_flow {
    unsigned refs;
    void (*gone)(struct pkt_flow *f);  // the last reference is given back
};
enum { NF_CT_NONE, NF_CT_INVALID, NF_CT_NEW, NF_CT_ESTABLISHED, NF_CT_RELATED, NF_CT_UNTRACKED };

struct pkt {
    struct list link;  // of whoever holds it
    struct netstack *ns;
    struct netif *nif;  // came in there, or goes out there
    uint16_t off, hlen;
    uint16_t l3, l4;    // where in head[] the IP and the transport header begin
    uint16_t named_at;  // of IPv6: the offset, from l3, of the field that names the transport protocol
    uint8_t nfrags;
    uint8_t proto, tos, ttl;
    bool csum_good;                    // in: needs no check. Out: see csum_start
    bool broadcast;                    // came to, or goes to, a link broadcast or multicast address
    bool alert;                        // in: has the router alert option (RFC 2711)
    bool loops;                        // multicast or self: came over loopback
    bool forwarded;                    // somebody else's
    bool follows;                      // a datagram that was sent as one with that before it
    uint16_t csum_start, csum_offset;  // out: the link makes the checksum from there (0: nothing to make)
    uint16_t frag_max;                 // in: came in fragments, the longest had so many bytes; 0: whole
    uint16_t gso_size;                 // payload of each segment in it, when it is more than one
    uint32_t len;  // all of it: hlen and the frags
    struct ns_ip src, dst;
    uint64_t when;  // ns: came in, or its fragment did
    uint16_t came_by;  // of the holder: the index of the interface where it came in
    struct pkt_flow *flow;  // a reference, or NULL
    uint8_t ct_state, ct_dir;  // what it is to that: NF_CT_*; which direction
    uint32_t fwmark;
    uint32_t mark;  // of the holder: a fragment's offset, a segment's sequence number
    uint8_t head[PKT_HEAD];
    struct frag frags[PKT_FRAGS];
};

void pkt_flow_put(struct pkt_flow *f);                    // NULL is fine
void pkt_set_flow(struct pkt *p, struct pkt_flow *f);  // takes a reference of its own; NULL: none
// What is sent because of `to`, and back, belongs to its connection (filter/nf.h: NF_CT_RELATED).
void pkt_answers(struct pkt *p, const struct pkt *to);

struct buf *buf_alloc(struct netstack *ns, uint32_t cap);  // NULL: over budget
static inline struct buf *buf_get(struct buf *b) {
    ref_get(&b->ref);
    return b;
}
void buf_put(struct buf *b);

struct pkt *pkt_alloc(struct netstack *ns);  // empty, with room for headers; NULL: over budget
struct pkt *pkt_from(struct netstack *ns, const void *data, size_t n);  // a copy, nothing pulled
void pkt_free(struct pkt *p);                                           // NULL is fine
// a copy of the head, the same buffers
struct pkt *pkt_clone(const struct pkt *p);
// A packet with a copy of n bytes from offset `at`, between the same addresses. NULL: no memory.
struct pkt *pkt_part(const struct pkt *p, uint32_t at, uint32_t n);

static inline uint8_t *pkt_head(struct pkt *p) { return p->head + p->off; }
// The first n bytes, contiguous; NULL when there are not so many, or they do not fit into the head.
uint8_t *pkt_peek(struct pkt *p, uint32_t n);
// The same, and the packet begins after them.
uint8_t *pkt_pull(struct pkt *p, uint32_t n);
// Makes room in front and returns it; the room is there (PKT_ROOM) by construction.
uint8_t *pkt_push(struct pkt *p, uint32_t n);
// Drops all but the first n bytes, or the first n.
void pkt_trim(struct pkt *p, uint32_t n);
void pkt_skip(struct pkt *p, uint32_t n);
// Appends a reference to a piece of b; false when the packet has no place for it.
bool pkt_attach(struct pkt *p, struct buf *b, uint32_t off, uint32_t len);
// Copies n bytes from offset `at`; the caller has compared with p->len.
void pkt_copy(const struct pkt *p, uint32_t at, void *to, uint32_t n);
// The other way round: into buffers that nobody else has (the packet was just filled).
void pkt_put(struct pkt *p, uint32_t at, const void *from, uint32_t n);
// The sum over all from offset `at` to the end, to be finished by csum_finish().
uint64_t pkt_csum(const struct pkt *p, uint32_t at, uint64_t sum);
// Appends all that io has, in one buffer of its own. 0, -ENOBUFS, or io's error.
int pkt_fill(struct pkt *p, struct ns_io *io);
// Copies from its start, as much as io takes; how many bytes, or io's error.
int64_t pkt_read(const struct pkt *p, struct ns_io *io);
// What the packet weighs in the budget.
uint32_t pkt_size(const struct pkt *p);

#endif
