// SPDX-License-Identifier: Apache-2.0
// kcmp(2): do two tasks share an object? What is compared are addresses of ours, mixed with a random number
// of the sandbox's, so that their order tells nothing of where they lie.
#include "abi/misc.h"
#include "sentry/fd/epoll.h"
#include "sentry/fd/fdtable.h"
#include "sentry/ipc/ipc_ns.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/syscalls/table.h"

// An order that is the same each time, and nothing else.
static uint64_t mixed(const struct task *t, const void *p) {
    const uint64_t *key = t->k->kcmp_key;
    return (((uintptr_t)p ^ key[0]) * (key[1] | 1)) ^ key[1];
}

static int64_t compare(const struct task *t, const void *a, const void *b) {
    uint64_t x = mixed(t, a), y = mixed(t, b);
    if (x == y)
        return 0;
    return x < y ? 1 : 2;
}

// The file behind a number of a task, referenced, or NULL.
static struct file *file_of(struct task *of, uint64_t fd) {
    struct fdtable *files;
    {
        LOCKED(&of->k->tasks_lock);
        files = of->files ? fdtable_get(of->files) : NULL;
    }
    if (!files)
        return NULL;
    struct file *f = fd <= INT32_MAX ? fd_get(files, (int)fd) : NULL;
    fdtable_put(files);
    return f;
}

static int64_t compare_files(struct task *t, struct task *a, struct task *b, uint64_t fd1, uint64_t fd2) {
    struct file *f1 cleanup_file = file_of(a, fd1), *f2 cleanup_file = file_of(b, fd2);
    return f1 && f2 ? compare(t, f1, f2) : -LINUX_EBADF;
}

// The file behind an entry of b's epoll set.
static int64_t compare_epoll(struct task *t, struct task *a, struct task *b, uint64_t fd1, uaddr_t at) {
    struct linux_kcmp_epoll_slot s;
    const struct file *watched;
    if (copy_in_obj(t, &s, at) < 0)
        return -LINUX_EFAULT;
    struct file *f cleanup_file = file_of(a, fd1), *set cleanup_file = file_of(b, s.efd);
    if (!f || !set)
        return -LINUX_EBADF;
    int err = epoll_nth(set, s.tfd, s.toff, &watched);
    return err < 0 ? err : compare(t, f, watched);
}

static int64_t compare_parts(struct task *t, struct task *a, struct task *b, const struct sysargs *args) {
    uint32_t i1 = arg_u32(args, 3);  // numbers of files: Linux looks at 32 bits
    if (arg_int(args, 2) == LINUX_KCMP_FILE)
        return compare_files(t, a, b, i1, arg_u32(args, 4));
    if (arg_int(args, 2) == LINUX_KCMP_EPOLL_TFD)
        return compare_epoll(t, a, b, i1, arg_ptr(args, 4));
    LOCKED(&t->k->tasks_lock);
    switch (arg_int(args, 2)) {
    case LINUX_KCMP_VM:
        return compare(t, a->mm, b->mm);
    case LINUX_KCMP_FILES:
        return compare(t, a->files, b->files);
    case LINUX_KCMP_FS:
        return compare(t, a->fs, b->fs);
    case LINUX_KCMP_SIGHAND:
        return compare(t, a->tg->sighand, b->tg->sighand);
    case LINUX_KCMP_IO:  // nobody shares one here (CLONE_IO has no effect)
        return compare(t, NULL, NULL);
    case LINUX_KCMP_SYSVSEM: {  // the undo list is the process's; where none has anything in it, there is
                                // none
        bool any = atomic_load(&task_ipc(t)->nundos);
        return any ? compare(t, a->tg, b->tg) : 0;
    }
    default:
        return -LINUX_EINVAL;
    }
}

static bool may_look(struct task *t, struct task *at) {
    LOCKED(&t->k->tasks_lock);
    return ptrace_may_access(t, at, PTRACE_REALCREDS);
}

int64_t sys_kcmp(struct task *t, const struct sysargs *args) {
    struct task *a = task_find(t, arg_int(args, 0)), *b = task_find(t, arg_int(args, 1));
    int64_t r = -LINUX_ESRCH;
    if (a && b)
        r = may_look(t, a) && may_look(t, b) ? compare_parts(t, a, b, args) : -LINUX_EPERM;
    if (a)
        task_put(a);
    if (b)
        task_put(b);
    return r;
}
