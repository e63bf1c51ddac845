// SPDX-License-Identifier: Apache-2.0
// mmap, munmap and brk: what they mean. Called by sentry/syscalls/sys_mm.c and sys_shm.c, and by the loader.
// Each checks everything and reserves what it needs, queues the host work, and only then changes our map,
// which cannot fail.
//
// LIMIT: no huge pages: MAP_HUGETLB answers ENOMEM, as on a machine where none are set aside.
// LIMIT: MAP_SYNC (DAX) is EOPNOTSUPP; MAP_UNINITIALIZED, MAP_DENYWRITE, MAP_EXECUTABLE are ignored as by
// Linux.
#include "abi/caps.h"
#include "abi/misc.h"
#include "base/clock.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/area.h"
#include "sentry/mm/mm_queue.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/task.h"
#include "sentry/run/limits.h"

#define PROT_ALL    (LINUX_PROT_READ | LINUX_PROT_WRITE | LINUX_PROT_EXEC)
#define LOW_2G      0x80000000ull
#define LOW_1G      0x40000000ull
#define LOW_2M      0x200000ull
// What MAP_SHARED_VALIDATE knows, mmap(2).
#define VALIDATED \
    (LINUX_MAP_TYPE | LINUX_MAP_FIXED | LINUX_MAP_ANONYMOUS | LINUX_MAP_32BIT | LINUX_MAP_GROWSDOWN | \
     LINUX_MAP_DENYWRITE | LINUX_MAP_EXECUTABLE | LINUX_MAP_LOCKED | LINUX_MAP_NORESERVE | \
     LINUX_MAP_POPULATE | LINUX_MAP_NONBLOCK | LINUX_MAP_STACK | LINUX_MAP_FIXED_NOREPLACE)

// ---- Limits -----------------------------------------------------------------------------------------------
int limit_total(struct task *t, const struct mm *mm, uint64_t more, uint64_t more_data) {
    if (more && (mm->total + more > task_rlimit(t, LINUX_RLIMIT_AS) || mm->total + more < more))
        return -LINUX_ENOMEM;
    if (more_data && mm->data + more_data > task_rlimit(t, LINUX_RLIMIT_DATA))
        return -LINUX_ENOMEM;
    return 0;
}
int limit_locked(struct task *t, const struct mm *mm, uint64_t more) {
    if (task_capable(t, LINUX_CAP_IPC_LOCK))
        return 0;
    return mm->locked + more > task_rlimit(t, LINUX_RLIMIT_MEMLOCK) ? -LINUX_EAGAIN : 0;
}
uint64_t count_mapped(const struct mm *mm, uint64_t start, uint64_t end) {
    uint64_t n = 0;
    for (const struct vma *v = area_find(mm, start); v && v->start < end; v = area_next(v))
        if (!(v->flags & VMA_FIXED_KERNEL))
            n += (v->end < end ? v->end : end) - (v->start > start ? v->start : start);
    return n;
}

// ---- mmap -------------------------------------------------------------------------------------------------
struct mapping {  // an mmap in the making
    struct vma v;
    uint64_t len;
    uint32_t flags;  // as asked for
    int fd;          // host descriptor, borrowed from the file, or -1
    struct file *own;  // the memfd of shared anonymous memory
    bool proposed;
};

static int check_file(const struct mmap_args *a, struct mapping *m) {
    struct file *f = a->file;
    bool shared = m->v.flags & LINUX_MAP_SHARED;
    if (f->mode & FMODE_PATH)
        return -LINUX_EBADF;
    if (!(f->mode & FMODE_READ))
        return -LINUX_EACCES;
    if (shared && (a->prot & LINUX_PROT_WRITE) && !(f->mode & FMODE_WRITE))
        return -LINUX_EACCES;
    bool noexec = f->path.mnt && (f->path.mnt->flags & LINUX_MS_NOEXEC);
    if (noexec && (a->prot & LINUX_PROT_EXEC))
        return -LINUX_EPERM;
    if (a->flags & LINUX_MAP_GROWSDOWN)
        return -LINUX_EINVAL;
    m->v.max_prot = PROT_ALL;
    if (noexec)
        m->v.max_prot &= ~(uint32_t)LINUX_PROT_EXEC;
    bool writable = shared && (f->mode & FMODE_WRITE);
    // mprotect may ask for writing later: a descriptor that allows it, unless the file is sealed against it,
    // or is of a kind that shows what it was (FUSE).
    m->fd = vfs_mmap_fd(f, (int)(m->v.prot | (writable ? LINUX_PROT_WRITE : 0)), shared);
    bool refused = m->fd == -LINUX_EPERM || m->fd == -LINUX_ENODEV;
    if (refused && writable && !(m->v.prot & LINUX_PROT_WRITE)) {
        writable = false;
        m->fd = vfs_mmap_fd(f, (int)m->v.prot, shared);
    }
    if (shared && !writable)
        m->v.max_prot &= ~(uint32_t)LINUX_PROT_WRITE;
    if (m->fd == VFS_MMAP_ANON)
        return VFS_MMAP_ANON;
    m->v.file = f;
    m->v.offset = a->offset;
    if (m->fd < 0)
        return m->fd;
    return f->ops->mmap_at ? f->ops->mmap_at(f, &m->v.offset, m->len) : 0;
}

