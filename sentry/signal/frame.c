// SPDX-License-Identifier: Apache-2.0
// Signal frames of x86-64 on the guest's stack, byte for byte as Linux lays them (abi/x86_64/sigframe.h), and
// the way back by rt_sigreturn(2). Called by deliver.c. A frame is built in our memory and written by one
// copy; on the way back each of its bytes is read once, and everything in it is hostile: segments are
// ignored, flags are masked, rip, rsp and the floating-point image are the platform's to refuse. No locks.
#include "abi/x86_64/sigframe.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "platform/platform.h"
#include "sentry/mm/usercopy.h"
#include "sentry/signal/impl.h"
#include <string.h>

// ---- Where ------------------------------------------------------------------------------------------------
// LINUX_SS_AUTODISARM: the stack was taken away at the frame's making, so nobody counts as being on it.
bool altstack_holds(const struct linux_stack *alt, uint64_t sp) {
    if ((uint32_t)alt->ss_flags & LINUX_SS_AUTODISARM)
        return false;
    return sp > alt->ss_sp && sp - alt->ss_sp <= alt->ss_size;
}

bool frame_place(const struct linux_stack *alt, uint64_t sp, bool onstack, size_t fpsize,
                 struct frame_place *out) {
    bool nested = onstack && altstack_holds(alt, sp), entering = onstack && !nested && alt->ss_size != 0;
    uint64_t top = entering ? alt->ss_sp + alt->ss_size : sp - LINUX_REDZONE_SIZE;
    uint64_t fp = (top - fpsize) & ~(uint64_t)(LINUX_XSTATE_ALIGN - 1);
    // As if called: 8 modulo 16, where the return address is.
    uint64_t frame = ((fp - sizeof(struct linux_rt_sigframe)) & ~15ull) - 8;
    *out = (struct frame_place){.frame = frame, .fp = fp, .size = (size_t)(fp + fpsize - frame)};
    if (frame > fp || fp > top)
        return false;  // wrapped; other nonsense is the copy's to refuse
    if (nested || entering)
        return frame > alt->ss_sp && frame - alt->ss_sp <= alt->ss_size;
    return true;
}

// ---- Registers --------------------------------------------------------------------------------------------
#define SAME_REGS(X)                                                                                         \
    X(r8) X(r9) X(r10) X(r11) X(r12) X(r13) X(r14) X(r15) X(rdi) X(rsi) X(rbp) X(rbx) X(rdx) X(rax) X(rcx)   \
    X(rsp) X(rip)

void frame_save_regs(struct linux_sigcontext *sc, const struct lx_regs *regs) {
#define X(r) sc->r = regs->r;
    SAME_REGS(X)
#undef X
    sc->eflags = regs->eflags;
    sc->cs = LINUX_USER_CS;
    sc->ss = LINUX_USER_DS;
}

void frame_load_regs(struct lx_regs *regs, const struct linux_sigcontext *sc) {
#define X(r) regs->r = sc->r;
    SAME_REGS(X)
#undef X
    regs->eflags = (regs->eflags & ~(uint64_t)LINUX_EFLAGS_USER) | (sc->eflags & LINUX_EFLAGS_USER);
    regs->orig_rax = (uint64_t)-1;  // not in a system call: nothing to restart
}

// ---- Building ---------------------------------------------------------------------------------------------
static void fill_frame(struct task *t, struct linux_rt_sigframe *f, const struct lx_regs *regs,
                       const struct linux_siginfo *info, const struct linux_sigaction *a, uint64_t oldmask) {
    f->pretcode = a->sa_restorer;
    f->uc.uc_flags = LINUX_UC_SIGCONTEXT_SS | LINUX_UC_STRICT_RESTORE_SS;
    f->uc.uc_stack = t->altstack;
    f->uc.uc_sigmask = oldmask;
    struct linux_sigcontext *sc = &f->uc.uc_mcontext;
    frame_save_regs(sc, regs);
    sc->err = t->fault_error;
    sc->trapno = t->fault_trapno;
    sc->cr2 = t->fault_addr;
    sc->oldmask = oldmask;
    f->info = *info;
}

