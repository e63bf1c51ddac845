// SPDX-License-Identifier: Apache-2.0
// The memory map against a host that is made of an array of pages: after each of many random calls, what our
// map says of every page must be what the queued host work has made of it. The platform, limits and
// credentials are stand-ins of this file.
#include "abi/caps.h"
#include "abi/mman.h"
#include "base/fault.h"
#include "sentry/mm/area.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/task.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the above first.
#include <cmocka.h>

#define LO    0x100000ull
#define PAGES 400u
#define HI    (LO + PAGES * GUEST_PAGE_SIZE)
#define PG(n) (LO + (uint64_t)(n) * GUEST_PAGE_SIZE)
#define RW    (LINUX_PROT_READ | LINUX_PROT_WRITE)

// ---- The host ---------------------------------------------------------------------------------------------
static struct page {
    bool mapped, shared;
    int prot, fd;
    uint64_t offset;   // of files
    uint32_t content;  // a number of its own for each new anonymous page: moves with mremap
} host[PAGES];
static uint32_t contents;
static unsigned host_ops;

static struct plat_layout layout = {
    .lo = LO, .hi = HI, .nreserved = 2,
    .reserved = {{PG(380), PG(382), "[vdso]"}, {PG(300), PG(310), NULL}},
};
static unsigned first_page(uaddr_t a, uint64_t len) {
    assert_true(a.v >= LO && len > 0 && a.v + len <= HI && (a.v | len) % GUEST_PAGE_SIZE == 0);
    for (unsigned i = 0; i < layout.nreserved; i++)
        assert_false(a.v < layout.reserved[i].end && a.v + len > layout.reserved[i].start);
    host_ops++;
    return (unsigned)((a.v - LO) / GUEST_PAGE_SIZE);
}
const struct plat_layout *plat_layout(const struct platform *p) { return &layout; }
void plat_as_put(struct plat_as *as) {}
int plat_map(struct plat_thread *t, uaddr_t a, uint64_t len, int prot, unsigned flags, int fd,
             uint64_t offset) {
    unsigned p = first_page(a, len);
    assert_true(flags & PLAT_NORESERVE);
    for (uint64_t i = 0; i < len / GUEST_PAGE_SIZE; i++)
        host[p + i] = (struct page){true,
                                    flags & PLAT_SHARED,
                                    prot,
                                    fd,
                                    fd < 0 ? 0 : offset + i * GUEST_PAGE_SIZE,
                                    fd < 0 ? ++contents : 0};
    return 0;
}
int plat_unmap(struct plat_thread *t, uaddr_t a, uint64_t len) {
    memset(host + first_page(a, len), 0, len / GUEST_PAGE_SIZE * sizeof host[0]);
    return 0;
}
int plat_protect(struct plat_thread *t, uaddr_t a, uint64_t len, int prot) {
    unsigned p = first_page(a, len);
    for (uint64_t i = 0; i < len / GUEST_PAGE_SIZE; i++) {
        assert_true(host[p + i].mapped);
        host[p + i].prot = prot;
    }
    return 0;
}
static int64_t host_answer;  // to plat_remap()
int plat_remap(struct plat_thread *t, uaddr_t from, uint64_t old_len, uaddr_t to, uint64_t new_len) {
    if (host_answer < 0)
        return 0;
    unsigned f = first_page(from, old_len), d = first_page(to, new_len);
    unsigned n = (unsigned)(old_len / GUEST_PAGE_SIZE), m = (unsigned)(new_len / GUEST_PAGE_SIZE);
    struct page moved[PAGES];
    for (unsigned i = 0; i < n; i++)
        assert_true(host[f + i].mapped && host[f + i].prot == host[f].prot && host[f + i].fd == host[f].fd);
    memcpy(moved, host + f, n * sizeof moved[0]);
    for (unsigned i = n; i < m; i++) {
        moved[i] = moved[n - 1];
        moved[i].offset += moved[i].fd < 0 ? 0 : (i - n + 1) * GUEST_PAGE_SIZE;
        moved[i].content = moved[i].fd < 0 ? ++contents : 0;
    }
    if (f == d)
        for (unsigned i = n; i < m; i++)
            assert_false(host[f + i].mapped);
    memset(host + f, 0, n * sizeof host[0]);
    memcpy(host + d, moved, m * sizeof host[0]);
    return 0;
}
int plat_incore(struct plat_thread *t, uaddr_t a, uint64_t len, uaddr_t vec) { return 0; }
int plat_advise(struct plat_thread *t, uaddr_t a, uint64_t len, int advice) {
    unsigned p = first_page(a, len);
    for (uint64_t i = 0; i < len / GUEST_PAGE_SIZE; i++)
        assert_true(host[p + i].mapped);
    return 0;
}

