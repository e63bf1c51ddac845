// SPDX-License-Identifier: Apache-2.0
// Unix sockets, unix(7): their life, connections and readiness. Names are in unix_name.c, messages in
// unix_queue.c.
//
// Who knows whom: a socket holds a reference of its peer, never of its peer's file. A connection is two
// sockets that are each other's peer; a connected datagram socket has a peer that may not know it. Closing
// one lets go of its peer and shuts the other one down, so no ring of references stays.
//
// Locks: the namespace's (RANK_OBJECT) for everything that involves two sockets or a name: connecting,
// accepting, closing. A socket's own lock (inside it, lock_nested) for its queue and for what sending and
// receiving look at. No file is put with either held.
#include "fs/landlock.h"
#include "sentry/socket/unix.h"
#include "abi/poll.h"
#include "base/fault.h"
#include "fs/vfs.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/nsproxy.h"
#include <stdlib.h>
#include <string.h>

#define PATH_AT offsetof(struct linux_sockaddr_un, sun_path)
#define ALL_EVENTS (LINUX_POLLIN | LINUX_POLLOUT | LINUX_POLLRDHUP)

static const struct socket_ops unix_ops;

// ---- References -------------------------------------------------------------------------------------------
struct unix_sock *unix_get(struct unix_sock *u) {
    ref_get(&u->refs);
    return u;
}
void unix_put(struct unix_sock *u) {
    if (!u || !ref_put(&u->refs))
        return;
    unix_name_put(u->name);
    landlock_put(u->landlock);
    sock_who_put(&u->who);
    sock_who_put(&u->peer_who);
    waitq_destroy(&u->wait);
    lock_destroy(&u->lock);
    socket_done(&u->s);
    free(u);
}
// ---- New sockets ------------------------------------------------------------------------------------------
static struct unix_sock *sock_new(const struct task *t, struct net_ns *net, int type) {
    struct unix_sock *u = znew(struct unix_sock);
    if (!u)
        return NULL;
    socket_init(&u->s, &unix_ops, net, LINUX_AF_UNIX, type, 0);
    ref_init(&u->refs, 1);
    lock_init(&u->lock, RANK_OBJECT);
    waitq_init(&u->wait);
    list_init(&u->clients);
    list_init(&u->client_link);
    list_init(&u->name_link);
    list_init(&u->pending);
    list_init(&u->pending_link);
    list_init(&u->msgs);
    list_init(&u->carriers);
    list_init(&u->flying_link);
    list_init(&u->gc_link);
    u->who = u->peer_who = SOCK_NOBODY;
    u->landlock = landlock_get(t->cred->landlock);
    atomic_store(&u->s.opts[LINUX_SO_PASSRIGHTS], 1);
    LOCKED(&unix_ns(u)->lock);
    list_add_tail(&unix_ns(u)->sockets, &u->all);
    return u;
}

static int check_type(int *type, int protocol) {
    if (protocol && protocol != LINUX_AF_UNIX)
        return -LINUX_EPROTONOSUPPORT;
    if (*type == LINUX_SOCK_RAW)
        *type = LINUX_SOCK_DGRAM;  // as Linux does, for old programs
    return *type == LINUX_SOCK_STREAM || *type == LINUX_SOCK_DGRAM || *type == LINUX_SOCK_SEQPACKET
               ? 0
               : -LINUX_ESOCKTNOSUPPORT;
}

int unix_socket(struct task *t, int type, int protocol, struct socket **out) {
    int err = check_type(&type, protocol);
    struct unix_sock *u = err ? NULL : sock_new(t, task_net(t), type);
    if (!u)
        return err ? err : -LINUX_ENOMEM;
    *out = &u->s;
    return 0;
}

// Makes a and b each other's peer. The namespace's lock is held.
static void join_pair(struct unix_sock *a, struct unix_sock *b) {
    struct unix_sock *both[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        struct unix_sock *u = both[i], *peer = both[!i];
        lock_nested(&u->lock);
        u->peer = unix_get(peer);
        u->state = UNIX_CONNECTED;
        lock_drop(&u->lock);
        if (u->s.type == LINUX_SOCK_DGRAM)
            list_add_tail(&peer->clients, &u->client_link);
    }
}

