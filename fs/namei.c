// SPDX-License-Identifier: Apache-2.0
// Calls that change names: mkdir, mknod, symlink, link, unlink, rmdir, rename; and readlink. Each finds the
// directory, locks it, looks the last name up, checks in Linux' order, and asks the file system. Locks:
// directories (see core.h).
// LIMIT: no protected_symlinks, protected_hardlinks, protected_fifos (their sysctls read 0).
#include "abi/caps.h"
#include "fs/core.h"
#include "fs/notify.h"
#include <string.h>

// ---- Checks -----------------------------------------------------------------------------------------------
int may_create(struct inode *dir, const struct vfs_cred *c) {
    if (dir->dead)
        return -LINUX_ENOENT;
    return vfs_permission(dir, MAY_WRITE | MAY_EXEC, c);
}
static int may_delete(struct inode *dir, struct dentry *victim, bool want_dir, const struct vfs_cred *c) {
    struct inode *i = victim->inode;
    int err = vfs_permission(dir, MAY_WRITE | MAY_EXEC, c);
    if (err)
        return err;
    uint32_t owner = __atomic_load_n(&i->attr.uid, __ATOMIC_RELAXED);
    if ((dir->attr.mode & LINUX_S_ISVTX) && owner != c->fsuid && dir->attr.uid != c->fsuid &&
        !cred_has(c, LINUX_CAP_FOWNER))
        return -LINUX_EPERM;
    bool is_dir = inode_is_dir(i);
    if (want_dir && !is_dir)
        return -LINUX_ENOTDIR;
    if (want_dir && victim->parent == victim)
        return -LINUX_EBUSY;
    return !want_dir && is_dir ? -LINUX_EISDIR : 0;
}
static bool is_mountpoint(const struct dentry *d) { return atomic_load(&d->mounts) > 0; }
static int no_op(const struct inode *dir) { return dir->sb->read_only ? -LINUX_EROFS : -LINUX_EPERM; }

// A superblock with no_dcache (procfs) is asked without its directories' locks, and has no names to make or
// remove: the answer to every change of them. `there`: what is said when the name exists.
static int no_changes(const struct walk *w, int there) {
    struct dentry *d;
    int err = dcache_lookup(w->cur.dentry, w->last, w->last_len, NULL, &d);
    if (err)
        return err;
    err = d->inode ? there : -LINUX_ENOENT;
    dentry_put(d);
    return err;
}

// ---- A new name -------------------------------------------------------------------------------------------
// Stopped before the last component, with its directory locked and the (negative) name looked up.
struct place {
    struct walk w;
    struct inode *dir;
    struct dentry *d;  // owned
    struct inode *victim;  // owned, or NULL: what lost this name, to end after the lock is dropped
};
// Locks the directory that the walk has come to; p->dir is set when it is locked. `there`: as no_changes()
// has it.
static int place_lock(struct place *p, int there) {
    struct inode *dir = p->w.cur.dentry->inode;
    if (!inode_is_dir(dir))
        return -LINUX_ENOTDIR;
    if (dir->sb->no_dcache)
        return no_changes(&p->w, there);
    p->dir = dir;
    lock_take(&dir->lock);
    return 0;
}
static int place_new(struct place *p, const struct vfs_ctx *ctx, const struct path *base, const char *name,
                     bool is_dir) {
    p->d = NULL;
    p->dir = NULL;
    p->victim = NULL;
    int err = walk_begin(&p->w, ctx, base, name, 0);
    if (!err)
        err = walk_run(&p->w, true);
    if (err)
        return err;
    if (p->w.last_type != LAST_NORM)
        return -LINUX_EEXIST;
    err = place_lock(p, -LINUX_EEXIST);
    if (!err)
        err = dcache_lookup_locked(p->w.cur.dentry, p->w.last, p->w.last_len, NULL, &p->d);
    if (err)
        return err;
    if (p->d->inode)
        return -LINUX_EEXIST;
    if (p->w.must_dir && !is_dir)
        return -LINUX_ENOENT;
    if (path_read_only(&p->w.cur))
        return -LINUX_EROFS;
    return may_create(p->dir, &ctx->cred);
}
static void place_end(struct place *p) {
    if (p->dir)
        lock_drop(&p->dir->lock);
    dentry_put(p->d);
    if (p->victim)
        inode_put(p->victim);
    walk_end(&p->w);
}
// The name is gone. In Linux' order: what the object is told (with its last name it ends), then the
// directory.
static void place_removed(struct place *p, bool is_rmdir) {
    dcache_unhash(p->d);
    if (!notify_on())
        return;
    p->victim = inode_get(p->d->inode);
    notify_unlinked(p->victim, is_rmdir);
    dentry_put(p->d);
    p->d = NULL;
    notify_name(p->dir, LINUX_IN_DELETE | (is_rmdir ? LINUX_IN_ISDIR : 0),
                &(struct notify_name){.p = p->w.last, .len = p->w.last_len});
}

