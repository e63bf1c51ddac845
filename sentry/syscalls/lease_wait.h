// SPDX-License-Identifier: Apache-2.0
// Opening and truncating wait for leases (sys_open.c).
#ifndef SENTRY_SYSCALLS_LEASE_WAIT_H
#define SENTRY_SYSCALLS_LEASE_WAIT_H
#include "sentry/proc/task.h"

// f, any file of the object: waits for who has a lease of it. As a handler returns; what it returns comes
// when the lease was asked for: SYS_AGAIN, SYS_PARK or an error.
int64_t lease_wait(struct task *t, struct file *f, bool write);

#endif
