// SPDX-License-Identifier: Apache-2.0
// What the platforms refuse a stub, each by itself: calls and events out of turn, threads that nobody
// ordered, work that is not what was decided, files that must not stay, registers of the kernel's. Guests
// cannot bring about all of it without luck, so states are set here from inside (platform/seccomp/sc.h).
#include "abi/errno.h"
#include "abi/mman.h"
#include "tests/unit/platform_waiter.h"
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>

GUEST(loop_context, "1: mov $12, %eax; syscall; jmp 1b");
// The call that its registers say, then its value by another.
GUEST(caller, "mov %rbx, %rax; mov %r12, %rdi; mov %r13, %rsi; mov %r14, %rdx; syscall; "
              "mov %rax, %rdi; mov $1, %eax; syscall; ud2");
GUEST(segments, "mov %cs, %edi; mov %ss, %esi; mov %ds, %edx; mov %es, %r10d; mov %fs, %r8d; mov %gs, %r9d; "
                "mov $1, %eax; syscall; ud2");

#define AT 0x40000000ull

static void flush_ok(struct guest *g) {
    plat_flush(g->t);
    wait_for(g, g);
    assert_int_equal(g->ev.kind, PLAT_OPS_DONE);
    assert_int_equal(g->ev.result, 0);
}

static void must_die(struct guest *g) {
    for (int i = 0; i < 20000; i++) {
        wait_some(g);
        if (g->ev.kind == PLAT_DEATH)
            return;
        if (g->ev.kind != PLAT_NOTHING)
            fail_msg("event %d of a process that had to end", g->ev.kind);
    }
    fail_msg("a process that had to end lives");
}

static void let_it_call(struct guest *g) {
    const uint32_t one = 1;
    assert_int_equal(plat_copy_out(g->as, uaddr(GUEST_DATA), &one, sizeof one), sizeof one);
}

// ---- Out of turn ------------------------------------------------------------------------------------------

// While the first of its orders is held in the gate, the second is overwritten with an event.
static void test_event_instead_of_work(void **state) {
    struct guest g;
    if (!is_seccomp(state))
        skip();
    guest_start(&g, *state, GUEST_AT(loop_context));
    wait_call(&g, 12);
    assert_int_equal(plat_map(g.t, uaddr(AT), 4096, 3, 0, -1, 0), 0);
    assert_int_equal(plat_map(g.t, uaddr(AT + 8192), 4096, 3, 0, -1, 0), 0);
    plat_flush(g.t);
    const struct sc_thread *t = sc_thread_of(g.t);
    uint64_t nr = STUB_EV(STUB_EV_CALL, t->slot, SYS_getppid);
    struct iovec local = {&nr, sizeof nr},
                 remote = {(void *)(sc_slot_addr(t) + offsetof(struct stub_slot, ops[1].nr)), sizeof nr};
    assert_int_equal(process_vm_writev(plat_host_pid(g.t), &local, 1, &remote, 1, 0), sizeof nr);
    must_die(&g);
    guest_end(&g);
}

// Guest code that runs although its thread has orders, or is held by a call in the ring: it does not wait for
// its answer.
static void test_call_instead_of_work(void **state) {
    const enum sc_state states[] = {SC_OPS, SC_HELD};
    if (!is_seccomp(state))
        skip();
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        struct guest g;
        struct sc_thread *t = start_waiter(&g, state, SYS_getppid);
        lock_take(&t->lock);
        sc_set_state(t, SC_HELD);
        if (states[i] != SC_HELD)
            sc_set_state(t, states[i]);
        t->hold = HOLD_VALUE;
        t->ring.state = RING_HELD;
        lock_drop(&t->lock);
        let_it_call(&g);
        must_die(&g);
        guest_end(&g);
    }
}

// The stub's other syscall instruction, and any place that holds none, are no gate: not even for what the
// gate may say.
static void test_beside_the_gate(void **state) {
    if (!is_seccomp(state))
        skip();
    const struct stub_place *place = &sc_of(*state)->place;
    const uint64_t at[] = {place->base + stub_header()->sigreturn + 2, stub_gate(place), stub_gate(place) + 3,
                           place->base + 1};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        struct guest g;
        struct plat_event ev;
        const struct sc_thread *t = start_waiter(&g, state, SYS_getppid);
        struct seccomp_notif n = {.pid = (unsigned)t->tid, .id = ~0ull};
        n.data.nr = (int)STUB_EV(STUB_EV_CALL, t->slot, SYS_getppid);
        n.data.instruction_pointer = at[i];
        assert_false(sc_handle(sc_of(*state), &n, &ev));
        must_die(&g);
        guest_end(&g);
    }
}

