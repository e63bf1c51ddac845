// SPDX-License-Identifier: Apache-2.0
// covers: read, poll, epoll_wait, ioctl, write
// Reads without lines: VMIN and VTIME in their four combinations, interrupted and not; readiness by poll and
// epoll, with its edges; calls that do not wait (man 3 termios, "Canonical and noncanonical mode").
#include "guest.h"
#include "guest_pty.h"

#include <sys/epoll.h>

static void type_later(int master, const char *text, int ms)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        for (; *text; text++) {
            sleep_ms(ms);
            EXPECT_EQ(write(master, text, 1), 1);
        }
        child_done();
    }
}

TEST(min_waits_for_so_many)
{
    struct pty p = pty_make();
    char text[16];
    pty_raw(p.slave, 3, 0);
    type_later(p.master, "abcd", 20);
    EXPECT_GE(read(p.slave, text, sizeof(text)), 3);
    EXPECT_OK(wait(NULL));
    EXPECT_MEMEQ(text, "abc", 3);
    tcflush(p.slave, TCIFLUSH);
    EXPECT_EQ(write(p.master, "xy", 2), 2);
    EXPECT_EQ(read(p.slave, text, 2), 2);  // asks for less than VMIN
    EXPECT_EQ(write(p.master, "xy", 2), 2);
    EXPECT_EQ(pty_wait(p.slave, POLLIN, 30), 0);
    EXPECT_EQ(write(p.master, "z", 1), 1);
    EXPECT_EQ(pty_wait(p.slave, POLLIN, 20000), POLLIN);
    pty_close(&p);
}

TEST(neither_min_nor_time)
{
    struct pty p = pty_make();
    char text[16];
    pty_raw(p.slave, 0, 0);
    EXPECT_EQ(read(p.slave, text, sizeof(text)), 0);
    fcntl(p.slave, F_SETFL, O_NONBLOCK);
    EXPECT_EQ(read(p.slave, text, sizeof(text)), 0);
    EXPECT_EQ(pty_wait(p.slave, POLLIN, 0), 0);
    EXPECT_EQ(write(p.master, "ab", 2), 2);
    EXPECT_EQ(pty_wait(p.slave, POLLIN, 20000), POLLIN);
    EXPECT_EQ(read(p.slave, text, sizeof(text)), 2);
    pty_close(&p);
}

TEST(time_is_for_the_whole_read)
{
    struct pty p = pty_make();
    char text[16];
    pty_raw(p.slave, 0, 2);
    int64_t start = now_ms();
    EXPECT_EQ(read(p.slave, text, sizeof(text)), 0);
    EXPECT_RANGE(now_ms() - start, 150, 25000);
    pty_raw(p.slave, 0, 200);
    type_later(p.master, "a", 20);
    EXPECT_EQ(read(p.slave, text, sizeof(text)), 1);
    EXPECT_OK(wait(NULL));
    fcntl(p.slave, F_SETFL, O_NONBLOCK);
    EXPECT_ERRNO(read(p.slave, text, sizeof(text)), EAGAIN);
    pty_close(&p);
}

TEST(time_between_bytes)
{
    struct pty p = pty_make();
    char text[16];
    pty_raw(p.slave, 10, 30);
    type_later(p.master, "abcd", 50);
    int64_t start = now_ms();
    EXPECT_EQ(read(p.slave, text, sizeof(text)), 4);
    EXPECT_GE(now_ms() - start, 3000);
    EXPECT_OK(wait(NULL));
    EXPECT_EQ(write(p.master, "z", 1), 1);
    EXPECT_EQ(pty_wait(p.slave, POLLIN, 20000), POLLIN);  // with VTIME one byte is enough to say so
    EXPECT_EQ(read(p.slave, text, sizeof(text)), 1);
    pty_close(&p);
}

static void nothing(int sig) { }

// A signal gives what there is; with nothing there, the read is restarted or ends, as any other.
TEST(interrupted)
{
    struct pty p = pty_make();
    char text[16];
    struct sigaction plain = {.sa_handler = nothing},
                     restart = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    pty_raw(p.slave, 5, 0);
    sigaction(SIGUSR1, &plain, NULL);
    sigaction(SIGUSR2, &restart, NULL);
    pid_t me = getpid(), pid = fork_child();
    if (pid == 0) {
        sleep_ms(50);
        kill(me, SIGUSR1);
        sleep_ms(50);
        EXPECT_EQ(write(p.master, "ab", 2), 2);
        sleep_ms(50);
        kill(me, SIGUSR1);
        sleep_ms(50);
        kill(me, SIGUSR2);
        sleep_ms(50);
        EXPECT_EQ(write(p.master, "12345", 5), 5);
        child_done();
    }
    EXPECT_ERRNO(read(p.slave, text, sizeof(text)), EINTR);
    EXPECT_EQ(read(p.slave, text, sizeof(text)), 2);
    EXPECT_EQ(read(p.slave, text, sizeof(text)), 5);
    EXPECT_EQ(wait_exit(pid), 0);
    pty_close(&p);
}