// ---- The task ---------------------------------------------------------------------------------------------
static uint64_t limits[LINUX_RLIM_NLIMITS];
static bool may_lock_all;
static struct vfs *vfs;
static struct task task;

void mm_end_process(struct task *t, int64_t error) { fail_msg("the process is ended: %ld", (long)error); }
uint64_t task_rlimit(struct task *t, int which) { return limits[which]; }
bool task_capable(const struct task *t, int cap) { return cap == LINUX_CAP_IPC_LOCK && may_lock_all; }
void task_vfs_ctx(struct task *t, struct vfs_ctx *ctx) {
    *ctx = (struct vfs_ctx){.vfs = vfs, .fsize_limit = 1};
}
void vfs_ctx_done(struct vfs_ctx *ctx) {}

static struct file *new_file(uint64_t size) {
    struct file *f;
    assert_int_equal(memfd_open(vfs, "test", 0, &f), 0);
    struct vfs_ctx ctx = {.vfs = vfs, .fsize_limit = UINT64_MAX};
    assert_int_equal(vfs_ftruncate(&ctx, f, size), 0);
    return f;
}
static struct mm *new_mm(void) {
    memset(host, 0, sizeof host);
    for (int i = 0; i < LINUX_RLIM_NLIMITS; i++)
        limits[i] = UINT64_MAX;
    may_lock_all = false;
    struct mm *mm = mm_new(NULL, NULL, NULL);
    assert_non_null(mm);
    mm->brk_start = mm->brk = PG(4);
    mm->mmap_base = mm->place_top = PG(360);
    return mm;
}

// Every page: the tree and the host say the same.
static void compare(struct mm *mm) {
    assert_true(area_check(mm));
    for (unsigned i = 0; i < PAGES; i++) {
        const struct vma *v = area_find(mm, PG(i));
        if (v && (v->start > PG(i) || (v->flags & VMA_FIXED_KERNEL)))
            v = NULL;
        assert_int_equal(host[i].mapped, v != NULL);
        if (!v)
            continue;
        assert_int_equal(host[i].prot, v->prot);
        assert_int_equal(host[i].shared, area_writes_file(v));
        assert_int_equal(host[i].fd, v->file ? vfs_mmap_fd(v->file, LINUX_PROT_READ, host[i].shared) : -1);
        if (v->file)
            assert_int_equal(host[i].offset, v->offset + (PG(i) - v->start));
    }
    // No two neighbours that should be one.
    const struct vma *a = area_find(mm, 0), *b;
    for (; a && (b = area_next(a)); a = b)
        assert_false(a->end == b->start && a->prot == b->prot && a->flags == b->flags && !a->file &&
                     !b->file && a->name == b->name && a->max_prot == b->max_prot &&
                     !(a->flags & VMA_FIXED_KERNEL));
}
static int64_t map(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, struct file *f,
                   uint64_t offset) {
    struct mmap_args a = {
        .addr = addr, .len = len, .prot = prot, .flags = flags, .file = f, .offset = offset};
    return do_mmap(&task, mm, NULL, &a);
}
#define ANON    (LINUX_MAP_PRIVATE | LINUX_MAP_ANONYMOUS)
#define MAP(n, count, prot) map(mm, PG(n), (count) * GUEST_PAGE_SIZE, (prot), ANON | LINUX_MAP_FIXED, NULL, 0)

// As sys_mremap() does.
static int64_t do_remap(struct mm *mm, const struct mremap_args *a) {
    uint64_t asked = 0;
    int64_t r = do_mremap(&task, mm, NULL, a, &asked);
    return r == SYS_FLUSH ? mremap_follow(&task, mm, NULL, a, asked, host_answer) : r;
}

