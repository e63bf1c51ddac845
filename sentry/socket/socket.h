// SPDX-License-Identifier: Apache-2.0
// A socket as an object: what the calls of sys_socket.c need of a family, and what all families share
// (options, the file). Families: unix.c, inet.c, netlink.c.
//
// Nothing here sleeps: an operation that would block returns -LINUX_EAGAIN, and the call waits on the file,
// or on the queue that the operation names.
#ifndef SENTRY_SOCKET_SOCKET_H
#define SENTRY_SOCKET_SOCKET_H
#include "abi/netlink.h"
#include "abi/socket.h"
#include "fs/vfs.h"
#include "netstack/netstack.h"
#include "sentry/proc/task.h"

struct bpf_program;
struct net_ns;
struct socket;

struct sock_addr {
    unsigned len;  // 0: none
    union {
        uint16_t family;
        char bytes[sizeof(struct linux_sockaddr_storage)];
        struct linux_sockaddr_un un;
        struct linux_sockaddr_in in;
        struct linux_sockaddr_in6 in6;
        struct linux_sockaddr_nl nl;
        struct linux_sockaddr_ll ll;
    };
};

// Files on their way, SCM_RIGHTS; all owned.
struct sock_files {
    unsigned n;
    struct file *f[LINUX_SCM_MAX_FD];
};
void sock_files_put(struct sock_files *s);

// Who made a socket, or sent a message (who.c). g and c are owned; both NULL: nobody is known.
struct sock_who {
    struct linux_ucred cred;
    struct tgroup *g;
    struct cred *c;
};
#define SOCK_NOBODY ((struct sock_who){{0, ~0u, ~0u}, NULL, NULL})
struct sock_who sock_who_of(struct task *t);
struct sock_who sock_who_get(const struct sock_who *w);
void sock_who_put(struct sock_who *w);  // and *w is nobody

// One message to be sent or received.
struct sock_msg {
    struct uio *u;
    unsigned flags;             // LINUX_MSG_* of the call
    bool nonblock;
    struct sock_addr *addr;     // send: where to, or NULL. recv: is filled with the sender's, or NULL
    // send: taken over when something was sent. recv: filled; NULL: they are dropped
    struct sock_files *files;
    struct linux_ucred cred;  // the sender's, when has_cred; send: as a control message names him
    bool has_cred;
    struct tgroup *sender;  // recv, where files are wanted: its process, to be put by the caller; or NULL
    unsigned out_flags;         // recv: LINUX_MSG_TRUNC
    bool has_pktinfo;           // recv: NETLINK_PKTINFO goes along
    struct linux_nl_pktinfo pktinfo;
    bool has_extra;  // of inet datagrams: extra is asked for, or was received
    struct ns_extra extra;
    bool has_error;  // recv: of the error queue, this one
    struct ns_error error;
    uint16_t segment;           // send: UDP_SEGMENT of this message, 0: the socket's
    struct waitq *wait;         // after -LINUX_EAGAIN: wait here rather than on the file
};

// Where control messages go: with what of the data there is room for. 0 or -LINUX_EFAULT.
struct sock_cmsg_sink {
    int (*put)(struct sock_cmsg_sink *o, int level, int type, const void *data, size_t len);
};

// Its own name, its peer's, or that of who connected, which accept(2) tells though the connection has ended
// since.
enum sock_name { SOCK_NAME_OWN, SOCK_NAME_PEER, SOCK_NAME_ACCEPTED };

