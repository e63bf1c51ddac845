// SPDX-License-Identifier: Apache-2.0
// Netlink sockets, netlink(7): their life, port numbers, options and queue. The protocols are NETLINK_ROUTE,
// NETLINK_SOCK_DIAG, NETLINK_NETFILTER and NETLINK_GENERIC, whose requests sentry/net/ answers at once, into
// the asker's own queue, and NETLINK_KOBJECT_UEVENT, where nothing ever happens. Changes go to the members of
// their group. A long list (a "dump") is told part by part, as the queue is read. A queue is bounded by
// SO_RCVBUF, counting what a message costs, and all together as those of unix sockets are; what does not fit
// is lost, and the next receive says ENOBUFS.
//
// Locks: the namespace's (RANK_OBJECT) for port numbers; a socket's own (RANK_OBJECT) for its queue, dump and
// options; inside the namespace's where a group is told (lock_nested).
// LIMIT: other protocols, NETLINK_AUDIT too, are EPROTONOSUPPORT.
// Programs cannot send to each other: EPERM, or ECONNREFUSED for those who may.
#include "abi/caps.h"
#include "abi/nfnetlink.h"
#include "abi/poll.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/rbtree.h"
#include "sentry/kernel.h"
#include "sentry/net/rtnetlink.h"
#include "sentry/net/rtnl_impl.h"
#include "sentry/fd/fdtable.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/run/run.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/socket/netlink.h"
#include "sentry/socket/net_ns.h"
#include "sentry/socket/socket.h"
#include <stdlib.h>
#include <string.h>

#define MSG_COST     768u  // of a message in a queue, besides its bytes; as Linux counts
#define SEND_RESERVE 32u   // what of SO_SNDBUF a message cannot have
#define GROUP_WORDS  ((LINUX_RTNLGRP_MAX + 31) / 32)

struct nl_msg {
    struct list link;
    size_t len;
    uint32_t group;  // 0: an answer
    _Alignas(8) uint8_t data[];
};
// Letters: [p] the namespace's lock  [l] its own lock
struct nl_sock {
    struct socket s;
    struct rb_node by_port;        // [p] in ports, when bound
    bool bound;                    // [p] and with it portid, for good
    uint32_t portid;               // [p]
    struct list all;               // [p]
    bool admin;                    // [c] its maker might change the network
    struct lock lock;
    struct waitq wait;
    struct list msgs;              // [l]
    size_t cost;                   // [l] of msgs
    int err;                       // [l] SO_ERROR, positive
    struct rtnl_dump dump;         // [l]
    uint32_t options;              // [l] by number, 1 << LINUX_NETLINK_*
    uint32_t groups[GROUP_WORDS];  // [l]
    bool connected;                // [l]
    uint32_t peer, peer_groups;    // [l]
};
struct news {  // for the members of a group
    struct list link;
    struct net_ns *net;  // owned: where; NULL: where the asker is
    uint32_t group;
    size_t len;
    _Alignas(8) uint8_t data[];
};
struct answers {  // what rtnl_receive() answers to
    struct rtnl_out out;
    struct nl_sock *n;
    struct list news;
};

static const struct socket_ops netlink_ops;

static struct nl_sock *nsock(struct socket *s) { return container_of(s, struct nl_sock, s); }
static struct netlink_ns *ns_of(const struct nl_sock *n) { return &n->s.net->netlink; }

// ---- Port numbers -----------------------------------------------------------------------------------------
// Each protocol has numbers of its own.
static uint64_t port_key(const struct nl_sock *n, uint32_t portid) {
    return (uint64_t)n->s.protocol << 32 | portid;
}
// Puts it there unless the number is taken. The namespace's lock is held.
static bool claim_port(struct nl_sock *n, uint32_t portid) {
    struct rb_node *parent = NULL, **link = &ns_of(n)->ports.node;
    while (*link) {
        struct nl_sock *other = rb_entry(*link, struct nl_sock, by_port);
        if (port_key(other, other->portid) == port_key(n, portid))
            return false;
        parent = *link;
        link = port_key(n, portid) < port_key(other, other->portid) ? &parent->left : &parent->right;
    }
    n->portid = portid;
    n->bound = true;
    rb_insert(&ns_of(n)->ports, &n->by_port, parent, link);
    return true;
}
// The process' number when that is free, else one that no process has. The namespace's lock is held.
static void choose_port(struct nl_sock *n, struct task *t) {
    uint32_t portid = (uint32_t)task_vpid(t);
    while (!claim_port(n, portid))
        portid = (uint32_t)(-4096 - (int32_t)(random_u64() % (INT32_MAX - 4096)));
}
static uint32_t bound_port(struct nl_sock *n, struct task *t) {
    LOCKED(&ns_of(n)->lock);
    if (!n->bound)
        choose_port(n, t);
    return n->portid;
}
static int take_port(struct nl_sock *n, struct task *t, uint32_t portid) {
    LOCKED(&ns_of(n)->lock);
    if (n->bound)
        return portid == n->portid ? 0 : -LINUX_EINVAL;
    if (!portid)
        choose_port(n, t);
    else if (!claim_port(n, portid))
        return -LINUX_EADDRINUSE;
    return 0;
}

