// SPDX-License-Identifier: Apache-2.0
// ioctls of a terminal (man 2 ioctl_tty), which its two ends share but where they differ; a pty's own are in
// pty.c. Guest memory is read before the terminal's lock is taken, and written after it.
// LIMIT: TIOCSTI is refused with EIO to everybody, as Linux refuses it to who is not privileged; TIOCCONS,
// line disciplines other than N_TTY (TIOCSETD), modem lines and locked settings (TIOCSLCKTRMIOS) are not
// there.
#include "abi/caps.h"
#include "abi/poll.h"
#include "abi/signal.h"
#include "abi/stat.h"
#include "fs/tty/tty.h"

// ---- Settings ---------------------------------------------------------------------------------------------
enum shape { TERMIO, TERMIOS, TERMIOS2 };
static const size_t shape_size[] = {sizeof(struct linux_termio), sizeof(struct linux_termios),
                                    sizeof(struct linux_termios2)};
static const struct settings_request {
    unsigned cmd;
    enum shape shape;
    bool set, flush;  // else get; drop what was typed. There is no output to wait for: it is at the other end
                      // at once
} requests[] = {
    {LINUX_TCGETS, TERMIOS, false, false},   {LINUX_TCSETS, TERMIOS, true, false},
    {LINUX_TCSETSW, TERMIOS, true, false},   {LINUX_TCSETSF, TERMIOS, true, true},
    {LINUX_TCGETS2, TERMIOS2, false, false}, {LINUX_TCSETS2, TERMIOS2, true, false},
    {LINUX_TCSETSW2, TERMIOS2, true, false}, {LINUX_TCSETSF2, TERMIOS2, true, true},
    {LINUX_TCGETA, TERMIO, false, false},    {LINUX_TCSETA, TERMIO, true, false},
    {LINUX_TCSETAW, TERMIO, true, false},    {LINUX_TCSETAF, TERMIO, true, true},
};
union settings {
    struct linux_termio old;
    struct linux_termios2 t;  // struct termios is its beginning
};

static uint32_t speed_of(uint32_t code, uint32_t other) {
    static const uint32_t speeds[] = {0,       50,      75,      110,     134,     150,     200,    300,
                                      600,     1200,    1800,    2400,    4800,    9600,    19200,  38400,
                                      57600,   115200,  230400,  460800,  500000,  576000,  921600, 1000000,
                                      1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000};
    code &= LINUX_CBAUD;
    if (code == LINUX_BOTHER)
        return other;
    if (code & LINUX_CBAUDEX)
        code = (code & ~(uint32_t)LINUX_CBAUDEX) + 15;
    return code < sizeof speeds / sizeof *speeds ? speeds[code] : 0;
}
static void set_speeds(struct linux_termios2 *t) {
    uint32_t in = t->c_cflag >> LINUX_IBSHIFT;
    t->c_ospeed = speed_of(t->c_cflag, t->c_ospeed);
    t->c_ispeed = in & LINUX_CBAUD ? speed_of(in, t->c_ispeed) : t->c_ospeed;
}
static void from_termio(struct linux_termios2 *t, const struct linux_termio *old) {
    t->c_iflag = (t->c_iflag & 0xffff0000u) | old->c_iflag;
    t->c_oflag = (t->c_oflag & 0xffff0000u) | old->c_oflag;
    t->c_cflag = (t->c_cflag & 0xffff0000u) | old->c_cflag;
    t->c_lflag = (t->c_lflag & 0xffff0000u) | old->c_lflag;
    t->c_line = old->c_line;
    memcpy(t->c_cc, old->c_cc, sizeof old->c_cc);
}
static struct linux_termio to_termio(const struct linux_termios2 *t) {
    struct linux_termio old = {.c_iflag = (uint16_t)t->c_iflag,
                               .c_oflag = (uint16_t)t->c_oflag,
                               .c_cflag = (uint16_t)t->c_cflag,
                               .c_lflag = (uint16_t)t->c_lflag,
                               .c_line = t->c_line};
    memcpy(old.c_cc, t->c_cc, sizeof old.c_cc);
    return old;
}
static bool usual_flow_keys(const struct linux_termios2 *t) {
    return (t->c_iflag & LINUX_IXON) && t->c_cc[LINUX_VSTOP] == ('S' & 31) &&
           t->c_cc[LINUX_VSTART] == ('Q' & 31);
}
// In packet mode the far end is told whether it may take ^S and ^Q for its own business.
static void tell_settings(struct tty *t, const struct linux_termios2 *now) {
    bool was = usual_flow_keys(&t->ld.t), is = usual_flow_keys(now);
    bool external = (t->ld.t.c_lflag | now->c_lflag) & LINUX_EXTPROC;
    if (!t->packet || (was == is && !external))
        return;
    if (was != is) {
        t->packet_status &= (uint8_t) ~(LINUX_TIOCPKT_DOSTOP | LINUX_TIOCPKT_NOSTOP);
        t->packet_status |= is ? LINUX_TIOCPKT_DOSTOP : LINUX_TIOCPKT_NOSTOP;
    }
    t->packet_status |= external ? LINUX_TIOCPKT_IOCTL : 0;
    waitq_wake(&t->far, LINUX_POLLIN | LINUX_POLLRDNORM | LINUX_POLLPRI);
}
static void apply(struct tty *t, const struct settings_request *q, const union settings *s) {
    lock_take(&t->lock);
    struct linux_termios2 now = t->ld.t;
    if (q->shape == TERMIO)
        from_termio(&now, &s->old);
    else
        memcpy(&now, &s->t, shape_size[q->shape]);
    set_speeds(&now);
    now.c_cflag = (now.c_cflag & ~(uint32_t)(LINUX_CSIZE | LINUX_PARENB)) | LINUX_CS8 | LINUX_CREAD;
    if (q->flush)
        ldisc_flush_input(&t->ld);
    tell_settings(t, &now);
    ldisc_set_termios(&t->ld, &now);
    tty_pump(t);
    tty_done(t);
}
static int64_t set_settings(struct tty *t, const struct settings_request *q, uint64_t arg,
                            struct uaccess *ua) {
    union settings s;
    int err = ctty_check(&t->ctl, LINUX_SIGTTOU);
    if (err)
        return err;
    err = ua->in(ua, &s, uaddr(arg), shape_size[q->shape]);
    if (err)
        return err;
    apply(t, q, &s);
    return 0;
}
static int64_t get_settings(struct tty *t, const struct settings_request *q, uint64_t arg,
                            struct uaccess *ua) {
    union settings s;
    lock_take(&t->lock);
    if (q->shape == TERMIO)
        s.old = to_termio(&t->ld.t);
    else
        s.t = t->ld.t;
    lock_drop(&t->lock);
    return ua->out(ua, uaddr(arg), &s, shape_size[q->shape]);
}

