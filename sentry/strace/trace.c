// SPDX-License-Identifier: Apache-2.0
// --strace: joins strace_format() to tasks. The run loop calls it around each call; see trace.h. A line is
// one write(2) to the log's descriptor, so lines of several workers do not mix. Cost: some copies of
// guest memory and that write for each call; nothing when tracing is off. No locks.
//
// A call is shown when it is done, with what it has returned; calls that may not return are shown at their
// start. LIMIT: with --strace, a call that blocks for ever shows nothing until it ends.
#include "sentry/strace/trace.h"
#include "base/log.h"
#include "sentry/mm/usercopy.h"
#include "sentry/strace/strace.h"
#include <stdio.h>

enum { LINE_MAX_BYTES = 1024 };

static int64_t copy(void *ctx, void *dst, uint64_t src, size_t n) {
    return copy_in_some(ctx, dst, uaddr(src), n);
}

static void show(struct task *t, int64_t ret, bool entry) {
    uint32_t nr = (uint32_t)t->call.nr;  // as dispatch does
    char unknown[32];
    snprintf(unknown, sizeof(unknown), "syscall_%#x", nr);
    const struct sysdesc made = {.name = unknown, .args = "hex:a, hex:b, hex:c, hex:d, hex:e, hex:f"};
    const struct sysdesc *desc = sysdesc(nr) ? sysdesc(nr) : &made;
    char line[LINE_MAX_BYTES];
    size_t n = (size_t)snprintf(line, sizeof(line), "[pid %d] ", t->tid);
    n += (size_t)strace_format(line + n, sizeof(line) - n - 1, desc, t->call.args.v, ret, entry, copy, t);
    line[n++] = '\n';
    log_raw(line, n);
}

void trace_enter(struct task *t) {
    switch ((uint32_t)t->call.nr) {
    case LINUX_NR_exit:
    case LINUX_NR_exit_group:
    case LINUX_NR_rt_sigreturn:
    case LINUX_NR_execve:
    case LINUX_NR_execveat:
        show(t, 0, true);
    }
}

void trace_exit_line(struct task *t, int64_t ret) {
    show(t, ret, false);
}
