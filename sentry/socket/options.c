// SPDX-License-Identifier: Apache-2.0
// Options of level SOL_SOCKET, socket(7), as a table: what is kept, what is only told, and what has an effect
// here (SO_SNDBUF, SO_RCVBUF, SO_PASSCRED, SO_RCVTIMEO, SO_SNDTIMEO).
// LIMIT: SO_TIMESTAMPING and pacing are refused or kept without an effect; a filter is run for inet
// datagrams and raw sockets, and kept by a stream without an effect.
#include "abi/caps.h"
#include "abi/inet.h"
#include "abi/poll.h"
#include "abi/time.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/socket/bpf.h"
#include "sentry/socket/socket.h"
#include "sentry/time/timeconv.h"
#include <string.h>

#define SNDBUF_MIN  4608
#define RCVBUF_MIN  2304
#define HZ_NS       4000000u  // times are kept in ticks of 4 ms, as with HZ=250

enum opt_kind { OPT_NONE, OPT_BOOL, OPT_INT, OPT_BUF, OPT_BUF_FORCE, OPT_ADMIN_INT };

static const unsigned char kinds[SOCK_OPT_COUNT] = {
    [LINUX_SO_DEBUG] = OPT_ADMIN_INT,
    [LINUX_SO_REUSEADDR] = OPT_BOOL,
    [LINUX_SO_DONTROUTE] = OPT_BOOL,
    [LINUX_SO_BROADCAST] = OPT_BOOL,
    [LINUX_SO_KEEPALIVE] = OPT_BOOL,
    [LINUX_SO_OOBINLINE] = OPT_BOOL,
    [LINUX_SO_NO_CHECK] = OPT_BOOL,
    [LINUX_SO_PRIORITY] = OPT_INT,
    [LINUX_SO_BSDCOMPAT] = OPT_BOOL,
    [LINUX_SO_REUSEPORT] = OPT_BOOL,
    [LINUX_SO_PASSCRED] = OPT_BOOL,
    [LINUX_SO_RCVLOWAT] = OPT_INT,
    [LINUX_SO_TIMESTAMP] = OPT_BOOL,
    [LINUX_SO_TIMESTAMPNS] = OPT_BOOL,
    [LINUX_SO_PASSSEC] = OPT_BOOL,
    [LINUX_SO_MARK] = OPT_ADMIN_INT,
    [LINUX_SO_TIMESTAMPING] = OPT_INT,
    [LINUX_SO_RXQ_OVFL] = OPT_BOOL,
    [LINUX_SO_PEEK_OFF] = OPT_NONE,
    [LINUX_SO_LOCK_FILTER] = OPT_BOOL,
    [LINUX_SO_NOFCS] = OPT_BOOL,
    [LINUX_SO_BUSY_POLL] = OPT_INT,
    [LINUX_SO_MAX_PACING_RATE] = OPT_INT,
    [LINUX_SO_INCOMING_CPU] = OPT_INT,
    [LINUX_SO_ZEROCOPY] = OPT_BOOL,
    [LINUX_SO_SNDBUF] = OPT_BUF,
    [LINUX_SO_RCVBUF] = OPT_BUF,
    [LINUX_SO_SNDBUFFORCE] = OPT_BUF_FORCE,
    [LINUX_SO_RCVBUFFORCE] = OPT_BUF_FORCE,
};

static bool is_timeout(int name) {
    return name == LINUX_SO_RCVTIMEO || name == LINUX_SO_SNDTIMEO || name == LINUX_SO_RCVTIMEO_NEW ||
           name == LINUX_SO_SNDTIMEO_NEW;
}
static _Atomic uint64_t *timeout_of(struct file *f, int name) {
    return name == LINUX_SO_RCVTIMEO || name == LINUX_SO_RCVTIMEO_NEW ? &f->read_timeout : &f->write_timeout;
}

static int set_timeout(_Atomic uint64_t *to, const void *buf, uint32_t len) {
    struct linux_timeval tv;
    uint64_t ns = 0;
    if (len < sizeof tv)
        return -LINUX_EINVAL;
    memcpy(&tv, buf, sizeof tv);
    if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
        return -LINUX_EDOM;
    if (tv.tv_sec < 0)
        ns = 1;  // times out at once, as Linux decides
    else
        time_from_val(&tv, &ns);
    if (ns > 1)
        ns = ns > TIME_MAX - HZ_NS ? 0 : (ns + HZ_NS - 1) / HZ_NS * HZ_NS;
    atomic_store(to, ns);
    return 0;
}

