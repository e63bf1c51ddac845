// SPDX-License-Identifier: Apache-2.0
// Shapes over pseudo-terminals: few of them, at fixed numbers, so that threads and processes meet at the same
// ones while they are written, changed, hung up and taken as controlling terminals.
#include "fuzz.h"
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/tty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int open_terminal(int flags) {
    char *p = room(24);
    snprintf(p, 24, one_in(6) ? "/dev/tty" : "/dev/pts/%u", below(4));
    return (int)call(SYS_openat, AT_FDCWD, p, flags, 0);
}
static int mode(void) { return O_RDWR | (one_in(2) ? O_NONBLOCK : 0) | (one_in(3) ? O_NOCTTY : 0); }

static void sh_make(void) {
    char *p = room(16);
    strcpy(p, one_in(2) ? "/dev/ptmx" : "/dev/pts/ptmx");
    int fd = (int)call(SYS_openat, AT_FDCWD, p, mode(), 0), *zero = room(sizeof(int));
    *zero = 0;
    call(SYS_ioctl, fd, TIOCSPTLCK, zero);
    if (one_in(2))
        call(SYS_ioctl, fd, TIOCGPTPEER, mode());
    if (one_in(3))
        call(SYS_close, fd);
}
static void sh_open(void) { open_terminal(one_in(6) ? (int)below(0x1000000) : mode()); }

// What is typed: letters, every key, bytes above 127.
static void sh_type(void) {
    unsigned n = below(one_in(8) ? 8000 : 40);
    uint8_t *p = room(n + 1);
    for (unsigned i = 0; i < n && i < 64; i++)
        p[i] = (uint8_t)(one_in(3) ? below(32) : below(256));
    call(SYS_write, any_fd(), p, n);
}
static void settings(struct termios2 *t) {
    t->c_iflag = below(0x10000);
    t->c_oflag = below(0x10000);
    t->c_lflag = below(0x20000);
    t->c_cflag = (tcflag_t)rnd();
    for (unsigned i = 0; i < sizeof t->c_cc; i++)
        if (one_in(3))
            t->c_cc[i] = (cc_t)below(i == VTIME ? 3 : 40);
}
static void sh_settings(void) {
    static const unsigned set[] = {TCSETS2, TCSETSW2, TCSETSF2, TCSETS, TCSETA};
    struct termios2 *t = room(sizeof *t);
    int fd = any_fd();
    call(SYS_ioctl, fd, TCGETS2, t);
    if (!one_in(3))
        settings(t);
    call(SYS_ioctl, fd, pick(set), t);
}
static void sh_request(void) {
    static const unsigned numbers[] = {TCXONC,    TCFLSH,   TCSBRK,   TIOCSIG,     TIOCSCTTY,
                                       TIOCNOTTY, TIOCEXCL, TIOCNXCL, TIOCVHANGUP, TIOCGPTPEER};
    static const unsigned objects[] = {TIOCPKT,   TIOCSPTLCK, TIOCGPTN,   TIOCSWINSZ, TIOCGWINSZ, TIOCSPGRP,
                                       TIOCGPGRP, TIOCGSID,   FIONREAD,   TIOCOUTQ,   FIOASYNC,   TIOCSETD,
                                       TIOCSTI,   TIOCGDEV,   TIOCGPTLCK, TIOCGPKT,   TIOCGEXCL};
    unsigned *p = room(16);
    p[0] = below(4);
    p[1] = below(100);
    if (one_in(2))
        call(SYS_ioctl, any_fd(), pick(numbers), (unsigned long)below(4));
    else
        call(SYS_ioctl, any_fd(), pick(objects), one_in(8) ? any_pointer() : p);
}
// A session of its own, and a race for the same terminals.
static void sh_session(void) {
    int *group = room(sizeof(int));
    call(SYS_setsid);
    int fd = open_terminal(mode());
    call(SYS_ioctl, fd, TIOCSCTTY, (unsigned long)below(2));
    *group = one_in(2) ? (int)call(SYS_getpgid, 0) : any_pid();
    call(SYS_ioctl, fd, TIOCSPGRP, group);
    call(SYS_read, fd, any_pointer(), below(100));
    if (one_in(4))
        call(SYS_vhangup);
}
static void sh_async(void) {
    int fd = open_terminal(mode());
    call(SYS_fcntl, fd, F_SETFL, O_ASYNC | (one_in(2) ? O_NONBLOCK : 0));
    sh_type();
}
static void sh_pts_names(void) {
    char *p = room(24);
    snprintf(p, 24, "/dev/pts/%u", below(6));
    call(SYS_fchmodat, AT_FDCWD, p, below(01000));
    call(SYS_fchownat, AT_FDCWD, p, below(3), below(3), 0);
    call(one_in(2) ? SYS_unlink : SYS_rmdir, p);
}

const struct shape tty_shapes[] = {
    {sh_make, 8},    {sh_open, 8},    {sh_type, 10},  {sh_settings, 6}, {sh_request, 10},
    {sh_session, 3}, {sh_async, 2},   {sh_pts_names, 2}, {NULL, 0},
};
