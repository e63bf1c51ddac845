// SPDX-License-Identifier: Apache-2.0
// ioctls on a host descriptor: a fixed list, each with a structure of fixed size that is copied in and out. Job control
// is the sentry's own (hostfd_watcher.tty_ioctl). What types into the terminal or reaches the console (TIOCSTI,
// TIOCLINUX) and everything else is refused.
#include "abi/ioctl.h"
#include "fs/host/hostfd_inner.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

static const struct {
    unsigned cmd;
    uint16_t in, out;  // bytes copied from and to the guest
    bool tty_only;
} passed[] = {
    {LINUX_TCGETS, 0, sizeof(struct linux_termios), true},
    {LINUX_TCSETS, sizeof(struct linux_termios), 0, true},
    {LINUX_TCSETSW, sizeof(struct linux_termios), 0, true},
    {LINUX_TCSETSF, sizeof(struct linux_termios), 0, true},
    {LINUX_TCGETS2, 0, sizeof(struct linux_termios2), true},
    {LINUX_TCSETS2, sizeof(struct linux_termios2), 0, true},
    {LINUX_TCSETSW2, sizeof(struct linux_termios2), 0, true},
    {LINUX_TCSETSF2, sizeof(struct linux_termios2), 0, true},
    {LINUX_TIOCGWINSZ, 0, sizeof(struct linux_winsize), true},
    {LINUX_TIOCSWINSZ, sizeof(struct linux_winsize), 0, true},
    {LINUX_FIONREAD, 0, sizeof(int32_t), false},
};
// Their argument is a number. TCSETSW and TCSBRK wait for the output to drain, as long as the terminal takes.
static bool scalar(unsigned cmd) {
    return cmd == LINUX_TCSBRK || cmd == LINUX_TCSBRKP || cmd == LINUX_TCXONC || cmd == LINUX_TCFLSH;
}
static bool job_control(unsigned cmd) {
    return cmd == LINUX_TIOCGPGRP || cmd == LINUX_TIOCSPGRP || cmd == LINUX_TIOCGSID || cmd == LINUX_TIOCSCTTY ||
           cmd == LINUX_TIOCNOTTY;
}
static int64_t pass(const struct hostfd *h, unsigned cmd, unsigned long arg) {
    int r;
    do
        r = ioctl(h->fd, cmd, arg);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}
int64_t hosttty_ioctl(struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua) {
    struct hostfd *h = f->priv;
    const struct hostfd_watcher *w = hostfd_watcher_now();
    if (h->tty && job_control(cmd))
        return w && w->tty_ioctl ? w->tty_ioctl(h, cmd, arg, ua) : -LINUX_ENOTTY;
    if (h->tty && scalar(cmd))
        return pass(h, cmd, (unsigned long)(uint32_t)arg);
    for (size_t k = 0; k < sizeof passed / sizeof *passed; k++) {
        if (passed[k].cmd != cmd || (passed[k].tty_only && !h->tty))
            continue;
        union {
            struct linux_termios2 largest;
            char bytes[64];
        } buf;
        memset(&buf, 0, sizeof buf);
        int err = passed[k].in ? ua->in(ua, &buf, uaddr(arg), passed[k].in) : 0;
        int64_t r = err ? err : pass(h, cmd, (unsigned long)&buf);
        if (r >= 0 && passed[k].out)
            r = ua->out(ua, uaddr(arg), &buf, passed[k].out);
        return r;
    }
    return -LINUX_ENOTTY;
}
