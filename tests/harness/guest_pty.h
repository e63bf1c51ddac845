// SPDX-License-Identifier: Apache-2.0
// Pseudo-terminals for guest programs. On Linux bytes go from one end to the other by a work queue, so
// whoever looks waits.
#ifndef GUEST_PTY_H
#define GUEST_PTY_H
#include "guest.h"

#include <asm/ioctls.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

struct pty {
    int master, slave;
};

static inline int pty_master(void)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    ASSERT_TRUE(fd >= 0);
    ASSERT_OK(unlockpt(fd));
    return fd;
}

static inline int pty_slave(int master, int flags)
{
    char name[64];
    ASSERT_EQ(ptsname_r(master, name, sizeof(name)), 0);
    return open(name, flags);
}

static inline struct pty pty_make(void)
{
    struct pty p = {.master = pty_master()};
    p.slave = ASSERT_OK(pty_slave(p.master, O_RDWR | O_NOCTTY));
    return p;
}

static inline void pty_close(struct pty *p)
{
    close(p->slave);
    close(p->master);
}

static inline void pty_raw(int fd, int min, int time)
{
    struct termios t;
    ASSERT_OK(tcgetattr(fd, &t));
    cfmakeraw(&t);
    t.c_cc[VMIN] = (cc_t)min;
    t.c_cc[VTIME] = (cc_t)time;
    ASSERT_OK(tcsetattr(fd, TCSANOW, &t));
}

// What of `events` (and errors) holds within ms.
static inline int pty_wait(int fd, short events, int ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, ms) > 0 ? p.revents : 0;
}

// Reads until there are `want` bytes, or 20 s are over; then what comes within a moment, so that too
// much shows.
static inline ssize_t pty_collect(int fd, char *text, size_t size, size_t want)
{
    size_t n = 0;
    while (n < size && (pty_wait(fd, POLLIN, n < want ? 20000 : 10) & POLLIN)) {
        ssize_t got = read(fd, text + n, size - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

static inline const char *pty_shown(const char *text, ssize_t n)
{
    static char shown[1024];
    char *p = shown;
    for (ssize_t i = 0; i < n && p < shown + sizeof(shown) - 8; i++)
        p += sprintf(p, text[i] >= ' ' && text[i] < 127 ? "%c" : "\\x%02x", (unsigned char)text[i]);
    *p = '\0';
    return shown;
}

#endif
