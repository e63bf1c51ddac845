// SPDX-License-Identifier: Apache-2.0
// covers: epoll_ctl, epoll_wait
// Edge triggering, one-shot, EPOLLEXCLUSIVE's refusals, EPOLLRDHUP bits always reported (man 2 epoll_ctl).
#include "guest.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

static int add(int ep, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
}

TEST(edge)
{
    int ep = ASSERT_OK(epoll_create1(0)), fds[2];
    ASSERT_OK(pipe(fds));
    struct epoll_event out[2];
    EXPECT_OK(add(ep, fds[0], EPOLLIN | EPOLLET));
    EXPECT_EQ(write(fds[1], "a", 1), 1);
    EXPECT_EQ(epoll_wait(ep, out, 2, 0), 1);
    EXPECT_EQ(epoll_wait(ep, out, 2, 0), 0);
    EXPECT_EQ(write(fds[1], "b", 1), 1);
    EXPECT_EQ(epoll_wait(ep, out, 2, 0), 1);
    EXPECT_EQ(epoll_wait(ep, out, 2, 0), 0);
    close(fds[0]);
    close(fds[1]);
    close(ep);
}

TEST(edge_reports_what_is_already_there)
{
    int ep = ASSERT_OK(epoll_create1(0)), fd = ASSERT_OK(eventfd(1, 0));
    struct epoll_event out[2];
    EXPECT_OK(add(ep, fd, EPOLLIN | EPOLLET));
    EXPECT_EQ(epoll_wait(ep, out, 2, 0), 1);
    EXPECT_EQ(epoll_wait(ep, out, 2, 0), 0);
    struct epoll_event again = {.events = EPOLLIN | EPOLLET};
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &again));
    EXPECT_EQ(epoll_wait(ep, out, 2, 0), 1);
    close(fd);
    close(ep);
}

TEST(one_shot)
{
    int ep = ASSERT_OK(epoll_create1(0)), fd = ASSERT_OK(eventfd(1, 0));
    struct epoll_event out[2];
    EXPECT_OK(add(ep, fd, EPOLLIN | EPOLLONESHOT));
    EXPECT_EQ(epoll_wait(ep, out, 2, 0), 1);
    EXPECT_EQ(epoll_wait(ep, out, 2, 0), 0);
    EXPECT_EQ(eventfd_write(fd, 1), 0);
    EXPECT_EQ(epoll_wait(ep, out, 2, 0), 0);
    struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT};
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &again));
    EXPECT_EQ(epoll_wait(ep, out, 2, 0), 1);
    close(fd);
    close(ep);
}

TEST(exclusive)
{
    int ep = ASSERT_OK(epoll_create1(0)), inner = ASSERT_OK(epoll_create1(0)), fd = ASSERT_OK(eventfd(1, 0));
    EXPECT_ERRNO(add(ep, inner, EPOLLIN | EPOLLEXCLUSIVE), EINVAL);
    EXPECT_ERRNO(add(ep, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT), EINVAL);
    EXPECT_OK(add(ep, fd, EPOLLIN | EPOLLEXCLUSIVE));
    struct epoll_event event = {.events = EPOLLIN}, out;
    EXPECT_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &event), EINVAL);
    EXPECT_EQ(epoll_wait(ep, &out, 1, 0), 1);
    close(fd);
    close(inner);
    close(ep);
}

TEST(round_robin)
{
    int ep = ASSERT_OK(epoll_create1(0)), a = ASSERT_OK(eventfd(1, 0)), b = ASSERT_OK(eventfd(1, 0));
    EXPECT_OK(add(ep, a, EPOLLIN));
    EXPECT_OK(add(ep, b, EPOLLIN));
    struct epoll_event first, second;
    EXPECT_EQ(epoll_wait(ep, &first, 1, 0), 1);
    EXPECT_EQ(epoll_wait(ep, &second, 1, 0), 1);
    EXPECT_TRUE(first.data.fd != second.data.fd);
    close(a);
    close(b);
    close(ep);
}

// Parameters of busy polling are kept (linux/eventpoll.h); there is nothing else that an epoll file is asked.
TEST(parameters) {
    struct {
        uint32_t usecs;
        uint16_t budget;
        uint8_t prefer, pad;
    } p = {0}, got;
    const unsigned long set = 0x40088a01, get = 0x80088a02;
    int ep = ASSERT_OK(epoll_create1(0)), n;
    if (ioctl(ep, get, &got) < 0 && errno == ENOTTY)
        SKIP("an older kernel");
    EXPECT_OK(ioctl(ep, get, &got));
    EXPECT_MEMEQ(&got, &p, sizeof p);
    p.usecs = INT_MAX;
    p.budget = 64;
    p.prefer = 1;
    EXPECT_OK(ioctl(ep, set, &p));
    EXPECT_OK(ioctl(ep, get, &got));
    EXPECT_MEMEQ(&got, &p, sizeof p);
    p.prefer = 2;
    EXPECT_ERRNO(ioctl(ep, set, &p), EINVAL);
    p.prefer = 0;
    p.pad = 1;
    EXPECT_ERRNO(ioctl(ep, set, &p), EINVAL);
    p.pad = 0;
    p.usecs = 1u << 31;
    EXPECT_ERRNO(ioctl(ep, set, &p), EINVAL);
    EXPECT_ERRNO(ioctl(ep, set, NULL), EFAULT);
    EXPECT_ERRNO(ioctl(ep, get, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(ioctl(ep, 0x1234, &n), EINVAL);
    EXPECT_ERRNO(ioctl(ep, FIONREAD, &n), EINVAL);
    IN_CHILD {
        if (geteuid() != 0)
            SKIP("not root");
        p.usecs = 1;
        p.budget = 65;
        EXPECT_OK(ioctl(ep, set, &p));
        ASSERT_OK(setresuid(1000, 1000, 1000));
        EXPECT_ERRNO(ioctl(ep, set, &p), EPERM);
    }
    close(ep);
}
