// SPDX-License-Identifier: Apache-2.0
// covers: open, openat, stat, statfs, ioctl, readlink, chmod, getdents64
// /dev/ptmx and devpts: numbers, names, owners, the lock, TIOCGPTPEER, what the file system refuses (man 4
// pts).
#include "guest.h"
#include "guest_pty.h"

#include <dirent.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

static int number(int master)
{
    int n = -1;
    EXPECT_OK(ioctl(master, TIOCGPTN, &n));
    return n;
}

static const char *name_of(int master)
{
    static char name[32];
    snprintf(name, sizeof(name), "/dev/pts/%d", number(master));
    return name;
}

TEST(names_and_nodes)
{
    struct pty p = pty_make();
    struct stat st, by_fd;
    char link[64], path[64];
    EXPECT_OK(stat(name_of(p.master), &st));
    EXPECT_TRUE(S_ISCHR(st.st_mode));
    EXPECT_EQ(major(st.st_rdev), 136);
    EXPECT_EQ((int)minor(st.st_rdev), number(p.master));
    EXPECT_EQ(st.st_uid, geteuid());
    EXPECT_OK(fstat(p.slave, &by_fd));
    EXPECT_EQ(by_fd.st_ino, st.st_ino);
    EXPECT_EQ(by_fd.st_rdev, st.st_rdev);
    EXPECT_OK(fstat(p.master, &st));
    EXPECT_EQ(st.st_rdev, makedev(5, 2));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", p.slave);
    ssize_t n = EXPECT_OK(readlink(path, link, sizeof(link) - 1));
    link[n > 0 ? n : 0] = '\0';
    EXPECT_STREQ(link, name_of(p.master));
    EXPECT_STREQ(ttyname(p.slave), name_of(p.master));
    EXPECT_EQ(isatty(p.master), 1);
    pty_close(&p);
}

TEST(file_system)
{
    struct statfs fs;
    EXPECT_OK(statfs("/dev/pts", &fs));
    EXPECT_EQ(fs.f_type, 0x1cd1);
    EXPECT_EQ(fs.f_namelen, 255);
    EXPECT_ERRNO(open("/dev/pts/99999999", O_RDWR), ENOENT);
    EXPECT_ERRNO(open("/dev/pts/00", O_RDWR), ENOENT);
    EXPECT_TRUE(open("/dev/pts/new", O_RDWR | O_CREAT, 0600) < 0 && (errno == EACCES || errno == EPERM));
    EXPECT_TRUE(mkdir("/dev/pts/new", 0700) < 0 && (errno == EACCES || errno == EPERM));
    struct pty p = pty_make();
    EXPECT_TRUE(unlink(name_of(p.master)) < 0 && (errno == EACCES || errno == EPERM));
    EXPECT_OK(chmod(name_of(p.master), 0666));
    struct stat st;
    EXPECT_OK(fstat(p.slave, &st));
    EXPECT_EQ(st.st_mode & 0777, 0666);
    pty_close(&p);
}

TEST(directory_shows_what_is_there)
{
    struct pty p = pty_make();
    char want[16];
    int seen = 0, ptmx = 0;
    snprintf(want, sizeof(want), "%d", number(p.master));
    for (int round = 0; round < 2; round++) {
        DIR *d = opendir("/dev/pts");
        ASSERT_TRUE(d != NULL);
        seen = ptmx = 0;
        for (struct dirent *e; (e = readdir(d));) {
            seen += !strcmp(e->d_name, want);
            ptmx += !strcmp(e->d_name, "ptmx");
        }
        closedir(d);
        EXPECT_EQ(ptmx, 1);
        EXPECT_EQ(seen, round == 0);
        if (round == 0)
            close(p.master);
    }
    struct stat st;
    char path[32];
    snprintf(path, sizeof(path), "/dev/pts/%s", want);
    EXPECT_ERRNO(stat(path, &st), ENOENT);
    close(p.slave);
}

TEST(the_lock)
{
    int master = ASSERT_OK(posix_openpt(O_RDWR | O_NOCTTY)), n = -1, zero = 0, one = 1;
    EXPECT_OK(ioctl(master, TIOCGPTLCK, &n));
    EXPECT_EQ(n, 1);
    EXPECT_ERRNO(open(name_of(master), O_RDWR | O_NOCTTY), EIO);
    EXPECT_ERRNO(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY), EIO);
    EXPECT_OK(ioctl(master, TIOCSPTLCK, &zero));
    int slave = EXPECT_OK(open(name_of(master), O_RDWR | O_NOCTTY));
    EXPECT_OK(ioctl(master, TIOCSPTLCK, &one));
    EXPECT_ERRNO(open(name_of(master), O_RDWR | O_NOCTTY), EIO);
    EXPECT_ERRNO(ioctl(slave, TIOCSPTLCK, &one), ENOTTY);
    EXPECT_ERRNO(ioctl(slave, TIOCGPTN, &n), ENOTTY);
    close(slave);
    close(master);
}

