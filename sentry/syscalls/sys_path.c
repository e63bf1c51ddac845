// SPDX-License-Identifier: Apache-2.0
// Names: chdir fchdir chroot getcwd mkdir mknod rmdir link unlink symlink rename and their *at forms,
// readlink, umask, truncate, chmod and chown families, utime families, access, getdents.
#include "abi/caps.h"
#include "abi/misc.h"
#include "abi/time.h"
#include "base/clock.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/user_ns.h"
#include "sentry/signal/signal.h"
#include "sentry/syscalls/at.h"
#include "sentry/syscalls/lease_wait.h"
#include "sentry/syscalls/table.h"
#include <stdlib.h>
#include <string.h>

#define CWD LINUX_AT_FDCWD

// ---- Where a task is --------------------------------------------------------------------------------------
// Replaces the root or working directory; the reference on `to` is taken over.
static void set_place(struct task *t, bool root, struct path *to) {
    struct path old;
    {
        LOCKED(&t->fs->lock);
        struct path *place = root ? &t->fs->root : &t->fs->cwd;
        old = *place;
        *place = *to;
    }
    *to = (struct path){0};
    path_put(&old);
}

static int64_t enter(struct task *t, const struct vfs_ctx *ctx, bool root, struct path *to) {
    if (inode_type(to->dentry->inode) != LINUX_S_IFDIR)
        return -LINUX_ENOTDIR;
    int err = vfs_permission(to->dentry->inode, MAY_EXEC, &ctx->cred);
    if (err < 0)
        return err;
    if (root && !task_own_capable(t, LINUX_CAP_SYS_CHROOT))
        return -LINUX_EPERM;
    set_place(t, root, to);
    return 0;
}

static int64_t go_to(struct task *t, uaddr_t name, bool root) {
    TASK_VFS_CTX(t, ctx);
    struct path to cleanup_path = {0};
    int err = at_walk(t, &ctx, CWD, name, 0, 0, &to);
    return err < 0 ? err : enter(t, &ctx, root, &to);
}
int64_t sys_chdir(struct task *t, const struct sysargs *a) { return go_to(t, arg_ptr(a, 0), false); }
int64_t sys_chroot(struct task *t, const struct sysargs *a) { return go_to(t, arg_ptr(a, 0), true); }

