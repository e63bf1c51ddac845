// SPDX-License-Identifier: Apache-2.0
// covers: rt_sigaction, rt_sigreturn
// SA_NODEFER, SA_RESETHAND, the handler's mask and its restoration (man 2 sigaction).
#include "guest.h"

static volatile int depth, deepest, order;
static sigset_t mask_inside;

static void recursive(int signal)
{
    depth++;
    deepest = depth > deepest ? depth : deepest;
    if (deepest < 3 && depth < 3)
        raise(signal);
    depth--;
}

TEST(nodefer)
{
    on_signal(SIGUSR1, recursive, SA_NODEFER);
    deepest = 0;
    raise(SIGUSR1);
    EXPECT_EQ(deepest, 3);
}

static volatile int runs;

static void once_more(int signal)
{
    depth++;
    deepest = depth > deepest ? depth : deepest;
    if (runs++ == 0)
        raise(signal);
    depth--;
}

TEST(deferred_by_default)
{
    on_signal(SIGUSR1, once_more, 0);
    deepest = runs = 0;
    raise(SIGUSR1);
    EXPECT_EQ(deepest, 1);
    EXPECT_EQ(runs, 2);
}

TEST(resethand)
{
    on_signal(SIGUSR1, once_more, SA_RESETHAND | SA_NODEFER);
    runs = 5;
    raise(SIGUSR1);
    EXPECT_EQ(runs, 6);
    struct sigaction action;
    EXPECT_OK(sigaction(SIGUSR1, NULL, &action));
    EXPECT_TRUE(action.sa_handler == SIG_DFL);
}

static void look_at_mask(int signal)
{
    sigprocmask(SIG_BLOCK, NULL, &mask_inside);
}

TEST(mask_inside_and_after)
{
    struct sigaction action = {.sa_handler = look_at_mask};
    sigaddset(&action.sa_mask, SIGUSR2);
    ASSERT_OK(sigaction(SIGUSR1, &action, NULL));
    block_signal(SIG_BLOCK, SIGHUP);
    raise(SIGUSR1);
    EXPECT_EQ(sigismember(&mask_inside, SIGUSR1), 1);
    EXPECT_EQ(sigismember(&mask_inside, SIGUSR2), 1);
    EXPECT_EQ(sigismember(&mask_inside, SIGHUP), 1);
    EXPECT_EQ(sigismember(&mask_inside, SIGTERM), 0);
    sigset_t after;
    EXPECT_OK(sigprocmask(SIG_BLOCK, NULL, &after));
    EXPECT_EQ(sigismember(&after, SIGUSR1), 0);
    EXPECT_EQ(sigismember(&after, SIGUSR2), 0);
    EXPECT_EQ(sigismember(&after, SIGHUP), 1);
    block_signal(SIG_UNBLOCK, SIGHUP);
}

static void second(int signal)
{
    order = order * 10 + 2;
}

static void first(int signal)
{
    order = order * 10 + 1;
    raise(SIGUSR2);
    order = order * 10 + 3;
}

TEST(nesting)
{
    on_signal(SIGUSR1, first, 0);
    on_signal(SIGUSR2, second, 0);
    order = 0;
    raise(SIGUSR1);
    EXPECT_EQ(order, 123);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
}
