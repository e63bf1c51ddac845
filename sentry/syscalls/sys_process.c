// SPDX-License-Identifier: Apache-2.0
// Processes: clone clone3 fork vfork exit exit_group wait4 waitid set_tid_address. Decodes; the meaning is in
// sentry/proc/task_clone.c, task_exit.c and task_wait.c. execve is in sys_exec.c.
#include "abi/caps.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "abi/wait.h"
#include "base/clock.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/user_ns.h"
#include "sentry/proc/pidfd.h"
#include "sentry/proc/task_clone.h"
#include "sentry/proc/task_wait.h"
#include "sentry/run/run.h"
#include "sentry/syscalls/table.h"
#include "sentry/time/timeconv.h"
#include <string.h>

// ---- clone ------------------------------------------------------------------------------------------------
// A clone is several runs of the handler; the request is decoded once and kept in call.notes.
static int64_t clone_first(struct task *t, const struct clone_req *r) {
    t->call.notes.clone.req = *r;
    t->call.phase = CLONE_BEGIN;
    return clone_step(t);
}

static int64_t clone_decode(const struct sysargs *a, struct clone_req *r) {
    *r = (struct clone_req){
        .flags = arg_u32(a, 0) & ~0xffu,
        .exit_signal = arg_u32(a, 0) & 0xff,
        .stack = arg_ulong(a, 1),
        .parent_tid = arg_ptr(a, 2),
        .child_tid = arg_ptr(a, 3),
        .tls = arg_ulong(a, 4),
        .pidfd = arg_ptr(a, 2),
    };
    if ((r->flags & LINUX_CLONE_PIDFD) && (r->flags & (LINUX_CLONE_PARENT_SETTID | LINUX_CLONE_DETACHED)))
        return -LINUX_EINVAL;
    r->flags &= ~LINUX_CLONE_DETACHED;
    return 0;
}

int64_t sys_clone(struct task *t, const struct sysargs *a) {
    if (t->call.phase != CLONE_DECODE)
        return clone_step(t);
    struct clone_req r;
    int64_t err = clone_decode(a, &r);
    return err < 0 ? err : clone_first(t, &r);
}

int64_t sys_fork(struct task *t, const struct sysargs *a) {
    if (t->call.phase != CLONE_DECODE)
        return clone_step(t);
    return clone_first(t, &(struct clone_req){.exit_signal = LINUX_SIGCHLD});
}

int64_t sys_vfork(struct task *t, const struct sysargs *a) {
    if (t->call.phase != CLONE_DECODE)
        return clone_step(t);
    return clone_first(
        t, &(struct clone_req){.flags = LINUX_CLONE_VM | LINUX_CLONE_VFORK, .exit_signal = LINUX_SIGCHLD});
}

// Who may choose numbers, of each namespace that they are in (CAP_CHECKPOINT_RESTORE).
static int read_set_tid(struct task *t, struct clone_req *r, uaddr_t from, uint64_t n) {
    const struct pid_ns *ns = pid_ns_of(t->nsproxy->of[NS_PID]);
    if (copy_in(t, r->set_tid, from, n * sizeof r->set_tid[0]) < 0)
        return -LINUX_EFAULT;
    r->nset = (unsigned)n;
    for (uint64_t i = 0; i < n; i++) {
        if (r->set_tid[i] < 1 || r->set_tid[i] >= PID_MAX)
            return -LINUX_EINVAL;
        if (i == 0 && (r->flags & LINUX_CLONE_NEWPID))
            continue;  // one that is not there yet: its maker may
        if (!ns)
            return -LINUX_EINVAL;
        if (!task_capable_over(t, &ns->ns, LINUX_CAP_CHECKPOINT_RESTORE) &&
            !task_capable_over(t, &ns->ns, LINUX_CAP_SYS_ADMIN))
            return -LINUX_EPERM;
        ns = ns->parent;
    }
    return 0;
}

