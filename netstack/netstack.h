// SPDX-License-Identifier: Apache-2.0
// The network stack as its users see it: one stack object with interfaces, addresses, routes and sockets.
// Nothing here blocks and nothing reads a clock, randomness or a descriptor by itself: all three are given by
// the user, so that a test runs in virtual time and a parked call of a guest costs no thread.
//
// Who drives it: whoever has frames calls netif_input_batch(); netstack_poll() is called when the time that
// it returned last has come, and netstack_deadline() says after any other call whether that time has moved
// (or the callback `deadline` does).
// Sockets report through one callback each.
//
// Locks: each call takes the stack's lock (RANK_NETSTACK). The callbacks (transmit, ready, copy, clock,
// random, deadline) run with it held: they may take locks of a higher rank, such as a wait queue's, and may
// not call the stack. Errors are negative numbers of abi/errno.h.
// LIMIT: no DHCP and no resolver: the user gives IPv4 addresses; names are for a level above.
#ifndef NETSTACK_NETSTACK_H
#define NETSTACK_NETSTACK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget;
struct netstack;
struct netif;
struct ns_sock;

// ---- Addresses --------------------------------------------------------------------------------------------
// Both families in one type: an IPv4 address is kept as ::ffff:a.b.c.d (RFC 4291 2.5.5.2).
struct ns_ip {
    uint8_t b[16];
};
struct ns_addr {
    struct ns_ip ip;
    uint16_t port;
    uint32_t scope;  // of link-local IPv6 addresses and groups: the interface's index (sin6_scope_id); 0: any
};
struct ns_ip ns_ip4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
bool ns_ip_is4(const struct ns_ip *ip);
bool ns_ip_parse(const char *text, struct ns_ip *ip);
#define NS_IP_TEXT 48
const char *ns_ip_text(const struct ns_ip *ip, char buf[static NS_IP_TEXT]);  // returns buf

// ---- The stack --------------------------------------------------------------------------------------------
struct netstack_config {
    uint64_t (*clock)(void *arg);  // ns since some moment; never goes back
    void (*random)(void *arg, void *buf, size_t n);
    void *arg;
    size_t budget;  // bytes that all packets and socket buffers together may take; 0: a default
    // The next time to call netstack_poll() has come nearer than it was when this was last called, or than
    // the last poll found it. May be NULL: who has netstack_deadline() needs none of it.
    void (*deadline)(void *arg, uint64_t when);
    struct budget *shared;  // bytes that several stacks may take together, beside that; NULL: none
    bool bare;  // the loopback begins down and without addresses, which it has once it was up
    // After a call in which a link's transmit() was given something, without the lock. May be NULL.
    void (*sent)(void *arg);
};
int netstack_create(const struct netstack_config *config, struct netstack **out);

// What a stack holds at a moment. A test expects zeros of it before netstack_destroy().
struct netstack_usage {
    size_t bytes;  // of packets and buffers
    unsigned packets, buffers;
    unsigned sockets;  // open ones, and connections whose socket is closed already
    unsigned timers;   // armed
};
void netstack_usage(struct netstack *ns, struct netstack_usage *out);
// Every socket has been closed. Connections that linger are dropped without a word, interfaces removed, and
// whatever is left then is our own leak: it panics.
void netstack_destroy(struct netstack *ns);

#define NETSTACK_NEVER UINT64_MAX
uint64_t netstack_poll(struct netstack *ns);      // runs what is due; the next time to call it
uint64_t netstack_deadline(struct netstack *ns);  // that time by itself

// Whether packets of others are sent on (at first: no), of IPv4 or of IPv6.
void netstack_set_forwarding(struct netstack *ns, bool four, bool on);
bool netstack_forwarding(struct netstack *ns, bool four);
// Whether an ICMPv4 echo request to all, or to a group, is answered (at first: no, RFC 1122 3.2.2.6).
void netstack_set_echo_to_all(struct netstack *ns, bool on);
bool netstack_echo_to_all(struct netstack *ns);

// Counters, by the names of netstack/core/stats.def.
uint64_t netstack_stat(struct netstack *ns, const char *name);  // UINT64_MAX: there is no such name
const char *netstack_stat_name(unsigned i);                     // NULL beyond the last

