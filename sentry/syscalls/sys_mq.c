// SPDX-License-Identifier: Apache-2.0
// mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr. The queues are in sentry/ipc/mq.c.
#include "abi/fcntl.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "sentry/ipc/mq.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/run/park.h"
#include "sentry/socket/socket.h"
#include "sentry/syscalls/table.h"
#include "sentry/syscalls/wait_args.h"
#include "sentry/fd/fdtable.h"
#include "sentry/time/timeconv.h"

static int64_t copy_name(struct task *t, char *buf, uaddr_t at) {
    int64_t n = copy_in_str(t, buf, at, LINUX_PATH_MAX);
    return n < 0 ? n : 0;
}

int64_t sys_mq_open(struct task *t, const struct sysargs *a) {
    char name[LINUX_PATH_MAX];
    struct linux_mq_attr attr;
    struct file *f cleanup_file = NULL;
    bool given = arg_given(a, 3);
    if (given && copy_in_obj(t, &attr, arg_ptr(a, 3)) < 0)
        return -LINUX_EFAULT;
    int64_t r = copy_name(t, name, arg_ptr(a, 0));
    if (r == 0)
        r = do_mq_open(t, name, arg_u32(a, 1), arg_u32(a, 2), given ? &attr : NULL, &f);
    if (r < 0)
        return r;
    return fd_install(t->files, f, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), true);
}

int64_t sys_mq_unlink(struct task *t, const struct sysargs *a) {
    char name[LINUX_PATH_MAX];
    int64_t r = copy_name(t, name, arg_ptr(a, 0));
    return r < 0 ? r : do_mq_unlink(t, name);
}

// ---- Sending and receiving --------------------------------------------------------------------------------
// The call's deadline, read once, on the real-time clock.
static int read_deadline(struct task *t, uaddr_t at) {
    uint64_t ns;
    if (t->call.again || uaddr_is_null(at))
        return 0;
    int err = wait_time(t, at, &ns);
    if (err == 0)
        t->call.notes.mq.deadline = time_deadline(ns, true);
    return err;
}

static struct file *queue_file(struct task *t, int fd, unsigned mode) {
    struct file *f = park_file(t);
    f = f ? file_get(f) : fd_get_mode(t->files, fd, mode);
    if (f && !mq_is(f)) {
        file_put(f);
        return NULL;
    }
    return f;
}

static int64_t wait_for_it(struct task *t, struct file *f) {
    if (atomic_load(&f->flags) & LINUX_O_NONBLOCK)
        return -LINUX_EAGAIN;
    if (t->call.notes.mq.deadline)
        park_deadline(t, t->call.notes.mq.deadline);
    return t->call.timed_out ? -LINUX_ETIMEDOUT : park(t);
}

int64_t sys_mq_timedsend(struct task *t, const struct sysargs *a) {
    uint32_t prio = arg_u32(a, 3);
    uint64_t size = arg_size(a, 2);
    if (!t->call.again)
        t->call.notes.mq.deadline = 0;
    int64_t r = read_deadline(t, arg_ptr(a, 4));
    if (r < 0)
        return r;
    if (prio >= LINUX_MQ_PRIO_MAX)
        return -LINUX_EINVAL;
    struct file *f cleanup_file = queue_file(t, arg_int(a, 0), FMODE_WRITE);
    if (!f)
        return -LINUX_EBADF;
    if (size > (uint64_t)mq_message_size(f))
        return -LINUX_EMSGSIZE;
    struct mq_message *m cleanup_free = xcalloc(1, sizeof *m + size);
    if (!m)
        return -LINUX_ENOMEM;
    if (copy_in(t, m->text, arg_ptr(a, 1), size) < 0)
        return -LINUX_EFAULT;
    list_init(&m->link);
    m->prio = prio;
    m->size = size;
    mq_arm(t, f);
    r = mq_send(t, f, &m);
    return r == -LINUX_EAGAIN ? wait_for_it(t, f) : r;
}

// As long as a call waits, no notice of a message is given; its file is kept for that.
static void receive_end(struct task *t) {
    struct file *f = take_ptr(t->call.own.mq);
    mq_waits(f, -1);
    file_put(f);
}

