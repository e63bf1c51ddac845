// SPDX-License-Identifier: Apache-2.0
// covers: ptrace, wait4, waitid
// Attaching to others: ATTACH, SEIZE, INTERRUPT, LISTEN, threads, group stops, what the parent hears and
// when, the tracer's death, and who may not (man 2 ptrace).
#include "guest.h"

#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define STOP(sig)      ((sig) << 8 | 0x7f)
#define EVENT(e, sig)  ((e) << 16 | (sig) << 8 | 0x7f)

static long ask(int request, pid_t pid, long addr, void *data)
{
    return ptrace((enum __ptrace_request)request, pid, (void *)addr, data);
}

static int next(pid_t pid)
{
    int status = -1;
    EXPECT_EQ(waitpid(pid, &status, __WALL), pid);
    return status;
}

static int go(int request, pid_t pid, long sig)
{
    EXPECT_OK(ask(request, pid, 0, (void *)sig));
    return next(pid);
}

static pid_t sleeper(void)
{
    pid_t pid = fork_child();
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

static void finish(pid_t pid)
{
    kill(pid, SIGKILL);
    EXPECT_EQ(wait_exit(pid), -SIGKILL);
}

TEST(attach_stops_and_detach_lets_go)
{
    pid_t pid = sleeper();
    EXPECT_OK(ask(PTRACE_ATTACH, pid, 0, 0));
    EXPECT_ERRNO(ask(PTRACE_ATTACH, pid, 0, 0), EPERM);
    EXPECT_EQ(next(pid), STOP(SIGSTOP));
    struct user_regs_struct r;
    EXPECT_OK(ask(PTRACE_GETREGS, pid, 0, &r));
    EXPECT_OK(ask(PTRACE_DETACH, pid, 0, 0));
    EXPECT_ERRNO(ask(PTRACE_GETREGS, pid, 0, &r), ESRCH);
    EXPECT_OK(kill(pid, SIGTERM));
    EXPECT_EQ(wait_exit(pid), -SIGTERM);
}

TEST(detach_with_a_signal)
{
    pid_t pid = sleeper();
    EXPECT_OK(ask(PTRACE_ATTACH, pid, 0, 0));
    EXPECT_EQ(next(pid), STOP(SIGSTOP));
    EXPECT_OK(ask(PTRACE_DETACH, pid, 0, (void *)SIGUSR1));
    EXPECT_EQ(wait_exit(pid), -SIGUSR1);
}

TEST(seize_does_not_stop_and_interrupt_does)
{
    pid_t pid = sleeper();
    EXPECT_ERRNO(ask(PTRACE_SEIZE, pid, 1, 0), EIO);
    EXPECT_ERRNO(ask(PTRACE_SEIZE, pid, 0, (void *)0x40000000), EIO);
    EXPECT_OK(ask(PTRACE_SEIZE, pid, 0, (void *)PTRACE_O_TRACESYSGOOD));
    struct user_regs_struct r;
    EXPECT_ERRNO(ask(PTRACE_GETREGS, pid, 0, &r), ESRCH); // it runs
    EXPECT_EQ(waitpid(pid, NULL, WNOHANG), 0);
    EXPECT_OK(ask(PTRACE_INTERRUPT, pid, 0, 0));
    EXPECT_EQ(next(pid), EVENT(PTRACE_EVENT_STOP, SIGTRAP));
    siginfo_t si;
    EXPECT_OK(ask(PTRACE_GETSIGINFO, pid, 0, &si));
    EXPECT_EQ(si.si_code, PTRACE_EVENT_STOP << 8 | SIGTRAP);
    EXPECT_OK(kill(pid, SIGUSR1));
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), STOP(SIGUSR1));
    EXPECT_EQ(go(PTRACE_CONT, pid, SIGUSR1) & 0x7f, SIGUSR1);
}

TEST(interrupt_is_for_the_seized)
{
    pid_t pid = sleeper();
    EXPECT_OK(ask(PTRACE_ATTACH, pid, 0, 0));
    EXPECT_ERRNO(ask(PTRACE_INTERRUPT, pid, 0, 0), EIO);
    EXPECT_EQ(next(pid), STOP(SIGSTOP));
    EXPECT_ERRNO(ask(PTRACE_LISTEN, pid, 0, 0), EIO);
    finish(pid);
}

