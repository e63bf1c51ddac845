// SPDX-License-Identifier: Apache-2.0
// Calls that change names: mkdir, mknod, symlink, link, unlink, rmdir, rename; and readlink. Each finds the
// directory, locks it, looks the last name up, checks in Linux' order, and asks the file system. Locks:
// directories (see core.h).
// LIMIT: no protected_regular, protected_fifos (their sysctls read 0).
#include "abi/caps.h"
#include "abi/fileattr.h"
#include "fs/core.h"
#include "fs/landlock.h"
#include "fs/notify.h"
#include <string.h>

// ---- Checks -----------------------------------------------------------------------------------------------
int may_create(struct inode *dir, const struct vfs_cred *c) {
    if (dir->dead)
        return -LINUX_ENOENT;
    return vfs_permission(dir, MAY_WRITE | MAY_EXEC, c);
}
uint32_t mode_for_new(const struct inode *dir, uint32_t mode, const struct vfs_ctx *ctx) {
    const uint32_t set_gid = LINUX_S_ISGID | LINUX_S_IXGRP,
                   dir_mode = __atomic_load_n(&dir->attr.mode, __ATOMIC_RELAXED);
    // Before the umask: what it takes away is no way round.
    if ((mode & set_gid) == set_gid && (dir_mode & LINUX_S_ISGID) &&
        !cred_has_over(&ctx->cred, dir, LINUX_CAP_FSETID) &&
        !cred_in_group(&ctx->cred, __atomic_load_n(&dir->attr.gid, __ATOMIC_RELAXED)))
        mode &= ~(uint32_t)LINUX_S_ISGID;
    return inode_has_acl(dir, ACL_DEFAULT) ? mode : mode & ~ctx->umask;
}
static int may_delete(struct inode *dir, struct dentry *victim, bool want_dir, const struct vfs_cred *c) {
    struct inode *i = victim->inode;
    int err = vfs_permission(dir, MAY_WRITE | MAY_EXEC, c);
    if (err)
        return err;
    if (inode_flagged(dir, LINUX_FS_APPEND_FL) ||
        inode_flagged(i, LINUX_FS_IMMUTABLE_FL | LINUX_FS_APPEND_FL))
        return -LINUX_EPERM;
    uint32_t owner = __atomic_load_n(&i->attr.uid, __ATOMIC_RELAXED);
    if ((dir->attr.mode & LINUX_S_ISVTX) && owner != c->fsuid && dir->attr.uid != c->fsuid &&
        !cred_has_over(c, i, LINUX_CAP_FOWNER))
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
    int missing = there == -LINUX_EEXIST && path_read_only(&w->cur) ? -LINUX_EROFS : -LINUX_ENOENT;
    err = d->inode ? there : missing;
    dentry_put(d);
    return err;
}

// ---- The place of a name ----------------------------------------------------------------------------------
// Stopped before the last component, with its directory locked and the name looked up.
struct place {
    struct walk w;
    struct inode *dir;
    struct dentry *d;  // owned
    struct inode *victim;  // owned, or NULL: what lost this name, to end after the lock is dropped
};
static void place_end(struct place *p) {
    if (p->dir)
        lock_drop(&p->dir->lock);
    dentry_put(p->d);
    if (p->victim)
        inode_put(p->victim);
    walk_end(&p->w);
}
#define cleanup_place __attribute__((cleanup(place_end)))  // place_find() comes at once, whatever it says

static int find_parent(struct walk *w, const struct vfs_ctx *ctx, const struct path *base, const char *name) {
    int err = walk_begin(w, ctx, base, name, 0);
    return err ? err : walk_run(w, true);
}
static int place_find(struct place *p, const struct vfs_ctx *ctx, const struct path *base, const char *name) {
    p->d = NULL;
    p->dir = NULL;
    p->victim = NULL;
    return find_parent(&p->w, ctx, base, name);
}
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
// The directory locked, the name looked up; it may be negative.
static int place_look(struct place *p, int there) {
    int err = place_lock(p, there);
    return err ? err : dcache_lookup_locked(p->w.cur.dentry, p->w.last, p->w.last_len, NULL, &p->d);
}

