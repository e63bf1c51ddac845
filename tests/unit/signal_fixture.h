// SPDX-License-Identifier: Apache-2.0
// A process without a platform, for unit tests of signals: tasks made by hand, guest memory as one array,
// registers and floating-point state in variables. It defines what sentry/signal/ calls outside itself, and
// notes the calls.
#pragma once
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "abi/wait.h"
#include "base/fault.h"
#include "sentry/proc/coredump.h"
#include "sentry/fd/signalfd.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/jobctl.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/task_impl.h"
#include "sentry/proc/user_ns.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/park.h"
#include "sentry/run/run.h"
#include "sentry/run/worker.h"
#include "sentry/signal/impl.h"
#include "sentry/time/posix_timers.h"
#include <stdlib.h>
#include <string.h>

#define GUEST_BASE 0x100000ull
#define GUEST_SIZE 0x40000ull
#define FP_SIZE    832u  // legacy area, header, YMM
#define NTASKS     3

static struct {
    unsigned char memory[GUEST_SIZE];
    uint64_t read_only_below;  // writes below this address fail
    struct lx_regs regs;
    unsigned char fp[FP_SIZE];
    struct plat_layout layout;
    struct task *notified[64], *died;
    int nnotified, died_status, exit_status;
    int parent_sig, parent_code, parent_status;
    bool orphaned;
} fake;

static struct kernel kern;
static struct tgroup group, parent_group;
static struct task tasks[NTASKS];
static struct pgroup pgrp;

// ---- What sentry/signal/ calls ----------------------------------------------------------------------------
_Thread_local struct task *task_current;
void task_notify(struct task *t) {
    atomic_store(&t->sigpending, true);
    atomic_store(&t->woken, true);
    if (fake.nnotified < 64)
        fake.notified[fake.nnotified++] = t;
}
void task_wake(struct task *t) { atomic_store(&t->woken, true); }
bool coredump(struct task *t, const struct lx_regs *regs, const struct linux_siginfo *info) { return false; }
void task_die(struct task *t, int status) {
    fake.died = t;
    fake.died_status = status;
}
void tgroup_begin_exit(struct tgroup *g, int status) {
    if (!atomic_load(&g->exiting))
        g->group_exit_code = status;
    atomic_store(&g->exiting, true);
    fake.exit_status = status;
}
void tgroup_notify_parent(struct tgroup *g, int sig, int code, int status) {
    fake.parent_sig = sig;
    fake.parent_code = code;
    fake.parent_status = status;
}
bool pgroup_orphaned(struct pgroup *p, const struct tgroup *except) { return fake.orphaned; }
bool task_capable(const struct task *t, int cap) { return t->cred->cap_effective >> cap & 1; }
bool cred_ns_capable(const struct cred *c, const struct user_ns *u, int cap) {
    return c->cap_effective >> cap & 1;
}
bool pid_ns_is_in(const struct pid_ns *p, const struct pid_ns *outer) { return true; }
bool worker_dying(const struct worker *w) { return false; }
int32_t task_vpid(const struct task *t) { return t->tg->pid; }
uint32_t task_uid_out(const struct task *t, uint32_t kuid) { return kuid; }
void jobctl_stopped(struct tgroup *g, int sig) {}
// Nobody is traced.
bool ptrace_traps(struct task *t, const struct lx_regs *regs) { return false; }
bool ptrace_group(struct task *t, const struct lx_regs *regs) { return false; }
bool ptrace_signal(struct task *t, const struct lx_regs *regs, int sig, const struct linux_siginfo *info) {
    return false;
}
int ptrace_injected(struct task *t, struct linux_siginfo *info) { return 0; }
void ptrace_unshown(struct task *t, int sig, const struct linux_siginfo *info) {}
bool ptrace_unstep(struct task *t, struct lx_regs *regs) { return false; }
void ptrace_step_into(struct task *t) {}
bool ptrace_due(const struct task *t) { return false; }
void ptrace_renew(struct task *t) {}
bool ptrace_left(const struct task *t) { return false; }
bool ptrace_traced_by(const struct task *t, const struct tgroup *g) { return false; }
void task_condemn(struct task *t) {
    atomic_store(&t->killed, true);
    task_notify(t);
}
void signalfd_notify(struct tgroup *g, int sig) {}
#ifndef FIXTURE_TIMERS  // the test brings time/posix_timers.c along
void itimer_real_taken(struct tgroup *g) {}
#endif
int64_t park(struct task *t) { return task_interrupted(t) ? -LINUX_ERESTARTSYS : SYS_PARK; }

