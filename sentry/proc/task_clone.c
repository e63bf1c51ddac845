// SPDX-License-Identifier: Apache-2.0
// clone: a new thread or process. Two steps, since the host may refuse: the child is made and its host thread
// queued on the caller's (clone_begin, then SYS_FLUSH); when the host has done it, the child is published,
// gets its registers and starts (clone_commit), else everything is given back (clone_abort).
#include "sentry/proc/task_clone.h"
#include "abi/ptrace.h"
#include "abi/sched.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "sentry/fd/fdtable.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/namespaces.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/pidfd.h"
#include "sentry/proc/task_impl.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/limits.h"
#include "sentry/run/park.h"
#include "sentry/run/run.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/signal/signal.h"
#include <stdlib.h>
#include <string.h>

// ---- Flags ------------------------------------------------------------------------------------------------
int clone_check(const struct clone_req *r) {
    uint64_t f = r->flags;
    if ((f & LINUX_CLONE_THREAD) && !(f & LINUX_CLONE_SIGHAND))
        return -LINUX_EINVAL;
    if ((f & LINUX_CLONE_SIGHAND) && !(f & LINUX_CLONE_VM))
        return -LINUX_EINVAL;
    if ((f & (LINUX_CLONE_NEWNS | LINUX_CLONE_FS)) == (LINUX_CLONE_NEWNS | LINUX_CLONE_FS))
        return -LINUX_EINVAL;
    if ((f & (LINUX_CLONE_NEWUSER | LINUX_CLONE_FS)) == (LINUX_CLONE_NEWUSER | LINUX_CLONE_FS))
        return -LINUX_EINVAL;
    if ((f & LINUX_CLONE_THREAD) && (f & (LINUX_CLONE_NEWUSER | LINUX_CLONE_NEWPID)))
        return -LINUX_EINVAL;
    if (r->exit_signal > LINUX_NSIG)
        return -LINUX_EINVAL;
    return 0;
}

// ---- A new process ----------------------------------------------------------------------------------------
static struct tgroup *clone_tgroup(struct task *t, const struct clone_req *r) {
    struct tgroup *old = t->tg, *g = tgroup_alloc(t->k, old->pid_ns);
    if (!g)
        return NULL;
    g->exit_signal = (int)r->exit_signal;
    g->oom_score_adj = old->oom_score_adj;
    g->coredump_filter = old->coredump_filter;
    g->mce_kill = old->mce_kill;
    g->member = old->member;
    g->thp_disabled = old->thp_disabled;
    g->io_flusher = old->io_flusher;
    LOCKED(&old->sig_lock);
    memcpy(g->rlimits, old->rlimits, sizeof g->rlimits);
    g->sighand = r->flags & LINUX_CLONE_SIGHAND ? sighand_get(old->sighand) : sighand_copy(old->sighand);
    if (!g->sighand) {
        tgroup_put(g);
        return NULL;
    }
    if (r->flags & LINUX_CLONE_CLEAR_SIGHAND)
        sighand_reset_for_exec(g->sighand);
    return g;
}

// It is born in the namespace that its maker's children are.
static void set_pid_ns(struct task *c, uint64_t flags) {
    struct ns *ns = c->nsproxy->of[NS_PID];
    if ((flags & LINUX_CLONE_THREAD) || &c->tg->pid_ns->ns == ns)
        return;
    ns_put(&c->tg->pid_ns->ns);
    c->tg->pid_ns = pid_ns_of(ns_get(ns));
}

