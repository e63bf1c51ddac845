// SPDX-License-Identifier: Apache-2.0
// Another process's memory: process_vm_readv process_vm_writev process_madvise process_mrelease. Who may
// trace it may copy, and may hint; /proc/PID/mem is in sentry/procfs/mem.c.
//
// LIMIT: process_madvise knows the hints that Linux 5.10 has for others (MADV_COLD, MADV_PAGEOUT) and
// MADV_WILLNEED, for oneself too.
#include "abi/caps.h"
#include "abi/caps.h"
#include "abi/uio.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/pidfd.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/syscalls/table.h"

// The map of `other`, with a reference, if t may look into it. Called with tasks_lock held.
static int open_map(struct task *t, const struct task *other, enum ptrace_creds creds, struct mm **out) {
    if (!other || !other->mm)
        return -LINUX_ESRCH;
    if (!ptrace_may_access(t, other, creds))
        return -LINUX_EACCES;
    *out = mm_get(other->mm);
    return 0;
}
static int map_of_thread(struct task *t, int32_t tid, struct mm **out) {
    struct task *other = tid > 0 ? task_find(t, tid) : NULL;
    if (!other)
        return -LINUX_ESRCH;
    int err;
    {
        LOCKED(&t->k->tasks_lock);
        err = open_map(t, other, PTRACE_REALCREDS, out);
    }
    task_put(other);
    return err == -LINUX_EACCES ? -LINUX_EPERM : err;
}

// ---- Copies -----------------------------------------------------------------------------------------------
struct remote {
    struct mm *mm;
    const struct user_iov *v;
    unsigned n;
};

// One element of the other side: bytes, or why none. Short where either side refuses.
static int64_t copy_one(struct uio *local, struct mm *mm, const struct user_iov *v, bool write) {
    char *buf = uio_bounce();
    uint64_t done = 0;
    if (!buf)
        return -LINUX_ENOMEM;
    while (local->left && done < v->len) {
        uaddr_t at = uaddr(v->base + done);
        uint64_t want = v->len - done < UIO_BOUNCE ? v->len - done : UIO_BOUNCE;
        want = want < local->left ? want : local->left;
        int64_t got = write ? uio_from(local, buf, want) : plat_copy_in(mm->as, buf, at, want), put = got;
        if (got > 0)
            put = write ? plat_copy_out(mm->as, at, buf, (size_t)got) : uio_to(local, buf, (size_t)got);
        if (put <= 0)
            return done ? (int64_t)done : put;
        done += (uint64_t)put;
        if ((uint64_t)put < want)
            break;
    }
    return (int64_t)done;
}
static int64_t copy_all(struct uio *local, const struct remote *r, bool write) {
    int64_t done = 0;
    for (unsigned i = 0; i < r->n && local->left; i++) {
        if (r->v[i].len == 0)
            continue;
        int64_t n = copy_one(local, r->mm, &r->v[i], write);
        if (n < 0)
            return done ? done : n;
        done += n;
        if ((uint64_t)n < r->v[i].len)
            break;
    }
    return done;
}

// The other side's ranges: what they are is for the copy to find out.
static int64_t read_remote(struct task *t, uaddr_t iov, uint64_t n, struct user_iov **out) {
    uint64_t sum = 0;
    if (n > LINUX_IOV_MAX)
        return -LINUX_EINVAL;
    struct user_iov *v = *out = n ? xcalloc(n, sizeof *v) : NULL;
    if (n && !v)
        return -LINUX_ENOMEM;
    if (n && copy_in(t, v, iov, n * sizeof *v) < 0)
        return -LINUX_EFAULT;
    for (uint64_t i = 0; i < n; i++) {
        if (v[i].len > INT64_MAX)
            return -LINUX_EINVAL;
        sum += v[i].len < LINUX_MAX_RW_COUNT ? v[i].len : LINUX_MAX_RW_COUNT;
    }
    return (int64_t)sum;
}

