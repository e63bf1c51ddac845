// SPDX-License-Identifier: Apache-2.0
// covers: prctl
// Names, parent-death signal, dumpable, no_new_privs, keepcaps, securebits, timer slack, errors (man 2
// prctl).
#include "guest.h"

#include <linux/securebits.h>
#include <sys/prctl.h>

TEST(name)
{
    IN_CHILD {
        char name[17] = {0};
        EXPECT_OK(prctl(PR_SET_NAME, "a name longer than fifteen", 0, 0, 0));
        EXPECT_OK(prctl(PR_GET_NAME, name, 0, 0, 0));
        EXPECT_STREQ(name, "a name longer t");
        EXPECT_ERRNO(prctl(PR_SET_NAME, KERNEL_POINTER, 0, 0, 0), EFAULT);
    }
}

TEST(parent_death_signal)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t middle = fork_child();
    if (middle == 0) {
        int ready[2];
        ASSERT_OK(pipe(ready));
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
            write(ready[1], "x", 1);
            for (;;)
                pause();
        }
        char c;
        EXPECT_EQ(read(ready[0], &c, 1), 1);
        child_done();
    }
    close(fds[1]);
    EXPECT_EQ(wait_exit(middle), 0);
    char text[4];
    EXPECT_EQ(read_all(fds[0], text, sizeof(text)), 0);
    close(fds[0]);
    IN_CHILD {
        int signal = -1;
        EXPECT_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0));
        EXPECT_OK(prctl(PR_GET_PDEATHSIG, &signal, 0, 0, 0));
        EXPECT_EQ(signal, SIGUSR1);
        EXPECT_ERRNO(prctl(PR_SET_PDEATHSIG, 100, 0, 0, 0), EINVAL);
        IN_CHILD {
            EXPECT_OK(prctl(PR_GET_PDEATHSIG, &signal, 0, 0, 0));
            EXPECT_EQ(signal, 0);
        }
    }
}

TEST(dumpable)
{
    IN_CHILD {
        EXPECT_EQ(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
        EXPECT_OK(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
        EXPECT_EQ(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
        EXPECT_ERRNO(prctl(PR_SET_DUMPABLE, 2, 0, 0, 0), EINVAL);
    }
}

TEST(no_new_privs)
{
    IN_CHILD {
        EXPECT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        EXPECT_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
        EXPECT_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
        EXPECT_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0), EINVAL);
        IN_CHILD {
            EXPECT_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
        }
    }
}

TEST(keepcaps_and_securebits)
{
    IN_CHILD {
        EXPECT_EQ(prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0), 0);
        EXPECT_OK(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
        EXPECT_EQ(prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0), 1);
        EXPECT_ERRNO(prctl(PR_SET_KEEPCAPS, 2, 0, 0, 0), EINVAL);
        EXPECT_EQ(prctl(PR_GET_SECUREBITS, 0, 0, 0, 0), SECBIT_KEEP_CAPS);
        if (geteuid() != 0)
            EXPECT_ERRNO(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT, 0, 0, 0), EPERM);
        else
            EXPECT_OK(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT, 0, 0, 0));
    }
}

TEST(others)
{
    IN_CHILD {
        EXPECT_GE(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 1);
        EXPECT_OK(prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0));
        EXPECT_EQ(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 1000);
        EXPECT_ERRNO(prctl(123456, 0, 0, 0, 0), EINVAL);
    }
}

// A child's default is what its maker had when it was made.
TEST(timer_slack_is_inherited)
{
    IN_CHILD {
        EXPECT_OK(prctl(PR_SET_TIMERSLACK, 70000, 0, 0, 0));
        IN_CHILD {
            EXPECT_OK(prctl(PR_SET_TIMERSLACK, 9000, 0, 0, 0));
            EXPECT_OK(prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0));
            EXPECT_EQ(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 70000);
        }
    }
    EXPECT_ERRNO(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0), EINVAL);
}
