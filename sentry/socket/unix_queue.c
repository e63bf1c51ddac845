// SPDX-License-Identifier: Apache-2.0
// Messages of unix sockets: each socket owns the queue of what was sent to it. Streams are messages too,
// joined while small, read across their bounds; what carries files or comes from somebody else is never
// joined.
//
// A sender copies from its guest before it takes the receiver's lock, and holds no other lock with it. A
// queue counts what its messages cost, not only their bytes, so that many small ones are bounded as well.
// LIMIT: files on their way are bounded, but sockets that were sent to each other and then forgotten are
// given back only when the sandbox ends. LIMIT: no out-of-band data.
#include "abi/poll.h"
#include "base/fault.h"
#include "fs/vfs.h"
#include "sentry/kernel.h"
#include "sentry/run/run.h"
#include "base/budget.h"
#include "sentry/socket/unix.h"
#include <stdlib.h>
#include <string.h>

#define STREAM_CHUNK 32768u  // the largest message of a stream
#define STREAM_SMALL 1024u   // the smallest allocation of a stream's message, to be joined to
#define QUEUE_MAX    512u    // messages, net.unix.max_dgram_qlen
#define IN_FLIGHT_MAX 16384  // files on their way in all queues

// ---- Messages ---------------------------------------------------------------------------------------------
static size_t cost(const struct unix_msg *m) { return sizeof *m + m->cap; }

static struct unix_msg *msg_new(struct unix_ns *ns, size_t cap) {
    if (!budget_take(ns->budget, sizeof(struct unix_msg) + cap))
        return NULL;
    struct unix_msg *m = malloc(sizeof *m + cap);
    if (!m) {
        budget_give(ns->budget, sizeof *m + cap);
        return NULL;
    }
    memset(m, 0, sizeof *m);
    list_init(&m->link);
    m->ns = ns;
    m->cap = cap;
    return m;
}

static void drop_files(struct unix_ns *ns, struct sock_files *f) {
    if (!f)
        return;
    atomic_fetch_sub(&ns->in_flight, (int)f->n);
    sock_files_put(f);
    free(f);
}

static void msg_free(struct unix_msg *m) {
    drop_files(m->ns, m->files);
    if (m->from)
        unix_name_put(m->from);
    budget_give(m->ns->budget, cost(m));
    free(m);
}

// Dropping a file may close a socket, whose queue holds files ...: a loop instead of a recursion that a guest
// could make as deep as it likes.
void unix_free_msgs(struct list *msgs) {
    static _Thread_local struct list *running;
    if (running) {
        list_splice_tail(running, msgs);
        return;
    }
    running = msgs;
    while (!list_empty(msgs)) {
        struct unix_msg *m = list_first(msgs, struct unix_msg, link);
        list_del(&m->link);
        msg_free(m);
    }
    running = NULL;
}

static int take_files(struct unix_msg *m, struct sock_files *from) {
    if (!from || !from->n)
        return 0;
    if (atomic_fetch_add(&m->ns->in_flight, (int)from->n) + (int)from->n > IN_FLIGHT_MAX) {
        atomic_fetch_sub(&m->ns->in_flight, (int)from->n);
        return -LINUX_ETOOMANYREFS;
    }
    m->files = znew(struct sock_files);
    if (!m->files) {
        atomic_fetch_sub(&m->ns->in_flight, (int)from->n);
        return -LINUX_ENOMEM;
    }
    *m->files = *from;
    return 0;
}

// The files of m go back to their sender: m was not sent. They are his still.
static void return_files(struct unix_msg *m) {
    if (m->files)
        atomic_fetch_sub(&m->ns->in_flight, (int)m->files->n);
    free(m->files);
    m->files = NULL;
}

// ---- Room -------------------------------------------------------------------------------------------------
bool unix_has_room(struct unix_sock *to, struct unix_sock *from) {
    if (to->dead || to->rd_shut)
        return true;  // the send will fail, which is an answer
    if (to->s.type == LINUX_SOCK_DGRAM && to->nmsgs >= QUEUE_MAX)
        return false;
    return to->bytes < (size_t)socket_opt(&from->s, LINUX_SO_SNDBUF);
}

