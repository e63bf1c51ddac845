// SPDX-License-Identifier: Apache-2.0
// Signals: rt_sigaction rt_sigprocmask rt_sigpending rt_sigsuspend rt_sigtimedwait sigaltstack pause
// restart_syscall signalfd signalfd4. Sending is in sys_kill.c, rt_sigreturn in signal/frame.c. Decodes and
// copies; the meaning is in sentry/signal/. Locks: sig_lock around a process's queues and dispositions.
#include "abi/misc.h"
#include "platform/platform.h"
#include "sentry/fd/fdtable.h"
#include "sentry/fd/signalfd.h"
#include "sentry/mm/usercopy.h"
#include "sentry/run/park.h"
#include "sentry/signal/impl.h"
#include "sentry/syscalls/table.h"
#include "sentry/syscalls/wait_args.h"
#include "sentry/time/timeconv.h"

// ---- Dispositions and masks -------------------------------------------------------------------------------
// POSIX: what is ignored from now on is not pending any more.
static void drop_ignored(struct tgroup *g, int sig) {
    struct task *t;
    sigqueue_drop(g->shared_pending, SIGBIT(sig));
    list_for_each(t, &g->tasks, tg_link)
        sigqueue_drop(t->pending, SIGBIT(sig));
}

static void do_sigaction(struct task *t, int sig, const struct linux_sigaction *act,
                         struct linux_sigaction *old) {
    struct tgroup *g = t->tg;
    LOCKED(&g->sig_lock);
    bool ignored = false;
    {
        LOCKED(&g->sighand->lock);
        struct linux_sigaction *a = &g->sighand->action[sig - 1];
        *old = *a;
        if (act) {
            *a = *act;
            a->sa_flags &= LINUX_SA_ALL;
            a->sa_mask &= ~SIGSET_UNBLOCKABLE;
            ignored = action_ignored(a, sig);
        }
    }
    if (ignored)
        drop_ignored(g, sig);
}

int64_t sys_rt_sigaction(struct task *t, const struct sysargs *a) {
    int sig = arg_int(a, 0);
    struct linux_sigaction act, old;
    if (arg_size(a, 3) != LINUX_SIGSET_SIZE)
        return -LINUX_EINVAL;
    if (arg_given(a, 1) && copy_in_obj(t, &act, arg_ptr(a, 1)) < 0)
        return -LINUX_EFAULT;
    if (sig < 1 || sig > LINUX_NSIG || (arg_given(a, 1) && (SIGBIT(sig) & SIGSET_UNBLOCKABLE)))
        return -LINUX_EINVAL;
    do_sigaction(t, sig, arg_given(a, 1) ? &act : NULL, &old);
    return copy_out_opt(t, arg_ptr(a, 2), &old);
}

static int64_t change_mask(struct task *t, int how, uint64_t set) {
    set &= ~SIGSET_UNBLOCKABLE;
    switch (how) {
    case LINUX_SIG_BLOCK:
        signal_set_mask(t, t->blocked | set);
        return 0;
    case LINUX_SIG_UNBLOCK:
        signal_set_mask(t, t->blocked & ~set);
        return 0;
    case LINUX_SIG_SETMASK:
        signal_set_mask(t, set);
        return 0;
    default:
        return -LINUX_EINVAL;
    }
}

int64_t sys_rt_sigprocmask(struct task *t, const struct sysargs *a) {
    uint64_t set, old = t->blocked;
    if (arg_size(a, 3) != LINUX_SIGSET_SIZE)
        return -LINUX_EINVAL;
    if (arg_given(a, 1)) {
        if (copy_in_obj(t, &set, arg_ptr(a, 1)) < 0)
            return -LINUX_EFAULT;
        int64_t err = change_mask(t, arg_int(a, 0), set);
        if (err < 0)
            return err;
    }
    // As on Linux, an old set that cannot be written leaves the new mask in force.
    return copy_out_opt(t, arg_ptr(a, 2), &old);
}

int64_t sys_rt_sigpending(struct task *t, const struct sysargs *a) {
    if (arg_size(a, 1) > LINUX_SIGSET_SIZE)
        return -LINUX_EINVAL;
    uint64_t set = signal_pending_set(t) & t->blocked;
    return copy_out(t, arg_ptr(a, 0), &set, arg_size(a, 1));
}

// ---- Waiting ----------------------------------------------------------------------------------------------
static int64_t wait_for_handler(struct task *t) {
    int64_t r = park(t);
    return r == -LINUX_ERESTARTSYS ? -LINUX_ERESTARTNOHAND : r;
}

int64_t sys_pause(struct task *t, const struct sysargs *a) { return wait_for_handler(t); }

int64_t sys_rt_sigsuspend(struct task *t, const struct sysargs *a) {
    uint64_t mask;
    if (!t->call.again) {
        if (arg_size(a, 1) != LINUX_SIGSET_SIZE)
            return -LINUX_EINVAL;
        if (copy_in_obj(t, &mask, arg_ptr(a, 0)) < 0)
            return -LINUX_EFAULT;
        signal_tmp_mask_begin(t, mask);
    }
    return signal_tmp_mask_end(t, wait_for_handler(t));
}

static void set_awaited(struct task *t, uint64_t set) {
    LOCKED(&t->tg->sig_lock);
    t->sigwait_set = set;
}

static void sigwait_end(struct task *t) { set_awaited(t, 0); }

enum { SIGWAIT_START, SIGWAIT_ARMED };

