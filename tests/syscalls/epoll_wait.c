// SPDX-License-Identifier: Apache-2.0
// covers: epoll_wait, epoll_pwait, epoll_pwait2
// Timeouts, being woken while waiting, signals and masks (man 2 epoll_wait).
#include "guest.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

static volatile int handled;

static void handler(int signal)
{
    handled++;
}

static int watch(int fd)
{
    int ep = ASSERT_OK(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    ASSERT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
    return ep;
}

TEST(timeout)
{
    int fd = ASSERT_OK(eventfd(0, 0)), ep = watch(fd);
    struct epoll_event out;
    int64_t start = now_ms();
    EXPECT_EQ(epoll_wait(ep, &out, 1, 50), 0);
    EXPECT_GE(now_ms() - start, 49);
    struct timespec ts = {0, 20 * 1000000};
    start = now_ms();
    EXPECT_EQ(syscall(SYS_epoll_pwait2, ep, &out, 1, &ts, NULL, 0), 0);
    EXPECT_GE(now_ms() - start, 19);
    ts.tv_nsec = -1;
    EXPECT_ERRNO(syscall(SYS_epoll_pwait2, ep, &out, 1, &ts, NULL, 0), EINVAL);
    close(fd);
    close(ep);
}

TEST(woken_by_another_process)
{
    int fd = ASSERT_OK(eventfd(0, 0)), ep = watch(fd);
    pid_t pid = fork_child();
    if (pid == 0) {
        sleep_ms(30);
        EXPECT_EQ(eventfd_write(fd, 1), 0);
        child_done();
    }
    struct epoll_event out;
    EXPECT_EQ(epoll_wait(ep, &out, 1, -1), 1);
    EXPECT_EQ(out.data.fd, fd);
    EXPECT_EQ(wait_exit(pid), 0);
    close(fd);
    close(ep);
}

TEST(interrupted_even_with_restart)
{
    IN_CHILD {
        on_signal(SIGUSR1, handler, SA_RESTART);
        int fd = ASSERT_OK(eventfd(0, 0)), ep = watch(fd);
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
            sleep_ms(50);
            _exit(kill(parent, SIGUSR1));
        }
        struct epoll_event out;
        EXPECT_ERRNO(epoll_wait(ep, &out, 1, 20000), EINTR);
        EXPECT_EQ(handled, 1);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

TEST(mask_during_the_wait)
{
    IN_CHILD {
        on_signal(SIGUSR1, handler, 0);
        block_signal(SIG_BLOCK, SIGUSR1);
        int fd = ASSERT_OK(eventfd(0, 0)), ep = watch(fd);
        kill(getpid(), SIGUSR1);
        struct epoll_event out;
        EXPECT_EQ(epoll_wait(ep, &out, 1, 0), 0);
        EXPECT_EQ(handled, 0);
        sigset_t none;
        sigemptyset(&none);
        EXPECT_ERRNO(epoll_pwait(ep, &out, 1, 1000, &none), EINTR);
        EXPECT_EQ(handled, 1);
        EXPECT_ERRNO(syscall(SYS_epoll_pwait, ep, &out, 1, 0, &none, 4), EINVAL);
    }
}
