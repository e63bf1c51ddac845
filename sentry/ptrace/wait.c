// SPDX-License-Identifier: Apache-2.0
// What wait4(2) and waitid(2) tell of tracees: stops, and ends that the parent hears of later or never.
// Called by proc/task_wait.c under tasks_lock.
#include "abi/wait.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/task_impl.h"
#include "sentry/proc/task_wait.h"
#include "sentry/ptrace/impl.h"

bool ptrace_traced_by(const struct task *t, const struct tgroup *g) {
    return t && t->ptrace && t->ptrace->tracer && t->ptrace->tracer->tg == g;
}

static bool matches(const struct task *c, const struct wait_req *r) {
    if (r->which == WAIT_PID)
        return c->tid == r->id;
    return r->which != WAIT_PGRP || (c->tg->pgrp && c->tg->pgrp->pgid == r->id);
}

static void fill(struct wait_result *res, const struct task *c, int status, int code) {
    const struct task *tracer = c->ptrace->tracer;
    int32_t pid = tracer ? pid_out(tracer->tg->pid_ns, c->tid) : c->tid;
    *res = (struct wait_result){.pid = pid, .uid = c->cred->uid, .status = status, .code = code};
}

// A stop is told whether it is asked for or not.
static bool stop_news(struct ptrace *p, bool keep, struct wait_result *res) {
    LOCKED(&p->task->tg->sig_lock);
    if (!p->status)
        return false;
    bool group = p->stop == PT_GROUP && !p->seized;
    fill(res, p->task, p->status, group ? LINUX_CLD_STOPPED : LINUX_CLD_TRAPPED);
    if (!keep)
        p->status = 0;
    return true;
}

// A thread that has ended, or a process whose last has: of the latter its leader tells. When the tracer is
// the parent too, proc/task_wait.c tells it.
static bool end_news(struct ptrace *p, bool keep, struct wait_result *res, struct ptrace_ended *e) {
    struct task *c = p->task;
    bool leader = c == c->tg->leader;
    if (p->stop != PT_DEAD || (leader && (c->tg->state != TG_ZOMBIE || !ptrace_holds(c->tg))))
        return false;
    int status = leader ? c->tg->group_exit_code : c->exit_code;
    fill(res, c, status, status_cld(status));
    if (!keep)
        ptrace_bury(p, e);
    return true;
}

static int look(const struct task *tracer, const struct wait_req *r, struct wait_result *res,
                struct ptrace_ended *e) {
    int found = -LINUX_ECHILD;
    bool keep = r->options & LINUX_WNOWAIT;
    struct ptrace *p, *tmp;
    list_for_each_safe(p, tmp, &tracer->tracees, link) {
        if (!matches(p->task, r))
            continue;
        found = 0;
        if (stop_news(p, keep, res) || ((r->options & LINUX_WEXITED) && end_news(p, keep, res, e)))
            return 1;
    }
    return found;
}

int ptrace_wait(struct task *t, const struct wait_req *r, struct wait_result *res, struct ptrace_ended *e) {
    int found = -LINUX_ECHILD;
    const struct task *tracer;
    list_for_each(tracer, &t->tg->tasks, tg_link) {
        if ((r->options & LINUX___WNOTHREAD) && tracer != t)
            continue;
        int one = look(tracer, r, res, e);
        if (one == 1)
            return 1;
        found = one == 0 ? 0 : found;
    }
    return found;
}
