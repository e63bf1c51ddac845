// SPDX-License-Identifier: Apache-2.0
// prctl(2): one small function per operation that has more than a line to do. Unknown operations are EINVAL.
#include "abi/caps.h"
#include "abi/prctl.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/user_ns.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/syscalls/table.h"
#include <string.h>

// Are all arguments from number `first` on zero, as most operations want what they have no use for?
static bool rest_is_zero(const struct sysargs *a, unsigned first) {
    for (unsigned i = first; i < 5; i++)
        if (arg_ulong(a, i))
            return false;
    return true;
}

static int64_t set_name(struct task *t, uaddr_t addr) {
    char name[LINUX_TASK_COMM_LEN] = {0};
    int64_t n = copy_in_some(t, name, addr, sizeof name - 1);
    if (n < 0)
        return -LINUX_EFAULT;
    size_t len = strnlen(name, sizeof name - 1);
    memset(name + len, 0, sizeof name - len);
    LOCKED(&t->k->tasks_lock);
    memcpy(t->comm, name, sizeof name);
    return 0;
}

// ---- Credentials ------------------------------------------------------------------------------------------
// Each operation checks, and then changes one thing of a copy that takes the place of what was.
static int64_t change_cred(struct task *t, void (*change)(struct cred *c, uint64_t v), uint64_t v) {
    struct cred *c = cred_dup(t->cred, t->cred->ngroups);
    if (!c)
        return -LINUX_ENOMEM;
    change(c, v);
    task_commit_cred(t, c);
    return 0;
}

static void drop_bounding(struct cred *c, uint64_t cap) { c->cap_bounding &= ~(1ull << cap); }
static void raise_ambient(struct cred *c, uint64_t cap) { c->cap_ambient |= 1ull << cap; }
static void lower_ambient(struct cred *c, uint64_t cap) { c->cap_ambient &= ~(1ull << cap); }
static void clear_ambient(struct cred *c, uint64_t unused) { c->cap_ambient = 0; }
static void change_securebits(struct cred *c, uint64_t bits) { c->securebits = (uint32_t)bits; }
static void forbid_new_privs(struct cred *c, uint64_t unused) { c->no_new_privs = true; }

static int64_t capbset_drop(struct task *t, uint64_t cap) {
    if (!task_own_capable(t, LINUX_CAP_SETPCAP))
        return -LINUX_EPERM;
    if (cap > LINUX_CAP_LAST_CAP)
        return -LINUX_EINVAL;
    return change_cred(t, drop_bounding, cap);
}

static int64_t ambient_raise(struct task *t, uint64_t cap) {
    const struct cred *c = t->cred;
    bool has = c->cap_permitted & c->cap_inheritable & 1ull << cap;
    if (!has || (c->securebits & LINUX_SECBIT_NO_CAP_AMBIENT_RAISE))
        return -LINUX_EPERM;
    return change_cred(t, raise_ambient, cap);
}

static int64_t ambient(struct task *t, const struct sysargs *a) {
    uint64_t op = arg_ulong(a, 1), cap = arg_ulong(a, 2);
    if (op == LINUX_PR_CAP_AMBIENT_CLEAR_ALL)
        return rest_is_zero(a, 2) ? change_cred(t, clear_ambient, 0) : -LINUX_EINVAL;
    if (!rest_is_zero(a, 3) || cap > LINUX_CAP_LAST_CAP)
        return -LINUX_EINVAL;
    switch (op) {
    case LINUX_PR_CAP_AMBIENT_IS_SET:
        return t->cred->cap_ambient >> cap & 1;
    case LINUX_PR_CAP_AMBIENT_RAISE:
        return ambient_raise(t, cap);
    case LINUX_PR_CAP_AMBIENT_LOWER:
        return change_cred(t, lower_ambient, cap);
    default:
        return -LINUX_EINVAL;
    }
}

static int64_t set_securebits(struct task *t, uint64_t bits) {
    uint32_t old = t->cred->securebits, locked = (old & 0xaa) >> 1;
    if (!task_own_capable(t, LINUX_CAP_SETPCAP) || (locked & (old ^ bits)) || ((old & 0xaa) & ~bits) ||
        (bits & ~0xffull))
        return -LINUX_EPERM;
    return change_cred(t, change_securebits, bits);
}

static int64_t set_keepcaps(struct task *t, uint64_t on) {
    uint32_t others = t->cred->securebits & ~(uint32_t)LINUX_SECBIT_KEEP_CAPS;
    if (on > 1)
        return -LINUX_EINVAL;
    if (t->cred->securebits & LINUX_SECBIT_KEEP_CAPS_LOCKED)
        return -LINUX_EPERM;
    return change_cred(t, change_securebits, on ? others | LINUX_SECBIT_KEEP_CAPS : others);
}

static int64_t set_no_new_privs(struct task *t, const struct sysargs *a) {
    if (arg_ulong(a, 1) != 1 || !rest_is_zero(a, 2))
        return -LINUX_EINVAL;
    return change_cred(t, forbid_new_privs, 0);
}

