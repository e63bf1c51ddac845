// SPDX-License-Identifier: Apache-2.0
// covers: open, ioctl, read, write
// The line discipline, a row for each behaviour: what is typed at the master under which settings, what the
// terminal then gives read by read, and what the master sees of it (man 3 termios).
#include "guest.h"
#include "guest_pty.h"

#define FLAGS(set, clear) set, clear
#define NONE              FLAGS(0, 0)

struct row {
    const char *name;
    tcflag_t iflag, no_iflag, oflag, no_oflag, lflag, no_lflag;
    int key, value;        // c_cc, when value is not -1
    const char *typed;     // NULs are written as \x01 with `nul`
    const char *reads[4];  // each what one read gives; NULL: nothing more
    const char *echo;
};
#define ROW(n, i, o, l, typed, echo, ...)      {n, i, o, l, 0, -1, typed, {__VA_ARGS__}, echo}
#define KEY(n, i, o, l, k, v, typed, echo, ...) {n, i, o, l, k, v, typed, {__VA_ARGS__}, echo}

static const struct row rows[] = {
    ROW("lines one by one", NONE, NONE, NONE, "ab\ncd\n", "ab\r\ncd\r\n", "ab\n", "cd\n"),
    ROW("return is newline", NONE, NONE, NONE, "ab\rc\n", "ab\r\nc\r\n", "ab\n", "c\n"),
    ROW("no ICRNL", FLAGS(0, ICRNL), NONE, NONE, "a\rb\n", "a^Mb\r\n", "a\rb\n"),
    ROW("IGNCR", FLAGS(IGNCR, 0), NONE, NONE, "a\rb\n", "ab\r\n", "ab\n"),
    ROW("INLCR", FLAGS(INLCR, ICRNL), NONE, NONE, "a\nb\004", "a^Mb", "a\rb"),
    ROW("ISTRIP", FLAGS(ISTRIP, 0), NONE, NONE, "\xe1\n", "a\r\n", "a\n"),
    ROW("IUCLC", FLAGS(IUCLC, 0), NONE, NONE, "AbZ\n", "abz\r\n", "abz\n"),
    ROW("IUCLC without IEXTEN", FLAGS(IUCLC, 0), NONE, FLAGS(0, IEXTEN), "AbZ\n", "AbZ\r\n", "AbZ\n"),
    ROW("PARMRK", FLAGS(PARMRK, 0), NONE, FLAGS(0, ECHO), "a\xff\n", "", "a\xff\xff\n"),
    // Ends.
    ROW("end of file alone", NONE, NONE, NONE, "\004", "", ""),
    ROW("end of file after text", NONE, NONE, NONE, "ab\004cd\n", "abcd\r\n", "ab", "cd\n"),
    ROW("two ends of file", NONE, NONE, NONE, "a\004\004b\n", "ab\r\n", "a", "", "b\n"),
    KEY("VEOL", NONE, NONE, NONE, VEOL, ';', "a;b\n", "a;b\r\n", "a;", "b\n"),
    KEY("VEOL2", NONE, NONE, NONE, VEOL2, ':', "a:b\n", "a:b\r\n", "a:", "b\n"),
    KEY("VEOL2 without IEXTEN", NONE, NONE, FLAGS(0, IEXTEN), VEOL2, ':', "a:b\n", "a:b\r\n", "a:b\n"),
    KEY("another VEOF", NONE, NONE, NONE, VEOF, '!', "a!b\n", "ab\r\n", "a", "b\n"),
    // Erasing.
    ROW("VERASE", NONE, NONE, NONE, "abX\177c\n", "abX\b \bc\r\n", "abc\n"),
    ROW("VERASE at the start", NONE, NONE, NONE, "\177\177a\n", "a\r\n", "a\n"),
    ROW("VERASE stops at a line", NONE, NONE, NONE, "a\n\177b\n", "a\r\nb\r\n", "a\n", "b\n"),
    ROW("VERASE of a control character", NONE, NONE, NONE, "a\001\177b\n", "a^A\b \b\b \bb\r\n", "ab\n"),
    ROW("VERASE of a tab", NONE, NONE, NONE, "ab\t\177c\n", "ab\t\b\b\b\b\b\bc\r\n", "abc\n"),
    ROW("VERASE of the second tab", NONE, NONE, NONE, "a\tb\t\177c\n", "a\tb\t\b\b\b\b\b\b\bc\r\n",
        "a\tbc\n"),
    ROW("VERASE without ECHOE", NONE, NONE, FLAGS(0, ECHOE), "ab\177c\n", "ab^?c\r\n", "ac\n"),
    ROW("VERASE of UTF-8", FLAGS(IUTF8, 0), NONE, NONE, "a\xc3\xa4\177b\n", "a\xc3\xa4\b \bb\r\n", "ab\n"),
    ROW("VERASE of UTF-8 as bytes", NONE, NONE, NONE, "\xc3\xa4\177\177b\n", "\xc3\xa4\b \b\b \bb\r\n",
        "b\n"),
    ROW("VWERASE", NONE, NONE, NONE, "one two.  \027x\n", "one two.  \b \b\b \b\b \b\b \b\b \b\b \bx\r\n",
        "one x\n"),
    ROW("VWERASE without IEXTEN", NONE, NONE, FLAGS(0, IEXTEN), "a\027\n", "a^W\r\n", "a\027\n"),
    ROW("VKILL", NONE, NONE, NONE, "abc\025d\n", "abc\b \b\b \b\b \bd\r\n", "d\n"),
    ROW("VKILL without ECHOKE", NONE, NONE, FLAGS(0, ECHOKE), "abc\025d\n", "abc^U\r\nd\r\n", "d\n"),
    ROW("VKILL without ECHOK", NONE, NONE, FLAGS(0, ECHOK), "abc\025d\n", "abc^Ud\r\n", "d\n"),
    ROW("ECHOPRT", NONE, NONE, FLAGS(ECHOPRT, 0), "abc\177\177d\n", "abc\\cb/d\r\n", "ad\n"),
    ROW("ECHOPRT to the start", NONE, NONE, FLAGS(ECHOPRT, 0), "a\177d\n", "a\\a/d\r\n", "d\n"),
    KEY("no VERASE", NONE, NONE, NONE, VERASE, 0, "a\177\n", "a^?\r\n", "a\177\n"),
    // Other keys.
    ROW("VLNEXT", NONE, NONE, NONE, "a\026\003b\026\004\n", "a^\b^Cb^\b^D\r\n", "a\003b\004\n"),
    ROW("VLNEXT of a newline", NONE, NONE, NONE, "a\026\nb\n", "a^\b^Jb\r\n", "a\nb\n"),
    ROW("VLNEXT without IEXTEN", NONE, NONE, FLAGS(0, IEXTEN), "a\026b\n", "a^Vb\r\n", "a\026b\n"),
    ROW("VREPRINT", NONE, NONE, NONE, "ab\001\022c\n", "ab^A^R\r\nab^Ac\r\n", "ab\001c\n"),
    // Echo.
    ROW("no ECHO", NONE, NONE, FLAGS(0, ECHO), "ab\177\nc\025d\n", "", "a\n", "d\n"),
    ROW("ECHONL", NONE, NONE, FLAGS(ECHONL, ECHO), "ab\n", "\r\n", "ab\n"),
    ROW("no ECHOCTL", NONE, NONE, FLAGS(0, ECHOCTL), "\001b\177\177c\n", "\001b\b \bc\r\n", "c\n"),
    ROW("echo of 0xff", NONE, NONE, NONE, "\xff\n", "\xff\r\n", "\xff\n"),
    ROW("echo is processed", NONE, FLAGS(XTABS, 0), NONE, "a\tb\n", "a       b\r\n", "a\tb\n"),
    ROW("echo without OPOST", NONE, FLAGS(0, OPOST), NONE, "a\n", "a\n", "a\n"),
    // Without lines.
    ROW("raw", FLAGS(0, ICRNL | IXON), FLAGS(0, OPOST), FLAGS(0, ICANON | ECHO | ISIG | IEXTEN),
        "a\r\n\003\004\177\026", "", "a\r\n\003\004\177\026"),
    ROW("cbreak", NONE, NONE, FLAGS(0, ICANON), "a\177\004\026\r\n", "a^?^D^V\r\n^J", "a\177\004\026\n\n"),
    // Flow control and signals that nobody gets.
    ROW("keys of flow control are taken", NONE, NONE, NONE, "a\023b\021c\n", "abc\r\n", "abc\n"),
    ROW("no IXON", FLAGS(0, IXON), NONE, NONE, "a\023\021\n", "a^S^Q\r\n", "a\023\021\n"),
    ROW("IXANY", FLAGS(IXANY, 0), NONE, NONE, "a\023bc\n", "abc\r\n", "abc\n"),
    ROW("VINTR flushes", NONE, NONE, NONE, "ab\n\003c\n", NULL, "c\n"),
    ROW("NOFLSH", NONE, NONE, FLAGS(NOFLSH, 0), "ab\003c\n", "ab^Cc\r\n", "abc\n"),
    ROW("no ISIG", NONE, NONE, FLAGS(0, ISIG), "a\003\034\032\n", "a^C^\\^Z\r\n", "a\003\034\032\n"),
    ROW("EXTPROC", NONE, NONE, FLAGS(EXTPROC, 0), "a\177\003\r", "", "a\177\003\r"),
};

