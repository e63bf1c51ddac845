// SPDX-License-Identifier: Apache-2.0
// Who traces whom: attach, detach, inheritance by clone, the tracer's end, and what becomes of a tracee that
// has ended. A tracee is on its tracer's list under tasks_lock; neither holds the other. A thread that ends
// while it is traced keeps its number, and the table's reference, until its tracer has been told (DEAD); a
// process keeps them anyway.
#include "abi/caps.h"
#include "abi/sched.h"
#include "base/fault.h"
#include "fs/landlock.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/user_ns.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/task_impl.h"
#include "sentry/ptrace/impl.h"
#include "sentry/run/park.h"
#include "sentry/signal/impl.h"
#include <stdlib.h>
#include <string.h>

bool ptrace_prepare(struct task *t) {
    size_t size = plat_layout(t->k->platform)->fpstate_size;
    struct ptrace *p = xcalloc(1, sizeof *p + size);
    if (!p)
        return false;
    p->task = t;
    p->fp_size = size;
    list_init(&p->link);
    LOCKED(&t->k->tasks_lock);
    if (t->ptrace)
        free(p);
    else
        t->ptrace = p;
    return true;
}

static void link_to(struct ptrace *p, struct task *tracer, bool seized, uint32_t options) {
    LOCKED(&p->task->tg->sig_lock);
    p->tracer = tracer;
    list_add_tail(&tracer->tracees, &p->link);
    p->seized = seized;
    p->options = options;
    p->trap = p->leave = false;
    p->status = p->signal = 0;
    p->message = 0;
    memset(p->dr, 0, sizeof p->dr);
    atomic_store(&p->go, GO_CONT);
    atomic_store(&p->task->traced, true);
}

// It goes on with `signal`. [T]
static void unlink_from(struct ptrace *p, int signal) {
    struct task *t = p->task;
    LOCKED(&t->tg->sig_lock);
    atomic_store(&t->traced, false);
    list_del(&p->link);
    p->tracer = NULL;
    p->options = 0;
    p->seized = p->trap = p->leave = false;
    p->status = 0;
    if (p->stop != PT_DEAD)
        ptrace_let_go(p, GO_CONT, signal);
}

// A signal that its tracer has not even heard of is not lost with it.
void ptrace_forget(struct task *t) {
    struct ptrace *p = t->ptrace;
    if (p && p->tracer)
        unlink_from(p, p->stop == PT_SIGNAL && p->status ? p->code : 0);
}

// ---- Attach -----------------------------------------------------------------------------------------------
int ptrace_traceme(struct task *t) {
    if (!ptrace_prepare(t))
        return -LINUX_ENOMEM;
    LOCKED(&t->k->tasks_lock);
    struct task *tracer = t->tg->parent_task;
    if (t->ptrace->tracer || !tracer || atomic_load(&tracer->state) == TASK_DEAD)
        return -LINUX_EPERM;
    const struct cred *c = tracer->cred, *mine = t->cred;
    bool within = c->user == mine->user && !(mine->cap_permitted & ~c->cap_permitted);
    if (!within && !cred_ns_capable(c, mine->user, LINUX_CAP_SYS_PTRACE))
        return -LINUX_EPERM;
    if (!landlock_is_inside(mine->landlock, c->landlock))
        return -LINUX_EPERM;
    link_to(t->ptrace, tracer, false, 0);
    return 0;
}

// A thread that is in a group stop tells its tracer so; any other gets a SIGSTOP, unless it is seized.
static void first_stop(struct task *t, bool seize) {
    {
        LOCKED(&t->tg->sig_lock);
        if (t->tg->stop.on) {
            t->ptrace->trap = true;
            task_notify(t);
        }
    }
    if (!seize)
        signal_send_task(t, LINUX_SIGSTOP, NULL);
}

// LIMIT: process 1, where nothing of a guest runs, cannot be attached to (EPERM; Linux lets root).
int64_t ptrace_attach(struct task *t, struct task *child, bool seize, uint32_t options) {
    if (child->tg == t->tg || child->tg == t->k->init)
        return -LINUX_EPERM;
    if (!ptrace_prepare(child))
        return -LINUX_ENOMEM;
    LOCKED(&t->k->tasks_lock);
    if (!ptrace_may_access(t, child, PTRACE_REALCREDS))
        return -LINUX_EPERM;
    if (atomic_load(&child->state) == TASK_DEAD || !list_linked(&child->tg_link) || child->ptrace->tracer)
        return -LINUX_EPERM;
    if (atomic_load(&child->execing))
        return park_yield(t);  // who it is will be known then
    link_to(child->ptrace, t, seize, options);
    first_stop(child, seize);
    return 0;
}

int64_t ptrace_detach(struct task *t, struct task *child, int signal) {
    LOCKED(&t->k->tasks_lock);
    {
        LOCKED(&child->tg->sig_lock);
        if (!ptrace_holds_still(t, child))
            return -LINUX_ESRCH;
    }
    unlink_from(child->ptrace, signal);
    return 0;
}