// Twice what is asked for: Linux counts its own overhead in.
static void set_buffer(struct socket *s, int name, int v, bool force) {
    bool send = name == LINUX_SO_SNDBUF || name == LINUX_SO_SNDBUFFORCE;
    int min = send ? SNDBUF_MIN : RCVBUF_MIN;
    int most = atomic_load(send ? &s->net->inet.wmem_max : &s->net->inet.rmem_max);
    if (v < 0 || (v > most && !force))
        v = v < 0 && force ? 0 : most;
    if (v > 64 << 20)
        v = 64 << 20;
    v = v * 2 < min ? min : v * 2;
    atomic_store(&s->opts[send ? LINUX_SO_SNDBUF : LINUX_SO_RCVBUF], v);
}

// Without CAP_NET_ADMIN: turning SO_DEBUG off does nothing, all else may not be.
static int refuse_admin(int name, int v) {
    if (name != LINUX_SO_DEBUG)
        return -LINUX_EPERM;
    return v ? -LINUX_EACCES : 0;
}

// SO_RCVLOWAT: at least a byte; a negative one means as much as there is room for.
static int low_water(int v) {
    if (v < 0)
        return INT32_MAX;
    return v ? v : 1;
}

static int set_int(struct socket *s, struct task *t, int name, int v) {
    switch ((enum opt_kind)kinds[name]) {
    case OPT_BOOL:
        atomic_store(&s->opts[name], v != 0);
        return 0;
    case OPT_ADMIN_INT:
        if (!task_capable(t, LINUX_CAP_NET_ADMIN))
            return refuse_admin(name, v);
        atomic_store(&s->opts[name], v);
        return 0;
    case OPT_INT:
        if (name == LINUX_SO_PRIORITY && (v < 0 || v > 6) && !task_capable(t, LINUX_CAP_NET_ADMIN))
            return -LINUX_EPERM;
        if (name == LINUX_SO_RCVLOWAT)
            v = low_water(v);
        atomic_store(&s->opts[name], v);
        return 0;
    case OPT_BUF_FORCE:
        if (!task_capable(t, LINUX_CAP_NET_ADMIN))
            return -LINUX_EPERM;
        set_buffer(s, name, v, true);
        return 0;
    case OPT_BUF:
        set_buffer(s, name, v, false);
        return 0;
    default:
        return -LINUX_ENOPROTOOPT;
    }
}

// struct sock_fprog, and the instructions that it points to.
static int attach_filter(struct socket *s, struct task *t, const void *buf, uint32_t len) {
    struct linux_sock_fprog prog;
    struct bpf_program *p = NULL;
    if (len != sizeof prog)
        return -LINUX_EINVAL;
    memcpy(&prog, buf, sizeof prog);
    if (!s->ops->filter)
        return -LINUX_ENOPROTOOPT;
    if (socket_opt(s, LINUX_SO_LOCK_FILTER))
        return -LINUX_EPERM;
    if (prog.len == 0 || prog.len > LINUX_BPF_MAXINSNS || !prog.filter)
        return -LINUX_EINVAL;
    struct linux_sock_filter *insn = xcalloc(prog.len, sizeof *insn);
    int err = insn ? copy_in(t, insn, uaddr(prog.filter), prog.len * sizeof *insn) : -LINUX_ENOMEM;
    if (err == 0)
        err = bpf_program_new(insn, prog.len, &p);
    free(insn);
    if (err < 0)
        return err;
    err = s->ops->filter(s, p);
    if (err < 0)
        free(p);
    return err;
}

static int detach_filter(struct socket *s) {
    if (socket_opt(s, LINUX_SO_LOCK_FILTER))
        return -LINUX_EPERM;
    return s->ops->filter ? s->ops->filter(s, NULL) : -LINUX_ENOENT;
}

// Once locked it stays so, socket(7).
static int lock_filter(struct socket *s, int v) {
    if (!v && socket_opt(s, LINUX_SO_LOCK_FILTER))
        return -LINUX_EPERM;
    atomic_store(&s->opts[LINUX_SO_LOCK_FILTER], v != 0);
    return 0;
}

// SO_BINDTODEVICE: a link by its name; "" for none.
// LIMIT: it is kept and has no effect: there is one link.
static int bind_to_device(struct socket *s, struct task *t, const void *buf, uint32_t len) {
    char name[LINUX_IFNAMSIZ] = "";
    struct net_link l = {.index = 0};
    memcpy(name, buf, len < sizeof name ? len : sizeof name - 1);
    if (name[0] && !net_link_by_name(&s->net->inet.links.source, name, &l))
        return -LINUX_ENODEV;
    if (socket_opt(s, LINUX_SO_BINDTODEVICE) && !task_capable(t, LINUX_CAP_NET_RAW))
        return -LINUX_EPERM;
    atomic_store(&s->opts[LINUX_SO_BINDTODEVICE], l.index);
    return 0;
}

static int get_device(struct socket *s, void *buf, uint32_t *len) {
    struct net_link l;
    if (!net_link_by_index(&s->net->inet.links.source, socket_opt(s, LINUX_SO_BINDTODEVICE), &l)) {
        *len = 0;
        return 0;
    }
    if (*len < LINUX_IFNAMSIZ)
        return -LINUX_EINVAL;
    *len = (uint32_t)strlen(l.name) + 1;
    memcpy(buf, l.name, *len);
    return 0;
}

