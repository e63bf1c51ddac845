// SPDX-License-Identifier: Apache-2.0
// See jobctl.h. The terminal itself stays the host's (modes, size, bytes); whose it is inside is the sentry's own
// record in struct session. LIMIT: a background read of the terminal is not stopped with SIGTTIN.
#include "sentry/jobctl.h"
#include "abi/caps.h"
#include "abi/ioctl.h"
#include "sentry/group.h"
#include "sentry/kernel.h"
#include "sentry/signal/signal.h"

struct pgroup *jobctl_foreground(struct kernel *k) {
    struct session *s;
    list_for_each(s, &k->sessions, link)
        if (s->tty)
            return pgroup_find(k, s->tty_pgrp);
    return NULL;
}

// Makes h the controlling terminal of a session leader that has none. tasks_lock held.
static int64_t acquire(struct task *t, struct session *s, struct hostfd *h) {
    if (s->tty == h)
        return 0;
    if (s->sid != t->tg->pid || s->tty)
        return -LINUX_EPERM;
    struct session *other;
    list_for_each(other, &t->k->sessions, link)
        if (other->tty)
            return -LINUX_EPERM;
    s->tty = h;
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
        if (s->tty != h)
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
                s->tty = NULL;
            return 0;
        default:
            r = -LINUX_ENOTTY;
        }
    }
    return r < 0 ? r : ua->out(ua, uaddr(arg), &value, sizeof value);
}
