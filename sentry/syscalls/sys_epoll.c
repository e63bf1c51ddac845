// SPDX-License-Identifier: Apache-2.0
// epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2. The sets: fd/epoll.c.
// A wait that finds events costs one host call, the copy; a call that waits keeps the set open, and of
// several that wait for one set a new event wakes one.
#include "abi/signal.h"
#include "base/cleanup.h"
#include "fs/hostfd.h"
#include "sentry/fd/epoll.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/run/park.h"
#include "sentry/signal/signal.h"
#include "sentry/syscalls/table.h"
#include "sentry/syscalls/wait_args.h"
#include "sentry/time/timeconv.h"

#define MAX_EVENTS (INT32_MAX / (int)sizeof(struct linux_epoll_event))

static int64_t do_create(struct task *t, bool cloexec) {
    struct file *f cleanup_file = NULL;
    int err = epoll_open(&t->k->epolls, t->k->vfs, &f);
    return err < 0 ? err : fd_install(t->files, f, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), cloexec);
}

int64_t sys_epoll_create(struct task *t, const struct sysargs *a) {
    return arg_int(a, 0) <= 0 ? -LINUX_EINVAL : do_create(t, false);
}
int64_t sys_epoll_create1(struct task *t, const struct sysargs *a) {
    uint32_t flags = arg_u32(a, 0);
    return flags & ~(uint32_t)LINUX_EPOLL_CLOEXEC ? -LINUX_EINVAL : do_create(t, flags);
}

// Regular files and directories are always ready: they cannot be watched, epoll_ctl(2).
static bool can_poll(struct file *f) {
    uint32_t type = inode_type(f->inode);
    return f->ops && f->ops->poll && type != LINUX_S_IFDIR && !(type == LINUX_S_IFREG && hostfd_is(f));
}

int64_t sys_epoll_ctl(struct task *t, const struct sysargs *a) {
    int op = arg_int(a, 1), fd = arg_int(a, 2);
    struct linux_epoll_event ev = {0};
    if (op != LINUX_EPOLL_CTL_DEL && copy_in_with_call(t, &ev, arg_ptr(a, 3), sizeof ev) < 0)
        return -LINUX_EFAULT;
    struct file *epf cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    struct file *f cleanup_file = epf ? fd_get_io(t->files, fd) : NULL;
    if (!f)
        return -LINUX_EBADF;
    if (!can_poll(f))
        return -LINUX_EPERM;
    if (f == epf || !epoll_of(epf))
        return -LINUX_EINVAL;
    switch (op) {
    case LINUX_EPOLL_CTL_ADD:
        return epoll_add(epf, f, fd, &ev);
    case LINUX_EPOLL_CTL_MOD:
        return epoll_mod(epf, f, fd, &ev);
    case LINUX_EPOLL_CTL_DEL:
        return epoll_del(epf, f, fd);
    default:
        return -LINUX_EINVAL;
    }
}

// ---- Waiting ----------------------------------------------------------------------------------------------
struct to_user {
    struct task *t;
    uaddr_t at;
    bool answer;  // events that are taken can be brought back no more: they may be written there for sure
};
static int put_user(void *arg, const struct linux_epoll_event *ev, unsigned n) {
    struct to_user *u = arg;
    int err = u->answer ? copy_out_answer(u->t, u->at, ev, n * sizeof *ev)
                        : copy_out(u->t, u->at, ev, n * sizeof *ev);
    u->at = uaddr_add(u->at, n * sizeof *ev);
    return err;
}

static int64_t collect(struct task *t, struct file *f, const struct sysargs *a) {
    uint64_t room = (uint64_t)arg_int(a, 2) * sizeof(struct linux_epoll_event);
    struct to_user u = {t, arg_ptr(a, 1), !t->worker && mm_may_write(t->mm, arg_ptr(a, 1).v, room)};
    return epoll_collect(epoll_of(f), arg_int(a, 2), put_user, &u);
}

// The call ends: when it was woken and has taken nothing (death), another waiter may.
static void wait_cleanup(struct task *t) {
    struct file *f = take_ptr(t->call.own.epoll);
    epoll_pass_on(epoll_of(f));
    file_put(f);
}

static bool wake(struct waiter *w, uint32_t events) {
    struct task *t = w->arg;
    // One that is woken already takes what is there; the event is for the next one then.
    bool used = !atomic_load(&t->woken);
    task_wake(t);
    return used;
}

static int64_t wait_for(struct task *t, struct file *f, const struct sysargs *a) {
    uint64_t deadline = t->call.notes.epoll.deadline;
    struct call *c = &t->call;
    if (c->own.epoll == NULL) {
        c->own.epoll = file_get(f);
        c->cleanup = wait_cleanup;
    }
    struct waiter *w = park_waiter(t);
    w->exclusive = true;
    w->wake = wake;
    w->arg = t;
    waitq_add(epoll_waitq(epoll_of(f)), w);
    int64_t r = collect(t, f, a);
    if (r || c->timed_out)
        return r;
    if (deadline < TIME_MAX)
        park_deadline(t, deadline);
    if (c->timed_out)
        return 0;
    r = park(t);
    return r == SYS_PARK ? r : -LINUX_EINTR;
}

static int64_t do_wait(struct task *t, const struct sysargs *a) {
    struct call *c = &t->call;
    if (c->again && c->own.epoll)
        return wait_for(t, c->own.epoll, a);
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    if (arg_int(a, 2) <= 0 || arg_int(a, 2) > MAX_EVENTS)
        return -LINUX_EINVAL;
    if (!user_range_ok(arg_ptr(a, 1).v, (uint64_t)arg_int(a, 2) * sizeof(struct linux_epoll_event)))
        return -LINUX_EFAULT;
    if (!epoll_of(f))
        return -LINUX_EINVAL;
    int64_t r = collect(t, f, a);
    return r || !c->notes.epoll.deadline ? r : wait_for(t, f, a);
}

// 0: no time to wait.
static uint64_t ns_deadline(uint64_t ns) { return ns ? time_after(ns) : 0; }
static uint64_t ms_deadline(int32_t ms) { return ms < 0 ? TIME_MAX : ns_deadline((uint64_t)ms * 1000000); }

int64_t sys_epoll_wait(struct task *t, const struct sysargs *a) {
    if (!t->call.again)
        t->call.notes.epoll.deadline = ms_deadline(arg_int(a, 3));
    return do_wait(t, a);
}

int64_t sys_epoll_pwait(struct task *t, const struct sysargs *a) {
    if (!t->call.again) {
        t->call.notes.epoll.deadline = ms_deadline(arg_int(a, 3));
        int64_t err = wait_mask(t, arg_ptr(a, 4), arg_size(a, 5));
        if (err < 0)
            return err;
    }
    return signal_tmp_mask_end(t, do_wait(t, a));
}

int64_t sys_epoll_pwait2(struct task *t, const struct sysargs *a) {
    if (!t->call.again) {
        uint64_t ns = 0;
        int64_t err = arg_given(a, 3) ? wait_time(t, arg_ptr(a, 3), &ns) : 0;
        if (err < 0)
            return err;
        t->call.notes.epoll.deadline = arg_given(a, 3) ? ns_deadline(ns) : TIME_MAX;
        err = wait_mask(t, arg_ptr(a, 4), arg_size(a, 5));
        if (err < 0)
            return err;
    }
    return signal_tmp_mask_end(t, do_wait(t, a));
}
