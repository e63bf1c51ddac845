// SPDX-License-Identifier: Apache-2.0
// The syscall ring of the seccomp platform, as the sentry sees it: nothing. Patched sites give the same
// calls, values, interrupts and forks as others; what the guest does to its ring harms itself alone. Small
// guest programs, in a text that is offered for patching; a few waiters, so that one of them can poll.
// How many calls go by the ring depends on the host's scheduler, so every test is right either way; but of a
// hundred thousand it is some.
#include "abi/errno.h"
#include "platform/stub/layout.h"
#include "tests/unit/platform_guest.h"
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

// r14: calls to make. Each call's number is 110, with rbx as its first argument and a known value in each
// register that a call keeps; wrong ones are counted in r13. At the end: write(wrong, flags before ^ after).
#define LOOP_BODY \
    "mov %rbx, %rdi\n mov $2, %esi\n mov $3, %edx\n mov $4, %r10d\n mov $5, %r8d\n mov $6, %r9d\n" \
    "mov $-1, %eax\n add $1, %eax\n pushfq\n pop %rbp\n" \
    "mov $110, %eax\n syscall\n" \
    "mov %rax, %r12\n pushfq\n pop %rcx\n xor %rbp, %rcx\n and $0xcd5, %ecx\n add %rcx, %r13\n" \
    "cmp %rbx, %rdi\n jne 9f\n cmp $2, %rsi\n jne 9f\n cmp $3, %rdx\n jne 9f\n cmp $4, %r10\n jne 9f\n" \
    "cmp $5, %r8\n jne 9f\n cmp $6, %r9\n jne 9f\n lea 7(%rbx), %rcx\n cmp %rcx, %r12\n jne 9f\n"
GUEST(same,
      "1: inc %rbx\n" LOOP_BODY "dec %r14\n jnz 1b\n 8: mov %r13, %rdi\n mov $1, %eax\n syscall\n jmp 8b\n"
      "9: inc %r13\n jmp 8b\n");
GUEST(forking, "mov $20000, %r14d\n 1: inc %rbx\n" LOOP_BODY "dec %r14\n jnz 1b\n"
               "mov $57, %eax\n syscall\n mov $20000, %r14d\n mov $100, %ebx\n"
               "2: inc %rbx\n" LOOP_BODY "dec %r14\n jnz 2b\n"
               "8: mov %r13, %rdi\n mov $1, %eax\n syscall\n jmp 8b\n 9: inc %r13\n jmp 8b\n");
// Counts in rbx and never ends; `hostile` also writes to the ring at r12, as the random number in r14 says.
GUEST(endless, "1: inc %rbx\n mov %rbx, %rdi\n mov $110, %eax\n syscall\n jmp 1b\n");
GUEST(
    hostile,
    "1: inc %rbx\n mov %rbx, %rdi\n mov $110, %eax\n syscall\n imul $1664525, %r14, %r14\n"
    "add $1013904223, %r14\n mov %r14, %rcx\n shr $40, %rcx\n and $7, %ecx\n test $0x7000000, %r14\n jne 1b\n"
    "mov %r14, %rax\n shr $33, %rax\n and $7, %eax\n mov %eax, (%r12)\n mov %rax, 72(%r12,%rcx,8)\n "
    "jmp 1b\n");
// stat(rbx) into rsi, for ever; the answers are counted: r12 those that are -EFAULT, r13 the others.
GUEST(stat_loop, "1: mov %rbx, %rdi\n mov %r15, %rsi\n mov $4, %eax\n syscall\n cmp $-14, %rax\n jne 2f\n "
                 "inc %r12\n jmp 1b\n"
                 "2: inc %r13\n mov (%r15), %rax\n cmp %rax, %r14\n jne 3f\n jmp 1b\n"
                 "3: mov $1, %eax\n syscall\n jmp 3b\n");
// mmap, a word written there, munmap, r14 times; each register that the call keeps is looked at, and the
// flags. r12 counts refusals, r13 what is wrong.
#define MAP_REGS \
    "cmp $8192, %rsi\n jne 9f\n cmp $3, %rdx\n jne 9f\n cmp $0x22, %r10\n jne 9f\n cmp $-1, %r8\n jne 9f\n"