static int64_t get_auxv(struct task *t, const struct sysargs *a) {
    uint64_t size = t->mm->nauxv * sizeof t->mm->auxv[0];
    uint64_t n = arg_ulong(a, 2) < size ? arg_ulong(a, 2) : size;
    if (!rest_is_zero(a, 3))
        return -LINUX_EINVAL;
    return copy_out(t, arg_ptr(a, 1), t->mm->auxv, n) < 0 ? -LINUX_EFAULT : (int64_t)size;
}

static int64_t prctl_rights(struct task *t, const struct sysargs *a) {
    uint64_t v = arg_ulong(a, 1);
    switch (arg_int(a, 0)) {
    case LINUX_PR_SET_NO_NEW_PRIVS:
        return set_no_new_privs(t, a);
    case LINUX_PR_GET_NO_NEW_PRIVS:
        return rest_is_zero(a, 1) ? task_no_new_privs(t) : -LINUX_EINVAL;
    case LINUX_PR_SET_KEEPCAPS:
        return set_keepcaps(t, v);
    case LINUX_PR_GET_KEEPCAPS:
        return !!(t->cred->securebits & LINUX_SECBIT_KEEP_CAPS);
    case LINUX_PR_SET_SECUREBITS:
        return set_securebits(t, v);
    case LINUX_PR_GET_SECUREBITS:
        return t->cred->securebits;
    case LINUX_PR_CAPBSET_READ:
        return v > LINUX_CAP_LAST_CAP ? -LINUX_EINVAL : (int64_t)(t->cred->cap_bounding >> v & 1);
    case LINUX_PR_CAPBSET_DROP:
        return capbset_drop(t, v);
    case LINUX_PR_CAP_AMBIENT:
        return ambient(t, a);
    default:
        return -LINUX_EINVAL;
    }
}

// PR_MCE_KILL: no machine check ever reaches a guest.
static int64_t set_mce_kill(struct task *t, const struct sysargs *a) {
    bool set = arg_ulong(a, 1) == LINUX_PR_MCE_KILL_SET;
    uint64_t how = set ? arg_ulong(a, 2) : LINUX_PR_MCE_KILL_DEFAULT;
    if (arg_ulong(a, 1) > LINUX_PR_MCE_KILL_SET || !rest_is_zero(a, set ? 3 : 2) ||
        how > LINUX_PR_MCE_KILL_DEFAULT)
        return -LINUX_EINVAL;
    t->tg->mce_kill = (uint32_t)how;
    return 0;
}

static int64_t set_io_flusher(struct task *t, const struct sysargs *a) {
    if (!task_capable(t, LINUX_CAP_SYS_RESOURCE))
        return -LINUX_EPERM;
    if (arg_ulong(a, 1) > 1 || !rest_is_zero(a, 2))
        return -LINUX_EINVAL;
    t->tg->io_flusher = arg_ulong(a, 1);
    return 0;
}

static int64_t get_io_flusher(struct task *t, const struct sysargs *a) {
    if (!task_capable(t, LINUX_CAP_SYS_RESOURCE))
        return -LINUX_EPERM;
    return rest_is_zero(a, 1) ? t->tg->io_flusher : -LINUX_EINVAL;
}

// Memory that may be written and run, refused from here on; never given back.
static int64_t set_mdwe(struct mm *mm, uint64_t bits) {
    uint32_t was = 0;
    if (bits & ~(uint64_t)(LINUX_PR_MDWE_REFUSE_EXEC_GAIN | LINUX_PR_MDWE_NO_INHERIT) ||
        bits == LINUX_PR_MDWE_NO_INHERIT)
        return -LINUX_EINVAL;
    atomic_compare_exchange_strong(&mm->mdwe, &was, (uint32_t)bits);
    return was && was != bits ? -LINUX_EPERM : 0;
}