int unix_pair(struct task *t, int type, int protocol, struct socket *out[2]) {
    int err = check_type(&type, protocol);
    if (err < 0)
        return err;
    struct net_ns *net = task_net(t);
    struct unix_sock *a = sock_new(t, net, type), *b = a ? sock_new(t, net, type) : NULL;
    if (!b) {
        if (a)
            unix_ops.close(&a->s);
        return -LINUX_ENOMEM;
    }
    a->who = sock_who_of(t);
    b->who = sock_who_get(&a->who);
    a->peer_who = sock_who_get(&a->who);
    b->peer_who = sock_who_get(&a->who);
    LOCKED(&unix_ns(a)->lock);
    join_pair(a, b);
    out[0] = &a->s;
    out[1] = &b->s;
    return 0;
}

// ---- connect, listen, accept ------------------------------------------------------------------------------
// u's peer becomes `to` (reference taken over; NULL: none). The namespace's lock is held. Returns the old
// one, to be put.
static struct unix_sock *set_dgram_peer(struct unix_sock *u, struct unix_sock *to) {
    lock_nested(&u->lock);
    struct unix_sock *old = u->peer;
    u->peer = to;
    u->state = to ? UNIX_CONNECTED : UNIX_IDLE;
    lock_drop(&u->lock);
    list_del(&u->client_link);
    if (to && !to->dead)
        list_add_tail(&to->clients, &u->client_link);
    return old;
}

void unix_disconnect(struct unix_sock *u, struct unix_sock *from) {
    struct unix_sock *old = NULL;
    {
        LOCKED(&unix_ns(u)->lock);
        if (u->peer == from)
            old = set_dgram_peer(u, NULL);
    }
    unix_put(old);
}

static int connect_dgram(struct unix_sock *u, struct task *t, const struct sock_addr *a) {
    struct unix_sock *to = NULL, *old;
    if (a->len < 2 || a->family != LINUX_AF_UNSPEC) {
        int err = unix_find(t, a, LINUX_SOCK_DGRAM, &to);
        if (err < 0)
            return err;
    }
    {
        LOCKED(&unix_ns(u)->lock);
        // One that is connected to somebody else would refuse whatever we send.
        if (to && to->peer && to->peer != u) {
            old = to;
            to = NULL;
        } else {
            old = set_dgram_peer(u, to);
            to = u;  // done
        }
    }
    unix_put(old);
    return to ? 0 : -LINUX_EPERM;
}

// *from takes the place of *to, and is then what was there.
static void swap_who(struct sock_who *to, struct sock_who *from) {
    struct sock_who was = *to;
    *to = *from;
    *from = was;
}

// What the listener's end of a connection has of it. The rest comes with accept(2).
static void inherit(struct unix_sock *n, struct unix_sock *from) {
    static const int names[] = {LINUX_SO_PASSCRED, LINUX_SO_PASSPIDFD, LINUX_SO_PASSRIGHTS};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        atomic_store(&n->s.opts[names[i]], socket_opt(&from->s, names[i]));
}

// The namespace's lock is held. n becomes the listener's end of the connection.
static int connect_locked(struct unix_sock *u, struct unix_sock *to, struct unix_sock *n) {
    if (u->state != UNIX_IDLE)
        return u->state == UNIX_CONNECTED ? -LINUX_EISCONN : -LINUX_EINVAL;
    if (to->state != UNIX_LISTENING || to->dead || to->rd_shut)
        return -LINUX_ECONNREFUSED;
    if (to->npending > to->backlog)
        return -LINUX_EAGAIN;
    n->name = unix_name_get(to->name);
    n->peer_who = sock_who_get(&u->who);
    u->peer_who = sock_who_get(&to->who);
    inherit(n, to);
    join_pair(u, n);
    list_add_tail(&to->pending, &n->pending_link);
    to->npending++;
    return 0;
}

