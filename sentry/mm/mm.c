// SPDX-License-Identifier: Apache-2.0
// Big Theory of guest memory.
//
// Two maps describe one address space. Ours (struct mm: a tree of areas) is the one that decides: placement,
// limits, accounting, what /proc/PID/maps shows, what a call answers. The host's, of the stub process that
// runs the guest, is the one that the MMU obeys. Each change is decided in ours, under mm->lock, and queued
// as host work on the calling task's held thread, which does it before it runs guest code again. So a change
// costs no round trip of its own: the host calls are made by the stub, on the way back from the system call
// that it was in anyway.
//
// Pages are the host's business altogether. Private anonymous memory is host anonymous memory of the stub:
// zero fill, copy on write after fork, swapping are the host kernel's. A file map is a map of the host
// descriptor behind the file (vfs_mmap_fd), so page cache is shared with everybody. Shared anonymous memory
// and SysV segments are memfds. Copies to and from the guest (usercopy.c) go by the host's map too, and need
// no lock of ours.
//
// The host's map is changed by the stub, and what a stub says of it cannot be relied on (platform.h): a
// hostile program may keep a mapping that ours has no more. It must have nothing of that, so the host's map
// never allows what ours would not: a file that may not be written through a map (max_prot) is mapped
// privately there, which shows the same pages; and whether a file still has writers, for F_SEAL_WRITE, is the
// host's to say (fs/anon/memfd.c).
//
// Host memory is always mapped without reserve: the sentry itself refuses what Linux's heuristic would refuse
// (a single private writable map larger than memory), so that the host's answer cannot differ from ours late.
//
// Who may change a map: mm_turn.c. While one task alone uses it, that task, at once. While several do,
// whoever has the turn. Work queued on two threads is done in no order, so where one range alone is changed
// it stays barred to others until the host has done the work, and where more is, the turn ends only then.
//
// When the host refuses late (no memory for its own structures, a file system that must not be executed
// from): a new mapping is taken back and the call answers with the error (mm_late_failure()); anything else
// ends the process.
//
// The stack is mapped in whole when a program starts: RLIMIT_STACK up to a cap, without reserve. The host
// fills in its pages when they are touched, so it costs nothing, and growing needs no fault of ours.
// LIMIT: a stack limit raised after exec takes effect at the next exec. Other areas that grow downward do so
// for a touch by the program, not for a call that is given an address below them.
//
// The platform's own ranges lie in the tree as areas with VMA_FIXED_KERNEL: the vDSO with its name, and the
// stub without one, which looks like a hole in which nothing can ever be placed.
//
// This file: the life of a map. area.c: the tree. mm_map.c, mm_protect.c, mm_advise.c, mm_lock.c, mm_remap.c:
// the calls. Locks: mm->lock (RANK_MM); files are let go of after it is dropped (struct area_bin).
#include "sentry/mm/mm.h"
#include "base/fault.h"
#include "sentry/mm/area.h"
#include "sentry/proc/user_ns.h"
#include <stdlib.h>
#include <string.h>

static int add_reserved(struct mm *mm) {
    const struct plat_layout *l = mm->layout;
    for (unsigned i = 0; i < l->nreserved; i++) {
        const struct plat_range *r = &l->reserved[i];
        if (r->end <= r->start)
            continue;
        if (area_reserve(mm, 1) < 0)
            return -LINUX_ENOMEM;
        struct vma v = {.start = r->start, .end = r->end, .name = r->name, .prot = LINUX_PROT_NONE};
        if (r->name)
            v.prot = strcmp(r->name, "[vdso]") ? LINUX_PROT_READ : LINUX_PROT_READ | LINUX_PROT_EXEC;
        v.max_prot = v.prot;
        v.flags = VMA_FIXED_KERNEL | LINUX_MAP_PRIVATE;
        area_add(mm, &v);
    }
    return 0;
}

static struct mm *mm_alloc(const struct plat_layout *layout, struct plat_as *as) {
    struct mm *mm = znew(struct mm);
    if (!mm)
        return NULL;
    ref_init(&mm->refs, 1);
    lock_init(&mm->lock, RANK_MM);
    waitq_init(&mm->op_wait);
    list_init(&mm->unsettled);
    aio_set_init(&mm->aio);
    mm->layout = layout;
    mm->as = as;
    atomic_init(&mm->dumpable, 1);
    mm->mmap_base = mm->place_top = layout->hi;
    return mm;
}

static void mm_free(struct mm *mm) {
    if (mm->pool)
        mem_pool_add(mm->pool, -mm->data);
    area_free_all(mm);
    mm_set_exe(mm, NULL);
    if (mm->as)
        plat_as_put(mm->as);
    if (mm->user)
        user_ns_put(mm->user);
    waitq_destroy(&mm->op_wait);
    aio_set_destroy(&mm->aio);
    lock_destroy(&mm->lock);
    free(mm);
}

