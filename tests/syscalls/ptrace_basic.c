// SPDX-License-Identifier: Apache-2.0
// covers: ptrace
// A program traces its own child where ptrace is offered: stops, registers, memory (man 2 ptrace).
#include "guest.h"

#include <sys/ptrace.h>
#include <sys/user.h>

static volatile long shared_word = 0x1234;

static pid_t traced(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
            _exit(GUEST_EXIT_SKIP);
        raise(SIGSTOP);
        _exit(shared_word == 0x1234 ? 11 : 12);
    }
    int status;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == GUEST_EXIT_SKIP)
        SKIP("ptrace is not offered here");
    EXPECT_TRUE(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    return pid;
}

TEST(continue_to_exit)
{
    pid_t pid = traced();
    EXPECT_OK(ptrace(PTRACE_CONT, pid, 0, 0));
    EXPECT_EQ(wait_exit(pid), 11);
}

TEST(memory_and_registers)
{
    pid_t pid = traced();
    errno = 0;
    EXPECT_EQ(ptrace(PTRACE_PEEKDATA, pid, &shared_word, 0), 0x1234);
    EXPECT_OK(ptrace(PTRACE_POKEDATA, pid, &shared_word, 0x9999L));
    struct user_regs_struct regs;
    EXPECT_OK(ptrace(PTRACE_GETREGS, pid, 0, &regs));
    EXPECT_TRUE(regs.rip != 0 && regs.rsp != 0);
    EXPECT_OK(ptrace(PTRACE_DETACH, pid, 0, 0));
    EXPECT_EQ(wait_exit(pid), 12);
    EXPECT_EQ(shared_word, 0x1234);
}
