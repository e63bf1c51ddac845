// SPDX-License-Identifier: Apache-2.0
// covers: mmap, setrlimit
// The main stack grows on demand down to RLIMIT_STACK; deeper recursion is SIGSEGV (man 2 getrlimit,
// RLIMIT_STACK).
#include "guest.h"

#include <sys/resource.h>

static __attribute__((noinline)) int deep(int levels)
{
    volatile char block[4096];
    block[0] = block[4095] = (char)levels;
    int below = levels <= 0 ? 0 : deep(levels - 1) + 1;
    __asm__ volatile("" ::"r"(block) : "memory");  // keeps the recursion from becoming a loop
    return below;
}

ROLE(deep)
{
    return deep(atoi(argv[2])) == atoi(argv[2]) ? 0 : 1;
}

// The limit counts from exec on.
static int run_with_stack(rlim_t limit, char *levels)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        struct rlimit stack = {limit, limit};
        ASSERT_OK(setrlimit(RLIMIT_STACK, &stack));
        execl(guest.exe, guest.exe, "deep", levels, NULL);
        _exit(9);
    }
    return wait_exit(pid);
}

TEST(grows)
{
    EXPECT_EQ(deep(1000), 1000);
}

TEST(to_the_limit)
{
    EXPECT_EQ(run_with_stack(16 << 20, "3500"), 0);
    EXPECT_EQ(run_with_stack(1 << 20, "100"), 0);
    EXPECT_EQ(run_with_stack(1 << 20, "1000"), -SIGSEGV);
}

TEST(unlimited_recursion_ends)
{
    EXPECT_EQ(run_with_stack(8 << 20, "100000000"), -SIGSEGV);
}

TEST(system_call_into_the_growth_area)
{
    volatile char *below = (volatile char *)__builtin_frame_address(0) - 200000;
    int fds[2];
    ASSERT_OK(pipe(fds));
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(read(fds[0], (void *)below, 1), 1);
    EXPECT_EQ(*below, 'x');
    close(fds[0]);
    close(fds[1]);
}
