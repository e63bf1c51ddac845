// SPDX-License-Identifier: Apache-2.0
// The conformance test of platform/platform.h: small guest programs in machine code, the same for every
// backend. Backends that do not work on this host are skipped, with their reason.
#include "abi/errno.h"
#include "abi/mman.h"
#include "abi/signal.h"
#include "abi/x86_64/sigframe.h"
#include "platform/backend.h"
#include "tests/unit/platform_guest.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// ---- Guest programs
// ------------------------------------------------------------------------------------------------ r15 is the
// data page. A program says what it has found through write(rdi, rsi, rdx), which is never carried out.

GUEST(calls, "mov $110, %eax\n syscall\n mov %rax, %rdi\n mov $1, %eax\n syscall\n"
             "mov $7, %ebx\n mov $12, %eax\n mov $0x1234, %edi\n syscall\n mov %rax, %rdi\n mov %rbx, %rsi\n"
             "mov $1, %eax\n syscall\n"
             "mov $-1, %rax\n syscall\n mov $600, %eax\n syscall\n 1: jmp 1b\n");
GUEST(touch, "mov $0x40000000, %ecx\n movl $5, (%rcx)\n mov (%rcx), %edi\n mov $1, %eax\n syscall\n ud2\n");
GUEST(spin, "1: inc %rbx\n jmp 1b\n movq $77, %rdi\n mov $1, %eax\n syscall\n 2: jmp 2b\n");
GUEST(forker,
      "movl $1, (%r15)\n mov $57, %eax\n syscall\n mov %rax, %rdi\n add %eax, (%r15)\n mov (%r15), %esi\n"
      "mov $1, %eax\n syscall\n 1: jmp 1b\n");
GUEST(threads,
      "mov $56, %eax\n syscall\n mov %rax, %rdi\n mov %fs:0, %rsi\n lock incl (%r15)\n mov (%r15), %edx\n"
      "mov $1, %eax\n syscall\n mov $60, %eax\n syscall\n ud2\n");
GUEST(vector,
      "movdqu (%r15), %xmm5\n mov $12, %eax\n syscall\n movdqu %xmm5, 16(%r15)\n mov $1, %eax\n syscall\n"
      "1: jmp 1b\n");
GUEST(foreign,
      "mov $20, %eax\n mov $11, %ebx\n int $0x80\n mov $0x4000006e, %eax\n mov $3, %edi\n syscall\n"
      "mov $0xffffffffff600000, %rax\n mov $9, %rdi\n call *%rax\n mov $1, %eax\n syscall\n 1: jmp 1b\n");
GUEST(odd_flags, "pushfq\n orl $0x40000, (%rsp)\n popfq\n mov $12, %eax\n syscall\n pushfq\n pop %rdi\n"
                 "mov $1, %eax\n syscall\n andl $~0x40000, -8(%rsp)\n sub $8, %rsp\n popfq\n"
                 "xor %edi, %edi\n mov $12, %eax\n syscall\n 1: jmp 1b\n");
GUEST(unmapper,
      "mov $0x40000000, %edi\n mov $8000, %esi\n mov $11, %eax\n syscall\n mov $11, %eax\n syscall\n"
      "mov %rax, %rdi\n mov $1, %eax\n syscall\n");
GUEST(changer,
      "mov $0x40000000, %edi\n mov $8000, %esi\n mov $1, %edx\n mov $10, %eax\n syscall\n mov %rax, %r12\n"
      "mov $0x40000000, %edi\n mov $4, %edx\n mov $28, %eax\n syscall\n mov %rax, %r13\n"
      "mov $0x40000000, %edi\n mov $8, %edx\n mov $10, %eax\n syscall\n"
      "mov %r12, %rdi\n mov %r13, %rsi\n mov %rax, %rdx\n mov $1, %eax\n syscall\n");
GUEST(
    mapper,
    "1: xor %edi, %edi\n mov $5000, %esi\n mov $3, %edx\n mov $0x22, %r10d\n mov $-1, %r8\n xor %r9d, %r9d\n"
    "mov $9, %eax\n syscall\n movl $1, (%rax)\n mov %rax, %rdi\n mov $1, %eax\n syscall\n jmp 1b\n");
GUEST(jump, "jmp *%rbx\n");
GUEST(scribble, "mov %rbx, %rdi\n mov %rdx, %rcx\n mov $0x4141414141414141, %rax\n cld\n rep stosq\n"
                "mov $12, %eax\n syscall\n mov $1, %eax\n syscall\n 1: jmp 1b\n");
GUEST(count, "1: inc %edi\n mov $110, %eax\n syscall\n jmp 1b\n");
GUEST(
    scribbler,
    "1: imul $1664525, %r12, %r12\n add $1013904223, %r12\n mov %r12, %rax\n shr $16, %rax\n"
    "and %rdx, %rax\n mov %r12, %rcx\n shr $33, %rcx\n and %r13, %rcx\n mov %rcx, (%rbx,%rax,8)\n jmp 1b\n");
GUEST(loop_value, "1: mov $110, %eax\n syscall\n jmp 1b\n");
GUEST(loop_context, "1: mov $12, %eax\n syscall\n jmp 1b\n");

// ---- Calls, registers
// ----------------------------------------------------------------------------------------------

static void test_calls(void **state) {
    struct guest g;
    struct lx_regs regs;
    guest_start(&g, *state, GUEST_AT(calls));
    wait_call(&g, 110);
    assert_ptr_equal(g.ev.owner, &g);
    plat_answer(g.t, 42);
    wait_call(&g, 1);
    assert_int_equal(g.ev.call.args[0], 42);
    plat_answer(g.t, 0);
    wait_call(&g, 12);
    assert_true(g.ev.context);
    assert_int_equal(g.ev.call.args[0], 0x1234);
    assert_int_equal(plat_get_regs(g.t, &regs), 0);
    assert_int_equal(regs.orig_rax, 12);
    assert_int_equal(regs.rbx, 7);
    assert_int_equal(regs.rdi, 0x1234);
    assert_int_equal(regs.r15, GUEST_DATA);
    regs.rbx = 0x123456789abcdef;
    assert_int_equal(plat_set_regs(g.t, &regs), 0);
    plat_answer(g.t, INT64_MIN + 5);
    wait_call(&g, 1);
    assert_true((int64_t)g.ev.call.args[0] == INT64_MIN + 5);
    assert_int_equal(g.ev.call.args[1], 0x123456789abcdef);
    plat_answer(g.t, 0);
    wait_event(&g);
    assert_int_equal(g.ev.kind, PLAT_SYSCALL);
    assert_int_equal((int32_t)g.ev.call.nr, -1);
    plat_answer(g.t, -LINUX_ENOSYS);
    wait_call(&g, 600);
    regs.rip = 1ull << 63;
    assert_int_equal(plat_set_regs(g.t, &regs), -LINUX_EPERM);
    guest_end(&g);
}

