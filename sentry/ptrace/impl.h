// SPDX-License-Identifier: Apache-2.0
// What the files of this folder share among themselves.
#ifndef SENTRY_PTRACE_IMPL_H
#define SENTRY_PTRACE_IMPL_H
#include "abi/ptrace.h"
#include "sentry/kernel.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/signal/signal.h"

// [S] Changes the state; panics on a transition that is not in the table of ptrace.h.
void ptrace_set(struct ptrace *p, enum ptrace_stop to);
// [S] Lets a stopped thread go.
void ptrace_let_go(struct ptrace *p, enum ptrace_go go, int signal);
// [T] SIGCHLD to the tracer, unless it does not want to hear, and its wait4 looks.
void ptrace_tell(struct ptrace *p, int code, int status);
static inline bool ptrace_is_stop(enum ptrace_stop s) {
    return s >= PT_ENTRY && s <= PT_ENDS && s != PT_LISTENS;
}

// link.c
int ptrace_traceme(struct task *t);
int64_t ptrace_attach(struct task *t, struct task *child, bool seize, uint32_t options);
int64_t ptrace_detach(struct task *t, struct task *child, int signal);
// A dead thread's tracer has been told. [T]
void ptrace_bury(struct ptrace *p, struct ptrace_ended *e);

// A request of a stopped tracee, by the file that serves it. What addr and data are, the request says.
typedef int64_t ptrace_fn(struct task *t, struct task *child, uint64_t addr, uint64_t data);
struct ptrace_request {
    uint64_t request;
    ptrace_fn *run;  // NULL: the table's end
};
// regs.c: its registers, touched with its sig_lock held.
extern const struct ptrace_request ptrace_regs_requests[];
// watch.c; the first with sig_lock held
int ptrace_set_debugreg(struct ptrace *p, unsigned n, uint64_t value);
bool ptrace_watching(const struct ptrace *p);
void ptrace_watch_begin(struct task *t);
// Did the tracer send it on for one step?
static inline bool ptrace_steps(struct ptrace *p) {
    int go = atomic_load(&p->go);
    return go == GO_STEP || go == GO_SYSEMU_STEP;
}
// memory.c
ptrace_fn ptrace_peek, ptrace_poke;
// info.c: signals, events, the call.
extern const struct ptrace_request ptrace_info_requests[];

// Is t the tracer of a child that is stopped now? [S] of child
bool ptrace_holds_still(const struct task *t, const struct task *child);

#endif