struct socket_ops {
    int (*bind)(struct socket *s, struct task *t, const struct sock_addr *a);
    int (*connect)(struct socket *s, struct task *t, const struct sock_addr *a, struct waitq **wait);
    int (*listen)(struct socket *s, struct task *t, int backlog);
    int (*accept)(struct socket *s, struct socket **out);  // takes over: a reference for its new file
    int (*name)(struct socket *s, enum sock_name which, struct sock_addr *out);
    int64_t (*send)(struct socket *s, struct sock_msg *m);
    int64_t (*recv)(struct socket *s, struct sock_msg *m);
    // A control message of a level of the family's own, of the message to be sent; all that there is to tell
    // of one that was received. May be NULL.
    int (*control)(struct socket *s, struct sock_msg *m, int level, int type, const void *data, size_t len);
    int (*tell)(struct socket *s, const struct sock_msg *m, struct sock_cmsg_sink *o);
    int (*shutdown)(struct socket *s, int how);
    uint32_t (*poll)(struct socket *s, struct waiter *w);
    uint64_t (*queued)(struct socket *s, bool out);        // FIONREAD, SIOCOUTQ. NULL: ENOTTY
    uint64_t (*unsent)(struct socket *s);                  // SIOCOUTQNSD. NULL: ENOTTY
    int (*at_mark)(struct socket *s);                      // SIOCATMARK: 0, 1, -LINUX_E*. NULL: ENOTTY
    int (*get_error)(struct socket *s);                    // SO_ERROR: positive, and forgets it
    bool (*listening)(struct socket *s);
    int (*peer_cred)(struct socket *s, struct linux_ucred *out);
    void (*peer_who)(struct socket *s, struct sock_who *out);  // referenced. NULL: it is never known
    int (*getopt)(struct socket *s, int level, int name, void *buf, uint32_t *len);      // NULL: EOPNOTSUPP
    int (*setopt)(struct socket *s, struct task *t, int level, int name, const void *buf, uint32_t len);
    // SOL_SOCKET: an option has been kept in opts or linger, and is to take effect; a value that the family
    // knows better than opts (false: it does not). May be NULL.
    int (*sol_set)(struct socket *s, int name);
    bool (*sol_get)(struct socket *s, int name, int *value);
    // SO_ATTACH_FILTER, SO_DETACH_FILTER (p: NULL). The program is taken over when it returns 0. May be NULL.
    int (*filter)(struct socket *s, struct bpf_program *p);
    int (*mmap_fd)(struct socket *s, int prot, bool shared);  // as of a file; NULL: ENODEV
    // The last file goes: with `begin` what is owed is sent on its way. Is it still, so that close(2) may
    // wait?
    // NULL: it never is.
    bool (*closing)(struct socket *s, bool begin);
    void (*close)(struct socket *s);                       // the file is gone; frees, now or later
};

#define SOCK_OPT_COUNT 85
struct socket {
    const struct socket_ops *ops;  // [c]
    struct net_ns *net;            // [c] owned: its maker's
    uint16_t family;               // [c]
    int type, protocol;            // [c]
    _Atomic uint64_t ino;          // its inode's number, once it has a file
    _Atomic int opts[SOCK_OPT_COUNT];  // SOL_SOCKET, by number; SO_SNDBUF and SO_RCVBUF are in bytes
    _Atomic(struct linux_linger) linger;
};

void socket_init(struct socket *s, const struct socket_ops *ops, struct net_ns *net, int family, int type,
                 int protocol);
void socket_done(struct socket *s);  // it is about to be freed
// A file for it, which takes s over (closed on failure too). flags: LINUX_O_NONBLOCK.
int socket_file(struct vfs *vfs, struct socket *s, unsigned flags, struct file **out);
struct socket *socket_of(struct file *f);  // NULL: no socket
// SO_LINGER: seconds that close(2) may wait, 0 of all but sockets that were told so; whether it has to wait.
unsigned socket_linger(struct file *f);
bool socket_closing(struct file *f, bool begin);
static inline int socket_opt(struct socket *s, int name) {
    return atomic_load_explicit(&s->opts[name], memory_order_relaxed);
}

// SOL_SOCKET (options.c). buf has *len bytes; *len becomes what there is.
#define SOCK_OPT_MAX 8336  // MCAST_MSFILTER with 64 sources
int socket_getopt(struct file *f, int name, void *buf, uint32_t *len);
int socket_setopt(struct file *f, struct task *t, int name, const void *buf, uint32_t len);
// -LINUX_ERANGE: *len says how much room it takes.
int socket_peer_groups(struct socket *s, void *buf, uint32_t *len);
int socket_peer_pidfd(struct socket *s, void *buf, uint32_t *len);

// May t bind s to, or connect it to, that address (LINUX_LANDLOCK_ACCESS_NET_*)? 0, EACCES; EINVAL and
// EAFNOSUPPORT of addresses that the check has to read.
int socket_landlock(const struct task *t, const struct socket *s, const struct sock_addr *a, uint64_t access);

// New sockets of a family, type and protocol checked: 0 or -LINUX_E*.
int unix_socket(struct task *t, int type, int protocol, struct socket **out);
int unix_pair(struct task *t, int type, int protocol, struct socket *out[2]);
int netlink_socket(struct task *t, int type, int protocol, struct socket **out);
// A message of the kernel's to a netlink socket: mq_notify(3) by SIGEV_THREAD.
void netlink_deliver(struct socket *s, const void *msg, size_t len);
int packet_socket(struct task *t, int type, int protocol, struct socket **out);
int inet_socket(struct task *t, int family, int type, int protocol, struct socket **out);
// A link has changed by other means than netlink: its group is told.
void netlink_tell_link(struct net_ns *net, int32_t index);
struct linux_ucred task_ucred(struct task *t);
struct linux_ucred ucred_shown(const struct linux_ucred *c);  // as the caller knows them

#endif
