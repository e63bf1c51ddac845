// SPDX-License-Identifier: Apache-2.0
// Mounts by descriptors: open_tree open_tree_attr move_mount mount_setattr. What they do is in fs/mnt_ops.c.
// LIMIT: no mount maps ids (MOUNT_ATTR_IDMAP): EINVAL, as of a file system that cannot.
#include "abi/caps.h"
#include "abi/misc.h"
#include "abi/mount.h"
#include "abi/sched.h"
#include "fs/landlock.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/user_ns.h"
#include "sentry/syscalls/at.h"
#include "sentry/syscalls/mount_args.h"
#include "sentry/syscalls/table.h"

// ---- Shared -----------------------------------------------------------------------------------------------
bool may_mount(struct task *t) {
    struct mnt_ns *ns = fs_ctx_ns(t->fs);
    bool may = task_capable_over(t, &ns->ns, LINUX_CAP_SYS_ADMIN);
    mnt_ns_put(ns);
    return may;
}
bool may_change_mounts(struct task *t) {
    return may_mount(t) && !landlock_restricts_files(t->cred->landlock);
}
bool may_mount_over(void *task, const struct ns *ns) {
    return task_capable_over(task, ns, LINUX_CAP_SYS_ADMIN);
}

static const struct {
    unsigned attr;
    unsigned long flag;
} attrs[] = {
    {LINUX_MOUNT_ATTR_RDONLY, LINUX_MS_RDONLY},         {LINUX_MOUNT_ATTR_NOSUID, LINUX_MS_NOSUID},
    {LINUX_MOUNT_ATTR_NODEV, LINUX_MS_NODEV},           {LINUX_MOUNT_ATTR_NOEXEC, LINUX_MS_NOEXEC},
    {LINUX_MOUNT_ATTR_NODIRATIME, LINUX_MS_NODIRATIME}, {LINUX_MOUNT_ATTR_NOSYMFOLLOW, LINUX_MS_NOSYMFOLLOW}};
#define ATTRS_KNOWN \
    (LINUX_MOUNT_ATTR_RDONLY | LINUX_MOUNT_ATTR_NOSUID | LINUX_MOUNT_ATTR_NODEV | LINUX_MOUNT_ATTR_NOEXEC | \
     LINUX_MOUNT_ATTR_ATIME | LINUX_MOUNT_ATTR_NODIRATIME | LINUX_MOUNT_ATTR_NOSYMFOLLOW)

unsigned mount_flags_of_attr(uint64_t attr) {
    unsigned flags = 0;
    for (size_t i = 0; i < sizeof attrs / sizeof *attrs; i++)
        flags |= attr & attrs[i].attr ? (unsigned)attrs[i].flag : 0;
    return flags;
}
uint64_t mount_attr_of_flags(unsigned flags) {
    uint64_t attr = 0;
    for (size_t i = 0; i < sizeof attrs / sizeof *attrs; i++)
        attr |= flags & attrs[i].flag ? attrs[i].attr : 0;
    if (flags & LINUX_MS_NOATIME)
        return attr | LINUX_MOUNT_ATTR_NOATIME;
    return flags & LINUX_MS_RELATIME ? attr : attr | LINUX_MOUNT_ATTR_STRICTATIME;
}

int install_fd(struct task *t, struct file *f, bool cloexec) {
    int fd = fd_install(t->files, f, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), cloexec);
    file_put(f);
    return fd;
}
int install_place(struct task *t, const struct vfs_ctx *ctx, const struct path *p, bool detached,
                  bool cloexec) {
    struct file *f;
    int err = vfs_open_path(ctx, p, LINUX_O_PATH, &f);
    if (err < 0) {
        if (detached)
            vfs_tree_end(p);
        return err;
    }
    if (detached)
        f->mode |= FMODE_TREE;
    return install_fd(t, f, cloexec);
}

// ---- mount_setattr ----------------------------------------------------------------------------------------
struct attr_change {
    unsigned set, clear;
    unsigned long propagation;
    bool none;
};

