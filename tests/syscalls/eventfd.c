// SPDX-License-Identifier: Apache-2.0
// covers: eventfd, eventfd2
// Counter and semaphore modes, limits, blocking and errors (man 2 eventfd).
#include "guest.h"

#include <poll.h>
#include <sys/eventfd.h>

static short ready(int fd)
{
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

TEST(counter)
{
    int fd = ASSERT_OK(eventfd(5, EFD_NONBLOCK | EFD_CLOEXEC));
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    eventfd_t value;
    EXPECT_EQ(eventfd_write(fd, 3), 0);
    EXPECT_EQ(ready(fd), POLLIN | POLLOUT);
    EXPECT_EQ(eventfd_read(fd, &value), 0);
    EXPECT_EQ(value, 8);
    EXPECT_EQ(ready(fd), POLLOUT);
    EXPECT_ERRNO(eventfd_read(fd, &value), EAGAIN);
    close(fd);
}

TEST(semaphore)
{
    int fd = ASSERT_OK(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));
    eventfd_t value;
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(eventfd_read(fd, &value), 0);
        EXPECT_EQ(value, 1);
    }
    EXPECT_ERRNO(eventfd_read(fd, &value), EAGAIN);
    close(fd);
}

TEST(limits)
{
    int fd = ASSERT_OK(eventfd(0, EFD_NONBLOCK));
    EXPECT_EQ(eventfd_write(fd, UINT64_MAX - 1), 0);
    EXPECT_EQ(ready(fd), POLLIN);
    EXPECT_ERRNO(eventfd_write(fd, 1), EAGAIN);
    EXPECT_ERRNO(eventfd_write(fd, UINT64_MAX), EINVAL);
    uint64_t value = 1;
    EXPECT_ERRNO(write(fd, &value, 4), EINVAL);
    EXPECT_ERRNO(read(fd, &value, 4), EINVAL);
    close(fd);
    EXPECT_ERRNO(eventfd(0, 0x4), EINVAL);
}

TEST(blocks_until_written)
{
    int fd = ASSERT_OK(eventfd(0, 0));
    pid_t pid = fork_child();
    if (pid == 0) {
        sleep_ms(30);
        EXPECT_EQ(eventfd_write(fd, 77), 0);
        child_done();
    }
    eventfd_t value = 0;
    EXPECT_EQ(eventfd_read(fd, &value), 0);
    EXPECT_EQ(value, 77);
    EXPECT_EQ(wait_exit(pid), 0);
    close(fd);
}