int vfs_mkdir(const struct vfs_ctx *ctx, const struct path *base, const char *name, uint32_t mode) {
    struct place p;
    int err = place_new(&p, ctx, base, name, true);
    if (!err && !p.dir->ops->mkdir)
        err = no_op(p.dir);
    if (!err)
        err = p.dir->ops->mkdir(p.dir, p.d, LINUX_S_IFDIR | (mode & 01777 & ~ctx->umask), ctx);
    if (!err)
        notify_created(p.dir, p.d);
    place_end(&p);
    return err;
}
static int check_node_type(const struct vfs_ctx *ctx, uint32_t mode) {
    switch (mode & LINUX_S_IFMT) {
    case LINUX_S_IFREG:
    case LINUX_S_IFIFO:
    case LINUX_S_IFSOCK:
        return 0;
    case LINUX_S_IFCHR:
    case LINUX_S_IFBLK:
        return cred_has(&ctx->cred, LINUX_CAP_MKNOD) ? 0 : -LINUX_EPERM;
    case LINUX_S_IFDIR:
        return -LINUX_EPERM;
    default:
        return -LINUX_EINVAL;
    }
}
int vfs_mknod(const struct vfs_ctx *ctx, const struct path *base, const char *name, uint32_t mode,
              uint64_t rdev, struct path *out) {
    struct place p;
    mode = (mode & LINUX_S_IFMT ? mode : mode | LINUX_S_IFREG) & (LINUX_S_IFMT | LINUX_S_IALLUGO);
    bool dir_type = LINUX_S_ISDIR(mode);
    int err = dir_type ? -LINUX_EPERM : place_new(&p, ctx, base, name, false);
    if (dir_type)
        return err;
    if (!err)
        err = check_node_type(ctx, mode);
    const struct inode_ops *ops = err ? NULL : p.dir->ops;
    mode &= LINUX_S_IFMT | ~ctx->umask;
    if (!err && LINUX_S_ISREG(mode))
        err = ops->create ? ops->create(p.dir, p.d, mode, ctx) : no_op(p.dir);
    else if (!err)
        err = ops->mknod ? ops->mknod(p.dir, p.d, mode, rdev, ctx) : no_op(p.dir);
    if (!err)
        notify_created(p.dir, p.d);
    if (!err && out) {
        *out = (struct path){p.w.cur.mnt, p.d};
        path_get(out);
    }
    place_end(&p);
    return err;
}
int vfs_symlink(const struct vfs_ctx *ctx, const char *target, const struct path *base, const char *name) {
    struct place p;
    size_t len = strnlen(target, LINUX_PATH_MAX);
    if (len == 0)
        return -LINUX_ENOENT;
    if (len == LINUX_PATH_MAX)
        return -LINUX_ENAMETOOLONG;
    int err = place_new(&p, ctx, base, name, false);
    if (!err && !p.dir->ops->symlink)
        err = no_op(p.dir);
    if (!err)
        err = p.dir->ops->symlink(p.dir, p.d, target, ctx);
    if (!err)
        notify_created(p.dir, p.d);
    place_end(&p);
    return err;
}
static int link_checked(struct place *p, const struct path *old) {
    struct inode *i = old->dentry->inode;
    if (old->mnt != p->w.cur.mnt || i->sb != p->dir->sb)
        return -LINUX_EXDEV;
    if (inode_is_dir(i))
        return -LINUX_EPERM;
    if (!p->dir->ops->link)
        return no_op(p->dir);
    struct vfs_attr a;
    int err = inode_attr(i, &a);
    if (err)
        return err;
    if (a.nlink == 0 && !i->linkable)
        return -LINUX_ENOENT;
    err = p->dir->ops->link(p->dir, p->d, i);
    if (err)
        return err;
    i->linkable = false;
    notify_linked(i);
    notify_created(p->dir, p->d);
    return 0;
}
int vfs_link(const struct vfs_ctx *ctx, const struct path *obase, const char *oname, const struct path *nbase,
             const char *nname, unsigned walk) {
    struct path old;
    struct place p;
    int err = vfs_walk(ctx, obase, oname, walk, &old);
    if (err)
        return err;
    err = place_new(&p, ctx, nbase, nname, false);
    if (err == -LINUX_EROFS && old.mnt != p.w.cur.mnt)
        err = -LINUX_EXDEV;
    if (!err)
        err = link_checked(&p, &old);
    place_end(&p);
    path_put(&old);
    return err;
}

