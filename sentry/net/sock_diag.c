// SPDX-License-Identifier: Apache-2.0
// sock_diag(7). Unix sockets are in unix_diag.c; of inet sockets: lists of the stack's sockets by family,
// protocol and state, as ss(8) asks for them. Goes by the machinery of rtnetlink.c for requests and parts of
// dumps.
// LIMIT: no look-up of a single socket, no filters by byte code, and of the extras none (memory, TCP_INFO,
// marks); other families are ENOENT, as on a Linux without their module.
#include "abi/errno.h"
#include "abi/inet.h"
#include "abi/socket.h"
#include "sentry/net/rtnl_impl.h"
#include "sentry/socket/inet.h"
#include <string.h>

struct listing {
    struct rtnl_dump *d;
    struct nl_buf *b;
    uint32_t n;  // sockets seen
    bool full;
};

static void show_end(enum ns_family family, const struct ns_addr *a, uint16_t *port, uint8_t to[16]) {
    *port = swap16(a->port);
    memset(to, 0, 16);
    memcpy(to, a->ip.b + (family == NS_INET ? 12 : 0), family == NS_INET ? 4 : 16);
}

static bool put_socket(struct nl_buf *b, const struct rtnl_dump *d, const struct ns_sock_info *s) {
    const struct inet_sock *i = s->user;
    struct linux_inet_diag_msg m = {
        .idiag_family = (uint8_t)s->family,
        .idiag_state = s->state,
        .idiag_timer = (uint8_t)s->timer,
        .idiag_retrans = (uint8_t)s->retries,
        .idiag_expires = (uint32_t)(s->due / 1000000),
        .idiag_rqueue = (uint32_t)s->in,
        .idiag_wqueue =
            (uint32_t)(s->state == LINUX_TCP_LISTEN ? s->out - 1 : s->out),  // as asked: inet_listen()
        .idiag_uid = s->owner,
        .idiag_inode = i ? (uint32_t)atomic_load(&i->s.ino) : 0,
    };
    show_end(s->family, &s->local, &m.id.idiag_sport, m.id.idiag_src);
    show_end(s->family, &s->remote, &m.id.idiag_dport, m.id.idiag_dst);
    m.id.idiag_cookie[0] = m.idiag_inode;
    size_t at = nl_begin(b, LINUX_SOCK_DIAG_BY_FAMILY, LINUX_NLM_F_MULTI, d->seq, d->portid, &m, sizeof m);
    if (s->family == NS_INET6 && (s->state == LINUX_TCP_LISTEN || s->state == LINUX_TCP_CLOSE))
        nl_put(b, LINUX_INET_DIAG_SKV6ONLY, &(uint8_t){s->v6only}, 1);
    return nl_end(b, at);
}

static bool wanted(const struct rtnl_dump *d, const struct ns_sock_info *s) {
    unsigned family = s->family == NS_INET ? LINUX_AF_INET : LINUX_AF_INET6;
    if (s->family == NS_PACKET || s->raw != (d->diag_protocol == LINUX_IPPROTO_RAW) || family != d->family)
        return false;
    if (!s->raw && (s->proto != d->diag_protocol || s->local.port == 0))
        return false;
    return d->diag_states & 1u << s->state;
}

// With the stack's lock held.
static void visit(void *arg, const struct ns_sock_info *s) {
    struct listing *l = arg;
    if (l->full || l->n++ < l->d->at)
        return;
    if (wanted(l->d, s) && !put_socket(l->b, l->d, s))
        l->full = true;
    else
        l->d->at = l->n;
}

bool diag_dump(struct rtnl_dump *d, struct nl_buf *b) {
    struct listing l = {d, b, 0, false};
    if (d->family == LINUX_AF_UNIX)
        return unix_diag_dump(d, b);
    if (d->net->ops->sockets)
        d->net->ops->sockets(d->net, visit, &l);
    return !l.full;
}

int diag_serve(struct rtnl_out *o, const struct request *q) {
    struct linux_inet_diag_req_v2 r;
    if (q->h.nlmsg_type != LINUX_SOCK_DIAG_BY_FAMILY)
        return -LINUX_EINVAL;
    if (q->n < 2)
        return -LINUX_EINVAL;
    if (q->body[0] == LINUX_AF_UNIX)
        return unix_diag_serve(o, q);
    if (q->body[0] != LINUX_AF_INET && q->body[0] != LINUX_AF_INET6)
        return -LINUX_ENOENT;
    if (q->n < sizeof r)
        return -LINUX_EINVAL;
    memcpy(&r, q->body, sizeof r);
    if (!(q->h.nlmsg_flags & LINUX_NLM_F_DUMP))
        return -LINUX_ENOENT;
    if (r.sdiag_protocol != LINUX_IPPROTO_TCP && r.sdiag_protocol != LINUX_IPPROTO_UDP &&
        r.sdiag_protocol != LINUX_IPPROTO_RAW)
        return -LINUX_ENOENT;
    if (o->dump->running)
        return -LINUX_EBUSY;
    *o->dump = (struct rtnl_dump){.net = o->net,
                                  .running = true,
                                  .kind = RTNL_DIAG,
                                  .family = r.sdiag_family,
                                  .diag_protocol = r.sdiag_protocol,
                                  .diag_states = r.idiag_states,
                                  .seq = q->h.nlmsg_seq,
                                  .portid = o->portid};
    o->dump_begun(o);
    return 1;
}