// ---- Interfaces -------------------------------------------------------------------------------------------
enum netif_kind { NETIF_ETHER, NETIF_IP };
#define NETIF_LOOPBACK 1u  // what is sent comes in again; checksums are not made
#define NETIF_TX_CSUM  2u  // transmit() finishes transport checksums (frame.csum_start)
#define NETIF_NO_DAD   4u  // IPv6 addresses are usable at once, no duplicate address detection
#define NETIF_SLAAC    8u  // IPv6 addresses and the router come from advertisements
#define NETIF_DOWN     16u // begins down

struct ns_iov {
    void *base;
    size_t len;
};
// A frame on its way out; it and what it points to are gone after transmit() has returned.
struct ns_frame {
    const struct ns_iov *iov;
    unsigned iovcnt;
    size_t len;
    uint16_t csum_start, csum_offset;  // csum_start 0: the checksum is complete
    uint16_t gso_size;                 // nonzero: a TCP segment to be cut into pieces of that payload
};
struct netif_config {
    const char *name;
    enum netif_kind kind;
    uint8_t mac[6];
    uint32_t mtu;                                              // of the IP packet
    uint32_t flags;                                            // NETIF_*
    uint32_t gso_max;                                          // 0: no gso_size
    int (*transmit)(void *arg, const struct ns_frame *frame);  // negative: the frame is lost
    void *arg;
};
int netif_add(struct netstack *ns, const struct netif_config *config, struct netif **out);
void netif_remove(struct netif *nif);
uint32_t netif_index(const struct netif *nif);
struct netif *netstack_loopback(struct netstack *ns);
// A frame that came in, as long as it is; NS_CSUM_GOOD: the link has checked the transport's checksum;
// NS_FOLLOWS: its datagram and that of the frame before were sent as one.
#define NS_CSUM_GOOD 1u
#define NS_FOLLOWS   2u
int netif_input(struct netif *nif, const void *frame, size_t len, unsigned flags);
// Frames that came in together, in their order: TCP segments that continue each other are taken as one (GRO),
// and what all of them together call for, acknowledgements above all, is sent after the last. Nobody writes
// to them meanwhile.
struct ns_rx {
    const void *frame;
    size_t len;
    unsigned flags;     // NS_CSUM_*
    uint16_t gso_size;  // nonzero: the link has joined TCP segments of that payload to this frame
};
void netif_input_batch(struct netif *nif, const struct ns_rx *rx, unsigned n);
// Memory of `size` bytes to read the i-th frame of the next batch into; a long frame that netif_input_batch()
// finds there is not copied. One reader an interface; NULL: over budget, or there is no such i.
#define NS_NETIF_ROOMS 32
void *netif_room(struct netif *nif, unsigned i, size_t size);
int netif_add_address(struct netif *nif, const struct ns_ip *ip, unsigned prefix);
int netif_del_address(struct netif *nif, const struct ns_ip *ip);
// One that is down (they begin up) carries nothing, and has no IPv6 addresses; as on Linux its IPv4 addresses
// are still ours.
void netif_set_up(struct netif *nif, bool up);
// -EEXIST: another has that name. -EINVAL: no such MTU.
int netif_set_name(struct netif *nif, const char *name);
int netif_set_mtu(struct netif *nif, uint32_t mtu);
void netif_set_mac(struct netif *nif, const uint8_t mac[6]);