// Shared anonymous memory is a file without a name, of exactly that size.
static int make_shared(struct task *t, struct mapping *m) {
    TASK_VFS_CTX(t, ctx);
    ctx.fsize_limit = UINT64_MAX;
    int r = memfd_open(ctx.vfs, "zero", 0, &m->own);
    if (r < 0)
        return r;
    r = vfs_ftruncate(&ctx, m->own, m->len);
    if (r < 0)
        return r == -LINUX_EFBIG ? -LINUX_ENOMEM : r;
    m->v.file = m->own;
    m->v.offset = 0;
    if (!m->v.name)
        m->v.name = "/dev/zero (deleted)";
    m->fd = vfs_mmap_fd(m->own, LINUX_PROT_READ | LINUX_PROT_WRITE, true);
    return m->fd < 0 ? m->fd : 0;
}

static int check_args(struct task *t, const struct mmap_args *a, struct mapping *m) {
    if (a->offset % GUEST_PAGE_SIZE || a->len == 0)
        return -LINUX_EINVAL;
    m->len = a->len > LINUX_TASK_SIZE ? 0 : page_up(a->len);
    if (m->len == 0)
        return -LINUX_ENOMEM;
    if (a->offset + m->len < a->offset)
        return -LINUX_EOVERFLOW;
    if (a->flags & LINUX_MAP_HUGETLB)
        return a->file ? -LINUX_EINVAL : -LINUX_ENOMEM;
    uint32_t flags = (uint32_t)a->flags, type = flags & LINUX_MAP_TYPE;
    if (type == LINUX_MAP_SHARED_VALIDATE && a->file) {
        if (a->flags & ~(uint64_t)VALIDATED)
            return -LINUX_EOPNOTSUPP;
        type = LINUX_MAP_SHARED;
    }
    if (type != LINUX_MAP_SHARED && type != LINUX_MAP_PRIVATE)
        return -LINUX_EINVAL;
    if (type == LINUX_MAP_SHARED && (a->flags & LINUX_MAP_GROWSDOWN))
        return -LINUX_EINVAL;
    m->flags = flags;
    if (m->flags & LINUX_MAP_FIXED_NOREPLACE)
        m->flags |= LINUX_MAP_FIXED;
    m->v.prot = a->prot & PROT_ALL;
    m->v.max_prot = PROT_ALL;
    m->v.flags = type | (flags & LINUX_MAP_GROWSDOWN);
    m->v.name = a->name;
    m->proposed = a->proposed;
    bool charged =
        type == LINUX_MAP_PRIVATE && (m->v.prot & LINUX_PROT_WRITE) && !(a->flags & LINUX_MAP_NORESERVE);
    if (charged && !limits_may_promise(t, m->len))
        return -LINUX_ENOMEM;
    return 0;
}

static int check_fixed(struct task *t, const struct mm *mm, const struct mapping *m, uint64_t addr) {
    if (addr % GUEST_PAGE_SIZE)
        return -LINUX_EINVAL;
    if (addr > mm->layout->hi || m->len > mm->layout->hi - addr)
        return -LINUX_ENOMEM;
    if (addr < mm->layout->lo)
        return addr < LINUX_MMAP_MIN_ADDR ? -LINUX_EPERM : -LINUX_ENOMEM;
    if ((m->flags & LINUX_MAP_FIXED_NOREPLACE) && !area_range_free(mm, addr, addr + m->len))
        return -LINUX_EEXIST;
    return area_check_fixed(mm, addr, addr + m->len);
}
// Where somebody's host thread has still something to do in [start, end); 0: nowhere.
static uint64_t unsettled_in(const struct mm *mm, uint64_t start, uint64_t end) {
    struct map_unsettled *u;
    list_for_each(u, &mm->unsettled, link) {
        if (u->start < end && start < u->end)
            return u->start;
    }
    return 0;
}
static bool hint_fits(const struct mm *mm, uint64_t addr, uint64_t len) {
    return addr >= mm->layout->lo && addr < mm->layout->hi && len <= mm->layout->hi - addr &&
           area_range_free(mm, addr, addr + len) && !unsettled_in(mm, addr, addr + len);
}

