// SPDX-License-Identifier: Apache-2.0
// What ioctl(2) hands on of files that stand for a namespace.
#ifndef SENTRY_SYSCALLS_SYS_NS_H
#define SENTRY_SYSCALLS_SYS_NS_H
#include "fs/nsfs.h"

struct task;
int64_t nsfs_ioctl(struct task *t, struct ns *n, unsigned cmd, uint64_t arg);
#endif