static void test_answers_with_context(void **state) {
    static const int64_t values[] = {0,
                                     1,
                                     -1,
                                     -4095,
                                     4096,
                                     INT64_MAX,
                                     INT64_MIN,
                                     1ll << 60,
                                     (1ll << 60) - 1,
                                     -(1ll << 60),
                                     -(1ll << 60) - 1};
    struct guest g;
    guest_start(&g, *state, GUEST_AT(loop_context));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct lx_regs regs;
        wait_call(&g, 12);
        plat_answer(g.t, values[i]);
        wait_call(&g, 12);
        assert_int_equal(plat_get_regs(g.t, &regs), 0);
        assert_int_equal(regs.orig_rax, 12);
        plat_interrupt(g.t);
        plat_answer(g.t, values[i]);
        wait_event(&g);
        assert_int_equal(g.ev.kind, PLAT_INTERRUPT);
        assert_int_equal(plat_get_regs(g.t, &regs), 0);
        assert_true((int64_t)regs.rax == values[i]);
        plat_resume(g.t);
    }
    guest_end(&g);
}

static void test_foreign(void **state) {
    struct guest g;
    guest_start(&g, *state, GUEST_AT(foreign));
    wait_event(&g);
    assert_int_equal(g.ev.kind, PLAT_SYSCALL);
    assert_true(g.ev.call.foreign);
    assert_int_equal(g.ev.call.nr, 20);
    plat_answer(g.t, -LINUX_ENOSYS);
    wait_event(&g);
    assert_int_equal(g.ev.kind, PLAT_SYSCALL);
    assert_false(g.ev.call.foreign);
    assert_int_equal(g.ev.call.nr, 0x4000006e);
    assert_int_equal(g.ev.call.args[0], 3);
    plat_answer(g.t, -LINUX_ENOSYS);
    wait_event(&g); // a host without vsyscalls makes it a fault
    if (g.ev.kind == PLAT_SYSCALL)
        assert_true(g.ev.call.foreign);
    else
        assert_int_equal(g.ev.kind, PLAT_FAULT);
    guest_end(&g);
}

static void test_alignment_check_flag(void **state) {
    struct guest g;
    guest_start(&g, *state, GUEST_AT(odd_flags));
    wait_call(&g, 12);
    plat_answer(g.t, 0);
    wait_call(&g, 1);
    assert_true(g.ev.call.args[0] & 0x40000);
    plat_answer(g.t, 0);
    wait_call(&g, 12);
    guest_end(&g);
}

static void test_fpstate(void **state) {
    struct guest g;
    char image[16384];
    uint8_t in[16], out[16];
    guest_start(&g, *state, GUEST_AT(vector));
    memset(in, 0x5a, sizeof in);
    wait_call(&g, 12); // the first time around the data page is zero
    int64_t len = plat_get_fpstate(g.t, image, sizeof image);
    assert_true(len >= 576);
    assert_int_equal(len, plat_layout(g.p)->fpstate_size);
    struct linux_xstate *x = (struct linux_xstate *)image;
    memcpy(&x->fpstate.xmm_space[5 * 4], in, sizeof in);
    x->header.xfeatures |= LINUX_XFEATURE_SSE;
    assert_int_equal(plat_set_fpstate(g.t, image, (size_t)len), 0);
    x->fpstate.mxcsr |= 0x80000000u;
    assert_int_equal(plat_set_fpstate(g.t, image, (size_t)len), -LINUX_EINVAL);
    x->fpstate.mxcsr = LINUX_MXCSR_INIT;
    x->header.xcomp_bv = 1ull << 63;
    assert_int_equal(plat_set_fpstate(g.t, image, (size_t)len), -LINUX_EINVAL);
    x->header.xcomp_bv = 0;
    x->header.xfeatures |= 1ull << 62;
    assert_int_equal(plat_set_fpstate(g.t, image, (size_t)len), -LINUX_EINVAL);
    assert_int_equal(plat_set_fpstate(g.t, image, 100), -LINUX_EINVAL);
    plat_answer(g.t, 0);
    wait_call(&g, 1);
    assert_int_equal(plat_copy_in(g.as, out, uaddr(GUEST_DATA + 16), sizeof out), sizeof out);
    assert_memory_equal(in, out, sizeof in);
    guest_end(&g);
}

// ---- Memory
// --------------------------------------------------------------------------------------------------------

static void test_fault(void **state) {
    struct guest g;
    uint32_t word = 0;
    guest_start(&g, *state, GUEST_AT(touch));
    wait_event(&g);
    assert_int_equal(g.ev.kind, PLAT_FAULT);
    assert_int_equal(g.ev.fault.signo, LINUX_SIGSEGV);
    assert_int_equal(g.ev.fault.addr, 0x40000000);
    assert_int_equal(g.ev.fault.trapno, 14);
    assert_true(g.ev.fault.error_code & 4); // ptrace does not tell the rest
    assert_int_equal(plat_map(g.t, uaddr(0x40000000), 4096, 3, 0, -1, 0), 0);
    plat_resume(g.t);
    wait_call(&g, 1);
    assert_int_equal(g.ev.call.args[0], 5);
    assert_int_equal(plat_copy_in(g.as, &word, uaddr(0x40000000), 4), 4);
    assert_int_equal(word, 5);
    plat_answer(g.t, 0);
    wait_event(&g);
    assert_int_equal(g.ev.kind, PLAT_FAULT);
    assert_int_equal(g.ev.fault.signo, LINUX_SIGILL);
    guest_end(&g);
}

static void flush_ok(struct guest *g) {
    plat_flush(g->t);
    wait_event(g);
    assert_int_equal(g->ev.kind, PLAT_OPS_DONE);
    assert_int_equal(g->ev.result, 0);
}