GUEST(mapping,
      "1: inc %rbx\n xor %edi, %edi\n mov $8192, %esi\n mov $3, %edx\n mov $0x22, %r10d\n "
      "mov $-1, %r8\n xor %r9d, %r9d\n"
      "mov %rsp, %rbp\n add $-1, %r14\n pushfq\n pop %r11\n mov %r11, -128(%rsp)\n"
      "mov $9, %eax\n syscall\n"
      "pushfq\n pop %rcx\n xor -128(%rsp), %rcx\n and $0xcd5, %ecx\n add %rcx, %r13\n"
      "test %rdi, %rdi\n jne 9f\n test %r9, %r9\n jne 9f\n cmp %rsp, %rbp\n jne 9f\n" MAP_REGS
      "cmp $-4095, %rax\n jae 3f\n test $4095, %eax\n jne 9f\n cmpq $0, 4096(%rax)\n jne 9f\n "
      "mov %rbx, 4096(%rax)\n"
      "mov %rax, %rdi\n mov $8192, %esi\n mov $11, %eax\n syscall\n test %rax, %rax\n jne 9f\n"
      "2: test %r14, %r14\n jne 1b\n 8: mov %r13, %rdi\n mov %r12, %rsi\n mov $1, %eax\n syscall\n jmp 8b\n"
      "3: inc %r12\n jmp 2b\n 9: inc %r13\n jmp 8b\n");

__asm__(".pushsection .guest, \"a\"\n .balign 4096, 0\n .popsection"); // room for thunks

// ---- Waiters ----------------------------------------------------------------------------------------------

#define WAITERS 4
#define SPARE_END 0x70000000ul
struct server {
    struct platform *p;
    pthread_mutex_t crew_lock;
    unsigned nthreads; // [crew_lock]
    pthread_t threads[WAITERS];
    _Atomic int ended, bad, interrupts;
    _Atomic unsigned long calls;
    _Atomic bool limit_later;
    _Atomic bool limited;               // the guest's process may not grow
    bool by_site;                  // the last map was one by a patched site
    unsigned refused;              // of those
    uint64_t told, heard;          // refusals: as we said, and as the program counted them
    unsigned maps, proposals;      // calls of mmap; those that a patched site made as it wished
    _Atomic bool spare;            // memory may be kept ready, below SPARE_END
    unsigned spares;               // how often it was
    _Atomic int64_t wrong;       // what the last program that ended has said
    struct plat_thread *last;    // held since
    uint64_t last_rbx;
    _Atomic int stop_at_interrupt; // hold at the next interrupt
    struct plat_thread *child;
    struct plat_as *child_as;
    _Atomic bool dead;
};

static void fork_guest(struct server *s, const struct plat_event *ev) {
    struct plat_thread *child;
    struct plat_as *as;
    struct lx_regs regs;
    if (plat_clone(ev->thread, 0, &child, &as) || plat_get_regs(child, &regs)) {
        s->bad++;
        return;
    }
    plat_set_owner(child, s);
    regs.rax = 0;
    plat_set_regs(child, &regs);
    s->child = child;
    s->child_as = as;
    plat_flush(ev->thread);
}

// As it was proposed; or elsewhere; or not at all.
static void map_for_guest(struct server *s, const struct plat_event *ev) {
    unsigned n = s->maps++;
    if (n == 2000 && s->limit_later) {
        struct rlimit none = {0, 0};
        s->bad += prlimit(plat_host_pid(ev->thread), RLIMIT_AS, &none, NULL) != 0;
        s->limited = true;
    }
    uint64_t at = n % 7 && ev->call.proposal ? ev->call.proposal : 0x50000000 + n % 13 * 0x100000;
    s->proposals += at == ev->call.proposal && !ev->context;
    s->by_site = !ev->context;
    if (n % 31 == 0) {
        s->told++;
        plat_answer(ev->thread, -LINUX_ENOMEM);
        return;
    }
    if (plat_map(ev->thread, uaddr(at), 8192, 3, PLAT_NORESERVE, -1, 0))
        s->bad++;
    plat_answer(ev->thread, (int64_t)at);
}

// A copy that is not said to be part of the answer is there before the answer, by whatever way the call came.
static bool copies_at_once(struct server *s, const struct plat_event *ev) {
    struct plat_as *as = plat_thread_as(ev->thread);
    uint64_t first = ~0ull, there = 0;
    if (plat_copy_out(as, uaddr(ev->call.args[1]), &first, sizeof first) != sizeof first)
        return false;
    int64_t n = plat_copy_in(as, &there, uaddr(ev->call.args[1]), sizeof there);
    s->bad += n != sizeof there || there != first;
    return true;
}

