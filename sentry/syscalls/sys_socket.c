// SPDX-License-Identifier: Apache-2.0
// Sockets: socket socketpair bind connect listen accept accept4 getsockname getpeername shutdown getsockopt
// setsockopt. Messages are in sys_sockmsg.c, the families in sentry/socket/.
// LIMIT: AF_UNIX, AF_INET and AF_INET6 over the loopback, AF_PACKET, AF_NETLINK;
// all others are EAFNOSUPPORT.
#include "fs/landlock.h"
#include "abi/caps.h"
#include "abi/inet.h"
#include "abi/poll.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/run/park.h"
#include "sentry/syscalls/sock_args.h"
#include "sentry/syscalls/table.h"
#include "sentry/time/timeconv.h"
#include <string.h>

// ---- Arguments --------------------------------------------------------------------------------------------
struct file *sock_get(struct task *t, int fd, int *err) {
    struct file *f = park_file(t);  // a rerun goes on with the socket that it has waited for
    f = f ? file_get(f) : fd_get_io(t->files, fd);
    *err = -LINUX_EBADF;
    if (!f || socket_of(f))
        return f;
    file_put(f);
    *err = -LINUX_ENOTSOCK;
    return NULL;
}

int addr_in(struct task *t, struct sock_addr *a, uaddr_t from, int32_t len) {
    *a = (struct sock_addr){.len = (unsigned)len};
    if (len < 0 || (uint32_t)len > sizeof a->bytes)
        return -LINUX_EINVAL;
    return copy_in(t, a->bytes, from, (uint32_t)len);
}

int addr_out(struct task *t, const struct sock_addr *a, uaddr_t to, uaddr_t len_at) {
    int32_t room;
    if (uaddr_is_null(to))
        return 0;
    if (copy_in_obj(t, &room, len_at) < 0)
        return -LINUX_EFAULT;
    if (room < 0)
        return -LINUX_EINVAL;
    uint32_t n = (uint32_t)room < a->len ? (uint32_t)room : a->len;
    if (n && copy_out(t, to, a->bytes, n) < 0)
        return -LINUX_EFAULT;
    return copy_out_obj(t, len_at, &a->len);
}

static bool is_nonblock(struct file *f) { return atomic_load(&f->flags) & LINUX_O_NONBLOCK; }

int64_t sock_wait(struct task *t, struct file *f, uint32_t events, bool nonblock, int64_t r) {
    return nonblock ? r : park_file_result(t, f, events, r);
}

int64_t sock_wait_queue(struct task *t, struct file *f, bool nonblock) {
    uint64_t timeout = atomic_load(&f->write_timeout);
    if (nonblock || is_nonblock(f) || t->call.timed_out)
        return -LINUX_EAGAIN;
    if (timeout)
        park_deadline(t, time_after(timeout));
    if (t->call.timed_out)
        return -LINUX_EAGAIN;
    int64_t r = park(t);
    return r == -LINUX_ERESTARTSYS && timeout ? -LINUX_EINTR : r;
}

// ---- New sockets ------------------------------------------------------------------------------------------
static int install(struct task *t, struct file *f, unsigned flags) {
    return fd_install(t->files, f, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), flags & LINUX_SOCK_CLOEXEC);
}

static int check_flags(unsigned type) {
    const unsigned known = LINUX_SOCK_TYPE_MASK | LINUX_SOCK_CLOEXEC | LINUX_SOCK_NONBLOCK;
    return type & ~known || (type & LINUX_SOCK_TYPE_MASK) > LINUX_SOCK_PACKET ? -LINUX_EINVAL : 0;
}

static int make_socket(struct task *t, int family, int type, int protocol, struct socket **out) {
    switch (family) {
    case LINUX_AF_UNIX:
        return unix_socket(t, type, protocol, out);
    case LINUX_AF_INET:
    case LINUX_AF_INET6:
        return inet_socket(t, family, type, protocol, out);
    case LINUX_AF_NETLINK:
        return netlink_socket(t, type, protocol, out);
    case LINUX_AF_PACKET:
        return packet_socket(t, type, protocol, out);
    default:
        return -LINUX_EAFNOSUPPORT;
    }
}