// ---- A name goes ------------------------------------------------------------------------------------------
// The directory locked, the name looked up (it may be negative).
static int place_old(struct place *p, struct dentry **held) {
    if (path_read_only(&p->w.cur))
        return -LINUX_EROFS;
    int err = place_lock(p, -LINUX_EPERM);
    return err ? err : dcache_lookup_locked(p->w.cur.dentry, p->w.last, p->w.last_len, NULL, held);
}
static int find_parent(struct walk *w, const struct vfs_ctx *ctx, const struct path *base, const char *name) {
    int err = walk_begin(w, ctx, base, name, 0);
    return err ? err : walk_run(w, true);
}
int vfs_unlink(const struct vfs_ctx *ctx, const struct path *base, const char *name) {
    struct place p = {.dir = NULL};
    int err = find_parent(&p.w, ctx, base, name);
    if (!err && p.w.last_type != LAST_NORM)
        err = -LINUX_EISDIR;
    if (!err)
        err = place_old(&p, &p.d);
    struct inode *i = err ? NULL : p.d->inode;
    if (!err && !i)
        err = -LINUX_ENOENT;
    if (!err && p.w.must_dir)
        err = inode_is_dir(i) ? -LINUX_EISDIR : -LINUX_ENOTDIR;
    if (!err)
        err = may_delete(p.dir, p.d, false, &ctx->cred);
    if (!err && !p.dir->ops->unlink)
        err = no_op(p.dir);
    if (!err && is_mountpoint(p.d))
        err = -LINUX_EBUSY;
    if (!err)
        err = p.dir->ops->unlink(p.dir, p.d);
    if (!err)
        place_removed(&p, false);
    place_end(&p);
    return err;
}
int vfs_rmdir(const struct vfs_ctx *ctx, const struct path *base, const char *name) {
    static const int not_norm[] = {[LAST_DOT] = -LINUX_EINVAL, [LAST_DOTDOT] = -LINUX_ENOTEMPTY,
                                   [LAST_ROOT] = -LINUX_EBUSY};
    struct place p = {.dir = NULL};
    int err = find_parent(&p.w, ctx, base, name);
    if (!err)
        err = not_norm[p.w.last_type];
    if (!err)
        err = place_old(&p, &p.d);
    if (!err && !p.d->inode)
        err = -LINUX_ENOENT;
    if (!err)
        err = may_delete(p.dir, p.d, true, &ctx->cred);
    if (!err && !p.dir->ops->rmdir)
        err = no_op(p.dir);
    if (!err && is_mountpoint(p.d))
        err = -LINUX_EBUSY;
    if (!err) {
        struct inode *victim = p.d->inode;
        lock_nested(&victim->lock);
        err = p.dir->ops->rmdir(p.dir, p.d);
        if (!err)
            victim->dead = true;
        lock_drop(&victim->lock);
    }
    if (!err) {
        dcache_forget_children(p.d);
        place_removed(&p, true);
    }
    place_end(&p);
    return err;
}

// ---- rename -----------------------------------------------------------------------------------------------
struct rename {
    const struct vfs_ctx *ctx;
    unsigned flags;
    struct walk ow, nw;
    struct dentry *od, *nd;  // owned
    bool locked, rename_lock;
    bool od_above;  // od is an ancestor of the new directory
    bool nd_above;  // nd is an ancestor of the old directory
};
static struct inode *odir(struct rename *r) { return r->ow.cur.dentry->inode; }
static struct inode *ndir(struct rename *r) { return r->nw.cur.dentry->inode; }

