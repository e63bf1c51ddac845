// SPDX-License-Identifier: Apache-2.0
// covers: read, wait4, futex, nanosleep, rt_sigaction
// SA_RESTART resumes read and wait; without it they return EINTR (man 7 signal, Interruption of system
// calls).
#include "guest.h"

#include <linux/futex.h>

static volatile int count;

static void handler(int signal)
{
    count++;
}

// Sends SIGUSR1 to the parent, then after a while a byte.
static pid_t disturb(int fd)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        sleep_ms(50);
        kill(parent, SIGUSR1);
        sleep_ms(50);
        _exit(write(fd, "x", 1) != 1);
    }
    return pid;
}

TEST(read_restarts)
{
    IN_CHILD {
        on_signal(SIGUSR1, handler, SA_RESTART);
        int fds[2];
        ASSERT_OK(pipe(fds));
        pid_t pid = disturb(fds[1]);
        char c;
        EXPECT_EQ(read(fds[0], &c, 1), 1);
        EXPECT_EQ(count, 1);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

TEST(read_is_interrupted)
{
    IN_CHILD {
        on_signal(SIGUSR1, handler, 0);
        int fds[2];
        ASSERT_OK(pipe(fds));
        pid_t pid = disturb(fds[1]);
        char c;
        EXPECT_ERRNO(read(fds[0], &c, 1), EINTR);
        EXPECT_EQ(read(fds[0], &c, 1), 1);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

TEST(wait)
{
    for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
        IN_CHILD {
            on_signal(SIGUSR1, handler, flags);
            int fds[2], status;
            ASSERT_OK(pipe(fds));
            pid_t pid = disturb(fds[1]);
            if (flags)
                EXPECT_EQ(waitpid(pid, &status, 0), pid);
            else
                EXPECT_ERRNO(waitpid(pid, &status, 0), EINTR);
            if (!flags)
                EXPECT_EQ(wait_exit(pid), 0);
        }
    }
}

TEST(futex_restarts_without_a_timeout)
{
    IN_CHILD {
        on_signal(SIGUSR1, handler, SA_RESTART);
        unsigned *word = (unsigned *)map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED);
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
            sleep_ms(50);
            kill(parent, SIGUSR1);
            sleep_ms(50);
            *word = 1;
            _exit(syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0) != 1);
        }
        EXPECT_EQ(syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0), 0);
        EXPECT_EQ(count, 1);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

TEST(futex_with_a_timeout_is_interrupted)
{
    IN_CHILD {
        on_signal(SIGUSR1, handler, SA_RESTART);
        int fds[2], word = 0;
        ASSERT_OK(pipe(fds));
        pid_t pid = disturb(fds[1]);
        struct timespec ts = {5, 0};
        EXPECT_ERRNO(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &ts, NULL, 0), EINTR);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

TEST(nanosleep_never_restarts_after_a_handler)
{
    IN_CHILD {
        on_signal(SIGUSR1, handler, SA_RESTART);
        int fds[2];
        ASSERT_OK(pipe(fds));
        pid_t pid = disturb(fds[1]);
        struct timespec ts = {5, 0}, left = {0, 0};
        EXPECT_ERRNO(nanosleep(&ts, &left), EINTR);
        EXPECT_RANGE(left.tv_sec, 3, 4);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

TEST(ignored_signals_do_not_disturb)
{
    IN_CHILD {
        signal(SIGUSR1, SIG_IGN);
        int fds[2];
        ASSERT_OK(pipe(fds));
        pid_t pid = disturb(fds[1]);
        char c;
        EXPECT_EQ(read(fds[0], &c, 1), 1);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}
