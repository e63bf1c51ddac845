// SPDX-License-Identifier: Apache-2.0
// Supervisors: calls that a filter hands to another process (SECCOMP_RET_USER_NOTIF, seccomp_unotify(2)), and
// the file by which that process takes and answers them.
//
// A call that is asked about (struct asked) belongs to its task's call, and is on its listener's list as long
// as that call lives:
//   ASKED     nobody has taken it                    -> TOLD (NOTIF_RECV), ANSWERED (the listener is closed)
//   TOLD      the supervisor knows of it             -> ASKED (it could not be told), ANSWERED (NOTIF_SEND
//   ...) ANSWERED  the task has been woken, and goes on
//
// Locks: the listener's own; a descriptor table's is taken with none held. Tasks are woken under it.
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/mm/usercopy.h"
#include "sentry/run/park.h"
#include "sentry/seccomp/seccomp.h"
#include <string.h>

enum ask_state { ASKED, TOLD, ANSWERED };
static const unsigned may_become[] = {
    [ASKED] = 1u << TOLD | 1u << ANSWERED,
    [TOLD] = 1u << ASKED | 1u << ANSWERED,
    [ANSWERED] = 0,
};

struct asked {
    struct list link;                   // [lock]
    struct seccomp_listener *listener;  // owned
    struct task *task;                  // [c] borrowed: its call has this
    struct linux_seccomp_data data;     // [c]
    uint64_t id;                        // [c]
    enum ask_state state;               // [lock]
    int64_t value;                      // [lock] the answer
    bool go_on;                         // [lock] the answer is: make the call
};

struct seccomp_listener {
    struct refcount refs;  // the filter, the file, calls that wait
    struct lock lock;      // RANK_OBJECT
    struct waitq wait;     // told of new calls, of calls that have been told, of the filter's end
    struct list calls;     // [lock] struct asked
    uint64_t next_id;      // [lock]
    bool closed;           // [lock] nobody listens any more
    bool unused;           // [lock] no task has the filter any more
    bool killable;         // [c] a call that the supervisor has taken is broken off by death alone
};

static struct seccomp_listener *listener_get(struct seccomp_listener *l) {
    ref_get(&l->refs);
    return l;
}

static void listener_put(struct seccomp_listener *l) {
    if (!ref_put(&l->refs))
        return;
    waitq_destroy(&l->wait);
    lock_destroy(&l->lock);
    free(l);
}

static void set_state(struct asked *q, enum ask_state to) {
    invariant(may_become[q->state] & 1u << to);
    q->state = to;
}

// lock held
static void answer(struct asked *q, int64_t value, bool go_on) {
    set_state(q, ANSWERED);
    q->value = value;
    q->go_on = go_on;
    task_wake(q->task);
}

static struct asked *find(struct seccomp_listener *l, uint64_t id) {
    struct asked *q;
    list_for_each(q, &l->calls, link)
        if (q->id == id && q->state != ANSWERED)
            return q;
    return NULL;
}

// ---- The call's side --------------------------------------------------------------------------------------
static void ask_end(struct task *t) {
    struct asked *q = take_ptr(t->call.own.asked);
    {
        LOCKED(&q->listener->lock);
        list_del(&q->link);
    }
    listener_put(q->listener);
    free(q);
}

int64_t seccomp_ask(struct task *t, const struct seccomp_filter *by, uint64_t ip) {
    struct seccomp_listener *l = seccomp_listener_of(by);
    if (!l)
        return -LINUX_ENOSYS;
    struct asked *q = znew(struct asked);
    if (!q)
        return -LINUX_ENOMEM;
    q->listener = listener_get(l);
    q->task = t;
    q->data = seccomp_data_of(t, ip);
    list_init(&q->link);
    t->call.own.asked = q;
    t->call.cleanup = ask_end;
    t->call.supervised = true;
    {
        LOCKED(&l->lock);
        q->id = l->next_id++;
        list_add_tail(&l->calls, &q->link);
        if (l->closed)
            answer(q, -LINUX_ENOSYS, false);
    }
    waitq_wake(&l->wait, LINUX_POLLIN | LINUX_POLLRDNORM);
    return 0;
}

int64_t seccomp_supervised(struct task *t) {
    struct asked *q = t->call.own.asked;
    enum ask_state state;
    {
        LOCKED(&q->listener->lock);
        state = q->state;
    }
    if (state != ANSWERED)
        return state == TOLD && q->listener->killable ? park_killable(t) : park(t);
    t->call.value = q->value;
    if (!q->go_on)
        return SYS_ANSWER;
    t->call.supervised = false;
    return SYS_AGAIN;
}

