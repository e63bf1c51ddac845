// SPDX-License-Identifier: Apache-2.0
// Extended attributes, xattr(7): get, set, list, remove, by path, by link (l*), by descriptor (f*), and by
// directory and path (*xattrat).
#include "abi/misc.h"
#include "sentry/kernel.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/syscalls/at.h"
#include "sentry/syscalls/table.h"
#include <stdlib.h>

#define NAME_SIZE 256          // XATTR_NAME_MAX and its NUL
#define VALUE_MAX 65536u       // XATTR_SIZE_MAX

// What a call is about.
struct place {
    enum { BY_NAME, BY_FD } by;
    int dir;  // BY_NAME: as the *at calls have it; BY_FD: the descriptor
    uaddr_t path;
    unsigned flags;  // LINUX_AT_*
};
#define PLACE_FLAGS (LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH)

static struct place by_path(uaddr_t path) { return (struct place){BY_NAME, LINUX_AT_FDCWD, path, 0}; }
static struct place by_link(uaddr_t path) {
    return (struct place){BY_NAME, LINUX_AT_FDCWD, path, LINUX_AT_SYMLINK_NOFOLLOW};
}
static struct place by_fd(int fd) { return (struct place){.by = BY_FD, .dir = fd}; }
static struct place by_at(const struct sysargs *a) {
    return (struct place){BY_NAME, arg_int(a, 0), arg_ptr(a, 1), arg_u32(a, 2)};
}

static int64_t check(const struct place *w) { return w->flags & ~(unsigned)PLACE_FLAGS ? -LINUX_EINVAL : 0; }

// The object; owned.
static int target(struct task *t, const struct vfs_ctx *ctx, const struct place *w, struct path *out) {
    if (w->by == BY_NAME)
        return at_walk(t, ctx, w->dir, w->path, w->flags, PLACE_FLAGS, out);
    struct file *f cleanup_file = fd_get_io(t->files, w->dir);
    if (!f)
        return -LINUX_EBADF;
    *out = f->path;
    path_get(out);
    return 0;
}

static int64_t copy_name(struct task *t, char name[NAME_SIZE], uaddr_t addr) {
    int64_t n = copy_in_str(t, name, addr, NAME_SIZE);
    return n == -LINUX_ENAMETOOLONG || n == 0 ? -LINUX_ERANGE : n;
}

static int64_t do_set(struct task *t, struct place w, uaddr_t name_at, uaddr_t addr, size_t size,
                      unsigned flags) {
    char name[NAME_SIZE];
    int64_t err = check(&w);
    if (err < 0)
        return err;
    if (flags & ~(unsigned)(LINUX_XATTR_CREATE | LINUX_XATTR_REPLACE))
        return -LINUX_EINVAL;
    err = copy_name(t, name, name_at);
    if (err < 0)
        return err;
    if (size > VALUE_MAX)
        return -LINUX_E2BIG;
    char *value cleanup_free = malloc(size ? size : 1);
    if (!value)
        return -LINUX_ENOMEM;
    if (copy_in(t, value, addr, size) < 0)
        return -LINUX_EFAULT;
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    err = target(t, &ctx, &w, &p);
    return err < 0 ? err : vfs_setxattr(&ctx, &p, name, value, size, (int)flags);
}

// The two that fill a buffer; name NULL: list.
static int64_t fill(struct task *t, struct place w, const char *name, uaddr_t addr, size_t size) {
    if (size > VALUE_MAX)
        size = VALUE_MAX;
    char *value cleanup_free = malloc(size ? size : 1);
    if (!value)
        return -LINUX_ENOMEM;
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    int64_t n = target(t, &ctx, &w, &p);
    if (n < 0)
        return n;
    n = name ? vfs_getxattr(&ctx, &p, name, value, size) : vfs_listxattr(&ctx, &p, value, size);
    if (n > 0 && size && copy_out(t, addr, value, (size_t)n) < 0)
        return -LINUX_EFAULT;
    return n;
}

static int64_t do_get(struct task *t, struct place w, uaddr_t name_at, uaddr_t addr, size_t size) {
    char name[NAME_SIZE];
    int64_t err = check(&w);
    if (err < 0)
        return err;
    err = copy_name(t, name, name_at);
    return err < 0 ? err : fill(t, w, name, addr, size);
}

