// SPDX-License-Identifier: Apache-2.0
// Dispatch of system calls by number, and the prototypes of all handlers, from abi/syscalls.def. The run loop looks a
// handler up and calls it; each sentry/syscalls/sys_<family>.c includes this header for its own prototypes.
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

// The handler of a call (the low half of rax, as on Linux); NULL when the sentry does not serve it, then syscall_refusal() is the answer.
syscall_fn *syscall_handler(uint32_t nr);

// What a call without handler returns: the errno of its row, ENOSYS for an unknown number.
int64_t syscall_refusal(uint32_t nr);
