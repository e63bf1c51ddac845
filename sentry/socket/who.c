// SPDX-License-Identifier: Apache-2.0
// Who stands behind a socket or a message, unix(7): SO_PEERGROUPS, SO_PEERPIDFD and SCM_PIDFD. The process
// and the credentials themselves are held, not their numbers, which may have become others'.
// Locks: none. References are given back without one held.
#include "abi/errno.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/pidfd.h"
#include "sentry/proc/user_ns.h"
#include "sentry/run/run.h"
#include "sentry/socket/socket.h"
#include <string.h>

struct sock_who sock_who_of(struct task *t) {
    return (struct sock_who){task_ucred(t), tgroup_get(t->tg), cred_get(t->cred)};
}

struct sock_who sock_who_get(const struct sock_who *w) {
    return (struct sock_who){w->cred, w->g ? tgroup_get(w->g) : NULL, w->c ? cred_get(w->c) : NULL};
}

void sock_who_put(struct sock_who *w) {
    if (w->g)
        tgroup_put(w->g);
    if (w->c)
        cred_put(w->c);
    *w = SOCK_NOBODY;
}

static int peer_of(struct socket *s, struct sock_who *w) {
    *w = SOCK_NOBODY;
    if (!s->ops->peer_who)
        return -LINUX_ENODATA;
    s->ops->peer_who(s, w);
    return w->g ? 0 : -LINUX_ENODATA;
}

// LIMIT: of more than 64 groups SO_PEERGROUPS says ERANGE, whatever room there is.
int socket_peer_groups(struct socket *s, void *buf, uint32_t *len) {
    struct sock_who w;
    int err = peer_of(s, &w);
    if (err < 0)
        return err;
    uint32_t size = w.c->ngroups * (uint32_t)sizeof w.c->groups[0];
    if (*len < size)
        err = -LINUX_ERANGE;
    for (uint32_t i = 0; err == 0 && i < w.c->ngroups; i++) {
        uint32_t gid = task_gid_out(task_current, w.c->groups[i]);
        memcpy((char *)buf + i * sizeof gid, &gid, sizeof gid);
    }
    *len = size;
    sock_who_put(&w);
    return err;
}

int socket_peer_pidfd(struct socket *s, void *buf, uint32_t *len) {
    struct sock_who w;
    int err = peer_of(s, &w);
    if (err < 0)
        return err;
    int32_t fd = pidfd_install(task_current, w.g);
    sock_who_put(&w);
    if (fd < 0)
        return fd;
    *len = *len < sizeof fd ? *len : (uint32_t)sizeof fd;
    memcpy(buf, &fd, *len);
    return 0;
}
