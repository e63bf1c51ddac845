// SPDX-License-Identifier: Apache-2.0
// IPC namespaces, ipc_namespaces(7): a set of System V objects and message queues each.
#ifndef SENTRY_IPC_IPC_NS_H
#define SENTRY_IPC_IPC_NS_H
#include "sentry/ipc/ipc.h"

#define IPC_NS_MOST 64  // of all: each may hold as much as ipc_share() says

int ipc_ns_make(struct task *t, struct ns *owner, struct ns **out);  // 0, ENOMEM
// What ns may hold of something of which the first one may hold `most`: so all together have a bound.
static inline uint64_t ipc_share(const struct ipc_ns *ns, uint64_t most) {
    return ns->ns.charged ? most / 32 : most;
}
// Owners as they pass to and from t, IPC_STAT and IPC_SET. False: one has no number (EINVAL).
void ipc_perm_out(const struct task *t, struct linux_ipc64_perm *p);
bool ipc_perm_in(const struct task *t, struct linux_ipc64_perm *p);
#endif
