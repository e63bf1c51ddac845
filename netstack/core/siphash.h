// SPDX-License-Identifier: Apache-2.0
// SipHash (Aumasson, Bernstein 2012): a keyed hash that a peer who does not know the key cannot steer. No
// locks.
#ifndef NETSTACK_CORE_SIPHASH_H
#define NETSTACK_CORE_SIPHASH_H
#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k[2];
};
// SipHash-2-4, for what others see: initial sequence numbers (RFC 6528), SYN cookies, port offsets (RFC
// 6056), addresses.
uint64_t siphash(const struct siphash_key *key, const void *data, size_t n);
// SipHash-1-3, for places in tables, which nobody sees: little more than half of the rounds.
uint64_t siphash_slot(const struct siphash_key *key, const void *data, size_t n);

#endif
