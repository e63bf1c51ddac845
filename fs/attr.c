// SPDX-License-Identifier: Apache-2.0
// Permissions and attributes: who may do what to an inode, stat, chmod, chown, utimes, truncate, extended
// attributes. The rules are those of Linux' fs/attr.c and fs/xattr.c as documented in capabilities(7),
// chmod(2), chown(2), xattr(7). Mode and owner are read without the inode's lock: they change one at a time,
// as with a racing caller on Linux.
#include "abi/caps.h"
#include "abi/misc.h"
#include "fs/core.h"
#include "fs/notify.h"
#include <string.h>

#define LOAD(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)

bool cred_has(const struct vfs_cred *c, unsigned cap) { return c->caps >> cap & 1; }
bool cred_in_group(const struct vfs_cred *c, uint32_t gid) {
    if (c->fsgid == gid)
        return true;
    for (unsigned k = 0; k < c->ngroups; k++)
        if (c->groups[k] == gid)
            return true;
    return false;
}
static bool owner_or_capable(const struct inode *i, const struct vfs_cred *c) {
    return LOAD(i->attr.uid) == c->fsuid || cred_has(c, LINUX_CAP_FOWNER);
}

int vfs_mode_permission(struct inode *i, int mask, const struct vfs_cred *c) {
    uint32_t mode = LOAD(i->attr.mode), bits = mode;
    if (LOAD(i->attr.uid) == c->fsuid)
        bits >>= 6;
    else if ((mode & 070) != (mode & 07) << 3 && cred_in_group(c, LOAD(i->attr.gid)))
        bits >>= 3;
    if (!(mask & ~bits & 7))
        return 0;
    if (LINUX_S_ISDIR(mode)) {
        if (!(mask & MAY_WRITE) && cred_has(c, LINUX_CAP_DAC_READ_SEARCH))
            return 0;
        return cred_has(c, LINUX_CAP_DAC_OVERRIDE) ? 0 : -LINUX_EACCES;
    }
    if (mask == MAY_READ && cred_has(c, LINUX_CAP_DAC_READ_SEARCH))
        return 0;
    if ((!(mask & MAY_EXEC) || (mode & 0111)) && cred_has(c, LINUX_CAP_DAC_OVERRIDE))
        return 0;
    return -LINUX_EACCES;
}
int vfs_permission(struct inode *i, int mask, const struct vfs_cred *c) {
    unsigned type = inode_type(i);
    if ((mask & MAY_WRITE) && i->sb->read_only &&
        (type == LINUX_S_IFREG || type == LINUX_S_IFDIR || type == LINUX_S_IFLNK))
        return -LINUX_EROFS;
    return i->ops->permission ? i->ops->permission(i, mask, c) : vfs_mode_permission(i, mask, c);
}
int vfs_access(const struct path *p, int mask, const struct vfs_cred *c) {
    struct inode *i = p->dentry->inode;
    unsigned type = inode_type(i);
    if ((mask & MAY_EXEC) && type == LINUX_S_IFREG && (p->mnt->flags & LINUX_MS_NOEXEC))
        return -LINUX_EACCES;
    int err = vfs_permission(i, mask, c);
    if (!err && (mask & MAY_WRITE) && path_read_only(p) &&
        (type == LINUX_S_IFREG || type == LINUX_S_IFDIR || type == LINUX_S_IFLNK))
        return -LINUX_EROFS;
    return err;
}

