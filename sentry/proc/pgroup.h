// SPDX-License-Identifier: Apache-2.0
// Process groups and sessions: setpgid(2), setsid(2), and what job control asks. All under tasks_lock.
#ifndef SENTRY_PROC_PGROUP_H
#define SENTRY_PROC_PGROUP_H
#include "sentry/kernel.h"

struct session {
    struct refcount refs;
    int32_t sid;         // [c]
    struct list link;    // [T] in kernel->sessions
    struct ctty *tty;    // [T] the controlling terminal (fs/tty/ctty.h), owned; or NULL
    int32_t lost_pgrp;   // [T] who was in front when it was hung up; or 0
};

struct pgroup {
    struct refcount refs;      // one of each member
    int32_t pgid;              // [c]
    struct session *session;   // [c] owned
    struct list members;       // [T] tgroup->pgrp_link
    struct list link;          // [T] in kernel->pgroups
};

// All with tasks_lock held.
struct pgroup *pgroup_find(struct kernel *k, int32_t pgid);  // borrowed
bool pid_names_group(struct kernel *k, int32_t pid);          // as a group or a session
int tgroup_setsid(struct tgroup *g);                         // sid, or -LINUX_EPERM, -LINUX_ENOMEM
int tgroup_setpgid(struct tgroup *caller, int32_t pid, int32_t pgid);
// takes a reference of its own; leaves the old one
void tgroup_join(struct tgroup *g, struct pgroup *p);
void tgroup_leave(struct tgroup *g);
// Has no member whose parent is in another group of the same session: nobody could continue it. `except`
// (or NULL) is a member that is ending and does not count.
bool pgroup_orphaned(struct pgroup *p, const struct tgroup *except);

#endif
