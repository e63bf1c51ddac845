// SPDX-License-Identifier: Apache-2.0
// covers: write, read, ioctl
// What becomes of what is written to a terminal: OPOST and its flags (man 3 termios), and flow control.
#include "guest.h"
#include "guest_pty.h"

static const struct row {
    tcflag_t set, clear;
    const char *written, *seen;
} rows[] = {
    {0, 0, "a\nb\tc\rd\n", "a\r\nb\tc\rd\r\n"},
    {0, OPOST, "a\nb\tc\rd\n", "a\nb\tc\rd\n"},
    {0, ONLCR, "a\n", "a\n"},
    {XTABS, 0, "\ta\tbcdefgh\tx\n\ty", "        a       bcdefgh x\r\n        y"},
    {XTABS, 0, "ab\b\tx\r\ty", "ab\b       x\r        y"},
    {OCRNL, ONLCR, "a\rb", "a\nb"},
    {ONOCR, 0, "\ra\rb\r", "a\rb\r"},
    {ONLRET | ONOCR, ONLCR, "a\n\rb", "a\nb"},
    {OLCUC, 0, "aBz1{", "ABZ1{"},
    {0, 0, "\xc3\xa4\x01\x7f", "\xc3\xa4\x01\x7f"},
};

TEST(every_row)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pty p = pty_make();
        struct termios t;
        char text[128];
        EXPECT_OK(tcgetattr(p.slave, &t));
        t.c_oflag = (t.c_oflag | rows[i].set) & ~rows[i].clear;
        EXPECT_OK(tcsetattr(p.slave, TCSADRAIN, &t));
        EXPECT_EQ(write(p.slave, rows[i].written, strlen(rows[i].written)), (ssize_t)strlen(rows[i].written));
        ssize_t n = pty_collect(p.master, text, sizeof(text), strlen(rows[i].seen));
        if (n != (ssize_t)strlen(rows[i].seen) || memcmp(text, rows[i].seen, (size_t)n))
            FAIL("row %zu: \"%s\"", i, pty_shown(text, n));
        pty_close(&p);
    }
}

// ^S stands, ^Q goes on; so do tcflow's two, which no key undoes. Nothing is lost, and echoes keep their
// place.
TEST(flow_control)
{
    struct pty p = pty_make();
    char text[64];
    fcntl(p.slave, F_SETFL, O_NONBLOCK);
    EXPECT_EQ(write(p.master, "\023", 1), 1);
    sleep_ms(20);
    EXPECT_EQ(pty_wait(p.slave, POLLOUT, 0), 0);
    EXPECT_ERRNO(write(p.slave, "x", 1), EAGAIN);
    EXPECT_EQ(write(p.master, "e", 1), 1);
    EXPECT_EQ(pty_wait(p.master, POLLIN, 20), 0);
    EXPECT_EQ(write(p.master, "\021", 1), 1);
    EXPECT_EQ(pty_wait(p.slave, POLLOUT, 20000), POLLOUT);
    EXPECT_EQ(write(p.slave, "x", 1), 1);
    EXPECT_EQ(pty_collect(p.master, text, sizeof(text), 2), 2);
    EXPECT_MEMEQ(text, "ex", 2);
    EXPECT_OK(tcflow(p.slave, TCOOFF));
    EXPECT_EQ(write(p.master, "\021", 1), 1);
    sleep_ms(20);
    EXPECT_ERRNO(write(p.slave, "y", 1), EAGAIN);
    EXPECT_OK(tcflow(p.slave, TCOON));
    EXPECT_EQ(write(p.slave, "y", 1), 1);
    EXPECT_OK(tcflow(p.slave, TCIOFF));
    EXPECT_OK(tcflow(p.slave, TCION));
    EXPECT_EQ(pty_collect(p.master, text, sizeof(text), 3), 3);
    EXPECT_MEMEQ(text, "y\023\021", 3);
    EXPECT_ERRNO(ioctl(p.slave, TCXONC, 4), EINVAL);
    pty_close(&p);
}

TEST(without_IXON_output_goes_on)
{
    struct pty p = pty_make();
    struct termios t;
    EXPECT_EQ(write(p.master, "\023", 1), 1);
    sleep_ms(20);
    fcntl(p.slave, F_SETFL, O_NONBLOCK);
    EXPECT_ERRNO(write(p.slave, "x", 1), EAGAIN);
    EXPECT_OK(tcgetattr(p.slave, &t));
    t.c_iflag &= ~(tcflag_t)IXON;
    EXPECT_OK(tcsetattr(p.slave, TCSANOW, &t));
    EXPECT_EQ(write(p.slave, "x", 1), 1);
    pty_close(&p);
}

TEST(flushing)
{
    struct pty p = pty_make();
    int n;
    EXPECT_EQ(write(p.master, "abc\n", 4), 4);
    EXPECT_EQ(pty_wait(p.slave, POLLIN, 20000), POLLIN);
    EXPECT_OK(ioctl(p.slave, FIONREAD, &n));
    EXPECT_EQ(n, 4);
    EXPECT_OK(tcflush(p.slave, TCIFLUSH));
    EXPECT_OK(ioctl(p.slave, FIONREAD, &n));
    EXPECT_EQ(n, 0);
    EXPECT_EQ(pty_wait(p.slave, POLLIN, 0), 0);
    EXPECT_EQ(pty_wait(p.master, POLLIN, 20000), POLLIN);
    EXPECT_OK(tcflush(p.master, TCIFLUSH));
    EXPECT_EQ(pty_wait(p.master, POLLIN, 0), 0);
    EXPECT_OK(tcflush(p.slave, TCIOFLUSH));
    EXPECT_ERRNO(ioctl(p.slave, TCFLSH, 3), EINVAL);
    EXPECT_OK(ioctl(p.slave, TIOCOUTQ, &n));
    EXPECT_EQ(n, 0);
    pty_close(&p);
}

// Much more than there is room for, through a reader that is slow: in order and whole.
TEST(much_output)
{
    enum { TOTAL = 300000 };
    struct pty p = pty_make();
    pty_raw(p.slave, 1, 0);
    pid_t pid = fork_child();
    if (pid == 0) {
        static char chunk[3000];
        for (int at = 0; at < TOTAL; at += (int)sizeof(chunk)) {
            for (size_t i = 0; i < sizeof(chunk); i++)
                chunk[i] = (char)((at + (int)i) % 251);
            EXPECT_EQ(write(p.slave, chunk, sizeof(chunk)), (ssize_t)sizeof(chunk));
        }
        child_done();
    }
    char text[777];
    int got = 0, wrong = 0;
    while (got < TOTAL) {
        ssize_t n = read(p.master, text, sizeof(text));
        ASSERT_TRUE(n > 0);
        for (ssize_t i = 0; i < n; i++, got++)
            wrong += text[i] != (char)(got % 251);
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(wait_exit(pid), 0);
    pty_close(&p);
}
