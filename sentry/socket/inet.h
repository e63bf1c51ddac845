// SPDX-License-Identifier: Apache-2.0
// Inet sockets: what inet.c (life, names, connecting), inet_msg.c (messages), inet_opt.c (options) and their
// kin share. See inet.c for the locks.
#ifndef SENTRY_SOCKET_INET_H
#define SENTRY_SOCKET_INET_H
#include "abi/inet.h"
#include "netstack/netstack.h"
#include "sentry/socket/inet_kept.h"
#include "sentry/socket/net_ns.h"
#include "sentry/socket/socket.h"

// How far connect(2) has come, as Linux' socket state: a connection that stands is found out by the next
// connect().
enum inet_phase { INET_IDLE, INET_CONNECTING, INET_CONNECTED };

struct inet_sock {
    struct socket s;
    struct ns_sock *ns;  // [c] owned: the stack's
    struct waitq wait;   // told of everything
    // RANK_OBJECT: bytes of a stream go from the queue to one reader at a time; of a datagram socket `cork`
    struct lock rx;
    // [rx] owned: a datagram that is not whole yet, MSG_MORE and UDP_CORK; NULL: none
    struct inet_cork *_Atomic cork;
    struct linux_in6_pktinfo sticky;  // [rx] IPV6_PKTINFO: where datagrams go and come from ...
    _Atomic bool has_sticky;          // ... when it says anything
    _Atomic int phase;   // enum inet_phase
    _Atomic bool listening;
    _Atomic int kept[INET_KEPT];  // options that live here: inet_kept.h
    _Atomic uint32_t zerocopies;  // sends with MSG_ZEROCOPY that were numbered
    _Atomic uint32_t sends;       // datagrams sent since SOF_TIMESTAMPING_OPT_ID was set ...
    _Atomic bool numbered;        // ... which it is
    _Atomic uint32_t blocked[8];  // ICMP_FILTER, ICMP6_FILTER: by type
};

static inline struct inet_sock *isock(struct socket *s) { return container_of(s, struct inet_sock, s); }
static inline struct netstack *inet_stack(const struct socket *s) { return s->net->inet.stack; }
static inline bool inet_is_stream(const struct socket *s) { return s->type == LINUX_SOCK_STREAM; }
static inline bool inet_is_udp(const struct socket *s) { return s->protocol == LINUX_IPPROTO_UDP; }
static inline int inet_kept(struct inet_sock *i, enum inet_kept which) {
    return atomic_load_explicit(&i->kept[which], memory_order_relaxed);
}
static inline uint16_t swap16(uint16_t v) { return (uint16_t)(v << 8 | v >> 8); }

// ---- Addresses (inet_addr.c) ------------------------------------------------------------------------------
// As bind(2) and connect(2) take it: checked for length and family. 0 or -LINUX_E*.
int inet_addr_parse(const struct socket *s, const struct sock_addr *a, struct ns_addr *out);
// Where a packet may be sent: the unspecified address means this host.
int inet_addr_target(const struct socket *s, const struct sock_addr *a, struct ns_addr *out);
// As the socket's family shows it.
void inet_addr_show(const struct socket *s, const struct ns_addr *from, struct sock_addr *out);
bool inet_ip_is_any(const struct ns_ip *ip);
bool inet_ip_is_multicast(const struct ns_ip *ip);

// ---- Messages (inet_msg.c) --------------------------------------------------------------------------------
int64_t inet_send(struct socket *s, struct sock_msg *m);
int64_t inet_recv(struct socket *s, struct sock_msg *m);
// What was corked goes as one datagram, or is dropped (inet_cork.c).
int inet_uncork(struct inet_sock *i);
void inet_cork_drop(struct inet_sock *i);
// A part of a datagram, or with `more` false its end: n bytes, or an error.
int64_t inet_cork_send(struct inet_sock *i, struct sock_msg *m, const struct ns_addr *to, const char *buf,
                       size_t n, bool more);
static inline bool inet_is_corked(struct inet_sock *i) { return atomic_load(&i->cork) != NULL; }
// One datagram, or with UDP_SEGMENT one after another.
int64_t inet_send_whole(struct inet_sock *i, struct sock_msg *m, const struct ns_addr *to, const char *buf,
                        size_t n);
// What comes when: less than SO_RCVLOWAT of a stream is not enough.
bool inet_enough(struct inet_sock *i, size_t want);

// ---- The error queue (inet_err.c) -------------------------------------------------------------------------
int64_t inet_recv_error(struct inet_sock *i, struct sock_msg *m);  // -LINUX_EAGAIN: it is empty
int inet_tell_error(struct inet_sock *i, const struct ns_error *e, struct sock_cmsg_sink *o);
void inet_zerocopy_done(struct inet_sock *i);
void inet_stamp_sent(struct inet_sock *i);  // a datagram has been sent: SO_TIMESTAMPING

// As the user has it: one that waits in TIME_WAIT is closed, as on Linux. Errors of ns_tcp_info(). (inet.c)
int inet_tcp_info(struct inet_sock *i, struct ns_tcp_info *info);

// ---- Control messages (inet_cmsg.c) -----------------------------------------------------------------------
int inet_control(struct socket *s, struct sock_msg *m, int level, int type, const void *data, size_t len);
// What goes along with a datagram that nobody asked anything of.
// Of SO_TIMESTAMPING, when reports of software's stamps are asked for; `at`: ns of the real-time clock.
int inet_put_stamp(struct socket *s, uint64_t at, struct sock_cmsg_sink *o);
void inet_extra_init(struct inet_sock *i, struct ns_extra *x);
int inet_set_sticky(struct inet_sock *i, const void *buf, uint32_t len);
int inet_tell(struct socket *s, const struct sock_msg *m, struct sock_cmsg_sink *o);

// ---- Options (inet_opt.c) ---------------------------------------------------------------------------------
void inet_opt_init(struct inet_sock *i);
int inet_getopt(struct socket *s, int level, int name, void *buf, uint32_t *len);
int inet_setopt(struct socket *s, struct task *t, int level, int name, const void *buf, uint32_t len);
// SOL_SOCKET: one has been set (or SO_LINGER); and what the stack knows better than s->opts.
int inet_sol_set(struct socket *s, int name);
bool inet_sol_get(struct socket *s, int name, int *value);

#endif