static int times_of(const struct linux_mount_attr *a, struct attr_change *c) {
    uint64_t set = a->attr_set & LINUX_MOUNT_ATTR_ATIME, clear = a->attr_clr & LINUX_MOUNT_ATTR_ATIME;
    if (!clear)
        return set ? -LINUX_EINVAL : 0;
    if (clear != LINUX_MOUNT_ATTR_ATIME)
        return -LINUX_EINVAL;
    c->clear |= LINUX_MS_RELATIME | LINUX_MS_NOATIME;
    if (set == LINUX_MOUNT_ATTR_STRICTATIME)
        return 0;
    if (set != LINUX_MOUNT_ATTR_RELATIME && set != LINUX_MOUNT_ATTR_NOATIME)
        return -LINUX_EINVAL;
    c->set |= set ? LINUX_MS_NOATIME : LINUX_MS_RELATIME;
    return 0;
}

// The user namespace whose maps a mount should have; here none can have any.
static int idmap_of(struct task *t, const struct linux_mount_attr *a) {
    if (!((a->attr_set | a->attr_clr) & LINUX_MOUNT_ATTR_IDMAP))
        return 0;
    if ((a->attr_clr & LINUX_MOUNT_ATTR_IDMAP) || a->userns_fd > INT32_MAX)
        return -LINUX_EINVAL;
    struct file *f cleanup_file = fd_get_io(t->files, (int)a->userns_fd);
    if (!f)
        return -LINUX_EBADF;
    const struct ns *n = nsfs_of(f);
    if (!n || n->kind != NS_USER)
        return -LINUX_EINVAL;
    return ns_is_first_user(n) ? -LINUX_EPERM : -LINUX_EINVAL;
}

static int decode_attr(struct task *t, uaddr_t at, uint64_t size, struct attr_change *c) {
    const uint64_t kinds = LINUX_MS_SHARED | LINUX_MS_SLAVE | LINUX_MS_PRIVATE | LINUX_MS_UNBINDABLE;
    struct linux_mount_attr a;
    *c = (struct attr_change){0};
    if (size > GUEST_PAGE_SIZE)
        return -LINUX_E2BIG;
    if (size < LINUX_MOUNT_ATTR_SIZE_VER0)
        return -LINUX_EINVAL;
    if (!may_mount(t))
        return -LINUX_EPERM;
    int err = copy_in_struct(t, &a, sizeof a, at, size, LINUX_MOUNT_ATTR_SIZE_VER0);
    if (err < 0)
        return err;
    c->none = !a.attr_set && !a.attr_clr && !a.propagation;
    if ((a.propagation & ~kinds) || (a.propagation & (a.propagation - 1)) ||
        ((a.attr_set | a.attr_clr) & ~(uint64_t)(ATTRS_KNOWN | LINUX_MOUNT_ATTR_IDMAP)))
        return -LINUX_EINVAL;
    c->set = mount_flags_of_attr(a.attr_set);
    c->clear = mount_flags_of_attr(a.attr_clr);
    c->propagation = (unsigned long)a.propagation;
    err = times_of(&a, c);
    return err < 0 ? err : idmap_of(t, &a);
}

static int change(struct task *t, const struct path *p, const struct attr_change *c, bool recursive) {
    struct mnt_ns *ns = fs_ctx_ns(t->fs);
    int err = vfs_mount_setattr(ns, p, recursive, c->set, c->clear, c->propagation);
    mnt_ns_put(ns);
    return err;
}

#define AT_OF_TREES \
    (LINUX_AT_EMPTY_PATH | LINUX_AT_NO_AUTOMOUNT | LINUX_AT_RECURSIVE | LINUX_AT_SYMLINK_NOFOLLOW)

int64_t sys_mount_setattr(struct task *t, const struct sysargs *a) {
    unsigned flags = arg_u32(a, 2);
    struct attr_change c;
    if (flags & ~AT_OF_TREES)
        return -LINUX_EINVAL;
    int err = decode_attr(t, arg_ptr(a, 3), arg_size(a, 4), &c);
    if (err < 0 || c.none)
        return err;
    TASK_VFS_CTX(t, ctx);
    struct path at cleanup_path = {0};
    err = at_walk(t, &ctx, arg_int(a, 0), arg_ptr(a, 1), flags, AT_OF_TREES, &at);
    return err < 0 ? err : change(t, &at, &c, flags & LINUX_AT_RECURSIVE);
}