static void test_mappings(void **state) {
    struct guest g;
    char buf[64] = "";
    int fd = memfd_create("two pages", MFD_CLOEXEC);
    assert_int_equal(pwrite(fd, "first", 5, 0) + pwrite(fd, "second", 6, 4096), 11);
    guest_start(&g, *state, GUEST_AT(loop_context));
    wait_call(&g, 12);
    assert_int_equal(plat_map(g.t, uaddr(0x40000000), 8192, 3, PLAT_SHARED, fd, 0), 0);
    assert_int_equal(plat_map(g.t, uaddr(0x50000000), 4096, 1, 0, fd, 4096), 0);
    assert_int_equal(plat_map(g.t, uaddr(0x60000000), 1 << 20, 3, PLAT_NORESERVE, -1, 0), 0);
    flush_ok(&g);
    assert_int_equal(plat_copy_in(g.as, buf, uaddr(0x50000000), 6), 6);
    assert_string_equal(buf, "second");
    assert_int_equal(plat_copy_out(g.as, uaddr(0x40001000), "SHARED", 6), 6);
    assert_int_equal(pread(fd, buf, 6, 4096), 6);
    assert_string_equal(buf, "SHARED");
    // Protection holds for copies too; a copy is short where the next page refuses.
    assert_int_equal(plat_copy_out(g.as, uaddr(0x50000000), "x", 1), -LINUX_EFAULT);
    assert_int_equal(plat_copy_in(g.as, buf, uaddr(0x40002000), 1), -LINUX_EFAULT);
    assert_int_equal(plat_copy_in(g.as, buf, uaddr(0x40001ff0), 64), 16);
    // Moving, shrinking, growing in place, discarding, protecting, unmapping; in one batch.
    assert_int_equal(plat_remap(g.t, uaddr(0x40000000), 8192, uaddr(0x41000000), 8192), 0);
    assert_int_equal(plat_remap(g.t, uaddr(0x60000000), 1 << 20, uaddr(0x60000000), 4096), 0);
    assert_int_equal(plat_protect(g.t, uaddr(0x41001000), 4096, 0), 0);
    flush_ok(&g);
    assert_int_equal(plat_copy_in(g.as, buf, uaddr(0x41000000), 5), 5);
    assert_memory_equal(buf, "first", 5);
    assert_int_equal(plat_copy_in(g.as, buf, uaddr(0x40000000), 5), -LINUX_EFAULT);
    assert_int_equal(plat_copy_in(g.as, buf, uaddr(0x60001000), 5), -LINUX_EFAULT);
    assert_int_equal(plat_copy_out(g.as, uaddr(0x60000000), "gone", 4), 4);
    assert_int_equal(plat_advise(g.t, uaddr(0x60000000), 4096, LINUX_MADV_DONTNEED), 0);
    assert_int_equal(plat_unmap(g.t, uaddr(0x50000000), 4096), 0);
    flush_ok(&g);
    assert_int_equal(plat_copy_in(g.as, buf, uaddr(0x60000000), 4), 4);
    assert_memory_equal(buf, "\0\0\0\0", 4);
    // A failure is told, and what was queued behind it is dropped.
    assert_int_equal(plat_remap(g.t, uaddr(0x70000000), 4096, uaddr(0x71000000), 4096), 0);
    assert_int_equal(plat_unmap(g.t, uaddr(0x60000000), 4096), 0);
    plat_answer(g.t, 3);
    wait_event(&g);
    assert_int_equal(g.ev.kind, PLAT_OPS_DONE);
    assert_int_equal(g.ev.result, -LINUX_EFAULT);
    assert_int_equal(plat_copy_in(g.as, buf, uaddr(0x60000000), 4), 4);
    plat_answer(g.t, 3);
    wait_call(&g, 12);
    guest_end(&g);
    close(fd);
}

static pthread_t waiter;
static _Atomic int files_mapped;

static void *interrupts_waiter(void *unused) {
    while (!atomic_load(&files_mapped)) {
        pthread_kill(waiter, PLAT_KICK_SIGNAL);
        for (volatile int i = 0; i < 4000; i++)
            ;
    }
    return NULL;
}

// A file on its way into the stub, and the word that goes with it, while the sentry's thread is interrupted,
// as it is by kicks, and when it is stopped, frozen or traced.
static void test_files_while_interrupted(void **state) {
    struct guest g;
    pthread_t other;
    char c;
    int fd = memfd_create("pages", MFD_CLOEXEC);
    assert_true(fd >= 0 && ftruncate(fd, 8192) == 0 && pwrite(fd, "01", 2, 4095) == 2);
    waiter = pthread_self();
    atomic_store(&files_mapped, 0);
    guest_start(&g, *state, GUEST_AT(loop_context));
    wait_call(&g, 12);
    assert_int_equal(pthread_create(&other, NULL, interrupts_waiter, NULL), 0);
    for (unsigned i = 0; i < 3000; i++) {
        uint64_t off = i % 2 * 4096;
        assert_int_equal(plat_map(g.t, uaddr(0x50000000), 4096, 1, 0, fd, off), 0);
        if (i % 3 == 0)  // not the first of its batch
            assert_int_equal(plat_map(g.t, uaddr(0x50002000), 4096, 1, 0, fd, off), 0);
        if (i % 5) {
            flush_ok(&g);
        } else {
            plat_answer(g.t, 3);
            wait_call(&g, 12);
        }
        assert_int_equal(plat_copy_in(g.as, &c, uaddr(0x50000fff), 1), 1);
        assert_int_equal(c, off ? 0 : '0');
    }
    atomic_store(&files_mapped, 1);
    pthread_join(other, NULL);
    guest_end(&g);
    close(fd);
}

