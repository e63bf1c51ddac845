// SPDX-License-Identifier: Apache-2.0
// covers: getpid, gettid, getppid, getuid, geteuid, getgid, getegid, set_tid_address
// Ids are stable, consistent with each other, and a thread has its own tid (man 2 getpid, man 2 gettid).
#include "guest.h"

#include <sys/auxv.h>

static void *raw_ids(void *result)
{
    pid_t *ids = result;
    ids[0] = syscall(SYS_getpid);
    ids[1] = syscall(SYS_gettid);
    return NULL;
}

TEST(processes_and_threads)
{
    pid_t mine[2], other[2];
    raw_ids(mine);
    EXPECT_EQ(mine[0], mine[1]);
    EXPECT_EQ(mine[0], getpid());
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, raw_ids, other), 0);
    pthread_join(thread, NULL);
    EXPECT_EQ(other[0], mine[0]);
    EXPECT_TRUE(other[1] != mine[1] && other[1] > 0);
}

TEST(children)
{
    pid_t parent = getpid();
    IN_CHILD {
        EXPECT_EQ(syscall(SYS_getppid), parent);
        EXPECT_TRUE(syscall(SYS_getpid) != parent);
        EXPECT_EQ(syscall(SYS_gettid), syscall(SYS_getpid));
    }
}

TEST(users_and_groups)
{
    EXPECT_EQ(syscall(SYS_getuid), getauxval(AT_UID));
    EXPECT_EQ(syscall(SYS_geteuid), getauxval(AT_EUID));
    EXPECT_EQ(syscall(SYS_getgid), getauxval(AT_GID));
    EXPECT_EQ(syscall(SYS_getegid), getauxval(AT_EGID));
}

TEST(many_calls_give_one_answer)
{
    pid_t pid = getpid();
    int wrong = 0;
    for (int i = 0; i < 10000; i++)
        wrong += syscall(SYS_getpid) != pid;
    EXPECT_EQ(wrong, 0);
}