static int64_t receive_wait(struct task *t, struct file *f) {
    int64_t r = wait_for_it(t, f);
    if (r == SYS_PARK && !t->call.own.mq) {
        t->call.own.mq = file_get(f);
        t->call.cleanup = receive_end;
        mq_waits(f, 1);
    }
    return r;
}

int64_t sys_mq_timedreceive(struct task *t, const struct sysargs *a) {
    uint64_t size = arg_size(a, 2);
    struct mq_message *m cleanup_free = NULL;
    if (!t->call.again)
        t->call.notes.mq.deadline = 0;
    int64_t r = read_deadline(t, arg_ptr(a, 4));
    if (r < 0)
        return r;
    struct file *f cleanup_file = queue_file(t, arg_int(a, 0), FMODE_READ);
    if (!f)
        return -LINUX_EBADF;
    if (size < (uint64_t)mq_message_size(f))
        return -LINUX_EMSGSIZE;
    mq_arm(t, f);
    r = mq_receive(t, f, &m);
    if (r == -LINUX_EAGAIN)
        return receive_wait(t, f);
    if (copy_out_optional(t, arg_ptr(a, 3), &m->prio, sizeof m->prio) < 0 ||
        copy_out(t, arg_ptr(a, 1), m->text, m->size) < 0)
        return -LINUX_EFAULT;  // the message is lost, as on Linux
    return (int64_t)m->size;
}

// ---- Notices, attributes ----------------------------------------------------------------------------------
// SIGEV_THREAD: a netlink socket of the caller's, and what it is to receive.
static int64_t notify_socket(struct task *t, struct file *f, const struct linux_sigevent *ev) {
    unsigned char cookie[LINUX_NOTIFY_COOKIE_LEN];
    if (copy_in(t, cookie, uaddr(ev->sigev_value.sival_ptr), sizeof cookie) < 0)
        return -LINUX_EFAULT;
    struct file *s cleanup_file = fd_get(t->files, ev->sigev_signo);
    struct socket *sock = s ? socket_of(s) : NULL;
    if (!s)
        return -LINUX_EBADF;
    if (!sock || sock->family != LINUX_AF_NETLINK)
        return sock ? -LINUX_EINVAL : -LINUX_ENOTSOCK;
    return do_mq_notify(t, f, ev, s, cookie);
}

int64_t sys_mq_notify(struct task *t, const struct sysargs *a) {
    struct linux_sigevent ev;
    bool given = arg_given(a, 1);
    if (given && copy_in_obj(t, &ev, arg_ptr(a, 1)) < 0)
        return -LINUX_EFAULT;
    bool thread = given && ev.sigev_notify == LINUX_SIGEV_THREAD;
    if (given && !thread && ev.sigev_notify != LINUX_SIGEV_NONE && ev.sigev_notify != LINUX_SIGEV_SIGNAL)
        return -LINUX_EINVAL;
    if (given && ev.sigev_notify == LINUX_SIGEV_SIGNAL && (uint32_t)ev.sigev_signo > LINUX_NSIG)
        return -LINUX_EINVAL;
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f || !mq_is(f))
        return -LINUX_EBADF;
    if (thread)
        return notify_socket(t, f, &ev);
    return do_mq_notify(t, f, given ? &ev : NULL, NULL, NULL);
}

int64_t sys_mq_getsetattr(struct task *t, const struct sysargs *a) {
    struct linux_mq_attr in = {0}, old;
    bool set = arg_given(a, 1);
    if (set && copy_in_obj(t, &in, arg_ptr(a, 1)) < 0)
        return -LINUX_EFAULT;
    if (in.mq_flags & ~(int64_t)LINUX_O_NONBLOCK)
        return -LINUX_EINVAL;
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f || !mq_is(f))
        return -LINUX_EBADF;
    mq_attr(f, &old);
    if (set && in.mq_flags)
        atomic_fetch_or(&f->flags, LINUX_O_NONBLOCK);
    else if (set)
        atomic_fetch_and(&f->flags, ~(uint32_t)LINUX_O_NONBLOCK);
    return copy_out_opt(t, arg_ptr(a, 2), &old);
}