static int64_t copy_with(struct task *t, const struct sysargs *a, struct uio *local, bool write) {
    struct user_iov *v cleanup_free = NULL;
    int64_t most = local->left ? read_remote(t, arg_ptr(a, 3), arg_size(a, 4), &v) : 0;
    struct remote r = {.v = v, .n = (unsigned)arg_size(a, 4)};
    if (most <= 0)
        return most;
    int err = map_of_thread(t, arg_int(a, 0), &r.mm);
    if (err < 0)
        return err;
    plat_block_begin(t->k->platform);
    int64_t n = copy_all(local, &r, write);
    plat_block_end(t->k->platform);
    mm_put(r.mm);
    return n;
}
static int64_t process_vm(struct task *t, const struct sysargs *a, bool write) {
    struct uio_user u;
    if (arg_ulong(a, 5))
        return -LINUX_EINVAL;
    int64_t r = uio_user_iov(&u, t, arg_ptr(a, 1), arg_size(a, 2));
    if (r < 0)
        return r;
    r = copy_with(t, a, &u.u, write);
    uio_user_done(&u);
    return r;
}
int64_t sys_process_vm_readv(struct task *t, const struct sysargs *a) { return process_vm(t, a, false); }
int64_t sys_process_vm_writev(struct task *t, const struct sysargs *a) { return process_vm(t, a, true); }

// ---- Hints ------------------------------------------------------------------------------------------------
static int map_of_process(struct task *t, int fd, struct mm **out) {
    struct file *f cleanup_file = fd_get(t->files, fd);
    struct tgroup *g = f ? pidfd_tgroup(f) : NULL;
    if (!g)
        return -LINUX_EBADF;
    LOCKED(&t->k->tasks_lock);
    return open_map(t, g->state == TG_REAPED ? NULL : g->leader, PTRACE_FSCREDS, out);
}
static bool is_hint(int advice) {
    return advice == LINUX_MADV_COLD || advice == LINUX_MADV_PAGEOUT || advice == LINUX_MADV_WILLNEED;
}
static int64_t advise_all(struct task *t, struct mm *mm, const struct uio_user *u, int advice) {
    int64_t done = 0;
    for (unsigned i = 0; i < u->n; i++) {
        int64_t r = do_madvise(t, mm, NULL, uaddr(u->iov[i].base), u->iov[i].len, advice);
        if (r < 0)
            return done ? done : r;
        done += (int64_t)u->iov[i].len;
    }
    return done;
}
static int64_t hint(struct task *t, int fd, const struct uio_user *u, int advice) {
    struct mm *mm;
    int64_t r = map_of_process(t, fd, &mm);
    if (r < 0)
        return r;
    if (!is_hint(advice))
        r = -LINUX_EINVAL;
    else if (mm != t->mm && !task_capable(t, LINUX_CAP_SYS_NICE))
        r = -LINUX_EPERM;
    else
        r = advise_all(t, mm, u, advice);
    mm_put(mm);
    return r;
}
int64_t sys_process_madvise(struct task *t, const struct sysargs *a) {
    struct uio_user u;
    if (arg_u32(a, 4))
        return -LINUX_EINVAL;
    int64_t r = uio_user_iov(&u, t, arg_ptr(a, 1), arg_size(a, 2));
    if (r < 0)
        return r;
    r = hint(t, arg_int(a, 0), &u, arg_int(a, 3));
    uio_user_done(&u);
    return r;
}

// What a process that ends has is given back by its own end, at once: there is nothing to speed up.
int64_t sys_process_mrelease(struct task *t, const struct sysargs *a) {
    if (arg_u32(a, 1))
        return -LINUX_EINVAL;
    struct file *f cleanup_file = fd_get(t->files, arg_int(a, 0));
    struct tgroup *g = f ? pidfd_tgroup(f) : NULL;
    if (!g)
        return -LINUX_EBADF;
    if (!atomic_load(&g->nalive))
        return -LINUX_ESRCH;
    return atomic_load(&g->exiting) ? 0 : -LINUX_EINVAL;
}
