// SPDX-License-Identifier: Apache-2.0
// Which pages of a map are present: filling them (mlock), and telling of them (mincore). Both are the host's
// to do, in the guest's own address space.
#include "abi/errno.h"
#include "sentry/mm/area.h"
#include "sentry/mm/mm_queue.h"
#include "sentry/run/call.h"
#include <string.h>

#define INCORE_PIECE (UINT64_C(4) << 30)  // the host looks at so much without a break

// As populate_vma_page_range() of Linux: what a store would make private is made so now. Not the stack, which
// is mapped whole here, where Linux has what was touched.
int queue_fill(struct mm *mm, struct plat_thread *th, uint64_t start, uint64_t end) {
    for (const struct vma *v = area_find(mm, start); v && v->start < end; v = area_next(v)) {
        bool writes = (v->prot & LINUX_PROT_WRITE) && (v->flags & LINUX_MAP_PRIVATE);
        bool touches = v->prot & (LINUX_PROT_READ | LINUX_PROT_WRITE);
        if (!touches || (v->flags & VMA_FIXED_KERNEL) || (v->name && !strcmp(v->name, "[stack]")))
            continue;
        uint64_t from = v->start > start ? v->start : start, to = v->end < end ? v->end : end;
        bool by_write = writes || !(v->prot & LINUX_PROT_READ);
        int advice = by_write ? LINUX_MADV_POPULATE_WRITE : LINUX_MADV_POPULATE_READ;
        int r = mem_pool_may_fill(mm->pool, to - from) ? queue_advise(mm, th, from, to, advice) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

// A host without MADV_POPULATE_* (before Linux 5.14) says EINVAL: then the first touch fills.
int64_t mm_lock_error(int64_t host) {
    switch (host) {
    case -LINUX_EINVAL:
        return 0;
    case -LINUX_EFAULT:
        return -LINUX_ENOMEM;
    case -LINUX_ENOMEM:
        return -LINUX_EAGAIN;
    default:
        return host;
    }
}

int64_t do_mincore(struct mm *mm, struct plat_thread *th, uint64_t start, uint64_t end, uaddr_t vec,
                   uint64_t *done) {
    *done = end - start < INCORE_PIECE ? end - start : INCORE_PIECE;
    if (!mm_is_mapped(mm, start, start + *done))
        return -LINUX_ENOMEM;
    LOCKED(&mm->lock);
    int r = plat_incore(th, uaddr(start), *done, vec);
    if (r < 0)
        return r;
    queue_note(mm);
    return SYS_FLUSH;
}