// So far apart are places that were not free for the wishes of two threads. Their next wishes lie below.
#define PLACE_APART (8ull << 20)

static uint64_t free_place(struct mm *mm, uint64_t len, bool low) {
    uint64_t lo = low ? LOW_1G : mm->layout->lo, barred;
    uint64_t addr = low ? area_find_gap(mm, lo, LOW_2G, len) : area_place(mm, len);
    while (addr && (barred = unsettled_in(mm, addr, addr + len)))
        addr = area_find_gap(mm, lo, barred, len);
    return addr;
}

// Where a thread has wished for a place, and another has it: apart from that one's.
static uint64_t place_apart(struct mm *mm, uint64_t len) {
    uint64_t addr = free_place(mm, len + PLACE_APART, false);
    return addr ? addr : free_place(mm, len, false);
}
static int64_t choose(struct task *t, struct mm *mm, const struct mapping *m, uint64_t addr) {
    if (m->flags & LINUX_MAP_FIXED) {
        int r = check_fixed(t, mm, m, addr);
        return r < 0 ? r : (int64_t)addr;
    }
    addr = addr > LINUX_TASK_SIZE ? 0 : page_up(addr);
    bool low = m->flags & LINUX_MAP_32BIT;
    if (addr && hint_fits(mm, addr, m->len) && (!low || addr + m->len <= LOW_2G))
        return (int64_t)addr;
    bool apart = m->proposed && addr && !low && atomic_load(&mm->users) > 1;
    addr = apart ? place_apart(mm, m->len) : free_place(mm, m->len, low);
    return addr ? (int64_t)addr : -LINUX_ENOMEM;
}

// Would a hole there make two areas of one when there are as many as may be?
static bool splits_past_limit(const struct mm *mm, uint64_t start, uint64_t end) {
    const struct vma *v = area_find(mm, start);
    return v && v->start < start && v->end > end && mm->nareas >= mm_area_limit(mm);
}

// Limits that depend on the place: what is replaced counts no more.
static int check_limits(struct task *t, struct mm *mm, struct mapping *m) {
    uint64_t gone = m->flags & LINUX_MAP_FIXED ? count_mapped(mm, m->v.start, m->v.end) : 0;
    bool data = (m->v.prot & LINUX_PROT_WRITE) && !(m->v.flags & (LINUX_MAP_SHARED | LINUX_MAP_GROWSDOWN));
    int r = limit_total(t, mm, m->len > gone ? m->len - gone : 0, data ? m->len : 0);
    if (r < 0)
        return r;
    if ((m->v.flags & VMA_LOCKED) && (r = limit_locked(t, mm, m->len)) < 0)
        return r;
    // As on Linux the last map may pass the limit by one, and splits may not: munmap(2) of a middle is ENOMEM
    // then, and so is a map in the middle of another one.
    if (mm->nareas > mm_area_limit(mm) ||
        (m->flags & LINUX_MAP_FIXED && splits_past_limit(mm, m->v.start, m->v.end)))
        return -LINUX_ENOMEM;
    return area_reserve(mm, 3);
}

int queue_map(struct mm *mm, struct plat_thread *th, const struct vma *v, unsigned flags, int fd) {
    queue_note(mm);
    flags |= PLAT_NORESERVE | (area_writes_file(v) ? PLAT_SHARED : 0);
    return plat_map(th, uaddr(v->start), v->end - v->start, (int)v->prot, flags, fd, v->file ? v->offset : 0);
}

// Are new areas filled at once, as mlockall(2) has asked for?
static bool def_fills(const struct mm *mm) {
    return (mm->def_flags & (VMA_LOCKED | VMA_ONFAULT)) == VMA_LOCKED;
}

