// SPDX-License-Identifier: Apache-2.0
// madvise and msync: what they mean. Called by sentry/syscalls/sys_mm.c.
//
// LIMIT: hints about paging are checked and ignored; MADV_MERGEABLE is EINVAL, as without KSM.
// LIMIT: MADV_HWPOISON and MADV_SOFT_OFFLINE are EINVAL, as on kernels without memory failure handling.
#include "abi/errno.h"
#include "abi/misc.h"
#include "sentry/fd/fdtable.h"
#include "sentry/mm/area.h"
#include "sentry/mm/mm_queue.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/task.h"

// HOST: carried out by the host, who has no reason to refuse; ASK: the host's answer is the guest's.
enum advice { ADVICE_BAD, ADVICE_HINT, ADVICE_HOST, ADVICE_ASK, ADVICE_REMOVE };

static enum advice kind_of(int advice) {
    switch (advice) {
    case LINUX_MADV_NORMAL:
    case LINUX_MADV_RANDOM:
    case LINUX_MADV_SEQUENTIAL:
    case LINUX_MADV_WILLNEED:
    case LINUX_MADV_COLD:
    case LINUX_MADV_PAGEOUT:
    case LINUX_MADV_DONTDUMP:
    case LINUX_MADV_DODUMP:
        return ADVICE_HINT;
    case LINUX_MADV_DONTNEED:
    case LINUX_MADV_DONTNEED_LOCKED:
    case LINUX_MADV_FREE:
    case LINUX_MADV_DONTFORK:
    case LINUX_MADV_DOFORK:
    case LINUX_MADV_WIPEONFORK:
    case LINUX_MADV_KEEPONFORK:
        return ADVICE_HOST;
    case LINUX_MADV_HUGEPAGE:
    case LINUX_MADV_NOHUGEPAGE:
    case LINUX_MADV_POPULATE_READ:
    case LINUX_MADV_POPULATE_WRITE:
    case LINUX_MADV_COLLAPSE:
    case LINUX_MADV_GUARD_INSTALL:
    case LINUX_MADV_GUARD_REMOVE:
        return ADVICE_ASK;
    case LINUX_MADV_REMOVE:
        return ADVICE_REMOVE;
    default:
        return ADVICE_BAD;
    }
}

bool mm_advice_asks(int advice) { return kind_of(advice) == ADVICE_ASK; }
static bool populates(int advice) {
    return advice == LINUX_MADV_POPULATE_READ || advice == LINUX_MADV_POPULATE_WRITE;
}

// Sealed memory that cannot be written cannot be emptied by advice either, mseal(2).
static bool is_discarded_for_good(const struct vma *v, int advice) {
    bool drops = advice == LINUX_MADV_DONTNEED || advice == LINUX_MADV_DONTNEED_LOCKED ||
                 advice == LINUX_MADV_FREE || advice == LINUX_MADV_DONTFORK ||
                 advice == LINUX_MADV_WIPEONFORK || advice == LINUX_MADV_REMOVE ||
                 advice == LINUX_MADV_GUARD_INSTALL;
    return v->flags & VMA_SEALED && drops && !v->file && !(v->flags & LINUX_MAP_SHARED) &&
           !(v->prot & LINUX_PROT_WRITE);
}

static int check_area(const struct vma *v, int advice) {
    bool anonymous = !v->file && (v->flags & LINUX_MAP_PRIVATE), locked = v->flags & VMA_LOCKED;
    if (v->flags & VMA_FIXED_KERNEL)
        return -LINUX_EINVAL;
    if (is_discarded_for_good(v, advice))
        return -LINUX_EPERM;
    switch (advice) {
    case LINUX_MADV_DONTNEED:
    case LINUX_MADV_COLD:
    case LINUX_MADV_PAGEOUT:
    case LINUX_MADV_GUARD_INSTALL:
        return locked ? -LINUX_EINVAL : 0;
    case LINUX_MADV_FREE:
        return anonymous && !locked ? 0 : -LINUX_EINVAL;
    case LINUX_MADV_WIPEONFORK:
        return anonymous ? 0 : -LINUX_EINVAL;
    case LINUX_MADV_POPULATE_READ:
        return v->prot & LINUX_PROT_READ ? 0 : -LINUX_EINVAL;
    case LINUX_MADV_POPULATE_WRITE:
        return v->prot & LINUX_PROT_WRITE ? 0 : -LINUX_EINVAL;
    default:
        return 0;
    }
}

static int advise_host(struct mm *mm, struct plat_thread *th, uint64_t start, uint64_t end, int advice,
                       struct area_bin *bin) {
    // Nothing of ours is locked on the host, so the plain form does there.
    int host = advice == LINUX_MADV_DONTNEED_LOCKED ? LINUX_MADV_DONTNEED : advice;
    if (start == end || (populates(advice) && !mem_pool_may_fill(mm->pool, end - start)))
        return 0;
    int r = queue_advise(mm, th, start, end, host);
    if (r == 0 && (advice == LINUX_MADV_DONTFORK || advice == LINUX_MADV_DOFORK))
        r = flag_range(mm, start, end, advice == LINUX_MADV_DONTFORK ? VMA_DONTFORK : 0, VMA_DONTFORK, bin);
    return r;
}

