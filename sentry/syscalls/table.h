// SPDX-License-Identifier: Apache-2.0
// Dispatch of system calls by number, and the prototypes of all handlers, from abi/syscalls.def. The run loop
// calls through it; each sentry/syscalls/sys_<family>.c includes this header for its own prototypes. A call
// without a handler yet answers ENOSYS from a file that tools/gen_missing.py makes at build time; it looks
// for definitions that begin a line as `int64_t sys_NAME('.
#pragma once

#include <stdint.h>

#include "abi/syscalls.h"

struct task;
struct sysargs;

// Takes the task that makes the call and its arguments. Returns a value for the guest, or -LINUX_EXXX.
typedef int64_t syscall_fn(struct task *t, const struct sysargs *a);

#define SYSCALL(nr, name, support, ...) SYSCALL_IF_SERVED_##support(syscall_fn sys_##name;)
#include "abi/syscalls.def"
#undef SYSCALL

// Calls the handler of a number, and returns what it returns. A call that is not served returns the errno of
// its row, and -LINUX_ENOSYS when there is no row. Only the low half of the number counts, as on Linux.
int64_t syscall_call(struct task *t, uint64_t nr, const struct sysargs *a);
