// SPDX-License-Identifier: Apache-2.0
// Copying up: an object is made in the working directory with all that it has (bytes, attributes, extended
// attributes, ACLs, times), then renamed to its place, so that nobody ever finds half of one. Its directories
// come first, each empty. No lock is held while bytes are copied: who is late finds the place taken, and
// throws its copy away.
#include "abi/misc.h"
#include "base/cleanup.h"
#include "fs/layers/layers.h"
#include <stdio.h>
#include <string.h>

#define CHUNK     65536u
#define TEMP_SIZE 24u

void layers_ctx(const struct layers *o, const struct vfs_ctx *caller, struct vfs_ctx *out) {
    *out = o->ctx;
    out->root = out->cwd = (struct path){o->upper, o->upper->root};
    if (caller) {
        out->cred.fsuid = caller->cred.fsuid;
        out->cred.fsgid = caller->cred.fsgid;
    }
}
void layers_temp_name(struct layers *o, char *buf, size_t size) {
    snprintf(buf, size, "#%llx", (unsigned long long)atomic_fetch_add(&o->temp, 1));
}

// ---- What an object has -----------------------------------------------------------------------------------
static int copy_bytes(struct layers *o, const struct path *from, struct dentry *to, uint64_t bytes) {
    struct file *in, *out;
    char *buf cleanup_free = xcalloc(1, CHUNK);
    int err = buf ? layers_open_real(o, from, LINUX_O_RDONLY, MAY_READ, &in) : -LINUX_ENOMEM;
    if (err)
        return err;
    err = file_open_dentry(o->upper, to, LINUX_O_RDWR, &out);
    if (err) {
        file_put(in);
        return err;
    }
    for (uint64_t off = 0; !err && off < bytes;) {
        struct uio_kernel k;
        if (vfs_caller_dies(o->ctx.vfs)) {
            err = -LINUX_EINTR;
            break;
        }
        int64_t n = vfs_kread(in, buf, bytes - off < CHUNK ? (size_t)(bytes - off) : CHUNK, off);
        if (n <= 0) {
            err = (int)n;
            break;
        }
        uio_kernel_init(&k, buf, (size_t)n);
        int64_t done = out->ops->write ? out->ops->write(out, &k.u, off) : -LINUX_EIO;
        if (done != n)
            err = done < 0 ? (int)done : -LINUX_ENOSPC;
        off += (uint64_t)n;
    }
    file_put(out);
    file_put(in);
    return err;
}
static int copy_xattr(struct inode *from, struct inode *to, const char *name) {
    char *v cleanup_free = NULL;
    int64_t n = from->ops->getxattr(from, name, NULL, 0);
    if (n < 0)
        return n == -LINUX_ENODATA ? 0 : (int)n;
    if (n == 0)
        return to->ops->setxattr(to, name, "", 0, 0);
    v = xcalloc(1, (size_t)n);
    if (!v)
        return -LINUX_ENOMEM;
    n = from->ops->getxattr(from, name, v, (size_t)n);
    return n < 0 ? (int)n : to->ops->setxattr(to, name, v, (size_t)n, 0);
}
// Those of overlays themselves stay where they are, and ACLs are no text.
static bool is_plain(const char *name) {
    return strncmp(name, "trusted.overlay.", 16) && strncmp(name, "user.overlay.", 13) &&
           strncmp(name, "system.", 7);
}
static int copy_xattrs(struct inode *from, struct inode *to) {
    if (!from->ops->listxattr || !from->ops->getxattr || !to->ops->setxattr)
        return 0;
    int64_t len = from->ops->listxattr(from, NULL, 0, true);
    if (len <= 0)
        return len == -LINUX_EOPNOTSUPP ? 0 : (int)len;
    char *names cleanup_free = xcalloc(1, (size_t)len + 1);
    if (!names)
        return -LINUX_ENOMEM;
    len = from->ops->listxattr(from, names, (size_t)len, true);
    for (int64_t at = 0; at < len; at += (int64_t)strlen(names + at) + 1) {
        int err = is_plain(names + at) ? copy_xattr(from, to, names + at) : 0;
        if (err && err != -LINUX_EOPNOTSUPP)
            return err;
    }
    return len < 0 ? (int)len : 0;
}
static int copy_acls(struct inode *from, struct inode *to) {
    for (enum acl_kind k = 0; k < ACL_KINDS; k++) {
        struct acl *a = inode_acl(from, k);
        int err = a && to->ops->set_acl ? to->ops->set_acl(to, k, a, true) : 0;
        if (a && !to->ops->set_acl)
            acl_put(a);
        if (err)
            return err;
    }
    return 0;
}
// In an order in which nothing undoes what came before.
static int copy_attributes(struct inode *from, struct inode *to, const struct vfs_attr *a) {
    int err = inode_setattr(to, a, ATTR_UID | ATTR_GID | (inode_is_lnk(to) ? 0 : ATTR_MODE));
    err = err ? err : copy_xattrs(from, to);
    err = err ? err : copy_acls(from, to);
    return err ? err : inode_setattr(to, a, ATTR_ATIME | ATTR_MTIME);
}