static bool in_guest(uint64_t a, size_t n) {
    return a >= GUEST_BASE && a < GUEST_BASE + GUEST_SIZE && n <= GUEST_BASE + GUEST_SIZE - a;
}
int copy_in(struct task *t, void *dst, uaddr_t src, size_t n) {
    if (!in_guest(src.v, n))
        return -LINUX_EFAULT;
    memcpy(dst, fake.memory + (src.v - GUEST_BASE), n);
    return 0;
}
int copy_out(struct task *t, uaddr_t dst, const void *src, size_t n) {
    if (!in_guest(dst.v, n) || dst.v < fake.read_only_below)
        return -LINUX_EFAULT;
    memcpy(fake.memory + (dst.v - GUEST_BASE), src, n);
    return 0;
}
const struct plat_layout *plat_layout(const struct platform *p) { return &fake.layout; }
uint64_t plat_cpu_ns(const struct plat_thread *t) { return 0; }
int plat_get_regs(struct plat_thread *t, struct lx_regs *regs) {
    *regs = fake.regs;
    return 0;
}
int plat_set_regs(struct plat_thread *t, const struct lx_regs *regs) {
    if (regs->rip >> 47)
        return -LINUX_EPERM;
    fake.regs = *regs;
    return 0;
}
int64_t plat_get_fpstate(struct plat_thread *t, void *buf, size_t len) {
    memcpy(buf, fake.fp, FP_SIZE);
    return FP_SIZE;
}
int plat_set_fpstate(struct plat_thread *t, const void *buf, size_t len) {
    const struct linux_xstate *x = buf;
    if (x->header.xcomp_bv || x->header.xfeatures >> 3)
        return -LINUX_EINVAL;
    memcpy(fake.fp, buf, len);
    return 0;
}

// ---- The process ------------------------------------------------------------------------------------------
static void group_init(struct tgroup *g) {
    *g = (struct tgroup){.k = &kern, .pgrp = &pgrp};
    ref_init(&g->refs, 1);
    list_init(&g->tasks);
    list_init(&g->posix_timers);
    lock_init(&g->sig_lock, RANK_SIGNAL);
    g->sighand = sighand_new();
    g->shared_pending = sigqueue_new();
    g->rlimits[LINUX_RLIMIT_SIGPENDING].rlim_cur = 8;
    assert_non_null(g->sighand);
    assert_non_null(g->shared_pending);
}

static int fixture_setup(void **state) {
    memset(&fake, 0, sizeof fake);
    memset(tasks, 0, sizeof tasks);
    memset(&kern, 0, sizeof kern);
    lock_init(&kern.tasks_lock, RANK_TASKS);
    fake.layout.fpstate_size = FP_SIZE;
    fake.layout.hi = 1ull << 47;
    group_init(&group);
    group_init(&parent_group);
    group.parent = &parent_group;
    for (int i = 0; i < NTASKS; i++) {
        struct task *t = &tasks[i];
        t->k = &kern;
        t->tg = &group;
        t->tid = 100 + i;
        t->pending = sigqueue_new();
        assert_non_null(t->pending);
        t->altstack.ss_flags = LINUX_SS_DISABLE;
        list_add_tail(&group.tasks, &t->tg_link);
    }
    fake.regs.rsp = GUEST_BASE + GUEST_SIZE - 64;
    fake.regs.rip = 0x401000;
    fake.regs.eflags = 0x246;
    return 0;
}

static int fixture_teardown(void **state) {
    for (int i = 0; i < NTASKS; i++)
        sigqueue_free(tasks[i].pending);
    struct tgroup *gs[] = {&group, &parent_group};
    for (int i = 0; i < 2; i++) {
        sigqueue_free(gs[i]->shared_pending);
        sighand_put(gs[i]->sighand);
        lock_destroy(&gs[i]->sig_lock);
    }
    lock_destroy(&kern.tasks_lock);
    return 0;
}

static inline void set_handler(int sig, uint64_t handler, uint64_t flags, uint64_t mask) {
    group.sighand->action[sig - 1] = (struct linux_sigaction){
        .sa_handler = handler, .sa_flags = flags | LINUX_SA_RESTORER, .sa_restorer = 0x7000, .sa_mask = mask};
}
static inline struct linux_siginfo info_with(int code, int value) {
    struct linux_siginfo i = {.si_code = code};
    i.si_int = value;
    return i;
}
