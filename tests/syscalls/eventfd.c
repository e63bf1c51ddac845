// SPDX-License-Identifier: Apache-2.0
// covers: eventfd, eventfd2
// Counter and semaphore modes, limits, blocking and errors (man 2 eventfd).
#include "guest.h"

#include <poll.h>
#include <sys/eventfd.h>

static void nothing(int signal)
{
}

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

// poll(2) says that one fits, and the write of two must wait: for a reader, for a signal, and not at the cost
// of others.
TEST(writer_that_does_not_fit_waits)
{
    int fd = ASSERT_OK(eventfd(0, 0));
    EXPECT_EQ(eventfd_write(fd, UINT64_MAX - 2), 0);
    EXPECT_EQ(ready(fd), POLLIN | POLLOUT);
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t pid = fork_child();
    if (pid == 0) {
        on_signal(SIGUSR1, nothing, 0);
        EXPECT_EQ(write(fds[1], "x", 1), 1);
        EXPECT_ERRNO(eventfd_write(fd, 2), EINTR);
        EXPECT_EQ(write(fds[1], "x", 1), 1);
        EXPECT_EQ(eventfd_write(fd, 2), 0);
        child_done();
    }
    char c;
    EXPECT_EQ(read(fds[0], &c, 1), 1);
    sleep_ms(30);
    kill(pid, SIGUSR1);
    EXPECT_EQ(read(fds[0], &c, 1), 1);
    sleep_ms(30);
    eventfd_t value;
    EXPECT_EQ(eventfd_read(fd, &value), 0);
    EXPECT_EQ(value, UINT64_MAX - 2);
    EXPECT_EQ(wait_exit(pid), 0);
    EXPECT_EQ(eventfd_read(fd, &value), 0);
    EXPECT_EQ(value, 2);
    close(fds[0]);
    close(fds[1]);
    close(fd);
}