// ---- Tests ------------------------------------------------------------------------------------------------
static void random_call(struct mm *mm, struct file *f) {
    static const uint32_t prots[] = {0, LINUX_PROT_READ, RW, LINUX_PROT_READ | LINUX_PROT_EXEC};
    uint64_t addr = PG(rand() % PAGES), len = (uint64_t)(1 + rand() % 24) * GUEST_PAGE_SIZE;
    uint32_t prot = prots[rand() % 4];
    struct mremap_args m = {
        .addr = addr, .old_len = len, .new_len = (uint64_t)(1 + rand() % 24) * GUEST_PAGE_SIZE};
    int64_t r;
    switch (rand() % 9) {
    case 0:
        r = map(mm, addr, len, prot, ANON | LINUX_MAP_FIXED, NULL, 0);
        assert_true(r == (int64_t)addr || r == -LINUX_ENOMEM || r == -LINUX_EPERM);
        break;
    case 1:
        r = map(mm, rand() % 2 ? addr : 0, len, prot, ANON, NULL, 0);
        assert_true(r > 0 || r == -LINUX_ENOMEM);
        break;
    case 2:
        map(mm, addr, len, prot, LINUX_MAP_FIXED | LINUX_MAP_PRIVATE, f,
            (uint64_t)(rand() % 8) * GUEST_PAGE_SIZE);
        break;
    case 3:
        map(mm, 0, len, prot, rand() % 2 ? LINUX_MAP_SHARED | LINUX_MAP_ANONYMOUS : LINUX_MAP_SHARED,
            rand() % 2 ? f : NULL, 0);
        break;
    case 4:
        do_munmap(mm, NULL, uaddr(addr), len);
        break;
    case 5:
        do_mprotect(mm, NULL, uaddr(addr), len, prot);
        break;
    case 6:
        m.flags = rand() % 4 ? LINUX_MREMAP_MAYMOVE : 0;
        if (m.flags && rand() % 2) {
            m.flags |= LINUX_MREMAP_FIXED;
            m.new_addr = PG(rand() % PAGES);
        }
        if (rand() % 8 == 0)
            m.old_len = 0;
        do_remap(mm, &m);
        break;
    case 7:
        do_brk(&task, mm, NULL, uaddr(PG(4) + (uint64_t)(rand() % 30) * 1000));
        break;
    default:
        do_madvise(&task, mm, NULL, uaddr(addr), len, rand() % 2 ? LINUX_MADV_DONTNEED : LINUX_MADV_DONTFORK);
        do_mlock(&task, mm, NULL, uaddr(addr), len, (enum mm_lock)(rand() % 3));
        break;
    }
}
static void test_random(void **state) {
    for (unsigned seed = 1; seed <= 12; seed++) {
        srand(seed);
        struct mm *mm = new_mm();
        struct file *f = new_file(64 * GUEST_PAGE_SIZE);
        for (int i = 0; i < 600; i++) {
            random_call(mm, f);
            compare(mm);
        }
        mm_put(mm);
        assert_int_equal(ref_read(&f->refs), 1);
        file_put(f);
    }
}

// The same while allocations fail here and there: a call that fails has changed neither map.
static void test_no_memory(void **state) {
    srand(99);
    struct mm *mm = new_mm();
    struct file *f = new_file(64 * GUEST_PAGE_SIZE);
    for (int i = 0; i < 3000; i++) {
        fault_alloc_at(1 + (unsigned)rand() % 4);
        random_call(mm, f);
        fault_alloc_at(0);
        compare(mm);
    }
    mm_put(mm);
    assert_int_equal(ref_read(&f->refs), 1);
    file_put(f);
}