int64_t sys_fchdir(struct task *t, const struct sysargs *a) {
    struct file *f cleanup_file = fd_get(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    TASK_VFS_CTX(t, ctx);
    struct path to cleanup_path = f->path;
    path_get(&to);
    return enter(t, &ctx, false, &to);
}

int64_t sys_getcwd(struct task *t, const struct sysargs *a) {
    char buf[LINUX_PATH_MAX];
    TASK_VFS_CTX(t, ctx);
    int64_t n = path_text(t->k->vfs, &ctx.cwd, &ctx.root, buf, sizeof buf);
    if (n < 0)
        return n;
    // Of proc and sysfs no name is kept (struct superblock, no_dcache): none of it is removed.
    const struct dentry *d = ctx.cwd.dentry;
    if (!d->hashed && d->parent != d && !d->sb->no_dcache)
        return -LINUX_ENOENT;
    if ((uint64_t)n + 1 > arg_size(a, 1))
        return -LINUX_ERANGE;
    return copy_out(t, arg_ptr(a, 0), buf, (size_t)n + 1) < 0 ? -LINUX_EFAULT : n + 1;
}

int64_t sys_umask(struct task *t, const struct sysargs *a) {
    LOCKED(&t->fs->lock);
    uint32_t old = t->fs->umask;
    t->fs->umask = arg_u32(a, 0) & 0777;
    return old;
}

// ---- Making and removing ----------------------------------------------------------------------------------
static int64_t do_mkdirat(struct task *t, int dirfd, uaddr_t name, uint32_t mode) {
    AT_PATH(p);
    int err = at_init(t, &p, dirfd, name);
    TASK_VFS_CTX(t, ctx);
    return err < 0 ? err : vfs_mkdir(&ctx, p.from, p.name, mode & 01777);
}
int64_t sys_mkdir(struct task *t, const struct sysargs *a) {
    return do_mkdirat(t, CWD, arg_ptr(a, 0), arg_mode(a, 1));
}
int64_t sys_mkdirat(struct task *t, const struct sysargs *a) {
    return do_mkdirat(t, arg_int(a, 0), arg_ptr(a, 1), arg_mode(a, 2));
}

static int64_t do_mknodat(struct task *t, int dirfd, uaddr_t name, uint32_t mode, uint32_t dev) {
    if ((mode & LINUX_S_IFMT) == 0)
        mode |= LINUX_S_IFREG;
    int err = vfs_mknod_check(mode);  // before anything is said of the name
    if (err < 0)
        return err;
    AT_PATH(p);
    err = at_init(t, &p, dirfd, name);
    TASK_VFS_CTX(t, ctx);
    return err < 0 ? err : vfs_mknod(&ctx, p.from, p.name, mode, dev, NULL);
}
int64_t sys_mknod(struct task *t, const struct sysargs *a) {
    return do_mknodat(t, CWD, arg_ptr(a, 0), arg_mode(a, 1), arg_u32(a, 2));
}
int64_t sys_mknodat(struct task *t, const struct sysargs *a) {
    return do_mknodat(t, arg_int(a, 0), arg_ptr(a, 1), arg_mode(a, 2), arg_u32(a, 3));
}

static int64_t do_unlinkat(struct task *t, int dirfd, uaddr_t name, uint32_t flags) {
    if (flags & ~(uint32_t)LINUX_AT_REMOVEDIR)
        return -LINUX_EINVAL;
    AT_PATH(p);
    int err = at_init(t, &p, dirfd, name);
    if (err < 0)
        return err;
    TASK_VFS_CTX(t, ctx);
    return flags ? vfs_rmdir(&ctx, p.from, p.name) : vfs_unlink(&ctx, p.from, p.name);
}
int64_t sys_unlink(struct task *t, const struct sysargs *a) { return do_unlinkat(t, CWD, arg_ptr(a, 0), 0); }
int64_t sys_rmdir(struct task *t, const struct sysargs *a) {
    return do_unlinkat(t, CWD, arg_ptr(a, 0), LINUX_AT_REMOVEDIR);
}
int64_t sys_unlinkat(struct task *t, const struct sysargs *a) {
    return do_unlinkat(t, arg_int(a, 0), arg_ptr(a, 1), arg_u32(a, 2));
}

static int64_t do_symlinkat(struct task *t, uaddr_t target, int dirfd, uaddr_t name) {
    char text[LINUX_PATH_MAX];
    int err = copy_in_path(t, text, target);
    if (err < 0)
        return err;
    if (!text[0])
        return -LINUX_ENOENT;
    AT_PATH(p);
    err = at_init(t, &p, dirfd, name);
    TASK_VFS_CTX(t, ctx);
    return err < 0 ? err : vfs_symlink(&ctx, text, p.from, p.name);
}
int64_t sys_symlink(struct task *t, const struct sysargs *a) {
    return do_symlinkat(t, arg_ptr(a, 0), CWD, arg_ptr(a, 1));
}
int64_t sys_symlinkat(struct task *t, const struct sysargs *a) {
    return do_symlinkat(t, arg_ptr(a, 0), arg_int(a, 1), arg_ptr(a, 2));
}

static int64_t do_linkat(struct task *t, int odir, uaddr_t oname, int ndir, uaddr_t nname, unsigned flags) {
    if (flags & ~(unsigned)(LINUX_AT_SYMLINK_FOLLOW | LINUX_AT_EMPTY_PATH))
        return -LINUX_EINVAL;
    AT_PATH(from);
    AT_PATH(to);
    bool empty = flags & LINUX_AT_EMPTY_PATH;
    int err = at_init_empty(t, &from, odir, oname, empty);
    if (err < 0)
        return err;
    int to_err = at_init(t, &to, ndir, nname);
    if (empty && !from.name[0] && !task_capable(t, LINUX_CAP_DAC_READ_SEARCH))
        return -LINUX_ENOENT;
    TASK_VFS_CTX(t, ctx);
    unsigned walk = (flags & LINUX_AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0) | (empty ? WALK_EMPTY : 0);
    if (to_err == 0)
        return vfs_link(&ctx, from.from, from.name, to.from, to.name, walk);
    struct path old cleanup_path = {0};  // what is wrong with the first name is said first
    err = vfs_walk(&ctx, from.from, from.name, walk, &old);
    return err ? err : to_err;
}
int64_t sys_link(struct task *t, const struct sysargs *a) {
    return do_linkat(t, CWD, arg_ptr(a, 0), CWD, arg_ptr(a, 1), 0);
}
int64_t sys_linkat(struct task *t, const struct sysargs *a) {
    return do_linkat(t, arg_int(a, 0), arg_ptr(a, 1), arg_int(a, 2), arg_ptr(a, 3), arg_u32(a, 4));
}

static int64_t do_renameat(struct task *t, int odir, uaddr_t oname, int ndir, uaddr_t nname, unsigned flags) {
    // LIMIT: RENAME_WHITEOUT is EINVAL
    const unsigned known = LINUX_RENAME_NOREPLACE | LINUX_RENAME_EXCHANGE;
    if ((flags & ~known) || flags == known)
        return -LINUX_EINVAL;
    AT_PATH(from);
    AT_PATH(to);
    int err = at_init(t, &from, odir, oname);
    if (err < 0)
        return err;
    err = at_init(t, &to, ndir, nname);
    if (err == -LINUX_ENOENT) {  // an empty name: what is wrong with the first one is said first
        to.from = NULL;
        to.name[0] = 0;
        err = 0;
    }
    TASK_VFS_CTX(t, ctx);
    return err < 0 ? err : vfs_rename(&ctx, from.from, from.name, to.from, to.name, flags);
}
int64_t sys_rename(struct task *t, const struct sysargs *a) {
    return do_renameat(t, CWD, arg_ptr(a, 0), CWD, arg_ptr(a, 1), 0);
}
int64_t sys_renameat(struct task *t, const struct sysargs *a) {
    return do_renameat(t, arg_int(a, 0), arg_ptr(a, 1), arg_int(a, 2), arg_ptr(a, 3), 0);
}
int64_t sys_renameat2(struct task *t, const struct sysargs *a) {
    return do_renameat(t, arg_int(a, 0), arg_ptr(a, 1), arg_int(a, 2), arg_ptr(a, 3), arg_u32(a, 4));
}

static int64_t do_readlinkat(struct task *t, int dirfd, uaddr_t name, uaddr_t buf, int32_t size) {
    char text[LINUX_PATH_MAX];
    if (size <= 0)
        return -LINUX_EINVAL;
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    AT_PATH(at);
    int err = uaddr_is_null(name) ? -LINUX_EFAULT : at_init_empty(t, &at, dirfd, name, true);
    if (err == 0)
        err = at_walk_from(&ctx, &at, WALK_EMPTY, &p);
    if (err < 0)
        return err;
    int64_t n = vfs_readlink(&ctx, &p, text, sizeof text);
    if (n == -LINUX_EINVAL && !at.name[0])
        return -LINUX_ENOENT;  // an empty name means a descriptor of a symlink, or nothing, readlink(2)
    if (n < 0)
        return n;
    n = n < size ? n : size;
    return copy_out(t, buf, text, (size_t)n) < 0 ? -LINUX_EFAULT : n;
}
int64_t sys_readlink(struct task *t, const struct sysargs *a) {
    return do_readlinkat(t, CWD, arg_ptr(a, 0), arg_ptr(a, 1), arg_int(a, 2));
}
int64_t sys_readlinkat(struct task *t, const struct sysargs *a) {
    return do_readlinkat(t, arg_int(a, 0), arg_ptr(a, 1), arg_ptr(a, 2), arg_int(a, 3));
}

// ---- Attributes -------------------------------------------------------------------------------------------
static int64_t do_fchmodat(struct task *t, int dirfd, uaddr_t name, uint32_t mode, unsigned flags) {
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    int err = at_walk(t, &ctx, dirfd, name, flags, LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH, &p);
    return err < 0 ? err : vfs_chmod(&ctx, &p, mode & 07777);
}
int64_t sys_chmod(struct task *t, const struct sysargs *a) {
    return do_fchmodat(t, CWD, arg_ptr(a, 0), arg_mode(a, 1), 0);
}
int64_t sys_fchmodat(struct task *t, const struct sysargs *a) {
    return do_fchmodat(t, arg_int(a, 0), arg_ptr(a, 1), arg_mode(a, 2), 0);
}
int64_t sys_fchmodat2(struct task *t, const struct sysargs *a) {
    return do_fchmodat(t, arg_int(a, 0), arg_ptr(a, 1), arg_mode(a, 2), arg_u32(a, 3));
}
int64_t sys_fchmod(struct task *t, const struct sysargs *a) {
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    TASK_VFS_CTX(t, ctx);
    return f ? vfs_chmod(&ctx, &f->path, arg_mode(a, 1) & 07777) : -LINUX_EBADF;
}

static int chown_path(struct task *t, const struct vfs_ctx *ctx, const struct path *p, uint32_t uid,
                      uint32_t gid) {
    uint32_t kuid = uid == ID_NONE ? uid : task_uid_in(t, uid),
             kgid = gid == ID_NONE ? gid : task_gid_in(t, gid);
    if ((uid != ID_NONE && kuid == ID_NONE) || (gid != ID_NONE && kgid == ID_NONE))
        return -LINUX_EINVAL;
    return vfs_chown(ctx, p, kuid, kgid);
}

static int64_t do_fchownat(struct task *t, int dirfd, uaddr_t name, uint32_t uid, uint32_t gid,
                           unsigned flags) {
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    int err = at_walk(t, &ctx, dirfd, name, flags, LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH, &p);
    return err < 0 ? err : chown_path(t, &ctx, &p, uid, gid);
}
int64_t sys_chown(struct task *t, const struct sysargs *a) {
    return do_fchownat(t, CWD, arg_ptr(a, 0), arg_u32(a, 1), arg_u32(a, 2), 0);
}
int64_t sys_lchown(struct task *t, const struct sysargs *a) {
    return do_fchownat(t, CWD, arg_ptr(a, 0), arg_u32(a, 1), arg_u32(a, 2), LINUX_AT_SYMLINK_NOFOLLOW);
}
int64_t sys_fchownat(struct task *t, const struct sysargs *a) {
    return do_fchownat(t, arg_int(a, 0), arg_ptr(a, 1), arg_u32(a, 2), arg_u32(a, 3), arg_u32(a, 4));
}
int64_t sys_fchown(struct task *t, const struct sysargs *a) {
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    TASK_VFS_CTX(t, ctx);
    return f ? chown_path(t, &ctx, &f->path, arg_u32(a, 1), arg_u32(a, 2)) : -LINUX_EBADF;
}

// Times of the utime family: in ns, VFS_TIME_NOW or VFS_TIME_OMIT.
// LIMIT: times of files lie between the years 1677 and 2262; others become the nearest of these, as file
// systems of Linux do with their own first and last.
struct times {
    int64_t atime, mtime;
    bool no_time;  // no such times are there: said when the file has been found
};

static int64_t set_times(const struct vfs_ctx *ctx, const struct path *p, const struct times *x) {
    return x->no_time ? -LINUX_EINVAL : vfs_utimes(ctx, p, x->atime, x->mtime);
}
static int64_t do_utimes(struct task *t, int dirfd, uaddr_t name, const struct times *x, unsigned flags) {
    TASK_VFS_CTX(t, ctx);
    if (uaddr_is_null(name) && dirfd != CWD) {  // futimens(3)
        struct file *f cleanup_file = fd_get_io(t->files, dirfd);
        if (flags)
            return -LINUX_EINVAL;
        return f ? set_times(&ctx, &f->path, x) : -LINUX_EBADF;
    }
    struct path p cleanup_path = {0};
    int err = at_walk(t, &ctx, dirfd, name, flags, LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH, &p);
    return err < 0 ? err : set_times(&ctx, &p, x);
}

static bool ns_time(const struct linux_timespec *ts, int64_t *out) {
    if (ts->tv_nsec == LINUX_UTIME_NOW || ts->tv_nsec == LINUX_UTIME_OMIT) {
        *out = ts->tv_nsec == LINUX_UTIME_NOW ? VFS_TIME_NOW : VFS_TIME_OMIT;
        return true;
    }
    if (ts->tv_nsec < 0 || ts->tv_nsec >= (int64_t)NS_PER_SEC)
        return false;
    *out = time_ns(ts->tv_sec, ts->tv_nsec);
    return true;
}

int64_t sys_utimensat(struct task *t, const struct sysargs *a) {
    struct linux_timespec ts[2];
    struct times x = {VFS_TIME_NOW, VFS_TIME_NOW, false};
    if (arg_given(a, 2)) {
        if (copy_in(t, ts, arg_ptr(a, 2), sizeof ts) < 0)
            return -LINUX_EFAULT;
        x.no_time = !ns_time(&ts[0], &x.atime) || !ns_time(&ts[1], &x.mtime);
        if (x.atime == VFS_TIME_OMIT && x.mtime == VFS_TIME_OMIT)
            return 0;
    }
    return do_utimes(t, arg_int(a, 0), arg_ptr(a, 1), &x, arg_u32(a, 3));
}

static int64_t utimes_at(struct task *t, int dirfd, uaddr_t name, uaddr_t times) {
    struct linux_timeval tv[2];
    struct times x = {VFS_TIME_NOW, VFS_TIME_NOW, false};
    if (!uaddr_is_null(times)) {
        if (copy_in(t, tv, times, sizeof tv) < 0)
            return -LINUX_EFAULT;
        for (int i = 0; i < 2; i++)
            if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000)
                return -LINUX_EINVAL;
        x.atime = time_ns(tv[0].tv_sec, tv[0].tv_usec * 1000);
        x.mtime = time_ns(tv[1].tv_sec, tv[1].tv_usec * 1000);
    }
    return do_utimes(t, dirfd, name, &x, 0);
}
int64_t sys_utimes(struct task *t, const struct sysargs *a) {
    return utimes_at(t, CWD, arg_ptr(a, 0), arg_ptr(a, 1));
}
int64_t sys_futimesat(struct task *t, const struct sysargs *a) {
    return utimes_at(t, arg_int(a, 0), arg_ptr(a, 1), arg_ptr(a, 2));
}
int64_t sys_utime(struct task *t, const struct sysargs *a) {
    int64_t sec[2];
    struct times x = {VFS_TIME_NOW, VFS_TIME_NOW, false};
    if (arg_given(a, 1)) {
        if (copy_in(t, sec, arg_ptr(a, 1), sizeof sec) < 0)
            return -LINUX_EFAULT;
        x = (struct times){time_ns(sec[0], 0), time_ns(sec[1], 0), false};
    }
    return do_utimes(t, CWD, arg_ptr(a, 0), &x, 0);
}