// The structure is read once and checked as clone3(2) says; bytes beyond what is known must be zero.
static int64_t clone3_decode(struct task *t, const struct sysargs *a, struct clone_req *r) {
    struct linux_clone_args c;
    int err = copy_in_struct(t, &c, sizeof c, arg_ptr(a, 0), arg_size(a, 1), LINUX_CLONE_ARGS_SIZE_VER0);
    if (err < 0)
        return err;
    if (c.set_tid_size > SET_TID_MOST - 1 || !c.set_tid != !c.set_tid_size)
        return -LINUX_EINVAL;
    if (c.flags & (0xff | LINUX_CLONE_DETACHED) & ~LINUX_CLONE_NEWTIME)
        return -LINUX_EINVAL;
    bool into = c.flags & LINUX_CLONE_INTO_CGROUP;
    if (into && (c.cgroup > INT32_MAX || arg_size(a, 1) < LINUX_CLONE_ARGS_SIZE_VER2 ||
                 (c.flags & LINUX_CLONE_THREAD)))
        return -LINUX_EINVAL;
    if (c.flags >> 34 || c.exit_signal > LINUX_NSIG || !c.stack != !c.stack_size)
        return -LINUX_EINVAL;
    if ((c.flags & (LINUX_CLONE_THREAD | LINUX_CLONE_PARENT)) && c.exit_signal)
        return -LINUX_EINVAL;
    if ((c.flags & LINUX_CLONE_SIGHAND) && (c.flags & LINUX_CLONE_CLEAR_SIGHAND))
        return -LINUX_EINVAL;
    *r = (struct clone_req){
        .flags = c.flags,
        .exit_signal = c.exit_signal,
        .stack = c.stack + c.stack_size,
        .tls = c.tls,
        .parent_tid = uaddr(c.parent_tid),
        .child_tid = uaddr(c.child_tid),
        .pidfd = uaddr(c.pidfd),
        .cgroup = into ? (int)c.cgroup : -1,
    };
    return c.set_tid_size ? read_set_tid(t, r, uaddr(c.set_tid), c.set_tid_size) : 0;
}

int64_t sys_clone3(struct task *t, const struct sysargs *a) {
    if (t->call.phase != CLONE_DECODE)
        return clone_step(t);
    struct clone_req r;
    int64_t err = clone3_decode(t, a, &r);
    return err < 0 ? err : clone_first(t, &r);
}

int64_t sys_set_tid_address(struct task *t, const struct sysargs *a) {
    t->clear_child_tid = arg_ptr(a, 0);
    return task_vtid(t);
}

// ---- exit -------------------------------------------------------------------------------------------------
int64_t sys_exit(struct task *t, const struct sysargs *a) {
    task_die(t, (arg_int(a, 0) & 0xff) << 8);
    return SYS_GONE;
}

int64_t sys_exit_group(struct task *t, const struct sysargs *a) {
    tgroup_begin_exit(t->tg, (arg_int(a, 0) & 0xff) << 8);
    task_die(t, t->tg->group_exit_code);
    return SYS_GONE;
}

// ---- wait -------------------------------------------------------------------------------------------------
static int copy_rusage(struct task *t, uaddr_t addr, const struct wait_result *res) {
    struct linux_rusage ru = {.ru_maxrss = (int64_t)(res->peak / 1024)};
    ru.ru_utime = time_to_val(res->cpu_ns);
    ru.ru_stime = time_to_val(res->sys_ns);
    return uaddr_is_null(addr) ? 0 : copy_out_obj(t, addr, &ru);
}

int64_t sys_wait4(struct task *t, const struct sysargs *a) {
    int32_t pid = arg_int(a, 0);
    int options = arg_int(a, 2);
    const int known = LINUX_WNOHANG | LINUX_WUNTRACED | LINUX_WCONTINUED | LINUX___WALL | LINUX___WCLONE |
                      LINUX___WNOTHREAD;
    if (options & ~known)
        return -LINUX_EINVAL;
    if (pid == INT32_MIN)
        return -LINUX_ESRCH;
    struct wait_req r = {WAIT_PID, pid, options | LINUX_WEXITED};
    if (pid == -1)
        r.which = WAIT_ANY;
    else if (pid <= 0)
        r = (struct wait_req){WAIT_PGRP, pid ? task_pid_in(t, -pid) : tgroup_pgid(t->tg), r.options};
    else
        r.id = task_pid_in(t, pid);
    struct wait_result res;
    int64_t err = do_wait(t, &r, &res);
    if (err != 0 || !res.pid)
        return err;
    if (copy_out_opt(t, arg_ptr(a, 1), &res.status) < 0)
        return -LINUX_EFAULT;
    return copy_rusage(t, arg_ptr(a, 3), &res) < 0 ? -LINUX_EFAULT : res.pid;
}

