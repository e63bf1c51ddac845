// SPDX-License-Identifier: Apache-2.0
// Sockets as files: read and write are receiving and sending without an address.
#include "sentry/socket/socket.h"
#include "abi/caps.h"
#include "abi/inet.h"
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "sentry/kernel.h"
#include "sentry/net/net.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/user_ns.h"
#include "sentry/run/run.h"
#include "sentry/socket/unix.h"
#include <stdio.h>
#include <string.h>

#define DEFAULT_BUF 212992

void sock_files_put(struct sock_files *s) {
    while (s->n > 0)
        file_put(s->f[--s->n]);
}

struct linux_ucred task_ucred(struct task *t) {
    if (!t)
        return (struct linux_ucred){0, 65534, 65534};
    return (struct linux_ucred){t->tg->pid, t->cred->euid, t->cred->egid};
}

// Kept in the kernel's numbers. Nobody's (~0) is the same for all.
struct linux_ucred ucred_shown(const struct linux_ucred *c) {
    struct task *t = task_current;
    if (!t)
        return *c;
    return (struct linux_ucred){task_pid_out(t, c->pid),
                                c->uid == ID_NONE ? ID_NONE : task_uid_out(t, c->uid),
                                c->gid == ID_NONE ? ID_NONE : task_gid_out(t, c->gid)};
}

static int64_t sock_read(struct file *f, struct uio *u, uint64_t off) {
    struct socket *s = f->priv;
    struct sock_msg m = {.u = u};
    return u->left || s->type != LINUX_SOCK_STREAM ? s->ops->recv(s, &m) : 0;
}

static int64_t sock_write(struct file *f, struct uio *u, uint64_t off) {
    struct socket *s = f->priv;
    struct sock_msg m = {.u = u};
    return s->ops->send(s, &m);
}

static uint32_t sock_poll(struct file *f, struct waiter *w) {
    struct socket *s = f->priv;
    return s->ops->poll(s, w);
}

static uint32_t sock_async(struct file *f) {
    return LINUX_POLLIN | LINUX_POLLOUT | LINUX_POLLPRI | LINUX_POLLHUP | LINUX_POLLRDHUP;
}

static int64_t sock_ioctl(struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua) {
    struct socket *s = f->priv;
    switch (cmd) {
    case LINUX_FIONREAD:
    case LINUX_TIOCOUTQ: {
        if (!s->ops->queued)
            return -LINUX_ENOTTY;
        uint64_t n = s->ops->queued(s, cmd == LINUX_TIOCOUTQ);
        int32_t v = n > INT32_MAX ? INT32_MAX : (int32_t)n;
        bool refused = s->ops->listening(s) && !(cmd == LINUX_TIOCOUTQ && s->family == LINUX_AF_UNIX);
        return refused ? -LINUX_EINVAL : ua->out(ua, uaddr(arg), &v, sizeof v);
    }
    case LINUX_SIOCOUTQNSD: {
        uint64_t n = s->ops->unsent ? s->ops->unsent(s) : 0;
        int32_t v = n > INT32_MAX ? INT32_MAX : (int32_t)n;
        if (!s->ops->unsent)
            return -LINUX_ENOTTY;
        return s->ops->listening(s) ? -LINUX_EINVAL : ua->out(ua, uaddr(arg), &v, sizeof v);
    }
    case LINUX_SIOCATMARK: {
        int32_t v = s->ops->at_mark ? s->ops->at_mark(s) : -LINUX_ENOTTY;
        return v < 0 ? v : ua->out(ua, uaddr(arg), &v, sizeof v);
    }
    default: {
        bool admin = task_current && net_ns_capable(task_current, s->net, LINUX_CAP_NET_ADMIN);
        int32_t changed;
        int64_t r = net_ioctl(&s->net->inet.links.source, s->family, cmd, arg, ua, admin, &changed);
        if (changed)
            netlink_tell_link(s->net, changed);
        return r;
    }
    }
}

static int sock_mmap(struct file *f, int prot, bool shared) {
    struct socket *s = f->priv;
    return s->ops->mmap_fd ? s->ops->mmap_fd(s, prot, shared) : -LINUX_ENODEV;
}

static void sock_release(struct file *f) {
    struct socket *s = f->priv;
    s->ops->close(s);
}

static const struct file_ops socket_fops = {.read = sock_read,
                                            .write = sock_write,
                                            .poll = sock_poll,
                                            .async = sock_async,
                                            .ioctl = sock_ioctl,
                                            .mmap_fd = sock_mmap,
                                            .release = sock_release};

struct socket *socket_of(struct file *f) { return f->ops == &socket_fops ? f->priv : NULL; }

unsigned socket_linger(struct file *f) {
    struct socket *s = socket_of(f);
    const struct linux_linger l = s ? atomic_load(&s->linger) : (struct linux_linger){0, 0};
    if (!l.l_onoff || !s->ops->closing || l.l_linger == 0)
        return 0;
    return l.l_linger < 0 || l.l_linger > INT16_MAX ? INT16_MAX : (unsigned)l.l_linger;
}

bool socket_closing(struct file *f, bool begin) {
    struct socket *s = socket_of(f);
    return s->ops->closing(s, begin);
}

void socket_init(struct socket *s, const struct socket_ops *ops, struct net_ns *net, int family, int type,
                 int protocol) {
    s->ops = ops;
    s->net = net_ns_get(net);
    s->family = (uint16_t)family;
    s->type = type;
    s->protocol = protocol;
    atomic_init(&s->opts[LINUX_SO_SNDBUF], DEFAULT_BUF);
    atomic_init(&s->opts[LINUX_SO_RCVBUF], DEFAULT_BUF);
    atomic_init(&s->opts[LINUX_SO_RCVLOWAT], 1);
    atomic_init(&s->opts[LINUX_SO_SNDLOWAT], 1);
    atomic_init(&s->opts[LINUX_SO_PEEK_OFF], -1);
    atomic_init(&s->opts[LINUX_SO_INCOMING_CPU], -1);
    atomic_init(&s->opts[LINUX_SO_MAX_PACING_RATE], -1);
    atomic_init(&s->opts[LINUX_SO_TXREHASH], protocol == LINUX_IPPROTO_TCP);
}

void socket_done(struct socket *s) { net_ns_put(s->net); }

int socket_file(struct vfs *vfs, struct socket *s, unsigned flags, struct file **out) {
    struct linux_ucred who = task_ucred(task_current);
    struct inode *i = vfs_anon_inode(vfs, LINUX_S_IFSOCK | 0777, who.uid, who.gid);
    char name[40];
    if (!i) {
        s->ops->close(s);
        return -LINUX_ENOMEM;
    }
    atomic_store(&s->ino, i->attr.ino);
    snprintf(name, sizeof name, "socket:[%llu]", (unsigned long long)i->attr.ino);
    int err = file_anon(vfs, name, i, &socket_fops, s, LINUX_O_RDWR | (flags & LINUX_O_NONBLOCK), out);
    if (err < 0)
        s->ops->close(s);
    return err;
}
