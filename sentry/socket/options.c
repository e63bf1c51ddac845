// SPDX-License-Identifier: Apache-2.0
// Options of level SOL_SOCKET, socket(7), as a table: what is kept, what is only told, and what has an effect
// here (SO_SNDBUF, SO_RCVBUF, SO_PASSCRED, SO_RCVTIMEO, SO_SNDTIMEO).
// LIMIT: a pacing rate, SO_CNX_ADVICE and SO_BUSY_POLL are taken without an effect; SO_PEEK_OFF, SO_TXTIME
// and filters of a group of SO_REUSEPORT are ENOPROTOOPT, SO_RESERVE_MEM is EOPNOTSUPP, as without a memory
// cgroup; a filter is run for inet datagrams and raw sockets, and kept by a stream without an effect.
#include "abi/caps.h"
#include "abi/inet.h"
#include "abi/poll.h"
#include "abi/time.h"
#include "base/fault.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/socket/bpf.h"
#include "sentry/socket/socket.h"
#include "sentry/time/timeconv.h"
#include <string.h>

#define SNDBUF_MIN  4608
#define RCVBUF_MIN  2304
#define RCVLOWAT_MAX 3145728   // half of tcp_rmem's largest
#define HZ_NS       4000000u  // times are kept in ticks of 4 ms, as with HZ=250

enum opt_kind {
    OPT_NONE,
    OPT_BOOL,
    OPT_INT,
    OPT_NATURAL,
    OPT_BUF,
    OPT_BUF_FORCE,
    OPT_ADMIN_INT,
    OPT_HOST_ADMIN
};

