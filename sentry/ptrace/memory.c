// SPDX-License-Identifier: Apache-2.0
// PEEKTEXT, POKETEXT and their like. A word that the tracee could write itself is copied. Any other in private memory (a
// breakpoint in its text) is written by way of the tracee's own host thread: it is stopped, and makes the page writable,
// gets the word, and puts the protection back, in two pieces of host work. Meanwhile the turn to change that memory map is
// the tracee's. All that belongs to the tracee, so that a tracer that dies in between leaves nothing half done.
//
// LIMIT: what the tracee may not read (PROT_NONE) cannot be peeked. Of text that the platform has made faster
// (plat_hot_text) before the thread was attached to, the change is seen.
#include "sentry/ptrace/impl.h"
#include "sentry/mm/area.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/park.h"
#include <string.h>

#define PROT_RWX (LINUX_PROT_READ | LINUX_PROT_WRITE | LINUX_PROT_EXEC)

static struct mm *mm_of(struct task *child) {
    LOCKED(&child->k->tasks_lock);
    return child->mm ? mm_get(child->mm) : NULL;
}

int64_t ptrace_peek(struct task *t, struct task *child, uint64_t addr, uint64_t data) {
    uint64_t word;
    struct mm *mm = mm_of(child);
    if (!mm)
        return -LINUX_EIO;
    int64_t n = plat_copy_in(mm->as, &word, uaddr(addr), sizeof word);
    mm_put(mm);
    return n == sizeof word ? copy_out_obj(t, uaddr(data), &word) : -LINUX_EIO;
}

// ---- Past the protection -------------------------------------------------------------------------------------------------
// The protection of one page of private memory, or -LINUX_EIO.
static int private_prot(struct mm *mm, uint64_t page) {
    LOCKED(&mm->lock);
    const struct vma *v = area_find(mm, page);
    if (!v || v->start > page || area_hidden(v) || (v->flags & (LINUX_MAP_SHARED | VMA_FIXED_KERNEL)))
        return -LINUX_EIO;
    return (int)(v->prot & PROT_RWX);
}

static int plan(struct mm *mm, struct ptrace_poke *w, uint64_t addr, uint64_t word) {
    *w = (struct ptrace_poke){.state = POKE_OPEN, .addr = addr, .word = word};
    if (addr > LINUX_TASK_SIZE - sizeof word)
        return -LINUX_EIO;
    uint64_t first = page_down(addr), last = page_down(addr + sizeof word - 1);
    w->npages = first == last ? 1 : 2;
    for (unsigned i = 0; i < w->npages; i++)
        if ((w->prot[i] = private_prot(mm, first + i * GUEST_PAGE_SIZE)) < 0)
            return -LINUX_EIO;
    return 0;
}

static int queue(struct task *child, struct ptrace_poke *w, bool open) {
    int err = 0;
    for (unsigned i = 0; i < w->npages && err == 0; i++)
        err = plat_protect(child->thread, uaddr(page_down(w->addr) + i * GUEST_PAGE_SIZE), GUEST_PAGE_SIZE,
                           open ? PROT_RWX : w->prot[i]);
    return err;
}

// The tracee's host thread has done a piece of it. True: there is another one to be flushed.
bool ptrace_poke_done(struct task *child, int64_t result) {
    struct ptrace_poke *w = &child->ptrace->poke;
    if (w->state == POKE_OPEN && result == 0) {
        int64_t n = plat_copy_out(child->mm->as, uaddr(w->addr), &w->word, sizeof w->word);
        w->result = n == sizeof w->word ? 0 : -LINUX_EIO;
        w->state = POKE_CLOSE;
        if (queue(child, w, false) == 0)
            return true;
        result = -LINUX_ENOMEM;
    }
    if (result < 0 && w->state == POKE_CLOSE)  // the two maps differ
        tgroup_begin_exit(child->tg, LINUX_SIGKILL);
    if (result < 0)
        w->result = -LINUX_EIO;
    mm_op_abort(child);
    LOCKED(&child->k->tasks_lock);
    w->state = POKE_DONE;
    if (child->ptrace->tracer)
        waitq_wake(&child->ptrace->tracer->tg->child_wait, ~0u);
    return false;
}

enum { PHASE_BEGIN, PHASE_POKED };

// The tracee is ours from here to task_borrowed()'s end: it is stopped, and nobody else can take it on.
static int64_t begin(struct task *t, struct task *child, struct mm *mm, uint64_t addr, uint64_t data) {
    struct ptrace_poke w;
    if (plan(mm, &w, addr, data) < 0)
        return -LINUX_EIO;
    if (!task_borrow(child))
        return park_yield(t);  // on its way to its stop
    if (child->mm != mm || !mm_turn_try(child)) {
        task_give_back(child);
        return child->mm != mm ? -LINUX_EIO : park_yield(t);
    }
    child->ptrace->poke = w;
    t->call.phase = PHASE_POKED;
    park_arm(t, &t->tg->child_wait);
    if (queue(child, &w, true) < 0) {
        mm_op_abort(child);
        task_give_back(child);
        return -LINUX_EIO;
    }
    task_flush_borrowed(child);
    return park_killable(t);
}

static int64_t wait_for(struct task *t, struct task *child) {
    park_arm(t, &t->tg->child_wait);
    LOCKED(&t->k->tasks_lock);
    if (child->ptrace->tracer != t || child->ptrace->stop == PT_DEAD)
        return -LINUX_ESRCH;
    if (child->ptrace->poke.state == POKE_DONE)
        return child->ptrace->poke.result;
    return park_killable(t);
}

int64_t ptrace_poke(struct task *t, struct task *child, uint64_t addr, uint64_t data) {
    if (t->call.phase == PHASE_POKED)
        return wait_for(t, child);
    park_yielded(t);
    struct mm *mm = mm_of(child);
    if (!mm)
        return -LINUX_EIO;
    int64_t n = plat_copy_out(mm->as, uaddr(addr), &data, sizeof data);
    int64_t r = n == sizeof data ? 0 : begin(t, child, mm, addr, data);
    mm_put(mm);
    return r;
}