// ---- A new name -------------------------------------------------------------------------------------------
static int place_free(struct place *p, const struct vfs_ctx *ctx, const struct path *base, const char *name,
                      bool is_dir) {
    int err = place_find(p, ctx, base, name);
    if (err)
        return err;
    if (p->w.last_type != LAST_NORM)
        return -LINUX_EEXIST;
    err = place_look(p, -LINUX_EEXIST);
    if (err)
        return err;
    if (p->d->inode)
        return -LINUX_EEXIST;
    if (p->w.must_dir && !is_dir)
        return -LINUX_ENOENT;
    return path_read_only(&p->w.cur) ? -LINUX_EROFS : 0;
}
// type: LINUX_S_IF* of what is to be made.
static int place_new(struct place *p, const struct vfs_ctx *ctx, const struct path *base, const char *name,
                     uint32_t type) {
    int err = place_free(p, ctx, base, name, type == LINUX_S_IFDIR);
    if (err)
        return err;
    err = landlock_may(&ctx->cred, &p->w.cur, landlock_make(type));
    return err ? err : may_create(p->dir, &ctx->cred);
}
int vfs_mkdir(const struct vfs_ctx *ctx, const struct path *base, const char *name, uint32_t mode) {
    struct place p cleanup_place;
    int err = place_new(&p, ctx, base, name, LINUX_S_IFDIR);
    if (err)
        return err;
    if (!p.dir->ops->mkdir)
        return no_op(p.dir);
    err = p.dir->ops->mkdir(p.dir, p.d, LINUX_S_IFDIR | mode_for_new(p.dir, mode & 01777, ctx), ctx);
    if (err)
        return err;
    notify_created(p.dir, p.d);
    return 0;
}
int vfs_mknod_check(uint32_t mode) {
    switch (mode & LINUX_S_IFMT) {
    case LINUX_S_IFDIR:
        return -LINUX_EPERM;
    case LINUX_S_IFREG:
    case LINUX_S_IFIFO:
    case LINUX_S_IFSOCK:
    case LINUX_S_IFCHR:
    case LINUX_S_IFBLK:
        return 0;
    default:
        return -LINUX_EINVAL;
    }
}
static int make_node(struct place *p, const struct vfs_ctx *ctx, uint32_t mode, uint64_t rdev) {
    const struct inode_ops *ops = p->dir->ops;
    bool device = LINUX_S_ISCHR(mode) || LINUX_S_ISBLK(mode);
    bool whiteout = LINUX_S_ISCHR(mode) && rdev == 0;  // what overlays leave behind: anybody may make one
    if (device && !whiteout && !cred_has(&ctx->cred, LINUX_CAP_MKNOD))
        return -LINUX_EPERM;
    mode = (mode & LINUX_S_IFMT) | mode_for_new(p->dir, mode & LINUX_S_IALLUGO, ctx);
    if (LINUX_S_ISREG(mode))
        return ops->create ? ops->create(p->dir, p->d, mode, ctx) : no_op(p->dir);
    return ops->mknod ? ops->mknod(p->dir, p->d, mode, rdev, ctx) : no_op(p->dir);
}
int vfs_mknod(const struct vfs_ctx *ctx, const struct path *base, const char *name, uint32_t mode,
              uint64_t rdev, struct path *out) {
    mode = (mode & LINUX_S_IFMT ? mode : mode | LINUX_S_IFREG) & (LINUX_S_IFMT | LINUX_S_IALLUGO);
    int err = vfs_mknod_check(mode);
    if (err)
        return err;
    struct place p cleanup_place;
    err = place_new(&p, ctx, base, name, mode & LINUX_S_IFMT);
    if (err)
        return err;
    err = make_node(&p, ctx, mode, rdev);
    if (err)
        return err;
    notify_created(p.dir, p.d);
    if (out) {
        *out = (struct path){p.w.cur.mnt, p.d};
        path_get(out);
    }
    return 0;
}
int vfs_symlink(const struct vfs_ctx *ctx, const char *target, const struct path *base, const char *name) {
    size_t len = strnlen(target, LINUX_PATH_MAX);
    if (len == 0)
        return -LINUX_ENOENT;
    if (len == LINUX_PATH_MAX)
        return -LINUX_ENAMETOOLONG;
    struct place p cleanup_place;
    int err = place_new(&p, ctx, base, name, LINUX_S_IFLNK);
    if (err)
        return err;
    if (!p.dir->ops->symlink)
        return no_op(p.dir);
    err = p.dir->ops->symlink(p.dir, p.d, target, ctx);
    if (err)
        return err;
    notify_created(p.dir, p.d);
    return 0;
}
// Is it to have another name in that directory?
static int may_refer(const struct place *p, const struct path *old, const struct vfs_cred *c) {
    return landlock_may_refer(c, &(struct landlock_refer){.ndir = &p->w.cur, .od = old->dentry, .nd = p->d});
}
static int may_link(struct place *p, const struct path *old, const struct vfs_cred *c) {
    struct inode *i = old->dentry->inode;
    if (old->mnt != p->w.cur.mnt)
        return -LINUX_EXDEV;
    int err = inode_may_link(i, c);
    if (err)
        return err;
    err = may_refer(p, old, c);
    if (err)
        return err;
    err = may_create(p->dir, c);
    if (err)
        return err;
    if (i->sb != p->dir->sb)
        return -LINUX_EXDEV;
    return inode_is_dir(i) || inode_flagged(i, LINUX_FS_IMMUTABLE_FL | LINUX_FS_APPEND_FL) ? -LINUX_EPERM : 0;
}
static int link_checked(struct place *p, const struct path *old, const struct vfs_cred *c) {
    struct inode *i = old->dentry->inode;
    int err = may_link(p, old, c);
    if (err)
        return err;
    if (!p->dir->ops->link)
        return no_op(p->dir);
    struct vfs_attr a;
    err = inode_attr(i, &a);
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
    struct path old cleanup_path = {0};
    int err = vfs_walk(ctx, obase, oname, walk, &old);
    if (err)
        return err;
    struct place p cleanup_place;
    err = place_free(&p, ctx, nbase, nname, false);
    if (err == -LINUX_EROFS && old.mnt != p.w.cur.mnt)
        return -LINUX_EXDEV;
    return err ? err : link_checked(&p, &old, &ctx->cred);
}

