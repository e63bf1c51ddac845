// SPDX-License-Identifier: Apache-2.0
// Making one: the layers are checked against each other, the working directory is made ready.
#include "abi/misc.h"
#include "base/fault.h"
#include "fs/layers/layers.h"
#include "fs/mnt.h"
#include <string.h>

static int statfs_real(struct superblock *sb, struct linux_statfs *out) {
    const struct layers *o = sb->priv;
    struct superblock *real = (o->upper ? o->upper : o->lower[0])->sb;
    return real->ops->statfs ? real->ops->statfs(real, out) : 0;
}
static void layers_free(struct layers *o) {
    dentry_put(o->work);
    mount_put(o->upper);
    for (unsigned k = 0; k < o->n; k++)
        mount_put(o->lower[k]);
    free(o->lower);
    if (o->cred)
        o->cred_put(o->cred);
    budget_give(vfs_buffers(o->ctx.vfs), o->charged);
    lock_destroy(&o->change);
    lock_destroy(&o->lock);
    free(o);
}
static void kill_super(struct superblock *sb) {
    if (sb->priv)
        layers_free(sb->priv);
}
static const struct super_ops layers_super_ops = {.statfs = statfs_real, .kill = kill_super};
bool layers_can_change(const struct superblock *sb) { return ((struct layers *)sb->priv)->upper; }
bool layers_is(const struct superblock *sb) { return sb->ops == &layers_super_ops; }

// ---- Which directories go together ------------------------------------------------------------------------
static bool lies_in(const struct path *a, const struct path *b) {
    return a->dentry->sb == b->dentry->sb && dentry_lies_below(a->dentry, b->dentry);
}
static bool overlaps(const struct path *a, const struct path *b) { return lies_in(a, b) || lies_in(b, a); }
// What has no lasting names cannot be a layer; nor layers of layers of layers.
static bool may_be_layer(const struct path *p) {
    const struct superblock *sb = p->dentry->sb;
    if (sb->no_dcache || !p->dentry->inode || !inode_is_dir(p->dentry->inode))
        return false;
    if (!layers_is(sb))
        return true;
    const struct layers *o = sb->priv;
    for (unsigned k = 0; k < o->n; k++)
        if (layers_is(o->lower[k]->sb))
            return false;
    return true;
}
static int check_upper(const struct layers_opts *m) {
    if (m->upper->mnt != m->work->mnt || overlaps(m->upper, m->work))
        return -LINUX_EINVAL;
    if (!may_be_layer(m->upper) || !may_be_layer(m->work) || layers_is(m->upper->dentry->sb))
        return -LINUX_EINVAL;
    return path_read_only(m->upper) ? -LINUX_EINVAL : 0;
}
static int check(const struct layers_opts *m) {
    if (m->nlower == 0 || (!m->upper && m->nlower < 2) || m->nlower > LAYERS_MAX)
        return -LINUX_EINVAL;
    int err = m->upper ? check_upper(m) : 0;
    for (unsigned k = 0; k < m->nlower && !err; k++) {
        if (!may_be_layer(&m->lower[k]))
            err = -LINUX_EINVAL;
        else if (m->upper && (overlaps(&m->lower[k], m->upper) || overlaps(&m->lower[k], m->work)))
            err = -LINUX_ELOOP;
    }
    return err;
}

// ---- Their mounts -----------------------------------------------------------------------------------------
static struct mount *own_mount(struct vfs *v, const struct path *p) {
    unsigned flags = (p->mnt->flags & LINUX_MS_RDONLY) | LINUX_MS_NOATIME;
    struct superblock *sb = p->dentry->sb;
    ref_get(&sb->active);
    struct mount *m = mount_new(v, sb, p->dentry, flags, "overlay");
    if (!m)
        super_put(sb);
    return m;
}
static int mount_layers(struct vfs *v, struct layers *o, const struct layers_opts *m) {
    o->one_fs = true;
    o->lower = xcalloc(m->nlower, sizeof *o->lower);
    if (!o->lower)
        return -LINUX_ENOMEM;
    for (; o->n < m->nlower; o->n++) {
        o->lower[o->n] = own_mount(v, &m->lower[o->n]);
        if (!o->lower[o->n])
            return -LINUX_ENOMEM;
        o->one_fs = o->one_fs && m->lower[o->n].dentry->sb == m->lower[0].dentry->sb;
    }
    o->upper = m->upper ? own_mount(v, m->upper) : NULL;
    if (m->upper && !o->upper)
        return -LINUX_ENOMEM;
    o->one_fs = o->one_fs && (!o->upper || o->upper->sb == o->lower[0]->sb);
    return 0;
}