// LIMIT: what a guest has written into the last page of a file's text stays when it gives back a part of that
// text with that page in it: the platform may have put what other pages need there (struct plat_text).
static uint64_t kept_bytes(const struct vma *v, uint64_t from, uint64_t to, int advice) {
    bool drops = advice == LINUX_MADV_DONTNEED || advice == LINUX_MADV_DONTNEED_LOCKED;
    bool text = v->file && (v->flags & LINUX_MAP_PRIVATE) && v->prot == (LINUX_PROT_READ | LINUX_PROT_EXEC);
    return drops && text && from > v->start && to == v->end ? GUEST_PAGE_SIZE : 0;
}

// Area by area, as Linux: stops at the first that refuses, and tells of holes at the end.
static int advise_range(struct mm *mm, struct plat_thread *th, uint64_t start, uint64_t end, int advice,
                        bool host, struct area_bin *bin) {
    int holes = 0;
    for (uint64_t at = start; at < end;) {
        const struct vma *v = area_find_shown(mm, at);
        if (!v || v->start >= end)
            return -LINUX_ENOMEM;
        if (v->start > at)
            holes = -LINUX_ENOMEM;
        if (holes && populates(advice))
            return holes;
        uint64_t from = v->start > at ? v->start : at, to = v->end < end ? v->end : end;
        int r = check_area(v, advice);
        if (r == 0 && (advice == LINUX_MADV_DONTDUMP || advice == LINUX_MADV_DODUMP))
            r = flag_range(mm, from, to, advice == LINUX_MADV_DONTDUMP ? VMA_DONTDUMP : 0, VMA_DONTDUMP, bin);
        if (r == 0 && host)
            r = advise_host(mm, th, from, to - kept_bytes(v, from, to, advice), advice, bin);
        if (r < 0)
            return r;
        at = to;
    }
    return holes;
}

// Punches holes into the files behind shared areas; the files are told with no lock held.
static int advise_remove(struct task *t, struct mm *mm, uint64_t start, uint64_t end) {
    TASK_VFS_CTX(t, ctx);
    int holes = 0;
    for (uint64_t at = start; at < end;) {
        struct file *f cleanup_file = NULL;
        uint64_t off, to;
        {
            LOCKED(&mm->lock);
            const struct vma *v = area_find(mm, at);
            if (!v || v->start >= end)
                return -LINUX_ENOMEM;
            if (v->start > at)
                holes = -LINUX_ENOMEM;
            at = v->start > at ? v->start : at;
            to = v->end < end ? v->end : end;
            if (!v->file || !(v->flags & LINUX_MAP_SHARED) || (v->flags & VMA_LOCKED))
                return -LINUX_EINVAL;
            if (!(v->max_prot & LINUX_PROT_WRITE))
                return -LINUX_EACCES;
            f = file_get(v->file);
            off = v->offset + (at - v->start);
        }
        int r = vfs_fallocate(&ctx, f, LINUX_FALLOC_FL_PUNCH_HOLE | LINUX_FALLOC_FL_KEEP_SIZE, off, to - at);
        if (r < 0)
            return r;
        at = to;
    }
    return holes;
}

int64_t do_madvise(struct task *t, struct mm *mm, struct plat_thread *th, uaddr_t at, uint64_t len,
                   int advice) {
    uint64_t addr = at.v;
    enum advice kind = kind_of(advice);
    if (kind == ADVICE_BAD || addr % GUEST_PAGE_SIZE)
        return -LINUX_EINVAL;
    if (len > UINT64_MAX - GUEST_PAGE_SIZE || addr + page_up(len) < addr)
        return -LINUX_EINVAL;
    uint64_t end = addr + page_up(len);
    if (end == addr)
        return 0;
    if (addr > LINUX_TASK_SIZE || len > LINUX_TASK_SIZE - addr)  // nothing is mapped at its end
        return -LINUX_ENOMEM;
    if (kind == ADVICE_REMOVE)
        return advise_remove(t, mm, addr, end);
    struct area_bin bin = {NULL};
    int r;
    {
        LOCKED(&mm->lock);
        r = advise_range(mm, th, addr, end, advice, kind == ADVICE_HOST || kind == ADVICE_ASK, &bin);
    }
    area_bin_empty(&bin);
    return r;
}

int64_t do_msync(struct mm *mm, uaddr_t at, uint64_t len, unsigned flags) {
    uint64_t addr = at.v;
    if ((flags & ~(unsigned)(LINUX_MS_ASYNC | LINUX_MS_INVALIDATE | LINUX_MS_SYNC)) || addr % GUEST_PAGE_SIZE)
        return -LINUX_EINVAL;
    if ((flags & LINUX_MS_ASYNC) && (flags & LINUX_MS_SYNC))
        return -LINUX_EINVAL;
    len = (len + GUEST_PAGE_SIZE - 1) & GUEST_PAGE_MASK;  // as Linux: the very largest lengths become none
    if (addr + len < addr)
        return -LINUX_ENOMEM;
    int holes = 0;
    for (uint64_t pos = addr, end = addr + len; pos < end;) {
        struct file *f cleanup_file = NULL;
        {
            LOCKED(&mm->lock);
            const struct vma *v = area_find_shown(mm, pos);
            if (!v || v->start >= end)
                return -LINUX_ENOMEM;
            if (v->start > pos)
                holes = -LINUX_ENOMEM;
            if ((flags & LINUX_MS_INVALIDATE) && (v->flags & VMA_LOCKED))
                return -LINUX_EBUSY;
            if ((flags & LINUX_MS_SYNC) && v->file && (v->flags & LINUX_MAP_SHARED))
                f = file_get(v->file);
            pos = v->end;
        }
        int r = f ? vfs_fsync(f, true) : 0;
        if (r < 0 && r != -LINUX_EINVAL)
            return r;
    }
    return holes;
}
