// SPDX-License-Identifier: Apache-2.0
// What the witness tests watch from outside: every call number with harmless arguments, and ordinary work of
// all kinds (memory, files, processes, threads, signals, faults), so that every row of gate_calls.def is
// needed.
#include "escape.h"
#include <pthread.h>
#include <sched.h>

static bool leave_out(long nr) {
    const long list[] = {SYS_exit,
                         SYS_exit_group,
                         SYS_rt_sigreturn,
                         SYS_pause,
                         SYS_rt_sigsuspend,
                         SYS_fork,
                         SYS_vfork,
                         SYS_clone,
                         SYS_clone3,
                         SYS_munmap,
                         SYS_kill,
                         SYS_tkill,
                         SYS_tgkill,
                         SYS_brk,
                         SYS_vhangup,
                         SYS_alarm,
                         SYS_setitimer,
                         SYS_dup2,
                         SYS_close,
                         SYS_close_range,
                         SYS_arch_prctl,
                         SYS_setrlimit,
                         SYS_rt_sigtimedwait,
                         SYS_select,
                         SYS_ppoll,
                         SYS_poll,
                         SYS_pselect6};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (list[i] == nr)
            return true;
    return nr >= 337 && nr < 424;
}

static void every_number(void) {
    for (long nr = 0; nr < 480; nr++) {
        if (leave_out(nr))
            continue;
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            ualarm(200000, 0);
            close(0);
            raw((uint64_t)nr, 0, 0, 0, 0, 0, 0);
            raw((uint64_t)nr, (uint64_t)-1, 1, 1, 1, 1, 1);
            _exit(0);
        }
        wait_limited(pid, 5);
    }
}

static void *thread(void *unused) {
    for (int i = 0; i < 20; i++) {
        char *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        need(p != MAP_FAILED);
        memset(p, i, 8 * PAGE);
        need(mprotect(p, PAGE, PROT_READ) == 0 && madvise(p + PAGE, PAGE, MADV_DONTNEED) == 0);
        unsigned char in[8];
        need(mincore(p, 8 * PAGE, in) == 0 && (in[0] & 1) && !(in[1] & 1));
        need(mprotect(p, PAGE, PROT_READ | PROT_WRITE) == 0);
        p = mremap(p, 8 * PAGE, 20 * PAGE, MREMAP_MAYMOVE);
        need(p != MAP_FAILED && munmap(p, 20 * PAGE) == 0);
    }
    return NULL;
}

static int shares(void *unused) { return getpid() > 0 ? 0 : 1; }

// Busy enough for patched sites and premapped memory, whose host calls the witness must know.
static void hot_maps(void) {
    for (int i = 0; i < 600; i++) {
        char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        need(p != MAP_FAILED);
        if (i % 2)
            *p = 1;
        must(munmap(p, PAGE) == 0);
    }
}

static void work(void) {
    hot_maps();
    pthread_t t[4];
    char path[] = "/tmp/escape-work-XXXXXX";
    static char stack[65536] __attribute__((aligned(16)));
    for (int i = 0; i < 4; i++)
        need(pthread_create(&t[i], NULL, thread, NULL) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    pid_t pid = clone(shares, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
    need(pid > 0 && waitpid(pid, NULL, 0) == pid);
    int fd = mkstemp(path);
    need(fd >= 0 && ftruncate(fd, 3 * (off_t)PAGE) == 0);
    char *file = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    need(file != MAP_FAILED);
    strcpy(file, "mapped");
    char *private = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    need(private != MAP_FAILED && strcmp(private, "mapped") == 0);
    munmap(file, 3 * PAGE);
    munmap(private, 3 * PAGE);
    unlink(path);
    catch_faults();
    for (volatile int i = 0; i < 20; i++) {
        must(fault_of(*(volatile int *)8 = 1) == SIGSEGV);
        must(fault_of(__asm__ volatile("ud2")) == SIGILL);
    }
    syscall(SYS_arch_prctl, 0x1001, 0x1000);  // ARCH_SET_GS
    for (int i = 0; i < 5; i++)
        must(health() == NULL);
}

static void foreign(void) {
    catch_faults();
    for (volatile int i = 0; i < 20; i++) {
        (void)fault_of(__asm__ volatile("int $0x80" : : "a"((long)i) : "memory"));
        (void)fault_of(__asm__ volatile("call *%0"
                                        :
                                        : "r"(VSYSCALL), "D"(0L), "S"(0L)
                                        : "rax", "rcx", "r11", "memory"));
        raw(0x40000000 + (uint64_t)i, 0, 0, 0, 0, 0, 0);
    }
}

// The gate, unordered: the process dies, and the host has done nothing.
static void gate(void) {
    const long numbers[] = {SYS_getpid, SYS_openat, SYS_mmap, SYS_clone, SYS_prctl, SYS_exit};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            __asm__ volatile("call *%0" : : "r"(host.gate), "a"(numbers[i]), "D"(0L), "S"(0L), "d"(0L)
                             : "rcx", "r11", "memory");
            _exit(0);
        }
        wait_limited(pid, 5);
    }
}

// Orders that are changed between the sentry's writing them and the stub's carrying them out: the flags of a
// clone, the arguments of the call by which a child checks in, protections and descriptors of mappings.
static void *forger(void *unused) {
    volatile uint64_t *slots = (volatile uint64_t *)host.slots;
    const bool blind = unused != NULL;
    // the order to clone: found by what is left of one, or when the next is written
    volatile uint64_t *op = slots;
    while (host.seccomp && op[0] != SYS_clone)
        op = op < slots + 64 ? op + 1 : slots;
    for (;;)
        if (blind || op[0] == SYS_clone)
            op[1] = op[1] | 0x00800000;  // CLONE_UNTRACED; of a mapping, another address
    return NULL;
}
static void forgery(void) {
    for (uintptr_t i = 0; i < 150; i++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            pthread_t t;
            pthread_create(&t, NULL, forger, (void *)(i % 2));
            for (int k = 0; k < 40; k++) {
                pid_t child = fork();
                if (child == 0)
                    _exit(0);
                void *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                (void)p;
                while (waitpid(-1, NULL, WNOHANG) > 0)
                    ;
            }
            _exit(0);
        }
        wait_limited(pid, 10);
    }
}

int main(int argc, char **argv) {
    struct utsname u;
    if (argc > 1 && !strcmp(argv[1], "--healthy"))
        return 42;
    if (uname(&u) || !strstr(u.release, "picket"))
        return 77;
    hear_host();
    start_peer();
    if (argc > 1 && !strcmp(argv[1], "forgery")) {
        forgery();
        say("done");
        return 0;
    }
    for (int i = 0; i < 50; i++)
        must(getpid() > 0 && syscall(SYS_gettid) > 0 && getppid() >= 0);
    work();
    foreign();
    gate();
    if (argc == 1)
        every_number();
    say("done");
    return 0;
}
