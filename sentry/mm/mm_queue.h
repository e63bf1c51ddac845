// SPDX-License-Identifier: Apache-2.0
// Queueing host work for a map, used by the mm_*.c files with mm->lock held. Notes that there is something to
// flush.
#ifndef SENTRY_MM_MM_QUEUE_H
#define SENTRY_MM_MM_QUEUE_H
#include "platform/platform.h"
#include "sentry/mm/area.h"

static inline void queue_note(struct mm *mm) { mm->dirty = true; }
// Always without reserve, and shared only what may be written: see the head of mm.c. (mm_map.c)
int queue_map(struct mm *mm, struct plat_thread *th, const struct vma *v, unsigned flags, int fd);
static inline int queue_protect(struct mm *mm, struct plat_thread *th, uint64_t start, uint64_t end,
                                uint32_t prot) {
    queue_note(mm);
    return plat_protect(th, uaddr(start), end - start, (int)prot);
}
static inline int queue_remap(struct mm *mm, struct plat_thread *th, uint64_t from, uint64_t old_len,
                              uint64_t to, uint64_t new_len) {
    queue_note(mm);
    return plat_remap(th, uaddr(from), old_len, uaddr(to), new_len);
}
static inline int queue_advise(struct mm *mm, struct plat_thread *th, uint64_t start, uint64_t end,
                               int advice) {
    if (!plat_advice_is_free(advice))
        queue_note(mm);
    return plat_advise(th, uaddr(start), end - start, advice);
}
// Makes the pages of [start, end) present that the guest may touch, as its own touches would. (mm_fill.c)
int queue_fill(struct mm *mm, struct plat_thread *th, uint64_t start, uint64_t end);
// Unmaps what our map has in [start, end), in runs around the platform's own ranges. (mm_map.c)
int queue_unmap(struct mm *mm, struct plat_thread *th, uint64_t start, uint64_t end);

// Limits (mm_map.c): may the map grow by so many bytes of that kind? 0 or -LINUX_ENOMEM, -LINUX_EAGAIN.
int limit_total(struct task *t, const struct mm *mm, uint64_t more, uint64_t more_data);
int limit_locked(struct task *t, const struct mm *mm, uint64_t more);
uint64_t count_mapped(const struct mm *mm, uint64_t start, uint64_t end);  // bytes mapped in the range
// Sets and clears flags of all areas in [start, end), which may have holes. (mm_lock.c) -LINUX_ENOMEM:
// nothing done.
int flag_range(struct mm *mm, uint64_t start, uint64_t end, uint32_t set, uint32_t clear,
               struct area_bin *bin);

#endif