// ---- Window size ------------------------------------------------------------------------------------------
static int64_t set_size(struct tty *t, uint64_t arg, struct uaccess *ua) {
    struct linux_winsize size;
    int err = ua->in(ua, &size, uaddr(arg), sizeof size);
    if (err)
        return err;
    lock_take(&t->lock);
    bool changed = memcmp(&size, &t->size, sizeof size) != 0;
    t->size = size;
    lock_drop(&t->lock);
    if (changed)
        ctty_signal(&t->ctl, LINUX_SIGWINCH);
    return 0;
}
static int64_t get_size(struct tty *t, uint64_t arg, struct uaccess *ua) {
    lock_take(&t->lock);
    struct linux_winsize size = t->size;
    lock_drop(&t->lock);
    return ua->out(ua, uaddr(arg), &size, sizeof size);
}

// ---- Flow and flushing ------------------------------------------------------------------------------------
static void flow_near(struct tty *t, bool on) {
    t->ld.held = !on;
    if (on)
        ldisc_start(&t->ld);
    else
        ldisc_stop(&t->ld);
}
static void flow_far(struct tty *t, bool on) {
    t->far_held = !on;
    if (on)
        waitq_wake(&t->far, LINUX_POLLOUT | LINUX_POLLWRNORM);
}
// The far end sends ^S and ^Q, whatever keys the settings have for it.
static uint8_t flow_key(const struct tty *t, bool far_end, int which) {
    if (!far_end)
        return t->ld.t.c_cc[which];
    return (which == LINUX_VSTOP ? 'S' : 'Q') & 31;
}
// The key goes out to the other end, also while the output stands.
static void send_key(struct tty *t, bool far_end, int which) {
    uint8_t key = flow_key(t, far_end, which);
    if (!key)
        return;
    if (far_end) {
        if (ring_room(&t->in))
            ring_put(&t->in, key);
        tty_pump(t);
    } else if (ring_room(&t->ld.out)) {
        ring_put(&t->ld.out, key);
        t->ld.events |= LD_OUTPUT;
    }
}
static int64_t flow(struct tty *t, bool far_end, uint64_t how) {
    if (how > LINUX_TCION)
        return -LINUX_EINVAL;
    lock_take(&t->lock);
    if (how == LINUX_TCIOFF || how == LINUX_TCION)
        send_key(t, far_end, how == LINUX_TCIOFF ? LINUX_VSTOP : LINUX_VSTART);
    else if (far_end)
        flow_far(t, how == LINUX_TCOON);
    else
        flow_near(t, how == LINUX_TCOON);
    tty_done(t);
    return 0;
}
// What each end calls input is what the other one has written.
static int64_t flush(struct tty *t, bool far_end, uint64_t which) {
    if (which > LINUX_TCIOFLUSH)
        return -LINUX_EINVAL;
    bool input = which != LINUX_TCOFLUSH, output = which != LINUX_TCIFLUSH;
    lock_take(&t->lock);
    if (far_end && input) {
        t->ld.out.len = 0;
        waitq_wake(&t->near, LINUX_POLLOUT | LINUX_POLLWRNORM);
    }
    if (!far_end && input) {
        ldisc_flush_input(&t->ld);
        t->in.len = 0;
        waitq_wake(&t->far, LINUX_POLLOUT | LINUX_POLLWRNORM);
    }
    if (far_end && output)
        t->in.len = 0;
    if (!far_end && output)
        ldisc_flush_output(&t->ld);
    tty_done(t);
    return 0;
}