// ---- The supervisor's side --------------------------------------------------------------------------------
// The oldest call that nobody has taken: it is told from now on. False: there is none. pid: the kernel's.
static bool take_oldest(struct seccomp_listener *l, struct linux_seccomp_notif *n) {
    LOCKED(&l->lock);
    struct asked *q;
    list_for_each(q, &l->calls, link) {
        if (q->state != ASKED)
            continue;
        set_state(q, TOLD);
        *n = (struct linux_seccomp_notif){.id = q->id, .pid = (uint32_t)q->task->tid, .data = q->data};
        return true;
    }
    return false;
}

static void untake(struct seccomp_listener *l, uint64_t id) {
    LOCKED(&l->lock);
    struct asked *q = find(l, id);
    if (q && q->state == TOLD)
        set_state(q, ASKED);
}

static bool is_unused(struct seccomp_listener *l) {
    LOCKED(&l->lock);
    return l->unused;
}

static int64_t receive(struct task *t, struct file *f, uaddr_t at) {
    struct seccomp_listener *l = f->priv;
    struct linux_seccomp_notif n, none = {0};
    if (copy_in_obj(t, &n, at) < 0)
        return -LINUX_EFAULT;
    if (memcmp(&n, &none, sizeof n) != 0)
        return -LINUX_EINVAL;
    park_arm_in(t, f, &l->wait);
    if (!take_oldest(l, &n))
        return is_unused(l) ? -LINUX_ENOENT : park(t);
    n.pid = (uint32_t)task_pid_out(t, (int32_t)n.pid);
    if (copy_out_obj(t, at, &n) < 0) {
        untake(l, n.id);
        waitq_wake(&l->wait, LINUX_POLLIN | LINUX_POLLRDNORM);
        return -LINUX_EFAULT;
    }
    waitq_wake(&l->wait, LINUX_POLLOUT | LINUX_POLLWRNORM);
    return 0;
}

static int64_t give_answer(struct seccomp_listener *l, uint64_t id, int64_t value, bool go_on) {
    LOCKED(&l->lock);
    struct asked *q = find(l, id);
    if (!q)
        return -LINUX_ENOENT;
    if (q->state != TOLD)
        return -LINUX_EINPROGRESS;
    answer(q, value, go_on);
    return 0;
}

static int64_t send(struct task *t, struct seccomp_listener *l, uaddr_t at) {
    struct linux_seccomp_notif_resp r;
    if (copy_in_obj(t, &r, at) < 0)
        return -LINUX_EFAULT;
    bool go_on = r.flags & LINUX_SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    if ((r.flags & ~LINUX_SECCOMP_USER_NOTIF_FLAG_CONTINUE) || (go_on && (r.error || r.val)))
        return -LINUX_EINVAL;
    return give_answer(l, r.id, r.error ? r.error : r.val, go_on);
}

static int64_t id_valid(struct task *t, struct seccomp_listener *l, uaddr_t at) {
    uint64_t id;
    if (copy_in_obj(t, &id, at) < 0)
        return -LINUX_EFAULT;
    LOCKED(&l->lock);
    const struct asked *q = find(l, id);
    return q && q->state == TOLD ? 0 : -LINUX_ENOENT;
}

// The task whose call that is, referenced: told of, and not answered yet. Or an error in *err.
static struct task *told_task(struct seccomp_listener *l, uint64_t id, int64_t *err) {
    LOCKED(&l->lock);
    struct asked *q = find(l, id);
    *err = -LINUX_ENOENT;
    if (!q)
        return NULL;
    *err = -LINUX_EINPROGRESS;
    return q->state == TOLD ? task_get(q->task) : NULL;
}

static int64_t put_in(struct task *to, struct file *f, const struct linux_seccomp_notif_addfd *a) {
    struct fdtable *files;
    {
        LOCKED(&to->k->tasks_lock);
        files = to->files ? fdtable_get(to->files) : NULL;
    }
    if (!files)
        return -LINUX_ESRCH;
    bool cloexec = a->newfd_flags & LINUX_O_CLOEXEC;
    uint64_t limit = task_rlimit(to, LINUX_RLIMIT_NOFILE);
    int64_t fd;
    if (a->flags & LINUX_SECCOMP_ADDFD_FLAG_SETFD)
        fd = a->newfd > INT32_MAX ? -LINUX_EBADF : fd_replace(files, f, (int)a->newfd, limit, cloexec);
    else
        fd = fd_install(files, f, 0, limit, cloexec);
    fdtable_put(files);
    return fd;
}