static int check_addr(const struct sock_addr *a) {
    return a->len < sizeof a->nl || a->family != LINUX_AF_NETLINK ? -LINUX_EINVAL : 0;
}
static int netlink_bind(struct socket *s, struct task *t, const struct sock_addr *a) {
    struct nl_sock *n = nsock(s);
    int err = check_addr(a);
    if (err == 0)
        err = take_port(n, t, a->nl.nl_pid);
    if (err < 0)
        return err;
    LOCKED(&n->lock);
    n->groups[0] = a->nl.nl_groups;
    return 0;
}
// To whom messages go that name nobody; 0 is the kernel.
static int netlink_connect(struct socket *s, struct task *t, const struct sock_addr *a, struct waitq **wait) {
    struct nl_sock *n = nsock(s);
    bool unspec = a->len >= sizeof a->family && a->family == LINUX_AF_UNSPEC;
    int err = unspec ? 0 : check_addr(a);
    if (err < 0)
        return err;
    if (!unspec && (a->nl.nl_groups || a->nl.nl_pid) && !net_ns_capable(t, s->net, LINUX_CAP_NET_ADMIN))
        return -LINUX_EPERM;
    if (!unspec)
        bound_port(n, t);
    LOCKED(&n->lock);
    n->connected = !unspec;
    n->peer = unspec ? 0 : a->nl.nl_pid;
    n->peer_groups = unspec ? 0 : a->nl.nl_groups & -a->nl.nl_groups;  // the lowest alone
    return 0;
}
static int netlink_name(struct socket *s, enum sock_name peer, struct sock_addr *out) {
    struct nl_sock *n = nsock(s);
    *out = (struct sock_addr){.len = sizeof out->nl};
    out->family = LINUX_AF_NETLINK;
    if (!peer) {
        LOCKED(&ns_of(n)->lock);
        out->nl.nl_pid = n->portid;
    }
    LOCKED(&n->lock);
    if (peer)
        out->nl.nl_pid = n->peer;
    out->nl.nl_groups = peer ? n->peer_groups : n->groups[0];
    return 0;
}

// ---- The queue --------------------------------------------------------------------------------------------
// NULL: the queue is full, or all queues of the sandbox are, or there is no memory.
static struct nl_msg *msg_new(struct nl_sock *n, size_t bytes) {
    size_t cost = bytes + MSG_COST;
    if (n->cost >= (size_t)socket_opt(&n->s, LINUX_SO_RCVBUF) || !queue_charge(n->s.net->un, cost))
        return NULL;
    struct nl_msg *m = xcalloc(1, sizeof *m + bytes);
    if (!m) {
        queue_uncharge(n->s.net->un, cost);
        return NULL;
    }
    m->len = bytes;
    n->cost += cost;
    return m;
}
static void msg_free(struct nl_sock *n, struct nl_msg *m) {
    n->cost -= m->len + MSG_COST;
    queue_uncharge(n->s.net->un, m->len + MSG_COST);
    list_del(&m->link);
    free(m);
}

// n->lock is held. What does not fit is lost.
static void enqueue(struct nl_sock *n, uint32_t group, const void *msg, size_t len, const void *more,
                    size_t more_len) {
    size_t all = len + NL_ALIGN(more_len);
    struct nl_msg *m = msg_new(n, all);
    if (!m) {
        if (!(n->options & 1u << LINUX_NETLINK_NO_ENOBUFS))
            n->err = LINUX_ENOBUFS;
        waitq_wake(&n->wait, LINUX_POLLERR);
        return;
    }
    m->group = group;
    memcpy(m->data, msg, len);
    if (more_len)
        memcpy(m->data + len, more, more_len);
    list_add_tail(&n->msgs, &m->link);
    waitq_wake(&n->wait, LINUX_POLLIN);
}
void netlink_deliver(struct socket *s, const void *msg, size_t len) {
    struct nl_sock *n = nsock(s);
    LOCKED(&n->lock);
    enqueue(n, 0, msg, len, NULL, 0);
}

