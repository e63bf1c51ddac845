// SPDX-License-Identifier: Apache-2.0
// Jumps into the stub: at each byte, with registers of the attacker's choice, forged orders and events. At
// worst that process dies. The guest is not told where the stub lies; it looks for it too.
#include "escape.h"
#include <pthread.h>

static uint64_t text_len(void) {
    uint64_t len = host.text_end - host.base;
    const unsigned char *p = (const unsigned char *)host.base;
    while (len > 64 && p[len - 1] == 0)
        len--;
    return len + 8 < host.text_end - host.base ? len + 8 : len;
}

// Calls that would do something on the host if the host took them.
struct wish {
    uint64_t nr, args[6];
};
static char canary_path[96];
static unsigned wishes(struct wish *w) {
    snprintf(canary_path, sizeof canary_path, "/tmp/%s-stub", host.name);
    unsigned n = 0;
    w[n++] = (struct wish){SYS_openat, {(uint64_t)AT_FDCWD, (uint64_t)canary_path, O_CREAT | O_WRONLY, 0666}};
    w[n++] = (struct wish){SYS_kill, {(uint64_t)host.victim, SIGKILL}};
    w[n++] = (struct wish){SYS_socket, {1, 1, 0}};
    w[n++] = (struct wish){SYS_getppid, {0}};
    return n;
}

// Jumps to `at` with the wish in the registers, both as a call's and as the blob's own function takes them.
static void jump(uint64_t at, const struct wish *w, bool as_function) {
    static uint64_t stack[512];
    for (unsigned i = 0; i < 512; i++)
        stack[i] = w->args[i % 6];
    uint64_t sp = (uint64_t)&stack[256] & ~15ul;
    const uint64_t regs[8] = {as_function ? 0 : w->nr,
                              as_function ? w->nr : w->args[0],
                              as_function ? w->args[0] : w->args[1],
                              as_function ? w->args[1] : w->args[2],
                              as_function ? w->args[3] : w->args[3],
                              as_function ? w->args[2] : 0,
                              w->args[4], w->args[5]};
    __asm__ volatile("mov 0(%1), %%rax\n\tmov 8(%1), %%rdi\n\tmov 16(%1), %%rsi\n\tmov 24(%1), %%rdx\n\t"
                     "mov 32(%1), %%r10\n\tmov 40(%1), %%rcx\n\tmov 48(%1), %%r8\n\tmov 56(%1), %%r9\n\t"
                     "mov %2, %%rsp\n\tjmp *%0"
                     : : "r"(at), "r"(regs), "r"(sp) : "memory");
    __builtin_unreachable();
}

// One attempt in a process of its own; how it ends does not matter, that it ends does.
static void try_jump(uint64_t at, const struct wish *w, bool as_function) {
    pid_t pid = fork();
    need(pid >= 0);
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        jump(at, w, as_function);
    }
    wait_limited(pid, 5);
}

static void every_byte(void) {
    struct wish w[8];
    unsigned n = wishes(w);
    uint64_t len = text_len();
    for (uint64_t i = 0; i < len; i++)
        try_jump(host.base + i, &w[i % n], i & 8);
    if (access(canary_path, F_OK) == 0)
        escaped("a jump into the stub made a file");
}

static void both_instructions(void) {
    struct wish w[8];
    unsigned n = wishes(w);
    for (unsigned i = 0; i < n; i++)
        for (int back = -16; back <= 2; back++) {
            try_jump(host.gate + (uint64_t)back, &w[i], back & 1);
            try_jump(host.sigreturn + (uint64_t)back, &w[i], back & 1);
        }
}

static long gate_call(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e) {
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    long ret;
    __asm__ volatile("call *%1"
                     : "=a"(ret)
                     : "r"(host.gate), "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r9", "r11", "memory");
    return ret;
}

// The gate's syscall instruction with every number and harmless arguments: nothing was ordered, so the
// process ends.
static void gate_numbers(void) {
    for (uint64_t nr = 0; nr < 480; nr++) {
        int status;
        if (nr == NR_uretprobe || nr == NR_uprobe)
            continue;  // the host's kernel exempts them from every filter
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            ualarm(300000, 0);
            gate_call(nr, 0, 0, 0, 0, 0);
            _exit(0);
        }
        // Under ptrace no call of the guest gets anywhere, whatever its address, and all are served as usual.
        status = wait_limited(pid, 5);
        if (host.seccomp && (!WIFSIGNALED(status) || WTERMSIG(status) == SIGALRM))
            escaped("gate call %lu: status %#x", nr, (unsigned)status);
    }
}

// Forged events, as the stub's handler would send them: of every kind, with right and wrong slots.
static void forged_events(void) {
    for (unsigned round = 0; round < 200; round++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            for (unsigned i = 0; i < 50; i++) {
                uint64_t kind = round < 100 ? round % 7 : random64() & 15;
                uint64_t slot = round & 1 ? 0 : random64() & 4095;
                uint64_t nr = random64() & 511;
                for (unsigned skip = 0; skip < round; skip++)
                    random64();
                gate_call(0x20000000 | kind << 24 | slot << 9 | nr, random64() & 15, random64(), random64(),
                          random64(), random64());
            }
            _exit(0);
        }
        wait_limited(pid, 5);
    }
}

