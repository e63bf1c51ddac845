// SPDX-License-Identifier: Apache-2.0
// Names of unix sockets: addresses in their stored form, the table of abstract names, and sockets bound to an
// inode of the file system. Called by unix.c and, for the target of a datagram, by unix_queue.c. Locks: see
// unix.c.
#include "fs/landlock.h"
#include "base/clock.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/socket/unix.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_AT offsetof(struct linux_sockaddr_un, sun_path)

struct unix_name *unix_name_get(struct unix_name *n) {
    if (n)
        ref_get(&n->refs);
    return n;
}
void unix_name_put(struct unix_name *n) {
    if (n && ref_put(&n->refs))
        free(n);
}

static struct unix_name *name_new(const struct linux_sockaddr_un *addr, unsigned len) {
    struct unix_name *n = znew(struct unix_name);
    if (!n)
        return NULL;
    ref_init(&n->refs, 1);
    n->len = len;
    memcpy(&n->addr, addr, len);
    return n;
}

// Checks an address and brings it into its stored form: a path with one NUL behind it, an abstract name as it
// is.
static int parse(const struct sock_addr *a, struct sock_addr *out) {
    if (a->len <= PATH_AT || a->len > sizeof a->un || a->family != LINUX_AF_UNIX)
        return -LINUX_EINVAL;
    *out = *a;
    if (a->un.sun_path[0]) {
        size_t n = strnlen(a->un.sun_path, a->len - PATH_AT);
        out->bytes[PATH_AT + n] = '\0';  // there is room: the buffer is longer than sun_path
        out->len = (unsigned)(PATH_AT + n + 1);
    }
    return 0;
}
static bool is_abstract(const struct sock_addr *a) { return !a->un.sun_path[0]; }

static struct list *bucket_of(struct unix_ns *ns, const void *name, unsigned len) {
    uint32_t h = 2166136261u;
    for (unsigned i = 0; i < len; i++)
        h = (h ^ ((const unsigned char *)name)[i]) * 16777619u;
    return &ns->names[h % UNIX_BUCKETS];
}
// unix_ns' lock is held; borrowed. LIMIT: one table of abstract names, of all types of sockets together.
static struct unix_sock *find_abstract(const struct net_ns *net, const void *addr, unsigned len) {
    struct unix_sock *u;
    list_for_each(u, bucket_of(net->un, addr, len), name_link)
        if (u->s.net == net && u->name->len == len && !memcmp(&u->name->addr, addr, len))
            return u;
    return NULL;
}

static int find_by_path(struct task *t, const char *path, struct unix_sock **out) {
    TASK_VFS_CTX(t, ctx);
    struct path p;
    int err = vfs_walk(&ctx, NULL, path, WALK_FOLLOW, &p);
    if (err < 0)
        return err;
    err = vfs_permission(p.dentry->inode, MAY_WRITE, &ctx.cred);
    if (err == 0) {
        LOCKED(&t->k->nets.un.lock);
        struct unix_sock *u = p.dentry->inode->sock;
        if (inode_type(p.dentry->inode) != LINUX_S_IFSOCK || !u)
            err = -LINUX_ECONNREFUSED;
        else
            *out = unix_get(u);
    }
    path_put(&p);
    return err;
}

int unix_find(struct task *t, const struct sock_addr *a, int type, struct unix_sock **out) {
    struct net_ns *net = task_net(t);
    struct sock_addr addr;
    int err = parse(a, &addr);
    if (err < 0)
        return err;
    if (is_abstract(&addr)) {
        LOCKED(&net->un->lock);
        struct unix_sock *u = find_abstract(net, addr.bytes, addr.len);
        if (!u)
            return -LINUX_ECONNREFUSED;
        *out = unix_get(u);
    } else {
        err = find_by_path(t, addr.un.sun_path, out);
        if (err < 0)
            return err;
    }
    err = (*out)->s.type == type ? 0 : -LINUX_EPROTOTYPE;
    if (err == 0 && is_abstract(&addr) &&
        landlock_is_scoped(t->cred->landlock, (*out)->landlock, LINUX_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET))
        err = -LINUX_EPERM;
    if (err < 0)
        unix_put(*out);
    return err;
}

// ---- bind -------------------------------------------------------------------------------------------------
// Gives u a name that nobody else has. The namespace's lock is held; `n` is taken over on success.
static int set_name(struct unix_sock *u, struct unix_name *n, const struct path *p) {
    if (u->name)
        return -LINUX_EINVAL;
    if (!p && find_abstract(u->s.net, &n->addr, n->len))
        return -LINUX_EADDRINUSE;
    lock_nested(&u->lock);
    u->name = n;
    lock_drop(&u->lock);
    if (p) {
        u->path = *p;
        p->dentry->inode->sock = u;
    } else {
        list_add_tail(bucket_of(unix_ns(u), &n->addr, n->len), &u->name_link);
    }
    return 0;
}

static int bind_name(struct unix_sock *u, const struct sock_addr *a, const struct path *p) {
    struct unix_name *n = name_new(&a->un, a->len);
    if (!n)
        return -LINUX_ENOMEM;
    int err;
    {
        LOCKED(&unix_ns(u)->lock);
        err = set_name(u, n, p);
    }
    if (err < 0)
        unix_name_put(n);
    return err;
}

static bool has_name(struct unix_sock *u) {
    LOCKED(&u->lock);
    return u->name != NULL;
}

// A free abstract name of five hexadecimal digits, unix(7), "Autobind feature".
static int autobind(struct unix_sock *u) {
    struct sock_addr a = {.len = PATH_AT + 6};
    uint32_t at = (uint32_t)random_u64();
    if (has_name(u))
        return 0;
    for (unsigned i = 0; i < 0x100000; i++, at++) {
        char digits[8];
        a.un.sun_family = LINUX_AF_UNIX;
        snprintf(digits, sizeof digits, "%05x", at & 0xfffff);
        memcpy(a.un.sun_path + 1, digits, 5);
        int err = bind_name(u, &a, NULL);
        if (err != -LINUX_EADDRINUSE)
            return err;
    }
    return -LINUX_ENOSPC;
}

static int bind_path(struct unix_sock *u, struct task *t, const struct sock_addr *a) {
    TASK_VFS_CTX(t, ctx);
    struct path p;
    int err = vfs_mknod(&ctx, NULL, a->un.sun_path, LINUX_S_IFSOCK | 0777, 0, &p);
    if (err < 0)
        return err == -LINUX_EEXIST ? -LINUX_EADDRINUSE : err;
    err = bind_name(u, a, &p);
    if (err < 0)
        path_put(&p);
    return err;
}

int unix_bind(struct socket *s, struct task *t, const struct sock_addr *a) {
    struct unix_sock *u = usock(s);
    struct sock_addr addr;
    if (a->len == PATH_AT && a->family == LINUX_AF_UNIX)
        return autobind(u);
    int err = parse(a, &addr);
    if (err < 0)
        return err;
    if (has_name(u))
        return -LINUX_EINVAL;
    return is_abstract(&addr) ? bind_name(u, &addr, NULL) : bind_path(u, t, &addr);
}
