// SPDX-License-Identifier: Apache-2.0
// The namespaces that a task is in, namespaces(7), but for two kinds: that of mounts goes with its place
// (struct fs_ctx), that of users with its credentials. A set is shared by all tasks that were given no other,
// never changed, and replaced as a whole.
#ifndef SENTRY_PROC_NSPROXY_H
#define SENTRY_PROC_NSPROXY_H
#include "fs/nsfs.h"

struct ipc_ns;
struct kernel;
struct net_ns;
struct pid_ns;
struct task;
struct time_ns;
struct uts_ns;

struct nsproxy {
    struct refcount refs;
    // [c] owned, by kind. NS_PID: that of children to come; NS_USER, NS_MNT: not here
    struct ns *of[NS_KINDS];
    struct ns *time_for_children;  // [c] owned
};

// The first one, of what the kernel has. NULL: no memory.
struct nsproxy *nsproxy_first(struct kernel *k);
struct nsproxy *nsproxy_get(struct nsproxy *p);
void nsproxy_put(struct nsproxy *p);  // p may be NULL
// A private copy, to be changed with nsproxy_set(), then published. NULL: no memory.
struct nsproxy *nsproxy_copy(const struct nsproxy *p);
void nsproxy_set(struct nsproxy *p, enum ns_kind kind, struct ns *n);  // takes n over
void nsproxy_set_time_for_children(struct nsproxy *p, struct ns *n);
// By the task itself, or for one that nobody has seen yet. Takes p over and puts the old one.
void task_set_nsproxy(struct task *t, struct nsproxy *p);

// The caller's own task; of another one with tasks_lock held, while it lives.
struct uts_ns *task_uts(const struct task *t);
struct ipc_ns *task_ipc(const struct task *t);
struct net_ns *task_net(const struct task *t);
// The namespace of that kind that t is in, a reference; NULL: it has ended. NS_PID: t's own. Any thread.
struct ns *task_ns(struct task *t, enum ns_kind kind);
struct ns *task_ns_for_children(struct task *t, enum ns_kind kind);  // NS_PID, NS_TIME: the same

#endif