static const unsigned char kinds[SOCK_OPT_COUNT] = {
    [LINUX_SO_DEBUG] = OPT_HOST_ADMIN,
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
    [LINUX_SO_PASSPIDFD] = OPT_BOOL,
    [LINUX_SO_PASSRIGHTS] = OPT_BOOL,
    [LINUX_SO_TIMESTAMPING] = OPT_INT,
    [LINUX_SO_RXQ_OVFL] = OPT_BOOL,
    [LINUX_SO_PEEK_OFF] = OPT_NONE,
    [LINUX_SO_LOCK_FILTER] = OPT_BOOL,
    [LINUX_SO_NOFCS] = OPT_BOOL,
    [LINUX_SO_MAX_PACING_RATE] = OPT_INT,
    [LINUX_SO_BUSY_POLL] = OPT_NATURAL,
    [LINUX_SO_WIFI_STATUS] = OPT_BOOL,
    [LINUX_SO_SELECT_ERR_QUEUE] = OPT_BOOL,
    [LINUX_SO_TIMESTAMP_NEW] = OPT_BOOL,
    [LINUX_SO_TIMESTAMPNS_NEW] = OPT_BOOL,
    [LINUX_SO_PREFER_BUSY_POLL] = OPT_HOST_ADMIN,
    [LINUX_SO_BUF_LOCK] = OPT_INT,
    [LINUX_SO_TXREHASH] = OPT_INT,
    [LINUX_SO_RCVMARK] = OPT_BOOL,
    [LINUX_SO_RCVPRIORITY] = OPT_BOOL,
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

// A switch that only CAP_NET_ADMIN of the first user namespace turns on.
static int set_switch(struct socket *s, struct task *t, int name, int v) {
    if (v && !task_capable(t, LINUX_CAP_NET_ADMIN))
        return name == LINUX_SO_DEBUG ? -LINUX_EACCES : -LINUX_EPERM;
    atomic_store(&s->opts[name], v != 0);
    return 0;
}

// SO_RCVLOWAT: at least a byte; a negative one means as much as can be. Of TCP that is what there is room
// for.
static int low_water(const struct socket *s, int v) {
    bool tcp = s->protocol == LINUX_IPPROTO_TCP;
    v = v < 0 ? INT32_MAX : v;
    if (tcp && v > RCVLOWAT_MAX)
        return RCVLOWAT_MAX;
    return v ? v : 1;
}

// Of the four kinds of time stamps the one that was asked for last is told.
static void set_stamps(struct socket *s, int name) {
    static const int stamps[] = {LINUX_SO_TIMESTAMP, LINUX_SO_TIMESTAMPNS, LINUX_SO_TIMESTAMP_NEW,
                                 LINUX_SO_TIMESTAMPNS_NEW};
    bool one = false;
    for (unsigned i = 0; i < 4; i++)
        one |= stamps[i] == name;
    for (unsigned i = 0; one && i < 4; i++)
        if (stamps[i] != name)
            atomic_store(&s->opts[stamps[i]], 0);
}

static int set_int(struct socket *s, struct task *t, int name, int v) {
    switch ((enum opt_kind)kinds[name]) {
    case OPT_BOOL:
        atomic_store(&s->opts[name], v != 0 && name != LINUX_SO_BSDCOMPAT);
        set_stamps(s, name);
        return 0;
    case OPT_NATURAL:
        if (v < 0)
            return -LINUX_EINVAL;
        atomic_store(&s->opts[name], v);
        return 0;
    case OPT_ADMIN_INT:
        if (!net_ns_capable(t, s->net, LINUX_CAP_NET_ADMIN))
            return -LINUX_EPERM;
        atomic_store(&s->opts[name], v);
        return 0;
    case OPT_HOST_ADMIN:
        return set_switch(s, t, name, v);
    case OPT_INT:
        if (name == LINUX_SO_PRIORITY && (v < 0 || v > 6) && !net_ns_capable(t, s->net, LINUX_CAP_NET_ADMIN))
            return -LINUX_EPERM;
        if (name == LINUX_SO_RCVLOWAT)
            v = low_water(s, v);
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
    if (socket_opt(s, LINUX_SO_LOCK_FILTER))
        return -LINUX_EPERM;
    if (prog.len == 0 || prog.len > LINUX_BPF_MAXINSNS || !prog.filter)
        return -LINUX_EINVAL;
    if (!s->ops->filter)
        return -LINUX_ENOPROTOOPT;
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

static int bind_to_index(struct socket *s, struct task *t, int32_t index) {
    if (index < 0)
        return -LINUX_EINVAL;
    if (socket_opt(s, LINUX_SO_BINDTODEVICE) && !net_ns_capable(t, s->net, LINUX_CAP_NET_RAW))
        return -LINUX_EPERM;
    atomic_store(&s->opts[LINUX_SO_BINDTODEVICE], index);
    return 0;
}

// A link by its name; "" for none.
static int bind_to_device(struct socket *s, struct task *t, const void *buf, uint32_t len) {
    char name[LINUX_IFNAMSIZ] = "";
    struct net_link l = {.index = 0};
    memcpy(name, buf, len < sizeof name ? len : sizeof name - 1);
    if (name[0] && !net_link_by_name(&s->net->inet.links.source, name, &l))
        return -LINUX_ENODEV;
    if (socket_opt(s, LINUX_SO_BINDTODEVICE) && !net_ns_capable(t, s->net, LINUX_CAP_NET_RAW))
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

static bool is_inet(const struct socket *s) {
    return s->family == LINUX_AF_INET || s->family == LINUX_AF_INET6;
}

// Which kinds of sockets have an option: 0, or the error that others say.
static int has_option(const struct socket *s, int name, bool set) {
    switch (name) {
    case LINUX_SO_PASSCRED:
    case LINUX_SO_PASSSEC:
        return s->family == LINUX_AF_UNIX || s->family == LINUX_AF_NETLINK ? 0 : -LINUX_EOPNOTSUPP;
    case LINUX_SO_PASSPIDFD:
    case LINUX_SO_PASSRIGHTS:
        return s->family == LINUX_AF_UNIX ? 0 : -LINUX_EOPNOTSUPP;
    case LINUX_SO_PEEK_OFF:
        return (is_inet(s) && s->type != LINUX_SOCK_RAW) || s->family == LINUX_AF_UNIX ? 0
                                                                                       : -LINUX_EOPNOTSUPP;
    case LINUX_SO_TXREHASH:
        return s->protocol == LINUX_IPPROTO_TCP && is_inet(s) ? 0 : -LINUX_EOPNOTSUPP;
    case LINUX_SO_ZEROCOPY:
        return !set || (is_inet(s) && s->type != LINUX_SOCK_RAW) ? 0 : -LINUX_EOPNOTSUPP;
    default:
        return 0;
    }
}

static bool is_stamping(int name) {
    return name == LINUX_SO_TIMESTAMPING || name == LINUX_SO_TIMESTAMPING_NEW;
}

// Numbers for what a stream sends begin with its connection (sock_set_timestamping() in net/core/sock.c).
static int check_stamping(struct socket *s, int v) {
    const int id = LINUX_SOF_TIMESTAMPING_OPT_ID;
    if (v & ~LINUX_SOF_TIMESTAMPING_MASK || (v & LINUX_SOF_TIMESTAMPING_OPT_ID_TCP && !(v & id)))
        return -LINUX_EINVAL;
    struct sock_addr peer;
    bool fresh = v & id && !(socket_opt(s, LINUX_SO_TIMESTAMPING) & id);
    bool tcp = is_inet(s) && s->type == LINUX_SOCK_STREAM;
    return fresh && tcp && s->ops->name(s, SOCK_NAME_PEER, &peer) < 0 ? -LINUX_EINVAL : 0;
}

// Programs of bpf(2), which there are none of.
static int attach_bpf(struct task *t, const void *buf, uint32_t len) {
    int32_t fd;
    if (len != sizeof fd)
        return -LINUX_EINVAL;
    memcpy(&fd, buf, sizeof fd);
    struct file *f cleanup_file = fd_get(t->files, fd);
    return f ? -LINUX_EINVAL : -LINUX_EBADF;
}

static int set_linger(struct socket *s, const void *buf, uint32_t len) {
    struct linux_linger l;
    if (len < sizeof l)
        return -LINUX_EINVAL;
    memcpy(&l, buf, sizeof l);
    l.l_onoff = l.l_onoff != 0;
    atomic_store(&s->linger, l);
    return 0;
}

// What an option may not be.
static int check_value(struct socket *s, int name, int v) {
    switch (name) {
    case LINUX_SO_TIMESTAMPING:
        return check_stamping(s, v);
    case LINUX_SO_REUSEPORT:
        return v && !is_inet(s) ? -LINUX_EOPNOTSUPP : 0;
    case LINUX_SO_RESERVE_MEM:
        return v < 0 ? -LINUX_EINVAL : -LINUX_EOPNOTSUPP;
    case LINUX_SO_DETACH_REUSEPORT_BPF:
        return -LINUX_EINVAL;  // in no group that has one
    case LINUX_SO_BUSY_POLL_BUDGET:
        return v < 0 || v > UINT16_MAX ? -LINUX_EINVAL : 0;
    case LINUX_SO_ZEROCOPY:
        return v < 0 || v > 1 ? -LINUX_EINVAL : 0;
    case LINUX_SO_BUF_LOCK:
        return v & ~3 ? -LINUX_EINVAL : 0;
    case LINUX_SO_TXREHASH:
        return v < -1 || v > 1 ? -LINUX_EINVAL : 0;
    default:
        return 0;
    }
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
    if (name == LINUX_SO_ATTACH_BPF || name == LINUX_SO_ATTACH_REUSEPORT_EBPF)
        return attach_bpf(t, buf, len);
    if (name == LINUX_SO_ATTACH_REUSEPORT_CBPF && len != sizeof(struct linux_sock_fprog))
        return -LINUX_EINVAL;
    if (name == LINUX_SO_DETACH_FILTER)
        return detach_filter(s);
    if (name == LINUX_SO_LOCK_FILTER)
        return lock_filter(s, v);
    if (name == LINUX_SO_LINGER)
        return set_linger(s, buf, len);
    name = is_stamping(name) ? LINUX_SO_TIMESTAMPING : name;
    int err = has_option(s, name, true);
    if (err == 0)
        err = check_value(s, name, v);
    if (err < 0)
        return err;
    if (name == LINUX_SO_TXREHASH)
        v = v < 0 ? 1 : v;
    if (name == LINUX_SO_BINDTOIFINDEX)
        return bind_to_index(s, t, v);
    if (name == LINUX_SO_BUSY_POLL_BUDGET)
        return v && !task_capable(t, LINUX_CAP_NET_ADMIN) ? -LINUX_EPERM : 0;
    if (name == LINUX_SO_CNX_ADVICE)
        return 0;
    return name > 0 && name < SOCK_OPT_COUNT ? set_int(s, t, name, v) : -LINUX_ENOPROTOOPT;
}

int socket_setopt(struct file *f, struct task *t, int name, const void *buf, uint32_t len) {
    struct socket *s = socket_of(f);
    int err = set_option(f, t, name, buf, len);
    if (err < 0 || !s->ops->sol_set)
        return err;
    return s->ops->sol_set(s, is_stamping(name) ? LINUX_SO_TIMESTAMPING : name);
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
    case LINUX_SO_BPF_EXTENSIONS:
        *v = 64;  // SKF_AD_MAX
        return 0;
    case LINUX_SO_INCOMING_NAPI_ID:
    case LINUX_SO_RESERVE_MEM:
        *v = 0;
        return 0;
    case LINUX_SO_BINDTOIFINDEX:
        *v = socket_opt(s, LINUX_SO_BINDTODEVICE);
        return 0;
    default: {
        int err = has_option(s, name, false);
        if (err < 0)
            return err;
        if (name <= 0 || name >= SOCK_OPT_COUNT || kinds[name] == OPT_NONE || kinds[name] == OPT_BUF_FORCE)
            return -LINUX_ENOPROTOOPT;
        if (!s->ops->sol_get || !s->ops->sol_get(s, name, v))
            *v = socket_opt(s, name);
        return 0;
    }
    }
}

static int get_peer_name(struct socket *s, void *buf, uint32_t *len) {
    struct sock_addr a;
    int err = s->ops->name(s, SOCK_NAME_PEER, &a);
    if (err < 0)
        return -LINUX_ENOTCONN;
    return a.len < *len ? -LINUX_EINVAL : give(buf, len, a.bytes, a.len);
}

// SK_MEMINFO_*: bytes that wait to be read and to be sent, the bounds of both, what was dropped.
static int get_meminfo(struct socket *s, void *buf, uint32_t *len) {
    uint32_t info[9] = {0};
    if (s->ops->queued) {
        info[0] = (uint32_t)s->ops->queued(s, false);
        info[2] = (uint32_t)s->ops->queued(s, true);
    }
    info[1] = (uint32_t)socket_opt(s, LINUX_SO_RCVBUF);
    info[3] = (uint32_t)socket_opt(s, LINUX_SO_SNDBUF);
    return give(buf, len, info, sizeof info);
}

// What is not an int. 1: it is.
static int get_other(struct file *f, struct socket *s, int name, void *buf, uint32_t *len) {
    uint64_t cookie;
    int64_t rate;  // as it was set, ~0: none
    switch (name) {
    case LINUX_SO_PEERNAME:
        return get_peer_name(s, buf, len);
    case LINUX_SO_MEMINFO:
        return get_meminfo(s, buf, len);
    case LINUX_SO_MAX_PACING_RATE:
        rate = socket_opt(s, name);
        return give(buf, len, &rate, *len < 8 ? 4 : 8);
    case LINUX_SO_COOKIE:
    case LINUX_SO_NETNS_COOKIE:
        cookie = name == LINUX_SO_COOKIE ? f->inode->attr.ino : 1;
        if (name == LINUX_SO_COOKIE ? *len < sizeof cookie : *len != sizeof cookie)
            return -LINUX_EINVAL;
        return give(buf, len, &cookie, sizeof cookie);
    case LINUX_SO_GET_FILTER:  // LIMIT: a program that is attached is not told
        *len = 0;
        return 0;
    case LINUX_SO_PEERGROUPS:
        return socket_peer_groups(s, buf, len);
    case LINUX_SO_PEERPIDFD:
        return socket_peer_pidfd(s, buf, len);
    case LINUX_SO_TIMESTAMPING:
    case LINUX_SO_TIMESTAMPING_NEW:
        return give(buf, len, (int32_t[2]){socket_opt(s, LINUX_SO_TIMESTAMPING), 0}, 8);
    default:
        return 1;
    }
}

static int get_linger(struct socket *s, void *buf, uint32_t *len) {
    const struct linux_linger l = atomic_load(&s->linger);
    return give(buf, len, &l, sizeof l);
}

int socket_getopt(struct file *f, int name, void *buf, uint32_t *len) {
    struct socket *s = socket_of(f);
    int v;
    if (is_timeout(name))
        return get_timeout(timeout_of(f, name), buf, len);
    if (name == LINUX_SO_LINGER)
        return get_linger(s, buf, len);
    if (name == LINUX_SO_BINDTODEVICE)
        return get_device(s, buf, len);
    if (name == LINUX_SO_PEERCRED) {
        struct linux_ucred cred;
        int err = s->ops->peer_cred(s, &cred);
        cred = ucred_shown(&cred);
        return err < 0 ? err : give(buf, len, &cred, sizeof cred);
    }
    int err = get_other(f, s, name, buf, len);
    if (err <= 0)
        return err;
    err = get_fact(s, name, &v);
    return err < 0 ? err : give(buf, len, &v, sizeof v);
}