// What the host refuses to map leaves nothing in its place, also not what was there before.
static void test_refused_map(void **state) {
    struct guest g;
    char c;
    int fd = memfd_create("two pages", MFD_CLOEXEC), none[2];
    assert_true(fd >= 0 && ftruncate(fd, 8192) == 0 && pipe2(none, O_CLOEXEC) == 0);
    guest_start(&g, *state, GUEST_AT(loop_context));
    for (int i = 0; i < 6; i++) {
        wait_call(&g, 12);
        assert_int_equal(plat_map(g.t, uaddr(0x50000000), 8192, 3, PLAT_SHARED, fd, 0), 0);
        flush_ok(&g);
        assert_int_equal(plat_copy_in(g.as, &c, uaddr(0x50000000), 1), 1);
        if (i >= 4) // not the first of its batch
            assert_int_equal(plat_protect(g.t, uaddr(0x50001000), 4096, 1), 0);
        // a pipe
        assert_int_equal(plat_map(g.t, uaddr(0x50000000), 4096, i % 2 ? 1 : 3, PLAT_SHARED, none[0], 0), 0);
        if (i >= 2) { // and what is queued behind it is not done
            assert_int_equal(plat_unmap(g.t, uaddr(0x50001000), 4096), 0);
            assert_int_equal(plat_map(g.t, uaddr(0x40000000), 4096, 3, 0, -1, 0), 0);
        }
        if (i % 2)
            plat_flush(g.t);
        else
            plat_answer(g.t, 3);
        wait_event(&g);
        assert_int_equal(g.ev.kind, PLAT_OPS_DONE);
        assert_int_equal(g.ev.result, i % 2 ? -LINUX_ENODEV : -LINUX_EACCES);
        assert_int_equal(plat_copy_in(g.as, &c, uaddr(0x50000000), 1), -LINUX_EFAULT);
        assert_int_equal(plat_copy_in(g.as, &c, uaddr(0x40000000), 1), -LINUX_EFAULT);
        assert_int_equal(plat_copy_in(g.as, &c, uaddr(0x50001000), 1), 1);
        plat_answer(g.t, 0);
    }
    wait_call(&g, 12);
    guest_end(&g);
    close(fd);
    close(none[0]);
    close(none[1]);
}

static void test_many_ops(void **state) {
    struct guest g;
    char c;
    guest_start(&g, *state, GUEST_AT(loop_context));
    wait_call(&g, 12);
    for (uint64_t i = 0; i < 200; i++)
        assert_int_equal(plat_map(g.t, uaddr(0x40000000 + i * 8192), 4096, 3, 0, -1, 0), 0);
    plat_answer(g.t, 0);
    wait_call(&g, 12);
    assert_int_equal(plat_copy_in(g.as, &c, uaddr(0x40000000 + 199 * 8192), 1), 1);
    guest_end(&g);
}

// Work on a thread that is held without context.
static void test_work_on_plain_call(void **state) {
    struct guest g;
    struct lx_regs regs;
    char c;
    guest_start(&g, *state, GUEST_AT(calls));
    wait_call(&g, 110);
    assert_int_equal(plat_map(g.t, uaddr(0x40000000), 4096, 3, 0, guest_image(), 0), 0);
    assert_int_equal(plat_map(g.t, uaddr(0x40002000), 4096, 3, 0, -1, 0), 0);
    plat_answer(g.t, 42);
    wait_call(&g, 1);
    assert_int_equal(g.ev.call.args[0], 42);
    assert_int_equal(plat_copy_in(g.as, &c, uaddr(0x40002000), 1), 1);
    // With a flush, after which the thread has its registers at hand; and an interrupt that is not lost.
    assert_int_equal(plat_unmap(g.t, uaddr(0x40000000), 4096), 0);
    plat_interrupt(g.t);
    plat_flush(g.t);
    wait_event(&g);
    assert_int_equal(g.ev.kind, PLAT_OPS_DONE);
    assert_int_equal(g.ev.result, 0);
    assert_int_equal(plat_copy_in(g.as, &c, uaddr(0x40000000), 1), -LINUX_EFAULT);
    assert_int_equal(plat_get_regs(g.t, &regs), 0);
    assert_int_equal(regs.orig_rax, 1);
    plat_answer(g.t, 43);
    wait_event(&g);
    assert_int_equal(g.ev.kind, PLAT_INTERRUPT);
    assert_int_equal(plat_get_regs(g.t, &regs), 0);
    assert_int_equal(regs.rax, 43);
    plat_resume(g.t);
    wait_call(&g, 12);
    guest_end(&g);
    // The unmapping that the held call itself asks for.
    guest_start(&g, *state, GUEST_AT(unmapper));
    wait_call(&g, 11);
    assert_int_equal(plat_map(g.t, uaddr(0x40000000), 3 * 4096, 3, 0, -1, 0), 0);
    plat_flush(g.t);
    wait_event(&g);
    assert_int_equal(g.ev.kind, PLAT_OPS_DONE);
    plat_answer(g.t, 0);
    wait_call(&g, 11);
    assert_int_equal(plat_copy_in(g.as, &c, uaddr(0x40001000), 1), 1);
    assert_int_equal(plat_unmap(g.t, uaddr(0x40000000), 8192), 0);
    plat_answer(g.t, 0);
    wait_call(&g, 1);
    assert_int_equal(g.ev.call.args[0], 0);
    assert_int_equal(plat_copy_in(g.as, &c, uaddr(0x40001000), 1), -LINUX_EFAULT);
    assert_int_equal(plat_copy_in(g.as, &c, uaddr(0x40002000), 1), 1);
    guest_end(&g);
}

