// SPDX-License-Identifier: Apache-2.0
// covers: rt_sigaction
// Processor faults become SIGFPE, SIGILL, SIGTRAP, SIGSEGV with their codes; a blocked or ignored fault
// kills (man 2 sigaction).
#include "guest.h"

static siginfo_t last;
static sigjmp_buf escape;

static void jump_out(int signal, siginfo_t *info, void *context)
{
    last = *info;
    siglongjmp(escape, signal);
}

static void divide(void)
{
    volatile int zero = 0, one = 1;
    one = one / zero;
}

static void undefined(void)
{
    __asm__ volatile("ud2");
}

static void breakpoint(void)
{
    __asm__ volatile("int3");
}

static void privileged(void)
{
    __asm__ volatile("hlt");
}

static int signal_of(void (*function)(void))
{
    int signals[] = {SIGFPE, SIGILL, SIGTRAP, SIGSEGV};
    for (int i = 0; i < 4; i++)
        on_siginfo(signals[i], jump_out, 0);
    int result = sigsetjmp(escape, 1);
    if (result == 0)
        function();
    for (int i = 0; i < 4; i++)
        signal(signals[i], SIG_DFL);
    return result;
}

TEST(codes)
{
    EXPECT_EQ(signal_of(divide), SIGFPE);
    EXPECT_EQ(last.si_code, FPE_INTDIV);
    EXPECT_EQ(signal_of(undefined), SIGILL);
    EXPECT_EQ(last.si_code, ILL_ILLOPN);
    EXPECT_TRUE(last.si_addr != NULL);
    EXPECT_EQ(signal_of(breakpoint), SIGTRAP);
    EXPECT_EQ(last.si_code, SI_KERNEL);
    EXPECT_EQ(signal_of(privileged), SIGSEGV);
    EXPECT_EQ(last.si_code, SI_KERNEL);
}

static volatile int traps;

static void count(int signal)
{
    traps++;
}

TEST(breakpoints_continue)
{
    on_signal(SIGTRAP, count, 0);
    for (int i = 0; i < 5; i++)
        breakpoint();
    EXPECT_EQ(traps, 5);
    signal(SIGTRAP, SIG_DFL);
}

TEST(unhandled)
{
    void (*functions[])(void) = {divide, undefined, breakpoint, privileged};
    int signals[] = {SIGFPE, SIGILL, SIGTRAP, SIGSEGV};
    for (int i = 0; i < 4; i++) {
        for (int mode = 0; mode < 3; mode++) {
            pid_t pid = fork();
            if (pid == 0) {
                if (mode == 1)
                    signal(signals[i], SIG_IGN);
                if (mode == 2)
                    block_signal(SIG_BLOCK, signals[i]);
                functions[i]();
                _exit(0);
            }
            EXPECT_EQ(wait_exit(pid), -signals[i]);
        }
    }
}

TEST(sent_ones_may_be_ignored)
{
    signal(SIGSEGV, SIG_IGN);
    EXPECT_OK(raise(SIGSEGV));
    signal(SIGSEGV, SIG_DFL);
}
