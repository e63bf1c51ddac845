// SPDX-License-Identifier: Apache-2.0
// The areas of a memory map as a data structure: a red-black tree by address, with splitting, merging,
// accounting and the search for a free range. No system call semantics, no host work: sentry/mm/mm_*.c build
// those on top.
//
// mm->lock is held for everything here. A change is prepared by area_reserve(), which may fail; the change
// itself then cannot. Areas that leave the tree go on a `bin`, which is emptied after the lock is dropped,
// because letting go of a file may do anything.
#ifndef SENTRY_MM_AREA_H
#define SENTRY_MM_AREA_H
#include "sentry/mm/mm.h"

// Sealed, mseal(2): may be neither unmapped, moved, nor given another protection. In vma->flags.
#define VMA_SEALED 0x04000000u

// What Linux keeps free before an area that grows downward (stack_guard_gap).
#define AREA_STACK_GAP (256 * GUEST_PAGE_SIZE)

struct area_bin {
    struct vma *first;
};
void area_bin_empty(struct area_bin *bin);  // no lock held

// Makes sure that n areas can be taken without allocating. Each split takes one, each area_add() one.
int area_reserve(struct mm *mm, unsigned n);
// The first area that ends above addr, or NULL. Its neighbours in order.
struct vma *area_find(const struct mm *mm, uint64_t addr);
struct vma *area_next(const struct vma *v);
struct vma *area_prev(const struct vma *v);
// Adds [proto->start, proto->end), which is free, as an area like proto (its file is referenced anew), and
// merges it.
struct vma *area_add(struct mm *mm, const struct vma *proto);
// Cuts areas in two at `at`, if one lies across. Takes one reserved area.
void area_split(struct mm *mm, uint64_t at);
bool area_may_split(const struct mm *mm, uint64_t start, uint64_t end);  // at both, within vm.max_map_count
// Removes [start, end) from the map, but for the platform's own. Takes up to two reserved areas.
void area_cut(struct mm *mm, uint64_t start, uint64_t end, struct area_bin *bin);
// Changes one whole area; the accounting follows. Merge afterwards with area_merge_range().
void area_change(struct mm *mm, struct vma *v, uint32_t prot, uint32_t flags);
// Joins neighbours that are alike from the area before start to the one after end.
void area_merge_range(struct mm *mm, uint64_t start, uint64_t end, struct area_bin *bin);
// Is there no area at all (the platform's included) in [start, end)?
bool area_range_free(const struct mm *mm, uint64_t start, uint64_t end);
// What a range says that touches one of the platform's own areas: -LINUX_EPERM for one with a name (as for
// sealed memory, mseal(2)), -LINUX_ENOMEM for hidden ones only; 0: it touches none.
int area_check_fixed(const struct mm *mm, uint64_t start, uint64_t end);
// The highest free range of len bytes in [lo, hi): its start, or 0.
uint64_t area_find_gap(const struct mm *mm, uint64_t lo, uint64_t hi, uint64_t len);
// The same from mmap_base downward, with the map's memory of where there is nothing to find; then anywhere
// above it.
uint64_t area_place(struct mm *mm, uint64_t len);
// Checks that all links, sizes and counts fit together; for tests and debug builds.
bool area_check(const struct mm *mm);
void area_free_all(struct mm *mm);  // no lock needed: nobody has the map any more

// May stores through it reach its file, now or after an mprotect?
static inline bool area_writes_file(const struct vma *v) {
    return (v->flags & LINUX_MAP_SHARED) && (v->max_prot & LINUX_PROT_WRITE);
}
static inline bool area_hidden(const struct vma *v) { return (v->flags & VMA_FIXED_KERNEL) && !v->name; }
// The first area that ends behind addr, as area_find(), but for hidden ones.
static inline struct vma *area_find_shown(const struct mm *mm, uint64_t addr) {
    struct vma *v = area_find(mm, addr);
    while (v && area_hidden(v))
        v = area_next(v);
    return v;
}

#endif
