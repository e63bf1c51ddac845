// SPDX-License-Identifier: Apache-2.0
// See nsproxy.h.
#include "sentry/proc/nsproxy.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/user_ns.h"
#include "sentry/proc/uts_ns.h"
#include <stdlib.h>

struct nsproxy *nsproxy_get(struct nsproxy *p) {
    ref_get(&p->refs);
    return p;
}

void nsproxy_put(struct nsproxy *p) {
    if (!p || !ref_put(&p->refs))
        return;
    for (int i = 0; i < NS_KINDS; i++)
        ns_put(p->of[i]);
    ns_put(p->time_for_children);
    free(p);
}

static void own(struct nsproxy *p, enum ns_kind kind, struct ns *n) {
    if (n)
        p->of[kind] = ns_get(n);
}

struct nsproxy *nsproxy_copy(const struct nsproxy *old) {
    struct nsproxy *p = znew(struct nsproxy);
    if (!p)
        return NULL;
    ref_init(&p->refs, 1);
    for (int i = 0; i < NS_KINDS; i++)
        own(p, i, old->of[i]);
    p->time_for_children = ns_get(old->time_for_children);
    return p;
}

struct nsproxy *nsproxy_first(struct kernel *k) {
    struct nsproxy *p = znew(struct nsproxy);
    if (!p)
        return NULL;
    ref_init(&p->refs, 1);
    own(p, NS_UTS, &k->uts->ns);
    own(p, NS_IPC, &k->ipc.ns);
    own(p, NS_NET, &k->net.ns);
    own(p, NS_PID, &k->pid_ns->ns);
    own(p, NS_CGROUP, k->cgroup_ns);
    own(p, NS_TIME, k->time_ns);
    p->time_for_children = ns_get(k->time_ns);
    return p;
}

void nsproxy_set(struct nsproxy *p, enum ns_kind kind, struct ns *n) {
    ns_put(p->of[kind]);
    p->of[kind] = n;
}

void nsproxy_set_time_for_children(struct nsproxy *p, struct ns *n) {
    ns_put(p->time_for_children);
    p->time_for_children = n;
}

void task_set_nsproxy(struct task *t, struct nsproxy *p) {
    struct nsproxy *old;
    {
        LOCKED(&t->k->tasks_lock);
        old = t->nsproxy;
        t->nsproxy = p;
    }
    nsproxy_put(old);
}

struct uts_ns *task_uts(const struct task *t) {
    return (struct uts_ns *)t->nsproxy->of[NS_UTS];
}
struct ipc_ns *task_ipc(const struct task *t) {
    return (struct ipc_ns *)t->nsproxy->of[NS_IPC];
}
struct net_ns *task_net(const struct task *t) {
    return (struct net_ns *)t->nsproxy->of[NS_NET];
}

static struct ns *borrow_ns(struct task *t, enum ns_kind kind) {
    switch (kind) {
    case NS_USER:
        return &t->cred->user->ns;
    case NS_PID:
        return &t->tg->pid_ns->ns;
    case NS_MNT:
        return t->fs ? &t->fs->ns->ns : NULL;
    default:
        return t->nsproxy ? t->nsproxy->of[kind] : NULL;
    }
}

struct ns *task_ns(struct task *t, enum ns_kind kind) {
    LOCKED(&t->k->tasks_lock);
    if (kind == NS_MNT && t->fs) {
        LOCKED(&t->fs->lock);
        return ns_get(&t->fs->ns->ns);
    }
    struct ns *n = borrow_ns(t, kind);
    return n ? ns_get(n) : NULL;
}

struct ns *task_ns_for_children(struct task *t, enum ns_kind kind) {
    LOCKED(&t->k->tasks_lock);
    if (!t->nsproxy)
        return NULL;
    return ns_get(kind == NS_TIME ? t->nsproxy->time_for_children : t->nsproxy->of[kind]);
}
