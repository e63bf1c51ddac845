// SPDX-License-Identifier: Apache-2.0
// covers: read, nanosleep, kill
// SIGSTOP and SIGCONT around a blocked call: it goes on, with its remaining time (man 7 signal).
#include "guest.h"

// The child makes one blocking call; it is stopped and continued meanwhile.
static int stopped_and_continued(void (*call)(void))
{
    pid_t pid = fork_child();
    if (pid == 0) {
        call();
        child_done();
    }
    sleep_ms(30);
    int status;
    EXPECT_OK(kill(pid, SIGSTOP));
    EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
    EXPECT_TRUE(WIFSTOPPED(status));
    sleep_ms(30);
    EXPECT_OK(kill(pid, SIGCONT));
    return wait_exit(pid);
}

static void sleep_long(void)
{
    struct timespec ts = {0, 150000000};
    int64_t start = now_ms();
    EXPECT_EQ(nanosleep(&ts, NULL), 0);
    EXPECT_GE(now_ms() - start, 149);
}

TEST(nanosleep_goes_on)
{
    EXPECT_EQ(stopped_and_continued(sleep_long), 0);
}

static int pipes[2];

static void read_byte(void)
{
    char c;
    EXPECT_EQ(read(pipes[0], &c, 1), 1);
}

TEST(read_goes_on)
{
    ASSERT_OK(pipe(pipes));
    pid_t writer = fork();
    if (writer == 0) {
        sleep_ms(150);
        _exit(write(pipes[1], "x", 1) != 1);
    }
    EXPECT_EQ(stopped_and_continued(read_byte), 0);
    EXPECT_EQ(wait_exit(writer), 0);
    close(pipes[0]);
    close(pipes[1]);
}

TEST(stopped_process_does_not_run)
{
    atomic_int *counter = (atomic_int *)map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED);
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            atomic_fetch_add(counter, 1);
    }
    while (atomic_load(counter) == 0)
        sleep_ms(1);
    int status;
    EXPECT_OK(kill(pid, SIGSTOP));
    EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
    int before = atomic_load(counter);
    sleep_ms(30);
    EXPECT_EQ(atomic_load(counter), before);
    EXPECT_OK(kill(pid, SIGTERM));
    sleep_ms(10);
    EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
    EXPECT_OK(kill(pid, SIGCONT));
    EXPECT_EQ(wait_exit(pid), -SIGTERM);
    munmap(counter, 4096);
}

TEST(sigkill_ends_a_stopped_process)
{
    pid_t pid = fork();
    if (pid == 0) {
        raise(SIGSTOP);
        _exit(0);
    }
    int status;
    EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
    EXPECT_OK(kill(pid, SIGKILL));
    EXPECT_EQ(wait_exit(pid), -SIGKILL);
}
