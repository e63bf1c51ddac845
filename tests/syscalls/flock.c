// SPDX-License-Identifier: Apache-2.0
// covers: flock
// Whole-file locks of open files: shared, exclusive, conversion, release, blocking (man 2 flock).
#include "guest.h"

#include <sys/file.h>

TEST(exclusive_between_open_files)
{
    in_tmpdir();
    int a = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600)), b = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_OK(flock(a, LOCK_EX));
    EXPECT_ERRNO(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    EXPECT_ERRNO(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    EXPECT_OK(flock(a, LOCK_UN));
    EXPECT_OK(flock(b, LOCK_EX | LOCK_NB));
    close(a);
    close(b);
}

TEST(shared_and_conversion)
{
    in_tmpdir();
    int a = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600)), b = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_OK(flock(a, LOCK_SH));
    EXPECT_OK(flock(b, LOCK_SH | LOCK_NB));
    EXPECT_ERRNO(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    close(b);
    EXPECT_OK(flock(a, LOCK_EX | LOCK_NB));
    close(a);
}

TEST(released_with_the_last_copy)
{
    in_tmpdir();
    int a = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600)), copy = ASSERT_OK(dup(a));
    int b = ASSERT_OK(open("f", O_RDWR));
    EXPECT_OK(flock(a, LOCK_EX));
    close(a);
    EXPECT_ERRNO(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    close(copy);
    EXPECT_OK(flock(b, LOCK_EX | LOCK_NB));
    close(b);
}

TEST(waits)
{
    in_tmpdir();
    int fds[2];
    ASSERT_OK(pipe(fds));
    close(ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600)));
    pid_t pid = fork_child();
    if (pid == 0) {
        int fd = ASSERT_OK(open("f", O_RDWR));
        EXPECT_OK(flock(fd, LOCK_EX));
        EXPECT_EQ(write(fds[1], "x", 1), 1);
        sleep_ms(50);
        child_done();
    }
    char c;
    EXPECT_EQ(read(fds[0], &c, 1), 1);
    int fd = ASSERT_OK(open("f", O_RDWR));
    EXPECT_OK(flock(fd, LOCK_EX));
    EXPECT_EQ(wait_exit(pid), 0);
    close(fd);
    close(fds[0]);
    close(fds[1]);
}

TEST(errors)
{
    EXPECT_ERRNO(flock(-1, LOCK_EX), EBADF);
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_ERRNO(flock(fd, 0), EINVAL);
    EXPECT_ERRNO(flock(fd, LOCK_EX | LOCK_SH), EINVAL);
    close(fd);
}
