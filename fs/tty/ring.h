// SPDX-License-Identifier: Apache-2.0
// A ring of bytes with a fixed capacity (a power of two), allocated once. Its lock is its owner's.
#ifndef FS_TTY_RING_H
#define FS_TTY_RING_H
#include "base/fault.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

struct tty_ring {
    uint8_t *data;
    uint32_t size, head, len;  // capacity, place of the first byte, how many there are
};

static inline bool ring_init(struct tty_ring *r, uint32_t size) {
    *r = (struct tty_ring){.data = xcalloc(1, size), .size = size};
    return r->data;
}
static inline uint32_t ring_room(const struct tty_ring *r) { return r->size - r->len; }
static inline void ring_put(struct tty_ring *r, uint8_t c) {
    r->data[(r->head + r->len++) & (r->size - 1)] = c;
}
static inline void ring_drop(struct tty_ring *r, uint32_t n) {  // the first n
    r->head = (r->head + n) & (r->size - 1);
    r->len -= n;
}
// n bytes from `at` behind the head, as at most two pieces: how many.
static inline unsigned ring_pieces(const struct tty_ring *r, uint32_t at, uint32_t n, struct iovec v[2]) {
    uint32_t from = (r->head + at) & (r->size - 1), first = n < r->size - from ? n : r->size - from;
    v[0] = (struct iovec){r->data + from, first};
    v[1] = (struct iovec){r->data, n - first};
    return n > first ? 2 : 1;
}
// As many of the n bytes at p as there is room for.
static inline uint32_t ring_add(struct tty_ring *r, const uint8_t *p, uint32_t n) {
    struct iovec v[2];
    if (n > ring_room(r))
        n = ring_room(r);
    ring_pieces(r, r->len, n, v);
    memcpy(v[0].iov_base, p, v[0].iov_len);
    memcpy(v[1].iov_base, p + v[0].iov_len, v[1].iov_len);
    r->len += n;
    return n;
}

#endif