// One object alone is longer than a part: a rule of many expressions.
static void pump_long(struct nl_sock *n) {
    struct nl_buf b = {.p = xcalloc(1, RTNL_LONG), .cap = RTNL_LONG};
    if (b.p)
        rtnl_dump_part(&n->dump, &b);
    if (!b.len) {  // it does not even fit there: the dump ends without a word, and the reader hears ENOBUFS
        n->dump.running = false;
        n->err = LINUX_ENOBUFS;
        waitq_wake(&n->wait, LINUX_POLLERR);
    } else {
        enqueue(n, 0, b.p, b.len, NULL, 0);
    }
    free(b.p);
}
// The next part of a dump, if there is one and half of the queue is free. n->lock is held.
static void pump(struct nl_sock *n) {
    _Alignas(4) uint8_t buf[RTNL_CHUNK];
    struct nl_buf b = {.p = buf, .cap = sizeof buf};
    if (!n->dump.running || n->cost > (size_t)socket_opt(&n->s, LINUX_SO_RCVBUF) / 2)
        return;
    rtnl_dump_part(&n->dump, &b);
    if (b.len || !n->dump.running)
        enqueue(n, 0, b.p, b.len, NULL, 0);
    else
        pump_long(n);
}
static void reply(struct rtnl_out *o, const void *msg, size_t len, const void *more, size_t more_len) {
    enqueue(container_of(o, struct answers, out)->n, 0, msg, len, more, more_len);
}
static void dump_begun(struct rtnl_out *o) { pump(container_of(o, struct answers, out)->n); }

// ---- Groups -----------------------------------------------------------------------------------------------
// A change is told when the asker's lock is not held any more.
static void note_in(struct answers *a, struct net_ns *net, uint32_t group, const void *msg, size_t len) {
    struct news *w = xcalloc(1, sizeof *w + len);
    if (!w)
        return;  // LIMIT: who is a member does not hear that something is missing
    w->net = net ? net_ns_get(net) : NULL;
    w->group = group;
    w->len = len;
    memcpy(w->data, msg, len);
    list_add_tail(&a->news, &w->link);
}
static void note_news(struct rtnl_out *o, uint32_t group, const void *msg, size_t len) {
    note_in(container_of(o, struct answers, out), NULL, group, msg, len);
}
static void note_links(struct rtnl_out *o, struct net_news *n) {
    for (unsigned i = 0; i < n->n; i++) {
        _Alignas(4) uint8_t buf[RTNL_CHUNK];
        struct nl_buf b = {.p = buf, .cap = sizeof buf};
        struct net_ns *net = n->of[i].net;
        struct net_link l = n->of[i].link;
        bool gone = n->of[i].gone, there = gone || net_link_by_index(&net->inet.links.source, l.index, &l);
        if (there && rtnl_put_link(&b, gone ? LINUX_RTM_DELLINK : LINUX_RTM_NEWLINK, &l, 0, 0, 0))
            note_in(container_of(o, struct answers, out), net, LINUX_RTNLGRP_LINK, b.p, b.len);
    }
    net_news_done(n);
}
static bool is_member(const struct nl_sock *n, uint32_t group) {
    return n->groups[(group - 1) / 32] & 1u << (group - 1) % 32;
}
static void broadcast(struct netlink_ns *ns, struct news *w) {
    struct nl_sock *n;
    LOCKED(&ns->lock);
    list_for_each(n, &ns->sockets, all) {
        LOCKED_NESTED(&n->lock);
        if (n->s.protocol == LINUX_NETLINK_ROUTE && is_member(n, w->group))
            enqueue(n, w->group, w->data, w->len, NULL, 0);
    }
}
static void tell(struct netlink_ns *ns, struct list *news) {
    while (!list_empty(news)) {
        struct news *w = list_first(news, struct news, link);
        list_del(&w->link);
        broadcast(w->net ? &w->net->netlink : ns, w);
        net_ns_put(w->net);
        free(w);
    }
}

void netlink_tell_link(struct net_ns *net, int32_t index) {
    struct answers a = {.out = {.portid = 0}};
    _Alignas(4) uint8_t buf[RTNL_CHUNK];
    struct nl_buf b = {.p = buf, .cap = sizeof buf};
    struct net_link l;
    list_init(&a.news);
    if (!net_link_by_index(&net->inet.links.source, index, &l) ||
        !rtnl_put_link(&b, LINUX_RTM_NEWLINK, &l, 0, 0, 0))
        return;
    note_news(&a.out, LINUX_RTNLGRP_LINK, b.p, b.len);
    tell(&net->netlink, &a.news);
}