static int rename_parents(struct rename *r) {
    if (r->ow.cur.mnt != r->nw.cur.mnt)
        return -LINUX_EXDEV;
    if (r->ow.last_type != LAST_NORM)
        return -LINUX_EBUSY;
    if (r->nw.last_type != LAST_NORM)
        return r->flags & LINUX_RENAME_NOREPLACE ? -LINUX_EEXIST : -LINUX_EBUSY;
    if (path_read_only(&r->ow.cur))
        return -LINUX_EROFS;
    if (!inode_is_dir(odir(r)) || !inode_is_dir(ndir(r)))
        return -LINUX_ENOTDIR;
    return odir(r)->sb->no_dcache ? no_changes(&r->ow, -LINUX_EPERM) : 0;
}
// Two directories at once only under the file system's rename_lock; the ancestor first.
static void rename_lock_dirs(struct rename *r) {
    struct dentry *a = r->ow.cur.dentry, *b = r->nw.cur.dentry;
    r->locked = true;
    if (a == b) {
        lock_take(&a->inode->lock);
        return;
    }
    r->rename_lock = true;
    lock_take(&a->sb->rename_lock);
    bool b_first = dentry_is_ancestor(b, a);
    lock_take(b_first ? &b->inode->lock : &a->inode->lock);
    lock_nested(b_first ? &a->inode->lock : &b->inode->lock);
}
static void rename_unlock(struct rename *r) {
    struct dentry *a = r->ow.cur.dentry, *b = r->nw.cur.dentry;
    if (!r->locked)
        return;
    lock_drop(&a->inode->lock);
    if (a != b)
        lock_drop(&b->inode->lock);
    if (r->rename_lock)
        lock_drop(&a->sb->rename_lock);
}
static int rename_find(struct rename *r) {
    int err = dcache_lookup_locked(r->ow.cur.dentry, r->ow.last, r->ow.last_len, NULL, &r->od);
    if (!err && !r->od->inode)
        err = -LINUX_ENOENT;
    if (!err)
        err = dcache_lookup_locked(r->nw.cur.dentry, r->nw.last, r->nw.last_len, NULL, &r->nd);
    if (err)
        return err;
    struct inode *n = r->nd->inode;
    if ((r->flags & LINUX_RENAME_NOREPLACE) && n)
        return -LINUX_EEXIST;
    if (r->flags & LINUX_RENAME_EXCHANGE) {
        if (!n)
            return -LINUX_ENOENT;
        if (!inode_is_dir(n) && r->nw.must_dir)
            return -LINUX_ENOTDIR;
    }
    if (!inode_is_dir(r->od->inode) &&
        (r->ow.must_dir || (!(r->flags & LINUX_RENAME_EXCHANGE) && r->nw.must_dir)))
        return -LINUX_ENOTDIR;
    if (dentry_is_ancestor(r->od, r->nw.cur.dentry))
        return -LINUX_EINVAL;
    if (dentry_is_ancestor(r->nd, r->ow.cur.dentry))
        return r->flags & LINUX_RENAME_EXCHANGE ? -LINUX_EINVAL : -LINUX_ENOTEMPTY;
    return 0;
}
static int rename_permitted(struct rename *r) {
    const struct vfs_cred *c = &r->ctx->cred;
    struct inode *o = r->od->inode, *n = r->nd->inode;
    bool exchange = r->flags & LINUX_RENAME_EXCHANGE, is_dir = inode_is_dir(o);
    bool n_dir = n && inode_is_dir(n);
    int err = may_delete(odir(r), r->od, is_dir, c);
    if (!err)
        err = n ? may_delete(ndir(r), r->nd, exchange ? n_dir : is_dir, c) : may_create(ndir(r), c);
    if (!err && !odir(r)->ops->rename)
        err = no_op(odir(r));
    // A directory that changes its parent has its ".." rewritten.
    if (!err && odir(r) != ndir(r) && is_dir)
        err = vfs_permission(o, MAY_WRITE, c);
    if (!err && odir(r) != ndir(r) && exchange && n_dir)
        err = vfs_permission(n, MAY_WRITE, c);
    if (!err && (is_mountpoint(r->od) || is_mountpoint(r->nd)))
        err = -LINUX_EBUSY;
    return err;
}
static int rename_do(struct rename *r) {
    bool exchange = r->flags & LINUX_RENAME_EXCHANGE;
    struct inode *victim = exchange ? NULL : r->nd->inode;
    struct dentry_move m;
    int err = dentry_move_prepare(&m, r->od, r->nd, exchange);
    if (err)
        return err;
    bool lock_victim = victim && inode_is_dir(victim);
    if (lock_victim)
        lock_nested(&victim->lock);
    err = odir(r)->ops->rename(odir(r), r->od, ndir(r), r->nd, r->flags);
    if (!err && lock_victim)
        victim->dead = true;
    if (lock_victim)
        lock_drop(&victim->lock);
    if (err) {
        free(m.name_d);
        free(m.name_nd);
        return err;
    }
    if (lock_victim)
        dcache_forget_children(r->nd);
    dentry_move(&m, r->od, r->nd, exchange);
    return 0;
}
static uint32_t isdir(const struct inode *i) { return inode_is_dir(i) ? LINUX_IN_ISDIR : 0; }
// od lies where nd was now, and, in an exchange, the other way round. The directories are locked.
static void rename_tell(struct rename *r, struct inode *moved, struct inode *other) {
    bool exchange = r->flags & LINUX_RENAME_EXCHANGE;
    struct notify_name from = {.p = r->ow.last, .len = r->ow.last_len, .cookie = notify_cookie()};
    struct notify_name to = {.p = r->nw.last, .len = r->nw.last_len, .cookie = from.cookie};
    notify_name(odir(r), LINUX_IN_MOVED_FROM | isdir(moved), &from);
    notify_name(ndir(r), LINUX_IN_MOVED_TO | isdir(moved), &to);
    if (other && !exchange)
        notify_unlinked(other, false);
    notify_inode(moved, LINUX_IN_MOVE_SELF);
    if (!exchange)
        return;
    from.cookie = to.cookie = notify_cookie();
    notify_name(ndir(r), LINUX_IN_MOVED_FROM | isdir(other), &to);
    notify_name(odir(r), LINUX_IN_MOVED_TO | isdir(other), &from);
    notify_inode(other, LINUX_IN_MOVE_SELF);
}
// The file system stamps what it moves; but a directory's own lock cannot be taken beside those of rename.
static void stamp_moved_dir(struct inode *i) {
    struct vfs_attr a = {.ctime = inode_now()};
    if (inode_is_dir(i) && i->ops->setattr)
        i->ops->setattr(i, &a, ATTR_CTIME);
}
int vfs_rename(const struct vfs_ctx *ctx, const struct path *obase, const char *oname,
               const struct path *nbase, const char *nname, unsigned flags) {
    struct rename r;
    r.ctx = ctx;
    r.flags = flags;
    r.od = r.nd = NULL;
    r.locked = r.rename_lock = false;
    // LIMIT: RENAME_WHITEOUT (for mounting overlayfs inside) is refused.
    if (flags & ~(LINUX_RENAME_NOREPLACE | LINUX_RENAME_EXCHANGE) ||
        flags == (LINUX_RENAME_NOREPLACE | LINUX_RENAME_EXCHANGE))
        return -LINUX_EINVAL;
    int err = find_parent(&r.ow, ctx, obase, oname);
    if (err) {
        walk_end(&r.ow);
        return err;
    }
    err = find_parent(&r.nw, ctx, nbase, nname);
    if (!err)
        err = rename_parents(&r);
    if (!err) {
        rename_lock_dirs(&r);
        err = rename_find(&r);
    }
    bool same = !err && r.od->inode == r.nd->inode;  // two names of one file: nothing to do
    if (!err && !same)
        err = rename_permitted(&r);
    if (!err && !same)
        err = rename_do(&r);
    if (!err && !same && notify_on())
        rename_tell(&r, r.od->inode, r.nd->inode);
    rename_unlock(&r);
    if (!err && !same) {
        stamp_moved_dir(r.od->inode);
        if (flags & LINUX_RENAME_EXCHANGE)
            stamp_moved_dir(r.nd->inode);
    }
    dentry_put(r.od);
    dentry_put(r.nd);
    walk_end(&r.nw);
    walk_end(&r.ow);
    return err;
}

int64_t vfs_readlink(const struct vfs_ctx *ctx, const struct path *p, char *buf, size_t size) {
    struct inode *i = p->dentry->inode;
    char text[LINUX_PATH_MAX];
    if (inode_type(i) != LINUX_S_IFLNK || !i->ops->readlink)
        return -LINUX_EINVAL;
    int err = i->ops->readlink(i, text, sizeof text);
    if (err < 0)
        return err;
    size_t n = strnlen(text, sizeof text);
    if (n > size)
        n = size;
    memcpy(buf, text, n);
    return (int64_t)n;
}
