// SPDX-License-Identifier: Apache-2.0
// SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash that a peer who does not know the key cannot steer. For the
// tables of connections, initial sequence numbers (RFC 6528), SYN cookies and port offsets (RFC 6056). No locks.
#ifndef NETSTACK_CORE_SIPHASH_H
#define NETSTACK_CORE_SIPHASH_H
#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k[2];
};
uint64_t siphash(const struct siphash_key *key, const void *data, size_t n);

#endif
