// SPDX-License-Identifier: Apache-2.0
// Signal descriptors: pending signals read as data. A descriptor belongs to the process that made it, which
// it keeps as an object (not alive); a process knows its descriptors, so that sending a signal tells them.
// LIMIT: read after fork or over a socket by another process, it gives its maker's signals (Linux: the
// reader's).
// LIMIT: it gives signals that are directed to any thread of the process (Linux: to the reading thread).
// Locks: the process's sig_lock for everything; the wait queue inside it.
#include "sentry/fd/signalfd.h"
#include "abi/poll.h"
#include "base/fault.h"
#include "sentry/signal/impl.h"
#include <stdlib.h>

struct signalfd {
    struct tgroup *g;       // [c] owned
    struct signalfd *next;  // [S] in g->signalfds
    uint64_t mask;          // [S]
    struct waitq wait;
};

void signalfd_notify(struct tgroup *g, int sig) {
    for (struct signalfd *s = g->signalfds; s; s = s->next)
        if (s->mask & SIGBIT(sig))
            waitq_wake(&s->wait, LINUX_POLLIN);
}

static uint64_t pending(const struct signalfd *s) {
    const struct task *t;
    uint64_t set = s->g->shared_pending->set;
    list_for_each(t, &s->g->tasks, tg_link)
        set |= t->pending->set;
    return set & s->mask;
}

static int take(struct signalfd *s, struct linux_siginfo *info) {
    LOCKED(&s->g->sig_lock);
    struct task *t;
    list_for_each(t, &s->g->tasks, tg_link) {
        int sig = signal_take_locked(t, s->mask, info);
        if (sig)
            return sig;
    }
    return 0;
}

static void fill(struct linux_signalfd_siginfo *o, const struct linux_siginfo *i) {
    *o = (struct linux_signalfd_siginfo){
        .ssi_signo = (uint32_t)i->si_signo, .ssi_errno = i->si_errno, .ssi_code = i->si_code};
    uint64_t fault = SIGSET_SYNC & ~SIGBIT(LINUX_SIGSYS);
    if (i->si_code == LINUX_SI_TIMER) {
        o->ssi_tid = (uint32_t)i->si_timerid;
        o->ssi_overrun = (uint32_t)i->si_overrun;
        o->ssi_ptr = i->si_ptr;
        o->ssi_int = i->si_int;
    } else if (i->si_code > 0 && i->si_signo == LINUX_SIGIO) {
        o->ssi_band = (uint32_t)i->si_band;
        o->ssi_fd = i->si_fd;
    } else if (i->si_code > 0 && (SIGBIT(i->si_signo) & fault)) {
        o->ssi_addr = i->si_addr;
    } else {
        o->ssi_pid = (uint32_t)i->si_pid;
        o->ssi_uid = i->si_uid;
        if (i->si_code > 0 && i->si_signo == LINUX_SIGCHLD) {
            o->ssi_status = i->si_status;
            o->ssi_utime = (uint64_t)i->si_utime;
            o->ssi_stime = (uint64_t)i->si_stime;
        } else {
            o->ssi_ptr = i->si_ptr;
            o->ssi_int = i->si_int;
        }
    }
}

static int64_t signalfd_read(struct file *f, struct uio *u, uint64_t off) {
    struct signalfd *s = f->priv;
    struct linux_signalfd_siginfo out;
    struct linux_siginfo info;
    int64_t done = 0;
    if (u->left < sizeof out)
        return -LINUX_EINVAL;
    while (u->left >= sizeof out && take(s, &info)) {
        fill(&out, &info);
        if (uio_to(u, &out, sizeof out) != (int64_t)sizeof out)
            return done ? done : -LINUX_EFAULT;  // as on Linux the signal is lost
        done += (int64_t)sizeof out;
    }
    return done ? done : -LINUX_EAGAIN;
}

static uint32_t signalfd_poll(struct file *f, struct waiter *w) {
    struct signalfd *s = f->priv;
    if (w)
        waitq_add(&s->wait, w);
    LOCKED(&s->g->sig_lock);
    return pending(s) ? LINUX_POLLIN | LINUX_POLLRDNORM : 0;
}

static void signalfd_release(struct file *f) {
    struct signalfd *s = f->priv;
    {
        LOCKED(&s->g->sig_lock);
        struct signalfd **p = &s->g->signalfds;
        while (*p != s)
            p = &(*p)->next;
        *p = s->next;
    }
    waitq_destroy(&s->wait);
    tgroup_put(s->g);
    free(s);
}

static const struct file_ops signalfd_ops = {
    .seek = SEEK_NOWHERE,
    .read = signalfd_read,
    .poll = signalfd_poll,
    .release = signalfd_release,
};

int signalfd_set_mask(struct file *f, uint64_t mask) {
    if (f->ops != &signalfd_ops)
        return -LINUX_EINVAL;
    struct signalfd *s = f->priv;
    LOCKED(&s->g->sig_lock);
    s->mask = mask & ~SIGSET_UNBLOCKABLE;
    waitq_wake(&s->wait, LINUX_POLLIN);
    return 0;
}

int signalfd_open(struct task *t, uint64_t mask, unsigned flags, struct file **out) {
    struct signalfd *s = znew(struct signalfd);
    if (!s)
        return -LINUX_ENOMEM;
    waitq_init(&s->wait);
    s->g = tgroup_get(t->tg);
    s->mask = mask & ~SIGSET_UNBLOCKABLE;
    {
        LOCKED(&t->tg->sig_lock);
        s->next = t->tg->signalfds;
        t->tg->signalfds = s;
    }
    int err =
        file_anon(t->k->vfs, "anon_inode:[signalfd]", NULL, &signalfd_ops, s, LINUX_O_RDWR | flags, out);
    if (err < 0) {
        struct file gone = {.priv = s};
        signalfd_release(&gone);
    }
    return err;
}