// The set is published before the queues are looked at, so a signal that comes later wakes us.
static int64_t sigwait_begin(struct task *t, const struct sysargs *a) {
    struct signal_wait w = {.deadline = 0};
    uint64_t ns;
    if (arg_size(a, 3) != LINUX_SIGSET_SIZE)
        return -LINUX_EINVAL;
    if (copy_in_obj(t, &w.set, arg_ptr(a, 0)) < 0)
        return -LINUX_EFAULT;
    w.set &= ~SIGSET_UNBLOCKABLE;
    if (arg_given(a, 2)) {
        int err = wait_time(t, arg_ptr(a, 2), &ns);
        if (err < 0)
            return err;
        w.deadline = time_after(ns);
        w.at_once = ns == 0;
    }
    t->call.notes.signal = w;
    t->call.cleanup = sigwait_end;
    t->call.phase = SIGWAIT_ARMED;
    set_awaited(t, w.set);
    return 0;
}

int64_t sys_rt_sigtimedwait(struct task *t, const struct sysargs *a) {
    struct call *c = &t->call;
    const struct signal_wait *w = &c->notes.signal;
    struct linux_siginfo info;
    if (c->phase == SIGWAIT_START) {
        int64_t err = sigwait_begin(t, a);
        if (err < 0)
            return err;
    }
    int sig = signal_take(t, w->set, &info);
    if (sig)
        return copy_out_opt(t, arg_ptr(a, 1), &info) < 0 ? -LINUX_EFAULT : sig;
    if (c->timed_out || w->at_once)
        return -LINUX_EAGAIN;
    if (w->deadline)
        park_deadline(t, w->deadline);
    if (c->timed_out)
        return -LINUX_EAGAIN;
    signal_recalc(t);  // we were told of a signal that another thread has taken meanwhile
    int64_t r = park(t);
    return r == -LINUX_ERESTARTSYS ? -LINUX_EINTR : r;
}

// Goes on with a call that a stop or an ignored signal interrupted, by its own absolute deadline.
int64_t sys_restart_syscall(struct task *t, const struct sysargs *a) {
    return t->restart_fn ? t->restart_fn(t) : -LINUX_EINTR;
}

// ---- The alternate stack ----------------------------------------------------------------------------------
static int altstack_set(struct task *t, const struct linux_stack *new, uint64_t sp) {
    uint32_t mode = (uint32_t)new->ss_flags & ~LINUX_SS_AUTODISARM;
    if (altstack_holds(&t->altstack, sp))
        return -LINUX_EPERM;
    if (mode != LINUX_SS_DISABLE && mode != LINUX_SS_ONSTACK && mode != 0)
        return -LINUX_EINVAL;
    if (t->altstack.ss_sp == new->ss_sp && t->altstack.ss_size == new->ss_size &&
        t->altstack.ss_flags == new->ss_flags)
        return 0;
    if (mode == LINUX_SS_DISABLE) {
        t->altstack = (struct linux_stack){.ss_flags = new->ss_flags};
        return 0;
    }
    if (new->ss_size < LINUX_MINSIGSTKSZ)
        return -LINUX_ENOMEM;
    t->altstack =
        (struct linux_stack){.ss_sp = new->ss_sp, .ss_flags = new->ss_flags, .ss_size = new->ss_size};
    return 0;
}

// SS_DISABLE, SS_ONSTACK or 0, as sigaltstack(2) tells it.
static uint32_t altstack_mode(const struct linux_stack *s, uint64_t sp) {
    if (!s->ss_size)
        return LINUX_SS_DISABLE;
    return altstack_holds(s, sp) ? LINUX_SS_ONSTACK : 0;
}

int64_t sys_sigaltstack(struct task *t, const struct sysargs *a) {
    struct lx_regs regs;
    struct linux_stack new, old = t->altstack;
    if (arg_given(a, 0) && copy_in_obj(t, &new, arg_ptr(a, 0)) < 0)
        return -LINUX_EFAULT;
    if (plat_get_regs(t->thread, &regs) < 0)
        return -LINUX_EFAULT;
    uint32_t keep = (uint32_t)old.ss_flags & LINUX_SS_AUTODISARM;
    old.ss_flags = (int32_t)(keep | altstack_mode(&old, regs.rsp));
    old.pad0 = 0;
    int err = arg_given(a, 0) ? altstack_set(t, &new, regs.rsp) : 0;
    if (err < 0)
        return err;
    return copy_out_opt(t, arg_ptr(a, 1), &old);
}

// ---- Signal descriptors -----------------------------------------------------------------------------------
static int64_t do_signalfd(struct task *t, int fd, uint64_t mask, unsigned flags) {
    if (fd != -1) {
        struct file *f cleanup_file = fd_get_io(t->files, fd);
        if (!f)
            return -LINUX_EBADF;
        int err = signalfd_set_mask(f, mask);
        return err < 0 ? err : fd;
    }
    struct file *f cleanup_file = NULL;
    int err = signalfd_open(t, mask, flags & LINUX_SFD_NONBLOCK, &f);
    if (err < 0)
        return err;
    return fd_install(t->files, f, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), flags & LINUX_SFD_CLOEXEC);
}

static int64_t signalfd_call(struct task *t, const struct sysargs *a, unsigned flags) {
    uint64_t mask;
    if (arg_size(a, 2) != LINUX_SIGSET_SIZE)
        return -LINUX_EINVAL;
    if (copy_in_obj(t, &mask, arg_ptr(a, 1)) < 0)
        return -LINUX_EFAULT;
    if (flags & ~(unsigned)(LINUX_SFD_NONBLOCK | LINUX_SFD_CLOEXEC))
        return -LINUX_EINVAL;
    return do_signalfd(t, arg_int(a, 0), mask, flags);
}

int64_t sys_signalfd(struct task *t, const struct sysargs *a) { return signalfd_call(t, a, 0); }
int64_t sys_signalfd4(struct task *t, const struct sysargs *a) { return signalfd_call(t, a, arg_u32(a, 3)); }
