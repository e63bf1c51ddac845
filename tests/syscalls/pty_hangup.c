// SPDX-License-Identifier: Apache-2.0
// covers: close, read, write, ioctl, vhangup, poll
// The end of either side of a pty: what the other one sees, whom it is told, and what can be opened again
// (man 7 pty, man 2 vhangup, man 3 termios).
#include "guest.h"
#include "guest_pty.h"

#define ALL (POLLIN | POLLOUT)

TEST(master_closed)
{
    struct pty p = pty_make();
    char c, name[64];
    EXPECT_EQ(write(p.master, "left\n", 5), 5);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", p.slave);
    close(p.master);
    EXPECT_EQ(pty_wait(p.slave, ALL, 20000), ALL | POLLERR | POLLHUP);
    EXPECT_EQ(read(p.slave, &c, 1), 0);
    EXPECT_ERRNO(write(p.slave, "x", 1), EIO);
    EXPECT_ERRNO(tcgetpgrp(p.slave), EIO);
    EXPECT_ERRNO(ioctl(p.slave, TIOCSPGRP, &c), ENOTTY);
    EXPECT_ERRNO(open(name, O_RDWR), EIO);
    close(p.slave);
}

TEST(slave_closed_and_opened_again)
{
    struct pty p = {.master = pty_master()};
    char text[16];
    fcntl(p.master, F_SETFL, O_NONBLOCK);
    EXPECT_EQ(pty_wait(p.master, ALL, 0), POLLOUT);
    EXPECT_ERRNO(read(p.master, text, 1), EAGAIN);  // nobody has been there yet
    EXPECT_EQ(write(p.master, "early\n", 6), 6);
    p.slave = ASSERT_OK(pty_slave(p.master, O_RDWR | O_NOCTTY));
    EXPECT_EQ(read(p.slave, text, sizeof(text)), 6);
    EXPECT_EQ(pty_collect(p.master, text, sizeof(text), 7), 7);
    EXPECT_EQ(write(p.slave, "last", 4), 4);
    close(p.slave);
    EXPECT_EQ(pty_wait(p.master, ALL, 20000) & (POLLIN | POLLHUP), POLLIN | POLLHUP);
    EXPECT_EQ(read(p.master, text, sizeof(text)), 4);
    EXPECT_ERRNO(read(p.master, text, sizeof(text)), EIO);
    EXPECT_TRUE(pty_wait(p.master, ALL, 0) & POLLHUP);
    p.slave = ASSERT_OK(pty_slave(p.master, O_RDWR | O_NOCTTY));
    EXPECT_EQ(pty_wait(p.master, ALL, 0), POLLOUT);
    EXPECT_ERRNO(read(p.master, text, sizeof(text)), EAGAIN);
    pty_close(&p);
}

// A blocked reader and a blocked writer are let go.
TEST(waiting_ones_are_woken)
{
    struct pty p = pty_make();
    pid_t reader = fork_child();
    if (reader == 0) {
        char c;
        close(p.master);
        ssize_t n = read(p.slave, &c, 1);  // one that waits may hear of the closing before the hang-up
        EXPECT_TRUE(n == 0 || (n < 0 && errno == EIO));
        child_done();
    }
    pid_t writer = fork_child();
    if (writer == 0) {
        static char much[100000];
        close(p.master);
        ssize_t n = write(p.slave, much, sizeof(much));
        EXPECT_TRUE(n < (ssize_t)sizeof(much) && (n > 0 || errno == EIO));
        child_done();
    }
    sleep_ms(100);
    close(p.slave);
    close(p.master);
    EXPECT_EQ(wait_exit(reader), 0);
    EXPECT_EQ(wait_exit(writer), 0);
}

static void leader_waits(struct pty *p, int fd)
{
    close(p->master);
    ASSERT_OK(setsid());
    ASSERT_OK(ioctl(p->slave, TIOCSCTTY, 0));
    EXPECT_EQ(write(fd, "r", 1), 1);
    for (;;)
        pause();
}

