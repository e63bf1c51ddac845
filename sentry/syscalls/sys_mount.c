// SPDX-License-Identifier: Apache-2.0
// mount umount2 pivot_root: for who has CAP_SYS_ADMIN. What they do is in fs/mnt_ns.c. File systems that can
// be mounted: tmpfs, ramfs, proc, sysfs, devpts, devtmpfs.
// LIMIT: mqueue is an empty directory; others are ENODEV. Options that a file system here does not
// have are taken and ignored.
#include "abi/caps.h"
#include "fs/landlock.h"
#include "fs/mnt_ns.h"
#include "abi/misc.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/user_ns.h"
#include "sentry/procfs/procfs.h"
#include "sentry/syscalls/at.h"
#include "sentry/syscalls/table.h"
#include <stdlib.h>
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

// ---- Options ----------------------------------------------------------------------------------------------
// The value of `name=` in a comma-separated list, or NULL.
static const char *option(const char *data, const char *name) {
    size_t n = strlen(name);
    for (const char *p = data; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, name, n) == 0 && p[n] == '=')
            return p + n + 1;
    return NULL;
}

// A number, with k, m, g behind it or a percentage of the memory. False: it is none.
static bool number(const char *text, int base, uint64_t whole, uint64_t *out) {
    char *end;
    uint64_t v = strtoull(text, &end, base);
    unsigned shift = 0;
    if (end == text)
        return false;
    if (*end == '%') {
        *out = whole / 100 * (v < 100 ? v : 100);
        return end[1] == '\0' || end[1] == ',';
    }
    static const char units[] = "kmg";
    const char *unit = *end ? strchr(units, *end | 0x20) : NULL;
    if (unit) {
        shift = 10 * (unsigned)(unit - units + 1);
        end++;
    }
    *out = v << shift;
    return (*out >> shift) == v && (*end == '\0' || *end == ',');
}

static bool get_number(const struct mount_call *m, const char *name, int base, uint64_t *out) {
    const char *text = option(m->data, name);
    return !text || number(text, base, m->t->k->mem_total, out);
}

static int make_tmpfs(const struct mount_call *m, struct superblock **sb) {
    uint64_t mode = 01777, uid = m->t->cred->fsuid, gid = m->t->cred->fsgid, bytes = 0, inodes = 0;
    if (!get_number(m, "mode", 8, &mode) || !get_number(m, "uid", 10, &uid) ||
        !get_number(m, "gid", 10, &gid) || !get_number(m, "size", 10, &bytes) ||
        !get_number(m, "nr_inodes", 10, &inodes))
        return -LINUX_EINVAL;
    if ((uid = option(m->data, "uid") ? task_uid_in(m->t, (uint32_t)uid) : uid) == ID_NONE ||
        (gid = option(m->data, "gid") ? task_gid_in(m->t, (uint32_t)gid) : gid) == ID_NONE)
        return -LINUX_EINVAL;
    const struct tmpfs_opts o = {.mode = (uint32_t)mode & 07777,
                                 .uid = (uint32_t)uid,
                                 .gid = (uint32_t)gid,
                                 .max_bytes = bytes,
                                 .max_inodes = inodes};
    return tmpfs_create(m->t->k->vfs, &o, sb);
}

static int make_devpts(const struct mount_call *m, struct superblock **sb) {
    uint64_t mode = 0600, ptmxmode = 0, uid = DEVPTS_OWNER, gid = DEVPTS_OWNER, max = 0;
    if (!get_number(m, "mode", 8, &mode) || !get_number(m, "ptmxmode", 8, &ptmxmode) ||
        !get_number(m, "uid", 10, &uid) || !get_number(m, "gid", 10, &gid) || !get_number(m, "max", 10, &max))
        return -LINUX_EINVAL;
    if ((option(m->data, "uid") && (uid = task_uid_in(m->t, (uint32_t)uid)) == ID_NONE) ||
        (option(m->data, "gid") && (gid = task_gid_in(m->t, (uint32_t)gid)) == ID_NONE))
        return -LINUX_EINVAL;
    const struct devpts_opts o = {.uid = (uint32_t)uid,
                                  .gid = (uint32_t)gid,
                                  .mode = (uint32_t)mode & 0777,
                                  .ptmxmode = (uint32_t)ptmxmode & 0777,
                                  .max = (uint32_t)max};
    return devpts_create(m->t->k->vfs, &o, sb);
}

