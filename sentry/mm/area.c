// SPDX-License-Identifier: Apache-2.0
// See area.h.
#include "sentry/mm/area.h"
#include "abi/errno.h"
#include "base/fault.h"
#include "fs/vfs.h"
#include <stdlib.h>

// ---- Files ------------------------------------------------------------------------------------------------
// Each area holds its file, and counts as a shared mapping that can be written (F_SEAL_WRITE asks for those).
static void hold_file(const struct vma *v) {
    if (!v->file)
        return;
    file_get(v->file);
    if (area_writes_file(v))
        vfs_mmap_shared(v->file, 1);
}
static void drop_file(const struct vma *v) {
    if (!v->file)
        return;
    if (area_writes_file(v))
        vfs_mmap_shared(v->file, -1);
    file_put(v->file);
}

// ---- Spares, bins -----------------------------------------------------------------------------------------
static void bin_add(struct area_bin *bin, struct vma *v) {
    v->chain = bin->first;
    bin->first = v;
}
void area_bin_empty(struct area_bin *bin) {
    for (struct vma *v = bin->first, *next; v; v = next) {
        next = v->chain;
        drop_file(v);
        free(v);
    }
    bin->first = NULL;
}

int area_reserve(struct mm *mm, unsigned n) {
    while (mm->nspare < n) {
        struct vma *v = znew(struct vma);
        if (!v)
            return -LINUX_ENOMEM;
        v->chain = mm->spare;
        mm->spare = v;
        mm->nspare++;
    }
    return 0;
}
static struct vma *take_spare(struct mm *mm) {
    struct vma *v = mm->spare;
    invariant(v);
    mm->spare = v->chain;
    mm->nspare--;
    return v;
}

// ---- The tree ---------------------------------------------------------------------------------------------
static struct vma *to_vma(struct rb_node *n) { return n ? rb_entry(n, struct vma, node) : NULL; }

struct vma *area_find(const struct mm *mm, uint64_t addr) {
    struct vma *best = NULL;
    for (struct rb_node *n = mm->areas.node; n;) {
        struct vma *v = to_vma(n);
        if (v->end > addr) {
            best = v;
            n = n->left;
        } else {
            n = n->right;
        }
    }
    return best;
}
struct vma *area_next(const struct vma *v) { return to_vma(rb_next(&v->node)); }
struct vma *area_prev(const struct vma *v) { return to_vma(rb_prev(&v->node)); }

// What counts against RLIMIT_DATA: private and writable, but not the stack.
static bool is_data(const struct vma *v) {
    return (v->prot & LINUX_PROT_WRITE) && !(v->flags & (LINUX_MAP_SHARED | LINUX_MAP_GROWSDOWN));
}
static void account(struct mm *mm, const struct vma *v, bool add) {
    if (area_hidden(v))  // the vDSO counts, as on Linux
        return;
    uint64_t n = v->end - v->start, sign = add ? 1 : -UINT64_C(1);
    mm->total += sign * n;
    if (mm->total > mm->peak)
        mm->peak = mm->total;
    if (v->flags & VMA_LOCKED)
        mm->locked += sign * n;
    if (!is_data(v))
        return;
    mm->data += sign * n;
    if (mm->pool)
        mem_pool_add(mm->pool, sign * n);
}

static void link_area(struct mm *mm, struct vma *v) {
    struct rb_node **link = &mm->areas.node, *parent = NULL;
    while (*link) {
        parent = *link;
        link = v->start < to_vma(parent)->start ? &parent->left : &parent->right;
    }
    rb_insert(&mm->areas, &v->node, parent, link);
    mm->nareas++;
}
static void unlink_area(struct mm *mm, struct vma *v) {
    rb_erase(&mm->areas, &v->node);
    mm->nareas--;
}

