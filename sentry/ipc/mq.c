// SPDX-License-Identifier: Apache-2.0
// See mq.h. One lock for all queues of a namespace: what is done under it is short, but for a send among many
// messages of other priorities, of which a queue's attribute bounds the number.
#include "sentry/ipc/mq.h"
#include "sentry/ipc/mq_impl.h"
#include "abi/caps.h"
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "abi/resource.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/user_ns.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/run/park.h"
#include "sentry/run/run.h"
#include "sentry/signal/signal.h"
#include "sentry/socket/socket.h"
#include "sentry/ipc/ipc_ns.h"
#include "sentry/proc/nsproxy.h"
#include <stdio.h>
#include <string.h>

#define HARD_MSG_MAX     65536u
#define HARD_MSGSIZE_MAX (16u << 20)
#define MESSAGE_COST     48u  // of each message that a queue has room for, twice, as RLIMIT_MSGQUEUE counts
#define MEMORY_MAX       (64u << 20)  // of all messages of a namespace

bool mq_is(const struct file *f) { return f->ops == &mq_ops; }
static struct mqueue *queue_of(struct file *f) { return f->priv; }

void mq_table_init(struct mq_table *x) {
    lock_init(&x->lock, RANK_OBJECT);
    list_init(&x->queues);
}

// ---- Life -------------------------------------------------------------------------------------------------
// lock held
static void unlink_queue(struct mq_table *x, struct mqueue *q) {
    list_del(&q->link);
    x->bytes -= q->queued + (uint64_t)q->count * sizeof(struct mq_message);
}

static void queue_free(struct mqueue *q) {
    struct mq_message *m, *tmp;
    list_for_each_safe(m, tmp, &q->messages, link) {
        list_del(&m->link);
        free(m);
    }
    waitq_destroy(&q->wait);
    free(q->name);
    free(q);
}

void queue_put(struct mqueue *q) {
    struct mq_table *x = q->table;
    {
        LOCKED(&x->lock);  // look-ups by name take references under it
        if (!ref_put(&q->refs))
            return;
        unlink_queue(x, q);
    }
    queue_free(q);
}

void mq_table_destroy(struct mq_table *x) {
    struct mqueue *q, *tmp;
    list_for_each_safe(q, tmp, &x->queues, link) {
        list_del(&q->link);
        queue_free(q);
    }
    lock_destroy(&x->lock);
}

// ---- Notices ----------------------------------------------------------------------------------------------
// Taken off under the lock, told or dropped outside of it.
static struct mq_notice take_notice(struct mqueue *q) {
    struct mq_notice n = q->notice;
    q->notice = (struct mq_notice){0};
    return n;
}

// how: LINUX_NOTIFY_*, as SIGEV_THREAD's socket hears of it.
static void tell_socket(struct mq_notice *n, unsigned char how) {
    if (!n->netlink)
        return;
    n->cookie[LINUX_NOTIFY_COOKIE_LEN - 1] = how;
    netlink_deliver(socket_of(n->netlink), n->cookie, sizeof n->cookie);
    file_put(n->netlink);
}

static void drop_notice(struct mq_notice *n, unsigned char how) {
    if (!n->to)
        return;
    tell_socket(n, how);
    tgroup_put(n->to);
}

// The sender, in the numbers of who gets it.
static void send_notice(const struct mq_notice *n, const struct task *sender) {
    struct linux_siginfo info = {.si_signo = n->event.sigev_signo, .si_code = LINUX_SI_MESGQ};
    LOCKED(&sender->k->tasks_lock);
    const struct task *its = n->to->leader;
    info.si_pid = pid_out(n->to->pid_ns, sender->tg->pid);
    info.si_uid = idmap_shown(its ? user_ns_uids(its->cred->user) : NULL, sender->cred->uid);
    info.si_ptr = n->event.sigev_value.sival_ptr;
    signal_send_group(n->to, info.si_signo, &info);
}

static void give_notice(struct mq_notice *n, const struct task *sender) {
    if (n->to && n->event.sigev_notify == LINUX_SIGEV_SIGNAL && n->event.sigev_signo)
        send_notice(n, sender);
    drop_notice(n, LINUX_NOTIFY_WOKENUP);
}

