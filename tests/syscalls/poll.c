// SPDX-License-Identifier: Apache-2.0
// covers: poll
// Readiness of pipes and files, POLLNVAL, POLLHUP, POLLERR, negative descriptors, timeouts (man 2 poll).
#include "guest.h"

#include <poll.h>
#include <sys/resource.h>

TEST(pipes)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    struct pollfd p[2] = {{fds[0], POLLIN, 0x55}, {fds[1], POLLOUT, 0x55}};
    EXPECT_EQ(poll(p, 2, 0), 1);
    EXPECT_EQ(p[0].revents, 0);
    EXPECT_EQ(p[1].revents, POLLOUT);
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(poll(p, 2, -1), 2);
    EXPECT_EQ(p[0].revents, POLLIN);
    close(fds[1]);
    EXPECT_EQ(poll(p, 1, 0), 1);
    EXPECT_EQ(p[0].revents, POLLIN | POLLHUP);
    p[0].events = 0;
    EXPECT_EQ(poll(p, 1, 0), 1);
    EXPECT_EQ(p[0].revents, POLLHUP);
    close(fds[0]);
}

TEST(writer_without_reader)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    close(fds[0]);
    struct pollfd p = {fds[1], POLLOUT, 0};
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLOUT | POLLERR);
    close(fds[1]);
}

TEST(bad_descriptors)
{
    struct pollfd p[2] = {{-1, POLLIN, 0x55}, {9999, POLLIN, 0}};
    EXPECT_EQ(poll(p, 2, 0), 1);
    EXPECT_EQ(p[0].revents, 0);
    EXPECT_EQ(p[1].revents, POLLNVAL);
}

TEST(regular_files_are_always_ready)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    EXPECT_EQ(poll(&p, 1, -1), 1);
    EXPECT_EQ(p.revents, POLLIN | POLLOUT);
    close(fd);
}

TEST(timeouts)
{
    int64_t start = now_ms();
    EXPECT_EQ(poll(NULL, 0, 50), 0);
    EXPECT_GE(now_ms() - start, 49);
    EXPECT_EQ(poll(NULL, 0, 0), 0);
}

TEST(errors)
{
    EXPECT_ERRNO(poll(KERNEL_POINTER, 1, 0), EFAULT);
    EXPECT_ERRNO(poll(no_access_page(), 1, 0), EFAULT);
    IN_CHILD {
        struct rlimit limit = {64, 64};
        ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
        static struct pollfd many[100];
        EXPECT_ERRNO(poll(many, 100, 0), EINVAL);
    }
}
