// SPDX-License-Identifier: Apache-2.0
// covers: unshare
// CLONE_FS and CLONE_FILES stop sharing with other threads; unknown flags are refused (man 2 unshare).
#include "guest.h"

#include <sched.h>

static void *alone(void *result)
{
    intptr_t failed = 0;
    failed |= unshare(CLONE_FS | CLONE_FILES) != 0;
    failed |= chdir("/") != 0;
    failed |= dup2(1, 90) != 90;
    return (void *)failed;
}

TEST(of_a_thread)
{
    in_tmpdir();
    char before[PATH_MAX], after[PATH_MAX];
    ASSERT_TRUE(getcwd(before, sizeof(before)));
    pthread_t thread;
    void *failed;
    ASSERT_EQ(pthread_create(&thread, NULL, alone, NULL), 0);
    pthread_join(thread, &failed);
    EXPECT_EQ((intptr_t)failed, 0);
    ASSERT_TRUE(getcwd(after, sizeof(after)));
    EXPECT_STREQ(after, before);
    EXPECT_ERRNO(fcntl(90, F_GETFD), EBADF);
}

TEST(errors)
{
    EXPECT_OK(unshare(0));
    EXPECT_ERRNO(unshare(CLONE_SETTLS), EINVAL);
    IN_CHILD {
        if (geteuid() == 0)
            ASSERT_OK(setuid(54321));
        EXPECT_ERRNO(unshare(CLONE_NEWNET), EPERM);
        EXPECT_ERRNO(unshare(CLONE_NEWPID), EPERM);
        EXPECT_ERRNO(unshare(CLONE_NEWIPC), EPERM);
    }
}
