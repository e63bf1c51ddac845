// SPDX-License-Identifier: Apache-2.0
// covers: epoll_ctl, epoll_wait
// An epoll inside an epoll, loops refused, depth limited, closing the watched file (man 2 epoll_ctl).
#include "guest.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

static int add(int ep, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
}

TEST(inner_wakes_outer)
{
    int outer = ASSERT_OK(epoll_create1(0)), inner = ASSERT_OK(epoll_create1(0));
    int fd = ASSERT_OK(eventfd(0, 0));
    EXPECT_OK(add(outer, inner));
    EXPECT_OK(add(inner, fd));
    struct epoll_event out;
    EXPECT_EQ(epoll_wait(outer, &out, 1, 0), 0);
    EXPECT_EQ(eventfd_write(fd, 1), 0);
    EXPECT_EQ(epoll_wait(outer, &out, 1, 20000), 1);
    EXPECT_EQ(out.data.fd, inner);
    struct pollfd p = {outer, POLLIN, 0};
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(epoll_wait(inner, &out, 1, 0), 1);
    EXPECT_EQ(out.data.fd, fd);
    close(fd);
    close(inner);
    close(outer);
}

TEST(loops_are_refused)
{
    int a = ASSERT_OK(epoll_create1(0)), b = ASSERT_OK(epoll_create1(0));
    EXPECT_OK(add(a, b));
    EXPECT_ERRNO(add(b, a), ELOOP);
    close(a);
    close(b);
}

TEST(depth_is_limited)
{
    int chain[8], refused = 0;
    chain[0] = ASSERT_OK(epoll_create1(0));
    for (int i = 1; i < 8; i++) {
        chain[i] = ASSERT_OK(epoll_create1(0));
        if (add(chain[i], chain[i - 1]) < 0) {
            EXPECT_TRUE(errno == EINVAL || errno == ELOOP);
            refused++;
        }
    }
    EXPECT_GE(refused, 1);
    for (int i = 0; i < 8; i++)
        close(chain[i]);
}

TEST(watch_lives_until_the_last_copy_is_closed)
{
    int ep = ASSERT_OK(epoll_create1(0)), fd = ASSERT_OK(eventfd(1, 0)), copy = ASSERT_OK(dup(fd));
    EXPECT_OK(add(ep, fd));
    close(fd);
    struct epoll_event out;
    EXPECT_EQ(epoll_wait(ep, &out, 1, 0), 1);
    close(copy);
    EXPECT_EQ(epoll_wait(ep, &out, 1, 0), 0);
    close(ep);
}