static int connect_stream(struct unix_sock *u, struct task *t, const struct sock_addr *a,
                          struct waitq **wait) {
    struct unix_sock *to;
    int err = unix_find(t, a, u->s.type, &to);
    if (err < 0)
        return err;
    struct unix_sock *n = sock_new(t, u->s.net, u->s.type);
    if (!n) {
        unix_put(to);
        return -LINUX_ENOMEM;
    }
    struct sock_who who = sock_who_of(t);
    {
        LOCKED(&unix_ns(u)->lock);
        if (u->state == UNIX_IDLE)
            swap_who(&u->who, &who);
        err = connect_locked(u, to, n);
    }
    sock_who_put(&who);
    if (err == 0)
        waitq_wake(&to->wait, LINUX_POLLIN);
    else
        unix_ops.close(&n->s);
    if (err == -LINUX_EAGAIN)
        *wait = &unix_ns(u)->room;
    unix_put(to);
    return err;
}

static int unix_connect(struct socket *s, struct task *t, const struct sock_addr *a, struct waitq **wait) {
    struct unix_sock *u = usock(s);
    return s->type == LINUX_SOCK_DGRAM ? connect_dgram(u, t, a) : connect_stream(u, t, a, wait);
}

static int listen_as(struct unix_sock *u, struct sock_who *who, int backlog) {
    LOCKED(&unix_ns(u)->lock);
    if (!u->name || u->state == UNIX_CONNECTED)
        return -LINUX_EINVAL;
    u->backlog = (unsigned)backlog > LINUX_SOMAXCONN ? LINUX_SOMAXCONN : (unsigned)backlog;
    swap_who(&u->who, who);
    lock_nested(&u->lock);
    u->state = UNIX_LISTENING;
    lock_drop(&u->lock);
    waitq_wake(&unix_ns(u)->room, LINUX_POLLOUT);
    return 0;
}

static int unix_listen(struct socket *s, struct task *t, int backlog) {
    if (s->type == LINUX_SOCK_DGRAM)
        return -LINUX_EOPNOTSUPP;
    struct sock_who who = sock_who_of(t);
    int err = listen_as(usock(s), &who, backlog);
    sock_who_put(&who);
    return err;
}

static int unix_accept(struct socket *s, struct socket **out) {
    struct unix_sock *u = usock(s);
    if (s->type == LINUX_SOCK_DGRAM)
        return -LINUX_EOPNOTSUPP;
    LOCKED(&unix_ns(u)->lock);
    if (u->state != UNIX_LISTENING)
        return -LINUX_EINVAL;
    if (list_empty(&u->pending))
        return u->rd_shut ? -LINUX_EINVAL : -LINUX_EAGAIN;
    struct unix_sock *n = list_first(&u->pending, struct unix_sock, pending_link);
    list_del(&n->pending_link);
    if (u->npending-- > u->backlog)
        waitq_wake(&unix_ns(u)->room, LINUX_POLLOUT);
    *out = &n->s;
    return 0;
}

static int unix_name_of(struct socket *s, enum sock_name peer, struct sock_addr *out) {
    struct unix_sock *u = usock(s);
    LOCKED(&unix_ns(u)->lock);
    if (peer && !u->peer)
        return -LINUX_ENOTCONN;
    const struct unix_name *n = peer ? u->peer->name : u->name;
    *out = (struct sock_addr){.len = PATH_AT};
    out->family = LINUX_AF_UNIX;
    if (n) {
        memcpy(out->bytes, &n->addr, n->len);
        out->len = n->len;
    }
    return 0;
}

// ---- shutdown, close --------------------------------------------------------------------------------------
// `quiet`: u's own doing, or nothing that is told by a signal.
static void shut(struct unix_sock *u, bool rd, bool wr, int err, bool quiet) {
    {
        LOCKED(&u->lock);
        u->rd_shut |= rd;
        u->wr_shut |= wr;
        u->err = err ? err : u->err;
    }
    waitq_wake(&u->wait, ALL_EVENTS | (rd && wr ? LINUX_POLLHUP : 0) | (quiet || !rd ? VFS_WAKE_QUIET : 0));
}

static struct unix_sock *get_peer(struct unix_sock *u) {
    LOCKED(&u->lock);
    return u->peer ? unix_get(u->peer) : NULL;
}

