// SPDX-License-Identifier: Apache-2.0
// Registers of traced threads. The general ones are fetched once per stop and written back only when they
// changed; FP state goes straight to the host. Tracer only: platform.h allows these calls just to the
// receiver of an event.
#include "abi/errno.h"
#include "base/fault.h"
#include "platform/ptrace/pt.h"
#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>

static_assert(sizeof(struct lx_regs) == sizeof(struct user_regs_struct), "passed to ptrace as it is");

int pt_fetch_regs(struct pt_thread *t) {
    if (ptrace(PTRACE_GETREGS, t->tid, 0, &t->regs) < 0)
        return -errno;
    t->dirty = REGS_CLEAN;
    return 0;
}

// -512..-516 are the kernel's own restart codes: with a call number in orig_rax it would act on them.
bool pt_restart_code(uint64_t rax) {
    return (int64_t)rax >= -516 && (int64_t)rax <= -512;
}

int pt_store_regs(struct pt_thread *t) {
    long rc = 0;
    if (t->dirty == REGS_RAX && !pt_restart_code(t->regs.rax)) {
        rc = ptrace(PTRACE_POKEUSER, t->tid, offsetof(struct user, regs.rax), t->regs.rax);
    } else if (t->dirty != REGS_CLEAN) {
        struct lx_regs regs = t->regs;
        regs.orig_rax = (uint64_t)-1;
        rc = ptrace(PTRACE_SETREGS, t->tid, 0, &regs);
    }
    if (rc < 0)
        return -errno;
    t->dirty = REGS_CLEAN;
    return 0;
}

int pt_get_regs(struct plat_thread *base, struct lx_regs *regs) {
    struct pt_thread *t = pt_thread_of(base);
    struct pt_platform *p = pt_owner(t);
    LOCKED(&p->lock);
    *regs = t->regs;
    return 0;
}

// Segment selectors stay, and so do the privileged bits of eflags. platform.c has checked rip and the bases.
int pt_set_regs(struct plat_thread *base, const struct lx_regs *in) {
    struct pt_thread *t = pt_thread_of(base);
    struct pt_platform *p = pt_owner(t);
    LOCKED(&p->lock);
    struct lx_regs old = t->regs;
    t->regs = *in;
    t->regs.cs = old.cs;
    t->regs.ss = old.ss;
    t->regs.ds = old.ds;
    t->regs.es = old.es;
    t->regs.fs = old.fs;
    t->regs.gs = old.gs;
    t->regs.eflags = (in->eflags & LINUX_EFLAGS_USER) | (old.eflags & ~(uint64_t)LINUX_EFLAGS_USER);
    t->dirty = REGS_ALL;
    return 0;
}

// Was the call made otherwise than by `syscall` in 64-bit code? That instruction leaves rip in rcx and eflags
// in r11, which spares asking the kernel. (A guest that prepares both and says int 0x80 is served as if it
// had said syscall: it gains nothing. On CPUs with FRED the registers stay as they were, and the kernel is
// asked.)
bool pt_foreign_call(struct pt_thread *t) {
    const struct lx_regs *r = &t->regs;
    if (r->cs != LINUX_USER_CS)
        return true;
    if (r->rcx == r->rip && r->r11 == r->eflags)
        return false;
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof(info), &info) <
        (long)offsetof(struct __ptrace_syscall_info, entry))
        return true;
    return info.arch != AUDIT_ARCH_X86_64;
}

// The kernel takes only whole images of its own length, which may be longer than ours (AMX).
int pt_store_fp(struct pt_platform *p, int tid, const void *image, size_t len) {
    char whole[PT_XSAVE_MAX] __attribute__((aligned(64)));
    memcpy(whole, image, len);
    memset(whole + len, 0, p->xsave_len - len);
    struct iovec iov = {whole, p->xsave_len};
    return ptrace(PTRACE_SETREGSET, tid, NT_X86_XSTATE, &iov) < 0 ? -errno : 0;
}

// The image of a thread that has never used the FPU: control words as the ABI has them, no component in use.
void pt_initial_fp(void *image, size_t len) {
    const uint16_t fcw = 0x37f;
    const uint32_t mxcsr = 0x1f80;
    memset(image, 0, len);
    memcpy((char *)image + 0, &fcw, sizeof(fcw));
    memcpy((char *)image + 24, &mxcsr, sizeof(mxcsr));
}

int64_t pt_get_fpstate(struct plat_thread *base, void *buf, size_t len) {
    struct pt_thread *t = pt_thread_of(base);
    struct pt_platform *p = pt_owner(t);
    size_t size = p->base.layout.fpstate_size;
    LOCKED(&p->lock);
    if (len < size)
        return -LINUX_EINVAL;
    if (t->state == PT_STARTING) {
        if (t->fp)
            memcpy(buf, t->fp, size);
        else if (t->fresh)
            pt_initial_fp(buf, size);
        else
            return -LINUX_EAGAIN; // LIMIT: of a clone that has not had its first stop yet
        return (int64_t)size;
    }
    struct iovec iov = {buf, size};
    if (ptrace(PTRACE_GETREGSET, t->tid, NT_X86_XSTATE, &iov) < 0)
        return errno == ESRCH ? -LINUX_ESRCH : -LINUX_EIO;
    return (int64_t)iov.iov_len;
}

int pt_set_fpstate(struct plat_thread *base, const void *buf, size_t len) {
    struct pt_thread *t = pt_thread_of(base);
    struct pt_platform *p = pt_owner(t);
    size_t size = p->base.layout.fpstate_size;
    if (len != size)
        return -LINUX_EINVAL;
    LOCKED(&p->lock);
    if (t->state == PT_GONE)
        return 0;
    if (t->state == PT_STARTING) {
        void *copy = t->fp ? t->fp : xcalloc(1, size);
        if (!copy)
            return -LINUX_ENOMEM;
        memcpy(copy, buf, size);
        t->fp = copy;
        return 0;
    }
    int err = pt_store_fp(p, t->tid, buf, len);
    return err == 0 || err == -ESRCH ? 0 : -LINUX_EINVAL;
}