// What the child shares with, or copies from, its maker, but for memory and the host thread.
static int clone_parts(struct task *t, struct task *c, uint64_t flags) {
    if (t->sched_policy == LINUX_SCHED_DEADLINE && !t->sched_reset)
        return -LINUX_EAGAIN;  // sched(7): time that was set aside is not doubled
    c->cred = cred_get(t->cred);
    c->nsproxy = nsproxy_get(t->nsproxy);
    c->files = flags & LINUX_CLONE_FILES ? fdtable_get(t->files) : fdtable_copy(t->files);
    c->fs = flags & LINUX_CLONE_FS ? fs_ctx_join(t->fs) : fs_ctx_copy(t->fs);
    if (!c->fs && (flags & LINUX_CLONE_FS))
        return -LINUX_EAGAIN;
    if (!c->files || !c->fs)
        return -LINUX_ENOMEM;
    int err = namespaces_for_child(t, c, flags);
    if (err < 0)
        return err;
    set_pid_ns(c, flags);
    keys_for_child(t, c);
    c->blocked = t->blocked;
    if (!(flags & LINUX_CLONE_VM) || (flags & LINUX_CLONE_VFORK))
        c->altstack = t->altstack;
    else
        c->altstack.ss_flags = LINUX_SS_DISABLE;
    memcpy(c->comm, t->comm, sizeof c->comm);
    // SCHED_RESET_ON_FORK, sched(7): what is better than normal is not inherited.
    // Others may set these meanwhile: each is read once.
    int nice = t->nice, policy = t->sched_policy;
    bool reset = t->sched_reset,
         rt = policy == LINUX_SCHED_FIFO || policy == LINUX_SCHED_RR || policy == LINUX_SCHED_DEADLINE;
    c->nice = reset && nice < 0 ? 0 : nice;
    c->sched_policy = reset && rt ? LINUX_SCHED_OTHER : policy;
    c->sched_prio = reset && rt ? 0 : t->sched_prio;
    c->ioprio = t->ioprio;
    c->cpu_mask = t->cpu_mask;
    c->personality = t->personality;
    c->mempolicy = t->mempolicy;
    c->timer_slack = c->timer_slack_default = t->timer_slack;
    c->forked_no_exec = true;
    return 0;
}

static unsigned clone_how(uint64_t flags) {
    if (flags & LINUX_CLONE_THREAD)
        return PLAT_CLONE_VM | PLAT_CLONE_THREAD;
    return flags & LINUX_CLONE_VM ? PLAT_CLONE_VM : 0;
}

static int clone_memory(struct task *t, struct task *c, uint64_t flags) {
    unsigned how = clone_how(flags);
    struct plat_as *as;
    int err = plat_clone(t->thread, how, &c->thread, &as);
    if (err < 0)
        return err;
    plat_set_owner(c->thread, c);
    if (how & PLAT_CLONE_VM) {
        plat_as_put(as);
        c->mm = mm_get(t->mm);
    } else {
        struct mm *mm;
        err = mm_fork(t->mm, as, &mm);
        if (err < 0)
            return err;
        c->mm = mm;
    }
    mm_use(c->mm);
    return 0;
}

static void clone_drop(struct task *c) {
    struct tgroup *g = c->tg;
    bool own_group = g != NULL && !g->leader;
    tgroup_get(g);
    if (c->thread)
        plat_thread_destroy(task_swap_thread(c, NULL));
    if (c->vfork_parent)
        task_put(take_ptr(c->vfork_parent));
    task_put(c);
    tgroup_put(g);
    if (own_group)
        tgroup_put(g);  // the table's reference, which it never got into
}

// What goes into another control group is that one's alone (join_cgroup()).
static bool take_pid(const struct tgroup *g, bool into) {
    LOCKED(&g->k->tasks_lock);
    return (into || !g->cgroup.in || cgroup_has_room(g->cgroup.in)) && limits_take_pid(g);
}
static void give_pid(const struct tgroup *g) {
    LOCKED(&g->k->tasks_lock);
    limits_give_pid(g);
}

// The call ended before the child was published (the host refused, or the caller died).
static void clone_abort(struct task *t) {
    struct task *c = take_ptr(t->call.own.child);
    if (c) {
        clone_drop(c);
        give_pid(t->tg);
    }
    mm_op_end(t);
}

static bool too_many(struct task *t) {
    uint64_t limit = task_rlimit(t, LINUX_RLIMIT_NPROC);
    return t->cred->uid != 0 && limit != LINUX_RLIM_INFINITY && task_count_uid(t->k, t->cred->uid) >= limit;
}

