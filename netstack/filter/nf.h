// SPDX-License-Identifier: Apache-2.0
// The filter on the inside: what its files share. Lock: the stack's.
//
//     hooks.c      where packets come by (ip/), the order of what is asked there
//     table.c      tables, chains, rules, objects; transactions.  set.c: sets.  check.c: loops, places
//     eval.c       rules over a packet.  expr_*.c: what expressions do.  xt.c: the compat ones
//     conntrack.c  connections.  ct_tcp.c: TCP's states.  nat.c: their translation.  reject.c: answers
#ifndef NETSTACK_FILTER_NF_H
#define NETSTACK_FILTER_NF_H
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/core/pkt.h"
#include "netstack/core/stack.h"
#include "netstack/filter/nft.h"
#include "netstack/prot/ip.h"

#define NF_CONNS   8192  // connections that are remembered
#define NF_CT_HASH 2048
#define NF_STEPS   (1u << 18)  // expressions and rules that one packet may ask at one hook

// ---- A packet at a hook -----------------------------------------------------------------------------------
struct nf_conn;
struct nf_pkt {
    struct netstack *ns;
    struct nf *nf;
    struct pkt *p;  // what is in front of it: the transport header, `th` bytes on
    enum nf_hooknum hook;
    bool four;
    bool part, fragment;  // a fragment; a later one, without transport header
    uint8_t proto;        // of the transport
    uint32_t th;
    const struct netif *in, *out;
    uint8_t *nh;  // the IP header
    uint32_t nh_len;
    unsigned steps;
    uint32_t regs[NF_REGS];
    const struct nf_chain *chain;  // that is being asked
};
// The transport header's first n bytes, in the packet's head; NULL: there are not so many.
uint8_t *nf_transport(struct nf_pkt *k, uint32_t n);
uint32_t nf_pkt_len(const struct nf_pkt *k);  // with the IP header

// ---- Connections ------------------------------------------------------------------------------------------
enum { NF_ORIGINAL, NF_REPLY };
#define NF_IPS_SEEN_REPLY 2u  // status, as ctnetlink tells it
#define NF_IPS_ASSURED    4u
#define NF_IPS_CONFIRMED  8u
#define NF_IPS_SRC_NAT    16u
#define NF_IPS_DST_NAT    32u
#define NF_IPS_SRC_DONE   128u
#define NF_IPS_DST_DONE   256u
#define NF_IPS_NAT        (NF_IPS_SRC_NAT | NF_IPS_DST_NAT)

struct nf_end {
    struct list link;  // of the table, by its tuple
    struct nf_tuple t;
    unsigned dir;
};
struct nf_conn {
    struct pkt_flow flow;  // its references are the table's, and packets'
    struct nf_end end[2];  // what packets of each direction look like before they are translated
    struct list lru;       // the table's: the least recently seen first
    struct netstack *ns;
    uint32_t status, mark, id;
    uint8_t tcp_state;
    uint64_t until;
    uint64_t packets[2], bytes[2];
};
struct conntrack {
    struct list hash[NF_CT_HASH];
    struct list lru;
    unsigned n, at;  // at: where the search for what has expired goes on
    uint32_t last_id;
};
void ct_init(struct conntrack *ct);
void ct_flush(struct netstack *ns);
// Finds or begins the connection of a packet; false: it is to be dropped.
bool ct_track(struct nf_pkt *k);
// A packet that has passed all: its connection is remembered. False: another has its tuple; dropped.
bool ct_confirm(struct nf_pkt *k);
static inline struct nf_conn *ct_of(const struct pkt *p) {
    return p->flow ? container_of(p->flow, struct nf_conn, flow) : NULL;
}
struct nf_conn *ct_find(struct netstack *ns, const struct nf_tuple *t, int *dir);
static inline struct nf_tuple tuple_turn(const struct nf_tuple *t) {
    return (struct nf_tuple){t->dst, t->src, t->dport, t->sport, t->proto};
}
// The packet that an ICMP error quotes: its tuple, and where in the message its headers lie. False: it is
// none.
struct nf_quoted {
    struct nf_tuple t;
    uint32_t ip, l4;  // bytes from the ICMP header on
};
bool ct_quoted(struct nf_pkt *k, struct nf_quoted *q);
// TCP's states. What a segment makes of one; NF_TCP_INVALID, or NF_TCP_ANEW: it begins another connection.
enum {
    NF_TCP_NONE,
    NF_TCP_SYN_SENT,
    NF_TCP_SYN_RECV,
    NF_TCP_ESTABLISHED,
    NF_TCP_FIN_WAIT,
    NF_TCP_CLOSE_WAIT,
    NF_TCP_LAST_ACK,
    NF_TCP_TIME_WAIT,
    NF_TCP_CLOSE,
    NF_TCP_SYN_SENT2,
    NF_TCP_INVALID,
    NF_TCP_ANEW
};
unsigned ct_tcp_next(unsigned state, int dir, uint8_t flags);
uint64_t ct_tcp_life(unsigned state);  // ns

