// SPDX-License-Identifier: Apache-2.0
// mprotect: what it means. Called by sentry/syscalls/sys_mm.c.
//
// LIMIT: RLIMIT_DATA is not looked at when memory becomes writable, only when it is mapped so.
#include "abi/errno.h"
#include "sentry/mm/area.h"
#include "sentry/mm/mm_queue.h"

#define PROT_RWX   (LINUX_PROT_READ | LINUX_PROT_WRITE | LINUX_PROT_EXEC)
#define PROT_GROWS (LINUX_PROT_GROWSDOWN | LINUX_PROT_GROWSUP)

// How far from `start` the protection may be given: *stop, and why no further.
static int scan(const struct mm *mm, uint64_t start, uint64_t end, uint32_t prot, uint64_t *stop,
                bool *change) {
    *stop = start;
    *change = false;
    for (const struct vma *v = area_find(mm, start); *stop < end; v = area_next(v)) {
        if (!v || v->start > *stop || area_hidden(v))
            return -LINUX_ENOMEM;
        if (v->flags & (VMA_FIXED_KERNEL | VMA_SEALED))
            return -LINUX_EPERM;
        if (prot & ~v->max_prot || mm_denies(mm, v->prot, prot))
            return -LINUX_EACCES;
        *change |= v->prot != prot;
        *stop = v->end;
    }
    *stop = end;
    return 0;
}

static int protect_locked(struct mm *mm, struct plat_thread *th, uint64_t start, uint64_t end, uint32_t prot,
                          struct area_bin *bin) {
    if (prot & LINUX_PROT_GROWSDOWN) {
        const struct vma *v = area_find(mm, start);
        if (!v || v->start >= end)
            return -LINUX_ENOMEM;
        if (!(v->flags & LINUX_MAP_GROWSDOWN))
            return -LINUX_EINVAL;
        start = v->start;
    }
    prot &= PROT_RWX;
    uint64_t stop;
    bool change;
    int result = scan(mm, start, end, prot, &stop, &change);
    if (!change || stop <= start)
        return result;
    if (!area_may_split(mm, start, stop) || area_reserve(mm, 2) < 0)
        return -LINUX_ENOMEM;
    int r = queue_protect(mm, th, start, stop, prot);
    if (r < 0)
        return r;
    area_split(mm, start);
    area_split(mm, stop);
    for (struct vma *v = area_find(mm, start); v && v->start < stop; v = area_next(v))
        area_change(mm, v, prot, v->flags);
    area_merge_range(mm, start, stop, bin);
    return result;
}

int64_t do_mprotect(struct mm *mm, struct plat_thread *th, uaddr_t at, uint64_t len, uint32_t prot) {
    uint64_t addr = at.v;
    if ((prot & PROT_GROWS) == PROT_GROWS || addr % GUEST_PAGE_SIZE)
        return -LINUX_EINVAL;
    if (len == 0)
        return 0;
    if (len > UINT64_MAX - GUEST_PAGE_SIZE || addr + page_up(len) <= addr)
        return -LINUX_ENOMEM;
    if (prot & ~(uint32_t)(PROT_RWX | LINUX_PROT_SEM | PROT_GROWS))
        return -LINUX_EINVAL;
    if (addr > LINUX_TASK_SIZE || len > LINUX_TASK_SIZE - addr)
        return -LINUX_ENOMEM;
    if (prot & LINUX_PROT_GROWSUP)  // no area of this machine grows upward
        return -LINUX_EINVAL;
    struct area_bin bin = {NULL};
    int r;
    {
        LOCKED(&mm->lock);
        r = protect_locked(mm, th, addr, addr + page_up(len), prot, &bin);
    }
    area_bin_empty(&bin);
    return r;
}
