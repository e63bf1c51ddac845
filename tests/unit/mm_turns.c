// SPDX-License-Identifier: Apache-2.0
// Threads that change one memory map, against a host whose threads do their work when they like: late, but
// before their next call. Whatever the order, our map and the host's agree once all have done it. The
// platform, parking and limits are stand-ins of this file; the handlers are the real ones.
#include "abi/caps.h"
#include "abi/mman.h"
#include "sentry/mm/area.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/task.h"
#include "sentry/run/park.h"
#include "sentry/syscalls/table.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the above first.
#include <cmocka.h>

#define LO      0x100000ull
#define PAGES   200u
#define HI      (LO + PAGES * GUEST_PAGE_SIZE)
#define PG(n)   (LO + (uint64_t)(n) * GUEST_PAGE_SIZE)
#define RW      (LINUX_PROT_READ | LINUX_PROT_WRITE)
#define THREADS 4
#define WORK    32

// ---- The host ---------------------------------------------------------------------------------------------
static struct page {
    bool mapped;
    int prot;
} host[PAGES];

struct work {
    enum { MAP, UNMAP, PROTECT } kind;
    unsigned first, n;
    int prot;
};
static struct thread {
    struct task task;
    struct work queue[WORK];  // what its host thread has still to do
    unsigned nqueue;
    bool calls;               // its call is not over
    bool hurried;
    sys_fn handler;
    struct sysargs args;
} threads[THREADS];
static unsigned waits, late;

static const struct plat_layout layout = {.lo = LO, .hi = HI};
const struct plat_layout *plat_layout(const struct platform *p) { return &layout; }
void plat_as_put(struct plat_as *as) {}

static unsigned page_of(uint64_t addr) { return (unsigned)((addr - LO) / GUEST_PAGE_SIZE); }

static int add(struct plat_thread *t, int kind, uaddr_t a, uint64_t len, int prot) {
    struct thread *thread = (struct thread *)t;
    assert_true(thread->nqueue < WORK && a.v >= LO && a.v + len <= HI && len);
    thread->queue[thread->nqueue++] =
        (struct work){kind, page_of(a.v), (unsigned)(len / GUEST_PAGE_SIZE), prot};
    return 0;
}
int plat_map(struct plat_thread *t, uaddr_t a, uint64_t len, int prot, unsigned flags, int fd,
             uint64_t offset) {
    return add(t, MAP, a, len, prot);
}
int plat_unmap(struct plat_thread *t, uaddr_t a, uint64_t len) { return add(t, UNMAP, a, len, 0); }
int plat_protect(struct plat_thread *t, uaddr_t a, uint64_t len, int prot) {
    return add(t, PROTECT, a, len, prot);
}
int plat_remap(struct plat_thread *t, uaddr_t from, uint64_t n, uaddr_t to, uint64_t m) { return -1; }
void plat_block_begin(struct platform *p) {}
void plat_block_end(struct platform *p) {}
int plat_incore(struct plat_thread *t, uaddr_t a, uint64_t len, uaddr_t vec) { return -1; }
int plat_advise(struct plat_thread *t, uaddr_t a, uint64_t len, int advice) { return -1; }

static void do_work(struct thread *t) {
    for (unsigned i = 0; i < t->nqueue; i++) {
        const struct work *w = &t->queue[i];
        for (struct page *p = host + w->first; p < host + w->first + w->n; p++) {
            if (w->kind == PROTECT)
                assert_true(p->mapped);
            else
                p->mapped = w->kind == MAP;
            p->prot = w->prot;
        }
    }
    t->nqueue = 0;
}

// ---- Tasks ------------------------------------------------------------------------------------------------
static struct tgroup group;

uint64_t task_rlimit(struct task *t, int which) { return UINT64_MAX; }
bool task_capable(const struct task *t, int cap) { return false; }
struct task *task_get(struct task *t) { return t; }
void task_put(struct task *t) {}
void task_notify(struct task *t) { container_of(t, struct thread, task)->hurried = true; }
void park_arm(struct task *t, struct waitq *q) {}
int64_t park_killable(struct task *t) { return SYS_PARK; }
void tgroup_begin_exit(struct tgroup *g, int status) { fail_msg("the process is ended"); }