static int64_t commit_map(struct task *t, struct mm *mm, struct plat_thread *th, struct mapping *m,
                          uint64_t hint, struct area_bin *bin) {
    LOCKED(&mm->lock);
    bool locks = m->flags & LINUX_MAP_LOCKED;
    m->v.flags |= (mm->def_flags & VMA_LOCKED) | (locks ? VMA_LOCKED : 0);
    if ((m->flags & LINUX_MAP_LOCKED) && !task_capable(t, LINUX_CAP_IPC_LOCK) &&
        task_rlimit(t, LINUX_RLIMIT_MEMLOCK) == 0)
        return -LINUX_EPERM;
    int64_t addr = choose(t, mm, m, hint);
    if (addr < 0)
        return addr;
    m->v.start = (uint64_t)addr;
    m->v.end = m->v.start + m->len;
    int r = check_limits(t, mm, m);
    if (r < 0)
        return r;
    bool populate = (m->flags & (LINUX_MAP_POPULATE | LINUX_MAP_NONBLOCK)) == LINUX_MAP_POPULATE || locks ||
                    def_fills(mm);
    populate = populate && mem_pool_may_fill(mm->pool, m->len);
    r = queue_map(mm, th, &m->v, populate && m->v.prot ? PLAT_POPULATE : 0, m->fd);
    if (r < 0)
        return r;
    if (m->flags & LINUX_MAP_FIXED)
        area_cut(mm, m->v.start, m->v.end, bin);
    area_add(mm, &m->v);
    t->undo = (struct map_undo){m->v.start, m->v.end, 0};
    return addr;
}

int64_t do_mmap(struct task *t, struct mm *mm, struct plat_thread *th, const struct mmap_args *a) {
    struct mapping m = {.fd = -1};
    struct file *own cleanup_file = NULL;
    struct area_bin bin = {NULL};
    int r = check_args(t, a, &m);
    bool anonymous = !a->file;
    if (r == 0 && a->file)
        r = check_file(a, &m);
    if (r == VFS_MMAP_ANON) {  // /dev/zero
        anonymous = true;
        m.fd = -1;
        r = 0;
    }
    if (r == 0 && anonymous && (m.v.flags & LINUX_MAP_SHARED))
        r = make_shared(t, &m);
    own = m.own;
    if (r == 0 && mm_denies(mm, m.v.prot, m.v.prot))
        r = -LINUX_EACCES;
    if (r < 0)
        return r;
    m.v.max_prot &= ~a->deny;
    int64_t addr = commit_map(t, mm, th, &m, a->addr, &bin);
    area_bin_empty(&bin);
    return addr;
}

// ---- munmap -----------------------------------------------------------------------------------------------
int queue_unmap(struct mm *mm, struct plat_thread *th, uint64_t start, uint64_t end) {
    uint64_t from = 0, to = 0;  // the run so far
    for (const struct vma *v = area_find(mm, start); v && v->start < end; v = area_next(v)) {
        if (v->flags & VMA_FIXED_KERNEL) {
            queue_note(mm);
            int r = to > from ? plat_unmap(th, uaddr(from), to - from) : 0;
            if (r < 0)
                return r;
            from = to = 0;
            continue;
        }
        if (to == from)
            from = v->start > start ? v->start : start;
        to = v->end < end ? v->end : end;
    }
    if (to == from)
        return 0;
    queue_note(mm);
    return plat_unmap(th, uaddr(from), to - from);
}

// Checks, host work and our map; the lock is held.
static int unmap_locked(struct mm *mm, struct plat_thread *th, uint64_t start, uint64_t end,
                        struct area_bin *bin) {
    if (area_check_fixed(mm, start, end) == -LINUX_EPERM)
        return -LINUX_EPERM;
    if (splits_past_limit(mm, start, end))
        return -LINUX_ENOMEM;
    int r = area_reserve(mm, 2);
    if (r == 0)
        r = queue_unmap(mm, th, start, end);
    if (r == 0)
        area_cut(mm, start, end, bin);
    return r;
}
int64_t do_munmap(struct mm *mm, struct plat_thread *th, uaddr_t at, uint64_t len) {
    uint64_t addr = at.v;
    if (addr % GUEST_PAGE_SIZE || addr > LINUX_TASK_SIZE || len > LINUX_TASK_SIZE - addr || len == 0)
        return -LINUX_EINVAL;
    struct area_bin bin = {NULL};
    int r;
    {
        LOCKED(&mm->lock);
        r = unmap_locked(mm, th, addr, addr + page_up(len), &bin);
    }
    area_bin_empty(&bin);
    return r;
}

