// SPDX-License-Identifier: Apache-2.0
// Flags of files, as chattr(1) sets them: FS_IOC_GETFLAGS and SETFLAGS, FSGETXATTR and FSSETXATTR.
// Where the file system keeps them (inode_ops.set_flags): Linux' tmpfs has the same four. What they forbid is
// checked where it is done: fs/attr.c, fs/namei.c, fs/open.c, fs/file.c, fs/xattr.c.
#include "abi/fileattr.h"
#include "abi/caps.h"
#include "abi/ioctl.h"
#include "fs/core.h"
#include "fs/notify.h"
#include <string.h>

static const struct {
    uint32_t flag, xflag;
} known[] = {
    {LINUX_FS_IMMUTABLE_FL, LINUX_FS_XFLAG_IMMUTABLE},
    {LINUX_FS_APPEND_FL, LINUX_FS_XFLAG_APPEND},
    {LINUX_FS_NODUMP_FL, LINUX_FS_XFLAG_NODUMP},
    {LINUX_FS_NOATIME_FL, LINUX_FS_XFLAG_NOATIME},
};
#define KNOWN   (sizeof known / sizeof known[0])
#define GUARDED (LINUX_FS_IMMUTABLE_FL | LINUX_FS_APPEND_FL)

static uint32_t to_xflags(uint32_t flags) {
    uint32_t x = 0;
    for (size_t k = 0; k < KNOWN; k++)
        x |= flags & known[k].flag ? known[k].xflag : 0;
    return x;
}
// False: one of them is none of ours.
static bool from_xflags(uint32_t x, uint32_t *flags) {
    *flags = 0;
    for (size_t k = 0; k < KNOWN; k++)
        *flags |= x & known[k].xflag ? known[k].flag : 0;
    return to_xflags(*flags) == x;
}
static bool all_known(uint32_t flags) {
    uint32_t x = to_xflags(flags), back;
    return from_xflags(x, &back) && back == flags;
}

static int64_t set_flags(const struct vfs_ctx *ctx, struct file *f, uint32_t flags, bool supported) {
    struct inode *i = f->inode;
    if (path_read_only(&f->path))
        return -LINUX_EROFS;
    if (!inode_owner_or_capable(i, &ctx->cred))
        return -LINUX_EPERM;
    int err;
    do {  // judged is what is replaced
        uint32_t was = atomic_load(&i->flags);
        if (((flags ^ was) & GUARDED) && !cred_has(&ctx->cred, LINUX_CAP_LINUX_IMMUTABLE))
            return -LINUX_EPERM;
        if (!supported)
            return -LINUX_EOPNOTSUPP;
        err = i->ops->set_flags(i, was, flags);
    } while (err == -LINUX_EAGAIN);
    if (!err)
        notify_object(f->path.dentry, LINUX_IN_ATTRIB, NULL);
    return err;
}
static int64_t put_xattr(struct file *f, uint64_t arg, struct uaccess *ua) {
    struct linux_fsxattr x = {.fsx_xflags = to_xflags(atomic_load(&f->inode->flags))};
    return ua->out(ua, uaddr(arg), &x, sizeof x);
}
static int64_t take_xattr(const struct vfs_ctx *ctx, struct file *f, uint64_t arg, struct uaccess *ua) {
    struct linux_fsxattr x;
    uint32_t flags;
    if (ua->in(ua, &x, uaddr(arg), sizeof x) < 0)
        return -LINUX_EFAULT;
    bool ours = from_xflags(x.fsx_xflags, &flags);
    return set_flags(ctx, f, flags, ours && !x.fsx_extsize && !x.fsx_projid && !x.fsx_cowextsize);
}

int64_t fileattr_ioctl(const struct vfs_ctx *ctx, struct file *f, unsigned cmd, uint64_t arg,
                       struct uaccess *ua) {
    uint32_t flags;
    if (!f->inode->ops || !f->inode->ops->set_flags)
        return -LINUX_ENOTTY;
    switch (cmd) {
    case LINUX_FS_IOC_GETFLAGS:
        flags = atomic_load(&f->inode->flags);
        return ua->out(ua, uaddr(arg), &flags, sizeof flags);
    case LINUX_FS_IOC_SETFLAGS:
        if (ua->in(ua, &flags, uaddr(arg), sizeof flags) < 0)
            return -LINUX_EFAULT;
        return set_flags(ctx, f, flags, all_known(flags));
    case LINUX_FS_IOC_FSGETXATTR:
        return put_xattr(f, arg, ua);
    case LINUX_FS_IOC_FSSETXATTR:
        return take_xattr(ctx, f, arg, ua);
    default:
        return -LINUX_ENOTTY;
    }
}
