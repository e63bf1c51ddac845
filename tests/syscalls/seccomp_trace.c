// SPDX-License-Identifier: Apache-2.0
// covers: seccomp, ptrace
// SECCOMP_RET_TRACE: the call is the tracer's to change, skip or let go (man 2 ptrace, PTRACE_EVENT_SECCOMP).
#include "guest.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define STOPPED(status, event) ((status) >> 8 == (SIGTRAP | (event) << 8))

static int filter(unsigned action) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

TEST(without_tracer) {
    IN_CHILD {
        ASSERT_OK(filter(SECCOMP_RET_TRACE | 7));
        EXPECT_ERRNO(syscall(SYS_getppid), ENOSYS);
    }
}

static pid_t tracee(void) {
    pid_t pid = fork_child();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        ASSERT_OK(filter(SECCOMP_RET_TRACE | 7));
        long a = syscall(SYS_getppid), b = syscall(SYS_getppid), c = syscall(SYS_getppid);
        EXPECT_GE(a, 1);
        EXPECT_EQ(b, 4711);
        EXPECT_EQ(c, getpid());
        child_done();
    }
    return pid;
}

TEST(changed_and_skipped) {
    int status;
    unsigned long message;
    struct user_regs_struct regs;
    pid_t pid = tracee();
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_OK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD));
    ptrace(PTRACE_CONT, pid, 0, 0);
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(STOPPED(status, PTRACE_EVENT_SECCOMP));
    EXPECT_OK(ptrace(PTRACE_GETEVENTMSG, pid, 0, &message));
    EXPECT_EQ(message, 7);
    EXPECT_OK(ptrace(PTRACE_GETREGS, pid, 0, &regs));
    EXPECT_EQ(regs.orig_rax, SYS_getppid);
    EXPECT_EQ((long)regs.rax, -ENOSYS);
    struct __ptrace_syscall_info info;
    memset(&info, 0, sizeof(info));
    EXPECT_GE(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info), 84);
    EXPECT_EQ(info.op, PTRACE_SYSCALL_INFO_SECCOMP);
    EXPECT_EQ(info.seccomp.nr, SYS_getppid);
    EXPECT_EQ(info.seccomp.ret_data, 7);
    // sent on to the next call stop: that is the way back, for the way in has been
    ptrace(PTRACE_SYSCALL, pid, 0, 0);
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status >> 8, SIGTRAP | 0x80);
    EXPECT_OK(ptrace(PTRACE_GETREGS, pid, 0, &regs));
    EXPECT_EQ((long)regs.rax, getpid());
    // skipped
    ptrace(PTRACE_CONT, pid, 0, 0);
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(STOPPED(status, PTRACE_EVENT_SECCOMP));
    EXPECT_OK(ptrace(PTRACE_GETREGS, pid, 0, &regs));
    regs.orig_rax = -1;
    regs.rax = 4711;
    EXPECT_OK(ptrace(PTRACE_SETREGS, pid, 0, &regs));
    ptrace(PTRACE_CONT, pid, 0, 0);
    // another call
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(STOPPED(status, PTRACE_EVENT_SECCOMP));
    EXPECT_OK(ptrace(PTRACE_GETREGS, pid, 0, &regs));
    regs.orig_rax = SYS_getpid;
    EXPECT_OK(ptrace(PTRACE_SETREGS, pid, 0, &regs));
    ptrace(PTRACE_CONT, pid, 0, 0);
    EXPECT_EQ(wait_exit(pid), 0);
}

// A tracer that changes a call at its entry does not get it past the filter.
TEST(entry_comes_first) {
    int status;
    struct user_regs_struct regs;
    pid_t pid = fork_child();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        ASSERT_OK(filter(SECCOMP_RET_ERRNO | EXDEV));
        raise(SIGSTOP);
        EXPECT_ERRNO(syscall(SYS_getpgid, 0), EXDEV);
        child_done();
    }
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_OK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
    for (;;) {
        ptrace(PTRACE_SYSCALL, pid, 0, 0);
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        if (!WIFSTOPPED(status))
            break;
        ptrace(PTRACE_GETREGS, pid, 0, &regs);
        if (regs.orig_rax == SYS_getpgid && (long)regs.rax == -ENOSYS) {
            regs.orig_rax = SYS_getppid;
            ptrace(PTRACE_SETREGS, pid, 0, &regs);
        }
    }
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
