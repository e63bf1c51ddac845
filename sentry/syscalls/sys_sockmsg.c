// SPDX-License-Identifier: Apache-2.0
// Messages: sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg. A message header is read once into private
// memory, its vectors and control data are bounded. Files that travel (SCM_RIGHTS) are held by the message
// from here on.
//
// A blocking send or a receive with MSG_WAITALL may be done in pieces: call.done counts what went before.
// sendmmsg and recvmmsg count whole messages in call.notes.
// LIMIT: SCM_SECURITY is not supported; recvmmsg's timeout is looked at between
// messages.
#include "abi/caps.h"
#include "abi/misc.h"
#include "abi/poll.h"
#include "abi/uio.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/pidfd.h"
#include "sentry/proc/user_ns.h"
#include "sentry/run/park.h"
#include "sentry/signal/signal.h"
#include "sentry/syscalls/sock_args.h"
#include "sentry/syscalls/table.h"
#include "sentry/syscalls/wait_args.h"
#include "sentry/time/timeconv.h"
#include "sentry/uring/uring.h"
#include <stdlib.h>
#include <string.h>

#define CONTROL_MAX 4096u  // room for 253 files and credentials, several times
#define MMSG_MAX    1024u  // UIO_MAXIOV, as Linux cuts it

// ---- Control data -----------------------------------------------------------------------------------------
struct control {
    struct sock_files files;
    struct linux_ucred cred;
    bool has_cred;
};

static void control_done(struct control *c) { sock_files_put(&c->files); }

static int add_files(struct task *t, struct control *c, const char *data, size_t len) {
    for (size_t at = 0; at + sizeof(int32_t) <= len; at += sizeof(int32_t)) {
        int32_t fd;
        memcpy(&fd, data + at, sizeof fd);
        if (c->files.n == LINUX_SCM_MAX_FD)
            return -LINUX_EINVAL;
        struct file *f = fd_get_io(t->files, fd);
        if (!f)
            return -LINUX_EBADF;
        if (uring_of(f)) {  // its requests and registered files might hold what holds it
            file_put(f);
            return -LINUX_EINVAL;
        }
        c->files.f[c->files.n++] = f;
    }
    return 0;
}

// The sender may only claim to be what it is, unix(7).
static int set_cred(struct task *t, struct control *c, const char *data, size_t len) {
    const struct cred *me = t->cred;
    struct linux_ucred u;
    if (len != sizeof u)
        return -LINUX_EINVAL;
    memcpy(&u, data, sizeof u);
    if ((u.uid = task_uid_in(t, u.uid)) == ID_NONE || (u.gid = task_gid_in(t, u.gid)) == ID_NONE)
        return -LINUX_EINVAL;
    u.pid = u.pid > 0 ? task_pid_in(t, u.pid) : 0;
    bool pid = u.pid == t->tg->pid || task_capable_over(t, &t->tg->pid_ns->ns, LINUX_CAP_SYS_ADMIN);
    bool uid =
        u.uid == me->uid || u.uid == me->euid || u.uid == me->suid || task_own_capable(t, LINUX_CAP_SETUID);
    bool gid =
        u.gid == me->gid || u.gid == me->egid || u.gid == me->sgid || task_own_capable(t, LINUX_CAP_SETGID);
    if (!pid || !uid || !gid)
        return -LINUX_EPERM;
    {
        LOCKED(&t->k->tasks_lock);
        if (!u.pid || !t->k->pids[u.pid])
            return -LINUX_ESRCH;
    }
    c->cred = u;
    c->has_cred = true;
    return 0;
}

static int unix_control(struct task *t, struct control *c, int type, const char *data, size_t len) {
    if (type == LINUX_SCM_RIGHTS)
        return add_files(t, c, data, len);
    return type == LINUX_SCM_CREDENTIALS ? set_cred(t, c, data, len) : -LINUX_EINVAL;
}

