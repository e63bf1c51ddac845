// SPDX-License-Identifier: Apache-2.0
// covers: rt_sigaction, sigaltstack
// A handler that cannot get a frame ends the process with SIGSEGV (man 2 sigaltstack, NOTES).
#include "guest.h"

static void handler(int signal)
{
    _exit(3);
}

static int with_stack_pointer(unsigned long value)
{
    pid_t pid = fork();
    if (pid == 0) {
        on_signal(SIGUSR1, handler, 0);
        long number = SYS_kill, id = getpid();
        __asm__ volatile("mov %[sp], %%rsp\n syscall\n mov $60, %%eax\n mov $4, %%edi\n syscall"
                         : "+a"(number)
                         : "D"(id), "S"((long)SIGUSR1), [sp] "r"(value)
                         : "memory");
    }
    return wait_exit(pid);
}

TEST(unmapped)
{
    EXPECT_EQ(with_stack_pointer(4096), -SIGSEGV);
    EXPECT_EQ(with_stack_pointer(0), -SIGSEGV);
}

TEST(kernel_half)
{
    EXPECT_EQ(with_stack_pointer(0xffff880000000000), -SIGSEGV);
    EXPECT_EQ(with_stack_pointer(0x0000900000000000), -SIGSEGV);
}

TEST(read_only)
{
    EXPECT_EQ(with_stack_pointer((unsigned long)read_only_page() + 4096), -SIGSEGV);
}

TEST(good_one_works)
{
    char *stack = map_pages(16, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    EXPECT_EQ(with_stack_pointer((unsigned long)stack + 16 * 4096), 3);
    munmap(stack, 16 * 4096);
}
