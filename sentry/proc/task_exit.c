// SPDX-License-Identifier: Apache-2.0
// How tasks and processes end, and what their parents and the init hear of it. task_exit_self() runs on the
// sentry thread that is handling the task; nobody ends another task but by marking it (tgroup_begin_exit) and
// notifying it.
#include "base/cleanup.h"
#include "sentry/fd/fdtable.h"
#include "sentry/ipc/futex.h"
#include "sentry/ipc/sem.h"
#include "sentry/mm/mm.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/jobctl.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/user_ns.h"
#include "sentry/proc/task_impl.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/hostcontrol.h"
#include "sentry/run/member.h"
#include "sentry/run/park.h"
#include "sentry/run/run.h"
#include "sentry/signal/signal.h"
#include "sentry/time/posix_timers.h"

// Marks every thread of the group and makes it look. The first cause counts.
void tgroup_begin_exit(struct tgroup *g, int status) {
    LOCKED(&g->k->tasks_lock);
    LOCKED(&g->sig_lock);
    if (!atomic_load(&g->exiting)) {
        g->group_exit_code = status;
        atomic_store(&g->exiting, true);
    }
    struct task *t;
    list_for_each(t, &g->tasks, tg_link)
        task_condemn(t);
}

// In the first namespace that is who leads the container. tasks_lock held; NULL: it has ended.
static struct tgroup *init_of(struct tgroup *g) {
    struct kernel *k = g->k;
    if (g->pid_ns->level > 0)
        return g->pid_ns->init;
    for (int pid = 2; g->member && pid < k->pid_end; pid++)
        if (k->tgs[pid] && k->tgs[pid]->leads_member && k->tgs[pid]->member == g->member)
            return k->tgs[pid];
    return k->main;
}

void tgroup_end_init(struct task *t, int sig) {
    struct tgroup *init;
    {
        LOCKED(&t->k->tasks_lock);
        init = init_of(t->tg);
        if (init)
            tgroup_get(init);
    }
    if (!init)
        return;
    tgroup_begin_exit(init, sig);
    tgroup_put(init);
}

void tgroup_notify_parent(struct tgroup *g, int sig, int code, int status) {
    struct tgroup *parent = g->parent;
    if (!parent || parent == g->k->init)
        return;
    if (sig > 0) {
        struct linux_siginfo info = {.si_signo = sig, .si_code = code};
        info.si_pid = pid_out(parent->pid_ns, g->pid);
        info.si_uid = idmap_shown(user_ns_uids(parent->leader->cred->user), g->leader->cred->uid);
        info.si_status = status;
        signal_send_group(parent, sig, &info);
    }
    waitq_wake(&parent->child_wait, ~0u);
}

// The parent of a zombie hears how it ended.
static void tell_end(struct tgroup *g) {
    int status = g->group_exit_code, sig = status & 0x7f;
    tgroup_notify_parent(g, g->exit_signal, status_cld(status),
                         sig ? sig : status >> 8);
}

void tgroup_reap(struct tgroup *g) {
    struct kernel *k = g->k;
    cgroup_reaped(g);
    k->nzombies -= g->state == TG_ZOMBIE;
    g->state = TG_REAPED;
    ptrace_forget(g->leader);
    tgroup_leave(g);
    list_del(&g->sibling);
    g->parent = NULL;
    k->tgs[g->pid] = NULL;
    if (k->pids[g->pid] == g->leader)
        k->pids[g->pid] = NULL;
    if (g->pid_ns->init == g)
        g->pid_ns->init = NULL;
    pid_settle(k, g->pid);
}

// Does the parent want no zombie? SIGCHLD ignored or SA_NOCLDWAIT, sigaction(2); the built-in init never
// does.
static bool parent_ignores(struct tgroup *g) {
    struct tgroup *parent = g->parent;
    if (!parent || parent == g->k->init)
        return true;
    if (g->exit_signal != LINUX_SIGCHLD)
        return false;
    LOCKED(&parent->sig_lock);
    LOCKED(&parent->sighand->lock);
    const struct linux_sigaction *sa = &parent->sighand->action[LINUX_SIGCHLD - 1];
    return sa->sa_handler == LINUX_SIG_IGN || (sa->sa_flags & LINUX_SA_NOCLDWAIT);
}

bool tgroup_tell_end(struct tgroup *g) {
    bool reap = parent_ignores(g);
    tell_end(g);
    if (reap)
        tgroup_reap(g);
    return reap;
}

