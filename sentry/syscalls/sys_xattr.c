// SPDX-License-Identifier: Apache-2.0
// Extended attributes, xattr(7): get, set, list, remove, by path, by link (l*) and by descriptor (f*).
#include "abi/misc.h"
#include "sentry/kernel.h"
#include "sentry/syscalls/at.h"
#include "sentry/syscalls/table.h"
#include <stdlib.h>

#define NAME_SIZE 256          // XATTR_NAME_MAX and its NUL
#define VALUE_MAX 65536u       // XATTR_SIZE_MAX

enum by { BY_PATH, BY_LINK, BY_FD };

// What the first argument names; owned.
static int target(struct task *t, const struct vfs_ctx *ctx, enum by by, uint64_t arg, struct path *out) {
    if (by != BY_FD)
        return at_walk(t, ctx, LINUX_AT_FDCWD, arg, by == BY_LINK ? LINUX_AT_SYMLINK_NOFOLLOW : 0,
                       LINUX_AT_SYMLINK_NOFOLLOW, out);
    struct file *f cleanup_file = fd_get_io(t->files, (int)arg);
    if (!f)
        return -LINUX_EBADF;
    *out = f->path;
    path_get(out);
    return 0;
}

static int64_t copy_name(struct task *t, char name[NAME_SIZE], uint64_t addr) {
    int64_t n = copy_in_str(t, name, uaddr(addr), NAME_SIZE);
    return n == -LINUX_ENAMETOOLONG || n == 0 ? -LINUX_ERANGE : n;
}

static int64_t do_set(struct task *t, const struct sysargs *a, enum by by) {
    char name[NAME_SIZE];
    if (a->v[4] & ~3ull)
        return -LINUX_EINVAL;
    int64_t err = copy_name(t, name, a->v[1]);
    if (err < 0)
        return err;
    if (a->v[3] > VALUE_MAX)
        return -LINUX_E2BIG;
    char *value cleanup_free = malloc(a->v[3] ? a->v[3] : 1);
    if (!value)
        return -LINUX_ENOMEM;
    if (copy_in(t, value, uaddr(a->v[2]), a->v[3]) < 0)
        return -LINUX_EFAULT;
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    err = target(t, &ctx, by, a->v[0], &p);
    return err < 0 ? err : vfs_setxattr(&ctx, &p, name, value, a->v[3], (int)a->v[4]);
}

// The two that fill a buffer; name NULL: list.
static int64_t fill(struct task *t, enum by by, uint64_t arg, const char *name, uint64_t addr, uint64_t size) {
    if (size > VALUE_MAX)
        size = VALUE_MAX;
    char *value cleanup_free = malloc(size ? size : 1);
    if (!value)
        return -LINUX_ENOMEM;
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    int64_t n = target(t, &ctx, by, arg, &p);
    if (n < 0)
        return n;
    n = name ? vfs_getxattr(&ctx, &p, name, value, size) : vfs_listxattr(&ctx, &p, value, size);
    if (n > 0 && size && copy_out(t, uaddr(addr), value, (size_t)n) < 0)
        return -LINUX_EFAULT;
    return n;
}

static int64_t do_get(struct task *t, const struct sysargs *a, enum by by) {
    char name[NAME_SIZE];
    int64_t err = copy_name(t, name, a->v[1]);
    return err < 0 ? err : fill(t, by, a->v[0], name, a->v[2], a->v[3]);
}

static int64_t do_remove(struct task *t, const struct sysargs *a, enum by by) {
    char name[NAME_SIZE];
    int64_t err = copy_name(t, name, a->v[1]);
    if (err < 0)
        return err;
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    err = target(t, &ctx, by, a->v[0], &p);
    return err < 0 ? err : vfs_removexattr(&ctx, &p, name);
}

int64_t sys_setxattr(struct task *t, const struct sysargs *a) { return do_set(t, a, BY_PATH); }
int64_t sys_lsetxattr(struct task *t, const struct sysargs *a) { return do_set(t, a, BY_LINK); }
int64_t sys_fsetxattr(struct task *t, const struct sysargs *a) { return do_set(t, a, BY_FD); }
int64_t sys_getxattr(struct task *t, const struct sysargs *a) { return do_get(t, a, BY_PATH); }
int64_t sys_lgetxattr(struct task *t, const struct sysargs *a) { return do_get(t, a, BY_LINK); }
int64_t sys_fgetxattr(struct task *t, const struct sysargs *a) { return do_get(t, a, BY_FD); }
int64_t sys_listxattr(struct task *t, const struct sysargs *a) {
    return fill(t, BY_PATH, a->v[0], NULL, a->v[1], a->v[2]);
}
int64_t sys_llistxattr(struct task *t, const struct sysargs *a) {
    return fill(t, BY_LINK, a->v[0], NULL, a->v[1], a->v[2]);
}
int64_t sys_flistxattr(struct task *t, const struct sysargs *a) {
    return fill(t, BY_FD, a->v[0], NULL, a->v[1], a->v[2]);
}
int64_t sys_removexattr(struct task *t, const struct sysargs *a) { return do_remove(t, a, BY_PATH); }
int64_t sys_lremovexattr(struct task *t, const struct sysargs *a) { return do_remove(t, a, BY_LINK); }
int64_t sys_fremovexattr(struct task *t, const struct sysargs *a) { return do_remove(t, a, BY_FD); }