void netlink_tell_news(struct net_news *n) {
    struct answers a = {.out = {.portid = 0}};
    list_init(&a.news);
    note_links(&a.out, n);
    tell(NULL, &a.news);
}

// Whom an attribute of a link names: 0 or -LINUX_E*.
static int find_netns(uint16_t attr, uint32_t value, struct net_ns **out) {
    struct task *t = task_current;
    struct ns *n = NULL;
    if (attr == LINUX_IFLA_NET_NS_FD) {
        struct file *f cleanup_file = fd_get(t->files, (int)value);
        n = f ? nsfs_of(f) : NULL;
        n = n && n->kind == NS_NET ? ns_get(n) : NULL;
        if (!n)
            return f ? -LINUX_EINVAL : -LINUX_EBADF;
    } else if (attr == LINUX_IFLA_NET_NS_PID) {
        struct task *other = task_find(t, (int32_t)value);
        n = other ? task_ns(other, NS_NET) : NULL;
        if (other)
            task_put(other);
    }
    *out = n ? container_of(n, struct net_ns, ns) : NULL;
    if (n)
        return 0;
    return attr == LINUX_IFLA_NET_NS_PID ? -LINUX_ESRCH : -LINUX_EOPNOTSUPP;
}
// Tasks and descriptors are looked up without the asker's lock; nothing of its queue is under way.
static int netns(struct rtnl_out *o, uint16_t attr, uint32_t value, bool change, struct net_ns **out) {
    struct nl_sock *n = container_of(o, struct answers, out)->n;
    lock_drop(&n->lock);
    int err = find_netns(attr, value, out);
    lock_take(&n->lock);
    if (err == 0 && change && !net_ns_capable(task_current, *out, LINUX_CAP_NET_ADMIN)) {
        net_ns_put(*out);
        err = -LINUX_EPERM;
    }
    return err;
}

static int destination(struct nl_sock *n, struct task *t, const struct sock_addr *a) {
    uint32_t pid, groups;
    if (a) {
        int err = check_addr(a);
        if (err < 0)
            return err;
        pid = a->nl.nl_pid;
        groups = a->nl.nl_groups;
    } else {
        LOCKED(&n->lock);
        pid = n->peer;
        groups = n->peer_groups;
    }
    if ((pid || groups) && !net_ns_capable(t, n->s.net, LINUX_CAP_NET_ADMIN))
        return -LINUX_EPERM;
    return pid ? -LINUX_ECONNREFUSED : 0;  // a group's members get nothing, and the kernel the message
}
static enum rtnl_kind kind_of(int protocol) {
    switch (protocol) {
    case LINUX_NETLINK_SOCK_DIAG:
        return RTNL_DIAG;
    case LINUX_NETLINK_GENERIC:
        return RTNL_GENERIC;
    case LINUX_NETLINK_NETFILTER:
        return RTNL_NETFILTER;
    default:
        return RTNL_ROUTE;
    }
}
static void receive(struct nl_sock *n, struct task *t, const void *buf, size_t len) {
    struct answers a = {.out = {.reply = reply, .dump_begun = dump_begun, .dump = &n->dump}, .n = n};
    a.out.kind = kind_of(n->s.protocol);
    a.out.notify = note_news;
    a.out.notify_links = note_links;
    a.out.netns = netns;
    list_init(&a.news);
    a.out.net = &n->s.net->inet.links.source;
    a.out.stack = n->s.net->inet.stack;
    a.out.portid = bound_port(n, t);
    a.out.admin = n->admin && net_ns_capable(t, n->s.net, LINUX_CAP_NET_ADMIN);
    {
        LOCKED(&n->lock);
        a.out.strict = n->options & 1u << LINUX_NETLINK_GET_STRICT_CHK;
        a.out.cap_ack = n->options & 1u << LINUX_NETLINK_CAP_ACK;
        rtnl_receive(&a.out, buf, len);
    }
    tell(ns_of(n), &a.news);
}
static int64_t netlink_send(struct socket *s, struct sock_msg *m) {
    struct nl_sock *n = nsock(s);
    struct task *t = task_current;
    size_t len = m->u->left;
    if (m->flags & LINUX_MSG_OOB)
        return -LINUX_EOPNOTSUPP;
    if (len == 0)
        return -LINUX_ENODATA;
    int err = destination(n, t, m->addr);
    if (err < 0)
        return err;
    if (len > (size_t)socket_opt(s, LINUX_SO_SNDBUF) - SEND_RESERVE)
        return -LINUX_EMSGSIZE;
    void *buf = xcalloc(1, len);
    if (!buf)
        return -LINUX_ENOBUFS;
    bool whole = uio_from(m->u, buf, len) == (int64_t)len;
    if (whole && s->protocol != LINUX_NETLINK_KOBJECT_UEVENT)  // of which nobody listens here
        receive(n, t, buf, len);
    free(buf);
    return whole ? (int64_t)len : -LINUX_EFAULT;
}

