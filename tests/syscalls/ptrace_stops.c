// SPDX-License-Identifier: Apache-2.0
// covers: ptrace, wait4
// The stops of a traced process and what ends them: exec, signals shown, suppressed and put in their place,
// calls before and after, options' events, steps, a breakpoint, death (man 2 ptrace).
#include "guest.h"

#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#define STOP(sig)   ((sig) << 8 | 0x7f)
#define EVENT(e)    ((e) << 16 | SIGTRAP << 8 | 0x7f)
#define CALL_STOP   (SIGTRAP | 0x80)

// A child that says PTRACE_TRACEME, stops, and then does what `body` says.
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

static long ask(int request, pid_t pid, long addr, void *data)
{
    return ptrace((enum __ptrace_request)request, pid, (void *)addr, data);
}

// Sends it on and gives the next wait status.
static int go(int request, pid_t pid, long sig)
{
    int status = -1;
    EXPECT_OK(ask(request, pid, 0, (void *)sig));
    EXPECT_EQ(waitpid(pid, &status, __WALL), pid);
    return status;
}

static void finish(pid_t pid)
{
    EXPECT_OK(kill(pid, SIGKILL));
    EXPECT_EQ(wait_exit(pid), -SIGKILL);
}

static void nothing(void) {}

static atomic_int handled;
static void count(int sig) { handled += sig; }
static void raise_usr1(void)
{
    signal(SIGUSR1, count);
    signal(SIGUSR2, count);
    raise(SIGUSR1);
    switch (atomic_load(&handled)) {
    case SIGUSR1:
        _exit(1);
    case SIGUSR2:
        _exit(2);
    case 0:
        _exit(3);
    default:
        _exit(4);
    }
}

TEST(signals_are_shown_suppressed_and_changed)
{
    const int want[3] = {1, 3, 2};
    const int send[3] = {SIGUSR1, 0, SIGUSR2};
    for (int i = 0; i < 3; i++) {
        pid_t pid = tracee(raise_usr1);
        EXPECT_EQ(go(PTRACE_CONT, pid, 0), STOP(SIGUSR1));
        siginfo_t info;
        EXPECT_OK(ask(PTRACE_GETSIGINFO, pid, 0, &info));
        EXPECT_EQ(info.si_signo, SIGUSR1);
        EXPECT_EQ(info.si_code, SI_TKILL);
        EXPECT_EQ(go(PTRACE_CONT, pid, send[i]), want[i] << 8);
    }
}

TEST(the_signal_of_an_ignoring_process_is_shown)
{
    pid_t pid = tracee(raise_usr1);
    EXPECT_OK(kill(pid, SIGWINCH));
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), STOP(SIGWINCH));
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), STOP(SIGUSR1));
    finish(pid);
}

static void call_getppid(void)
{
    syscall(SYS_getppid);
    syscall(SYS_close, -1);
    syscall(SYS_dup2, 33333, 44444);
}

static struct user_regs_struct regs_of(pid_t pid)
{
    struct user_regs_struct r;
    memset(&r, 0, sizeof r);
    EXPECT_OK(ask(PTRACE_GETREGS, pid, 0, &r));
    return r;
}

// On to the entry of a call.
static struct user_regs_struct until_call(pid_t pid, long nr)
{
    for (int i = 0; i < 200; i++) {
        EXPECT_EQ(go(PTRACE_SYSCALL, pid, 0), STOP(CALL_STOP));
        struct user_regs_struct r = regs_of(pid);
        if ((long)r.orig_rax == nr && (long)r.rax == -ENOSYS)
            return r;
    }
    FAIL("call %ld does not come", nr);
    return regs_of(pid);
}