// ---- open_tree --------------------------------------------------------------------------------------------
static int64_t do_open_tree(struct task *t, int dirfd, uaddr_t name, unsigned flags,
                            const struct attr_change *c) {
    bool clone = flags & LINUX_OPEN_TREE_CLONE, recursive = flags & LINUX_AT_RECURSIVE;
    if ((flags & ~(AT_OF_TREES | LINUX_OPEN_TREE_CLONE | LINUX_OPEN_TREE_CLOEXEC)) || (recursive && !clone))
        return -LINUX_EINVAL;
    if (clone && !may_mount(t))
        return -LINUX_EPERM;
    TASK_VFS_CTX(t, ctx);
    struct path at cleanup_path = {0}, tree cleanup_path = {0};
    int err = at_walk(t, &ctx, dirfd, name, flags & AT_OF_TREES, AT_OF_TREES, &at);
    if (err < 0)
        return err;
    if (clone) {
        struct mnt_ns *ns = fs_ctx_ns(t->fs);
        err = vfs_tree_clone(ns, &at, recursive, &tree);
        mnt_ns_put(ns);
    }
    if (err < 0)
        return err;
    const struct path *p = clone ? &tree : &at;
    err = c ? change(t, p, c, recursive) : 0;
    if (err < 0 && clone)
        vfs_tree_end(p);
    return err < 0 ? err : install_place(t, &ctx, p, clone, flags & LINUX_OPEN_TREE_CLOEXEC);
}

int64_t sys_open_tree(struct task *t, const struct sysargs *a) {
    return do_open_tree(t, arg_int(a, 0), arg_ptr(a, 1), arg_u32(a, 2), NULL);
}

int64_t sys_open_tree_attr(struct task *t, const struct sysargs *a) {
    struct attr_change c;
    uaddr_t attr = arg_ptr(a, 3);
    if (uaddr_is_null(attr) && arg_size(a, 4))
        return -LINUX_EINVAL;
    int err = uaddr_is_null(attr) ? 0 : decode_attr(t, attr, arg_size(a, 4), &c);
    if (err < 0) {  // the tree is opened before the change is looked at
        int64_t fd = do_open_tree(t, arg_int(a, 0), arg_ptr(a, 1), arg_u32(a, 2), NULL);
        if (fd >= 0)
            fd_close(t->files, (int)fd);
        return fd < 0 ? fd : err;
    }
    bool changes = !uaddr_is_null(attr) && !c.none;
    return do_open_tree(t, arg_int(a, 0), arg_ptr(a, 1), arg_u32(a, 2), changes ? &c : NULL);
}

// ---- move_mount -------------------------------------------------------------------------------------------
static unsigned at_of(unsigned flags, unsigned follow, unsigned empty) {
    unsigned at = flags & follow ? 0 : LINUX_AT_SYMLINK_NOFOLLOW;
    return flags & empty ? at | LINUX_AT_EMPTY_PATH : at;
}

static int do_move(struct task *t, const struct vfs_ctx *ctx, const struct path *from, const struct path *to,
                   unsigned flags) {
    if (flags & LINUX_MOVE_MOUNT_SET_GROUP)
        return vfs_set_group(from, to, may_mount_over, t);
    struct mnt_ns *ns = fs_ctx_ns(t->fs);
    int err = vfs_move_mount(ns, from, to, &ctx->root, flags & LINUX_MOVE_MOUNT_BENEATH);
    mnt_ns_put(ns);
    return err;
}

int64_t sys_move_mount(struct task *t, const struct sysargs *a) {
    const unsigned allowed = LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH;
    unsigned flags = arg_u32(a, 4);
    unsigned from_at = at_of(flags, LINUX_MOVE_MOUNT_F_SYMLINKS, LINUX_MOVE_MOUNT_F_EMPTY_PATH);
    unsigned to_at = at_of(flags, LINUX_MOVE_MOUNT_T_SYMLINKS, LINUX_MOVE_MOUNT_T_EMPTY_PATH);
    const unsigned both = LINUX_MOVE_MOUNT_SET_GROUP | LINUX_MOVE_MOUNT_BENEATH;
    if (!may_change_mounts(t))
        return -LINUX_EPERM;
    if ((flags & ~LINUX_MOVE_MOUNT_MASK) || (flags & both) == both)
        return -LINUX_EINVAL;
    TASK_VFS_CTX(t, ctx);
    struct path from cleanup_path = {0}, to cleanup_path = {0};
    int err = at_walk(t, &ctx, arg_int(a, 2), arg_ptr(a, 3), to_at, allowed, &to);
    err = err < 0 ? err : at_walk(t, &ctx, arg_int(a, 0), arg_ptr(a, 1), from_at, allowed, &from);
    return err < 0 ? err : do_move(t, &ctx, &from, &to, flags);
}
