// SPDX-License-Identifier: Apache-2.0
// covers: epoll_create, epoll_create1, epoll_ctl, epoll_wait
// Adding, changing, removing; level triggering; user data; errors (man 7 epoll).
#include "guest.h"

#include <sys/epoll.h>

TEST(level_triggered)
{
    int ep = ASSERT_OK(epoll_create1(EPOLL_CLOEXEC)), fds[2];
    ASSERT_OK(pipe(fds));
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x123456789abcdef0}, out[4];
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &event));
    EXPECT_EQ(epoll_wait(ep, out, 4, 0), 0);
    EXPECT_EQ(write(fds[1], "ab", 2), 2);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(epoll_wait(ep, out, 4, -1), 1);
        EXPECT_EQ(out[0].events, EPOLLIN);
        EXPECT_EQ(out[0].data.u64, 0x123456789abcdef0);
        char c;
        EXPECT_EQ(read(fds[0], &c, 1), 1);
    }
    EXPECT_EQ(epoll_wait(ep, out, 4, 0), 0);
    close(fds[1]);
    EXPECT_EQ(epoll_wait(ep, out, 4, 0), 1);
    EXPECT_EQ(out[0].events, EPOLLHUP);
    close(fds[0]);
    EXPECT_EQ(epoll_wait(ep, out, 4, 0), 0);
    close(ep);
}

TEST(modify_and_delete)
{
    int ep = ASSERT_OK(epoll_create(1)), fds[2];
    ASSERT_OK(pipe(fds));
    struct epoll_event event = {.events = 0, .data.fd = 1}, out[2];
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[1], &event));
    EXPECT_EQ(epoll_wait(ep, out, 2, 0), 0);
    event.events = EPOLLOUT;
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_MOD, fds[1], &event));
    EXPECT_EQ(epoll_wait(ep, out, 2, 0), 1);
    EXPECT_EQ(out[0].events, EPOLLOUT);
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_DEL, fds[1], NULL));
    EXPECT_EQ(epoll_wait(ep, out, 2, 0), 0);
    EXPECT_ERRNO(epoll_ctl(ep, EPOLL_CTL_DEL, fds[1], NULL), ENOENT);
    close(fds[0]);
    close(fds[1]);
    close(ep);
}

TEST(errors)
{
    int ep = ASSERT_OK(epoll_create1(0)), fds[2];
    ASSERT_OK(pipe(fds));
    struct epoll_event event = {.events = EPOLLIN}, out[2];
    EXPECT_ERRNO(epoll_create1(0x1), EINVAL);
    EXPECT_ERRNO(epoll_create(0), EINVAL);
    EXPECT_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, -1, &event), EBADF);
    EXPECT_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &event), EINVAL);
    EXPECT_ERRNO(epoll_ctl(fds[0], EPOLL_CTL_ADD, fds[1], &event), EINVAL);
    EXPECT_ERRNO(epoll_ctl(ep, 99, fds[0], &event), EINVAL);
    EXPECT_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &event), ENOENT);
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &event));
    EXPECT_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &event), EEXIST);
    EXPECT_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], NULL_POINTER), EFAULT);
    EXPECT_ERRNO(epoll_wait(ep, out, 0, 0), EINVAL);
    EXPECT_ERRNO(epoll_wait(ep, out, -1, 0), EINVAL);
    EXPECT_ERRNO(epoll_wait(-1, out, 1, 0), EBADF);
    EXPECT_ERRNO(epoll_wait(fds[0], out, 1, 0), EINVAL);
    in_tmpdir();
    int file = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, file, &event), EPERM);
    close(file);
    close(fds[0]);
    close(fds[1]);
    close(ep);
}

TEST(bad_event_buffer)
{
    int ep = ASSERT_OK(epoll_create1(0)), fds[2];
    ASSERT_OK(pipe(fds));
    struct epoll_event event = {.events = EPOLLOUT};
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[1], &event));
    EXPECT_ERRNO(epoll_wait(ep, KERNEL_POINTER, 1, 0), EFAULT);
    close(fds[0]);
    close(fds[1]);
    close(ep);
}