// What is kept and shown, and has no effect here. LIMIT: the processor's speculation is not a process's to
// set, and PR_SET_TSC cannot take the time-stamp counter away; the places of
// a process's parts are not moved (PR_SET_MM).
static int64_t prctl_kept(struct task *t, const struct sysargs *a) {
    uint64_t v = arg_ulong(a, 1);
    switch (arg_int(a, 0)) {
    case LINUX_PR_SET_THP_DISABLE:
        if (!rest_is_zero(a, 2))
            return -LINUX_EINVAL;
        t->tg->thp_disabled = v != 0;
        return 0;
    case LINUX_PR_GET_THP_DISABLE:
        return rest_is_zero(a, 1) ? t->tg->thp_disabled : -LINUX_EINVAL;
    case LINUX_PR_SET_MEMORY_MERGE:
        return v == 0 && rest_is_zero(a, 2) ? 0 : -LINUX_EINVAL;
    case LINUX_PR_GET_MEMORY_MERGE:
        return rest_is_zero(a, 1) ? 0 : -LINUX_EINVAL;
    case LINUX_PR_SET_SYSCALL_USER_DISPATCH:  // LIMIT: it can only be switched off
        return rest_is_zero(a, 1) ? 0 : -LINUX_EINVAL;
    case LINUX_PR_GET_TIMING:
        return LINUX_PR_TIMING_STATISTICAL;
    case LINUX_PR_SET_TIMING:
        return v == LINUX_PR_TIMING_STATISTICAL ? 0 : -LINUX_EINVAL;
    case LINUX_PR_TASK_PERF_EVENTS_DISABLE:  // there are none
    case LINUX_PR_TASK_PERF_EVENTS_ENABLE:
        return 0;
    case LINUX_PR_SET_TSC:
        return v == LINUX_PR_TSC_ENABLE ? 0 : -LINUX_EINVAL;
    case LINUX_PR_MCE_KILL:
        return set_mce_kill(t, a);
    case LINUX_PR_MCE_KILL_GET:
        return rest_is_zero(a, 1) ? (int64_t)t->tg->mce_kill : -LINUX_EINVAL;
    case LINUX_PR_SET_IO_FLUSHER:
        return set_io_flusher(t, a);
    case LINUX_PR_GET_IO_FLUSHER:
        return get_io_flusher(t, a);
    case LINUX_PR_GET_SPECULATION_CTRL:
        if (!rest_is_zero(a, 2))
            return -LINUX_EINVAL;
        return v <= LINUX_PR_SPEC_L1D_FLUSH ? LINUX_PR_SPEC_ENABLE : -LINUX_ENODEV;
    case LINUX_PR_SET_SPECULATION_CTRL:
        if (!rest_is_zero(a, 3))
            return -LINUX_EINVAL;
        return v <= LINUX_PR_SPEC_L1D_FLUSH ? -LINUX_ENXIO : -LINUX_ENODEV;
    case LINUX_PR_SET_MM:
        return task_capable(t, LINUX_CAP_SYS_RESOURCE) ? -LINUX_EINVAL : -LINUX_EPERM;
    case LINUX_PR_SET_MDWE:
        return rest_is_zero(a, 2) ? set_mdwe(t->mm, v) : -LINUX_EINVAL;
    case LINUX_PR_GET_MDWE:
        return rest_is_zero(a, 1) ? (int64_t)atomic_load(&t->mm->mdwe) : -LINUX_EINVAL;
    default:
        return prctl_rights(t, a);
    }
}

static int64_t set_seccomp(struct task *t, const struct sysargs *a) {
    switch (arg_ulong(a, 1)) {
    case LINUX_SECCOMP_MODE_STRICT:
        return seccomp_set_strict(t);
    case LINUX_SECCOMP_MODE_FILTER:
        return seccomp_set_filter(t, 0, arg_ptr(a, 2));
    default:
        return -LINUX_EINVAL;
    }
}

int64_t sys_prctl(struct task *t, const struct sysargs *a) {
    uint64_t v = arg_ulong(a, 1);
    switch (arg_int(a, 0)) {
    case LINUX_PR_SET_NAME:
        return set_name(t, arg_ptr(a, 1));
    case LINUX_PR_GET_NAME:
        return copy_out(t, arg_ptr(a, 1), t->comm, sizeof t->comm);
    case LINUX_PR_SET_PDEATHSIG:
        if (v > LINUX_NSIG)
            return -LINUX_EINVAL;
        t->pdeath_signal = (int)v;
        return 0;
    case LINUX_PR_GET_PDEATHSIG:
        return copy_out_obj(t, arg_ptr(a, 1), &t->pdeath_signal);
    case LINUX_PR_GET_DUMPABLE:
        return t->mm->dumpable;
    case LINUX_PR_SET_DUMPABLE:
        if (v > 1)
            return -LINUX_EINVAL;
        t->mm->dumpable = (uint32_t)v;
        return 0;
    case LINUX_PR_SET_CHILD_SUBREAPER: {
        LOCKED(&t->k->tasks_lock);
        t->tg->subreaper = v != 0;
        return 0;
    }
    case LINUX_PR_GET_CHILD_SUBREAPER: {
        int on = t->tg->subreaper;
        return copy_out_obj(t, arg_ptr(a, 1), &on);
    }
    case LINUX_PR_SET_TIMERSLACK:
        t->timer_slack = v && v <= UINT32_MAX ? (uint32_t)v : t->timer_slack_default;
        return 0;
    case LINUX_PR_GET_TIMERSLACK:
        return t->timer_slack;
    case LINUX_PR_GET_TID_ADDRESS:
        return copy_out_obj(t, arg_ptr(a, 1), &t->clear_child_tid.v);
    case LINUX_PR_GET_SECCOMP:
        return atomic_load(&t->seccomp_mode);
    case LINUX_PR_SET_SECCOMP:
        return set_seccomp(t, a);
    case LINUX_PR_GET_TSC: {
        int mode = LINUX_PR_TSC_ENABLE;
        return copy_out_obj(t, arg_ptr(a, 1), &mode);
    }
    case LINUX_PR_SET_VMA:  // LIMIT: names of anonymous areas are taken and not shown
        return v == LINUX_PR_SET_VMA_ANON_NAME ? 0 : -LINUX_EINVAL;
    case LINUX_PR_GET_AUXV:
        return get_auxv(t, a);
    default:
        return prctl_kept(t, a);
    }
}