static int64_t clone_begin(struct task *t, const struct clone_req *r) {
    int64_t err = clone_check(r);
    if (err < 0)
        return err;
    // A thread is in the namespace of its process, and so is a sibling of an init.
    if ((r->flags & LINUX_CLONE_THREAD) && t->nsproxy->of[NS_PID] != &t->tg->pid_ns->ns)
        return -LINUX_EINVAL;
    if ((r->flags & LINUX_CLONE_PARENT) && pid_ns_is_init(t->tg))
        return -LINUX_EINVAL;
    if (r->nset > pid_ns_of(t->nsproxy->of[NS_PID])->level + 1 + !!(r->flags & LINUX_CLONE_NEWPID))
        return -LINUX_EINVAL;
    if (too_many(t))
        return -LINUX_EAGAIN;
    // the number comes with the child; where it goes is tried before anything is made
    const int32_t none = -1;
    if ((r->flags & LINUX_CLONE_PIDFD) && copy_out_obj(t, r->pidfd, &none) < 0)
        return -LINUX_EFAULT;
    // A thread changes nothing of the map, so it waits for no range of it. A copy is of a map that is
    // settled, and so is what another process shares.
    bool thread = r->flags & LINUX_CLONE_THREAD;
    err = thread ? mm_op_begin_range(t, 0, 0) : mm_op_begin(t);
    if (err != 0)
        return err;
    if (!take_pid(t->tg, r->flags & LINUX_CLONE_INTO_CGROUP)) {
        mm_op_end(t);
        return -LINUX_EAGAIN;
    }
    struct tgroup *g = thread ? tgroup_get(t->tg) : clone_tgroup(t, r);
    struct task *c = g ? task_alloc(t->k, g) : NULL;
    if (!c) {
        if (g)
            tgroup_put(g);
        give_pid(t->tg);
        mm_op_end(t);
        return -LINUX_ENOMEM;
    }
    if (thread)
        tgroup_put(g);
    t->call.own.child = c;
    t->call.cleanup = clone_abort;
    err = clone_parts(t, c, r->flags);
    if (err == 0 && (r->flags & LINUX_CLONE_INTO_CGROUP))
        err = cgroup_for_child(t, r->cgroup, &g->cgroup.in);
    if (err == 0)
        err = clone_memory(t, c, r->flags);
    if (err < 0)
        return err;  // the clean-up gives the child back
    t->call.phase = CLONE_FLUSHED;
    return plat_started(c->thread) ? SYS_AGAIN : SYS_FLUSH;
}

// ---- Publication ------------------------------------------------------------------------------------------
// The child of t is in its maker's control group, unless clone3(2) has said another. May there be one more?
static int join_cgroup(struct task *t, struct task *c, const struct clone_req *r) {
    struct cgroup_member *m = &c->tg->cgroup;
    bool thread = r->flags & LINUX_CLONE_THREAD, said = r->flags & LINUX_CLONE_INTO_CGROUP;
    if (!thread && !said && t->tg->cgroup.in)
        m->in = cgroup_get(t->tg->cgroup.in);
    int err = said ? cgroup_may_hold(m->in) : 0;
    if (err < 0)
        return err;
    return !m->in || cgroup_has_room(m->in) ? 0 : -LINUX_EAGAIN;
}

static void link_process(struct task *t, struct task *c, const struct clone_req *r, int32_t pid) {
    struct tgroup *g = c->tg;
    bool sibling = r->flags & LINUX_CLONE_PARENT;
    struct tgroup *parent = sibling && t->tg->parent ? t->tg->parent : t->tg;
    g->pid = pid;
    g->leader = c;
    g->parent = parent;
    g->parent_task = sibling ? t->tg->parent_task : t;
    if (sibling)
        g->exit_signal = t->tg->exit_signal;
    {
        LOCKED(&g->sig_lock);
        cpu_timers_limit(g);
    }
    list_add_tail(&parent->children, &g->sibling);
    t->k->tgs[pid] = g;
    tgroup_join(g, t->tg->pgrp);
}

// A number in each of its namespaces: any, or that which clone3(2) wants.
static int32_t take_number(struct task *c, const struct clone_req *r) {
    struct kernel *k = c->k;
    struct pid_ns *ns = c->tg->pid_ns;
    int32_t pid = r->nset > ns->level ? r->set_tid[ns->level] : 0;
    if (pid && !pid_take(k, pid))
        return -LINUX_EEXIST;
    pid = pid ? pid : pid_reserve(k);
    int err = pid < 0 ? pid : pid_give_numbers(ns, pid, r->set_tid, r->nset);
    return err < 0 ? err : pid;
}

