// SPDX-License-Identifier: Apache-2.0
// Calls that would sleep on a disk: parked while the ring of the host (run/hostring.h) does the work, or,
// where that cannot be, done here and now while somebody else listens.
#ifndef SENTRY_SYSCALLS_DISK_H
#define SENTRY_SYSCALLS_DISK_H
#include <stdbool.h>
#include <stdint.h>

struct file;
struct task;

// A read of [off, +len) has found that not all of it is in memory. 0: read it plainly. SYS_PARK, SYS_AGAIN:
// it is being fetched, and the call is to be run again. -LINUX_EINTR: the task is to die.
int64_t disk_fetch(struct task *t, struct file *f, uint64_t off, uint64_t len);
int64_t disk_sync(struct task *t, struct file *f, bool data_only);  // fsync(2), fdatasync(2)

#endif
