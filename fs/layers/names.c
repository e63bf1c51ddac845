// SPDX-License-Identifier: Apache-2.0
// The calls that change names. Each has the upper directory made if need be, then changes the upper layer
// under `change`, by the calls of the VFS. A name that a lower layer has, and that goes, leaves a whiteout,
// which is made beforehand in the working directory and comes to its place in the step that takes the name
// away. Our directories' locks are held.
#include "abi/misc.h"
#include "fs/layers/layers.h"
#include <string.h>

#define TEMP_SIZE 24u

struct change {
    struct layers *o;
    struct vfs_ctx ctx;
    struct path work;
    char whiteout[TEMP_SIZE];  // a name in the working directory; empty: there is none
    bool uncovered;            // a whiteout was taken away for this change
};
static struct path upper_of(const struct layers *o, struct inode *dir) {
    return (struct path){o->upper, lnode_upper(lnode(dir))};
}
// What has to go up goes before: `change` is not held then. Ends with change_end().
static int change_begin(struct change *c, struct inode *dir, const struct vfs_ctx *caller) {
    struct layers *o = layers_of(dir);
    *c = (struct change){.o = o};
    int err = layers_copy_up(dir, 0);
    if (err)
        return err;
    layers_ctx(o, caller, &c->ctx);
    c->work = (struct path){o->upper, o->work};
    lock_take(&o->change);
    return 0;
}
static int change_end(struct change *c, int err) {
    if (*c->whiteout)
        vfs_unlink(&c->ctx, &c->work, c->whiteout);
    lock_drop(&c->o->change);
    return err;
}
// 1: a lower layer shows that name in dir; 0; or an error.
static int lower_has(struct inode *dir, const char *name) {
    const struct lnode *n = lnode(dir);
    for (unsigned k = 0; k < n->n; k++) {
        struct dentry *d;
        int err = dcache_lookup(n->lower[k].d, name, strlen(name), NULL, &d);
        if (err)
            return err;
        struct inode *i = d->inode;
        bool there = i, white = layers_is_whiteout(i);
        dentry_put(d);
        if (there)
            return !white;
    }
    return 0;
}
static int prepare_whiteout(struct change *c) {
    struct vfs_ctx own;
    layers_ctx(c->o, NULL, &own);
    layers_temp_name(c->o, c->whiteout, sizeof c->whiteout);
    int err = vfs_mknod(&own, &c->work, c->whiteout, LINUX_S_IFCHR, 0, NULL);
    if (err)
        *c->whiteout = '\0';
    return err;
}
// Over what is there, which is no directory.
static int place_whiteout(struct change *c, struct inode *dir, const char *name) {
    struct vfs_ctx own;
    struct path up = upper_of(c->o, dir);
    layers_ctx(c->o, NULL, &own);
    int err = vfs_rename(&own, &c->work, c->whiteout, &up, name, 0);
    if (!err)
        *c->whiteout = '\0';
    return err;
}
// 1: dir's upper directory has a whiteout of that name; 0; or an error.
static int has_whiteout(const struct layers *o, struct inode *dir, const char *name) {
    struct dentry *d;
    int err = dcache_lookup(upper_of(o, dir).dentry, name, strlen(name), NULL, &d);
    if (err)
        return err;
    int white = layers_is_whiteout(d->inode);
    dentry_put(d);
    return white;
}
static int uncover(struct change *c, struct inode *dir, const char *name) {
    struct vfs_ctx own;
    int white = has_whiteout(c->o, dir, name);
    if (white <= 0)
        return white;
    struct path up = upper_of(c->o, dir);
    layers_ctx(c->o, NULL, &own);
    int err = vfs_unlink(&own, &up, name);
    c->uncovered = !err;
    return err;
}
static void cover_again(struct change *c, struct inode *dir, const char *name) {
    if (c->uncovered && !prepare_whiteout(c))
        place_whiteout(c, dir, name);
}
// Nothing shows through it from now on.
static int set_opaque(struct change *c, const struct path *dir) {
    struct vfs_ctx own;
    layers_ctx(c->o, NULL, &own);
    return vfs_setxattr(&own, dir, c->o->userxattr ? layers_user_opaque : layers_opaque, "y", 1, 0);
}

