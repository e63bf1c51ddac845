// SPDX-License-Identifier: Apache-2.0
// Credentials: immutable once published on a task, replaced as a whole.
#ifndef SENTRY_PROC_CRED_H
#define SENTRY_PROC_CRED_H
#include "base/refcount.h"
#include <stdbool.h>
#include <stdint.h>

struct landlock_domain;
struct task;
struct user_ns;

struct cred {
    struct refcount refs;
    uint32_t uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
    uint64_t cap_permitted, cap_effective, cap_inheritable, cap_bounding, cap_ambient;
    struct user_ns *user;  // owned: whose capabilities they are
    struct landlock_domain *landlock;  // owned, or NULL: fs/landlock.h
    uint32_t securebits;
    bool no_new_privs;
    unsigned ngroups;
    uint32_t groups[];  // sorted
};

// A private copy to be changed, then published; of nothing (NULL): the caller gives it a user namespace.
// NULL: no memory.
struct cred *cred_dup(const struct cred *old, unsigned ngroups);
void cred_sort_groups(struct cred *c);  // after they were set: they are searched as a sorted list
void task_set_cred(struct task *t, struct cred *c);  // takes c over; for exec, whose memory is new
// The same for the rest, as commit_creds() of Linux: with other rights, what the memory holds from before is
// no longer for others of the user to look into.
void task_commit_cred(struct task *t, struct cred *c);
bool cred_same_rights(const struct cred *old, const struct cred *c);  // others of the user may see no more
struct cred *cred_get(struct cred *c);
void cred_put(struct cred *c);
// Effective, and over the sandbox as a whole: not in a user namespace of its own (user_ns.h has the others).
bool task_capable(const struct task *t, int cap);

#endif
