// SPDX-License-Identifier: Apache-2.0
// covers: fork, wait4, exit_group, kill
// Many processes at once: all run, all are reaped, a tree is killed as a group (man 2 fork).
#include "guest.h"

TEST(many_at_once)
{
    enum { COUNT = 60 };
    IN_CHILD {
        pid_t pids[COUNT];
        int fds[2];
        ASSERT_OK(pipe(fds));
        for (int i = 0; i < COUNT; i++) {
            pids[i] = ASSERT_OK(fork());
            if (pids[i] == 0) {
                char c;
                close(fds[1]);
                _exit(read(fds[0], &c, 1) == 0 ? i : 255);
            }
        }
        close(fds[0]);
        close(fds[1]);
        for (int i = 0; i < COUNT; i++)
            EXPECT_EQ(wait_exit(pids[i]), i);
        EXPECT_ERRNO(wait(NULL), ECHILD);
    }
}

TEST(tree_killed_as_a_group)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t root = fork();
    if (root == 0) {
        setpgid(0, 0);
        for (int depth = 0; depth < 4; depth++)
            fork();
        close(fds[0]);
        write(fds[1], "x", 1);
        for (;;)
            pause();
    }
    close(fds[1]);
    char text[32];
    int started = 0;
    while (started < 16) {
        ssize_t n = read(fds[0], text, sizeof(text));
        ASSERT_TRUE(n > 0);
        started += n;
    }
    EXPECT_OK(kill(-root, SIGKILL));
    EXPECT_EQ(wait_exit(root), -SIGKILL);
    EXPECT_EQ(read(fds[0], text, sizeof(text)), 0);
    close(fds[0]);
}

TEST(rapid_succession)
{
    for (int i = 0; i < 100; i++) {
        pid_t pid = ASSERT_OK(fork());
        if (pid == 0)
            _exit(i);
        ASSERT_EQ(wait_exit(pid), i);
    }
}