// ---- New objects ------------------------------------------------------------------------------------------
// The object of that name in the upper directory is what d stands for.
static int attach(struct inode *dir, struct dentry *d) {
    struct dentry *up;
    struct inode *i;
    int err = dcache_lookup(lnode_upper(lnode(dir)), d->name, strlen(d->name), NULL, &up);
    if (err)
        return err;
    if (!up->inode) {
        dentry_put(up);
        return -LINUX_EIO;
    }
    err = layers_inode(dir->sb, d->parent, up, NULL, 0, &i);
    if (err)
        return err;
    dentry_attach(d, i);
    return 0;
}
struct wanted {
    uint32_t mode;
    uint64_t rdev;
    const char *target;
};
static int make(struct change *c, const struct path *up, const char *name, const struct wanted *w) {
    if (w->target)
        return vfs_symlink(&c->ctx, w->target, up, name);
    if (LINUX_S_ISDIR(w->mode))
        return vfs_mkdir(&c->ctx, up, name, w->mode & LINUX_S_IALLUGO);
    return vfs_mknod(&c->ctx, up, name, w->mode, w->rdev, NULL);
}
static int hide_lower(struct change *c, struct inode *dir, const struct path *up, const char *name) {
    struct path made = {up->mnt, NULL};
    int has = lower_has(dir, name);
    if (has <= 0)
        return has;
    int err = dcache_lookup(up->dentry, name, strlen(name), NULL, &made.dentry);
    if (err)
        return err;
    err = set_opaque(c, &made);
    dentry_put(made.dentry);
    return err;
}
static int make_new(struct inode *dir, struct dentry *d, const struct wanted *w, const struct vfs_ctx *ctx) {
    struct change c;
    int err = change_begin(&c, dir, ctx);
    if (err)
        return err;
    struct path up = upper_of(c.o, dir);
    bool is_dir = LINUX_S_ISDIR(w->mode);
    err = uncover(&c, dir, d->name);
    if (err)
        return change_end(&c, err);
    err = make(&c, &up, d->name, w);
    int hidden = err || !is_dir ? 0 : hide_lower(&c, dir, &up, d->name);
    if (hidden)
        vfs_rmdir(&c.ctx, &up, d->name);
    err = err ? err : hidden;
    if (err)
        cover_again(&c, dir, d->name);
    return change_end(&c, err ? err : attach(dir, d));
}
int layers_create(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx) {
    return make_new(dir, d, &(struct wanted){.mode = mode}, ctx);
}
int layers_mkdir(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx) {
    return make_new(dir, d, &(struct wanted){.mode = mode}, ctx);
}
int layers_mknod(struct inode *dir, struct dentry *d, uint32_t mode, uint64_t rdev,
                 const struct vfs_ctx *ctx) {
    if (LINUX_S_ISCHR(mode) && rdev == 0)
        return -LINUX_EPERM;  // it would be gone at once
    return make_new(dir, d, &(struct wanted){.mode = mode, .rdev = rdev}, ctx);
}
int layers_symlink(struct inode *dir, struct dentry *d, const char *target, const struct vfs_ctx *ctx) {
    return make_new(dir, d, &(struct wanted){.target = target}, ctx);
}
int layers_tmpfile(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx) {
    struct layers *o = layers_of(dir);
    struct vfs_ctx own;
    struct inode *i;
    int err = layers_copy_up(dir, 0);
    if (err)
        return err;
    struct dentry *up = lnode_upper(lnode(dir));
    if (!up->inode->ops->tmpfile)
        return -LINUX_EOPNOTSUPP;
    struct dentry *made = dentry_new(up->sb, up, d->name, strlen(d->name));
    if (!made)
        return -LINUX_ENOMEM;
    layers_ctx(o, ctx, &own);
    {
        LOCKED(&up->inode->lock);
        err = up->inode->ops->tmpfile(up->inode, made, mode, &own);
    }
    if (err) {
        dentry_put(made);
        return err;
    }
    err = layers_inode(dir->sb, d->parent, made, NULL, 0, &i);
    if (err)
        return err;
    dentry_attach(d, i);
    return 0;
}
static int link_upper(struct dentry *up, const char *name, struct inode *target) {
    struct inode *dir = up->inode;
    struct dentry *d;
    if (!dir->ops->link)
        return -LINUX_EPERM;
    LOCKED(&dir->lock);
    int err = dcache_lookup_locked(up, name, strlen(name), NULL, &d);
    if (err)
        return err;
    err = d->inode ? -LINUX_EEXIST : dir->ops->link(dir, d, target);
    dentry_put(d);
    return err;
}
int layers_link(struct inode *dir, struct dentry *d, struct inode *target) {
    struct change c;
    int err = layers_copy_up(target, UINT64_MAX);
    err = err ? err : change_begin(&c, dir, NULL);
    if (err)
        return err;
    err = uncover(&c, dir, d->name);
    if (err)
        return change_end(&c, err);
    err = link_upper(upper_of(c.o, dir).dentry, d->name, lnode_upper(lnode(target))->inode);
    if (err)
        cover_again(&c, dir, d->name);
    else
        dentry_attach(d, inode_get(target));
    return change_end(&c, err);
}

