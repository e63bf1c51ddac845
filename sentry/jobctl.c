// SPDX-License-Identifier: Apache-2.0
// See jobctl.h. The terminal itself stays the host's (modes, size, bytes); whose it is inside is the sentry's own
// record in struct session. The caller's shell sees the CLI as its job: oci/supervise.h. LIMIT: a background read of the
// terminal is not stopped with SIGTTIN. LIMIT: while the CLI is stopped, a SIGCONT from inside, and the program's end, are
// not told to the caller's shell.
#include "sentry/jobctl.h"
#include "abi/caps.h"
#include "abi/ioctl.h"
#include "sentry/group.h"
#include "sentry/hostevent.h"
#include "sentry/kernel.h"
#include "sentry/sentry.h"
#include "sentry/signal/signal.h"

static struct pgroup *foreground(struct kernel *k) {
    struct session *s;
    list_for_each(s, &k->sessions, link)
        if (s->tty)
            return pgroup_find(k, s->tty_pgrp);
    return k->main->pgrp;  // the terminal is not among the stdio: nobody inside has changed who is in front
}

// ---- The main process as a job of the caller's shell ---------------------------------------------------------------
static unsigned char continues;  // [T] SIGCONTs that the CLI has handed on (modulo 256)

// Keys go to the terminal's foreground group. Stopping and continuing concern the job, that is the group that the main
// process leads; whatever else is sent was meant for the program.
void jobctl_signal(struct kernel *k, int sig, bool from_terminal) {
    LOCKED(&k->tasks_lock);
    bool key = sig == LINUX_SIGINT || sig == LINUX_SIGQUIT || sig == LINUX_SIGTSTP || sig == LINUX_SIGWINCH;
    bool job = sig == LINUX_SIGCONT || sig == LINUX_SIGTSTP || sig == LINUX_SIGTTIN || sig == LINUX_SIGTTOU;
    struct pgroup *p = from_terminal && key ? foreground(k) : job ? k->main->pgrp : NULL;
    if (sig == LINUX_SIGCONT)
        continues++;
    if (p)
        signal_send_pgrp(p, sig, NULL);
    else if (!from_terminal || !key)
        signal_send_group(k->main, sig, NULL);
}

void jobctl_stopped(struct tgroup *g, int sig) {
    struct sentry_stop stop = {.sig = (unsigned char)sig, .continues = continues};
    if (g == g->k->main)
        hostevent_tell_stop(&stop);
}

bool jobctl_continued_outside(const struct tgroup *g) { return g == g->k->main && hostevent_tells_stops(); }

// ---- The terminal ------------------------------------------------------------------------------------------------------
// Makes h the controlling terminal of a session leader that has none. tasks_lock held.
static int64_t acquire(struct task *t, struct session *s, struct hostfd *h) {
    if (s->tty == hostfd_terminal_id(h))
        return 0;
    if (s->sid != t->tg->pid || s->tty)
        return -LINUX_EPERM;
    struct session *other;
    list_for_each(other, &t->k->sessions, link)
        if (other->tty)
            return -LINUX_EPERM;
    s->tty = hostfd_terminal_id(h);
    s->tty_pgrp = t->tg->pgrp->pgid;
    return 0;
}

static int64_t set_foreground(struct task *t, struct session *s, int32_t pgid) {
    if (pgid < 0)
        return -LINUX_EINVAL;
    struct pgroup *p = pgroup_find(t->k, pgid);
    if (!p)
        return -LINUX_ESRCH;
    if (p->session != s)
        return -LINUX_EPERM;
    bool background = t->tg->pgrp->pgid != s->tty_pgrp;
    bool immune = (t->blocked & LINUX_SIGMASK(LINUX_SIGTTOU)) || signal_ignored(t, LINUX_SIGTTOU);
    if (background && !immune) {
        if (pgroup_orphaned(t->tg->pgrp, NULL))
            return -LINUX_EIO;
        signal_send_pgrp(t->tg->pgrp, LINUX_SIGTTOU, NULL);
        return -LINUX_ERESTARTSYS;
    }
    s->tty_pgrp = pgid;
    return 0;
}

int64_t jobctl_ioctl(struct hostfd *h, unsigned cmd, uint64_t arg, void *uaccess) {
    struct uaccess *ua = uaccess;
    struct task *t = ua->task;
    int32_t value = 0;
    int64_t r = 0;
    if (cmd == LINUX_TIOCSPGRP && ua->in(ua, &value, uaddr(arg), sizeof value) < 0)
        return -LINUX_EFAULT;
    {
        LOCKED(&t->k->tasks_lock);
        struct session *s = t->tg->pgrp->session;
        if (cmd == LINUX_TIOCSCTTY)
            return acquire(t, s, h);
        if (s->tty != hostfd_terminal_id(h))
            return -LINUX_ENOTTY;
        switch (cmd) {
        case LINUX_TIOCGPGRP:
            value = s->tty_pgrp;
            break;
        case LINUX_TIOCGSID:
            value = s->sid;
            break;
        case LINUX_TIOCSPGRP:
            return set_foreground(t, s, value);
        case LINUX_TIOCNOTTY:
            if (s->sid == t->tg->pid)
                s->tty = 0;
            return 0;
        default:
            r = -LINUX_ENOTTY;
        }
    }
    return r < 0 ? r : ua->out(ua, uaddr(arg), &value, sizeof value);
}
