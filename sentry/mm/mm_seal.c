// SPDX-License-Identifier: Apache-2.0
// mseal and remap_file_pages: what they mean. Called by sentry/syscalls/sys_mm.c. A sealed area is neither
// unmapped, moved, nor given another protection: area_check_fixed() and the like say so.
#include "abi/errno.h"
#include "sentry/fd/fdtable.h"
#include "sentry/mm/area.h"
#include "sentry/mm/mm_queue.h"
#include "sentry/mm/mm_seal.h"

int64_t do_mseal(struct mm *mm, uaddr_t at, uint64_t len, uint64_t flags) {
    uint64_t start = at.v, end = start + page_up(len);
    if (flags || start % GUEST_PAGE_SIZE || (len && !page_up(len)) || end < start)
        return -LINUX_EINVAL;
    if (end == start)
        return 0;
    struct area_bin bin = {NULL};
    int64_t r = 0;
    {
        LOCKED(&mm->lock);
        for (uint64_t to = start; to < end;) {
            const struct vma *v = area_find(mm, to);
            if (!v || v->start > to || area_hidden(v))
                return -LINUX_ENOMEM;
            to = v->end;
        }
        r = flag_range(mm, start, end, VMA_SEALED, 0, &bin);
    }
    area_bin_empty(&bin);
    return r;
}

// What is mapped at `start` anew, from another place in its file.
int64_t do_remap_file_pages(struct task *t, struct mm *mm, struct plat_thread *th, uint64_t start,
                            uint64_t size, uint64_t page, uint64_t flags) {
    struct file *f cleanup_file = NULL;
    struct mmap_args m = {.flags = LINUX_MAP_SHARED | LINUX_MAP_FIXED | LINUX_MAP_POPULATE |
                                   (flags & LINUX_MAP_NONBLOCK)};
    m.addr = start = page_down(start);
    m.len = size = page_down(size);
    if (size == 0 || start + size <= start || page + size / GUEST_PAGE_SIZE < page)
        return -LINUX_EINVAL;
    {
        LOCKED(&mm->lock);
        const struct vma *v = area_find_shown(mm, start);
        if (!v || v->start > start || !(v->flags & LINUX_MAP_SHARED) || !v->file ||
            v->flags & VMA_FIXED_KERNEL)
            return -LINUX_EINVAL;
        for (const struct vma *n = v; n->end < start + size;) {  // in neighbours of the same file and rights
            const struct vma *next = area_next(n);
            if (!next || next->start != n->end || next->file != v->file || next->prot != v->prot ||
                next->flags != v->flags)
                return -LINUX_EINVAL;
            n = next;
        }
        m.file = f = file_get(v->file);
        m.prot = v->prot;
        m.flags |= v->flags & VMA_LOCKED ? LINUX_MAP_LOCKED : 0;
    }
    m.offset = page * GUEST_PAGE_SIZE;
    int64_t r = do_mmap(t, mm, th, &m);
    return r < 0 ? r : 0;
}
