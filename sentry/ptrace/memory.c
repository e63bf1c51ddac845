// SPDX-License-Identifier: Apache-2.0
// PEEKTEXT, POKETEXT and their like. A word that the tracee could write itself is copied. Any other in
// private memory (a breakpoint in its text) is written by way of the tracee's own host thread: it is stopped,
// and makes the area writable, gets the word, and puts the protection back, in two pieces of host work.
// Meanwhile the turn to change that memory map is the tracee's. All that belongs to the tracee, so that a
// tracer that dies in between leaves nothing half done.
//
// LIMIT: what the tracee may not read (PROT_NONE) cannot be peeked. Of text that the platform has made faster
// (plat_guest_ops.text_range) before the thread was attached to, the change is seen.
#include "sentry/ptrace/impl.h"
#include "sentry/mm/area.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/run/park.h"
#include "sentry/run/run.h"
#include <string.h>

#define PROT_RWX (LINUX_PROT_READ | LINUX_PROT_WRITE | LINUX_PROT_EXEC)

// NULL: there is none, or it has become one that its tracer may not look into.
static struct mm *mm_of(struct task *t, struct task *child) {
    LOCKED(&child->k->tasks_lock);
    return child->mm && ptrace_may_see(t->cred, child->mm) ? mm_get(child->mm) : NULL;
}

int64_t ptrace_peek(struct task *t, struct task *child, uint64_t addr, uint64_t data) {
    uint64_t word;
    struct mm *mm = mm_of(t, child);
    if (!mm)
        return -LINUX_EIO;
    int64_t n = plat_copy_in(mm->as, &word, uaddr(addr), sizeof word);
    mm_put(mm);
    return n == sizeof word ? copy_out_obj(t, uaddr(data), &word) : -LINUX_EIO;
}

// ---- Past the protection ----------------------------------------------------------------------------------
// The area of private memory that holds `at`. The whole of it is made writable: a page alone would be an area
// of its own on the host, which might stay so, and then a later mremap(2) of our one area would fail there.
static int area_of(struct mm *mm, uint64_t at, struct poke_area *a) {
    LOCKED(&mm->lock);
    const struct vma *v = area_find(mm, at);
    if (!v || v->start > at || area_hidden(v) || (v->flags & (LINUX_MAP_SHARED | VMA_FIXED_KERNEL)))
        return -LINUX_EIO;
    *a = (struct poke_area){v->start, v->end, (int)(v->prot & PROT_RWX)};
    return 0;
}

static int plan(struct mm *mm, struct ptrace_poke *w) {
    if (w->addr > LINUX_TASK_SIZE - w->len || area_of(mm, w->addr, &w->areas[0]) < 0)
        return -LINUX_EIO;
    w->nareas = w->addr + w->len <= w->areas[0].end ? 1 : 2;
    return w->nareas == 2 ? area_of(mm, w->areas[0].end, &w->areas[1]) : 0;
}

static int queue(struct task *child, const struct ptrace_poke *w, bool open) {
    int err = 0;
    for (unsigned i = 0; i < w->nareas && err == 0; i++) {
        const struct poke_area *a = &w->areas[i];
        err = plat_protect(child->thread, uaddr(a->start), a->end - a->start, open ? PROT_RWX : a->prot);
    }
    return err;
}

static void done(struct task *child, int64_t result) {
    struct ptrace *p = child->ptrace;
    mm_op_end(child);
    LOCKED(&child->k->tasks_lock);
    p->poke.result = result;
    p->poke.state = p->tracer ? POKE_DONE : POKE_NONE;
    if (p->tracer)
        waitq_wake(&p->tracer->tg->child_wait, ~0u);
}

// Others look at the state of the work under tasks_lock.
static void to_close(struct task *child, int64_t copied) {
    struct ptrace_poke *w = &child->ptrace->poke;
    LOCKED(&child->k->tasks_lock);
    w->result = copied == w->len ? copied : -LINUX_EIO;
    w->state = POKE_CLOSE;
}

