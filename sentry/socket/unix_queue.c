// SPDX-License-Identifier: Apache-2.0
// Messages of unix sockets: each socket owns the queue of what was sent to it. Streams are messages too,
// joined while small, read across their bounds; what carries files or comes from somebody else is never
// joined.
//
// A sender copies from its guest before it takes the receiver's lock, and holds no other lock with it. A
// queue counts what its messages cost, not only their bytes, so that many small ones are bounded as well, and
// all queues together hold no more than the namespace may. What
// a sender's messages cost while nobody has read them is counted with it too, SIOCOUTQ.
//
// Receiving is in unix_recv.c, sockets that only their own queues hold are found in unix_gc.c.
#include "abi/poll.h"
#include "base/fault.h"
#include "fs/vfs.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
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
bool queue_charge(struct unix_ns *ns, size_t bytes) {
    if (!budget_take(&ns->messages, bytes))
        return false;
    if (budget_take(ns->buffers, bytes))
        return true;
    budget_give(&ns->messages, bytes);
    return false;
}
void queue_uncharge(struct unix_ns *ns, size_t bytes) {
    budget_give(&ns->messages, bytes);
    budget_give(ns->buffers, bytes);
}

static struct unix_msg *msg_new(struct unix_sock *sender, size_t cap) {
    struct unix_ns *ns = unix_ns(sender);
    size_t size = sizeof(struct unix_msg) + cap;
    if (!queue_charge(ns, size))
        return NULL;
    struct unix_msg *m = malloc(size);
    if (!m) {
        queue_uncharge(ns, size);
        return NULL;
    }
    memset(m, 0, sizeof *m);
    list_init(&m->link);
    list_init(&m->carrier);
    m->sender = unix_get(sender);
    m->cap = cap;
    return m;
}

void unix_drop_files(struct unix_ns *ns, struct sock_files *f) {
    if (!f)
        return;
    atomic_fetch_sub(&ns->in_flight, (int)f->n);
    sock_files_put(f);
    free(f);
}

static void msg_free(struct unix_msg *m) {
    unix_landed(m);
    unix_drop_files(unix_ns(m->sender), m->files);
    unix_name_put(m->from);
    if (m->who)
        tgroup_put(m->who);
    if (m->queued)
        atomic_fetch_sub(&m->sender->unread, unix_cost(m));
    queue_uncharge(unix_ns(m->sender), unix_cost(m));
    unix_put(m->sender);
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
    struct unix_ns *ns = unix_ns(m->sender);
    if (atomic_fetch_add(&ns->in_flight, (int)from->n) + (int)from->n > IN_FLIGHT_MAX) {
        atomic_fetch_sub(&ns->in_flight, (int)from->n);
        unix_collect(ns);  // there may be room next time
        return -LINUX_ETOOMANYREFS;
    }
    m->files = znew(struct sock_files);
    if (!m->files) {
        atomic_fetch_sub(&ns->in_flight, (int)from->n);
        return -LINUX_ENOMEM;
    }
    *m->files = *from;
    return 0;
}