// ---- Reading and writing the block ------------------------------------------------------------------------
int inode_attr(struct inode *i, struct vfs_attr *out) {
    if (i->ops->getattr)
        return i->ops->getattr(i, out);
    lock_nested(&i->lock);  // an overlay asks its lower file system
    *out = i->attr;
    lock_drop(&i->lock);
    return 0;
}
int vfs_getattr(const struct path *p, struct vfs_attr *out) { return inode_attr(p->dentry->inode, out); }
int inode_setattr(struct inode *i, const struct vfs_attr *a, unsigned which) {
    if (!i->ops->setattr)
        return i->sb->read_only ? -LINUX_EROFS : -LINUX_EPERM;
    return i->ops->setattr(i, a, which);
}
int inode_setattr_block(struct inode *i, const struct vfs_attr *a, unsigned which) {
    if (which & ATTR_SIZE)
        return -LINUX_EINVAL;
    LOCKED(&i->lock);
    inode_apply_attr(&i->attr, a, which);
    return 0;
}
// As Linux' fsnotify_change() has it: setting both times is utime(2), one alone is what reading or writing
// does.
static uint32_t told_of(unsigned which) {
    uint32_t event = which & (ATTR_UID | ATTR_GID | ATTR_MODE | ATTR_KILL_PRIV) ? LINUX_IN_ATTRIB : 0;
    unsigned times = which & (ATTR_ATIME | ATTR_MTIME);
    if (which & ATTR_SIZE)
        return event | LINUX_IN_MODIFY;
    if (times == (ATTR_ATIME | ATTR_MTIME))
        event |= LINUX_IN_ATTRIB;
    else if (times)
        event |= times == ATTR_ATIME ? LINUX_IN_ACCESS : LINUX_IN_MODIFY;
    return event;
}
int dentry_setattr(struct dentry *d, const struct vfs_attr *a, unsigned which) {
    int err = inode_setattr(d->inode, a, which);
    if (!err && notify_on())
        notify_object(d, told_of(which), false);
    return err;
}
bool inode_must_drop_priv(const struct inode *i, const struct vfs_cred *c) {
    uint32_t mode = LOAD(i->attr.mode);
    bool priv =
        (mode & LINUX_S_ISUID) || (mode & (LINUX_S_ISGID | LINUX_S_IXGRP)) == (LINUX_S_ISGID | LINUX_S_IXGRP);
    return priv && LINUX_S_ISREG(mode) && !cred_has(c, LINUX_CAP_FSETID);
}
// writers: how many have it open for writing, or, negative, how many are executing it.
static int writers_move(struct inode *i, int by) {
    int32_t n = atomic_load(&i->writers);
    do {
        if (by > 0 ? n < 0 : n > 0)
            return -LINUX_ETXTBSY;
    } while (!atomic_compare_exchange_weak(&i->writers, &n, n + by));
    return 0;
}
int inode_write_begin(struct inode *i) { return writers_move(i, 1); }
int inode_exec_begin(struct inode *i) { return writers_move(i, -1); }

// ---- chmod, chown, utimes ---------------------------------------------------------------------------------
int vfs_chmod(const struct vfs_ctx *ctx, const struct path *p, uint32_t mode) {
    struct inode *i = p->dentry->inode;
    if (path_read_only(p))
        return -LINUX_EROFS;
    if (inode_type(i) == LINUX_S_IFLNK)
        return -LINUX_EOPNOTSUPP;
    if (!owner_or_capable(i, &ctx->cred))
        return -LINUX_EPERM;
    struct vfs_attr a = {.mode = mode & LINUX_S_IALLUGO};
    if (!cred_in_group(&ctx->cred, LOAD(i->attr.gid)) && !cred_has(&ctx->cred, LINUX_CAP_FSETID))
        a.mode &= ~(uint32_t)LINUX_S_ISGID;
    return dentry_setattr(p->dentry, &a, ATTR_MODE);
}
int vfs_chown(const struct vfs_ctx *ctx, const struct path *p, uint32_t uid, uint32_t gid) {
    struct inode *i = p->dentry->inode;
    const struct vfs_cred *c = &ctx->cred;
    uint32_t ouid = LOAD(i->attr.uid), ogid = LOAD(i->attr.gid);
    if (path_read_only(p))
        return -LINUX_EROFS;
    bool cap = cred_has(c, LINUX_CAP_CHOWN), owner = c->fsuid == ouid;
    if (uid != ~0u && !cap && !(owner && uid == ouid))
        return -LINUX_EPERM;
    if (gid != ~0u && !cap && !(owner && (gid == ogid || cred_in_group(c, gid))))
        return -LINUX_EPERM;
    struct vfs_attr a = {.uid = uid, .gid = gid};
    unsigned which = (uid != ~0u ? ATTR_UID : 0) | (gid != ~0u ? ATTR_GID : 0);
    if (!inode_is_dir(i)) {
        which |= ATTR_KILL_PRIV;
        uint32_t mode = LOAD(i->attr.mode);
        // Set-gid without group execute goes too, when the caller could not have set it.
        if ((mode & LINUX_S_ISGID) && !(mode & LINUX_S_IXGRP) && !cred_in_group(c, ogid) &&
            !cred_has(c, LINUX_CAP_FSETID)) {
            a.mode = mode & LINUX_S_IALLUGO & ~(uint32_t)LINUX_S_ISGID;
            which |= ATTR_MODE;
        }
    }
    if (which == ATTR_KILL_PRIV && !(LOAD(i->attr.mode) & (LINUX_S_ISUID | LINUX_S_ISGID)))
        return inode_setattr(i, &a, which);  // nothing but ctime
    return which ? dentry_setattr(p->dentry, &a, which) : 0;
}
int vfs_utimes(const struct vfs_ctx *ctx, const struct path *p, int64_t atime, int64_t mtime) {
    struct inode *i = p->dentry->inode;
    if (path_read_only(p))
        return -LINUX_EROFS;
    if (atime == VFS_TIME_OMIT && mtime == VFS_TIME_OMIT)
        return 0;
    if (!owner_or_capable(i, &ctx->cred)) {
        if (atime != VFS_TIME_NOW || mtime != VFS_TIME_NOW)
            return -LINUX_EPERM;
        int err = vfs_permission(i, MAY_WRITE, &ctx->cred);
        if (err)
            return err;
    }
    int64_t now = inode_now();
    struct vfs_attr a = {.atime = atime == VFS_TIME_NOW ? now : atime,
                         .mtime = mtime == VFS_TIME_NOW ? now : mtime};
    return dentry_setattr(
        p->dentry, &a, (atime != VFS_TIME_OMIT ? ATTR_ATIME : 0) | (mtime != VFS_TIME_OMIT ? ATTR_MTIME : 0));
}

