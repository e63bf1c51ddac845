// SPDX-License-Identifier: Apache-2.0
// From a node to the objects that it is about, and who may see them. Everything is looked up anew each time,
// under tasks_lock, because processes come and go while somebody holds their files open.
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/user_ns.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/procfs/impl.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/run.h"

// Of a process it is the leader, even when that has ended and other threads have not: then it shows as a
// zombie, without memory and files, as on Linux. tasks_lock is held; borrowed.
static struct task *find_task(const struct proc_node *n) {
    struct tgroup *g = n->g;
    if (!g || g->state == TG_REAPED)
        return NULL;
    if (!n->tid)
        return g->leader;
    struct task *t = n->tid < PID_MAX ? g->k->pids[n->tid] : NULL;
    return t && t->tg == g ? t : NULL;
}

struct task *proc_task(const struct proc_node *n) {
    LOCKED(&the_kernel->tasks_lock);
    struct task *t = find_task(n);
    return t ? task_get(t) : NULL;
}

struct net_ns *proc_callers_net(void) {
    return net_ns_get(task_current ? task_net(task_current) : &the_kernel->net);
}

struct net_ns *proc_net(const struct proc_node *n) {
    if (!n->g)
        return proc_callers_net();
    struct task *t = proc_task(n);
    struct ns *ns = t ? task_ns(t, NS_NET) : NULL;
    if (t)
        task_put(t);
    return ns ? container_of(ns, struct net_ns, ns) : NULL;
}

struct mm *proc_mm(const struct proc_node *n) {
    LOCKED(&the_kernel->tasks_lock);
    struct task *t = find_task(n);
    return t && t->mm ? mm_get(t->mm) : NULL;
}

struct mm *proc_mm_traced(const struct proc_node *n) {
    LOCKED(&the_kernel->tasks_lock);
    const struct task *t = find_task(n), *me = task_current;
    bool may = t && t->mm && me && ptrace_may_access(me, t, PTRACE_FSCREDS);
    return may ? mm_get(t->mm) : NULL;
}

struct fdtable *proc_files(const struct proc_node *n) {
    LOCKED(&the_kernel->tasks_lock);
    struct task *t = find_task(n);
    return t && t->files ? fdtable_get(t->files) : NULL;
}

bool proc_alive(const struct proc_node *n) {
    LOCKED(&the_kernel->tasks_lock);
    return find_task(n) != NULL;
}

bool proc_ended(const struct proc_node *n) {
    LOCKED(&the_kernel->tasks_lock);
    const struct task *t = find_task(n);
    return !t || atomic_load(&t->state) == TASK_DEAD;
}

bool proc_may_trace(const struct proc_node *n) {
    struct task *me = task_current;
    if (!me || !n->g)
        return false;
    if (me->tg == n->g)
        return true;
    LOCKED(&me->k->tasks_lock);
    struct task *t = find_task(n);
    return t && ptrace_may_access(me, t, PTRACE_FSCREDS);
}

int proc_caller_root(struct path *out) {
    struct task *me = task_current;
    if (!me || !me->fs)
        return vfs_root(the_kernel->vfs, out);
    LOCKED(&me->fs->lock);
    *out = me->fs->root;
    path_get(out);
    return 0;
}

int proc_path_text(const struct path *p, char *buf, size_t size) {
    struct path root;
    int err = proc_caller_root(&root);
    if (err < 0)
        return err;
    int64_t n = path_text(the_kernel->vfs, p, &root, buf, size);
    path_put(&root);
    return n < 0 ? (int)n : 0;
}

const struct id_map *proc_reader_uids(void) {
    return task_current ? user_ns_uids(task_current->cred->user) : NULL;
}
const struct id_map *proc_reader_gids(void) {
    return task_current ? user_ns_gids(task_current->cred->user) : NULL;
}
