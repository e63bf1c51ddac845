// SPDX-License-Identifier: Apache-2.0
// See async.h. Who wants signals is a waiter on the file's own queue, like any other. But a wake-up function
// runs under locks that sending a signal would take, so it only puts the file on the kernel's queue of what
// is due; the sentry thread that woke it sends when its handler has returned (sentry/run/run.c), before the
// guest sees the result of its call.
//
// An owner is a number and the use of that number that was meant (struct kernel, pid_uses): nothing is held,
// and who comes to have the number later is not signalled. Rights are those of whoever set the owner, checked
// at each signal.
//
// Locks: async->lock (RANK_EPOLL) while it is switched on or off, which asks the file; the queue's
// (RANK_LEAF) for the list and all that sending reads. LIMIT: several events between two returns to guests
// are told as one.
#include "sentry/fd/async.h"
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "base/fault.h"
#include "fs/landlock.h"
#include "fs/tty/ctty.h"
#include "fs/vfs.h"
#include "sentry/fd/epoll.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/signal/signal.h"
#include "sentry/run/run.h"
#include "sentry/socket/socket.h"
#include <stdlib.h>

struct owner {
    int type;           // LINUX_F_OWNER_*
    int32_t pid;        // 0: nobody
    uint32_t use;       // of that number
    uint32_t uid, euid; // of who set it
    struct landlock_domain *landlock;  // owned: likewise, unless it is a process's own
};

struct target {  // what sending needs to know
    struct owner owner;
    int sig;    // F_SETSIG; 0: SIGIO without details
    int fd;
};

struct async {
    struct async_queue *q;  // [c]
    struct lock lock;
    struct waiter waiter;   // [lock]
    struct target to;       // [q->lock]
    struct list due_link;   // [q->lock]
    uint32_t due;           // [q->lock] LINUX_POLL* to be told
};

void async_queue_init(struct async_queue *q) {
    *q = (struct async_queue){0};
    lock_init(&q->lock, RANK_LEAF);
    list_init(&q->due);
}
void async_queue_destroy(struct async_queue *q) { lock_destroy(&q->lock); }

// ---- The object -------------------------------------------------------------------------------------------
// That of f, made when there is none. NULL: no memory.
static struct async *async_of(struct task *t, struct file *f) {
    struct async *a = atomic_load(&f->async), *none = NULL;
    if (a)
        return a;
    a = znew(struct async);
    if (!a)
        return NULL;
    a->q = &t->k->async;
    lock_init(&a->lock, RANK_EPOLL);
    list_init(&a->due_link);
    watch_file_end(f);
    if (atomic_compare_exchange_strong(&f->async, &none, a))
        return a;
    lock_destroy(&a->lock);
    free(a);
    return none;
}

// The last reference of f is gone: nobody switches it on or off any more.
static void async_forget(struct file *f) {
    struct async *a = atomic_load(&f->async);
    if (!a)
        return;
    waitq_del(&a->waiter);
    {
        LOCKED(&a->q->lock);
        if (list_linked(&a->due_link))
            atomic_fetch_sub(&a->q->ndue, 1);
        list_del(&a->due_link);
    }
    lock_destroy(&a->lock);
    landlock_put(a->to.owner.landlock);
    free(a);
}

static void file_told(struct file *f);

static void file_ended(void *owner, struct file *f) {
    struct kernel *k = owner;
    epoll_forget(&k->epolls, f);
    async_forget(f);
}

void watch_file_end(struct file *f) { atomic_store(&f->watched, true); }

void watch_file_ends(struct kernel *k, bool on) {
    vfs_set_watched_release(k->vfs, on ? file_ended : NULL, k);
    vfs_set_file_told(k->vfs, on ? file_told : NULL);
}

// ---- Events -----------------------------------------------------------------------------------------------
// The queue's lock is held.
static void note_due(struct async *a, uint32_t events) {
    a->due |= events;
    if (a->due && !list_linked(&a->due_link)) {
        list_add_tail(&a->q->due, &a->due_link);
        atomic_fetch_add(&a->q->ndue, 1);
    }
}

