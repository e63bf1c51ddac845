// SPDX-License-Identifier: Apache-2.0
// One datagram of several sends, udp(7): MSG_MORE and UDP_CORK. Where it goes, and what else was asked for
// it, its first part has said.
//
// What waits is charged to the budget of all buffers. Locks: the socket's `rx`; the stack's inside it.
#include "base/fault.h"
#include "base/lock.h"
#include "sentry/socket/inet.h"
#include <stdlib.h>
#include <string.h>

#define CORK_MAX 65535u

struct inet_cork {
    size_t len;
    struct ns_addr to;
    struct ns_extra extra;
    bool has_to, has_extra;
    uint16_t segment;
    char data[CORK_MAX];
};

// rx is held, or nobody else has the socket.
void inet_cork_drop(struct inet_sock *i) {
    struct inet_cork *c = atomic_exchange(&i->cork, NULL);
    if (!c)
        return;
    free(c);
    budget_give(i->s.net->un->buffers, sizeof *c);
}

static int begin(struct inet_sock *i, const struct sock_msg *m, const struct ns_addr *to) {
    struct ns_addr peer;
    if (!to && ns_peer(i->ns, &peer) < 0)
        return -LINUX_EDESTADDRREQ;
    if (!budget_take(i->s.net->un->buffers, sizeof(struct inet_cork)))
        return -LINUX_ENOBUFS;
    struct inet_cork *c = znew(struct inet_cork);
    if (!c) {
        budget_give(i->s.net->un->buffers, sizeof *c);
        return -LINUX_ENOBUFS;
    }
    if (to)
        c->to = *to;
    c->has_to = to != NULL;
    c->has_extra = m->has_extra;
    c->extra = m->extra;
    c->segment = m->segment;
    atomic_store(&i->cork, c);
    return 0;
}

// rx is held.
static int64_t push(struct inet_sock *i, unsigned flags) {
    struct inet_cork *c = i->cork;
    struct sock_msg m = {
        .flags = flags, .has_extra = c->has_extra, .extra = c->extra, .segment = c->segment};
    return inet_send_whole(i, &m, c->has_to ? &c->to : NULL, c->data, c->len);
}

int inet_uncork(struct inet_sock *i) {
    LOCKED(&i->rx);
    int64_t r = i->cork ? push(i, 0) : 0;
    inet_cork_drop(i);
    return r < 0 ? (int)r : 0;
}

int64_t inet_cork_send(struct inet_sock *i, struct sock_msg *m, const struct ns_addr *to, const char *buf,
                       size_t n, bool more) {
    LOCKED(&i->rx);
    int err = i->cork ? 0 : begin(i, m, to);
    if (err < 0)
        return err;
    struct inet_cork *c = i->cork;
    if (n > CORK_MAX - c->len) {
        inet_cork_drop(i);
        return -LINUX_EMSGSIZE;
    }
    memcpy(c->data + c->len, buf, n);
    c->len += n;
    if (more)
        return (int64_t)n;
    int64_t r = push(i, m->flags & ~(unsigned)LINUX_MSG_MORE);
    if (r == -LINUX_EAGAIN)
        c->len -= n;  // the call comes again with these
    else
        inet_cork_drop(i);
    return r < 0 ? r : (int64_t)n;
}
