// SPDX-License-Identifier: Apache-2.0
// What a ptrace stop means: a system call, a fault, the answer to an interrupt, the end of an injected call,
// the first stop of a new thread. Signals are never delivered to a stub. Tracer only, under platform.lock.
#include "abi/signal.h"
#include "base/fault.h"
#include "platform/ptrace/pt.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>

#define STOP_SYSCALL (SIGTRAP | 0x80)

void pt_post(struct pt_thread *t, enum plat_event_kind kind) {
    if (t->internal)
        return;
    t->event.kind = kind;
    t->event.context = true;
    if (!list_linked(&t->ready_link))
        list_add_tail(&pt_owner(t)->ready, &t->ready_link);
}

// LIMIT: ptrace does not show the trap number and error code; they are derived from the signal. Of a page
// fault the "write" bit stays 0.
static void trap_of(const siginfo_t *si, const struct lx_regs *regs, struct plat_event *ev) {
    uint32_t nr = LINUX_TRAP_NR_GP, code = 0;
    switch (si->si_signo) {
    case SIGSEGV:
    case SIGBUS:
        if (si->si_code == SI_KERNEL)
            break;
        if (si->si_signo == SIGBUS && si->si_code == BUS_ADRALN) {
            nr = LINUX_TRAP_NR_AC;
            break;
        }
        nr = LINUX_TRAP_NR_PF;
        code = LINUX_PF_USER;
        if (si->si_signo == SIGSEGV && si->si_code != SEGV_MAPERR)
            code |= LINUX_PF_PROT;
        if ((uint64_t)(uintptr_t)si->si_addr == regs->rip)
            code |= LINUX_PF_INSTR;
        break;
    case SIGFPE:
        nr = si->si_code == FPE_INTDIV ? LINUX_TRAP_NR_DE : LINUX_TRAP_NR_XF;
        break;
    case SIGILL:
        nr = LINUX_TRAP_NR_UD;
        break;
    case SIGTRAP:
        nr = si->si_code == SI_KERNEL ? LINUX_TRAP_NR_BP : LINUX_TRAP_NR_DB;
        break;
    }
    ev->fault.trapno = nr;
    ev->fault.error_code = code;
}

static void fill_call(struct pt_thread *t, uint64_t nr, bool foreign) {
    const struct lx_regs *r = &t->regs;
    const uint64_t native[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};
    t->event.call.nr = nr;
    t->event.call.foreign = foreign;
    t->event.call.proposal = 0;
    for (int i = 0; i < 6; i++)
        t->event.call.args[i] = native[i];
    plat_count_one(t->base.p, STAT_CONTEXT);
    pt_post(t, PLAT_SYSCALL);
}

// A signal for the stub. Those that the guest's own instructions raised become events; a vsyscall was turned
// into SIGSYS by the filter; all others (somebody's kill) are dropped.
static void signal_stop(struct pt_thread *t, int signo) {
    siginfo_t si;
    if (ptrace(PTRACE_GETSIGINFO, t->tid, 0, &si) < 0 || si.si_code <= 0) {
        pt_go(t);
        return;
    }
    switch (signo) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
        t->event.fault.signo = signo;
        t->event.fault.code = si.si_code;
        t->event.fault.addr = (uint64_t)(uintptr_t)si.si_addr;
        trap_of(&si, &t->regs, &t->event);
        pt_post(t, PLAT_FAULT);
        break;
    case SIGSYS:
        fill_call(t, (uint64_t)(unsigned)si.si_syscall, true);
        break;
    default:
        pt_go(t);
    }
}

static void running_stop(struct pt_thread *t, int status) {
    pt_set_state(t, PT_STOPPED);
    t->interrupt_sent = false; // any stop ends it; one that was late comes as a stop for nothing
    if (t->destroyed) {
        pt_apply(t);
        return;
    }
    if (pt_fetch_regs(t) != 0) {
        pt_set_state(t, PT_RUNNING); // was killed while it stopped: its end comes next
        return;
    }
    if (status == STOP_SYSCALL) {
        fill_call(t, t->regs.orig_rax, pt_foreign_call(t));
    } else if (status >> 8 != 0) {
        if (!t->interrupt) {
            pt_go(t);
            return;
        }
        t->interrupt = false;
        pt_post(t, PLAT_INTERRUPT);
    } else {
        signal_stop(t, status);
    }
}

// A stop of a tid that is not known: a clone's child, faster than the news of the clone.
static void early_stop(struct pt_platform *p, int tid) {
    struct pt_early *early = p->nclones != 0 ? znew(struct pt_early) : NULL;
    if (!early) {
        kill(tid, SIGKILL);
        return;
    }
    early->tid = tid;
    early->next = p->early;
    p->early = early;
}

// status: as in siginfo_t.si_status for CLD_TRAPPED: the signal, the ptrace event in the second byte.
void pt_stop(struct pt_platform *p, int tid, int status) {
    struct pt_thread *t = pt_lookup(p, tid);
    if (!t) {
        early_stop(p, tid);
        return;
    }
    switch (t->state) {
    case PT_STARTING:
        pt_started(t);
        break;
    case PT_RUNNING:
        running_stop(t, status);
        break;
    case PT_WORKING:
        pt_work_stop(t, status);
        break;
    case PT_EXITING:
        ptrace(PTRACE_CONT, tid, 0, 0);
        break;
    case PT_STOPPED:
    case PT_QUEUED:
    case PT_GONE:
        break;
    }
}
