// SPDX-License-Identifier: Apache-2.0
// covers: open, ioctl, read, write
// Pseudo-terminals where they are offered: echo, line editing, sizes, hang-up (man 7 pty, man 3 termios).
#include "guest.h"

#include <sys/ioctl.h>
#include <termios.h>

static int slave;

static int make(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0)
        SKIP("no /dev/ptmx here");
    char name[64];
    ASSERT_OK(grantpt(master));
    ASSERT_OK(unlockpt(master));
    ASSERT_EQ(ptsname_r(master, name, sizeof(name)), 0);
    slave = ASSERT_OK(open(name, O_RDWR | O_NOCTTY));
    return master;
}

TEST(lines_and_echo)
{
    int master = make();
    char text[64] = {0};
    EXPECT_EQ(isatty(slave), 1);
    EXPECT_EQ(write(master, "abX\177c\n", 6), 6);
    EXPECT_EQ(read(slave, text, sizeof(text)), 4);
    EXPECT_MEMEQ(text, "abc\n", 4);
    memset(text, 0, sizeof(text));
    EXPECT_GE(read(master, text, sizeof(text) - 1), 3);
    EXPECT_EQ(strncmp(text, "abX", 3), 0);
    close(slave);
    close(master);
}

TEST(output_processing_and_raw_mode)
{
    int master = make();
    char text[16] = {0};
    EXPECT_EQ(write(slave, "a\n", 2), 2);
    EXPECT_EQ(read(master, text, sizeof(text)), 3);
    EXPECT_MEMEQ(text, "a\r\n", 3);
    struct termios termios;
    EXPECT_OK(tcgetattr(slave, &termios));
    cfmakeraw(&termios);
    EXPECT_OK(tcsetattr(slave, TCSANOW, &termios));
    EXPECT_EQ(write(master, "x", 1), 1);
    EXPECT_EQ(read(slave, text, sizeof(text)), 1);
    EXPECT_EQ(text[0], 'x');
    close(slave);
    close(master);
}

TEST(window_size)
{
    int master = make();
    struct winsize set = {24, 80, 0, 0}, got = {0};
    EXPECT_OK(ioctl(master, TIOCSWINSZ, &set));
    EXPECT_OK(ioctl(slave, TIOCGWINSZ, &got));
    EXPECT_EQ(got.ws_row, 24);
    EXPECT_EQ(got.ws_col, 80);
    close(slave);
    close(master);
}

TEST(hangup)
{
    int master = make();
    char c;
    close(slave);
    EXPECT_ERRNO(read(master, &c, 1), EIO);
    close(master);
    master = make();
    close(master);
    EXPECT_EQ(read(slave, &c, 1), 0);
    EXPECT_ERRNO(write(slave, "x", 1), EIO);
    close(slave);
}