static void serve_call(struct server *s, const struct plat_event *ev) {
    s->calls++;
    switch (ev->call.nr) {
    case 110:
        if ((ev->call.args[1] != 2 || ev->call.args[5] != 6) && s->wrong >= 0)
            s->bad++;
        plat_answer(ev->thread, (int64_t)ev->call.args[0] + 7);
        break;
    case 4: {
        char name[64];
        uint64_t word = 0x1122334455667788;
        int64_t n = plat_call_string(ev->thread, uaddr(ev->call.args[0]), name, sizeof name);
        if (n == -LINUX_EAGAIN)
            n = plat_copy_in(plat_thread_as(ev->thread), name, uaddr(ev->call.args[0]), 6) == 6
                    ? 5
                    : -LINUX_EFAULT;
        if (n == 5 && name[0] && memcmp(name, "/name", 6)) // (the test writes it while the guest runs)
            s->bad++;
        if (n >= 0 && s->calls % 2 && !copies_at_once(s, ev))
            n = -LINUX_EFAULT;
        if (n >= 0 && plat_copy_out_answer(ev->thread, uaddr(ev->call.args[1]), &word, 8) != 8)
            n = -LINUX_EFAULT;
        plat_answer(ev->thread, n < 0 ? n : 0);
        break;
    }
    case 9:
        map_for_guest(s, ev);
        break;
    case 11:
        if (plat_unmap(ev->thread, uaddr(ev->call.args[0]), 8192))
            s->bad++;
        plat_answer(ev->thread, 0);
        break;
    case 57:
        fork_guest(s, ev);
        break;
    case 1:
        s->wrong += (int64_t)ev->call.args[0];
        s->heard = ev->call.args[1];
        s->last = ev->thread;
        s->ended++;
        break;
    default:
        plat_answer(ev->thread, -LINUX_ENOSYS);
    }
}

static void *serve(void *arg) {
    struct server *s = arg;
    struct plat_event ev;
    while (plat_wait(s->p, &ev) == 0) {
        struct lx_regs regs;
        switch (ev.kind) {
        case PLAT_SYSCALL:
            serve_call(s, &ev);
            break;
        case PLAT_INTERRUPT:
            s->interrupts++;
            plat_get_regs(ev.thread, &regs);
            if (regs.rip < GUEST_CODE || regs.rip >= GUEST_CODE + 4096) // never in the stub
                s->bad++;
            s->last_rbx = regs.rbx;
            s->last = ev.thread;
            if (s->stop_at_interrupt)
                s->ended++;
            else
                plat_resume(ev.thread);
            break;
        case PLAT_OPS_DONE:
            if (s->limited && ev.result == -LINUX_ENOMEM) { // the host has refused a map: so hears the guest
                s->refused += s->by_site;
                s->told++;
                plat_answer(ev.thread, ev.result);
                break;
            }
            if (ev.result)
                s->bad++;
            plat_resume(s->child);
            plat_answer(ev.thread, 1);
            break;
        case PLAT_DEATH:
        case PLAT_FAULT:
            s->dead = true;
            s->ended++;
            break;
        default:
            break;
        }
    }
    return NULL;
}

static bool another_waiter(void *arg) {
    struct server *s = arg;
    pthread_mutex_lock(&s->crew_lock);
    bool made = s->nthreads < WAITERS && pthread_create(&s->threads[s->nthreads], NULL, serve, s) == 0;
    s->nthreads += made;
    pthread_mutex_unlock(&s->crew_lock);
    return made;
}

static void no_count(void *owner) { (void)owner; }

static bool patchable;  // else the calls of hot sites are dispatched

static bool text_range(void *owner, uint64_t at, struct plat_text *out) {
    (void)owner, (void)at;
    if (!patchable)
        return false;
    *out = (struct plat_text){GUEST_CODE, GUEST_CODE + 4096, GUEST_CODE};
    return true;
}

static uint64_t text_file;

static bool text_name(void *owner, uint64_t at, uint64_t name[3]) {
    (void)owner;
    memcpy(name, (uint64_t[3]){text_file, 1, at - GUEST_CODE}, 3 * sizeof *name);
    return text_file != 0;
}

static uint64_t free_range(void *owner, uint64_t len) {
    struct server *s = owner;
    return s->spare ? SPARE_END - ++s->spares % 4 * 0x2000000 - len : 0;
}