// ---- Clone ------------------------------------------------------------------------------------------------
int ptrace_clone_event(struct task *t, const struct task *child, uint64_t flags) {
    int event = LINUX_PTRACE_EVENT_FORK;
    LOCKED(&t->k->tasks_lock);  // a sibling's parent may be ending
    if (flags & LINUX_CLONE_VFORK)
        event = LINUX_PTRACE_EVENT_VFORK;
    else if (child->tg == t->tg || child->tg->exit_signal != LINUX_SIGCHLD)
        event = LINUX_PTRACE_EVENT_CLONE;
    LOCKED(&t->tg->sig_lock);
    bool wanted = ptrace_on(t) && !(flags & LINUX_CLONE_UNTRACED) && (t->ptrace->options & 1u << event);
    return wanted ? event : 0;
}

void ptrace_inherit(struct task *parent, struct task *child) {
    struct ptrace *p = parent->ptrace;
    if (!p || !p->tracer || !child->ptrace)
        return;
    link_to(child->ptrace, p->tracer, p->seized, p->options);
    LOCKED(&child->tg->sig_lock);
    static const struct linux_siginfo from_kernel = {.si_signo = LINUX_SIGSTOP, .si_code = LINUX_SI_USER};
    if (p->seized)
        child->ptrace->trap = true;
    else
        sigqueue_add(child->pending, LINUX_SIGSTOP, &from_kernel, UINT64_MAX);
    atomic_store(&child->sigpending, true);
}

// ---- A traced thread, a traced process ends ---------------------------------------------------------------
static bool ignores_children(struct tgroup *g) {
    LOCKED(&g->sig_lock);
    struct linux_sigaction a = signal_action(g, LINUX_SIGCHLD);
    return a.sa_handler == LINUX_SIG_IGN || (a.sa_flags & LINUX_SA_NOCLDWAIT);
}

static void tell_end(struct ptrace *p, int status) {
    int sig = status & 0x7f;
    ptrace_tell(p, status_cld(status), sig ? sig : status >> 8);
}

static void set_dead(struct ptrace *p) {
    LOCKED(&p->task->tg->sig_lock);
    if (p->stop != PT_DEAD) {
        if (p->stop != PT_RUNS)
            ptrace_set(p, PT_RUNS);
        ptrace_set(p, PT_DEAD);
    }
    p->status = 0;
}

bool ptrace_thread_ends(struct task *t, int status) {
    struct ptrace *p = t->ptrace;
    if (!p || !p->tracer)
        return false;
    set_dead(p);
    if (task_is_leader(t))
        return false;  // ptrace_process_ends()
    t->exit_code = status;
    tell_end(p, status);
    if (!ignores_children(p->tracer->tg))
        return true;
    ptrace_forget(t);
    return false;
}

bool ptrace_holds(const struct tgroup *g) {
    const struct ptrace *p = g->leader ? g->leader->ptrace : NULL;
    return p && p->tracer && p->tracer->tg != g->parent;
}

bool ptrace_process_ends(struct tgroup *g) {
    if (!ptrace_holds(g))
        return false;
    struct ptrace *p = g->leader->ptrace;
    tell_end(p, g->group_exit_code);
    if (!ignores_children(p->tracer->tg))
        return true;
    ptrace_forget(g->leader);
    return false;
}

void ptrace_bury(struct ptrace *p, struct ptrace_ended *e) {
    struct task *t = p->task;
    struct kernel *k = t->k;
    struct tgroup *g = t->tg;
    bool held = t == g->leader && g->state == TG_ZOMBIE && ptrace_holds(g);
    ptrace_forget(t);
    if (t != g->leader) {
        if (k->pids[t->tid] == t)
            k->pids[t->tid] = NULL;
        list_add_tail(&e->tasks, &p->link);
    } else if (held && tgroup_tell_end(g)) {
        list_add_tail(&e->groups, &g->sibling);
    }
}

void ptrace_free_ended(struct ptrace_ended *e) {
    struct ptrace *p, *next_task;
    list_for_each_safe(p, next_task, &e->tasks, link) {
        list_del(&p->link);
        task_put(p->task);
    }
    struct tgroup *g, *next_group;
    list_for_each_safe(g, next_group, &e->groups, sibling) {
        list_del(&g->sibling);
        tgroup_free_reaped(g);
    }
}

void ptrace_tracer_ends(struct task *t, struct ptrace_ended *e) {
    struct ptrace *p, *tmp;
    list_for_each_safe(p, tmp, &t->tracees, link) {
        if (p->options & LINUX_PTRACE_O_EXITKILL && p->stop != PT_DEAD)
            signal_kill(p->task->tg);
        if (p->stop == PT_DEAD)
            ptrace_bury(p, e);
        else
            ptrace_forget(p->task);
    }
}