static void test_merge_and_split(void **state) {
    struct mm *mm = new_mm();
    unsigned fixed = mm->nareas;
    uint64_t vdso = mm->total;
    assert_int_equal(MAP(10, 5, RW), PG(10));
    assert_int_equal(MAP(20, 5, RW), PG(20));
    assert_int_equal(mm->nareas, fixed + 2);
    MAP(15, 5, RW);
    assert_int_equal(mm->nareas, fixed + 1);
    assert_int_equal(mm->total, vdso + 15 * GUEST_PAGE_SIZE);
    assert_int_equal(do_mprotect(mm, NULL, uaddr(PG(12)), GUEST_PAGE_SIZE, LINUX_PROT_READ), 0);
    assert_int_equal(mm->nareas, fixed + 3);
    assert_int_equal(mm->data, 14 * GUEST_PAGE_SIZE);
    host_ops = 0;
    assert_int_equal(do_mprotect(mm, NULL, uaddr(PG(12)), GUEST_PAGE_SIZE, LINUX_PROT_READ), 0);
    assert_int_equal(host_ops, 0);  // nothing changes: nothing is asked of the host
    do_mprotect(mm, NULL, uaddr(PG(12)), GUEST_PAGE_SIZE, RW);
    assert_int_equal(mm->nareas, fixed + 1);
    assert_int_equal(do_munmap(mm, NULL, uaddr(PG(0)), 100 * GUEST_PAGE_SIZE), 0);
    assert_int_equal(mm->nareas, fixed);
    assert_int_equal(do_munmap(mm, NULL, uaddr(PG(0)), 100 * GUEST_PAGE_SIZE), 0);
    mm_put(mm);
}

static void test_placement(void **state) {
    struct mm *mm = new_mm();
    int64_t a = map(mm, 0, GUEST_PAGE_SIZE, RW, ANON, NULL, 0),
            b = map(mm, 0, 2 * GUEST_PAGE_SIZE, RW, ANON, NULL, 0);
    assert_int_equal(a, PG(359));
    assert_int_equal(b, PG(357));
    do_munmap(mm, NULL, uaddr((uint64_t)a), GUEST_PAGE_SIZE);
    assert_int_equal(map(mm, 0, GUEST_PAGE_SIZE, RW, ANON, NULL, 0), a);  // the hole is found again
    // A range that fits only below the hidden one of the platform.
    assert_int_equal(map(mm, 0, 100 * GUEST_PAGE_SIZE, RW, ANON, NULL, 0), PG(200));
    assert_int_equal(map(mm, 0, 47 * GUEST_PAGE_SIZE, RW, ANON, NULL, 0), PG(310));
    // hints are rounded up
    assert_int_equal(map(mm, PG(50) + 5, GUEST_PAGE_SIZE, RW, ANON, NULL, 0), PG(51));
    assert_int_equal(map(mm, PG(51), GUEST_PAGE_SIZE, RW, ANON, NULL, 0), PG(199));     // taken: elsewhere
    assert_int_equal(map(mm, 0, 390 * GUEST_PAGE_SIZE, RW, ANON, NULL, 0), -LINUX_ENOMEM);
    compare(mm);
    mm_put(mm);
}

