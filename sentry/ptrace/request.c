// SPDX-License-Identifier: Apache-2.0
// ptrace(2): which request, of whom, and may it be made now. What the requests do is in the other files of
// this folder.
#include "abi/ptrace.h"
#include "base/cleanup.h"
#include "sentry/ptrace/impl.h"
#include "sentry/run/park.h"
#include "sentry/syscalls/table.h"

// LIMIT: PTRACE_O_SUSPEND_SECCOMP is EINVAL, and PTRACE_SECCOMP_GET_FILTER EIO: for checkpoint tools.
#define OPTIONS                                                                                              \
    (LINUX_PTRACE_O_TRACESYSGOOD | LINUX_PTRACE_O_TRACEFORK | LINUX_PTRACE_O_TRACEVFORK |                    \
     LINUX_PTRACE_O_TRACECLONE | LINUX_PTRACE_O_TRACEEXEC | LINUX_PTRACE_O_TRACEVFORKDONE |                  \
     LINUX_PTRACE_O_TRACEEXIT | LINUX_PTRACE_O_TRACESECCOMP | LINUX_PTRACE_O_EXITKILL)

static void task_put_cleanup(struct task **t) {
    if (*t)
        task_put(*t);
}

// ---- Sending it on ----------------------------------------------------------------------------------------
static int64_t resume(struct task *t, struct task *child, enum ptrace_go go, uint64_t data) {
    if (data > LINUX_NSIG)
        return -LINUX_EIO;
    LOCKED(&child->tg->sig_lock);
    if (!ptrace_holds_still(t, child))
        return -LINUX_ESRCH;
    ptrace_let_go(child->ptrace, go, (int)data);
    return 0;
}

static int64_t set_options(struct task *child, uint64_t data) {
    if (data & ~(uint64_t)OPTIONS)
        return -LINUX_EINVAL;
    LOCKED(&child->k->tasks_lock);
    LOCKED(&child->tg->sig_lock);
    child->ptrace->options = (uint32_t)data;
    return 0;
}

// A thread that is stopped in another way stops once more when it is sent on.
static int64_t interrupt(struct task *child) {
    LOCKED(&child->tg->sig_lock);
    struct ptrace *p = child->ptrace;
    if (!p->seized)
        return -LINUX_EIO;
    p->trap = true;
    if (p->stop == PT_LISTENS)
        ptrace_set(p, PT_RUNS);
    task_notify(child);
    return 0;
}

// It stays as it is, but is no longer the tracer's to ask, until the group stop ends or another one begins.
static int64_t listen(struct task *t, struct task *child) {
    LOCKED(&child->tg->sig_lock);
    struct ptrace *p = child->ptrace;
    if (!ptrace_holds_still(t, child))
        return -LINUX_ESRCH;
    if (!p->seized || p->stop != PT_GROUP)
        return -LINUX_EIO;
    p->status = 0;
    ptrace_set(p, PT_LISTENS);
    if (p->trap) {
        ptrace_set(p, PT_RUNS);
        task_notify(child);
    }
    return 0;
}

static int64_t kill_tracee(struct task *child) {
    signal_send_task(child, LINUX_SIGKILL, NULL);
    return 0;
}

// ---- Of a stopped tracee ----------------------------------------------------------------------------------
// Those of the other files: NULL when there is no such request.
static ptrace_fn *find(uint64_t request) {
    static const struct ptrace_request *const tables[] = {ptrace_regs_requests, ptrace_info_requests};
    for (unsigned i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const struct ptrace_request *r = tables[i]; r->run; r++)
            if (r->request == request)
                return r->run;
    return NULL;
}

