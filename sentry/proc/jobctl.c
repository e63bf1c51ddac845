// SPDX-License-Identifier: Apache-2.0
// See jobctl.h. Whose a terminal is and who is in front is kept in struct ctty and struct session, both under
// tasks_lock, the same for ptys and for the caller's own terminal, whose modes, size and bytes stay the
// host's. The rules are those of Linux' drivers/tty/tty_jobctrl.c. The caller's shell sees the CLI as its
// job: oci/supervise.h. LIMIT: while the CLI is stopped, a SIGCONT from inside, and the program's end, are
// not told to the caller's shell.
#include "sentry/proc/jobctl.h"
#include "abi/caps.h"
#include "abi/ioctl.h"
#include "base/cleanup.h"
#include "fs/tty/ctty.h"
#include "fs/vfs.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/run/hostevent.h"
#include "sentry/run/run.h"
#include "sentry/sentry.h"
#include "sentry/signal/signal.h"

// The foreground group of a terminal, borrowed; NULL: there is none (any more).
static struct pgroup *foreground(struct kernel *k, const struct ctty *c) {
    struct pgroup *p = c->pgrp ? pgroup_find(k, c->pgrp) : NULL;
    return p && p->session == c->session ? p : NULL;
}

// Nobody inside has changed who is in front of a terminal that is no session's here.
static struct pgroup *callers_foreground(struct kernel *k) {
    const struct ctty *c = k->callers_tty;
    return c && c->session ? foreground(k, c) : k->main->pgrp;
}

// ---- The main process as a job of the caller's shell ------------------------------------------------------
// Keys go to the terminal's foreground group. Stopping and continuing concern the job, that is the group that
// the main process leads; whatever else is sent was meant for the program.
void jobctl_signal(struct kernel *k, int sig, bool from_terminal) {
    LOCKED(&k->tasks_lock);
    bool key = sig == LINUX_SIGINT || sig == LINUX_SIGQUIT || sig == LINUX_SIGTSTP || sig == LINUX_SIGWINCH;
    bool job = sig == LINUX_SIGCONT || sig == LINUX_SIGTSTP || sig == LINUX_SIGTTIN || sig == LINUX_SIGTTOU;
    struct pgroup *p = job ? k->main->pgrp : NULL;
    if (from_terminal && key)
        p = callers_foreground(k);
    if (sig == LINUX_SIGCONT)
        k->continues++;
    if (p)
        signal_send_pgrp(p, sig, NULL);
    else if (!from_terminal || !key)
        signal_send_group(k->main, sig, NULL);
}

void jobctl_stopped(struct tgroup *g, int sig) {
    struct sentry_stop stop = {.sig = (unsigned char)sig, .continues = g->k->continues};
    if (g == g->k->main)
        hostevent_tell_stop(g->k->events, &stop);
}

bool jobctl_continued_outside(const struct tgroup *g) {
    return g == g->k->main && !g->k->main_orphaned && hostevent_tells_stops(g->k->events);
}

// ---- Whose terminal it is ---------------------------------------------------------------------------------
// All with tasks_lock held.
static void associate(struct tgroup *leader, struct ctty *c) {
    struct session *s = leader->pgrp->session;
    s->tty = ctty_get(c);
    s->lost_pgrp = 0;
    c->session = s;
    c->pgrp = leader->pgrp->pgid;
}
void jobctl_disassociate(struct session *s) {
    struct ctty *c = take_ptr(s->tty);
    if (!c)
        return;
    c->session = NULL;
    c->pgrp = 0;
    ctty_put(c);
}
void jobctl_first_terminal(struct task *t, struct ctty *c) {
    LOCKED(&t->k->tasks_lock);
    if (t->tg == t->k->main)
        t->k->callers_tty = c;
    associate(t->tg, c);
}
static bool leads(const struct tgroup *g, const struct session *s) { return s->sid == g->pid; }

static void send(struct pgroup *p, int sig) {
    if (p)
        signal_send_pgrp(p, sig, NULL);
}
void jobctl_exit(struct tgroup *g) {
    struct session *s = g->pgrp ? g->pgrp->session : NULL;
    if (!s || !leads(g, s))
        return;
    if (s->tty) {
        send(foreground(g->k, s->tty), LINUX_SIGHUP);
        jobctl_disassociate(s);
    } else if (s->lost_pgrp) {
        struct pgroup *p = pgroup_find(g->k, s->lost_pgrp);
        if (p && p->session == s) {
            send(p, LINUX_SIGHUP);
            send(p, LINUX_SIGCONT);
        }
        s->lost_pgrp = 0;
    }
}
int jobctl_open_terminal(struct file *f, const struct vfs_ctx *ctx) {
    struct task *t = ctx->task;
    struct ctty *c = NULL;
    if (t) {
        LOCKED(&t->k->tasks_lock);
        c = t->tg->pgrp->session->tty;
        if (c)
            ctty_get(c);
    }
    if (!c)
        return -LINUX_ENXIO;
    int err = c->ops->open(c, f);
    ctty_put(c);
    return err;
}
int64_t jobctl_vhangup(struct task *t) {
    struct ctty *c;
    {
        LOCKED(&t->k->tasks_lock);
        c = t->tg->pgrp->session->tty;
        if (c)
            ctty_get(c);
    }
    if (!c)
        return 0;
    int64_t r = c->ops->hangup ? 0 : -LINUX_EPERM;
    if (!r)
        c->ops->hangup(c);
    ctty_put(c);
    return r;
}

