// SPDX-License-Identifier: Apache-2.0
// Timer descriptors, timerfd_create(2).
#ifndef SENTRY_TIME_TIMERFD_H
#define SENTRY_TIME_TIMERFD_H
#include "abi/time.h"
#include "fs/vfs.h"

struct task;

int timerfd_open(struct task *t, int clock, unsigned flags, struct file **out);
// -LINUX_EINVAL: not a timer descriptor, or not a time.
int timerfd_set(struct task *t, struct file *f, bool abstime, const struct linux_itimerspec *set,
                struct linux_itimerspec *old);
int timerfd_get(struct file *f, struct linux_itimerspec *out);

#endif
