// SPDX-License-Identifier: Apache-2.0
// See trace.h. Called by the run loop; the text is made by sentry/strace.
#include "sentry/trace.h"
#include "abi/syscalls.h"
#include "base/log.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/strace/strace.h"

static int64_t copy(void *ctx, void *dst, uint64_t src, size_t n) { return copy_in_some(ctx, dst, uaddr(src), n); }

static void line(struct task *t, int64_t ret, bool entry) {
    char text[900];
    const struct sysdesc *d = sysdesc((unsigned)t->call.nr);
    if (!d)
        return;
    strace_format(text, sizeof text, d, t->call.args.v, ret, entry, copy, t);
    log_msg(LOG_ERROR, "[%d] %s", t->tid, text);
}

// Calls that do not come back are shown when they are made.
void trace_enter(struct task *t) {
    switch (t->call.nr) {
    case LINUX_NR_exit:
    case LINUX_NR_exit_group:
    case LINUX_NR_execve:
    case LINUX_NR_execveat:
    case LINUX_NR_rt_sigreturn:
        line(t, 0, true);
    }
}

void trace_exit_line(struct task *t, int64_t ret) { line(t, ret, false); }
