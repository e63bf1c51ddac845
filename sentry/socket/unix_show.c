// SPDX-License-Identifier: Apache-2.0
// All unix sockets of a namespace, one by one, for /proc/net/unix and unix_diag.
#include "sentry/socket/unix.h"

// The namespace's lock is held.
static void describe(struct unix_sock *u, struct unix_info *i) {
    LOCKED_NESTED(&u->lock);
    *i = (struct unix_info){.ino = (uint32_t)atomic_load(&u->s.ino),
                            .type = u->s.type,
                            .state = u->state,
                            .refs = ref_read(&u->refs),
                            .rd_shut = u->rd_shut,
                            .wr_shut = u->wr_shut,
                            .accepted = !list_linked(&u->pending_link),
                            .peer = u->peer ? (uint32_t)atomic_load(&u->peer->s.ino) : 0,
                            .has_peer = u->peer != NULL,
                            .in = u->bytes,
                            .out = atomic_load(&u->unread),
                            .name = u->name,
                            .inode = u->path.dentry ? u->path.dentry->inode : NULL,
                            .sock = u};
    if (u->state == UNIX_LISTENING) {
        i->in = u->npending;
        i->out = u->backlog;
    }
}

void unix_each(const struct net_ns *net, void (*visit)(void *arg, const struct unix_info *i), void *arg) {
    struct unix_sock *u;
    struct unix_info i;
    LOCKED_NESTED(&net->un->lock);
    list_for_each(u, &net->un->sockets, all) {
        if (u->s.net != net)
            continue;
        describe(u, &i);
        visit(arg, &i);
    }
}