// ---- A name goes ------------------------------------------------------------------------------------------
// The name is looked up, and there.
static int place_old(struct place *p) {
    if (path_read_only(&p->w.cur))
        return -LINUX_EROFS;
    int err = place_look(p, -LINUX_EPERM);
    if (err)
        return err;
    return p->d->inode ? 0 : -LINUX_ENOENT;
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
                &(struct notify_name){.p = p->w.last, .len = p->w.last_len, .child = p->victim});
}
static int may_remove(const struct place *p, bool is_rmdir, const struct vfs_cred *c) {
    uint64_t right = is_rmdir ? LINUX_LANDLOCK_ACCESS_FS_REMOVE_DIR : LINUX_LANDLOCK_ACCESS_FS_REMOVE_FILE;
    int err = landlock_may(c, &p->w.cur, right);
    return err ? err : may_delete(p->dir, p->d, is_rmdir, c);
}
static int may_unlink(const struct place *p, const struct vfs_cred *c) {
    if (p->w.must_dir)
        return inode_is_dir(p->d->inode) ? -LINUX_EISDIR : -LINUX_ENOTDIR;
    int err = may_remove(p, false, c);
    if (err)
        return err;
    if (!p->dir->ops->unlink)
        return no_op(p->dir);
    return is_mountpoint(p->d) ? -LINUX_EBUSY : 0;
}
int vfs_unlink(const struct vfs_ctx *ctx, const struct path *base, const char *name) {
    struct place p cleanup_place;
    int err = place_find(&p, ctx, base, name);
    if (err)
        return err;
    if (p.w.last_type != LAST_NORM)
        return -LINUX_EISDIR;
    err = place_old(&p);
    if (err)
        return err;
    err = may_unlink(&p, &ctx->cred);
    if (err)
        return err;
    err = p.dir->ops->unlink(p.dir, p.d);
    if (err)
        return err;
    place_removed(&p, false);
    return 0;
}
static int may_rmdir(const struct place *p, const struct vfs_cred *c) {
    int err = may_remove(p, true, c);
    if (err)
        return err;
    if (!p->dir->ops->rmdir)
        return no_op(p->dir);
    return is_mountpoint(p->d) ? -LINUX_EBUSY : 0;
}
static int remove_dir(const struct place *p) {
    struct inode *victim = p->d->inode;
    lock_nested(&victim->lock);
    int err = p->dir->ops->rmdir(p->dir, p->d);
    if (!err)
        victim->dead = true;
    lock_drop(&victim->lock);
    return err;
}
int vfs_rmdir(const struct vfs_ctx *ctx, const struct path *base, const char *name) {
    static const int not_norm[] = {[LAST_DOT] = -LINUX_EINVAL, [LAST_DOTDOT] = -LINUX_ENOTEMPTY,
                                   [LAST_ROOT] = -LINUX_EBUSY};
    struct place p cleanup_place;
    int err = place_find(&p, ctx, base, name);
    if (err)
        return err;
    if (p.w.last_type != LAST_NORM)
        return not_norm[p.w.last_type];
    err = place_old(&p);
    if (err)
        return err;
    err = may_rmdir(&p, &ctx->cred);
    if (err)
        return err;
    err = remove_dir(&p);
    if (err)
        return err;
    dcache_forget_children(p.d);
    place_removed(&p, true);
    return 0;
}