// n->lock is held. A datagram: what there is no room for is cut off.
static int64_t take(struct nl_sock *n, struct nl_msg *msg, struct sock_msg *m) {
    size_t len = msg->len < m->u->left ? msg->len : m->u->left;
    if (uio_to(m->u, msg->data, len) != (int64_t)len)
        return -LINUX_EFAULT;
    if (len < msg->len)
        m->out_flags |= LINUX_MSG_TRUNC;
    int64_t r = (int64_t)(m->flags & LINUX_MSG_TRUNC ? msg->len : len);
    m->pktinfo.group = msg->group;
    if (m->addr)
        *m->addr = (struct sock_addr){
            .len = sizeof m->addr->nl,
            .nl = {.nl_family = LINUX_AF_NETLINK, .nl_groups = msg->group ? 1u << (msg->group - 1) % 32 : 0}};
    if (!(m->flags & LINUX_MSG_PEEK)) {
        msg_free(n, msg);
        pump(n);
    }
    return r;
}
static int64_t netlink_recv(struct socket *s, struct sock_msg *m) {
    struct nl_sock *n = nsock(s);
    if (m->flags & LINUX_MSG_OOB)
        return -LINUX_EOPNOTSUPP;
    LOCKED(&n->lock);
    if (n->err) {
        int err = n->err;
        n->err = 0;
        return -err;
    }
    if (list_empty(&n->msgs))
        return -LINUX_EAGAIN;
    int64_t r = take(n, list_first(&n->msgs, struct nl_msg, link), m);
    if (r < 0)
        return r;
    m->has_pktinfo = n->options & 1u << LINUX_NETLINK_PKTINFO;
    m->cred = (struct linux_ucred){0, 0, 0};                    // the kernel's
    m->has_cred = true;
    return r;
}

static uint32_t netlink_poll(struct socket *s, struct waiter *w) {
    struct nl_sock *n = nsock(s);
    if (w)
        waitq_add(&n->wait, w);
    LOCKED(&n->lock);
    return (list_empty(&n->msgs) ? 0 : LINUX_POLLIN | LINUX_POLLRDNORM) | (n->err ? LINUX_POLLERR : 0) |
           LINUX_POLLOUT | LINUX_POLLWRNORM | LINUX_POLLWRBAND;
}
static int netlink_get_error(struct socket *s) {
    struct nl_sock *n = nsock(s);
    LOCKED(&n->lock);
    int err = n->err;
    n->err = 0;
    return err;
}

