// SPDX-License-Identifier: Apache-2.0
// covers: fcntl, open, truncate
// Leases: F_SETLEASE, F_GETLEASE (man 2 fcntl).
#include "guest.h"

static volatile sig_atomic_t asked, asked_code, asked_fd;
static void on_break(int signal, siginfo_t *info, void *context) {
    asked++;
    asked_code = info->si_code;
    asked_fd = info->si_fd;
}

TEST(taken_and_given_back) {
    in_tmpdir();
    put_file("f", "text");
    int r = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_EQ(fcntl(r, F_GETLEASE), F_UNLCK);
    EXPECT_OK(fcntl(r, F_SETLEASE, F_RDLCK));
    EXPECT_EQ(fcntl(r, F_GETLEASE), F_RDLCK);
    EXPECT_OK(fcntl(r, F_SETLEASE, F_UNLCK));
    EXPECT_ERRNO(fcntl(r, F_SETLEASE, F_UNLCK), EAGAIN);
    EXPECT_OK(fcntl(r, F_SETLEASE, F_WRLCK));  // nobody else has it open
    EXPECT_EQ(fcntl(r, F_GETLEASE), F_WRLCK);
    EXPECT_OK(fcntl(r, F_SETLEASE, F_RDLCK));
    close(r);
    int w = ASSERT_OK(open("f", O_RDWR));
    EXPECT_ERRNO(fcntl(w, F_SETLEASE, F_RDLCK), EAGAIN);
    EXPECT_OK(fcntl(w, F_SETLEASE, F_WRLCK));
    EXPECT_OK(fcntl(w, F_SETLEASE, F_UNLCK));
    r = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_ERRNO(fcntl(w, F_SETLEASE, F_WRLCK), EAGAIN);
    EXPECT_ERRNO(fcntl(r, F_SETLEASE, F_RDLCK), EAGAIN);
    EXPECT_ERRNO(fcntl(r, F_SETLEASE, 77), EINVAL);
    close(w);
    close(r);
    int d = open(".", O_RDONLY);
    EXPECT_ERRNO(fcntl(d, F_SETLEASE, F_RDLCK), EINVAL);
    close(d);
}

// The holder is told, and the open goes on when the lease is gone, or is one for reading.
static void broken(int type, int flags) {
    asked = 0;
    put_file("f", "text");
    int fd = ASSERT_OK(open("f", type == F_RDLCK ? O_RDONLY : O_RDWR));
    on_siginfo(SIGUSR1, on_break, 0);
    ASSERT_OK(fcntl(fd, F_SETSIG, SIGUSR1));
    ASSERT_OK(fcntl(fd, F_SETLEASE, type));
    pid_t pid = fork_child();
    if (pid == 0) {
        close(fd);
        EXPECT_ERRNO(open("f", flags | O_NONBLOCK), EAGAIN);
        int again = open("f", flags);
        EXPECT_OK(again);
        child_done();
    }
    while (!asked)
        sleep_ms(5);
    EXPECT_EQ(asked_code, POLL_MSG);
    EXPECT_EQ(asked_fd, fd);
    EXPECT_EQ(fcntl(fd, F_GETLEASE), flags == O_RDONLY ? F_RDLCK : F_UNLCK);
    sleep_ms(30);
    int status;
    EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
    EXPECT_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
    EXPECT_EQ(wait_exit(pid), 0);
    close(fd);
}

TEST(broken_by_open) {
    in_tmpdir();
    broken(F_RDLCK, O_WRONLY);
    broken(F_WRLCK, O_RDONLY);
    broken(F_WRLCK, O_RDWR);
}

TEST(readers_go_together) {
    in_tmpdir();
    put_file("f", "text");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    on_siginfo(SIGIO, on_break, 0);
    ASSERT_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
    int other = open("f", O_RDONLY);
    EXPECT_OK(other);
    EXPECT_OK(fcntl(other, F_SETLEASE, F_RDLCK));
    EXPECT_ERRNO(open("f", O_WRONLY | O_NONBLOCK), EAGAIN);
    close(fd);
    close(other);
    fd = open("f", O_WRONLY | O_NONBLOCK);
    EXPECT_OK(fd);
    close(fd);
}

TEST(ends_with_its_file) {
    in_tmpdir();
    put_file("f", "text");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    on_siginfo(SIGIO, on_break, 0);
    asked = 0;
    ASSERT_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
    pid_t pid = fork_child();
    if (pid == 0) {
        close(fd);
        EXPECT_OK(truncate("f", 1));
        child_done();
    }
    while (!asked)
        sleep_ms(5);
    close(fd);
    EXPECT_EQ(wait_exit(pid), 0);
}

TEST(of_others) {
    if (geteuid() != 0)
        SKIP("needs another user's file");
    in_tmpdir();
    put_file("f", "text");
    chmod("f", 0666);
    chmod(".", 0777);
    IN_CHILD {
        ASSERT_OK(setresuid(65534, 65534, 65534));
        int fd = ASSERT_OK(open("f", O_RDONLY));
        EXPECT_ERRNO(fcntl(fd, F_SETLEASE, F_RDLCK), EACCES);
    }
}

// While somebody waits to write, all of it must be given up; for who wants to read a read lease will do.
static void downgraded(int flags, int want) {
    asked = 0;
    put_file("f", "text");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    on_siginfo(SIGUSR1, on_break, 0);
    block_signal(SIG_BLOCK, SIGUSR1);
    ASSERT_OK(fcntl(fd, F_SETSIG, SIGUSR1));
    ASSERT_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
    pid_t pid = fork_child();
    if (pid == 0) {
        close(fd);
        ASSERT_OK(open("f", flags));
        child_done();
    }
    sigset_t none;
    sigemptyset(&none);
    while (!asked)
        sigsuspend(&none);
    block_signal(SIG_UNBLOCK, SIGUSR1);
    int r = fcntl(fd, F_SETLEASE, F_RDLCK);
    EXPECT_EQ(r < 0 ? errno : 0, want);
    EXPECT_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
    EXPECT_EQ(wait_exit(pid), 0);
    close(fd);
}
TEST(downgraded_while_asked_for) {
    in_tmpdir();
    downgraded(O_WRONLY, EAGAIN);
    downgraded(O_RDWR, EAGAIN);
    downgraded(O_RDONLY, 0);
}