TEST(peer)
{
    int master = pty_master();
    int slave = ASSERT_OK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    EXPECT_EQ(fcntl(slave, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(fcntl(slave, F_GETFL) & (O_ACCMODE | O_NOCTTY), O_RDWR);
    EXPECT_STREQ(ttyname(slave), name_of(master));
    EXPECT_EQ(write(slave, "x", 1), 1);
    char c;
    EXPECT_EQ(read(master, &c, 1), 1);
    EXPECT_ERRNO(ioctl(slave, TIOCGPTPEER, O_RDWR), EIO);
    close(slave);
    close(master);
}

TEST(exclusive_use)
{
    struct pty p = pty_make();
    int n = -1;
    EXPECT_OK(ioctl(p.slave, TIOCGEXCL, &n));
    EXPECT_EQ(n, 0);
    EXPECT_OK(ioctl(p.slave, TIOCEXCL));
    EXPECT_OK(ioctl(p.slave, TIOCGEXCL, &n));
    EXPECT_EQ(n, 1);
    EXPECT_OK(chmod(name_of(p.master), 0666));
    const char *name = name_of(p.master);
    IN_CHILD {
        if (geteuid() == 0)
            ASSERT_OK(setresuid(12345, 12345, 12345));
        EXPECT_ERRNO(open(name, O_RDWR | O_NOCTTY), EBUSY);
    }
    EXPECT_OK(ioctl(p.slave, TIOCNXCL));
    int again = EXPECT_OK(open(name_of(p.master), O_RDWR | O_NOCTTY));
    close(again);
    pty_close(&p);
}

// The lowest free number; one that is closed on one side only is not free.
TEST(numbers_are_used_again)
{
    int a = pty_master(), b = pty_master(), slave = ASSERT_OK(pty_slave(a, O_RDWR | O_NOCTTY)),
        first = number(a);
    EXPECT_TRUE(first != number(b));
    close(a);
    int c = pty_master();
    EXPECT_TRUE(number(c) != first);
    close(slave);
    close(b);
    close(c);
}

TEST(many)
{
    enum { N = 200 };
    static int masters[N];
    static char used[65536];
    for (int i = 0; i < N; i++) {
        masters[i] = pty_master();
        int n = number(masters[i]);
        EXPECT_TRUE(n >= 0 && n < (int)sizeof(used) && !used[n]);
        used[n] = 1;
        int slave = ASSERT_OK(pty_slave(masters[i], O_RDWR | O_NOCTTY));
        EXPECT_EQ(write(slave, "hello", 5), 5);
        close(slave);
    }
    for (int i = 0; i < N; i++) {
        char text[8];
        EXPECT_EQ(pty_collect(masters[i], text, sizeof(text), 5), 5);
        close(masters[i]);
    }
}

static long in_proc(const char *name)
{
    char text[32] = {0};
    EXPECT_TRUE(get_file(name, text, sizeof(text) - 1) > 0);
    return atol(text);
}

TEST(counted)
{
    long before = in_proc("/proc/sys/kernel/pty/nr");
    struct pty p = pty_make();
    EXPECT_GE(in_proc("/proc/sys/kernel/pty/nr"), 1);
    EXPECT_GE(in_proc("/proc/sys/kernel/pty/max"), in_proc("/proc/sys/kernel/pty/nr"));
    EXPECT_TRUE(before >= 0);
    pty_close(&p);
    char drivers[2048] = {0};
    EXPECT_TRUE(get_file("/proc/tty/drivers", drivers, sizeof(drivers) - 1) > 0);
    EXPECT_TRUE(strstr(drivers, "pty:slave") != NULL);
}

TEST(other_requests)
{
    struct pty p = pty_make();
    int n = -1;
    unsigned dev;
    EXPECT_OK(ioctl(p.slave, TIOCGETD, &n));
    EXPECT_EQ(n, 0);
    EXPECT_OK(ioctl(p.slave, TIOCSETD, &n));
    EXPECT_OK(ioctl(p.slave, TIOCGDEV, &dev));
    EXPECT_EQ(dev, (unsigned)makedev(136, number(p.master)));
    EXPECT_OK(tcsendbreak(p.slave, 0));
    EXPECT_OK(tcdrain(p.slave));
    EXPECT_ERRNO(ioctl(p.slave, TIOCMGET, &n), ENOTTY);
    EXPECT_ERRNO(ioctl(p.slave, 0x54ff, &n), ENOTTY);
    if (geteuid() != 0)
        EXPECT_ERRNO(ioctl(p.slave, TIOCVHANGUP), EPERM);
    pty_close(&p);
}

TEST(speeds_and_old_settings)
{
    struct pty p = pty_make();
    struct termios t;
    struct termio old;
    EXPECT_OK(tcgetattr(p.slave, &t));
    EXPECT_EQ(cfgetospeed(&t), B38400);
    EXPECT_EQ(t.c_cflag & CSIZE, CS8);
    cfsetspeed(&t, B115200);
    t.c_cflag = (t.c_cflag & ~(tcflag_t)CSIZE) | CS7 | PARENB;
    EXPECT_OK(tcsetattr(p.master, TCSANOW, &t));  // the terminal's, by either end
    EXPECT_OK(tcgetattr(p.slave, &t));
    EXPECT_EQ(cfgetospeed(&t), B115200);
    EXPECT_EQ(t.c_cflag & (CSIZE | PARENB), CS8);
    EXPECT_OK(ioctl(p.slave, TCGETA, &old));
    EXPECT_EQ(old.c_lflag, (unsigned short)t.c_lflag);
    EXPECT_EQ(old.c_cc[VINTR], 3);
    old.c_lflag &= (unsigned short)~ECHO;
    old.c_cc[VINTR] = 7;
    EXPECT_OK(ioctl(p.slave, TCSETA, &old));
    EXPECT_OK(tcgetattr(p.slave, &t));
    EXPECT_EQ(t.c_lflag & ECHO, 0);
    EXPECT_EQ(t.c_cc[VINTR], 7);
    EXPECT_EQ(t.c_cc[VSTOP], 'S' & 31);
    pty_close(&p);
}
