// SPDX-License-Identifier: Apache-2.0
// mount umount2 pivot_root: for who has CAP_SYS_ADMIN. What they do is in fs/mnt_ops.c, which file systems
// there are in fstype.c.
#include "abi/caps.h"
#include "fs/fuse/ask.h"
#include "fs/mnt_ns.h"
#include "abi/misc.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/user_ns.h"
#include "sentry/syscalls/at.h"
#include "sentry/syscalls/fstype.h"
#include "sentry/syscalls/mount_args.h"
#include "sentry/syscalls/table.h"
#include <string.h>

#define PROPAGATION (LINUX_MS_SHARED | LINUX_MS_SLAVE | LINUX_MS_PRIVATE | LINUX_MS_UNBINDABLE)

struct mount_call {
    struct task *t;
    const struct vfs_ctx *ctx;
    struct mnt_ns *ns;
    const struct path *at;
    uint64_t flags;
    char type[64], source[LINUX_PATH_MAX], data[LINUX_PATH_MAX];
};

// ---- mount ------------------------------------------------------------------------------------------------
// MS_RELATIME is what there is if nothing else is said.
static unsigned kept_flags(uint64_t flags) {
    unsigned kept = (unsigned)(flags & MOUNT_FLAGS) & ~(unsigned)LINUX_MS_RELATIME;
    if (flags & LINUX_MS_STRICTATIME)
        return kept & ~(unsigned)LINUX_MS_NOATIME;
    return kept & LINUX_MS_NOATIME ? kept : kept | LINUX_MS_RELATIME;
}

// ... but at a remount what there was.
static unsigned kept_at_remount(uint64_t flags, const struct mount *m) {
    const uint64_t times = MOUNT_ATIME | LINUX_MS_STRICTATIME;
    return flags & times ? kept_flags(flags) : (kept_flags(flags) & ~MOUNT_ATIME) | (m->flags & MOUNT_ATIME);
}

static int config_of(struct mount_call *m, struct fs_config *c) {
    if (m->flags & LINUX_MS_RDONLY)
        c->read_only = true;
    return fs_config_list(m->t, c, m->data);
}

static int mount_new(struct mount_call *m) {
    struct superblock *sb;
    struct fs_config c;
    int err = fs_config_begin(m->t, m->type, &c);
    if (err < 0)
        return err;
    err = config_of(m, &c);
    err = err < 0 ? err : fs_config_make(m->t, &c, &sb);
    fs_config_end(&c);
    if (err < 0)
        return err;
    return vfs_mount_in(m->ns, sb, m->at, kept_flags(m->flags), *m->source ? m->source : "none");
}

// Without MS_BIND: the file system as well.
static int remount(struct mount_call *m) {
    struct fs_config c;
    unsigned flags = kept_at_remount(m->flags, m->at->mnt);
    if (m->flags & LINUX_MS_BIND)
        return vfs_remount(m->ns, m->at, flags);
    if (!vfs_is_in(m->ns, m->at) || m->at->dentry != m->at->mnt->root)
        return -LINUX_EINVAL;
    int err = fs_config_again(m->t, m->at->mnt->sb, &c);
    if (err < 0)
        return err;
    c.read_only = false;
    err = config_of(m, &c);
    err = err < 0 ? err : vfs_remount_check(m->ns, m->at, flags);
    err = err < 0 ? err : fs_config_apply(m->t, &c, m->at->mnt->sb);
    fs_config_end(&c);
    return err < 0 ? err : vfs_remount(m->ns, m->at, flags);
}

static int bind_or_move(const struct mount_call *m) {
    struct path from cleanup_path = {0};
    if (!*m->source)
        return -LINUX_EINVAL;
    int err = vfs_walk(m->ctx, NULL, m->source, WALK_FOLLOW, &from);
    if (err < 0)
        return err;
    if (m->flags & LINUX_MS_BIND)
        return vfs_bind_tree(m->ns, &from, m->at, m->flags & LINUX_MS_REC);
    return vfs_move_mount(m->ns, &from, m->at, &m->ctx->root, false);
}

static int set_propagation(const struct mount_call *m) {
    uint64_t kind = m->flags & PROPAGATION;
    if ((kind & (kind - 1)) || (m->flags & ~(PROPAGATION | LINUX_MS_REC | LINUX_MS_SILENT)))
        return -LINUX_EINVAL;
    return vfs_set_propagation(m->at, kind, m->flags & LINUX_MS_REC, may_mount_over, m->t);
}

// As path_mount() of Linux has the order of what the flags mean.
static int do_mount(struct mount_call *m) {
    if (m->flags & LINUX_MS_REMOUNT)
        return remount(m);
    if (m->flags & LINUX_MS_BIND)
        return bind_or_move(m);
    if (m->flags & PROPAGATION)
        return set_propagation(m);
    return m->flags & LINUX_MS_MOVE ? bind_or_move(m) : mount_new(m);
}

