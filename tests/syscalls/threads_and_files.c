// SPDX-License-Identifier: Apache-2.0
// covers: read, write, open, close, pipe
// Threads share one descriptor table; many threads at once get distinct descriptors and whole writes (man 7
// pthreads).
#include "guest.h"

static int pipes[2];
static pthread_barrier_t barrier;

static void *open_many(void *seen)
{
    atomic_int *counts = seen;
    pthread_barrier_wait(&barrier);
    for (int round = 0; round < 100; round++) {
        int fd = open("/dev/null", O_RDONLY);
        if (fd < 0 || fd >= 64)
            return (void *)1;
        int holders = atomic_fetch_add(&counts[fd], 1);
        atomic_fetch_sub(&counts[fd], 1);
        if (holders != 0)
            return (void *)2;
        close(fd);
    }
    return NULL;
}

TEST(distinct_descriptors)
{
    static atomic_int counts[64];
    pthread_t threads[4];
    pthread_barrier_init(&barrier, NULL, 4);
    for (int i = 0; i < 4; i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, open_many, counts), 0);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        EXPECT_EQ((intptr_t)result, 0);
    }
}

static void *write_lines(void *letter)
{
    char line[100];
    memset(line, (int)(intptr_t)letter, sizeof(line));
    for (int i = 0; i < 100; i++) {
        if (write(pipes[1], line, sizeof(line)) != sizeof(line))
            return (void *)1;
    }
    return NULL;
}

TEST(whole_writes)
{
    ASSERT_OK(pipe(pipes));
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, write_lines, (void *)(intptr_t)('a' + i)), 0);
    int mixed = 0;
    for (int line = 0; line < 300; line++) {
        char text[100];
        for (size_t have = 0; have < sizeof(text);) {
            ssize_t n = read(pipes[0], text + have, sizeof(text) - have);
            ASSERT_TRUE(n > 0);
            have += n;
        }
        for (int i = 1; i < 100; i++)
            mixed += text[i] != text[0];
    }
    EXPECT_EQ(mixed, 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    close(pipes[0]);
    close(pipes[1]);
}

static void *read_until_end(void *fd)
{
    char c;
    return (void *)read(*(int *)fd, &c, 1);
}

TEST(close_by_another_thread_keeps_the_call)
{
    ASSERT_OK(pipe(pipes));
    int reader = ASSERT_OK(dup(pipes[0]));
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, read_until_end, &reader), 0);
    sleep_ms(30);
    close(pipes[0]);
    close(reader);
    signal(SIGPIPE, SIG_IGN); // on a busy machine the thread may come too late: then there is no reader
    ssize_t wrote = write(pipes[1], "x", 1);
    void *result;
    pthread_join(thread, &result);
    EXPECT_TRUE((ssize_t)result == 1 || (ssize_t)result == -1);
    EXPECT_TRUE(wrote == 1 || (ssize_t)result == -1);
    close(pipes[1]);
}