// O_NONBLOCK of the descriptor: EAGAIN instead of waiting, pidfd_open(2).
static int64_t waitid_pidfd(struct task *t, struct wait_req *r) {
    struct file *f cleanup_file = fd_get(t->files, r->id);
    struct tgroup *g = f ? pidfd_tgroup(f) : NULL;
    if (!g)
        return -LINUX_EBADF;
    r->which = WAIT_PID;
    r->id = g->pid;
    if (atomic_load(&f->flags) & LINUX_O_NONBLOCK)
        r->options |= LINUX_WNOHANG;
    return 0;
}

static int64_t waitid_decode(struct task *t, const struct sysargs *a, struct wait_req *r) {
    int options = arg_int(a, 3);
    const int known = LINUX_WNOHANG | LINUX_WNOWAIT | LINUX_WEXITED | LINUX_WSTOPPED | LINUX_WCONTINUED |
                      LINUX___WALL | LINUX___WCLONE | LINUX___WNOTHREAD;
    if ((options & ~known) || !(options & (LINUX_WEXITED | LINUX_WSTOPPED | LINUX_WCONTINUED)))
        return -LINUX_EINVAL;
    *r = (struct wait_req){WAIT_ANY, arg_int(a, 1), options};
    switch (arg_int(a, 0)) {
    case LINUX_P_ALL:
        return 0;
    case LINUX_P_PID:
        r->which = WAIT_PID;
        if (r->id <= 0)
            return -LINUX_EINVAL;
        r->id = task_pid_in(t, r->id);
        return 0;
    case LINUX_P_PGID:
        r->which = WAIT_PGRP;
        if (r->id < 0)
            return -LINUX_EINVAL;
        r->id = r->id ? task_pid_in(t, r->id) : tgroup_pgid(t->tg);
        return 0;
    case LINUX_P_PIDFD:
        return r->id < 0 ? -LINUX_EINVAL : waitid_pidfd(t, r);
    default:
        return -LINUX_EINVAL;
    }
}

static int32_t shown_status(const struct wait_result *res) {
    switch (res->code) {
    case LINUX_CLD_EXITED:
    case LINUX_CLD_STOPPED:
        return res->status >> 8 & 0xff;
    case LINUX_CLD_TRAPPED:
        return res->status >> 8;
    case LINUX_CLD_CONTINUED:
        return LINUX_SIGCONT;
    default:
        return res->status & 0x7f;
    }
}

// Where nothing was found, and where the call was wrong, Linux says so in the structure too: with zeros.
static int64_t waitid_nothing(struct task *t, uaddr_t to, int64_t err) {
    const struct linux_siginfo none = {0};
    bool plain = err < 0 && err >= -LINUX_MAX_ERRNO;
    return plain && copy_out_opt(t, to, &none) < 0 ? -LINUX_EFAULT : err;
}

int64_t sys_waitid(struct task *t, const struct sysargs *a) {
    struct wait_req r;
    int64_t err = waitid_decode(t, a, &r);
    if (err < 0)
        return waitid_nothing(t, arg_ptr(a, 2), err);
    struct wait_result res;
    err = do_wait(t, &r, &res);
    if (err != 0)
        return waitid_nothing(t, arg_ptr(a, 2), err);
    struct linux_siginfo info = {0};
    if (!res.pid && !(arg_int(a, 3) & LINUX_WNOHANG))
        return waitid_nothing(t, arg_ptr(a, 2), -LINUX_EAGAIN);
    if (res.pid) {
        info.si_signo = LINUX_SIGCHLD;
        info.si_code = res.code;
        info.si_pid = res.pid;
        info.si_uid = task_uid_out(t, res.uid);
        info.si_status = shown_status(&res);
    }
    if (copy_out_opt(t, arg_ptr(a, 2), &info) < 0)
        return -LINUX_EFAULT;
    return res.pid && copy_rusage(t, arg_ptr(a, 4), &res) < 0 ? -LINUX_EFAULT : 0;
}