static int set_option(struct file *f, struct task *t, int name, const void *buf, uint32_t len) {
    struct socket *s = socket_of(f);
    int v;
    if (is_timeout(name))
        return set_timeout(timeout_of(f, name), buf, len);
    if (name == LINUX_SO_ATTACH_FILTER)
        return attach_filter(s, t, buf, len);
    if (name == LINUX_SO_BINDTODEVICE)
        return bind_to_device(s, t, buf, len);
    if (len < sizeof v)
        return -LINUX_EINVAL;
    memcpy(&v, buf, sizeof v);
    if (name == LINUX_SO_DETACH_FILTER)
        return detach_filter(s);
    if (name == LINUX_SO_LOCK_FILTER)
        return lock_filter(s, v);
    if (name == LINUX_SO_LINGER) {
        if (len < sizeof s->linger)
            return -LINUX_EINVAL;
        memcpy(&s->linger, buf, sizeof s->linger);
        return 0;
    }
    if (name == LINUX_SO_PASSCRED && s->family != LINUX_AF_UNIX && s->family != LINUX_AF_NETLINK)
        return -LINUX_EOPNOTSUPP;
    if (name == LINUX_SO_REUSEPORT && s->family == LINUX_AF_UNIX && v)
        return -LINUX_EOPNOTSUPP;
    if (name == LINUX_SO_ZEROCOPY && s->protocol != LINUX_IPPROTO_TCP && s->protocol != LINUX_IPPROTO_UDP)
        return -LINUX_EOPNOTSUPP;
    if (name == LINUX_SO_ZEROCOPY && (v < 0 || v > 1))
        return -LINUX_EINVAL;
    return name > 0 && name < SOCK_OPT_COUNT ? set_int(s, t, name, v) : -LINUX_ENOPROTOOPT;
}

int socket_setopt(struct file *f, struct task *t, int name, const void *buf, uint32_t len) {
    struct socket *s = socket_of(f);
    int err = set_option(f, t, name, buf, len);
    return err == 0 && s->ops->sol_set ? s->ops->sol_set(s, name) : err;
}

// A value that is cut to what the caller has room for.
static int give(void *buf, uint32_t *len, const void *v, uint32_t size) {
    if (*len > size)
        *len = size;
    memcpy(buf, v, *len);
    return 0;
}

static int get_timeout(_Atomic uint64_t *from, void *buf, uint32_t *len) {
    uint64_t ns = atomic_load(from);
    struct linux_timeval tv = time_to_val(ns == 1 ? 0 : ns);
    return give(buf, len, &tv, sizeof tv);
}

// What is told but cannot be set.
static int get_fact(struct socket *s, int name, int *v) {
    switch (name) {
    case LINUX_SO_TYPE:
        *v = s->type;
        return 0;
    case LINUX_SO_PROTOCOL:
        *v = s->protocol;
        return 0;
    case LINUX_SO_DOMAIN:
        *v = s->family;
        return 0;
    case LINUX_SO_ERROR:
        *v = s->ops->get_error(s);
        return 0;
    case LINUX_SO_ACCEPTCONN:
        *v = s->ops->listening(s);
        return 0;
    case LINUX_SO_SNDLOWAT:
        *v = 1;
        return 0;
    default:
        if (name <= 0 || name >= SOCK_OPT_COUNT || kinds[name] == OPT_NONE || kinds[name] == OPT_BUF_FORCE)
            return -LINUX_ENOPROTOOPT;
        if (!s->ops->sol_get || !s->ops->sol_get(s, name, v))
            *v = socket_opt(s, name);
        return 0;
    }
}

int socket_getopt(struct file *f, int name, void *buf, uint32_t *len) {
    struct socket *s = socket_of(f);
    int v;
    if (is_timeout(name))
        return get_timeout(timeout_of(f, name), buf, len);
    if (name == LINUX_SO_LINGER)
        return give(buf, len, &s->linger, sizeof s->linger);
    if (name == LINUX_SO_BINDTODEVICE)
        return get_device(s, buf, len);
    if (name == LINUX_SO_PEERCRED) {
        struct linux_ucred cred;
        int err = s->ops->peer_cred(s, &cred);
        return err < 0 ? err : give(buf, len, &cred, sizeof cred);
    }
    if (name == LINUX_SO_COOKIE) {
        uint64_t cookie = f->inode->attr.ino;
        return *len < sizeof cookie ? -LINUX_EINVAL : give(buf, len, &cookie, sizeof cookie);
    }
    int err = get_fact(s, name, &v);
    return err < 0 ? err : give(buf, len, &v, sizeof v);
}