// What there is, one by one, for netlink and /proc/net: -ENODEV beyond the last.
#define NS_NETIF_ADDRESSES 16
struct ns_netif_info {
    struct netif *nif;
    uint32_t index;  // from 1; of no other interface while this one is there
    char name[16];
    enum netif_kind kind;
    uint8_t mac[6];
    uint32_t mtu, flags;
    bool up;
    uint64_t in_packets, in_bytes, in_dropped, out_packets, out_bytes, out_dropped;
    unsigned naddrs;
    struct {
        struct ns_ip ip;
        unsigned prefix;
        bool tentative, duplicate, automatic;
        uint32_t preferred, valid;  // seconds that are left; UINT32_MAX: no end
    } addrs[NS_NETIF_ADDRESSES];
};
int netstack_netif_info(struct netstack *ns, unsigned i, struct ns_netif_info *info);
struct ns_route {
    struct ns_ip dst;
    unsigned prefix;       // of an IPv4 route: 0..32
    struct ns_ip gateway;  // the unspecified address: on the link
    struct netif *nif;
    uint32_t metric;
};
int netstack_add_route(struct netstack *ns, const struct ns_route *route);
int netstack_del_route(struct netstack *ns, const struct ns_route *route);
// NETIF_NO_DAD of an interface, for addresses that it gets from now on. -ENODEV: there is none of that index.
int netstack_dad(struct netstack *ns, uint32_t netif);  // 0, 1 or -ENODEV
int netstack_set_dad(struct netstack *ns, uint32_t netif, bool on);
int netstack_route_at(struct netstack *ns, unsigned i, struct ns_route *route);  // in the order of look-up

// Neighbours, one by one: -ENODEV beyond the last. One that the user has made is never asked about.
enum ns_neigh_state {
    NS_NEIGH_INCOMPLETE,
    NS_NEIGH_REACHABLE,
    NS_NEIGH_STALE,
    NS_NEIGH_DELAY,
    NS_NEIGH_PROBE,
    NS_NEIGH_PERMANENT
};
struct ns_neigh {
    struct netif *nif;
    uint32_t index;  // of nif
    struct ns_ip ip;
    uint8_t mac[6];  // unless INCOMPLETE
    enum ns_neigh_state state;
};
int netstack_neigh_at(struct netstack *ns, unsigned i, struct ns_neigh *out);
// state: REACHABLE, STALE or PERMANENT. An entry that is there is changed.
int netif_set_neigh(struct netif *nif, const struct ns_ip *ip, const uint8_t mac[6],
                    enum ns_neigh_state state);
int netif_del_neigh(struct netif *nif, const struct ns_ip *ip);  // -ENOENT

// ---- Filter -----------------------------------------------------------------------------------------------
// Rules in order; of those for a point the first that matches decides, and what none matches is accepted. An
// address that is unspecified with prefix 0, a protocol 0, a port range 0..0 match anything. Packets are seen
// on their way to a socket and from one as a whole; before that, as they come: fragments one by one, whoever
// they are for, without flows and without NS_REJECT. There the protocol of IPv6 is the first header's, and
// only what follows the IP header at once has ports.
enum ns_point { NS_INPUT, NS_OUTPUT, NS_PREROUTING, NS_POINTS };
enum ns_verdict { NS_ACCEPT, NS_DROP, NS_REJECT };  // NS_REJECT: with an ICMP error, or EPERM for our own
struct ns_rule {
    enum ns_point point;
    enum ns_verdict verdict;
    struct netif *nif;  // NULL: any
    struct ns_ip src, dst;
    unsigned src_prefix, dst_prefix;  // of an IPv4 address: 0..32
    uint8_t proto;
    uint16_t sport[2], dport[2];  // first and last
    bool established;             // only packets of a flow that has been accepted before, in either direction
    uint32_t rate, burst;         // rate not 0: matches at most so many packets a second
};
int netstack_add_rule(struct netstack *ns,
                      const struct ns_rule *rule);  // at the end; its number, or a negative error
int netstack_del_rule(struct netstack *ns, int id);
int64_t netstack_rule_hits(struct netstack *ns, int id);

// ---- Sockets ----------------------------------------------------------------------------------------------
enum ns_family { NS_INET = 2, NS_INET6 = 10, NS_PACKET = 17 };
enum ns_type { NS_STREAM = 1, NS_DGRAM = 2 };

// What a socket can do at a moment; the numbers of poll(2).
#define NS_IN    0x01u
#define NS_PRI   0x02u  // urgent data has been announced, or is there
#define NS_OUT   0x04u
#define NS_ERR   0x08u
#define NS_HUP   0x10u
#define NS_RDHUP 0x2000u

