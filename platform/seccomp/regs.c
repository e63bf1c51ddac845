// SPDX-License-Identifier: Apache-2.0
// Registers of held threads. They live in the signal frame on the thread's slot: read at most once for each
// event, written when the thread is resumed (hostops.c). A child that has not checked in yet has them here
// only. Locks: thread->lock.
//
// LIMIT: a guest that reads its gs base by an instruction sees the address of its slot where 0 should be
// (arch_prctl(2), signal frames and tracers say 0), and what it reads through gs then is no fault.
#include "abi/errno.h"
#include "abi/x86_64/sigframe.h"
#include "base/fault.h"
#include "platform/seccomp/sc.h"
#include <stdlib.h>
#include <string.h>

static_assert(offsetof(struct linux_ucontext, uc_mcontext) == SC_FRAME_AT, "ucontext");
static_assert(offsetof(struct linux_sigcontext, eflags) == (SC_FRAME_REGS - 1) * 8, "sigcontext");

void sc_regs_from_frame(const uint64_t f[SC_FRAME_REGS], struct lx_regs *r) {
    struct linux_sigcontext c;
    memcpy(&c, f, SC_FRAME_REGS * 8);
    *r = (struct lx_regs){
        .r15 = c.r15,
        .r14 = c.r14,
        .r13 = c.r13,
        .r12 = c.r12,
        .rbp = c.rbp,
        .rbx = c.rbx,
        .r11 = c.r11,
        .r10 = c.r10,
        .r9 = c.r9,
        .r8 = c.r8,
        .rax = c.rax,
        .rcx = c.rcx,
        .rdx = c.rdx,
        .rsi = c.rsi,
        .rdi = c.rdi,
        .rip = c.rip,
        .eflags = c.eflags,
        .rsp = c.rsp,
        .cs = LINUX_USER_CS,
        .ss = LINUX_USER_DS,
        .orig_rax = (uint64_t)-1,
    };
}

void sc_regs_to_frame(const struct lx_regs *r, uint64_t f[SC_FRAME_REGS]) {
    struct linux_sigcontext c = {
        .r8 = r->r8,
        .r9 = r->r9,
        .r10 = r->r10,
        .r11 = r->r11,
        .r12 = r->r12,
        .r13 = r->r13,
        .r14 = r->r14,
        .r15 = r->r15,
        .rdi = r->rdi,
        .rsi = r->rsi,
        .rbp = r->rbp,
        .rbx = r->rbx,
        .rdx = r->rdx,
        .rax = r->rax,
        .rcx = r->rcx,
        .rsp = r->rsp,
        .rip = r->rip,
        .eflags = (r->eflags & LINUX_EFLAGS_USER) | LINUX_EFLAGS_IF | LINUX_EFLAGS_FIXED,
    };
    memcpy(f, &c, SC_FRAME_REGS * 8);
}

void sc_regs_forget(struct sc_thread *t) {
    t->cache.have_rax = t->cache.have_regs = t->cache.dirty_regs = t->cache.dirty_bases = false;
}

int sc_regs_load_all(struct sc_thread *t, void *fp) {
    const struct sc_frame *f = &sc_plat(t)->frame;
    uint64_t frame[SC_FRAME_REGS], bases[2] = {t->cache.regs.fs_base, t->cache.regs.gs_base};
    uint64_t slot = sc_slot_addr(t);
    struct iovec local[3] = {{frame, sizeof frame}}, remote[3];
    remote[0] = (struct iovec){(void *)(slot + f->uc_off + SC_FRAME_AT), sizeof frame};
    int n = 1;
    if (f->fsgsbase) {  // else only our own orders change the bases, and we remember them
        local[n] = (struct iovec){bases, sizeof bases};
        remote[n++] = (struct iovec){(void *)(slot + offsetof(struct stub_slot, fs_base)), sizeof bases};
    }
    if (fp) {
        local[n] = (struct iovec){fp, f->fp_len};
        remote[n++] = (struct iovec){(void *)(slot + f->fp_off), f->fp_len};
    }
    if (t->cache.have_regs && !fp)
        return 0;
    int64_t want = 0;
    for (int i = 0; i < n; i++)
        want += (int64_t)local[i].iov_len;
    if (plat_memory_raw(t->base.as, false, local, n, remote, n) != want)
        return -LINUX_ESRCH;
    if (t->cache.have_regs)
        return 0;
    sc_regs_from_frame(frame, &t->cache.regs);
    t->cache.regs.fs_base = bases[0];
    t->cache.regs.gs_base = sc_plat(t)->frame.fsgsbase && bases[1] == slot ? 0 : bases[1];
    t->cache.regs.orig_rax = t->call.nr;
    t->cache.have_regs = true;
    return 0;
}

