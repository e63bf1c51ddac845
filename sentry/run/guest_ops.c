// SPDX-License-Identifier: Apache-2.0
// What the platform asks about its guests (struct plat_guest_ops): where it may change their text, and where
// it may map memory ahead. Called in plat_wait(), before the call that it is about has been begun. Locks:
// tasks_lock, then the map's, one after the other.
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/proc/task.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/run.h"

static void owner_get(void *owner) { task_get(owner); }
static void owner_put(void *owner) { task_put(owner); }

// With a reference; NULL: the task is at its end.
static struct mm *mm_of(const struct task *t) {
    LOCKED(&t->k->tasks_lock);
    return t->mm ? mm_get(t->mm) : NULL;
}

static bool text_range(void *owner, uint64_t at, uint64_t *start, uint64_t *end) {
    if (ptrace_on(owner))
        return false;  // its tracer is to find the text as it was loaded
    struct mm *mm = mm_of(owner);
    bool found = mm && mm_text_at(mm, at, start, end);
    if (mm)
        mm_put(mm);
    return found;
}

static uint64_t free_range(void *owner, uint64_t len) {
    struct mm *mm = mm_of(owner);
    uint64_t at = mm ? mm_free_range(mm, len) : 0;
    if (mm)
        mm_put(mm);
    return at;
}

const struct plat_guest_ops kernel_guest_ops = {
    .owner_get = owner_get,
    .owner_put = owner_put,
    .text_range = text_range,
    .free_range = free_range,
};