// Where bytes come from or go to: copy() moves the next n (at most left) between buf and the user's memory
// and returns how many it could, or a negative error. `left` is the stack's to count down.
struct ns_io {
    size_t left;
    int64_t (*copy)(struct ns_io *io, void *buf, size_t n);
};
struct ns_mem_io {
    struct ns_io io;
    uint8_t *at;
};
struct ns_io *ns_io_from(struct ns_mem_io *m, const void *data, size_t n);  // to send from
struct ns_io *ns_io_to(struct ns_mem_io *m, void *buf, size_t n);           // to receive into

int ns_socket(struct netstack *ns, enum ns_family family, enum ns_type type, struct ns_sock **out);
// A raw socket: a copy of every packet of that protocol (of IPv4 with its header, raw(7)), and packets sent
// as they are behind a header of ours. The user has asked whether the caller may.
int ns_raw_socket(struct netstack *ns, enum ns_family family, uint8_t proto, struct ns_sock **out);
// A ping socket, icmp(7): sends echo requests, with its port as their identifier, and receives the answers.
// The user has asked whether the caller may.
int ns_ping_socket(struct netstack *ns, enum ns_family family, struct ns_sock **out);
// Of a raw socket of ICMP or ICMPv6: messages whose type has its bit set in `blocked` are not for it.
void ns_block_types(struct ns_sock *s, const uint32_t blocked[8]);
// Looks at what would be queued, and says how many bytes of it are kept (0: none). load() copies n bytes from
// `at`, false when there are not so many. Called with the stack's lock held; runs as long as it likes, so it
// has to be bounded. A filter sees raw(7), udp(7) and packet(7) as Linux' see them; streams none.
struct ns_view {
    uint32_t len;
    uint32_t netif;     // where it came in
    uint16_t protocol;  // an Ethernet type
    bool (*load)(const struct ns_view *v, uint32_t at, void *to, uint32_t n);
};
struct ns_filter {
    uint32_t (*run)(const struct ns_filter *f, const struct ns_view *v);
};
// The socket's from now on, or none (NULL); whichever it had before, for its owner to free. Before ns_close()
// the filter has to be taken off.
const struct ns_filter *ns_set_filter(struct ns_sock *s, const struct ns_filter *f);
// A packet socket (packet(7)): frames of a protocol (an Ethernet type, or NS_PACKET_ALL, which sees what goes
// out too; 0: none until it is bound to one) beside the stack. `header`: with their link headers, both ways
// (SOCK_RAW). Its addresses have the interface's index in `scope` (0: all), the protocol in `port`, and in
// ip.b the link address and, received, the kind of packet. The user has asked whether the caller may.
#define NS_PACKET_ALL     3
#define NS_PACKET_KIND_AT 6  // in ip.b
enum ns_packet_kind {
    NS_PACKET_HOST,
    NS_PACKET_BROADCAST,
    NS_PACKET_MULTICAST,
    NS_PACKET_OTHERHOST,
    NS_PACKET_OUTGOING
};
// What it has seen since this was asked for last, what was dropped for want of room with it.
void ns_packet_counts(struct ns_sock *s, uint32_t *seen, uint32_t *dropped);
int ns_packet_socket(struct netstack *ns, bool header, uint16_t protocol, struct ns_sock **out);
// The socket is gone for its user: no callback after it. A TCP connection goes on to its orderly end by
// itself.
void ns_close(struct ns_sock *s);
// `ready` is called when one of the bits may have become true. Set it before the socket is used.
void ns_on_ready(struct ns_sock *s, void (*ready)(void *arg, uint32_t mask), void *arg);
uint32_t ns_ready(struct ns_sock *s);
int ns_bind(struct ns_sock *s, const struct ns_addr *addr);
int ns_listen(struct ns_sock *s, unsigned backlog);
int ns_accept(struct ns_sock *s, struct ns_sock **out);         // -EAGAIN: none is there
int ns_connect(struct ns_sock *s, const struct ns_addr *addr);  // -EINPROGRESS: NS_OUT or NS_ERR will tell
// Not connected any more, and as new but for its options and a port that it was bound to; a TCP connection is
// reset, a listener stops.
void ns_disconnect(struct ns_sock *s);
int ns_shutdown(struct ns_sock *s, bool rd, bool wr);
#define NS_MSG_OOB   0x01u  // of TCP: the last byte sent is urgent; the urgent byte is received
#define NS_MSG_PEEK  0x02u
#define NS_MSG_TRUNC 0x20u  // the datagram's true length is returned
#define NS_MSG_MORE  0x8000u
// to: or NULL
int64_t ns_send(struct ns_sock *s, struct ns_io *io, unsigned flags, const struct ns_addr *to);
// from: or NULL
int64_t ns_recv(struct ns_sock *s, struct ns_io *io, unsigned flags, struct ns_addr *from);
// What goes with a datagram besides its bytes and its peer.
struct ns_extra {
    struct ns_addr local;  // sent: from there (unspecified: ours to choose). Received: it was sent there
    uint32_t netif;        // an interface's index; sent, 0: by the routes
    int ttl, tos;          // sent, -1: the socket's
    uint64_t when;         // received: by the stack's clock
    uint32_t frag;         // received in fragments: the longest of these, headers included; else 0
    bool follows;          // sent: continues the datagram before, which was as long (UDP_SEGMENT)
    uint16_t joined;       // received: several of that size are one (NS_OPT_UDP_GRO); else 0
};
// x: or NULL; a stream has none
int64_t ns_send_with(struct ns_sock *s, struct ns_io *io, unsigned flags, const struct ns_addr *to,
                     const struct ns_extra *x);
