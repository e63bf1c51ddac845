// SPDX-License-Identifier: Apache-2.0
// mremap: what it means. Called by sentry/syscalls/sys_mm.c. Where the host has to move or grow a mapping it
// is asked first, and our map follows its answer: the host may refuse (EFAULT) to take as one what it keeps
// in several pieces, such as neighbours that have pages each, and that are one area here.
//
// With MREMAP_DONTUNMAP the host moves what there is, and then maps the old place anew; a thread that touches
// it in between finds nothing there (Linux has no such moment).
//
// LIMIT: one area is moved at a time (Linux 6.17 moves several).
#include "fs/vfs.h"
#include "sentry/mm/area.h"
#include "sentry/mm/mm_queue.h"
#include "sentry/proc/task.h"

#define MREMAP_AREAS 6  // that may be needed: two ranges are cut, each may split one, and two are added

static int check_args(const struct mremap_args *a) {
    const uint32_t moves = LINUX_MREMAP_FIXED | LINUX_MREMAP_DONTUNMAP;
    if (a->flags & ~(LINUX_MREMAP_MAYMOVE | moves))
        return -LINUX_EINVAL;
    if ((a->flags & moves) && !(a->flags & LINUX_MREMAP_MAYMOVE))
        return -LINUX_EINVAL;
    if ((a->flags & LINUX_MREMAP_DONTUNMAP) && a->old_len != a->new_len)
        return -LINUX_EINVAL;
    if (a->addr % GUEST_PAGE_SIZE || a->new_len == 0)
        return -LINUX_EINVAL;
    if (!(a->flags & moves))
        return 0;
    if (a->new_addr % GUEST_PAGE_SIZE || a->new_len > LINUX_TASK_SIZE ||
        a->new_addr > LINUX_TASK_SIZE - a->new_len)
        return -LINUX_EINVAL;
    bool overlap = a->new_addr < a->addr + a->old_len && a->addr < a->new_addr + a->new_len;
    return overlap ? -LINUX_EINVAL : 0;
}

// Checks that need the area: what is moved lies in it, and what is added is within the limits.
static int check_area(struct task *t, const struct mm *mm, const struct vma *v, const struct mremap_args *a) {
    if (a->old_len == 0 && !(v->flags & LINUX_MAP_SHARED))
        return -LINUX_EINVAL;
    if (a->old_len > v->end - a->addr)
        return -LINUX_EFAULT;
    bool kept = a->flags & LINUX_MREMAP_DONTUNMAP;
    if (a->new_len <= a->old_len && !kept)
        return 0;
    uint64_t more = kept ? a->new_len : a->new_len - a->old_len;
    if (v->file && v->offset + (a->addr - v->start) + a->new_len < v->offset)
        return -LINUX_EINVAL;
    if (v->flags & VMA_LOCKED && limit_locked(t, mm, more) < 0)
        return -LINUX_EAGAIN;
    bool data = (v->prot & LINUX_PROT_WRITE) && !(v->flags & (LINUX_MAP_SHARED | LINUX_MAP_GROWSDOWN));
    return limit_total(t, mm, more, data ? more : 0);
}

static int64_t shrink(struct mm *mm, struct plat_thread *th, const struct mremap_args *a,
                      struct area_bin *bin) {
    uint64_t from = a->addr + a->new_len, to = a->addr + a->old_len;
    if (from == to)
        return (int64_t)a->addr;
    if (area_check_fixed(mm, from, to) == -LINUX_EPERM)
        return -LINUX_EPERM;
    int r = area_reserve(mm, 2);
    if (r == 0)
        r = queue_unmap(mm, th, from, to);
    if (r < 0)
        return r;
    area_cut(mm, from, to, bin);
    return (int64_t)a->addr;
}

// In place only where the host's map is free too: the anchor is in that alone, and a map that grows replaces
// nothing.
static bool can_grow(const struct mm *mm, const struct vma *v, const struct mremap_args *a) {
    uint64_t end = a->addr + a->new_len;
    bool anchored = mm->anchor >= v->end && mm->anchor < end;
    return a->old_len && !anchored && a->addr + a->old_len == v->end &&
           a->new_len <= mm->layout->hi - a->addr && area_range_free(mm, v->end, end);
}

