// SPDX-License-Identifier: Apache-2.0
// See pid_ns.h. A number of the kernel's that is in an inner namespace has a record of those that it has
// there, as long as a task, a group or a session is called by it.
#include "sentry/proc/pid_ns.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/user_ns.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/signal/signal.h"
#include <stdlib.h>

#define PID_NS_FIRST 0xeffffffcu  // the number of the first one, as Linux has it

struct pid_number {
    struct rb_node link;  // in ns->numbers, by nr
    struct pid_ns *ns;    // owned
    int32_t nr, pid;      // there, and the kernel's
};
struct pid_numbers {
    unsigned n;
    struct pid_number at[];  // by level, from 1
};

static void pid_ns_free(struct ns *n) {
    struct pid_ns *p = pid_ns_of(n);
    if (p->parent)
        ns_put(&p->parent->ns);
    free(p);
}

static struct pid_ns *pid_ns_new(struct kernel *k, uint64_t ino, struct ns *owner, struct pid_ns *parent) {
    struct pid_ns *p = znew(struct pid_ns);
    if (!p)
        return NULL;
    ns_init(&p->ns, NS_PID, k->vfs, ino, owner, pid_ns_free);
    p->k = k;
    p->parent = parent;
    p->level = parent ? parent->level + 1 : 0;
    if (parent)
        ns_get(&parent->ns);
    return p;
}

struct pid_ns *pid_ns_first(struct kernel *k) {
    return pid_ns_new(k, PID_NS_FIRST, &k->user_ns->ns, NULL);
}

int pid_ns_make(struct task *t, struct ns *owner, struct ns **out) {
    struct pid_ns *parent = pid_ns_of(t->nsproxy->of[NS_PID]);
    if (parent != t->tg->pid_ns || !user_ns_is_in(user_ns_of(owner), user_ns_of(parent->ns.owner)))
        return -LINUX_EINVAL;
    if (parent->level >= PID_NS_LEVELS)
        return -LINUX_ENOSPC;
    struct pid_ns *p = pid_ns_new(t->k, 0, owner, parent);
    if (!p)
        return -LINUX_ENOMEM;
    *out = &p->ns;
    return 0;
}

bool pid_ns_is_in(const struct pid_ns *p, const struct pid_ns *outer) {
    while (p && p != outer && p->level > outer->level)
        p = p->parent;
    return p == outer;
}

// ---- Numbers ----------------------------------------------------------------------------------------------
static struct pid_number *find_number(const struct pid_ns *ns, int32_t nr) {
    struct rb_node *n = ns->numbers.node;
    while (n) {
        struct pid_number *at = rb_entry(n, struct pid_number, link);
        if (at->nr == nr)
            return at;
        n = nr < at->nr ? n->left : n->right;
    }
    return NULL;
}

static void insert_number(struct pid_number *new) {
    struct rb_node *parent = NULL, **at = &new->ns->numbers.node;
    while (*at) {
        parent = *at;
        at = new->nr < rb_entry(parent, struct pid_number, link)->nr ? &parent->left : &parent->right;
    }
    rb_insert(&new->ns->numbers, &new->link, parent, at);
}

static int32_t free_number(const struct pid_ns *ns) {
    for (int32_t i = 1; i < PID_MAX; i++) {
        int32_t nr = ns->last + i;
        if (nr >= PID_MAX)
            nr = nr - PID_MAX + 2;
        if (!find_number(ns, nr))
            return nr;
    }
    return -LINUX_EAGAIN;
}

// `wanted`: 0 if any will do.
static int one_number(struct pid_number *x, struct pid_ns *ns, int32_t pid, int32_t wanted) {
    int32_t nr = wanted ? wanted : free_number(ns);
    if (nr < 0)
        return nr;
    if (ns->dead)
        return -LINUX_ENOMEM;
    if (!ns->init && nr != 1)
        return wanted ? -LINUX_EINVAL : -LINUX_ENOMEM;
    if (wanted && find_number(ns, nr))
        return -LINUX_EEXIST;
    *x = (struct pid_number){.ns = ns, .nr = nr, .pid = pid};
    ns_get(&ns->ns);
    insert_number(x);
    if (!wanted)
        ns->last = nr;
    return 0;
}

static void drop_numbers(struct pid_numbers *v) {
    while (v->n > 0) {
        struct pid_number *x = &v->at[--v->n];
        rb_erase(&x->ns->numbers, &x->link);
        ns_put(&x->ns->ns);
    }
    free(v);
}