static int unix_shutdown(struct socket *s, int how) {
    struct unix_sock *u = usock(s);
    if (how < LINUX_SHUT_RD || how > LINUX_SHUT_RDWR)
        return -LINUX_EINVAL;
    bool rd = how != LINUX_SHUT_WR, wr = how != LINUX_SHUT_RD;
    shut(u, rd, wr, 0, true);
    struct unix_sock *peer = s->type == LINUX_SOCK_DGRAM ? NULL : get_peer(u);
    if (peer)
        shut(peer, wr, rd, 0, false);
    unix_put(peer);
    return 0;
}

void unix_empty(struct unix_sock *u, struct list *to) {
    LOCKED_NESTED(&u->lock);
    struct unix_msg *m;
    list_for_each(m, &u->msgs, link)
        unix_landed(m);
    list_splice_tail(to, &u->msgs);
    u->bytes = 0;
    u->nmsgs = 0;
    u->urgent = NULL;
}

struct leftovers {
    struct list msgs, pending;
    struct path path;
    struct unix_sock *peer;
};

// Takes u out of everything. The namespace's lock is held.
static void detach(struct unix_sock *u, struct leftovers *l) {
    list_del(&u->all);
    list_del(&u->name_link);
    list_del(&u->client_link);
    list_splice_tail(&l->pending, &u->pending);
    u->npending = 0;
    l->path = u->path;
    u->path = (struct path){0};
    if (l->path.dentry && l->path.dentry->inode->sock == u)
        l->path.dentry->inode->sock = NULL;
    lock_nested(&u->lock);
    u->dead = true;
    l->peer = u->peer;
    u->peer = NULL;
    lock_drop(&u->lock);
    unix_empty(u, &l->msgs);
    while (!list_empty(&u->clients)) {
        struct unix_sock *c = list_first(&u->clients, struct unix_sock, client_link);
        list_del(&c->client_link);
        waitq_wake(&c->wait, LINUX_POLLOUT | VFS_WAKE_QUIET);
    }
}

// Is there something that was sent and not read?
static bool has_bytes(const struct list *msgs) {
    const struct unix_msg *m;
    list_for_each(m, msgs, link)
        if (!unix_is_mark(m))
            return true;
    return false;
}

// unaccepted: its peer hears of a connection that was reset.
static void close_one(struct unix_sock *u, bool unaccepted) {
    struct socket *s = &u->s;
    struct leftovers l = {0};
    bool was_target;  // somebody may wait for room in its queues
    list_init(&l.msgs);
    list_init(&l.pending);
    {
        LOCKED(&unix_ns(u)->lock);
        was_target = s->type == LINUX_SOCK_DGRAM || u->state == UNIX_LISTENING;
        detach(u, &l);
    }
    if (l.peer && s->type != LINUX_SOCK_DGRAM)
        shut(l.peer, true, true, unaccepted || has_bytes(&l.msgs) ? LINUX_ECONNRESET : 0, false);
    while (!list_empty(&l.pending)) {  // they were never accepted; they have no such list themselves
        struct unix_sock *n = list_first(&l.pending, struct unix_sock, pending_link);
        list_del(&n->pending_link);
        close_one(n, true);
    }
    if (was_target)
        waitq_wake(&unix_ns(u)->room, LINUX_POLLOUT);
    unix_free_msgs(&l.msgs);
    if (l.path.dentry)
        path_put(&l.path);
    unix_put(l.peer);
    unix_put(u);
}

static void unix_close(struct socket *s) {
    struct unix_ns *ns = s->net->un;  // of all namespaces
    close_one(usock(s), false);
    unix_closed_one(ns);
}

#define DEFAULT_BUDGET (256u << 20)
void unix_ns_init(struct unix_ns *ns, uint64_t budget) {
    *ns = (struct unix_ns){.messages.max = budget ? budget : DEFAULT_BUDGET};
    lock_init(&ns->lock, RANK_OBJECT);
    waitq_init(&ns->room);
    list_init(&ns->sockets);
    lock_init(&ns->flight, RANK_LEAF);
    list_init(&ns->flying);
    for (unsigned i = 0; i < UNIX_BUCKETS; i++)
        list_init(&ns->names[i]);
}

