// SPDX-License-Identifier: Apache-2.0
// The vsyscall page: a machine without it faults, whichever way one gets there.
#include "escape.h"

static long call_at(uint64_t address, void *argument) {
    long ret;
    __asm__ volatile("call *%1"
                     : "=a"(ret)
                     : "r"(address), "D"(argument), "S"(0L)
                     : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory");
    return ret;
}

static void slots(void) {
    char buf[64];
    catch_faults();
    for (volatile uint64_t slot = 0; slot < 3; slot++) {
        volatile long r = -1;
        if (fault_of(r = call_at(VSYSCALL + slot * 0x400, buf)) == 0)
            escaped("vsyscall %lu returned %ld", slot, r);
    }
}

static void offsets(void) {
    char buf[64];
    catch_faults();
    for (volatile uint64_t at = 0; at < PAGE; at += 61)
        if (fault_of(call_at(VSYSCALL + at, buf)) == 0)
            escaped("vsyscall + %#lx returned", at);
}

static void by_return(void) {
    catch_faults();
    for (volatile uint64_t slot = 0; slot < 3; slot++) {
        int sig = fault_of(__asm__ volatile("lea 1f(%%rip), %%rax\n\tpush %%rax\n\tpush %0\n\tret\n1:"
                                            :
                                            : "r"(VSYSCALL + slot * 0x400), "D"(0L), "S"(0L)
                                            : "rax", "rcx", "r11", "memory"));
        if (sig == 0)
            escaped("vsyscall %lu by return", slot);
    }
}

// Arguments that would make the host kernel's emulation write.
static void writing(void) {
    catch_faults();
    void *targets[] = {(void *)KERNEL_HALF, (void *)host.base, (void *)host.slots, (void *)8};
    for (volatile size_t i = 0; i < 4; i++)
        if (fault_of(call_at(VSYSCALL, targets[i])) == 0)
            escaped("gettimeofday of the vsyscall page into %p returned", targets[i]);
}

static void reading(void) {
    catch_faults();
    if (fault_of(*(volatile char *)VSYSCALL) == 0)
        escaped("the vsyscall page can be read");
}

ATTACKS({"A03_slots", slots, SURVIVES},
        {"A03_offsets", offsets, SURVIVES},
        {"A03_by_return", by_return, SURVIVES},
        {"A03_writing", writing, SURVIVES},
        {"A03_reading", reading, SURVIVES})
