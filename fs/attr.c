// SPDX-License-Identifier: Apache-2.0
// Permissions and attributes: who may do what to an inode, stat, chmod, chown, utimes, truncate. The
// rules are those of Linux' fs/attr.c as documented in capabilities(7), chmod(2), chown(2), acl(5),
// chattr(1). Mode and owner are read without the inode's lock: they change one at a time, as with a racing
// caller on Linux.
#include "abi/caps.h"
#include "abi/fileattr.h"
#include "abi/misc.h"
#include "fs/core.h"
#include "fs/landlock.h"
#include "fs/notify.h"
#include <string.h>

#define LOAD(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)

bool cred_has(const struct vfs_cred *c, unsigned cap) { return !c->uids && (c->caps >> cap & 1); }
bool cred_has_over(const struct vfs_cred *c, const struct inode *i, unsigned cap) {
    return (c->caps >> cap & 1) && idmap_out(c->uids, LOAD(i->attr.uid)) != ID_NONE &&
           idmap_out(c->gids, LOAD(i->attr.gid)) != ID_NONE;
}
bool cred_in_group(const struct vfs_cred *c, uint32_t gid) {
    if (c->fsgid == gid)
        return true;
    unsigned low = 0, high = c->ngroups;
    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        if (c->groups[mid] < gid)
            low = mid + 1;
        else
            high = mid;
    }
    return low < c->ngroups && c->groups[low] == gid;
}
bool inode_owner_or_capable(const struct inode *i, const struct vfs_cred *c) {
    return LOAD(i->attr.uid) == c->fsuid || cred_has_over(c, i, LINUX_CAP_FOWNER);
}