int sc_regs_load(struct sc_thread *t) { return sc_regs_load_all(t, NULL); }

uint64_t sc_host_gs_base(const struct sc_thread *t) {
    uint64_t gs = t->cache.regs.gs_base;
    return gs ? gs : sc_slot_addr(t);
}

static bool has_context(const struct sc_thread *t) {
    return t->state == SC_STARTING || (t->state == SC_HELD && t->hold != HOLD_VALUE);
}

int sc_get_regs(struct plat_thread *pt, struct lx_regs *regs) {
    struct sc_thread *t = sc_thread_of(pt);
    LOCKED(&t->lock);
    if (t->state == SC_DEAD) {  // whatever comes of it, nobody will run with it
        *regs = t->cache.regs;
        return 0;
    }
    if (!has_context(t))
        return -LINUX_EINVAL;
    int err = sc_regs_load(t);
    *regs = t->cache.regs;
    return err == -LINUX_ESRCH ? 0 : err;
}

int sc_set_regs(struct plat_thread *pt, const struct lx_regs *regs) {
    struct sc_thread *t = sc_thread_of(pt);
    LOCKED(&t->lock);
    if (t->state == SC_DEAD)
        return 0;
    if (!has_context(t))
        return -LINUX_EINVAL;
    // The bases are compared with what the thread has; one that never was read has unknown ones.
    if (!t->cache.have_regs || regs->fs_base != t->cache.regs.fs_base ||
        regs->gs_base != t->cache.regs.gs_base)
        t->cache.dirty_bases = true;
    t->cache.regs = *regs;
    t->cache.have_regs = t->cache.dirty_regs = true;
    t->cache.have_rax = false;
    return 0;
}

int64_t sc_get_fpstate(struct plat_thread *pt, void *buf, size_t len) {
    struct sc_thread *t = sc_thread_of(pt);
    struct sc_platform *p = sc_plat(t);
    LOCKED(&t->lock);
    // LIMIT: a child that has not been resumed yet has no state to be read; its parent's is the same.
    if (!has_context(t) || t->state == SC_STARTING)
        return -LINUX_EINVAL;
    if (len > p->frame.fp_len)
        len = p->frame.fp_len;
    struct iovec local = {buf, len}, remote = {(void *)(sc_slot_addr(t) + p->frame.fp_off), len};
    int64_t n = plat_memory_raw(t->base.as, false, &local, 1, &remote, 1);
    const size_t sw = offsetof(struct linux_fpstate, sw_reserved);
    if (n == (int64_t)len && len >= sizeof(struct linux_fpstate))
        memset((char *)buf + sw, 0, sizeof(struct linux_fpx_sw_bytes));
    return n;
}

// The software bytes say how long the image is; rt_sigreturn would refuse, or believe, others.
void sc_fpstate_pieces(const struct sc_thread *t, const void *buf, size_t len, struct iovec local[3],
                       struct iovec *remote) {
    struct sc_frame *f = &sc_plat(t)->frame;
    const size_t sw = offsetof(struct linux_fpstate, sw_reserved), behind = sizeof(struct linux_fpstate);
    local[0] = (struct iovec){(void *)(uintptr_t)buf, sw};
    local[1] = (struct iovec){f->fp_sw, sizeof f->fp_sw};
    local[2] = (struct iovec){(char *)(uintptr_t)buf + behind, len - behind};
    *remote = (struct iovec){(void *)(sc_slot_addr(t) + f->fp_off), len};
}

int sc_fpstate_write(struct sc_thread *t, const void *buf, size_t len) {
    struct iovec local[3], remote;
    sc_fpstate_pieces(t, buf, len, local, &remote);
    return plat_memory_raw(t->base.as, true, local, 3, &remote, 1) == (int64_t)len ? 0 : -LINUX_ESRCH;
}

int sc_set_fpstate(struct plat_thread *pt, const void *buf, size_t len) {
    struct sc_thread *t = sc_thread_of(pt);
    struct sc_platform *p = sc_plat(t);
    struct linux_xsave_header head;
    LOCKED(&t->lock);
    if (t->state == SC_DEAD)
        return 0;
    memcpy(&head, (const char *)buf + sizeof(struct linux_fpstate), sizeof head);
    if (!has_context(t) || len > p->frame.fp_len || head.xfeatures & ~p->frame.fp_features)
        return -LINUX_EINVAL;
    if (t->state == SC_HELD) {
        sc_fpstate_write(t, buf, len);  // fails only when the process is gone
        return 0;
    }
    void *copy = xcalloc(1, len);
    if (!copy)
        return -LINUX_ENOMEM;
    memcpy(copy, buf, len);
    free(t->cache.fp);
    t->cache.fp = copy;
    t->cache.fp_len = len;
    return 0;
}
