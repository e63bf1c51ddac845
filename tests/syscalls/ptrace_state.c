// SPDX-License-Identifier: Apache-2.0
// covers: ptrace
// What a tracer reads and sets of a stopped tracee: register sets, the FP image, siginfo, masks, queues,
// memory of all kinds, debug registers, /proc/PID/mem; many tracees, tracers that trace each other (man 2
// ptrace, man 5 proc).
#include "guest.h"

#include <elf.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#define STOP(sig) ((sig) << 8 | 0x7f)

static long ask(int request, pid_t pid, long addr, void *data)
{
    return ptrace((enum __ptrace_request)request, pid, (void *)addr, data);
}

static int go(int request, pid_t pid, long sig)
{
    int status = -1;
    EXPECT_OK(ask(request, pid, 0, (void *)sig));
    EXPECT_EQ(waitpid(pid, &status, __WALL), pid);
    return status;
}

static pid_t tracee(void (*body)(void))
{
    pid_t pid = fork_child();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
            _exit(90);
        raise(SIGSTOP);
        body();
        _exit(7);
    }
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, STOP(SIGSTOP));
    return pid;
}

static void finish(pid_t pid)
{
    EXPECT_OK(kill(pid, SIGKILL));
    EXPECT_EQ(wait_exit(pid), -SIGKILL);
}

static void nothing(void) {}

static void with_xmm(void)
{
    unsigned long v = 0x1122334455667788, out = 0;
    __asm__ volatile("movq %1, %%xmm7; int3; movq %%xmm7, %0" : "=r"(out) : "r"(v) : "xmm7");
    if (out == v)
        _exit(1);
    _exit(out == v + 1 ? 2 : 3);
}

TEST(register_sets)
{
    pid_t pid = tracee(with_xmm);
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), STOP(SIGTRAP));
    struct user_regs_struct r, r2;
    struct iovec iov = {&r2, sizeof r2 + 64};
    EXPECT_OK(ask(PTRACE_GETREGS, pid, 0, &r));
    EXPECT_OK(ask(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov));
    EXPECT_EQ(iov.iov_len, sizeof r2);
    EXPECT_MEMEQ(&r, &r2, sizeof r);
    EXPECT_EQ(r.cs, 0x33);
    struct user_fpregs_struct fp;
    EXPECT_OK(ask(PTRACE_GETFPREGS, pid, 0, &fp));
    unsigned long low;
    memcpy(&low, (char *)fp.xmm_space + 7 * 16, sizeof low);
    EXPECT_EQ(low, 0x1122334455667788);
    static char x[16384] __attribute__((aligned(64)));
    iov = (struct iovec){x, sizeof x};
    EXPECT_OK(ask(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &iov));
    EXPECT_GE(iov.iov_len, 576);
    unsigned long xcr0;
    memcpy(&xcr0, x + 464, sizeof xcr0);
    EXPECT_EQ(xcr0 & 3, 3);
    low++;
    memcpy(x + 160 + 7 * 16, &low, sizeof low);
    EXPECT_OK(ask(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov));
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), 2 << 8);
}

TEST(an_fp_image_that_the_processor_would_refuse)
{
    pid_t pid = tracee(nothing);
    struct user_fpregs_struct fp;
    EXPECT_OK(ask(PTRACE_GETFPREGS, pid, 0, &fp));
    fp.mxcsr = 0xffffffff;
    EXPECT_ERRNO(ask(PTRACE_SETFPREGS, pid, 0, &fp), EINVAL);
    static char x[16384] __attribute__((aligned(64)));
    struct iovec iov = {x, sizeof x};
    EXPECT_OK(ask(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &iov));
    memset(x + 512, 0xff, 64);
    EXPECT_ERRNO(ask(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov), EINVAL);
    iov.iov_len = 7;
    EXPECT_ERRNO(ask(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov), EINVAL);
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), 7 << 8);
}

static int code_seen;
static void note_code(int sig, siginfo_t *si, void *c)
{
    (void)sig;
    (void)c;
    code_seen = si->si_value.sival_int;
}
static void take_usr1(void)
{
    struct sigaction sa = {.sa_sigaction = note_code, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    _exit(code_seen);
}

TEST(siginfo_is_changed)
{
    pid_t pid = tracee(take_usr1);
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), STOP(SIGUSR1));
    siginfo_t si;
    EXPECT_OK(ask(PTRACE_GETSIGINFO, pid, 0, &si));
    si.si_code = SI_QUEUE;
    si.si_value.sival_int = 42;
    EXPECT_OK(ask(PTRACE_SETSIGINFO, pid, 0, &si));
    EXPECT_EQ(go(PTRACE_CONT, pid, SIGUSR1), 42 << 8);
}

