// SPDX-License-Identifier: Apache-2.0
// covers: rt_sigreturn
// General, SSE and AVX registers and flags survive a handler that destroys them (man 2 sigreturn).
#include "guest.h"

static volatile int count;

static void destroy(int signal)
{
    count++;
    __asm__ volatile("pxor %%xmm0, %%xmm0; pxor %%xmm5, %%xmm5; pxor %%xmm15, %%xmm15; fninit; std; cld" ::
                         : "xmm0", "xmm5", "xmm15");
}

__attribute__((target("avx"))) static void destroy_avx(int signal)
{
    count++;
    __asm__ volatile("vzeroall" ::: "memory");
}

// kill(self) in line, so that registers live across the delivery.
TEST(general_and_sse)
{
    on_signal(SIGUSR1, destroy, 0);
    double in[2] = {1.25, -3.5}, out0[2], out15[2];
    long out[3], number = SYS_kill;
    __asm__ volatile("movupd %[in], %%xmm0\n movupd %[in], %%xmm15\n"
                     "mov $0x1212, %%r12\n mov $0x1313, %%r13\n mov $-1, %%r15\n"
                     "syscall\n"
                     "movupd %%xmm0, %[out0]\n movupd %%xmm15, %[out15]\n"
                     "mov %%r12, %[r12]\n mov %%r13, %[r13]\n mov %%r15, %[r15]\n"
                     : "+a"(number), [out0] "=m"(out0), [out15] "=m"(out15), [r12] "=m"(out[0]),
                       [r13] "=m"(out[1]), [r15] "=m"(out[2])
                     : [in] "m"(in), "D"((long)getpid()), "S"((long)SIGUSR1)
                     : "rcx", "r11", "r12", "r13", "r15", "xmm0", "xmm15", "memory");
    EXPECT_EQ(out[0], 0x1212);
    EXPECT_EQ(out[1], 0x1313);
    EXPECT_EQ(out[2], -1);
    EXPECT_EQ(number, 0);
    EXPECT_EQ(count, 1);
    EXPECT_MEMEQ(out0, in, sizeof(in));
    EXPECT_MEMEQ(out15, in, sizeof(in));
}

TEST(avx)
{
    if (!__builtin_cpu_supports("avx"))
        SKIP("the processor has no AVX");
    on_signal(SIGUSR1, destroy_avx, 0);
    char in[32], out[32];
    for (int i = 0; i < 32; i++)
        in[i] = (char)(i + 1);
    long number = SYS_kill;
    __asm__ volatile("vmovdqu %[in], %%ymm3\n syscall\n vmovdqu %%ymm3, %[out]\n vzeroupper"
                     : "+a"(number), [out] "=m"(out)
                     : [in] "m"(in), "D"((long)getpid()), "S"((long)SIGUSR1)
                     : "rcx", "r11", "memory");
    EXPECT_MEMEQ(out, in, 32);
    signal(SIGUSR1, SIG_DFL);
}

TEST(x87_and_rounding_mode)
{
    on_signal(SIGUSR1, destroy, 0);
    unsigned short before = 0x0f7f, after = 0;
    unsigned mxcsr = 0x7f80, mxcsr_after = 0, normal = 0x1f80;
    __asm__ volatile("fldcw %0; ldmxcsr %1" ::"m"(before), "m"(mxcsr));
    kill(getpid(), SIGUSR1);
    __asm__ volatile("fnstcw %0; stmxcsr %1; fninit; ldmxcsr %2" : "=m"(after), "=m"(mxcsr_after)
                     : "m"(normal));
    EXPECT_EQ(after, before);
    EXPECT_EQ(mxcsr_after & 0xffc0, mxcsr & 0xffc0);
    signal(SIGUSR1, SIG_DFL);
}

TEST(direction_flag_is_clear_in_the_handler)
{
    on_signal(SIGUSR1, destroy, 0);
    unsigned long flags;
    long number = SYS_kill;
    __asm__ volatile("std\n syscall\n pushfq\n pop %[flags]\n cld"
                     : "+a"(number), [flags] "=r"(flags)
                     : "D"((long)getpid()), "S"((long)SIGUSR1)
                     : "rcx", "r11", "memory");
    EXPECT_EQ(flags >> 10 & 1, 1);
    signal(SIGUSR1, SIG_DFL);
}
