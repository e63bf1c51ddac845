// SPDX-License-Identifier: Apache-2.0
// covers: fcntl, pipe, write
// F_SETPIPE_SZ, the default capacity, atomic small writes and blocking large ones (man 7 pipe).
#include "guest.h"

#include <sys/ioctl.h>

TEST(default_and_resize)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    EXPECT_EQ(fcntl(fds[0], F_GETPIPE_SZ), 65536);
    EXPECT_EQ(fcntl(fds[0], F_SETPIPE_SZ, 0), 4096);
    EXPECT_EQ(fcntl(fds[0], F_SETPIPE_SZ, 100), 4096);
    EXPECT_EQ(fcntl(fds[1], F_GETPIPE_SZ), 4096);
    EXPECT_EQ(fcntl(fds[1], F_SETPIPE_SZ, 20000), 32768);
    char buffer[20000] = {0};
    EXPECT_EQ(write(fds[1], buffer, sizeof(buffer)), sizeof(buffer));
    EXPECT_ERRNO(fcntl(fds[0], F_SETPIPE_SZ, 4096), EBUSY);
    close(fds[0]);
    close(fds[1]);
    EXPECT_ERRNO(fcntl(fds[0], F_GETPIPE_SZ), EBADF);
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_ERRNO(fcntl(fd, F_GETPIPE_SZ), EBADF);
    close(fd);
}

TEST(small_writes_are_atomic)
{
    int fds[2];
    ASSERT_OK(pipe2(fds, O_NONBLOCK));
    ASSERT_OK(fcntl(fds[0], F_SETPIPE_SZ, 4096));
    char buffer[4096] = {0};
    EXPECT_EQ(write(fds[1], buffer, 100), 100);
    EXPECT_ERRNO(write(fds[1], buffer, 4096), EAGAIN);
    int pending;
    EXPECT_OK(ioctl(fds[0], FIONREAD, &pending));
    EXPECT_EQ(pending, 100);
    close(fds[0]);
    close(fds[1]);
}

TEST(large_write_waits_for_the_reader)
{
    enum { SIZE = 300000 };
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t pid = fork_child();
    if (pid == 0) {
        close(fds[0]);
        char *data = malloc(SIZE);
        for (int i = 0; i < SIZE; i++)
            data[i] = i % 251;
        EXPECT_EQ(write(fds[1], data, SIZE), SIZE);
        child_done();
    }
    close(fds[1]);
    char buffer[7001];
    int total = 0, wrong = 0;
    for (ssize_t n; (n = read(fds[0], buffer, sizeof(buffer))) > 0; total += n) {
        for (int i = 0; i < n; i++)
            wrong += buffer[i] != (char)((total + i) % 251);
    }
    EXPECT_EQ(total, SIZE);
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(wait_exit(pid), 0);
    close(fds[0]);
}

TEST(many_writers_do_not_mix)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    for (int writer = 0; writer < 4; writer++) {
        if (fork() == 0) {
            char line[1000];
            memset(line, 'a' + writer, sizeof(line));
            for (int i = 0; i < 50; i++) {
                if (write(fds[1], line, sizeof(line)) != sizeof(line))
                    _exit(1);
            }
            _exit(0);
        }
    }
    close(fds[1]);
    char line[1000];
    int lines = 0, mixed = 0;
    for (size_t have = 0;;) {
        ssize_t n = read(fds[0], line + have, sizeof(line) - have);
        if (n <= 0)
            break;
        have += n;
        if (have == sizeof(line)) {
            mixed += memchr(line, line[0], 1000) != line || line[999] != line[0] || line[500] != line[0];
            lines++;
            have = 0;
        }
    }
    EXPECT_EQ(lines, 200);
    EXPECT_EQ(mixed, 0);
    for (int i = 0; i < 4; i++) {
        int status;
        EXPECT_OK(wait(&status));
        EXPECT_EQ(status, 0);
    }
    close(fds[0]);
}
