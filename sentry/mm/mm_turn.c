// SPDX-License-Identifier: Apache-2.0
// Whose turn it is to change a memory map, and when host work must be waited for. Called at the head and at
// the end of every handler that changes the map.
//
//   if (mm_op_flushed(t)) return mm_op_done(t);      the rerun after SYS_FLUSH
//   int64_t r = mm_op_begin(t);                      takes the turn, or parks until it is free
//   if (r) return r;
//   return mm_op_finish(t, do_something(...));       gives it back, after a flush when others share the map
//
// What the host may refuse, and what could not be taken back then, is asked for in the middle of the turn
// (mm_op_ask): our map is changed when the host has said yes (mremap). All else is changed first, and taken
// back or fatal when refused.
//
// With one user there is nothing to take and nothing to wait for: new users come only by a clone of that very
// task.
//
// Where threads of one process share the map, a change of one range (mmap, munmap, mprotect, madvise) is not
// waited for either: mm_op_finish_range(). Its thread's host thread does it on its way back to the guest, and
// the range is *unsettled* until the thread's next event, which cannot come before. Who wants to change
// anything there meanwhile, or all of the map (fork), waits for that event, and has the thread interrupted so
// that it comes soon. Addresses are not given out again while they are unsettled: the host's old unmap would
// hit the new map. Not so for a map that another process shares (vfork): its thread may be killed before it
// has done its work, and the map lives on; nor for a traced thread, which may stop before. Those flush, which
// costs a round trip, and a parked call for whoever comes meanwhile.
#include "base/log.h"
#include "sentry/kernel.h"
#include "sentry/mm/area.h"
#include "sentry/proc/task.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/park.h"

// call.phase of the handlers of this family
enum mm_phase { MM_FIRST, MM_FLUSHED, MM_ASKED };

static bool alone(const struct mm *mm) { return atomic_load(&mm->users) <= 1; }

static void give_back(struct task *t) {
    struct mm *mm = t->mm;
    bool mine;
    {
        LOCKED(&mm->lock);
        mine = mm->op_task == t;
        if (mine)
            mm->op_task = NULL;
    }
    if (mine)
        waitq_wake(&mm->op_wait, ~0u);
}
// As call.cleanup: the task ends in the middle of its turn.
static void turn_cleanup(struct task *t) {
    if (t->mm)
        give_back(t);
}

static bool take_turn(struct task *t) {
    LOCKED(&t->mm->lock);
    if (t->mm->op_task && t->mm->op_task != t)
        return false;
    t->mm->op_task = t;
    return true;
}

// ---- Unsettled ranges -------------------------------------------------------------------------------------
// [lock] Of another task than t.
static struct map_unsettled *find_unsettled(const struct mm *mm, const struct task *t, uint64_t start,
                                            uint64_t end) {
    struct map_unsettled *u;
    list_for_each(u, &mm->unsettled, link) {
        if (u != &t->unsettled && u->start < end && start < u->end)
            return u;
    }
    return NULL;
}

// False: somebody has to come first, and is told to.
static bool settled(struct task *t, uint64_t start, uint64_t end) {
    struct task *other = NULL;
    {
        LOCKED(&t->mm->lock);
        struct map_unsettled *u = find_unsettled(t->mm, t, start, end);
        if (u)
            other = task_get(container_of(u, struct task, unsettled));
    }
    if (!other)
        return true;
    task_notify(other);
    task_put(other);
    return false;
}

void mm_settle(struct task *t) {
    struct mm *mm = t->mm;
    if (!t->unsettled.end)
        return;
    {
        LOCKED(&mm->lock);
        list_del(&t->unsettled.link);
        t->unsettled.end = 0;
    }
    waitq_wake(&mm->op_wait, ~0u);
}

static void leave_unsettled(struct task *t, uint64_t start, uint64_t end) {
    LOCKED(&t->mm->lock);
    t->unsettled.start = start;
    t->unsettled.end = end;
    list_add_tail(&t->mm->unsettled, &t->unsettled.link);
}

// Do threads of its process alone use the map, and goes t back to the guest before anything else?
static bool may_leave(const struct task *t) {
    return atomic_load(&t->mm->users) == atomic_load(&t->tg->nalive) && !ptrace_on(t);
}