// ---- Names that go ----------------------------------------------------------------------------------------
struct sweep {
    struct change *c;
    struct path dir;
};
// Of a directory in which nothing shows, all that is left are whiteouts.
static int sweep_one(void *arg, const char *name) {
    struct sweep *s = arg;
    struct vfs_ctx own;
    layers_ctx(s->c->o, NULL, &own);
    return vfs_unlink(&own, &s->dir, name);
}
static int sweep(struct change *c, struct inode *dir) {
    struct sweep s = {c, upper_of(c->o, dir)};
    int err = s.dir.dentry ? layers_each(c->o, &s.dir, sweep_one, &s) : 0;
    return err;
}
// The object lies in the working directory under that name, and nothing shows it any more: what cannot be
// removed of it stays there for the next mount to sweep.
static void discard(struct change *c, struct inode *i, const char *temp) {
    if (!inode_is_dir(i))
        vfs_unlink(&c->ctx, &c->work, temp);
    else if (!sweep(c, i))
        vfs_rmdir(&c->ctx, &c->work, temp);
}
static int remove_upper(struct change *c, struct inode *dir, struct dentry *d) {
    struct path up = upper_of(c->o, dir);
    struct inode *i = d->inode;
    if (!inode_is_dir(i))
        return vfs_unlink(&c->ctx, &up, d->name);
    int err = sweep(c, i);
    return err ? err : vfs_rmdir(&c->ctx, &up, d->name);
}
// One step, so that no failure lets the lower name show.
static int hide(struct change *c, struct inode *dir, struct dentry *d) {
    struct path up = upper_of(c->o, dir);
    struct inode *i = d->inode;
    char temp[TEMP_SIZE];
    if (!inode_is_dir(i) || !lnode_upper(lnode(i)))
        return place_whiteout(c, dir, d->name);
    int err = vfs_rename(&c->ctx, &c->work, c->whiteout, &up, d->name, LINUX_RENAME_EXCHANGE);
    if (err)
        return err;
    memcpy(temp, c->whiteout, sizeof temp);
    *c->whiteout = '\0';
    discard(c, i, temp);
    return 0;
}
static int remove_name(struct inode *dir, struct dentry *d) {
    struct change c;
    int err = change_begin(&c, dir, NULL);
    if (err)
        return err;
    int has = lower_has(dir, d->name);
    err = has > 0 ? prepare_whiteout(&c) : has;
    if (err)
        return change_end(&c, err);
    err = has ? hide(&c, dir, d) : remove_upper(&c, dir, d);
    if (err == 0)
        atomic_store(&lnode(d->inode)->gone, true);
    return change_end(&c, err);
}
int layers_unlink(struct inode *dir, struct dentry *d) { return remove_name(dir, d); }
int layers_rmdir(struct inode *dir, struct dentry *d) {
    int err = layers_empty(d->inode);
    return err ? err : remove_name(dir, d);
}

