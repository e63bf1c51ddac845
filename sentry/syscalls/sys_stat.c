// SPDX-License-Identifier: Apache-2.0
// Looking at files: stat lstat fstat newfstatat statx statfs fstatfs getdents getdents64, and extended
// attributes.
#include "base/clock.h"
#include "sentry/kernel.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/user_ns.h"
#include "sentry/syscalls/at.h"
#include "sentry/syscalls/table.h"
#include <stdlib.h>
#include <string.h>

static void split_time(int64_t ns, uint64_t *sec, uint64_t *nsec) {
    int64_t s = ns / (int64_t)NS_PER_SEC, rest = ns % (int64_t)NS_PER_SEC;
    if (rest < 0) {
        s--;
        rest += (int64_t)NS_PER_SEC;
    }
    *sec = (uint64_t)s;
    *nsec = (uint64_t)rest;
}

static int64_t put_stat(struct task *t, const struct path *p, uaddr_t addr) {
    struct vfs_attr a;
    int err = vfs_getattr(p, &a);
    if (err < 0)
        return err;
    struct linux_stat st = {
        .st_dev = p->dentry->sb->dev,
        .st_ino = a.ino,
        .st_nlink = a.nlink,
        .st_mode = a.mode,
        .st_uid = task_uid_out(t, a.uid),
        .st_gid = task_gid_out(t, a.gid),
        .st_rdev = a.rdev,
        .st_size = (int64_t)a.size,
        .st_blksize = a.blksize,
        .st_blocks = (int64_t)a.blocks,
    };
    split_time(a.atime, &st.st_atime_sec, &st.st_atime_nsec);
    split_time(a.mtime, &st.st_mtime_sec, &st.st_mtime_nsec);
    split_time(a.ctime, &st.st_ctime_sec, &st.st_ctime_nsec);
    return copy_out_answer(t, addr, &st, sizeof st);
}

// Nothing is mounted by itself, and attributes are always those of now: these flags are taken and change
// nothing.
#define STAT_FLAGS (LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH | LINUX_AT_NO_AUTOMOUNT)

static int64_t do_fstatat(struct task *t, int dirfd, uaddr_t name, uaddr_t addr, unsigned flags) {
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    int err = at_walk(t, &ctx, dirfd, name, flags & ~(unsigned)LINUX_AT_STATX_SYNC_TYPE, STAT_FLAGS, &p);
    return err < 0 ? err : put_stat(t, &p, addr);
}
int64_t sys_stat(struct task *t, const struct sysargs *a) {
    return do_fstatat(t, LINUX_AT_FDCWD, arg_ptr(a, 0), arg_ptr(a, 1), 0);
}
int64_t sys_lstat(struct task *t, const struct sysargs *a) {
    return do_fstatat(t, LINUX_AT_FDCWD, arg_ptr(a, 0), arg_ptr(a, 1), LINUX_AT_SYMLINK_NOFOLLOW);
}
int64_t sys_newfstatat(struct task *t, const struct sysargs *a) {
    return do_fstatat(t, arg_int(a, 0), arg_ptr(a, 1), arg_ptr(a, 2), arg_u32(a, 3));
}
int64_t sys_fstat(struct task *t, const struct sysargs *a) {
    struct file *f cleanup_file = fd_get(t->files, arg_int(a, 0));
    return f ? put_stat(t, &f->path, arg_ptr(a, 1)) : -LINUX_EBADF;
}

static struct linux_statx_timestamp stamp(int64_t ns) {
    uint64_t sec, nsec;
    split_time(ns, &sec, &nsec);
    return (struct linux_statx_timestamp){.tv_sec = (int64_t)sec, .tv_nsec = (uint32_t)nsec};
}

#define DEV_MAJOR(d) ((uint32_t)((d) >> 8 & 0xfff) | (uint32_t)((d) >> 32 & ~0xfffu))
#define DEV_MINOR(d) ((uint32_t)((d) & 0xff) | (uint32_t)((d) >> 12 & ~0xffu))

// The same numbers as LINUX_FS_*_FL.
#define FLAGS_SHOWN (LINUX_STATX_ATTR_IMMUTABLE | LINUX_STATX_ATTR_APPEND | LINUX_STATX_ATTR_NODUMP)