// Under the lock of the file's queue.
static bool wake_async(struct waiter *w, uint32_t events) {
    struct async *a = w->arg;
    if (events & VFS_WAKE_QUIET)
        return false;
    LOCKED(&a->q->lock);
    note_due(a, events & w->events);
    return true;
}

static int default_owner(struct task *t, struct file *f);
static int set_owner(struct task *t, struct file *f, int type, int32_t pid);

int async_set(struct task *t, struct file *f, int fd, bool on) {
    uint32_t events = f->ops->async ? f->ops->async(f) : 0;
    if (!events)
        return -LINUX_ENOTTY;
    struct async *a = async_of(t, f);
    if (!a || (on && default_owner(t, f) < 0))
        return -LINUX_ENOMEM;
    LOCKED(&a->lock);
    waitq_del(&a->waiter);
    if (!on) {
        atomic_fetch_and(&f->flags, ~(uint32_t)LINUX_O_ASYNC);
        return 0;
    }
    {
        LOCKED(&a->q->lock);
        a->to.fd = fd;
    }
    a->waiter = (struct waiter){.events = events, .wake = wake_async, .arg = a};
    vfs_poll(f, &a->waiter);
    atomic_fetch_or(&f->flags, LINUX_O_ASYNC);
    return 0;
}

// With locks of fs/ held.
static void file_told(struct file *f) {
    struct async *a = atomic_load(&f->async);
    if (!a)
        return;
    LOCKED(&a->q->lock);
    note_due(a, LINUX_POLLMSG);
}

int async_begin(struct task *t, struct file *f, int fd) {
    struct async *a = async_of(t, f);
    if (!a)
        return -LINUX_ENOMEM;
    bool owned;
    {
        LOCKED(&a->q->lock);
        a->to.fd = fd;
        owned = a->to.owner.pid;
    }
    return owned ? 0 : set_owner(t, f, LINUX_F_OWNER_PID, t->tg->pid);
}

// ---- Sending ----------------------------------------------------------------------------------------------
// Kinds of events, as si_code says them, with what si_band holds then (fs/fcntl.c of Linux has the same
// table). A hang-up of a socket is told alone, and the end of what comes as input.
static const struct band {
    uint32_t when, unless;
    int code;
    uint32_t band;
} bands[] = {
    {LINUX_POLLHUP, 0, LINUX_POLL_HUP, LINUX_POLLHUP | LINUX_POLLERR},
    {LINUX_POLLPRI, LINUX_POLLHUP, LINUX_POLL_PRI, LINUX_POLLPRI | LINUX_POLLRDBAND},
    {LINUX_POLLIN | LINUX_POLLRDHUP, LINUX_POLLHUP, LINUX_POLL_IN, LINUX_POLLIN | LINUX_POLLRDNORM},
    {LINUX_POLLMSG, 0, LINUX_POLL_MSG, LINUX_POLLIN | LINUX_POLLRDNORM | LINUX_POLLMSG},
    {LINUX_POLLOUT, LINUX_POLLHUP | LINUX_POLLRDHUP, LINUX_POLL_OUT,
     LINUX_POLLOUT | LINUX_POLLWRNORM | LINUX_POLLWRBAND},
};

// Signals whose codes mean something else: si_code is SI_SIGIO then.
#define OWN_CODES \
    (SIGBIT(LINUX_SIGILL) | SIGBIT(LINUX_SIGFPE) | SIGBIT(LINUX_SIGSEGV) | SIGBIT(LINUX_SIGBUS) | \
     SIGBIT(LINUX_SIGTRAP) | SIGBIT(LINUX_SIGCHLD) | SIGBIT(LINUX_SIGSYS))

static bool may_signal(const struct owner *o, const struct cred *c) {
    return o->euid == 0 || o->euid == c->suid || o->euid == c->uid || o->uid == c->suid || o->uid == c->uid;
}