static struct tgroup *new_parent(struct tgroup *g) {
    for (struct tgroup *p = g->parent; p && p->pid_ns == g->pid_ns; p = p->parent)
        if (p->subreaper && !atomic_load(&p->exiting) && p->state == TG_ALIVE)
            return p;
    const struct pid_ns *ns = g->pid_ns;
    if (ns->dead)
        return g->k->init;  // who is left there is ending, and nobody waits for it
    if (ns->level > 0 && ns->init != g)
        return ns->init;
    struct tgroup *main = g->k->main;
    bool adopts = main && main->pid == 1 && main != g && main->member == g->member &&
                  main->state == TG_ALIVE && !atomic_load(&main->exiting);
    return adopts ? main : g->k->init;
}

// Told to a stopped group, with SIGHUP and SIGCONT, when it loses the last who could continue it: a member
// whose parent is in another group of the session (POSIX, _exit(2)). What goes is the link between `member`
// and `parent`: where that was none of these, nothing has been lost, however orphaned the group is.
// `leaving`: a member that is ending, or NULL.
static void hup_if_orphaned(const struct tgroup *member, const struct tgroup *parent,
                            const struct tgroup *leaving) {
    struct pgroup *p = member->pgrp;
    if (!p || !parent || !parent->pgrp || parent->pgrp == p || parent->pgrp->session != p->session)
        return;
    if (!pgroup_orphaned(p, leaving))
        return;
    bool stopped = false;
    struct tgroup *g;
    list_for_each(g, &p->members, pgrp_link)
        stopped |= g != leaving && g->stopped && g->state == TG_ALIVE && !atomic_load(&g->exiting);
    if (stopped) {
        signal_send_pgrp(p, LINUX_SIGHUP, NULL);
        signal_send_pgrp(p, LINUX_SIGCONT, NULL);
    }
}

// The thread of g that takes over what an ended one was the parent of; NULL: there is none.
static struct task *other_thread(struct tgroup *g) {
    return list_empty(&g->tasks) ? NULL : list_first(&g->tasks, struct task, tg_link);
}

static void adopt_children(struct tgroup *g, struct list *dead) {
    struct tgroup *to = new_parent(g), *c, *tmp;
    list_for_each_safe(c, tmp, &g->children, sibling) {
        list_del(&c->sibling);
        list_add_tail(&to->children, &c->sibling);
        c->parent = to;
        c->parent_task = other_thread(to);
        c->exit_signal = LINUX_SIGCHLD;
        hup_if_orphaned(c, g, NULL);
        if (c->state != TG_ZOMBIE || ptrace_holds(c))
            continue;
        if (parent_ignores(c)) {
            tgroup_reap(c);
            list_add_tail(dead, &c->sibling);
        } else {
            tell_end(c);
        }
    }
}

// A thread ends before its process: its children are another one's, as on Linux, where __WNOTHREAD and the
// death signal tell threads apart. tasks_lock held; t is off the list of its group, which has others.
static void hand_on_children(struct tgroup *g, const struct task *t) {
    struct task *next = list_first(&g->tasks, struct task, tg_link);
    struct tgroup *c;
    list_for_each(c, &g->children, sibling)
        if (c->parent_task == t)
            c->parent_task = next;
}

static void parent_death_signals(struct tgroup *g, struct task *parent_thread) {
    struct tgroup *c;
    list_for_each(c, &g->children, sibling) {
        struct task *t;
        if (c->state != TG_ALIVE || (parent_thread && c->parent_task != parent_thread))
            continue;
        list_for_each(t, &c->tasks, tg_link)
            if (t->pdeath_signal)
                signal_send_task(t, t->pdeath_signal, NULL);
    }
}

// A thread has gone and the process has not: its children are another thread's.
static void leave_children(struct tgroup *g, const struct task *t) {
    struct tgroup *c;
    list_for_each(c, &g->children, sibling)
        if (c->parent_task == t)
            c->parent_task = other_thread(g);
}

