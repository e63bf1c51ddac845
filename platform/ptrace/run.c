// SPDX-License-Identifier: Apache-2.0
// What the sentry asks of a thread: let it go, interrupt it, end it. Any sentry thread may ask; the tracer
// carries it out (at once when it is the asker), as soon as the thread's state allows it.
#include "platform/ptrace/pt.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

// Into guest code. Cost: one host call, two with a new rax, or with new registers. A thread that was killed
// meanwhile answers ESRCH to all of them; its end will be seen by pt_reap().
void pt_go(struct pt_thread *t) {
    t->let = LET_NONE;
    pt_follow(t);
    int err = pt_store_regs(t);
    pt_set_state(t, PT_RUNNING);
    if (err == 0 && ptrace(PTRACE_SYSEMU, t->tid, 0, 0) < 0)
        err = -errno;
    if (err != 0 && err != -ESRCH)
        pt_kill(t->proc);
}

// A thread that nobody wants any more, stopped: makes it end without its siblings.
static void exit_thread(struct pt_thread *t) {
    pt_channel_leave(t);
    pt_work_drop(t);
    pt_move_memory_pid(t);
    pt_set_state(t, PT_EXITING);
    const struct host_call call = {.nr = SYS_exit, .args = {0}};
    int err = pt_inject(t, &call);
    if (err != 0 && err != -ESRCH)
        pt_kill(t->proc);
}

static void apply_destroyed(struct pt_thread *t) {
    switch (t->state) {
    case PT_GONE:
        pt_free_thread(t);
        return;
    case PT_STARTING: // its clone has not been done, or its first stop has not come: that will bring it here
                      // again
    case PT_WORKING:
        break;
    case PT_RUNNING:
        if (t->proc->nlive != 0 && !t->interrupt_sent) {
            t->interrupt_sent = true;
            ptrace(PTRACE_INTERRUPT, t->tid, 0, 0);
        }
        break;
    case PT_STOPPED:
    case PT_QUEUED:
        if (t->proc->nlive != 0 && !t->proc->killed)
            exit_thread(t);
        break;
    case PT_EXITING:
        break;
    }
    if (t->proc->nlive == 0)
        pt_kill(t->proc);
}

static void let_go(struct pt_thread *t) {
    if (t->let == LET_ANSWER) {
        t->regs.rax = (uint64_t)t->value;
        if (t->dirty == REGS_CLEAN)
            t->dirty = REGS_RAX;
        t->let = LET_RESUME;
    }
    if (!list_empty(&t->work)) {
        pt_work_begin(t);
    } else if (t->let == LET_FLUSH || t->result != 0) {
        t->event.result = t->result;
        t->result = 0;
        t->let = LET_NONE;
        pt_post(t, PLAT_OPS_DONE);
    } else if (t->interrupt) {
        t->interrupt = false;
        t->let = LET_NONE;
        pt_post(t, PLAT_INTERRUPT);
    } else {
        pt_go(t);
    }
}

void pt_apply(struct pt_thread *t) {
    if (t->destroyed) {
        apply_destroyed(t);
        return;
    }
    if (t->state == PT_STOPPED && t->let != LET_NONE)
        let_go(t);
    else if (t->state == PT_RUNNING && t->interrupt && !t->interrupt_sent) {
        t->interrupt_sent = true;
        ptrace(PTRACE_INTERRUPT, t->tid, 0, 0);
    }
}

void pt_started(struct pt_thread *t) {
    pt_set_state(t, PT_STOPPED);
    if (t->fp) {
        pt_store_fp(pt_owner(t), t->tid, t->fp, pt_owner(t)->base.layout.fpstate_size);
        free(t->fp);
        t->fp = NULL;
    }
    pt_apply(t);
}

// The thread's new wish is noted: the tracer acts now, or is told.
static void ask(struct pt_platform *p, struct pt_thread *t) {
    if (pt_in_tracer(p)) {
        pt_apply(t);
        return;
    }
    if (!list_linked(&t->command_link))
        list_add_tail(&p->commands, &t->command_link);
    pt_wake(p);
}

static void let(struct plat_thread *base, enum pt_let how, int64_t value) {
    struct pt_thread *t = pt_thread_of(base);
    struct pt_platform *p = pt_owner(t);
    LOCKED(&p->lock);
    if (t->state == PT_GONE)
        return;
    t->let = how;
    t->value = value;
    ask(p, t);
}

void pt_answer(struct plat_thread *t, int64_t value, struct lock *outer) {
    let(t, LET_ANSWER, value);
    if (outer)
        lock_drop(outer);
}
void pt_resume(struct plat_thread *t, struct lock *outer) {
    let(t, LET_RESUME, 0);
    if (outer)
        lock_drop(outer);
}
void pt_flush(struct plat_thread *t) {
    let(t, LET_FLUSH, 0);
}

void pt_interrupt(struct plat_thread *base) {
    struct pt_thread *t = pt_thread_of(base);
    struct pt_platform *p = pt_owner(t);
    LOCKED(&p->lock);
    if (t->state == PT_GONE || t->interrupt)
        return;
    t->interrupt = true;
    if (t->state == PT_RUNNING)
        ask(p, t);
}

void pt_thread_destroy(struct plat_thread *base) {
    struct pt_thread *t = pt_thread_of(base);
    struct pt_platform *p = pt_owner(t);
    LOCKED(&p->lock);
    list_del(&t->ready_link);
    t->destroyed = true;
    atomic_fetch_sub(&p->base.nthreads, 1);
    if (t->state != PT_GONE)
        t->proc->nlive--;
    ask(p, t);
}
