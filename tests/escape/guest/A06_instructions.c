// SPDX-License-Identifier: Apache-2.0
// Instructions that trap, and flags that make others trap: signals to the guest, nothing else.
#include "escape.h"

#define TRY(name, want, ...) \
    do { \
        int sig_ = fault_of(__asm__ volatile(__VA_ARGS__)); \
        if (sig_ != (want)) \
            escaped(name ": signal %d instead of %d", sig_, want); \
    } while (0)

static void traps(void) {
    catch_faults();
    for (int i = 0; i < 20; i++) {
        TRY("int3", SIGTRAP, "int3");
        TRY("int1", SIGTRAP, ".byte 0xf1");
        TRY("hlt", SIGSEGV, "hlt");
        TRY("cli", SIGSEGV, "cli");
        TRY("in", SIGSEGV, "inb $0x70, %%al" : : : "rax");
        TRY("out", SIGSEGV, "outb %%al, $0x80" : : : "rax");
        TRY("int 0x20", SIGSEGV, "int $0x20");
        TRY("int 0x2e", SIGSEGV, "int $0x2e");
        TRY("ud2", SIGILL, "ud2");
        TRY("rdpmc", SIGSEGV, "rdpmc" : : "c"(0) : "rax", "rdx");
        TRY("rdmsr", SIGSEGV, "rdmsr" : : "c"(0x10) : "rax", "rdx");
        TRY("mov cr0", SIGSEGV, "mov %%cr0, %%rax" : : : "rax");
        TRY("mov dr7", SIGSEGV, "mov %%dr7, %%rax" : : : "rax");
        TRY("invd", SIGSEGV, "invd");
        TRY("lgdt", SIGSEGV, "lgdt (%%rsp)" : : : "memory");
        TRY("swapgs", SIGSEGV, "swapgs");
        TRY("iretq to the kernel", SIGSEGV,
            "push $0x18\n\tpush %%rsp\n\tpushfq\n\tpush $0x10\n\tlea 1f(%%rip), %%rax\n\t"
            "push %%rax\n\tiretq\n1:"
            :
            :
            : "rax", "memory");
    }
}

// With UMIP these fault or are answered with fixed values; without it they tell the host's addresses on any
// Linux.
static void table_addresses(void) {
    unsigned char gdt[16] = {0}, idt[16] = {0};
    catch_faults();
    (void)fault_of(__asm__ volatile("sgdt %0" : "=m"(gdt)));
    (void)fault_of(__asm__ volatile("sidt %0" : "=m"(idt)));
    (void)fault_of(__asm__ volatile("cpuid" : : "a"(0), "c"(0) : "rbx", "rdx"));
    must(getpid() > 0);
}

static void port_permissions(void) {
    if (syscall(SYS_iopl, 3) >= 0)
        escaped("iopl(3) is granted");
    if (syscall(SYS_ioperm, 0x80, 1, 1) >= 0)
        escaped("ioperm is granted");
    catch_faults();
    TRY("out after iopl", SIGSEGV, "outb %%al, $0x80" : : : "rax");
}

// Single steps over calls of both kinds: plain ones, and those that need registers.
static volatile sig_atomic_t steps;
static void on_step(int sig, siginfo_t *si, void *uc) {
    if (++steps > 60)
        ((ucontext_t *)uc)->uc_mcontext.gregs[REG_EFL] &= ~0x100;
}
static long stepped_call(long nr) {
    long ret;
    __asm__ volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tsyscall\n\tnop\n\tnop\n\t"
                     "pushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq"
                     : "=a"(ret) : "a"(nr), "D"(0L), "S"(0L), "d"(0L) : "rcx", "r11", "memory");
    return ret;
}
static void single_step(void) {
    struct sigaction sa = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &sa, NULL);
    for (int i = 0; i < 20; i++) {
        long pid = stepped_call(SYS_getpid), bad = stepped_call(SYS_munmap);
        if (pid != getpid() || bad != -EINVAL)
            escaped("a stepped call returned %ld, %ld", pid, bad);
        steps = 0;
    }
    for (int i = 0; i < 5; i++) {
        long pid = stepped_call(SYS_fork);
        steps = 0;
        if (pid == 0)
            _exit(0);
        need(pid > 0 && waitpid((pid_t)pid, NULL, 0) == pid);
    }
}

// A stack segment load holds traps back for one instruction: here, for the call.
static void mov_ss(void) {
    unsigned short ss;
    catch_faults();
    __asm__ volatile("mov %%ss, %0" : "=r"(ss));
    (void)fault_of({
        long ret;
        __asm__ volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tmov %1, %%ss\n\tsyscall\n\tnop"
                         : "=a"(ret) : "r"(ss), "a"((long)SYS_getpid) : "rcx", "r11", "memory");
    });
    __asm__ volatile("pushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq" : : : "memory");
    must(getpid() > 0 && files_are_well() == NULL);
}

// Alignment checks, on while calls are made: the stub's own code must not trip over them.
static void alignment_flag(void) {
    const long numbers[] = {SYS_getpid, SYS_munmap, SYS_getppid, SYS_brk};
    for (int i = 0; i < 100; i++) {
        long r;
        __asm__ volatile("pushfq\n\torl $0x40000, (%%rsp)\n\tpopfq\n\tsyscall\n\tpushfq\n\t"
                         "andl $~0x40000, (%%rsp)\n\tpopfq"
                         : "=a"(r)
                         : "a"(numbers[i & 3]), "D"(0L), "S"(0L)
                         : "rcx", "r11", "memory");
        if ((i & 3) == 1 && r != -EINVAL)
            escaped("munmap(0, 0) with AC returned %ld", r);
    }
    catch_faults();
    int sig = fault_of(__asm__ volatile("pushfq\n\torl $0x40000, (%%rsp)\n\tpopfq\n\tmov 1(%%rsp), %%rax"
                                        :
                                        :
                                        : "rax", "memory"));
    __asm__ volatile("pushfq\n\tandl $~0x40000, (%%rsp)\n\tpopfq" : : : "memory");
    if (sig != SIGBUS && sig != 0)
        escaped("an unaligned access with AC: signal %d", sig);
}

// Direction and nested-task flags through a call.
static void odd_flags(void) {
    const uint64_t flags[] = {0x400, 0x4000, 0x200000, 0x10000, 0x3000, 0x20000, 0x100000};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        for (int k = 0; k < 2; k++) {
            long r;
            __asm__ volatile("pushfq\n\tor %2, (%%rsp)\n\tpopfq\n\tsyscall\n\tcld\n\tpush $0x202\n\tpopfq"
                             : "=a"(r)
                             : "a"((long)(k ? SYS_munmap : SYS_getpid)), "r"(flags[i]), "D"(0L), "S"(0L)
                             : "rcx", "r11", "memory");
            if (r != (k ? -EINVAL : getpid()))
                escaped("flags %#lx: the call returned %ld", flags[i], r);
        }
}

ATTACKS({"A06_traps", traps, SURVIVES},
        {"A06_table_addresses", table_addresses, SURVIVES},
        {"A06_port_permissions", port_permissions, SURVIVES},
        {"A06_single_step", single_step, SURVIVES},
        {"A06_mov_ss", mov_ss, SURVIVES},
        {"A06_alignment_flag", alignment_flag, SURVIVES},
        {"A06_odd_flags", odd_flags, SURVIVES})
