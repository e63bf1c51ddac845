// SPDX-License-Identifier: Apache-2.0
// Registers of a stopped tracee: PEEKUSER, POKEUSER, GETREGS, GETFPREGS, GETREGSET and what sets them. All of
// them work on the copy in struct ptrace. Guest memory is read before, and written after, the lock is held.
// What is set is checked here as Linux does, and once more by the platform when the thread goes on.
//
// LIMIT: segment selectors are those of 64-bit code; another one is EIO.
#include "abi/mman.h"
#include "abi/ptrace.h"
#include "abi/x86_64/sigframe.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "platform/platform.h"
#include "sentry/mm/usercopy.h"
#include "sentry/ptrace/impl.h"
#include <stdlib.h>
#include <string.h>

#define REGS_SIZE   LINUX_USER_REGS_SIZE
#define FXSAVE_SIZE sizeof(struct linux_fpstate)
#define AT(reg)     offsetof(struct lx_regs, reg)

bool ptrace_holds_still(const struct task *t, const struct task *child) {
    const struct ptrace *p = child->ptrace;
    return p && p->tracer == t && ptrace_is_stop(p->stop);
}

// ---- One register -----------------------------------------------------------------------------------------
static bool is_selector(size_t at) {
    return at == AT(cs) || at == AT(ss) || at == AT(ds) || at == AT(es) || at == AT(fs) || at == AT(gs);
}

static int set_selector(size_t at, uint64_t value) {
    bool ok = value == 0;
    if (at == AT(cs))
        ok = value == LINUX_USER_CS;
    else if (at == AT(ss))
        ok = value == LINUX_USER_DS;
    else if (value == LINUX_USER_DS)
        ok = true;
    return ok ? 0 : -LINUX_EIO;
}

// `at`: of struct lx_regs, a multiple of 8.
static int set_reg(struct lx_regs *regs, size_t at, uint64_t value) {
    if (is_selector(at))
        return set_selector(at, value);
    if ((at == AT(fs_base) || at == AT(gs_base)) && value >= LINUX_TASK_SIZE)
        return -LINUX_EIO;
    if (at == AT(eflags))
        value = (regs->eflags & ~(uint64_t)LINUX_EFLAGS_USER) | (value & LINUX_EFLAGS_USER);
    memcpy((char *)regs + at, &value, sizeof value);
    return 0;
}

// The first that is refused ends it; those before it are set, as on Linux.
static int set_regs(struct ptrace *p, const void *from, size_t len) {
    for (size_t at = 0; at + 8 <= len; at += 8) {
        uint64_t value;
        memcpy(&value, (const char *)from + at, sizeof value);
        int err = set_reg(&p->regs, at, value);
        if (err < 0)
            return err;
    }
    return 0;
}

// ---- The user area ----------------------------------------------------------------------------------------
static bool bad_user_offset(uint64_t addr) { return addr % 8 || addr >= LINUX_USER_SIZE; }

static bool is_debugreg(uint64_t addr) {
    return addr >= LINUX_USER_DEBUGREG_AT && addr < LINUX_USER_DEBUGREG_AT + 8 * LINUX_USER_NDEBUGREG;
}

static int64_t peek_user(struct task *t, struct task *child, uint64_t addr, uint64_t data) {
    uint64_t value = 0;
    if (bad_user_offset(addr))
        return -LINUX_EIO;
    {
        LOCKED(&child->tg->sig_lock);
        if (addr < REGS_SIZE)
            memcpy(&value, (const char *)&child->ptrace->regs + addr, sizeof value);
        else if (is_debugreg(addr))
            value = child->ptrace->dr[(addr - LINUX_USER_DEBUGREG_AT) / 8];
    }
    return copy_out_obj(t, uaddr(data), &value);
}

static int64_t poke_user(struct task *t, struct task *child, uint64_t addr, uint64_t data) {
    if (bad_user_offset(addr))
        return -LINUX_EIO;
    if (addr >= REGS_SIZE && !is_debugreg(addr))
        return -LINUX_EIO;
    LOCKED(&child->tg->sig_lock);
    if (is_debugreg(addr))
        return ptrace_set_debugreg(child->ptrace, (unsigned)(addr - LINUX_USER_DEBUGREG_AT) / 8, data);
    return set_reg(&child->ptrace->regs, addr, data);
}

// ---- Whole sets -------------------------------------------------------------------------------------------
enum set_kind { SET_GENERAL, SET_FP, SET_XSTATE };

static size_t set_size(const struct task *child, enum set_kind kind) {
    if (kind == SET_GENERAL)
        return REGS_SIZE;
    return kind == SET_FP ? FXSAVE_SIZE : child->ptrace->fp_size;
}

