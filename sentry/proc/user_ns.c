// SPDX-License-Identifier: Apache-2.0
// See user_ns.h: the namespaces themselves, and what a capability holds over. The maps' files are in
// sentry/procfs/idmaps.c.
#include "sentry/proc/user_ns.h"
#include "fs/mnt_ns.h"
#include "abi/caps.h"
#include "base/fault.h"
#include "sentry/ipc/ipc_ns.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include <stdlib.h>

#define USER_NS_FIRST 0xeffffffdu  // the number of the first one, as Linux has it

static void user_ns_free(struct ns *n) {
    struct user_ns *u = user_ns_of(n);
    lock_destroy(&u->lock);
    free(u->uids.ranges);
    free(u->gids.ranges);
    free(u);
}

// Of mounts fewer: each may hold the next one by a bind, and they end one within the other.
#define MNT_NS_MOST 256
static uint32_t kind_most(int kind) {
    if (kind == NS_IPC)
        return IPC_NS_MOST;
    return kind == NS_MNT ? MNT_NS_MOST : NS_MOST;
}

static struct user_ns *user_ns_new(struct kernel *k, uint64_t ino, struct user_ns *parent) {
    struct user_ns *u = znew(struct user_ns);
    if (!u)
        return NULL;
    ns_init(&u->ns, NS_USER, k->vfs, ino, parent ? &parent->ns : NULL, user_ns_free);
    lock_init(&u->lock, RANK_OBJECT);
    u->level = parent ? parent->level + 1 : 0;
    for (int i = 0; i < NS_KINDS; i++)
        atomic_init(&u->most[i], kind_most(i));
    return u;
}

struct user_ns *user_ns_first(struct kernel *k) {
    struct user_ns *u = user_ns_new(k, USER_NS_FIRST, NULL);
    if (u)
        u->maker_may_setfcap = true;
    return u;
}

const struct id_map *user_ns_uids(const struct user_ns *u) { return u && u->level ? &u->uids : NULL; }
const struct id_map *user_ns_gids(const struct user_ns *u) { return u && u->level ? &u->gids : NULL; }

uint32_t task_uid_in(const struct task *t, uint32_t uid) {
    return idmap_in(user_ns_uids(t->cred->user), uid);
}
uint32_t task_gid_in(const struct task *t, uint32_t gid) {
    return idmap_in(user_ns_gids(t->cred->user), gid);
}
uint32_t task_uid_out(const struct task *t, uint32_t kuid) {
    return idmap_shown(user_ns_uids(t->cred->user), kuid);
}
uint32_t task_gid_out(const struct task *t, uint32_t kgid) {
    return idmap_shown(user_ns_gids(t->cred->user), kgid);
}
uint32_t cred_root(const struct cred *c) { return idmap_in(user_ns_uids(c->user), 0); }

// ---- How many ---------------------------------------------------------------------------------------------
void user_ns_uncharge(struct user_ns *u, enum ns_kind kind) {
    for (; u; u = user_ns_parent(u))
        atomic_fetch_sub(&u->made[kind], 1);
}

// Of one and all that it lies in: a namespace does not get around a limit by making one more.
bool user_ns_charge(struct user_ns *u, enum ns_kind kind) {
    for (struct user_ns *at = u; at; at = user_ns_parent(at)) {
        uint32_t most = atomic_load(&at->most[kind]);
        if (at->level == 0 && most > kind_most(kind))
            most = kind_most(kind);  // the sandbox's own bound
        if (atomic_fetch_add(&at->made[kind], 1) < most)
            continue;
        for (struct user_ns *back = u;; back = user_ns_parent(back)) {
            atomic_fetch_sub(&back->made[kind], 1);
            if (back == at)
                return false;
        }
    }
    return true;
}

// ---- Capabilities -----------------------------------------------------------------------------------------
bool user_ns_is_in(const struct user_ns *u, const struct user_ns *outer) {
    while (u && u != outer && u->level > outer->level)
        u = user_ns_parent(u);
    return u == outer;
}

// Who made a namespace, and is in the one around it, has all in it.
static bool is_maker(const struct cred *c, const struct user_ns *u) {
    for (; u->level > c->user->level; u = user_ns_parent(u))
        if (user_ns_parent(u) == c->user && u->uid == c->euid)
            return true;
    return false;
}

bool cred_has_all_of(const struct cred *old, const struct cred *c) {
    if (old->user == c->user)
        return !(c->cap_permitted & ~old->cap_permitted);
    return is_maker(old, c->user);
}

// As cap_capable() of Linux.
bool cred_ns_capable(const struct cred *c, const struct user_ns *u, int cap) {
    if (!u)  // what belongs to nobody's is the first one's
        return c->user->level == 0 && (c->cap_effective >> cap & 1);
    return is_maker(c, u) || (user_ns_is_in(u, c->user) && (c->cap_effective >> cap & 1));
}

bool task_ns_capable(const struct task *t, const struct user_ns *u, int cap) {
    return cred_ns_capable(t->cred, u, cap);
}

bool task_capable_over(const struct task *t, const struct ns *n, int cap) {
    return cred_ns_capable(t->cred, user_ns_of(n->kind == NS_USER ? (struct ns *)n : n->owner), cap);
}

bool task_own_capable(const struct task *t, int cap) { return t->cred->cap_effective >> cap & 1; }

// Not before the map is there, nor where it was given up for the right to write that.
bool user_ns_may_setgroups(const struct task *t) {
    struct user_ns *u = t->cred->user;
    bool mapped = !u->level || atomic_load_explicit(&u->gids.n, memory_order_acquire);
    return task_own_capable(t, LINUX_CAP_SETGID) && mapped && !atomic_load(&u->setgroups_denied);
}

// ---- New ones ---------------------------------------------------------------------------------------------
void user_ns_enter(struct cred *c, struct user_ns *u) {
    user_ns_get(u);
    user_ns_put(c->user);
    c->user = u;
    c->securebits = 0;
    c->cap_inheritable = c->cap_ambient = 0;
    c->cap_permitted = c->cap_effective = c->cap_bounding = LINUX_CAP_ALL;
}

// A root of its own that is not the namespace's: what is above could be reached with the new capabilities.
static bool is_chrooted(struct task *t) {
    struct mnt_ns *ns = fs_ctx_ns(t->fs);
    struct path root;
    {
        LOCKED(&t->fs->lock);
        root = t->fs->root;
        path_get(&root);
    }
    bool is = !vfs_is_root_of(ns, &root);
    path_put(&root);
    mnt_ns_put(ns);
    return is;
}

int user_ns_enter_new(struct task *t, struct cred *c) {
    struct user_ns *parent = c->user;
    if (parent->level > USER_NS_LEVELS || !user_ns_charge(parent, NS_USER))
        return -LINUX_ENOSPC;
    int err = -LINUX_EPERM;
    struct user_ns *u = NULL;
    if (!is_chrooted(t) && idmap_out(user_ns_uids(parent), c->euid) != ID_NONE &&
        idmap_out(user_ns_gids(parent), c->egid) != ID_NONE) {
        u = user_ns_new(t->k, 0, parent);
        err = -LINUX_ENOMEM;
    }
    if (!u) {
        user_ns_uncharge(parent, NS_USER);
        return err;
    }
    u->ns.charged = true;
    u->uid = c->euid;
    u->gid = c->egid;
    u->maker_may_setfcap = c->cap_effective >> LINUX_CAP_SETFCAP & 1;
    user_ns_enter(c, u);
    user_ns_put(u);  // c has its own
    return 0;
}
