// SPDX-License-Identifier: Apache-2.0
// See nlmsg.h.
#include "sentry/net/nlmsg.h"
#include <string.h>

#define ATTR_TYPE 0x3fff  // without the flags "nested" and "network order"

static void *room(struct nl_buf *b, size_t n) {
    if (b->full || NL_ALIGN(n) > b->cap - b->len) {
        b->full = true;
        return NULL;
    }
    uint8_t *at = b->p + b->len;
    memset(at, 0, NL_ALIGN(n));
    b->len += NL_ALIGN(n);
    return at;
}
size_t nl_begin(struct nl_buf *b, uint16_t type, uint16_t flags, uint32_t seq, uint32_t pid, const void *body,
                size_t n) {
    size_t at = b->len;
    struct linux_nlmsghdr h = {.nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = seq, .nlmsg_pid = pid};
    uint8_t *p = room(b, sizeof h + n);
    if (p) {
        memcpy(p, &h, sizeof h);
        memcpy(p + sizeof h, body, n);
    }
    return at;
}
void nl_put(struct nl_buf *b, uint16_t attr, const void *data, size_t n) {
    struct linux_nlattr a = {.nla_len = (uint16_t)(sizeof a + n), .nla_type = attr};
    uint8_t *p = room(b, sizeof a + n);
    if (!p)
        return;
    memcpy(p, &a, sizeof a);
    if (n)
        memcpy(p + sizeof a, data, n);
}
void nl_put_u8(struct nl_buf *b, uint16_t attr, uint8_t v) { nl_put(b, attr, &v, sizeof v); }
void nl_put_u32(struct nl_buf *b, uint16_t attr, uint32_t v) { nl_put(b, attr, &v, sizeof v); }
void nl_put_str(struct nl_buf *b, uint16_t attr, const char *s) { nl_put(b, attr, s, strlen(s) + 1); }

size_t nl_nest(struct nl_buf *b, uint16_t attr) {
    size_t at = b->len;
    nl_put(b, attr, NULL, 0);
    return at;
}
void nl_nest_end(struct nl_buf *b, size_t at) {
    uint16_t len = (uint16_t)(b->len - at);
    if (!b->full)
        memcpy(b->p + at + offsetof(struct linux_nlattr, nla_len), &len, sizeof len);
}

bool nl_end(struct nl_buf *b, size_t at) {
    bool fits = !b->full;
    if (fits) {
        uint32_t len = (uint32_t)(b->len - at);
        memcpy(b->p + at + offsetof(struct linux_nlmsghdr, nlmsg_len), &len, sizeof len);
    } else {
        b->len = at;
        b->full = false;
    }
    return fits;
}

const void *nl_find(const void *attrs, size_t n, uint16_t attr, size_t *len) {
    const uint8_t *p = attrs;
    struct linux_nlattr a;
    while (n >= sizeof a) {
        memcpy(&a, p, sizeof a);
        if (a.nla_len < sizeof a || a.nla_len > n)
            return NULL;
        if ((a.nla_type & ATTR_TYPE) == attr) {
            *len = a.nla_len - sizeof a;
            return p + sizeof a;
        }
        size_t step = NL_ALIGN(a.nla_len);
        if (step >= n)
            return NULL;
        p += step;
        n -= step;
    }
    return NULL;
}
