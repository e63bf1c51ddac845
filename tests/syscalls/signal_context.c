// SPDX-License-Identifier: Apache-2.0
// covers: rt_sigreturn
// A handler changes registers and mask through its ucontext, and skips a faulting instruction (man 2
// sigreturn).
#include "guest.h"

#include <ucontext.h>

static void set_rax(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    uc->uc_mcontext.gregs[REG_RAX] = 4242;
    uc->uc_mcontext.gregs[REG_RBX] = 77;
}

TEST(changes_registers)
{
    on_siginfo(SIGUSR1, set_rax, 0);
    long rax = SYS_kill, rbx = 1;
    __asm__ volatile("syscall"
                     : "+a"(rax), "+b"(rbx)
                     : "D"((long)getpid()), "S"((long)SIGUSR1)
                     : "rcx", "r11", "memory");
    EXPECT_EQ(rax, 4242);
    EXPECT_EQ(rbx, 77);
}

static void skip_fault(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    uc->uc_mcontext.gregs[REG_RIP] += 3;
    uc->uc_mcontext.gregs[REG_RAX] = 9;
}

TEST(skips_an_instruction)
{
    on_siginfo(SIGSEGV, skip_fault, 0);
    long value = 0;
    __asm__ volatile(".byte 0x48, 0x8b, 0x01" : "=a"(value) : "c"(8L));  // mov (%rcx),%rax
    EXPECT_EQ(value, 9);
    signal(SIGSEGV, SIG_DFL);
}

static void block_in_context(int signal, siginfo_t *info, void *context)
{
    sigaddset(&((ucontext_t *)context)->uc_sigmask, SIGUSR2);
}

TEST(changes_the_mask)
{
    IN_CHILD {
        on_siginfo(SIGUSR1, block_in_context, 0);
        raise(SIGUSR1);
        sigset_t now;
        EXPECT_OK(sigprocmask(SIG_BLOCK, NULL, &now));
        EXPECT_EQ(sigismember(&now, SIGUSR2), 1);
    }
}

static volatile uintptr_t saved_rip, saved_rsp;

static void look(int signal, siginfo_t *info, void *context)
{
    saved_rip = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    saved_rsp = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RSP];
}

TEST(context_is_where_the_program_was)
{
    on_siginfo(SIGUSR1, look, 0);
    uintptr_t here, stack;
    long number = SYS_kill;
    __asm__ volatile("lea 1f(%%rip), %[here]\n mov %%rsp, %[stack]\n syscall\n 1:"
                     : "+a"(number), [here] "=&r"(here), [stack] "=&r"(stack)
                     : "D"((long)getpid()), "S"((long)SIGUSR1)
                     : "rcx", "r11", "memory");
    EXPECT_EQ(saved_rip, here);
    EXPECT_EQ(saved_rsp, stack);
    signal(SIGUSR1, SIG_DFL);
}

TEST(forged_frame_ends_the_process_only)
{
    pid_t pid = fork();
    if (pid == 0) {
        // rt_sigreturn with a frame that is nowhere
        __asm__ volatile("mov $8, %%rsp\n mov $15, %%eax\n syscall" ::: "memory");
        _exit(0);
    }
    EXPECT_EQ(wait_exit(pid), -SIGSEGV);
}
