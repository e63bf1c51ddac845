// SPDX-License-Identifier: Apache-2.0
// sock_diag(7) of unix sockets: lists by state, and one by its inode, as ss(8) asks for them.
// LIMIT: of the extras there are name, inode, peer, queue lengths, shutdown and connections that wait; memory
// and users are not told.
#include "abi/errno.h"
#include "abi/inet.h"
#include "sentry/net/rtnl_impl.h"
#include "sentry/socket/unix.h"
#include <stdlib.h>
#include <string.h>

static void each(const struct net_source *net, void (*show)(void *arg, const struct unix_info *i),
                 void *arg) {
    if (net->ops->unix_sockets)
        unix_each(net->ops->unix_sockets(net), show, arg);
}

static uint8_t state_of(const struct unix_info *i) {
    if (i->state == UNIX_LISTENING)
        return LINUX_TCP_LISTEN;
    return i->state == UNIX_CONNECTED ? LINUX_TCP_ESTABLISHED : LINUX_TCP_CLOSE;
}

static bool put(struct nl_buf *b, const struct unix_info *i, uint32_t show, uint16_t flags, uint32_t seq,
                uint32_t portid) {
    struct linux_unix_diag_msg m = {.udiag_family = LINUX_AF_UNIX,
                                    .udiag_type = (uint8_t)i->type,
                                    .udiag_state = state_of(i),
                                    .udiag_ino = i->ino,
                                    .udiag_cookie = {i->ino, 0}};
    const struct linux_unix_diag_rqlen queues = {(uint32_t)i->in, (uint32_t)i->out};
    const size_t path_at = offsetof(struct linux_sockaddr_un, sun_path);
    size_t at = nl_begin(b, LINUX_SOCK_DIAG_BY_FAMILY, flags, seq, portid, &m, sizeof m);
    if (show & LINUX_UDIAG_SHOW_NAME && i->name)
        nl_put(b, LINUX_UNIX_DIAG_NAME, i->name->addr.sun_path, i->name->len - path_at);
    if (show & LINUX_UDIAG_SHOW_VFS && i->inode) {
        const uint32_t vfs[2] = {(uint32_t)i->inode->attr.ino, (uint32_t)i->inode->sb->dev};
        nl_put(b, LINUX_UNIX_DIAG_VFS, vfs, sizeof vfs);
    }
    if (show & LINUX_UDIAG_SHOW_PEER && i->has_peer)
        nl_put_u32(b, LINUX_UNIX_DIAG_PEER, i->peer);
    if (show & LINUX_UDIAG_SHOW_RQLEN)
        nl_put(b, LINUX_UNIX_DIAG_RQLEN, &queues, sizeof queues);
    nl_put_u8(b, LINUX_UNIX_DIAG_SHUTDOWN, (uint8_t)(i->rd_shut | i->wr_shut << 1));
    return nl_end(b, at);
}

struct listing {
    struct rtnl_dump *d;
    struct nl_buf *b;
    uint32_t n;  // sockets seen
    bool full;
};

static void visit(void *arg, const struct unix_info *i) {
    struct listing *l = arg;
    const struct rtnl_dump *d = l->d;
    if (l->full || l->n++ < d->at)
        return;
    bool wanted = i->accepted && d->diag_states & 1u << state_of(i);
    if (wanted && !put(l->b, i, d->diag_show, LINUX_NLM_F_MULTI, d->seq, d->portid))
        l->full = true;
    else
        l->d->at = l->n;
}

bool unix_diag_dump(struct rtnl_dump *d, struct nl_buf *b) {
    struct listing l = {d, b, 0, false};
    each(d->net, visit, &l);
    return !l.full;
}

// ---- One of them ------------------------------------------------------------------------------------------
struct search {
    struct nl_buf b;
    const struct linux_unix_diag_req *r;
    uint32_t seq, portid;
    bool found;
};

static void look(void *arg, const struct unix_info *i) {
    struct search *s = arg;
    if (!s->found && i->ino == s->r->udiag_ino)
        s->found = put(&s->b, i, s->r->udiag_show, 0, s->seq, s->portid);
}

static int get_one(struct rtnl_out *o, const struct request *q, const struct linux_unix_diag_req *r) {
    _Alignas(4) uint8_t buf[RTNL_CHUNK];
    struct search s = {{.p = buf, .cap = sizeof buf}, r, q->h.nlmsg_seq, o->portid, false};
    if (r->udiag_ino == 0)
        return -LINUX_EINVAL;
    each(o->net, look, &s);
    if (!s.found)
        return -LINUX_ENOENT;
    bool any = r->udiag_cookie[0] == ~0u && r->udiag_cookie[1] == ~0u;
    if (!any && (r->udiag_cookie[0] != r->udiag_ino || r->udiag_cookie[1]))
        return -LINUX_ESTALE;
    o->reply(o, s.b.p, s.b.len, NULL, 0);
    return 0;
}

int unix_diag_serve(struct rtnl_out *o, const struct request *q) {
    struct linux_unix_diag_req r;
    if (q->n < sizeof r)
        return -LINUX_EINVAL;
    memcpy(&r, q->body, sizeof r);
    if (!(q->h.nlmsg_flags & LINUX_NLM_F_DUMP))
        return get_one(o, q, &r);
    if (o->dump->running)
        return -LINUX_EBUSY;
    *o->dump = (struct rtnl_dump){.net = o->net,
                                  .running = true,
                                  .kind = RTNL_DIAG,
                                  .family = LINUX_AF_UNIX,
                                  .diag_states = r.udiag_states,
                                  .diag_show = r.udiag_show,
                                  .seq = q->h.nlmsg_seq,
                                  .portid = o->portid};
    o->dump_begun(o);
    return 1;
}
