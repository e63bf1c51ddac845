// SPDX-License-Identifier: Apache-2.0
// covers: fcntl
// F_SETLKW waits for the holder, is interrupted by a signal, and reports deadlock (man 2 fcntl).
#include "guest.h"

static void ignore(int signal)
{
}

static int lock_byte(int fd, int command, int type, off_t start)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = 1};
    return fcntl(fd, command, &lock);
}

static pid_t interrupt_me_after(int ms)
{
    on_signal(SIGUSR1, ignore, 0);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        sleep_ms(ms);
        _exit(kill(parent, SIGUSR1));
    }
    return pid;
}

TEST(waits_until_released)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600)), fds[2];
    ASSERT_OK(pipe(fds));
    pid_t pid = fork_child();
    if (pid == 0) {
        EXPECT_OK(lock_byte(fd, F_SETLK, F_WRLCK, 0));
        EXPECT_EQ(write(fds[1], "x", 1), 1);
        sleep_ms(50);
        child_done();
    }
    char c;
    EXPECT_EQ(read(fds[0], &c, 1), 1);
    EXPECT_OK(lock_byte(fd, F_SETLKW, F_WRLCK, 0));
    EXPECT_EQ(wait_exit(pid), 0);
    close(fds[0]);
    close(fds[1]);
    close(fd);
}

TEST(interrupted)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_OK(lock_byte(fd, F_SETLK, F_WRLCK, 0));
    on_signal(SIGUSR1, ignore, 0);
    pid_t pid = fork_child();
    if (pid == 0) {
        EXPECT_ERRNO(lock_byte(fd, F_SETLKW, F_WRLCK, 0), EINTR);
        child_done();
    }
    sleep_ms(50);
    int status;
    do {
        kill(pid, SIGUSR1);
        sleep_ms(10);
    } while (waitpid(pid, &status, WNOHANG) == 0);
    EXPECT_EQ(status, 0);
    close(fd);
}

TEST(deadlock_is_reported)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600)), fds[2];
    ASSERT_OK(pipe(fds));
    EXPECT_OK(lock_byte(fd, F_SETLK, F_WRLCK, 0));
    pid_t pid = fork_child();
    if (pid == 0) {
        EXPECT_OK(lock_byte(fd, F_SETLK, F_WRLCK, 1));
        EXPECT_EQ(write(fds[1], "x", 1), 1);
        EXPECT_OK(lock_byte(fd, F_SETLKW, F_WRLCK, 0));
        child_done();
    }
    char c;
    EXPECT_EQ(read(fds[0], &c, 1), 1);
    sleep_ms(50);
    pid_t rescuer = interrupt_me_after(2000);
    int result = lock_byte(fd, F_SETLKW, F_WRLCK, 1), error = errno;
    kill(rescuer, SIGKILL);
    wait_exit(rescuer);
    EXPECT_OK(lock_byte(fd, F_SETLK, F_UNLCK, 0));
    EXPECT_EQ(wait_exit(pid), 0);
    errno = error;
    EXPECT_ERRNO(result, EDEADLK);
    close(fds[0]);
    close(fds[1]);
    close(fd);
}