// Changes that the held call itself asks for, and one that it does not.
static void test_own_changes(void **state) {
    const uint64_t at = 0x40000000;
    struct guest g;
    char c = 7;
    guest_start(&g, *state, GUEST_AT(changer));
    wait_call(&g, 10);
    assert_int_equal(plat_map(g.t, uaddr(at), 3 * 4096, 3, 0, -1, 0), 0);
    plat_flush(g.t);
    wait_event(&g);
    assert_int_equal(g.ev.kind, PLAT_OPS_DONE);
    assert_int_equal(plat_copy_out(g.as, uaddr(at + 4096), &c, 1), 1);
    assert_int_equal(plat_copy_out(g.as, uaddr(at + 8192), &c, 1), 1);
    plat_answer(g.t, 0);
    wait_call(&g, 28);
    assert_int_equal(plat_advise(g.t, uaddr(at), 8192, LINUX_MADV_DONTNEED), 0);
    plat_answer(g.t, 0);
    wait_call(&g, 10);
    assert_int_equal(plat_copy_in(g.as, &c, uaddr(at + 4096), 1), 1);
    assert_int_equal(c, 0);
    assert_int_equal(plat_copy_in(g.as, &c, uaddr(at + 8192), 1), 1);
    assert_int_equal(c, 7);
    assert_int_equal(plat_protect(g.t, uaddr(at), 8192, 1), 0); // the guest has asked for another one
    plat_answer(g.t, 0);
    wait_call(&g, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(g.ev.call.args[i], 0);
    assert_int_equal(plat_copy_out(g.as, uaddr(at + 4096), &c, 1), -LINUX_EFAULT);
    assert_int_equal(plat_copy_out(g.as, uaddr(at + 8192), &c, 1), 1);
    guest_end(&g);
    guest_start(&g, *state, GUEST_AT(changer));
    wait_call(&g, 10);
    assert_int_equal(plat_map(g.t, uaddr(at), 8192, 3, 0, -1, 0), 0);
    plat_flush(g.t);
    wait_event(&g);
    plat_answer(g.t, 0);
    wait_call(&g, 28);
    plat_answer(g.t, 0);
    wait_call(&g, 10);
    guest_end(&g);
}

// Private anonymous memory without a place, as asked for by `mapper`; mapped where the stub proposes it, or
// else at `at`.
static uint64_t give_memory(struct guest *g, uint64_t at, bool flush) {
    wait_call(g, 9);
    assert_true(g->ev.context);
    assert_int_equal(g->ev.call.args[0], 0);
    assert_true(g->ev.call.args[1] == 5000 || g->ev.call.args[1] == 8192);
    assert_int_equal(g->ev.call.args[3], 0x22);
    if (g->ev.call.proposal && !at)
        at = g->ev.call.proposal;
    assert_int_equal(plat_map(g->t, uaddr(at), 8192, 3, PLAT_NORESERVE, -1, 0), 0);
    if (flush) {
        plat_flush(g->t);
        wait_event(g);
        assert_int_equal(g->ev.kind, PLAT_OPS_DONE);
        assert_int_equal(g->ev.result, 0);
    }
    plat_answer(g->t, (int64_t)at);
    wait_call(g, 1); // the guest has written there
    assert_true(g->ev.call.args[0] == at);
    plat_answer(g->t, 0);
    return at;
}

static void test_proposals(void **state) {
    const uint64_t at = 0x50000000;
    struct guest g;
    struct lx_regs regs;
    guest_start(&g, *state, GUEST_AT(mapper));
    give_memory(&g, at, false);
    uint64_t next = give_memory(&g, strcmp(plat_name(g.p), "seccomp") ? at - 8192 : 0, false);
    assert_int_equal(next, at - 8192);
    give_memory(&g, 0x60000000, false); // not where it was proposed
    give_memory(&g, 0x60000000 - 16384, true);
    wait_call(&g, 9); // an error
    plat_interrupt(g.t);
    plat_answer(g.t, -LINUX_ENOMEM);
    wait_event_but(&g, PLAT_INTERRUPT); // whichever way: the guest's write fails, after the interrupt
    assert_int_equal(g.ev.kind, PLAT_FAULT);
    assert_true((int64_t)g.ev.fault.addr == -LINUX_ENOMEM || g.ev.fault.addr == 0);
    assert_int_equal(plat_get_regs(g.t, &regs), 0);
    assert_true((int64_t)regs.rax == -LINUX_ENOMEM);
    regs.rip = GUEST_AT(mapper);
    assert_int_equal(plat_set_regs(g.t, &regs), 0);
    plat_resume(g.t);
    wait_call(&g, 9); // the registers are there, and can be changed
    assert_int_equal(plat_get_regs(g.t, &regs), 0);
    assert_int_equal(regs.orig_rax, 9);
    assert_int_equal(regs.rsi, 5000);
    regs.rip = GUEST_AT(loop_value);
    assert_int_equal(plat_set_regs(g.t, &regs), 0);
    plat_resume(g.t);
    wait_call(&g, 110);
    guest_end(&g);
}

static void test_bad_ranges(void **state) {
    struct guest g;
    const struct plat_layout *l = plat_layout(*state);
    char c;
    guest_start(&g, *state, GUEST_AT(loop_context));
    wait_call(&g, 12);
    assert_int_equal(plat_map(g.t, uaddr(0x40000001), 4096, 3, 0, -1, 0), -LINUX_EINVAL);
    assert_int_equal(plat_map(g.t, uaddr(0x40000000), 0, 3, 0, -1, 0), -LINUX_EINVAL);
    assert_int_equal(plat_map(g.t, uaddr(0x40000000), 4096, 0x1003, 0, -1, 0), -LINUX_EINVAL);
    assert_int_equal(plat_unmap(g.t, uaddr(l->hi), 4096), -LINUX_EINVAL);
    assert_int_equal(plat_unmap(g.t, uaddr(4096), ~4095ull), -LINUX_EINVAL);
    assert_int_equal(plat_unmap(g.t, uaddr(0), 4096), -LINUX_EINVAL);
    assert_int_equal(plat_advise(g.t, uaddr(0x40000000), 4096, 100), -LINUX_EINVAL);
    assert_true(l->nreserved > 0);
    for (unsigned i = 0; i < l->nreserved; i++) {
        const struct plat_range *r = &l->reserved[i];
        assert_int_equal(plat_unmap(g.t, uaddr(r->start), 4096), -LINUX_EINVAL);
        assert_int_equal(plat_unmap(g.t, uaddr(r->end - 4096), 8192), -LINUX_EINVAL);
        assert_int_equal(plat_protect(g.t, uaddr(r->start - 4096), 8192, 7), -LINUX_EINVAL);
        assert_int_equal(plat_remap(g.t, uaddr(GUEST_DATA), 4096, uaddr(r->start), 4096), -LINUX_EINVAL);
        if (!r->name) {
            assert_int_equal(plat_copy_in(g.as, &c, uaddr(r->start), 1), -LINUX_EFAULT);
            assert_int_equal(plat_copy_out(g.as, uaddr(r->end - 1), &c, 1), -LINUX_EFAULT);
        }
    }
    assert_int_equal(plat_copy_in(g.as, &c, uaddr(~0ull), 1), -LINUX_EFAULT);
    assert_int_equal(plat_copy_in(g.as, &c, uaddr(0xffffffff80000000), 1), -LINUX_EFAULT);
    guest_end(&g);
}

static void test_words(void **state) {
    struct guest g;
    uint32_t old = 0;
    guest_start(&g, *state, GUEST_AT(loop_context));
    wait_call(&g, 12);
    assert_int_equal(plat_cmpxchg32(g.as, uaddr(GUEST_DATA), 0, 9, &old), 0);
    assert_int_equal(old, 0);
    assert_int_equal(plat_cmpxchg32(g.as, uaddr(GUEST_DATA), 0, 11, &old), 0);
    assert_int_equal(old, 9);
    assert_int_equal(plat_cmpxchg32(g.as, uaddr(GUEST_DATA + 2), 0, 11, &old), -LINUX_EFAULT);
    assert_int_equal(plat_cmpxchg32(g.as, uaddr(0x70000000), 0, 11, &old), -LINUX_EFAULT);
    guest_end(&g);
}

// The guest has the vDSO and nothing else that it was not given.
static void test_clean_memory(void **state) {
    struct guest g;
    const struct plat_layout *l = plat_layout(*state);
    char path[64], line[512], elf[4] = "";
    guest_start(&g, *state, GUEST_AT(loop_context));
    wait_call(&g, 12);
    if (l->vdso) {
        assert_int_equal(plat_copy_in(g.as, elf, uaddr(l->vdso), 4), 4);
        assert_memory_equal(elf, "\177ELF", 4);
    }
    snprintf(path, sizeof path, "/proc/%d/maps", plat_host_pid(g.t));
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        uint64_t start, end;
        bool known = false;
        assert_int_equal(sscanf(line, "%lx-%lx", &start, &end), 2);
        for (unsigned i = 0; i < l->nreserved; i++)
            known = known || (start >= l->reserved[i].start && end <= l->reserved[i].end);
        known = known || start == GUEST_CODE || start == GUEST_DATA || start == GUEST_STACK ||
                strstr(line, "vsyscall");
        if (!known)
            fail_msg("left in the guest: %s", line);
    }
    fclose(f);
    snprintf(path, sizeof path, "/proc/%d/fd/0", plat_host_pid(g.t));
    if (strcmp(plat_name(*state), "seccomp") ==
        0) // under ptrace there is the channel that files come through
        assert_int_not_equal(access(path, F_OK), 0);
    guest_end(&g);
}