TEST(calls_stop_before_and_after)
{
    pid_t pid = tracee(call_getppid);
    EXPECT_OK(ask(PTRACE_SETOPTIONS, pid, 0, (void *)PTRACE_O_TRACESYSGOOD));
    until_call(pid, SYS_close);
    struct __ptrace_syscall_info info;
    memset(&info, 0, sizeof info);
    long n = ask(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
    EXPECT_EQ(n, (long)(offsetof(struct __ptrace_syscall_info, entry) + sizeof info.entry));
    EXPECT_EQ(info.op, PTRACE_SYSCALL_INFO_ENTRY);
    EXPECT_EQ(info.arch, 0xc000003e);
    EXPECT_EQ(info.entry.nr, SYS_close);
    EXPECT_EQ((int)info.entry.args[0], -1);
    unsigned long message = 0;
    EXPECT_OK(ask(PTRACE_GETEVENTMSG, pid, 0, &message));
    EXPECT_EQ(message, 1);
    siginfo_t si;
    EXPECT_OK(ask(PTRACE_GETSIGINFO, pid, 0, &si));
    EXPECT_EQ(si.si_code, CALL_STOP);
    EXPECT_EQ(go(PTRACE_SYSCALL, pid, 0), STOP(CALL_STOP));
    EXPECT_EQ((long)regs_of(pid).rax, -EBADF);
    EXPECT_EQ(regs_of(pid).orig_rax, SYS_close);
    n = ask(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
    EXPECT_EQ(info.op, PTRACE_SYSCALL_INFO_EXIT);
    EXPECT_EQ(info.exit.rval, -EBADF);
    EXPECT_EQ(info.exit.is_error, 1);
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), 7 << 8);
}

static void two_pids(void)
{
    long a = syscall(SYS_getuid), b = syscall(SYS_close, 77777);
    _exit(a == 4321 && b == 55 ? 1 : 2);
}

TEST(a_call_is_exchanged_and_its_result_too)
{
    pid_t pid = tracee(two_pids);
    EXPECT_OK(ask(PTRACE_SETOPTIONS, pid, 0, (void *)PTRACE_O_TRACESYSGOOD));
    struct user_regs_struct r = until_call(pid, SYS_getuid);
    r.orig_rax = SYS_getpid;
    EXPECT_OK(ask(PTRACE_SETREGS, pid, 0, &r));
    EXPECT_EQ(go(PTRACE_SYSCALL, pid, 0), STOP(CALL_STOP));
    r = regs_of(pid);
    EXPECT_EQ((pid_t)r.rax, pid);
    r.rax = 4321;
    EXPECT_OK(ask(PTRACE_SETREGS, pid, 0, &r));
    r = until_call(pid, SYS_close);
    r.orig_rax = -1; // none at all
    r.rax = 55;
    EXPECT_OK(ask(PTRACE_SETREGS, pid, 0, &r));
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), 1 << 8);
}

TEST(emulated_calls_are_not_made)
{
    pid_t pid = tracee(two_pids);
    const long value[2] = {4321, 55};
    const long nr[2] = {SYS_getuid, SYS_close};
    for (int i = 0; i < 2;) {
        EXPECT_EQ(go(PTRACE_SYSEMU, pid, 0), STOP(SIGTRAP));
        struct user_regs_struct r = regs_of(pid);
        r.rax = (long)r.orig_rax == nr[i] ? value[i++] : 0;
        EXPECT_OK(ask(PTRACE_SETREGS, pid, 0, &r));
    }
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), 1 << 8);
}

static void sleep_long(void) { pause(); }

TEST(an_interrupted_call_shows_its_restart)
{
    pid_t pid = tracee(sleep_long);
    EXPECT_OK(ask(PTRACE_SETOPTIONS, pid, 0, (void *)PTRACE_O_TRACESYSGOOD));
    until_call(pid, SYS_pause);
    EXPECT_OK(ask(PTRACE_SYSCALL, pid, 0, 0));
    sleep_ms(20);
    EXPECT_OK(kill(pid, SIGWINCH));
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, STOP(CALL_STOP));
    EXPECT_EQ((long)regs_of(pid).rax, -514); // ERESTARTNOHAND
    EXPECT_EQ(go(PTRACE_SYSCALL, pid, 0), STOP(SIGWINCH));
    EXPECT_EQ(go(PTRACE_SYSCALL, pid, 0), STOP(CALL_STOP)); // made again
    EXPECT_EQ(regs_of(pid).orig_rax, SYS_pause);
    finish(pid);
}

static void fork_and_vfork(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(3);
    waitpid(pid, NULL, 0);
    pid = vfork();
    if (pid == 0)
        _exit(4);
    waitpid(pid, NULL, 0);
}