int do_mq_notify(struct task *t, struct file *f, const struct linux_sigevent *ev, struct file *netlink,
                 const unsigned char *cookie) {
    struct mqueue *q = queue_of(f);
    struct mq_notice old = {0};
    int err = 0;
    {
        LOCKED(&q->table->lock);
        if (!ev) {
            if (q->notice.to == t->tg)
                old = take_notice(q);
        } else if (q->notice.to) {
            err = -LINUX_EBUSY;
        } else {
            q->notice.to = tgroup_get(t->tg);
            q->notice.files = t->files;
            q->notice.event = *ev;
            q->notice.netlink = netlink ? file_get(netlink) : NULL;
            if (cookie)
                memcpy(q->notice.cookie, cookie, sizeof q->notice.cookie);
        }
    }
    drop_notice(&old, LINUX_NOTIFY_REMOVED);
    return err;
}

// ---- The file ---------------------------------------------------------------------------------------------
static int64_t mq_read(struct file *f, struct uio *u, uint64_t off) {
    struct mqueue *q = queue_of(f);
    char text[MQ_SHOWN_SIZE + 1] = {0};
    struct linux_sigevent event = {0};
    unsigned long long queued;
    int32_t pid = 0;  // whom it tells
    {
        LOCKED(&q->table->lock);
        const struct mq_notice *o = &q->notice;
        queued = q->queued;
        if (o->to) {
            event = o->event;
            pid = o->to->pid;
        }
    }
    int n = snprintf(text, sizeof text, "QSIZE:%-10llu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", queued,
                     event.sigev_notify, event.sigev_notify == LINUX_SIGEV_SIGNAL ? event.sigev_signo : 0,
                     task_current ? task_pid_out(task_current, pid) : pid);
    if (off >= (uint64_t)n)
        return 0;
    uint64_t left = (uint64_t)n - off;
    return uio_to(u, text + off, left < u->left ? left : u->left);
}

static uint32_t mq_poll(struct file *f, struct waiter *w) {
    struct mqueue *q = queue_of(f);
    if (w)
        waitq_add(&q->wait, w);
    LOCKED(&q->table->lock);
    return (q->count ? LINUX_POLLIN | LINUX_POLLRDNORM : 0) |
           (q->count < q->max ? LINUX_POLLOUT | LINUX_POLLWRNORM : 0);
}

// A process that closes the queue hears of no message any more.
static int mq_flush(struct file *f, void *owner) {
    struct mqueue *q = queue_of(f);
    struct mq_notice old = {0};
    {
        LOCKED(&q->table->lock);
        if (q->notice.to && q->notice.files == owner)
            old = take_notice(q);
    }
    drop_notice(&old, LINUX_NOTIFY_REMOVED);
    return 0;
}

// An open queue keeps its namespace.
static struct ns *ns_of(const struct mqueue *q) { return &container_of(q->table, struct ipc_ns, mq)->ns; }
void mq_open_file(struct mqueue *q, struct file *f) {
    ref_get(&q->refs);
    ns_get(ns_of(q));
    f->priv = q;
    f->ops = &mq_ops;
}

static void mq_release(struct file *f) {
    struct mqueue *q = queue_of(f);
    struct mq_notice old = {0};
    if (!q)
        return;
    {
        LOCKED(&q->table->lock);
        if (ref_read(&q->refs) == 1 || (ref_read(&q->refs) == 2 && q->name))
            old = take_notice(q);  // the last file: its process has ended, or has closed it
    }
    drop_notice(&old, LINUX_NOTIFY_REMOVED);
    struct ns *ns = ns_of(q);
    queue_put(q);
    ns_put(ns);
}

const struct file_ops mq_ops = {
    .read = mq_read, .poll = mq_poll, .flush = mq_flush, .release = mq_release, .seek = SEEK_NO_END};

static int queue_file(struct task *t, struct mqueue *q, unsigned flags, struct file **out) {
    char name[MQ_NAME_MAX + 2];
    struct inode *i = vfs_anon_inode(t->k->vfs, LINUX_S_IFREG | q->mode, q->uid, q->gid);
    if (!i) {
        queue_put(q);
        return -LINUX_ENOMEM;
    }
    i->attr.size = MQ_SHOWN_SIZE;
    {
        LOCKED(&q->table->lock);
        snprintf(name, sizeof name, "/%s", q->name ? q->name : "");
    }
    int err = file_anon(t->k->vfs, name, i, &mq_ops, q, flags, out);
    if (err < 0)
        queue_put(q);
    if (err < 0)
        return err;
    ns_get(ns_of(q));
    (*out)->mode |= FMODE_SEEK;  // of the text that read(2) gives
    return 0;
}

// ---- Names ------------------------------------------------------------------------------------------------
struct mqueue *mq_find(struct mq_table *x, const char *name) {
    struct mqueue *q;
    list_for_each(q, &x->queues, link)
        if (q->name && strcmp(q->name, name) == 0)
            return q;
    return NULL;
}