// ---- The working directory --------------------------------------------------------------------------------
struct sweep {
    const struct layers *o;
    const struct vfs_ctx *ctx;
    struct path dir;
};
// What a mount before left there. "incompat" is a word for later ones: they are not to use it.
static int unlink_one(void *arg, const char *name) {
    struct sweep *s = arg;
    return vfs_unlink(s->ctx, &s->dir, name);
}
// A directory was empty when it came there, but for whiteouts.
static int sweep_dir(const struct sweep *s, const char *name) {
    struct sweep in = {s->o, s->ctx, {s->dir.mnt, NULL}};
    int err = dcache_lookup(s->dir.dentry, name, strlen(name), NULL, &in.dir.dentry);
    if (err)
        return err;
    err = in.dir.dentry->inode ? layers_each(s->o, &in.dir, unlink_one, &in) : 0;
    dentry_put(in.dir.dentry);
    return err ? err : vfs_rmdir(s->ctx, &s->dir, name);
}
static int sweep_one(void *arg, const char *name) {
    struct sweep *s = arg;
    if (!strcmp(name, "incompat"))
        return -LINUX_EINVAL;
    int err = vfs_unlink(s->ctx, &s->dir, name);
    return err == -LINUX_EISDIR ? sweep_dir(s, name) : err;
}
static int find_work(struct layers *o, const struct path *base) {
    int err = dcache_lookup(base->dentry, "work", 4, NULL, &o->work);
    if (err)
        return err;
    return o->work->inode && inode_is_dir(o->work->inode) ? 0 : -LINUX_EINVAL;
}
// Can the upper file system hold whiteouts?
static int try_whiteout(struct layers *o, const struct vfs_ctx *ctx) {
    const struct path work = {o->upper, o->work};
    int err = vfs_mknod(ctx, &work, "#", LINUX_S_IFCHR, 0, NULL);
    return err ? err : vfs_unlink(ctx, &work, "#");
}
static int prepare_work(struct layers *o, const struct layers_opts *m) {
    struct vfs_ctx ctx;
    layers_ctx(o, NULL, &ctx);
    const struct path base = {o->upper, m->work->dentry};
    int err = vfs_mkdir(&ctx, &base, "work", 0);
    if (err && err != -LINUX_EEXIST)
        return err;
    err = find_work(o, &base);
    if (err)
        return err;
    struct sweep s = {o, &ctx, {o->upper, o->work}};
    err = layers_each(o, &s.dir, sweep_one, &s);
    err = err ? err : try_whiteout(o, &ctx);
    if (err || !m->is_volatile)
        return err;
    err = vfs_mkdir(&ctx, &s.dir, "incompat", 0700);
    return err ? err : vfs_mkdir(&ctx, &s.dir, "incompat/volatile", 0700);
}

// ---- The file system --------------------------------------------------------------------------------------
static int make_root(struct superblock *sb, const struct layers_opts *m) {
    struct below *lower = xcalloc(m->nlower, sizeof *lower);
    struct inode *i;
    if (!lower)
        return -LINUX_ENOMEM;
    for (unsigned k = 0; k < m->nlower; k++)
        lower[k] = (struct below){dentry_get(m->lower[k].dentry), k};
    int err = layers_inode(sb, NULL, m->upper ? dentry_get(m->upper->dentry) : NULL, lower, m->nlower, &i);
    free(lower);
    if (err)
        return err;
    sb->root = dentry_root(sb, i);
    if (!sb->root)
        inode_put(i);
    return sb->root ? 0 : -LINUX_ENOMEM;
}
static struct layers *layers_new(const struct layers_opts *m) {
    struct layers *o = znew(struct layers);
    if (!o)
        return NULL;
    lock_init(&o->change, RANK_LAYERS_CHANGE);
    lock_init(&o->lock, RANK_OBJECT);
    o->userxattr = m->userxattr;
    o->ctx = (struct vfs_ctx){.vfs = m->ctx->vfs, .cred = m->ctx->cred, .fsize_limit = UINT64_MAX};
    o->ctx.cred.landlock = NULL;  // asked where guests name things, not for what lies behind
    return o;
}
static int set_up(struct superblock *sb, struct layers *o, const struct layers_opts *m) {
    uint64_t len = strlen(m->options) + 1;
    if (!budget_take(vfs_buffers(sb->vfs), len))
        return -LINUX_ENOMEM;
    o->charged = len;
    sb->options = xstrdup(m->options);
    int err = sb->options ? mount_layers(sb->vfs, o, m) : -LINUX_ENOMEM;
    err = err || !m->upper ? err : prepare_work(o, m);
    return err ? err : make_root(sb, m);
}
int layers_mount(struct vfs *v, const struct layers_opts *m, struct superblock **out) {
    const uint64_t magic = LINUX_OVERLAYFS_SUPER_MAGIC;
    int err = check(m);
    struct superblock *sb = err ? NULL : super_new(v, &layers_super_ops, "overlay", magic);
    if (!sb)
        return err ? err : -LINUX_ENOMEM;
    lock_destroy(&sb->rename_lock);
    lock_init(&sb->rename_lock, RANK_LAYERS_RENAME);
    struct layers *o = layers_new(m);
    sb->priv = o;
    err = o ? set_up(sb, o, m) : -LINUX_ENOMEM;
    if (err) {
        super_put(sb);
        return err;
    }
    sb->read_only = !o->upper;
    o->cred = m->cred;
    o->cred_put = m->cred_put;
    *out = sb;
    return 0;
}