static int64_t add_fd(struct task *t, struct seccomp_listener *l, uaddr_t at) {
    struct linux_seccomp_notif_addfd a;
    int64_t r;
    if (copy_in_obj(t, &a, at) < 0)
        return -LINUX_EFAULT;
    if ((a.newfd_flags & ~(uint32_t)LINUX_O_CLOEXEC) ||
        (a.flags & ~(LINUX_SECCOMP_ADDFD_FLAG_SETFD | LINUX_SECCOMP_ADDFD_FLAG_SEND)) ||
        (a.newfd && !(a.flags & LINUX_SECCOMP_ADDFD_FLAG_SETFD)))
        return -LINUX_EINVAL;
    struct file *f cleanup_file = fd_get(t->files, (int)a.srcfd);
    if (!f)
        return -LINUX_EBADF;
    struct task *to = told_task(l, a.id, &r);
    if (!to)
        return r;
    int64_t fd = put_in(to, f, &a);
    task_put(to);
    if (fd < 0 || !(a.flags & LINUX_SECCOMP_ADDFD_FLAG_SEND))
        return fd;
    r = give_answer(l, a.id, fd, false);
    return r < 0 ? r : fd;
}

int64_t seccomp_listener_ioctl(struct task *t, struct file *f, unsigned cmd, uaddr_t arg) {
    struct seccomp_listener *l = f->priv;
    switch (cmd) {
    case LINUX_SECCOMP_IOCTL_NOTIF_RECV:
        return receive(t, f, arg);
    case LINUX_SECCOMP_IOCTL_NOTIF_SEND:
        return send(t, l, arg);
    case LINUX_SECCOMP_IOCTL_NOTIF_ID_VALID:
    case LINUX_SECCOMP_IOCTL_NOTIF_ID_OLD:
        return id_valid(t, l, arg);
    case LINUX_SECCOMP_IOCTL_NOTIF_ADDFD:
        return add_fd(t, l, arg);
    case LINUX_SECCOMP_IOCTL_NOTIF_SET_FLAGS:  // which core the two run on is not ours to say: 0 or
                                               // SYNC_WAKE_UP
        return arg.v > 1 ? -LINUX_EINVAL : 0;
    default:
        return -LINUX_EINVAL;
    }
}

// ---- The file ---------------------------------------------------------------------------------------------
static uint32_t listener_poll(struct file *f, struct waiter *w) {
    struct seccomp_listener *l = f->priv;
    uint32_t events = 0;
    const struct asked *q;
    if (w)
        waitq_add(&l->wait, w);
    LOCKED(&l->lock);
    list_for_each(q, &l->calls, link) {
        if (q->state == ASKED)
            events |= LINUX_POLLIN | LINUX_POLLRDNORM;
        else if (q->state == TOLD)
            events |= LINUX_POLLOUT | LINUX_POLLWRNORM;
    }
    return events | (l->unused ? LINUX_POLLHUP : 0);
}

static void listener_release(struct file *f) {
    struct seccomp_listener *l = f->priv;
    if (!l)
        return;
    {
        LOCKED(&l->lock);
        l->closed = true;
        struct asked *q;
        list_for_each(q, &l->calls, link)
            if (q->state != ANSWERED)
                answer(q, -LINUX_ENOSYS, false);
    }
    listener_put(l);
}

static const struct file_ops listener_ops = {.poll = listener_poll, .release = listener_release};

bool seccomp_is_listener(const struct file *f) { return f->ops == &listener_ops; }

void seccomp_listener_filter_gone(struct seccomp_listener *l) {
    {
        LOCKED(&l->lock);
        l->unused = true;
    }
    waitq_wake(&l->wait, LINUX_POLLHUP);
    listener_put(l);
}

// Ids begin anywhere, so that none of one listener is taken for another's.
int seccomp_listener_new(struct vfs *vfs, bool killable, struct seccomp_listener **out, struct file **file) {
    struct seccomp_listener *l = znew(struct seccomp_listener);
    if (!l)
        return -LINUX_ENOMEM;
    ref_init(&l->refs, 1);
    lock_init(&l->lock, RANK_OBJECT);
    waitq_init(&l->wait);
    list_init(&l->calls);
    l->next_id = random_u64();
    l->killable = killable;
    int err = file_anon(vfs, "anon_inode:seccomp notify", NULL, &listener_ops, l, LINUX_O_RDWR, file);
    if (err < 0) {
        listener_put(l);
        return err;
    }
    *out = listener_get(l);
    return 0;
}
