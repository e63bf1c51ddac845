// SPDX-License-Identifier: Apache-2.0
// What else a tracer may ask of a stopped tracee, or set: its signals, the event it stopped for, the call it
// is in.
#include "abi/ptrace.h"
#include "sentry/mm/usercopy.h"
#include "sentry/ptrace/impl.h"
#include "sentry/signal/impl.h"
#include <string.h>

static int64_t get_siginfo(struct task *t, struct task *child, uint64_t addr, uint64_t data) {
    struct linux_siginfo info;
    {
        LOCKED(&child->tg->sig_lock);
        if (!child->ptrace->has_info)
            return -LINUX_EINVAL;
        info = child->ptrace->info;
    }
    return copy_out_obj(t, uaddr(data), &info);
}

static int64_t set_siginfo(struct task *t, struct task *child, uint64_t addr, uint64_t data) {
    struct linux_siginfo info;
    if (copy_in_obj(t, &info, uaddr(data)) < 0)
        return -LINUX_EFAULT;
    LOCKED(&child->tg->sig_lock);
    if (!child->ptrace->has_info)
        return -LINUX_EINVAL;
    child->ptrace->info = info;
    return 0;
}

// The off-th entry of a queue. False: there are not so many.
static bool entry_at(struct task *child, bool shared, uint64_t off, struct linux_siginfo *info) {
    LOCKED(&child->tg->sig_lock);
    struct sigqueue *q = shared ? child->tg->shared_pending : child->pending;
    struct sigentry *e;
    list_for_each(e, &q->entries, link)
        if (off-- == 0) {
            *info = e->info;
            return true;
        }
    return false;
}

#define PEEK_MOST 64  // a tracer that asks for more asks again
static int64_t peek_siginfo(struct task *t, struct task *child, uint64_t addr, uint64_t data) {
    struct linux_ptrace_peeksiginfo_args a;
    struct linux_siginfo info;
    int64_t n = 0;
    if (copy_in_obj(t, &a, uaddr(addr)) < 0)
        return -LINUX_EFAULT;
    if ((a.flags & ~LINUX_PTRACE_PEEKSIGINFO_SHARED) || a.nr < 0)
        return -LINUX_EINVAL;
    bool shared = a.flags & LINUX_PTRACE_PEEKSIGINFO_SHARED;
    while (n < a.nr && n < PEEK_MOST && entry_at(child, shared, a.off + (uint64_t)n, &info)) {
        if (copy_out_obj(t, uaddr(data + (uint64_t)n * sizeof info), &info) < 0)
            return n ? n : -LINUX_EFAULT;
        n++;
    }
    return n;
}

static int64_t get_mask(struct task *t, struct task *child, uint64_t size, uint64_t data) {
    if (size != LINUX_SIGSET_SIZE)
        return -LINUX_EINVAL;
    uint64_t mask;
    {
        LOCKED(&child->tg->sig_lock);
        mask = child->restore_mask ? child->saved_mask : child->blocked;
    }
    return copy_out_obj(t, uaddr(data), &mask);
}

// The thread is stopped, so its mask is not its own for the moment.
static int64_t set_mask(struct task *t, struct task *child, uint64_t size, uint64_t data) {
    uint64_t mask;
    if (size != LINUX_SIGSET_SIZE)
        return -LINUX_EINVAL;
    if (copy_in_obj(t, &mask, uaddr(data)) < 0)
        return -LINUX_EFAULT;
    LOCKED(&child->tg->sig_lock);
    if (!ptrace_holds_still(t, child))
        return -LINUX_ESRCH;
    child->blocked = mask & ~SIGSET_UNBLOCKABLE;
    child->restore_mask = false;
    atomic_store(&child->sigpending, true);
    return 0;
}

static void entry_info(const struct lx_regs *r, struct linux_ptrace_syscall_info *i) {
    const uint64_t args[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};
    i->op = LINUX_PTRACE_SYSCALL_INFO_ENTRY;
    i->entry.nr = r->orig_rax;
    memcpy(i->entry.args, args, sizeof args);
}

static void exit_info(const struct lx_regs *r, struct linux_ptrace_syscall_info *i) {
    i->op = LINUX_PTRACE_SYSCALL_INFO_EXIT;
    i->exit.rval = (int64_t)r->rax;
    i->exit.is_error = i->exit.rval < 0 && i->exit.rval >= -4095;
}

// The length of what there is, however little of it the tracer takes.
static int64_t syscall_info(struct task *t, struct task *child, uint64_t size, uint64_t data) {
    struct linux_ptrace_syscall_info i = {.arch = LINUX_AUDIT_ARCH_X86_64};
    size_t len = offsetof(struct linux_ptrace_syscall_info, entry);
    {
        LOCKED(&child->tg->sig_lock);
        const struct ptrace *p = child->ptrace;
        i.instruction_pointer = p->regs.rip;
        i.stack_pointer = p->regs.rsp;
        if (p->stop == PT_ENTRY) {
            entry_info(&p->regs, &i);
            len += sizeof i.entry;
        } else if (p->stop == PT_SECCOMP) {
            entry_info(&p->regs, &i);
            i.op = LINUX_PTRACE_SYSCALL_INFO_SECCOMP;
            i.seccomp.ret_data = (uint32_t)p->message;
            len = offsetof(struct linux_ptrace_syscall_info, seccomp.ret_data) + sizeof i.seccomp.ret_data;
        } else if (p->stop == PT_LEAVE) {
            exit_info(&p->regs, &i);
            len += offsetof(struct linux_ptrace_syscall_info, exit.is_error) + 1 - len;
        }
    }
    size_t n = size < len ? size : len;
    return n && copy_out(t, uaddr(data), &i, n) < 0 ? -LINUX_EFAULT : (int64_t)len;
}

static int64_t get_message(struct task *t, struct task *child, uint64_t addr, uint64_t data) {
    uint64_t message;
    {
        LOCKED(&child->tg->sig_lock);
        message = child->ptrace->message;
    }
    return copy_out_obj(t, uaddr(data), &message);
}

const struct ptrace_request ptrace_info_requests[] = {
    {LINUX_PTRACE_GETSIGINFO, get_siginfo},        {LINUX_PTRACE_SETSIGINFO, set_siginfo},
    {LINUX_PTRACE_PEEKSIGINFO, peek_siginfo},      {LINUX_PTRACE_GETSIGMASK, get_mask},
    {LINUX_PTRACE_SETSIGMASK, set_mask},           {LINUX_PTRACE_GETEVENTMSG, get_message},
    {LINUX_PTRACE_GET_SYSCALL_INFO, syscall_info}, {0, NULL},
};