// On failure `as` is given back as well.
struct mm *mm_new(struct platform *p, struct plat_as *as, struct mem_pool *pool) {
    struct mm *mm = mm_alloc(plat_layout(p), as);
    if (!mm) {
        plat_as_put(as);
        return NULL;
    }
    mm->pool = pool;
    if (add_reserved(mm) < 0) {
        mm_free(mm);
        return NULL;
    }
    return mm;
}
struct mm *mm_get(struct mm *mm) {
    ref_get(&mm->refs);
    return mm;
}
void mm_put(struct mm *mm) {
    if (ref_put(&mm->refs))
        mm_free(mm);
}
void mm_use(struct mm *mm) { atomic_fetch_add(&mm->users, 1); }
void mm_unuse(struct mm *mm) { invariant(atomic_fetch_sub(&mm->users, 1) > 0); }

// ---- fork -------------------------------------------------------------------------------------------------
static int copy_areas(struct mm *old, struct mm *new) {
    for (struct vma *v = area_find(old, 0); v; v = area_next(v)) {
        if (v->flags & VMA_DONTFORK)
            continue;
        if (area_reserve(new, 1) < 0)
            return -LINUX_ENOMEM;
        struct vma copy = *v;
        copy.flags &= ~VMA_LOCKED;  // locks are not inherited, mlock(2)
        area_add(new, &copy);
    }
    return 0;
}

// The caller has the turn (mm_op_begin), so that the host's copy, made later, is of the same map.
int mm_fork(struct mm *old, struct plat_as *as, struct mm **out) {
    struct mm *mm = mm_alloc(old->layout, as);
    if (!mm) {
        plat_as_put(as);
        return -LINUX_ENOMEM;
    }
    int r;
    struct file *exe = mm_get_exe(old);
    {
        LOCKED(&old->lock);
        mm->pool = old->pool;
        mm->mmap_base = old->mmap_base;
        mm->anchor = old->anchor;
        mm->knobs = old->knobs;
        mm->place_top = old->place_top;
        mm->place_hole = old->place_hole;
        mm->brk_start = old->brk_start;
        mm->brk = old->brk;
        mm->stack_top = old->stack_top;
        mm->arg_start = old->arg_start;
        mm->arg_end = old->arg_end;
        mm->env_start = old->env_start;
        mm->env_end = old->env_end;
        memcpy(mm->auxv, old->auxv, sizeof mm->auxv);
        mm->nauxv = old->nauxv;
        r = copy_areas(old, mm);
    }
    mm->exe = exe;
    mm->user = old->user ? user_ns_get(old->user) : NULL;
    atomic_init(&mm->dumpable, atomic_load(&old->dumpable));
    atomic_init(&mm->mdwe, mm_mdwe_inherited(old));
    if (r < 0) {
        mm_free(mm);
        return r;
    }
    *out = mm;
    return 0;
}

// ---- The program file -------------------------------------------------------------------------------------
// Opened with VFS_O_EXEC, so that while anybody holds it, opening it for writing answers ETXTBSY.
void mm_set_exe(struct mm *mm, struct file *f) {
    struct file *old;
    if (f)
        file_get(f);
    {
        LOCKED(&mm->lock);
        old = mm->exe;
        mm->exe = f;
    }
    if (old)
        file_put(old);
}
struct file *mm_get_exe(struct mm *mm) {
    LOCKED(&mm->lock);
    return mm->exe ? file_get(mm->exe) : NULL;
}

struct file *mm_text_at(struct mm *mm, uint64_t addr, struct vma *out) {
    LOCKED(&mm->lock);
    const struct vma *v = area_find(mm, addr);
    if (!v || addr < v->start || !v->file || !(v->flags & LINUX_MAP_PRIVATE) || v->flags & VMA_FIXED_KERNEL ||
        v->prot != (LINUX_PROT_READ | LINUX_PROT_EXEC))
        return NULL;
    *out = *v;
    return file_get(v->file);
}

bool mm_may_write(struct mm *mm, uint64_t addr, uint64_t len) {
    LOCKED(&mm->lock);
    const struct vma *v = area_find(mm, addr);
    return v && addr >= v->start && len <= v->end - addr && (v->prot & LINUX_PROT_WRITE) && !area_hidden(v);
}

void mm_for_each(struct mm *mm, bool (*fn)(void *arg, const struct vma *v), void *arg) {
    LOCKED(&mm->lock);
    for (struct vma *v = area_find(mm, 0); v; v = area_next(v))
        if (!area_hidden(v) && !fn(arg, v))
            return;
}