// ---- One object -------------------------------------------------------------------------------------------
static int make(const struct layers *o, const struct vfs_ctx *ctx, struct inode *real,
                const struct vfs_attr *a, const char *temp) {
    const struct path work = {o->upper, o->work};
    char target[LINUX_PATH_MAX];
    if (inode_is_dir(real))
        return vfs_mkdir(ctx, &work, temp, 0700);
    if (!inode_is_lnk(real))
        return vfs_mknod(ctx, &work, temp, (a->mode & LINUX_S_IFMT) | 0600, a->rdev, NULL);
    int err = real->ops->readlink ? real->ops->readlink(real, target, sizeof target) : -LINUX_EINVAL;
    return err < 0 ? err : vfs_symlink(ctx, target, &work, temp);
}
static int fill(struct layers *o, const struct path *real, const char *temp, struct vfs_attr *a,
                uint64_t bytes) {
    struct dentry *d;
    int err = dcache_lookup(o->work, temp, strlen(temp), NULL, &d);
    if (err)
        return err;
    bool is_file = d->inode && inode_is_reg(d->inode);
    err = d->inode ? 0 : -LINUX_EIO;
    err = is_file ? copy_bytes(o, real, d, bytes < a->size ? bytes : a->size) : err;
    err = err ? err : copy_attributes(real->dentry->inode, d->inode, a);
    dentry_put(d);
    return err;
}
static void throw_away(const struct layers *o, const struct vfs_ctx *ctx, const char *temp, bool dir) {
    const struct path work = {o->upper, o->work};
    if (dir)
        vfs_rmdir(ctx, &work, temp);
    else
        vfs_unlink(ctx, &work, temp);
}
// To its place, below a directory that is there. That one has the same times as before.
static int put_in_place(struct inode *i, const struct vfs_ctx *ctx, const char *temp, const char *name) {
    struct layers *o = layers_of(i);
    struct lnode *n = lnode(i);
    const struct path work = {o->upper, o->work}, up = {o->upper, lnode_upper(lnode(n->parent->inode))};
    struct vfs_attr was;
    struct dentry *d;
    LOCKED(&o->change);
    if (lnode_upper(n))
        return -LINUX_EEXIST;  // another was first
    if (atomic_load(&n->gone))
        return -LINUX_ENOENT;
    int err = inode_attr(up.dentry->inode, &was);
    err = err ? err : vfs_rename(ctx, &work, temp, &up, name, LINUX_RENAME_NOREPLACE);
    if (err)
        return err == -LINUX_EEXIST ? -LINUX_EIO : err;
    inode_setattr(up.dentry->inode, &was, ATTR_ATIME | ATTR_MTIME);
    err = dcache_lookup(up.dentry, name, strlen(name), NULL, &d);
    if (err)
        return err;
    if (!d->inode || inode_type(d->inode) != inode_type(i)) {  // another has put something else there since
        dentry_put(d);
        return -LINUX_EIO;
    }
    layers_rekey(i, d);
    return 0;
}
// Of owners that who mounted us does not know nothing is made: a set-uid program would be one of theirs in a
// place of that one's choice.
static bool knows_owners(const struct layers *o, const struct vfs_attr *a) {
    const struct vfs_cred *c = &o->ctx.cred;
    return idmap_out(c->uids, a->uid) != ID_NONE && idmap_out(c->gids, a->gid) != ID_NONE;
}
static int copy_one(struct inode *i, uint64_t bytes) {
    struct layers *o = layers_of(i);
    struct lnode *n = lnode(i);
    struct path real = lnode_real(o, n);
    char temp[TEMP_SIZE];
    struct vfs_ctx ctx;
    struct vfs_attr a;
    int err = inode_attr(real.dentry->inode, &a);
    if (err)
        return err;
    if (!knows_owners(o, &a))
        return -LINUX_EOVERFLOW;
    layers_ctx(o, NULL, &ctx);
    layers_temp_name(o, temp, sizeof temp);
    err = make(o, &ctx, real.dentry->inode, &a, temp);
    if (err)
        return err;
    err = fill(o, &real, temp, &a, bytes);
    err = err ? err : put_in_place(i, &ctx, temp, n->lower[0].d->name);
    if (err)
        throw_away(o, &ctx, temp, inode_is_dir(i));
    return err == -LINUX_EEXIST ? 0 : err;
}
int layers_copy_up(struct inode *i, uint64_t bytes) {
    struct layers *o = layers_of(i);
    if (lnode_upper(lnode(i)))
        return 0;
    if (!o->upper)
        return -LINUX_EROFS;
    while (!lnode_upper(lnode(i))) {
        struct inode *top = i;
        for (struct inode *up; (up = lnode(top)->parent->inode, !lnode_upper(lnode(up)));)
            top = up;
        int err = vfs_caller_dies(o->ctx.vfs) ? -LINUX_EINTR : copy_one(top, bytes);
        if (err)
            return err;
        layers_sync(top);
    }
    return 0;
}