int64_t ns_recv_with(struct ns_sock *s, struct ns_io *io, unsigned flags, struct ns_addr *from,
                     struct ns_extra *x);
// An error about what was sent, or what the user has queued himself.
enum ns_error_origin {  // SO_EE_ORIGIN_* of Linux
    NS_ERROR_LOCAL = 1,
    NS_ERROR_ICMP = 2,
    NS_ERROR_ICMP6 = 3,
    NS_ERROR_SENT = 4,  // when something was sent
    NS_ERROR_ZEROCOPY = 5
};
struct ns_error {
    int err;  // LINUX_E*
    uint8_t origin, type, code;
    uint32_t info, data;    // info of ICMP: the size that would have passed, or 0
    struct ns_ip offender;  // who said so
    struct ns_addr dst;     // where the packet was to go
    uint32_t netif;         // where the error came in, or 0
    uint64_t when;          // of NS_ERROR_SENT: its user's
};
// The first of the queue, with the bytes that it quotes: how many these are, or -EAGAIN.
int64_t ns_recv_error(struct ns_sock *s, struct ns_io *io, struct ns_error *e);
// At its end; of NS_ERROR_ZEROCOPY, whose info and data are a first and a last number, those that continue
// each other become one.
void ns_add_error(struct ns_sock *s, const struct ns_error *e);
// Bytes of a stream that are copied without the stack's lock: pieces of the stack's own memory, to be written
// to before they are sent, or read before they are taken. Pieces are the caller's until they are given back.
#define NS_PIECES 8
struct ns_pieces {
    unsigned n;
    size_t len;  // of all
    bool more;   // looked at: there is more than these could hold
    struct ns_iov iov[NS_PIECES];
    void *held[NS_PIECES];  // the stack's
};
// Room for up to `want` bytes: 0, or what ns_send() says of a socket that takes none now.
int ns_room(struct ns_sock *s, size_t want, struct ns_pieces *p);
// Sends the first `len` bytes of pieces from ns_room(), or nothing of them; gives the pieces back. len, or as
// ns_send().
int64_t ns_send_pieces(struct ns_sock *s, struct ns_pieces *p, size_t len, unsigned flags);
// What ns_recv() would give, up to `want` bytes, left where it is: how many, 0 at the end, or an error; only
// then there is nothing to be given back.
int64_t ns_look(struct ns_sock *s, size_t want, struct ns_pieces *p);
// Takes the first `len` bytes of pieces from ns_look() out of the queue; gives the pieces back. Nobody else
// has read from the socket since.
void ns_take(struct ns_sock *s, struct ns_pieces *p, size_t len);
int ns_local(struct ns_sock *s, struct ns_addr *addr);
int ns_peer(struct ns_sock *s, struct ns_addr *addr);
// Bytes that can be read at once (of a datagram: the next one), and those not yet acknowledged: FIONREAD,
// SIOCOUTQ.
void ns_queued(struct ns_sock *s, size_t *in, size_t *out);
// SIOCATMARK: 1 when the next byte to be read is the urgent one, 0 when not
int ns_at_mark(struct ns_sock *s);  // -EINVAL: it is no stream
// What the path to its peer carries, or -ENOTCONN.
int ns_mtu(struct ns_sock *s);
// Whose it is, for NS_OPT_REUSEPORT; 0 unless said.
void ns_set_owner(struct ns_sock *s, uint32_t owner);
int ns_take_error(struct ns_sock *s);  // SO_ERROR: positive, and cleared