TEST(masks_and_queues)
{
    pid_t pid = tracee(nothing);
    unsigned long mask = 0, all = ~0ul;
    EXPECT_OK(ask(PTRACE_SETSIGMASK, pid, 8, &all));
    EXPECT_OK(ask(PTRACE_GETSIGMASK, pid, 8, &mask));
    EXPECT_EQ(mask, ~(1ul << (SIGKILL - 1) | 1ul << (SIGSTOP - 1)));
    EXPECT_OK(kill(pid, SIGUSR1));
    EXPECT_OK(kill(pid, SIGUSR2));
    struct __ptrace_peeksiginfo_args a = {.off = 0, .flags = PTRACE_PEEKSIGINFO_SHARED, .nr = 10};
    siginfo_t si[10];
    EXPECT_EQ(ask(PTRACE_PEEKSIGINFO, pid, (long)&a, si), 2);
    EXPECT_EQ(si[0].si_signo, SIGUSR1);
    EXPECT_EQ(si[1].si_signo, SIGUSR2);
    a.off = 1;
    EXPECT_EQ(ask(PTRACE_PEEKSIGINFO, pid, (long)&a, si), 1);
    EXPECT_EQ(si[0].si_signo, SIGUSR2);
    a.flags = 0;
    EXPECT_EQ(ask(PTRACE_PEEKSIGINFO, pid, (long)&a, si), 0);
    a.flags = 2;
    EXPECT_ERRNO(ask(PTRACE_PEEKSIGINFO, pid, (long)&a, si), EINVAL);
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), 7 << 8);
}

static volatile long watched_word;
static void write_it(void)
{
    for (volatile int i = 0; i < 50; i++)
        ;
    watched_word = 5;
    for (volatile int i = 0; i < 50; i++)
        ;
    watched_word = 6;
}

TEST(a_watchpoint)
{
    pid_t pid = tracee(write_it);
    const long dr0 = offsetof(struct user, u_debugreg[0]), dr6 = offsetof(struct user, u_debugreg[6]);
    const long dr7 = offsetof(struct user, u_debugreg[7]);
    EXPECT_OK(ask(PTRACE_POKEUSER, pid, dr0, (void *)&watched_word));
    EXPECT_OK(ask(PTRACE_POKEUSER, pid, dr7, (void *)(1ul | 9ul << 16))); // writes of 8 bytes
    for (long want = 5; want <= 6; want++) {
        EXPECT_EQ(go(PTRACE_CONT, pid, 0), STOP(SIGTRAP));
        EXPECT_EQ(ask(PTRACE_PEEKDATA, pid, (long)&watched_word, 0), want);
        EXPECT_EQ(ask(PTRACE_PEEKUSER, pid, dr6, 0) & 15, 1);
        siginfo_t si;
        EXPECT_OK(ask(PTRACE_GETSIGINFO, pid, 0, &si));
        EXPECT_EQ(si.si_code, 4); // TRAP_HWBKPT
    }
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), 7 << 8);
}

TEST(memory_of_each_kind)
{
    long *ro = (long *)map_pages(1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);
    long *shared = (long *)map_pages(1, PROT_READ, MAP_SHARED | MAP_ANONYMOUS);
    char *two = map_pages(2, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS);
    pid_t pid = tracee(nothing);
    EXPECT_OK(ask(PTRACE_POKEDATA, pid, (long)ro, (void *)77));
    EXPECT_EQ(ask(PTRACE_PEEKDATA, pid, (long)ro, 0), 77);
    EXPECT_EQ(*ro, 0);
    EXPECT_ERRNO(ask(PTRACE_POKEDATA, pid, (long)shared, (void *)77), EIO);
    long across = (long)two + 4096 - 3;
    EXPECT_OK(ask(PTRACE_POKEDATA, pid, across, (void *)0x1234567890abcdef));
    EXPECT_EQ(ask(PTRACE_PEEKDATA, pid, across, 0), 0x1234567890abcdef);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int fd = EXPECT_OK(open(path, O_RDWR));
    long word = 0;
    EXPECT_EQ(pread(fd, &word, 8, (off_t)ro), 8);
    EXPECT_EQ(word, 77);
    word = 78;
    EXPECT_EQ(pwrite(fd, &word, 8, (off_t)ro), 8);
    EXPECT_EQ(pwrite(fd, "\xcc", 1, across), 1);
    EXPECT_EQ(ask(PTRACE_PEEKDATA, pid, (long)ro, 0), 78);
    EXPECT_EQ(ask(PTRACE_PEEKDATA, pid, across, 0), 0x1234567890abcdcc);
    EXPECT_ERRNO(pread(fd, &word, 8, 8), EIO);
    EXPECT_ERRNO(pwrite(fd, &word, 8, (off_t)shared), EIO);
    close(fd);
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), 7 << 8);
    munmap(ro, 4096);
    munmap(shared, 4096);
    munmap(two, 8192);
}