void area_split(struct mm *mm, uint64_t at) {
    struct vma *v = area_find(mm, at);
    if (!v || v->start >= at)
        return;
    struct vma *upper = take_spare(mm);
    *upper = *v;
    hold_file(upper);
    if (upper->file)
        upper->offset += at - v->start;
    upper->start = at;
    v->end = at;
    link_area(mm, upper);
}

bool area_may_split(const struct mm *mm, uint64_t start, uint64_t end) {
    const struct vma *first = area_find(mm, start), *last = area_find(mm, end);
    unsigned more = (first && first->start < start) + (last && last->start < end);
    return mm->nareas + more <= mm_area_limit(mm);
}

static bool alike(const struct vma *a, const struct vma *b) {
    return a->end == b->start && a->prot == b->prot && a->max_prot == b->max_prot && a->flags == b->flags &&
           a->file == b->file && a->name == b->name && !(a->flags & VMA_FIXED_KERNEL) &&
           (!a->file || a->offset + (a->end - a->start) == b->offset);
}
// Lets `a` swallow its upper neighbour b.
static void swallow(struct mm *mm, struct vma *a, struct vma *b, struct area_bin *bin) {
    unlink_area(mm, b);
    a->end = b->end;
    bin_add(bin, b);
}

void area_merge_range(struct mm *mm, uint64_t start, uint64_t end, struct area_bin *bin) {
    struct vma *v = area_find(mm, start ? start - 1 : 0);
    while (v && v->start <= end) {
        struct vma *next = area_next(v);
        if (next && alike(v, next))
            swallow(mm, v, next, bin);
        else
            v = next;
    }
}

// The common case of a new area that continues a neighbour costs no node.
struct vma *area_add(struct mm *mm, const struct vma *proto) {
    account(mm, proto, true);
    struct vma *above = area_find(mm, proto->start), *below;
    below = above ? area_prev(above) : to_vma(rb_last(&mm->areas));
    if (below && alike(below, proto)) {
        below->end = proto->end;
        if (above && alike(below, above)) {
            unlink_area(mm, above);
            below->end = above->end;
            // Their file is one and the same, so this is not its last reference and nothing is let go of
            // here.
            drop_file(above);
            *above = (struct vma){.chain = mm->spare};
            mm->spare = above;
            mm->nspare++;
        }
        return below;
    }
    if (above && alike(proto, above)) {
        above->start = proto->start;
        above->offset = proto->offset;
        return above;
    }
    struct vma *v = take_spare(mm);
    *v = *proto;
    hold_file(v);
    link_area(mm, v);
    return v;
}

void area_cut(struct mm *mm, uint64_t start, uint64_t end, struct area_bin *bin) {
    struct vma *v = area_find(mm, start), *next;
    if (!v || v->start >= end)
        return;
    if (!(v->flags & VMA_FIXED_KERNEL))
        area_split(mm, start);
    struct vma *last = area_find(mm, end);
    if (last && last->start < end && !(last->flags & VMA_FIXED_KERNEL))
        area_split(mm, end);
    for (v = area_find(mm, start); v && v->start < end; v = next) {
        next = area_next(v);
        if (v->flags & VMA_FIXED_KERNEL)
            continue;
        account(mm, v, false);
        unlink_area(mm, v);
        bin_add(bin, v);
    }
    // The hole may reach beyond what was cut; all of it is free to be found again.
    v = area_find(mm, end);
    uint64_t top = mm->mmap_base;
    if (v)
        top = v->start > end ? v->start : end;
    if (top > mm->mmap_base)
        top = mm->mmap_base;
    if (top > mm->place_top)
        mm->place_top = top;
}

void area_change(struct mm *mm, struct vma *v, uint32_t prot, uint32_t flags) {
    account(mm, v, false);
    v->prot = prot;
    v->flags = flags;
    account(mm, v, true);
}

