// SPDX-License-Identifier: Apache-2.0
// See pidfd.h. Readable once the process has ended. Holds a reference of the process, not of its number.
#include "sentry/proc/pidfd.h"
#include "abi/poll.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/user_ns.h"
#include "sentry/run/run.h"
#include "sentry/procfs/impl.h"
#include "sentry/syscalls/table.h"

static uint32_t pidfd_poll(struct file *f, struct waiter *w) {
    struct tgroup *g = f->priv;
    if (w)
        waitq_add(&g->exit_wait, w);
    // Not the state, which is guarded by an outer lock: epoll asks with locks of its own held.
    return atomic_load(&g->nalive) ? 0 : LINUX_POLLIN | LINUX_POLLRDNORM;
}

// ---- PIDFD_GET_INFO ---------------------------------------------------------------------------------------
#define PIDFS_MAGIC 0xff
#define GET_INFO_NR 11
enum { INFO_PID = 1, INFO_CREDS = 2, INFO_CGROUPID = 4, INFO_EXIT = 8 };

struct pidfd_info {
    uint64_t mask, cgroupid;
    uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
};
_Static_assert(sizeof(struct pidfd_info) == 64, "PIDFD_INFO_SIZE_VER0");

// What can be told t, in its numbers: of a process that has been waited for its status alone, if asked for,
// else -LINUX_ESRCH. Nothing of one that it does not see: -LINUX_EREMOTE.
static int gather(struct task *t, struct tgroup *g, uint64_t asked, struct pidfd_info *i) {
    const struct pid_ns *ns = t->tg->pid_ns;
    LOCKED(&g->k->tasks_lock);
    *i = (struct pidfd_info){0};
    if (!pid_ns_is_in(g->pid_ns, ns))
        return -LINUX_EREMOTE;
    if (g->state == TG_REAPED) {
        if (!(asked & INFO_EXIT))
            return -LINUX_ESRCH;
        i->mask = INFO_EXIT;
        i->exit_code = g->group_exit_code;
        return 0;
    }
    const struct cred *c = g->leader->cred;
    i->mask = INFO_PID | INFO_CREDS;
    i->pid = i->tgid = (uint32_t)pid_out(ns, g->pid);
    i->ppid = g->parent ? (uint32_t)pid_out(ns, g->parent->pid) : 0;
    i->ruid = task_uid_out(t, c->uid);
    i->rgid = task_gid_out(t, c->gid);
    i->euid = task_uid_out(t, c->euid);
    i->egid = task_gid_out(t, c->egid);
    i->suid = task_uid_out(t, c->suid);
    i->sgid = task_gid_out(t, c->sgid);
    i->fsuid = task_uid_out(t, c->fsuid);
    i->fsgid = task_gid_out(t, c->fsgid);
    return 0;
}

static int64_t pidfd_ioctl(struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua) {
    struct pidfd_info i;
    size_t size = cmd >> 16 & 0x3fff;
    uint64_t asked;
    if ((cmd >> 8 & 0xff) != PIDFS_MAGIC || (cmd & 0xff) != GET_INFO_NR || size < sizeof i)
        return -LINUX_ENOTTY;
    if (arg == 0)
        return -LINUX_EINVAL;
    if (ua->in(ua, &asked, uaddr(arg), sizeof asked) < 0)
        return -LINUX_EFAULT;
    struct task *t = task_current;
    int err = t ? gather(t, f->priv, asked, &i) : -LINUX_ENOTTY;
    if (err < 0)
        return err;
    if (ua->out(ua, uaddr(arg), &i, sizeof i) < 0)
        return -LINUX_EFAULT;
    static const char zeros[64];
    for (size_t at = sizeof i, n; at < size; at += n) {
        n = size - at < sizeof zeros ? size - at : sizeof zeros;
        if (ua->out(ua, uaddr(arg + at), zeros, n) < 0)
            return -LINUX_EFAULT;
    }
    return 0;
}

static int64_t pidfd_read(struct file *f, struct uio *u, uint64_t off) { return -LINUX_EINVAL; }
static void pidfd_release(struct file *f) { tgroup_put(f->priv); }

static const struct file_ops pidfd_ops = {.read = pidfd_read, .poll = pidfd_poll, .ioctl = pidfd_ioctl,
                                          .release = pidfd_release};

static int pidfd_file(struct task *t, struct tgroup *g, unsigned flags, struct file **out) {
    struct inode *i = vfs_anon_inode(t->k->vfs, 0600, 0, 0);
    if (!i)
        return -LINUX_ENOMEM;
    uint64_t ino = 0;
    if (!atomic_compare_exchange_strong(&g->pidfd_ino, &ino, i->attr.ino))
        i->attr.ino = ino;
    int err =
        file_anon(t->k->vfs, "anon_inode:[pidfd]", i, &pidfd_ops, tgroup_get(g), LINUX_O_RDWR | flags, out);
    if (err < 0)
        tgroup_put(g);
    return err;
}

static int install(struct task *t, struct tgroup *g, unsigned flags) {
    struct file *f cleanup_file = NULL;
    int err = pidfd_file(t, g, flags, &f);
    return err < 0 ? err : fd_install(t->files, f, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), true);
}

int pidfd_install(struct task *t, struct tgroup *g) { return install(t, g, 0); }

struct tgroup *pidfd_tgroup(struct file *f) { return f->ops == &pidfd_ops ? f->priv : NULL; }

int pidfd_pid(struct task *t, int fd) {
    struct file *f cleanup_file = fd_get(t->files, fd);
    struct tgroup *g = f ? pidfd_tgroup(f) : NULL;
    return g ? g->pid : -LINUX_EBADF;
}

// Asked for by pidfd_getfd(2): the right to trace, then the number.
int64_t sys_pidfd_getfd(struct task *t, const struct sysargs *a) {
    if (arg_u32(a, 2))
        return -LINUX_EINVAL;
    struct file *f cleanup_file = fd_get(t->files, arg_int(a, 0));
    struct tgroup *g = f ? pidfd_tgroup(f) : NULL;
    if (!g)
        return -LINUX_EBADF;
    const struct proc_node node = {.g = g};
    if (!atomic_load(&g->nalive))
        return -LINUX_ESRCH;
    if (!proc_may_trace(&node))
        return -LINUX_EPERM;
    struct fdtable *files = proc_files(&node);
    struct file *wanted cleanup_file = files ? fd_get(files, arg_int(a, 1)) : NULL;
    if (files)
        fdtable_put(files);
    return wanted ? fd_install(t->files, wanted, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), true) : -LINUX_EBADF;
}

int64_t sys_pidfd_open(struct task *t, const struct sysargs *a) {
    int32_t pid = arg_int(a, 0);
    unsigned flags = arg_u32(a, 1);
    if (pid <= 0 || (flags & ~(unsigned)LINUX_O_NONBLOCK))
        return -LINUX_EINVAL;
    struct tgroup *g = tgroup_find(t, pid);
    if (!g) {
        struct task *other = task_find(t, pid);
        if (other)
            task_put(other);
        return other ? -LINUX_ENOENT : -LINUX_ESRCH;  // a thread that leads no process
    }
    int fd = install(t, g, flags);
    tgroup_put(g);
    return fd;
}
