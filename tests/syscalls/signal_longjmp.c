// SPDX-License-Identifier: Apache-2.0
// covers: rt_sigprocmask, rt_sigaction
// Leaving handlers by siglongjmp, repeatedly, with and without the mask (man 3 sigsetjmp).
#include "guest.h"

static sigjmp_buf point;

static void jump(int signal)
{
    siglongjmp(point, signal);
}

TEST(mask_restored)
{
    on_signal(SIGUSR1, jump, 0);
    for (volatile int i = 0; i < 100; i++) {
        int got = sigsetjmp(point, 1);
        if (got == 0) {
            raise(SIGUSR1);
            FAIL("expected a jump got none");
        }
        ASSERT_EQ(got, SIGUSR1);
    }
    sigset_t now;
    EXPECT_OK(sigprocmask(SIG_BLOCK, NULL, &now));
    EXPECT_EQ(sigismember(&now, SIGUSR1), 0);
}

TEST(mask_not_restored)
{
    IN_CHILD {
        on_signal(SIGUSR1, jump, 0);
        if (sigsetjmp(point, 0) == 0)
            raise(SIGUSR1);
        sigset_t now;
        EXPECT_OK(sigprocmask(SIG_BLOCK, NULL, &now));
        EXPECT_EQ(sigismember(&now, SIGUSR1), 1);
    }
}

TEST(out_of_a_blocking_call)
{
    IN_CHILD {
        on_signal(SIGUSR1, jump, 0);
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
            sleep_ms(50);
            _exit(kill(parent, SIGUSR1));
        }
        if (sigsetjmp(point, 1) == 0) {
            for (;;)
                pause();
        }
        EXPECT_EQ(wait_exit(pid), 0);
    }
}
