// SPDX-License-Identifier: Apache-2.0
// Receiving from a unix socket's own queue. A read of a stream goes across the bounds of messages, but not
// past files that come along, not into what has other credentials when these are wanted, and not over the
// urgent byte (MSG_OOB): that is a message of one byte which `urgent` of the socket names until it is
// received or read over. Received out of band it stays as an empty one, the mark, at which reads stop once.
// Locks: the socket's own, which the caller holds but for unix_recv() itself.
#include "abi/poll.h"
#include "fs/vfs.h"
#include "sentry/kernel.h"
#include "sentry/socket/unix.h"
#include <stdlib.h>
#include <string.h>

struct receipt {
    struct sock_msg *m;
    bool peek;
    struct list done;         // messages that are used up
    struct sock_files *drop;  // files that nobody wanted
};

// ---- What comes with a message ----------------------------------------------------------------------------
static void take_sender(struct sock_msg *m, const struct unix_msg *msg) {
    m->cred = msg->cred;
    m->has_cred = true;
    if (m->files && msg->who && !m->sender)
        m->sender = tgroup_get(msg->who);
    if (!m->addr)
        return;
    m->addr->len = msg->from ? msg->from->len : 0;
    if (msg->from)
        memcpy(m->addr->bytes, &msg->from->addr, msg->from->len);
}

// Files are neither put nor closed here.
static void take_files(struct receipt *r, struct unix_msg *msg) {
    struct sock_msg *m = r->m;
    if (!msg->files)
        return;
    if (r->peek) {
        if (m->files) {
            LOCKED(&unix_ns(msg->sender)->flight);  // not while garbage is looked for: it counts references
            *m->files = *msg->files;
            for (unsigned i = 0; i < m->files->n; i++)
                file_get(m->files->f[i]);
        }
        return;
    }
    unix_landed(msg);
    if (m->files) {
        *m->files = *msg->files;
        atomic_fetch_sub(&unix_ns(msg->sender)->in_flight, (int)msg->files->n);
        free(msg->files);
    } else {
        r->drop = msg->files;
    }
    msg->files = NULL;
}

static void use_up(struct unix_sock *u, struct receipt *r, struct unix_msg *msg) {
    list_del(&msg->link);
    u->bytes -= unix_cost(msg);
    u->nmsgs--;
    if (u->urgent == msg)
        u->urgent = NULL;
    list_add_tail(&r->done, &msg->link);
}

// ---- Streams ----------------------------------------------------------------------------------------------
static struct unix_msg *after(struct unix_sock *u, const struct unix_msg *msg) {
    return msg->link.next == &u->msgs ? NULL : container_of(msg->link.next, struct unix_msg, link);
}
static struct unix_msg *pass(struct unix_sock *u, struct receipt *r, struct unix_msg *msg) {
    struct unix_msg *next = after(u, msg);
    if (!r->peek)
        use_up(u, r, msg);
    return next;
}

// Where a read that has come to `at` goes on, `copied`: it has bytes already. NULL: it ends there.
static struct unix_msg *past_urgent(struct unix_sock *u, struct receipt *r, struct unix_msg *at,
                                    bool copied) {
    while (at && unix_is_mark(at)) {
        if (copied && !u->urgent)
            return NULL;
        at = pass(u, r, at);
    }
    if (!at || at != u->urgent)
        return at;
    if (copied)
        return NULL;
    bool in_line = socket_opt(&u->s, LINUX_SO_OOBINLINE);
    if (!r->peek)
        u->urgent = NULL;
    return in_line ? at : pass(u, r, at);
}

struct run {  // messages that are read in one piece
    struct iovec v[UIO_GATHER];
    unsigned k;
    size_t bytes;
    struct unix_msg *carrier;  // the last of them, when it has files
    size_t before;             // bytes before that one
    struct unix_msg *next;     // behind them
};

// May a read that has begun with `first` go on into msg?
static bool goes_on(struct unix_sock *u, const struct unix_msg *first, const struct unix_msg *msg) {
    if (!socket_opt(&u->s, LINUX_SO_PASSCRED) && !socket_opt(&u->s, LINUX_SO_PASSPIDFD))
        return true;
    return first->who == msg->who && !memcmp(&first->cred, &msg->cred, sizeof msg->cred);
}

// The bytes from `at` on that the read may take next, UIO_GATHER messages at most.
static void gather(struct unix_sock *u, const struct unix_msg *first, struct unix_msg *at, size_t want,
                   struct run *run) {
    *run = (struct run){.next = at};
    while (run->next && run->k < UIO_GATHER && (run->bytes < want || run->k == 0)) {
        struct unix_msg *msg = run->next;
        if (run->k && (msg->urgent || !goes_on(u, first, msg)))
            return;
        size_t n = msg->len - msg->off, left = want - run->bytes;
        n = n < left ? n : left;
        run->before = run->bytes;
        run->v[run->k++] = (struct iovec){msg->data + msg->off, n};
        run->bytes += n;
        run->next = after(u, msg);
        if (msg->files) {
            run->carrier = msg;
            return;
        }
    }
}