// ---- Interrupts
// ----------------------------------------------------------------------------------------------------

static void test_interrupt(void **state) {
    struct guest g;
    struct lx_regs regs;
    guest_start(&g, *state, GUEST_AT(spin));
    for (int i = 0; i < 20; i++) {
        usleep(200);
        plat_interrupt(g.t);
        plat_interrupt(g.t);
        wait_event(&g);
        while (g.ev.kind == PLAT_INTERRUPT && i % 2 && plat_get_regs(g.t, &regs) == 0 && regs.rbx == 0) {
            plat_resume(g.t); // it has not run yet; the two requests may have been one event
            usleep(200);
            plat_interrupt(g.t);
            wait_event(&g);
        }
        assert_int_equal(g.ev.kind, PLAT_INTERRUPT);
        assert_true(g.ev.context);
        assert_int_equal(plat_get_regs(g.t, &regs), 0);
        assert_in_range(regs.rip, GUEST_AT(spin), GUEST_AT(spin) + 8);
        plat_resume(g.t);
    }
    plat_interrupt(g.t);
    wait_event(&g);
    regs.rip = GUEST_AT(spin) + 5; // behind the loop
    assert_int_equal(plat_set_regs(g.t, &regs), 0);
    plat_resume(g.t);
    wait_event_but(&g, PLAT_INTERRUPT);
    assert_int_equal(g.ev.kind, PLAT_SYSCALL);
    assert_int_equal(g.ev.call.args[0], 77);
    // A thread held in a plain call: the interrupt comes after the answer, which is not lost.
    plat_interrupt(g.t);
    plat_answer(g.t, 1234);
    wait_event(&g);
    assert_int_equal(g.ev.kind, PLAT_INTERRUPT);
    assert_int_equal(plat_get_regs(g.t, &regs), 0);
    assert_int_equal(regs.rax, 1234);
    guest_end(&g);
}

// Interrupts that race with calls: none of the calls is lost, or made twice.
static void test_interrupt_race(void **state) {
    struct guest g;
    struct lx_regs regs;
    unsigned calls = 0, interrupts = 0;
    guest_start(&g, *state, GUEST_AT(count));
    for (int i = 0; i < 2000; i++) {
        wait_event(&g);
        if (g.ev.kind == PLAT_SYSCALL) {
            assert_int_equal(g.ev.call.nr, 110);
            assert_int_equal(g.ev.call.args[0], ++calls);
            if (i % 3 == 0)
                plat_interrupt(g.t);
            plat_answer(g.t, 0);
            if (i % 3 == 1)
                plat_interrupt(g.t);
        } else {
            assert_int_equal(g.ev.kind, PLAT_INTERRUPT);
            assert_int_equal(plat_get_regs(g.t, &regs), 0);
            interrupts++;
            plat_resume(g.t);
        }
    }
    assert_true(interrupts > 100);
    guest_end(&g);
}

// ---- Threads and processes
// -----------------------------------------------------------------------------------------

static void clone_ok(struct guest *g, unsigned flags, struct guest *child) {
    *child = (struct guest){.p = g->p};
    assert_int_equal(plat_clone(g->t, flags, &child->t, &child->as), 0);
    plat_set_owner(child->t, child);
    flush_ok(g);
}

static void test_fork(void **state) {
    struct guest g, c;
    struct lx_regs regs;
    guest_start(&g, *state, GUEST_AT(forker));
    wait_call(&g, 57);
    assert_int_equal(plat_get_regs(g.t, &regs), 0);
    clone_ok(&g, 0, &c);
    assert_ptr_not_equal(c.as, g.as);
    regs.rax = 0;
    assert_int_equal(plat_set_regs(c.t, &regs), 0);
    plat_resume(c.t);
    wait_for(&c, &c);
    assert_int_equal(c.ev.call.args[0], 0);
    assert_int_equal(c.ev.call.args[1], 1);
    plat_answer(g.t, 10);
    wait_for(&g, &g);
    assert_int_equal(g.ev.call.args[0], 10);
    assert_int_equal(g.ev.call.args[1], 11);
    assert_int_not_equal(plat_host_pid(g.t), plat_host_pid(c.t));
    guest_end(&c);
    guest_end(&g);
}

static void test_fork_chain(void **state) {
    struct guest g[5];
    guest_start(&g[0], *state, GUEST_AT(forker));
    wait_call(&g[0], 57);
    for (int i = 1; i < 5; i++) {
        struct lx_regs regs;
        clone_ok(&g[i - 1], 0, &g[i]);
        assert_int_equal(plat_get_regs(g[i - 1].t, &regs), 0);
        regs.rip -= 2; // makes the call again
        regs.rax = 57;
        assert_int_equal(plat_set_regs(g[i].t, &regs), 0);
        plat_resume(g[i].t);
        wait_for(&g[i], &g[i]);
        assert_int_equal(g[i].ev.call.nr, 57);
    }
    for (int i = 0; i < 5; i++)
        guest_end(&g[i]);
}

