// SPDX-License-Identifier: Apache-2.0
// Host work of a thread: a queue of operations that its own host thread carries out by injected calls, one
// after the other, before it goes on. pt.h tells how a call is injected and how descriptors travel.
#include "abi/errno.h"
#include "abi/mman.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "platform/ptrace/pt.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

// In the stub, at its scratch memory (slot 0): where recvmsg puts what it receives.
struct channel_page {
    struct msghdr header;
    struct iovec iov;
    char control[CMSG_SPACE(sizeof(int))];
    char byte;
};

// Makes the stopped thread run one host call; its next stop is expected by the caller's state. Cost: two host
// calls, and two for the stop.
int pt_inject(struct pt_thread *t, const struct host_call *call) {
    struct pt_platform *p = pt_owner(t);
    struct lx_regs regs = {
        .rip = stub_gate(&p->place),
        .rsp = PT_NO_STACK,
        .rax = call->nr,
        .rdi = call->args[0],
        .rsi = call->args[1],
        .rdx = call->args[2],
        .r10 = call->args[3],
        .r8 = call->args[4],
        .r9 = call->args[5],
        .orig_rax = (uint64_t)-1,
        .cs = LINUX_USER_CS,
        .ss = LINUX_USER_DS,
        .eflags = LINUX_EFLAGS_IF | LINUX_EFLAGS_FIXED,
        .fs_base = t->regs.fs_base,
        .gs_base = t->regs.gs_base,
    };
    t->dirty = REGS_ALL;
    if (ptrace(PTRACE_SETREGS, t->tid, 0, &regs) < 0 || ptrace(PTRACE_CONT, t->tid, 0, 0) < 0)
        return -errno;
    return 0;
}

static void call_host(struct pt_thread *t, const struct host_call *call, enum pt_step step) {
    t->call = *call;
    t->step = step;
    if (t->state != PT_WORKING)
        pt_set_state(t, PT_WORKING);
    int err = pt_inject(t, call);
    if (err != 0 && err != -ESRCH)
        pt_kill(t->proc);
}

// ---- the channel ----

static void channel_discard(struct pt_platform *p) {
    struct msghdr m = {0}; // no room for descriptors: the kernel drops them
    while (recvmsg(p->channel_far, &m, MSG_DONTWAIT) >= 0)
        ;
}