TEST(its_own_memory_by_file)
{
    volatile long word = 1;
    long other = 2;
    int fd = EXPECT_OK(open("/proc/self/mem", O_RDWR));
    EXPECT_EQ(pwrite(fd, &other, 8, (off_t)&word), 8);
    EXPECT_EQ(word, 2);
    EXPECT_EQ(pread(fd, &other, 8, (off_t)KERNEL_POINTER & INT64_MAX), -1);
    close(fd);
}

TEST(state_in_proc)
{
    pid_t pid = tracee(nothing);
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    get_file(path, text, sizeof text);
    EXPECT_TRUE(strstr(text, "State:\tt (tracing stop)"));
    char line[64];
    snprintf(line, sizeof line, "TracerPid:\t%d\n", getpid());
    EXPECT_TRUE(strstr(text, line));
    finish(pid);
}

// ---- Many, and each other ---------------------------------------------------------------------------------
TEST(many_tracees_of_a_tracer_that_dies)
{
    enum { N = 100 };
    pid_t pids[N];
    int ready[2];
    ASSERT_OK(pipe(ready));
    pid_t tracer = fork_child();
    if (tracer == 0) {
        for (int i = 0; i < N; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                ptrace(PTRACE_TRACEME, 0, 0, 0);
                if (i % 2)
                    raise(SIGSTOP);
                close(ready[1]);
                if (i % 4 == 0)
                    _exit(0);
                for (;;)
                    pause();
            }
            if (i % 2) {
                waitpid(pids[i], NULL, 0);
                ptrace(PTRACE_SETOPTIONS, pids[i], 0, PTRACE_O_EXITKILL);
            } else if (i % 4 == 2) {
                kill(pids[i], SIGTERM);
            }
        }
        write(ready[1], "x", 1);
        kill(getpid(), SIGKILL);
    }
    close(ready[1]);
    char c;
    EXPECT_EQ(read(ready[0], &c, 1), 1);
    EXPECT_EQ(wait_exit(tracer), -SIGKILL);
    EXPECT_EQ(read(ready[0], &c, 1), 0); // all of them are gone
    close(ready[0]);
}

TEST(two_that_trace_each_other_can_be_killed)
{
    int go_pipe[2];
    ASSERT_OK(pipe(go_pipe));
    pid_t a = fork_child();
    if (a == 0) {
        pid_t other;
        read(go_pipe[0], &other, sizeof other);
        ptrace(PTRACE_ATTACH, other, 0, 0);
        for (;;)
            pause();
    }
    pid_t b = fork_child();
    if (b == 0) {
        ptrace(PTRACE_ATTACH, a, 0, 0);
        write(go_pipe[1], &(pid_t){getpid()}, sizeof(pid_t));
        for (;;)
            pause();
    }
    sleep_ms(100);
    EXPECT_OK(kill(a, SIGKILL));
    EXPECT_OK(kill(b, SIGKILL));
    EXPECT_EQ(wait_exit(b), -SIGKILL);
    EXPECT_EQ(wait_exit(a), -SIGKILL);
    close(go_pipe[0]);
    close(go_pipe[1]);
}

static void exec_over_and_over(void)
{
    for (;;)
        execl(guest.exe, guest.exe, "again", (char *)NULL);
}
ROLE(again)
{
    exec_over_and_over();
    return 1;
}

TEST(attach_and_detach_race_with_exec)
{
    pid_t pid = fork_child();
    if (pid == 0)
        exec_over_and_over();
    for (int i = 0; i < 40; i++) {
        int status = 0;
        EXPECT_OK(ask(PTRACE_ATTACH, pid, 0, 0));
        do
            EXPECT_EQ(waitpid(pid, &status, __WALL), pid);
        while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP && ask(PTRACE_CONT, pid, 0, 0) == 0);
        EXPECT_EQ(status, STOP(SIGSTOP));
        EXPECT_OK(ask(PTRACE_DETACH, pid, 0, 0));
    }
    finish(pid);
}
