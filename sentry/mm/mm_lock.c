// SPDX-License-Identifier: Apache-2.0
// mlock, munlock, mlockall, munlockall: what they mean. Called by sentry/syscalls/sys_mm.c.
//
// LIMIT: locked memory is filled, counted and limited, but the host does not pin it.
#include "abi/caps.h"
#include "abi/errno.h"
#include "sentry/mm/area.h"
#include "sentry/mm/mm_queue.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/task.h"

int flag_range(struct mm *mm, uint64_t start, uint64_t end, uint32_t set, uint32_t clear,
               struct area_bin *bin) {
    if (!area_may_split(mm, start, end) || area_reserve(mm, 2) < 0)
        return -LINUX_ENOMEM;
    const struct vma *first = area_find(mm, start), *last = area_find(mm, end);
    if (first && !(first->flags & VMA_FIXED_KERNEL))
        area_split(mm, start);
    if (last && !(last->flags & VMA_FIXED_KERNEL))
        area_split(mm, end);
    for (struct vma *v = area_find(mm, start); v && v->start < end; v = area_next(v))
        if (!(v->flags & VMA_FIXED_KERNEL))
            area_change(mm, v, v->prot, (v->flags & ~clear) | set);
    area_merge_range(mm, start, end, bin);
    return 0;
}

static bool has_hole(const struct mm *mm, uint64_t start, uint64_t end) {
    uint64_t at = start;
    for (const struct vma *v = area_find(mm, start); at < end; v = area_next(v)) {
        if (!v || v->start > at || area_hidden(v))
            return true;
        at = v->end;
    }
    return false;
}
bool mm_is_mapped(struct mm *mm, uint64_t start, uint64_t end) {
    LOCKED(&mm->lock);
    return !has_hole(mm, start, end);
}
// Memory that cannot be filled, since nobody may touch it. It counts as locked all the same.
static bool has_no_access(const struct mm *mm, uint64_t start, uint64_t end) {
    for (const struct vma *v = area_find(mm, start); v && v->start < end; v = area_next(v))
        if (!(v->prot & (LINUX_PROT_READ | LINUX_PROT_WRITE | LINUX_PROT_EXEC)))
            return true;
    return false;
}
static uint64_t count_locked(const struct mm *mm, uint64_t start, uint64_t end) {
    uint64_t n = 0;
    for (const struct vma *v = area_find(mm, start); v && v->start < end; v = area_next(v))
        if (v->flags & VMA_LOCKED)
            n += (v->end < end ? v->end : end) - (v->start > start ? v->start : start);
    return n;
}
static bool may_lock(struct task *t) {
    return task_capable(t, LINUX_CAP_IPC_LOCK) || task_rlimit(t, LINUX_RLIMIT_MEMLOCK) != 0;
}

static int lock_locked(struct task *t, struct mm *mm, struct plat_thread *th, uint64_t start, uint64_t end,
                       enum mm_lock how, struct area_bin *bin) {
    bool lock = how != MM_UNLOCK;
    if (lock && limit_locked(t, mm, end - start - count_locked(mm, start, end)) < 0)
        return -LINUX_ENOMEM;
    int r = flag_range(mm, start, end, lock ? VMA_LOCKED : 0, VMA_LOCKED, bin);
    if (r == 0 && has_hole(mm, start, end))
        return -LINUX_ENOMEM;
    if (r == 0 && how == MM_FILL)
        r = queue_fill(mm, th, start, end);
    return r == 0 && how == MM_FILL && has_no_access(mm, start, end) ? -LINUX_ENOMEM : r;
}
int64_t do_mlock(struct task *t, struct mm *mm, struct plat_thread *th, uaddr_t at, uint64_t len,
                 enum mm_lock how) {
    uint64_t addr = at.v;
    if (how != MM_UNLOCK && !may_lock(t))
        return -LINUX_EPERM;
    uint64_t start = page_down(addr);
    len = (len + (addr - start) + GUEST_PAGE_SIZE - 1) & GUEST_PAGE_MASK;  // the very largest become none
    uint64_t end = start + len;
    if (end < start)
        return -LINUX_EINVAL;
    if (end == start)
        return 0;
    if (len > LINUX_TASK_SIZE)
        return -LINUX_ENOMEM;
    struct area_bin bin = {NULL};
    int r;
    {
        LOCKED(&mm->lock);
        r = lock_locked(t, mm, th, start, end, how, &bin);
    }
    area_bin_empty(&bin);
    return r;
}

int64_t do_mlockall(struct task *t, struct mm *mm, struct plat_thread *th, unsigned flags) {
    bool fill = !(flags & LINUX_MCL_ONFAULT);
    uint32_t future = VMA_LOCKED | (fill ? 0 : VMA_ONFAULT);
    if (!flags || flags == LINUX_MCL_ONFAULT ||
        (flags & ~(unsigned)(LINUX_MCL_CURRENT | LINUX_MCL_FUTURE | LINUX_MCL_ONFAULT)))
        return -LINUX_EINVAL;
    if (!may_lock(t))
        return -LINUX_EPERM;
    struct area_bin bin = {NULL};
    int r = 0;
    {
        LOCKED(&mm->lock);
        bool over = mm->total > task_rlimit(t, LINUX_RLIMIT_MEMLOCK) && !task_capable(t, LINUX_CAP_IPC_LOCK);
        if ((flags & LINUX_MCL_CURRENT) && over)
            r = -LINUX_ENOMEM;
        if (r == 0 && (flags & LINUX_MCL_CURRENT))
            r = flag_range(mm, 0, mm->layout->hi, VMA_LOCKED, 0, &bin);
        if (r == 0)
            mm->def_flags = flags & LINUX_MCL_FUTURE ? future : 0;
        if (r == 0 && (flags & LINUX_MCL_CURRENT) && fill)
            queue_fill(mm, th, 0, mm->layout->hi);  // as far as it goes: who asks is told nothing of it
    }
    area_bin_empty(&bin);
    return r;
}
int64_t do_munlockall(struct mm *mm) {
    struct area_bin bin = {NULL};
    int r;
    {
        LOCKED(&mm->lock);
        mm->def_flags = 0;
        r = flag_range(mm, 0, mm->layout->hi, 0, VMA_LOCKED, &bin);
    }
    area_bin_empty(&bin);
    return r;
}
