// SPDX-License-Identifier: Apache-2.0
// covers: ioctl, setsid, open, read, write
// Controlling terminals: who gets one and who keeps it, /dev/tty, what the background may do, orphaned groups
// (man 4 tty_ioctl, man 7 credentials, man 3 tcsetpgrp, man 2 ioctl_tty).
#include "guest.h"
#include "guest_pty.h"

static struct pty p;

// In a child: leads a session whose terminal is p.slave.
static void lead(void)
{
    p.master = pty_master();
    ASSERT_OK(setsid());
    p.slave = ASSERT_OK(pty_slave(p.master, O_RDWR));
    signal(SIGHUP, SIG_IGN);
}

static pid_t in_group(void (*work)(void))
{
    pid_t pid = fork_child();
    if (pid == 0) {
        setpgid(0, 0);
        work();
        child_done();
    }
    setpgid(pid, pid);
    return pid;
}

static int stopped_by(pid_t pid)
{
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
    return WIFSTOPPED(status) ? WSTOPSIG(status) : -1;
}

static int end(pid_t pid)
{
    kill(pid, SIGKILL);
    return wait_exit(pid);
}

TEST(open_makes_it_the_terminal)
{
    IN_CHILD {
        p.master = pty_master();
        ASSERT_OK(setsid());
        EXPECT_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
        int fd = EXPECT_OK(pty_slave(p.master, O_RDWR | O_NOCTTY));
        EXPECT_EQ(fcntl(fd, F_GETFL) & O_NOCTTY, 0);
        EXPECT_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
        EXPECT_ERRNO(tcgetsid(fd), ENOTTY);
        EXPECT_ERRNO(tcgetpgrp(fd), ENOTTY);
        EXPECT_OK(pty_slave(p.master, O_WRONLY));  // not by who cannot read it
        EXPECT_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
        p.slave = EXPECT_OK(pty_slave(p.master, O_RDWR));
        EXPECT_EQ(tcgetsid(p.slave), getpid());
        EXPECT_EQ(tcgetpgrp(fd), getpgrp());
        EXPECT_EQ(tcgetpgrp(p.master), getpgrp());  // the master may ask too
        EXPECT_EQ(tcgetsid(p.master), getpid());
        int tty = EXPECT_OK(open("/dev/tty", O_RDWR));
        EXPECT_EQ(write(tty, "x", 1), 1);
        char c;
        EXPECT_EQ(read(p.master, &c, 1), 1);
        EXPECT_OK(ioctl(p.slave, TIOCSCTTY, 0));  // has it already
    }
}

TEST(by_request)
{
    IN_CHILD {
        p = pty_make();
        pid_t pid = fork_child();
        if (pid == 0) {
            EXPECT_ERRNO(ioctl(p.slave, TIOCSCTTY, 0), EPERM);  // leads no session
            child_done();
        }
        EXPECT_EQ(wait_exit(pid), 0);
        ASSERT_OK(setsid());
        struct pty other = pty_make();
        EXPECT_OK(ioctl(p.slave, TIOCSCTTY, 0));
        EXPECT_ERRNO(ioctl(other.slave, TIOCSCTTY, 0), EPERM);  // has another one
        pid = fork_child();
        if (pid == 0) {
            ASSERT_OK(setsid());
            EXPECT_ERRNO(ioctl(p.slave, TIOCSCTTY, 0), EPERM);  // is another session's
            EXPECT_ERRNO(tcgetpgrp(p.slave), ENOTTY);
            if (geteuid() == 0) {
                EXPECT_OK(ioctl(p.slave, TIOCSCTTY, 1));
                EXPECT_EQ(tcgetsid(p.slave), getpid());
            }
            child_done();
        }
        EXPECT_EQ(wait_exit(pid), 0);
        if (geteuid() == 0)
            EXPECT_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
    }
}

