// SPDX-License-Identifier: Apache-2.0
// A terminal: line discipline, settings, window size, flow control and hang-up, between two ends. The *near
// end* is what programs call the terminal: its open files are made here. The *far end* is whoever reads what
// they print and types for them: a pty's master (fs/tty/pty.c) or any other holder, which calls tty_far_*().
//
//   far end  -- tty_far_write --> in --> [line discipline] --> a near file's read
//   far end  <-- tty_far_read --- out <-- [line discipline] <-- a near file's write, echoes
//
// Nothing waits: what would block is -LINUX_EAGAIN. Signals to the foreground are collected under the lock
// and sent when it is dropped (ctty_signal() takes locks that come before it).
#ifndef FS_TTY_TTY_H
#define FS_TTY_TTY_H
#include "fs/tty/ctty.h"
#include "fs/tty/ldisc.h"

enum tty_state {
    TTY_FRESH,  // no near file was opened yet
    TTY_OPEN,
    TTY_UNUSED,  // all near files are closed: the far end reads EIO; -> OPEN by the next open
    TTY_DEAD,    // the far end is gone; for good
};
struct tty {
    struct ctty ctl;            // its reference count is the terminal's
    struct lock lock;           // RANK_OBJECT
    struct waitq near, far;     // readiness of each end
    enum tty_state state;       // [lock]
    unsigned opens;             // [lock] near files
    uint32_t hangups;           // [lock] near files that were opened before the last one are hung up
    struct ldisc ld;            // [lock]
    struct tty_ring in;         // [lock] from the far end, until the line discipline has room
    struct linux_winsize size;  // [lock]
    uint64_t last_input;        // [lock] mono ns; for VTIME
    bool locked, exclusive;     // [lock] TIOCSPTLCK, TIOCEXCL
    bool packet;                // [lock] the far end is told of flushes and flow control (TIOCPKT)
    uint8_t packet_status;      // [lock] LINUX_TIOCPKT_* that it has not read yet
    bool refused;               // [lock] a near write found no room: who asks for SIGIO is told of it
    bool far_held;              // [lock] TCOOFF of the far end: it does not type
};
#define TTY_IN 8192u

// t is all zero.
int tty_init(struct tty *t, const struct ctty_ops *ops, uint64_t dev);  // 0 or -LINUX_ENOMEM
void tty_destroy(struct tty *t);
// f becomes a near file: sets f->ops and f->priv. EIO: locked, or dead; EBUSY.
int tty_open(struct tty *t, struct file *f);
void tty_hangup(struct tty *t);  // the files that are open on it read 0 and write EIO from now on

// The far end: -LINUX_EAGAIN when it would block; EIO: nobody is at the near end any more.
int64_t tty_far_read(struct tty *t, struct uio *u);
int64_t tty_far_write(struct tty *t, struct uio *u);
uint32_t tty_far_poll(struct tty *t, struct waiter *w);
int64_t tty_far_ioctl(struct tty *t, struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua);
void tty_far_close(struct tty *t);  // hangs up

// ---- Inside fs/tty/ (tty.c, tty_ioctl.c) ------------------------------------------------------------------
struct tty *tty_near(struct file *f);                   // f's terminal; NULL: not a near file
bool tty_hung_up(struct tty *t, const struct file *f);  // lock held
void tty_pump(struct tty *t);  // from `in` to the line discipline, while that has room; lock held
// Ends a stretch under the lock: wakes whom its events concern, drops the lock, signals the foreground.
void tty_done(struct tty *t);
int64_t tty_near_ioctl(struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua);

#endif