static const struct plat_guest_ops guest_ops = {
    .owner_get = no_count,
    .owner_put = no_count,
    .text_range = text_range,
    .text_name = text_name,
    .free_range = free_range,
};

static struct server *start(struct guest *g, uint64_t at, struct lx_regs more) {
    static struct server s;
    char why[256];
    struct plat_config config = {.kind = PLAT_SECCOMP,
                                 .needs_context = test_needs_context(),
                                 .guest = &guest_ops,
                                 .another_waiter = another_waiter,
                                 .waiters = &s};
    s = (struct server){.crew_lock = PTHREAD_MUTEX_INITIALIZER};
    assert_int_equal(plat_open(&config, &s.p, why, sizeof why), 0);
    guest_start_with(g, s.p, at, more);
    plat_set_owner(g->t, &s);
    assert_true(another_waiter(&s));
    return &s;
}

static void until_ended(struct server *s, int n) {
    for (int i = 0; i < 200000 && s->ended < n; i++)
        usleep(1000);
    assert_true(s->ended >= n);
}

static void finish(struct guest *g, struct server *s) {
    unsigned threads, spaces;
    plat_shutdown(s->p);
    pthread_mutex_lock(&s->crew_lock);
    unsigned n = s->nthreads;
    s->nthreads = WAITERS; // no more come
    pthread_mutex_unlock(&s->crew_lock);
    for (unsigned i = 0; i < n; i++)
        pthread_join(s->threads[i], NULL);
    guest_end(g);
    if (s->child) {
        plat_thread_destroy(s->child);
        plat_as_put(s->child_as);
    }
    plat_count(s->p, &threads, &spaces);
    assert_int_equal(threads + spaces, 0);
    plat_close(s->p);
}

static int cpus(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 0 : CPU_COUNT(&set);
}

// ---- Tests ------------------------------------------------------------------------------------------------

static void test_same_results(void **state) {
    struct guest g;
    struct server *s = start(&g, GUEST_AT(same), (struct lx_regs){.r14 = 100000});
    until_ended(s, 1);
    unsigned char text[4096];
    assert_int_equal(plat_copy_in(g.as, text, uaddr(GUEST_CODE), 4096), 4096);
    unsigned changed = 0;
    for (unsigned i = 0; i < 3072; i++)
        changed += text[i] != (unsigned char)guest_code[i];
    // it was really tried: a jump and a thunk
    assert_in_range(changed, patchable && cpus() > 1 ? 1 : 0, patchable ? 5 + 40 : 0);
    struct plat_stats stats;
    plat_get_stats(s->p, &stats);
    assert_true(cpus() < 2 || (stats.patched == patchable && stats.polled > 0 && stats.ring > 0));
    assert_true(cpus() < 2 || stats.dispatched == !patchable);
    assert_true(stats.plain + stats.context + stats.ring >= 100000);
    assert_int_equal(s->wrong, 0);
    assert_int_equal(s->bad, 0);
    finish(&g, s);
}

// What was hot in one process is patched soon in the next that has that file there, and in no other.
static void test_known_sites(void **state) {
    struct plat_stats stats;
    struct guest g, next[3];
    const uint64_t files[3] = {8, 7, 0}, patched[3] = {1, 2, 2};
    text_file = 7;
    struct server *s = start(&g, GUEST_AT(same), (struct lx_regs){.r14 = 1000});
    until_ended(s, 1);
    for (int i = 0; i < 3; i++) {
        text_file = files[i];
        guest_start_with(&next[i], s->p, GUEST_AT(same), (struct lx_regs){.r14 = 40});
        plat_set_owner(next[i].t, s);
        until_ended(s, 2 + i);
        plat_get_stats(s->p, &stats);
        assert_true(cpus() < 2 || stats.patched == patched[i]);
        assert_true(cpus() < 2 || stats.known == patched[i] - 1);
    }
    text_file = 0;
    assert_int_equal(s->wrong, 0);
    assert_int_equal(s->bad, 0);
    for (int i = 0; i < 3; i++)
        guest_end(&next[i]);
    finish(&g, s);
}

static void test_interrupts(void **state) {
    struct guest g;
    struct server *s = start(&g, GUEST_AT(same), (struct lx_regs){.r14 = 30000});
    for (unsigned i = 0; !s->ended && i < 20000; i++) {
        plat_interrupt(g.t);
        usleep(i % 8 ? 20 : 500);
    }
    assert_int_equal(s->wrong, 0);
    assert_int_equal(s->bad, 0);
    assert_true(s->interrupts > 0);
    finish(&g, s);
}