bool area_range_free(const struct mm *mm, uint64_t start, uint64_t end) {
    const struct vma *v = area_find(mm, start);
    return !v || v->start >= end;
}
int area_check_fixed(const struct mm *mm, uint64_t start, uint64_t end) {
    int err = 0;
    for (const struct vma *v = area_find(mm, start); v && v->start < end; v = area_next(v))
        if (v->flags & VMA_SEALED || (v->flags & VMA_FIXED_KERNEL && v->name))
            return -LINUX_EPERM;
        else if (v->flags & VMA_FIXED_KERNEL)
            err = -LINUX_ENOMEM;
    return err;
}

// ---- Free ranges ------------------------------------------------------------------------------------------
// Linear in the areas that are passed over. area_place() remembers where it need not look again, so a program
// with thousands of areas pays for one of them only.
// The one across hi, or the first above, or the last of all.
static const struct vma *area_at_or_above(const struct mm *mm, uint64_t hi) {
    const struct vma *v = area_find(mm, hi - 1);
    return v ? v : to_vma(rb_last(&mm->areas));
}

// Where an area begins for who looks for a place: one that grows downward has a gap before it.
static uint64_t start_with_gap(const struct vma *v) {
    bool grows = (v->flags & LINUX_MAP_GROWSDOWN) && v->start > AREA_STACK_GAP;
    return grows ? v->start - AREA_STACK_GAP : v->start;
}

static uint64_t gap_down(const struct mm *mm, uint64_t lo, uint64_t hi, uint64_t len, uint64_t *largest) {
    if (hi <= lo || len > hi - lo)
        return 0;
    const struct vma *v = area_at_or_above(mm, hi);
    uint64_t top = hi;
    for (;; v = area_prev(v)) {
        if (v && v->start >= top) {
            top = start_with_gap(v) < top ? start_with_gap(v) : top;
            continue;
        }
        uint64_t bottom = v && v->end > lo ? v->end : lo;
        if (top > bottom && top - bottom >= len)
            return top - len;
        if (top > bottom && top - bottom > *largest)
            *largest = top - bottom;
        if (!v || v->start <= lo)
            return 0;
        top = start_with_gap(v) < top ? start_with_gap(v) : top;
    }
}
uint64_t area_find_gap(const struct mm *mm, uint64_t lo, uint64_t hi, uint64_t len) {
    uint64_t largest = 0;
    return gap_down(mm, lo, hi, len, &largest);
}

uint64_t area_place(struct mm *mm, uint64_t len) {
    uint64_t lo = mm->layout->lo, addr;
    if (len <= mm->place_hole) {
        mm->place_top = mm->mmap_base;
        mm->place_hole = 0;
    }
    addr = gap_down(mm, lo, mm->place_top, len, &mm->place_hole);
    if (addr) {
        mm->place_top = addr;
        return addr;
    }
    // A hole may lie across place_top: look once more from the top, then above mmap_base.
    addr = area_find_gap(mm, lo, mm->mmap_base, len);
    return addr ? addr : area_find_gap(mm, mm->mmap_base, mm->layout->hi, len);
}

// ---- The whole --------------------------------------------------------------------------------------------
bool area_check(const struct mm *mm) {
    struct mm sum = {0};
    uint64_t end = 0;
    unsigned n = 0;
    for (const struct rb_node *r = rb_first(&mm->areas); r; r = rb_next(r)) {
        const struct vma *v = rb_entry(r, struct vma, node);
        if (v->start < end || v->end <= v->start || (v->start | v->end) % GUEST_PAGE_SIZE)
            return false;
        end = v->end;
        n++;
        account(&sum, v, true);
    }
    return n == mm->nareas && sum.total == mm->total && sum.locked == mm->locked && sum.data == mm->data;
}
void area_free_all(struct mm *mm) {
    struct area_bin bin = {NULL};
    for (struct rb_node *n; (n = rb_first(&mm->areas));) {
        struct vma *v = to_vma(n);
        unlink_area(mm, v);
        bin_add(&bin, v);
    }
    area_bin_empty(&bin);
    for (struct vma *v; (v = mm->spare); mm->nspare--) {
        mm->spare = v->chain;
        free(v);
    }
}