static int check_name(const char *name) {
    if (!*name)
        return -LINUX_ENOENT;
    if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return -LINUX_EACCES;
    return strlen(name) > MQ_NAME_MAX ? -LINUX_ENAMETOOLONG : 0;
}

static int check_attr(struct task *t, const struct linux_mq_attr *a) {
    bool may = task_capable(t, LINUX_CAP_SYS_RESOURCE);
    int64_t max = may ? HARD_MSG_MAX : kernel_knob(t->k, KNOB_MQ_MSG_MAX),
            size = may ? HARD_MSGSIZE_MAX : kernel_knob(t->k, KNOB_MQ_SIZE_MAX);
    return a->mq_maxmsg <= 0 || a->mq_msgsize <= 0 || a->mq_maxmsg > max || a->mq_msgsize > size
               ? -LINUX_EINVAL
               : 0;
}

static int64_t default_of(struct task *t, enum knob_id first, enum knob_id most) {
    int64_t v = kernel_knob(t->k, first), max = kernel_knob(t->k, most);
    return v < max ? v : max;
}

static uint64_t charge(int64_t max, int64_t size) {
    return (uint64_t)max * (2 * MESSAGE_COST + (uint64_t)size);
}

// RLIMIT_MSGQUEUE counts what a user's queues may come to hold.
static bool user_has_room(struct task *t, struct mq_table *x, const struct mqueue *made) {
    uint64_t all = charge(made->max, made->msgsize);
    const struct mqueue *q;
    list_for_each(q, &x->queues, link)
        if (q->user == made->user)
            all += charge(q->max, q->msgsize);
    return all <= task_rlimit(t, LINUX_RLIMIT_MSGQUEUE);
}

static struct mqueue *queue_new(struct task *t, struct mq_table *x, const char *name, uint32_t mode,
                                const struct linux_mq_attr *a) {
    struct mqueue *q = znew(struct mqueue);
    if (!q || !(q->name = xstrdup(name))) {
        free(q);
        return NULL;
    }
    ref_init(&q->refs, 1);
    q->table = x;
    list_init(&q->link);
    list_init(&q->messages);
    waitq_init(&q->wait);
    q->max = a ? a->mq_maxmsg : default_of(t, KNOB_MQ_MSG_DEFAULT, KNOB_MQ_MSG_MAX);
    q->msgsize = a ? a->mq_msgsize : default_of(t, KNOB_MQ_SIZE_DEFAULT, KNOB_MQ_SIZE_MAX);
    q->uid = t->cred->fsuid;
    q->gid = t->cred->fsgid;
    q->user = t->cred->uid;
    q->mode = mode & 07777;
    return q;
}

static int may_open(struct task *t, const struct mqueue *q, unsigned flags) {
    unsigned acc = flags & LINUX_O_ACCMODE;
    if (acc == LINUX_O_ACCMODE)
        return -LINUX_EINVAL;
    int mask = acc == LINUX_O_RDONLY ? MAY_READ : MAY_WRITE;
    struct inode i = {.type = LINUX_S_IFREG,
                      .attr = {.mode = LINUX_S_IFREG | q->mode, .uid = q->uid, .gid = q->gid}};
    if (acc == LINUX_O_RDWR)
        mask = MAY_READ | MAY_WRITE;
    TASK_VFS_CTX(t, ctx);
    return vfs_mode_permission(&i, mask, &ctx.cred);
}

// The queue of that name, referenced; made for O_CREAT, from `made`, which is taken over then.
static int look_up(struct task *t, struct mq_table *x, const char *name, unsigned flags, struct mqueue **made,
                   struct mqueue **out) {
    LOCKED(&x->lock);
    struct mqueue *q = mq_find(x, name);
    if (q && (flags & LINUX_O_CREAT) && (flags & LINUX_O_EXCL))
        return -LINUX_EEXIST;
    if (!q && !*made)
        return -LINUX_ENOENT;
    if (!q) {
        if (x->named >= kernel_knob(t->k, KNOB_MQ_QUEUES) && !task_capable(t, LINUX_CAP_SYS_RESOURCE))
            return -LINUX_ENOSPC;
        if (!user_has_room(t, x, *made))
            return -LINUX_EMFILE;
        q = take_ptr(*made);
        q->number = ++x->last;
        list_add_tail(&x->queues, &q->link);
        x->named++;
    }
    ref_get(&q->refs);
    *out = q;
    return 0;
}