static void test_maps(void **state) {
    struct guest g;
    struct server *s = start(&g, GUEST_AT(mapping), (struct lx_regs){.r14 = 3000});
    until_ended(s, 1);
    assert_int_equal(s->wrong, 0);
    assert_int_equal(s->bad, 0);
    assert_true(s->proposals > 1000);
    finish(&g, s);
}

// A container's profile may forbid it.
static bool may_guard(void) {
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

// As often as it is asked for, at places in turn; the guest's maps come from it, and nothing of it is there
// when it is not the guest's.
static void spare_maps(struct lx_regs regs, bool interrupt) {
    struct guest g;
    char byte;
    struct server *s = start(&g, GUEST_AT(mapping), regs);
    s->spare = true;
    for (unsigned i = 0; interrupt && !s->ended && i < 20000; i++) {
        plat_interrupt(g.t);
        usleep(i % 8 ? 13 : 700);
    }
    until_ended(s, 1);
    assert_int_equal(s->wrong, 0);
    assert_int_equal(s->bad, 0);
    assert_true(s->spares > 0 || cpus() < 2 || !may_guard());
    for (uint64_t at = 0x60000000; at < SPARE_END; at += 4096)
        assert_int_equal(plat_copy_in(g.as, &byte, uaddr(at), 1), -LINUX_EFAULT);
    finish(&g, s);
}
static void test_maps_spare(void **state) {
    spare_maps((struct lx_regs){.r14 = 20000}, false);
}
static void test_maps_spare_interrupted(void **state) {
    spare_maps((struct lx_regs){.r14 = 20000}, true);
}

// The host refuses maps that were decided on, and we are told of each that the program hears of.
static void maps_refused(unsigned maps, bool interrupt) {
    struct guest g;
    struct server *s = start(&g, GUEST_AT(mapping), (struct lx_regs){.r14 = maps});
    s->limit_later = true;
    for (unsigned i = 0; interrupt && !s->ended && i < 20000; i++) {
        plat_interrupt(g.t);
        usleep(i % 8 ? 7 : 300);
    }
    until_ended(s, 1);
    assert_int_equal(s->wrong, 0);
    assert_int_equal(s->bad, 0);
    assert_int_equal(s->heard, s->told);
    assert_true(s->refused > 500);
    finish(&g, s);
}
static void test_maps_refused(void **state) { maps_refused(3000, false); }
static void test_maps_refused_interrupted(void **state) { maps_refused(8000, true); }

static void test_maps_interrupted(void **state) {
    struct guest g;
    struct server *s = start(&g, GUEST_AT(mapping), (struct lx_regs){.r14 = 10000});
    for (unsigned i = 0; !s->ended && i < 20000; i++) {
        plat_interrupt(g.t);
        usleep(i % 8 ? 7 : 300);
    }
    until_ended(s, 1);
    assert_int_equal(s->wrong, 0);
    assert_int_equal(s->bad, 0);
    assert_true(s->interrupts > 0);
    finish(&g, s);
}

static void test_fork(void **state) {
    struct guest g;
    struct server *s = start(&g, GUEST_AT(forking), (struct lx_regs){0});
    until_ended(s, 2);
    assert_int_equal(s->wrong, 0);
    assert_int_equal(s->bad, 0);
    finish(&g, s);
}

// Sets the guest going from the start, with a name and a place for the answer, and stops it after a while.
static struct lx_regs stat_for(struct guest *g, struct server *s, uint64_t name, uint64_t answer) {
    struct lx_regs regs;
    assert_int_equal(plat_get_regs(g->t, &regs), 0);
    regs.rbx = name;
    regs.r15 = answer;
    regs.r12 = regs.r13 = 0;
    regs.rip = GUEST_AT(stat_loop);
    assert_int_equal(plat_set_regs(g->t, &regs), 0);
    s->ended = 0;
    unsigned long calls = s->calls;
    plat_resume(g->t);
    for (int i = 0; i < 60000 && !s->dead && s->calls < calls + 3000; i++) {
        if (atomic_exchange(&s->ended, 0)) // an interrupt may come late (platform.h)
            plat_resume(g->t);
        usleep(1000);
    }
    plat_interrupt(g->t);
    until_ended(s, 1);
    assert_int_equal(plat_get_regs(g->t, &regs), 0);
    return regs;
}

static void test_copies(void **state) {
    const uint64_t name = GUEST_DATA + 64, nowhere = 0x1000;
    struct guest g;
    struct server *s =
        start(&g, GUEST_AT(stat_loop), (struct lx_regs){.rbx = name, .r14 = 0x1122334455667788});
    for (int i = 0; i < 100000 && plat_copy_out(g.as, uaddr(name), "/name", 6) != 6; i++)
        usleep(1000); // until the page is there
    s->stop_at_interrupt = 1;
    plat_interrupt(g.t);
    until_ended(s, 1);
    struct lx_regs regs = stat_for(&g, s, name, GUEST_DATA);
    assert_true(regs.r13 > 0 && regs.r12 == 0);
    assert_int_equal(s->bad, 0);
    regs = stat_for(&g, s, nowhere, GUEST_DATA); // each call is to say so
    assert_true(regs.r12 > 0 && regs.r13 == 0);
    regs = stat_for(&g, s, name, nowhere); // nor is there a place to write to
    assert_true(regs.r12 > 0 && regs.r13 == 0 && regs.rdi == name && !s->dead);
    finish(&g, s);
}

// It may die of it, or be given nonsense; nothing else happens, and everything is given back.
static void test_scribbled_ring(void **state) {
    for (unsigned round = 0; round < 10; round++) {
        struct guest g;
        struct server *s = start(&g, GUEST_AT(endless), (struct lx_regs){0});
        s->wrong = -1;
        usleep(30000);
        s->stop_at_interrupt = 1;
        plat_interrupt(g.t);
        until_ended(s, 1);
        struct lx_regs regs;
        const struct plat_layout *l = plat_layout(s->p);
        assert_int_equal(plat_get_regs(g.t, &regs), 0);
        regs.r12 = l->reserved[0].start + STUB_SLOT_SIZE + STUB_RING_AT;  // of the first slot
        regs.r14 = round * 77777 + 1;
        regs.rip = GUEST_AT(hostile);
        assert_int_equal(plat_set_regs(g.t, &regs), 0);
        s->ended = 0;
        s->stop_at_interrupt = 0;
        plat_resume(g.t);
        for (int i = 0; i < 50 && !s->dead; i++) {
            usleep(1000);
            plat_interrupt(g.t);
        }
        finish(&g, s);
    }
}

// The thread goes away while it calls, at any moment.
static void test_destroyed(void **state) {
    for (unsigned round = 0; round < 20; round++) {
        struct guest g;
        struct server *s = start(&g, GUEST_AT(endless), (struct lx_regs){0});
        s->wrong = -1;
        usleep(5000 + round * 777);
        s->stop_at_interrupt = 1;
        plat_interrupt(g.t);
        until_ended(s, 1);
        finish(&g, s);
    }
}

static int with_patches(void **state) {
    patchable = true;
    return 0;
}
static int without_patches(void **state) {
    patchable = false;
    return 0;
}

int main(void) {
    static const struct CMUnitTest dispatched[] = {
        cmocka_unit_test(test_same_results),   cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_fork),           cmocka_unit_test(test_copies),
        cmocka_unit_test(test_scribbled_ring), cmocka_unit_test(test_destroyed),
    };
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_results),   cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_fork),           cmocka_unit_test(test_copies),
        cmocka_unit_test(test_scribbled_ring), cmocka_unit_test(test_destroyed),
        cmocka_unit_test(test_maps),           cmocka_unit_test(test_maps_interrupted),
        cmocka_unit_test(test_maps_spare),     cmocka_unit_test(test_maps_spare_interrupted),
        cmocka_unit_test(test_maps_refused),   cmocka_unit_test(test_maps_refused_interrupted),
        cmocka_unit_test(test_known_sites),
    };
    char why[256] = "";
    struct platform *p;
    struct plat_config config = {.kind = PLAT_SECCOMP, .needs_context = test_needs_context()};
    alarm(550);
    if (getenv("TEST"))
        cmocka_set_test_filter(getenv("TEST"));
    if (plat_open(&config, &p, why, sizeof why)) {
        printf("skipped: %s\n", why);
        return 77;
    }
    plat_close(p);
    int failed = cmocka_run_group_tests_name("platform ring", tests, with_patches, NULL);
    if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0) == 0)  // Linux 5.11
        failed += cmocka_run_group_tests_name("platform ring, dispatched", dispatched, without_patches, NULL);
    return failed;
}