// ---- truncate ---------------------------------------------------------------------------------------------
static int truncate_dentry(const struct vfs_ctx *ctx, struct dentry *d, uint64_t size) {
    struct inode *i = d->inode;
    if (size > INT64_MAX)
        return -LINUX_EINVAL;
    struct vfs_attr old;
    int err = inode_attr(i, &old);
    if (err)
        return err;
    if (size > ctx->fsize_limit && size > old.size)
        return -LINUX_EFBIG;
    struct vfs_attr a = {.size = size, .mtime = inode_now()};
    unsigned kill = inode_must_drop_priv(i, &ctx->cred) ? ATTR_KILL_PRIV : 0;
    return dentry_setattr(d, &a, ATTR_SIZE | ATTR_MTIME | kill);
}
int vfs_truncate(const struct vfs_ctx *ctx, const struct path *p, uint64_t size) {
    struct inode *i = p->dentry->inode;
    if (inode_is_dir(i))
        return -LINUX_EISDIR;
    if (!inode_is_reg(i))
        return -LINUX_EINVAL;
    if (path_read_only(p))
        return -LINUX_EROFS;
    int err = vfs_permission(i, MAY_WRITE, &ctx->cred);
    if (err)
        return err;
    err = inode_write_begin(i);
    if (err)
        return err;
    err = truncate_dentry(ctx, p->dentry, size);
    inode_write_end(i);
    return err;
}
int vfs_ftruncate(const struct vfs_ctx *ctx, struct file *f, uint64_t size) {
    if (f->mode & FMODE_PATH)
        return -LINUX_EBADF;
    if (!inode_is_reg(f->inode) || !(f->mode & FMODE_WRITE))
        return -LINUX_EINVAL;
    return truncate_dentry(ctx, f->path.dentry, size);
}

int vfs_statfs(const struct path *p, struct linux_statfs *out) {
    struct superblock *sb = p->dentry->sb;
    *out = (struct linux_statfs){.f_type = (int64_t)sb->magic,
                                 .f_bsize = GUEST_PAGE_SIZE,
                                 .f_frsize = GUEST_PAGE_SIZE,
                                 .f_namelen = LINUX_NAME_MAX};
    out->f_fsid[0] = (int32_t)sb->dev;
    int err = sb->ops->statfs ? sb->ops->statfs(sb, out) : 0;
    out->f_flags = LINUX_ST_VALID | LINUX_ST_RELATIME;
    if (path_read_only(p))
        out->f_flags |= LINUX_ST_RDONLY;
    if (p->mnt)
        out->f_flags |= p->mnt->flags & (LINUX_MS_NOSUID | LINUX_MS_NODEV | LINUX_MS_NOEXEC);
    return err;
}

