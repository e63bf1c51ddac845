// SPDX-License-Identifier: Apache-2.0
// A queue of bytes in shared buffers: what TCP has yet to see acknowledged, and what a reader has yet to
// take. Pieces of packets go in and out without copies; small pieces are copied together, so that a peer who
// sends single bytes cannot make each of them hold a buffer. Lock: the stack's.
#ifndef NETSTACK_CORE_BYTEQ_H
#define NETSTACK_CORE_BYTEQ_H
#include "netstack/core/pkt.h"

struct byteq {
    struct list chunks;
    uint32_t len;     // bytes
    uint32_t weight;  // of the buffers, in the budget: at least len
};

void byteq_init(struct byteq *q);
void byteq_clear(struct byteq *q);
// Copies up to `max` bytes from io to the tail. How many; a negative error when none (-ENOBUFS: over budget).
int64_t byteq_fill(struct netstack *ns, struct byteq *q, struct ns_io *io, uint32_t max);
// Appends the packet, whose headers have been pulled; takes p. How many of its bytes, from the front, went
// in: all of them unless memory ran out.
uint32_t byteq_append(struct byteq *q, struct pkt *p);
// Copies from offset `at` to io, until either ends. Negative errors of io only when nothing was copied.
int64_t byteq_copy(const struct byteq *q, uint32_t at, struct ns_io *io);
// Appends a reference to the first len bytes of b, all that is in it; false: no memory.
bool byteq_push(struct netstack *ns, struct byteq *q, struct buf *b, uint32_t len);
// References to what lies from offset `at` on, up to `want` bytes and as many pieces as there is room for.
void byteq_refer(const struct byteq *q, uint32_t at, size_t want, struct ns_pieces *p);
void byteq_drop(struct byteq *q, uint32_t n);  // from the front; n <= len
// Attaches up to n bytes from offset `at` to the packet; how many it could take.
uint32_t byteq_attach(const struct byteq *q, uint32_t at, uint32_t n, struct pkt *p);

#endif
