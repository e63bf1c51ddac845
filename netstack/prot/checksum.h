// SPDX-License-Identifier: Apache-2.0
// The Internet checksum (RFC 1071): a sum of 16-bit words with the carries put back in. Sums are kept
// unfolded and in wire byte order (RFC 1071 2 B), so that the pieces of a packet are summed one by one.
#ifndef NETSTACK_PROT_CHECKSUM_H
#define NETSTACK_PROT_CHECKSUM_H
#include <stddef.h>
#include <stdint.h>

// Adds n bytes. `odd`: the piece begins at an odd offset of what is summed.
uint64_t csum_add(uint64_t sum, const void *data, size_t n, int odd);
// The complement, folded, as the two bytes that go into a header with memcpy(). 0 over a correct packet.
uint16_t csum_finish(uint64_t sum);
// Of one piece; what goes into the header.
static inline uint16_t csum(const void *data, size_t n) { return csum_finish(csum_add(0, data, n, 0)); }
// The checksum field after one 16-bit word of what it covers has changed (RFC 1624, equation 3). All in wire
// order.
uint16_t csum_update(uint16_t check, uint16_t was, uint16_t is);

#endif