// u->lock is held: should senders hear of the room that there is now? Not before half of it is free, so that
// they are not woken for each message.
static bool should_tell(struct unix_sock *u) {
    if (!u->starved || u->bytes > (size_t)socket_opt(&u->s, LINUX_SO_RCVBUF) / 2 || u->nmsgs > QUEUE_MAX / 2)
        return false;
    u->starved = false;
    return true;
}

void unix_tell_room(struct unix_sock *u) {
    LOCKED(&unix_ns(u)->lock);
    struct unix_sock *c;
    if (u->peer)
        waitq_wake(&u->peer->wait, LINUX_POLLOUT);
    list_for_each(c, &u->clients, client_link)
        if (c != u->peer)
            waitq_wake(&c->wait, LINUX_POLLOUT);
    waitq_wake(&unix_ns(u)->room, LINUX_POLLOUT);
}

uint64_t unix_queued(struct socket *s, bool out) {
    struct unix_sock *u = usock(s);
    const struct unix_msg *m;
    uint64_t n = 0;
    if (out)
        return 0;  // LIMIT: SIOCOUTQ does not count what the peer has not read
    LOCKED(&u->lock);
    list_for_each(m, &u->msgs, link) {
        n += m->len - m->off;
        if (s->type != LINUX_SOCK_STREAM)
            break;  // the first message's size
    }
    return n;
}

// ---- Sending ----------------------------------------------------------------------------------------------
static bool same_sender(const struct unix_msg *a, const struct unix_msg *b) {
    return a->from == b->from && !memcmp(&a->cred, &b->cred, sizeof a->cred);
}

// to->lock is held. True: m's bytes were added to the last message, and m is the caller's to free.
static bool join(struct unix_sock *to, const struct unix_msg *m) {
    if (list_empty(&to->msgs) || m->files)
        return false;
    struct unix_msg *last = container_of(to->msgs.prev, struct unix_msg, link);
    if (last->files || last->cap - last->len < m->len || !same_sender(last, m))
        return false;
    memcpy(last->data + last->len, m->data, m->len);
    last->len += m->len;
    return true;
}

// May u send to `to`? to->lock is held.
static int may_send(struct unix_sock *to, struct unix_sock *u) {
    bool dgram = u->s.type == LINUX_SOCK_DGRAM;
    if (to->dead)
        return dgram ? -LINUX_ECONNREFUSED : -LINUX_EPIPE;
    if (dgram && to->peer && to->peer != u)
        return -LINUX_EPERM;
    return to->rd_shut ? -LINUX_EPIPE : 0;
}

// m is taken over on success. Room was asked for before the copy and is not asked for again: what was copied
// from the guest is not to be copied twice. So each sender that comes at the same moment may overdraw the
// queue by one message.
static int deliver(struct unix_sock *to, struct unix_sock *u, struct unix_msg *m) {
    bool joined;
    {
        LOCKED(&to->lock);
        int err = may_send(to, u);
        if (err < 0)
            return err;
        joined = u->s.type == LINUX_SOCK_STREAM && join(to, m);
        if (!joined) {
            list_add_tail(&to->msgs, &m->link);
            to->bytes += cost(m);
            to->nmsgs++;
        }
    }
    if (joined)
        msg_free(m);
    waitq_wake(&to->wait, LINUX_POLLIN);
    return 0;
}

static int check_room(struct unix_sock *to, struct unix_sock *u) {
    LOCKED(&to->lock);
    int err = may_send(to, u);
    if (err < 0 || unix_has_room(to, u))
        return err;
    to->starved = true;
    return -LINUX_EAGAIN;
}

// One message of at most `max` bytes of the request, or of all of it.
static int64_t send_one(struct unix_sock *u, struct unix_sock *to, struct sock_msg *m, size_t max) {
    size_t n = m->u->left < max ? m->u->left : max;
    int err = check_room(to, u);
    if (err < 0)
        return err;
    bool stream = u->s.type == LINUX_SOCK_STREAM;
    struct unix_msg *msg = msg_new(unix_ns(u), stream && n < STREAM_SMALL ? STREAM_SMALL : n);
    if (!msg)
        return -LINUX_ENOMEM;
    int64_t got = n ? uio_from(m->u, msg->data, n) : 0;
    if (got < 0 || (!stream && (size_t)got < n)) {
        msg_free(msg);
        return got < 0 ? got : -LINUX_EFAULT;
    }
    msg->len = (size_t)got;
    msg->cred = m->cred;
    {
        LOCKED(&u->lock);
        msg->from = unix_name_get(u->name);
    }
    err = take_files(msg, m->files);
    if (err == 0)
        err = deliver(to, u, msg);
    if (err < 0) {
        return_files(msg);
        msg_free(msg);
        return err;
    }
    if (m->files)
        m->files->n = 0;
    return got;
}