// The next stop of `pid`, whatever its signal-delivery-stops are.
static int next_stop(pid_t pid, int status)
{
    while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGCHLD && status >> 16 == 0)
        status = go(PTRACE_CONT, pid, SIGCHLD);
    return status;
}

TEST(events_of_fork_vfork_exit)
{
    pid_t pid = tracee(fork_and_vfork);
    long all = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT;
    EXPECT_OK(ask(PTRACE_SETOPTIONS, pid, 0, (void *)all));
    const int event[2] = {PTRACE_EVENT_FORK, PTRACE_EVENT_VFORK};
    for (int i = 0; i < 2; i++) {
        int status = next_stop(pid, go(PTRACE_CONT, pid, 0));
        EXPECT_EQ(status, EVENT(event[i]));
        unsigned long child = 0, code = 0;
        EXPECT_OK(ask(PTRACE_GETEVENTMSG, pid, 0, &child));
        EXPECT_EQ(waitpid((pid_t)child, &status, 0), (pid_t)child);
        EXPECT_EQ(status, STOP(SIGSTOP));
        EXPECT_EQ(go(PTRACE_CONT, (pid_t)child, 0), EVENT(PTRACE_EVENT_EXIT));
        EXPECT_OK(ask(PTRACE_GETEVENTMSG, (pid_t)child, 0, &code));
        EXPECT_EQ(code, (3ul + i) << 8);
        EXPECT_EQ(go(PTRACE_CONT, (pid_t)child, 0), (3 + i) << 8);
        if (i == 1)
            EXPECT_EQ(next_stop(pid, go(PTRACE_CONT, pid, 0)), EVENT(PTRACE_EVENT_VFORK_DONE));
    }
    EXPECT_EQ(next_stop(pid, go(PTRACE_CONT, pid, 0)), EVENT(PTRACE_EVENT_EXIT));
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), 7 << 8);
}

ROLE(leave) { return 33; }

static void run_leave(void) { execl(guest.exe, guest.exe, "leave", (char *)NULL); }

TEST(exec_traps_or_tells)
{
    pid_t pid = tracee(run_leave);
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), STOP(SIGTRAP));
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), 33 << 8);
    pid = tracee(run_leave);
    EXPECT_OK(ask(PTRACE_SETOPTIONS, pid, 0, (void *)PTRACE_O_TRACEEXEC));
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), EVENT(PTRACE_EVENT_EXEC));
    unsigned long old = 0;
    EXPECT_OK(ask(PTRACE_GETEVENTMSG, pid, 0, &old));
    EXPECT_EQ((pid_t)old, pid);
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), 33 << 8);
}

static volatile long spun;
static void spin(void)
{
    for (;;)
        spun++;
}

TEST(steps_go_one_instruction)
{
    pid_t pid = tracee(spin);
    unsigned long last = 0;
    int moved = 0;
    for (int i = 0; i < 200; i++) {
        EXPECT_EQ(go(PTRACE_SINGLESTEP, pid, 0), STOP(SIGTRAP));
        struct user_regs_struct r = regs_of(pid);
        moved += r.rip != last;
        last = r.rip;
        EXPECT_EQ(r.eflags & 0x100, 0);
    }
    EXPECT_GE(moved, 100);
    finish(pid);
}

static void step_over_call(void) { syscall(SYS_getppid); }

TEST(a_step_over_a_call_stops_behind_it)
{
    pid_t pid = tracee(step_over_call);
    bool seen = false;
    for (int i = 0; i < 3000 && !seen; i++) {
        struct user_regs_struct r = regs_of(pid);
        long insn = ask(PTRACE_PEEKTEXT, pid, (long)r.rip, 0);
        bool at_call = (insn & 0xffff) == 0x050f && r.rax == SYS_getppid;
        EXPECT_EQ(go(PTRACE_SINGLESTEP, pid, 0), STOP(SIGTRAP));
        if (!at_call)
            continue;
        seen = true;
        EXPECT_EQ(regs_of(pid).rip, r.rip + 2);
        EXPECT_EQ((pid_t)regs_of(pid).rax, getpid());
    }
    EXPECT_TRUE(seen);
    finish(pid);
}

