// SPDX-License-Identifier: Apache-2.0
// Unix sockets: what unix.c (life, names, connecting) and unix_queue.c (messages) share. See unix.c for the
// locks.
#ifndef SENTRY_SOCKET_UNIX_H
#define SENTRY_SOCKET_UNIX_H
#include "base/list.h"
#include "base/refcount.h"
#include "sentry/socket/net_ns.h"
#include "sentry/socket/socket.h"

// An address, shared by a socket and the messages that it has sent. Immutable.
struct unix_name {
    struct refcount refs;
    unsigned len;  // of the whole sockaddr_un
    struct linux_sockaddr_un addr;
};
struct unix_name *unix_name_get(struct unix_name *n);  // NULL is passed through
void unix_name_put(struct unix_name *n);

struct unix_msg {
    struct list link;
    struct unix_name *from;   // owned; NULL: the sender has no name
    struct linux_ucred cred;
    struct tgroup *who;       // owned: the sender's process, where one of both ends wants it told
    struct sock_files *files; // owned, NULL: none
    struct list carrier;      // [f] of the queue that it is in, when it carries unix sockets
    struct unix_sock *sender;  // [c] owned
    bool urgent;               // [c] the one byte of MSG_OOB
    bool queued;               // counted in the sender's `unread`
    size_t len, off;          // off: what was read of it
    size_t cap;
    char data[];
};

enum unix_state { UNIX_IDLE, UNIX_LISTENING, UNIX_CONNECTED };

// Letters: [u] its namespace's lock  [l] its own lock  [ul] written under both, read under either
// [f] its namespace's `flight`
struct unix_sock {
    struct socket s;
    struct refcount refs;     // its file (or the accept queue), the peer, whoever sends to it at the moment
    struct lock lock;
    struct waitq wait;
    struct list all;          // [u]
    enum unix_state state;    // [ul]
    bool dead;                // [ul] its file is gone
    bool rd_shut, wr_shut;    // [l]
    int err;                  // [l] SO_ERROR, positive
    struct unix_sock *peer;   // [ul] owned
    struct list clients;      // [u] datagram sockets that are connected to it ...
    struct list client_link;  // [u] ... by this
    struct sock_who who;       // [u] the one who listens or made the pair, for the peer's SO_PEERCRED
    struct sock_who peer_who;  // [u]
    struct landlock_domain *landlock;  // [c] owned: of who made it
    struct unix_name *name;   // [ul] owned
    struct list name_link;    // [u] in the table of abstract names
    struct path path;         // [u] owned: the bound inode's
    struct list pending;      // [u] connected, to be accepted: each owned by the list
    struct list pending_link; // [u]
    unsigned npending, backlog;    // [u]
    struct list msgs;         // [l]
    size_t bytes;             // [l] in msgs, unread
    unsigned nmsgs;           // [l]
    bool starved;             // [l] a sender has found no room
    struct unix_msg *urgent;  // [l] borrowed: of msgs, the last byte sent out of band; NULL: none, or read
    _Atomic uint64_t unread;  // what its messages cost that nobody has read
    // Files on their way (unix_gc.c):
    struct list carriers;         // [f] messages of its queue with unix sockets
    unsigned flying;              // [f] references of its file in queues; 0: the next two mean nothing
    struct file *flying_file;     // [f] borrowed
    struct list flying_link;      // [f] of the namespace's `flying`
    struct list gc_link;          // [f] while garbage is looked for
    unsigned gc_proofs;           // [f]
    bool gc_suspect, gc_reached;  // [f]
};

static inline struct unix_sock *usock(struct socket *s) { return container_of(s, struct unix_sock, s); }
struct unix_sock *unix_get(struct unix_sock *u);
void unix_put(struct unix_sock *u);
static inline struct unix_ns *unix_ns(const struct unix_sock *u) { return u->s.net->un; }
void unix_ns_init(struct unix_ns *ns, uint64_t budget);  // bytes of messages; 0: a default
void unix_ns_drop(struct unix_ns *ns);  // all tasks are gone: what is still on its way in a queue
void unix_ns_destroy(struct unix_ns *ns);  // that too

// Where a datagram goes: referenced. 0 or -LINUX_E*.
int unix_find(struct task *t, const struct sock_addr *a, int type, struct unix_sock **out);
int unix_bind(struct socket *s, struct task *t, const struct sock_addr *a);
// A datagram socket's peer has gone: it is not connected any more.
void unix_disconnect(struct unix_sock *u, struct unix_sock *from);
int64_t unix_send(struct socket *s, struct sock_msg *m);
bool unix_has_room(struct unix_sock *to, struct unix_sock *from);  // to->lock is held
uint64_t unix_queued(struct socket *s, bool out);
void unix_tell_room(struct unix_sock *u);        // no lock held
// u->lock is held: should senders hear of the room that there is now?
bool unix_should_tell(struct unix_sock *u);
void unix_free_msgs(struct list *msgs);          // no lock held: files may be released
void unix_drop_files(struct unix_ns *ns, struct sock_files *f);  // likewise; NULL is fine
static inline size_t unix_cost(const struct unix_msg *m) { return sizeof *m + m->cap; }
// The place of an urgent byte that was received.
static inline bool unix_is_mark(const struct unix_msg *m) { return m->urgent && m->off == m->len; }

// ---- What there is (unix_show.c) --------------------------------------------------------------------------
struct unix_info {
    uint32_t ino;  // 0: no file yet
    int type;
    enum unix_state state;
    unsigned refs;
    bool rd_shut, wr_shut, accepted, has_peer;
    uint32_t peer;                 // its inode
    uint64_t in, out;              // bytes; of a listener: connections that wait, and how many may
    const struct unix_name *name;  // borrowed; NULL: none
    const struct inode *inode;     // borrowed: where it is bound, or NULL
    const struct unix_sock *sock;  // borrowed
};
// visit() runs with the namespace's lock held.
void unix_each(const struct net_ns *net, void (*visit)(void *arg, const struct unix_info *i), void *arg);

// ---- Receiving (unix_recv.c) ------------------------------------------------------------------------------
int64_t unix_recv(struct socket *s, struct sock_msg *m);
int unix_at_mark(struct socket *s);

// ---- Sockets that only queues hold (unix_gc.c) ------------------------------------------------------------
// m goes into to's queue, whose lock is held; it is out of its queue, or its files are.
void unix_flies(struct unix_sock *to, struct unix_msg *m);
void unix_landed(struct unix_msg *m);
void unix_collect(struct unix_ns *ns);     // no lock held
void unix_closed_one(struct unix_ns *ns);  // likewise
// Moves u's messages to `to`. The namespace's lock is held.
void unix_empty(struct unix_sock *u, struct list *to);

#endif
