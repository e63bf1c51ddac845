// SPDX-License-Identifier: Apache-2.0
// io_uring_setup io_uring_enter io_uring_register. Decodes and waits; rings and requests are in
// sentry/uring/.
// LIMIT: io_uring: IORING_SETUP_IOPOLL and IORING_SETUP_SQPOLL are EINVAL: who polls would be the sentry.
// LIMIT: io_uring: MADVISE is EINVAL, URING_CMD EOPNOTSUPP; 4096 rings in a sandbox, then io_uring_setup is
// ENOMEM; 16384 requests at a time in a sandbox, then io_uring_enter is EAGAIN.
#include "abi/caps.h"
#include "abi/poll.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/run/park.h"
#include "sentry/signal/signal.h"
#include "sentry/syscalls/table.h"
#include "sentry/syscalls/wait_args.h"
#include "sentry/time/timeconv.h"
#include "sentry/uring/uring.h"

// ---- Setup ------------------------------------------------------------------------------------------------
static bool in_group(const struct cred *c, int64_t gid) {
    for (unsigned i = 0; i < c->ngroups; i++)
        if (c->groups[i] == gid)
            return true;
    return c->egid == gid;
}

// kernel.io_uring_disabled: 1, none but for root and one group; 2, none.
static bool allowed(struct task *t) {
    int64_t disabled = kernel_knob(t->k, KNOB_URING_DISABLED);
    int64_t group = kernel_knob(t->k, KNOB_URING_GROUP);
    if (disabled == 0)
        return true;
    if (disabled == 2)
        return false;
    return task_capable(t, LINUX_CAP_SYS_ADMIN) || (group >= 0 && in_group(t->cred, group));
}

static int check_flags(unsigned f) {
    const unsigned known = LINUX_IORING_SETUP_CQSIZE | LINUX_IORING_SETUP_CLAMP |
                           LINUX_IORING_SETUP_R_DISABLED | LINUX_IORING_SETUP_SUBMIT_ALL |
                           LINUX_IORING_SETUP_COOP_TASKRUN | LINUX_IORING_SETUP_TASKRUN_FLAG |
                           LINUX_IORING_SETUP_SQE128 | LINUX_IORING_SETUP_CQE32 |
                           LINUX_IORING_SETUP_SINGLE_ISSUER | LINUX_IORING_SETUP_DEFER_TASKRUN;
    if (f & ~known)
        return -LINUX_EINVAL;
    if ((f & LINUX_IORING_SETUP_DEFER_TASKRUN) && !(f & LINUX_IORING_SETUP_SINGLE_ISSUER))
        return -LINUX_EINVAL;
    const unsigned run = LINUX_IORING_SETUP_COOP_TASKRUN | LINUX_IORING_SETUP_DEFER_TASKRUN;
    return (f & LINUX_IORING_SETUP_TASKRUN_FLAG) && !(f & run) ? -LINUX_EINVAL : 0;
}

int64_t sys_io_uring_setup(struct task *t, const struct sysargs *a) {
    struct linux_io_uring_params p;
    struct file *f cleanup_file = NULL;
    if (!allowed(t))
        return -LINUX_EPERM;
    if (copy_in_obj(t, &p, arg_ptr(a, 1)) < 0)
        return -LINUX_EFAULT;
    if (p.resv[0] || p.resv[1] || p.resv[2])
        return -LINUX_EINVAL;
    int err = check_flags(p.flags);
    if (err == 0)
        err = uring_open(t, arg_u32(a, 0), &p, &f);
    if (err < 0)
        return err;
    if (copy_out_obj(t, arg_ptr(a, 1), &p) < 0)
        return -LINUX_EFAULT;
    return fd_install(t->files, f, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), true);
}

// ---- Enter ------------------------------------------------------------------------------------------------
static int may_enter(struct uring *r, struct task *t) {
    LOCKED(&r->lock);
    if (r->disabled)
        return -LINUX_EBADFD;
    return r->issuer && r->issuer != t ? -LINUX_EEXIST : 0;
}

