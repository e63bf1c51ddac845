// SPDX-License-Identifier: Apache-2.0
// Namespaces: unshare setns, and the ioctls of the files that stand for one, ioctl_nsfs(2).
#include "abi/caps.h"
#include "abi/ioctl.h"
#include "abi/sched.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/namespaces.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/pidfd.h"
#include "sentry/proc/user_ns.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/syscalls/sys_ns.h"
#include "sentry/syscalls/table.h"

// ---- unshare ----------------------------------------------------------------------------------------------
int64_t sys_unshare(struct task *t, const struct sysargs *a) {
    uint64_t f = arg_ulong(a, 0);
    const uint64_t known = LINUX_CLONE_FS | LINUX_CLONE_FILES | LINUX_CLONE_SYSVSEM | LINUX_CLONE_THREAD |
                           LINUX_CLONE_SIGHAND | LINUX_CLONE_VM | LINUX_CLONE_NS_FLAGS;
    if (f & ~known)
        return -LINUX_EINVAL;
    if (f & LINUX_CLONE_NEWNS)
        f |= LINUX_CLONE_FS;
    if (f & LINUX_CLONE_NEWUSER)
        f |= LINUX_CLONE_THREAD | LINUX_CLONE_FS;
    if ((f & (LINUX_CLONE_THREAD | LINUX_CLONE_SIGHAND | LINUX_CLONE_VM)) && atomic_load(&t->tg->nalive) > 1)
        return -LINUX_EINVAL;
    if ((f & LINUX_CLONE_FS) && ref_read(&t->fs->refs) > 1) {
        struct fs_ctx *fs = fs_ctx_copy(t->fs);
        if (!fs)
            return -LINUX_ENOMEM;
        task_set_fs(t, fs);
    }
    if ((f & LINUX_CLONE_FILES) && ref_read(&t->files->refs) > 1) {
        if (fd_end(t->files) > (kernel_knob(t->k, KNOB_NR_OPEN) + 63) / 64 * 64)
            return -LINUX_EMFILE;  // a table is made in steps of 64
        struct fdtable *files = fdtable_copy(t->files);
        if (!files)
            return -LINUX_ENOMEM;
        task_set_files(t, files);
    }
    return namespaces_unshare(t, f);
}

// ---- setns ------------------------------------------------------------------------------------------------
// Those of the process that a pidfd stands for: it must be one that t may look into.
static int64_t enter_process(struct task *t, struct tgroup *g, uint64_t flags) {
    struct ns *wanted[NS_KINDS] = {NULL};
    struct task *leader;
    bool may;
    if (!flags || (flags & ~(uint64_t)LINUX_CLONE_NS_FLAGS))
        return -LINUX_EINVAL;
    {
        LOCKED(&t->k->tasks_lock);
        leader = g->leader && g->state == TG_ALIVE ? task_get(g->leader) : NULL;
        may = leader && ptrace_may_access(t, leader, PTRACE_REALCREDS);
    }
    if (!leader)
        return -LINUX_ESRCH;
    int64_t err = may ? 0 : -LINUX_EPERM;
    for (int i = 0; err == 0 && i < NS_KINDS; i++)
        if ((flags & ns_kind_flag(i)) && !(wanted[i] = task_ns(leader, i)))
            err = -LINUX_ESRCH;
    task_put(leader);
    err = err ? err : namespaces_enter(t, wanted);
    for (int i = 0; i < NS_KINDS; i++)
        ns_put(wanted[i]);
    return err;
}

int64_t sys_setns(struct task *t, const struct sysargs *a) {
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    uint32_t type = arg_u32(a, 1);
    if (!f)
        return -LINUX_EBADF;
    struct tgroup *g = pidfd_tgroup(f);
    if (g)
        return enter_process(t, g, type);
    struct ns *n = nsfs_of(f);
    if (!n || (type && type != ns_kind_flag(n->kind)))
        return -LINUX_EINVAL;
    struct ns *wanted[NS_KINDS] = {[NS_USER] = NULL};
    wanted[n->kind] = n;
    return namespaces_enter(t, wanted);
}

// ---- ioctl_nsfs -------------------------------------------------------------------------------------------
static int64_t open_ns(struct task *t, struct ns *n) {
    struct path p cleanup_path = {0};
    struct file *f cleanup_file = NULL;
    TASK_VFS_CTX(t, ctx);
    int err = nsfs_path(t->k->vfs, n, &p);
    err = err < 0 ? err : vfs_open_path(&ctx, &p, LINUX_O_RDONLY, &f);
    return err < 0 ? err : fd_install(t->files, f, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), true);
}

// The user namespace that n belongs to: none is shown that lies outside of the caller's.
static int64_t open_owner(struct task *t, const struct ns *n) {
    struct ns *owner = n->owner;
    if (!owner && n->kind != NS_USER)
        owner = &t->k->user_ns->ns;
    if (!owner || !user_ns_is_in(user_ns_of(owner), t->cred->user))
        return -LINUX_EPERM;
    return open_ns(t, owner);
}

static int64_t open_parent(struct task *t, struct ns *n) {
    if (n->kind == NS_USER)
        return open_owner(t, n);
    if (n->kind != NS_PID)
        return -LINUX_EINVAL;
    struct pid_ns *parent = ((struct pid_ns *)n)->parent;
    return parent && pid_ns_is_in(parent, t->tg->pid_ns) ? open_ns(t, &parent->ns) : -LINUX_EPERM;
}

static int64_t owner_uid(struct task *t, const struct ns *n, uaddr_t to) {
    if (n->kind != NS_USER)
        return -LINUX_EINVAL;
    uint32_t uid = idmap_shown(user_ns_uids(t->cred->user), user_ns_of((struct ns *)n)->uid);
    return copy_out_obj(t, to, &uid);
}

int64_t nsfs_ioctl(struct task *t, struct ns *n, unsigned cmd, uint64_t arg) {
    switch (cmd) {
    case LINUX_NS_GET_USERNS:
        return open_owner(t, n);
    case LINUX_NS_GET_PARENT:
        return open_parent(t, n);
    case LINUX_NS_GET_NSTYPE:
        return (int64_t)ns_kind_flag(n->kind);
    case LINUX_NS_GET_OWNER_UID:
        return owner_uid(t, n, uaddr(arg));
    default:
        return -LINUX_ENOTTY;
    }
}
