// SPDX-License-Identifier: Apache-2.0
// Words of the protocol between a stub's handler and the sentry, spoken by the guest at a moment when the
// sentry listens, but wrong in one point each. Such a process is killed (SIGKILL) at once; no word of it is
// served.
#include "escape.h"

static long gate_call(uint64_t at, uint64_t nr, const uint64_t a[6]) {
    register uint64_t r10 __asm__("r10") = a[3];
    register uint64_t r8 __asm__("r8") = a[4];
    register uint64_t r9 __asm__("r9") = a[5];
    long ret;
    __asm__ volatile("call *%1"
                     : "=a"(ret)
                     : "r"(at), "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}
#define EVENT(kind, slot, nr) (0x20000000u | (kind) << 24 | (slot) << 9 | (nr)) // platform/stub/layout.h
enum { CALL = 1, ODD, FAULT, INTR, DONE };

// How a process ends that says this; 0: it was answered, and goes on.
static int said(uint64_t at, uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                uint64_t f) {
    const uint64_t args[6] = {a, b, c, d, e, f};
    pid_t pid = fork();
    need(pid >= 0);
    if (pid == 0) {
        gate_call(at, nr, args);
        raw(SYS_exit_group, 0, 0, 0, 0, 0, 0);
    }
    int status = wait_limited(pid, 5);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
#define MUST_BE_KILLED(what, ...) \
    do { \
        int sig_ = said(__VA_ARGS__); \
        if (sig_ != SIGKILL && sig_ != SIGSYS) /* by the sentry, or by the filter */ \
            escaped("%s: ends with signal %d", what, sig_); \
    } while (0)

static void slots_of_others(void) {
    if (!host.seccomp)
        return;
    need(said(host.gate, EVENT(CALL, 0u, SYS_getppid), 0, 0, 0, 0, 0, 0) == 0); // its own is heard
    const unsigned slots[] = {1, 2, 7, 63, 64, 4095};
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        MUST_BE_KILLED("a call of another slot", host.gate, EVENT(CALL, slots[i], SYS_getppid), 0, 0, 0, 0, 0,
                       0);
        MUST_BE_KILLED("an interrupt of another slot", host.gate, EVENT(INTR, slots[i], 0), 0x1000, 0, 0, 0,
                       0, 0);
        MUST_BE_KILLED("a fault of another slot", host.gate, EVENT(FAULT, slots[i], 0), SIGSEGV, 8, 14,
                       0x1000, 0, 0);
    }
}

static void unknown_kinds(void) {
    if (!host.seccomp)
        return;
    for (unsigned kind = 0; kind < 16; kind++)
        if (kind < CALL || kind > INTR)
            MUST_BE_KILLED("an event of no kind", host.gate, EVENT(kind, 0u, 0), 0, 0, 0, 0, 0, 0);
}

// Where the handler can never have been interrupted.
static void places_in_the_stub(void) {
    if (!host.seccomp)
        return;
    const uint64_t at[] = {host.base + 1, host.base + 64, host.gate,
                           host.gate + 2, host.sigreturn, host.text_end};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        MUST_BE_KILLED("an interrupt in the stub's text", host.gate, EVENT(INTR, 0u, 0), at[i], 0, 0, 0, 0,
                       0);
        MUST_BE_KILLED("a fault in the stub's text", host.gate, EVENT(FAULT, 0u, 0), SIGSEGV, 8, 14, at[i], 0,
                       0);
    }
}

// The other syscall instruction is for one call.
static void beside_the_gate(void) {
    if (!host.seccomp)
        return;
    MUST_BE_KILLED("an event beside the gate", host.sigreturn, EVENT(CALL, 0u, SYS_getppid), 0, 0, 0, 0, 0,
                   0);
    MUST_BE_KILLED("getppid beside the gate", host.sigreturn, SYS_getppid, 0, 0, 0, 0, 0, 0);
}

// A map that the guest would like the host to make just so. What differs from the handler's own word is no
// proposal.
static void proposals(void) {
    const uint64_t right = 0x4032, guest = 0x22;
    if (!host.seccomp)
        return;
    void *place = mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(place != MAP_FAILED && munmap(place, 16 * PAGE) == 0);
    const uint64_t at = (uint64_t)place;
    need(said(host.gate, SYS_mmap, at, PAGE, 3, right, ~guest, 0) != SIGKILL); // it is heard
    const uint64_t flags[] = {0x4031,  0x32,    0x22,   0x4022, 0xc032, 0x104032,
                              0x44032, 0x14032, 0x6032, 0x5032, ~0ul};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        MUST_BE_KILLED("a map with other flags", host.gate, SYS_mmap, at, PAGE, 3, flags[i], ~guest, 0);
    const uint64_t guests[] = {0x21, 0x122, 0x832, 0x8022, 0x100022, 0x02, 0, ~0ul};
    for (size_t i = 0; i < sizeof guests / sizeof *guests; i++)
        MUST_BE_KILLED("a map of other flags of the guest", host.gate, SYS_mmap, at, PAGE, 3, right,
                       ~guests[i], 0);
    const uint64_t numbers[] = {0, 4, 7, 11, 0x80000003, 0xffffffff};  // of another thread, or of none
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        MUST_BE_KILLED("a map of another one's file", host.gate, SYS_mmap, at, PAGE, 1, 0x4012,
                       numbers[i] | 5ul << 32, 0);
    const uint64_t offsets[] = {1, 8192, ~0ul, 1ul << 40};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++)
        MUST_BE_KILLED("a map with an offset", host.gate, SYS_mmap, at, PAGE, 3, right, ~guest, offsets[i]);
}

ATTACKS({"A04_slots_of_others", slots_of_others, SURVIVES},
        {"A04_unknown_kinds", unknown_kinds, SURVIVES},
        {"A04_places_in_the_stub", places_in_the_stub, SURVIVES},
        {"A04_beside_the_gate", beside_the_gate, SURVIVES},
        {"A04_proposals", proposals, SURVIVES})