// ---- rename -----------------------------------------------------------------------------------------------
struct rename {
    const struct vfs_ctx *ctx;
    unsigned flags;
    const struct walk *ow, *nw;  // each stopped before its last component
    struct dentry *od, *nd;      // owned
    bool moved;
};
static struct inode *odir(struct rename *r) { return r->ow->cur.dentry->inode; }
static struct inode *ndir(struct rename *r) { return r->nw->cur.dentry->inode; }

static int rename_parents(struct rename *r) {
    if (r->ow->cur.mnt != r->nw->cur.mnt)
        return -LINUX_EXDEV;
    if (r->ow->last_type != LAST_NORM)
        return -LINUX_EBUSY;
    if (r->nw->last_type != LAST_NORM)
        return r->flags & LINUX_RENAME_NOREPLACE ? -LINUX_EEXIST : -LINUX_EBUSY;
    if (path_read_only(&r->ow->cur))
        return -LINUX_EROFS;
    if (!inode_is_dir(odir(r)) || !inode_is_dir(ndir(r)))
        return -LINUX_ENOTDIR;
    return odir(r)->sb->no_dcache ? no_changes(r->ow, -LINUX_EPERM) : 0;
}
// Two directories at once only under the file system's rename_lock; the ancestor first.
static void rename_lock_dirs(struct rename *r) {
    struct dentry *a = r->ow->cur.dentry, *b = r->nw->cur.dentry;
    if (a == b) {
        lock_take(&a->inode->lock);
        return;
    }
    lock_take(&a->sb->rename_lock);
    bool b_first = dentry_is_ancestor(b, a);
    lock_take(b_first ? &b->inode->lock : &a->inode->lock);
    lock_nested(b_first ? &a->inode->lock : &b->inode->lock);
}
static void rename_unlock(struct rename *r) {
    struct dentry *a = r->ow->cur.dentry, *b = r->nw->cur.dentry;
    lock_drop(&a->inode->lock);
    if (a == b)
        return;
    lock_drop(&b->inode->lock);
    lock_drop(&a->sb->rename_lock);
}
static int rename_find(struct rename *r) {
    int err = dcache_lookup_locked(r->ow->cur.dentry, r->ow->last, r->ow->last_len, NULL, &r->od);
    if (err)
        return err;
    if (!r->od->inode)
        return -LINUX_ENOENT;
    err = dcache_lookup_locked(r->nw->cur.dentry, r->nw->last, r->nw->last_len, NULL, &r->nd);
    if (err)
        return err;
    struct inode *n = r->nd->inode;
    if ((r->flags & LINUX_RENAME_NOREPLACE) && n)
        return -LINUX_EEXIST;
    if (r->flags & LINUX_RENAME_EXCHANGE) {
        if (!n)
            return -LINUX_ENOENT;
        if (!inode_is_dir(n) && r->nw->must_dir)
            return -LINUX_ENOTDIR;
    }
    if (!inode_is_dir(r->od->inode) &&
        (r->ow->must_dir || (!(r->flags & LINUX_RENAME_EXCHANGE) && r->nw->must_dir)))
        return -LINUX_ENOTDIR;
    if (dentry_is_ancestor(r->od, r->nw->cur.dentry))
        return -LINUX_EINVAL;
    if (dentry_is_ancestor(r->nd, r->ow->cur.dentry))
        return r->flags & LINUX_RENAME_EXCHANGE ? -LINUX_EINVAL : -LINUX_ENOTEMPTY;
    return 0;
}
// A directory that changes its parent has its ".." rewritten.
static int may_reparent(struct rename *r, struct inode *moved) {
    if (odir(r) == ndir(r) || !inode_is_dir(moved))
        return 0;
    return vfs_permission(moved, MAY_WRITE, &r->ctx->cred);
}
static int may_replace(struct rename *r, bool want_dir) {
    const struct vfs_cred *c = &r->ctx->cred;
    return r->nd->inode ? may_delete(ndir(r), r->nd, want_dir, c) : may_create(ndir(r), c);
}
static int rename_permitted(struct rename *r) {
    struct inode *o = r->od->inode, *n = r->nd->inode;
    bool exchange = r->flags & LINUX_RENAME_EXCHANGE;
    int err = landlock_may_refer(
        &r->ctx->cred,
        &(struct landlock_refer){
            .ndir = &r->nw->cur, .od = r->od, .nd = r->nd, .removes = true, .exchange = exchange});
    if (err)
        return err;
    err = may_delete(odir(r), r->od, inode_is_dir(o), &r->ctx->cred);
    if (err)
        return err;
    err = may_replace(r, inode_is_dir(exchange ? n : o));
    if (err)
        return err;
    if (!odir(r)->ops->rename)
        return no_op(odir(r));
    err = may_reparent(r, o);
    if (err)
        return err;
    err = exchange ? may_reparent(r, n) : 0;
    if (err)
        return err;
    return is_mountpoint(r->od) || is_mountpoint(r->nd) ? -LINUX_EBUSY : 0;
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
// od lies where nd was now, and, in an exchange, the other way round. The directories are locked.
static void rename_tell(struct rename *r, struct inode *moved, struct inode *other) {
    bool exchange = r->flags & LINUX_RENAME_EXCHANGE;
    struct notify_name from = {.p = r->ow->last, .len = r->ow->last_len, .child = moved};
    struct notify_name to = {.p = r->nw->last, .len = r->nw->last_len, .child = moved};
    notify_moved(odir(r), &from, ndir(r), &to);
    if (other && !exchange)
        notify_unlinked(other, false);
    notify_inode(moved, LINUX_IN_MOVE_SELF);
    if (!exchange)
        return;
    from.child = to.child = other;
    notify_moved(ndir(r), &to, odir(r), &from);
    notify_inode(other, LINUX_IN_MOVE_SELF);
}
// The file system stamps what it moves; but a directory's own lock cannot be taken beside those of rename.
static void stamp_moved_dir(struct inode *i) {
    struct vfs_attr a = {.ctime = inode_now()};
    if (inode_is_dir(i) && i->ops->setattr)
        i->ops->setattr(i, &a, ATTR_CTIME);
}
// The directories are locked.
static int rename_locked(struct rename *r) {
    int err = rename_find(r);
    if (err)
        return err;
    if (r->od->inode == r->nd->inode)  // two names of one file: nothing to do
        return 0;
    err = rename_permitted(r);
    if (err)
        return err;
    err = rename_do(r);
    if (err)
        return err;
    r->moved = true;
    if (notify_on())
        rename_tell(r, r->od->inode, r->nd->inode);
    return 0;
}
static int rename_walked(struct rename *r) {
    int err = rename_parents(r);
    if (err)
        return err;
    rename_lock_dirs(r);
    err = rename_locked(r);
    rename_unlock(r);
    if (r->moved) {
        stamp_moved_dir(r->od->inode);
        if (r->flags & LINUX_RENAME_EXCHANGE)
            stamp_moved_dir(r->nd->inode);
    }
    dentry_put(r->od);
    dentry_put(r->nd);
    return err;
}
int vfs_rename(const struct vfs_ctx *ctx, const struct path *obase, const char *oname,
               const struct path *nbase, const char *nname, unsigned flags) {
    // LIMIT: RENAME_WHITEOUT (for mounting overlayfs inside) is refused.
    if (flags & ~(LINUX_RENAME_NOREPLACE | LINUX_RENAME_EXCHANGE) ||
        flags == (LINUX_RENAME_NOREPLACE | LINUX_RENAME_EXCHANGE))
        return -LINUX_EINVAL;
    struct walk ow cleanup_walk;
    int err = find_parent(&ow, ctx, obase, oname);
    if (err)
        return err;
    struct walk nw cleanup_walk;
    err = find_parent(&nw, ctx, nbase, nname);
    if (err)
        return err;
    return rename_walked(&(struct rename){.ctx = ctx, .flags = flags, .ow = &ow, .nw = &nw});
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