// Groups, for datagram and raw sockets: what is sent to one comes to the sockets that joined it, on the
// interface where they did (NULL: where packets to it go; on leaving: any). Closing leaves.
int ns_join(struct ns_sock *s, const struct ns_ip *group, struct netif *nif);
int ns_leave(struct ns_sock *s, const struct ns_ip *group, struct netif *nif);
// A group's senders: all but those named (IP_BLOCK_SOURCE), or those alone (IP_ADD_SOURCE_MEMBERSHIP).
#define NS_SOURCES4 10  // Linux: igmp_max_msf
#define NS_SOURCES6 64  // Linux: mld_max_msf
struct ns_sources {
    bool exclude;
    unsigned n;
    struct ns_ip ip[NS_SOURCES6];
};
// One more, or one less; errors as Linux': EINVAL when the group was joined the other way, EADDRNOTAVAIL when
// it was there or was not, ENOBUFS when there are as many as may be. Who heard one sender alone, and leaves
// it, leaves the group.
int ns_change_source(struct ns_sock *s, const struct ns_ip *group, struct netif *nif, bool exclude, bool add,
                     const struct ns_ip *source);
// Joins, unless it has joined, and adds the sender: from the first packet on this one alone is heard.
int ns_join_source(struct ns_sock *s, const struct ns_ip *group, struct netif *nif,
                   const struct ns_ip *source);
int ns_set_sources(struct ns_sock *s, const struct ns_ip *group, struct netif *nif,
                   const struct ns_sources *f);
int ns_get_sources(struct ns_sock *s, const struct ns_ip *group, struct netif *nif, struct ns_sources *out);
// Groups that somebody on an interface has joined, one by one: -ENODEV beyond the last.
struct ns_group {
    struct ns_ip ip;
    unsigned users;
};
int netstack_group_at(struct netstack *ns, uint32_t netif, unsigned i, struct ns_group *out);
// Where packets to groups go; NULL: by the routes.
int ns_set_group_interface(struct ns_sock *s, struct netif *nif);