static int make_empty(const struct mount_call *m, uint32_t mode, struct superblock **sb) {
    return tmpfs_create(m->t->k->vfs, &(struct tmpfs_opts){.mode = mode}, sb);
}

static int make_super(const struct mount_call *m, struct superblock **sb) {
    struct vfs *v = m->t->k->vfs;
    if (!strcmp(m->type, "tmpfs") || !strcmp(m->type, "ramfs"))
        return make_tmpfs(m, sb);
    if (!strcmp(m->type, "proc"))
        return procfs_create(v, m->t->tg->pid_ns, sb);
    if (!strcmp(m->type, "devpts"))
        return make_devpts(m, sb);
    if (!strcmp(m->type, "devtmpfs"))
        return task_capable(m->t, LINUX_CAP_SYS_ADMIN) ? devfs_create(v, sb) : -LINUX_EPERM;
    if (!strcmp(m->type, "sysfs"))
        return sysfs_create(v, sb);
    return strcmp(m->type, "mqueue") ? -LINUX_ENODEV : make_empty(m, 01777, sb);
}

// ---- mount ------------------------------------------------------------------------------------------------
static unsigned kept_flags(uint64_t flags) { return (unsigned)(flags & MOUNT_FLAGS); }

static int mount_new(const struct mount_call *m) {
    struct superblock *sb;
    if (!*m->type)
        return -LINUX_ENODEV;
    int err = make_super(m, &sb);
    return err < 0 ? err
                   : vfs_mount_in(m->ns, sb, m->at, kept_flags(m->flags), *m->source ? m->source : "none");
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
    return vfs_move_mount(m->ns, &from, m->at);
}

// As path_mount() of Linux has the order of what the flags mean.
static int do_mount(const struct mount_call *m) {
    bool place = m->at->dentry == m->at->mnt->root && vfs_is_in(m->ns, m->at);
    if (m->flags & LINUX_MS_REMOUNT)
        return vfs_remount(m->ns, m->at, kept_flags(m->flags));
    if (m->flags & LINUX_MS_BIND)
        return bind_or_move(m);
    if (m->flags & PROPAGATION) {
        uint64_t kind = m->flags & PROPAGATION;
        return (kind & (kind - 1)) || !place ? -LINUX_EINVAL : 0;
    }
    return m->flags & LINUX_MS_MOVE ? bind_or_move(m) : mount_new(m);
}

// As Linux: over the namespace of mounts that t is in.
static bool may_mount(struct task *t) {
    struct mnt_ns *ns = fs_ctx_ns(t->fs);
    bool may = task_capable_over(t, &ns->ns, LINUX_CAP_SYS_ADMIN);
    mnt_ns_put(ns);
    return may && !landlock_restricts_files(t->cred->landlock);
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
    if (!may_mount(t))
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
static int64_t do_umount(struct task *t, struct mnt_ns *ns, const struct path *at, unsigned flags) {
    if (!vfs_is_in(ns, at))
        return -LINUX_EINVAL;
    if (flags & LINUX_MNT_DETACH)
        return vfs_umount_tree(ns, at);
    if (flags & LINUX_MNT_EXPIRE)  // the first call marks it, and says so
        return -LINUX_EAGAIN;
    return vfs_umount(t->k->vfs, at);
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
    if (!may_mount(t))
        return -LINUX_EPERM;
    if ((flags & LINUX_MNT_EXPIRE) && (flags & (LINUX_MNT_FORCE | LINUX_MNT_DETACH)))
        return -LINUX_EINVAL;
    struct mnt_ns *ns = fs_ctx_ns(t->fs);
    r = do_umount(t, ns, &at, flags);
    mnt_ns_put(ns);
    return r;
}

int64_t sys_pivot_root(struct task *t, const struct sysargs *a) {
    if (!may_mount(t))
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
