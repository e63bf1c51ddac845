// SPDX-License-Identifier: Apache-2.0
// Netlink messages in a buffer: written with their attributes, all padded to 4 bytes; and attributes read
// from a guest's.
#ifndef SENTRY_NET_NLMSG_H
#define SENTRY_NET_NLMSG_H
#include "abi/netlink.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NL_ALIGN(n) (((n) + (size_t)3) & ~(size_t)3)

struct nl_buf {
    uint8_t *p;  // borrowed, aligned to 4
    size_t len, cap;
    bool full;  // something did not fit: nl_end() takes the message back
};
// Begins a message; `body`, of n bytes, is its fixed part. Where it begins, for nl_end().
size_t nl_begin(struct nl_buf *b, uint16_t type, uint16_t flags, uint32_t seq, uint32_t pid, const void *body,
                size_t n);
void nl_put(struct nl_buf *b, uint16_t attr, const void *data, size_t n);
void nl_put_u8(struct nl_buf *b, uint16_t attr, uint8_t v);
void nl_put_u32(struct nl_buf *b, uint16_t attr, uint32_t v);
void nl_put_str(struct nl_buf *b, uint16_t attr, const char *s);  // with its NUL
// An attribute with others in it: where it begins, for nl_nest_end().
size_t nl_nest(struct nl_buf *b, uint16_t attr);
void nl_nest_end(struct nl_buf *b, size_t at);
// false: there was no room, and the buffer is as it was at nl_begin()
bool nl_end(struct nl_buf *b, size_t at);

// The first attribute of that type among n bytes: its data and *len, or NULL. What is malformed ends the
// search.
const void *nl_find(const void *attrs, size_t n, uint16_t attr, size_t *len);

#endif