int pid_give_numbers(struct pid_ns *ns, int32_t pid, const int32_t *wanted, unsigned n) {
    if (ns->level == 0)
        return 0;
    struct pid_numbers *v = xcalloc(1, sizeof *v + ns->level * sizeof v->at[0]);
    if (!v)
        return -LINUX_ENOMEM;
    struct pid_ns *at[PID_NS_LEVELS];
    for (struct pid_ns *p = ns; p->level > 0; p = p->parent)
        at[p->level - 1] = p;
    for (unsigned i = 0; i < ns->level; i++) {
        unsigned from_inside = ns->level - 1 - i;
        int err = one_number(&v->at[i], at[i], pid, from_inside < n ? wanted[from_inside] : 0);
        if (err < 0) {
            drop_numbers(v);
            return err;
        }
        v->n++;
    }
    ns->k->pid_numbers[pid] = v;
    return 0;
}

void pid_settle(struct kernel *k, int32_t pid) {
    struct pid_numbers *v = pid > 0 ? k->pid_numbers[pid] : NULL;
    if (!v || k->pids[pid] || k->tgs[pid] || pid_names_group(k, pid))
        return;
    k->pid_numbers[pid] = NULL;
    drop_numbers(v);
}

int32_t pid_out(const struct pid_ns *ns, int32_t pid) {
    if (ns->level == 0)
        return pid;
    const struct pid_numbers *v = pid > 0 && pid < PID_MAX ? ns->k->pid_numbers[pid] : NULL;
    return v && v->n >= ns->level && v->at[ns->level - 1].ns == ns ? v->at[ns->level - 1].nr : 0;
}

int32_t pid_in(const struct pid_ns *ns, int32_t nr) {
    if (ns->level == 0)
        return nr > 0 && nr < PID_MAX ? nr : 0;
    const struct pid_number *x = find_number(ns, nr);
    return x ? x->pid : 0;
}

int32_t pid_next(const struct pid_ns *ns, int32_t from, int32_t *pid) {
    const struct pid_number *best = NULL;
    if (ns->level == 0)
        return *pid = from < ns->k->pid_end ? from : -1;
    for (struct rb_node *n = ns->numbers.node; n;) {
        const struct pid_number *at = rb_entry(n, struct pid_number, link);
        if (at->nr >= from)
            best = at;
        n = at->nr >= from ? n->left : n->right;
    }
    *pid = best ? best->pid : 0;
    return best ? best->nr : -1;
}

unsigned pid_levels(const struct pid_ns *ns, int32_t pid, int32_t out[PID_NS_LEVELS + 1]) {
    const struct pid_numbers *v = pid > 0 ? ns->k->pid_numbers[pid] : NULL;
    unsigned n = 0;
    out[n++] = pid_out(ns, pid);
    for (unsigned i = ns->level; out[0] && v && i < v->n; i++)
        out[n++] = v->at[i].nr;
    return n;
}

// Its own number stays while it runs; but who reads it may do so as others get theirs.
int32_t task_pid_out(struct task *t, int32_t pid) {
    if (t->tg->pid_ns->level == 0)
        return pid;
    LOCKED(&t->k->tasks_lock);
    return pid_out(t->tg->pid_ns, pid);
}
int32_t task_pid_in(struct task *t, int32_t nr) {
    LOCKED(&t->k->tasks_lock);
    return pid_in(t->tg->pid_ns, nr);
}
int32_t task_vpid(const struct task *t) { return pid_out(t->tg->pid_ns, t->tg->pid); }
int32_t task_vtid(const struct task *t) { return pid_out(t->tg->pid_ns, t->tid); }

// ---- Life -------------------------------------------------------------------------------------------------
bool pid_ns_is_init(const struct tgroup *g) { return g->pid_ns->level > 0 && g->pid_ns->init == g; }

void pid_ns_joins(struct tgroup *g) {
    struct pid_ns *ns = g->pid_ns;
    if (ns->level > 0 && pid_out(ns, g->pid) == 1) {
        ns->init = g;
        g->unkillable = true;
    }
    for (struct pid_ns *p = ns; p->level > 0; p = p->parent)
        p->nprocs++;
}

// All that is in it, and below it, is to end; whoever ends it has no number in it.
static void end_all(struct pid_ns *ns) {
    struct kernel *k = ns->k;
    for (struct rb_node *n = rb_first(&ns->numbers); n; n = rb_next(n)) {
        struct tgroup *g = k->tgs[rb_entry(n, struct pid_number, link)->pid];
        if (!g || g == ns->init || g->state != TG_ALIVE)
            continue;
        LOCKED(&g->sig_lock);
        signal_kill_group(g);
    }
}

bool pid_ns_leaves(struct tgroup *g) {
    struct pid_ns *ns = g->pid_ns;
    for (struct pid_ns *p = ns; p->level > 0; p = p->parent)
        p->nprocs--;
    if (!pid_ns_is_init(g))
        return true;
    ns->dead = true;
    end_all(ns);
    return ns->nprocs == 0;
}

struct tgroup *pid_ns_waiting(struct tgroup *g) {
    for (struct pid_ns *p = g->pid_ns; p->level > 0; p = p->parent)
        if (p->dead && p->nprocs == 0 && p->init && p->init != g && p->init->state == TG_ALIVE)
            return p->init;
    return NULL;
}