// Optional texts: what is not given is empty.
static int64_t copy_text(struct task *t, char *to, uaddr_t at, size_t size) {
    *to = '\0';
    if (uaddr_is_null(at))
        return 0;
    int64_t n = copy_in_str(t, to, at, size);
    return n < 0 ? n : 0;
}

int64_t sys_mount(struct task *t, const struct sysargs *a) {
    struct mount_call m = {.t = t, .flags = arg_ulong(a, 3)};
    int64_t r = copy_text(t, m.type, arg_ptr(a, 2), sizeof m.type);
    if (r == -LINUX_ENAMETOOLONG)
        r = -LINUX_ENODEV;
    if (r == 0)
        r = copy_text(t, m.source, arg_ptr(a, 0), sizeof m.source);
    if (r == 0 && !(m.flags & (LINUX_MS_BIND | LINUX_MS_MOVE | PROPAGATION)))
        r = copy_text(t, m.data, arg_ptr(a, 4), sizeof m.data);
    if (r < 0)
        return r;
    TASK_VFS_CTX(t, ctx);
    struct path at cleanup_path = {0};
    r = at_walk(t, &ctx, LINUX_AT_FDCWD, arg_ptr(a, 1), 0, 0, &at);
    if (r < 0)
        return r;
    if (!may_change_mounts(t))
        return -LINUX_EPERM;
    if ((m.flags & LINUX_MS_MGC_MSK) == LINUX_MS_MGC_VAL)
        m.flags &= ~LINUX_MS_MGC_MSK;
    struct mnt_ns *ns = fs_ctx_ns(t->fs);
    m.ctx = &ctx;
    m.at = &at;
    m.ns = ns;
    r = do_mount(&m);
    mnt_ns_put(ns);
    return r;
}

// ---- umount, pivot_root -----------------------------------------------------------------------------------
// By force: what waits for its daemon fails first. That is for who is over it, wherever it is seen.
static int64_t umount(struct task *t, const struct path *at, unsigned flags, struct mnt_ns *ns) {
    struct superblock *sb = at->dentry->sb;
    int err = vfs_may_umount(ns, at);
    if (err)
        return err;
    if ((flags & LINUX_MNT_FORCE) &&
        !(sb->owner ? task_ns_capable(t, user_ns_of(sb->owner), LINUX_CAP_SYS_ADMIN)
                    : task_capable(t, LINUX_CAP_SYS_ADMIN)))
        return -LINUX_EPERM;
    if (flags & LINUX_MNT_FORCE)
        fuse_abort_super(sb);
    return vfs_umount_in(ns, at, flags);
}

int64_t sys_umount2(struct task *t, const struct sysargs *a) {
    unsigned flags = arg_u32(a, 1);
    const unsigned known = LINUX_MNT_FORCE | LINUX_MNT_DETACH | LINUX_MNT_EXPIRE | LINUX_UMOUNT_NOFOLLOW;
    if (flags & ~known)
        return -LINUX_EINVAL;
    TASK_VFS_CTX(t, ctx);
    struct path at cleanup_path = {0};
    unsigned walk = flags & LINUX_UMOUNT_NOFOLLOW ? LINUX_AT_SYMLINK_NOFOLLOW : 0;
    int64_t r = at_walk(t, &ctx, LINUX_AT_FDCWD, arg_ptr(a, 0), walk, LINUX_AT_SYMLINK_NOFOLLOW, &at);
    if (r < 0)
        return r;
    if (!may_change_mounts(t))
        return -LINUX_EPERM;
    if ((flags & LINUX_MNT_EXPIRE) &&
        ((flags & (LINUX_MNT_FORCE | LINUX_MNT_DETACH)) || at.mnt == ctx.root.mnt))
        return -LINUX_EINVAL;
    struct mnt_ns *ns = fs_ctx_ns(t->fs);
    r = umount(t, &at, flags, ns);
    mnt_ns_put(ns);
    return r;
}

int64_t sys_pivot_root(struct task *t, const struct sysargs *a) {
    if (!may_change_mounts(t))
        return -LINUX_EPERM;
    TASK_VFS_CTX(t, ctx);
    struct path to cleanup_path = {0}, old cleanup_path = {0};
    int64_t r = at_walk(t, &ctx, LINUX_AT_FDCWD, arg_ptr(a, 0), 0, 0, &to);
    if (r == 0)
        r = at_walk(t, &ctx, LINUX_AT_FDCWD, arg_ptr(a, 1), 0, 0, &old);
    if (r == 0 && (!inode_is_dir(to.dentry->inode) || !inode_is_dir(old.dentry->inode)))
        r = -LINUX_ENOTDIR;
    if (r < 0)
        return r;
    struct mnt_ns *ns = fs_ctx_ns(t->fs);
    r = vfs_pivot_root(ns, &ctx.root, &to, &old);
    if (r == 0)
        fs_ctx_lead_over(t->k, &ctx.root, &to);
    mnt_ns_put(ns);
    return r;
}
