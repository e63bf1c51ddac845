// SPDX-License-Identifier: Apache-2.0
// Arguments that calls which wait have in common: a struct timespec, and the mask of ppoll, pselect6 and
// epoll_pwait.
#ifndef SENTRY_SYSCALLS_WAIT_ARGS_H
#define SENTRY_SYSCALLS_WAIT_ARGS_H
#include "sentry/proc/task.h"

// The time at `at` in ns. -LINUX_EFAULT; -LINUX_EINVAL: it is none.
int wait_time(struct task *t, uaddr_t at, uint64_t *ns);
// Puts the mask at `at` in force until signal_tmp_mask_end(); NULL: nothing to do. On the first run of a call
// only.
int wait_mask(struct task *t, uaddr_t at, size_t size);

#endif
