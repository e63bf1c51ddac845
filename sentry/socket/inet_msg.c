// SPDX-License-Identifier: Apache-2.0
// Messages of inet sockets. A guest's memory is never touched with the stack's lock held: what is long goes
// straight between the guest and buffers of the stack that are held meanwhile (ns_room(), ns_look()), so that
// over loopback a byte is copied once in and once out; few bytes of a stream, and datagrams, go by memory of
// our own.
//
// A stream's bytes leave the queue when they have reached the reader: looked at, copied, dropped, under the
// socket's `rx`, so that a bad address loses none and two readers do not get the same. A datagram that does
// not reach its reader is lost, as on Linux.
// LIMIT: MSG_PEEK on a stream shows what lies in the first eight buffers, 256 KiB where these are full.
#include "abi/inet.h"
#include "sentry/socket/inet.h"
#include <string.h>

#define UDP_SEGMENTS 64u  // UDP_MAX_SEGMENTS of Linux

static unsigned stack_flags(unsigned flags) {
    return (flags & LINUX_MSG_OOB ? NS_MSG_OOB : 0) | (flags & LINUX_MSG_PEEK ? NS_MSG_PEEK : 0) |
           (flags & LINUX_MSG_MORE ? NS_MSG_MORE : 0);
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

// ---- Sending ----------------------------------------------------------------------------------------------
#define SMALL 2048u  // up to here bytes are worth less than a buffer of their own: they are copied together

static unsigned gather(const struct ns_pieces *p, struct iovec v[NS_PIECES]) {
    for (unsigned i = 0; i < p->n; i++)
        v[i] = (struct iovec){p->iov[i].base, p->iov[i].len};
    return p->n;
}

// One piece of a stream: bytes, or an error. *all: more can be tried.
static int64_t send_small(struct inet_sock *i, struct uio *u, unsigned flags, bool *all) {
    struct ns_mem_io io;
    char buf[SMALL];
    int64_t n = uio_from(u, buf, least(u->left, sizeof buf));
    *all = false;
    if (n < 0)
        return n;
    int64_t sent = ns_send(i->ns, ns_io_from(&io, buf, (size_t)n), flags, NULL);
    if (sent < n)
        uio_back(u, (size_t)(sent > 0 ? n - sent : n));
    *all = sent == n;
    return sent;
}

// The same, from the guest into the stack's own memory.
static int64_t send_large(struct inet_sock *i, struct uio *u, unsigned flags, bool *all) {
    struct ns_pieces p;
    struct iovec v[NS_PIECES];
    *all = false;
    int err = ns_room(i->ns, u->left, &p);
    if (err < 0)
        return err;
    int64_t n = uio_fromv(u, v, gather(&p, v));
    *all = n == (int64_t)p.len;
    int64_t sent = ns_send_pieces(i->ns, &p, n > 0 ? (size_t)n : 0, flags);
    if (n > 0 && sent < n)
        uio_back(u, (size_t)(sent > 0 ? n - sent : n));
    *all = *all && sent == n;
    return n < 0 ? n : sent;
}

static int64_t send_stream(struct inet_sock *i, struct sock_msg *m) {
    unsigned flags = stack_flags(m->flags);
    int64_t done = 0, n;
    bool all;
    if (!(ns_ready(i->ns) & (NS_OUT | NS_ERR | NS_HUP)) && m->u->left > 0 && !atomic_load(&i->listening))
        return -LINUX_EAGAIN;  // before its bytes are copied for nothing
    do {
        bool small = m->u->left <= SMALL || flags & NS_MSG_OOB;
        n = small ? send_small(i, m->u, flags, &all) : send_large(i, m->u, flags, &all);
        done += n > 0 ? n : 0;
    } while (all && m->u->left > 0);
    if (done)
        return done;
    return n == -LINUX_ENOTCONN ? -LINUX_EPIPE : n;
}

static int64_t send_one(struct inet_sock *i, struct sock_msg *m, const struct ns_addr *to, const char *buf,
                        size_t n) {
    struct ns_mem_io io;
    return ns_send_with(i->ns, ns_io_from(&io, buf, n), stack_flags(m->flags), to,
                        m->has_extra ? &m->extra : NULL);
}

// UDP_SEGMENT, udp(7): one datagram after another, all but the last of that size.
static int64_t send_segments(struct inet_sock *i, struct sock_msg *m, const struct ns_addr *to,
                             const char *buf, size_t n, size_t size) {
    if (n > size * UDP_SEGMENTS)
        return -LINUX_EINVAL;
    if (!m->has_extra)
        inet_extra_init(i, &m->extra);
    m->has_extra = true;
    for (size_t at = 0; at < n; at += size) {
        m->extra.follows = at > 0;
        int64_t r = send_one(i, m, to, buf + at, least(size, n - at));
        if (r < 0)
            return at ? (int64_t)at : r;
    }
    return (int64_t)n;
}

int64_t inet_send_whole(struct inet_sock *i, struct sock_msg *m, const struct ns_addr *to, const char *buf,
                        size_t n) {
    size_t segment = m->segment ? m->segment : (size_t)inet_kept(i, KEPT_UDP_SEGMENT);
    if (segment && n > segment)
        return send_segments(i, m, to, buf, n, segment);
    return send_one(i, m, to, buf, n);
}

static int64_t send_datagram(struct inet_sock *i, struct sock_msg *m) {
    struct ns_addr to;
    char *buf = uio_bounce();
    size_t n = m->u->left;
    int err = m->addr ? inet_addr_target(&i->s, m->addr, &to) : 0;
    if (err < 0)
        return err;
    if (m->flags & LINUX_MSG_OOB)
        return -LINUX_EOPNOTSUPP;
    if (n >= UIO_BOUNCE)
        return -LINUX_EMSGSIZE;
    if (!m->has_extra && atomic_load(&i->has_sticky) && !(m->addr && ns_ip_is4(&to.ip))) {
        inet_extra_init(i, &m->extra);
        m->has_extra = true;
    }
    int64_t got = buf ? uio_from(m->u, buf, n) : -LINUX_ENOBUFS;
    if (got < 0)
        return got;
    if ((size_t)got < n)
        return -LINUX_EFAULT;
    bool more = inet_is_udp(&i->s) && (m->flags & LINUX_MSG_MORE || inet_kept(i, KEPT_UDP_CORK));
    if (more || inet_is_corked(i))
        return inet_cork_send(i, m, m->addr ? &to : NULL, buf, n, more);
    return inet_send_whole(i, m, m->addr ? &to : NULL, buf, n);
}

int64_t inet_send(struct socket *s, struct sock_msg *m) {
    int64_t n = inet_is_stream(s) ? send_stream(isock(s), m) : send_datagram(isock(s), m);
    if (n >= 0 && !inet_is_stream(s) && !inet_is_corked(isock(s)))
        inet_stamp_sent(isock(s));
    if (n >= 0 && m->flags & LINUX_MSG_ZEROCOPY)
        inet_zerocopy_done(isock(s));
    return n;
}

// ---- Receiving --------------------------------------------------------------------------------------------
bool inet_enough(struct inet_sock *i, size_t want) {
    size_t low = (size_t)socket_opt(&i->s, LINUX_SO_RCVLOWAT), in, out;
    if (low <= 1 || !inet_is_stream(&i->s) || atomic_load(&i->listening))
        return true;
    ns_queued(i->ns, &in, &out);
    return in >= least(low, want);
}

static int64_t copy_nowhere(struct ns_io *io, void *buf, size_t n) { return (int64_t)n; }

// One piece, from the stack's memory to the guest: bytes, 0 at the end, or an error. *more: there may be
// more.
static int64_t recv_piece(struct inet_sock *i, struct uio *u, bool peek, bool *more) {
    struct ns_pieces p;
    struct iovec v[NS_PIECES];
    int64_t n = ns_look(i->ns, u->left, &p);
    *more = false;
    if (n <= 0)
        return n;
    n = uio_tov(u, v, gather(&p, v));
    *more = n == (int64_t)p.len && p.more;
    ns_take(i->ns, &p, n > 0 && !peek ? (size_t)n : 0);
    return n;
}

// MSG_TRUNC, tcp(7): they are taken or looked at, and go nowhere.
static int64_t recv_nowhere(struct inet_sock *i, struct uio *u, unsigned flags) {
    struct ns_io io = {u->left, copy_nowhere};
    return ns_recv(i->ns, &io, flags, NULL);
}

static int64_t recv_urgent(struct inet_sock *i, struct sock_msg *m, unsigned flags) {
    struct ns_mem_io io;
    char byte;
    int64_t n = ns_recv(i->ns, ns_io_to(&io, &byte, 1), flags, NULL);
    if (n <= 0)
        return n;
    m->out_flags |= LINUX_MSG_OOB;
    return uio_to(m->u, &byte, 1);
}

// When the last of a stream's bytes came: of the ones that were read that is not known.
static void tell_stream(struct inet_sock *i, struct sock_msg *m) {
    struct ns_tcp_info info;
    if (!m->files || ns_tcp_info(i->ns, &info) < 0)
        return;
    m->has_extra = true;
    m->extra = (struct ns_extra){.when = info.data_at};
}

static int64_t recv_stream(struct inet_sock *i, struct sock_msg *m) {
    unsigned flags = stack_flags(m->flags & ~(unsigned)LINUX_MSG_MORE);
    int64_t done = 0, n;
    bool more;
    if (flags & NS_MSG_OOB)
        return recv_urgent(i, m, flags);
    LOCKED(&i->rx);
    if (m->flags & LINUX_MSG_TRUNC)
        return recv_nowhere(i, m->u, flags);
    if (!m->nonblock && !inet_enough(i, m->u->left) && !(ns_ready(i->ns) & (NS_RDHUP | NS_ERR)))
        return -LINUX_EAGAIN;
    if (m->u->left == 0)  // it waits for a byte, and does not take it
        return ns_ready(i->ns) & (NS_IN | NS_ERR) ? 0 : recv_nowhere(i, m->u, NS_MSG_PEEK);
    do {
        n = recv_piece(i, m->u, flags & NS_MSG_PEEK, &more);
        done += n > 0 ? n : 0;
    } while (more && m->u->left > 0 && !(flags & NS_MSG_PEEK));
    if (done)
        tell_stream(i, m);
    return done ? done : n;
}

static int64_t recv_datagram(struct inet_sock *i, struct sock_msg *m) {
    struct ns_mem_io io;
    struct ns_addr from = {.port = 0};
    char *buf = uio_bounce();
    if (!buf)
        return -LINUX_ENOBUFS;
    size_t room = least(m->u->left, UIO_BOUNCE);
    unsigned flags = stack_flags(m->flags & LINUX_MSG_PEEK) | NS_MSG_TRUNC;
    m->extra.netif = 0;
    int64_t whole = ns_recv_with(i->ns, ns_io_to(&io, buf, room), flags, &from, &m->extra);
    if (whole < 0)
        return whole;
    m->has_extra = m->extra.netif != 0;  // else it is the end, after shutdown(2), which who waits hears of
    if (!m->has_extra && m->nonblock)
        return -LINUX_EAGAIN;
    int64_t n = (int64_t)least((size_t)whole, room);
    if (n < whole)
        m->out_flags |= LINUX_MSG_TRUNC;
    int64_t put = n ? uio_to(m->u, buf, (size_t)n) : 0;
    if (put < n)
        return -LINUX_EFAULT;
    if (m->addr && m->has_extra)
        inet_addr_show(&i->s, &from, m->addr);
    return m->flags & LINUX_MSG_TRUNC ? whole : n;
}

int64_t inet_recv(struct socket *s, struct sock_msg *m) {
    if (m->flags & LINUX_MSG_ERRQUEUE)
        return inet_recv_error(isock(s), m);
    return inet_is_stream(s) ? recv_stream(isock(s), m) : recv_datagram(isock(s), m);
}