static int parse_control(struct task *t, struct socket *s, struct control *c, struct sock_msg *m,
                         const char *buf, size_t size) {
    size_t at = 0;
    while (size - at >= sizeof(struct linux_cmsghdr)) {
        struct linux_cmsghdr h;
        memcpy(&h, buf + at, sizeof h);
        if (h.cmsg_len < sizeof h || h.cmsg_len > size - at)
            return -LINUX_EINVAL;
        const char *data = buf + at + sizeof h;
        size_t len = h.cmsg_len - sizeof h;
        int err = 0;
        if (h.cmsg_level == LINUX_SOL_SOCKET && s->family == LINUX_AF_UNIX)
            err = unix_control(t, c, h.cmsg_type, data, len);
        else if (s->ops->control)
            err = s->ops->control(s, m, h.cmsg_level, h.cmsg_type, data, len);
        if (err < 0)
            return err;
        size_t step = LINUX_CMSG_ALIGN(h.cmsg_len);
        if (step > size - at)
            break;
        at += step;
    }
    return 0;
}

static int control_in(struct task *t, struct socket *s, struct control *c, struct sock_msg *m,
                      const struct linux_msghdr *h) {
    c->files.n = 0;
    c->has_cred = false;
    if (!h->msg_control || !h->msg_controllen)
        return 0;
    if (h->msg_controllen > CONTROL_MAX)
        return -LINUX_ENOBUFS;
    char buf[CONTROL_MAX];
    int err = copy_in(t, buf, uaddr(h->msg_control), h->msg_controllen);
    return err < 0 ? err : parse_control(t, s, c, m, buf, h->msg_controllen);
}

// ---- Control data to the guest ----------------------------------------------------------------------------
struct control_out {
    struct sock_cmsg_sink sink;
    struct task *t;
    uaddr_t at;
    uint64_t left, used;
    uint32_t flags;  // MSG_CTRUNC
};

// Puts one header with what of its data there is room for.
static int put_cmsg(struct control_out *o, int level, int type, const void *data, size_t len) {
    char buf[LINUX_CMSG_SPACE(LINUX_SCM_MAX_FD * sizeof(int32_t))] = {0};
    if (o->left < sizeof(struct linux_cmsghdr)) {
        o->flags |= LINUX_MSG_CTRUNC;
        return 0;
    }
    size_t whole = LINUX_CMSG_LEN(len);
    if (whole > o->left) {
        o->flags |= LINUX_MSG_CTRUNC;
        whole = o->left;
    }
    struct linux_cmsghdr h = {whole, level, type};
    memcpy(buf, &h, sizeof h);
    memcpy(buf + sizeof h, data, whole - sizeof h);
    if (copy_out(o->t, o->at, buf, whole) < 0)
        return -LINUX_EFAULT;
    size_t space = LINUX_CMSG_ALIGN(whole);
    space = space < o->left ? space : o->left;
    o->at = uaddr_add(o->at, space);
    o->left -= space;
    o->used += space;
    return 0;
}

static int sink_put(struct sock_cmsg_sink *sink, int level, int type, const void *data, size_t len) {
    return put_cmsg(container_of(sink, struct control_out, sink), level, type, data, len);
}

// As many files as there is room for get numbers; the others are closed by the caller.
static int put_files(struct control_out *o, struct sock_files *files, bool cloexec) {
    int32_t fds[LINUX_SCM_MAX_FD];
    unsigned room = o->left >= sizeof(struct linux_cmsghdr)
                        ? (unsigned)((o->left - sizeof(struct linux_cmsghdr)) / sizeof(int32_t))
                        : 0;
    unsigned n = 0, want = files->n < room ? files->n : room;
    uint64_t limit = task_rlimit(o->t, LINUX_RLIMIT_NOFILE);
    for (; n < want; n++) {
        fds[n] = fd_install(o->t->files, files->f[n], 0, limit, cloexec);
        if (fds[n] < 0)
            break;
    }
    if (n < files->n)
        o->flags |= LINUX_MSG_CTRUNC;
    int err = n ? put_cmsg(o, LINUX_SOL_SOCKET, LINUX_SCM_RIGHTS, fds, n * sizeof fds[0]) : 0;
    while (err < 0 && n > 0)
        fd_close(o->t->files, fds[--n]);
    return err;
}