int64_t sys_socket(struct task *t, const struct sysargs *a) {
    unsigned flags = arg_u32(a, 1);
    struct file *f cleanup_file = NULL;
    struct socket *s;
    if (check_flags(flags) < 0)
        return -LINUX_EINVAL;
    int err = make_socket(t, arg_int(a, 0), (int)(flags & LINUX_SOCK_TYPE_MASK), arg_int(a, 2), &s);
    if (err == 0)
        err = socket_file(t->k->vfs, s, flags & LINUX_SOCK_NONBLOCK, &f);
    return err < 0 ? err : install(t, f, flags);
}

static int64_t install_pair(struct task *t, struct file *f[2], unsigned flags, uaddr_t out) {
    int32_t fds[2] = {install(t, f[0], flags), -1};
    if (fds[0] < 0)
        return fds[0];
    fds[1] = install(t, f[1], flags);
    int err = fds[1] < 0 ? fds[1] : copy_out(t, out, fds, sizeof fds);
    if (err < 0) {
        fd_close(t->files, fds[0]);
        if (fds[1] >= 0)
            fd_close(t->files, fds[1]);
    }
    return err;
}

// Of other families: what a single one would say goes before that there are no pairs.
static int no_pair(struct task *t, int family, int type, int protocol) {
    struct socket *s;
    int err = make_socket(t, family, type, protocol, &s);
    if (err < 0)
        return err;
    s->ops->close(s);
    return -LINUX_EOPNOTSUPP;
}

int64_t sys_socketpair(struct task *t, const struct sysargs *a) {
    unsigned flags = arg_u32(a, 1);
    int family = arg_int(a, 0), type = (int)(flags & LINUX_SOCK_TYPE_MASK);
    struct socket *s[2];
    static const int32_t none[2] = {-1, -1};
    if (check_flags(flags) < 0)
        return -LINUX_EINVAL;
    if (copy_out(t, arg_ptr(a, 3), none, sizeof none) < 0)  // told before anything is made, as on Linux
        return -LINUX_EFAULT;
    if (family != LINUX_AF_UNIX)
        return no_pair(t, family, type, arg_int(a, 2));
    int err = unix_pair(t, type, arg_int(a, 2), s);
    if (err < 0)
        return err;
    struct file *f[2] = {NULL, NULL};
    err = socket_file(t->k->vfs, s[0], flags & LINUX_SOCK_NONBLOCK, &f[0]);
    if (err < 0)
        s[1]->ops->close(s[1]);
    else
        err = socket_file(t->k->vfs, s[1], flags & LINUX_SOCK_NONBLOCK, &f[1]);
    int64_t r = err < 0 ? err : install_pair(t, f, flags, arg_ptr(a, 3));
    file_put(f[0]);
    file_put(f[1]);
    return r;
}

// ---- Names and connections --------------------------------------------------------------------------------
int64_t sys_bind(struct task *t, const struct sysargs *a) {
    struct sock_addr addr;
    int err;
    struct file *f cleanup_file = sock_get(t, arg_int(a, 0), &err);
    if (!f)
        return err;
    err = addr_in(t, &addr, arg_ptr(a, 1), arg_int(a, 2));
    struct socket *s = socket_of(f);
    if (err == 0)
        err = socket_landlock(t, s, &addr, LINUX_LANDLOCK_ACCESS_NET_BIND_TCP);
    return err < 0 ? err : s->ops->bind(s, t, &addr);
}

// call.phase of connect(2): the attempt that is waited for is this call's own, or of one before.
enum { CONNECT_FIRST, CONNECT_BEGUN };

// An attempt is under way: the rerun of the call finds out how it ended.
static int64_t wait_connected(struct task *t, struct file *f, int pending) {
    if (pending == -LINUX_EINPROGRESS)
        t->call.phase = CONNECT_BEGUN;
    int64_t r = sock_wait(t, f, LINUX_POLLOUT, false, -LINUX_EAGAIN);
    if (r != -LINUX_EAGAIN)
        return r;
    return t->call.phase == CONNECT_BEGUN ? -LINUX_EINPROGRESS : pending;
}

