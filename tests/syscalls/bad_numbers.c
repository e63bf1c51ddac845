// SPDX-License-Identifier: Apache-2.0
// covers: restart_syscall
// Numbers that no call has are ENOSYS; register contents survive any system call (man 2 syscall).
#include "guest.h"

TEST(unknown_numbers)
{
    long numbers[] = {-1, 337, 400, 423, 600, 5000, 0x7fffffff};
    for (int i = 0; i < 7; i++)
        EXPECT_ERRNO(syscall(numbers[i], 0, 0, 0, 0, 0, 0), ENOSYS);
}

TEST(old_numbers)
{
    EXPECT_ERRNO(syscall(SYS_uselib, 0), ENOSYS);
    EXPECT_ERRNO(syscall(SYS_create_module, 0), ENOSYS);
    EXPECT_ERRNO(syscall(SYS_getpmsg, 0), ENOSYS);
    EXPECT_ERRNO(syscall(SYS_vserver, 0), ENOSYS);
}

// Only rax, rcx and r11 change.
TEST(registers_survive)
{
    long numbers[] = {SYS_getpid, SYS_sched_yield, SYS_gettid, 400};
    for (int i = 0; i < 4; i++) {
        long rax = numbers[i], out[8];
        __asm__ volatile("mov $1, %%rdi\n mov $2, %%rsi\n mov $3, %%rdx\n mov $4, %%r10\n mov $5, %%r8\n"
                         "mov $6, %%r9\n mov $7, %%r12\n mov $8, %%r14\n"
                         "syscall\n"
                         "mov %%rdi, 0(%[out])\n mov %%rsi, 8(%[out])\n mov %%rdx, 16(%[out])\n"
                         "mov %%r10, 24(%[out])\n mov %%r8, 32(%[out])\n mov %%r9, 40(%[out])\n"
                         "mov %%r12, 48(%[out])\n mov %%r14, 56(%[out])\n"
                         : "+a"(rax)
                         : [out] "b"(out)
                         : "rdi", "rsi", "rdx", "r10", "r8", "r9", "r12", "r14", "rcx", "r11", "memory");
        for (int n = 0; n < 8; n++)
            EXPECT_EQ(out[n], n + 1);
    }
}

TEST(upper_half_of_the_number)
{
    long rax = 0x100000000 + SYS_getpid;
    __asm__ volatile("syscall" : "+a"(rax)::"rcx", "r11", "memory");
    EXPECT_TRUE(rax == getpid() || rax == -ENOSYS);
}

TEST(narrow_arguments)
{
    // Descriptors are 32 bits wide: the upper half is not looked at.
    EXPECT_EQ(syscall(SYS_fcntl, 0x100000001, F_GETFD, 0), fcntl(1, F_GETFD));
    EXPECT_EQ(syscall(SYS_close, 0xffffffff00000000 + 12345), -1);
    EXPECT_EQ(errno, EBADF);
}