// ---- brk --------------------------------------------------------------------------------------------------
static bool brk_grow(struct task *t, struct mm *mm, struct plat_thread *th, uint64_t from, uint64_t to) {
    struct vma v = {
        .start = from, .end = to, .prot = LINUX_PROT_READ | LINUX_PROT_WRITE, .max_prot = PROT_ALL};
    v.flags = LINUX_MAP_PRIVATE | (mm->def_flags & VMA_LOCKED);
    v.name = "[heap]";
    if (to > mm->layout->hi - GUEST_PAGE_SIZE || !area_range_free(mm, from, to + GUEST_PAGE_SIZE))
        return false;
    if (limit_total(t, mm, to - from, to - from) < 0 || (mm->def_flags && limit_locked(t, mm, to - from) < 0))
        return false;
    if (!limits_may_promise(t, to - from))
        return false;
    if (mm->nareas > mm_area_limit(mm) || area_reserve(mm, 1) < 0)
        return false;
    bool fills = def_fills(mm) && mem_pool_may_fill(mm->pool, to - from);
    if (queue_map(mm, th, &v, fills ? PLAT_POPULATE : 0, -1) < 0)
        return false;
    area_add(mm, &v);
    t->undo = (struct map_undo){from, to, mm->brk};
    return true;
}

// The new break, or the old one when it cannot be had: brk(2) knows no error.
int64_t do_brk(struct task *t, struct mm *mm, struct plat_thread *th, uaddr_t at) {
    uint64_t addr = at.v;
    struct area_bin bin = {NULL};
    uint64_t now;
    {
        LOCKED(&mm->lock);
        now = mm->brk;
        bool ok = addr >= mm->brk_start && addr < mm->layout->hi - GUEST_PAGE_SIZE &&
                  addr - mm->brk_start <= task_rlimit(t, LINUX_RLIMIT_DATA);
        uint64_t from = page_up(mm->brk), to = ok ? page_up(addr) : from;
        if (ok && to > from)
            ok = brk_grow(t, mm, th, from, to);
        else if (ok && to < from)
            ok = unmap_locked(mm, th, to, from, &bin) == 0;
        if (ok)
            now = mm->brk = addr;
    }
    area_bin_empty(&bin);
    return (int64_t)now;
}

uint64_t mm_heap_room(struct mm *mm, uint64_t len) {
    LOCKED(&mm->lock);
    uint64_t at = page_up(mm->brk), top = mm->layout->hi - GUEST_PAGE_SIZE;
    bool room =
        mm->brk_start && at < top && len < top - at && area_range_free(mm, at, at + len + GUEST_PAGE_SIZE);
    return room ? at : 0;
}

// ---- Areas that grow downward -----------------------------------------------------------------------------
static const struct vma *growing_above(const struct mm *mm, uint64_t addr) {
    const struct vma *v = area_find(mm, addr);
    return v && v->start > addr && (v->flags & LINUX_MAP_GROWSDOWN) ? v : NULL;
}
bool mm_grows(struct mm *mm, uint64_t addr) {
    LOCKED(&mm->lock);
    return growing_above(mm, addr);
}
// As expand_downwards() of Linux.
static int check_growth(struct task *t, const struct mm *mm, const struct vma *v, uint64_t start) {
    const struct vma *below = area_prev(v);
    bool wall = below && !(below->flags & LINUX_MAP_GROWSDOWN) && (below->prot || area_hidden(below));
    if (start < mm->layout->lo || (wall && start - below->end < AREA_STACK_GAP))
        return -LINUX_ENOMEM;
    if (v->end - start > task_rlimit(t, LINUX_RLIMIT_STACK))
        return -LINUX_ENOMEM;
    if ((v->flags & VMA_LOCKED) && limit_locked(t, mm, v->start - start) < 0)
        return -LINUX_ENOMEM;
    return limit_total(t, mm, v->start - start, 0);
}
int mm_grow(struct task *t, uint64_t addr) {
    struct mm *mm = t->mm;
    LOCKED(&mm->lock);
    const struct vma *v = growing_above(mm, addr);
    if (!v)
        return -LINUX_EFAULT;
    struct vma more = *v;
    more.start = page_down(addr);
    more.end = v->start;
    int r = check_growth(t, mm, v, more.start);
    if (r == 0)
        r = area_reserve(mm, 1);
    if (r == 0)
        r = queue_map(mm, t->thread, &more, 0, -1);
    if (r == 0)
        area_add(mm, &more);
    return r;
}