TEST(calls_that_do_not_wait)
{
    struct pty p = pty_make();
    char text[16];
    pty_raw(p.slave, 5, 0);
    fcntl(p.slave, F_SETFL, O_NONBLOCK);
    fcntl(p.master, F_SETFL, O_NONBLOCK);
    EXPECT_ERRNO(read(p.slave, text, 1), EAGAIN);
    EXPECT_ERRNO(read(p.master, text, 1), EAGAIN);
    EXPECT_EQ(write(p.master, "ab", 2), 2);
    sleep_ms(20);
    EXPECT_EQ(read(p.slave, text, sizeof(text)), 2);  // less than VMIN
    static char much[65536];
    ssize_t n = write(p.slave, much, sizeof(much));
    EXPECT_RANGE(n, 4096, 65535);
    EXPECT_ERRNO(pread(p.slave, text, 1, 0), ESPIPE);
    EXPECT_ERRNO(lseek(p.slave, 0, SEEK_SET), ESPIPE);
    EXPECT_ERRNO(lseek(p.master, 0, SEEK_SET), ESPIPE);
    pty_close(&p);
}

TEST(bad_memory)
{
    struct pty p = pty_make();
    pty_raw(p.slave, 1, 0);
    EXPECT_EQ(write(p.master, "ab", 2), 2);
    EXPECT_EQ(pty_wait(p.slave, POLLIN, 20000), POLLIN);
    EXPECT_ERRNO(read(p.slave, no_access_page(), 2), EFAULT);
    EXPECT_ERRNO(write(p.slave, no_access_page(), 2), EFAULT);
    EXPECT_ERRNO(write(p.master, no_access_page(), 2), EFAULT);
    EXPECT_ERRNO(ioctl(p.slave, TIOCGWINSZ, NULL), EFAULT);
    EXPECT_ERRNO(ioctl(p.slave, TCSETS, NULL), EFAULT);
    EXPECT_ERRNO(ioctl(p.master, TIOCGPTN, NULL), EFAULT);
    pty_close(&p);
}

static int edges(int ep)
{
    struct epoll_event ev;
    int n = epoll_wait(ep, &ev, 1, 100);
    return n > 0 ? (int)ev.events : n;
}

TEST(edges_of_epoll)
{
    struct pty p = pty_make();
    char text[16];
    int ep = ASSERT_OK(epoll_create1(0));
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p.slave, &ev));
    EXPECT_EQ(edges(ep), 0);
    EXPECT_EQ(write(p.master, "ab", 2), 2);
    EXPECT_EQ(edges(ep), 0);  // no line yet
    EXPECT_EQ(write(p.master, "\n", 1), 1);
    EXPECT_EQ(edges(ep), EPOLLIN);
    EXPECT_EQ(edges(ep), 0);  // told once
    EXPECT_EQ(write(p.master, "c\n", 2), 2);
    EXPECT_EQ(edges(ep), EPOLLIN);
    EXPECT_EQ(read(p.slave, text, sizeof(text)), 3);
    EXPECT_EQ(edges(ep), 0);
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_DEL, p.slave, NULL));
    EXPECT_EQ(pty_collect(p.master, text, sizeof(text), 7), 7);
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p.master, &ev));
    EXPECT_EQ(edges(ep), 0);
    EXPECT_EQ(write(p.slave, "x", 1), 1);
    EXPECT_EQ(edges(ep), EPOLLIN);
    EXPECT_EQ(edges(ep), 0);
    close(p.slave);
    EXPECT_EQ(edges(ep), EPOLLIN | EPOLLHUP);
    close(ep);
    close(p.master);
}

// SIGIO at both ends, by default to the one who asked for it (no terminal of a session here).
static volatile int told;
static void count(int sig) { told++; }

TEST(signals_for_readiness)
{
    struct pty p = pty_make();
    char text[16];
    signal(SIGIO, count);
    EXPECT_OK(fcntl(p.slave, F_SETFL, O_ASYNC | O_NONBLOCK));
    EXPECT_EQ(fcntl(p.slave, F_GETOWN), getpid());
    EXPECT_EQ(write(p.master, "a", 1), 1);
    EXPECT_EQ(pty_wait(p.master, POLLIN, 20000), POLLIN);
    EXPECT_EQ(told, 0);
    EXPECT_EQ(write(p.master, "\n", 1), 1);
    EXPECT_EQ(pty_wait(p.slave, POLLIN, 20000), POLLIN);
    sleep_ms(10);
    EXPECT_GE(told, 1);
    EXPECT_OK(fcntl(p.slave, F_SETFL, 0));
    told = 0;
    EXPECT_EQ(pty_collect(p.master, text, sizeof(text), 3), 3);
    EXPECT_OK(fcntl(p.master, F_SETFL, O_ASYNC | O_NONBLOCK));
    EXPECT_EQ(write(p.slave, "x", 1), 1);
    EXPECT_EQ(pty_wait(p.master, POLLIN, 20000), POLLIN);
    sleep_ms(10);
    EXPECT_GE(told, 1);
    pty_close(&p);
}