// ---- rename -----------------------------------------------------------------------------------------------
// A directory with lower parts stays where they are.
static int may_move(const struct inode *i) {
    return inode_is_dir(i) && lnode(i)->n ? -LINUX_EXDEV : 0;
}
// What is moved to a name of dir hides what lies below there.
static int hide_at(struct change *c, struct inode *moved, struct inode *dir, const char *name) {
    int has = inode_is_dir(moved) ? lower_has(dir, name) : 0;
    struct path p = upper_of(c->o, moved);
    return has > 0 ? set_opaque(c, &p) : has;
}
static int exchange(struct change *c, struct inode *odir, struct dentry *od, struct inode *ndir,
                    struct dentry *nd) {
    struct path from = upper_of(c->o, odir), to = upper_of(c->o, ndir);
    int err = hide_at(c, od->inode, ndir, nd->name);
    err = err ? err : hide_at(c, nd->inode, odir, od->name);
    return err ? err : vfs_rename(&c->ctx, &from, od->name, &to, nd->name, LINUX_RENAME_EXCHANGE);
}
// By way of the working directory: out of it for a whiteout, if the name has one below, and into the new
// place for what is there. Each step is undone by itself the other way round.
static int move_in_steps(struct change *c, const struct path *from, struct dentry *od, const struct path *to,
                         struct dentry *nd, unsigned out, unsigned in) {
    const struct path *work = &c->work;
    char temp[TEMP_SIZE];
    if (out)
        memcpy(temp, c->whiteout, sizeof temp);
    else
        layers_temp_name(c->o, temp, sizeof temp);
    int err = out ? vfs_rename(&c->ctx, work, temp, from, od->name, out)
                  : vfs_rename(&c->ctx, from, od->name, work, temp, 0);
    if (err)
        return err;
    err = vfs_rename(&c->ctx, work, temp, to, nd->name, in);
    if (err) {
        int back = vfs_rename(&c->ctx, work, temp, from, od->name, out);
        if (back)
            *c->whiteout = '\0';  // it is the object
        return err;
    }
    *c->whiteout = '\0';
    if (!in)
        return 0;
    if (nd->inode)
        discard(c, nd->inode, temp);
    else
        vfs_unlink(&c->ctx, work, temp);
    return 0;
}
static int move(struct change *c, struct inode *odir, struct dentry *od, struct inode *ndir,
                struct dentry *nd) {
    struct path from = upper_of(c->o, odir), to = upper_of(c->o, ndir);
    struct inode *victim = nd->inode;
    bool dir = inode_is_dir(od->inode);
    int has = lower_has(odir, od->name);
    int err = has > 0 ? prepare_whiteout(c) : has;
    err = err ? err : hide_at(c, od->inode, ndir, nd->name);
    int white = err || !dir ? 0 : has_whiteout(c->o, ndir, nd->name);
    err = err || white >= 0 ? err : white;
    if (err)
        return err;
    bool swaps = white || (dir && victim && lnode_upper(lnode(victim)));
    if (has || swaps)
        err = move_in_steps(c, &from, od, &to, nd, has ? LINUX_RENAME_EXCHANGE : 0,
                            swaps ? LINUX_RENAME_EXCHANGE : 0);
    else
        err = vfs_rename(&c->ctx, &from, od->name, &to, nd->name, 0);
    if (!err && victim)
        atomic_store(&lnode(victim)->gone, true);
    return err;
}
int layers_rename(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
                  unsigned flags) {
    bool swap = flags & LINUX_RENAME_EXCHANGE;
    struct change c;
    bool replaces_dir = !swap && nd->inode && inode_is_dir(nd->inode);
    int err = may_move(od->inode);
    err = err || !swap ? err : may_move(nd->inode);
    err = err || !replaces_dir ? err : layers_empty(nd->inode);
    err = err ? err : layers_copy_up(od->inode, UINT64_MAX);
    err = err || !swap ? err : layers_copy_up(nd->inode, UINT64_MAX);
    err = err ? err : layers_copy_up(ndir, 0);
    err = err ? err : change_begin(&c, odir, NULL);
    if (err)
        return err;
    return change_end(&c, swap ? exchange(&c, odir, od, ndir, nd) : move(&c, odir, od, ndir, nd));
}
