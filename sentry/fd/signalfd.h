// SPDX-License-Identifier: Apache-2.0
// Signal descriptors, signalfd(2).
#ifndef SENTRY_FD_SIGNALFD_H
#define SENTRY_FD_SIGNALFD_H
#include "fs/vfs.h"

struct task;
struct tgroup;

int signalfd_open(struct task *t, uint64_t mask, unsigned flags, struct file **out);
int signalfd_set_mask(struct file *f, uint64_t mask);  // -LINUX_EINVAL: f is none
void signalfd_notify(struct tgroup *g, int sig);       // sig was queued; sig_lock held

#endif
