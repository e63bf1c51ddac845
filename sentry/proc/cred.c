// SPDX-License-Identifier: Apache-2.0
// Credentials: immutable once published on a task, replaced as a whole. Readers on other threads take
// tasks_lock and a reference.
#include "base/fault.h"
#include "fs/landlock.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
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
    landlock_put(c->landlock);
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
    landlock_get(c->landlock);
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

bool cred_same_rights(const struct cred *old, const struct cred *c) {
    return old->euid == c->euid && old->egid == c->egid && old->fsuid == c->fsuid && old->fsgid == c->fsgid &&
           cred_has_all_of(old, c);
}

void task_commit_cred(struct task *t, struct cred *c) {
    if (!cred_same_rights(t->cred, c)) {
        if (t->mm)  // a child's is its maker's still
            atomic_store(&t->mm->dumpable, 0);
        t->pdeath_signal = 0;
    }
    task_set_cred(t, c);
}

bool task_capable(const struct task *t, int cap) { return cred_ns_capable(t->cred, NULL, cap); }

// Heap sort: the C library's qsort() asks the host for its memory when there is much to sort.
static void sift_down(uint32_t *v, size_t at, size_t n) {
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && v[child + 1] > v[child])
            child++;
        if (v[at] >= v[child])
            return;
        uint32_t up = v[child];
        v[child] = v[at];
        v[at] = up;
    }
}

static void sort(uint32_t *v, size_t n) {
    for (size_t i = n / 2; i > 0; i--)
        sift_down(v, i - 1, n);
    while (n > 1) {
        uint32_t greatest = v[0];
        v[0] = v[--n];
        v[n] = greatest;
        sift_down(v, 0, n);
    }
}
void cred_sort_groups(struct cred *c) { sort(c->groups, c->ngroups); }