// 0: no lease is in the way; else what the call returns.
static int64_t break_leases(struct task *t, const struct vfs_ctx *ctx, const struct path *p) {
    struct file *f cleanup_file = NULL;
    uint64_t until;
    if (vfs_lease_break(p->dentry->inode, true, &until) == 0)
        return 0;
    int err = vfs_open_path(ctx, p, LINUX_O_PATH, &f);
    return err < 0 ? err : lease_wait(t, f, true);
}

int64_t sys_truncate(struct task *t, const struct sysargs *a) {
    if (arg_off(a, 1) < 0)
        return -LINUX_EINVAL;
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    int err = at_walk(t, &ctx, CWD, arg_ptr(a, 0), 0, 0, &p);
    int64_t wait = err == 0 ? break_leases(t, &ctx, &p) : 0;
    if (wait != 0)
        return wait;
    if (err == 0)
        err = vfs_truncate(&ctx, &p, (uint64_t)arg_off(a, 1));
    if (err == -LINUX_EFBIG && ctx.fsize_limit != LINUX_RLIM_INFINITY)
        signal_send_self(t, LINUX_SIGXFSZ);
    return err;
}

// access(2) asks for the real ids, unless AT_EACCESS.
static int64_t do_faccessat(struct task *t, int dirfd, uaddr_t name, int mode, unsigned flags) {
    const unsigned known = LINUX_AT_EACCESS | LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH;
    if ((mode & ~7) || (flags & ~known))
        return -LINUX_EINVAL;
    TASK_VFS_CTX(t, ctx);
    if (!(flags & LINUX_AT_EACCESS)) {
        ctx.cred.fsuid = t->cred->uid;
        ctx.cred.fsgid = t->cred->gid;
        ctx.cred.caps = t->cred->uid == cred_root(t->cred) ? t->cred->cap_permitted : 0;
    }
    struct path p cleanup_path = {0};
    int err = at_walk(t, &ctx, dirfd, name, flags & ~LINUX_AT_EACCESS,
                      LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH, &p);
    if (err < 0)
        return err;
    struct inode *i = p.dentry->inode;
    if ((mode & MAY_WRITE) && (p.mnt->flags & LINUX_MS_RDONLY) && inode_type(i) <= LINUX_S_IFREG)
        return -LINUX_EROFS;
    return vfs_permission(i, mode, &ctx.cred);
}
int64_t sys_access(struct task *t, const struct sysargs *a) {
    return do_faccessat(t, CWD, arg_ptr(a, 0), arg_int(a, 1), 0);
}
int64_t sys_faccessat(struct task *t, const struct sysargs *a) {
    return do_faccessat(t, arg_int(a, 0), arg_ptr(a, 1), arg_int(a, 2), 0);
}
int64_t sys_faccessat2(struct task *t, const struct sysargs *a) {
    return do_faccessat(t, arg_int(a, 0), arg_ptr(a, 1), arg_int(a, 2), arg_u32(a, 3));
}