// ---- A call that goes on by itself only when it is what was decided ---------------------------------------

// The guest calls `nr` of (AT, len, third) on two pages of its own, and is held in it.
static void start_caller(struct guest *g, void **state, uint64_t nr, uint64_t len, uint64_t third) {
    guest_start_with(g, *state, GUEST_AT(caller),
                     (struct lx_regs){.rbx = nr, .r12 = AT, .r13 = len, .r14 = third});
    wait_call(g, nr);
    assert_int_equal(plat_map(g->t, uaddr(AT), 8192, 3, 0, -1, 0), 0);
    flush_ok(g);
    // The flush has brought it to its handler. Once more, to have the call held as it stands.
    struct lx_regs regs;
    assert_int_equal(plat_get_regs(g->t, &regs), 0);
    regs.rip -= 2;
    regs.rax = nr;
    assert_int_equal(plat_set_regs(g->t, &regs), 0);
    plat_resume(g->t);
    wait_call(g, nr);
    assert_int_equal(plat_copy_out(g->as, uaddr(AT), "kept", 4), 4);
}

static void answered(struct guest *g) {
    plat_answer(g->t, 0);
    wait_call(g, 1);
    assert_int_equal(g->ev.call.args[0], 0);
}

static void test_own_work(void **state) {
    struct guest g;
    char text[4];
    start_caller(&g, state, SYS_munmap, 4096, 0); // another place
    assert_int_equal(plat_unmap(g.t, uaddr(AT + 4096), 4096), 0);
    answered(&g);
    assert_true(is_there(&g, AT) && !is_there(&g, AT + 4096));
    guest_end(&g);
    start_caller(&g, state, SYS_munmap, 8192, 0); // less than it asks for
    assert_int_equal(plat_unmap(g.t, uaddr(AT), 4096), 0);
    answered(&g);
    assert_true(!is_there(&g, AT) && is_there(&g, AT + 4096));
    guest_end(&g);
    start_caller(&g, state, SYS_munmap, 4096, 0); // more
    assert_int_equal(plat_unmap(g.t, uaddr(AT), 8192), 0);
    answered(&g);
    assert_true(!is_there(&g, AT) && !is_there(&g, AT + 4096));
    guest_end(&g);
    start_caller(&g, state, SYS_madvise, 4096, LINUX_MADV_DONTNEED); // something milder
    assert_int_equal(plat_advise(g.t, uaddr(AT), 4096, LINUX_MADV_NORMAL), 0);
    answered(&g);
    assert_int_equal(plat_copy_in(g.as, text, uaddr(AT), 4), 4);
    assert_memory_equal(text, "kept", 4);
    guest_end(&g);
    start_caller(&g, state, SYS_madvise, 8192, LINUX_MADV_DONTNEED);  // in two pieces: as it stands
    assert_int_equal(plat_advise(g.t, uaddr(AT), 4096, LINUX_MADV_DONTNEED), 0);
    assert_int_equal(plat_advise(g.t, uaddr(AT + 4096), 4096, LINUX_MADV_DONTNEED), 0);
    answered(&g);
    assert_int_equal(plat_copy_in(g.as, text, uaddr(AT), 4), 4);
    assert_memory_equal(text, "\0\0\0\0", 4);
    guest_end(&g);
    start_caller(&g, state, SYS_madvise, 8192, LINUX_MADV_DONTNEED);  // with a hole
    assert_int_equal(plat_advise(g.t, uaddr(AT + 4096), 4096, LINUX_MADV_DONTNEED), 0);
    answered(&g);
    assert_int_equal(plat_copy_in(g.as, text, uaddr(AT), 4), 4);
    assert_memory_equal(text, "kept", 4);
    guest_end(&g);
    start_caller(&g, state, SYS_mprotect, 4096, LINUX_PROT_READ); // another call, with the same arguments
    assert_int_equal(plat_advise(g.t, uaddr(AT), 4096, LINUX_MADV_RANDOM), 0);
    answered(&g);
    assert_int_equal(plat_copy_out(g.as, uaddr(AT), "here", 4), 4);
    guest_end(&g);
}