int do_mq_open(struct task *t, const char *name, unsigned flags, uint32_t mode,
               const struct linux_mq_attr *attr, struct file **out) {
    struct mqueue *q = NULL, *made = NULL;
    int err = check_name(name);
    if (err < 0)
        return err;
    struct mq_table *x = &task_ipc(t)->mq;
    err = look_up(t, x, name, flags, &made, &q);
    bool fresh = err == -LINUX_ENOENT && (flags & LINUX_O_CREAT);
    if (fresh) {
        err = attr ? check_attr(t, attr) : 0;
        if (err < 0)
            return err;
        TASK_VFS_CTX(t, ctx);
        made = queue_new(t, x, name, mode & ~ctx.umask, attr);
        if (!made)
            return -LINUX_ENOMEM;
        err = look_up(t, x, name, flags, &made, &q);
        fresh = !made;
        if (made)
            queue_free(made);
    }
    if (err == 0 && !fresh)
        err = may_open(t, q, flags);
    if (err == 0)
        return queue_file(t, q, flags & (LINUX_O_ACCMODE | LINUX_O_NONBLOCK), out);
    if (q)
        queue_put(q);
    return err;
}

int mq_make(struct task *t, struct mq_table *x, const char *name, uint32_t mode, struct mqueue **out) {
    struct mqueue *made = queue_new(t, x, name, mode, NULL);
    if (!made)
        return -LINUX_ENOMEM;
    int err = look_up(t, x, name, LINUX_O_CREAT | LINUX_O_EXCL, &made, out);
    if (made)
        queue_free(made);
    return err;
}

void mq_drop_name(struct mqueue *q) {
    free(take_ptr(q->name));
    q->table->named--;
}

int do_mq_unlink(struct task *t, const char *name) {
    struct mq_table *x = &task_ipc(t)->mq;
    struct mqueue *q;
    int err = check_name(name);
    if (err < 0)
        return err;
    {
        LOCKED(&x->lock);
        q = mq_find(x, name);
        if (!q)
            return -LINUX_ENOENT;
        if (q->uid != t->cred->fsuid && t->cred->fsuid != 0 && !task_capable(t, LINUX_CAP_FOWNER))
            return -LINUX_EPERM;
        mq_drop_name(q);
    }
    queue_put(q);
    return 0;
}

// ---- Messages ---------------------------------------------------------------------------------------------
int64_t mq_message_size(struct file *f) { return queue_of(f)->msgsize; }

void mq_attr(struct file *f, struct linux_mq_attr *out) {
    struct mqueue *q = queue_of(f);
    LOCKED(&q->table->lock);
    *out = (struct linux_mq_attr){.mq_flags = atomic_load(&f->flags) & LINUX_O_NONBLOCK,
                                  .mq_maxmsg = q->max,
                                  .mq_msgsize = q->msgsize,
                                  .mq_curmsgs = q->count};
}

void mq_arm(struct task *t, struct file *f) { park_arm_in(t, f, &queue_of(f)->wait); }

void mq_waits(struct file *f, int delta) {
    struct mqueue *q = queue_of(f);
    LOCKED(&q->table->lock);
    q->receivers += (unsigned)delta;
}

static void put_in_order(struct mqueue *q, struct mq_message *m) {
    struct list *at = q->messages.prev;
    while (at != &q->messages && list_entry(at, struct mq_message, link)->prio < m->prio)
        at = at->prev;
    list_insert(&m->link, at, at->next);
}

int mq_send(struct task *t, struct file *f, struct mq_message **m) {
    struct mqueue *q = queue_of(f);
    struct mq_table *x = q->table;
    struct mq_notice notice = {0};
    {
        LOCKED(&x->lock);
        uint64_t cost = (*m)->size + sizeof **m;
        if (q->count >= q->max)
            return -LINUX_EAGAIN;
        if (x->bytes + cost > ipc_share((const struct ipc_ns *)ns_of(q), MEMORY_MAX))
            return -LINUX_ENOMEM;
        if (q->count == 0 && q->receivers == 0)
            notice = take_notice(q);
        x->bytes += cost;
        q->queued += (*m)->size;
        q->count++;
        put_in_order(q, take_ptr(*m));
    }
    waitq_wake(&q->wait, LINUX_POLLIN | LINUX_POLLRDNORM);
    give_notice(&notice, t);
    return 0;
}

int mq_receive(struct task *t, struct file *f, struct mq_message **m) {
    struct mqueue *q = queue_of(f);
    {
        LOCKED(&q->table->lock);
        if (q->count == 0)
            return -LINUX_EAGAIN;
        *m = list_first(&q->messages, struct mq_message, link);
        list_del(&(*m)->link);
        q->count--;
        q->queued -= (*m)->size;
        q->table->bytes -= (*m)->size + sizeof **m;
    }
    waitq_wake(&q->wait, LINUX_POLLOUT | LINUX_POLLWRNORM);
    return 0;
}