static void test_mmap_errors(void **state) {
    struct mm *mm = new_mm();
    struct file *f = new_file(GUEST_PAGE_SIZE);
    uint32_t fixed = ANON | LINUX_MAP_FIXED;
    assert_int_equal(map(mm, 0, 0, RW, ANON, NULL, 0), -LINUX_EINVAL);
    assert_int_equal(map(mm, 0, UINT64_MAX, RW, ANON, NULL, 0), -LINUX_ENOMEM);
    assert_int_equal(map(mm, 0, 4096, RW, LINUX_MAP_ANONYMOUS, NULL, 0), -LINUX_EINVAL);
    assert_int_equal(map(mm, PG(5) + 1, 4096, RW, fixed, NULL, 0), -LINUX_EINVAL);
    assert_int_equal(map(mm, 0, 4096, RW, fixed, NULL, 0), -LINUX_EPERM);
    assert_int_equal(map(mm, HI, 4096, RW, fixed, NULL, 0), -LINUX_ENOMEM);
    assert_int_equal(map(mm, PG(381), 4096, RW, fixed, NULL, 0), -LINUX_EPERM);
    assert_int_equal(map(mm, PG(305), 4096, RW, fixed, NULL, 0), -LINUX_ENOMEM);
    assert_int_equal(map(mm, PG(381), 4096, RW, fixed | LINUX_MAP_FIXED_NOREPLACE, NULL, 0), -LINUX_EEXIST);
    assert_int_equal(map(mm, 0, 4096, RW, ANON | LINUX_MAP_HUGETLB, NULL, 0), -LINUX_ENOMEM);
    assert_int_equal(map(mm, 0, 4096, RW, LINUX_MAP_SHARED_VALIDATE | LINUX_MAP_SYNC, f, 0),
                     -LINUX_EOPNOTSUPP);
    assert_int_equal(map(mm, 0, 8192, RW, LINUX_MAP_SHARED, f, UINT64_MAX & GUEST_PAGE_MASK),
                     -LINUX_EOVERFLOW);
    f->mode &= ~FMODE_WRITE;
    assert_int_equal(map(mm, 0, 4096, RW, LINUX_MAP_SHARED, f, 0), -LINUX_EACCES);
    int64_t a = map(mm, 0, 4096, LINUX_PROT_READ, LINUX_MAP_SHARED, f, 0);
    assert_true(a > 0);
    assert_int_equal(do_mprotect(mm, NULL, uaddr((uint64_t)a), 4096, RW), -LINUX_EACCES);
    f->mode |= FMODE_WRITE;
    assert_int_equal(do_munmap(mm, NULL, uaddr(PG(380)), 4096), -LINUX_EPERM);
    assert_int_equal(do_munmap(mm, NULL, uaddr(PG(5) + 1), 4096), -LINUX_EINVAL);
    assert_int_equal(do_munmap(mm, NULL, uaddr(PG(5)), 0), -LINUX_EINVAL);
    assert_int_equal(do_mprotect(mm, NULL, uaddr(PG(5)), 4096, RW), -LINUX_ENOMEM);
    assert_int_equal(do_mprotect(mm, NULL, uaddr(PG(5)), 0, RW), 0);
    assert_int_equal(do_mprotect(mm, NULL, uaddr(PG(305)), 4096, RW), -LINUX_ENOMEM);
    compare(mm);
    mm_put(mm);
    file_put(f);
}

static void test_mprotect_stops_at_hole(void **state) {
    struct mm *mm = new_mm();
    MAP(10, 2, RW);
    MAP(13, 2, RW);
    assert_int_equal(do_mprotect(mm, NULL, uaddr(PG(10)), 5 * GUEST_PAGE_SIZE, LINUX_PROT_READ),
                     -LINUX_ENOMEM);
    assert_int_equal(host[11].prot, LINUX_PROT_READ);
    assert_int_equal(host[13].prot, RW);
    compare(mm);
    mm_put(mm);
}

// The anchor is in the host's map alone: what grows in place must not meet it, in a copy of the map neither.
static void test_anchor(void **state) {
    struct mm *mm = new_mm(), *copy;
    mm->mmap_base = mm->place_top = PG(300);
    assert_int_equal(mm_anchor(mm, NULL), 0);
    assert_true(host[299].mapped && area_range_free(mm, PG(299), PG(300)));
    int64_t a = map(mm, 0, 2 * GUEST_PAGE_SIZE, RW, ANON, NULL, 0);
    assert_int_equal(a, PG(297));
    struct mremap_args grow = {
        .addr = (uint64_t)a, .old_len = 2 * GUEST_PAGE_SIZE, .new_len = 3 * GUEST_PAGE_SIZE};
    assert_int_equal(do_remap(mm, &grow), -LINUX_ENOMEM);
    assert_int_equal(mm_fork(mm, NULL, &copy), 0);
    assert_int_equal(do_remap(copy, &grow), -LINUX_ENOMEM);
    mm_put(copy);
    grow.flags = LINUX_MREMAP_MAYMOVE;
    assert_int_equal(do_remap(mm, &grow), PG(294));
    host[299].mapped = false;
    compare(mm);
    mm_put(mm);
}

