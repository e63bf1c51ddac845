// SPDX-License-Identifier: Apache-2.0
// New namespaces, namespaces(7): by clone(2), clone3(2) and unshare(2).
// LIMIT: of mounts and of the machine's names alone; user, pid, net, ipc, time and cgroup namespaces are
// EPERM, and setns(2) leads to none.
#ifndef SENTRY_PROC_NAMESPACES_H
#define SENTRY_PROC_NAMESPACES_H
#include <stdint.h>

struct task;

// May t make those of `flags` (LINUX_CLONE_NEW*)? 0 or -LINUX_EPERM.
int namespaces_may(struct task *t, uint64_t flags);
// Those of `flags` for t itself, or for the child c that is being made and has its parts already. 0, ENOMEM,
// ENOSPC.
int namespaces_unshare(struct task *t, uint64_t flags);
int namespaces_for_child(struct task *t, struct task *c, uint64_t flags);

#endif
