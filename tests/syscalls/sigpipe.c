// SPDX-License-Identifier: Apache-2.0
// covers: write, writev, pwritev2, sendfile, splice, tee, vmsplice
// Every way to write to a pipe without readers is EPIPE and SIGPIPE; a write whose reader leaves in the
// middle says how much went, and sends the signal too (pipe(7), write(2)).
#include "guest.h"
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static volatile int pipes;
static void count(int sig) { pipes++; }

static int dead_pipe(void) {
    int p[2];
    ASSERT_OK(pipe(p));
    close(p[0]);
    return p[1];
}

static int full_pipe(void) {
    int p[2];
    ASSERT_OK(pipe(p));
    ASSERT_EQ(write(p[1], "text", 4), 4);
    return p[0];
}

TEST(no_reader)
{
    in_tmpdir();
    put_file("f", "0123456789");
    on_signal(SIGPIPE, count, 0);
    int w = dead_pipe(), in = open("f", O_RDONLY), from = full_pipe(), seen = 0;
    struct iovec v[2] = {{"ab", 2}, {"cd", 2}};
    EXPECT_ERRNO(write(w, "x", 1), EPIPE);
    EXPECT_EQ(pipes, ++seen);
    EXPECT_ERRNO(writev(w, v, 2), EPIPE);
    EXPECT_EQ(pipes, ++seen);
    EXPECT_ERRNO(pwritev2(w, v, 2, -1, 0), EPIPE);
    EXPECT_EQ(pipes, ++seen);
    EXPECT_ERRNO(sendfile(w, in, NULL, 10), EPIPE);
    EXPECT_EQ(pipes, ++seen);
    EXPECT_ERRNO(splice(in, NULL, w, NULL, 10, 0), EPIPE);
    EXPECT_EQ(pipes, ++seen);
    EXPECT_ERRNO(splice(from, NULL, w, NULL, 4, 0), EPIPE);
    EXPECT_EQ(pipes, ++seen);
    EXPECT_ERRNO(tee(from, w, 4, 0), EPIPE);
    EXPECT_EQ(pipes, ++seen);
    EXPECT_ERRNO(vmsplice(w, v, 2, 0), EPIPE);
    EXPECT_EQ(pipes, ++seen);
}

TEST(ignored)
{
    IN_CHILD
    {
        signal(SIGPIPE, SIG_IGN);
        EXPECT_ERRNO(write(dead_pipe(), "x", 1), EPIPE);
    }
}

TEST(kills)
{
    pid_t child = fork_child();
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        write(dead_pipe(), "x", 1);
        child_done();
    }
    EXPECT_EQ(wait_exit(child), -SIGPIPE);
}

// The reader takes a little and goes: the write has filled the pipe, and a bit more, by then.
TEST(in_the_middle)
{
    static char data[300000];
    int p[2];
    ASSERT_OK(pipe(p));
    on_signal(SIGPIPE, count, 0);
    pipes = 0;
    pid_t reader = fork_child();
    if (reader == 0) {
        close(p[1]);
        sleep_ms(50);
        ASSERT_EQ(read(p[0], data, 4096), 4096);
        sleep_ms(50);
        _exit(0);
    }
    close(p[0]);
    EXPECT_RANGE(write(p[1], data, sizeof(data)), 4096, (long)sizeof(data) - 1);
    EXPECT_EQ(pipes, 1);
    EXPECT_EQ(wait_exit(reader), 0);
}
