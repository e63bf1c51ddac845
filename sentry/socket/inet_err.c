// SPDX-License-Identifier: Apache-2.0
// The error queue of inet sockets, ip(7) "IP_RECVERR", and who fills it besides the stack: a send with
// MSG_ZEROCOPY, which copies and says so at once.
// LIMIT: a TCP connection queues no ICMP errors, and no time stamps of SO_TIMESTAMPING; those of datagrams
// come without the packet's bytes, and are of the moment when it was handed to its link.
#include "abi/inet.h"
#include "abi/socket.h"
#include "base/clock.h"
#include "sentry/proc/task.h"
#include "sentry/run/run.h"
#include "sentry/socket/inet.h"
#include <string.h>

static bool is_icmp(const struct ns_error *e) {
    return e->origin == NS_ERROR_ICMP || e->origin == NS_ERROR_ICMP6;
}

int64_t inet_recv_error(struct inet_sock *i, struct sock_msg *m) {
    struct ns_mem_io io;
    char *buf = uio_bounce();
    if (!buf)
        return -LINUX_ENOBUFS;
    size_t room = m->u->left < UIO_BOUNCE ? m->u->left : UIO_BOUNCE;
    int64_t whole = ns_recv_error(i->ns, ns_io_to(&io, buf, room), &m->error);
    if (whole < 0)
        return whole;
    int64_t n = whole < (int64_t)room ? whole : (int64_t)room;
    m->has_error = true;
    m->out_flags |= LINUX_MSG_ERRQUEUE | (n < whole ? LINUX_MSG_TRUNC : 0);
    if (m->addr && m->error.origin != NS_ERROR_ZEROCOPY && m->error.origin != NS_ERROR_SENT)
        inet_addr_show(&i->s, &m->error.dst, m->addr);
    return n && uio_to(m->u, buf, (size_t)n) < n ? -LINUX_EFAULT : n;
}

int inet_tell_error(struct inet_sock *i, const struct ns_error *e, struct sock_cmsg_sink *o) {
    bool six = i->s.family == LINUX_AF_INET6;
    struct {
        struct linux_sock_extended_err ee;
        union {
            struct linux_sockaddr_in in;
            struct linux_sockaddr_in6 in6;
        };
    } c = {.ee = {(uint32_t)e->err, e->origin, e->type, e->code, 0, e->info, e->data}};
    if (is_icmp(e)) {
        struct sock_addr from;
        inet_addr_show(&i->s, &(struct ns_addr){.ip = e->offender}, &from);
        memcpy(&c.in, from.bytes, six ? sizeof c.in6 : sizeof c.in);
    }
    int err = e->origin == NS_ERROR_SENT ? inet_put_stamp(&i->s, e->when, o) : 0;
    if (err < 0)
        return err;
    size_t n = sizeof c.ee + (six ? sizeof c.in6 : sizeof c.in);
    return six ? o->put(o, LINUX_SOL_IPV6, LINUX_IPV6_RECVERR, &c, n)
               : o->put(o, LINUX_SOL_IP, LINUX_IP_RECVERR, &c, n);
}

// The call's first bytes went with MSG_ZEROCOPY: the next number of the socket is done.
void inet_zerocopy_done(struct inet_sock *i) {
    if (!socket_opt(&i->s, LINUX_SO_ZEROCOPY) || (task_current && task_current->call.done))
        return;
    uint32_t n = atomic_fetch_add(&i->zerocopies, 1);
    const struct ns_error e = {
        .origin = NS_ERROR_ZEROCOPY, .code = LINUX_SO_EE_CODE_ZEROCOPY_COPIED, .info = n, .data = n};
    ns_add_error(i->ns, &e);
}

void inet_stamp_sent(struct inet_sock *i) {
    static const struct {
        int flag, what;
    } kinds[] = {{LINUX_SOF_TIMESTAMPING_TX_SCHED, LINUX_SCM_TSTAMP_SCHED},
                 {LINUX_SOF_TIMESTAMPING_TX_SOFTWARE, LINUX_SCM_TSTAMP_SND}};
    int wanted = socket_opt(&i->s, LINUX_SO_TIMESTAMPING);
    if (!(wanted & (LINUX_SOF_TIMESTAMPING_TX_SCHED | LINUX_SOF_TIMESTAMPING_TX_SOFTWARE)))
        return;
    bool numbered = wanted & LINUX_SOF_TIMESTAMPING_OPT_ID;
    struct ns_error e = {.err = LINUX_ENOMSG, .origin = NS_ERROR_SENT, .when = real_ns()};
    e.data = numbered ? atomic_fetch_add(&i->sends, 1) : 0;
    for (unsigned k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        e.info = (uint32_t)kinds[k].what;
        if (wanted & kinds[k].flag)
            ns_add_error(i->ns, &e);
    }
}