// SO_PASSPIDFD: a new descriptor of the sender's process, or the error that kept it from being made.
static int put_pidfd(struct control_out *o, struct tgroup *g) {
    int32_t fd;
    if (o->left < sizeof(struct linux_cmsghdr) + sizeof fd) {
        o->flags |= LINUX_MSG_CTRUNC;
        return 0;
    }
    fd = pidfd_install(o->t, g);
    int err = put_cmsg(o, LINUX_SOL_SOCKET, LINUX_SCM_PIDFD, &fd, sizeof fd);
    if (err < 0 && fd >= 0)
        fd_close(o->t->files, fd);
    return err;
}

// ---- Sending ----------------------------------------------------------------------------------------------
static bool is_nonblock(struct file *f, unsigned flags) {
    return (flags & LINUX_MSG_DONTWAIT) || (atomic_load(&f->flags) & LINUX_O_NONBLOCK);
}

static int64_t send_error(struct task *t, struct socket *s, struct sock_msg *m, int64_t r) {
    if (r == -LINUX_EPIPE && !(m->flags & LINUX_MSG_NOSIGNAL) && s->type == LINUX_SOCK_STREAM)
        signal_send_self(t, LINUX_SIGPIPE);
    return r;
}

// The request stands behind call.done. Bytes of the whole call, an error, or SYS_PARK.
static int64_t do_send(struct task *t, struct file *f, struct sock_msg *m) {
    struct socket *s = socket_of(f);
    struct call *c = &t->call;
    int64_t r;
    m->nonblock = is_nonblock(f, m->flags);
    do {
        r = s->ops->send(s, m);
        if (r > 0)
            c->done += r;
    } while (r > 0 && !m->nonblock && m->u->left > 0 && s->type == LINUX_SOCK_STREAM);
    if (r >= 0)
        return c->done;
    if (r == -LINUX_EAGAIN && !m->nonblock) {
        if (m->wait) {
            park_arm(t, m->wait);
            r = s->ops->send(s, m);
            r = r == -LINUX_EAGAIN ? sock_wait_queue(t, f, false) : r;
        } else {
            r = park_file_result(t, f, LINUX_POLLOUT, r);
        }
    }
    if (c->done && !sock_waits(r))
        return c->done;
    return send_error(t, s, m, r);
}

// The buffer of sendto and recvfrom: the length is cut, and the range looked at, before the socket is.
static int one_buffer(struct uio_user *u, struct task *t, const struct sysargs *a) {
    uint64_t n = arg_size(a, 2) < LINUX_MAX_RW_COUNT ? arg_size(a, 2) : LINUX_MAX_RW_COUNT;
    int err = uio_user_buf(u, t, arg_ptr(a, 1), n);
    if (err == 0)
        uio_user_skip(u, (uint64_t)t->call.done);
    return err;
}

int64_t sys_sendto(struct task *t, const struct sysargs *a) {
    struct sock_addr addr = {.len = 0};
    struct uio_user u;
    int err = one_buffer(&u, t, a);
    if (err < 0)
        return err;
    struct file *f cleanup_file = sock_get(t, arg_int(a, 0), &err);
    if (!f)
        return err;
    if (arg_given(a, 4) && (err = addr_in(t, &addr, arg_ptr(a, 4), arg_int(a, 5))) < 0)
        return err;
    struct sock_msg m = {.u = &u.u, .flags = arg_u32(a, 3)};
    if (addr.len)  // an empty name is none
        m.addr = &addr;
    int64_t r = do_send(t, f, &m);
    uio_user_done(&u);
    return r;
}