// ---- Files in a stub --------------------------------------------------------------------------------------

static int secret_file(void) {
    int fd = memfd_create("of-another", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 4096), 0);
    return fd;
}

static bool has_file(const struct guest *g) {
    char path[64], target[64];
    snprintf(path, sizeof path, "/proc/%d/fd", plat_host_pid(g->t));
    DIR *d = opendir(path);
    assert_non_null(d);
    bool found = false;
    for (struct dirent *e; (e = readdir(d));) {
        ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        found = found || strstr(target, "of-another");
    }
    closedir(d);
    return found;
}

static void map_file(struct guest *g, int fd) {
    assert_int_equal(plat_map(g->t, uaddr(AT), 4096, LINUX_PROT_READ, 0, fd, 0), 0);
    flush_ok(g);
}

// What was mapped does not lie there for the maps of others that come later.
static void test_file_does_not_stay(void **state) {
    struct guest g;
    int fd = secret_file();
    guest_start(&g, *state, GUEST_AT(loop_context));
    wait_call(&g, 12);
    map_file(&g, fd);
    assert_int_equal(plat_protect(g.t, uaddr(AT), 4096, LINUX_PROT_NONE), 0);
    flush_ok(&g);
    assert_false(has_file(&g));
    guest_end(&g);
    close(fd);
}

static void clone_ok(struct guest *g, unsigned flags, struct guest *child) {
    *child = (struct guest){.p = g->p};
    assert_int_equal(plat_clone(g->t, flags, &child->t, &child->as), 0);
    plat_set_owner(child->t, child);
    flush_ok(g);
    plat_resume(child->t);
    wait_for(child, child);
    assert_int_equal(child->ev.call.nr, 12);
}

// A host thread that no clone of ours has made: it ends with its process.
static void test_unknown_thread(void **state) {
    struct guest g, thread = {.p = *state};
    struct lx_regs regs;
    if (!is_seccomp(state))
        skip();
    guest_start(&g, *state, GUEST_AT(loop_context));
    wait_call(&g, 12);
    assert_int_equal(plat_clone(g.t, PLAT_CLONE_VM | PLAT_CLONE_THREAD, &thread.t, &thread.as), 0);
    plat_set_owner(thread.t, &thread);
    flush_ok(&g);
    assert_int_equal(plat_get_regs(thread.t, &regs), 0);
    regs.rip = GUEST_AT(waiter);
    regs.rbx = SYS_getppid;
    assert_int_equal(plat_set_regs(thread.t, &regs), 0);
    plat_resume(thread.t);
    for (int i = 0; i < 1000 && !plat_host_tid(thread.t); i++)
        wait_some(&g);
    atomic_store(&sc_of(*state)->tids[plat_host_tid(thread.t)], NULL);
    let_it_call(&g);
    must_die(&g);
    guest_end(&thread);
    guest_end(&g);
}

// A thread that fetches from text under change tries again: while that lasts, once more when the page may
// have come back meanwhile, and all that anew with the next change. Then it is a fault.
static void test_hidden_text(void **state) {
    struct guest g;
    if (!is_seccomp(state))
        skip();
    guest_start(&g, *state, GUEST_AT(loop_context));
    wait_call(&g, 12);
    struct sc_thread *t = sc_thread_of(g.t);
    struct sc_as *as = sc_as_of(g.as);
    for (int patch = 0; patch < 3; patch++) {
        atomic_fetch_add(&as->patches, 1);
        atomic_store(&as->patcher, t);
        assert_true(sc_patch_hid(t, AT + 8) && sc_patch_hid(t, AT + 8));
        sc_patch_over(t);
        assert_true(sc_patch_hid(t, AT + 8));
        assert_false(sc_patch_hid(t, AT + 8));
    }
    guest_end(&g);
}

static void no_count(void *owner) {}

// It has been given back; it may be a thread of the pool's by now.
static bool is_gone(struct sc_thread *t) {
    LOCKED(&t->lock);
    return t->state == SC_FREE || !t->doomed;
}

