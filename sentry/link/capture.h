// SPDX-License-Identifier: Apache-2.0
// A capture file (pcapng) of what passes the links of a sandbox, for who is outside. It ends at its bound.
#ifndef SENTRY_LINK_CAPTURE_H
#define SENTRY_LINK_CAPTURE_H
#include "base/lock.h"
#include "netstack/netstack.h"
#include <stdbool.h>
#include <stdint.h>

struct capture {
    bool on;           // [c] there is a file, or was
    struct lock lock;  // RANK_LEAF
    int fd;            // [lock] owned; -1: none, or it is full
    uint64_t left;     // [lock] bytes that the file may still grow by
    uint8_t *block;    // [lock] owned; the block that is being made
};
// fd is taken over; -1: nothing is captured. 0 or -LINUX_E*.
int capture_open(struct capture *c, int fd, uint64_t max);
void capture_close(struct capture *c);
// Adds a frame, in pieces, when there is a file. A disk that is slow holds the caller up.
void capture_frame(struct capture *c, const struct ns_iov *iov, unsigned n);

#endif
