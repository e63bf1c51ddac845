// SPDX-License-Identifier: Apache-2.0
// See cgroup.h. A count goes up the tree to the top, whose own is the kernel's, so that it costs as much as a
// group is deep. Processes are found by their numbers: groups have no lists of them.
// LIMIT: controllers of groups that guests make: pids, and cpu, whose weight and quota are kept and have no
// effect; no memory, io, cpuset. No frozen groups, no threaded ones, none of version 1.
#include "sentry/cgroup/cgroup.h"
#include "abi/poll.h"
#include "base/budget.h"
#include "base/fault.h"
#include "fs/vfs.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/run/run.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/signal/signal.h"
#include "sentry/time/cpu_timers.h"
#include <stdio.h>
#include <string.h>

#define CGROUP_BYTES  2048u  // what one is charged, with its inodes
#define USUAL_PERIOD  100000u
#define USUAL_WEIGHT  100u

// ---- Life -------------------------------------------------------------------------------------------------
static struct cgroup *cgroup_new(struct kernel *k, const char *name, uint64_t charged) {
    if (!budget_take(vfs_buffers(k->vfs), charged))
        return NULL;
    struct cgroup *g = znew(struct cgroup);
    if (!g || !(g->name = xstrdup(name))) {
        free(g);
        budget_give(vfs_buffers(k->vfs), charged);
        return NULL;
    }
    ref_init(&g->refs, 1);
    g->k = k;
    list_init(&g->children);
    list_init(&g->sibling);
    waitq_init(&g->changed);
    g->id = inode_next_ino(k->vfs);
    g->member = task_current ? task_current->tg->member : 0;
    g->pids_max = g->cpu_quota = CGROUP_NO_LIMIT;
    g->cpu_period = USUAL_PERIOD;
    g->cpu_weight = USUAL_WEIGHT;
    return g;
}
static void set_owner(struct cgroup *g, uint32_t mode, uint32_t uid, uint32_t gid) {
    for (unsigned i = 0; i < CGROUP_OWNED; i++)
        g->own[i] = (struct cgroup_owner){i == CGROUP_DIR ? mode & 07777 : 0644, uid, gid};
}
struct cgroup *cgroup_top(struct kernel *k) {
    struct cgroup *g = cgroup_new(k, "", 0);
    if (!g)
        return NULL;
    set_owner(g, 0755, 0, 0);
    g->enabled = 0;
    return g;
}
struct cgroup *cgroup_get(struct cgroup *g) {
    ref_get(&g->refs);
    return g;
}
void cgroup_put(struct cgroup *g) {
    while (g && ref_put(&g->refs)) {
        struct cgroup *parent = g->parent;
        if (g != g->k->cgroup)  // the top is not charged, and goes when there is no vfs any more
            budget_give(vfs_buffers(g->k->vfs), CGROUP_BYTES);
        waitq_destroy(&g->changed);
        free(g->name);
        free(g);
        g = parent;
    }
}
static struct cgroup *group_of(const struct tgroup *g) { return g->cgroup.in ? g->cgroup.in : g->k->cgroup; }
struct cgroup *cgroup_of(struct tgroup *g) {
    LOCKED(&g->k->tasks_lock);
    return cgroup_get(group_of(g));
}

