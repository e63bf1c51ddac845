// SPDX-License-Identifier: Apache-2.0
// Extended attributes: who may see and set which, xattr(7) and Linux' fs/xattr.c. Two are more than text:
// ACLs (system.posix_acl_*, fs/acl.c), and security.capability, which exec(2) acts on and which goes when the
// file is written or given away. The file systems keep the rest.
#include "abi/caps.h"
#include "abi/fileattr.h"
#include "abi/misc.h"
#include "fs/core.h"
#include "fs/notify.h"
#include <string.h>

#define LOAD(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)

static bool starts(const char *s, const char *prefix) { return !strncmp(s, prefix, strlen(prefix)); }
static int xattr_permission(const struct vfs_ctx *ctx, struct inode *i, const char *name, int mask) {
    bool write = mask & MAY_WRITE;
    const int refused = write ? -LINUX_EPERM : -LINUX_ENODATA;  // who may not see them finds none
    size_t len = strnlen(name, LINUX_XATTR_NAME_MAX + 1);
    if (len == 0 || len > LINUX_XATTR_NAME_MAX)
        return -LINUX_ERANGE;
    if (write && inode_flagged(i, LINUX_FS_IMMUTABLE_FL | LINUX_FS_APPEND_FL))
        return -LINUX_EPERM;
    if (write && !strcmp(name, LINUX_XATTR_CAPS))
        return cred_has(&ctx->cred, LINUX_CAP_SETFCAP) ? 0 : -LINUX_EPERM;
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
        if (write && LINUX_S_ISDIR(mode) && (mode & LINUX_S_ISVTX) && !inode_owner_or_capable(i, &ctx->cred))
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
// ---- ACLs -------------------------------------------------------------------------------------------------
static int64_t get_acl(const struct vfs_cred *c, struct inode *i, enum acl_kind kind, void *buf,
                       size_t size) {
    if (!i->ops->set_acl)
        return -LINUX_EOPNOTSUPP;
    struct acl *a = inode_acl(i, kind);
    int64_t n = a ? acl_format(c, a, buf, size) : -LINUX_ENODATA;
    acl_put(a);
    return n;
}
// May the caller have the set-gid bit of this file?
static bool keeps_sgid(struct inode *i, const struct vfs_cred *c) {
    return cred_in_group(c, LOAD(i->attr.gid)) || cred_has_over(c, i, LINUX_CAP_FSETID);
}
// value NULL: removes it.
static int set_acl(const struct vfs_ctx *ctx, struct inode *i, enum acl_kind kind, const void *value,
                   size_t n) {
    struct acl *a;
    int err = acl_parse(&ctx->cred, value, value ? n : 0, &a);
    if (err)
        return err;
    if (inode_flagged(i, LINUX_FS_IMMUTABLE_FL | LINUX_FS_APPEND_FL))
        err = -LINUX_EPERM;
    else if (!i->ops->set_acl)
        err = -LINUX_EOPNOTSUPP;
    else if (kind == ACL_DEFAULT && !inode_is_dir(i))
        err = a ? -LINUX_EACCES : 0;
    else if (!inode_owner_or_capable(i, &ctx->cred))
        err = -LINUX_EPERM;
    else
        return i->ops->set_acl(i, kind, a, keeps_sgid(i, &ctx->cred));
    acl_put(a);
    return err;
}

// ---- security.capability ----------------------------------------------------------------------------------
static bool caps_parse(const void *value, size_t size, struct linux_vfs_cap_data *d) {
    *d = (struct linux_vfs_cap_data){0};
    if (size != LINUX_VFS_CAP_SIZE_2 && size != LINUX_VFS_CAP_SIZE_3)
        return false;
    memcpy(d, value, size);
    uint32_t want = size == LINUX_VFS_CAP_SIZE_2 ? LINUX_VFS_CAP_REVISION_2 : LINUX_VFS_CAP_REVISION_3;
    return (d->magic_etc & LINUX_VFS_CAP_REVISION) == want;
}
// LIMIT: capabilities for the root of another user namespace (version 3 with its id) are kept, and give
// nothing.
bool vfs_file_caps(struct inode *i, struct file_caps *out) {
    struct linux_vfs_cap_data d;
    char value[LINUX_VFS_CAP_SIZE_3];
    if (!atomic_load(&i->file_caps) || !i->ops->getxattr)
        return false;
    int64_t n = i->ops->getxattr(i, LINUX_XATTR_CAPS, value, sizeof value);
    if (n < 0 || !caps_parse(value, (size_t)n, &d) || d.rootid)
        return false;
    out->permitted = (d.data[0].permitted | (uint64_t)d.data[1].permitted << 32) & LINUX_CAP_FULL_SET;
    out->inheritable = (d.data[0].inheritable | (uint64_t)d.data[1].inheritable << 32) & LINUX_CAP_FULL_SET;
    out->effective = d.magic_etc & LINUX_VFS_CAP_EFFECTIVE;
    return true;
}

// ---- The calls --------------------------------------------------------------------------------------------
int64_t vfs_getxattr(const struct vfs_ctx *ctx, const struct path *p, const char *name, void *buf,
                     size_t size) {
    struct inode *i = p->dentry->inode;
    enum acl_kind kind;
    if (acl_named(name, &kind))
        return get_acl(&ctx->cred, i, kind, buf, size);
    int err = xattr_check(ctx, i, name, MAY_READ, i->ops->getxattr);
    return err ? err : i->ops->getxattr(i, name, buf, size);
}
static int set_plain(const struct vfs_ctx *ctx, struct inode *i, const char *name, const void *v, size_t n,
                     int flags) {
    struct linux_vfs_cap_data d;
    int err = xattr_check(ctx, i, name, MAY_WRITE, i->ops->setxattr);
    if (err)
        return err;
    if (!strcmp(name, LINUX_XATTR_CAPS) && !caps_parse(v, n, &d))
        return -LINUX_EINVAL;
    return i->ops->setxattr(i, name, v, n, flags);
}
int vfs_setxattr(const struct vfs_ctx *ctx, const struct path *p, const char *name, const void *v, size_t n,
                 int flags) {
    struct inode *i = p->dentry->inode;
    if (flags & ~(LINUX_XATTR_CREATE | LINUX_XATTR_REPLACE))
        return -LINUX_EINVAL;
    if (n > LINUX_XATTR_SIZE_MAX)
        return -LINUX_E2BIG;
    if (path_read_only(p))
        return -LINUX_EROFS;
    enum acl_kind kind;
    int err = acl_named(name, &kind) ? set_acl(ctx, i, kind, v, n) : set_plain(ctx, i, name, v, n, flags);
    if (!err && notify_on())
        notify_object(p->dentry, LINUX_IN_ATTRIB, NULL);
    return err;
}
int64_t vfs_listxattr(const struct vfs_ctx *ctx, const struct path *p, char *buf, size_t size) {
    struct inode *i = p->dentry->inode;
    return i->ops->listxattr ? i->ops->listxattr(i, buf, size, cred_has(&ctx->cred, LINUX_CAP_SYS_ADMIN)) : 0;
}
static int remove_plain(const struct vfs_ctx *ctx, struct inode *i, const char *name) {
    int err = xattr_check(ctx, i, name, MAY_WRITE, i->ops->removexattr);
    return err ? err : i->ops->removexattr(i, name);
}
int vfs_removexattr(const struct vfs_ctx *ctx, const struct path *p, const char *name) {
    struct inode *i = p->dentry->inode;
    if (path_read_only(p))
        return -LINUX_EROFS;
    enum acl_kind kind;
    int err = acl_named(name, &kind) ? set_acl(ctx, i, kind, NULL, 0) : remove_plain(ctx, i, name);
    if (!err && notify_on())
        notify_object(p->dentry, LINUX_IN_ATTRIB, NULL);
    return err;
}