static int64_t do_remove(struct task *t, struct place w, uaddr_t name_at) {
    char name[NAME_SIZE];
    int64_t err = check(&w);
    if (err < 0)
        return err;
    err = copy_name(t, name, name_at);
    if (err < 0)
        return err;
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    err = target(t, &ctx, &w, &p);
    return err < 0 ? err : vfs_removexattr(&ctx, &p, name);
}

static int64_t set(struct task *t, const struct sysargs *a, struct place w) {
    return do_set(t, w, arg_ptr(a, 1), arg_ptr(a, 2), arg_size(a, 3), arg_u32(a, 4));
}
static int64_t get(struct task *t, const struct sysargs *a, struct place w) {
    return do_get(t, w, arg_ptr(a, 1), arg_ptr(a, 2), arg_size(a, 3));
}
static int64_t list(struct task *t, const struct sysargs *a, struct place w) {
    return fill(t, w, NULL, arg_ptr(a, 1), arg_size(a, 2));
}

int64_t sys_setxattr(struct task *t, const struct sysargs *a) { return set(t, a, by_path(arg_ptr(a, 0))); }
int64_t sys_lsetxattr(struct task *t, const struct sysargs *a) { return set(t, a, by_link(arg_ptr(a, 0))); }
int64_t sys_fsetxattr(struct task *t, const struct sysargs *a) { return set(t, a, by_fd(arg_int(a, 0))); }
int64_t sys_getxattr(struct task *t, const struct sysargs *a) { return get(t, a, by_path(arg_ptr(a, 0))); }
int64_t sys_lgetxattr(struct task *t, const struct sysargs *a) { return get(t, a, by_link(arg_ptr(a, 0))); }
int64_t sys_fgetxattr(struct task *t, const struct sysargs *a) { return get(t, a, by_fd(arg_int(a, 0))); }
int64_t sys_listxattr(struct task *t, const struct sysargs *a) { return list(t, a, by_path(arg_ptr(a, 0))); }
int64_t sys_llistxattr(struct task *t, const struct sysargs *a) { return list(t, a, by_link(arg_ptr(a, 0))); }
int64_t sys_flistxattr(struct task *t, const struct sysargs *a) { return list(t, a, by_fd(arg_int(a, 0))); }
int64_t sys_removexattr(struct task *t, const struct sysargs *a) {
    return do_remove(t, by_path(arg_ptr(a, 0)), arg_ptr(a, 1));
}
int64_t sys_lremovexattr(struct task *t, const struct sysargs *a) {
    return do_remove(t, by_link(arg_ptr(a, 0)), arg_ptr(a, 1));
}
int64_t sys_fremovexattr(struct task *t, const struct sysargs *a) {
    return do_remove(t, by_fd(arg_int(a, 0)), arg_ptr(a, 1));
}

// ---- setxattrat(2) and its kin, Linux 6.13 ----------------------------------------------------------------
static int xattr_args(struct task *t, const struct sysargs *a, struct linux_xattr_args *args) {
    return copy_in_struct(t, args, sizeof *args, arg_ptr(a, 4), arg_size(a, 5), sizeof *args);
}

int64_t sys_setxattrat(struct task *t, const struct sysargs *a) {
    struct linux_xattr_args args;
    int err = xattr_args(t, a, &args);
    return err < 0 ? err : do_set(t, by_at(a), arg_ptr(a, 3), uaddr(args.value), args.size, args.flags);
}

int64_t sys_getxattrat(struct task *t, const struct sysargs *a) {
    struct linux_xattr_args args;
    int err = xattr_args(t, a, &args);
    if (err < 0)
        return err;
    return args.flags ? -LINUX_EINVAL : do_get(t, by_at(a), arg_ptr(a, 3), uaddr(args.value), args.size);
}

int64_t sys_listxattrat(struct task *t, const struct sysargs *a) {
    struct place w = by_at(a);
    int64_t err = check(&w);
    return err < 0 ? err : fill(t, w, NULL, arg_ptr(a, 3), arg_size(a, 4));
}

int64_t sys_removexattrat(struct task *t, const struct sysargs *a) {
    return do_remove(t, by_at(a), arg_ptr(a, 3));
}
