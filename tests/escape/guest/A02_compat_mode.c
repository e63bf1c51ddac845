// SPDX-License-Identifier: Apache-2.0
// 32-bit code segments: a far return into them, and every door to the kernel that opens from there.
#include "escape.h"

// Enters `code` (below 4 GiB, 32-bit instructions), which ends in a far return to 64-bit code at `back`.
static void enter32(unsigned char *code, uint32_t eax, uint32_t ebx, uint32_t ecx) {
    unsigned char *stack =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    need(stack != MAP_FAILED);
    __asm__ volatile("push %%rbp\n\tmov %%rsp, %%r15\n\t"
                     "mov %[sp], %%rsp\n\t"
                     "pushq $0x23\n\tpush %[code]\n\tlretq\n\t"
                     :
                     : [sp] "r"(stack + PAGE - 64), [code] "r"((uint64_t)code), "a"(eax), "b"(ebx), "c"(ecx),
                       "d"(0)
                     : "r15", "memory");
    __builtin_unreachable();
}

static void with_code(const char *bytes, size_t n, uint32_t eax, uint32_t ebx, uint32_t ecx) {
    unsigned char *code = code_pages(1, true);
    memcpy(code, bytes, n);
    code[n] = 0xf4;  // hlt: the end, when the call returns
    enter32(code, eax, ebx, ecx);
}

// No handler: whatever happens ends the process.
static void int80_32(void) { with_code("\xcd\x80", 2, 20, 0, 0); }
static void int80_32_exit(void) { with_code("\xcd\x80", 2, 1, 77, 0); }
static void int80_32_kill(void) { with_code("\xcd\x80", 2, 37, (uint32_t)host.victim, 9); }
static void sysenter_32(void) { with_code("\x0f\x34", 2, 37, (uint32_t)host.victim, 9); }
static void syscall_32(void) { with_code("\x0f\x05", 2, 37, (uint32_t)host.victim, 9); }
// With handlers: the signal frame of a thread that stands in a 32-bit segment.
static void int80_32_caught(void) {
    catch_faults();
    if (fault_of(with_code("\xcd\x80", 2, 37, (uint32_t)host.victim, 9)) == 0)
        escaped("int 0x80 in 32-bit code returned");
    must(getpid() > 0 && files_are_well() == NULL);
}
static void syscall_32_caught(void) {
    catch_faults();
    if (fault_of(with_code("\x0f\x05", 2, 37, (uint32_t)host.victim, 9)) == 0)
        escaped("syscall in 32-bit code returned");
    must(getpid() > 0 && files_are_well() == NULL);
}

// Where the CPU has it in 64-bit code, it comes back to 32-bit code with half a stack pointer: natively too.
static void sysenter_64(void) {
    catch_faults();
    if (fault_of(__asm__ volatile("sysenter" : : "a"(39L), "b"(0L), "c"(0L) : "rdx", "memory")) == 0)
        escaped("sysenter in 64-bit code returned");
}

static void ldt_segments(void) {
    char entry[16] = {0};
    long r = syscall(SYS_modify_ldt, 1, entry, sizeof entry);
    if (r >= 0)
        escaped("modify_ldt returned %ld", r);
    catch_faults();
    for (volatile unsigned selector = 0; selector < 128; selector++) {
        if (selector == 0x23 || selector == 0x33)
            continue;
        int sig = fault_of(__asm__ volatile("push %0\n\tlea 1f(%%rip), %%rax\n\tpush %%rax\n\tlretq\n1:"
                                            : : "r"((uint64_t)selector) : "rax", "memory"));
        if (sig == 0 && (selector | 3) != 0x33)
            escaped("code segment %#x can be entered", selector);
    }
}

ATTACKS({"A02_int80_32", int80_32, ENDS},
        {"A02_int80_32_exit", int80_32_exit, DIES},
        {"A02_int80_32_kill", int80_32_kill, ENDS},
        {"A02_int80_32_caught", int80_32_caught, ENDS},
        {"A02_sysenter_32", sysenter_32, ENDS},
        {"A02_syscall_32", syscall_32, ENDS},
        {"A02_syscall_32_caught", syscall_32_caught, ENDS},
        {"A02_sysenter_64", sysenter_64, ENDS},
        {"A02_ldt_segments", ldt_segments, SURVIVES})