// One thread (t), or t's process. tasks_lock is held. A queue that is full is told by a plain SIGIO.
static void send_one(const struct target *to, struct task *t, bool thread, const struct band *b) {
    if (!t || !may_signal(&to->owner, t->cred) ||
        landlock_is_scoped(to->owner.landlock, t->cred->landlock, LINUX_LANDLOCK_SCOPE_SIGNAL))
        return;
    if (to->sig) {
        struct linux_siginfo info = {.si_signo = to->sig, .si_code = b->code};
        if (SIGBIT(to->sig) & OWN_CODES)
            info.si_code = LINUX_SI_SIGIO;
        info.si_band = b->band;
        info.si_fd = to->fd;
        if (!(thread ? signal_send_task(t, to->sig, &info) : signal_send_group(t->tg, to->sig, &info)))
            return;
    }
    if (thread)
        signal_send_task(t, LINUX_SIGIO, NULL);
    else
        signal_send_group(t->tg, LINUX_SIGIO, NULL);
}

static void send_to(struct kernel *k, const struct target *to, const struct band *b) {
    const struct owner *o = &to->owner;
    LOCKED(&k->tasks_lock);
    if (!o->pid || k->pid_uses[o->pid] != o->use)
        return;
    if (o->type != LINUX_F_OWNER_PGRP) {
        send_one(to, k->pids[o->pid], o->type == LINUX_F_OWNER_TID, b);
        return;
    }
    struct pgroup *p = pgroup_find(k, o->pid);
    struct tgroup *g;
    if (p)
        list_for_each(g, &p->members, pgrp_link)
            send_one(to, g->leader, false, b);
}

static bool take_due(struct async_queue *q, struct target *to, uint32_t *events) {
    LOCKED(&q->lock);
    if (list_empty(&q->due))
        return false;
    struct async *a = list_first(&q->due, struct async, due_link);
    list_del(&a->due_link);
    atomic_fetch_sub(&q->ndue, 1);
    *to = a->to;
    landlock_get(to->owner.landlock);
    *events = a->due;
    a->due = 0;
    return true;
}

void async_send_due(struct kernel *k) {
    struct target to;
    uint32_t events;
    while (take_due(&k->async, &to, &events)) {
        for (unsigned i = 0; i < sizeof bands / sizeof bands[0]; i++)
            if ((events & bands[i].when) && !(events & bands[i].unless))
                send_to(k, &to, &bands[i]);
        landlock_put(to.owner.landlock);
    }
}

// ---- Owners -----------------------------------------------------------------------------------------------
static int set_owner(struct task *t, struct file *f, int type, int32_t pid) {
    struct owner o = {.type = type};
    if (pid) {
        struct kernel *k = t->k;
        if (pid < 0 || pid >= PID_MAX)
            return -LINUX_ESRCH;
        LOCKED(&k->tasks_lock);
        if (!k->pids[pid] && !k->tgs[pid] && !pid_names_group(k, pid))
            return -LINUX_ESRCH;
        o = (struct owner){type, pid, k->pid_uses[pid], t->cred->uid, t->cred->euid, NULL};
        bool own = type != LINUX_F_OWNER_PGRP && k->pids[pid] && k->pids[pid]->tg == t->tg;
        if (!own)
            o.landlock = landlock_get(t->cred->landlock);
    }
    struct async *a = async_of(t, f);
    if (!a) {
        landlock_put(o.landlock);
        return -LINUX_ENOMEM;
    }
    struct landlock_domain *was;
    {
        LOCKED(&a->q->lock);
        was = a->to.owner.landlock;
        a->to.owner = o;
    }
    landlock_put(was);
    return 0;
}

// As t calls it.
static int set_named(struct task *t, struct file *f, int type, int32_t nr) {
    int32_t pid = nr > 0 ? task_pid_in(t, nr) : nr;
    return nr > 0 && !pid ? -LINUX_ESRCH : set_owner(t, f, type, pid);
}

// F_SETOWN: a process, or the group -who.
static int set_who(struct task *t, struct file *f, int32_t who) {
    if (who == INT32_MIN)
        return -LINUX_EINVAL;
    return set_named(t, f, who < 0 ? LINUX_F_OWNER_PGRP : LINUX_F_OWNER_PID, who < 0 ? -who : who);
}

