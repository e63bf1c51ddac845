// SPDX-License-Identifier: Apache-2.0
// What sockets of all protocols have in common: addresses, tables, options, the life of the object. Lock: the
// stack's.
//
// A socket lives until its user has closed it (ns_close) and its protocol has no more use for it; then
// sock_kill() puts it on the list of the dead, which is worked off when the lock is about to be dropped. So a
// function may use a socket that it has found until it returns, whatever it calls.
#ifndef NETSTACK_SOCK_SOCK_H
#define NETSTACK_SOCK_SOCK_H
#include "netstack/core/pktq.h"
#include "netstack/core/stack.h"
#include "netstack/ip/ip.h"

struct ns_sock;
struct sock_ops {
    size_t size;  // of the object, whose first member is a struct ns_sock
    uint8_t proto;      // whose ports it has; 0: it has none
    bool binds_groups;  // also to a group, or to the broadcast address
    void (*init)(struct ns_sock *s);
    int (*bind)(struct ns_sock *s, const struct ns_addr *addr);  // NULL: to an IP address
    int (*listen)(struct ns_sock *s, unsigned backlog);
    int (*accept)(struct ns_sock *s, struct ns_sock **out);
    int (*connect)(struct ns_sock *s, const struct ns_addr *addr);
    void (*disconnect)(struct ns_sock *s);  // may be NULL
    int (*shutdown)(struct ns_sock *s, bool rd, bool wr);
    // x: or NULL
    int64_t (*send)(struct ns_sock *s, struct ns_io *io, unsigned flags, const struct ns_addr *to,
                    const struct ns_extra *x);
    int64_t (*recv)(struct ns_sock *s, struct ns_io *io, unsigned flags, struct ns_addr *from,
                    struct ns_extra *x);
    // of streams, else NULL: as ns_room(), ns_send_pieces(), ns_look()
    int (*room)(struct ns_sock *s, size_t want, struct ns_pieces *p);
    int64_t (*send_pieces)(struct ns_sock *s, struct ns_pieces *p, size_t len, unsigned flags);
    int64_t (*look)(struct ns_sock *s, size_t want, struct ns_pieces *p);
    uint32_t (*ready)(struct ns_sock *s);
    void (*queued)(const struct ns_sock *s, size_t *in, size_t *out);
    void (*describe)(const struct ns_sock *s,
                     struct ns_sock_info *info);               // what it knows better; may be NULL
    void (*option)(struct ns_sock *s, enum ns_option option);  // it has been set; NULL: nothing to do
    void (*output)(struct ns_sock *s);                         // sock_later() was called; NULL: it never is
    // the user is gone: calls sock_kill() now or later
    void (*close)(struct ns_sock *s);
    void (*drop)(struct ns_sock *s);                           // frees what it holds, at once
};

struct ns_sock {
    struct list all;   // ns->socks
    struct list port;  // ns->bound
    struct list conn;  // ns->conns
    struct list used;  // ns->used
    struct list later; // ns->later
    struct list dead;  // ns->dead
    struct netstack *ns;
    const struct sock_ops *ops;
    enum ns_family family;
    struct ns_addr local, remote;
    bool connected;  // remote is set
    bool listening;
    bool user;  // somebody holds it
    bool bound;      // to an address, with a port or (NS_OPT_BIND_NO_PORT) without
    bool foreign;    // the address was not ours when it was bound (NS_OPT_FREEBIND)
    uint32_t owner;  // who made it, as its user counts them
    int error;  // positive; what ns_take_error() gives
    struct pktq errors;  // errq.c
    struct list groups;  // memberships
    unsigned ngroups;
    struct netif *group_nif;  // where packets to groups go, or NULL
    const struct ns_filter *filter;  // borrowed
    int opt[NS_OPT_COUNT];
    void (*on_ready)(void *arg, uint32_t mask);
    void *on_ready_arg;
};