enum ns_option {
    NS_OPT_REUSEADDR,
    NS_OPT_REUSEPORT,  // several of one owner share an address; each flow finds its own of them
    NS_OPT_BROADCAST,
    NS_OPT_V6ONLY,
    NS_OPT_SNDBUF,
    NS_OPT_RCVBUF,
    NS_OPT_HDRINCL,       // of raw IPv4: what is sent has its header
    NS_OPT_CHECKSUM_AT,   // of raw IPv6: the offset of a checksum that is ours to make; -1: none
    NS_OPT_BIND_IF,       // an interface's index: packets go and come there alone; 0: any
    NS_OPT_UNICAST_IF,    // of datagrams over IPv4: where those go that are for no group; 0: by the routes
    NS_OPT_UNICAST_IF6,   // likewise of IPv6
    NS_OPT_FREEBIND,      // may be bound to an address that is not ours
    NS_OPT_BIND_NO_PORT,  // bound to port 0, it has none until it connects, listens or sends
    NS_OPT_PORT_RANGE,    // of ports that are chosen: the first in the lower 16 bits, the last above; 0: ours
    NS_OPT_TTL,
    NS_OPT_TOS,
    NS_OPT_MULTICAST_TTL,   // of packets to groups
    NS_OPT_MULTICAST_LOOP,  // and whether members here hear them
    NS_OPT_MULTICAST_ALL,   // hears groups that others here have joined, as Linux does unless told otherwise
    NS_OPT_MTU_DISCOVER,    // of UDP: do not fragment
    NS_OPT_RECVERR,         // errors about IPv4 packets that were sent are queued: ns_recv_error()
    NS_OPT_RECVERR6,        // likewise of IPv6
    NS_OPT_NO_CHECK6_TX,    // of UDP over IPv6: sent without a checksum (RFC 6935)
    NS_OPT_NO_CHECK6_RX,    // and received
    NS_OPT_UDP_GRO,         // of UDP: datagrams that were sent as one are read as one
    NS_OPT_OOBINLINE,
    NS_OPT_KEEPALIVE,
    NS_OPT_LINGER,  // seconds; -1: off
    NS_OPT_TCP_NODELAY,
    NS_OPT_TCP_CORK,
    NS_OPT_TCP_QUICKACK,
    NS_OPT_TCP_MAXSEG,
    NS_OPT_TCP_KEEPIDLE,
    NS_OPT_TCP_KEEPINTVL,
    NS_OPT_TCP_KEEPCNT,
    NS_OPT_TCP_USER_TIMEOUT,  // ms
    NS_OPT_TCP_SYNCNT,
    NS_OPT_TCP_CONGESTION,     // enum ns_congestion
    NS_OPT_TCP_MINTTL,         // IPv4 packets with a shorter time to live are dropped (RFC 5082)
    NS_OPT_TCP_MINTTL6,        // likewise of IPv6
    NS_OPT_TCP_DEFER_ACCEPT,   // of a listener: who connects without a word waits for so many SYN-ACKs
    NS_OPT_TCP_LINGER2,        // seconds in FIN-WAIT-2 without a user; 0: ours, -1: none, it is a reset
    NS_OPT_TCP_NOTSENT_LOWAT,  // as uint32_t: writable with fewer bytes unsent; 0: any number
    NS_OPT_TCP_WINDOW_CLAMP,   // no larger window is offered; 0: any
    NS_OPT_TCP_SAVE_SYN,       // of a listener: SYNs are kept for ns_take_syn(), with 2 the link header too
    NS_OPT_COUNT,
};
enum ns_congestion { NS_CUBIC, NS_RENO };
int ns_set_option(struct ns_sock *s, enum ns_option option, int value);
int ns_get_option(struct ns_sock *s, enum ns_option option, int *value);

// A connection's state for diagnostics (TCP_INFO); numbers of states as Linux has them.
struct ns_tcp_info {
    uint8_t state, recovery, snd_wscale, rcv_wscale;
    bool sack, timestamps, ecn;
    uint32_t mss, cwnd, ssthresh, snd_wnd, rcv_wnd, in_flight, unsent, reordering;
    uint64_t srtt_ns, rttvar_ns, rto_ns, retransmits, min_rtt_ns;
    uint64_t data_at;  // when the last data came in order, by the stack's clock; 0: none yet
};
int ns_tcp_info(struct ns_sock *s, struct ns_tcp_info *info);

// The headers of the SYN that made the connection, where its listener has NS_OPT_TCP_SAVE_SYN: up to *len
// bytes, and they are gone; 0 when there are none. -EINVAL: they are more, as *len then says.
int ns_take_syn(struct ns_sock *s, void *buf, uint32_t *len);

// All sockets, one by one, connections without a user too, but not those half-open ones that a listener has
// yet to see complete. visit() runs with the stack's lock held.
struct ns_sock_info {
    enum ns_family family;
    uint8_t proto;  // of IP; 0: a packet socket
    bool raw;
    uint8_t state;  // of TCP as Linux numbers them; of others 7, or 1 when connected
    struct ns_addr local, remote;  // local of a packet socket: its interface in scope, its protocol in port
    size_t in, out;  // bytes queued, as ns_queued() has them; of a listener connections, and how many may be
    uint32_t owner;
    bool v6only;
    void *user;  // the argument of ns_on_ready(); NULL: nobody holds it
    unsigned
        timer;  // what a timer of TCP is about: 0 none, 1 retransmission, 2 keepalive, 3 TIME-WAIT, 4 probe
    uint64_t due;  // ns from now until that
    unsigned retries;
};
void netstack_each_socket(struct netstack *ns, void (*visit)(void *arg, const struct ns_sock_info *s),
                          void *arg);

#endif
