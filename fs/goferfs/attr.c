// SPDX-License-Identifier: Apache-2.0
// Attributes and user xattrs of goferfs. Below a stable mount attributes are never asked for again; below a
// live one when they are older than LIVE_NS, or after a write. Called by the VFS.
#include "base/clock.h"
#include "fs/goferfs/node.h"
#include <errno.h>
#include <string.h>

static int ask_again(struct inode *i) {
    struct gfs *g = gfs_of(i);
    uint64_t h;
    const char *name;
    struct gofer_attr host;
    LOCKED(&g->lock);
    int err = node_target(g, node_of(i), &h, &name);
    if (err)
        return err;
    err = client_getattr(g->c, h, name, &host);
    if (err)
        return err;
    gfs_update(i, &host);
    return 0;
}
int gfs_getattr(struct inode *i, struct vfs_attr *a) {
    const struct node *n = node_of(i);
    bool by_another = __atomic_load_n(&i->attr.nlink, __ATOMIC_RELAXED) > 1 &&
                      atomic_load(&n->linked) != atomic_load(&gfs_of(i)->linked_changes);
    bool old = by_another || mono_ns() - atomic_load(&n->checked) >= LIVE_NS;
    int err = old ? ask_again(i) : 0;
    // Without a name on the host any more, and without a handle: what was known last.
    gfs_known(i, a);
    return err == -LINUX_ESTALE || err == -LINUX_ENOENT ? 0 : err;
}

static uint32_t killed_mode(const struct inode *i, unsigned which) {
    uint32_t mode = __atomic_load_n(&i->attr.mode, __ATOMIC_RELAXED) & LINUX_S_IALLUGO;
    if ((which & ATTR_KILL_SGID) || ((which & ATTR_KILL_PRIV) && (mode & LINUX_S_IXGRP)))
        mode &= ~(uint32_t)LINUX_S_ISGID;
    return which & ATTR_KILL_PRIV ? mode & ~(uint32_t)LINUX_S_ISUID : mode;
}

static int set_attr(struct inode *i, const struct vfs_attr *a, unsigned which) {
    struct gfs *g = gfs_of(i);
    struct gofer_setattr_req q = {
        .mode = a->mode & LINUX_S_IALLUGO,
        .uid = a->uid,
        .gid = a->gid,
        .size = a->size,
        .atime = (uint64_t)a->atime,
        .mtime = (uint64_t)a->mtime,
    };
    q.valid = (which & ATTR_MODE ? GOFER_SET_MODE : 0) | (which & ATTR_UID ? GOFER_SET_UID : 0) |
              (which & ATTR_GID ? GOFER_SET_GID : 0) | (which & ATTR_SIZE ? GOFER_SET_SIZE : 0) |
              (which & ATTR_ATIME ? GOFER_SET_ATIME : 0) | (which & ATTR_MTIME ? GOFER_SET_MTIME : 0);
    if ((which & (ATTR_KILL_PRIV | ATTR_KILL_SGID)) && !(which & ATTR_MODE) &&
        killed_mode(i, which) != (i->attr.mode & LINUX_S_IALLUGO)) {
        q.valid |= GOFER_SET_MODE;
        q.mode = killed_mode(i, which);
    }
    if (!q.valid)
        return 0;
    struct gofer_attr host;
    const char *name;
    struct node *n = node_of(i);
    LOCKED(&i->lock);
    LOCKED(&g->lock);
    // An open file is cut through its descriptor: its mode may not let the gofer open it again.
    if ((q.valid & GOFER_SET_SIZE) && n->fd_write >= 0) {
        if (ftruncate(n->fd_write, (off_t)q.size) < 0)
            return -errno;
        q.valid &= ~GOFER_SET_SIZE;
    }
    int err = node_target(g, n, &q.handle, &name);
    if (err)
        return err;
    err = client_setattr(g->c, &q, name, &host);
    if (err)
        return err;
    gfs_linked_changed(i);
    gfs_update(i, &host);
    return 0;
}

// A file that is made longer is charged before, one that is made shorter gives back afterwards.
static int set_size(struct inode *i, const struct vfs_attr *a, unsigned which) {
    const struct vfs *v = i->sb->vfs;
    struct node *n = node_of(i);
    LOCKED_NESTED(&n->size_lock);
    int64_t more = (int64_t)(a->size - node_size(gfs_of(i), v, n));
    if (more > 0 && !vfs_use_disk(v, more))
        return -LINUX_ENOSPC;
    int err = set_attr(i, a, which);
    if ((err < 0) == (more > 0))
        vfs_use_disk(v, more > 0 ? -more : more);
    if (!err)
        n->counted = a->size;
    return err;
}
int gfs_setattr(struct inode *i, const struct vfs_attr *a, unsigned which) {
    return which & ATTR_SIZE ? set_size(i, a, which) : set_attr(i, a, which);
}

// ---- xattrs: only "user." ones exist; the others are answered here: ls(1) and cp(1) ask for them ---------
static bool is_user(const char *name) { return strncmp(name, "user.", 5) == 0 && name[5]; }

struct xattr_call {
    enum { XATTR_GET, XATTR_LIST, XATTR_SET, XATTR_REMOVE } op;
    const char *name;   // all but LIST
    void *buf;          // GET, LIST
    const void *value;  // SET
    size_t size;        // of buf or value
    unsigned flags;     // SET
};
static int64_t xattr_call(struct inode *i, const struct xattr_call *q) {
    struct gfs *g = gfs_of(i);
    uint64_t h;
    const char *at;
    if (q->op != XATTR_LIST && !is_user(q->name))
        return -LINUX_EOPNOTSUPP;
    LOCKED(&g->lock);
    int err = node_target(g, node_of(i), &h, &at);
    if (err)
        return err;
    switch (q->op) {
    case XATTR_GET:
        return client_getxattr(g->c, h, at, q->name, q->buf, q->size);
    case XATTR_LIST:
        return client_listxattr(g->c, h, at, q->buf, q->size);
    case XATTR_SET:
        return client_setxattr(g->c, h, at, q->name, q->value, q->size, q->flags);
    case XATTR_REMOVE:
        return client_removexattr(g->c, h, at, q->name);
    }
    return -LINUX_EINVAL;
}
int64_t gfs_getxattr(struct inode *i, const char *name, void *buf, size_t size) {
    return xattr_call(i, &(struct xattr_call){XATTR_GET, .name = name, .buf = buf, .size = size});
}
int64_t gfs_listxattr(struct inode *i, char *buf, size_t size, bool trusted) {
    return xattr_call(i, &(struct xattr_call){XATTR_LIST, .buf = buf, .size = size});
}
// XATTR_CREATE and XATTR_REPLACE are 1 and 2 on both sides.
int gfs_setxattr(struct inode *i, const char *name, const void *value, size_t size, int flags) {
    struct xattr_call q = {XATTR_SET, .name = name, .value = value, .size = size, .flags = (unsigned)flags};
    return (int)xattr_call(i, &q);
}
int gfs_removexattr(struct inode *i, const char *name) {
    return (int)xattr_call(i, &(struct xattr_call){XATTR_REMOVE, .name = name});
}
