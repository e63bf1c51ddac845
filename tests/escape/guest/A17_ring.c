// SPDX-License-Identifier: Apache-2.0
// The syscall ring as a target (platform/seccomp/fastcall/): two pages that a busy thread shares with the
// sentry, and the private words of its ring code, all in the thread's slot. Attackers make a site hot, then
// forge every field, at rest, while the sentry serves the call, and from a signal handler; and they jump to
// the ring's code at every byte.
#include "../../../platform/stub/layout.h"
#include "escape.h"
#include <sys/stat.h>
#include <sys/time.h>

// Of the first slot, which is that of a process with one thread.
#define CTL_AT  (STUB_SLOT_SIZE + offsetof(struct stub_slot, scratch))
#define RING_AT (STUB_SLOT_SIZE + STUB_RING_AT)
enum { FREE, REQ, TAKEN, DONE, SLOW, REFUSED };

static volatile uint32_t *ring32(void) { return (volatile uint32_t *)(host.base + RING_AT); }
static volatile uint64_t *ring64(void) { return (volatile uint64_t *)(host.base + RING_AT); }
static volatile uint64_t *ctl64(void) { return (volatile uint64_t *)(host.base + CTL_AT); }

static bool there(volatile uint64_t *word) {
    struct sigaction segv = {.sa_handler = fault_handler, .sa_flags = SA_NODEFER}, before;
    sigaction(SIGSEGV, &segv, &before);
    bool fault = fault_of((void)*word);
    sigaction(SIGSEGV, &before, NULL);
    return !fault;
}

// Calls from one site until it is patched and a poller may be there; false: there is no ring on this
// platform, or with one core.
static bool warm_up(unsigned calls) {
    for (unsigned i = 0; i < calls; i++) {
        long pid;
        __asm__ volatile("mov $39, %%eax\n syscall" : "=a"(pid) : : "rcx", "r11", "memory"); // getpid
        if (pid != getpid())
            escaped("getpid gives %ld", pid);
        if (i == 500 && (!host.seccomp || sysconf(_SC_NPROCESSORS_ONLN) < 2))
            return false;
        if (i == 500 && !there(ring64()))
            unjudged("no ring after %u calls", i);
    }
    return true;
}

static void one_call(void) {
    struct stat st;
    __asm__ volatile("mov $39, %%eax\n syscall" : : : "rax", "rcx", "r11", "memory");
    stat("/etc/passwd", &st);
}

static uint64_t strange(void) {
    const uint64_t values[] = {
        0,          1,  ~0ul, host.base, host.slots, host.gate, KERNEL_HALF, NOT_CANONICAL,
        0x7fffffff, 59, 9,    11,        60,         231};
    uint64_t r = random64();
    return r & 1 ? values[r / 2 % (sizeof values / sizeof values[0])] : r;
}

static void forge_words(unsigned round) {
    if (!warm_up(20000))
        return;
    attack_begins();
    for (unsigned i = 0; i < 4000; i++) {
        one_call();
        ring64()[random64() % (i % 2 ? 16 : 1024)] = strange();
        if (i % 8 == round % 8)
            ctl64()[random64() % 15] = strange();
    }
}

// Numbers that a process may ask for without harm to others; and those that no ring may serve.
static uint32_t number(unsigned round) {
    const uint32_t list[] = {SYS_getpid,       SYS_getppid,  SYS_stat,   SYS_fstat,     SYS_newfstatat,
                             SYS_statx,        SYS_pread64,  SYS_uname,  SYS_getrandom, SYS_pause,
                             SYS_nanosleep,    SYS_readlink, SYS_getcwd, SYS_times,     SYS_poll,
                             SYS_mmap,         SYS_munmap,   SYS_clone,  SYS_execve,    SYS_exit_group,
                             SYS_rt_sigreturn, SYS_brk,      511,        512,           0x1fff0001,
                             0x40000027,       0x80000027,   ~0u};
    return list[random64() % (round % 2 ? 15 : sizeof list / sizeof list[0])];
}

