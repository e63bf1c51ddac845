// SPDX-License-Identifier: Apache-2.0
// Capture files as Wireshark and tcpdump read them (pcapng, draft-ietf-opsawg-pcapng): the bytes are made
// here, the user writes them where it wants. No locks, no state.
#ifndef NETSTACK_LINK_PCAPNG_H
#define NETSTACK_LINK_PCAPNG_H
#include <stddef.h>
#include <stdint.h>

#define PCAPNG_ETHERNET 1
#define PCAPNG_RAW_IP   101
#define PCAPNG_HEAD     60                                       // the section's and the interface's block
#define PCAPNG_BLOCK(n) (32 + (((size_t)(n) + 3) & ~(size_t)3))  // of a frame of n bytes

// What a file begins with; link: PCAPNG_*. Returns PCAPNG_HEAD.
size_t pcapng_head(uint8_t buf[static PCAPNG_HEAD], uint16_t link);
// One frame at `ns` since 1970, cut to n of its len bytes; buf has PCAPNG_BLOCK(n) bytes. How many it took.
size_t pcapng_frame(uint8_t *buf, uint64_t ns, const void *data, uint32_t n, uint32_t len);

#endif