TEST(a_group_stop_is_listened_to)
{
    pid_t pid = sleeper();
    EXPECT_OK(ask(PTRACE_SEIZE, pid, 0, 0));
    EXPECT_OK(kill(pid, SIGSTOP));
    EXPECT_EQ(next(pid), STOP(SIGSTOP));
    EXPECT_EQ(go(PTRACE_CONT, pid, SIGSTOP), EVENT(PTRACE_EVENT_STOP, SIGSTOP));
    EXPECT_OK(ask(PTRACE_LISTEN, pid, 0, 0));
    struct user_regs_struct r;
    EXPECT_ERRNO(ask(PTRACE_GETREGS, pid, 0, &r), ESRCH);
    EXPECT_OK(kill(pid, SIGCONT));
    EXPECT_EQ(next(pid), EVENT(PTRACE_EVENT_STOP, SIGTRAP));
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), STOP(SIGCONT));
    EXPECT_OK(ask(PTRACE_CONT, pid, 0, 0));
    finish(pid);
}

TEST(a_group_stop_of_the_attached)
{
    pid_t pid = sleeper();
    EXPECT_OK(ask(PTRACE_ATTACH, pid, 0, 0));
    EXPECT_EQ(next(pid), STOP(SIGSTOP));
    EXPECT_EQ(go(PTRACE_CONT, pid, SIGSTOP), STOP(SIGSTOP)); // the group stop
    siginfo_t si;
    EXPECT_ERRNO(ask(PTRACE_GETSIGINFO, pid, 0, &si), EINVAL);
    EXPECT_OK(kill(pid, SIGUSR1));
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), STOP(SIGUSR1)); // runs on, stopped group or not
    EXPECT_OK(ask(PTRACE_DETACH, pid, 0, 0));          // and stops with it now
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
    EXPECT_EQ(status, STOP(SIGSTOP));
    EXPECT_OK(kill(pid, SIGCONT));
    finish(pid);
}

TEST(a_stopped_one_is_in_its_stop_when_attach_returns)
{
    for (int i = 0; i < 20; i++) {
        struct user_regs_struct r;
        int status;
        pid_t pid = fork_child();
        if (pid == 0) {
            raise(SIGSTOP);
            child_done();
        }
        EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
        EXPECT_OK(ask(i & 1 ? PTRACE_SEIZE : PTRACE_ATTACH, pid, 0, 0));
        EXPECT_OK(ask(PTRACE_GETREGS, pid, 0, &r));
        finish(pid);
    }
}

TEST(one_that_is_attached_to_as_it_is_killed)
{
    for (int i = 0; i < 20; i++) {
        int status;
        pid_t pid = fork_child();
        if (pid == 0)
            for (;;)
                raise(SIGSTOP);
        EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
        pid_t killer = fork_child();
        if (killer == 0) {
            kill(pid, i & 1 ? SIGKILL : SIGCONT);
            child_done();
        }
        if (ask(PTRACE_ATTACH, pid, 0, 0) < 0)
            EXPECT_EQ(errno, EPERM); // it is dead
        EXPECT_EQ(waitpid(killer, &status, 0), killer);
        kill(pid, SIGKILL);
        while (waitpid(pid, &status, __WALL) == pid && !WIFSIGNALED(status))
            ;
        EXPECT_EQ(WTERMSIG(status), SIGKILL);
    }
}

// ---- Threads ----------------------------------------------------------------------------------------------
static atomic_int tid_of_thread;
static void *thread_body(void *arg)
{
    tid_of_thread = (int)syscall(SYS_gettid);
    for (;;)
        pause();
    return arg;
}

TEST(threads_are_traced_one_by_one)
{
    int pipes[2];
    ASSERT_OK(pipe(pipes));
    pid_t pid = fork_child();
    if (pid == 0) {
        pthread_t t;
        pthread_create(&t, NULL, thread_body, NULL);
        while (!tid_of_thread)
            sleep_ms(1);
        int tid = tid_of_thread;
        write(pipes[1], &tid, sizeof tid);
        for (;;)
            pause();
    }
    int tid = 0;
    EXPECT_EQ(read(pipes[0], &tid, sizeof tid), (ssize_t)sizeof tid);
    EXPECT_OK(ask(PTRACE_ATTACH, tid, 0, 0));
    EXPECT_EQ(next(tid), STOP(SIGSTOP));
    EXPECT_OK(ask(PTRACE_ATTACH, pid, 0, 0));
    EXPECT_EQ(next(pid), STOP(SIGSTOP));
    EXPECT_OK(ask(PTRACE_CONT, tid, 0, 0));
    EXPECT_OK(ask(PTRACE_CONT, pid, 0, 0));
    EXPECT_OK(kill(pid, SIGKILL));
    EXPECT_EQ(next(tid) & 0x7f, SIGKILL);
    EXPECT_EQ(next(pid) & 0x7f, SIGKILL);
    close(pipes[0]);
    close(pipes[1]);
}

