// SPDX-License-Identifier: Apache-2.0
// User namespaces, user_namespaces(7): who is who inside, and over what a capability holds. Objects of the
// sentry alone: nothing on the host corresponds to one. All numbers of users and groups that the sentry keeps
// are the first namespace's; they are turned into a caller's where they pass to or from it.
//
// A capability is one of the namespace that the holder is in: it holds over that and what was made in it,
// never over what belongs to an outer one.
#ifndef SENTRY_PROC_USER_NS_H
#define SENTRY_PROC_USER_NS_H
#include "base/idmap.h"
#include "base/lock.h"
#include "fs/nsfs.h"
#include <stdbool.h>

#define USER_NS_LEVELS 32    // that lie in each other, below the first
#define NS_MOST        2048  // namespaces of a kind made in one user namespace, all levels below it too

struct cred;
struct kernel;
struct task;

struct user_ns {
    struct ns ns;            // its owner: the parent
    unsigned level;          // [c] 0: the first
    uint32_t uid, gid;       // [c] whose it is, the kernel's numbers: the effective ids of its maker
    bool maker_may_setfcap;  // [c] as its maker could: root may be mapped
    struct lock lock;        // RANK_OBJECT: writes of the maps
    struct id_map uids, gids;
    _Atomic bool setgroups_denied;    // [a] set under lock
    _Atomic uint32_t made[NS_KINDS];  // [a] that are there now
    _Atomic uint32_t most[NS_KINDS];  // [a] /proc/sys/user/max_*
};

static inline struct user_ns *user_ns_of(struct ns *n) { return (struct user_ns *)n; }
static inline struct user_ns *user_ns_parent(const struct user_ns *u) { return user_ns_of(u->ns.owner); }
struct user_ns *user_ns_first(struct kernel *k);  // maps everything. NULL: no memory
static inline struct user_ns *user_ns_get(struct user_ns *u) { return ns_get(&u->ns), u; }
static inline void user_ns_put(struct user_ns *u) { ns_put(&u->ns); }
// One of t's, made in that which c, credentials of t that nobody else has yet, is in; c enters it, with all
// capabilities. 0, EPERM, ENOSPC, ENOMEM.
int user_ns_enter_new(struct task *t, struct cred *c);
void user_ns_enter(struct cred *c, struct user_ns *u);  // setns(2): takes a reference

// Has c that capability over what belongs to u (NULL: the first)?
bool cred_ns_capable(const struct cred *c, const struct user_ns *u, int cap);
// Has `old` all that c may have: the same namespace and capabilities, or one that it made (Linux'
// cred_cap_issubset())?
bool cred_has_all_of(const struct cred *old, const struct cred *c);
bool task_ns_capable(const struct task *t, const struct user_ns *u, int cap);
bool task_capable_over(const struct task *t, const struct ns *n, int cap);  // over a namespace of any kind
bool task_own_capable(const struct task *t, int cap);                       // over its own user namespace
bool user_ns_is_in(const struct user_ns *u, const struct user_ns *outer);   // or is it

// Maps of the first namespace are NULL: nothing is looked up there.
const struct id_map *user_ns_uids(const struct user_ns *u);
const struct id_map *user_ns_gids(const struct user_ns *u);

// Numbers as they pass to and from t: in: ID_NONE when there is none; out: ID_OVERFLOW.
uint32_t task_uid_in(const struct task *t, uint32_t uid);
uint32_t task_gid_in(const struct task *t, uint32_t gid);
uint32_t task_uid_out(const struct task *t, uint32_t kuid);
uint32_t task_gid_out(const struct task *t, uint32_t kgid);
bool user_ns_may_setgroups(const struct task *t);
uint32_t cred_root(const struct cred *c);  // the kernel's number of its root; ID_NONE: it has none

// One more namespace of that kind, made in u: false, too many. n: whose end gives it back.
bool user_ns_charge(struct user_ns *u, enum ns_kind kind);
void user_ns_uncharge(struct user_ns *u, enum ns_kind kind);
#endif
