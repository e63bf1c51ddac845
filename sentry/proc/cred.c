// SPDX-License-Identifier: Apache-2.0
// Credentials: immutable once published on a task, replaced as a whole. Readers on other threads take
// tasks_lock and a reference.
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/user_ns.h"
#include <stdlib.h>
#include <string.h>

struct cred *cred_get(struct cred *c) {
    ref_get(&c->refs);
    return c;
}

static void cred_free(struct cred *c) {
    user_ns_put(c->user);
    free(c);
}

void cred_put(struct cred *c) {
    if (c && ref_put(&c->refs))
        cred_free(c);
}

struct cred *cred_dup(const struct cred *old, unsigned ngroups) {
    struct cred *c = xcalloc(1, sizeof *c + ngroups * sizeof c->groups[0]);
    if (!c)
        return NULL;
    unsigned keep = 0;
    if (old) {
        keep = old->ngroups < ngroups ? old->ngroups : ngroups;
        memcpy(c, old, sizeof *c);
        memcpy(c->groups, old->groups, keep * sizeof c->groups[0]);
    }
    c->ngroups = ngroups;
    if (c->user)
        user_ns_get(c->user);
    ref_init(&c->refs, 1);
    return c;
}

void task_set_cred(struct task *t, struct cred *c) {
    struct cred *old;
    {
        LOCKED(&t->k->tasks_lock);
        old = t->cred;
        t->cred = c;
    }
    cred_put(old);
}

bool task_capable(const struct task *t, int cap) { return cred_ns_capable(t->cred, NULL, cap); }