// ---- For the loader ---------------------------------------------------------------------------------------
int mm_map_fixed(struct mm *mm, struct plat_thread *th, uint64_t start, uint64_t end, uint32_t prot,
                 struct file *file, uint64_t offset, const char *name) {
    struct vma v = {
        .start = start, .end = end, .prot = prot, .max_prot = PROT_ALL, .file = file, .offset = offset};
    v.flags = LINUX_MAP_PRIVATE;
    v.name = name;
    int fd = file ? vfs_mmap_fd(file, (int)prot, false) : -1;
    if (file && fd < 0)
        return fd;
    struct area_bin bin = {NULL};
    int r = -LINUX_ENOMEM;
    {
        LOCKED(&mm->lock);
        bool inside = start >= mm->layout->lo && end <= mm->layout->hi && start < end;
        if (inside && area_check_fixed(mm, start, end) == 0 && area_reserve(mm, 3) == 0)
            r = queue_map(mm, th, &v, 0, fd);
        if (r == 0) {
            area_cut(mm, start, end, &bin);
            area_add(mm, &v);
        }
    }
    area_bin_empty(&bin);
    return r;
}

uint64_t mm_place(struct mm *mm, uint64_t want, uint64_t len) {
    LOCKED(&mm->lock);
    if (len == 0 || len > LINUX_TASK_SIZE)
        return 0;
    if (want && hint_fits(mm, want, len))
        return want;
    return area_place(mm, len);
}

uint64_t mm_free_range(struct mm *mm, uint64_t len) {
    LOCKED(&mm->lock);
    uint64_t place = area_place(mm, len);
    uint64_t below = place > LOW_1G ? (place - LOW_1G) & ~(LOW_2M - 1) : 0;
    return below && hint_fits(mm, below, len) ? below : place;
}

// As Linux: 22 bits of pages for the stack, 28 for mmap_base; fewer when the space itself is small.
uint64_t mm_random_pages(const struct mm *mm, unsigned bits) {
    uint64_t most = (mm->layout->hi - mm->layout->lo) / GUEST_PAGE_SIZE / 16, n = UINT64_C(1) << bits;
    n = n < most ? n : most;
    return n ? random_u64() % n * GUEST_PAGE_SIZE : 0;
}
int mm_layout(struct mm *mm, struct plat_thread *th, uint64_t stack, bool exec_stack, bool random) {
    const struct plat_layout *l = mm->layout;
    struct vma v = {.prot = LINUX_PROT_READ | LINUX_PROT_WRITE, .max_prot = PROT_ALL, .name = "[stack]"};
    v.flags = LINUX_MAP_PRIVATE | LINUX_MAP_GROWSDOWN;
    if (exec_stack)
        v.prot |= LINUX_PROT_EXEC;
    LOCKED(&mm->lock);
    uint64_t top = l->hi - (random ? mm_random_pages(mm, 22) : 0);
    uint64_t low = area_find_gap(mm, l->lo, top, stack + AREA_STACK_GAP);
    if (!low || area_reserve(mm, 1) < 0)
        return -LINUX_ENOMEM;
    v.start = low + AREA_STACK_GAP;
    v.end = v.start + stack;
    int r = queue_map(mm, th, &v, 0, -1);
    if (r < 0)
        return r;
    area_add(mm, &v);
    mm->stack_top = v.end;
    uint64_t down = random ? mm_random_pages(mm, 28) : 0;
    mm->mmap_base = low - l->lo > down ? low - down : low;
    mm->place_top = mm->mmap_base;
    mm->place_hole = 0;
    return 0;
}

int mm_anchor(struct mm *mm, struct plat_thread *th) {
    LOCKED(&mm->lock);
    uint64_t at = mm->mmap_base - GUEST_PAGE_SIZE;
    if (at < mm->layout->lo || !area_range_free(mm, at, mm->mmap_base))
        return 0;
    int r = plat_map(th, uaddr(at), GUEST_PAGE_SIZE, 0, PLAT_NORESERVE, -1, 0);
    if (r == 0)
        mm->place_top = mm->mmap_base = mm->anchor = at;
    return r;
}