static void *exec_body(void *arg)
{
    execl(guest.exe, guest.exe, "leave", (char *)NULL);
    return arg;
}
ROLE(leave) { return 21; }

TEST(clone_event_and_an_exec_by_a_thread)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        pthread_t t;
        pthread_create(&t, NULL, exec_body, NULL);
        for (;;)
            pause();
    }
    EXPECT_EQ(next(pid), STOP(SIGSTOP));
    EXPECT_OK(ask(PTRACE_SETOPTIONS, pid, 0, (void *)(PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)));
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), EVENT(PTRACE_EVENT_CLONE, SIGTRAP));
    unsigned long tid = 0, former = 0;
    EXPECT_OK(ask(PTRACE_GETEVENTMSG, pid, 0, &tid));
    EXPECT_EQ(next((pid_t)tid), STOP(SIGSTOP));
    EXPECT_OK(ask(PTRACE_CONT, pid, 0, 0));
    EXPECT_OK(ask(PTRACE_CONT, (pid_t)tid, 0, 0));
    EXPECT_EQ(next(pid), EVENT(PTRACE_EVENT_EXEC, SIGTRAP));
    EXPECT_OK(ask(PTRACE_GETEVENTMSG, pid, 0, &former));
    EXPECT_EQ(former, tid);
    EXPECT_EQ(go(PTRACE_CONT, pid, 0), 21 << 8);
}

// ---- Not the parent ---------------------------------------------------------------------------------------
TEST(the_parent_hears_after_the_tracer)
{
    int pipes[2];
    char c;
    ASSERT_OK(pipe(pipes));
    pid_t pid = sleeper();
    pid_t tracer = fork_child();
    if (tracer == 0) {
        prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
        EXPECT_OK(ask(PTRACE_SEIZE, pid, 0, 0));
        write(pipes[1], "x", 1);
        int status = 0;
        EXPECT_EQ(waitpid(pid, &status, __WALL), pid);
        EXPECT_EQ(status, STOP(SIGUSR1));
        EXPECT_OK(ask(PTRACE_CONT, pid, 0, (void *)SIGUSR1));
        siginfo_t si;
        EXPECT_OK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT | __WALL));
        write(pipes[1], "y", 1);
        sleep_ms(100);
        EXPECT_EQ(waitpid(pid, &status, __WALL), pid);
        EXPECT_EQ(status & 0x7f, SIGUSR1);
        EXPECT_ERRNO(waitpid(pid, &status, __WALL), ECHILD);
        child_done();
    }
    EXPECT_EQ(read(pipes[0], &c, 1), 1);
    EXPECT_OK(kill(pid, SIGUSR1));
    EXPECT_EQ(read(pipes[0], &c, 1), 1);
    EXPECT_EQ(waitpid(pid, NULL, WNOHANG), 0); // a zombie that is still the tracer's
    EXPECT_EQ(wait_exit(pid), -SIGUSR1);
    EXPECT_EQ(wait_exit(tracer), 0);
    close(pipes[0]);
    close(pipes[1]);
}

static void tracer_dies(long options, int stop_first)
{
    pid_t pid = sleeper();
    pid_t tracer = fork_child();
    if (tracer == 0) {
        EXPECT_OK(ask(PTRACE_SEIZE, pid, 0, (void *)options));
        if (stop_first) {
            EXPECT_OK(ask(PTRACE_INTERRUPT, pid, 0, 0));
            next(pid);
        }
        child_done();
    }
    EXPECT_EQ(wait_exit(tracer), 0);
    if (!(options & PTRACE_O_EXITKILL)) {
        EXPECT_EQ(waitpid(pid, NULL, WNOHANG), 0);
        EXPECT_OK(kill(pid, SIGTERM));
    }
    EXPECT_EQ(wait_exit(pid), options & PTRACE_O_EXITKILL ? -SIGKILL : -SIGTERM);
}

TEST(a_tracer_that_dies_lets_go)
{
    tracer_dies(0, 0);
    tracer_dies(0, 1);
}