// A terminal's is by itself the foreground group, when nobody has been named; a pty's master is its opener's.
static int default_owner(struct task *t, struct file *f) {
    struct ctty *c = file_ctty(f);
    struct async *a = atomic_load(&f->async);
    if (!c && !pty_is_master(f))
        return 0;
    if (a) {
        LOCKED(&a->q->lock);
        if (a->to.owner.pid)
            return 0;
    }
    int32_t foreground = 0;
    if (c) {
        LOCKED(&t->k->tasks_lock);
        foreground = c->pgrp;
    }
    if (foreground && set_owner(t, f, LINUX_F_OWNER_PGRP, foreground) == 0)
        return 0;
    return set_owner(t, f, LINUX_F_OWNER_PID, t->tg->pid);
}

static struct target target_of(struct file *f) {
    const struct async *a = atomic_load(&f->async);
    if (!a)
        return (struct target){0};
    LOCKED(&a->q->lock);
    return a->to;
}

static bool owner_exists(struct kernel *k, const struct owner *o) {
    switch (o->type) {
    case LINUX_F_OWNER_TID:
        return k->pids[o->pid] != NULL;
    case LINUX_F_OWNER_PID:
        return k->tgs[o->pid] != NULL;
    default:
        return pgroup_find(k, o->pid) != NULL;
    }
}

// The owner as F_GETOWN_EX gives it: none (0) when it is no more.
static struct linux_f_owner_ex shown_owner(struct kernel *k, const struct owner *o) {
    struct linux_f_owner_ex ex = {.type = o->type};
    LOCKED(&k->tasks_lock);
    if (!o->pid || k->pid_uses[o->pid] != o->use)
        return ex;
    const struct task *t = task_current;
    ex.pid = owner_exists(k, o) ? o->pid : 0;
    if (t && ex.pid)
        ex.pid = pid_out(t->tg->pid_ns, ex.pid);
    return ex;
}

static int32_t shown_who(struct kernel *k, const struct owner *o) {
    struct linux_f_owner_ex ex = shown_owner(k, o);
    return ex.type == LINUX_F_OWNER_PGRP ? -ex.pid : ex.pid;
}

// ---- Calls ------------------------------------------------------------------------------------------------
static int64_t set_signal(struct task *t, struct file *f, uint64_t sig) {
    if (sig > LINUX_NSIG)
        return -LINUX_EINVAL;
    struct async *a = async_of(t, f);
    if (!a)
        return -LINUX_ENOMEM;
    LOCKED(&a->q->lock);
    a->to.sig = (int)sig;
    return 0;
}

static int64_t set_owner_ex(struct task *t, struct file *f, uint64_t arg) {
    struct linux_f_owner_ex ex;
    if (copy_in_obj(t, &ex, uaddr(arg)) < 0)
        return -LINUX_EFAULT;
    if (ex.type < LINUX_F_OWNER_TID || ex.type > LINUX_F_OWNER_PGRP)
        return -LINUX_EINVAL;
    return set_named(t, f, ex.type, ex.pid);
}

int64_t async_fcntl(struct task *t, struct file *f, unsigned cmd, uint64_t arg) {
    struct target to = target_of(f);
    switch (cmd) {
    case LINUX_F_SETOWN:
        return set_who(t, f, (int32_t)arg);
    case LINUX_F_GETOWN:
        return shown_who(t->k, &to.owner);
    case LINUX_F_SETOWN_EX:
        return set_owner_ex(t, f, arg);
    case LINUX_F_GETOWN_EX: {
        struct linux_f_owner_ex ex = shown_owner(t->k, &to.owner);
        return copy_out_obj(t, uaddr(arg), &ex);
    }
    case LINUX_F_GETOWNER_UIDS: {
        uint32_t ids[2] = {to.owner.uid, to.owner.euid};
        return copy_out_obj(t, uaddr(arg), &ids);
    }
    case LINUX_F_SETSIG:
        return set_signal(t, f, arg);
    default:
        return to.sig;
    }
}

int64_t async_ioctl(struct task *t, struct file *f, unsigned cmd, uint64_t arg) {
    int32_t who;
    if (cmd == LINUX_FIOGETOWN || cmd == LINUX_SIOCGPGRP) {
        struct target to = target_of(f);
        who = shown_who(t->k, &to.owner);
        return copy_out_obj(t, uaddr(arg), &who);
    }
    return copy_in_obj(t, &who, uaddr(arg)) < 0 ? -LINUX_EFAULT : set_who(t, f, who);
}
