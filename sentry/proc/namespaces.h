// SPDX-License-Identifier: Apache-2.0
// New namespaces and the way into others, namespaces(7): by clone(2), clone3(2), unshare(2) and setns(2). All
// are objects of the sentry: none is made on the host.
#ifndef SENTRY_PROC_NAMESPACES_H
#define SENTRY_PROC_NAMESPACES_H
#include <stdint.h>

struct ns;
struct task;

// Those of `flags` (LINUX_CLONE_NEW*) for t itself, or for the child c that is being made and has its parts
// already. 0, EPERM, ENOMEM, ENOSPC, EINVAL.
int namespaces_unshare(struct task *t, uint64_t flags);
int namespaces_for_child(struct task *t, struct task *c, uint64_t flags);
// setns(2): into those that are not NULL, by kind; all or none. EPERM, EINVAL, EUSERS, ENOMEM.
int namespaces_enter(struct task *t, struct ns *const wanted[]);

#endif
