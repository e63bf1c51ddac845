// SPDX-License-Identifier: Apache-2.0
// A terminal as job control knows it, whoever serves its bytes: a pty (fs/tty/pty.c) or the caller's own
// terminal (fs/host/hosttty.c). Whose it is, and which group is in front, is the sentry's to keep and to
// decide (sentry/proc/jobctl.c); what serves the bytes asks it by the functions here, with no lock held.
#ifndef FS_TTY_CTTY_H
#define FS_TTY_CTTY_H
#include "fs/vfs.h"

struct ctty;
struct session;

struct ctty_ops {
    int (*open)(struct ctty *c,
                struct file *f);     // by way of /dev/tty: sets f->ops and f->priv. 0 or -LINUX_E*
    void (*hangup)(struct ctty *c);  // vhangup(2): what is open on it is hung up
    void (*free)(struct ctty *c);    // the last reference is gone
};
struct ctty {                    // embedded in what serves the bytes
    struct refcount refs;        // [a] a session that it controls has one
    const struct ctty_ops *ops;  // [c]
    uint64_t dev;                // [c] what /proc/PID/stat calls it
    struct session *session;     // [sentry's tasks_lock] borrowed; NULL: nobody's
    int32_t pgrp;                // [tasks_lock] the foreground group, 0: none
};

// What the sentry does; set once, before the first guest. Without it no terminal is anybody's.
struct ctty_control {
    int (*check)(struct ctty *c, int sig);
    void (*opened)(struct ctty *c, struct file *f);
    int64_t (*ioctl)(struct ctty *c, struct file *f, bool far_end, unsigned cmd, uint64_t arg,
                     struct uaccess *ua);
    void (*signal)(struct ctty *c, int sig);
    void (*gone)(struct ctty *c);
    bool (*capable)(unsigned cap);
};
void ctty_set_control(const struct ctty_control *control);

void ctty_init(struct ctty *c, const struct ctty_ops *ops, uint64_t dev);  // one reference
struct ctty *ctty_get(struct ctty *c);
void ctty_put(struct ctty *c);
struct ctty *file_ctty(struct file *f);  // the terminal that f is (not a pty's master), borrowed; NULL: none
// May the caller read (SIGTTIN), or write and change it (SIGTTOU), or is it in the background? 0, -LINUX_EIO,
// or -LINUX_ERESTARTSYS: the signal has been sent to its group.
int ctty_check(struct ctty *c, int sig);
// The caller has opened it without O_NOCTTY: it may have become the one that controls its session.
void ctty_opened(struct ctty *c, struct file *f);
// TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCSCTTY, TIOCNOTTY. far_end: f is a pty's master.
bool ctty_is_control(unsigned cmd);
int64_t ctty_ioctl(struct ctty *c, struct file *f, bool far_end, unsigned cmd, uint64_t arg,
                   struct uaccess *ua);
void ctty_signal(struct ctty *c, int sig);  // to the foreground group
void ctty_gone(struct ctty *c);   // hung up: its session's leader is told, and has no terminal any more
bool ctty_capable(unsigned cap);  // has the caller LINUX_CAP_*?

#endif