// A fault event carries the signal's number: one that is none must not become an index of anything.
static void forged_faults(void) {
    const uint64_t numbers[] = {
        SIGCHLD,   SIGCONT,   SIGWINCH,   0,          1,          9,          19,        31,        32,
        63,        64,        65,         66,         128,        1000,       4096,      1ul << 16, 1ul << 20,
        1ul << 24, 1ul << 28, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffff0, 0xffffffff};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        for (uint64_t code = 0; code < 3; code++) {
            pid_t pid = fork();
            need(pid >= 0);
            if (pid == 0) {
                ualarm(300000, 0);
                gate_call(0x20000000 | 3ul << 24, numbers[i] | code << 32, random64(), random64(),
                          random64() >> 17, 0);
                _exit(0);
            }
            int status = wait_limited(pid, 5);
            if (host.seccomp && numbers[i] != 11 && !WIFSIGNALED(status))
                escaped("a fault with signal %#lx: status %#x", numbers[i], (unsigned)status);
        }
}

// Calls the sentry orders (mmap, clone, prctl ...) when nothing is ordered, and check-ins with guessed
// cookies.
static void forged_work(void) {
    const struct wish list[] = {
        {SYS_mmap, {0, PAGE, 7, 0x22, (uint64_t)-1, 0}},     {SYS_clone, {0x11, 0, 0, 0, 0, 0}},
        {SYS_clone, {0x8000, 0, 0, 0, 0, 0}},                {SYS_prctl, {1, 9, 0x1234, 0, 0, 0}},
        {SYS_prctl, {1, 0, 0, 0, 0, 0}},                     {SYS_munmap, {host.base, PAGE, 0, 0, 0, 0}},
        {SYS_mprotect, {host.base, PAGE, 7, 0, 0, 0}},       {SYS_exit, {0}},
        {SYS_close_range, {0, ~0u, 2, 0, 0, 0}},             {SYS_arch_prctl, {0x1002, 0x1000, 0, 0, 0, 0}},
        {SYS_rt_sigreturn, {0}},                             {SYS_sigaltstack, {0}},
        {SYS_recvmsg, {0, 0, 0, 0, 0, 0}},                   {SYS_seccomp, {1, 0, 0, 0, 0, 0}},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            ualarm(300000, 0);
            const uint64_t *a = list[i].args;
            long r = gate_call(list[i].nr, a[0], a[1], a[2], a[3], a[4]);
            bool harmless = !host.seccomp && (a[0] != host.base || list[i].nr == SYS_munmap);
            if (r >= 0 && !harmless)
                escaped("unordered call %lu by the gate returned %ld", list[i].nr, r);
            _exit(0);
        }
        wait_limited(pid, 5);
    }
}

// A thread that reports on behalf of another one, while that one works.
static void *worker(void *unused) {
    for (;;) {
        void *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p != MAP_FAILED) {
            *(volatile char *)p = 1;
            munmap(p, 4 * PAGE);
        }
    }
    return NULL;
}
static void other_slots(void) {
    for (unsigned round = 0; round < 40; round++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            pthread_t t;
            need(pthread_create(&t, NULL, worker, NULL) == 0);
            usleep(1000);
            gate_call(0x20000000 | (1 + round % 5) << 24 | (uint64_t)(round % 3) << 9 | SYS_mmap, 0, 0, 0, 0,
                      0);
            usleep(1000);
            _exit(0);
        }
        wait_limited(pid, 10);
    }
}

// What the guest can find out by itself: the pages it may read or not are not told by calls, only by faults.
static void not_told_by_calls(void) {
    int fds[2], zero = open("/dev/zero", O_RDONLY);
    unsigned char vec[1];
    need(pipe(fds) == 0 && zero >= 0);
    const uint64_t at[] = {host.base, host.gate, host.slots, host.slots + STUB_SLOT - 64, host.end - PAGE};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        if (write(fds[1], (void *)at[i], 8) >= 0)
            escaped("write(2) from the stub at %#lx", at[i]);
        if (read(zero, (void *)at[i], 8) >= 0)
            escaped("read(2) into the stub at %#lx", at[i]);
        if (mincore((void *)(at[i] & ~(PAGE - 1)), PAGE, vec) == 0)
            escaped("mincore(2) knows the stub at %#lx", at[i]);
    }
    FILE *f = fopen("/proc/self/maps", "r");
    char line[512];
    need(f);
    while (fgets(line, sizeof line, f)) {
        uint64_t start, end;
        if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start < host.end && end > host.base)
            escaped("/proc/self/maps shows the stub: %s", line);
    }
    fclose(f);
}

// The text cannot be changed.
static void text_is_constant(void) {
    catch_faults();
    for (volatile uint64_t at = host.base; at < host.text_end; at += 509)
        if (fault_of(*(volatile char *)at = 0x0f) == 0)
            escaped("the stub's text at %#lx is writable", at);
}

ATTACKS({"A04_every_byte", every_byte, SURVIVES},
        {"A04_both_instructions", both_instructions, SURVIVES},
        {"A04_gate_numbers", gate_numbers, SURVIVES},
        {"A04_forged_events", forged_events, SURVIVES},
        {"A04_forged_faults", forged_faults, SURVIVES},
        {"A04_forged_work", forged_work, SURVIVES},
        {"A04_other_slots", other_slots, SURVIVES},
        {"A04_not_told_by_calls", not_told_by_calls, SURVIVES},
        {"A04_text_is_constant", text_is_constant, SURVIVES})