static struct vma moved_area(const struct vma *v, const struct mremap_args *a, uint64_t to) {
    struct vma moved = *v;
    moved.start = to;
    moved.end = to + a->new_len;
    moved.offset += v->file ? a->addr - v->start : 0;
    if (!v->file)
        moved.name = NULL;  // it is not the heap or the stack any more
    return moved;
}

// A second map of the same shared pages, at [to, to + new_len), which is free or is replaced.
static int64_t map_again(struct mm *mm, struct plat_thread *th, const struct vma *v,
                         const struct mremap_args *a, uint64_t to, struct area_bin *bin) {
    struct vma moved = moved_area(v, a, to);
    int fd = vfs_mmap_fd(v->file, (int)v->prot, true);
    int r = fd < 0 ? fd : queue_map(mm, th, &moved, 0, fd);
    if (r < 0)
        return r;
    area_cut(mm, moved.start, moved.end, bin);
    area_add(mm, &moved);  // the bin still keeps the file
    return (int64_t)to;
}

// Asks the host for the whole at *to, which is a->addr when it grows in place.
static int64_t ask_host(struct mm *mm, struct plat_thread *th, const struct mremap_args *a, uint64_t to,
                        uint64_t *asked) {
    *asked = to;
    int r = queue_remap(mm, th, a->addr, a->old_len, to, a->new_len);
    return r < 0 ? r : SYS_FLUSH;
}

static int64_t move(struct mm *mm, struct plat_thread *th, const struct vma *v, const struct mremap_args *a,
                    uint64_t to, uint64_t *asked, struct area_bin *bin) {
    int r = mm->nareas + 3 > mm_area_limit(mm) ? -LINUX_ENOMEM : area_reserve(mm, MREMAP_AREAS);
    if (r < 0)
        return r;
    return a->old_len ? ask_host(mm, th, a, to, asked) : map_again(mm, th, v, a, to, bin);
}

static int64_t remap_locked(struct task *t, struct mm *mm, struct plat_thread *th,
                            const struct mremap_args *a, uint64_t *asked, struct area_bin *bin) {
    struct vma *v = area_find(mm, a->addr);
    if (!v || v->start > a->addr || area_hidden(v))
        return -LINUX_EFAULT;
    if (v->flags & VMA_FIXED_KERNEL || area_check_fixed(mm, a->addr, a->addr + a->old_len) == -LINUX_EPERM)
        return -LINUX_EPERM;
    bool fixed = a->flags & LINUX_MREMAP_FIXED, kept = a->flags & LINUX_MREMAP_DONTUNMAP;
    if (!fixed && !kept && a->old_len >= a->new_len)
        return shrink(mm, th, a, bin);
    int r = check_area(t, mm, v, a);
    if (r < 0)
        return r;
    if (fixed) {
        uint64_t end = a->new_addr + a->new_len;
        if (a->new_addr < mm->layout->lo || end > mm->layout->hi)
            return a->new_addr < LINUX_MMAP_MIN_ADDR ? -LINUX_EPERM : -LINUX_ENOMEM;
        r = area_check_fixed(mm, a->new_addr, end);
        return r < 0 ? r : move(mm, th, v, a, a->new_addr, asked, bin);
    }
    if (!kept && can_grow(mm, v, a)) {
        r = area_reserve(mm, MREMAP_AREAS);
        return r < 0 ? r : ask_host(mm, th, a, a->addr, asked);
    }
    if (!(a->flags & LINUX_MREMAP_MAYMOVE))
        return -LINUX_ENOMEM;
    uint64_t to = area_place(mm, a->new_len);
    return to ? move(mm, th, v, a, to, asked, bin) : -LINUX_ENOMEM;
}

