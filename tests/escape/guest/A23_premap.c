// SPDX-License-Identifier: Apache-2.0
// Spare memory as a target (platform/seccomp/premap.c, platform/seccomp/heap.c): mapped by the host before it
// is anybody's. Attackers make maps and the break hot, reach for pages that nobody gave them, from their own
// code and through calls, and forge the ring's memory calls and hints.
#include "../../../platform/stub/layout.h"
#include "escape.h"
#include <sys/mman.h>

#define RING_AT (STUB_SLOT_SIZE + STUB_RING_AT)  // of the first slot, that of a process with one thread
static volatile uint32_t *ring32(void) { return (volatile uint32_t *)(host.base + RING_AT); }
static volatile uint64_t *ring64(void) { return (volatile uint64_t *)(host.base + RING_AT); }

static char *map(size_t len) {
    char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}
// Maps until they have become hot: those by the ring lie in premapped memory then, next to what is nobody's;
// others elsewhere.
static char *lowest, *highest;
static void busy(void) {
    lowest = (char *)TASK_SIZE, highest = NULL;
    for (int i = 0; i < 3000; i++) {
        char *p = map(PAGE);
        lowest = p < lowest ? p : lowest;
        highest = p > highest ? p : highest;
        need(p && (i % 4 || *p == 0) && munmap(p, PAGE) == 0);
    }
}

static bool in_maps(uint64_t at) {
    FILE *f = fopen("/proc/self/maps", "r");
    unsigned long from, to;
    bool found = false;
    need(f);
    while (fscanf(f, "%lx-%lx%*[^\n]", &from, &to) == 2)
        found = found || (at >= from && at < to);
    fclose(f);
    return found;
}

// Nothing below or above `p`, for further than there is premapped memory, may be read, written, or filled by
// a call, but what is the guest's.
static void reach_around(volatile char *p) {
    struct sigaction segv = {.sa_handler = fault_handler, .sa_flags = SA_NODEFER};
    sigaction(SIGSEGV, &segv, NULL);
    sigaction(SIGBUS, &segv, NULL);
    int zero = open("/dev/zero", O_RDONLY);
    need(zero >= 0);
    for (long i = -5200; i < 5200; i += 1 + (long)(random64() % 7)) {
        volatile char *at = p + i * (long)PAGE;
        bool there = !fault_of((void)*at);
        if (!there && fault_signal != SIGSEGV)
            escaped("a page that is not there raises signal %d", (int)fault_signal);
        if (there && !in_maps((uint64_t)at))
            escaped("page %ld is there and nobody's", i);
        if (!there && (!fault_of(*at = 1) || read(zero, (void *)at, 8) > 0))
            escaped("page %ld can be written", i);
    }
    close(zero);
}

static void reaching_for_it(void) {
    for (int round = 0; round < 3; round++) {
        busy();
        char *p = map(4 * PAGE);
        need(p);
        reach_around(lowest);
        reach_around(highest);
        reach_around(p);
        must(munmap(p, 4 * PAGE) == 0);
    }
}

// A copy of such a process: the host guards nothing there.
static void reaching_in_a_copy(void) {
    for (int round = 0; round < 3; round++) {
        busy();
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            reach_around(lowest);
            reach_around(highest);
            _exit(0);
        }
        must(wait_limited(pid, 10) == 0);
    }
}

// The break goes up and down until there is memory behind it.
static char *busy_break(void) {
    char *end = sbrk((intptr_t)(-(uintptr_t)sbrk(0) & (PAGE - 1)) + PAGE);
    for (int i = 0; i < 2000; i++) {
        char *p = sbrk(PAGE);
        need(p != (void *)-1 && sbrk(-(intptr_t)PAGE) != (void *)-1);
    }
    return end;
}

static void reaching_behind_the_break(void) {
    for (int round = 0; round < 3; round++) {
        char *end = busy_break() + PAGE;
        reach_around(end);
        busy_break();
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            reach_around(end);
            _exit(0);
        }
        must(wait_limited(pid, 10) == 0);
    }
}

static uint64_t strange(uint64_t near) {
    const uint64_t values[] = {0,         1,          PAGE,        ~0ul,          1ul << 20, 16ul << 20,
                               host.base, host.slots, KERNEL_HALF, NOT_CANONICAL, 3,         0x22};
    uint64_t r = random64();
    if (r % 3 == 0)
        return values[r / 4 % (sizeof values / sizeof values[0])];
    return r % 3 == 1 ? near + (r >> 20) % 6000 * PAGE - 3000 * PAGE : r;
}
static void forge(unsigned round) {
    if (!host.seccomp)
        return;
    busy();
    attack_begins();
    uint64_t p = (uint64_t)map(PAGE);
    for (unsigned i = 0; i < 3000; i++) {
        ring64()[offsetof(struct stub_ring, room) / 8] = strange(p);  // hints: how much may come by the ring
        ring64()[offsetof(struct stub_ring, top) / 8] = round % 2 ? p : strange(p);
        ring64()[offsetof(struct stub_ring, heap_low) / 8] = i % 5 ? 0 : strange(p);
        ring64()[offsetof(struct stub_ring, heap_high) / 8] = i % 3 ? ~0ul : strange((uint64_t)sbrk(0));
        if (i % 2) {
            char *q = map(PAGE * (1 + random64() % 4));
            munmap(q, PAGE);
            syscall(SYS_brk, strange((uint64_t)sbrk(0)));
            continue;
        }
        const uint32_t memory_calls[] = {SYS_mmap, SYS_munmap, SYS_brk};
        ring32()[1] = memory_calls[random64() % 3];
        for (unsigned a = 0; a < 6; a++)
            ring64()[1 + a] = strange(p);
        ring32()[16] = 1;
        ring32()[0] = 1;
        for (unsigned k = 0; k < i % 300 && ring32()[0] < 3; k++)
            __builtin_ia32_pause();
    }
}
static void forging_memory_calls(void) { each_in_a_child(forge, 10); }

// The stub may make such a descriptor when it is told to; the guest never.
static void a_guard_of_its_own(void) {
    busy();
    long r = raw(SYS_userfaultfd, 1, 0, 0, 0, 0, 0);
    if (r >= 0)
        escaped("a descriptor: %ld", r);
}

ATTACKS({"A23_reaching_for_it", reaching_for_it, SURVIVES},
        {"A23_reaching_in_a_copy", reaching_in_a_copy, SURVIVES},
        {"A23_reaching_behind_the_break", reaching_behind_the_break, SURVIVES},
        {"A23_forging_memory_calls", forging_memory_calls, SURVIVES},
        {"A23_a_guard_of_its_own", a_guard_of_its_own, SURVIVES})