static bool is_connected(struct unix_sock *u) {
    LOCKED(&u->lock);
    return u->state == UNIX_CONNECTED;
}

// The peer of a connected socket: referenced.
static int peer_of(struct unix_sock *u, struct unix_sock **out) {
    LOCKED(&u->lock);
    if (u->s.type != LINUX_SOCK_DGRAM && u->state != UNIX_CONNECTED)
        return -LINUX_ENOTCONN;
    if (u->wr_shut)
        return -LINUX_EPIPE;
    if (!u->peer)
        return -LINUX_ENOTCONN;
    *out = unix_get(u->peer);
    return 0;
}

static int64_t send_stream(struct unix_sock *u, struct unix_sock *to, struct sock_msg *m) {
    int64_t done = 0;
    while (m->u->left > 0) {
        int64_t n = send_one(u, to, m, STREAM_CHUNK);
        if (n <= 0)
            return done ? done : n;
        done += n;
    }
    return done;
}

static int64_t send_packet(struct unix_sock *u, struct unix_sock *to, struct sock_msg *m) {
    if (m->u->left > (size_t)socket_opt(&u->s, LINUX_SO_SNDBUF) - 32)
        return -LINUX_EMSGSIZE;
    return send_one(u, to, m, SIZE_MAX);
}

int64_t unix_send(struct socket *s, struct sock_msg *m) {
    struct unix_sock *u = usock(s), *to = NULL;
    bool dgram = s->type == LINUX_SOCK_DGRAM, stream = s->type == LINUX_SOCK_STREAM;
    if (m->flags & LINUX_MSG_OOB)
        return -LINUX_EOPNOTSUPP;
    int err;
    if (m->addr && stream)
        return is_connected(u) ? -LINUX_EISCONN : -LINUX_EOPNOTSUPP;
    if (m->addr && dgram)
        err = unix_find(task_current, m->addr, s->type, &to);
    else
        err = peer_of(u, &to);
    if (err < 0)
        return err;
    int64_t r = stream ? send_stream(u, to, m) : send_packet(u, to, m);
    if (r == -LINUX_EAGAIN && m->addr)
        m->wait = &unix_ns(u)->room;
    if (r == -LINUX_ECONNREFUSED && dgram && !m->addr)
        unix_disconnect(u, to);
    unix_put(to);
    return r;
}

// ---- Receiving --------------------------------------------------------------------------------------------
struct receipt {
    struct sock_msg *m;
    bool peek;
    struct list done;          // messages that are used up
    struct sock_files *drop;   // files that nobody wanted
};

// What comes with a message besides its bytes. u->lock is held: files are neither put nor closed here.
static void take_extras(struct receipt *r, struct unix_msg *msg) {
    struct sock_msg *m = r->m;
    m->cred = msg->cred;
    m->has_cred = true;
    if (m->addr) {
        m->addr->len = msg->from ? msg->from->len : 0;
        if (msg->from)
            memcpy(m->addr->bytes, &msg->from->addr, msg->from->len);
    }
    if (!msg->files)
        return;
    if (r->peek) {
        if (m->files) {
            *m->files = *msg->files;
            for (unsigned i = 0; i < m->files->n; i++)
                file_get(m->files->f[i]);
        }
        return;
    }
    if (m->files) {
        *m->files = *msg->files;
        atomic_fetch_sub(&msg->ns->in_flight, (int)msg->files->n);
        free(msg->files);
    } else {
        r->drop = msg->files;
    }
    msg->files = NULL;
}

static void use_up(struct unix_sock *u, struct receipt *r, struct unix_msg *msg) {
    list_del(&msg->link);
    u->bytes -= cost(msg);
    u->nmsgs--;
    list_add_tail(&r->done, &msg->link);
}