// NULL: no memory
struct ns_sock *sock_new(struct netstack *ns, const struct sock_ops *ops, enum ns_family family);
void sock_kill(struct ns_sock *s);
// Has its output() called on the way out of the stack, once for all packets that come in until then.
void sock_later(struct ns_sock *s);
void sock_flush(struct netstack *ns);
void sock_reap(struct netstack *ns);
void sock_drop_all(struct netstack *ns);  // the stack ends
static inline void sock_wake(struct ns_sock *s, uint32_t mask) {
    if (s->user && s->on_ready)
        s->on_ready(s->on_ready_arg, mask);
}
void sock_error(struct ns_sock *s, int err);  // sets and wakes
// Queues it, where the socket's user wants that (NS_OPT_RECVERR): `skip` bytes of the transport's header are
// not quoted, and what was sent went to that port. False: he does not.
bool sock_note_error(struct ns_sock *s, const struct ip_error *e, uint32_t skip, uint16_t dport);
int sock_take_error(struct ns_sock *s);       // clears it: negative, or 0
// Notes who sent it, for pktq_read().
void sock_note_sender(struct pkt *p, uint16_t port);
// The next of a queue of datagrams: pktq_read(), with what goes along.
int64_t sock_read(struct ns_sock *s, struct pktq *q, struct ns_io *io, unsigned flags, struct ns_addr *from,
                  struct ns_extra *x);
// It speaks to s->remote from path's address now: their scopes.
void sock_set_scopes(struct ns_sock *s, const struct path *path);
// From now on it is connected to peer, and speaks from path's address.
void sock_set_peer(struct ns_sock *s, const struct ns_addr *peer, const struct path *path);
// How to get to dst, through the interface of its scope, from the address that the socket is bound to when it
// has one.
int sock_path(const struct ns_sock *s, const struct ns_addr *dst, struct path *path);
// The same for one packet that goes as x says.
int sock_path_as(const struct ns_sock *s, const struct ns_addr *dst, const struct ns_extra *x,
                 struct path *path);
// The same for a connection that has its own address: by the routes, or through NS_OPT_BIND_IF.
int sock_path_from(const struct ns_sock *s, const struct ns_ip *dst, const struct ns_ip *src,
                   struct path *path);
// Whether a packet came in where the socket hears (NS_OPT_BIND_IF); NULL: one that is not known.
bool sock_on_netif(const struct ns_sock *s, const struct pkt *p);
// Whether the socket's filter wants the packet, which is cut to what it wants but for its first `least`
// bytes.
bool sock_filtered(const struct ns_sock *s, struct pkt *p, uint32_t least);
// The header of a datagram there, by the socket's options.
struct ip_header sock_ip_header(const struct ns_sock *s, const struct path *path, const struct ns_ip *dst,
                                uint8_t proto, const struct ns_extra *x);
// Whether it may have to do with an address of that family.
bool sock_family_ok(const struct ns_sock *s, const struct ns_ip *ip);

// ---- Groups -----------------------------------------------------------------------------------------------
#define SOCK_GROUPS 20  // of one socket; Linux: igmp_max_memberships
void sock_leave_groups(struct ns_sock *s);
// Whether the socket wants what was sent to a group and came in there: it joined, or takes what others
// joined.
bool sock_hears(const struct ns_sock *s, const struct pkt *p);  // a packet to a group
void sock_forget_netif(struct netif *nif);  // the interface goes, and memberships there with it

// ---- Tables -----------------------------------------------------------------------------------------------
int sock_bind_port(struct ns_sock *s, const struct ns_ip *ip, uint16_t port);  // port 0: one that is free
// Whether another listener has the address and port of s: with SO_REUSEADDR both could be bound.
bool sock_listener_conflict(struct ns_sock *s);
// A port for a connection to s->remote from s->local.ip, that makes the four of them unique.
int sock_pick_port(struct ns_sock *s);
void sock_hash_conn(struct ns_sock *s);  // local and remote are set
void sock_unhash(struct ns_sock *s);
struct ns_sock *sock_find_conn(struct netstack *ns, uint8_t proto, const struct ns_addr *local,
                               const struct ns_addr *remote);
// Of those bound to the port that want a packet to a group or to all, the one after `last` (NULL: the first),
// or NULL.
struct ns_sock *sock_next_bound(const struct pkt *p, uint8_t proto, const struct ns_addr *local,
                                const struct ns_addr *remote, struct ns_sock *last);
// The best of those bound to the port: its address is the packet's, its remote side too. p: the packet, or
// NULL.
struct ns_sock *sock_find_bound(struct netstack *ns, const struct pkt *p, uint8_t proto,
                                const struct ns_addr *local, const struct ns_addr *remote);

#endif