// The files of m go back to their sender: m was not sent. They are his still.
static void return_files(struct unix_msg *m) {
    if (m->files)
        atomic_fetch_sub(&unix_ns(m->sender)->in_flight, (int)m->files->n);
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

// Not before half of it is free, so that they are not woken for each message.
bool unix_should_tell(struct unix_sock *u) {
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
        return atomic_load(&u->unread);
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
    return a->sender == b->sender && a->from == b->from && a->who == b->who &&
           !memcmp(&a->cred, &b->cred, sizeof a->cred);
}

// to->lock is held. True: m's bytes were added to the last message, and m is the caller's to free.
static bool join(struct unix_sock *to, const struct unix_msg *m) {
    if (list_empty(&to->msgs) || m->files || m->urgent)
        return false;
    struct unix_msg *last = container_of(to->msgs.prev, struct unix_msg, link);
    if (last->files || last->cap - last->len < m->len || last->urgent || !same_sender(last, m))
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
    uint32_t events = LINUX_POLLIN;
    {
        LOCKED(&to->lock);
        int err = may_send(to, u);
        if (err < 0)
            return err;
        joined = u->s.type == LINUX_SOCK_STREAM && join(to, m);
        if (!joined) {
            list_add_tail(&to->msgs, &m->link);
            to->bytes += unix_cost(m);
            to->nmsgs++;
            atomic_fetch_add(&u->unread, unix_cost(m));
            m->queued = true;
            to->urgent = m->urgent ? m : to->urgent;
            unix_flies(to, m);
        }
        events |= !joined && m->urgent ? LINUX_POLLPRI : 0;
    }
    if (joined)
        msg_free(m);
    waitq_wake(&to->wait, events);
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

static bool wants_cred(struct unix_sock *u) {
    return socket_opt(&u->s, LINUX_SO_PASSCRED) || socket_opt(&u->s, LINUX_SO_PASSPIDFD);
}

// A message has credentials when its sender named some, or when one of both ends wants them at that moment;
// else it has nobody's.
static struct linux_ucred cred_of(struct unix_sock *u, struct unix_sock *to, const struct sock_msg *m) {
    const struct task *t = task_current;
    if (m->has_cred)
        return m->cred;
    if (!t || (!wants_cred(u) && !wants_cred(to)))
        return (struct linux_ucred){0, 65534, 65534};
    return (struct linux_ucred){t->tg->pid, t->cred->uid, t->cred->gid};
}

// The process that the credentials name, referenced, where one of both ends asks for its pidfd. NULL: it is
// not asked for, or has gone.
static struct tgroup *process_of(struct unix_sock *u, struct unix_sock *to, const struct sock_msg *m) {
    const struct task *t = task_current;
    if (!t || (!socket_opt(&u->s, LINUX_SO_PASSPIDFD) && !socket_opt(&to->s, LINUX_SO_PASSPIDFD)))
        return NULL;
    if (!m->has_cred)
        return tgroup_get(t->tg);
    LOCKED(&t->k->tasks_lock);
    struct tgroup *g = t->k->tgs[m->cred.pid];  // the kernel's number, looked up when it was named
    return g ? tgroup_get(g) : NULL;
}

// One message of at most `max` bytes of the request, or of all of it.
static int64_t send_one(struct unix_sock *u, struct unix_sock *to, struct sock_msg *m, size_t max,
                        bool urgent) {
    size_t n = m->u->left < max ? m->u->left : max;
    int err = check_room(to, u);
    if (err < 0)
        return err;
    bool stream = u->s.type == LINUX_SOCK_STREAM;
    struct unix_msg *msg = msg_new(u, stream && n < STREAM_SMALL ? STREAM_SMALL : n);
    if (!msg)
        return -LINUX_ENOBUFS;
    int64_t got = n ? uio_from(m->u, msg->data, n) : 0;
    if (got < 0 || (!stream && (size_t)got < n)) {
        msg_free(msg);
        return got < 0 ? got : -LINUX_EFAULT;
    }
    msg->len = (size_t)got;
    msg->cred = cred_of(u, to, m);
    msg->who = process_of(u, to, m);
    msg->urgent = urgent;
    {
        LOCKED(&u->lock);
        msg->from = unix_name_get(u->name);
    }
    if (m->files && m->files->n && !socket_opt(&to->s, LINUX_SO_PASSRIGHTS))
        err = -LINUX_EPERM;  // Linux 6.16
    if (err == 0)
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

// MSG_OOB: the last byte is a message of its own, which the receiver's `urgent` names.
static int64_t send_stream(struct unix_sock *u, struct unix_sock *to, struct sock_msg *m) {
    bool oob = m->flags & LINUX_MSG_OOB;
    int64_t done = 0;
    while (m->u->left > 0) {
        size_t left = m->u->left, most = oob && left > 1 ? left - 1 : left;
        int64_t n = send_one(u, to, m, most < STREAM_CHUNK ? most : STREAM_CHUNK, oob && left == 1);
        if (n <= 0)
            return done ? done : n;
        done += n;
    }
    return done;
}

static int64_t send_packet(struct unix_sock *u, struct unix_sock *to, struct sock_msg *m) {
    if (m->u->left > (size_t)socket_opt(&u->s, LINUX_SO_SNDBUF) - 32)
        return -LINUX_EMSGSIZE;
    return send_one(u, to, m, SIZE_MAX, false);
}

int64_t unix_send(struct socket *s, struct sock_msg *m) {
    struct unix_sock *u = usock(s), *to = NULL;
    bool dgram = s->type == LINUX_SOCK_DGRAM, stream = s->type == LINUX_SOCK_STREAM;
    if (m->flags & LINUX_MSG_OOB && (!stream || m->u->left == 0))
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