// May a read that has begun with `first` go on into msg? Not into what carries files or is another sender's.
static bool goes_on(struct unix_sock *u, const struct unix_msg *first, const struct unix_msg *msg) {
    return !msg->files &&
           (!socket_opt(&u->s, LINUX_SO_PASSCRED) || !memcmp(&first->cred, &msg->cred, sizeof msg->cred));
}
// The bytes from *at on that the read may take next, UIO_GATHER messages at most: how many, *bytes in all.
// *at becomes the message behind them, NULL: there is none.
static unsigned gather(struct unix_sock *u, const struct unix_msg *first, struct unix_msg **at, size_t want,
                       struct iovec *v, size_t *bytes) {
    unsigned k = 0;
    struct unix_msg *msg = *at;
    *bytes = 0;
    while (msg && k < UIO_GATHER && *bytes < want && (msg == first || goes_on(u, first, msg))) {
        size_t n = msg->len - msg->off;
        n = n < want - *bytes ? n : want - *bytes;
        v[k++] = (struct iovec){msg->data + msg->off, n};
        *bytes += n;
        bool last = msg->link.next == &u->msgs || msg->files;
        msg = last ? NULL : container_of(msg->link.next, struct unix_msg, link);
    }
    *at = msg;
    return k;
}
static void take_bytes(struct unix_sock *u, struct receipt *r, size_t n) {
    struct unix_msg *msg, *next;
    list_for_each_safe(msg, next, &u->msgs, link) {
        size_t part = msg->len - msg->off < n ? msg->len - msg->off : n;
        msg->off += part;
        n -= part;
        if (msg->off == msg->len)
            use_up(u, r, msg);
        if (n == 0)
            break;
    }
}
static int64_t recv_stream(struct unix_sock *u, struct receipt *r) {
    struct unix_msg *first = list_first(&u->msgs, struct unix_msg, link), *at = first;
    int64_t done = 0;
    for (;;) {
        struct iovec v[UIO_GATHER];
        size_t bytes;
        unsigned k = gather(u, first, &at, r->m->u->left, v, &bytes);
        int64_t put = bytes ? uio_tov(r->m->u, v, k) : 0;
        if (put < 0)
            return done ? done : put;
        if (done == 0)
            take_extras(r, first);
        if (!r->peek)
            take_bytes(u, r, (size_t)put);
        done += put;
        if (put == 0 || (size_t)put < bytes || !at)
            return done;
    }
}

static int64_t recv_packet(struct unix_sock *u, struct receipt *r) {
    struct unix_msg *msg = list_first(&u->msgs, struct unix_msg, link);
    size_t n = msg->len < r->m->u->left ? msg->len : r->m->u->left;
    int64_t put = n ? uio_to(r->m->u, msg->data, n) : 0;
    if (put >= 0) {
        take_extras(r, msg);
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
static int64_t recv_nothing(struct unix_sock *u) {
    int err = u->err;
    u->err = 0;
    if (err)
        return -err;
    if (u->rd_shut)
        return 0;
    if (u->s.type == LINUX_SOCK_STREAM && u->state != UNIX_CONNECTED)
        return -LINUX_EINVAL;
    if (u->s.type == LINUX_SOCK_SEQPACKET && u->state != UNIX_CONNECTED)
        return -LINUX_ENOTCONN;
    return -LINUX_EAGAIN;
}

int64_t unix_recv(struct socket *s, struct sock_msg *m) {
    struct unix_sock *u = usock(s);
    struct receipt r = {.m = m, .peek = m->flags & LINUX_MSG_PEEK};
    int64_t n;
    bool tell;
    list_init(&r.done);
    if (m->flags & (LINUX_MSG_OOB | LINUX_MSG_ERRQUEUE))
        return m->flags & LINUX_MSG_OOB ? -LINUX_EOPNOTSUPP : -LINUX_EAGAIN;
    {
        LOCKED(&u->lock);
        if (list_empty(&u->msgs))
            n = recv_nothing(u);
        else
            n = s->type == LINUX_SOCK_STREAM ? recv_stream(u, &r) : recv_packet(u, &r);
        tell = should_tell(u);
    }
    drop_files(unix_ns(u), r.drop);
    unix_free_msgs(&r.done);
    if (tell)
        unix_tell_room(u);
    return n;
}
