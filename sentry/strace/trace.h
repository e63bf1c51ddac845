// SPDX-License-Identifier: Apache-2.0
// --strace: a line for each call, on the log's descriptor, like strace(1) -f.
#ifndef SENTRY_STRACE_TRACE_H
#define SENTRY_STRACE_TRACE_H
#include "sentry/proc/task.h"

void trace_enter(struct task *t);  // only when kernel->strace
void trace_exit_line(struct task *t, int64_t ret);
#define trace_exit(t, ret)                                                                                   \
    do {                                                                                                     \
        if ((t)->k->strace)                                                                                  \
            trace_exit_line((t), (ret));                                                                     \
    } while (0)

#endif
