// SPDX-License-Identifier: Apache-2.0
// covers: ioctl, read, poll
// Packet mode: each read of the master begins with a byte that says data, or what happened at the terminal
// (man 2 ioctl_tty, TIOCPKT); and the master's other requests.
#include "guest.h"
#include "guest_pty.h"

static int on = 1, off;

static int status_of(int master)
{
    unsigned char c[8];
    if (!(pty_wait(master, POLLIN | POLLPRI, 3000) & POLLPRI))
        return -1;
    EXPECT_EQ(read(master, c, sizeof(c)), 1);
    return c[0];
}

TEST(data_has_a_header)
{
    struct pty p = pty_make();
    char text[16];
    int n = -1;
    EXPECT_OK(ioctl(p.master, TIOCGPKT, &n));
    EXPECT_EQ(n, 0);
    EXPECT_OK(ioctl(p.master, TIOCPKT, &on));
    EXPECT_OK(ioctl(p.master, TIOCGPKT, &n));
    EXPECT_EQ(n, 1);
    EXPECT_EQ(write(p.slave, "abc", 3), 3);
    EXPECT_EQ(pty_wait(p.master, POLLIN | POLLPRI, 20000), POLLIN);
    EXPECT_EQ(read(p.master, text, 1), 1);
    EXPECT_EQ(text[0], TIOCPKT_DATA);
    EXPECT_EQ(read(p.master, text, 3), 3);
    EXPECT_MEMEQ(text, "\0ab", 3);
    EXPECT_EQ(read(p.master, text, sizeof(text)), 2);
    EXPECT_MEMEQ(text, "\0c", 2);
    EXPECT_OK(ioctl(p.master, TIOCPKT, &off));
    EXPECT_EQ(write(p.slave, "d", 1), 1);
    EXPECT_EQ(read(p.master, text, sizeof(text)), 1);
    EXPECT_ERRNO(ioctl(p.slave, TIOCPKT, &on), ENOTTY);
    pty_close(&p);
}

TEST(what_happens_is_told)
{
    struct pty p = pty_make();
    struct termios t;
    EXPECT_OK(ioctl(p.master, TIOCPKT, &on));
    EXPECT_OK(tcflush(p.slave, TCIFLUSH));
    EXPECT_EQ(status_of(p.master), TIOCPKT_FLUSHREAD);
    EXPECT_OK(tcflush(p.slave, TCOFLUSH));
    EXPECT_EQ(status_of(p.master), TIOCPKT_FLUSHWRITE);
    EXPECT_EQ(write(p.master, "\023", 1), 1);
    EXPECT_EQ(status_of(p.master), TIOCPKT_STOP);
    EXPECT_EQ(write(p.master, "\021", 1), 1);
    EXPECT_EQ(status_of(p.master), TIOCPKT_START);
    EXPECT_OK(tcgetattr(p.slave, &t));
    t.c_iflag &= ~(tcflag_t)IXON;
    EXPECT_OK(tcsetattr(p.slave, TCSANOW, &t));
    EXPECT_EQ(status_of(p.master), TIOCPKT_NOSTOP);
    t.c_iflag |= IXON;
    EXPECT_OK(tcsetattr(p.slave, TCSANOW, &t));
    EXPECT_EQ(status_of(p.master), TIOCPKT_DOSTOP);
    t.c_cc[VSTOP] = 'x';
    EXPECT_OK(tcsetattr(p.slave, TCSANOW, &t));
    EXPECT_EQ(status_of(p.master), TIOCPKT_NOSTOP);
    t.c_lflag |= EXTPROC;
    EXPECT_OK(tcsetattr(p.slave, TCSANOW, &t));
    EXPECT_EQ(status_of(p.master), TIOCPKT_IOCTL);
    EXPECT_EQ(pty_wait(p.master, POLLIN | POLLPRI, 20), 0);
    pty_close(&p);
}

TEST(interrupt_key_flushes_both)
{
    struct pty p = pty_make();
    EXPECT_OK(ioctl(p.master, TIOCPKT, &on));
    EXPECT_EQ(write(p.master, "\003", 1), 1);
    EXPECT_EQ(status_of(p.master), TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE);
    pty_close(&p);
}

TEST(signals_by_request)
{
    struct pty p = pty_make();
    EXPECT_OK(ioctl(p.master, TIOCSIG, SIGINT));  // nobody is in front
    EXPECT_ERRNO(ioctl(p.master, TIOCSIG, SIGKILL), EINVAL);
    EXPECT_ERRNO(ioctl(p.slave, TIOCSIG, SIGINT), ENOTTY);
    pty_close(&p);
}