static struct termios settings_of(const struct row *r, int fd)
{
    struct termios t;
    EXPECT_OK(tcgetattr(fd, &t));
    t.c_iflag = (t.c_iflag | r->iflag) & ~r->no_iflag;
    t.c_oflag = (t.c_oflag | r->oflag) & ~r->no_oflag;
    t.c_lflag = (t.c_lflag | r->lflag) & ~r->no_lflag;
    if (r->value != -1)
        t.c_cc[r->key] = (cc_t)r->value;
    return t;
}

static void expect_text(const struct row *r, const char *what, const char *got, ssize_t n, const char *want)
{
    if (n != (ssize_t)strlen(want) || memcmp(got, want, (size_t)n))
        FAIL("%s: %s is \"%s\" (%zd bytes)", r->name, what, pty_shown(got, n), n);
}

static void try_row(const struct row *r)
{
    struct pty p = pty_make();
    struct termios t = settings_of(r, p.slave);
    char text[256];
    EXPECT_OK(tcsetattr(p.slave, TCSANOW, &t));
    EXPECT_EQ(write(p.master, r->typed, strlen(r->typed)), (ssize_t)strlen(r->typed));
    fcntl(p.slave, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 4 && r->reads[i]; i++) {
        if (!pty_wait(p.slave, POLLIN, 3000))
            FAIL("%s: nothing to read (%d)", r->name, i);
        ssize_t n = read(p.slave, text, sizeof(text));
        expect_text(r, "a read", text, n, r->reads[i]);
    }
    EXPECT_ERRNO(read(p.slave, text, 1), EAGAIN);
    if (r->echo)
        expect_text(r, "the echo", text, pty_collect(p.master, text, sizeof(text), strlen(r->echo)), r->echo);
    pty_close(&p);
}

