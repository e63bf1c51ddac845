// SPDX-License-Identifier: Apache-2.0
// How calls wait for daemons of FUSE, guests too (fs/fuse/ask.h): the handler's run is undone, the call
// parked until the answer is there, and the handler run again as if for the first time. Called by the loops
// that run handlers: run.c and worker.c. No locks.
#include "fs/fuse/ask.h"
#include "base/cleanup.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/user_ns.h"
#include "sentry/run/fuse_wait.h"
#include "sentry/run/impl.h"
#include "sentry/run/park.h"
#include "sentry/run/run.h"
#include "sentry/signal/signal.h"

static struct fuse_caller who_asks(void) {
    struct task *t = task_current;
    if (!t)
        return (struct fuse_caller){0};
    return (struct fuse_caller){&t->call.fuse, (uint32_t)t->tid, t->cred->fsuid, t->cred->fsgid,
                                &t->cred->user->ns};
}
void fuse_wait_begin(struct kernel *k) { vfs_set_fuse_caller(k->vfs, who_asks); }

// On the queue; true: it has come already.
static bool arm(struct task *t) {
    struct call *c = &t->call;
    park_disarm(t);
    park_arm(t, fuse_waits(c->fuse));
    if (task_interrupted(t))
        fuse_interrupt(c->fuse);
    return fuse_answered(c->fuse);
}

static bool would_wait(int64_t r) { return r == SYS_PARK || r == SYS_AGAIN || (r < 0 && r >= FS_WAIT); }

int64_t fuse_wait(struct task *t, int64_t r) {
    if (r == SYS_GONE)  // and so is t
        return r;
    struct call *c = &t->call;
    if (__builtin_expect(!c->fuse, 1))
        return r;
    if (!fuse_waits(c->fuse) || !would_wait(r)) {
        fuse_step(t);  // what it has got so far it has noted
        return r;
    }
    if (signal_dying(t))  // with the call ends what it has asked
        return -LINUX_EINTR;
    if (!c->again) {
        call_undo(t);
        c->phase = 0;
        c->done = 0;
        c->timed_out = false;
    }
    c->undone = true;
    c->first = !c->again;
    return arm(t) ? SYS_AGAIN : SYS_PARK;
}

void fuse_wait_over(struct task *t) {
    struct call *c = &t->call;
    if (!c->undone)
        return;
    c->undone = false;
    c->again = !c->first;
    c->armed = false;
    park_disarm(t);
    fuse_rewind(c->fuse);
}

void fuse_step(struct task *t) {
    if (t->call.fuse && !fuse_waits(t->call.fuse))
        fuse_asked_end(take_ptr(t->call.fuse));
}