// The address in a header: what is longer than any address is cut, not refused.
static int name_in(struct task *t, struct sock_addr *addr, const struct linux_msghdr *h) {
    const int32_t most = sizeof addr->bytes;
    return addr_in(t, addr, uaddr(h->msg_name), h->msg_namelen < most ? h->msg_namelen : most);
}

// The message of a header that was read.
static int64_t send_header(struct task *t, struct file *f, const struct linux_msghdr *h, unsigned flags) {
    struct sock_addr addr;
    struct control control __attribute__((cleanup(control_done)));
    struct uio_user u;
    control.files.n = 0;
    if (h->msg_iovlen > LINUX_IOV_MAX)
        return -LINUX_EMSGSIZE;
    if (h->msg_namelen < 0)
        return -LINUX_EINVAL;
    bool has_addr = h->msg_name && h->msg_namelen;
    int err = has_addr ? name_in(t, &addr, h) : 0;
    if (err < 0)
        return err;
    struct sock_msg m = {.flags = flags, .addr = has_addr ? &addr : NULL};
    err = control_in(t, socket_of(f), &control, &m, h);
    if (err < 0)
        return err;
    err = uio_user_iov(&u, t, uaddr(h->msg_iov), h->msg_iovlen);
    if (err < 0)
        return err;
    uio_user_skip(&u, (uint64_t)t->call.done);
    m.u = &u.u;
    m.cred = control.cred;
    m.has_cred = control.has_cred;
    // The files went with the first piece.
    m.files = t->call.done ? NULL : &control.files;
    int64_t r = do_send(t, f, &m);
    uio_user_done(&u);
    return r;
}

int64_t sys_sendmsg(struct task *t, const struct sysargs *a) {
    struct linux_msghdr h;
    int err;
    if (arg_u32(a, 2) & LINUX_MSG_CMSG_COMPAT)
        return -LINUX_EINVAL;
    struct file *f cleanup_file = sock_get(t, arg_int(a, 0), &err);
    if (!f)
        return err;
    if (copy_in_obj(t, &h, arg_ptr(a, 1)) < 0)
        return -LINUX_EFAULT;
    return send_header(t, f, &h, arg_u32(a, 2));
}

// ---- Receiving --------------------------------------------------------------------------------------------
// Bytes of the whole call, an error, or SYS_PARK. MSG_WAITALL goes on until all has come.
static int64_t do_recv(struct task *t, struct file *f, struct sock_msg *m) {
    struct socket *s = socket_of(f);
    struct call *c = &t->call;
    bool errors = (m->flags & LINUX_MSG_ERRQUEUE) && s->family != LINUX_AF_UNIX;  // nobody waits for one
    m->nonblock = errors || is_nonblock(f, m->flags);
    bool all = (m->flags & LINUX_MSG_WAITALL) && !(m->flags & LINUX_MSG_PEEK) && s->type == LINUX_SOCK_STREAM;
    if (m->u->left == 0 && s->type == LINUX_SOCK_STREAM && c->done)
        return c->done;
    int64_t r;
    do {
        r = s->ops->recv(s, m);
        if (r > 0)
            c->done += r;
    } while (r > 0 && all && m->u->left > 0 && (!m->files || !m->files->n));
    if (r >= 0)
        return c->done;
    r = sock_wait(t, f, LINUX_POLLIN, m->nonblock, r);
    return c->done && !sock_waits(r) ? c->done : r;
}

int64_t sys_recvfrom(struct task *t, const struct sysargs *a) {
    struct sock_addr addr = {.len = 0};
    struct uio_user u;
    int err = one_buffer(&u, t, a);
    if (err < 0)
        return err;
    struct file *f cleanup_file = sock_get(t, arg_int(a, 0), &err);
    if (!f)
        return err;
    u.answer = mm_may_write(t->mm, arg_ptr(a, 1).v, arg_size(a, 2));
    struct sock_msg m = {.u = &u.u, .flags = arg_u32(a, 3), .addr = !arg_given(a, 4) ? NULL : &addr};
    int64_t r = do_recv(t, f, &m);
    uio_user_done(&u);
    if (r >= 0 && arg_given(a, 4) && (err = addr_out(t, &addr, arg_ptr(a, 4), arg_ptr(a, 5))) < 0)
        return err;
    return r;
}