static int clone_publish(struct task *t, struct task *c, const struct clone_req *r, int event) {
    struct kernel *k = t->k;
    LOCKED(&k->tasks_lock);
    if (atomic_load(&t->killed) || atomic_load(&k->shutting_down))
        return -LINUX_ERESTARTNOINTR;
    if ((r->flags & LINUX_CLONE_THREAD) && (t->tg->exec_task || atomic_load(&t->tg->exiting)))
        return -LINUX_ERESTARTNOINTR;
    int err = join_cgroup(t, c, r);
    int32_t pid = err < 0 ? err : take_number(c, r);
    if (pid < 0)
        return pid;
    seccomp_inherit(c, t);
    if (!(r->flags & LINUX_CLONE_THREAD)) {
        link_process(t, c, r, pid);
        cgroup_born(c->tg);
        pid_ns_joins(c->tg);
    }
    if (event || (r->flags & LINUX_CLONE_PTRACE))
        ptrace_inherit(t, c);
    task_publish(c, pid);
    limits_give_pid(t->tg);
    return pid;
}

static int child_registers(struct task *t, struct task *c, const struct clone_req *r) {
    struct lx_regs regs;
    int err = plat_get_regs(c->thread, &regs);
    if (err < 0)
        return err;
    regs.rax = 0;
    if (t->ptrace && t->ptrace->stepping)
        regs.eflags &= ~(uint64_t)LINUX_EFLAGS_TF;  // its maker's tracer steps, not the child's
    if (r->stack)
        regs.rsp = r->stack;
    if (r->flags & LINUX_CLONE_SETTLS)
        regs.fs_base = r->tls;
    return plat_set_regs(c->thread, &regs);
}

static int64_t clone_told(struct task *t, const struct clone_req *r) {
    if (!(r->flags & LINUX_CLONE_VFORK))
        return t->call.notes.clone.child;
    t->call.phase = CLONE_VFORK_WAIT;
    return SYS_AGAIN;
}

static int64_t clone_commit(struct task *t, const struct clone_req *r) {
    struct task *c = t->call.own.child;
    if (t->call.flush_result < 0)
        return t->call.flush_result == -LINUX_ENOMEM ? -LINUX_ENOMEM : -LINUX_EAGAIN;
    int err = child_registers(t, c, r);
    if (err < 0)
        return err;
    if (r->flags & LINUX_CLONE_VFORK) {
        c->vfork_parent = task_get(t);
        atomic_store(&t->vfork_done, false);
    }
    if (ptrace_on(t) && !ptrace_prepare(c))
        return -LINUX_ENOMEM;
    int event = ptrace_clone_event(t, c, r->flags);
    int32_t pid = clone_publish(t, c, r, event);
    if (pid < 0)
        return pid;
    t->call.own.child = NULL;
    t->call.cleanup = NULL;
    mm_op_end(t);
    pid = task_pid_out(t, pid);
    // Addresses that cannot be written are the guest's loss, as on Linux.
    if (r->flags & LINUX_CLONE_PARENT_SETTID)
        copy_out(t, r->parent_tid, &pid, sizeof pid);
    if (r->flags & LINUX_CLONE_CHILD_SETTID)
        c->set_child_tid = r->child_tid;
    if (r->flags & LINUX_CLONE_CHILD_CLEARTID)
        c->clear_child_tid = r->child_tid;
    if (r->flags & LINUX_CLONE_PIDFD) {
        int fd = pidfd_install(t, c->tg);
        copy_out(t, r->pidfd, &fd, sizeof fd);
    }
    t->call.notes.clone.child = pid;
    task_start(c);
    t->call.phase = CLONE_TOLD;
    int64_t stop = event ? ptrace_event(t, event, (uint64_t)pid) : 0;
    return stop ? stop : clone_told(t, r);
}

// The child wakes us by task_wake() itself, once, when it has let go of our memory.
static int64_t clone_vfork_wait(struct task *t) {
    if (!atomic_load(&t->vfork_done)) {
        int64_t r = park_killable(t);
        return r == SYS_PARK ? r : t->call.notes.clone.child;
    }
    t->call.phase = CLONE_DONE;
    int64_t stop = ptrace_event(t, LINUX_PTRACE_EVENT_VFORK_DONE, (uint64_t)t->call.notes.clone.child);
    return stop ? stop : t->call.notes.clone.child;
}

int64_t clone_step(struct task *t) {
    const struct clone_req *r = &t->call.notes.clone.req;
    switch ((enum clone_phase)t->call.phase) {
    case CLONE_DECODE:
    case CLONE_BEGIN:
        return clone_begin(t, r);
    case CLONE_FLUSHED:
        return clone_commit(t, r);
    case CLONE_TOLD:
        return clone_told(t, r);
    case CLONE_VFORK_WAIT:
        return clone_vfork_wait(t);
    case CLONE_DONE:
        break;
    }
    return t->call.notes.clone.child;
}