// A call is posted, and the thread does not wait for its answer.
static void forge_calls(unsigned round) {
    if (!warm_up(20000))
        return;
    attack_begins();
    for (unsigned i = 0; i < 2000; i++) {
        ring32()[1] = number(round);
        for (unsigned a = 0; a < 6; a++)
            ring64()[1 + a] = strange();
        ring32()[17] = (uint32_t)strange(); // length of the path
        ring32()[16] = 1;                   // polled
        ring32()[0] = REQ;
        for (unsigned k = 0; k < i % 300 && ring32()[0] == REQ; k++)
            __builtin_ia32_pause();
        for (unsigned a = 0; a < 6; a++) // changed while it is served
            ring64()[1 + a] = strange();
        for (unsigned k = 0; round % 4 < 2 && k < 2000 && ring32()[0] == TAKEN; k++)
            ring32()[random64() % 2048] = (uint32_t)strange();
        if (round % 3 == 0)
            one_call(); // in the middle of its own call: it must not go unnoticed, or harm
    }
}

// A signal may take longer than the timer's interval: then the loop below never gets a turn, here as on any
// Linux. So the timer stops after so many.
static volatile sig_atomic_t flips;
static void flip_state(int sig) {
    if (++flips == 1000)
        setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
    ring32()[0] = (uint32_t)(random64() % 8);
    ring64()[9] = strange();  // where the answer is to be copied
    ring64()[10] = strange(); // and how much of it
}
static void forge_from_handler(unsigned round) {
    struct sigaction sa = {.sa_handler = flip_state, .sa_flags = round % 2 ? SA_RESTART : 0};
    if (!warm_up(20000))
        return;
    attack_begins();
    struct itimerval often = {{0, 50 + round}, {0, 50 + round}};
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (uint64_t end = now_ms() + 150; now_ms() < end;)
        one_call();
}

static void forging_words(void) { each_in_a_child(forge_words, 8); }
static void forging_calls(void) { each_in_a_child(forge_calls, 12); }
static void forging_from_handler(void) { each_in_a_child(forge_from_handler, 8); }

// The numbers by which a thread comes for its value, made without having one.
static void forged_numbers(void) {
    warm_up(2000);
    for (unsigned i = 0; i < 4096; i++) {
        long r = raw(0x1fff0000u + (i % 4), i, 2, 3, 4, 5, 6);
        // One that has a ring is taken to have lost the bytes of its answer: EFAULT.
        if (r != -ENOSYS && !(i % 4 == 1 && r == -EFAULT))
            escaped("number %#x gives %ld", 0x1fff0000u + i % 4, r);
        r = raw(0x1fff1000u + i, i, 2, 3, 4, 5, 6);
        if (r != -ENOSYS && r != -(long)i)
            escaped("number %#x gives %ld", 0x1fff1000u + i, r);
    }
}

// Every byte of the ring's code, with a ring, registers and return address that the attacker likes.
static void every_byte(void) {
    uint64_t start = host.base + *(volatile uint32_t *)(host.base + 32); // struct stub_header.ring
    if (!host.seccomp)
        return;
    for (uint64_t at = start; at < host.text_end && at < start + 900; at += 3) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            if (!warm_up(600))
                _exit(0);
            ualarm(100000, 0);
            for (unsigned i = 0; i < 15; i++)
                ctl64()[i] = strange();
            ctl64()[0] = 1;
            ctl64()[2] = 9;
            __asm__ volatile(
                "mov %0, %%rbx\n mov $9, %%eax\n xor %%edi, %%edi\n mov $4096, %%esi\n mov $3, %%edx\n"
                "mov $0x22, %%r10d\n xor %%r9d, %%r9d\n lea 1f(%%rip), %%rcx\n jmp *%%rbx\n 1:"
                :
                : "r"(at)
                : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
            _exit(0);
        }
        wait_limited(pid, 10);
    }
}

ATTACKS({"A17_forging_words", forging_words, SURVIVES},
        {"A17_forging_calls", forging_calls, SURVIVES},
        {"A17_forging_from_handler", forging_from_handler, SURVIVES},
        {"A17_forged_numbers", forged_numbers, SURVIVES},
        {"A17_every_byte_of_it", every_byte, SURVIVES})