TEST(the_session_is_told)
{
    struct pty p = pty_make();
    int fds[2];
    char c;
    ASSERT_OK(pipe(fds));
    pid_t leader = fork_child();
    if (leader == 0)
        leader_waits(&p, fds[1]);
    EXPECT_EQ(read(fds[0], &c, 1), 1);
    pty_close(&p);
    EXPECT_EQ(wait_exit(leader), -SIGHUP);
}

static volatile int hups;
static void hup(int sig) { hups++; }

TEST(a_leader_that_stays_has_no_terminal)
{
    struct pty p = pty_make();
    int fds[2];
    char c;
    ASSERT_OK(pipe(fds));
    pid_t leader = fork_child();
    if (leader == 0) {
        close(p.master);
        signal(SIGHUP, hup);
        ASSERT_OK(setsid());
        ASSERT_OK(ioctl(p.slave, TIOCSCTTY, 0));
        EXPECT_EQ(write(fds[1], "r", 1), 1);
        while (!hups)
            sleep_ms(1);
        EXPECT_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
        EXPECT_EQ(read(p.slave, &c, 1), 0);
        child_done();
    }
    EXPECT_EQ(read(fds[0], &c, 1), 1);
    pty_close(&p);
    EXPECT_EQ(wait_exit(leader), 0);
}

// What was in front when the terminal went hears of it when the leader ends; and at once when only the leader
// ends.
static void front_dies(bool master_first)
{
    struct pty p = pty_make();
    int fds[2];
    char c;
    ASSERT_OK(pipe(fds));
    pid_t leader = fork_child();
    if (leader == 0) {
        close(p.master);
        close(fds[0]);
        ASSERT_OK(setsid());
        ASSERT_OK(ioctl(p.slave, TIOCSCTTY, 0));
        pid_t front = fork();
        if (front == 0) {
            setpgid(0, 0);
            for (;;)
                pause();
        }
        signal(SIGHUP, hup);
        setpgid(front, front);
        ASSERT_OK(tcsetpgrp(p.slave, front));
        EXPECT_EQ(write(fds[1], "r", 1), 1);
        while (master_first && !hups)
            sleep_ms(1);
        EXPECT_EQ(waitpid(front, NULL, WNOHANG), 0);
        child_done();
    }
    close(fds[1]);
    EXPECT_EQ(read(fds[0], &c, 1), 1);
    if (master_first)
        close(p.master);
    EXPECT_EQ(wait_exit(leader), 0);
    EXPECT_EQ(read(fds[0], &c, 1), 0);  // the last one that had it is gone
    close(p.slave);
    if (!master_first)
        close(p.master);
}
TEST(front_of_a_terminal_that_is_gone) { front_dies(true); }
TEST(front_of_a_leader_that_is_gone) { front_dies(false); }

TEST(by_request)
{
    struct pty p = pty_make();
    char c;
    if (geteuid() != 0) {
        EXPECT_ERRNO(vhangup(), EPERM);
        EXPECT_ERRNO(ioctl(p.slave, TIOCVHANGUP), EPERM);
        pty_close(&p);
        return;
    }
    EXPECT_OK(ioctl(p.slave, TIOCVHANGUP));
    EXPECT_EQ(read(p.slave, &c, 1), 0);
    EXPECT_ERRNO(write(p.slave, "x", 1), EIO);
    int again = ASSERT_OK(pty_slave(p.master, O_RDWR | O_NOCTTY));  // the terminal itself lives
    EXPECT_EQ(write(again, "x", 1), 1);
    EXPECT_EQ(read(p.master, &c, 1), 1);
    close(again);
    IN_CHILD {
        signal(SIGHUP, SIG_IGN);
        ASSERT_OK(setsid());
        EXPECT_OK(vhangup());  // nothing to hang up
        int mine = ASSERT_OK(pty_slave(p.master, O_RDWR));
        EXPECT_OK(vhangup());
        EXPECT_EQ(read(mine, &c, 1), 0);
        EXPECT_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
    }
    pty_close(&p);
}
