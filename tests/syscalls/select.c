// SPDX-License-Identifier: Apache-2.0
// covers: select, pselect6
// Sets in and out, the count, EBADF, timeouts and the temporary mask (man 2 select).
#include "guest.h"

#include <sys/select.h>

static volatile int handled;

static void handler(int signal)
{
    handled++;
}

TEST(sets)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(fds[0], &in);
    FD_SET(fds[1], &out);
    EXPECT_EQ(select(fds[1] + 1, &in, &out, NULL, NULL), 1);
    EXPECT_EQ(!!FD_ISSET(fds[0], &in), 0);
    EXPECT_EQ(!!FD_ISSET(fds[1], &out), 1);
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    FD_SET(fds[0], &in);
    EXPECT_EQ(select(fds[1] + 1, &in, &out, NULL, NULL), 2);
    close(fds[1]);
    char c;
    EXPECT_EQ(read(fds[0], &c, 1), 1);
    EXPECT_EQ(select(fds[0] + 1, &in, NULL, NULL, NULL), 1);
    close(fds[0]);
}

TEST(timeouts)
{
    struct timeval tv = {0, 40000};
    int64_t start = now_ms();
    EXPECT_EQ(select(0, NULL, NULL, NULL, &tv), 0);
    EXPECT_GE(now_ms() - start, 39);
    EXPECT_EQ(tv.tv_usec, 0);
    tv = (struct timeval){-1, 0};
    EXPECT_ERRNO(syscall(SYS_select, 0, NULL, NULL, NULL, &tv), EINVAL);
}

TEST(errors)
{
    fd_set set;
    FD_ZERO(&set);
    int closed = ASSERT_OK(dup(0));
    close(closed);
    FD_SET(closed, &set);
    struct timeval tv = {0, 0};
    EXPECT_ERRNO(select(closed + 1, &set, NULL, NULL, &tv), EBADF);
    EXPECT_ERRNO(syscall(SYS_select, -1, NULL, NULL, NULL, &tv), EINVAL);
    EXPECT_ERRNO(syscall(SYS_select, 64, KERNEL_POINTER, NULL, NULL, &tv), EFAULT);
}

TEST(pselect_mask)
{
    IN_CHILD {
        on_signal(SIGUSR1, handler, 0);
        block_signal(SIG_BLOCK, SIGUSR1);
        EXPECT_OK(kill(getpid(), SIGUSR1));
        sigset_t none;
        sigemptyset(&none);
        struct timespec ts = {5, 0};
        EXPECT_ERRNO(pselect(0, NULL, NULL, NULL, &ts, &none), EINTR);
        EXPECT_EQ(handled, 1);
        ts = (struct timespec){0, 1000};
        EXPECT_EQ(pselect(0, NULL, NULL, NULL, &ts, NULL), 0);
    }
}