int64_t sys_connect(struct task *t, const struct sysargs *a) {
    struct sock_addr addr;
    struct waitq *wait = NULL;
    int err, bad = 0;
    struct file *f cleanup_file = sock_get(t, arg_int(a, 0), &err);
    if (f || err == -LINUX_ENOTSOCK)  // the address is looked at before what the file is
        bad = addr_in(t, &addr, arg_ptr(a, 1), arg_int(a, 2));
    if (!f || bad < 0)
        return bad < 0 ? bad : err;
    struct socket *s = socket_of(f);
    err = socket_landlock(t, s, &addr, LINUX_LANDLOCK_ACCESS_NET_CONNECT_TCP);
    if (err < 0)
        return err;
    err = s->ops->connect(s, t, &addr, &wait);
    if (err == -LINUX_EINPROGRESS || err == -LINUX_EALREADY)
        return wait_connected(t, f, err);
    if (err != -LINUX_EAGAIN || !wait || is_nonblock(f))
        return err;
    park_arm(t, wait);
    err = s->ops->connect(s, t, &addr, &wait);
    return err == -LINUX_EAGAIN ? sock_wait_queue(t, f, false) : err;
}

int64_t sys_listen(struct task *t, const struct sysargs *a) {
    int err;
    struct file *f cleanup_file = sock_get(t, arg_int(a, 0), &err);
    if (!f)
        return err;
    struct socket *s = socket_of(f);
    return s->ops->listen(s, t, arg_int(a, 1));
}

static int64_t install_accepted(struct task *t, struct socket *s, const struct sysargs *a, unsigned flags) {
    struct file *f cleanup_file = NULL;
    struct sock_addr addr;
    int err = socket_file(t->k->vfs, s, flags & LINUX_SOCK_NONBLOCK, &f);
    if (err < 0)
        return err;
    if (arg_given(a, 1)) {
        err = s->ops->name(s, SOCK_NAME_ACCEPTED, &addr);
        if (err == 0)
            err = addr_out(t, &addr, arg_ptr(a, 1), arg_ptr(a, 2));
        if (err < 0)
            return err == -LINUX_ENOTCONN ? -LINUX_ECONNABORTED : err;
    }
    return install(t, f, flags);
}

static int64_t do_accept(struct task *t, const struct sysargs *a, unsigned flags) {
    int err;
    struct file *f cleanup_file = sock_get(t, arg_int(a, 0), &err);
    if ((f || err == -LINUX_ENOTSOCK) && (flags & ~(unsigned)(LINUX_SOCK_CLOEXEC | LINUX_SOCK_NONBLOCK)))
        return -LINUX_EINVAL;
    if (!f)
        return err;
    struct socket *s = socket_of(f), *n;
    err = s->ops->accept(s, &n);
    return err < 0 ? sock_wait(t, f, LINUX_POLLIN, false, err) : install_accepted(t, n, a, flags);
}
int64_t sys_accept(struct task *t, const struct sysargs *a) { return do_accept(t, a, 0); }
int64_t sys_accept4(struct task *t, const struct sysargs *a) { return do_accept(t, a, arg_u32(a, 3)); }

static int64_t get_name(struct task *t, const struct sysargs *a, bool peer) {
    struct sock_addr addr;
    int err;
    struct file *f cleanup_file = sock_get(t, arg_int(a, 0), &err);
    if (!f)
        return err;
    struct socket *s = socket_of(f);
    err = s->ops->name(s, peer ? SOCK_NAME_PEER : SOCK_NAME_OWN, &addr);
    if (err < 0)
        return err;
    return arg_given(a, 1) ? addr_out(t, &addr, arg_ptr(a, 1), arg_ptr(a, 2)) : -LINUX_EFAULT;
}
int64_t sys_getsockname(struct task *t, const struct sysargs *a) { return get_name(t, a, false); }
int64_t sys_getpeername(struct task *t, const struct sysargs *a) { return get_name(t, a, true); }

int64_t sys_shutdown(struct task *t, const struct sysargs *a) {
    int err;
    struct file *f cleanup_file = sock_get(t, arg_int(a, 0), &err);
    if (!f)
        return err;
    struct socket *s = socket_of(f);
    return s->ops->shutdown(s, arg_int(a, 1));
}

