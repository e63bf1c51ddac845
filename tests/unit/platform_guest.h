// SPDX-License-Identifier: Apache-2.0
// For the platform's unit tests: guest programs written as assembly in the test, started with a code, a data
// and a stack area; and waiting for their events. Included by one source file for each binary.
#ifndef TESTS_UNIT_PLATFORM_GUEST_H
#define TESTS_UNIT_PLATFORM_GUEST_H
#include "platform/platform.h"
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>  // after what it needs

#define GUEST_CODE       0x10000000ull
#define GUEST_DATA       0x20000000ull
#define GUEST_STACK      0x30000000ull
#define GUEST_STACK_SIZE 0x10000ull

// All programs lie one behind another between these two.
extern const char guest_code[], guest_code_end[];
#define GUEST(name, text)                                                                                    \
    extern const char guest_##name[];                                                                        \
    __asm__(".pushsection .guest, \"a\"\n .p2align 4\n guest_" #name ":\n" text "\n.popsection")
#define GUEST_AT(name) (GUEST_CODE + (uint64_t)(guest_##name - guest_code))
__asm__(".pushsection .guest, \"a\"\n .globl guest_code\n .p2align 12\n guest_code: nop\n .popsection\n");

struct guest {
    struct platform *p;
    struct plat_as *as;
    struct plat_thread *t;
    struct plat_event ev;
};

static int guest_image(void) {
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("guest", MFD_CLOEXEC);
        assert_int_equal(write(fd, guest_code, 4096), 4096);
    }
    return fd;
}

static inline void guest_start_with(struct guest *g, struct platform *p, uint64_t at, struct lx_regs regs) {
    *g = (struct guest){.p = p};
    regs.rip = at;
    regs.rsp = GUEST_STACK + GUEST_STACK_SIZE;
    regs.r15 = regs.fs_base = GUEST_DATA;
    assert_int_equal(plat_as_create(p, &g->as, &g->t), 0);
    plat_set_owner(g->t, g);
    assert_int_equal(plat_map(g->t, uaddr(GUEST_CODE), 4096, 5, 0, guest_image(), 0), 0);
    assert_int_equal(plat_map(g->t, uaddr(GUEST_DATA), 4096, 3, 0, -1, 0), 0);
    assert_int_equal(plat_map(g->t, uaddr(GUEST_STACK), GUEST_STACK_SIZE, 3, 0, -1, 0), 0);
    assert_int_equal(plat_set_regs(g->t, &regs), 0);
    plat_resume(g->t);
}

static inline void guest_start(struct guest *g, struct platform *p, uint64_t at) {
    guest_start_with(g, p, at, (struct lx_regs){0});
}

static inline void guest_end(struct guest *g) {
    plat_thread_destroy(g->t);
    plat_as_put(g->as);
    g->t = NULL;
}

// The next event of any thread, which must be of `of` (NULL: any).
static inline void wait_for(struct guest *g, void *of) {
    do
        assert_int_equal(plat_wait(g->p, &g->ev), 0);
    while (g->ev.kind == PLAT_NOTHING);
    if (of)
        assert_ptr_equal(g->ev.owner, of);
}
static inline void wait_event(struct guest *g) {
    wait_for(g, g);
}
static inline void wait_event_but(struct guest *g, enum plat_event_kind late) {
    do {
        wait_event(g);
        if (g->ev.kind == late)
            plat_resume(g->t);
    } while (g->ev.kind == late);
}
static inline void wait_call(struct guest *g, uint64_t nr) {
    wait_event(g);
    if (g->ev.kind != PLAT_SYSCALL)
        fail_msg("event %d (fault %d at %lx, cause %d) instead of call %lu", g->ev.kind, g->ev.fault.signo,
                 g->ev.fault.addr, g->ev.cause, nr);
    assert_int_equal(g->ev.call.nr, nr);
}

static inline void *kick_later(void *arg) {
    struct guest *g = arg;
    usleep(5000);
    plat_kick(g->p);
    return NULL;
}
// As wait_event(), but PLAT_NOTHING when none comes within a moment; the guest may be running for ever.
static inline void wait_some(struct guest *g) {
    pthread_t kicker;
    assert_int_equal(pthread_create(&kicker, NULL, kick_later, g), 0);
    do
        assert_int_equal(plat_wait(g->p, &g->ev), 0);
    while (g->ev.kind != PLAT_NOTHING && g->ev.owner != g);
    bool kicked = g->ev.kind == PLAT_NOTHING;
    struct plat_event ev = g->ev;
    pthread_join(kicker, NULL);
    if (!kicked) {
        do
            assert_int_equal(plat_wait(g->p, &g->ev), 0);
        while (g->ev.kind != PLAT_NOTHING);
    }
    g->ev = ev;
}

static inline const bool *test_needs_context(void) {
    static bool needs[512];
    static const int nrs[] = {9, 12, 13, 15, 25, 56, 57, 58, 59, 60, 158, 231, 435};
    for (size_t i = 0; i < sizeof nrs / sizeof *nrs; i++)
        needs[nrs[i]] = true;
    return needs;
}

static int open_kind(void **state, enum plat_kind kind) {
    struct plat_config config = {.kind = kind, .needs_context = test_needs_context()};
    char why[256] = "";
    struct platform *p;
    int err = plat_open(&config, &p, why, sizeof why);
    printf("  %s\n", why);
    *state = err ? NULL : p;
    return err;
}
static inline int open_seccomp(void **state) {
    return open_kind(state, PLAT_SECCOMP);
}
static inline int open_ptrace(void **state) {
    return open_kind(state, PLAT_PTRACE);
}

// Nothing may be left that the tests were given.
static inline int close_checked(void **state) {
    unsigned threads, spaces;
    plat_count(*state, &threads, &spaces);
    plat_close(*state);
    if (threads || spaces)
        printf("left: %u threads, %u address spaces\n", threads, spaces);
    return threads || spaces ? -1 : 0;
}

// For tests that look at a platform's own state: each has one to itself (platform_test), so that no end of an
// earlier test's process is under way in it.
static enum plat_kind afresh;
static inline int choose_seccomp(void **state) {
    afresh = PLAT_SECCOMP;
    return 0;
}
static inline int choose_ptrace(void **state) {
    afresh = PLAT_PTRACE;
    return 0;
}
static inline int open_afresh(void **state) {
    return open_kind(state, afresh);
}
#define platform_test(f) cmocka_unit_test_setup_teardown(f, open_afresh, close_checked)

// Runs the tests on each backend; PLATFORM=seccomp or =ptrace in the environment chooses one, TEST=pattern
// tests.
#define run_groups(name, tests, n, setup, teardown)                                                          \
    ({                                                                                                       \
        const char *only = getenv("PLATFORM");                                                               \
        int failed = 0;                                                                                      \
        if (getenv("TEST"))                                                                                  \
            cmocka_set_test_filter(getenv("TEST"));                                                          \
        if (!only || strcmp(only, "seccomp") == 0)                                                           \
            failed += _cmocka_run_group_tests(name " seccomp", tests, n, setup##_seccomp, teardown);         \
        if (!only || strcmp(only, "ptrace") == 0)                                                            \
            failed += _cmocka_run_group_tests(name " ptrace", tests, n, setup##_ptrace, teardown);           \
        failed;                                                                                              \
    })
#define run_backends(name, tests, n)        run_groups(name, tests, n, open, close_checked)
#define run_backends_afresh(name, tests, n) run_groups(name, tests, n, choose, NULL)

#endif