// What is still on its way in a queue, of one socket after the other.
static void drop_messages(struct unix_ns *ns) {
    for (;;) {
        struct list msgs = LIST_INIT(msgs);
        struct unix_sock *u;
        {
            LOCKED(&ns->lock);
            list_for_each(u, &ns->sockets, all) {
                unix_empty(u, &msgs);
                if (!list_empty(&msgs))
                    break;
            }
        }
        if (list_empty(&msgs))
            return;
        unix_free_msgs(&msgs);
    }
}

void unix_ns_drop(struct unix_ns *ns) { drop_messages(ns); }

void unix_ns_destroy(struct unix_ns *ns) {
    drop_messages(ns);
    waitq_destroy(&ns->room);
    lock_destroy(&ns->flight);
    lock_destroy(&ns->lock);
}

// ---- Readiness and facts ----------------------------------------------------------------------------------
static uint32_t poll_listening(struct unix_sock *u) {
    LOCKED(&unix_ns(u)->lock);
    uint32_t shut_events = u->rd_shut ? LINUX_POLLIN | LINUX_POLLRDHUP : 0;
    return list_empty(&u->pending) ? shut_events : LINUX_POLLIN | LINUX_POLLRDNORM | shut_events;
}

static bool writable(struct unix_sock *u) {
    struct unix_sock *to = get_peer(u);
    if (!to)
        return true;
    bool room;
    {
        LOCKED(&to->lock);
        room = unix_has_room(to, u);
        if (!room)
            to->starved = true;
    }
    unix_put(to);
    return room;
}

static uint32_t unix_poll(struct socket *s, struct waiter *w) {
    struct unix_sock *u = usock(s);
    uint32_t events = 0;
    bool listening;
    if (w)
        waitq_add(&u->wait, w);
    {
        LOCKED(&u->lock);
        listening = u->state == UNIX_LISTENING;
        if (u->err)
            events |= LINUX_POLLERR;
        if (u->rd_shut && u->wr_shut)
            events |= LINUX_POLLHUP;
        if (u->rd_shut)
            events |= LINUX_POLLRDHUP | LINUX_POLLIN | LINUX_POLLRDNORM;
        if (!list_empty(&u->msgs))
            events |= LINUX_POLLIN | LINUX_POLLRDNORM;
        if (u->urgent)
            events |= LINUX_POLLPRI;
        if (s->type != LINUX_SOCK_DGRAM && u->state == UNIX_IDLE)
            events |= LINUX_POLLHUP;
    }
    if (listening)
        return poll_listening(u);
    if (writable(u))
        events |= LINUX_POLLOUT | LINUX_POLLWRNORM | LINUX_POLLWRBAND;
    return events;
}

static int unix_get_error(struct socket *s) {
    struct unix_sock *u = usock(s);
    LOCKED(&u->lock);
    int err = u->err;
    u->err = 0;
    return err;
}
static bool unix_listening(struct socket *s) {
    LOCKED(&usock(s)->lock);
    return usock(s)->state == UNIX_LISTENING;
}
static void unix_peer_who(struct socket *s, struct sock_who *out) {
    LOCKED(&unix_ns(usock(s))->lock);
    *out = sock_who_get(usock(s)->state == UNIX_LISTENING ? &usock(s)->who : &usock(s)->peer_who);
}
static int unix_peer_cred(struct socket *s, struct linux_ucred *out) {
    struct sock_who who;
    unix_peer_who(s, &who);
    *out = who.cred;
    sock_who_put(&who);
    return 0;
}

static const struct socket_ops unix_ops = {
    .bind = unix_bind,
    .connect = unix_connect,
    .listen = unix_listen,
    .accept = unix_accept,
    .name = unix_name_of,
    .send = unix_send,
    .recv = unix_recv,
    .shutdown = unix_shutdown,
    .poll = unix_poll,
    .queued = unix_queued,
    .at_mark = unix_at_mark,
    .get_error = unix_get_error,
    .listening = unix_listening,
    .peer_cred = unix_peer_cred,
    .peer_who = unix_peer_who,
    .close = unix_close,
};
