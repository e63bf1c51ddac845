// SPDX-License-Identifier: Apache-2.0
// Files over host descriptors (the stdio that the sandbox was given). When one would block, its waiters must hear of
// the host's readiness: the sentry's event thread watches the descriptor and calls hostfd_ready().
#ifndef FS_HOSTFD_H
#define FS_HOSTFD_H
#include <stdint.h>

struct hostfd;
// Set once, before the first guest: asks for one notice when `fd` has any of `events` (LINUX_POLL*); the answer is
// one call of hostfd_ready(h, events). watch may be called from any thread, again while one is pending (merge).
// unwatch returns only when no call of hostfd_ready() for h is under way or will come.
struct hostfd_watcher {
    void (*watch)(struct hostfd *h, int fd, uint32_t events);
    void (*unwatch)(struct hostfd *h, int fd);
    // The terminal's job control is the sentry's own: TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCSCTTY, TIOCNOTTY on a
    // host terminal. -LINUX_ENOTTY when it is not the caller's controlling terminal.
    int64_t (*tty_ioctl)(struct hostfd *h, unsigned cmd, uint64_t arg, void *uaccess);
};
void hostfd_set_watcher(const struct hostfd_watcher *w);
struct file;
struct hostfd *hostfd_terminal(struct file *f);  // borrowed; NULL: f is not a host terminal
// Which terminal: several descriptors (stdin, stdout, stderr) are one as a rule. Never 0.
uint64_t hostfd_terminal_id(const struct hostfd *h);
void hostfd_ready(struct hostfd *h, uint32_t events);
struct file;
struct hostfd *hostfd_of(struct file *f);  // borrowed; NULL: another kind of file
int hostfd_number(const struct hostfd *h);

#endif
