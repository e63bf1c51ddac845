// SPDX-License-Identifier: Apache-2.0
// Threads and processes made with odd flags: while this runs, the runner looks at every host task of the
// sandbox, which must all be filtered.
#include "escape.h"
#include <pthread.h>
#include <sched.h>

// The child ends at once, without touching memory, so that it may share all of it.
static long clone_and_end(uint64_t flags, uint64_t stack, uint64_t ptid, uint64_t ctid, uint64_t tls) {
    register uint64_t r10 __asm__("r10") = ctid;
    register uint64_t r8 __asm__("r8") = tls;
    long ret;
    __asm__ volatile(
        "syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\txor %%edi, %%edi\n\tmov $60, %%eax\n\tsyscall\n\thlt\n1:"
        : "=a"(ret)
        : "a"((long)SYS_clone), "D"(flags), "S"(stack), "d"(ptid), "r"(r10), "r"(r8)
        : "rcx", "r11", "memory");
    return ret;
}

static void reap_all(void) {
    while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
        ;
}

// The exit signal may be one that stops the parent, as it may on Linux.
static bool would_stop(uint64_t flags) {
    unsigned sig = flags & 0xff;
    return !(flags & CLONE_THREAD) && sig >= SIGSTOP && sig <= SIGTTOU;
}

static void each_flag(void) {
    static uint32_t words[2];
    static char tls[4096];
    for (int bit = 0; bit < 40; bit++)
        for (int base = 0; base < 3; base++) {
            const uint64_t bases[] = {SIGCHLD, CLONE_VM | SIGCHLD, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD};
            uint64_t flags = bases[base] | 1ul << bit;
            if (flags & CLONE_VFORK && base != 2)
                flags |= CLONE_VM;
            if (would_stop(flags))
                continue;
            clone_and_end(flags, 0, (uint64_t)&words[0], (uint64_t)&words[1], (uint64_t)tls);
            reap_all();
        }
    usleep(20000);
    reap_all();
}

static void random_flags(void) {
    static uint32_t words[2];
    static char tls[4096];
    uint64_t end = now_ms() + 2500;
    for (unsigned i = 0; i < 1500 && now_ms() < end; i++) {
        uint64_t flags = random64() & random64() & 0x1ffffff00ul;
        uint64_t pointers[] = {0, (uint64_t)&words[0], KERNEL_HALF, host.slots, host.base, 8, TASK_SIZE - 4};
        uint64_t r = random64();
        if (i & 1)
            flags |= SIGCHLD;
        else if (!(i & 2))
            flags |= r & 0xff;
        if (would_stop(flags))
            continue;
        clone_and_end(flags, i & 4 ? 0 : pointers[r % 7], pointers[r / 7 % 7], pointers[r / 49 % 7],
                      flags & CLONE_SETTLS ? (uint64_t)tls : 0);
        reap_all();
    }
    usleep(20000);
    reap_all();
}

// All are the sandbox's own objects: the host must not see a flag of them (run_escape.py, the row of clone).
static void namespaces(void) {
    const uint64_t flags[] = {0x00020000, 0x02000000, 0x04000000, 0x08000000,
                              0x10000000, 0x20000000, 0x40000000};
    int made = 0;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        made += clone_and_end(flags[i] | SIGCHLD, 0, 0, 0, 0) >= 0;
    need(made > 0);
    reap_all();
}

static void clone3_sizes(void) {
    static uint64_t args[64];
    for (uint64_t size = 0; size <= sizeof args; size += 4)
        for (int garbage = 0; garbage < 2; garbage++) {
            memset(args, 0, sizeof args);
            if (garbage)
                for (unsigned i = 0; i < 64; i++)
                    args[i] = random64();
            else
                args[4] = SIGCHLD;
            long r = syscall(SYS_clone3, args, size);
            if (r == 0)
                _exit(0);
            if (garbage && r > 0)
                escaped("clone3 with garbage made a process");
        }
    const uint64_t at[] = {0, KERNEL_HALF, host.base, host.slots, ~0ul, TASK_SIZE - 8};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        if (syscall(SYS_clone3, at[i], 88) >= 0)
            escaped("clone3 with arguments at %#lx", at[i]);
    reap_all();
}

static void *spin(void *unused) {
    for (;;)
        syscall(SYS_getpid);
    return NULL;
}

static void exec_among_threads(void) {
    for (int i = 0; i < 15; i++) {
        int status;
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            pthread_t t;
            for (int k = 0; k < 3; k++)
                pthread_create(&t, NULL, spin, NULL);
            execl("/proc/self/exe", "escape", "--healthy", NULL);
            _exit(1);
        }
        status = wait_limited(pid, 10);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 42)
            escaped("exec among threads: status %#x", (unsigned)status);
    }
}

static void *exit_soon(void *unused) {
    usleep((useconds_t)(random64() % 500));
    _exit(0);
}
static void vfork_and_exit_races(void) {
    for (int i = 0; i < 60; i++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            pthread_t t;
            pthread_create(&t, NULL, exit_soon, NULL);
            for (int k = 0; k < 50; k++) {
                if (k & 1)
                    clone_and_end(CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
                else
                    clone_and_end(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, 0, 0, 0, 0);
                reap_all();
            }
            _exit(0);
        }
        wait_limited(pid, 10);
    }
}

// Killed while it clones, again and again: no child may be left behind unfiltered, or at all.
static void killed_in_clone(void) {
    for (int i = 0; i < 60; i++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            setpgid(0, 0);
            for (;;) {
                pid_t p = fork();
                if (p == 0)
                    _exit(0);
                reap_all();
            }
        }
        usleep(200 + (useconds_t)(random64() % 3000));
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
        wait_limited(pid, 10);
    }
}

ATTACKS({"A08_each_flag", each_flag, ENDS},
        {"A08_random_flags", random_flags, ENDS},
        {"A08_namespaces", namespaces, SURVIVES},
        {"A08_clone3_sizes", clone3_sizes, SURVIVES},
        {"A08_exec_among_threads", exec_among_threads, SURVIVES},
        {"A08_vfork_and_exit_races", vfork_and_exit_races, SURVIVES},
        {"A08_killed_in_clone", killed_in_clone, SURVIVES})
