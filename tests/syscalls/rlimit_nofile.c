// SPDX-License-Identifier: Apache-2.0
// covers: setrlimit, open, dup, fcntl, pipe
// RLIMIT_NOFILE is enforced with EMFILE and EBADF (man 2 getrlimit).
#include "guest.h"

#include <sys/resource.h>

static void limit_to(rlim_t count)
{
    struct rlimit limit = {count, count};
    ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
}

TEST(open_and_dup)
{
    IN_CHILD {
        limit_to(20);
        int fd, last = -1;
        while ((fd = open("/dev/null", O_RDONLY)) >= 0)
            last = fd;
        EXPECT_EQ(errno, EMFILE);
        EXPECT_EQ(last, 19);
        EXPECT_ERRNO(dup(0), EMFILE);
        EXPECT_ERRNO(fcntl(0, F_DUPFD, 0), EMFILE);
        EXPECT_ERRNO(fcntl(0, F_DUPFD, 20), EINVAL);
        EXPECT_ERRNO(dup2(0, 20), EBADF);
        EXPECT_EQ(dup2(0, 19), 19);
        int fds[2];
        EXPECT_ERRNO(pipe(fds), EMFILE);
        close(19);
        EXPECT_ERRNO(pipe(fds), EMFILE);
        EXPECT_EQ(dup(0), 19);
    }
}

TEST(existing_descriptors_stay)
{
    IN_CHILD {
        EXPECT_EQ(dup2(1, 50), 50);
        limit_to(10);
        EXPECT_OK(fcntl(50, F_GETFD));
        EXPECT_OK(close(50));
        EXPECT_ERRNO(dup2(1, 50), EBADF);
    }
}