bool ptrace_poke_done(struct task *child, int64_t result) {
    struct ptrace_poke *w = &child->ptrace->poke;
    if (w->state == POKE_OPEN && result == 0) {
        to_close(child, plat_copy_out(child->mm->as, uaddr(w->addr), w->bytes, w->len));
        if (queue(child, w, false) == 0)
            return true;
        result = -LINUX_ENOMEM;
    }
    if (result < 0 && w->state == POKE_CLOSE)  // the two maps differ
        tgroup_begin_exit(child->tg, LINUX_SIGKILL);
    done(child, result < 0 ? -LINUX_EIO : w->result);
    return false;
}

// The tracee is ours from here until ptrace_poke_done() has said false: it is stopped, and nobody else takes
// it on. What lies there is looked at when it is its turn, so that it stays so.
static int64_t begin(struct task *child, struct mm *mm, struct ptrace_poke *w) {
    if (!task_borrow(child))
        return -LINUX_EBUSY;  // on its way to its stop
    if (child->mm != mm) {
        task_give_back(child);
        return -LINUX_EIO;
    }
    if (!mm_turn_try(child)) {
        task_give_back(child);
        return -LINUX_EBUSY;
    }
    int64_t r = plan(mm, w);
    if (r == 0 && queue(child, w, true) < 0) {  // of two areas one may be on its way
        tgroup_begin_exit(child->tg, LINUX_SIGKILL);
        r = -LINUX_EIO;
    }
    if (r < 0) {
        mm_op_end(child);
        task_give_back(child);
        return -LINUX_EIO;
    }
    {
        LOCKED(&child->k->tasks_lock);
        child->ptrace->poke = *w;
    }
    task_flush_borrowed(child);
    return -LINUX_EAGAIN;
}

// A thread in mm that t has stopped, referenced.
static struct task *find_tracee(struct task *t, const struct mm *mm) {
    LOCKED(&t->k->tasks_lock);
    struct ptrace *p;
    list_for_each(p, &t->tracees, link) {
        if (p->task->mm != mm)
            continue;
        LOCKED(&p->task->tg->sig_lock);
        if (ptrace_is_stop(p->stop) && p->stop != PT_ENDS && p->poke.state == POKE_NONE)
            return task_get(p->task);
    }
    return NULL;
}

int64_t ptrace_forced(struct task *t, const struct mm *mm) {
    LOCKED(&t->k->tasks_lock);
    struct ptrace *p;
    list_for_each(p, &t->tracees, link) {
        if (p->task->mm != mm || p->poke.state == POKE_NONE || p->poke.caller != t)
            continue;
        if (p->poke.state != POKE_DONE)
            return -LINUX_EAGAIN;
        p->poke.state = POKE_NONE;
        if (t->call.again)
            return p->poke.result;
    }
    return 0;
}

int64_t ptrace_force(struct task *t, struct mm *mm, uint64_t addr, const void *bytes, unsigned len) {
    struct ptrace_poke w = {.state = POKE_OPEN, .addr = addr, .len = len, .caller = t};
    memcpy(w.bytes, bytes, len);
    struct task *child = find_tracee(t, mm);
    if (!child)
        return -LINUX_EIO;
    int64_t r = begin(child, mm, &w);
    task_put(child);
    return r;
}

int64_t ptrace_poke(struct task *t, struct task *child, uint64_t addr, uint64_t data) {
    park_yielded(t);
    struct mm *mm = mm_of(t, child);
    if (!mm)
        return -LINUX_EIO;
    park_arm(t, &t->tg->child_wait);
    int64_t r = ptrace_forced(t, mm);
    if (r == 0 && (r = plat_copy_out(mm->as, uaddr(addr), &data, sizeof data)) != sizeof data)
        r = ptrace_force(t, mm, addr, &data, sizeof data);
    mm_put(mm);
    if (r == -LINUX_EAGAIN)
        return park_killable(t);
    if (r == -LINUX_EBUSY)
        return park_yield(t);
    return r < 0 ? r : 0;
}
