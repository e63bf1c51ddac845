// SPDX-License-Identifier: Apache-2.0
// covers: vfork, execve, exit
// The parent waits until the child execs or exits, and shares its memory meanwhile (man 2 vfork).
#include "guest.h"

ROLE(exit_with)
{
    return atoi(argv[2]);
}

TEST(shares_memory_and_suspends)
{
    volatile int value = 1;
    int64_t start = now_ms();
    pid_t pid = vfork();
    if (pid == 0) {
        value = 2;
        usleep(50000);
        _exit(5);
    }
    EXPECT_EQ(value, 2);
    EXPECT_GE(now_ms() - start, 49);
    EXPECT_EQ(wait_exit(pid), 5);
}

TEST(exec_releases_the_parent)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execl(guest.exe, guest.exe, "exit_with", "23", NULL);
        _exit(99);
    }
    EXPECT_EQ(wait_exit(pid), 23);
}

TEST(failed_exec)
{
    volatile int error = 0;
    pid_t pid = vfork();
    if (pid == 0) {
        execl("/nonexistent/program", "x", NULL);
        error = errno;
        _exit(7);
    }
    EXPECT_EQ(error, ENOENT);
    EXPECT_EQ(wait_exit(pid), 7);
}

TEST(killed_child_releases_the_parent)
{
    pid_t pid = vfork();
    if (pid == 0) {
        kill(getpid(), SIGKILL);
        _exit(1);
    }
    EXPECT_EQ(wait_exit(pid), -SIGKILL);
}

TEST(many)
{
    for (int i = 0; i < 50; i++) {
        pid_t pid = vfork();
        if (pid == 0)
            _exit(i);
        ASSERT_EQ(wait_exit(pid), i);
    }
}
