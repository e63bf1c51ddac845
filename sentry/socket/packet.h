// SPDX-License-Identifier: Apache-2.0
// Packet sockets: what packet.c and packet_ring.c share.
#ifndef SENTRY_SOCKET_PACKET_H
#define SENTRY_SOCKET_PACKET_H
#include "abi/packet.h"
#include "base/lock.h"
#include "base/waitq.h"
#include "netstack/netstack.h"
#include "sentry/socket/net_ns.h"
#include "sentry/socket/socket.h"

#define PACKET_LINK_HEADER 14u  // of Ethernet, which the loopback has too

// What PACKET_RX_RING made: memory that its reader maps, in frames of one size.
struct packet_ring {
    struct file *file;  // owned: a memfd; NULL: there is no ring
    int fd;             // of it, the file's
    char *frame;        // owned: a frame on its way there
    uint32_t frames, size;
    uint32_t block, per_block;  // no frame crosses a block
    uint32_t next;              // the frame that is filled next
    bool mapped;                // once: it stays as long as the socket, whose maps are of its file
};

// Letters: [l] its lock
struct packet_sock {
    struct socket s;
    struct ns_sock *ns;  // [c] owned: the stack's
    struct waitq wait;
    struct lock lock;
    int32_t ifindex;    // [l]
    uint16_t protocol;  // [l]
    _Atomic bool auxdata;
    int version;              // [l] LINUX_TPACKET_*
    uint32_t reserve;         // [l]
    struct packet_ring ring;  // [l]
};

// Who sent a frame, and how it came.
void packet_from(const struct packet_sock *p, const struct ns_addr *from, struct linux_sockaddr_ll *ll);

// ---- packet_ring.c ----------------------------------------------------------------------------------------
int packet_ring_set(struct packet_sock *p, struct task *t, const void *buf, uint32_t len);
int packet_ring_option(struct packet_sock *p, int name, int32_t v);
int packet_member(struct packet_sock *p, bool add, const void *buf, uint32_t len);
void packet_ring_free(struct packet_sock *p);
// p->lock is held. Moves frames from the stack's queue into free ones of the ring; whether the reader has
// something to read there.
bool packet_ring_fill(struct packet_sock *p);
int packet_ring_fd(struct packet_sock *p);  // -LINUX_EINVAL: there is no ring

#endif