int64_t do_mremap(struct task *t, struct mm *mm, struct plat_thread *th, const struct mremap_args *args,
                  uint64_t *asked) {
    struct mremap_args a = *args;
    // Lengths beyond the address space: none of them can be had.
    if (a.old_len > LINUX_TASK_SIZE || a.addr > LINUX_TASK_SIZE)
        return a.addr % GUEST_PAGE_SIZE ? -LINUX_EINVAL : -LINUX_EFAULT;
    if (a.new_len > LINUX_TASK_SIZE)
        return a.flags & LINUX_MREMAP_FIXED ? -LINUX_EINVAL : -LINUX_ENOMEM;
    a.old_len = page_up(a.old_len);
    a.new_len = page_up(a.new_len);
    int64_t r = check_args(&a);
    if (r < 0)
        return r;
    struct area_bin bin = {NULL};
    {
        LOCKED(&mm->lock);
        r = remap_locked(t, mm, th, &a, asked, &bin);
    }
    area_bin_empty(&bin);
    return r;
}

// ---- The host has answered --------------------------------------------------------------------------------
static void grown(struct mm *mm, const struct mremap_args *a) {
    struct vma more = *area_find(mm, a->addr);
    more.offset += more.end - more.start;
    more.start = more.end;
    more.end = a->addr + a->new_len;
    area_add(mm, &more);
}

static void moved(struct mm *mm, const struct mremap_args *a, uint64_t to, struct area_bin *bin) {
    struct vma area = moved_area(area_find(mm, a->addr), a, to);
    area_cut(mm, to, to + a->new_len, bin);
    area_cut(mm, a->addr, a->addr + a->old_len, bin);
    area_add(mm, &area);  // the bin still keeps the file
}

// The same with the old place kept: what was there is mapped anew, as it was before anybody wrote.
static int moved_and_kept(struct mm *mm, struct plat_thread *th, const struct mremap_args *a, uint64_t to,
                          struct area_bin *bin) {
    struct vma old = *area_find(mm, a->addr);
    old.offset += old.file ? a->addr - old.start : 0;
    old.start = a->addr;
    old.end = a->addr + a->old_len;
    old.flags &= ~VMA_LOCKED;
    int fd = old.file ? vfs_mmap_fd(old.file, (int)old.prot, old.flags & LINUX_MAP_SHARED) : -1;
    moved(mm, a, to, bin);
    if (old.file && fd < 0)
        return fd;
    int r = queue_map(mm, th, &old, 0, fd);
    if (r == 0)
        area_add(mm, &old);  // the bin still keeps the file
    return r;
}

// Some kernels have emptied the place that was asked for before they look at what is to be moved there.
static int empty_place(struct mm *mm, struct plat_thread *th, const struct mremap_args *a,
                       struct area_bin *bin) {
    int r = queue_unmap(mm, th, a->new_addr, a->new_addr + a->new_len);
    if (r == 0)
        area_cut(mm, a->new_addr, a->new_addr + a->new_len, bin);
    return r;
}

static int64_t follow(struct mm *mm, struct plat_thread *th, const struct mremap_args *a, uint64_t asked,
                      int64_t result, struct area_bin *bin) {
    int r = area_reserve(mm, MREMAP_AREAS);
    if (result < 0 && (a->flags & LINUX_MREMAP_FIXED) && r == 0)
        r = empty_place(mm, th, a, bin);
    if (result < 0 || r < 0)
        return r;
    if (a->flags & LINUX_MREMAP_DONTUNMAP)
        return moved_and_kept(mm, th, a, asked, bin);
    if (asked == a->addr)
        grown(mm, a);
    else
        moved(mm, a, asked, bin);
    return 0;
}

int64_t mremap_follow(struct task *t, struct mm *mm, struct plat_thread *th, const struct mremap_args *args,
                      uint64_t asked, int64_t result) {
    struct mremap_args a = *args;
    struct area_bin bin = {NULL};
    int64_t r;
    a.old_len = page_up(a.old_len);
    a.new_len = page_up(a.new_len);
    {
        LOCKED(&mm->lock);
        r = follow(mm, th, &a, asked, result, &bin);
    }
    area_bin_empty(&bin);
    if (r < 0)
        mm_end_process(t, r);  // the two maps differ
    return result < 0 ? result : (int64_t)asked;
}
