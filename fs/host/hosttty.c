// SPDX-License-Identifier: Apache-2.0
// The caller's terminals: job control on them is the sentry's own (fs/tty/ctty.h), and other ioctls are a
// fixed list, each with a structure of fixed size that is copied in and out. What types into the terminal or
// reaches the console (TIOCSTI, TIOCLINUX) and everything else is refused.
// LIMIT: a write from the background to the caller's own terminal is let through whatever TOSTOP says there.
#include "abi/ioctl.h"
#include "abi/signal.h"
#include "base/cleanup.h"
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
// What changes the terminal is not for the background.
static bool changes(unsigned cmd) {
    return scalar(cmd) || cmd == LINUX_TCSETS || cmd == LINUX_TCSETSW || cmd == LINUX_TCSETSF ||
           cmd == LINUX_TCSETS2 || cmd == LINUX_TCSETSW2 || cmd == LINUX_TCSETSF2;
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
    if (h->ctty && ctty_is_control(cmd))
        return ctty_ioctl(h->ctty, f, false, cmd, arg, ua);
    int64_t refused = h->ctty && changes(cmd) ? ctty_check(h->ctty, LINUX_SIGTTOU) : 0;
    if (refused)
        return refused;
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

// ---- The terminals ----------------------------------------------------------------------------------------
// One for each that is among the stdio of a process from outside, however many descriptors are on it; each
// descriptor has a reference. LIMIT: at most 64 at a time; an exec with another one is refused.
#define TERMINALS 64
static struct hosttty {
    struct ctty ctl;
    uint64_t ino;      // [terminals_lock] as the descriptors on it show it
    const void *owner;  // [terminals_lock]
    struct hostfd *h;  // [terminals_lock] one of these; its inode is owned. NULL: forgotten
    bool used;         // [terminals_lock]
} terminals[TERMINALS];
static struct lock terminals_lock = LOCK_INITIALIZER(RANK_LEAF);

// A name that leads to it is no way to other rights than the descriptor has.
static int open_again(struct ctty *c, struct file *f) {
    struct hosttty *t = container_of(c, struct hosttty, ctl);
    LOCKED(&terminals_lock);
    if (!t->h)
        return -LINUX_ENXIO;
    if (((f->mode & FMODE_READ) && t->h->acc == LINUX_O_WRONLY) ||
        ((f->mode & FMODE_WRITE) && t->h->acc == LINUX_O_RDONLY))
        return -LINUX_EACCES;
    hostfd_reopen(t->h, f);
    return 0;
}
static void free_terminal(struct ctty *c) {
    LOCKED(&terminals_lock);
    container_of(c, struct hosttty, ctl)->used = false;
}
static const struct ctty_ops hosttty_ops = {.open = open_again, .free = free_terminal};

static struct hosttty *terminal_of(const struct hostfd *h) {
    struct hosttty *spare = NULL;
    for (struct hosttty *t = terminals; t < terminals + TERMINALS; t++) {
        if (t->used && t->h && t->ino == h->ino)
            return t;
        if (!t->used && !spare)
            spare = t;
    }
    return spare;
}

bool hosttty_attach(struct hostfd *h) {
    struct inode *replaced = NULL;
    {
        LOCKED(&terminals_lock);
        struct hosttty *t = terminal_of(h);
        if (!t)
            return false;
        if (!t->used) {
            *t = (struct hosttty){.ino = h->ino, .owner = h->owner, .h = h, .used = true};
            ctty_init(&t->ctl, &hosttty_ops, LINUX_MKDEV(5, 1));
            inode_get(h->inode);
        } else if (h->acc == LINUX_O_RDWR && t->h->acc != LINUX_O_RDWR) {
            replaced = t->h->inode;
            t->h = h;
            inode_get(h->inode);
        }
        h->ctty = ctty_get(&t->ctl);
    }
    if (replaced)
        inode_put(replaced);
    return true;
}

static void forget(struct hosttty *t, const void *owner) {
    struct hostfd *h = NULL;
    {
        LOCKED(&terminals_lock);
        if (t->used && (!owner || t->owner == owner))
            h = take_ptr(t->h);
    }
    if (!h)
        return;
    inode_put(h->inode);
    ctty_put(&t->ctl);
}
void hostfd_forget_terminals(const void *owner) {
    for (size_t k = 0; k < TERMINALS; k++)
        forget(&terminals[k], owner);
}
