// SPDX-License-Identifier: Apache-2.0
// covers: clone, set_tid_address, futex
// CLONE_PARENT_SETTID, CHILD_SETTID, CHILD_CLEARTID and CLONE_PARENT (man 2 clone).
#include "guest.h"

#include <linux/futex.h>
#include <sched.h>

static pid_t raw_clone(unsigned long flags, pid_t *parent_tid, pid_t *child_tid)
{
    return syscall(SYS_clone, flags, 0, parent_tid, child_tid, 0);
}

TEST(parent_settid)
{
    pid_t tid = 0;
    pid_t pid = raw_clone(CLONE_PARENT_SETTID | SIGCHLD, &tid, NULL);
    if (pid == 0)
        _exit(0);
    EXPECT_EQ(tid, pid);
    EXPECT_EQ(wait_exit(pid), 0);
}

TEST(child_settid)
{
    pid_t tid = 0;
    pid_t pid = raw_clone(CLONE_CHILD_SETTID | SIGCHLD, NULL, &tid);
    if (pid == 0)
        _exit(tid == syscall(SYS_getpid) ? 0 : 1);
    EXPECT_EQ(tid, 0);
    EXPECT_EQ(wait_exit(pid), 0);
}

static int do_nothing(void *arg)
{
    return 0;
}

TEST(child_cleartid_wakes_a_futex)
{
    static char stack[65536] __attribute__((aligned(16)));
    static pid_t tid = 12345;
    int flags = CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD;
    pid_t pid = ASSERT_OK(clone(do_nothing, stack + sizeof(stack), flags, NULL, NULL, NULL, &tid));
    while (__atomic_load_n(&tid, __ATOMIC_SEQ_CST) == 12345)
        syscall(SYS_futex, &tid, FUTEX_WAIT, 12345, NULL, NULL, 0);
    EXPECT_EQ(tid, 0);
    EXPECT_EQ(wait_exit(pid), 0);
}

TEST(clone_parent)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t middle = fork_child();
    if (middle == 0) {
        pid_t pid = raw_clone(CLONE_PARENT | SIGCHLD, NULL, NULL);
        if (pid == 0)
            _exit(33);
        EXPECT_EQ(write(fds[1], &pid, sizeof(pid)), sizeof(pid));
        child_done();
    }
    pid_t sibling;
    EXPECT_EQ(read(fds[0], &sibling, sizeof(sibling)), sizeof(sibling));
    EXPECT_EQ(wait_exit(sibling), 33);
    EXPECT_EQ(wait_exit(middle), 0);
    close(fds[0]);
    close(fds[1]);
}

TEST(set_tid_address)
{
    IN_CHILD {
        pid_t word;
        EXPECT_EQ(syscall(SYS_set_tid_address, &word), gettid());
    }
}