__attribute__((noinline)) static int target(int x)
{
    __asm__ volatile("" ::: "memory");
    return x + 1;
}
static int (*volatile call_target)(int) = target;
static void reach_target(void) { _exit(call_target(4) + call_target(5)); }

TEST(a_breakpoint_in_text)
{
    pid_t pid = tracee(reach_target);
    long at = (long)target;
    errno = 0;
    long insn = ask(PTRACE_PEEKTEXT, pid, at, 0);
    EXPECT_EQ(errno, 0);
    EXPECT_MEMEQ(&insn, (void *)target, sizeof insn);
    long with_int3 = (insn & ~0xffl) | 0xcc;
    EXPECT_OK(ask(PTRACE_POKETEXT, pid, at, (void *)with_int3));
    EXPECT_EQ(ask(PTRACE_PEEKTEXT, pid, at, 0), with_int3);
    EXPECT_MEMEQ(&insn, (void *)target, sizeof insn); // not in the file's other maps
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(go(PTRACE_CONT, pid, 0), STOP(SIGTRAP));
        struct user_regs_struct r = regs_of(pid);
        EXPECT_EQ((long)r.rip, at + 1);
        EXPECT_EQ((int)r.rdi, 4 + i);
        EXPECT_OK(ask(PTRACE_POKETEXT, pid, at, (void *)insn));
        r.rip = (unsigned long)at;
        EXPECT_OK(ask(PTRACE_SETREGS, pid, 0, &r));
        EXPECT_EQ(go(PTRACE_SINGLESTEP, pid, 0), STOP(SIGTRAP));
        EXPECT_OK(ask(PTRACE_POKETEXT, pid, at, (void *)with_int3));
    }
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), 11 << 8);
}

TEST(sigkill_ends_every_stop)
{
    pid_t pid = tracee(nothing);
    finish(pid);
    pid = tracee(call_getppid);
    EXPECT_EQ(go(PTRACE_SYSCALL, pid, 0), STOP(SIGTRAP));
    finish(pid);
    pid = tracee(raise_usr1);
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), STOP(SIGUSR1));
    finish(pid);
}

TEST(a_registers_nonsense_is_the_tracees_loss)
{
    pid_t pid = tracee(nothing);
    struct user_regs_struct r = regs_of(pid);
    r.rip = 0xffff800000000000;
    EXPECT_OK(ask(PTRACE_SETREGS, pid, 0, &r));
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), STOP(SIGSEGV));
    EXPECT_EQ(go(PTRACE_CONT, pid, SIGSEGV) & 0x7f, SIGSEGV);
    pid = tracee(nothing);
    r = regs_of(pid);
    r.fs_base = 0xffff800000000000;
    EXPECT_ERRNO(ask(PTRACE_SETREGS, pid, 0, &r), EIO);
    r = regs_of(pid);
    r.cs = 0x10;
    EXPECT_ERRNO(ask(PTRACE_SETREGS, pid, 0, &r), EIO);
    EXPECT_OK(ask(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, eflags), (void *)~0ul));
    EXPECT_EQ(regs_of(pid).eflags & 0x3000, 0); // no I/O privilege
    EXPECT_OK(ask(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, eflags), (void *)0x202));
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), 7 << 8);
}

// A call that waits is shown twice, on its way in and out, however long it takes.
TEST(waiting_call_is_shown_once) {
    int pipes[2], status, stops = 0;
    ASSERT_OK(pipe(pipes));
    pid_t pid = fork_child();
    if (pid == 0) {
        char byte;
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        EXPECT_EQ(syscall(SYS_read, pipes[0], &byte, 1), 1);
        child_done();
    }
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_OK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
    for (;;) {
        struct user_regs_struct regs;
        ptrace(PTRACE_SYSCALL, pid, 0, 0);
        if (stops == 1) {
            sleep_ms(100);
            EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
            ASSERT_EQ(write(pipes[1], "x", 1), 1);
        }
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        if (!WIFSTOPPED(status))
            break;
        ASSERT_OK(ptrace(PTRACE_GETREGS, pid, 0, &regs));
        stops += status >> 8 == (SIGTRAP | 0x80) && regs.orig_rax == SYS_read;
    }
    EXPECT_EQ(stops, 2);
    close(pipes[0]);
    close(pipes[1]);
}