// ... but one whose stop the tracer has not waited for stays stopped: the SIGSTOP of ATTACH is delivered.
TEST(a_tracer_that_dies_at_once_leaves_it_stopped)
{
    for (int waits = 0; waits < 2; waits++) {
        pid_t pid = sleeper(), tracer = fork_child();
        if (tracer == 0) {
            if (ask(PTRACE_ATTACH, pid, 0, 0) < 0 || (waits && next(pid) != STOP(SIGSTOP)))
                _exit(1);
            _exit(0);
        }
        EXPECT_EQ(wait_exit(tracer), 0);
        if (!waits) {
            int status = 0;
            EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
            EXPECT_EQ(status, STOP(SIGSTOP));
            EXPECT_OK(kill(pid, SIGCONT));
        }
        EXPECT_OK(kill(pid, SIGTERM));
        EXPECT_EQ(wait_exit(pid), -SIGTERM);
    }
}

TEST(or_kills)
{
    tracer_dies(PTRACE_O_EXITKILL, 0);
    tracer_dies(PTRACE_O_EXITKILL, 1);
}

// ---- Refusals ---------------------------------------------------------------------------------------------
TEST(who_may_not)
{
    EXPECT_ERRNO(ask(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
    EXPECT_ERRNO(ask(PTRACE_ATTACH, 0x3fffffff, 0, 0), ESRCH);
    EXPECT_ERRNO(ask(PTRACE_CONT, getppid() > 1 ? getppid() : getpid(), 0, 0), ESRCH);
    pid_t pid = fork_child();
    if (pid == 0) {
        EXPECT_OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
        EXPECT_ERRNO(ptrace(PTRACE_TRACEME, 0, 0, 0), EPERM);
        child_done();
    }
    EXPECT_EQ(wait_exit(pid), 0);
}

TEST(an_undumpable_one_or_another_users)
{
    pid_t plain = sleeper();
    pid_t hidden = fork_child();
    if (hidden == 0) {
        prctl(PR_SET_DUMPABLE, 0);
        for (;;)
            pause();
    }
    sleep_ms(50);
    if (geteuid() != 0) {
        EXPECT_ERRNO(ask(PTRACE_ATTACH, hidden, 0, 0), EPERM);
    } else {
        pid_t user = fork_child();
        if (user == 0) {
            EXPECT_OK(setresgid(65534, 65534, 65534));
            EXPECT_OK(setresuid(65534, 65534, 65534));
            EXPECT_ERRNO(ask(PTRACE_ATTACH, plain, 0, 0), EPERM);
            EXPECT_ERRNO(ask(PTRACE_SEIZE, plain, 0, 0), EPERM);
            child_done();
        }
        EXPECT_EQ(wait_exit(user), 0);
    }
    finish(plain);
    finish(hidden);
}

TEST(bad_requests_and_pointers)
{
    pid_t pid = sleeper();
    EXPECT_OK(ask(PTRACE_ATTACH, pid, 0, 0));
    EXPECT_EQ(next(pid), STOP(SIGSTOP));
    long word;
    EXPECT_EQ(syscall(SYS_ptrace, PTRACE_PEEKTEXT, pid, 8, &word), -1);
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(syscall(SYS_ptrace, PTRACE_PEEKTEXT, pid, &word, KERNEL_POINTER), -1);
    EXPECT_EQ(errno, EFAULT);
    EXPECT_ERRNO(ask(PTRACE_POKETEXT, pid, 8, 0), EIO);
    EXPECT_ERRNO(ask(PTRACE_POKETEXT, pid, (long)KERNEL_POINTER, 0), EIO);
    EXPECT_EQ(syscall(SYS_ptrace, PTRACE_PEEKUSER, pid, 3, &word), -1);
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(syscall(SYS_ptrace, PTRACE_PEEKUSER, pid, 4096, &word), -1);
    EXPECT_EQ(errno, EIO);
    EXPECT_ERRNO(ask(PTRACE_CONT, pid, 0, (void *)65), EIO);
    EXPECT_ERRNO(ask(PTRACE_DETACH, pid, 0, (void *)-1), EIO);
    EXPECT_ERRNO(ask(PTRACE_SETOPTIONS, pid, 0, (void *)0x40000000), EINVAL);
    EXPECT_ERRNO(ask(PTRACE_GETREGS, pid, 0, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(ask(PTRACE_GETSIGINFO, pid, 0, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(ask(PTRACE_SETSIGINFO, pid, 0, NULL), EFAULT);
    EXPECT_ERRNO(ask(PTRACE_GETREGSET, pid, 77, &word), EINVAL);
    EXPECT_ERRNO(ask(PTRACE_GETREGSET, pid, 1, NULL), EFAULT);
    EXPECT_ERRNO(ask(PTRACE_GETSIGMASK, pid, 4, &word), EINVAL);
    EXPECT_ERRNO(ask(0x7777, pid, 0, 0), EIO);
    finish(pid);
}
