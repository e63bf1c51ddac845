// SPDX-License-Identifier: Apache-2.0
// covers: sigaltstack, rt_sigaction
// SA_ONSTACK handlers run on the alternate stack; overflow of the main stack can be handled; errors (man 2
// sigaltstack).
#include "guest.h"

#include <sys/resource.h>

static char *stack;
enum { SIZE = 65536 };
static volatile uintptr_t frame;
static stack_t inside;
static sigjmp_buf escape;

static void handler(int signal)
{
    frame = (uintptr_t)__builtin_frame_address(0);
    sigaltstack(NULL, &inside);
}

static void use_altstack(int flags)
{
    stack = map_pages(SIZE / 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    stack_t set = {.ss_sp = stack, .ss_size = SIZE, .ss_flags = flags};
    ASSERT_OK(sigaltstack(&set, NULL));
}

static bool on_it(void)
{
    return frame >= (uintptr_t)stack && frame < (uintptr_t)stack + SIZE;
}

TEST(used_when_asked)
{
    IN_CHILD {
        use_altstack(0);
        on_signal(SIGUSR1, handler, SA_ONSTACK);
        raise(SIGUSR1);
        EXPECT_TRUE(on_it());
        EXPECT_EQ(inside.ss_flags, SS_ONSTACK);
        on_signal(SIGUSR1, handler, 0);
        raise(SIGUSR1);
        EXPECT_TRUE(!on_it());
        stack_t now;
        EXPECT_OK(sigaltstack(NULL, &now));
        EXPECT_EQ(now.ss_flags, 0);
        EXPECT_EQ(now.ss_sp, stack);
        EXPECT_EQ(now.ss_size, SIZE);
    }
}

static void change_inside(int signal)
{
    stack_t off = {.ss_flags = SS_DISABLE};
    EXPECT_ERRNO(sigaltstack(&off, NULL), EPERM);
}

TEST(cannot_change_while_on_it)
{
    IN_CHILD {
        use_altstack(0);
        on_signal(SIGUSR1, change_inside, SA_ONSTACK);
        raise(SIGUSR1);
    }
}

TEST(autodisarm)
{
    IN_CHILD {
        use_altstack(1U << 31);
        on_signal(SIGUSR1, handler, SA_ONSTACK);
        raise(SIGUSR1);
        EXPECT_TRUE(on_it());
        EXPECT_EQ(inside.ss_flags, SS_DISABLE);
        stack_t now;
        EXPECT_OK(sigaltstack(NULL, &now));
        EXPECT_EQ(now.ss_sp, stack);
    }
}

static void overflowed(int signal)
{
    siglongjmp(escape, 1);
}

static __attribute__((noinline)) int recurse(int n)
{
    volatile char block[4096];
    block[0] = (char)n;
    int above = n < 0 ? 0 : recurse(n + 1) + 1;
    __asm__ volatile("" ::"r"(block) : "memory");  // keeps the recursion from becoming a loop
    return above;
}

TEST(stack_overflow_is_survivable)
{
    IN_CHILD {
        use_altstack(0);
        on_signal(SIGSEGV, overflowed, SA_ONSTACK);
        struct rlimit limit = {1 << 20, 1 << 20};
        ASSERT_OK(setrlimit(RLIMIT_STACK, &limit));
        if (sigsetjmp(escape, 1) == 0)
            FAIL("expected a fault got %d", recurse(0));
    }
}

TEST(errors)
{
    stack_t small = {.ss_sp = stack, .ss_size = 100}, odd = {.ss_flags = 0x70, .ss_size = SIZE};
    EXPECT_ERRNO(sigaltstack(&small, NULL), ENOMEM);
    EXPECT_ERRNO(sigaltstack(&odd, NULL), EINVAL);
    EXPECT_ERRNO(syscall(SYS_sigaltstack, KERNEL_POINTER, NULL), EFAULT);
    EXPECT_ERRNO(syscall(SYS_sigaltstack, NULL, KERNEL_POINTER), EFAULT);
}