bool cgroup_is_shown(const struct cgroup *g) {
    return !task_current || g->member == task_current->tg->member;
}
static struct cgroup *find(struct cgroup *parent, const char *name) {
    struct cgroup *g;
    list_for_each(g, &parent->children, sibling)
        if (cgroup_is_shown(g) && !strcmp(g->name, name))
            return g;
    return NULL;
}
struct cgroup *cgroup_child(struct cgroup *parent, const char *name) {
    LOCKED(&parent->k->tasks_lock);
    struct cgroup *g = find(parent, name);
    return g ? cgroup_get(g) : NULL;
}
static int link_child(struct cgroup *parent, struct cgroup *g) {
    LOCKED(&parent->k->tasks_lock);
    if (parent->dead)
        return -LINUX_ENODEV;
    if (find(parent, g->name))
        return -LINUX_EEXIST;
    g->parent = cgroup_get(parent);
    g->depth = parent->depth + 1;
    g->id = inode_next_ino(g->k->vfs);
    list_add_tail(&parent->children, &g->sibling);
    cgroup_get(g);  // its name's
    return 0;
}
int cgroup_mkdir(struct cgroup *parent, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
                struct cgroup **out) {
    if (parent->depth + 1 >= CGROUP_DEPTH_MAX)
        return -LINUX_EAGAIN;
    struct cgroup *g = cgroup_new(parent->k, name, CGROUP_BYTES);
    if (!g)
        return -LINUX_ENOMEM;
    set_owner(g, mode, uid, gid);
    int err = link_child(parent, g);
    if (err) {
        cgroup_put(g);
        return err;
    }
    *out = g;
    return 0;
}
int cgroup_rmdir(struct cgroup *g) {
    {
        LOCKED(&g->k->tasks_lock);
        if (g->dead)
            return -LINUX_ENODEV;
        if (!g->parent || g->nprocs || !list_empty(&g->children))
            return -LINUX_EBUSY;
        g->dead = true;
        list_del(&g->sibling);
    }
    waitq_wake(&g->changed, ~0u);
    cgroup_put(g);
    return 0;
}
bool cgroup_is_within(const struct cgroup *g, const struct cgroup *top) {
    for (; g; g = g->parent)
        if (g == top)
            return true;
    return false;
}
unsigned cgroup_available(const struct cgroup *g) { return g->parent ? g->parent->enabled : CGROUP_SERVED; }

// ---- Counts -----------------------------------------------------------------------------------------------
bool cgroup_has_room(struct cgroup *g) {
    for (; g->parent; g = g->parent)
        if (g->ntasks >= g->pids_max) {
            g->pids_refused++;
            return false;
        }
    return true;
}
static void count(struct cgroup *g, int tasks) {
    for (; g->parent; g = g->parent) {
        g->ntasks += (unsigned)tasks;
        g->peak = g->ntasks > g->peak ? g->ntasks : g->peak;
    }
}
void cgroup_count(struct tgroup *g, int tasks) {
    g->cgroup.tasks += (unsigned)tasks;
    count(group_of(g), tasks);
}
// cgroup.events changes where the first one comes or the last one goes.
static void populate(struct cgroup *g, int procs) {
    if (g->parent)
        g->nprocs += (unsigned)procs;
    for (; g->parent; g = g->parent) {
        bool was = g->populated;
        g->populated += (unsigned)procs;
        if (was == (g->populated != 0))
            continue;
        g->changes++;
        waitq_wake(&g->changed, LINUX_POLLPRI | LINUX_POLLERR);
    }
}
void cgroup_born(struct tgroup *g) { populate(group_of(g), 1); }
static void settle_cpu(struct tgroup *g, uint64_t used) {
    uint64_t more = used > g->cgroup.cpu_base ? used - g->cgroup.cpu_base : 0;
    for (struct cgroup *c = group_of(g); c->parent; c = c->parent)
        c->cpu_ns += more;
    g->cgroup.cpu_base = used;
}
void cgroup_ended(struct tgroup *g) {
    settle_cpu(g, g->cpu_ns_dead);
    populate(group_of(g), -1);
}
void cgroup_reaped(struct tgroup *g) { cgroup_count(g, -(int)g->cgroup.tasks); }

int cgroup_may_hold(const struct cgroup *g) {
    if (g->dead)
        return -LINUX_ENODEV;
    return g->parent && g->enabled ? -LINUX_EBUSY : 0;
}
static bool is_living(const struct tgroup *g) { return g->state == TG_ALIVE && !list_empty(&g->tasks); }
void cgroup_move(struct tgroup *g, struct cgroup *to, struct cgroup **was) {
    bool living = is_living(g);
    unsigned tasks = g->cgroup.tasks;
    settle_cpu(g, living ? tgroup_cpu_ns(g) : g->cpu_ns_dead);
    populate(to, living);
    count(to, (int)tasks);
    populate(group_of(g), -(int)living);
    count(group_of(g), -(int)tasks);
    *was = g->cgroup.in;
    g->cgroup.in = to->parent ? cgroup_get(to) : NULL;
}
uint64_t cgroup_cpu_ns(const struct cgroup *c) {
    uint64_t ns = c->cpu_ns;
    for (int32_t pid = 1; pid < c->k->pid_end; pid++) {
        struct tgroup *g = c->k->tgs[pid];
        if (!g || !is_living(g) || !cgroup_is_within(group_of(g), c))
            continue;
        uint64_t used = tgroup_cpu_ns(g);
        ns += used > g->cgroup.cpu_base ? used - g->cgroup.cpu_base : 0;
    }
    return ns;
}
uint64_t cgroup_memory(const struct cgroup *c) {
    uint64_t bytes = 0;
    for (int32_t pid = 1; pid < c->k->pid_end; pid++) {
        const struct tgroup *g = c->k->tgs[pid];
        if (g && g->leader && g->leader->mm && cgroup_is_within(group_of(g), c))
            bytes += g->leader->mm->data;
    }
    return bytes;
}
void cgroup_kill_all(struct cgroup *c) {
    for (int32_t pid = 1; pid < c->k->pid_end; pid++) {
        struct tgroup *g = c->k->tgs[pid];
        if (g && g->state == TG_ALIVE && cgroup_is_within(group_of(g), c))
            signal_kill(g);
    }
}