int inode_may_link(struct inode *i, const struct vfs_cred *c) {
    const uint32_t set_gid = LINUX_S_ISGID | LINUX_S_IXGRP;
    uint32_t mode = LOAD(i->attr.mode);
    if (owner_or_capable(i, c) || !knob(&i->sb->vfs->knobs, KNOB_PROTECTED_HARDLINKS))
        return 0;
    if (!LINUX_S_ISREG(mode) || (mode & LINUX_S_ISUID) || (mode & set_gid) == set_gid)
        return -LINUX_EPERM;
    return vfs_permission(i, MAY_READ | MAY_WRITE, c) ? -LINUX_EPERM : 0;
}

// ---- Extended attributes ----------------------------------------------------------------------------------
static bool starts(const char *s, const char *prefix) { return !strncmp(s, prefix, strlen(prefix)); }
static int xattr_permission(const struct vfs_ctx *ctx, struct inode *i, const char *name, int mask) {
    bool write = mask & MAY_WRITE;
    const int refused = write ? -LINUX_EPERM : -LINUX_ENODATA;  // who may not see them finds none
    size_t len = strnlen(name, LINUX_XATTR_NAME_MAX + 1);
    if (len == 0 || len > LINUX_XATTR_NAME_MAX)
        return -LINUX_ERANGE;
    if (starts(name, "security.") && write)
        return cred_has(&ctx->cred, LINUX_CAP_SYS_ADMIN) ? 0 : -LINUX_EPERM;
    if (starts(name, "security.") || starts(name, "system."))
        return 0;
    if (starts(name, "trusted."))
        return cred_has(&ctx->cred, LINUX_CAP_SYS_ADMIN) ? 0 : refused;
    if (starts(name, "user.")) {
        uint32_t mode = LOAD(i->attr.mode);
        if (!LINUX_S_ISREG(mode) && !LINUX_S_ISDIR(mode))
            return refused;
        if (write && LINUX_S_ISDIR(mode) && (mode & LINUX_S_ISVTX) && !owner_or_capable(i, &ctx->cred))
            return -LINUX_EPERM;
    }
    return vfs_permission(i, mask, &ctx->cred);
}
// Whether the file system may be asked: it has the call, and behind the prefix there is a name.
static int xattr_check(const struct vfs_ctx *ctx, struct inode *i, const char *name, int mask,
                       bool has_call) {
    int err = xattr_permission(ctx, i, name, mask);
    if (err)
        return err;
    if (!has_call)
        return -LINUX_EOPNOTSUPP;
    bool bare = !strcmp(name, "user.") || !strcmp(name, "trusted.") || !strcmp(name, "security.");
    return bare ? -LINUX_EINVAL : 0;
}
int64_t vfs_getxattr(const struct vfs_ctx *ctx, const struct path *p, const char *name, void *buf,
                     size_t size) {
    struct inode *i = p->dentry->inode;
    int err = xattr_check(ctx, i, name, MAY_READ, i->ops->getxattr);
    return err ? err : i->ops->getxattr(i, name, buf, size);
}
int vfs_setxattr(const struct vfs_ctx *ctx, const struct path *p, const char *name, const void *v, size_t n,
                 int flags) {
    struct inode *i = p->dentry->inode;
    if (flags & ~(LINUX_XATTR_CREATE | LINUX_XATTR_REPLACE) ||
        flags == (LINUX_XATTR_CREATE | LINUX_XATTR_REPLACE))
        return -LINUX_EINVAL;
    if (n > LINUX_XATTR_SIZE_MAX)
        return -LINUX_E2BIG;
    if (path_read_only(p))
        return -LINUX_EROFS;
    int err = xattr_check(ctx, i, name, MAY_WRITE, i->ops->setxattr);
    if (err)
        return err;
    err = i->ops->setxattr(i, name, v, n, flags);
    if (!err && notify_on())
        notify_object(p->dentry, LINUX_IN_ATTRIB, false);
    return err;
}
int64_t vfs_listxattr(const struct vfs_ctx *ctx, const struct path *p, char *buf, size_t size) {
    struct inode *i = p->dentry->inode;
    return i->ops->listxattr ? i->ops->listxattr(i, buf, size) : 0;
}
int vfs_removexattr(const struct vfs_ctx *ctx, const struct path *p, const char *name) {
    struct inode *i = p->dentry->inode;
    if (path_read_only(p))
        return -LINUX_EROFS;
    int err = xattr_check(ctx, i, name, MAY_WRITE, i->ops->removexattr);
    if (err)
        return err;
    err = i->ops->removexattr(i, name);
    if (!err && notify_on())
        notify_object(p->dentry, LINUX_IN_ATTRIB, false);
    return err;
}