static int64_t stopped_request(struct task *t, struct task *child, uint64_t request, uint64_t addr,
                               uint64_t data) {
    switch (request) {
    case LINUX_PTRACE_CONT:
        return resume(t, child, GO_CONT, data);
    case LINUX_PTRACE_SYSCALL:
        return resume(t, child, GO_SYSCALL, data);
    case LINUX_PTRACE_SINGLESTEP:
        return resume(t, child, GO_STEP, data);
    case LINUX_PTRACE_SYSEMU:
        return resume(t, child, GO_SYSEMU, data);
    case LINUX_PTRACE_SYSEMU_SINGLESTEP:
        return resume(t, child, GO_SYSEMU_STEP, data);
    case LINUX_PTRACE_DETACH:
        return data > LINUX_NSIG ? -LINUX_EIO : ptrace_detach(t, child, (int)data);
    case LINUX_PTRACE_LISTEN:
        return listen(t, child);
    case LINUX_PTRACE_OLDSETOPTIONS:
    case LINUX_PTRACE_SETOPTIONS:
        return set_options(child, data);
    case LINUX_PTRACE_PEEKTEXT:
    case LINUX_PTRACE_PEEKDATA:
        return ptrace_peek(t, child, addr, data);
    case LINUX_PTRACE_POKETEXT:
    case LINUX_PTRACE_POKEDATA:
        return ptrace_poke(t, child, addr, data);
    }
    ptrace_fn *run = find(request);
    return run ? run(t, child, addr, data) : -LINUX_EIO;
}

static bool is_tracee(struct task *t, struct task *child, bool stopped) {
    LOCKED(&t->k->tasks_lock);
    const struct ptrace *p = child->ptrace;
    if (!p || p->tracer != t)
        return false;
    LOCKED(&child->tg->sig_lock);
    return !stopped || ptrace_is_stop(p->stop);
}

// A thread that sits in a group stop is to go from there into its ptrace stop, which it has not done yet.
static bool on_its_way(struct task *t, struct task *child) {
    LOCKED(&t->k->tasks_lock);
    const struct ptrace *p = child->ptrace;
    if (p->tracer != t)
        return false;
    LOCKED(&child->tg->sig_lock);
    return p->trap && p->stop == PT_RUNS && child->tg->stop.on && !child->stop_counted &&
           !atomic_load(&child->killed);
}

enum attach_phase { ATTACH_BEGINS, ATTACH_WAITS };  // call.phase

// The next request finds a tracee that was stopped before stopped: Linux waits for that too. It is kept in
// call.own: its number may be another's when the call is run again.
static int64_t attach_wait(struct task *t) {
    park_arm(t, &t->tg->child_wait);
    return on_its_way(t, t->call.own.tracee) ? park_killable(t) : 0;
}

static void attach_end(struct task *t) { task_put(take_ptr(t->call.own.tracee)); }

static int64_t attach(struct task *t, struct task *child, uint64_t request, uint64_t addr, uint64_t data) {
    bool seize = request == LINUX_PTRACE_SEIZE;
    park_yielded(t);
    if (seize && (addr || data & ~(uint64_t)OPTIONS))
        return -LINUX_EIO;
    int64_t r = ptrace_attach(t, child, seize, seize ? (uint32_t)data : 0);
    if (r != 0)
        return r;
    t->call.own.tracee = task_get(child);
    t->call.cleanup = attach_end;
    t->call.phase = ATTACH_WAITS;
    return attach_wait(t);
}

int64_t sys_ptrace(struct task *t, const struct sysargs *a) {
    if (t->call.phase == ATTACH_WAITS)
        return attach_wait(t);
    uint64_t request = arg_ulong(a, 0), addr = arg_ulong(a, 2), data = arg_ulong(a, 3);
    if (request == LINUX_PTRACE_TRACEME)
        return ptrace_traceme(t);
    struct task *child __attribute__((cleanup(task_put_cleanup))) = task_find(t, arg_int(a, 1));
    if (!child)
        return -LINUX_ESRCH;
    if (request == LINUX_PTRACE_ATTACH || request == LINUX_PTRACE_SEIZE)
        return attach(t, child, request, addr, data);
    bool any_state = request == LINUX_PTRACE_KILL || request == LINUX_PTRACE_INTERRUPT;
    if (!is_tracee(t, child, !any_state))
        return -LINUX_ESRCH;
    if (request == LINUX_PTRACE_KILL)
        return kill_tracee(child);
    if (request == LINUX_PTRACE_INTERRUPT)
        return interrupt(child);
    return stopped_request(t, child, request, addr, data);
}
