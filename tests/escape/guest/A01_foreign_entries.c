// SPDX-License-Identifier: Apache-2.0
// Into the kernel by other doors, from 64-bit code: int 0x80 with every number, the x32 bit, numbers that are
// none.
#include "escape.h"

static long int80(uint32_t nr, uint64_t rcx, uint64_t r11) {
    long ret;
    __asm__ volatile("mov %2, %%rcx\n\tmov %3, %%r11\n\tint $0x80"
                     : "=a"(ret)
                     : "a"((uint64_t)nr), "r"(rcx), "r"(r11), "b"(0L), "d"(0L), "S"(0L), "D"(0L)
                     : "rcx", "r8", "r9", "r10", "r11", "memory");
    return ret;
}

static void int80_all(void) {
    catch_faults();
    for (volatile uint32_t nr = 0; nr <= 512; nr++)
        if (fault_of(int80(nr, 0, 0)) == 0)
            escaped("int 0x80 with number %u returned", nr);
    const uint32_t odd[] = {0xffffffff, 0x80000000, 0x7fffffff, 0x40000014, 0x20000000, 0x21000014};
    for (volatile size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        if (fault_of(int80(odd[i], 0, 0)) == 0)
            escaped("int 0x80 with number %#x returned", odd[i]);
}

// Registers as the syscall instruction would leave them: a tracer might take it for one. Serving it as one is
// harmless.
static void int80_disguised(void) {
    catch_faults();
    volatile long pid = 0;
    int sig = fault_of({
        long ret;
        __asm__ volatile("lea 1f(%%rip), %%rcx\n\tpushfq\n\tpop %%r11\n\tmov $39, %%eax\n\tint $0x80\n1:"
                         : "=a"(ret) : : "rcx", "r11", "memory");
        pid = ret;
    });
    if (sig == 0 && pid != getpid() && pid != -ENOSYS)
        escaped("a disguised int 0x80 returned %ld", pid);
}

// A call by a foreign door must not have an effect: 64-bit numbers mean other things in the 32-bit table.
static void int80_effects(void) {
    char path[96], text[64];
    catch_faults();
    int fds[2];
    need(pipe(fds) == 0);
    snprintf(path, sizeof path, "/tmp/%s-int80", host.name);
    char *low = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    need(low != MAP_FAILED);
    strcpy(low, path);
    (void)fault_of({
        long ret;  // creat(path, 0666)
        __asm__ volatile("int $0x80" : "=a"(ret) : "a"(8L), "b"(low), "c"(0666L) : "memory");
    });
    (void)fault_of({
        long ret;  // kill(victim, SIGKILL)
        __asm__ volatile("int $0x80" : "=a"(ret) : "a"(37L), "b"((long)host.victim), "c"(9L) : "memory");
    });
    if (access(path, F_OK) == 0)
        escaped("int 0x80 made a file");
    (void)text;
}

static void x32_all(void) {
    for (uint64_t nr = 0; nr <= 600; nr++) {
        long r = raw(0x40000000 + nr, 0, 0, 0, 0, 0, 0);
        if (r != -ENOSYS)
            escaped("x32 call %lu returned %ld", nr, r);
    }
}

static void no_such_numbers(void) {
    const uint64_t list[] = {~0ul, ~0ul - 1, 0xffffffff, 0x80000000, 0x7fffffff, 512, 513, 1024,
                             0xfffffffffffffff0, 0xbfffffff, 0xc0000027, 0x3fffffff, 470, 400};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        long r = raw(list[i], 0, 0, 0, 0, 0, 0);
        if (r != -ENOSYS)
            escaped("number %#lx returned %ld", list[i], r);
    }
    for (uint64_t nr = 470; nr < 4096; nr++)
        if (raw(nr, 0, 0, 0, 0, 0, 0) != -ENOSYS)
            escaped("number %lu is served", nr);
}

// Linux 6.11 and 6.18 exempt these two from every seccomp filter. Outside of the kernel's own trampolines
// they answer ENXIO or SIGILL, and nothing else; a host without them has ENOSYS.
static void exempt_numbers(void) {
    catch_faults();
    const uint64_t numbers[] = {NR_uretprobe, NR_uprobe};
    for (volatile int i = 0; i < 2000; i++) {
        volatile long r = 0;
        int sig = fault_of(r = raw(numbers[i & 1], KERNEL_HALF, host.base, 1, 2, 3, 4));
        if (sig ? sig != SIGILL : r != -ENOSYS && r != -ENXIO)
            escaped("number %lu: signal %d, value %ld", numbers[i & 1], sig, r);
    }
}

// Linux looks at the lower half of rax alone.
static void upper_half(void) {
    for (int i = 0; i < 64; i++) {
        uint64_t high = random64() << 32;
        long r = raw(high | SYS_getpid, 0, 0, 0, 0, 0, 0);
        if (r != getpid() && r != -ENOSYS)
            escaped("getpid with %#lx returned %ld", high, r);
        r = raw(high | 0x40000000 | SYS_getpid, 0, 0, 0, 0, 0, 0);
        if (r != -ENOSYS)
            escaped("x32 getpid with %#lx returned %ld", high, r);
    }
}

// Numbers that the stub uses between itself and the sentry, from guest code: they are no calls.
static void stub_event_numbers(void) {
    for (uint64_t kind = 0; kind < 16; kind++)
        for (uint64_t slot = 0; slot < 3; slot++)
            for (uint64_t nr = 0; nr < 512; nr += 13) {
                long r = raw(0x20000000 | kind << 24 | slot << 9 | nr, 1, 2, 3, 4, 5, 6);
                if (r != -ENOSYS)
                    escaped("event number of kind %lu returned %ld", kind, r);
            }
}

ATTACKS({"A01_int80_all", int80_all, SURVIVES},
        {"A01_int80_disguised", int80_disguised, SURVIVES},
        {"A01_int80_effects", int80_effects, SURVIVES},
        {"A01_x32_all", x32_all, SURVIVES},
        {"A01_no_such_numbers", no_such_numbers, SURVIVES},
        {"A01_exempt_numbers", exempt_numbers, SURVIVES},
        {"A01_upper_half", upper_half, SURVIVES},
        {"A01_stub_event_numbers", stub_event_numbers, SURVIVES})