static void test_limits(void **state) {
    struct mm *mm = new_mm();
    limits[LINUX_RLIMIT_AS] = mm->total + 10 * GUEST_PAGE_SIZE;
    uint64_t vdso = mm->total;
    assert_int_equal(MAP(10, 11, RW), -LINUX_ENOMEM);
    assert_int_equal(MAP(10, 10, RW), PG(10));
    assert_int_equal(MAP(10, 10, LINUX_PROT_READ), PG(10));  // replaces: no growth
    assert_int_equal(MAP(30, 1, RW), -LINUX_ENOMEM);
    limits[LINUX_RLIMIT_AS] = UINT64_MAX;
    limits[LINUX_RLIMIT_DATA] = 3 * GUEST_PAGE_SIZE;
    assert_int_equal(MAP(30, 4, RW), -LINUX_ENOMEM);
    assert_int_equal(MAP(30, 4, LINUX_PROT_READ), PG(30));
    limits[LINUX_RLIMIT_MEMLOCK] = 2 * GUEST_PAGE_SIZE;
    assert_int_equal(do_mlock(&task, mm, NULL, uaddr(PG(10)), 3 * GUEST_PAGE_SIZE, MM_LOCK), -LINUX_ENOMEM);
    assert_int_equal(do_mlock(&task, mm, NULL, uaddr(PG(10)), 2 * GUEST_PAGE_SIZE, MM_LOCK), 0);
    assert_int_equal(do_mlock(&task, mm, NULL, uaddr(PG(10)), 2 * GUEST_PAGE_SIZE, MM_LOCK), 0);
    assert_int_equal(map(mm, 0, 4096, 0, ANON | LINUX_MAP_LOCKED, NULL, 0), -LINUX_EAGAIN);
    assert_int_equal(do_madvise(&task, mm, NULL, uaddr(PG(10)), 4096, LINUX_MADV_DONTNEED), -LINUX_EINVAL);
    assert_int_equal(mm->locked, 2 * GUEST_PAGE_SIZE);
    assert_int_equal(do_munlockall(mm), 0);
    assert_int_equal(mm->locked, 0);
    limits[LINUX_RLIMIT_MEMLOCK] = 0;
    assert_int_equal(do_mlock(&task, mm, NULL, uaddr(PG(10)), 4096, MM_LOCK), -LINUX_EPERM);
    may_lock_all = true;
    assert_int_equal(do_mlockall(&task, mm, NULL, LINUX_MCL_CURRENT | LINUX_MCL_FUTURE), 0);
    assert_int_equal(mm->locked, mm->total - vdso);
    compare(mm);
    mm_put(mm);
}

static void test_brk(void **state) {
    struct mm *mm = new_mm();
    assert_int_equal(do_brk(&task, mm, NULL, uaddr(0)), PG(4));
    assert_int_equal(do_brk(&task, mm, NULL, uaddr(PG(4) + 5)), PG(4) + 5);
    assert_true(host[4].mapped && !host[5].mapped);
    assert_int_equal(do_brk(&task, mm, NULL, uaddr(PG(9))), PG(9));
    assert_int_equal(do_brk(&task, mm, NULL, uaddr(PG(5))), PG(5));
    assert_true(host[4].mapped && !host[5].mapped);
    MAP(8, 1, RW);
    assert_int_equal(do_brk(&task, mm, NULL, uaddr(PG(8))), PG(5));  // a page must stay free between
    assert_int_equal(do_brk(&task, mm, NULL, uaddr(PG(7))), PG(7));
    limits[LINUX_RLIMIT_DATA] = GUEST_PAGE_SIZE;
    assert_int_equal(do_brk(&task, mm, NULL, uaddr(PG(7) + 1)), PG(7));
    compare(mm);
    mm_put(mm);
}

