// SPDX-License-Identifier: Apache-2.0
// covers: fork, getppid, prctl
// A child whose parent dies gets a new parent: the nearest subreaper (man 2 prctl, PR_SET_CHILD_SUBREAPER).
#include "guest.h"

#include <sys/prctl.h>

// A child starts a grandchild and ends; the grandchild reports its parent once that has changed.
static pid_t orphaned_parent(pid_t *grandchild)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t middle = fork();
    if (middle == 0) {
        pid_t old = getpid();
        if (fork() == 0) {
            while (getppid() == old)
                sleep_ms(1);
            pid_t report[2] = {getppid(), getpid()};
            _exit(write(fds[1], report, sizeof(report)) == sizeof(report) ? 8 : 9);
        }
        _exit(0);
    }
    EXPECT_EQ(wait_exit(middle), 0);
    pid_t report[2] = {0, 0};
    EXPECT_EQ(read(fds[0], report, sizeof(report)), sizeof(report));
    close(fds[0]);
    close(fds[1]);
    *grandchild = report[1];
    EXPECT_TRUE(report[0] != middle);
    return report[0];
}

TEST(subreaper_adopts)
{
    IN_CHILD {
        int flag = -1;
        EXPECT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
        EXPECT_OK(prctl(PR_GET_CHILD_SUBREAPER, &flag, 0, 0, 0));
        EXPECT_EQ(flag, 1);
        pid_t grandchild;
        EXPECT_EQ(orphaned_parent(&grandchild), getpid());
        EXPECT_EQ(wait_exit(grandchild), 8);
    }
}

TEST(flag_is_not_inherited)
{
    IN_CHILD {
        EXPECT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
        IN_CHILD {
            int flag = -1;
            EXPECT_OK(prctl(PR_GET_CHILD_SUBREAPER, &flag, 0, 0, 0));
            EXPECT_EQ(flag, 0);
        }
    }
}

TEST(zombies_of_a_dead_parent_vanish)
{
    IN_CHILD {
        EXPECT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
        pid_t middle = fork();
        if (middle == 0) {
            pid_t pid = fork();
            if (pid == 0)
                _exit(17);
            siginfo_t info;
            waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
            _exit(0);
        }
        EXPECT_EQ(wait_exit(middle), 0);
        int status;
        EXPECT_TRUE(wait(&status) > 0);
        EXPECT_EQ(WEXITSTATUS(status), 17);
        EXPECT_ERRNO(wait(&status), ECHILD);
    }
}