static int channel_send(struct pt_platform *p, int fd) {
    char byte = 0;
    struct iovec iov = {&byte, 1};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    memset(&control, 0, sizeof(control));
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    return sendmsg(p->channel, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

static int channel_prepare(struct pt_thread *t) {
    uint64_t at = stub_slot_addr(&pt_owner(t)->place, 0);
    struct channel_page page = {
        .header = {.msg_iov = (struct iovec *)(at + offsetof(struct channel_page, iov)),
                   .msg_iovlen = 1,
                   .msg_control = (void *)(at + offsetof(struct channel_page, control)),
                   .msg_controllen = sizeof(page.control)},
        .iov = {(void *)(at + offsetof(struct channel_page, byte)), 1},
    };
    struct iovec local = {&page, sizeof(page)}, remote = {(void *)at, sizeof(page)};
    int64_t n = plat_memory_raw(t->base.as, true, &local, 1, &remote, 1);
    if (n == -LINUX_ESRCH) { // who stands for the memory is dying, unnoticed so far
        plat_as_set_pid(t->base.as, t->tid);
        n = plat_memory_raw(t->base.as, true, &local, 1, &remote, 1);
    }
    return n == (int64_t)sizeof(page) ? 0 : -LINUX_EFAULT;
}

static void finish(struct pt_thread *t, int64_t error);
static void begin_clone(struct pt_thread *t);

static void channel_receive(struct pt_thread *t) {
    struct pt_platform *p = pt_owner(t);
    int err = channel_prepare(t);
    if (err == 0)
        err = channel_send(p, t->now->op.fd);
    if (err != 0) {
        pt_channel_leave(t);
        finish(t, err);
        return;
    }
    uint64_t header = stub_slot_addr(&p->place, 0) + offsetof(struct channel_page, header);
    const struct host_call call = {SYS_recvmsg, {PT_FD_CHANNEL, header, MSG_DONTWAIT}};
    call_host(t, &call, STEP_RECEIVE);
}

static void channel_start(struct pt_thread *t) {
    pt_owner(t)->channel_owner = t;
    if (t->now->child)
        begin_clone(t);
    else
        channel_receive(t);
}

void pt_channel_leave(struct pt_thread *t) {
    struct pt_platform *p = pt_owner(t);
    list_del(&t->channel_link);
    if (p->channel_owner != t)
        return;
    if (t->step == STEP_RECEIVE)
        channel_discard(p); // perhaps it was not taken
    p->channel_owner = NULL;
    if (!list_empty(&p->channel_waiters)) {
        struct pt_thread *next = list_first(&p->channel_waiters, struct pt_thread, channel_link);
        list_del(&next->channel_link);
        channel_start(next);
    }
}

static void channel_enter(struct pt_thread *t) {
    struct pt_platform *p = pt_owner(t);
    t->step = STEP_CALL;
    if (!p->channel_owner) {
        channel_start(t);
        return;
    }
    pt_set_state(t, PT_QUEUED);
    list_add_tail(&p->channel_waiters, &t->channel_link);
}

// ---- operations ----

void pt_free_work(struct pt_work *w) {
    if (!w)
        return;
    if (w->op.fd >= 0)
        close(w->op.fd);
    free(w);
}

static bool is_clone(const struct pt_thread *t) {
    return t->now && t->now->child;
}

// A new process copies the table of descriptors. It must not be made while a sibling thread has a file in
// there, or the copy's own would get another number: such clones own the channel. (The zygote has no
// siblings.)
static bool clone_needs_channel(const struct pt_thread *t, const struct pt_work *w) {
    return w->clone_flags != PT_CLONE_THREAD && t != pt_owner(t)->zygote;
}

static void begin_clone(struct pt_thread *t) {
    struct pt_work *w = t->now;
    if (w->child->destroyed) {
        pt_gone(take_ptr(w->child), false, 0);
        pt_channel_leave(t);
        finish(t, 0);
        return;
    }
    t->cloning = true;
    pt_owner(t)->nclones++;
    const struct host_call call = {SYS_clone, {w->clone_flags}};
    call_host(t, &call, STEP_CALL);
}

// The next piece, or back to what the sentry wanted of the thread.
static void next(struct pt_thread *t) {
    if (list_empty(&t->work) || t->result != 0 || t->destroyed) {
        if (t->state != PT_STOPPED)
            pt_set_state(t, PT_STOPPED);
        pt_work_drop(t);
        pt_apply(t);
        return;
    }
    struct pt_work *w = list_first(&t->work, struct pt_work, link);
    list_del(&w->link);
    t->now = w;
    if (w->child ? clone_needs_channel(t, w) : w->op.fd >= 0) {
        channel_enter(t);
    } else if (w->child) {
        begin_clone(t);
    } else {
        struct host_call call;
        plat_op_call(&w->op, -1, &call);
        call_host(t, &call, STEP_CALL);
    }
}

// Gives up a piece that was not begun.
static void drop(struct pt_thread *t, struct pt_work *w) {
    if (w->child)
        pt_gone(w->child, t == pt_owner(t)->zygote || w->child->let != LET_NONE, 0);
    pt_free_work(w);
}

// A piece has failed, and what is behind it is not done. Of that, maps have their range emptied: the host may
// have left what they were to replace, and the sentry takes its own map back to nothing (platform.h).
static void undo(struct pt_thread *t, int64_t error) {
    struct pt_work *w, *failed = take_ptr(t->now);
    struct list rest = LIST_INIT(rest);
    list_splice_tail(&rest, &t->work);
    list_add(&rest, &failed->link);
    t->undo = error;
    while (!list_empty(&rest)) {
        w = list_first(&rest, struct pt_work, link);
        list_del(&w->link);
        if (w->child || w->op.kind != OP_MAP) {
            drop(t, w);
            continue;
        }
        if (w->op.fd >= 0)
            close(w->op.fd);
        w->op.fd = -1;
        w->op.kind = OP_UNMAP;
        list_add_tail(&t->work, &w->link);
    }
}

static void finish(struct pt_thread *t, int64_t error) {
    bool zygote = t == pt_owner(t)->zygote; // each of its children hears of its own failure
    if (error != 0 && t->undo != 0)
        pt_kill(t->proc); // what cannot be undone
    else if (error != 0 && !zygote)
        undo(t, error);
    pt_free_work(take_ptr(t->now));
    if (list_empty(&t->work) && !zygote) {
        t->result = t->undo;
        t->undo = 0;
    }
    next(t);
}

void pt_work_begin(struct pt_thread *t) {
    t->result = t->undo = 0;
    pt_follow(t);
    next(t);
}

static void clone_ended(struct pt_thread *t) {
    struct pt_platform *p = pt_owner(t);
    t->cloning = false;
    p->nclones--;
    if (p->nclones == 0)
        pt_orphans(p);
}

static void cloned(struct pt_thread *t, int64_t result) {
    struct pt_platform *p = pt_owner(t);
    struct pt_thread *child = t->now->child;
    t->now->child = NULL;
    if (result > 0) {
        child->cpu = t->cpu;
        pt_bind(child, (int)result);
        result = 0;
    } else {
        if (child->internal)
            p->no_spares = true;
        pt_gone(child, t == p->zygote, 0);
    }
    clone_ended(t);
    pt_channel_leave(t);
    finish(t, result);
}

// After each recvmsg, whatever came of it: the number is free again.
static void close_file(struct pt_thread *t, int64_t error) {
    t->result = error;
    const struct host_call call = {SYS_close, {PT_FD_FILE}};
    call_host(t, &call, STEP_CLOSE);
}

static int64_t as_error(int64_t result) { return result < 0 && result > -4096 ? result : -LINUX_EFAULT; }

static void op_done(struct pt_thread *t, int64_t result) {
    int64_t error = plat_call_ok(&t->call, result) ? 0 : as_error(result);
    if (t->now->op.fd >= 0)
        close_file(t, error);
    else
        finish(t, error);
}

static int64_t take_error(struct pt_thread *t) {
    int64_t error = t->result;
    t->result = 0;
    return error;
}

// The file is mapped (or not) and its descriptor closed: the channel is free for others. Populating may take
// long, so it is done after that; its result does not matter, as with MAP_POPULATE.
static void file_done(struct pt_thread *t, int64_t closed) {
    const struct plat_op *op = &t->now->op;
    pt_channel_leave(t);
    if (t->result == 0 && closed == -LINUX_EBADF) { // what was mapped then?
        pt_kill(t->proc);
        t->result = -LINUX_EBADF;
    }
    if (t->result != 0 || !(op->flags & PLAT_POPULATE)) {
        finish(t, take_error(t));
        return;
    }
    int advice = op->prot & LINUX_PROT_WRITE ? LINUX_MADV_POPULATE_WRITE : LINUX_MADV_POPULATE_READ;
    const struct host_call call = {SYS_madvise, {op->addr, op->len, (uint64_t)advice}};
    call_host(t, &call, STEP_POPULATE);
}

static void received(struct pt_thread *t, int64_t result) {
    if (result != 1) { // it may have been taken all the same, and may be there all the same
        channel_discard(pt_owner(t));
        close_file(t, -LINUX_EFAULT);
        return;
    }
    struct plat_op op = t->now->op;
    struct host_call call;
    op.flags &= ~PLAT_POPULATE;
    plat_op_call(&op, PT_FD_FILE, &call);
    call_host(t, &call, STEP_CALL);
}

static void call_done(struct pt_thread *t, int64_t result) {
    switch (t->step) {
    case STEP_RECEIVE:
        received(t, result);
        break;
    case STEP_CLOSE:
        file_done(t, result);
        break;
    case STEP_POPULATE:
        finish(t, 0);
        break;
    case STEP_CALL:
        if (is_clone(t))
            cloned(t, result);
        else
            op_done(t, result);
        break;
    }
}

// A stop of a thread that makes an injected call. What counts is the fault of the gate's `ret`; signals of
// others and stale interrupts are dropped, and the host kernel restarts the call if one of them broke it off.
// A fault anywhere else there ends the process.
void pt_work_stop(struct pt_thread *t, int status) {
    uint64_t behind = stub_gate(&pt_owner(t)->place) + 2;
    struct lx_regs regs;
    siginfo_t si;
    t->interrupt_sent = false;
    if (status == SIGBUS || status == SIGSEGV) {
        if (ptrace(PTRACE_GETREGS, t->tid, 0, &regs) < 0)
            return; // was killed: its end comes next
        if (regs.rip == behind && !pt_restart_code(regs.rax)) {
            call_done(t, (int64_t)regs.rax);
            return;
        }
        if (ptrace(PTRACE_GETSIGINFO, t->tid, 0, &si) == 0 && si.si_code > 0) {
            pt_kill(t->proc);
            return;
        }
    }
    ptrace(PTRACE_CONT, t->tid, 0, 0);
}

void pt_work_drop(struct pt_thread *t) {
    struct pt_platform *p = pt_owner(t);
    pt_channel_leave(t);
    if (is_clone(t)) {
        struct pt_thread *child = take_ptr(t->now->child);
        pt_gone(child, t == p->zygote || child->let != LET_NONE, 0);
    }
    if (t->cloning)
        clone_ended(t);
    pt_free_work(take_ptr(t->now));
    while (!list_empty(&t->work)) {
        struct pt_work *w = list_first(&t->work, struct pt_work, link);
        list_del(&w->link);
        drop(t, w);
    }
}

void pt_orphans(struct pt_platform *p) {
    while (p->early) {
        struct pt_early *early = p->early;
        p->early = early->next;
        if (!early->ended)
            kill(early->tid, SIGKILL);
        free(early);
    }
}

// ---- platform.h's ----

int pt_queue(struct plat_thread *base, const struct plat_op *op) {
    struct pt_thread *t = pt_thread_of(base);
    struct pt_platform *p = pt_owner(t);
    struct pt_work *w = znew(struct pt_work);
    if (!w)
        return -LINUX_ENOMEM;
    w->op = *op;
    if (op->kind != OP_MAP)
        w->op.fd = -1;
    if (w->op.fd >= 0 && (w->op.fd = fcntl(op->fd, F_DUPFD_CLOEXEC, 3)) < 0) {
        free(w);
        return -errno;
    }
    LOCKED(&p->lock);
    if (t->state == PT_GONE)
        pt_free_work(w);
    else
        list_add_tail(&t->work, &w->link);
    return 0;
}

static uint64_t host_clone_flags(unsigned flags) {
    if (flags & PLAT_CLONE_THREAD)
        return PT_CLONE_THREAD;
    return flags & PLAT_CLONE_VM ? PT_CLONE_VM : PT_CLONE_FORK;
}

int pt_clone(struct plat_thread *base, unsigned flags, struct plat_thread **out, struct plat_as **as_out) {
    struct pt_thread *t = pt_thread_of(base);
    struct pt_platform *p = pt_owner(t);
    bool shared = flags & (PLAT_CLONE_VM | PLAT_CLONE_THREAD);
    LOCKED(&p->lock);
    if (t->state == PT_GONE)
        return -LINUX_ESRCH;
    struct pt_as *as = shared ? pt_as_of(base->as) : pt_new_as(p);
    struct pt_work *w = znew(struct pt_work);
    struct pt_thread *child = as && w ? pt_new_thread(as, flags & PLAT_CLONE_THREAD ? t->proc : NULL) : NULL;
    if (!child) {
        free(w);
        if (as && !shared) {
            atomic_fetch_sub(&p->base.nspaces, 1);
            as->released = true;
            pt_free_as_if_done(as);
        }
        return -LINUX_ENOMEM;
    }
    child->regs = t->regs;
    child->dirty = REGS_ALL;
    w->op.fd = -1;
    w->child = child;
    w->clone_flags = host_clone_flags(flags);
    list_add_tail(&t->work, &w->link);
    if (shared)
        plat_as_get(&as->base);
    atomic_fetch_add(&p->base.nthreads, 1);
    *out = &child->base;
    *as_out = &as->base;
    return 0;
}
