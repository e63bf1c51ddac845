// SPDX-License-Identifier: Apache-2.0
// Files without a name that carry bytes: pipe pipe2 eventfd eventfd2 memfd_create. Decodes and installs; the
// objects are in fs/pipe and fs/anon. LIMIT: notification pipes are EINVAL; huge pages are ENOSYS.
#include "abi/fcntl.h"
#include "abi/misc.h"
#include "abi/mman.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/syscalls/table.h"

#define MEMFD_NAME_MAX 249  // memfd_create(2)

static int install(struct task *t, struct file *f, bool cloexec) {
    return fd_install(t->files, f, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), cloexec);
}

// Both descriptors or none.
static int install_pair(struct task *t, struct file *ends[2], bool cloexec, int32_t fds[2]) {
    fds[0] = install(t, ends[0], cloexec);
    if (fds[0] < 0)
        return fds[0];
    fds[1] = install(t, ends[1], cloexec);
    if (fds[1] < 0) {
        fd_close(t->files, fds[0]);
        return fds[1];
    }
    return 0;
}

// A new object is its maker's; nobody else has seen it yet. (/proc/PID/fd opens it again by its mode bits.)
static void own(struct task *t, struct file *f) {
    f->inode->attr.uid = t->cred->fsuid;
    f->inode->attr.gid = t->cred->fsgid;
}

static int64_t do_pipe(struct task *t, uaddr_t out, unsigned flags) {
    const unsigned known = LINUX_O_CLOEXEC | LINUX_O_NONBLOCK | LINUX_O_DIRECT;
    if (flags & ~(known | LINUX_O_NOTIFICATION_PIPE))
        return -LINUX_EINVAL;
    if (flags & LINUX_O_NOTIFICATION_PIPE)  // as a kernel that was built without watch queues
        return -LINUX_ENOPKG;
    struct file *ends[2];
    int32_t fds[2];
    int err = pipe_open(t->k->vfs, flags & (LINUX_O_NONBLOCK | LINUX_O_DIRECT), ends);
    if (err < 0)
        return err;
    own(t, ends[0]);
    err = install_pair(t, ends, flags & LINUX_O_CLOEXEC, fds);
    file_put(ends[0]);
    file_put(ends[1]);
    if (err < 0)
        return err;
    if (copy_out(t, out, fds, sizeof fds) < 0) {
        fd_close(t->files, fds[0]);
        fd_close(t->files, fds[1]);
        return -LINUX_EFAULT;
    }
    return 0;
}

int64_t sys_pipe(struct task *t, const struct sysargs *a) { return do_pipe(t, arg_ptr(a, 0), 0); }
int64_t sys_pipe2(struct task *t, const struct sysargs *a) {
    return do_pipe(t, arg_ptr(a, 0), arg_u32(a, 1));
}

static int64_t do_eventfd(struct task *t, uint32_t initial, unsigned flags) {
    struct file *f cleanup_file = NULL;
    if (flags & ~(unsigned)(LINUX_EFD_SEMAPHORE | LINUX_EFD_NONBLOCK | LINUX_EFD_CLOEXEC))
        return -LINUX_EINVAL;
    int err = eventfd_open(t->k->vfs, initial, flags, &f);
    return err < 0 ? err : install(t, f, flags & LINUX_EFD_CLOEXEC);
}

int64_t sys_eventfd(struct task *t, const struct sysargs *a) { return do_eventfd(t, arg_u32(a, 0), 0); }
int64_t sys_eventfd2(struct task *t, const struct sysargs *a) {
    return do_eventfd(t, arg_u32(a, 0), arg_u32(a, 1));
}

int64_t sys_memfd_create(struct task *t, const struct sysargs *a) {
    char name[MEMFD_NAME_MAX + 1];
    unsigned flags = arg_u32(a, 1);
    struct file *f cleanup_file = NULL;
    const unsigned known =
        LINUX_MFD_CLOEXEC | LINUX_MFD_ALLOW_SEALING | LINUX_MFD_NOEXEC_SEAL | LINUX_MFD_EXEC;
    const unsigned huge = flags & LINUX_MFD_HUGETLB ? LINUX_MFD_HUGETLB | LINUX_MFD_HUGE_MASK : 0;
    if (flags & ~(known | huge) || ((flags & LINUX_MFD_EXEC) && (flags & LINUX_MFD_NOEXEC_SEAL)))
        return -LINUX_EINVAL;
    int64_t n = copy_in_str(t, name, arg_ptr(a, 0), sizeof name);
    if (n < 0)
        return n == -LINUX_ENAMETOOLONG ? -LINUX_EINVAL : n;
    if (huge)
        return -LINUX_ENOSYS;
    int err = memfd_open(t->k->vfs, name, flags, &f);
    if (err < 0)
        return err;
    own(t, f);
    return install(t, f, flags & LINUX_MFD_CLOEXEC);
}
