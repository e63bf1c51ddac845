// SPDX-License-Identifier: Apache-2.0
// The header that the host puts before each frame and wants before ours (virtio 1.2, 5.1.6, in this machine's
// byte order): what is still to be done to the frame. With it long TCP segments and checksums that were not
// made pass the boundary as they are. Nothing here makes host calls.
#ifndef SENTRY_LINK_VNET_H
#define SENTRY_LINK_VNET_H
#include "netstack/netstack.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VNET_FRAME_MAX (65535u + 14)  // the longest IP packet behind an Ethernet header
#define VNET_GSO_MAX   65000u         // of what we send as one

enum { VNET_NEEDS_CSUM = 1, VNET_DATA_VALID = 2 };  // flags
enum {
    VNET_GSO_NONE,
    VNET_GSO_TCP4 = 1,
    VNET_GSO_UDP = 3,
    VNET_GSO_TCP6 = 4,
    VNET_GSO_UDP_L4 = 5,
    VNET_GSO_ECN = 0x80
};
struct vnet_hdr {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset;
};

// What is to be said of a frame that goes out.
struct vnet_hdr vnet_describe(const struct ns_frame *f);

// A frame as it came in, `got` bytes with its header. What the stack is to make of it:
enum vnet_kind {
    VNET_BAD,    // not a frame: dropped
    VNET_PLAIN,  // *rx is filled in
    VNET_CUT,    // UDP datagrams that the sender has left to be cut: vnet_cut()
};
enum vnet_kind vnet_read(const void *at, size_t got, struct ns_rx *rx);
// Makes the i-th datagram (from 0) of such a frame in `to`, which has room for VNET_FRAME_MAX bytes. false:
// there is none, or the frame is not what its header says. At most VNET_CUT_MAX.
#define VNET_CUT_MAX 128u
bool vnet_cut(const void *at, size_t got, unsigned i, uint8_t *to, struct ns_rx *rx);

#endif