static void take_bytes(struct unix_sock *u, struct receipt *r, size_t n) {
    struct unix_msg *msg, *next;
    list_for_each_safe(msg, next, &u->msgs, link) {
        if (n == 0)
            break;
        size_t part = msg->len - msg->off < n ? msg->len - msg->off : n;
        msg->off += part;
        n -= part;
        if (msg->off == msg->len)
            use_up(u, r, msg);
    }
}

static int64_t recv_nothing(struct unix_sock *u, const struct sock_msg *m);

static int64_t recv_stream(struct unix_sock *u, struct receipt *r) {
    struct unix_msg *at = past_urgent(u, r, list_first(&u->msgs, struct unix_msg, link), false);
    struct unix_msg *first = at;
    struct linux_ucred cred;
    struct tgroup *who;  // to compare with
    int64_t done = 0;
    if (!at)
        return recv_nothing(u, r->m);
    take_sender(r->m, first);
    cred = first->cred;
    who = first->who;
    struct unix_msg like = {.cred = cred, .who = who};  // the first one may be used up by then
    for (;;) {
        struct run run;
        gather(u, &like, at, r->m->u->left, &run);
        int64_t put = run.bytes ? uio_tov(r->m->u, run.v, run.k) : 0;
        if (put < 0)
            return done ? done : put;
        bool files = run.carrier && ((size_t)put > run.before || run.bytes == 0);
        if (files)
            take_files(r, run.carrier);
        at = run.next;
        if (!r->peek)
            take_bytes(u, r, (size_t)put);
        done += put;
        if (put == 0 || (size_t)put < run.bytes || files || r->m->u->left == 0)
            return done;
        at = past_urgent(u, r, at, true);
        if (!at || !goes_on(u, &like, at))
            return done;
    }
}

static int64_t recv_urgent(struct unix_sock *u, struct receipt *r) {
    struct unix_msg *msg = u->urgent;
    if (u->s.type != LINUX_SOCK_STREAM)
        return -LINUX_EOPNOTSUPP;
    if (u->state != UNIX_CONNECTED || !msg || socket_opt(&u->s, LINUX_SO_OOBINLINE))
        return -LINUX_EINVAL;
    int64_t put = r->m->u->left ? uio_to(r->m->u, msg->data, 1) : 1;
    if (put < 0)
        return put;
    if (!r->peek) {
        u->urgent = NULL;
        msg->off = msg->len;
    }
    r->m->out_flags |= LINUX_MSG_OOB;
    return 1;
}

int unix_at_mark(struct socket *s) {
    struct unix_sock *u = usock(s);
    if (s->type != LINUX_SOCK_STREAM)
        return -LINUX_EOPNOTSUPP;
    LOCKED(&u->lock);
    if (list_empty(&u->msgs))
        return 0;
    const struct unix_msg *first = list_first(&u->msgs, struct unix_msg, link);
    return first == u->urgent || (unix_is_mark(first) && (!u->urgent || after(u, first) == u->urgent));
}

// ---- All kinds --------------------------------------------------------------------------------------------
static int64_t recv_packet(struct unix_sock *u, struct receipt *r) {
    struct unix_msg *msg = list_first(&u->msgs, struct unix_msg, link);
    size_t n = msg->len < r->m->u->left ? msg->len : r->m->u->left;
    int64_t put = n ? uio_to(r->m->u, msg->data, n) : 0;
    if (put >= 0) {
        take_sender(r->m, msg);
        take_files(r, msg);
        if (msg->len > n)
            r->m->out_flags |= LINUX_MSG_TRUNC;
        if (r->m->flags & LINUX_MSG_TRUNC)
            put = (int64_t)msg->len;
    }
    if (!r->peek)
        use_up(u, r, msg);
    return put;
}

// Nothing is queued: what that means.
static int64_t recv_nothing(struct unix_sock *u, const struct sock_msg *m) {
    int err = u->err;
    u->err = 0;
    if (err)
        return -err;
    if (u->rd_shut)  // of datagrams who waits is told so, and nobody else
        return u->s.type == LINUX_SOCK_DGRAM && m->nonblock ? -LINUX_EAGAIN : 0;
    if (u->s.type == LINUX_SOCK_STREAM && u->state != UNIX_CONNECTED)
        return -LINUX_EINVAL;
    if (u->s.type == LINUX_SOCK_SEQPACKET && u->state != UNIX_CONNECTED)
        return -LINUX_ENOTCONN;
    return -LINUX_EAGAIN;
}

static int64_t recv_any(struct unix_sock *u, struct receipt *r) {
    if (r->m->flags & LINUX_MSG_OOB)
        return recv_urgent(u, r);
    if (list_empty(&u->msgs))
        return recv_nothing(u, r->m);
    return u->s.type == LINUX_SOCK_STREAM ? recv_stream(u, r) : recv_packet(u, r);
}

int64_t unix_recv(struct socket *s, struct sock_msg *m) {
    struct unix_sock *u = usock(s);
    struct receipt r = {.m = m, .peek = m->flags & LINUX_MSG_PEEK};
    int64_t n;
    bool tell;
    list_init(&r.done);
    {
        LOCKED(&u->lock);
        n = recv_any(u, &r);
        tell = unix_should_tell(u);
    }
    unix_drop_files(unix_ns(u), r.drop);
    unix_free_msgs(&r.done);
    if (tell)
        unix_tell_room(u);
    return n;
}