TEST(giving_it_up)
{
    IN_CHILD {
        lead();
        signal(SIGHUP, SIG_IGN);
        EXPECT_OK(ioctl(p.slave, TIOCNOTTY));
        EXPECT_ERRNO(ioctl(p.slave, TIOCNOTTY), ENOTTY);
        EXPECT_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
        EXPECT_ERRNO(ioctl(p.master, TIOCNOTTY), ENOTTY);
        EXPECT_ERRNO(tcgetsid(p.master), ENOTTY);
        EXPECT_OK(ioctl(p.slave, TIOCSCTTY, 0));
    }
}

TEST(a_new_session_has_none)
{
    IN_CHILD {
        lead();
        pid_t pid = fork_child();
        if (pid == 0) {
            EXPECT_EQ(tcgetsid(p.slave), getppid());
            ASSERT_OK(setsid());
            EXPECT_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
            EXPECT_EQ(write(p.slave, "x", 1), 1);
            child_done();
        }
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

TEST(putting_groups_in_front)
{
    IN_CHILD {
        lead();
        EXPECT_ERRNO(tcsetpgrp(p.slave, -1), EINVAL);
        EXPECT_ERRNO(tcsetpgrp(p.slave, 999999), ESRCH);
        int fds[2];
        ASSERT_OK(pipe(fds));
        pid_t pid = fork_child();
        if (pid == 0) {
            char c;
            ASSERT_OK(setsid());
            EXPECT_EQ(write(fds[1], "x", 1), 1);
            EXPECT_ERRNO(tcsetpgrp(p.slave, getpgrp()), ENOTTY);
            while (read(p.slave, &c, 1) < 0)  // no job control: it is another session's
                ;
            child_done();
        }
        char c;
        EXPECT_EQ(read(fds[0], &c, 1), 1);
        EXPECT_ERRNO(tcsetpgrp(p.slave, pid), EPERM);
        EXPECT_EQ(write(p.master, "\n", 1), 1);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

static void write_it(void) { EXPECT_EQ(write(p.slave, "x", 1), 1); }
static void read_it(void)
{
    char c;
    EXPECT_EQ(read(p.slave, &c, 1), 1);
}
static void change_it(void)
{
    struct termios t;
    EXPECT_OK(tcgetattr(p.slave, &t));
    EXPECT_OK(tcsetattr(p.slave, TCSANOW, &t));
}
static void flush_it(void) { EXPECT_OK(tcflush(p.slave, TCIFLUSH)); }
static void take_it(void) { EXPECT_OK(tcsetpgrp(p.slave, getpgrp())); }

static void expect_stop(void (*work)(void), int sig)
{
    pid_t pid = in_group(work);
    EXPECT_EQ(stopped_by(pid), sig);
    EXPECT_EQ(end(pid), -SIGKILL);
}

TEST(the_background_is_stopped)
{
    IN_CHILD {
        struct termios t;
        lead();
        expect_stop(read_it, SIGTTIN);
        expect_stop(change_it, SIGTTOU);
        expect_stop(flush_it, SIGTTOU);
        expect_stop(take_it, SIGTTOU);
        EXPECT_EQ(wait_exit(in_group(write_it)), 0);
        EXPECT_OK(tcgetattr(p.slave, &t));
        t.c_lflag |= TOSTOP;
        EXPECT_OK(tcsetattr(p.slave, TCSANOW, &t));
        expect_stop(write_it, SIGTTOU);
        EXPECT_EQ(write(p.master, "\n", 1), 1);
        pid_t pid = in_group(read_it);
        EXPECT_EQ(stopped_by(pid), SIGTTIN);
        EXPECT_OK(tcsetpgrp(p.slave, pid));
        EXPECT_OK(kill(pid, SIGCONT));
        EXPECT_EQ(wait_exit(pid), 0);  // the read is restarted
    }
}

static void ignores(void)
{
    char c;
    signal(SIGTTIN, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
    EXPECT_ERRNO(read(p.slave, &c, 1), EIO);
    change_it();
    write_it();
    signal(SIGTTIN, SIG_DFL);
    block_signal(SIG_BLOCK, SIGTTIN);
    EXPECT_ERRNO(read(p.slave, &c, 1), EIO);
}
TEST(who_does_not_mind)
{
    IN_CHILD {
        lead();
        EXPECT_EQ(wait_exit(in_group(ignores)), 0);
    }
}

static int results[2];
static void orphan(void)
{
    pid_t pid = fork();
    if (pid)
        _exit(0);
    while (getppid() != 1 && waitpid(-1, NULL, WNOHANG) < 0 && getppid() == getpgrp())
        sleep_ms(1);
    sleep_ms(50);
    char c = 0;
    struct termios t;
    int bad = read(p.slave, &c, 1) != -1 || errno != EIO;
    EXPECT_OK(tcgetattr(p.slave, &t));
    bad |= tcsetattr(p.slave, TCSANOW, &t) != -1 || errno != EIO;
    c = (char)('0' + bad);
    EXPECT_EQ(write(results[1], &c, 1), 1);
    _exit(0);
}
TEST(orphaned_groups_get_errors)
{
    IN_CHILD {
        lead();
        ASSERT_OK(pipe(results));
        EXPECT_EQ(wait_exit(in_group(orphan)), 0);
        char c;
        EXPECT_EQ(read(results[0], &c, 1), 1);
        EXPECT_EQ(c, '0');
    }
}

static void sleep_on(void)
{
    for (;;)
        pause();
}
TEST(keys_and_requests_signal_the_front)
{
    static const struct { char key; int sig; } keys[] = {{3, SIGINT}, {28, SIGQUIT}};
    IN_CHILD {
        lead();
        for (int i = 0; i < 2; i++) {
            pid_t pid = in_group(sleep_on);
            EXPECT_OK(tcsetpgrp(p.slave, pid));
            EXPECT_EQ(write(p.master, &keys[i].key, 1), 1);
            EXPECT_EQ(wait_exit(pid), -keys[i].sig);
            signal(SIGTTOU, SIG_IGN);
        }
        pid_t pid = in_group(sleep_on);
        EXPECT_OK(tcsetpgrp(p.slave, pid));
        EXPECT_EQ(write(p.master, "\032", 1), 1);
        EXPECT_EQ(stopped_by(pid), SIGTSTP);
        EXPECT_OK(kill(pid, SIGCONT));
        EXPECT_OK(ioctl(p.master, TIOCSIG, SIGINT));
        EXPECT_EQ(wait_exit(pid), -SIGINT);
    }
}

static volatile int winches;
static void winch(int sig) { winches++; }
TEST(a_new_size_is_told)
{
    IN_CHILD {
        struct winsize size = {10, 20, 1, 2}, got;
        lead();
        signal(SIGWINCH, winch);
        EXPECT_OK(ioctl(p.master, TIOCSWINSZ, &size));
        sleep_ms(10);
        EXPECT_EQ(winches, 1);
        EXPECT_OK(ioctl(p.slave, TIOCSWINSZ, &size));  // the same
        sleep_ms(10);
        EXPECT_EQ(winches, 1);
        EXPECT_OK(ioctl(p.slave, TIOCGWINSZ, &got));
        EXPECT_MEMEQ(&got, &size, sizeof(size));
    }
}

// What /proc/PID/stat says: the terminal's device, and who is in front.
TEST(shown_in_proc)
{
    IN_CHILD {
        char text[512], *at;
        int tty = 0, front = 0, number = 0;
        lead();
        ssize_t n = get_file("/proc/self/stat", text, sizeof(text) - 1);
        text[n > 0 ? n : 0] = '\0';
        at = strrchr(text, ')');
        ASSERT_TRUE(at != NULL);
        EXPECT_EQ(sscanf(at, ") %*c %*d %*d %*d %d %d", &tty, &front), 2);
        EXPECT_OK(ioctl(p.master, TIOCGPTN, &number));
        EXPECT_EQ(tty, 136 << 8 | (number & 255) | (number & ~255) << 12);
        EXPECT_EQ(front, getpgrp());
    }
}