static void run_sharer(void **state, unsigned flags) {
    struct guest g, c;
    struct lx_regs regs;
    const uint64_t tls = 0x5566778899;
    guest_start(&g, *state, GUEST_AT(threads));
    wait_call(&g, 56);
    assert_int_equal(plat_copy_out(g.as, uaddr(GUEST_DATA + 2048), &tls, sizeof tls), sizeof tls);
    assert_int_equal(plat_get_regs(g.t, &regs), 0);
    clone_ok(&g, flags, &c);
    assert_ptr_equal(c.as, g.as);
    regs.rax = 0;
    regs.fs_base = GUEST_DATA + 2048;
    regs.rsp -= 8192;
    assert_int_equal(plat_set_regs(c.t, &regs), 0);
    plat_resume(c.t);
    wait_for(&c, &c);
    assert_int_equal(c.ev.call.args[0], 0);
    assert_true(c.ev.call.args[1] == tls);
    assert_int_equal(c.ev.call.args[2], 1);
    if (flags & PLAT_CLONE_THREAD)
        assert_int_equal(plat_host_pid(c.t), plat_host_pid(g.t));
    else
        assert_int_not_equal(plat_host_pid(c.t), plat_host_pid(g.t));
    assert_int_equal(plat_get_regs(g.t, &regs), 0);
    regs.fs_base = GUEST_DATA;
    assert_int_equal(plat_set_regs(g.t, &regs), 0);
    plat_answer(g.t, 33);
    wait_for(&g, &g);
    assert_int_equal(g.ev.call.args[0], 33);
    assert_int_equal(g.ev.call.args[2], 2);
    plat_answer(c.t, 0);
    wait_for(&c, &c);
    assert_int_equal(c.ev.call.nr, 60);
    guest_end(&c);
    plat_answer(g.t, 0); // the other goes on alone
    wait_for(&g, &g);
    assert_int_equal(g.ev.call.nr, 60);
    guest_end(&g);
}
static void test_thread(void **state) {
    run_sharer(state, PLAT_CLONE_VM | PLAT_CLONE_THREAD);
}
static void test_vm_sharer(void **state) {
    run_sharer(state, PLAT_CLONE_VM);
}

// The first of several is given back while the others run; and they are given back while they run.
static void test_leader_goes_first(void **state) {
    struct guest g, c[6];
    struct lx_regs regs;
    char byte;
    guest_start(&g, *state, GUEST_AT(threads));
    wait_call(&g, 56);
    assert_int_equal(plat_get_regs(g.t, &regs), 0);
    for (int i = 0; i < 6; i++) {
        clone_ok(&g, i % 3 ? PLAT_CLONE_VM | PLAT_CLONE_THREAD : PLAT_CLONE_VM, &c[i]);
    }
    for (int i = 0; i < 6; i++) {
        regs.rip = i % 2 ? GUEST_AT(spin) : GUEST_AT(loop_value);
        assert_int_equal(plat_set_regs(c[i].t, &regs), 0);
        plat_resume(c[i].t);
    }
    guest_end(&g);
    usleep(2000);
    for (int i = 0; i < 6; i++) {
        if (i == 5)
            assert_int_equal(plat_copy_in(c[5].as, &byte, uaddr(GUEST_DATA), 1), 1);
        guest_end(&c[i]);
    }
}

static void test_thread_churn(void **state) {
    struct guest g, c;
    struct lx_regs regs;
    guest_start(&g, *state, GUEST_AT(threads));
    wait_call(&g, 56);
    assert_int_equal(plat_get_regs(g.t, &regs), 0);
    regs.rip = GUEST_AT(loop_value);
    for (int i = 0; i < 300; i++) {
        clone_ok(&g, PLAT_CLONE_VM | PLAT_CLONE_THREAD, &c);
        assert_int_equal(plat_set_regs(c.t, &regs), 0);
        plat_resume(c.t);
        if (i % 2)
            wait_for(&c, &c);
        guest_end(&c);
    }
    guest_end(&g);
}

static void test_unused(void **state) {
    struct plat_as *as;
    struct plat_thread *t;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(plat_as_create(*state, &as, &t), 0);
        if (i % 2)
            plat_resume(t);
        plat_thread_destroy(t);
        plat_as_put(as);
    }
}

// ---- Death
// ---------------------------------------------------------------------------------------------------------

static void test_death(void **state) {
    struct guest g;
    struct lx_regs regs;
    char c;
    guest_start(&g, *state, GUEST_AT(spin));
    plat_interrupt(g.t);
    wait_event(&g);
    assert_int_equal(g.ev.kind, PLAT_INTERRUPT);
    plat_resume(g.t);
    assert_true(plat_host_pid(g.t) > 0);
    assert_int_equal(kill(plat_host_pid(g.t), SIGKILL), 0);
    wait_event(&g);
    assert_int_equal(g.ev.kind, PLAT_DEATH);
    assert_int_equal(g.ev.cause, SIGKILL);
    // Acting on it does nothing and is no error.
    plat_interrupt(g.t);
    plat_resume(g.t);
    plat_get_regs(g.t, &regs);
    assert_int_equal(plat_copy_in(g.as, &c, uaddr(GUEST_DATA), 1), -LINUX_ESRCH);
    assert_int_equal(plat_cpu_ns(g.t), 0);
    guest_end(&g);
    // One that dies while it is held: our answer comes late, and the death is told.
    guest_start(&g, *state, GUEST_AT(loop_value));
    wait_call(&g, 110);
    assert_true(plat_host_pid(g.t) > 0);
    assert_int_equal(kill(plat_host_pid(g.t), SIGKILL), 0);
    usleep(20000);
    plat_answer(g.t, 1);
    wait_event(&g);
    assert_int_equal(g.ev.kind, PLAT_DEATH);
    guest_end(&g);
}