TEST(every_row)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        try_row(&rows[i]);
}

// A read that is shorter than the line leaves the rest; one that just fits takes the mark of an end of file
// along.
TEST(short_reads)
{
    struct pty p = pty_make();
    char text[16];
    EXPECT_EQ(write(p.master, "abcdef\n", 7), 7);
    EXPECT_EQ(read(p.slave, text, 4), 4);
    EXPECT_EQ(read(p.slave, text, 16), 3);
    EXPECT_MEMEQ(text, "ef\n", 3);
    EXPECT_EQ(write(p.master, "abc\004d\n", 6), 6);
    EXPECT_EQ(read(p.slave, text, 3), 3);
    EXPECT_EQ(read(p.slave, text, 16), 2);
    EXPECT_EQ(read(p.slave, text, 0), 0);
    pty_close(&p);
}

// 4095 bytes and the end of the line; what is typed beyond is lost, keys and the end still work.
TEST(longest_line)
{
    struct pty p = pty_make();
    struct termios t;
    static char line[5000], text[8192];
    EXPECT_OK(tcgetattr(p.slave, &t));
    t.c_lflag &= ~(tcflag_t)ECHO;
    EXPECT_OK(tcsetattr(p.slave, TCSANOW, &t));
    memset(line, 'x', sizeof(line));
    EXPECT_EQ(write(p.master, line, sizeof(line)), (ssize_t)sizeof(line));
    EXPECT_EQ(write(p.master, "\n", 1), 1);
    EXPECT_EQ(read(p.slave, text, sizeof(text)), 4096);
    EXPECT_EQ(text[4094], 'x');
    EXPECT_EQ(text[4095], '\n');
    EXPECT_EQ(write(p.master, "ok\n", 3), 3);
    EXPECT_EQ(read(p.slave, text, sizeof(text)), 3);
    pty_close(&p);
}

// Echoes of more than a line come whole, as long as there is room.
TEST(long_echo)
{
    struct pty p = pty_make();
    static char typed[3000], text[4096];
    for (size_t i = 0; i < sizeof(typed); i++)
        typed[i] = (char)(i % 100 == 99 ? '\n' : 'a' + i % 26);
    EXPECT_EQ(write(p.master, typed, sizeof(typed)), (ssize_t)sizeof(typed));
    EXPECT_EQ(pty_collect(p.master, text, sizeof(text), 3030), 3030);
    EXPECT_MEMEQ(text, typed, 99);
    EXPECT_MEMEQ(text + 99, "\r\n", 2);
    pty_close(&p);
}

// What was typed becomes readable when lines are switched off, and is a line when they are switched on.
TEST(switching_modes)
{
    struct pty p = pty_make();
    struct termios lines, raw;
    char text[16];
    int n;
    EXPECT_OK(tcgetattr(p.slave, &lines));
    raw = lines;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    EXPECT_EQ(write(p.master, "abc", 3), 3);
    EXPECT_EQ(pty_wait(p.slave, POLLIN, 20), 0);
    EXPECT_OK(ioctl(p.slave, FIONREAD, &n));
    EXPECT_EQ(n, 0);
    EXPECT_OK(tcsetattr(p.slave, TCSANOW, &raw));
    EXPECT_OK(ioctl(p.slave, FIONREAD, &n));
    EXPECT_EQ(n, 3);
    EXPECT_OK(tcsetattr(p.slave, TCSANOW, &lines));
    EXPECT_EQ(read(p.slave, text, sizeof(text)), 3);
    EXPECT_EQ(write(p.master, "lost", 4), 4);
    sleep_ms(20);
    EXPECT_OK(tcsetattr(p.slave, TCSAFLUSH, &raw));
    EXPECT_OK(ioctl(p.slave, FIONREAD, &n));
    EXPECT_EQ(n, 0);
    pty_close(&p);
}
