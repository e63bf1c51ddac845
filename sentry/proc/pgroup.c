// SPDX-License-Identifier: Apache-2.0
// See pgroup.h. A group lives as long as it has members, a session as long as it has groups.
#include "sentry/proc/pgroup.h"
#include "base/fault.h"
#include "sentry/proc/jobctl.h"
#include "sentry/proc/pid_ns.h"
#include <stdlib.h>

struct pgroup *pgroup_find(struct kernel *k, int32_t pgid) {
    struct pgroup *p;
    list_for_each(p, &k->pgroups, link)
        if (p->pgid == pgid)
            return p;
    return NULL;
}

static struct session *session_find(struct kernel *k, int32_t sid) {
    struct session *s;
    list_for_each(s, &k->sessions, link)
        if (s->sid == sid)
            return s;
    return NULL;
}

bool pid_names_group(struct kernel *k, int32_t pid) { return pgroup_find(k, pid) || session_find(k, pid); }

static void pgroup_put(struct kernel *k, struct pgroup *p) {
    if (!ref_put(&p->refs))
        return;
    struct session *s = p->session;
    int32_t pgid = p->pgid, sid = s->sid;
    list_del(&p->link);
    free(p);
    if (ref_put(&s->refs)) {
        jobctl_disassociate(s);
        list_del(&s->link);
        free(s);
        pid_settle(k, sid);
    }
    pid_settle(k, pgid);
}

void tgroup_leave(struct tgroup *g) {
    if (!g->pgrp)
        return;
    list_del(&g->pgrp_link);
    pgroup_put(g->k, g->pgrp);
    g->pgrp = NULL;
}

void tgroup_join(struct tgroup *g, struct pgroup *p) {
    ref_get(&p->refs);
    tgroup_leave(g);
    g->pgrp = p;
    list_add_tail(&p->members, &g->pgrp_link);
}

// A new, empty group with one reference. The session's reference is taken over on success.
static struct pgroup *pgroup_new(struct kernel *k, int32_t pgid, struct session *s) {
    struct pgroup *p = znew(struct pgroup);
    if (!p)
        return NULL;
    ref_init(&p->refs, 1);
    p->pgid = pgid;
    p->session = s;
    list_init(&p->members);
    list_add_tail(&k->pgroups, &p->link);
    return p;
}

int tgroup_setsid(struct tgroup *g) {
    struct kernel *k = g->k;
    if (pgroup_find(k, g->pid) || session_find(k, g->pid))
        return -LINUX_EPERM;
    struct session *s = znew(struct session);
    if (!s)
        return -LINUX_ENOMEM;
    struct pgroup *p = pgroup_new(k, g->pid, s);
    if (!p) {
        free(s);
        return -LINUX_ENOMEM;
    }
    ref_init(&s->refs, 1);
    s->sid = g->pid;
    list_add_tail(&k->sessions, &s->link);
    tgroup_join(g, p);
    pgroup_put(k, p);
    return g->pid;
}

// 0 names the caller; NULL: nobody has the number.
static struct tgroup *named_by(struct tgroup *caller, int32_t pid) {
    if (pid == 0)
        return caller;
    return pid < PID_MAX ? caller->k->tgs[pid] : NULL;
}

int tgroup_setpgid(struct tgroup *caller, int32_t pid, int32_t pgid) {
    struct kernel *k = caller->k;
    if (pid < 0 || pgid < 0)
        return -LINUX_EINVAL;
    struct tgroup *g = named_by(caller, pid);
    if (!g || g->state != TG_ALIVE)
        return -LINUX_ESRCH;
    if (g != caller) {
        if (g->parent != caller)
            return -LINUX_ESRCH;
        if (g->pgrp->session != caller->pgrp->session)
            return -LINUX_EPERM;
        if (g->did_exec)
            return -LINUX_EACCES;
    }
    if (g->pgrp->session->sid == g->pid)
        return -LINUX_EPERM;
    if (pgid == 0)
        pgid = g->pid;
    if (g->pgrp->pgid == pgid)
        return 0;
    struct pgroup *p = pgroup_find(k, pgid);
    if (p) {
        if (p->session != g->pgrp->session)
            return -LINUX_EPERM;
        tgroup_join(g, p);
        return 0;
    }
    if (pgid != g->pid)
        return -LINUX_EPERM;
    p = pgroup_new(k, pgid, g->pgrp->session);
    if (!p)
        return -LINUX_ENOMEM;
    ref_get(&p->session->refs);
    tgroup_join(g, p);
    pgroup_put(k, p);
    return 0;
}

bool pgroup_orphaned(struct pgroup *p, const struct tgroup *except) {
    struct tgroup *g;
    list_for_each(g, &p->members, pgrp_link) {
        const struct tgroup *parent = g->parent;
        if (g != except && g->state == TG_ALIVE && jobctl_continued_outside(g))
            return false;
        if (g == except || g->state != TG_ALIVE || !parent || !parent->pgrp)
            continue;
        if (parent->pgrp != p && parent->pgrp->session == p->session)
            return false;
    }
    return true;
}