static int put_control(struct control_out *o, struct socket *s, struct sock_msg *m) {
    if (m->has_pktinfo) {
        int err = put_cmsg(o, LINUX_SOL_NETLINK, LINUX_NETLINK_PKTINFO, &m->pktinfo, sizeof m->pktinfo);
        if (err < 0)
            return err;
    }
    if (socket_opt(s, LINUX_SO_PASSCRED) && m->has_cred) {
        const struct linux_ucred cred = ucred_shown(&m->cred);
        int err = put_cmsg(o, LINUX_SOL_SOCKET, LINUX_SCM_CREDENTIALS, &cred, sizeof cred);
        if (err < 0)
            return err;
    }
    int err = s->ops->tell ? s->ops->tell(s, m, &o->sink) : 0;
    if (err == 0 && m->files->n)
        err = put_files(o, m->files, m->flags & LINUX_MSG_CMSG_CLOEXEC);
    if (err == 0 && m->sender && socket_opt(s, LINUX_SO_PASSPIDFD))
        err = put_pidfd(o, m->sender);
    return err;
}

// What comes back besides the bytes. h: as read from the guest, at `at`.
static int put_header(struct task *t, struct socket *s, const struct linux_msghdr *h, uaddr_t at,
                      struct sock_msg *m) {
    struct control_out o = {.sink = {sink_put},
                            .t = t,
                            .at = uaddr(h->msg_control),
                            .left = h->msg_control ? h->msg_controllen : 0};
    int err = put_control(&o, s, m);
    if (err < 0)
        return err;
    uint32_t out_flags = m->out_flags | o.flags | (m->flags & LINUX_MSG_CMSG_CLOEXEC);
    if (copy_out_obj(t, uaddr_add(at, offsetof(struct linux_msghdr, msg_flags)), &out_flags) < 0 ||
        copy_out_obj(t, uaddr_add(at, offsetof(struct linux_msghdr, msg_controllen)), &o.used) < 0)
        return -LINUX_EFAULT;
    if (!h->msg_name)
        return 0;
    return addr_out(t, m->addr, uaddr(h->msg_name),
                    uaddr_add(at, offsetof(struct linux_msghdr, msg_namelen)));
}

static int64_t recv_header(struct task *t, struct file *f, const struct linux_msghdr *h, uaddr_t at,
                           unsigned flags) {
    struct sock_addr addr = {.len = 0};
    struct control control __attribute__((cleanup(control_done)));
    struct uio_user u;
    control.files.n = 0;
    if (h->msg_iovlen > LINUX_IOV_MAX)
        return -LINUX_EMSGSIZE;
    if (h->msg_name && h->msg_namelen < 0)
        return -LINUX_EINVAL;
    int err = uio_user_iov(&u, t, uaddr(h->msg_iov), h->msg_iovlen);
    if (err < 0)
        return err;
    uio_user_skip(&u, (uint64_t)t->call.done);
    struct sock_msg m = {.u = &u.u, .flags = flags, .addr = &addr, .files = &control.files};
    int64_t r = do_recv(t, f, &m);
    uio_user_done(&u);
    err = r < 0 ? 0 : put_header(t, socket_of(f), h, at, &m);
    if (m.sender)
        tgroup_put(m.sender);
    return err < 0 ? err : r;
}

int64_t sys_recvmsg(struct task *t, const struct sysargs *a) {
    struct linux_msghdr h;
    int err;
    if (arg_u32(a, 2) & LINUX_MSG_CMSG_COMPAT)
        return -LINUX_EINVAL;
    struct file *f cleanup_file = sock_get(t, arg_int(a, 0), &err);
    if (!f)
        return err;
    if (copy_in_obj(t, &h, arg_ptr(a, 1)) < 0)
        return -LINUX_EFAULT;
    return recv_header(t, f, &h, arg_ptr(a, 1), arg_u32(a, 2));
}