static void enter(struct lx_regs *regs, int sig, const struct linux_sigaction *a, uint64_t frame) {
    regs->rdi = (uint64_t)sig;
    regs->rsi = frame + offsetof(struct linux_rt_sigframe, info);
    regs->rdx = frame + offsetof(struct linux_rt_sigframe, uc);
    regs->rax = 0;
    regs->rsp = frame;
    regs->rip = a->sa_handler;
    regs->orig_rax = (uint64_t)-1;
    regs->eflags &= ~(uint64_t)(LINUX_EFLAGS_DF | LINUX_EFLAGS_RF | LINUX_EFLAGS_TF);
}

int frame_push(struct task *t, struct lx_regs *regs, int sig, const struct linux_siginfo *info,
               const struct linux_sigaction *action, uint64_t oldmask) {
    struct frame_place at;
    size_t fpsize = fpframe_size(t);
    if (!(action->sa_flags & LINUX_SA_RESTORER))  // x86-64 has no code of the kernel's to return through
        return -LINUX_EFAULT;
    if (!frame_place(&t->altstack, regs->rsp, action->sa_flags & LINUX_SA_ONSTACK, fpsize, &at))
        return -LINUX_EFAULT;
    char *buf cleanup_free = xcalloc(1, at.size);
    if (!buf)
        return -LINUX_EFAULT;
    // The frame is 8 modulo 16 in the guest; ours is aligned for the compiler.
    struct linux_rt_sigframe *f = (struct linux_rt_sigframe *)buf;
    fill_frame(t, f, regs, info, action, oldmask);
    int err = fpframe_save(t, buf + (at.fp - at.frame));
    if (err < 0)
        return err;
    if (err > 0)
        f->uc.uc_flags |= LINUX_UC_FP_XSTATE;
    f->uc.uc_mcontext.fpstate = at.fp;
    if (copy_out(t, uaddr(at.frame), buf, at.size) < 0)
        return -LINUX_EFAULT;
    fpframe_init(t);
    enter(regs, sig, action, at.frame);
    if ((uint32_t)t->altstack.ss_flags & LINUX_SS_AUTODISARM)
        t->altstack = (struct linux_stack){.ss_flags = LINUX_SS_DISABLE};
    return 0;
}

// ---- Going back -------------------------------------------------------------------------------------------
// Errors in the stack's description are not the call's: what is wrong there is left as it is now, as on
// Linux.
static void restore_altstack(struct task *t, const struct linux_stack *s, uint64_t sp) {
    uint32_t mode = (uint32_t)s->ss_flags & ~LINUX_SS_AUTODISARM;
    if (altstack_holds(&t->altstack, sp) ||
        (mode != LINUX_SS_DISABLE && mode != LINUX_SS_ONSTACK && mode != 0))
        return;
    if (mode == LINUX_SS_DISABLE)
        t->altstack = (struct linux_stack){.ss_flags = s->ss_flags};
    else if (s->ss_size >= LINUX_MINSIGSTKSZ)
        t->altstack = (struct linux_stack){.ss_sp = s->ss_sp, .ss_flags = s->ss_flags, .ss_size = s->ss_size};
}

int frame_pop(struct task *t, struct lx_regs *regs) {
    struct {
        uint64_t pretcode;
        struct linux_ucontext uc;
    } f;
    if (copy_in(t, &f, uaddr(regs->rsp - 8), sizeof f) < 0)
        return -LINUX_EFAULT;
    struct lx_regs next = *regs;
    frame_load_regs(&next, &f.uc.uc_mcontext);
    if (fpframe_load(t, f.uc.uc_mcontext.fpstate) < 0)
        return -LINUX_EFAULT;
    if (plat_set_regs(t->thread, &next) < 0)
        return -LINUX_EFAULT;
    signal_set_mask(t, f.uc.uc_sigmask);
    restore_altstack(t, &f.uc.uc_stack, next.rsp);
    *regs = next;
    return 0;
}

int64_t sys_rt_sigreturn(struct task *t, const struct sysargs *a) {
    struct lx_regs regs;
    int err = plat_get_regs(t->thread, &regs);
    if (err == 0)
        err = frame_pop(t, &regs);
    if (err < 0) {
        struct linux_siginfo info = {.si_signo = LINUX_SIGSEGV, .si_code = LINUX_SI_KERNEL};
        signal_force(t, LINUX_SIGSEGV, &info);
    }
    t->restart_fn = NULL;
    return SYS_RESUME;
}