static int64_t put_statx(struct task *t, const struct path *p, uint32_t mask, uaddr_t addr) {
    struct vfs_attr a;
    int err = vfs_getattr(p, &a);
    if (err < 0)
        return err;
    uint64_t dev = p->dentry->sb->dev;
    uint32_t mnt_id =
        mask & LINUX_STATX_MNT_ID_UNIQUE ? LINUX_STATX_MNT_ID_UNIQUE : mask & LINUX_STATX_MNT_ID;
    struct linux_statx sx = {
        .stx_mask = LINUX_STATX_BASIC_STATS | mnt_id | (a.btime ? mask & LINUX_STATX_BTIME : 0),
        .stx_blksize = a.blksize,
        .stx_nlink = a.nlink,
        .stx_uid = task_uid_out(t, a.uid),
        .stx_gid = task_gid_out(t, a.gid),
        .stx_mode = (uint16_t)a.mode,
        .stx_ino = a.ino,
        .stx_size = a.size,
        .stx_blocks = a.blocks,
        .stx_attributes_mask = LINUX_STATX_ATTR_MOUNT_ROOT | FLAGS_SHOWN,
        .stx_attributes = (p->mnt->root == p->dentry ? LINUX_STATX_ATTR_MOUNT_ROOT : 0) |
                          (atomic_load(&p->dentry->inode->flags) & FLAGS_SHOWN),
        .stx_atime = stamp(a.atime),
        .stx_mtime = stamp(a.mtime),
        .stx_ctime = stamp(a.ctime),
        .stx_rdev_major = DEV_MAJOR(a.rdev),
        .stx_rdev_minor = DEV_MINOR(a.rdev),
        .stx_dev_major = DEV_MAJOR(dev),
        .stx_dev_minor = DEV_MINOR(dev),
        .stx_mnt_id = mnt_id == LINUX_STATX_MNT_ID_UNIQUE ? p->mnt->number : (uint64_t)p->mnt->id,
    };
    unsigned align = mask & LINUX_STATX_DIOALIGN ? vfs_direct_align(p->dentry->inode) : 0;
    sx.stx_mask |= align ? LINUX_STATX_DIOALIGN : 0;
    sx.stx_dio_mem_align = sx.stx_dio_offset_align = align;
    if (sx.stx_mask & LINUX_STATX_BTIME)
        sx.stx_btime = stamp(a.btime);
    return copy_out_answer(t, addr, &sx, sizeof sx);
}

int64_t sys_statx(struct task *t, const struct sysargs *a) {
    unsigned flags = arg_u32(a, 2);
    if ((arg_u32(a, 3) & LINUX_STATX__RESERVED) ||
        (flags & LINUX_AT_STATX_SYNC_TYPE) == LINUX_AT_STATX_SYNC_TYPE)
        return -LINUX_EINVAL;
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    int err = at_walk(t, &ctx, arg_int(a, 0), arg_ptr(a, 1), flags & ~(unsigned)LINUX_AT_STATX_SYNC_TYPE,
                      STAT_FLAGS, &p);
    return err < 0 ? err : put_statx(t, &p, arg_u32(a, 3), arg_ptr(a, 4));
}

static int64_t put_statfs(struct task *t, const struct path *p, uaddr_t addr) {
    struct linux_statfs s;
    int err = vfs_statfs(p, &s);
    return err < 0 ? err : copy_out_obj(t, addr, &s);
}
int64_t sys_statfs(struct task *t, const struct sysargs *a) {
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    int err = at_walk(t, &ctx, LINUX_AT_FDCWD, arg_ptr(a, 0), 0, 0, &p);
    return err < 0 ? err : put_statfs(t, &p, arg_ptr(a, 1));
}
int64_t sys_fstatfs(struct task *t, const struct sysargs *a) {
    struct file *f cleanup_file = fd_get(t->files, arg_int(a, 0));
    return f ? put_statfs(t, &f->path, arg_ptr(a, 1)) : -LINUX_EBADF;
}

// ---- Directories ------------------------------------------------------------------------------------------
#define DENTS_MAX 65536u

struct dents {
    struct readdir_sink sink;
    char *buf;
    size_t size, used;
    bool old;        // struct linux_dirent of getdents(2): the type stands in the record's last byte
    bool too_small;  // not even the first entry found room
};

static bool emit(struct readdir_sink *s, const char *name, size_t len, uint64_t ino, unsigned dtype,
                 uint64_t off) {
    struct dents *d = container_of(s, struct dents, sink);
    size_t head = d->old ? offsetof(struct linux_dirent, d_name) : offsetof(struct linux_dirent64, d_name);
    size_t reclen = (head + len + 1 + d->old + 7) & ~(size_t)7;
    if (reclen > d->size - d->used) {
        d->too_small = d->used == 0;
        return false;
    }
    char *p = d->buf + d->used;
    memset(p, 0, reclen);
    if (d->old) {
        struct linux_dirent *e = (void *)p;
        e->d_ino = ino;
        e->d_off = off;
        e->d_reclen = (uint16_t)reclen;
        p[reclen - 1] = (char)dtype;
    } else {
        struct linux_dirent64 *e = (void *)p;
        e->d_ino = ino;
        e->d_off = (int64_t)off;
        e->d_reclen = (uint16_t)reclen;
        e->d_type = (uint8_t)dtype;
    }
    memcpy(p + head, name, len);
    d->used += reclen;
    return true;
}

static int64_t do_getdents(struct task *t, const struct sysargs *a, bool old) {
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    size_t size = arg_u32(a, 2) < DENTS_MAX ? arg_u32(a, 2) : DENTS_MAX;
    struct dents d = {.sink = {emit}, .buf = malloc(size ? size : 1), .size = size, .old = old};
    if (!d.buf)
        return -LINUX_ENOMEM;
    uint64_t before = f->pos;
    int64_t r = vfs_readdir(f, &d.sink);
    if (r == 0 && d.too_small)
        r = -LINUX_EINVAL;
    if (r == 0 && copy_out(t, arg_ptr(a, 1), d.buf, d.used) < 0) {
        vfs_llseek(f, (int64_t)before, LINUX_SEEK_SET);  // the entries were not seen: they come again
        r = -LINUX_EFAULT;
    }
    free(d.buf);
    return r < 0 ? r : (int64_t)d.used;
}
int64_t sys_getdents(struct task *t, const struct sysargs *a) { return do_getdents(t, a, true); }
int64_t sys_getdents64(struct task *t, const struct sysargs *a) { return do_getdents(t, a, false); }