// ---- Options ----------------------------------------------------------------------------------------------
int64_t sys_setsockopt(struct task *t, const struct sysargs *a) {
    char buf[SOCK_OPT_MAX];
    int err, level = arg_int(a, 1), name = arg_int(a, 2);
    struct file *f cleanup_file = sock_get(t, arg_int(a, 0), &err);
    if (!f)
        return err;
    if (arg_int(a, 4) < 0)
        return -LINUX_EINVAL;
    if (level != LINUX_SOL_SOCKET && !socket_of(f)->ops->setopt)
        return -LINUX_EOPNOTSUPP;
    uint32_t len = arg_u32(a, 4) < sizeof buf ? arg_u32(a, 4) : sizeof buf;
    if (copy_in(t, buf, arg_ptr(a, 3), len) < 0)
        return -LINUX_EFAULT;
    struct socket *s = socket_of(f);
    if (level == LINUX_SOL_SOCKET)
        return socket_setopt(f, t, name, buf, len);
    return s->ops->setopt ? s->ops->setopt(s, t, level, name, buf, len) : -LINUX_EOPNOTSUPP;
}

// A negative length: what the option does not have is said first, but of IP and its protocols that have one.
static int no_length(struct socket *s, int level, int name) {
    char buf[SOCK_OPT_MAX];
    uint32_t len = 0;
    bool inet = s->family == LINUX_AF_INET || s->family == LINUX_AF_INET6;
    if (level == LINUX_SOL_SOCKET || (inet && level == s->protocol) || (inet && level == LINUX_SOL_IP))
        return -LINUX_EINVAL;
    int err = s->ops->getopt ? s->ops->getopt(s, level, name, buf, &len) : -LINUX_EOPNOTSUPP;
    return err == -LINUX_EOPNOTSUPP || err == -LINUX_ENOPROTOOPT ? err : -LINUX_EINVAL;
}

// The answer did not reach the caller: a descriptor that was made for it goes again.
static void take_back(struct task *t, int level, int name, const char *buf, uint32_t len) {
    int32_t fd;
    if (level != LINUX_SOL_SOCKET || name != LINUX_SO_PEERPIDFD || len < sizeof fd)
        return;
    memcpy(&fd, buf, sizeof fd);
    fd_close(t->files, fd);
}

// PACKET_HDRLEN asks about a version that the caller names there, the filters of a group about that group.
static bool asks_by_value(int level, int name) {
    if (level == LINUX_SOL_IP || level == LINUX_SOL_IPV6)
        return name == LINUX_MCAST_MSFILTER || (level == LINUX_SOL_IP && name == LINUX_IP_MSFILTER);
    return level == LINUX_SOL_PACKET;
}

int64_t sys_getsockopt(struct task *t, const struct sysargs *a) {
    char buf[SOCK_OPT_MAX];
    int32_t room;
    int err, level = arg_int(a, 1), name = arg_int(a, 2);
    struct file *f cleanup_file = sock_get(t, arg_int(a, 0), &err);
    if (!f)
        return err;
    if (level != LINUX_SOL_SOCKET && !socket_of(f)->ops->getopt)
        return -LINUX_EOPNOTSUPP;
    if (copy_in_obj(t, &room, arg_ptr(a, 4)) < 0)
        return -LINUX_EFAULT;
    if (room < 0)
        return no_length(socket_of(f), level, name);
    uint32_t len = (uint32_t)room < sizeof buf ? (uint32_t)room : sizeof buf;
    const uint32_t most = len;  // what is told may be longer (NETLINK_LIST_MEMBERSHIPS), what is given not
    struct socket *s = socket_of(f);
    if (asks_by_value(level, name) && copy_in(t, buf, arg_ptr(a, 3), len) < 0)
        return -LINUX_EFAULT;
    if (level == LINUX_SOL_SOCKET)
        err = socket_getopt(f, name, buf, &len);
    else
        err = s->ops->getopt ? s->ops->getopt(s, level, name, buf, &len) : -LINUX_EOPNOTSUPP;
    if (err == -LINUX_ERANGE && copy_out_obj(t, arg_ptr(a, 4), &len) < 0)
        return -LINUX_EFAULT;
    if (err < 0)
        return err;
    uint32_t given = len < most ? len : most;
    if ((given && copy_out(t, arg_ptr(a, 3), buf, given) < 0) || copy_out_obj(t, arg_ptr(a, 4), &len) < 0) {
        take_back(t, level, name, buf, len);
        return -LINUX_EFAULT;
    }
    return 0;
}