// ---- Options ----------------------------------------------------------------------------------------------
static bool is_switch(int name) {
    switch (name) {
    case LINUX_NETLINK_PKTINFO:
    case LINUX_NETLINK_BROADCAST_ERROR:
    case LINUX_NETLINK_NO_ENOBUFS:
    case LINUX_NETLINK_CAP_ACK:
    case LINUX_NETLINK_EXT_ACK:  // LIMIT: no text goes along with an error
    case LINUX_NETLINK_GET_STRICT_CHK:
        return true;
    default:
        return false;
    }
}
static int set_member(struct nl_sock *n, uint32_t group, bool member) {
    if (group == 0 || group > LINUX_RTNLGRP_MAX)
        return -LINUX_EINVAL;
    uint32_t bit = 1u << (group - 1) % 32, *word = &n->groups[(group - 1) / 32];
    *word = member ? *word | bit : *word & ~bit;
    return 0;
}
static int netlink_setopt(struct socket *s, struct task *t, int level, int name, const void *buf,
                          uint32_t len) {
    struct nl_sock *n = nsock(s);
    uint32_t v = 0;
    if (level != LINUX_SOL_NETLINK)
        return -LINUX_ENOPROTOOPT;
    if (len >= sizeof v)  // a short one is 0, as Linux has it
        memcpy(&v, buf, sizeof v);
    LOCKED(&n->lock);
    if (name == LINUX_NETLINK_ADD_MEMBERSHIP || name == LINUX_NETLINK_DROP_MEMBERSHIP)
        return set_member(n, v, name == LINUX_NETLINK_ADD_MEMBERSHIP);
    if (!is_switch(name))
        return -LINUX_ENOPROTOOPT;
    n->options = v ? n->options | 1u << name : n->options & ~(1u << name);
    return 0;
}
static int netlink_getopt(struct socket *s, int level, int name, void *buf, uint32_t *len) {
    struct nl_sock *n = nsock(s);
    if (level != LINUX_SOL_NETLINK)
        return -LINUX_ENOPROTOOPT;
    LOCKED(&n->lock);
    // whole words, as many as there is room for; the length of all
    if (name == LINUX_NETLINK_LIST_MEMBERSHIPS) {
        memcpy(buf, n->groups, *len < sizeof n->groups ? *len : sizeof n->groups);
        *len = sizeof n->groups;  // though there is less room
        return 0;
    }
    int32_t v = n->options >> (name & 31) & 1;
    if (!is_switch(name))
        return -LINUX_ENOPROTOOPT;
    if (*len < sizeof v)
        return -LINUX_EINVAL;
    *len = sizeof v;
    memcpy(buf, &v, sizeof v);
    return 0;
}

// ---- What netlink does not have ---------------------------------------------------------------------------
static int netlink_listen(struct socket *s, struct task *t, int backlog) { return -LINUX_EOPNOTSUPP; }
static int netlink_accept(struct socket *s, struct socket **out) { return -LINUX_EOPNOTSUPP; }
static int netlink_shutdown(struct socket *s, int how) { return -LINUX_EOPNOTSUPP; }
static bool netlink_listening(struct socket *s) { return false; }
static int netlink_peer_cred(struct socket *s, struct linux_ucred *out) {
    *out = (struct linux_ucred){0, ~0u, ~0u};
    return 0;
}

// ---- Life -------------------------------------------------------------------------------------------------
static void netlink_close(struct socket *s) {
    struct nl_sock *n = nsock(s);
    {
        LOCKED(&ns_of(n)->lock);
        if (n->bound)
            rb_erase(&ns_of(n)->ports, &n->by_port);
        list_del(&n->all);
    }
    while (!list_empty(&n->msgs))
        msg_free(n, list_first(&n->msgs, struct nl_msg, link));
    waitq_destroy(&n->wait);
    lock_destroy(&n->lock);
    socket_done(&n->s);
    free(n);
}
static const struct socket_ops netlink_ops = {
    .bind = netlink_bind,
    .connect = netlink_connect,
    .listen = netlink_listen,
    .accept = netlink_accept,
    .name = netlink_name,
    .send = netlink_send,
    .recv = netlink_recv,
    .shutdown = netlink_shutdown,
    .poll = netlink_poll,
    .get_error = netlink_get_error,
    .listening = netlink_listening,
    .peer_cred = netlink_peer_cred,
    .getopt = netlink_getopt,
    .setopt = netlink_setopt,
    .close = netlink_close,
};

static const bool served[] = {[LINUX_NETLINK_ROUTE] = true,
                              [LINUX_NETLINK_SOCK_DIAG] = true,
                              [LINUX_NETLINK_NETFILTER] = true,
                              [LINUX_NETLINK_KOBJECT_UEVENT] = true,
                              [LINUX_NETLINK_GENERIC] = true};
int netlink_socket(struct task *t, int type, int protocol, struct socket **out) {
    if (type != LINUX_SOCK_RAW && type != LINUX_SOCK_DGRAM)
        return -LINUX_ESOCKTNOSUPPORT;
    if ((unsigned)protocol >= sizeof served || !served[protocol])
        return -LINUX_EPROTONOSUPPORT;
    struct nl_sock *n = znew(struct nl_sock);
    if (!n)
        return -LINUX_ENOMEM;
    socket_init(&n->s, &netlink_ops, task_net(t), LINUX_AF_NETLINK, type, protocol);
    lock_init(&n->lock, RANK_OBJECT);
    waitq_init(&n->wait);
    list_init(&n->msgs);
    n->admin = net_ns_capable(t, task_net(t), LINUX_CAP_NET_ADMIN);
    LOCKED(&ns_of(n)->lock);
    list_add_tail(&ns_of(n)->sockets, &n->all);
    *out = &n->s;
    return 0;
}