// Its end is told: it is a zombie, or at once nothing.
static void process_told(struct tgroup *g, struct list *dead) {
    struct kernel *k = g->k;
    g->state = TG_ZOMBIE;
    k->nzombies++;
    bool reap = false;
    waitq_wake(&g->exit_wait, ~0u);
    if (!ptrace_process_ends(g)) {
        reap = parent_ignores(g);
        tell_end(g);
    }
    if (k->control)
        control_tell_end(k->control, g);
    if (g->leads_member)
        member_kill(k, g->member);
    if (g == k->main) {
        k->exit_status = g->group_exit_code;
        k->end_cause = atomic_load(&g->end_cause);
        kernel_main_ended(k);
    }
    if (atomic_load(&k->shutting_down) && k->ntasks == 0)
        plat_shutdown(k->platform);
    if (reap) {
        tgroup_reap(g);
        list_add_tail(dead, &g->sibling);
    }
}

// The last thread has gone. An init's end is told when all that was in its namespace has ended. tasks_lock
// held.
static void process_end(struct tgroup *g, struct list *dead) {
    jobctl_exit(g);
    bool tell = pid_ns_leaves(g);
    adopt_children(g, dead);
    hup_if_orphaned(g, g->parent, g);
    if (!tell)
        return;
    process_told(g, dead);
    for (struct tgroup *w; (w = pid_ns_waiting(g));)
        process_told(w, dead);
}

void vfork_release(struct task *t) {
    struct task *parent;
    {
        LOCKED(&t->k->tasks_lock);
        parent = take_ptr(t->vfork_parent);
    }
    if (!parent)
        return;
    atomic_store(&parent->vfork_done, true);
    task_wake(parent);
    task_put(parent);
}

int64_t task_exit_self(struct task *t, int status) {
    struct tgroup *g = t->tg;
    struct kernel *k = t->k;
    struct list dead = LIST_INIT(dead);
    struct ptrace_ended ended = {LIST_INIT(ended.tasks), LIST_INIT(ended.groups)};
    task_assert_idle(t);
    struct task *unref = NULL;
    uint64_t peak = t->mm ? t->mm->peak : 0;
    uint64_t cpu = t->thread ? plat_cpu_ns(t->thread) : 0;  // while its process is there to be asked
    t->exit_code = status;
    atomic_store(&t->pi_ends, true);
    if (t->mm) {
        futex_exit_task(t);
        mm_settle(t);
    }
    uring_task_ends(t);
    vfork_release(t);
    task_drop_parts(t);
    struct plat_thread *th = task_swap_thread(t, NULL);
    // before anybody can reap the task: until then the platform may name it as the owner
    if (th)
        plat_thread_destroy(th);
    bool last;
    struct nsproxy *left;
    {
        LOCKED(&k->tasks_lock);
        parent_death_signals(g, t);
        task_unpublish(t);
        atomic_store(&t->state, TASK_DEAD);
        atomic_store(&t->execing, false);
        ptrace_tracer_ends(t, &ended);
        bool kept = ptrace_thread_ends(t, status);
        // its number stays taken until the process is reaped, or its tracer has been told
        if (t == g->leader || kept)
            k->pids[t->tid] = t;
        last = atomic_load(&g->nalive) == 0;
        if (!last)
            leave_children(g, t);
        if (!atomic_load(&g->exiting) && last)
            g->group_exit_code = status;
        g->cpu_ns_dead += last ? cpu : 0;
        k->cpu_ns_gone += last ? g->cpu_ns_dead : 0;
        k->sys_ns_gone += last ? atomic_load(&g->sys_ns) : 0;
        g->peak_dead = peak > g->peak_dead ? peak : g->peak_dead;
        if (last) {
            cgroup_ended(g);
            tgroup_timers_stop(g);
            sem_exit(g, task_ipc(t));  // before anybody hears of the end
            process_end(g, &dead);
        } else {
            hand_on_children(g, t);
            if (g->exec_task)
                task_wake(g->exec_task);
        }
        signal_rehome(g);
        left = take_ptr(t->nsproxy);
        if (t != g->leader && !kept)
            unref = t;  // the table's reference
    }
    struct tgroup *c, *tmp;
    list_for_each_safe(c, tmp, &dead, sibling) {
        list_del(&c->sibling);
        tgroup_free_reaped(c);
    }
    ptrace_free_ended(&ended);
    nsproxy_put(left);
    if (unref)
        task_put(unref);
    return SYS_GONE;
}

// After tgroup_reap(), with no lock held. A tracer may still look at threads of it that have ended.
void tgroup_free_reaped(struct tgroup *g) {
    struct task *leader;
    {
        LOCKED(&g->k->tasks_lock);
        leader = take_ptr(g->leader);
    }
    if (leader)
        task_put(leader);
    tgroup_put(g);
}
