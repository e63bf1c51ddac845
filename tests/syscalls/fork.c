// SPDX-License-Identifier: Apache-2.0
// covers: fork, wait4, exit_group
// A child has its own memory and shares open files; its status reaches the parent (man 2 fork).
#include "guest.h"

static int in_memory = 1;

TEST(own_memory)
{
    volatile int on_stack = 1;
    int *on_heap = malloc(sizeof(int));
    *on_heap = 1;
    IN_CHILD {
        EXPECT_EQ(in_memory + on_stack + *on_heap, 3);
        in_memory = on_stack = *on_heap = 2;
        EXPECT_EQ(in_memory + on_stack + *on_heap, 6);
    }
    EXPECT_EQ(in_memory + on_stack + *on_heap, 3);
    free(on_heap);
}

TEST(identity)
{
    pid_t parent = getpid();
    pid_t pid = fork_child();
    if (pid == 0) {
        EXPECT_EQ(getppid(), parent);
        EXPECT_TRUE(getpid() != parent);
        EXPECT_EQ(getpid(), gettid());
        child_done();
    }
    EXPECT_TRUE(pid > 0 && pid != parent);
    EXPECT_EQ(wait_exit(pid), 0);
}

TEST(exit_statuses)
{
    for (int status = 0; status < 256; status += 51) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(status);
        EXPECT_EQ(wait_exit(pid), status);
    }
    pid_t pid = fork();
    if (pid == 0)
        _exit(0x1234);
    EXPECT_EQ(wait_exit(pid), 0x34);
}

TEST(shared_descriptors)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t pid = fork();
    if (pid == 0) {
        ssize_t n = write(fds[1], "child", 5);
        _exit(n != 5);
    }
    close(fds[1]);
    char buffer[16];
    EXPECT_EQ(read_all(fds[0], buffer, sizeof(buffer)), 5);
    EXPECT_STREQ(buffer, "child");
    EXPECT_EQ(wait_exit(pid), 0);
    close(fds[0]);
}

TEST(many_generations)
{
    IN_CHILD {
        for (int depth = 0; depth < 20; depth++) {
            pid_t pid = fork();
            if (pid > 0)
                _exit(wait_exit(pid));
            ASSERT_OK(pid);
        }
    }
}
