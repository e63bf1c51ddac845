// SPDX-License-Identifier: Apache-2.0
// The second half of an exec: the initial stack, the zeroed ends of pages, the registers. Called when the
// host has carried out the maps; the old program is still whole, so this may fail as well.
//
// The stack as the x86-64 psABI (3.4.1) and Linux lay it out, from above:
//   8 zero bytes, the file's name, envp strings, argv strings, (16 random bytes, "x86_64"), auxv, envp, argv,
//   argc
// It is built in private memory and copied by one host call.
#include "abi/auxv.h"
#include "abi/errno.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "platform/platform.h"
#include "sentry/loader/loader.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/user_ns.h"
#include "sentry/proc/task.h"
#include "sentry/time/time_ns.h"
#include <string.h>

#define NAUX 22  // entries at most, AT_NULL included
_Static_assert(NAUX * 2 <= 64, "mm->auxv");

struct stack {
    uint64_t execfn, strings, random, platform, sp;  // guest addresses
    uint64_t aux[NAUX * 2];
    unsigned naux;  // words
};

static void aux(struct stack *s, uint64_t type, uint64_t value) {
    s->aux[s->naux++] = type;
    s->aux[s->naux++] = value;
}

// As Linux computes it: frame, XSAVE image, its trailing magic, and the padding of both.
static uint64_t min_sigstack(const struct plat_layout *l) {
    return (l->fpstate_size + 4 + 440 + 3 * 63 + 15) & ~15ull;
}

static void fill_aux(struct stack *s, const struct task *t, const struct exec_image *x) {
    const struct plat_layout *l = x->mm->layout;
    const struct cred *c = x->cred;
    if (l->vdso && !time_ns_children_shifted(t))  // it reads the host's clocks as they are
        aux(s, LINUX_AT_SYSINFO_EHDR, l->vdso);
    aux(s, LINUX_AT_MINSIGSTKSZ, min_sigstack(l));
    aux(s, LINUX_AT_HWCAP, l->hwcap);
    aux(s, LINUX_AT_PAGESZ, GUEST_PAGE_SIZE);
    aux(s, LINUX_AT_CLKTCK, 100);
    aux(s, LINUX_AT_PHDR, x->phdr);
    aux(s, LINUX_AT_PHENT, x->phent);
    aux(s, LINUX_AT_PHNUM, x->phnum);
    aux(s, LINUX_AT_BASE, x->base);
    aux(s, LINUX_AT_FLAGS, 0);
    aux(s, LINUX_AT_ENTRY, x->program_entry);
    aux(s, LINUX_AT_UID, idmap_shown(user_ns_uids(c->user), c->uid));
    aux(s, LINUX_AT_EUID, idmap_shown(user_ns_uids(c->user), c->euid));
    aux(s, LINUX_AT_GID, idmap_shown(user_ns_gids(c->user), c->gid));
    aux(s, LINUX_AT_EGID, idmap_shown(user_ns_gids(c->user), c->egid));
    aux(s, LINUX_AT_SECURE, x->secure);
    aux(s, LINUX_AT_RANDOM, s->random);
    aux(s, LINUX_AT_HWCAP2, l->hwcap2);
    aux(s, LINUX_AT_EXECFN, s->execfn);
    aux(s, LINUX_AT_PLATFORM, s->platform);
    aux(s, LINUX_AT_NULL, 0);
}

// Pointers to n strings that begin at *off of the block; *off moves behind them.
static uint64_t *fill_pointers(uint64_t *p, const struct exec_args *a, uint64_t guest, size_t *off,
                               unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        *p++ = guest + *off;
        *off += strlen(a->strings + *off) + 1;
    }
    *p++ = 0;
    return p;
}

static void place(struct stack *s, const struct task *t, const struct exec_image *x) {
    s->execfn = x->stack_top - 8 - (strlen(x->path) + 1);
    s->strings = s->execfn - x->args.len;
    s->random = (s->strings - 16 - 8) & ~15ull;
    s->platform = s->random + 16;
    fill_aux(s, t, x);
    uint64_t words = 1 + x->args.argc + 1 + x->args.envc + 1 + s->naux;
    s->sp = (s->random - words * 8) & ~15ull;
}

static int write_stack(struct exec_image *x, struct stack *s) {
    size_t below = s->strings - s->sp;
    char *buf cleanup_free = xcalloc(1, below);
    if (!buf)
        return -LINUX_ENOMEM;
    size_t off = 0;
    uint64_t *p = (uint64_t *)(void *)buf;
    *p++ = x->args.argc;
    p = fill_pointers(p, &x->args, s->strings, &off, x->args.argc);
    uint64_t env_start = s->strings + off;
    p = fill_pointers(p, &x->args, s->strings, &off, x->args.envc);
    memcpy(p, s->aux, s->naux * sizeof *p);
    random_bytes(buf + (s->random - s->sp), 16);
    memcpy(buf + (s->platform - s->sp), "x86_64", 7);

    char tail[LINUX_PATH_MAX + 8] = {0};
    size_t name = strlen(x->path) + 1;
    memcpy(tail, x->path, name);
    const struct iovec iov[] = {{buf, below}, {x->args.strings, x->args.len}, {tail, name + 8}};
    int64_t want = (int64_t)(below + x->args.len + name + 8);
    if (plat_copyv_out(x->mm->as, &(struct plat_span){s->sp, (uint64_t)want}, 1, iov, 3) != want)
        return -LINUX_EFAULT;
    struct mm *mm = x->mm;
    LOCKED(&mm->lock);
    mm->arg_start = s->strings;
    mm->arg_end = mm->env_start = env_start;
    mm->env_end = s->execfn;
    memcpy(mm->auxv, s->aux, s->naux * sizeof s->aux[0]);
    mm->nauxv = s->naux;
    return 0;
}

static int zero_ends(const struct exec_image *x) {
    static const char zeros[GUEST_PAGE_SIZE];
    for (unsigned i = 0; i < x->nzero; i++) {
        uint64_t n = x->zero[i].end - x->zero[i].start;
        if (n > sizeof zeros || plat_copy_out(x->mm->as, uaddr(x->zero[i].start), zeros, n) != (int64_t)n)
            return -LINUX_ENOEXEC;
    }
    return 0;
}

int exec_finish(struct task *t, struct exec_image *x) {
    struct stack s = {0};
    place(&s, t, x);
    int r = zero_ends(x);
    if (r == 0)
        r = write_stack(x, &s);
    if (r < 0)
        return r;
    struct lx_regs regs = {.rip = x->entry, .rsp = s.sp, .orig_rax = UINT64_MAX, .cs = LINUX_USER_CS};
    regs.ss = LINUX_USER_DS;
    regs.eflags = LINUX_EFLAGS_IF | LINUX_EFLAGS_FIXED;
    plat_place_below(x->thread, uaddr(x->mm->place_top));
    return plat_set_regs(x->thread, &regs) < 0 ? -LINUX_ENOEXEC : 0;
}
