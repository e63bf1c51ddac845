// SPDX-License-Identifier: Apache-2.0
// covers: write, pipe, rt_sigaction
// A blocked write that was partly done returns its count on a signal; one that did nothing, EINTR (man 2
// write).
#include "guest.h"

static volatile int count;

static void handler(int signal)
{
    count++;
}

static pid_t signal_parent_later(void)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        sleep_ms(100);
        _exit(kill(parent, SIGUSR1));
    }
    return pid;
}

TEST(partial_count)
{
    IN_CHILD {
        int fds[2];
        ASSERT_OK(pipe(fds));
        on_signal(SIGUSR1, handler, SA_RESTART);
        pid_t pid = signal_parent_later();
        char *data = calloc(1, 200000);
        EXPECT_EQ(write(fds[1], data, 200000), 65536);
        EXPECT_EQ(count, 1);
        EXPECT_EQ(wait_exit(pid), 0);
        free(data);
    }
}

TEST(nothing_written)
{
    IN_CHILD {
        int fds[2];
        ASSERT_OK(pipe(fds));
        char *data = calloc(1, 65536);
        EXPECT_EQ(write(fds[1], data, 65536), 65536);
        on_signal(SIGUSR1, handler, 0);
        pid_t pid = signal_parent_later();
        EXPECT_ERRNO(write(fds[1], data, 10), EINTR);
        EXPECT_EQ(wait_exit(pid), 0);
        free(data);
    }
}
