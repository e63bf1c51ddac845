// SPDX-License-Identifier: Apache-2.0
// covers: wait4, clone
// Children belong to the process: any thread may wait, __WNOTHREAD, rusage is filled (man 2 wait4).
#include "guest.h"

#include <sys/resource.h>

static void *wait_for(void *pid)
{
    return (void *)(intptr_t)wait_exit((pid_t)(intptr_t)pid);
}

static void *make_child(void *unused)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(21);
    return (void *)(intptr_t)pid;
}

TEST(other_thread_reaps)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(11);
    pthread_t thread;
    void *result;
    ASSERT_EQ(pthread_create(&thread, NULL, wait_for, (void *)(intptr_t)pid), 0);
    pthread_join(thread, &result);
    EXPECT_EQ((intptr_t)result, 11);
}

TEST(child_outlives_the_thread_that_made_it)
{
    pthread_t thread;
    void *pid;
    ASSERT_EQ(pthread_create(&thread, NULL, make_child, NULL), 0);
    pthread_join(thread, &pid);
    EXPECT_EQ(wait_exit((pid_t)(intptr_t)pid), 21);
}

TEST(rusage)
{
    pid_t pid = fork();
    if (pid == 0) {
        volatile unsigned sum = 0;
        clock_t until = clock() + CLOCKS_PER_SEC / 20;
        while (clock() < until)
            sum++;
        _exit(0);
    }
    struct rusage usage;
    memset(&usage, 0xff, sizeof(usage));
    int status;
    EXPECT_EQ(wait4(pid, &status, 0, &usage), pid);
    EXPECT_RANGE(usage.ru_utime.tv_sec, 0, 10);
    EXPECT_RANGE(usage.ru_utime.tv_usec, 0, 999999);
    EXPECT_GE(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec + usage.ru_utime.tv_sec * 1000000, 10000);
}

TEST(wclone_and_wall)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(3);
    int status;
    EXPECT_ERRNO(waitpid(pid, &status, __WCLONE), ECHILD);
    EXPECT_EQ(waitpid(pid, &status, __WALL), pid);
    EXPECT_EQ(WEXITSTATUS(status), 3);
}

static void *fork_and_end(void *arg)
{
    pid_t pid = fork();
    if (pid == 0) {
        sleep_ms(50);
        _exit(7);
    }
    *(pid_t *)arg = pid;
    return NULL;
}

// A thread's children are handed on to another thread of its process when it ends.
TEST(children_of_an_ended_thread)
{
    pid_t pid = 0;
    int status = 0;
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, fork_and_end, &pid), 0);
    pthread_join(thread, NULL);
    EXPECT_EQ(waitpid(pid, &status, __WNOTHREAD), pid);
    EXPECT_EQ(WEXITSTATUS(status), 7);
}