// What mode and ACL say, whatever the caller's capabilities. An ACL whose mask lets nothing through is not
// asked, as on Linux.
static int plain_permission(struct inode *i, uint32_t mode, int mask, const struct vfs_cred *c) {
    uint32_t bits = mode;
    if (LOAD(i->attr.uid) == c->fsuid) {
        bits >>= 6;
    } else {
        int err = inode_has_acl(i, ACL_ACCESS) && (mode & 070) ? acl_permission(i, mask, c) : -LINUX_EAGAIN;
        if (err != -LINUX_EAGAIN)
            return err;
        if ((mode & 070) != (mode & 07) << 3 && cred_in_group(c, LOAD(i->attr.gid)))
            bits >>= 3;
    }
    return mask & ~bits & 7 ? -LINUX_EACCES : 0;
}
int vfs_mode_permission(struct inode *i, int mask, const struct vfs_cred *c) {
    uint32_t mode = LOAD(i->attr.mode);
    if (plain_permission(i, mode, mask, c) == 0)
        return 0;
    if (LINUX_S_ISDIR(mode)) {
        if (!(mask & MAY_WRITE) && cred_has_over(c, i, LINUX_CAP_DAC_READ_SEARCH))
            return 0;
        return cred_has_over(c, i, LINUX_CAP_DAC_OVERRIDE) ? 0 : -LINUX_EACCES;
    }
    if (mask == MAY_READ && cred_has_over(c, i, LINUX_CAP_DAC_READ_SEARCH))
        return 0;
    if ((!(mask & MAY_EXEC) || (mode & 0111)) && cred_has_over(c, i, LINUX_CAP_DAC_OVERRIDE))
        return 0;
    return -LINUX_EACCES;
}
int vfs_permission(struct inode *i, int mask, const struct vfs_cred *c) {
    unsigned type = inode_type(i);
    if ((mask & MAY_WRITE) && i->sb->read_only &&
        (type == LINUX_S_IFREG || type == LINUX_S_IFDIR || type == LINUX_S_IFLNK))
        return -LINUX_EROFS;
    if ((mask & MAY_WRITE) && inode_flagged(i, LINUX_FS_IMMUTABLE_FL))
        return -LINUX_EPERM;
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
    if (!i->ops->setattr && i->sb == i->sb->vfs->nameless[NAMELESS_ANON]->sb)
        return -LINUX_EOPNOTSUPP;  // since Linux 6.16
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
    uint32_t event =
        which & (ATTR_UID | ATTR_GID | ATTR_MODE | ATTR_KILL_PRIV | ATTR_KILL_SGID | ATTR_KILL_CAPS)
            ? LINUX_IN_ATTRIB
            : 0;
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
        notify_object(d, told_of(which), NULL);
    return err;
}
// Set-gid without group execute goes too, when the caller could not have set it.
static unsigned kills_sgid(const struct inode *i, uint32_t mode, const struct vfs_cred *c) {
    bool bare = (mode & (LINUX_S_ISGID | LINUX_S_IXGRP)) == LINUX_S_ISGID;
    bool may = cred_in_group(c, LOAD(i->attr.gid)) || cred_has_over(c, i, LINUX_CAP_FSETID);
    return bare && !may ? ATTR_KILL_SGID : 0;
}
unsigned inode_must_drop_priv(const struct inode *i, const struct vfs_cred *c) {
    uint32_t mode = LOAD(i->attr.mode);
    unsigned caps = atomic_load_explicit(&i->file_caps, memory_order_relaxed) ? ATTR_KILL_CAPS : 0;
    if (!(mode & (LINUX_S_ISUID | LINUX_S_ISGID)) || !LINUX_S_ISREG(mode) || cred_has(c, LINUX_CAP_FSETID))
        return caps;
    bool priv = (mode & LINUX_S_ISUID) || (mode & LINUX_S_IXGRP);
    return caps | (priv ? ATTR_KILL_PRIV : 0) | kills_sgid(i, mode, c);
}
// What stands in the way of changing attributes: a flag that chattr(1) has set. touch: the times alone, to
// now, which may be done to a file that is only appended to.
static int may_setattr(const struct inode *i, bool touch) {
    return inode_flagged(i, LINUX_FS_IMMUTABLE_FL | (touch ? 0 : LINUX_FS_APPEND_FL)) ? -LINUX_EPERM : 0;
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
bool vfs_owns(const struct inode *i, const struct vfs_cred *c) { return inode_owner_or_capable(i, c); }
int vfs_chmod(const struct vfs_ctx *ctx, const struct path *p, uint32_t mode) {
    struct inode *i = p->dentry->inode;
    if (path_read_only(p))
        return -LINUX_EROFS;
    if (inode_type(i) == LINUX_S_IFLNK)
        return -LINUX_EOPNOTSUPP;
    if (!inode_owner_or_capable(i, &ctx->cred) || may_setattr(i, false))
        return -LINUX_EPERM;
    struct vfs_attr a = {.mode = mode & LINUX_S_IALLUGO};
    if (!cred_in_group(&ctx->cred, LOAD(i->attr.gid)) && !cred_has_over(&ctx->cred, i, LINUX_CAP_FSETID))
        a.mode &= ~(uint32_t)LINUX_S_ISGID;
    return dentry_setattr(p->dentry, &a, ATTR_MODE);
}
int vfs_chown(const struct vfs_ctx *ctx, const struct path *p, uint32_t uid, uint32_t gid) {
    struct inode *i = p->dentry->inode;
    const struct vfs_cred *c = &ctx->cred;
    uint32_t ouid = LOAD(i->attr.uid), ogid = LOAD(i->attr.gid);
    if (path_read_only(p))
        return -LINUX_EROFS;
    if (may_setattr(i, false))
        return -LINUX_EPERM;
    bool cap = cred_has_over(c, i, LINUX_CAP_CHOWN), owner = c->fsuid == ouid;
    if (uid != ~0u && !cap && !(owner && uid == ouid))
        return -LINUX_EPERM;
    if (gid != ~0u && !cap && !(owner && (gid == ogid || cred_in_group(c, gid))))
        return -LINUX_EPERM;
    struct vfs_attr a = {.uid = uid, .gid = gid};
    unsigned which = (uid != ~0u ? ATTR_UID : 0) | (gid != ~0u ? ATTR_GID : 0);
    if (!inode_is_dir(i)) {
        which |= ATTR_KILL_PRIV;
        which |= atomic_load_explicit(&i->file_caps, memory_order_relaxed) ? ATTR_KILL_CAPS : 0;
        uint32_t mode = LOAD(i->attr.mode);
        which |= kills_sgid(i, mode, c);
        // That is a change of the mode, which is its owner's to make.
        bool drops = (mode & LINUX_S_ISUID) || (which & ATTR_KILL_SGID) ||
                     (mode & (LINUX_S_ISGID | LINUX_S_IXGRP)) == (LINUX_S_ISGID | LINUX_S_IXGRP);
        if (drops && !inode_owner_or_capable(i, c))
            return -LINUX_EPERM;
    }
    if (!which || (which == ATTR_KILL_PRIV && !(LOAD(i->attr.mode) & (LINUX_S_ISUID | LINUX_S_ISGID))))
        return inode_setattr(i, &a, which);  // nothing but ctime
    return dentry_setattr(p->dentry, &a, which);
}
int vfs_utimes(const struct vfs_ctx *ctx, const struct path *p, int64_t atime, int64_t mtime) {
    struct inode *i = p->dentry->inode;
    if (path_read_only(p))
        return -LINUX_EROFS;
    if (atime == VFS_TIME_OMIT && mtime == VFS_TIME_OMIT)
        return 0;
    int err = may_setattr(i, atime == VFS_TIME_NOW && mtime == VFS_TIME_NOW);
    if (err)
        return err;
    if (!inode_owner_or_capable(i, &ctx->cred)) {
        if (atime != VFS_TIME_NOW || mtime != VFS_TIME_NOW)
            return -LINUX_EPERM;
        err = vfs_permission(i, MAY_WRITE, &ctx->cred);
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
    return dentry_setattr(d, &a, ATTR_SIZE | ATTR_MTIME | inode_must_drop_priv(i, &ctx->cred));
}
static int truncate_named(const struct vfs_ctx *ctx, const struct path *p, uint64_t size) {
    int err = landlock_may(&ctx->cred, p, LINUX_LANDLOCK_ACCESS_FS_TRUNCATE);
    return err ? err : truncate_dentry(ctx, p->dentry, size);
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
    if (inode_flagged(i, LINUX_FS_APPEND_FL))
        return -LINUX_EPERM;
    err = inode_write_begin(i);
    if (err)
        return err;
    err = truncate_named(ctx, p, size);
    inode_write_end(i);
    return err;
}
int vfs_ftruncate(const struct vfs_ctx *ctx, struct file *f, uint64_t size) {
    if (f->mode & FMODE_PATH)
        return -LINUX_EBADF;
    if (!inode_is_reg(f->inode) || !(f->mode & FMODE_WRITE))
        return -LINUX_EINVAL;
    if (inode_flagged(f->inode, LINUX_FS_APPEND_FL))
        return -LINUX_EPERM;
    if (f->mode & FMODE_NO_TRUNCATE)
        return -LINUX_EACCES;
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
    out->f_flags = LINUX_ST_VALID;
    if (path_read_only(p))
        out->f_flags |= LINUX_ST_RDONLY;
    unsigned flags = p->mnt ? p->mnt->flags : LINUX_MS_RELATIME;
    // The same numbers, but for these two.
    out->f_flags |=
        flags & (LINUX_MS_NOSUID | LINUX_MS_NODEV | LINUX_MS_NOEXEC | LINUX_MS_NOATIME | LINUX_MS_NODIRATIME);
    if (flags & LINUX_MS_RELATIME)
        out->f_flags |= LINUX_ST_RELATIME;
    if (flags & LINUX_MS_NOSYMFOLLOW)
        out->f_flags |= LINUX_ST_NOSYMFOLLOW;
    return err;
}

int inode_may_link(struct inode *i, const struct vfs_cred *c) {
    const uint32_t set_gid = LINUX_S_ISGID | LINUX_S_IXGRP;
    uint32_t mode = LOAD(i->attr.mode);
    if (inode_owner_or_capable(i, c) || !knob(&i->sb->vfs->knobs, KNOB_PROTECTED_HARDLINKS))
        return 0;
    if (!LINUX_S_ISREG(mode) || (mode & LINUX_S_ISUID) || (mode & set_gid) == set_gid)
        return -LINUX_EPERM;
    return vfs_permission(i, MAY_READ | MAY_WRITE, c) ? -LINUX_EPERM : 0;
}