// ---- All the rest -----------------------------------------------------------------------------------------
static int64_t exclusive(struct tty *t, bool on) {
    LOCKED(&t->lock);
    t->exclusive = on;
    return 0;
}
static int64_t bytes_to_read(struct tty *t, bool far_end) {
    if (!far_end)
        return ldisc_inq(&t->ld);
    return t->ld.out.len < LDISC_ARRIVED ? t->ld.out.len : LDISC_ARRIVED;
}
// What a request for a number answers; -1: it is not one of these.
static int64_t number_of(struct tty *t, bool far_end, unsigned cmd) {
    LOCKED(&t->lock);
    switch (cmd) {
    case LINUX_FIONREAD:
        return bytes_to_read(t, far_end);
    case LINUX_TIOCOUTQ:
        return 0;  // what is written is at the other end at once
    case LINUX_TIOCGEXCL:
        return t->exclusive;
    case LINUX_TIOCGDEV:
        return (int64_t)t->ctl.dev;
    case LINUX_TIOCGETD:
        return 0;  // N_TTY
    case LINUX_TIOCGSOFTCAR:
        return (t->ld.t.c_cflag & LINUX_CLOCAL) != 0;
    default:
        return -1;
    }
}
static int64_t set_discipline(uint64_t arg, struct uaccess *ua) {
    int32_t which;
    int err = ua->in(ua, &which, uaddr(arg), sizeof which);
    if (err)
        return err;
    return which == 0 ? 0 : -LINUX_EINVAL;
}
// Requests without an answer, which change the terminal: not from the background.
static bool changes(unsigned cmd) {
    return cmd == LINUX_TCXONC || cmd == LINUX_TCFLSH || cmd == LINUX_TCSBRK || cmd == LINUX_TCSBRKP ||
           cmd == LINUX_TIOCSBRK || cmd == LINUX_TIOCCBRK || cmd == LINUX_TIOCSETD;
}
static int64_t change(struct tty *t, bool far_end, unsigned cmd, uint64_t arg, struct uaccess *ua) {
    int err = far_end ? 0 : ctty_check(&t->ctl, LINUX_SIGTTOU);
    if (err)
        return err;
    if (cmd == LINUX_TCXONC)
        return flow(t, far_end, arg);
    if (cmd == LINUX_TCFLSH)
        return flush(t, far_end, arg);
    return cmd == LINUX_TIOCSETD ? set_discipline(arg, ua) : 0;  // a pty's line has no breaks
}
static int64_t common(struct tty *t, struct file *f, bool far_end, unsigned cmd, uint64_t arg,
                      struct uaccess *ua) {
    for (size_t k = 0; k < sizeof requests / sizeof *requests; k++)
        if (requests[k].cmd == cmd)
            return requests[k].set ? set_settings(t, &requests[k], arg, ua)
                                   : get_settings(t, &requests[k], arg, ua);
    if (ctty_is_control(cmd))
        return ctty_ioctl(&t->ctl, f, far_end, cmd, arg, ua);
    if (changes(cmd))
        return change(t, far_end, cmd, arg, ua);
    switch (cmd) {
    case LINUX_TIOCGWINSZ:
        return get_size(t, arg, ua);
    case LINUX_TIOCSWINSZ:
        return set_size(t, arg, ua);
    case LINUX_TIOCSTI:
    case LINUX_TIOCGPTPEER:  // of a terminal; a master's is the sentry's to answer
        return -LINUX_EIO;
    case LINUX_TIOCEXCL:
    case LINUX_TIOCNXCL:
        return exclusive(t, cmd == LINUX_TIOCEXCL);
    }
    int64_t n = number_of(t, far_end, cmd);
    int32_t value = (int32_t)n;
    return n < 0 ? -LINUX_ENOTTY : ua->out(ua, uaddr(arg), &value, sizeof value);
}
int64_t tty_far_ioctl(struct tty *t, struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua) {
    return common(t, f, true, cmd, arg, ua);
}
int64_t tty_near_ioctl(struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua) {
    struct tty *t = f->priv;
    lock_take(&t->lock);
    bool hung_up = tty_hung_up(t, f);
    lock_drop(&t->lock);
    if (hung_up)
        return cmd == LINUX_TIOCSPGRP ? -LINUX_ENOTTY : -LINUX_EIO;
    if (cmd != LINUX_TIOCVHANGUP)
        return common(t, f, false, cmd, arg, ua);
    if (!ctty_capable(LINUX_CAP_SYS_ADMIN))
        return -LINUX_EPERM;
    tty_hangup(t);
    return 0;
}