// Jumps to every byte of the stub's text, with registers that would make host calls if anything went through.
static void test_jump_into_stub(void **state) {
    struct guest peer;
    const struct plat_range *stub = &plat_layout(*state)->reserved[0];
    guest_start(&peer, *state, GUEST_AT(loop_value));
    wait_call(&peer, 110);
    // Every seventh byte, others in each run (escape's A04 takes them all): most end in a loop that has to be
    // waited for.
    for (uint64_t at = stub->start + (uint64_t)getpid() % 7; at < stub->start + 4096;
         at += at < stub->start + 3072 ? 7 : 97) {
        struct guest g;
        struct lx_regs regs;
        guest_start(&g, *state, GUEST_AT(loop_context));
        wait_call(&g, 12);
        assert_int_equal(plat_get_regs(g.t, &regs), 0);
        regs.rip = at;
        regs.rax = 39 + at % 3 * 20; // getpid, exit ...
        regs.rdi = regs.rcx = 57;
        assert_int_equal(plat_set_regs(g.t, &regs), 0);
        plat_resume(g.t);
        int host = plat_host_pid(g.t);
        for (int i = 0; i < 4 && g.t; i++) {
            wait_some(&g);
            if (g.ev.kind == PLAT_DEATH || g.ev.kind == PLAT_NOTHING)
                break;
            plat_answer(g.t, -LINUX_ENOSYS);
        }
        assert_true(host >= 0);
        guest_end(&g);
    }
    plat_answer(peer.t, 0); // others are not harmed
    wait_call(&peer, 110);
    guest_end(&peer);
}

static void test_scribble_over_slots(void **state) {
    const struct plat_range *stub = &plat_layout(*state)->reserved[0];
    for (uint64_t from = stub->start + 32768; from < stub->start + 65536; from += 4096) {
        struct guest g;
        struct lx_regs regs;
        guest_start(&g, *state, GUEST_AT(loop_context));
        wait_call(&g, 12);
        assert_int_equal(plat_get_regs(g.t, &regs), 0);
        regs.rip = GUEST_AT(scribble);
        regs.rbx = from;
        regs.rdx = 512;
        assert_int_equal(plat_set_regs(g.t, &regs), 0);
        plat_resume(g.t);
        wait_some(&g); // overwritten by the next frame, or it dies: both are right
        guest_end(&g);
    }
}

// One thread writes random words over all that it shares with the sentry while others of its process make
// calls, map and are interrupted. Its process may die; the sentry and a peer go on.
static void *kick_often(void *arg) {
    struct platform *p = ((void **)arg)[0];
    while (!atomic_load((_Atomic int *)((void **)arg)[1])) {
        usleep(2000);
        plat_kick(p);
    }
    return NULL;
}

static void serve_scribbled(struct guest *peer, struct guest *first) {
    struct plat_event ev;
    for (int n = 0, quiet = 0; n < 600 && quiet < 4; n++) {
        assert_int_equal(plat_wait(peer->p, &ev), 0);
        if (ev.kind == PLAT_NOTHING) {
            quiet++;
            continue;
        }
        if (ev.kind == PLAT_DEATH)
            continue;
        if (ev.kind == PLAT_SYSCALL && ev.context && n % 5 == 0)
            plat_map(ev.thread, uaddr(0x40000000), 4096, 3, 0, n % 2 ? -1 : guest_image(), 0);
        if (n % 7 == 0)
            plat_interrupt(first->t);
        plat_answer(ev.thread, n);
    }
}

static void test_scribble_while_calling(void **state) {
    const struct plat_range *stub = &plat_layout(*state)->reserved[0];
    if (strcmp(plat_name(*state), "seccomp") != 0)
        skip();
    struct guest peer;
    _Atomic int stop = 0;
    void *args[2] = {*state, &stop};
    pthread_t kicker;
    guest_start(&peer, *state, GUEST_AT(loop_value));
    wait_call(&peer, 110);
    assert_int_equal(pthread_create(&kicker, NULL, kick_often, args), 0);
    for (unsigned round = 0; round < 60; round++) {
        struct guest g, c[3];
        struct lx_regs regs;
        guest_start(&g, *state, GUEST_AT(loop_context));
        wait_call(&g, 12);
        assert_int_equal(plat_get_regs(g.t, &regs), 0);
        for (int i = 0; i < 3; i++)
            clone_ok(&g, PLAT_CLONE_VM | PLAT_CLONE_THREAD, &c[i]);
        for (int i = 1; i < 3; i++)
            plat_resume(c[i].t);
        plat_resume(g.t);
        regs.rip = GUEST_AT(scribbler);
        regs.rbx = stub->start + 32768;
        regs.rdx = 4 * 32768 / 8 - 1;
        regs.r12 = round * 7919 + 1;
        regs.r13 = (const uint64_t[]){3, 0xfff, ~0ull}[round % 3]; // mask of the words' values
        assert_int_equal(plat_set_regs(c[0].t, &regs), 0);
        plat_resume(c[0].t);
        serve_scribbled(&peer, &g);
        for (int i = 0; i < 3; i++)
            guest_end(&c[i]);
        guest_end(&g);
    }
    atomic_store(&stop, 1);
    pthread_join(kicker, NULL);
    plat_answer(peer.t, 0);
    wait_for(&peer, &peer);
    guest_end(&peer);
}

// ---- The waiter's side
// ---------------------------------------------------------------------------------------------

static void test_kick(void **state) {
    struct plat_event ev;
    plat_kick(*state);
    assert_int_equal(plat_wait(*state, &ev), 0);
    assert_int_equal(ev.kind, PLAT_NOTHING);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_answers_with_context),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_alignment_check_flag),
        cmocka_unit_test(test_fpstate),
        cmocka_unit_test(test_fault),
        cmocka_unit_test(test_mappings),
        cmocka_unit_test(test_files_while_interrupted),
        cmocka_unit_test(test_refused_map),
        cmocka_unit_test(test_many_ops),
        cmocka_unit_test(test_work_on_plain_call),
        cmocka_unit_test(test_own_changes),
        cmocka_unit_test(test_proposals),
        cmocka_unit_test(test_bad_ranges),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_clean_memory),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_interrupt_race),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_fork_chain),
        cmocka_unit_test(test_thread),
        cmocka_unit_test(test_vm_sharer),
        cmocka_unit_test(test_leader_goes_first),
        cmocka_unit_test(test_thread_churn),
        cmocka_unit_test(test_unused),
        cmocka_unit_test(test_death),
        cmocka_unit_test(test_jump_into_stub),
        cmocka_unit_test(test_scribble_over_slots),
        cmocka_unit_test(test_scribble_while_calling),
        cmocka_unit_test(test_kick),
    };
    alarm(550);
    return run_backends("platform", tests, sizeof tests / sizeof *tests);
}