// ---- The turn ---------------------------------------------------------------------------------------------
int64_t mm_op_begin_range(struct task *t, uint64_t start, uint64_t end) {
    struct mm *mm = t->mm;
    t->undo = (struct map_undo){0};
    if (alone(mm))
        return 0;
    if (!take_turn(t)) {
        park_arm(t, &mm->op_wait);
        if (!take_turn(t))
            return park_killable(t);
    }
    t->call.cleanup = turn_cleanup;
    if (settled(t, start, end))
        return 0;
    park_arm(t, &mm->op_wait);
    return settled(t, start, end) ? 0 : park_killable(t);
}
int64_t mm_op_begin(struct task *t) { return mm_op_begin_range(t, 0, ~0ull); }

static bool take_dirty(struct mm *mm) {
    LOCKED(&mm->lock);
    bool dirty = mm->dirty;
    mm->dirty = false;
    return dirty;
}

// For a task that is stopped, by who has borrowed it: false when it is another one's turn.
bool mm_turn_try(struct task *t) {
    t->undo = (struct map_undo){0};
    if (alone(t->mm))
        return true;
    if (!take_turn(t))
        return false;
    t->call.cleanup = turn_cleanup;
    if (settled(t, 0, ~0ull))
        return true;
    mm_op_end(t);
    return false;
}

int64_t mm_op_finish(struct task *t, int64_t value) {
    struct mm *mm = t->mm;
    bool dirty = take_dirty(mm);
    if (!dirty || alone(mm)) {
        mm_op_end(t);
        return value;
    }
    t->call.phase = MM_FLUSHED;
    t->call.notes.map.value = value;
    return SYS_FLUSH;
}
int64_t mm_op_finish_range(struct task *t, int64_t value, uint64_t start, uint64_t end) {
    if (value < 0 || alone(t->mm) || !may_leave(t))
        return mm_op_finish(t, value);
    if (take_dirty(t->mm))
        leave_unsettled(t, start, end);
    mm_op_end(t);
    return value;
}
int64_t mm_op_ask(struct task *t) {
    take_dirty(t->mm);
    t->call.phase = MM_ASKED;
    return SYS_FLUSH;
}
int64_t mm_op_ask_with(struct task *t, int64_t value) {
    bool dirty = take_dirty(t->mm);
    if (!dirty) {
        mm_op_end(t);
        return value;
    }
    t->call.phase = MM_ASKED;
    t->call.notes.map.value = value;
    return SYS_FLUSH;
}
bool mm_op_asked(const struct task *t) { return t->call.phase == MM_ASKED; }

bool mm_op_flushed(const struct task *t) { return t->call.phase == MM_FLUSHED; }

int64_t mm_op_done(struct task *t) {
    int64_t value = t->call.notes.map.value;
    if (t->call.flush_result < 0) {
        value = t->call.flush_result;
        if (!mm_late_failure(t, &value))  // not a new mapping: the two maps differ
            mm_end_process(t, value);
    }
    mm_op_end(t);
    return value;
}

void mm_op_end(struct task *t) {
    if (t->call.cleanup == turn_cleanup)
        t->call.cleanup = NULL;
    give_back(t);
}

void mm_end_process(struct task *t, int64_t error) {
    if (!atomic_load(&t->tg->exiting))
        log_warn("process %d: the host refused memory work: error %lld", t->tg->pid, -(long long)error);
    tgroup_blame(t->tg, END_HOST);
    tgroup_begin_exit(t->tg, LINUX_SIGKILL);
}

bool mm_late_failure(struct task *t, int64_t *answer) {
    struct mm *mm = t->mm;
    struct area_bin bin = {NULL};
    bool undone = false;
    {
        LOCKED(&mm->lock);
        if (t->undo.end > t->undo.start && area_reserve(mm, 2) == 0) {
            area_cut(mm, t->undo.start, t->undo.end, &bin);
            if (t->undo.brk)
                *answer = (int64_t)(mm->brk = t->undo.brk);  // brk(2) knows no error
            undone = true;
        }
        t->undo = (struct map_undo){0};
    }
    area_bin_empty(&bin);
    return undone;
}