static void run_handler(struct thread *t) {
    int64_t r = t->handler(&t->task, &t->args);
    t->calls = true;
    if (r == SYS_PARK) {
        waits++;
        return;
    }
    if (r == SYS_FLUSH) {
        do_work(t);
        t->task.call.flush_result = 0;
        r = t->handler(&t->task, &t->args);
    }
    assert_true(r >= 0 || r == -LINUX_ENOMEM || r == -LINUX_EINVAL || r == -LINUX_EEXIST);
    t->calls = false;
    assert_null(t->task.call.cleanup);
}

// Its host thread comes with a call, or because it has been interrupted.
static void event(struct thread *t) {
    do_work(t);
    t->hurried = false;
    mm_settle(&t->task);
}

static void begin_call(struct thread *t) {
    static const int prots[] = {LINUX_PROT_NONE, LINUX_PROT_READ, RW};
    uint64_t at = PG(rand() % (PAGES - 16)), len = (1 + (uint64_t)rand() % 12) * GUEST_PAGE_SIZE;
    uint64_t prot = (uint64_t)prots[rand() % 3];
    const uint64_t anonymous = LINUX_MAP_PRIVATE | LINUX_MAP_ANONYMOUS;
    t->task.call = (struct call){.proposal = rand() % 2 ? at : 0};
    switch (rand() % 5) {
    case 0:
        t->handler = sys_munmap;
        t->args = (struct sysargs){{at, len}};
        break;
    case 1:
        t->handler = sys_mprotect;
        t->args = (struct sysargs){{at, len, prot}};
        break;
    case 2:
        t->handler = sys_mmap;
        t->args = (struct sysargs){{at, len, prot, anonymous | LINUX_MAP_FIXED, ~0ull, 0}};
        break;
    case 3:
        t->handler = sys_brk;
        t->args = (struct sysargs){{PG(2) + (uint64_t)rand() % 8 * GUEST_PAGE_SIZE}};
        break;
    default:
        t->handler = sys_mmap;
        t->args = (struct sysargs){{rand() % 2 ? 0 : at, len, prot, anonymous, ~0ull, 0}};
        break;
    }
    run_handler(t);
    late += t->nqueue != 0;
}

static void step(void) {
    struct thread *t = &threads[rand() % THREADS];
    if (t->calls) {
        run_handler(t);
    } else if (t->hurried || rand() % 3 == 0) {
        event(t);
        if (rand() % 4)
            begin_call(t);
    }
}

static void settle_all(void) {
    for (bool again = true; again;) {
        again = false;
        for (struct thread *t = threads; t < threads + THREADS; t++) {
            if (t->calls)
                run_handler(t);
            else
                event(t);
            again = again || t->calls || t->nqueue;
        }
    }
}

static void compare(struct mm *mm) {
    assert_true(area_check(mm) && list_empty(&mm->unsettled) && !mm->op_task);
    for (unsigned i = 0; i < PAGES; i++) {
        const struct vma *v = area_find(mm, PG(i));
        if (v && v->start > PG(i))
            v = NULL;
        assert_int_equal(host[i].mapped, v != NULL);
        if (v)
            assert_int_equal(host[i].prot, v->prot);
    }
}

static void test_any_order(void **state) {
    for (unsigned seed = 1; seed <= 40; seed++) {
        srand(seed);
        memset(host, 0, sizeof host);
        memset(threads, 0, sizeof threads);
        struct mm *mm = mm_new(NULL, NULL, NULL);
        assert_non_null(mm);
        mm->brk_start = mm->brk = PG(2);
        mm->mmap_base = mm->place_top = PG(PAGES - 20);
        atomic_store(&group.nalive, THREADS);
        for (unsigned i = 0; i < THREADS; i++) {
            threads[i].task.mm = mm;
            threads[i].task.tg = &group;
            threads[i].task.thread = (struct plat_thread *)&threads[i];
            mm_use(mm);
        }
        for (int round = 0; round < 60; round++) {
            for (int i = 0; i < 40; i++)
                step();
            settle_all();
            compare(mm);
        }
        mm_put(mm);
    }
    assert_true(waits > 1000 && late > 1000);  // both ways were gone
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
