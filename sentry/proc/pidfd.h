// SPDX-License-Identifier: Apache-2.0
// pidfds: open files that stand for a process, pidfd_open(2).
#ifndef SENTRY_PROC_PIDFD_H
#define SENTRY_PROC_PIDFD_H
#include "sentry/proc/task.h"

int pidfd_install(struct task *t, struct tgroup *g);  // descriptor (close-on-exec), or -LINUX_E*
int pidfd_pid(struct task *t, int fd);                // the process's number, or -LINUX_EBADF
struct tgroup *pidfd_tgroup(struct file *f);          // borrowed; NULL: not a pidfd

#endif
