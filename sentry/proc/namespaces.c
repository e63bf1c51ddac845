// SPDX-License-Identifier: Apache-2.0
// See namespaces.h. First all that is asked for is made, then nothing can fail: a task is in all of its new
// namespaces or in none.
#include "sentry/proc/namespaces.h"
#include "fs/mnt_ns.h"
#include "abi/caps.h"
#include "abi/sched.h"
#include "base/fault.h"
#include "sentry/ipc/ipc_ns.h"
#include "sentry/ipc/sem.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/user_ns.h"
#include "sentry/proc/uts_ns.h"
#include "sentry/time/time_ns.h"
#include <stdlib.h>
#include <string.h>

// ---- The machine's names ----------------------------------------------------------------------------------
static void uts_ns_free(struct ns *n) { free((struct uts_ns *)n); }

struct uts_ns *uts_ns_new(struct vfs *v, uint64_t ino, struct ns *owner) {
    struct uts_ns *u = znew(struct uts_ns);
    if (!u)
        return NULL;
    ns_init(&u->ns, NS_UTS, v, ino, owner, uts_ns_free);
    memcpy(u->domainname, "(none)", sizeof "(none)");
    return u;
}

static int new_uts(struct task *t, struct ns *owner, struct ns **out) {
    struct uts_ns *u = uts_ns_new(t->k->vfs, 0, owner);
    if (!u)
        return -LINUX_ENOMEM;
    LOCKED(&t->k->tasks_lock);
    const struct uts_ns *old = task_uts(t);
    memcpy(u->hostname, old->hostname, sizeof u->hostname);
    memcpy(u->domainname, old->domainname, sizeof u->domainname);
    *out = &u->ns;
    return 0;
}

// ---- All kinds --------------------------------------------------------------------------------------------
// How a new one comes from what t has; NULL: not served.
static int (*const makers[NS_KINDS])(struct task *t, struct ns *owner, struct ns **out) = {
    [NS_UTS] = new_uts,           [NS_PID] = pid_ns_make, [NS_IPC] = ipc_ns_make,
    [NS_CGROUP] = cgroup_ns_make, [NS_NET] = net_ns_make, [NS_TIME] = time_ns_make,
};

static bool is_served(uint64_t flags) {
    for (int i = 0; i < NS_KINDS; i++)
        if ((flags & ns_kind_flag(i)) && !makers[i] && i != NS_USER && i != NS_MNT)
            return false;
    return true;
}

static int make_one(struct task *t, struct nsproxy *p, enum ns_kind kind, struct user_ns *owner) {
    struct ns *n;
    if (!user_ns_charge(owner, kind))
        return -LINUX_ENOSPC;
    int err = makers[kind](t, &owner->ns, &n);
    if (err < 0) {
        user_ns_uncharge(owner, kind);
        return err;
    }
    n->charged = true;
    if (kind == NS_TIME)
        nsproxy_set_time_for_children(p, n);
    else
        nsproxy_set(p, kind, n);
    return 0;
}

// What is to be put on a task as a whole.
struct new_set {
    struct cred *cred;      // owned; NULL: as it is
    struct nsproxy *proxy;  // the same
};

static void drop_set(struct new_set *s) {
    if (s->cred)
        cred_put(s->cred);
    nsproxy_put(s->proxy);
}

static bool is_alone(struct task *t) { return atomic_load(&t->tg->nalive) == 1; }

static void put_set(struct task *t, struct new_set *s) {
    if (s->cred)
        task_commit_cred(t, s->cred);
    if (s->proxy && t->nsproxy && s->proxy->of[NS_IPC] != t->nsproxy->of[NS_IPC] &&
        atomic_load(&t->state) != TASK_NEW && is_alone(t))
        sem_exit(t->tg, task_ipc(t));  // what it was to undo there, it does now
    if (s->proxy)
        task_set_nsproxy(t, s->proxy);
}

static int make_proxy(struct task *t, uint64_t flags, struct user_ns *owner, struct nsproxy **out) {
    struct nsproxy *p = nsproxy_copy(t->nsproxy);
    int err = p ? 0 : -LINUX_ENOMEM;
    for (int i = 0; err == 0 && i < NS_KINDS; i++)
        if ((flags & ns_kind_flag(i)) && makers[i])
            err = make_one(t, p, i, owner);
    if (err < 0)
        nsproxy_put(p);
    else
        *out = p;
    return err;
}

