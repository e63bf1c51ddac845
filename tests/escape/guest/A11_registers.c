// SPDX-License-Identifier: Apache-2.0
// Stack pointers and segment bases of the attacker's choice while calls are made and faults happen.
#include "escape.h"

static const uint64_t *places(size_t *n) {
    static uint64_t list[16];
    const uint64_t all[] = {0,
                            8,
                            NOT_CANONICAL,
                            KERNEL_HALF,
                            ~0ul,
                            ~7ul,
                            TASK_SIZE - 8,
                            VSYSCALL + 64,
                            host.base + 64,
                            host.slots,
                            host.slots + 64,
                            host.slots + 2048,
                            host.slots + STUB_SLOT - 16,
                            host.slots + STUB_SLOT + 512,
                            host.end - 64,
                            host.gate};
    memcpy(list, all, sizeof all);
    *n = sizeof all / sizeof *all;
    return list;
}

static long call_with_stack(uint64_t sp, long nr) {
    long ret;
    __asm__ volatile("mov %%rsp, %%r15\n\tmov %1, %%rsp\n\tsyscall\n\tmov %%r15, %%rsp"
                     : "=a"(ret)
                     : "r"(sp), "a"(nr), "D"(0L), "S"(0L), "d"(0L)
                     : "rcx", "r11", "r15", "memory");
    return ret;
}

static void stack_and_calls(void) {
    size_t n;
    const uint64_t *at = places(&n);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 20; k++) {
            long pid = call_with_stack(at[i], SYS_getpid), bad = call_with_stack(at[i], SYS_munmap);
            if (pid != getpid() || bad != -EINVAL)
                escaped("with rsp %#lx calls returned %ld, %ld", at[i], pid, bad);
        }
}

static void stack_and_fault(void) {
    size_t n;
    const uint64_t *at = places(&n);
    for (size_t i = 0; i < n; i++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            __asm__ volatile("mov %0, %%rsp\n\tmovq $1, 8" : : "r"(at[i]) : "memory");
            _exit(0);
        }
        int status = wait_limited(pid, 5);
        if (!WIFSIGNALED(status))
            escaped("a fault with rsp %#lx: status %#x", at[i], (unsigned)status);
    }
}

// A signal for a guest that has no usable stack, with and without an alternate one.
static void stack_and_signal(void) {
    size_t n;
    const uint64_t *at = places(&n);
    for (size_t i = 0; i < n; i++)
        for (int alternate = 0; alternate < 2; alternate++) {
            pid_t pid = fork();
            need(pid >= 0);
            if (pid == 0) {
                struct sigaction sa = {.sa_handler = fault_handler};
                if (alternate)
                    catch_faults();
                sigaction(SIGALRM, &sa, NULL);
                ualarm(2000, 2000);
                if (sigsetjmp(on_fault, 1) == 0)
                    __asm__ volatile("mov %0, %%rsp\n1: mov $39, %%eax\n\tsyscall\n\tjmp 1b"
                                     :
                                     : "r"(at[i])
                                     : "memory", "rax", "rcx", "r11");
                _exit(0);
            }
            wait_limited(pid, 5);
        }
}

static void stack_and_fork(void) {
    size_t n;
    const uint64_t *at = places(&n);
    for (size_t i = 0; i < n; i++) {
        long pid = call_with_stack(at[i], SYS_fork);
        if (pid == 0)
            _exit(getppid() > 0 ? 0 : 1);
        need(pid > 0);
        must(wait_limited((pid_t)pid, 5) == 0);
    }
}

// ---- A12 --------------------------------------------------------------------------------------------------
static bool have_fsgsbase(void) {
    catch_faults();
    return fault_of(({ uint64_t v; __asm__ volatile("rdgsbase %0" : "=r"(v)); })) == 0;
}

static void bases_by_call(void) {
    const uint64_t bad[] = {KERNEL_HALF, NOT_CANONICAL, ~0ul, TASK_SIZE + PAGE};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int code = 0x1001; code <= 0x1002; code++)
            if (raw(SYS_arch_prctl, (uint64_t)code, bad[i], 0, 0, 0, 0) != -EPERM)
                escaped("arch_prctl(%#x, %#lx) is granted", code, bad[i]);
    size_t n;
    const uint64_t *at = places(&n);
    for (size_t i = 0; i < n; i++)
        if (at[i] < TASK_SIZE)
            for (int k = 0; k < 5; k++) {
                raw(SYS_arch_prctl, 0x1001, at[i], 0, 0, 0, 0);
                if (raw(SYS_munmap, 0, 0, 0, 0, 0, 0) != -EINVAL)
                    escaped("with gs %#lx", at[i]);
            }
}

// With the instructions, any canonical value can be put there, the kernel's half too.
static void gs_by_instruction(void) {
    if (!have_fsgsbase())
        return;
    size_t n;
    const uint64_t *at = places(&n);
    for (size_t i = 0; i < n; i++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            uint64_t value = at[i];
            ualarm(300000, 0);
            if (fault_of(__asm__ volatile("wrgsbase %0" : : "r"(value))))
                _exit(0);
            raw(SYS_getpid, 0, 0, 0, 0, 0, 0);
            raw(SYS_munmap, 0, 0, 0, 0, 0, 0);
            pid_t child = fork();
            if (child == 0)
                _exit(0);
            if (child > 0)
                waitpid(child, NULL, 0);
            (void)fault_of(*(volatile int *)8 = 1);
            _exit(0);
        }
        wait_limited(pid, 5);
    }
}

static void fs_by_instruction(void) {
    if (!have_fsgsbase())
        return;
    size_t n;
    const uint64_t *at = places(&n);
    for (size_t i = 0; i < n; i++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            ualarm(300000, 0);
            // No library call from here on: they need fs.
            __asm__ volatile("wrfsbase %0\n\t"
                             "mov $39, %%eax\n\tsyscall\n\t"
                             "mov $11, %%eax\n\txor %%edi, %%edi\n\txor %%esi, %%esi\n\tsyscall\n\t"
                             "mov $57, %%eax\n\tsyscall\n\t"
                             "mov $60, %%eax\n\txor %%edi, %%edi\n\tsyscall"
                             : : "r"(at[i]) : "rax", "rcx", "r11", "rdi", "rsi", "memory");
        }
        wait_limited(pid, 5);
    }
}

// The kernel would write there by itself if it had been told so: a robust list, rseq, and the tid to clear.
static void kernel_writes(void) {
    const uint64_t at[] = {host.slots, host.base, KERNEL_HALF, 8};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            raw(SYS_set_robust_list, at[i], 24, 0, 0, 0, 0);
            raw(SYS_set_tid_address, at[i], 0, 0, 0, 0, 0);
            long r = raw(SYS_rseq, at[i] & ~31ul, 32, 0, 0x53053053, 0, 0);
            if (r == 0 && at[i] >= TASK_SIZE)
                escaped("rseq at %#lx", at[i]);
            for (int k = 0; k < 100; k++)
                raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
            _exit(0);
        }
        wait_limited(pid, 5);
    }
}

ATTACKS({"A11_stack_and_calls", stack_and_calls, SURVIVES},
        {"A11_stack_and_fault", stack_and_fault, SURVIVES},
        {"A11_stack_and_signal", stack_and_signal, SURVIVES},
        {"A11_stack_and_fork", stack_and_fork, SURVIVES},
        {"A12_bases_by_call", bases_by_call, SURVIVES},
        {"A12_gs_by_instruction", gs_by_instruction, SURVIVES},
        {"A12_fs_by_instruction", fs_by_instruction, SURVIVES},
        {"A14_kernel_writes", kernel_writes, SURVIVES})
