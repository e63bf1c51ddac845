// SPDX-License-Identifier: Apache-2.0
// What a fault of guest code means: a signal, or a touch below memory that grows downward, or a step of a
// tracer that has gone. Called by run.c, which lets the task go on.
#include "sentry/mm/mm.h"
#include "sentry/proc/task.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/impl.h"
#include "sentry/signal/signal.h"

// While somebody else changes the map, the instruction simply runs again.
static enum fault_way grow(struct task *t, uint64_t addr) {
    if (!mm_turn_try(t))
        return FAULT_DONE;
    if (mm_grow(t, addr) < 0) {
        mm_op_end(t);
        return FAULT_SIGNAL;
    }
    t->call.map_work = MAP_WORK_GROWTH;
    return FAULT_FLUSH;
}

enum fault_way fault_take(struct task *t, const struct plat_event *ev) {
    if (ev->fault.signo == LINUX_SIGSEGV && mm_grows(t->mm, ev->fault.addr)) {
        enum fault_way way = grow(t, ev->fault.addr);
        if (way != FAULT_SIGNAL)
            return way;
    }
    if (ptrace_stray_step(t, ev->fault.signo, ev->fault.code))
        return FAULT_DONE;
    struct linux_siginfo info = {.si_signo = ev->fault.signo, .si_code = ev->fault.code};
    info.si_addr = ev->fault.addr;
    t->fault_trapno = ev->fault.trapno;
    t->fault_error = ev->fault.error_code;
    t->fault_addr = ev->fault.addr;
    if (ev->fault.signo == LINUX_SIGTRAP && ptrace_on(t) && !ptrace_step_counts(t, &info))
        return FAULT_AGAIN;
    signal_force(t, ev->fault.signo, &info);
    return FAULT_SIGNAL;
}