// ---- What terminals ask -----------------------------------------------------------------------------------
// tasks_lock held. 0: t is not in the background, or does not mind.
static int background(struct task *t, struct ctty *c, int sig) {
    struct pgroup *mine = t->tg->pgrp;
    if (mine->session->tty != c || !c->pgrp || mine->pgid == c->pgrp)
        return 0;
    if ((t->blocked & LINUX_SIGMASK(sig)) || signal_ignored(t, sig))
        return sig == LINUX_SIGTTIN ? -LINUX_EIO : 0;
    if (pgroup_orphaned(mine, NULL))
        return -LINUX_EIO;
    send(mine, sig);
    return -LINUX_ERESTARTSYS;
}
static int check(struct ctty *c, int sig) {
    struct task *t = task_current;
    if (!t)
        return 0;
    LOCKED(&t->k->tasks_lock);
    return background(t, c, sig);
}
// Only for who may read it: many may write to a terminal (mesg(1)), and that is not to give them all of it.
static void opened(struct ctty *c, struct file *f) {
    struct task *t = task_current;
    if (!t || !(f->mode & FMODE_READ))
        return;
    LOCKED(&t->k->tasks_lock);
    struct session *s = t->tg->pgrp->session;
    if (leads(t->tg, s) && !s->tty && !c->session)
        associate(t->tg, c);
}
static void signal_front(struct ctty *c, int sig) {
    LOCKED(&the_kernel->tasks_lock);
    send(foreground(the_kernel, c), sig);
}
// Hung up: the leader is told; the foreground hears of it when the leader ends.
static void gone(struct ctty *c) {
    LOCKED(&the_kernel->tasks_lock);
    struct session *s = c->session;
    if (!s)
        return;
    struct tgroup *leader = the_kernel->tgs[s->sid];
    if (leader && leader->pgrp && leader->pgrp->session == s) {
        signal_send_group(leader, LINUX_SIGHUP, NULL);
        signal_send_group(leader, LINUX_SIGCONT, NULL);
    }
    s->lost_pgrp = c->pgrp;
    jobctl_disassociate(s);
}
static bool capable(unsigned cap) { return task_current && task_capable(task_current, cap); }

static int64_t set_controlling(struct task *t, struct ctty *c, struct file *f, uint64_t steal) {
    struct session *s = t->tg->pgrp->session;
    bool leader = leads(t->tg, s);
    if (leader && c->session == s)
        return 0;
    if (!leader || s->tty)
        return -LINUX_EPERM;
    if (c->session && (steal != 1 || !task_capable(t, LINUX_CAP_SYS_ADMIN)))
        return -LINUX_EPERM;
    if (!(f->mode & FMODE_READ) && !task_capable(t, LINUX_CAP_SYS_ADMIN))
        return -LINUX_EPERM;
    if (c->session)
        jobctl_disassociate(c->session);
    associate(t->tg, c);
    return 0;
}
static int64_t set_foreground(struct task *t, struct ctty *c, int32_t pgid) {
    struct session *s = t->tg->pgrp->session;
    int err = background(t, c, LINUX_SIGTTOU);
    if (err)
        return err == -LINUX_EIO ? -LINUX_ENOTTY : err;
    if (s->tty != c)
        return -LINUX_ENOTTY;
    if (pgid < 0)
        return -LINUX_EINVAL;
    struct pgroup *p = pgroup_find(t->k, pgid);
    if (!p)
        return -LINUX_ESRCH;
    if (p->session != s)
        return -LINUX_EPERM;
    c->pgrp = pgid;
    return 0;
}
// By ioctl, or by the leader itself with TIOCNOTTY.
static int64_t give_up(struct task *t, struct ctty *c) {
    struct session *s = t->tg->pgrp->session;
    if (s->tty != c)
        return -LINUX_ENOTTY;
    if (!leads(t->tg, s))
        return 0;  // LIMIT: a process that does not lead its session keeps the terminal that is the session's
    struct pgroup *front = foreground(t->k, c);
    jobctl_disassociate(s);
    send(front, LINUX_SIGHUP);
    send(front, LINUX_SIGCONT);
    return 0;
}
static int64_t control_ioctl(struct ctty *c, struct file *f, bool far_end, unsigned cmd, uint64_t arg,
                             struct uaccess *ua) {
    struct task *t = ua->task;
    int32_t value = 0;
    bool set = cmd == LINUX_TIOCSPGRP;
    if (set && ua->in(ua, &value, uaddr(arg), sizeof value) < 0)
        return -LINUX_EFAULT;
    {
        LOCKED(&t->k->tasks_lock);
        if (cmd == LINUX_TIOCSCTTY)
            return set_controlling(t, c, f, arg);
        if (set)
            return set_foreground(t, c, value > 0 ? pid_in(t->tg->pid_ns, value) : value);
        if (cmd == LINUX_TIOCNOTTY)
            return far_end ? -LINUX_ENOTTY : give_up(t, c);
        // The far end may ask whose the terminal is, whoever it is itself.
        if ((!far_end && t->tg->pgrp->session->tty != c) || (cmd == LINUX_TIOCGSID && !c->session))
            return -LINUX_ENOTTY;
        value = pid_out(t->tg->pid_ns, cmd == LINUX_TIOCGSID ? c->session->sid : c->pgrp);
    }
    return ua->out(ua, uaddr(arg), &value, sizeof value);
}

void jobctl_init(void) {
    static const struct ctty_control control = {.check = check,
                                                .opened = opened,
                                                .ioctl = control_ioctl,
                                                .signal = signal_front,
                                                .gone = gone,
                                                .capable = capable};
    ctty_set_control(&control);
    devfs_set_tty(jobctl_open_terminal);
}