// ---- Many messages ----------------------------------------------------------------------------------------
// Sends or receives the message whose header was read at `at`: bytes, an error, or SYS_PARK.
typedef int64_t mmsg_fn(struct task *t, struct file *f, const struct linux_msghdr *h, uaddr_t at,
                        unsigned flags);

static int64_t send_one(struct task *t, struct file *f, const struct linux_msghdr *h, uaddr_t at,
                        unsigned flags) {
    return send_header(t, f, h, flags);
}

static int64_t recv_one(struct task *t, struct file *f, const struct linux_msghdr *h, uaddr_t at,
                        unsigned flags) {
    unsigned now = flags & ~LINUX_MSG_WAITFORONE;
    if (t->call.notes.mmsg.n && (flags & LINUX_MSG_WAITFORONE))
        now |= LINUX_MSG_DONTWAIT;
    return recv_header(t, f, h, at, now);
}

// The next message: 0, an error, or SYS_PARK.
static int64_t next_message(struct task *t, struct file *f, const struct sysargs *a, mmsg_fn *one) {
    struct linux_msghdr h;
    uaddr_t at = uaddr_add(arg_ptr(a, 1), t->call.notes.mmsg.n * sizeof(struct linux_mmsghdr));
    if (copy_in_obj(t, &h, at) < 0)
        return -LINUX_EFAULT;
    int64_t r = one(t, f, &h, at, arg_u32(a, 3));
    if (r < 0)
        return r;
    uint32_t len = (uint32_t)r;
    return copy_out_obj(t, uaddr_add(at, offsetof(struct linux_mmsghdr, msg_len)), &len);
}

// One after the other until one fails or the time is up. How many; an error only when there were none.
static int64_t each_message(struct task *t, struct file *f, const struct sysargs *a, mmsg_fn *one) {
    struct mmsg *m = &t->call.notes.mmsg;
    uint32_t n = arg_u32(a, 2) < MMSG_MAX ? arg_u32(a, 2) : MMSG_MAX;
    while (m->n < n) {
        int64_t r = next_message(t, f, a, one);
        if (sock_waits(r))
            return r;
        t->call.done = 0;
        if (r < 0)
            return m->n ? m->n : r;
        m->n++;
        if (m->deadline < TIME_MAX && mono_ns() >= m->deadline)
            break;
    }
    return m->n;
}

int64_t sys_sendmmsg(struct task *t, const struct sysargs *a) {
    int err;
    if (arg_u32(a, 3) & LINUX_MSG_CMSG_COMPAT)
        return -LINUX_EINVAL;
    struct file *f cleanup_file = sock_get(t, arg_int(a, 0), &err);
    if (!f)
        return err;
    if (!t->call.again)
        t->call.notes.mmsg = (struct mmsg){.deadline = TIME_MAX};
    return each_message(t, f, a, send_one);
}

static int recvmmsg_begin(struct task *t, uaddr_t timeout) {
    struct mmsg *m = &t->call.notes.mmsg;
    uint64_t ns;
    *m = (struct mmsg){.deadline = TIME_MAX};
    if (uaddr_is_null(timeout))
        return 0;
    int err = wait_time(t, timeout, &ns);
    if (err < 0)
        return err;
    m->deadline = time_after(ns);
    return 0;
}

int64_t sys_recvmmsg(struct task *t, const struct sysargs *a) {
    int err = 0;
    if (arg_u32(a, 3) & LINUX_MSG_CMSG_COMPAT)
        return -LINUX_EINVAL;
    if (!t->call.again && (err = recvmmsg_begin(t, arg_ptr(a, 4))) < 0)
        return err;
    struct file *f cleanup_file = sock_get(t, arg_int(a, 0), &err);
    if (!f)
        return err;
    return each_message(t, f, a, recv_one);
}
