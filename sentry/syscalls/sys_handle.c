// SPDX-License-Identifier: Apache-2.0
// Handles of files: name_to_handle_at open_by_handle_at. One says which file of a file system, as
// fanotify(7) names it: FILEID_INO64_GEN.
// LIMIT: a handle opens what is in the cache of names: else ESTALE; a host file that has got the number of
// another is taken for it. None is connected (AT_HANDLE_CONNECTABLE: EOPNOTSUPP).
#include "abi/caps.h"
#include "abi/fcntl.h"
#include "abi/mount.h"
#include "fs/by_handle.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/syscalls/at.h"
#include "sentry/syscalls/mount_args.h"
#include "sentry/syscalls/table.h"

struct handle {
    uint32_t bytes;
    int32_t type;
    uint64_t ino;
    uint32_t generation;  // 0: no number is used again
} __attribute__((packed));
#define HEAD        8u
#define OWN_BYTES   ((uint32_t)(sizeof(struct handle) - HEAD))
#define OWN_TYPE    0x81  // FILEID_INO64_GEN
#define HANDLE_MAX  128u
#define USER_FLAGS  0xffff0000u
#define KNOWN_FLAGS 0x00030000u  // connectable, of a directory

static bool is_decodable(const struct path *p) { return !p->dentry->sb->no_dcache && !nsfs_of_path(p); }

static int put_mount_id(struct task *t, uaddr_t to, const struct mount *m, bool unique) {
    int32_t id = m->id;
    return unique ? copy_out_obj(t, to, &m->number) : copy_out_obj(t, to, &id);
}

static int give_handle(struct task *t, const struct path *p, uaddr_t at, uaddr_t mount_id, bool unique) {
    struct handle h;
    if (copy_in(t, &h, at, HEAD) < 0)
        return -LINUX_EFAULT;
    if (h.bytes > HANDLE_MAX)
        return -LINUX_EINVAL;
    bool fits = h.bytes >= OWN_BYTES;
    const struct inode *i = p->dentry->inode;
    h = (struct handle){OWN_BYTES, OWN_TYPE, i->attr.ino, 0};
    int err = put_mount_id(t, mount_id, p->mnt, unique);
    err = err < 0 ? err : copy_out(t, at, &h, fits ? sizeof h : HEAD);
    return err < 0 || fits ? err : -LINUX_EOVERFLOW;
}

int64_t sys_name_to_handle_at(struct task *t, const struct sysargs *a) {
    const unsigned known = LINUX_AT_SYMLINK_FOLLOW | LINUX_AT_EMPTY_PATH | LINUX_AT_HANDLE_FID |
                           LINUX_AT_HANDLE_MNT_ID_UNIQUE | LINUX_AT_HANDLE_CONNECTABLE;
    unsigned flags = arg_u32(a, 4), walk = flags & (LINUX_AT_SYMLINK_FOLLOW | LINUX_AT_EMPTY_PATH);
    bool connected = flags & LINUX_AT_HANDLE_CONNECTABLE;
    if ((flags & ~known) || (connected && (flags & (LINUX_AT_HANDLE_FID | LINUX_AT_EMPTY_PATH))))
        return -LINUX_EINVAL;
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    int err = at_walk(t, &ctx, arg_int(a, 0), arg_ptr(a, 1), walk,
                      LINUX_AT_SYMLINK_FOLLOW | LINUX_AT_EMPTY_PATH, &p);
    if (err < 0)
        return err;
    if (connected || (!is_decodable(&p) && !(flags & LINUX_AT_HANDLE_FID)))
        return -LINUX_EOPNOTSUPP;
    return give_handle(t, &p, arg_ptr(a, 2), arg_ptr(a, 3), flags & LINUX_AT_HANDLE_MNT_ID_UNIQUE);
}

// What the descriptor is on, owned.
static int anchor_of(struct task *t, const struct vfs_ctx *ctx, int fd, struct path *out) {
    struct file *f cleanup_file = fd == LINUX_AT_FDCWD ? NULL : fd_get(t->files, fd);
    if (!f && fd != LINUX_AT_FDCWD)
        return -LINUX_EBADF;
    *out = f ? f->path : ctx->cwd;
    path_get(out);
    return 0;
}

static int read_handle(struct task *t, uaddr_t at, struct handle *h) {
    if (copy_in(t, h, at, HEAD) < 0)
        return -LINUX_EFAULT;
    bool fine = h->bytes && h->bytes <= HANDLE_MAX && h->type >= 0;
    return fine && !((uint32_t)h->type & USER_FLAGS & ~KNOWN_FLAGS) ? 0 : -LINUX_EINVAL;
}

int64_t sys_open_by_handle_at(struct task *t, const struct sysargs *a) {
    unsigned flags = arg_u32(a, 2);
    struct handle h;
    struct path at cleanup_path = {0}, p cleanup_path = {0};
    struct file *f cleanup_file = NULL;
    int err = read_handle(t, arg_ptr(a, 1), &h);
    if (err < 0)
        return err;
    TASK_VFS_CTX(t, ctx);
    err = anchor_of(t, &ctx, arg_int(a, 0), &at);
    if (err < 0)
        return err;
    if (!task_capable(t, LINUX_CAP_DAC_READ_SEARCH))
        return -LINUX_EPERM;
    if (h.bytes != OWN_BYTES || h.type != OWN_TYPE || !is_decodable(&at))
        return -LINUX_ESTALE;
    if (copy_in(t, &h.ino, uaddr_add(arg_ptr(a, 1), HEAD), OWN_BYTES) < 0)
        return -LINUX_EFAULT;
    p.dentry = dcache_find_inode(&at, h.ino);
    if (!p.dentry)
        return -LINUX_ESTALE;
    p.mnt = mount_get(at.mnt);
    err = vfs_open_path(&ctx, &p, flags, &f);
    if (err < 0)
        return err;
    return install_fd(t, take_ptr(f), flags & LINUX_O_CLOEXEC);
}