// ---- Who may ----------------------------------------------------------------------------------------------
int cgroup_permission(const struct cgroup *g, enum cgroup_owned which, const struct vfs_cred *c) {
    const struct cgroup_owner *o = &g->own[which];
    struct inode i = {.type = LINUX_S_IFREG,
                      .attr = {.mode = LINUX_S_IFREG | o->mode, .uid = o->uid, .gid = o->gid}};
    return vfs_mode_permission(&i, MAY_WRITE, c);
}
static struct cgroup *common(struct cgroup *a, struct cgroup *b) {
    while (!cgroup_is_within(b, a))
        a = a->parent;
    return a;
}
// Who moves one within a tree that was given to it may; out of it, or into it, takes its owner. Nobody sees
// what is outside of its namespace.
int cgroup_may_move(struct task *t, const struct vfs_cred *c, struct cgroup *from, struct cgroup *to) {
    const struct cgroup_ns *ns = container_of(t->nsproxy->of[NS_CGROUP], struct cgroup_ns, ns);
    int err = cgroup_permission(common(from, to), CGROUP_PROCS, c);
    if (err)
        return err;
    return cgroup_is_within(from, ns->root) && cgroup_is_within(to, ns->root) ? 0 : -LINUX_ENOENT;
}

// ---- As text ----------------------------------------------------------------------------------------------
// "/a/b"; from another tree with "..", cgroup_namespaces(7).
int cgroup_text(const struct cgroup *g, const struct cgroup *root, char *buf, size_t size) {
    const struct cgroup *way[CGROUP_DEPTH_MAX];
    size_t n = 0, len = 0;
    buf[0] = '\0';
    for (; !cgroup_is_within(g, root); root = root->parent)
        len += (size_t)snprintf(buf + len, size - len, "/..");
    for (const struct cgroup *c = g; c != root; c = c->parent)
        way[n++] = c;
    while (n > 0 && len < size)
        len += (size_t)snprintf(buf + len, size - len, "/%s", way[--n]->name);
    if (len == 0)
        len = (size_t)snprintf(buf, size, "/");
    if (g->dead && len < size)
        len += (size_t)snprintf(buf + len, size - len, " (deleted)");
    return len < size ? 0 : -LINUX_ENAMETOOLONG;
}

// ---- Namespaces -------------------------------------------------------------------------------------------
static void ns_free(struct ns *n) {
    struct cgroup_ns *ns = container_of(n, struct cgroup_ns, ns);
    cgroup_put(ns->root);
    free(ns);
}
struct cgroup_ns *cgroup_ns_new(struct vfs *v, uint64_t ino, struct ns *owner, struct cgroup *root) {
    struct cgroup_ns *ns = znew(struct cgroup_ns);
    if (!ns)
        return NULL;
    ns_init(&ns->ns, NS_CGROUP, v, ino, owner, ns_free);
    ns->root = cgroup_get(root);
    return ns;
}
int cgroup_ns_make(struct task *t, struct ns *owner, struct ns **out) {
    struct cgroup *root = cgroup_of(t->tg);
    struct cgroup_ns *ns = cgroup_ns_new(t->k->vfs, 0, owner, root);
    cgroup_put(root);
    if (!ns)
        return -LINUX_ENOMEM;
    *out = &ns->ns;
    return 0;
}
struct cgroup *cgroup_root_for(struct task *t) {
    struct ns *n = task_ns(t, NS_CGROUP);
    struct cgroup *root = cgroup_get(n ? container_of(n, struct cgroup_ns, ns)->root : t->k->cgroup);
    if (n)
        ns_put(n);
    return root;
}
