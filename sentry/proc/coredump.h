// SPDX-License-Identifier: Apache-2.0
// Core files, core(5): what a process leaves behind whom a signal like SIGSEGV ends, when RLIMIT_CORE and
// kernel.core_pattern ask for it.
#ifndef SENTRY_PROC_COREDUMP_H
#define SENTRY_PROC_COREDUMP_H
#include "abi/signal.h"
#include "abi/x86_64/regs.h"
#include <stdbool.h>

struct kernel;
struct task;

#define CORE_PATTERN_MAX 128  // with the NUL

// Writes the core file of t's process, which ends by `info`. t is being handled and runs no more. False:
// there is none, for whatever reason.
bool coredump(struct task *t, const struct lx_regs *regs, const struct linux_siginfo *info);

// kernel.core_pattern. 0 or -LINUX_EINVAL.
void kernel_core_pattern(struct kernel *k, char out[CORE_PATTERN_MAX]);
int kernel_set_core_pattern(struct kernel *k, const char *pattern);

#endif
