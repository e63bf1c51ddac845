// SPDX-License-Identifier: Apache-2.0
// covers: kill, setpgid
// Signals to process groups: kill(0), kill(-pgid), missing groups (man 2 kill).
#include "guest.h"

static pid_t sleeper(pid_t group)
{
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGUSR1, SIG_DFL);
        if (group >= 0)
            setpgid(0, group);
        for (;;)
            pause();
    }
    if (group >= 0)
        setpgid(pid, group);
    return pid;
}

TEST(named_group)
{
    pid_t a = sleeper(0), b = sleeper(a), other = sleeper(0);
    EXPECT_OK(kill(-a, SIGTERM));
    EXPECT_EQ(wait_exit(a), -SIGTERM);
    EXPECT_EQ(wait_exit(b), -SIGTERM);
    EXPECT_OK(kill(other, 0));
    int status;
    EXPECT_EQ(waitpid(other, &status, WNOHANG), 0);
    EXPECT_OK(killpg(other, SIGKILL));
    EXPECT_EQ(wait_exit(other), -SIGKILL);
    EXPECT_ERRNO(kill(-a, SIGTERM), ESRCH);
}

TEST(own_group)
{
    IN_CHILD {
        ASSERT_OK(setpgid(0, 0));
        signal(SIGUSR1, SIG_IGN);
        pid_t inside = sleeper(-1), outside = sleeper(0);
        sleep_ms(20);
        EXPECT_OK(kill(0, SIGUSR1));
        EXPECT_EQ(wait_exit(inside), -SIGUSR1);
        int status;
        EXPECT_EQ(waitpid(outside, &status, WNOHANG), 0);
        kill(outside, SIGKILL);
        EXPECT_EQ(wait_exit(outside), -SIGKILL);
    }
}
