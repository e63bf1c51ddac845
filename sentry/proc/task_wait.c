// SPDX-License-Identifier: Apache-2.0
// See task_wait.h. A look at the children under tasks_lock; to wait, the caller's own group's child_wait.
#include "sentry/proc/task_wait.h"
#include "abi/wait.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/task_impl.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/park.h"

static bool matches(struct task *t, const struct tgroup *c, const struct wait_req *r) {
    if (r->which == WAIT_PID && c->pid != r->id)
        return false;
    if (r->which == WAIT_PGRP && (!c->pgrp || c->pgrp->pgid != r->id))
        return false;
    if ((r->options & LINUX___WNOTHREAD) && c->parent_task && c->parent_task != t)
        return false;
    // A "clone child" tells its parent by another signal than SIGCHLD, wait(2).
    bool clone_child = c->exit_signal != LINUX_SIGCHLD;
    return (r->options & LINUX___WALL) || clone_child == !!(r->options & LINUX___WCLONE);
}

static void fill(struct wait_result *res, const struct tgroup *c, int status, int code) {
    *res = (struct wait_result){.pid = pid_out(c->parent->pid_ns, c->pid),
                                .uid = c->leader->cred->uid,
                                .status = status,
                                .code = code};
    res->cpu_ns = c->cpu_ns_dead + c->cpu_ns_children;
    res->sys_ns = atomic_load(&c->sys_ns) + c->sys_ns_children;
    res->peak = c->peak_dead > c->peak_children ? c->peak_dead : c->peak_children;
}

// Is there news of c? Takes the news away unless WNOWAIT. tasks_lock held.
static bool collect(struct tgroup *c, const struct wait_req *r, struct wait_result *res) {
    bool keep = r->options & LINUX_WNOWAIT;
    if (c->state == TG_ZOMBIE && (r->options & LINUX_WEXITED)) {
        int status = c->group_exit_code;
        fill(res, c, status, status_cld(status));
        if (!keep) {
            c->parent->cpu_ns_children += res->cpu_ns;
            c->parent->sys_ns_children += res->sys_ns;
            if (res->peak > c->parent->peak_children)
                c->parent->peak_children = res->peak;
            tgroup_reap(c);
        }
        return true;
    }
    if (c->state != TG_ALIVE)
        return false;
    if (c->stopped && !c->stop_reported && (r->options & LINUX_WSTOPPED)) {
        fill(res, c, c->stop_sig << 8 | 0x7f, LINUX_CLD_STOPPED);
        c->stop_reported = !keep;
        return true;
    }
    if (c->continued && (r->options & LINUX_WCONTINUED)) {
        fill(res, c, 0xffff, LINUX_CLD_CONTINUED);
        c->continued = keep;
        return true;
    }
    return false;
}

// 1: found (a reaped group in *reaped), 0: nothing yet, -LINUX_ECHILD: no such child.
static int look(struct task *t, const struct wait_req *r, struct wait_result *res, struct tgroup **reaped,
                struct ptrace_ended *ended) {
    LOCKED(&t->k->tasks_lock);
    bool any = false;
    struct tgroup *c;
    list_for_each(c, &t->tg->children, sibling) {
        if (!matches(t, c, r))
            continue;
        // A zombie that is not asked for has no news to wait for, one that its tracer has not let go has some
        // later.
        any |= c->state == TG_ALIVE || ptrace_holds(c);
        if (c->state == TG_ZOMBIE ? ptrace_holds(c) : ptrace_traced_by(c->leader, t->tg))
            continue;  // ... or is a tracee of ours: what it tells we hear below
        if (collect(c, r, res)) {
            if (c->state == TG_REAPED)
                *reaped = c;
            return 1;
        }
    }
    int traced = ptrace_wait(t, r, res, ended);
    return traced < 0 && any ? 0 : traced;
}

int64_t do_wait(struct task *t, const struct wait_req *r, struct wait_result *res) {
    struct tgroup *reaped = NULL;
    struct ptrace_ended ended = {LIST_INIT(ended.tasks), LIST_INIT(ended.groups)};
    *res = (struct wait_result){0};
    park_arm(t, &t->tg->child_wait);
    int found = look(t, r, res, &reaped, &ended);
    if (reaped)
        tgroup_free_reaped(reaped);
    ptrace_free_ended(&ended);
    if (found != 0)
        return found < 0 ? found : 0;
    return r->options & LINUX_WNOHANG ? 0 : park(t);
}
