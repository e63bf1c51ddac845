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

// With inode->lock and gfs->lock held. By the handle if q has one.
static int send(struct inode *i, struct gofer_setattr_req *q) {
    struct gfs *g = gfs_of(i);
    struct gofer_attr host;
    const char *name = NULL;
    int err = q->handle ? 0 : node_target(g, node_of(i), &q->handle, &name);
    if (err)
        return err;
    err = client_setattr(g->c, q, name, &host);
    if (err)
        return err;
    gfs_linked_changed(i);
    gfs_update(i, &host);
    return 0;
}
static int set_rest(struct inode *i, struct gofer_setattr_req *q) {
    LOCKED(&i->lock);
    LOCKED(&gfs_of(i)->lock);
    return send(i, q);
}

// How long it is that will be cut: an open file through its descriptor, whose mode may not let the gofer open
// it again; another through a handle, which stays the same file's. -LINUX_EAGAIN: the node is not f's any
// more.
static int size_before(struct inode *i, struct hostfile *f, uint64_t *h, uint64_t *was) {
    struct gfs *g = gfs_of(i);
    struct node *n = node_of(i);
    struct gofer_attr a;
    if (n->file != f)
        return -LINUX_EAGAIN;
    if (n->fd_write >= 0) {
        *was = node_size(n);
        return 0;
    }
    int err = node_handle(g, n, h);
    if (err)
        return err;
    err = client_getattr(g->c, *h, NULL, &a);
    if (err)
        return err;
    *was = a.size;
    if (hostfile_is(f, &a))
        return 0;
    err = node_becomes(g, i, &a);
    return err ? err : -LINUX_EAGAIN;
}
// A file that is made longer is charged before, one that is made shorter gives back afterwards.
static int set_size_of(struct inode *i, struct hostfile *f, struct gofer_setattr_req *q) {
    struct node *n = node_of(i);
    uint64_t was;
    LOCKED_NESTED(&f->lock);
    LOCKED(&i->lock);
    LOCKED(&gfs_of(i)->lock);
    int err = size_before(i, f, &q->handle, &was);
    if (err)
        return err;
    int64_t more = (int64_t)(q->size - was);
    if (more > 0 && !vfs_use_disk(f->vfs, more))
        return -LINUX_ENOSPC;
    // Before the rest: if that fails it has been cut all the same.
    struct gofer_setattr_req alone = {.handle = q->handle, .size = q->size, .valid = GOFER_SET_SIZE};
    bool by_fd = !q->handle;
    if (by_fd)
        err = ftruncate(n->fd_write, (off_t)q->size) < 0 ? -errno : 0;
    else
        err = send(i, &alone);
    if ((err < 0) == (more > 0))
        vfs_use_disk(f->vfs, more > 0 ? -more : more);
    if (err)
        return err;
    f->counted = q->size;
    q->valid &= ~GOFER_SET_SIZE;
    return by_fd || q->valid ? send(i, q) : 0;
}
#define TRIES 3  // the host may put another file there at any time
static int set_size(struct inode *i, struct gofer_setattr_req *q) {
    struct gfs *g = gfs_of(i);
    struct node *n = node_of(i);
    int err = -LINUX_EAGAIN;
    for (int k = 0; k < TRIES && err == -LINUX_EAGAIN; k++) {
        lock_take(&g->lock);
        struct hostfile *f = n->file ? hostfile_again(n->file) : NULL;
        lock_drop(&g->lock);
        if (!f)
            return -LINUX_EROFS;
        q->handle = 0;
        err = set_size_of(i, f, q);
        hostfile_put(f);
    }
    return err == -LINUX_EAGAIN ? -LINUX_ESTALE : err;
}

int gfs_setattr(struct inode *i, const struct vfs_attr *a, unsigned which) {
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
    return which & ATTR_SIZE ? set_size(i, &q) : set_rest(i, &q);
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
