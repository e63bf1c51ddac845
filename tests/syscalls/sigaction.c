// SPDX-License-Identifier: Apache-2.0
// covers: rt_sigaction
// Installing, reading back, the refused signals, bad sizes and pointers (man 2 sigaction).
#include "guest.h"

static void handler(int signal)
{
}

TEST(read_back)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | SA_NODEFER}, old;
    sigaddset(&action.sa_mask, SIGUSR2);
    EXPECT_OK(sigaction(SIGUSR1, &action, NULL));
    EXPECT_OK(sigaction(SIGUSR1, NULL, &old));
    EXPECT_TRUE(old.sa_handler == handler);
    EXPECT_EQ(old.sa_flags & ~0x04000000, SA_RESTART | SA_NODEFER);
    EXPECT_EQ(sigismember(&old.sa_mask, SIGUSR2), 1);
    EXPECT_EQ(sigismember(&old.sa_mask, SIGUSR1), 0);
    EXPECT_TRUE(signal(SIGUSR1, SIG_DFL) == handler);
}

TEST(refused)
{
    struct sigaction action = {.sa_handler = handler};
    EXPECT_ERRNO(sigaction(SIGKILL, &action, NULL), EINVAL);
    EXPECT_ERRNO(sigaction(SIGSTOP, &action, NULL), EINVAL);
    EXPECT_OK(sigaction(SIGKILL, NULL, &action));
    EXPECT_ERRNO(sigaction(0, &action, NULL), EINVAL);
    EXPECT_ERRNO(sigaction(65, &action, NULL), EINVAL);
    EXPECT_ERRNO(sigaction(-1, &action, NULL), EINVAL);
}

TEST(raw_arguments)
{
    char buffer[64] = {0};
    EXPECT_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, NULL, buffer, 4), EINVAL);
    EXPECT_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, NULL, KERNEL_POINTER, 8), EFAULT);
    EXPECT_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, KERNEL_POINTER, NULL, 8), EFAULT);
    EXPECT_OK(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 8));
}

TEST(children_inherit)
{
    on_signal(SIGUSR1, handler, 0);
    IN_CHILD {
        struct sigaction old;
        EXPECT_OK(sigaction(SIGUSR1, NULL, &old));
        EXPECT_TRUE(old.sa_handler == handler);
        EXPECT_OK(kill(getpid(), SIGUSR1));
    }
    signal(SIGUSR1, SIG_DFL);
}