// The first run: its arguments, its requests. call.done: how many were submitted.
static int64_t enter_begin(struct task *t, struct uring *r, const struct sysargs *a) {
    struct call *c = &t->call;
    uint32_t flags = arg_u32(a, 3);
    c->done = 0;
    if (!arg_u32(a, 1))
        return 0;
    int64_t n = uring_submit(r, t, arg_u32(a, 1));
    workers_run_ready();
    if (n < 0)
        return n;
    c->done = n;
    bool waits = flags & LINUX_IORING_ENTER_GETEVENTS;
    return waits && n < arg_u32(a, 1) ? -LINUX_EAGAIN : 0;
}

static int64_t wait_begin(struct task *t, const struct sysargs *a) {
    struct linux_io_uring_getevents_arg x = {0};
    uint64_t ns;
    if (!(arg_u32(a, 3) & LINUX_IORING_ENTER_EXT_ARG)) {
        return wait_mask(t, arg_ptr(a, 4), arg_size(a, 5));
    }
    if (arg_size(a, 5) != sizeof x)
        return -LINUX_EINVAL;
    if (copy_in_obj(t, &x, arg_ptr(a, 4)) < 0)
        return -LINUX_EFAULT;
    if (x.pad)
        return -LINUX_EINVAL;
    if (x.ts) {
        int err = wait_time(t, uaddr(x.ts), &ns);
        if (err < 0)
            return err;
        park_deadline(t, time_after(ns));
    }
    return wait_mask(t, uaddr(x.sigmask), x.sigmask_sz);
}

static int64_t wait_completions(struct task *t, struct file *f, struct uring *r, unsigned least) {
    least = least < r->cq_entries ? least : r->cq_entries;
    park_arm_in(t, f, &r->wait);
    if (uring_ready(r) >= least)
        return 0;
    if (t->call.timed_out)
        return -LINUX_ETIME;
    int64_t w = park(t);
    return w == SYS_PARK ? w : -LINUX_EINTR;
}

static int64_t enter(struct task *t, struct file *f, const struct sysargs *a) {
    struct uring *r = uring_of(f);
    struct call *c = &t->call;
    int64_t err = 0;
    if (!c->again) {
        err = may_enter(r, t);
        err = err ? err : enter_begin(t, r, a);
        if (err < 0)
            return c->done ? c->done : err;
    }
    if (!(arg_u32(a, 3) & LINUX_IORING_ENTER_GETEVENTS))
        return c->done;
    if (!c->again)
        err = wait_begin(t, a);
    if (err == 0)
        err = wait_completions(t, f, r, arg_u32(a, 2));
    if (err == SYS_PARK)
        return err;
    return signal_tmp_mask_end(t, c->done ? c->done : err);
}

#define ENTER_FLAGS  0xefu  // that Linux 6.18 knows of a ring by its descriptor
#define REGISTER_END 37u    // of its opcodes

int64_t sys_io_uring_enter(struct task *t, const struct sysargs *a) {
    const unsigned known = LINUX_IORING_ENTER_GETEVENTS | LINUX_IORING_ENTER_SQ_WAKEUP |
                           LINUX_IORING_ENTER_SQ_WAIT | LINUX_IORING_ENTER_EXT_ARG;
    if (arg_u32(a, 3) & ~ENTER_FLAGS)
        return -LINUX_EINVAL;
    struct file *kept = park_file(t);
    struct file *f cleanup_file = kept ? file_get(kept) : fd_get_io(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    if (!uring_of(f))
        return -LINUX_EOPNOTSUPP;
    return arg_u32(a, 3) & ~known ? -LINUX_EINVAL : enter(t, f, a);
}

int64_t sys_io_uring_register(struct task *t, const struct sysargs *a) {
    // -1: what needs no ring, of which nothing is served
    if (arg_u32(a, 1) >= REGISTER_END || arg_int(a, 0) == -1)
        return -LINUX_EINVAL;
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    struct uring *r = uring_of(f);
    return r ? uring_register(r, t, arg_u32(a, 1), arg_ptr(a, 2), arg_u32(a, 3)) : -LINUX_EOPNOTSUPP;
}
