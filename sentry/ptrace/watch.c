// SPDX-License-Identifier: Apache-2.0
// Debug registers of a tracee, for a debugger's watchpoints. The processor's own are the host's, so these are
// emulated: a thread with one that is armed makes single steps, and after each it is looked whether what is
// watched has changed. The tracer hears of that one step alone. Called by the run loop and by regs.c.
//
// LIMIT: a watched thread is slow (a step costs some microseconds). A watchpoint for reads too (type 3) is
// told of changes only, and a write of the value that is there already is not seen.
#include "sentry/ptrace/impl.h"
#include "sentry/mm/mm.h"
#include <string.h>

#define SLOTS 4
enum { SLOT_EXEC, SLOT_WRITE, SLOT_IO, SLOT_ACCESS };

static bool armed(const struct ptrace *p, unsigned i) { return p->dr[7] >> 2 * i & 3; }
static unsigned type_of(uint64_t dr7, unsigned i) { return dr7 >> (16 + 4 * i) & 3; }
static unsigned len_of(uint64_t dr7, unsigned i) {
    static const unsigned len[4] = {1, 2, 8, 4};
    return len[dr7 >> (18 + 4 * i) & 3];
}

static int check(const struct ptrace *p, uint64_t dr7) {
    for (unsigned i = 0; i < SLOTS; i++) {
        if (!(dr7 >> 2 * i & 3))
            continue;
        unsigned type = type_of(dr7, i), len = len_of(dr7, i);
        if (type == SLOT_IO || (type == SLOT_EXEC && len != 1) || p->dr[i] % len)
            return -LINUX_EINVAL;
    }
    return 0;
}

int ptrace_set_debugreg(struct ptrace *p, unsigned n, uint64_t value) {
    if (n == 4 || n == 5)
        return -LINUX_EIO;
    if (n < SLOTS && value >= LINUX_TASK_SIZE)
        return -LINUX_EINVAL;
    int err = n == 7 ? check(p, value) : 0;
    if (err == 0)
        p->dr[n] = value;
    return err;
}

bool ptrace_watching(const struct ptrace *p) { return p->dr[7] & 0xff; }

static uint64_t value_at(const struct task *t, const struct ptrace *p, unsigned i) {
    uint64_t value = 0;
    plat_copy_in(t->mm->as, &value, uaddr(p->dr[i]), len_of(p->dr[7], i));
    return value;
}

void ptrace_watch_begin(struct task *t) {
    struct ptrace *p = t->ptrace;
    for (unsigned i = 0; i < SLOTS && t->mm; i++)
        if (armed(p, i) && type_of(p->dr[7], i) != SLOT_EXEC)
            p->watched[i] = value_at(t, p, i);
}

// Which slots the step has hit.
static unsigned hits(struct task *t, const struct lx_regs *regs) {
    struct ptrace *p = t->ptrace;
    unsigned set = 0;
    for (unsigned i = 0; i < SLOTS; i++) {
        if (!armed(p, i))
            continue;
        bool exec = type_of(p->dr[7], i) == SLOT_EXEC;
        uint64_t value = exec ? 0 : value_at(t, p, i);
        bool hit = exec ? regs->rip == p->dr[i] : value != p->watched[i];
        set |= (unsigned)hit << i;
        p->watched[i] = value;
    }
    return set;
}

bool ptrace_step_counts(struct task *t, struct linux_siginfo *info) {
    struct ptrace *p = t->ptrace;
    struct lx_regs regs;
    if (!p->stepping || !ptrace_watching(p) || info->si_code == LINUX_SI_KERNEL ||
        plat_get_regs(t->thread, &regs) < 0)
        return true;
    unsigned set = hits(t, &regs);
    if (set) {
        LOCKED(&t->tg->sig_lock);
        p->dr[6] |= set;
        info->si_code = LINUX_TRAP_HWBKPT;
        return true;
    }
    return ptrace_steps(p);
}

void ptrace_rearm(struct task *t) {
    struct ptrace *p = t->ptrace;
    struct lx_regs regs;
    if (p->stepping || !ptrace_watching(p) || plat_get_regs(t->thread, &regs) < 0)
        return;
    regs.eflags |= LINUX_EFLAGS_TF;
    p->stepping = true;
    plat_set_regs(t->thread, &regs);
    ptrace_watch_begin(t);
}