static int64_t remap(struct mm *mm, unsigned from, unsigned old, unsigned new, uint32_t flags, unsigned to) {
    struct mremap_args m = {
        .addr = PG(from), .old_len = old * GUEST_PAGE_SIZE, .new_len = new *GUEST_PAGE_SIZE};
    m.flags = flags;
    m.new_addr = to ? PG(to) : 0;
    return do_remap(mm, &m);
}
static void test_mremap(void **state) {
    struct mm *mm = new_mm();
    MAP(10, 4, RW);
    uint32_t content = host[11].content, move = LINUX_MREMAP_MAYMOVE;
    assert_int_equal(remap(mm, 10, 4, 6, 0, 0), PG(10));  // in place
    assert_int_equal(remap(mm, 10, 6, 4, 0, 0), PG(10));
    MAP(14, 1, LINUX_PROT_READ);
    assert_int_equal(remap(mm, 10, 4, 6, 0, 0), -LINUX_ENOMEM);
    assert_int_equal(remap(mm, 10, 4, 6, move, 0), PG(354));
    assert_int_equal(host[355].content, content);
    assert_false(host[10].mapped);
    assert_int_equal(remap(mm, 354, 6, 2, move | LINUX_MREMAP_FIXED, 20), PG(20));
    assert_int_equal(host[21].content, content);
    assert_false(host[356].mapped);
    assert_int_equal(remap(mm, 20, 2, 2, move | LINUX_MREMAP_FIXED, 21), -LINUX_EINVAL);
    assert_int_equal(remap(mm, 20, 2, 2, LINUX_MREMAP_FIXED, 30), -LINUX_EINVAL);
    assert_int_equal(remap(mm, 20, 2, 0, move, 0), -LINUX_EINVAL);
    assert_int_equal(remap(mm, 20, 0, 2, move, 0), -LINUX_EINVAL);
    assert_int_equal(remap(mm, 20, 3, 5, move, 0), -LINUX_EFAULT);
    assert_int_equal(remap(mm, 60, 1, 2, move, 0), -LINUX_EFAULT);
    assert_int_equal(remap(mm, 20, 2, 2, move | LINUX_MREMAP_FIXED, 381), -LINUX_EPERM);
    assert_int_equal(remap(mm, 380, 1, 2, move, 0), -LINUX_EPERM);
    compare(mm);
    mm_put(mm);
}

// The host refuses to take several mappings as one: all stays, but for the place that was to be replaced.
static void test_mremap_refused(void **state) {
    struct mm *mm = new_mm();
    MAP(10, 4, RW);
    MAP(20, 4, LINUX_PROT_READ);
    uint32_t content = host[11].content;
    host_answer = -LINUX_EFAULT;
    assert_int_equal(remap(mm, 10, 4, 6, 0, 0), -LINUX_EFAULT);
    assert_int_equal(remap(mm, 10, 4, 30, LINUX_MREMAP_MAYMOVE, 0), -LINUX_EFAULT);
    assert_int_equal(remap(mm, 10, 4, 3, LINUX_MREMAP_MAYMOVE | LINUX_MREMAP_FIXED, 21), -LINUX_EFAULT);
    assert_false(host[21].mapped || host[23].mapped);
    assert_true(host[20].mapped && host[11].content == content);
    compare(mm);
    host_answer = 0;
    assert_int_equal(remap(mm, 10, 4, 6, 0, 0), PG(10));
    compare(mm);
    mm_put(mm);
}

static void test_fork(void **state) {
    struct mm *mm = new_mm(), *copy;
    struct file *f = new_file(GUEST_PAGE_SIZE);
    uint64_t vdso = mm->total;
    MAP(10, 4, RW);
    map(mm, PG(20), 4096, RW, LINUX_MAP_SHARED | LINUX_MAP_FIXED, f, 0);
    do_madvise(&task, mm, NULL, uaddr(PG(11)), 4096, LINUX_MADV_DONTFORK);
    do_mlock(&task, mm, NULL, uaddr(PG(10)), 4096, MM_LOCK);
    assert_int_equal(mm_fork(mm, NULL, &copy), 0);
    assert_true(area_check(copy));
    assert_int_equal(copy->total, vdso + 4 * GUEST_PAGE_SIZE);
    assert_int_equal(copy->locked, 0);
    assert_true(area_range_free(copy, PG(11), PG(12)));
    assert_int_equal(ref_read(&f->refs), 3);
    mm_put(copy);
    mm_put(mm);
    assert_int_equal(ref_read(&f->refs), 1);
    file_put(f);
}

static int setup(void **state) {
    vfs = vfs_create();
    return vfs ? 0 : -1;
}
static int teardown(void **state) {
    vfs_destroy(vfs);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge_and_split), cmocka_unit_test(test_placement),
        cmocka_unit_test(test_mmap_errors),     cmocka_unit_test(test_mprotect_stops_at_hole),
        cmocka_unit_test(test_limits),          cmocka_unit_test(test_brk),
        cmocka_unit_test(test_anchor),
        cmocka_unit_test(test_mremap),          cmocka_unit_test(test_mremap_refused),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_random),          cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
