// SPDX-License-Identifier: Apache-2.0
// See pidfd.h. Readable once the process has ended. Holds a reference of the process, not of its number.
#include "sentry/proc/pidfd.h"
#include "abi/poll.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/procfs/impl.h"
#include "sentry/syscalls/table.h"

static uint32_t pidfd_poll(struct file *f, struct waiter *w) {
    struct tgroup *g = f->priv;
    if (w)
        waitq_add(&g->exit_wait, w);
    // Not the state, which is guarded by an outer lock: epoll asks with locks of its own held.
    return atomic_load(&g->nalive) ? 0 : LINUX_POLLIN | LINUX_POLLRDNORM;
}

static int64_t pidfd_read(struct file *f, struct uio *u, uint64_t off) { return -LINUX_EINVAL; }
static void pidfd_release(struct file *f) { tgroup_put(f->priv); }

static const struct file_ops pidfd_ops = {.read = pidfd_read, .poll = pidfd_poll, .release = pidfd_release};

static int pidfd_file(struct task *t, struct tgroup *g, unsigned flags, struct file **out) {
    int err = file_anon(t->k->vfs, "anon_inode:[pidfd]", NULL, &pidfd_ops, tgroup_get(g),
                        LINUX_O_RDWR | flags, out);
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