// ---- Translation ------------------------------------------------------------------------------------------
enum nf_manip { NF_MANIP_SRC, NF_MANIP_DST };
#define NF_RANGE_IPS     1u
#define NF_RANGE_PORTS   2u
#define NF_RANGE_RANDOM  4u
#define NF_RANGE_PERSIST 8u
#define NF_RANGE_FULLY   16u
#define NF_RANGE_NETMAP  64u
#define NF_RANGE_MASK    (1u | 2u | 4u | 8u | 16u | 64u)
struct nf_range {
    uint32_t flags;
    struct ns_ip min, max;
    uint16_t port_min, port_max;
};
static inline enum nf_manip nf_manip_at(enum nf_hooknum hook) {
    return hook == NF_PREROUTING || hook == NF_OUTPUT ? NF_MANIP_DST : NF_MANIP_SRC;
}
// What a nat rule wants of a new connection. NF_ACCEPT, or NF_DROP when there is no port left.
int nat_setup(struct nf_pkt *k, enum nf_manip manip, const struct nf_range *r);
int nat_masquerade(struct nf_pkt *k, struct nf_range *r);
int nat_redirect(struct nf_pkt *k, struct nf_range *r);
// The translation of a packet as its connection has it; false: it cannot be.
bool nat_packet(struct nf_pkt *k, enum nf_manip manip);

// ---- Rules over a packet ----------------------------------------------------------------------------------
// NF_ACCEPT or NF_DROP: what the chain says of it.
int nf_chain_run(struct nf_pkt *k, struct nf_chain *base);
// What an expression makes of the verdict: NF_CONTINUE, NF_BREAK or another.
int nf_expr_run(struct nf_pkt *k, struct nf_expr *x, const struct nf_chain **target);
bool nf_payload(struct nf_pkt *k, uint32_t base, uint32_t offset, void *to, uint32_t n);
bool nf_meta(struct nf_pkt *k, uint32_t key, uint32_t *to);
bool nf_ct_get(struct nf_pkt *k, const struct nf_expr *x, uint32_t *to);
bool nf_fib(struct nf_pkt *k, const struct nf_expr *x, uint32_t *to);
uint32_t nf_addr_type(struct nf_pkt *k, const struct ns_ip *ip, const struct netif *nif);  // RTN_*
uint32_t nf_ct_bits(const struct nf_pkt *k);                                               // of "ct state"
int nf_nat_expr(struct nf_pkt *k, const struct nf_expr *x);
bool nf_limit(struct nf_pkt *k, struct nf_expr *x);
void nf_log(struct nf_pkt *k, const char *prefix);
int nf_xt_run(struct nf_pkt *k, struct nf_expr *x);
// The places an expression may be asked at: bits 1 << hook of filter chains, 1 << (8 + hook) of nat chains.
uint32_t nf_xt_places(const struct nf_xt *xt);
bool nf_xt_tracks(const struct nf_xt *xt);
// Tells the sender why: `type` as NFT_REJECT_*.
enum { NF_REJECT_ICMP, NF_REJECT_RST, NF_REJECT_ICMPX };
void nf_reject(struct nf_pkt *k, uint32_t type, uint32_t code);

// ---- The whole --------------------------------------------------------------------------------------------
enum nf_step_kind { NF_STEP_CHAIN, NF_STEP_TRACK, NF_STEP_NAT };
struct nf_step {
    enum nf_step_kind kind;
    int32_t priority;
    struct nf_chain *chain;
};
struct nf_steps {
    struct nf_step *v;
    unsigned n;
};
struct nf_order {
    struct nf_steps steps[2][NF_HOOKS];  // IPv4, IPv6
    struct nf_steps nat[2][NF_HOOKS];    // nat chains, which connections that begin are shown
    struct nf_step *all;                 // owned: those of all hooks
    size_t nall;
    bool tracks, nats;
};
struct filter {
    struct nf nf;
    struct nf_order order;
    struct conntrack ct;
};
// check.c: loops and places of all tables. 0 or -LINUX_E*.
int nf_check(struct nf *nf);
// hooks.c: the order of what is asked, anew. 0 or -LINUX_ENOMEM, and then all is as it was.
int nf_order(struct nf *nf);
void nf_order_free(struct filter *f);
void nf_destroy(struct netstack *ns);
// set.c. Of a set and all its elements, or of one: who is pointed to hears of it.
void nf_set_bind(struct nf_set *s, int by);
void nf_elem_bind(struct nf_elem *e, int by);
void nf_elem_link(struct nf_elem *e);
void nf_elem_unlink(struct nf_elem *e);
unsigned nf_set_sweep(struct nf *nf, struct nf_set *s);  // how many have gone
// table.c: a note of what is done, for who takes it back
int nf_note(struct nf *nf, enum nf_what what, bool added, void *obj, struct list *node);

#endif