static uint64_t enabled_features(void) {
    uint32_t lo, hi;
    __asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static int64_t get_set(struct task *t, struct task *child, enum set_kind kind, uint64_t to, size_t len) {
    struct ptrace *p = child->ptrace;
    char *buf cleanup_free = xcalloc(1, p->fp_size > REGS_SIZE ? p->fp_size : REGS_SIZE);
    if (!buf)
        return -LINUX_ENOMEM;
    {
        LOCKED(&child->tg->sig_lock);
        memcpy(buf, kind == SET_GENERAL ? (const void *)&p->regs : p->fp, set_size(child, kind));
    }
    if (kind == SET_XSTATE && p->fp_size > LINUX_XSTATE_XCR0_AT + 8) {
        uint64_t xcr0 = enabled_features();
        memcpy(buf + LINUX_XSTATE_XCR0_AT, &xcr0, sizeof xcr0);
    }
    return copy_out(t, uaddr(to), buf, len);
}

// The image as the processor is to take it: plat_set_fpstate() refuses what it would fault on, so that is
// asked here.
static int set_image(struct task *child, char *image, enum set_kind kind) {
    struct ptrace *p = child->ptrace;
    struct linux_xstate *x = (struct linux_xstate *)image;
    x->fpstate.sw_reserved = (struct linux_fpx_sw_bytes){0};
    if (kind == SET_FP && p->fp_size >= sizeof *x)
        x->header.xfeatures |= LINUX_XFEATURE_FP | LINUX_XFEATURE_SSE;
    if (plat_fpstate_check(plat_layout(child->k->platform), image, p->fp_size) < 0)
        return -LINUX_EINVAL;
    memcpy(p->fp, image, p->fp_size);
    p->fp_changed = true;
    return 0;
}

static int64_t set_fp(struct task *t, struct task *child, enum set_kind kind, uint64_t from, size_t len) {
    struct ptrace *p = child->ptrace;
    char *image cleanup_free = xcalloc(1, p->fp_size), *buf cleanup_free = xcalloc(1, p->fp_size);
    if (!image || !buf)
        return -LINUX_ENOMEM;
    if (copy_in(t, buf, uaddr(from), len) < 0)
        return -LINUX_EFAULT;
    LOCKED(&child->tg->sig_lock);
    memcpy(image, p->fp, p->fp_size);
    memcpy(image, buf, len);
    return set_image(child, image, kind);
}

static int64_t set_set(struct task *t, struct task *child, enum set_kind kind, uint64_t from, size_t len) {
    struct lx_regs regs;
    if (kind == SET_XSTATE && len != set_size(child, kind))
        return -LINUX_EFAULT;
    if (kind != SET_GENERAL)
        return set_fp(t, child, kind, from, len);
    if (copy_in(t, &regs, uaddr(from), len) < 0)
        return -LINUX_EFAULT;
    LOCKED(&child->tg->sig_lock);
    return set_regs(child->ptrace, &regs, len);
}

static int64_t regset(struct task *t, struct task *child, bool set, uint64_t note, uint64_t data) {
    struct {
        uint64_t base, len;
    } iov;
    enum set_kind kind;
    if (note == LINUX_NT_PRSTATUS)
        kind = SET_GENERAL;
    else if (note == LINUX_NT_PRFPREG)
        kind = SET_FP;
    else if (note == LINUX_NT_X86_XSTATE)
        kind = SET_XSTATE;
    else
        return -LINUX_EINVAL;
    if (copy_in_obj(t, &iov, uaddr(data)) < 0)
        return -LINUX_EFAULT;
    if (iov.len % 8)
        return -LINUX_EINVAL;
    size_t size = set_size(child, kind);
    iov.len = iov.len < size ? iov.len : size;
    int64_t r = set ? set_set(t, child, kind, iov.base, iov.len) : get_set(t, child, kind, iov.base, iov.len);
    if (r < 0)
        return r;
    return copy_out(t, uaddr(data + 8), &iov.len, sizeof iov.len);
}

// ---- arch_prctl(2) of another -----------------------------------------------------------------------------
#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

static int64_t arch_prctl_of(struct task *t, struct task *child, uint64_t addr, uint64_t code) {
    bool fs = code == ARCH_SET_FS || code == ARCH_GET_FS;
    uint64_t value;
    if (code < ARCH_SET_GS || code > ARCH_GET_GS)
        return -LINUX_EINVAL;
    {
        LOCKED(&child->tg->sig_lock);
        struct lx_regs *r = &child->ptrace->regs;
        if (code == ARCH_SET_FS || code == ARCH_SET_GS)
            return set_reg(r, fs ? AT(fs_base) : AT(gs_base), addr) < 0 ? -LINUX_EPERM : 0;
        value = fs ? r->fs_base : r->gs_base;
    }
    return copy_out_obj(t, uaddr(addr), &value);
}

// ---- The requests -----------------------------------------------------------------------------------------
static int64_t get_general(struct task *t, struct task *child, uint64_t addr, uint64_t data) {
    return get_set(t, child, SET_GENERAL, data, REGS_SIZE) < 0 ? -LINUX_EFAULT : 0;
}
static int64_t set_general(struct task *t, struct task *child, uint64_t addr, uint64_t data) {
    return set_set(t, child, SET_GENERAL, data, REGS_SIZE);
}
static int64_t get_fpregs(struct task *t, struct task *child, uint64_t addr, uint64_t data) {
    return get_set(t, child, SET_FP, data, FXSAVE_SIZE);
}
static int64_t set_fpregs(struct task *t, struct task *child, uint64_t addr, uint64_t data) {
    return set_set(t, child, SET_FP, data, FXSAVE_SIZE);
}
static int64_t get_regset(struct task *t, struct task *child, uint64_t note, uint64_t data) {
    return regset(t, child, false, note, data);
}
static int64_t set_regset(struct task *t, struct task *child, uint64_t note, uint64_t data) {
    return regset(t, child, true, note, data);
}

const struct ptrace_request ptrace_regs_requests[] = {
    {LINUX_PTRACE_PEEKUSR, peek_user},        {LINUX_PTRACE_POKEUSR, poke_user},
    {LINUX_PTRACE_GETREGS, get_general},      {LINUX_PTRACE_SETREGS, set_general},
    {LINUX_PTRACE_GETFPREGS, get_fpregs},     {LINUX_PTRACE_SETFPREGS, set_fpregs},
    {LINUX_PTRACE_GETREGSET, get_regset},     {LINUX_PTRACE_SETREGSET, set_regset},
    {LINUX_PTRACE_ARCH_PRCTL, arch_prctl_of}, {0, NULL},
};
