// SPDX-License-Identifier: Apache-2.0
// covers: ioctl, setpgid, setsid, kill, wait4
// A controlling terminal: foreground group, the interrupt key, background reads stop (man 4 tty_ioctl, man
// 7 credentials).
#include "guest.h"

#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;

// In a child that is a session leader with the slave as its terminal.
static void become_leader(void)
{
    master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0)
        SKIP("no /dev/ptmx here");
    char name[64];
    ASSERT_OK(unlockpt(master));
    ASSERT_EQ(ptsname_r(master, name, sizeof(name)), 0);
    ASSERT_OK(setsid());
    slave = ASSERT_OK(open(name, O_RDWR | O_NOCTTY));
    ASSERT_OK(ioctl(slave, TIOCSCTTY, 0));
    signal(SIGTTOU, SIG_IGN);
}

static pid_t job(void (*work)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        work();
        _exit(66);
    }
    setpgid(pid, pid);
    return pid;
}

static void sleep_forever(void)
{
    for (;;)
        pause();
}

static void read_terminal(void)
{
    char c;
    while (read(slave, &c, 1) < 0 && errno == EINTR)
        ;
    _exit(c == '\n' ? 0 : 1);
}

TEST(terminal_of_the_session)
{
    IN_CHILD {
        become_leader();
        EXPECT_EQ(tcgetpgrp(slave), getpgrp());
        EXPECT_EQ(tcgetsid(slave), getpid());
        int fd = EXPECT_OK(open("/dev/tty", O_RDWR));
        EXPECT_EQ(tcgetpgrp(fd), getpgrp());
        close(fd);
        EXPECT_ERRNO(tcsetpgrp(slave, 999999), ESRCH);
    }
}

TEST(interrupt_key_goes_to_the_foreground)
{
    IN_CHILD {
        become_leader();
        pid_t front = job(sleep_forever), back = job(sleep_forever);
        EXPECT_OK(tcsetpgrp(slave, front));
        EXPECT_EQ(tcgetpgrp(slave), front);
        EXPECT_EQ(write(master, "\003", 1), 1);
        EXPECT_EQ(wait_exit(front), -SIGINT);
        int status;
        EXPECT_EQ(waitpid(back, &status, WNOHANG), 0);
        kill(back, SIGKILL);
        EXPECT_EQ(wait_exit(back), -SIGKILL);
    }
}

TEST(suspend_key)
{
    IN_CHILD {
        become_leader();
        pid_t front = job(sleep_forever);
        EXPECT_OK(tcsetpgrp(slave, front));
        EXPECT_EQ(write(master, "\032", 1), 1);
        int status;
        EXPECT_EQ(waitpid(front, &status, WUNTRACED), front);
        EXPECT_TRUE(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
        kill(front, SIGKILL);
        EXPECT_EQ(wait_exit(front), -SIGKILL);
    }
}

TEST(background_read_stops)
{
    IN_CHILD {
        become_leader();
        EXPECT_OK(tcsetpgrp(slave, getpgrp()));
        pid_t back = job(read_terminal);
        int status;
        EXPECT_EQ(waitpid(back, &status, WUNTRACED), back);
        EXPECT_TRUE(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
        EXPECT_OK(tcsetpgrp(slave, back));
        EXPECT_OK(kill(back, SIGCONT));
        EXPECT_EQ(write(master, "\n", 1), 1);
        EXPECT_EQ(wait_exit(back), 0);
    }
}

TEST(leader_death_hangs_up_the_foreground)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t leader = fork_child();
    if (leader == 0) {
        become_leader();
        pid_t front = job(sleep_forever);
        EXPECT_OK(tcsetpgrp(slave, front));
        child_done();
    }
    close(fds[1]);
    int result = wait_exit(leader);
    char c;
    EXPECT_EQ(read(fds[0], &c, 1), 0);
    close(fds[0]);
    if (result == GUEST_EXIT_SKIP)
        SKIP("no /dev/ptmx here");
    EXPECT_EQ(result, 0);
}