// A user namespace first: it owns the others.
static int make_set(struct task *t, uint64_t flags, struct new_set *s) {
    if (!is_served(flags))
        return -LINUX_EPERM;
    int err = 0;
    if (flags & LINUX_CLONE_NEWUSER) {
        s->cred = cred_dup(t->cred, t->cred->ngroups);
        err = s->cred ? user_ns_enter_new(t, s->cred) : -LINUX_ENOMEM;
    }
    const struct cred *c = s->cred ? s->cred : t->cred;
    uint64_t others = flags & LINUX_CLONE_NS_FLAGS & ~LINUX_CLONE_NEWUSER;
    if (err == 0 && others && !cred_ns_capable(c, c->user, LINUX_CAP_SYS_ADMIN))
        err = -LINUX_EPERM;
    if (err == 0 && (others & ~LINUX_CLONE_NEWNS))
        err = make_proxy(t, others, c->user, &s->proxy);
    if (err < 0)
        drop_set(s);
    return err;
}

// fs: a place that is the task's alone.
static int make_and_put(struct task *t, struct task *c, uint64_t flags) {
    struct new_set s = {0};
    if (!(flags & LINUX_CLONE_NS_FLAGS))
        return 0;
    int err = make_set(t, flags, &s);
    if (err < 0)
        return err;
    if (flags & LINUX_CLONE_NEWNS)
        err = fs_ctx_new_ns(c->fs, s.cred ? s.cred->user : t->cred->user);
    if (err < 0) {
        drop_set(&s);
        return err;
    }
    put_set(c, &s);
    return 0;
}

int namespaces_for_child(struct task *t, struct task *c, uint64_t flags) {
    int err = make_and_put(t, c, flags);
    return err < 0 || (flags & LINUX_CLONE_VM) ? err : time_ns_enter_children(c);
}
int namespaces_unshare(struct task *t, uint64_t flags) { return make_and_put(t, t, flags); }

// ---- setns ------------------------------------------------------------------------------------------------
static bool has_own_place(struct task *t) {
    LOCKED(&t->k->tasks_lock);
    return ref_read(&t->fs->refs) == 1;
}

// May t, with the credentials that it is going to have, enter n? As the install functions of Linux.
static int may_enter(struct task *t, const struct cred *c, const struct ns *n) {
    const struct user_ns *owner = user_ns_of(n->owner);
    if (!cred_ns_capable(c, owner, LINUX_CAP_SYS_ADMIN) || !cred_ns_capable(c, c->user, LINUX_CAP_SYS_ADMIN))
        return -LINUX_EPERM;
    switch (n->kind) {
    case NS_MNT:
        if (!cred_ns_capable(c, c->user, LINUX_CAP_SYS_CHROOT))
            return -LINUX_EPERM;
        return has_own_place(t) ? 0 : -LINUX_EINVAL;
    case NS_PID:
        return pid_ns_is_in((const struct pid_ns *)n, t->tg->pid_ns) ? 0 : -LINUX_EINVAL;
    case NS_TIME:
        return is_alone(t) ? 0 : -LINUX_EUSERS;
    default:
        return 0;
    }
}

static int enter_user(struct task *t, struct ns *n, struct new_set *s) {
    struct user_ns *u = user_ns_of(n);
    if (u == t->cred->user || !is_alone(t) || !has_own_place(t))
        return -LINUX_EINVAL;
    if (!task_ns_capable(t, u, LINUX_CAP_SYS_ADMIN))
        return -LINUX_EPERM;
    s->cred = cred_dup(t->cred, t->cred->ngroups);
    if (!s->cred)
        return -LINUX_ENOMEM;
    user_ns_enter(s->cred, u);
    return 0;
}

static int prepare_entry(struct task *t, struct ns *const wanted[], struct new_set *s) {
    int err = wanted[NS_USER] ? enter_user(t, wanted[NS_USER], s) : 0;
    for (int i = NS_USER + 1; err == 0 && i < NS_KINDS; i++)
        if (wanted[i])
            err = may_enter(t, s->cred ? s->cred : t->cred, wanted[i]);
    for (int i = NS_MNT + 1; err == 0 && i < NS_KINDS; i++) {
        if (!wanted[i])
            continue;
        if (!s->proxy && !(s->proxy = nsproxy_copy(t->nsproxy)))
            return -LINUX_ENOMEM;
        nsproxy_set(s->proxy, i, ns_get(wanted[i]));
        if (i == NS_TIME) {
            time_ns_freeze(wanted[i]);
            nsproxy_set_time_for_children(s->proxy, ns_get(wanted[i]));
        }
    }
    return err;
}

int namespaces_enter(struct task *t, struct ns *const wanted[]) {
    struct new_set s = {0};
    struct path root cleanup_path = {0};
    int err = prepare_entry(t, wanted, &s);
    if (err == 0 && wanted[NS_MNT]) {
        root = mnt_ns_root((struct mnt_ns *)wanted[NS_MNT]);
        err = root.mnt ? 0 : -LINUX_EINVAL;
    }
    if (err < 0) {
        drop_set(&s);
        return err;
    }
    if (wanted[NS_MNT])
        fs_ctx_enter(t->fs, (struct mnt_ns *)wanted[NS_MNT], &root);
    put_set(t, &s);
    return 0;
}
