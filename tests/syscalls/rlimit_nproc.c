// SPDX-License-Identifier: Apache-2.0
// covers: setrlimit, fork
// RLIMIT_NPROC refuses new processes of a user, EAGAIN (man 2 getrlimit).
#include "guest.h"

#include <sys/resource.h>

TEST(fork_is_refused)
{
    IN_CHILD {
        if (geteuid() == 0) {
            ASSERT_OK(setgid(54321));
            ASSERT_OK(setuid(54321));
        }
        struct rlimit limit = {1, 1};
        ASSERT_OK(setrlimit(RLIMIT_NPROC, &limit));
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        EXPECT_EQ(pid, -1);
        EXPECT_EQ(errno, EAGAIN);
    }
}

TEST(privilege_is_exempt)
{
    if (geteuid() != 0)
        SKIP("needs root");
    IN_CHILD {
        struct rlimit limit = {1, 1};
        ASSERT_OK(setrlimit(RLIMIT_NPROC, &limit));
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}