// The owner's process comes to its end while it is asked.
static bool ends_meanwhile(void *owner, uint64_t at, struct plat_text *out) {
    struct guest *g = owner;
    struct sc_thread *t = sc_thread_of(g->t);
    guest_end(g);
    for (int i = 0; i < 100000 && !is_gone(t); i++)
        usleep(1000);
    assert_true(is_gone(t));
    *out = (struct plat_text){GUEST_CODE, GUEST_CODE + 4096, GUEST_CODE};
    return true;
}

// What was asked about is there until the answer is: nothing is read or written of memory that was given
// back.
static void test_end_while_asked(void **state) {
    const struct plat_guest_ops ops = {no_count, no_count, ends_meanwhile, NULL};
    struct platform *p = *state;
    struct guest g;
    if (!is_seccomp(state))
        skip();
    guest_start(&g, p, GUEST_AT(loop_context));
    wait_call(&g, 12);
    struct sc_thread *t = sc_thread_of(g.t);
    t->wish.hot_site = GUEST_CODE + 64;
    p->guest = &ops;
    sc_ask_guest(t);
    p->guest = NULL;
    assert_true(is_gone(t));
    LOCKED(&t->lock);
    assert_int_equal(t->queue.n, 0);
}

// Nor does a fork take along what another thread of its parent has there.
static void test_fork_has_no_files(void **state) {
    struct guest g, thread, child;
    int fd = secret_file();
    guest_start(&g, *state, GUEST_AT(loop_context));
    wait_call(&g, 12);
    clone_ok(&g, PLAT_CLONE_VM | PLAT_CLONE_THREAD, &thread);
    map_file(&thread, fd);
    clone_ok(&g, 0, &child);
    assert_false(has_file(&child));
    guest_end(&child);
    guest_end(&thread);
    guest_end(&g);
    close(fd);
}

// ---- Registers --------------------------------------------------------------------------------------------

static void test_kernel_addresses(void **state) {
    const uint64_t bad[] = {LINUX_TASK_SIZE, 1ull << 63, ~0ull, 0xffff888000000000};
    struct guest g;
    struct lx_regs regs, changed;
    guest_start(&g, *state, GUEST_AT(loop_context));
    wait_call(&g, 12);
    assert_int_equal(plat_get_regs(g.t, &regs), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        changed = regs;
        changed.rip = bad[i];
        assert_int_equal(plat_set_regs(g.t, &changed), -LINUX_EPERM);
        changed = regs;
        changed.fs_base = bad[i];
        assert_int_equal(plat_set_regs(g.t, &changed), -LINUX_EPERM);
        changed = regs;
        changed.gs_base = bad[i];
        assert_int_equal(plat_set_regs(g.t, &changed), -LINUX_EPERM);
    }
    guest_end(&g);
}

// Segments are nobody's to set: with other ones a thread would run 32-bit code, or with other descriptors.
static void test_segments(void **state) {
    struct guest g;
    struct lx_regs regs;
    guest_start(&g, *state, GUEST_AT(loop_context));
    wait_call(&g, 12);
    assert_int_equal(plat_get_regs(g.t, &regs), 0);
    regs.rip = GUEST_AT(segments);
    regs.cs = 0x23;
    regs.ss = regs.ds = regs.es = regs.fs = regs.gs = 0x2b;
    assert_int_equal(plat_set_regs(g.t, &regs), 0);
    plat_resume(g.t);
    wait_call(&g, 1);
    assert_int_equal(g.ev.call.args[0], 0x33);
    assert_int_equal(g.ev.call.args[1], 0x2b);
    for (int i = 2; i < 6; i++)
        assert_int_equal(g.ev.call.args[i], 0);
    guest_end(&g);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        platform_test(test_event_instead_of_work),
        platform_test(test_call_instead_of_work),
        platform_test(test_beside_the_gate),
        platform_test(test_unknown_thread),
        platform_test(test_end_while_asked),
        platform_test(test_own_work),
        platform_test(test_file_does_not_stay),
        platform_test(test_fork_has_no_files),
        platform_test(test_hidden_text),
        platform_test(test_kernel_addresses),
        platform_test(test_segments),
    };
    alarm(550);
    return run_backends_afresh("platform refuses", tests, sizeof tests / sizeof *tests);
}
