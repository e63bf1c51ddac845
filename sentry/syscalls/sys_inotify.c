// SPDX-License-Identifier: Apache-2.0
// Watching files: inotify_init inotify_init1 inotify_add_watch inotify_rm_watch. The instances are
// fs/anon/inotify.c, where events come from is fs/notify.h.
#include "abi/inotify.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/syscalls/at.h"
#include "sentry/syscalls/table.h"

static int64_t make(struct task *t, unsigned flags) {
    struct file *f cleanup_file = NULL;
    int err = inotify_open(t->k->vfs, t->cred->euid, flags, &f);
    if (err < 0)
        return err;
    return fd_install(t->files, f, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), flags & LINUX_IN_CLOEXEC);
}
int64_t sys_inotify_init(struct task *t, const struct sysargs *a) { return make(t, 0); }
int64_t sys_inotify_init1(struct task *t, const struct sysargs *a) { return make(t, arg_u32(a, 0)); }

int64_t sys_inotify_add_watch(struct task *t, const struct sysargs *a) {
    uint32_t mask = arg_u32(a, 2);
    if (!inotify_mask_known(mask))
        return -LINUX_EINVAL;
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    int err = inotify_check(f, mask);
    if (err < 0)
        return err;
    AT_PATH(name);
    err = at_init(t, &name, LINUX_AT_FDCWD, arg_ptr(a, 1));
    if (err < 0)
        return err;
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    err = vfs_walk(
        &ctx, NULL, name.name,
        (mask & LINUX_IN_DONT_FOLLOW ? 0 : WALK_FOLLOW) | (mask & LINUX_IN_ONLYDIR ? WALK_DIRECTORY : 0), &p);
    if (err == 0)
        err = vfs_permission(p.dentry->inode, MAY_READ, &ctx.cred);
    return err < 0 ? err : inotify_add(f, &p, mask);
}

int64_t sys_inotify_rm_watch(struct task *t, const struct sysargs *a) {
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    return f ? inotify_remove(f, arg_int(a, 1)) : -LINUX_EBADF;
}
