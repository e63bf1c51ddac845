// SPDX-License-Identifier: Apache-2.0
// Clean address spaces: the zygote is a stub that never runs guest code; it is made to clone itself. A few
// are kept ready, made while the tracer has nothing else to do. Any sentry thread may call the two of
// platform.h.
#include "abi/errno.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "platform/ptrace/pt.h"
#include <signal.h>
#include <stdlib.h>

// Queues the clone of a clean stub on the zygote, under the lock.
static struct pt_thread *order_stub(struct pt_platform *p) {
    if (p->zygote->state == PT_GONE)
        return NULL;
    struct pt_work *w = znew(struct pt_work);
    struct pt_as *as = w ? pt_new_as(p) : NULL;
    struct pt_thread *t = as ? pt_new_thread(as, NULL) : NULL;
    if (as)
        atomic_fetch_sub(&p->base.nspaces, 1); // counted when it is given out
    if (!t) {
        if (as) {
            as->released = true;
            pt_free_as_if_done(as);
        }
        free(w);
        return NULL;
    }
    t->internal = t->fresh = true;
    t->regs = (struct lx_regs){
        .cs = LINUX_USER_CS, .ss = LINUX_USER_DS, .eflags = LINUX_EFLAGS_IF | LINUX_EFLAGS_FIXED};
    t->dirty = REGS_ALL;
    w->op.fd = -1;
    w->child = t;
    w->clone_flags = PT_CLONE_FORK;
    list_add_tail(&p->zygote->work, &w->link);
    p->zygote->let = LET_FLUSH;
    return t;
}

bool pt_refill(struct pt_platform *p) {
    bool any = false;
    for (unsigned i = 0; i < PT_SPARE && !p->no_spares; i++)
        if (!p->spare[i]) {
            p->spare[i] = order_stub(p);
            if (!p->spare[i])
                p->no_spares = true;
            else
                any = true;
        }
    if (any)
        pt_apply(p->zygote);
    return any;
}

// The spare that is most likely to be there already.
static struct pt_thread *take_spare(struct pt_platform *p) {
    unsigned best = PT_SPARE;
    for (unsigned i = 0; i < PT_SPARE; i++)
        if (p->spare[i] && (best == PT_SPARE || p->spare[best]->state == PT_STARTING))
            best = i;
    return best < PT_SPARE ? take_ptr(p->spare[best]) : NULL;
}

int pt_as_create(struct platform *base, struct plat_as **as, struct plat_thread **thread) {
    struct pt_platform *p = pt_of(base);
    LOCKED(&p->lock);
    struct pt_thread *t = take_spare(p);
    p->no_spares = false;
    if (!t) {
        t = order_stub(p);
        if (!t)
            return -LINUX_ENOMEM;
        if (pt_in_tracer(p)) {
            pt_apply(p->zygote);
        } else {
            if (!list_linked(&p->zygote->command_link))
                list_add_tail(&p->commands, &p->zygote->command_link);
            pt_wake(p);
        }
    }
    t->internal = false;
    atomic_fetch_add(&p->base.nspaces, 1);
    atomic_fetch_add(&p->base.nthreads, 1);
    *as = t->base.as;
    *thread = &t->base;
    return 0;
}

void pt_as_release(struct plat_as *base) {
    struct pt_as *as = pt_as_of(base);
    struct pt_platform *p = pt_of(base->p);
    LOCKED(&p->lock);
    as->released = true;
    if (list_empty(&as->threads)) {
        pt_free_as_if_done(as);
        return;
    }
    if (pt_in_tracer(p)) {
        struct pt_thread *t;
        list_for_each (t, &as->threads, as_link)
            pt_kill(t->proc);
        return;
    }
    list_add_tail(&p->kills, &as->kill_link);
    pt_wake(p);
}
